//! What ConfigMap and Secret generators have in common: where their data comes from, their options, and the object without data.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::origin::Trail;
use crate::plain::resolve;
use crate::resource::{Behavior, Resource};
use crate::shape::Shape;
use crate::trouble::{Outcome, Trouble};

/// An entry of `configMapGenerator` or `secretGenerator`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Args {
    pub name: String,
    pub namespace: String,
    pub behavior: String,
    /// `key=value`, the value maybe in quotes.
    pub literals: Vec<String>,
    /// `path` or `key=path`.
    pub files: Vec<String>,
    /// Files with a `key=value` a line.
    pub envs: Vec<String>,
    /// The older spelling of `envs`, which plugins do not know; see [`Args::modernized`].
    pub env: String,
    pub options: Option<Options>,
    /// Secrets only.
    #[serde(rename = "type")]
    pub secret_type: String,
}

/// `generatorOptions`, and the `options` of one generator.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Options {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub disable_name_suffix_hash: bool,
    pub immutable: bool,
}

/// The shape of `generatorOptions`.
pub(crate) const OPTIONS: Shape = Shape::Fields(&[
    ("labels", Shape::Texts),
    ("annotations", Shape::Texts),
    ("disableNameSuffixHash", Shape::Flag),
    ("immutable", Shape::Flag),
]);

/// The shape of the `metadata` of a plugin's configuration.
const METADATA: Shape = Shape::Fields(&[("name", Shape::Text), ("namespace", Shape::Text)]);

/// The shape of `secretGenerator[]`; the first eight fields are those of `configMapGenerator[]`.
const FIELDS: &[(&str, Shape)] = &[
    ("name", Shape::Text),
    ("namespace", Shape::Text),
    ("behavior", Shape::Text),
    ("literals", Shape::List(&Shape::Text)),
    ("files", Shape::List(&Shape::Text)),
    ("envs", Shape::List(&Shape::Text)),
    ("env", Shape::Text),
    ("options", OPTIONS),
    ("type", Shape::Text),
];

/// The same where a plugin is configured, whose name may be that of the object.
#[derive(Debug, Deserialize)]
struct Named {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    namespace: String,
}

/// The shape of `configMapGenerator[]`.
pub(crate) const CONFIG_MAP: Shape = Shape::Fields(FIELDS.split_at(8).0);

/// The shape of `secretGenerator[]`.
pub(crate) const SECRET: Shape = Shape::Fields(FIELDS);

impl Args {
    /// An entry of a kustomization: `env` counts as one more of `envs`, and the kustomization's `generatorOptions` are merged in.
    pub fn modernized(mut self, global: Option<&Options>) -> Args {
        if !self.env.is_empty() {
            self.envs.push(std::mem::take(&mut self.env));
        }
        self.options = Options::merged(self.options, global);
        self
    }

    /// The configuration of a plugin: name and namespace are those of the plugin where it does not say.
    pub fn from_plugin(config: &Value, shape: &Shape) -> Outcome<Args> {
        use crate::shape::{Manner::Lenient, read};
        let mut args: Args = read(config, shape, Lenient)?;
        let named: Named = read(config, &Shape::Fields(&[("metadata", METADATA)]), Lenient)?;
        if args.name.is_empty() {
            args.name = named.metadata.name;
        }
        if args.namespace.is_empty() {
            args.namespace = named.metadata.namespace;
        }
        Ok(args)
    }

    fn behavior(&self) -> Behavior {
        match self.behavior.as_str() {
            "create" => Behavior::Create,
            "replace" => Behavior::Replace,
            "merge" => Behavior::Merge,
            _ => Behavior::Unspecified,
        }
    }
}

impl Options {
    /// Labels and annotations of a generator's own win over those for all; a switch is on where either is.
    fn merged(local: Option<Options>, global: Option<&Options>) -> Option<Options> {
        let Some(global) = global else { return local };
        let mut merged = local.unwrap_or_default();
        for (own, all) in [
            (&mut merged.labels, &global.labels),
            (&mut merged.annotations, &global.annotations),
        ] {
            for (key, value) in all {
                own.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        merged.disable_name_suffix_hash |= global.disable_name_suffix_hash;
        merged.immutable |= global.immutable;
        Some(merged)
    }
}

/// A value before it is known where it goes.
pub(crate) type Bytes = Vec<u8>;

/// How a generator reads its files: the bytes, and the path from the root of the files.
pub(crate) type Read<'r> = &'r dyn Fn(&str) -> Outcome<(Arc<[u8]>, String)>;

/// All keys and values of a generator.
pub(crate) fn pairs(args: &Args, read: Read<'_>) -> Outcome<BTreeMap<String, Bytes>> {
    let mut found = BTreeMap::new();
    let mut add = |key: String, value: Bytes| {
        // kustomize writes keys as they are, and reads a number or a date where one looks like that.
        if key == "<<" || resolve(&key) != Value::String(key.clone()) {
            return Err(Trouble::new(format!(
                "the key {key:?} of {:?} is not text when it is written as YAML",
                args.name
            )));
        }
        match found.entry(key) {
            Entry::Vacant(place) => {
                place.insert(value);
                Ok(())
            }
            Entry::Occupied(place) => {
                let message = format!("{:?} repeats the key {:?}", args.name, place.key());
                Err(Trouble::new(message))
            }
        }
    };
    for path in &args.envs {
        let (bytes, file) = read(path)?;
        env_lines(&bytes, &mut add).map_err(|trouble| {
            let line = trouble.line;
            trouble.in_file(file, line)
        })?;
    }
    for (at, literal) in args.literals.iter().enumerate() {
        let (key, value) = literal_source(literal).ok_or_else(|| {
            Trouble::new(format!(
                "literals[{at}] of {:?} is not of the form key=value",
                args.name
            ))
        })?;
        add(key.to_owned(), value.as_bytes().to_vec())?;
    }
    for source in &args.files {
        let (key, path) = file_source(source)?;
        let (bytes, _) = read(path)?;
        add(key.to_owned(), bytes.to_vec())?;
    }
    Ok(found)
}

/// `key=value`; one pair of quotes around the value goes.
fn literal_source(source: &str) -> Option<(&str, &str)> {
    let (key, value) = source.split_once('=').filter(|(key, _)| !key.is_empty())?;
    let unquoted = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    Some((key, unquoted.unwrap_or(value)))
}

/// `path` or `key=path`; a path alone is of the key that its last part is.
fn file_source(source: &str) -> Outcome<(&str, &str)> {
    match source.split_once('=') {
        None => Ok((base(source), source)),
        Some((_, path)) if path.contains('=') => Err(Trouble::new(format!(
            "key or path of file source {source:?} contains \"=\""
        ))),
        Some(("", path)) => Err(Trouble::new(format!(
            "missing key for path {path:?} in file source {source:?}"
        ))),
        Some((key, "")) => Err(Trouble::new(format!(
            "missing path for key {key:?} in file source {source:?}"
        ))),
        Some(parts) => Ok(parts),
    }
}

/// The last part of a path, as Go's `path.Base`.
fn base(path: &str) -> &str {
    match (path.is_empty(), path.trim_end_matches('/')) {
        (true, _) => ".",
        (false, "") => "/",
        (false, path) => path.rsplit('/').next().unwrap_or(path),
    }
}

/// kustomize reads lines through a buffer of this many bytes. At a line that does not fit it stops, without an error.
const LONGEST_LINE: usize = 64 * 1024;

/// The lines of an environment file. No value is an empty value: kustomize 5 asks the environment no more.
fn env_lines(content: &[u8], add: &mut impl FnMut(String, Bytes) -> Outcome<()>) -> Outcome<()> {
    for (at, line) in content.split(|byte| *byte == b'\n').enumerate() {
        if line.len() >= LONGEST_LINE {
            break;
        }
        let at_line = |mut trouble: Trouble| {
            trouble.line = Some(at + 1);
            trouble
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = std::str::from_utf8(line).map_err(|_| at_line(Trouble::new("a line is not UTF-8")))?;
        let line = if at == 0 {
            line.strip_prefix('\u{feff}').unwrap_or(line)
        } else {
            line
        };
        let line = line.trim_start();
        if line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if !key.is_empty() {
            add(key.to_owned(), value.as_bytes().to_vec()).map_err(at_line)?;
        }
    }
    Ok(())
}

/// The object as it is before its data: kind, name, labels, annotations.
pub(crate) fn frame(kind: &str, args: &Args) -> Outcome<Map<String, Value>> {
    if args.name.is_empty() {
        return Err(Trouble::new(format!("a generated {kind} must have a name")));
    }
    let text = |text: &str| Value::String(text.to_owned());
    let mut metadata = Map::from_iter([("name".to_owned(), text(&args.name))]);
    if !args.namespace.is_empty() {
        metadata.insert("namespace".to_owned(), text(&args.namespace));
    }
    if let Some(options) = &args.options {
        for (field, texts) in [("labels", &options.labels), ("annotations", &options.annotations)] {
            if !texts.is_empty() {
                let texts = texts.iter().map(|(key, value)| (key.clone(), text(value))).collect();
                metadata.insert(field.to_owned(), Value::Object(texts));
            }
        }
    }
    Ok(Map::from_iter([
        ("apiVersion".to_owned(), text("v1")),
        ("kind".to_owned(), text(kind)),
        ("metadata".to_owned(), Value::Object(metadata)),
    ]))
}

/// The finished object, with what the options say of it.
pub(crate) fn finish(mut object: Map<String, Value>, args: &Args) -> Resource {
    let options = args.options.as_ref();
    if options.is_some_and(|options| options.immutable) {
        object.insert("immutable".to_owned(), Value::Bool(true));
    }
    let mut resource = Resource::new(Value::Object(object).into(), Trail::default());
    resource.behavior = args.behavior();
    resource.needs_hash = options.is_none_or(|options| !options.disable_name_suffix_hash);
    resource
}

/// The length at which kustomize breaks base64.
const FOLD: usize = 70;

/// Base64 as kustomize writes it: from 70 characters on in lines that each end in a newline.
pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    if text.len() < FOLD {
        return text;
    }
    let mut folded = String::with_capacity(text.len() + text.len() / FOLD + 1);
    let mut rest = text.as_str();
    while let Some((line, more)) = rest.split_at_checked(FOLD) {
        folded.push_str(line);
        folded.push('\n');
        rest = more;
    }
    if !rest.is_empty() {
        folded.push_str(rest);
        folded.push('\n');
    }
    folded
}
