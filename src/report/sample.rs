//! Plans and summaries made by hand, for the tests of this room.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::json;

use super::{About, Verified};
use crate::event::{Event, StepTimes, Summary};
use crate::object::{
    Action, Context, Declared, DeclaredSet, Entry, GroupKind, Manifest, ObjectId, Outcome, Provenance, Readiness,
    Renderer, Repository, SkipReason, Unit, UnitIndex, Writer,
};
use crate::plan::{Edge, Gate, NodeIndex, Plan, Reason, Step, StepAction, Strength, Until};

pub(super) fn id(kind: &str, name: &str) -> ObjectId {
    let group = match kind {
        "Deployment" => "apps",
        "Job" => "batch",
        "Certificate" => "cert-manager.io",
        _ => "",
    };
    let namespace = (kind != "Namespace").then_some("bank");
    ObjectId::new(group, kind, namespace, name)
}

pub(super) fn outcome(action: Action, readiness: Readiness) -> Outcome {
    Outcome {
        action,
        readiness,
        without: Vec::new(),
        warnings: Vec::new(),
    }
}

pub(super) fn skipped(reason: SkipReason) -> Outcome {
    outcome(Action::Skipped(reason), Readiness::NotWaitedFor)
}

pub(super) fn step(id: &ObjectId, file: &str, line: usize) -> Step {
    let value = json!({"apiVersion": "v1", "kind": id.kind, "metadata": {"name": id.name}, "data": {"key": "canary"}});
    Step {
        id: id.clone(),
        target: None,
        action: StepAction::Apply {
            manifest: Manifest::new(value).expect("because it is complete"),
            writer: Writer::ServerSide("refloat".to_owned()),
            create_only: false,
            recreate: false,
        },
        provenance: Some(Provenance {
            file: file.to_owned(),
            document: 0,
            line,
            renderer: Renderer::Plain,
        }),
        unit: Some(UnitIndex(0)),
        hook: None,
        cleanup: None,
        has_contract: true,
    }
}

pub(super) fn edge(from: u32, to: u32, until: Until, strength: Strength, text: &str) -> Edge {
    Edge {
        from: NodeIndex(from),
        to: NodeIndex(to),
        until,
        strength,
        reason: Reason {
            rule: "sample",
            text: text.to_owned(),
        },
    }
}

pub(super) fn millis(at: u64) -> Duration {
    Duration::from_millis(at)
}

fn times(sent: u64, written: u64, settled: u64) -> StepTimes {
    StepTimes {
        free: Some(millis(sent)),
        sent: Some(millis(sent)),
        written: Some(millis(written)),
        settled: Some(millis(settled)),
    }
}

/// Three objects and a gate; all went well.
pub(super) fn fine() -> (Plan, Summary) {
    let ids = [id("Namespace", "bank"), id("Deployment", "db"), id("Deployment", "api")];
    let plan = Plan {
        steps: vec![
            step(&ids[0], "infra/ns.yaml", 1),
            step(&ids[1], "apps/db.yaml", 1),
            step(&ids[2], "apps/api.yaml", 14),
        ],
        gates: vec![Gate {
            name: "unit apps/db".to_owned(),
        }],
        edges: vec![
            edge(1, 0, Until::Exists, Strength::Hard, "it lives in that namespace"),
            edge(2, 0, Until::Exists, Strength::Hard, "it lives in that namespace"),
            edge(
                2,
                3,
                Until::Ready,
                Strength::Written,
                "the annotation depends-on says so",
            ),
            edge(3, 1, Until::Ready, Strength::Hard, "it belongs to that unit"),
        ],
        ..Plan::default()
    };
    let [namespace, db, api] = ids;
    let summary = Summary {
        outcomes: vec![
            (namespace, outcome(Action::Created, Readiness::NotWaitedFor)),
            (db, outcome(Action::Created, Readiness::Current)),
            (api, outcome(Action::Configured, Readiness::Current)),
        ],
        times: vec![times(0, 12, 20), times(12, 30, 2_330), times(2_330, 2_350, 3_500)],
        critical_path: vec![NodeIndex(0), NodeIndex(1), NodeIndex(3), NodeIndex(2)],
        total: millis(3_512),
        interrupted: false,
        stopped: None,
    };
    (plan, summary)
}

/// One of everything that can go wrong.
pub(super) fn troubled() -> (Plan, Summary) {
    let secret = id("Secret", "db");
    let refused = |text: &str| outcome(Action::Failed(text.to_owned()), Readiness::NotWaitedFor);
    let warned = |mut outcome: Outcome| {
        outcome.warnings.push("unknown field \"spec.replica\"".to_owned());
        outcome
    };
    let without = |mut outcome: Outcome| {
        outcome.without.push(id("ConfigMap", "settings"));
        outcome
    };
    let outcomes = vec![
        (id("Namespace", "bank"), outcome(Action::Unchanged, Readiness::Current)),
        (
            id("Namespace", "accounts"),
            refused("admission webhook \"names.bank\" denied the request:\nno such team\u{1b}[31m"),
        ),
        (
            id("ConfigMap", "ledger"),
            skipped(SkipReason::Dependency(id("Namespace", "accounts"))),
        ),
        (
            id("Deployment", "statements"),
            skipped(SkipReason::Dependency(id("ConfigMap", "ledger"))),
        ),
        (
            secret,
            refused("Secret \"db\" is invalid: data[p]: Invalid value: \"canary\": too long"),
        ),
        (
            id("Deployment", "db"),
            outcome(Action::Created, Readiness::TimedOut("0 of 1 replicas ready".to_owned())),
        ),
        (
            id("Deployment", "api"),
            skipped(SkipReason::Dependency(id("Deployment", "db"))),
        ),
        (
            id("Job", "migrate"),
            warned(outcome(
                Action::Recreated,
                Readiness::Failed("BackoffLimitExceeded".to_owned()),
            )),
        ),
        (
            id("Deployment", "web"),
            warned(without(outcome(Action::Configured, Readiness::Current))),
        ),
        (
            id("Certificate", "tls"),
            skipped(SkipReason::NotServed(
                "nothing serves Certificate.cert-manager.io".to_owned(),
            )),
        ),
        (
            id("Deployment", "lonely"),
            skipped(SkipReason::Stalled(
                "Deployment/bank/lonely waits for PersistentVolumeClaim/bank/data".to_owned(),
            )),
        ),
        (
            id("Job", "payout"),
            skipped(SkipReason::HeldBack("runs a program once".to_owned())),
        ),
        (
            id("Job", "mail"),
            skipped(SkipReason::HeldBack("runs a program once".to_owned())),
        ),
        (
            id("Deployment", "after-payout"),
            skipped(SkipReason::Dependency(id("Job", "payout"))),
        ),
        (id("Secret", "random"), skipped(SkipReason::Generated)),
    ];
    let plan = Plan {
        steps: outcomes
            .iter()
            .enumerate()
            .map(|(index, (id, _))| step(id, &format!("apps/{}.yaml", id.name), index + 1))
            .collect(),
        ..Plan::default()
    };
    let summary = Summary {
        times: vec![StepTimes::default(); outcomes.len()],
        outcomes,
        total: millis(605_000),
        ..Summary::default()
    };
    (plan, summary)
}

/// The events that lead to a summary, with the time at which each is told.
pub(super) fn events(summary: &Summary) -> Vec<(u64, Event)> {
    let mut events = vec![(
        0,
        Event::Started {
            steps: summary.outcomes.len(),
        },
    )];
    for (index, (_, outcome)) in summary.outcomes.iter().enumerate() {
        let step = NodeIndex(u32::try_from(index).expect("because samples are small"));
        let times = summary.times[index];
        let at = |time: Option<Duration>| time.unwrap_or_default().as_millis() as u64;
        if let Some(sent) = times.sent {
            events.push((at(times.sent), Event::Sent { step, at: sent }));
        }
        if let Some(written) = times.written {
            events.push((at(times.written), Event::Written { step, at: written }));
        }
        let settled = Event::Settled {
            step,
            outcome: outcome.clone(),
            at: times.settled.unwrap_or_default(),
        };
        events.push((at(times.settled), settled));
    }
    events.push((summary.total.as_millis() as u64, Event::Finished(summary.clone())));
    events
}

static ABOUT: LazyLock<(Repository, Entry, Context)> = LazyLock::new(|| {
    let repository = Repository {
        location: "./gitops".to_owned(),
        commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
        subject: Some("Raise the \u{1b}limits".to_owned()),
        time: Some(1_795_161_600),
        dirty: false,
    };
    let entry = Entry {
        paths: vec!["clusters/production".to_owned(), String::new()],
        dialect: "kustomization".to_owned(),
        detected: true,
    };
    let context = Context {
        name: "bank-dr".to_owned(),
        cluster: "bank".to_owned(),
        server: "https://10.0.0.1:6443".to_owned(),
        namespace: "default".to_owned(),
        nodes: Some(3),
    };
    (repository, entry, context)
});

/// Whose run it is.
pub(super) fn about() -> About<'static> {
    let (repository, entry, context) = &*ABOUT;
    About {
        repository,
        entry,
        unreached: 0,
        context: Some(context),
    }
}

pub(super) fn verified() -> Verified {
    Verified {
        checked: 80,
        missing: vec![id("ConfigMap", "gone\u{1b}")],
        different: vec![(
            id("Deployment", "api"),
            vec![".spec.replicas".to_owned(), ".spec.paused".to_owned()],
        )],
        second_run_changed: vec![id("Deployment", "api")],
        not_simulated: vec![GroupKind::new("cert-manager.io", "Certificate")],
    }
}

/// A set of these objects, each in a file of its own.
pub(super) fn declared(values: Vec<serde_json::Value>) -> DeclaredSet {
    let (repository, entry, _) = ABOUT.clone();
    let objects = values.into_iter().enumerate().map(|(index, value)| {
        let manifest = Manifest::new(value).expect("because samples are complete");
        Declared {
            id: manifest.id(),
            provenance: Provenance {
                file: format!("apps/{}.yaml", manifest.name()),
                document: index,
                line: 3,
                renderer: Renderer::Kustomize,
            },
            manifest,
            unit: UnitIndex(0),
            writer: Writer::ServerSide("refloat".to_owned()),
            generated: Vec::new(),
            namespace: None,
            waivers: Vec::new(),
            hook: None,
            turn: None,
        }
    });
    DeclaredSet {
        repository,
        entry,
        units: vec![Unit {
            name: "apps".to_owned(),
            path: "apps".to_owned(),
            renderer: Renderer::Kustomize,
            engine: None,
            record: None,
        }],
        objects: objects.collect(),
        problems: Vec::new(),
        unreached: 0,
        wanted: Vec::new(),
        wanted_clusters: Vec::new(),
    }
}

/// A roll-back: an engine suspended first, one object applied, one not, one deleted, one left because of that.
pub(super) fn rolled_back() -> (Plan, Summary) {
    let unit = ObjectId::new(
        "kustomize.toolkit.fluxcd.io",
        "Kustomization",
        Some("flux-system"),
        "apps",
    );
    let ids = [
        unit,
        id("ConfigMap", "settings"),
        id("Deployment", "web"),
        id("ConfigMap", "extra"),
        id("Secret", "more"),
    ];
    let mut plan = Plan::default();
    for (line, id) in (1..).zip(&ids) {
        plan.steps.push(step(id, "apps/all.yaml", line));
    }
    plan.steps[0].provenance = None;
    plan.steps[0].action = StepAction::Patch {
        merge: json!({"spec": {"suspend": true}}),
        outcome: Action::Suspended,
    };
    for step in &mut plan.steps[3..] {
        step.action = StepAction::Delete {
            uid: "u".to_owned(),
            revision: "0123456789ab".to_owned(),
        };
    }
    plan.gates.push(Gate {
        name: "every engine is suspended".to_owned(),
    });
    let mut hard = |from, to, until| {
        plan.edges
            .push(edge(from, to, until, Strength::Hard, "it would undo it"))
    };
    hard(1, 5, Until::Exists);
    hard(2, 5, Until::Exists);
    hard(3, 1, Until::Exists);
    hard(4, 3, Until::Ready);
    hard(5, 0, Until::Exists);
    let done = |action| outcome(action, Readiness::NotWaitedFor);
    let outcomes = [
        done(Action::Suspended),
        done(Action::Configured),
        done(Action::Failed("no".to_owned())),
        outcome(Action::Deleted, Readiness::Current),
        skipped(SkipReason::Dependency(ids[2].clone())),
    ];
    let summary = Summary {
        outcomes: ids.into_iter().zip(outcomes).collect(),
        times: vec![StepTimes::default(); 5],
        total: millis(2_000),
        ..Summary::default()
    };
    (plan, summary)
}
