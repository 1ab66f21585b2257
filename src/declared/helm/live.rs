//! A release's record and the target: whether one that is there is the one that would be made now, and what stands in one that is made now
//! where a chart makes values anew at each rendering. Pure.

use std::collections::BTreeMap;
use std::io::Read;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value};

use super::record::{self, Record, documents, in_manifest};
use super::snapshot::status_like;
use crate::object::{Manifest, ObjectId, ReleaseRecord};

/// More than any release has that packs into what a Secret holds.
const LARGEST_RELEASE: u64 = 64 << 20;

/// The record with what the target has in place of values that are made anew at each rendering: objects that are there keep theirs.
/// `live` are these objects, as [`ReleaseRecord::generated`] names them.
///
/// # Errors
/// When it is larger than a Secret may be.
pub fn with_live_values(own: &ReleaseRecord, live: &BTreeMap<ObjectId, Value>) -> Result<ReleaseRecord, String> {
    let mut with = own.clone();
    let mut value = own.secret.value().clone();
    let Some(mut release) = unpacked(&value) else {
        return Ok(with);
    };
    edit(&mut release, &own.generated, |id, pointers, object| {
        let Some(live) = live.get(id) else { return };
        for pointer in pointers {
            take(object, pointer, live);
        }
    });
    value["data"]["release"] = record::packed(&own.release, &release)?.into();
    with.secret = Manifest::new(value)?;
    with.status = own.status.as_ref().map(|told| status_like(told, &bare(release)));
    Ok(with)
}

/// A HelmRelease's status for the record that the target has, where that is the one which would be made now, but for when and for what is
/// made anew each time: a run made it that was stopped before it told of it.
pub fn status_of_known(own: &ReleaseRecord, live: &Value) -> Option<Value> {
    let told = own.status.as_ref()?;
    let release = unpacked(live)?;
    let compared = |release: Map<String, Value>| {
        let mut release = timeless(release);
        edit(&mut release, &own.generated, |_, pointers, object| {
            for pointer in pointers {
                if let Some(at) = object.pointer_mut(pointer) {
                    *at = Value::Null;
                }
            }
        });
        release
    };
    let is_same = compared(release.clone()) == compared(unpacked(own.secret.value())?);
    is_same.then(|| status_like(told, &bare(release)))
}

/// A release without its labels, of which a status tells nothing.
fn bare(release: Map<String, Value>) -> Record {
    Record {
        release,
        labels: BTreeMap::new(),
        seconds: 0,
    }
}

/// Changes those documents of a release, hooks too, that hold values which are made anew.
fn edit(
    release: &mut Map<String, Value>,
    generated: &[(ObjectId, Vec<String>)],
    mut change: impl FnMut(&ObjectId, &[String], &mut Value),
) {
    if generated.is_empty() {
        return;
    }
    let namespace = release.get("namespace").and_then(Value::as_str).map(str::to_owned);
    let mut changed = |text: &str| {
        let object = kube_yaml::parse_one(text.as_bytes()).value.ok()?;
        let manifest = Manifest::new(object).ok()?;
        let mut id = manifest.id();
        id.namespace = id.namespace.or_else(|| namespace.clone());
        let (id, pointers) = generated.iter().find(|(other, _)| *other == id)?;
        let mut object = manifest.value().clone();
        change(id, pointers, &mut object);
        Some(kube_yaml::to_string(&object))
    };
    if let Some(Value::String(manifest)) = release.get_mut("manifest") {
        let mut all = documents(manifest);
        for document in &mut all {
            if let Some(text) = changed(&document.text) {
                document.text = text;
            }
        }
        *manifest = all.iter().map(in_manifest).collect();
    }
    let hooks = release.get_mut("hooks").and_then(Value::as_array_mut);
    for hook in hooks.into_iter().flatten() {
        if let Some(text) = hook["manifest"].as_str().and_then(&mut changed) {
            hook["manifest"] = text.trim_end_matches('\n').into();
        }
    }
}

/// Puts what a live object has at a JSON pointer into another. The server keeps no `stringData`: it stands in `data`.
fn take(object: &mut Value, pointer: &str, live: &Value) {
    let key = pointer
        .strip_prefix("/stringData/")
        .filter(|_| object["kind"] == "Secret");
    let Some(key) = key else {
        if let (Some(at), Some(value)) = (object.pointer_mut(pointer), live.pointer(pointer)) {
            *at = value.clone();
        }
        return;
    };
    let encoded = live.pointer(&format!("/data/{key}")).and_then(Value::as_str);
    let text = encoded.and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
    if let (Some(at), Some(text)) = (
        object.pointer_mut(pointer),
        text.and_then(|text| String::from_utf8(text).ok()),
    ) {
        *at = text.into();
    }
}

/// The release without when it was installed.
fn timeless(mut release: Map<String, Value>) -> Map<String, Value> {
    let without = |value: &mut Value, times: &[&str]| {
        if let Some(map) = value.as_object_mut() {
            map.retain(|key, _| !times.contains(&&**key));
        }
    };
    if let Some(info) = release.get_mut("info") {
        without(info, &["first_deployed", "last_deployed"]);
    }
    let hooks = release.get_mut("hooks").and_then(Value::as_array_mut);
    for hook in hooks.into_iter().flatten() {
        without(&mut hook["last_run"], &["started_at", "completed_at"]);
    }
    release
}

/// The release in a record.
fn unpacked(secret: &Value) -> Option<Map<String, Value>> {
    let encoded = secret["data"]["release"].as_str()?;
    let packed = BASE64_STANDARD.decode(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let mut plain = Vec::new();
    MultiGzDecoder::new(&*packed)
        .take(LARGEST_RELEASE)
        .read_to_end(&mut plain)
        .ok()?;
    serde_json::from_slice(&plain).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn live_values_are_taken_where_a_chart_makes_them_anew() {
        let mut secret = json!({
            "kind": "Secret", "data": {"a/b": "bmV3", "kept": "a2VwdA==", "gone": "bmV3"}, "stringData": {"text": "new", "binary": "new"},
        });
        let live = json!({"data": {"a/b": "bGl2ZQ==", "kept": "b3RoZXI=", "text": "bGl2ZQ==", "binary": "/w=="}});
        for pointer in ["/data/a~1b", "/data/gone", "/stringData/text", "/stringData/binary"] {
            take(&mut secret, pointer, &live);
        }
        assert_eq!(
            secret["data"],
            json!({"a/b": "bGl2ZQ==", "kept": "a2VwdA==", "gone": "bmV3"})
        );
        assert_eq!(secret["stringData"], json!({"text": "live", "binary": "new"}));
        let mut other = json!({"kind": "Other", "stringData": {"text": "new"}});
        take(&mut other, "/stringData/text", &json!({"stringData": {"text": "live"}}));
        assert_eq!(other["stringData"]["text"], "live");
    }
}
