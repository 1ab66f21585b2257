//! Which kinds the server serves.
//!
//! One broken APIService must not hide the rest: kube's own discovery fails as a whole or drops the stale groups in
//! silence, so the answers are read here.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use serde::Deserialize;

use super::wire::{Ask, Trouble, null_is_default};
use super::{Cluster, endpoint::segment};
use crate::object::{FactGap, GroupKind, Scope, ServedKind, ServedKinds};

/// Aggregated discovery: v2 (Kubernetes 1.30), v2beta1 (1.26); the last is what older servers answer.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// Either answer to `/api` and `/apis`.
#[derive(Deserialize)]
#[serde(tag = "kind")]
enum Root {
    #[serde(rename = "APIGroupDiscoveryList")]
    Aggregated {
        #[serde(default)]
        items: Vec<Group>,
    },
    #[serde(rename = "APIGroupList")]
    Groups {
        #[serde(default, deserialize_with = "null_is_default")]
        groups: Vec<OldGroup>,
    },
    #[serde(rename = "APIVersions")]
    Core {
        #[serde(default, deserialize_with = "null_is_default")]
        versions: Vec<String>,
    },
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: Named,
    #[serde(default, deserialize_with = "null_is_default")]
    versions: Vec<Version>,
}

#[derive(Deserialize, Default)]
struct Named {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Version {
    version: String,
    #[serde(default)]
    freshness: String,
    #[serde(default, deserialize_with = "null_is_default")]
    resources: Vec<Served>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Served {
    resource: String,
    response_kind: Option<Kind>,
    #[serde(default)]
    scope: String,
    #[serde(default, deserialize_with = "null_is_default")]
    verbs: Vec<String>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldGroup {
    name: String,
    versions: Vec<OldVersion>,
    preferred_version: Option<OldVersion>,
}

#[derive(Deserialize)]
struct OldVersion {
    version: String,
}

#[derive(Deserialize)]
struct OldList {
    #[serde(default, deserialize_with = "null_is_default")]
    resources: Vec<OldServed>,
}

#[derive(Deserialize)]
struct OldServed {
    name: String,
    kind: String,
    namespaced: bool,
    #[serde(default, deserialize_with = "null_is_default")]
    verbs: Vec<String>,
}

/// What is collected on the way.
#[derive(Default)]
pub(super) struct Found {
    pub kinds: BTreeMap<GroupKind, ServedKind>,
    /// Kinds of which objects can be listed and changed, each with the first version in which, in the server's order of groups.
    pub listable: Vec<(GroupKind, String)>,
    pub gaps: Vec<FactGap>,
}

impl Found {
    /// Takes one kind in one version. The first resource of a kind names it; versions are added in the order they come.
    fn add(&mut self, group: &str, version: &str, kind: &str, plural: &str, scope: Scope, verbs: &[String]) {
        if kind.is_empty() || plural.contains('/') {
            return;
        }
        let kind = GroupKind::new(group, kind);
        let served = self.kinds.entry(kind.clone()).or_insert_with(|| ServedKind {
            kind,
            plural: plural.to_owned(),
            scope,
            versions: Vec::new(),
            watchable: false,
        });
        if served.plural != plural {
            return;
        }
        if !served.versions.iter().any(|known| known == version) {
            served.versions.push(version.to_owned());
        }
        let has = |verb: &str| verbs.iter().any(|known| known == verb);
        served.watchable |= has("list") && has("watch");
        // What can only be read (metrics, the health of parts) is computed, not kept.
        let kept = ["create", "update", "patch", "delete"].into_iter().any(has);
        if has("list") && kept && !self.listable.iter().any(|(known, _)| *known == served.kind) {
            self.listable.push((served.kind.clone(), version.to_owned()));
        }
    }

    fn gap(&mut self, group: &str, version: &str, reason: String) {
        let what = if group.is_empty() {
            version.to_owned()
        } else {
            format!("{group}/{version}")
        };
        self.gaps.push(FactGap {
            what: format!("API group {what}"),
            reason,
        });
    }
}

impl Cluster {
    /// Every kind served, in every version, and the API groups that could not be asked.
    ///
    /// # Errors
    /// Neither `/api` nor `/apis` could be read: why.
    pub async fn discover(&self) -> Result<(ServedKinds, Vec<FactGap>), crate::error::Failure> {
        let found = self.served().await?;
        Ok((ServedKinds(found.kinds), found.gaps))
    }

    /// Likewise, with what can be listed.
    pub(super) async fn served(&self) -> Result<Found, crate::error::Failure> {
        let (core, groups) = tokio::join!(self.root("/api"), self.root("/apis"));
        let mut found = Found::default();
        for (path, root) in [("/api", core), ("/apis", groups)] {
            match root {
                Ok(root) => self.collect(root, &mut found).await,
                // Without the core group nothing can be said; without the others much is still possible.
                Err(trouble) if path == "/api" => {
                    return Err(crate::error::Failure::new(
                        crate::error::Kind::Cluster,
                        "the cluster does not say which kinds it serves",
                    )
                    .because(format!("GET {path}: {trouble}")));
                }
                Err(trouble) => found.gaps.push(FactGap {
                    what: "API groups".to_owned(),
                    reason: trouble.to_string(),
                }),
            }
        }
        found.gaps.sort();
        Ok(found)
    }

    async fn root(&self, path: &str) -> Result<Root, Trouble> {
        self.read(&Ask::get(path).accept(AGGREGATED)).await
    }

    async fn collect(&self, root: Root, found: &mut Found) {
        match root {
            Root::Aggregated { items } => {
                for group in items {
                    for version in &group.versions {
                        self.collect_version(&group.metadata.name, version, found).await;
                    }
                }
            }
            Root::Groups { groups } => {
                let mut asks = Vec::new();
                for group in groups {
                    let preferred = group.preferred_version.map(|version| version.version);
                    let mut versions: Vec<String> = group.versions.into_iter().map(|version| version.version).collect();
                    // Stable: the preferred one first, the rest as the server orders them.
                    versions.sort_by_key(|version| Some(version) != preferred.as_ref());
                    asks.extend(versions.into_iter().map(|version| (group.name.clone(), version)));
                }
                self.collect_old(asks, found).await;
            }
            Root::Core { versions } => {
                let asks = versions.into_iter().map(|version| (String::new(), version)).collect();
                self.collect_old(asks, found).await;
            }
        }
    }

    async fn collect_version(&self, group: &str, version: &Version, found: &mut Found) {
        if version.freshness == "Stale" {
            let reason = self.why_stale(group, &version.version).await;
            found.gap(group, &version.version, reason);
        }
        for served in &version.resources {
            let scope = if served.scope == "Namespaced" {
                Scope::Namespaced
            } else {
                Scope::Cluster
            };
            let kind = served.response_kind.as_ref().map_or("", |kind| &kind.kind);
            found.add(group, &version.version, kind, &served.resource, scope, &served.verbs);
        }
    }

    /// What the APIService says about itself.
    async fn why_stale(&self, group: &str, version: &str) -> String {
        let path = format!(
            "/apis/apiregistration.k8s.io/v1/apiservices/{}.{}",
            segment(version),
            segment(group)
        );
        let said = self
            .read::<serde_json::Value>(&Ask::get(path))
            .await
            .ok()
            .and_then(|service| {
                let conditions = service.pointer("/status/conditions")?.as_array()?;
                let available = conditions.iter().find(|condition| condition["type"] == "Available")?;
                Some(available.get("message")?.as_str()?.to_owned())
            });
        said.filter(|text| !text.is_empty())
            .unwrap_or_else(|| "its APIService does not answer".to_owned())
    }

    /// Servers before 1.26, and those that ignore the Accept header: one request a group and version.
    async fn collect_old(&self, asks: Vec<(String, String)>, found: &mut Found) {
        let answers = stream::iter(asks).map(|(group, version)| async move {
            let path = if group.is_empty() {
                format!("/api/{}", segment(&version))
            } else {
                format!("/apis/{}/{}", segment(&group), segment(&version))
            };
            let list = self.read::<OldList>(&Ask::get(path)).await;
            (group, version, list)
        });
        let answers: Vec<_> = answers.buffered(self.in_flight()).collect().await;
        for (group, version, list) in answers {
            match list {
                Ok(list) => {
                    for served in &list.resources {
                        let scope = if served.namespaced {
                            Scope::Namespaced
                        } else {
                            Scope::Cluster
                        };
                        found.add(&group, &version, &served.kind, &served.name, scope, &served.verbs);
                    }
                }
                Err(trouble) => found.gap(&group, &version, trouble.to_string()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_one_across_versions_and_without_subresources() {
        let mut found = Found::default();
        let verbs = ["list".to_owned(), "watch".to_owned()];
        found.add("apps", "v1", "Deployment", "deployments", Scope::Namespaced, &verbs);
        found.add("apps", "v1", "Scale", "deployments/scale", Scope::Namespaced, &[]);
        found.add(
            "apps",
            "v1beta1",
            "Deployment",
            "deployments",
            Scope::Namespaced,
            &verbs,
        );
        found.add("apps", "v1", "", "orphans", Scope::Cluster, &verbs);
        assert!(found.listable.is_empty(), "because nothing can be changed");
        let all = ["list", "watch", "delete"].map(str::to_owned);
        found.add("apps", "v1beta1", "Deployment", "deployments", Scope::Namespaced, &all);
        assert_eq!(
            found.listable,
            [(GroupKind::new("apps", "Deployment"), "v1beta1".to_owned())]
        );
        found.add(
            "",
            "v1",
            "Binding",
            "bindings",
            Scope::Namespaced,
            &["create".to_owned()],
        );
        let kinds: Vec<_> = found.kinds.values().collect();
        assert_eq!(kinds.len(), 2);
        assert!(!kinds[0].watchable, "because Binding has create only");
        assert_eq!(kinds[1].versions, ["v1", "v1beta1"]);
        assert!(kinds[1].watchable);
    }

    #[test]
    fn both_answers_are_told_apart() {
        let old = r#"{"kind":"APIGroupList","apiVersion":"v1","groups":null}"#;
        assert!(matches!(
            serde_json::from_str(old).expect("because older servers answer this"),
            Root::Groups { .. }
        ));
        let new = r#"{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","metadata":{},"items":[{"metadata":{"name":"apps","creationTimestamp":null},"versions":[{"version":"v1","resources":[{"resource":"x","responseKind":null,"scope":"Cluster","singularResource":"","verbs":null}],"freshness":"Current"}]}]}"#;
        assert!(matches!(
            serde_json::from_str(new).expect("because 1.30 answers this"),
            Root::Aggregated { .. }
        ));
    }
}
