//! From a repository reference to what it declares.

use crate::cli::SourceArgs;
use crate::declared;
use crate::error::{Failure, Kind};
use crate::event::Event;
use crate::object::{DeclaredSet, KubeVersion, RestoreRecord, ServedKinds, resolve};
use crate::source::{self, Tree};

/// Reads what the repository declares for a target that serves these kinds.
///
/// # Errors
/// The repository or the entry cannot be read, or `--strict` was given and something is wrong with the input.
pub(super) fn declare(
    args: &SourceArgs,
    kinds: &ServedKinds,
    version: KubeVersion,
    namespace: &str,
    say: &mut dyn FnMut(&Event),
) -> Result<DeclaredSet, Failure> {
    let tree = open(args, false, say)?;
    read(args, &tree, kinds, version, namespace)
}

/// Opens the repository at the revision that was asked for; with its history where that is wanted.
///
/// # Errors
/// The repository or the revision cannot be read.
pub(super) fn open(args: &SourceArgs, history: bool, say: &mut dyn FnMut(&Event)) -> Result<Tree, Failure> {
    say(&Event::Progress(format!(
        "reading {}",
        source::without_credentials(&args.repo)
    )));
    let at = args.at.as_deref().map(source::parse_date).transpose()?;
    let rev = args.rev.clone();
    let options = source::Options {
        rev,
        at,
        history,
        ..source::Options::default()
    };
    let tree = source::open(&args.repo, &options)?;
    for note in tree.notes() {
        say(&Event::Warned(note.clone()));
    }
    Ok(tree)
}

/// Reads what a tree declares for a target that serves these kinds.
///
/// # Errors
/// The entry cannot be read.
pub(super) fn read(
    args: &SourceArgs,
    tree: &Tree,
    kinds: &ServedKinds,
    version: KubeVersion,
    namespace: &str,
) -> Result<DeclaredSet, Failure> {
    let options = declared::Options {
        paths: args.path.clone(),
        namespace: namespace.to_owned(),
        values: args.values.clone(),
        kube_version: Some(version.to_string()),
        api_versions: api_versions(kinds),
        kustomize: args.kustomize_binary.clone(),
        helm: args.helm_binary.clone(),
        ..declared::Options::default()
    };
    let set = declared::load(tree, &options)?;
    Ok(resolve(set, kinds, namespace))
}

/// `v1`, `apps/v1` and `apps/v1/Deployment`, as Helm's capabilities name them.
fn api_versions(kinds: &ServedKinds) -> Vec<String> {
    let mut found = Vec::new();
    for served in kinds.0.values() {
        for version in &served.versions {
            let group_version = match served.kind.group.as_str() {
                "" => version.clone(),
                group => format!("{group}/{version}"),
            };
            found.push(format!("{group_version}/{}", served.kind.kind));
            found.push(group_version);
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Refuses input with anything wrong in it, for `--strict`. What is wrong was told before.
pub(super) fn strict(args: &SourceArgs, set: &DeclaredSet) -> Result<(), Failure> {
    if !args.strict || set.problems.is_empty() {
        return Ok(());
    }
    let (things, them) = match set.problems.len() {
        1 => ("1 thing is".to_owned(), "it"),
        count => (format!("{count} things are"), "them"),
    };
    Err(Failure::new(
        Kind::Input,
        "nothing was done: --strict takes nothing that is wrong or in doubt",
    )
    .because(format!("{things} wrong with the repository (see above)"))
    .hint(format!(
        "mend {them} in Git, or leave out --strict: the rest is restored all the same"
    )))
}

/// What is noted in the cluster about this restore.
pub(super) fn record(set: &DeclaredSet) -> RestoreRecord {
    RestoreRecord {
        repository: set.repository.location.clone(),
        entry: set.entry.paths.join(","),
        revision: set.repository.commit.clone().unwrap_or_default(),
    }
}
