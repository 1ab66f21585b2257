//! The summary of a run, as the last line and as a report of its own.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::shape::{Ended, Kind, Node, Object, Remark, Where, Wrong, declared_at, objects, remarks, seconds, wrongs};
use super::{VERSION, document, line};
use crate::event::Summary;
use crate::object::{self, Action, ObjectId};
use crate::plan::Plan;
use crate::report::gathered::{Gathered, Link, Root};
use crate::report::{About, Verified, hints, text, words};

/// What a report has beyond the last line of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extra<'a> {
    /// What the run was about.
    pub about: Option<About<'a>>,
    /// What a drill found.
    pub verified: Option<&'a Verified>,
    /// With all steps, problems and notes.
    pub whole: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Summed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<Subject<'a>>,
    seconds: f64,
    objects: usize,
    in_cluster: usize,
    objects_per_second: f64,
    interrupted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<&'a str>,
    counts: Vec<Count>,
    failures: Vec<Failed<'a>>,
    applied_without: Vec<Without<'a>>,
    held_back: Vec<Held<'a>>,
    generated: Vec<Object<'a>>,
    warnings: Vec<Warned<'a>>,
    slowest_chain: Vec<Chained<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<Checked<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<Vec<Wrong<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<Vec<Remark<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<Stepped<'a>>>,
}

#[derive(Debug, Serialize)]
struct Count {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    skip: Option<&'static str>,
    readiness: &'static str,
    count: usize,
}

#[derive(Debug, Serialize)]
struct Failed<'a> {
    object: Object<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Where>,
    cause: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    dependants: Vec<Object<'a>>,
}

impl<'a> Failed<'a> {
    fn new(root: &Root<'a>) -> Self {
        Self {
            object: Object::from(root.id),
            place: root.place.as_ref().map(Where::from),
            cause: root.cause.word(),
            reason: root.cause.message().to_owned(),
            hint: hints::of(root.id, &root.cause),
            dependants: objects(root.dependants.iter().copied()),
        }
    }
}

#[derive(Debug, Serialize)]
struct Without<'a> {
    object: Object<'a>,
    without: Vec<Object<'a>>,
}

#[derive(Debug, Serialize)]
struct Held<'a> {
    reason: &'a str,
    objects: Vec<Object<'a>>,
}

#[derive(Debug, Serialize)]
struct Warned<'a> {
    text: String,
    count: usize,
    objects: Vec<Object<'a>>,
}

#[derive(Debug, Serialize)]
struct Chained<'a> {
    #[serde(flatten)]
    node: Node<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<&'static str>,
}

impl<'a> Chained<'a> {
    fn new(plan: &'a Plan, link: &Link<'a>) -> Self {
        Self {
            node: Node::new(plan, link.node),
            seconds: link.took.map(seconds),
            end: link.end.map(seconds),
            because: link.edge.map(|edge| &*edge.reason.text),
            until: link.edge.map(|edge| words::until(edge.until)),
        }
    }
}

#[derive(Debug, Serialize)]
struct Stepped<'a> {
    step: usize,
    object: Object<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Where>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled: Option<f64>,
    #[serde(flatten)]
    ended: Ended<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct Subject<'a> {
    repository: Repository<'a>,
    entry: Entry<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Cluster<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Repository<'a> {
    location: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<i64>,
    dirty: bool,
}

#[derive(Debug, Serialize)]
struct Entry<'a> {
    paths: &'a [String],
    dialect: &'a str,
    detected: bool,
    unreached: usize,
}

#[derive(Debug, Serialize)]
struct Cluster<'a> {
    context: &'a str,
    cluster: &'a str,
    server: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<usize>,
}

impl<'a> From<&'a object::Repository> for Repository<'a> {
    fn from(repository: &'a object::Repository) -> Self {
        Self {
            location: &repository.location,
            commit: repository.commit.as_deref(),
            subject: repository.subject.as_deref(),
            time: repository.time,
            dirty: repository.dirty,
        }
    }
}

impl<'a> From<About<'a>> for Subject<'a> {
    fn from(about: About<'a>) -> Self {
        Self {
            repository: Repository::from(about.repository),
            entry: Entry {
                paths: &about.entry.paths,
                dialect: &about.entry.dialect,
                detected: about.entry.detected,
                unreached: about.unreached,
            },
            cluster: about.context.map(|context| Cluster {
                context: &context.name,
                cluster: &context.cluster,
                server: &context.server,
                nodes: context.nodes,
            }),
        }
    }
}

#[derive(Debug, Serialize)]
struct Checked<'a> {
    clean: bool,
    checked: usize,
    missing: Vec<Object<'a>>,
    different: Vec<Different<'a>>,
    second_run_changed: Vec<Object<'a>>,
    not_simulated: Vec<Kind<'a>>,
    times: &'static str,
}

#[derive(Debug, Serialize)]
struct Different<'a> {
    object: Object<'a>,
    fields: &'a [String],
}

impl<'a> From<&'a Verified> for Checked<'a> {
    fn from(verified: &'a Verified) -> Self {
        let different = |(id, fields): &'a (ObjectId, Vec<String>)| Different {
            object: Object::from(id),
            fields,
        };
        Self {
            clean: verified.is_clean(),
            checked: verified.checked,
            missing: objects(&verified.missing),
            different: verified.different.iter().map(different).collect(),
            second_run_changed: objects(&verified.second_run_changed),
            not_simulated: verified.not_simulated.iter().map(Kind::from).collect(),
            times: "api",
        }
    }
}

impl<'a> Summed<'a> {
    pub(super) fn new(plan: &'a Plan, summary: &'a Summary, extra: &Extra<'a>) -> Self {
        let gathered = Gathered::new(plan, summary);
        Self {
            about: extra.about.map(Subject::from),
            seconds: seconds(summary.total),
            objects: summary.outcomes.len(),
            in_cluster: gathered.there,
            objects_per_second: text::per_second(gathered.there, summary.total),
            interrupted: summary.interrupted,
            stopped: summary.stopped.as_deref(),
            counts: counts(summary),
            failures: gathered.roots.iter().map(Failed::new).collect(),
            applied_without: without(&gathered),
            held_back: held(&gathered),
            generated: objects(gathered.generated.iter().copied()),
            warnings: warned(&gathered),
            slowest_chain: gathered.chain.iter().map(|link| Chained::new(plan, link)).collect(),
            verified: extra.verified.map(Checked::from),
            problems: extra.whole.then(|| wrongs(&plan.problems)),
            notes: extra.whole.then(|| remarks(&plan.notes)),
            steps: extra.whole.then(|| stepped(plan, summary)),
        }
    }
}

fn counts(summary: &Summary) -> Vec<Count> {
    let mut counts: BTreeMap<(&'static str, Option<&'static str>, &'static str), usize> = BTreeMap::new();
    for (_, outcome) in &summary.outcomes {
        let skip = match &outcome.action {
            Action::Skipped(reason) => Some(words::skip(reason)),
            _ => None,
        };
        let key = (
            words::action(&outcome.action),
            skip,
            words::readiness(&outcome.readiness),
        );
        *counts.entry(key).or_default() += 1;
    }
    let count = |((action, skip, readiness), count)| Count {
        action,
        skip,
        readiness,
        count,
    };
    counts.into_iter().map(count).collect()
}

fn without<'a>(gathered: &Gathered<'a>) -> Vec<Without<'a>> {
    let without = |(id, without): &(&'a ObjectId, &'a [ObjectId])| Without {
        object: Object::from(*id),
        without: objects(*without),
    };
    gathered.without.iter().map(without).collect()
}

fn held<'a>(gathered: &Gathered<'a>) -> Vec<Held<'a>> {
    let held = |(reason, ids): (&&'a str, &Vec<&'a ObjectId>)| Held {
        reason,
        objects: objects(ids.iter().copied()),
    };
    gathered.held_back.iter().map(held).collect()
}

fn warned<'a>(gathered: &Gathered<'a>) -> Vec<Warned<'a>> {
    gathered
        .warnings
        .iter()
        .map(|warning| Warned {
            text: warning.text.clone(),
            count: warning.objects.len(),
            objects: objects(warning.objects.iter().copied()),
        })
        .collect()
}

fn stepped<'a>(plan: &'a Plan, summary: &'a Summary) -> Vec<Stepped<'a>> {
    let stepped = |(step, (id, outcome)): (usize, &'a (ObjectId, crate::object::Outcome))| {
        let times = summary.times.get(step).copied().unwrap_or_default();
        Stepped {
            step,
            object: Object::from(id),
            place: declared_at(plan.steps.get(step).and_then(|step| step.provenance.as_ref())),
            free: times.free.map(seconds),
            sent: times.sent.map(seconds),
            written: times.written.map(seconds),
            settled: times.settled.map(seconds),
            ended: Ended::new(Some(id), outcome),
        }
    };
    summary.outcomes.iter().enumerate().map(stepped).collect()
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    version: u32,
    #[serde(flatten)]
    summed: Summed<'a>,
}

/// Writes the whole report of a run as one document.
pub(in crate::report) fn report(
    plan: &Plan,
    summary: &Summary,
    extra: &Extra<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let summed = Summed::new(plan, summary, extra);
    document(
        &Document {
            version: VERSION,
            summed,
        },
        out,
    )
}

#[derive(Debug, Serialize)]
struct VerifiedLine<'a> {
    version: u32,
    event: &'static str,
    #[serde(flatten)]
    checked: Checked<'a>,
}

/// Writes what a drill found as one line, with `"event": "verified"`.
///
/// # Errors
/// Those of the writer.
pub fn verified(verified: &Verified, out: &mut dyn Write) -> io::Result<()> {
    let checked = Checked::from(verified);
    line(
        &VerifiedLine {
            version: VERSION,
            event: "verified",
            checked,
        },
        out,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_report_has_it_all() {
        let (plan, summary) = sample::fine();
        let verified = sample::verified();
        let extra = Extra {
            about: Some(sample::about()),
            verified: Some(&verified),
            whole: true,
        };
        let mut out = Vec::new();
        report(&plan, &summary, &extra, &mut out).expect("because a Vec takes all");
        insta::assert_snapshot!(String::from_utf8(out).expect("because it is text"), @r#"
        {
          "version": 1,
          "about": {
            "repository": {
              "location": "./gitops",
              "commit": "0123456789abcdef0123456789abcdef01234567",
              "subject": "Raise the \u001blimits",
              "time": 1795161600,
              "dirty": false
            },
            "entry": {
              "paths": [
                "clusters/production",
                ""
              ],
              "dialect": "kustomization",
              "detected": true,
              "unreached": 0
            },
            "cluster": {
              "context": "bank-dr",
              "cluster": "bank",
              "server": "https://10.0.0.1:6443",
              "nodes": 3
            }
          },
          "seconds": 3.512,
          "objects": 3,
          "in_cluster": 3,
          "objects_per_second": 0.9,
          "interrupted": false,
          "counts": [
            {
              "action": "configured",
              "readiness": "current",
              "count": 1
            },
            {
              "action": "created",
              "readiness": "current",
              "count": 1
            },
            {
              "action": "created",
              "readiness": "not-waited-for",
              "count": 1
            }
          ],
          "failures": [],
          "applied_without": [],
          "held_back": [],
          "generated": [],
          "warnings": [],
          "slowest_chain": [
            {
              "object": {
                "group": "",
                "kind": "Namespace",
                "name": "bank"
              },
              "seconds": 0.012,
              "end": 0.012
            },
            {
              "object": {
                "group": "apps",
                "kind": "Deployment",
                "namespace": "bank",
                "name": "db"
              },
              "seconds": 2.318,
              "end": 2.33,
              "because": "it lives in that namespace",
              "until": "exists"
            },
            {
              "gate": "unit apps/db",
              "because": "it belongs to that unit",
              "until": "ready"
            },
            {
              "object": {
                "group": "apps",
                "kind": "Deployment",
                "namespace": "bank",
                "name": "api"
              },
              "seconds": 1.17,
              "end": 3.5,
              "because": "the annotation depends-on says so",
              "until": "ready"
            }
          ],
          "verified": {
            "clean": false,
            "checked": 80,
            "missing": [
              {
                "group": "",
                "kind": "ConfigMap",
                "namespace": "bank",
                "name": "gone\u001b"
              }
            ],
            "different": [
              {
                "object": {
                  "group": "apps",
                  "kind": "Deployment",
                  "namespace": "bank",
                  "name": "api"
                },
                "fields": [
                  ".spec.replicas",
                  ".spec.paused"
                ]
              }
            ],
            "second_run_changed": [
              {
                "group": "apps",
                "kind": "Deployment",
                "namespace": "bank",
                "name": "api"
              }
            ],
            "not_simulated": [
              {
                "group": "cert-manager.io",
                "kind": "Certificate"
              }
            ],
            "times": "api"
          },
          "problems": [],
          "notes": [],
          "steps": [
            {
              "step": 0,
              "object": {
                "group": "",
                "kind": "Namespace",
                "name": "bank"
              },
              "place": {
                "file": "infra/ns.yaml",
                "line": 1
              },
              "free": 0.0,
              "sent": 0.0,
              "written": 0.012,
              "settled": 0.02,
              "action": "created",
              "readiness": "not-waited-for",
              "look": false
            },
            {
              "step": 1,
              "object": {
                "group": "apps",
                "kind": "Deployment",
                "namespace": "bank",
                "name": "db"
              },
              "place": {
                "file": "apps/db.yaml",
                "line": 1
              },
              "free": 0.012,
              "sent": 0.012,
              "written": 0.03,
              "settled": 2.33,
              "action": "created",
              "readiness": "current",
              "look": false
            },
            {
              "step": 2,
              "object": {
                "group": "apps",
                "kind": "Deployment",
                "namespace": "bank",
                "name": "api"
              },
              "place": {
                "file": "apps/api.yaml",
                "line": 14
              },
              "free": 2.33,
              "sent": 2.33,
              "written": 2.35,
              "settled": 3.5,
              "action": "configured",
              "readiness": "current",
              "look": false
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_drill_adds_a_line() {
        let mut out = Vec::new();
        super::verified(&sample::verified(), &mut out).expect("because a Vec takes all");
        insta::assert_snapshot!(String::from_utf8(out).expect("because it is text"), @r#"{"version":1,"event":"verified","clean":false,"checked":80,"missing":[{"group":"","kind":"ConfigMap","namespace":"bank","name":"gone\u001b"}],"different":[{"object":{"group":"apps","kind":"Deployment","namespace":"bank","name":"api"},"fields":[".spec.replicas",".spec.paused"]}],"second_run_changed":[{"group":"apps","kind":"Deployment","namespace":"bank","name":"api"}],"not_simulated":[{"group":"cert-manager.io","kind":"Certificate"}],"times":"api"}"#);
    }
}
