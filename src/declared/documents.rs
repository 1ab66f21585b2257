//! Files and renderers' output → objects as they are written, each with its place.

use kube_yaml::Document;
use serde_json::Value;

use crate::object::{Place, Problem, Provenance, Renderer, api_group};
pub(super) use crate::source::path::is_manifest_name;

/// One object as it is written.
pub(super) struct Found {
    pub value: Value,
    pub provenance: Provenance,
}

/// Objects and problems of one file or one rendering.
#[derive(Default)]
pub(super) struct Findings {
    pub found: Vec<Found>,
    pub problems: Vec<Problem>,
}

/// What clients read from files that look like manifests and no server serves: group (`*.x` for all below `x`) and kind (`*`
/// for any). They stand beside manifests in many repositories.
const CLIENT_KINDS: &[(&str, &str)] = &[
    ("", "Config"),
    ("apiserver.config.k8s.io", "*"),
    ("audit.k8s.io", "*"),
    ("backstage.io", "*"),
    ("client.authentication.k8s.io", "*"),
    ("core.jenkins-x.io", "Requirements"),
    ("ctlptl.dev", "*"),
    ("eksctl.io", "*"),
    ("jx.jenkins-x.io", "*"),
    ("k0sctl.k0sproject.io", "*"),
    ("k3d.io", "*"),
    ("kind.sigs.k8s.io", "*"),
    ("kind.x-k8s.io", "*"),
    ("kubeadm.k8s.io", "*"),
    ("kubelet.config.k8s.io", "*"),
    ("kubeproxy.config.k8s.io", "*"),
    ("kubescheduler.config.k8s.io", "*"),
    ("kustomize.config.k8s.io", "*"),
    ("config.kio.kasten.io", "*"),
    ("skaffold", "*"),
    ("tanka.dev", "*"),
];

/// Whether a document is read by clients and never sent to a server.
fn is_for_clients(api_version: &str, kind: &str) -> bool {
    let group = api_group(api_version);
    CLIENT_KINDS
        .iter()
        .any(|(g, k)| *g == group && (*k == "*" || *k == kind))
}

/// Objects of a file. Documents that have neither `apiVersion` nor `kind` are something else (Helm values, Compose files) and
/// are left out without a word.
pub(super) fn of_file(file: &str, text: &[u8]) -> Findings {
    let mut findings = Findings::default();
    for mut document in kube_yaml::parse(text) {
        if let Err(error) = &mut document.value
            && let Some(line) = conflict(text)
        {
            (error.line, error.column) = (line, None);
            error.message = "a merge was committed with its conflict (<<<<<<<) in it".to_owned();
        }
        let provenance = Provenance {
            file: file.to_owned(),
            document: document.index,
            line: document.line,
            renderer: Renderer::Plain,
        };
        take(document, provenance, &mut findings);
    }
    findings
}

/// The line, from 1, of the first conflict that Git left in a file.
fn conflict(text: &[u8]) -> Option<usize> {
    let mut lines = text.split(|byte| *byte == b'\n');
    lines.position(|line| line.starts_with(b"<<<<<<< ")).map(|at| at + 1)
}

/// Objects of one document, with its warnings.
pub(super) fn take(document: Document, provenance: Provenance, findings: &mut Findings) {
    let file = provenance.file.clone();
    let known_lines = provenance.renderer == Renderer::Plain;
    let at = |line: usize| match known_lines {
        true => Place::at(&*file, line),
        false => Place::file(&*file),
    };
    let value = match document.value {
        Ok(value) => value,
        Err(error) => {
            let column = error.column.map(|column| format!(" at column {column}"));
            let column = column.unwrap_or_default();
            let message = format!(
                "this document is not restored: it is not valid YAML{column}: {}",
                error.message
            );
            findings.problems.push(Problem::error(at(error.line), message));
            return;
        }
    };
    if !is_for_us(&value, &at(document.line), findings) {
        return;
    }
    for warning in document.warnings {
        findings
            .problems
            .push(Problem::warning(at(warning.line), warning.message));
    }
    expand(value, provenance, 0, findings);
}

/// An object that a renderer made.
pub(super) fn take_value(value: Value, provenance: Provenance, findings: &mut Findings) {
    if is_for_us(&value, &provenance.place(), findings) {
        expand(value, provenance, 0, findings);
    }
}

/// Whether a document is an object. With only one of `apiVersion` and `kind` it was meant to be, and that is a problem.
fn is_for_us(value: &Value, place: &Place, findings: &mut Findings) -> bool {
    let text = |key: &str| text(value, key);
    match (text("apiVersion"), text("kind")) {
        (Some(api_version), Some(kind)) => !is_for_clients(api_version, kind),
        (None, None) => false,
        (api_version, _) => {
            let missing = if api_version.is_none() { "apiVersion" } else { "kind" };
            let message = format!("this document is not restored: {}", lacks(value));
            let problem = Problem::error(place.clone(), message);
            findings
                .problems
                .push(problem.hint(format!("write its {missing}, or move the file out of the entry")));
            false
        }
    }
}

/// A field that has a text.
fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// What is missing of `apiVersion` and `kind`.
fn lacks(value: &Value) -> String {
    if !value.is_object() {
        return "it is no object".to_owned();
    }
    let lacking = ["apiVersion", "kind"]
        .into_iter()
        .filter(|key| text(value, key).is_none());
    let reasons: Vec<String> = lacking
        .map(|key| match value.get(key) {
            None | Some(Value::Null | Value::String(_)) => format!("it has no {key}"),
            Some(_) => format!("its {key} is no text"),
        })
        .collect();
    reasons.join(" and ")
}

/// Deepest nesting of `List`s.
const DEEPEST_LIST: usize = 8;

/// A `List`, or a typed one such as `ConfigMapList`, stands for its items.
fn expand(mut value: Value, provenance: Provenance, depth: usize, findings: &mut Findings) {
    let kind = value["kind"].as_str().unwrap_or_default();
    let item_kind = kind.strip_suffix("List").map(str::to_owned);
    let (Some(item_kind), true) = (item_kind, value["items"].is_array()) else {
        findings.found.push(Found { value, provenance });
        return;
    };
    let api_version = value["apiVersion"].clone();
    let items = value.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take);
    for (index, mut item) in items.unwrap_or_default().into_iter().enumerate() {
        if let (Some(item), false) = (item.as_object_mut(), item_kind.is_empty()) {
            item.entry("apiVersion").or_insert_with(|| api_version.clone());
            item.entry("kind").or_insert_with(|| item_kind.clone().into());
        }
        let whole = text(&item, "kind").is_some() && text(&item, "apiVersion").is_some();
        if whole && depth < DEEPEST_LIST {
            expand(item, provenance.clone(), depth + 1, findings);
        } else {
            let why = match whole {
                true => "lists are nested too deep".to_owned(),
                false => lacks(&item),
            };
            let message = format!("item {} of the list is not restored: {why}", index + 1);
            findings.problems.push(Problem::error(provenance.place(), message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let findings = of_file("a.yaml", text.as_bytes());
        let shown = |found: &Found| {
            let name = found.value["metadata"]["name"].as_str().unwrap_or("-");
            format!(
                "{} {name} {}",
                found.value["kind"].as_str().unwrap_or("-"),
                found.provenance.place()
            )
        };
        (
            findings.found.iter().map(shown).collect(),
            findings.problems.iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn the_good_among_the_bad_are_found() {
        let (found, problems) = read(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\nkind: [broken\n---\nkind: Secret\n---\napiVersion: v1\n---\nreplicas: 3\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n",
        );
        assert_eq!(found, ["ConfigMap a a.yaml:1", "ConfigMap b a.yaml:13"]);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(
            problems[0].starts_with("a.yaml:5: this document is not restored: "),
            "{}",
            problems[0]
        );
        assert_eq!(
            problems[1..],
            [
                "a.yaml:7: this document is not restored: it has no apiVersion\n  hint: write its apiVersion, or move the file out of the entry",
                "a.yaml:9: this document is not restored: it has no kind\n  hint: write its kind, or move the file out of the entry",
            ]
        );
    }

    #[test]
    fn a_key_given_twice_is_a_warning_with_its_line() {
        let (found, problems) = read("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  name: b\n");
        assert_eq!(found, ["ConfigMap b a.yaml:1"]);
        assert!(problems[0].starts_with("a.yaml:5: "), "{problems:?}");
        assert_eq!(read("values: 1\nvalues: 2\n").1, Vec::<String>::new());
    }

    #[test]
    fn lists_stand_for_their_items() {
        let (found, problems) = read(
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- {kind: X}\n---\napiVersion: v1\nkind: SecretList\nitems:\n- {metadata: {name: b}}\n---\napiVersion: x/v1\nkind: AllowList\nmetadata: {name: c}\n",
        );
        assert_eq!(
            found,
            ["ConfigMap a a.yaml:1", "Secret b a.yaml:7", "AllowList c a.yaml:12"]
        );
        assert_eq!(
            problems,
            ["a.yaml:1: item 2 of the list is not restored: it has no apiVersion"]
        );
    }

    #[test]
    fn every_client_kind_is_left_out() {
        for (group, kind) in CLIENT_KINDS {
            let api_version = if group.is_empty() {
                "v1".to_owned()
            } else {
                format!("{group}/v1")
            };
            let kind = if *kind == "*" { "Any" } else { kind };
            let text = format!("apiVersion: {api_version}\nkind: {kind}\n");
            assert_eq!(read(&text), (Vec::new(), Vec::new()), "{group}");
        }
    }

    #[test]
    fn json_is_read_too() {
        let text = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}"#;
        assert_eq!(read(text).0, ["ConfigMap a a.yaml:1"]);
    }
}
