//! Each remark, on an input that asks for it.

use super::*;
use crate::object::{Denied, ExistingObject, FactGap, Facts};
use crate::plan::testing::{existing, facts, planned_for, yaml};
use crate::plan::{Plan, StepAction};

fn plan(text: &str, facts: &Facts) -> Plan {
    planned_for(yaml(text), facts, &PlanOptions::default())
}

fn said(plan: &Plan) -> Vec<(NoteKind, String)> {
    let object = |note: &Note| note.object.as_ref().map_or(String::new(), ObjectId::to_string);
    plan.notes
        .iter()
        .map(|note| (note.kind, format!("{}: {}", object(note), note.message)))
        .collect()
}

fn changing(change: ExistingChange) -> ExistingObject {
    ExistingObject {
        change: Some(change),
        ..existing()
    }
}

#[test]
fn kinds_and_versions_that_nothing_serves_are_named() {
    let plan = plan(
        "{apiVersion: x.io/v1, kind: Widget, metadata: {name: a}}\n---\n{apiVersion: x.io/v1, kind: Widget, metadata: {name: b}}\n---\n{apiVersion: batch/v9, kind: Thing, metadata: {name: c}}\n---\n{apiVersion: apps/v7, kind: Deployment, metadata: {name: d}}",
        &facts(),
    );
    assert_eq!(
        said(&plan),
        [
            (NoteKind::NotServed, "Deployment/default/d: not restored: apps/v7 is not served, other versions of Deployment.apps are".to_owned()),
            (NoteKind::NotServed, "Thing/c: 1 object of kind Thing.batch can be restored only if an operator brings the kind: the cluster does not serve it and no CRD for it is declared".to_owned()),
            (NoteKind::NotServed, "Widget/a: 2 objects of kind Widget.x.io can be restored only if an operator brings the kind: the cluster does not serve it and no CRD for it is declared".to_owned()),
        ]
    );
    assert!(plan.steps.iter().all(|step| step.target.is_none()));
}

#[test]
fn what_is_named_and_not_there_is_said_once() {
    let pod = |name: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}}}, spec: {{template: {{spec: {{containers: [{{envFrom: [{{secretRef: {{name: s}}}}, {{configMapRef: {{name: c, optional: true}}}}]}}]}}}}}}}}"
        )
    };
    let text = ["a", "b", "d", "e"].map(pod).join("\n---\n");
    let message = "Secret/default/s: named by Deployment/default/a, Deployment/default/b, Deployment/default/d and 1 more, declared by nobody and not in the cluster";
    assert_eq!(
        said(&plan(&text, &facts())),
        [(NoteKind::MissingReference, message.to_owned())]
    );
    let mut facts = facts();
    facts.present.insert(ObjectId::new("", "Secret", Some("default"), "s"));
    assert_eq!(said(&plan(&text, &facts)), []);
}

#[test]
fn what_the_target_says_is_passed_on() {
    let mut facts = facts();
    let id = |name: &str| ObjectId::new("", "ConfigMap", Some("default"), name);
    facts
        .existing
        .insert(id("a"), changing(ExistingChange::Fields(vec![".data.k".to_owned()])));
    facts.existing.insert(
        id("b"),
        changing(ExistingChange::Overrides(vec![(
            "helm".to_owned(),
            ".data.k".to_owned(),
        )])),
    );
    facts
        .existing
        .insert(id("c"), changing(ExistingChange::Refused("immutable".to_owned())));
    facts.denied.push(Denied {
        verb: "create".to_owned(),
        kind: GroupKind::new("", "ConfigMap"),
        namespace: Some("default".to_owned()),
    });
    facts.gaps.push(FactGap {
        what: "list secrets".to_owned(),
        reason: "403".to_owned(),
    });
    let objects =
        ["a", "b", "c"].map(|name| format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}"));
    assert_eq!(
        said(&plan(&objects.join("\n---\n"), &facts)),
        [
            (
                NoteKind::Forbidden,
                "ConfigMap/default/a: you may not create ConfigMap in namespace default: 3 declared".to_owned()
            ),
            (
                NoteKind::WouldChange,
                "ConfigMap/default/a: exists, and would change in .data.k".to_owned()
            ),
            (
                NoteKind::WouldChange,
                "ConfigMap/default/c: exists, and the server refuses the change: immutable".to_owned()
            ),
            (
                NoteKind::WouldOverride,
                "ConfigMap/default/b: exists, and would take .data.k from helm".to_owned()
            ),
            (NoteKind::Gap, ": not known: list secrets: 403".to_owned()),
        ]
    );
}

#[test]
fn node_ports_are_one_for_the_cluster() {
    let service = |name: &str, protocol: &str| {
        format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {{ports: [{{nodePort: 30080, protocol: {protocol}}}]}}}}"
        )
    };
    let text = [service("a", "TCP"), service("b", "UDP"), service("c", "TCP")].join("\n---\n");
    let message = "Service/default/c: the server refuses it: Service/default/a has node port 30080/TCP too";
    assert_eq!(
        said(&plan(&text, &facts())),
        [(NoteKind::NodePortTwice, message.to_owned())]
    );
}

#[test]
fn what_git_cannot_bring_back_is_said() {
    let text = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: v}}\n---\n{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s}, spec: {volumeClaimTemplates: [{metadata: {name: d}}]}}";
    let kinds: Vec<NoteKind> = plan(text, &facts()).notes.iter().map(|note| note.kind).collect();
    assert_eq!(kinds, [NoteKind::NotInGit, NoteKind::NotInGit]);
}

#[test]
fn replicas_of_what_exists_and_is_scaled_are_left_alone() {
    let text = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 3}}\n---\n{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}}";
    let replicas = |plan: &Plan| {
        plan.steps.iter().find_map(|step| match &step.action {
            StepAction::Apply { manifest, .. } => manifest.value().pointer("/spec/replicas").cloned(),
            _ => None,
        })
    };
    let mut facts = facts();
    assert_eq!(replicas(&plan(text, &facts)), Some(Value::from(3)));
    let id = ObjectId::new("apps", "Deployment", Some("default"), "web");
    facts.existing.insert(id.clone(), changing(ExistingChange::None));
    assert_eq!(replicas(&plan(text, &facts)), Some(Value::from(3)));
    let overrides = vec![("kube-controller-manager".to_owned(), ".spec.replicas".to_owned())];
    let mut live = changing(ExistingChange::Overrides(overrides));
    live.replicas = Some(7);
    facts.existing.insert(id, live);
    let planned = plan(text, &facts);
    assert_eq!(replicas(&planned), Some(Value::from(7)));
    assert!(
        planned.notes.iter().all(|note| note.kind != NoteKind::WouldOverride),
        "{:?}",
        planned.notes
    );
}

#[test]
fn placeholder_bundles_are_taken_out() {
    let bundle = |bundle: &str| {
        let text = format!(
            "{{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {{name: v1.x}}, spec: {{caBundle: {bundle}}}}}"
        );
        let plan = plan(&text, &facts());
        match &plan.steps[0].action {
            StepAction::Apply { manifest, .. } => manifest.text("/spec/caBundle").to_owned(),
            _ => panic!("because it is to be applied"),
        }
    };
    assert_eq!(bundle("Cg=="), "");
    assert_eq!(bundle("LS0tLS1CRUdJTiBDRVJU"), "LS0tLS1CRUdJTiBDRVJU");
}
