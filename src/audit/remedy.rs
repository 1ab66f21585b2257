//! The command that puts a finding right.

use std::borrow::Cow;

use super::managed::Unit;
use super::{Reach, Verdict};
use crate::object::{DeclaredSet, FieldChange, ObjectId, Problem, ProblemKind};

/// Kinds whose deletion takes more with it than the object: read, and taken into Git or deleted by a person who knows.
const HOLDS_MORE: &[&str] = &[
    "Namespace",
    "CustomResourceDefinition",
    "PersistentVolume",
    "PersistentVolumeClaim",
];

/// What kept the file of an object that was not reached from being used, if anything did: then nothing says that it is not declared.
pub(super) fn unusable<'s>(set: &'s DeclaredSet, verdict: &Verdict) -> Option<&'s Problem> {
    let Verdict::NotReached { path } = verdict else {
        return None;
    };
    // A kustomization is used whole or not at all.
    let is_of = |file: &str| match file.rsplit_once('/').unwrap_or(("", file)) {
        (folder, "kustomization.yaml" | "kustomization.yml" | "Kustomization") => {
            let inside = path.strip_prefix(folder);
            inside.is_some_and(|rest| folder.is_empty() || rest.starts_with('/'))
        }
        _ => file == path,
    };
    let mut errors = set.problems.iter().filter(|problem| problem.kind == ProblemKind::Error);
    errors.find(|problem| problem.places.iter().any(|place| is_of(&place.file)))
}

/// What commands are made of that is the same in all of them.
pub(super) struct Commands<'a> {
    location: &'a str,
    paths: &'a [String],
    reach: &'a Reach,
    /// How kubectl and refloat are told which cluster.
    flags: String,
}

impl<'a> Commands<'a> {
    pub(super) fn new(set: &'a DeclaredSet, reach: &'a Reach) -> Self {
        Self {
            location: &set.repository.location,
            paths: &set.entry.paths,
            reach,
            flags: flags(reach, "--kubeconfig", "--context"),
        }
    }

    /// The command for a finding about an object.
    pub(super) fn of(&self, id: &ObjectId, verdict: &Verdict) -> Option<String> {
        let kubectl = |verb: &str, more: &str| Some(["kubectl ", verb, " ", &named(id), more, &self.flags].concat());
        match verdict {
            Verdict::Drifted { fields, .. } if fields.iter().all(|field| field.change == FieldChange::Added) => {
                kubectl("edit", "")
            }
            Verdict::Drifted { .. } | Verdict::Missing => Some(self.restore(id)),
            Verdict::NeverInGit | Verdict::RemovedFromGit { .. } | Verdict::NotReached { .. }
                if HOLDS_MORE.contains(&id.kind.as_str()) =>
            {
                kubectl("get", " -o yaml")
            }
            Verdict::NeverInGit | Verdict::RemovedFromGit { .. } | Verdict::NotReached { .. } => kubectl("delete", ""),
            _ => None,
        }
    }

    /// The command for a unit that Git does not declare.
    pub(super) fn of_unit(&self, unit: &Unit, id: &ObjectId) -> Option<String> {
        match unit.tool {
            "Helm" => {
                let (namespace, release) = unit.name.split_once('/')?;
                let flags = flags(self.reach, "--kubeconfig", "--kube-context");
                Some(format!(
                    "helm uninstall {} -n {}{flags}",
                    quoted(release),
                    quoted(namespace)
                ))
            }
            "kapp" => {
                let namespace = id.namespace.as_deref().unwrap_or("default");
                let flags = flags(self.reach, "--kubeconfig", "--kubeconfig-context");
                Some(format!(
                    "kapp delete -a {} -n {}{flags}",
                    quoted(&unit.name),
                    quoted(namespace)
                ))
            }
            _ => {
                let object = unit.object.as_ref()?;
                Some(format!("kubectl delete {}{}", named(object), self.flags))
            }
        }
    }

    fn restore(&self, id: &ObjectId) -> String {
        let mut command = format!("refloat restore {}", quoted(self.location));
        for path in self.paths.iter().filter(|path| !path.is_empty()) {
            command.push_str(&format!(" --path {}", quoted(path)));
        }
        command.push_str(&self.flags);
        command.push_str(&format!(" --only {} --no-deps", quoted(&id.with_group())));
        command
    }
}

/// The audited cluster, whatever cluster the shell of whoever runs the command points to by then.
fn flags(reach: &Reach, kubeconfig: &str, context: &str) -> String {
    let file = reach.kubeconfig.iter().map(|file| (kubeconfig, file));
    let name = reach.context.iter().map(|name| (context, name));
    file.chain(name)
        .map(|(flag, value)| format!(" {flag} {}", quoted(value)))
        .collect()
}

/// `deployment.apps/web -n shop`, as kubectl takes it.
fn named(id: &ObjectId) -> String {
    let ObjectId { group, kind, name, .. } = id;
    let namespace = id.namespace.as_deref();
    // There may be tens of thousands: one piece of memory each.
    let size = kind.len() + group.len() + name.len() + namespace.map_or(0, str::len) + 16;
    let mut object = String::with_capacity(size);
    object.push_str(kind);
    object.make_ascii_lowercase();
    if !group.is_empty() {
        object.push('.');
        object.push_str(group);
    }
    object.push('/');
    object.push_str(name);
    if let Cow::Owned(quoted) = quoted(&object) {
        object = quoted;
    }
    if let Some(namespace) = namespace {
        object.push_str(" -n ");
        object.push_str(&quoted(namespace));
    }
    object
}

/// A word for a shell.
fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(reach: &Reach) -> Commands<'_> {
        Commands {
            location: "",
            paths: &[],
            reach,
            flags: String::new(),
        }
    }

    #[test]
    fn words_and_names_for_a_shell() {
        let role = ObjectId::new("rbac.authorization.k8s.io", "ClusterRole", None, "system:x");
        assert_eq!(named(&role), "clusterrole.rbac.authorization.k8s.io/system:x");
        let odd = ObjectId::new("", "ConfigMap", Some("a b"), "it's");
        assert_eq!(named(&odd), r"'configmap/it'\''s' -n 'a b'");
    }

    #[test]
    fn commands_name_the_cluster() {
        let reach = Reach {
            kubeconfig: Some("/a b".to_owned()),
            context: Some("prod".to_owned()),
        };
        let id = ObjectId::new("", "ConfigMap", Some("shop"), "a");
        let unit = |tool, name: &str| Unit {
            tool,
            name: name.to_owned(),
            object: None,
        };
        assert_eq!(
            commands(&reach).of_unit(&unit("Helm", "shop/web"), &id).as_deref(),
            Some("helm uninstall web -n shop --kubeconfig '/a b' --kube-context prod")
        );
        assert_eq!(
            commands(&Reach::default())
                .of_unit(&unit("kapp", "web"), &id)
                .as_deref(),
            Some("kapp delete -a web -n shop")
        );
    }
}
