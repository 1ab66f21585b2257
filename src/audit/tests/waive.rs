//! What units tell their engines not to compare.

use super::*;
use crate::object::{Waived, Waiver};

const OF_ARGO: &[(&str, &str)] = &[("argocd.argoproj.io/instance", "web")];
const OF_FLUX: &[(&str, &str)] = &[
    ("kustomize.toolkit.fluxcd.io/name", "apps"),
    ("kustomize.toolkit.fluxcd.io/namespace", "flux-system"),
];
const OF_A_RELEASE: &[(&str, &str)] = &[
    ("helm.toolkit.fluxcd.io/name", "web"),
    ("helm.toolkit.fluxcd.io/namespace", "shop"),
];

/// A Deployment that Git declares, with these labels in the cluster.
fn deployment(labels: &[(&str, &str)]) -> World {
    let mut world = World::new();
    world.declare("Deployment.apps/shop/web");
    marked(&mut world, "Deployment.apps/shop/web", &["x"], labels, &[]);
    world
}

/// What is left alone of it: `who: what`; and what was not understood.
fn told(world: &mut World, read: &BTreeMap<ObjectId, Value>) -> (Vec<String>, Vec<String>) {
    let gaps = waive(&mut world.declared, &world.past, &world.live, read);
    let one = |Waiver { by, what }: &Waiver| match what {
        Waived::Pointer(text) => format!("{by}: {text}"),
        other => format!("{by}: {other:?}"),
    };
    let of_web = world
        .declared
        .objects
        .iter()
        .find(|one| one.id.name == "web" && one.id.kind == "Deployment");
    let waivers = of_web.map(|declared| declared.waivers.iter().map(one).collect());
    let gaps = gaps.iter().map(|gap| format!("{}: {}", gap.what, gap.reason)).collect();
    (waivers.unwrap_or_default(), gaps)
}

fn waivers(world: &mut World) -> Vec<String> {
    let (waivers, gaps) = told(world, &BTreeMap::new());
    assert_eq!(gaps, NOTHING);
    waivers
}

#[test]
fn an_application_leaves_alone_what_its_rules_are_about() {
    for (rule, about_it) in [
        (json!({"group": "apps", "kind": "Deployment"}), true),
        (json!({"group": "*", "kind": "*"}), true),
        (json!({"group": "a*s", "kind": "Deploy*"}), true),
        (json!({"kind": "Deployment"}), false),
        (json!({"group": "apps", "kind": "StatefulSet"}), false),
        (
            json!({"group": "apps", "kind": "Deployment", "name": "web", "namespace": "shop"}),
            true,
        ),
        (json!({"group": "apps", "kind": "Deployment", "name": "we*"}), false),
        (
            json!({"group": "apps", "kind": "Deployment", "namespace": "bank"}),
            false,
        ),
    ] {
        let mut world = deployment(OF_ARGO);
        let mut rule = rule;
        rule["jsonPointers"] = json!(["/spec/replicas"]);
        rule["jqPathExpressions"] = json!([".spec.paused"]);
        rule["managedFieldsManagers"] = json!(["scaler"]);
        world.declare_with(
            "Application.argoproj.io/argocd/web",
            json!({"spec": {"ignoreDifferences": [rule]}}),
        );
        let expected: &[&str] = &[
            "Application/argocd/web: /spec/replicas",
            "Application/argocd/web: Expression(.spec.paused)",
            "Application/argocd/web: Managers([\"scaler\"])",
        ];
        assert_eq!(waivers(&mut world), if about_it { expected } else { &[] }, "{rule}");
    }
    let mut world = deployment(OF_FLUX);
    let rule = json!({"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec"]});
    world.declare_with(
        "Application.argoproj.io/argocd/web",
        json!({"spec": {"ignoreDifferences": [rule]}}),
    );
    assert_eq!(waivers(&mut world), NOTHING, "another unit's object");
}

#[test]
fn an_application_that_git_does_not_declare_is_read_where_git_stands_behind_it() {
    let application = "Application.argoproj.io/argocd/web";
    let spec = json!({"spec": {"ignoreDifferences": [{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}]}});
    let mut world = deployment(OF_ARGO);
    world.live(application, &["argocd-applicationset-controller"]).owners =
        vec![owner("ApplicationSet.argoproj.io/argocd/all")];
    let to_read = |world: &World| units_to_read(&world.declared, &world.past, &world.live);
    assert!(to_read(&world).is_empty(), "nobody stands behind it");
    assert_eq!(told(&mut world, &BTreeMap::new()).0, NOTHING);
    world.declare("ApplicationSet.argoproj.io/argocd/all");
    let ids = to_read(&world);
    assert_eq!(ids.iter().map(ObjectId::with_group).collect::<Vec<_>>(), [application]);
    let read = ids.into_iter().map(|id| (id, spec.clone())).collect();
    assert_eq!(told(&mut world, &read).0, ["Application/argocd/web: /spec/replicas"]);
    // Of one that Git declares, Git's word counts.
    world.declare_with(application, json!({"spec": {}}));
    assert!(to_read(&world).is_empty());
    assert_eq!(told(&mut world, &read).0, NOTHING);
}

/// Every Kustomization is read, for its inventory; what one says that Git does not stand behind would hide what was done by hand.
#[test]
fn a_kustomization_made_by_hand_leaves_nothing_alone() {
    let kustomization = "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/apps";
    let mut world = deployment(OF_FLUX);
    world.live(kustomization, &["kubectl-create"]);
    let ids = units_to_read(&world.declared, &world.past, &world.live);
    assert_eq!(
        ids.iter().map(ObjectId::with_group).collect::<Vec<_>>(),
        [kustomization]
    );
    let spec = json!({"spec": {"ignore": [{"paths": ["/spec/replicas"]}]}});
    let read = BTreeMap::from([(id(kustomization), spec)]);
    assert_eq!(told(&mut world, &read).0, NOTHING);
    world.remember(kustomization, "old.yaml", true);
    assert_eq!(
        told(&mut world, &read).0,
        ["Kustomization/flux-system/apps: /spec/replicas"]
    );
}

/// Where Argo CD was installed by hand, what it goes by is in the cluster only.
#[test]
fn settings_of_argo_cd_that_nobody_declares_are_read() {
    let settings = "ConfigMap/argocd/argocd-cm";
    let data = json!({"data": {"resource.customizations.ignoreDifferences.apps_Deployment": "jsonPointers: [/spec/replicas]\n"}});
    let to_read = |world: &World| units_to_read(&world.declared, &world.past, &world.live);
    let mut world = deployment(OF_ARGO);
    world.live(settings, &["kubectl"]);
    assert!(to_read(&world).is_empty(), "nothing goes by them");
    world.live("Application.argoproj.io/argocd/web", &["kubectl"]);
    world.live("ConfigMap/shop/argocd-cm", &["kubectl"]);
    let ids = to_read(&world);
    assert_eq!(ids.iter().map(ObjectId::with_group).collect::<Vec<_>>(), [settings]);
    let read = ids.into_iter().map(|id| (id, data.clone())).collect();
    assert_eq!(
        told(&mut world, &read).0,
        ["ConfigMap/argocd/argocd-cm: /spec/replicas"]
    );
    world.declare_with(settings, json!({"data": {}}));
    assert!(to_read(&world).is_empty());
    assert_eq!(
        told(&mut world, &read).0,
        NOTHING,
        "Git's word counts, where there is one"
    );
    // Elsewhere than usual it is where its Applications are.
    let mut world = deployment(OF_ARGO);
    world.live("Application.argoproj.io/gitops/web", &["kubectl"]);
    for home in ["shop", "gitops"] {
        world.live(&format!("ConfigMap/{home}/argocd-cm"), &["kubectl"]);
    }
    let ids: Vec<String> = to_read(&world).iter().map(ObjectId::with_group).collect();
    assert_eq!(ids, ["ConfigMap/gitops/argocd-cm"]);
}

#[test]
fn settings_of_argo_cd_are_for_all_applications() {
    let data = json!({
        "resource.customizations.ignoreDifferences.apps_Deployment": "jqpathexpressions:\n- .spec.replicas\n",
        "resource.customizations.ignoreDifferences.all": "jsonPointers: [/spec/x]\nmanagedFieldsManagers: [scaler]\n",
        "resource.customizations.ignoreDifferences.ConfigMap": "jsonPointers: [/data]\n",
        "resource.customizations.health.apps_Deployment": "hs = {}",
        "resource.customizations": "apps/Deployment:\n  ignoreDifferences: |\n    jsonPointers: [/spec/y]\n",
        "url": "https://argocd.example.com"});
    let expected = [
        "ConfigMap/argocd/argocd-cm: Expression(.spec.replicas)",
        "ConfigMap/argocd/argocd-cm: /spec/x",
        "ConfigMap/argocd/argocd-cm: Managers([\"scaler\"])",
        "ConfigMap/argocd/argocd-cm: /spec/y",
    ];
    let mut world = deployment(OF_ARGO);
    world.declare_with("ConfigMap/argocd/argocd-cm", json!({ "data": data }));
    assert_eq!(waivers(&mut world), expected);
    let mut world = deployment(OF_FLUX);
    world.declare_with("ConfigMap/argocd/argocd-cm", json!({ "data": data }));
    assert_eq!(waivers(&mut world), NOTHING, "Flux does not read it");
}

#[test]
fn kustomizations_and_releases_of_flux() {
    let about = |target: Value| json!([{"paths": ["/spec/replicas", "/spec/paused"], "target": target}]);
    for (target, about_it) in [
        (Value::Null, true),
        (
            json!({"kind": "Deployment|StatefulSet", "group": "apps", "version": "v.*"}),
            true,
        ),
        (
            json!({"labelSelector": "kustomize.toolkit.fluxcd.io/name in (apps, web), !legacy"}),
            true,
        ),
        (json!({"kind": "Deploy"}), false),
        (json!({"namespace": "bank"}), false),
    ] {
        let mut world = deployment(OF_FLUX);
        let spec = json!({"spec": {"ignore": about(target.clone())}});
        world.declare_with("Kustomization.kustomize.toolkit.fluxcd.io/flux-system/apps", spec);
        let by = "Kustomization/flux-system/apps";
        let expected = [format!("{by}: /spec/replicas"), format!("{by}: /spec/paused")];
        assert_eq!(
            waivers(&mut world),
            if about_it { &expected[..] } else { &[] },
            "{target}"
        );
    }
    let mut world = deployment(OF_A_RELEASE);
    let spec = json!({"spec": {"driftDetection": {"mode": "warn", "ignore": about(json!({"name": "we."}))}}});
    world.declare_with("HelmRelease.helm.toolkit.fluxcd.io/shop/web", spec);
    let by = "HelmRelease/shop/web";
    assert_eq!(
        waivers(&mut world),
        [format!("{by}: /spec/replicas"), format!("{by}: /spec/paused")]
    );
}

#[test]
fn marks_of_flux_count_where_git_has_them() {
    for (key, value, expected) in [
        ("kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent", "All"),
        ("kustomize.toolkit.fluxcd.io/ssa", "ignore", "All"),
        ("kustomize.toolkit.fluxcd.io/ssa", "Merge", "Additions"),
        ("kustomize.toolkit.fluxcd.io/ssa", "Override", ""),
        ("kustomize.toolkit.fluxcd.io/reconcile", "disabled", "All"),
        ("kustomize.toolkit.fluxcd.io/reconcile", "enabled", ""),
        ("helm.toolkit.fluxcd.io/driftDetection", "disabled", "All"),
    ] {
        for at in ["annotations", "labels"] {
            let mut world = World::new();
            world.declare_with("Deployment.apps/shop/web", json!({"metadata": {at: {key: value}}}));
            let told = waivers(&mut world);
            let told: Vec<&str> = told
                .iter()
                .map(|text| text.rsplit(": ").next().unwrap_or_default())
                .collect();
            assert_eq!(told.concat(), expected, "{key}: {value}");
        }
    }
    // By hand on the live object they would hide what was done by hand.
    let mut world = deployment(OF_FLUX);
    marked(
        &mut world,
        "Deployment.apps/shop/web",
        &["x"],
        OF_FLUX,
        &[("kustomize.toolkit.fluxcd.io/reconcile", "disabled")],
    );
    assert_eq!(waivers(&mut world), NOTHING);
}

#[test]
fn what_flux_never_makes_is_not_missing() {
    let mut world = World::new();
    world.live("Deployment.apps/shop/other", &[]);
    for (name, value) in [("a", "Ignore"), ("b", "IfNotPresent"), ("c", "Merge")] {
        let annotations = json!({"metadata": {"annotations": {"kustomize.toolkit.fluxcd.io/ssa": value}}});
        world.declare_with(&format!("Deployment.apps/shop/{name}"), annotations);
    }
    let missing: Vec<String> = world
        .told()
        .into_iter()
        .filter(|line| line.starts_with("missing"))
        .collect();
    assert_eq!(missing, ["missing Deployment/shop/b", "missing Deployment/shop/c"]);
}

#[test]
fn what_is_not_understood_is_said_and_leaves_nothing_alone() {
    let mut world = deployment(OF_ARGO);
    let rule = json!({"group": "apps", "kind": "Deployment", "jqPathExpressions": [".spec[", "repeat(.)", ".spec.replicas"], "jsonPointers": null});
    world.declare_with(
        "Application.argoproj.io/argocd/web",
        json!({"spec": {"ignoreDifferences": [rule, 7, "x"]}}),
    );
    let (waivers, gaps) = told(&mut world, &BTreeMap::new());
    assert_eq!(waivers, ["Application/argocd/web: Expression(.spec.replicas)"]);
    assert_eq!(
        gaps,
        [
            "leave out .spec[, as Application/argocd/web says: it is no expression of jq",
            "leave out repeat(.), as Application/argocd/web says: repeat is not known here",
        ]
    );
    let mut world = deployment(OF_FLUX);
    let ignore = json!([{"paths": ["/spec"], "target": {"name": "("}}]);
    world.declare_with(
        "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/apps",
        json!({"spec": {"ignore": ignore}}),
    );
    let (waivers, gaps) = told(&mut world, &BTreeMap::new());
    assert_eq!((waivers.len(), gaps.len()), (0, 1));
    assert!(
        gaps[0].starts_with("leave out {\"name\":\"(\"}, as Kustomization/flux-system/apps says: "),
        "{gaps:?}"
    );
}

#[test]
fn fields_that_are_left_alone_are_counted_and_no_drift() {
    let mut world = World::new();
    for name in ["a", "b"] {
        world.declare(&format!("Deployment.apps/shop/{name}"));
    }
    let replicas: &[(&str, FieldChange, Option<usize>)] = &[(".spec.replicas", FieldChange::Changed, Some(0))];
    world.compare("Deployment.apps/shop/a", replicas, &["kubectl-scale"]);
    let both = [replicas[0], (".spec.paused", FieldChange::Added, Some(0))];
    world.compare("Deployment.apps/shop/b", &both, &["kubectl-edit"]);
    for comparison in world.compared.values_mut() {
        comparison.fields[0].waived = Some("Application/argocd/web".to_owned());
    }
    let found = world.audit();
    assert_eq!(found.waived, BTreeMap::from([("Application/argocd/web".to_owned(), 2)]));
    assert_eq!(found.counts["in-sync"], 1);
    let [
        Finding {
            verdict: Verdict::Drifted { fields, .. },
            ..
        },
    ] = &found.findings[..]
    else {
        panic!("one");
    };
    assert_eq!(
        fields.iter().map(|field| field.path.as_str()).collect::<Vec<_>>(),
        [".spec.paused"]
    );
}
