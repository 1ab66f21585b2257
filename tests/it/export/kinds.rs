//! Every built-in kind: what is exported of a live object is what a person wrote, whichever way it was written.

use std::collections::{BTreeMap, BTreeSet};

use refloat::cluster::{Cleaned, Cluster, ConnectOptions, Endpoint, Proof, Wanted};
use refloat::control_plane::Options;
use refloat::object::builtin::{self, BUILTINS};
use refloat::object::{Manifest, ObjectId, Scope, ServedKinds};
use serde_json::{Value, json};

use crate::support::fault_proxy::{Act, Fault, FaultProxy};
use crate::support::plane::{Plane, fresh_with, shared, wait};

/// Kinds that nobody declares, with the reason why.
const NOBODYS: &[(&str, &str, &str)] = &[
    ("", "Event", "told by the cluster, gone in an hour"),
    ("events.k8s.io", "Event", "the same objects"),
    (
        "certificates.k8s.io",
        "CertificateSigningRequest",
        "asked once, answered once",
    ),
    (
        "certificates.k8s.io",
        "ClusterTrustBundle",
        "its content is a certificate that a signer makes",
    ),
    (
        "certificates.k8s.io",
        "PodCertificateRequest",
        "asked once, answered once",
    ),
    ("networking.k8s.io", "IPAddress", "allocated by the server"),
    ("resource.k8s.io", "DeviceTaintRule", "not served without its feature"),
    ("resource.k8s.io", "ResourceSlice", "told by drivers"),
    (
        "storagemigration.k8s.io",
        "StorageVersionMigration",
        "asked once, answered once",
    ),
];

fn written() -> Vec<Manifest> {
    let documents = kube_yaml::parse(include_bytes!("kinds.yaml"));
    let manifests = documents.into_iter().map(|document| {
        let value = document
            .value
            .unwrap_or_else(|error| panic!("line {}: {}", error.line, error.message));
        Manifest::new(value).expect("because the file holds manifests")
    });
    manifests.collect()
}

#[test]
fn every_kind_that_people_declare_is_tried() {
    let tried: BTreeSet<_> = written().iter().map(Manifest::group_kind).collect();
    let newest = builtin::served_kinds(builtin::NEWEST);
    for row in BUILTINS.iter().filter(|row| row.watchable) {
        let kind = refloat::object::GroupKind::new(row.group, row.kind);
        let nobodys = NOBODYS
            .iter()
            .any(|(group, kind, why)| (*group, *kind) == (row.group, row.kind) && !why.is_empty());
        if newest.get(&kind).is_some() {
            assert_ne!(tried.contains(&kind), nobodys, "{kind}");
        }
    }
}

/// How an object came to be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// `kubectl create`: the tool owns the defaults, too.
    Created,
    /// `kubectl apply`: what was applied stands in an annotation.
    Applied,
    /// `kubectl apply --server-side`.
    ServerSide,
}

fn make(plane: &Plane, at: &Endpoint, manifest: &Manifest, way: Way) {
    let api = plane.api();
    let (namespace, name) = (manifest.namespace(), manifest.name());
    let mut body = manifest.value().clone();
    let answer = match way {
        Way::ServerSide => {
            let path = format!("{}?fieldManager=kubectl&force=true", at.object(namespace, name));
            wait(api.request("PATCH", &path, "application/apply-patch+yaml", Some(&body)))
        }
        _ => {
            let manager = if way == Way::Created {
                "kubectl-create"
            } else {
                "kubectl-client-side-apply"
            };
            if way == Way::Applied {
                let text = body.to_string();
                body["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = text.into();
            }
            let path = format!("{}?fieldManager={manager}", at.collection(namespace));
            wait(api.request("POST", &path, "application/json", Some(&body)))
        }
    };
    let answer = answer.expect("because the server runs");
    assert!(answer.is_success(), "{way:?} {}: {}", manifest.id(), answer.message());
}

fn endpoint(kinds: &ServedKinds, manifest: &Manifest) -> Endpoint {
    let served = kinds.get(&manifest.group_kind());
    let served = served.unwrap_or_else(|| panic!("{} is not served", manifest.group_kind()));
    Endpoint::new(served.kind.clone(), manifest.version(), &*served.plural, served.scope)
}

fn discover(cluster: &Cluster) -> ServedKinds {
    wait(cluster.discover()).expect("because the core group answers").0
}

/// What differs between what was written and what came out.
fn differences(manifest: &Manifest, cleaned: &Cleaned) -> Vec<String> {
    let (wanted, got) = (manifest.value(), cleaned.manifest.value());
    let mut wrong = Vec::new();
    if wanted != got {
        wrong.push(format!(
            "{}\n{}--- instead of\n{}",
            manifest.id(),
            kube_yaml::to_string(got),
            kube_yaml::to_string(wanted)
        ));
    } else if kube_yaml::to_string(wanted) != kube_yaml::to_string(got) && manifest.group() != "kinds.example.com" {
        wrong.push(format!(
            "{}: another order\n{}",
            manifest.id(),
            kube_yaml::to_string(got)
        ));
    }
    if let Proof::None(why) = &cleaned.proof {
        wrong.push(format!("{}: not proven: {why}", manifest.id()));
    }
    wrong
}

/// Kinds that cannot be put in place of themselves without what the cluster has given them by now, since that cannot be changed (the labels of
/// a Job's Pods, the volume of a claim, the node of a Pod): they are proven by a dry-run create under a free name.
const BESIDE: [&str; 3] = ["Job", "PersistentVolumeClaim", "Pod"];

fn exported(way: Way) {
    let plane = fresh_with(Options {
        request_log: true,
        ..Options::default()
    });
    let cluster = plane.connect();
    let mut kinds = discover(&cluster);
    let manifests = written();
    for manifest in &manifests {
        while kinds.get(&manifest.group_kind()).is_none() {
            kinds = discover(&cluster);
        }
        make(&plane, &endpoint(&kinds, manifest), manifest, way);
    }
    settle(&plane);
    let ids: Vec<ObjectId> = manifests.iter().map(|manifest| id(&kinds, manifest)).collect();
    let wanted: Vec<Wanted<'_>> = ids.iter().map(|id| Wanted { id, declared: None }).collect();
    let (cleaned, gaps) = wait(cluster.clean(&kinds, &wanted));
    assert_eq!(gaps, []);
    let created = cleaned.iter().filter(|(_, one)| one.proof == Proof::Created);
    let created: BTreeSet<&str> = created.map(|(id, _)| &*id.kind).collect();
    assert_eq!(created, BESIDE.into(), "all others in place of themselves");
    let by_id: BTreeMap<&ObjectId, &Manifest> = ids.iter().zip(&manifests).collect();
    let wrong: Vec<String> = by_id
        .iter()
        .flat_map(|(id, manifest)| match cleaned.get(id) {
            Some(cleaned) => differences(manifest, cleaned),
            None => vec![format!("{id} did not come out")],
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {}\n{}",
        wrong.len(),
        ids.len(),
        wrong.join("\n")
    );
    let most = dry_runs(&plane.requests()).into_iter().max_by_key(|(_, count)| *count);
    assert!(
        most.as_ref().is_some_and(|(_, count)| (1..=4).contains(count)),
        "{most:?}"
    );
}

/// How many dry runs were asked for each object, those under a free name with those under its own.
fn dry_runs(requests: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let ended = requests.iter().filter(|line| line["stage"] == "ResponseComplete");
    for line in ended.filter(|line| {
        line["requestURI"]
            .as_str()
            .is_some_and(|uri| uri.contains("dryRun=All"))
    }) {
        let object = &line["objectRef"];
        let [resource, namespace, name] =
            ["resource", "namespace", "name"].map(|key| object[key].as_str().unwrap_or(""));
        // A free name is its own and twelve characters.
        let name = match &line["verb"] == "create" {
            true => name.rsplit_once('-').map_or(name, |(name, _)| name),
            false => name,
        };
        assert_ne!(name, "", "{line}");
        *counts.entry(format!("{resource}/{namespace}/{name}")).or_default() += 1;
    }
    counts
}

/// However often an object changes meanwhile.
#[test]
fn an_object_costs_four_dry_runs_at_most() {
    let api = shared().api();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "restless"}});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "restless"}, "data": {"a": "b"}});
    for (path, object) in [
        ("/api/v1/namespaces", namespace),
        ("/api/v1/namespaces/restless/configmaps", map),
    ] {
        assert!(wait(api.create(path, &object)).is_ok_and(|made| made.is_success()));
    }
    let proxy = wait(FaultProxy::start(shared().kubeconfig().as_ref()));
    let changed = Act::Status(409, "Conflict", "the object has been modified", 0);
    proxy.set([Fault::on("PUT", "/configmaps/restless", changed)]);
    let options = ConnectOptions {
        kubeconfig_text: Some(proxy.kubeconfig()),
        ..ConnectOptions::default()
    };
    let cluster = wait(Cluster::connect(options)).unwrap_or_else(|failure| panic!("{failure}"));
    let id = ObjectId::new("", "ConfigMap", Some("restless"), "restless");
    let wanted = [Wanted {
        id: &id,
        declared: None,
    }];
    let (cleaned, gaps) = wait(cluster.clean(&discover(&cluster), &wanted));
    assert_eq!(gaps, []);
    assert_eq!(cleaned[&id].proof, Proof::None("it keeps changing".to_owned()));
    let asked = proxy.log();
    let dry = asked.iter().filter(|request| request.path.contains("dryRun=All"));
    assert_eq!(dry.count(), 4);
}

fn id(kinds: &ServedKinds, manifest: &Manifest) -> ObjectId {
    let cluster_scoped = kinds
        .get(&manifest.group_kind())
        .is_some_and(|kind| kind.scope == Scope::Cluster);
    assert_eq!(cluster_scoped, manifest.namespace().is_none(), "{}", manifest.id());
    manifest.id()
}

/// Until controllers wrote what they write: the claim is bound, the Deployment has a revision.
fn settle(plane: &Plane) {
    let api = plane.api();
    let is = |path: &str, ready: &dyn Fn(&Value) -> bool| wait(api.get(path)).is_ok_and(|answer| ready(&answer.body));
    let claim = "/api/v1/namespaces/kinds/persistentvolumeclaims/ledger";
    let web = "/apis/apps/v1/namespaces/kinds/deployments/web";
    let revision = "deployment.kubernetes.io/revision";
    while !is(claim, &|claim| claim["status"]["phase"] == "Bound")
        || !is(web, &|web| web["metadata"]["annotations"][revision].is_string())
    {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn what_was_created_comes_out_as_it_was_written() {
    exported(Way::Created);
}

#[test]
fn what_was_applied_comes_out_as_it_was_written() {
    exported(Way::Applied);
}

#[test]
fn what_was_applied_by_the_server_comes_out_as_it_was_written() {
    exported(Way::ServerSide);
}
