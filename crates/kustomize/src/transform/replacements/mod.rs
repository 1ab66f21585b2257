//! `replacements`, and the plugin `ReplacementTransformer`: copies a value of one object to fields of others.

mod inside;
mod source;
#[cfg(test)]
mod tests;
mod visit;

use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::id::Id;
use crate::path;
use crate::plain::Tag;
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::selector::{Selection, Selector};
use crate::shape::{Manner, Shape, read};
use crate::trouble::{Outcome, Trouble};
use source::{DEFAULT_FIELD, Open, Site, Source};
use visit::{Spot, visit};

/// Replacements, those of files loaded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spec {
    pub replacements: Vec<Replacement>,
}

/// One value and where it goes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Replacement {
    source: Option<From>,
    source_value: Option<String>,
    targets: Option<Vec<Target>>,
    /// A file that has it, or a list of them.
    path: String,
}

/// The object and field that a value comes from.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct From {
    group: String,
    version: String,
    kind: String,
    name: String,
    namespace: String,
    field_path: String,
    options: Option<Options>,
}

/// The objects and fields that a value goes to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Target {
    select: Option<Selector>,
    reject: Vec<Selector>,
    field_paths: Vec<String>,
    options: Option<Options>,
}

/// Which part of a text is meant, and what is done with fields that are not there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Options {
    delimiter: String,
    index: i64,
    /// kustomize reads it and does nothing with it.
    encoding: String,
    create: bool,
}

const OPTIONS: Shape = Shape::Fields(&[
    ("delimiter", Shape::Text),
    ("index", Shape::Whole),
    ("encoding", Shape::Text),
    ("create", Shape::Flag),
]);

/// The shape of a selector.
pub(crate) const SELECTOR: Shape = Shape::Fields(&[
    ("group", Shape::Text),
    ("version", Shape::Text),
    ("kind", Shape::Text),
    ("name", Shape::Text),
    ("namespace", Shape::Text),
    ("annotationSelector", Shape::Text),
    ("labelSelector", Shape::Text),
]);

const SOURCE: Shape = Shape::Fields(&[
    ("group", Shape::Text),
    ("version", Shape::Text),
    ("kind", Shape::Text),
    ("name", Shape::Text),
    ("namespace", Shape::Text),
    ("fieldPath", Shape::Text),
    ("options", OPTIONS),
]);

const TARGET: Shape = Shape::Fields(&[
    ("select", SELECTOR),
    ("reject", Shape::List(&SELECTOR)),
    ("fieldPaths", Shape::List(&Shape::Text)),
    ("options", OPTIONS),
]);

/// The shape of `replacements[]`.
pub(crate) const REPLACEMENT: Shape = Shape::Fields(&[
    ("source", SOURCE),
    ("sourceValue", Shape::Text),
    ("targets", Shape::List(&TARGET)),
    ("path", Shape::Text),
]);

impl Spec {
    /// The items of `replacements`.
    pub fn from_field(items: &[Value], cx: &Context<'_>) -> Outcome<Spec> {
        let mut spec = Spec::default();
        for (at, item) in items.iter().enumerate() {
            let added = read(item, &REPLACEMENT, Manner::Strict).and_then(|mut replacement: Replacement| {
                // An empty list is none here, though not in a file.
                replacement.targets = replacement.targets.filter(|targets| !targets.is_empty());
                spec.add(replacement, cx)
            });
            added.map_err(|trouble| trouble.in_field(format!("replacements[{at}]")))?;
        }
        Ok(spec)
    }

    /// The configuration of a plugin.
    pub fn from_plugin(config: &Value, cx: &Context<'_>) -> Outcome<Spec> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Plugin {
            replacements: Vec<Replacement>,
        }
        const PLUGIN: Shape = Shape::Fields(&[("replacements", Shape::List(&REPLACEMENT))]);
        let plugin: Plugin = read(config, &PLUGIN, Manner::Lenient)?;
        let mut spec = Spec::default();
        for replacement in plugin.replacements {
            spec.add(replacement, cx)?;
        }
        Ok(spec)
    }

    fn add(&mut self, replacement: Replacement, cx: &Context<'_>) -> Outcome<()> {
        if replacement.path.is_empty() {
            self.replacements.push(replacement);
            return Ok(());
        }
        if replacement.source.is_some() || replacement.targets.is_some_and(|targets| !targets.is_empty()) {
            return Err(Trouble::new(
                "a replacement may have a path or be written here, not both",
            ));
        }
        let (documents, file) = cx.files.documents(&replacement.path)?;
        let within = |trouble: Trouble, line: usize| trouble.in_file(file.clone(), Some(line));
        let document = documents.first();
        let line = document.map_or(1, |document| document.line);
        let items = match document.map(|document| &*document.value) {
            Some(Value::Array(items)) => items.as_slice(),
            Some(object @ Value::Object(_)) => std::slice::from_ref(object),
            _ => {
                return Err(within(
                    Trouble::new("a file of replacements has a list or a mapping"),
                    line,
                ));
            }
        };
        for item in items {
            let replacement = read(item, &REPLACEMENT, Manner::Lenient).map_err(|trouble| within(trouble, line))?;
            self.replacements.push(replacement);
        }
        Ok(())
    }
}

/// Makes all replacements, one after the other.
pub(crate) fn apply(map: &mut ResMap, spec: &Spec, cx: &Context<'_>) -> Outcome<()> {
    let mut open = Open::new();
    for replacement in &spec.replacements {
        let targets = replacement.targets.as_deref();
        let (source, targets) = match (&replacement.source, &replacement.source_value, targets) {
            (None, None, _) | (_, _, None) => {
                return Err(Trouble::new("a replacement must have a source and at least one target"));
            }
            (Some(_), Some(_), _) => {
                let message = "a replacement has source and sourceValue, of which it may have one";
                return Err(Trouble::new(message));
            }
            (Some(from), None, Some(targets)) => (Source::find(map, from, &open, cx)?, targets),
            (None, Some(text), Some(targets)) => ((Source::written(text), None), targets),
        };
        let (source, site) = source;
        let mut copy = Copy {
            source,
            site,
            open: &mut open,
        };
        for target in targets {
            replace(map, &mut copy, target, cx)?;
        }
    }
    Ok(())
}

/// A replacement on its way to its targets.
struct Copy<'o> {
    source: Source,
    /// Where the source is, if it can change on the way.
    site: Option<Site>,
    open: &'o mut Open,
}

fn replace(map: &mut ResMap, copy: &mut Copy<'_>, target: &Target, cx: &Context<'_>) -> Outcome<()> {
    let Some(select) = &target.select else {
        return Err(Trouble::new("a target must say which objects it selects"));
    };
    let select = select.compile()?;
    let reject = target
        .reject
        .iter()
        .map(Selector::compile)
        .collect::<Outcome<Vec<_>>>()?;
    let reject: Vec<_> = target.reject.iter().zip(reject).collect();
    let mut paths: Vec<&str> = target.field_paths.iter().map(String::as_str).collect();
    if paths.is_empty() {
        paths.push(DEFAULT_FIELD);
    }
    let paths: Vec<_> = paths.into_iter().map(|path| (path, path::split(path))).collect();
    cx.files.work(map.list.len())?;
    for (at, resource) in map.list.iter_mut().enumerate() {
        if !is_target(resource, &select, &reject, cx)? {
            continue;
        }
        for (path, parts) in &paths {
            // A value can be put into itself, and be twice as large each time.
            cx.files.work(copy.source.weight())?;
            copy.put(at, resource.value_mut(), parts, target.options.as_ref())
                .map_err(|trouble| {
                    let id = resource.id(cx.schema);
                    let message = format!("field {path:?} of the replacement target {id}: {}", trouble.message);
                    Trouble { message, ..trouble }
                })?;
        }
    }
    Ok(())
}

/// Whether one of the identities of an object is selected, and none is rejected. A rejection by labels holds whatever else it says.
fn is_target(
    resource: &Resource,
    select: &Selection<'_>,
    reject: &[(&Selector, Selection<'_>)],
    cx: &Context<'_>,
) -> Outcome<bool> {
    let has =
        |selection: &Selection<'_>| Ok(selection.annotations(&resource.value)? && selection.labels(&resource.value)?);
    if !has(select)? {
        return Ok(false);
    }
    let is = |selection: &Selection<'_>, id: Id<'_>| {
        selection.gvk(id) && selection.name(id.name) && selection.namespace(id.namespace)
    };
    for (selector, selection) in reject {
        let by_labels = !selector.annotation_selector.is_empty() || !selector.label_selector.is_empty();
        if by_labels && has(selection)? {
            return Ok(false);
        }
        let parts = [
            &selector.group,
            &selector.version,
            &selector.kind,
            &selector.name,
            &selector.namespace,
        ];
        if parts.iter().any(|part| !part.is_empty()) && resource.all_ids(cx.schema).any(|id| is(selection, id)) {
            return Ok(false);
        }
    }
    Ok(resource.all_ids(cx.schema).any(|id| is(select, id)))
}

impl Copy<'_> {
    /// Puts the value into one path of an object.
    fn put(&mut self, at: usize, object: &mut Value, parts: &[String], options: Option<&Options>) -> Outcome<()> {
        let make = options.filter(|options| options.create).map(|_| self.source.make());
        if inside::set(object, &self.source, parts, make).is_none() {
            let count = visit(object, parts, make, &mut |spot| self.set(at, spot, options))?;
            if count == 0 {
                return Err(Trouble::new("it is not there"));
            }
        }
        // What was put into the source from elsewhere, or into something that it is in.
        if let Some(site) = self.site.as_ref().filter(|(object, _)| *object == at)
            && let Some(value) = path::at_way(object, &site.1)
        {
            self.source = Source::of(value, self.open.get(site));
        }
        Ok(())
    }

    /// Puts the value into one place. A scalar keeps its kind and takes the text.
    fn set(&mut self, at: usize, Spot { value, open, way }: Spot<'_>, options: Option<&Options>) -> Outcome<()> {
        let site = (at, way.to_vec());
        let open = open.or(self.open.get(&site).map(String::as_str));
        let delimiter = options.map_or("", |options| options.delimiter.as_str());
        let Some(tag) = Tag::of(value) else {
            if !delimiter.is_empty() {
                return Err(Trouble::new("the option delimiter can only be used with scalars"));
            }
            *value = self.source.value()?;
            if let Source::Scalar(Tag::Open, text) = &self.source {
                self.open.insert(site, text.clone());
            }
            return Ok(());
        };
        let text = match delimiter {
            "" => self.source.text().to_owned(),
            delimiter => {
                let before = open.map_or_else(|| crate::plain::text(value), str::to_owned);
                let index = options.map_or(0, |options| options.index);
                with_piece(&before, delimiter, index, self.source.text())
            }
        };
        let tag = if open.is_some() { Tag::Open } else { tag };
        *value = tag.read(&text)?;
        if tag == Tag::Open {
            self.open.insert(site.clone(), text.clone());
        }
        if self.site.as_ref() == Some(&site) {
            self.source = Source::of(value, (tag == Tag::Open).then_some(&text));
        }
        Ok(())
    }
}

/// A text with another in the place of one of its pieces, or before or after all of them.
fn with_piece(text: &str, delimiter: &str, index: i64, piece: &str) -> String {
    let mut pieces: Vec<&str> = text.split(delimiter).collect();
    match index {
        ..0 => pieces.insert(0, piece),
        index => match usize::try_from(index).ok().and_then(|index| pieces.get_mut(index)) {
            Some(place) => *place = piece,
            None => pieces.push(piece),
        },
    }
    pieces.join(delimiter)
}

/// As kustomize prints it in messages.
impl std::fmt::Display for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id = Id {
            group: &self.group,
            version: &self.version,
            kind: &self.kind,
            namespace: &self.namespace,
            name: &self.name,
            cluster_scoped: false,
        };
        id.fmt(f)
    }
}
