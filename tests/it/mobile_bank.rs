//! The scenario of the project, restored into a real control plane; order is read from the API server's request log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use refloat::control_plane::Options;
use serde_json::Value;

use crate::support::plane::{Plane, fresh_with, wait};
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat};

/// What is logged: of a change of status also what it says.
const POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [ResponseStarted]
rules:
- level: Request
  verbs: [update, patch]
  resources:
  - {group: apps, resources: ['*/status']}
  - {group: batch, resources: ['*/status']}
  - {group: apiextensions.k8s.io, resources: ['*/status']}
- level: Metadata
";

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("because it is part of the repository")
}

fn stages() -> String {
    root("fixtures/simulate/bank-operator.yaml").display().to_string()
}

/// Runs refloat on a repository; the last line of its output that tells of this event.
fn told(ran: &Ran, event: &str) -> Value {
    let lines = ran
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut of = lines.filter(|line| line["event"] == event);
    of.next_back()
        .unwrap_or_else(|| panic!("no {event}:\n{}\n{}", ran.stdout, ran.stderr))
}

/// The request log, read for when things were sent and when they were ready.
struct Log {
    lines: Vec<Value>,
}

impl Log {
    fn of(plane: &Plane) -> Log {
        Log {
            lines: plane.requests(),
        }
    }

    /// Requests that would change this object (`Kind/namespace/name`), or its status; dry runs left out.
    fn writes<'a>(&'a self, object: &'a str, subresource: Option<&'a str>) -> impl Iterator<Item = &'a Value> {
        let pieces: Vec<&str> = object.split('/').collect();
        let (kind, name) = (pieces[0], pieces[pieces.len() - 1]);
        // The server takes a Namespace to be in itself.
        let namespaced = pieces.len() == 3 || kind == "Namespace";
        let namespace = namespaced.then(|| pieces[1].to_owned());
        let resource = plural(kind);
        self.lines.iter().filter(move |line| {
            let reference = &line["objectRef"];
            let text = |key: &str| reference[key].as_str();
            text("resource") == Some(&resource)
                && text("name") == Some(name)
                // A definition in a group of its own may share the plural; none of the bank's does.
                && text("namespace") == namespace.as_deref()
                && text("subresource") == subresource
                && matches!(line["verb"].as_str(), Some("create" | "update" | "patch"))
                && !line["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun"))
        })
    }

    /// What refloat wrote, as it is live now, by its path; without the server's book-keeping and the status, which go on changing.
    fn live(&self, plane: &Plane) -> BTreeMap<String, Value> {
        let api = plane.api();
        let ours = |line: &&Value| {
            let by_refloat = line["user"]["username"] == "refloat-admin";
            let writes = matches!(line["verb"].as_str(), Some("create" | "patch"));
            // Its own Lease, and the nodes it started the control plane with, are not declared.
            let own = matches!(line["objectRef"]["resource"].as_str(), Some("leases" | "nodes"));
            by_refloat && writes && !own && succeeded(line) && line["objectRef"]["subresource"].is_null()
        };
        let writes = self.lines.iter().filter(ours);
        let paths: BTreeSet<String> = writes.filter_map(|line| path(&line["objectRef"])).collect();
        let read = |path: String| {
            let mut object = wait(api.get(&path)).expect("because the server runs").body;
            for key in ["managedFields", "resourceVersion"] {
                object["metadata"]
                    .as_object_mut()
                    .and_then(|metadata| metadata.shift_remove(key));
            }
            object.as_object_mut().and_then(|object| object.shift_remove("status"));
            (path, object)
        };
        paths.into_iter().map(read).collect()
    }

    /// When it was first sent, whatever came of it.
    fn sent<'a>(&'a self, object: &'a str) -> Option<&'a str> {
        let times = self
            .writes(object, None)
            .filter_map(|line| line["requestReceivedTimestamp"].as_str());
        times.min()
    }

    /// When the server first had it.
    fn created<'a>(&'a self, object: &'a str) -> Option<&'a str> {
        let done = self.writes(object, None).filter(|line| succeeded(line));
        done.filter_map(|line| line["stageTimestamp"].as_str()).min()
    }

    /// When its status that first said so came in: watches tell of it before the write itself is answered.
    fn ready<'a>(&'a self, object: &'a str) -> Option<&'a str> {
        let done = self.writes(object, Some("status"));
        let done = done.filter(|line| succeeded(line) && says_ready(&line["requestObject"]));
        done.filter_map(|line| line["requestReceivedTimestamp"].as_str()).min()
    }
}

/// The path of an object of the log.
fn path(reference: &Value) -> Option<String> {
    let text = |key: &str| reference[key].as_str();
    let (version, resource, name) = (text("apiVersion")?, text("resource")?, text("name")?);
    let base = text("apiGroup").map_or(format!("/api/{version}"), |group| format!("/apis/{group}/{version}"));
    let namespace = text("namespace").filter(|_| resource != "namespaces");
    let namespace = namespace.map_or(String::new(), |namespace| format!("/namespaces/{namespace}"));
    Some(format!("{base}{namespace}/{resource}/{name}"))
}

fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    match lower.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if lower.ends_with('s') => format!("{lower}es"),
        None => format!("{lower}s"),
    }
}

fn succeeded(line: &Value) -> bool {
    line["stage"] == "ResponseComplete" && matches!(line["responseStatus"]["code"].as_u64(), Some(200 | 201))
}

/// As `kubectl rollout status` and `kubectl wait` judge it, and nothing of refloat's.
fn says_ready(object: &Value) -> bool {
    let (spec, status) = (&object["spec"], &object["status"]);
    let is_true = |kind: &str| {
        let mut conditions = status["conditions"].as_array().into_iter().flatten();
        conditions.any(|one| one["type"] == kind && one["status"] == "True")
    };
    match object["kind"].as_str() {
        Some("Deployment") => status["availableReplicas"] == spec["replicas"],
        Some("StatefulSet") => status["readyReplicas"] == spec["replicas"],
        Some("Job") => is_true("Complete"),
        Some("CustomResourceDefinition") => is_true("Established"),
        _ => false,
    }
}

/// The rows of expected-order.txt: object, waits for, until.
fn rows() -> Vec<[String; 3]> {
    let text = read(&root("fixtures/mobile-bank/expected-order.txt"));
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let mut fields = line.split('|').map(|field| field.trim().to_owned());
            std::array::from_fn(|_| fields.next().expect("because a row has four fields"))
        })
        .collect()
}

#[test]
fn everything_comes_back_in_order_and_a_second_time_changes_nothing() {
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let policy = folder.path().join("policy.yaml");
    std::fs::write(&policy, POLICY).expect("because the folder is ours");
    let plane = fresh_with(Options {
        request_log: true,
        simulate: vec![stages().into()],
        api_server_args: vec![format!("--audit-policy-file={}", policy.display())],
        ..Options::default()
    });
    let bank = Repo::of_folder(&root("fixtures/mobile-bank"));
    let repo = bank.path().display().to_string();
    let restore = || {
        let kubeconfig = plane.kubeconfig();
        let args = [
            "restore",
            &repo,
            "--kubeconfig",
            &kubeconfig,
            "--old-cluster-is-gone",
            "--output",
            "json",
        ];
        refloat(args).run()
    };

    let first = restore();
    assert_eq!(first.code, 0, "{}\n{}", first.stdout, first.stderr);
    let summary = told(&first, "summary");
    assert_eq!(summary["objects"], 98);
    let counts = summary["counts"].as_array().expect("because a summary counts");
    let created = |readiness: &str| {
        counts
            .iter()
            .any(|one| one["action"] == "created" && one["readiness"] == readiness)
    };
    assert!(
        counts.len() == 2 && created("current") && created("not-waited-for"),
        "{counts:#?}"
    );
    assert_eq!(summary["failures"], Value::Array(Vec::new()));
    assert_eq!(summary["applied_without"], Value::Array(Vec::new()));

    let log = Log::of(&plane);
    let rows = rows();
    assert!(rows.len() > 50, "the table is read");
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|[object, other, until]| {
            let sent = log.sent(object);
            let before = if until == "ready" {
                log.ready(other)
            } else {
                log.created(other)
            };
            // Both are RFC 3339 in UTC with microseconds, which sort as they are.
            let good = matches!((before, sent), (Some(before), Some(sent)) if before < sent);
            (!good).then(|| format!("{object} was sent at {sent:?}, {other} was {until} at {before:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let before = log.live(&plane);
    assert_eq!(before.len(), 98);
    let second = restore();
    assert_eq!(second.code, 0, "{}\n{}", second.stdout, second.stderr);
    let summary = told(&second, "summary");
    let counts = summary["counts"].as_array().expect("because a summary counts");
    assert!(counts.iter().all(|one| one["action"] == "unchanged"), "{counts:#?}");
    let after = log.live(&plane);
    let changed: Vec<&String> = before
        .keys()
        .filter(|path| before.get(*path) != after.get(*path))
        .collect();
    assert!(changed.is_empty(), "{changed:#?}");
}

/// A copy whose files are in another order within their folders, and the documents in them, too.
fn shuffled() -> Repo {
    fn copy(from: &Path, to: &str, repo: &Repo) {
        let entries = std::fs::read_dir(from).expect("because it is part of the repository");
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.expect("because it was just listed").path())
            .collect();
        paths.sort();
        let count = paths.len();
        for (number, path) in paths.iter().enumerate() {
            let name = path.file_name().expect("because it was listed").to_string_lossy();
            if path.is_dir() {
                copy(path, &format!("{to}/{name}"), repo);
            } else {
                let text = read(path);
                let mut documents: Vec<&str> = text.split("\n---\n").map(str::trim_end).collect();
                documents.reverse();
                repo.write(
                    &format!("{to}/{:02}-{name}", count - number),
                    &documents.join("\n---\n"),
                );
            }
        }
    }
    let repo = Repo::new();
    copy(&root("fixtures/mobile-bank/clusters"), "clusters", &repo);
    repo.commit("declare");
    repo
}

/// A plan as JSON without what names files and commits.
fn plan(repo: &Repo) -> Value {
    fn without_places(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.shift_remove("place");
                map.values_mut().for_each(without_places);
            }
            Value::Array(items) => items.iter_mut().for_each(without_places),
            _ => {}
        }
    }
    let path = repo.path().display().to_string();
    let ran = refloat(["plan", &path, "--kube-version", "1.37", "--output", "json"]).run();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut plan: Value = serde_json::from_str(&ran.stdout).expect("because it is JSON");
    plan.as_object_mut()
        .expect("because a plan is one object")
        .shift_remove("about");
    without_places(&mut plan);
    plan
}

#[test]
fn shuffled_files_give_the_same_plan_and_a_clean_drill() {
    let (bank, other) = (Repo::of_folder(&root("fixtures/mobile-bank")), shuffled());
    let (one, two) = (plan(&bank), plan(&other));
    for key in ["steps", "gates", "notes", "problems", "cuts"] {
        assert_eq!(one[key], two[key], "{key}");
    }
    assert_eq!(one, two);

    let path = other.path().display().to_string();
    let ran = refloat(["drill", &path, "--simulate", &stages(), "--output", "json"]).run();
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(told(&ran, "summary")["in_cluster"], 98);
    let verified = told(&ran, "verified");
    assert_eq!(
        (&verified["clean"], &verified["checked"]),
        (&Value::Bool(true), &Value::from(98))
    );
    assert_eq!(
        verified["not_simulated"],
        Value::Array(Vec::new()),
        "the operator is played"
    );
}

#[test]
fn its_readme_counts_right() {
    let ran = refloat([
        "render",
        &root("fixtures/mobile-bank").display().to_string(),
        "--output",
        "json",
        "--with-provenance",
    ])
    .run();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut files: BTreeMap<String, usize> = BTreeMap::new();
    for line in ran.stdout.lines() {
        let one: Value = serde_json::from_str(line).expect("because each line is JSON");
        let file = one["provenance"]["file"]
            .as_str()
            .expect("because it says where it is from")
            .to_owned();
        *files.entry(file).or_default() += 1;
    }
    let (objects, files) = (files.values().sum::<usize>(), files.len());
    let readme = read(&root("fixtures/mobile-bank/README.md"));
    assert!(
        readme.contains(&format!("{objects} objects in {files} files")),
        "{objects} objects in {files} files"
    );
    assert!(read(&root("fixtures/README.md")).contains(&format!("a bank's cluster in plain YAML, {objects} objects")));
}
