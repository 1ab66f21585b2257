//! How long the index of a repository's history takes, beside what it is made of: `git log --raw`, and parsing each blob once.
//!
//! ```text
//! cargo bench --bench past                       ../shared/cases/home-ops.bundle, cloned
//! cargo bench --bench past -- --clone ./gitops   another clone
//! ```
//!
//! In rounds, one after the other, so that a noisy machine troubles all alike:
//!
//! - **git**: `git log --raw --first-parent -m -- '*.yaml' '*.yml'`, its output read and thrown away
//! - **parse**: each distinct content of these files parsed once with kube-yaml, read into memory before, on one thread and on all
//! - **index**: `past::read` without a cache
//! - **again**: with the cache of the run before, the whole of opening the repository and reading it: nothing is new; and after one
//!   commit more, which changes a file
//!
//! Medians are told, and the most memory that the process had after the first index; and what they may be: the index git + parse on
//! all threads, again 200 ms. What is read is a copy of the clone.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use refloat::past;
use refloat::source::{self, GitId, Tree};

const ROUNDS: usize = 5;
/// What the index may take with a cache, in milliseconds.
const AGAIN: f64 = 200.0;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let given = args.iter().skip_while(|arg| *arg != "--clone").nth(1);
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let bundle = || {
        let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases/home-ops.bundle");
        bundle.exists().then_some(bundle)
    };
    let Some(from) = given.map(PathBuf::from).or_else(bundle) else {
        tell("skipped: ../shared/cases/home-ops.bundle is not present, and no --clone is given");
        return;
    };
    let clone = copy(&from, folder.path());
    let (tree, opening) = timed(|| open(&clone));
    let first = past::read(&tree, &past::Options::default()).expect("because the clone is whole");
    let memory = most_memory();
    let blobs = blobs(&tree);
    let bytes: usize = blobs.iter().map(Vec::len).sum();
    tell(&format!(
        "{}: {} commits, {} identities; {} distinct contents, {} MB; opened in {}, {memory} MB at most",
        from.display(),
        first.walked,
        first.identities.values().map(Vec::len).sum::<usize>(),
        blobs.len(),
        bytes / 1_000_000,
        shown(opening),
    ));
    let cache = folder.path().join("cache");
    let kept = past::Options {
        cache: Some(cache),
        ..past::Options::default()
    };
    past::read(&tree, &kept).expect("because the clone is whole");
    let mut times: [Vec<Duration>; 6] = Default::default();
    for round in 0..ROUNDS {
        times[0].push(timed(|| git_log(&clone)).1);
        times[1].push(timed(|| parse(&blobs, 1)).1);
        times[2].push(timed(|| parse(&blobs, cores())).1);
        times[3].push(timed(|| past::read(&tree, &past::Options::default()).map(drop)).1);
        times[4].push(timed(|| past::read(&open(&clone), &kept).map(drop)).1);
        commit(&clone, round);
        let read = || past::read(&open(&clone), &kept).expect("because the clone is whole");
        let (past, time) = timed(read);
        assert_eq!(past.walked, first.walked + round + 1, "the new commit is read");
        times[5].push(time);
    }
    let [git, one, all, index, again, after_one] = times.map(median);
    let bound = git + all;
    tell(&format!("git log                  {}", shown(git)));
    tell(&format!("parse, one thread        {}", shown(one)));
    tell(&format!("parse, {} threads         {}", cores(), shown(all)));
    tell(&format!("bound: git + parse       {}", shown(bound)));
    let share = index.as_secs_f64() / bound.as_secs_f64();
    tell(&format!(
        "index                    {}  {share:.2} of the bound",
        shown(index)
    ));
    tell(&format!("again                    {}{}", shown(again), of_bound(again)));
    tell(&format!(
        "again, one commit more   {}{}",
        shown(after_one),
        of_bound(after_one)
    ));
}

fn tell(line: &str) {
    // Nobody is left to be told where stdout is gone.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn of_bound(time: Duration) -> String {
    let share = time.as_secs_f64() * 1000.0 / AGAIN;
    format!("  {share:.2} of the bound, {AGAIN} ms")
}

fn shown(time: Duration) -> String {
    format!("{:>8.1} ms", time.as_secs_f64() * 1000.0)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

fn open(clone: &Path) -> Tree {
    source::open(&clone.display().to_string(), &source::Options::default()).expect("because it is a clone")
}

/// A copy of a clone or of a bundle, to commit to.
fn copy(from: &Path, folder: &Path) -> PathBuf {
    let clone = folder.join("clone");
    let mut args: Vec<&std::ffi::OsStr> = vec!["clone".as_ref(), "-q".as_ref()];
    // A bundle does not say which of its branches is the one.
    if from.is_file() {
        args.extend(["-b", "main"].map(std::ffi::OsStr::new));
    }
    args.extend([from.as_os_str(), clone.as_os_str()]);
    assert!(git(&args).status().is_ok_and(|status| status.success()), "git clones");
    clone
}

/// Commits another manifest.
fn commit(clone: &Path, round: usize) {
    let manifest = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: bench-{round}, namespace: bench}}\n");
    std::fs::write(clone.join("bench.yaml"), manifest).expect("because the folder is ours");
    let user = [
        "-c",
        "user.name=dev",
        "-c",
        "user.email=dev@example.invalid",
        "-c",
        "commit.gpgsign=false",
    ];
    for args in [&["add", "bench.yaml"][..], &["commit", "-q", "-m", "another one"]] {
        let at = ["-C".as_ref(), clone.as_os_str()].into_iter();
        let args: Vec<&std::ffi::OsStr> = at.chain(user.iter().chain(args).map(|arg| arg.as_ref())).collect();
        assert!(git(&args).status().is_ok_and(|status| status.success()), "git commits");
    }
}

#[expect(clippy::disallowed_methods, reason = "git itself is what is measured")]
fn git(args: &[&std::ffi::OsStr]) -> Command {
    let mut command = Command::new("git");
    command.args(args).env("GIT_CONFIG_GLOBAL", "/dev/null");
    command
}

fn git_log(clone: &Path) {
    let args = [
        "-C",
        &clone.display().to_string(),
        "log",
        "--raw",
        "--first-parent",
        "-m",
        "--",
        "*.yaml",
        "*.yml",
    ]
    .map(str::to_owned);
    let args: Vec<&std::ffi::OsStr> = args.iter().map(AsRef::as_ref).collect();
    let mut child = git(&args).stdout(Stdio::piped()).spawn().expect("because git is there");
    let mut output = child.stdout.take().expect("because it is piped");
    let mut buffer = vec![0; 1 << 16];
    while output.read(&mut buffer).expect("because git writes") > 0 {}
    assert!(child.wait().is_ok_and(|status| status.success()), "git log ends well");
}

/// Each distinct content that a YAML file ever had.
fn blobs(tree: &Tree) -> Vec<Vec<u8>> {
    let history = tree.history().expect("because it is a clone");
    let mut reader = history.reader();
    let is_yaml = |path: &str| path.ends_with(".yaml") || path.ends_with(".yml");
    let mut ids: BTreeSet<GitId> = BTreeSet::new();
    for revision in history.walk() {
        let revision = revision.expect("because the clone is whole");
        let changes = reader.changes(revision.tree_before, revision.tree, &is_yaml);
        let changes = changes.expect("because the clone is whole");
        ids.extend(changes.into_iter().filter_map(|change| change.after));
    }
    ids.into_iter()
        .map(|id| reader.blob(id, u64::MAX).expect("because the clone is whole"))
        .collect()
}

fn parse(blobs: &[Vec<u8>], threads: usize) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(blob) = blobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    std::hint::black_box(kube_yaml::parse(blob));
                }
            });
        }
    });
}

/// Most memory that this process had, in MB.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1000
}
