//! When Flux calls what it waits for ready: the expressions of `spec.healthCheckExprs` and of `spec.dependsOn[].readyExpr`.
//!
//! Source: kustomize-controller (internal/controller/kustomization_controller.go: checkDependencies, evalReadyExpr), helm-controller
//! (internal/controller/helmrelease_controller.go), `github.com/fluxcd/pkg/runtime/cel`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::releases::Lack;
use super::{HELM_RELEASE, KUSTOMIZATION};
use crate::object::{Cel, CelFault, HealthCheck, ObjectId, Place, Problem, api_group};

/// The checks of `spec.healthCheckExprs`.
///
/// # Errors
/// Says which one is wrong, and how.
pub(super) fn health_checks(spec: &Value) -> Result<Vec<HealthCheck>, String> {
    let mut checks: Vec<HealthCheck> = Vec::new();
    let all = spec.get("healthCheckExprs").and_then(Value::as_array);
    for (number, one) in all.into_iter().flatten().enumerate() {
        let text = |key: &str| one[key].as_str().filter(|text| !text.is_empty());
        let expression = |key: &str| {
            let parsed = text(key).map(Cel::parse).transpose();
            parsed.map_err(|why| format!("its healthCheckExprs[{number}].{key} is no expression: {why}"))
        };
        let api = text("apiVersion").unwrap_or_default();
        let check = HealthCheck {
            group: api_group(api).to_owned(),
            kind: text("kind").map(str::to_owned),
            current: expression("current")?.ok_or_else(|| format!("its healthCheckExprs[{number}] has no current"))?,
            failed: expression("failed")?,
            in_progress: expression("inProgress")?,
            about: &[],
        };
        if checks
            .iter()
            .any(|other| (&other.group, &other.kind) == (&check.group, &check.kind))
        {
            return Err(format!(
                "its healthCheckExprs[{number}] is for the same kind as one before it"
            ));
        }
        checks.push(check);
    }
    Ok(checks)
}

/// Units of Flux, and when those that depend on them start.
#[derive(Default)]
pub(in crate::declared) struct Dependencies {
    units: BTreeMap<ObjectId, Value>,
    /// What does not wait until what it depends on is ready: that this is declared is enough.
    at_once: BTreeSet<(ObjectId, ObjectId)>,
    /// What cannot be told before a cluster does.
    remarks: BTreeMap<(ObjectId, ObjectId), Problem>,
    /// Where units are declared that depend on others: own, the other.
    depending: BTreeMap<(ObjectId, ObjectId), Place>,
    /// Units that Flux applies as somebody else, where they are declared, and as whom.
    accounts: BTreeMap<ObjectId, (Place, ObjectId)>,
}

impl Dependencies {
    /// Takes note of a unit.
    pub fn note(&mut self, value: &Value, namespace: &str) {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let group = api_group(text("/apiVersion"));
        if [KUSTOMIZATION, HELM_RELEASE].contains(&(group, text("/kind"))) {
            let own = Some(text("/metadata/namespace")).filter(|own| !own.is_empty());
            let id = ObjectId::new(group, text("/kind"), own.or(Some(namespace)), text("/metadata/name"));
            self.units.insert(id, value.clone());
        }
    }

    /// Works out when a unit starts. `last` says that nothing more will be declared.
    pub fn judge(&mut self, own: &ObjectId, spec: &Value, place: &Place, last: bool) -> Result<(), Lack> {
        let namespace = own.namespace.as_deref().unwrap_or_default();
        if let Some(account) = spec["serviceAccountName"].as_str().filter(|name| !name.is_empty()) {
            let account = ObjectId::new("", "ServiceAccount", Some(namespace), account);
            self.accounts.insert(own.clone(), (place.clone(), account));
        }
        let all = super::depends_on(spec, &own.group, &own.kind, namespace);
        for (number, on) in all.into_iter().enumerate() {
            self.depending.insert((own.clone(), on.clone()), place.clone());
            let text = spec["dependsOn"][number]["readyExpr"].as_str().unwrap_or_default();
            if text.is_empty() {
                continue;
            }
            let field = format!("dependsOn[{number}].readyExpr");
            let ready = Cel::parse(text).map_err(|why| format!("its {field} is no expression: {why}"))?;
            let Some(dep) = self.units.get(&on) else {
                match last {
                    // As it is where there is no expression.
                    true => continue,
                    false => return Err(Lack::Yet),
                }
            };
            let empty = json!({"metadata": {"name": own.name, "namespace": namespace}, "spec": spec});
            let own_value = fresh(self.units.get(own).unwrap_or(&empty));
            let key = (own.clone(), on.clone());
            let says = |dep: &Value| ready.holds([("self", &own_value), ("dep", dep)]);
            if says(&fresh(dep)) == Ok(true) {
                self.at_once.insert(key);
                continue;
            }
            match says(&done(dep)) {
                Ok(true) => {}
                Ok(false) => {
                    let why = format!("its {field} says no even when {on} is ready: Flux does not start it");
                    return Err(Lack::Never(
                        why,
                        Some("correct the expression, or what it compares".to_owned()),
                    ));
                }
                Err(CelFault::Broken(why)) => return Err(format!("its {field} cannot be evaluated: {why}").into()),
                Err(CelFault::Unknown(why)) => {
                    let message = format!(
                        "it waits until {on} is ready: what its {field} says is known in a cluster with Flux only ({why})"
                    );
                    self.remarks
                        .insert(key, Problem::warning(place.clone(), message).of(own.clone()));
                }
            }
        }
        Ok(())
    }

    /// Whether a unit starts without waiting until one that it depends on is ready.
    pub fn is_at_once(&self, own: &ObjectId, on: &ObjectId) -> bool {
        self.at_once.contains(&(own.clone(), on.clone()))
    }

    /// What is to be said of all that, once nothing more will be declared; `entries` are units that nobody need declare.
    pub fn remarks(&mut self, entries: &BTreeSet<ObjectId>) -> Vec<Problem> {
        let depending = std::mem::take(&mut self.depending).into_iter();
        let unknown = depending.filter(|((_, on), _)| !self.units.contains_key(on) && !entries.contains(on));
        let unknown = unknown.map(|((own, on), place)| {
            let message = format!("it does not wait for {on}, on which it depends: nothing of that name is declared");
            let hint = "declare it, or take it out of spec.dependsOn: Flux waits for it for ever";
            Problem::error(place, message).hint(hint).of(own)
        });
        let unknown: Vec<Problem> = unknown.collect();
        let accounts = std::mem::take(&mut self.accounts).into_iter();
        let accounts = accounts.map(|(own, (place, account))| {
            let message = format!(
                "it is written with the rights of this run, not with those of {account} (spec.serviceAccountName)"
            );
            Problem::note(place, message).of(own)
        });
        let told = std::mem::take(&mut self.remarks).into_values();
        told.chain(accounts).chain(unknown).collect()
    }
}

/// A unit's object as it is when nothing has looked at it. The definitions give it this status.
fn fresh(value: &Value) -> Value {
    with_status(value, json!({"observedGeneration": -1}))
}

/// A unit's object as it is when it is ready. Revisions, digests and times are those of a cluster, so that there are none.
fn done(value: &Value) -> Value {
    let reason = match value["kind"] == HELM_RELEASE.1 {
        true => "InstallSucceeded",
        false => "ReconciliationSucceeded",
    };
    let condition =
        |kind: &str, reason: &str| json!({"type": kind, "status": "True", "reason": reason, "observedGeneration": 1});
    let mut conditions = vec![condition("Ready", reason)];
    if value["kind"] == HELM_RELEASE.1 {
        conditions.push(condition("Released", reason));
    } else if value["spec"]["wait"] == true || !value["spec"]["healthChecks"].is_null() {
        conditions.push(condition("Healthy", "Succeeded"));
    }
    with_status(value, json!({"observedGeneration": 1, "conditions": conditions}))
}

fn with_status(value: &Value, status: Value) -> Value {
    let mut value = value.clone();
    value["metadata"]["generation"] = 1.into();
    value["status"] = status;
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str, version: &str, spec: &Value) -> Value {
        json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name, "namespace": "flux", "labels": {"version": version}}, "spec": spec,
        })
    }

    fn id(name: &str) -> ObjectId {
        ObjectId::new(KUSTOMIZATION.0, KUSTOMIZATION.1, Some("flux"), name)
    }

    fn judged(expression: &str) -> (Result<(), String>, bool, Vec<String>) {
        let spec = json!({"dependsOn": [{"name": "none"}, {"name": "base", "readyExpr": expression}]});
        let mut all = Dependencies::default();
        all.note(&unit("apps", "2", &spec), "");
        let judge = |all: &mut Dependencies, last| all.judge(&id("apps"), &spec, &Place::file("a.yaml"), last);
        if Cel::parse(expression).is_ok() {
            assert!(
                matches!(judge(&mut all, false), Err(Lack::Yet)),
                "it may still be declared"
            );
            assert!(judge(&mut all, true).is_ok(), "that it is not is told elsewhere");
        }
        all.note(&unit("base", "2", &json!({"wait": true})), "");
        let result = judge(&mut all, false).map_err(|lack| match lack {
            Lack::Yet => "yet".to_owned(),
            Lack::Never(why, _) => why,
        });
        let remarks = all.remarks(&BTreeSet::from([id("none")])).into_iter();
        let remarks = remarks.map(|problem| problem.message).collect();
        (result, all.is_at_once(&id("apps"), &id("base")), remarks)
    }

    #[test]
    fn ready_expressions_say_when_a_unit_starts() {
        let ready = "dep.status.conditions.filter(e, e.type == 'Ready').all(e, e.status == 'True') && \
                     dep.metadata.generation == dep.status.observedGeneration";
        let same = "dep.metadata.labels['version'] == self.metadata.labels['version']";
        for (expression, at_once) in [
            (same.to_owned(), true),
            (ready.to_owned(), false),
            (format!("{same} && {ready}"), false),
            (
                "has(dep.status.conditions) && dep.status.conditions.exists(e, e.type == 'Healthy')".to_owned(),
                false,
            ),
        ] {
            assert_eq!(judged(&expression), (Ok(()), at_once, Vec::new()), "{expression}");
        }
        let (result, _, remarks) = judged("dep.status.lastAppliedRevision.startsWith('main')");
        assert_eq!(result, Ok(()));
        assert_eq!(
            remarks,
            [
                "it waits until Kustomization/flux/base is ready: what its dependsOn[1].readyExpr says is known in a cluster with \
              Flux only (there is no lastAppliedRevision)"
            ]
        );
        for (expression, why) in [
            (
                "dep.metadata.labels['version'] == '3'",
                "says no even when Kustomization/flux/base is ready: Flux does not start it",
            ),
            ("dep.metadata.name", "cannot be evaluated: it is a string, not a bool"),
            ("other.metadata.name == ''", "cannot be evaluated: it has no other"),
        ] {
            assert_eq!(
                judged(expression).0,
                Err(format!("its dependsOn[1].readyExpr {why}")),
                "{expression}"
            );
        }
        let broken = judged("dep.status ==").0.expect_err("because it ends too early");
        assert!(
            broken.starts_with("its dependsOn[1].readyExpr is no expression: "),
            "{broken}"
        );
    }

    #[test]
    fn rights_that_are_not_those_of_its_engine_are_told() {
        let mut all = Dependencies::default();
        let spec = json!({"serviceAccountName": "tenant"});
        assert!(all.judge(&id("apps"), &spec, &Place::file("a.yaml"), true).is_ok());
        let told: Vec<String> = all.remarks(&BTreeSet::new()).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "a.yaml: Kustomization/flux/apps: it is written with the rights of this run, not with those of ServiceAccount/flux/tenant (spec.serviceAccountName)"
            ]
        );
    }

    #[test]
    fn wrong_checks_are_told() {
        let checks = |all: Value| health_checks(&json!({"healthCheckExprs": all}));
        let one = json!({"apiVersion": "example.com/v1", "kind": "Thing", "current": "status.ok"});
        assert_eq!(checks(json!([one])).map(|all| all.len()), Ok(1));
        for (all, why) in [
            (
                json!([one, one]),
                "its healthCheckExprs[1] is for the same kind as one before it",
            ),
            (
                json!([{"apiVersion": "v1", "kind": "Thing"}]),
                "its healthCheckExprs[0] has no current",
            ),
        ] {
            assert_eq!(checks(all), Err(why.to_owned()));
        }
        let why = checks(json!([{"kind": "Thing", "current": "true", "failed": "status.("}]))
            .expect_err("because of the bracket");
        assert!(
            why.starts_with("its healthCheckExprs[0].failed is no expression: "),
            "{why}"
        );
    }
}
