//! A folder on disk.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::{Files, Kind, ReadError};

/// A folder on disk as a tree of files. Symbolic links are followed as long as they stay in it.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Without links.
    root: PathBuf,
}

impl Folder {
    /// The tree of a folder.
    ///
    /// # Errors
    ///
    /// Where there is no such folder.
    pub fn open(root: impl AsRef<Path>) -> Result<Self, ReadError> {
        let root = root.as_ref().canonicalize().map_err(|error| of_io(&error))?;
        match root.is_dir() {
            true => Ok(Folder { root }),
            false => Err(ReadError::WrongKind),
        }
    }

    /// Where a path really is, when that is in the root.
    fn real(&self, path: &str) -> Result<PathBuf, ReadError> {
        let real = self.root.join(path).canonicalize().map_err(|error| of_io(&error))?;
        match real.starts_with(&self.root) {
            true => Ok(real),
            false => Err(ReadError::Outside),
        }
    }
}

fn of_io(error: &std::io::Error) -> ReadError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => ReadError::Missing,
        ErrorKind::IsADirectory => ReadError::WrongKind,
        _ => ReadError::Failed(error.to_string()),
    }
}

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, ReadError> {
        let real = self.real(path)?;
        // A pipe or a device would never end.
        match real.is_file() {
            true => std::fs::read(real).map(Into::into).map_err(|error| of_io(&error)),
            false => Err(ReadError::WrongKind),
        }
    }

    fn kind(&self, path: &str) -> Result<Option<Kind>, ReadError> {
        Ok(self.find(path)?.map(|(kind, _)| kind))
    }

    fn list(&self, path: &str) -> Result<Vec<String>, ReadError> {
        let entries = std::fs::read_dir(self.real(path)?).map_err(|error| of_io(&error))?;
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| of_io(&error))?.file_name();
            // What is not UTF-8 cannot be named in a kustomization.
            names.extend(name.into_string());
        }
        names.sort();
        Ok(names)
    }

    fn find(&self, path: &str) -> Result<Option<(Kind, String)>, ReadError> {
        let real = match self.real(path) {
            Ok(real) => real,
            Err(ReadError::Missing) => return Ok(None),
            Err(error) => return Err(error),
        };
        let kind = if real.is_dir() { Kind::Folder } else { Kind::File };
        let below = real.strip_prefix(&self.root).map_err(|_| ReadError::Outside)?;
        let text = below
            .to_str()
            .ok_or_else(|| ReadError::Failed("the path is not UTF-8".to_owned()))?;
        Ok(Some((kind, text.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("kustomize-folder-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(path.join("root/sub")).expect("a scratch folder can be made");
        path
    }

    #[test]
    fn files_and_folders_are_told_apart() {
        let scratch = scratch("kinds");
        std::fs::write(scratch.join("root/sub/a"), "x").expect("it can be written");
        let folder = Folder::open(scratch.join("root")).expect("it is there");
        assert_eq!(folder.kind("sub"), Ok(Some(Kind::Folder)));
        assert_eq!(folder.kind("sub/a"), Ok(Some(Kind::File)));
        assert_eq!(folder.kind("sub/b"), Ok(None));
        assert_eq!(folder.list("sub"), Ok(vec!["a".to_owned()]));
        assert_eq!(folder.read("sub/a").as_deref(), Ok(&b"x"[..]));
        assert_eq!(folder.read("sub"), Err(ReadError::WrongKind));
        assert_eq!(folder.read("sub/b"), Err(ReadError::Missing));
        assert_eq!(folder.read("sub/a/b"), Err(ReadError::Missing));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_within_the_root() {
        use std::os::unix::fs::symlink;
        let scratch = scratch("links");
        std::fs::write(scratch.join("outside"), "secret").expect("it can be written");
        std::fs::write(scratch.join("root/sub/a"), "x").expect("it can be written");
        symlink("sub", scratch.join("root/link")).expect("a link can be made");
        symlink("../outside", scratch.join("root/out")).expect("a link can be made");
        symlink("loop", scratch.join("root/loop")).expect("a link can be made");
        let folder = Folder::open(scratch.join("root")).expect("it is there");
        assert_eq!(folder.find("link/a"), Ok(Some((Kind::File, "sub/a".to_owned()))));
        assert_eq!(folder.find("out"), Err(ReadError::Outside));
        assert_eq!(folder.read("link/a").as_deref(), Ok(&b"x"[..]));
        assert_eq!(folder.read("out"), Err(ReadError::Outside));
        assert_eq!(folder.kind("out"), Err(ReadError::Outside));
        assert!(matches!(folder.read("loop"), Err(ReadError::Failed(_))));
    }
}
