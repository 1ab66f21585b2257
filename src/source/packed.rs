//! The files in an archive, read into memory.

use std::path::Path;

use super::links::Raw;
use super::tree::{Store, Tree};
use crate::archive;
use crate::error::{Failure, Kind, printable};
use crate::object::Repository;

/// Opens an archive; it has no revisions.
pub(super) fn open(location: &str, path: &Path) -> Result<Tree, Failure> {
    let files = archive::unpack(path).map_err(|why| {
        let consequence = format!("nothing could be read from {}", printable(location));
        Failure::new(Kind::Input, consequence)
            .because(why)
            .hint("take it from where it was kept, or make it anew")
    })?;
    let raw = files
        .into_iter()
        .map(|(path, bytes)| (path, Raw::Laid(bytes)))
        .collect();
    let repository = Repository {
        location: location.to_owned(),
        commit: None,
        subject: None,
        time: None,
        dirty: false,
    };
    let store = Store::Folder(path.to_owned());
    Ok(Tree::new(repository, String::new(), Vec::new(), raw, store))
}

#[cfg(test)]
mod tests {
    use super::super::{Options, mark, open};
    use super::*;

    #[test]
    fn an_archive_is_a_tree_without_revisions() {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        let at = folder.path().join("x.tar.zst");
        let files = [("a/b.yaml".to_owned(), "kind: X")].into();
        archive::pack(&files, &at).expect("because the folder is ours");
        let reference = at.display().to_string();
        let tree = open(&reference, &Options::default()).expect("because it is an archive");
        assert_eq!(&*tree.read("a/b.yaml").expect("because it is there"), b"kind: X");
        assert!(tree.history().is_none() && mark(&reference, &Options::default()).is_ok_and(|mark| mark.is_none()));
        let disk = tree.on_disk().expect("because there is room");
        assert!(disk.join("a/b.yaml").is_file());
        let old = Options {
            rev: Some("main".to_owned()),
            ..Options::default()
        };
        let failure = open(&reference, &old)
            .expect_err("because it has no revisions")
            .to_string();
        assert!(failure.contains("it is not a Git repository"), "{failure}");
        std::fs::write(&at, &std::fs::read(&at).expect("because it is ours")[..20]).expect("because it is ours");
        let failure = open(&reference, &Options::default())
            .expect_err("because it is cut short")
            .to_string();
        assert!(failure.contains("because: it is damaged: "), "{failure}");
    }
}
