//! From a repository reference to what it declares.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::{keys, past};
use crate::cli::SourceArgs;
use crate::cluster::{Cluster, Endpoint};
use crate::declared::helm::{Charts, Configuration};
use crate::declared::{self, ClusterParams};
use crate::error::{Failure, Kind};
use crate::event::Event;
use crate::object::{
    DeclaredSet, GroupKind, KubeVersion, ObjectId, ProblemKind, RestoreRecord, Scope, ServedKinds, api_group,
    normalize, resolve,
};
use crate::source::{self, Tree};

/// What is declared is declared for.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    /// The kinds that it serves.
    pub kinds: &'a ServedKinds,
    /// Its version.
    pub version: KubeVersion,
    /// Namespace of objects that name none.
    pub namespace: &'a str,
    /// Where ConfigMaps and Secrets are read that units need and nobody declares.
    pub cluster: Option<&'a Cluster>,
}

/// Reads what the repository declares for a target.
///
/// # Errors
/// The repository or the entry cannot be read, or `--strict` was given and something is wrong with the input.
pub(super) fn declare(
    args: &SourceArgs,
    target: Target<'_>,
    say: &mut dyn FnMut(&Event),
) -> Result<DeclaredSet, Failure> {
    let tree = open(args, false, say)?;
    read(args, &tree, target, say)
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
    let options = source::Options {
        history,
        ..options(args)?
    };
    let tree = source::open(&args.repo, &options)?;
    for note in tree.notes() {
        say(&Event::Warned(note.clone()));
    }
    Ok(tree)
}

/// A text that changes whenever what was asked for may have come to mean another commit; `None` where it cannot.
///
/// # Errors
/// The repository or the revision cannot be read.
pub(super) fn mark(args: &SourceArgs) -> Result<Option<String>, Failure> {
    source::mark(&args.repo, &options(args)?)
}

fn options(args: &SourceArgs) -> Result<source::Options, Failure> {
    Ok(source::Options {
        rev: args.rev.clone(),
        at: args.at.as_deref().map(source::parse_date).transpose()?,
        ..source::Options::default()
    })
}

/// Reads what a tree declares for a target. Blocks; with a cluster it must run where blocking is allowed.
///
/// # Errors
/// The entry or a file that was given cannot be read.
pub(super) fn read(
    args: &SourceArgs,
    tree: &Tree,
    target: Target<'_>,
    say: &mut dyn FnMut(&Event),
) -> Result<DeclaredSet, Failure> {
    read_with_options(args, tree, target, say).map(|(set, _)| set)
}

/// As [`read`], with what it was read with: other trees can be read in the same way.
pub(super) fn read_with_options(
    args: &SourceArgs,
    tree: &Tree,
    target: Target<'_>,
    say: &mut dyn FnMut(&Event),
) -> Result<(DeclaredSet, declared::Options), Failure> {
    let keys = keys::keys(&args.decryption_key, &|name| std::env::var_os(name))?;
    let mut options = declared::Options {
        paths: args.path.clone(),
        namespace: target.namespace.to_owned(),
        values: args.values.clone(),
        kube_version: Some(target.version.to_string()),
        api_versions: api_versions(target.kinds),
        kustomize: args.kustomize_binary.clone(),
        helm: args.helm_binary.clone(),
        sources: args.source.iter().cloned().collect(),
        inputs: given(&args.input, &keys)?,
        clusters: args
            .cluster_params
            .as_deref()
            .map_or_else(|| Ok(Vec::new()), clusters)?,
        keys,
        sealing: keys::sealing(&args.sealed_secrets_key, args.unseal)?,
        time: jiff::Timestamp::now(),
        charts: Arc::new(Charts::new(
            past::cache("charts"),
            args.chart.clone(),
            Configuration::from_environment(|name| std::env::var_os(name)),
            false,
        )),
        ..declared::Options::default()
    };
    loop {
        let set = declared::load(tree, &options)?;
        match target.cluster {
            // What was found may make more units render, which may want more.
            Some(cluster) if !(set.wanted.is_empty() && set.wanted_clusters.is_empty()) => {
                ask((cluster, target.kinds), &set.wanted, &mut options, say);
                ask_for_clusters(cluster, set.wanted_clusters, &mut options.live_clusters, say);
            }
            _ => return Ok((resolve(set, target.kinds, target.namespace), options)),
        }
    }
}

/// The ConfigMaps, Secrets and AppProjects that the operator gives.
fn given(files: &[(ObjectId, PathBuf)], keys: &declared::Keys) -> Result<declared::Known, Failure> {
    const GIVE: &str = "give its manifest, as `kubectl get -o yaml` prints it";
    let mut known = declared::Known::new();
    for (id, file) in files {
        let failed = |cause: String, hint: &str| {
            Failure::new(Kind::Input, format!("nothing was read: {id} was not given"))
                .because(cause)
                .hint(hint.to_owned())
        };
        let shown = file.display().to_string();
        let text = std::fs::read(file).map_err(|cause| failed(format!("{shown}: {cause}"), GIVE))?;
        let text = keys.in_clear(&shown, text).map_err(|(why, help)| {
            let cause = format!("{shown} is encrypted with SOPS: {why}");
            failed(cause, help.as_deref().unwrap_or(GIVE))
        })?;
        let value = kube_yaml::parse_one(&text).value;
        let value = value.map_err(|error| failed(format!("{shown}:{}: {}", error.line, error.message), GIVE))?;
        if let Some(why) = unlike(&value, id) {
            return Err(failed(format!("{shown} {why}"), GIVE));
        }
        known.insert(id.clone(), Some(value));
    }
    Ok(known)
}

/// Why a manifest is not that of this object, or cannot be used, if so.
fn unlike(value: &Value, id: &ObjectId) -> Option<String> {
    let text = |key: &str| value["metadata"][key].as_str().filter(|text| !text.is_empty());
    if value["kind"] != *id.kind {
        return Some(format!("is no {}", id.kind));
    }
    let group = value["apiVersion"].as_str().map(api_group);
    let own = ObjectId::new(
        group.unwrap_or(&id.group),
        &*id.kind,
        text("namespace").or(id.namespace.as_deref()),
        text("name").unwrap_or_default(),
    );
    if own != *id {
        return Some(format!("is {}", own.with_group()));
    }
    normalize::is_encrypted(value).then(|| "is encrypted with SOPS, and its MAC (sops.mac) is missing".to_owned())
}

/// The clusters that the operator names.
fn clusters(file: &Path) -> Result<Vec<ClusterParams>, Failure> {
    let shown = file.display();
    let failed = |cause: String| {
        Failure::new(Kind::Input, "nothing was read: the clusters were not given")
            .because(cause)
            .hint("give a YAML list of maps with name and server, and if need be project, labels and annotations")
    };
    let text = std::fs::read(file).map_err(|cause| failed(format!("{shown}: {cause}")))?;
    ClusterParams::read(&text).map_err(|(line, why)| match line {
        Some(line) => failed(format!("{shown}:{line}: {why}")),
        None => failed(format!("{shown}: {why}")),
    })
}

/// Reads what units want from the target, by name. What cannot be read may be there all the same.
fn ask(
    (cluster, kinds): (&Cluster, &ServedKinds),
    wanted: &[ObjectId],
    options: &mut declared::Options,
    say: &mut dyn FnMut(&Event),
) {
    for id in wanted {
        // A kind that is not served has no objects.
        let at = kinds.get(&id.group_kind()).and_then(Endpoint::preferred);
        let found = at.and_then(|at| {
            let asked = cluster.get(&at, id.namespace.as_deref(), &id.name);
            tokio::runtime::Handle::current().block_on(asked).unwrap_or_else(|why| {
                say(&Event::Warned(format!("{id} was not read from the cluster: {why}")));
                options.unread.insert(id.clone(), why.to_string());
                None
            })
        });
        options.inputs.insert(id.clone(), found);
    }
}

/// The same place in the repository, at a commit.
pub(super) fn at_commit(source: &SourceArgs, commit: &str) -> SourceArgs {
    SourceArgs {
        rev: Some(commit.to_owned()),
        at: None,
        ..source.clone()
    }
}

/// Reads Secrets of Argo CD's clusters from the target. What cannot be read is not there.
fn ask_for_clusters(
    cluster: &Cluster,
    namespaces: Vec<String>,
    known: &mut BTreeMap<String, Vec<Value>>,
    say: &mut dyn FnMut(&Event),
) {
    let at = Endpoint::new(GroupKind::new("", "Secret"), "v1", "secrets", Scope::Namespaced);
    for namespace in namespaces {
        let asked = cluster.list_labelled(&at, &namespace, declared::CLUSTER_LABEL);
        let found = tokio::runtime::Handle::current().block_on(asked).unwrap_or_else(|why| {
            say(&Event::Warned(format!(
                "Secrets of Argo CD's clusters in {namespace} were not read from the cluster: {why}; --cluster-params or --input gives them"
            )));
            Vec::new()
        });
        known.insert(namespace, found.iter().map(declared::cluster_secret).collect());
    }
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
    let wrong = set.problems.iter().filter(|problem| problem.kind != ProblemKind::Note);
    let (things, them) = match wrong.count() {
        _ if !args.strict => return Ok(()),
        0 => return Ok(()),
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
        before: String::new(),
    }
}
