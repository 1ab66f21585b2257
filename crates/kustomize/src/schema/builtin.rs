//! Reads the embedded types, which `tests/tools/kustomize-schema` takes from the OpenAPI document that kyaml 0.21.1 embeds.
//!
//! First one line for each type, `strategy;keys|items|additional|fields` and, for the definitions, which come first, `|name`. Types
//! are named by their line, from 0; fields are written `name=type`. Then a line `-`, then one for each kind:
//! `apiVersion kind type scope`, with `n` and `c` for namespaced and cluster-scoped kinds, and `-` for what is not known.

use std::borrow::Cow;

use super::{Known, Schema, Type};
use crate::id::split_api_version;

/// The embedded file.
pub(super) const TEXT: &str = include_str!("builtin.txt");

/// Reads the file. What does not fit its form is left out; a test holds that nothing is.
pub(super) fn read(text: &'static str) -> Schema {
    let mut schema = Schema::default();
    let mut lines = text.lines();
    for line in lines.by_ref().take_while(|line| *line != "-") {
        let mut columns = line.split('|');
        let mut next = || columns.next().unwrap_or_default();
        let it = one_type([next(), next(), next(), next()]);
        let name = next();
        if !name.is_empty() {
            schema.names.insert(Cow::Borrowed(name), schema.types.len());
        }
        schema.types.push(it);
    }
    for line in lines {
        let mut columns = line.split(' ');
        let mut next = || columns.next().unwrap_or_default();
        let (group, version) = split_api_version(next());
        let kind = schema.kinds.entry(Cow::Borrowed(next())).or_default();
        let at = next().parse().ok();
        let namespaced = match next() {
            "n" => Some(true),
            "c" => Some(false),
            _ => None,
        };
        kind.push(Known {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            at,
            namespaced,
        });
    }
    schema
}

fn one_type([merge, items, additional, fields]: [&'static str; 4]) -> Type {
    let (strategy, keys) = merge.split_once(';').unwrap_or_default();
    let listed = |text: &'static str| text.split(',').filter(|item| !item.is_empty());
    Type {
        merges: strategy.split('+').any(|strategy| strategy == "merge"),
        keys: listed(keys).map(Cow::Borrowed).collect(),
        items: items.parse().ok(),
        additional: additional.parse().ok(),
        fields: listed(fields)
            .filter_map(|field| {
                let (name, at) = field.split_once('=')?;
                Some((Cow::Borrowed(name), at.parse().ok()?))
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read() {
        let schema = read(TEXT);
        let (types, kinds) = TEXT.split_once("\n-\n").expect("both parts");
        assert_eq!(schema.types.len(), types.lines().count());
        assert_eq!(
            schema.kinds.values().map(Vec::len).sum::<usize>(),
            kinds.lines().count()
        );
        assert_eq!(schema.names.len(), 623);
        let reads = |at: &usize| *at < schema.types.len();
        for it in &schema.types {
            assert!(it.items.iter().chain(&it.additional).all(reads));
            assert!(it.fields.iter().all(|(_, at)| reads(at)));
            assert!(it.fields.is_sorted_by(|a, b| a.0 < b.0));
        }
        let fields: usize = schema.types.iter().map(|it| it.fields.len()).sum();
        assert_eq!(fields, types.matches('=').count());
    }
}
