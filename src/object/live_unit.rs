//! What engines in the cluster sync: their own objects, as far as restoring beside them needs it, and how they are suspended.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Manifest, ObjectId};

/// The annotation by which refloat knows what it suspended: the value, as JSON, that stood in the field before.
pub const SUSPENDED: &str = "refloat.dev/suspended";

/// How an engine's own objects are suspended: by the value of one field.
struct Switch {
    group: &'static str,
    kind: &'static str,
    /// The keys down to the field.
    field: &'static [&'static str],
    /// The value that suspends, as JSON; `null`: the field is not there.
    off: &'static str,
}

/// Flux: <https://fluxcd.io/flux/components/kustomize/kustomizations/#suspend>. Argo CD syncs by itself only what has an automated
/// policy; what an ApplicationSet makes it keeps as it was made, unless its policy is to create only
/// (<https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/Controlling-Resource-Modification/>).
const SWITCHES: &[Switch] = &[
    Switch {
        group: "kustomize.toolkit.fluxcd.io",
        kind: "Kustomization",
        field: &["spec", "suspend"],
        off: "true",
    },
    Switch {
        group: "helm.toolkit.fluxcd.io",
        kind: "HelmRelease",
        field: &["spec", "suspend"],
        off: "true",
    },
    Switch {
        group: "argoproj.io",
        kind: "Application",
        field: &["spec", "syncPolicy", "automated"],
        off: "null",
    },
    Switch {
        group: "argoproj.io",
        kind: "ApplicationSet",
        field: &["spec", "syncPolicy", "applicationsSync"],
        off: "\"create-only\"",
    },
];

impl Switch {
    fn of(group: &str, kind: &str) -> Option<&'static Self> {
        SWITCHES.iter().find(|one| one.group == group && one.kind == kind)
    }

    fn off(&self) -> Value {
        serde_json::from_str(self.off).unwrap_or_default()
    }

    /// The field's value; `null` where it is not there.
    fn value<'v>(&self, of: &'v Value) -> &'v Value {
        let found = self.field.iter().try_fold(of, |value, key| value.get(key));
        found.unwrap_or(&Value::Null)
    }

    fn is_off(&self, value: &Value) -> bool {
        *value == self.off() || self.kind == "Application" && value["enabled"] == false
    }

    /// Whether the map that holds the field holds nothing else, and is none that every object has.
    fn stands_alone(&self, of: &Value) -> bool {
        let Some((last, above @ [_, _, ..])) = self.field.split_last() else {
            return false;
        };
        let map = above.iter().try_fold(of, |value, key| value.get(key));
        map.and_then(Value::as_object).is_some_and(|map| map.keys().eq([last]))
    }

    /// The removal of the field with the map that holds it.
    fn without_its_map(&self) -> Value {
        let above = self.field.split_last().map_or(self.field, |(_, above)| above);
        above.iter().rev().fold(Value::Null, |inner, key| json!({*key: inner}))
    }

    /// The field alone, with a value.
    fn with(&self, value: Value) -> Value {
        self.field.iter().rev().fold(value, |inner, key| json!({*key: inner}))
    }
}

/// Whether an object is an engine's own.
pub fn is_engines(id: &ObjectId) -> bool {
    Switch::of(&id.group, &id.kind).is_some()
}

/// The kinds of engines' own objects: (group, kind).
pub fn engine_kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    SWITCHES.iter().map(|one| (one.group, one.kind))
}

/// An engine's own object in the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveUnit {
    /// Which.
    pub id: ObjectId,
    /// Server-given uid.
    pub uid: String,
    /// Addresses of the Git repositories that it is synced from; none for charts of registries and the like.
    pub repositories: Vec<String>,
    /// The source that Flux reads it from.
    pub source: Option<ObjectId>,
    /// The controller that made it (an ApplicationSet).
    pub owner: Option<ObjectId>,
    /// Path in the repository, without `./` and slashes around it; "" for its root, and where there is none.
    pub path: String,
    /// What it follows, for people: `branch main`; "" where that is not said.
    pub follows: String,
    /// The commit that it syncs, or will next as far as its source tells; "" where that is not known.
    pub next: String,
    /// The commit that was synced last; "" where that is not known.
    pub synced: String,
    /// What it made goes with it if it is deleted, suspended or not.
    pub cascades: bool,
    /// It syncs nothing by itself.
    pub suspended: bool,
    /// What stands in the field that suspends it; `null`: nothing.
    pub setting: Value,
    /// Nothing stands beside the field that suspends it.
    pub stands_alone: bool,
    /// What refloat put aside when it suspended it; `None`: refloat did not.
    pub put_aside: Option<Value>,
    /// It is a HelmRelease whose status tells of no release: its controller knows of none, and would release anew.
    pub releases_anew: bool,
}

impl LiveUnit {
    /// Reads an engine's object as it is in the cluster; `None` for other kinds. `sources` are the live sources of Flux.
    pub fn of(value: &Value, sources: &BTreeMap<ObjectId, Value>) -> Option<Self> {
        let manifest = Manifest::new(value.clone()).ok()?;
        let id = manifest.id();
        let switch = Switch::of(&id.group, &id.kind)?;
        let source = source(&id, value);
        let live = source.as_ref().and_then(|source| sources.get(source));
        let synced = match id.kind.as_str() {
            "Kustomization" => commit(text(value, "/status/lastAppliedRevision")),
            "Application" => argo_synced(value),
            _ => String::new(),
        };
        let compared = argo_compared(value);
        let artifact = live.map(|live| commit(text(live, "/status/artifact/revision")));
        let put_aside = manifest.annotation(SUSPENDED);
        Some(Self {
            uid: text(value, "/metadata/uid").to_owned(),
            repositories: repositories(value, live),
            owner: owner(&id, value),
            path: path(value),
            follows: follows(value, live),
            next: artifact
                .into_iter()
                .chain([compared])
                .find(|known| !known.is_empty())
                .unwrap_or_else(|| synced.clone()),
            synced,
            cascades: cascades(&id, value),
            suspended: switch.is_off(switch.value(value)),
            setting: switch.value(value).clone(),
            stands_alone: switch.stands_alone(value),
            put_aside: put_aside.map(|text| serde_json::from_str(text).unwrap_or_default()),
            releases_anew: id.kind == "HelmRelease" && has_no_history(value),
            source,
            id,
        })
    }

    /// The merge patch that suspends it; `None` where it is suspended already.
    pub fn suspend(&self) -> Option<Value> {
        let switch = Switch::of(&self.id.group, &self.id.kind).filter(|_| !self.suspended)?;
        let mut patch = switch.with(switch.off());
        patch["metadata"] = json!({"uid": self.uid, "annotations": {SUSPENDED: self.setting.to_string()}});
        Some(patch)
    }

    /// The merge patch that lifts what refloat suspended; `None` where it did not. What somebody else has switched on since stays as
    /// it is.
    pub fn resume(&self) -> Option<Value> {
        let switch = Switch::of(&self.id.group, &self.id.kind)?;
        let before = self.put_aside.as_ref()?;
        let mut patch = match self.suspended {
            // Nothing empty is left of a map that was made for the field.
            true if before.is_null() && self.stands_alone => switch.without_its_map(),
            true => switch.with(before.clone()),
            false => Value::Object(Map::new()),
        };
        patch["metadata"] = json!({"uid": self.uid, "annotations": {SUSPENDED: null}});
        Some(patch)
    }
}

/// Suspends an engine's object as it is declared; marked, where that is refloat's doing. Nothing where it is suspended in Git, and of
/// other kinds.
pub fn suspend_declared(manifest: &mut Manifest, marked: bool) {
    let Some(switch) = Switch::of(manifest.group(), manifest.kind()) else {
        return;
    };
    let before = switch.value(manifest.value()).clone();
    if switch.is_off(&before) {
        return;
    }
    if marked {
        let annotations = json!({SUSPENDED: before.to_string()});
        merge(manifest.object_mut(), json!({"metadata": {"annotations": annotations}}));
    }
    merge(manifest.object_mut(), switch.with(switch.off()));
}

/// RFC 7386.
fn merge(into: &mut Map<String, Value>, patch: Value) {
    let Value::Object(patch) = patch else { return };
    for (key, value) in patch {
        match (into.get_mut(&key), value) {
            (_, Value::Null) => _ = into.shift_remove(&key),
            (Some(Value::Object(inner)), value @ Value::Object(_)) => merge(inner, value),
            (_, value) => _ = into.insert(key, value),
        }
    }
}

fn has_no_history(release: &Value) -> bool {
    let history = release.pointer("/status/history").and_then(Value::as_array);
    history.is_none_or(Vec::is_empty)
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// `main@sha1:0123…`, in older versions of Flux `main/0123…`; Argo CD writes the commit alone.
fn commit(revision: &str) -> String {
    let last = revision.rsplit([':', '/']).next().unwrap_or_default();
    let is_id = last.len() >= 40 && last.bytes().all(|byte| byte.is_ascii_hexdigit());
    last.to_owned().split_off(if is_id { 0 } else { last.len() })
}

/// The commit that Argo CD compared with last: it is not synced by that yet.
fn argo_compared(value: &Value) -> String {
    argo_revision(&value["status"]["sync"])
}

/// The commit that was synced last. Where nothing notes that, nothing was synced since the one that is compared with.
fn argo_synced(value: &Value) -> String {
    let history = value.pointer("/status/history").and_then(Value::as_array);
    let last = history.and_then(|history| history.last()).map(argo_revision);
    last.filter(|known| !known.is_empty())
        .unwrap_or_else(|| argo_compared(value))
}

fn argo_revision(of: &Value) -> String {
    let several = of["revisions"].as_array();
    let first = several.into_iter().flatten().filter_map(Value::as_str).map(commit);
    let one = commit(text(of, "/revision"));
    std::iter::once(one)
        .chain(first)
        .find(|known| !known.is_empty())
        .unwrap_or_default()
}

/// The source that Flux reads a unit from.
fn source(id: &ObjectId, value: &Value) -> Option<ObjectId> {
    let at = match id.kind.as_str() {
        "Kustomization" => value.pointer("/spec/sourceRef")?,
        "HelmRelease" => value
            .pointer("/spec/chart/spec/sourceRef")
            .or_else(|| value.pointer("/spec/chartRef"))?,
        _ => return None,
    };
    let namespace = match text(at, "/namespace") {
        "" => id.namespace.as_deref(),
        own => Some(own),
    };
    Some(ObjectId::new(
        "source.toolkit.fluxcd.io",
        text(at, "/kind"),
        namespace,
        text(at, "/name"),
    ))
}

/// The sources of an Application.
fn argo_sources(value: &Value) -> impl Iterator<Item = &Value> {
    let several = value.pointer("/spec/sources").and_then(Value::as_array);
    value
        .pointer("/spec/source")
        .into_iter()
        .chain(several.into_iter().flatten())
}

fn repositories(value: &Value, source: Option<&Value>) -> Vec<String> {
    let git = source.filter(|source| text(source, "/kind") == "GitRepository");
    let flux = git.map(|source| text(source, "/spec/url")).into_iter();
    // Charts have no path.
    let argo = argo_sources(value).filter(|source| source.get("chart").is_none());
    let argo = argo.map(|source| text(source, "/repoURL"));
    let found = flux.chain(argo).filter(|address| !address.is_empty());
    found.map(str::to_owned).collect()
}

fn path(value: &Value) -> String {
    let flux = [text(value, "/spec/path"), text(value, "/spec/chart/spec/chart")];
    let argo = argo_sources(value).map(|source| text(source, "/path"));
    let found = flux.into_iter().chain(argo).find(|path| !path.is_empty());
    let found = found.unwrap_or_default().trim_start_matches("./").trim_matches('/');
    if found == "." { String::new() } else { found.to_owned() }
}

fn follows(value: &Value, source: Option<&Value>) -> String {
    let flux = source.and_then(|source| {
        ["commit", "name", "semver", "tag", "branch"].iter().find_map(|key| {
            let name = text(source, &format!("/spec/ref/{key}"));
            (!name.is_empty()).then(|| format!("{key} {name}"))
        })
    });
    let argo = || {
        let revisions = argo_sources(value).map(|source| text(source, "/targetRevision"));
        revisions.into_iter().find(|name| !name.is_empty()).map(str::to_owned)
    };
    flux.or_else(argo).unwrap_or_default()
}

/// Flux deletes what a Kustomization or HelmRelease made only where that is not suspended. Argo CD does it by a finalizer of the
/// Application; the Applications of an ApplicationSet belong to it.
fn cascades(id: &ObjectId, value: &Value) -> bool {
    let finalizers = value.pointer("/metadata/finalizers").and_then(Value::as_array);
    let mut finalizers = finalizers.into_iter().flatten().filter_map(Value::as_str);
    id.kind == "ApplicationSet" || finalizers.any(|name| name.starts_with("resources-finalizer.argocd.argoproj.io"))
}

fn owner(id: &ObjectId, value: &Value) -> Option<ObjectId> {
    let owners = value.pointer("/metadata/ownerReferences").and_then(Value::as_array)?;
    let owner = owners.iter().find(|owner| owner["controller"] == true)?;
    let group = text(owner, "/apiVersion")
        .split_once('/')
        .map_or("", |(group, _)| group);
    Some(ObjectId::new(
        group,
        text(owner, "/kind"),
        id.namespace.as_deref(),
        text(owner, "/name"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "0123456789abcdef0123456789abcdef01234567";
    const LAST: &str = "89abcdef0123456789abcdef0123456701234567";

    fn flux(suspend: Value) -> Value {
        json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": "apps", "namespace": "flux-system", "uid": "u"},
            "spec": {"path": "./apps/", "suspend": suspend, "sourceRef": {"kind": "GitRepository", "name": "fleet"}},
            "status": {"lastAppliedRevision": format!("main@sha1:{LAST}")},
        })
    }

    fn application(policy: Value) -> Value {
        json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "bank", "namespace": "argocd", "uid": "u"},
            "spec": {
                "source": {"repoURL": "https://git.example/bank", "path": "apps", "targetRevision": "main"},
                "syncPolicy": policy,
            },
            "status": {"sync": {"revision": HEAD}},
        })
    }

    fn read(value: &Value) -> LiveUnit {
        let source = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": {"name": "fleet", "namespace": "flux-system"},
            "spec": {"url": "ssh://git@git.example/fleet", "ref": {"branch": "main"}},
            "status": {"artifact": {"revision": format!("main@sha1:{HEAD}")}},
        });
        let id = ObjectId::new(
            "source.toolkit.fluxcd.io",
            "GitRepository",
            Some("flux-system"),
            "fleet",
        );
        LiveUnit::of(value, &BTreeMap::from([(id, source)])).expect("because it is an engine's")
    }

    fn merged(value: &Value, patch: Value) -> Value {
        let mut value = value.clone();
        merge(value.as_object_mut().expect("because it is an object"), patch);
        value
    }

    #[test]
    fn a_kustomization_is_read_with_its_source() {
        let unit = read(&flux(json!(false)));
        assert_eq!(unit.repositories, ["ssh://git@git.example/fleet"]);
        assert_eq!((&*unit.path, &*unit.follows), ("apps", "branch main"));
        assert_eq!((&*unit.next, &*unit.synced), (HEAD, LAST));
        assert!(!unit.suspended);
    }

    #[test]
    fn an_application_is_read() {
        let unit = read(&application(json!({"automated": {}})));
        assert_eq!(unit.repositories, ["https://git.example/bank"]);
        assert_eq!((&*unit.path, &*unit.follows, &*unit.next), ("apps", "main", HEAD));
        assert!(!unit.suspended);
        assert!(read(&application(json!({"automated": {"enabled": false}}))).suspended);
        assert!(read(&application(Value::Null)).suspended);
        assert!(!unit.cascades);
        let mut held = application(Value::Null);
        held["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io/background"]);
        assert!(read(&held).cascades);
    }

    #[test]
    fn what_was_synced_is_not_what_is_compared_with() {
        let mut compared = application(Value::Null);
        assert_eq!((&*read(&compared).next, &*read(&compared).synced), (HEAD, HEAD));
        compared["status"]["history"] = json!([{"revision": HEAD}, {"revision": LAST}]);
        assert_eq!((&*read(&compared).next, &*read(&compared).synced), (HEAD, LAST));
        compared["status"]["history"][1] = json!({"revisions": ["1.2.3", LAST]});
        assert_eq!(read(&compared).synced, LAST);
    }

    #[test]
    fn revisions_are_read_in_every_spelling() {
        for text in [format!("main@sha1:{HEAD}"), format!("main/{HEAD}"), HEAD.to_owned()] {
            assert_eq!(commit(&text), HEAD, "{text}");
        }
        for text in ["", "v1.2.3", "1.0.0+1"] {
            assert_eq!(commit(text), "", "{text}");
        }
    }

    #[test]
    fn every_switch_is_put_back_as_it_was() {
        let before = [
            flux(Value::Null),
            flux(json!(false)),
            application(json!({"automated": {"prune": true}, "retry": {"limit": 2}})),
            json!({
                "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "x"}, "spec": {},
            }),
            json!({
                "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "x"},
                "spec": {"syncPolicy": {"applicationsSync": "sync"}},
            }),
        ];
        for live in &before {
            let unit = read(live);
            let patch = unit.suspend().expect("because it is not suspended");
            assert_eq!(patch["metadata"]["uid"], unit.uid, "only this one");
            let off = merged(live, patch);
            let unit = read(&off);
            assert!(unit.suspended, "{off}");
            assert_eq!(unit.suspend(), None);
            let on = merged(&off, unit.resume().expect("because refloat suspended it"));
            let switch = Switch::of(&unit.id.group, &unit.id.kind).expect("because it is an engine's");
            assert_eq!(switch.value(&on), switch.value(live), "{on}");
            assert_eq!(read(&on).put_aside, None);

            let mut declared = Manifest::new(live.clone()).expect("because it is complete");
            suspend_declared(&mut declared, true);
            assert_eq!(read(declared.value()).put_aside, unit.put_aside);
            assert!(read(declared.value()).suspended);
        }
        let fired = |one: &Switch| before.iter().any(|value| value["kind"] == one.kind);
        assert!(SWITCHES.iter().all(fired), "every row fires");
    }

    #[test]
    fn what_others_suspended_or_resumed_is_theirs() {
        let set = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "x"}, "spec": {"goTemplate": true},
        });
        let off = merged(&set, read(&set).suspend().expect("because it is not suspended"));
        let on = merged(&off, read(&off).resume().expect("because refloat suspended it"));
        assert_eq!(on["spec"], set["spec"], "nothing empty is left");

        let theirs = flux(json!(true));
        assert_eq!(read(&theirs).suspend(), None);
        assert_eq!(read(&theirs).resume(), None);
        let mut declared = Manifest::new(theirs.clone()).expect("because it is complete");
        suspend_declared(&mut declared, true);
        assert_eq!(*declared.value(), theirs);

        let mut resumed = flux(json!(false));
        resumed["metadata"]["annotations"] = json!({SUSPENDED: "null"});
        let patch = read(&resumed).resume().expect("because the mark is there");
        assert_eq!(patch.get("spec"), None, "only the mark goes");
    }
}
