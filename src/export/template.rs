//! Templates of charts, read as YAML: their actions are set aside for an edit, and come back after it.

use serde_json::Value;

use super::spot::Spot;
use super::work::{Made, Work, at, field_edit};
use super::{Change, path};
use crate::object::{Declared, ObjectId, Renderer};
use crate::source::Tree;

/// Begins the word that stands for an action.
const MARK: &str = "refloat-action-";

/// Words that open what an `end` closes.
const OPENERS: [&str; 5] = ["if", "range", "with", "define", "block"];

/// A template in which words and comments stand for its actions (`{{ … }}`).
struct Masked {
    text: String,
    /// The actions, in order.
    actions: Vec<String>,
}

/// Whether what declares an object is a template of a chart that lies in the tree.
pub(super) fn is_of_template(tree: &Tree, declared: &Declared) -> bool {
    let file = &declared.provenance.file;
    let in_chart = || file.split('/').any(|part| part == "templates" || part == "crds");
    declared.provenance.renderer == Renderer::Helm && tree.is_file(file) && in_chart()
}

impl Work<'_> {
    /// Changes what a template says in so many words. What it works out stays as it is.
    pub(super) fn template(&mut self, change: &Change) -> Result<Made, String> {
        let object = change.object();
        let declared = self.known.get(&object).ok_or("it is not declared")?;
        if !is_of_template(self.tree, declared) {
            return Err("a chart from elsewhere makes it, and no value of its release decides it".to_owned());
        }
        let file = &declared.provenance.file;
        let text = self.text(file)?;
        let masked = Masked::of(&text).map_err(|why| format!("{file} {why}"))?;
        let (index, value) = masked.document(&object).map_err(|why| format!("{file} {why}"))?;
        let new = match change {
            Change::Add { .. } => return Err("it is declared already".to_owned()),
            Change::Remove { .. } => {
                let left = yaml_splice::remove_document(&masked.text, index).map_err(|error| error.to_string())?;
                let is_empty = kube_yaml::parse(left.as_bytes()).is_empty() && !masked.defines();
                if is_empty {
                    self.remove_file(file);
                    return Ok((
                        declared.provenance.place(),
                        "the template that made it alone is gone".to_owned(),
                    ));
                }
                left
            }
            Change::Set { path, .. } | Change::Unset { path, .. } => {
                let new = match change {
                    Change::Set { value, .. } => Some(value),
                    _ => None,
                };
                literal(&value, path, new).map_err(|why| format!("{file} {why}"))?;
                let edit = field_edit(&value, path, new).ok_or_else(|| format!("{file} has no place {path}"))?;
                let edited = yaml_splice::edit(&masked.text, index, &[edit]).map_err(|error| error.to_string())?;
                if edited.reemitted {
                    return Err(format!("{file} would lose what it works out"));
                }
                edited.text
            }
        };
        self.put(file, masked.back(&new).map_err(|why| format!("{file} {why}"))?);
        Ok((declared.provenance.place(), Spot::Template.words().to_owned()))
    }
}

/// Whether a field stands there in so many words, or not at all.
fn literal(value: &Value, path: &str, new: Option<&Value>) -> Result<(), String> {
    let now = path::steps(path, value).and_then(|steps| at(value, &steps).cloned());
    if now.is_some_and(|now| now.to_string().contains(MARK)) {
        return Err(format!("works {path} out, of no value that decides it alone"));
    }
    match new.is_some_and(|new| new.to_string().contains("{{")) {
        true => Err("would act on the braces in it".to_owned()),
        false => Ok(()),
    }
}

impl Masked {
    fn of(template: &str) -> Result<Self, &'static str> {
        if template.contains(MARK) {
            return Err("cannot be read");
        }
        let mut masked = Self {
            text: String::new(),
            actions: Vec::new(),
        };
        let mut rest = template;
        while let Some(start) = rest.find("{{") {
            let end = start + end_of_action(&rest[start..]).ok_or("has an action that does not end")?;
            masked.text.push_str(&rest[..start]);
            let before = masked.text.rsplit('\n').next().unwrap_or_default();
            if before.trim().is_empty() && is_alone(&rest[end..]) {
                masked.text.push('#');
            }
            masked.text.push_str(&word(masked.actions.len()));
            masked.actions.push(rest[start..end].to_owned());
            rest = &rest[end..];
        }
        masked.text.push_str(rest);
        Ok(masked)
    }

    /// The only document that makes an object, with what it says.
    fn document(&self, id: &ObjectId) -> Result<(usize, Value), &'static str> {
        let text = |value: &Value, wanted: Option<&str>| value.as_str().is_none_or(|text| self.may_be(text, wanted));
        let documents = kube_yaml::parse(self.text.as_bytes()).into_iter().enumerate();
        let mut found = documents.filter_map(|(index, document)| {
            let value = document.value.ok()?;
            let metadata = &value["metadata"];
            let is_it = value["kind"] == *id.kind
                && metadata["name"]
                    .as_str()
                    .is_some_and(|name| self.may_be(name, Some(&id.name)))
                && text(&metadata["namespace"], id.namespace.as_deref());
            is_it.then_some((index, value))
        });
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            _ => Err("works out what it declares"),
        }
    }

    /// Whether a text with actions in it may come out so.
    fn may_be(&self, text: &str, wanted: Option<&str>) -> bool {
        let Some(mut rest) = wanted else { return true };
        let mut parts = text.split(MARK);
        match parts.next().and_then(|first| rest.strip_prefix(first)) {
            Some(after) if text.contains(MARK) => rest = after,
            found => return found == Some(""),
        }
        let literals: Vec<&str> = parts
            .map(|part| part.split_once('-').map_or("", |(_, literal)| literal))
            .collect();
        let Some((last, middle)) = literals.split_last() else {
            return true;
        };
        for literal in middle {
            match rest.find(literal) {
                Some(start) => rest = &rest[start + literal.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }

    /// Whether other templates may use something of it.
    fn defines(&self) -> bool {
        self.actions
            .iter()
            .any(|action| matches!(keyword(action), "define" | "block"))
    }

    /// An edited text with the actions in it again. Those that went with what was around them must have belonged together.
    fn back(&self, edited: &str) -> Result<String, &'static str> {
        const TORN: &str = "would be torn where it works something out";
        let (mut text, mut rest, mut depth) = (String::new(), edited, 0_usize);
        for (index, action) in self.actions.iter().enumerate() {
            let Some(start) = rest.find(&word(index)) else {
                let keyword = keyword(action);
                depth += usize::from(OPENERS.contains(&keyword));
                match keyword {
                    "end" => depth = depth.checked_sub(1).ok_or(TORN)?,
                    "else" if depth == 0 => return Err(TORN),
                    _ => {}
                }
                continue;
            };
            // What was left open before may not close behind what stays.
            if depth > 0 {
                return Err(TORN);
            }
            let before = &rest[..start];
            text.push_str(before.strip_suffix('#').unwrap_or(before));
            text.push_str(action);
            rest = &rest[start + word(index).len()..];
        }
        text.push_str(rest);
        match depth == 0 && !text.contains(MARK) {
            true => Ok(text),
            false => Err(TORN),
        }
    }
}

fn word(index: usize) -> String {
    format!("{MARK}{index}-")
}

/// The first word of an action.
fn keyword(action: &str) -> &str {
    let inside = action.trim_start_matches("{{").trim_start_matches('-').trim_start();
    let end = inside.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(inside.len());
    &inside[..end]
}

/// Whether nothing but actions and blanks comes before the next line.
fn is_alone(rest: &str) -> bool {
    let rest = rest.trim_start_matches([' ', '\t', '\r']);
    match end_of_action(rest) {
        Some(end) if rest.starts_with("{{") => is_alone(&rest[end..]),
        _ => rest.is_empty() || rest.starts_with('\n'),
    }
}

/// Where the action ends with which a text begins: behind the braces that stand in no text and in no comment.
fn end_of_action(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("{{")?;
    let begin = inside.trim_start_matches('-').trim_start();
    if begin.starts_with("/*") {
        let end = text.find("*/")?;
        return Some(end + text[end..].find("}}")? + 2);
    }
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in inside.char_indices() {
        match quote {
            _ if escaped => escaped = false,
            Some('"' | '\'') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            None if inside[at..].starts_with("}}") => return Some(at + 4),
            None => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use yaml_splice::Edit;

    const TEMPLATE: &str = r#"{{- /* The web, as "it" }} runs. */ -}}
{{- if .Values.web.enabled }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "shop.name" . }}-web
  labels:
    {{- include "labels" . | nindent 4 }}
    team: shop # ours
spec:
  replicas: {{ .Values.web.replicas | default "}}" }}
  template:
    spec:
      {{- with .Values.nodes }}
      nodeSelector: {{ toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: web
          image: "web:{{ .Values.tag }}"
          args: [a, b]
---
apiVersion: v1
kind: Service
metadata: {name: web}
{{- end }}
"#;

    fn masked() -> Masked {
        Masked::of(TEMPLATE).expect("because all of it ends")
    }

    fn id(kind: &str, name: &str) -> ObjectId {
        ObjectId::new(if kind == "Service" { "" } else { "apps" }, kind, Some("shop"), name)
    }

    #[test]
    fn a_template_is_edited_around_its_actions() {
        let masked = masked();
        assert_eq!(masked.back(&masked.text), Ok(TEMPLATE.to_owned()));
        let (index, value) = masked
            .document(&id("Deployment", "my-web"))
            .expect("because it is there");
        let containers = &value["spec"]["template"]["spec"]["containers"];
        assert_eq!((index, &containers[0]["args"]), (0, &json!(["a", "b"])));
        let edits = [
            field_edit(&value, ".metadata.labels.team", Some(&json!("web"))),
            field_edit(&value, ".spec.template.spec.containers[name=web].args", None),
            field_edit(&value, ".spec.paused", Some(&json!(true))),
        ];
        let edits: Vec<Edit> = edits.into_iter().flatten().collect();
        let edited = yaml_splice::edit(&masked.text, index, &edits).expect("because it can be edited");
        let new = masked.back(&edited.text).expect("because no action is lost");
        let expected = TEMPLATE
            .replace("team: shop", "team: web")
            .replace("          args: [a, b]\n", "          args: [a, b]\n  paused: true\n")
            .replace("          args: [a, b]\n", "");
        assert_eq!(new, expected);
    }

    #[test]
    fn what_is_worked_out_stays() {
        assert!(
            masked().document(&id("Deployment", "db")).is_err(),
            "the name ends in -web"
        );
        let (_, value) = masked()
            .document(&id("Deployment", "a-web"))
            .expect("because it is there");
        assert!(literal(&value, ".spec.replicas", Some(&json!(3))).is_err());
        assert!(
            literal(
                &value,
                ".spec.template.spec.containers[name=web].image",
                Some(&json!("x"))
            )
            .is_err()
        );
        assert!(literal(&value, ".metadata.labels.team", Some(&json!("{{ x }}"))).is_err());
        assert_eq!(literal(&value, ".metadata.labels.team", Some(&json!("x"))), Ok(()));
    }

    #[test]
    fn actions_go_together_or_not_at_all() {
        let masked = masked();
        let without = |from: &str, to: &str| {
            let (start, end) = (masked.text.find(from), masked.text.find(to));
            let (start, end) = (start.expect("because it is there"), end.expect("because it is there"));
            masked.back(&[&masked.text[..start], &masked.text[end..]].concat())
        };
        assert!(without("      nodeSelector", "      containers").is_err());
        assert!(without("      #refloat-action-5-", "      containers").is_ok());
        assert!(without("---\n", "#refloat-action-9-").is_ok());
        assert!(masked.back(&masked.text.replace("#refloat-action-9-\n", "")).is_err());
    }
}
