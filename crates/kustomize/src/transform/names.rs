//! Name references: where objects were renamed, the fields of others that name them are (kustomize's `nameReferenceTransformer` and
//! `filters/nameref`).
//!
//! kustomize walks every field of its table for every object and compares with every other object. Here the fields that a kind may
//! name others in are one tree, walked once an object, and objects are looked up by the names that they had.

use std::collections::HashSet;

use serde_json::Value;

use crate::context::Context;
use crate::fieldspec::{scalar, wrong_kind};
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::trouble::{Outcome, Trouble};

mod candidates;
mod tree;

use candidates::{Candidates, Referrer, Wanted};
pub(crate) use tree::Index;
use tree::{Branch, Leaf};

/// A step into a value.
#[derive(Debug, Clone, Copy)]
enum Step<'v> {
    Key(&'v str),
    Item(usize),
}

/// A change that is due at some place of a referrer.
struct Edit {
    /// A JSON pointer, in parts.
    place: Vec<String>,
    change: Change,
}

enum Change {
    Text(String),
    /// A null where a path says `[]`.
    EmptyList,
}

/// Fixes the references of all objects to objects that were renamed or moved.
///
/// # Errors
///
/// Where several objects may be meant, and where a field that names has another kind of value than it can have.
pub(crate) fn fix(map: &mut ResMap, cx: &Context<'_>) -> Outcome<()> {
    if cx.config.name_reference.is_empty() {
        return Ok(());
    }
    let candidates = Candidates::new(map, cx.schema);
    let mut due = Vec::new();
    for (at, resource) in map.list.iter().enumerate() {
        let trees = cx
            .config
            .by_referrer
            .trees(&cx.config.name_reference, resource.original_id(cx.schema));
        if trees.is_empty() {
            continue;
        }
        let referrer = candidates.referrer(at, resource)?;
        let edits = walk(&trees, &referrer, &candidates)?;
        if !edits.is_empty() {
            due.push((at, edits));
        }
    }
    for (at, edits) in due {
        if let Some(resource) = map.list.get_mut(at) {
            edits.iter().for_each(|edit| edit.apply(resource.value_mut()));
        }
    }
    Ok(())
}

impl Edit {
    fn apply(&self, value: &mut Value) {
        let Some((last, way)) = self.place.split_last() else {
            return;
        };
        let mut parent = value;
        for key in way {
            let next = match parent {
                Value::Object(map) => map.get_mut(key),
                Value::Array(items) => key.parse::<usize>().ok().and_then(|at| items.get_mut(at)),
                _ => None,
            };
            let Some(next) = next else { return };
            parent = next;
        }
        let new = || match &self.change {
            Change::Text(text) => Value::String(text.clone()),
            Change::EmptyList => Value::Array(Vec::new()),
        };
        match parent {
            Value::Object(map) => drop(map.insert(last.clone(), new())),
            Value::Array(items) => {
                if let Some(item) = last.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
                    *item = new();
                }
            }
            _ => {}
        }
    }
}

/// What is to be changed in a referrer. The trees are walked one after the other, each seeing what came of those before it.
fn walk<'m>(trees: &[Branch], referrer: &Referrer<'m>, candidates: &Candidates<'m>) -> Outcome<Vec<Edit>> {
    let mut all: Vec<Edit> = Vec::new();
    let mut copy: Option<Value> = None;
    for tree in trees {
        if copy.is_none() && !all.is_empty() {
            let mut value = Value::clone(referrer.value());
            all.iter().for_each(|edit| edit.apply(&mut value));
            copy = Some(value);
        }
        let mut walk = Walk {
            candidates,
            referrer,
            at: Vec::new(),
            edits: Vec::new(),
        };
        walk.branch(tree, copy.as_ref().unwrap_or(referrer.value()))?;
        let edits = walk.edits;
        if let Some(value) = &mut copy {
            edits.iter().for_each(|edit| edit.apply(value));
        }
        all.extend(edits);
    }
    Ok(all)
}

/// A walk through the fields of one referrer.
struct Walk<'m, 'v, 'r> {
    candidates: &'r Candidates<'m>,
    referrer: &'r Referrer<'m>,
    /// Where the walk is.
    at: Vec<Step<'v>>,
    edits: Vec<Edit>,
}

impl<'v> Walk<'_, 'v, '_> {
    fn branch(&mut self, branch: &Branch, value: &'v Value) -> Outcome<()> {
        for leaf in &branch.leaves {
            let set = self.leaf(leaf, value);
            set.map_err(|trouble| self.explain(&leaf.path, trouble))?;
        }
        if branch.below.is_empty() {
            return Ok(());
        }
        match value {
            Value::Null => Ok(()),
            Value::Array(items) => items.iter().enumerate().try_for_each(|(at, item)| {
                self.at.push(Step::Item(at));
                let done = self.below(branch, item);
                self.at.pop();
                done
            }),
            _ => self.below(branch, value),
        }
    }

    /// What is below a branch, in a value that is no list, or a list in a list.
    fn below(&mut self, branch: &Branch, value: &'v Value) -> Outcome<()> {
        let map = match value {
            Value::Null => return Ok(()),
            Value::Object(map) => map,
            Value::Array(items) => {
                return items.iter().enumerate().try_for_each(|(at, item)| {
                    self.at.push(Step::Item(at));
                    let done = self.below(branch, item);
                    self.at.pop();
                    done
                });
            }
            _ => return Err(self.explain(branch.first_path(), Trouble::new("expected sequence or mapping node"))),
        };
        for (part, next) in &branch.below {
            let key = match crate::fieldspec::key(part) {
                Ok(key) => key,
                Err(trouble) => return Err(self.explain(next.first_path(), trouble)),
            };
            let Some((name, field)) = map.get_key_value(key.name) else {
                continue;
            };
            self.at.push(Step::Key(name));
            let done = match field {
                Value::Null if key.list => {
                    self.edit(&[], Change::EmptyList);
                    Ok(())
                }
                field => self.branch(next, field),
            };
            self.at.pop();
            done?;
        }
        Ok(())
    }

    fn leaf(&mut self, leaf: &Leaf, value: &'v Value) -> Outcome<()> {
        match value {
            Value::Null => Ok(()),
            Value::Array(items) => items.iter().enumerate().try_for_each(|(at, item)| {
                self.at.push(Step::Item(at));
                let done = match item {
                    Value::Null => Ok(()),
                    Value::Object(_) => self.mapping(leaf, item),
                    Value::Array(_) => Err(Trouble::new(
                        "a list in a list is neither a name nor a mapping with one",
                    )),
                    item => self.text(leaf, item),
                };
                self.at.pop();
                done
            }),
            Value::Object(_) => self.mapping(leaf, value),
            value => self.text(leaf, value),
        }
    }

    /// A field that is a name.
    fn text(&mut self, leaf: &Leaf, value: &Value) -> Outcome<()> {
        let old = scalar(value)?;
        let mut name = old.as_ref();
        for target in &leaf.targets {
            let wanted = Wanted {
                name,
                namespace: None,
                target,
                role: leaf.role,
                moves: false,
            };
            if let Some(found) = self.candidates.select(self.referrer, &wanted)? {
                name = found.name();
            }
        }
        if name != old {
            let name = name.to_owned();
            self.edit(&[], Change::Text(name));
        }
        Ok(())
    }

    /// A mapping that has a name and may have a namespace.
    fn mapping(&mut self, leaf: &Leaf, value: &Value) -> Outcome<()> {
        let Some(old) = value.get("name") else {
            return Err(Trouble::new("path config error; no 'name' field in node"));
        };
        let (old, old_namespace) = (plain(old), value.get("namespace").map(plain));
        let (mut name, mut namespace) = (old.as_ref(), old_namespace.as_deref());
        for target in &leaf.targets {
            let wanted = Wanted {
                name,
                namespace,
                target,
                role: leaf.role,
                moves: true,
            };
            let Some(found) = self.candidates.select(self.referrer, &wanted)? else {
                continue;
            };
            name = found.name();
            if !found.namespace().is_empty() {
                namespace = Some(found.namespace());
            }
        }
        if name != old {
            let name = name.to_owned();
            self.edit(&["name"], Change::Text(name));
        }
        if let (true, Some(namespace)) = (namespace != old_namespace.as_deref(), namespace) {
            let namespace = namespace.to_owned();
            self.edit(&["namespace"], Change::Text(namespace));
        }
        Ok(())
    }

    fn edit(&mut self, below: &[&str], change: Change) {
        let step = |step: &Step<'_>| match step {
            Step::Key(key) => (*key).to_owned(),
            Step::Item(at) => at.to_string(),
        };
        let place = self
            .at
            .iter()
            .map(step)
            .chain(below.iter().map(|key| (*key).to_owned()))
            .collect();
        self.edits.push(Edit { place, change });
    }

    fn explain(&self, path: &str, trouble: Trouble) -> Trouble {
        let id = self.referrer.id();
        Trouble {
            message: format!(
                "updating name reference in '{path}' field of '{id}': {}",
                trouble.message
            ),
            ..trouble
        }
    }
}

/// The text of a name; that of what is none is empty, and names nothing.
fn plain(value: &Value) -> std::borrow::Cow<'_, str> {
    scalar(value).unwrap_or_default()
}

/// Namespaces of the ServiceAccounts that a RoleBinding is for.
fn subject_namespaces(resource: &Resource) -> Outcome<HashSet<&str>> {
    let mut found = HashSet::new();
    if resource.kind() != "RoleBinding" {
        return Ok(found);
    }
    for subject in resource
        .value
        .get("subjects")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let map = subject.as_object().ok_or_else(|| wrong_kind("MappingNode", subject))?;
        let (Some(namespace), Some(kind)) = (map.get("namespace"), map.get("kind")) else {
            continue;
        };
        if kind
            .as_str()
            .ok_or_else(|| Trouble::new("the kind of a subject is no text"))?
            == "ServiceAccount"
        {
            let namespace = namespace.as_str();
            found.insert(namespace.ok_or_else(|| Trouble::new("the namespace of a subject is blank"))?);
        }
    }
    Ok(found)
}
