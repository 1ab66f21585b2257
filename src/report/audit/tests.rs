//! One audit in every format: with a Secret, names that would drive a terminal or a page, and a gap.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::audit::{Cause, Confidence, Divergence, MadeBy, Match, News, Resolved, Verdict};
use crate::object::{FieldChange, FieldDrift, GroupKind, Manager, Method, ObjectId, Place};
use crate::report::sample;

fn finding(id: ObjectId, verdict: Verdict) -> Finding {
    let mut finding = Finding::new(id, verdict);
    finding.authors = vec![Author {
        tool: "kubectl edit".to_owned(),
        user: Some("alice".to_owned()),
        from: Some("10.1.2.3".to_owned()),
        time: "2026-01-02T03:04:05Z".to_owned(),
        operation: "patch".to_owned(),
        confidence: Confidence::Certain,
        evidence: "audit log: alice patch".to_owned(),
    }];
    finding
}

fn drifted(kind: &str, path: &str) -> Finding {
    let field = FieldDrift {
        path: path.to_owned(),
        change: FieldChange::Changed,
        declared: Some(json!("canary-declared")),
        live: Some(json!("canary-live")),
        manager: Some(0),
        digest: 0,
        waived: None,
    };
    let manager = Manager {
        name: "kubectl-edit".to_owned(),
        operation: "Update".to_owned(),
        subresource: String::new(),
        time: "2026-01-02T03:04:05Z".to_owned(),
        fields: None,
    };
    let fields = Verdict::Drifted {
        fields: vec![field],
        managers: vec![manager],
        method: Method::DryRun,
    };
    let mut one = finding(sample::id(kind, "db"), fields);
    one.place = Some(Place::at("a b/db.yaml", 7));
    one.matched = Match::Exact;
    one
}

fn made_by(unit: &str) -> MadeBy {
    MadeBy {
        tool: "Helm",
        unit: unit.to_owned(),
    }
}

fn found() -> Findings {
    let path = "clusters/b/db.yaml".to_owned();
    let mut elsewhere = finding(sample::id("Service", "db"), Verdict::NotReached { path });
    elsewhere.authors[0].confidence = Confidence::Likely;
    elsewhere.matched = Match::MadeByUnit;
    elsewhere.unit = Some(Box::new(made_by("bank/db")));
    let mut odd = Finding::new(
        ObjectId::new("", "ConfigMap", Some("bank"), "<b>\u{1b}[31m"),
        Verdict::NeverInGit,
    );
    odd.remedy = Some("kubectl delete configmap/x".to_owned());
    let removed = Verdict::RemovedFromGit {
        commit: (
            "0123".to_owned(),
            "drop it".to_owned(),
            "2026-01-01T00:00:00Z".to_owned(),
        ),
        path: "old.yaml".to_owned(),
    };
    Findings {
        findings: vec![
            odd,
            drifted("Deployment", ".spec.x"),
            drifted("Secret", ".data.password"),
            finding(sample::id("Namespace", "gone"), removed),
            elsewhere,
        ],
        counts: BTreeMap::from([("never-in-git", 1), ("drifted", 2), ("in-sync", 6)]),
        coverage: BTreeMap::from([("bank".to_owned(), Coverage { in_sync: 6, counted: 9 })]),
        lost: Vec::new(),
        ignored: 1,
        waived: BTreeMap::from([("Application/argocd/web".to_owned(), 3)]),
        offline: BTreeMap::from([
            (GroupKind::new("", "Secret"), (2, "no dry run: forbidden".to_owned())),
            (GroupKind::new("apps", "Deployment"), (1, "no dry run: busy".to_owned())),
        ]),
        by_rule: BTreeMap::from([("root-ca", 2)]),
        by_unit: BTreeMap::from([(made_by("shop/web"), 4)]),
    }
}

/// Who owns the fields that differ, for programs.
fn owner() -> Value {
    json!({"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-02T03:04:05Z"})
}

fn told(format: &str) -> String {
    let (findings, past) = (
        found(),
        PastSet {
            walked: 12,
            incomplete: Some("shallow".to_owned()),
            ..PastSet::default()
        },
    );
    let gaps = [FactGap {
        what: "list secrets".to_owned(),
        reason: "forbidden".to_owned(),
    }];
    let mut out = Vec::new();
    let audited = Audited {
        about: sample::about(),
        findings: &findings,
        gaps: &gaps,
        past: &past,
        log: None,
        problems: &[],
        declared: 9,
        live: 20,
    };
    let written = match format {
        "human" => audited.human(&mut out),
        "json" => audited.json(&mut out),
        "sarif" => audited.sarif(&mut out),
        _ => audited.html(&mut out),
    };
    written.expect("because a Vec takes all");
    let text = String::from_utf8(out).expect("because it is text");
    assert!(!text.contains('\u{1b}'), "{text}");
    text
}

#[test]
fn for_people() {
    let text = told("human");
    let shown = text.split_once("History").map_or("", |(_, rest)| rest.trim_start());
    insta::assert_snapshot!(shown, @r#"
    12 commits; shallow

    Never in Git (1)
      bank
        ConfigMap/bank/<b>\u{1b}[31m
          by: unknown; managedFields does not tell, an audit log would
          $ kubectl delete configmap/x

    Drifted (2)
      bank
        Deployment/bank/db  a b/db.yaml:7
          changed  .spec.x: "canary-declared" → "canary-live" (kubectl-edit, 2026-01-02T03:04:05Z)
          by: alice with kubectl edit, 2026-01-02T03:04:05Z, from 10.1.2.3 [certain; audit log: alice patch]
        Secret/bank/db  a b/db.yaml:7
          changed  .data.password (kubectl-edit, 2026-01-02T03:04:05Z)
          by: alice with kubectl edit, 2026-01-02T03:04:05Z, from 10.1.2.3 [certain; audit log: alice patch]

    Removed from Git (1)
      cluster-scoped
        Namespace/gone
          by: alice with kubectl edit, 2026-01-02T03:04:05Z, from 10.1.2.3 [certain; audit log: alice patch]

    In the repository, not reached from the entry (1)
      bank
        Service/bank/db
          clusters/b/db.yaml
          Helm bank/db
          by: alice with kubectl edit, 2026-01-02T03:04:05Z, from 10.1.2.3 [likely; audit log: alice patch]

    5 findings.
    9 declared, 20 live: 2 drifted, 6 in sync, 1 never in git.
    1 finding left out by .refloatignore.
    3 fields left out, since Git tells the engine not to compare them: Application/argocd/web (3).
    3 declared objects compared offline, without the server's defaults and webhooks: no dry run: forbidden; and 1 other reason.
    Coverage 66.6 %: 6 of 9 objects are in the cluster as Git declares them.
       66.6 %  bank (6 of 9)

    Not read (1): what is there is not known
      list secrets: forbidden
    "#);
}

#[test]
fn values_of_secrets_are_in_no_format() {
    for format in ["human", "json", "sarif", "html"] {
        let text = told(format);
        assert_eq!(
            text.matches("canary-declared").count(),
            1,
            "of the Deployment only: {text}"
        );
        assert_eq!(text.matches("canary-live").count(), 1, "of the Deployment only: {text}");
        assert!(text.contains(".data.password"));
    }
}

#[test]
fn as_json() {
    let value: Value = serde_json::from_str(&told("json")).expect("because it is JSON");
    assert_eq!(value["version"], 1);
    assert_eq!(value["coverage"], json!({"in_sync": 6, "counted": 9, "percent": 66.6}));
    assert_eq!(
        value["findings"][1]["fields"],
        json!([{"path": ".spec.x", "change": "changed", "declared": "canary-declared", "live": "canary-live", "owner": owner()}])
    );
    let (never, elsewhere) = (&value["findings"][0], &value["findings"][4]);
    assert_eq!(
        (
            &never["matched"],
            &elsewhere["matched"],
            &elsewhere["authors"][0]["confidence"]
        ),
        (&json!("none"), &json!("made-by-unit"), &json!("likely"))
    );
    assert_eq!(
        (&elsewhere["verdict"], &elsewhere["path"], &elsewhere["unit"]),
        (
            &json!("not-reached"),
            &json!("clusters/b/db.yaml"),
            &json!({"tool": "Helm", "name": "bank/db"})
        )
    );
    assert_eq!(
        value["offline"],
        json!([{"group": "", "kind": "Secret", "objects": 2, "reason": "no dry run: forbidden"},
            {"group": "apps", "kind": "Deployment", "objects": 1, "reason": "no dry run: busy"}])
    );
    assert_eq!(
        (&value["by_rule"], &value["by_unit"]),
        (
            &json!({"root-ca": 2}),
            &json!([{"tool": "Helm", "name": "shop/web", "objects": 4}])
        )
    );
    assert_eq!(value["findings"][1]["place"], json!({"file": "a b/db.yaml", "line": 7}));
    assert_eq!(
        value["findings"][3]["commit"],
        json!({"id": "0123", "subject": "drop it", "time": "2026-01-01T00:00:00Z"})
    );
    assert_eq!(value["findings"][0]["authors"], json!([]));
    assert_eq!(value["gaps"], json!([{"what": "list secrets", "reason": "forbidden"}]));
    assert_eq!(
        (&value["ignored"], &value["history"]["commits"]),
        (&json!(1), &json!(12))
    );
}

#[test]
fn as_sarif() {
    let value: Value = serde_json::from_str(&told("sarif")).expect("because it is JSON");
    assert_eq!(value["version"], "2.1.0");
    let run = &value["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("because it has rules");
    for result in run["results"].as_array().expect("because it has results") {
        let index = result["ruleIndex"]
            .as_u64()
            .and_then(|index| usize::try_from(index).ok());
        assert_eq!(index.map(|index| &rules[index]["id"]), Some(&result["ruleId"]));
    }
    let place = &run["results"][1]["locations"][0]["physicalLocation"];
    assert_eq!(
        *place,
        json!({"artifactLocation": {"uri": "a%20b/db.yaml"}, "region": {"startLine": 7}})
    );
    let note = &run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
    assert_eq!(note, "not read: list secrets: forbidden");
    let said = |number: usize| run["results"][number]["message"]["text"].as_str().unwrap_or_default();
    assert!(said(0).contains("\nby: unknown\n"), "{}", said(0));
    assert!(said(1).contains(" (kubectl-edit, 2026-01-02T03:04:05Z)\n") && said(1).contains(" [certain; audit log: "));
    assert!(said(4).contains("\nHelm bank/db\n") && said(4).contains(" [likely; audit log: "));
    assert_eq!(
        run["results"][4]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "clusters/b/db.yaml"
    );
    let notes = run["invocations"][0]["toolExecutionNotifications"].to_string();
    assert!(notes.contains("3 declared objects compared offline"), "{notes}");
}

#[test]
fn as_a_page() {
    let text = told("html");
    assert!(text.starts_with("<!doctype html>") && text.trim_end().ends_with("</html>"));
    assert!(!text.contains("<!--"), "every place is filled in");
    assert!(
        text.contains("&lt;b&gt;\\u{1b}[31m") && !text.contains("<b>"),
        "names are text"
    );
    assert_eq!(text.matches("<tr data-v=").count(), 5);
    for told in [
        "clusters/b/db.yaml",
        " (kubectl-edit, 2026-01-02T03:04:05Z)",
        " [certain; ",
        " [likely; ",
        "by: unknown",
        "3 declared objects compared offline",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(text.contains("width:66.6%") && text.contains("list secrets: forbidden"));
    for way in ["src=", "href=", "url(", "@import", "fetch("] {
        assert!(!text.contains(way), "it needs no network: {way}");
    }
}

#[test]
fn coverage_is_full_only_when_it_is() {
    let percent = |in_sync, counted| per_cent(Coverage { in_sync, counted });
    assert_eq!(
        (percent(9999, 10_000), percent(1, 1), percent(0, 0), percent(0, 3)),
        (99.9, 100.0, 100.0, 0.0)
    );
}

fn divergences_of(news: &[(News, Cause)]) -> Vec<Divergence> {
    let findings = found().findings.into_iter();
    let pairs = findings.zip(news.iter().cycle());
    pairs
        .map(|(finding, (news, cause))| Divergence {
            news: *news,
            cause: *cause,
            finding,
        })
        .collect()
}

const NEWS: [(News, Cause); 4] = [
    (News::New, Cause::Cluster),
    (News::Changed, Cause::Cluster),
    (News::New, Cause::Revision),
    (News::Resolved(Resolved::AccountedFor), Cause::Revision),
];

#[test]
fn what_differs_now_for_people() {
    let text = |all: &[Divergence]| {
        let mut out = Vec::new();
        divergences(all, "2026-11-20T08:00:00Z", false, &mut out).expect("because a Vec takes all");
        String::from_utf8(out).expect("because it is text")
    };
    insta::assert_snapshot!(text(&divergences_of(&NEWS)), @r#"
    2026-11-20T08:00:00Z  Never in Git: ConfigMap/bank/<b>\u{1b}[31m
          by: unknown; managedFields does not tell, an audit log would
          $ kubectl delete configmap/x
    2026-11-20T08:00:00Z  Drifted, changed again: Deployment/bank/db  a b/db.yaml:7
          changed  .spec.x: "canary-declared" → "canary-live" (kubectl-edit, 2026-01-02T03:04:05Z)
          by: alice with kubectl edit, 2026-01-02T03:04:05Z, from 10.1.2.3 [certain; audit log: alice patch]
    2026-11-20T08:00:00Z  Drifted (by the new revision): Secret/bank/db  a b/db.yaml:7
          changed  .data.password (kubectl-edit, 2026-01-02T03:04:05Z)
          by: alice with kubectl edit, 2026-01-02T03:04:05Z, from 10.1.2.3 [certain; audit log: alice patch]
    2026-11-20T08:00:00Z  No more: removed from Git (by the new revision): Namespace/gone
    2026-11-20T08:00:00Z  In the repository, not reached from the entry: Service/bank/db
          clusters/b/db.yaml
          Helm bank/db
          by: alice with kubectl edit, 2026-01-02T03:04:05Z, from 10.1.2.3 [likely; audit log: alice patch]
    "#);
    let gone = divergences_of(&[(News::Resolved(Resolved::Gone), Cause::Cluster)]);
    insta::assert_snapshot!(text(&gone[..1]), @r"2026-11-20T08:00:00Z  Gone: ConfigMap/bank/<b>\u{1b}[31m");
    // A namespace that goes is one line an object.
    let many: Vec<Divergence> = divergences_of(&NEWS)
        .into_iter()
        .cycle()
        .filter(|one| one.news == News::New)
        .take(21)
        .collect();
    let lines = text(&many);
    assert_eq!(lines.lines().count(), 22, "{lines}");
    assert!(lines.ends_with("21 findings at once; an audit without --watch tells all about them\n"));
}

#[test]
fn what_differs_now_for_programs() {
    let about = sample::about();
    let mut out = Vec::new();
    for (one, about) in divergences_of(&NEWS).iter().zip([None, Some(about), None, None]) {
        json::divergence(one, "2026-11-20T08:00:00Z", about, &mut out).expect("because a Vec takes all");
    }
    let text = String::from_utf8(out).expect("because it is text");
    assert!(!text.contains('\u{1b}'), "{text}");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("because each is a document"))
        .collect();
    let about: Vec<bool> = lines.iter().map(|line| line["about"]["cluster"].is_object()).collect();
    assert_eq!(about, [false, true, false, false]);
    let told: Vec<String> = lines
        .iter()
        .map(|line| {
            format!(
                "{} {} {} {} {}",
                line["version"], line["event"], line["news"], line["now"], line["cause"]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "1 \"divergence\" \"new\" null \"cluster\"",
            "1 \"divergence\" \"changed\" null \"cluster\"",
            "1 \"divergence\" \"new\" null \"revision\"",
            "1 \"divergence\" \"resolved\" \"accounted-for\" \"revision\"",
        ]
    );
    assert_eq!(lines[1]["fields"][0]["live"], "canary-live");
    // Of a Secret no value, whatever the finding holds.
    assert_eq!(
        lines[2]["fields"],
        json!([{"path": ".data.password", "change": "changed", "owner": owner()}])
    );
}

#[test]
fn how_it_stood_at_the_end() {
    let open = found().findings;
    let gaps = [FactGap {
        what: "watch secrets".to_owned(),
        reason: "forbidden".to_owned(),
    }];
    let text = |open: &[Finding]| {
        let mut out = Vec::new();
        watched(open, &gaps, &mut out).expect("because a Vec takes all");
        json::stopped(open, &gaps, "2026-11-20T08:00:00Z", &mut out).expect("because a Vec takes all");
        String::from_utf8(out).expect("because it is text")
    };
    insta::assert_snapshot!(text(&open), @r#"
    Stopped. 5 findings are open: 1 never in Git, 2 drifted, 1 removed from Git, 1 in the repository, not reached from the entry.
      not read: watch secrets: forbidden
    {"version":1,"event":"stopped","time":"2026-11-20T08:00:00Z","open":{"drifted":2,"never-in-git":1,"not-reached":1,"removed-from-git":1},"gaps":[{"what":"watch secrets","reason":"forbidden"}]}
    "#);
    assert!(text(&[]).starts_with("Stopped. Nothing is open.\n"));
}
