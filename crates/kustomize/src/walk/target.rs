//! A kustomization on the walk, and what the walk keeps.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::budget::Meter;
use crate::context::Parsed;
use crate::error::{Error, Errors, Request};
use crate::files::split;
use crate::kustomization::Kustomization;
use crate::kustomization::lines::line_of;
use crate::origin::{Origin, Trail};
use crate::resource::Resource;
use crate::schema::Schema;
use crate::trouble::Trouble;
use crate::walk::place::{Place, Remote};
use crate::walk::reader::Reader;
use crate::{Kustomize, Origins};

/// One build under way. What goes wrong is collected here, so that the walk can go on elsewhere.
pub(crate) struct Walk<'k, 'f> {
    pub kustomize: &'k Kustomize<'f>,
    pub meter: Meter,
    pub errors: RefCell<Vec<Error>>,
    pub deprecated: RefCell<Vec<String>>,
    pub remotes: RefCell<HashMap<String, (Arc<Remote>, String)>>,
    /// The types in force. kustomize has one for the whole build: the first kustomization that names one sets it.
    pub schema: RefCell<(Arc<Schema>, bool)>,
    later: RefCell<BTreeSet<Request>>,
    /// The next trouble is only because something is still to be fetched.
    postponed: Cell<bool>,
    /// An object was read whose kind is not known to have a namespace or not.
    pub met_unknown: Cell<bool>,
    serials: Cell<usize>,
}

/// Something failed, and the reason is in [`Walk::errors`] or [`Walk::later`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed;

/// A kustomization on the walk.
pub(crate) struct Target<'p, 'f> {
    pub kustomization: Arc<Kustomization>,
    /// What its file is called.
    pub file: Arc<str>,
    pub place: Place<'f>,
    pub parent: Option<&'p Target<'p, 'f>>,
    pub depth: usize,
    /// Namespace of the nearest kustomization above that has one, for charts.
    pub namespace_above: String,
    /// For `buildMetadata`: the path from the root that was walked so far; `None` where nothing is annotated.
    pub mark: Option<crate::annotate::Mark>,
    /// Path of its file in the tree.
    pub path: String,
}

impl<'k, 'f> Walk<'k, 'f> {
    pub fn new(kustomize: &'k Kustomize<'f>) -> Self {
        Walk {
            kustomize,
            meter: Meter::new(kustomize.options.budgets),
            errors: RefCell::default(),
            deprecated: RefCell::default(),
            remotes: RefCell::default(),
            schema: RefCell::new((Schema::builtin(), false)),
            later: RefCell::default(),
            postponed: Cell::new(false),
            met_unknown: Cell::new(false),
            serials: Cell::new(1),
        }
    }

    pub fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema.borrow().0)
    }

    pub fn reader(&self, place: &Place<'f>) -> Reader<'_, 'f>
    where
        'f: 'k,
    {
        Reader {
            walk: self,
            place: place.clone(),
        }
    }

    /// Remembers that something is to be fetched.
    pub fn postpone(&self, request: Request) {
        self.later.borrow_mut().insert(request);
        self.postponed.set(true);
    }

    /// Keeps a trouble, unless it is only that something is still to be fetched.
    pub fn fail(&self, trouble: Trouble, file: &str) -> Failed {
        if self.postponed.replace(false) {
            return Failed;
        }
        let error = Error {
            file: trouble.file.unwrap_or_else(|| file.to_owned()),
            line: trouble.line,
            field: trouble.field.unwrap_or_default(),
            message: trouble.message,
        };
        let mut errors = self.errors.borrow_mut();
        // A folder that is named twice has its problems once.
        if !errors.contains(&error) {
            errors.push(error);
        }
        Failed
    }

    pub fn tell_deprecated(&self, spelling: String) {
        let mut deprecated = self.deprecated.borrow_mut();
        if !deprecated.contains(&spelling) {
            deprecated.push(spelling);
        }
    }

    /// All that went wrong.
    pub fn into_errors(self) -> Errors {
        Errors {
            errors: self.errors.into_inner(),
            later: self.later.into_inner().into_iter().collect(),
        }
    }

    /// A number that no other object of the build has.
    pub fn serial(&self) -> usize {
        let serial = self.serials.get();
        self.serials.set(serial + 1);
        serial
    }

    /// A declared object.
    pub fn declared(&self, parsed: &Parsed, file: &Arc<str>) -> Resource {
        let trail: Trail = match self.kustomize.options.origins {
            Origins::None => Trail::default(),
            _ => Arc::new(Origin {
                file: Arc::clone(file),
                document: parsed.index,
                line: parsed.line,
                ..Origin::default()
            }),
        };
        let mut resource = Resource::new(Arc::clone(&parsed.value), trail);
        resource.serial = self.serial();
        resource.nulls = parsed.nulls.clone();
        if !self.met_unknown.get() {
            let (group, version) = resource.group_version();
            let known = self.schema.borrow().0.knows_scope(group, version, resource.kind());
            self.met_unknown.set(!known);
        }
        resource
    }
}

impl Target<'_, '_> {
    /// Keeps a trouble of a field.
    pub fn fail(&self, walk: &Walk<'_, '_>, trouble: Trouble, field: &str) -> Failed {
        let mut trouble = trouble.in_field(field);
        if trouble.file.is_none() {
            trouble.line = trouble.field.as_deref().and_then(|field| self.line_of(field));
        }
        walk.fail(trouble, &self.file)
    }

    /// The line of a field of the kustomization.
    fn line_of(&self, field: &str) -> Option<usize> {
        let bytes = self.place.tree.files().read(&self.path).ok()?;
        line_of(std::str::from_utf8(&bytes).ok()?, field)
    }

    /// Name of the kustomization's file.
    pub fn file_name(&self) -> &str {
        split(&self.path).1
    }
}
