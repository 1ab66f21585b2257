//! Where the programs of a control plane come from, part by part: a folder the user names, the cache, official
//! downloads, a build with Go. All of the user's folder and of Kubernetes are of one minor version.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::build;
use super::cache::{Cache, Stored};
use super::download::{self, Refusal};
use super::parts::{Part, Program};
use super::{ETCD_VERSION, KUBERNETES_VERSION, KWOK_VERSION, Progress};
use crate::error::{Failure, Kind};
use crate::process::{BASIC_ENVIRONMENT, Tool};

/// What every failure here comes to.
const NONE: &str = "there is no throwaway control plane";
/// How long a program may take to say its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(30);

/// Where programs may come from. A value, so that tests need not change the environment.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A folder with some or all of the programs (`--control-plane`, `KUBEBUILDER_ASSETS`); a file `control-plane` in it
    /// stands for four of them.
    pub folder: Option<PathBuf>,
    /// The folder that keeps what was downloaded or built; a folder below it for each version.
    pub cache: Option<PathBuf>,
    /// Replaces scheme and host of all download addresses (`REFLOAT_DOWNLOADS`).
    pub downloads: Option<String>,
    /// The folders in which `go` is looked for, written as `PATH` is.
    pub path: OsString,
}

impl Sources {
    /// As the environment says. `folder` is what the command line says; it goes before `KUBEBUILDER_ASSETS`.
    pub fn from_environment(folder: Option<PathBuf>, lookup: impl Fn(&str) -> Option<OsString>) -> Sources {
        let given = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let absolute = |name: &str| given(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let caches = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        Sources {
            folder: folder.or_else(|| given("KUBEBUILDER_ASSETS").map(PathBuf::from)),
            cache: caches.map(|caches| caches.join("refloat").join("control-plane")),
            downloads: given("REFLOAT_DOWNLOADS").map(|base| base.to_string_lossy().trim_end_matches('/').to_owned()),
            path: lookup("PATH").unwrap_or_default(),
        }
    }
}

/// The programs, ready to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obtained {
    /// All five.
    pub programs: BTreeMap<Part, Program>,
    /// The version of Kubernetes that was asked for or that the user's folder has.
    pub version: String,
    /// Where they are when the cache could not be written; to be removed with the control plane.
    pub temporary: Option<PathBuf>,
}

/// The version that a part of a control plane of this Kubernetes version has.
pub(super) fn version_of(part: Part, kubernetes: &str) -> &str {
    match part {
        Part::Etcd => ETCD_VERSION,
        Part::Kwok => KWOK_VERSION,
        _ => kubernetes,
    }
}

/// Obtains what is not there yet. `version` is the one asked for, if any (`v1.37.2`).
pub async fn obtain(
    sources: &Sources,
    version: Option<&str>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Obtained, Failure> {
    let mut programs = BTreeMap::new();
    let mut of_folder = None;
    if let Some(folder) = &sources.folder {
        programs = from_folder(folder)?;
        of_folder = one_minor(folder, &programs).await?;
    }
    let version = agree(version, of_folder.as_deref(), sources.folder.as_deref())?;
    let mut tried = Tried::default();
    if let Some(cache) = &sources.cache {
        let cache = Cache::at(cache, &version);
        add(&mut programs, cache.find_all(&version));
        if programs.len() == Part::ALL.len() {
            return Ok(Obtained {
                programs,
                version,
                temporary: None,
            });
        }
        tried.note(format!("cache: {} does not have them", cache.folder().display()));
        match fill(&cache, &mut programs, &version, sources, &mut tried, progress).await {
            Ok(()) => return finish(programs, version, None, &tried),
            Err(Stopped::Failed(failure)) => return Err(failure),
            Err(Stopped::Unwritable(reason)) => {
                progress(Progress::Warning(format!(
                    "{reason}; a temporary folder is used instead of the cache"
                )));
            }
        }
    } else {
        tried.note("cache: neither XDG_CACHE_HOME nor HOME is set".to_owned());
    }
    let (cache, made) = temporary(&version)?;
    match fill(&cache, &mut programs, &version, sources, &mut tried, progress).await {
        Ok(()) => {
            let obtained = finish(programs, version, Some(made.path().to_owned()), &tried)?;
            // From here on it is removed with the control plane.
            let _ = made.keep();
            Ok(obtained)
        }
        Err(Stopped::Failed(failure)) => Err(failure),
        Err(Stopped::Unwritable(reason)) => Err(not_obtained(&programs)
            .because(reason)
            .hint("make 500 MB of room, or set XDG_CACHE_HOME and TMPDIR to folders that have it")),
    }
}

fn temporary(version: &str) -> Result<(Cache, tempfile::TempDir), Failure> {
    let made = tempfile::Builder::new()
        .prefix("refloat-programs-")
        .tempdir()
        .map_err(|error| {
            not_obtained(&BTreeMap::new())
                .because(format!(
                    "no temporary folder could be made in {}: {error}",
                    std::env::temp_dir().display()
                ))
                .hint("set XDG_CACHE_HOME or TMPDIR to a folder that can be written")
        })?;
    Ok((Cache::at(made.path(), version), made))
}

/// Why filling a cache did not go on.
enum Stopped {
    /// The folder cannot be written: another one may do.
    Unwritable(String),
    Failed(Failure),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unwritable(reason) => Stopped::Unwritable(reason),
            Refusal::Distrusted(reason) => Stopped::Failed(
                Failure::new(Kind::Tool, NONE)
                    .because(reason)
                    .hint("nothing of it was kept; try again, and if it stays so do not trust what is between here and there")
                    .hint("or name a folder that has the programs: --control-plane DIR"),
            ),
        }
    }
}

/// What was tried in vain, in order, for the error.
#[derive(Default)]
pub(super) struct Tried {
    reasons: Vec<String>,
}

impl Tried {
    /// Notes a reason once.
    pub fn note(&mut self, reason: String) {
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }
}

/// Downloads and builds what is missing into a cache. One process at a time does; who comes second finds it done.
async fn fill(
    cache: &Cache,
    programs: &mut BTreeMap<Part, Program>,
    version: &str,
    sources: &Sources,
    tried: &mut Tried,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Stopped> {
    let _lock = cache.lock(progress).await.map_err(Stopped::Unwritable)?;
    add(programs, cache.find_all(version));
    let missing = missing(programs);
    download::download(cache, &missing, version, sources.downloads.as_deref(), tried, progress).await?;
    add(programs, cache.find_all(version));
    let missing = self::missing(programs);
    build::build(cache, &missing, version, &sources.path, tried, progress).await?;
    add(programs, cache.find_all(version));
    Ok(())
}

fn add(programs: &mut BTreeMap<Part, Program>, found: BTreeMap<Part, Stored>) {
    for (part, stored) in found {
        programs.entry(part).or_insert(stored.program);
    }
}

fn missing(programs: &BTreeMap<Part, Program>) -> Vec<Part> {
    Part::ALL
        .into_iter()
        .filter(|part| !programs.contains_key(part))
        .collect()
}

fn not_obtained(programs: &BTreeMap<Part, Program>) -> Failure {
    let missing: Vec<&str> = missing(programs).into_iter().map(Part::name).collect();
    let missing = match missing.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => missing.concat(),
    };
    Failure::new(Kind::Tool, format!("{NONE}: {missing} could not be obtained"))
}

fn finish(
    programs: BTreeMap<Part, Program>,
    version: String,
    temporary: Option<PathBuf>,
    tried: &Tried,
) -> Result<Obtained, Failure> {
    if missing(&programs).is_empty() {
        return Ok(Obtained {
            programs,
            version,
            temporary,
        });
    }
    let failure = tried
        .reasons
        .iter()
        .fold(not_obtained(&programs), |failure, reason| failure.because(reason));
    Err(failure
        .hint(format!(
            "install Go {} or newer (https://go.dev/dl): refloat then builds them, which takes minutes once",
            build::GO
        ))
        .hint("or run once with a network: they are downloaded and kept")
        .hint("or name a folder that has them: --control-plane DIR"))
}

/// What a folder of the user's has.
fn from_folder(folder: &Path) -> Result<BTreeMap<Part, Program>, Failure> {
    let several = crate::process::which_in("control-plane", folder.as_os_str());
    let mut found = BTreeMap::new();
    for part in Part::ALL {
        let file = std::path::absolute(folder.join(part.name())).unwrap_or_else(|_| folder.join(part.name()));
        if let Some(file) = crate::process::which(&file.to_string_lossy()) {
            found.insert(part, Program { file, part: None });
        } else if let (Some(file), true) = (&several, part != Part::Kwok) {
            found.insert(
                part,
                Program {
                    file: file.clone(),
                    part: Some(part),
                },
            );
        }
    }
    if found.is_empty() {
        let names: Vec<&str> = Part::ALL.into_iter().map(Part::name).collect();
        return Err(Failure::new(Kind::Usage, NONE)
            .because(format!("{} has none of {}", folder.display(), names.join(", ")))
            .hint(
                "name a folder that has some (--control-plane, KUBEBUILDER_ASSETS), or none: then they are obtained",
            ));
    }
    Ok(found)
}

/// The version of Kubernetes that the programs of a folder have, where they have one; they must agree on the minor.
async fn one_minor(folder: &Path, programs: &BTreeMap<Part, Program>) -> Result<Option<String>, Failure> {
    let asked = programs.iter().filter(|(part, _)| part.is_kubernetes());
    let said =
        futures::future::join_all(asked.map(|(part, program)| async { (*part, say_version(program).await) })).await;
    let mut first: Option<(Part, String)> = None;
    for (part, version) in said {
        let version = version.map_err(|reason| {
            Failure::new(Kind::Tool, NONE).because(format!(
                "{part} in {} does not say its version: {reason}",
                folder.display()
            ))
        })?;
        match &first {
            None => first = Some((part, version)),
            Some((other, of_other)) if minor(of_other) != minor(&version) => {
                return Err(Failure::new(Kind::Usage, NONE)
                    .because(format!(
                        "{} mixes minor versions: {other} is {of_other}, {part} is {version}",
                        folder.display()
                    ))
                    .hint("name a folder whose programs are of one minor version"));
            }
            Some(_) => {}
        }
    }
    Ok(first.map(|(_, version)| version))
}

async fn say_version(program: &Program) -> Result<String, String> {
    let tool = Tool::new(&program.file)
        .args(program.part.map(Part::name))
        .arg("--version")
        .inherit(BASIC_ENVIRONMENT)
        .timeout(VERSION_TIMEOUT);
    let ran = tool.run_async().await.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    let version = text.split_whitespace().find(|word| minor(word).is_some());
    version
        .map(str::to_owned)
        .ok_or_else(|| "its --version names none".to_owned())
}

/// `(1, 37)` of `v1.37.2`.
fn minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix('v')?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The version to have: that of the folder where it has one, else the one asked for, else the default.
fn agree(asked: Option<&str>, of_folder: Option<&str>, folder: Option<&Path>) -> Result<String, Failure> {
    let refused = |because: String| Failure::new(Kind::Usage, NONE).because(because);
    if let Some(asked) = asked
        && minor(asked).is_none()
    {
        return Err(refused(format!(
            "{asked} is no version of Kubernetes; one looks like {KUBERNETES_VERSION}"
        )));
    }
    match (asked, of_folder) {
        (Some(asked), Some(found)) if minor(asked) != minor(found) => {
            let folder = folder.unwrap_or(Path::new(""));
            Err(refused(format!(
                "{asked} was asked for, and the programs in {} are {found}",
                folder.display()
            )))
        }
        (_, Some(found)) => Ok(found.to_owned()),
        (Some(asked), None) => Ok(asked.to_owned()),
        (None, None) => Ok(KUBERNETES_VERSION.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_the_sources() {
        let lookup = |name: &str| {
            let value = match name {
                "HOME" => "/home/me",
                "REFLOAT_DOWNLOADS" => "http://127.0.0.1:1/",
                "KUBEBUILDER_ASSETS" => "/assets",
                "PATH" => "/bin",
                _ => return None,
            };
            Some(OsString::from(value))
        };
        let sources = Sources::from_environment(None, lookup);
        assert_eq!(
            sources.cache.as_deref(),
            Some(Path::new("/home/me/.cache/refloat/control-plane"))
        );
        assert_eq!(sources.downloads.as_deref(), Some("http://127.0.0.1:1"));
        assert_eq!(sources.folder.as_deref(), Some(Path::new("/assets")));
        let named = Sources::from_environment(Some("/mine".into()), lookup);
        assert_eq!(named.folder.as_deref(), Some(Path::new("/mine")));
    }

    #[test]
    fn the_version_of_the_folder_decides() {
        let folder = Some(Path::new("/assets"));
        assert_eq!(agree(None, None, None).expect("the default"), KUBERNETES_VERSION);
        assert_eq!(agree(Some("v1.36.0"), None, None).expect("it was asked for"), "v1.36.0");
        assert_eq!(
            agree(Some("v1.36.0"), Some("v1.36.3"), folder).expect("one minor"),
            "v1.36.3"
        );
        let error = agree(Some("v1.35.0"), Some("v1.36.3"), folder)
            .expect_err("two minors")
            .to_string();
        assert!(
            error.contains("v1.35.0 was asked for, and the programs in /assets are v1.36.3"),
            "{error}"
        );
        agree(Some("latest"), None, None).expect_err("no version");
    }
}
