//! What has no safe place in the repository: laid aside in a folder that nothing reads, with the reason.

use std::collections::BTreeMap;

use super::add::file_name;
use super::{Change, Changeset, Intent, Unplaced};
use crate::cluster::Cleaned;
use crate::object::{DeclaredSet, Manifest, ObjectId};
use crate::source::Tree;
use crate::source::path::join;

/// The folder, at the root of the repository.
pub const FOLDER: &str = "refloat-export";

/// Adds a file for each object of which something has no place: what is live of it, with the reasons on top. Not of Secrets, and not where the
/// entry is the whole repository, which would read them.
pub fn lay_aside(
    tree: &Tree,
    set: &DeclaredSet,
    intent: &Intent,
    cleaned: &BTreeMap<ObjectId, Cleaned>,
    made: &mut Changeset,
) {
    if set.entry.paths.iter().any(String::is_empty) {
        return;
    }
    for wish in &intent.wishes {
        let unplaced: Vec<&Unplaced> = made
            .unplaced
            .iter()
            .filter(|one| wish.changes.contains(&one.change))
            .collect();
        let Some(change) = unplaced.first().map(|one| &intent.changes[one.change]) else {
            continue;
        };
        let id = change.object();
        let live = cleaned
            .get(&id)
            .filter(|_| !id.is("", "Secret") && id.kind != "SealedSecret" && !matches!(change, Change::Remove { .. }));
        let Some(live) = live else { continue };
        let path = path(&id);
        let text = text(&unplaced, intent, &live.manifest);
        if !tree.read(&path).is_ok_and(|there| *there == *text.as_bytes()) {
            made.files.insert(path.clone(), Some(text.into_bytes()));
        }
        made.aside.insert(id, path);
    }
}

/// `refloat-export/shop/deployment-web.yaml`.
fn path(id: &ObjectId) -> String {
    let namespace = id.namespace.as_deref().map_or("_cluster".to_owned(), file_name);
    let stem = file_name(&format!("{}-{}", id.with_group().to_lowercase(), id.name));
    join(&join(FOLDER, &namespace), &format!("{stem}.yaml"))
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
