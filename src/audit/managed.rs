//! What a tool's unit made: a Helm release, a Flux Kustomization, an Argo CD Application, a kapp app, an ApplySet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde_json::Value;

use super::Verdict;
use super::glob::fits;
use super::inventory::Inventories;
use super::namespaces::Namespaces;
use super::release::{past_release, release, releases_of};
use super::was::{is_in, past_of};
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
pub(super) const KAPP: (&str, &str) = ("kappctrl.k14s.io", "App");

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

/// What Git knows of a unit.
#[derive(Debug, Clone)]
pub(super) enum Known {
    /// It declares it.
    Declared,
    /// It did, or does for another entry: [`Verdict::RemovedFromGit`] or [`Verdict::NotReached`].
    Otherwise(Verdict),
    /// It never did.
    Never,
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
    /// Labels in which Argo CD puts the name of the Application: as its settings say, and by itself before version 3.
    instance_keys: Vec<String>,
    /// ConfigMaps in which kapp keeps its apps.
    apps: Vec<&'a ObjectId>,
    /// Those that were read, by the label that kapp puts on what is of the app.
    apps_by_label: BTreeMap<String, &'a ObjectId>,
    /// Namespaces that units make.
    namespaces: Namespaces,
    /// What Kustomizations list as theirs.
    inventories: Inventories,
}

impl<'a> Units<'a> {
    /// `read` are the [units that were read](super::units_to_read).
    pub(super) fn new(
        live: &'a LiveSet,
        declared: &'a BTreeMap<&'a ObjectId, &'a Declared>,
        past: &'a PastSet,
        read: &BTreeMap<ObjectId, Value>,
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
            instance_keys: declared
                .iter()
                .map(|(id, one)| (*id, one.manifest.value()))
                .chain(read)
                .filter_map(|(id, value)| instance_key(id, value))
                .chain(["app.kubernetes.io/instance"])
                .map(str::to_owned)
                .collect(),
            apps_by_label: apps_of(live)
                .filter_map(|id| Some((label_of_app(read.get(id)?)?, id)))
                .collect(),
            apps: apps_of(live).collect(),
            applications: applications.map(|id| (id.name.as_str(), id)).collect(),
            inventories: Inventories::of(read),
        }
    }

    /// The unit that lists an object or that it names, if any; labels that were copied along with a manifest are the caller's to tell.
    pub(super) fn of(&self, id: &ObjectId, object: &LiveObject) -> Option<Unit> {
        if let Some(unit) = self.inventories.unit_of(id) {
            return Some(of_flux(unit.clone()));
        }
        let label = |key: &str| object.labels.get(key).map(String::as_str);
        let annotation = |key: &str| object.annotations.get(key).map(String::as_str);
        for ((group, kind), [of_namespace, of_name]) in FLUX_LABELS {
            if let (Some(namespace), Some(name)) = (label(of_namespace), label(of_name)) {
                return Some(of_flux(ObjectId::new(*group, *kind, Some(namespace), name)));
            }
        }
        if let Some(application) = annotation("argocd.argoproj.io/tracking-id").and_then(|text| tracked_by(text, id)) {
            return Some(self.application(application));
        }
        if let Some(application) = label("argocd.argoproj.io/instance") {
            return Some(self.application(application));
        }
        // Others write such labels, too.
        let by_argo_cd = || object.managers.iter().any(|one| fits("argocd-*", &one.name));
        if let Some(application) = self.instance_keys.iter().find_map(|key| label(key))
            && by_argo_cd()
        {
            return Some(self.application(application));
        }
        if let Some(unit) = self.kapp(id, object) {
            return Some(unit);
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

    /// Whether a unit says of an object that names it that it did not make it.
    pub(super) fn disowns(&self, unit: &Unit, id: &ObjectId, object: &LiveObject) -> bool {
        let stands = unit.object.as_ref();
        stands.is_some_and(|stands| self.inventories.disown(stands, id, object))
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

    /// kapp's label is a number; the ConfigMap that kapp keeps the app in has the number and the name. It is of the app itself, and so
    /// are those of its changes. Source: kapp's `pkg/kapp/app` (recorded_app.go, recorded_app_changes.go, app_meta.go).
    fn kapp(&self, id: &ObjectId, object: &LiveObject) -> Option<Unit> {
        let label = |key: &str| object.labels.get(key).map(String::as_str);
        if id.is("", "ConfigMap") && is_app(object) {
            return Some(self.app(Some(id), &id.name));
        }
        let beside = |map: &&ObjectId| map.namespace == id.namespace;
        let maps = || self.apps.iter().copied();
        if let Some(name) = label("kapp.k14s.io/app-change-app") {
            return Some(self.app(maps().filter(beside).find(|map| name_of_app(map) == name), name));
        }
        let number = label("kapp.k14s.io/app").or_else(|| label("kapp.k14s.io/app-change-app-label"))?;
        let is_unread = |map: &&ObjectId| !self.apps_by_label.values().any(|read| read == map);
        let only = || {
            let mut here = maps()
                .filter(|map| id.namespace.is_none() || beside(map))
                .filter(is_unread);
            here.next().filter(|_| here.next().is_none())
        };
        let map = self.apps_by_label.get(number).copied().or_else(only);
        Some(self.app(map, number))
    }

    /// The app that kapp keeps in this ConfigMap. Where kapp-controller makes it of an App that is live, that one stands for it.
    fn app(&self, map: Option<&ObjectId>, otherwise: &str) -> Unit {
        let name = map.map_or(otherwise, name_of_app);
        let app = map.map(|map| ObjectId::new(KAPP.0, KAPP.1, map.namespace.as_deref(), controlled_by(name)));
        Unit {
            tool: "kapp",
            name: name.to_owned(),
            object: app
                .filter(|app| self.live.objects.contains_key(app))
                .or_else(|| map.cloned()),
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

    /// What Git knows of a unit.
    pub(super) fn known(&self, unit: &Unit) -> Known {
        self.known_but(unit, &mut BTreeSet::new())
    }

    /// Likewise, without asking about the objects that were asked about.
    fn known_but(&self, unit: &Unit, seen: &mut BTreeSet<ObjectId>) -> Known {
        match unit.tool {
            "Kustomize" => Known::Declared,
            "Helm" => {
                let Some((namespace, name)) = unit.name.split_once('/') else {
                    return Known::Never;
                };
                match self.releases.contains(&(namespace.to_owned(), name.to_owned())) {
                    true => Known::Declared,
                    false => Known::by_past(past_release(self.past, namespace, name)),
                }
            }
            "kapp" => {
                if let Some(app) = unit.object.as_ref().filter(|object| is(object, KAPP)) {
                    return self.stands(app, seen);
                }
                let name = controlled_by(&unit.name);
                match self.declared.keys().any(|id| is(id, KAPP) && id.name == name) {
                    true => Known::Declared,
                    false => Known::by_past(past_of(self.past, KAPP, name, |_| true)),
                }
            }
            _ => {
                let object = unit.object.as_ref();
                object.map_or(Known::Never, |object| self.stands(object, seen))
            }
        }
    }

    /// Whether Git stands behind an object: it declares or declared it, or what it stands or falls with.
    pub(super) fn is_backed(&self, id: &ObjectId) -> bool {
        !matches!(self.stands(id, &mut BTreeSet::new()), Known::Never)
    }

    /// What Git knows of an object, or of what it stands or falls with.
    fn stands(&self, id: &ObjectId, seen: &mut BTreeSet<ObjectId>) -> Known {
        if !seen.insert(id.clone()) {
            return Known::Never;
        }
        let any_namespace = |other: &&ObjectId| other.is(&id.group, &id.kind) && other.name == id.name;
        let declared = self.declared.contains_key(id)
            || id.namespace.is_none() && self.declared.keys().copied().any(|other| any_namespace(&other));
        if declared {
            return Known::Declared;
        }
        let namespace = id.namespace.as_deref();
        let past = past_of(self.past, (&id.group, &id.kind), &id.name, |one| is_in(one, namespace));
        let Some(object) = self.live.objects.get(id) else {
            return Known::by_past(past);
        };
        let owners = object.owners.iter().map(|owner| owner.beside(namespace));
        let mut known = Known::by_past(past);
        for owner in owners {
            known = known.or_else(|| self.stands(&owner, seen));
        }
        known.or_else(|| {
            self.of(id, object)
                .map_or(Known::Never, |unit| self.known_but(&unit, seen))
        })
    }
}

impl Known {
    fn by_past(past: Option<Verdict>) -> Self {
        past.map_or(Self::Never, Self::Otherwise)
    }

    /// That it is declared goes before what was, and that before nothing.
    fn or_else(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Declared => self,
            Self::Never => other(),
            Self::Otherwise(_) => match other() {
                Self::Declared => Self::Declared,
                _ => self,
            },
        }
    }
}

pub(super) fn is(id: &ObjectId, (group, kind): (&str, &str)) -> bool {
    id.is(group, kind)
}

fn of_flux(object: ObjectId) -> Unit {
    Unit {
        tool: "Flux",
        name: object.to_string(),
        object: Some(object),
    }
}

/// The label in which an Argo CD puts the name of the Application, where its settings say.
fn instance_key<'v>(id: &ObjectId, value: &'v Value) -> Option<&'v str> {
    let key = if id.is("", "ConfigMap") && id.name == "argocd-cm" {
        value.get("data")?.get("application.instanceLabelKey")
    } else if id.is("argoproj.io", "ArgoCD") {
        value.get("spec")?.get("applicationInstanceLabelKey")
    } else {
        None
    };
    key?.as_str().filter(|key| !key.is_empty())
}

/// The ConfigMaps in which kapp keeps its apps.
pub(super) fn apps_of(live: &LiveSet) -> impl Iterator<Item = &ObjectId> {
    let maps = live.of_kind("", "ConfigMap").filter(|(_, object)| is_app(object));
    maps.map(|(id, _)| id)
}

/// The name of the app that kapp keeps in a ConfigMap: since 0.47 it may have a suffix.
fn name_of_app(map: &ObjectId) -> &str {
    map.name.strip_suffix(".apps.k14s.io").unwrap_or(&map.name)
}

/// The App of which kapp-controller makes such an app, if it does.
fn controlled_by(app: &str) -> &str {
    app.strip_suffix(".app").or(app.strip_suffix("-ctrl")).unwrap_or(app)
}

/// The label that kapp puts on what is of the app that it keeps in this ConfigMap.
fn label_of_app(map: &Value) -> Option<String> {
    let spec: Value = serde_json::from_str(map["data"]["spec"].as_str()?).ok()?;
    Some(spec["labelValue"].as_str()?.to_owned())
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

fn generated_as<'a>(id: &'a ObjectId, declared: &'a Declared) -> Option<((&'a str, &'a str, &'a str), &'a str)> {
    let base = id.without_hash()?;
    Some(((&id.kind, id.namespace.as_deref()?, base), &declared.provenance.file))
}
