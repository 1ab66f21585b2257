//! Official programs from where their projects publish them, each held against the checksum published with it.
//!
//! Kubernetes publishes `PROGRAM.sha256` beside each program; etcd a file `SHA256SUMS` in each release; KWOK no file,
//! but GitHub gives the digest of every file of a release in its API. All three only have them for Linux.

use std::io::Read;
use std::path::Path;

use super::Progress;
use super::cache::Cache;
use super::obtain::{Tried, version_of};
use super::parts::Part;
use crate::net::{self, NetError};

/// Why a download stops everything.
pub(super) enum Refusal {
    /// The folder cannot be written.
    Unwritable(String),
    /// What came is not what was published.
    Distrusted(String),
}

const KUBERNETES: &str = "https://dl.k8s.io";
const GITHUB: &str = "https://github.com";
const GITHUB_API: &str = "https://api.github.com";
/// How long a list of checksums may be, in bytes; GitHub's description of a release is the longest.
const LIST_LIMIT: usize = 4 << 20;

/// One program to fetch.
struct Release {
    part: Part,
    address: String,
    /// Where its checksum stands.
    checksums: String,
    /// Its file name there.
    name: String,
}

/// Downloads what it can of the missing parts; what it cannot is noted. `base` replaces scheme and host.
pub(super) async fn download(
    cache: &Cache,
    missing: &[Part],
    version: &str,
    base: Option<&str>,
    tried: &mut Tried,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Refusal> {
    let Some(machine) = machine().filter(|_| std::env::consts::OS == "linux") else {
        let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
        tried.note(format!(
            "download: there are no official programs for {system} on {machine}"
        ));
        return Ok(());
    };
    let releases: Vec<Release> = missing
        .iter()
        .map(|part| release(*part, version, machine, base))
        .collect();
    // All at once: without a network each would wait for its timeout.
    let checksums = futures::future::join_all(releases.iter().map(checksum)).await;
    for (release, checksum) in releases.iter().zip(checksums) {
        let done = match checksum {
            Ok(checksum) => fetch(cache, release, &checksum, version, progress).await,
            Err(reason) => Err(Missed::Reason(reason)),
        };
        match done {
            Ok(()) => {}
            Err(Missed::Reason(reason)) => {
                let reason = format!("download: {reason}");
                progress(Progress::Unavailable(reason.clone()));
                tried.note(reason);
            }
            Err(Missed::Refused(refusal)) => return Err(refusal),
        }
    }
    Ok(())
}

/// The machine's name in release files.
fn machine() -> Option<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Some("amd64"),
        "aarch64" => Some("arm64"),
        _ => None,
    }
}

fn release(part: Part, version: &str, machine: &str, base: Option<&str>) -> Release {
    let of = version_of(part, version);
    let at = |host: &'static str| base.unwrap_or(host).to_owned();
    match part {
        Part::Etcd => {
            let folder = format!("{}/etcd-io/etcd/releases/download/{of}", at(GITHUB));
            let name = format!("etcd-{of}-linux-{machine}.tar.gz");
            Release {
                part,
                address: format!("{folder}/{name}"),
                checksums: format!("{folder}/SHA256SUMS"),
                name,
            }
        }
        Part::Kwok => {
            let name = format!("kwok-linux-{machine}");
            Release {
                part,
                address: format!("{}/kubernetes-sigs/kwok/releases/download/{of}/{name}", at(GITHUB)),
                checksums: format!("{}/repos/kubernetes-sigs/kwok/releases/tags/{of}", at(GITHUB_API)),
                name,
            }
        }
        _ => {
            let address = format!("{}/release/{of}/bin/linux/{machine}/{part}", at(KUBERNETES));
            Release {
                part,
                checksums: format!("{address}.sha256"),
                address,
                name: part.name().to_owned(),
            }
        }
    }
}

async fn checksum(release: &Release) -> Result<String, String> {
    let text = net::get_text(&release.checksums, LIST_LIMIT)
        .await
        .map_err(|error| error.to_string())?;
    find_checksum(&text, &release.name)
        .ok_or_else(|| format!("{} has no sha256 checksum of {}", release.checksums, release.name))
}

/// The checksum of a file in any of the three forms: alone, in lines of `CHECKSUM  NAME`, in GitHub's JSON.
fn find_checksum(text: &str, name: &str) -> Option<String> {
    let is_checksum = |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Ok(release) = serde_json::from_str::<serde_json::Value>(text)
        && let Some(assets) = release["assets"].as_array()
    {
        let asset = assets.iter().find(|asset| asset["name"] == name)?;
        let digest = asset["digest"].as_str()?.strip_prefix("sha256:")?;
        return Some(digest.to_owned()).filter(|digest| is_checksum(digest));
    }
    let words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let found = words.into_iter().find_map(|words| match words.as_slice() {
        [sum] => Some((*sum).to_owned()),
        [sum, file] if file.trim_start_matches('*') == name => Some((*sum).to_owned()),
        _ => None,
    });
    found.filter(|sum| is_checksum(sum))
}

/// Why one program was not fetched.
enum Missed {
    /// Another source may have it.
    Reason(String),
    Refused(Refusal),
}

async fn fetch(
    cache: &Cache,
    release: &Release,
    checksum: &str,
    version: &str,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Missed> {
    let unwritable = |reason| Missed::Refused(Refusal::Unwritable(reason));
    let workplace = cache.workplace().map_err(unwritable)?;
    let file = workplace.path().join("download");
    let part = release.part;
    let mut tell = |so_far, total| progress(Progress::Downloading { part, so_far, total });
    let fetched = net::download(&release.address, &file, Some(checksum), &mut tell).await;
    fetched.map_err(|error| match error {
        NetError::Write { source, .. } => unwritable(cache.unwritable(&source)),
        NetError::Checksum { .. } => Missed::Refused(Refusal::Distrusted(error.to_string())),
        _ => Missed::Reason(error.to_string()),
    })?;
    let program = if part == Part::Etcd {
        let program = workplace.path().join("etcd");
        unpack_etcd(&file, &program).map_err(|error| {
            if error.kind() == std::io::ErrorKind::InvalidData {
                Missed::Reason(format!("{}: {error}", release.address))
            } else {
                unwritable(cache.unwritable(&error))
            }
        })?;
        program
    } else {
        file
    };
    cache
        .store(&program, part.name(), version_of(part, version), &release.address)
        .map_err(unwritable)
}

/// Takes the one file `…/etcd` out of the archive; nothing else of it is written.
fn unpack_etcd(archive: &Path, program: &Path) -> std::io::Result<()> {
    let invalid = |error: std::io::Error| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
    let reader = flate2::read::GzDecoder::new(std::fs::File::open(archive)?);
    for entry in tar::Archive::new(reader).entries().map_err(invalid)? {
        let entry = entry.map_err(invalid)?;
        let is_program = entry
            .path()
            .map_err(invalid)?
            .file_name()
            .is_some_and(|name| name == "etcd");
        if is_program && entry.header().entry_type().is_file() {
            let mut file = std::fs::File::create(program)?;
            std::io::copy(&mut entry.take(1 << 30), &mut file)?;
            return Ok(());
        }
    }
    Err(invalid(std::io::Error::other("there is no etcd in the archive")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn checksums_in_three_forms() {
        let other = "0".repeat(64);
        assert_eq!(
            find_checksum(&format!("{SUM}\n"), "kube-apiserver").as_deref(),
            Some(SUM)
        );
        let list = format!("{other}  etcd.zip\n{SUM}  etcd.tar.gz\n");
        assert_eq!(find_checksum(&list, "etcd.tar.gz").as_deref(), Some(SUM));
        let json = format!(r#"{{"assets": [{{"name": "kwok", "digest": "sha256:{SUM}"}}, {{"name": "old"}}]}}"#);
        assert_eq!(find_checksum(&json, "kwok").as_deref(), Some(SUM));
        assert_eq!(find_checksum(&json, "old"), None);
        assert_eq!(find_checksum("<html>not found</html>", "kwok"), None);
        assert_eq!(find_checksum(&list, "etcd"), None);
    }

    #[test]
    fn addresses_are_the_official_ones_or_below_the_base() {
        let address = |part, base| release(part, "v1.37.2", "amd64", base).address;
        assert_eq!(
            address(Part::KubeScheduler, None),
            "https://dl.k8s.io/release/v1.37.2/bin/linux/amd64/kube-scheduler"
        );
        assert_eq!(
            address(Part::Etcd, None),
            "https://github.com/etcd-io/etcd/releases/download/v3.7.0/etcd-v3.7.0-linux-amd64.tar.gz"
        );
        assert_eq!(
            address(Part::Kwok, Some("http://127.0.0.1:1")),
            "http://127.0.0.1:1/kubernetes-sigs/kwok/releases/download/v0.8.0/kwok-linux-amd64"
        );
    }
}
