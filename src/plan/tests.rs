//! The room as a whole.

use super::testing::{edges, facts, planned, planned_for, set, yaml};
use super::*;
use crate::object::{ObjectId, resolve};
use proptest::prelude::*;
use serde_json::{Value, json};

fn fixture_objects() -> Vec<Value> {
    let fixtures: Vec<Value> =
        serde_yaml::from_str(include_str!("edges/fixtures.yaml")).expect("because the fixtures are good YAML");
    let mut objects: Vec<Value> = fixtures
        .iter()
        .flat_map(|f| f["objects"].as_array().cloned().unwrap_or_default())
        .collect();
    objects.sort_by_key(Value::to_string);
    objects.dedup();
    objects
}

fn shape(plan: &Plan) -> String {
    let steps: Vec<String> = plan
        .steps
        .iter()
        .map(|step| format!("{} {:?}", step.id, step.action))
        .collect();
    format!(
        "{steps:?}{:?}{:?}{:?}{:?}{:?}",
        plan.gates, plan.edges, plan.notes, plan.problems, plan.cuts
    )
}

fn text(failure: &crate::error::Failure) -> String {
    failure.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn shuffling_the_input_changes_nothing(order in Just((0..fixture_objects().len()).collect::<Vec<_>>()).prop_shuffle()) {
        let facts = facts();
        let options = PlanOptions::default();
        let all = resolve(set(fixture_objects()), &facts.kinds, "default");
        let expected = shape(&build(&all, &facts, &options).expect("because nobody wrote a ring"));
        let mut shuffled = set(fixture_objects());
        let mut objects: Vec<_> = shuffled.objects.into_iter().map(Some).collect();
        shuffled.objects = order.into_iter().filter_map(|place| objects[place].take()).collect();
        let shuffled = resolve(shuffled, &facts.kinds, "default");
        prop_assert_eq!(shape(&build(&shuffled, &facts, &options).expect("as before")), expected);
    }
}

#[test]
fn edges_are_sorted_and_one_for_each_pair() {
    let plan = planned(fixture_objects());
    assert!(plan.edges.len() > 50);
    for edge in &plan.edges {
        assert_ne!(edge.from, edge.to);
    }
    assert!(
        plan.edges
            .windows(2)
            .all(|pair| (pair[0].from, pair[0].to) < (pair[1].from, pair[1].to))
    );
}

#[test]
fn hooks_run_by_weight_around_the_rest() {
    let job = |name: &str, hook: &str, weight: &str| json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "annotations": {"helm.sh/hook": hook, "helm.sh/hook-weight": weight}}});
    let objects = vec![
        job("b", "pre-install", "5"),
        job("a", "pre-install", "-5"),
        job("y", "post-install", "0"),
        job("z", "post-install", "1"),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rest"}}),
    ];
    let found: Vec<(String, String)> = edges(&planned(objects.clone()))
        .into_iter()
        .map(|(from, to, _)| (from, to))
        .collect();
    let expected = [
        ("ConfigMap/default/rest", "[all, pre-install hooks of weight 5]"),
        ("Job/default/b", "[all, pre-install hooks of weight -5]"),
        ("Job/default/y", "[all without its hooks]"),
        ("Job/default/z", "[all, post-install hooks of weight 0]"),
        ("[all without its hooks]", "ConfigMap/default/rest"),
        ("[all, post-install hooks of weight 0]", "Job/default/y"),
        ("[all, pre-install hooks of weight -5]", "Job/default/a"),
        ("[all, pre-install hooks of weight 5]", "Job/default/b"),
    ];
    let expected: Vec<(String, String)> = expected.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec();
    assert_eq!(found, expected);

    let held = planned_for(objects, &facts(), &PlanOptions::default());
    let to_jobs = held
        .edges
        .iter()
        .filter(|edge| held.step(edge.to).is_some_and(|step| step.id.kind == "Job"));
    assert!(to_jobs.clone().count() > 0);
    assert!(
        to_jobs.clone().all(|edge| edge.until == Until::Settled),
        "because held back Jobs hold nothing up"
    );
}

#[test]
fn a_ring_is_cut_and_said() {
    // The webhook looks at Deployments; its own backend is excepted, and so is what that needs.
    let plan = planned(yaml(
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: b}, roleRef: {kind: Role, name: r}, subjects: [{kind: ServiceAccount, name: a}]}\n---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r, annotations: {config.kubernetes.io/depends-on: rbac.authorization.k8s.io/namespaces/default/RoleBinding/b}}}",
    ));
    assert_eq!(plan.cuts.len(), 1);
    assert_eq!(plan.cuts[0].edge.reason.rule, "role");
    let note = &plan.notes[0];
    assert_eq!(
        (note.kind, &*note.message),
        (
            NoteKind::CycleCut,
            "does not wait for Role/default/r, although it binds that role: RoleBinding/default/b → Role/default/r → RoleBinding/default/b is a ring"
        )
    );
}

#[test]
fn a_ring_that_people_wrote_is_printed_with_its_places() {
    let map = |name: &str, other: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "annotations": {"config.kubernetes.io/depends-on": format!("/namespaces/default/ConfigMap/{other}")}}});
    let set = resolve(set(vec![map("a", "b"), map("b", "a")]), &facts().kinds, "default");
    let failure = build(&set, &facts(), &PlanOptions::default()).expect_err("because it cannot be ordered");
    assert_eq!(
        text(&failure),
        "Error: nothing was planned: objects wait for each other in a ring
  because: ConfigMap/default/a (all/00000.yaml:1)
    → waits for ConfigMap/default/b (all/00001.yaml:1)
    → waits for ConfigMap/default/a (all/00000.yaml:1)
  hint: take one dependsOn or one annotation config.kubernetes.io/depends-on or kapp.k14s.io/change-rule out of each ring"
    );
}

#[test]
fn an_unknown_depends_on_is_a_problem_with_its_place() {
    let plan = planned(yaml(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, annotations: {config.kubernetes.io/depends-on: /namespaces/default/ConfigMap/gone}}}",
    ));
    assert_eq!(
        plan.problems[0].to_string(),
        "all/00000.yaml:1: ConfigMap/default/a: it does not wait for /namespaces/default/ConfigMap/gone: nothing of that name is declared
  hint: declare it, or take it out of the annotation config.kubernetes.io/depends-on"
    );
}

fn selected(only: &[&str], except: &[&str], no_deps: bool) -> Result<Vec<String>, crate::error::Failure> {
    let objects = yaml(
        "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: wiki}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop, labels: {tier: db}}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: wiki}}\n---\n{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, spec: {containers: [{envFrom: [{configMapRef: {name: c}}]}]}}",
    );
    let options = PlanOptions {
        selection: Selection {
            only: only.iter().map(|term| (*term).to_owned()).collect(),
            except: except.iter().map(|term| (*term).to_owned()).collect(),
            no_deps,
            ..Selection::default()
        },
        ..PlanOptions::default()
    };
    let set = resolve(set(objects), &facts().kinds, "default");
    let plan = build(&set, &facts(), &options)?;
    let mut ids: Vec<String> = plan.steps.iter().map(|step| step.id.to_string()).collect();
    ids.sort();
    Ok(ids)
}

#[test]
fn a_selection_brings_what_it_depends_on() {
    let only =
        |only: &[&str], except: &[&str], no_deps| selected(only, except, no_deps).expect("because the terms match");
    assert_eq!(
        only(&["Pod/p"], &[], false),
        ["ConfigMap/shop/c", "Namespace/shop", "Pod/shop/p"]
    );
    assert_eq!(only(&["kind=pod"], &[], true), ["Pod/shop/p"]);
    assert_eq!(only(&["wiki"], &[], false), ["ConfigMap/wiki/c", "Namespace/wiki"]);
    assert_eq!(
        only(&["label=tier=db"], &["kind=Namespace"], false),
        ["ConfigMap/shop/c"]
    );
    assert_eq!(only(&["unit=all"], &["namespace=wiki"], false).len(), 3);
    let failure = selected(&["namespace=shpo"], &[], false).expect_err("because there is no such namespace");
    assert_eq!(
        text(&failure),
        "Error: nothing was planned\n  because: no declared object matches namespace=shpo\n  hint: nearest to namespace=shpo: namespace=shop, namespace=wiki"
    );
}

#[test]
fn what_is_wanted_first_comes_first_with_what_it_needs() {
    let objects = yaml(
        "{apiVersion: v1, kind: Namespace, metadata: {name: a}}\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: z}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: a}}\n---\n{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: z}}\n---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: b, namespace: z}, roleRef: {kind: ClusterRole, name: r}}\n---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: r}}",
    );
    let options = PlanOptions {
        first: vec!["z".to_owned()],
        ..PlanOptions::default()
    };
    let plan = planned_for(objects, &facts(), &options);
    let ids: Vec<String> = plan.steps.iter().map(|step| step.id.to_string()).collect();
    assert_eq!(
        ids,
        [
            "Namespace/z",
            "ClusterRole/r",
            "RoleBinding/z/b",
            "Secret/z/s",
            "Namespace/a",
            "ConfigMap/a/c"
        ]
    );
}

#[test]
fn what_is_rewritten_is_written_under_its_new_identity() {
    let objects = yaml(
        "{apiVersion: extensions/v1beta1, kind: Ingress, metadata: {name: i}, spec: {backend: {serviceName: s, servicePort: 80}}}\n---\n{apiVersion: policy/v1beta1, kind: PodDisruptionBudget, metadata: {name: p}, spec: {selector: {}}}",
    );
    let facts = facts();
    let set = resolve(set(objects), &facts.kinds, "default");
    let mut options = PlanOptions::default();
    let ingress = ObjectId::new("networking.k8s.io", "Ingress", Some("default"), "i");
    let written = with_written_ids(set.clone(), &facts.kinds, &options);
    assert!(written.objects.iter().any(|declared| declared.id == ingress));
    let plan = build(&set, &facts, &options).expect("because it has no ring");
    let kinds: Vec<NoteKind> = plan.notes.iter().map(|note| note.kind).collect();
    assert_eq!(
        kinds,
        [NoteKind::Migrated, NoteKind::NeedsEdit, NoteKind::MissingReference]
    );
    assert_eq!(plan.steps.iter().filter(|step| step.target.is_some()).count(), 1);
    options.migrate = false;
    let plan = build(&set, &facts, &options).expect("because it has no ring");
    assert!(plan.steps.iter().all(|step| step.target.is_none()));
}

/// 10,000 objects of a common mix in 100 namespaces, with what scans would trip over: selectors, bindings, webhooks.
fn many(namespaces: usize) -> Vec<Value> {
    let mut objects = vec![
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "w"},
        "webhooks": [{"name": "a.b.c", "clientConfig": {"service": {"namespace": "n0", "name": "s0"}}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "operations": ["*"]}]}]}),
    ];
    for n in 0..namespaces {
        let namespace = format!("n{n}");
        objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
        for i in 0..10 {
            let app = format!("s{i}");
            let metadata = json!({"name": app, "namespace": namespace});
            let labels = json!({"app": app});
            for value in [
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}),
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata}),
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
                json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": labels}}),
                json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata}),
                json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata, "roleRef": {"kind": "Role", "name": app}, "subjects": [{"kind": "ServiceAccount", "name": app}]}),
                json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": {"podSelector": {}}}),
                json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": {"selector": {"matchLabels": labels}}}),
                json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": {"defaultBackend": {"service": {"name": app}}}}),
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": {"metadata": {"labels": labels}, "spec": {"serviceAccountName": app, "containers": [{"envFrom": [{"configMapRef": {"name": app}}, {"secretRef": {"name": app}}]}]}}}}),
            ] {
                objects.push(value);
            }
        }
    }
    objects
}

#[test]
fn edges_grow_with_objects_and_no_faster() {
    let per_object = |namespaces| {
        let plan = planned(many(namespaces));
        assert_eq!(plan.steps.len(), 1 + namespaces * 101);
        plan.edges.len() as f64 / plan.steps.len() as f64
    };
    let (small, large) = (per_object(5), per_object(40));
    assert!(
        small < 5.0 && (large - small).abs() < 0.5,
        "{small} and {large} edges an object"
    );
}

/// The time is measured by the bench; what makes it grow is the number of edges.
#[test]
fn edges_grow_with_the_objects_not_with_their_square() {
    let facts = facts();
    let edges = |namespaces: usize| {
        let set = resolve(set(many(namespaces)), &facts.kinds, "default");
        let plan = build(&set, &facts, &PlanOptions::default()).expect("because it has no ring");
        plan.edges.len() as f64 / plan.steps.len() as f64
    };
    let (few, many) = (edges(10), edges(99));
    assert!(many < few * 1.1, "{few} and {many} edges an object");
}

/// Every place in a value, each replaced by something that does not belong there.
fn oddities(value: &Value) -> Vec<Value> {
    fn places(value: &Value, at: &str, found: &mut Vec<String>) {
        let children: Vec<(String, &Value)> = match value {
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value))
                .collect(),
            Value::Array(list) => list
                .iter()
                .enumerate()
                .map(|(place, value)| (place.to_string(), value))
                .collect(),
            _ => Vec::new(),
        };
        for (key, value) in children {
            let pointer = format!("{at}/{key}");
            found.push(pointer.clone());
            places(value, &pointer, found);
        }
    }
    let mut found = Vec::new();
    places(value, "", &mut found);
    found.retain(|pointer| !matches!(&**pointer, "/apiVersion" | "/kind" | "/metadata" | "/metadata/name"));
    let odd = [Value::Null, json!("x"), json!([]), json!([1, {}]), json!({}), json!(-1)];
    (found.iter())
        .flat_map(|pointer| odd.iter().map(move |odd| (pointer, odd)))
        .filter_map(|(pointer, odd)| {
            let mut value = value.clone();
            *value.pointer_mut(pointer)? = odd.clone();
            Some(value)
        })
        .collect()
}

#[test]
fn odd_shapes_are_planned_without_a_panic() {
    let old: Vec<Value> =
        serde_yaml::from_str(include_str!("migrate/fixtures.yaml")).expect("because the fixtures are good YAML");
    let old = old.into_iter().map(|fixture| fixture["old"].clone()).map(|mut object| {
        object["metadata"]["name"] = json!("x");
        object
    });
    let mut planned_objects = 0;
    for object in fixture_objects().into_iter().chain(old) {
        for odd in oddities(&object) {
            let plan = planned(vec![odd]);
            planned_objects += plan.steps.len();
        }
    }
    assert!(planned_objects > 1000);
}

#[test]
fn what_a_webhook_itself_waits_for_does_not_wait_for_it() {
    let plan = planned(yaml(
        "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: w}, webhooks: [{name: a.b.c, clientConfig: {service: {namespace: ops, name: hook}}, rules: [{apiGroups: ['*'], resources: ['*/*'], operations: ['*']}]}]}\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: ops}}\n---\n{apiVersion: v1, kind: Service, metadata: {name: hook, namespace: ops}, spec: {selector: {app: hook}}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: hook, namespace: ops}}\n---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: hook, namespace: ops}, spec: {template: {metadata: {labels: {app: hook}}, spec: {containers: [{envFrom: [{configMapRef: {name: hook}}]}]}}}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: ops}}",
    ));
    assert_eq!(plan.cuts, []);
    let waiting: Vec<String> = (edges(&plan).into_iter())
        .filter(|(_, to, _)| to == "ValidatingWebhookConfiguration/w")
        .map(|(from, ..)| from)
        .collect();
    assert_eq!(waiting, ["ConfigMap/ops/other"]);
}
