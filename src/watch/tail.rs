//! What is added to audit logs while they are watched.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// The most that is read of a file at a time; the rest comes the next time.
const AT_ONCE: u64 = 16 << 20;

/// A file that grows. Where it is moved away and begun anew (rotation), its rest is read first, then the new one from its beginning.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    file: File,
    /// Of the next byte.
    at: u64,
    /// The beginning of a line whose end is not there yet.
    rest: Vec<u8>,
}

impl Tail {
    /// Goes on behind `at` bytes, which end with a line.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn new(path: PathBuf, at: u64) -> io::Result<Self> {
        let file = File::open(&path)?;
        Ok(Self {
            path,
            file,
            at,
            rest: Vec::new(),
        })
    }

    /// Its name, as given.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The whole lines that were added. A file that is away for a moment has none.
    pub fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        self.read(&mut lines);
        if self.is_rotated()
            && lines.is_empty()
            && let Ok(file) = File::open(&self.path)
        {
            self.file = file;
            self.at = 0;
            self.rest.clear();
            self.read(&mut lines);
        }
        lines
    }

    /// Another file has its name, or it was cut short.
    fn is_rotated(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let (Ok(ours), Ok(named)) = (self.file.metadata(), std::fs::metadata(&self.path)) else {
            return false;
        };
        (ours.dev(), ours.ino()) != (named.dev(), named.ino()) || ours.len() < self.at
    }

    fn read(&mut self, lines: &mut Vec<String>) {
        let mut bytes = Vec::new();
        let read = self.file.seek(SeekFrom::Start(self.at));
        let read = read.and_then(|_| (&self.file).take(AT_ONCE).read_to_end(&mut bytes));
        let Ok(read) = read else { return };
        self.at += read as u64;
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(part);
            if part.ends_with(b"\n") {
                lines.push(String::from_utf8_lossy(&self.rest).trim_end().to_owned());
                self.rest.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn whole_lines_are_read_once_and_across_a_rotation() {
        let folder = tempfile::tempdir().expect("because a temporary folder can be made");
        let path = folder.path().join("audit.log");
        let open = || {
            File::options()
                .create(true)
                .append(true)
                .open(&path)
                .expect("because the folder is ours")
        };
        let add = |text: &str| open().write_all(text.as_bytes()).expect("because the folder is ours");
        add("one\ntwo\n");
        let mut tail = Tail::new(path.clone(), 4).expect("because it is there");
        assert_eq!(tail.lines(), ["two"]);
        assert!(tail.lines().is_empty());
        add("thr");
        assert!(tail.lines().is_empty());
        add("ee\nfour\nfi");
        assert_eq!(tail.lines(), ["three", "four"]);
        add("ve\n");
        std::fs::rename(&path, folder.path().join("audit-1.log")).expect("because the folder is ours");
        assert_eq!(tail.lines(), ["five"]);
        add("six\n");
        assert_eq!(tail.lines(), ["six"]);
        // Copied and cut short, as some rotate.
        std::fs::write(&path, "").expect("because the folder is ours");
        assert!(tail.lines().is_empty());
        add("seven\n");
        assert_eq!(tail.lines(), ["seven"]);
    }
}
