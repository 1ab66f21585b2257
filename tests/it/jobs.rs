//! A Job that completed in a restore is not run again when that restore is continued.

use std::time::{Duration, Instant};

use refloat::cluster::Endpoint;
use refloat::object::{GroupKind, Scope};

use crate::support::plane;
use crate::support::repo::Repo;
use crate::support::run::refloat;

const JOB: &str = "apiVersion: batch/v1
kind: Job
metadata: {name: migrate, namespace: default}
spec:
  ttlSecondsAfterFinished: 1
  template:
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: registry.example.com/migrate:1}]
";

#[test]
fn a_job_that_its_ttl_removed_is_not_run_again() {
    let plane = plane::fresh();
    let repo = Repo::with(&[("job.yaml", JOB)]);
    let restore = |report: &str| {
        let kubeconfig = plane.kubeconfig();
        let path = repo.path().display().to_string();
        let args = [
            "restore",
            "--kubeconfig",
            &kubeconfig,
            "--old-cluster-is-gone",
            "--output",
            report,
            &path,
        ];
        refloat(args).run()
    };
    let first = restore("human");
    assert_eq!(first.code, 0, "{}\n{}", first.stdout, first.stderr);
    assert!(first.stdout.contains("created             1"), "{}", first.stdout);

    let cluster = plane.connect();
    let jobs = Endpoint::new(GroupKind::new("batch", "Job"), "v1", "jobs", Scope::Namespaced);
    let gone = || {
        plane::wait(cluster.get(&jobs, Some("default"), "migrate"))
            .expect("because it answers")
            .is_none()
    };
    let until = Instant::now() + Duration::from_secs(30);
    while !gone() {
        assert!(Instant::now() < until, "the Job outlives its ttl");
        std::thread::sleep(Duration::from_millis(200));
    }

    let second = restore("human");
    assert_eq!(second.code, 0, "{}\n{}", second.stdout, second.stderr);
    assert!(second.stdout.contains("unchanged           1"), "{}", second.stdout);
    assert!(gone(), "it was run again");

    repo.write(
        "more.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more, namespace: default}\n",
    );
    repo.commit("another commit is another restore");
    let third = restore("human");
    assert!(third.stdout.contains("created             2"), "{}", third.stdout);
}
