//! Remote repositories: cloned from a real Git server on loopback.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use refloat::source::{self, Options, Tree, parse_date};

use crate::support::repo::Repo;

/// Serves the repositories below a folder with `git daemon`, one process a connection, until the tests end.
fn serve(folder: &Path) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("because loopback has free ports");
    let address = listener.local_addr().expect("because it is bound");
    let folder = folder.to_owned();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            answer(&folder, connection);
        }
    });
    address
}

fn answer(folder: &Path, connection: TcpStream) {
    let other = connection.try_clone().expect("because sockets can be shared");
    #[expect(clippy::disallowed_methods, reason = "tests serve with git itself")]
    let daemon = Command::new("git")
        .args(["daemon", "--inetd", "--export-all"])
        .arg(format!("--base-path={}", folder.display()))
        .arg(folder)
        .stdin(Stdio::from(OwnedFd::from(connection)))
        .stdout(Stdio::from(OwnedFd::from(other)))
        .stderr(Stdio::null())
        .status();
    assert!(daemon.is_ok(), "git daemon starts");
}

/// Three commits on `main`, a minute apart from 2026-01-01T00:00:00Z; `staging` and the tag `v1` at the first.
fn bank() -> Repo {
    let repo = Repo::new();
    for (minute, text) in ["one", "two", "three"].iter().enumerate() {
        repo.write("a.yaml", text);
        let date = format!("2026-01-01T00:0{minute}:00Z");
        repo.git_at(&date, &["add", "-A"]);
        repo.git_at(&date, &["commit", "-q", "-m", text]);
        if minute == 0 {
            repo.git(&["branch", "staging"]);
            repo.git(&["tag", "-a", "-m", "first", "v1"]);
        }
    }
    repo
}

fn url(repo: &Repo) -> String {
    format!("git://{}/.git", serve(repo.path()))
}

fn at(rev: Option<&str>, date: Option<&str>, cache: Option<PathBuf>) -> Options {
    Options {
        rev: rev.map(str::to_owned),
        at: date.map(|date| parse_date(date).expect("because it is a date")),
        cache,
        history: false,
    }
}

fn content(tree: &Tree) -> String {
    String::from_utf8_lossy(&tree.read("a.yaml").expect("because it was committed")).into_owned()
}

#[test]
fn a_remote_repository_is_cloned_at_a_revision_or_date() {
    let repo = bank();
    let url = url(&repo);
    let read = |options: Options| content(&source::open(&url, &options).expect("because the server answers"));
    assert_eq!(read(at(None, None, None)), "three");
    for (rev, wanted) in [
        ("main", "three"),
        ("staging", "one"),
        ("v1", "one"),
        ("main~1", "two"),
        ("v1^{commit}", "one"),
    ] {
        assert_eq!(read(at(Some(rev), None, None)), wanted, "{rev}");
    }
    let id = repo.git(&["rev-parse", "main~1"]);
    assert_eq!(read(at(Some(&id.trim()[..12]), None, None)), "two");
    assert_eq!(read(at(None, Some("2026-01-01T00:01:30Z"), None)), "two");
    let unknown = source::open(&url, &at(Some("stagin"), None, None)).expect_err("because there is no such branch");
    assert_eq!(
        unknown.to_string().replace(&url, "URL"),
        "Error: URL could not be read at revision stagin\n  because: no branch, tag or commit answers to it\n  hint: there is staging"
    );
}

#[test]
fn a_kept_clone_follows_the_remote() {
    let repo = bank();
    let url = url(&repo);
    let cache = tempfile::tempdir().expect("because a temporary folder can be made");
    let read = |rev: Option<&str>| {
        let options = at(rev, None, Some(cache.path().join("clones")));
        content(&source::open(&url, &options).expect("because the server answers"))
    };
    assert_eq!((read(None).as_str(), read(Some("staging")).as_str()), ("three", "one"));
    repo.git(&["branch", "-f", "staging", "main~1"]);
    repo.write("a.yaml", "four");
    repo.commit("four");
    assert_eq!((read(None).as_str(), read(Some("staging")).as_str()), ("four", "two"));
    // History that was written anew is followed too.
    repo.git(&["reset", "-q", "--hard", "main~2"]);
    assert_eq!(read(None), "two");
}

#[test]
fn a_mark_tells_whether_a_revision_moved() {
    let bank = bank();
    let (local, remote) = (bank.path().display().to_string(), url(&bank));
    let marks = |rev: Option<&str>| {
        let of = |reference: &str| {
            let mark = source::mark(reference, &at(rev, None, None));
            mark.expect("because it is there").expect("because it may move")
        };
        [of(&local), of(&remote)]
    };
    let before = [None, Some("main"), Some("staging"), Some("v1"), Some("main~1")].map(|rev| (rev, marks(rev)));
    assert_eq!(before[2].1, marks(Some("staging")), "as long as nothing happens");
    bank.write("a.yaml", "four");
    bank.commit("four");
    for (rev, [local, remote]) in before {
        let [local_now, remote_now] = marks(rev);
        let moved = !matches!(rev, Some("staging" | "v1"));
        assert_eq!((local != local_now, remote != remote_now), (moved, moved), "{rev:?}");
    }
    let id = bank.git(&["rev-parse", "HEAD"]);
    for fixed in [at(Some(id.trim()), None, None), at(None, Some("2026-01-01"), None)] {
        for reference in [&local, &remote] {
            assert_eq!(source::mark(reference, &fixed).expect("because it is there"), None);
        }
    }
    let gone = source::mark(&remote.replace(".git", "nothing"), &at(None, None, None));
    let gone = gone.expect_err("because nothing is served there").to_string();
    assert!(gone.contains("could not be cloned"), "{gone}");
}
