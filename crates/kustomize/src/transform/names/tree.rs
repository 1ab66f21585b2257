//! The fields in which objects of a kind name others, as trees.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use crate::config::{FieldSpec, NameReference};
use crate::fieldspec::split;
use crate::id::Id;

/// Trees by the group, version and kind of the object that names: built when first asked for.
#[derive(Debug, Default)]
pub(crate) struct Index(RwLock<HashMap<String, Vec<Known>>>);

/// The trees of one group and version of a kind.
#[derive(Debug)]
struct Known {
    group: String,
    version: String,
    trees: Arc<[Branch]>,
}

/// What an index remembers can be told from the table that it stands beside, so that it does not count in copies and comparisons.
impl Clone for Index {
    fn clone(&self) -> Self {
        Index::default()
    }
}

impl PartialEq for Index {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Index {}

/// A place in the paths of a tree.
#[derive(Debug, Default)]
pub(super) struct Branch {
    /// Fields that end here.
    pub leaves: Vec<Leaf>,
    /// Parts of paths as they are written, and what is below.
    pub below: Vec<(String, Branch)>,
}

/// A field that names.
#[derive(Debug)]
pub(super) struct Leaf {
    /// Kinds that it may name, in the order of the table.
    pub targets: Vec<Target>,
    pub path: String,
    /// The field is the name of a `roleRef`, beside which the kind is written.
    pub role: bool,
}

/// A kind that may be named; what is empty is any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub group: String,
    pub version: String,
    pub kind: String,
}

impl Branch {
    /// The path of the first field at or below this place.
    pub fn first_path(&self) -> &str {
        match (self.leaves.first(), self.below.first()) {
            (Some(leaf), _) => &leaf.path,
            (None, Some((_, branch))) => branch.first_path(),
            (None, None) => "",
        }
    }

    /// Adds a field. One that lies above or below another, or is the same written in another way, has no place in the same tree: it must
    /// see what becomes of the other. Then nothing is added, and the answer is no.
    fn add(&mut self, parts: &[String], path: &str, target: &Target) -> bool {
        let Some((part, rest)) = parts.split_first() else {
            if !self.below.is_empty() {
                return false;
            }
            if self.leaves.is_empty() {
                let role = path.ends_with("roleRef/name");
                self.leaves.push(Leaf {
                    targets: Vec::new(),
                    path: path.to_owned(),
                    role,
                });
            }
            self.leaves
                .iter_mut()
                .for_each(|leaf| leaf.targets.push(target.clone()));
            return true;
        };
        if !self.leaves.is_empty() {
            return false;
        }
        if let Some((_, next)) = self.below.iter_mut().find(|(had, _)| had == part) {
            return next.add(rest, path, target);
        }
        let name = |part: &str| part.trim_end_matches("[]").trim().to_owned();
        if self.below.iter().any(|(had, _)| name(had) == name(part)) {
            return false;
        }
        let mut next = Branch::default();
        next.add(rest, path, target);
        self.below.push((part.clone(), next));
        true
    }
}

impl Index {
    /// The trees for objects of a first identity, to be walked one after the other; none for most kinds.
    pub(super) fn trees(&self, table: &[NameReference], id: Id<'_>) -> Arc<[Branch]> {
        let of = |known: &HashMap<String, Vec<Known>>| {
            let known = known
                .get(id.kind)?
                .iter()
                .find(|known| known.group == id.group && known.version == id.version)?;
            Some(Arc::clone(&known.trees))
        };
        // A poisoned lock has whole entries still: they are pushed when they are done.
        if let Some(trees) = of(&self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner)) {
            return trees;
        }
        let trees: Arc<[Branch]> = build(table, id).into();
        let mut known = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(trees) = of(&known) {
            return trees;
        }
        known.entry(id.kind.to_owned()).or_default().push(Known {
            group: id.group.to_owned(),
            version: id.version.to_owned(),
            trees: Arc::clone(&trees),
        });
        trees
    }
}

fn build(table: &[NameReference], id: Id<'_>) -> Vec<Branch> {
    let mut trees: Vec<Branch> = Vec::new();
    for reference in table {
        let target = Target {
            group: reference.group.clone(),
            version: reference.version.clone(),
            kind: reference.kind.clone(),
        };
        let fits = |spec: &&FieldSpec| spec.is_for(id);
        for spec in reference.field_specs.iter().filter(fits) {
            let parts: Vec<String> = split(&spec.path, '/').map(|part| part.into_owned()).collect();
            // Only the last tree, so that a field that must come after another does.
            if !trees
                .last_mut()
                .is_some_and(|tree| tree.add(&parts, &spec.path, &target))
            {
                let mut tree = Branch::default();
                tree.add(&parts, &spec.path, &target);
                trees.push(tree);
            }
        }
    }
    trees
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(kind: &str, paths: &[&str]) -> NameReference {
        let spec = |path: &&str| FieldSpec {
            kind: "Pod".to_owned(),
            ..FieldSpec::new(path, false)
        };
        NameReference {
            kind: kind.to_owned(),
            field_specs: paths.iter().map(spec).collect(),
            ..NameReference::default()
        }
    }

    fn id(kind: &str) -> Id<'_> {
        Id {
            group: "",
            version: "v1",
            kind,
            namespace: "",
            name: "",
            cluster_scoped: false,
        }
    }

    #[test]
    fn one_tree_but_for_fields_in_fields() {
        let table = [
            reference("A", &["spec/a/name", "spec/b/name", "x"]),
            reference("B", &["spec/a/name", "spec/a", "spec/b[]/name", "spec/c"]),
        ];
        let index = Index::default();
        let trees = index.trees(&table, id("Pod"));
        // spec/a is above spec/a/name, spec/b[] is spec/b written in another way.
        assert_eq!(trees.len(), 2, "{trees:?}");
        assert_eq!(trees[0].first_path(), "spec/a/name");
        assert_eq!(trees[0].below[0].1.below[0].1.below[0].1.leaves[0].targets.len(), 2);
        assert_eq!(trees[1].first_path(), "spec/a");
        assert!(index.trees(&table, id("Service")).is_empty());
        assert!(Arc::ptr_eq(&trees, &index.trees(&table, id("Pod"))));
    }
}
