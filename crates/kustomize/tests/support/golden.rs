//! Real repositories with recorded outputs.

use std::path::{Path, PathBuf};

use super::oracle::run;

/// A clone of a repository of `../shared/cases`, and its recorded outputs.
pub struct Golden {
    _folder: Scratch,
    pub clone: PathBuf,
    pub outputs: PathBuf,
}

/// A folder that goes away at the end.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A case by name; `None`, with a message, where it is not present.
#[expect(clippy::disallowed_methods, reason = "tests unpack their cases with git and tar")]
pub fn golden(name: &str) -> Option<Golden> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases");
    let bundle = cases.join(format!("{name}.bundle"));
    if !bundle.exists() {
        eprintln!("skipped: {name}.bundle is not present beside the repository");
        return None;
    }
    let folder = std::env::temp_dir().join(format!("kustomize-golden-{name}-{}", std::process::id()));
    let (clone, outputs) = (folder.join("clone"), folder.join("outputs"));
    std::fs::create_dir_all(&outputs).expect("because a temporary folder can be made");
    let scratch = Scratch(folder);
    let args = ["clone", "-q", "-b", "main"];
    let cloned = run(std::process::Command::new("git").args(args).arg(&bundle).arg(&clone));
    cloned.unwrap_or_else(|error| panic!("{error}"));
    let archive = cases.join(format!("{name}.golden.tar.zst"));
    let unpacked = run(std::process::Command::new("tar")
        .arg("--zstd")
        .arg("-xf")
        .arg(archive)
        .arg("-C")
        .arg(&outputs));
    unpacked.unwrap_or_else(|error| panic!("{error}"));
    Some(Golden {
        _folder: scratch,
        clone,
        outputs,
    })
}

/// A row of a manifest: a root, and why kustomize fails there.
pub struct Row {
    pub root: String,
    pub cause: Option<String>,
}

/// The roots of a case.
pub fn rows(golden: &Golden) -> Vec<Row> {
    let text = std::fs::read_to_string(golden.outputs.join("MANIFEST.tsv")).expect("because each case has one");
    let columns = text.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    let row = |columns: Vec<&str>| Row {
        root: columns[0].to_owned(),
        cause: (columns[1] == "fail").then(|| columns[5].to_owned()),
    };
    columns.map(row).collect()
}
