//! `refloat export`: what was done by hand, as a change of the repository.

mod applied;
mod deliver;
mod preview;
mod rehearse;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use sops::sealed::Certificate;
use tokio::runtime::Handle;
use tokio::task::{self, JoinError};

use super::audit::{Asked, Audit, Place, audit};
use super::audit_log;
use super::choose::choose;
use super::console::{self, Console};
use super::prepare;
use crate::audit::Finding;
use crate::cli::{ExportArgs, Output};
use crate::cluster::{Cleaned, Cluster, CompareOptions};
use crate::declared::{self, Dialect};
use crate::error::{Exit, Failure, Kind};
use crate::event::Event;
use crate::export::{self, Changeset, Choice, Intent, Ways};
use crate::object::{DeclaredSet, ObjectId, resolve};
use crate::report::{self, About, Delivered, Exported};
use crate::source;

/// Exports. Until something is written, Ctrl-C ends it at once; what is being written is written to its end.
pub(super) async fn run(args: Box<ExportArgs>) -> Result<Exit, Failure> {
    let turn = Arc::new(Turn::default());
    let (handle, its) = (Handle::current(), Arc::clone(&turn));
    // On a thread of its own: while it reads and renders, it hears nothing.
    let mut work = task::spawn_blocking(move || handle.block_on(export(&args, &its)));
    tokio::select! {
        done = &mut work => return ended(done),
        _ = tokio::signal::ctrl_c() => {}
    }
    if turn.take() {
        return Err(interrupted());
    }
    console::talk(|err| {
        let text = "Interrupted: what is being written is written to its end; Ctrl-C again stops at once.";
        writeln!(err, "{text}")
    });
    tokio::select! {
        done = work => ended(done),
        _ = tokio::signal::ctrl_c() => {
            Err(Failure::new(Kind::Interrupted, "the change may be written in part")
                .because("it was interrupted while it was being written")
                .hint("what is done stands above; the same command again does all of it"))
        }
    }
}

/// Taken once: by the first write, or by an interruption before it.
#[derive(Default)]
struct Turn(AtomicBool);

impl Turn {
    /// Whether nobody took it before.
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }
}

fn interrupted() -> Failure {
    Failure::new(Kind::Interrupted, "nothing was written: the export was interrupted")
}

fn ended(done: Result<Result<Exit, Failure>, JoinError>) -> Result<Exit, Failure> {
    done.unwrap_or_else(|_| Err(Failure::new(Kind::Internal, "the export broke off")))
}

async fn export(args: &ExportArgs, turn: &Turn) -> Result<Exit, Failure> {
    let mut console = Console::new(Output::Human);
    let choice = choice(args)?;
    let certificate = args.sealed_secrets_cert.as_deref().map(certificate).transpose()?;
    let logs = audit_log::open(&args.audit_log)?;
    let cluster = prepare::connect(&args.target).await?;
    let (audited, set) = look(args, &cluster, logs, &mut console).await?;
    let chosen = chosen(&choice, &audited)?;
    let wanted = export::wanted(&chosen, &set);
    console.say(&Event::Progress(format!(
        "reading {}",
        report::count(wanted.len(), "object")
    )));
    let (cleaned, gaps) = cluster.clean(&audited.start.kinds, &wanted).await;
    let chosen = match args.interactive {
        false => chosen,
        true => match task::block_in_place(|| ask(&chosen, &cleaned, &mut console))? {
            Some(chosen) => chosen,
            None => {
                console::talk(|err| writeln!(err, "Nothing was exported."));
                return Ok(Exit::Done);
            }
        },
    };
    let (applied, not_asked) = applied::applied(&args.source, &audited, &set, &cluster, &mut console).await;
    let ways = Ways {
        named: !args.only.is_empty(),
        seal: certificate.as_ref(),
        encrypt: export::says_for_whom(&audited.tree),
        applied: Some(&applied),
    };
    let intent = export::intend(&chosen, &set, &cleaned, ways);
    console.say(&Event::Progress("finding the places in the repository".to_owned()));
    let made = task::block_in_place(|| place(args, &audited, &set, &intent, (&cleaned, certificate.as_ref())))?;
    let rehearsed = match args.verify_in_drill && !made.files.is_empty() {
        true => Some(rehearse::rehearse(&audited, &intent, &made, &cleaned, &mut console).await?),
        false => None,
    };
    let gaps = [&*audited.gaps, &gaps, &not_asked].concat();
    let exported = Exported {
        about: about(&set, &cluster),
        findings: &chosen,
        others: audited.start.findings.findings.len() - chosen.len(),
        intent: &intent,
        made: &made,
        rehearsed: rehearsed.as_ref(),
        gaps: &gaps,
    };
    tell(args, &exported, &mut console);
    let mut delivered = Delivered::default();
    let repository = (&audited.tree, &audited.options.keys);
    let ended = task::block_in_place(|| deliver::deliver(args, repository, &set, &exported, turn, &mut delivered));
    if let Some(file) = &args.report {
        exported.write(&delivered, file)?;
    }
    ended?;
    // What cannot be read is not known to be as it is live.
    match exported.is_whole() && !set.has_errors() {
        true => Ok(Exit::Done),
        false => Ok(Exit::LookAt),
    }
}

/// What an audit finds, and what the repository declares as it has it: the audit knows objects under the versions that the cluster
/// serves.
async fn look(
    args: &ExportArgs,
    cluster: &Cluster,
    logs: Vec<audit_log::Lines>,
    console: &mut Console,
) -> Result<(Audit, DeclaredSet), Failure> {
    let place = Place::new(&args.source, &args.past, cluster);
    let asked = Asked {
        compare: CompareOptions {
            dry_run: !args.no_dry_run,
        },
        kubeconfig: args.target.kubeconfig.clone(),
        follow: false,
    };
    let audited = audit(&asked, &place, logs, console).await?;
    if audited.start.basis.set.entry.dialect == Dialect::Snapshot.label() {
        return Err(Failure::new(Kind::Usage, "nothing was exported")
            .because("this is a snapshot of what was live, and no repository")
            .hint("give the repository; `refloat diff` compares the cluster with the snapshot"));
    }
    console.preflight(&audited.start.basis.set.problems, &[], true);
    let set = task::block_in_place(|| declared::load(&audited.tree, &audited.options))?;
    let set = resolve(set, &audited.start.kinds, place.namespace());
    Ok((audited, set))
}

fn place(
    args: &ExportArgs,
    audited: &Audit,
    set: &DeclaredSet,
    intent: &Intent,
    (cleaned, seal): (&BTreeMap<ObjectId, Cleaned>, Option<&Certificate>),
) -> Result<Changeset, Failure> {
    let options = export::Options {
        edit_rendered: args.edit_rendered,
        seal,
    };
    let mut made = export::place(&audited.tree, &audited.options, set, &intent.changes, options)?;
    export::lay_aside(&audited.tree, set, intent, cleaned, &mut made);
    Ok(made)
}

fn tell(args: &ExportArgs, exported: &Exported<'_>, console: &mut Console) {
    console.pause();
    for gap in exported.gaps {
        console.say(&Event::Warned(format!("{}: {}", gap.what, gap.reason)));
    }
    console.pause();
    let bare = args.patch.as_deref().is_some_and(deliver::is_stdout);
    match bare {
        true => console::talk(|err| exported.human(err)),
        false => console::data(|out| exported.human(out)),
    }
}

/// The certificate of the controller of SealedSecrets, if it is still good.
fn certificate(file: &Path) -> Result<Certificate, Failure> {
    let failed = |why: String| {
        Failure::new(
            Kind::Input,
            "nothing was exported: --sealed-secrets-cert cannot be used",
        )
        .because(format!("{}: {why}", file.display()))
        .hint("`kubeseal --fetch-cert` gives the one that is in use")
    };
    let pem = std::fs::read(file).map_err(|cause| failed(cause.to_string()))?;
    let certificate = Certificate::read(&pem).map_err(|error| failed(error.to_string()))?;
    match certificate.valid_until() < SystemTime::now() {
        true => Err(failed("it is out of date".to_owned())),
        false => Ok(certificate),
    }
}

/// Those that the operator wants; `None`: nothing is to happen.
fn ask<'a>(
    findings: &[&'a Finding],
    cleaned: &BTreeMap<ObjectId, Cleaned>,
    console: &mut Console,
) -> Result<Option<Vec<&'a Finding>>, Failure> {
    console.pause();
    let asked = choose(
        findings,
        cleaned,
        &mut std::io::stdin().lock(),
        &mut std::io::stderr().lock(),
    );
    let asked = asked.map_err(|cause| Failure::new(Kind::Io, "nothing was exported").because(cause))?;
    let chosen = findings.iter().zip(asked).filter(|(_, yes)| *yes);
    let chosen: Vec<&Finding> = chosen.map(|(one, _)| *one).collect();
    Ok(Some(chosen).filter(|chosen| !chosen.is_empty()))
}

fn choice(args: &ExportArgs) -> Result<Choice, Failure> {
    let verdicts = match args.verdict.is_empty() {
        true => export::VERDICTS.iter().map(|name| (*name).to_owned()).collect(),
        false => args.verdict.clone(),
    };
    Ok(Choice {
        verdicts,
        only: args.only.clone(),
        except: args.except.clone(),
        since: args.since.as_deref().map(source::parse_since).transpose()?,
        by: args.by.clone(),
    })
}

/// The findings that are exported.
fn chosen<'a>(choice: &Choice, audited: &'a Audit) -> Result<Vec<&'a Finding>, Failure> {
    let live = &audited.start.live.objects;
    let findings = audited.start.findings.findings.iter();
    let findings = findings.map(|finding| (finding, live.get(&finding.id).map(|live| &**live)));
    let unused = choice.unused(findings.clone());
    if !unused.is_empty() {
        let failure = Failure::new(Kind::Usage, "nothing was exported");
        let failure = unused.iter().fold(failure, |failure, term| {
            failure.because(format!("no finding matches {term}"))
        });
        return Err(failure.hint("`refloat audit` lists the findings"));
    }
    Ok(findings
        .filter(|(finding, live)| choice.takes(finding, *live))
        .map(|(finding, _)| finding)
        .collect())
}

fn about<'a>(set: &'a DeclaredSet, cluster: &'a Cluster) -> About<'a> {
    About {
        repository: &set.repository,
        entry: &set.entry,
        unreached: set.unreached,
        context: Some(cluster.context()),
    }
}
