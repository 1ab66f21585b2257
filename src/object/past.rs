//! What the repository ever declared.

use std::collections::BTreeMap;

use super::GroupKind;

/// Every identity that the history of a branch ever declared as a manifest in a file, before any rendering.
#[derive(Debug, Clone, Default)]
pub struct PastSet {
    /// By kind and name; namespaces are compared by the reader, since historic manifests often lack them.
    pub identities: BTreeMap<(GroupKind, String), Vec<PastIdentity>>,
    /// Commits that entries point to.
    pub commits: Vec<Commit>,
    /// How many commits were walked.
    pub walked: usize,
    /// Where the history that was read begins, when that is not its beginning: "shallow clone", `--history-since`; in words.
    pub incomplete: Option<String>,
    /// Files that were not read, with the reason (too large, does not parse): counted by reason.
    pub skipped: BTreeMap<String, usize>,
}

/// An identity in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastIdentity {
    /// Namespace as written; `None` where the manifest says none.
    pub namespace: Option<String>,
    /// The file, `/`-separated.
    pub path: String,
    /// Index in [`PastSet::commits`] of the first commit that has it there.
    pub first: usize,
    /// Likewise the last one.
    pub last: usize,
    /// Likewise the commit that removed it: the one after `last`; `None` while it is there at the head.
    pub removed: Option<usize>,
}

/// A commit, as findings quote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Full id.
    pub id: String,
    /// Author time, seconds since 1970.
    pub time: i64,
    /// Author's name.
    pub author: String,
    /// First line of the message.
    pub subject: String,
}
