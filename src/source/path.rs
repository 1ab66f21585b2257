//! Paths of a tree: `/`-separated, from its root, "" for the root. Pure.

/// `folder/name`.
pub fn join(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", name) => name.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, name) => format!("{folder}/{name}"),
    }
}

/// A path as written in a file of `folder`, from the root; `None` for what leads out of the tree.
pub fn resolve(folder: &str, written: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in written.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The folder that a file or folder is in.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A folder and those around it, the root last.
pub fn upwards(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |folder| (!folder.is_empty()).then(|| parent(folder)))
}

/// Whether `path` is `folder` or below it.
pub fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty() || path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a file may hold manifests by its name: YAML or JSON, not hidden.
pub fn is_manifest_name(path: &str) -> bool {
    let hidden = path.split('/').any(|part| part.starts_with('.'));
    let name = path.rsplit('/').next().unwrap_or(path);
    !hidden
        && [".yaml", ".yml", ".json"]
            .iter()
            .any(|end| name.len() > end.len() && name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_tree() {
        assert_eq!(resolve("a/b", "../c/./d.yaml").as_deref(), Some("a/c/d.yaml"));
        assert_eq!(resolve("a", "../.."), None);
        assert_eq!(resolve("", "x/").as_deref(), Some("x"));
        assert!(is_within("a/b", "a") && is_within("a", "a") && is_within("x", "") && !is_within("ab", "a"));
    }

    #[test]
    fn names_of_manifest_files() {
        for yes in ["a.yaml", "x/b.yml", "c.json"] {
            assert!(is_manifest_name(yes), "{yes}");
        }
        for no in [
            ".yaml",
            ".sops.yaml",
            ".github/a.yaml",
            "a.yaml.j2",
            "README.md",
            "x/.hidden/a.yaml",
        ] {
            assert!(!is_manifest_name(no), "{no}");
        }
    }
}
