//! Files of one's own laid over a tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::files::{ContentId, Files, Kind, ReadError, split};

/// A tree with files in memory laid over it: what is laid hides what is below, and folders are made as needed. Each laid file
/// may have a label, under which it appears in origins and errors instead of its path.
///
/// ```
/// use kustomize::{Files, Memory, Overlay};
///
/// let base = Memory::from([("app/deployment.yaml", "kind: Deployment\n")]);
/// let overlay = Overlay::new(&base).lay("app/kustomization.yaml", "resources: [deployment.yaml]\n", Some("generated"));
/// assert_eq!(overlay.list("app").expect("it is there"), ["deployment.yaml", "kustomization.yaml"]);
/// assert_eq!(overlay.label("app/kustomization.yaml").as_deref(), Some("generated"));
/// ```
pub struct Overlay<'f> {
    below: &'f dyn Files,
    laid: Memory,
}

impl<'f> Overlay<'f> {
    /// A tree with nothing laid over it yet.
    pub fn new(below: &'f dyn Files) -> Self {
        Overlay {
            below,
            laid: Memory::default(),
        }
    }

    /// Lays a file at a path.
    #[must_use]
    pub fn lay(mut self, path: &str, content: impl Into<Vec<u8>>, label: Option<&str>) -> Self {
        self.put(path, content, label);
        self
    }

    /// Lays a file at a path.
    pub fn put(&mut self, path: &str, content: impl Into<Vec<u8>>, label: Option<&str>) {
        self.laid.put(path, content, label);
    }
}

impl Files for Overlay<'_> {
    fn read_shut(&self, path: &str) -> Result<Arc<[u8]>, ReadError> {
        match self.laid.files.get(path) {
            Some(file) => Ok(Arc::clone(&file.content)),
            None => self.below.read_shut(path),
        }
    }

    fn read(&self, path: &str) -> Result<Arc<[u8]>, ReadError> {
        match self.laid.files.get(path) {
            Some(file) => Ok(Arc::clone(&file.content)),
            None => self.below.read(path),
        }
    }

    fn kind(&self, path: &str) -> Result<Option<Kind>, ReadError> {
        match self.laid.kind(path)? {
            Some(kind) => Ok(Some(kind)),
            None => self.below.kind(path),
        }
    }

    fn list(&self, path: &str) -> Result<Vec<String>, ReadError> {
        match (self.laid.list(path), self.below.list(path)) {
            (Ok(mut names), Ok(below)) => {
                names.extend(below);
                names.sort();
                names.dedup();
                Ok(names)
            }
            (Ok(names), Err(ReadError::Missing)) => Ok(names),
            (_, below) => below,
        }
    }

    fn find(&self, path: &str) -> Result<Option<(Kind, String)>, ReadError> {
        match self.laid.kind(path)? {
            Some(Kind::File) => Ok(Some((Kind::File, path.to_owned()))),
            Some(Kind::Folder) => Ok(Some(match self.below.find(path)? {
                Some((Kind::Folder, real)) => (Kind::Folder, real),
                _ => (Kind::Folder, path.to_owned()),
            })),
            None => self.below.find(path),
        }
    }

    fn id(&self, path: &str) -> Option<ContentId> {
        match self.laid.files.contains_key(path) {
            true => None,
            false => self.below.id(path),
        }
    }

    fn label(&self, path: &str) -> Option<String> {
        match self.laid.files.get(path) {
            Some(file) => file.label.clone(),
            None => self.below.label(path),
        }
    }
}

/// Files in memory.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    files: BTreeMap<String, File>,
}

#[derive(Debug, Clone)]
struct File {
    content: Arc<[u8]>,
    label: Option<String>,
}

impl Memory {
    /// Puts a file at a path, instead of what is there.
    pub fn put(&mut self, path: &str, content: impl Into<Vec<u8>>, label: Option<&str>) {
        let file = File {
            content: content.into().into(),
            label: label.map(str::to_owned),
        };
        self.files.insert(path.trim_matches('/').to_owned(), file);
    }

    /// Files below a folder, by what of their path follows it.
    fn below(&self, folder: &str) -> impl Iterator<Item = &str> {
        let prefix = match folder {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        self.files
            .range(prefix.clone()..)
            .map_while(move |(path, _)| path.strip_prefix(prefix.as_str()))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Memory {
    fn from(files: [(&str, &str); N]) -> Self {
        let mut memory = Memory::default();
        for (path, content) in files {
            memory.put(path, content, None);
        }
        memory
    }
}

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, ReadError> {
        match (self.files.get(path), self.kind(path)?) {
            (Some(file), _) => Ok(Arc::clone(&file.content)),
            (None, Some(_)) => Err(ReadError::WrongKind),
            (None, None) => Err(ReadError::Missing),
        }
    }

    fn kind(&self, path: &str) -> Result<Option<Kind>, ReadError> {
        Ok(match self.files.contains_key(path) {
            true => Some(Kind::File),
            false => self.below(path).next().map(|_| Kind::Folder),
        })
    }

    fn list(&self, path: &str) -> Result<Vec<String>, ReadError> {
        let first = |rest: &str| split_first(rest).to_owned();
        let mut names: Vec<String> = self.below(path).map(first).collect();
        names.sort();
        names.dedup();
        match names.is_empty() {
            true if self.files.contains_key(path) => Err(ReadError::WrongKind),
            true => Err(ReadError::Missing),
            false => Ok(names),
        }
    }

    fn label(&self, path: &str) -> Option<String> {
        self.files.get(path).and_then(|file| file.label.clone())
    }
}

fn split_first(path: &str) -> &str {
    path.split_once('/').map_or(split(path).1, |(first, _)| first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_laid_hides_what_is_below() {
        let base = Memory::from([("a/x", "1"), ("a/y", "2"), ("b", "3")]);
        let overlay = Overlay::new(&base)
            .lay("a/x", "4", None)
            .lay("c/d/e", "5", Some("made"));
        assert_eq!(overlay.read("a/x").as_deref(), Ok(&b"4"[..]));
        assert_eq!(overlay.read("a/y").as_deref(), Ok(&b"2"[..]));
        assert_eq!(
            overlay.list(""),
            Ok(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()])
        );
        assert_eq!(overlay.kind("c/d"), Ok(Some(Kind::Folder)));
        assert_eq!(overlay.kind("c/d/f"), Ok(None));
        assert_eq!(overlay.label("c/d/e").as_deref(), Some("made"));
        assert_eq!(overlay.label("b"), None);
        assert_eq!(overlay.read("c"), Err(ReadError::Missing));
    }

    #[test]
    fn names_are_listed_once_and_sorted() {
        let memory = Memory::from([("a/b", ""), ("a/c", ""), ("a-b", ""), ("z", "")]);
        assert_eq!(
            memory.list(""),
            Ok(vec!["a".to_owned(), "a-b".to_owned(), "z".to_owned()])
        );
    }
}
