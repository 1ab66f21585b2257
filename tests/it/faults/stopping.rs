//! Stopped in the middle: by Ctrl-C, by a kill, by the server going away; and gone on with.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{Admin, Given, PROXIED, many, normal, own, proxy};
use crate::support::fault_proxy::FaultProxy;
use crate::support::plane;
use crate::support::run::Ran;

#[expect(clippy::disallowed_methods, reason = "a test sends signals as a terminal does")]
pub(super) fn signal(name: &str, pid: u32) {
    let sent = std::process::Command::new("kill")
        .args([name, &pid.to_string()])
        .status();
    assert!(sent.expect("because kill is there").success());
}

/// A restore that runs.
pub(super) struct Running {
    pub child: Child,
    lines: mpsc::Receiver<String>,
    stderr: String,
}

impl Running {
    pub fn new(mut child: Child) -> Self {
        drop(child.stdin.take());
        let stderr = BufReader::new(child.stderr.take().expect("because it is piped"));
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| tell.send(line))
        });
        Self {
            child,
            lines,
            stderr: String::new(),
        }
    }

    /// Reads on until a line holds this, or to the end.
    pub fn until(&mut self, text: &str) {
        loop {
            let line = match self.lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) => line,
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    signal("-KILL", self.child.id());
                    panic!(
                        "nothing was said for a minute, waiting for {text:?} after: {}",
                        self.stderr
                    );
                }
            };
            self.stderr += &format!("{line}\n");
            if line.contains(text) {
                return;
            }
        }
    }

    pub fn end(mut self) -> Ran {
        self.until("\0");
        let mut stdout = String::new();
        let mut out = self.child.stdout.take().expect("because it is piped");
        out.read_to_string(&mut stdout).expect("because refloat writes UTF-8");
        let code = self.child.wait().expect("because it was started").code();
        Ran {
            code: code.unwrap_or(-1),
            stdout,
            stderr: self.stderr,
        }
    }
}

/// So many objects over a slow line, so that there is a middle.
fn slowly(namespace: &str, count: usize) -> (Given, FaultProxy) {
    let proxy = proxy(own(), []);
    proxy.delay(Duration::from_millis(15));
    let given = Given::new(own(), &[("a.yaml", &many(namespace, count))]).by(&proxy.kubeconfig(), PROXIED);
    (given, proxy)
}

/// Numbers replaced, and the width of columns: where it was stopped differs.
fn counts(text: &str) -> String {
    let gap = regex::Regex::new(r"([^ \n]) {2,}").expect("because it is written right");
    let number = regex::Regex::new(r"\b\d+( of 301)?( objects?)?\b").expect("because it is written right");
    let text = number.replace_all(&normal(text), "N$1 objects").replace("  ", " ");
    gap.replace_all(&text, "$1 ").into_owned()
}

fn tail(stderr: &str, from: &str) -> String {
    stderr
        .lines()
        .skip_while(|line| !line.contains(from))
        .filter(|line| !line.starts_with("created "))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn ctrl_c_finishes_what_is_in_flight_and_the_next_run_goes_on() {
    let (given, proxy) = slowly("interrupted", 300);
    let mut running = Running::new(given.restore(&["--concurrency", "8"]).start());
    running.until("ConfigMap/interrupted/");
    signal("-INT", running.child.id());
    let ran = running.end();
    assert_eq!(ran.code, 130, "{}{}", ran.stdout, ran.stderr);
    let there = Admin::of(own()).maps("interrupted");
    let told = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with("created     ConfigMap"))
        .count();
    assert_eq!(told, there, "what was in flight is told too");
    assert!((1..300).contains(&there), "{there}");
    insta::assert_snapshot!(counts(&format!("{}--\n{}", tail(&ran.stderr, "nterrupt"), ran.stdout)), @r#"
        Interrupted: # requests in flight will be finished; Ctrl-C again stops at once.
        --
        Interrupted after #s.
        N of 301 objects are in the cluster (#s).

               objects ready not waited for failed timed out
        created N objects N objects N objects - -
        not started N objects - - - -

        Slowest chain: #s of #s

        N objects not started. The same command again goes on from here; what is there already stays as it is.
        "#);

    proxy.delay(Duration::ZERO);
    let again = given.restore(&[]).run();
    assert_eq!(again.code, 0, "{}{}", again.stdout, again.stderr);
    let counted = |word: &str| {
        again
            .stderr
            .lines()
            .filter(|line| line.starts_with(word) && line.contains("ConfigMap"))
            .count()
    };
    assert_eq!(
        (counted("unchanged "), counted("created ")),
        (there, 300 - there),
        "{}",
        again.stderr
    );
}

#[test]
fn a_second_ctrl_c_stops_at_once() {
    let (given, proxy) = slowly("twice", 300);
    let mut running = Running::new(given.restore(&[]).start());
    running.until("ConfigMap/twice/");
    // What is sent from now on is answered after a minute.
    proxy.delay(Duration::from_secs(60));
    std::thread::sleep(Duration::from_millis(300));
    let pid = running.child.id();
    signal("-INT", pid);
    running.until("nterrupt");
    let began = Instant::now();
    signal("-INT", pid);
    let ran = running.end();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(ran.code, 130);
    let mut kept: Vec<&str> = ran.stdout.lines().collect();
    let each = kept
        .iter()
        .position(|line| line.starts_with("Failed"))
        .expect("because some were in flight");
    kept.retain(|line| !line.starts_with("  ConfigMap/twice/c") || line.contains("/c100 "));
    kept.truncate(each + 2);
    insta::assert_snapshot!(counts(&kept.join("\n")), @r#"
        Interrupted after #s.
        N of 301 objects are in the cluster (#s).

               objects ready not waited for failed timed out
        created N objects N objects N objects - -
        not started N objects - - - -
        failed N objects - - - -

        Failed: N objects
        "#);
}

#[test]
fn a_server_that_restarts_in_the_middle() {
    let mut plane = plane::fresh();
    let given = Given::new(&plane, &[("a.yaml", &many("restarts", 1200))]);
    let mut running = Running::new(given.restore(&["--concurrency", "2"]).start());
    running.until("ConfigMap/restarts/");
    plane::wait(plane.inner().restart_api_server()).unwrap_or_else(|failure| panic!("{failure}"));
    let ran = running.end();
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("\nretried "), "{}", ran.stderr);
    assert!(
        ran.stdout.starts_with("1201 of 1201 objects are in the cluster"),
        "{}",
        ran.stdout
    );
    assert_eq!(Admin::of(&plane).maps("restarts"), 1200);

    // An API group whose backend is gone stops nothing.
    let broken = serde_json::json!({
        "metadata": {"name": "v1.broken.example"},
        "spec": {"group": "broken.example", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 15,
            "service": {"namespace": "default", "name": "nobody"}, "insecureSkipTLSVerify": true},
    });
    Admin::of(&plane).create("/apis/apiregistration.k8s.io/v1/apiservices", &broken);
    let late = "apiVersion: broken.example/v1\nkind: Thing\nmetadata: {name: t, namespace: default}\n";
    let given = Given::new(&plane, &[("a.yaml", &many("beside", 1)), ("thing.yaml", late)]);
    insta::assert_snapshot!(given.said(&given.restore(&[]).run()), @r#"
        exit 3
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        decide: The cluster does not serve these kinds and nothing declared is known to bring them; unless something does, these objects are left out (1)
          Thing/default/t (thing.yaml:1): 1 object of kind Thing.broken.example can be restored only if an operator brings the kind: the cluster does not serve it and no CRD for it is declared
          hint: declare its CRD, or install its operator
        note: Could not be found out about the cluster (1)
          not known: API group broken.example/v1: service/nobody in "default" is not present
        created     ConfigMap/beside/c0
        created     Namespace/beside  ready after #s
        skipped     Thing/default/t (thing.yaml:1): the server does not serve Thing.broken.example
        --
        2 of 3 objects are in the cluster (#s).

                      objects   ready  not waited for  failed  timed out
        created             2       1               1       -          -
        skipped             1       -               -       -          -

        Not applied: 1
          Thing/default/t (thing.yaml:1): the server does not serve Thing.broken.example

        Slowest chain: #s of #s

        Next: correct what is named above, then the same command again; what is there already stays as it is.
        "#);
}

/// The processes whose command line holds this.
fn processes(text: &str) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").expect("because this is Linux");
    let pid = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    let holds = |pid: &u32| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(text))
    };
    all.filter_map(Result::ok).filter_map(pid).filter(holds).collect()
}

#[test]
fn a_drill_that_is_killed_leaves_nothing() {
    let temp = tempfile::tempdir().expect("because a temporary folder can be made");
    let place = temp.path().display().to_string();
    let repo = Given::new(own(), &[("a.yaml", &many("killed", 6000))]);
    let drill = crate::support::run::refloat(["drill".into(), repo.repo()]).env("TMPDIR", temp.path());
    let mut running = Running::new(drill.start());
    running.until("created     ConfigMap");
    let left = processes(&place);
    assert!(left.len() >= 5, "{left:?}");
    assert!(std::fs::read_dir(temp.path()).is_ok_and(|mut all| all.next().is_some()));
    signal("-KILL", running.child.id());
    running.child.wait().expect("because it was started");
    let began = Instant::now();
    let empty = || std::fs::read_dir(temp.path()).is_ok_and(|mut all| all.next().is_none());
    while !processes(&place).is_empty() || !empty() {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "left: {:?}",
            processes(&place)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_drill_that_is_interrupted_leaves_nothing() {
    let temp = tempfile::tempdir().expect("because a temporary folder can be made");
    let repo = Given::new(own(), &[("a.yaml", &many("killed", 6000))]);
    for until in ["starting kube-apiserver", "created     ConfigMap"] {
        let drill = crate::support::run::refloat(["drill".into(), repo.repo()]).env("TMPDIR", temp.path());
        let mut running = Running::new(drill.start());
        running.until(until);
        signal("-INT", running.child.id());
        let ran = running.end();
        assert_eq!(
            ran.code,
            if until.starts_with("starting") { -1 } else { 130 },
            "{}{}",
            ran.stdout,
            ran.stderr
        );
        let began = Instant::now();
        while std::fs::read_dir(temp.path()).is_ok_and(|mut all| all.next().is_some()) {
            assert!(began.elapsed() < Duration::from_secs(20), "{:?} is left", temp.path());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
