//! `.tar.zst`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Component, Path};
use std::sync::Arc;

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tar::{Archive, Builder, EntryType, Header};

use super::{not_written, parent};
use crate::error::Failure;

/// How the name of an archive ends.
pub const EXTENSION: &str = ".tar.zst";
/// With what a frame of zstd begins (RFC 8878, 3.1.1).
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The one time of all files, 1980-01-01T00:00:00Z: tools take earlier ones for errors.
const TIME: u64 = 315_532_800;
/// Most bytes that an archive may unpack to.
const LARGEST: u64 = 4 << 30;
/// Most files in one.
const MOST_FILES: usize = 500_000;

/// Writes files, by their `/`-separated path, to an archive; what was at the place before is replaced. Gives its size in bytes.
///
/// # Errors
/// When it could not be written; then nothing changed there.
pub fn pack<B: AsRef<[u8]>>(files: &BTreeMap<String, B>, to: &Path) -> Result<u64, Failure> {
    let written = || {
        let packed = packed(files)?;
        let mut temporary = tempfile::Builder::new().prefix(".refloat-").tempfile_in(parent(to))?;
        temporary.write_all(&packed)?;
        temporary.as_file().sync_all()?;
        temporary.persist(to).map_err(|error| error.error)?;
        Ok(packed.len() as u64)
    };
    written().map_err(|cause: io::Error| not_written(to, &cause))
}

/// The bytes of an archive.
fn packed<B: AsRef<[u8]>>(files: &BTreeMap<String, B>) -> io::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    for (path, bytes) in files {
        let bytes = bytes.as_ref();
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_mtime(TIME);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, path, bytes)?;
    }
    let tar = tar.into_inner()?;
    let packed = compress_to_vec(&*tar, CompressionLevel::Fastest);
    // An archive that does not open is found out too late otherwise.
    match unpacked(&*packed)?.eq(&tar) {
        true => Ok(packed),
        false => Err(io::Error::other("it does not unpack to what was packed")),
    }
}

/// Unpacks a frame of zstd, and makes sure of its checksum.
fn unpacked(packed: impl Read) -> io::Result<Vec<u8>> {
    let mut decoder = StreamingDecoder::new(packed).map_err(io::Error::other)?;
    let mut plain = Vec::new();
    // One byte more than may be there tells that there is more.
    decoder.by_ref().take(LARGEST + 1).read_to_end(&mut plain)?;
    if plain.len() as u64 > LARGEST {
        return Err(io::Error::other(format!(
            "it unpacks to more than {} GiB",
            LARGEST >> 30
        )));
    }
    let frame: FrameDecoder = decoder.into_frame_decoder();
    match frame.get_checksum_from_data() {
        Some(sum) if frame.get_calculated_checksum() != Some(sum) => Err(io::Error::other("its checksum is another")),
        _ => Ok(plain),
    }
}

/// Whether a file looks like an archive of ours: compressed with zstd.
pub fn is_packed(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == MAGIC
}

/// The files of an archive, by their path.
///
/// # Errors
/// Says what is wrong with it: damaged, cut short, paths that lead out of it, links, too much.
pub fn unpack(path: &Path) -> Result<BTreeMap<String, Arc<[u8]>>, String> {
    let damaged = |cause: io::Error| format!("it is damaged: {cause}");
    let file = File::open(path).map_err(|cause| cause.to_string())?;
    let plain = unpacked(BufReader::new(file)).map_err(damaged)?;
    let mut archive = Archive::new(&*plain);
    let mut files = BTreeMap::new();
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let at = inside(&entry.path().map_err(damaged)?)?;
        match entry.header().entry_type() {
            EntryType::Directory => continue,
            EntryType::Regular | EntryType::Continuous => {}
            _ => return Err(format!("{at} is no file")),
        }
        if files.len() >= MOST_FILES {
            return Err(format!("it holds more than {MOST_FILES} files"));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(damaged)?;
        if bytes.len() as u64 != entry.size() {
            return Err("it is damaged: it ends in the middle of a file".to_owned());
        }
        if files.insert(at.clone(), Arc::from(bytes)).is_some() {
            return Err(format!("it holds {at} twice"));
        }
    }
    match files.is_empty() {
        true => Err("there is nothing in it".to_owned()),
        false => Ok(files),
    }
}

/// A path that stays inside, `/`-separated.
fn inside(path: &Path) -> Result<String, String> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str().ok_or("a path in it is not UTF-8")?),
            Component::CurDir => {}
            _ => return Err(format!("{} leads out of it", path.display())),
        }
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("because the tests need a temporary folder")
    }

    fn files() -> BTreeMap<String, Vec<u8>> {
        let long = format!("objects/{}/{}.yaml", "n".repeat(63), "x".repeat(200));
        [("a.json", "one"), ("objects/shop/a%3Ab.yaml", ""), (&long, "two")]
            .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
            .into()
    }

    #[test]
    fn what_goes_in_comes_out_and_the_same_files_are_the_same_bytes() {
        let folder = folder();
        let (one, two) = (folder.path().join("one.tar.zst"), folder.path().join("two.tar.zst"));
        let size = pack(&files(), &one).expect("because the folder is ours");
        pack(&files(), &two).expect("because the folder is ours");
        let bytes = |path: &Path| std::fs::read(path).expect("because it was written");
        assert_eq!(bytes(&one).len() as u64, size);
        assert_eq!(bytes(&one), bytes(&two));
        assert!(is_packed(&one) && !is_packed(folder.path()));
        let read = unpack(&one).expect("because it was just written");
        let read: BTreeMap<String, Vec<u8>> = read.into_iter().map(|(path, bytes)| (path, bytes.to_vec())).collect();
        assert_eq!(read, files());
    }

    #[test]
    fn what_cannot_be_written_leaves_what_was_there() {
        let folder = folder();
        let failure = pack(&files(), &folder.path().join("no/x.tar.zst")).expect_err("because the folder is missing");
        assert!(
            failure.to_string().ends_with("hint: make the folder around it first"),
            "{failure}"
        );
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).expect("because the folder is ours");
        pack(&files(), &taken).expect_err("because a folder stands there");
        let left: Vec<_> = std::fs::read_dir(folder.path()).expect("because it is there").collect();
        assert_eq!(left.len(), 1, "no temporary file is left");
    }

    #[test]
    fn hostile_and_damaged_archives_are_refused() {
        let folder = folder();
        let at = folder.path().join("x.tar.zst");
        let with = |make: &dyn Fn(&mut Builder<Vec<u8>>)| {
            let mut tar = Builder::new(Vec::new());
            make(&mut tar);
            let tar = tar.into_inner().expect("because a Vec takes all");
            std::fs::write(&at, compress_to_vec(&*tar, CompressionLevel::Fastest)).expect("because it is ours");
            unpack(&at).expect_err("because it is hostile")
        };
        let named = |name: &'static str, kind: EntryType| {
            move |tar: &mut Builder<Vec<u8>>| {
                let mut header = Header::new_gnu();
                header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
                header.as_old_mut().linkname[..1].copy_from_slice(b"/");
                header.set_entry_type(kind);
                header.set_size(0);
                header.set_cksum();
                tar.append(&header, io::empty()).expect("because a Vec takes all");
            }
        };
        assert_eq!(with(&named("../x", EntryType::Regular)), "../x leads out of it");
        assert_eq!(with(&named("/etc/x", EntryType::Regular)), "/etc/x leads out of it");
        assert_eq!(with(&named("x", EntryType::Symlink)), "x is no file");
        let twice = |tar: &mut Builder<Vec<u8>>| [0, 1].iter().for_each(|_| named("x", EntryType::Regular)(tar));
        assert_eq!(with(&twice), "it holds x twice");

        pack(&files(), &at).expect("because the folder is ours");
        let whole = std::fs::read(&at).expect("because it was written");
        for cut in 0..whole.len() {
            std::fs::write(&at, &whole[..cut]).expect("because it is ours");
            unpack(&at).expect_err("because it is cut short");
        }
        let mut flipped = whole.clone();
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        std::fs::write(&at, flipped).expect("because it is ours");
        let why = unpack(&at).expect_err("because its checksum is another");
        assert!(why.starts_with("it is damaged: "), "{why}");
    }
}
