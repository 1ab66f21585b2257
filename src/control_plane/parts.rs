//! The five programs of a control plane and the arguments each is started with.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Options;
use super::certificates::API_SERVICE_ADDRESS;

/// One program of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// etcd.
    Etcd,
    /// kube-apiserver.
    KubeApiserver,
    /// kube-controller-manager.
    KubeControllerManager,
    /// kube-scheduler.
    KubeScheduler,
    /// KWOK, which plays the kubelets.
    Kwok,
}

impl Part {
    /// All, in the order in which they need each other.
    pub const ALL: [Part; 5] = [
        Part::Etcd,
        Part::KubeApiserver,
        Part::KubeControllerManager,
        Part::KubeScheduler,
        Part::Kwok,
    ];

    /// The program's file name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Part::Etcd => "etcd",
            Part::KubeApiserver => "kube-apiserver",
            Part::KubeControllerManager => "kube-controller-manager",
            Part::KubeScheduler => "kube-scheduler",
            Part::Kwok => "kwok",
        }
    }

    /// Whether its version is that of Kubernetes itself.
    #[must_use]
    pub fn is_kubernetes(self) -> bool {
        !matches!(self, Part::Etcd | Part::Kwok)
    }

    /// Its log in a control plane's folder.
    #[must_use]
    pub fn log(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.log", self.name()))
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a part's program is. The Go module that refloat carries makes one file of four parts, which takes the part's
/// name as its first argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The file to run.
    pub file: PathBuf,
    /// The first argument, before all others.
    pub part: Option<Part>,
}

/// File names in a control plane's folder.
pub mod file {
    /// Kubeconfig of the administrator.
    pub const KUBECONFIG: &str = "kubeconfig";
    /// Kubeconfig of kube-controller-manager.
    pub const CONTROLLER_MANAGER: &str = "controller-manager.kubeconfig";
    /// Kubeconfig of kube-scheduler.
    pub const SCHEDULER: &str = "scheduler.kubeconfig";
    /// Kubeconfig of KWOK.
    pub const KWOK: &str = "kwok.kubeconfig";
    /// The certificate authority.
    pub const AUTHORITY: &str = "ca.crt";
    /// The API server's certificate.
    pub const SERVER: &str = "server.crt";
    /// The API server's key.
    pub const SERVER_KEY: &str = "server.key";
    /// The public key of ServiceAccount tokens.
    pub const TOKENS: &str = "tokens.pub";
    /// The private key of ServiceAccount tokens.
    pub const TOKENS_KEY: &str = "tokens.key";
    /// The authority of simulated backends.
    pub const BACKENDS: &str = "backends.crt";
    /// Its key.
    pub const BACKENDS_KEY: &str = "backends.key";
    /// The certificate with which the guard talks to the API server.
    pub const SIMULATOR: &str = "simulator.crt";
    /// Its key.
    pub const SIMULATOR_KEY: &str = "simulator.key";
    /// Where calls to webhooks go.
    pub const EGRESS: &str = "egress.yaml";
    /// The Unix socket that they go to.
    pub const EGRESS_SOCKET: &str = "egress.sock";
    /// The Unix socket of etcd.
    pub const ETCD_SOCKET: &str = "etcd.sock";
    /// Which requests the API server logs.
    pub const AUDIT_POLICY: &str = "audit-policy.yaml";
    /// The request log.
    pub const AUDIT_LOG: &str = "requests.log";
    /// The simulated behaviour of nodes, pods, volumes and load balancers.
    pub const STAGES: &str = "stages.yaml";
    /// The user's Stages of kinds that are served from the start.
    pub const SIMULATE: &str = "simulate.yaml";
    /// What the guard is told before it starts.
    pub const GUARD: &str = "guard.json";
    /// The guard's log.
    pub const GUARD_LOG: &str = "guard.log";
}

/// The arguments of a part. `folder` is the control plane's, `port` the API server's.
///
/// Only the API server listens on a port. etcd has no authentication, and on a port any user of the machine could read
/// the Secrets in it: it listens on a socket in the folder, which is the user's alone. The other two serve nothing.
#[must_use]
pub fn arguments(part: Part, folder: &Path, port: u16, options: &Options) -> Vec<String> {
    let at = |name: &str| folder.join(name).display().to_string();
    let kubeconfig = |name: &str| format!("--kubeconfig={}", at(name));
    match part {
        Part::Etcd => etcd(folder, options),
        Part::KubeApiserver => api_server(&at, port, options),
        Part::KubeControllerManager => vec![
            kubeconfig(file::CONTROLLER_MANAGER),
            format!("--service-account-private-key-file={}", at(file::TOKENS_KEY)),
            format!("--root-ca-file={}", at(file::AUTHORITY)),
            "--use-service-account-credentials=false".into(),
            "--leader-elect=false".into(),
            // Nodes are simulated and renew no leases.
            "--controllers=*,-node-lifecycle-controller".into(),
            "--kube-api-qps=500".into(),
            "--kube-api-burst=1000".into(),
            "--secure-port=0".into(),
        ],
        Part::KubeScheduler => vec![
            kubeconfig(file::SCHEDULER),
            "--leader-elect=false".into(),
            "--kube-api-qps=500".into(),
            "--kube-api-burst=1000".into(),
            "--secure-port=0".into(),
        ],
        Part::Kwok => {
            let mut args = vec![
                kubeconfig(file::KWOK),
                "--manage-all-nodes=true".into(),
                "--node-lease-duration-seconds=0".into(),
                "--cidr=10.128.0.1/14".into(),
                format!("--config={}", at(file::STAGES)),
            ];
            if !options.simulate.is_empty() {
                args.push(format!("--config={}", at(file::SIMULATE)));
            }
            args
        }
    }
}

fn etcd(folder: &Path, options: &Options) -> Vec<String> {
    let clients = format!("unix://{}", folder.join(file::ETCD_SOCKET).display());
    // Nobody calls a single member as a peer; it only must have an address.
    let peers = "unix://localhost:0";
    let store = options.etcd_folder.clone().unwrap_or_else(|| folder.join("etcd"));
    vec![
        format!("--data-dir={}", store.display()),
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={clients}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=default={peers}"),
        "--unsafe-no-fsync".into(),
        "--log-level=warn".into(),
    ]
}

fn api_server(at: &dyn Fn(&str) -> String, port: u16, options: &Options) -> Vec<String> {
    let mut args = vec![
        format!("--etcd-servers=unix://{}", at(file::ETCD_SOCKET)),
        "--bind-address=127.0.0.1".into(),
        "--advertise-address=127.0.0.1".into(),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", at(file::SERVER)),
        format!("--tls-private-key-file={}", at(file::SERVER_KEY)),
        format!("--client-ca-file={}", at(file::AUTHORITY)),
        format!("--service-account-key-file={}", at(file::TOKENS)),
        format!("--service-account-signing-key-file={}", at(file::TOKENS_KEY)),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!("--service-cluster-ip-range={API_SERVICE_ADDRESS}/16"),
        "--authorization-mode=RBAC".into(),
        "--allow-privileged=true".into(),
        "--endpoint-reconciler-type=none".into(),
        // With it, simulated nodes would stay tainted as not ready.
        "--disable-admission-plugins=TaintNodesByCondition".into(),
        format!("--egress-selector-config-file={}", at(file::EGRESS)),
    ];
    if options.request_log {
        args.push(format!("--audit-policy-file={}", at(file::AUDIT_POLICY)));
        args.push(format!("--audit-log-path={}", at(file::AUDIT_LOG)));
        // Otherwise lines come late, in batches.
        args.push("--audit-log-mode=blocking".into());
    }
    args.extend(options.api_server_args.iter().cloned());
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_api_server_has_a_port() {
        for part in Part::ALL {
            let args = arguments(part, Path::new("/folder"), 4711, &Options::default()).join(" ");
            assert_eq!(args.contains("4711"), part == Part::KubeApiserver, "{part}: {args}");
            assert!(
                !args.contains("http://"),
                "{part} listens without a certificate: {args}"
            );
        }
    }

    #[test]
    fn options_reach_the_parts() {
        let options = Options {
            simulate: vec!["/mine.yaml".into()],
            request_log: true,
            api_server_args: vec!["--v=2".into()],
            etcd_folder: Some("/store".into()),
            ..Options::default()
        };
        let args = |part| arguments(part, Path::new("/folder"), 1, &options);
        assert!(args(Part::Kwok).ends_with(&["--config=/folder/simulate.yaml".into()]));
        assert!(args(Part::KubeApiserver).contains(&"--audit-log-path=/folder/requests.log".into()));
        assert!(args(Part::KubeApiserver).ends_with(&["--v=2".into()]));
        assert!(args(Part::Etcd).contains(&"--data-dir=/store".into()));
    }
}
