//! What units made, and units that Git declares, had, has for another entry, or never had.

use super::*;

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
    if *manager == "kapp" {
        let is_app = [("kapp.k14s.io/is-app", "")];
        marked(&mut world, "ConfigMap/shop/web-ctrl", &["kapp"], &is_app, &[]);
    }
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

/// A world in which Git declares what stands for any of the units.
fn with_declared_units(marks: &Marks<'_>) -> World {
    let mut world = with_marks(marks);
    for object in [
        "HelmRelease.helm.toolkit.fluxcd.io/shop/web",
        "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/apps",
        "Application.argoproj.io/argocd/web",
        "App.kappctrl.k14s.io/shop/web",
        "Widget.example.com/shop/set",
    ] {
        world.declare(object);
        world.compare(object, &[], &["refloat"]);
    }
    if let Some(live) = world.live.objects.get_mut(&id("Widget.example.com/shop/set")) {
        live.labels
            .insert("applyset.kubernetes.io/id".to_owned(), "set-1".to_owned());
    }
    world
}

#[test]
fn a_unit_that_git_declares_makes_its_objects_silent() {
    for marks in MARKS {
        let world = with_declared_units(marks);
        assert_eq!(world.told(), NOTHING, "{}", marks.0);
        let found = world.audit();
        // kapp's own record is of the app, too.
        let number = if marks.1 == "kapp" { 2 } else { 1 };
        assert_eq!(found.counts.get("managed"), Some(&number), "{}", marks.0);
        let by_unit = found
            .by_unit
            .iter()
            .map(|(made, number)| (format!("{} {}", made.tool, made.unit), *number));
        assert_eq!(by_unit.collect::<Vec<_>>(), [(marks.0.to_owned(), number)]);
    }
}

/// An object that Git dropped and nobody pruned is told, although the unit that made it is declared; where what the unit makes is known.
#[test]
fn what_a_unit_left_behind_is_removed_from_git() {
    let of = |marks: &Marks<'_>, change: &dyn Fn(&mut World)| {
        let mut world = with_declared_units(marks);
        let (y, x) = ("ConfigMap/shop/y", "ConfigMap/shop/x");
        let own: Vec<(&str, String)> = marks
            .3
            .iter()
            .map(|(key, text)| (*key, text.replace("shop/x", "shop/y")))
            .collect();
        let own: Vec<(&str, &str)> = own.iter().map(|(key, text)| (*key, &**text)).collect();
        world.declare(y);
        world.compare(y, &[], &[marks.1]);
        marked(&mut world, y, &[marks.1], marks.2, &own);
        world.remember(x, "old.yaml", true);
        change(&mut world);
        world
    };
    for marks in MARKS {
        let expected = format!(
            "removed-from-git ConfigMap/shop/x: matched by group, kind, namespace and name; it still belongs to {}, which did not prune it; \
             old.yaml had it until commit 0123456789ab \"drop it\" (2026-01-02T03:04:05Z)",
            marks.0
        );
        let world = of(marks, &|_| {});
        assert_eq!(world.told(), [expected]);
        let found = world.audit();
        assert_eq!(
            found.findings[0].remedy.as_deref(),
            Some("kubectl delete configmap/x -n shop --context prod")
        );
        assert_eq!(found.coverage["shop"].counted - found.coverage["shop"].in_sync, 1);
    }
    let x = id("ConfigMap/shop/x");
    let silent = |marks: &Marks<'_>, why: &str, change: &dyn Fn(&mut World)| {
        assert_eq!(of(marks, change).told(), NOTHING, "{}: {why}", marks.0);
    };
    for marks in MARKS {
        silent(marks, "what the unit makes is not known", &|world| {
            world.declared.objects.retain(|one| one.id != id("ConfigMap/shop/y"));
            world.live.objects.remove(&id("ConfigMap/shop/y"));
        });
        silent(marks, "another entry has it", &|world| {
            world.remember("ConfigMap/shop/x", "base/x.yaml", false)
        });
        silent(marks, "the manifest that was removed says no namespace", &|world| {
            for one in world.past.identities.values_mut().flatten() {
                one.namespace = None;
            }
        });
        silent(marks, "its file is broken", &|world| {
            world
                .declared
                .problems
                .push(Problem::error(Place::file("old.yaml"), "it is no YAML"));
        });
        silent(marks, "a hook makes it", &|world| {
            let live = world.live.objects.get_mut(&x).expect("because it is live");
            live.annotations
                .insert("helm.sh/hook".to_owned(), "post-upgrade".to_owned());
        });
    }
    silent(&MARKS[3], "a part of the unit could not be rendered", &|world| {
        let problem = Problem::error(Place::file("web.yaml"), "its second source was not found");
        world
            .declared
            .problems
            .push(problem.of(id("Application.argoproj.io/argocd/web")));
    });
}

/// Until Flux prunes it, or if it does not prune.
#[test]
fn what_an_inventory_still_lists_is_left_behind() {
    let mut world = with_inventory(&["shop_x__ConfigMap", "shop_y__ConfigMap"]);
    for object in ["ConfigMap/shop/x", "ConfigMap/shop/y"] {
        world.live(object, &["kustomize-controller"]);
        world.remember(object, "old.yaml", true);
    }
    world.declare("ConfigMap/shop/y");
    world.compare("ConfigMap/shop/y", &[], &[]);
    let told = world.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("removed-from-git ConfigMap/shop/x")
            && told[0].contains("still belongs to Flux Kustomization/flux-system/apps"),
        "{told:?}"
    );
}

/// A unit that Git had, and one that it has for another entry, are findings: one each, with the commit or the path.
#[test]
fn a_unit_that_git_knows_otherwise_is_one_finding() {
    let flux = "HelmRelease.helm.toolkit.fluxcd.io/shop/web";
    let kustomization = "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/apps";
    for (marks, unit) in [
        (&MARKS[0], flux),
        (&MARKS[0], "HelmChart.helm.cattle.io/kube-system/web"),
        (&MARKS[1], kustomization),
        (&MARKS[2], flux),
        (&MARKS[3], "Application.argoproj.io/argocd/web"),
        (&MARKS[4], "Application.argoproj.io/web"),
    ] {
        for removed in [true, false] {
            let mut world = with_marks(marks);
            let tracks = marks.3.iter().any(|(key, _)| key.contains("tracking-id"));
            if !tracks {
                marked(&mut world, "ConfigMap/shop/y", &[marks.1], marks.2, marks.3);
            }
            world.ignore = Ignore::parse("Widget.example.com/*/*").expect("because it is good");
            world.remember(unit, "old.yaml", removed);
            let found = world.audit();
            let of_unit = |one: &&Finding| one.matched == Match::MadeByUnit;
            let findings: Vec<&Finding> = found.findings.iter().filter(of_unit).collect();
            let [finding] = findings[..] else {
                panic!("{}: {:?}", marks.0, world.told());
            };
            let made = finding.unit.as_deref().expect("because it is of a unit");
            assert_eq!(format!("{} {}", made.tool, made.unit), marks.0);
            let number = match tracks {
                true => "1 object",
                false => "2 objects",
            };
            assert!(
                finding.evidence.contains(&format!("it manages {number}")),
                "{finding:?}"
            );
            match &finding.verdict {
                Verdict::RemovedFromGit { commit, path } if removed => {
                    assert_eq!((&*commit.1, &**path), ("drop it", "old.yaml"));
                    let until = format!(
                        "old.yaml had {} until commit 0123456789ab \"drop it\" (2026-01-02T03:04:05Z)",
                        marks.0
                    );
                    assert!(finding.evidence.contains(&until), "{finding:?}");
                }
                Verdict::NotReached { path } if !removed => assert_eq!(path, "old.yaml"),
                other => panic!("{}: {other:?}", marks.0),
            }
            // Of what another entry declares nothing is to be deleted, and never what takes all that the unit made with it.
            let remedy = finding.remedy.as_deref().unwrap_or_default();
            let looks = ["helm status ", "kubectl get "]
                .iter()
                .any(|verb| remedy.starts_with(verb));
            assert_eq!(looks, !removed || made.tool != "Helm", "{}: {remedy}", marks.0);
            assert!(found.by_unit.is_empty());
            let counted = found.coverage.get("shop").map_or(0, |one| one.counted);
            let others = found.findings.len() - 1;
            assert_eq!(
                counted - others,
                if removed { 2 - usize::from(tracks) } else { 0 },
                "{}",
                marks.0
            );
        }
    }
}

#[test]
fn another_release_of_the_name_is_no_evidence() {
    for (past, path, told) in [
        (
            "HelmRelease.helm.toolkit.fluxcd.io/other/web",
            "apps/other/web.yaml",
            "managed-undeclared",
        ),
        ("HelmRelease.helm.toolkit.fluxcd.io/web", "web.yaml", "removed-from-git"),
        (
            "HelmRelease.helm.toolkit.fluxcd.io/flux-system/web",
            "apps/shop/web.yaml",
            "removed-from-git",
        ),
    ] {
        let mut world = with_marks(&MARKS[0]);
        world.remember(past, path, true);
        let found = world.audit();
        assert_eq!(found.findings[0].verdict.name(), told, "{past}");
    }
    // A name that holds the namespace it installs into.
    let mut world = World::new();
    let annotations = [
        ("meta.helm.sh/release-name", "shop-web"),
        ("meta.helm.sh/release-namespace", "shop"),
    ];
    marked(&mut world, "ConfigMap/shop/x", &["helm"], &[], &annotations);
    world.remember("HelmRelease.helm.toolkit.fluxcd.io/flux-system/web", "web.yaml", true);
    assert_eq!(world.audit().findings[0].verdict.name(), "removed-from-git");
}

/// Argo CD before version 3 tracks by a label that others write, too, or by one that it is configured to.
#[test]
fn labels_by_which_argo_cd_tracks() {
    let told = |manager: &str, key: &str, settings: Option<(&str, Value)>| {
        let mut world = World::new();
        if let Some((object, rest)) = settings {
            world.declare_with(object, rest);
            world.compare(object, &[], &["refloat"]);
        }
        marked(&mut world, "ConfigMap/shop/x", &[manager], &[(key, "web")], &[]);
        world.audit().findings[0].verdict.name()
    };
    let usual = "app.kubernetes.io/instance";
    let settings = |key: &str| {
        (
            "ConfigMap/argocd/argocd-cm",
            json!({"data": {"application.instanceLabelKey": key}}),
        )
    };
    let operator = |key: &str| {
        (
            "ArgoCD.argoproj.io/argocd/main",
            json!({"spec": {"applicationInstanceLabelKey": key}}),
        )
    };
    for (manager, key, settings, expected) in [
        ("argocd-controller", usual, None, "managed-undeclared"),
        ("argocd-application-controller", usual, None, "managed-undeclared"),
        ("helm", usual, None, "never-in-git"),
        ("argocd-controller", "example.com/app", None, "never-in-git"),
        (
            "argocd-controller",
            "example.com/app",
            Some(settings("example.com/app")),
            "managed-undeclared",
        ),
        (
            "argocd-controller",
            "example.com/app",
            Some(operator("example.com/app")),
            "managed-undeclared",
        ),
        (
            "kustomize-controller",
            "example.com/app",
            Some(settings("example.com/app")),
            "never-in-git",
        ),
    ] {
        assert_eq!(told(manager, key, settings), expected, "{manager} {key}");
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
            let found = world.audit();
            assert_eq!(found.ignored, 2, "{}", marks.0);
            // What is left out counts nowhere.
            assert!(!found.counts.contains_key("managed-undeclared"), "{:?}", found.counts);
            assert!(found.coverage.is_empty(), "{:?}", found.coverage);
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
    let hand = "kubectl-client-side-apply";
    let only = "and only a person's tool wrote it";
    // A claim is bound, and a Service gets a finalizer: that makes no deployer of the cluster.
    let too = "and a person's tool wrote it and no deployer";
    for (managers, expected) in [
        (&[hand][..], Some(only)),
        (&[hand, "kube-controller-manager"], Some(too)),
        (&["cloud-controller-manager", hand], Some(too)),
        (&[hand, "some-deployer"], None),
        (&["kube-controller-manager"], None),
        (&[], None),
    ] {
        for marks in MARKS.iter().filter(|marks| marks.1 != "kubectl") {
            let mut world = with_declared_units(marks);
            let live = world.live.objects.get_mut(&id("ConfigMap/shop/x"));
            live.expect("because it is live").managers = managers.iter().map(|name| manager(name)).collect();
            let expected = expected.map(|wrote| {
                format!(
                    "never-in-git ConfigMap/shop/x: it has the marks of {}, {wrote}",
                    marks.0
                )
            });
            assert_eq!(world.told(), Vec::from_iter(expected), "{managers:?}");
        }
    }
}

/// kapp since 0.47 may call the ConfigMap of an app otherwise than the app, several apps have theirs in one namespace, and what is of
/// an app may be in any.
#[test]
fn apps_of_kapp_are_told_by_what_their_records_say() {
    let mut world = World::new();
    let record = |name: &str, label: &str| {
        let spec = json!({"labelKey": "kapp.k14s.io/app", "labelValue": label, "usedGKs": []});
        (
            format!("ConfigMap/apps/{name}"),
            json!({"data": {"spec": spec.to_string()}}),
        )
    };
    for (name, label) in [("web.app.apps.k14s.io", "11"), ("db-ctrl", "22"), ("by-hand", "33")] {
        let (object, value) = record(name, label);
        marked(&mut world, &object, &["kapp"], &[("kapp.k14s.io/is-app", "")], &[]);
        let namespaced = format!("ConfigMap/{name}/x");
        for object in [&namespaced, &format!("ClusterRole.rbac.authorization.k8s.io/{name}")] {
            marked(&mut world, object, &["kapp"], &[("kapp.k14s.io/app", label)], &[]);
        }
        let change = format!("ConfigMap/apps/{name}-change-x");
        marked(
            &mut world,
            &change,
            &["kapp"],
            &[("kapp.k14s.io/app-change-app-label", label)],
            &[],
        );
        world.units.insert(id(&object), value);
    }
    let changes = [
        ("kapp.k14s.io/is-app-change", ""),
        ("kapp.k14s.io/app-change-app", "web.app"),
    ];
    marked(&mut world, "ConfigMap/apps/web.app-change-y", &["kapp"], &changes, &[]);
    let to_read = units_to_read(&world.declared, &world.past, &world.live);
    assert_eq!(to_read, world.units.keys().cloned().collect());
    for app in ["web", "db"] {
        let app = format!("App.kappctrl.k14s.io/apps/{app}");
        world.declare(&app);
        world.compare(&app, &[], &["refloat"]);
    }
    let expected = "managed-undeclared ConfigMap/apps/by-hand: it manages 4 objects; Git neither declares nor declared kapp by-hand";
    assert_eq!(world.told(), [expected]);
    let found = world.audit();
    let of = |name: &str| {
        let unit = name.to_owned();
        found.by_unit[&MadeBy { tool: "kapp", unit }]
    };
    assert_eq!((of("web.app"), of("db-ctrl")), (5, 4));
    assert_eq!(
        found.findings[0].remedy.as_deref(),
        Some("kapp delete -a by-hand -n apps --kubeconfig-context prod")
    );
}

/// An App that a package brought is behind what it made; one made by hand answers for it, and is not deleted with all that.
#[test]
fn an_app_of_kapp_controller_stands_for_what_it_made() {
    let with = |by: Option<&str>| {
        let mut world = with_marks(&MARKS[5]);
        world.ignore = Ignore::parse("Widget.example.com/*/*").expect("because it is good");
        let owners = by.map(owner).into_iter().collect();
        world.live("App.kappctrl.k14s.io/shop/web", &["kapp-controller"]).owners = owners;
        world
    };
    let package = "PackageInstall.packaging.carvel.dev/shop/web";
    let mut world = with(Some(package));
    world.declare(package);
    world.compare(package, &[], &["refloat"]);
    assert_eq!(world.told(), NOTHING);
    let found = with(None).audit();
    assert_eq!(found.findings.len(), 1, "{:?}", found.findings);
    let remedy = found.findings[0].remedy.as_deref();
    assert_eq!(
        remedy,
        Some("kubectl get app.kappctrl.k14s.io/web -n shop -o yaml --context prod")
    );
}

#[test]
fn releases_are_found_by_every_way_git_declares_them() {
    let helm = &MARKS[0];
    type Prepare = fn(&mut World);
    let ways: [(&str, Prepare); 4] = [
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
        ("a release that is stored beside its HelmRelease", |world| {
            world.declare_with(
                "HelmRelease.helm.toolkit.fluxcd.io/shop/x",
                json!({"spec": {"releaseName": "web", "targetNamespace": "other"}}),
            );
            world.compare("HelmRelease.helm.toolkit.fluxcd.io/shop/x", &[], &[]);
        }),
    ];
    for (name, prepare) in ways {
        let mut world = with_marks(helm);
        marked(&mut world, "Secret/shop/sh.helm.release.v1.web.v3", &["helm"], &[], &[]);
        prepare(&mut world);
        assert_eq!(world.told(), NOTHING, "{name}");
    }
    // Flux shortens what Helm finds too long.
    let mut world = with_marks(helm);
    let shortened = "shop-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-3bc9333b8deb";
    let secret = format!("Secret/shop/sh.helm.release.v1.{shortened}.v3");
    marked(&mut world, &secret, &["helm"], &[], &[]);
    let long = format!("HelmRelease.helm.toolkit.fluxcd.io/shop/{}", "a".repeat(60));
    world.declare_with(&long, json!({"spec": {"targetNamespace": "shop"}}));
    world.compare(&long, &[], &[]);
    assert!(
        !world.told().iter().any(|told| told.contains(shortened)),
        "{:?}",
        world.told()
    );
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
    assert_eq!(
        world.audit().findings[0].remedy.as_deref(),
        Some("kubectl get kustomization.kustomize.toolkit.fluxcd.io/apps -n flux-system -o yaml --context prod")
    );
}

const APPS: &str = "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/apps";

/// A world with the Kustomization, declared, and as it was read when it had applied everything at 03:04:10.
fn with_inventory(entries: &[&str]) -> World {
    let mut world = World::new();
    world.declare(APPS).compare(APPS, &[], &["kustomize-controller"]);
    let entries: Vec<Value> = entries.iter().map(|id| json!({"id": id, "v": "v1"})).collect();
    let unit = json!({"metadata": {"generation": 2, "managedFields": [
            {"manager": "kubectl", "time": "2026-01-02T03:09:00Z"},
            {"manager": "gotk", "subresource": "status", "time": "2026-01-02T03:04:10Z"}]},
        "status": {"observedGeneration": 2, "conditions": [{"type": "Ready", "status": "True"}], "inventory": {"entries": entries}}});
    world.units.insert(id(APPS), unit);
    world
}

/// What is in an inventory is of that unit, be its labels there or not; labels without the inventory's word are copies.
#[test]
fn the_inventory_of_a_kustomization_goes_before_labels() {
    let mut world = with_inventory(&["shop_kept__ConfigMap", "shop_bare__ConfigMap", "shop_made__ConfigMap"]);
    let labels = MARKS[1].2;
    marked(
        &mut world,
        "ConfigMap/shop/kept",
        &["kustomize-controller"],
        labels,
        &[],
    );
    marked(&mut world, "ConfigMap/shop/copied", &["ci"], labels, &[]);
    world.live("ConfigMap/shop/bare", &["kustomize-controller", "kubectl-label"]);
    // Deleted, and made by hand since.
    world.live("ConfigMap/shop/made", &["kubectl-create"]);
    assert_eq!(
        world.told(),
        [
            "never-in-git ConfigMap/shop/copied: it has the marks of Flux Kustomization/flux-system/apps, which does not list it in its inventory",
            "never-in-git ConfigMap/shop/made: it has the marks of Flux Kustomization/flux-system/apps, and only a person's tool wrote it",
        ]
    );
    assert_eq!(world.audit().counts["managed"], 2);
}

/// An inventory says what is not in it only where it is whole: nobody is told of what the engine is about to list.
#[test]
fn an_inventory_that_is_not_whole_denies_nothing() {
    let labels = MARKS[1].2;
    let denied = |change: &dyn Fn(&mut World)| {
        let mut world = with_inventory(&[]);
        marked(&mut world, "ConfigMap/shop/x", &["kustomize-controller"], labels, &[]);
        change(&mut world);
        !world.told().is_empty()
    };
    let unit = |pointer: &'static str, value: Value| {
        move |world: &mut World| {
            let unit = world.units.get_mut(&id(APPS)).expect("because it was read");
            *unit.pointer_mut(pointer).expect("because it is there") = value.clone();
        }
    };
    assert!(denied(&|_| {}));
    assert!(!denied(&unit("/status/conditions/0/status", json!("Unknown"))));
    assert!(!denied(&unit("/status/observedGeneration", json!(1))));
    assert!(!denied(&unit("/status/inventory", Value::Null)), "nothing applied yet");
    assert!(!denied(&unit("/metadata/managedFields", Value::Null)));
    assert!(!denied(&|world| world.units.clear()), "it may not be read");
    assert!(
        !denied(&|world| {
            let live = world.live.objects.get_mut(&id("ConfigMap/shop/x"));
            live.expect("because it is live").managers[0].time = "2026-01-02T03:05:00Z".to_owned();
        }),
        "applied since"
    );
}

/// The inventory of a Kustomization for another cluster is about that one.
#[test]
fn an_inventory_of_another_cluster_says_nothing() {
    let mut world = with_inventory(&["shop_x__ConfigMap"]);
    let unit = world.units.get_mut(&id(APPS)).expect("because it was read");
    unit["spec"] = json!({"kubeConfig": {"secretRef": {"name": "edge"}}});
    world.live("ConfigMap/shop/x", &["ci"]);
    assert_eq!(world.told(), ["never-in-git ConfigMap/shop/x"]);
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
