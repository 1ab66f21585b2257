//! Shapes that several documents use, and how they come from the values.

use std::time::Duration;

use serde::Serialize;

use crate::object::{Action, GroupKind, ObjectId, Outcome, Place, Problem, Provenance, Readiness, SkipReason};
use crate::plan::{NodeIndex, Note, Plan};
use crate::report::{preflight, text, words};

#[derive(Debug, Serialize)]
pub(super) struct Object<'a> {
    group: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    name: &'a str,
}

impl<'a> From<&'a ObjectId> for Object<'a> {
    fn from(id: &'a ObjectId) -> Self {
        Self {
            group: &id.group,
            kind: &id.kind,
            namespace: id.namespace.as_deref(),
            name: &id.name,
        }
    }
}

pub(super) fn objects<'a>(ids: impl IntoIterator<Item = &'a ObjectId>) -> Vec<Object<'a>> {
    ids.into_iter().map(Object::from).collect()
}

#[derive(Debug, Serialize)]
pub(super) struct Kind<'a> {
    group: &'a str,
    kind: &'a str,
}

impl<'a> From<&'a GroupKind> for Kind<'a> {
    fn from(kind: &'a GroupKind) -> Self {
        Self {
            group: &kind.group,
            kind: &kind.kind,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Where {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
}

impl From<&Place> for Where {
    fn from(place: &Place) -> Self {
        Self {
            file: place.file.clone(),
            line: place.line,
        }
    }
}

pub(super) fn declared_at(provenance: Option<&Provenance>) -> Option<Where> {
    provenance.map(|provenance| Where::from(&provenance.place()))
}

/// A step or a gate.
#[derive(Debug, Serialize)]
pub(super) struct Node<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Object<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<&'a str>,
}

impl<'a> Node<'a> {
    pub(super) fn new(plan: &'a Plan, node: NodeIndex) -> Self {
        Self {
            object: plan.step(node).map(|step| Object::from(&step.id)),
            gate: plan.gate(node).map(|gate| &*gate.name),
        }
    }
}

/// Seconds, to the millisecond.
pub(super) fn seconds(time: Duration) -> f64 {
    time.as_millis() as f64 / 1000.0
}

#[derive(Debug, Serialize)]
pub(super) struct Ended<'a> {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    skip: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because_of: Option<Object<'a>>,
    readiness: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    readiness_reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    without: Vec<Object<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    look: bool,
}

impl<'a> Ended<'a> {
    /// `id` is the object, where known: messages about Secrets are masked.
    pub(super) fn new(id: Option<&ObjectId>, outcome: &'a Outcome) -> Self {
        let said = |text: &String| said(id, text);
        let (skip, reason, because_of) = match &outcome.action {
            Action::Failed(text) => (None, Some(said(text)), None),
            Action::Skipped(skip) => {
                let (text, id) = match skip {
                    SkipReason::Dependency(id) => (None, Some(Object::from(id))),
                    SkipReason::Stalled(text) | SkipReason::NotServed(text) | SkipReason::HeldBack(text) => {
                        (Some(said(text)), None)
                    }
                    SkipReason::Interrupted | SkipReason::Generated => (None, None),
                };
                (Some(words::skip(skip)), text, id)
            }
            _ => (None, None, None),
        };
        Self {
            action: words::action(&outcome.action),
            skip,
            reason,
            because_of,
            readiness: words::readiness(&outcome.readiness),
            readiness_reason: match &outcome.readiness {
                Readiness::Failed(text) | Readiness::TimedOut(text) => Some(said(text)),
                Readiness::Current | Readiness::Done | Readiness::NotWaitedFor => None,
            },
            without: objects(&outcome.without),
            warnings: outcome.warnings.iter().map(said).collect(),
            look: outcome.wants_a_look(),
        }
    }
}

/// What was said of an object, values of Secrets masked; masked always where the object is not known.
pub(super) fn said(id: Option<&ObjectId>, text: &str) -> String {
    match id {
        Some(id) => text::said_of(id, text),
        None => text::said_of(&ObjectId::new("", "Secret", None, ""), text),
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Remark<'a> {
    kind: &'static str,
    decide: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Object<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Where>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

pub(super) fn remarks(notes: &[Note]) -> Vec<Remark<'_>> {
    notes
        .iter()
        .map(|note| Remark {
            kind: preflight::word(note.kind),
            decide: preflight::wants_decision(note.kind),
            object: note.object.as_ref().map(Object::from),
            place: note.place.as_ref().map(Where::from),
            message: &note.message,
            hint: note.hint.as_deref(),
        })
        .collect()
}

#[derive(Debug, Serialize)]
pub(super) struct Wrong<'a> {
    kind: &'static str,
    places: Vec<Where>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Object<'a>>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

pub(super) fn wrongs(problems: &[Problem]) -> Vec<Wrong<'_>> {
    preflight::sorted(problems)
        .into_iter()
        .map(|problem| Wrong {
            kind: words::problem(problem.kind),
            places: problem.places.iter().map(Where::from).collect(),
            object: problem.object.as_ref().map(Object::from),
            message: &problem.message,
            hint: problem.hint.as_deref(),
        })
        .collect()
}
