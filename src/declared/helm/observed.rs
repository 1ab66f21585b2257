//! What helm-controller notes of a HelmRelease's post-renderers and common metadata: where it finds another in a new generation, it
//! upgrades. Pure.
//!
//! Sources: helm-controller 1.6 `internal/postrender/build.go` (`Digest`, `CommonMetadataDigest`), `internal/reconcile/release.go`
//! (`summarize`), `api/v2/helmrelease_types.go`; fluxcd/pkg `apis/kustomize/kustomize_types.go`. The checksums are over what Go writes of
//! these types, which have their fields in an order of their own.

use serde_json::{Map, Value, json};

use super::go_json;
use super::snapshot::digest;

/// The fields of the status.
pub(super) const OBSERVED: [&str; 2] = ["observedPostRenderersDigest", "observedCommonMetadataDigest"];

/// How Go writes a field.
enum Field {
    /// A text, also where it is empty.
    Text,
    /// A text, unless it is empty.
    SomeText,
    /// Texts by key, unless there are none.
    SomeTexts,
    /// A list of maps, unless it is empty.
    SomeMaps(Shape),
    /// A map, where there is one.
    Map(Shape),
}

type Shape = &'static [(&'static str, Field)];

const RENDERER: Shape = &[("kustomize", Field::Map(KUSTOMIZE))];
const KUSTOMIZE: Shape = &[("patches", Field::SomeMaps(PATCH)), ("images", Field::SomeMaps(IMAGE))];
const PATCH: Shape = &[("patch", Field::Text), ("target", Field::Map(TARGET))];
const TARGET: Shape = &[
    ("group", Field::SomeText),
    ("version", Field::SomeText),
    ("kind", Field::SomeText),
    ("namespace", Field::SomeText),
    ("name", Field::SomeText),
    ("annotationSelector", Field::SomeText),
    ("labelSelector", Field::SomeText),
];
const IMAGE: Shape = &[
    ("name", Field::Text),
    ("newName", Field::SomeText),
    ("newTag", Field::SomeText),
    ("digest", Field::SomeText),
];
const COMMON_METADATA: Shape = &[("annotations", Field::SomeTexts), ("labels", Field::SomeTexts)];

/// Adds to a HelmRelease's status what its controller notes of `spec`.
pub fn observe(status: &mut Value, spec: &Value) {
    // Go's encoder ends with a line feed.
    let sum = |value: Value| digest(&format!("{}\n", go_json::encode(&value)));
    let renderers = spec["postRenderers"].as_array();
    let renderers = renderers.map(|all| all.iter().map(|one| shaped(one, RENDERER)).collect());
    let metadata = Some(&spec["commonMetadata"]).filter(|metadata| metadata.is_object());
    let metadata = metadata.map(|metadata| shaped(metadata, COMMON_METADATA));
    for (key, value) in OBSERVED.into_iter().zip([renderers, metadata]) {
        if let Some(value) = value {
            status[key] = sum(value).into();
        }
    }
}

fn shaped(value: &Value, shape: Shape) -> Value {
    let mut map = Map::new();
    for (key, field) in shape {
        let text = value[*key].as_str().unwrap_or_default();
        let written = match field {
            Field::Text => Some(json!(text)),
            Field::SomeText => (!text.is_empty()).then(|| json!(text)),
            Field::SomeTexts => {
                let texts = value[*key].as_object().filter(|texts| !texts.is_empty());
                texts.map(|_| go_json::sorted(&value[*key]))
            }
            Field::SomeMaps(shape) => {
                let maps = value[*key].as_array().filter(|maps| !maps.is_empty());
                maps.map(|maps| maps.iter().map(|one| shaped(one, shape)).collect())
            }
            Field::Map(shape) => value[*key].is_object().then(|| shaped(&value[*key], shape)),
        };
        if let Some(written) = written {
            map.insert((*key).to_owned(), written);
        }
    }
    Value::Object(map)
}
