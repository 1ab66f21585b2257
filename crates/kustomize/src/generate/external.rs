//! Generators that are programs: what they make comes from [`Outside`](crate::Outside).

use crate::context::{Reads, parse_strictly};
use crate::objects;
use crate::outside::{Answer, Program};
use crate::resource::{Behavior, Resource};
use crate::trouble::{Outcome, Trouble};
use crate::walk::reader::Reader;

/// By these a program says what becomes of an object that it makes.
/// Source: kustomize `api/internal/plugins/utils/utils.go` (`UpdateResourceOptions`).
const HASH: &str = "kustomize.config.k8s.io/needs-hash";
const BEHAVIOR: &str = "kustomize.config.k8s.io/behavior";

/// What the program makes that a generator's object is for.
pub(crate) fn generate(plugin: &Resource, reader: &Reader<'_, '_>) -> Outcome<Vec<Resource>> {
    let kind = plugin.kind().to_owned();
    let read = |path: &str| {
        let read = reader.read(path).map(|(bytes, _)| bytes);
        read.map_err(|trouble| trouble.message)
    };
    let program = Program {
        config: &plugin.value,
        read: &read,
    };
    let made = match reader.walk.kustomize.outside.generate(&program) {
        Answer::Here(made) => made,
        Answer::Later => return Err(Trouble::new(format!("\"{kind}\" cannot be run yet"))),
        Answer::Refused(why) => return Err(Trouble::new(why)),
    };
    reader.walk.meter.read(made.len())?;
    let objects = parse_strictly(&made).and_then(|documents| objects::of(&documents));
    let objects = objects.map_err(|trouble| {
        Trouble::new(format!(
            "what \"{kind}\" makes is no list of objects: {}",
            trouble.message
        ))
    })?;
    Ok(objects.iter().map(|parsed| told(parsed.value.clone())).collect())
}

fn told(value: std::sync::Arc<serde_json::Value>) -> Resource {
    let mut resource = Resource::new(value, Default::default());
    let said = |key: &str| {
        resource.value["metadata"]["annotations"][key]
            .as_str()
            .map(str::to_owned)
    };
    let (hash, behavior) = (said(HASH), said(BEHAVIOR));
    if hash.is_none() && behavior.is_none() {
        return resource;
    }
    resource.needs_hash = matches!(hash.as_deref(), Some("true" | "True" | "TRUE" | "t" | "T" | "1"));
    resource.behavior = match behavior.as_deref() {
        Some("create") => Behavior::Create,
        Some("replace") => Behavior::Replace,
        Some("merge") => Behavior::Merge,
        _ => Behavior::Unspecified,
    };
    if let Some(metadata) = resource.metadata_mut()
        && let Some(annotations) = metadata
            .get_mut("annotations")
            .and_then(serde_json::Value::as_object_mut)
    {
        annotations.shift_remove(HASH);
        annotations.shift_remove(BEHAVIOR);
        if annotations.is_empty() {
            metadata.shift_remove("annotations");
        }
    }
    resource
}
