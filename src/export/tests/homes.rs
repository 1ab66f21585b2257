//! Folders for new objects where a repository has one for each app.

use serde_json::json;

use super::*;

/// An object of an app in namespace shop, labelled as most do.
fn part(kind: &str, name: &str, app: &str) -> String {
    let version = match kind {
        "Deployment" | "StatefulSet" => "apps/v1",
        "ClusterRole" => "rbac.authorization.k8s.io/v1",
        _ => "v1",
    };
    let namespace = match kind {
        "ClusterRole" => "",
        _ => "  namespace: shop\n",
    };
    format!(
        "apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n{namespace}  labels: {{app.kubernetes.io/name: {app}}}\n"
    )
}

/// Two apps, each in a folder; `db` has more in its own.
fn apps(below: &str) -> Case {
    let folder = |app: &str| format!("apps/{app}{below}");
    let mut files = vec![(
        "apps/kustomization.yaml".to_owned(),
        format!("resources: [web{below}, db{below}, rbac]\n"),
    )];
    let mut put = |folder: String, objects: &[(&str, &str, &str)]| {
        let mut list = "resources:\n".to_owned();
        for (kind, name, app) in objects {
            let file = format!("{}.yaml", kind.to_lowercase());
            list.push_str(&format!("- {file}\n"));
            files.push((format!("{folder}/{file}"), part(kind, name, app)));
        }
        files.push((format!("{folder}/kustomization.yaml"), list));
    };
    put(
        folder("web"),
        &[("Deployment", "web", "web"), ("Service", "web", "web")],
    );
    let db = [
        ("ConfigMap", "db", "db"),
        ("Service", "db", "db"),
        ("StatefulSet", "db", "db"),
    ];
    put(folder("db"), &db);
    put("apps/rbac".to_owned(), &[("ClusterRole", "peek", "peek")]);
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    Case::files(&files, "apps")
}

/// The files that change for a new object.
fn files_for(case: &Case, object: &Value) -> Vec<String> {
    let made = case.place(&[Change::Add {
        manifest: manifest(object.clone()),
    }]);
    assert_eq!(reasons(&made), [], "{object}");
    made.files.into_keys().collect()
}

/// A new object of a kind of the core, or of another group, with this in it.
fn new(version: &str, kind: &str, name: &str, more: Value) -> Value {
    let mut value = json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}});
    if kind != "ClusterRole" {
        value["metadata"]["namespace"] = "shop".into();
    }
    let more = more.as_object().cloned().unwrap_or_default();
    for (key, more) in more {
        match (&mut value[&key], more) {
            (Value::Object(known), Value::Object(more)) => known.extend(more),
            (there, more) => *there = more,
        }
    }
    value
}

#[test]
fn a_new_object_goes_to_the_folder_of_its_app() {
    let case = apps("");
    let map = |name: &str, more: Value| new("v1", "ConfigMap", name, more);
    let labelled = |key: &str| json!({"metadata": {"labels": {key: "web"}}});
    let (role, web) = ("rbac.authorization.k8s.io/v1", json!({"app": "web"}));
    for (object, folder) in [
        (map("flags", labelled("app.kubernetes.io/name")), "web"),
        (map("flags", labelled("app")), "web"),
        (map("web", json!({})), "web"),
        (map("web-flags", json!({})), "web"),
        (new("v1", "Service", "front", json!({"spec": {"selector": web}})), "web"),
        (
            new(
                "policy/v1",
                "PodDisruptionBudget",
                "two",
                json!({"spec": {"selector": {"matchLabels": web}}}),
            ),
            "web",
        ),
        (
            new(
                "networking.k8s.io/v1",
                "NetworkPolicy",
                "no",
                json!({"spec": {"podSelector": {"matchLabels": web}}}),
            ),
            "web",
        ),
        (
            new(
                "autoscaling/v2",
                "HorizontalPodAutoscaler",
                "peaks",
                json!({"spec": {"scaleTargetRef": {"name": "web"}}}),
            ),
            "web",
        ),
        (new(role, "ClusterRole", "reads", labelled("app")), "web"),
        // Its labels say more than its name.
        (map("db-flags", labelled("app")), "web"),
        // Of no app that is known: where most of its namespace lies, or of its kind.
        (map("webby", json!({})), "db"),
        (map("flags", json!({"metadata": {"labels": {"tier": "web"}}})), "db"),
        (new(role, "ClusterRole", "web-reads", json!({})), "rbac"),
    ] {
        let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
        let files = files_for(&case, &object);
        assert_eq!(files.len(), 2, "{object}: {files:?}");
        let within = format!("apps/{folder}/");
        assert!(
            files.iter().all(|file| file.starts_with(&within)),
            "{object}: {files:?}"
        );
        assert!(files.contains(&format!("{within}kustomization.yaml")), "{files:?}");
        assert!(files.iter().any(|file| file.contains(&kind)), "{files:?}");
    }
    let made = case.place(&[Change::Add {
        manifest: manifest(map("web-flags", json!({}))),
    }]);
    assert_eq!(
        case.diff(&made)[..8],
        [
            "apps/web/configmap.yaml",
            "+apiVersion: v1",
            "+kind: ConfigMap",
            "+metadata:",
            "+  name: web-flags",
            "+  namespace: shop",
            "apps/web/kustomization.yaml",
            "+- configmap.yaml",
        ]
    );
}

#[test]
fn the_folder_may_be_further_in() {
    let case = apps("/base");
    let files = files_for(&case, &new("v1", "ConfigMap", "web-flags", json!({})));
    assert_eq!(
        files,
        ["apps/web/base/configmap.yaml", "apps/web/base/kustomization.yaml"]
    );
}

/// Where each app has a base with overlays, and a cluster is made of overlays.
#[test]
fn the_overlay_of_the_app_is_its_folder_where_its_base_is_shared() {
    let mut files = Vec::new();
    for app in ["web", "db"] {
        files.push((
            format!("apps/{app}/base/kustomization.yaml"),
            "resources: [service.yaml]\n".to_owned(),
        ));
        files.push((format!("apps/{app}/base/service.yaml"), part("Service", app, app)));
        for cluster in ["production", "staging"] {
            let overlay = "resources:\n- ../../base\n".to_owned();
            files.push((format!("apps/{app}/overlays/{cluster}/kustomization.yaml"), overlay));
        }
    }
    for cluster in ["production", "staging"] {
        let both = ["web", "db"].map(|app| format!("- ../../apps/{app}/overlays/{cluster}\n"));
        let kustomization = format!("resources:\n{}", both.concat());
        files.push((format!("clusters/{cluster}/kustomization.yaml"), kustomization));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    let case = Case::files(&files, "clusters/production");
    for (name, folder) in [
        ("web-flags", "apps/web/overlays/production"),
        ("flags", "clusters/production"),
    ] {
        let made = case.place(&[Change::Add {
            manifest: manifest(new("v1", "ConfigMap", name, json!({}))),
        }]);
        assert_eq!(
            (reasons(&made), &made.side_effects),
            (Vec::new(), &Vec::new()),
            "{name}"
        );
        let files: Vec<&String> = made.files.keys().collect();
        assert_eq!(
            files,
            [
                &format!("{folder}/configmap.yaml"),
                &format!("{folder}/kustomization.yaml")
            ]
        );
    }
}

#[test]
fn a_folder_that_only_bears_the_name_is_none_of_the_app() {
    let part = |kind: &str, name: &str| part(kind, name, name);
    let (a, b, c, db) = (
        part("Service", "a"),
        part("Service", "b"),
        part("Service", "web"),
        part("Service", "db"),
    );
    let more = [part("ConfigMap", "db"), part("StatefulSet", "db")];
    let files = [
        ("apps/web/a.yaml", &*a),
        ("apps/web/b.yaml", &b),
        ("apps/web/web.yaml", &c),
        ("apps/all/db.yaml", &db),
        ("apps/all/map.yaml", &more[0]),
        ("apps/all/set.yaml", &more[1]),
        (
            "apps/all/other.yaml",
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: x, namespace: shop}\n",
        ),
    ];
    let case = Case::files(&files, "apps");
    let files = files_for(&case, &new("v1", "ConfigMap", "web-flags", json!({})));
    assert_eq!(files.len(), 1);
    assert!(files[0].starts_with("apps/all/"), "{files:?}");
    // Nor is one of another namespace.
    let other = files_for(
        &apps(""),
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web-flags", "namespace": "bank"}}),
    );
    assert!(other[0].starts_with("apps/db/"), "{other:?}");
}

#[test]
fn of_a_label_that_all_have_the_folder_further_in_is_taken() {
    let part = |kind: &str, name: &str| part(kind, name, "shop");
    let (web, db, map) = (part("Service", "web"), part("Service", "db"), part("ConfigMap", "db"));
    let files = [
        ("shop/web/service.yaml", &*web),
        ("shop/db/service.yaml", &db),
        ("shop/db/configmap.yaml", &map),
    ];
    let case = Case::files(&files, "shop");
    let labels = json!({"metadata": {"labels": {"app.kubernetes.io/name": "shop"}}});
    let files = files_for(&case, &new("v1", "ConfigMap", "web-flags", labels));
    assert_eq!(files, ["shop/web/configmap.yaml"]);
}

/// A file for each app, with all that is of it.
fn file_an_app(more: &[(&str, &str)]) -> Case {
    let app = |kind: &str, name: &str| part(kind, name, name) + "---\n" + &part("Service", name, name);
    let (web, db) = (app("Deployment", "web"), app("StatefulSet", "db"));
    let files = [
        ("apps/kustomization.yaml", "resources: [db.yaml, web.yaml, more]\n"),
        ("apps/db.yaml", &db),
        ("apps/web.yaml", &web),
    ];
    let list: String = more.iter().map(|(name, _)| format!("- {name}\n")).collect();
    let list = format!("resources:\n{list}");
    let more: Vec<(String, &str)> = more
        .iter()
        .map(|(name, text)| (format!("apps/more/{name}"), *text))
        .collect();
    let mut all = vec![("apps/more/kustomization.yaml", &*list)];
    all.extend(files);
    all.extend(more.iter().map(|(path, text)| (&**path, *text)));
    Case::files(&all, "apps")
}

#[test]
fn a_new_object_goes_to_the_file_of_its_app() {
    let map = |name: &str| part("ConfigMap", name, name);
    // Most of the namespace lies elsewhere.
    let elsewhere = ["a", "b", "c", "d", "e"].map(map);
    let names = ["a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml"];
    let more: Vec<(&str, &str)> = names.into_iter().zip(elsewhere.iter().map(String::as_str)).collect();
    let case = file_an_app(&more);
    let config = |name: &str, more: Value| new("v1", "ConfigMap", name, more);
    for object in [
        config("web-flags", json!({})),
        config("flags", json!({"metadata": {"labels": {"app": "web"}}})),
        new(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "peaks",
            json!({"spec": {"scaleTargetRef": {"name": "web"}}}),
        ),
    ] {
        assert_eq!(files_for(&case, &object), ["apps/web.yaml"], "{object}");
    }
    let made = case.place(&[Change::Add {
        manifest: manifest(config("web-flags", json!({}))),
    }]);
    assert_eq!(made.placed[0].why, "at the end of the file of its app");
    assert_eq!(
        case.diff(&made),
        [
            "apps/web.yaml",
            "+---",
            "+apiVersion: v1",
            "+kind: ConfigMap",
            "+metadata:",
            "+  name: web-flags",
            "+  namespace: shop",
        ]
    );
    // Of no app, and of an app in another namespace.
    let other =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web-flags", "namespace": "bank"}});
    for object in [config("flags", json!({})), other] {
        let files = files_for(&case, &object);
        assert!(
            files.iter().all(|file| file.starts_with("apps/more/")),
            "{object}: {files:?}"
        );
    }
    // What has values is encrypted in a file of its own, or not written at all.
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web", "namespace": "shop"}, "data": {"a": "Yg=="}});
    let made = case.place(&[Change::Add {
        manifest: manifest(secret),
    }]);
    assert!(
        made.files.is_empty() && reasons(&made)[0].1.starts_with("a Secret is not written in clear"),
        "{made:?}"
    );
}

#[test]
fn a_file_that_is_named_for_an_app_among_files_of_one_object_each_is_left() {
    let both = part("Deployment", "web", "web") + "---\n" + &part("Service", "web", "web");
    let others = ["db", "mq"].map(|name| part("Service", name, name));
    let files = [
        ("apps/web.yaml", &*both),
        ("apps/db.yaml", &others[0]),
        ("apps/mq.yaml", &others[1]),
    ];
    let files = files_for(
        &Case::files(&files, "apps"),
        &new("v1", "ConfigMap", "web-flags", json!({})),
    );
    assert_eq!(files, ["apps/web-flags.yaml"]);
    // Nor is one with more of others.
    let mixed = both + "---\n" + &["a", "b", "c"].map(|name| part("Service", name, name)).join("---\n");
    let files = files_for(
        &Case::files(
            &[("apps/web.yaml", &mixed), ("apps/db.yaml", &mixed.replace("web", "db"))],
            "apps",
        ),
        &new("v1", "ConfigMap", "web-flags", json!({})),
    );
    assert_eq!(files, ["apps/web-flags.yaml"]);
}
