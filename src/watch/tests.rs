//! The machine on simulated time: what is told of what happens, and when; and what is asked for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::input::{Answer, Basis, Command, Input, Message, Start};
use super::machine::Machine;
use crate::audit::{Cause, Findings, Ignore, News, Reach};
use crate::cluster::{Compared, Endpoint, Listable, Mark, Sighted};
use crate::object::{
    Comparison, Declared, DeclaredSet, Entry, FactGap, FieldChange, FieldDrift, GroupKind, LiveObject, LiveSet,
    Manager, Manifest, Method, ObjectId, Owner, PastSet, Provenance, Renderer, Repository, Scope, ServedKind,
    UnitIndex, Writer,
};

const SERVED: [(&str, &str, bool); 9] = [
    ("", "ConfigMap", true),
    ("", "Event", true),
    ("", "Node", false),
    ("", "Pod", true),
    ("", "Secret", true),
    ("apps", "Deployment", true),
    ("apps", "ReplicaSet", true),
    ("autoscaling", "HorizontalPodAutoscaler", true),
    ("coordination.k8s.io", "Lease", true),
];

/// `Kind.group/namespace/name`.
fn id(text: &str) -> ObjectId {
    let parts: Vec<&str> = text.split('/').collect();
    let (kind, group) = parts[0].split_once('.').unwrap_or((parts[0], ""));
    ObjectId::new(
        group,
        kind,
        (parts.len() == 3).then(|| parts[1]),
        parts[parts.len() - 1],
    )
}

fn served(kinds: &[(&str, &str, bool)]) -> Listable {
    let mut found = Listable::default();
    for (group, kind, namespaced) in kinds {
        let kind = GroupKind::new(*group, *kind);
        let scope = if *namespaced { Scope::Namespaced } else { Scope::Cluster };
        let plural = format!("{}s", kind.kind.to_lowercase());
        found.ends.push(Endpoint::new(kind.clone(), "v1", &*plural, scope));
        let served = ServedKind {
            kind: kind.clone(),
            plural,
            scope,
            versions: vec!["v1".to_owned()],
            watchable: true,
        };
        found.kinds.0.insert(kind, served);
    }
    found
}

/// What declares these objects, each with a value that tells one declaration from another.
fn basis(commit: &str, declared: &[(&str, u32)]) -> Basis {
    let objects = declared.iter().map(|(object, value)| {
        let object = id(object);
        let version = match object.group.as_str() {
            "" => "v1".to_owned(),
            group => format!("{group}/v1"),
        };
        let manifest = json!({"apiVersion": version, "kind": object.kind, "value": value,
            "metadata": {"name": object.name, "namespace": object.namespace}});
        Declared {
            id: object,
            manifest: Manifest::new(manifest).expect("because it is complete"),
            provenance: Provenance {
                file: "a.yaml".to_owned(),
                document: 0,
                line: 1,
                renderer: Renderer::Plain,
            },
            unit: UnitIndex(0),
            writer: Writer::ServerSide("refloat".to_owned()),
            generated: Vec::new(),
            hook: None,
            turn: None,
            namespace: None,
            waivers: Vec::new(),
        }
    });
    let set = DeclaredSet {
        repository: Repository {
            location: "./gitops".to_owned(),
            commit: Some(commit.to_owned()),
            subject: None,
            time: None,
            dirty: false,
        },
        entry: Entry {
            paths: Vec::new(),
            dialect: "manifests".to_owned(),
            detected: true,
        },
        units: Vec::new(),
        objects: objects.collect(),
        problems: Vec::new(),
        unreached: 0,
        wanted: Vec::new(),
        wanted_clusters: Vec::new(),
    };
    Basis {
        set: Arc::new(set),
        past: PastSet::default(),
        ignore: Ignore::default(),
    }
}

fn live(version: u32) -> LiveObject {
    LiveObject {
        uid: "u".to_owned(),
        resource_version: version.to_string(),
        created: "2026-01-02T03:04:05Z".to_owned(),
        managers: vec![Manager {
            name: "kubectl-create".to_owned(),
            operation: "Update".to_owned(),
            subresource: String::new(),
            time: "2026-01-02T03:04:05Z".to_owned(),
            fields: None,
        }],
        ..LiveObject::default()
    }
}

fn comparison(version: u32, changed: Option<u32>) -> Comparison {
    let field = |value: u32| FieldDrift {
        path: ".value".to_owned(),
        change: FieldChange::Changed,
        declared: None,
        live: Some(json!(value)),
        manager: None,
        digest: 0,
        waived: None,
    };
    Comparison {
        fields: changed.map(field).into_iter().collect(),
        method: Method::DryRun,
        live: live(version),
    }
}

/// A machine, what it asked for, and what it told.
struct World {
    machine: Machine,
    now: Duration,
    /// Commands other than what is told.
    asked: Vec<Command>,
    told: Vec<String>,
    /// How often something differed.
    batches: usize,
    version: u32,
}

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

impl World {
    /// Everything is declared and in sync, and every watch has told what is there.
    fn new(declared: &[(&str, u32)]) -> Self {
        let mut world = Self::just_started(declared, false);
        world.on(Input::Discovered(Ok(served(&SERVED))));
        for command in std::mem::take(&mut world.asked) {
            if let Command::Watch(at, None) = command {
                world.on(Input::Listed((at.kind, None)));
            }
        }
        world.forget();
        world
    }

    fn just_started(declared: &[(&str, u32)], is_fixed: bool) -> Self {
        let basis = basis("one", declared);
        let mut set = LiveSet {
            listed: served(&SERVED).ends.into_iter().map(|at| at.kind).collect(),
            ..LiveSet::default()
        };
        let mut comparisons = BTreeMap::new();
        for one in &basis.set.objects {
            let object = LiveObject {
                uid: one.id.to_string(),
                ..live(1)
            };
            set.objects.insert(one.id.clone(), Box::new(object));
            comparisons.insert(one.id.clone(), comparison(1, None));
        }
        let start = Start {
            basis,
            units: BTreeMap::new(),
            live: set,
            comparisons,
            findings: Findings::default(),
            kinds: served(&SERVED).kinds,
            log: None,
            release: String::new(),
            reach: Reach::default(),
        };
        let mut world = Self {
            machine: Machine::new(start, is_fixed),
            now: Duration::ZERO,
            asked: Vec::new(),
            told: Vec::new(),
            batches: 0,
            version: 1,
        };
        world.on(Input::Tick);
        world
    }

    fn forget(&mut self) {
        self.asked.clear();
        self.told.clear();
    }

    fn on(&mut self, input: Input) {
        for command in self.machine.on(input, self.now) {
            match command {
                Command::Tell(message) => {
                    self.batches += usize::from(matches!(message, Message::Diverged(_)));
                    self.told.extend(words(message));
                }
                other => self.asked.push(other),
            }
        }
    }

    /// Lets time go by, waking the machine when it wants to be.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..100_000 {
            match self.machine.wake().filter(|at| *at <= end) {
                Some(at) => self.now = at.max(self.now),
                None => {
                    self.now = end;
                    return;
                }
            }
            self.on(Input::Tick);
        }
        panic!("it wants to be woken again and again");
    }

    /// An object is written to: this of it becomes another.
    fn see(&mut self, object: &str, what: &str) -> u32 {
        self.see_as(object, what, |_| {})
    }

    fn see_as(&mut self, object: &str, what: &str, change: impl FnOnce(&mut LiveObject)) -> u32 {
        self.version += 1;
        let mut seen = LiveObject {
            uid: id(object).to_string(),
            ..live(self.version)
        };
        change(&mut seen);
        let n = u64::from(self.version);
        let mark = match what {
            "status" => Mark {
                generation: 1,
                content: 1,
                status: n,
            },
            _ => Mark {
                generation: i64::from(self.version),
                content: 1,
                status: 1,
            },
        };
        let id = id(object);
        let object = Some((seen, mark));
        self.on(Input::Sighted(Box::new(Sighted { id, object })));
        self.version
    }

    fn gone(&mut self, object: &str) {
        self.on(Input::Sighted(Box::new(Sighted {
            id: id(object),
            object: None,
        })));
    }

    fn repository(&mut self, answer: Answer) {
        self.on(Input::Repository(answer));
    }

    /// Answers what is asked, as a cluster would in which declared objects differ so, and a repository that did not move. Gives what was
    /// compared.
    fn answer(&mut self, changed: &[(&str, u32)]) -> Vec<String> {
        let mut compared = Vec::new();
        loop {
            let asked = std::mem::take(&mut self.asked);
            if asked.is_empty() {
                return compared;
            }
            for command in asked {
                match command {
                    Command::Ask { .. } => self.repository(Answer::Unchanged),
                    Command::Compare(ids) => {
                        compared.extend(ids.iter().map(ToString::to_string));
                        let differs = |one: &ObjectId| changed.iter().find(|(name, _)| id(name) == *one);
                        let comparison =
                            |one: &ObjectId| comparison(self.version, differs(one).map(|(_, value)| *value));
                        let answer = Compared {
                            comparisons: ids.iter().map(|one| (one.clone(), comparison(one))).collect(),
                            ..Compared::default()
                        };
                        self.on(Input::Compared(ids, answer));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Takes what was told.
    fn heard(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }

    fn asked(&mut self) -> Vec<String> {
        std::mem::take(&mut self.asked).iter().map(asked).collect()
    }
}

fn asked(command: &Command) -> String {
    let within = |namespace: &Option<String>| {
        namespace
            .as_deref()
            .map(|name| format!(" in {name}"))
            .unwrap_or_default()
    };
    match command {
        Command::Watch(at, namespace) => format!("watch {}{}", at.name(), within(namespace)),
        Command::Unwatch((kind, namespace)) => format!("unwatch {kind}{}", within(namespace)),
        Command::Discover => "discover".to_owned(),
        Command::Compare(ids) => format!(
            "compare {}",
            ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        ),
        Command::Units(ids) => format!(
            "read {}",
            ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        ),
        Command::Ask { anew } => format!("ask{}", if *anew { " anew" } else { "" }),
        Command::Tell(_) => String::new(),
    }
}

fn words(message: Message) -> Vec<String> {
    match message {
        Message::Watching(kinds) => vec![format!("watching {kinds}")],
        Message::Revision(repository) => vec![format!("revision {}", repository.commit.unwrap_or_default())],
        Message::Gap(gap) => vec![format!("gap: {}: {}", gap.what, gap.reason)],
        Message::Said(text) | Message::Warned(text) => vec![text],
        Message::Diverged(all) => all
            .iter()
            .map(|one| {
                let news = match one.news {
                    News::New => String::new(),
                    News::Changed => "changed ".to_owned(),
                    News::Resolved(how) => format!("{how:?} "),
                };
                let by = if one.cause == Cause::Revision {
                    " by revision"
                } else {
                    ""
                };
                format!("{news}{} {}{by}", one.finding.verdict.name(), one.finding.id)
            })
            .collect(),
    }
}

#[test]
fn what_is_made_changed_and_deleted_is_told_within_two_seconds() {
    let mut world = World::new(&[("ConfigMap/shop/a", 1), ("ConfigMap/shop/b", 1)]);
    world.see("ConfigMap/shop/x", "made");
    world.wait(ms(199));
    assert!(world.heard().is_empty(), "it is waited for more of it");
    world.wait(ms(1));
    world.answer(&[]);
    assert_eq!(world.heard(), ["never-in-git ConfigMap/shop/x"]);
    world.see("ConfigMap/shop/a", "content");
    world.wait(ms(200));
    assert_eq!(world.answer(&[("ConfigMap/shop/a", 7)]), ["ConfigMap/shop/a"]);
    assert_eq!(world.heard(), ["drifted ConfigMap/shop/a"]);
    world.now = ms(10_000);
    world.see("ConfigMap/shop/a", "content");
    world.gone("ConfigMap/shop/b");
    world.wait(ms(200));
    // Before anything is told the repository is asked whether it moved.
    world.answer(&[("ConfigMap/shop/a", 8)]);
    world.answer(&[]);
    assert_eq!(
        world.heard(),
        ["missing ConfigMap/shop/b", "changed drifted ConfigMap/shop/a"]
    );
    world.see("ConfigMap/shop/a", "content");
    world.gone("ConfigMap/shop/x");
    world.wait(ms(200));
    world.answer(&[]);
    assert_eq!(
        world.heard(),
        ["Gone never-in-git ConfigMap/shop/x", "InSync drifted ConfigMap/shop/a"]
    );
    assert!(world.now < ms(11_000));
}

#[test]
fn what_does_not_matter_costs_nothing() {
    let mut world = World::new(&[("Deployment.apps/shop/web", 1)]);
    world.see("Deployment.apps/shop/web", "status");
    world.wait(ms(500));
    world.answer(&[]);
    world.forget();
    for _ in 0..100 {
        world.see("Deployment.apps/shop/web", "status");
        world.see("Lease.coordination.k8s.io/shop/leader", "content");
        world.wait(ms(100));
    }
    assert!(world.heard().is_empty());
    assert!(world.asked().iter().all(|one| one == "discover"), "the clock's own");
    let mut kinds = World::just_started(&[], false);
    kinds.forget();
    kinds.on(Input::Discovered(Ok(served(&SERVED))));
    let asked = kinds.asked();
    assert!(
        asked.contains(&"watch nodes".to_owned())
            && !asked.iter().any(|one| one.contains("lease") || one.contains("event"))
    );
    let mut declared = World::just_started(&[("Lease.coordination.k8s.io/shop/mine", 1)], false);
    declared.on(Input::Discovered(Ok(served(&SERVED))));
    assert!(
        declared
            .asked()
            .contains(&"watch leases.coordination.k8s.io".to_owned())
    );
}

#[test]
fn what_went_by_before_the_watch_began_is_told() {
    let mut world = World::just_started(&[("ConfigMap/shop/a", 1), ("ConfigMap/shop/b", 1)], false);
    let known = world.machine.known(&GroupKind::new("", "ConfigMap"), Some("shop"));
    assert_eq!(known.len(), 2, "so that what is gone meanwhile is told by the watch");
    // Listed again as it was compared: nothing to do. The other one was written to after it was compared.
    let same = Sighted {
        id: id("ConfigMap/shop/a"),
        object: Some((
            LiveObject {
                uid: "ConfigMap/shop/a".to_owned(),
                ..live(1)
            },
            Mark {
                generation: 0,
                content: 1,
                status: 0,
            },
        )),
    };
    world.on(Input::Sighted(Box::new(same)));
    world.see("ConfigMap/shop/b", "content");
    world.wait(ms(200));
    assert_eq!(world.answer(&[("ConfigMap/shop/b", 3)]), ["ConfigMap/shop/b"]);
    assert_eq!(world.heard(), ["drifted ConfigMap/shop/b"]);
}

#[test]
fn a_merge_is_no_false_alarm() {
    let mut world = World::new(&[("ConfigMap/shop/a", 1), ("ConfigMap/shop/b", 1)]);
    world.wait(ms(5_000));
    world.forget();
    // An engine applies a commit before anybody asked the repository: a changed, b removed, c new.
    world.see("ConfigMap/shop/a", "content");
    world.gone("ConfigMap/shop/b");
    world.see("ConfigMap/shop/c", "made");
    world.wait(ms(200));
    let asked = world.asked();
    assert_eq!(asked, ["ask", "compare ConfigMap/shop/a"]);
    let compared = Compared {
        comparisons: BTreeMap::from([(id("ConfigMap/shop/a"), comparison(world.version, Some(2)))]),
        ..Compared::default()
    };
    world.on(Input::Compared(BTreeSet::from([id("ConfigMap/shop/a")]), compared));
    world.wait(ms(900));
    world.repository(Answer::Moved);
    world.wait(ms(20_000));
    assert!(world.heard().is_empty(), "it is being read");
    let moved = basis("two", &[("ConfigMap/shop/a", 2), ("ConfigMap/shop/c", 1)]);
    world.repository(Answer::Read(Box::new(moved)));
    assert_eq!(world.heard(), ["revision two"]);
    assert_eq!(world.answer(&[]), ["ConfigMap/shop/a", "ConfigMap/shop/c"]);
    world.wait(ms(1_000));
    world.answer(&[]);
    assert!(world.heard().is_empty());
}

#[test]
fn what_a_commit_makes_differ_is_told_as_its_doing() {
    let mut world = World::new(&[("ConfigMap/shop/a", 1)]);
    world.see("ConfigMap/shop/x", "made");
    world.wait(ms(200));
    world.answer(&[]);
    world.heard();
    let next = basis(
        "two",
        &[
            ("ConfigMap/shop/a", 2),
            ("ConfigMap/shop/x", 1),
            ("ConfigMap/shop/y", 1),
        ],
    );
    world.wait(ms(30_000));
    assert!(world.asked().contains(&"ask".to_owned()), "the clock asks");
    world.repository(Answer::Moved);
    world.repository(Answer::Read(Box::new(next)));
    let asked = world.asked();
    assert_eq!(asked, ["compare ConfigMap/shop/a ConfigMap/shop/x"]);
    // What is not there needs no comparison; what is open is not told yet.
    assert_eq!(world.heard(), ["revision two", "missing ConfigMap/shop/y by revision"]);
    let ids = BTreeSet::from([id("ConfigMap/shop/a"), id("ConfigMap/shop/x")]);
    let compared = Compared {
        comparisons: BTreeMap::from([
            (id("ConfigMap/shop/a"), comparison(1, Some(1))),
            (id("ConfigMap/shop/x"), comparison(world.version, None)),
        ]),
        ..Compared::default()
    };
    world.on(Input::Compared(ids, compared));
    world.answer(&[]);
    assert_eq!(
        world.heard(),
        [
            "drifted ConfigMap/shop/a by revision",
            "InSync never-in-git ConfigMap/shop/x by revision"
        ]
    );
    // Its engine catches up: that is a change of the cluster.
    world.see("ConfigMap/shop/a", "content");
    world.see("ConfigMap/shop/y", "made");
    world.wait(ms(200));
    world.answer(&[]);
    world.answer(&[]);
    assert_eq!(
        world.heard(),
        ["InSync drifted ConfigMap/shop/a", "InSync missing ConfigMap/shop/y"]
    );
}

#[test]
fn a_repository_that_does_not_answer_holds_nothing_up() {
    let mut world = World::new(&[]);
    world.wait(ms(5_000));
    world.see("ConfigMap/shop/x", "made");
    world.wait(ms(200));
    assert!(world.heard().is_empty());
    world.wait(ms(1_000));
    assert_eq!(world.heard(), ["never-in-git ConfigMap/shop/x"]);
    world.repository(Answer::Unread("no network".to_owned()));
    world.wait(ms(120_000));
    world.repository(Answer::Unread("no network".to_owned()));
    assert_eq!(world.heard(), ["no network"], "said once");
    // What is held is told as soon as it is clear that nothing moved.
    world.see("ConfigMap/shop/y", "made");
    world.wait(ms(5_000));
    world.repository(Answer::Unchanged);
    assert_eq!(world.heard(), ["never-in-git ConfigMap/shop/y"]);
    let mut fixed = World::just_started(&[], true);
    fixed.see("ConfigMap/shop/x", "made");
    fixed.wait(ms(60_000));
    assert_eq!(fixed.heard(), ["never-in-git ConfigMap/shop/x"]);
    assert!(!fixed.asked().contains(&"ask".to_owned()));
}

#[test]
fn what_only_passes_through_is_not_told() {
    let mut world = World::new(&[]);
    let owned = |object: &mut LiveObject| {
        object.managers[0].name = "kube-controller-manager".to_owned();
        object.owners = vec![Owner {
            kind: GroupKind::new("apps", "ReplicaSet"),
            name: "web".to_owned(),
            uid: "ReplicaSet/shop/web".to_owned(),
            controller: true,
        }];
    };
    // A pod whose owner's watch is late, and one that is collected a while after its owner went.
    world.see_as("Pod/shop/web-1", "made", owned);
    world.wait(ms(900));
    world.see_as("ReplicaSet.apps/shop/web", "made", |object| {
        object.managers[0].name = "kube-controller-manager".to_owned();
    });
    world.wait(ms(10_000));
    world.answer(&[]);
    world.heard();
    world.gone("ReplicaSet.apps/shop/web");
    world.wait(ms(20_000));
    world.answer(&[]);
    assert_eq!(world.heard(), ["Gone never-in-git ReplicaSet/shop/web"]);
    world.gone("Pod/shop/web-1");
    world.wait(ms(60_000));
    assert!(world.heard().is_empty());
    // One that stays is told.
    world.see_as("Pod/shop/web-2", "made", owned);
    world.wait(ms(29_000));
    assert!(world.heard().is_empty());
    world.wait(ms(3_000));
    assert_eq!(world.heard(), ["never-in-git Pod/shop/web-2"]);
}

#[test]
fn an_autoscaler_is_a_reason_to_compare_what_it_may_scale() {
    let mut world = World::new(&[
        ("Deployment.apps/shop/web", 1),
        ("Deployment.apps/other/web", 1),
        ("ConfigMap/shop/a", 1),
    ]);
    world.see("HorizontalPodAutoscaler.autoscaling/shop/web", "made");
    world.wait(ms(200));
    assert_eq!(world.answer(&[]), ["Deployment/shop/web"]);
    world.see("HorizontalPodAutoscaler.autoscaling/shop/web", "content");
    world.wait(ms(300));
    assert_eq!(world.answer(&[]), ["Deployment/shop/web"]);
    world.gone("HorizontalPodAutoscaler.autoscaling/shop/web");
    world.wait(ms(300));
    assert_eq!(
        world.answer(&[("Deployment.apps/shop/web", 3)]),
        ["Deployment/shop/web"]
    );
    assert!(world.heard().contains(&"drifted Deployment/shop/web".to_owned()));
}

#[test]
fn what_could_not_be_compared_is_tried_again() {
    let mut world = World::new(&[("ConfigMap/shop/a", 1)]);
    let ids = BTreeSet::from([id("ConfigMap/shop/a")]);
    let failed = || Compared {
        comparisons: BTreeMap::new(),
        gaps: vec![FactGap {
            what: "compare 1 ConfigMap".to_owned(),
            reason: "connection refused".to_owned(),
        }],
        ..Compared::default()
    };
    world.see("ConfigMap/shop/a", "content");
    for _ in 0..5 {
        world.wait(ms(10_000));
        assert!(world.asked().contains(&"compare ConfigMap/shop/a".to_owned()));
        world.on(Input::Compared(ids.clone(), failed()));
    }
    assert_eq!(
        world.heard(),
        ["gap: compare 1 ConfigMap: connection refused"],
        "said once"
    );
    world.wait(ms(31_000));
    assert_eq!(world.answer(&[("ConfigMap/shop/a", 2)]), ["ConfigMap/shop/a"]);
    world.wait(ms(1_000));
    assert_eq!(world.heard(), ["drifted ConfigMap/shop/a"]);
}

#[test]
fn kinds_come_and_go() {
    let mut world = World::new(&[("Widget.example.com/shop/w", 1)]);
    world.heard();
    world.see("CustomResourceDefinition.apiextensions.k8s.io/widgets", "made");
    world.wait(ms(200));
    assert_eq!(world.asked(), ["discover", "ask"]);
    world.repository(Answer::Unchanged);
    world.heard();
    let widget = ("example.com", "Widget", true);
    let with: Vec<_> = SERVED.iter().copied().chain([widget]).collect();
    world.on(Input::Discovered(Ok(served(&with))));
    assert_eq!(world.asked(), ["watch widgets.example.com", "ask anew"]);
    world.on(Input::Listed((GroupKind::new("example.com", "Widget"), None)));
    world.see("Widget.example.com/shop/x", "made");
    world.wait(ms(1_200));
    assert_eq!(world.heard(), ["never-in-git Widget/shop/x"]);
    // A group that does not answer takes nothing away; a kind that is no more does.
    let mut broken = served(&SERVED);
    broken.gaps = vec![FactGap {
        what: "API group example.com/v1".to_owned(),
        reason: "stale".to_owned(),
    }];
    world.on(Input::Discovered(Ok(broken)));
    world.repository(Answer::Unchanged);
    world.wait(ms(1_000));
    assert_eq!(world.heard(), ["gap: API group example.com/v1: stale"]);
    world.asked();
    world.on(Input::Discovered(Ok(served(&SERVED))));
    assert!(world.asked().contains(&"unwatch Widget.example.com".to_owned()));
    world.wait(ms(1_300));
    assert_eq!(
        world.heard(),
        ["missing Widget/shop/w", "Gone never-in-git Widget/shop/x"]
    );
}

#[test]
fn what_may_not_be_watched_is_said_once() {
    let mut world = World::new(&[("ConfigMap/shop/a", 1), ("Secret/shop/s", 1)]);
    let secrets = GroupKind::new("", "Secret");
    world.see("Secret/shop/x", "made");
    world.wait(ms(200));
    world.answer(&[]);
    assert_eq!(world.heard(), ["never-in-git Secret/shop/x"]);
    world.on(Input::Refused((secrets.clone(), None), "forbidden".to_owned()));
    assert_eq!(world.heard(), ["gap: watch secrets: forbidden"]);
    assert_eq!(world.asked(), ["watch secrets in shop"]);
    // Until that is refused, too, it tells.
    world.see("Secret/shop/y", "made");
    world.wait(ms(1_300));
    assert_eq!(world.heard(), ["never-in-git Secret/shop/y"]);
    // A namespace that was listed whole tells what is missing in it.
    world.on(Input::Listed((secrets.clone(), Some("shop".to_owned()))));
    world.gone("Secret/shop/s");
    world.wait(ms(1_300));
    assert_eq!(world.heard(), ["missing Secret/shop/s"]);
    world.on(Input::Refused(
        (secrets.clone(), Some("shop".to_owned())),
        "forbidden".to_owned(),
    ));
    world.gone("Secret/shop/x");
    world.see("ConfigMap/shop/y", "made");
    world.wait(ms(1_300));
    assert_eq!(
        world.heard(),
        ["never-in-git ConfigMap/shop/y"],
        "and nothing of Secrets, of which nothing is known"
    );
    let (told, gaps) = world.machine.end();
    assert_eq!(told.open().count(), 4);
    assert_eq!(gaps.len(), 1);
}

#[test]
fn only_an_interruption_that_lasts_is_told() {
    let mut world = World::new(&[]);
    let watched = |kind: &str| (GroupKind::new("", kind), None);
    world.on(Input::Interrupted(watched("Pod"), "connection refused".to_owned()));
    world.wait(ms(4_900));
    world.on(Input::Resumed(watched("Pod")));
    world.wait(ms(10_000));
    assert!(world.heard().is_empty());
    for kind in ["Pod", "Secret"] {
        world.on(Input::Interrupted(watched(kind), "connection refused".to_owned()));
    }
    world.wait(ms(20_000));
    world.on(Input::Resumed(watched("Pod")));
    world.on(Input::Resumed(watched("Secret")));
    assert_eq!(
        world.heard(),
        [
            "the watch of Pod, Secret is interrupted (connection refused); what changes is told when it is back",
            "all watches are back"
        ]
    );
}

#[test]
fn a_deleted_namespace_is_judged_a_few_times_only() {
    let names: Vec<String> = (0..500).map(|number| format!("ConfigMap/shop/c{number}")).collect();
    let declared: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let mut world = World::new(&declared);
    world.heard();
    for name in &names {
        world.gone(name);
        world.wait(ms(2));
        world.answer(&[]);
    }
    world.wait(ms(1_300));
    world.answer(&[]);
    world.wait(ms(1_300));
    assert_eq!(world.heard().len(), 500);
    assert!(world.batches < 10, "judged {} times in a second", world.batches);
}

#[test]
fn what_a_unit_leaves_alone_is_read_before_and_when_it_changes() {
    let mut world = World::new(&[
        ("Deployment.apps/shop/web", 1),
        ("ApplicationSet.argoproj.io/argocd/all", 1),
    ]);
    let application = "Application.argoproj.io/argocd/web";
    let of_argo = |object: &mut LiveObject| {
        object
            .labels
            .insert("argocd.argoproj.io/instance".to_owned(), "web".to_owned());
    };
    let of_the_set = |object: &mut LiveObject| {
        object.managers[0].name = "argocd-applicationset-controller".to_owned();
        object.owners = vec![Owner {
            kind: GroupKind::new("argoproj.io", "ApplicationSet"),
            name: "all".to_owned(),
            uid: id("ApplicationSet.argoproj.io/argocd/all").to_string(),
            controller: true,
        }];
    };
    world.see_as(application, "made", of_the_set);
    world.see_as("Deployment.apps/shop/web", "content", of_argo);
    world.wait(ms(200));
    assert!(world.asked().contains(&"read Application/argocd/web".to_owned()));
    let says = |pointer: &str| {
        let rule = json!({"group": "apps", "kind": "Deployment", "jsonPointers": [pointer]});
        BTreeMap::from([(id(application), json!({"spec": {"ignoreDifferences": [rule]}}))])
    };
    world.on(Input::Units(says("/spec/replicas"), Vec::new()));
    assert_eq!(world.answer(&[]), ["Deployment/shop/web"]);
    world.wait(ms(1_000));
    // Its engine writes to it all the time: it is read again every 10 s, and a rule that stays is no reason to compare.
    for _ in 0..20 {
        world.see_as(application, "content", of_the_set);
        world.wait(ms(1_000));
    }
    let reads = world.asked().iter().filter(|one| one.starts_with("read ")).count();
    assert_eq!(reads, 1, "until it is answered");
    world.on(Input::Units(says("/spec/replicas"), Vec::new()));
    // It was written to meanwhile.
    assert_eq!(world.asked(), ["read Application/argocd/web"]);
    world.on(Input::Units(says("/spec/paused"), Vec::new()));
    assert_eq!(world.asked(), ["compare Deployment/shop/web"]);
}
