//! `refloat render`.

use clap::{Args, ValueEnum};

use super::SourceArgs;
use crate::object::KubeVersion;

/// What `refloat help render` says first.
pub(super) const ABOUT: &str = "\
Print everything a repository declares, as manifests\n\n\
Kustomizations and charts are rendered. Values of Secrets are masked. Needs \
no cluster.";

/// Print everything a repository declares, as manifests.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct RenderArgs {
    /// What to render.
    #[command(flatten)]
    pub source: SourceArgs,

    /// The Kubernetes version that charts are rendered for, such as 1.37
    /// [default: the newest refloat knows]
    #[arg(long, value_name = "VERSION", help_heading = "Source")]
    pub kube_version: Option<KubeVersion>,

    /// Say for each object which file, line, unit and commit it comes from
    ///
    /// As comments in YAML; in JSON each line is then an object with the fields
    /// "provenance" and "object".
    #[arg(long, help_heading = "Output")]
    pub with_provenance: bool,

    /// Print the values of Secrets in clear
    #[arg(long, help_heading = "Output")]
    pub show_secrets: bool,

    /// How the manifests are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, help_heading = "Output")]
    pub output: RenderOutput,
}

/// How manifests are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum RenderOutput {
    /// One YAML stream, a document an object
    #[default]
    Yaml,
    /// One JSON object a line
    Json,
}

const AFTER_HELP: &str = "\
Examples:
  refloat render ./gitops --path charts/shop --values charts/shop/prod.yaml
  refloat render ./gitops --with-provenance | less
  refloat render ./gitops --output json | jq -r .kind | sort | uniq -c";
