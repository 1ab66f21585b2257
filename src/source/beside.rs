//! Other revisions of the repository that a tree was read from.

use gix::Repository as Git;

use super::tree::{Store, Tree};
use super::{Options, git, remote, revision, without_credentials};
use crate::error::{Failure, printable};

/// Which branch a tree stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Follows {
    /// This one: it is checked out, or was asked for.
    Branch(String),
    /// Whichever has its commit: that was asked for, by itself or by a tag, or no branch is checked out.
    #[default]
    Any,
}

/// What the name of a revision means, seen from a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    /// That tree.
    AtHand,
    /// This commit of the same repository.
    Commit(String),
    /// It is not known in this clone.
    Unknown,
}

const HEADS: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";

/// The branch that a revision was asked for by; that of `HEAD`, where none was.
pub(super) fn follows(repository: &Git, options: &Options) -> Follows {
    let branch = match options.rev.as_deref() {
        None | Some("HEAD") => repository
            .head_name()
            .ok()
            .flatten()
            .map(|name| name.as_bstr().to_string()),
        Some(name) => branch(repository, name).map(|_| name.to_owned()),
    };
    let short = |name: String| {
        let fronts = [HEADS, "refs/remotes/origin/", "origin/"];
        let found = fronts.iter().find_map(|front| name.strip_prefix(front));
        found.map_or_else(|| name.clone(), str::to_owned)
    };
    branch.map_or(Follows::Any, |name| Follows::Branch(short(name)))
}

/// The commit of a branch, of this clone or of where it comes from.
fn branch<'r>(repository: &'r Git, name: &str) -> Option<gix::Commit<'r>> {
    let short = name.strip_prefix(HEADS).unwrap_or(name);
    let names = [
        format!("{HEADS}{short}"),
        format!("refs/remotes/origin/{short}"),
        format!("refs/remotes/{short}"),
    ];
    let found = names
        .iter()
        .find(|name| repository.find_reference(name.as_str()).is_ok())?;
    revision::resolve(repository, Some(found), "", false).ok()
}

impl Tree {
    /// What a branch, a tag or a commit means to something that lies in this tree.
    ///
    /// The branch that is at hand means this tree, also where an older revision of it was asked for: whoever follows a branch gets the
    /// revision that is restored. Where a commit or a tag was asked for, any branch that has it is at hand.
    pub fn means(&self, name: &str) -> Meant {
        let Store::Git(store) = self.store() else {
            return Meant::AtHand;
        };
        let own = self.repository().commit.as_deref().unwrap_or_default();
        if name.is_empty() || name == "HEAD" {
            return Meant::AtHand;
        }
        let repository = store.to_thread_local();
        if revision::refuse_reflog(name).is_err() {
            return Meant::Unknown;
        }
        let short = name.strip_prefix(HEADS).unwrap_or(name);
        if matches!(self.follows(), Follows::Branch(at_hand) if at_hand == short) {
            return Meant::AtHand;
        }
        let found = match branch(&repository, name) {
            Some(tip) if *self.follows() == Follows::Any && has(&tip, own) => return Meant::AtHand,
            Some(tip) => Some(tip),
            None => revision::resolve(&repository, Some(name), "", true).ok(),
        };
        match found.map(|commit| commit.id.to_string()) {
            None => Meant::Unknown,
            Some(id) if id == own => Meant::AtHand,
            Some(id) => Meant::Commit(id),
        }
    }

    /// The tree at another commit of the same repository.
    ///
    /// # Errors
    /// When the clone has not all of it.
    pub fn at_commit(&self, id: &str) -> Result<Self, Failure> {
        let Store::Git(store) = self.store() else {
            return Err(super::no_repository(&printable(&self.repository().location)));
        };
        let options = Options {
            rev: Some(id.to_owned()),
            ..Options::default()
        };
        let tree = git::open_clone(&self.repository().location, store.to_thread_local(), &options, None)?;
        Ok(tree.living_with(self))
    }

    /// Names of all tags of the repository, sorted.
    pub fn tags(&self) -> Vec<String> {
        match self.store() {
            Store::Git(store) => local_tags(&store.to_thread_local()),
            Store::Folder(_) => Vec::new(),
        }
    }
}

/// Whether a commit is in the history of another.
fn has(tip: &gix::Commit<'_>, id: &str) -> bool {
    let (Ok(walk), Ok(id)) = (tip.ancestors().all(), gix::ObjectId::from_hex(id.as_bytes())) else {
        return false;
    };
    walk.filter_map(Result::ok).any(|one| one.id == id)
}

fn local_tags(repository: &Git) -> Vec<String> {
    let Ok(all) = repository.references() else {
        return Vec::new();
    };
    let Ok(tags) = all.tags() else { return Vec::new() };
    let name = |name: String| name.strip_prefix(TAGS).map(str::to_owned);
    let mut names: Vec<String> = tags
        .filter_map(Result::ok)
        .filter_map(|tag| name(tag.name().as_bstr().to_string()))
        .collect();
    names.sort();
    names
}

/// Names of all tags of a repository: a path or an address.
///
/// # Errors
/// When it is not there, or cannot be reached.
pub fn tags(reference: &str) -> Result<Vec<String>, Failure> {
    let path = reference.strip_prefix("file://").unwrap_or(reference);
    if !super::is_remote(path) {
        let repository =
            gix::discover(path).map_err(|_| super::no_repository(&printable(&without_credentials(reference))))?;
        return Ok(local_tags(&repository));
    }
    remote::tags(reference)
}

#[cfg(test)]
mod tests {
    use super::super::example::git;
    use super::super::open;
    use super::*;

    fn at(folder: &std::path::Path, rev: Option<&str>) -> Tree {
        let options = Options {
            rev: rev.map(str::to_owned),
            ..Options::default()
        };
        open(&folder.display().to_string(), &options).expect("because it is a repository")
    }

    /// main: one, two; next: one, two, three; other: one, four. v1 is one.
    #[test]
    fn names_are_told_from_the_tree_at_hand() {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        let run = |args: &[&str]| git(folder.path(), args).trim().to_owned();
        run(&["init", "--quiet", "--initial-branch", "main"]);
        let commit = |text: &str| {
            std::fs::write(folder.path().join("a.yaml"), text).expect("because the folder is ours");
            run(&["add", "--all"]);
            run(&["commit", "--quiet", "--message", text]);
            run(&["rev-parse", "HEAD"])
        };
        let one = commit("one");
        run(&["tag", "v1"]);
        run(&["checkout", "--quiet", "-b", "other"]);
        let four = commit("four");
        run(&["checkout", "--quiet", "main"]);
        let two = commit("two");
        run(&["checkout", "--quiet", "-b", "next"]);
        let three = commit("three");
        run(&["checkout", "--quiet", "main"]);
        let commit = |id: &str| Meant::Commit(id.to_owned());
        let tree = at(folder.path(), None);
        assert_eq!(tree.tags(), ["v1"]);
        for (name, meant) in [
            ("", Meant::AtHand),
            ("HEAD", Meant::AtHand),
            ("main", Meant::AtHand),
            ("refs/heads/main", Meant::AtHand),
            (&*two, Meant::AtHand),
            ("next", commit(&three)),
            ("other", commit(&four)),
            ("v1", commit(&one)),
            ("refs/tags/v1", commit(&one)),
            ("none", Meant::Unknown),
            ("main@{1}", Meant::Unknown),
        ] {
            assert_eq!(tree.means(name), meant, "{name}");
        }
        let other = tree.at_commit(&one).expect("because it is there");
        assert_eq!(&*other.read("a.yaml").expect("because it is there"), b"one");
        // An older revision of the branch stands for that branch, and so it does for others that have it.
        let back = at(folder.path(), Some(&one));
        for name in ["main", "next", "other", "v1"] {
            assert_eq!(back.means(name), Meant::AtHand, "{name}");
        }
        let next = at(folder.path(), Some("next"));
        assert_eq!((next.means("next"), next.means("main")), (Meant::AtHand, commit(&two)));
        assert_eq!(at(folder.path(), Some("v1")).means("main"), Meant::AtHand);
    }
}
