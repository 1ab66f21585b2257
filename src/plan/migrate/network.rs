//! Ingresses and endpoint slices.

use serde_json::{Value, json};

use super::{Edit, Object, Remark, default, rename};

/// `serviceName` and `servicePort` go below `service`, and a path has a type.
pub(super) fn ingress(object: &mut Object) -> Result<Remark, Edit> {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
        return Ok(None);
    };
    rename(spec, "backend", "defaultBackend");
    if let Some(default_backend) = spec.get_mut("defaultBackend") {
        backend(default_backend);
    }
    let rules = spec.get_mut("rules").and_then(Value::as_array_mut);
    for rule in rules.into_iter().flatten() {
        let paths = rule.pointer_mut("/http/paths").and_then(Value::as_array_mut);
        for path in paths.into_iter().flatten().filter_map(Value::as_object_mut) {
            default(path, "pathType", "ImplementationSpecific");
            if let Some(of_path) = path.get_mut("backend") {
                backend(of_path);
            }
        }
    }
    Ok(None)
}

fn backend(value: &mut Value) {
    let Some(backend) = value.as_object_mut() else { return };
    let (name, port) = (backend.shift_remove("serviceName"), backend.shift_remove("servicePort"));
    if let Some(name) = name {
        let port = match port {
            Some(Value::String(text)) => match text.parse::<u16>() {
                Ok(number) => json!({"number": number}),
                Err(_) => json!({"name": text}),
            },
            Some(number) => json!({"number": number}),
            None => json!({}),
        };
        backend.insert("service".to_owned(), json!({"name": name, "port": port}));
    }
}

/// `topology` became `nodeName` and `zone`; the rest of it stays below `deprecatedTopology`.
pub(super) fn endpoint_slice(object: &mut Object) -> Result<Remark, Edit> {
    let endpoints = object.get_mut("endpoints").and_then(Value::as_array_mut);
    for endpoint in endpoints.into_iter().flatten().filter_map(Value::as_object_mut) {
        let Some(Value::Object(mut topology)) = endpoint.shift_remove("topology") else {
            continue;
        };
        for (key, field) in [
            ("kubernetes.io/hostname", "nodeName"),
            ("topology.kubernetes.io/zone", "zone"),
        ] {
            if let Some(value) = topology.shift_remove(key) {
                default(endpoint, field, value);
            }
        }
        if !topology.is_empty() {
            endpoint.insert("deprecatedTopology".to_owned(), Value::Object(topology));
        }
    }
    Ok(None)
}
