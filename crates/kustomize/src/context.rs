//! What a step may look at beside the objects.

use std::sync::Arc;

use serde_json::Value;

use crate::config::Config;
use crate::schema::Schema;
use crate::trouble::{Outcome, Trouble};

/// A document of a file, parsed once for all roots.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    /// Index in the file, from 0.
    pub index: usize,
    /// Line of its first key, from 1.
    pub line: usize,
    pub value: Arc<Value>,
    /// How its nulls are written.
    pub nulls: Nulls,
}

/// How the nulls of a document are written: a strategic merge drops what is written as nothing (`key:`) and keeps the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// All written out, or none there.
    #[default]
    Kept,
    /// All written as nothing.
    Dropped,
    /// The JSON pointers of those written as nothing, lists left aside.
    Mixed(Arc<[String]>),
}

impl Nulls {
    fn of(nulls: &kube_yaml::Nulls) -> Nulls {
        match (nulls.empty.is_empty(), nulls.written) {
            (true, _) => Nulls::Kept,
            (false, false) => Nulls::Dropped,
            (false, true) => {
                let in_list = |pointer: &str| pointer.split('/').any(|part| part.parse::<usize>().is_ok());
                Nulls::Mixed(
                    nulls
                        .empty
                        .iter()
                        .filter(|pointer| !in_list(pointer))
                        .cloned()
                        .collect(),
                )
            }
        }
    }
}

/// The surroundings of a step.
pub(crate) struct Context<'a> {
    pub schema: &'a Schema,
    pub config: &'a Config,
    /// Reads files as the kustomization at hand may: relative to its folder, within the load restriction.
    pub files: &'a dyn Reads,
}

/// Reads the files that a kustomization names. Its own walk is one reader; a test is another.
pub(crate) trait Reads {
    /// Bytes of a file that the kustomization names, and its path from the root of the files.
    fn read(&self, path: &str) -> Outcome<(Arc<[u8]>, String)>;

    /// The same for a ConfigMap: what is encrypted is left so.
    fn read_shut(&self, path: &str) -> Outcome<(Arc<[u8]>, String)> {
        self.read(path)
    }

    /// That a file that the kustomization names may be read, and what it is called in origins and errors.
    fn check(&self, path: &str) -> Outcome<String> {
        Ok(path.to_owned())
    }

    /// The same where a text may also be something else than a path.
    fn label(&self, path: &str) -> Option<String> {
        self.check(path).ok()
    }

    /// Counts work: one for each value that is made beyond those that are there. Steps that can multiply values call it while they do,
    /// and end when it fails.
    fn work(&self, amount: usize) -> Outcome<()> {
        let _ = amount;
        Ok(())
    }

    /// The first document of such a file, read as kustomize reads what is no object (YAML 1.1); none where it is null.
    fn plain(&self, path: &str) -> Outcome<(Arc<[Parsed]>, String)> {
        let (bytes, file) = self.read(path)?;
        parse_plain(&bytes)
            .map(|found| (found, file.clone()))
            .map_err(|trouble| {
                let line = trouble.line;
                trouble.in_file(file, line)
            })
    }

    /// The documents of such a file, parsed once for all that name it; null documents are left out. A document that does not parse
    /// is a [`Trouble`] with its line.
    fn documents(&self, path: &str) -> Outcome<(Arc<[Parsed]>, String)> {
        let (bytes, file) = self.read(path)?;
        parse(&bytes).map(|found| (found, file.clone())).map_err(|trouble| {
            let line = trouble.line;
            trouble.in_file(file, line)
        })
    }
}

/// Parses a YAML stream as kustomize reads patches, without its null documents.
pub(crate) fn parse(bytes: &[u8]) -> Outcome<Arc<[Parsed]>> {
    of_documents(kube_yaml::parse_kustomize_patch(bytes))
}

/// Parses the first document as kustomize reads what is no object.
pub(crate) fn parse_plain(bytes: &[u8]) -> Outcome<Arc<[Parsed]>> {
    of_documents(vec![kube_yaml::parse_one(bytes)])
}

/// Parses a YAML stream as kustomize reads objects, without its null documents. A key that is given twice is refused.
pub(crate) fn parse_strictly(bytes: &[u8]) -> Outcome<Arc<[Parsed]>> {
    let documents = kube_yaml::parse_kustomize(bytes);
    let twice = documents.iter().flat_map(|document| &document.warnings);
    let twice = twice.filter(|warning| matches!(warning.kind, kube_yaml::WarningKind::DuplicateKey { .. }));
    if let Some(warning) = { twice }.next()
        && documents.iter().all(|document| document.value.is_ok())
    {
        let mut trouble = Trouble::new(match &warning.kind {
            kube_yaml::WarningKind::DuplicateKey { path, key, .. } if !key.is_empty() => {
                let place = if path.is_empty() {
                    String::new()
                } else {
                    format!(" in {path}")
                };
                format!("the key \"{}\" is given twice{place}", key.escape_debug())
            }
            _ => "a key is given twice".to_owned(),
        });
        trouble.line = Some(warning.line);
        return Err(trouble);
    }
    of_documents(documents)
}

fn of_documents(documents: Vec<kube_yaml::Document>) -> Outcome<Arc<[Parsed]>> {
    let mut found = Vec::new();
    for document in documents {
        match document.value {
            Ok(Value::Null) => {}
            Ok(value) => found.push(Parsed {
                index: document.index,
                line: document.line,
                value: Arc::new(value),
                nulls: Nulls::of(&document.nulls),
            }),
            Err(error) => {
                let mut trouble = Trouble::new(format!("malformed YAML: {}", error.message));
                trouble.line = Some(error.line);
                return Err(trouble);
            }
        }
    }
    Ok(found.into())
}
