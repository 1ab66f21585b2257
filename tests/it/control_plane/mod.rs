//! The throwaway control plane itself.

mod lifetime;
pub mod obtain;
mod simulation;
mod webhooks;

use std::time::{Duration, Instant};

use refloat::control_plane::{ControlPlane, Options, Sources, start};
use refloat::net::Api;
use serde_json::Value;

fn options() -> Options {
    Options {
        sources: Sources::from_environment(None, |name| std::env::var_os(name)),
        guard_exe: Some(env!("CARGO_BIN_EXE_refloat").into()),
        ..Options::default()
    }
}

async fn started(options: &Options) -> ControlPlane {
    match start(options, &mut |_| {}).await {
        Ok(control_plane) => control_plane,
        Err(failure) => panic!("{failure}"),
    }
}

/// Creates an object and gives it back as the server has it.
async fn create(api: &Api, path: &str, object: Value) -> Value {
    let answer = api.create(path, &object).await.expect("because the server runs");
    assert!(answer.is_success(), "{path}: {}", answer.message());
    answer.body
}

/// Asks until it is so, and gives what was found then.
async fn until(api: &Api, path: &str, so: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let answer = api.get(path).await.expect("because the server runs");
        if so(&answer.body) {
            return answer.body;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{path} stays {:#}",
            answer.body
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|one| one["type"] == kind)?["status"].as_str()
}
