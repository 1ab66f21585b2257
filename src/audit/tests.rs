//! Verdicts, on small clusters written down by hand.

mod namespaces;
mod units;
mod waive;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::object::{
    Commit, Comparison, Declared, DeclaredSet, Entry, FactGap, FieldChange, FieldDrift, GroupKind, LiveObject, LiveSet,
    Manager, Manifest, Method, Owner, PastIdentity, PastSet, Place, Problem, Provenance, Renderer, Repository,
    UnitIndex, Writer,
};

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

struct World {
    declared: DeclaredSet,
    past: PastSet,
    live: LiveSet,
    compared: BTreeMap<ObjectId, Comparison>,
    gone: BTreeSet<ObjectId>,
    units: BTreeMap<ObjectId, Value>,
    log: Option<Log>,
    plurals: BTreeMap<GroupKind, String>,
    ignore: Ignore,
}

impl World {
    fn new() -> Self {
        let declared = DeclaredSet {
            repository: Repository {
                location: "./gitops".to_owned(),
                commit: None,
                subject: None,
                time: None,
                dirty: false,
            },
            entry: Entry {
                paths: vec!["clusters/production".to_owned()],
                dialect: "manifests".to_owned(),
                detected: true,
            },
            units: Vec::new(),
            objects: Vec::new(),
            problems: Vec::new(),
            unreached: 0,
            wanted: Vec::new(),
            wanted_clusters: Vec::new(),
        };
        Self {
            declared,
            past: PastSet::default(),
            live: LiveSet::default(),
            compared: BTreeMap::new(),
            gone: BTreeSet::new(),
            units: BTreeMap::new(),
            log: None,
            plurals: BTreeMap::new(),
            ignore: Ignore::default(),
        }
    }

    fn declare_with(&mut self, object: &str, rest: Value) -> &mut Self {
        let object = id(object);
        let version = match object.group.as_str() {
            "" => "v1".to_owned(),
            group => format!("{group}/v1"),
        };
        let mut value = rest;
        value["apiVersion"] = json!(version);
        value["kind"] = json!(object.kind);
        value["metadata"]["name"] = json!(object.name);
        if let Some(namespace) = &object.namespace {
            value["metadata"]["namespace"] = json!(namespace);
        }
        self.plurals.insert(object.group_kind(), "things".to_owned());
        self.declared.objects.push(Declared {
            id: object,
            manifest: Manifest::new(value).expect("because it is complete"),
            provenance: Provenance {
                file: "clusters/production/web.yaml".to_owned(),
                document: 0,
                line: 12,
                renderer: Renderer::Plain,
            },
            unit: UnitIndex(0),
            writer: Writer::ServerSide("refloat".to_owned()),
            generated: Vec::new(),
            namespace: None,
            waivers: Vec::new(),
            hook: None,
            turn: None,
        });
        self
    }

    fn declare(&mut self, object: &str) -> &mut Self {
        self.declare_with(object, json!({}))
    }

    /// Adds a live object, written by these managers.
    fn live(&mut self, object: &str, managers: &[&str]) -> &mut LiveObject {
        let object = id(object);
        self.live.listed.push(object.group_kind());
        let entry = self.live.objects.entry(object.clone());
        entry.or_insert_with(|| {
            Box::new(LiveObject {
                uid: object.name,
                created: "2026-01-02T03:04:05Z".to_owned(),
                managers: managers.iter().map(|name| manager(name)).collect(),
                ..LiveObject::default()
            })
        })
    }

    fn compare(&mut self, object: &str, fields: &[(&str, FieldChange, Option<usize>)], managers: &[&str]) {
        let live = self.live(object, managers).clone();
        let field = |(path, change, manager): &(&str, FieldChange, Option<usize>)| FieldDrift {
            path: (*path).to_owned(),
            change: *change,
            declared: None,
            live: None,
            manager: *manager,
            digest: 0,
            waived: None,
        };
        let comparison = Comparison {
            fields: fields.iter().map(field).collect(),
            method: Method::DryRun,
            live,
        };
        self.compared.insert(id(object), comparison);
    }

    fn remember(&mut self, object: &str, path: &str, removed: bool) {
        let object = id(object);
        if self.past.commits.is_empty() {
            self.past.commits.push(Commit {
                id: "0123456789abcdef".to_owned(),
                time: 1_767_323_045,
                author: "dev".to_owned(),
                subject: "drop it".to_owned(),
            });
        }
        let key = (object.group_kind(), object.name);
        self.past.identities.entry(key).or_default().push(PastIdentity {
            namespace: object.namespace,
            path: path.to_owned(),
            first: 0,
            last: 0,
            removed: removed.then_some(0),
        });
    }

    fn audit(&self) -> Findings {
        let options = Options {
            ignore: &self.ignore,
            log: self.log.as_ref(),
            units: &self.units,
            plurals: &self.plurals,
            release: "v1.37.2",
            reach: &Reach {
                context: Some("prod".to_owned()),
                ..Reach::default()
            },
        };
        let compared = || (&self.compared, &self.gone);
        classify(&self.declared, &self.past, &self.live, compared, &options)
    }

    /// Each finding as `verdict object: evidence; …`.
    fn told(&self) -> Vec<String> {
        let all = self.audit();
        let one = |finding: &Finding| {
            let evidence: Vec<&str> = finding
                .evidence
                .iter()
                .map(String::as_str)
                .filter(|e| !e.starts_with("created "))
                .collect();
            format!("{} {}: {}", finding.verdict.name(), finding.id, evidence.join("; "))
                .trim_end_matches(": ")
                .to_owned()
        };
        all.findings.iter().map(one).collect()
    }
}

fn manager(name: &str) -> Manager {
    Manager {
        name: name.to_owned(),
        operation: "Update".to_owned(),
        subresource: String::new(),
        time: "2026-01-02T03:04:05Z".to_owned(),
        fields: None,
    }
}

fn owner(text: &str) -> Owner {
    let object = id(text);
    Owner {
        kind: object.group_kind(),
        uid: object.name.clone(),
        name: object.name,
        controller: true,
    }
}

const NOTHING: &[String] = &[];

#[test]
fn ranks_are_places_among_the_findings() {
    let managed = |declared| Verdict::Managed {
        tool: "Helm",
        unit: String::new(),
        declared,
    };
    let drifted = Verdict::Drifted {
        fields: Vec::new(),
        managers: Vec::new(),
        method: Method::DryRun,
    };
    let removed = Verdict::RemovedFromGit {
        commit: Default::default(),
        path: String::new(),
    };
    let not_reached = Verdict::NotReached { path: String::new() };
    let findings = [
        Verdict::NeverInGit,
        managed(false),
        drifted,
        Verdict::Missing,
        removed,
        not_reached,
    ];
    for (place, verdict) in findings.iter().enumerate() {
        assert_eq!((verdict.rank(), verdict.name()), (place, Verdict::FINDINGS[place]));
    }
    for other in [
        Verdict::InSync,
        managed(true),
        Verdict::BuiltIn("x"),
        Verdict::Owned(id("Pod/shop/a")),
    ] {
        assert_eq!(other.rank(), Verdict::FINDINGS.len());
    }
}

#[test]
fn in_sync_drifted_missing_and_never() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        world.declare(&format!("Deployment.apps/shop/{name}"));
    }
    world.compare("Deployment.apps/shop/a", &[], &["refloat"]);
    world.compare(
        "Deployment.apps/shop/b",
        &[(".spec.replicas", FieldChange::Changed, Some(1))],
        &["refloat", "kubectl-edit"],
    );
    world.live("ConfigMap/shop/x", &["kubectl-create"]);
    assert_eq!(
        world.told(),
        [
            "never-in-git ConfigMap/shop/x",
            "drifted Deployment/shop/b",
            "missing Deployment/shop/c"
        ]
    );
    let found = world.audit();
    assert_eq!(found.coverage["shop"], Coverage { in_sync: 1, counted: 3 });
    assert_eq!(found.counts["in-sync"], 1);
    let [never, drifted, missing] = &found.findings[..] else {
        panic!("three");
    };
    assert_eq!(
        never.remedy.as_deref(),
        Some("kubectl delete configmap/x -n shop --context prod")
    );
    assert_eq!(never.authors[0].tool, "kubectl create");
    assert_eq!(
        drifted.authors[0].evidence,
        "managedFields: kubectl-edit Update 2026-01-02T03:04:05Z"
    );
    assert_eq!(
        drifted.place.as_ref().map(ToString::to_string).as_deref(),
        Some("clusters/production/web.yaml:12")
    );
    assert_eq!(
        missing.remedy.as_deref(),
        Some(
            "refloat restore ./gitops --path clusters/production --context prod --only Deployment.apps/shop/c --no-deps"
        )
    );
    assert!(missing.authors.is_empty(), "nobody knows");
}

#[test]
fn a_restore_does_not_take_away_what_was_added() {
    let (changed, added) = (FieldChange::Changed, FieldChange::Added);
    for (changes, restore, says) in [
        (&[changed][..], true, false),
        (&[changed, added], true, true),
        (&[added], false, false),
    ] {
        let mut world = World::new();
        world.declare("Deployment.apps/shop/a");
        let fields: Vec<_> = changes.iter().map(|change| (".spec.x", *change, Some(1))).collect();
        world.compare("Deployment.apps/shop/a", &fields, &["refloat", "kubectl-edit"]);
        let found = world.audit();
        let finding = &found.findings[0];
        let edit = "kubectl edit deployment.apps/a -n shop --context prod";
        let remedy = finding.remedy.as_deref().unwrap_or_default();
        assert_eq!(remedy.starts_with("refloat restore "), restore, "{remedy}");
        assert!(restore || remedy == edit, "{remedy}");
        let expected = format!("the restore leaves what was added: {edit} takes it away");
        assert_eq!(finding.evidence, Vec::from_iter(says.then_some(expected)));
    }
}

#[test]
fn what_was_not_read_is_neither_missing_nor_in_sync() {
    let mut world = World::new();
    world
        .declare("Secret/shop/a")
        .declare("Widget.example.com/shop/b")
        .declare("ConfigMap/shop/c")
        .declare("Gone.other.io/shop/d");
    world.live("ConfigMap/shop/other", &["kube-controller-manager"]);
    world.plurals.remove(&GroupKind::new("example.com", "Widget"));
    world.plurals.remove(&GroupKind::new("other.io", "Gone"));
    world.live.gaps.push(FactGap {
        what: "API group example.com/v1".to_owned(),
        reason: "503".to_owned(),
    });
    world.ignore = Ignore::parse("ConfigMap/shop/other").expect("because it is good");
    assert_eq!(
        world.told(),
        [
            "missing ConfigMap/shop/c",
            "missing Gone/shop/d: the cluster does not serve Gone.other.io"
        ]
    );
    let found = world.audit();
    assert_eq!((found.counts[NOT_COMPARED], found.ignored), (2, 1));
}

#[test]
fn what_is_gone_is_missing_where_its_namespace_or_it_was_asked_for() {
    let mut world = World::new();
    world
        .declare("Secret/shop/a")
        .declare("Secret/web/a")
        .declare("ConfigMap/shop/b");
    // Of this user's rights: secrets in one namespace.
    let within = (GroupKind::new("", "Secret"), "shop".to_owned());
    world.live.listed_within.insert(within);
    // Deleted after it was listed.
    world.live("ConfigMap/shop/b", &["refloat"]);
    world.gone.insert(id("ConfigMap/shop/b"));
    assert_eq!(world.told(), ["missing ConfigMap/shop/b", "missing Secret/shop/a"]);
    assert_eq!(world.audit().counts[NOT_COMPARED], 1);
}

#[test]
fn what_was_compared_offline_is_counted_drifted_or_not() {
    let mut world = World::new();
    for (name, fields) in [
        ("a", &[][..]),
        ("b", &[(".spec.x", FieldChange::Changed, Some(1))]),
        ("c", &[]),
    ] {
        let object = format!("Deployment.apps/shop/{name}");
        world.declare(&object);
        world.compare(&object, fields, &["refloat", "kubectl-edit"]);
        let compared = world.compared.get_mut(&id(&object)).expect("because it was put there");
        if name != "c" {
            compared.method = Method::Offline(format!("because of {name}"));
        }
    }
    let found = world.audit();
    let kind = GroupKind::new("apps", "Deployment");
    assert_eq!(found.offline, BTreeMap::from([(kind, (2, "because of a".to_owned()))]));
    let Verdict::Drifted { fields, .. } = &found.findings[0].verdict else {
        panic!("{:?}", found.findings);
    };
    let owner = found.findings[0].verdict.owner(&fields[0]);
    assert_eq!(owner, Some(&manager("kubectl-edit")));
}

#[test]
fn hooks_and_collected_jobs_are_not_missing() {
    let mut world = World::new();
    world.declare_with("Job.batch/shop/done", json!({"spec": {"ttlSecondsAfterFinished": 60}}));
    world.declare_with(
        "Job.batch/shop/hook",
        json!({"metadata": {"annotations": {"helm.sh/hook": "post-install"}}}),
    );
    world.live("Job.batch/shop/other", &[]);
    assert_eq!(world.told(), ["never-in-git Job/shop/other"]);
}

#[test]
fn the_top_owner_has_the_verdict() {
    let mut world = World::new();
    world.live("Pod/shop/web-1", &["kube-controller-manager"]).owners = vec![owner("ReplicaSet.apps/shop/web")];
    world
        .live("ReplicaSet.apps/shop/web", &["kube-controller-manager"])
        .owners = vec![owner("Deployment.apps/shop/web")];
    world.live("Deployment.apps/shop/web", &["kubectl-create"]);
    world.live("Pod/shop/lost", &["kube-controller-manager"]).owners = vec![owner("ReplicaSet.apps/shop/gone")];
    // As `kubectl create job --from` does.
    world.live("CronJob.batch/shop/nightly", &["refloat"]);
    world.declare("CronJob.batch/shop/nightly");
    world.compare("CronJob.batch/shop/nightly", &[], &["refloat"]);
    world.live("Job.batch/shop/by-hand", &["kubectl-create"]).owners = vec![owner("CronJob.batch/shop/nightly")];
    assert_eq!(
        world.told(),
        [
            "never-in-git Deployment/shop/web: it owns 2 objects: 1 Pod, 1 ReplicaSet.apps",
            "never-in-git Job/shop/by-hand: it names CronJob/shop/nightly as its owner, and only a person's tool wrote it",
            "never-in-git Pod/shop/lost: its owner ReplicaSet/shop/gone does not exist",
        ]
    );
    assert_eq!(world.audit().counts["owned"], 2);
    // Of what is declared it goes without saying.
    world.declare("Deployment.apps/shop/web");
    let field = (".spec.paused", FieldChange::Added, None);
    world.compare("Deployment.apps/shop/web", &[field], &["kubectl-create"]);
    assert_eq!(world.told()[2], "drifted Deployment/shop/web");
}

/// As `kubectl debug`, `kubectl scale` and `kubectl patch` leave it; the owner has the verdict on all else.
#[test]
fn what_belongs_to_somebody_is_told_where_a_person_changed_it() {
    let mut world = World::new();
    let certificate = "Certificate.cert-manager.io/shop/web";
    world.declare(certificate);
    world.compare(certificate, &[], &["refloat"]);
    for (object, by) in [
        ("Pod/shop/debugged", "kubectl-debug"),
        ("Pod/shop/left-alone", "kubelet"),
        ("Secret/shop/patched", "kubectl-patch"),
        ("StatefulSet.apps/shop/java", "fabric8-kubernetes-client"),
        ("StatefulSet.apps/shop/scaled", "kubectl-edit"),
    ] {
        world.live(object, &["cert-manager-certificates-issuing", by]).owners = vec![owner(certificate)];
    }
    let belongs = "it belongs to Certificate/shop/web; changed by hand since";
    let expected = ["Pod/shop/debugged", "Secret/shop/patched", "StatefulSet/shop/scaled"];
    assert_eq!(
        world.told(),
        expected.map(|object| format!("never-in-git {object}: {belongs}"))
    );
    let found = world.audit();
    let remedies: Vec<&str> = found.findings.iter().filter_map(|one| one.remedy.as_deref()).collect();
    assert_eq!(
        remedies,
        [
            "kubectl delete pod/debugged -n shop --context prod",
            "kubectl edit secret/patched -n shop --context prod",
            "kubectl edit statefulset.apps/scaled -n shop --context prod"
        ]
    );
    assert!(
        found
            .findings
            .iter()
            .all(|one| one.owner.as_deref() == Some(&id(certificate)))
    );
    assert_eq!((found.counts["owned"], found.counts["never-in-git"]), (2, 3));
}

/// The audit log has the word of a person where no manager is left, about this object and not the one before it.
#[test]
fn what_belongs_to_somebody_may_be_changed_by_the_log_s_word() {
    let event = |verb: &str, user: &str, agent: &str, second: u32| {
        json!({"apiVersion": "audit.k8s.io/v1", "stage": "ResponseComplete", "verb": verb, "requestURI": "/x",
            "user": {"username": user}, "userAgent": agent, "responseStatus": {"code": 200},
            "objectRef": {"resource": "things", "namespace": "shop", "name": "web-0"},
            "requestReceivedTimestamp": format!("2026-01-02T03:04:{second:02}.500000Z")})
        .to_string()
    };
    let told = |events: &[String]| {
        let mut world = World::new();
        world.live("Pod/shop/web-0", &["kube-controller-manager"]).owners = vec![owner("StatefulSet.apps/shop/web")];
        world.declare("StatefulSet.apps/shop/web");
        world.compare("StatefulSet.apps/shop/web", &[], &["refloat"]);
        world.plurals.insert(GroupKind::new("", "Pod"), "things".to_owned());
        let mut log = Log::about([id("Pod/shop/web-0")].iter(), &world.plurals);
        log.read("a", events.iter().cloned().map(Ok));
        world.log = Some(log);
        world.told()
    };
    let (patch, delete) = (
        event("patch", "alice", "kubectl/v1.37", 1),
        event("delete", "system:node:a", "kubelet/v1.37", 2),
    );
    let changed = "never-in-git Pod/shop/web-0: it belongs to StatefulSet/shop/web; changed by hand since";
    assert_eq!(told(std::slice::from_ref(&patch)), [changed]);
    assert_eq!(told(&[patch, delete]), NOTHING);
    assert_eq!(
        told(&[event("patch", "alice", "okhttp/4", 1)]),
        NOTHING,
        "a program's name"
    );
    assert_eq!(
        told(&[event("create", "alice", "kubectl/v1.37", 1)]),
        NOTHING,
        "as kubectl exec does"
    );
}

#[test]
fn built_in_objects_are_silent_until_a_person_changes_them() {
    let mut world = World::new();
    world.live("ConfigMap/shop/kube-root-ca.crt", &["kube-controller-manager"]);
    world.live("Namespace/default", &["kube-apiserver", "kubectl-label"]);
    assert_eq!(world.audit().by_rule, BTreeMap::from([("root-ca", 1)]));
    let rule = "the cluster makes it (namespaces: the server makes them when it starts); changed by hand since";
    assert_eq!(world.told(), [format!("never-in-git Namespace/default: {rule}")]);
    assert_eq!(
        world.audit().findings[0].remedy.as_deref(),
        Some("kubectl edit namespace/default --context prod")
    );
}

#[test]
fn removed_not_reached_and_doubtful() {
    let mut world = World::new();
    for name in ["removed", "unreached", "twin"] {
        world.live(&format!("ConfigMap/shop/{name}"), &["refloat"]);
    }
    world.live("ConfigMap/other/twin", &["refloat"]);
    world.remember("ConfigMap/shop/removed", "old.yaml", true);
    world.remember("ConfigMap/shop/unreached", "clusters/staging/x.yaml", false);
    world.remember("ConfigMap/twin", "base/x.yaml", false);
    let doubt = "base/x.yaml has a ConfigMap of this name without a namespace: kind and name alone are no evidence";
    assert_eq!(
        world.told(),
        [
            format!("never-in-git ConfigMap/other/twin: {doubt}"),
            format!("never-in-git ConfigMap/shop/twin: {doubt}"),
            "removed-from-git ConfigMap/shop/removed: matched by group, kind, namespace and name; old.yaml had it until commit 0123456789ab \"drop it\" (2026-01-02T03:04:05Z)".to_owned(),
            "not-reached ConfigMap/shop/unreached: matched by group, kind, namespace and name".to_owned(),
        ]
    );
}

#[test]
fn what_is_in_a_file_that_could_not_be_used_is_not_to_be_deleted() {
    let mut world = World::new();
    for (name, path) in [
        ("sealed", "apps/secret.yaml"),
        ("built", "apps/web/base/map.yaml"),
        ("beside", "apps/website/map.yaml"),
    ] {
        world.live(&format!("ConfigMap/shop/{name}"), &["refloat"]);
        world.remember(&format!("ConfigMap/shop/{name}"), path, false);
    }
    for (file, why) in [
        ("apps/secret.yaml", "no key fits"),
        ("apps/web/kustomization.yaml", "it does not build"),
    ] {
        world.declared.problems.push(Problem::error(Place::file(file), why));
    }
    let findings = world.audit().findings;
    let told = |name: &str| {
        let one = findings
            .iter()
            .find(|one| *one.id.name == *name)
            .expect("because it is live");
        (one.evidence.last().cloned().unwrap_or_default(), one.remedy.is_some())
    };
    assert_eq!(told("sealed"), ("no key fits".to_owned(), false));
    assert_eq!(told("built"), ("it does not build".to_owned(), false));
    assert!(told("beside").1);
}

fn marked(world: &mut World, object: &str, managers: &[&str], labels: &[(&str, &str)], annotations: &[(&str, &str)]) {
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let live = world.live(object, managers);
    (live.labels, live.annotations) = (pairs(labels), pairs(annotations));
}

#[test]
fn findings_are_ordered_worst_first_then_by_place() {
    let mut world = World::new();
    // So many that several threads judge them.
    for number in 0..6_000 {
        let kind = ["ConfigMap", "Widget.example.com", "Deployment.apps"][number % 3];
        world.live(&format!("{kind}/ns-{}/x-{number}", number % 7), &["kubectl-create"]);
    }
    world.declare("ConfigMap/ns-0/a-gone");
    let found = world.audit();
    let place = |one: &Finding| {
        let id = &one.id;
        let namespace = id.namespace.clone().unwrap_or_default();
        (one.verdict.rank(), namespace, id.kind.clone(), id.name.clone())
    };
    let places: Vec<_> = found.findings.iter().map(place).collect();
    assert!(places.is_sorted());
    assert_eq!((places.len(), found.findings[6_000].verdict.name()), (6_001, "missing"));
    assert_eq!((found.counts["never-in-git"], found.counts["missing"]), (6_000, 1));
    let covered: Vec<usize> = found.coverage.values().map(|one| one.counted).collect();
    assert_eq!((covered.len(), covered.iter().sum::<usize>()), (7, 6_000));
}

#[test]
fn a_large_cluster_is_judged_in_linear_time() {
    let mut world = World::new();
    for number in 0..20_000 {
        let object = format!("ConfigMap/ns-{}/x-{number}", number % 50);
        marked(&mut world, &object, &["kapp"], &[("kapp.k14s.io/app", "1")], &[]);
        let pod = format!("Pod/ns-{}/p-{number}", number % 50);
        world.live(&pod, &["kube-controller-manager"]).owners = vec![owner(&object)];
    }
    world.live.listed.sort();
    world.live.listed.dedup();
    // Work that grows with the square of this would take minutes.
    let found = world.audit();
    assert_eq!(
        (found.counts["owned"], found.counts["managed-undeclared"]),
        (20_000, 20_000)
    );
    assert_eq!(found.findings.len(), 1);
}
