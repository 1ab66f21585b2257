//! Where a kustomization is: a folder of the build's own files, or of a tree from elsewhere.

use std::sync::Arc;

use crate::files::{ContentId, Files, Kind, ReadError, is_within, join, split};

/// A tree of files.
#[derive(Clone)]
pub(crate) enum Tree<'f> {
    Own(&'f dyn Files),
    Remote(Arc<Remote>),
}

/// A tree that [`Outside`](crate::Outside) brought.
pub(crate) struct Remote {
    pub files: Arc<dyn Files + Send>,
    /// As the kustomization writes it.
    pub url: String,
}

impl Tree<'_> {
    pub fn files(&self) -> &dyn Files {
        match self {
            Tree::Own(files) => *files,
            Tree::Remote(remote) => &*remote.files,
        }
    }

    pub fn is_same(&self, other: &Tree<'_>) -> bool {
        match (self, other) {
            (Tree::Own(_), Tree::Own(_)) => true,
            (Tree::Remote(one), Tree::Remote(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// What a file is called in origins and errors.
    pub fn label(&self, path: &str) -> String {
        let label = self.files().label(path);
        match self {
            Tree::Own(_) => label.unwrap_or_else(|| path.to_owned()),
            Tree::Remote(remote) => format!("{}//{}", remote.url, label.unwrap_or_else(|| path.to_owned())),
        }
    }
}

/// A folder of a tree.
#[derive(Clone)]
pub(crate) struct Place<'f> {
    pub tree: Tree<'f>,
    /// Path of the folder, without links.
    pub folder: Arc<str>,
}

/// A file of a tree, found.
pub(crate) struct Found<'f> {
    pub tree: Tree<'f>,
    /// Without links.
    pub path: String,
}

impl<'f> Place<'f> {
    /// The folder at a path that is written here.
    pub fn enter(&self, path: &str) -> Result<Place<'f>, ReadError> {
        let joined = join(&self.folder, path).ok_or(ReadError::Outside)?;
        match self.tree.files().find(&joined)? {
            Some((Kind::Folder, folder)) => Ok(Place {
                tree: self.tree.clone(),
                folder: folder.into(),
            }),
            Some((Kind::File, _)) => Err(ReadError::WrongKind),
            None => Err(ReadError::Missing),
        }
    }

    /// The file at a path that is written here; whether it is in this folder or below it.
    pub fn find(&self, path: &str) -> Result<(Found<'f>, bool), ReadError> {
        let joined = join(&self.folder, path).ok_or(ReadError::Outside)?;
        match self.tree.files().find(&joined)? {
            Some((Kind::File, path)) => {
                // A file that is a link counts by where it leads.
                let within = is_within(split(&path).0, &self.folder);
                Ok((
                    Found {
                        tree: self.tree.clone(),
                        path,
                    },
                    within,
                ))
            }
            Some((Kind::Folder, _)) => Err(ReadError::WrongKind),
            None => Err(ReadError::Missing),
        }
    }

    /// Whether this folder is another one or above it.
    pub fn contains(&self, other: &Place<'_>) -> bool {
        self.tree.is_same(&other.tree) && is_within(&other.folder, &self.folder)
    }

    /// The folder in words.
    pub fn shown(&self) -> String {
        match self.tree.label(&self.folder) {
            label if label.is_empty() => ".".to_owned(),
            label => label,
        }
    }
}

impl Found<'_> {
    pub fn label(&self) -> String {
        self.tree.label(&self.path)
    }

    pub fn read(&self) -> Result<Arc<[u8]>, ReadError> {
        self.tree.files().read(&self.path)
    }

    pub fn read_shut(&self) -> Result<Arc<[u8]>, ReadError> {
        self.tree.files().read_shut(&self.path)
    }

    pub fn id(&self) -> Option<ContentId> {
        self.tree.files().id(&self.path)
    }
}
