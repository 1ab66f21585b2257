//! refloat: rebuild a Kubernetes cluster from Git.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("__guard") => refloat::control_plane::guard::run(&args[2..]),
        _ => ExitCode::FAILURE,
    }
}
