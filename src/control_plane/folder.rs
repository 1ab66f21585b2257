//! The folder of a control plane: made, and filled with everything that its parts read.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::certificates::{Certificates, Pair};
use super::guard::Task;
use super::parts::file;
use super::simulate;
use crate::error::{Failure, Kind};

/// What the operating system allows for the path of a Unix socket, less the longest name in the folder.
const LONGEST_FOLDER: usize = 103 - 12;
/// How often a folder is removed until it is gone.
const ATTEMPTS: u32 = 50;
/// The pause in between.
const PAUSE: Duration = Duration::from_millis(100);
/// What every failure here comes to.
pub(super) const NOT_STARTED: &str = "the throwaway control plane could not be started";

/// The folder of a control plane, the user's alone.
pub(super) fn make() -> Result<tempfile::TempDir, Failure> {
    let make = |parent: &Path| {
        tempfile::Builder::new()
            .prefix("refloat-")
            .tempdir_in(parent)
            .map_err(|error| {
                Failure::new(Kind::Io, NOT_STARTED)
                    .because(format!("no folder could be made in {}: {error}", parent.display()))
                    .hint("set TMPDIR to a folder with some 200 MB of room")
            })
    };
    let folder = make(&std::env::temp_dir())?;
    if folder.path().as_os_str().len() > LONGEST_FOLDER {
        make(Path::new("/tmp"))
    } else {
        Ok(folder)
    }
}

/// Removes a folder. What somebody still writes into it while it goes is removed by the next attempt.
pub(super) async fn remove(folder: &Path) -> Result<(), String> {
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => last = error.to_string(),
            // Already gone is as good.
            _ => return Ok(()),
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(format!("{} stays: {last}", folder.display()))
}

/// Writes everything that the parts read; gives the administrator's kubeconfig.
pub(super) fn write(folder: &Path, server: &str, all: &Certificates) -> Result<String, Failure> {
    let authority = &all.authority.pair.certificate;
    let kubeconfig = |pair| kubeconfig(server, authority, pair);
    let admin = kubeconfig(&all.admin);
    let task = Task { api: server.to_owned() };
    let task = serde_json::to_string(&task).map_err(|error| Failure::new(Kind::Internal, error.to_string()))?;
    let files = [
        (file::KUBECONFIG, admin.clone()),
        (file::CONTROLLER_MANAGER, kubeconfig(&all.controller_manager)),
        (file::SCHEDULER, kubeconfig(&all.scheduler)),
        (file::KWOK, kubeconfig(&all.kwok)),
        (file::AUTHORITY, authority.clone()),
        (file::SERVER, all.server.certificate.clone()),
        (file::SERVER_KEY, all.server.key.clone()),
        (file::TOKENS, all.tokens.1.clone()),
        (file::TOKENS_KEY, all.tokens.0.clone()),
        (file::BACKENDS, all.backends.pair.certificate.clone()),
        (file::BACKENDS_KEY, all.backends.pair.key.clone()),
        (file::SIMULATOR, all.simulator.certificate.clone()),
        (file::SIMULATOR_KEY, all.simulator.key.clone()),
        (file::EGRESS, egress(folder)),
        (file::AUDIT_POLICY, AUDIT_POLICY.to_owned()),
        (file::STAGES, simulate::stages()),
        (file::GUARD, task),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| {
            Failure::new(Kind::Io, NOT_STARTED).because(format!("{} could not be written: {error}", path.display()))
        })?;
    }
    Ok(admin)
}

fn kubeconfig(server: &str, authority: &str, pair: &Pair) -> String {
    let [authority, certificate, key] = [authority, &pair.certificate, &pair.key].map(|pem| STANDARD.encode(pem));
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: refloat-throwaway
  cluster:
    server: {server}
    certificate-authority-data: {authority}
users:
- name: refloat-throwaway
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: refloat-throwaway
  context:
    cluster: refloat-throwaway
    user: refloat-throwaway
current-context: refloat-throwaway
"
    )
}

fn egress(folder: &Path) -> String {
    let socket = folder.join(file::EGRESS_SOCKET);
    let selection = |name: &str| {
        format!(
            "- name: {name}
  connection:
    proxyProtocol: HTTPConnect
    transport:
      uds:
        udsName: {}
",
            socket.display()
        )
    };
    format!(
        "apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
{}{}",
        selection("cluster"),
        selection("controlplane")
    )
}

/// Two lines for every request, when it is received and when it is answered: their order is what tests ask for.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [ResponseStarted]
rules:
- level: Metadata
";

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_folder_goes_although_somebody_still_writes_into_it() {
        let folder = make().expect("because the tests need a temporary folder");
        let inside = folder.path().join("data");
        std::fs::create_dir(&inside).expect("because the folder is ours");
        let (at, begins) = (inside.clone(), std::sync::Arc::new(std::sync::OnceLock::new()));
        let begun = std::sync::Arc::clone(&begins);
        let writer = std::thread::spawn(move || {
            let goes_on = || begun.get().is_none_or(|begun: &Instant| begun.elapsed() < 3 * PAUSE);
            let files = (0..).take_while(|_| goes_on());
            // Until the folder is gone at the latest.
            files
                .map(|number: u32| std::fs::write(at.join(number.to_string()), ""))
                .all(|written| written.is_ok())
        });
        // While so many go, others come.
        while std::fs::read_dir(&inside).map_or(0, Iterator::count) < 500 {
            std::thread::yield_now();
        }
        begins.set(Instant::now()).expect("because it begins once");
        assert_eq!(remove(folder.path()).await, Ok(()));
        assert!(!folder.path().exists());
        let _ = writer.join().expect("because it only writes");
        assert_eq!(remove(folder.path()).await, Ok(()), "what is gone already is gone");
    }
}
