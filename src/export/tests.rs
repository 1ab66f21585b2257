mod anew;
mod engines;
mod generators;
mod homes;
mod places;
mod stubs;
mod values;
mod whole;

use std::path::Path;

use serde_json::json;

use super::*;
use crate::object::Declared;
use crate::source;

/// A copy of a folder of `fixtures`, outside of any repository.
fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("because the folder is ours");
    for entry in std::fs::read_dir(from).expect("because the fixture is part of the repository") {
        let path = entry.expect("because it was just listed").path();
        let target = to.join(path.file_name().expect("because it is an entry"));
        match path.is_dir() {
            true => copied(&path, &target),
            false => drop(std::fs::copy(&path, &target).expect("because the folder is ours")),
        }
    }
}

struct Case {
    _folder: tempfile::TempDir,
    tree: Tree,
    options: declared::Options,
    set: DeclaredSet,
}

impl Case {
    fn new(fixture: &str, path: &str) -> Self {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        copied(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture),
            folder.path(),
        );
        Self::of(folder, path)
    }

    fn of(folder: tempfile::TempDir, path: &str) -> Self {
        Self::with(folder, path, declared::Keys::default())
    }

    fn with(folder: tempfile::TempDir, path: &str, keys: declared::Keys) -> Self {
        let reference = folder.path().to_string_lossy().into_owned();
        let tree = source::open(&reference, &source::Options::default()).expect("because it is a folder");
        let options = declared::Options {
            paths: vec![path.to_owned()],
            namespace: "default".to_owned(),
            keys,
            ..declared::Options::default()
        };
        let set = declared::load(&tree, &options).expect("because there is something to read");
        Self {
            _folder: folder,
            tree,
            options,
            set,
        }
    }

    fn files(files: &[(&str, &str)], path: &str) -> Self {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        for (name, text) in files {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().expect("because it is in a folder"))
                .expect("because the folder is ours");
            std::fs::write(file, text).expect("because the folder is ours");
        }
        Self::of(folder, path)
    }

    fn id(&self, name: &str) -> ObjectId {
        let is = |declared: &&Declared| declared.id.is_named_by(name);
        let found = self
            .set
            .objects
            .iter()
            .find(is)
            .unwrap_or_else(|| panic!("{name} is not declared"));
        found.id.clone()
    }

    fn place(&self, changes: &[Change]) -> Changeset {
        place(&self.tree, &self.options, &self.set, changes, super::Options::default())
            .expect("because the tree can be read")
    }

    /// Lines that went (`-`) and came (`+`) in each file.
    fn diff(&self, made: &Changeset) -> Vec<String> {
        let mut lines = Vec::new();
        for (path, new) in &made.files {
            let old = self
                .tree
                .read(path)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .unwrap_or_default();
            let new = new.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
            let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
            let tail = old[head..]
                .iter()
                .rev()
                .zip(new[head..].iter().rev())
                .take_while(|(a, b)| a == b)
                .count();
            lines.push(path.clone());
            lines.extend(old[head..old.len() - tail].iter().map(|line| format!("-{line}")));
            lines.extend(new[head..new.len() - tail].iter().map(|line| format!("+{line}")));
        }
        lines
    }

    fn set(&self, object: &str, path: &str, value: Value) -> Change {
        Change::Set {
            object: self.id(object),
            path: path.to_owned(),
            value,
        }
    }
}

fn manifest(value: Value) -> Manifest {
    Manifest::new(value).expect("because it is complete")
}

/// The files that go.
fn gone(made: &Changeset) -> Vec<&str> {
    let gone = made.files.iter().filter(|(_, text)| text.is_none());
    gone.map(|(path, _)| &**path).collect()
}

fn reasons(made: &Changeset) -> Vec<(usize, &str)> {
    made.unplaced
        .iter()
        .map(|one| (one.change, one.reason.as_str()))
        .collect()
}

const SHARED: &[(&str, &str)] = &[
    (
        "base/kustomization.yaml",
        "resources:\n- web.yaml # the shop\n- settings.yaml\n",
    ),
    (
        "base/web.yaml",
        "# The shop.\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 1 # enough\n  paused: false\n",
    ),
    (
        "base/settings.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata:\n    a: '1'\n",
    ),
    (
        "over/one/kustomization.yaml",
        "namespace: one\nresources:\n- ../../base\nreplicas:\n- name: web\n  count: 3\n",
    ),
    (
        "over/two/kustomization.yaml",
        "namespace: two\nresources:\n- ../../base\n",
    ),
];

#[test]
fn a_field_of_a_plain_file_changes_one_line() {
    let case = Case::new("mobile-bank", "clusters/production");
    let made = case.place(&[case.set("Deployment/accounts/accounts-api", ".spec.replicas", json!(7))]);
    assert_eq!(reasons(&made), []);
    assert_eq!(made.placed.len(), 1);
    assert_eq!(made.side_effects, Vec::<String>::new());
    let diff = case.diff(&made);
    assert_eq!(diff.len(), 3, "{diff:?}");
    assert_eq!(diff[0], "clusters/production/apps/accounts/api.yaml");
    assert!(
        diff[1].starts_with("-  replicas: ") && diff[2].starts_with("+  replicas: 7"),
        "{diff:?}"
    );
}

#[test]
fn several_changes_of_one_file_are_made_together() {
    let text = "# a\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata:\n  one: 1st # x\n  two: 2nd\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
    let case = Case::files(&[("all.yaml", text)], "");
    let made = case.place(&[
        Change::Remove {
            object: case.id("ConfigMap/a"),
        },
        case.set("ConfigMap/b", ".data.one", json!("on")),
        Change::Unset {
            object: case.id("ConfigMap/b"),
            path: ".data.two".to_owned(),
        },
        case.set("ConfigMap/c", ".metadata.labels[a.b/c]", json!("1")),
    ]);
    assert_eq!(reasons(&made), []);
    let new = made.files["all.yaml"]
        .as_deref()
        .map(String::from_utf8_lossy)
        .expect("because it stays");
    assert_eq!(
        new,
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata:\n  one: \"on\" # x\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {a.b/c: \"1\"}}\n"
    );
}

#[test]
fn what_nothing_can_set_is_not_placed() {
    let case = Case::files(SHARED, "over/one");
    let made = case.place(&[case.set("Deployment/one/web", ".metadata.namespace", json!("three"))]);
    assert!(made.files.is_empty() && made.placed.is_empty(), "{made:?}");
    assert_eq!(made.unplaced.len(), 1);
    assert!(
        made.unplaced[0].reason.contains("something in between decides"),
        "{made:?}"
    );
}

#[test]
fn the_overlay_gets_what_a_shared_base_declares() {
    let case = Case::files(SHARED, "over/one");
    let made = case.place(&[
        case.set("Deployment/one/web", ".spec.paused", json!(true)),
        case.set("Deployment/one/web", ".metadata.labels[a.b/c]", json!("1")),
        case.set("Deployment/one/web", ".spec.replicas", json!(5)),
        Change::Remove {
            object: case.id("ConfigMap/one/settings"),
        },
    ]);
    assert_eq!(reasons(&made), []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    let new = String::from_utf8(
        made.files["over/one/kustomization.yaml"]
            .clone()
            .expect("because it stays"),
    );
    insta::assert_snapshot!(new.expect("because it is text"), @r#"
    namespace: one
    resources:
    - ../../base
    replicas:
    - name: web
      count: 5
    patches:
    - target:
        kind: Deployment
        name: web
      patch: |
        - op: replace
          path: /spec/paused
          value: true
        - op: add
          path: /metadata/labels
          value:
            a.b/c: "1"
    - target:
        kind: ConfigMap
        name: settings
      patch: |
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: settings
        $patch: delete
    "#);
    assert_eq!(made.files.len(), 1);
}

const LAYERED: &[(&str, &str)] = &[
    (
        "base/kustomization.yaml",
        "resources: [web.yaml]\nimages:\n- name: web\n  newName: r.example/web\n  newTag: 1.0.0 # the last good one\n",
    ),
    (
        "base/web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        image: web\n        args: [a, b]\n      - name: log\n        image: log:1\n",
    ),
    (
        "prod/kustomization.yaml",
        "namePrefix: p-\nresources:\n- ../base\nimages:\n- {name: log, newTag: \"2\"}\npatches:\n- path: limits.yaml\n- target: {kind: Deployment, name: web}\n  patch: |-\n    # Two are enough.\n    - op: add\n      path: /spec/replicas\n      value: 2\nconfigMapGenerator:\n- name: settings\n  literals:\n  - mode=fast\n  files: [motd.txt, other=extra.txt]\ngeneratorOptions: {disableNameSuffixHash: true}\n",
    ),
    (
        "prod/limits.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        resources: {limits: {memory: 1Gi}} # tight\n",
    ),
    ("prod/motd.txt", "Good day.\n"),
    ("prod/extra.txt", "x"),
];

#[test]
fn each_field_goes_where_it_is_decided() {
    let case = Case::files(LAYERED, "prod");
    let web = "Deployment/p-web";
    let image = |name: &str| format!(".spec.template.spec.containers[name={name}].image");
    for (object, path, value, expected) in [
        (
            web,
            &*image("web"),
            json!("r.example/web:1.0.1"),
            &[
                "base/kustomization.yaml",
                "-  newTag: 1.0.0 # the last good one",
                "+  newTag: 1.0.1 # the last good one",
            ][..],
        ),
        (
            web,
            &*image("web"),
            json!("r.example/other@sha256:00"),
            &[
                "base/kustomization.yaml",
                "-  newName: r.example/web",
                "-  newTag: 1.0.0 # the last good one",
                "+  newName: r.example/other",
                "+  digest: sha256:00",
            ],
        ),
        (
            web,
            &*image("log"),
            json!("log:3"),
            &[
                "prod/kustomization.yaml",
                "-- {name: log, newTag: \"2\"}",
                "+- {name: log, newTag: \"3\"}",
            ],
        ),
        (
            web,
            ".spec.replicas",
            json!(7),
            &["prod/kustomization.yaml", "-      value: 2", "+      value: 7"],
        ),
        (
            web,
            ".spec.template.spec.containers[name=web].resources.limits.memory",
            json!("2Gi"),
            &[
                "prod/limits.yaml",
                "-        resources: {limits: {memory: 1Gi}} # tight",
                "+        resources: {limits: {memory: 2Gi}} # tight",
            ],
        ),
        (
            web,
            ".spec.template.spec.containers[name=web].args",
            json!(["a"]),
            &["base/web.yaml", "-        args: [a, b]", "+        args: [a]"],
        ),
        (
            "ConfigMap/p-settings",
            ".data.mode",
            json!("slow"),
            &["prod/kustomization.yaml", "-  - mode=fast", "+  - mode=slow"],
        ),
        (
            "ConfigMap/p-settings",
            ".data[motd.txt]",
            json!("Good day.\nBye.\n"),
            &["prod/motd.txt", "+Bye."],
        ),
        (
            "ConfigMap/p-settings",
            ".data.other",
            json!("y"),
            &["prod/extra.txt", "-x", "+y"],
        ),
    ] {
        let made = case.place(&[case.set(object, path, value.clone())]);
        assert_eq!(reasons(&made), [], "{path}");
        assert_eq!(case.diff(&made), expected, "{path}");
        assert_eq!(made.side_effects, Vec::<String>::new(), "{path}");
    }
}

#[test]
fn all_of_them_are_placed_together() {
    let case = Case::files(LAYERED, "prod");
    let web = "Deployment/p-web";
    let made = case.place(&[
        case.set(
            web,
            ".spec.template.spec.containers[name=web].image",
            json!("r.example/web:2"),
        ),
        case.set(web, ".spec.replicas", json!(7)),
        case.set(web, ".spec.template.spec.containers[name=log].image", json!("log:3")),
        Change::Unset {
            object: case.id(web),
            path: ".spec.template.spec.containers[name=web].resources".to_owned(),
        },
        case.set("ConfigMap/p-settings", ".data.mode", json!("slow")),
        case.set("ConfigMap/p-settings", ".metadata.labels.a", json!("b")),
    ]);
    assert_eq!(reasons(&made), []);
    assert_eq!(made.placed.len(), 6);
}

#[test]
fn a_removed_object_takes_its_file_and_its_entry_along() {
    let case = Case::files(&SHARED[..3], "base");
    let made = case.place(&[Change::Remove {
        object: case.id("Deployment/web"),
    }]);
    assert_eq!(reasons(&made), []);
    assert_eq!(made.files["base/web.yaml"], None);
    assert_eq!(
        made.files["base/kustomization.yaml"].as_deref(),
        Some(&b"resources:\n- settings.yaml\n"[..])
    );
}

#[test]
fn a_new_object_is_named_and_listed_as_its_neighbours() {
    let case = Case::new("kustomize-shop", "overlays/production");
    let policy = json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "limits", "namespace": "shop-production"},
        "spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}}]}});
    let made = case.place(&[Change::Add {
        manifest: manifest(policy.clone()),
    }]);
    assert_eq!(reasons(&made), []);
    let folder = "overlays/production";
    let files: Vec<&str> = made.files.keys().map(String::as_str).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(files.iter().all(|file| file.starts_with(folder)), "{files:?}");
    let again = case.tree.with(&made.files);
    let set = declared::load(&again, &case.options).expect("because it can be read");
    assert!(set.objects.iter().any(|one| *one.manifest.value() == policy));
    // Told twice, it is there already.
    let case = Case {
        tree: again,
        set,
        ..case
    };
    let made = case.place(&[Change::Add {
        manifest: manifest(policy),
    }]);
    assert_eq!(reasons(&made), [(0, "it is declared already")]);
    assert!(made.files.is_empty());
}

#[test]
fn a_secret_is_never_written_in_clear() {
    let case = Case::files(&SHARED[..3], "base");
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"password": "canary-4711"}});
    let made = case.place(&[Change::Add {
        manifest: manifest(secret),
    }]);
    let why = "a Secret is not written in clear, and no .sops.yaml says for whom to encrypt it";
    assert_eq!(reasons(&made), [(0, why)]);
    assert!(made.files.is_empty());
    let case = Case::files(
        &[(
            "base/secret.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: known}\nstringData: {a: b}\n",
        )],
        "base",
    );
    let change = case.set("Secret/known", ".data.a", json!("Y2FuYXJ5LTQ3MTE="));
    assert_eq!(format!("{change:?}"), "set Secret/known .data.a");
    let made = case.place(&[change]);
    let why = "base/secret.yaml has its values in clear, and what is live is not written there: encrypt it (`sops encrypt --in-place base/secret.yaml`) or seal it, then export again";
    assert_eq!(reasons(&made), [(0, why)]);
    assert!(made.files.is_empty());
}

/// What SOPS made of a Secret, in clear.
fn opened(case: &Case, made: &Changeset, file: &str) -> String {
    let text = made.files[file].as_deref().expect("because it stays");
    let mut plain = String::new();
    let kept = case.options.keys.edit(file, text, |tree| {
        plain = String::from_utf8_lossy(
            &sops::Format::Yaml
                .write(tree, &sops::Layout::default())
                .expect("because it is YAML"),
        )
        .into_owned();
        Ok(())
    });
    assert!(kept.is_ok(), "{kept:?}");
    plain
}

#[test]
fn values_of_secrets_are_encrypted_for_whom_the_repository_says() {
    let case = shop();
    let new = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "till", "namespace": "shop"},
        "data": {"pin": "Y2FuYXJ5LTQ3MTE=", "note": "dHdvCmxpbmVzCg=="}});
    let vault = "apps/payments/vault.yaml";
    let before = case.tree.read(vault).expect("because the fixture has it");
    let made = case.place(&[
        case.set("Secret/shop/pay-vault", ".data.acquirer", json!("Y2FuYXJ5LTQ3MTE=")),
        case.set("Secret/shop/pay-vault", ".data.more", json!("Y2FuYXJ5LTQ3MTE=")),
        case.set("Secret/shop/pay-vault", ".metadata.labels.team", json!("pay")),
        Change::Unset {
            object: case.id("Secret/shop/pay-vault"),
            path: ".data.note".to_owned(),
        },
        Change::Add {
            manifest: manifest(new),
        },
    ]);
    assert_eq!(reasons(&made), []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    for (file, text) in &made.files {
        let text = String::from_utf8_lossy(text.as_deref().unwrap_or_default()).into_owned();
        for canary in ["canary-4711", "Y2FuYXJ5LTQ3MTE"] {
            assert!(!text.contains(canary), "{file}");
        }
    }
    let plain = opened(&case, &made, vault);
    assert!(
        plain.contains("acquirer: canary-4711") && plain.contains("more: canary-4711") && !plain.contains("note:"),
        "{plain}"
    );
    // What stays keeps its bytes.
    let after = String::from_utf8_lossy(made.files[vault].as_deref().unwrap_or_default()).into_owned();
    let seal = String::from_utf8_lossy(&before)
        .lines()
        .find(|line| line.contains("seal:"))
        .map(str::to_owned);
    assert!(after.contains(&seal.expect("because the fixture has it")));
    let new = made
        .files
        .keys()
        .find(|file| file.contains("till"))
        .expect("because it is new");
    assert!(opened(&case, &made, new).contains("pin: canary-4711"));
}

/// The fixture whose orders are a chart in the repository, released by Flux.
fn shop() -> Case {
    let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    copied(&fixtures.join("flux-shop"), folder.path());
    let key = std::fs::read_to_string(fixtures.join("flux-shop.agekey")).expect("because the fixture has it");
    let mut identities = sops::Identities::new();
    identities.add_age(&key).expect("because it is a key");
    Case::with(folder, "clusters/production", declared::Keys::new(identities, None))
}

#[test]
fn what_is_rendered_is_not_edited_unless_asked() {
    let case = Case::new("jx-mini", "config-root");
    let change = [case.set("PodDisruptionBudget/shop/kitchen", ".spec.minAvailable", json!(5))];
    let made = case.place(&change);
    assert!(made.files.is_empty());
    assert!(
        made.unplaced[0]
            .reason
            .starts_with("config-root is rendered from helmfiles"),
        "{made:?}"
    );
    let options = super::Options {
        edit_rendered: true,
        ..super::Options::default()
    };
    let made = place(&case.tree, &case.options, &case.set, &change, options).expect("because the tree can be read");
    assert_eq!(made.placed.len(), 1);
}
