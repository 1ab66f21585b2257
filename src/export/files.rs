//! A changeset on disk: all of it or nothing.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::Changeset;
use crate::error::{Failure, Kind, printable};
use crate::source::Tree;

/// Edits the files of a tree in its folder `root`. New files get the folders that they need; a folder goes with its last file.
///
/// # Errors
/// When a file there is not as it is in the tree, and where one cannot be written; nothing is changed then.
pub fn edit(root: &Path, tree: &Tree, made: &Changeset) -> Result<(), Failure> {
    let not_written = || Failure::new(Kind::Input, "nothing was written to the working tree");
    let differs: Vec<&String> = made.files.keys().filter(|path| !is_as_in(root, tree, path)).collect();
    if !differs.is_empty() {
        let failure = differs.into_iter().fold(not_written(), |failure, path| {
            failure.because(format!("{} is not as it was committed", printable(path)))
        });
        return Err(failure.hint("commit or stash what is there first, or use --output or --patch"));
    }
    write(root, made)
}

/// Writes the files of a changeset below `root`, by their paths. Files that go are removed where they are.
///
/// # Errors
/// Where one cannot be written. Nothing is changed as long as contents are laid beside their files; once files take their places the
/// failure says which are as they are to be.
pub fn write(root: &Path, made: &Changeset) -> Result<(), Failure> {
    let mut folders = Vec::new();
    let mut ready = Vec::new();
    for (path, content) in &made.files {
        let target = root.join(path);
        let Some(content) = content else { continue };
        match lay(&target, content, &mut folders) {
            Ok(laid) => ready.push(laid),
            Err(cause) => {
                drop(ready);
                // The innermost first. What somebody put there meanwhile stays.
                for folder in folders.iter().rev() {
                    let _ = fs::remove_dir(folder);
                }
                return Err(failed(&target, &cause, &[]));
            }
        }
    }
    let mut done = Vec::new();
    // From here on only names change.
    for (file, target) in ready {
        if let Err(error) = file.persist(&target) {
            return Err(failed(&target, &error.error, &done));
        }
        done.push(format!("{} is written", target.display()));
    }
    let gone = made.files.iter().filter(|(_, content)| content.is_none());
    for (path, _) in gone {
        let target = root.join(path);
        match fs::remove_file(&target) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(failed(&target, &cause, &done)),
            _ => done.push(format!("{} is gone", target.display())),
        }
        let above = Path::new(path)
            .ancestors()
            .skip(1)
            .filter(|above| !above.as_os_str().is_empty());
        // One that is not empty stays.
        for above in above {
            let _ = fs::remove_dir(root.join(above));
        }
    }
    Ok(())
}

/// Why a file is not as it is to be, and which are.
fn failed(target: &Path, cause: &io::Error, done: &[String]) -> Failure {
    let what = match done {
        [] => "nothing was written",
        _ => "the change was written in part",
    };
    let failure = Failure::new(Kind::Io, what).because(format!("{}: {cause}", target.display()));
    match done {
        [] => failure.hint("give a folder that can be written to"),
        _ => failure.hint(format!(
            "done so far: {}; in a working tree `git restore` takes it back",
            done.join(", ")
        )),
    }
}

/// The new content beside a file, with the file's mode. Folders that had to be made for it are noted, the outermost first.
fn lay(target: &Path, content: &[u8], folders: &mut Vec<PathBuf>) -> io::Result<(NamedTempFile, PathBuf)> {
    // Through a link the file changes that it leads to.
    let target = target.canonicalize().unwrap_or_else(|_| target.to_owned());
    let folder = target.parent().unwrap_or(Path::new("."));
    let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.exists()).collect();
    for folder in missing.into_iter().rev().filter(|above| !above.as_os_str().is_empty()) {
        fs::create_dir(folder)?;
        folders.push(folder.to_owned());
    }
    // As any new file, within the user's umask; temporary ones would be for their owner alone.
    let mode = fs::Permissions::from_mode(0o666);
    let mut builder = tempfile::Builder::new();
    let mut file = builder.prefix(".refloat-").permissions(mode).tempfile_in(folder)?;
    file.write_all(content)?;
    if let Ok(metadata) = fs::metadata(&target) {
        file.as_file().set_permissions(metadata.permissions())?;
    }
    Ok((file, target))
}

fn is_as_in(root: &Path, tree: &Tree, path: &str) -> bool {
    let there = fs::read(root.join(path));
    match tree.is_file(path) {
        true => tree
            .read(path)
            .is_ok_and(|bytes| there.is_ok_and(|there| there == *bytes)),
        false => there.is_err_and(|cause| cause.kind() == io::ErrorKind::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(files: &[(&str, Option<&str>)], there: &[(&str, &str)]) -> (tempfile::TempDir, Result<(), Failure>) {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        for (path, text) in there {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("because it is in a folder")).expect("because the folder is ours");
            fs::write(path, text).expect("because the folder is ours");
        }
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.map(Into::into)));
        let made = Changeset {
            files: files.collect(),
            ..Changeset::default()
        };
        let done = write(&folder.path().join("out"), &made);
        (folder, done)
    }

    #[test]
    fn nothing_is_left_of_what_could_not_be_laid() {
        let files = [("a/b/new.yaml", Some("a")), ("c/d/new.yaml", Some("b"))];
        let (folder, done) = written(&files, &[("out/c/d", "a file")]);
        let said = done.expect_err("because a file is in the way").to_string();
        assert!(said.contains("nothing was written\n"), "{said}");
        assert!(!folder.path().join("out/a").exists());
        // Not even the folder that was named.
        let (folder, done) = written(&files, &[("out", "a file")]);
        assert!(done.is_err());
        assert_eq!(
            fs::read(folder.path().join("out")).ok().as_deref(),
            Some(&b"a file"[..])
        );
    }

    #[test]
    fn a_folder_goes_with_its_last_file() {
        let files = [("a/b/last.yaml", None), ("c/d/one.yaml", None)];
        let there = ["out/a/b/last.yaml", "out/c/d/one.yaml", "out/c/d/other.yaml"];
        let (folder, done) = written(&files, &there.map(|path| (path, "a")));
        done.expect("because nothing is in the way");
        let out = folder.path().join("out");
        assert!(out.is_dir() && !out.join("a").exists());
        assert!(!out.join("c/d/one.yaml").exists() && out.join("c/d/other.yaml").exists());
        // Nor does the folder that was named go.
        let (folder, done) = written(&[("last.yaml", None)], &[("out/last.yaml", "a")]);
        done.expect("because nothing is in the way");
        assert!(folder.path().join("out").is_dir() && !folder.path().join("out/last.yaml").exists());
    }

    /// What somebody is at in a work tree is not written over; what has nothing to do with the change is nobody's business.
    #[test]
    fn a_tree_in_which_somebody_works_is_edited_beside_that() {
        let changes = [("a.yaml", Some("new")), ("gone.yaml", None), ("made.yaml", Some("new"))];
        let made = Changeset {
            files: changes
                .map(|(path, text)| (path.to_owned(), text.map(Into::into)))
                .into(),
            ..Changeset::default()
        };
        let edited = |path: &str, text: Option<&str>| {
            let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
            let at = |path: &str| folder.path().join(path);
            for path in ["a.yaml", "gone.yaml", "other.yaml"] {
                fs::write(at(path), "old").expect("because the folder is ours");
            }
            let reference = folder.path().display().to_string();
            let tree = crate::source::open(&reference, &crate::source::Options::default());
            let tree = tree.expect("because it is a folder");
            // As it was committed, whatever the folder holds by now.
            let tree = tree.with(
                &["a.yaml", "gone.yaml", "other.yaml"]
                    .map(|path| (path.to_owned(), Some("old".into())))
                    .into(),
            );
            match text {
                Some(text) => fs::write(at(path), text),
                None => fs::remove_file(at(path)),
            }
            .expect("because the folder is ours");
            let said = edit(folder.path(), &tree, &made).map_err(|failure| failure.to_string());
            let new = fs::read_to_string(at("a.yaml")).unwrap_or_default();
            (said, new, at("gone.yaml").exists(), fs::read_to_string(at(path)).ok())
        };
        let (said, new, is_there, other) = edited("other.yaml", Some("work"));
        assert_eq!(
            (said, &*new, is_there, other.as_deref()),
            (Ok(()), "new", false, Some("work"))
        );
        for (path, text) in [
            ("a.yaml", Some("work")),
            ("a.yaml", None),
            ("gone.yaml", Some("work")),
            ("made.yaml", Some("work")),
        ] {
            let (said, new, _, kept) = edited(path, text);
            let said = said.expect_err("because somebody is at it");
            assert!(said.contains(&format!("{path} is not as it was committed")), "{said}");
            assert!(new != "new" && kept.as_deref() == text, "{path}: {kept:?}");
        }
    }

    #[test]
    fn what_is_written_by_then_is_said() {
        let files = [("a/new.yaml", Some("a")), ("b", Some("b")), ("c", None)];
        let (folder, done) = written(&files, &[("out/b/inside", "b"), ("out/c", "c")]);
        let failure = done.expect_err("because a folder is in the way");
        let said = format!("{failure} {failure:?}");
        assert!(
            said.contains("the change was written in part") && said.contains("a/new.yaml is written"),
            "{said}"
        );
        assert!(folder.path().join("out/a/new.yaml").exists() && folder.path().join("out/c").exists());
    }
}
