//! What kustomize knows of kinds: which are cluster-scoped, and how their lists merge.

mod builtin;
mod custom;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::id::split_api_version;
use crate::trouble::{Outcome, Trouble};

/// The version of Kubernetes whose types are embedded.
const VERSION: &str = "v1.21.2";

/// A text of the embedded file, or of a custom document.
type Text = Cow<'static, str>;

/// The types of an API. kustomize 5.8.1 embeds those of Kubernetes 1.21.2; a kustomization's `openapi.path` replaces them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema {
    types: Vec<Type>,
    /// Definitions by name.
    names: HashMap<Text, usize>,
    /// Group versions of each kind.
    kinds: HashMap<Text, Vec<Known>>,
}

/// A distinct schema of an object, a list or a scalar.
#[derive(Debug, Clone, Default)]
struct Type {
    /// A list whose items merge: its `x-kubernetes-patch-strategy` has `merge`.
    merges: bool,
    /// What tells the items of such a list apart; none for a list of scalars.
    keys: Vec<Text>,
    /// The type of a list's items.
    items: Option<usize>,
    /// The type of values whose keys are not fixed.
    additional: Option<usize>,
    /// Types of the fields, sorted by name.
    fields: Vec<(Text, usize)>,
}

/// A reference that leads nowhere.
const NOWHERE: usize = usize::MAX;

/// A kind of one group and version.
#[derive(Debug, Clone)]
struct Known {
    group: Text,
    version: Text,
    /// Its schema, if there is one.
    at: Option<usize>,
    /// Whether its objects have a namespace, if that is known.
    namespaced: Option<bool>,
}

/// The type of a value, met on the way down from a kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'s> {
    schema: &'s Schema,
    it: &'s Type,
}

impl Schema {
    /// The embedded one.
    pub fn builtin() -> Arc<Schema> {
        static BUILTIN: OnceLock<Arc<Schema>> = OnceLock::new();
        Arc::clone(BUILTIN.get_or_init(|| Arc::new(builtin::read(builtin::TEXT))))
    }

    /// The embedded one of a version of Kubernetes, as `openapi.version` names it; there is but one. Empty for the default.
    ///
    /// # Errors
    ///
    /// For any other version.
    pub fn of_version(version: &str) -> Outcome<Arc<Schema>> {
        match version {
            "" | VERSION => Ok(Schema::builtin()),
            other => Err(Trouble::new(format!(
                "the OpenAPI version {other} is not built in, only {VERSION} is"
            ))),
        }
    }

    /// Whether it is known if objects of a kind have a namespace. Where kustomize meets a kind for which it is not before a base brings
    /// a document of its own, it has the embedded types loaded and keeps them under that document; see [`Schema::from_openapi`].
    pub fn knows_scope(&self, group: &str, version: &str, kind: &str) -> bool {
        self.known(group, version, kind)
            .is_some_and(|known| known.namespaced.is_some())
    }

    /// Whether a kind is surely cluster-scoped (a kind that is not known is not).
    pub fn is_cluster_scoped(&self, group: &str, version: &str, kind: &str) -> bool {
        self.known(group, version, kind).and_then(|known| known.namespaced) == Some(false)
    }

    /// The type of a kind.
    pub fn of_kind(&self, api_version: &str, kind: &str) -> Option<Node<'_>> {
        let (group, version) = split_api_version(api_version);
        self.node(self.known(group, version, kind)?.at?)
    }

    fn known(&self, group: &str, version: &str, kind: &str) -> Option<&Known> {
        let known = self.kinds.get(kind)?;
        known
            .iter()
            .find(|known| known.version == version && known.group == group)
    }

    fn node(&self, at: usize) -> Option<Node<'_>> {
        self.types.get(at).map(|it| Node { schema: self, it })
    }

    /// The entry of a kind, made when it is not there.
    fn known_mut(&mut self, group: Text, version: Text, kind: Text) -> Option<&mut Known> {
        let known = self.kinds.entry(kind).or_default();
        let at = known
            .iter()
            .position(|known| known.version == version && known.group == group);
        let at = at.unwrap_or_else(|| {
            known.push(Known {
                group,
                version,
                at: None,
                namespaced: None,
            });
            known.len() - 1
        });
        known.get_mut(at)
    }
}

impl<'s> Node<'s> {
    /// The type of a field; that of any value where the keys are not fixed.
    pub fn field(self, name: &str) -> Option<Node<'s>> {
        let found = self.it.fields.binary_search_by(|(field, _)| (**field).cmp(name));
        let at = match found {
            Ok(found) => self.it.fields.get(found)?.1,
            Err(_) => self.it.additional?,
        };
        self.schema.node(at)
    }

    /// The type of a list's items.
    pub fn elements(self) -> Option<Node<'s>> {
        self.schema.node(self.it.items?)
    }

    /// The keys by which the items of a list merge, empty for a list of scalars; `None` where the list is replaced as a whole.
    pub fn merge_keys(self) -> Option<&'s [Cow<'static, str>]> {
        self.it.merges.then_some(&*self.it.keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(api_version: &str, kind: &str, path: &[&str]) -> Option<String> {
        let schema = Schema::builtin();
        let mut node = schema.of_kind(api_version, kind).expect("a kind of Kubernetes");
        for name in path {
            node = if *name == "[]" {
                node.elements()?
            } else {
                node.field(name)?
            };
        }
        node.merge_keys().map(|keys| keys.join("+"))
    }

    #[test]
    fn lists_merge_by_the_keys_of_the_embedded_schema() {
        let pod = ["spec", "template", "spec"];
        let rows: [(&[&str], Option<&str>); 10] = [
            (&["containers"], Some("name")),
            (&["initContainers", "[]", "env"], Some("name")),
            (&["containers", "[]", "ports"], Some("containerPort+protocol")),
            (&["containers", "[]", "volumeMounts"], Some("mountPath")),
            (&["containers", "[]", "envFrom"], None),
            (&["containers", "[]", "args"], None),
            (&["volumes"], Some("name")),
            (&["topologySpreadConstraints"], Some("topologyKey+whenUnsatisfiable")),
            (&["tolerations"], None),
            (&["imagePullSecrets"], Some("name")),
        ];
        for (path, want) in rows {
            let path: Vec<&str> = pod.iter().chain(path).copied().collect();
            assert_eq!(keys("apps/v1", "Deployment", &path).as_deref(), want, "{path:?}");
        }
        assert_eq!(
            keys("v1", "Service", &["spec", "ports"]).as_deref(),
            Some("port+protocol")
        );
        assert_eq!(keys("v1", "Pod", &["metadata", "finalizers"]).as_deref(), Some(""));
        assert_eq!(keys("v1", "ServiceAccount", &["secrets"]).as_deref(), Some("name"));
    }

    #[test]
    fn scopes_are_those_of_the_embedded_schema() {
        let schema = Schema::builtin();
        let rows = [
            ("", "v1", "Namespace", true),
            ("", "v1", "Pod", false),
            ("", "v2", "Namespace", false),
            ("rbac.authorization.k8s.io", "v1", "ClusterRole", true),
            ("policy", "v1beta1", "PodSecurityPolicy", true),
            ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", true),
            ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy", false),
            ("example.org", "v1", "Cluster", false),
        ];
        for (group, version, kind, want) in rows {
            assert_eq!(schema.is_cluster_scoped(group, version, kind), want, "{kind}");
        }
        assert!(schema.knows_scope("", "v1", "Pod") && !schema.knows_scope("example.org", "v1", "Cluster"));
        assert!(Schema::of_version("v1.21.2").is_ok() && Schema::of_version("v1.20.4").is_err());
    }
}
