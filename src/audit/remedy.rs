//! The command that puts a finding right.

use std::borrow::Cow;

use super::managed::{APPLICATION, APPLICATION_SET, HELM_CHART, HELM_RELEASE, KAPP, KUSTOMIZATION, Unit, is};
use super::{Reach, Verdict};
use crate::object::{DeclaredSet, FieldChange, ObjectId, Problem, ProblemKind};

/// Kinds whose deletion takes more with it than the object: read, and taken into Git or deleted by a person who knows.
///
/// Engines delete what they made when the object that told them to goes. Sources: the finalizers of kustomize-controller,
/// helm-controller and flux-operator, of Argo CD (`resources-finalizer.argocd.argoproj.io`, and the owner references that an
/// ApplicationSet puts on its Applications), kapp-controller, k3s's helm-controller, Fleet and kluctl.
const HOLDS_MORE: &[(&str, &str)] = &[
    ("", "Namespace"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
    KUSTOMIZATION,
    HELM_RELEASE,
    ("fluxcd.controlplane.io", "FluxInstance"),
    ("fluxcd.controlplane.io", "ResourceSet"),
    APPLICATION,
    APPLICATION_SET,
    KAPP,
    ("packaging.carvel.dev", "PackageInstall"),
    HELM_CHART,
    ("fleet.cattle.io", "GitRepo"),
    ("fleet.cattle.io", "Bundle"),
    ("gitops.kluctl.io", "KluctlDeployment"),
];

/// What kept the file of an object that was not reached, or seems to be removed, from being used, if anything did: then nothing says that
/// it is not declared.
pub(super) fn unusable<'s>(set: &'s DeclaredSet, verdict: &Verdict) -> Option<&'s Problem> {
    let (Verdict::NotReached { path } | Verdict::RemovedFromGit { path, .. }) = verdict else {
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
    /// The commit that is compared with, where it is not to be the latest.
    commit: Option<&'a str>,
    reach: &'a Reach,
    /// How kubectl and refloat are told which cluster.
    flags: String,
}

impl<'a> Commands<'a> {
    pub(super) fn new(set: &'a DeclaredSet, reach: &'a Reach) -> Self {
        Self {
            location: &set.repository.location,
            paths: &set.entry.paths,
            commit: set.repository.commit.as_deref().filter(|_| reach.pinned),
            reach,
            flags: flags(reach, "--kubeconfig", "--context"),
        }
    }

    /// The command for a finding about an object.
    pub(super) fn of(&self, id: &ObjectId, verdict: &Verdict) -> Option<String> {
        match verdict {
            Verdict::Drifted { fields, .. } if fields.iter().all(|field| field.change == FieldChange::Added) => {
                Some(self.edit(id))
            }
            Verdict::Drifted { .. } | Verdict::Missing => Some(self.restore(id)),
            Verdict::NeverInGit | Verdict::RemovedFromGit { .. } | Verdict::NotReached { .. } => Some(self.away(id)),
            _ => None,
        }
    }

    /// What the command for a drift does not put right: a restore writes what is declared, and leaves what was added.
    pub(super) fn leaves(&self, id: &ObjectId, verdict: &Verdict) -> Option<String> {
        let Verdict::Drifted { fields, .. } = verdict else {
            return None;
        };
        let added = fields.iter().filter(|field| field.change == FieldChange::Added).count();
        let is_mixed = added > 0 && added < fields.len();
        is_mixed.then(|| format!("the restore leaves what was added: {} takes it away", self.edit(id)))
    }

    /// The command for a unit that Git does not declare. What another entry declares may be all that runs here: it is only looked at.
    pub(super) fn of_unit(&self, unit: &Unit, id: &ObjectId, verdict: &Verdict) -> Option<String> {
        let is_elsewhere = matches!(verdict, Verdict::NotReached { .. });
        let (verb, context, name, namespace) = match unit.tool {
            "Helm" => {
                let (namespace, release) = unit.name.split_once('/')?;
                let verb = if is_elsewhere { "helm status" } else { "helm uninstall" };
                (verb, "--kube-context", release, namespace)
            }
            "kapp" if !unit.object.as_ref().is_some_and(|object| is(object, KAPP)) => {
                let namespace = id.namespace.as_deref().unwrap_or("default");
                let verb = if is_elsewhere {
                    "kapp inspect -a"
                } else {
                    "kapp delete -a"
                };
                (verb, "--kubeconfig-context", &*unit.name, namespace)
            }
            _ => {
                let object = unit.object.as_ref()?;
                return Some(match is_elsewhere {
                    true => self.look(object),
                    false => self.away(object),
                });
            }
        };
        let flags = flags(self.reach, "--kubeconfig", context);
        Some(format!("{verb} {} -n {}{flags}", quoted(name), quoted(namespace)))
    }

    /// Deletes an object, unless more would go with it.
    fn away(&self, id: &ObjectId) -> String {
        match HOLDS_MORE.iter().any(|(group, kind)| id.is(group, kind)) {
            true => self.look(id),
            false => self.kubectl("delete", id),
        }
    }

    fn look(&self, id: &ObjectId) -> String {
        ["kubectl get ", &named(id), " -o yaml", &self.flags].concat()
    }

    /// The command for what somebody else keeps and a person changed.
    pub(super) fn edit(&self, id: &ObjectId) -> String {
        self.kubectl("edit", id)
    }

    fn kubectl(&self, verb: &str, id: &ObjectId) -> String {
        ["kubectl ", verb, " ", &named(id), &self.flags].concat()
    }

    fn restore(&self, id: &ObjectId) -> String {
        let mut command = format!("refloat restore {}", quoted(self.location));
        for path in self.paths.iter().filter(|path| !path.is_empty()) {
            command.push_str(&format!(" --path {}", quoted(path)));
        }
        if let Some(commit) = self.commit {
            command.push_str(&format!(" --rev {}", quoted(commit)));
        }
        for word in &self.reach.source {
            command.push_str(&format!(" {}", quoted(word)));
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
            commit: None,
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
            ..Reach::default()
        };
        let id = ObjectId::new("", "ConfigMap", Some("shop"), "a");
        let unit = |tool, name: &str| Unit {
            tool,
            name: name.to_owned(),
            object: None,
        };
        let never = Verdict::NeverInGit;
        assert_eq!(
            commands(&reach)
                .of_unit(&unit("Helm", "shop/web"), &id, &never)
                .as_deref(),
            Some("helm uninstall web -n shop --kubeconfig '/a b' --kube-context prod")
        );
        assert_eq!(
            commands(&Reach::default())
                .of_unit(&unit("kapp", "web"), &id, &never)
                .as_deref(),
            Some("kapp delete -a web -n shop")
        );
    }

    /// Otherwise a restore would write another state than the one that was compared with.
    #[test]
    fn a_restore_reads_the_repository_as_the_audit_did() {
        let words = ["--values", "a b.yaml", "-n", "shop"];
        let reach = Reach {
            source: words.map(str::to_owned).into(),
            ..Reach::default()
        };
        let id = ObjectId::new("", "ConfigMap", Some("shop"), "a");
        let told = Commands {
            location: "./gitops",
            commit: Some("0123456789abcdef"),
            ..commands(&reach)
        };
        assert_eq!(
            told.of(&id, &Verdict::Missing).as_deref(),
            Some(
                "refloat restore ./gitops --rev 0123456789abcdef --values 'a b.yaml' -n shop --only ConfigMap/shop/a --no-deps"
            )
        );
    }

    /// Deleting what tells an engine to make things deletes the things.
    #[test]
    fn nothing_is_deleted_that_takes_more_with_it() {
        let removed = Verdict::RemovedFromGit {
            commit: Default::default(),
            path: String::new(),
        };
        let elsewhere = Verdict::NotReached { path: String::new() };
        let reach = Reach::default();
        let commands = commands(&reach);
        for (group, kind) in HOLDS_MORE {
            let id = ObjectId::new(*group, *kind, Some("shop"), "web");
            let unit = Unit {
                tool: "Flux",
                name: String::new(),
                object: Some(id.clone()),
            };
            for verdict in [&Verdict::NeverInGit, &removed, &elsewhere] {
                let told = [commands.of(&id, verdict), commands.of_unit(&unit, &id, verdict)];
                let look = Some(format!("kubectl get {} -o yaml", named(&id)));
                assert_eq!(told, [look.clone(), look], "{kind}");
            }
        }
        let other = ObjectId::new("example.com", "Application", Some("shop"), "web");
        let delete = commands.of(&other, &removed);
        assert_eq!(
            delete.as_deref(),
            Some("kubectl delete application.example.com/web -n shop")
        );
    }

    /// An audit with another entry than what runs would print a deletion of everything otherwise.
    #[test]
    fn a_unit_of_another_entry_is_only_looked_at() {
        let elsewhere = Verdict::NotReached { path: String::new() };
        let id = ObjectId::new("", "ConfigMap", Some("shop"), "web");
        let told = |tool, name: &str| {
            let unit = Unit {
                tool,
                name: name.to_owned(),
                object: Some(id.clone()),
            };
            commands(&Reach::default()).of_unit(&unit, &id, &elsewhere)
        };
        assert_eq!(told("Helm", "shop/web").as_deref(), Some("helm status web -n shop"));
        assert_eq!(told("kapp", "web").as_deref(), Some("kapp inspect -a web -n shop"));
        assert_eq!(
            told("ApplySet", "web").as_deref(),
            Some("kubectl get configmap/web -n shop -o yaml")
        );
    }
}
