//! What an audit reads of a real cluster.

mod live;

use refloat::cluster::{Cluster, ConnectOptions};
use serde_json::Value;

use crate::support::plane::{Plane, wait};

/// The cluster as this user sees it; the administrator may impersonate everybody.
fn connect_as(plane: &Plane, user: &str) -> Cluster {
    let text = std::fs::read_to_string(plane.kubeconfig()).expect("because the control plane wrote it");
    let mut value: Value = serde_yaml::from_str(&text).expect("because it is YAML");
    value["users"][0]["user"]["as"] = user.into();
    let options = ConnectOptions {
        kubeconfig_text: Some(value.to_string()),
        ..ConnectOptions::default()
    };
    wait(Cluster::connect(options)).unwrap_or_else(|failure| panic!("{failure}"))
}

/// Sends a request as the administrator, with this form of body; must succeed.
fn send(plane: &Plane, method: &str, path: &str, form: &str, body: &Value) -> Value {
    let answer = wait(plane.api().request(method, path, form, Some(body))).expect("because the server runs");
    assert!(answer.is_success(), "{method} {path}: {}", answer.message());
    answer.body
}
