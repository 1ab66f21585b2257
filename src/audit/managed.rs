//! What a tool's unit made: a Helm release, a Flux Kustomization, an Argo CD Application, a kapp app, an ApplySet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use super::namespaces::Namespaces;
use super::was::knows;
use crate::object::{Declared, LiveObject, LiveSet, ObjectId, PastSet};

pub(super) const KUSTOMIZATION: (&str, &str) = ("kustomize.toolkit.fluxcd.io", "Kustomization");
pub(super) const HELM_RELEASE: (&str, &str) = ("helm.toolkit.fluxcd.io", "HelmRelease");
pub(super) const HELM_CHART: (&str, &str) = ("helm.cattle.io", "HelmChart");
pub(super) const APPLICATION: (&str, &str) = ("argoproj.io", "Application");
pub(super) const APPLICATION_SET: (&str, &str) = ("argoproj.io", "ApplicationSet");
/// The labels in which Flux's kinds put the namespace and the name of their object on what they made.
const FLUX_LABELS: &[((&str, &str), [&str; 2])] = &[
    (
        KUSTOMIZATION,
        [
            "kustomize.toolkit.fluxcd.io/namespace",
            "kustomize.toolkit.fluxcd.io/name",
        ],
    ),
    (
        HELM_RELEASE,
        ["helm.toolkit.fluxcd.io/namespace", "helm.toolkit.fluxcd.io/name"],
    ),
];
const KAPP: (&str, &str) = ("kappctrl.k14s.io", "App");

/// The unit that a live object names as its maker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unit {
    /// `Helm`, `Flux`, `Argo CD`, `kapp`, `ApplySet`, `Kustomize`.
    pub tool: &'static str,
    /// As the tool names it.
    pub name: String,
    /// The object that stands for it in the cluster, where it has one.
    pub object: Option<ObjectId>,
}

/// All that units are looked up in.
pub(super) struct Units<'a> {
    declared: &'a BTreeMap<&'a ObjectId, &'a Declared>,
    past: &'a PastSet,
    live: &'a LiveSet,
    /// Helm releases that Git declares: (namespace, name).
    releases: BTreeSet<(String, String)>,
    /// Names of declared ConfigMaps and Secrets whose name ends in a hash, without it: (kind, namespace, name) → file.
    generated: BTreeMap<(&'a str, &'a str, &'a str), &'a str>,
    /// Parents of ApplySets, by their id. Any object may be one: looked for when one is first asked for.
    sets: OnceLock<BTreeMap<&'a str, &'a ObjectId>>,
    /// Live Argo CD Applications, by name.
    applications: BTreeMap<&'a str, &'a ObjectId>,
    /// ConfigMaps of kapp's apps.
    apps: Vec<&'a ObjectId>,
    /// Namespaces that units make.
    namespaces: Namespaces,
}

impl<'a> Units<'a> {
    pub(super) fn new(
        live: &'a LiveSet,
        declared: &'a BTreeMap<&'a ObjectId, &'a Declared>,
        past: &'a PastSet,
    ) -> Self {
        let applications = live.of_kind(APPLICATION.0, APPLICATION.1).map(|(id, _)| id);
        let releases: BTreeSet<(String, String)> = declared.values().flat_map(|one| releases_of(one)).collect();
        Self {
            declared,
            past,
            live,
            namespaces: Namespaces::new(declared.values().copied(), releases.iter().cloned()),
            releases,
            generated: declared.iter().filter_map(|(id, one)| generated_as(id, one)).collect(),
            sets: OnceLock::new(),
            apps: live
                .of_kind("", "ConfigMap")
                .filter(|(_, object)| is_app(object))
                .map(|(id, _)| id)
                .collect(),
            applications: applications.map(|id| (id.name.as_str(), id)).collect(),
        }
    }

    /// The unit that an object names, if any; labels that were copied along with a manifest are the caller's to tell.
    pub(super) fn of(&self, id: &ObjectId, object: &LiveObject) -> Option<Unit> {
        let label = |key: &str| object.labels.get(key).map(String::as_str);
        let annotation = |key: &str| object.annotations.get(key).map(String::as_str);
        for ((group, kind), [of_namespace, of_name]) in FLUX_LABELS {
            if let (Some(namespace), Some(name)) = (label(of_namespace), label(of_name)) {
                return Some(Unit {
                    tool: "Flux",
                    name: format!("{kind}/{namespace}/{name}"),
                    object: Some(ObjectId::new(*group, *kind, Some(namespace), name)),
                });
            }
        }
        if let Some(application) = annotation("argocd.argoproj.io/tracking-id").and_then(|text| tracked_by(text, id)) {
            return Some(self.application(application));
        }
        if let Some(application) = label("argocd.argoproj.io/instance") {
            return Some(self.application(application));
        }
        if let Some(app) = label("kapp.k14s.io/app") {
            return Some(self.kapp(id, app));
        }
        if let Some(set) = label("applyset.kubernetes.io/part-of") {
            let parent = self.sets().get(set).map(|id| (*id).clone());
            return Some(Unit {
                tool: "ApplySet",
                name: parent.as_ref().map_or_else(|| set.to_owned(), ObjectId::to_string),
                object: parent,
            });
        }
        let (release, namespace) = release(id, object)?;
        Some(Unit {
            tool: "Helm",
            name: format!("{namespace}/{release}"),
            object: self.release_object(namespace, release),
        })
    }

    fn sets(&self) -> &BTreeMap<&'a str, &'a ObjectId> {
        self.sets.get_or_init(|| {
            let parents = self.live.objects.iter().filter_map(|(id, object)| {
                let set = object.labels.get("applyset.kubernetes.io/id")?;
                Some((set.as_str(), id))
            });
            parents.collect()
        })
    }

    /// The declared unit that makes a Namespace where it is not there yet.
    pub(super) fn maker(&self, id: &ObjectId, object: &LiveObject) -> Option<&Unit> {
        self.namespaces.maker(id, object)
    }

    /// The rendering of a generator that made an earlier ConfigMap or Secret under another hash.
    pub(super) fn earlier_generation(&self, id: &ObjectId) -> Option<Unit> {
        let base = id.without_hash()?;
        let key = (id.kind.as_str(), id.namespace.as_deref()?, base);
        let file = self.generated.get(&key)?;
        Some(Unit {
            tool: "Kustomize",
            name: format!("generator of {base} in {file}"),
            object: None,
        })
    }

    fn application(&self, name: &str) -> Unit {
        // With applications in any namespace, the name is `namespace_name`.
        let (namespace, short) = name.split_once('_').map_or((None, name), |(ns, name)| (Some(ns), name));
        let live = self.applications.get(short).map(|id| (*id).clone());
        Unit {
            tool: "Argo CD",
            name: format!("Application/{name}"),
            object: live.or_else(|| Some(ObjectId::new(APPLICATION.0, APPLICATION.1, namespace, short))),
        }
    }

    /// kapp's label is a number; the ConfigMap of the app has the name.
    fn kapp(&self, id: &ObjectId, app: &str) -> Unit {
        let maps = self.apps.iter().copied();
        let here: Vec<&ObjectId> = maps
            .filter(|other| id.namespace.is_none() || other.namespace == id.namespace)
            .collect();
        let object = match here[..] {
            [one] => Some(one.clone()),
            _ => None,
        };
        Unit {
            tool: "kapp",
            name: object.as_ref().map_or_else(|| app.to_owned(), |map| map.name.clone()),
            object,
        }
    }

    /// The latest Secret that a release is stored in.
    fn release_object(&self, namespace: &str, release: &str) -> Option<ObjectId> {
        let first = ObjectId::new("", "Secret", Some(namespace), format!("sh.helm.release.v1.{release}.v"));
        let secrets = self.live.objects.range(first.clone()..).map(|(id, _)| id);
        let number = |id: &ObjectId| {
            id.name
                .strip_prefix(&first.name)
                .and_then(|text| text.parse::<u64>().ok())
        };
        let ours = secrets.take_while(|id| id.namespace == first.namespace && id.name.starts_with(&first.name));
        ours.filter(|id| number(id).is_some())
            .max_by_key(|id| number(id))
            .cloned()
    }

    /// Whether Git declares a unit, or did.
    pub(super) fn is_declared(&self, unit: &Unit) -> bool {
        self.declares(unit, &mut BTreeSet::new())
    }

    fn declares(&self, unit: &Unit, seen: &mut BTreeSet<ObjectId>) -> bool {
        match unit.tool {
            "Kustomize" => true,
            "Helm" => {
                let Some((namespace, name)) = unit.name.split_once('/') else {
                    return false;
                };
                self.releases.contains(&(namespace.to_owned(), name.to_owned())) || self.past_release(namespace, name)
            }
            "kapp" => {
                let name = unit
                    .name
                    .strip_suffix(".app")
                    .or(unit.name.strip_suffix("-ctrl"))
                    .unwrap_or(&unit.name);
                let declared = self.declared.keys().any(|id| is(id, KAPP) && id.name == name);
                declared || knows(self.past, KAPP.0, KAPP.1, None, name)
            }
            _ => unit.object.as_ref().is_some_and(|object| self.stands(object, seen)),
        }
    }

    /// Whether an object is declared or was, or stands or falls with one that is.
    fn stands(&self, id: &ObjectId, seen: &mut BTreeSet<ObjectId>) -> bool {
        if !seen.insert(id.clone()) {
            return false;
        }
        let any_namespace = |other: &&ObjectId| other.is(&id.group, &id.kind) && other.name == id.name;
        let declared = self.declared.contains_key(id)
            || id.namespace.is_none() && self.declared.keys().copied().any(|other| any_namespace(&other));
        if declared || knows(self.past, &id.group, &id.kind, id.namespace.as_deref(), &id.name) {
            return true;
        }
        let Some(object) = self.live.objects.get(id) else {
            return false;
        };
        let owners = object.owners.iter();
        let mut owners = owners.map(|owner| {
            ObjectId::new(
                &*owner.kind.group,
                &*owner.kind.kind,
                id.namespace.as_deref(),
                &*owner.name,
            )
        });
        owners.any(|owner| self.stands(&owner, seen))
            || self.of(id, object).is_some_and(|unit| self.declares(&unit, seen))
    }

    /// Whether Git once had an object that makes such a release. The name of a release may hold that of its namespace.
    fn past_release(&self, namespace: &str, release: &str) -> bool {
        let short = release.strip_prefix(namespace).and_then(|rest| rest.strip_prefix('-'));
        [Some(release), short].into_iter().flatten().any(|name| {
            let known = |(group, kind): (&str, &str)| {
                let key = (crate::object::GroupKind::new(group, kind), name.to_owned());
                self.past.identities.contains_key(&key)
            };
            known(HELM_RELEASE) || known(HELM_CHART)
        })
    }
}

pub(super) fn is(id: &ObjectId, (group, kind): (&str, &str)) -> bool {
    id.is(group, kind)
}

/// Whether kapp keeps an app in this ConfigMap.
fn is_app(object: &LiveObject) -> bool {
    let annotations = &object.annotations;
    object.labels.contains_key("kapp.k14s.io/is-app")
        || annotations.contains_key("kapp.k14s.io/app-changes-use-app-label")
}

/// The application of a tracking id, `app:group/Kind:namespace/name`, if it is about this object: annotations are copied with manifests.
fn tracked_by<'t>(tracking: &'t str, id: &ObjectId) -> Option<&'t str> {
    let (application, rest) = tracking.split_once(':')?;
    let (kind, place) = rest.rsplit_once(':')?;
    let (group, kind) = kind.split_once('/')?;
    let name = place.split_once('/').map_or(place, |(_, name)| name);
    (id.is(group, kind) && id.name == name).then_some(application)
}

/// The release that an object names, and its namespace.
fn release<'o>(id: &'o ObjectId, object: &'o LiveObject) -> Option<(&'o str, &'o str)> {
    if id.is("", "Secret") || id.is("", "ConfigMap") {
        let stored = object.secret_type == "helm.sh/release.v1" || id.name.starts_with("sh.helm.release.v1.");
        if stored
            && let Some((name, _)) = id
                .name
                .strip_prefix("sh.helm.release.v1.")
                .and_then(|rest| rest.rsplit_once(".v"))
        {
            return Some((name, id.namespace.as_deref()?));
        }
    }
    let release = object.annotations.get("meta.helm.sh/release-name")?;
    let namespace = object.annotations.get("meta.helm.sh/release-namespace")?;
    Some((release, namespace))
}

/// The Helm releases that a declared object stands for: (namespace, name).
fn releases_of(declared: &Declared) -> Vec<(String, String)> {
    let (id, manifest) = (&declared.id, &declared.manifest);
    let namespace = id.namespace.clone().unwrap_or_default();
    if let (Some(name), Some(namespace)) = (
        manifest.annotation("meta.helm.sh/release-name"),
        manifest.annotation("meta.helm.sh/release-namespace"),
    ) {
        return vec![(namespace.to_owned(), name.to_owned())];
    }
    let or = |text: &str, other: &str| {
        if text.is_empty() {
            other.to_owned()
        } else {
            text.to_owned()
        }
    };
    if is(id, HELM_RELEASE) {
        // Flux: the release is called `[<targetNamespace>-]<name>` unless it is given a name.
        let target = manifest.text("/spec/targetNamespace");
        let by_itself = if target.is_empty() {
            id.name.clone()
        } else {
            format!("{target}-{}", id.name)
        };
        return vec![(
            or(target, &namespace),
            or(manifest.text("/spec/releaseName"), &by_itself),
        )];
    }
    if is(id, HELM_CHART) {
        return vec![(or(manifest.text("/spec/targetNamespace"), &namespace), id.name.clone())];
    }
    Vec::new()
}

fn generated_as<'a>(id: &'a ObjectId, declared: &'a Declared) -> Option<((&'a str, &'a str, &'a str), &'a str)> {
    let base = id.without_hash()?;
    Some(((&id.kind, id.namespace.as_deref()?, base), &declared.provenance.file))
}
