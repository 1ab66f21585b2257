//! The files of a chart or of an artifact, from an archive or a folder: nothing outside of it, nothing too large.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::ignore::Ignore;

/// Most bytes that an archive may hold, as Helm's `MaxDecompressedChartSize`.
const MOST: u64 = 100 << 20;
/// Most bytes of a file in a chart, as Helm's `MaxDecompressedFileSize`.
const MOST_OF_ONE: u64 = 5 << 20;
/// Most files.
const MOST_FILES: usize = 20_000;

/// Contents by path, `/`-separated, relative to the chart's own folder.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Files(pub BTreeMap<String, Vec<u8>>);

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Files {
    /// A file.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }

    /// Those of a packed chart: all of them lie in one folder, whose name is left out (`pkg/chart/loader/archive`).
    ///
    /// # Errors
    /// Says why it is none.
    pub fn of_chart(archive: &[u8]) -> Result<Self, String> {
        let mut files = BTreeMap::new();
        read(archive, MOST_OF_ONE, &mut |path, content| {
            // A chart packed on Windows may have backslashes.
            let path = if path.contains('\\') {
                path.replace('\\', "/")
            } else {
                path.to_owned()
            };
            let (base, inner) = path.split_once('/').unwrap_or((&*path, ""));
            if base == "Chart.yaml" {
                return Err("Chart.yaml does not lie in a folder of it".to_owned());
            }
            let inner = inside(inner).ok_or_else(|| format!("{path} would lie outside of its folder"))?;
            let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content).to_vec();
            files.insert(inner, content);
            Ok(())
        })?;
        match files.contains_key("Chart.yaml") {
            true => Ok(Self(files)),
            false => Err("it has no Chart.yaml".to_owned()),
        }
    }

    /// Those of a packed folder, as an OCI artifact of Flux is. Links are left out, as source-controller leaves them out.
    ///
    /// # Errors
    /// Says why it is none.
    pub fn of_artifact(archive: &[u8]) -> Result<Self, String> {
        let mut files = BTreeMap::new();
        read(archive, MOST, &mut |path, content| {
            let inside = inside(path).ok_or_else(|| format!("{path} would lie outside of its folder"))?;
            files.insert(inside, content);
            Ok(())
        })?;
        Ok(Self(files))
    }

    /// Those of a chart in a folder, less what its `.helmignore` leaves out.
    ///
    /// # Errors
    /// Says what cannot be read.
    pub fn of_folder(folder: &Path) -> Result<Self, String> {
        let rules = std::fs::read_to_string(folder.join(".helmignore")).unwrap_or_default();
        let ignore = Ignore::parse(&rules)?;
        let mut files = BTreeMap::new();
        let mut todo = vec![String::new()];
        let mut left = MOST;
        while let Some(at) = todo.pop() {
            let unreadable = |cause: std::io::Error| format!("{at} could not be read: {cause}");
            for entry in std::fs::read_dir(folder.join(&at)).map_err(unreadable)? {
                let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
                let path = if at.is_empty() { name } else { format!("{at}/{name}") };
                // Follows links: those of charts lead to folders of the same tree.
                let about = std::fs::metadata(folder.join(&path)).map_err(unreadable)?;
                if ignore.leaves_out(&path, about.is_dir()) {
                    continue;
                }
                if about.is_dir() {
                    todo.push(path);
                    continue;
                }
                left = left.checked_sub(about.len()).ok_or("it is larger than 100 MiB")?;
                if about.len() > MOST_OF_ONE || files.len() >= MOST_FILES {
                    return Err(format!("{path} is larger than 5 MiB, or there are too many files"));
                }
                let content = std::fs::read(folder.join(&path)).map_err(unreadable)?;
                let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content).to_vec();
                files.insert(path, content);
            }
        }
        Ok(Self(files))
    }

    /// Writes all of them into an empty folder.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn unpack(&self, folder: &Path) -> std::io::Result<()> {
        for (path, content) in &self.0 {
            let file = folder.join(path);
            std::fs::create_dir_all(file.parent().unwrap_or(folder))?;
            std::fs::write(file, content)?;
        }
        Ok(())
    }
}

/// A path without `.`, `..` and empty parts; `None` where it leads out or names nothing.
fn inside(path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains('\0') || path.get(1..3) == Some(":/") {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// What becomes of a file in an archive.
type Take<'t> = &'t mut dyn FnMut(&str, Vec<u8>) -> Result<(), String>;

/// Walks the files of a `.tar.gz`: neither folders nor links.
fn read(archive: &[u8], most_of_one: u64, take: Take<'_>) -> Result<(), String> {
    if !archive.starts_with(b"\x1f\x8b\x08") {
        return Err("it is no gzip archive".to_owned());
    }
    let broken = |cause: std::io::Error| format!("it is damaged or cut off: {cause}");
    // The limit also holds for what the archive's own headers say less of.
    let plain = MultiGzDecoder::new(archive).take(2 * MOST);
    let mut tar = tar::Archive::new(plain);
    let (mut left, mut count) = (MOST, 0);
    for entry in tar.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        count += 1;
        if entry.size() > left || count > MOST_FILES {
            return Err("unpacked, it is larger than 100 MiB, or has too many files".to_owned());
        }
        if entry.size() > most_of_one {
            return Err(format!("{path} in it is larger than {} MiB", most_of_one >> 20));
        }
        left -= entry.size();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(broken)?;
        if content.len() as u64 != entry.size() {
            return Err("it is cut off".to_owned());
        }
        take(&path, content)?;
    }
    if count == 0 {
        return Err("it is empty".to_owned());
    }
    // Only the very end tells whether all of it came.
    std::io::copy(&mut tar.into_inner(), &mut std::io::sink()).map_err(broken)?;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::Write;

    /// A `.tar.gz` of files; a name that ends with `@` is a link to its content.
    pub fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            match path.strip_suffix('@') {
                Some(path) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_size(0);
                    tar.append_link(&mut header, path, String::from_utf8_lossy(content).as_ref())
                        .expect("memory takes it");
                }
                None => {
                    header.set_size(content.len() as u64);
                    // Written by hand: the library refuses the paths that are to be tested.
                    let name = path.as_bytes();
                    header.as_old_mut().name[..name.len()].copy_from_slice(name);
                    header.set_cksum();
                    tar.append(&header, *content).expect("memory takes it");
                }
            }
        }
        let plain = tar.into_inner().expect("memory takes it");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).expect("memory takes it");
        gzip.finish().expect("memory takes it")
    }

    const CHART: &[u8] = b"apiVersion: v2\nname: web\nversion: 1.2.3\n";

    #[test]
    fn a_chart_is_read() {
        let archive = packed(&[
            ("web/Chart.yaml", b"\xef\xbb\xbfname: web"),
            ("web/./templates//a.yaml", b"kind: A"),
            ("web\\templates\\b.yaml", b"kind: B"),
            ("web/link@", b"/etc/passwd"),
        ]);
        let files = Files::of_chart(&archive).expect("it is a chart");
        assert_eq!(
            format!("{files:?}"),
            r#"{"Chart.yaml", "templates/a.yaml", "templates/b.yaml"}"#
        );
        assert_eq!(files.get("Chart.yaml"), Some(&b"name: web"[..]));
    }

    #[test]
    fn bad_archives_are_refused() {
        let error = |archive: &[u8]| Files::of_chart(archive).expect_err("it is refused");
        assert_eq!(error(b"<html>"), "it is no gzip archive");
        assert_eq!(error(&packed(&[("web/values.yaml", b"")])), "it has no Chart.yaml");
        assert_eq!(
            error(&packed(&[("Chart.yaml", CHART)])),
            "Chart.yaml does not lie in a folder of it"
        );
        for path in ["web/../../x", "web/..", "web//etc/passwd", "web/c:/x"] {
            let archive = packed(&[("web/Chart.yaml", CHART), (path, b"x")]);
            let refused = Files::of_chart(&archive);
            let harmless = refused.as_ref().is_ok_and(|files| files.get("etc/passwd").is_some());
            assert!(refused.is_err() || harmless, "{path}");
        }
        let whole = packed(&[("web/Chart.yaml", CHART), ("web/big", &[b'x'; 70_000])]);
        for length in [12, whole.len() / 2, whole.len() - 9] {
            assert!(
                error(&whole[..length]).contains("cut off"),
                "{}",
                error(&whole[..length])
            );
        }
        let large = packed(&[("web/Chart.yaml", CHART), ("web/big", &vec![0; (5 << 20) + 1])]);
        assert_eq!(error(&large), "web/big in it is larger than 5 MiB");
    }

    #[test]
    fn an_artifact_keeps_its_paths() {
        let archive = packed(&[("./a/b.yaml", b"1"), ("c.yaml", b"2"), ("d@", b"../../x")]);
        let files = Files::of_artifact(&archive).expect("it is one");
        assert_eq!(format!("{files:?}"), r#"{"a/b.yaml", "c.yaml"}"#);
        assert!(Files::of_artifact(&packed(&[("../a", b"1")])).is_err());
        let folder = tempfile::tempdir().expect("a temporary folder");
        files.unpack(folder.path()).expect("there is room");
        assert_eq!(
            std::fs::read(folder.path().join("a/b.yaml")).expect("it was written"),
            b"1"
        );
    }

    #[test]
    fn a_folder_is_read_as_helm_reads_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |path: &str, text: &str| {
            let file = folder.path().join(path);
            std::fs::create_dir_all(file.parent().expect("it lies in the folder")).expect("the folder is ours");
            std::fs::write(file, text).expect("the folder is ours");
        };
        write(".helmignore", "*.md\nci/\n");
        write("Chart.yaml", "name: web");
        write("README.md", "");
        write("ci/values.yaml", "");
        write("templates/a.yaml", "");
        let files = Files::of_folder(folder.path()).expect("it can be read");
        assert_eq!(
            format!("{files:?}"),
            r#"{".helmignore", "Chart.yaml", "templates/a.yaml"}"#
        );
    }
}
