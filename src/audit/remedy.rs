//! The command that puts a finding right.

use super::Verdict;
use super::managed::Unit;
use crate::object::{DeclaredSet, FieldChange, ObjectId};

/// Kinds whose deletion takes more with it than the object: read, and taken into Git or deleted by a person who knows.
const HOLDS_MORE: &[&str] = &[
    "Namespace",
    "CustomResourceDefinition",
    "PersistentVolume",
    "PersistentVolumeClaim",
];

/// The command for a finding about an object.
pub(super) fn of(id: &ObjectId, verdict: &Verdict, set: &DeclaredSet) -> Option<String> {
    match verdict {
        Verdict::Drifted { fields, .. } if fields.iter().all(|field| field.change == FieldChange::Added) => {
            Some(format!("kubectl edit {}", named(id)))
        }
        Verdict::Drifted { .. } | Verdict::Missing => Some(restore(id, set)),
        Verdict::NeverInGit | Verdict::RemovedFromGit { .. } | Verdict::NotReached { .. }
            if HOLDS_MORE.contains(&id.kind.as_str()) =>
        {
            Some(format!("kubectl get {} -o yaml", named(id)))
        }
        Verdict::NeverInGit | Verdict::RemovedFromGit { .. } | Verdict::NotReached { .. } => {
            Some(format!("kubectl delete {}", named(id)))
        }
        _ => None,
    }
}

/// The command for a unit that Git does not declare.
pub(super) fn of_unit(unit: &Unit, id: &ObjectId) -> Option<String> {
    match unit.tool {
        "Helm" => {
            let (namespace, release) = unit.name.split_once('/')?;
            Some(format!("helm uninstall {} -n {}", quoted(release), quoted(namespace)))
        }
        "kapp" => {
            let namespace = id.namespace.as_deref().unwrap_or("default");
            Some(format!(
                "kapp delete -a {} -n {}",
                quoted(&unit.name),
                quoted(namespace)
            ))
        }
        _ => unit
            .object
            .as_ref()
            .map(|object| format!("kubectl delete {}", named(object))),
    }
}

fn restore(id: &ObjectId, set: &DeclaredSet) -> String {
    let mut command = format!("refloat restore {}", quoted(&set.repository.location));
    for path in set.entry.paths.iter().filter(|path| !path.is_empty()) {
        command.push_str(&format!(" --path {}", quoted(path)));
    }
    command.push_str(&format!(" --only {} --no-deps", quoted(&id.with_group())));
    command
}

/// `deployment.apps/web -n shop`, as kubectl takes it.
fn named(id: &ObjectId) -> String {
    let kind = id.group_kind().to_string();
    let (kind, group) = kind.split_once('.').unwrap_or((&kind, ""));
    let group = if group.is_empty() {
        String::new()
    } else {
        format!(".{group}")
    };
    let object = quoted(&format!("{}{group}/{}", kind.to_lowercase(), id.name));
    match &id.namespace {
        Some(namespace) => format!("{object} -n {}", quoted(namespace)),
        None => object,
    }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_names_for_a_shell() {
        let role = ObjectId::new("rbac.authorization.k8s.io", "ClusterRole", None, "system:x");
        assert_eq!(named(&role), "clusterrole.rbac.authorization.k8s.io/system:x");
        let odd = ObjectId::new("", "ConfigMap", Some("a b"), "it's");
        assert_eq!(named(&odd), r"'configmap/it'\''s' -n 'a b'");
    }
}
