//! What is restored.

use std::path::Path;

use serde_json::{Map, Value, json};

/// Which objects.
#[derive(Debug, Clone, Copy)]
pub enum Set {
    /// ConfigMaps of 500 bytes.
    ConfigMaps,
    /// Kinds as an application has them, so that edges and watches take part.
    Mixed,
}

impl Set {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConfigMaps => "ConfigMaps",
            Self::Mixed => "mixed kinds",
        }
    }
}

/// One object, without namespace.
pub struct Object {
    /// `/api/v1`, `/apis/apps/v1`.
    pub api: &'static str,
    pub plural: &'static str,
    pub name: String,
    pub body: Value,
}

/// The objects of a set.
pub fn all(set: Set, count: usize) -> Vec<Object> {
    match set {
        Set::ConfigMaps => (0..count).map(config_map).collect(),
        Set::Mixed => (0..count).map(mixed).collect(),
    }
}

fn object(api: &'static str, version: &str, kind: &str, plural: &'static str, name: String, rest: Value) -> Object {
    let mut body = json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}});
    if let (Some(body), Value::Object(rest)) = (body.as_object_mut(), rest) {
        body.extend(rest);
    }
    Object {
        api,
        plural,
        name,
        body,
    }
}

fn config_map(index: usize) -> Object {
    let data = json!({"data": {"settings.properties": "key=value\n".repeat(40), "index": index.to_string()}});
    object(
        "/api/v1",
        "v1",
        "ConfigMap",
        "configmaps",
        format!("settings-{index}"),
        data,
    )
}

/// Eight kinds in turn; each application has one of each.
fn mixed(index: usize) -> Object {
    let app = index / 8;
    let name = format!("app-{app}");
    let labels = json!({"app": name});
    match index % 8 {
        0 => object("/api/v1", "v1", "ServiceAccount", "serviceaccounts", name, json!({})),
        1 => object(
            "/api/v1",
            "v1",
            "ConfigMap",
            "configmaps",
            name,
            json!({"data": (0..20).map(|key| (format!("key-{key}"), json!("some setting"))).collect::<Map<_, _>>()}),
        ),
        2 => object(
            "/api/v1",
            "v1",
            "Secret",
            "secrets",
            name,
            json!({"type": "Opaque", "data": {"a": "Y2FuYXJ5"}}),
        ),
        3 => object(
            "/api/v1",
            "v1",
            "Service",
            "services",
            name,
            json!({"spec": {"clusterIP": "None", "selector": labels, "ports": [{"name": "http", "port": 80}]}}),
        ),
        4 => object(
            "/apis/rbac.authorization.k8s.io/v1",
            "rbac.authorization.k8s.io/v1",
            "Role",
            "roles",
            name,
            json!({"rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]}),
        ),
        5 => object(
            "/apis/rbac.authorization.k8s.io/v1",
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            "rolebindings",
            name.clone(),
            json!({"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}, "subjects": [{"kind": "ServiceAccount", "name": name}]}),
        ),
        6 => object(
            "/apis/policy/v1",
            "policy/v1",
            "PodDisruptionBudget",
            "poddisruptionbudgets",
            name,
            json!({"spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels}}}),
        ),
        _ => object(
            "/apis/apps/v1",
            "apps/v1",
            "Deployment",
            "deployments",
            name.clone(),
            json!({"spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": pods(&name, &labels)}}),
        ),
    }
}

/// A pod of the usual size.
fn pods(name: &str, labels: &Value) -> Value {
    let env = (0..10).map(|key| {
        let key = format!("key-{key}");
        json!({"name": key, "valueFrom": {"configMapKeyRef": {"name": name, "key": key}}})
    });
    json!({"metadata": {"labels": labels}, "spec": {
        "serviceAccountName": name,
        "containers": [{
            "name": "app",
            "image": "app.example.com/app:1",
            "env": env.collect::<Vec<_>>(),
            "ports": [{"name": "http", "containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        }],
    }})
}

impl Object {
    /// `ConfigMap/settings-1`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.body["kind"].as_str().unwrap_or_default(), self.name)
    }
}

/// Writes them as files of eight objects, in YAML as people write it.
pub fn write(set: Set, count: usize, folder: &Path) {
    std::fs::create_dir_all(folder).expect("because the folder is ours");
    for (index, chunk) in all(set, count).chunks(8).enumerate() {
        let text: Vec<String> = chunk.iter().map(|object| kube_yaml::to_string(&object.body)).collect();
        let file = folder.join(format!("app-{index:04}.yaml"));
        std::fs::write(file, text.join("---\n")).expect("because the folder is ours");
    }
}
