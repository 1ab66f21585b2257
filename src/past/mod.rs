//! Every identity that the history of a branch ever declared, and its cache; and what each revision changed.
//!
//! The history is that of first parents: what the branch was at each time, merges taken as one step. Of each commit the files that
//! may be manifests by their name are compared with the parent's; each content is read once, whatever number of commits and paths has
//! it, and only the identities in it are kept. The rest is replayed from that: what was where, from when until when.
//!
//! What was read is kept in a cache, so that later only new commits are read. It has identities, paths, commit ids, authors and subjects,
//! never content. It is thrown away when the commit that it ends with is no longer in the history.

mod build;
mod cache;
mod index;
mod names;
mod replay;
mod revisions;
mod scan;
mod spread;

use std::path::PathBuf;

use jiff::Timestamp;

use crate::error::Failure;
use crate::object::{PastSet, Revisions};
use crate::source::Tree;

pub use revisions::is_meant;

const NO_HISTORY: &str = "there is no history: the files were read as they stand, without Git";

/// How the history is read.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Going back from the revision, the first commit that is older than this ends the history (by committer time).
    pub since: Option<Timestamp>,
    /// Folder of the cache; `None`: none is read or written. One that cannot be written is no error.
    pub cache: Option<PathBuf>,
}

/// Reads the history of the commit that a tree is at.
///
/// A plain directory has none: then [`PastSet::incomplete`] says so.
///
/// # Errors
/// When commits or trees of the clone are damaged. Files that cannot be read are counted in [`PastSet::skipped`].
pub fn read(tree: &Tree, options: &Options) -> Result<PastSet, Failure> {
    match tree.history() {
        Some(history) => Ok(build::view(&history, options)?.past_set()),
        None => Ok(PastSet {
            incomplete: Some(NO_HISTORY.to_owned()),
            ..PastSet::default()
        }),
    }
}

/// That no file ever declared an object of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// How many commits were read.
    pub walked: usize,
    /// What may have been meant, the most alike first.
    pub near: Vec<String>,
}

/// The revisions of the commit that a tree is at that changed files in these folders and files (none: all), newest first, at most
/// `limit`; for a plain directory none. Objects are those that the changed files name, before any rendering; files of any name count.
///
/// # Errors
/// As for [`read`].
pub fn revisions(tree: &Tree, paths: &[String], limit: usize, options: &Options) -> Result<Revisions, Failure> {
    match tree.history() {
        Some(history) => revisions::all(&history, paths, limit, options),
        None => Ok(no_revisions()),
    }
}

/// The revisions that changed an object, each with the fields that changed. `name` is `Kind/name` or `Kind/namespace/name`, either with
/// `Kind.group`; manifests that say no namespace are taken for one of any.
///
/// # Errors
/// As for [`read`]; the inner one when no file that was read ever declared it.
pub fn revisions_of(
    tree: &Tree,
    paths: &[String],
    name: &str,
    limit: usize,
    options: &Options,
) -> Result<Result<Revisions, Unknown>, Failure> {
    match tree.history() {
        Some(history) => revisions::of_object(&history, paths, name, limit, options),
        None => Ok(Ok(no_revisions())),
    }
}

fn no_revisions() -> Revisions {
    Revisions {
        incomplete: Some(NO_HISTORY.to_owned()),
        ..Revisions::default()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::source::example::{Entry, Entry::File, git, repository, text};
    use crate::source::{self, parse_since};

    const A: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n";
    const B: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: b\n";
    const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\nstringData:\n  p: canary\n";

    fn at(folder: &Path, rev: &str) -> Tree {
        let options = source::Options {
            rev: Some(rev.to_owned()),
            ..source::Options::default()
        };
        source::open(&text(folder), &options).expect("because it is a repository")
    }

    fn set(folder: &Path, rev: &str, options: &Options) -> PastSet {
        read(&at(folder, rev), options).expect("because the repository is whole")
    }

    /// `Kind/namespace/name path: first..last, removed by`, by the subjects of the commits.
    fn told(set: &PastSet) -> Vec<String> {
        let commit = |at: usize| set.commits[at].subject.trim_start_matches("commit ");
        let mut lines = Vec::new();
        for ((kind, name), found) in &set.identities {
            for one in found {
                let namespace = one
                    .namespace
                    .as_deref()
                    .map(|name| format!("{name}/"))
                    .unwrap_or_default();
                let removed = one.removed.map(|at| format!(", removed by {}", commit(at)));
                lines.push(format!(
                    "{kind}/{namespace}{name} {}: {}..{}{}",
                    one.path,
                    commit(one.first),
                    commit(one.last),
                    removed.unwrap_or_default()
                ));
            }
        }
        lines
    }

    fn both() -> String {
        format!("{A}---\n{B}")
    }

    fn sample() -> tempfile::TempDir {
        let both = both();
        let commits: [&[Entry<'_>]; 6] = [
            &[File("x.yaml", A), File("values.yaml", "a: 1\n")],
            &[File("x.yaml", &both), File("values.yaml", "a: 1\n")],
            &[
                File("x.yaml", A),
                File("values.yaml", "a: 2\n"),
                File("d/s.yml", SECRET),
            ],
            &[
                File("x.yaml", &both),
                File("bad.yaml", "apiVersion: v1\nkind: {{ x }}\n"),
                File(".github/y.yaml", B),
            ],
            &[File("y.yaml", A), File("x.md", B)],
            &[
                File("y.yaml", A),
                File(
                    "z.json",
                    "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": \"n\"}}]}",
                ),
            ],
        ];
        repository(&commits)
    }

    #[test]
    fn from_when_until_when() {
        let repo = sample();
        let set = set(repo.path(), "HEAD", &Options::default());
        assert_eq!(
            told(&set),
            [
                "ConfigMap/shop/a x.yaml: 0..3, removed by 4",
                "ConfigMap/shop/a y.yaml: 4..5",
                "Namespace/n z.json: 5..5",
                "Secret/s d/s.yml: 2..2, removed by 3",
                // Was gone for a while, which is not told.
                "Deployment.apps/b x.yaml: 1..3, removed by 4",
            ]
        );
        assert_eq!((set.walked, set.incomplete), (6, None));
        assert_eq!(set.skipped, [("not valid YAML or JSON".to_owned(), 1)].into());
        let first = &set.commits[0];
        assert_eq!((first.author.as_str(), first.time), ("dev", 1_767_225_600));
    }

    #[test]
    fn an_earlier_revision_and_a_date_bound_it() {
        let repo = sample();
        assert_eq!(
            told(&set(repo.path(), "HEAD~4", &Options::default())),
            ["ConfigMap/shop/a x.yaml: 0..1", "Deployment.apps/b x.yaml: 1..1"]
        );
        let since = Options {
            since: Some(parse_since("2026-01-01T00:03:30Z").expect("because it is a date")),
            ..Options::default()
        };
        let wanted = ["ConfigMap/shop/a y.yaml: 4..5", "Namespace/n z.json: 5..5"];
        let set = set(repo.path(), "HEAD", &since);
        assert_eq!(told(&set), wanted);
        assert_eq!(set.walked, 2);
        assert_eq!(
            set.incomplete.as_deref(),
            Some("history before 2026-01-01 was not read, as asked for")
        );
    }

    #[test]
    fn what_is_kept_gives_the_same() {
        let repo = sample();
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        let kept = |since: Option<&str>| Options {
            since: since.map(|date| parse_since(date).expect("because it is a date")),
            cache: Some(folder.path().join("past")),
        };
        let without = |since: Option<&str>| Options {
            cache: None,
            ..kept(since)
        };
        // Bounded first, then more of it, then what is a part of that, and new commits on top of an older head.
        for (rev, since) in [
            ("HEAD~2", Some("2026-01-01T00:02:00Z")),
            ("HEAD~3", None),
            ("HEAD", None),
            ("HEAD", Some("2026-01-01T00:04:00Z")),
            ("HEAD", Some("2030-01-01")),
            ("HEAD~1", Some("2026-01-01T00:01:00Z")),
            ("HEAD~5", None),
            ("HEAD", None),
        ] {
            let cached = set(repo.path(), rev, &kept(since));
            let fresh = set(repo.path(), rev, &without(since));
            assert_eq!(told(&cached), told(&fresh), "{rev} {since:?}");
            assert_eq!(
                (cached.walked, cached.incomplete, cached.skipped, cached.commits),
                (fresh.walked, fresh.incomplete, fresh.skipped, fresh.commits),
                "{rev} {since:?}"
            );
        }
        let files: Vec<_> = std::fs::read_dir(folder.path().join("past"))
            .expect("because it was made")
            .map(|file| file.expect("because it was just listed").path())
            .collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let stored = std::fs::read_to_string(&files[0]).expect("because it is text");
        assert!(stored.contains("\"Secret\"") && !stored.contains("canary"));
    }

    #[test]
    fn the_author_date_is_told_and_the_committer_date_bounds() {
        let repo = repository(&[&[File("a.yaml", A)]]);
        std::fs::write(repo.path().join("b.yaml"), B).expect("because the folder is ours");
        git(repo.path(), &["add", "-A"]);
        let date = "2020-02-03T04:05:06Z";
        git(repo.path(), &["commit", "-q", "-m", "written earlier", "--date", date]);
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        let options = Options {
            since: Some(parse_since("2026-01-02").expect("because it is a date")),
            cache: Some(folder.path().to_owned()),
        };
        let written = 1_580_702_706;
        for _ in 0..2 {
            let set = set(repo.path(), "HEAD", &options);
            assert_eq!(set.commits.last().map(|commit| commit.time), Some(written));
            assert_eq!(set.walked, 1);
        }
        let tree = at(repo.path(), "HEAD");
        let listed = revisions(&tree, &[], 9, &options).expect("because the repository is whole");
        let of_b = revisions_of(&tree, &[], "Deployment/b", 9, &Options::default());
        let of_b = of_b
            .expect("because the repository is whole")
            .expect("because it is there");
        for found in [listed, of_b] {
            let times: Vec<i64> = found.revisions.iter().map(|revision| revision.commit.time).collect();
            assert_eq!(times, [written]);
        }
    }

    #[test]
    fn only_new_commits_are_read_where_an_index_is_there() {
        let repo = repository(&[&[File("a.yaml", A)], &[File("a.yaml", B)]]);
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        let options = Options {
            cache: Some(folder.path().to_owned()),
            ..Options::default()
        };
        set(repo.path(), "HEAD", &options);
        let old = git(repo.path(), &["rev-parse", "HEAD~1:a.yaml"]);
        let old = repo.path().join(".git/objects").join(&old[..2]).join(&old[2..]);
        std::fs::remove_file(old).expect("because it is a loose object");
        std::fs::write(repo.path().join("s.yaml"), SECRET).expect("because the folder is ours");
        git(repo.path(), &["add", "-A"]);
        git(repo.path(), &["commit", "-q", "-m", "commit 2"]);
        let set = |options: &Options| set(repo.path(), "HEAD", options);
        let read = set(&options);
        assert_eq!(
            told(&read),
            [
                "ConfigMap/shop/a a.yaml: 0..0, removed by 1",
                "Secret/s s.yaml: 2..2",
                "Deployment.apps/b a.yaml: 1..2",
            ]
        );
        assert_eq!((read.walked, read.skipped), (3, [].into()));
        let fresh = set(&Options::default());
        assert_eq!(fresh.skipped, [("not in this clone".to_owned(), 1)].into());
    }

    /// Contents are read by their number, in whichever files and commits they are.
    #[test]
    fn a_content_is_read_once() {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        let options = Options {
            cache: Some(folder.path().to_owned()),
            ..Options::default()
        };
        let repo = repository(&[
            &[File("a.yaml", A)],
            &[File("a.yaml", B), File("copy.yaml", A), File("again.yaml", A)],
            &[File("a.yaml", A), File("copy.yaml", B)],
        ]);
        for rev in ["HEAD~2", "HEAD~1", "HEAD"] {
            let tree = at(repo.path(), rev);
            let history = tree.history().expect("because it is a repository");
            let view = build::view(&history, &options).expect("because the repository is whole");
            let contents = view.index.contents.iter().map(|content| content.id);
            let different: std::collections::BTreeSet<_> = contents.collect();
            let count = if rev == "HEAD~2" { 1 } else { 2 };
            assert_eq!((view.index.contents.len(), different.len()), (count, count), "{rev}");
        }
    }

    #[test]
    fn a_broken_cache_is_not_used() {
        let repo = sample();
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        let options = Options {
            cache: Some(folder.path().to_owned()),
            ..Options::default()
        };
        let wanted = told(&set(repo.path(), "HEAD", &options));
        let file = std::fs::read_dir(folder.path())
            .expect("because it is there")
            .next()
            .expect("because one was written")
            .expect("because it was just listed")
            .path();
        let good = std::fs::read_to_string(&file).expect("because it is text");
        for bad in [
            good[..good.len() / 2].to_owned(),
            good.replace("\"version\":1", "\"version\":0"),
            good.replace("\"changes\":[0", "\"changes\":[7777"),
            good.replace("\"times\":[", "\"times\":[1,"),
            String::new(),
        ] {
            assert_ne!(bad, good);
            std::fs::write(&file, &bad).expect("because the folder is ours");
            assert_eq!(told(&set(repo.path(), "HEAD", &options)), wanted);
            assert_eq!(std::fs::read_to_string(&file).expect("because it is text"), good);
        }
        // A folder that cannot be made is no error.
        let options = Options {
            cache: Some(file.join("past")),
            ..Options::default()
        };
        assert_eq!(told(&set(repo.path(), "HEAD", &options)), wanted);
    }

    #[test]
    fn what_is_not_read_is_counted() {
        let large = format!("{A}data: {{a: \"{}\"}}\n", "x".repeat(8 << 20));
        let repo = repository(&[&[File("a.yaml", &large), File("b.yaml", B), File("c.yaml", SECRET)]]);
        let tree = at(repo.path(), "HEAD");
        let history = tree.history().expect("because it is a repository");
        let head = history.walk().next().expect("because there is a commit");
        let head = head.expect("because the repository is whole");
        let files = history.reader().changes(None, head.tree, &|path| path == "b.yaml");
        let files = files.expect("because the repository is whole");
        let lost = files[0].after.expect("because it is there").to_string();
        let lost = repo.path().join(".git/objects").join(&lost[..2]).join(&lost[2..]);
        std::fs::remove_file(lost).expect("because it is a loose object");
        let set = read(&tree, &Options::default()).expect("because commits and trees are there");
        assert_eq!(told(&set), ["Secret/s c.yaml: 0..0"]);
        let wanted = [("larger than 8 MiB".to_owned(), 1), ("not in this clone".to_owned(), 1)];
        assert_eq!(set.skipped, wanted.into());
    }

    #[test]
    fn a_plain_directory_has_no_history() {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        std::fs::write(folder.path().join("a.yaml"), A).expect("because the folder is ours");
        let tree = source::open(&text(folder.path()), &source::Options::default()).expect("because it has a file");
        let set = read(&tree, &Options::default()).expect("because nothing can go wrong");
        assert!(set.identities.is_empty());
        assert_eq!(set.incomplete.as_deref(), Some(NO_HISTORY));
    }
}
