use std::io::Write;
use std::path::Path;

use super::super::example::{git, git_tool, text};
use super::super::{Options, Tree, open};
use super::*;

/// A clone with an identity, two commits on `main`, an executable file and a link.
pub(in crate::source) fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
    let write = |path: &str, content: &str| {
        let at = folder.path().join(path);
        std::fs::create_dir_all(at.parent().expect("because it has one")).expect("because the folder is ours");
        std::fs::write(at, content).expect("because the folder is ours");
    };
    write("base/web.yaml", "replicas: 1\n");
    write("only/one.yaml", "a: 1\n");
    write("run.sh", "#!/bin/sh\n");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path().join("run.sh"), executable).expect("because the folder is ours");
    std::os::unix::fs::symlink("base", folder.path().join("prod")).expect("because the folder is ours");
    let run = |args: &[&str]| drop(git(folder.path(), args));
    run(&["init", "-q", "-b", "main"]);
    for (key, value) in [
        ("user.name", "Ann"),
        ("user.email", "ann@example.invalid"),
        ("commit.gpgsign", "false"),
        ("init.defaultBranch", "trunk"),
    ] {
        run(&["config", key, value]);
    }
    run(&["add", "-A"]);
    run(&["commit", "-q", "-m", "one"]);
    write("more.yaml", "a: 1\n");
    run(&["add", "-A"]);
    run(&["commit", "-q", "-m", "two"]);
    folder
}

pub(in crate::source) fn tree(folder: &Path) -> Tree {
    open(&text(folder), &Options::default()).expect("because it is a repository")
}

pub(in crate::source) fn files(of: &[(&str, Option<&str>)]) -> Files {
    let owned = |content: &str| content.as_bytes().to_vec();
    of.iter()
        .map(|(path, content)| ((*path).to_owned(), content.map(owned)))
        .collect()
}

pub(in crate::source) fn draft<'a>(branch: &'a str, files: &'a Files) -> Draft<'a> {
    Draft {
        branch,
        files,
        message: "prod: keep what was changed by hand\n\nDeployment/shop/web: replicas",
        entry: "clusters/prod",
        sign_off: false,
    }
}

fn written(folder: &Path, files: &Files) -> Written {
    let written = commit(&tree(folder), &draft("refloat/prod", files)).expect("because nothing is against it");
    written.expect("because something changes")
}

fn refused(folder: &Path, branch: &str) -> String {
    let files = files(&[("base/web.yaml", Some("replicas: 9\n"))]);
    let refused = commit(&tree(folder), &draft(branch, &files)).expect_err("because it must not be");
    refused
        .to_string()
        .replace(&text(&folder.canonicalize().expect("because it is there")), "REPO")
}

#[test]
fn a_commit_is_written_beside_the_work_tree() {
    let folder = repository();
    let at = folder.path();
    std::fs::write(at.join("more.yaml"), "dirty: true\n").expect("because the folder is ours");
    let status = git(at, &["status", "--porcelain"]);
    let changed = files(&[
        ("prod/web.yaml", Some("replicas: 3\n")),
        ("prod/new/db.yaml", Some("replicas: 1\n")),
        ("only/one.yaml", None),
        ("run.sh", Some("#!/bin/sh\nexit 1\n")),
    ]);
    let one = written(at, &changed);
    assert_eq!(one.was, Was::Created);
    assert_eq!(git(at, &["rev-parse", "refs/heads/refloat/prod"]), one.commit);
    assert_eq!(
        git(at, &["rev-parse", "refloat/prod^"]),
        git(at, &["rev-parse", "main"])
    );
    let changes = git(
        at,
        &["diff", "--no-renames", "--raw", "--no-abbrev", "main", "refloat/prod"],
    );
    let modes: Vec<String> = changes
        .lines()
        .map(|line| format!("{}{}", &line[1..14], &line[96..]))
        .collect();
    assert_eq!(
        modes,
        [
            "000000 100644 A\tbase/new/db.yaml",
            "100644 100644 M\tbase/web.yaml",
            "100644 000000 D\tonly/one.yaml",
            "100755 100755 M\trun.sh"
        ]
    );
    assert_eq!(
        git(at, &["ls-tree", "--name-only", "refloat/prod"]),
        "base\nmore.yaml\nprod\nrun.sh"
    );
    assert_eq!(
        git(at, &["log", "-1", "--format=%an <%ae> %cn%n%B", "refloat/prod"]),
        "Ann <ann@example.invalid> Ann\nprod: keep what was changed by hand\n\nDeployment/shop/web: replicas\n\nRefloat-Export: clusters/prod"
    );
    assert_eq!(
        (git(at, &["status", "--porcelain"]), git(at, &["symbolic-ref", "HEAD"])),
        (status, "refs/heads/main".to_owned())
    );
    assert_eq!(git(at, &["fsck", "--strict"]), "");
    // Where nothing is checked out by name.
    git(at, &["checkout", "-q", "--detach"]);
    assert_eq!(written(at, &changed).was, Was::Unchanged);
    // Over a tree that other contents are laid on.
    let laid = tree(at).with(&files(&[("run.sh", Some("#!/bin/sh\n# laid\n"))]));
    let other = commit(&laid, &draft("laid", &changed)).expect("because nothing is against it");
    assert!(other.is_some());
    assert!(git(at, &["ls-tree", "laid", "run.sh"]).starts_with("100755 "));
}

#[test]
fn a_repository_that_cannot_be_written_to_is_told() {
    let folder = repository();
    let objects = folder.path().join(".git/objects");
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o555);
    std::fs::set_permissions(&objects, closed).expect("because the folder is ours");
    // Root writes anywhere.
    if std::fs::write(objects.join("try"), "").is_ok() {
        return;
    }
    let said = refused(folder.path(), "x");
    assert!(
        said.contains("Permission denied")
            && said.contains("\n  hint: see that the repository's folder can be written to"),
        "{said}"
    );
}

#[test]
fn a_second_run_replaces_the_first_or_leaves_it() {
    let folder = repository();
    let at = folder.path();
    let three = files(&[("base/web.yaml", Some("replicas: 3\n"))]);
    let four = files(&[("base/web.yaml", Some("replicas: 4\n"))]);
    let one = written(at, &three);
    let again = written(at, &three);
    assert_eq!((again.was, &again.commit), (Was::Unchanged, &one.commit));
    let two = written(at, &four);
    assert_eq!(two.was, Was::Updated { from: one.commit });
    assert_eq!(git(at, &["rev-list", "--count", "main..refloat/prod"]), "1");
    // The default branch went on.
    git(at, &["commit", "-q", "--allow-empty", "-m", "three"]);
    assert_eq!(written(at, &four).was, Was::Updated { from: two.commit });
    assert_eq!(
        git(at, &["rev-parse", "refloat/prod^"]),
        git(at, &["rev-parse", "main"])
    );
    let nothing = commit(
        &tree(at),
        &draft("refloat/prod", &files(&[("base/web.yaml", Some("replicas: 1\n"))])),
    );
    assert_eq!(nothing.expect("because nothing is against it"), None);
}

#[test]
fn commits_of_people_are_never_lost() {
    let folder = repository();
    let at = folder.path();
    let three = files(&[("base/web.yaml", Some("replicas: 3\n"))]);
    written(at, &three);
    git(at, &["checkout", "-q", "refloat/prod"]);
    git(at, &["commit", "-q", "--allow-empty", "-m", "review: one more thing"]);
    git(at, &["checkout", "-q", "main"]);
    let said = refused(at, "refloat/prod");
    let id = &git(at, &["rev-parse", "refloat/prod"])[..12];
    assert_eq!(
        said,
        format!(
            "Error: nothing was committed on refloat/prod\n  because: refloat/prod has commits that are not of this export, and they would be lost: {id} review: one more thing\n  hint: merge them or name another branch; if nobody needs them, delete the branch (`git fetch --prune` forgets one that is gone from the remote)"
        )
    );
    // Once merged, the branch is free again when the newest commit on it is ours.
    git(at, &["branch", "-f", "refloat/prod", "refloat/prod~1"]);
    git(at, &["merge", "-q", "--no-ff", "-m", "merge", "refloat/prod"]);
    let four = files(&[("base/web.yaml", Some("replicas: 4\n"))]);
    assert!(matches!(written(at, &four).was, Was::Updated { .. }));
    // Of another entry, of nobody's, and as a remote has it.
    git(at, &["branch", "staging", "main~1"]);
    git(at, &["update-ref", "refs/remotes/origin/seen", "main"]);
    git(at, &["config", "remote.origin.url", "/nowhere"]);
    for (branch, seen) in [("staging", "staging"), ("seen", "origin/seen")] {
        assert!(
            refused(at, branch).contains(&format!("  because: {seen} has commits that are not")),
            "{branch}"
        );
    }
    let tree = tree(at);
    let nine = files(&[("base/web.yaml", Some("replicas: 9\n"))]);
    let other = Draft {
        entry: "clusters/test",
        ..draft("refloat/prod", &nine)
    };
    assert!(commit(&tree, &other).is_err());
}

#[test]
fn branches_that_people_work_on_are_refused() {
    let folder = repository();
    let at = folder.path();
    let usual = "Error: nothing was committed on BRANCH\n  because: it is the default branch, or named like one\n  hint: name a branch that nobody works on: refloat puts its own commits there";
    assert!(refused(at, "main").contains("\n  because: it is checked out in REPO\n"));
    git(at, &["update-ref", "refs/remotes/origin/live", "main"]);
    git(
        at,
        &["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/live"],
    );
    git(at, &["config", "remote.origin.url", "/nowhere"]);
    for branch in ["master", "trunk", "live"] {
        assert_eq!(refused(at, branch), usual.replace("BRANCH", branch));
    }
    git(at, &["worktree", "add", "-q", "-b", "beside", "beside"]);
    assert!(refused(at, "beside").contains("\n  because: it is checked out in REPO/beside\n"));
    assert!(refused(&at.join("beside"), "main").contains("\n  because: it is checked out in /"));
    for branch in ["", "a..b", "-f", "HEAD", "a b", "refs/heads/x.lock"] {
        assert!(
            refused(at, branch).contains("\n  because: it is no name for a branch\n"),
            "{branch}"
        );
    }
    git(at, &["branch", "refloat"]);
    assert!(
        refused(at, "refloat/prod")
            .contains("  hint: see that the repository's folder can be written to, and that no other branch")
    );
    let plain = tempfile::tempdir().expect("because the tests need a temporary folder");
    std::fs::create_dir(plain.path().join("base")).expect("because the folder is ours");
    std::fs::write(plain.path().join("base/web.yaml"), "a").expect("because the folder is ours");
    assert_eq!(
        refused(plain.path(), "x"),
        "Error: nothing was committed on x\n  because: REPO is no Git repository\n  hint: ask for a patch or for files instead"
    );
}

#[test]
fn a_bare_repository_is_as_good() {
    let folder = repository();
    let bare = tempfile::tempdir().expect("because the tests need a temporary folder");
    let at = bare.path().join("r.git");
    git(bare.path(), &["clone", "-q", "--bare", &text(folder.path()), "r.git"]);
    for (key, value) in [
        ("user.name", "Ann"),
        ("user.email", "ann@example.invalid"),
        ("commit.gpgsign", "false"),
    ] {
        git(&at, &["config", key, value]);
    }
    let one = written(&at, &files(&[("base/web.yaml", Some("replicas: 3\n"))]));
    assert_eq!(git(&at, &["rev-parse", "refloat/prod"]), one.commit);
    git(&at, &["branch", "-m", "main", "live"]);
    assert!(refused(&at, "live").contains("\n  because: it is the default branch\n"));
}

#[test]
fn sign_offs_stand_with_the_other_trailers() {
    let none = Files::new();
    let with = |text| {
        message(
            &Draft {
                message: text,
                ..draft("x", &none)
            },
            Some("Ann <a@x>".to_owned()),
        )
    };
    assert_eq!(
        with("one"),
        "one\n\nRefloat-Export: clusters/prod\nSigned-off-by: Ann <a@x>\n"
    );
    assert_eq!(
        with("shop: one\n\ntwo: three\r\n\nCo-authored-by: B <b@x>\n"),
        "shop: one\n\ntwo: three\n\nCo-authored-by: B <b@x>\nRefloat-Export: clusters/prod\nSigned-off-by: Ann <a@x>\n"
    );
    assert_eq!(
        with("shop: one"),
        "shop: one\n\nRefloat-Export: clusters/prod\nSigned-off-by: Ann <a@x>\n"
    );
    let folder = repository();
    git(folder.path(), &["config", "format.signOff", "true"]);
    written(folder.path(), &files(&[("base/web.yaml", Some("replicas: 3\n"))]));
    let trailers = git(folder.path(), &["log", "-1", "--format=%(trailers)", "refloat/prod"]);
    assert_eq!(
        trailers,
        "Refloat-Export: clusters/prod\nSigned-off-by: Ann <ann@example.invalid>"
    );
}

#[test]
fn git_believes_the_signature() {
    let folder = repository();
    let at = folder.path();
    let keys = tempfile::tempdir().expect("because the tests need a temporary folder");
    let keygen = |args: &[&str]| {
        let made = crate::process::Tool::new("ssh-keygen")
            .args(args.iter().copied())
            .inherit(["PATH"])
            .folder(keys.path())
            .run();
        assert_eq!(made.expect("because ssh-keygen is there").code, Some(0));
    };
    keygen(&["-q", "-t", "ed25519", "-N", "", "-f", "key"]);
    keygen(&["-q", "-t", "ed25519", "-N", "a passphrase", "-f", "locked"]);
    let public = std::fs::read_to_string(keys.path().join("key.pub")).expect("because it was made");
    let allowed = keys.path().join("allowed");
    std::fs::write(&allowed, format!("ann@example.invalid {public}")).expect("because the folder is ours");
    let key = text(&keys.path().join("key"));
    for (name, value) in [
        ("commit.gpgsign", "true"),
        ("gpg.format", "ssh"),
        ("user.signingkey", &key),
        ("gpg.ssh.allowedSignersFile", &text(&allowed)),
    ] {
        git(at, &["config", name, value]);
    }
    let three = files(&[("base/web.yaml", Some("replicas: 3\n"))]);
    let one = written(at, &three);
    let verified = git_tool(at, &["verify-commit", "--raw", &one.commit])
        .run()
        .expect("because git is there");
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert_eq!(verified.code, Some(0), "{said}");
    assert!(
        said.contains("Good \"git\" signature for ann@example.invalid"),
        "{said}"
    );
    assert_eq!(git(at, &["fsck", "--strict"]), "");
    assert_eq!(written(at, &three).was, Was::Unchanged);
    git(at, &["config", "user.signingkey", &text(&keys.path().join("locked"))]);
    let said = refused(at, "refloat/other");
    assert!(
        said.starts_with(
            "Error: nothing was committed: the commit could not be signed, and commit.gpgSign is set\n  because: "
        ),
        "{said}"
    );
    git(at, &["config", "gpg.ssh.program", "/no/such/program"]);
    assert!(refused(at, "refloat/other").contains("/no/such/program was not found"));
    assert!(
        git_tool(at, &["rev-parse", "--verify", "-q", "refloat/other"])
            .run()
            .is_ok_and(|ran| ran.code == Some(1))
    );
}

#[test]
fn gpg_signs_too() {
    let Some(gpg) = crate::process::which("gpg") else {
        // Past what is kept of the output of tests that pass.
        let _ = writeln!(std::io::stderr(), "skipped: a signature by gpg, which is not on PATH");
        return;
    };
    let folder = repository();
    let at = folder.path();
    let home = tempfile::tempdir().expect("because the tests need a temporary folder");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(home.path(), private).expect("because the folder is ours");
    let tool = |program: &Path, args: &[&str]| {
        let tool = crate::process::Tool::new(program)
            .args(args.iter().copied())
            .inherit(["PATH"]);
        tool.env("GNUPGHOME", home.path())
            .run()
            .expect("because gpg is there")
            .code
    };
    let me = "Ann <ann@example.invalid>";
    let made = tool(
        &gpg,
        &[
            "--batch",
            "-q",
            "--passphrase",
            "",
            "--quick-gen-key",
            me,
            "ed25519",
            "sign",
            "never",
        ],
    );
    assert_eq!(made, Some(0));
    let script = home.path().join("gpg-here");
    let lines = format!(
        "#!/bin/sh\nGNUPGHOME={} exec {} \"$@\"\n",
        home.path().display(),
        gpg.display()
    );
    std::fs::write(&script, lines).expect("because the folder is ours");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, executable).expect("because the folder is ours");
    for (name, value) in [("commit.gpgsign", "true"), ("gpg.program", &text(&script))] {
        git(at, &["config", name, value]);
    }
    let one = written(at, &files(&[("base/web.yaml", Some("replicas: 3\n"))]));
    let verified = git_tool(at, &["verify-commit", &one.commit])
        .run()
        .expect("because git is there");
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(
        verified.code == Some(0) && said.contains("Good signature from \"Ann <ann@example.invalid>\""),
        "{said}"
    );
    git(at, &["config", "user.signingkey", "nobody@example.invalid"]);
    let said = refused(at, "x");
    assert!(
        said.contains("\n  because: ") && said.contains("No secret key") && !said.contains("GNUPG:"),
        "{said}"
    );
    tool(Path::new("gpgconf"), &["--kill", "all"]);
}

#[test]
fn a_shallow_clone_replaces_its_own_commits_too() {
    let folder = repository();
    let three = files(&[("base/web.yaml", Some("replicas: 3\n"))]);
    let place = tempfile::tempdir().expect("because the tests need a temporary folder");
    let at = place.path().join("clone");
    let url = format!("file://{}", text(folder.path()));
    git(place.path(), &["clone", "-q", "--depth=1", &url, "clone"]);
    for (key, value) in [
        ("user.name", "Ann"),
        ("user.email", "ann@example.invalid"),
        ("commit.gpgsign", "false"),
    ] {
        git(&at, &["config", key, value]);
    }
    let one = written(&at, &three);
    git(folder.path(), &["commit", "-q", "--allow-empty", "-m", "three"]);
    git(&at, &["fetch", "-q", "--depth=1", "origin", "main"]);
    git(&at, &["reset", "-q", "--hard", "FETCH_HEAD"]);
    assert_eq!(written(&at, &three).was, Was::Updated { from: one.commit });
}
