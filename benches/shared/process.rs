//! Programs as users run them, with the time they take and the memory they need.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A process that ended well.
pub struct Ran {
    /// From start to end.
    pub wall: Duration,
    /// The most memory that it had at once (`VmHWM`), in MB; 0 where the system does not tell.
    pub peak: f64,
}

/// A command to be.
#[expect(clippy::disallowed_methods, reason = "the tools are measured as users run them")]
pub fn command(program: &str) -> Command {
    Command::new(program)
}

/// Runs a program to its end; its output goes into the files `stdout` and `stderr` of a folder. The error says what went wrong.
pub fn run(command: Command, folder: &Path) -> Result<Ran, String> {
    run_to(&[0], command, folder)
}

/// Likewise; these exit codes are good.
pub fn run_to(codes: &[i32], mut command: Command, folder: &Path) -> Result<Ran, String> {
    let (out, err) = (folder.join("stdout"), folder.join("stderr"));
    let file = |path: &PathBuf| File::create(path).map(Stdio::from).map_err(|error| error.to_string());
    let start = Instant::now();
    let mut child = command
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(file(&out)?)
        .stderr(file(&err)?)
        .spawn()
        .map_err(|error| error.to_string())?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let (ended, peak) = std::thread::scope(|scope| {
        let (running, ends) = channel::<()>();
        // The kernel forgets it when the process ends: what it grows in its last moments is missed.
        let watch = scope.spawn(move || {
            let mut peak = 0.0;
            while ends.recv_timeout(Duration::from_millis(10)) == Err(RecvTimeoutError::Timeout) {
                peak = peak_of(&status).unwrap_or(peak);
            }
            peak
        });
        let ended = child.wait().map(|status| (status, start.elapsed()));
        drop(running);
        (ended, watch.join().unwrap_or_default())
    });
    let (status, wall) = ended.map_err(|error| error.to_string())?;
    match status.code().is_some_and(|code| codes.contains(&code)) {
        true => Ok(Ran { wall, peak }),
        false => Err(std::fs::read_to_string(&err).unwrap_or_default()),
    }
}

fn peak_of(status: &Path) -> Option<f64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes / 1024.0)
}
