//! Webhook configurations, certificate requests, flow control.

use serde_json::{Value, json};

use super::{Edit, Object, Remark, default, rename};

/// Defaults that changed are written out; side effects must be said to be none.
pub(super) fn webhooks(object: &mut Object) -> Result<Remark, Edit> {
    let webhooks = object.get_mut("webhooks").and_then(Value::as_array_mut);
    for webhook in webhooks.into_iter().flatten().filter_map(Value::as_object_mut) {
        default(webhook, "failurePolicy", "Ignore");
        default(webhook, "matchPolicy", "Exact");
        default(webhook, "timeoutSeconds", 30);
        default(webhook, "admissionReviewVersions", json!(["v1beta1"]));
        let effects = webhook.get("sideEffects").and_then(Value::as_str);
        if !matches!(effects, Some("None" | "NoneOnDryRun")) {
            return Err(Edit(
                "whether its webhooks have side effects is not said, and v1 asks for it",
                "if they have none, set sideEffects: None for each webhook (NoneOnDryRun if none in a dry run) and apiVersion: admissionregistration.k8s.io/v1",
            ));
        }
    }
    Ok(None)
}

pub(super) fn signing_request(object: &mut Object) -> Result<Remark, Edit> {
    let spec = |key: &str| object.get("spec").and_then(|spec| spec.get(key));
    let signer = spec("signerName").and_then(Value::as_str);
    if matches!(signer, None | Some("kubernetes.io/legacy-unknown")) || spec("usages").is_none() {
        return Err(Edit(
            "v1 asks for a signer and for usages",
            "set spec.signerName and spec.usages, or delete this: a request is not part of a cluster's configuration",
        ));
    }
    Ok(None)
}

/// `assuredConcurrencyShares` became `nominalConcurrencyShares`; 0 stood for the default there and is a value of its own in v1.
pub(super) fn shares(object: &mut Object) -> Result<Remark, Edit> {
    let limited = object.get_mut("spec").and_then(|spec| spec.get_mut("limited"));
    if let Some(limited) = limited.and_then(Value::as_object_mut) {
        rename(limited, "assuredConcurrencyShares", "nominalConcurrencyShares");
        if limited.get("nominalConcurrencyShares") == Some(&json!(0)) {
            limited.shift_remove("nominalConcurrencyShares");
        }
    }
    Ok(None)
}
