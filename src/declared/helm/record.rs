//! The record that Helm keeps of a release, of one that refloat installed: the Secret `sh.helm.release.v1.NAME.v1`. Pure.
//!
//! With it `helm list`, `upgrade`, `rollback` and `get` work as if Helm had installed it. The form is that of `pkg/release/v1`,
//! `pkg/chart/v2` and `pkg/storage/driver/secrets.go` of Helm 4, which Helm 3 reads too. Charts' dependencies are no part of a record
//! (Helm does not keep them either), and so neither are the values that they bring: `helm get values --all` shows those of the chart.

use std::collections::BTreeMap;
use std::io::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::files::Files;
use super::go_json;
use super::recorded_chart;
use super::values::Values;
use crate::declared::release;
use crate::object::Manifest;

/// What the API server takes of a Secret.
const LARGEST_SECRET: usize = 1 << 20;

/// One document that a chart rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its template, from the chart's name on: `web/templates/web.yaml`.
    pub path: String,
    /// YAML.
    pub text: String,
}

/// The documents in what `helm template` printed.
pub fn documents(output: &str) -> Vec<Document> {
    let mut documents: Vec<Document> = Vec::new();
    let mut lines = output.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let source = lines.peek().and_then(|next| next.strip_prefix("# Source: "));
        match (line.trim_end() == "---", source, documents.last_mut()) {
            (true, Some(path), _) => {
                documents.push(Document {
                    path: path.trim().to_owned(),
                    text: String::new(),
                });
                lines.next();
            }
            (_, _, Some(document)) => document.text.push_str(line),
            (_, _, None) => {}
        }
    }
    documents
}

/// A document as it stands in a release's manifest.
pub(super) fn in_manifest(document: &Document) -> String {
    let text = document.text.trim_end_matches('\n');
    format!("---\n# Source: {}\n{text}\n", document.path)
}

/// A release that was installed.
#[derive(Debug)]
pub struct Release<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The chart's files.
    pub files: &'a Files,
    /// The chart's version, where it is not the one in `Chart.yaml`.
    pub chart_version: Option<&'a str>,
    /// The values given to the chart, its own defaults not among them.
    pub values: &'a Values,
    /// All that was rendered, in Helm's order; definitions of a `crds` folder are left out, hooks are kept as such.
    pub documents: &'a [Document],
    /// `NOTES.txt`, rendered.
    pub notes: &'a str,
    /// When it was installed; whole seconds count.
    pub time: Timestamp,
    /// Labels of the release itself.
    pub labels: &'a BTreeMap<String, String>,
    /// Its objects were applied on the server's side.
    pub server_side: bool,
}

/// A record, before it is packed.
#[derive(Clone)]
pub struct Record {
    /// The release as Helm encodes it.
    pub(super) release: Map<String, Value>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) seconds: i64,
}

impl Record {
    /// # Errors
    /// Says what is wrong with the chart.
    pub fn new(release: &Release<'_>) -> Result<Self, String> {
        let chart = recorded_chart::chart(release.files, release.chart_version)?;
        let time = format!("{:.0}", release.time);
        let (mut manifest, mut hooks) = (String::new(), Vec::new());
        for document in release.documents.iter().filter(|document| !is_of_crds(&document.path)) {
            match hook(document, &time) {
                Kept::Manifest => manifest.push_str(&in_manifest(document)),
                Kept::Hook(hook) => hooks.push(hook),
                Kept::Not => {}
            }
        }
        let mut info = Map::new();
        info.insert("first_deployed".to_owned(), time.clone().into());
        info.insert("last_deployed".to_owned(), time.into());
        info.insert("description".to_owned(), "Install complete".into());
        info.insert("status".to_owned(), "deployed".into());
        put(&mut info, "notes", release.notes.into());
        let mut all = Map::new();
        put(&mut all, "name", release.name.into());
        all.insert("info".to_owned(), info.into());
        all.insert("chart".to_owned(), chart);
        put(
            &mut all,
            "config",
            go_json::sorted(&Value::Object(release.values.clone())),
        );
        put(&mut all, "manifest", manifest.into());
        put(&mut all, "hooks", hooks.into());
        all.insert("version".to_owned(), 1.into());
        put(&mut all, "namespace", release.namespace.into());
        let method = if release.server_side { "ssa" } else { "csa" };
        all.insert("apply_method".to_owned(), method.into());
        Ok(Self {
            release: all,
            labels: release.labels.clone(),
            seconds: release.time.as_second(),
        })
    }

    /// The Secret.
    ///
    /// # Errors
    /// When it is larger than a Secret may be.
    pub fn secret(&self, storage_namespace: &str) -> Result<Manifest, String> {
        let name = self.release["name"].as_str().unwrap_or_default();
        let packed = packed(name, &self.release)?;
        let mut labels = self.labels.clone();
        let own = [
            ("modifiedAt", self.seconds.to_string()),
            ("name", name.to_owned()),
            ("owner", "helm".to_owned()),
            ("status", "deployed".to_owned()),
            ("version", "1".to_owned()),
        ];
        labels.extend(own.map(|(key, value)| (key.to_owned(), value)));
        Manifest::new(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": format!("sh.helm.release.v1.{name}.v1"), "namespace": storage_namespace, "labels": labels},
            "type": "helm.sh/release.v1",
            "data": {"release": packed},
        }))
    }
}

/// The release as it stands in the Secret.
///
/// # Errors
/// When it is larger than a Secret may be.
pub(super) fn packed(name: &str, release: &Map<String, Value>) -> Result<String, String> {
    let plain = go_json::encode(&Value::Object(release.clone()));
    let packed = pack(plain.as_bytes()).map_err(|cause| cause.to_string())?;
    if packed.len() > LARGEST_SECRET {
        let size = packed.len() >> 10;
        return Err(format!(
            "the record of the release {name} has {size} KiB, and a Secret holds 1024 at most"
        ));
    }
    Ok(BASE64_STANDARD.encode(packed))
}

/// Helm packs a release and encodes it; the API encodes what is in a Secret once more.
fn pack(plain: &[u8]) -> std::io::Result<String> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(plain)?;
    Ok(BASE64_STANDARD.encode(gzip.finish()?))
}

/// Leaves out what Go leaves out as empty.
pub(super) fn put(map: &mut Map<String, Value>, key: &str, value: Value) {
    let is_empty = match &value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Bool(true) => false,
    };
    if !is_empty {
        map.insert(key.to_owned(), value);
    }
}

/// Helm installs what lies in `crds` folders, and keeps no record of it.
fn is_of_crds(path: &str) -> bool {
    path.split_once('/')
        .is_some_and(|(_, template)| release::is_of_crds(template))
}

enum Kept {
    Manifest,
    Hook(Value),
    /// A hook that Helm does not know.
    Not,
}

const EVENTS: &[&str] = &[
    "pre-install",
    "post-install",
    "pre-delete",
    "post-delete",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "test",
];

/// As `pkg/release/v1/util/manifest_sorter.go` reads a hook, and as one that ran leaves it.
fn hook(document: &Document, time: &str) -> Kept {
    let value = kube_yaml::parse_one(document.text.as_bytes()).value.unwrap_or_default();
    let annotation = |key: &str| value["metadata"]["annotations"][key].as_str();
    let Some(occasions) = annotation("helm.sh/hook") else {
        return Kept::Manifest;
    };
    let words = |text: &str| -> Vec<String> { text.split(',').map(|word| word.trim().to_lowercase()).collect() };
    let mut events = words(occasions);
    for event in &mut events {
        if event == "test-success" {
            "test".clone_into(event);
        }
    }
    if !events.iter().all(|event| EVENTS.contains(&event.as_str())) {
        return Kept::Not;
    }
    let ran = events
        .iter()
        .any(|event| event == "pre-install" || event == "post-install");
    let mut delete = annotation("helm.sh/hook-delete-policy").map(words).unwrap_or_default();
    if ran && delete.is_empty() {
        delete.push("before-hook-creation".to_owned());
    }
    let weight = annotation("helm.sh/hook-weight").and_then(|weight| weight.parse::<i64>().ok());
    let mut hook = Map::new();
    put(&mut hook, "name", value["metadata"]["name"].clone());
    put(&mut hook, "kind", value["kind"].clone());
    put(&mut hook, "path", document.path.clone().into());
    put(&mut hook, "manifest", document.text.trim_end_matches('\n').into());
    put(&mut hook, "events", events.into());
    let last_run = match ran {
        true => json!({"started_at": time, "completed_at": time, "phase": "Succeeded"}),
        false => json!({"phase": ""}),
    };
    hook.insert("last_run".to_owned(), last_run);
    put(&mut hook, "weight", weight.unwrap_or(0).into());
    put(&mut hook, "delete_policies", delete.into());
    let logs = annotation("helm.sh/hook-output-log-policy")
        .map(words)
        .unwrap_or_default();
    put(&mut hook, "output_log_policies", logs.into());
    Kept::Hook(hook.into())
}
