//! What a manifest must not carry is taken out of it before anything else looks at it: pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{ProblemKind, api_group};

/// What was found wrong with a manifest and, for warnings, put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Errors: the object cannot be used. Warnings: it was changed and can be.
    pub kind: ProblemKind,
    /// Consequence first, then the cause; no values.
    pub message: String,
    /// What to do about it.
    pub hint: Option<&'static str>,
}

/// Annotation in which `kubectl apply` keeps what it applied last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Fields of `metadata` that the server writes and that mean nothing in another cluster.
const SERVER_WRITTEN: &[&str] = &[
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

/// Where kinds keep their pod specification.
const POD_SPECS: &[(&str, &str, &str)] = &[
    ("", "Pod", "/spec"),
    ("", "PodTemplate", "/template/spec"),
    ("", "ReplicationController", "/spec/template/spec"),
    ("apps", "DaemonSet", "/spec/template/spec"),
    ("apps", "Deployment", "/spec/template/spec"),
    ("apps", "ReplicaSet", "/spec/template/spec"),
    ("apps", "StatefulSet", "/spec/template/spec"),
    ("batch", "CronJob", "/spec/jobTemplate/spec/template/spec"),
    ("batch", "Job", "/spec/template/spec"),
    ("extensions", "DaemonSet", "/spec/template/spec"),
    ("extensions", "Deployment", "/spec/template/spec"),
];

/// Lists whose entries a create may repeat and a server-side apply may not, with their keys and the keys' defaults.
/// Lists of which the server accepts no repetition either way are left for it to judge.
const KEYED_LISTS: &[(InPod, &str, Keys)] = &[
    (InPod::Spec, "imagePullSecrets", &[("name", "")]),
    (InPod::Spec, "hostAliases", &[("ip", "")]),
    (InPod::Containers, "env", &[("name", "")]),
    (
        InPod::Containers,
        "ports",
        &[("containerPort", ""), ("protocol", "TCP")],
    ),
];

/// Fields that together tell entries apart, with their defaults.
type Keys = &'static [(&'static str, &'static str)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum InPod {
    Spec,
    Containers,
}

/// Whether SOPS encrypted an object. A Secret is known for one by the metadata alone, whatever is left of it.
/// Source: kustomize-controller (internal/decryptor/decryptor.go: isSOPSEncryptedResource, IsEncryptedSecret).
pub fn is_encrypted(value: &Value) -> bool {
    let is_secret = value["apiVersion"] == "v1" && value["kind"] == "Secret";
    value.pointer("/sops/mac").is_some() || is_secret && value.get("sops").is_some()
}

/// Why an object cannot be used at all, if so.
pub fn unusable(value: &Value) -> Option<Remark> {
    let kind = value["kind"].as_str().unwrap_or("object");
    let error = |message: &str, hint: &'static str| {
        Some(Remark {
            kind: ProblemKind::Error,
            message: format!("this {kind} is not restored: {message}"),
            hint: Some(hint),
        })
    };
    let metadata = &value["metadata"];
    let name = &metadata["name"];
    let unnamed = name.is_null() || name.as_str() == Some("");
    if unnamed && metadata["generateName"].is_string() {
        return error(
            "it has metadata.generateName and no name, so that each restore would make one more of it",
            "give it a metadata.name",
        );
    }
    if name.is_number() || name.is_boolean() {
        let message = format!("YAML reads its metadata.name as {name}, which is no text");
        return error(&message, "put the name in quotes");
    }
    if is_encrypted(value) {
        return error(
            "it is encrypted with SOPS, and is not decrypted yet",
            "decrypt it and apply it by hand before the restore",
        );
    }
    None
}

/// Takes out of an object what belongs to the cluster it once lived in, and writes the rest as the server keeps it:
/// a Secret's `stringData` becomes `data` (and wins over it, as with the server), base64 is one line, and lists with keys are made
/// unique, the last entry wins. Says what was changed, where it matters; leftovers of generators (`creationTimestamp: null`, an empty status, the
/// status of a CustomResourceDefinition) go without a word.
///
/// `status_is_data` is for custom resources whose definition has no status subresource: there it is a field as any other, and
/// stays.
pub fn clean(mut value: Value, status_is_data: bool) -> (Value, Vec<Remark>) {
    let mut remarks = Vec::new();
    let group = group_of(&value).to_owned();
    let kind = value["kind"].as_str().unwrap_or_default().to_owned();
    if let Some(object) = value.as_object_mut() {
        clean_metadata(object, &mut remarks);
        let is_crd = group == "apiextensions.k8s.io" && kind == "CustomResourceDefinition";
        if !status_is_data
            && let Some(status) = object.shift_remove("status")
            && !is_crd
            && !is_hollow(&status)
        {
            let message = "its status was dropped: the cluster writes it";
            remarks.push(warning(message, Some("take it out of the manifest")));
        }
        if group.is_empty() && kind == "Secret" {
            encode_string_data(object);
            join_lines(object, "data");
        }
        if group.is_empty() && kind == "ConfigMap" {
            join_lines(object, "binaryData");
        }
    }
    drop_null_timestamps(&mut value);
    if let Some((_, _, pointer)) = POD_SPECS.iter().find(|row| row.0 == group && row.1 == kind)
        && let Some(spec) = value.pointer_mut(pointer)
    {
        make_unique(spec, &mut remarks);
    }
    if group.is_empty() && kind == "ServiceAccount" {
        unique(&mut value, "secrets", &[("name", "")], "", &mut remarks);
    }
    (value, remarks)
}

fn warning(message: impl Into<String>, hint: Option<&'static str>) -> Remark {
    Remark {
        kind: ProblemKind::Warning,
        message: message.into(),
        hint,
    }
}

fn group_of(value: &Value) -> &str {
    let api_version = value["apiVersion"].as_str().unwrap_or_default();
    api_group(api_version)
}

/// Nothing in it but empty maps, lists and nulls.
fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.iter().all(is_hollow),
        Value::Object(map) => map.values().all(is_hollow),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

fn clean_metadata(object: &mut Map<String, Value>, remarks: &mut Vec<Remark>) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    let mut dropped: Vec<String> = Vec::new();
    for field in SERVER_WRITTEN {
        if metadata.shift_remove(*field).is_some_and(|old| !is_hollow(&old)) {
            dropped.push(format!("metadata.{field}"));
        }
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        if annotations.shift_remove(LAST_APPLIED).is_some() {
            dropped.push(format!("the annotation {LAST_APPLIED}"));
        }
        if annotations.is_empty() {
            metadata.shift_remove("annotations");
        }
    }
    if !dropped.is_empty() {
        let were = if dropped.len() == 1 { "was" } else { "were" };
        let message = format!("{} {were} dropped: only the cluster writes that", dropped.join(", "));
        remarks.push(warning(message, Some("take it out of the manifest")));
    }
    if metadata
        .shift_remove("ownerReferences")
        .is_some_and(|old| !is_hollow(&old))
    {
        remarks.push(warning(
            "metadata.ownerReferences was dropped: the owner is of another cluster, and the object would be collected as an orphan",
            Some("take it out of the manifest; what its owner makes anew need not be in Git"),
        ));
    }
}

fn encode_string_data(object: &mut Map<String, Value>) {
    let texts = object.get("stringData").and_then(Value::as_object);
    // What is no text, the server refuses with its own words.
    if !texts.is_some_and(|texts| texts.values().all(|text| text.is_string() || text.is_null())) {
        return;
    }
    let Some(Value::Object(texts)) = object.shift_remove("stringData") else {
        return;
    };
    if texts.is_empty() {
        return;
    }
    let data = object.entry("data").or_insert_with(|| Value::Object(Map::new()));
    if data.is_null() {
        *data = Value::Object(Map::new());
    }
    let Some(data) = data.as_object_mut() else { return };
    for (key, text) in texts {
        data.insert(key, STANDARD.encode(text.as_str().unwrap_or_default()).into());
    }
}

/// Kustomize breaks long base64 into lines; the server gives it back in one.
fn join_lines(object: &mut Map<String, Value>, field: &str) {
    let data = object.get_mut(field).and_then(Value::as_object_mut);
    for value in data.into_iter().flat_map(Map::values_mut) {
        if let Some(text) = value.as_str().filter(|text| text.contains(['\n', '\r'])) {
            *value = text.replace(['\n', '\r'], "").into();
        }
    }
}

/// Go programs write `creationTimestamp: null` into every `metadata`, pod templates' too.
fn drop_null_timestamps(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(drop_null_timestamps),
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                if key == "metadata"
                    && let Some(metadata) = inner.as_object_mut()
                    && metadata.get("creationTimestamp").is_some_and(Value::is_null)
                {
                    metadata.shift_remove("creationTimestamp");
                }
                drop_null_timestamps(inner);
            }
        }
        _ => {}
    }
}

fn make_unique(spec: &mut Value, remarks: &mut Vec<Remark>) {
    for (place, list, keys) in KEYED_LISTS {
        if *place == InPod::Spec {
            unique(spec, list, keys, "", remarks);
            continue;
        }
        for containers in ["initContainers", "containers"] {
            let Some(containers) = spec.get_mut(containers).and_then(Value::as_array_mut) else {
                continue;
            };
            for container in containers {
                let name = container["name"].as_str().unwrap_or_default();
                let of = format!(" of container {name}");
                unique(container, list, keys, &of, remarks);
            }
        }
    }
}

/// Of entries with the same keys the last stays, where it stands.
fn unique(holder: &mut Value, list: &str, keys: Keys, of: &str, remarks: &mut Vec<Remark>) {
    let Some(entries) = holder.get_mut(list).and_then(Value::as_array_mut) else {
        return;
    };
    let key = |entry: &Value| -> Vec<String> {
        let text = |value: &Value, default: &str| match value {
            Value::Null => default.to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        keys.iter().map(|(key, default)| text(&entry[*key], default)).collect()
    };
    let mut seen = std::collections::BTreeSet::new();
    let mut twice = std::collections::BTreeSet::new();
    let mut kept = Vec::with_capacity(entries.len());
    for entry in std::mem::take(entries).into_iter().rev() {
        let key = key(&entry);
        if seen.insert(key.clone()) {
            kept.push(entry);
        } else {
            twice.insert(key.join("/"));
        }
    }
    kept.reverse();
    *entries = kept;
    for key in twice {
        let message = format!("of the entries {key} in {list}{of} only the last was kept: they have the same key");
        remarks.push(warning(message, Some("take the others out of the manifest")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn clean(value: Value) -> (Value, Vec<Remark>) {
        super::clean(value, false)
    }

    fn messages(value: Value) -> Vec<String> {
        clean(value).1.into_iter().map(|remark| remark.message).collect()
    }

    #[test]
    fn every_server_written_field_is_dropped_and_said() {
        for field in SERVER_WRITTEN {
            let mut value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
            value["metadata"][*field] = "2020-01-01T00:00:00Z".into();
            let (cleaned, remarks) = clean(value);
            assert_eq!(cleaned["metadata"], json!({"name": "a"}), "{field}");
            assert_eq!(
                remarks[0].message,
                format!("metadata.{field} was dropped: only the cluster writes that")
            );
        }
        let mut value = json!({"metadata": {"name": "a", "uid": "1", "resourceVersion": "2", "annotations": {}}});
        value["metadata"]["annotations"][LAST_APPLIED] = "{}".into();
        let (cleaned, remarks) = clean(value);
        assert_eq!(cleaned, json!({"metadata": {"name": "a"}}));
        assert_eq!(
            remarks[0].message,
            format!(
                "metadata.uid, metadata.resourceVersion, the annotation {LAST_APPLIED} were dropped: only the cluster writes that"
            )
        );
    }

    #[test]
    fn stale_owners_are_dropped_and_said() {
        let owners = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x", "uid": "1"}]);
        assert_eq!(
            messages(json!({"metadata": {"name": "a", "ownerReferences": owners}})),
            [
                "metadata.ownerReferences was dropped: the owner is of another cluster, and the object would be collected as an orphan"
            ]
        );
    }

    #[test]
    fn a_status_is_dropped_and_said_unless_a_generator_left_it() {
        let with = |api: &str, kind: &str, status: Value| {
            let (cleaned, remarks) =
                clean(json!({"apiVersion": api, "kind": kind, "metadata": {"name": "a"}, "status": status}));
            assert!(cleaned.get("status").is_none());
            remarks.len()
        };
        assert_eq!(with("apps/v1", "Deployment", json!({"replicas": 3})), 1);
        assert_eq!(with("v1", "Service", json!({"loadBalancer": {}})), 0);
        let crd = json!({"acceptedNames": {"kind": "X"}, "conditions": [], "storedVersions": ["v1"]});
        assert_eq!(with("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd), 0);
        let custom = json!({"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "a"}, "status": {"phase": "done"}});
        assert_eq!(super::clean(custom.clone(), true), (custom, Vec::new()));
    }

    #[test]
    fn null_timestamps_go_silently() {
        let (cleaned, remarks) = clean(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "a", "creationTimestamp": null},
            "spec": {"template": {"metadata": {"creationTimestamp": null, "labels": {"a": "b"}}}}}));
        assert_eq!(cleaned["metadata"], json!({"name": "a"}));
        assert_eq!(cleaned["spec"]["template"]["metadata"], json!({"labels": {"a": "b"}}));
        assert_eq!(remarks, []);
    }

    #[test]
    fn string_data_becomes_data_and_wins() {
        let (cleaned, remarks) = clean(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},
            "data": {"a": "b2xk", "b": "b2xk"}, "stringData": {"a": "new", "c": null}}));
        assert_eq!(cleaned["data"], json!({"a": "bmV3", "b": "b2xk", "c": ""}));
        assert!(cleaned.get("stringData").is_none());
        assert_eq!(remarks, []);
        let (cleaned, _) = clean(json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": 1}}));
        assert_eq!(cleaned["stringData"], json!({"a": 1}));
        let (cleaned, _) = clean(json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "b2\nxk\r\n"}}));
        assert_eq!(cleaned["data"], json!({"a": "b2xk"}));
        let (cleaned, _) = clean(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1\n2"}, "binaryData": {"b": "b2\nxk"}}),
        );
        assert_eq!(
            (&cleaned["data"]["a"], &cleaned["binaryData"]["b"]),
            (&json!("1\n2"), &json!("b2xk"))
        );
        let (other, _) = clean(json!({"apiVersion": "x/v1", "kind": "Secret", "stringData": {"a": "b"}}));
        assert_eq!(other["stringData"], json!({"a": "b"}));
    }

    #[test]
    fn every_keyed_list_is_made_unique_in_every_kind() {
        for (group, kind, pointer) in POD_SPECS {
            for (place, list, keys) in KEYED_LISTS {
                let entry = |n: i64| {
                    let mut entry = json!({"n": n});
                    entry[keys[0].0] = 80.into();
                    entry
                };
                let (first, last) = (entry(1), entry(2));
                let mut other = entry(3);
                other[keys[0].0] = 81.into();
                let entries = json!([first, other, last]);
                let mut holder = json!({"name": "c"});
                holder[*list] = entries;
                let spec = match place {
                    InPod::Spec => holder,
                    InPod::Containers => json!({"containers": [holder.clone()], "initContainers": [holder]}),
                };
                let mut value = spec;
                for part in pointer.rsplit('/').filter(|part| !part.is_empty()) {
                    value = json!({ part: value });
                }
                value["kind"] = (*kind).into();
                value["apiVersion"] = match *group {
                    "" => "v1".into(),
                    group => format!("{group}/v1").into(),
                };
                let (cleaned, remarks) = clean(value);
                let spec = cleaned.pointer(pointer).expect("because it was put there");
                let (holder, count) = match place {
                    InPod::Spec => (spec, 1),
                    InPod::Containers => (&spec["containers"][0], 2),
                };
                assert_eq!(holder[*list], json!([other, last]), "{kind} {list}");
                assert_eq!(remarks.len(), count, "{kind} {list}");
            }
        }
    }

    #[test]
    fn repeated_entries_are_named_without_values() {
        let env = json!([{"name": "MODE", "value": "a"}, {"name": "MODE", "value": "hunter2"}]);
        let value = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "web", "env": env,
            "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "UDP"}]}]}});
        assert_eq!(
            messages(value),
            [
                "of the entries MODE in env of container web only the last was kept: they have the same key",
                "of the entries 80/TCP in ports of container web only the last was kept: they have the same key",
            ]
        );
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "secrets": [{"name": "a"}, {"name": "a"}]});
        assert_eq!(clean(account).0["secrets"], json!([{"name": "a"}]));
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let reason = |value: Value| unusable(&value).map(|remark| remark.message);
        let name = json!({"metadata": {"generateName": "job-"}});
        assert!(reason(name).expect("because it has no name").contains("generateName"));
        assert_eq!(
            reason(json!({"metadata": {"generateName": "job-", "name": "job"}})),
            None
        );
        assert!(
            reason(json!({"metadata": {"name": 7}}))
                .expect("because it is a number")
                .contains("no text")
        );
        let sops = json!({"metadata": {"name": "a"}, "sops": {"mac": "ENC[…]"}});
        assert!(reason(sops).expect("because it is encrypted").contains("SOPS"));
        let without_mac = |kind: &str| {
            reason(json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, "sops": {"version": "3.9.0"}}))
        };
        assert!(without_mac("Secret").expect("because it is encrypted").contains("SOPS"));
        assert_eq!(without_mac("ConfigMap"), None);
    }
}
