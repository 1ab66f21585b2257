//! What is tried elsewhere and what is not; new objects beside their like; what goes with the last of a kind.

use serde_json::json;

use super::*;
use crate::cluster::{Cleaned, Proof};
use crate::object::{LiveObject, ProblemKind};

fn config_map(name: &str, namespace: Option<&str>) -> Change {
    let mut value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}});
    if let Some(namespace) = namespace {
        value["metadata"]["namespace"] = namespace.into();
    }
    Change::Add {
        manifest: manifest(value),
    }
}

fn text(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{}}\n")
}

#[test]
fn problems_that_move_are_no_new_ones() {
    let all = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  one: \"1\"\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata:\n  x: \"1\"\n  x: \"2\"\n---\nkind: Nothing\nmetadata: {name: c}\n";
    let case = Case::files(&[("all.yaml", all)], "");
    for kind in [ProblemKind::Error, ProblemKind::Warning] {
        let stands = |problem: &crate::object::Problem| {
            problem.kind == kind
                && problem
                    .places
                    .iter()
                    .any(|place| place.line.is_some_and(|line| line > 6))
        };
        assert!(case.set.problems.iter().any(stands), "{kind:?} {:?}", case.set.problems);
    }
    let made = case.place(&[case.set("ConfigMap/a", ".data.two", json!("2"))]);
    assert_eq!(reasons(&made), []);
    assert_eq!(case.diff(&made), ["all.yaml", "+  two: \"2\""]);
}

const TWINS: &[(&str, &str)] = &[
    (
        "kustomization.yaml",
        "resources: [web.yaml, work.yaml]\nimages:\n- {name: log, newTag: \"2\"}\npatches:\n- target: {kind: Deployment}\n  patch: |-\n    - op: add\n      path: /spec/paused\n      value: false\n",
    ),
    (
        "web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - {name: web, image: 'web:1'}\n",
    ),
    (
        "work.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: work}\nspec:\n  template:\n    spec:\n      containers:\n      - {name: log, image: 'log:1'}\n",
    ),
];

#[test]
fn only_what_changes_others_is_tried_elsewhere() {
    let case = Case::files(TWINS, "");
    let made = case.place(&[
        case.set("Deployment/web", ".spec.paused", json!(true)),
        case.set(
            "Deployment/work",
            ".spec.template.spec.containers[name=log].image",
            json!("log:3"),
        ),
    ]);
    assert_eq!(reasons(&made), []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    let whys: Vec<&str> = made.placed.iter().map(|placed| &*placed.why).collect();
    assert_eq!(
        whys,
        [
            "a patch of its own, since what declares it is shared or overruled",
            "the images entry that sets it",
        ]
    );
}

#[test]
fn a_new_object_goes_into_the_overlay_of_a_shared_base() {
    let case = Case::files(SHARED, "over/one");
    let made = case.place(&[config_map("extra", Some("one"))]);
    assert_eq!(reasons(&made), []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    let files: Vec<&str> = made.files.keys().map(String::as_str).collect();
    assert_eq!(files, ["over/one/extra.yaml", "over/one/kustomization.yaml"]);
    assert_eq!(case.diff(&made).last().map(String::as_str), Some("+- extra.yaml"));
}

#[test]
fn a_new_object_is_put_behind_its_like_where_files_hold_many() {
    let many = [
        ("apps/config.yaml", text("a") + "---\n" + &text("b")),
        (
            "apps/web.yaml",
            "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n---\n".to_owned() + &text("web"),
        ),
        (
            "apps/one.yaml",
            "apiVersion: v1\nkind: LimitRange\nmetadata: {name: one}\n".to_owned(),
        ),
    ];
    let many: Vec<(&str, &str)> = many.iter().map(|(path, text)| (*path, &**text)).collect();
    let case = Case::files(&many, "apps");
    let role = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}});
    let made = case.place(&[
        config_map("c", None),
        Change::Add {
            manifest: manifest(role),
        },
        config_map("d", None),
    ]);
    assert_eq!(reasons(&made), []);
    assert_eq!(
        case.diff(&made),
        [
            "apps/config.yaml",
            "+---",
            "+apiVersion: v1",
            "+kind: ConfigMap",
            "+metadata:",
            "+  name: c",
            "+data:",
            "+  a: b",
            "+---",
            "+apiVersion: v1",
            "+kind: ConfigMap",
            "+metadata:",
            "+  name: d",
            "+data:",
            "+  a: b",
            "apps/robot.yaml",
            "+apiVersion: v1",
            "+kind: ServiceAccount",
            "+metadata:",
            "+  name: robot",
        ]
    );
    let case = Case::files(&many[2..], "apps");
    let made = case.place(&[config_map("c", None)]);
    assert_eq!(
        made.files.keys().collect::<Vec<_>>(),
        ["apps/c.yaml"],
        "one object a file"
    );
    // A file an app: a new one is no part of any.
    let app = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n---\n{}",
            text(name)
        )
    };
    let (one, two) = (app("one"), app("two"));
    let case = Case::files(&[("apps/one.yaml", &one), ("apps/two.yaml", &two)], "apps");
    let made = case.place(&[config_map("c", None)]);
    assert_eq!(made.files.keys().collect::<Vec<_>>(), ["apps/c.yaml"], "a file an app");
}

#[test]
fn files_are_called_as_those_around() {
    for (files, expected) in [
        (
            &[("apps/web-service.yaml", "web"), ("apps/db-service.yaml", "db")][..],
            "apps/flags-configmap.yaml",
        ),
        (
            &[("apps/service-web.yaml", "web"), ("apps/service-db.yaml", "db")],
            "apps/configmap-flags.yaml",
        ),
        (&[("apps/service.yaml", "web")], "apps/configmap.yaml"),
        (&[("apps/web.yml", "web"), ("apps/db.yml", "db")], "apps/flags.yml"),
        (
            &[("apps/what.yaml", "web"), ("apps/ever.yaml", "db")],
            "apps/flags-configmap.yaml",
        ),
        // What the folder does counts more than what most do.
        (
            &[
                ("apps/web.yaml", "web"),
                ("apps/db.yaml", "db"),
                ("a/a-service.yaml", "a"),
                ("b/b-service.yaml", "b"),
                ("c/c-service.yaml", "c"),
            ],
            "apps/flags.yaml",
        ),
    ] {
        let service = |name: &str| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n");
        let texts: Vec<String> = files.iter().map(|(_, name)| service(name)).collect();
        let written: Vec<(&str, &str)> = files
            .iter()
            .zip(&texts)
            .map(|((file, _), text)| (*file, &**text))
            .collect();
        let case = Case::files(&written, "");
        let made = case.place(&[config_map("flags", None)]);
        assert_eq!(reasons(&made), [], "{files:?}");
        assert_eq!(made.files.keys().collect::<Vec<_>>(), [expected], "{files:?}");
    }
}

#[test]
fn entries_come_in_the_order_of_their_list() {
    for (list, expected) in [
        ("- a.yaml\n- c.yaml\n", "- a.yaml\n- b.yaml\n- c.yaml\n"),
        ("- ./a.yaml\n- ./c.yaml\n", "- ./a.yaml\n- ./b.yaml\n- ./c.yaml\n"),
        (
            "- c.yaml\n- a.yaml # last\n- sub\n",
            "- c.yaml\n- a.yaml # last\n- b.yaml\n- sub\n",
        ),
        ("- sub\n- a.yaml\n- c.yaml\n", "- sub\n- a.yaml\n- c.yaml\n- b.yaml\n"),
    ] {
        let kustomization = format!("resources:\n{list}");
        let (a, c, d) = (text("a"), text("c"), text("d"));
        let mut files = vec![("kustomization.yaml", &*kustomization), ("a.yaml", &a), ("c.yaml", &c)];
        if list.contains("sub") {
            files.extend([("sub/kustomization.yaml", "resources: [d.yaml]\n"), ("sub/d.yaml", &*d)]);
        }
        let case = Case::files(&files, "");
        let made = case.place(&[config_map("b", None)]);
        assert_eq!(reasons(&made), [], "{list}");
        let new = made.files["kustomization.yaml"].as_deref().map(String::from_utf8_lossy);
        assert_eq!(new.as_deref(), Some(&*format!("resources:\n{expected}")), "{list}");
        assert!(made.files.contains_key("b.yaml"), "{list}");
    }
}

#[test]
fn what_replacements_and_labels_set_is_changed_there() {
    let case = Case::files(
        &[
            (
                "kustomization.yaml",
                "resources: [web.yaml, settings.yaml]\nreplacements:\n- source: {kind: ConfigMap, name: settings, fieldPath: data.host}\n  targets:\n  - select: {kind: Deployment, name: web}\n    fieldPaths: ['spec.template.spec.containers.[name=web].env.[name=HOST].value']\n",
            ),
            (
                "web.yaml",
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        image: web:1\n        env: [{name: HOST, value: ''}]\n",
            ),
            (
                "settings.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata:\n  host: shop.example # ours\n",
            ),
        ],
        "",
    );
    let path = ".spec.template.spec.containers[name=web].env[name=HOST].value";
    let made = case.place(&[case.set("Deployment/web", path, json!("other.example"))]);
    assert_eq!(reasons(&made), []);
    assert_eq!(
        case.diff(&made),
        [
            "settings.yaml",
            "-  host: shop.example # ours",
            "+  host: other.example # ours"
        ]
    );
    assert_eq!(
        made.placed[0].why,
        "the field that a replacement copies from (ConfigMap/settings)"
    );
    assert_eq!(made.side_effects, Vec::<String>::new());

    let labels = "resources: [a.yaml]\nlabels:\n- pairs: {app: shop}\n- pairs:\n    team: web # ours\n";
    let case = Case::files(&[("kustomization.yaml", labels), ("a.yaml", &text("a"))], "");
    let made = case.place(&[case.set("ConfigMap/a", ".metadata.labels.team", json!("shop"))]);
    assert_eq!(reasons(&made), []);
    assert_eq!(
        case.diff(&made),
        ["kustomization.yaml", "-    team: web # ours", "+    team: shop # ours"]
    );
}

#[test]
fn a_kustomization_goes_with_its_last_object() {
    let files = [
        (
            "top/kustomization.yaml",
            "resources:\n- mid # the shop\n- db.yaml\n".to_owned(),
        ),
        ("top/mid/kustomization.yaml", "resources: [../web]\n".to_owned()),
        (
            "top/web/kustomization.yaml",
            "namespace: shop\nresources:\n- web.yaml\n".to_owned(),
        ),
        ("top/web/web.yaml", text("web")),
        ("top/db.yaml", text("db")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, &**text)).collect();
    let case = Case::files(&files, "top");
    let remove = |case: &Case, name: &str| Change::Remove { object: case.id(name) };
    let made = case.place(&[remove(&case, "ConfigMap/shop/web")]);
    assert_eq!(reasons(&made), []);
    assert_eq!(
        gone(&made),
        [
            "top/mid/kustomization.yaml",
            "top/web/kustomization.yaml",
            "top/web/web.yaml"
        ]
    );
    let left = made.files["top/kustomization.yaml"].as_deref();
    assert_eq!(left, Some(&b"resources:\n- db.yaml\n"[..]));

    // The last of all stays.
    let case = Case::files(&files, "top/web");
    let made = case.place(&[remove(&case, "ConfigMap/shop/web")]);
    let why = "the repository would have an error more: nothing is declared in top/web: no document there has apiVersion and kind";
    assert_eq!(reasons(&made), [(0, why)]);
    assert!(made.files.is_empty());
}

#[test]
fn patches_of_an_object_go_with_it() {
    let deployment = |name: &str| {
        format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec: {{replicas: 1}}\n")
    };
    let patch = |name: &str| deployment(name).replace("replicas: 1", "minReadySeconds: 5");
    let kustomization = format!(
        "namePrefix: my-\nresources: [../base]\npatches:\n- path: web.yaml # of the web\n- target: {{kind: Deployment, name: db}}\n  patch: '[{{\"op\": \"add\", \"path\": \"/spec/paused\", \"value\": true}}]'\n- path: both.yaml\n  target: {{kind: Deployment}}\n- target: {{kind: Deployment, name: web}}\n  patch: '[{{\"op\": \"add\", \"path\": \"/spec/paused\", \"value\": true}}]'\n- patch: |-\n{}",
        patch("web-db")
            .lines()
            .map(|line| format!("    {line}\n"))
            .collect::<String>()
    );
    let base = "resources:\n- db.yaml\n- web-db.yaml\n- web.yaml\n";
    let [db, web_db, web] = ["db", "web-db", "web"].map(deployment);
    let (of_web, of_both) = (patch("web"), "- {op: add, path: /metadata/labels, value: {a: b}}\n");
    let files = [
        ("base/kustomization.yaml", base),
        ("base/db.yaml", &*db),
        ("base/web-db.yaml", &web_db),
        ("base/web.yaml", &web),
        ("prod/kustomization.yaml", &kustomization),
        ("prod/web.yaml", &of_web),
        ("prod/both.yaml", of_both),
    ];
    let case = Case::files(&files, "prod");
    // What is patched in a list from which others go is found all the same.
    let made = case.place(&[
        Change::Remove {
            object: case.id("Deployment/my-web"),
        },
        case.set("Deployment/my-db", ".spec.paused", json!(false)),
        case.set("Deployment/my-web-db", ".spec.minReadySeconds", json!(9)),
    ]);
    assert_eq!(reasons(&made), []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    assert_eq!(
        made.placed[0].why,
        "the file that declared it alone is gone, with its patches"
    );
    assert_eq!(gone(&made), ["base/web.yaml", "prod/web.yaml"]);
    let new = made.files["prod/kustomization.yaml"]
        .as_deref()
        .map(String::from_utf8_lossy);
    let (head, rest) = kustomization
        .split_once("- path: web.yaml # of the web\n")
        .expect("because it is there");
    let (middle, rest) = rest
        .split_once("- target: {kind: Deployment, name: web}\n")
        .expect("because it is there");
    let (_, tail) = rest.split_once('\n').expect("because it is there");
    let expected = [head, &middle.replace("true", "false"), tail]
        .concat()
        .replace("minReadySeconds: 5", "minReadySeconds: 9");
    assert_eq!(new.as_deref(), Some(&*expected));
    // The list goes with its last one.
    let alone = (
        "prod/kustomization.yaml",
        "namePrefix: my-\nresources: [../base]\npatches: [{path: web.yaml}]\n",
    );
    let files = [&files[..4], &[alone, files[5]]].concat();
    let case = Case::files(&files, "prod");
    let made = case.place(&[Change::Remove {
        object: case.id("Deployment/my-web"),
    }]);
    assert_eq!(reasons(&made), []);
    let new = made.files["prod/kustomization.yaml"].as_deref();
    assert_eq!(new, Some(&b"namePrefix: my-\nresources: [../base]\n"[..]));
}

#[test]
fn an_item_of_a_list_is_edited_where_it_stands() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a, namespace: shop}\n  data:\n    k: v # ours\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a, namespace: bank}\n  data: {k: v}\n# The accounts.\n- apiVersion: v1\n  kind: ServiceAccount\n  metadata: {name: a, namespace: shop}\n";
    let typed = "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: c, namespace: shop}\n  data: {k: v}\n";
    let files = [("apps/all.yaml", list), ("apps/typed.yaml", typed)];
    let case = Case::files(&files, "apps");
    let remove = |name: &str| Change::Remove { object: case.id(name) };
    let made = case.place(&[
        remove("ServiceAccount/shop/a"),
        case.set("ConfigMap/shop/a", ".data.k", json!("w")),
        case.set("ConfigMap/shop/c", ".data.k", json!("w")),
    ]);
    assert_eq!(reasons(&made), []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    let new = made.files["apps/all.yaml"].as_deref().map(String::from_utf8_lossy);
    let (kept, _) = list
        .split_once("- apiVersion: v1\n  kind: ServiceAccount")
        .expect("because it has one");
    assert_eq!(new.as_deref(), Some(&*kept.replace("k: v # ours", "k: w # ours")));
    assert_eq!(
        case.diff(&made)[case.diff(&made).len() - 3..],
        ["apps/typed.yaml", "-  data: {k: v}", "+  data: {k: w}"]
    );
    assert_eq!(made.placed[0].why, "the item that declared it is gone from the list");
    // With its last item the list goes, and its file.
    let made = case.place(&[remove("ConfigMap/shop/c")]);
    assert_eq!(
        made.files.into_iter().collect::<Vec<_>>(),
        [("apps/typed.yaml".to_owned(), None)]
    );
}

/// Lays aside what is live of a ConfigMap of which nothing has a place (or all has), in a repository with this entry.
fn aside(entry: &str, unplaced: bool, there: &[(&str, &str)]) -> (Case, Changeset) {
    let text = text("a");
    let files: Vec<(&str, &str)> = [("apps/a.yaml", &*text)]
        .into_iter()
        .chain(there.iter().copied())
        .collect();
    let case = Case::files(&files, entry);
    let change = case.set("ConfigMap/a", ".data.a", json!("b"));
    let object = change.object();
    let intent = Intent {
        changes: vec![change],
        wishes: vec![Wish {
            finding: 0,
            changes: 0..1,
            unproven: None,
            first: None,
        }],
        left: Vec::new(),
    };
    let live =
        manifest(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "b"}}));
    let cleaned = Cleaned {
        manifest: live.clone(),
        live,
        object: LiveObject::default(),
        proof: Proof::Replaced,
    };
    let why = || Unplaced {
        change: 0,
        reason: "something in between\ndecides".to_owned(),
    };
    let mut made = Changeset {
        unplaced: unplaced.then(why).into_iter().collect(),
        ..Changeset::default()
    };
    lay_aside(&case.tree, &case.set, &intent, &[(object, cleaned)].into(), &mut made);
    (case, made)
}

#[test]
fn what_has_no_place_is_laid_aside_with_the_reason() {
    for (entry, file) in [
        ("apps", "refloat-export/_cluster/configmap-a.yaml"),
        ("", "refloat-export/_cluster/configmap-a.yaml.txt"),
    ] {
        let (case, made) = aside(entry, true, &[]);
        assert_eq!(made.files.keys().collect::<Vec<_>>(), [file]);
        assert_eq!(made.aside.values().collect::<Vec<_>>(), [file]);
        let text = made.files[file]
            .as_deref()
            .map(String::from_utf8_lossy)
            .unwrap_or_default();
        let expected = "# As it is live. It has no place in the repository yet:\n# - .data.a: something in between decides\n\
            apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  a: b\n";
        assert_eq!(text, expected);
        // Nothing reads it.
        let again = case.tree.with(&made.files);
        let set = declared::load(&again, &case.options).expect("because it can be read");
        assert_eq!(set.objects.len(), case.set.objects.len(), "{entry:?}");
        // Once all has a place it goes; what says the same is no change.
        let (_, left) = aside(entry, false, &[(file, &text)]);
        assert_eq!(left.files.into_iter().collect::<Vec<_>>(), [(file.to_owned(), None)]);
        let (_, same) = aside(entry, true, &[(file, &text)]);
        assert!(same.files.is_empty() && same.aside.len() == 1);
    }
}
