//! What belongs to somebody: silent, until a person changes it.

use serde_json::{Value, json};

use super::bad_input::{audit, found, report};
use super::send;
use crate::support::plane::{fresh, wait};
use crate::support::repo::Repo;

const SHOP: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, \
    namespace: shop}\nspec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, \
    image: registry.example.com/web}]}}}\n";
const MERGE: &str = "application/merge-patch+json";

/// A person who restarts a Deployment changes the Deployment: what Kubernetes makes of that stays its own. Who changes the ReplicaSet
/// changes the ReplicaSet.
#[test]
fn what_an_owner_keeps_is_told_where_a_person_changed_it() {
    let plane = fresh();
    let repo = Repo::with(&[("shop.yaml", SHOP)]);
    super::restore(&plane, repo.path(), &[]);
    let audited = || report(&audit(&plane.kubeconfig(), repo.path(), &["--output", "json"]));
    let told = audited();
    assert_eq!(told["findings"], Value::Array(Vec::new()), "{told}");
    assert!(told["counts"]["owned"].as_u64() >= Some(2), "{told}");

    let apps = "/apis/apps/v1/namespaces/shop";
    let restart =
        json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}});
    let deployment = format!("{apps}/deployments/web?fieldManager=kubectl-rollout");
    send(&plane, "PATCH", &deployment, MERGE, &restart);
    assert_eq!(found(&audited()), ["drifted Deployment/web"]);

    let sets = wait(plane.api().get(&format!("{apps}/replicasets"))).expect("because the server runs");
    let name = sets.body["items"][0]["metadata"]["name"]
        .as_str()
        .expect("because a Deployment has one");
    let set = format!("{apps}/replicasets/{name}?fieldManager=kubectl-edit");
    send(
        &plane,
        "PATCH",
        &set,
        MERGE,
        &json!({"metadata": {"labels": {"team": "web"}}}),
    );
    let told = audited();
    assert_eq!(
        found(&told),
        [
            format!("never-in-git ReplicaSet/{name}"),
            "drifted Deployment/web".to_owned()
        ]
    );
    let finding = &told["findings"][0];
    let belongs = json!("it belongs to Deployment/shop/web; changed by hand since");
    assert!(
        finding["evidence"]
            .as_array()
            .is_some_and(|evidence| evidence.contains(&belongs)),
        "{finding}"
    );
    assert_eq!(finding["authors"][0]["tool"], "kubectl edit", "{finding}");
    let remedy = finding["remedy"].as_str().unwrap_or_default();
    assert!(
        remedy.starts_with(&format!("kubectl edit replicaset.apps/{name} -n shop ")),
        "{remedy}"
    );
}
