//! Reads and renders the parts of an entry and puts the set together.

use std::path::{Path, PathBuf};

use super::assembly::Assembly;
use super::follow::World;
use super::kustomize::Outside;
use super::plain::Seen;
use super::template::Target;
use super::{Options, entry, parts};
use crate::error::{Failure, Kind, printable};
use crate::object::DeclaredSet;
use crate::source::Tree;
use crate::source::path;

/// Everything that is declared from one entry.
///
/// # Errors
/// When a path is not there, no entry can be found or several are offered, or there is no room for rendering. What is wrong with a
/// document, an object or a unit is in [`DeclaredSet::problems`].
pub fn load(tree: &Tree, options: &Options) -> Result<DeclaredSet, Failure> {
    let seen = Seen::default();
    let (entry, parts) = entry::choose(tree, &options.paths, &seen)?;
    let mut assembly = Assembly::default();
    for path in &entry.paths {
        assembly.problems.extend(tree.problems_within(path).cloned());
    }
    let unreached = parts::unreached(tree, &parts);
    let outside = Outside::of(tree, target(options));
    let mut world = World::new(tree, options, &outside);
    assembly.take_parts(tree, parts, options, &mut world, &seen)?;
    assembly.take_keys(&options.sealing);
    let (units, mut objects, mut problems) = assembly.finish(&world.argo, tree.repository());
    options.sealing.open(&mut objects, &mut problems, &options.namespace);
    problems.extend(world.argo.remarks());
    let (wanted_clusters, of_argo) = world.argo.into_wanted();
    let mut wanted = world.inputs.into_wanted();
    wanted.extend(of_argo);
    wanted.sort();
    if objects.is_empty() && problems.is_empty() {
        let places: Vec<String> = entry
            .paths
            .iter()
            .map(|path| if path.is_empty() { "." } else { path })
            .map(printable)
            .collect();
        return Err(
            Failure::new(Kind::Input, format!("nothing is declared in {}", places.join(", ")))
                .because("no document there has apiVersion and kind")
                .hint("--path names the folder or file that declares the cluster"),
        );
    }
    problems
        .sort_by(|a, b| (&a.places, a.kind, &a.object, &a.message).cmp(&(&b.places, b.kind, &b.object, &b.message)));
    problems.dedup();
    Ok(DeclaredSet {
        repository: tree.repository().clone(),
        entry,
        units,
        objects,
        problems,
        unreached,
        wanted,
        wanted_clusters,
    })
}

/// Values files of the operator's, as files on this machine: in the tree from its base or its root, else here.
pub(super) fn values_files(tree: &Tree, disk: &Path, options: &Options) -> Result<Vec<PathBuf>, Failure> {
    let mut values = Vec::new();
    for given in &options.values {
        let in_tree = [path::resolve(tree.base(), given), path::resolve("", given)];
        let in_tree = in_tree
            .into_iter()
            .flatten()
            .find(|path| tree.is_file(path))
            .map(|path| disk.join(path));
        let here = || PathBuf::from(given).canonicalize().ok().filter(|path| path.is_file());
        values.push(in_tree.or_else(here).ok_or_else(|| {
            let shown = printable(given);
            Failure::new(
                Kind::Usage,
                format!("nothing was rendered: there is no values file {shown}"),
            )
            .hint("it is looked for in the repository, from the folder given and from the root, then on this machine")
        })?);
    }
    Ok(values)
}

/// What charts see of the target.
pub(super) fn target(options: &Options) -> Target {
    Target {
        program: options.helm.clone(),
        kube_version: options.kube_version.clone(),
        api_versions: options.api_versions.clone(),
    }
}
