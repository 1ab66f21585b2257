//! How long rendering all Kustomizations of a repository takes that Flux syncs, Helm aside, beside parsing its YAML once.
//!
//! ```text
//! cargo bench --bench render                                      ../shared/cases/home-ops.bundle, cloned
//! cargo bench --bench render -- --clone ./gitops --path clusters/production
//! ```
//!
//! In rounds, one after the other, so that a noisy machine troubles all alike:
//!
//! - **render**: the whole of `refloat render`: starting, opening the repository, every Kustomization, writing the stream. Charts from
//!   elsewhere are refused at once, by a proxy that is not there
//! - **parse**: every YAML file of the repository parsed once with kube-yaml, read into memory before, on one thread
//!
//! Medians are told; where home-ops takes more than 0.5 s to render the bench fails.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

const ROUNDS: usize = 9;
/// The most that a render of home-ops may take.
const BOUND: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let after = |option: &str| args.iter().skip_while(|arg| *arg != option).nth(1).cloned();
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let Some(clone) = after("--clone").map(PathBuf::from).or_else(|| case(folder.path())) else {
        tell("skipped: ../shared/cases/home-ops.bundle is not present, and no --clone is given");
        return ExitCode::SUCCESS;
    };
    let path = after("--path").unwrap_or_else(|| "kubernetes/flux/cluster".to_owned());
    let files = yaml(&clone);
    let bytes: usize = files.iter().map(Vec::len).sum();
    let (rendered, _) = render(&clone, &path);
    let kustomizations = rendered.matches("\nkind: Kustomization\n").count();
    let objects = rendered.matches("\nkind: ").count();
    tell(&format!(
        "{}: {} YAML files, {bytes} bytes; {kustomizations} Kustomizations, {objects} objects",
        clone.display(),
        files.len()
    ));
    let (mut renders, mut parses) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        renders.push(render(&clone, &path).1);
        let start = Instant::now();
        for file in &files {
            std::hint::black_box(kube_yaml::parse(file));
        }
        parses.push(start.elapsed());
    }
    tell(&format!("render            {}", shown(&mut renders)));
    tell(&format!("parse, one thread {}", shown(&mut parses)));
    let took = renders[renders.len() / 2];
    if after("--clone").is_none() && took > BOUND {
        tell(&format!("bound missed: {took:.1?} are more than {BOUND:?}"));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn render(clone: &Path, path: &str) -> (String, Duration) {
    let start = Instant::now();
    #[expect(clippy::disallowed_methods, reason = "what is measured is the program")]
    let output = Command::new(env!("CARGO_BIN_EXE_refloat"))
        .arg("render")
        .arg(clone)
        .args(["--path", path])
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .output()
        .expect("because it was built");
    let elapsed = start.elapsed();
    (String::from_utf8_lossy(&output.stdout).into_owned(), elapsed)
}

fn yaml(clone: &Path) -> Vec<Vec<u8>> {
    let mut folders = vec![clone.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("because it is there") {
            let path = entry.expect("because it was just listed").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != ".git" {
                folders.push(path);
            } else if name.ends_with(".yaml") || name.ends_with(".yml") {
                found.push(std::fs::read(&path).expect("because it is there"));
            }
        }
    }
    found
}

/// The median, the shortest and the longest.
fn shown(times: &mut [Duration]) -> String {
    times.sort();
    let one = |index: usize| times.get(index).map_or(0, Duration::as_millis);
    format!(
        "{:>6} ms ({} to {})",
        one(times.len() / 2),
        one(0),
        one(times.len() - 1)
    )
}

fn case(folder: &Path) -> Option<PathBuf> {
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases/home-ops.bundle");
    if !bundle.exists() {
        return None;
    }
    let clone = folder.join("home-ops");
    #[expect(clippy::disallowed_methods, reason = "git clones as a user would")]
    let status = Command::new("git")
        .args(["clone", "-q", "-b", "main"])
        .args([&bundle, &clone])
        .status();
    status.is_ok_and(|status| status.success()).then_some(clone)
}

fn tell(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("because someone reads it");
}
