//! Flux's Kustomizations, rendered by refloat and by Flux's own kustomize-controller: what is live afterwards is the same, and the
//! controller takes it over as it is.

mod compare;
mod flux;
mod kinds;
mod left;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use refloat::control_plane::Options;
use serde_json::{Value, json};

use self::flux::{Artifacts, Controller, SOURCES, archive, head};
use crate::support::plane::{Plane, fresh_with, wait};
use crate::support::repo::{Repo, case};
use crate::support::run::{Ran, refloat};

const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const LONGEST: Duration = Duration::from_secs(90);

/// The object at a path of the API; `None` if it is not there.
fn live(plane: &Plane, path: &str) -> Option<Value> {
    let answer = wait(plane.api().get(path)).expect("because the server runs");
    answer.is_success().then_some(answer.body)
}

/// Sends a request; must succeed.
fn send(plane: &Plane, method: &str, path: &str, form: &str, body: Option<&Value>) -> Value {
    let answer = wait(plane.api().request(method, path, form, body)).expect("because the server runs");
    assert!(answer.is_success(), "{method} {path}: {}", answer.message());
    answer.body
}

/// Applies an object as the controller would.
fn apply(plane: &Plane, path: &str, object: &Value) {
    let path = format!("{path}?fieldManager=kustomize-controller&force=true");
    send(plane, "PATCH", &path, APPLY, Some(object));
}

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..600 {
        match look() {
            Some(found) => return found,
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    }
    panic!("{what} did not come");
}

fn namespace(plane: &Plane, name: &str) {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"shop.example.com/made": "by-hand"}},
    });
    apply(plane, &format!("/api/v1/namespaces/{name}"), &namespace);
}

const GIT: &str = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/flux-system";
const SYNC: &str = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/flux-system";

/// What `flux bootstrap` makes of a repository that does not hold it.
fn bootstrap(plane: &Plane, path: &str) {
    namespace(plane, "flux-system");
    // Some Kustomizations say that they are applied with its rights.
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "kustomize-controller", "namespace": "flux-system"},
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "kustomize-controller"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "kustomize-controller", "namespace": "flux-system"}],
    });
    apply(
        plane,
        "/api/v1/namespaces/flux-system/serviceaccounts/kustomize-controller",
        &account,
    );
    let bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kustomize-controller";
    apply(plane, bindings, &binding);
    let git = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"name": "flux-system", "namespace": "flux-system"},
        "spec": {"interval": "10m", "url": "https://git.example.com/fleet.git", "ref": {"branch": "main"}},
    });
    let kustomization = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "flux-system", "namespace": "flux-system"},
        "spec": {
            "interval": "10m", "path": path, "prune": true, "sourceRef": {"kind": "GitRepository", "name": "flux-system"},
        },
    });
    apply(plane, GIT, &git);
    apply(plane, SYNC, &kustomization);
}

/// A source that is another repository: its kind in the plural, namespace, name, where it is, and what of it is in the artifact.
struct Other<'r> {
    source: (&'r str, &'r str, &'r str),
    repo: &'r Path,
    pick: fn(&str) -> Option<String>,
}

fn whole(file: &str) -> Option<String> {
    Some(file.to_owned())
}

/// A repository that Flux syncs, and a control plane each for Flux and for refloat.
struct Side {
    theirs: Plane,
    ours: Plane,
    artifacts: Artifacts,
    repo: PathBuf,
    revision: String,
}

const OWN: (&str, &str, &str) = ("gitrepositories", "flux-system", "flux-system");

impl Side {
    /// Planes on which all kinds that `rendered` names get ready by themselves.
    fn by_side(repo: &Path, rendered: &str) -> (Self, kinds::Kinds) {
        let kinds = kinds::of(rendered);
        let file = tempfile::Builder::new().suffix(".yaml").tempfile();
        let file = file.expect("because a temporary file can be made");
        std::fs::write(file.path(), kinds::stages(&kinds)).expect("because it is ours");
        let plane = || {
            fresh_with(Options {
                simulate: vec![file.path().to_owned()],
                ..Options::default()
            })
        };
        let side = Self {
            theirs: plane(),
            ours: plane(),
            artifacts: Artifacts::serve(),
            repo: repo.to_owned(),
            revision: format!("main@sha1:{}", head(repo)),
        };
        (side, kinds)
    }

    fn give(&self, plane: &Plane) {
        self.artifacts
            .give(plane, OWN, &self.revision, archive(&self.repo, whole));
    }

    fn run(&self, command: &str, args: &[&str]) -> Ran {
        run(command, &self.repo, args)
    }

    fn restore(&self, args: &[&str]) -> Ran {
        let kubeconfig = self.ours.kubeconfig();
        let always = [
            "--kubeconfig",
            &kubeconfig,
            "--context",
            "refloat-throwaway",
            "--old-cluster-is-gone",
            "--yes",
            "--timeout",
            "40s",
            "--soft-wait",
            "1s",
        ];
        self.run("restore", &[&always, args].concat())
    }

    /// Starts Flux where refloat restored: it goes on, and changes nothing.
    fn hand_over(&self) -> Controller {
        let before = eventually("rest", || compare::at_rest(&self.ours));
        self.give(&self.ours);
        let controller = Controller::start(&self.ours);
        self.settle(&controller);
        assert_eq!(
            compare::moved(&before, &compare::applied(&self.ours)),
            Vec::<String>::new()
        );
        controller
    }

    /// Waits until Flux has done all there is to do where refloat restored.
    fn settle(&self, controller: &Controller) {
        let failed = controller.settled(&self.ours, &self.revision, LONGEST);
        assert_eq!(failed, BTreeMap::new(), "{}", controller.errors());
    }

    /// The two as they are now: how many objects, and every difference.
    fn compared(&self) -> (usize, Vec<String>) {
        let (left, right) = (compare::applied(&self.theirs), compare::applied(&self.ours));
        (left.len(), compare::differences(&left, &right))
    }
}

fn run(command: &str, repo: &Path, args: &[&str]) -> Ran {
    let repo = repo.display().to_string();
    refloat([command, &repo].iter().chain(args).copied())
        .with_tools(&["helm"])
        // What is far away is not asked.
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .run()
}

/// Restores a repository without Flux's own objects in it in both ways. Its charts are left aside: each is an empty one.
/// `brought` are what charts would bring and others wait for: their paths.
fn compared(repo: &Path, entry: &str, others: &[Other<'_>], brought: &[(&str, Value)]) -> Compared {
    both(repo, entry, others, brought).1
}

/// Likewise, with where that was done.
fn both(repo: &Path, entry: &str, others: &[Other<'_>], brought: &[(&str, Value)]) -> (Side, Compared) {
    let mut args = vec!["--path".to_owned(), entry.to_owned()];
    for other in others {
        let (plural, namespace, name) = other.source;
        if plural == "externalartifacts" {
            continue;
        }
        args.extend([
            "--source".to_owned(),
            format!("{namespace}/{name}={}", other.repo.display()),
        ]);
    }
    let Ran {
        stdout: rendered,
        stderr,
        ..
    } = run("render", repo, &borrowed(&args));
    let chart = Repo::with(&[("Chart.yaml", "apiVersion: v2\nname: empty\nversion: 0.0.0\n")]);
    for name in stderr
        .lines()
        .filter_map(|line| line.trim().strip_prefix("hint: --chart ")?.split('=').next())
    {
        args.extend(["--chart".to_owned(), format!("{name}={}", chart.path().display())]);
    }
    let more = brought
        .iter()
        .map(|(_, one)| format!("\n---\n{}", kube_yaml::to_string(one)));
    let (side, kinds) = Side::by_side(repo, &more.fold(rendered, |all, one| all + &one));
    for plane in [&side.theirs, &side.ours] {
        kinds::define(plane, &kinds);
        bootstrap(plane, entry);
        brought.iter().for_each(|(path, object)| apply(plane, path, object));
    }
    side.give(&side.theirs);
    // What nothing in Git declares is there first: the controller looks for a missing source again only after minutes.
    let (made, declared): (Vec<&Other<'_>>, Vec<&Other<'_>>) =
        others.iter().partition(|other| other.source.0 == "externalartifacts");
    for other in made {
        let (plural, namespace, name) = other.source;
        let artifact = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
            "metadata": {"name": name, "namespace": namespace}, "spec": {},
        });
        apply(
            &side.theirs,
            &format!("{SOURCES}/{namespace}/{plural}/{name}"),
            &artifact,
        );
        let archive = archive(other.repo, other.pick);
        side.artifacts.give(&side.theirs, other.source, &side.revision, archive);
    }
    let controller = Controller::start(&side.theirs);
    let ran = side.restore(&borrowed(&args));
    assert!(matches!(ran.code, 0 | 3), "{}\n{}", ran.stdout, ran.stderr);
    let lines = ran.stderr.lines();
    let left_out = lines
        .filter(|line| line.contains("nothing of "))
        .map(|line| line.trim().to_owned());
    let left_out = left_out.collect();
    for other in declared {
        let (plural, namespace, name) = other.source;
        let at = format!("{SOURCES}/{namespace}/{plural}/{name}");
        eventually(&at, || live(&side.theirs, &at));
        let archive = archive(other.repo, other.pick);
        side.artifacts.give(&side.theirs, other.source, &side.revision, archive);
    }
    let failed = controller.settled(&side.theirs, &side.revision, LONGEST);
    let (count, differences) = side.compared();
    let compared = Compared {
        count,
        differences,
        failed,
        left_out,
    };
    (side, compared)
}

/// What came of both ways.
#[derive(Debug, PartialEq)]
struct Compared {
    /// How many objects Flux applied.
    count: usize,
    differences: Vec<String>,
    /// The Kustomizations that Flux could not apply, and why.
    failed: BTreeMap<String, String>,
    /// What refloat says of those that it could not render.
    left_out: Vec<String>,
}

impl Compared {
    /// So many objects, and all the same.
    fn same(count: usize) -> Self {
        Self {
            count,
            differences: Vec::new(),
            failed: BTreeMap::new(),
            left_out: Vec::new(),
        }
    }
}

fn borrowed(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

#[test]
fn flux2_multi_tenancy_is_what_flux_makes_of_it() {
    let Some((_folder, clone)) = case("flux2-multi-tenancy") else {
        return;
    };
    let map = |namespace: &str, name: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata: {{a: b}}\n")
    };
    let team = Repo::with(&[
        ("production/map.yaml", &map("apps", "team")),
        ("production/more/map.yml", &map("apps", "more")),
    ]);
    let kyverno = Repo::with(&[("map.yaml", &map("default", "kyverno"))]);
    let others = [
        (("gitrepositories", "apps", "dev-team"), &team),
        (("ocirepositories", "flux-system", "kyverno-controller"), &kyverno),
    ];
    let others = others.map(|(source, repo)| Other {
        source,
        repo: repo.path(),
        pick: whole,
    });
    let found = compared(&clone, "clusters/production", &others, &[]);
    assert_eq!(found, Compared::same(15));
}

#[test]
fn flux2_kustomize_helm_example_is_what_flux_makes_of_it_and_flux_takes_it_over_as_it_is() {
    let Some((_folder, clone)) = case("flux2-kustomize-helm-example") else {
        return;
    };
    flux::checkout(&clone, "a666403cd697");
    let (mut side, found) = both(&clone, "clusters/production", &[], &[]);
    assert_eq!(found, Compared::same(13));
    let controller = side.hand_over();
    let of = |side: &Side, name: &str| {
        let path = format!("/apis/helm.toolkit.fluxcd.io/v2/namespaces/{name}/helmreleases/{name}");
        live(&side.ours, &path)
    };
    let ingress = |side: &Side| of(side, "podinfo").map(|release| release["spec"]["values"]["ingress"].clone());
    let before = ingress(&side).expect("because it was restored");
    assert_eq!(before["className"], "nginx");
    assert!(of(&side, "ingress-nginx").is_some());

    // A key and an object are removed from the files; no commit is needed to archive them.
    for (file, line) in [
        ("apps/base/podinfo/release.yaml", "      className: nginx\n"),
        (
            "infrastructure/controllers/kustomization.yaml",
            "  - ingress-nginx.yaml\n",
        ),
    ] {
        let text = std::fs::read_to_string(clone.join(file)).expect("because it is there");
        assert!(text.contains(line), "{file} has {line}");
        std::fs::write(clone.join(file), text.replace(line, "")).expect("because the clone is ours");
    }
    side.revision = format!("main@sha1:{}", "1".repeat(40));
    side.give(&side.ours);
    let without = |found: &Value| found.get("className").is_none();
    let after = eventually("it without the key", || ingress(&side).filter(without));
    assert_eq!(after["hosts"], before["hosts"]);
    // Flux waits until helm-controller has seen that, which cannot be had here.
    let release = of(&side, "podinfo").unwrap_or_default();
    let seen = json!({"status": {"observedGeneration": release["metadata"]["generation"]}});
    let path = "/apis/helm.toolkit.fluxcd.io/v2/namespaces/podinfo/helmreleases/podinfo/status";
    send(&side.ours, "PATCH", path, MERGE, Some(&seen));
    side.settle(&controller);
    assert!(
        of(&side, "ingress-nginx").is_none(),
        "the controller takes away what it took over"
    );
}

#[test]
fn artifacts_that_are_put_together_are_what_flux_makes_of_them() {
    let Some((_folder, clone)) = case("flux2-kustomize-helm-example") else {
        return;
    };
    let pick: [fn(&str) -> Option<String>; 2] = [
        |file| file.strip_prefix("infrastructure/").map(str::to_owned),
        |file| {
            let inner = file.strip_prefix("apps/")?;
            let is_taken = inner.starts_with("base/") || inner.starts_with("production/");
            is_taken.then(|| inner.to_owned())
        },
    ];
    // What source-watcher makes of the ArtifactGenerator, as it says.
    let others = [("infrastructure", pick[0]), ("apps", pick[1])].map(|(name, pick)| Other {
        source: ("externalartifacts", "flux-system", name),
        repo: &clone,
        pick,
    });
    let found = compared(&clone, "clusters/production", &others, &[]);
    assert_eq!(found, Compared::same(16));
}

#[test]
fn home_ops_is_what_flux_makes_of_it() {
    if std::env::var_os("REFLOAT_LONG").is_none() {
        return;
    }
    let Some((_folder, clone)) = case("home-ops") else {
        return;
    };
    // A chart brings it, and a Kustomization waits for it.
    let issuer = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": "letsencrypt-production"},
    });
    let path = "/apis/cert-manager.io/v1/clusterissuers/letsencrypt-production";
    let found = compared(&clone, "kubernetes/flux/cluster", &[], &[(path, issuer)]);
    assert_eq!((found.count, found.differences), (580, Vec::new()));
    // The bundle lacks a file of each.
    let failed: Vec<&String> = found.failed.keys().collect();
    assert_eq!(failed, ["network/envoy-gateway-gateway", "selfhosted/webhook"]);
    let left_out = found.left_out;
    let are_same = ["block-user-agents.lua", "radarr-pushover.sh"];
    assert_eq!(left_out.len(), are_same.len(), "{left_out:#?}");
    for file in are_same {
        assert!(left_out.iter().any(|line| line.contains(file)), "{file}: {left_out:#?}");
    }
}

/// Its own definitions of Flux's kinds, and what it needs that is not in it.
fn prepare(plane: &Plane, repo: &Path) {
    let text = std::fs::read(repo.join("clusters/production/flux-system/gotk-components.yaml"));
    for document in kube_yaml::parse(&text.expect("because it is there")) {
        let object = document.value.expect("because it is valid");
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if object["kind"] == "CustomResourceDefinition" {
            apply(
                plane,
                &format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"),
                &object,
            );
        }
    }
    namespace(plane, "flux-system");
    give_key(plane);
    let text = std::fs::read(repo.join("clusters/production/flux-system/gotk-sync.yaml"));
    for (document, path) in kube_yaml::parse(&text.expect("because it is there"))
        .into_iter()
        .zip([GIT, SYNC])
    {
        let collection = path.rsplit_once('/').map_or(path, |(collection, _)| collection);
        eventually(path, || live(plane, collection));
        apply(plane, path, &document.value.expect("because it is valid"));
    }
}

/// The Secret that Flux decrypts with.
fn give_key(plane: &Plane) {
    let key = include_str!("../../../../fixtures/flux-shop.agekey");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sops-age", "namespace": "flux-system"},
        "stringData": {"age.agekey": key},
    });
    send(
        plane,
        "POST",
        "/api/v1/namespaces/flux-system/secrets",
        "application/json",
        Some(&secret),
    );
}

#[test]
fn the_shop_is_what_flux_makes_of_it_and_flux_takes_it_over_as_it_is() {
    let repo = Repo::of_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/flux-shop"));
    let args = ["--decryption-key", "fixtures/flux-shop.agekey"];
    let rendered = run("render", repo.path(), &args);
    let (mut side, _) = Side::by_side(repo.path(), &rendered.stdout);
    prepare(&side.theirs, repo.path());
    side.give(&side.theirs);
    let controller = Controller::start(&side.theirs);
    let ran = side.restore(&args);
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    let failed = controller.settled(&side.theirs, &side.revision, LONGEST);
    assert_eq!(failed, BTreeMap::new(), "{}", controller.errors());
    assert_eq!(side.compared(), (60, Vec::new()));
    drop(controller);

    // The hand-over.
    give_key(&side.ours);
    let controller = side.hand_over();

    // A key and an object are removed in Git.
    repo.git(&["rm", "-q", "apps/payments/policy.yaml"]);
    let without = |file: &str, line: &str| {
        let text = std::fs::read_to_string(repo.path().join(file)).expect("because it is there");
        assert!(text.contains(line), "{file} has {line}");
        repo.write(file, &text.replace(line, ""));
    };
    without("apps/payments/kustomization.yaml", "  - policy.yaml\n");
    without("infrastructure/configs/settings.yaml", "  SAYING: open \"24/7\" \\o/\n");
    side.revision = format!("main@sha1:{}", repo.commit("less"));
    side.give(&side.ours);
    side.settle(&controller);
    let settings = live(&side.ours, "/api/v1/namespaces/flux-system/configmaps/cluster-settings");
    let settings = settings.expect("because it is still declared");
    assert_eq!(
        (settings["data"].get("SAYING"), settings["data"]["CLUSTER"].as_str()),
        (None, Some("production"))
    );
    let policy = "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/pay-ledger";
    assert_eq!(live(&side.ours, policy), None);
}
