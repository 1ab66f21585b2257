//! Events, one a line.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::shape::{Ended, Node, Object, Where, declared_at, said, seconds};
use super::summary::{Extra, Summed};
use super::{VERSION, line};
use crate::error::Failure;
use crate::event::Event;
use crate::plan::{NodeIndex, Plan};

#[derive(Debug, Serialize)]
struct Line<'a> {
    version: u32,
    #[serde(flatten)]
    body: Body<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<f64>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Body<'a> {
    Progress {
        text: &'a str,
    },
    Said {
        text: &'a str,
    },
    Warned {
        text: &'a str,
    },
    Started {
        steps: usize,
    },
    Sent {
        #[serde(flatten)]
        step: Step<'a>,
        after: f64,
    },
    Retrying {
        #[serde(flatten)]
        step: Step<'a>,
        reason: String,
        wait: f64,
    },
    Written {
        #[serde(flatten)]
        step: Step<'a>,
        after: f64,
    },
    Done {
        #[serde(flatten)]
        step: Step<'a>,
    },
    Settled {
        #[serde(flatten)]
        step: Step<'a>,
        after: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        place: Option<Where>,
        #[serde(flatten)]
        ended: Box<Ended<'a>>,
    },
    Waiting {
        r#for: Vec<Waiting<'a>>,
    },
    Interrupted {
        in_flight: usize,
    },
    Summary(Box<Summed<'a>>),
    Error {
        error: &'a str,
        causes: &'a [String],
        hints: &'a [String],
        exit_code: u8,
    },
}

#[derive(Debug, Serialize)]
struct Step<'a> {
    step: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Object<'a>>,
}

impl<'a> Step<'a> {
    fn new(plan: &'a Plan, node: NodeIndex) -> Self {
        Self {
            step: node.0,
            object: plan.step(node).map(|step| Object::from(&step.id)),
        }
    }
}

#[derive(Debug, Serialize)]
struct Waiting<'a> {
    #[serde(flatten)]
    node: Node<'a>,
    text: &'a str,
}

/// Writes an event as one line. `now` is the time since the start of the command, `plan` the one that runs (an empty one
/// before there is any).
///
/// # Errors
/// Those of the writer.
pub fn event(plan: &Plan, event: &Event, now: Duration, out: &mut dyn Write) -> io::Result<()> {
    let line_of = |body| Line {
        version: VERSION,
        body,
        at: Some(seconds(now)),
    };
    line(&line_of(body(plan, event)), out)
}

fn body<'a>(plan: &'a Plan, event: &'a Event) -> Body<'a> {
    let step = |node: &NodeIndex| Step::new(plan, *node);
    let id = |node: &NodeIndex| plan.step(*node).map(|step| &step.id);
    match event {
        Event::Progress(text) => Body::Progress { text },
        Event::Said(text) => Body::Said { text },
        Event::Warned(text) => Body::Warned { text },
        Event::Started { steps } => Body::Started { steps: *steps },
        Event::Sent { step: node, at } => Body::Sent {
            step: step(node),
            after: seconds(*at),
        },
        Event::Retrying {
            step: node,
            reason,
            after,
        } => Body::Retrying {
            step: step(node),
            reason: said(id(node), reason),
            wait: seconds(*after),
        },
        Event::Written { step: node, at } => Body::Written {
            step: step(node),
            after: seconds(*at),
        },
        Event::Done { step: node } => Body::Done { step: step(node) },
        Event::Settled {
            step: node,
            outcome,
            at,
        } => Body::Settled {
            step: step(node),
            after: seconds(*at),
            place: declared_at(plan.step(*node).and_then(|step| step.provenance.as_ref())),
            ended: Box::new(Ended::new(id(node), outcome)),
        },
        Event::Waiting(waiting) => Body::Waiting {
            r#for: waiting
                .iter()
                .map(|(node, text)| Waiting {
                    node: Node::new(plan, *node),
                    text,
                })
                .collect(),
        },
        Event::Interrupted { in_flight } => Body::Interrupted { in_flight: *in_flight },
        Event::Finished(summary) => Body::Summary(Box::new(Summed::new(plan, summary, &Extra::default()))),
    }
}

/// Writes why a run could not go on, as one line.
///
/// # Errors
/// Those of the writer.
pub fn failure(failure: &Failure, out: &mut dyn Write) -> io::Result<()> {
    let body = Body::Error {
        error: &failure.consequence,
        causes: &failure.causes,
        hints: &failure.hints,
        exit_code: failure.exit().code(),
    };
    line(
        &Line {
            version: VERSION,
            body,
            at: None,
        },
        out,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::report::sample::{self, millis};

    fn told(plan: &Plan, events: &[(u64, Event)]) -> String {
        let mut out = Vec::new();
        for (at, of) in events {
            event(plan, of, millis(*at), &mut out).expect("because a Vec takes all");
        }
        String::from_utf8(out).expect("because it is text")
    }

    #[test]
    fn one_event_a_line() {
        let (plan, summary) = sample::fine();
        let mut events = sample::events(&summary);
        let retry = Event::Retrying {
            step: NodeIndex(1),
            reason: "too many\nrequests".to_owned(),
            after: millis(250),
        };
        events.insert(1, (3, retry));
        events.insert(1, (2, Event::Interrupted { in_flight: 2 }));
        events.insert(0, (0, Event::Said("entry: \u{1b}\u{9b}\u{7f}".to_owned())));
        let waiting = vec![(NodeIndex(3), "db".to_owned()), (NodeIndex(1), "0 of 1".to_owned())];
        events.insert(1, (1, Event::Waiting(waiting)));
        insta::assert_snapshot!(told(&plan, &events), @r#"
        {"version":1,"event":"said","text":"entry: \u001b\u009b\u007f","at":0.0}
        {"version":1,"event":"waiting","for":[{"gate":"unit apps/db","text":"db"},{"object":{"group":"apps","kind":"Deployment","namespace":"bank","name":"db"},"text":"0 of 1"}],"at":0.001}
        {"version":1,"event":"started","steps":3,"at":0.0}
        {"version":1,"event":"interrupted","in_flight":2,"at":0.002}
        {"version":1,"event":"retrying","step":1,"object":{"group":"apps","kind":"Deployment","namespace":"bank","name":"db"},"reason":"too many\nrequests","wait":0.25,"at":0.003}
        {"version":1,"event":"sent","step":0,"object":{"group":"","kind":"Namespace","name":"bank"},"after":0.0,"at":0.0}
        {"version":1,"event":"written","step":0,"object":{"group":"","kind":"Namespace","name":"bank"},"after":0.012,"at":0.012}
        {"version":1,"event":"settled","step":0,"object":{"group":"","kind":"Namespace","name":"bank"},"after":0.02,"place":{"file":"infra/ns.yaml","line":1},"action":"created","readiness":"not-waited-for","look":false,"at":0.02}
        {"version":1,"event":"sent","step":1,"object":{"group":"apps","kind":"Deployment","namespace":"bank","name":"db"},"after":0.012,"at":0.012}
        {"version":1,"event":"written","step":1,"object":{"group":"apps","kind":"Deployment","namespace":"bank","name":"db"},"after":0.03,"at":0.03}
        {"version":1,"event":"settled","step":1,"object":{"group":"apps","kind":"Deployment","namespace":"bank","name":"db"},"after":2.33,"place":{"file":"apps/db.yaml","line":1},"action":"created","readiness":"current","look":false,"at":2.33}
        {"version":1,"event":"sent","step":2,"object":{"group":"apps","kind":"Deployment","namespace":"bank","name":"api"},"after":2.33,"at":2.33}
        {"version":1,"event":"written","step":2,"object":{"group":"apps","kind":"Deployment","namespace":"bank","name":"api"},"after":2.35,"at":2.35}
        {"version":1,"event":"settled","step":2,"object":{"group":"apps","kind":"Deployment","namespace":"bank","name":"api"},"after":3.5,"place":{"file":"apps/api.yaml","line":14},"action":"configured","readiness":"current","look":false,"at":3.5}
        {"version":1,"event":"summary","seconds":3.512,"objects":3,"in_cluster":3,"objects_per_second":0.9,"interrupted":false,"counts":[{"action":"configured","readiness":"current","count":1},{"action":"created","readiness":"current","count":1},{"action":"created","readiness":"not-waited-for","count":1}],"failures":[],"applied_without":[],"held_back":[],"generated":[],"warnings":[],"slowest_chain":[{"object":{"group":"","kind":"Namespace","name":"bank"},"seconds":0.012,"end":0.012},{"object":{"group":"apps","kind":"Deployment","namespace":"bank","name":"db"},"seconds":2.318,"end":2.33,"because":"it lives in that namespace","until":"exists"},{"gate":"unit apps/db","because":"it belongs to that unit","until":"ready"},{"object":{"group":"apps","kind":"Deployment","namespace":"bank","name":"api"},"seconds":1.17,"end":3.5,"because":"the annotation depends-on says so","until":"ready"}],"at":3.512}
        "#);
    }

    #[test]
    fn everything_that_can_go_wrong() {
        let (plan, summary) = sample::troubled();
        let told = told(&plan, &sample::events(&summary));
        assert!(!told.contains("canary"));
        let last: serde_json::Value =
            serde_json::from_str(told.lines().last().expect("because there are lines")).expect("because it is JSON");
        insta::assert_snapshot!(serde_json::to_string_pretty(&last).expect("because it is JSON"), @r#"
        {
          "version": 1,
          "event": "summary",
          "seconds": 605.0,
          "objects": 15,
          "in_cluster": 5,
          "objects_per_second": 0.0,
          "interrupted": false,
          "counts": [
            {
              "action": "configured",
              "readiness": "current",
              "count": 1
            },
            {
              "action": "created",
              "readiness": "timed-out",
              "count": 1
            },
            {
              "action": "failed",
              "readiness": "not-waited-for",
              "count": 2
            },
            {
              "action": "recreated",
              "readiness": "failed",
              "count": 1
            },
            {
              "action": "skipped",
              "skip": "dependency",
              "readiness": "not-waited-for",
              "count": 4
            },
            {
              "action": "skipped",
              "skip": "generated",
              "readiness": "not-waited-for",
              "count": 1
            },
            {
              "action": "skipped",
              "skip": "held-back",
              "readiness": "not-waited-for",
              "count": 2
            },
            {
              "action": "skipped",
              "skip": "not-served",
              "readiness": "not-waited-for",
              "count": 1
            },
            {
              "action": "skipped",
              "skip": "stalled",
              "readiness": "not-waited-for",
              "count": 1
            },
            {
              "action": "unchanged",
              "readiness": "current",
              "count": 1
            }
          ],
          "failures": [
            {
              "object": {
                "group": "",
                "kind": "Namespace",
                "name": "accounts"
              },
              "place": {
                "file": "apps/accounts.yaml",
                "line": 2
              },
              "cause": "refused",
              "reason": "admission webhook \"names.bank\" denied the request:\nno such team\u001b[31m",
              "hint": "a webhook decides here: see that the pods behind it run and what it asks for, then run again",
              "dependants": [
                {
                  "group": "",
                  "kind": "ConfigMap",
                  "namespace": "bank",
                  "name": "ledger"
                },
                {
                  "group": "apps",
                  "kind": "Deployment",
                  "namespace": "bank",
                  "name": "statements"
                }
              ]
            },
            {
              "object": {
                "group": "",
                "kind": "Secret",
                "namespace": "bank",
                "name": "db"
              },
              "place": {
                "file": "apps/db.yaml",
                "line": 5
              },
              "cause": "refused",
              "reason": "Secret \"db\" is invalid: data[p]: Invalid value: ***: too long",
              "hint": "the manifest is not as the server wants it: correct it in Git, then run again",
              "dependants": []
            },
            {
              "object": {
                "group": "apps",
                "kind": "Deployment",
                "namespace": "bank",
                "name": "db"
              },
              "place": {
                "file": "apps/db.yaml",
                "line": 6
              },
              "cause": "timed-out",
              "reason": "0 of 1 replicas ready",
              "hint": "`kubectl describe Deployment.apps db -n bank` shows what holds it",
              "dependants": [
                {
                  "group": "apps",
                  "kind": "Deployment",
                  "namespace": "bank",
                  "name": "api"
                }
              ]
            },
            {
              "object": {
                "group": "batch",
                "kind": "Job",
                "namespace": "bank",
                "name": "migrate"
              },
              "place": {
                "file": "apps/migrate.yaml",
                "line": 8
              },
              "cause": "not-ready",
              "reason": "BackoffLimitExceeded",
              "hint": "its pods failed: `kubectl logs` of them says why; a Job is made anew once it is deleted",
              "dependants": []
            },
            {
              "object": {
                "group": "cert-manager.io",
                "kind": "Certificate",
                "namespace": "bank",
                "name": "tls"
              },
              "place": {
                "file": "apps/tls.yaml",
                "line": 10
              },
              "cause": "not-served",
              "reason": "nothing serves Certificate.cert-manager.io",
              "hint": "install what brings this kind (its CustomResourceDefinition), or declare it in Git, then run again",
              "dependants": []
            },
            {
              "object": {
                "group": "apps",
                "kind": "Deployment",
                "namespace": "bank",
                "name": "lonely"
              },
              "place": {
                "file": "apps/lonely.yaml",
                "line": 11
              },
              "cause": "stalled",
              "reason": "Deployment/bank/lonely waits for PersistentVolumeClaim/bank/data",
              "dependants": []
            },
            {
              "object": {
                "group": "batch",
                "kind": "Job",
                "namespace": "bank",
                "name": "payout"
              },
              "cause": "held-back",
              "reason": "runs a program once",
              "hint": "--old-cluster-is-gone lets it go",
              "dependants": [
                {
                  "group": "apps",
                  "kind": "Deployment",
                  "namespace": "bank",
                  "name": "after-payout"
                }
              ]
            }
          ],
          "applied_without": [
            {
              "object": {
                "group": "apps",
                "kind": "Deployment",
                "namespace": "bank",
                "name": "web"
              },
              "without": [
                {
                  "group": "",
                  "kind": "ConfigMap",
                  "namespace": "bank",
                  "name": "settings"
                }
              ]
            }
          ],
          "held_back": [
            {
              "reason": "runs a program once",
              "objects": [
                {
                  "group": "batch",
                  "kind": "Job",
                  "namespace": "bank",
                  "name": "payout"
                },
                {
                  "group": "batch",
                  "kind": "Job",
                  "namespace": "bank",
                  "name": "mail"
                }
              ]
            }
          ],
          "generated": [
            {
              "group": "",
              "kind": "Secret",
              "namespace": "bank",
              "name": "random"
            }
          ],
          "warnings": [
            {
              "text": "unknown field \"spec.replica\"",
              "count": 2,
              "objects": [
                {
                  "group": "batch",
                  "kind": "Job",
                  "namespace": "bank",
                  "name": "migrate"
                },
                {
                  "group": "apps",
                  "kind": "Deployment",
                  "namespace": "bank",
                  "name": "web"
                }
              ]
            }
          ],
          "slowest_chain": [],
          "at": 605.0
        }
        "#);
        let settled: Vec<&str> = told
            .lines()
            .filter(|line| line.contains("\"settled\""))
            .skip(1)
            .take(3)
            .collect();
        insta::assert_snapshot!(settled.join("\n"), @r#"
        {"version":1,"event":"settled","step":1,"object":{"group":"","kind":"Namespace","name":"accounts"},"after":0.0,"place":{"file":"apps/accounts.yaml","line":2},"action":"failed","reason":"admission webhook \"names.bank\" denied the request:\nno such team\u001b[31m","readiness":"not-waited-for","look":true,"at":0.0}
        {"version":1,"event":"settled","step":2,"object":{"group":"","kind":"ConfigMap","namespace":"bank","name":"ledger"},"after":0.0,"place":{"file":"apps/ledger.yaml","line":3},"action":"skipped","skip":"dependency","because_of":{"group":"","kind":"Namespace","name":"accounts"},"readiness":"not-waited-for","look":true,"at":0.0}
        {"version":1,"event":"settled","step":3,"object":{"group":"apps","kind":"Deployment","namespace":"bank","name":"statements"},"after":0.0,"place":{"file":"apps/statements.yaml","line":4},"action":"skipped","skip":"dependency","because_of":{"group":"","kind":"ConfigMap","namespace":"bank","name":"ledger"},"readiness":"not-waited-for","look":true,"at":0.0}
        "#);
    }

    #[test]
    fn a_failure_is_a_line_too() {
        let mut out = Vec::new();
        let of = Failure::new(Kind::Cluster, "nothing was restored")
            .because("refused")
            .hint("see the server");
        failure(&of, &mut out).expect("because a Vec takes all");
        insta::assert_snapshot!(String::from_utf8(out).expect("because it is text"), @r#"{"version":1,"event":"error","error":"nothing was restored","causes":["refused"],"hints":["see the server"],"exit_code":1}"#);
    }
}
