//! Remarks on permissions that are lacking.

use std::collections::BTreeMap;

use super::index::Index;
use super::item::Item;
use super::{Note, NoteKind};
use crate::object::GroupKind;

/// Verbs that only grant rights: who has the rights that are granted needs them not.
const GRANTING: [&str; 2] = ["bind", "escalate"];

/// One remark for each kind, namespace and sort of verb, with the number of objects that it concerns.
pub(crate) fn notes(index: &Index<'_>, items: &[&Item<'_>], notes: &mut Vec<Note>) {
    let mut lacking: BTreeMap<(&GroupKind, Option<&str>, &str), Vec<&str>> = BTreeMap::new();
    for denied in &index.facts.denied {
        let granting = GRANTING.iter().find(|verb| **verb == denied.verb).copied();
        let key = (&denied.kind, denied.namespace.as_deref(), granting.unwrap_or_default());
        lacking.entry(key).or_default().push(&denied.verb);
    }
    for ((kind, namespace, granting), verbs) in lacking {
        let concerned: Vec<_> = (items.iter())
            .filter(|item| concerns(item, kind, granting))
            .filter(|item| namespace.is_none() || item.namespace() == namespace)
            .collect();
        let Some(first) = concerned.first() else { continue };
        let within = namespace.map_or(String::new(), |namespace| format!(" in namespace {namespace}"));
        let unless = if granting.is_empty() {
            ""
        } else {
            ", which is needed to grant rights that you do not have"
        };
        notes.push(Note {
            kind: NoteKind::Forbidden,
            object: Some(first.id.clone()),
            place: first.declared().map(|declared| declared.provenance.place()),
            message: format!(
                "you may not {} {kind}{within}{unless}: {} declared",
                verbs.join(", "),
                concerned.len()
            ),
            hint: Some("ask for the permission, or use another account".to_owned()),
        });
    }
}

/// Whether the right is needed for an object: to bind a role is a right on the role, needed for the binding.
fn concerns(item: &Item<'_>, kind: &GroupKind, granting: &str) -> bool {
    if granting == "bind" {
        return (item.is(&kind.group, "RoleBinding") || item.is(&kind.group, "ClusterRoleBinding"))
            && item.text("/roleRef/kind") == kind.kind;
    }
    item.is(&kind.group, &kind.kind)
}
