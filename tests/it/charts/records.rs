//! The record of a release: read back by Helm's and Flux's own code, and by Helm 3 and 4 in a real cluster.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use refloat::declared::helm::{
    Document, Files, Record, Release, Values, documents, observe, snapshot, status, version_of_artifact,
};
use serde_json::{Value, json};

use crate::support::plane::{Plane, shared, wait};
use crate::support::run::tool_folder;

const ABOUT: &str = "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: 7\ndescription: <b> & co\nkeywords: [a, b]\n\
    maintainers: [{name: me, email: me@example.com, x: y}]\nannotations: {z: last, a: first, unknown: '1'}\nunknown: left out\n\
    dependencies: [{name: db, version: ^1, repository: '', tags: [t], import-values: [{parent: p, child: c}, text]}]\n";

const OBJECTS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-config}\ndata:\n  colour: {{ .Values.colour | quote }}\n\
    ---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: {{ .Release.Name }}}\nspec:\n  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: 'web:1'}]}\n";

fn hook(name: &str, occasions: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{{{ .Release.Name }}}}-{name}\n  annotations:\n    helm.sh/hook: {occasions}\n{more}data: {{ran: 'yes'}}\n"
    )
}

/// A chart with hooks, notes, a schema, and files besides.
fn chart(folder: &Path) {
    let write = |path: &str, text: &str| {
        let file = folder.join(path);
        std::fs::create_dir_all(file.parent().expect("it lies in the folder")).expect("the folder is ours");
        std::fs::write(file, text).expect("the folder is ours");
    };
    // The dependency is not there; of the record only.
    write("Chart.yaml", ABOUT.split("dependencies").next().expect("it begins so"));
    write("values.yaml", "replicas: 1\ncolour: red\nlist: [1, 2]\nnothing: null\n");
    write("values.schema.json", r#"{"type": "object"}"#);
    write("README.md", "# web\n");
    write(
        "crds/thing.yaml",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\n",
    );
    write("templates/objects.yaml", OBJECTS);
    write("templates/_helpers.tpl", "{{ define \"x\" }}y{{ end }}");
    write("templates/NOTES.txt", "Hello from {{ .Release.Name }}\n");
    write(
        "templates/before.yaml",
        &hook(
            "before",
            "pre-install",
            "    helm.sh/hook-weight: '-5'\n    helm.sh/hook-delete-policy: hook-succeeded\n",
        ),
    );
    write("templates/test.yaml", &hook("test", "test", ""));
    write("templates/later.yaml", &hook("later", "post-upgrade, pre-rollback", ""));
}

fn values() -> Values {
    let values = json!({"replicas": 2, "colour": "<blue>", "nested": {"z": [1.5, 1e21, "a: b"], "a": null, "text": "one\ntwo\n"}});
    values.as_object().cloned().expect("it is a map")
}

#[expect(clippy::disallowed_methods, reason = "tests run helm itself")]
fn helm(version: &str, args: &[&str]) -> Result<String, String> {
    let program = tool_folder(version).join(version);
    let home = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(program)
        .args(args)
        .env("HOME", home.path())
        .output()
        .expect("it was built");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

struct Installed {
    folder: tempfile::TempDir,
    documents: Vec<Document>,
    record: Record,
}

/// The chart, rendered and recorded as a release of a namespace.
fn installed(namespace: &str) -> Installed {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let chart_folder = folder.path().join("web");
    chart(&chart_folder);
    let file = folder.path().join("values.yaml");
    std::fs::write(&file, kube_yaml::to_string(&Value::Object(values()))).expect("the folder is ours");
    let (chart_path, file) = (chart_folder.display().to_string(), file.display().to_string());
    let args = [
        "template",
        "web",
        &chart_path,
        "--namespace",
        namespace,
        "--values",
        &file,
        "--include-crds",
    ];
    let output = helm("helm", &args).expect("it can be rendered");
    let documents = documents(&output);
    let record = Record::new(&Release {
        name: "web",
        namespace,
        files: &Files::of_folder(&chart_folder).expect("it can be read"),
        chart_version: None,
        values: &values(),
        documents: &documents,
        notes: "Hello from web\n",
        time: "2026-03-04T05:06:07.89Z".parse().expect("it is a time"),
        labels: &BTreeMap::from([("team".to_owned(), "shop".to_owned())]),
        server_side: true,
    });
    Installed {
        folder,
        documents,
        record: record.expect("the chart is right"),
    }
}

/// What Helm's and Flux's code make of a Secret that holds a release.
pub fn read_back(secret: &Value, oci_digest: Option<&str>) -> Value {
    let release = secret["data"]["release"].as_str().expect("it has data");
    let release =
        String::from_utf8(BASE64_STANDARD.decode(release).expect("it is base64")).expect("it is base64 again");
    asked(&json!({"ask": "release", "release": release, "ociDigest": oci_digest.unwrap_or_default()}))
}

/// What Helm's and Flux's code answer.
#[expect(clippy::disallowed_methods, reason = "tests run Helm's own code")]
pub fn asked(question: &Value) -> Value {
    let program = tool_folder("helm-oracle").join("helm-oracle");
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was built");
    writeln!(child.stdin.take().expect("it is a pipe"), "{question}").expect("it reads");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is a pipe"))
        .read_line(&mut line)
        .expect("it answers");
    child.wait().expect("it ends");
    let answer: Value = serde_json::from_str(&line).expect("it is JSON");
    assert_eq!(answer["error"], Value::Null);
    answer["value"].clone()
}

/// As Go writes the types of Flux, whatever the order of what is written.
#[test]
fn what_is_observed_of_a_spec_is_what_the_controller_observes() {
    let patch = json!({"target": {"labelSelector": "a=b", "kind": "Deployment", "group": "apps", "name": ""}, "patch": "- <op>: remove\n"});
    let images = json!([{"digest": "sha256:00", "name": "web", "newTag": "", "unknown": 1}, {"newName": "b", "newTag": "2", "name": "a"}]);
    for spec in [
        json!({}),
        json!({"postRenderers": []}),
        json!({"postRenderers": [{}, {"kustomize": {}}, {"kustomize": {"patches": [], "images": []}}]}),
        json!({"postRenderers": [{"kustomize": {"images": images, "patches": [patch, {"patch": "a: b & c"}, {"patch": "x", "target": {}}]}}]}),
        json!({"commonMetadata": {}}),
        json!({"commonMetadata": {"labels": {"z": "1", "a": "<ä>"}, "annotations": {}}, "postRenderers": null}),
        json!({"commonMetadata": {"labels": {"a": ""}, "annotations": {"b": "c"}}}),
    ] {
        let mut own = json!({});
        observe(&mut own, &spec);
        assert_eq!(own, asked(&json!({"ask": "observed", "spec": spec})), "{spec}");
    }
}

#[test]
fn helm_controller_sees_its_own_release() {
    let Installed { record, .. } = installed("shop");
    let secret = record.secret("store").expect("it is small").into_value();
    assert_eq!(
        secret["metadata"],
        json!({"name": "sh.helm.release.v1.web.v1", "namespace": "store", "labels": {
            "modifiedAt": "1772600767", "name": "web", "owner": "helm", "status": "deployed", "team": "shop", "version": "1"}})
    );
    assert_eq!(secret["type"], "helm.sh/release.v1");
    for digest in [None, Some("sha256:0123456789abcdef")] {
        let mut theirs = read_back(&secret, digest)["snapshot"].clone();
        theirs
            .as_object_mut()
            .expect("it is a map")
            .retain(|_, value| !value.is_null());
        assert_eq!(snapshot(&record, digest), theirs);
    }
    // The same each time.
    let again = installed("shop").record;
    assert_eq!(again.secret("store").expect("it is small").into_value(), secret);
}

/// With all that a `Chart.yaml` may say, and with charts of version 1.
#[test]
fn every_chart_is_recorded_as_helm_reads_it() {
    let first = "name: old\nversion: 0.1.0\ndeprecated: true\n";
    let requirements =
        "dependencies: [{name: db, version: 1.x, repository: 'https://example.com', alias: store, condition: db.on}]\n";
    let lock = "generated: '2026-01-02T03:04:05.678Z'\ndigest: sha256:aa\ndependencies: [{name: db, version: 1.2.3, repository: 'https://example.com'}]\n";
    for files in [
        vec![
            ("Chart.yaml", ABOUT),
            ("values.yaml", ""),
            ("charts/db/Chart.yaml", "name: db"),
            ("charts/db.tgz.prov", "x"),
            ("Chart.lock", lock),
        ],
        vec![
            ("Chart.yaml", first),
            ("requirements.yaml", requirements),
            ("requirements.lock", lock),
            ("values.yaml", "a: {b: 1.50}\n"),
        ],
    ] {
        let files = files
            .into_iter()
            .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        let files = Files(files.collect());
        let record = Record::new(&Release {
            name: "a",
            namespace: "b",
            files: &files,
            chart_version: Some("1.2.3+0123456789ab"),
            values: &Values::new(),
            documents: &[],
            notes: "",
            time: "2026-03-04T05:06:07Z".parse().expect("it is a time"),
            labels: &BTreeMap::new(),
            server_side: false,
        });
        let record = record.expect("the chart is right");
        let secret = record.secret("b").expect("it is small").into_value();
        let mut theirs = read_back(&secret, None)["snapshot"].clone();
        theirs
            .as_object_mut()
            .expect("it is a map")
            .retain(|_, value| !value.is_null());
        assert_eq!(snapshot(&record, None), theirs);
        assert_eq!(theirs["chartVersion"], "1.2.3+0123456789ab");
    }
}

#[test]
fn a_status_is_one_of_a_release_that_was_installed() {
    let Installed { record, .. } = installed("shop");
    let status = status(&record, "shop", 3, None);
    assert_eq!(status["history"], json!([snapshot(&record, None)]));
    assert_eq!(
        status["lastAttemptedConfigDigest"],
        status["history"][0]["configDigest"]
    );
    let message = "Helm install succeeded for release shop/web.v1 with chart web@1.2.3";
    for condition in status["conditions"].as_array().expect("it has conditions") {
        assert_eq!(
            (&condition["message"], &condition["observedGeneration"]),
            (&message.into(), &3.into())
        );
    }
}

/// helm-controller's `mutateChartWithSourceRevision`.
#[test]
fn the_version_of_a_chart_names_its_artifact() {
    let sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    for (version, revision, expected) in [
        ("1.2.3", format!("1.2.3@sha256:{sum}"), "1.2.3+0123456789ab"),
        ("1.2.3+x", format!("1.2.3_x@sha256:{sum}"), "1.2.3+0123456789ab"),
        ("v1.2.3", format!("sha256:{sum}"), "1.2.3+0123456789ab"),
    ] {
        let found = version_of_artifact(version, &revision).expect("they fit");
        assert_eq!(found, (expected.to_owned(), format!("sha256:{sum}")), "{revision}");
    }
    for revision in [
        format!("1.2.4@sha256:{sum}"),
        format!("latest@sha256:{sum}:x"),
        "sha256:abc".to_owned(),
    ] {
        assert!(version_of_artifact("1.2.3", &revision).is_err(), "{revision}");
    }
}

#[test]
fn a_record_that_is_too_large_is_refused() {
    // Not to be packed any smaller.
    let mut noise = Vec::new();
    let mut state = 1_u64;
    while noise.len() < 2 << 20 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        noise.extend_from_slice(&state.to_le_bytes()[2..]);
    }
    let files = Files(BTreeMap::from([
        ("Chart.yaml".to_owned(), ABOUT.into()),
        ("big".to_owned(), noise),
    ]));
    let release = Release {
        name: "web",
        namespace: "shop",
        files: &files,
        chart_version: None,
        values: &Values::new(),
        documents: &[],
        notes: "",
        time: "2026-03-04T05:06:07Z".parse().expect("it is a time"),
        labels: &BTreeMap::new(),
        server_side: true,
    };
    let record = Record::new(&release).expect("the chart is right");
    let error = record.secret("shop").expect_err("it is too large");
    assert!(
        error.starts_with("the record of the release web has ") && error.ends_with("a Secret holds 1024 at most"),
        "{error}"
    );
}

/// Where an object of the chart is served.
fn path(namespace: &str, object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let plural = format!("{}s", text("/kind").to_lowercase());
    let group = match text("/apiVersion") {
        "v1" => "/api/v1".to_owned(),
        version => format!("/apis/{version}"),
    };
    format!("{group}/namespaces/{namespace}/{plural}/{}", text("/metadata/name"))
}

/// Installs what Helm would have: the objects, applied as Helm applies them, and the record.
fn install(plane: &Plane, namespace: &str, installed: &Installed) -> Vec<String> {
    let api = plane.api();
    let made = wait(api.create(
        "/api/v1/namespaces",
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
    ));
    assert!(made.expect("it answers").is_success());
    let mut paths = Vec::new();
    for document in &installed.documents {
        let mut object = kube_yaml::parse_one(document.text.as_bytes())
            .value
            .expect("Helm writes YAML");
        let is_hook = object["metadata"]["annotations"]["helm.sh/hook"].is_string();
        if is_hook || document.path.starts_with("web/crds/") {
            continue;
        }
        object["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm".into();
        object["metadata"]["annotations"]["meta.helm.sh/release-name"] = "web".into();
        object["metadata"]["annotations"]["meta.helm.sh/release-namespace"] = namespace.into();
        let path = path(namespace, &object);
        let address = format!("{path}?fieldManager=helm&force=true");
        let applied = wait(api.request("PATCH", &address, "application/apply-patch+yaml", Some(&object)));
        let applied = applied.expect("it answers");
        assert!(applied.is_success(), "{}", applied.message());
        paths.push(path);
    }
    let secret = installed.record.secret(namespace).expect("it is small").into_value();
    let made = wait(api.create(&format!("/api/v1/namespaces/{namespace}/secrets"), &secret)).expect("it answers");
    assert!(made.is_success(), "{}", made.message());
    paths
}

fn versions(plane: &Plane, paths: &[String]) -> Vec<(String, Value, Value)> {
    let read = |path: &String| {
        let found = wait(plane.api().get(path)).expect("it answers").body;
        let metadata = &found["metadata"];
        (path.clone(), metadata["uid"].clone(), metadata["generation"].clone())
    };
    paths.iter().map(read).collect()
}

fn works_with(version: &str, namespace: &str) {
    let plane = shared();
    let installed = installed(namespace);
    let paths = install(plane, namespace, &installed);
    assert_eq!(paths.len(), 2, "{paths:?}");
    let kubeconfig = plane.kubeconfig();
    let helm = |args: &[&str]| {
        let all: Vec<&str> = args
            .iter()
            .copied()
            .chain(["--kubeconfig", &kubeconfig, "--namespace", namespace])
            .collect();
        helm(version, &all).unwrap_or_else(|error| panic!("{args:?}: {error}"))
    };
    let json = |text: String| -> Value { serde_json::from_str(&text).expect("it is JSON") };
    let listed = json(helm(&["list", "--output", "json"]));
    let expected = json!({"name": "web", "namespace": namespace, "revision": "1", "status": "deployed", "chart": "web-1.2.3", "app_version": "7"});
    for (key, value) in expected.as_object().expect("it is a map") {
        assert_eq!(&listed[0][key], value, "{key}");
    }
    assert_eq!(
        json(helm(&["get", "values", "web", "--output", "json"])),
        Value::Object(values())
    );
    assert!(helm(&["get", "notes", "web"]).contains("Hello from web"));
    let manifest = helm(&["get", "manifest", "web"]);
    assert!(manifest.contains("# Source: web/templates/objects.yaml") && !manifest.contains("things.example.com"));
    let hooks = helm(&["get", "hooks", "web"]);
    assert!(
        ["web-before", "web-test", "web-later"]
            .into_iter()
            .all(|name| hooks.contains(name)),
        "{hooks}"
    );
    let shown = helm(&["status", "web"]);
    assert!(
        shown.contains("STATUS: deployed") && shown.contains("DESCRIPTION: Install complete")
            || shown.contains("Install complete")
            || shown.contains("REVISION: 1"),
        "{shown}"
    );

    let before = versions(plane, &paths);
    let resource_versions = |plane: &Plane| -> Vec<Value> {
        paths
            .iter()
            .map(|path| wait(plane.api().get(path)).expect("it answers").body["metadata"]["managedFields"].clone())
            .collect()
    };
    let managed = resource_versions(plane);
    let (chart, file) = (
        installed.folder.path().join("web"),
        installed.folder.path().join("values.yaml"),
    );
    let (chart, file) = (chart.display().to_string(), file.display().to_string());
    helm(&["upgrade", "web", &chart, "--values", &file]);
    assert_eq!(json(helm(&["list", "--output", "json"]))[0]["revision"], "2");
    assert_eq!(
        versions(plane, &paths),
        before,
        "an upgrade to the same changes nothing"
    );
    let declared = |all: &[Value]| -> Vec<Value> {
        let entries = all.iter().flat_map(|entries| entries.as_array().into_iter().flatten());
        let of_helm = entries.filter(|entry| entry["subresource"].is_null());
        of_helm
            .map(|entry| json!([entry["manager"], entry["operation"], entry["time"]]))
            .collect()
    };
    assert_eq!(
        declared(&resource_versions(plane)),
        declared(&managed),
        "nor who manages what"
    );

    helm(&["upgrade", "web", &chart, "--values", &file, "--set", "replicas=3"]);
    let replicas = |plane: &Plane| {
        wait(
            plane
                .api()
                .get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/web")),
        )
        .expect("it answers")
        .body["spec"]["replicas"]
            .clone()
    };
    assert_eq!(replicas(plane), 3);
    if version == "helm" {
        // As the record says, on the server's side: nobody else owns what Helm changed.
        let deployment = wait(plane.api().get(&paths[1])).expect("it answers").body;
        let entries = deployment["metadata"]["managedFields"].as_array().into_iter().flatten();
        let of_helm: Vec<&Value> = entries.filter(|entry| entry["manager"] == "helm").collect();
        assert!(
            of_helm.iter().all(|entry| entry["operation"] == "Apply") && !of_helm.is_empty(),
            "{of_helm:?}"
        );
    }
    helm(&["rollback", "web", "1"]);
    assert_eq!(replicas(plane), 2);
    assert_eq!(json(helm(&["list", "--output", "json"]))[0]["revision"], "4");
    helm(&["uninstall", "web"]);
    for path in &paths {
        assert_eq!(wait(plane.api().get(path)).expect("it answers").status, 404, "{path}");
    }
}

#[test]
fn helm_4_takes_over_a_release() {
    works_with("helm", "taken-over-by-4");
}

#[test]
fn helm_3_takes_over_a_release() {
    works_with("helm3", "taken-over-by-3");
}
