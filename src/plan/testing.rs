//! Sets and facts for the tests of this room.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Plan, PlanOptions, build};
use crate::object::builtin::served_kinds;
use crate::object::{
    Declared, DeclaredSet, Entry, Facts, Hook, KubeVersion, Manifest, Provenance, Renderer, Repository, Unit,
    UnitIndex, Writer, resolve,
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
        record: None,
        denied: Vec::new(),
        gaps: Vec::new(),
    }
}

/// YAML documents, as data.
pub(crate) fn yaml(text: &str) -> Vec<Value> {
    text.split("\n---\n")
        .map(|document| serde_yaml::from_str(document).expect("because tests write good YAML"))
        .collect()
}

/// A set of one unit `all`, each object in a file of its own in the order given; Helm's hook annotations are honoured.
pub(crate) fn set(objects: Vec<Value>) -> DeclaredSet {
    let objects = (objects.into_iter().enumerate())
        .map(|(place, object)| {
            let manifest = Manifest::new(object).expect("because tests write whole objects");
            let hook = manifest.annotation("helm.sh/hook").map(|hook| Hook {
                after: hook.starts_with("post"),
                weight: manifest
                    .annotation("helm.sh/hook-weight")
                    .map_or(0, |weight| weight.parse().unwrap_or(0)),
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
                unit: UnitIndex(0),
                writer: Writer::ServerSide("refloat".to_owned()),
                generated: Vec::new(),
                waivers: Vec::new(),
                hook,
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
        units: vec![Unit {
            name: "all".to_owned(),
            path: "all".to_owned(),
            renderer: Renderer::Plain,
        }],
        objects,
        problems: Vec::new(),
        unreached: 0,
    }
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
