//! A plan as one document.

use std::io::{self, Write};

use serde::Serialize;

use super::shape::{Node, Object, Remark, Where, Wrong, declared_at, objects, remarks, wrongs};
use super::summary::Subject;
use super::{VERSION, document};
use crate::object::Unit;
use crate::plan::{Cut, Edge, NodeIndex, Plan, Step, StepAction};
use crate::report::{About, words};

#[derive(Debug, Serialize)]
struct Document<'a> {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<Subject<'a>>,
    steps: Vec<Planned<'a>>,
    gates: Vec<Gate<'a>>,
    notes: Vec<Remark<'a>>,
    problems: Vec<Wrong<'a>>,
    cuts: Vec<Cutting<'a>>,
}

#[derive(Debug, Serialize)]
struct Planned<'a> {
    step: usize,
    object: Object<'a>,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manager: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    create_only: bool,
    #[serde(skip_serializing_if = "is_false")]
    recreate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Where>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renderer: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hook: Option<Hook>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deleted: Vec<&'static str>,
    waits: Vec<Wait<'a>>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

#[derive(Debug, Serialize)]
struct Hook {
    after: bool,
    weight: i64,
}

#[derive(Debug, Serialize)]
struct Gate<'a> {
    step: usize,
    gate: &'a str,
    waits: Vec<Wait<'a>>,
}

#[derive(Debug, Serialize)]
struct Wait<'a> {
    r#for: u32,
    #[serde(flatten)]
    node: Node<'a>,
    until: &'static str,
    strength: &'static str,
    rule: &'static str,
    because: &'a str,
}

#[derive(Debug, Serialize)]
struct Cutting<'a> {
    ring: Vec<Object<'a>>,
    until: &'static str,
    strength: &'static str,
    because: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    weakened_to: Option<&'static str>,
}

/// Writes a plan as one document. `units` are those of the declared set that the plan was made from.
///
/// # Errors
/// Those of the writer.
pub fn plan(plan: &Plan, units: &[Unit], about: Option<About<'_>>, out: &mut dyn Write) -> io::Result<()> {
    let steps = plan.steps.iter().enumerate();
    let gates = plan.gates.iter().enumerate();
    let value = Document {
        version: VERSION,
        about: about.map(Subject::from),
        steps: steps.map(|(index, step)| planned(plan, units, index, step)).collect(),
        gates: gates
            .map(|(index, gate)| Gate {
                step: plan.steps.len() + index,
                gate: &gate.name,
                waits: waits(plan, plan.steps.len() + index),
            })
            .collect(),
        notes: remarks(&plan.notes),
        problems: wrongs(&plan.problems),
        cuts: plan.cuts.iter().map(cutting).collect(),
    };
    document(&value, out)
}

fn planned<'a>(plan: &'a Plan, units: &'a [Unit], index: usize, step: &'a Step) -> Planned<'a> {
    let mut planned = Planned {
        step: index,
        object: Object::from(&step.id),
        action: words::step_action(&step.action),
        text: None,
        uid: None,
        revision: None,
        api_version: None,
        manager: None,
        create_only: false,
        recreate: false,
        unit: step.unit.and_then(|unit| units.get(unit.0)).map(|unit| &*unit.name),
        place: declared_at(step.provenance.as_ref()),
        renderer: step.provenance.as_ref().map(|from| words::renderer(from.renderer)),
        hook: step.hook.as_ref().map(|hook| Hook {
            after: hook.after,
            weight: hook.weight,
        }),
        deleted: words::cleanup(step),
        waits: waits(plan, index),
    };
    match &step.action {
        StepAction::Apply {
            manifest,
            writer,
            create_only,
            recreate,
        } => {
            planned.api_version = Some(manifest.api_version());
            planned.manager = Some(writer.manager());
            planned.create_only = *create_only;
            planned.recreate = *recreate;
        }
        StepAction::Await(text) | StepAction::HoldBack(text) => planned.text = Some(text),
        StepAction::Done { why, left } => {
            planned.text = Some(why);
            planned.uid = left.as_deref();
        }
        StepAction::Patch { .. } => {}
        StepAction::Delete { uid, revision } => {
            planned.uid = Some(uid);
            planned.revision = Some(revision);
        }
    }
    planned
}

fn waits(plan: &Plan, index: usize) -> Vec<Wait<'_>> {
    let node = u32::try_from(index).map(NodeIndex);
    let edges = node.map(|node| plan.waits_of(node)).unwrap_or_default();
    let wait = |edge| wait(plan, edge);
    edges.iter().map(wait).collect()
}

fn wait<'a>(plan: &'a Plan, edge: &'a Edge) -> Wait<'a> {
    Wait {
        r#for: edge.to.0,
        node: Node::new(plan, edge.to),
        until: words::until(edge.until),
        strength: words::strength(edge.strength),
        rule: edge.reason.rule,
        because: &edge.reason.text,
    }
}

fn cutting(cut: &Cut) -> Cutting<'_> {
    Cutting {
        ring: objects(&cut.ring),
        until: words::until(cut.edge.until),
        strength: words::strength(cut.edge.strength),
        because: &cut.edge.reason.text,
        weakened_to: cut.weakened_to.map(words::until),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Hook, Place, Problem, Renderer};
    use crate::plan::{Note, NoteKind, Strength, Until};
    use crate::report::sample::{self, id};

    fn shown(of: &Plan) -> String {
        let units = [Unit {
            name: "apps".to_owned(),
            path: "apps".to_owned(),
            renderer: Renderer::Plain,
            engine: None,
            record: None,
        }];
        let mut out = Vec::new();
        plan(of, &units, None, &mut out).expect("because a Vec takes all");
        String::from_utf8(out).expect("because it is text")
    }

    #[test]
    fn a_plan_with_all_of_it() {
        let (mut plan, _) = sample::fine();
        plan.steps[0].action = StepAction::Await("made by an operator".to_owned());
        plan.steps[2].hook = Some(Hook {
            after: true,
            weight: -5,
        });
        plan.notes.push(Note {
            kind: NoteKind::ActsOutside,
            object: Some(id("Job", "payout")),
            place: Some(Place::at("apps/payout.yaml", 2)),
            message: "would run a program".to_owned(),
            hint: None,
        });
        plan.problems.push(Problem::error(Place::file("x.yaml"), "is no YAML"));
        plan.cuts.push(Cut {
            ring: vec![id("Deployment", "db"), id("Deployment", "api")],
            edge: sample::edge(1, 2, Until::Ready, Strength::Soft, "it calls it"),
            weakened_to: Some(Until::Exists),
        });
        let shown = shown(&plan);
        assert!(!shown.contains("canary"));
        insta::assert_snapshot!(shown, @r#"
        {
          "version": 1,
          "steps": [
            {
              "step": 0,
              "object": {
                "group": "",
                "kind": "Namespace",
                "name": "bank"
              },
              "action": "await",
              "text": "made by an operator",
              "unit": "apps",
              "place": {
                "file": "infra/ns.yaml",
                "line": 1
              },
              "renderer": "plain",
              "waits": []
            },
            {
              "step": 1,
              "object": {
                "group": "apps",
                "kind": "Deployment",
                "namespace": "bank",
                "name": "db"
              },
              "action": "apply",
              "api_version": "v1",
              "manager": "refloat",
              "unit": "apps",
              "place": {
                "file": "apps/db.yaml",
                "line": 1
              },
              "renderer": "plain",
              "waits": [
                {
                  "for": 0,
                  "object": {
                    "group": "",
                    "kind": "Namespace",
                    "name": "bank"
                  },
                  "until": "exists",
                  "strength": "hard",
                  "rule": "sample",
                  "because": "it lives in that namespace"
                }
              ]
            },
            {
              "step": 2,
              "object": {
                "group": "apps",
                "kind": "Deployment",
                "namespace": "bank",
                "name": "api"
              },
              "action": "apply",
              "api_version": "v1",
              "manager": "refloat",
              "unit": "apps",
              "place": {
                "file": "apps/api.yaml",
                "line": 14
              },
              "renderer": "plain",
              "hook": {
                "after": true,
                "weight": -5
              },
              "waits": [
                {
                  "for": 0,
                  "object": {
                    "group": "",
                    "kind": "Namespace",
                    "name": "bank"
                  },
                  "until": "exists",
                  "strength": "hard",
                  "rule": "sample",
                  "because": "it lives in that namespace"
                },
                {
                  "for": 3,
                  "gate": "unit apps/db",
                  "until": "ready",
                  "strength": "written",
                  "rule": "sample",
                  "because": "the annotation depends-on says so"
                }
              ]
            }
          ],
          "gates": [
            {
              "step": 3,
              "gate": "unit apps/db",
              "waits": [
                {
                  "for": 1,
                  "object": {
                    "group": "apps",
                    "kind": "Deployment",
                    "namespace": "bank",
                    "name": "db"
                  },
                  "until": "ready",
                  "strength": "hard",
                  "rule": "sample",
                  "because": "it belongs to that unit"
                }
              ]
            }
          ],
          "notes": [
            {
              "kind": "acts-outside",
              "decide": true,
              "object": {
                "group": "batch",
                "kind": "Job",
                "namespace": "bank",
                "name": "payout"
              },
              "place": {
                "file": "apps/payout.yaml",
                "line": 2
              },
              "message": "would run a program"
            }
          ],
          "problems": [
            {
              "kind": "error",
              "places": [
                {
                  "file": "x.yaml"
                }
              ],
              "message": "is no YAML"
            }
          ],
          "cuts": [
            {
              "ring": [
                {
                  "group": "apps",
                  "kind": "Deployment",
                  "namespace": "bank",
                  "name": "db"
                },
                {
                  "group": "apps",
                  "kind": "Deployment",
                  "namespace": "bank",
                  "name": "api"
                }
              ],
              "until": "ready",
              "strength": "soft",
              "because": "it calls it",
              "weakened_to": "exists"
            }
          ]
        }
        "#);
    }

    #[test]
    fn what_is_suspended_and_deleted_says_so() {
        let (plan, _) = sample::rolled_back();
        let shown: serde_json::Value = serde_json::from_str(&shown(&plan)).expect("because it is JSON");
        assert_eq!(shown["steps"][0]["action"], "suspend");
        let deleted = &shown["steps"][3];
        let fields = [&deleted["action"], &deleted["uid"], &deleted["revision"]];
        assert_eq!(fields, ["delete", "u", "0123456789ab"]);
    }

    #[test]
    fn an_empty_plan() {
        insta::assert_snapshot!(shown(&Plan::default()), @r#"
        {
          "version": 1,
          "steps": [],
          "gates": [],
          "notes": [],
          "problems": [],
          "cuts": []
        }
        "#);
    }
}
