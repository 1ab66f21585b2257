//! Live objects of two control planes, field by field.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::live;
use crate::support::plane::Plane;

/// On every object that the controller applied.
const LABEL: &str = "kustomize.toolkit.fluxcd.io/name";

/// Every object that a Kustomization applied, by kind, namespace and name, as the server tells it.
pub fn applied(plane: &Plane) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    // Endpoints have the labels of their Service.
    for path in collections(plane).iter().filter(|path| !path.ends_with("/endpoints")) {
        let list = live(plane, &format!("{path}?labelSelector={LABEL}")).unwrap_or_default();
        for object in list["items"].as_array().cloned().unwrap_or_default() {
            // What controllers make of a template has the template's labels.
            if object["metadata"]["ownerReferences"].is_null() && object["metadata"]["labels"][LABEL].is_string() {
                let mut object = object;
                let (api, kind) = (&list["apiVersion"], list["kind"].as_str().unwrap_or_default());
                object["apiVersion"] = api.clone();
                object["kind"] = kind.strip_suffix("List").unwrap_or(kind).into();
                found.insert(name(&object), object);
            }
        }
    }
    found
}

fn name(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
    format!(
        "{}.{group}/{}/{}",
        text("/kind"),
        text("/metadata/namespace"),
        text("/metadata/name")
    )
}

/// The paths of all that can be listed.
fn collections(plane: &Plane) -> Vec<String> {
    let groups = live(plane, "/apis").expect("because the server tells its APIs");
    let groups = groups["groups"].as_array().cloned().unwrap_or_default();
    let versions = groups
        .iter()
        .filter_map(|group| group["preferredVersion"]["groupVersion"].as_str());
    let mut paths = Vec::new();
    for root in versions
        .map(|version| format!("/apis/{version}"))
        .chain(["/api/v1".to_owned()])
    {
        let resources = live(plane, &root).unwrap_or_default();
        for resource in resources["resources"].as_array().cloned().unwrap_or_default() {
            let verbs = resource["verbs"].as_array().cloned().unwrap_or_default();
            let plural = resource["name"].as_str().unwrap_or_default();
            if verbs.iter().any(|verb| verb == "list") && !plural.contains('/') {
                paths.push(format!("{root}/{plural}"));
            }
        }
    }
    paths
}

/// What the server and other controllers set, which differs from cluster to cluster.
const OF_THE_SERVER: &[(&str, &str)] = &[
    ("", "/metadata/uid"),
    ("", "/metadata/resourceVersion"),
    ("", "/metadata/creationTimestamp"),
    ("", "/metadata/generation"),
    ("", "/metadata/managedFields"),
    ("", "/status"),
    ("Service", "/spec/clusterIP"),
    ("Service", "/spec/clusterIPs"),
    ("Service", "/spec/healthCheckNodePort"),
    ("PersistentVolumeClaim", "/spec/volumeName"),
    ("Job", "/spec/selector"),
    ("Job", "/spec/template/metadata/labels"),
    // The controller's own, for as long as it runs.
    ("Kustomization", "/metadata/finalizers"),
];

/// What of an object is declared, and who manages it in which way.
fn declared(object: &Value) -> Value {
    let mut object = object.clone();
    let managers = managers(&object);
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    for (of, path) in OF_THE_SERVER {
        if of.is_empty() || *of == kind {
            let (parent, key) = path.rsplit_once('/').unwrap_or_default();
            if let Some(fields) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
                fields.shift_remove(key);
            }
        }
    }
    if kind == "Service" {
        let ports = object.pointer_mut("/spec/ports").and_then(Value::as_array_mut);
        for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
            port.shift_remove("nodePort");
        }
    }
    if let Some(fields) = object.as_object_mut() {
        fields.insert("managers".to_owned(), managers);
    }
    object
}

/// Fields that the controller sends where nobody declares them: it reads objects of Kubernetes' own kinds into Go types first, which have
/// empty values for them, and gives ports their protocol. What they hold is the same without it.
/// Source: `github.com/fluxcd/pkg/ssa` (normalize/normalize.go).
const OF_GO: &[&str] = &[
    "f:spec",
    "f:status",
    "f:resources",
    "f:strategy",
    "f:updateStrategy",
    "f:metadata",
    "f:protocol",
    "f:targetPort",
];

/// Manager, operation and the fields of each; of controllers of Kubernetes and of what plays its nodes nothing.
fn managers(object: &Value) -> Value {
    const OTHERS: [&str; 3] = ["kube-controller-manager", "kube-apiserver", "kwok"];
    let all = object["metadata"]["managedFields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut kept = Map::new();
    for one in all {
        let text = |key: &str| one[key].as_str().unwrap_or_default();
        let of_flux = object["kind"] == "Kustomization" && text("operation") == "Update";
        if !OTHERS.contains(&text("manager")) && !of_flux && text("subresource") != "status" {
            let who = format!("{} {} {}", text("manager"), text("operation"), text("apiVersion"));
            let mut fields = one["fieldsV1"].clone();
            without_empty(&mut fields);
            kept.insert(who, fields);
        }
    }
    Value::Object(kept)
}

fn without_empty(fields: &mut Value) {
    if let Some(fields) = fields.as_object_mut() {
        fields.values_mut().for_each(without_empty);
        fields.retain(|name, inner| !(OF_GO.contains(&&**name) && *inner == Value::Object(Map::new())));
    }
}

/// All that was applied, if nothing changes any more.
pub fn at_rest(plane: &Plane) -> Option<BTreeMap<String, Value>> {
    let before = applied(plane);
    std::thread::sleep(std::time::Duration::from_secs(1));
    let after = applied(plane);
    (before == after).then_some(after)
}

/// Every object that is no longer the same: its number in the store and its generation too, but for the Kustomizations themselves and
/// their source, in whose status the controllers write.
pub fn moved(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<String> {
    let names = before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)));
    let mut moved = Vec::new();
    for name in names {
        let of_flux = name.starts_with("Kustomization.") || name.starts_with("GitRepository.");
        let seen = |all: &BTreeMap<String, Value>| {
            let mut object = all.get(name).cloned()?;
            if of_flux {
                let generation = object["metadata"]["generation"].clone();
                object = declared(&object);
                object["metadata"]["generation"] = generation;
            }
            Some(object)
        };
        let (before, after) = (seen(before).unwrap_or_default(), seen(after).unwrap_or_default());
        walk(&format!("{name}: "), &before, &after, &mut moved);
    }
    moved
}

/// Every difference, a line each: those of the first plane left, those of the second right.
pub fn differences(left: &BTreeMap<String, Value>, right: &BTreeMap<String, Value>) -> Vec<String> {
    let mut told = Vec::new();
    for (name, object) in left {
        match right.get(name) {
            Some(other) => walk(&format!("{name}: "), &declared(object), &declared(other), &mut told),
            None => told.push(format!("{name}: only left")),
        }
    }
    let more = right.keys().filter(|name| !left.contains_key(*name));
    told.extend(more.map(|name| format!("{name}: only right")));
    told
}

fn walk(path: &str, left: &Value, right: &Value, told: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let one = |map: &Map<String, Value>| map.get(key).cloned();
                match (one(a), one(b)) {
                    (Some(a), Some(b)) => walk(&format!("{path}/{key}"), &a, &b, told),
                    (a, b) => told.push(format!("{path}/{key}: {} | {}", shown(a.as_ref()), shown(b.as_ref()))),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                walk(&format!("{path}/{index}"), a, b, told);
            }
        }
        (a, b) if a == b => {}
        (a, b) => told.push(format!("{path}: {} | {}", shown(Some(a)), shown(Some(b)))),
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or("nothing".to_owned(), Value::to_string)
}
