//! Which of the declared objects are dealt with: `--only`, `--except`, `--no-deps`, `--first`.

use std::collections::BTreeSet;

use super::edges::Draft;
use super::index::Index;
use super::item::Item;
use super::{PlanOptions, Selection};
use crate::error::{Failure, Kind};
use crate::object::Unit;

/// Whether a term names an item; see [`super::Selection`] for the terms.
fn matches(term: &str, item: &Item<'_>, units: &[Unit]) -> bool {
    match term.strip_prefix("unit=") {
        Some(path) => item.declared().is_some_and(|declared| {
            let path = path.trim_end_matches('/');
            let unit = units.get(declared.unit.0).map_or("", |unit| &*unit.name);
            unit == path || unit.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
        }),
        None => item.id.fits(term, |key| item.manifest()?.label(key)),
    }
}

/// Whether a selection takes an item, by its own terms; those that name it are put into `named`.
pub(super) fn takes(selection: &Selection, item: &Item<'_>, units: &[Unit], named: &mut BTreeSet<String>) -> bool {
    let mut any = |terms: &[String]| {
        let matching: Vec<&String> = terms.iter().filter(|term| matches(term, item, units)).collect();
        named.extend(matching.iter().map(|term| (*term).clone()));
        !matching.is_empty()
    };
    let (only, except) = (any(&selection.only), any(&selection.except));
    (only || selection.only.is_empty()) && !except
}

/// Which nodes (items, then gates) are dealt with: the selected, with all that they wait for. What others make is dealt with
/// only where something that is dealt with waits for it.
///
/// # Errors
/// Terms that name nothing, each with what comes nearest.
pub(crate) fn select(
    index: &Index<'_>,
    gates: usize,
    edges: &[Draft],
    options: &PlanOptions,
) -> Result<Vec<bool>, Failure> {
    let selection = &options.selection;
    let mut unknown = Vec::new();
    let mut any = |terms: &[String]| -> Vec<bool> {
        let mut chosen = vec![false; index.items.len()];
        for term in terms {
            let mut found = false;
            for (chosen, item) in chosen.iter_mut().zip(index.items) {
                if matches(term, item, index.units) {
                    (*chosen, found) = (true, true);
                }
            }
            if !found && !selection.known.contains(term) {
                unknown.push(term.clone());
            }
        }
        chosen
    };
    let only = any(&selection.only);
    let except = any(&selection.except);
    let first: Vec<String> = options.first.iter().map(|name| format!("namespace={name}")).collect();
    any(&first);
    if !unknown.is_empty() {
        return Err(unmatched(&unknown, index));
    }
    let made = |node: usize| index.items[node].declared().is_none();
    let mut open: Vec<u32> = (0..index.items.len())
        .filter(|node| (selection.only.is_empty() && !made(*node) || only[*node]) && !except[*node])
        .map(|node| node as u32)
        .collect();
    let mut alive = vec![false; index.items.len() + gates];
    let mut next: Vec<Vec<u32>> = vec![Vec::new(); alive.len()];
    for edge in edges {
        next[edge.from as usize].push(edge.to);
    }
    while let Some(node) = open.pop() {
        if !std::mem::replace(&mut alive[node as usize], true) {
            let excepted = |to: &u32| except.get(*to as usize).copied().unwrap_or(false);
            let pulled = |to: &u32| {
                let at = *to as usize;
                !selection.no_deps || at >= index.items.len() || selection.only.is_empty() || only[at]
            };
            open.extend(next[node as usize].iter().filter(|to| !excepted(to) && pulled(to)));
        }
    }
    Ok(alive)
}

fn unmatched(terms: &[String], index: &Index<'_>) -> Failure {
    let mut failure = Failure::new(Kind::Usage, "nothing was planned");
    for term in terms {
        failure = failure.because(format!("no declared object matches {term}"));
        let near = nearest(term, index);
        if !near.is_empty() {
            failure = failure.hint(format!("nearest to {term}: {}", near.join(", ")));
        }
    }
    failure
}

/// At most three terms of the same sort that would match something.
fn nearest(term: &str, index: &Index<'_>) -> Vec<String> {
    let candidates: BTreeSet<String> = match term.split_once('=') {
        Some(("unit", _)) => index.units.iter().map(|unit| format!("unit={}", unit.name)).collect(),
        Some(("kind", kind)) => {
            let name = |item: &Item<'_>| match kind.contains('.') {
                true => format!("kind={}", item.id.group_kind()),
                false => format!("kind={}", item.id.kind),
            };
            index.items.iter().map(name).collect()
        }
        Some(("label", label)) => (index.items.iter())
            .filter_map(|item| item.at("/metadata/labels")?.as_object())
            .flatten()
            .map(|(key, value)| match label.contains('=') {
                true => format!("label={key}={}", value.as_str().unwrap_or_default()),
                false => format!("label={key}"),
            })
            .collect(),
        None if term.contains('/') => index.items.iter().map(|item| item.id.to_string()).collect(),
        written => {
            let prefix = if written.is_some() { "namespace=" } else { "" };
            let names = index.items.iter().filter_map(|item| item.namespace());
            names.map(|name| format!("{prefix}{name}")).collect()
        }
    };
    let mut near: Vec<(usize, String)> = candidates
        .into_iter()
        .map(|candidate| (distance(term, &candidate), candidate))
        .collect();
    near.sort();
    near.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// Letters to insert, delete or replace, upper and lower case being the same.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let kept = corner + usize::from(x != y);
            let next = kept.min(row[j] + 1).min(row[j + 1] + 1);
            corner = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distance_counts_letters() {
        for (a, b, expected) in [
            ("shop", "shop", 0),
            ("shop", "Shops", 1),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected);
        }
    }
}
