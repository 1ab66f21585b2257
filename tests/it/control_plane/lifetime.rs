//! Starting, crashing, keeping and ending.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use refloat::control_plane::{Options, Part, start};
use serde_json::{Value, json};

use super::{create, options, started, until};

fn is_running(pid: u32) -> bool {
    // A zombie has ended; its parent in this test may not have asked yet.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Waits until no process and no folder is left.
fn assert_gone(pids: &[u32], folder: &Path) {
    let began = Instant::now();
    while pids.iter().any(|pid| is_running(*pid)) || folder.exists() {
        let left: Vec<&u32> = pids.iter().filter(|pid| is_running(**pid)).collect();
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "left: {left:?}, folder: {}",
            folder.exists()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[expect(clippy::disallowed_methods, reason = "a test ends processes as a user does")]
fn kill(args: &[&str]) {
    let killed = Command::new("kill").args(args).status().expect("because kill is there");
    assert!(killed.success());
}

#[tokio::test]
async fn stopping_leaves_nothing() {
    let control_plane = started(&Options { nodes: 1, ..options() }).await;
    let (pids, folder) = (control_plane.processes(), control_plane.folder().to_owned());
    assert_eq!(pids.len(), 6, "the guard and five parts");
    assert!(pids.iter().all(|pid| is_running(*pid)));
    control_plane.stop().await;
    assert!(!pids.iter().any(|pid| is_running(*pid)));
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_guard_that_is_killed_is_swept_up_after() {
    let control_plane = started(&Options { nodes: 1, ..options() }).await;
    let (pids, folder) = (control_plane.processes(), control_plane.folder().to_owned());
    kill(&["-KILL", &pids[0].to_string()]);
    let began = Instant::now();
    while control_plane.broken().is_none() {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "the end of the guard was not noticed"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let broken = control_plane.broken().expect("because it was just asked").to_string();
    assert_eq!(
        broken,
        "Error: the throwaway control plane does not run\n  because: its guard process has ended"
    );
    control_plane.stop().await;
    assert_gone(&pids, &folder);
}

/// Not a test of its own: the process that the next one kills.
#[tokio::test]
#[ignore = "run by killing_the_owner_leaves_nothing"]
async fn owner_to_be_killed() {
    let control_plane = started(&Options { nodes: 1, ..options() }).await;
    let line = json!({"pids": control_plane.processes(), "folder": control_plane.folder()});
    writeln!(std::io::stdout(), "owner: {line}").expect("because the test reads it");
    tokio::time::sleep(Duration::from_secs(600)).await;
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test starts what it kills")]
fn killing_the_owner_leaves_nothing() {
    let mut owner = Command::new(std::env::current_exe().expect("because it runs"))
        .args([
            "control_plane::lifetime::owner_to_be_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("because it runs already");
    let lines = BufReader::new(owner.stdout.take().expect("because it is piped")).lines();
    let line = lines
        .map_while(Result::ok)
        .find_map(|line| line.split_once("owner: ").map(|(_, line)| line.to_owned()))
        .expect("because the control plane starts");
    let said: Value = serde_json::from_str(&line).expect("because it is written as JSON");
    let pids: Vec<u32> = serde_json::from_value(said["pids"].clone()).expect("because they are numbers");
    let folder = PathBuf::from(said["folder"].as_str().expect("because it is a path"));
    assert!(pids.iter().all(|pid| is_running(*pid)) && folder.exists());
    kill(&["-KILL", &owner.id().to_string()]);
    owner.wait().expect("because it was started");
    assert_gone(&pids, &folder);
}

#[tokio::test]
async fn what_is_kept_serves_on_until_it_is_killed() {
    let control_plane = started(&Options { nodes: 1, ..options() }).await;
    let (pids, folder) = (control_plane.processes(), control_plane.folder().to_owned());
    let api = control_plane.api().clone();
    let kept = control_plane.keep().await.expect("because it runs");
    assert_eq!(kept.kubeconfig, folder.join("kubeconfig"));
    until(&api, "/readyz", |_| true).await;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}});
    create(&api, "/api/v1/namespaces/default/configmaps", map).await;
    let (program, pid) = kept.stop_command.split_once(' ').expect("because it has an argument");
    assert_eq!(program, "kill");
    kill(&[pid]);
    assert_gone(&pids, &folder);
}

#[tokio::test]
async fn the_api_server_comes_back_with_its_data() {
    let mut control_plane = started(&Options {
        nodes: 1,
        request_log: true,
        ..options()
    })
    .await;
    let api = control_plane.api().clone();
    let map = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    let maps = "/api/v1/namespaces/default/configmaps";
    create(&api, maps, map("first")).await;
    create(&api, maps, map("second")).await;

    control_plane
        .kill_part(Part::KubeApiserver)
        .await
        .expect("because it runs");
    assert!(api.get("/readyz").await.is_err_and(|error| error.is_connection()));
    let broken = control_plane.broken().expect("because a part has ended").to_string();
    assert!(broken.contains("because: kube-apiserver ended: killed"), "{broken}");
    control_plane
        .start_part(Part::KubeApiserver)
        .await
        .expect("because it ran before");
    assert!(control_plane.broken().is_none());
    until(&api, &format!("{maps}/second"), |found| found["kind"] == "ConfigMap").await;
    control_plane.restart_api_server().await.expect("because it ran before");
    create(&api, maps, map("third")).await;

    let log = control_plane.request_log().expect("because it was asked for");
    let log = std::fs::read_to_string(log).expect("because the server writes it");
    let created: Vec<String> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("because each line is an event"))
        .filter(|event| event["verb"] == "create" && event["stage"] == "ResponseComplete")
        .filter(|event| event["objectRef"]["resource"] == "configmaps" && event["user"]["username"] == "refloat-admin")
        .filter_map(|event| event["objectRef"]["name"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(created, ["first", "second", "third"]);
    control_plane.stop().await;
}

#[tokio::test]
async fn a_part_that_ends_is_named_with_its_last_words() {
    let options = Options {
        api_server_args: vec!["--no-such-flag".into()],
        ..options()
    };
    let failure = start(&options, &mut |_| {})
        .await
        .err()
        .expect("because there is no such flag")
        .to_string();
    let expected = "Error: the throwaway control plane does not run
  because: kube-apiserver ended: exit status: 1
  because: the end of kube-apiserver.log:
";
    assert!(failure.starts_with(expected), "{failure}");
    assert!(failure.contains("unknown flag: --no-such-flag"), "{failure}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_after_others_were_tried() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("because loopback has a free port");
    let port = taken.local_addr().expect("because it is bound").port();
    let options = Options {
        api_server_args: vec![format!("--secure-port={port}")],
        ..options()
    };
    let mut starts = 0;
    let mut count = |progress| {
        starts += u32::from(progress == refloat::control_plane::Progress::Starting(Part::KubeApiserver));
    };
    let failure = start(&options, &mut count)
        .await
        .err()
        .expect("because the port is taken")
        .to_string();
    assert!(failure.contains("address already in use"), "{failure}");
    assert_eq!(starts, 5);
}
