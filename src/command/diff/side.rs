//! One side of a comparison: what it is called, where it comes from, what is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::super::declare;
use crate::cli::{DiffArgs, SourceArgs};
use crate::cluster::{Cluster, ConnectOptions, Make};
use crate::command::console::Console;
use crate::command::keys;
use crate::declared::{self, Kept};
use crate::error::{Failure, Kind, printable};
use crate::event::Event;
use crate::object::{
    Declared, FactGap, GroupKind, KubeVersion, LiveObject, LiveSet, ObjectId, Problem, ServedKinds, Standing,
};
use crate::report::SideOf;
use crate::source::{self, Tree};
use crate::{audit, plan};

/// With what a cluster is named.
const CLUSTER: &str = "cluster:";

/// A side as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// `cluster:` or `cluster:CONTEXT`.
    Cluster(Option<String>),
    /// A snapshot, or a repository with a revision.
    Files(String, Option<String>),
}

/// A side that was opened, and of which a repository is still to be read.
pub(super) enum Opened {
    /// Read already.
    Live(Side),
    /// To be read for the kinds that the other side has.
    Repository(Box<(Tree, SourceArgs)>),
}

/// A side.
pub(super) struct Side {
    name: String,
    kind: &'static str,
    version: Option<KubeVersion>,
    commit: Option<String>,
    pub state: State,
    pub problems: Vec<Problem>,
}

/// What is in a side.
pub(super) enum State {
    /// What a repository declares.
    Declared(BTreeMap<ObjectId, Declared>),
    /// What is or was live.
    Live(Box<Live>),
}

/// What is or was live.
pub(super) struct Live {
    pub objects: BTreeMap<ObjectId, Kept>,
    kinds: Arc<ServedKinds>,
    listed: BTreeSet<GroupKind>,
    gaps: Vec<FactGap>,
}

impl Named {
    /// `cluster:CONTEXT`, else a path or an address, with `@REV` behind it; as with Git, an existing path goes first.
    pub fn read(text: &str) -> Self {
        if let Some(context) = text.strip_prefix(CLUSTER) {
            return Self::Cluster(Some(context.to_owned()).filter(|name| !name.is_empty()));
        }
        let whole = || Self::Files(text.to_owned(), None);
        if Path::new(text).exists() {
            return whole();
        }
        // `https://user@host/repo` and `git@host:repo` have an @ of their own, before the path.
        let path = match text.split_once("://") {
            Some((scheme, rest)) => rest.find('/').map(|at| scheme.len() + 3 + at),
            None => match text.split_once(':') {
                Some((host, _)) if !host.contains('/') => Some(host.len()),
                _ => Some(0),
            },
        };
        match (path, text.rsplit_once('@')) {
            (Some(path), Some((repo, rev))) if repo.len() >= path && !repo.is_empty() && !rev.is_empty() => {
                Self::Files(repo.to_owned(), Some(rev.to_owned()))
            }
            _ => whole(),
        }
    }

    /// Opens it, and reads it if it is live.
    pub async fn open(self, args: &DiffArgs, console: &mut Console) -> Result<Opened, Failure> {
        match self {
            Self::Cluster(context) => cluster(context, args, console).await.map(Opened::Live),
            Self::Files(repo, rev) => tokio::task::block_in_place(|| files(repo, rev, args, console)),
        }
    }
}

async fn cluster(context: Option<String>, args: &DiffArgs, console: &mut Console) -> Result<Side, Failure> {
    let connect = ConnectOptions {
        kubeconfig: args.kubeconfig.clone(),
        context,
        ..ConnectOptions::default()
    };
    let cluster = Cluster::connect(connect).await?;
    let name = cluster.context().name.clone();
    console.say(&Event::Progress(format!("reading what is live in {name}")));
    let found = cluster.listable().await?;
    let namespaces = Some(cluster.context().namespace.clone()).filter(|name| !name.is_empty());
    let make: Make<Kept> = Arc::new(|_, _, value| {
        Ok(Kept {
            object: LiveObject::of(&value),
            value,
            file: String::new(),
            standing: Standing::Own,
            masked: None,
        })
    });
    let mut whole = cluster.read_all(&found, &namespaces.into_iter().collect(), &make).await;
    let live = LiveSet {
        objects: whole
            .objects
            .iter()
            .map(|(id, kept)| (id.clone(), Box::new(kept.object.clone())))
            .collect(),
        listed: whole.listed.clone(),
        ..LiveSet::default()
    };
    for (id, standing) in audit::standings(&live, cluster.release()) {
        if let Some(kept) = whole.objects.get_mut(&id) {
            kept.standing = standing;
        }
    }
    let live = Live {
        objects: whole.objects,
        kinds: Arc::new(found.kinds),
        listed: whole.listed.into_iter().collect(),
        gaps: whole.gaps,
    };
    Ok(Side {
        name,
        kind: "cluster",
        version: Some(cluster.version()),
        commit: None,
        state: State::Live(Box::new(live)),
        problems: Vec::new(),
    })
}

fn files(repo: String, rev: Option<String>, args: &DiffArgs, console: &mut Console) -> Result<Opened, Failure> {
    let name = source::without_credentials(&repo);
    let source = SourceArgs {
        repo,
        rev,
        path: args.path.clone(),
        namespace: args.namespace.clone(),
        values: args.values.clone(),
        decryption_key: args.decryption_key.clone(),
        ..SourceArgs::default()
    };
    let tree = declare::open(&source, false, &mut |event| console.say(event))?;
    if !declared::is_snapshot(&tree, tree.base()) {
        return Ok(Opened::Repository(Box::new((tree, source))));
    }
    let keys = keys::keys(&args.decryption_key, &|name| std::env::var_os(name))?;
    let snapshot = declared::read_snapshot(&tree, tree.base(), &keys, |_| true).map_err(|problem| {
        Failure::new(Kind::Input, format!("nothing could be read from {}", printable(&name))).because(problem)
    })?;
    let live = Live {
        objects: snapshot.objects,
        kinds: Arc::new(snapshot.contents.kinds()),
        listed: snapshot.contents.listed().collect(),
        gaps: snapshot.contents.gaps().collect(),
    };
    Ok(Opened::Live(Side {
        name,
        kind: "snapshot",
        version: snapshot.contents.kubernetes(),
        commit: tree.repository().commit.clone(),
        state: State::Live(Box::new(live)),
        problems: snapshot.problems,
    }))
}

impl Opened {
    /// What it serves, if it is live.
    pub fn serves(&self) -> Option<(Arc<ServedKinds>, KubeVersion)> {
        match self {
            Self::Live(Side {
                version: Some(version),
                state: State::Live(live),
                ..
            }) => Some((Arc::clone(&live.kinds), *version)),
            _ => None,
        }
    }

    /// Reads a repository for these kinds. Blocks.
    pub fn into_side(
        self,
        args: &DiffArgs,
        kinds: &ServedKinds,
        version: KubeVersion,
        say: &mut dyn FnMut(&Event),
    ) -> Result<Side, Failure> {
        let (tree, source) = match self {
            Self::Live(side) => return Ok(side),
            Self::Repository(repository) => *repository,
        };
        let target = declare::Target {
            kinds,
            version,
            namespace: args.namespace.as_deref().unwrap_or("default"),
            cluster: None,
        };
        let set = declare::read(&source, &tree, target, say)?;
        // As they would be written, so that live objects have the same identities and versions.
        let set = plan::with_written_manifests(set, kinds, &plan::PlanOptions::default());
        let objects = set.objects.into_iter();
        Ok(Side {
            name: set.repository.location,
            kind: "repository",
            version: None,
            commit: set.repository.commit,
            state: State::Declared(objects.map(|one| (one.id.clone(), one)).collect()),
            problems: set.problems,
        })
    }
}

impl Side {
    /// For the report.
    pub fn of(&self) -> SideOf<'_> {
        SideOf {
            name: &self.name,
            kind: self.kind,
            version: self.version,
            commit: self.commit.as_deref(),
        }
    }

    /// What could not be read of it.
    pub fn gaps(&self) -> Vec<FactGap> {
        let State::Live(live) = &self.state else {
            return Vec::new();
        };
        let gap = |gap: &FactGap| FactGap {
            what: format!("{}: {}", self.name, gap.what),
            reason: gap.reason.clone(),
        };
        live.gaps.iter().map(gap).collect()
    }

    /// Whether that an object is not in it means that it is not there.
    pub fn would_have(&self, id: &ObjectId) -> bool {
        let is_its = |problem: &Problem| problem.object.as_ref() == Some(id);
        if self.problems.iter().any(is_its) {
            return false;
        }
        let State::Live(live) = &self.state else { return true };
        let kind = id.group_kind();
        let group_is_a_gap = !kind.group.is_empty() && live.gaps.iter().any(|gap| gap.what.contains(&kind.group));
        live.listed.contains(&kind) || (live.kinds.get(&kind).is_none() && !group_is_a_gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_told_apart() {
        let files = |repo: &str, rev: Option<&str>| Named::Files(repo.to_owned(), rev.map(str::to_owned));
        for (text, named) in [
            ("cluster:", Named::Cluster(None)),
            ("cluster:prod", Named::Cluster(Some("prod".to_owned()))),
            ("live.tar.zst", files("live.tar.zst", None)),
            ("./gitops@v1.5", files("./gitops", Some("v1.5"))),
            ("gitops@feature/x", files("gitops", Some("feature/x"))),
            ("git@host:org/repo", files("git@host:org/repo", None)),
            ("git@host:org/repo@v1", files("git@host:org/repo", Some("v1"))),
            ("https://me@host/repo.git", files("https://me@host/repo.git", None)),
            (
                "https://me@host/repo.git@main~2",
                files("https://me@host/repo.git", Some("main~2")),
            ),
            ("https://me@host", files("https://me@host", None)),
            ("@v1", files("@v1", None)),
            ("gitops@", files("gitops@", None)),
        ] {
            assert_eq!(Named::read(text), named, "{text}");
        }
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        let odd = folder.path().join("a@b");
        std::fs::create_dir(&odd).expect("because the folder is ours");
        let odd = odd.display().to_string();
        assert_eq!(Named::read(&odd), files(&odd, None));
    }
}
