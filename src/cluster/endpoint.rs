//! Where the objects of one kind are found on the server.

use std::fmt::Write as _;

use serde_json::Value;

use crate::object::{GroupKind, ObjectId, Scope, ServedKind};

/// One kind in one version, with what its URLs are made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Group and kind.
    pub kind: GroupKind,
    /// Version to speak in.
    pub version: String,
    /// Plural resource name.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

impl Endpoint {
    /// From the parts that a plan's target has.
    pub fn new(kind: GroupKind, version: impl Into<String>, plural: impl Into<String>, scope: Scope) -> Self {
        Self {
            kind,
            version: version.into(),
            plural: plural.into(),
            namespaced: scope == Scope::Namespaced,
        }
    }

    /// A served kind in the version that the server prefers; `None` if no version is served.
    pub fn preferred(served: &ServedKind) -> Option<Self> {
        let version = served.versions.first()?;
        Some(Self::new(served.kind.clone(), version, &*served.plural, served.scope))
    }

    /// `secrets`, `deployments.apps`.
    pub fn name(&self) -> String {
        match self.kind.group.as_str() {
            "" => self.plural.clone(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// `v1`, `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.kind.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.kind.group, self.version)
        }
    }

    /// URL path of a collection: of one namespace, or of all.
    pub fn collection(&self, namespace: Option<&str>) -> String {
        let mut path = if self.kind.group.is_empty() {
            "/api".to_owned()
        } else {
            format!("/apis/{}", segment(&self.kind.group))
        };
        // Writing to a String cannot fail.
        let _ = write!(path, "/{}", segment(&self.version));
        if let (true, Some(namespace)) = (self.namespaced, namespace) {
            let _ = write!(path, "/namespaces/{}", segment(namespace));
        }
        let _ = write!(path, "/{}", segment(&self.plural));
        path
    }

    /// URL path of one object.
    pub fn object(&self, namespace: Option<&str>, name: &str) -> String {
        let mut path = self.collection(namespace);
        let _ = write!(path, "/{}", segment(name));
        path
    }

    /// Whether its objects are core Secrets.
    pub(super) fn is_secret(&self) -> bool {
        self.kind.group.is_empty() && self.kind.kind == "Secret"
    }

    /// Whether its objects are Namespaces.
    pub(super) fn is_namespaces(&self) -> bool {
        self.kind.group.is_empty() && self.kind.kind == "Namespace"
    }

    /// Puts apiVersion and kind into an object of a list: servers leave them out there.
    pub(super) fn complete(&self, value: &mut Value) {
        if let Value::Object(map) = value {
            map.insert("apiVersion".into(), self.api_version().into());
            map.insert("kind".into(), self.kind.kind.as_str().into());
        }
    }

    /// The identity of an object of this kind.
    pub fn id(&self, namespace: Option<&str>, name: &str) -> ObjectId {
        let namespace = namespace.filter(|text| self.namespaced && !text.is_empty());
        ObjectId::new(&*self.kind.group, &*self.kind.kind, namespace, name)
    }
}

/// One segment of a URL path or one value of a query, percent-encoded: names come from Git and may hold anything.
pub(super) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    // A segment of dots alone would be taken for a step in the tree.
    if out == "." || out == ".." {
        out = out.replace('.', "%2E");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        let pods = Endpoint::new(GroupKind::new("", "Pod"), "v1", "pods", Scope::Namespaced);
        assert_eq!(pods.collection(None), "/api/v1/pods");
        assert_eq!(pods.object(Some("shop"), "web"), "/api/v1/namespaces/shop/pods/web");
        let roles = Endpoint::new(
            GroupKind::new("rbac.authorization.k8s.io", "ClusterRole"),
            "v1",
            "clusterroles",
            Scope::Cluster,
        );
        assert_eq!(
            roles.object(None, "system:a b/../c"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:a%20b%2F..%2Fc"
        );
        assert_eq!(segment(".."), "%2E%2E");
    }
}
