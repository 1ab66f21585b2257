use std::path::Path;

use super::super::branch::tests::{draft, files, repository, tree};
use super::super::example::{git, text};
use super::super::{Options, commit, open};
use super::*;

/// A clone and the bare repository that it was cloned from.
struct Pair {
    _folder: tempfile::TempDir,
    clone: PathBuf,
    bare: PathBuf,
}

fn pair() -> Pair {
    let origin = repository();
    let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
    git(
        folder.path(),
        &["clone", "-q", "--bare", &text(origin.path()), "bare.git"],
    );
    let pair = Pair {
        clone: folder.path().join("clone"),
        bare: folder.path().join("bare.git"),
        _folder: folder,
    };
    clone(&pair, "clone");
    pair
}

/// Another clone.
fn clone(pair: &Pair, name: &str) -> PathBuf {
    let folder = pair.bare.parent().expect("because it has one");
    git(folder, &["clone", "-q", "bare.git", name]);
    let clone = folder.join(name);
    identify(&clone);
    clone
}

fn identify(clone: &Path) {
    for (key, value) in [
        ("user.name", "Ann"),
        ("user.email", "ann@example.invalid"),
        ("commit.gpgsign", "false"),
    ] {
        git(clone, &["config", key, value]);
    }
}

fn try_push(clone: &Path, branch: &str, replicas: u8) -> Result<Pushed, Failure> {
    let tree = tree(clone);
    let files = files(&[("base/web.yaml", Some(&format!("replicas: {replicas}\n")))]);
    let written = commit(&tree, &draft(branch, &files)).expect("because nothing is against it");
    push(&tree, &written.expect("because something changes"))
}

fn pushed(clone: &Path, replicas: u8) -> Pushed {
    try_push(clone, "refloat/prod", replicas).unwrap_or_else(|failure| panic!("{failure}"))
}

fn refused(pair: &Pair, branch: &str) -> String {
    let failure = try_push(&pair.clone, branch, 7)
        .err()
        .expect("because it must not arrive")
        .to_string();
    failure.replace(&text(&pair.bare), "BARE")
}

fn hook(pair: &Pair, script: &str) {
    let at = pair.bare.join("hooks/pre-receive");
    std::fs::create_dir_all(pair.bare.join("hooks")).expect("because the folder is ours");
    std::fs::write(&at, script).expect("because the folder is ours");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&at, executable).expect("because the folder is ours");
}

#[test]
fn the_branch_arrives_and_later_runs_replace_it() {
    let pair = pair();
    let there = || git(&pair.bare, &["rev-parse", "refloat/prod"]);
    let one = pushed(&pair.clone, 3);
    assert_eq!(
        (one.was, &one.commit, one.default_branch.as_deref()),
        (Was::Created, &there(), Some("main"))
    );
    let again = pushed(&pair.clone, 3);
    assert_eq!((again.was, &again.commit), (Was::Unchanged, &there()));
    let two = pushed(&pair.clone, 4);
    assert_eq!((two.was, &two.commit), (Was::Updated { from: one.commit }, &there()));
    // Another machine: a clone that knows the branch, and one that knows nothing of it.
    let other = clone(&pair, "other");
    let same = pushed(&other, 4);
    assert_eq!((same.was, &same.commit), (Was::Unchanged, &there()));
    assert_eq!(pushed(&other, 5).was, Was::Updated { from: two.commit });
    let lean = pair.bare.with_file_name("lean");
    let url = format!("file://{}", text(&pair.bare));
    git(
        pair.bare.parent().expect("because it has one"),
        &["clone", "-q", "--depth=1", "--single-branch", &url, "lean"],
    );
    identify(&lean);
    let before = there();
    assert_eq!(pushed(&lean, 5).was, Was::Unchanged);
    assert_eq!(pushed(&lean, 6).was, Was::Updated { from: before });
    assert_eq!(git(&pair.bare, &["show", "refloat/prod:base/web.yaml"]), "replicas: 6");
    assert_eq!(git(&pair.bare, &["rev-list", "--count", "main..refloat/prod"]), "1");
    assert_eq!(git(&pair.bare, &["fsck", "--strict", "--no-dangling"]), "");
}

#[test]
fn somebodys_commits_on_the_remote_are_not_lost() {
    let pair = pair();
    pushed(&pair.clone, 3);
    let other = clone(&pair, "other");
    git(&other, &["checkout", "-q", "refloat/prod"]);
    git(
        &other,
        &["commit", "-q", "--allow-empty", "-m", "review: one more thing"],
    );
    git(&other, &["push", "-q"]);
    let id = git(&other, &["rev-parse", "HEAD"]);
    assert_eq!(
        refused(&pair, "refloat/prod"),
        format!(
            "Error: refloat/prod was not pushed\n  because: refloat/prod of BARE has commits that are not of this export, and they would be lost: {} review: one more thing\n  hint: merge them or name another branch; if nobody needs them, delete the branch (`git fetch --prune` forgets one that is gone from the remote)",
            &id[..12]
        )
    );
    assert_eq!(git(&pair.bare, &["rev-parse", "refloat/prod"]), id);
}

#[test]
fn the_default_branch_of_the_remote_is_refused() {
    let pair = pair();
    git(&pair.bare, &["branch", "live", "main"]);
    git(&pair.bare, &["symbolic-ref", "HEAD", "refs/heads/live"]);
    assert!(refused(&pair, "live").contains("  because: it is the default branch of BARE\n"));
}

#[test]
fn what_a_hook_says_is_told() {
    let pair = pair();
    hook(
        &pair,
        "#!/bin/sh\necho 'branches begin with team/ https://bot:canary@example.com/rules' >&2\nprintf '\\033[31mno\\n' >&2\nexit 1\n",
    );
    let said = refused(&pair, "refloat/prod");
    assert!(
        said.starts_with("Error: refloat/prod was not pushed\n  because: BARE: it refuses the branch\n"),
        "{said}"
    );
    assert!(
        said.contains("remote: branches begin with team/ https://example.com/rules"),
        "{said}"
    );
    assert!(said.contains("\\u{1b}[31mno") && !said.contains("canary"), "{said}");
    assert!(
        said.ends_with(
            "\n  hint: a rule or a hook of the repository is against it: name another branch, or ask those who set it"
        ),
        "{said}"
    );
}

#[test]
fn a_remote_that_cannot_be_written_to_is_told() {
    let pair = pair();
    hook(
        &pair,
        "#!/bin/sh\necho 'error: insufficient permission for adding an object to repository database objects' >&2\nexit 1\n",
    );
    assert!(refused(&pair, "refloat/prod").contains("  because: BARE: it does not let you write\n"));
    git(&pair.clone, &["config", "remote.origin.url", "/no/such/place"]);
    let said = refused(&pair, "refloat/prod");
    assert!(
        said.contains("  because: /no/such/place: there is no such repository, or you may not see it\n"),
        "{said}"
    );
    git(
        &pair.clone,
        &["config", "remote.origin.url", "https://me:canary@127.0.0.1:1/r.git"],
    );
    let said = refused(&pair, "refloat/prod");
    assert!(
        said.contains("  because: https://127.0.0.1:1/r.git: it could not be reached\n") && !said.contains("canary"),
        "{said}"
    );
}

#[test]
fn the_remote_is_the_one_that_git_would_take() {
    let pair = pair();
    let at = &pair.clone;
    let address = || push_address(&tree(at), "x");
    assert_eq!(address().expect("because it was cloned"), text(&pair.bare));
    git(at, &["remote", "add", "fork", "https://me:canary@example.com/fork.git"]);
    git(at, &["config", "remote.pushDefault", "fork"]);
    assert_eq!(
        address().expect("because it is configured"),
        "https://me:canary@example.com/fork.git"
    );
    git(
        at,
        &[
            "config",
            "url.ssh://git@example.com/.pushInsteadOf",
            "https://me:canary@example.com/",
        ],
    );
    assert_eq!(
        address().expect("because it is configured"),
        "ssh://git@example.com/fork.git"
    );
    git(at, &["config", "--unset", "remote.pushDefault"]);
    git(at, &["remote", "rename", "origin", "upstream"]);
    let said = address().expect_err("because there are two").to_string();
    assert!(
        said.contains("  because: the repository has several remotes: fork, upstream\n"),
        "{said}"
    );
    git(at, &["remote", "remove", "fork"]);
    assert_eq!(address().expect("because it is the only one"), text(&pair.bare));
    git(at, &["remote", "remove", "upstream"]);
    assert!(
        address()
            .expect_err("because there is none")
            .to_string()
            .ends_with("  because: the repository has no remote\n  hint: `git remote add origin URL`")
    );
}

#[test]
fn a_clone_of_refloat_is_pushed_from_too() {
    let pair = pair();
    let url = format!("file://{}", text(&pair.bare));
    let cloned = |cache: Option<PathBuf>| {
        // `file://` is read where it lies, so that the clone is made as of a server's.
        super::super::remote::open(
            &url,
            &Options {
                cache,
                ..Options::default()
            },
        )
        .expect("because it is there")
    };
    let cache = tempfile::tempdir().expect("because the tests need a temporary folder");
    let kept = Some(cache.path().to_owned());
    let send = |tree: &Tree, replicas: u8| {
        let files = files(&[("base/web.yaml", Some(&format!("replicas: {replicas}\n")))]);
        let written = commit(tree, &draft("refloat/prod", &files)).expect("because nothing is against it");
        push(tree, &written.expect("because something changes")).unwrap_or_else(|failure| panic!("{failure}"))
    };
    // The clone that is kept gets an identity of its own; a passing one needs that of the user.
    drop(cloned(kept.clone()));
    for clone in std::fs::read_dir(cache.path()).expect("because it was made").flatten() {
        identify(&clone.path());
    }
    let one = send(&cloned(kept.clone()), 3);
    assert_eq!(one.was, Was::Created);
    assert_eq!(send(&cloned(kept.clone()), 3).was, Was::Unchanged);
    if super::super::author(&cloned(None)).is_ok() {
        assert_eq!(send(&cloned(None), 3).was, Was::Unchanged);
    }
    let two = send(&cloned(kept.clone()), 4);
    assert_eq!(two.was, Was::Updated { from: one.commit });
    assert_eq!(send(&cloned(kept), 4).was, Was::Unchanged);
    assert_eq!(git(&pair.bare, &["rev-parse", "refloat/prod"]), two.commit);
    let opened = open(&url, &Options::default()).expect("because it is there");
    assert_eq!(opened.repository().subject.as_deref(), Some("two"));
}

#[test]
fn each_cause_is_told_apart() {
    let remote = Remote {
        name: "origin".to_owned(),
        address: "https://me:canary@example.com/r.git".to_owned(),
        folder: PathBuf::new(),
        batch_ssh: true,
    };
    for (stdout, stderr, means) in [
        (
            "!\tx:refs/heads/x\t[rejected] (stale info)",
            "error: failed to push some refs to 'https://example.com/r.git'",
            "moved meanwhile",
        ),
        (
            "",
            "remote: Permission to org/r.git denied to bot.\nfatal: unable to access 'https://me:canary@example.com/r.git/': The requested URL returned error: 403",
            "let you write",
        ),
        (
            "",
            "git@example.com: Permission denied (publickey).\nfatal: Could not read from remote repository.",
            "let you write",
        ),
        (
            "",
            "fatal: could not read Username for 'https://example.com': terminal prompts disabled",
            "let you write",
        ),
        (
            "",
            "remote: You are not allowed to push code to this project.",
            "let you write",
        ),
        (
            "!\tx:refs/heads/x\t[remote rejected] (protected branch hook declined)",
            "remote: error: GH006: Protected branch update failed for refs/heads/x.",
            "refuses the branch",
        ),
        (
            "",
            "ERROR: Repository not found.\nfatal: Could not read from remote repository.",
            "no such repository",
        ),
        (
            "",
            "Host key verification failed.\nfatal: Could not read from remote repository.",
            "host key",
        ),
        (
            "",
            "ssh: Could not resolve hostname example.com: Name or service not known\nfatal: Could not read from remote repository.",
            "be reached",
        ),
        (
            "",
            "fatal: unable to access 'https://example.com/r.git/': The requested URL returned error: 503",
            "be reached",
        ),
        ("", "fatal: something else", "could not be used"),
    ] {
        let ran = Output {
            code: Some(1),
            stdout: stdout.into(),
            stderr: stderr.into(),
        };
        let said = remote.refused("x", &ran).to_string();
        assert!(said.contains(means) && !said.contains("canary"), "{said}");
    }
    for row in CAUSES {
        for words in row.words {
            let ran = Output {
                code: Some(1),
                stdout: Vec::new(),
                stderr: words.to_uppercase().into_bytes(),
            };
            assert!(remote.refused("x", &ran).to_string().contains(row.means), "{words}");
        }
    }
}

#[test]
fn a_branch_that_moved_meanwhile_is_not_overwritten() {
    let pair = pair();
    let one = pushed(&pair.clone, 3);
    let other = pushed(&clone(&pair, "other"), 4);
    let git = gix::open(&pair.clone).expect("because it was cloned");
    let remote = Remote::of(&git, "refloat/prod").expect("because it was cloned");
    let id = |text: &str| ObjectId::from_hex(text.as_bytes()).expect("because it is an id");
    for seen in [Some(id(&one.commit)), None] {
        let new = git.head_id().expect("because there are commits").detach();
        let said = remote
            .send("refloat/prod", new, seen)
            .expect_err("because it moved")
            .to_string();
        assert!(said.contains(": the branch was moved meanwhile\n"), "{said}");
    }
    assert_eq!(
        super::super::example::git(&pair.bare, &["rev-parse", "refloat/prod"]),
        other.commit
    );
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told() {
    let pair = pair();
    let objects = pair.bare.join("objects");
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o555);
    std::fs::set_permissions(&objects, closed).expect("because the folder is ours");
    // Root writes anywhere.
    if std::fs::write(objects.join("try"), "").is_ok() {
        return;
    }
    assert!(refused(&pair, "refloat/prod").contains("  because: BARE: it does not let you write\n"));
}
