//! Releases of charts that make values anew at each rendering, and of what is done to what charts make.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::hand_over::{found, helm, one_release, release, release_path, restore_through, run, secret_path, suspended};
use crate::charts::records::{asked, read_back};
use crate::rollback::{live, returns};
use crate::support::fault_proxy::{Act, Fault, FaultProxy};
use crate::support::plane::{Plane, fresh, wait};
use crate::support::repo::Repo;
use crate::support::run::{kill_once, refloat};

const RANDOM: &str =
    "apiVersion: v1\nkind: Secret\nmetadata: {name: random}\nstringData: {password: '{{ randAlphaNum 24 }}'}\n";

/// Values that a chart makes anew at each rendering are others in the record than in one that would be made now; its values are not.
#[test]
fn a_release_with_values_that_are_made_anew_is_known_again() {
    let (plane, repo) = (fresh(), one_release(""));
    repo.write("charts/web/templates/random.yaml", RANDOM);
    repo.commit("random");
    let _ = returns(0, run(&plane, &repo, "restore", &[]));
    let history = || found(&plane, &release_path("web"))["status"]["history"].clone();
    let secret = || found(&plane, "/api/v1/namespaces/shop/secrets/random")["data"].clone();
    let (first, password) = (history(), secret());
    let forget = || plane.kubectl(&["--namespace", "shop", "delete", "helmrelease", "web"], "");
    forget();
    let _ = returns(0, run(&plane, &repo, "restore", &[]));
    assert_eq!(suspended(&plane, &release_path("web")), (false, false));
    assert_eq!(history(), first, "as it was told of when the record was made");
    assert_eq!(secret(), password, "what is there stays");
    // What is done to the chart's objects is another matter, and so are values of its own.
    forget();
    repo.write(
        "apps/web.yaml",
        &format!("{}{}", release("web", "{replicas: 2}"), labelled("new")),
    );
    repo.commit("other labels");
    let _ = returns(0, run(&plane, &repo, "restore", &[]));
    assert_eq!(suspended(&plane, &release_path("web")), (true, true));
    forget();
    repo.write("apps/web.yaml", &release("web", "{replicas: 3}"));
    repo.commit("another release");
    let _ = returns(0, run(&plane, &repo, "restore", &[]));
    assert_eq!(suspended(&plane, &release_path("web")), (true, true));
}

/// A post-renderer that labels the ConfigMap, for a HelmRelease.
fn labelled(value: &str) -> String {
    let patch =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "labels": {"tier": value}}});
    format!(
        "  postRenderers: [{{kustomize: {{patches: [{{target: {{kind: ConfigMap, name: web}}, patch: '{patch}'}}]}}}}]\n"
    )
}

/// A restore that is killed once all of the release is there and before its record is, with what of it is there.
fn killed_before_the_record(plane: &Plane, repo: &Repo) {
    let proxy = wait(FaultProxy::start(std::path::Path::new(&plane.kubeconfig())));
    // Its hook, its Secret, and its record.
    let secrets = "/api/v1/namespaces/shop/secrets?";
    proxy.set([Fault::on("POST", secrets, Act::Swallow).every(3)]);
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let running = restore_through(&proxy, repo, folder.path()).start();
    let posted = || {
        let log = proxy.log();
        log.iter()
            .filter(|one| one.method == "POST" && one.path.contains(secrets))
            .count()
    };
    kill_once(running, || posted() >= 3);
    assert!(live(plane, &secret_path("web")).is_none() && live(plane, &release_path("web")).is_none());
}

#[test]
fn a_record_that_is_made_later_tells_of_the_values_that_are_there() {
    let (plane, repo) = (fresh(), one_release(""));
    let more = "data: {token: '{{ randAlphaNum 24 | b64enc }}'}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: sum}\ndata: {sum: '{{ randAlphaNum 24 }}', fixed: a}\n";
    repo.write("charts/web/templates/random.yaml", &format!("{RANDOM}{more}"));
    let hook = RANDOM.replace("name: random", "name: hooked, annotations: {helm.sh/hook: pre-install}");
    repo.write("charts/web/templates/hooked.yaml", &hook);
    repo.commit("random");
    killed_before_the_record(&plane, &repo);

    let data = |path: &str| found(&plane, &format!("/api/v1/namespaces/shop/{path}"))["data"].clone();
    let all = || ["secrets/random", "secrets/hooked", "configmaps/sum"].map(data);
    let before = all();
    let clear = |encoded: &Value| {
        let bytes = BASE64_STANDARD.decode(encoded.as_str().unwrap_or_default());
        String::from_utf8(bytes.expect("because it is base64")).expect("because it is text")
    };
    let (password, hooked) = (clear(&before[0]["password"]), clear(&before[1]["password"]));
    let ran = returns(
        0,
        run(
            &plane,
            &repo,
            "restore",
            &["--verbose", "--yes", "--context", "refloat-throwaway"],
        ),
    );
    assert_eq!(all(), before, "what is there stays");
    for secret in [&*password, &hooked, before[0]["token"].as_str().unwrap_or("-")] {
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret));
    }
    let told = |what: &str| helm(&plane, &["get", what, "web", "--namespace", "shop"]);
    let manifest = told("manifest");
    for value in [&json!(password), &before[0]["token"], &before[2]["sum"]] {
        assert!(manifest.contains(value.as_str().unwrap_or("-")), "{manifest}");
    }
    assert!(told("hooks").contains(&hooked), "{}", told("hooks"));
    // Its controller knows it for its own.
    let record = found(&plane, &secret_path("web"));
    let history = found(&plane, &release_path("web"))["status"]["history"][0].clone();
    assert_eq!(history["digest"], read_back(&record, None)["snapshot"]["digest"]);
    assert_eq!(suspended(&plane, &release_path("web")), (false, false));

    // Nothing was changed past Git.
    let (kubeconfig, place) = (plane.kubeconfig(), repo.path().display().to_string());
    let audited = refloat([
        "audit",
        &*place,
        "--path",
        "clusters/prod",
        "--kubeconfig",
        &*kubeconfig,
    ]);
    let audited = audited.with_tools(&["helm"]).run();
    assert!(!audited.stdout.contains("Secret/shop/random"), "{}", audited.stdout);

    // Helm itself makes others, and goes back to these.
    let chart = repo.path().join("charts/web").display().to_string();
    let force = ["--namespace", "shop", "--force-conflicts"];
    helm(
        &plane,
        &[&["upgrade", "web", &*chart, "--set", "replicas=2"], &force[..]].concat(),
    );
    assert_ne!(data("secrets/random"), before[0]);
    helm(&plane, &[&["rollback", "web", "1"], &force[..]].concat());
    assert_eq!(
        (data("secrets/random"), data("configmaps/sum")),
        (before[0].clone(), before[2].clone())
    );
}

/// What is done to what a chart makes is no part of the values: helm-controller notes it beside.
#[test]
fn a_release_tells_what_is_done_to_the_objects_of_its_chart() {
    let metadata = "  commonMetadata: {labels: {team: shop}}\n";
    let more = |value: &str| format!("{}{metadata}", labelled(value));
    let (plane, repo) = (fresh(), one_release(&more("old")));
    let status = || found(&plane, &release_path("web"))["status"].clone();
    let observed = || {
        let spec = found(&plane, &release_path("web"))["spec"].clone();
        asked(
            &json!({"ask": "observed", "spec": {"postRenderers": spec["postRenderers"], "commonMetadata": spec["commonMetadata"]}}),
        )
    };
    let noted = ["observedPostRenderersDigest", "observedCommonMetadataDigest"];
    let _ = returns(0, run(&plane, &repo, "restore", &[]));
    let first = status();
    for key in noted {
        assert_eq!((first[key].is_string(), &first[key]), (true, &observed()[key]), "{key}");
    }
    // As after a run that was killed: what it made known is known again.
    let forget = || plane.kubectl(&["--namespace", "shop", "delete", "helmrelease", "web"], "");
    forget();
    let _ = returns(0, run(&plane, &repo, "restore", &[]));
    for key in noted {
        assert_eq!(status()[key], first[key], "{key}");
    }
    // Others make another release, also with the same values.
    forget();
    repo.write(
        "apps/web.yaml",
        &format!("{}{}", release("web", "{replicas: 2}"), more("new")),
    );
    repo.commit("other labels");
    let _ = returns(0, run(&plane, &repo, "restore", &[]));
    assert_eq!(
        suspended(&plane, &release_path("web")),
        (true, true),
        "the record is of another release"
    );
    forget();
    plane.kubectl(
        &["--namespace", "shop", "delete", "secret", "sh.helm.release.v1.web.v1"],
        "",
    );
    let _ = returns(0, run(&plane, &repo, "restore", &[]));
    let second = status();
    assert_eq!(second[noted[0]], observed()[noted[0]]);
    assert_ne!(second[noted[0]], first[noted[0]]);
    assert_eq!(second[noted[1]], first[noted[1]]);
    let of = |status: &Value, key: &str| status["history"][0][key].clone();
    assert_eq!(of(&second, "configDigest"), of(&first, "configDigest"));
    assert_ne!(of(&second, "digest"), of(&first, "digest"));
}
