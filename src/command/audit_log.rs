//! The audit logs of an API server that `audit` is given.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::console::Console;
use crate::audit::Log;
use crate::error::{Failure, Kind};
use crate::event::Event;
use crate::watch::Tail;

/// The longest line of an audit log, in bytes: an event may hold an object twice, of 1.5 MB each before they are escaped.
const LONGEST_LINE: usize = 32 << 20;
/// The first bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The lines of a file, unpacked where it is gzipped, each [`LONGEST_LINE`] at most. Bytes that are no UTF-8 are replaced.
pub(super) struct Lines {
    path: PathBuf,
    is_packed: bool,
    plain: BufReader<Box<dyn Read>>,
    /// Bytes of the lines that were read whole.
    whole: u64,
}

/// Opens the files, before anything is asked of the cluster.
pub(super) fn open(files: &[PathBuf]) -> Result<Vec<Lines>, Failure> {
    let open = |path: &PathBuf| Lines::open(path).map_err(|error| unread(path, &error));
    files.iter().map(open).collect()
}

/// Reads the files into an empty log, which keeps only what is about what an audit asks for; `None` without any. Where they are to be
/// followed, those that may grow, from where reading ended.
pub(super) fn read(
    files: Vec<Lines>,
    empty: impl FnOnce() -> Log,
    follow: bool,
    console: &mut Console,
) -> Result<(Option<Log>, Vec<Tail>), Failure> {
    let Some(first) = files.first() else {
        return Ok((None, Vec::new()));
    };
    let first = first.path.display();
    console.say(&Event::Progress(format!("reading the audit log {first}")));
    let (mut log, mut tails) = (empty(), Vec::new());
    for mut file in files {
        log.read(&file.path.display().to_string(), file.by_ref());
        if follow && !file.is_packed {
            let tail = Tail::new(file.path.clone(), file.whole);
            tails.push(tail.map_err(|error| unread(&file.path, &error))?);
        }
    }
    log.close();
    Ok((Some(log), tails))
}

fn unread(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::Io, "nothing was audited: an audit log could not be read")
        .because(format!("{}: {error}", path.display()))
}

impl Lines {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(path)?);
        let is_packed = file.fill_buf()?.starts_with(&GZIP);
        let plain: Box<dyn Read> = if is_packed {
            Box::new(flate2::bufread::MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        Ok(Self {
            path: path.to_owned(),
            is_packed,
            plain: BufReader::new(plain),
            whole: 0,
        })
    }

    /// The next line, cut off where it is too long to be an event; `None` at the end.
    fn line(&mut self) -> io::Result<Option<String>> {
        let mut bytes = Vec::new();
        let longest = LONGEST_LINE as u64;
        let mut read = self.plain.by_ref().take(longest).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        let mut whole = bytes.ends_with(b"\n");
        if bytes.len() == LONGEST_LINE && !whole {
            read += self.plain.skip_until(b'\n')?;
            whole = true;
        }
        if whole {
            self.whole += read as u64;
        }
        Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned()))
    }
}

impl Iterator for Lines {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.line().transpose()
    }
}
