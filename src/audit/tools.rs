//! From the name of a field manager to the tool: the table `managers.yaml`, read once.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::glob::fits;
use crate::object::{LiveObject, Manager, ObjectId};

/// Who is behind a manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum By {
    /// A person with a tool.
    Hand,
    /// A deployer.
    Engine,
    /// Kubernetes or an operator.
    Cluster,
}

/// A row of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tool {
    manager: String,
    operation: Option<String>,
    subresource: Option<String>,
    /// As people call it.
    pub tool: String,
    /// Who is behind it.
    pub by: By,
    /// By hand: programs write under this name too, operators among them.
    #[serde(default)]
    shared: bool,
    /// How the name comes about.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the table gives it for those who read the table")
    )]
    reason: String,
}

impl Tool {
    /// Whether only a person writes under its name.
    pub(super) fn is_of_people_only(&self) -> bool {
        self.by == By::Hand && !self.shared
    }
}

/// The row for a manager.
pub(super) fn of(manager: &str, operation: &str, subresource: &str) -> Option<&'static Tool> {
    let table = table();
    let fitting = |rows: &[usize], by_name: bool| {
        rows.iter().copied().find(|index| {
            let row = &table.rows[*index];
            (by_name || fits(&row.manager, manager))
                && row.operation.as_deref().is_none_or(|one| one == operation)
                && row.subresource.as_deref().is_none_or(|one| one == subresource)
        })
    };
    let named = table.by_name.get(manager).and_then(|rows| fitting(rows, true));
    // The first row that fits: patterns of later rows need not be tried.
    let earlier = table
        .patterns
        .partition_point(|index| named.is_none_or(|named| *index < named));
    let first = fitting(&table.patterns[..earlier], false).or(named);
    first.map(|index| &table.rows[index])
}

/// The row for an entry of `managedFields`.
pub(super) fn of_manager(manager: &Manager) -> Option<&'static Tool> {
    of(&manager.name, &manager.operation, &manager.subresource)
}

/// Whether an entry of `managedFields` is of a person's tool.
pub fn is_by_hand(manager: &Manager) -> bool {
    of_manager(manager).is_some_and(|tool| tool.by == By::Hand)
}

/// What a person's tools have to do with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hands {
    /// Nothing that the server tells of.
    None,
    /// They wrote to it, and so did others.
    Some,
    /// Nobody else did.
    Only,
}

/// Which of the writers of an object, status aside, are people's tools.
pub(super) fn hands(live: &LiveObject) -> Hands {
    let writers = || live.managers.iter().filter(|manager| manager.subresource != "status");
    match writers().filter(|manager| is_by_hand(manager)).count() {
        0 => Hands::None,
        some if some == writers().count() => Hands::Only,
        _ => Hands::Some,
    }
}

/// Whether people wrote an object and no deployer did: its marks of one came along with a copied manifest. Kubernetes and operators
/// write into whatever there is, which says nothing; who is not known may be a deployer.
pub(super) fn is_without_deployer(live: &LiveObject) -> bool {
    let writers = live.managers.iter().filter(|manager| manager.subresource != "status");
    let mut by = writers.map(|manager| of_manager(manager).map(|tool| tool.by));
    let mut by_hand = false;
    by.all(|by| {
        by_hand |= by == Some(By::Hand);
        matches!(by, Some(By::Hand | By::Cluster))
    }) && by_hand
}

/// Whether people wrote to an object that somebody else keeps. In Argo CD's console they order its Applications to be synced, by a
/// field that goes again.
pub(super) fn is_changed_by_people(id: &ObjectId, live: &LiveObject) -> bool {
    let mut rows = live.managers.iter().filter_map(|one| Some((one, of_manager(one)?)));
    rows.any(|(manager, tool)| {
        let orders = id.group == "argoproj.io" && manager.name == "argocd-server";
        tool.is_of_people_only() && !orders
    })
}

struct Table {
    rows: Vec<Tool>,
    /// Rows of one name: every manager of every object is looked up.
    by_name: HashMap<String, Vec<usize>>,
    /// Rows of many names.
    patterns: Vec<usize>,
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let rows: Vec<Tool> = serde_yaml::from_str(include_str!("managers.yaml"))
            .expect("the table is part of the program, and a test reads it");
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        let mut patterns = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            match row.manager.contains(['*', '?']) {
                true => patterns.push(index),
                false => by_name.entry(row.manager.clone()).or_default().push(index),
            }
        }
        Table {
            rows,
            by_name,
            patterns,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_fires() {
        assert!(table().rows.len() > 60, "the table is read");
        for row in &table().rows {
            let manager = row.manager.replace('*', "x");
            let operation = row.operation.as_deref().unwrap_or("Update");
            let found = of(&manager, operation, row.subresource.as_deref().unwrap_or_default());
            assert!(
                found.is_some_and(|found| std::ptr::eq(found, row)),
                "{}: {found:?}",
                row.manager
            );
            assert!(row.reason.len() > 8, "{}", row.manager);
        }
    }

    #[test]
    fn tools_are_told_by_the_names_they_write_under() {
        for (manager, by, tool) in [
            ("k9s", By::Hand, "k9s"),
            ("node-fetch", By::Hand, "Lens"),
            ("Lens", By::Hand, "Lens"),
            ("rancher", By::Hand, "Rancher"),
            ("oc", By::Hand, "oc"),
            ("Mozilla", By::Hand, "a web console"),
            ("GoogleCloudConsole", By::Hand, "GKE console"),
            ("HashiCorp", By::Engine, "Terraform"),
            ("Terraform", By::Engine, "Terraform"),
            ("terraform-provider-kubernetes", By::Engine, "Terraform"),
            ("helm", By::Engine, "Helm"),
            ("argocd-controller", By::Engine, "Argo CD"),
            ("kustomize-controller", By::Engine, "Flux (Kustomize)"),
            ("kube-controller-manager", By::Cluster, "the controller manager"),
        ] {
            let found = of(manager, "Update", "").map(|row| (row.by, row.tool.as_str()));
            assert_eq!(found, Some((by, tool)), "{manager}");
        }
    }

    /// Operators written in Java, Python or Node.js write under the name of their library.
    #[test]
    fn what_somebody_keeps_is_changed_by_people_if_no_program_has_the_name() {
        let changed = |group: &str, manager: &str, subresource: &str| {
            let id = ObjectId::new(group, "Thing", Some("shop"), "web");
            let entry = |name: &str, subresource: &str| Manager {
                name: name.to_owned(),
                operation: "Update".to_owned(),
                subresource: subresource.to_owned(),
                time: String::new(),
                fields: None,
            };
            let live = LiveObject {
                managers: vec![entry("kube-controller-manager", ""), entry(manager, subresource)],
                ..LiveObject::default()
            };
            is_changed_by_people(&id, &live)
        };
        for (manager, subresource) in [
            ("kubectl-edit", ""),
            ("kubectl", "scale"),
            ("kubectl", "ephemeralcontainers"),
            ("kubectl-edit", "status"),
            ("k9s", ""),
            ("argocd-server", ""),
        ] {
            assert!(changed("apps", manager, subresource), "{manager} {subresource}");
        }
        for shared in [
            "fabric8-kubernetes-client",
            "OpenAPI-Generator",
            "node-fetch",
            "rancher",
            "kubelet",
            "helm",
            "some",
        ] {
            assert!(!changed("apps", shared, ""), "{shared}");
        }
        assert!(!changed("argoproj.io", "argocd-server", ""));
        assert!(changed("argoproj.io", "kubectl-edit", ""));
        assert_eq!(table().rows.iter().filter(|row| row.shared).count(), 10);
        assert!(table().rows.iter().all(|row| row.by == By::Hand || !row.shared));
    }

    #[test]
    fn kubectl_is_told_apart_by_what_it_does() {
        for (manager, operation, subresource, tool) in [
            ("kubectl", "Update", "scale", "kubectl scale"),
            ("kubectl", "Apply", "", "kubectl apply --server-side"),
            ("kubectl", "Update", "", "kubectl"),
            ("kubectl.exe", "Update", "", "kubectl"),
            ("kubectl-edit", "Update", "", "kubectl edit"),
            ("node-fetch", "Update", "scale", "Lens"),
        ] {
            let found = of(manager, operation, subresource).map(|row| row.tool.as_str());
            assert_eq!(found, Some(tool), "{manager} {operation} {subresource}");
        }
        assert!(of("somebody", "Update", "").is_none());
    }
}
