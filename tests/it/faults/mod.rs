//! What goes wrong with clusters and machines: the binary against a real API server, its exit code and all that it says.

mod machine;
mod objects;
mod parts;
mod right;
mod secrets;
mod server;
mod stopping;
mod webhook;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use refloat::net::Api;
use serde_json::Value;

use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::plane::{self, Plane, wait};
use crate::support::run::{Ran, Refloat, refloat};

/// The context of a throwaway control plane, and of a proxy before one.
const CONTEXT: &str = "refloat-throwaway";
const PROXIED: &str = "proxied";

/// The control plane that these tests share: each has names of its own, and none takes the Lease.
fn own() -> &'static Plane {
    static OWN: OnceLock<Plane> = OnceLock::new();
    OWN.get_or_init(plane::fresh)
}

/// A folder of manifests, and what is run over it.
struct Given {
    folder: tempfile::TempDir,
    kubeconfig: PathBuf,
    context: &'static str,
}

impl Given {
    /// These files, to be restored into this cluster.
    fn new(plane: &Plane, files: &[(&str, &str)]) -> Self {
        let given = Self {
            folder: tempfile::tempdir().expect("because a temporary folder can be made"),
            kubeconfig: plane.kubeconfig().into(),
            context: CONTEXT,
        };
        for (name, text) in files {
            given.write(name, text);
        }
        given
    }

    /// Writes a file of the repository.
    fn write(&self, name: &str, text: &str) {
        let path = self.repo().join(name);
        std::fs::create_dir_all(path.parent().expect("because it lies in the folder")).expect("because it is ours");
        std::fs::write(path, text).expect("because the folder is ours");
    }

    fn repo(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    /// The same, by another kubeconfig.
    fn by(mut self, kubeconfig: &str, context: &'static str) -> Self {
        self.kubeconfig = self.folder.path().join("kubeconfig");
        std::fs::write(&self.kubeconfig, kubeconfig).expect("because the folder is ours");
        self.context = context;
        self
    }

    /// `refloat restore`, into a cluster that others use too.
    fn restore(&self, more: &[&str]) -> Refloat {
        let mut args = vec!["--yes", "--no-lease", "--context", self.context];
        args.extend(more);
        self.command("restore", &args)
    }

    /// `refloat COMMAND REPO --kubeconfig …`
    fn command(&self, command: &str, more: &[&str]) -> Refloat {
        let mut args = vec![command.to_owned(), self.repo().display().to_string()];
        args.extend(["--kubeconfig".to_owned(), self.kubeconfig.display().to_string()]);
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        refloat(args)
    }

    /// All that a run says, with what differs from run to run taken out.
    fn said(&self, ran: &Ran) -> String {
        let place = self.folder.path().display().to_string();
        let out = |text: &str| normal(&text.replace(&place, "TMP"));
        format!("exit {}\n{}--\n{}", ran.code, told(&out(&ran.stderr)), out(&ran.stdout))
    }
}

/// Addresses, times and rates replaced.
fn normal(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, to) in [
        (r"/tmp/\.tmp\w+", "TMP"),
        (r"127\.0\.0\.1:\d+", "SERVER"),
        (r"\(\d[\dhms.]*s, [\d.]+ objects/s\)", "(#s)"),
        (r"\b\d[\dhm.]*\d?s\b", "#s"),
        (r"\b\d+\.\d+ s\b", "#s"),
        (r"\b\d+ requests\b", "# requests"),
        (r"\b\d+ times\b", "# times"),
        (r"(?m)^(Slowest chain: .*)\n(?: +#s  .*\n?)+", "$1\n"),
        (r"(?m)^(retried .*) \(.*\)$", "$1"),
    ] {
        let pattern = regex::Regex::new(pattern).expect("because it is written right");
        text = pattern.replace_all(&text, to).into_owned();
    }
    text
}

/// Lines of steps sorted, with what goes on below them: what does not wait for another is told in the order of the answers.
fn told(text: &str) -> String {
    let is_step = regex::Regex::new(r"^[a-z]+ {2,}\S").expect("because it is written right");
    let mut told: Vec<String> = Vec::new();
    for line in text.lines() {
        match told.last_mut() {
            Some(last) if line.starts_with("    ") && is_step.is_match(last) => *last += &format!("{line}\n"),
            _ => told.push(format!("{line}\n")),
        }
    }
    for run in told.chunk_by_mut(|a, b| is_step.is_match(a) == is_step.is_match(b)) {
        if is_step.is_match(&run[0]) {
            run.sort_unstable();
        }
    }
    told.concat()
}

/// A proxy before a control plane, with these faults.
fn proxy(plane: &Plane, faults: impl IntoIterator<Item = Fault>) -> FaultProxy {
    let path = plane.kubeconfig();
    let proxy = wait(FaultProxy::start(Path::new(&path)));
    proxy.set(faults);
    proxy
}

/// The cluster as its administrator has it, to look and to prepare.
struct Admin(Api);

impl Admin {
    fn of(plane: &Plane) -> Self {
        Self(plane.api())
    }

    /// An object; null if it is not there.
    fn get(&self, path: &str) -> Value {
        let answer = wait(self.0.get(path)).expect("because the server runs");
        if answer.status == 404 { Value::Null } else { answer.body }
    }

    /// Creates an object.
    #[track_caller]
    fn create(&self, path: &str, object: &Value) -> Value {
        let answer = wait(self.0.create(path, object)).expect("because the server runs");
        assert!(answer.is_success(), "{path}: {}", answer.message());
        answer.body
    }

    /// Deletes an object.
    #[track_caller]
    fn delete(&self, path: &str) {
        let answer = wait(self.0.request("DELETE", path, "", None)).expect("because the server runs");
        assert!(answer.is_success(), "{path}: {}", answer.message());
    }

    /// How many of the ConfigMaps that [`many`] declares are there.
    fn maps(&self, namespace: &str) -> usize {
        let list = self.get(&format!("/api/v1/namespaces/{namespace}/configmaps"));
        let ours = |map: &&Value| {
            map["metadata"]["name"]
                .as_str()
                .is_some_and(|name| name.starts_with('c'))
        };
        list["items"]
            .as_array()
            .map_or(0, |items| items.iter().filter(ours).count())
    }
}

/// A namespace and so many ConfigMaps in it.
fn many(namespace: &str, count: usize) -> String {
    let mut text = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n");
    for number in 0..count {
        text += &format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}, namespace: {namespace}}}\ndata: {{a: b}}\n"
        );
    }
    text
}
