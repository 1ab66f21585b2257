//! Where a build reads its files: a folder, a Git tree, an archive, or any of these with files of one's own laid over it.

use std::sync::Arc;

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file with content.
    File,
    /// A folder.
    Folder,
}

/// Names a content: two files with one id have the same bytes, so that what was parsed once serves for both.
/// A Git object id fits, and so does a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentId(pub [u8; 32]);

/// A tree of files. Paths are relative to its root, written with `/`, without `.` or `..`, without a leading or final `/`; the root
/// itself is `""`. Symbolic links are followed by the implementation, and one that leads out of the root is
/// [`ReadError::Outside`].
pub trait Files: Sync {
    /// The bytes of a file.
    ///
    /// # Errors
    ///
    /// Where there is no such file, or it cannot be read.
    fn read(&self, path: &str) -> Result<Arc<[u8]>, ReadError>;

    /// The same for a ConfigMap, which more may read than a Secret: where [`Self::read`] opens what is encrypted, this does not.
    ///
    /// # Errors
    ///
    /// As there.
    fn read_shut(&self, path: &str) -> Result<Arc<[u8]>, ReadError> {
        self.read(path)
    }

    /// What is at a path, if anything. A link that leads out of the root is [`ReadError::Outside`].
    ///
    /// # Errors
    ///
    /// Where that cannot be told.
    fn kind(&self, path: &str) -> Result<Option<Kind>, ReadError>;

    /// Names of what is directly in a folder, sorted by bytes.
    ///
    /// # Errors
    ///
    /// Where there is no such folder, or it cannot be read.
    fn list(&self, path: &str) -> Result<Vec<String>, ReadError>;

    /// What is at a path, if anything, and the path that it leads to when every symbolic link on the way is followed. A tree without links
    /// has nothing to do here.
    ///
    /// # Errors
    ///
    /// Where that cannot be told, or a link leads out of the root.
    fn find(&self, path: &str) -> Result<Option<(Kind, String)>, ReadError> {
        Ok(self.kind(path)?.map(|kind| (kind, path.to_owned())))
    }

    /// The id of a file's content, where it is known without reading. Without one, the content is read and its checksum serves.
    fn id(&self, path: &str) -> Option<ContentId> {
        let _ = path;
        None
    }

    /// Where a file is said to come from in origins and errors, when that is not its own path (a file laid over others).
    fn label(&self, path: &str) -> Option<String> {
        let _ = path;
        None
    }
}

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// Nothing is there.
    Missing,
    /// A folder is there where a file was asked for, or the other way round.
    WrongKind,
    /// A symbolic link leads out of the root.
    Outside,
    /// Anything else, in words.
    Failed(String),
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReadError::Missing => f.write_str("there is no such file or folder"),
            ReadError::WrongKind => f.write_str("a file was expected and a folder is there, or the other way round"),
            ReadError::Outside => f.write_str("the path or a symbolic link leads out of the root"),
            ReadError::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for ReadError {}

/// A folder and a path written in it as one path from the root, with `.` and `..` resolved by text alone (as kustomize does before it
/// looks for links). `None` where it leads out of the root.
pub(crate) fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether a path is a folder itself or something below it.
pub(crate) fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty() || path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// The folder that a path is in, and its last part.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_by_text() {
        for (folder, path, expected) in [
            ("", "a.yaml", Some("a.yaml")),
            ("apps/web", "../base/./x.yaml", Some("apps/base/x.yaml")),
            ("apps/web", "../../x", Some("x")),
            ("apps/web", "../..", Some("")),
            ("apps/web", "../../..", None),
            ("", "../x", None),
            ("a", "b//c/", Some("a/b/c")),
        ] {
            assert_eq!(join(folder, path).as_deref(), expected, "{folder} + {path}");
        }
    }

    #[test]
    fn within_is_by_parts() {
        assert!(is_within("a/b", "a"));
        assert!(is_within("a", "a"));
        assert!(is_within("a", ""));
        assert!(!is_within("ab", "a"));
    }
}
