//! A request that changed an object, as the audit log has it; never values.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::tools::{self, By};
use crate::object::{child, keys_of, label};

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

    /// Whether its body touched a field or something in it.
    pub(super) fn touches(&self, path: &str) -> Touches {
        let Some(touched) = &self.touched else {
            return Touches::Unknown;
        };
        let within = |inner: &str, outer: &str| {
            let rest = inner.strip_prefix(outer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let surely = |sent: &String| match sent.strip_suffix(LIST) {
            Some(list) => list == path,
            None => within(path, sent),
        };
        let perhaps = |sent: &String| {
            let sent = sent.strip_suffix(LIST).unwrap_or(sent);
            within(path, sent) || within(sent, path)
        };
        if touched.iter().any(surely) {
            Touches::Surely
        } else if touched.iter().any(perhaps) {
            Touches::Perhaps
        } else {
            Touches::Not
        }
    }
}

/// Whether a request touched a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touches {
    /// It names the field, or all that is around it.
    Surely,
    /// It names something in it; or a list that it is in, and which elements it meant is not known: by position, or all.
    Perhaps,
    /// Its body is not known, or is a whole object.
    Unknown,
    /// It is about other fields.
    Not,
}

/// What ends the path of a list, of whose elements any may be meant.
const LIST: &str = "[]";

/// The paths of what a request's body sets or, in a merge patch, removes; of a JSON patch, its paths. Printed as those of
/// drift are, so that keys with dots are told from ways; a list that it holds is there with `[]` behind it. Never values, but
/// for the names of a list's elements.
pub(super) fn fields(body: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    match body {
        Value::Array(operations) => {
            for operation in operations.iter().filter(|operation| operation["op"] != "test") {
                let from = operation["from"].as_str().filter(|_| operation["op"] == "move");
                let paths = operation["path"].as_str().into_iter().chain(from);
                paths.for_each(|pointer| pointed(pointer, &mut found));
            }
        }
        _ => walk(body, "", 0, &mut found),
    }
    found
}

/// A JSON pointer: a number may be a key or a position.
fn pointed(pointer: &str, found: &mut BTreeSet<String>) {
    let mut path = String::new();
    for token in pointer.split('/').skip(1) {
        if token == "-" || token.bytes().all(|byte| byte.is_ascii_digit()) {
            found.insert(format!("{path}{LIST}"));
        }
        path = child(&path, &token.replace("~1", "/").replace("~0", "~"));
    }
    found.insert(path);
}

fn walk(value: &Value, path: &str, depth: usize, found: &mut BTreeSet<String>) {
    match value {
        _ if found.len() >= FIELDS => {}
        // Directives of a strategic merge patch that mean all that is beside them.
        Value::Object(map) if map.contains_key("$patch") || map.contains_key("$retainKeys") => {
            found.insert(path.to_owned());
        }
        Value::Object(map) if depth < DEPTH && !map.is_empty() => {
            for (key, value) in map {
                match key.strip_prefix('$').and_then(|directive| directive.split_once('/')) {
                    Some(("deleteFromPrimitiveList", list)) => _ = found.insert(format!("{}{LIST}", child(path, list))),
                    // The order only.
                    Some(_) => {}
                    None => walk(value, &child(path, key), depth + 1, found),
                }
            }
        }
        Value::Array(list) if depth < DEPTH => {
            found.insert(format!("{path}{LIST}"));
            for (keys, element) in keys_of(list)
                .into_iter()
                .flat_map(|keys| list.iter().map(move |one| (keys, one)))
            {
                walk(element, &format!("{path}[{}]", label(element, keys)), depth + 1, found);
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

    fn sent(body: &Value) -> Vec<String> {
        fields(body).into_iter().collect()
    }

    #[test]
    fn json_patches_are_read_by_their_paths() {
        let patch = json!([{"op": "remove", "path": "/metadata/labels/a~1b"}, {"op": "test", "path": "/spec/x"},
            {"op": "move", "path": "/data/new", "from": "/data/old"}, {"op": "remove", "path": "/spec/l/0/a"}]);
        assert_eq!(
            sent(&patch),
            [
                ".data.new",
                ".data.old",
                ".metadata.labels[a/b]",
                ".spec.l.0.a",
                ".spec.l[]"
            ]
        );
    }

    #[test]
    fn merge_patches_are_read_by_what_they_hold() {
        let patch = json!({"metadata": {"annotations": {"a.b/c": null, "d": "1"}}, "spec": {"strategy": {"$retainKeys": ["type"], "type": "x"},
            "$setElementOrder/list": [], "$deleteFromPrimitiveList/args": ["x"],
            "list": [{"name": "a", "env": [{"name": "E", "$patch": "delete"}]}]}});
        assert_eq!(
            sent(&patch),
            [
                ".metadata.annotations.d",
                ".metadata.annotations[a.b/c]",
                ".spec.args[]",
                ".spec.list[]",
                ".spec.list[name=a].env[]",
                ".spec.list[name=a].env[name=E]",
                ".spec.list[name=a].name",
                ".spec.strategy"
            ]
        );
    }
}
