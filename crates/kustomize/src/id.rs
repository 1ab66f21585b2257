//! Identities of objects, as kustomize compares them.

use serde_json::Value;

/// Group, version, kind, namespace and name of an object, borrowed from it. What an object lacks is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Id<'a> {
    pub group: &'a str,
    pub version: &'a str,
    pub kind: &'a str,
    /// As written; see [`Id::effective_namespace`].
    pub namespace: &'a str,
    pub name: &'a str,
    /// Whether the schema says that the kind is surely cluster-scoped.
    pub cluster_scoped: bool,
}

/// An [`Id`] that owns its parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct OwnedId {
    pub group: String,
    pub version: String,
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub cluster_scoped: bool,
}

/// What kustomize takes for the namespace of an object that has none.
const DEFAULT_NAMESPACE: &str = "default";

/// What kustomize takes for the namespace of a cluster-scoped object.
pub(crate) const NO_NAMESPACE: &str = "_non_namespaceable_";

impl<'a> Id<'a> {
    /// The namespace that counts in comparisons: a marker for cluster-scoped kinds, `default` where none is written.
    pub fn effective_namespace(self) -> &'a str {
        match self.namespace {
            _ if self.cluster_scoped => NO_NAMESPACE,
            "" => DEFAULT_NAMESPACE,
            namespace => namespace,
        }
    }

    /// Same group, version and kind.
    pub fn gvk_equals(self, other: Id<'_>) -> bool {
        self.kind == other.kind && self.version == other.version && self.group == other.group
    }

    /// Same group, version, kind and name.
    pub fn gvkn_equals(self, other: Id<'_>) -> bool {
        self.name == other.name && self.gvk_equals(other)
    }

    /// Same effective namespace.
    pub fn namespace_equals(self, other: Id<'_>) -> bool {
        self.effective_namespace() == other.effective_namespace()
    }

    /// Whether two identities are one to kustomize (its `ResId.Equals`).
    pub fn equals(self, other: Id<'_>) -> bool {
        self.gvkn_equals(other) && self.namespace_equals(other)
    }

    pub fn to_owned(self) -> OwnedId {
        OwnedId {
            group: self.group.to_owned(),
            version: self.version.to_owned(),
            kind: self.kind.to_owned(),
            namespace: self.namespace.to_owned(),
            name: self.name.to_owned(),
            cluster_scoped: self.cluster_scoped,
        }
    }
}

impl OwnedId {
    pub fn as_id(&self) -> Id<'_> {
        Id {
            group: &self.group,
            version: &self.version,
            kind: &self.kind,
            namespace: &self.namespace,
            name: &self.name,
            cluster_scoped: self.cluster_scoped,
        }
    }
}

/// As kustomize prints identities: `Deployment.v1.apps/web.shop`, with `[noGrp]`, `[noVer]`, `[noKind]`, `[noName]` and `[noNs]`
/// for what is empty.
impl std::fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        fn or<'t>(text: &'t str, none: &'t str) -> &'t str {
            if text.is_empty() { none } else { text }
        }
        write!(
            f,
            "{}.{}.{}/{}.{}",
            or(self.kind, "[noKind]"),
            or(self.version, "[noVer]"),
            or(self.group, "[noGrp]"),
            or(self.name, "[noName]"),
            or(self.namespace, "[noNs]")
        )
    }
}

/// `apps/v1` in two parts; a version alone is of the group `""`.
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// The text at a path of keys, or `""`.
pub(crate) fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    path.iter()
        .try_fold(value, |value, key| value.get(key))
        .and_then(Value::as_str)
        .unwrap_or_default()
}
