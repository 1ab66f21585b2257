//! What the credentials do not allow, asked before the first write.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::Cluster;
use super::wire::{Ask, JSON, Trouble};
use crate::object::{Denied, FactGap, GroupKind, ObjectId, ServedKinds};

const PATH: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const RBAC: &str = "rbac.authorization.k8s.io";
/// What restoring needs: written by server-side apply or create, watched until ready.
const VERBS: &[&str] = &["create", "get", "list", "patch", "watch"];
/// RBAC objects grant rights, and the server lets nobody grant what they have not, unless they may do this.
/// (declared kind, verb, on kind, its plural)
const GRANTING: &[(&str, &str, &str, &str)] = &[
    ("Role", "escalate", "Role", "roles"),
    ("ClusterRole", "escalate", "ClusterRole", "clusterroles"),
    ("RoleBinding", "bind", "Role", "roles"),
    ("RoleBinding", "bind", "ClusterRole", "clusterroles"),
    ("ClusterRoleBinding", "bind", "ClusterRole", "clusterroles"),
];

/// One question to the server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    denied: Denied,
    plural: String,
}

impl Cluster {
    /// Which rights on these objects are lacking; asks as few questions as the answers allow.
    pub(super) async fn denied<'a>(
        &self,
        ids: impl Iterator<Item = &'a ObjectId>,
        kinds: &ServedKinds,
    ) -> (Vec<Denied>, Vec<FactGap>) {
        // An administrator may do everything: one question.
        match self.allowed("*", "*", "*", None).await {
            Ok(true) => return (Vec::new(), Vec::new()),
            Ok(false) => {}
            Err(trouble) => return (Vec::new(), vec![gap(&trouble)]),
        }
        let wanted = wanted(ids, kinds);
        let everywhere: BTreeSet<Question> = wanted.keys().cloned().collect();
        let (not_everywhere, mut gaps) = self.ask_all(everywhere).await;
        let mut denied = Vec::new();
        let mut within = BTreeSet::new();
        for question in not_everywhere {
            let namespaces = &wanted[&question];
            if namespaces.is_empty() {
                denied.push(question.denied);
                continue;
            }
            within.extend(namespaces.iter().map(|namespace| Question {
                denied: Denied {
                    namespace: Some(namespace.clone()),
                    ..question.denied.clone()
                },
                plural: question.plural.clone(),
            }));
        }
        let (lacking, more) = self.ask_all(within).await;
        denied.extend(lacking.into_iter().map(|question| question.denied));
        gaps.extend(more);
        denied.sort();
        (denied, gaps)
    }

    /// Those that are answered with no.
    async fn ask_all(&self, questions: BTreeSet<Question>) -> (Vec<Question>, Vec<FactGap>) {
        let answers = stream::iter(questions).map(|question| async move {
            let denied = &question.denied;
            let namespace = denied.namespace.as_deref();
            let answer = self
                .allowed(&denied.verb, &denied.kind.group, &question.plural, namespace)
                .await;
            (question, answer)
        });
        let answers: Vec<_> = answers.buffered(self.in_flight()).collect().await;
        let (mut lacking, mut gaps) = (Vec::new(), Vec::new());
        for (question, answer) in answers {
            match answer {
                Ok(true) => {}
                Ok(false) => lacking.push(question),
                Err(trouble) => gaps.push(gap(&trouble)),
            }
        }
        gaps.dedup();
        (lacking, gaps)
    }

    async fn allowed(&self, verb: &str, group: &str, plural: &str, namespace: Option<&str>) -> Result<bool, Trouble> {
        #[derive(Deserialize)]
        struct Review {
            status: Status,
        }
        #[derive(Deserialize)]
        struct Status {
            allowed: bool,
        }
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "verb": verb,
                "group": group,
                "resource": plural,
                "namespace": namespace.unwrap_or_default(),
            }},
        });
        let ask = Ask::with(Method::POST, PATH, JSON, body.to_string());
        Ok(self.read::<Review>(&ask).await?.status.allowed)
    }
}

fn gap(trouble: &Trouble) -> FactGap {
    FactGap {
        what: "permissions (SelfSubjectAccessReview)".to_owned(),
        reason: trouble.to_string(),
    }
}

/// What is needed, and in which namespaces; none for cluster-scoped kinds. Kinds that are not served yet cannot be asked about.
fn wanted<'a>(ids: impl Iterator<Item = &'a ObjectId>, kinds: &ServedKinds) -> BTreeMap<Question, BTreeSet<String>> {
    let mut wanted: BTreeMap<Question, BTreeSet<String>> = BTreeMap::new();
    let mut want = |verb: &str, kind: GroupKind, plural: &str, namespace: Option<&String>| {
        let denied = Denied {
            verb: verb.to_owned(),
            kind,
            namespace: None,
        };
        let question = Question {
            denied,
            plural: plural.to_owned(),
        };
        wanted.entry(question).or_default().extend(namespace.cloned());
    };
    for id in ids {
        let kind = id.group_kind();
        let Some(served) = kinds.get(&kind) else { continue };
        for verb in VERBS {
            if !served.watchable && matches!(*verb, "list" | "watch") {
                continue;
            }
            want(verb, kind.clone(), &served.plural, id.namespace.as_ref());
        }
        for (_, verb, on, plural) in GRANTING.iter().filter(|(name, ..)| id.is(RBAC, name)) {
            want(verb, GroupKind::new(RBAC, *on), plural, id.namespace.as_ref());
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Scope, ServedKind};

    #[test]
    fn questions_are_asked_once_and_granting_is_asked_too() {
        let kind = |group: &str, name: &str, plural: &str| {
            let kind = GroupKind::new(group, name);
            let served = ServedKind {
                kind: kind.clone(),
                plural: plural.to_owned(),
                scope: Scope::Namespaced,
                versions: vec!["v1".to_owned()],
                watchable: true,
            };
            (kind, served)
        };
        let mut all = vec![kind("", "ConfigMap", "configmaps")];
        for (name, ..) in GRANTING {
            all.push(kind(RBAC, name, &format!("{}s", name.to_lowercase())));
        }
        let kinds = ServedKinds(all.into_iter().collect());
        let ids = [
            ObjectId::new("", "ConfigMap", Some("a"), "x"),
            ObjectId::new("", "ConfigMap", Some("a"), "y"),
            ObjectId::new("", "ConfigMap", Some("b"), "x"),
            ObjectId::new("no", "Such", None, "x"),
        ];
        let found = wanted(ids.iter(), &kinds);
        assert_eq!(found.len(), VERBS.len());
        assert!(found.values().all(|namespaces| namespaces.len() == 2));
        for (name, verb, on, plural) in GRANTING {
            let ids = [ObjectId::new(RBAC, *name, Some("a"), "x")];
            let found = wanted(ids.iter(), &kinds);
            let asked = |question: &Question| {
                question.denied.verb == *verb && question.denied.kind.kind == *on && question.plural == *plural
            };
            assert!(found.keys().any(asked), "{name} {on}");
        }
    }
}
