//! Why an object stays that is declared no longer: its kind, a mark that asks for it, somebody else whose it is.

use super::{LiveObject, Manifest, ObjectId, Writer};

/// Kinds whose deletion takes with it what lives in them or on them: (group, kind).
pub const NEVER_DELETED: &[(&str, &str)] = &[
    ("", "Namespace"),
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
];

/// Whether an object is of a kind that is never deleted unless somebody names it.
pub fn is_never_deleted(id: &ObjectId) -> bool {
    NEVER_DELETED.iter().any(|(group, kind)| id.is(group, kind))
}

/// A label or annotation that asks for an object to stay.
struct Mark {
    key: &'static str,
    /// One of the values, which may stand in a list with commas.
    value: &'static str,
    /// Whether a label of that name counts too.
    label: bool,
    /// Whether it counts only for what goes because its unit is declared no longer.
    with_unit: bool,
}

impl Mark {
    const fn option(value: &'static str, with_unit: bool) -> Self {
        Self {
            key: SYNC_OPTIONS,
            value,
            label: false,
            with_unit,
        }
    }
}

const SYNC_OPTIONS: &str = "argocd.argoproj.io/sync-options";

/// What engines honour when they delete. Flux reads the label as well as the annotation; Argo CD takes a list of options, and asks a
/// person where one says `confirm`. Its `Prune` is asked for what its Application declares no longer, its `Delete` for what goes with the
/// Application (<https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/#no-resource-deletion>; `shouldBeDeleted` in its
/// `controller/appcontroller.go`, `isPruningDisabled` in `gitops-engine/pkg/sync/sync_context.go`).
const MARKS: &[Mark] = &[
    Mark {
        key: "kustomize.toolkit.fluxcd.io/prune",
        value: "disabled",
        label: true,
        with_unit: false,
    },
    Mark::option("Prune=false", false),
    Mark::option("Prune=confirm", false),
    Mark::option("Delete=false", true),
    Mark::option("Delete=confirm", true),
    Mark {
        key: "helm.sh/resource-policy",
        value: "keep",
        label: false,
        with_unit: false,
    },
];

/// What declared an object that is declared no longer.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeclaredBy<'m> {
    /// The engine's own object.
    pub unit: Option<&'m Manifest>,
    /// That is declared no longer, either.
    pub is_gone: bool,
}

/// What asks for an object to stay: its mark, live or where it was declared, or an option of the Application that it was of, for people:
/// `it says helm.sh/resource-policy: keep`.
pub fn kept_by(live: &LiveObject, declared: &Manifest, by: DeclaredBy<'_>) -> Option<String> {
    let mut counting = MARKS.iter().filter(|mark| by.is_gone || !mark.with_unit);
    counting.find_map(|mark| {
        let annotations = [
            live.annotations.get(mark.key).map(String::as_str),
            declared.annotation(mark.key),
        ];
        let labels = [live.labels.get(mark.key).map(String::as_str), declared.label(mark.key)];
        let labels = labels.into_iter().filter(|_| mark.label);
        let said = annotations.into_iter().chain(labels).flatten();
        let said: Vec<&str> = said.flat_map(|text| text.split(',')).map(str::trim).collect();
        if said.iter().any(|part| part.eq_ignore_ascii_case(mark.value)) {
            return Some(format!("it says {}: {}", mark.key, mark.value));
        }
        let (name, _) = mark.value.split_once('=').filter(|_| mark.key == SYNC_OPTIONS)?;
        let mut own = said.iter().filter_map(|part| part.split_once('='));
        if own.any(|(own, _)| own == name) {
            return None;
        }
        let application = by.unit.filter(|unit| unit.id().is("argoproj.io", "Application"))?;
        let options = application.value().pointer("/spec/syncPolicy/syncOptions")?;
        let says = options.as_array()?.iter().any(|option| option == mark.value);
        says.then(|| format!("{} says {}", application.id(), mark.value))
    })
}

/// Labels and annotations by which a tool knows what is its own.
const TRACKS: &[&str] = &[
    "kustomize.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/namespace",
    "helm.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/namespace",
    "argocd.argoproj.io/tracking-id",
    "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace",
    "kapp.k14s.io/app",
    "applyset.kubernetes.io/part-of",
    "olm.owner",
];

/// Whose a live object is, where it is not what was declared: for people, after "it".
///
/// It is somebody else's if a controller owns it, a tool has marked it as its own that the manifest does not name, or its declarer
/// never wrote it.
pub fn owner(live: &LiveObject, declared: &Manifest, writer: &Writer) -> Option<String> {
    if let Some(owner) = live.owners.iter().find(|owner| owner.controller) {
        return Some(format!("belongs to {}/{}", owner.kind.kind, owner.name));
    }
    let value = |key: &str| {
        let live = live.labels.get(key).or_else(|| live.annotations.get(key))?;
        let same = [declared.label(key), declared.annotation(key)].contains(&Some(live));
        (!same).then_some(live)
    };
    if let Some((key, value)) = TRACKS.iter().find_map(|key| Some((key, value(key)?))) {
        return Some(format!("carries {key}: {value}, which was not declared"));
    }
    let managers = || live.managers.iter().filter(|manager| manager.subresource.is_empty());
    let wrote = managers().any(|manager| manager.name == writer.manager());
    match managers().next() {
        Some(other) if !wrote => Some(format!("was written by {}, not by {}", other.name, writer.manager())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{GroupKind, Manager, Owner};
    use super::*;
    use serde_json::json;

    fn declared(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Manifest {
        let map = |of: &[(&str, &str)]| {
            of.iter()
                .map(|(key, value)| ((*key).to_owned(), json!(value)))
                .collect()
        };
        let (labels, annotations): (serde_json::Map<_, _>, serde_json::Map<_, _>) = (map(labels), map(annotations));
        let value = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "x", "namespace": "shop", "labels": labels, "annotations": annotations},
        });
        Manifest::new(value).expect("because it is complete")
    }

    fn by(manager: &str) -> LiveObject {
        LiveObject {
            managers: vec![Manager {
                name: manager.to_owned(),
                operation: "Apply".to_owned(),
                subresource: String::new(),
                time: String::new(),
                fields: None,
            }],
            ..LiveObject::default()
        }
    }

    fn marked(key: &str, value: &str) -> LiveObject {
        let mut live = by("refloat");
        live.annotations.insert(key.to_owned(), value.to_owned());
        live
    }

    #[test]
    fn every_mark_keeps_an_object_live_and_declared() {
        let plain = declared(&[], &[]);
        let gone = DeclaredBy {
            is_gone: true,
            ..DeclaredBy::default()
        };
        for mark in MARKS {
            let expected = Some(format!("it says {}: {}", mark.key, mark.value));
            assert_eq!(kept_by(&marked(mark.key, mark.value), &plain, gone), expected);
            let written = declared(&[], &[(mark.key, mark.value)]);
            assert_eq!(kept_by(&by("refloat"), &written, gone), expected);
            let pruned = kept_by(&by("refloat"), &written, DeclaredBy::default());
            assert_eq!(pruned, expected.clone().filter(|_| !mark.with_unit));
            let label = declared(&[(mark.key, mark.value)], &[]);
            assert_eq!(kept_by(&by("refloat"), &label, gone), expected.filter(|_| mark.label));
            assert_eq!(kept_by(&marked(mark.key, "other"), &plain, gone), None);
        }
        let options = marked(SYNC_OPTIONS, "Replace=true, Prune=false");
        assert!(kept_by(&options, &plain, DeclaredBy::default()).is_some());
    }

    /// `gitops-engine/pkg/sync/sync_context_test.go`: `TestDoNotPruneAppLevelPruneFalse`; `docs/user-guide/sync-options.md`: "Note that
    /// setting a Delete sync option on the resource will always override a Delete sync policy defined in the Application."
    #[test]
    fn an_object_decides_before_its_application() {
        let app = |option: &str| {
            let value = json!({
                "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "shop", "namespace": "argocd"},
                "spec": {"syncPolicy": {"syncOptions": ["CreateNamespace=true", option]}},
            });
            Manifest::new(value).expect("because it is complete")
        };
        let kept = |option: &str, own: &str, is_gone: bool| {
            let (unit, own) = (app(option), declared(&[], &[(SYNC_OPTIONS, own)]));
            let unit = Some(&unit);
            kept_by(&by("argocd-controller"), &own, DeclaredBy { unit, is_gone })
        };
        let says = |option: &str| Some(format!("Application/argocd/shop says {option}"));
        for (option, other) in [("Prune=false", "Prune=true"), ("Prune=confirm", "Prune=true")] {
            assert_eq!(kept(option, "Replace=true", false), says(option));
            assert_eq!(kept(option, other, false), None);
        }
        for (option, other) in [("Delete=false", "Delete=true"), ("Delete=confirm", "Delete=true")] {
            assert_eq!(kept(option, "Replace=true", true), says(option));
            assert_eq!(kept(option, other, true), None);
            assert_eq!(kept(option, "Replace=true", false), None);
        }
        assert_eq!(kept("Prune=true", "", true), None);
    }

    #[test]
    fn every_track_of_another_is_seen() {
        let (plain, refloat) = (declared(&[], &[]), Writer::ServerSide("refloat".to_owned()));
        for key in TRACKS {
            let live = marked(key, "other");
            let said = owner(&live, &plain, &refloat).unwrap_or_default();
            assert!(said.contains(key), "{said}");
            assert_eq!(owner(&live, &declared(&[(key, "other")], &[]), &refloat), None);
            assert!(owner(&live, &declared(&[], &[(key, "mine")]), &refloat).is_some());
        }
    }

    #[test]
    fn what_others_own_or_wrote_is_theirs() {
        let (plain, refloat) = (declared(&[], &[]), Writer::ServerSide("refloat".to_owned()));
        assert_eq!(owner(&by("refloat"), &plain, &refloat), None);
        assert_eq!(
            owner(&LiveObject::default(), &plain, &refloat),
            None,
            "nobody tells who wrote it"
        );
        assert_eq!(
            owner(&by("kubectl-create"), &plain, &refloat).as_deref(),
            Some("was written by kubectl-create, not by refloat")
        );
        let mut owned = by("refloat");
        owned.owners.push(Owner {
            kind: GroupKind::new("apps", "ReplicaSet"),
            name: "web".to_owned(),
            uid: "1".to_owned(),
            controller: true,
        });
        assert_eq!(
            owner(&owned, &plain, &refloat).as_deref(),
            Some("belongs to ReplicaSet/web")
        );
    }

    #[test]
    fn what_holds_others_is_never_deleted() {
        for (group, kind, never) in [
            ("", "Namespace", true),
            ("apiextensions.k8s.io", "CustomResourceDefinition", true),
            ("", "PersistentVolume", true),
            ("", "PersistentVolumeClaim", true),
            ("", "ConfigMap", false),
            ("", "Secret", false),
            ("example.com", "Namespace", false),
        ] {
            assert_eq!(
                is_never_deleted(&ObjectId::new(group, kind, None, "x")),
                never,
                "{kind}.{group}"
            );
        }
    }
}
