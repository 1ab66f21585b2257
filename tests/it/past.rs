//! History: what the index says against what git says, and what `refloat history` prints.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use refloat::object::{GroupKind, PastIdentity, PastSet};
use refloat::past::{self, Options};
use refloat::source;

use crate::support::repo::{Repo, case};
use crate::support::run::{Ran, refloat};

fn read(folder: &Path, options: &Options) -> PastSet {
    let tree = source::open(&folder.display().to_string(), &source::Options::default()).expect("because it is a clone");
    past::read(&tree, options).expect("because the clone is whole")
}

/// Runs git in a folder with this input and returns its output.
fn git(folder: &Path, args: &[&str], input: &str) -> Vec<u8> {
    #[expect(clippy::disallowed_methods, reason = "git itself is asked")]
    let mut child = Command::new("git")
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("because git is there");
    let mut stdin = child.stdin.take().expect("because it is piped");
    let input = input.to_owned();
    let feeding = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("because it was started");
    feeding
        .join()
        .expect("because writing does not panic")
        .expect("because git reads");
    assert!(output.status.success(), "git {args:?}");
    output.stdout
}

fn lines(folder: &Path, args: &[&str]) -> Vec<String> {
    let output = String::from_utf8(git(folder, args, "")).expect("because git writes UTF-8 here");
    output.lines().map(str::to_owned).collect()
}

/// Whether a file had an object, by commit.
fn presence(folder: &Path, commits: &[String], kind: &GroupKind, name: &str, one: &PastIdentity) -> Vec<bool> {
    let wanted: String = commits
        .iter()
        .map(|commit| format!("{commit}:{}\n", one.path))
        .collect();
    let output = git(folder, &["cat-file", "--batch"], &wanted);
    let mut rest = &output[..];
    commits
        .iter()
        .map(|_| {
            let end = rest
                .iter()
                .position(|byte| *byte == b'\n')
                .expect("because a line comes first");
            let head = String::from_utf8_lossy(&rest[..end]).into_owned();
            rest = &rest[end + 1..];
            if head.ends_with(" missing") {
                return false;
            }
            let size: usize = head
                .rsplit(' ')
                .next()
                .and_then(|size| size.parse().ok())
                .expect("because the line ends with a size");
            let text = &rest[..size];
            rest = &rest[size + 1..];
            kube_yaml::parse(text).iter().any(|document| {
                let Ok(value) = &document.value else { return false };
                let is =
                    |pointer: &str, wanted: Option<&str>| value.pointer(pointer).and_then(|v| v.as_str()) == wanted;
                let version = value["apiVersion"].as_str().unwrap_or_default();
                let group = version.split_once('/').map_or("", |(group, _)| group);
                group == kind.group
                    && is("/kind", Some(&kind.kind))
                    && is("/metadata/name", Some(name))
                    && is("/metadata/namespace", one.namespace.as_deref())
            })
        })
        .collect()
}

#[test]
fn first_and_last_commits_are_those_that_git_tells() {
    const SAMPLED: usize = 50;
    let Some((_folder, clone)) = case("jx3-eagle") else {
        return;
    };
    let set = read(&clone, &Options::default());
    let all: Vec<_> = set
        .identities
        .iter()
        .flat_map(|((kind, name), found)| found.iter().map(move |one| (kind, name, one)))
        .collect();
    assert!(all.len() > 10 * SAMPLED, "{}", all.len());
    let line = lines(&clone, &["rev-list", "--first-parent", "--reverse", "HEAD"]);
    assert_eq!(set.walked, line.len());
    let at = |id: &str| {
        line.iter()
            .position(|commit| commit == id)
            .expect("because it is of the line")
    };
    let (mut removed, mut there) = (0, 0);
    for (kind, name, one) in all.iter().step_by(all.len() / SAMPLED).take(SAMPLED) {
        let log = [
            "log",
            "--first-parent",
            "-m",
            "--full-history",
            "--no-renames",
            "--reverse",
            "--format=%H",
            "--",
            &one.path,
        ];
        let commits = lines(&clone, &log);
        let has = presence(&clone, &commits, kind, name, one);
        let first = has.iter().position(|has| *has).expect("because it was found there");
        let shown = format!("{kind} {name} {one:?}");
        assert_eq!(set.commits[one.first].id, commits[first], "{shown}");
        let last = has.iter().rposition(|has| *has).expect("because it was found there");
        match commits.get(last + 1) {
            Some(gone) => {
                removed += 1;
                assert_eq!(one.removed.map(|at| &set.commits[at].id), Some(gone), "{shown}");
                assert_eq!(set.commits[one.last].id, line[at(gone) - 1], "{shown}");
            }
            None => {
                there += 1;
                assert_eq!(one.removed, None, "{shown}");
                assert_eq!(Some(&set.commits[one.last].id), line.last(), "{shown}");
            }
        }
    }
    assert!(removed > 5 && there > 5, "{removed} {there}");
}

/// A repository whose commits are a minute apart from 2026-01-01T00:00:00Z.
struct Story {
    repo: Repo,
    minute: usize,
}

impl Story {
    fn new() -> Self {
        Self {
            repo: Repo::new(),
            minute: 0,
        }
    }

    /// Commits files; an empty text removes one.
    fn commit(&mut self, subject: &str, files: &[(&str, &str)]) -> String {
        for (path, text) in files {
            match text.is_empty() {
                true => std::fs::remove_file(self.repo.path().join(path)).expect("because it is there"),
                false => self.repo.write(path, text),
            }
        }
        let date = format!("2026-01-01T00:{:02}:00Z", self.minute);
        self.minute += 1;
        self.repo.git_at(&date, &["add", "-A"]);
        self.repo
            .git_at(&date, &["commit", "-q", "--allow-empty", "-m", subject]);
        self.repo.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    fn reference(&self) -> String {
        self.repo.path().display().to_string()
    }
}

const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  replicas: 2\n  template:\n    spec:\n      containers:\n      - name: web\n        image: web:1\n";
const SECRET: &str =
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n  namespace: shop\nstringData:\n  password: canary-one\n";
const KUSTOMIZATION: &str = "resources:\n- web.yaml\n- db.yaml\n";

/// Seven commits, of which `docs/` is none within `apps`.
fn shop() -> Story {
    let mut story = Story::new();
    story.commit("Begin", &[("apps/web.yaml", WEB), ("docs/a.md", "x\n")]);
    story.commit(
        "Add the \u{1b}[31mdatabase",
        &[("apps/db.yaml", SECRET), ("apps/kustomization.yaml", KUSTOMIZATION)],
    );
    story.commit("Say more", &[("docs/a.md", "y\n")]);
    story.commit(
        "Scale",
        &[
            (
                "apps/web.yaml",
                &WEB.replace("replicas: 2", "replicas: 3").replace("web:1", "web:2"),
            ),
            ("apps/db.yaml", &SECRET.replace("canary-one", "canary-two")),
        ],
    );
    story.commit(
        "Explain",
        &[(
            "apps/web.yaml",
            &format!(
                "# why\n{}",
                WEB.replace("replicas: 2", "replicas: 3").replace("web:1", "web:2")
            ),
        )],
    );
    story.commit(
        "Move",
        &[
            ("apps/web.yaml", ""),
            (
                "apps/front/web.yaml",
                &WEB.replace("replicas: 2", "replicas: 3").replace("web:1", "web:2"),
            ),
        ],
    );
    story.commit("Drop", &[("apps/front/web.yaml", "")]);
    story
}

/// What a run printed, with the repository's path and its commits' ids by number.
fn told(story: &Story, ran: Ran) -> (i32, String, String) {
    let ids = lines(story.repo.path(), &["rev-list", "--reverse", "HEAD"]);
    let clean = |text: String| {
        let mut text = text.replace(&story.reference(), "REPO");
        for (number, id) in ids.iter().enumerate() {
            text = text.replace(id, &format!("ID-{number}"));
            text = text.replace(&id[..12], &format!("SHORT-{number}"));
        }
        text
    };
    (ran.code, clean(ran.stdout), clean(ran.stderr))
}

fn history(story: &Story, args: &[&str]) -> (i32, String, String) {
    let cache = tempfile::tempdir().expect("because a temporary folder can be made");
    let mut all = vec!["history".to_owned(), story.reference()];
    all.extend(args.iter().map(|arg| (*arg).to_owned()));
    let ran = refloat(all).env("XDG_CACHE_HOME", cache.path()).run();
    for file in files(cache.path()) {
        let kept = std::fs::read_to_string(&file).expect("because it is text");
        assert!(!kept.contains("canary"), "{}", file.display());
    }
    told(story, ran)
}

fn files(folder: &Path) -> BTreeSet<std::path::PathBuf> {
    let mut found = BTreeSet::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).expect("because it is there") {
            let path = entry.expect("because it was just listed").path();
            match path.is_dir() {
                true => todo.push(path),
                false => drop(found.insert(path)),
            }
        }
    }
    found
}

#[test]
fn revisions_are_listed_newest_first() {
    let (code, out, err) = history(&shop(), &["--path", "apps"]);
    insta::assert_snapshot!(out, @r"
    SHORT-6  2026-01-01 00:06  dev  Drop
      removed  Deployment/shop/web  apps/front/web.yaml

    SHORT-5  2026-01-01 00:05  dev  Move
      moved    Deployment/shop/web  apps/front/web.yaml, before in apps/web.yaml

    SHORT-4  2026-01-01 00:04  dev  Explain
      file     apps/web.yaml

    SHORT-3  2026-01-01 00:03  dev  Scale
      changed  Secret/shop/db  apps/db.yaml
      changed  Deployment/shop/web  apps/web.yaml

    SHORT-1  2026-01-01 00:01  dev  Add the \u{1b}[31mdatabase
      added    Secret/shop/db  apps/db.yaml
      file     apps/kustomization.yaml

    SHORT-0  2026-01-01 00:00  dev  Begin
      added    Deployment/shop/web  apps/web.yaml
    ");
    insta::assert_snapshot!(err, @r"
    reading the history of REPO
    6 revisions within apps.
    ");
    assert_eq!(code, 0);
}

#[test]
fn an_object_is_followed_with_its_fields() {
    let story = shop();
    let (code, out, err) = history(&story, &["deployment/shop/web"]);
    insta::assert_snapshot!(out, @r#"
    SHORT-6  2026-01-01 00:06  dev  Drop
      removed  Deployment/shop/web  apps/front/web.yaml

    SHORT-5  2026-01-01 00:05  dev  Move
      moved    Deployment/shop/web  apps/front/web.yaml, before in apps/web.yaml

    SHORT-3  2026-01-01 00:03  dev  Scale
      changed  Deployment/shop/web  apps/web.yaml
               .spec.replicas  2 → 3
               .spec.template.spec.containers[name=web].image  "web:1" → "web:2"

    SHORT-0  2026-01-01 00:00  dev  Begin
      added    Deployment/shop/web  apps/web.yaml
    "#);
    insta::assert_snapshot!(err, @r"
    reading the history of REPO
    4 revisions of deployment/shop/web.
    ");
    assert_eq!(code, 0);
    let (_, out, _) = history(&story, &["Secret/db", "--limit", "1"]);
    insta::assert_snapshot!(out, @r"
    SHORT-3  2026-01-01 00:03  dev  Scale
      changed  Secret/shop/db  apps/db.yaml
               .data  changed; values are not shown
    ");
}

#[test]
fn a_history_as_json() {
    let (code, out, err) = history(
        &shop(),
        &["--path", "apps", "--limit", "2", "--rev", "HEAD~2", "--output", "json"],
    );
    insta::assert_snapshot!(out, @r#"
    {
      "version": 1,
      "repository": "REPO",
      "commit": "ID-4",
      "paths": [
        "apps"
      ],
      "revisions": [
        {
          "id": "ID-4",
          "time": 1767225840,
          "author": "dev",
          "subject": "Explain",
          "rendered": false,
          "objects": [],
          "files": [
            "apps/web.yaml"
          ]
        },
        {
          "id": "ID-3",
          "time": 1767225780,
          "author": "dev",
          "subject": "Scale",
          "rendered": false,
          "objects": [
            {
              "object": {
                "group": "",
                "kind": "Secret",
                "namespace": "shop",
                "name": "db"
              },
              "change": "changed",
              "file": "apps/db.yaml",
              "fields": [
                {
                  "path": ".data",
                  "hidden": true
                }
              ]
            },
            {
              "object": {
                "group": "apps",
                "kind": "Deployment",
                "namespace": "shop",
                "name": "web"
              },
              "change": "changed",
              "file": "apps/web.yaml",
              "fields": [
                {
                  "path": ".spec.replicas",
                  "before": 2,
                  "after": 3
                },
                {
                  "path": ".spec.template.spec.containers[name=web].image",
                  "before": "web:1",
                  "after": "web:2"
                }
              ]
            }
          ],
          "files": []
        }
      ],
      "more": true
    }
    "#);
    insta::assert_snapshot!(err, @r"reading the history of REPO");
    assert_eq!(code, 0);
}

#[test]
fn rendering_shows_what_files_do_not() {
    let mut story = Story::new();
    let kustomization = "namePrefix: my-\nresources:\n- web.yaml\n";
    story.commit(
        "Begin",
        &[("apps/web.yaml", WEB), ("apps/kustomization.yaml", kustomization)],
    );
    let tagged = format!("{kustomization}images:\n- name: web\n  newTag: \"7\"\n");
    story.commit("Tag", &[("apps/kustomization.yaml", &tagged)]);
    let reference = story.reference();
    let run = |args: &[&str]| {
        let mut all = vec!["history", &reference, "--path", "apps"];
        all.extend(args);
        let cache = tempfile::tempdir().expect("because a temporary folder can be made");
        told(
            &story,
            refloat(all)
                .with_tools(&["kustomize"])
                .env("XDG_CACHE_HOME", cache.path())
                .run(),
        )
    };
    let (code, out, err) = run(&["--render", "2", "--verbose"]);
    insta::assert_snapshot!(out, @r#"
        SHORT-1  2026-01-01 00:01  dev  Tag  (rendered)
          changed  Deployment/shop/my-web  apps/web.yaml
                   .spec.template.spec.containers[name=web].image  "web:1" → "web:7"
          file     apps/kustomization.yaml

        SHORT-0  2026-01-01 00:00  dev  Begin  (rendered)
          added    Deployment/shop/my-web  apps/web.yaml
          file     apps/kustomization.yaml
        "#);
    insta::assert_snapshot!(err, @r"
    reading the history of REPO
    reading REPO
    reading REPO
    reading REPO
    2 revisions within apps.
    ");
    assert_eq!(code, 0);
}

#[test]
fn an_object_is_followed_as_rendered() {
    let mut story = Story::new();
    let kustomization = "resources:\n- web.yaml\nnamePrefix: my-\n";
    let tagged = format!("{kustomization}images:\n- name: web\n  newTag: \"7\"\n");
    let other = format!("{tagged}- name: other\n  newTag: \"8\"\n");
    story.commit(
        "Begin",
        &[("apps/web.yaml", WEB), ("apps/kustomization.yaml", kustomization)],
    );
    story.commit("Tag", &[("apps/kustomization.yaml", &tagged)]);
    story.commit("Tag another", &[("apps/kustomization.yaml", &other)]);
    let unnamed = other.replace("namePrefix: my-\n", "");
    story.commit("Name otherwise", &[("apps/kustomization.yaml", &unnamed)]);
    let run = |object: &str, more: &[&str]| {
        let (reference, cache) = (story.reference(), tempfile::tempdir());
        let cache = cache.expect("because a temporary folder can be made");
        let ran = refloat(
            ["history", &reference, object, "--path", "apps"]
                .iter()
                .chain(more)
                .copied(),
        );
        let ran = ran.with_tools(&["kustomize"]).env("XDG_CACHE_HOME", cache.path()).run();
        let (code, out, err) = told(&story, ran);
        (code, out, err.replace("reading REPO\n", ""))
    };
    let (code, out, err) = run("Deployment/shop/my-web", &["--render", "9"]);
    insta::assert_snapshot!(out, @r#"
    SHORT-3  2026-01-01 00:03  dev  Name otherwise  (rendered)
      removed  Deployment/shop/my-web  apps/web.yaml

    SHORT-1  2026-01-01 00:01  dev  Tag  (rendered)
      changed  Deployment/shop/my-web  apps/web.yaml
               .spec.template.spec.containers[name=web].image  "web:1" → "web:7"

    SHORT-0  2026-01-01 00:00  dev  Begin  (rendered)
      added    Deployment/shop/my-web  apps/web.yaml
    "#);
    insta::assert_snapshot!(err, @r"
    reading the history of REPO
    3 revisions of Deployment/shop/my-web within apps.
    ");
    assert_eq!(code, 0);
    for (more, end) in [
        (&["--render", "9", "--limit", "1"], "; --limit 5 shows more.\n"),
        (&["--render", "2", "--limit", "1"], "; --render 10 shows more.\n"),
    ] {
        let (_, out, err) = run("Deployment/my-web", more);
        assert!(
            out.contains("Name otherwise") && !out.contains("Tag"),
            "{more:?}: {out}"
        );
        assert!(err.ends_with(end), "{more:?}: {err}");
    }
    let (code, out, err) = run("Deployment/shop/web", &["--render", "1", "--rev", "HEAD~1"]);
    assert_eq!((code, out.as_str()), (1, ""));
    insta::assert_snapshot!(err, @r"
    reading the history of REPO
    Error: there is no history of Deployment/shop/web
      because: no rendering of the newest 1 revision declares it
      hint: `refloat render REPO` prints what is declared; a larger --render goes further back
    ");
    let (code, out, err) = run("Deployment/shop/my-web", &["--render", "1", "--rev", "HEAD~1"]);
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(err.ends_with("was found; --render 5 looks further back.\n"), "{err}");
}

#[test]
fn what_is_not_known_is_said() {
    let story = shop();
    let (code, out, err) = history(&story, &["Deployment/shop/wep"]);
    assert_eq!((code, out.as_str()), (1, ""));
    insta::assert_snapshot!(err, @r"
    reading the history of REPO
    Error: there is no history of Deployment/shop/wep
      because: no file of the 7 commits that were read declares it there
      hint: there is Deployment/shop/web
      hint: what charts and kustomizations make by other names is in no file: with --render N they are looked for in the newest N revisions
    ");
    let (code, _, err) = history(&story, &["web"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(err, @r"
    reading the history of REPO
    Error: there is no history of web
      because: it is no object's name
      hint: write Kind/name or Kind/namespace/name, such as Deployment/shop/checkout
    ");
    let (code, out, err) = history(&story, &["--path", "nowhere"]);
    assert_eq!((code, out.as_str()), (0, ""));
    insta::assert_snapshot!(err, @r"
    reading the history of REPO
    No revision within nowhere was found.
    ");
    let (code, _, err) = history(&story, &["--history-since", "lately"]);
    assert_eq!(code, 2);
    insta::assert_snapshot!(err, @r"
    Error: the date lately is not understood
      hint: write 2026-01-31 (the beginning of that day, UTC), 2026-01-31T10:00:00Z or 2026-01-31T10:00:00+02:00
    ");
}

#[test]
fn a_shallow_clone_and_a_bound_are_said() {
    let story = shop();
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let clone = folder.path().join("clone");
    let from = format!("file://{}", story.reference());
    let to = clone.display().to_string();
    git(folder.path(), &["clone", "-q", "--depth", "3", &from, &to], "");
    let cache = tempfile::tempdir().expect("because a temporary folder can be made");
    let run = |args: &[&str]| {
        let mut all = vec!["history", &to];
        all.extend(args);
        let (code, out, err) = told(&story, refloat(all).env("XDG_CACHE_HOME", cache.path()).run());
        (code, out, err.replace(&to, "CLONE"))
    };
    let (code, out, err) = run(&["Deployment/web"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(out, @r"
    SHORT-6  2026-01-01 00:06  dev  Drop
      removed  Deployment/shop/web  apps/front/web.yaml

    SHORT-5  2026-01-01 00:05  dev  Move
      moved    Deployment/shop/web  apps/front/web.yaml, before in apps/web.yaml
    ");
    insta::assert_snapshot!(err, @r"
    reading the history of CLONE
    warning     history is incomplete before 2026-01-01 (commit SHORT-4): the clone is shallow; `git fetch --unshallow` gets the rest
    2 revisions of Deployment/web.
    ");
    let (_, out, err) = run(&["--history-since", "2026-01-01T00:06:00Z"]);
    insta::assert_snapshot!(out, @r"
    SHORT-6  2026-01-01 00:06  dev  Drop
      removed  Deployment/shop/web  apps/front/web.yaml
    ");
    insta::assert_snapshot!(err, @r"
    reading the history of CLONE
    warning     history before 2026-01-01 was not read, as asked for
    1 revision.
    ");
    // What was kept of the shallow clone does not stand in the way once the rest is there.
    git(&clone, &["fetch", "-q", "--unshallow"], "");
    let (_, out, err) = run(&["Deployment/web"]);
    assert_eq!(out.matches("SHORT-").count(), 4, "{out}");
    assert!(!err.contains("incomplete"), "{err}");
}

#[test]
fn rewritten_history_is_read_again_and_said() {
    let mut story = shop();
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let options = Options {
        cache: Some(folder.path().to_owned()),
        ..Options::default()
    };
    let old = story.repo.git(&["rev-parse", "HEAD"]);
    assert_eq!(read(story.repo.path(), &options).incomplete, None);
    // Another branch is no rewriting.
    story.repo.git(&["checkout", "-q", "-b", "side", "HEAD~3"]);
    story.commit("Aside", &[("apps/side.yaml", &WEB.replace("name: web", "name: side"))]);
    assert_eq!(read(story.repo.path(), &options).incomplete, None);
    story.repo.git(&["checkout", "-q", "main"]);
    assert_eq!(read(story.repo.path(), &options).incomplete, None);
    story.repo.git(&["branch", "-q", "-D", "side"]);
    story.repo.git(&["reset", "-q", "--hard", "HEAD~4"]);
    story.commit("Anew", &[("apps/new.yaml", &WEB.replace("name: web", "name: new"))]);
    let said = format!(
        "history was rewritten: commit {} of 2026-01-01 was its end when it was last read, and is no longer part of it; what only the old one declared is not known",
        &old[..12]
    );
    for _ in 0..2 {
        let set = read(story.repo.path(), &options);
        assert_eq!(set.incomplete.as_deref(), Some(&*said));
        let fresh = read(story.repo.path(), &Options::default());
        assert_eq!((set.identities, set.commits), (fresh.identities, fresh.commits));
    }
}
