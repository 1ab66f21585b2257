//! Which objects a patch or a replacement is for.

mod requirement;

use std::cell::OnceCell;

use regex::Regex;
use serde_json::Value;

use crate::id::Id;
use crate::resource::Resource;
use crate::scalar;
use crate::schema::Schema;
use crate::trouble::{Outcome, Trouble};
use requirement::Requirement;

/// A selector as kustomizations write it. Empty fields are not asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Selector {
    /// A regular expression for the whole group; so are the four that follow.
    pub group: String,
    pub version: String,
    pub kind: String,
    pub name: String,
    pub namespace: String,
    /// Requirements on the annotations, as Kubernetes writes those on labels.
    pub annotation_selector: String,
    /// Requirements on the labels.
    pub label_selector: String,
}

/// A [`Selector`] made ready to be asked of many objects.
#[derive(Debug)]
pub(crate) struct Selection<'s> {
    selector: &'s Selector,
    group: Pattern,
    version: Pattern,
    kind: Pattern,
    name: Pattern,
    namespace: Pattern,
    /// Parsed when the first object comes this far: where none does, kustomize does not see that they are malformed.
    labels: OnceCell<Result<Vec<Requirement>, String>>,
    annotations: OnceCell<Result<Vec<Requirement>, String>>,
}

impl Selector {
    /// Makes it ready.
    ///
    /// # Errors
    ///
    /// Where an expression is malformed.
    pub fn compile(&self) -> Outcome<Selection<'_>> {
        Ok(Selection {
            selector: self,
            group: Pattern::new("group", &self.group)?,
            version: Pattern::new("version", &self.version)?,
            kind: Pattern::new("kind", &self.kind)?,
            name: Pattern::new("name", &self.name)?,
            namespace: Pattern::new("namespace", &self.namespace)?,
            labels: OnceCell::new(),
            annotations: OnceCell::new(),
        })
    }
}

/// As kustomize prints them in messages.
impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id = Id {
            group: &self.group,
            version: &self.version,
            kind: &self.kind,
            namespace: &self.namespace,
            name: &self.name,
            cluster_scoped: false,
        };
        write!(f, "{id}:a={}:l={}", self.annotation_selector, self.label_selector)
    }
}

impl Selection<'_> {
    /// Whether a patch with this target is for the object (kustomize's `Select`): namespace and name may be the first ones or the
    /// present ones, each for itself.
    ///
    /// # Errors
    ///
    /// Where the requirements on labels or annotations are malformed.
    pub fn matches(&self, resource: &Resource, schema: &Schema) -> Outcome<bool> {
        if !self.kind.matches(resource.kind()) {
            return Ok(false);
        }
        let id = resource.id(schema);
        if !self.gvk(id) {
            return Ok(false);
        }
        let first = resource.original_id(schema);
        let either = |matches: &dyn Fn(Id<'_>) -> bool| matches(first) || matches(id);
        Ok(either(&|id| self.namespace(id.effective_namespace()))
            && either(&|id| self.name(id.name))
            && self.labels(&resource.value)?
            && self.annotations(&resource.value)?)
    }

    /// Whether group, version and kind are asked for.
    pub fn gvk(&self, id: Id<'_>) -> bool {
        self.kind.matches(id.kind) && self.group.matches(id.group) && self.version.matches(id.version)
    }

    /// Whether a name is asked for.
    pub fn name(&self, name: &str) -> bool {
        self.name.matches(name)
    }

    /// Whether a namespace is asked for.
    pub fn namespace(&self, namespace: &str) -> bool {
        self.namespace.matches(namespace)
    }

    /// Whether an object has labels as required.
    ///
    /// # Errors
    ///
    /// Where the requirements are malformed.
    pub fn labels(&self, object: &Value) -> Outcome<bool> {
        required(&self.labels, &self.selector.label_selector, object, "labels")
    }

    /// Whether an object has annotations as required.
    ///
    /// # Errors
    ///
    /// Where the requirements are malformed.
    pub fn annotations(&self, object: &Value) -> Outcome<bool> {
        required(
            &self.annotations,
            &self.selector.annotation_selector,
            object,
            "annotations",
        )
    }
}

fn required(
    parsed: &OnceCell<Result<Vec<Requirement>, String>>,
    text: &str,
    object: &Value,
    field: &str,
) -> Outcome<bool> {
    if text.is_empty() {
        return Ok(true);
    }
    let requirements = parsed
        .get_or_init(|| requirement::parse(text))
        .as_ref()
        .map_err(Trouble::new)?;
    let map = object.get("metadata").and_then(|metadata| metadata.get(field));
    let get = |key: &str| map.and_then(|map| map.get(key)).map(scalar::text);
    Ok(requirements.iter().all(|one| one.matches(get(&one.key).as_deref())))
}

/// A regular expression that has to match the whole text, without the regular expression where that is simple.
#[derive(Debug)]
enum Pattern {
    /// Not asked for.
    Any,
    /// One of several texts in which `.` is any character.
    Texts(Vec<String>),
    Expression(Regex),
}

impl Pattern {
    fn new(field: &str, pattern: &str) -> Outcome<Pattern> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b'.' | b':' | b'|');
        if pattern.is_empty() {
            return Ok(Pattern::Any);
        }
        if pattern.bytes().all(plain) {
            return Ok(Pattern::Texts(pattern.split('|').map(str::to_owned).collect()));
        }
        Regex::new(&format!("^(?:{pattern})$"))
            .map(Pattern::Expression)
            .map_err(|error| {
                let error = error.to_string();
                let cause = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
                Trouble::new(format!(
                    "{field} of the target is no regular expression: {pattern}: {cause}"
                ))
            })
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Pattern::Any => true,
            Pattern::Texts(texts) => texts.iter().any(|pattern| matches_dots(pattern, text)),
            Pattern::Expression(expression) => expression.is_match(text),
        }
    }
}

fn matches_dots(pattern: &str, text: &str) -> bool {
    let mut text = text.chars();
    let matched = pattern.chars().all(|wanted| match wanted {
        '.' => text.next().is_some_and(|found| found != '\n'),
        wanted => text.next() == Some(wanted),
    });
    matched && text.next().is_none()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn web() -> Resource {
        let object = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "pre-web",
                "labels": {"app": "web", "tier": "front", "on": true, "count": "7"},
                "annotations": {"note": "some text"},
            },
        });
        let mut resource = Resource::new(Arc::new(object), Arc::default());
        resource.previous.push(crate::resource::Previous {
            namespace: "first".to_owned(),
            name: "web".to_owned(),
            kind: "Deployment".to_owned(),
        });
        resource
    }

    fn selects(selector: Value) -> Result<bool, String> {
        let selector: Selector = serde_json::from_value(selector).expect("a selector");
        let selection = selector.compile().map_err(|trouble| trouble.message)?;
        selection
            .matches(&web(), &Schema::builtin())
            .map_err(|trouble| trouble.message)
    }

    #[test]
    fn conditions_are_whole_expressions_that_must_all_hold() {
        let rows = [
            (json!({}), true),
            (json!({"kind": "Deployment"}), true),
            (json!({"kind": "Deploy"}), false),
            (json!({"kind": "Deploy.*"}), true),
            (json!({"kind": "StatefulSet|Deployment"}), true),
            (json!({"kind": "StatefulSet|Deploy"}), false),
            (json!({"kind": "D.ployment", "version": "v1", "group": "apps"}), true),
            (json!({"group": "apps", "version": "v2"}), false),
            (json!({"name": "web"}), true),
            (json!({"name": "pre-web"}), true),
            (json!({"name": "pre-we"}), false),
            (json!({"name": "(pre-)?web", "namespace": "first"}), true),
            (json!({"namespace": "default"}), true),
            (json!({"namespace": "other"}), false),
            (json!({"name": "web", "namespace": "default"}), true),
            (json!({"labelSelector": "app=web,tier in (front, back)"}), true),
            (json!({"labelSelector": "on=true"}), true),
            (json!({"labelSelector": "app!=web"}), false),
            (json!({"annotationSelector": "note"}), true),
            (json!({"annotationSelector": "!note"}), false),
            (json!({"annotationSelector": "other"}), false),
        ];
        for (selector, want) in rows {
            assert_eq!(selects(selector.clone()), Ok(want), "{selector}");
        }
    }

    #[test]
    fn malformed_conditions_are_told_when_they_are_asked() {
        assert!(
            selects(json!({"name": "("}))
                .expect_err("malformed")
                .contains("regular expression")
        );
        assert!(selects(json!({"labelSelector": "a=b=c"})).is_err());
        assert_eq!(selects(json!({"kind": "Pod", "labelSelector": "a=b=c"})), Ok(false));
    }

    #[test]
    fn it_is_printed_as_kustomize_does() {
        let selector = Selector {
            kind: "Pod".to_owned(),
            label_selector: "a=b".to_owned(),
            ..Selector::default()
        };
        assert_eq!(selector.to_string(), "Pod.[noVer].[noGrp]/[noName].[noNs]:a=:l=a=b");
    }
}
