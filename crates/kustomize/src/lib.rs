//! Kustomize as a library: what `kustomize build` of v5.8.1 makes of a folder, in process, from any kind of file tree.
//!
//! It reads files through [`Files`] (a folder on disk, files in memory, or a tree of the caller's, such as a Git commit) and what is
//! not among them through [`Outside`]; it starts no process and opens no connection. One [`Kustomize`] serves many roots and threads, and
//! parses each content once.
//!
//! ```
//! use kustomize::{Kustomize, Memory, Nothing, Options};
//!
//! let files = Memory::from([
//!     ("base/kustomization.yaml", "resources: [service.yaml]\n"),
//!     ("base/service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"),
//!     ("prod/kustomization.yaml", "resources: [../base]\nnamePrefix: prod-\nnamespace: shop\n"),
//! ]);
//! let kustomize = Kustomize::new(&files, &Nothing, Options::default());
//! let build = kustomize.build("prod")?;
//!
//! let object = &build.objects[0];
//! assert_eq!(object.value["metadata"]["name"], "prod-web");
//! assert_eq!(object.value["metadata"]["namespace"], "shop");
//! assert_eq!(&*object.origin.file, "base/service.yaml");
//! assert_eq!(object.origin.kustomizations.len(), 2);
//! # Ok::<(), kustomize::Errors>(())
//! ```
//!
//! Everything that is wrong comes back at once, each [`Error`] with file, field and line where they are known:
//!
//! ```
//! use kustomize::{Kustomize, Memory, Nothing, Options};
//!
//! let files = Memory::from([("kustomization.yaml", "resources: [missing.yaml]\nnamePrefx: a-\n")]);
//! let errors = Kustomize::new(&files, &Nothing, Options::default()).build("").expect_err("it is wrong");
//! assert_eq!(errors.to_string(), "kustomization.yaml:2: namePrefx: unknown field \"namePrefx\"");
//! ```
#![doc = ""]
#![doc = include_str!("differences.md")]

mod annotate;
mod budget;
mod cache;
mod config;
mod config_crds;
mod context;
mod error;
mod fieldspec;
mod files;
mod flux;
mod folder;
mod generate;
mod id;
mod json6902;
mod kustomization;
mod merge;
mod objects;
mod origin;
mod outside;
mod overlay;
mod path;
mod plain;
mod remote;
mod resmap;
mod resource;
mod scalar;
mod schema;
mod selector;
mod shape;
mod shared;
mod target;
mod trace;
mod transform;
mod trouble;
mod walk;

use std::sync::Arc;

use serde_json::Value;

pub use budget::Budgets;
pub use error::{Error, Errors, Request};
pub use files::{ContentId, Files, Kind, ReadError};
pub use flux::flux_kustomization;
pub use folder::Folder;
pub use origin::{Origin, Setter};
pub use outside::{Answer, Chart, Nothing, Outside, Program, ReadFile};
pub use overlay::{Memory, Overlay};
pub use remote::Repository;
pub use target::Target;

/// How much a build remembers of where things come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origins {
    /// Nothing.
    None,
    /// File, document and kustomizations of each object.
    #[default]
    Objects,
    /// And who set each field.
    Fields,
}

/// Which files a kustomization may read beside other kustomizations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoadRestriction {
    /// Those in its folder and below it, as `kustomize build` has it.
    #[default]
    RootOnly,
    /// All of the tree, as Flux has it. A base from elsewhere still reads only its own.
    None,
}

/// How to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How much to remember of where things come from.
    pub origins: Origins,
    /// Which files may be read.
    pub load_restriction: LoadRestriction,
    /// How much one build may take.
    pub budgets: Budgets,
    /// Bytes of texts whose parsed form is kept for other roots. Parsed, a text takes some ten times its size.
    pub cache: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            origins: Origins::default(),
            load_restriction: LoadRestriction::default(),
            budgets: Budgets::default(),
            cache: 8 << 20,
        }
    }
}

/// Builds roots of one tree of files. It can be shared by threads.
pub struct Kustomize<'f> {
    files: &'f dyn Files,
    outside: &'f dyn Outside,
    options: Options,
    cache: cache::Cache,
}

/// What a root comes to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Build {
    /// The objects, in the order in which `kustomize build` prints them.
    pub objects: Vec<Object>,
    /// Spellings that kustomize calls deprecated, each with its file; they work as ever.
    pub deprecated: Vec<String>,
}

/// An object and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// The object. One that nothing changes is shared with all other builds of the same file.
    pub value: Arc<Value>,
    /// Where it comes from, as far as [`Options::origins`] asks for it.
    pub origin: Arc<Origin>,
}

impl<'f> Kustomize<'f> {
    /// Over some files; what is not among them is asked of `outside` ([`Nothing`] refuses all).
    pub fn new(files: &'f dyn Files, outside: &'f dyn Outside, options: Options) -> Self {
        Kustomize {
            files,
            outside,
            options,
            cache: cache::Cache::new(options.cache),
        }
    }

    /// Builds a root: a folder with a kustomization, by its path from the root of the files (`""` is that root itself).
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the root, and everything that is still to be fetched.
    pub fn build(&self, root: &str) -> Result<Build, Errors> {
        walk::target::Walk::new(self).build(root)
    }
}
