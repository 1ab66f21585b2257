//! What was where, from when until when: the changes of an index, replayed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::index::{Begins, GONE, Index};
use crate::object::{PastIdentity, PastSet};

/// A part of an index: the history of one of its commits, back to a date.
pub(super) struct View {
    pub index: Index,
    /// The first commit that counts.
    pub start: usize,
    /// The head.
    pub end: usize,
    since: Option<i64>,
}

/// From when until when something is at a path. The numbers are those of commits.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: usize,
    /// `None` while it is there.
    removed: Option<usize>,
}

impl View {
    /// The history of commit `end`, back to the first commit that is older than `since` (seconds since 1970).
    pub fn new(index: Index, end: usize, since: Option<i64>) -> Self {
        let is_young = |at: &usize| since.is_none_or(|since| index.commits[*at].committed >= since);
        let start = (0..end).rev().take_while(is_young).last().unwrap_or(end);
        Self {
            index,
            start,
            end,
            since,
        }
    }

    /// Everything that was declared in this part.
    pub fn past_set(&self) -> PastSet {
        let spans = self.spans();
        let mut used = BTreeSet::new();
        for span in spans.values() {
            used.extend([span.first, span.removed.map_or(self.end, |removed| removed - 1)]);
            used.extend(span.removed);
        }
        let numbers: HashMap<usize, usize> = used.iter().copied().zip(0..).collect();
        let mut identities: BTreeMap<_, Vec<PastIdentity>> = BTreeMap::new();
        for ((identity, path), span) in &spans {
            let id = &self.index.identities[*identity as usize];
            let last = span.removed.map_or(self.end, |removed| removed - 1);
            let found = PastIdentity {
                namespace: id.namespace.clone(),
                path: self.index.paths[*path as usize].clone(),
                first: numbers[&span.first],
                last: numbers[&last],
                removed: span.removed.map(|removed| numbers[&removed]),
            };
            let key = (id.group_kind(), id.name.clone());
            identities.entry(key).or_default().push(found);
        }
        for found in identities.values_mut() {
            found.sort_by(|a, b| (&a.namespace, &a.path).cmp(&(&b.namespace, &b.path)));
        }
        PastSet {
            identities,
            commits: used.into_iter().map(|commit| self.index.quoted(commit)).collect(),
            walked: self.end + 1 - self.start,
            incomplete: self.incomplete(),
            skipped: self.skipped(),
        }
    }

    /// By identity and path.
    fn spans(&self) -> HashMap<(u32, u32), Span> {
        let mut spans: HashMap<(u32, u32), Span> = HashMap::new();
        let mut there: HashMap<u32, u32> = HashMap::new();
        for change in &self.index.changes {
            let commit = change.commit as usize;
            if commit > self.end {
                break;
            }
            let before = there.insert(change.path, change.content).unwrap_or(GONE);
            let (before, after) = (
                self.index.identities_of(before),
                self.index.identities_of(change.content),
            );
            for identity in after {
                let first = commit.max(self.start);
                let span = spans
                    .entry((*identity, change.path))
                    .or_insert(Span { first, removed: None });
                span.removed = None;
            }
            for identity in before {
                if after.binary_search(identity).is_ok() {
                    continue;
                }
                let key = (*identity, change.path);
                if commit <= self.start {
                    spans.remove(&key);
                } else if let Some(span) = spans.get_mut(&key) {
                    span.removed = Some(commit);
                }
            }
        }
        spans
    }

    /// Files that were not read whole, by reason; each content counts once.
    fn skipped(&self) -> BTreeMap<String, usize> {
        let contents: BTreeSet<u32> = self.contents_seen();
        let mut skipped = BTreeMap::new();
        for content in contents {
            let content = self.index.contents.get(content as usize);
            if let Some(reason) = content.and_then(|content| content.skipped) {
                *skipped.entry(reason.words().to_owned()).or_default() += 1;
            }
        }
        skipped
    }

    /// Contents that were there at some commit of this part.
    fn contents_seen(&self) -> BTreeSet<u32> {
        let mut at_start: HashMap<u32, u32> = HashMap::new();
        let mut seen = BTreeSet::new();
        for change in &self.index.changes {
            let commit = change.commit as usize;
            if commit > self.end {
                break;
            }
            if commit <= self.start {
                at_start.insert(change.path, change.content);
            } else {
                seen.insert(change.content);
            }
        }
        seen.extend(at_start.into_values());
        seen
    }

    /// Where the history begins, when that is not its beginning; in words.
    fn incomplete(&self) -> Option<String> {
        let mut said = Vec::new();
        let first = &self.index.commits[self.start];
        if self.start == 0 {
            said.extend(self.index.begins.words(first.time, first.id));
        }
        let is_cut = self.start > 0 || matches!(self.index.begins, Begins::Since(_));
        if let Some(since) = self.since.filter(|_| is_cut) {
            said.push(format!("history before {} was not read, as asked for", day(since)));
        }
        if let Some((id, time)) = self.index.replaced {
            said.push(format!(
                "history was rewritten: commit {} of {} was its end when it was last read, and is no longer part of it; what only the old one declared is not known",
                id.to_hex_with_len(12),
                day(time)
            ));
        }
        (!said.is_empty()).then(|| said.join("; "))
    }
}

/// `2026-11-20`, UTC.
pub(super) fn day(seconds: i64) -> String {
    let time = Timestamp::from_second(seconds);
    time.map_or_else(
        |_| "an unknown date".to_owned(),
        |time| time.strftime("%Y-%m-%d").to_string(),
    )
}
