//! The patch between what was applied, what is to be applied, and what is live.
//!
//! A field that is wanted and differs is set; one that was applied before and is wanted no more is removed; the rest is
//! left alone. As JSON merge patch (RFC 7386) lists are replaced whole; as strategic merge patch those lists that
//! Kubernetes merges by a key are merged (`patchMergeKey` in the API's types; Kubernetes, "Update API Objects in Place").

use serde_json::{Map, Value, json};

/// Lists that are merged by a key: kind ("" any), field above ("" any), field, key.
const KEYED: &[(&str, &str, &str, &str)] = &[
    ("", "spec", "containers", "name"),
    ("", "spec", "initContainers", "name"),
    ("", "spec", "ephemeralContainers", "name"),
    ("", "spec", "volumes", "name"),
    ("", "spec", "imagePullSecrets", "name"),
    ("", "spec", "hostAliases", "ip"),
    ("", "spec", "topologySpreadConstraints", "topologyKey"),
    ("", "spec", "resourceClaims", "name"),
    ("", "spec", "schedulingGates", "name"),
    ("", "containers", "env", "name"),
    ("", "containers", "volumeMounts", "mountPath"),
    ("", "containers", "volumeDevices", "devicePath"),
    ("", "containers", "ports", "containerPort"),
    ("", "initContainers", "env", "name"),
    ("", "initContainers", "volumeMounts", "mountPath"),
    ("", "initContainers", "volumeDevices", "devicePath"),
    ("", "initContainers", "ports", "containerPort"),
    ("", "metadata", "ownerReferences", "uid"),
    ("Service", "spec", "ports", "port"),
    ("ServiceAccount", "", "secrets", "name"),
    ("ServiceAccount", "", "imagePullSecrets", "name"),
    ("ValidatingWebhookConfiguration", "", "webhooks", "name"),
    ("MutatingWebhookConfiguration", "", "webhooks", "name"),
    ("ValidatingAdmissionPolicy", "spec", "matchConditions", "name"),
];

/// Mappings of which only the fields that are wanted may remain (`retainKeys`): a union's old member must go.
const RETAINED: &[(&str, &str)] = &[("spec", "strategy"), ("spec", "volumes")];

struct Merge<'a> {
    kind: &'a str,
    strategic: bool,
}

/// The patch that makes `live` what is wanted; an empty mapping if nothing is to change.
pub(super) fn three_way(before: Option<&Value>, wanted: &Value, live: &Value, strategic: bool) -> Value {
    let kind = wanted.get("kind").and_then(Value::as_str).unwrap_or_default();
    let merge = Merge { kind, strategic };
    merge.mapping(before, wanted, live, "").into()
}

impl Merge<'_> {
    /// `field` is the name under which the mapping stands.
    fn mapping(&self, before: Option<&Value>, wanted: &Value, live: &Value, field: &str) -> Map<String, Value> {
        let mut patch = Map::new();
        let (Some(wanted), Some(live)) = (wanted.as_object(), live.as_object()) else {
            return patch;
        };
        let before = before.and_then(Value::as_object);
        for (key, new) in wanted {
            match live.get(key) {
                None | Some(Value::Null) if new.is_null() => {}
                None => {
                    patch.insert(key.clone(), new.clone());
                }
                Some(old) if old == new => {}
                Some(old) => self.changed(before.and_then(|map| map.get(key)), new, old, (field, key), &mut patch),
            }
        }
        for key in before.into_iter().flat_map(Map::keys) {
            if !wanted.contains_key(key) && live.contains_key(key) {
                patch.insert(key.clone(), Value::Null);
            }
        }
        patch
    }

    fn changed(
        &self,
        before: Option<&Value>,
        new: &Value,
        old: &Value,
        (above, field): (&str, &str),
        patch: &mut Map<String, Value>,
    ) {
        match (new, old) {
            (Value::Object(keys), Value::Object(_)) => {
                let mut inner = self.mapping(before, new, old, field);
                self.retain(&mut inner, keys, (above, field));
                if !inner.is_empty() {
                    patch.insert(field.to_owned(), inner.into());
                }
            }
            (Value::Array(new), Value::Array(old)) if self.strategic => {
                let before = before.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                if (above, field) == ("metadata", "finalizers") {
                    primitives(before, new, old, field, patch);
                } else if let Some(key) = self.key(above, field) {
                    self.list(before, new, old, (above, field, key), patch);
                } else {
                    patch.insert(field.to_owned(), new.clone().into());
                }
            }
            _ => {
                patch.insert(field.to_owned(), new.clone());
            }
        }
    }

    fn key(&self, above: &str, field: &str) -> Option<&'static str> {
        let row = KEYED
            .iter()
            .find(|(kind, at, name, _)| (kind.is_empty() || *kind == self.kind) && *at == above && *name == field);
        row.map(|(_, _, _, key)| *key)
    }

    /// A changed union is told which members it keeps.
    fn retain(&self, patch: &mut Map<String, Value>, wanted: &Map<String, Value>, place: (&str, &str)) {
        if self.strategic && !patch.is_empty() && RETAINED.contains(&place) {
            let keys: Vec<&String> = wanted.keys().collect();
            patch.insert("$retainKeys".to_owned(), json!(keys));
        }
    }

    fn list(
        &self,
        before: &[Value],
        new: &[Value],
        old: &[Value],
        (above, field, key): (&str, &str, &str),
        patch: &mut Map<String, Value>,
    ) {
        let (Some(new_keys), Some(old_keys)) = (keys(new, key), keys(old, key)) else {
            // Items without the key, or two of one key: they cannot be told apart, so the list is replaced.
            let mut items = vec![json!({"$patch": "replace"})];
            items.extend(new.iter().cloned());
            patch.insert(field.to_owned(), items.into());
            return;
        };
        let in_before = |wanted: &Value| before.iter().find(|item| item.get(key) == Some(wanted));
        let mut items = Vec::new();
        for (item, name) in new.iter().zip(&new_keys) {
            let Some(at) = old_keys.iter().position(|known| known == name) else {
                items.push(item.clone());
                continue;
            };
            let mut inner = self.mapping(in_before(name), item, &old[at], field);
            if let Some(wanted) = item.as_object() {
                self.retain(&mut inner, wanted, (above, field));
            }
            if !inner.is_empty() {
                inner.insert(key.to_owned(), (*name).clone());
                items.push(inner.into());
            }
        }
        for gone in before.iter().filter_map(|item| item.get(key)) {
            if !new_keys.contains(&gone) && old_keys.contains(&gone) {
                items.push(json!({"$patch": "delete", key: gone}));
            }
        }
        let kept: Vec<_> = old_keys.iter().filter(|name| new_keys.contains(name)).collect();
        let shared: Vec<_> = new_keys.iter().filter(|name| old_keys.contains(name)).collect();
        if !items.is_empty() || kept != shared {
            let order: Vec<Value> = new_keys.iter().map(|name| json!({key: name})).collect();
            patch.insert(format!("$setElementOrder/{field}"), order.into());
        }
        if !items.is_empty() {
            patch.insert(field.to_owned(), items.into());
        }
    }
}

/// The keys of all items, or `None` if one has none or two have the same.
fn keys<'a>(items: &'a [Value], key: &str) -> Option<Vec<&'a Value>> {
    let keys: Vec<&Value> = items.iter().map(|item| item.get(key)).collect::<Option<_>>()?;
    let twice = keys
        .iter()
        .enumerate()
        .any(|(index, name)| keys[..index].contains(name));
    (!twice).then_some(keys)
}

/// A list of texts that is merged as a set.
fn primitives(before: &[Value], new: &[Value], old: &[Value], field: &str, patch: &mut Map<String, Value>) {
    let added: Vec<&Value> = new.iter().filter(|item| !old.contains(item)).collect();
    let gone: Vec<&Value> = before
        .iter()
        .filter(|item| !new.contains(item) && old.contains(item))
        .collect();
    if !added.is_empty() {
        patch.insert(field.to_owned(), json!(added));
    }
    if !gone.is_empty() {
        patch.insert(format!("$deleteFromPrimitiveList/{field}"), json!(gone));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_remove_leave_alone() {
        let before = json!({"data": {"gone": "1", "kept": "1", "gone-already": "1"}});
        let wanted = json!({"data": {"kept": "2", "new": "1", "same": "1", "never": null}});
        let live = json!({"data": {"gone": "1", "kept": "1", "same": "1", "theirs": "1"}, "status": {}});
        assert_eq!(
            three_way(Some(&before), &wanted, &live, false),
            json!({"data": {"kept": "2", "new": "1", "gone": null}})
        );
        assert_eq!(three_way(Some(&wanted), &wanted, &wanted, true), json!({}));
    }

    #[test]
    fn lists_with_keys_are_merged() {
        let pod = |containers: Value| json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": containers}}}});
        let before = pod(json!([{"name": "web", "image": "a"}, {"name": "old", "image": "a"}]));
        let wanted = pod(json!([{"name": "web", "image": "b"}, {"name": "new", "image": "a"}]));
        let live = pod(json!([
            {"name": "injected", "image": "x"},
            {"name": "web", "image": "a", "imagePullPolicy": "Always"},
            {"name": "old", "image": "a"}
        ]));
        let patch = three_way(Some(&before), &wanted, &live, true);
        assert_eq!(
            patch["spec"]["template"]["spec"],
            json!({
                "$setElementOrder/containers": [{"name": "web"}, {"name": "new"}],
                "containers": [{"image": "b", "name": "web"}, {"name": "new", "image": "a"}, {"$patch": "delete", "name": "old"}]
            })
        );
        let whole = three_way(Some(&before), &wanted, &live, false);
        assert_eq!(
            whole["spec"]["template"]["spec"]["containers"],
            wanted["spec"]["template"]["spec"]["containers"]
        );
    }

    #[test]
    fn every_keyed_list_is_merged_in_its_kind_only() {
        for (kind, above, field, key) in KEYED {
            let of = |kind: &str, value: &str| {
                let list = json!({*field: [{*key: "a", "v": value}]});
                let inner = match *above {
                    "" => list,
                    "containers" | "initContainers" => json!({"spec": {*above: [{"name": "c", *field: list[*field]}]}}),
                    _ => json!({*above: list}),
                };
                let mut object = inner.as_object().cloned().unwrap_or_default();
                object.insert("kind".into(), kind.into());
                Value::from(object)
            };
            let kind = if kind.is_empty() { "Pod" } else { kind };
            let patch = three_way(None, &of(kind, "2"), &of(kind, "1"), true).to_string();
            assert!(
                patch.contains(&format!("$setElementOrder/{field}")),
                "{kind} {above} {field}: {patch}"
            );
            let other = three_way(None, &of(kind, "2"), &of(kind, "1"), false).to_string();
            assert!(!other.contains('$'), "{other}");
        }
        let policy = |port: u16| json!({"kind": "NetworkPolicy", "spec": {"ingress": [{"ports": [{"port": port}]}]}});
        let patch = three_way(None, &policy(2), &policy(1), true);
        assert_eq!(patch, json!({"spec": {"ingress": [{"ports": [{"port": 2}]}]}}));
    }

    #[test]
    fn unions_keep_their_new_member_only() {
        let of = |volume: Value| json!({"kind": "Pod", "spec": {"volumes": [volume], "strategy": {"type": "x"}}});
        let patch = three_way(
            None,
            &of(json!({"name": "v", "configMap": {"name": "c"}})),
            &of(json!({"name": "v", "emptyDir": {}})),
            true,
        );
        assert_eq!(patch["spec"]["volumes"][0]["$retainKeys"], json!(["name", "configMap"]));
    }

    #[test]
    fn items_that_cannot_be_told_apart_are_replaced() {
        let of = |ports: Value| json!({"kind": "Service", "spec": {"ports": ports}});
        let wanted = of(json!([{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]));
        let patch = three_way(None, &wanted, &of(json!([{"port": 53}])), true);
        assert_eq!(patch["spec"]["ports"][0], json!({"$patch": "replace"}));
    }

    #[test]
    fn finalizers_are_a_set() {
        let of = |list: Value| json!({"kind": "Pod", "metadata": {"finalizers": list}});
        let patch = three_way(Some(&of(json!(["a"]))), &of(json!(["b"])), &of(json!(["a", "c"])), true);
        assert_eq!(
            patch["metadata"],
            json!({"finalizers": ["b"], "$deleteFromPrimitiveList/finalizers": ["a"]})
        );
    }
}
