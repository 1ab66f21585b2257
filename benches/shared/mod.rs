//! What measurements beside a real API server need.

pub mod objects;
pub mod process;
pub mod raw;

use std::io::Write as _;
use std::time::Duration;

use refloat::control_plane::{self, ControlPlane, Sources};

use raw::Server;

/// Prints one line; a benchmark is for people.
pub fn say(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").expect("because somebody reads the figures");
}

/// The value in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A fresh control plane, from where `refloat drill` takes it.
pub async fn control_plane() -> ControlPlane {
    let options = control_plane::Options {
        sources: Sources::from_environment(None, |name| std::env::var_os(name)),
        guard_exe: Some(env!("CARGO_BIN_EXE_refloat").into()),
        ..control_plane::Options::default()
    };
    let started = control_plane::start(&options, &mut |_| {}).await;
    started.unwrap_or_else(|failure| panic!("{failure}"))
}

/// Creates a namespace.
pub async fn create_namespace(server: &Server, name: &str) {
    let body = format!(r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{name}"}}}}"#);
    server.create("/api/v1/namespaces", body).await;
}

/// Waits until nothing goes on in a cluster.
pub async fn quiet(server: &Server) {
    let mut before = server.revision().await;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = server.revision().await;
        if now < before + 20 {
            return;
        }
        before = now;
    }
}
