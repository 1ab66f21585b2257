//! `refloat snapshot`.

use std::path::PathBuf;

use clap::Args;

use super::{Output, TargetArgs};

/// What `refloat help snapshot` says first.
pub(super) const ABOUT: &str = "\
Write down everything that is in a cluster\n\n\
Every object of every kind that can be listed, in full, with a table of \
contents and checksums: as an archive, or as a folder with a file an object. \
The same state gives the same bytes. It can be restored from and audited \
against. What cannot be read is named, and ends with exit code 3. Nothing is \
written to the cluster.\n\n\
Values of Secrets are left out, unless --encrypt-to says for whom to encrypt \
them. What is in volumes is in no snapshot.";

/// Write down everything that is in a cluster.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct SnapshotArgs {
    /// Of which.
    #[command(flatten)]
    pub target: TargetArgs,

    /// Where to: an archive if it ends in .tar.zst, else a folder
    ///
    /// Written whole or not at all; an older snapshot that is there is replaced.
    /// Only its owner may read it.
    #[arg(long = "out", short = 'o', value_name = "FILE|DIR", help_heading = "Snapshot")]
    pub to: PathBuf,

    /// Keep the values of Secrets, encrypted with SOPS for a key of age (age1...
    /// or an SSH public key); may be given more than once
    ///
    /// Encryption is new each time: the files of Secrets are then never the same
    /// bytes. --decryption-key opens them when the snapshot is read.
    #[arg(long, value_name = "AGE-RECIPIENT", help_heading = "Snapshot")]
    pub encrypt_to: Vec<String>,

    /// How it is told
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, help_heading = "Output")]
    pub output: Output,
}

const AFTER_HELP: &str = "\
Examples:
  refloat snapshot -o live.tar.zst --encrypt-to age1...
  refloat snapshot -o live/ && git diff --stat live/
  refloat restore live.tar.zst --decryption-key keys.txt --context new
  refloat audit live.tar.zst";
