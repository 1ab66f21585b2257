//! Workloads, disruption budgets, runtime classes, RBAC.

use serde_json::{Map, Value, json};

use super::{Edit, Object, Remark, below, default, rename};

/// The greatest number: "no limit" where the old version had none.
const NO_LIMIT: i32 = i32::MAX;

/// A selector must be given now; it was that of the template's labels.
pub(super) fn selector(object: &mut Object) -> Result<Remark, Edit> {
    let Some(spec) = below(object, "spec") else {
        return Ok(None);
    };
    if spec.get("selector").is_none_or(Value::is_null) {
        let labels = (spec.get("template")).and_then(|template| template.pointer("/metadata/labels"));
        match labels
            .cloned()
            .filter(|labels| labels.as_object().is_some_and(|labels| !labels.is_empty()))
        {
            Some(labels) => spec.insert("selector".to_owned(), json!({"matchLabels": labels})),
            None => {
                return Err(Edit(
                    "its pods have no labels to select them by",
                    "give spec.template.metadata.labels and spec.selector.matchLabels",
                ));
            }
        };
    }
    Ok(None)
}

pub(super) fn extensions_deployment(object: &mut Object) -> Result<Remark, Edit> {
    selector(object)?;
    let Some(spec) = below(object, "spec") else {
        return Ok(None);
    };
    spec.shift_remove("rollbackTo");
    default(spec, "revisionHistoryLimit", NO_LIMIT);
    default(spec, "progressDeadlineSeconds", NO_LIMIT);
    rolling(spec, json!(1), json!(1));
    Ok(None)
}

pub(super) fn apps_deployment(object: &mut Object) -> Result<Remark, Edit> {
    selector(object)?;
    let Some(spec) = below(object, "spec") else {
        return Ok(None);
    };
    spec.shift_remove("rollbackTo");
    default(spec, "revisionHistoryLimit", 2);
    Ok(None)
}

fn rolling(spec: &mut Object, surge: Value, unavailable: Value) {
    let Some(strategy) = below(spec, "strategy") else {
        return;
    };
    if strategy.get("type").is_none_or(|kind| kind == "RollingUpdate")
        && let Some(rolling) = below(strategy, "rollingUpdate")
    {
        default(rolling, "maxSurge", surge);
        default(rolling, "maxUnavailable", unavailable);
    }
}

pub(super) fn extensions_daemon_set(object: &mut Object) -> Result<Remark, Edit> {
    selector(object)?;
    let Some(spec) = below(object, "spec") else {
        return Ok(None);
    };
    spec.shift_remove("templateGeneration");
    on_delete(spec);
    Ok(None)
}

pub(super) fn apps_stateful_set(object: &mut Object) -> Result<Remark, Edit> {
    selector(object)?;
    let Some(spec) = below(object, "spec") else {
        return Ok(None);
    };
    on_delete(spec);
    Ok(None)
}

/// Pods were replaced when someone deleted them.
fn on_delete(spec: &mut Object) {
    if let Some(strategy) = below(spec, "updateStrategy") {
        default(strategy, "type", "OnDelete");
    }
}

/// An empty selector matched no pod; now it matches all of the namespace.
pub(super) fn disruption_budget(object: &mut Object) -> Result<Remark, Edit> {
    let selector = object.get("spec").and_then(|spec| spec.get("selector"));
    let given = |key: &str| {
        let value = selector.and_then(|selector| selector.get(key));
        value.is_some_and(|value| {
            value.as_object().is_some_and(|map| !map.is_empty())
                || value.as_array().is_some_and(|list| !list.is_empty())
        })
    };
    if selector.is_some_and(Value::is_object) && !given("matchLabels") && !given("matchExpressions") {
        return Err(Edit(
            "the empty selector matched no pod there and matches every pod of the namespace in policy/v1",
            "delete it to keep what it did, or set apiVersion: policy/v1 if every pod is meant",
        ));
    }
    Ok(None)
}

pub(super) fn runtime_class(object: &mut Object) -> Result<Remark, Edit> {
    if let Some(Value::Object(mut spec)) = object.shift_remove("spec") {
        rename(&mut spec, "runtimeHandler", "handler");
        object.extend(spec);
    }
    Ok(None)
}

/// Subjects said the API version instead of the group.
pub(super) fn rbac_alpha(object: &mut Object) -> Result<Remark, Edit> {
    let subjects = object.get_mut("subjects").and_then(Value::as_array_mut);
    for subject in subjects.into_iter().flatten().filter_map(Value::as_object_mut) {
        subject.shift_remove("apiVersion");
        if subject
            .get("kind")
            .is_some_and(|kind| kind == "User" || kind == "Group")
        {
            default(subject, "apiGroup", super::RBAC);
            if subject.get("kind").is_some_and(|kind| kind == "User")
                && subject.get("name").is_some_and(|name| name == "*")
            {
                *subject = everyone();
            }
        }
    }
    Ok(None)
}

/// The user `*` meant everyone who is logged in.
fn everyone() -> Map<String, Value> {
    let group = [
        ("kind", "Group"),
        ("apiGroup", super::RBAC),
        ("name", "system:authenticated"),
    ];
    group
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect()
}
