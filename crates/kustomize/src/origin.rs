//! Where objects and their fields come from.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Where an object comes from, and what it passed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The file that has it; for a generated object the kustomization that generates it.
    pub file: Arc<str>,
    /// Index of the document in that file, from 0.
    pub document: usize,
    /// Line of the document in that file, from 1; 0 where it is not known.
    pub line: usize,
    /// The field that generated it, such as `configMapGenerator[0]`; `None` for an object that a file declares.
    pub generator: Option<Arc<str>>,
    /// Every kustomization file that it passed, from the innermost to the root.
    pub kustomizations: Vec<Arc<str>>,
    /// With [`Origins::Fields`](crate::Origins::Fields): who set each field that the declaring document did not, or not so. The path
    /// is written with `.`, items of a list by merge key or index: `spec.template.spec.containers[name=web].image`.
    pub fields: BTreeMap<String, Setter>,
}

/// What set a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setter {
    /// The file whose text decides: the kustomization, or the file that it names (a patch, a generator's file).
    pub file: Arc<str>,
    /// Where in the kustomization that is asked for: `images[0]`, `patches[2]`, `namePrefix`.
    pub field: Arc<str>,
    /// The kustomization that asks for it.
    pub kustomization: Arc<str>,
}

/// The origin of an object in the making; shared until it changes.
pub(crate) type Trail = Arc<Origin>;
