//! A plain directory, read as it stands on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::links::Raw;
use super::path::join;
use super::tree::{Store, Tree};
use super::without_credentials;
use crate::error::{Failure, Kind, printable};
use crate::object::Repository;

/// Most files of a plain directory: more is not a repository but, say, somebody's home.
const MOST_FILES: usize = 200_000;

/// Opens a folder, or the folder around a file with the file as base.
pub(super) fn open(location: &str, path: &Path) -> Result<Tree, Failure> {
    let (root, base) = match (path.is_dir(), path.parent(), path.file_name()) {
        (false, Some(parent), Some(name)) => (parent, name.to_string_lossy().into_owned()),
        _ => (path, String::new()),
    };
    open_with(location, root, &base, Vec::new())
}

/// Opens `root` with what is to be told about it.
pub(super) fn open_with(location: &str, root: &Path, base: &str, notes: Vec<String>) -> Result<Tree, Failure> {
    let mut raw = BTreeMap::new();
    if base.is_empty() {
        walk(root, &mut raw).map_err(|cause| unreadable(location).because(cause))?;
    } else {
        // One file of a folder: what lies beside it is not asked for.
        raw.insert(base.to_owned(), Raw::File);
    }
    if raw.is_empty() {
        return Err(unreadable(location)
            .because("there is no file in it")
            .hint("give the folder that holds the manifests"));
    }
    let repository = Repository {
        location: without_credentials(location),
        commit: None,
        subject: None,
        time: None,
        dirty: false,
    };
    let store = Store::Folder(root.to_owned());
    Ok(Tree::new(repository, base.to_owned(), notes, raw, store))
}

fn unreadable(location: &str) -> Failure {
    Failure::new(
        Kind::Input,
        format!(
            "nothing could be read from {}",
            printable(&without_credentials(location))
        ),
    )
}

fn walk(root: &Path, raw: &mut BTreeMap<String, Raw>) -> Result<(), String> {
    let mut todo: Vec<(PathBuf, String)> = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = todo.pop() {
        let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        for entry in entries {
            let entry = entry.map_err(|e| format!("{}: {e}", folder.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = join(&prefix, &name);
            let kind = entry.file_type().map_err(|e| format!("{path}: {e}"))?;
            if kind.is_dir() {
                if name != ".git" {
                    todo.push((entry.path(), path));
                }
            } else if kind.is_symlink() {
                raw.insert(path, Raw::Link(target(root, &folder, &entry.path())));
            } else if kind.is_file() {
                raw.insert(path, Raw::File);
            }
            if raw.len() > MOST_FILES {
                return Err(format!("it has more than {MOST_FILES} files"));
            }
        }
    }
    Ok(())
}

/// A link's target; an absolute one that stays below the root is made relative to the link's folder.
fn target(root: &Path, folder: &Path, link: &Path) -> String {
    let target = fs::read_link(link).unwrap_or_default();
    let Ok(inside) = target.strip_prefix(root) else {
        return target.to_string_lossy().into_owned();
    };
    let depth = folder.strip_prefix(root).map_or(0, |path| path.components().count());
    format!("{}{}", "../".repeat(depth), inside.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_inside() {
        let root = tempfile::tempdir().expect("because the tests need a temporary folder");
        let at = |path: &str| root.path().join(path);
        fs::create_dir_all(at("a/b")).expect("because the folder is ours");
        fs::create_dir_all(at(".git")).expect("because the folder is ours");
        fs::write(at("a/web.yaml"), "kind: X").expect("because the folder is ours");
        fs::write(at(".git/config"), "").expect("because the folder is ours");
        std::os::unix::fs::symlink(at("a/web.yaml"), at("a/b/same.yaml")).expect("because the folder is ours");
        std::os::unix::fs::symlink("/etc/passwd", at("a/b/out.yaml")).expect("because the folder is ours");
        let full = root.path().canonicalize().expect("because it is there");
        let tree = open("x", &full).expect("because it has files");
        assert_eq!(tree.files().collect::<Vec<_>>(), ["a/b/same.yaml", "a/web.yaml"]);
        assert_eq!(
            &*tree.read("a/b/same.yaml").expect("because it is a link inside"),
            b"kind: X"
        );
        assert_eq!(tree.problems_within("a/b").count(), 1);
        assert_eq!(tree.problems_within("a/web.yaml").count(), 0);
    }

    #[test]
    fn an_empty_folder_is_said_so() {
        let root = tempfile::tempdir().expect("because the tests need a temporary folder");
        let failure = open("./empty", root.path()).expect_err("because there is nothing in it");
        assert_eq!(
            failure.to_string(),
            "Error: nothing could be read from ./empty\n  because: there is no file in it\n  hint: give the folder that holds the manifests"
        );
    }
}
