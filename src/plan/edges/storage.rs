//! Volumes, their classes and drivers, devices.

use serde_json::Value;

use super::super::index::Index;
use super::super::item::text;
use super::Sink;

const GROUP: &str = "storage.k8s.io";

/// Names the gate that stands for many free volumes of one class.
const VOLUMES: &str = "the declared volumes of a storage class";

/// A claim's spec says its class, "" for none, or nothing: then the default one is meant.
fn wait_for_class(index: &Index<'_>, spec: &Value, sink: &mut Sink<'_, '_>) {
    match spec.get("storageClassName").and_then(Value::as_str) {
        Some(name) => sink.need(GROUP, "StorageClass", None, name),
        None => {
            if let Some(class) = index.default_class(GROUP, "StorageClass") {
                sink.wait(class);
            }
        }
    }
}

pub(super) fn storage_class(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    match (&*item.id.group, &*item.id.kind) {
        ("", "PersistentVolumeClaim") => {
            if let Some(spec) = item.at("/spec") {
                wait_for_class(index, spec, sink);
            }
        }
        ("apps", "StatefulSet") => {
            let claims = item.list("/spec/volumeClaimTemplates").iter();
            claims
                .filter_map(|claim| claim.get("spec"))
                .for_each(|spec| wait_for_class(index, spec, sink));
        }
        ("", "PersistentVolume") => sink.like(GROUP, "StorageClass", None, item.text("/spec/storageClassName")),
        _ => {}
    }
}

/// The volume that a claim names, that names the claim, or that is free and of its class. Until the server's volume controller
/// has taken notice of it (its phase is Available): a claim that comes before gets a new, empty volume from a provisioner.
pub(super) fn volume(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    if item.is("apps", "StatefulSet") {
        for claim in item.list("/spec/volumeClaimTemplates") {
            sink.wait_all(VOLUMES, index.free_volumes(text(claim, "/spec/storageClassName")));
        }
    }
    if item.is("", "PersistentVolumeClaim") {
        if item.text("/spec/volumeName").is_empty() {
            sink.wait_all(VOLUMES, index.free_volumes(item.text("/spec/storageClassName")));
        }
        sink.need("", "PersistentVolume", None, item.text("/spec/volumeName"));
        let namespace = item.namespace().unwrap_or_default();
        for volume in index.volumes_for(namespace, &item.id.name) {
            sink.wait(*volume);
        }
    }
}

pub(super) fn csi_driver(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    let driver = match (&*item.id.group, &*item.id.kind) {
        (GROUP, "StorageClass") => item.text("/provisioner"),
        ("", "PersistentVolume") => item.text("/spec/csi/driver"),
        _ => return,
    };
    sink.like(GROUP, "CSIDriver", None, driver);
}

pub(super) fn device_class(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let item = index.item(node);
    let requests = match (&*item.id.group, &*item.id.kind) {
        ("resource.k8s.io", "ResourceClaim") => item.list("/spec/devices/requests"),
        ("resource.k8s.io", "ResourceClaimTemplate") => item.list("/spec/spec/devices/requests"),
        _ => return,
    };
    for request in requests {
        for pointer in ["/deviceClassName", "/exactly/deviceClassName"] {
            sink.need("resource.k8s.io", "DeviceClass", None, text(request, pointer));
        }
    }
}
