//! Clusters of Argo CD that Git does not declare: what ApplicationSets make of their Secrets in the target.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::rollback::live;
use crate::support::fault_proxy::{Act, Fault, FaultProxy};
use crate::support::plane::{Plane, fresh, wait};
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat};

/// How Argo CD signs in at a cluster.
const CANARY: &str = "canary-bearer-9d1f";

const OWN: &str = "https://kubernetes.default.svc";

/// An ApplicationSet for the clusters of production, and an Application for a cluster by its name.
fn repository() -> Repo {
    let source = "source: {repoURL: 'https://git.example.com/shop.git', path: shop}";
    let set = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {{name: all, namespace: argocd}}\nspec:\n  goTemplate: true\n\
         \x20 generators: [{{clusters: {{selector: {{matchLabels: {{tier: prod}}}}}}}}]\n  template:\n    metadata: {{name: 'shop-{{{{ .name }}}}'}}\n\
         \x20   spec:\n      project: default\n      {source}\n\
         \x20     destination: {{server: '{{{{ .server }}}}', namespace: '{{{{ .metadata.labels.region }}}}'}}\n"
    );
    let by_name = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: named, namespace: argocd}}\nspec:\n  project: default\n  {source}\n\
         \x20 destination: {{name: here, namespace: named}}\n"
    );
    let namespaces = ["argocd", "eu", "named"]
        .map(|name| format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"))
        .concat();
    Repo::with(&[
        ("clusters/prod/namespaces.yaml", &namespaces),
        ("clusters/prod/set.yaml", &set),
        ("clusters/prod/named.yaml", &by_name),
        (
            "shop/map.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\n",
        ),
    ])
}

/// A Secret of a cluster, as `argocd cluster add` writes it.
fn cluster(namespace: &str, name: &str, server: &str, labels: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: cluster-{name}, namespace: {namespace}, labels: {{{labels}}}}}\n\
         stringData: {{name: {name}, server: '{server}', config: '{{\"bearerToken\": \"{CANARY}\"}}'}}\n"
    )
}

/// A cluster in which Argo CD knows others.
fn known() -> Plane {
    let plane = fresh();
    plane.serve("argoproj.io", "v1alpha1", "Application", "applications");
    plane.serve("argoproj.io", "v1alpha1", "ApplicationSet", "applicationsets");
    let kind = "argocd.argoproj.io/secret-type: cluster, tier: prod, region";
    for namespace in ["argocd", "elsewhere"] {
        plane.kubectl(&["create", "namespace", namespace], "");
    }
    let secrets = [
        cluster("argocd", "here", OWN, &format!("{kind}: eu")),
        cluster("argocd", "there", "https://us.example.com", &format!("{kind}: us")),
        cluster("argocd", "unlabelled", OWN, "tier: prod, region: eu"),
        cluster("elsewhere", "foreign", OWN, &format!("{kind}: eu")),
    ];
    // As `kubectl apply` leaves them: with a copy of themselves.
    plane.kubectl(&["apply", "-f", "-"], &secrets.concat());
    plane
}

fn run(command: &str, repo: &Repo, kubeconfig: &str, more: &[&str]) -> Ran {
    let place = repo.path().display().to_string();
    let args = [command, &place, "--path", "clusters/prod", "--kubeconfig", kubeconfig];
    let ran = refloat(args.iter().chain(more).copied()).run();
    for canary in [CANARY, &BASE64_STANDARD.encode(CANARY)[..20]] {
        assert!(!ran.stdout.contains(canary) && !ran.stderr.contains(canary));
    }
    ran
}

const RIGHT: [&str; 3] = ["--yes", "--context", "refloat-throwaway"];

fn application(plane: &Plane, name: &str) -> bool {
    let path = format!("/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/{name}");
    live(plane, &path).is_some()
}

#[test]
fn clusters_that_only_the_target_knows_make_applications() {
    let (plane, repo) = (known(), repository());
    let kubeconfig = plane.kubeconfig();
    let planned = run("plan", &repo, &kubeconfig, &[]);
    for object in [
        "Application/argocd/shop-here",
        "Application/argocd/shop-there",
        "ConfigMap/eu/shop",
    ] {
        assert!(
            planned.stdout.contains(object),
            "{object} in {}{}",
            planned.stdout,
            planned.stderr
        );
    }
    let ran = run("restore", &repo, &kubeconfig, &RIGHT);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    for (name, made) in [
        ("shop-here", true),
        ("shop-there", true),
        ("shop-unlabelled", false),
        ("shop-foreign", false),
    ] {
        assert_eq!(application(&plane, name), made, "{name}");
    }
    for namespace in ["eu", "named"] {
        let map = format!("/api/v1/namespaces/{namespace}/configmaps/shop");
        assert!(live(&plane, &map).is_some(), "{namespace}: it is for this cluster");
    }
    let audited = run("audit", &repo, &kubeconfig, &["--output", "json"]);
    assert!(
        !audited.stdout.contains("shop-here") && audited.stdout.contains("cluster-here"),
        "the Applications are declared, the Secrets are not: {}",
        audited.stdout
    );
    // What nobody asks a cluster for stays as it was.
    let place = repo.path().display().to_string();
    let offline = refloat(["render", &*place, "--path", "clusters/prod"]).run();
    assert!(!offline.stdout.contains("shop-here"), "{}", offline.stdout);
    for said in [
        "Application/argocd/named: nothing of this Application is restored: no cluster of the name here is known: \
         its Secret is not declared, and no target was asked for it; it may be this one",
        "ApplicationSet/argocd/all: a generator makes no Application",
        "--cluster-params FILE",
    ] {
        assert!(offline.stderr.contains(said), "{said} in {}", offline.stderr);
    }
}

/// On a new cluster the Secrets that `argocd cluster add` wrote are gone: what is for a cluster by its name is not passed over in silence
/// (`util/argo/argo.go`, `GetDestinationServer`: "there are no clusters with this name").
#[test]
fn a_name_that_nobody_knows_may_be_this_cluster() {
    let (plane, repo) = (fresh(), repository());
    plane.serve("argoproj.io", "v1alpha1", "Application", "applications");
    plane.serve("argoproj.io", "v1alpha1", "ApplicationSet", "applicationsets");
    let ran = run("restore", &repo, &plane.kubeconfig(), &RIGHT);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    for said in [
        "no cluster of the name here is known: its Secret is neither declared nor in the target; it may be this one",
        "no cluster that is known has the labels that it wants",
        "--input Secret/argocd/NAME=FILE",
    ] {
        assert!(ran.stderr.contains(said), "{said} in {}", ran.stderr);
    }
    assert!(application(&plane, "named"), "it is restored as it is");
    assert_eq!(live(&plane, "/api/v1/namespaces/named/configmaps/shop"), None);
}

#[test]
fn what_the_operator_names_goes_before_what_the_target_has() {
    let (plane, repo) = (known(), repository());
    let file = tempfile::NamedTempFile::new().expect("because a temporary file can be made");
    let text = "- {name: here, server: 'https://moved.example.com', labels: {tier: prod, region: eu}}\n";
    std::fs::write(file.path(), text).expect("because it is ours");
    let params = ["--cluster-params", &*file.path().display().to_string()].map(str::to_owned);
    let params: Vec<&str> = params.iter().map(String::as_str).collect();
    let ran = run("restore", &repo, &plane.kubeconfig(), &[&RIGHT[..], &params].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(application(&plane, "shop-here") && application(&plane, "shop-there"));
    let map = live(&plane, "/api/v1/namespaces/eu/configmaps/shop");
    assert_eq!(map, None, "that cluster is another one by now");
}

#[test]
fn clusters_that_may_not_be_read_are_told() {
    let (plane, repo) = (known(), repository());
    let proxy = wait(FaultProxy::start(Path::new(&plane.kubeconfig())));
    let denied = Act::Status(403, "Forbidden", "secrets is forbidden", 0);
    // By this label alone: other Secrets of Argo CD are nobody's affair.
    let asked = "/namespaces/argocd/secrets?labelSelector=argocd.argoproj.io%2Fsecret-type%3Dcluster";
    proxy.set([Fault::on("GET", asked, denied)]);
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, proxy.kubeconfig()).expect("because the folder is ours");
    let ran = run(
        "restore",
        &repo,
        &kubeconfig.display().to_string(),
        &["--yes", "--context", "proxied"],
    );
    let said = "Secrets of Argo CD's clusters in argocd were not read from the cluster: ";
    assert!(
        ran.stderr.matches(said).count() == 1 && ran.stderr.contains("--cluster-params or --input gives them"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("secrets is forbidden"), "{}", ran.stderr);
    assert!(
        !application(&plane, "shop-here") && application(&plane, "named"),
        "the rest carries on"
    );
}
