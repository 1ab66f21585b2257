//! Real control planes: one that tests share where a namespace isolates enough, fresh ones where a whole cluster is compared.

use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use refloat::cluster::{Cluster, ConnectOptions};
use refloat::control_plane::{self, ControlPlane, Options, Sources};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// A running control plane; it ends with the test (the shared one with the test program).
pub struct Plane {
    plane: ControlPlane,
}

/// Runs something asynchronous from a test.
pub fn wait<T>(work: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| Runtime::new().expect("because threads can be started"));
    runtime.block_on(work)
}

/// Writes a kubeconfig with a context for each of these.
pub fn contexts(planes: &[(&str, &Plane)], folder: &Path) -> String {
    let mut all = json!({"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []});
    for (name, plane) in planes {
        let text = std::fs::read_to_string(plane.kubeconfig()).expect("because the control plane wrote it");
        let value: Value = serde_yaml::from_str(&text).expect("because it is YAML");
        let mut add = |list: &str, of: Value| all[list].as_array_mut().expect("because it is a list").push(of);
        add(
            "clusters",
            json!({"name": name, "cluster": value["clusters"][0]["cluster"]}),
        );
        add("users", json!({"name": name, "user": value["users"][0]["user"]}));
        add(
            "contexts",
            json!({"name": name, "context": {"cluster": name, "user": name}}),
        );
    }
    let file = folder.join("kubeconfig");
    std::fs::write(&file, all.to_string()).expect("because the folder is ours");
    file.display().to_string()
}

/// A fresh control plane.
pub fn fresh() -> Plane {
    fresh_with(Options::default())
}

/// A fresh control plane of a certain sort. The guard is always the refloat that is under test.
pub fn fresh_with(options: Options) -> Plane {
    let options = Options {
        sources: Sources::from_environment(None, |name| std::env::var_os(name)),
        guard_exe: Some(PathBuf::from(env!("CARGO_BIN_EXE_refloat"))),
        ..options
    };
    let started = wait(control_plane::start(&options, &mut |_| {}));
    Plane {
        plane: started.unwrap_or_else(|failure| panic!("{failure}")),
    }
}

/// The control plane that tests share: each in a namespace of its own.
pub fn shared() -> &'static Plane {
    static SHARED: OnceLock<Plane> = OnceLock::new();
    SHARED.get_or_init(|| {
        fresh_with(Options {
            request_log: true,
            ..Options::default()
        })
    })
}

impl Plane {
    /// Path of its kubeconfig.
    pub fn kubeconfig(&self) -> String {
        self.plane.kubeconfig_path().display().to_string()
    }

    /// Connects to it.
    pub fn connect(&self) -> Cluster {
        let options = ConnectOptions {
            kubeconfig_text: Some(self.plane.kubeconfig().to_owned()),
            ..ConnectOptions::default()
        };
        wait(Cluster::connect(options)).unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// Its API server, spoken to as the administrator.
    pub fn api(&self) -> refloat::net::Api {
        self.plane.api().clone()
    }

    /// The control plane itself.
    pub fn inner(&mut self) -> &mut ControlPlane {
        &mut self.plane
    }

    /// Does something to it as people do, with something typed in; what `kubectl` prints.
    pub fn kubectl(&self, args: &[&str], stdin: &str) -> String {
        #[expect(clippy::disallowed_methods, reason = "tests change the cluster with kubectl itself")]
        let mut child = Command::new("kubectl")
            .args(args)
            .env("KUBECONFIG", self.kubeconfig())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("because it is there");
        let typed = child.stdin.take().map(|mut pipe| pipe.write_all(stdin.as_bytes()));
        assert!(typed.is_some_and(|typed| typed.is_ok()), "{args:?}");
        let output = child.wait_with_output().expect("because it was started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
        String::from_utf8(output.stdout).expect("because it is text")
    }

    /// The lines of the API server's request log, of a control plane that keeps one.
    pub fn requests(&self) -> Vec<serde_json::Value> {
        let log = self.plane.request_log().expect("because it was asked to keep a log");
        let text = std::fs::read_to_string(log).expect("because the API server writes it");
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Makes it serve a namespaced kind that takes everything: an engine's, without the engine.
    pub fn serve(&self, group: &str, version: &str, kind: &str, plural: &str) {
        self.serve_as(group, version, kind, plural, json!({}));
    }

    /// Likewise, with a status that is written by itself.
    pub fn serve_with_status(&self, group: &str, version: &str, kind: &str, plural: &str) {
        self.serve_as(group, version, kind, plural, json!({"status": {}}));
    }

    fn serve_as(&self, group: &str, version: &str, kind: &str, plural: &str, subresources: Value) {
        let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        let names =
            json!({"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")});
        let versions = json!([{"name": version, "served": true, "storage": true, "schema": schema,
            "subresources": subresources}]);
        let crd = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": versions},
        });
        let made = wait(
            self.plane
                .api()
                .create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &crd),
        );
        assert!(made.is_ok_and(|made| made.is_success()), "{kind}");
        let served = format!("/apis/{group}/{version}/{plural}");
        while !wait(self.plane.api().get(&served)).is_ok_and(|answer| answer.is_success()) {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
}
