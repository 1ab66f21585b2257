//! An audit as users run it: nothing after a restore; after changes by hand exactly those, each with who and with what.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use refloat::control_plane::Options;
use serde_json::Value;

use super::root;
use crate::support::plane::{Plane, fresh_with};
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat};
use crate::support::tools::at_hand;

/// What no output may hold: values of Secrets, as they are and as the API has them.
const CANARIES: [&str; 2] = ["canary-not-a-secret", "Y2FuYXJ5LW5vdC1hLXNlY3JldC"];

/// A line of by-hand.txt.
pub(crate) struct ByHand {
    pub verdict: String,
    pub object: String,
    tool: String,
    verb: String,
    command: String,
}

pub(crate) fn table() -> Vec<ByHand> {
    let text = include_str!("by-hand.txt");
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let mut parts = line.splitn(5, " | ").map(|part| part.trim().to_owned());
            let mut next = || parts.next().expect("because a line has five parts");
            ByHand {
                verdict: next(),
                object: next(),
                tool: next(),
                verb: next(),
                command: next(),
            }
        })
        .collect()
}

/// Does what a line says, as the person with its number.
pub(crate) fn act(plane: &Plane, person: usize, line: &ByHand) {
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    #[expect(clippy::disallowed_methods, reason = "tests change the cluster with kubectl itself")]
    let output = Command::new("sh")
        .args(["-c", &line.command])
        .env("KUBECONFIG", plane.kubeconfig())
        .env("HOME", folder.path())
        .env("D", folder.path())
        .env("K", format!("kubectl --as=person-{person} --as-group=system:masters"))
        .output()
        .expect("because there is a shell");
    assert!(
        output.status.success(),
        "{}: {}",
        line.command,
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Runs an audit; no canary comes out of it.
fn audit(plane: &Plane, repo: &Path, more: &[&str]) -> Ran {
    let (kubeconfig, repo) = (plane.kubeconfig(), repo.display().to_string());
    let args = ["audit", &repo, "--kubeconfig", &kubeconfig];
    let ran = refloat(args.iter().chain(more).copied()).run();
    for canary in CANARIES {
        assert!(!ran.stdout.contains(canary) && !ran.stderr.contains(canary), "{more:?}");
    }
    ran
}

pub(crate) fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", ran.stdout, ran.stderr))
}

fn name(object: &Value) -> String {
    let text = |key: &str| object[key].as_str();
    let parts = [text("kind"), text("namespace"), text("name")];
    parts.into_iter().flatten().collect::<Vec<_>>().join("/")
}

/// Findings by object.
fn findings(report: &Value) -> BTreeMap<String, &Value> {
    let list = report["findings"].as_array().expect("because a report lists them");
    list.iter().map(|one| (name(&one["object"]), one)).collect()
}

/// What differs between what was done and what was found.
pub(crate) fn differences(lines: &[ByHand], report: &Value, with_log: bool) -> Vec<String> {
    let found = findings(report);
    let expected = || {
        lines
            .iter()
            .enumerate()
            .filter(|(_, line)| with_log || line.tool != "log only")
    };
    let mut wrong = Vec::new();
    for (index, line) in expected() {
        let Some(one) = found.get(&line.object) else {
            wrong.push(format!("{} was not found", line.object));
            continue;
        };
        let author = &one["authors"][0];
        let verdict = one["verdict"].as_str().unwrap_or_default();
        if verdict != line.verdict {
            wrong.push(format!("{} is {verdict}", line.object));
        }
        if with_log {
            let user = format!("refloat-admin as person-{}", index + 1);
            if author["user"] != *user || author["operation"] != *line.verb {
                wrong.push(format!("{} by {user}: {author}", line.object));
            }
            if author["from"] != "127.0.0.1" || author["time"].as_str().is_none_or(str::is_empty) {
                wrong.push(format!("{} from where and when: {author}", line.object));
            }
        } else {
            let tool = author["tool"].as_str().unwrap_or("unknown");
            if tool != line.tool {
                wrong.push(format!("{} with {}: {author}", line.object, line.tool));
            }
        }
    }
    let known: BTreeSet<&str> = expected().map(|(_, line)| line.object.as_str()).collect();
    wrong.extend(
        found
            .keys()
            .filter(|object| !known.contains(object.as_str()))
            .map(|object| format!("{object}: {}", found[object])),
    );
    wrong
}

#[test]
fn exactly_what_was_done_by_hand_is_found() {
    let plane = fresh_with(Options {
        request_log: true,
        simulate: vec![root("fixtures/simulate/bank-operator.yaml")],
        ..Options::default()
    });
    let bank = Repo::of_folder(&root("fixtures/mobile-bank"));
    super::restore(&plane, bank.path(), &[]);
    for more in [&[][..], &["--no-dry-run"]] {
        let ran = audit(&plane, bank.path(), more);
        assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
        assert!(
            ran.stdout.contains("Nothing found.") && ran.stdout.contains("Coverage 100.0 %"),
            "{}",
            ran.stdout
        );
    }
    if !at_hand("kubectl") {
        return;
    }

    let lines = table();
    assert!(lines.len() >= 40, "40 different changes");
    for (index, line) in lines.iter().enumerate() {
        act(&plane, index + 1, line);
    }
    for more in [&["--output", "json"][..], &["--output", "json", "--no-dry-run"]] {
        let ran = audit(&plane, bank.path(), more);
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        let report = json(&ran);
        assert_eq!(report["gaps"], Value::Array(Vec::new()));
        let wrong = differences(&lines, &report, false);
        assert!(wrong.is_empty(), "{more:?}\n{}", wrong.join("\n"));
    }

    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let [old, new] = logs(&plane, folder.path());
    let both = ["--output", "json", "--audit-log", &new, "--audit-log", &old];
    let ran = audit(&plane, bank.path(), &both);
    let wrong = differences(&lines, &json(&ran), true);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    every_format(&plane, bank.path(), folder.path(), lines.len() - 1);
    what_to_ignore(&plane, &bank, folder.path());
}

/// The audit log as it is kept: what is older gzipped, and the newest, which is cut off in its last line.
fn logs(plane: &Plane, folder: &Path) -> [String; 2] {
    let lines: Vec<String> = plane.requests().iter().map(|line| format!("{line}\n")).collect();
    let by_hand = |line: &String| line.contains("person-");
    let first = lines.iter().position(by_hand).expect("because people did something");
    let last = lines.iter().rposition(by_hand).expect("because people did something");
    // Both have some of what people did.
    let (old, new) = lines.split_at(first.midpoint(last));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed
        .write_all(old.concat().as_bytes())
        .expect("because a Vec takes all");
    let packed = packed.finish().expect("because a Vec takes all");
    let cut = format!("{}{{\"kind\":\"Event\",\"apiVer", new.concat());
    let files = [("audit-1.log.gz", packed), ("audit.log", cut.into_bytes())];
    files.map(|(name, bytes)| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("because the folder is ours");
        path.display().to_string()
    })
}

fn every_format(plane: &Plane, repo: &Path, folder: &Path, expected: usize) {
    let human = audit(plane, repo, &[]);
    assert!(
        human.stdout.contains("Never in Git (") && human.stdout.contains("$ kubectl delete "),
        "{}",
        human.stdout
    );
    let sarif = json(&audit(plane, repo, &["--output", "sarif"]));
    let results = sarif["runs"][0]["results"]
        .as_array()
        .expect("because SARIF has results");
    assert_eq!(results.len(), expected);
    let drifted = results.iter().find(|one| {
        one["message"]["text"]
            .as_str()
            .is_some_and(|text| text.contains("Deployment/payments/card-gateway"))
    });
    let place = &drifted.expect("because its image was changed")["locations"][0]["physicalLocation"];
    assert_eq!(
        place["artifactLocation"]["uri"],
        "clusters/production/apps/payments/card-gateway.yaml"
    );
    assert_eq!(place["region"]["startLine"], 1);
    let path = folder.join("audit.html").display().to_string();
    let ran = audit(plane, repo, &["--report", &path]);
    assert_eq!(ran.code, 3);
    let page = std::fs::read_to_string(&path).expect("because it was written");
    assert_eq!(page.matches("<tr data-v=").count(), expected);
    for way in ["src=", "href=", "url(", "@import", "fetch("] {
        assert!(!page.contains(way), "it needs no network: {way}");
    }
    assert!(CANARIES.iter().all(|canary| !page.contains(canary)));
}

fn what_to_ignore(plane: &Plane, bank: &Repo, folder: &Path) {
    let proposal = folder.join("proposal");
    let ran = audit(
        plane,
        bank.path(),
        &[
            "--write-ignore",
            &proposal.display().to_string(),
            "--fail-on",
            "not-reached",
        ],
    );
    assert_eq!(ran.code, 0, "nothing of that sort is there");
    let text = std::fs::read_to_string(&proposal).expect("because it was written");
    assert!(
        text.contains("ClusterRoleBinding.rbac.authorization.k8s.io/contractor-admin  # never-in-git"),
        "{text}"
    );
    bank.write(".refloatignore", &text);
    bank.commit("ignore what is there");
    let report = json(&audit(plane, bank.path(), &["--output", "json"]));
    assert!(
        findings(&report)
            .values()
            .all(|one| matches!(one["verdict"].as_str(), Some("drifted" | "missing")))
    );
    assert_eq!(report["ignored"], 21);
    // A later line that takes one out again.
    let kept = "ClusterRoleBinding.rbac.authorization.k8s.io/contractor-admin";
    bank.write(
        ".refloatignore",
        &format!("{text}!{kept}  # to be seen until it is gone\n"),
    );
    bank.commit("do not ignore an administrator");
    let report = json(&audit(plane, bank.path(), &["--output", "json"]));
    let undeclared = |one: &&Value| !matches!(one["verdict"].as_str(), Some("drifted" | "missing"));
    let found = findings(&report);
    let found: Vec<&str> = found
        .iter()
        .filter(|(_, one)| undeclared(one))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        (found, &report["ignored"]),
        (vec!["ClusterRoleBinding/contractor-admin"], &Value::from(20))
    );
}

#[test]
fn what_cannot_be_reached_is_no_audit() {
    let bank = Repo::of_folder(&root("fixtures/mobile-bank"));
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let kubeconfig = folder.path().join("kubeconfig");
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\nclusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: a, user: {}}]\n";
    std::fs::write(&kubeconfig, text).expect("because the folder is ours");
    let (repo, kubeconfig) = (bank.path().display().to_string(), kubeconfig.display().to_string());
    let ran = refloat(["audit", &repo, "--kubeconfig", &kubeconfig]).run();
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    let ran = refloat(["audit", &repo, "--kubeconfig", &kubeconfig, "--audit-log", "/nowhere"]).run();
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr
            .starts_with("Error: nothing was audited: an audit log could not be read"),
        "{}",
        ran.stderr
    );
}
