//! Which live objects were never in Git, and what drifted: declared, past and live in, findings out. Pure: no cluster, no files,
//! no clock; the records of an audit log come as an iterator.
//!
//! | file | what it knows |
//! |---|---|
//! | `classify`, `tally` | the verdicts, in the order in which they are tried; adding them up |
//! | `unread` | what was not listed, so that nothing can be said of it |
//! | `standing` | what an object is by itself: somebody's, owned, built in |
//! | `owner`, `managed`, `namespaces`, `was` | whom an object belongs to, which unit made it, what Git knew of it |
//! | `release`, `inventory`, `made` | Helm's releases; what Flux lists as its own; the findings of units |
//! | `rules` + `rules.yaml` | what a cluster makes by itself |
//! | `tools` + `managers.yaml` | which tool is behind a field manager |
//! | `log`, `request`, `author` | the audit log of the API server; who did it |
//! | `waive` | what units tell their engines not to compare |
//! | `ignore`, `remedy` | what reports leave out; the command that puts a finding right |
//! | `difference` | what one audit says that the one before did not |

mod author;
mod classify;
mod difference;
mod glob;
mod ignore;
mod inventory;
mod log;
mod made;
mod managed;
mod namespaces;
mod owner;
mod release;
mod remedy;
mod request;
mod rules;
mod standing;
mod tally;
mod tools;
mod unread;
mod waive;
mod was;

pub use classify::{Compared, NOT_COMPARED, Options, Reach, classify};
pub use difference::{Cause, Divergence, News, Resolved, Told};
pub use ignore::{Ignore, propose};
pub use log::Log;
pub use request::Request;
pub use rules::{Rule, is_never_a_finding, rules};
pub use standing::standings;
pub use tools::is_by_hand;
pub use waive::{units_to_read, waive};

use crate::object::{FieldDrift, GroupKind, Manager, Method, ObjectId, Place};

/// Everything an audit found, in the order of a report: worst verdict first, then namespace, kind and name.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// All objects that somebody should look at, and what is missing.
    pub findings: Vec<Finding>,
    /// How many objects have each verdict, by [`Verdict::name`], the silent ones (in sync, owned, managed, built in) included.
    pub counts: std::collections::BTreeMap<&'static str, usize>,
    /// By namespace ("" for cluster-scoped): in sync, and all that count for coverage.
    pub coverage: std::collections::BTreeMap<String, Coverage>,
    /// Objects that name an owner which was in no list, and that owner.
    pub lost: Vec<(ObjectId, ObjectId)>,
    /// Findings that `.refloatignore` hides.
    pub ignored: usize,
    /// Fields that differ and are no drift, since their unit tells its engine not to compare them: who says so, and how many.
    pub waived: std::collections::BTreeMap<String, usize>,
    /// Declared objects that were compared without the server's word, drifted or not: by kind how many, and why (of one of them).
    pub offline: std::collections::BTreeMap<GroupKind, (usize, String)>,
    /// Objects that the cluster makes by itself: by rule how many.
    pub by_rule: std::collections::BTreeMap<&'static str, usize>,
    /// Objects that units of Git made: by unit how many.
    pub by_unit: std::collections::BTreeMap<MadeBy, usize>,
}

/// A unit of a tool, and which.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MadeBy {
    /// `Helm`, `Flux`, `Argo CD`, `kapp`, `ApplySet`, `Kustomize`.
    pub tool: &'static str,
    /// Release or unit, as the tool names it.
    pub unit: String,
}

/// In sync ÷ (in sync + drifted + never in Git + removed from Git); what a unit made that Git never declared counts as never in Git.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Objects in sync.
    pub in_sync: usize,
    /// Objects that count.
    pub counted: usize,
}

/// An object, its verdict, the evidence and how sure we are.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The object.
    pub id: ObjectId,
    /// What it is.
    pub verdict: Verdict,
    /// Where it is declared, for what is.
    pub place: Option<Place>,
    /// How its identity was matched with Git.
    pub matched: Match,
    /// The unit that it stands for, with all that the unit made.
    pub unit: Option<Box<MadeBy>>,
    /// Whom it belongs to, where a person changed it: that one declares it, in whatever way.
    pub owner: Option<Box<ObjectId>>,
    /// Who did it, most likely first; empty means unknown.
    pub authors: Vec<Author>,
    /// What was seen, in words; never values of Secrets.
    pub evidence: Vec<String>,
    /// The command that puts it right, where there is one.
    pub remedy: Option<String>,
}

/// What an object is to Git.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Live as declared.
    InSync,
    /// Declared fields differ, or fields were added.
    Drifted {
        /// The fields.
        fields: Vec<FieldDrift>,
        /// Who wrote to the object: the fields name their owners by place here.
        managers: Vec<Manager>,
        /// How they were compared.
        method: Method,
    },
    /// Declared, and not there.
    Missing,
    /// Was declared until this commit (index in the past's commits).
    RemovedFromGit {
        /// Commit that removed it: id, subject, RFC 3339 date.
        commit: (String, String, String),
        /// File that had it.
        path: String,
    },
    /// In the repository, and not reached from the entry.
    NotReached {
        /// File that has it.
        path: String,
    },
    /// Nothing in Git ever named it.
    NeverInGit,
    /// Belongs to this top owner, which has the verdict.
    Owned(ObjectId),
    /// Made by a tool's unit.
    Managed {
        /// `Helm`, `Flux`, `Argo CD`, `kapp`, `ApplySet`.
        tool: &'static str,
        /// Release or unit, as the tool names it.
        unit: String,
        /// Whether Git declares that unit; one that it never did is a finding.
        declared: bool,
    },
    /// The cluster makes it by itself: this rule of `rules.toml`.
    BuiltIn(&'static str),
}

impl Finding {
    /// A finding about which nothing else is known yet.
    pub fn new(id: ObjectId, verdict: Verdict) -> Self {
        Self {
            id,
            verdict,
            place: None,
            matched: Match::None,
            unit: None,
            owner: None,
            authors: Vec::new(),
            evidence: Vec::new(),
            remedy: None,
        }
    }
}

impl Verdict {
    /// Who owns a field that differs, and when that manager wrote last; of one that was removed nobody does.
    pub fn owner(&self, field: &FieldDrift) -> Option<&Manager> {
        match self {
            Self::Drifted { managers, .. } => managers.get(field.manager?),
            _ => None,
        }
    }

    /// The verdicts that are findings, worst first; by [`name`](Self::name).
    pub const FINDINGS: [&'static str; 6] = [
        "never-in-git",
        "managed-undeclared",
        "drifted",
        "missing",
        "removed-from-git",
        "not-reached",
    ];

    /// Place in the order of a report, worst first.
    pub fn rank(&self) -> usize {
        match self {
            Self::NeverInGit => 0,
            Self::Managed { declared: false, .. } => 1,
            Self::Drifted { .. } => 2,
            Self::Missing => 3,
            Self::RemovedFromGit { .. } => 4,
            Self::NotReached { .. } => 5,
            Self::InSync | Self::Owned(_) | Self::Managed { declared: true, .. } | Self::BuiltIn(_) => {
                Self::FINDINGS.len()
            }
        }
    }

    /// Stable name, for `--fail-on` and JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InSync => "in-sync",
            Self::Drifted { .. } => "drifted",
            Self::Missing => "missing",
            Self::RemovedFromGit { .. } => "removed-from-git",
            Self::NotReached { .. } => "not-reached",
            Self::NeverInGit => "never-in-git",
            Self::Owned(_) => "owned",
            Self::Managed { declared: true, .. } => "managed",
            Self::Managed { declared: false, .. } => "managed-undeclared",
            Self::BuiltIn(_) => "built-in",
        }
    }
}

/// How an identity was matched, best first. Kind and name alone are no evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Match {
    /// Group, kind, namespace and name.
    Exact,
    /// The historic manifest says no namespace.
    NamespaceAbsent,
    /// Another group of the same kind (`extensions` → `apps`).
    GroupMigrated,
    /// Made by a chart, generator or unit that the past knows.
    MadeByUnit,
    /// Nothing matched.
    None,
}

impl Match {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Exact => "matched by group, kind, namespace and name",
            Self::NamespaceAbsent => "matched by group, kind and name; the manifest in Git says no namespace",
            Self::GroupMigrated => "matched by kind, namespace and name; Git had it in an earlier API group",
            Self::MadeByUnit => "made by a unit that Git knows",
            Self::None => "nothing in Git matched",
        }
    }
}

/// Who did something, with what, when, and how we know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Author {
    /// Tool: `kubectl edit`, `Helm`, `Lens`, …; the manager's own name where it is not known.
    pub tool: String,
    /// User, where an audit log tells.
    pub user: Option<String>,
    /// Source address, where an audit log tells.
    pub from: Option<String>,
    /// RFC 3339, or empty.
    pub time: String,
    /// What was written: `create`, `update`, `patch`, `delete`, `Apply`, `Update`.
    pub operation: String,
    /// How sure.
    pub confidence: Confidence,
    /// The evidence, quoted: `managedFields: kubectl-edit Update 2026-01-02T03:04:05Z`.
    pub evidence: String,
}

/// How sure a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// A record says so.
    Certain,
    /// Follows from records that could be forged or shared.
    Likely,
    /// One of several explanations.
    Possible,
}

#[cfg(test)]
mod tests;
