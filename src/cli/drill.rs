//! `refloat drill`.

use std::path::PathBuf;

use clap::Args;

use super::{Output, ReportArgs, RunArgs, SelectionArgs, SourceArgs};

/// What `refloat help drill` says first.
pub(super) const ABOUT: &str = "\
Rehearse: restore into a throwaway control plane on this machine\n\n\
Starts a real API server with its controllers and simulated nodes, restores \
into it, checks that every declared object is there and as declared and that \
a second restore changes nothing, prints the times, and stops it again. No \
cluster is touched, and nothing is called outside this machine.\n\n\
The times are those of the API: pulling images and bringing back volumes come \
on top in a real restore.";

/// Rehearse: restore into a throwaway control plane on this machine.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DrillArgs {
    /// What to rehearse.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Which part of it.
    #[command(flatten)]
    pub selection: SelectionArgs,

    /// Folder with etcd, kube-apiserver, kube-controller-manager,
    /// kube-scheduler and kwok [default: cached, else downloaded, else built
    /// with Go]
    #[arg(
        long,
        value_name = "DIR",
        env = "KUBEBUILDER_ASSETS",
        hide_env_values = true,
        help_heading = "Control plane"
    )]
    pub control_plane: Option<PathBuf>,

    /// KWOK Stages that simulate more: custom resources, slower pods; may be
    /// given more than once
    #[arg(long, value_name = "FILE", help_heading = "Control plane")]
    pub simulate: Vec<PathBuf>,

    /// Leave the control plane running and print how to reach it
    #[arg(long, help_heading = "Control plane")]
    pub keep: bool,

    /// How.
    #[command(flatten)]
    pub run: RunArgs,
    /// How it is told
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, help_heading = "Output")]
    pub output: Output,
    /// Where else it is told.
    #[command(flatten)]
    pub report: ReportArgs,
}

const AFTER_HELP: &str = "\
Examples:
  refloat drill fixtures/mobile-bank
  refloat drill ./gitops --path clusters/production --report drill.json
  refloat drill ./gitops --keep";
