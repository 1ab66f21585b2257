//! Gets charts: given by hand, from repositories, from registries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use regex::Regex;

use super::cache::{Cache, Remembered, sha256};
use super::credentials::{Configuration, Credentials};
use super::files::Files;
use super::index::{self, Entry};
use super::registry::{Asking, OFFLINE, Registries, Repository, said};
use super::version::{Range, Version, choose};
use super::wanted::{
    Artifact, ArtifactRef, CHART_LAYER, ChartRef, ChartSource, Fetched, NotObtained, OLD_CHART_LAYER, Reference,
};
use crate::net::{self, Access, Question, Session};

/// Most bytes of an index, as Flux's `helm-index-max-size`.
const LARGEST_INDEX: usize = 50 << 20;
/// Most bytes of a chart's archive.
const LARGEST_CHART: usize = 100 << 20;

/// An index, once it was fetched or not.
type Slot = Arc<OnceLock<Result<Arc<str>, String>>>;

/// Gets charts; several threads may ask at once.
#[derive(Default)]
pub struct Charts {
    session: Session,
    cache: Cache,
    registries: Registries,
    configuration: Configuration,
    /// Folders and archives by the name under which they were given.
    given: Vec<(String, PathBuf)>,
    offline: bool,
    /// The indexes of this run, each fetched once.
    indexes: Mutex<BTreeMap<(String, Access), Slot>>,
}

impl std::fmt::Debug for Charts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Charts")
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}

impl Charts {
    /// `cache` is the folder to keep what is fetched in; `given` are charts by hand, under their name, `REPOSITORY/NAME`, or the
    /// `NAMESPACE/NAME` of their Flux source; `offline` takes only those and what was fetched before.
    pub fn new(
        cache: Option<PathBuf>,
        given: Vec<(String, PathBuf)>,
        configuration: Configuration,
        offline: bool,
    ) -> Self {
        Self {
            cache: Cache::new(cache),
            given,
            configuration,
            offline,
            ..Self::default()
        }
    }

    /// What the machine's configuration knows.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Gets a chart.
    ///
    /// # Errors
    /// Why it was not obtained, and what would help.
    pub fn get(&self, wanted: &ChartRef) -> Result<Fetched, NotObtained> {
        let given = self.given_for(wanted);
        let found = match (&given, &wanted.source) {
            (Some(path), _) => self.of_machine(path, &wanted.version),
            (None, ChartSource::Given(path)) => self.of_machine(path, ""),
            (None, ChartSource::Http { url, credentials }) => self.of_repository(url, credentials, wanted),
            (None, ChartSource::Oci { url, credentials }) => self.of_registry(url, credentials, wanted),
            (None, ChartSource::Artifact(artifact)) => self.of_artifact(artifact),
        };
        found.map_err(|cause| {
            let what = format!("{} {}", wanted.name, wanted.version);
            let (of, hint) = match (&given, &wanted.source) {
                (Some(path), _) | (None, ChartSource::Given(path)) => (path.display().to_string(), String::new()),
                (None, ChartSource::Http { url, .. } | ChartSource::Oci { url, .. }) => (
                    net::public(url),
                    format!("--chart {}=PATH takes the chart from this machine", wanted.name),
                ),
                (None, ChartSource::Artifact(artifact)) => (
                    net::public(&artifact.url),
                    format!("--chart {}=PATH takes the chart from this machine", wanted.name),
                ),
            };
            let hint = match hint.is_empty() {
                true => "give a chart's folder, or its archive (.tgz)".to_owned(),
                false => hint,
            };
            NotObtained {
                cause: format!("the chart {} of {of} is not at hand: {cause}", what.trim_end()),
                hint,
            }
        })
    }

    /// Gets an artifact, of which nothing is known but its layer.
    ///
    /// # Errors
    /// Why it was not obtained, and what would help.
    pub fn artifact(&self, wanted: &ArtifactRef) -> Result<Artifact, NotObtained> {
        self.layer(wanted).map_err(|cause| NotObtained {
            cause: format!("the artifact {} is not at hand: {cause}", net::public(&wanted.url)),
            hint: "check its address and reference, and the credentials for it".to_owned(),
        })
    }

    fn given_for(&self, wanted: &ChartRef) -> Option<PathBuf> {
        let fits = |name: &String| *name == wanted.name || wanted.called.contains(name);
        let found = self.given.iter().rev().find(|(name, _)| fits(name));
        found.map(|(_, path)| path.clone())
    }

    /// A chart in a folder or archive on this machine. It is taken whatever its version is, which is told.
    fn of_machine(&self, path: &Path, asked: &str) -> Result<Fetched, String> {
        let unreadable = |cause: std::io::Error| format!("it could not be read: {cause}");
        let is_folder = std::fs::metadata(path).map_err(unreadable)?.is_dir();
        let (about, digest) = match is_folder {
            true => (
                std::fs::read(path.join("Chart.yaml")).map_err(|_| "it has no Chart.yaml".to_owned())?,
                None,
            ),
            false => {
                let bytes = std::fs::read(path).map_err(unreadable)?;
                let files = Files::of_chart(&bytes)?;
                (
                    files.get("Chart.yaml").unwrap_or_default().to_vec(),
                    Some(sha256(&bytes)),
                )
            }
        };
        let (name, version) = name_and_version(&about)?;
        let satisfies =
            |version: &Version| Range::parse(asked).map_or(asked == version.original(), |range| range.allows(version));
        let fits =
            asked.is_empty() || asked == version || Version::parse(&version).is_some_and(|version| satisfies(&version));
        let remark = || {
            format!(
                "the chart {} that was given for it has the version {version}, not {asked}",
                path.display()
            )
        };
        Ok(Fetched {
            path: path.to_owned(),
            remarks: if fits { Vec::new() } else { vec![remark()] },
            name,
            version,
            digest,
            revision: None,
        })
    }

    fn fetched(&self, path: PathBuf, bytes: &[u8], revision: Option<String>) -> Result<Fetched, String> {
        let files = Files::of_chart(bytes).map_err(|error| format!("what came is no chart: {error}"))?;
        let (name, version) = name_and_version(files.get("Chart.yaml").unwrap_or_default())?;
        Ok(Fetched {
            path,
            name,
            version,
            digest: Some(sha256(bytes)),
            revision,
            remarks: Vec::new(),
        })
    }
}

fn name_and_version(about: &[u8]) -> Result<(String, String), String> {
    let about = kube_yaml::parse_one(about)
        .value
        .map_err(|error| format!("its Chart.yaml cannot be read: {error}"))?;
    let text = |key: &str| about[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let both = text("name").zip(text("version"));
    both.ok_or_else(|| "its Chart.yaml has no name or no version".to_owned())
}

/// Repositories with an index.
impl Charts {
    fn of_repository(&self, url: &str, credentials: &Credentials, wanted: &ChartRef) -> Result<Fetched, String> {
        let everywhere = credentials.access.everywhere;
        let nothing = Access {
            everywhere,
            ..Access::default()
        };
        let access = match credentials.access == nothing {
            true => {
                let known = self.configuration.repository(url)?;
                let known = known.map(|(_, access)| access).unwrap_or_default();
                Access {
                    everywhere: everywhere || known.everywhere,
                    ..known
                }
            }
            false => credentials.access.clone(),
        };
        let index = self.index(url, &access)?;
        let Some(entries) = index::entries(&index, &wanted.name)? else {
            return Err(format!("its index has no chart named {}", wanted.name));
        };
        let entry = choose(
            &wanted.version,
            &entries,
            |entry: &Entry| &entry.version,
            Version::parse,
        )?;
        let address = entry
            .urls
            .first()
            .ok_or_else(|| format!("its index says no address for {}", entry.version))?;
        let address = net::resolve(url, address).map_err(|error| error.to_string())?;
        if let Some((path, bytes)) = entry.digest.as_ref().and_then(|digest| self.cache.content(digest)) {
            return self.fetched(path, &bytes, None);
        }
        let access = match net::same_server(url, &address) || access.everywhere {
            true => access,
            false => access.for_strangers(),
        };
        if address.starts_with("oci://") {
            return self.at_registry(&address, credentials, &entry.version);
        }
        let bytes = self.content(&address, access, LARGEST_CHART, false)?;
        let sum = sha256(&bytes);
        if let Some(expected) = entry.digest.as_ref().filter(|expected| **expected != sum) {
            return Err(format!(
                "what came from {} has the checksum sha256:{sum}, and its index says sha256:{expected}",
                net::public(&address)
            ));
        }
        let path = self.cache.keep(&bytes).map_err(|cause| cause.to_string())?;
        self.fetched(path, &bytes, None)
    }

    fn index(&self, url: &str, access: &Access) -> Result<Arc<str>, String> {
        let key = (url.to_owned(), access.clone());
        let slot = self
            .indexes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key)
            .or_default()
            .clone();
        let fetch = || {
            let address = net::resolve(url, "index.yaml").map_err(|error| error.to_string())?;
            let bytes = self.content(&address, access.clone(), LARGEST_INDEX, true)?;
            let text = String::from_utf8(bytes).map_err(|_| "its index.yaml is no UTF-8".to_owned())?;
            Ok(text.into())
        };
        slot.get_or_init(fetch).clone()
    }

    /// What an address answers, or answered before if it is still so.
    fn content(&self, address: &str, access: Access, limit: usize, replace: bool) -> Result<Vec<u8>, String> {
        let known = self.cache.recall(address);
        let known = known.and_then(|known| Some((self.cache.content(&known.sha256)?.1, known)));
        if self.offline {
            return known.map(|(bytes, _)| bytes).ok_or_else(|| OFFLINE.to_owned());
        }
        let question = Question {
            address: address.to_owned(),
            access,
            limit,
            known: known.as_ref().map(|(_, known)| known.stamp()).unwrap_or_default(),
            ..Question::default()
        };
        let reply = self.session.ask(question).map_err(|error| error.to_string())?;
        match known {
            Some((bytes, _)) if reply.status == 304 => return Ok(bytes),
            _ => {}
        }
        let stamp = reply.stamp();
        let bytes = reply.success().map_err(|error| said(&error))?.body;
        self.cache.keep(&bytes).map_err(|cause| cause.to_string())?;
        self.cache
            .remember(address, Remembered::new(&sha256(&bytes), None, stamp), replace);
        Ok(bytes)
    }
}

/// Registries.
impl Charts {
    fn asking<'a>(&'a self, repository: &'a Repository, credentials: &'a Credentials) -> Asking<'a> {
        Asking {
            registries: &self.registries,
            session: &self.session,
            cache: &self.cache,
            configuration: &self.configuration,
            repository,
            credentials,
            offline: self.offline,
        }
    }

    fn of_registry(&self, url: &str, credentials: &Credentials, wanted: &ChartRef) -> Result<Fetched, String> {
        self.at_registry(
            &format!("{}/{}", url.trim_end_matches('/'), wanted.name),
            credentials,
            &wanted.version,
        )
    }

    /// A version is its own tag, `+` written `_`; a range is looked for among the tags that are strict versions (`pkg/registry/client.go`).
    fn at_registry(&self, address: &str, credentials: &Credentials, version: &str) -> Result<Fetched, String> {
        let (repository, own) = Repository::parse(address)?;
        let asking = self.asking(&repository, credentials);
        let tag = match own {
            Some(reference) => reference,
            None if Version::parse(version).is_some() => version.replace('+', "_"),
            None => {
                let tags: Vec<String> = asking.tags()?.into_iter().map(|tag| tag.replace('_', "+")).collect();
                choose(version, &tags, String::as_str, Version::strict)?.replace('+', "_")
            }
        };
        let manifest = asking.manifest(&tag)?;
        let layer = manifest.layer(&[CHART_LAYER, OLD_CHART_LAYER]);
        let layer = layer.ok_or_else(|| format!("{tag} is no chart: its layers are {}", manifest.media_types()))?;
        let (path, bytes) = asking.layer(layer)?;
        self.fetched(path, &bytes, None)
    }

    fn of_artifact(&self, wanted: &ArtifactRef) -> Result<Fetched, String> {
        let artifact = self.layer(wanted)?;
        self.fetched(artifact.path, &artifact.content, Some(artifact.revision))
    }

    /// As source-controller (`ocirepository_controller.go`): the layer of the media type asked for, else the first.
    fn layer(&self, wanted: &ArtifactRef) -> Result<Artifact, String> {
        let (repository, _) = Repository::parse(&wanted.url)?;
        let asking = self.asking(&repository, &wanted.credentials);
        let (reference, tag) = match &wanted.reference {
            Reference::Digest(digest) => (digest.clone(), None),
            Reference::Tag(tag) => (tag.clone(), Some(tag.clone())),
            Reference::Range { range, filter } => {
                let is_chart = wanted.layer.as_deref() == Some(CHART_LAYER);
                let tag = tag_in_range(asking.tags()?, range, filter, is_chart)?;
                (tag.clone(), Some(tag))
            }
        };
        let manifest = asking.manifest(&reference)?;
        let types: Vec<&str> = wanted.layer.as_deref().into_iter().collect();
        let layer = manifest.layer(&types).ok_or_else(|| {
            let wanted = wanted.layer.as_deref().unwrap_or("any");
            format!(
                "{reference} has no layer of the media type {wanted}; its layers are {}",
                manifest.media_types()
            )
        })?;
        let (path, content) = asking.layer(layer)?;
        let revision = match tag {
            Some(tag) => format!("{tag}@{}", manifest.digest),
            None => manifest.digest,
        };
        Ok(Artifact {
            path,
            content,
            revision,
        })
    }
}

/// The newest tag in a range. Tags of charts write `+` as `_`.
fn tag_in_range(tags: Vec<String>, range: &str, filter: &str, is_chart: bool) -> Result<String, String> {
    let filter = Regex::new(filter).map_err(|_| format!("the filter {filter} is no regular expression"))?;
    let tags = tags.into_iter().filter(|tag| filter.is_match(tag));
    let tags: Vec<String> = match is_chart {
        true => tags.map(|tag| tag.replace('_', "+")).collect(),
        false => tags.collect(),
    };
    // Flux takes no tag for its name alone here.
    Range::parse(range)?;
    let versions: Vec<String> = tags.into_iter().filter(|tag| Version::of_tag(tag).is_some()).collect();
    let tag = choose(range, &versions, String::as_str, Version::of_tag)?;
    Ok(if is_chart { tag.replace('+', "_") } else { tag.clone() })
}
