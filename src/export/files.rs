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
/// Where one cannot be written; nothing is changed then.
pub fn write(root: &Path, made: &Changeset) -> Result<(), Failure> {
    let failed = |path: &Path, cause: io::Error| {
        Failure::new(Kind::Io, "nothing was written")
            .because(format!("{}: {cause}", path.display()))
            .hint("give a folder that can be written to")
    };
    let mut ready = Vec::new();
    for (path, content) in &made.files {
        let target = root.join(path);
        if let Some(content) = content {
            ready.push(lay(&target, content).map_err(|cause| failed(&target, cause))?);
        }
    }
    // From here on only names change.
    for (file, target) in ready {
        file.persist(&target).map_err(|error| failed(&target, error.error))?;
    }
    for path in made
        .files
        .iter()
        .filter(|(_, content)| content.is_none())
        .map(|(path, _)| path)
    {
        let target = root.join(path);
        match fs::remove_file(&target) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(failed(&target, cause)),
            _ => {}
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

/// The new content beside a file, with the file's mode.
fn lay(target: &Path, content: &[u8]) -> io::Result<(NamedTempFile, PathBuf)> {
    // Through a link the file changes that it leads to.
    let target = target.canonicalize().unwrap_or_else(|_| target.to_owned());
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
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
