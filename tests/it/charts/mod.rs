//! Charts from repositories and registries on loopback, and the records of releases, with Helm itself.

mod dependencies;
pub mod records;
pub mod registries;
mod rendering;
mod repositories;

use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use refloat::declared::helm::{ChartRef, ChartSource, Charts, Configuration, Credentials, NotObtained};
use sha2::{Digest, Sha256};

/// A word that must not be seen anywhere.
const CANARY: &str = "canary-7f3a";

/// A packed chart.
pub fn packed(name: &str, version: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let about = format!("apiVersion: v2\nname: {name}\nversion: {version}\nappVersion: \"1.0\"\n");
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in [("Chart.yaml", &*about)].iter().chain(more) {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("{name}/{path}"), text.as_bytes())
            .expect("memory takes it");
    }
    tar.into_inner().and_then(GzEncoder::finish).expect("memory takes it")
}

pub fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Charts that are kept in a folder; the machine's configuration lies in `HOME`, where there is one.
fn charts(cache: &Path, home: Option<&Path>) -> Charts {
    Charts::new(Some(cache.to_owned()), Vec::new(), configuration(home), false)
}

fn configuration(home: Option<&Path>) -> Configuration {
    Configuration::from_environment(|name| match name {
        "HOME" => home.map(|home| home.as_os_str().to_owned()),
        _ => None,
    })
}

fn http(url: &str, name: &str, version: &str) -> ChartRef {
    let credentials = Credentials::default();
    let source = ChartSource::Http {
        url: url.to_owned(),
        credentials,
    };
    reference(source, name, version)
}

fn reference(source: ChartSource, name: &str, version: &str) -> ChartRef {
    ChartRef {
        source,
        name: name.to_owned(),
        version: version.to_owned(),
        called: Vec::new(),
    }
}

/// An error, with the changing addresses of servers named.
fn told(error: &NotObtained, servers: &[(&str, &str)]) -> String {
    let mut text = format!("{}\n  hint: {}", error.cause, error.hint);
    assert!(!text.contains(CANARY), "{text}");
    for (address, name) in servers {
        text = text.replace(address, name);
    }
    text
}

/// Every file in a folder, with its content.
fn contents(folder: &Path) -> String {
    let mut all = String::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(at) = todo.pop() {
        for entry in std::fs::read_dir(at).into_iter().flatten().filter_map(Result::ok) {
            let path = entry.path();
            all.push_str(&format!("{}\n", path.display()));
            match path.is_dir() {
                true => todo.push(path),
                false => all.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default())),
            }
        }
    }
    all
}
