//! `.sops.yaml`: by which rule a new file is encrypted.

use serde_json::Value;

use crate::error::{Error, config as wrong};
use crate::format::Layout;
use crate::needs::{Recipient, RecipientKind};
use crate::pattern::compile;
use crate::rules::Selection;

/// How a new file is encrypted: what a creation rule says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    /// For whom. With several groups the data key is split among them.
    pub groups: Vec<Vec<Recipient>>,
    /// How many groups it takes; 0 stands for all of them.
    pub threshold: u8,
    /// Which values.
    pub selection: Selection,
    /// Whether the MAC leaves out what is not encrypted.
    pub mac_only_encrypted: bool,
}

impl Rule {
    /// The default of SOPS for these public keys of age: all values but those under a key that ends in `_unencrypted`.
    pub fn age<'r>(recipients: impl IntoIterator<Item = &'r str>) -> Self {
        Rule {
            groups: vec![recipients.into_iter().map(age).collect()],
            ..Rule::default()
        }
    }

    /// The recipients that this crate cannot encrypt for, though `sops` can.
    pub fn beyond_process(&self) -> impl Iterator<Item = &Recipient> {
        self.groups
            .iter()
            .flatten()
            .filter(|recipient| !recipient.kind.in_process())
    }
}

fn age(recipient: &str) -> Recipient {
    Recipient {
        kind: RecipientKind::of_age(recipient),
        id: recipient.trim().to_owned(),
    }
}

/// A `.sops.yaml`.
#[derive(Debug, Clone, Default)]
pub struct Config {
    rules: Vec<Value>,
    /// How files are laid out.
    pub layout: Layout,
}

/// The field of a rule, what it holds in a key group, and the kind of its keys.
const LISTS: [(&str, &str, RecipientKind); 6] = [
    ("pgp", "", RecipientKind::Pgp),
    ("kms", "arn", RecipientKind::AwsKms),
    ("gcp_kms", "resource_id", RecipientKind::GcpKms),
    ("hckms", "key_id", RecipientKind::HuaweiKms),
    ("azure_keyvault", "vaultUrl", RecipientKind::AzureKeyVault),
    ("hc_vault", "", RecipientKind::HcVault),
];

impl Config {
    /// Reads a `.sops.yaml`.
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`], [`Error::Config`].
    pub fn read(file: &[u8]) -> Result<Self, Error> {
        let document = kube_yaml::parse_one(file);
        let value = document.value.map_err(|error| Error::Syntax {
            format: crate::Format::Yaml,
            line: error.line,
            message: error.message,
        })?;
        let rules = match &value["creation_rules"] {
            Value::Null => Vec::new(),
            Value::Array(rules) => rules.clone(),
            _ => return Err(wrong("creation_rules", "not a list")),
        };
        if !matches!(value, Value::Null | Value::Object(_)) {
            return Err(wrong(".sops.yaml", "not a map"));
        }
        let stores = &value["stores"];
        let mut layout = Layout::default();
        match &stores["yaml"]["indent"] {
            Value::Null => {}
            indent => match indent.as_u64() {
                Some(0) => {}
                Some(indent) => layout.yaml_indent = indent as usize,
                None => return Err(wrong("stores.yaml.indent", "not a number of spaces")),
            },
        }
        layout.json_indent = json_indent(stores, "json")?;
        layout.binary_indent = json_indent(stores, "json_binary")?;
        Ok(Config { rules, layout })
    }

    /// The rule for a file: the first whose `path_regex` matches its path, which is told from the folder of `.sops.yaml`, with `/`.
    /// `None`: the file has no rules at all.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if none matches, or if the rule cannot be used; [`Error::Pattern`].
    pub fn rule_for(&self, path: &str) -> Result<Option<Rule>, Error> {
        for (at, rule) in self.rules.iter().enumerate() {
            let place = format!("creation_rules[{at}]");
            if !rule.is_object() {
                return Err(wrong(place, "not a map"));
            }
            let pattern = text(rule, &place, "path_regex")?;
            let matches = match pattern.as_deref() {
                None => true,
                Some(pattern) => compile(&format!("{place}.path_regex"), pattern)?.is_match(path.as_bytes()),
            };
            if matches {
                return read_rule(rule, &place).map(Some);
            }
        }
        match self.rules.is_empty() {
            true => Ok(None),
            false => Err(wrong(
                "creation_rules",
                format!("none matches {}", crate::tree::shown(path)),
            )),
        }
    }
}

fn json_indent(stores: &Value, store: &str) -> Result<Option<usize>, Error> {
    match &stores[store]["indent"] {
        Value::Null => Ok(None),
        indent => match indent.as_i64() {
            Some(-1) => Ok(None),
            Some(indent @ 0..=100) => Ok(Some(indent as usize)),
            _ => Err(wrong(
                format!("stores.{store}.indent"),
                "not a number of spaces, nor -1 for a tab",
            )),
        },
    }
}

/// A text that is there and not empty.
fn text(map: &Value, place: &str, field: &str) -> Result<Option<String>, Error> {
    match &map[field] {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(wrong(format!("{place}.{field}"), "not a text")),
    }
}

fn read_rule(rule: &Value, place: &str) -> Result<Rule, Error> {
    let mut selection = None;
    for field in Selection::FIELDS {
        if let Some(text) = text(rule, place, field)? {
            let new = Selection::new(field, text);
            if selection.replace(new).is_some() {
                return Err(wrong(
                    format!("{place}.{field}"),
                    "not together with another choice of values",
                ));
            }
        }
    }
    let selection = selection.unwrap_or_default();
    selection.compiled()?;
    let groups = match &rule["key_groups"] {
        Value::Array(groups) if !groups.is_empty() => {
            let each = groups.iter().enumerate();
            each.map(|(at, group)| read_group(group, &format!("{place}.key_groups[{at}]"), 0).map(unique))
                .collect::<Result<_, _>>()?
        }
        Value::Null | Value::Array(_) => vec![flat_group(rule, place)?],
        _ => return Err(wrong(format!("{place}.key_groups"), "not a list")),
    };
    let threshold = match &rule["shamir_threshold"] {
        Value::Null => 0,
        number => number
            .as_u64()
            .and_then(|number| u8::try_from(number).ok())
            .ok_or_else(|| wrong(format!("{place}.shamir_threshold"), "not a number up to 255"))?,
    };
    Ok(Rule {
        groups,
        threshold,
        selection,
        mac_only_encrypted: rule["mac_only_encrypted"].as_bool().unwrap_or(false),
    })
}

/// Lists in a rule itself: texts with commas, or lists of texts.
fn flat_group(rule: &Value, place: &str) -> Result<Vec<Recipient>, Error> {
    let names = |field: &str| -> Result<Vec<String>, Error> {
        match &rule[field] {
            Value::Null => Ok(Vec::new()),
            Value::String(text) => {
                let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
                Ok(names.map(str::to_owned).collect())
            }
            Value::Array(items) => {
                let texts = items
                    .iter()
                    .map(|item| item.as_str().map(|text| text.trim().to_owned()));
                let texts: Option<Vec<_>> = texts.collect();
                texts.ok_or_else(|| wrong(format!("{place}.{field}"), "not a list of texts"))
            }
            _ => Err(wrong(format!("{place}.{field}"), "neither a text nor a list")),
        }
    };
    let mut group: Vec<Recipient> = names("age")?.iter().map(|name| age(name)).collect();
    for (list, _, kind) in LISTS {
        let field = if list == "hc_vault" {
            "hc_vault_transit_uri"
        } else {
            list
        };
        group.extend(names(field)?.into_iter().map(|id| Recipient { kind, id }));
    }
    Ok(group)
}

/// One of `key_groups`, with what it merges.
fn read_group(group: &Value, place: &str, depth: usize) -> Result<Vec<Recipient>, Error> {
    if depth > 16 {
        return Err(wrong(place, "nested too deeply"));
    }
    let items = |field: &str| match &group[field] {
        Value::Null => Ok([].as_slice()),
        Value::Array(items) => Ok(items.as_slice()),
        _ => Err(wrong(format!("{place}.{field}"), "not a list")),
    };
    let mut found = Vec::new();
    for (at, merged) in items("merge")?.iter().enumerate() {
        found.extend(read_group(merged, &format!("{place}.merge[{at}]"), depth + 1)?);
    }
    for item in items("age")? {
        let text = item
            .as_str()
            .ok_or_else(|| wrong(format!("{place}.age"), "not a list of texts"))?;
        found.extend(text.split(',').filter(|name| !name.trim().is_empty()).map(age));
    }
    for (list, name, kind) in LISTS {
        for item in items(list)? {
            let id = match name {
                "" => item.as_str().map(str::to_owned),
                "vaultUrl" => item[name].as_str().map(|url| {
                    let part = |field: &str| item[field].as_str().unwrap_or_default().to_owned();
                    format!("{url}/keys/{}/{}", part("key"), part("version"))
                }),
                name => item[name].as_str().map(str::to_owned),
            };
            let id = id.ok_or_else(|| wrong(format!("{place}.{list}"), "not keys as SOPS names them"))?;
            found.push(Recipient { kind, id });
        }
    }
    Ok(found)
}

fn unique(group: Vec<Recipient>) -> Vec<Recipient> {
    let mut unique: Vec<Recipient> = Vec::with_capacity(group.len());
    for recipient in group {
        if !unique.contains(&recipient) {
            unique.push(recipient);
        }
    }
    unique
}
