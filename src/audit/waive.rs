//! What units tell their engines not to compare: `ignoreDifferences` of Argo CD, `ignore` of Flux, and marks in manifests.
//!
//! Sources: Argo CD's diffing customisation (`util/argo/normalizers`, `util/argo/managedfields`, `util/settings`); Flux's
//! `spec.ignore`, `spec.driftDetection.ignore` and apply policies (`fluxcd/pkg/ssa`, kustomize-controller, helm-controller).

use std::collections::{BTreeMap, BTreeSet};

use kustomize::Target;
use serde_json::{Value, json};

use super::glob::fits;
use super::managed::{APPLICATION, HELM_RELEASE, KUSTOMIZATION, Known, Unit, Units, apps_of, is};
use crate::object::{
    Declared, DeclaredSet, Expression, FactGap, LiveObject, LiveSet, ObjectId, PastSet, Waived, Waiver,
};

/// Marks of Flux in a manifest, as labels or annotations: (key, value in any case, what it leaves alone).
///
/// `IfNotPresent`, `Ignore` and `disabled` stop the engine from writing to an object that exists, `Merge` from taking away what others
/// added. They count where Git has them: put on a live object by hand they would hide what was done by hand.
const MARKS: &[(&str, &str, Waived)] = &[
    (Declared::SSA, "IfNotPresent", Waived::All),
    (Declared::SSA, "Ignore", Waived::All),
    (Declared::SSA, "Merge", Waived::Additions),
    (Declared::RECONCILE, "disabled", Waived::All),
    ("helm.toolkit.fluxcd.io/driftDetection", "disabled", Waived::All),
];

/// Argo CD's ConfigMap.
const SETTINGS: &str = "argocd-cm";
/// The prefix of settings in Argo CD's ConfigMap that say what is not compared, of a group and kind each.
const IGNORE_DIFFERENCES: &str = "resource.customizations.ignoreDifferences.";
/// Where the ConfigMap has them all in one.
const CUSTOMIZATIONS: &str = "resource.customizations";

/// What a unit leaves alone in the objects that it is about.
struct Rule {
    by: String,
    about: About,
    what: Vec<Waived>,
}

enum About {
    /// As Argo CD has it: patterns of group and kind; name and namespace as they are, or empty.
    Patterns([String; 2], [String; 2]),
    /// As Flux has it; without a target, all.
    Selected(Option<Target>),
}

/// The units to read in the cluster: Flux's Kustomizations, for what they list as theirs; kapp's apps, for their names; and what stands
/// for units of declared objects and is not declared itself, although Git stands behind it (an ApplicationSet's Application), for what it
/// says. So are the settings of an Argo CD that was installed by hand.
pub fn units_to_read(set: &DeclaredSet, past: &PastSet, live: &LiveSet) -> BTreeSet<ObjectId> {
    let by_id = by_id(set);
    let units = Units::new(live, &by_id, past, &BTreeMap::new());
    let mut known: BTreeMap<ObjectId, bool> = BTreeMap::new();
    for id in by_id.keys() {
        let unit = live.objects.get(*id).and_then(|object| units.of(id, object));
        let Some(unit) = unit else { continue };
        let Some(object) = unit.object.clone().filter(says_something) else {
            continue;
        };
        let there = live.objects.contains_key(&object) && !by_id.contains_key(&object);
        known
            .entry(object)
            .or_insert_with(|| there && !matches!(units.known(&unit), Known::Never));
    }
    let kustomizations = live.of_kind(KUSTOMIZATION.0, KUSTOMIZATION.1).map(|(id, _)| id.clone());
    let known = known.into_iter().filter(|(_, read)| *read).map(|(id, _)| id);
    known
        .chain(kustomizations)
        .chain(apps_of(live).cloned())
        .chain(settings_to_read(&by_id, live))
        .collect()
}

/// The settings that Argo CD goes by where nobody declares any: where it usually is, else where its Applications are.
fn settings_to_read(declared: &BTreeMap<&ObjectId, &Declared>, live: &LiveSet) -> Option<ObjectId> {
    if declared.keys().any(|id| is_settings(id)) {
        return None;
    }
    let applications = || {
        live.of_kind(APPLICATION.0, APPLICATION.1)
            .map(|(id, _)| id.namespace.as_deref())
    };
    applications().next()?;
    let settings = |home| ObjectId::new("", "ConfigMap", home, SETTINGS);
    let mut homes = std::iter::once(Some("argocd")).chain(applications()).map(settings);
    homes.find(|id| live.objects.contains_key(id))
}

fn is_settings(id: &ObjectId) -> bool {
    id.is("", "ConfigMap") && id.name == SETTINGS
}

/// Notes on each declared object what its engine is told not to compare. `read` are the [units that were read](units_to_read).
///
/// Which unit an object belongs to is told by the marks of its live counterpart. Gives what could not be understood: it leaves nothing
/// alone.
pub fn waive(set: &mut DeclaredSet, past: &PastSet, live: &LiveSet, read: &BTreeMap<ObjectId, Value>) -> Vec<FactGap> {
    let mut waivers = Vec::new();
    let mut gaps = BTreeSet::new();
    {
        let by_id = by_id(set);
        let units = Units::new(live, &by_id, past, read);
        let mut rules = Rules {
            declared: &by_id,
            // What Git does not stand behind could hide what was done by hand. Settings are Argo CD's own, and told as never in Git.
            read: read
                .iter()
                .filter(|(id, _)| units.is_backed(id) || is_settings(id))
                .collect(),
            of_argo: Vec::new(),
            of_units: BTreeMap::new(),
            gaps: &mut gaps,
        };
        rules.read_settings();
        for declared in &set.objects {
            let object = live.objects.get(&declared.id);
            let of_unit = object.map(|object| rules.about(declared, object, units.of(&declared.id, object)));
            waivers.push(marks(declared).chain(of_unit.into_iter().flatten()).collect());
        }
    }
    for (declared, waivers) in set.objects.iter_mut().zip(waivers) {
        declared.waivers = waivers;
    }
    gaps.into_iter()
        .map(|(what, reason)| FactGap { what, reason })
        .collect()
}

fn by_id(set: &DeclaredSet) -> BTreeMap<&ObjectId, &Declared> {
    set.objects.iter().map(|one| (&one.id, one)).collect()
}

fn says_something(object: &ObjectId) -> bool {
    [APPLICATION, KUSTOMIZATION, HELM_RELEASE]
        .iter()
        .any(|kind| is(object, *kind))
}

fn marks(declared: &Declared) -> impl Iterator<Item = Waiver> {
    let marks = MARKS.iter().filter(|(key, value, _)| declared.is_marked(key, value));
    marks.map(|(key, value, what)| Waiver {
        by: format!("{key}: {value}"),
        what: what.clone(),
    })
}

/// What all units say, read once each.
struct Rules<'a> {
    declared: &'a BTreeMap<&'a ObjectId, &'a Declared>,
    read: BTreeMap<&'a ObjectId, &'a Value>,
    /// Argo CD's settings, for the objects of every Application.
    of_argo: Vec<Rule>,
    of_units: BTreeMap<ObjectId, Vec<Rule>>,
    gaps: &'a mut BTreeSet<(String, String)>,
}

impl Rules<'_> {
    /// The waivers of an object that this unit made.
    fn about(&mut self, declared: &Declared, object: &LiveObject, unit: Option<Unit>) -> Vec<Waiver> {
        let Some(unit) = unit else { return Vec::new() };
        let stands = unit.object.and_then(|object| self.spec(&object));
        if let Some((id, spec)) = &stands
            && !self.of_units.contains_key(id)
        {
            let rules = self.of_unit(id, spec);
            self.of_units.insert(id.clone(), rules);
        }
        let own = stands.and_then(|(id, _)| self.of_units.get(&id));
        let of_argo = self.of_argo.iter().filter(|_| unit.tool == "Argo CD");
        let rules = own.into_iter().flatten().chain(of_argo);
        let rules = rules.filter(|rule| rule.is_about(declared, object));
        let waivers = rules.flat_map(|rule| {
            rule.what.iter().map(|what| Waiver {
                by: rule.by.clone(),
                what: what.clone(),
            })
        });
        waivers.collect()
    }

    /// The object that stands for a unit, as Git has it, else as it was read. An Application may be named without its namespace.
    fn spec(&self, object: &ObjectId) -> Option<(ObjectId, Value)> {
        let named =
            |id: &ObjectId| object.namespace.is_none() && id.is(&object.group, &object.kind) && id.name == object.name;
        let declared = match self.declared.get(object) {
            Some(one) => Some(*one),
            None => self.declared.values().find(|one| named(&one.id)).copied(),
        };
        let spec = |value: &Value| value.get("spec").cloned().unwrap_or_default();
        match declared {
            Some(one) => Some((one.id.clone(), spec(one.manifest.value()))),
            None => Some((object.clone(), spec(self.read.get(object)?))),
        }
    }

    fn of_unit(&mut self, id: &ObjectId, spec: &Value) -> Vec<Rule> {
        let by = id.to_string();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        if is(id, APPLICATION) {
            let differences = list(&spec["ignoreDifferences"]);
            return differences.iter().map(|one| self.of_argo(&by, one)).collect();
        }
        let ignore = match is(id, HELM_RELEASE) {
            true => &spec["driftDetection"]["ignore"],
            false => &spec["ignore"],
        };
        list(ignore).iter().filter_map(|one| self.of_flux(&by, one)).collect()
    }

    /// `{group, kind, namespace, name, jsonPointers, jqPathExpressions, managedFieldsManagers}`.
    fn of_argo(&mut self, by: &str, one: &Value) -> Rule {
        let text = |name: &str| field(one, name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Rule {
            by: by.to_owned(),
            about: About::Patterns([text("group"), text("kind")], [text("namespace"), text("name")]),
            what: self.differences(by, one),
        }
    }

    fn differences(&mut self, by: &str, one: &Value) -> Vec<Waived> {
        let mut what: Vec<Waived> = texts(one, "jsonPointers").map(Waived::Pointer).collect();
        for text in texts(one, "jqPathExpressions") {
            match Expression::parse(&text) {
                Ok(expression) => what.push(Waived::Expression(expression)),
                Err(reason) => self.not_understood(by, &text, reason),
            }
        }
        let managers: Vec<String> = texts(one, "managedFieldsManagers").collect();
        what.extend((!managers.is_empty()).then_some(Waived::Managers(managers)));
        what
    }

    /// `{paths, target}`.
    fn of_flux(&mut self, by: &str, one: &Value) -> Option<Rule> {
        let target = match one.get("target").filter(|target| !target.is_null()) {
            None => None,
            Some(target) => match Target::read(target) {
                Ok(target) => Some(target),
                Err(reason) => {
                    self.not_understood(by, &target.to_string(), reason);
                    return None;
                }
            },
        };
        Some(Rule {
            by: by.to_owned(),
            about: About::Selected(target),
            what: texts(one, "paths").map(Waived::Pointer).collect(),
        })
    }

    /// What Argo CD's ConfigMap says for all Applications.
    fn read_settings(&mut self) {
        let (declared, read) = (self.declared, self.read.clone());
        let declared = declared.iter().filter(|(id, _)| is_settings(id));
        let declared: Vec<(&ObjectId, &Value)> = declared.map(|(id, map)| (*id, map.manifest.value())).collect();
        // Git's word counts, where there is one.
        let read = read
            .into_iter()
            .filter(|(id, _)| declared.is_empty() && is_settings(id));
        for (id, map) in declared.iter().copied().chain(read) {
            let by = id.to_string();
            let data = map["data"].as_object();
            for (key, text) in data.into_iter().flatten() {
                let Some(text) = text.as_str() else { continue };
                let parsed = || kube_yaml::parse_one(text.as_bytes()).value.unwrap_or_default();
                if let Some(kind) = key.strip_prefix(IGNORE_DIFFERENCES) {
                    let kind = kind.replace('_', "/");
                    self.of_argo_settings(&by, if kind == "all" { "*/*" } else { &kind }, &parsed());
                } else if key == CUSTOMIZATIONS {
                    for (kind, one) in parsed().as_object().into_iter().flatten() {
                        let text = field(one, "ignoreDifferences")
                            .and_then(Value::as_str)
                            .unwrap_or_default();
                        let differences = kube_yaml::parse_one(text.as_bytes()).value.unwrap_or_default();
                        self.of_argo_settings(&by, kind, &differences);
                    }
                }
            }
        }
    }

    fn of_argo_settings(&mut self, by: &str, kind: &str, differences: &Value) {
        let (group, kind) = kind.split_once('/').unwrap_or(("", kind));
        let what = self.differences(by, differences);
        let about = About::Patterns([group.to_owned(), kind.to_owned()], Default::default());
        self.of_argo.push(Rule {
            by: by.to_owned(),
            about,
            what,
        });
    }

    fn not_understood(&mut self, by: &str, what: &str, reason: String) {
        self.gaps.insert((format!("leave out {what}, as {by} says"), reason));
    }
}

impl Rule {
    fn is_about(&self, declared: &Declared, object: &LiveObject) -> bool {
        let id = &declared.id;
        match &self.about {
            About::Patterns([group, kind], [namespace, name]) => {
                let is = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
                fits(group, &id.group)
                    && fits(kind, &id.kind)
                    && is(namespace, id.namespace.as_deref().unwrap_or_default())
                    && is(name, &id.name)
            }
            About::Selected(None) => true,
            About::Selected(Some(target)) => {
                let head = json!({"apiVersion": declared.manifest.api_version(), "kind": id.kind, "metadata": {"name": id.name,
                    "namespace": id.namespace, "labels": object.labels, "annotations": object.annotations}});
                target.selects(&head).unwrap_or_default()
            }
        }
    }
}

/// A field by its name in any case, as Go reads JSON.
fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let fields = value.as_object()?;
    fields
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn texts(value: &Value, name: &str) -> impl Iterator<Item = String> + use<> {
    let list = field(value, name)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    list.into_iter().filter_map(|text| text.as_str().map(str::to_owned))
}
