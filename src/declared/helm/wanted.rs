//! What is wanted and what is obtained: charts and artifacts.

use std::path::PathBuf;

use super::credentials::Credentials;

/// The layers of charts: `pkg/registry/constants.go` of Helm.
pub const CHART_LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
pub(super) const OLD_CHART_LAYER: &str = "application/tar+gzip";

/// A chart that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartRef {
    /// Where it is.
    pub source: ChartSource,
    /// Its name there.
    pub name: String,
    /// Version or range; empty: the newest release.
    pub version: String,
    /// Further names under which it may be given by hand: `REPOSITORY/NAME`, `NAMESPACE/NAME` of its Flux source.
    pub called: Vec<String>,
}

/// Where a chart is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChartSource {
    /// A repository with an `index.yaml`.
    Http {
        /// Its address.
        url: String,
        /// Those of its source; where they say nothing, Helm's own configuration is asked.
        credentials: Credentials,
    },
    /// A registry, in which the chart lies below an address.
    Oci {
        /// `oci://…`, to which the chart's name is added.
        url: String,
        /// Those of its source; where they say nothing, Helm's and Docker's configuration is asked.
        credentials: Credentials,
    },
    /// An artifact in a registry, as Flux's OCIRepository names it.
    Artifact(ArtifactRef),
    /// A folder or an archive on this machine.
    Given(PathBuf),
}

/// An OCI artifact that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactRef {
    /// `oci://…` of the artifact itself.
    pub url: String,
    /// Which one.
    pub reference: Reference,
    /// The media type of its layer; `None`: the first layer.
    pub layer: Option<String>,
    /// Those of its source; where they say nothing, Docker's configuration is asked.
    pub credentials: Credentials,
}

/// Which artifact of a repository: what `spec.ref` of an OCIRepository says, the first of these that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// `sha256:…`
    Digest(String),
    /// The newest tag in a range, of those that a regular expression fits.
    Range {
        /// `ref.semver`
        range: String,
        /// `ref.semverFilter`, or empty.
        filter: String,
    },
    /// A tag; `latest` where nothing is said.
    Tag(String),
}

/// A chart that was obtained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// An archive, or a folder where it was given as one.
    pub path: PathBuf,
    /// Its name in `Chart.yaml`.
    pub name: String,
    /// Its version in `Chart.yaml`.
    pub version: String,
    /// SHA-256 of its archive, hexadecimal; `None` for a folder.
    pub digest: Option<String>,
    /// Of an artifact, as Flux says it: `TAG@sha256:…`, or the digest alone.
    pub revision: Option<String>,
    /// What to tell about it.
    pub remarks: Vec<String>,
}

/// An artifact that was obtained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The file that its layer lies in.
    pub path: PathBuf,
    /// Its layer.
    pub content: Vec<u8>,
    /// As Flux says it: `TAG@sha256:…`, or the digest alone.
    pub revision: String,
}

/// A chart or artifact that was not obtained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotObtained {
    /// What and why: "the chart web ^1 of https://… is not at hand: …".
    pub cause: String,
    /// What would help.
    pub hint: String,
}
