//! SealedSecrets: there and back, and against values that `kubeseal` sealed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sops::sealed::{Certificate, Scope, SealedError, SealedValueErrorKind, SealingKeys};

use crate::support::key;

/// `ssh-keygen -l` of the key in `keys/sealing.key`.
const FINGERPRINT: &str = "SHA256:NlvajzWk3UyTozbCP54o0kpznA2JoOq/Y5xrQ7r0kUE";

fn certificate() -> Certificate {
    Certificate::read(key("sealing.crt").as_bytes()).expect("it is a certificate")
}

fn keys(names: &[&str]) -> SealingKeys {
    let mut keys = SealingKeys::new();
    for name in names {
        keys.add(key(name).as_bytes()).expect("it is a key");
    }
    keys
}

fn secret() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/basic-auth",
        "immutable": true,
        "metadata": {
            "name": "login",
            "namespace": "shop",
            "uid": "5f0e",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"app": "shop"},
            "annotations": {
                "note": "kept",
                "kubectl.kubernetes.io/last-applied-configuration": "{\"data\": \"canary\"}",
            },
        },
        "data": {"username": "Y2FuYXJ5", "binary": "AP8=", "password": "bG9zZXM="},
        "stringData": {"password": "wins"},
    })
}

#[test]
fn a_secret_there_and_back() {
    for scope in [Scope::Strict, Scope::NamespaceWide, Scope::ClusterWide] {
        let sealed = certificate().seal(&secret(), Some(scope)).expect("it can be sealed");
        assert_eq!(Scope::of(&sealed), scope);
        assert_eq!(sealed["kind"], "SealedSecret");
        assert!(
            !sealed.to_string().contains("canary") && !sealed.to_string().contains("Y2FuYXJ5"),
            "{sealed}"
        );
        let template = &sealed["spec"]["template"];
        assert_eq!(template["type"], "kubernetes.io/basic-auth");
        assert_eq!(template["metadata"]["annotations"]["note"], "kept");
        assert_eq!(template["metadata"]["uid"], Value::Null);
        let unsealed = keys(&["sealing-other.key", "sealing.key"])
            .unseal(&sealed)
            .expect("the key is there");
        assert!(!format!("{unsealed:?}").contains("wins"), "{unsealed:?}");
        let manifest = unsealed.manifest();
        assert_eq!(
            manifest["data"],
            json!({"binary": "AP8=", "password": "d2lucw==", "username": "Y2FuYXJ5"})
        );
        assert_eq!(manifest["metadata"]["labels"], json!({"app": "shop"}));
        assert_eq!(manifest["immutable"], true);
        assert_eq!(
            (&manifest["metadata"]["name"], &manifest["metadata"]["namespace"]),
            (&json!("login"), &json!("shop"))
        );
    }
}

/// `golden/sealed` was made with `kubeseal --cert keys/sealing.crt --scope SCOPE` of v0.27.3.
#[test]
fn what_kubeseal_sealed() {
    for (name, scope) in [
        ("strict", Scope::Strict),
        ("namespace-wide", Scope::NamespaceWide),
        ("cluster-wide", Scope::ClusterWide),
    ] {
        let document = kube_yaml::parse(&crate::golden::golden(&format!("sealed/{name}.yaml"))).remove(0);
        let theirs = document.value.expect("it is YAML");
        assert_eq!(Scope::of(&theirs), scope);
        let manifest = keys(&["sealing.key"])
            .unseal(&theirs)
            .expect("the key is there")
            .manifest();
        assert_eq!(
            manifest["data"],
            json!({"binary": "AP8=", "password": "d2lucw==", "username": "Y2FuYXJ5"}),
            "{name}"
        );
        assert_eq!(manifest["metadata"]["labels"], json!({"app": "x"}));
        assert_eq!(manifest["metadata"]["annotations"]["note"], "kept");
        // Sealed again it has the same shape, but for what no server has set yet.
        let mut ours = certificate().seal(&manifest, Some(scope)).expect("it can be sealed");
        let mut theirs = theirs;
        for object in [&mut ours, &mut theirs] {
            for value in object["spec"]["encryptedData"]
                .as_object_mut()
                .expect("a map")
                .values_mut()
            {
                *value = Value::Null;
            }
        }
        for place in ["/metadata", "/spec/template/metadata"] {
            let metadata = theirs.pointer_mut(place).and_then(Value::as_object_mut);
            metadata.expect("it has one").remove("creationTimestamp");
        }
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn a_scope_binds() {
    let at = |mut sealed: Value, field: &str, text: &str| {
        sealed["metadata"][field] = json!(text);
        keys(&["sealing.key"]).unseal(&sealed)
    };
    let sealed = |scope| certificate().seal(&secret(), Some(scope)).expect("it can be sealed");
    assert!(at(sealed(Scope::Strict), "name", "other").is_err());
    assert!(at(sealed(Scope::Strict), "namespace", "other").is_err());
    assert!(at(sealed(Scope::NamespaceWide), "name", "other").is_ok());
    assert!(at(sealed(Scope::NamespaceWide), "namespace", "other").is_err());
    let elsewhere = at(sealed(Scope::ClusterWide), "namespace", "other").expect("it is bound to nothing");
    assert_eq!(elsewhere.secret["metadata"]["namespace"], "other");
    let mut annotated = sealed(Scope::Strict);
    annotated["metadata"]["annotations"] = json!({"sealedsecrets.bitnami.com/cluster-wide": "true"});
    assert!(keys(&["sealing.key"]).unseal(&annotated).is_err());
}

#[test]
fn the_key_that_is_missing_is_told_as_far_as_it_can_be() {
    let sealed = certificate().seal(&secret(), None).expect("it can be sealed");
    let other = keys(&["sealing-other.key"]);
    let error = other.unseal(&sealed).expect_err("another key");
    match &error {
        SealedError::Values(errors) => {
            assert_eq!(errors.len(), 3);
            let kind = SealedValueErrorKind::NoKey {
                bits: 2048,
                tried: other.fingerprints(),
            };
            assert!(errors.iter().all(|error| error.kind == kind));
        }
        other => panic!("{other:?}"),
    }
    assert!(error.to_string().contains("RSA key of 2048 bits"), "{error}");
    let error = SealingKeys::new().unseal(&sealed).expect_err("no key");
    assert!(error.to_string().contains("there is no key of this size"), "{error}");
}

#[test]
fn values_that_were_changed() {
    let sealed = certificate().seal(&secret(), None).expect("it can be sealed");
    let kind = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = STANDARD
            .decode(sealed["spec"]["encryptedData"]["password"].as_str().unwrap())
            .unwrap();
        change(&mut bytes);
        let mut changed = sealed.clone();
        changed["spec"]["encryptedData"]["password"] = json!(STANDARD.encode(bytes));
        match keys(&["sealing.key"]).unseal(&changed) {
            Err(SealedError::Values(errors)) => errors.into_iter().map(|error| error.kind).next(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        kind(&|bytes| *bytes.last_mut().unwrap() ^= 1),
        Some(SealedValueErrorKind::Tampered)
    );
    assert!(matches!(
        kind(&|bytes| bytes[10] ^= 1),
        Some(SealedValueErrorKind::NoKey { .. })
    ));
    for length in [0, 1, 2, 100, 258, 270] {
        assert_eq!(
            kind(&|bytes| bytes.truncate(length)),
            Some(SealedValueErrorKind::Form),
            "{length}"
        );
    }
    assert!(matches!(
        kind(&|bytes| bytes[0] = 0),
        Some(SealedValueErrorKind::NoKey { .. } | SealedValueErrorKind::Form)
    ));
}

#[test]
fn what_the_template_adds() {
    let mut sealed = certificate().seal(&secret(), None).expect("it can be sealed");
    sealed["spec"]["template"]["data"] = json!({"plain": "text", "username": null, "password": "not taken"});
    let unsealed = keys(&["sealing.key"]).unseal(&sealed).expect("the key is there");
    let found: Vec<(&str, &str)> = unsealed
        .data
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str().unwrap_or("bytes")))
        .collect();
    assert_eq!(found, [("binary", "bytes"), ("password", "wins"), ("plain", "text")]);
    sealed["spec"]["template"]["data"]["url"] = json!("http://{{ .password }}");
    let error = keys(&["sealing.key"]).unseal(&sealed).expect_err("a template");
    assert!(
        error.to_string().starts_with("spec.template.data.url: a Go template"),
        "{error}"
    );
}

#[test]
fn keys_from_a_backup() {
    let pem = key("sealing.key");
    let backup = |created: &str, name: &str, pem: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": name, "creationTimestamp": created, "labels": {"sealedsecrets.bitnami.com/sealed-secrets-key": "active"}},
            "data": {"tls.key": STANDARD.encode(pem), "tls.crt": "AA=="},
        })
    };
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        backup("2025-01-01T00:00:00Z", "old", &key("sealing-other.key")),
        backup("2026-01-01T00:00:00Z", "new", &pem),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}},
    ]});
    let mut keys = SealingKeys::new();
    keys.add(list.to_string().as_bytes()).expect("it is a backup");
    assert_eq!(keys.fingerprints().len(), 2);
    assert_eq!(keys.fingerprints()[0], FINGERPRINT, "the newest first");
    assert_eq!(certificate().fingerprint(), FINGERPRINT);
    let yaml = "# backup\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: one\nstringData:\n  tls.key: |\n"
        .to_owned()
        + &pem.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let mut one = SealingKeys::new();
    one.add(yaml.as_bytes()).expect("it is a backup");
    assert_eq!(one.fingerprints(), [FINGERPRINT]);
    for (wrong, said) in [
        ("", "no private key"),
        ("kind: ConfigMap\n", "no private key"),
        (
            "kind: Secret\nmetadata: {name: x}\ndata: {tls.key: \"*\"}\n",
            "Secret x: ",
        ),
        (
            "kind: Secret\nmetadata: {name: x}\ndata: {tls.key: Y2FuYXJ5}\n",
            "Secret x: ",
        ),
        ("-----BEGIN RSA PRIVATE KEY-----\ncanary\n", "not a private key"),
        (&pem[..500], "not a private key"),
        ("a: [canary\n", "line"),
    ] {
        let error = keys.add(wrong.as_bytes()).expect_err("it is no key").to_string();
        assert!(error.contains(said) && !error.contains("canary"), "{error}");
    }
    assert_eq!(keys.fingerprints().len(), 2);
    for wrong in [
        "",
        "canary",
        "-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n",
        &pem,
    ] {
        let error = Certificate::read(wrong.as_bytes())
            .expect_err("it is no certificate")
            .to_string();
        assert!(
            error.starts_with("sealing certificate: ") && !error.contains("canary"),
            "{error}"
        );
    }
}

#[test]
fn what_is_no_secret() {
    let seal = |secret: Value| {
        certificate()
            .seal(&secret, None)
            .expect_err("it cannot be sealed")
            .to_string()
    };
    assert!(seal(json!({"kind": "ConfigMap"})).starts_with("kind: "));
    assert!(
        seal(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}))
            .starts_with("metadata.namespace: ")
    );
    let error = seal(
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "b"}, "data": {"k": "canary!"}}),
    );
    assert!(error.starts_with("data.k: ") && !error.contains("canary"), "{error}");
    let unseal = |sealed: Value| {
        keys(&["sealing.key"])
            .unseal(&sealed)
            .expect_err("it cannot be unsealed")
            .to_string()
    };
    assert!(unseal(json!({"kind": "Secret"})).starts_with("kind: "));
    let metadata = json!({"name": "a", "namespace": "b"});
    assert!(
        unseal(json!({"kind": "SealedSecret", "metadata": metadata, "spec": {"data": "AAAA"}}))
            .starts_with("spec.data: ")
    );
    assert!(
        unseal(json!({"kind": "SealedSecret", "metadata": metadata, "spec": {"encryptedData": []}}))
            .starts_with("spec.encryptedData: ")
    );
}
