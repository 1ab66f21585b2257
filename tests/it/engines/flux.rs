//! Flux: Kustomizations, followed from an entry.

use refloat::declared::Known;
use refloat::object::{EngineUnit, ReadyWhen, Writer};
use refloat::plan::{self, PlanOptions};
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
