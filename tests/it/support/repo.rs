//! Git repositories made for one test.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::tools::skipped;

/// A repository in a temporary folder, with a branch `main`.
pub struct Repo {
    folder: tempfile::TempDir,
}

impl Repo {
    /// An empty repository (an unborn branch).
    pub fn new() -> Self {
        let repo = Self {
            folder: tempfile::tempdir().expect("because a temporary folder can be made"),
        };
        repo.git(&["init", "-q", "-b", "main"]);
        repo
    }

    /// A repository with these files in one commit.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let repo = Self::new();
        for (path, text) in files {
            repo.write(path, text);
        }
        repo.commit("declare");
        repo
    }

    /// A repository with a copy of a folder in one commit.
    pub fn of_folder(from: &Path) -> Self {
        let repo = Self::new();
        copy(from, repo.path());
        repo.commit("declare");
        repo
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts it at that path, where nothing is yet; it is the caller's from then on.
    pub fn move_to(self, path: &Path) {
        let moved = std::fs::rename(self.folder.keep(), path);
        moved.expect("because both are in the folder for temporary files");
    }

    /// Writes a file, not committed.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("because it lies in the folder"))
            .expect("because the folder is ours");
        std::fs::write(path, text).expect("because the folder is ours");
    }

    /// Commits everything; the date is fixed so that ids are the same each time. Returns the commit id.
    pub fn commit(&self, subject: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", subject]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Runs git in it and returns its output.
    pub fn git(&self, args: &[&str]) -> String {
        self.git_at("2026-01-02T03:04:05Z", args)
    }

    /// Runs git with this author and committer date.
    pub fn git_at(&self, date: &str, args: &[&str]) -> String {
        git_in(self.path(), date, args)
    }
}

/// Runs git in a folder with this author and committer date, and returns its output.
pub fn git_in(folder: &Path, date: &str, args: &[&str]) -> String {
    #[expect(clippy::disallowed_methods, reason = "tests make repositories with git itself")]
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=dev",
            "-c",
            "user.email=dev@example.invalid",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_DATE", date)
        .env("GIT_COMMITTER_DATE", date)
        .output()
        .expect("because git is there");
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("because git writes UTF-8 here")
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("because the folder is there") {
        let path = entry.expect("because it was just listed").path();
        let target = to.join(path.file_name().expect("because it was listed by name"));
        if path.is_dir() {
            std::fs::create_dir_all(&target).expect("because the folder is ours");
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("because the folder is ours");
        }
    }
}

/// A repository of `../shared/cases`, cloned; `None`, with a message, where the bundles are not present.
pub fn case(name: &str) -> Option<(tempfile::TempDir, PathBuf)> {
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../shared/cases/{name}.bundle"));
    if !bundle.exists() {
        skipped(&format!(
            "tests of {name}: its bundle is not present beside the repository"
        ));
        return None;
    }
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let clone = folder.path().join(name);
    #[expect(clippy::disallowed_methods, reason = "tests clone bundles with git itself")]
    let output = Command::new("git")
        .args(["clone", "-q", "-b", "main"])
        .arg(&bundle)
        .arg(&clone)
        .output()
        .expect("because git is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some((folder, clone))
}
