//! The pull half of the OCI distribution protocol: tags, manifests, layers, and the dance for tokens.
//!
//! By hand over the project's one HTTP client: the crate for it (oci-client 0.18) brings 25 others and a client of its own, without the
//! rules for redirects, retries and errors that hold here. Source: opencontainers/distribution-spec v1.1, `spec.md`; for tokens the
//! distribution project's `docs/spec/auth`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::cache::{Cache, Remembered, sha256};
use super::credentials::{Configuration, Credentials, Login};
use crate::net::{Access, Authorization, NetError, Question, Reply, Session, Stamp, same_server};

/// Manifests, and lists of them, that are understood.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";
/// Most bytes of a manifest or a list of tags, as the specification suggests.
pub(super) const LARGEST_MANIFEST: usize = 4 << 20;
/// Most bytes of a layer.
const LARGEST_LAYER: u64 = 100 << 20;
/// Most pages of tags.
const MOST_PAGES: usize = 500;

/// A repository in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repository {
    /// Host, with a port where it has one.
    pub host: String,
    /// Path.
    pub path: String,
}

impl Repository {
    /// That of an address such as `oci://ghcr.io/charts/web`; a tag or digest in it is given back.
    ///
    /// # Errors
    /// Says that it is none.
    pub fn parse(address: &str) -> Result<(Self, Option<String>), String> {
        let none = || format!("{} is no address of an OCI repository", crate::net::public(address));
        let rest = address.strip_prefix("oci://").ok_or_else(none)?;
        let (host, path) = rest.split_once('/').ok_or_else(none)?;
        let (path, reference) = match path.split_once('@') {
            Some((path, digest)) => (path.split(':').next().unwrap_or(path), Some(digest)),
            None => path
                .split_once(':')
                .map_or((path, None), |(path, tag)| (path, Some(tag))),
        };
        let path = path.trim_matches('/');
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
        if host.is_empty() || host.contains('@') || path.is_empty() || !path.chars().all(fits) {
            return Err(none());
        }
        let is_hub = matches!(host, "docker.io" | "index.docker.io");
        let repository = Self {
            host: if is_hub { "registry-1.docker.io" } else { host }.to_owned(),
            path: if is_hub && !path.contains('/') {
                format!("library/{path}")
            } else {
                path.to_owned()
            },
        };
        Ok((repository, reference.map(str::to_owned)))
    }
}

/// A manifest, with what it is called.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    /// `sha256:…` of what the tag names: of the list where it names one.
    pub digest: String,
    /// Media type, digest and size of each layer.
    layers: Vec<Layer>,
}

/// A layer of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer {
    /// Its media type.
    pub media_type: String,
    /// `sha256:…`.
    pub digest: String,
    size: u64,
}

impl Manifest {
    /// The first layer of one of some media types, in their order; with none given the very first.
    pub fn layer(&self, media_types: &[&str]) -> Option<&Layer> {
        if media_types.is_empty() {
            return self.layers.first();
        }
        media_types
            .iter()
            .find_map(|wanted| self.layers.iter().find(|layer| layer.media_type == *wanted))
    }

    /// The media types that it has, for an error.
    pub fn media_types(&self) -> String {
        let types: Vec<&str> = self.layers.iter().map(|layer| layer.media_type.as_str()).collect();
        if types.is_empty() {
            "none".to_owned()
        } else {
            types.join(", ")
        }
    }
}

/// What registries are known to want.
#[derive(Default)]
pub(super) struct Registries {
    /// Tokens by repository and who asked.
    tokens: Mutex<BTreeMap<String, Authorization>>,
    /// What the machine's configuration says of repositories: programs for credentials are asked once.
    logins: Mutex<BTreeMap<String, Result<Option<Login>, String>>>,
}

impl Registries {
    pub fn login(&self, configuration: &Configuration, repository: &Repository) -> Result<Option<Login>, String> {
        let Repository { host, path } = repository;
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        let known = logins.entry(format!("{host}/{path}"));
        known.or_insert_with(|| configuration.login(host, path)).clone()
    }
}

/// What one repository is asked with.
pub(super) struct Asking<'a> {
    pub registries: &'a Registries,
    pub session: &'a Session,
    pub cache: &'a Cache,
    pub configuration: &'a Configuration,
    pub repository: &'a Repository,
    pub credentials: &'a Credentials,
    /// Only what is in the cache.
    pub offline: bool,
}

/// Why something is not there without network.
pub(super) const OFFLINE: &str = "it is not among what was fetched before, and nothing is fetched offline";

impl Asking<'_> {
    /// All tags.
    ///
    /// # Errors
    /// What the registry said.
    pub fn tags(&self) -> Result<Vec<String>, String> {
        if self.offline {
            let known = self.recalled("tags/list")?;
            return serde_json::from_slice(&known).map_err(|_| "what was fetched last is damaged".to_owned());
        }
        let mut tags: Vec<String> = Vec::new();
        let mut address = self.address("tags/list?n=1000");
        for _ in 0..MOST_PAGES {
            let reply = self.get(&address, "", LARGEST_MANIFEST)?;
            let page: Value =
                serde_json::from_slice(&reply.body).map_err(|_| "its list of tags is no JSON".to_owned())?;
            tags.extend(
                page["tags"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .map(str::to_owned),
            );
            match reply.headers("link").find_map(next_page) {
                Some(next) => {
                    let next = url::Url::parse(&address).and_then(|at| at.join(next));
                    let next = next
                        .map_err(|_| "its list of tags goes on at no address".to_owned())?
                        .to_string();
                    if !same_server(&address, &next) {
                        return Err("its list of tags goes on at another server".to_owned());
                    }
                    address = next;
                }
                None => return self.remember_tags(tags),
            }
        }
        Err("its list of tags does not end".to_owned())
    }

    fn remember_tags(&self, tags: Vec<String>) -> Result<Vec<String>, String> {
        let text = Value::from(tags.clone()).to_string();
        self.remember("tags/list", text.as_bytes(), true)?;
        Ok(tags)
    }

    /// What was fetched last of a name that may change.
    fn recalled(&self, rest: &str) -> Result<Vec<u8>, String> {
        let known = self.cache.recall(&self.address(rest));
        let content = known.and_then(|known| self.cache.content(&known.sha256));
        content.map(|(_, bytes)| bytes).ok_or_else(|| OFFLINE.to_owned())
    }

    fn remember(&self, rest: &str, bytes: &[u8], replace: bool) -> Result<(), String> {
        self.cache.keep(bytes).map_err(|cause| cause.to_string())?;
        let now = Remembered::new(&sha256(bytes), None, Stamp::default());
        self.cache.remember(&self.address(rest), now, replace);
        Ok(())
    }

    /// The manifest of a tag or digest; of a list the one for linux/amd64, or the only one.
    ///
    /// # Errors
    /// What the registry said, or what is wrong with its answer.
    pub fn manifest(&self, reference: &str) -> Result<Manifest, String> {
        let (digest, value) = self.one_manifest(reference)?;
        let entries = value["manifests"].as_array();
        let Some(entries) = entries else {
            return Ok(Manifest {
                digest,
                layers: layers(&value),
            });
        };
        let is_default =
            |entry: &&Value| entry["platform"]["os"] == "linux" && entry["platform"]["architecture"] == "amd64";
        let one = entries
            .iter()
            .find(is_default)
            .or_else(|| entries.first().filter(|_| entries.len() == 1));
        let one = one.and_then(|entry| entry["digest"].as_str());
        let one = one.ok_or("it is a list of manifests, none of which is for linux/amd64")?;
        let (_, value) = self.one_manifest(one)?;
        Ok(Manifest {
            digest,
            layers: layers(&value),
        })
    }

    fn one_manifest(&self, reference: &str) -> Result<(String, Value), String> {
        let expected = match reference.split_once(':') {
            Some(_) => Some(known_sum(reference)?),
            None => None,
        };
        let name = format!("manifests/{reference}");
        let known = expected.and_then(|sum| self.cache.content(sum)).map(|(_, bytes)| bytes);
        let bytes = match known {
            Some(bytes) => bytes,
            None if self.offline && expected.is_none() => self.recalled(&name)?,
            None => self.get(&self.address(&name), MANIFESTS, LARGEST_MANIFEST)?.body,
        };
        let sum = sha256(&bytes);
        if expected.is_some_and(|expected| expected != sum) {
            return Err(format!("what came as {reference} has the checksum sha256:{sum}"));
        }
        let value = serde_json::from_slice(&bytes).map_err(|_| format!("the manifest {reference} is no JSON"))?;
        match expected {
            Some(_) => self.cache.keep(&bytes).map(|_| ()).map_err(|cause| cause.to_string())?,
            None => self.remember(&name, &bytes, false)?,
        }
        Ok((format!("sha256:{sum}"), value))
    }

    /// The content of a layer, which is kept, and the file that it lies in.
    ///
    /// # Errors
    /// What the registry said, or that something else came.
    pub fn layer(&self, layer: &Layer) -> Result<(std::path::PathBuf, Vec<u8>), String> {
        let sum = known_sum(&layer.digest)?;
        if let Some(known) = self.cache.content(sum) {
            return Ok(known);
        }
        if layer.size > LARGEST_LAYER {
            return Err(format!("its layer has {} MiB, and 100 are the most", layer.size >> 20));
        }
        let address = self.address(&format!("blobs/{}", layer.digest));
        let bytes = self.get(&address, "", LARGEST_LAYER as usize)?.body;
        let came = sha256(&bytes);
        if came != sum {
            return Err(format!(
                "its layer {} came with the checksum sha256:{came}",
                layer.digest
            ));
        }
        let file = self.cache.keep(&bytes).map_err(|cause| cause.to_string())?;
        Ok((file, bytes))
    }

    fn address(&self, rest: &str) -> String {
        let scheme = if self.credentials.insecure { "http" } else { "https" };
        format!("{scheme}://{}/v2/{}/{rest}", self.repository.host, self.repository.path)
    }

    fn get(&self, address: &str, accept: &str, limit: usize) -> Result<Reply, String> {
        if self.offline {
            return Err(OFFLINE.to_owned());
        }
        let key = format!("{}/{} {:?}", self.repository.host, self.repository.path, self.who()?);
        let known = self
            .registries
            .tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        let ask = |authorization: Option<Authorization>| {
            let question = Question {
                address: address.to_owned(),
                access: Access {
                    authorization,
                    ..self.credentials.access.clone()
                },
                accept: accept.to_owned(),
                limit,
                known: Stamp::default(),
                form: None,
                json: None,
            };
            self.session.ask(question).map_err(|error| error.to_string())
        };
        let reply = ask(known)?;
        let reply = match reply.status {
            401 => {
                let challenges: Vec<String> = reply.headers("www-authenticate").map(str::to_owned).collect();
                let authorization = self.answer(&challenges)?;
                let mut tokens = self.registries.tokens.lock().unwrap_or_else(PoisonError::into_inner);
                tokens.insert(key, authorization.clone());
                drop(tokens);
                ask(Some(authorization))?
            }
            _ => reply,
        };
        reply.success().map_err(|error| said(&error))
    }
}

/// A status with what it likely means.
pub(super) fn said(error: &NetError) -> String {
    let meaning = match error {
        NetError::Status { status: 401, .. } => ": the credentials were not accepted",
        NetError::Status { status: 403, .. } => ": the credentials may not read it",
        NetError::Status { status: 404, .. } => ": there is no such thing, or it is hidden from who asks",
        NetError::Status { status: 429, .. } => ": too many questions, later again",
        _ => "",
    };
    format!("{error}{meaning}")
}

/// The hexadecimal half of a digest.
fn known_sum(digest: &str) -> Result<&str, String> {
    let sum = digest.strip_prefix("sha256:").filter(|sum| sum.len() == 64);
    let sum = sum.filter(|sum| sum.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    sum.ok_or_else(|| format!("{digest} is no sha256 digest"))
}

fn layers(manifest: &Value) -> Vec<Layer> {
    let layers = manifest["layers"].as_array().into_iter().flatten();
    let text = |layer: &Value, key: &str| layer[key].as_str().unwrap_or_default().to_owned();
    layers
        .map(|layer| Layer {
            media_type: text(layer, "mediaType"),
            digest: text(layer, "digest"),
            size: layer["size"].as_u64().unwrap_or_default(),
        })
        .collect()
}

/// The address in `<…>; rel="next"`.
fn next_page(link: &str) -> Option<&str> {
    let (address, rest) = link.strip_prefix('<')?.split_once('>')?;
    rest.replace(['"', ' '], "").contains("rel=next").then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let parse = |address| {
            let (Repository { host, path }, reference) = Repository::parse(address)?;
            Ok::<_, String>((host, path, reference))
        };
        let expect = |host: &str, path: &str, reference: Option<&str>| {
            Ok((host.to_owned(), path.to_owned(), reference.map(str::to_owned)))
        };
        assert_eq!(parse("oci://ghcr.io/a/web"), expect("ghcr.io", "a/web", None));
        assert_eq!(
            parse("oci://127.0.0.1:5000/web:1.2.3"),
            expect("127.0.0.1:5000", "web", Some("1.2.3"))
        );
        assert_eq!(
            parse("oci://ghcr.io/web:1@sha256:ab"),
            expect("ghcr.io", "web", Some("sha256:ab"))
        );
        assert_eq!(
            parse("oci://docker.io/web"),
            expect("registry-1.docker.io", "library/web", None)
        );
        for address in [
            "https://ghcr.io/a",
            "oci://ghcr.io",
            "oci:///web",
            "oci://me:canary@ghcr.io/web",
            "oci://ghcr.io/Web",
        ] {
            let error = parse(address).expect_err("it is none");
            assert!(
                error.ends_with("is no address of an OCI repository") && !error.contains("canary"),
                "{error}"
            );
        }
    }

    #[test]
    fn pages_are_followed() {
        assert_eq!(
            next_page("</v2/web/tags/list?last=b&n=2>; rel=\"next\""),
            Some("/v2/web/tags/list?last=b&n=2")
        );
        assert_eq!(next_page("</v2/web>; rel=\"prev\""), None);
    }

    #[test]
    fn digests_must_be_sha256() {
        assert!(known_sum(&format!("sha256:{}", "a".repeat(64))).is_ok());
        for digest in ["sha512:aa", "sha256:aa", "sha256:../../etc/passwd", "main"] {
            assert!(known_sum(digest).is_err(), "{digest}");
        }
    }
}
