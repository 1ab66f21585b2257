//! Secrets whose values are kept in a store elsewhere: an ExternalSecret that names them, as those beside it do. It never has a value. Pure.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::layers::items;
use crate::object::{DeclaredSet, Manifest, ObjectId};

/// What stands for the name of a Secret, and for a key in it, in how a store is asked.
const NAME: &str = "\u{1}";
const KEY: &str = "\u{2}";

/// An ExternalSecret for a new Secret, and what has to be put where for it; `None` where those of its namespace do not all ask one store, in
/// one way that the names tell.
pub(super) fn stub(secret: &Manifest, set: &DeclaredSet) -> Option<(Manifest, String)> {
    let namespace = secret.namespace()?;
    let of_namespace = |id: &ObjectId| id.group == "external-secrets.io" && id.namespace.as_deref() == Some(namespace);
    let others = set
        .objects
        .iter()
        .filter(|one| one.id.kind == "ExternalSecret" && of_namespace(&one.id));
    let others: Vec<&Value> = others.map(|one| one.manifest.value()).collect();
    let version = same(others.iter().map(|one| one.get("apiVersion")))??;
    let store = same(others.iter().map(|one| one["spec"].get("secretStoreRef")))??;
    let refresh = same(others.iter().map(|one| one["spec"].get("refreshInterval")));
    let (remote, property) = way(&others)?;

    let name = secret.name();
    let fill = |pattern: &str, key: &str| pattern.replace(NAME, name).replace(KEY, key);
    let keys: Vec<&str> = secret.value()["data"].as_object()?.keys().map(String::as_str).collect();
    let data = keys.iter().map(|key| {
        let mut of = json!({"key": fill(&remote, key)});
        if let Some(property) = &property {
            of["property"] = fill(property, key).into();
        }
        json!({"secretKey": key, "remoteRef": of})
    });
    let data: Vec<Value> = data.collect();
    let puts: Vec<String> = data.iter().map(|one| put(&one["remoteRef"])).collect();
    let mut spec = Map::new();
    if let Some(Some(refresh)) = refresh {
        spec.insert("refreshInterval".to_owned(), refresh.clone());
    }
    spec.insert("secretStoreRef".to_owned(), store.clone());
    spec.insert("target".to_owned(), target(secret.value()));
    spec.insert("data".to_owned(), data.into());
    let manifest = json!({
        "apiVersion": version, "kind": "ExternalSecret", "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    });
    let todo = format!(
        "put its values into {} {} before this is merged: {}",
        store["kind"].as_str().unwrap_or("SecretStore"),
        store["name"].as_str()?,
        puts.join(", "),
    );
    Some((Manifest::new(manifest).ok()?, todo))
}

/// The ExternalSecret that makes a Secret.
pub(super) fn maker<'a>(secret: &ObjectId, set: &'a DeclaredSet) -> Option<&'a ObjectId> {
    let makes = |id: &ObjectId, value: &Value| {
        id.is("external-secrets.io", "ExternalSecret")
            && id.namespace == secret.namespace
            && target_name(value) == Some(&*secret.name)
    };
    let found = set.objects.iter().find(|one| makes(&one.id, one.manifest.value()));
    found.filter(|_| secret.is("", "Secret")).map(|one| &one.id)
}

fn target_name(external: &Value) -> Option<&str> {
    let name = external["spec"]["target"]["name"].as_str();
    name.or_else(|| external["metadata"]["name"].as_str())
}

/// What all of them are; `None` where they differ, or there are none.
fn same<T: PartialEq>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.all(|one| one == first).then_some(first)
}

/// How all of them ask: key and property, with what stands for names in them.
fn way(others: &[&Value]) -> Option<(String, Option<String>)> {
    let mut ways = BTreeSet::new();
    for other in others {
        let (spec, name) = (&other["spec"], target_name(other)?);
        if items(&spec["dataFrom"]).next().is_some() || name.is_empty() {
            return None;
        }
        for one in items(&spec["data"]) {
            let (of, key) = (&one["remoteRef"], one["secretKey"].as_str()?);
            let known = |(field, _): (&String, &Value)| field == "key" || field == "property";
            if !of.as_object()?.iter().all(known) {
                return None;
            }
            let pattern = |text: &str| text.replace(name, NAME).replace(key, KEY);
            ways.insert((pattern(of["key"].as_str()?), of["property"].as_str().map(pattern)));
        }
    }
    let (remote, property) = same(ways.into_iter())?;
    let tells_key = property.as_ref().unwrap_or(&remote).contains(KEY);
    (remote.contains(NAME) && tells_key).then_some((remote, property))
}

/// What is made of it: a Secret with the name, the type and the labels.
fn target(secret: &Value) -> Value {
    let mut target = json!({"name": secret["metadata"]["name"]});
    let kind = secret["type"].as_str().filter(|kind| *kind != "Opaque");
    if let Some(kind) = kind {
        target["template"] = json!({"type": kind});
    }
    if let Some(labels) = secret["metadata"].get("labels") {
        target["template"]["metadata"] = json!({"labels": labels});
    }
    target
}

fn put(of: &Value) -> String {
    let text = |field: &str| of[field].as_str();
    match (text("key"), text("property")) {
        (key, Some(property)) => format!("{} property {property}", key.unwrap_or_default()),
        (key, None) => key.unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn external(name: &str, data: &[(&str, &str, Option<&str>)]) -> Value {
        let data = data.iter().map(|(key, remote, property)| {
            let mut of = json!({"key": remote});
            if let Some(property) = property {
                of["property"] = json!(property);
            }
            json!({"secretKey": key, "remoteRef": of})
        });
        json!({"metadata": {"name": name}, "spec": {"data": data.collect::<Vec<_>>()}})
    }

    #[test]
    fn how_a_store_is_asked() {
        let way = |others: &[Value]| super::way(&others.iter().collect::<Vec<_>>());
        let by_property = external(
            "db",
            &[
                ("user", "shop/db", Some("user")),
                ("password", "shop/db", Some("password")),
            ],
        );
        let named = (format!("shop/{NAME}"), Some(KEY.to_owned()));
        assert_eq!(way(std::slice::from_ref(&by_property)), Some(named.clone()));
        assert_eq!(
            way(&[by_property.clone(), external("mq", &[("url", "shop/mq", Some("url"))])]),
            Some(named)
        );
        let by_key = external("db", &[("user", "shop-db-user", None)]);
        assert_eq!(
            way(std::slice::from_ref(&by_key)),
            Some((format!("shop-{NAME}-{KEY}"), None))
        );
        for unclear in [
            vec![],
            vec![by_property.clone(), by_key],
            vec![external("db", &[("user", "all", Some("user"))])],
            vec![external("db", &[("user", "shop/db", Some("login"))])],
            vec![external("db", &[("user", "shop/db", None)])],
            vec![json!({"metadata": {"name": "db"}, "spec": {"dataFrom": [{"extract": {"key": "shop/db"}}]}})],
        ] {
            assert_eq!(way(&unclear), None, "{unclear:?}");
        }
        let mut versioned = by_property;
        versioned["spec"]["data"][0]["remoteRef"]["version"] = json!("3");
        assert_eq!(way(&[versioned]), None);
    }
}
