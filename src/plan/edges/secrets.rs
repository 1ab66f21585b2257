//! Secrets that others make: certificates, external secrets, sealed secrets.

use serde_json::Value;

use super::super::index::Index;
use super::super::item::{Content, Item, text};
use super::Sink;
use crate::object::ObjectId;

/// What makes Secrets: group, kind, and where their names stand; the first pointer that is there counts.
pub(crate) const MAKERS: &[(&str, &str, &[&str])] = &[
    ("cert-manager.io", "Certificate", &["/spec/secretName"]),
    ("certmanager.k8s.io", "Certificate", &["/spec/secretName"]),
    (
        "external-secrets.io",
        "ExternalSecret",
        &["/spec/target/name", "/metadata/name"],
    ),
    ("kubernetes-client.io", "ExternalSecret", &["/metadata/name"]),
    (
        "bitnami.com",
        "SealedSecret",
        &["/spec/template/metadata/name", "/metadata/name"],
    ),
    (
        "secrets.hashicorp.com",
        "VaultDynamicSecret",
        &["/spec/destination/name"],
    ),
    ("secrets.hashicorp.com", "VaultPKISecret", &["/spec/destination/name"]),
    (
        "secrets.hashicorp.com",
        "VaultStaticSecret",
        &["/spec/destination/name"],
    ),
    (
        "secrets.infisical.com",
        "InfisicalSecret",
        &["/spec/managedSecretReference/secretName"],
    ),
    ("onepassword.com", "OnePasswordItem", &["/metadata/name"]),
    ("ricoberger.de", "VaultSecret", &["/metadata/name"]),
    ("k8s.bitwarden.com", "BitwardenSecret", &["/spec/secretName"]),
    ("spv.no", "AzureKeyVaultSecret", &["/spec/output/secret/name"]),
];

/// The Secrets that an item makes. An Ingress makes one where cert-manager is asked to by annotation.
pub(crate) fn made_by(item: &Item<'_>) -> Vec<ObjectId> {
    let secret = |name: &str| ObjectId::new("", "Secret", item.namespace(), name);
    if item.is("networking.k8s.io", "Ingress") {
        let asked = [
            "cert-manager.io/issuer",
            "cert-manager.io/cluster-issuer",
            "kubernetes.io/tls-acme",
        ];
        if !asked.into_iter().any(|key| item.annotation(key).is_some()) {
            return Vec::new();
        }
        let names = item.list("/spec/tls").iter().map(|tls| text(tls, "/secretName"));
        return names.filter(|name| !name.is_empty()).map(secret).collect();
    }
    let Some((_, _, pointers)) = (MAKERS.iter()).find(|(group, kind, _)| item.is(group, kind)) else {
        return Vec::new();
    };
    if item.text("/spec/target/creationPolicy") == "None" {
        return Vec::new();
    }
    (pointers.iter())
        .map(|pointer| item.text(pointer))
        .find(|name| !name.is_empty())
        .map(secret)
        .into_iter()
        .collect()
}

pub(super) fn maker(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    if let Content::MadeBy(maker) = &index.item(node).content
        && let Some(maker) = index.get(maker)
    {
        sink.wait(maker);
    }
}

/// By which a controller of SealedSecrets knows its keys.
const SEALING_KEY: &str = "sealedsecrets.bitnami.com/sealed-secrets-key";

/// Whether an item is such a key.
pub(crate) fn is_sealing_key(item: &Item<'_>) -> bool {
    let labels = item.at("/metadata/labels");
    item.is("", "Secret") && labels.is_some_and(|labels| labels.get(SEALING_KEY).is_some())
}

/// A controller looks for its keys once, when it starts.
pub(super) fn sealing_key(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if !is_sealing_key(item) {
        return;
    }
    let runs_it = |other: &u32| {
        let workload = index.item(*other);
        let image = |container: &Value| {
            let image = text(container, "/image");
            image
                .rsplit('/')
                .next()
                .is_some_and(|name| name.starts_with("sealed-secrets-controller"))
        };
        workload.namespace() == item.namespace() && workload.list("/spec/template/spec/containers").iter().any(image)
    };
    let controllers: Vec<u32> = index
        .of_kind("apps", "Deployment")
        .iter()
        .copied()
        .filter(runs_it)
        .collect();
    sink.precede(&controllers);
}

pub(super) fn token_account(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if item.is("", "Secret")
        && item.text("/type") == "kubernetes.io/service-account-token"
        && let Some(account) = item.annotation("kubernetes.io/service-account.name")
    {
        if account == "default" {
            sink.like("", "ServiceAccount", item.namespace(), account);
        } else {
            sink.need("", "ServiceAccount", item.namespace(), account);
        }
    }
}

const CERT_MANAGER: &str = "cert-manager.io";

pub(super) fn issuer(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if item.is(CERT_MANAGER, "Certificate") {
        let name = item.text("/spec/issuerRef/name");
        if !matches!(item.text("/spec/issuerRef/group"), "" | CERT_MANAGER) {
            return;
        }
        match item.text("/spec/issuerRef/kind") {
            "ClusterIssuer" => sink.need(CERT_MANAGER, "ClusterIssuer", None, name),
            _ => sink.need(CERT_MANAGER, "Issuer", item.namespace(), name),
        }
    } else if item.is("networking.k8s.io", "Ingress") {
        if let Some(name) = item.annotation("cert-manager.io/cluster-issuer") {
            sink.need(CERT_MANAGER, "ClusterIssuer", None, name);
        }
        if let Some(name) = item.annotation("cert-manager.io/issuer") {
            sink.need(CERT_MANAGER, "Issuer", item.namespace(), name);
        }
    }
}

/// The CA of an issuer. cert-manager keeps the Secrets of cluster issuers in its own namespace, which the manifest does not tell.
pub(super) fn issuer_secrets(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if item.is(CERT_MANAGER, "Issuer") {
        sink.need("", "Secret", item.namespace(), item.text("/spec/ca/secretName"));
    }
}

const EXTERNAL: &str = "external-secrets.io";

pub(super) fn store(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    let mut wait = |reference: &Value| match text(reference, "/kind") {
        "ClusterSecretStore" => sink.need(EXTERNAL, "ClusterSecretStore", None, text(reference, "/name")),
        "" | "SecretStore" => sink.need(EXTERNAL, "SecretStore", item.namespace(), text(reference, "/name")),
        _ => {}
    };
    if item.is(EXTERNAL, "ExternalSecret") {
        item.at("/spec/secretStoreRef").into_iter().for_each(&mut wait);
        for entry in item.list("/spec/data").iter().chain(item.list("/spec/dataFrom")) {
            entry.pointer("/sourceRef/storeRef").into_iter().for_each(&mut wait);
        }
    } else if item.is(EXTERNAL, "PushSecret") {
        item.list("/spec/secretStoreRefs").iter().for_each(&mut wait);
    }
}

/// Secrets and ServiceAccounts named anywhere below a store's provider.
pub(super) fn credentials(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if (item.is(EXTERNAL, "SecretStore") || item.is(EXTERNAL, "ClusterSecretStore"))
        && let Some(provider) = item.at("/spec/provider")
    {
        below(provider, item.namespace(), sink);
    }
}

fn below(value: &Value, namespace: Option<&str>, sink: &mut Sink<'_, '_>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let kind = match key.to_ascii_lowercase() {
                    key if key.ends_with("secretref") => Some("Secret"),
                    key if key.ends_with("serviceaccountref") => Some("ServiceAccount"),
                    _ => None,
                };
                let namespace = match text(value, "/namespace") {
                    "" => namespace,
                    other => Some(other),
                };
                match (kind, namespace, text(value, "/name")) {
                    (Some(kind), Some(namespace), name) if !name.is_empty() => {
                        sink.need("", kind, Some(namespace), name);
                    }
                    _ => below(value, namespace, sink),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| below(value, namespace, sink)),
        _ => {}
    }
}
