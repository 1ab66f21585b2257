//! A folder in place of an archive.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{not_written, parent};
use crate::error::{Failure, Kind, printable};

/// Whether a folder may be written there: nothing is there, or nothing but these files and folders, which were written before.
///
/// # Errors
/// Names what is there.
pub fn check(to: &Path, own: &[&str]) -> Result<(), Failure> {
    let taken = |cause: String| {
        Failure::new(
            Kind::Input,
            format!("{} was not written", printable(&to.display().to_string())),
        )
        .because(cause)
        .hint("name a folder that is not there yet, or one that was written by the same command")
    };
    match fs::read_dir(to) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::NotADirectory => Err(taken("a file stands there".to_owned())),
        Err(cause) => Err(not_written(to, &cause)),
        Ok(entries) => {
            for entry in entries {
                let entry = entry.map_err(|cause| not_written(to, &cause))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if !own.contains(&name.as_str()) {
                    return Err(taken(format!("it would be replaced, and holds {}", printable(&name))));
                }
            }
            Ok(())
        }
    }
}

/// Writes files, by their `/`-separated path, as a folder, in place of one that was written before ([`check`]).
///
/// # Errors
/// When it could not be written; then nothing changed there.
pub fn lay_out<B: AsRef<[u8]>>(files: &BTreeMap<String, B>, to: &Path) -> Result<(), Failure> {
    let top = |path: &String| path.split('/').next().unwrap_or_default().to_owned();
    let own: BTreeSet<String> = files.keys().map(top).collect();
    check(to, &own.iter().map(String::as_str).collect::<Vec<_>>())?;
    // Of `.` the folder around it is known only so.
    let full = to.canonicalize().unwrap_or_else(|_| to.to_owned());
    let written = || {
        let made = temporary(&full)?;
        for (path, bytes) in files {
            let at = made.path().join(path);
            fs::create_dir_all(parent(&at))?;
            fs::write(&at, bytes)?;
        }
        put(made.keep(), &full)
    };
    written().map_err(|cause: io::Error| not_written(to, &cause))
}

fn temporary(beside: &Path) -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix(".refloat-").tempdir_in(parent(beside))
}

/// Puts a folder in the place of another; where that fails, the other is there again and the new one is gone.
fn put(new: PathBuf, to: &Path) -> io::Result<()> {
    let put = || {
        if !to.exists() {
            return fs::rename(&new, to);
        }
        let old = temporary(to)?;
        let aside = old.path().join("old");
        fs::rename(to, &aside)?;
        fs::rename(&new, to).inspect_err(|_| {
            let _ = fs::rename(&aside, to);
        })
    };
    put().inspect_err(|_| {
        let _ = fs::remove_dir_all(&new);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> BTreeMap<String, String> {
        [("a.json", text), ("objects/shop/b.yaml", "b")]
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
            .into()
    }

    #[test]
    fn a_folder_is_made_and_made_anew() {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        let to = folder.path().join("live");
        lay_out(&files("one"), &to).expect("because nothing is there");
        fs::write(to.join("objects/old.yaml"), "").expect("because the folder is ours");
        lay_out(&files("two"), &to).expect("because it was written before");
        let read = |path: &str| fs::read_to_string(to.join(path)).expect("because it was written");
        assert_eq!(
            (read("a.json").as_str(), read("objects/shop/b.yaml").as_str()),
            ("two", "b")
        );
        assert!(!to.join("objects/old.yaml").exists());
        let left: Vec<_> = fs::read_dir(folder.path()).expect("because it is there").collect();
        assert_eq!(left.len(), 1, "no temporary folder is left");
    }

    #[test]
    fn what_is_somebody_else_s_stays() {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        fs::write(folder.path().join("thesis.tex"), "").expect("because the folder is ours");
        let failure = lay_out(&files("one"), folder.path()).expect_err("because something else is there");
        assert!(
            failure
                .to_string()
                .contains("because: it would be replaced, and holds thesis.tex"),
            "{failure}"
        );
        let file = folder.path().join("thesis.tex");
        let failure = lay_out(&files("one"), &file).expect_err("because a file is there");
        assert!(
            failure.to_string().contains("because: a file stands there"),
            "{failure}"
        );
        lay_out(&files("one"), &folder.path().join("no/way")).expect_err("because the folder around it is missing");
        assert_eq!(fs::read_dir(folder.path()).expect("because it is there").count(), 1);
    }
}
