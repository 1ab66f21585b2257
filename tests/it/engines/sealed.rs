//! SealedSecrets: with the backed-up key of their controller, and without.

use ::sops::sealed::Certificate;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use refloat::declared::{Options, Sealing};
use refloat::object::Writer;
use refloat::plan::{self, NoteKind, PlanOptions};
use serde_json::json;

use super::{facts, load_with, objects, problems};
use crate::support::repo::Repo;
use crate::support::run::refloat;

const CANARY: &str = "canary-5ea1";

/// Keys made for the tests of the crate.
fn file(name: &str) -> String {
    let path = format!("{}/crates/sops/tests/keys/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("because it is part of the repository")
}

/// As `kubectl get secret -o yaml` prints the backup of a key.
fn backup(key: &str) -> String {
    let object = json!({
        "apiVersion": "v1", "kind": "List", "items": [{
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {
                "name": "sealed-secrets-keyx7", "namespace": "kube-system", "uid": "0-1", "resourceVersion": "7",
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {"sealedsecrets.bitnami.com/sealed-secrets-key": "active"},
            },
            "data": {"tls.key": BASE64_STANDARD.encode(file(key)), "tls.crt": BASE64_STANDARD.encode(file("sealing.crt"))},
        }],
    });
    object.to_string()
}

fn repository() -> Repo {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": "login", "namespace": "shop"},
        "stringData": {"password": CANARY},
    });
    let certificate = Certificate::read(file("sealing.crt").as_bytes()).expect("because it is one");
    let sealed = certificate
        .seal(&secret, None)
        .expect("because it can be sealed")
        .to_string();
    assert!(!sealed.contains(CANARY));
    let controller = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: sealed-secrets, namespace: kube-system}\n\
        spec: {template: {spec: {containers: [{name: c, image: 'bitnami/sealed-secrets-controller:0.30.0'}]}}}\n";
    Repo::with(&[("a/sealed.json", &sealed), ("a/controller.yaml", controller)])
}

fn sealing(key: &str, unseal: bool) -> Options {
    let text = backup(key);
    let files = std::iter::once(("key.json", text.as_bytes()));
    Options {
        sealing: Sealing::read(files, unseal).expect("because it is a backup"),
        ..Options::default()
    }
}

#[test]
fn the_key_is_restored_before_its_controller() {
    let set = load_with(&repository(), "a", sealing("sealing.key", false));
    assert_eq!(problems(&set), Vec::<String>::new());
    let found = objects(&set);
    let key = found["Secret/kube-system/sealed-secrets-keyx7"];
    assert_eq!(
        key["metadata"],
        json!({
            "name": "sealed-secrets-keyx7", "namespace": "kube-system",
            "labels": {"sealedsecrets.bitnami.com/sealed-secrets-key": "active"},
        })
    );
    assert!(!found.contains_key("Secret/shop/login"), "its controller makes it");
    let plan = plan::build(&set, &facts(), &PlanOptions::default()).expect("because it has no ring");
    let position = |id: &str| plan.steps.iter().position(|step| step.id.to_string() == id).expect(id);
    assert!(position("Secret/kube-system/sealed-secrets-keyx7") < position("Deployment/kube-system/sealed-secrets"));
    let lost = |plan: &plan::Plan| {
        let sealed = |note: &&plan::Note| note.object.as_ref().is_some_and(|id| id.kind == "SealedSecret");
        plan.notes
            .iter()
            .filter(sealed)
            .filter(|note| note.kind == NoteKind::NotInGit)
            .count()
    };
    assert_eq!(lost(&plan), 0);
    let without = load_with(&repository(), "a", Options::default());
    let plan = plan::build(&without, &facts(), &PlanOptions::default()).expect("because it has no ring");
    assert_eq!(lost(&plan), 1, "{:?}", plan.notes);
}

#[test]
fn secrets_are_unsealed_where_that_is_asked_for() {
    let set = load_with(&repository(), "a", sealing("sealing.key", true));
    assert_eq!(problems(&set), Vec::<String>::new());
    let one = set.objects.iter().find(|one| one.id.to_string() == "Secret/shop/login");
    let one = one.expect("because it was sealed");
    assert_eq!(one.writer, Writer::ServerSide("refloat".to_owned()));
    let value = one.manifest.value();
    assert_eq!(value["data"], json!({"password": BASE64_STANDARD.encode(CANARY)}));
    let managed = &value["metadata"]["annotations"]["sealedsecrets.bitnami.com/managed"];
    assert_eq!(managed, "true", "so that the controller takes it over");
    assert!(objects(&set).contains_key("SealedSecret/shop/login"));
    assert!(!format!("{set:?}").contains(&BASE64_STANDARD.encode(CANARY)));
}

#[test]
fn what_the_keys_do_not_open_is_told() {
    for (unseal, told) in [
        (
            false,
            "its controller will make no Secret of it: spec.encryptedData.password: no key opens it",
        ),
        (
            true,
            "no Secret is made of this SealedSecret: spec.encryptedData.password: no key opens it",
        ),
    ] {
        let set = load_with(&repository(), "a", sealing("sealing-other.key", unseal));
        let all = problems(&set);
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(
            all[0].starts_with("a/sealed.json:1: SealedSecret/shop/login: ") && all[0].contains(told),
            "{all:?}"
        );
    }
}

#[test]
fn a_backup_without_a_key_is_refused_and_nothing_of_it_is_shown() {
    let read = |text: &str| {
        let failed = Sealing::read(std::iter::once(("key.yaml", text.as_bytes())), false);
        failed.expect_err("because there is no key in it")
    };
    let unlabelled = backup("sealing.key").replace("sealed-secrets-key\"", "other\"");
    let nowhere = backup("sealing.key").replace("\"namespace\":\"kube-system\",", "");
    let broken = format!("kind: Secret\napiVersion: v1\nmetadata: {{name: a}}\nstringData: {{tls.key: {CANARY}}}\n");
    for (text, why) in [
        (&*unlabelled, "label"),
        (&nowhere, "no namespace"),
        (
            "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n",
            "no private key",
        ),
        (&broken, "not a private key"),
    ] {
        let (file, told) = read(text);
        assert_eq!(file, "key.yaml");
        assert!(told.contains(why) && !told.contains(CANARY), "{told}");
    }
}

#[test]
fn nothing_that_was_sealed_is_printed() {
    let repo = repository();
    repo.write("key.json", &backup("sealing.key"));
    let path = repo.path().display().to_string();
    let key = repo.path().join("key.json").display().to_string();
    let args = [
        "render",
        &*path,
        "--path",
        "a",
        "--sealed-secrets-key",
        &*key,
        "--unseal",
    ];
    let hidden = [
        CANARY.to_owned(),
        BASE64_STANDARD.encode(CANARY),
        BASE64_STANDARD.encode(file("sealing.key")),
    ];
    for more in [&[][..], &["--output", "json"]] {
        let ran = refloat(args.iter().chain(more).copied()).run();
        let text = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            text.contains("sealed-secrets-keyx7") && text.contains("login"),
            "{text}"
        );
        assert!(hidden.iter().all(|one| !text.contains(&**one)), "{text}");
    }
    let without = refloat(["render", &*path, "--unseal"]).run();
    assert!(
        without.stderr.contains("--sealed-secrets-key <FILE>"),
        "{}",
        without.stderr
    );
    let missing = refloat(["render", &*path, "--sealed-secrets-key", "none.yaml"]).run();
    assert!(
        missing.stderr.contains("the sealing key in none.yaml cannot be used"),
        "{}",
        missing.stderr
    );
}
