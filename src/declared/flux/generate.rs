//! The kustomization file that kustomize-controller builds for a Kustomization: that of the folder, or one that it generates, with
//! what the Kustomization adds. Pure.
//!
//! Source: `github.com/fluxcd/pkg/kustomize` (kustomize_generator.go).

use kustomize::{Files, Kind, ReadError, flux_kustomization};
use serde_json::{Map, Value, json};

use super::super::kustomization::NAMES;
use crate::source::path::{join, resolve};

/// Fields of a kustomization. The controller reads files leniently and writes them again, so that others are lost without a word.
const FIELDS: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "openapi",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "labels",
    "commonAnnotations",
    "patchesStrategicMerge",
    "patchesJson6902",
    "patches",
    "images",
    "imageTags",
    "replacements",
    "replicas",
    "vars",
    "sortOptions",
    "resources",
    "components",
    "crds",
    "bases",
    "configMapGenerator",
    "secretGenerator",
    "helmGlobals",
    "helmCharts",
    "helmChartInflationGenerator",
    "generatorOptions",
    "configurations",
    "generators",
    "transformers",
    "validators",
    "buildMetadata",
];

/// What is laid over the tree before a build.
#[derive(Debug, PartialEq)]
pub(super) struct Generated {
    /// The kustomization file.
    pub path: String,
    /// Its new content; `None`: it is built as it stands.
    pub content: Option<String>,
    /// Fields of it that are no fields of a kustomization, and that the controller leaves out.
    pub unknown: Vec<String>,
}

/// The kustomization of a folder as the controller builds it for a Kustomization with this spec.
///
/// # Errors
/// What keeps the controller from building it, in words.
pub(super) fn kustomization(files: &dyn Files, folder: &str, spec: &Value) -> Result<Generated, String> {
    let (path, mut value, is_new) = match own(files, folder)? {
        Some((path, value)) => (path, value, false),
        None => {
            let text = flux_kustomization(files, folder).map_err(|error| error.to_string())?;
            let text = text.ok_or("the folder has a kustomization that cannot be read")?;
            let value = kube_yaml::parse_one(text.as_bytes()).value;
            let value = value.map_err(|error| error.message)?;
            (join(folder, NAMES[0]), value, true)
        }
    };
    let fields = value.as_object_mut().ok_or("the kustomization is no mapping")?;
    let mut unknown = Vec::new();
    fields.retain(|field, _| {
        let known = FIELDS.contains(&&**field);
        if !known {
            unknown.push(field.clone());
        }
        known
    });
    let before = fields.clone();
    if list(fields, "resources").is_empty() {
        if is_new {
            fields.insert("namespace".to_owned(), json!("_placeholder"));
        } else {
            // Or an empty one would be refused.
            fields.insert("buildMetadata".to_owned(), json!(["originAnnotations"]));
        }
    }
    extend(fields, files, folder, spec)?;
    let changed = is_new || !unknown.is_empty() || *fields != before;
    Ok(Generated {
        path,
        content: changed.then(|| value.to_string()),
        unknown,
    })
}

fn own(files: &dyn Files, folder: &str) -> Result<Option<(String, Value)>, String> {
    for name in NAMES {
        let path = join(folder, name);
        if files.kind(&path) == Ok(Some(Kind::File)) {
            let bytes = files
                .read(&path)
                .map_err(|error: ReadError| format!("{path}: {error}"))?;
            let value = kube_yaml::parse_one(&bytes).value;
            let value = value.map_err(|error| format!("{path}:{}: {}", error.line, error.message))?;
            let value = if value.is_null() { json!({}) } else { value };
            return Ok(Some((path, value)));
        }
    }
    Ok(None)
}

fn list<'v>(fields: &'v Map<String, Value>, key: &str) -> &'v [Value] {
    fields.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn append(fields: &mut Map<String, Value>, key: &str, more: Vec<Value>) {
    if more.is_empty() {
        return;
    }
    match fields.get_mut(key).and_then(Value::as_array_mut) {
        Some(list) => list.extend(more),
        None => {
            fields.insert(key.to_owned(), more.into());
        }
    }
}

/// What the Kustomization says beside its path.
fn extend(fields: &mut Map<String, Value>, files: &dyn Files, folder: &str, spec: &Value) -> Result<(), String> {
    for (from, to) in [
        ("targetNamespace", "namespace"),
        ("namePrefix", "namePrefix"),
        ("nameSuffix", "nameSuffix"),
    ] {
        if let Some(text) = spec[from].as_str() {
            fields.insert(to.to_owned(), text.into());
        }
    }
    let patch = |one: &Value| aimed(one["patch"].clone(), &one["target"]);
    append(fields, "patches", each(spec, "patches").map(patch).collect());
    let components = each(spec, "components").filter_map(Value::as_str);
    let mut found = Vec::new();
    for component in components {
        if !is_local(component) {
            return Err(format!("the component {component} is not a path in the source"));
        }
        let there = resolve(folder, component).is_some_and(|path| matches!(files.kind(&path), Ok(Some(_))));
        if there || spec["ignoreMissingComponents"] != true {
            found.push(component.into());
        }
    }
    append(fields, "components", found);
    earlier_patches(fields, spec);
    images(fields, spec);
    if each(spec, "buildMetadata").next().is_some() {
        fields.insert("buildMetadata".to_owned(), spec["buildMetadata"].clone());
    }
    Ok(())
}

/// Patches as earlier API versions write them.
pub(super) fn earlier_patches(fields: &mut Map<String, Value>, spec: &Value) {
    let merges = each(spec, "patchesStrategicMerge").map(|one| one.to_string().into());
    append(fields, "patchesStrategicMerge", merges.collect());
    let json6902 = each(spec, "patchesJson6902");
    let json6902 = json6902.map(|one| aimed(one["patch"].to_string().into(), &one["target"]));
    append(fields, "patchesJson6902", json6902.collect());
}

fn each<'v>(spec: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    spec[key].as_array().into_iter().flatten()
}

/// A patch with its target, of which only what selectors have is kept.
fn aimed(patch: Value, target: &Value) -> Value {
    const KEYS: &[&str] = &[
        "group",
        "version",
        "kind",
        "name",
        "namespace",
        "labelSelector",
        "annotationSelector",
    ];
    let Some(target) = target.as_object() else {
        return json!({"patch": patch});
    };
    let kept = target.iter().filter(|(key, _)| KEYS.contains(&key.as_str()));
    let kept: Map<String, Value> = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    json!({"patch": patch, "target": kept})
}

/// Images of one name become one: the Kustomization's name goes before the file's, and its tag and digest together.
fn images(fields: &mut Map<String, Value>, spec: &Value) {
    for image in each(spec, "images") {
        let text = |key: &str| image[key].as_str().filter(|text| !text.is_empty());
        let listed = fields.entry("images").or_insert_with(|| json!([]));
        let Some(listed) = listed.as_array_mut() else { return };
        let same = listed.iter_mut().find(|one| one["name"] == image["name"]);
        let Some(entry) = same.and_then(Value::as_object_mut) else {
            let keys = ["name", "newName", "newTag", "digest"];
            let of = |key: &str| text(key).map(|text| (key.to_owned(), text.into()));
            listed.push(Value::Object(keys.into_iter().filter_map(of).collect()));
            continue;
        };
        if let Some(name) = text("newName") {
            entry.insert("newName".to_owned(), name.into());
        }
        if text("newTag").is_some() || text("digest").is_some() {
            for key in ["newTag", "digest"] {
                match text(key) {
                    Some(value) => entry.insert(key.to_owned(), value.into()),
                    None => entry.shift_remove(key),
                };
            }
        }
    }
}

/// Whether a component is neither an address nor an absolute path.
fn is_local(path: &str) -> bool {
    const ADDRESSES: &[&str] = &[
        "git::",
        "gh:",
        "ssh://",
        "https://",
        "http://",
        "git@",
        "github.com:",
        "github.com/",
    ];
    let lower = path.to_ascii_lowercase();
    let is_address = ADDRESSES.iter().any(|start| lower.starts_with(start));
    !is_address && !lower.strip_prefix("file://").unwrap_or(&lower).starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use kustomize::Memory;

    fn generated(files: &[(&str, &str)], spec: &Value) -> (String, Value, Vec<String>) {
        let mut memory = Memory::default();
        for (path, text) in files {
            memory.put(path, *text, None);
        }
        let generated = kustomization(&memory, "apps", spec).expect("because it can be built");
        let content = generated.content.map_or(Value::Null, |text| {
            serde_json::from_str(&text).expect("because it is written as JSON")
        });
        (generated.path, content, generated.unknown)
    }

    #[test]
    fn a_folder_without_one_gets_all_its_yaml() {
        let (path, content, _) = generated(&[("apps/web.yaml", ""), ("apps/db/kustomization.yaml", "")], &json!({}));
        assert_eq!(path, "apps/kustomization.yaml");
        assert_eq!(content["resources"], json!(["db", "web.yaml"]));
    }

    #[test]
    fn what_adds_nothing_leaves_the_file_as_it_is() {
        let own = ("apps/kustomization.yml", "resources: [web.yaml]\n");
        let spec = json!({"path": "./apps", "prune": true});
        assert_eq!(
            generated(&[own], &spec),
            ("apps/kustomization.yml".to_owned(), Value::Null, Vec::new())
        );
    }

    #[test]
    fn the_spec_is_added() {
        let own = (
            "apps/kustomization.yaml",
            "resources: [web.yaml]\nnamespace: a\npatches: [{path: p.yaml}]\ncomponents: [x]\nresourcs: [typo]\n\
             images: [{name: web, newName: w, newTag: '1'}, {name: db, newTag: '2'}]\n",
        );
        let spec = json!({
            "targetNamespace": "b", "namePrefix": "p-",
            "patches": [{"patch": "x: 1", "target": {"kind": "Deployment", "labelSelector": "a=b"}}, {"patch": "y: 1"}],
            "components": ["../components/tls", "../components/none"], "ignoreMissingComponents": true,
            "images": [{"name": "web", "digest": "sha256:0"}, {"name": "new", "newTag": "3"}],
            "buildMetadata": ["managedByLabel"],
        });
        let (_, content, unknown) = generated(&[own, ("components/tls/kustomization.yaml", "")], &spec);
        assert_eq!(unknown, ["resourcs"]);
        assert_eq!(
            content,
            json!({
                "resources": ["web.yaml"], "namespace": "b", "namePrefix": "p-",
                "patches": [
                    {"path": "p.yaml"},
                    {"patch": "x: 1", "target": {"kind": "Deployment", "labelSelector": "a=b"}},
                    {"patch": "y: 1"},
                ],
                "components": ["x", "../components/tls"],
                "images": [
                    {"name": "web", "newName": "w", "digest": "sha256:0"},
                    {"name": "db", "newTag": "2"},
                    {"name": "new", "newTag": "3"},
                ],
                "buildMetadata": ["managedByLabel"],
            })
        );
    }

    #[test]
    fn empty_ones_are_made_to_build() {
        let (_, content, _) = generated(&[("apps/kustomization.yaml", "components: [x]\n")], &json!({}));
        assert_eq!(content["buildMetadata"], json!(["originAnnotations"]));
        let (_, content, _) = generated(&[("apps/notes.md", "")], &json!({}));
        assert_eq!(content["namespace"], "_placeholder");
    }

    #[test]
    fn components_from_elsewhere_are_refused() {
        let memory = Memory::from([("apps/kustomization.yaml", "resources: [a]\n")]);
        for component in ["https://example.com/x", "github.com/a/b", "/etc", "file:///etc"] {
            let spec = json!({"components": [component]});
            let error = kustomization(&memory, "apps", &spec).expect_err(component);
            assert!(error.contains(component), "{error}");
        }
    }
}
