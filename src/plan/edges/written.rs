//! Dependencies that a person wrote as annotations.

use super::super::index::Index;
use super::Sink;
use crate::object::Manifest;

/// kapp's annotations; more than one of a sort is written with a suffix after a dot.
const CHANGE_GROUP: &str = "kapp.k14s.io/change-group";
const CHANGE_RULE: &str = "kapp.k14s.io/change-rule";

fn annotations<'a>(manifest: &'a Manifest, key: &'static str) -> impl Iterator<Item = &'a str> {
    let all = manifest.value().pointer("/metadata/annotations");
    let all = all.and_then(serde_json::Value::as_object).into_iter().flatten();
    all.filter(move |(name, _)| {
        name.strip_prefix(key)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
    .filter_map(|(_, value)| value.as_str())
}

/// The kapp change groups that an object says it is in.
pub(crate) fn change_groups(manifest: &Manifest) -> impl Iterator<Item = &str> {
    annotations(manifest, CHANGE_GROUP).map(str::trim)
}

/// `upsert after upserting GROUP` and its mirror `upsert before upserting GROUP`; rules about deleting do not apply here.
pub(super) fn change_rules(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some(manifest) = index.item(node).manifest() else {
        return;
    };
    for rule in annotations(manifest, CHANGE_RULE) {
        let words: Vec<&str> = rule.split_whitespace().collect();
        let (before, group) = match words[..] {
            ["upsert", "after", "upserting", group] => (false, group),
            ["upsert", "before", "upserting", group] => (true, group),
            _ => continue,
        };
        let Some(members) = index.change_groups.get(group) else {
            continue;
        };
        if before {
            sink.precede(members);
        } else {
            sink.wait_all(&format!("change group {group}"), members);
        }
    }
}

/// `group/namespaces/NAMESPACE/Kind/name` or `group/Kind/name`, separated by commas; the core group is empty.
pub(super) fn depends_on(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some(written) = index.item(node).annotation("config.kubernetes.io/depends-on") else {
        return;
    };
    for reference in written.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        match named(index, reference) {
            Some(to) if to != node => sink.wait(to),
            _ => sink.unknown(reference),
        }
    }
}

/// Whether a text has the form of a reference.
pub(crate) fn is_reference(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let names_all = |names: &[&str]| names.iter().all(|name| !name.is_empty());
    matches!(&parts[..], [_, "namespaces", rest @ ..] if rest.len() == 3 && names_all(rest))
        || matches!(&parts[..], [_, kind, name] if names_all(&[kind, name]))
}

/// The item that a reference names.
pub(crate) fn named(index: &Index<'_>, reference: &str) -> Option<u32> {
    let parts: Vec<&str> = reference.split('/').collect();
    match parts[..] {
        [group, "namespaces", namespace, kind, name] => index.find(group, kind, Some(namespace), name),
        [group, kind, name] => index.find(group, kind, None, name),
        _ => None,
    }
}
