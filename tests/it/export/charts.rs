//! What a chart makes, changed by its values, else patched behind it.

use std::sync::Arc;

use refloat::declared::helm::{Charts, Configuration};
use refloat::declared::{self, Keys};
use refloat::export::{Change, Changeset, Options, place};
use refloat::object::{DeclaredSet, ObjectId};
use refloat::source::{self, Tree};
use serde_json::{Value, json};

use crate::audit::root;
use crate::support::repo::Repo;
use crate::support::run::tool_folder;

struct Shop {
    _repo: Repo,
    tree: Tree,
    options: declared::Options,
    set: DeclaredSet,
}

/// The shop, with these files in place of its own.
fn shop(files: &[(&str, &str)]) -> Shop {
    let repo = Repo::of_folder(&root("fixtures/flux-shop"));
    let release = std::fs::read_to_string(root("fixtures/flux-shop/apps/orders/release.yaml"));
    let release = release
        .expect("because the fixture has it")
        .replace("orders.${DOMAIN}", "orders.fixed.example");
    repo.write("apps/orders/release.yaml", &release);
    for (path, text) in files {
        repo.write(path, text);
    }
    repo.commit("a domain of its own");
    opened(repo, "clusters/production")
}

/// What an entry of a repository declares.
fn opened(repo: Repo, entry: &str) -> Shop {
    let mut identities = sops::Identities::new();
    for fixture in ["flux-shop", "argo-shop"] {
        let key = std::fs::read_to_string(root(&format!("fixtures/{fixture}.agekey")));
        let key = key.expect("because the fixture has it");
        identities.add_age(&key).expect("because it is a key");
    }
    let tree = source::open(&repo.path().display().to_string(), &source::Options::default());
    let tree = tree.expect("because it is a repository");
    let mut options = declared::Options {
        paths: vec![entry.to_owned()],
        namespace: "default".to_owned(),
        helm: Some(tool_folder("helm").join("helm")),
        keys: Keys::new(identities, None),
        charts: Arc::new(Charts::new(None, Vec::new(), Configuration::default(), false)),
        ..declared::Options::default()
    };
    let set = loop {
        let set = declared::load(&tree, &options).expect("because it declares something");
        if set.wanted.is_empty() {
            break set;
        }
        // Of what units would read in the cluster there is nothing.
        options.inputs.extend(set.wanted.into_iter().map(|id| (id, None)));
    };
    Shop {
        _repo: repo,
        tree,
        options,
        set,
    }
}

impl Shop {
    fn id(&self, name: &str) -> ObjectId {
        let found = self.set.objects.iter().find(|one| one.id.is_named_by(name));
        found.unwrap_or_else(|| panic!("{name} is not declared")).id.clone()
    }

    fn set(&self, object: &str, path: &str, value: Value) -> Change {
        Change::Set {
            object: self.id(object),
            path: path.to_owned(),
            value,
        }
    }

    fn place(&self, changes: &[Change]) -> Changeset {
        place(&self.tree, &self.options, &self.set, changes, Options::default()).expect("because the tree can be read")
    }

    fn diff(&self, made: &Changeset) -> String {
        let diff = source::diff(&self.tree, &made.files).expect("because it is text");
        let lines = String::from_utf8_lossy(&diff).into_owned();
        let changed = |line: &&str| (line.starts_with('+') || line.starts_with('-')) && !line.starts_with("---");
        lines
            .lines()
            .filter(changed)
            .fold(String::new(), |all, line| all + line + "\n")
    }
}

#[test]
fn a_value_where_one_decides_else_a_patch_behind_the_chart() {
    let shop = shop(&[]);
    let orders = "Deployment/orders";
    let made = shop.place(&[
        shop.set("ConfigMap/orders", ".data.domain", json!("orders.other.example")),
        shop.set(orders, ".spec.template.spec.hostNetwork", json!(true)),
        shop.set(orders, ".spec.replicas", json!(9)),
        Change::Remove {
            object: shop.id("Service/orders"),
        },
    ]);
    assert_eq!(made.unplaced, []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    insta::assert_snapshot!(shop.diff(&made), @r"
    +++ b/apps/orders/release.yaml
    -    domain: orders.fixed.example
    +    domain: orders.other.example
    +  postRenderers:
    +    - kustomize:
    +        patches:
    +          - target:
    +              kind: Deployment
    +              name: orders
    +            patch: |
    +              - op: add
    +                path: /spec/template/spec/hostNetwork
    +                value: true
    +              - op: replace
    +                path: /spec/replicas
    +                value: 9
    +          - target:
    +              kind: Service
    +              name: orders
    +            patch: |
    +              apiVersion: v1
    +              kind: Service
    +              metadata:
    +                name: orders
    +              $patch: delete
    ");
    // Twice the same: nothing moves but what is new.
    let again = shop.place(&[shop.set(orders, ".spec.paused", json!(true))]);
    assert_eq!(again.files.keys().collect::<Vec<_>>(), ["apps/orders/release.yaml"]);
}

#[test]
fn values_that_a_config_map_gives_are_set_there() {
    let plain = shop(&[(
        "apps/orders/values.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: orders-values\n  namespace: shop\ndata:\n  values.yaml: |\n    # As many as there are zones.\n    replicas: 3 # three\n    queue: orders-${CLUSTER}\n",
    )]);
    let orders = "Deployment/orders";
    let made = plain.place(&[plain.set(orders, ".spec.replicas", json!(9))]);
    assert_eq!(made.unplaced, []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    insta::assert_snapshot!(plain.diff(&made), @r"
    +++ b/apps/orders/values.yaml
    -    replicas: 3 # three
    +    replicas: 9 # three
    ");

    let generated = shop(&[
        (
            "apps/orders/kustomization.yaml",
            "resources:\n  - release.yaml\nconfigMapGenerator:\n  - name: orders-values\n    namespace: shop\n    files: [values.yaml=orders.yaml]\nconfigurations: [names.yaml]\n",
        ),
        (
            "apps/orders/names.yaml",
            "nameReference:\n  - {kind: ConfigMap, version: v1, fieldSpecs: [{path: spec/valuesFrom/name, kind: HelmRelease}]}\n",
        ),
        ("apps/orders/orders.yaml", "replicas: 3 # three\nqueue: main\n"),
    ]);
    let made = generated.place(&[generated.set(orders, ".spec.replicas", json!(9))]);
    assert_eq!(made.unplaced, []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    insta::assert_snapshot!(generated.diff(&made), @r"
    +++ b/apps/orders/orders.yaml
    -replicas: 3 # three
    +replicas: 9 # three
    ");
}

/// The value of a chart that a release in another cluster takes too is no place for a change in this one.
#[test]
fn a_value_that_another_cluster_shares_is_left_alone() {
    let flux = |file: &str| {
        let text = std::fs::read_to_string(root("fixtures/flux-shop/clusters/production/flux-system").join(file));
        let text = text.expect("because the fixture has it");
        (
            format!("clusters/staging/flux-system/{file}"),
            text.replace("clusters/production", "clusters/staging"),
        )
    };
    let own = ["gotk-components.yaml", "gotk-sync.yaml", "kustomization.yaml"].map(flux);
    let release = std::fs::read_to_string(root("fixtures/flux-shop/apps/orders/release.yaml"));
    let release = release.expect("because the fixture has it");
    let (start, end) = (release.find("  valuesFrom:"), release.find("  values:"));
    let (start, end) = (start.expect("because it has some"), end.expect("because it has some"));
    let release = format!("{}  values:\n    domain: orders.staging.example\n", &release[..start]);
    assert!(start < end);
    let values = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: orders-values\n  namespace: shop\ndata:\n  values.yaml: |\n    replicas: 3\n";
    let mut files = vec![
        ("apps/orders/values.yaml", values),
        ("clusters/staging/orders.yaml", &*release),
    ];
    files.extend(own.iter().map(|(path, text)| (&**path, &**text)));
    let shop = shop(&files);
    let change = shop.set("ConfigMap/orders", ".data.queue", json!("main"));
    let made = shop.place(std::slice::from_ref(&change));
    assert_eq!(made.unplaced, []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    assert_eq!(
        made.files.keys().collect::<Vec<_>>(),
        ["apps/orders/release.yaml"],
        "{}",
        shop.diff(&made)
    );
    // Where nobody else takes it, it is the place.
    let alone = self::shop(&files[..1]);
    let made = alone.place(&[change]);
    assert_eq!(
        made.files.keys().collect::<Vec<_>>(),
        ["charts/orders/values.yaml"],
        "{}",
        alone.diff(&made)
    );
}

#[test]
fn what_an_application_of_argo_cd_gives_to_a_chart_is_set_there() {
    let application = std::fs::read_to_string(root("fixtures/argo-shop/apps/payments.yaml"));
    let application = application.expect("because the fixture has it");
    let of = |replaced: &[(&str, &str)]| {
        let repo = Repo::of_folder(&root("fixtures/argo-shop"));
        let mut text = application.replace("  name: payments\n", "  name: payments\n  namespace: argocd\n");
        for (now, instead) in replaced {
            assert_eq!(text.matches(now).count(), 1, "{now}");
            text = text.replace(now, instead);
        }
        repo.write("apps/payments.yaml", &text);
        repo.commit("an application of its own");
        opened(repo, "argocd")
    };
    let shop = of(&[(
        "      parameters:\n",
        "      parameters:\n        - {name: ledger.size, value: 3Gi} # enough\n",
    )]);
    let made = shop.place(&[
        shop.set("Deployment/pay", ".spec.replicas", json!(9)),
        shop.set("ConfigMap/pay", ".data.currency", json!("CHF")),
        shop.set("ConfigMap/pay-ledger", ".data.size", json!("4Gi")),
    ]);
    assert_eq!(made.unplaced, []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    insta::assert_snapshot!(shop.diff(&made), @r#"
    +++ b/apps/payments.yaml
    -      valuesObject: {replicas: 2, ledger: {size: 2Gi}}
    +      valuesObject: {replicas: 9, ledger: {size: 2Gi}}
    -        - {name: ledger.size, value: 3Gi} # enough
    +        - {name: ledger.size, value: 4Gi} # enough
    +++ b/values/production.yaml
    -currency: EUR
    +currency: CHF
    "#);
    // Jobs run the same image, and nothing else sets the one of the Deployment.
    let image = ".spec.template.spec.containers[name=payments].image";
    let made = shop.place(&[shop.set("Deployment/pay", image, json!("registry.example.com/payments:1.11"))]);
    assert_eq!(made.unplaced, []);
    assert!(
        made.side_effects
            .iter()
            .any(|one| one.starts_with("Job/") && one.ends_with("/pay-migrate in argocd")),
        "{:?}",
        made.side_effects
    );
    assert_eq!(made.placed[0].why, "the value that sets it; others change too");
    insta::assert_snapshot!(shop.diff(&made), @r#"
    +++ b/apps/payments.yaml
    -        - {name: image.tag, value: "1.10", forceString: true}
    +        - {name: image.tag, value: "1.11", forceString: true}
    "#);

    let as_text = of(&[(
        "      valuesObject: {replicas: 2, ledger: {size: 2Gi}}\n",
        "      values: |\n        replicas: 2 # one a zone\n        ledger: {size: 2Gi}\n",
    )]);
    let made = as_text.place(&[
        as_text.set("Deployment/pay", ".spec.replicas", json!(9)),
        as_text.set("ConfigMap/pay-ledger", ".data.size", json!("4Gi")),
    ]);
    assert_eq!(made.unplaced, []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    insta::assert_snapshot!(as_text.diff(&made), @r#"
    +++ b/apps/payments.yaml
    -        replicas: 2 # one a zone
    -        ledger: {size: 2Gi}
    +        replicas: 9 # one a zone
    +        ledger: {size: 4Gi}
    "#);
}
