//! `--mode engine` and `--mode auto` with Argo CD: refloat restores what Argo CD acts by, and waits for what it makes. Argo CD itself cannot be
//! built of modules here: its part is played, by what its controllers do (docs/operator-manual/architecture.md,
//! docs/user-guide/resource_tracking.md; of the status pkg/apis/application/v1alpha1/types.go: ApplicationStatus).

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::Duration;

use refloat::control_plane::Options;
use serde_json::{Value, json};

use super::argo_shop::KEY;
use crate::rollback::live;
use crate::support::plane::{Plane, fresh, fresh_with, wait};
use crate::support::repo::Repo;
use crate::support::run::{Ran, refloat};
use crate::support::tools::at_hand;

const TRACKING: &str = "argocd.argoproj.io/tracking-id";

fn run(command: &str, repo: &Repo, more: &[&str]) -> Ran {
    let place = repo.path().display().to_string();
    let args = [command, &place, "--path", "argocd", "--decryption-key", KEY];
    refloat(args.iter().chain(more).copied()).with_tools(&["helm"]).run()
}

/// Argo CD, played: it knows what is to be made of the repository. Hooks are done and deleted before anybody sees them.
struct Played {
    all: Vec<Value>,
    done: BTreeSet<String>,
}

impl Played {
    fn of(repo: &Repo) -> Self {
        let rendered = run("render", repo, &["--show-secrets"]);
        assert_eq!(rendered.code, 0, "{}", rendered.stderr);
        let all = kube_yaml::parse(rendered.stdout.as_bytes()).into_iter();
        Self {
            all: all.filter_map(|document| document.value.ok()).collect(),
            done: BTreeSet::new(),
        }
    }

    /// What makes an object: its Application, or the ApplicationSet of one.
    fn maker(object: &Value) -> Option<String> {
        let (metadata, kind) = (&object["metadata"], object["kind"].as_str().unwrap_or_default());
        let tracked = metadata["annotations"][TRACKING]
            .as_str()
            .and_then(|id| id.split(':').next());
        let name = metadata["name"].as_str().unwrap_or_default();
        match (tracked, kind, name.split('-').next()) {
            (Some(application), ..) => Some(format!("Application/{application}")),
            (None, "Application", Some(set @ ("region" | "counter"))) => Some(format!("ApplicationSet/{set}s")),
            _ => None,
        }
    }

    /// One look at the cluster: whatever acts there by now makes what it has to.
    fn reconcile(&mut self, plane: &Plane) {
        let acting = ["applications", "applicationsets"].map(|kind| {
            let listed = live(plane, &format!("/apis/argoproj.io/v1alpha1/namespaces/argocd/{kind}"));
            let items = listed.and_then(|listed| Some(listed["items"].as_array()?.clone()));
            // A list tells the kind of its items once.
            let kind = if kind == "applications" {
                "Application"
            } else {
                "ApplicationSet"
            };
            items.unwrap_or_default().into_iter().map(move |one| (kind, one))
        });
        for (kind, one) in acting.into_iter().flatten() {
            let name = one["metadata"]["name"].as_str().unwrap_or_default();
            let own = format!("{kind}/{name}");
            if !self.done.insert(own.clone()) {
                continue;
            }
            let is_hook = |object: &&Value| {
                let annotations = &object["metadata"]["annotations"];
                ["argocd.argoproj.io/hook", "helm.sh/hook"]
                    .iter()
                    .any(|hook| annotations[hook].is_string())
            };
            let of_own = |object: &&Value| Self::maker(object).as_deref() == Some(&*own) && !is_hook(object);
            let made: Vec<&Value> = self.all.iter().filter(of_own).collect();
            // Namespaces first; what comes with a sync option has no mark.
            let homes: BTreeSet<&str> = made
                .iter()
                .filter_map(|one| one["metadata"]["namespace"].as_str())
                .collect();
            let is_home = |one: &&Value| {
                one["kind"] == "Namespace"
                    && one["metadata"]["name"]
                        .as_str()
                        .is_some_and(|name| homes.contains(name))
            };
            let objects: Vec<&Value> = self.all.iter().filter(is_home).chain(made).collect();
            let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
            if !objects.is_empty() {
                plane.kubectl(
                    &[
                        "apply",
                        "--server-side",
                        "--field-manager=argocd-controller",
                        "--force-conflicts",
                        "-f",
                        "-",
                    ],
                    &list.to_string(),
                );
            }
        }
    }
}

#[test]
fn argo_cd_makes_the_shop_while_refloat_waits() {
    if !at_hand("kubectl") {
        return;
    }
    let repo = Repo::of_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/argo-shop"));
    let mut played = Played::of(&repo);
    let plane = fresh_with(Options {
        request_log: true,
        ..Options::default()
    });
    let kubeconfig = plane.kubeconfig();
    let args = [
        "--kubeconfig",
        &*kubeconfig,
        "--context",
        "refloat-throwaway",
        "--yes",
        "--mode",
        "engine",
        "--output",
        "json",
    ];
    let refused = run("restore", &repo, &args);
    assert!(
        refused.code == 1
            && refused
                .stderr
                .contains("engines would let go what acts on the outside world"),
        "{}",
        refused.stderr
    );

    let args = [&args[..], &["--old-cluster-is-gone", "--timeout", "3m"]].concat();
    let ran = thread::scope(|scope| {
        let restore = scope.spawn(|| run("restore", &repo, &args));
        while !restore.is_finished() {
            played.reconcile(&plane);
            thread::sleep(Duration::from_millis(200));
        }
        restore.join().expect("because it does not panic")
    });
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    let lines = ran
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let settled: Vec<Value> = lines.filter(|line| line["event"] == "settled").collect();
    let by = |action: &str| settled.iter().filter(|line| line["action"] == action).count();
    assert_eq!(by("awaited") + by("created"), settled.len(), "{}", ran.stdout);
    assert!(by("awaited") >= 40, "{} of {}", by("awaited"), settled.len());

    // What refloat wrote is what Argo CD was set up with, and nothing of what it makes.
    let wrote = plane.requests().into_iter().filter(|line| {
        let is_ours = line["userAgent"]
            .as_str()
            .is_some_and(|agent| agent.starts_with("refloat"));
        is_ours
            && matches!(line["verb"].as_str(), Some("create" | "patch" | "update"))
            && line["requestURI"].as_str().is_some_and(|uri| !uri.contains("dryRun"))
    });
    let namespaces: BTreeSet<String> = wrote
        .filter_map(|line| Some(line["objectRef"]["namespace"].as_str()?.to_owned()))
        .collect();
    for made in ["catalog", "orders", "payments", "region-asia"] {
        assert!(!namespaces.contains(made), "{namespaces:?}");
    }
}

/// What the controller of Argo CD says of an Application.
fn says(plane: &Plane, path: &str, sync: &str, health: &str) {
    let status = json!({"status": {"sync": {"status": sync}, "health": {"status": health}}});
    let api = plane.api();
    let sent = api.request("PATCH", path, "application/merge-patch+json", Some(&status));
    assert!(wait(sent).is_ok_and(|answer| answer.is_success()), "{sync} {health}");
}

#[test]
fn an_application_that_only_argo_cd_can_render_is_waited_for_by_its_status() {
    let application = |name: &str, more: &str| {
        format!(
            "---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n  project: default\n\
             \x20 source: {{repoURL: 'https://git.example.com/shop.git', path: shop{more}}}\n\
             \x20 destination: {{server: 'https://kubernetes.default.svc', namespace: argocd}}\n  syncPolicy: {{automated: {{prune: true}}}}\n"
        )
    };
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: argocd}\n";
    let all = [
        namespace,
        &application("far", ", plugin: {name: cdk}"),
        &application("near", ""),
    ]
    .concat();
    let repo = Repo::with(&[
        ("argocd/apps.yaml", &all),
        (
            "shop/map.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\n",
        ),
    ]);
    let plane = fresh();
    plane.serve("argoproj.io", "v1alpha1", "Application", "applications");
    let kubeconfig = plane.kubeconfig();
    let restore = |mode: &str, timeout: &str, output: &str| {
        let args = ["--kubeconfig", &kubeconfig, "--context", "refloat-throwaway", "--yes"];
        let more = ["--mode", mode, "--timeout", timeout, "--output", output];
        run("restore", &repo, &[&args[..], &more].concat())
    };
    let direct = restore("direct", "1m", "human");
    assert_eq!(direct.code, 3, "it is an error: {}{}", direct.stdout, direct.stderr);

    let far = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/far";
    plane.kubectl(&["delete", "application", "far", "--namespace", "argocd"], "");
    let ran = thread::scope(|scope| {
        let ran = scope.spawn(|| restore("auto", "2m", "json"));
        while live(&plane, far).is_none() {
            assert!(!ran.is_finished(), "it restores the Application");
            thread::sleep(Duration::from_millis(50));
        }
        for (sync, health) in [
            ("OutOfSync", "Healthy"),
            ("OutOfSync", "Missing"),
            ("Synced", "Progressing"),
            ("Synced", "Degraded"),
        ] {
            says(&plane, far, sync, health);
            thread::sleep(Duration::from_secs(1));
            assert!(!ran.is_finished(), "{sync} {health}");
        }
        says(&plane, far, "Synced", "Healthy");
        ran.join().expect("because it does not panic")
    });
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("its engine says: Synced, Degraded"),
        "{}",
        ran.stdout
    );
    assert_eq!(
        live(&plane, far).expect("because it was restored")["spec"]["syncPolicy"],
        json!({"automated": {"prune": true}})
    );
    assert!(live(&plane, "/api/v1/namespaces/argocd/configmaps/shop").is_some());

    // Where Argo CD does not get it right, that is the result.
    says(&plane, far, "Synced", "Degraded");
    let degraded = restore("auto", "5s", "human");
    let said = format!("{}{}", degraded.stdout, degraded.stderr);
    let plugin = "left to its engine: nothing of this Application is restored: a config management plugin renders it";
    assert!(degraded.code == 3 && said.contains(plugin), "{said}");
    assert!(said.contains("its engine says: Synced, Degraded"), "{said}");
}
