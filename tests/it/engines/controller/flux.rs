//! Flux's own kustomize-controller as a process, fed with artifacts of a repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{MERGE, live, send};
use crate::support::plane::Plane;
use crate::support::run::tool_folder;
use crate::support::web::{Answer, Web};

/// Flux's sources, by namespace.
pub const SOURCES: &str = "/apis/source.toolkit.fluxcd.io/v1/namespaces";
const KUSTOMIZATIONS: &str = "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations";

/// What source-controller leaves out of an artifact, by the end of a path. Source: `github.com/fluxcd/pkg/sourceignore`.
const LEFT_OUT: [&str; 3] = [".sops.yaml", ".goreleaser.yml", ".gitignore"];

/// Artifacts by path, served on loopback.
pub struct Artifacts {
    web: Web,
    all: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Artifacts {
    /// None so far.
    pub fn serve() -> Self {
        let all: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
        let kept = all.clone();
        let web = Web::start(move |asked| {
            let all = kept.lock().unwrap_or_else(PoisonError::into_inner);
            all.get(&asked.path).cloned().map_or(Answer::status(404), Answer::ok)
        });
        Self { web, all }
    }

    /// Gives a source an artifact, as its controller would: kind in the plural, namespace, name.
    pub fn give(&self, plane: &Plane, source: (&str, &str, &str), revision: &str, archive: Vec<u8>) {
        let hex: String = Sha256::digest(&archive)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let path = format!("/{hex}.tar.gz");
        let size = archive.len();
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(path.clone(), archive);
        let at = format!("{SOURCES}/{}/{}/{}", source.1, source.0, source.2);
        let object = live(plane, &at).unwrap_or_else(|| panic!("{at} is not there"));
        let now = "2026-01-02T03:04:05Z";
        let status = json!({"status": {
            "observedGeneration": object["metadata"]["generation"],
            "artifact": {
                "url": format!("{}{path}", self.web.address), "path": &path[1..], "digest": format!("sha256:{hex}"),
                "revision": revision, "lastUpdateTime": now, "size": size,
            },
            "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored", "lastTransitionTime": now}],
        }});
        send(plane, "PATCH", &format!("{at}/status"), MERGE, Some(&status));
    }
}

/// Where the controller is; it is built, which takes minutes, where that was not done before.
pub fn program() -> PathBuf {
    tool_folder("kustomize-controller").join("kustomize-controller")
}

/// The controller; it ends with the test.
pub struct Controller {
    child: Child,
    log: tempfile::NamedTempFile,
    /// For its temporary files alone: when one starts, it takes those of all others in the folder for leftovers, and removes them.
    _temporary: tempfile::TempDir,
}

impl Controller {
    /// Started against a control plane.
    pub fn start(plane: &Plane) -> Self {
        let log = tempfile::NamedTempFile::new().expect("because a temporary file can be made");
        let temporary = tempfile::tempdir().expect("because a temporary folder can be made");
        let stream = || Stdio::from(log.reopen().expect("because it is there"));
        #[expect(clippy::disallowed_methods, reason = "what a test compares with is run by the test")]
        let child = Command::new(program())
            .args([
                "--events-addr=",
                "--watch-all-namespaces=true",
                "--enable-leader-election=false",
            ])
            .args([
                "--metrics-addr=:0",
                "--health-addr=:0",
                "--requeue-dependency=1s",
                "--concurrent=8",
            ])
            .args([
                "--kube-api-qps=500",
                "--kube-api-burst=1000",
                "--feature-gates=ExternalArtifact=true",
            ])
            .env("KUBECONFIG", plane.kubeconfig())
            .env("RUNTIME_NAMESPACE", "flux-system")
            .env("TMPDIR", temporary.path())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .expect("because it was built");
        Self {
            child,
            log,
            _temporary: temporary,
        }
    }

    /// Waits until no Kustomization that reads from a source with this revision has anything left to do, and gives those that failed with
    /// what they say.
    pub fn settled(&self, plane: &Plane, revision: &str, longest: Duration) -> BTreeMap<String, String> {
        let start = Instant::now();
        let mut calm = 0;
        loop {
            let all = live(plane, KUSTOMIZATIONS).unwrap_or_default();
            let all = all["items"].as_array().cloned().unwrap_or_default();
            let states: Vec<(String, State)> = all.iter().map(|one| (name(one), State::of(one, revision))).collect();
            let busy = states.iter().any(|(_, state)| matches!(state, State::Busy(_)));
            // Those that have just been applied may bring others.
            calm = if busy || states.is_empty() { 0 } else { calm + 1 };
            if calm > 3 || start.elapsed() > longest {
                let failed = states.into_iter().filter_map(|(name, state)| match state {
                    State::Done => None,
                    State::Busy(why) | State::Failed(why) => Some((name, why)),
                });
                return failed.collect();
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// The errors that it told last.
    pub fn errors(&self) -> String {
        let all = std::fs::read_to_string(self.log.path()).unwrap_or_default();
        let errors: Vec<&str> = all
            .lines()
            .filter(|line| line.contains("\"level\":\"error\""))
            .collect();
        errors[errors.len().saturating_sub(8)..].join("\n")
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

enum State {
    Done,
    Busy(String),
    Failed(String),
}

impl State {
    fn of(one: &Value, revision: &str) -> Self {
        let conditions = one["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
        let message = ready.map_or("not looked at", |ready| ready["message"].as_str().unwrap_or_default());
        if one["spec"]["suspend"] == true {
            return Self::Done;
        }
        match ready.map(|ready| &ready["status"]) {
            Some(status) if status == "True" => match one["status"]["lastAppliedRevision"] == revision
                && one["status"]["observedGeneration"] == one["metadata"]["generation"]
            {
                true => Self::Done,
                false => Self::Busy(message.to_owned()),
            },
            Some(status) if status == "False" && !message.contains("dependency") && !message.contains("retrying") => {
                Self::Failed(message.to_owned())
            }
            _ => Self::Busy(message.to_owned()),
        }
    }
}

fn name(one: &Value) -> String {
    let text = |key: &str| one["metadata"][key].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}

/// The files of a commit as source-controller archives them. `pick` gives where a file is put, `None` to leave it out.
pub fn archive(repo: &Path, pick: impl Fn(&str) -> Option<String>) -> Vec<u8> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let listed = git(repo, &["ls-tree", "-r", "-z", "--name-only", "HEAD"]);
    let listed = String::from_utf8(listed).expect("because the names are UTF-8");
    for file in listed.split('\0').filter(|file| !file.is_empty()) {
        if LEFT_OUT
            .iter()
            .any(|end| file == *end || file.ends_with(&format!("/{end}")))
        {
            continue;
        }
        let Some(to) = pick(file) else { continue };
        let content = std::fs::read(repo.join(file)).expect("because it is checked out");
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        let appended = archive.append_data(&mut header, to, &*content);
        appended.expect("because it is written into memory");
    }
    let compressed = archive.into_inner().and_then(flate2::write::GzEncoder::finish);
    compressed.expect("because it is written into memory")
}

fn git(repo: &Path, args: &[&str]) -> Vec<u8> {
    #[expect(clippy::disallowed_methods, reason = "tests ask git itself")]
    let output = Command::new("git").arg("-C").arg(repo).args(args).output();
    output.expect("because git is there").stdout
}

/// The commit that is checked out.
pub fn head(repo: &Path) -> String {
    String::from_utf8_lossy(&git(repo, &["rev-parse", "HEAD"]))
        .trim()
        .to_owned()
}

/// Checks a commit out.
pub fn checkout(repo: &Path, commit: &str) {
    git(repo, &["checkout", "-q", commit]);
    assert!(head(repo).starts_with(commit), "{commit} is there");
}
