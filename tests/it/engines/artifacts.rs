//! Sources of Flux that lie in registries and buckets.

use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use refloat::declared::helm::{Charts, Configuration};
use refloat::declared::{Known, Options};
use refloat::object::ObjectId;
use serde_json::json;

use super::{kustomization, load_with, objects, problems};
use crate::charts::registries::{FLUX_LAYER, Held};
use crate::support::repo::Repo;

const CANARY: &str = "canary-0c1b";

/// A folder, packed as `flux push artifact` packs it.
fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, text.as_bytes())
            .expect("memory takes it");
    }
    tar.into_inner().and_then(GzEncoder::finish).expect("memory takes it")
}

fn map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\n")
}

fn of_source(name: &str, kind: &str, path: &str) -> String {
    kustomization(name, path, "").replace(
        "sourceRef: {kind: GitRepository, name: flux-system}",
        &format!("sourceRef: {{kind: {kind}, name: {name}}}"),
    )
}

fn source(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: flux-system}}\nspec: {spec}\n"
    )
}

fn options(cache: &std::path::Path) -> Options {
    let configuration = Configuration::from_environment(|_| None);
    Options {
        charts: Arc::new(Charts::new(Some(cache.to_owned()), Vec::new(), configuration, false)),
        ..Options::default()
    }
}

#[test]
fn an_artifact_in_a_registry_is_unpacked_as_its_controller_does() {
    let mut held = Held::default();
    let files = [
        ("apps/web.yaml", &*map("web")),
        ("apps/left.yaml", &map("left")),
        ("apps/.sourceignore", "ignored.yaml\n"),
        ("apps/ignored.yaml", &map("ignored")),
        ("README.md", "no manifest"),
    ];
    held.artifact("flux/shop", "1.4.0", FLUX_LAYER, &packed(&files));
    let digest = held.artifact("flux/broken", "latest", FLUX_LAYER, b"<html>");
    let web = held.served();
    let at = |name: &str, more: &str| {
        let layer = format!("layerSelector: {{mediaType: {FLUX_LAYER}, operation: extract}}");
        let spec = format!(
            "{{interval: 1m, insecure: true, url: 'oci://{}/flux/{name}', {layer}{more}}}",
            web.host()
        );
        source("OCIRepository", name, &spec)
    };
    let repo = Repo::with(&[
        ("clusters/a/shop.yaml", &of_source("shop", "OCIRepository", "./apps")),
        (
            "clusters/a/source.yaml",
            &at("shop", ", ref: {tag: 1.4.0}, ignore: '/apps/left.yaml'"),
        ),
        ("clusters/a/broken.yaml", &of_source("broken", "OCIRepository", "./")),
        ("clusters/a/broken-source.yaml", &at("broken", "")),
        ("clusters/a/gone.yaml", &of_source("gone", "OCIRepository", "./")),
        ("clusters/a/gone-source.yaml", &at("gone", "")),
        ("clusters/a/locked.yaml", &of_source("locked", "OCIRepository", "./")),
        (
            "clusters/a/locked-source.yaml",
            &at("locked", ", secretRef: {name: login}"),
        ),
    ]);
    let cache = tempfile::tempdir().expect("because a temporary folder can be made");
    let set = load_with(&repo, "clusters/a", options(cache.path()));
    let found = objects(&set);
    let of_maps: Vec<&String> = found.keys().filter(|id| id.starts_with("ConfigMap/")).collect();
    assert_eq!(of_maps, ["ConfigMap/shop/web"]);
    let labels = &found["ConfigMap/shop/web"]["metadata"]["labels"];
    assert_eq!(labels["kustomize.toolkit.fluxcd.io/name"], "shop");
    let one = set.objects.iter().find(|one| one.id.kind == "ConfigMap");
    let place = one.expect("because it was found").provenance.place().to_string();
    assert_eq!(place, "OCIRepository/flux-system/shop:apps/web.yaml:1");
    let told: Vec<String> = problems(&set)
        .iter()
        .map(|one| one.replace(web.host(), "registry").replace(&digest, "DIGEST"))
        .collect();
    let nothing = |name: &str, why: &str| {
        format!(
            "clusters/a/{name}.yaml:1: Kustomization/flux-system/{name}: nothing of this Kustomization is restored: {why}"
        )
    };
    assert_eq!(
        told,
        [
            nothing(
                "broken",
                "OCIRepository/flux-system/broken could not be read: the artifact latest@DIGEST cannot be unpacked: it is no gzip archive"
            ),
            nothing(
                "gone",
                "OCIRepository/flux-system/gone could not be read: the artifact oci://registry/flux/gone is not at hand: http://registry/v2/flux/gone/manifests/latest answered 404: there is no such thing, or it is hidden from who asks"
            ),
            nothing(
                "locked",
                "its source is asked with Secret/flux-system/login, which is neither declared nor in the cluster"
            ),
        ]
    );
    // Every source is restored all the same, and waits for nobody.
    assert!(
        found.contains_key("OCIRepository/flux-system/gone"),
        "{:?}",
        found.keys()
    );
}

#[test]
fn what_lies_elsewhere_can_be_given() {
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    std::fs::create_dir(folder.path().join("apps")).expect("because the folder is ours");
    std::fs::write(folder.path().join("apps/web.yaml"), map("web")).expect("because the folder is ours");
    for (kind, spec) in [
        ("OCIRepository", "{url: 'oci://127.0.0.1:1/flux/shop'}"),
        ("Bucket", "{endpoint: minio.example.com, bucketName: shop}"),
    ] {
        let repo = Repo::with(&[
            ("clusters/a/shop.yaml", &of_source("shop", kind, "./apps")),
            ("clusters/a/source.yaml", &source(kind, "shop", spec)),
        ]);
        let cache = tempfile::tempdir().expect("because a temporary folder can be made");
        let without = load_with(&repo, "clusters/a", options(cache.path()));
        assert_eq!(without.problems.len(), 1, "{kind}: {:?}", problems(&without));
        let hint = without.problems[0].hint.clone().unwrap_or_default();
        assert!(hint.ends_with("with --source flux-system/shop=PATH"), "{kind}: {hint}");
        let mut given = options(cache.path());
        let key = ("flux-system".to_owned(), "shop".to_owned());
        given.sources.insert(key, folder.path().display().to_string());
        let set = load_with(&repo, "clusters/a", given);
        assert_eq!(problems(&set), Vec::<String>::new(), "{kind}");
        assert!(objects(&set).contains_key("ConfigMap/shop/web"), "{kind}");
    }
}

#[test]
fn a_registry_is_asked_with_the_secret_of_its_source() {
    let mut held = Held::default();
    held.artifact("flux/shop", "latest", FLUX_LAYER, &packed(&[("web.yaml", &map("web"))]));
    let web = held.guarded("robot", CANARY);
    let spec = format!(
        "{{insecure: true, url: 'oci://{}/flux/shop', layerSelector: {{mediaType: {FLUX_LAYER}}}, secretRef: {{name: login}}}}",
        web.host()
    );
    let repo = Repo::with(&[
        ("clusters/a/shop.yaml", &of_source("shop", "OCIRepository", "./")),
        ("clusters/a/source.yaml", &source("OCIRepository", "shop", &spec)),
    ]);
    let cache = tempfile::tempdir().expect("because a temporary folder can be made");
    let login = ObjectId::new("", "Secret", Some("flux-system"), "login");
    let secret = |password: &str| {
        let config = json!({"auths": {web.host(): {"username": "robot", "password": password}}}).to_string();
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": "login", "namespace": "flux-system"}, "stringData": {".dockerconfigjson": config},
        })
    };
    let with = |password: Option<&str>| {
        let inputs = password.map(|password| (login.clone(), Some(secret(password))));
        let inputs: Known = inputs.into_iter().collect();
        load_with(
            &repo,
            "clusters/a",
            Options {
                inputs,
                ..options(cache.path())
            },
        )
    };
    let set = with(Some(CANARY));
    assert_eq!(problems(&set), Vec::<String>::new());
    assert!(objects(&set).contains_key("ConfigMap/shop/web"));
    let set = with(None);
    assert_eq!(set.wanted, std::slice::from_ref(&login));
    assert!(
        problems(&set)[0].contains("its source is asked with Secret/flux-system/login"),
        "{:?}",
        problems(&set)
    );
    let told = with(Some("canary-wrong")).problems[0].to_string();
    assert!(told.contains("401") && !told.contains("canary"), "{told}");
}
