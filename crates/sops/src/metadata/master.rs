//! Master keys: each has a copy of the data key that only its owner can decrypt. The shapes are those of `stores/stores.go` of SOPS.

use std::collections::BTreeMap;

use crate::error::{Error, metadata as wrong};
use crate::identity;
use crate::needs::{Recipient, RecipientKind};
use crate::time::Timestamp;
use crate::tree::{Entry, Item, Map, Value};

/// A kind of master key: where it stands in the metadata, its fields, and which of them may be left out.
struct Shape {
    list: &'static str,
    kind: RecipientKind,
    fields: &'static [&'static str],
    optional: &'static [&'static str],
}

/// In the order in which SOPS puts the keys of a group.
const SHAPES: [Shape; 7] = [
    Shape {
        list: "kms",
        kind: RecipientKind::AwsKms,
        fields: &["arn", "aws_profile", "created_at", "enc"],
        optional: &["role"],
    },
    Shape {
        list: "gcp_kms",
        kind: RecipientKind::GcpKms,
        fields: &["created_at", "enc", "resource_id"],
        optional: &[],
    },
    Shape {
        list: "hckms",
        kind: RecipientKind::HuaweiKms,
        fields: &["created_at", "enc", "key_id"],
        optional: &[],
    },
    Shape {
        list: "azure_kv",
        kind: RecipientKind::AzureKeyVault,
        fields: &["created_at", "enc", "name", "vault_url", "version"],
        optional: &[],
    },
    Shape {
        list: "hc_vault",
        kind: RecipientKind::HcVault,
        fields: &["created_at", "enc", "engine_path", "key_name", "vault_address"],
        optional: &[],
    },
    Shape {
        list: "pgp",
        kind: RecipientKind::Pgp,
        fields: &["created_at", "enc", "fp"],
        optional: &[],
    },
    Shape {
        list: "age",
        kind: RecipientKind::Age,
        fields: &["enc", "recipient"],
        optional: &[],
    },
];

/// The lists that stand in each of `key_groups` even if they are empty.
const ALWAYS: [&str; 2] = ["age", "hc_vault"];

#[derive(Clone)]
pub(crate) struct Master {
    shape: &'static Shape,
    fields: BTreeMap<&'static str, String>,
    /// The encryption context of AWS KMS.
    context: Option<BTreeMap<String, Option<String>>>,
}

impl Master {
    /// A recipient of age that has no data key yet.
    pub(crate) fn age(recipient: &str) -> Self {
        let fields = BTreeMap::from([("recipient", recipient.trim().to_owned()), ("enc", String::new())]);
        let shape = &SHAPES[SHAPES.len() - 1];
        Master {
            shape,
            fields,
            context: None,
        }
    }

    fn get(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }

    pub(crate) fn recipient(&self) -> Recipient {
        let id = match self.shape.kind {
            RecipientKind::AwsKms if !self.get("role").is_empty() => {
                format!("{}+{}", self.get("arn"), self.get("role"))
            }
            RecipientKind::AwsKms => self.get("arn").to_owned(),
            RecipientKind::GcpKms => self.get("resource_id").to_owned(),
            RecipientKind::HuaweiKms => self.get("key_id").to_owned(),
            RecipientKind::AzureKeyVault => format!(
                "{}/keys/{}/{}",
                self.get("vault_url"),
                self.get("name"),
                self.get("version")
            ),
            RecipientKind::HcVault => format!(
                "{}/v1/{}/keys/{}",
                self.get("vault_address"),
                self.get("engine_path"),
                self.get("key_name")
            ),
            RecipientKind::Pgp => self.get("fp").to_owned(),
            _ => self.get("recipient").to_owned(),
        };
        let kind = match self.shape.kind {
            RecipientKind::Age => RecipientKind::of_age(&id),
            kind => kind,
        };
        Recipient { kind, id }
    }

    /// The armored file with the data key, if it is one of age's.
    pub(crate) fn age_file(&self) -> Option<&str> {
        (self.shape.kind == RecipientKind::Age).then(|| self.get("enc"))
    }

    pub(crate) fn seal(&mut self, part: &[u8]) -> Result<(), Error> {
        if self.shape.kind != RecipientKind::Age {
            return Err(Error::NotInProcess(self.recipient().to_string()));
        }
        let sealed = identity::seal(part, self.get("recipient"))?;
        self.fields.insert("enc", sealed);
        Ok(())
    }

    fn read(shape: &'static Shape, map: &Map, place: &str) -> Result<Self, Error> {
        let mut fields = BTreeMap::new();
        for &field in shape.fields.iter().chain(shape.optional) {
            let text = super::text(map, field).map_err(|_| wrong(format!("{place}.{field}"), "not a text"))?;
            if !text.is_empty() || shape.fields.contains(&field) {
                fields.insert(field, text);
            }
        }
        if let Some(created) = fields.get_mut("created_at") {
            let time = Timestamp::rfc3339(created);
            let time = time.ok_or_else(|| wrong(format!("{place}.created_at"), "not a point in time"))?;
            *created = time.to_the_second();
        }
        let context = match map.get("context") {
            Some(Value::Map(context)) if shape.list == "kms" => Some(read_context(context, place)?),
            _ => None,
        };
        Ok(Master { shape, fields, context })
    }

    fn write(&self) -> Map {
        let texts = self
            .fields
            .iter()
            .map(|(field, text)| ((*field).to_owned(), Value::from(text)));
        let mut pairs: Vec<(String, Value)> = texts.collect();
        if let Some(context) = self.context.as_ref().filter(|context| !context.is_empty()) {
            let entries = context.iter().map(|(key, value)| {
                let value = value.as_ref().map_or(Value::Null, Value::from);
                Entry::Pair(key.clone(), value)
            });
            let context = Map {
                entries: entries.collect(),
            };
            pairs.push(("context".to_owned(), Value::Map(context)));
        }
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        Map {
            entries: pairs.into_iter().map(|(key, value)| Entry::Pair(key, value)).collect(),
        }
    }
}

fn read_context(context: &Map, place: &str) -> Result<BTreeMap<String, Option<String>>, Error> {
    let pairs = context.pairs().map(|(key, value)| match value {
        Value::Null => Ok((key.to_owned(), None)),
        Value::Text(text) => Ok((key.to_owned(), text.as_str().map(str::to_owned))),
        _ => Err(wrong(format!("{place}.context"), "not a map of texts")),
    });
    pairs.collect()
}

/// The master keys that stand in a map, in the order of SOPS.
pub(super) fn read(map: &Map, place: &str) -> Result<Vec<Master>, Error> {
    let mut masters = Vec::new();
    for shape in &SHAPES {
        let items = match map.get(shape.list) {
            None | Some(Value::Null) => continue,
            Some(Value::List(items)) => items,
            // What go-viper/mapstructure makes of it: a list of one.
            Some(Value::Map(one)) if !one.entries.is_empty() => {
                masters.push(Master::read(shape, one, &format!("{place}{}", shape.list))?);
                continue;
            }
            Some(Value::Map(_)) => continue,
            Some(Value::Text(text)) if text.is_empty() => continue,
            Some(_) => return Err(wrong(format!("{place}{}", shape.list), "not a list of keys")),
        };
        let values = items.iter().filter_map(|item| match item {
            Item::Comment(_) => None,
            Item::Value(value) => Some(value),
        });
        for (at, value) in values.enumerate() {
            let place = format!("{place}{}[{at}]", shape.list);
            match value {
                Value::Map(map) => masters.push(Master::read(shape, map, &place)?),
                _ => return Err(wrong(place, "not a map")),
            }
        }
    }
    Ok(masters)
}

/// The lists of a single group, those without keys left out.
pub(super) fn lists(group: &[Master]) -> Vec<(&'static str, Value)> {
    let list = |shape: &'static Shape| {
        let of_it = group.iter().filter(|master| std::ptr::eq(master.shape, shape));
        let maps: Vec<Item> = of_it.map(|master| Item::Value(Value::Map(master.write()))).collect();
        (!maps.is_empty()).then_some((shape.list, Value::List(maps)))
    };
    SHAPES.iter().filter_map(list).collect()
}

/// One of `key_groups`.
pub(super) fn group(group: &[Master]) -> Map {
    let mut lists = lists(group);
    for list in ALWAYS {
        if !lists.iter().any(|(name, _)| *name == list) {
            lists.push((list, Value::List(Vec::new())));
        }
    }
    lists.sort_by_key(|(name, _)| *name);
    Map {
        entries: lists
            .into_iter()
            .map(|(name, list)| Entry::Pair(name.to_owned(), list))
            .collect(),
    }
}
