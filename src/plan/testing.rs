//! Sets and facts for the tests of this room.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Plan, PlanOptions, build};
use crate::object::builtin::served_kinds;
use crate::object::{
    Cel, Declared, DeclaredSet, EngineUnit, Entry, ExistingObject, Facts, HealthCheck, Hook, KubeVersion, Manifest,
    ObjectId, Provenance, ReadyWhen, Renderer, Repository, Turn, Unit, UnitIndex, Writer, resolve,
};

pub(crate) fn facts() -> Facts {
    let version = KubeVersion { major: 1, minor: 37 };
    Facts {
        context: None,
        version,
        kinds: served_kinds(version),
        existing: BTreeMap::new(),
        present: BTreeSet::new(),
        foreign: Vec::new(),
        engines: Vec::new(),
        record: None,
        recorded: BTreeMap::new(),
        deployed: BTreeSet::new(),
        ran: BTreeSet::new(),
        changed_charts: BTreeSet::new(),
        denied: Vec::new(),
        gaps: Vec::new(),
    }
}

/// An object that is there, and of which nothing else is known.
pub(crate) fn existing() -> ExistingObject {
    ExistingObject {
        uid: "u".to_owned(),
        resource_version: "1".to_owned(),
        terminating: false,
        managers: BTreeSet::new(),
        replicas: None,
        failed: false,
        change: None,
    }
}

/// YAML documents, as data.
pub(crate) fn yaml(text: &str) -> Vec<Value> {
    text.split("\n---\n")
        .map(|document| serde_yaml::from_str(document).expect("because tests write good YAML"))
        .collect()
}

/// A set of a unit `all` and one for each Flux Kustomization among the objects, each object in a file of its own in the order given.
/// The key `unit` of an object names the Kustomization (`namespace/name`) whose it is; Helm's hook annotations are honoured.
pub(crate) fn set(objects: Vec<Value>) -> DeclaredSet {
    let units = units(&objects);
    let objects = (objects.into_iter().enumerate())
        .map(|(place, mut object)| {
            let of = object.as_object_mut().and_then(|object| object.shift_remove("unit"));
            let name = of.map_or("all".to_owned(), |of| {
                format!("Kustomization/{}", of.as_str().unwrap_or_default())
            });
            let unit = units.iter().position(|unit| unit.name == name);
            let manifest = Manifest::new(object).expect("because tests write whole objects");
            let hook = manifest.annotation("helm.sh/hook").map(|hook| Hook {
                after: hook.starts_with("post"),
                weight: manifest
                    .annotation("helm.sh/hook-weight")
                    .map_or(0, |weight| weight.parse().unwrap_or(0)),
            });
            let wave = manifest.annotation("argocd.argoproj.io/sync-wave");
            let turn = wave.map(|wave| Turn {
                phase: 0,
                wave: wave.parse().unwrap_or(0),
            });
            Declared {
                id: manifest.id(),
                manifest,
                provenance: Provenance {
                    file: format!("all/{place:05}.yaml"),
                    document: 0,
                    line: 1,
                    renderer: Renderer::Plain,
                },
                unit: UnitIndex(unit.unwrap_or_default()),
                writer: Writer::ServerSide("refloat".to_owned()),
                generated: Vec::new(),
                namespace: None,
                waivers: Vec::new(),
                hook,
                turn,
            }
        })
        .collect();
    DeclaredSet {
        repository: Repository {
            location: ".".to_owned(),
            commit: None,
            subject: None,
            time: None,
            dirty: false,
        },
        entry: Entry {
            paths: vec![String::new()],
            dialect: "manifests".to_owned(),
            detected: true,
        },
        units,
        objects,
        problems: Vec::new(),
        unreached: 0,
        wanted: Vec::new(),
        wanted_clusters: Vec::new(),
    }
}

fn units(objects: &[Value]) -> Vec<Unit> {
    let mut units = vec![Unit {
        name: "all".to_owned(),
        path: "all".to_owned(),
        renderer: Renderer::Plain,
        engine: None,
        record: None,
    }];
    let group = "kustomize.toolkit.fluxcd.io";
    for object in objects
        .iter()
        .filter(|object| object["apiVersion"].as_str().is_some_and(|v| v.starts_with(group)))
    {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let id = |name: &Value| {
            ObjectId::new(
                group,
                "Kustomization",
                object["metadata"]["namespace"].as_str(),
                text(name),
            )
        };
        let after = object["spec"]["dependsOn"].as_array().into_iter().flatten();
        let checks = object["spec"]["healthChecks"].as_array().into_iter().flatten();
        let check = |one: &Value| {
            let group = one["apiVersion"].as_str().and_then(|api| api.split_once('/'));
            ObjectId::new(
                group.map_or("apps", |(group, _)| group),
                text(&one["kind"]),
                one["namespace"].as_str(),
                text(&one["name"]),
            )
        };
        let checks: Vec<ObjectId> = checks.map(check).collect();
        let ready = match (object["spec"]["wait"] == true, checks.is_empty()) {
            (true, _) => ReadyWhen::Healthy,
            (false, true) => ReadyWhen::Applied,
            (false, false) => ReadyWhen::These(checks),
        };
        let exprs = object["spec"]["healthCheckExprs"].as_array().into_iter().flatten();
        let exprs = exprs.map(|one| HealthCheck {
            group: "example.com".to_owned(),
            kind: one["kind"].as_str().map(str::to_owned),
            current: Cel::parse(&text(&one["current"])).expect("because it is right"),
            failed: None,
            in_progress: None,
            about: &[],
        });
        let exprs = exprs.collect();
        let object = id(&object["metadata"]["name"]);
        units.push(Unit {
            name: object.to_string(),
            path: text(&Value::from(object.name.as_str())),
            renderer: Renderer::Kustomize,
            engine: Some(EngineUnit {
                after: after.map(|one| id(&one["name"])).collect(),
                object,
                ready,
                checks: exprs,
            }),
            record: None,
        });
    }
    units
}

/// The plan of these objects for an empty cluster, with nothing held back.
pub(crate) fn planned(objects: Vec<Value>) -> Plan {
    let options = PlanOptions {
        old_cluster_is_gone: true,
        ..PlanOptions::default()
    };
    planned_for(objects, &facts(), &options)
}

pub(crate) fn planned_for(objects: Vec<Value>, facts: &Facts, options: &PlanOptions) -> Plan {
    let set = resolve(set(objects), &facts.kinds, "default");
    build(&set, facts, options).expect("because nothing here is a ring that people wrote")
}

/// Edges as `from → to`, with the row that made them, sorted.
pub(crate) fn edges(plan: &Plan) -> Vec<(String, String, &'static str)> {
    let name = |node| match (plan.step(node), plan.gate(node)) {
        (Some(step), _) => step.id.to_string(),
        (None, gate) => format!("[{}]", gate.map_or("", |gate| &gate.name)),
    };
    let mut edges: Vec<_> = (plan.edges.iter())
        .map(|edge| (name(edge.from), name(edge.to), edge.reason.rule))
        .collect();
    edges.sort();
    edges
}
