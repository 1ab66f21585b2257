//! `buildMetadata`: annotations that say where objects come from and what changed them.

use serde_json::{Map, Value};

use crate::remote::Repository;
use crate::resource::Resource;

/// Where an object comes from.
pub(crate) const ORIGIN: &str = "config.kubernetes.io/origin";
/// What changed it.
pub(crate) const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";

/// A place on the way from the root.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mark {
    path: String,
    repository: String,
    reference: String,
}

/// A generator or transformer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Step {
    repository: String,
    reference: String,
    configured_in: String,
    api_version: String,
    kind: String,
    name: String,
    namespace: String,
}

impl Mark {
    /// Further on, by a path as it is written.
    pub fn append(&self, path: &str) -> Mark {
        let mut mark = self.clone();
        let joined = match Repository::parse(path) {
            Some(repository) => {
                mark.path = String::new();
                mark.repository = repository.clone;
                mark.reference = repository.reference;
                repository.path
            }
            None => path.to_owned(),
        };
        mark.path = clean(&mark.path, &joined);
        mark
    }

    /// As an annotation has it.
    pub fn text(&self) -> String {
        kube_yaml::to_string(&Value::Object(fields(&[
            ("path", &self.path),
            ("repo", &self.repository),
            ("ref", &self.reference),
        ])))
    }

    /// A built-in generator or transformer that this kustomization asks for in a field.
    pub fn built_in(&self, file_name: &str, kind: &str) -> Step {
        Step {
            repository: self.repository.clone(),
            reference: self.reference.clone(),
            configured_in: clean(&self.path, file_name),
            api_version: "builtin".to_owned(),
            kind: kind.to_owned(),
            ..Step::default()
        }
    }
}

impl Step {
    /// A generator or transformer that an object describes, by the origin that the object is annotated with.
    pub fn of_plugin(plugin: &Resource) -> Option<Step> {
        let origin = annotation(plugin, ORIGIN)?;
        let origin = kube_yaml::parse_one(origin.as_bytes()).value.ok()?;
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Step {
            repository: text(&origin, "repo"),
            reference: text(&origin, "ref"),
            configured_in: text(&origin, "path"),
            api_version: text(&plugin.value, "apiVersion"),
            kind: plugin.kind().to_owned(),
            name: plugin.name().to_owned(),
            namespace: plugin.namespace().to_owned(),
        })
    }

    fn value(&self) -> Value {
        let mut value = fields(&[
            ("repo", &self.repository),
            ("ref", &self.reference),
            ("configuredIn", &self.configured_in),
        ]);
        let by = fields(&[
            ("apiVersion", &self.api_version),
            ("kind", &self.kind),
            ("name", &self.name),
            ("namespace", &self.namespace),
        ]);
        value.insert("configuredBy".to_owned(), Value::Object(by));
        Value::Object(value)
    }

    /// Notes on a generated object where it comes from, unless that is said already.
    pub fn note_generated(&self, resource: &mut Resource) {
        if annotation(resource, ORIGIN).is_none() {
            set(resource, ORIGIN, kube_yaml::to_string(&self.value()));
        }
    }

    /// Notes on an object that this transformer passed over it; one without origin is taken for made by it.
    pub fn note_transformed(&self, resource: &mut Resource) {
        if annotation(resource, ORIGIN).is_none() {
            return set(resource, ORIGIN, kube_yaml::to_string(&self.value()));
        }
        let before = annotation(resource, TRANSFORMATIONS).unwrap_or_default();
        let text = format!("{before}{}", kube_yaml::to_string(&Value::Array(vec![self.value()])));
        set(resource, TRANSFORMATIONS, text);
    }
}

fn fields(pairs: &[(&str, &str)]) -> Map<String, Value> {
    let filled = pairs.iter().filter(|(_, value)| !value.is_empty());
    filled
        .map(|(key, value)| ((*key).to_owned(), Value::from(*value)))
        .collect()
}

/// Two paths as one without detours; unlike paths in a tree it may begin with `..`.
fn clean(path: &str, more: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').chain(more.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// An annotation of an object.
pub(crate) fn annotation<'r>(resource: &'r Resource, key: &str) -> Option<&'r str> {
    resource.value.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// Sets an annotation.
pub(crate) fn set(resource: &mut Resource, key: &str, text: impl Into<String>) {
    let Some(metadata) = resource.metadata_mut() else {
        return;
    };
    let annotations = metadata
        .entry("annotations")
        .or_insert_with(|| Value::Object(Map::new()));
    if !annotations.is_object() {
        *annotations = Value::Object(Map::new());
    }
    if let Value::Object(annotations) = annotations {
        annotations.insert(key.to_owned(), Value::String(text.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_follow_paths() {
        let root = Mark::default();
        assert_eq!(root.append("../base").append("a.yaml").text(), "path: ../base/a.yaml\n");
        assert_eq!(
            root.append("https://github.com/o/r//p?ref=v1")
                .append("../q/a.yaml")
                .text(),
            "path: q/a.yaml\nrepo: https://github.com/o/r\nref: v1\n"
        );
    }
}
