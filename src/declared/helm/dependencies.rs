//! Charts that a chart in the repository needs and that are kept elsewhere: fetched as `helm dependency build` fetches them, into the
//! copy of the repository that is rendered.

use std::path::Path;

use serde_json::Value;

use super::charts::Charts;
use super::credentials::Credentials;
use super::wanted::{ChartRef, ChartSource, NotObtained};
pub use crate::declared::chart::Dependency;
use crate::declared::in_parallel;

impl Charts {
    /// Fetches those of a chart's dependencies that are missing into the `charts` folder of its copy on disk. `Chart.lock` says which
    /// version; those that lie in the repository itself (`file://…`) are not fetched.
    ///
    /// # Errors
    /// Every one that was not obtained.
    pub fn complete(&self, folder: &Path, missing: &[&Dependency]) -> Result<(), Vec<NotObtained>> {
        let lock = lock(folder);
        let elsewhere = |one: &&&Dependency| !one.repository.is_empty() && !one.repository.starts_with("file://");
        let missing: Vec<&Dependency> = missing.iter().filter(elsewhere).copied().collect();
        let fetched = in_parallel(&missing, |one| self.fetch(folder, one, &lock));
        let failed: Vec<NotObtained> = fetched.into_iter().filter_map(Result::err).collect();
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }

    fn fetch(&self, folder: &Path, one: &Dependency, lock: &[Value]) -> Result<(), NotObtained> {
        let locked = lock
            .iter()
            .find(|locked| locked["name"] == *one.name && locked["repository"] == *one.repository);
        let version = locked
            .and_then(|locked| locked["version"].as_str())
            .unwrap_or(&one.version);
        let fetched = self.get(&self.reference(one, version)?)?;
        let unwritten = |cause: std::io::Error| NotObtained {
            cause: format!("the chart {} could not be put into charts: {cause}", one.name),
            hint: "make room in the folder for temporary files".to_owned(),
        };
        let charts = folder.join("charts");
        std::fs::create_dir_all(&charts).map_err(unwritten)?;
        let own = charts.join(&one.name);
        if fetched.path.is_dir() {
            let linked = std::os::unix::fs::symlink(&fetched.path, &own);
            return linked
                .or_else(|cause| if own.is_dir() { Ok(()) } else { Err(cause) })
                .map_err(unwritten);
        }
        // Moved into place whole: several units may need the same chart of the repository.
        let part = tempfile::NamedTempFile::new_in(&charts).map_err(unwritten)?;
        std::fs::copy(&fetched.path, part.path()).map_err(unwritten)?;
        let name = format!("{}-{}.tgz", fetched.name, fetched.version);
        part.persist(charts.join(name))
            .map(|_| ())
            .map_err(|error| unwritten(error.error))
    }

    fn reference(&self, one: &Dependency, version: &str) -> Result<ChartRef, NotObtained> {
        let alias = one
            .repository
            .strip_prefix('@')
            .or_else(|| one.repository.strip_prefix("alias:"));
        let (url, called) = match alias {
            None => (one.repository.clone(), Vec::new()),
            Some(alias) => match self.configuration().named(alias) {
                Some(known) => (known.url, vec![format!("{alias}/{}", one.name)]),
                None => {
                    return Err(NotObtained {
                        cause: format!(
                            "the chart {} is of the repository {alias}, which Helm does not know here",
                            one.name
                        ),
                        hint: format!("helm repo add {alias} URL, or --chart {}=PATH", one.name),
                    });
                }
            },
        };
        let credentials = Credentials::default();
        let source = match url.starts_with("oci://") {
            true => ChartSource::Oci { url, credentials },
            false => ChartSource::Http { url, credentials },
        };
        Ok(ChartRef {
            source,
            name: one.name.clone(),
            version: version.to_owned(),
            called,
        })
    }
}

fn lock(folder: &Path) -> Vec<Value> {
    let read = |name: &str| std::fs::read(folder.join(name)).ok();
    let text = read("Chart.lock").or_else(|| read("requirements.lock"));
    let value = text
        .and_then(|text| kube_yaml::parse_one(&text).value.ok())
        .unwrap_or_default();
    value["dependencies"].as_array().cloned().unwrap_or_default()
}
