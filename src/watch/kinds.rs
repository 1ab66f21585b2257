//! Which kinds are watched, and how that goes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::input::{Command, Message, Watched};
use crate::cluster::{Endpoint, Listable};
use crate::object::{FactGap, GroupKind, LiveSet, ObjectId};

/// After a kind was made or an API server added, what is served is asked at these times, in milliseconds: it takes the server a moment,
/// seconds where it is busy, and what is made of the kind by then is to be told at once.
const SOON: [u64; 11] = [200, 500, 1_000, 1_500, 2_000, 2_500, 3_000, 4_000, 5_000, 8_000, 15_000];
/// How often it is asked anyway; kinds that could not be watched are tried again then.
const ANYWAY: Duration = Duration::from_secs(300);
/// A connection that is made anew sooner than this is nobody's concern.
const WORTH_TELLING: Duration = Duration::from_secs(5);
/// The largest number of watches.
const MOST: usize = 1000;
/// Kinds whose objects decide which kinds are served.
const DECIDE: [(&str, &str); 2] = [
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
];

/// Whether objects of a kind decide which kinds are served.
pub(super) fn decides(kind: &GroupKind) -> bool {
    DECIDE
        .iter()
        .any(|(group, name)| kind.group == *group && kind.kind == *name)
}

/// The kinds that are served, and their watches.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    ends: BTreeMap<GroupKind, Endpoint>,
    watches: BTreeMap<Watched, Watch>,
    /// Namespaces to look into one by one where a kind may not be watched in all.
    namespaces: BTreeSet<String>,
    /// When what is served is to be asked, soonest first.
    ask_at: Vec<Duration>,
    asked: bool,
    gaps: BTreeMap<GroupKind, FactGap>,
    was_ready: bool,
    /// Whether people were told that watches are interrupted.
    told_interrupted: bool,
}

#[derive(Debug, Clone, Default)]
struct Watch {
    /// What was there has been told.
    listed: bool,
    refused: bool,
    interrupted: Option<(Duration, String)>,
}

impl Kinds {
    pub fn new(namespaces: BTreeSet<String>) -> Self {
        Self {
            namespaces,
            ask_at: vec![Duration::ZERO],
            ..Self::default()
        }
    }

    /// What cannot be watched.
    pub fn gaps(&self) -> impl Iterator<Item = &FactGap> {
        self.gaps.values()
    }

    /// Whether an object may be there, gone or changed without a word of it.
    pub fn is_blind_for(&self, id: &ObjectId) -> bool {
        let kind = id.group_kind();
        let is_told = |namespace: &Option<String>| {
            let watched = (kind.clone(), namespace.clone());
            self.watches.get(&watched).is_some_and(|watch| !watch.refused)
        };
        self.gaps.contains_key(&kind) && !is_told(&None) && !is_told(&id.namespace)
    }

    /// Kinds are being made, or go.
    pub fn may_change(&mut self, now: Duration) {
        self.ask_at = SOON.iter().map(|wait| now + Duration::from_millis(*wait)).collect();
        self.ask_at.push(now + ANYWAY);
    }

    /// The server did not say what it serves.
    pub fn is_unknown(&mut self, now: Duration) {
        self.asked = false;
        self.ask_at.insert(0, now + WORTH_TELLING);
    }

    /// When the clock is needed next.
    pub fn next(&self) -> Option<Duration> {
        let ask = self.ask_at.first().copied().filter(|_| !self.asked);
        let tell = self.interrupted().map(|(since, _, _)| since + WORTH_TELLING).min();
        let tell = tell.filter(|_| !self.told_interrupted);
        ask.into_iter().chain(tell).min()
    }

    /// What the clock brings.
    pub fn tick(&mut self, now: Duration, commands: &mut Vec<Command>) {
        if !self.asked && self.ask_at.first().is_some_and(|at| *at <= now) {
            self.asked = true;
            self.ask_at.retain(|at| *at > now);
            if self.ask_at.is_empty() {
                self.ask_at.push(now + ANYWAY);
                // Tried again, in vain or not.
                self.watches.retain(|_, watch| !watch.refused);
            }
            commands.push(Command::Discover);
        }
        let late = self.interrupted().any(|(since, _, _)| since + WORTH_TELLING <= now);
        if late && !self.told_interrupted {
            self.told_interrupted = true;
            let all: Vec<_> = self.interrupted().collect();
            let reason = all.first().map_or("", |(_, _, reason)| reason);
            let which = match all.len() == self.watches.len() {
                true => "the cluster".to_owned(),
                false => some(all.iter().map(|(_, kind, _)| kind.to_string())),
            };
            let text = format!("the watch of {which} is interrupted ({reason}); what changes is told when it is back");
            commands.push(Command::Tell(Message::Warned(text)));
        }
    }

    fn interrupted(&self) -> impl Iterator<Item = (Duration, &GroupKind, &str)> {
        self.watches.iter().filter_map(|((kind, _), watch)| {
            let (since, reason) = watch.interrupted.as_ref()?;
            Some((*since, kind, reason.as_str()))
        })
    }

    /// The server said what can be listed. Gives the kinds that are no more; `wanted` tells which are worth a watch.
    pub fn discovered(
        &mut self,
        found: &Listable,
        wanted: impl Fn(&GroupKind) -> bool,
        commands: &mut Vec<Command>,
    ) -> Vec<GroupKind> {
        self.asked = false;
        let ends = found.ends.iter().map(|at| (at.kind.clone(), at.clone()));
        let ends: BTreeMap<GroupKind, Endpoint> = ends.collect();
        // What a group that does not answer has is not known; its kinds stay as they are.
        let unknown = |kind: &GroupKind| {
            let of_group = |gap: &FactGap| gap.what.contains(&*kind.group) || gap.what == "API groups";
            !kind.group.is_empty() && found.gaps.iter().any(of_group)
        };
        let lost = |kind: &&GroupKind| !ends.contains_key(*kind) && !unknown(kind);
        let lost: Vec<GroupKind> = self.ends.keys().filter(lost).cloned().collect();
        let moved = |at: &&Endpoint| ends.get(&at.kind).is_some_and(|now| now != *at);
        let moved: Vec<GroupKind> = self.ends.values().filter(moved).map(|at| at.kind.clone()).collect();
        for kind in lost.iter().chain(&moved) {
            self.end(kind, commands);
        }
        for (kind, at) in ends.iter().filter(|(kind, _)| wanted(kind)) {
            let watched = (kind.clone(), None);
            let is_watched = self.watches.keys().any(|(known, _)| known == kind);
            let watchable = found.kinds.get(kind).is_some_and(|served| served.watchable);
            if !watchable {
                self.gap(at, "the server does not tell what happens to them", commands);
            } else if !is_watched {
                self.start(at.clone(), watched, commands);
            }
        }
        self.ends.retain(|kind, _| !lost.contains(kind));
        self.ends.extend(ends);
        lost
    }

    fn start(&mut self, at: Endpoint, watched: Watched, commands: &mut Vec<Command>) {
        if self.watches.len() >= MOST {
            return self.gap(&at, "too many watches are open already", commands);
        }
        let namespace = watched.1.clone();
        self.watches.insert(watched, Watch::default());
        commands.push(Command::Watch(at, namespace));
    }

    fn end(&mut self, kind: &GroupKind, commands: &mut Vec<Command>) {
        let of_kind = self.watches.keys().filter(|(known, _)| known == kind);
        let of_kind: Vec<Watched> = of_kind.cloned().collect();
        for watched in of_kind {
            self.watches.remove(&watched);
            commands.push(Command::Unwatch(watched));
        }
        self.gaps.remove(kind);
    }

    fn gap(&mut self, at: &Endpoint, reason: &str, commands: &mut Vec<Command>) {
        let gap = FactGap {
            what: format!("watch {}", at.name()),
            reason: reason.to_owned(),
        };
        if self.gaps.insert(at.kind.clone(), gap.clone()).is_none() {
            commands.push(Command::Tell(Message::Gap(gap)));
        }
    }

    /// All that was there of a kind has been told.
    pub fn listed(&mut self, watched: &Watched, live: &mut LiveSet, commands: &mut Vec<Command>) {
        let Some(watch) = self.watches.get_mut(watched) else {
            return;
        };
        watch.listed = true;
        let (kind, namespace) = watched;
        if namespace.is_none() {
            self.gaps.remove(kind);
            if !live.listed.contains(kind) {
                live.listed.push(kind.clone());
            }
        } else if let Some(namespace) = namespace {
            live.listed_within.insert((kind.clone(), namespace.clone()));
        }
        self.may_be_ready(commands);
    }

    /// The server will not tell of a kind.
    pub fn refused(&mut self, watched: &Watched, reason: &str, live: &mut LiveSet, commands: &mut Vec<Command>) {
        let Some(watch) = self.watches.get_mut(watched) else {
            return;
        };
        *watch = Watch {
            refused: true,
            ..Watch::default()
        };
        let (kind, namespace) = watched;
        live.listed_within
            .retain(|(listed, within)| listed != kind || namespace.as_ref().is_some_and(|one| one != within));
        if let (None, Some(at)) = (namespace, self.ends.get(kind).cloned()) {
            let was_whole = live.listed.contains(kind);
            live.listed.retain(|listed| listed != kind);
            if was_whole {
                self.gap(&at, reason, commands);
            } else {
                // The report that came first says so.
                let what = format!("watch {}", at.name());
                let reason = reason.to_owned();
                self.gaps.insert(kind.clone(), FactGap { what, reason });
            }
            for namespace in self.namespaces.clone().into_iter().filter(|_| at.namespaced) {
                self.start(at.clone(), (kind.clone(), Some(namespace)), commands);
            }
        }
        self.may_be_ready(commands);
    }

    fn may_be_ready(&mut self, commands: &mut Vec<Command>) {
        let ready = self.watches.values().all(|watch| watch.listed || watch.refused);
        if ready && !self.was_ready {
            self.was_ready = true;
            let kinds: BTreeSet<&GroupKind> = self
                .watches
                .iter()
                .filter(|(_, watch)| watch.listed)
                .map(|((kind, _), _)| kind)
                .collect();
            commands.push(Command::Tell(Message::Watching(kinds.len())));
        }
    }

    pub fn interrupt(&mut self, watched: &Watched, reason: String, now: Duration) {
        if let Some(watch) = self.watches.get_mut(watched) {
            watch.interrupted = Some((now, reason));
        }
    }

    pub fn resume(&mut self, watched: &Watched, commands: &mut Vec<Command>) {
        if let Some(watch) = self.watches.get_mut(watched) {
            watch.interrupted = None;
        }
        if self.told_interrupted && self.interrupted().next().is_none() {
            self.told_interrupted = false;
            let text = "all watches are back".to_owned();
            commands.push(Command::Tell(Message::Said(text)));
        }
    }
}

/// `a, b, c and 4 more`.
fn some(names: impl Iterator<Item = String>) -> String {
    let names: BTreeSet<String> = names.collect();
    let more = names.len().saturating_sub(3);
    let shown: Vec<String> = names.into_iter().take(3).collect();
    match more {
        0 => shown.join(", "),
        _ => format!("{} and {more} more", shown.join(", ")),
    }
}
