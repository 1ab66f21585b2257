//! Flux: Kustomizations, followed from an entry.

use refloat::declared::Known;
use refloat::object::{EngineUnit, ReadyWhen, Writer};
use refloat::plan::{self, PlanOptions, StepAction};
use serde_json::json;

use super::{config_map, facts, kustomization, load, objects, problems};
use crate::support::repo::Repo;

/// An entry that Flux syncs, with a parent that patches all its children; each child has what Flux can do with it.
fn repository() -> Repo {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n\
        spec:\n  replicas: ${REPLICAS}\n  template: {spec: {containers: [{name: web, image: 'web:1', env: [{name: TAG, value: '${TAG:=1.0}'}]}]}}\n";
    let escaped = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: script, annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}}\n\
        data: {run.sh: 'echo ${HOME}'}\n";
    let patches = "  patches:\n  - patch: |\n      apiVersion: kustomize.toolkit.fluxcd.io/v1\n      kind: Kustomization\n\
        \x20     metadata: {name: any}\n      spec: {wait: true, commonMetadata: {labels: {team: shop}}}\n\
        \x20   target: {group: kustomize.toolkit.fluxcd.io, kind: Kustomization}\n";
    let web = kustomization(
        "web",
        "./apps/web",
        "  targetNamespace: shop\n  dependsOn: [{name: infra}]\n  images: [{name: web, newName: registry.example.com/web}]\n\
         \x20 postBuild: {substitute: {REPLICAS: '3'}, substituteFrom: [{kind: ConfigMap, name: settings}, {kind: Secret, name: none, optional: true}]}\n",
    );
    Repo::with(&[
        ("clusters/prod/all.yaml", &kustomization("all", "./apps/all", patches)),
        ("clusters/prod/infra.yaml", &kustomization("infra", "./infra", "")),
        (
            "infra/namespace.yaml",
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
        ),
        (
            "infra/settings.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: flux-system}\ndata: {TAG: '2.5'}\n",
        ),
        ("apps/all/web.yaml", &web),
        (
            "apps/web/kustomization.yaml",
            "resources: [deployment.yaml, script.yaml]\nnamespace: other\n",
        ),
        ("apps/web/deployment.yaml", deployment),
        ("apps/web/script.yaml", escaped),
    ])
}

#[test]
fn kustomizations_are_followed_as_their_controller_would() {
    let set = load(&repository(), "clusters/prod", Known::new());
    assert_eq!(problems(&set), Vec::<String>::new());
    assert_eq!(set.entry.dialect, "Flux");
    let objects = objects(&set);
    let web = objects["Deployment/shop/web"];
    assert_eq!(
        web["spec"]["replicas"], 3,
        "the text is read anew, so that it is a number"
    );
    let container = &web["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "registry.example.com/web:1");
    assert_eq!(
        container["env"][0]["value"], 2.5,
        "as Flux, which does not keep the quotes"
    );
    assert_eq!(
        web["metadata"]["labels"],
        json!({
            "team": "shop",
            "kustomize.toolkit.fluxcd.io/name": "web",
            "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        })
    );
    assert_eq!(objects["ConfigMap/shop/script"]["data"]["run.sh"], "echo ${HOME}");
    let entry = objects["Kustomization/flux-system/all"];
    let labels = &entry["metadata"]["labels"];
    assert_eq!(
        labels["kustomize.toolkit.fluxcd.io/name"], "flux-system",
        "the bootstrap's own"
    );
    assert!(
        set.objects
            .iter()
            .all(|one| one.writer == Writer::ServerSide("kustomize-controller".to_owned()))
    );
    let place = &set
        .objects
        .iter()
        .find(|one| one.id.kind == "Deployment")
        .expect("because it is there")
        .provenance;
    assert_eq!(place.place().to_string(), "apps/web/deployment.yaml:1");
}

#[test]
fn units_wait_for_each_other_and_their_objects_come_last() {
    let set = load(&repository(), "clusters/prod", Known::new());
    let engine = |name: &str| -> &EngineUnit {
        let unit = set
            .units
            .iter()
            .find(|unit| unit.name == format!("Kustomization/flux-system/{name}"));
        unit.and_then(|unit| unit.engine.as_ref())
            .expect("because Flux knows it")
    };
    assert_eq!(engine("web").after, [engine("infra").object.clone()]);
    assert_eq!(
        (&engine("web").ready, &engine("infra").ready),
        (&ReadyWhen::Healthy, &ReadyWhen::Applied)
    );
    let plan = plan::build(&set, &facts(), &PlanOptions::default()).expect("because it has no ring");
    let position = |id: &str| plan.steps.iter().position(|step| step.id.to_string() == id).expect(id);
    assert!(position("Namespace/shop") < position("Deployment/shop/web"));
    assert!(position("Deployment/shop/web") < position("Kustomization/flux-system/web"));
    assert!(position("Kustomization/flux-system/web") < position("Kustomization/flux-system/all"));
}

#[test]
fn an_input_that_nobody_has_is_wanted_and_its_unit_not_rendered() {
    let settings = kustomization(
        "web",
        "./apps",
        "  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}\n",
    );
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: shop}\ndata: {tag: '${TAG}'}\n";
    let repo = Repo::with(&[("clusters/prod/web.yaml", &settings), ("apps/map.yaml", map)]);
    let set = load(&repo, "clusters/prod", Known::new());
    let wanted = config_map("flux-system", "settings");
    assert_eq!(set.wanted, std::slice::from_ref(&wanted));
    assert_eq!(
        problems(&set),
        [
            "clusters/prod/web.yaml:1: Kustomization/flux-system/web: nothing of this Kustomization is restored: its variables come from \
          ConfigMap/flux-system/settings, which is neither declared nor in the cluster"
        ]
    );
    assert!(
        !objects(&set).contains_key("ConfigMap/shop/web"),
        "never with empty values"
    );
    let live = json!({"kind": "ConfigMap", "data": {"TAG": "7"}});
    let set = load(&repo, "clusters/prod", Known::from([(wanted, Some(live))]));
    assert_eq!(objects(&set)["ConfigMap/shop/web"]["data"]["tag"], 7);
}

#[test]
fn what_cannot_be_rendered_is_named_and_the_rest_carries_on() {
    let elsewhere = kustomization("elsewhere", "./apps", "  kubeConfig: {secretRef: {name: other}}\n");
    let suspended = kustomization("suspended", "./apps", "  suspend: true\n");
    let missing = kustomization("missing", "./none", "");
    let unknown = kustomization("unknown", "./apps", "").replace("name: flux-system}\n", "name: other}\n");
    let strict = kustomization("bad", "./apps", "  postBuild: {substitute: {A: b}}\n");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: shop}\ndata: {tag: '${TAG', key: a}\n";
    let repo = Repo::with(&[
        ("clusters/prod/a.yaml", &elsewhere),
        ("clusters/prod/b.yaml", &suspended),
        ("clusters/prod/c.yaml", &missing),
        ("clusters/prod/d.yaml", &unknown),
        ("clusters/prod/e.yaml", &strict),
        ("apps/map.yaml", map),
    ]);
    let set = load(&repo, "clusters/prod", Known::new());
    let prefix = "nothing of this Kustomization is restored:";
    assert_eq!(
        problems(&set),
        [
            format!(
                "clusters/prod/a.yaml:1: Kustomization/flux-system/elsewhere: {prefix} it is for another cluster (spec.kubeConfig)"
            ),
            format!(
                "clusters/prod/b.yaml:1: Kustomization/flux-system/suspended: {prefix} it is suspended in Git (spec.suspend)"
            ),
            format!(
                "clusters/prod/c.yaml:1: Kustomization/flux-system/missing: {prefix} there is no folder none in the repository"
            ),
            format!(
                "clusters/prod/d.yaml:1: Kustomization/flux-system/unknown: {prefix} nothing declares its source GitRepository/flux-system/other"
            ),
            format!(
                "clusters/prod/e.yaml:1 and apps/map.yaml:1: Kustomization/flux-system/bad: {prefix} in ConfigMap/web: missing closing brace"
            ),
        ]
    );
    assert_eq!(objects(&set).len(), 5, "their own objects are restored all the same");
}

#[test]
fn what_lacks_an_input_waits_for_what_goes_without_one() {
    // The settings are encrypted, and the key is nowhere: those of `infra` that are in clear are declared all the same.
    let infra = kustomization(
        "infra",
        "./infra",
        "  decryption: {provider: sops, secretRef: {name: sops-age}}\n",
    );
    let from = |name: &str, more: &str| {
        format!(
            "  {more}postBuild: {{substituteFrom: [{{kind: ConfigMap, name: {name}}}, {{kind: Secret, name: none, optional: true}}]}}\n"
        )
    };
    let map = |namespace: &str, name: &str, data: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata: {{{data}}}\n"
        )
    };
    let repo = Repo::with(&[
        ("clusters/prod/b.yaml", &infra),
        (
            "clusters/prod/a.yaml",
            &kustomization("a", "./a", &from("settings", "")),
        ),
        (
            "clusters/prod/c.yaml",
            &kustomization("c", "./c", &from("more", "dependsOn: [{name: a}]\n  ")),
        ),
        ("clusters/prod/d.yaml", &kustomization("d", "./d", &from("nobody", ""))),
        ("infra/map.yaml", &map("flux-system", "settings", "TAG: v7")),
        ("a/map.yaml", &map("flux-system", "more", "TAG: 'x${TAG}'")),
        ("c/map.yaml", &map("shop", "web", "tag: '${TAG}'")),
        ("d/map.yaml", &map("shop", "gone", "tag: '${TAG}'")),
    ]);
    let set = load(&repo, "clusters/prod", Known::new());
    assert_eq!(objects(&set)["ConfigMap/shop/web"]["data"]["tag"], "xv7");
    assert_eq!(problems(&set).len(), 1, "{:?}", problems(&set));
    assert!(problems(&set)[0].contains("flux-system/nobody"), "{:?}", problems(&set));
    let named = set.wanted.iter().map(|id| id.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        named,
        ["nobody", "none", "sops-age"],
        "what is declared in the end is not asked for"
    );
}

pub(super) fn map(name: &str, more: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop{more}}}\n")
}

#[test]
fn variables_that_are_not_set_fail_a_unit_or_are_empty() {
    let controller = |gate: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: kustomize-controller, namespace: flux-system}}\nspec:\n  selector: {{matchLabels: {{app: k}}}}\n\
             \x20 template:\n    metadata: {{labels: {{app: k}}}}\n    spec: {{containers: [{{name: manager, image: 'ghcr.io/fluxcd/kustomize-controller:v1.9.6', args: ['--feature-gates=StrictPostBuildSubstitutions={gate}']}}]}}\n"
        )
    };
    let unset = kustomization("web", "./web", "  postBuild: {substitute: {A: b}}\n");
    let repo = Repo::with(&[
        ("clusters/prod/controller.yaml", &controller("true")),
        ("clusters/prod/web.yaml", &unset),
        (
            "web/map.yaml",
            &format!(
                "{}data: {{a: '${{A}}', none: 'x${{NONE}}', other: '${{OTHER:=c}}'}}\n",
                map("web", "")
            ),
        ),
    ]);
    let strict = load(&repo, "clusters/prod", Known::new());
    assert_eq!(
        problems(&strict),
        [
            "clusters/prod/web.yaml:1 and web/map.yaml:1: Kustomization/flux-system/web: nothing of this Kustomization is restored: in ConfigMap/web: the variable NONE is not set, and substitution is strict"
        ]
    );
    assert!(
        !objects(&strict).contains_key("ConfigMap/shop/web"),
        "never with empty values"
    );
    let hint = strict.problems[0].hint.clone().unwrap_or_default();
    for said in [
        "${NAME:=value}",
        "kustomize-controller before 1.9",
        "StrictPostBuildSubstitutions=false",
    ] {
        assert!(hint.contains(said), "{hint}");
    }
    repo.write("clusters/prod/controller.yaml", &controller("false"));
    repo.commit("lax");
    let lax = load(&repo, "clusters/prod", Known::new());
    assert_eq!(problems(&lax), Vec::<String>::new());
    assert_eq!(
        objects(&lax)["ConfigMap/shop/web"]["data"],
        json!({"a": "b", "none": "x", "other": "c"})
    );
}

#[test]
fn what_units_depend_on_has_to_be_there() {
    let after =
        |name: &str, on: &str| kustomization(name, &format!("./{name}"), &format!("  dependsOn: [{{name: {on}}}]\n"));
    let repo = Repo::with(&[
        ("clusters/prod/a.yaml", &after("a", "flux-system")),
        ("clusters/prod/b.yaml", &after("b", "none")),
        ("a/map.yaml", &map("first", "")),
        ("b/map.yaml", &map("web", "")),
    ]);
    let set = load(&repo, "clusters/prod", Known::new());
    let told: Vec<String> = problems(&set)
        .into_iter()
        .filter(|one| one.contains("depends"))
        .collect();
    assert_eq!(
        told,
        [
            "clusters/prod/b.yaml:1: Kustomization/flux-system/b: it does not wait for Kustomization/flux-system/none, on which it depends: nothing of that name is declared"
        ],
        "what syncs the entry need not be declared"
    );
    assert!(objects(&set).contains_key("ConfigMap/shop/web"), "and the rest goes on");
    // In a ring none of them would ever start.
    repo.write("clusters/prod/a.yaml", &after("a", "b"));
    repo.write("clusters/prod/b.yaml", &after("b", "a"));
    repo.commit("a ring");
    let set = load(&repo, "clusters/prod", Known::new());
    let ring = plan::build(&set, &facts(), &PlanOptions::default()).expect_err("because of the ring");
    let said = ring.to_string();
    for part in [
        "objects wait for each other in a ring",
        "Kustomization/flux-system/a",
        "Kustomization/flux-system/b",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn two_units_that_declare_one_object_are_both_named() {
    let repo = Repo::with(&[
        ("clusters/prod/a.yaml", &kustomization("a", "./a", "")),
        ("clusters/prod/b.yaml", &kustomization("b", "./b", "")),
        ("a/map.yaml", &format!("{}data: {{from: a}}\n", map("web", ""))),
        ("b/map.yaml", &format!("{}data: {{from: b}}\n", map("web", ""))),
    ]);
    let set = load(&repo, "clusters/prod", Known::new());
    let told = problems(&set).join("\n");
    for part in [
        "a/map.yaml:1",
        "b/map.yaml:1",
        "ConfigMap/shop/web",
        "Kustomization/flux-system/a",
        "Kustomization/flux-system/b",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert_eq!(
        objects(&set)["ConfigMap/shop/web"]["data"]["from"],
        "b",
        "the last one wins"
    );
}

#[test]
fn what_flux_leaves_out_is_not_restored_and_what_it_makes_once_is_made_once() {
    let mark = |mark: &str| format!(", annotations: {{kustomize.toolkit.fluxcd.io/{mark}}}");
    let all = [
        map("ignored", &mark("ssa: ignore")),
        map("disabled", &mark("reconcile: disabled")),
        map("once", &mark("ssa: IfNotPresent")),
        map("merged", &mark("ssa: Merge")),
        map("plain", ""),
    ]
    .join("---\n");
    let child = kustomization("child", "./child", "").replace(
        "namespace: flux-system}\n",
        "namespace: flux-system, labels: {kustomize.toolkit.fluxcd.io/reconcile: disabled}}\n",
    );
    let repo = Repo::with(&[
        ("clusters/prod/apps.yaml", &kustomization("apps", "./apps", "")),
        ("apps/maps.yaml", &all),
        ("apps/child.yaml", &child),
        ("child/map.yaml", &map("grandchild", "")),
    ]);
    let set = load(&repo, "clusters/prod", Known::new());
    let plan = plan::build(&set, &facts(), &PlanOptions::default()).expect("because it has no ring");
    let mut made: Vec<(String, bool)> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            StepAction::Apply { create_only, .. } if step.id.kind == "ConfigMap" => {
                Some((step.id.name.to_string(), *create_only))
            }
            _ => None,
        })
        .collect();
    made.sort();
    let once = |name: &str, once| (name.to_owned(), once);
    assert_eq!(made, [once("merged", false), once("once", true), once("plain", false)]);
    assert!(
        !objects(&set).contains_key("ConfigMap/shop/grandchild"),
        "Flux never makes its unit"
    );
    let told: Vec<&str> = plan.problems.iter().map(|problem| &*problem.message).collect();
    let left_out = |mark: &str| format!("it is not restored: Flux leaves it out (kustomize.toolkit.fluxcd.io/{mark})");
    for mark in ["ssa: Ignore", "reconcile: disabled"] {
        assert!(told.contains(&&*left_out(mark)), "{mark} in {told:?}");
    }
    assert!(
        plan.withheld.is_empty(),
        "nothing of the unit is missing: {:?}",
        plan.withheld
    );
}

#[test]
fn what_the_repositorys_own_source_ignores_is_not_applied() {
    let source = |ignore: &str| {
        format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: flux-system, namespace: flux-system}}\n\
             spec: {{interval: 1m, url: 'https://git.example.com/fleet.git'{ignore}}}\n"
        )
    };
    let repo = Repo::with(&[
        ("clusters/prod/source.yaml", &source(", ignore: '/apps/left.yaml'")),
        ("clusters/prod/apps.yaml", &kustomization("apps", "./apps", "")),
        ("apps/web.yaml", &map("web", "")),
        ("apps/left.yaml", &map("left", "")),
    ]);
    let maps = || {
        let set = load(&repo, "clusters/prod", Known::new());
        assert_eq!(problems(&set), Vec::<String>::new());
        let ids = objects(&set).into_keys();
        ids.filter(|id| id.starts_with("ConfigMap/")).collect::<Vec<_>>()
    };
    assert_eq!(maps(), ["ConfigMap/shop/web"]);
    repo.write("clusters/prod/source.yaml", &source(""));
    repo.commit("ignore nothing");
    assert_eq!(maps(), ["ConfigMap/shop/left", "ConfigMap/shop/web"]);
}

#[test]
fn older_versions_of_the_api_are_followed_too() {
    let unit = |name: &str, version: &str, more: &str| {
        kustomization(name, &format!("./{name}"), more).replace("fluxcd.io/v1\n", &format!("fluxcd.io/{version}\n"))
    };
    let patches = "  patchesStrategicMerge:\n  - {apiVersion: v1, kind: ConfigMap, metadata: {name: first, namespace: shop}, data: {a: merged}}\n\
        \x20 patchesJson6902:\n  - {target: {version: v1, kind: ConfigMap, name: first}, patch: [{op: add, path: /data/b, value: added}]}\n  validation: client\n";
    let old = "apiVersion: source.toolkit.fluxcd.io/v1beta1\nkind: GitRepository\nmetadata: {name: flux-system, namespace: flux-system}\nspec: {interval: 1m, url: 'https://git.example.com/fleet', gitImplementation: go-git}\n";
    let repo = Repo::with(&[
        ("clusters/prod/source.yaml", old),
        ("clusters/prod/first.yaml", &unit("first", "v1beta1", patches)),
        (
            "clusters/prod/second.yaml",
            &unit("second", "v1beta2", "  targetNamespace: other\n"),
        ),
        ("first/map.yaml", &format!("{}data: {{a: plain}}\n", map("first", ""))),
        ("second/map.yaml", &map("second", "")),
    ]);
    let set = load(&repo, "clusters/prod", Known::new());
    assert_eq!(problems(&set), Vec::<String>::new());
    let objects = objects(&set);
    assert_eq!(
        objects["ConfigMap/shop/first"]["data"],
        json!({"a": "merged", "b": "added"})
    );
    assert!(objects.contains_key("ConfigMap/other/second"));
}

#[test]
fn a_unit_that_names_another_revision_is_rendered_from_that() {
    let source = |name: &str, spec: &str| {
        format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: {name}, namespace: flux-system}}\nspec: {{url: 'https://git.example.com/fleet', ref: {{{spec}}}}}\n"
        )
    };
    let unit = |name: &str| {
        kustomization(name, "./apps", &format!("  namePrefix: {name}-\n"))
            .replace("name: flux-system}\n", &format!("name: {name}}}\n"))
    };
    let data = |value: &str| format!("{}data: {{at: {value}}}\n", map("at", ""));
    let repo = Repo::with(&[("apps/map.yaml", &data("one"))]);
    repo.git(&["remote", "add", "origin", "git@git.example.com:fleet.git"]);
    repo.git(&["tag", "v1.0.0"]);
    let branch = repo.git(&["branch", "--show-current"]).trim().to_owned();
    repo.git(&["branch", "staging"]);
    repo.write("apps/map.yaml", &data("two"));
    repo.commit("two");
    repo.git(&["tag", "v1.1.0"]);
    repo.git(&["tag", "v2.0.0-rc.1"]);
    for (name, reference) in [
        ("none", "".to_owned()),
        ("branch", format!("branch: {branch}")),
        ("staging", "branch: staging".to_owned()),
        ("tag", "tag: v1.0.0".to_owned()),
        ("range", "semver: ^1.0.0, tag: v1.0.0".to_owned()),
        ("name", "name: refs/tags/v1.0.0".to_owned()),
        ("missing", "tag: v9".to_owned()),
        ("unsatisfied", "semver: '>=9'".to_owned()),
    ] {
        repo.write(&format!("clusters/prod/{name}-source.yaml"), &source(name, &reference));
        repo.write(&format!("clusters/prod/{name}.yaml"), &unit(name));
    }
    repo.write("apps/map.yaml", &data("three"));
    repo.commit("three");
    let at = |set: &refloat::object::DeclaredSet| -> Vec<(String, String)> {
        let objects = objects(set);
        let maps = objects.iter().filter_map(|(id, value)| {
            Some((
                id.strip_prefix("ConfigMap/shop/")?.to_owned(),
                value["data"]["at"].as_str()?.to_owned(),
            ))
        });
        maps.collect()
    };
    let expected = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        all.iter()
            .map(|(name, at)| (format!("{name}-at"), (*at).to_owned()))
            .collect()
    };
    let set = load(&repo, "clusters/prod", Known::new());
    assert_eq!(
        at(&set),
        expected(&[
            ("branch", "three"),
            ("name", "one"),
            ("none", "three"),
            ("range", "two"),
            ("staging", "one"),
            ("tag", "one")
        ])
    );
    let told = problems(&set).join("\n");
    for part in [
        "Kustomization/flux-system/missing: nothing of this Kustomization is restored: the clone has no revision refs/tags/v9",
        "Kustomization/flux-system/unsatisfied: nothing of this Kustomization is restored: GitRepository/flux-system/unsatisfied could not be read: it has no tag that satisfies >=9",
    ] {
        assert!(told.contains(part), "{told}");
    }
    let hints: Vec<&str> = set
        .problems
        .iter()
        .filter_map(|problem| problem.hint.as_deref())
        .collect();
    assert!(
        hints.contains(&"`git fetch --tags origin` brings it into the clone, if the origin has it"),
        "{hints:?}"
    );
}

/// The server refuses such a Kustomization, and such a ConfigMap.
#[test]
fn a_variable_that_is_no_text_is_told() {
    let from = "  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}\n";
    let repo = Repo::with(&[
        (
            "clusters/prod/own.yaml",
            &kustomization("own", "./own", "  postBuild: {substitute: {REPLICAS: 3}}\n"),
        ),
        ("clusters/prod/from.yaml", &kustomization("from", "./from", from)),
        (
            "clusters/prod/fine.yaml",
            &kustomization("fine", "./fine", "  postBuild: {substitute: {REPLICAS: '3', NONE: }}\n"),
        ),
        (
            "clusters/prod/settings.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: flux-system}\ndata: {REPLICAS: 3}\n",
        ),
        (
            "own/map.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own, namespace: shop}\ndata: {replicas: '${REPLICAS}'}\n",
        ),
        (
            "from/map.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from, namespace: shop}\ndata: {replicas: '${REPLICAS}'}\n",
        ),
        (
            "fine/map.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fine, namespace: shop}\ndata: {replicas: 'x${REPLICAS}${NONE}'}\n",
        ),
    ]);
    let set = load(&repo, "clusters/prod", Known::new());
    let objects = objects(&set);
    assert_eq!(objects["ConfigMap/shop/fine"]["data"]["replicas"], "x3");
    for (name, why) in [
        ("own", "its postBuild.substitute.REPLICAS is no text: put it in quotes"),
        (
            "from",
            "its variables come from ConfigMap/flux-system/settings, which cannot be used: its data.REPLICAS is no text: put it in quotes",
        ),
    ] {
        assert!(!objects.contains_key(&*format!("ConfigMap/shop/{name}")), "{name}");
        let said = format!("Kustomization/flux-system/{name}: nothing of this Kustomization is restored: {why}");
        let told = problems(&set);
        assert!(told.iter().any(|one| one.contains(&said)), "{told:?}");
    }
}
