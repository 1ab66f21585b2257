//! Label selectors, of Secrets and of parameters (`applicationset/utils/selector.go`: values may be any text there).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::Error;
use crate::read::Reader;

/// A selector.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    requirements: Vec<(String, Operator, Vec<String>)>,
}

#[derive(Debug, Clone, Copy)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

const OPERATORS: &[(&str, Operator)] = &[
    ("In", Operator::In),
    ("NotIn", Operator::NotIn),
    ("Exists", Operator::Exists),
    ("DoesNotExist", Operator::DoesNotExist),
];

impl Selector {
    /// Reads one; nothing selects all.
    pub(crate) fn read(value: Option<&Value>, field: &str) -> Result<Self, Vec<Error>> {
        let mut errors = Vec::new();
        let mut reader = Reader::at(field.to_owned(), value, &mut errors);
        let mut requirements = Vec::new();
        for (key, value) in reader.text_map("matchLabels") {
            if !is_qualified(&key) {
                reader.error("matchLabels", format!("{key:?} is no name of a label"));
            }
            requirements.push((key, Operator::In, vec![value]));
        }
        reader.maps("matchExpressions", |expression| {
            let (key, name, values) = (
                expression.text("key"),
                expression.text("operator"),
                expression.texts("values"),
            );
            if !is_qualified(&key) {
                expression.error("key", format!("{key:?} is no name of a label"));
            }
            let Some((_, operator)) = OPERATORS.iter().find(|(known, _)| *known == name) else {
                return expression.error(
                    "operator",
                    format!("{name:?} is no operator (In, NotIn, Exists, DoesNotExist)"),
                );
            };
            match (operator, values.is_empty()) {
                (Operator::In | Operator::NotIn, true) => expression.error("values", "is missing"),
                (Operator::Exists | Operator::DoesNotExist, false) => {
                    expression.error("values", format!("must be empty for {name}"))
                }
                _ => {}
            }
            requirements.push((key, *operator, values));
        });
        match errors.is_empty() {
            true => Ok(Selector { requirements }),
            false => Err(errors),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    pub(crate) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|(key, operator, values)| {
            let there = labels.get(key);
            match operator {
                Operator::In => there.is_some_and(|value| values.contains(value)),
                Operator::NotIn => there.is_none_or(|value| !values.contains(value)),
                Operator::Exists => there.is_some(),
                Operator::DoesNotExist => there.is_none(),
            }
        })
    }
}

/// `[prefix/]name`, as Kubernetes has it (`IsQualifiedName`).
fn is_qualified(key: &str) -> bool {
    let part = |text: &str, longest: usize, more: &str| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        text.len() <= longest
            && ends(text.chars().next())
            && ends(text.chars().next_back())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    match key.split_once('/') {
        Some((prefix, name)) => part(prefix, 253, "-.") && prefix.to_lowercase() == prefix && part(name, 63, "-_."),
        None => part(key, 63, "-_."),
    }
}
