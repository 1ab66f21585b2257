//! Values that stand for others too: before one is changed, its aliases are made to hold on to the old value.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::intent;
use crate::slot::{Change, Page, Slot, changed};
use crate::tree::{Kind, Node};
use crate::{Edit, Step};

/// An anchor and its aliases, in the order of the text.
struct Shared<'n> {
    node: &'n Node,
    path: Vec<Step>,
    aliases: Vec<(Holding<'n>, &'n Node)>,
}

/// What an alias stands in: its slot, or `<<`, or an item of a merge list.
enum Holding<'n> {
    Slot(Slot<'n>),
    Other,
}

/// The text with the anchor of one value moved to the first of its aliases, if what is changed at a path is such a value, is in one, or
/// has one in it.
pub(crate) fn unshared(page: Page<'_>, root: &Node, value: &Value, edit: &Edit) -> Option<String> {
    let mut all = BTreeMap::new();
    collect(page.text, Slot::root(root), &mut Vec::new(), true, &mut all);
    let path = edit.path();
    let inserts = matches!(edit, Edit::Insert { .. });
    let touched = |shared: &&Shared<'_>| {
        let is_around = path.starts_with(&shared.path) && !(inserts && shared.path.len() == path.len());
        !shared.aliases.is_empty() && (is_around || !inserts && shared.path.starts_with(path))
    };
    let shared = all.values().find(touched)?;
    let old = intent::at(value, &shared.path)?;
    let anchor = shared.node.anchor.as_ref()?;
    let name = &page.text[anchor.span.clone()];
    let behind = page.text[anchor.span.end..].trim_start_matches([' ', '\t']);
    let behind = match behind.starts_with(['\n', '\r']) || behind.is_empty() {
        // It stands alone behind a colon: the space before it goes too.
        true => Change::cut(
            page.text[..anchor.span.start].trim_end_matches([' ', '\t']).len(),
            anchor.span.end,
        ),
        false => Change::cut(anchor.span.start, page.text.len() - behind.len()),
    };
    let (holding, alias) = shared.aliases.first()?;
    let mut changes = match holding {
        Holding::Slot(slot) => page.write(*slot, old)?,
        Holding::Other => page.write_flow(alias, old),
    };
    // The name comes before what is now written there.
    let first = changes.first_mut()?;
    first.text = match first.text.is_empty() {
        true => format!(" {name}"),
        false => format!("{name} {}", first.text),
    };
    changes.push(behind);
    changed(page.text, changes)
}

fn collect<'n>(text: &str, slot: Slot<'n>, path: &mut Vec<Step>, known: bool, all: &mut BTreeMap<usize, Shared<'n>>) {
    if let (Some(anchor), true) = (&slot.node.anchor, known) {
        let shared = Shared {
            node: slot.node,
            path: path.clone(),
            aliases: Vec::new(),
        };
        all.insert(anchor.id, shared);
    }
    for (step, child) in slot.node.children() {
        let inner = step.as_ref().and_then(|step| slot.child(text, step));
        // A key given twice: only the last is found by its path.
        let inner = inner.filter(|inner| std::ptr::eq(inner.node, child));
        if let Kind::Alias(id) = child.kind
            && let Some(shared) = all.get_mut(&id)
        {
            let holding = inner.map_or(Holding::Other, Holding::Slot);
            shared.aliases.push((holding, child));
        }
        match (step, inner) {
            (Some(step), Some(inner)) => {
                path.push(step);
                collect(text, inner, path, known, all);
                path.pop();
            }
            _ => collect(text, Slot::root(child), path, false, all),
        }
    }
}
