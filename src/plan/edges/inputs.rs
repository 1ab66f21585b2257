//! Secrets and ConfigMaps that engines read beside Git: credentials of sources, keys, variables, values.

use serde_json::Value;

use super::super::index::Index;
use super::super::item::text;
use super::Sink;
use crate::object::ObjectId;

/// Group, kind, and where names stand: a map with `name`, or a list of such.
type Row = (&'static str, &'static str, &'static [&'static str]);

/// Source: the API types of Flux's controllers (source-controller `api/v1`, kustomize-controller `api/v1`, helm-controller `api/v2`,
/// notification-controller `api/v1beta3`, image-reflector-controller `api/v1`).
pub(crate) const READS: &[Row] = &[
    (
        "source.toolkit.fluxcd.io",
        "GitRepository",
        &["/spec/secretRef", "/spec/verify/secretRef", "/spec/proxySecretRef"],
    ),
    (
        "source.toolkit.fluxcd.io",
        "OCIRepository",
        &[
            "/spec/secretRef",
            "/spec/certSecretRef",
            "/spec/verify/secretRef",
            "/spec/proxySecretRef",
        ],
    ),
    (
        "source.toolkit.fluxcd.io",
        "HelmRepository",
        &["/spec/secretRef", "/spec/certSecretRef"],
    ),
    ("source.toolkit.fluxcd.io", "HelmChart", &["/spec/verify/secretRef"]),
    (
        "source.toolkit.fluxcd.io",
        "Bucket",
        &[
            "/spec/secretRef",
            "/spec/certSecretRef",
            "/spec/sts/secretRef",
            "/spec/proxySecretRef",
        ],
    ),
    (
        "kustomize.toolkit.fluxcd.io",
        "Kustomization",
        &[
            "/spec/decryption/secretRef",
            "/spec/postBuild/substituteFrom",
            "/spec/kubeConfig/secretRef",
        ],
    ),
    (
        "helm.toolkit.fluxcd.io",
        "HelmRelease",
        &[
            "/spec/valuesFrom",
            "/spec/chart/spec/verify/secretRef",
            "/spec/kubeConfig/secretRef",
        ],
    ),
    (
        "notification.toolkit.fluxcd.io",
        "Provider",
        &["/spec/secretRef", "/spec/certSecretRef"],
    ),
    ("notification.toolkit.fluxcd.io", "Receiver", &["/spec/secretRef"]),
    (
        "image.toolkit.fluxcd.io",
        "ImageRepository",
        &["/spec/secretRef", "/spec/certSecretRef"],
    ),
];

pub(super) fn inputs(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    let Some((_, _, pointers)) = READS.iter().find(|(group, kind, _)| item.is(group, kind)) else {
        return;
    };
    for found in pointers.iter().filter_map(|pointer| item.at(pointer)) {
        let all = match found {
            Value::Array(all) => all.as_slice(),
            one => std::slice::from_ref(one),
        };
        for one in all.iter().filter(|one| one["optional"] != true) {
            let kind = match text(one, "/kind") {
                "" => "Secret",
                kind => kind,
            };
            let (namespace, name) = (item.namespace(), text(one, "/name"));
            // Whoever makes the item looks after its order. That something is not there at all is told all the same.
            let is_there = index.get(&ObjectId::new("", kind, namespace, name)).is_some();
            if item.left_to.is_none() || !is_there {
                sink.need("", kind, namespace, name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::testing::{edges, planned};

    /// What has a name at a pointer.
    fn object(group: &str, kind: &str, pointer: &str, found: Value) -> Value {
        let inner = pointer
            .rsplit('/')
            .filter(|key| !key.is_empty())
            .fold(found, |inner, key| json!({key: inner}));
        let mut object =
            json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": "x", "namespace": "flux"}});
        object["spec"] = inner["spec"].clone();
        object
    }

    #[test]
    fn every_place_is_looked_at() {
        for (group, kind, pointers) in READS {
            for pointer in *pointers {
                let secret = |name: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "flux"}});
                let named = |name: &str| match pointer.ends_with("From") {
                    true => {
                        json!([{"kind": "Secret", "name": name}, {"kind": "Secret", "name": "other", "optional": true}])
                    }
                    false => json!({"name": name}),
                };
                let reader = format!("{kind}/flux/x");
                let plan = planned(vec![
                    object(group, kind, pointer, named("s")),
                    secret("s"),
                    secret("other"),
                ]);
                let found = edges(&plan);
                let of_row: Vec<_> = found.iter().filter(|(_, _, rule)| *rule == "engine-input").collect();
                assert_eq!(
                    of_row,
                    [&(reader.clone(), "Secret/flux/s".to_owned(), "engine-input")],
                    "{pointer}"
                );
                let plan = planned(vec![object(group, kind, pointer, named("gone"))]);
                let told = plan
                    .notes
                    .iter()
                    .find(|note| note.object.as_ref().is_some_and(|id| id.name == "gone"));
                assert_eq!(
                    told.map(|note| &*note.message),
                    Some(&*format!(
                        "read for {reader}, declared by nobody and not in the cluster"
                    )),
                    "{pointer}"
                );
            }
        }
    }
}
