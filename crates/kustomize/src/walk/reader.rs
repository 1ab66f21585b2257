//! Reads the files that a kustomization names, within what it may read, and parses each content once.

use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::cache::{ReadKustomization, Shelf};
use crate::context::{Parsed, Reads, parse, parse_plain, parse_strictly};
use crate::error::Request;
use crate::files::{ContentId, Files, ReadError};
use crate::kustomization::{self, Kustomization};
use crate::objects;
use crate::outside::Answer;
use crate::remote::is_web;
use crate::trouble::{Outcome, Trouble};
use crate::walk::place::{Found, Place, Remote, Tree};
use crate::walk::target::Walk;

/// Reads as a kustomization may.
pub(crate) struct Reader<'w, 'f> {
    pub walk: &'w Walk<'w, 'f>,
    pub place: Place<'f>,
}

impl Reads for Reader<'_, '_> {
    fn read(&self, path: &str) -> Outcome<(Arc<[u8]>, String)> {
        let found = self.find(path)?;
        let label = found.label();
        let bytes = self.bytes(&found, path)?;
        Ok((bytes, label))
    }

    fn read_shut(&self, path: &str) -> Outcome<(Arc<[u8]>, String)> {
        let found = self.find(path)?;
        let bytes = found.read_shut().map_err(|error| cannot_read(path, &error))?;
        self.walk.meter.read(bytes.len())?;
        Ok((bytes, found.label()))
    }

    fn check(&self, path: &str) -> Outcome<String> {
        self.find(path).map(|found| found.label())
    }

    fn work(&self, amount: usize) -> Outcome<()> {
        self.walk.meter.work(amount)
    }

    fn plain(&self, path: &str) -> Outcome<(Arc<[Parsed]>, String)> {
        self.parsed(path, &self.walk.kustomize.cache.plain, parse_plain)
    }

    fn documents(&self, path: &str) -> Outcome<(Arc<[Parsed]>, String)> {
        self.parsed(path, &self.walk.kustomize.cache.documents, parse)
    }
}

impl<'f> Reader<'_, 'f> {
    /// The objects that a file declares, and what it is called.
    pub fn objects(&self, path: &str) -> Outcome<(Arc<[Parsed]>, String)> {
        let read = |bytes: &[u8]| parse_strictly(bytes).and_then(|documents| objects::of(&documents));
        self.parsed(path, &self.walk.kustomize.cache.objects, read)
    }

    /// The kustomization file of a folder, and where it is.
    pub fn kustomization(&self) -> Result<(Arc<Kustomization>, Found<'f>), Vec<Trouble>> {
        let mut all: Vec<Found<'f>> = Vec::new();
        for name in kustomization::NAMES {
            all.extend(self.find(name).ok());
        }
        let found = match (all.pop(), all.len()) {
            (Some(found), 0) => found,
            (None, _) => {
                let message =
                    "there is none of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in this folder";
                return Err(vec![Trouble::new(message).in_file(self.place.shown(), None)]);
            }
            (Some(_), _) => {
                let message = "there is more than one kustomization file in this folder";
                return Err(vec![Trouble::new(message).in_file(self.place.shown(), None)]);
            }
        };
        let path = found.path.clone();
        let read = |bytes: &[u8]| kustomization::read(bytes).map(Arc::new).map_err(Arc::from);
        let kept: ReadKustomization = self
            .cached(&found, &path, &self.walk.kustomize.cache.kustomizations, read)
            .map_err(|trouble| vec![trouble])?;
        match kept {
            Ok(kustomization) => Ok((kustomization, found)),
            Err(troubles) => {
                let label = found.label();
                let here = |trouble: &Trouble| trouble.clone().in_file(label.clone(), trouble.line);
                Err(troubles.iter().map(here).collect())
            }
        }
    }

    /// The file at a path, when it may be read.
    pub fn find(&self, path: &str) -> Outcome<Found<'f>> {
        if is_web(path) {
            return self.web_file(path);
        }
        if path.starts_with('/') {
            return Err(Trouble::new(format!(
                "\"{path}\" is an absolute path; only paths in the tree can be read"
            )));
        }
        let (found, within) = self.place.find(path).map_err(|error| cannot_read(path, &error))?;
        let restricted = self.walk.kustomize.options.load_restriction == crate::LoadRestriction::RootOnly
            || matches!(self.place.tree, Tree::Remote(_));
        match within || !restricted {
            true => Ok(found),
            false => {
                let folder = self.place.shown();
                Err(Trouble::new(format!(
                    "security; file \"{path}\" is not in or below \"{folder}\""
                )))
            }
        }
    }

    /// A file from elsewhere.
    fn web_file(&self, url: &str) -> Outcome<Found<'f>> {
        let (remote, path) = self.outside(url)?;
        Ok(Found {
            tree: Tree::Remote(remote),
            path,
        })
    }

    /// A tree from elsewhere, and the path in it.
    pub fn outside(&self, url: &str) -> Outcome<(Arc<Remote>, String)> {
        if let Some((remote, path)) = self.walk.remotes.borrow().get(url) {
            return Ok((Arc::clone(remote), path.clone()));
        }
        let (files, path): (Arc<dyn Files + Send>, PathBuf) = match self.walk.kustomize.outside.remote(url) {
            Answer::Here(found) => found,
            Answer::Later => {
                self.walk.postpone(Request::Remote(url.to_owned()));
                return Err(Trouble::new(format!("{url} is still to be fetched")));
            }
            Answer::Refused(why) => return Err(Trouble::new(format!("{url} cannot be fetched: {why}"))),
        };
        let path = path.to_str().and_then(|path| crate::files::join("", path));
        let path = path.ok_or_else(|| Trouble::new(format!("{url} leads out of its tree")))?;
        let remote = Arc::new(Remote {
            files,
            url: url.to_owned(),
        });
        let entry = (Arc::clone(&remote), path.clone());
        self.walk.remotes.borrow_mut().insert(url.to_owned(), entry);
        Ok((remote, path))
    }

    fn bytes(&self, found: &Found<'_>, path: &str) -> Outcome<Arc<[u8]>> {
        let bytes = found.read().map_err(|error| cannot_read(path, &error))?;
        self.walk.meter.read(bytes.len())?;
        Ok(bytes)
    }

    fn parsed(
        &self,
        path: &str,
        shelf: &Shelf<Outcome<Arc<[Parsed]>>>,
        read: impl Fn(&[u8]) -> Outcome<Arc<[Parsed]>>,
    ) -> Outcome<(Arc<[Parsed]>, String)> {
        let found = self.find(path)?;
        let label = found.label();
        match self.cached(&found, path, shelf, read)? {
            Ok(documents) => Ok((documents, label)),
            Err(trouble) => {
                let line = trouble.line;
                Err(trouble.in_file(label, line))
            }
        }
    }

    /// What a content means, kept for the next one who asks.
    fn cached<T: Clone>(
        &self,
        found: &Found<'_>,
        path: &str,
        shelf: &Shelf<T>,
        read: impl Fn(&[u8]) -> T,
    ) -> Outcome<T> {
        if let Some(id) = found.id() {
            if let Some(known) = shelf.find(id) {
                self.walk.meter.read(0)?;
                return Ok(known);
            }
            let bytes = self.bytes(found, path)?;
            let fresh = read(&bytes);
            shelf.keep(id, fresh.clone(), bytes.len());
            return Ok(fresh);
        }
        let bytes = self.bytes(found, path)?;
        let id = ContentId(Sha256::digest(&bytes).into());
        if let Some(known) = shelf.find(id) {
            return Ok(known);
        }
        let fresh = read(&bytes);
        shelf.keep(id, fresh.clone(), bytes.len());
        Ok(fresh)
    }
}

pub(crate) fn cannot_read(path: &str, error: &ReadError) -> Trouble {
    let why = match error {
        ReadError::Missing => "there is no such file",
        ReadError::WrongKind => "it is a folder, not a file",
        ReadError::Outside => "security; it is out of the root of the files",
        ReadError::Failed(why) => why,
    };
    Trouble::new(format!("\"{path}\" cannot be read: {why}"))
}
