//! From a kubeconfig to a cluster that answers.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, Client, ClientBuilder, ConfigExt};
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError, LoadDataError};
use serde::Deserialize;
use tower::{ServiceBuilder, ServiceExt};

use super::buffered::Buffered;
use super::wire::{Ask, Break, Broken, METADATA_LIST, NOT_ACCEPTED, Trouble, broken};
use crate::error::{Failure, Kind};
use crate::object::{Context, KubeVersion};

/// A request that got no whole answer after this long is given up. API servers give up after 60 s themselves.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(65);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A server that is well says its version at once; whoever waits for a first sign of life should not wait for a minute.
const FIRST_ANSWER: Duration = Duration::from_secs(15);
/// For login programs that ask a person something.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(180);

/// How to reach the cluster.
#[derive(Clone, Default)]
pub struct ConnectOptions {
    /// File to read instead of `$KUBECONFIG` or `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// Content of a kubeconfig, instead of any file.
    pub kubeconfig_text: Option<String>,
    /// Context to use instead of the current one.
    pub context: Option<String>,
    /// Reads in flight at a time; 0 stands for 32.
    pub concurrency: usize,
    /// Gives up a request without an answer after this long; `None`: 65 s. Watches are not bound by it.
    pub request_timeout: Option<Duration>,
}

impl fmt::Debug for ConnectOptions {
    /// Without the kubeconfig's content: it holds credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("kubeconfig", &self.kubeconfig)
            .field("context", &self.context)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

/// A cluster that has answered. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    context: Context,
    version: KubeVersion,
    release: String,
    request_timeout: Duration,
    in_flight: usize,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cluster({})", self.inner.context.server)
    }
}

impl Cluster {
    /// Reads the kubeconfig, connects, asks for the version and the number of nodes.
    ///
    /// # Errors
    /// The kubeconfig, its context or its credentials cannot be used, or the server does not answer: which, and what to do.
    pub async fn connect(options: ConnectOptions) -> Result<Self, Failure> {
        // Without a provider of its own the TLS library may refuse to choose one; a second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let kubeconfig = load(&options)?;
        let (mut context, proxy_url) = chosen(&kubeconfig, options.context.as_deref())?;
        let choice = KubeConfigOptions {
            context: Some(context.name.clone()),
            ..KubeConfigOptions::default()
        };
        let config = Config::from_custom_kubeconfig(kubeconfig, &choice).await;
        let mut config = config.map_err(|error| unusable(&error, &context.name))?;
        config.proxy_url =
            super::proxy::proxy_for(&config.cluster_url, proxy_url.as_deref(), |key| std::env::var(key).ok())
                .map_err(|why| failure(&context, why))?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        // Repeating is the engine's, which knows deadlines.
        config.default_retry = false;
        context.server = config.cluster_url.to_string().trim_end_matches('/').to_owned();

        let mut cluster = Inner {
            client: login(config).await.map_err(|broken| unreachable(&context, &broken))?,
            context,
            version: KubeVersion { major: 0, minor: 0 },
            release: String::new(),
            request_timeout: options.request_timeout.unwrap_or(REQUEST_TIMEOUT),
            in_flight: if options.concurrency == 0 {
                32
            } else {
                options.concurrency
            },
        };
        let asking = Self::from(&cluster);
        let nodes = async { Ok(asking.count_nodes().await) };
        ((cluster.version, cluster.release), cluster.context.nodes) =
            futures::future::try_join(asking.ask_version(), nodes).await?;
        Ok(Self {
            inner: Arc::new(cluster),
        })
    }

    /// The context in use: name, cluster, server, default namespace, number of nodes at the time of connecting.
    pub fn context(&self) -> &Context {
        &self.inner.context
    }

    /// Version of the server.
    pub fn version(&self) -> KubeVersion {
        self.inner.version
    }

    /// The whole version, as the server tells it: distributions end it with their own (`v1.33.1-gke.1584000`).
    pub fn release(&self) -> &str {
        &self.inner.release
    }

    pub(super) fn client(&self) -> &Client {
        &self.inner.client
    }

    pub(super) fn request_timeout(&self) -> Duration {
        self.inner.request_timeout
    }

    pub(super) fn in_flight(&self) -> usize {
        self.inner.in_flight
    }

    async fn ask_version(&self) -> Result<(KubeVersion, String), Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Info {
            major: String,
            minor: String,
            #[serde(default)]
            git_version: String,
        }
        let context = self.context();
        let limit = FIRST_ANSWER.min(self.request_timeout());
        let asked = tokio::time::timeout(limit, self.read::<Info>(&Ask::get("/version"))).await;
        let silent = || {
            Trouble::Broken(Broken::new(
                Break::TimedOut,
                format!("no answer within {} s", limit.as_secs()),
            ))
        };
        match asked.unwrap_or_else(|_| Err(silent())) {
            Ok(info) => format!("{}.{}", info.major, info.minor)
                .parse()
                .map(|version| (version, info.git_version))
                .map_err(|why: String| failure(context, why)),
            Err(Trouble::Broken(broken)) => Err(unreachable(context, &broken)),
            Err(Trouble::Refused(status)) => Err(match status.code {
                401 => failure(context, NOT_ACCEPTED).hint(format!(
                    "they may have expired; log in again, then try `kubectl --context {} get namespaces`",
                    context.name
                )),
                403 => failure(context, "these credentials may not even ask for its version (403)"),
                code => failure(context, format!("it answered {code}: {}", status.message))
                    .hint("is this the address of an API server?"),
            }),
        }
    }

    /// `None` where nodes may not be listed.
    async fn count_nodes(&self) -> Option<usize> {
        #[derive(Deserialize)]
        struct Page {
            metadata: Meta,
            // null where there are none.
            items: Option<Vec<serde::de::IgnoredAny>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Meta {
            #[serde(default)]
            remaining_item_count: usize,
        }
        let ask = Ask::get("/api/v1/nodes?limit=1").accept(METADATA_LIST);
        let page: Page = self.read(&ask).await.ok()?;
        Some(page.items.map_or(0, |items| items.len()) + page.metadata.remaining_item_count)
    }
}

impl From<&Inner> for Cluster {
    fn from(inner: &Inner) -> Self {
        Self {
            inner: Arc::new(Inner {
                client: inner.client.clone(),
                context: inner.context.clone(),
                release: inner.release.clone(),
                ..*inner
            }),
        }
    }
}

/// Builds the HTTP client; runs a login program if the kubeconfig names one.
async fn login(config: Config) -> Result<Client, Broken> {
    // kube runs the login program while it builds the client, and waits for it on the calling thread.
    let building = tokio::task::spawn_blocking(move || client(config));
    match tokio::time::timeout(LOGIN_TIMEOUT, building).await {
        Ok(Ok(Ok(client))) => Ok(client),
        Ok(Ok(Err(error))) => Err(broken(&error)),
        Ok(Err(_)) => Err(Broken::new(Break::Other, "the HTTP client could not be built")),
        Err(_) => Err(Broken::new(
            Break::Login,
            format!(
                "the kubeconfig's login program did not end within {} s",
                LOGIN_TIMEOUT.as_secs()
            ),
        )),
    }
}

fn client(config: Config) -> Result<Client, kube::Error> {
    if config.proxy_url.is_some() {
        return Ok(ClientBuilder::try_from(config)?.build());
    }
    // kube's own stack, without what costs and is not wanted here (tracing that logs every 5xx, repeating), and with
    // TCP_NODELAY and keep-alive, which kube's does not set: a dead peer ends a watch after a minute.
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.set_keepalive(Some(Duration::from_secs(30)));
    tcp.set_keepalive_interval(Some(Duration::from_secs(10)));
    tcp.set_keepalive_retries(Some(3));
    let tls = config.rustls_https_connector_with_connector(tcp.map_response(Buffered::around))?;
    let http: Http<_, Body> = Http::builder(TokioExecutor::new()).build(tls);
    let stack = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(tower::BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(stack, config.default_namespace).build())
}

fn load(options: &ConnectOptions) -> Result<Kubeconfig, Failure> {
    if let Some(text) = &options.kubeconfig_text {
        return Kubeconfig::from_yaml(text).map_err(|error| unusable(&error, ""));
    }
    let found = match &options.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    found.map_err(|error| unusable(&error, ""))
}

/// The context to use, its server still unknown, and the `proxy-url` of its cluster.
fn chosen(kubeconfig: &Kubeconfig, wanted: Option<&str>) -> Result<(Context, Option<String>), Failure> {
    let mut names: Vec<&str> = kubeconfig.contexts.iter().map(|named| &*named.name).collect();
    names.sort_unstable();
    let there = if names.is_empty() {
        "the kubeconfig has no contexts".to_owned()
    } else {
        format!("contexts in the kubeconfig: {}", names.join(", "))
    };
    let current = kubeconfig.current_context.as_deref().filter(|name| !name.is_empty());
    let Some(name) = wanted.or(current) else {
        let failure = Failure::new(Kind::Cluster, "no cluster was chosen");
        return Err(if names.is_empty() {
            let failure = failure.because("the kubeconfig is empty: it has no contexts");
            failure.hint("name another one with --kubeconfig FILE or KUBECONFIG")
        } else {
            let failure = failure.because("the kubeconfig has no current context");
            failure.hint(there).hint("choose one with --context NAME")
        });
    };
    let found = kubeconfig.contexts.iter().find(|named| named.name == name);
    let Some(context) = found.and_then(|named| named.context.as_ref()) else {
        return Err(Failure::new(Kind::Cluster, "no cluster was reached")
            .because(format!("there is no context {name:?} in the kubeconfig"))
            .hint(there));
    };
    let cluster = kubeconfig.clusters.iter().find(|named| named.name == context.cluster);
    let proxy = cluster.and_then(|named| named.cluster.as_ref()?.proxy_url.clone());
    let namespace = context.namespace.clone().filter(|text| !text.is_empty());
    let context = Context {
        name: name.to_owned(),
        cluster: context.cluster.clone(),
        server: String::new(),
        namespace: namespace.unwrap_or_else(|| "default".to_owned()),
        nodes: None,
    };
    Ok((context, proxy))
}

fn failure(context: &Context, cause: impl fmt::Display) -> Failure {
    let at = if context.server.is_empty() {
        String::new()
    } else {
        format!(" at {}", context.server)
    };
    Failure::new(
        Kind::Cluster,
        format!("cluster {:?} could not be used", context.cluster),
    )
    .because(format!("context {:?}{at}: {cause}", context.name))
}

fn unreachable(context: &Context, broken: &Broken) -> Failure {
    let failure = failure(context, &broken.text);
    match broken.at {
        Break::ConnectionRefused => failure.hint("is the cluster running, and is this its address?"),
        Break::TimedOut | Break::Name | Break::Dropped => {
            failure.hint("check the address, VPN or proxy (HTTPS_PROXY, NO_PROXY, proxy-url)")
        }
        Break::Certificate => {
            failure.hint("compare certificate-authority and server in the kubeconfig with the cluster's")
        }
        Break::Login => failure.hint(format!("try `kubectl --context {} get namespaces`", context.name)),
        Break::Other => failure,
    }
}

/// What is wrong with a kubeconfig, in our own words.
fn unusable(error: &KubeconfigError, context: &str) -> Failure {
    let failure = |cause: String| Failure::new(Kind::Cluster, "the kubeconfig could not be used").because(cause);
    let data = |what: &str, error: &LoadDataError| match error {
        LoadDataError::DecodeBase64(_) => format!("{what} of context {context:?} is not valid base64"),
        LoadDataError::ReadFile(io, path) => {
            format!("{what} of context {context:?} cannot be read: {}: {io}", path.display())
        }
        LoadDataError::NoBase64DataOrFile => format!("{what} of context {context:?} is missing"),
    };
    match error {
        KubeconfigError::ReadConfig(io, path) => failure(match io.kind() {
            std::io::ErrorKind::NotFound => format!("there is no file {}", path.display()),
            _ => format!("{} cannot be read: {io}", path.display()),
        })
        .hint("name one with --kubeconfig FILE or KUBECONFIG"),
        KubeconfigError::FindPath => {
            failure("there is no home folder to look in".into()).hint("name one with --kubeconfig FILE")
        }
        KubeconfigError::Parse(_) => failure("it is not YAML of the form of a kubeconfig".into()),
        KubeconfigError::KindMismatch | KubeconfigError::ApiVersionMismatch => {
            failure("the files that KUBECONFIG names are not of one kind".into())
        }
        KubeconfigError::LoadClusterOfContext(name) => failure(format!(
            "context {context:?} names the cluster {name:?}, which the kubeconfig does not have"
        )),
        KubeconfigError::MissingClusterUrl => failure(format!("the cluster of context {context:?} has no server")),
        KubeconfigError::ParseClusterUrl(_) => failure(format!("the server of context {context:?} is not an address")),
        KubeconfigError::LoadCertificateAuthority(error) => failure(data("certificate-authority", error)),
        KubeconfigError::LoadClientCertificate(error) => failure(data("client-certificate", error)),
        KubeconfigError::LoadClientKey(error) => failure(data("client-key", error)),
        KubeconfigError::ParseCertificates(_) => failure(format!(
            "certificate-authority of context {context:?} holds no PEM certificates"
        )),
        KubeconfigError::ParseProxyUrl(_) | KubeconfigError::ParseNoProxy(_) => {
            failure("the proxy's address (proxy-url, HTTPS_PROXY or NO_PROXY) cannot be read".into())
        }
        _ => failure(format!("context {context:?} cannot be used")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(text: &str, context: Option<&str>) -> String {
        let options = ConnectOptions {
            kubeconfig_text: Some(text.to_owned()),
            context: context.map(str::to_owned),
            ..ConnectOptions::default()
        };
        let failure = Cluster::connect(options)
            .await
            .expect_err("because this kubeconfig leads nowhere");
        failure.to_string()
    }

    const TWO: &str = "
apiVersion: v1
kind: Config
clusters: [{name: bank, cluster: {server: 'https://127.0.0.1:1'}}, {name: odd, cluster: {server: 'https://127.0.0.1:1', certificate-authority: /nowhere/ca.crt}}]
users: [{name: u, user: {}}, {name: e, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-login-program, interactiveMode: Never}}}]
contexts:
- {name: prod, context: {cluster: bank, user: u}}
- {name: lab, context: {cluster: odd, user: u}}
- {name: exec, context: {cluster: bank, user: e}}
- {name: gone, context: {cluster: nowhere, user: u}}
";

    #[tokio::test]
    async fn what_cannot_be_used_is_said_with_what_there_is() {
        let none = "Error: no cluster was chosen\n  because: the kubeconfig has no current context\n  hint: contexts in the kubeconfig: exec, gone, lab, prod\n  hint: choose one with --context NAME";
        assert_eq!(refused(TWO, None).await, none);
        let wrong = "Error: no cluster was reached\n  because: there is no context \"stage\" in the kubeconfig\n  hint: contexts in the kubeconfig: exec, gone, lab, prod";
        assert_eq!(refused(TWO, Some("stage")).await, wrong);
        let gone = "Error: the kubeconfig could not be used\n  because: context \"gone\" names the cluster \"nowhere\", which the kubeconfig does not have";
        assert_eq!(refused(TWO, Some("gone")).await, gone);
        let authority = "Error: the kubeconfig could not be used\n  because: certificate-authority of context \"lab\" cannot be read: /nowhere/ca.crt: No such file or directory (os error 2)";
        assert_eq!(refused(TWO, Some("lab")).await, authority);
        let exec = "Error: cluster \"bank\" could not be used\n  because: context \"exec\" at https://127.0.0.1:1: the kubeconfig's login program is not installed or not in PATH\n  hint: try `kubectl --context exec get namespaces`";
        assert_eq!(refused(TWO, Some("exec")).await, exec);
        let silent = "Error: cluster \"bank\" could not be used\n  because: context \"prod\" at https://127.0.0.1:1: connection refused\n  hint: is the cluster running, and is this its address?";
        assert_eq!(refused(TWO, Some("prod")).await, silent);
        let yaml = "Error: the kubeconfig could not be used\n  because: it is not YAML of the form of a kubeconfig";
        assert_eq!(refused("clusters: {a", None).await, yaml);
    }
}
