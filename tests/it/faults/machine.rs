//! A machine that lacks what a drill needs.

use std::path::Path;

use super::{many, normal};
use crate::control_plane::obtain::{closed, machine, published, serve, sha256};
use crate::support::run::refloat;

/// A drill on a machine with an empty cache, no Go, and this network.
fn drilled(place: &Path, cache: &Path, downloads: &str) -> String {
    let repo = place.join("repo");
    std::fs::create_dir_all(&repo).expect("because the folder is ours");
    std::fs::write(repo.join("a.yaml"), many("bank", 1)).expect("because the folder is ours");
    let run = refloat(["drill".into(), repo])
        .env("PATH", "/nonexistent")
        .env("XDG_CACHE_HOME", cache)
        .env("REFLOAT_DOWNLOADS", downloads)
        .env("TMPDIR", place);
    let ran = run.run();
    let said = format!("exit {}\n{}--\n{}", ran.code, ran.stderr, ran.stdout);
    let said = said
        .replace(&place.display().to_string(), "TMP")
        .replace(machine(), "MACHINE");
    let mut said = normal(&said);
    for (pattern, to) in [
        ("[0-9a-f]{64}", "SUM"),
        (r"(?m)^downloading .*\n", ""),
        (r"refloat-programs-\w+", "refloat-programs-x"),
        (r"\.making-\w+/\.tmp\w+", ".making-x"),
    ] {
        let pattern = regex::Regex::new(pattern).expect("because it is written right");
        said = pattern.replace_all(&said, to).into_owned();
    }
    said
}

fn place() -> tempfile::TempDir {
    tempfile::tempdir().expect("because a temporary folder can be made")
}

#[test]
fn no_go_no_network_and_no_cache() {
    let place = place();
    insta::assert_snapshot!(drilled(place.path(), &place.path().join("cache"), &closed()), @r#"
        exit 1
        download: http://SERVER/etcd-io/etcd/releases/download/v3.7.0/SHA256SUMS: Connection refused (os error 111); trying the next source
        download: http://SERVER/release/v1.37.2/bin/linux/MACHINE/kube-apiserver.sha256: Connection refused (os error 111); trying the next source
        download: http://SERVER/release/v1.37.2/bin/linux/MACHINE/kube-controller-manager.sha256: Connection refused (os error 111); trying the next source
        download: http://SERVER/release/v1.37.2/bin/linux/MACHINE/kube-scheduler.sha256: Connection refused (os error 111); trying the next source
        download: http://SERVER/repos/kubernetes-sigs/kwok/releases/tags/v0.8.0: Connection refused (os error 111); trying the next source
        Error: there is no throwaway control plane: etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok could not be obtained
          because: cache: TMP/cache/refloat/control-plane/v1.37.2 does not have them
          because: download: http://SERVER/etcd-io/etcd/releases/download/v3.7.0/SHA256SUMS: Connection refused (os error 111)
          because: download: http://SERVER/release/v1.37.2/bin/linux/MACHINE/kube-apiserver.sha256: Connection refused (os error 111)
          because: download: http://SERVER/release/v1.37.2/bin/linux/MACHINE/kube-controller-manager.sha256: Connection refused (os error 111)
          because: download: http://SERVER/release/v1.37.2/bin/linux/MACHINE/kube-scheduler.sha256: Connection refused (os error 111)
          because: download: http://SERVER/repos/kubernetes-sigs/kwok/releases/tags/v0.8.0: Connection refused (os error 111)
          because: build: go is not installed (there is none on PATH)
          hint: install Go 1.26 or newer (https://go.dev/dl): refloat then builds them, which takes minutes once
          hint: or run once with a network: they are downloaded and kept
          hint: or name a folder that has them: --control-plane DIR
        --
        "#);
}

#[test]
fn a_download_with_a_wrong_checksum() {
    let place = place();
    let mut files = published();
    let path = format!("/release/v1.37.2/bin/linux/{}/kube-apiserver", machine());
    files.insert(path, b"something else".to_vec());
    let (base, _) = serve(files);
    insta::assert_snapshot!(drilled(place.path(), &place.path().join("cache"), &base), @r#"
        exit 1
        Error: there is no throwaway control plane
          because: http://SERVER/release/v1.37.2/bin/linux/MACHINE/kube-apiserver has the wrong checksum: expected sha256 SUM, got SUM
          hint: nothing of it was kept; try again, and if it stays so do not trust what is between here and there
          hint: or name a folder that has the programs: --control-plane DIR
        --
        "#);
}

#[test]
fn programs_that_do_not_run_and_a_cache_that_cannot_be_written() {
    let place = place();
    let cache = place.path().join("cache");
    std::fs::write(&cache, "a file").expect("because the folder is ours");
    let (base, _) = serve(published());
    insta::assert_snapshot!(drilled(place.path(), &cache, &base), @r#"
        exit 1
        warning     TMP/cache/refloat/control-plane/v1.37.2 cannot be written: Not a directory (os error 20); a temporary folder is used instead of the cache
        starting etcd
        starting kube-apiserver
        Error: the throwaway control plane does not run
          because: etcd ended: TMP/refloat-programs-x/v1.37.2/etcd could not be started: Exec format error (os error 8)
        --
        "#);
    let left: Vec<_> = std::fs::read_dir(place.path())
        .expect("because it is there")
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[expect(clippy::disallowed_methods, reason = "a test mounts a small disk")]
fn mounted(command: &str, args: &[&str], place: &Path) -> bool {
    std::process::Command::new(command)
        .args(args)
        .arg(place)
        .status()
        .is_ok_and(|status| status.success())
}

#[test]
fn a_disk_that_is_full() {
    let disk = place();
    if !mounted("mount", &["-t", "tmpfs", "-o", "size=256k", "tmpfs"], disk.path()) {
        // Only root may mount. A cache that cannot be written is tested above for all.
        return;
    }
    let mut files = published();
    let path = format!("/release/v1.37.2/bin/linux/{}/kube-apiserver", machine());
    let big = vec![b'x'; 1 << 20];
    files.insert(format!("{path}.sha256"), sha256(&big).into_bytes());
    files.insert(path, big);
    let (base, _) = serve(files);
    let said = drilled(disk.path(), &disk.path().join("cache"), &base);
    assert!(mounted("umount", &[], disk.path()));
    insta::assert_snapshot!(said, @r#"
        exit 1
        warning     TMP/cache/refloat/control-plane/v1.37.2 cannot be written: No space left on device (os error 28) at path "TMP/cache/refloat/control-plane/v1.37.2/.making-x"; a temporary folder is used instead of the cache
        Error: there is no throwaway control plane: etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok could not be obtained
          because: TMP/refloat-programs-x/v1.37.2 cannot be written: No space left on device (os error 28) at path "TMP/refloat-programs-x/v1.37.2/.making-x"
          hint: make 500 MB of room, or set XDG_CACHE_HOME and TMPDIR to folders that have it
        --
        "#);
}

#[test]
fn a_cache_that_may_only_be_read() {
    let cache = place();
    if !mounted("mount", &["-t", "tmpfs", "-o", "ro", "tmpfs"], cache.path()) {
        // Only root may mount. A cache that cannot be written is tested above for all.
        return;
    }
    let place = place();
    let (base, _) = serve(published());
    let said = drilled(place.path(), cache.path(), &base);
    assert!(mounted("umount", &[], cache.path()));
    let said = said.replace(&cache.path().display().to_string(), "CACHE");
    insta::assert_snapshot!(said, @r#"
        exit 1
        warning     TMP/refloat/control-plane/v1.37.2 cannot be written: Read-only file system (os error 30); a temporary folder is used instead of the cache
        starting etcd
        starting kube-apiserver
        Error: the throwaway control plane does not run
          because: etcd ended: TMP/refloat-programs-x/v1.37.2/etcd could not be started: Exec format error (os error 8)
        --
        "#);
}
