//! Who an object is: group, kind, namespace, name; never the version.

use std::fmt;

use crate::error::printable;

/// The group in an `apiVersion` (`apps/v1`, `v1`); empty for the core group.
pub fn api_group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// An API group and a kind, without version. The core group is the empty string.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKind {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind in CamelCase.
    pub kind: String,
}

impl GroupKind {
    /// A group and a kind.
    pub fn new(group: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            kind: kind.into(),
        }
    }
}

impl fmt::Display for GroupKind {
    /// `Deployment.apps`, or `Secret` for the core group.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.kind))?;
        if !self.group.is_empty() {
            write!(f, ".{}", printable(&self.group))?;
        }
        Ok(())
    }
}

/// The identity of an object. Sorts by group, kind, namespace, name.
///
/// The same object served in two versions has one identity. `namespace` is `None` for cluster-scoped objects and, before
/// scopes are resolved, for namespaced objects whose manifest names none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind in CamelCase.
    pub kind: String,
    /// Namespace; `None` for cluster-scoped objects.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl ObjectId {
    /// An identity from its parts.
    pub fn new(
        group: impl Into<String>,
        kind: impl Into<String>,
        namespace: Option<&str>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            group: group.into(),
            kind: kind.into(),
            namespace: namespace.map(str::to_owned),
            name: name.into(),
        }
    }

    /// The group and kind of the object.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind::new(&*self.group, &*self.kind)
    }

    /// Whether group and kind are these.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }

    /// The name of a ConfigMap or Secret without the hash that Kustomize's generators append, if there is one: ten characters of their
    /// alphabet.
    pub fn without_hash(&self) -> Option<&str> {
        if !(self.is("", "ConfigMap") || self.is("", "Secret")) {
            return None;
        }
        let (base, hash) = self.name.rsplit_once('-')?;
        let of_the_alphabet = |byte: u8| b"2456789bcdfghkmt".contains(&byte);
        (hash.len() == 10 && hash.bytes().all(of_the_alphabet)).then_some(base)
    }

    /// `Deployment.apps/shop/checkout`: with the group, for where a kind alone could be mistaken.
    pub fn with_group(&self) -> String {
        let kind = self.group_kind();
        match &self.namespace {
            Some(namespace) => format!("{kind}/{}/{}", printable(namespace), printable(&self.name)),
            None => format!("{kind}/{}", printable(&self.name)),
        }
    }

    /// Whether a term of `--only` and `--except` fits: `namespace=NAME`, `kind=KIND[.group]`, `label=KEY[=VALUE]`, what
    /// [`is_named_by`](Self::is_named_by) takes, or a namespace as a bare word. `label` gives the value of one.
    pub fn fits<'l>(&self, term: &str, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        let namespace =
            |name: &str| self.namespace.as_deref() == Some(name) || self.is("", "Namespace") && self.name == name;
        match term.split_once('=') {
            Some(("namespace", name)) => namespace(name),
            Some(("kind", kind)) => match kind.split_once('.') {
                Some((kind, group)) => kind.eq_ignore_ascii_case(&self.kind) && group == self.group,
                None => kind.eq_ignore_ascii_case(&self.kind),
            },
            Some(("label", wanted)) => match wanted.split_once('=') {
                Some((key, value)) => label(key) == Some(value),
                None => label(wanted).is_some(),
            },
            _ if term.contains('/') => self.is_named_by(term),
            _ => namespace(term),
        }
    }

    /// Whether `text` names this object: `Kind/name`, `Kind/namespace/name`, either with `Kind.group`; the kind in any case.
    pub fn is_named_by(&self, text: &str) -> bool {
        let Some((kind, rest)) = text.split_once('/') else {
            return false;
        };
        let (kind, group) = match kind.split_once('.') {
            Some((kind, group)) => (kind, Some(group)),
            None => (kind, None),
        };
        if !kind.eq_ignore_ascii_case(&self.kind) || group.is_some_and(|g| g != self.group) {
            return false;
        }
        match rest.split_once('/') {
            Some((namespace, name)) => self.namespace.as_deref() == Some(namespace) && self.name == name,
            None => self.name == rest,
        }
    }
}

impl fmt::Display for ObjectId {
    /// `Deployment/shop/checkout`, or `Namespace/shop` for cluster-scoped objects.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.kind))?;
        if let Some(namespace) = &self.namespace {
            write!(f, "/{}", printable(namespace))?;
        }
        write!(f, "/{}", printable(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_people_write_it() {
        let id = ObjectId::new("apps", "Deployment", Some("shop"), "checkout");
        assert_eq!(id.to_string(), "Deployment/shop/checkout");
        assert_eq!(id.with_group(), "Deployment.apps/shop/checkout");
        assert_eq!(
            ObjectId::new("", "Namespace", None, "shop").to_string(),
            "Namespace/shop"
        );
    }

    #[test]
    fn is_named_by_every_spelling() {
        let id = ObjectId::new("apps", "Deployment", Some("shop"), "checkout");
        for text in [
            "Deployment/shop/checkout",
            "deployment/checkout",
            "Deployment.apps/shop/checkout",
        ] {
            assert!(id.is_named_by(text), "{text}");
        }
        for text in [
            "Deployment",
            "Deployment.batch/shop/checkout",
            "Deployment/web/checkout",
            "Service/checkout",
        ] {
            assert!(!id.is_named_by(text), "{text}");
        }
    }
}
