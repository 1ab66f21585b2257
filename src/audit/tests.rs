//! Verdicts, on small clusters written down by hand.

mod namespaces;
mod waive;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::object::{
    Commit, Comparison, Declared, DeclaredSet, Entry, FactGap, FieldChange, FieldDrift, GroupKind, LiveObject, LiveSet,
    Manager, Manifest, Method, Owner, PastIdentity, PastSet, Provenance, Renderer, Repository, UnitIndex, Writer,
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
        };
        Self {
            declared,
            past: PastSet::default(),
            live: LiveSet::default(),
            compared: BTreeMap::new(),
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
        self.live.objects.entry(object.clone()).or_insert(LiveObject {
            uid: object.name,
            created: "2026-01-02T03:04:05Z".to_owned(),
            managers: managers.iter().map(|name| manager(name)).collect(),
            ..LiveObject::default()
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
            log: None,
            plurals: &self.plurals,
            reach: &Reach {
                kubeconfig: None,
                context: Some("prod".to_owned()),
            },
        };
        classify(&self.declared, &self.past, &self.live, || &self.compared, &options)
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
            "never-in-git Deployment/shop/web",
            "never-in-git Job/shop/by-hand: it names CronJob/shop/nightly as its owner, and only a person's tool wrote it",
            "never-in-git Pod/shop/lost: its owner ReplicaSet/shop/gone does not exist",
        ]
    );
    assert_eq!(world.audit().counts["owned"], 2);
}

#[test]
fn built_in_objects_are_silent_until_a_person_changes_them() {
    let mut world = World::new();
    world.live("ConfigMap/shop/kube-root-ca.crt", &["kube-controller-manager"]);
    world.live("Namespace/default", &["kube-apiserver", "kubectl-label"]);
    let rule = "the cluster makes it (namespaces: the server makes them when it starts); changed by hand since";
    assert_eq!(world.told(), [format!("never-in-git Namespace/default: {rule}")]);
    assert_eq!(
        world.audit().findings[0].remedy.as_deref(),
        Some("kubectl get namespace/default -o yaml --context prod")
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

fn marked(world: &mut World, object: &str, managers: &[&str], labels: &[(&str, &str)], annotations: &[(&str, &str)]) {
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let live = world.live(object, managers);
    (live.labels, live.annotations) = (pairs(labels), pairs(annotations));
}

/// An object of each tool: (name of the object, managers, labels, annotations).
type Marks<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)]);

const MARKS: &[Marks<'static>] = &[
    (
        "Helm shop/web",
        "helm",
        &[("app.kubernetes.io/managed-by", "Helm")],
        &[
            ("meta.helm.sh/release-name", "web"),
            ("meta.helm.sh/release-namespace", "shop"),
        ],
    ),
    (
        "Flux Kustomization/flux-system/apps",
        "kustomize-controller",
        &[
            ("kustomize.toolkit.fluxcd.io/name", "apps"),
            ("kustomize.toolkit.fluxcd.io/namespace", "flux-system"),
        ],
        &[],
    ),
    (
        "Flux HelmRelease/shop/web",
        "helm-controller",
        &[
            ("helm.toolkit.fluxcd.io/name", "web"),
            ("helm.toolkit.fluxcd.io/namespace", "shop"),
        ],
        &[],
    ),
    (
        "Argo CD Application/web",
        "argocd-controller",
        &[],
        &[("argocd.argoproj.io/tracking-id", "web:/ConfigMap:shop/x")],
    ),
    (
        "Argo CD Application/web",
        "argocd-controller",
        &[("argocd.argoproj.io/instance", "web")],
        &[],
    ),
    ("kapp web-ctrl", "kapp", &[("kapp.k14s.io/app", "1234")], &[]),
    (
        "ApplySet Widget/shop/set",
        "kubectl",
        &[("applyset.kubernetes.io/part-of", "set-1")],
        &[],
    ),
];

fn with_marks((_, manager, labels, annotations): &Marks<'_>) -> World {
    let mut world = World::new();
    marked(&mut world, "ConfigMap/shop/x", &[manager], labels, annotations);
    marked(
        &mut world,
        "ConfigMap/shop/web-ctrl",
        &["kapp"],
        &[("kapp.k14s.io/is-app", "")],
        &[],
    );
    marked(
        &mut world,
        "Widget.example.com/shop/set",
        &["x"],
        &[("applyset.kubernetes.io/id", "set-1")],
        &[],
    );
    world.ignore = Ignore::parse("Widget.example.com/*/*\nConfigMap/*/web-ctrl").expect("because it is good");
    world
}

#[test]
fn a_unit_that_git_declares_makes_its_objects_silent() {
    let declare: [(&str, Value); 5] = [
        ("HelmRelease.helm.toolkit.fluxcd.io/shop/web", json!({})),
        ("Kustomization.kustomize.toolkit.fluxcd.io/flux-system/apps", json!({})),
        ("Application.argoproj.io/argocd/web", json!({})),
        ("App.kappctrl.k14s.io/shop/web", json!({})),
        ("Widget.example.com/shop/set", json!({})),
    ];
    for marks in MARKS {
        let mut world = with_marks(marks);
        for (object, rest) in &declare {
            world.declare_with(object, rest.clone());
            world.compare(object, &[], &["refloat"]);
        }
        if let Some(live) = world.live.objects.get_mut(&id("Widget.example.com/shop/set")) {
            live.labels
                .insert("applyset.kubernetes.io/id".to_owned(), "set-1".to_owned());
        }
        assert_eq!(world.told(), NOTHING, "{}", marks.0);
        assert_eq!(world.audit().counts.get("managed"), Some(&1), "{}", marks.0);
    }
}

#[test]
fn a_unit_that_git_never_declared_is_one_finding() {
    for marks in MARKS {
        let mut world = with_marks(marks);
        let (labels, annotations) = (marks.2, marks.3);
        if !annotations.iter().any(|(key, _)| key.contains("tracking-id")) {
            marked(&mut world, "ConfigMap/shop/y", &[marks.1], labels, annotations);
        }
        let told = world.told();
        assert_eq!(
            told.len(),
            usize::from(!matches!(marks.1, "kapp" | "kubectl")),
            "{told:?}"
        );
        let Some(told) = told.first() else {
            // The object that stands for the unit is live and hidden here.
            assert_eq!(world.audit().ignored, 3, "{}", marks.0);
            continue;
        };
        assert!(
            told.starts_with("managed-undeclared ConfigMap/shop/x: it manages "),
            "{told}"
        );
        assert!(
            told.ends_with(&format!("Git neither declares nor declared {}", marks.0)),
            "{told}"
        );
    }
}

#[test]
fn copied_marks_are_no_excuse() {
    for marks in MARKS.iter().filter(|marks| marks.1 != "kubectl") {
        let mut copied = *marks;
        copied.1 = "kubectl-client-side-apply";
        let mut world = with_marks(&copied);
        world.declare("HelmRelease.helm.toolkit.fluxcd.io/shop/web");
        world.compare("HelmRelease.helm.toolkit.fluxcd.io/shop/web", &[], &[]);
        let told = world.told();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("never-in-git ConfigMap/shop/x: it has the marks of "),
            "{told:?}"
        );
    }
}

#[test]
fn releases_are_found_by_every_way_git_declares_them() {
    let helm = &MARKS[0];
    type Prepare = fn(&mut World);
    let ways: [(&str, Prepare); 5] = [
        ("a chart in the repository", |world| {
            let annotations = json!({"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"});
            world.declare_with(
                "ConfigMap/shop/other",
                json!({"metadata": {"annotations": annotations}}),
            );
            world.compare("ConfigMap/shop/other", &[], &[]);
        }),
        ("a release by another name", |world| {
            world.declare_with(
                "HelmRelease.helm.toolkit.fluxcd.io/flux-system/x",
                json!({"spec": {"releaseName": "web", "targetNamespace": "shop"}}),
            );
            world.compare("HelmRelease.helm.toolkit.fluxcd.io/flux-system/x", &[], &[]);
        }),
        ("k3s", |world| {
            world.declare_with(
                "HelmChart.helm.cattle.io/kube-system/web",
                json!({"spec": {"targetNamespace": "shop"}}),
            );
            world.compare("HelmChart.helm.cattle.io/kube-system/web", &[], &[]);
        }),
        ("the past", |world| {
            world.remember("HelmRelease.helm.toolkit.fluxcd.io/shop/web", "old.yaml", true)
        }),
        ("the past of k3s", |world| {
            world.remember("HelmChart.helm.cattle.io/kube-system/web", "old.yaml", true)
        }),
    ];
    for (name, prepare) in ways {
        let mut world = with_marks(helm);
        marked(&mut world, "Secret/shop/sh.helm.release.v1.web.v3", &["helm"], &[], &[]);
        prepare(&mut world);
        assert_eq!(world.told(), NOTHING, "{name}");
    }
    // Undeclared, the Secret that the release is stored in stands for it.
    let mut world = with_marks(helm);
    for version in ["v9", "v10"] {
        marked(
            &mut world,
            &format!("Secret/shop/sh.helm.release.v1.web.{version}"),
            &["helm"],
            &[],
            &[],
        );
    }
    let found = world.audit();
    assert_eq!(found.findings.len(), 1);
    assert_eq!(found.findings[0].id, id("Secret/shop/sh.helm.release.v1.web.v10"));
    assert_eq!(
        found.findings[0].remedy.as_deref(),
        Some("helm uninstall web -n shop --kube-context prod")
    );
    assert_eq!(found.counts["managed-undeclared"], 3);
}

#[test]
fn units_made_by_units_of_git_are_declared() {
    let mut world = with_marks(&MARKS[3]);
    // An ApplicationSet that Git declares made the Application.
    world.declare("ApplicationSet.argoproj.io/argocd/all");
    world.compare("ApplicationSet.argoproj.io/argocd/all", &[], &[]);
    world
        .live(
            "Application.argoproj.io/argocd/web",
            &["argocd-applicationset-controller"],
        )
        .owners = vec![owner("ApplicationSet.argoproj.io/argocd/all")];
    assert_eq!(world.told(), NOTHING);
}

#[test]
fn a_unit_made_by_hand_answers_for_what_it_made() {
    let mut world = with_marks(&MARKS[1]);
    world.live(
        "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/apps",
        &["kubectl-create"],
    );
    assert_eq!(
        world.told(),
        ["never-in-git Kustomization/flux-system/apps: it manages 1 object"]
    );
}

#[test]
fn earlier_generations_of_a_generator() {
    let mut world = World::new();
    world.declare("ConfigMap/shop/web-9bd8h6ffk2");
    world.compare("ConfigMap/shop/web-9bd8h6ffk2", &[], &[]);
    world.live("ConfigMap/shop/web-2m5k4t7g6f", &["kustomize-controller"]);
    world.live("ConfigMap/shop/web-2m5k4t7g6x", &["kustomize-controller"]);
    world.live("ConfigMap/shop/other-2m5k4t7g6f", &["kustomize-controller"]);
    assert_eq!(
        world.told(),
        [
            "never-in-git ConfigMap/shop/other-2m5k4t7g6f",
            "never-in-git ConfigMap/shop/web-2m5k4t7g6x"
        ]
    );
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
fn a_unit_without_an_object_is_told_by_its_first_one() {
    let mut world = World::new();
    for object in ["Deployment.apps/a/x", "ConfigMap/b/x"] {
        let part_of = [("applyset.kubernetes.io/part-of", "set-1")];
        marked(&mut world, object, &["x"], &part_of, &[]);
    }
    assert_eq!(
        world.told(),
        ["managed-undeclared ConfigMap/b/x: it manages 2 objects; Git neither declares nor declared ApplySet set-1"]
    );
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
