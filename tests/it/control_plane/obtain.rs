//! Where the programs come from. The programs here are texts: nothing runs them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use refloat::control_plane::obtain::obtain;
use refloat::control_plane::{Obtained, Part, Progress, Sources};
use sha2::{Digest, Sha256};

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn etcd_archive() -> Vec<u8> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, text) in [
        ("etcd-v3.7.0/README.md", "read me"),
        ("etcd-v3.7.0/etcd", "the etcd program"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o755);
        archive
            .append_data(&mut header, name, text.as_bytes())
            .expect("because it is written to memory");
    }
    archive
        .into_inner()
        .and_then(flate2::write::GzEncoder::finish)
        .expect("because it is written to memory")
}

pub fn machine() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    }
}

/// What the three projects publish, by path.
pub fn published() -> BTreeMap<String, Vec<u8>> {
    let machine = machine();
    let mut files = BTreeMap::new();
    for part in ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        let text = format!("the {part} program").into_bytes();
        let path = format!("/release/v1.37.2/bin/linux/{machine}/{part}");
        files.insert(format!("{path}.sha256"), sha256(&text).into_bytes());
        files.insert(path, text);
    }
    let (etcd, folder) = (etcd_archive(), "/etcd-io/etcd/releases/download/v3.7.0");
    let name = format!("etcd-v3.7.0-linux-{machine}.tar.gz");
    files.insert(
        format!("{folder}/SHA256SUMS"),
        format!("{}  {name}\n", sha256(&etcd)).into_bytes(),
    );
    files.insert(format!("{folder}/{name}"), etcd);
    let kwok = b"the kwok program".to_vec();
    let name = format!("kwok-linux-{machine}");
    let release = format!(
        r#"{{"assets": [{{"name": "{name}", "digest": "sha256:{}"}}]}}"#,
        sha256(&kwok)
    );
    files.insert(
        "/repos/kubernetes-sigs/kwok/releases/tags/v0.8.0".to_owned(),
        release.into_bytes(),
    );
    files.insert(format!("/kubernetes-sigs/kwok/releases/download/v0.8.0/{name}"), kwok);
    files
}

/// A server of files on loopback, and the paths it was asked for.
pub fn serve(files: BTreeMap<String, Vec<u8>>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("because loopback has a free port");
    let base = format!("http://{}", listener.local_addr().expect("because it is bound"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (files, log) = (Arc::new(files), Arc::clone(&asked));
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("because the test connects");
            let (files, log) = (Arc::clone(&files), Arc::clone(&log));
            std::thread::spawn(move || {
                let mut lines = BufReader::new(connection.try_clone().expect("because sockets can be shared")).lines();
                let Some(Ok(first)) = lines.next() else { return };
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                let (status, body) = match files.get(&path) {
                    Some(body) => ("200 OK", body.as_slice()),
                    None => ("404 Not Found", &b""[..]),
                };
                log.lock().expect("because nobody panics with it").push(path);
                let head = format!(
                    "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                // A test that failed reads no further.
                let _ = connection
                    .write_all(head.as_bytes())
                    .and_then(|()| connection.write_all(body));
            });
        }
    });
    (base, asked)
}

fn sources(cache: &Path, downloads: &str) -> Sources {
    Sources {
        cache: Some(cache.to_owned()),
        downloads: Some(downloads.to_owned()),
        ..Sources::default()
    }
}

/// A base at which nobody answers.
pub fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("because loopback has a free port");
    format!("http://{}", listener.local_addr().expect("because it is bound"))
}

fn read(obtained: &Obtained, part: Part) -> String {
    std::fs::read_to_string(&obtained.programs[&part].file).expect("because it was obtained")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("because a temporary folder can be made")
}

#[tokio::test]
async fn downloads_are_verified_and_kept() {
    let cache = folder();
    let (base, asked) = serve(published());
    let mut downloaded = Vec::new();
    let first = sources(cache.path(), &base);
    let mut note = |progress| {
        if let Progress::Downloading { part, .. } = progress {
            downloaded.push(part);
        }
    };
    let obtained = obtain(&first, None, &mut note)
        .await
        .unwrap_or_else(|failure| panic!("{failure}"));
    downloaded.dedup();
    assert_eq!(downloaded, Part::ALL);
    assert_eq!(read(&obtained, Part::Etcd), "the etcd program");
    assert_eq!(read(&obtained, Part::Kwok), "the kwok program");
    assert_eq!(
        (obtained.version.as_str(), obtained.temporary.clone()),
        ("v1.37.2", None)
    );
    assert_eq!(asked.lock().expect("because nobody panics with it").len(), 10);
    let again = obtain(&sources(cache.path(), &closed()), None, &mut |progress| {
        panic!("{progress:?}")
    })
    .await;
    assert_eq!(
        again.unwrap_or_else(|failure| panic!("{failure}")),
        obtained,
        "from the cache"
    );
}

#[tokio::test]
async fn two_at_once_download_once() {
    let cache = folder();
    let (base, asked) = serve(published());
    let sources = sources(cache.path(), &base);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let (mut note, mut note_too) = (|progress| first.push(progress), |progress| second.push(progress));
    let both = futures::future::join(obtain(&sources, None, &mut note), obtain(&sources, None, &mut note_too)).await;
    assert_eq!(second, [Progress::Waiting(cache.path().join("v1.37.2"))]);
    let (first, second) = (
        both.0.unwrap_or_else(|f| panic!("{f}")),
        both.1.unwrap_or_else(|f| panic!("{f}")),
    );
    assert_eq!(first, second);
    assert_eq!(asked.lock().expect("because nobody panics with it").len(), 10);
}

#[tokio::test]
async fn a_half_written_cache_is_filled_anew() {
    let cache = folder();
    let (base, _) = serve(published());
    let version = cache.path().join("v1.37.2");
    std::fs::create_dir_all(&version).expect("because the folder can be written");
    for part in Part::ALL {
        std::fs::write(version.join(part.name()), "the").expect("because the folder can be written");
    }
    let cut = r#"{"version": 1, "size": 99, "of": "v1.37.2", "from": "x"}"#;
    std::fs::write(version.join("kube-apiserver.json"), cut).expect("because the folder can be written");
    let obtained = obtain(&sources(cache.path(), &base), None, &mut |_| {})
        .await
        .unwrap_or_else(|f| panic!("{f}"));
    for part in Part::ALL {
        assert_eq!(read(&obtained, part), format!("the {part} program"));
    }
}

#[tokio::test]
async fn a_wrong_checksum_stops_it() {
    let cache = folder();
    let mut files = published();
    let path = format!("/release/v1.37.2/bin/linux/{}/kube-apiserver", machine());
    files.insert(path.clone(), b"something else".to_vec());
    let (base, _) = serve(files);
    let failure = obtain(&sources(cache.path(), &base), None, &mut |_| {})
        .await
        .expect_err("because it is wrong");
    let (expected, got) = (sha256(b"the kube-apiserver program"), sha256(b"something else"));
    let message = format!(
        "Error: there is no throwaway control plane
  because: {base}{path} has the wrong checksum: expected sha256 {expected}, got {got}
  hint: nothing of it was kept; try again, and if it stays so do not trust what is between here and there
  hint: or name a folder that has the programs: --control-plane DIR"
    );
    assert_eq!(failure.to_string(), message);
    assert!(!cache.path().join("v1.37.2/kube-apiserver").exists());
}

#[tokio::test]
async fn no_go_no_network_no_cache() {
    let cache = folder();
    let base = closed();
    let failure = obtain(&sources(cache.path(), &base), None, &mut |_| {})
        .await
        .expect_err("because there is nothing");
    let machine = machine();
    let message = format!(
        "Error: there is no throwaway control plane: etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok could not be obtained
  because: cache: {cache}/v1.37.2 does not have them
  because: download: {base}/etcd-io/etcd/releases/download/v3.7.0/SHA256SUMS: Connection refused (os error 111)
  because: download: {base}/release/v1.37.2/bin/linux/{machine}/kube-apiserver.sha256: Connection refused (os error 111)
  because: download: {base}/release/v1.37.2/bin/linux/{machine}/kube-controller-manager.sha256: Connection refused (os error 111)
  because: download: {base}/release/v1.37.2/bin/linux/{machine}/kube-scheduler.sha256: Connection refused (os error 111)
  because: download: {base}/repos/kubernetes-sigs/kwok/releases/tags/v0.8.0: Connection refused (os error 111)
  because: build: go is not installed (there is none on PATH)
  hint: install Go 1.26 or newer (https://go.dev/dl): refloat then builds them, which takes minutes once
  hint: or run once with a network: they are downloaded and kept
  hint: or name a folder that has them: --control-plane DIR",
        cache = cache.path().display()
    );
    assert_eq!(failure.to_string(), message);
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_passed_over() {
    let not_a_folder = tempfile::NamedTempFile::new().expect("because a temporary file can be made");
    let (base, _) = serve(published());
    let mut warnings = Vec::new();
    let sources = sources(not_a_folder.path(), &base);
    let mut note = |progress| {
        if let Progress::Warning(warning) = progress {
            warnings.push(warning);
        }
    };
    let obtained = obtain(&sources, None, &mut note)
        .await
        .unwrap_or_else(|failure| panic!("{failure}"));
    let expected = format!(
        "{}/v1.37.2 cannot be written: Not a directory (os error 20); a temporary folder is used instead of the cache",
        not_a_folder.path().display()
    );
    assert_eq!(warnings, [expected]);
    let temporary = obtained.temporary.clone().expect("because the cache was passed over");
    assert!(
        obtained
            .programs
            .values()
            .all(|program| program.file.starts_with(&temporary))
    );
    std::fs::remove_dir_all(temporary).expect("because it is there");
}

#[cfg(unix)]
fn program(folder: &Path, name: &str, version: &str) {
    use std::os::unix::fs::PermissionsExt;
    let file = folder.join(name);
    std::fs::write(&file, format!("#!/bin/sh\necho Kubernetes {version}\n"))
        .expect("because the folder can be written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("because it is ours");
}

#[tokio::test]
async fn a_folder_gives_what_it_has_and_its_version() {
    let (cache, assets) = (folder(), folder());
    let mut files = published();
    for part in ["kube-controller-manager", "kube-scheduler"] {
        let path = format!("/release/v1.37.2/bin/linux/{}/{part}", machine());
        for end in ["", ".sha256"] {
            let file = files.remove(&format!("{path}{end}")).expect("because it is published");
            files.insert(format!("{path}{end}").replace("v1.37.2", "v1.36.3"), file);
        }
    }
    let (base, _) = serve(files);
    program(assets.path(), "kube-apiserver", "v1.36.3");
    program(assets.path(), "etcd", "no matter");
    let mut sources = sources(cache.path(), &base);
    sources.folder = Some(assets.path().to_owned());
    let obtained = obtain(&sources, None, &mut |_| {})
        .await
        .unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(obtained.version, "v1.36.3");
    assert_eq!(
        obtained.programs[&Part::KubeApiserver].file,
        assets.path().join("kube-apiserver")
    );
    assert_eq!(
        obtained.programs[&Part::KubeScheduler].file,
        cache.path().join("v1.36.3/kube-scheduler")
    );

    program(assets.path(), "kube-scheduler", "v1.37.2");
    let failure = obtain(&sources, None, &mut |_| {})
        .await
        .expect_err("because two minors do not go together");
    let message = format!(
        "Error: there is no throwaway control plane
  because: {} mixes minor versions: kube-apiserver is v1.36.3, kube-scheduler is v1.37.2
  hint: name a folder whose programs are of one minor version",
        assets.path().display()
    );
    assert_eq!(failure.to_string(), message);
}

#[tokio::test]
async fn a_folder_with_nothing_is_an_error() {
    let assets = folder();
    let sources = Sources {
        folder: Some(assets.path().to_owned()),
        ..Sources::default()
    };
    let failure = obtain(&sources, None, &mut |_| {})
        .await
        .expect_err("because it is empty")
        .to_string();
    let expected = format!(
        "Error: there is no throwaway control plane
  because: {} has none of etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok
  hint: name a folder that has some (--control-plane, KUBEBUILDER_ASSETS), or none: then they are obtained",
        assets.path().display()
    );
    assert_eq!(failure, expected);
}
