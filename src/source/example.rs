//! Small Git repositories for tests, made without the `git` program; and the tests that read them.

use std::path::Path;

use gix::objs::tree::EntryKind;
use tempfile::TempDir;

use super::*;

/// One file of a commit.
pub(crate) enum Entry<'a> {
    File(&'a str, &'a str),
    Link(&'a str, &'a str),
    Submodule(&'a str),
}

/// A repository with a work tree whose commits have exactly the files given, one minute apart from 2026-01-01T00:00:00Z.
/// Files are written to the work tree as in the last commit.
pub(crate) fn repository(commits: &[&[Entry<'_>]]) -> TempDir {
    let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
    let git = gix::init(folder.path()).expect("because the folder is empty");
    for (index, entries) in commits.iter().enumerate() {
        commit(&git, entries, index);
    }
    if let Some(last) = commits.last() {
        check_out(folder.path(), last);
        let tree = git.head_tree_id().expect("because a commit was made");
        let mut index = git.index_from_tree(&tree).expect("because the tree was just written");
        index
            .write(gix::index::write::Options::default())
            .expect("because the folder is ours");
    }
    folder
}

fn commit(git: &gix::Repository, entries: &[Entry<'_>], index: usize) {
    let empty = git.empty_tree();
    let mut tree = empty.edit().expect("because the empty tree can be edited");
    for entry in entries {
        let (path, kind, content) = match entry {
            Entry::File(path, content) => (path, EntryKind::Blob, content),
            Entry::Link(path, target) => (path, EntryKind::Link, target),
            // Any id will do: a submodule's commit is not in this repository.
            Entry::Submodule(path) => (path, EntryKind::Commit, &""),
        };
        let id = git.write_blob(content).expect("because the folder is ours");
        tree.upsert(*path, kind, id).expect("because the paths are well formed");
    }
    let tree = tree.write().expect("because the folder is ours").detach();
    let seconds = 1_767_225_600 + 60 * i64::try_from(index).expect("because there are few");
    let time = format!("{seconds} +0000");
    let who = gix::actor::SignatureRef {
        name: "dev".into(),
        email: "dev@example.invalid".into(),
        time: &time,
    };
    let parents: Vec<gix::ObjectId> = git.head_id().ok().map(|id| id.detach()).into_iter().collect();
    git.commit_as(who, who, "HEAD", format!("commit {index}\n\nbody"), tree, parents)
        .expect("because the folder is ours");
}

fn check_out(root: &Path, entries: &[Entry<'_>]) {
    for entry in entries {
        let (Entry::File(path, _) | Entry::Link(path, _) | Entry::Submodule(path)) = entry;
        let at = root.join(path);
        std::fs::create_dir_all(at.parent().expect("because it has a folder")).expect("because the folder is ours");
        match entry {
            Entry::File(_, content) => std::fs::write(&at, content).expect("because the folder is ours"),
            Entry::Link(_, target) => std::os::unix::fs::symlink(target, &at).expect("because the folder is ours"),
            Entry::Submodule(_) => std::fs::create_dir_all(&at).expect("because the folder is ours"),
        }
    }
}

/// `git` in a folder, with no configuration but the repository's own.
pub(crate) fn git_tool(folder: &Path, args: &[&str]) -> crate::process::Tool {
    let me = [
        ("NAME", "dev"),
        ("EMAIL", "dev@example.invalid"),
        ("DATE", "2026-01-02T03:04:05Z"),
    ];
    let named = |role: &str| me.map(|(what, value)| (format!("GIT_{role}_{what}"), value));
    let mut tool = crate::process::Tool::new("git")
        .args(args)
        .inherit(["PATH"])
        .folder(folder);
    for (name, value) in named("AUTHOR").into_iter().chain(named("COMMITTER")) {
        tool = tool.env(name, value);
    }
    tool.env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
}

/// What `git` prints, which has to succeed.
pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let ran = git_tool(folder, args).run().expect("because git is there");
    assert_eq!(
        ran.code,
        Some(0),
        "git {args:?}: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
    String::from_utf8_lossy(&ran.stdout).trim_end().to_owned()
}

/// The path of a folder as a reference.
pub(crate) fn text(path: &Path) -> String {
    path.to_str().expect("because temporary paths are UTF-8").to_owned()
}

mod tests {
    use super::Entry::*;
    use super::*;

    fn at(rev: Option<&str>, date: Option<&str>) -> Options {
        Options {
            rev: rev.map(str::to_owned),
            at: date.map(|date| parse_date(date).expect("because it is a date")),
            ..Options::default()
        }
    }

    fn content(tree: &Tree, path: &str) -> String {
        String::from_utf8_lossy(&tree.read(path).expect("because it is there")).into_owned()
    }

    fn failure(reference: &Path, options: &Options) -> String {
        let failure = open(&text(reference), options).expect_err("because it cannot be read");
        failure.to_string().replace(&text(reference), "REPO")
    }

    #[test]
    fn a_clone_is_read_at_a_revision_or_date() {
        let repo = repository(&[
            &[File("a.yaml", "one")],
            &[File("a.yaml", "two")],
            &[File("a.yaml", "three")],
        ]);
        let read = |options: Options| {
            let tree = open(&text(repo.path()), &options).expect("because it is a repository");
            (content(&tree, "a.yaml"), tree.repository().clone())
        };
        let (newest, about) = read(at(None, None));
        assert_eq!((newest.as_str(), about.subject.as_deref()), ("three", Some("commit 2")));
        assert_eq!((about.time, about.dirty), (Some(1_767_225_720), false));
        assert_eq!(read(at(Some("HEAD~2"), None)).0, "one");
        assert_eq!(read(at(Some("main^"), None)).0, "two");
        assert_eq!(read(at(None, Some("2026-01-01T00:01:59Z"))).0, "two");
        assert_eq!(read(at(None, Some("2026-01-01"))).0, "three");
        assert_eq!(read(at(Some("HEAD~1"), Some("2026-06-01"))).0, "two");
    }

    #[test]
    fn a_bare_repository_and_a_file_url_are_read() {
        let repo = repository(&[&[File("a.yaml", "one")]]);
        let bare = repo.path().join(".git");
        for reference in [text(&bare), format!("file://{}", text(repo.path()))] {
            let tree = open(&reference, &at(None, None)).expect("because it is a repository");
            assert_eq!(content(&tree, "a.yaml"), "one");
        }
    }

    #[test]
    fn a_folder_of_a_clone_is_a_base() {
        let repo = repository(&[&[File("a/b/x.yaml", "one"), File("c.yaml", "")]]);
        let tree = open(&text(&repo.path().join("a/b")), &at(None, None)).expect("because it is in HEAD");
        assert_eq!((tree.base(), tree.is_file("c.yaml")), ("a/b", true));
        let tree = open(&text(&repo.path().join("c.yaml")), &at(None, None)).expect("because it is in HEAD");
        assert_eq!(tree.base(), "c.yaml");
    }

    #[test]
    fn an_uncommitted_folder_is_read_from_disk() {
        let repo = repository(&[&[File("a.yaml", "one")]]);
        let new = repo.path().join("new");
        std::fs::create_dir(&new).expect("because the folder is ours");
        std::fs::write(new.join("x.yaml"), "two").expect("because the folder is ours");
        let tree = open(&text(&new), &at(None, None)).expect("because it has a file");
        assert_eq!((tree.base(), content(&tree, "x.yaml").as_str()), ("", "two"));
        assert_eq!(tree.repository().commit, None);
        let note = format!(
            "{} is read as it is on disk: the repository around it has no commit with it",
            text(&new)
        );
        assert_eq!(tree.notes(), [note]);
        let refused = failure(&new, &at(Some("HEAD"), None));
        assert!(
            refused.contains("has no new\n  hint: name a revision that has it"),
            "{refused}"
        );
    }

    #[test]
    fn uncommitted_changes_are_told() {
        let repo = repository(&[&[File("a/x.yaml", "one"), File("b/y.yaml", "one")]]);
        std::fs::write(repo.path().join("a/x.yaml"), "changed").expect("because the folder is ours");
        std::fs::write(repo.path().join("a/new.yaml"), "new").expect("because the folder is ours");
        let tree = open(&text(repo.path()), &at(None, None)).expect("because it is a repository");
        assert_eq!(content(&tree, "a/x.yaml"), "one");
        assert!(tree.repository().dirty);
        assert!(
            tree.notes()[0].ends_with("is read, and not 2 files that differ in the work tree"),
            "{:?}",
            tree.notes()
        );
        let tree = open(&text(&repo.path().join("b")), &at(None, None)).expect("because it is a repository");
        assert!(!tree.repository().dirty);
    }

    #[test]
    fn links_are_followed_and_submodules_told() {
        let repo = repository(&[&[
            File("a/x.yaml", "one"),
            Link("b/same.yaml", "../a/x.yaml"),
            Link("b/out.yaml", "../../x.yaml"),
            Submodule("c/sub"),
        ]]);
        let tree = open(&text(repo.path()), &at(None, None)).expect("because it is a repository");
        assert_eq!(content(&tree, "b/same.yaml"), "one");
        let problems: Vec<String> = tree.problems_within("").map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "b/out.yaml: it is not read: it is a symbolic link that leads out of the repository",
                "c/sub: nothing in it is read: it is a submodule\n  hint: restore the submodule's repository by itself",
            ]
        );
        let disk = tree.on_disk().expect("because there is room");
        assert_eq!(
            std::fs::read_to_string(disk.join("b/same.yaml")).expect("because it was laid out"),
            "one"
        );
        assert!(disk.join("b/out.yaml").symlink_metadata().is_err());
        drop(tree);
        assert!(!disk.exists());
    }

    #[test]
    fn bad_revisions_are_said() {
        let repo = repository(&[&[File("a.yaml", "one")], &[]]);
        assert_eq!(
            failure(repo.path(), &at(Some("mainn"), None)),
            "Error: REPO could not be read at revision mainn\n  because: no branch, tag or commit answers to it\n  hint: there is main"
        );
        assert_eq!(
            failure(repo.path(), &at(Some("zzzzzzzzz"), None)),
            "Error: REPO could not be read at revision zzzzzzzzz\n  because: no branch, tag or commit answers to it\n  hint: `git branch --all` and `git tag` list what there is"
        );
        assert_eq!(
            failure(repo.path(), &at(Some("HEAD~1:a.yaml"), None)),
            "Error: REPO could not be read at revision HEAD~1:a.yaml\n  because: it is a file, and a commit is needed\n  hint: name a branch, a tag or a commit; a folder is named by the path, or with --path"
        );
        assert_eq!(
            failure(repo.path(), &at(None, Some("2025-12-31"))),
            "Error: REPO could not be read as of 2025-12-31T23:59:59Z\n  because: its first commit is of 2026-01-01T00:00:00Z\n  hint: give a later date"
        );
        let empty = failure(repo.path(), &at(None, None));
        assert!(
            empty.ends_with("\n  because: the commit has no files\n  hint: name a revision that has some with --rev"),
            "{empty}"
        );
    }

    #[test]
    fn no_commit_yet_is_said() {
        let repo = repository(&[]);
        assert_eq!(
            failure(repo.path(), &at(None, None)),
            "Error: nothing could be read from REPO\n  because: its HEAD names no commit: nothing was committed yet, or the branch is gone\n  hint: commit something, or name a revision with --rev"
        );
    }

    #[test]
    fn a_plain_directory_has_no_revisions() {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        std::fs::write(folder.path().join("x.yaml"), "").expect("because the folder is ours");
        assert_eq!(
            failure(folder.path(), &at(Some("main"), None)),
            "Error: no revision can be read from REPO\n  because: it is not a Git repository, nor inside of one\n  hint: leave out --rev and --at to read the files as they are"
        );
    }

    #[test]
    fn a_url_that_cannot_be_reached_is_said_without_credentials() {
        let failure = open("git://me:hunter2@127.0.0.1:1/x.git", &at(None, None)).expect_err("because nothing listens");
        let text = failure.to_string();
        assert!(
            text.starts_with("Error: git://127.0.0.1:1/x.git could not be cloned\n  because: "),
            "{text}"
        );
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn files_that_are_too_large_are_problems() {
        let large = "x".repeat(usize::try_from(LARGEST_FILE).expect("because it is small") + 1);
        let repo = repository(&[&[File("a.yaml", &large), File("b.yaml", "")]]);
        let tree = open(&text(repo.path()), &at(None, None)).expect("because it is a repository");
        let problem = tree.read("a.yaml").expect_err("because it is too large");
        assert_eq!(
            problem.to_string(),
            "a.yaml: it is not read: it has 32 MiB, more than 32 MiB"
        );
    }

    #[test]
    fn what_is_laid_over_a_tree_is_read_instead() {
        let repo = repository(&[&[
            File("a/x.yaml", "one"),
            File("b/y.yaml", "two"),
            Link("c.yaml", "a/x.yaml"),
        ]]);
        let tree = open(&text(repo.path()), &at(None, None)).expect("because it is a repository");
        let files = [("c.yaml", Some("new")), ("b/y.yaml", None), ("d/z.yaml", Some("made"))];
        let files = files.map(|(path, content)| (path.to_owned(), content.map(|content| content.as_bytes().to_vec())));
        let over = tree.with(&files.into());
        drop(tree);
        assert_eq!(over.files().collect::<Vec<_>>(), ["a/x.yaml", "c.yaml", "d/z.yaml"]);
        assert_eq!(
            (content(&over, "a/x.yaml"), content(&over, "d/z.yaml")),
            ("new".to_owned(), "made".to_owned())
        );
        assert!(!over.is_dir("b"));
        let disk = over.on_disk().expect("because there is room");
        assert_eq!(
            std::fs::read_to_string(disk.join("c.yaml")).expect("because it was laid out"),
            "new"
        );
    }
}
