//! `refloat snapshot`: everything that is in a cluster, as files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::console::{self, Console};
use super::prepare;
use crate::archive;
use crate::audit;
use crate::cli::{Output, SnapshotArgs};
use crate::cluster::{Cluster, Listable, Whole};
use crate::error::{Exit, Failure, Kind};
use crate::event::Event;
use crate::object::{LiveSet, ObjectId, Standing};
use crate::report::{self, Taken};
use crate::snapshot::{self, Of, Piece, Seal};

/// Endings of archives that are not written: a folder of such a name is not what is wanted.
const OTHER_ARCHIVES: [&str; 8] = ["tar", "tgz", "gz", "zst", "zip", "xz", "bz2", "7z"];

pub(super) async fn run(args: &SnapshotArgs) -> Result<Exit, Failure> {
    let mut console = Console::new(args.output);
    let packed = is_packed(&args.to)?;
    if !packed {
        archive::check(&args.to, &snapshot::TOP)?;
    }
    let seal = seal(&args.encrypt_to)?;
    let cluster = prepare::connect(&args.target).await?;
    console.say(&Event::Progress("asking the cluster what it serves".to_owned()));
    let found = cluster.listable().await?;
    console.say(&Event::Progress("reading what is live".to_owned()));
    let whole = read(&cluster, &found, seal).await;
    let standings = standings(&whole, cluster.release());
    let of = Of {
        version: cluster.version(),
        kinds: &found.kinds,
        listed: &whole.listed,
        gaps: &whole.gaps,
        recipients: &args.encrypt_to,
    };
    let count = |is: fn(&Standing) -> bool| standings.values().filter(|standing| is(standing)).count();
    let mut taken = Taken {
        to: &args.to.display().to_string(),
        size: None,
        context: cluster.context(),
        version: cluster.version(),
        objects: whole.objects.len(),
        owned: count(|standing| matches!(standing, Standing::Owned(_))),
        built_in: count(|standing| matches!(standing, Standing::BuiltIn(_))),
        kinds: whole.listed.len(),
        secrets: whole.objects.values().filter(|piece| piece.values.is_some()).count(),
        recipients: &args.encrypt_to,
        gaps: &whole.gaps,
    };
    console.say(&Event::Progress(format!("writing {}", taken.to)));
    let files = snapshot::files(&of, whole.objects, &standings)
        .map_err(|cause| Failure::new(Kind::Internal, "no snapshot was written").because(cause))?;
    match packed {
        true => taken.size = Some(archive::pack(&files, &args.to)?),
        false => archive::lay_out(&files, &args.to)?,
    }
    console.pause();
    console::data(|out| match args.output {
        Output::Human => taken.human(out),
        Output::Json => report::json::snapshot(&taken, out),
    });
    Ok(match taken.gaps {
        [] => Exit::Done,
        _ => Exit::LookAt,
    })
}

/// Reads every object of a cluster; values of secrets are encrypted, or left out.
async fn read(cluster: &Cluster, found: &Listable, seal: Option<Seal>) -> Whole<Piece> {
    let own = &cluster.context().namespace;
    let namespaces: BTreeSet<String> = Some(own.clone()).filter(|name| !name.is_empty()).into_iter().collect();
    let make: crate::cluster::Make<Piece> =
        Arc::new(move |at, id, value| Piece::new(&at.name(), id, value, seal.as_ref()));
    cluster.read_all(found, &namespaces, &make).await
}

/// What is not somebody's own.
fn standings(whole: &Whole<Piece>, release: &str) -> BTreeMap<ObjectId, Standing> {
    let objects = whole.objects.iter();
    let live = LiveSet {
        objects: objects
            .map(|(id, piece)| (id.clone(), Box::new(piece.object.clone())))
            .collect(),
        listed: whole.listed.clone(),
        ..LiveSet::default()
    };
    audit::standings(&live, release)
}

fn is_packed(to: &Path) -> Result<bool, Failure> {
    let name = to.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    let name = name.unwrap_or_default();
    if name.ends_with(archive::EXTENSION) {
        return Ok(true);
    }
    match name.rsplit_once('.') {
        Some((_, ending)) if OTHER_ARCHIVES.contains(&ending) => {
            Err(Failure::new(Kind::Usage, "no snapshot was taken")
                .because(format!("no archive is written that ends in .{ending}"))
                .hint(format!("let it end in {}, or name a folder", archive::EXTENSION)))
        }
        _ => Ok(false),
    }
}

fn seal(recipients: &[String]) -> Result<Option<Seal>, Failure> {
    if recipients.is_empty() {
        return Ok(None);
    }
    Seal::new(recipients).map(Some).map_err(|cause| {
        Failure::new(Kind::Usage, "no snapshot was taken: --encrypt-to cannot be used")
            .because(cause)
            .hint("give the public key of an age identity, age1..., or an SSH public key")
    })
}
