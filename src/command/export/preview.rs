//! What a change would do, line by line, without the values of Secrets: `***` stands for them.
//!
//! A Secret in clear may be in a file that changes, in what a generator reads, or as a value of a chart. Masked are the fields of Secrets
//! and of patches of them, what generators of Secrets are told and read, and everywhere else what is a value of a declared Secret.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use yaml_splice::{Edit, Step, path};

use crate::declared::{is_encrypted, is_kustomization};
use crate::error::Failure;
use crate::object::DeclaredSet;
use crate::object::normalize::LAST_APPLIED;
use crate::source::path::{parent, resolve};
use crate::source::{self, Files, Tree};

const MASK: &str = "***";

/// Fields of a Secret that hold nothing secret; `sops` is what SOPS keeps beside the values that it encrypts.
const OPEN: [&str; 6] = ["apiVersion", "kind", "metadata", "type", "immutable", "sops"];

/// A value of this length is told from other texts wherever it stands, one of this length where it is a whole value.
const LONG: usize = 16;
const SHORT: usize = 6;

/// The difference between a tree and changed files of it.
///
/// # Errors
/// As for [`source::diff`].
pub(super) fn preview(tree: &Tree, files: &Files, set: &DeclaredSet) -> Result<Vec<u8>, Failure> {
    let veil = Veil {
        values: values(set),
        read: read_by_generators(tree),
    };
    let (mut before, mut after) = (Files::new(), Files::new());
    for (path, content) in files {
        if let Ok(old) = tree.read(path) {
            before.insert(path.clone(), Some(veil.over(path, &old)));
        }
        let new = content.as_deref().map(|new| veil.over(path, new));
        after.insert(path.clone(), new);
    }
    source::diff(&tree.with(&before), &after)
}

struct Veil {
    /// Values of Secrets, decoded and not, by line.
    values: BTreeSet<String>,
    /// Files that generators of Secrets read.
    read: BTreeSet<String>,
}

impl Veil {
    fn over(&self, path: &str, bytes: &[u8]) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return bytes.to_vec();
        };
        let text = match self.read.contains(path) && !is_encrypted(bytes) {
            true => covered(text),
            false => self.lines(&documents(text)),
        };
        text.into_bytes()
    }

    /// Masks lines that say a value.
    fn lines(&self, text: &str) -> String {
        let mut shown = String::new();
        for line in text.split_inclusive('\n') {
            let mut line = line.to_owned();
            for value in self.values.iter().filter(|value| value.len() >= LONG) {
                line = line.replace(value, MASK);
            }
            let starts = [": ", "- ", "="]
                .into_iter()
                .filter_map(|mark| Some(line.find(mark)? + mark.len()));
            let said = starts.chain([0]).map(|start| {
                let blank = |c: char| c.is_whitespace() || c == '"' || c == '\'';
                line[start..]
                    .trim_matches(blank)
                    .trim_end_matches(',')
                    .trim_end_matches(blank)
            });
            let hidden = said
                .filter(|said| self.values.contains(*said))
                .map(str::to_owned)
                .next();
            shown.push_str(&hidden.map_or(line.clone(), |hidden| line.replace(&hidden, MASK)));
        }
        shown
    }
}

/// What values of declared Secrets are called in files, each line of them by itself.
fn values(set: &DeclaredSet) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |text: &str| {
        let lines = text.lines().map(str::trim).filter(|line| line.len() >= SHORT);
        found.extend(lines.map(str::to_owned));
    };
    for secret in set.objects.iter().filter(|one| one.id.is("", "Secret")) {
        let value = secret.manifest.value();
        let texts = |field: &str| {
            value[field]
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(_, value)| value.as_str())
        };
        texts("stringData").for_each(&mut add);
        for text in texts("data") {
            add(text);
            let clear = BASE64_STANDARD
                .decode(text)
                .ok()
                .and_then(|clear| String::from_utf8(clear).ok());
            add(&clear.unwrap_or_default());
        }
    }
    found
}

/// Files that generators of Secrets read.
fn read_by_generators(tree: &Tree) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in tree.files().filter(|path| is_kustomization(path)) {
        let value = tree
            .read(file)
            .map(|text| kube_yaml::parse_one(&text).value.unwrap_or_default());
        let value = value.unwrap_or_default();
        for generator in list(&value["secretGenerator"]) {
            let named = ["files", "envs"].into_iter().flat_map(|key| list(&generator[key]));
            for item in named.chain([&generator["env"]]).filter_map(Value::as_str) {
                let path = item.split_once('=').map_or(item, |(_, path)| path);
                found.extend(resolve(parent(file), path));
            }
        }
    }
    found
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Masks what Secrets in a stream of documents hold, and what generators of Secrets are told.
fn documents(text: &str) -> String {
    let mut shown = text.to_owned();
    // The last first: what comes before keeps its place.
    for (index, document) in kube_yaml::parse(text.as_bytes()).into_iter().enumerate().rev() {
        let edits = document.value.ok().map(|value| {
            let mut edits = Vec::new();
            hide(&value, &[], &mut edits);
            edits
        });
        let is_open = edits.as_ref().is_some_and(Vec::is_empty);
        let edited = edits.and_then(|edits| yaml_splice::edit(&shown, index, &edits).ok());
        match edited {
            _ if is_open => {}
            Some(edited) => shown = edited.text,
            // A template, or what cannot be edited.
            None if is_of_secret(&text[document.bytes.clone()]) => {
                let covered = covered(&text[document.bytes.clone()]);
                shown.replace_range(document.bytes, &covered);
            }
            None => {}
        }
    }
    shown
}

/// What of a document is masked.
fn hide(value: &Value, at: &[Step], edits: &mut Vec<Edit>) {
    let mut mask = |steps: Vec<Step>, now: &Value| {
        let is_shown = now.is_null() || now.as_str().is_some_and(|text| text.starts_with("ENC["));
        if !is_shown {
            edits.push(Edit::set([at, &steps].concat(), MASK));
        }
    };
    if value["kind"] == "Secret" {
        let fields = value.as_object().into_iter().flatten();
        for (name, field) in fields.filter(|(name, _)| !OPEN.contains(&name.as_str())) {
            match field {
                Value::Object(map) => map.iter().for_each(|(key, value)| mask(path![&**name, &**key], value)),
                field => mask(path![&**name], field),
            }
        }
        let applied = &value["metadata"]["annotations"][LAST_APPLIED];
        mask(path!["metadata", "annotations", LAST_APPLIED], applied);
        return;
    }
    for (index, generator) in list(&value["secretGenerator"]).enumerate() {
        for (item, literal) in list(&generator["literals"]).enumerate() {
            let key = literal
                .as_str()
                .and_then(|literal| literal.split_once('='))
                .map_or("", |(key, _)| key);
            let steps = path!["secretGenerator", index, "literals", item];
            edits.push(Edit::set([at, &steps].concat(), format!("{key}={MASK}")));
        }
    }
    let mut mask = |steps: Vec<Step>| edits.push(Edit::set([at, &steps].concat(), MASK));
    for (index, patch) in list(&value["patches"]).enumerate() {
        let text = patch["patch"].as_str();
        if text.is_some_and(|text| patch["target"]["kind"] == "Secret" || is_of_secret(text)) {
            mask(path!["patches", index, "patch"]);
        }
    }
    for (index, patch) in list(&value["patchesStrategicMerge"]).enumerate() {
        if patch.as_str().is_some_and(is_of_secret) {
            mask(path!["patchesStrategicMerge", index]);
        }
    }
    for (index, item) in list(&value["items"]).enumerate() {
        let steps = [Step::from("items"), Step::from(index)];
        hide(item, &[at, &steps].concat(), edits);
    }
}

/// Whether a text seems to be of a Secret.
fn is_of_secret(text: &str) -> bool {
    let kind = |line: &str| {
        let kind = line.trim().trim_start_matches(['{', ' ', '"']).strip_prefix("kind")?;
        let kind = kind
            .trim_start_matches(['"', ':', ' '])
            .trim_end_matches(['"', ',', ' ']);
        Some(kind.trim_matches('\'') == "Secret")
    };
    text.lines().any(|line| kind(line) == Some(true))
}

/// A text of which nothing but the lines is to be seen.
fn covered(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines
        .map(|line| {
            line.replace(
                line.trim_end_matches(['\n', '\r']),
                if line.trim().is_empty() { "" } else { MASK },
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secrets_are_masked_wherever_they_stand() {
        for (text, shown) in [
            (
                "kind: Secret\nmetadata: {name: a}\ndata:\n  a: Y2FuYXJ5 # why\nstringData: {b: canary}\n---\nkind: ConfigMap\ndata: {a: b}\n",
                "kind: Secret\nmetadata: {name: a}\ndata:\n  a: '***' # why\nstringData: {b: '***'}\n---\nkind: ConfigMap\ndata: {a: b}\n",
            ),
            (
                "kind: Secret\nstringData:\n  a: |\n    canary\n    two\n  b: ENC[AES256_GCM,data:x]\nsops: {mac: x}\n",
                "kind: Secret\nstringData:\n  a: '***'\n  b: ENC[AES256_GCM,data:x]\nsops: {mac: x}\n",
            ),
            (
                "kind: List\nitems:\n- kind: Secret\n  data: {a: canary}\n",
                "kind: List\nitems:\n- kind: Secret\n  data: {a: '***'}\n",
            ),
            (
                "secretGenerator:\n- name: a\n  literals: [a=canary]\npatches:\n- patch: |\n    kind: Secret\n    data: {a: canary}\n- patch: x\n",
                "secretGenerator:\n- name: a\n  literals: [a=***]\npatches:\n- patch: '***'\n- patch: x\n",
            ),
            (
                "kind: Secret\ndata:\n  {{ if .Values.a }}\n\n  a: canary\n",
                "***\n***\n***\n\n***\n",
            ),
        ] {
            assert_eq!(documents(text), shown);
        }
        let veil = Veil {
            values: ["canary-of-some-length", "canary"].map(str::to_owned).into(),
            read: BTreeSet::from(["env".to_owned()]),
        };
        let over = |path: &str, text: &str| String::from_utf8(veil.over(path, text.as_bytes()));
        assert_eq!(
            over(
                "values.yaml",
                "url: http://x:canary-of-some-length@y\na: 'canary'\nb: canary-bird\n- canary\n"
            )
            .as_deref(),
            Ok("url: http://x:***@y\na: '***'\nb: canary-bird\n- ***\n")
        );
        assert_eq!(over("env", "A=b\n").as_deref(), Ok("***\n"));
    }
}
