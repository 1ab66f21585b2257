//! What Flux's helm-controller notes of a release in a HelmRelease's status: with it, the controller knows the release for its own
//! and has nothing to do. Pure.
//!
//! Sources: helm-controller 1.6 `internal/release/observation.go`, `internal/release/digest.go`, `internal/reconcile/state.go`,
//! `internal/controller/helmrelease_controller.go` (`mutateChartWithSourceRevision`), fluxcd/pkg `chartutil/digest.go`. The checksums
//! are over what Go makes of the record when it reads it back.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::go_json;
use super::observed::OBSERVED;
use super::record::Record;
use super::values::Values;
use super::version::Version;

/// `sha256:…` of a text.
pub(super) fn digest(text: &str) -> String {
    let sum = Sha256::digest(text.as_bytes());
    sum.iter()
        .fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// The checksum of a release's values, `status.history[].configDigest` and `status.lastAttemptedConfigDigest`.
pub fn config_digest(values: &Values) -> String {
    match values.is_empty() {
        true => digest(""),
        false => digest(&kube_yaml::to_go_string(&go_json::sorted(&Value::Object(
            values.clone(),
        )))),
    }
}

/// What helm-controller makes of a chart's version and the revision of the OCIRepository that it comes from, such as
/// `1.2.3@sha256:…`: the version that it records, which names the artifact, and the artifact's digest.
///
/// # Errors
/// Says what does not fit.
pub fn version_of_artifact(version: &str, revision: &str) -> Result<(String, String), String> {
    let own = Version::parse(version).ok_or_else(|| format!("the chart's version {version} is none"))?;
    let unfit = || format!("the artifact's revision {revision} does not fit the chart's version {version}");
    let tag = revision.split_once('@').map(|(tag, _)| tag.replace('_', "+"));
    let tag = tag.and_then(|tag| Version::parse(&tag));
    let artifact = match (tag, revision.split_once('@')) {
        (Some(tag), Some((_, artifact))) if tag.compare(&own).is_eq() => artifact,
        (Some(_), _) => return Err(unfit()),
        // As the controller: of any other revision, all of it.
        (None, _) => revision,
    };
    let (_, sum) = artifact
        .split_once(':')
        .filter(|(_, sum)| !sum.contains(':'))
        .ok_or_else(unfit)?;
    let short = sum.get(..12).ok_or_else(unfit)?;
    Ok((own.with_metadata(short).to_string(), artifact.to_owned()))
}

/// An entry of `status.history`.
pub fn snapshot(record: &Record, oci_digest: Option<&str>) -> Value {
    let release = &record.release;
    let metadata = &release["chart"]["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let config = release
        .get("config")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let mut snapshot = json!({
        "apiVersion": "v2",
        "digest": digest(&observed(release, oci_digest)),
        "name": release["name"],
        "namespace": release["namespace"],
        "version": release["version"],
        "status": release["info"]["status"],
        "action": "install",
        "chartName": metadata["name"],
        "chartVersion": metadata["version"],
        "appVersion": text(&metadata["appVersion"]),
        "configDigest": config_digest(&config),
        "firstDeployed": release["info"]["first_deployed"],
        "lastDeployed": release["info"]["last_deployed"],
        "ociDigest": oci_digest.unwrap_or_default(),
    });
    if let Some(snapshot) = snapshot.as_object_mut() {
        snapshot.retain(|_, value| value != "");
    }
    snapshot
}

/// The text that the controller takes the checksum of: the release as it reads it, less the chart's content and hooks that are tests.
fn observed(release: &Map<String, Value>, oci_digest: Option<&str>) -> String {
    let is_test = |hook: &Value| {
        let mut events = hook["events"].as_array().into_iter().flatten();
        events.any(|event| event == "test")
    };
    let hooks = release.get("hooks").and_then(Value::as_array);
    let hooks: Vec<Value> = hooks
        .into_iter()
        .flatten()
        .filter(|hook| !is_test(hook))
        .cloned()
        .collect();
    let get = |key: &str| release.get(key).cloned().unwrap_or_default();
    let mut observed = json!({
        "name": get("name"),
        "version": get("version"),
        "info": get("info"),
        "chartMetadata": release["chart"]["metadata"],
        "config": get("config"),
        "manifest": release.get("manifest").and_then(Value::as_str).unwrap_or_default(),
        "hooks": Some(hooks).filter(|hooks| !hooks.is_empty()),
        "namespace": get("namespace"),
    });
    if let (Some(observed), Some(digest)) = (observed.as_object_mut(), oci_digest) {
        observed.insert("ociDigest".to_owned(), digest.into());
    }
    // Go's encoder ends with a line feed.
    format!("{}\n", go_json::encode(&observed))
}

/// A HelmRelease's status that tells of another record of its release, and else what this one does.
pub(super) fn status_like(told: &Value, record: &Record) -> Value {
    let text = |key: &str| told[key].as_str().filter(|text| !text.is_empty());
    let oci_digest = text("lastAttemptedRevisionDigest");
    let mut status = status(record, text("storageNamespace").unwrap_or_default(), 0, oci_digest);
    for key in OBSERVED {
        if let Some(digest) = told.get(key) {
            status[key] = digest.clone();
        }
    }
    status
}

/// A HelmRelease's status after refloat installed its release: `generation` is that of the HelmRelease.
pub fn status(record: &Record, storage_namespace: &str, generation: i64, oci_digest: Option<&str>) -> Value {
    let snapshot = snapshot(record, oci_digest);
    let text = |key: &str| snapshot[key].as_str().unwrap_or_default().to_owned();
    let message = format!(
        "Helm install succeeded for release {}/{}.v1 with chart {}@{}",
        text("namespace"),
        text("name"),
        text("chartName"),
        text("chartVersion")
    );
    let condition = |kind: &str| {
        json!({
            "type": kind,
            "status": "True",
            "reason": "InstallSucceeded",
            "message": message,
            "lastTransitionTime": snapshot["lastDeployed"],
            "observedGeneration": generation,
        })
    };
    let mut status = json!({
        "observedGeneration": generation,
        "conditions": [condition("Ready"), condition("Released")],
        "storageNamespace": storage_namespace,
        "lastAttemptedGeneration": generation,
        "lastAttemptedReleaseAction": "install",
        "lastAttemptedRevision": snapshot["chartVersion"],
        "lastAttemptedRevisionDigest": oci_digest.unwrap_or_default(),
        "lastAttemptedConfigDigest": snapshot["configDigest"],
        "history": [snapshot],
    });
    if let Some(status) = status.as_object_mut() {
        status.retain(|_, value| value != "");
    }
    status
}
