//! Input that is not as it should be: exit code, stdout and stderr, whole, as an operator sees them.

use std::path::Path;

use insta::assert_snapshot;

use crate::support::repo::Repo;
use crate::support::run::{Ran, Refloat, refloat};

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good, namespace: shop}\ndata: {a: b}\n";
const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";

/// `refloat COMMAND REPO ARGS…`, planned for a fresh cluster so that none is needed.
fn run(command: &str, repo: &Path, args: &[&str]) -> Refloat {
    let version = ["--kube-version", "1.37"].map(str::to_owned);
    let version = version.into_iter().filter(|_| matches!(command, "plan" | "render"));
    let repo = repo.to_str().expect("because temporary paths are UTF-8").to_owned();
    let args = args.iter().map(|arg| (*arg).to_owned());
    refloat([command.to_owned(), repo].into_iter().chain(version).chain(args))
}

/// What a run told, with placeholders for what differs from machine to machine.
fn told(ran: &Ran, repo: &Path) -> String {
    let shown = repo.to_str().expect("because temporary paths are UTF-8");
    let text = format!(
        "exit {}\n--- stdout\n{}--- stderr\n{}",
        ran.code, ran.stdout, ran.stderr
    );
    let commit = regex::Regex::new(r"\bcommit [0-9a-f]{12,40}\b").expect("because it is a regular expression");
    commit
        .replace_all(&text.replace(shown, "REPO"), "commit COMMIT")
        .into_owned()
}

fn plan(repo: &Repo, args: &[&str]) -> String {
    told(&run("plan", repo.path(), args).run(), repo.path())
}

fn render(repo: &Repo, args: &[&str]) -> String {
    told(&run("render", repo.path(), args).run(), repo.path())
}

/// A plan of these files beside a good object.
fn plan_with(files: &[(&str, &str)], args: &[&str]) -> String {
    let good = [("namespace.yaml", NAMESPACE), ("good.yaml", CONFIG_MAP)];
    plan(&Repo::with(&[&good, files].concat()), args)
}

#[test]
fn a_path_that_does_not_exist() {
    let ran = refloat(["plan", "/no/such/place", "--kube-version", "1.37"]).run();
    assert_snapshot!(told(&ran, Path::new("/no/such/place")), @r#"
        exit 1
        --- stdout
        --- stderr
        reading REPO
        Error: nothing could be read from REPO
          because: there is no such folder or file
          hint: give a folder, a clone, a bare repository or a Git URL
        "#);
}

#[test]
fn a_folder_that_is_no_repository() {
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    std::fs::write(folder.path().join("notes.txt"), "milk, bread").expect("because the folder is ours");
    let ran = run("plan", folder.path(), &[]).run();
    assert_snapshot!(told(&ran, folder.path()), @r#"
        exit 1
        --- stdout
        --- stderr
        reading REPO
        Error: nothing to restore was found in REPO
          because: it holds no manifests, no kustomization and no chart
          hint: --path names the folder or file that declares the cluster, --rev another revision
        "#);
    let ran = run("plan", folder.path(), &["--rev", "main"]).run();
    assert_snapshot!(told(&ran, folder.path()), @r#"
        exit 1
        --- stdout
        --- stderr
        reading REPO
        Error: no revision can be read from REPO
          because: it is not a Git repository, nor inside of one
          hint: leave out --rev and --at to read the files as they are
        "#);
    let ran = run("plan", folder.path(), &["--at", "2026-01-01"]).run();
    assert_snapshot!(told(&ran, folder.path()), @r#"
        exit 1
        --- stdout
        --- stderr
        reading REPO
        Error: no revision can be read from REPO
          because: it is not a Git repository, nor inside of one
          hint: leave out --rev and --at to read the files as they are
        "#);
}

#[test]
fn an_empty_folder() {
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let ran = run("plan", folder.path(), &[]).run();
    assert_snapshot!(told(&ran, folder.path()), @r#"
        exit 1
        --- stdout
        --- stderr
        reading REPO
        Error: nothing could be read from REPO
          because: there is no file in it
          hint: give the folder that holds the manifests
        "#);
}

#[test]
fn a_url_that_answers_nothing() {
    let ran = refloat([
        "plan",
        "https://me:hunter2@127.0.0.1:9/gitops.git",
        "--kube-version",
        "1.37",
    ])
    .run();
    assert_snapshot!(told(&ran, Path::new("-none-")), @r#"
        exit 1
        --- stdout
        --- stderr
        reading https://127.0.0.1:9/gitops.git
        Error: https://127.0.0.1:9/gitops.git could not be cloned
          because: no connection: Connection refused (os error 111)
          hint: check the address, the network and your credentials; a path to a clone needs none of them
        "#);
}

#[test]
fn a_revision_that_is_not_there() {
    let repo = Repo::with(&[("good.yaml", CONFIG_MAP)]);
    repo.git(&["branch", "release-2026"]);
    assert_snapshot!(plan(&repo, &["--rev", "release-2025"]), @r#"
        exit 1
        --- stdout
        --- stderr
        reading REPO
        Error: REPO could not be read at revision release-2025
          because: no branch, tag or commit answers to it
          hint: there is release-2026
        "#);
    assert_snapshot!(plan(&repo, &["--rev", "nothing-like-it"]), @r#"
        exit 1
        --- stdout
        --- stderr
        reading REPO
        Error: REPO could not be read at revision nothing-like-it
          because: no branch, tag or commit answers to it
          hint: `git branch --all` and `git tag` list what there is
        "#);
    assert_snapshot!(plan(&repo, &["--rev", "main~7"]), @r#"
        exit 1
        --- stdout
        --- stderr
        reading REPO
        Error: REPO could not be read at revision main~7
          because: main is there, and has not so many commits before it
          hint: `git log main` lists them
        "#);
    assert_snapshot!(plan(&repo, &["--rev", "HEAD:good.yaml"]), @r#"
        exit 1
        --- stdout
        --- stderr
        reading REPO
        Error: REPO could not be read at revision HEAD:good.yaml
          because: it is a file, and a commit is needed
          hint: name a branch, a tag or a commit; a folder is named by the path, or with --path
        "#);
}

#[test]
fn a_revision_from_the_reflog() {
    let repo = Repo::with(&[("good.yaml", CONFIG_MAP)]);
    assert_snapshot!(plan(&repo, &["--rev", "main@{yesterday}"]), @r#"
        exit 2
        --- stdout
        --- stderr
        reading REPO
        Error: the revision main@{yesterday} is not taken
          because: it goes by the reflog, which tells what this clone looked at and not what the repository was
          hint: --at DATE takes the state of the branch at a date
        "#);
    assert_snapshot!(plan(&repo, &["--rev", "main@{2026-01-01}"]), @r#"
        exit 2
        --- stdout
        --- stderr
        reading REPO
        Error: the revision main@{2026-01-01} is not taken
          because: it goes by the reflog, which tells what this clone looked at and not what the repository was
          hint: --at DATE takes the state of the branch at a date
        "#);
}

#[test]
fn an_unborn_branch() {
    assert_snapshot!(plan(&Repo::new(), &[]), @r#"
        exit 1
        --- stdout
        --- stderr
        reading REPO
        Error: nothing could be read from REPO
          because: its HEAD names no commit: nothing was committed yet, or the branch is gone
          hint: commit something, or name a revision with --rev
        "#);
}

#[test]
fn a_commit_without_files() {
    let repo = Repo::new();
    repo.commit("begin");
    assert_snapshot!(plan(&repo, &[]), @r#"
        exit 1
        --- stdout
        --- stderr
        reading REPO
        Error: REPO could not be read at commit COMMIT
          because: the commit has no files
          hint: name a revision that has some with --rev
        "#);
}

#[test]
fn a_date_before_the_first_commit_or_none_at_all() {
    let repo = Repo::with(&[("good.yaml", CONFIG_MAP)]);
    assert_snapshot!(plan(&repo, &["--at", "2020-01-01"]), @r#"
        exit 1
        --- stdout
        --- stderr
        reading REPO
        Error: REPO could not be read as of 2020-01-01T23:59:59Z
          because: its first commit is of 2026-01-02T03:04:05Z
          hint: give a later date
        "#);
    assert_snapshot!(plan(&repo, &["--at", "last tuesday"]), @r#"
        exit 2
        --- stdout
        --- stderr
        reading REPO
        Error: the date last tuesday is not understood
          hint: write 2026-01-31 (the end of that day, UTC), 2026-01-31T10:00:00Z or 2026-01-31T10:00:00+02:00
        "#);
}

#[test]
fn a_repository_without_manifests() {
    let repo = Repo::with(&[("README.md", "# hello\n"), ("src/values.yaml", "a: 1\n")]);
    assert_snapshot!(plan(&repo, &[]), @r#"
        exit 1
        --- stdout
        --- stderr
        reading REPO
        Error: nothing to restore was found in REPO
          because: it holds no manifests, no kustomization and no chart
          hint: --path names the folder or file that declares the cluster, --rev another revision
        "#);
}

#[test]
fn a_path_that_is_not_in_the_repository() {
    let repo = Repo::with(&[
        ("clusters/production/good.yaml", CONFIG_MAP),
        ("clusters/staging/good.yaml", CONFIG_MAP),
    ]);
    assert_snapshot!(plan(&repo, &["--path", "clusters/prodution"]), @r#"
        exit 2
        --- stdout
        --- stderr
        reading REPO
        Error: nothing was read: there is no clusters/prodution in REPO
          hint: there is clusters/production, clusters/staging
        "#);
    assert_snapshot!(plan(&repo, &["--path", "../elsewhere"]), @r#"
        exit 2
        --- stdout
        --- stderr
        reading REPO
        Error: nothing was read: there is no ../elsewhere in REPO
          hint: there is clusters
        "#);
}

#[test]
fn several_entries_are_asked_about() {
    let other = format!("{CONFIG_MAP}---\n{NAMESPACE}");
    let repo = Repo::with(&[
        ("clusters/production/good.yaml", CONFIG_MAP),
        ("clusters/staging/all.yaml", &other),
    ]);
    assert_snapshot!(plan(&repo, &[]), @r#"
        exit 2
        --- stdout
        --- stderr
        reading REPO
        Error: nothing was read: REPO offers 2 entries
          because: a cluster may be declared from each of
              clusters/production  manifests, 1 object
              clusters/staging     manifests, 2 objects
          hint: choose with --path, such as --path clusters/production; several --path are taken together
        "#);
}

#[test]
fn an_entry_with_nothing_in_it() {
    let repo = Repo::with(&[("apps/good.yaml", CONFIG_MAP), ("docs/values.yaml", "replicas: 3\n")]);
    assert_snapshot!(plan(&repo, &["--path", "docs"]), @r#"
        exit 1
        --- stdout
        --- stderr
        reading REPO
        Error: nothing is declared in docs
          because: no document there has apiVersion and kind
          hint: --path names the folder or file that declares the cluster
        "#);
}

#[test]
fn yaml_that_cannot_be_read_among_good() {
    let broken = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: broken\n data:\n  a: [1, 2\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: beside, namespace: shop}\n";
    let files = [("broken.yaml", broken)];
    assert_snapshot!(plan_with(&files, &[]), @r#"
        exit 3
        --- stdout
        Plan: 3 objects to apply. Each stands under what it waits for longest:
          Namespace/shop (namespace.yaml:1)
            ConfigMap/shop/beside (broken.yaml:8)  since it lives in that namespace
            ConfigMap/shop/good (good.yaml:1)  since it lives in that namespace
        --- stderr
        reading REPO
        Repository  REPO at c55ad7da22c5 "declare" (2026-01-02 03:04 UTC)
        Entry       the whole repository: manifests, found by itself
        1 error in the repository:
          error: broken.yaml:5: this document is not restored: it is not valid YAML at column 2: while parsing a block mapping, did not find expected key
        "#);
    assert_snapshot!(plan_with(&files, &["--strict"]), @r#"
        exit 1
        --- stdout
        Plan: 3 objects to apply. Each stands under what it waits for longest:
          Namespace/shop (namespace.yaml:1)
            ConfigMap/shop/beside (broken.yaml:8)  since it lives in that namespace
            ConfigMap/shop/good (good.yaml:1)  since it lives in that namespace
        --- stderr
        reading REPO
        Repository  REPO at c55ad7da22c5 "declare" (2026-01-02 03:04 UTC)
        Entry       the whole repository: manifests, found by itself
        1 error in the repository:
          error: broken.yaml:5: this document is not restored: it is not valid YAML at column 2: while parsing a block mapping, did not find expected key
        Error: nothing was done: --strict takes nothing that is wrong or in doubt
          because: 1 thing is wrong with the repository (see above)
          hint: mend it in Git, or leave out --strict: the rest is restored all the same
        "#);
    let repo = Repo::with(&files);
    let ran = run("plan", repo.path(), &["--output", "json"]).run();
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).expect("because JSON was asked for");
    assert_eq!(ran.code, 3);
    assert_snapshot!(json["problems"], @r#"[{"kind":"error","places":[{"file":"broken.yaml","line":5}],"message":"this document is not restored: it is not valid YAML at column 2: while parsing a block mapping, did not find expected key"}]"#);
}

#[test]
fn tabs_templates_and_binaries() {
    let files = [
        ("tab.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: tab\n"),
        (
            "template.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Values.name }}\n",
        ),
        (
            "conflict.yaml",
            "<<<<<<< HEAD\napiVersion: v1\nkind: ConfigMap\n=======\nkind: Secret\n>>>>>>> other\n",
        ),
        ("binary.yaml", "\u{0}\u{1}\u{2}"),
        (
            "broken.json",
            "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"x\",}}",
        ),
    ];
    assert_snapshot!(plan_with(&files, &[]), @r#"
        exit 3
        --- stdout
        Plan: 3 objects to apply. Each stands under what it waits for longest:
          Namespace/shop (namespace.yaml:1)
            ConfigMap/shop/good (good.yaml:1)  since it lives in that namespace
          ConfigMap/default/x (broken.json:1)
        --- stderr
        reading REPO
        Repository  REPO at 787ff1700df1 "declare" (2026-01-02 03:04 UTC)
        Entry       the whole repository: manifests, found by itself
        4 errors in the repository:
          error: binary.yaml:1: this document is not restored: it is not valid YAML: the control character U+0000 is not allowed
          error: conflict.yaml:1: this document is not restored: it is not valid YAML: a merge was committed with its conflict (<<<<<<<) in it
          error: tab.yaml:4: this document is not restored: it is not valid YAML at column 2: tabs disallowed within this context (block indentation)
          error: template.yaml:4: this document is not restored: it is not valid YAML at column 10: a map or a list cannot be a key (it holds {{: a template that was not rendered?)
        "#);
}

#[test]
fn objects_without_a_name_kind_or_version() {
    let files = [
        (
            "no-name.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: shop}\n",
        ),
        ("no-metadata.yaml", "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n"),
        ("no-kind.yaml", "apiVersion: v1\nmetadata: {name: x}\n"),
        ("no-version.yaml", "kind: ConfigMap\nmetadata: {name: x}\n"),
        (
            "number.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 8080}\n",
        ),
        (
            "generate.yaml",
            "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: backup-, namespace: shop}\n",
        ),
        ("text.yaml", "just text\n"),
        (
            "list.yaml",
            "apiVersion: v1\nkind: List\nitems: [{kind: ConfigMap, metadata: {name: x}}, 7]\n",
        ),
        ("version.yaml", "apiVersion: 1\nkind: ConfigMap\nmetadata: {name: x}\n"),
    ];
    assert_snapshot!(plan_with(&files, &[]), @r#"
        exit 3
        --- stdout
        Plan: 2 objects to apply. Each stands under what it waits for longest:
          Namespace/shop (namespace.yaml:1)
            ConfigMap/shop/good (good.yaml:1)  since it lives in that namespace
        --- stderr
        reading REPO
        Repository  REPO at 010574d156af "declare" (2026-01-02 03:04 UTC)
        Entry       the whole repository: manifests, found by itself
        9 errors in the repository:
          error: generate.yaml:1: this Job is not restored: it has metadata.generateName and no name, so that each restore would make one more of it
            hint: give it a metadata.name
          error: list.yaml:1: item 1 of the list is not restored: it has no apiVersion
          error: list.yaml:1: item 2 of the list is not restored: it is no object
          error: no-kind.yaml:1: this document is not restored: it has no kind
            hint: write its kind, or move the file out of the entry
          error: no-metadata.yaml:1: this ConfigMap is not restored: it has no metadata.name
            hint: complete it, or move the file out of the entry
          error: no-name.yaml:1: this ConfigMap is not restored: it has no metadata.name
            hint: complete it, or move the file out of the entry
          error: no-version.yaml:1: this document is not restored: it has no apiVersion
            hint: write its apiVersion, or move the file out of the entry
          error: number.yaml:1: this ConfigMap is not restored: YAML reads its metadata.name as 8080, which is no text
            hint: put the name in quotes
          error: version.yaml:1: this document is not restored: its apiVersion is no text
            hint: write its apiVersion, or move the file out of the entry
        "#);
}

#[test]
fn a_key_given_twice() {
    let twice = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: twice, namespace: shop}\ndata:\n  a: first\n  b: b\n  a: last\n";
    let repo = Repo::with(&[("namespace.yaml", NAMESPACE), ("twice.yaml", twice)]);
    assert_snapshot!(render(&repo, &[]), @r#"
        exit 0
        --- stdout
        apiVersion: v1
        kind: Namespace
        metadata:
          name: shop
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: twice
          namespace: shop
        data:
          a: last
          b: b
        --- stderr
        reading REPO
        1 warning in the repository:
          warning: twice.yaml:7: a is given again in data: this one overrides line 5
        "#);
    assert_snapshot!(plan(&repo, &["--strict"]), @r#"
        exit 1
        --- stdout
        Plan: 2 objects to apply. Each stands under what it waits for longest:
          Namespace/shop (namespace.yaml:1)
            ConfigMap/shop/twice (twice.yaml:1)  since it lives in that namespace
        --- stderr
        reading REPO
        Repository  REPO at 4d53e2fb194f "declare" (2026-01-02 03:04 UTC)
        Entry       the whole repository: manifests, found by itself
        1 warning in the repository:
          warning: twice.yaml:7: a is given again in data: this one overrides line 5
        Error: nothing was done: --strict takes nothing that is wrong or in doubt
          because: 1 thing is wrong with the repository (see above)
          hint: mend it in Git, or leave out --strict: the rest is restored all the same
        "#);
}

#[test]
fn one_identity_twice() {
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good, namespace: shop}\ndata: {a: other}\n";
    let files = [("zz/other.yaml", other), ("zz/same.yaml", NAMESPACE)];
    assert_snapshot!(plan_with(&files, &[]), @r#"
        exit 3
        --- stdout
        Plan: 2 objects to apply. Each stands under what it waits for longest:
          Namespace/shop (zz/same.yaml:1)
            ConfigMap/shop/good (zz/other.yaml:1)  since it lives in that namespace
        --- stderr
        reading REPO
        Repository  REPO at 49f4dce9a354 "declare" (2026-01-02 03:04 UTC)
        Entry       the whole repository: manifests, found by itself
        1 error in the repository:
          error: good.yaml:1 and zz/other.yaml:1: ConfigMap/shop/good: declared more than once with different content; only the last place is used
            hint: keep one of them, or give one another name or namespace
        "#);
}

#[test]
fn leftovers_of_another_cluster() {
    let stale = "\
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: stale
  namespace: shop
  uid: 8d1f2c1e-0000-0000-0000-000000000000
  resourceVersion: '12345'
  creationTimestamp: 2024-01-01T00:00:00Z
  managedFields: [{manager: kubectl}]
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: 1}]
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, creationTimestamp: null}
    spec: {containers: [{name: web, image: web}]}
status: {replicas: 3}
";
    let repo = Repo::with(&[("namespace.yaml", NAMESPACE), ("stale.yaml", stale)]);
    assert_snapshot!(render(&repo, &[]), @r#"
        exit 0
        --- stdout
        apiVersion: v1
        kind: Namespace
        metadata:
          name: shop
        ---
        apiVersion: apps/v1
        kind: ReplicaSet
        metadata:
          name: stale
          namespace: shop
        spec:
          selector:
            matchLabels:
              app: web
          template:
            metadata:
              labels:
                app: web
            spec:
              containers:
              - name: web
                image: web
        --- stderr
        reading REPO
        3 warnings in the repository:
          warning: stale.yaml:1: ReplicaSet/shop/stale: its status was dropped: the cluster writes it
            hint: take it out of the manifest
          warning: stale.yaml:1: ReplicaSet/shop/stale: metadata.ownerReferences was dropped: the owner is of another cluster, and the object would be collected as an orphan
            hint: take it out of the manifest; what its owner makes anew need not be in Git
          warning: stale.yaml:1: ReplicaSet/shop/stale: metadata.uid, metadata.resourceVersion, metadata.creationTimestamp, metadata.managedFields were dropped: only the cluster writes that
            hint: take it out of the manifest
        "#);
}

/// A ConfigMap with annotations, each `KEY: VALUE`.
fn annotated(name: &str, annotations: &[&str]) -> String {
    let annotations: String = annotations.iter().map(|line| format!("    {line}\n")).collect();
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: shop\n  annotations:\n{annotations}"
    )
}

fn depends_on(name: &str, other: &str) -> String {
    annotated(
        name,
        &[&format!(
            "config.kubernetes.io/depends-on: /namespaces/shop/ConfigMap/{other}"
        )],
    )
}

#[test]
fn a_ring_that_people_wrote() {
    let (a, b, c) = (depends_on("a", "b"), depends_on("b", "c"), depends_on("c", "a"));
    let two = format!("{}---\n{}", depends_on("p", "q"), depends_on("q", "p"));
    let files = [("a.yaml", &*a), ("b.yaml", &*b), ("c.yaml", &*c), ("two.yaml", &*two)];
    assert_snapshot!(plan_with(&files, &[]), @r#"
        exit 1
        --- stdout
        --- stderr
        reading REPO
        Error: nothing was planned: objects wait for each other in a ring
          because: ConfigMap/shop/a (a.yaml:1)
            → waits for ConfigMap/shop/b (b.yaml:1)
            → waits for ConfigMap/shop/c (c.yaml:1)
            → waits for ConfigMap/shop/a (a.yaml:1)
          because: ConfigMap/shop/p (two.yaml:1)
            → waits for ConfigMap/shop/q (two.yaml:9)
            → waits for ConfigMap/shop/p (two.yaml:1)
          hint: take one dependsOn or one annotation config.kubernetes.io/depends-on or kapp.k14s.io/change-rule out of each ring
        "#);
    let itself = depends_on("me", "me");
    assert_snapshot!(plan_with(&[("me.yaml", &itself)], &[]), @r#"
        exit 3
        --- stdout
        Plan: 3 objects to apply. Each stands under what it waits for longest:
          Namespace/shop (namespace.yaml:1)
            ConfigMap/shop/good (good.yaml:1)  since it lives in that namespace
            ConfigMap/shop/me (me.yaml:1)  since it lives in that namespace
        --- stderr
        reading REPO
        Repository  REPO at adb6ab3aac5e "declare" (2026-01-02 03:04 UTC)
        Entry       the whole repository: manifests, found by itself
        1 error in the repository:
          error: me.yaml:1: ConfigMap/shop/me: it does not wait for /namespaces/shop/ConfigMap/me: it is that object itself
            hint: take that out of the annotation
        "#);
}

#[test]
fn a_ring_that_can_be_cut() {
    let backed = |name: &str| {
        let text = "\
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: NAME}
webhooks:
- name: NAME.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  clientConfig: {service: {name: NAME, namespace: shop}}
  rules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
---
apiVersion: v1
kind: Service
metadata: {name: NAME, namespace: shop}
spec: {selector: {app: NAME}, ports: [{port: 443}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: shop}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: NAME, image: NAME}]}
";
        text.replace("NAME", name)
    };
    assert_snapshot!(plan_with(&[("a.yaml", &backed("a")), ("b.yaml", &backed("b"))], &[]), @r#"
        exit 0
        --- stdout
        Plan: 8 objects to apply. Each stands under what it waits for longest:
          Namespace/shop (namespace.yaml:1)
            Service/shop/b (b.yaml:11)  since it lives in that namespace
              MutatingWebhookConfiguration/b (b.yaml:1)  once ready, since the webhook refuses everything until that answers (+1 wait)
                Deployment/shop/a (a.yaml:16)  since that webhook looks at it when it is created (+1 wait)
                  MutatingWebhookConfiguration/a (a.yaml:1)  once ready, since the webhook refuses everything until that answers (+1 wait)
            Deployment/shop/b (b.yaml:16)  since it lives in that namespace
            Service/shop/a (a.yaml:11)  since it lives in that namespace
            ConfigMap/shop/good (good.yaml:1)  since it lives in that namespace
        --- stderr
        reading REPO
        Repository  REPO at 6ab1f7bc103c "declare" (2026-01-02 03:04 UTC)
        Entry       the whole repository: manifests, found by itself
        note: These wait for each other in a ring; the weakest link was cut (1)
          Deployment/shop/b: does not wait for MutatingWebhookConfiguration/a, although that webhook looks at it when it is created: Deployment/shop/b → MutatingWebhookConfiguration/a → Deployment/shop/a → MutatingWebhookConfiguration/b → Deployment/shop/b is a ring
        "#);
}

#[test]
fn a_written_dependency_on_nothing() {
    let (a, typo) = (
        depends_on("a", "nowhere"),
        annotated("b", &["config.kubernetes.io/depends-on: ConfigMap good"]),
    );
    assert_snapshot!(plan_with(&[("a.yaml", &a), ("typo.yaml", &typo)], &[]), @r#"
        exit 3
        --- stdout
        Plan: 4 objects to apply. Each stands under what it waits for longest:
          Namespace/shop (namespace.yaml:1)
            ConfigMap/shop/a (a.yaml:1)  since it lives in that namespace
            ConfigMap/shop/b (typo.yaml:1)  since it lives in that namespace
            ConfigMap/shop/good (good.yaml:1)  since it lives in that namespace
        --- stderr
        reading REPO
        Repository  REPO at f068369b43f8 "declare" (2026-01-02 03:04 UTC)
        Entry       the whole repository: manifests, found by itself
        2 errors in the repository:
          error: a.yaml:1: ConfigMap/shop/a: it does not wait for /namespaces/shop/ConfigMap/nowhere: nothing of that name is declared
            hint: declare it, or take it out of the annotation config.kubernetes.io/depends-on
          error: typo.yaml:1: ConfigMap/shop/b: it does not wait for ConfigMap good: that names no object
            hint: config.kubernetes.io/depends-on takes group/namespaces/NAMESPACE/Kind/name or group/Kind/name, the core group left empty
        "#);
}

#[test]
fn links_out_of_the_repository() {
    let repo = Repo::with(&[("namespace.yaml", NAMESPACE), ("good.yaml", CONFIG_MAP)]);
    for (target, link) in [
        ("/etc/passwd", "out.yaml"),
        ("../../elsewhere", "folder"),
        ("nowhere.yaml", "dangling.yaml"),
        ("ring.yaml", "ring.yaml"),
    ] {
        std::os::unix::fs::symlink(target, repo.path().join(link)).expect("because the folder is ours");
    }
    repo.commit("link");
    assert_snapshot!(plan(&repo, &[]), @r#"
        exit 3
        --- stdout
        Plan: 2 objects to apply. Each stands under what it waits for longest:
          Namespace/shop (namespace.yaml:1)
            ConfigMap/shop/good (good.yaml:1)  since it lives in that namespace
        --- stderr
        reading REPO
        Repository  REPO at 6f2e1b9f7761 "link" (2026-01-02 03:04 UTC)
        Entry       the whole repository: manifests, found by itself
        4 errors in the repository:
          error: dangling.yaml: it is not read: it is a symbolic link to something that is not there
          error: folder: it is not read: it is a symbolic link that leads out of the repository
          error: out.yaml: it is not read: it is a symbolic link that leads out of the repository
          error: ring.yaml: it is not read: it is a symbolic link that leads round in a circle
        "#);
}

#[test]
fn a_selection_that_matches_nothing() {
    assert_snapshot!(plan_with(&[], &["--only", "shpo"]), @r#"
        exit 2
        --- stdout
        --- stderr
        reading REPO
        Error: nothing was planned
          because: no declared object matches shpo
          hint: nearest to shpo: shop
        "#);
    assert_snapshot!(plan_with(&[], &["--only", "ConfigMap/shop/god", "--except", "kind=Deployment"]), @r#"
        exit 2
        --- stdout
        --- stderr
        reading REPO
        Error: nothing was planned
          because: no declared object matches ConfigMap/shop/god
          because: no declared object matches kind=Deployment
          hint: nearest to ConfigMap/shop/god: ConfigMap/shop/good, Namespace/shop
          hint: nearest to kind=Deployment: kind=ConfigMap, kind=Namespace
        "#);
    assert_snapshot!(plan_with(&[], &["--only", "label=app=web"]), @r#"
        exit 2
        --- stdout
        --- stderr
        reading REPO
        Error: nothing was planned
          because: no declared object matches label=app=web
        "#);
    assert_snapshot!(plan_with(&[], &["--first", "payments"]), @r#"
        exit 2
        --- stdout
        --- stderr
        reading REPO
        Error: nothing was planned
          because: no declared object matches namespace=payments
          hint: nearest to namespace=payments: namespace=shop
        "#);
    assert_snapshot!(plan_with(&[], &["--only", "shop", "--except", "shop"]), @r#"
        exit 0
        --- stdout
        Nothing to restore: there is no object in what was chosen.
        --- stderr
        reading REPO
        Repository  REPO at 18808db4c0c3 "declare" (2026-01-02 03:04 UTC)
        Entry       the whole repository: manifests, found by itself
        "#);
}

#[test]
fn why_of_an_object_that_is_not_there() {
    assert_snapshot!(plan_with(&[], &["--why", "ConfigMap/shop/god"]), @r#"
        exit 2
        --- stdout
        --- stderr
        reading REPO
        Error: nothing was explained
          because: nothing in the plan is named ConfigMap/shop/god
          hint: there is ConfigMap/shop/good
        "#);
    assert_snapshot!(plan_with(&[], &["--why", "good"]), @r#"
        exit 2
        --- stdout
        --- stderr
        reading REPO
        Error: nothing was explained
          because: nothing in the plan is named good
          hint: there is ConfigMap/shop/good
        "#);
    let twin = CONFIG_MAP.replace("namespace: shop", "namespace: default");
    assert_snapshot!(plan_with(&[("twin.yaml", &twin)], &["--why", "ConfigMap/good"]), @r#"
        exit 2
        --- stdout
        --- stderr
        reading REPO
        Error: nothing was explained
          because: several objects are named ConfigMap/good
          hint: name one of ConfigMap/default/good, ConfigMap/shop/good
        "#);
}

const KUSTOMIZATION: &str = "resources: [web.yaml]\n";
const CHART: &str = "apiVersion: v2\nname: web\nversion: 1.0.0\n";
const TEMPLATE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {replicas: {{ required \"replicas must be set\" .Values.replicas | quote }}}\n";

/// A good object beside a chart and a kustomization.
fn rendered(files: &[(&str, &str)]) -> Repo {
    let good = [("plain/namespace.yaml", NAMESPACE), ("plain/good.yaml", CONFIG_MAP)];
    Repo::with(&[&good, files].concat())
}

#[test]
fn helm_and_kustomize_are_not_installed() {
    let repo = rendered(&[
        ("kustom/kustomization.yaml", KUSTOMIZATION),
        ("kustom/web.yaml", CONFIG_MAP),
        ("chart/Chart.yaml", CHART),
        ("chart/templates/web.yaml", TEMPLATE),
    ]);
    let without = || run("plan", repo.path(), &[]).env("PATH", "/nowhere");
    assert_snapshot!(told(&without().run(), repo.path()), @r#"
        exit 3
        --- stdout
        Plan: 2 objects to apply. Each stands under what it waits for longest:
          Namespace/shop (plain/namespace.yaml:1)
            ConfigMap/shop/good (plain/good.yaml:1)  since it lives in that namespace
        --- stderr
        reading REPO
        Repository  REPO at e1c13535679f "declare" (2026-01-02 03:04 UTC)
        Entry       the whole repository: manifests, found by itself
        1 error in the repository:
          error: chart/Chart.yaml: nothing of this chart is restored: helm was not found
            hint: install helm 3.16 or newer, so that it is on PATH, or name it with --helm-binary
        "#);
    let named = [
        "--helm-binary",
        "/nowhere/helm",
        "--kustomize-binary",
        "/nowhere/kustomize",
    ];
    assert_snapshot!(plan(&repo, &named), @r#"
        exit 3
        --- stdout
        Plan: 2 objects to apply. Each stands under what it waits for longest:
          Namespace/shop (plain/namespace.yaml:1)
            ConfigMap/shop/good (plain/good.yaml:1)  since it lives in that namespace
        --- stderr
        reading REPO
        Repository  REPO at e1c13535679f "declare" (2026-01-02 03:04 UTC)
        Entry       the whole repository: manifests, found by itself
        2 errors in the repository:
          error: chart/Chart.yaml: nothing of this chart is restored: /nowhere/helm was not found
            hint: install helm 3.16 or newer, so that it is on PATH, or name it with --helm-binary
          error: kustom/kustomization.yaml: nothing of this kustomization is restored: /nowhere/kustomize was not found
            hint: leave out --kustomize-binary: refloat renders kustomizations by itself
        "#);
}

#[test]
fn a_kustomization_that_cannot_be_built() {
    let repo = rendered(&[
        ("missing/kustomization.yaml", KUSTOMIZATION),
        ("broken/kustomization.yaml", "resources: [web.yaml\n"),
        (
            "patch/kustomization.yaml",
            "resources: [web.yaml]\npatches: [{target: {kind: Deployment}, path: patch.yaml}]\n",
        ),
        ("patch/web.yaml", CONFIG_MAP),
        ("field/kustomization.yaml", "resource: [web.yaml]\n"),
        ("field/web.yaml", CONFIG_MAP),
        ("out/kustomization.yaml", "resources: [../../../etc]\n"),
    ]);
    let ran = run("plan", repo.path(), &[]).with_tools(&["kustomize"]).run();
    assert_snapshot!(told(&ran, repo.path()), @r#"
        exit 3
        --- stdout
        Plan: 2 objects to apply. Each stands under what it waits for longest:
          Namespace/shop (plain/namespace.yaml:1)
            ConfigMap/shop/good (plain/good.yaml:1)  since it lives in that namespace
        --- stderr
        reading REPO
        Repository  REPO at a5e710e3b884 "declare" (2026-01-02 03:04 UTC)
        Entry       the whole repository: manifests, found by itself
        5 errors in the repository:
          error: broken/kustomization.yaml:1: nothing of this kustomization is restored: the kustomization is invalid: unclosed bracket '['
          error: field/kustomization.yaml:1: nothing of this kustomization is restored: resource: unknown field "resource"
          error: missing/kustomization.yaml:1: nothing of this kustomization is restored: resources[0]: there is no file or folder "web.yaml"
          error: out/kustomization.yaml:1: nothing of this kustomization is restored: resources[0]: "../../../etc" cannot be read: security; it is out of the root of the files
          error: patch/kustomization.yaml:2: nothing of this kustomization is restored: patches[0].path: "patch.yaml" cannot be read: there is no such file
        "#);
}

#[test]
fn a_chart_that_cannot_be_rendered() {
    let repo = rendered(&[
        ("required/Chart.yaml", CHART),
        ("required/templates/web.yaml", TEMPLATE),
        ("syntax/Chart.yaml", CHART),
        ("syntax/templates/web.yaml", "{{ if }}\n"),
        (
            "needs/Chart.yaml",
            "apiVersion: v2\nname: needs\nversion: 1.0.0\ndependencies: [{name: db, version: 1.x, repository: '@charts'}]\n",
        ),
        ("yaml/Chart.yaml", CHART),
        (
            "yaml/templates/web.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n data: {}\n",
        ),
        ("values/Chart.yaml", CHART),
        ("values/values.yaml", "a: [1\n"),
        ("values/templates/web.yaml", CONFIG_MAP),
    ]);
    let ran = run("plan", repo.path(), &[]).with_tools(&["helm"]).run();
    assert_snapshot!(told(&ran, repo.path()), @r#"
        exit 3
        --- stdout
        Plan: 2 objects to apply. Each stands under what it waits for longest:
          Namespace/shop (plain/namespace.yaml:1)
            ConfigMap/shop/good (plain/good.yaml:1)  since it lives in that namespace
        --- stderr
        reading REPO
        Repository  REPO at e78f31fc428c "declare" (2026-01-02 03:04 UTC)
        Entry       the whole repository: manifests, found by itself
        5 errors in the repository:
          error: needs/Chart.yaml: nothing of this chart is restored: it needs db 1.x of @charts, which is not in its charts folder; the chart db is of the repository charts, which Helm does not know here
            hint: run `helm dependency build needs` and commit its charts folder, or give it with --chart db=PATH
          error: required/Chart.yaml: nothing of this chart is restored: execution error at (required/templates/web.yaml:4:20): replicas must be set
          error: syntax/Chart.yaml: nothing of this chart is restored: parse error at (syntax/templates/web.yaml:1): missing value for if
          error: values/Chart.yaml: nothing of this chart is restored: cannot load values.yaml: not valid YAML: line 1: did not find expected ',' or ']'
          error: yaml/Chart.yaml: nothing of this chart is restored: YAML parse error on yaml/templates/web.yaml: not valid YAML: line 4: did not find expected key
        "#);
}

#[test]
fn a_values_file_that_is_not_there() {
    let repo = Repo::with(&[
        ("chart/Chart.yaml", CHART),
        ("chart/templates/web.yaml", TEMPLATE),
        ("chart/values.yaml", "replicas: 1\n"),
        ("chart/prod.yaml", "replicas: [1\n"),
    ]);
    let with = |file: &str| {
        let ran = run("plan", repo.path(), &["--values", file])
            .with_tools(&["helm"])
            .run();
        told(&ran, repo.path())
    };
    assert_snapshot!(with("chart/production.yaml"), @r#"
        exit 2
        --- stdout
        --- stderr
        reading REPO
        Error: nothing was rendered: there is no values file chart/production.yaml
          hint: it is looked for in the repository, from the folder given and from the root, then on this machine
        "#);
    assert_snapshot!(with("chart/prod.yaml"), @r#"
        exit 3
        --- stdout
        Nothing to restore: there is no object in what was chosen.
        --- stderr
        reading REPO
        Repository  REPO at 74e66ced469a "declare" (2026-01-02 03:04 UTC)
        Entry       the whole repository: manifests, found by itself
        1 error in the repository:
          error: chart/Chart.yaml: nothing of this chart is restored: failed to parse chart/prod.yaml: not valid YAML: line 1: did not find expected ',' or ']'
        "#);
}

#[test]
fn wrong_command_lines() {
    let shown = |args: &[&str]| told(&refloat(args.iter().copied()).run(), Path::new("-none-"));
    assert_snapshot!(shown(&["plan"]), @r#"
        exit 2
        --- stdout
        --- stderr
        error: the following required arguments were not provided:
          <REPO>

        Usage: refloat plan <REPO>

        For more information, try '--help'.
        "#);
    assert_snapshot!(shown(&["plann", "."]), @r#"
        exit 2
        --- stdout
        --- stderr
        error: unrecognized subcommand 'plann'

          tip: a similar subcommand exists: 'plan'

        Usage: refloat <COMMAND>

        For more information, try '--help'.
        "#);
    assert_snapshot!(shown(&["plan", ".", "--onyl", "shop"]), @r#"
        exit 2
        --- stdout
        --- stderr
        error: unexpected argument '--onyl' found

          tip: a similar argument exists: '--only'

        Usage: refloat plan --only <TERM> <REPO>

        For more information, try '--help'.
        "#);
    assert_snapshot!(shown(&["plan", ".", "--output", "yaml"]), @r#"
        exit 2
        --- stdout
        --- stderr
        error: invalid value 'yaml' for '--output <FORMAT>'
          [possible values: human, json, dot]

        For more information, try '--help'.
        "#);
    assert_snapshot!(shown(&["plan", ".", "--rev", "main", "--at", "2026-01-01"]), @r#"
        exit 2
        --- stdout
        --- stderr
        error: the argument '--rev <REV>' cannot be used with '--at <DATE>'

        Usage: refloat plan --rev <REV> <REPO>

        For more information, try '--help'.
        "#);
    assert_snapshot!(shown(&["plan", ".", "--kube-version", "newest"]), @r#"
        exit 2
        --- stdout
        --- stderr
        error: invalid value 'newest' for '--kube-version <VERSION>': "newest" is no Kubernetes version such as 1.37

        For more information, try '--help'.
        "#);
    assert_snapshot!(shown(&["plan", "/nowhere", "--kube-version", "1.2"]), @r#"
        exit 1
        --- stdout
        --- stderr
        reading /nowhere
        Error: nothing could be read from /nowhere
          because: there is no such folder or file
          hint: give a folder, a clone, a bare repository or a Git URL
        "#);
    assert_snapshot!(shown(&["restore", ".", "--timeout", "soon"]), @r#"
        exit 2
        --- stdout
        --- stderr
        error: invalid value 'soon' for '--timeout <TIME>': "soon" is no duration such as 90s, 10m or 1h30m

        For more information, try '--help'.
        "#);
    assert_snapshot!(shown(&["restore", ".", "--concurrency", "0"]), @r#"
        exit 2
        --- stdout
        --- stderr
        error: invalid value '0' for '--concurrency <N>': "0" is no number from 1 on

        For more information, try '--help'.
        "#);
}

const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
current-context: prod
clusters: [{name: bank, cluster: {server: 'https://127.0.0.1:9'}}]
users: [{name: me, user: {token: canary-token}}]
contexts:
- {name: prod, context: {cluster: bank, user: me}}
- {name: staging, context: {cluster: gone, user: me}}
";

#[test]
fn kubeconfigs_that_cannot_be_used() {
    let repo = Repo::with(&[("good.yaml", CONFIG_MAP)]);
    let home = tempfile::tempdir().expect("because a temporary folder can be made");
    let file = home.path().join("config");
    let write = |text: &str| std::fs::write(&file, text).expect("because the folder is ours");
    let named = file.to_str().expect("because temporary paths are UTF-8").to_owned();
    let shown = |args: &[&str]| {
        let ran = run("restore", repo.path(), args).run();
        told(&ran, repo.path()).replace(&named, "KUBECONFIG")
    };
    let homeless = || run("restore", repo.path(), &[]).env("HOME", "/nowhere/at/all").run();
    assert_snapshot!(told(&homeless(), repo.path()), @r#"
        exit 1
        --- stdout
        --- stderr
        Error: the kubeconfig could not be used
          because: there is no file /nowhere/at/all/.kube/config
          hint: name one with --kubeconfig FILE or KUBECONFIG
        "#);
    assert_snapshot!(shown(&["--kubeconfig", &named]), @r#"
        exit 1
        --- stdout
        --- stderr
        Error: the kubeconfig could not be used
          because: there is no file KUBECONFIG
          hint: name one with --kubeconfig FILE or KUBECONFIG
        "#);
    write(KUBECONFIG);
    assert_snapshot!(shown(&["--kubeconfig", &named, "--context", "production"]), @r#"
        exit 1
        --- stdout
        --- stderr
        Error: no cluster was reached
          because: there is no context "production" in the kubeconfig
          hint: contexts in the kubeconfig: prod, staging
        "#);
    assert_snapshot!(shown(&["--kubeconfig", &named, "--context", "staging"]), @r#"
        exit 1
        --- stdout
        --- stderr
        Error: the kubeconfig could not be used
          because: context "staging" names the cluster "gone", which the kubeconfig does not have
        "#);
    assert_snapshot!(shown(&["--kubeconfig", &named]), @r#"
        exit 1
        --- stdout
        --- stderr
        Error: cluster "bank" could not be used
          because: context "prod" at https://127.0.0.1:9: connection refused
          hint: is the cluster running, and is this its address?
        "#);
    write("apiVersion: v1\nkind: Config\nusers: [{name: me, user: {token: canary\n");
    assert_snapshot!(shown(&["--kubeconfig", &named]), @r#"
        exit 1
        --- stdout
        --- stderr
        Error: the kubeconfig could not be used
          because: it is not YAML of the form of a kubeconfig
        "#);
    write("");
    assert_snapshot!(shown(&["--kubeconfig", &named]), @r#"
        exit 1
        --- stdout
        --- stderr
        Error: no cluster was chosen
          because: the kubeconfig is empty: it has no contexts
          hint: name another one with --kubeconfig FILE or KUBECONFIG
        "#);
}

/// Values that nobody may see, and the same as a Secret's `data` has them.
const CANARY: &str = "canary-9f3a";
const CANARY_BASE64: &str = "Y2FuYXJ5LTlmM2E=";

/// Secrets in every state: valid, broken in each place that a parser or a tool might quote, rendered, generated.
fn canaries() -> Repo {
    let secret = |name: &str, rest: &str| {
        let text = format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: shop}}\n{rest}\n");
        text.replace("CANARY64", CANARY_BASE64).replace("CANARY", CANARY)
    };
    let plain = [
        ("data", "data: {a: CANARY64}"),
        ("text", "stringData: {a: CANARY}"),
        ("number", "stringData: {a: [CANARY], b: {CANARY: CANARY}}"),
        ("scalar", "data: CANARY"),
        ("list", "data: [CANARY]"),
        ("undecoded", "data: {a: CANARY}"),
        ("twice", "stringData:\n  a: CANARY\n  a: CANARY"),
        ("merge", "stringData: &CANARY {a: CANARY}\nstringData: *CANARY"),
        ("unparsable", "stringData:\n  a: CANARY\n b: CANARY"),
        ("unclosed", "stringData: {a: \"CANARY"),
        ("bracket", "stringData: [CANARY"),
        ("alias", "stringData: {a: *CANARY}"),
        ("tag", "stringData: {a: !CANARY x}"),
        ("percent", "stringData:\n  a: %CANARY"),
        ("at", "stringData:\n  a: @CANARY"),
        ("escape", "stringData: {a: \"\\CANARY\"}"),
        ("colon", "stringData:\n  a: CANARY: CANARY"),
        ("tab", "stringData:\n\ta: CANARY"),
        ("block", "stringData:\n  a: |x CANARY\n  CANARY"),
        ("key", "stringData: {[CANARY]: CANARY}"),
        ("applied", "data: {a: CANARY64}\n# CANARY"),
    ];
    let mut files: Vec<(String, String)> = plain
        .iter()
        .map(|(name, rest)| (format!("plain/{name}.yaml"), secret(name, rest)))
        .collect();
    let mut add = |path: &str, text: &str| files.push((path.to_owned(), text.replace("CANARY", CANARY)));
    add("plain/namespace.yaml", NAMESPACE);
    add("plain/again.yaml", &secret("text", "stringData: {a: CANARY, b: other}"));
    add(
        "plain/nameless.yaml",
        "apiVersion: v1\nkind: Secret\nstringData: {a: CANARY}\n",
    );
    add(
        "plain/kindless.yaml",
        "apiVersion: v1\nmetadata: {name: x}\nstringData: {a: CANARY}\n",
    );
    add(
        "plain/items.yaml",
        "apiVersion: v1\nkind: SecretList\nitems: [{metadata: {name: item}, stringData: {a: CANARY}}, {stringData: {a: CANARY}}, CANARY]\n",
    );
    add(
        "plain/last.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: last\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: '{\"data\":{\"a\":\"CANARY\"}}'\n",
    );
    let chart = |name: &str| format!("charts/{name}/Chart.yaml");
    let template = |name: &str| format!("charts/{name}/templates/secret.yaml");
    for (name, text) in [
        ("good", secret("chart-good", "stringData: {a: {{ .Values.password }}}")),
        ("twice", secret("chart-twice", "stringData:\n  a: x\n  a: CANARY")),
        (
            "broken",
            secret("chart-broken", "stringData:\n  a: {{ .Values.password }}: x"),
        ),
        ("alias", secret("chart-alias", "stringData:\n  a: *CANARY")),
        (
            "type",
            secret("chart-type", "stringData: {{ .Values.password.inner.most }}"),
        ),
        ("head", "kind: [CANARY]\n".to_owned()),
    ] {
        add(&chart(name), CHART);
        add(&format!("charts/{name}/values.yaml"), "password: CANARY\n");
        add(&template(name), &text);
    }
    for (name, kustomization) in [
        ("good", "secretGenerator: [{name: generated, literals: [a=CANARY]}]\n"),
        ("literal", "secretGenerator: [{name: generated, literals: [CANARY]}]\n"),
        (
            "patch",
            "resources: [secret.yaml]\npatches: [{target: {kind: Secret}, patch: CANARY}]\n",
        ),
        (
            "json",
            "resources: [secret.yaml]\npatches: [{target: {kind: Secret}, patch: '[{op: replace, path: /data/x, value: CANARY}]'}]\n",
        ),
        ("broken", "resources: [broken.yaml]\n"),
        ("alias", "resources: [alias.yaml]\n"),
        ("twice", "resources: [twice.yaml]\n"),
        ("map", "resources: [secret.yaml]\ncommonLabels: CANARY\n"),
        ("syntax", "secretGenerator: [{name: generated, literals: [a=CANARY}]\n"),
    ] {
        let at = |file: &str| format!("kustomize/{name}/{file}");
        add(&at("kustomization.yaml"), kustomization);
        add(&at("secret.yaml"), &secret(&format!("k-{name}"), "data: {a: CANARY64}"));
        add(
            &at("broken.yaml"),
            &secret("k-broken", "stringData:\n  a: CANARY\n b: CANARY"),
        );
        add(&at("alias.yaml"), &secret("k-alias", "stringData: {a: *CANARY}"));
        add(
            &at("twice.yaml"),
            &secret("k-twice", "stringData: {a: CANARY, a: CANARY}"),
        );
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    Repo::with(&files)
}

#[test]
fn no_value_of_a_secret_is_ever_told() {
    let repo = canaries();
    let shown = |command: &str, args: &[&str]| {
        let tools = ["helm", "kustomize"];
        let ran = run(command, repo.path(), args).with_tools(&tools).run();
        format!("exit {}\n{}{}", ran.code, ran.stdout, ran.stderr)
    };
    for (command, args) in [
        ("render", &[][..]),
        ("render", &["--output", "json", "--with-provenance"]),
        ("render", &["--with-provenance"]),
        ("plan", &["--verbose"]),
        ("plan", &["--output", "json"]),
        ("plan", &["--output", "dot"]),
        ("plan", &["--strict"]),
        ("plan", &["--why", "Secret/shop/text"]),
        ("plan", &["--only", "label=a"]),
    ] {
        let text = shown(command, args);
        let found =
            [CANARY, CANARY_BASE64].map(|value| text.lines().filter(|line| line.contains(value)).collect::<Vec<_>>());
        assert_eq!(found, [Vec::<&str>::new(), Vec::new()], "{command} {args:?}");
        assert!(
            text.contains("exit 3\n") || args.len() > 1 || args == ["--strict"],
            "{command} {args:?}: {text}"
        );
    }
    let clear = shown("render", &["--show-secrets"]);
    let problems = |text: &str| {
        text.lines()
            .skip_while(|line| !line.contains(" in the repository:"))
            .count()
    };
    assert!(clear.contains(CANARY_BASE64) && problems(&clear) > 20, "{clear}");
    let ran = run("render", repo.path(), &[]).with_tools(&["helm", "kustomize"]).run();
    assert_snapshot!(told(&ran, repo.path()), @r#"
        exit 3
        --- stdout
        apiVersion: v1
        kind: Secret
        metadata:
          name: chart-good
          namespace: shop
          labels:
            app.kubernetes.io/managed-by: Helm
          annotations:
            meta.helm.sh/release-name: good
            meta.helm.sh/release-namespace: default
        data:
          a: '***'
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: chart-twice
          namespace: shop
          labels:
            app.kubernetes.io/managed-by: Helm
          annotations:
            meta.helm.sh/release-name: twice
            meta.helm.sh/release-namespace: default
        data:
          a: '***'
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: generated-2fcdk85276
          namespace: default
        type: Opaque
        data:
          a: '***'
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: applied
          namespace: shop
        data:
          a: '***'
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: data
          namespace: shop
        data:
          a: '***'
        ---
        metadata:
          name: item
          namespace: default
        apiVersion: v1
        kind: Secret
        data:
          a: '***'
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: last
          namespace: default
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: list
          namespace: shop
        data: '***'
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: merge
          namespace: shop
        data:
          a: '***'
        ---
        apiVersion: v1
        kind: Namespace
        metadata:
          name: shop
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: number
          namespace: shop
        stringData:
          a: '***'
          b: '***'
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: scalar
          namespace: shop
        data: '***'
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: tag
          namespace: shop
        data:
          a: '***'
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: text
          namespace: shop
        data:
          a: '***'
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: twice
          namespace: shop
        data:
          a: '***'
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: undecoded
          namespace: shop
        data:
          a: '***'
        --- stderr
        reading REPO
        28 errors and 4 warnings in the repository:
          error: charts/alias/Chart.yaml: nothing of this chart is restored: not valid YAML: an alias (*name) without its anchor, or a text beginning with * that is not in quotes
          error: charts/broken/Chart.yaml: nothing of this chart is restored: YAML parse error on charts/broken/templates/secret.yaml: not valid YAML: line 5: mapping values are not allowed in this context
          error: charts/head/Chart.yaml: nothing of this chart is restored: YAML parse error on charts/head/templates/secret.yaml: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go struct field SimpleHead.kind of type string
          error: charts/type/Chart.yaml: nothing of this chart is restored: charts/type/templates/secret.yaml:4:22 executing "charts/type/templates/secret.yaml" at <.Values.password.inner.most>: can't evaluate field inner in type interface {}
          error: kustomize/alias/alias.yaml:4: nothing of kustomize/alias/kustomization.yaml is restored: resources[0]: malformed YAML: while parsing node, found unknown anchor
          error: kustomize/broken/broken.yaml:6: nothing of kustomize/broken/kustomization.yaml is restored: resources[0]: malformed YAML: while parsing a block mapping, did not find expected key
          error: kustomize/json/kustomization.yaml:2: nothing of this kustomization is restored: patches[0]: the patch begins with [ but is no JSON
          error: kustomize/literal/kustomization.yaml:1: nothing of this kustomization is restored: secretGenerator[0]: literals[0] of "generated" is not of the form key=value
          error: kustomize/map/kustomization.yaml:2: nothing of this kustomization is restored: commonLabels: a map of strings was expected here, and a string is here
          error: kustomize/patch/kustomization.yaml:2: nothing of this kustomization is restored: patches[0]: the patch is neither an object nor a list of JSON patch operations
          error: kustomize/syntax/kustomization.yaml:1: nothing of this kustomization is restored: the kustomization is invalid: mismatched bracket '[' closed by '}'
          error: kustomize/twice/twice.yaml:4: nothing of kustomize/twice/kustomization.yaml is restored: resources[0]: the key "a" is given twice in stringData
          error: plain/again.yaml:1 and plain/text.yaml:1: Secret/shop/text: declared more than once with different content; only the last place is used
            hint: keep one of them, or give one another name or namespace
          error: plain/alias.yaml:4: this document is not restored: it is not valid YAML at column 17: while parsing node, found unknown anchor
          error: plain/at.yaml:5: this document is not restored: it is not valid YAML at column 6: unexpected character: `@'
          error: plain/block.yaml:5: this document is not restored: it is not valid YAML at column 6: while scanning a block scalar, did not find expected comment or line break
          error: plain/bracket.yaml:4: this document is not restored: it is not valid YAML at column 13: unclosed bracket '['
          error: plain/colon.yaml:5: this document is not restored: it is not valid YAML at column 17: mapping values are not allowed in this context
          error: plain/escape.yaml:4: this document is not restored: it is not valid YAML at column 17: while parsing a quoted scalar, found unknown escape character
          error: plain/items.yaml:1: item 3 of the list is not restored: it is no object
          error: plain/items.yaml:1: this Secret is not restored: it has no metadata.name
            hint: complete it, or move the file out of the entry
          error: plain/key.yaml:4: this document is not restored: it is not valid YAML at column 14: a map or a list cannot be a key
          error: plain/kindless.yaml:1: this document is not restored: it has no kind
            hint: write its kind, or move the file out of the entry
          error: plain/nameless.yaml:1: this Secret is not restored: it has no metadata.name
            hint: complete it, or move the file out of the entry
          error: plain/percent.yaml:5: this document is not restored: it is not valid YAML at column 6: unexpected character: `%'
          error: plain/tab.yaml:5: this document is not restored: it is not valid YAML at column 2: tabs disallowed within this context (block indentation)
          error: plain/unclosed.yaml:4: this document is not restored: it is not valid YAML at column 17: unclosed quote
          error: plain/unparsable.yaml:6: this document is not restored: it is not valid YAML at column 2: while parsing a block mapping, did not find expected key
          warning: charts/twice/templates/secret.yaml: a is given again in stringData: this one overrides line 7
          warning: plain/last.yaml:1: Secret/last: the annotation kubectl.kubernetes.io/last-applied-configuration was dropped: only the cluster writes that
            hint: take it out of the manifest
          warning: plain/merge.yaml:5: stringData is given again: this one overrides line 4
          warning: plain/twice.yaml:6: a is given again in stringData: this one overrides line 5
        "#);
}
