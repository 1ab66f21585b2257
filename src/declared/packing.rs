//! How source-controller packs a chart anew: with files that take the place of its own values, and a version that tells of changes. Pure.
//!
//! Source: source-controller (internal/controller/helmchart_controller.go: buildFromHelmRepository, buildFromTarballArtifact;
//! internal/helm/chart/builder_local.go, builder_remote.go).

use serde_json::Value;

use super::flux::{Root, SourceRef};
use super::helm::{Files, Values, Version, merge, parse};
use super::releases::Unready;
use crate::object::ObjectId;

/// Files with values, and whether they may be missing.
pub(super) type ValuesFiles = (Vec<String>, bool);

/// The generation of a HelmChart that nobody has changed since it was made.
const FIRST_GENERATION: &str = "1";
/// Digits of a commit in a version.
const SHORT: usize = 12;

/// What is done to a chart.
#[derive(Debug, Clone, Default)]
pub(super) struct Packing {
    values_files: ValuesFiles,
    /// What the version carries of its source's revision, where it carries that; why it is not known.
    revision: Option<Result<String, String>>,
    /// The HelmChart by which it is packed.
    by: Option<ObjectId>,
}

/// What a version carries of the revision of a source: the commit, shortened.
pub(super) fn revision(source: &SourceRef, root: &Root<'_>) -> Result<String, String> {
    let commit = root.commit.as_deref().filter(|_| source.is_git());
    let short = commit.and_then(|commit| commit.get(..SHORT)).map(str::to_owned);
    short.ok_or_else(|| {
        format!("the version of its chart carries the revision of {source} (reconcileStrategy: Revision), which is not known")
    })
}

impl Packing {
    pub fn new(values_files: ValuesFiles, revision: Option<Result<String, String>>, by: ObjectId) -> Self {
        Self {
            values_files,
            revision,
            by: Some(by),
        }
    }

    /// Whether the chart stays as it is.
    pub fn is_none(&self) -> bool {
        self.values_files.0.is_empty() && self.revision.is_none()
    }

    /// The HelmChart whose generation is in the version.
    pub fn by_generation(&self) -> Option<&ObjectId> {
        self.by.as_ref().filter(|_| !self.values_files.0.is_empty())
    }

    /// Why the version is not known, if so.
    pub fn unknown(&self) -> Option<&str> {
        self.revision.as_ref()?.as_ref().err().map(String::as_str)
    }

    /// Packs a chart anew; `read` reads values files.
    ///
    /// # Errors
    /// Says what is wrong with the chart, or with a values file.
    pub fn repack(&self, files: &mut Files, read: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<(), Unready> {
        self.set_values(files, read)?;
        let revision = self.revision.iter().flatten().map(String::as_str);
        let generation = self.by_generation().map(|_| FIRST_GENERATION);
        let metadata: Vec<&str> = revision.chain(generation).collect();
        if metadata.is_empty() {
            return Ok(());
        }
        let about = files.get("Chart.yaml").unwrap_or_default();
        let about = kube_yaml::parse_one(about).value.unwrap_or_default();
        let own = about["version"].as_str().unwrap_or_default();
        let version = Version::parse(own).ok_or_else(|| (format!("the version {own:?} of its chart is none"), None))?;
        set_version(files, &version.with_metadata(&metadata.join(".")).to_string());
        Ok(())
    }

    /// Puts values files in the place of a chart's own values, later ones over earlier ones.
    fn set_values(&self, files: &mut Files, read: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<(), Unready> {
        let (names, may_be_missing) = &self.values_files;
        if names.is_empty() {
            return Ok(());
        }
        let mut values = Values::new();
        for name in names {
            match read(name) {
                Some(text) => {
                    let more = parse(&text).map_err(|why| (format!("its values file {name}: {why}"), None))?;
                    values = merge(values, more);
                }
                None if *may_be_missing => {}
                None => return Err((format!("there is no values file {name}"), None)),
            }
        }
        let text = kube_yaml::to_string(&Value::Object(values));
        files.0.insert("values.yaml".to_owned(), text.into_bytes());
        Ok(())
    }
}

/// Gives a chart another version.
pub(super) fn set_version(files: &mut Files, version: &str) {
    let about = files.get("Chart.yaml").unwrap_or_default();
    if let Ok(mut about) = kube_yaml::parse_one(about).value {
        about["version"] = version.into();
        let text = kube_yaml::to_string(&about);
        files.0.insert("Chart.yaml".to_owned(), text.into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_tells_of_values_files_and_of_the_revision() {
        let by = || ObjectId::new("source.toolkit.fluxcd.io", "HelmChart", Some("flux"), "shop-web");
        let values = || (vec!["prod.yaml".to_owned()], false);
        let commit = || Some(Ok("0123456789ab".to_owned()));
        for (own, packing, expected) in [
            ("1.4.2", Packing::new(values(), None, by()), "1.4.2+1"),
            ("v1.4", Packing::new(values(), None, by()), "1.4.0+1"),
            ("1.4.2", Packing::new(values(), commit(), by()), "1.4.2+0123456789ab.1"),
            (
                "1.4.2",
                Packing::new(Default::default(), commit(), by()),
                "1.4.2+0123456789ab",
            ),
            ("1.4.2+x", Packing::new(values(), None, by()), "1.4.2+1"),
            ("1.4", Packing::new(Default::default(), None, by()), "1.4"),
            // What is not known is said elsewhere.
            (
                "1.4",
                Packing::new(Default::default(), Some(Err("why".to_owned())), by()),
                "1.4",
            ),
        ] {
            let about = format!("name: web\nversion: {own:?}\n");
            let mut files = Files([("Chart.yaml".to_owned(), about.into_bytes())].into());
            let packed = packing.repack(&mut files, &|_| Some(b"a: 1\n".to_vec()));
            assert_eq!(packed, Ok(()), "{own}");
            let about = kube_yaml::parse_one(files.get("Chart.yaml").unwrap_or_default()).value;
            assert_eq!(about.unwrap_or_default()["version"], expected, "{own}");
        }
        let mut files = Files([("Chart.yaml".to_owned(), b"version: latest\n".to_vec())].into());
        let packed = Packing::new(values(), None, by()).repack(&mut files, &|_| Some(Vec::new()));
        assert_eq!(
            packed,
            Err(("the version \"latest\" of its chart is none".to_owned(), None))
        );
    }
}
