//! A request that changed an object, as the audit log has it; never values.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::tools::{self, By};

/// How deep fields of a request are looked into.
const DEPTH: usize = 12;
/// How many fields of a request are kept.
pub(super) const FIELDS: usize = 100;

/// A request that changed an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: Arc<str>,
    /// Subresource, or empty.
    pub subresource: Arc<str>,
    /// Who sent it.
    pub user: Arc<str>,
    /// As whom, where it acted for somebody else.
    pub acting_as: Option<Arc<str>>,
    /// The address that the server saw.
    pub from: Option<Arc<str>>,
    /// Addresses that the client says it speaks for, as a proxy does; it may say what it likes.
    pub claimed: Option<Arc<str>>,
    /// When it was received, RFC 3339.
    pub time: String,
    /// Field manager: as given in the request, else as the server makes it of the user agent.
    pub manager: Arc<str>,
    /// The first word of the user agent.
    pub agent: Arc<str>,
    /// Whether it was a server-side apply.
    pub applies: bool,
    /// Whether it was about some objects of a collection only, which ones is not known.
    pub selective: bool,
    /// Paths of the fields that the request sent, where the log has the request's body and it is not a whole object.
    pub touched: Option<BTreeSet<String>>,
}

impl Request {
    /// `alice`, or `root as alice`.
    pub(super) fn who(&self) -> String {
        match &self.acting_as {
            Some(other) => format!("{} as {other}", self.user),
            None => self.user.to_string(),
        }
    }

    /// Whether Kubernetes itself or an operator sent it: what follows from other changes. Names of managers can be chosen and
    /// accounts of kube-system lent, so that a person stays one.
    pub(super) fn is_of_the_cluster(&self) -> bool {
        let user = self.acting_as.as_deref().unwrap_or(&self.user);
        let parts = ["system:kube-", "system:node:", "system:apiserver"];
        let by = self.tool().map(|tool| tool.by);
        parts.iter().any(|part| user.starts_with(part))
            || user.starts_with("system:serviceaccount:kube-system:") && by != Some(By::Hand)
            || user.starts_with("system:") && by == Some(By::Cluster)
    }

    /// Whether it deleted what it was about.
    pub(super) fn is_delete(&self) -> bool {
        matches!(&*self.verb, "delete" | "deletecollection")
    }

    /// The tool, by its manager.
    pub(super) fn tool(&self) -> Option<&'static tools::Tool> {
        let operation = if self.applies { "Apply" } else { "Update" };
        tools::of(&self.manager, operation, &self.subresource)
    }

    /// Whether its body touched a field or something in it, where that is known.
    pub(super) fn touches(&self, path: &str) -> Option<bool> {
        let touched = self.touched.as_ref()?;
        let plain = without_selectors(path);
        Some(touched.iter().any(|one| {
            let below =
                |long: &str, short: &str| long == short || long.strip_prefix(short).is_some_and(|r| r.starts_with('.'));
            below(&plain, one) || below(one, &plain)
        }))
    }
}

/// `.spec.containers[name=web].image` → `.spec.containers`: bodies list elements by position, or whole.
fn without_selectors(path: &str) -> String {
    path.split('[').next().unwrap_or_default().to_owned()
}

/// The paths of what a request's body sets or, in a merge patch, removes; of a JSON patch, its paths. Never values.
pub(super) fn fields(body: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    match body {
        Value::Array(operations) => {
            for path in operations.iter().filter_map(|operation| operation["path"].as_str()) {
                found.insert(path.replace('/', ".").replace("~1", "/").replace("~0", "~"));
            }
        }
        _ => walk(body, "", 0, &mut found),
    }
    found
}

fn walk(value: &Value, path: &str, depth: usize, found: &mut BTreeSet<String>) {
    match value {
        _ if found.len() >= FIELDS => {}
        Value::Object(map) if depth < DEPTH && !map.is_empty() => {
            for (key, value) in map {
                walk(value, &format!("{path}.{key}"), depth + 1, found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_patches_are_read_by_their_paths() {
        let paths = fields(&json!([{"op": "remove", "path": "/metadata/labels/a~1b"}]));
        assert_eq!(paths.into_iter().collect::<Vec<_>>(), [".metadata.labels.a/b"]);
    }
}
