//! Live objects as lists give them: metadata only, and of that only what is kept.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::sight::Mark;
use super::wire::null_is_default;
use super::write::LAST_APPLIED;
use crate::object::{GroupKind, LiveObject, Manager, Owner, Texts, api_group};

/// An object of which only the metadata is read. `F` is what is made of `fieldsV1`: a `Value`, or nothing ([`Passed`]).
#[derive(Deserialize)]
#[serde(bound = "F: Deserialize<'de>")]
pub(super) struct Listed<F> {
    #[serde(default = "Metadata::default")]
    pub metadata: Metadata<F>,
    /// Of a Secret, where the server sent more than it was asked for.
    #[serde(default, rename = "type")]
    pub secret_type: Option<Value>,
}

/// A column of a table.
#[derive(Deserialize)]
pub(super) struct Column {
    #[serde(default)]
    name: String,
}

/// A row of a table.
#[derive(Deserialize)]
#[serde(bound = "F: Deserialize<'de>")]
pub(super) struct Row<F> {
    #[serde(default)]
    cells: Vec<Value>,
    object: Listed<F>,
}

/// The column that has the types of Secrets.
pub(super) fn type_column(columns: &[Column]) -> Option<usize> {
    columns.iter().position(|column| column.name == "Type")
}

impl<F> Row<F> {
    /// With what the column of types says; empty for other kinds.
    pub fn typed(self, column: Option<usize>) -> (Listed<F>, String) {
        let text = column.and_then(|index| self.cells.get(index)?.as_str());
        let secret_type = text.unwrap_or_default().to_owned();
        (self.object, secret_type)
    }
}

impl<F> Listed<F> {
    /// With the type of a Secret.
    pub fn typed(self) -> (Self, String) {
        let text = self.secret_type.as_ref().and_then(Value::as_str);
        let secret_type = text.unwrap_or_default().to_owned();
        (self, secret_type)
    }
}

/// `metadata`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "F: Deserialize<'de>")]
pub(super) struct Metadata<F> {
    #[serde(default)]
    pub name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub namespace: String,
    #[serde(default)]
    pub uid: String,
    #[serde(default)]
    pub resource_version: String,
    #[serde(default, deserialize_with = "null_is_default")]
    generation: i64,
    #[serde(default, deserialize_with = "null_is_default")]
    finalizers: Vec<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    creation_timestamp: String,
    #[serde(default)]
    deletion_timestamp: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "null_is_default")]
    labels: Texts,
    #[serde(default, deserialize_with = "null_is_default")]
    annotations: Annotations,
    #[serde(default, deserialize_with = "null_is_default")]
    owner_references: Vec<Reference>,
    #[serde(default = "Vec::new", deserialize_with = "null_is_default")]
    managed_fields: Vec<Entry<F>>,
}

impl<F> Default for Metadata<F> {
    fn default() -> Self {
        Self {
            name: String::new(),
            namespace: String::new(),
            uid: String::new(),
            resource_version: String::new(),
            generation: 0,
            finalizers: Vec::new(),
            creation_timestamp: String::new(),
            deletion_timestamp: None,
            labels: Texts::new(),
            annotations: Annotations::default(),
            owner_references: Vec::new(),
            managed_fields: Vec::new(),
        }
    }
}

#[derive(Default)]
struct Annotations {
    kept: Texts,
    last_applied: bool,
}

impl<'de> Deserialize<'de> for Annotations {
    /// `last-applied-configuration` may carry Secret values: it is passed over, never built.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Kept;
        impl<'de> Visitor<'de> for Kept {
            type Value = Annotations;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations, A::Error> {
                let mut all = Annotations::default();
                while let Some(key) = map.next_key::<String>()? {
                    if key == LAST_APPLIED {
                        map.next_value::<IgnoredAny>()?;
                        all.last_applied = true;
                    } else {
                        all.kept.insert(key, map.next_value()?);
                    }
                }
                Ok(all)
            }
        }
        from.deserialize_map(Kept)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Reference {
    api_version: String,
    kind: String,
    name: String,
    uid: String,
    controller: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "F: Deserialize<'de>")]
struct Entry<F> {
    #[serde(default)]
    manager: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    subresource: String,
    #[serde(default)]
    time: Option<String>,
    #[serde(default, rename = "fieldsV1")]
    fields: Option<F>,
}

/// `fieldsV1`, of which only a sum is kept, in the order in which it is sent.
pub(super) struct Summed(u64);

impl<'de> Deserialize<'de> for Summed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut hasher = DefaultHasher::new();
        Sum(&mut hasher).deserialize(from)?;
        Ok(Self(hasher.finish()))
    }
}

/// Sums up a value of `fieldsV1`: keys, and where mappings end. There is nothing else in it; what is there all the same is no error.
struct Sum<'h>(&'h mut DefaultHasher);

impl<'de> DeserializeSeed<'de> for Sum<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Sum<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a set of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            key.hash(self.0);
            map.next_value_seed(Sum(self.0))?;
        }
        usize::MAX.hash(self.0);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Sum(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        text.hash(self.0);
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

impl From<Summed> for Option<Value> {
    fn from(_: Summed) -> Self {
        None
    }
}

impl Metadata<Summed> {
    /// What tells whether an object changed beside its status.
    pub fn mark(&self) -> Mark {
        let (mut content, mut status) = (DefaultHasher::new(), DefaultHasher::new());
        (&self.uid, &self.labels, &self.annotations.kept, &self.finalizers).hash(&mut content);
        (self.annotations.last_applied, self.deletion_timestamp.is_some()).hash(&mut content);
        for owner in &self.owner_references {
            (&owner.uid, owner.controller).hash(&mut content);
        }
        for entry in &self.managed_fields {
            let hasher = match entry.subresource.as_str() {
                "status" => &mut status,
                _ => &mut content,
            };
            (&entry.manager, &entry.operation, &entry.subresource, &entry.time).hash(hasher);
            entry.fields.as_ref().map(|fields| fields.0).hash(hasher);
        }
        Mark {
            generation: self.generation,
            content: content.finish(),
            status: status.finish(),
        }
    }
}

/// `fieldsV1`, passed over.
pub(super) struct Passed;

impl<'de> Deserialize<'de> for Passed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Self)
    }
}

impl From<Passed> for Option<Value> {
    fn from(_: Passed) -> Self {
        None
    }
}

impl<F: Into<Option<Value>>> Metadata<F> {
    /// The object.
    pub fn into_live(self, secret_type: String) -> LiveObject {
        let mut managers: Vec<Manager> = self
            .managed_fields
            .into_iter()
            .map(|entry| Manager {
                name: entry.manager,
                operation: entry.operation,
                subresource: entry.subresource,
                time: entry.time.unwrap_or_default(),
                fields: entry.fields.and_then(Into::into).map(Box::new),
            })
            .collect();
        managers.shrink_to_fit();
        let owner = |reference: Reference| {
            let group = api_group(&reference.api_version);
            Owner {
                kind: GroupKind::new(group, reference.kind),
                name: reference.name,
                uid: reference.uid,
                controller: reference.controller.unwrap_or_default(),
            }
        };
        LiveObject {
            uid: self.uid,
            resource_version: self.resource_version,
            created: self.creation_timestamp,
            terminating: self.deletion_timestamp.is_some(),
            labels: self.labels,
            annotations: self.annotations.kept,
            last_applied: self.annotations.last_applied,
            owners: self.owner_references.into_iter().map(owner).collect(),
            managers,
            secret_type,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: &str = r#"{"metadata": {"name": "a", "namespace": null, "uid": "u", "resourceVersion": "7",
        "creationTimestamp": "2026-01-02T03:04:05Z", "deletionTimestamp": "2026-01-02T03:04:06Z", "labels": {"l": "1"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "canary", "a": "1"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "o", "controller": true}],
        "managedFields": [{"manager": "m", "operation": "Apply", "apiVersion": "v1", "time": "2026-01-02T03:04:05Z",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {}}}, {"manager": "n", "operation": "Update", "subresource": "status"}]},
        "spec": {"x": 1}}"#;

    #[test]
    fn what_may_carry_values_is_never_built() {
        let listed: Listed<Passed> = serde_json::from_str(OBJECT).expect("because servers answer so");
        let live = listed.metadata.into_live(String::new());
        assert!(live.last_applied && live.terminating && live.created == "2026-01-02T03:04:05Z");
        assert!(!format!("{live:?}").contains("canary"));
        assert_eq!(live.annotations.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(live.owners[0].kind, GroupKind::new("apps", "ReplicaSet"));
        assert!(live.managers.iter().all(|manager| manager.fields.is_none()));
        assert_eq!(
            (&*live.managers[1].subresource, &*live.managers[1].time),
            ("status", "")
        );
    }

    #[test]
    fn fields_are_built_where_they_are_wanted() {
        let listed: Listed<Value> = serde_json::from_str(OBJECT).expect("because servers answer so");
        let live = listed.metadata.into_live(String::new());
        assert_eq!(
            live.managers[0].fields,
            Some(Box::new(serde_json::json!({"f:data": {}})))
        );
        let bare: Listed<Value> = serde_json::from_str(r#"{"metadata": {"name": "a"}}"#).expect("because it may");
        assert_eq!(bare.metadata.into_live(String::new()), LiveObject::default());
    }
}
