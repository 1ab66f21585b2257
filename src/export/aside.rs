//! What has no safe place in the repository: laid aside in a folder that nothing reads, with the reason.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::add::file_name;
use super::{Change, Changeset, Intent, Unplaced};
use crate::cluster::Cleaned;
use crate::object::{DeclaredSet, Manifest, ObjectId};
use crate::source::Tree;
use crate::source::path::join;

/// The folder, at the root of the repository.
pub const FOLDER: &str = "refloat-export";

/// Adds a file for each object of which something has no place: what is live of it, with the reasons on top. Not of Secrets. One that an earlier
/// export left goes once all of its object has a place.
pub fn lay_aside(
    tree: &Tree,
    set: &DeclaredSet,
    intent: &Intent,
    cleaned: &BTreeMap<ObjectId, Cleaned>,
    made: &mut Changeset,
) {
    // Where the entry is the whole repository, it is read as manifests too, under their endings.
    let end = match set.entry.paths.iter().any(String::is_empty) {
        true => "yaml.txt",
        false => "yaml",
    };
    for wish in &intent.wishes {
        let unplaced: Vec<&Unplaced> = made
            .unplaced
            .iter()
            .filter(|one| wish.changes.contains(&one.change))
            .collect();
        let Some(change) = unplaced.first().map(|one| &intent.changes[one.change]) else {
            let object = intent.changes[wish.changes.clone()].first().map(Change::object);
            let left = object.map(|id| path(&id, end)).filter(|path| tree.is_file(path));
            made.files.extend(left.map(|path| (path, None)));
            continue;
        };
        let id = change.object();
        let live = cleaned
            .get(&id)
            .filter(|_| !id.is("", "Secret") && id.kind != "SealedSecret" && !matches!(change, Change::Remove { .. }));
        let Some(live) = live else { continue };
        let path = path(&id, end);
        let text = text(&unplaced, intent, &live.manifest);
        if !tree.read(&path).is_ok_and(|there| *there == *text.as_bytes()) {
            made.files.insert(path.clone(), Some(text.into_bytes()));
        }
        made.aside.insert(id, path);
    }
}

/// `refloat-export/shop/deployment.apps-web.yaml`. What no file can be called is told apart by a checksum.
fn path(id: &ObjectId, end: &str) -> String {
    let namespace = id.namespace.as_deref().map_or("_cluster".to_owned(), file_name);
    let wanted = format!("{}-{}", id.group_kind().to_string().to_lowercase(), id.name);
    let mut stem = file_name(&wanted);
    if stem != wanted {
        let sum = Sha256::digest(id.to_string().as_bytes());
        stem = sum[..4]
            .iter()
            .fold(stem + "-", |stem, byte| format!("{stem}{byte:02x}"));
    }
    join(&join(FOLDER, &namespace), &format!("{stem}.{end}"))
}

fn text(unplaced: &[&Unplaced], intent: &Intent, manifest: &Manifest) -> String {
    let mut text = "# As it is live. It has no place in the repository yet:\n".to_owned();
    for one in unplaced {
        let field = match &intent.changes[one.change] {
            Change::Set { path, .. } | Change::Unset { path, .. } => format!("{path}: "),
            _ => String::new(),
        };
        let line = format!("{field}{}", one.reason);
        text.push_str(&format!("# - {}\n", crate::error::printable(&line).replace('\n', " ")));
    }
    text + &kube_yaml::to_string(manifest.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_object_has_a_file_of_its_own() {
        let role = |name: &str| {
            path(
                &ObjectId::new("rbac.authorization.k8s.io", "ClusterRole", None, name),
                "yaml",
            )
        };
        let folder = "refloat-export/_cluster/clusterrole.rbac.authorization.k8s.io-";
        assert_eq!(role("a-b"), format!("{folder}a-b.yaml"));
        assert!(role("a:b").starts_with(&format!("{folder}a-b-")), "{}", role("a:b"));
        let long = |end: &str| role(&format!("{}{end}", "x".repeat(240)));
        for (one, other) in [
            (role("a:b"), role("a-b")),
            (role("a:b"), role("a b")),
            (long("1"), long("2")),
        ] {
            assert_ne!(one, other);
        }
    }
}
