//! One file a command: the straight line of each.

mod audit;
mod audit_log;
mod choose;
mod console;
mod declare;
mod diff;
mod drill;
mod engines;
mod export;
mod history;
mod ignored;
mod keys;
mod past;
mod plan;
mod prepare;
mod releases;
mod render;
mod restore;
mod resume;
mod right_cluster;
mod rollback;
mod snapshot;
mod verify;
mod watch;

use std::future::Future;
use std::process::ExitCode;

use crate::cli::{Cli, Command, Output};
use crate::control_plane;
use crate::error::{Exit, Failure, Kind};

/// Runs a command to its end and returns the exit code; a failure is printed to stderr.
pub fn run(cli: Cli) -> ExitCode {
    let output = match &cli.command {
        Command::Restore(args) => args.output,
        Command::Drill(args) => args.output,
        Command::Resume(args) => args.output,
        Command::Snapshot(args) => args.output,
        _ => Output::Human,
    };
    let ended = match cli.command {
        Command::Restore(args) => wait(restore::run(&args)),
        Command::Resume(args) => wait(resume::run(&args)),
        Command::Plan(args) => wait(plan::run(&args)),
        Command::Render(args) => render::run(&args),
        Command::Audit(args) => wait(audit::run(&args)),
        Command::Export(args) => wait(export::run(args)),
        Command::History(args) => history::run(&args),
        Command::Snapshot(args) => wait(snapshot::run(&args)),
        Command::Diff(args) => wait(diff::run(&args)),
        Command::Drill(args) => wait(drill::run(&args)),
        Command::Guard(args) => return control_plane::guard::run(&args.rest),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            console::complain(&failure, output);
            failure.exit().into()
        }
    }
}

fn wait(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| Failure::new(Kind::Io, "refloat could not start").because(cause))?;
    let ended = runtime.block_on(work);
    // Watches and renewals end with the process; waiting for their sockets would only hold up the prompt.
    runtime.shutdown_background();
    ended
}
