//! How fast all roots of two real repositories are built: home-ops and gitops-catalog of `../shared/cases`.
//!
//! ```text
//! cargo bench -p kustomize               medians of 5 rounds (some 4 minutes on 2 cores)
//! cargo bench -p kustomize -- --quick    one round
//! ```
//!
//! In each round, in turn: a `kustomize build` process for each root; the Go library in one process for all of them, with one processor
//! and with all (its garbage collector has threads of its own), without writing YAML; this crate in one thread, over a tree in
//! memory whose reading from disk and whose checksums are counted in, and over the folder itself; this crate in parallel.
//! Origins are those of objects throughout. Memory is that of a process that builds all roots once.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench says what it measured")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use kustomize::{ContentId, Files, Folder, Kind, Kustomize, Memory, Nothing, Options, ReadError};
use serde_json::json;
use sha2::{Digest, Sha256};

use support::golden::{Golden, golden, rows};
use support::oracle::{Oracle, peak, run, tool};

/// A tree in memory that knows the checksum of each file, as a Git tree does.
struct Tree {
    memory: Memory,
    ids: BTreeMap<String, ContentId>,
}

impl Tree {
    fn of(folder: &Path) -> Self {
        let mut tree = Tree {
            memory: Memory::default(),
            ids: BTreeMap::new(),
        };
        tree.take(folder, "");
        tree
    }

    fn take(&mut self, folder: &Path, prefix: &str) {
        for entry in std::fs::read_dir(folder).expect("because it was just cloned") {
            let entry = entry.expect("because it was just cloned");
            let name = entry.file_name().into_string().expect("because the names are text");
            let path = format!("{prefix}{name}");
            match entry.file_type().expect("because it was just listed").is_dir() {
                true if name == ".git" => {}
                true => self.take(&entry.path(), &format!("{path}/")),
                false => {
                    let content = std::fs::read(entry.path()).expect("because it was just listed");
                    self.ids
                        .insert(path.clone(), ContentId(Sha256::digest(&content).into()));
                    self.memory.put(&path, content, None);
                }
            }
        }
    }
}

impl Files for Tree {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, ReadError> {
        self.memory.read(path)
    }

    fn kind(&self, path: &str) -> Result<Option<Kind>, ReadError> {
        self.memory.kind(path)
    }

    fn list(&self, path: &str) -> Result<Vec<String>, ReadError> {
        self.memory.list(path)
    }

    fn id(&self, path: &str) -> Option<ContentId> {
        self.ids.get(path).copied()
    }
}

/// A repository and those of its roots that can be built.
struct Repository {
    golden: Golden,
    roots: Vec<String>,
}

impl Repository {
    fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.roots.iter().map(|root| self.golden.clone.join(root))
    }
}

fn build_all(files: &dyn Files, roots: &[String]) {
    let kustomize = Kustomize::new(files, &Nothing, Options::default());
    for root in roots {
        kustomize
            .build(root)
            .unwrap_or_else(|errors| panic!("{root}: {errors}"));
    }
}

fn in_one_thread(repositories: &[Repository]) {
    for repository in repositories {
        build_all(&Tree::of(&repository.golden.clone), &repository.roots);
    }
}

fn over_the_folder(repositories: &[Repository]) {
    for repository in repositories {
        build_all(
            &Folder::open(&repository.golden.clone).expect("because it was just cloned"),
            &repository.roots,
        );
    }
}

fn in_parallel(repositories: &[Repository]) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for repository in repositories {
        let tree = Tree::of(&repository.golden.clone);
        let kustomize = Kustomize::new(&tree, &Nothing, Options::default());
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(root) = repository.roots.get(next.fetch_add(1, Ordering::Relaxed)) {
                kustomize
                    .build(root)
                    .unwrap_or_else(|errors| panic!("{root}: {errors}"));
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench starts what it measures")]
fn as_processes(kustomize: &Path, repositories: &[Repository]) {
    for path in repositories.iter().flat_map(Repository::paths) {
        run(Command::new(kustomize).arg("build").arg(&path))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// Seconds of the Go library for all roots, in a fresh process; and the most memory that it had, in MiB.
fn in_go(processors: Option<usize>, repositories: &[Repository]) -> Option<(f64, Option<f64>)> {
    let mut oracle = Oracle::new()?;
    if let Some(count) = processors {
        oracle = oracle.on_processors(count);
    }
    let paths: Vec<PathBuf> = repositories.iter().flat_map(Repository::paths).collect();
    let answer = oracle
        .ask(&json!({ "bench": paths }))
        .expect("because the oracle answers");
    assert_eq!(answer["failed"].as_u64().unwrap_or(0), 0, "{answer}");
    Some((
        answer["seconds"].as_f64().expect("because that was asked for"),
        oracle.peak(),
    ))
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

/// Memory of a process of its own that builds all roots once: this program, asked to.
#[expect(clippy::disallowed_methods, reason = "a bench starts what it measures")]
fn own_peak(how: &str) -> String {
    let program = std::env::current_exe().expect("because it runs");
    run(Command::new(program).arg(how))
        .unwrap_or_else(|error| panic!("{error}"))
        .trim()
        .to_owned()
}

fn main() {
    let asked = |word: &str| std::env::args().any(|arg| arg == word);
    let found = ["home-ops", "gitops-catalog"].map(golden);
    let repositories: Vec<Repository> = found.into_iter().flatten().map(repository).collect();
    if repositories.len() < 2 {
        return;
    }
    if asked("--peak") || asked("--peak-parallel") {
        if asked("--peak") {
            in_one_thread(&repositories)
        } else {
            in_parallel(&repositories)
        }
        println!("{:.0} MiB", peak("self").unwrap_or(f64::NAN));
        return;
    }
    let Some(kustomize) = tool("kustomize") else { return };
    let mut columns: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut go_peak = None;
    for _ in 0..if asked("--quick") { 1 } else { 5 } {
        let mut note = |name, seconds| columns.entry(name).or_default().push(seconds);
        note(
            "4 this crate, one thread, tree",
            seconds(|| in_one_thread(&repositories)),
        );
        note(
            "5 this crate, one thread, folder",
            seconds(|| over_the_folder(&repositories)),
        );
        note("6 this crate, parallel, tree", seconds(|| in_parallel(&repositories)));
        for (name, processors) in [
            ("2 Go library, one processor", Some(1)),
            ("3 Go library, all processors", None),
        ] {
            let (seconds, peak) = in_go(processors, &repositories).expect("because kustomize was built");
            note(name, seconds);
            go_peak = peak;
        }
        note(
            "1 a kustomize process each",
            seconds(|| as_processes(&kustomize, &repositories)),
        );
    }
    let medians: Vec<(&str, f64)> = columns.into_iter().map(|(name, of)| (name, median(of))).collect();
    let ours = medians[3].1;
    let roots: usize = repositories.iter().map(|repository| repository.roots.len()).sum();
    println!("{roots} roots; seconds in total, and how often the time of this crate in one thread");
    for (name, seconds) in medians {
        println!("{:<36}{seconds:>9.3} s{:>8.1}", &name[2..], seconds / ours);
    }
    println!(
        "memory: {} in one thread, {} in parallel, Go library {:.0} MiB",
        own_peak("--peak"),
        own_peak("--peak-parallel"),
        go_peak.unwrap_or(f64::NAN)
    );
}

fn repository(golden: Golden) -> Repository {
    let good = rows(&golden).into_iter().filter(|row| row.cause.is_none());
    let roots = good.map(|row| row.root).collect();
    Repository { golden, roots }
}
