//! Files being changed, one change after the other.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::Value;
use yaml_splice::{Edit, Step};

use super::layers::{Layers, items};
use super::proof::{Rendered, intend};
use super::spot::Spot;
use super::{Change, Changeset, Options, Placed, path};
use crate::declared::{self, config_root, is_kustomization};
use crate::object::{Declared, DeclaredSet, ObjectId, Place};
use crate::source::Tree;
use crate::source::path::{is_within, parent};

/// What is declared, found by identity.
pub(super) struct Known<'a> {
    pub set: &'a DeclaredSet,
    by_id: BTreeMap<&'a ObjectId, &'a Declared>,
    /// How many objects have a kind and a name.
    namesakes: BTreeMap<(&'a str, &'a str), usize>,
}

impl<'a> Known<'a> {
    pub fn of(set: &'a DeclaredSet) -> Self {
        let mut namesakes = BTreeMap::new();
        for one in &set.objects {
            *namesakes.entry((&*one.id.kind, &*one.id.name)).or_default() += 1;
        }
        Self {
            set,
            by_id: set.objects.iter().map(|one| (&one.id, one)).collect(),
            namesakes,
        }
    }

    pub fn get(&self, id: &ObjectId) -> Option<&'a Declared> {
        self.by_id.get(id).copied()
    }

    /// The SealedSecret that a Secret comes out of.
    pub fn sealed(&self, secret: &ObjectId) -> Option<&'a Declared> {
        let sealed = sealed_id(secret).and_then(|id| self.get(&id))?;
        let secret = self.get(secret)?;
        (secret.provenance == sealed.provenance).then_some(sealed)
    }

    /// Whether an object of another namespace has the same kind and name.
    pub fn has_namesakes(&self, id: &ObjectId) -> bool {
        self.namesakes
            .get(&(&*id.kind, &*id.name))
            .is_some_and(|count| *count > 1)
    }
}

pub(super) struct Work<'a> {
    pub tree: &'a Tree,
    pub known: &'a Known<'a>,
    pub layers: &'a Layers,
    pub made: Changeset,
    pub reading: &'a declared::Options,
    pub(super) options: Options<'a>,
    /// How files are called in a folder, by the order of their names.
    pub habits: BTreeMap<String, Vec<usize>>,
    /// New entries of kustomizations: file → (folder, entry).
    pub entries: BTreeMap<String, Vec<(String, String)>>,
    before: &'a Rendered,
    /// Rendered objects as they are meant to be by now, of those that change.
    meant: BTreeMap<ObjectId, Value>,
    /// Documents that are gone, by file: the indices that they had in the tree.
    pub(super) gone: BTreeMap<String, Vec<usize>>,
    /// What files were before the change that is being made, the latest last; `None`: it did not touch them.
    undo: Vec<(String, Option<Option<Vec<u8>>>)>,
    /// Generators and patches of nothing but what is gone, as they were counted in the tree: kustomization and list → their indices, and
    /// the files that they name.
    pub(super) spent: BTreeMap<(String, String), BTreeMap<usize, Vec<String>>>,
}

/// The document that declares an object.
pub(super) struct Document {
    /// The whole file.
    pub text: String,
    /// Its index in it, as it is by now.
    pub index: usize,
    /// What it says.
    pub value: Value,
    /// Steps to the object; none where it is the document.
    pub steps: Vec<Step>,
}

/// Where a change was made, and why there.
pub(super) type Made = (Place, String);

impl<'a> Work<'a> {
    pub fn new(
        tree: &'a Tree,
        (known, layers): (&'a Known<'a>, &'a Layers),
        reading: &'a declared::Options,
        options: Options<'a>,
        before: &'a Rendered,
    ) -> Self {
        Self {
            tree,
            known,
            layers,
            made: Changeset::default(),
            reading,
            options,
            habits: BTreeMap::new(),
            entries: BTreeMap::new(),
            before,
            meant: BTreeMap::new(),
            gone: BTreeMap::new(),
            undo: Vec::new(),
            spent: BTreeMap::new(),
        }
    }

    pub fn finish(mut self) -> Changeset {
        self.list_all();
        self.drop_spent();
        let Changeset { files, reemitted, .. } = &mut self.made;
        // Of what goes in the end nothing is lost.
        reemitted.retain(|place| !matches!(files.get(&place.file), Some(None)));
        self.made
    }

    /// Makes a change at a place, or says why not; then nothing is changed.
    pub fn make(&mut self, index: usize, change: &Change, spot: &Spot) -> Result<(), String> {
        self.guard(change, spot)?;
        let reemitted = self.made.reemitted.len();
        self.undo.clear();
        let (place, why) = self
            .make_there(change, spot)
            .inspect_err(|_| self.take_back(reemitted))?;
        if let Some(id) = self.before.written(&change.object()) {
            self.shadow(&change.object());
            // What cannot be meant of the rendered object is found by the comparison.
            let _ = intend(&mut self.meant, &id, change);
        }
        self.made.placed.push(Placed {
            change: index,
            place,
            why,
        });
        Ok(())
    }

    /// Takes back what was made of a change before it failed.
    fn take_back(&mut self, reemitted: usize) {
        self.made.reemitted.truncate(reemitted);
        for (file, before) in self.undo.drain(..).rev() {
            match before {
                Some(content) => self.made.files.insert(file, content),
                None => self.made.files.remove(&file),
            };
        }
    }

    fn make_there(&mut self, change: &Change, spot: &Spot) -> Result<Made, String> {
        if let Spot::Source { change, spot: at, .. } = spot {
            let (place, _) = self.make_there(change, at)?;
            return Ok((place, format!("{} ({})", spot.words(), change.object())));
        }
        let is_secret = change.object().is("", "Secret");
        let shows_nothing = matches!(change, Change::Remove { .. });
        match (change, spot) {
            (Change::Add { manifest }, Spot::NewFile { folder }) if is_secret => self.add_encrypted(folder, manifest),
            _ if is_secret && !(shows_nothing && spot.is_elsewhere()) => self.secret(change, spot),
            (_, Spot::Template) => self.template(change),
            (Change::Set { object, path, value }, Spot::Document) => self.set_field(object, path, Some(value)),
            (Change::Unset { object, path }, Spot::Document) => self.set_field(object, path, None),
            (Change::Remove { object }, Spot::Document) => self.remove(object),
            (Change::Add { manifest }, Spot::NewFile { folder }) => self.add(folder, manifest),
            (Change::Add { manifest }, Spot::Behind { file }) => self.add_behind(file, manifest, spot.words()),
            _ => self.make_at(spot, change),
        }
    }

    /// Refuses files that are rendered from something else.
    fn guard(&self, change: &Change, spot: &Spot) -> Result<(), String> {
        let declared = || self.known.get(&change.object()).map(|one| one.provenance.file.as_str());
        let Some(root) = spot
            .file()
            .or_else(declared)
            .and_then(|file| config_root(self.tree, file))
        else {
            return Ok(());
        };
        match self.options.edit_rendered {
            true => Ok(()),
            false => Err(format!(
                "{root} is rendered from helmfiles and written over: change the values there, or add --edit-rendered"
            )),
        }
    }

    /// A rendered object as it is meant to be by now.
    pub fn shadow(&mut self, id: &ObjectId) -> Option<&Value> {
        let written = self.before.written(id)?;
        let before = &self.before.objects;
        let meant = self.meant.entry(written);
        Some(match meant {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let value = before.get(new.key())?.clone();
                new.insert(value)
            }
        })
    }

    /// The text of a file as it is by now.
    pub fn text(&self, file: &str) -> Result<String, String> {
        let bytes = match self.made.files.get(file) {
            Some(Some(bytes)) => bytes.clone(),
            Some(None) => return Err(format!("{file} is removed")),
            None => self.tree.read(file).map_err(|problem| problem.message)?.to_vec(),
        };
        String::from_utf8(bytes).map_err(|_| format!("{file} is not UTF-8"))
    }

    pub fn put(&mut self, file: &str, text: String) {
        self.becomes(file, Some(text.into_bytes()));
    }

    /// Removes a file.
    pub fn remove_file(&mut self, file: &str) {
        self.becomes(file, None);
    }

    fn becomes(&mut self, file: &str, content: Option<Vec<u8>>) {
        let before = self.made.files.insert(file.to_owned(), content);
        self.undo.push((file.to_owned(), before));
    }

    /// The declared object with its file, where that is a manifest that can be edited.
    pub(super) fn declared(&self, object: &ObjectId) -> Result<&'a Declared, String> {
        let declared = self.known.get(object).ok_or_else(|| "it is not declared".to_owned())?;
        match self.tree.is_file(&declared.provenance.file) {
            true => Ok(declared),
            false => Err("no file of the repository declares it".to_owned()),
        }
    }

    /// The index that a document of the tree has by now.
    pub(super) fn index_now(&self, file: &str, document: usize) -> usize {
        let gone = self.gone.get(file).into_iter().flatten();
        document - gone.filter(|gone| **gone < document).count()
    }

    /// The document that declares an object.
    pub(super) fn document(&self, declared: &Declared) -> Result<Document, String> {
        let file = &declared.provenance.file;
        let (text, index) = (self.text(file)?, self.index_now(file, declared.provenance.document));
        let document = kube_yaml::parse(text.as_bytes()).into_iter().nth(index);
        let value = document.and_then(|document| document.value.ok());
        let value = value.ok_or_else(|| format!("{file} has no such document"))?;
        let steps = standing(&value, declared)
            .ok_or_else(|| format!("{file} declares it as a part of something else (a list, a generator)"))?;
        Ok(Document {
            text,
            index,
            value,
            steps,
        })
    }

    pub(super) fn set_field(&mut self, object: &ObjectId, path: &str, new: Option<&Value>) -> Result<Made, String> {
        let declared = self.declared(object)?;
        let document = self.document(declared)?;
        let edit = at(&document.value, &document.steps).and_then(|object| field_edit(object, path, new));
        let edit = edit.ok_or_else(|| format!("{} has no place {path}", declared.provenance.file))?;
        let edits = [edit.below(&document.steps)];
        let place = self.splice(
            declared.provenance.place(),
            &declared.provenance.file,
            document.index,
            &edits,
        )?;
        Ok((place, Spot::Document.words().to_owned()))
    }

    /// Edits a document of a file, and gives back the place that stands for it.
    pub(super) fn splice(
        &mut self,
        place: Place,
        file: &str,
        document: usize,
        edits: &[Edit],
    ) -> Result<Place, String> {
        let text = self.text(file)?;
        let edited = self.spliced(&place, &text, document, edits)?;
        self.put(file, edited);
        Ok(place)
    }

    /// A text with its edits. The place stands for it where a part of it has to be written anew.
    pub(super) fn spliced(
        &mut self,
        place: &Place,
        text: &str,
        document: usize,
        edits: &[Edit],
    ) -> Result<String, String> {
        let edited = yaml_splice::edit(text, document, edits).map_err(|error| error.to_string())?;
        if edited.reemitted && !self.made.reemitted.contains(place) {
            self.made.reemitted.push(place.clone());
        }
        Ok(edited.text)
    }

    pub(super) fn kustomizations(&self) -> Vec<String> {
        let files = self.tree.files().filter(|path| is_kustomization(path));
        files.filter(|path| !self.is_gone(path)).map(str::to_owned).collect()
    }

    fn is_gone(&self, path: &str) -> bool {
        matches!(self.made.files.get(path), Some(None))
    }

    /// The kustomization of a folder, by its file.
    pub fn kustomization(&self, folder: &str) -> Option<String> {
        let names = self.tree.files_within(folder);
        names
            .filter(|path| parent(path) == folder && is_within(path, folder) && is_kustomization(path))
            .filter(|path| !self.is_gone(path))
            .map(str::to_owned)
            .next()
    }
}

/// Where an object stands in a document: it is all of it, or the one item of a list that bears its name.
fn standing(document: &Value, declared: &Declared) -> Option<Vec<Step>> {
    let kind = declared.manifest.kind();
    if document["kind"] == kind {
        return Some(Vec::new());
    }
    let of = document["kind"].as_str()?.strip_suffix("List")?;
    let is_it = |item: &Value| {
        let metadata = &item["metadata"];
        let namespace = metadata["namespace"].as_str();
        item["kind"].as_str().unwrap_or(of) == kind
            && metadata["name"] == *declared.id.name
            && (namespace.is_none() || namespace == declared.id.namespace.as_deref())
    };
    let mut found = items(&document["items"]).enumerate().filter(|(_, item)| is_it(item));
    match (found.next(), found.next()) {
        (Some((index, _)), None) => Some(yaml_splice::path!["items", index]),
        _ => None,
    }
}

/// The SealedSecret that a Secret would come out of, by name.
pub(super) fn sealed_id(secret: &ObjectId) -> Option<ObjectId> {
    let namespace = secret.namespace.as_deref();
    secret
        .is("", "Secret")
        .then(|| ObjectId::new("bitnami.com", "SealedSecret", namespace, &secret.name))
}

/// What stands at steps in a value.
pub(super) fn at<'v>(value: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

/// The edit that gives a field of a document a value, or takes it out.
pub(super) fn field_edit(document: &Value, path: &str, new: Option<&Value>) -> Option<Edit> {
    let steps = path::steps(path, document)?;
    Some(match (new, steps.last()) {
        (None, _) => Edit::remove(steps),
        (Some(new), Some(Step::Index(at))) if at_end(document, &steps, *at) => Edit::insert(steps, new.clone()),
        (Some(new), _) => Edit::set(steps, new.clone()),
    })
}

/// Whether steps lead to the item behind the last one of a list.
fn at_end(value: &Value, steps: &[Step], index: usize) -> bool {
    let list = at(value, &steps[..steps.len() - 1]);
    list.and_then(Value::as_array).is_none_or(|items| items.len() == index)
}
