//! `refloat restore`: everything a repository declares, into a cluster.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::console::Console;
use super::prepare::{self, Prepared};
use super::{declare, engines, plan, right_cluster, rollback};
use crate::cli::{Output, PlanOutput, RestoreArgs, RunArgs};
use crate::cluster::{Cluster, Lease, LeaseRefused};
use crate::engine;
use crate::error::{Exit, Failure, Kind};
use crate::event::{Event, Summary};
use crate::object::{ExistingChange, ExistingObject, ObjectId, Readiness, RestoreRecord};
use crate::plan::{Mode, NoteKind, Plan, PlanOptions};
use crate::report;

/// Giving the Lease back must not hold up the prompt where the server is gone.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn run(args: &RestoreArgs) -> Result<Exit, Failure> {
    let mut console = Console::new(args.output);
    engines::check_mode(args)?;
    let cluster = prepare::connect(&args.target).await?;
    let mut options = PlanOptions {
        forgets: args.right.no_lease,
        ..prepare::plan_options(
            prepare::namespace(&args.source, &cluster),
            &args.selection,
            &args.change,
        )
    };
    let mut prepared =
        prepare::prepare_rollback(&args.source, &args.rollback, &mut options, &cluster, &mut console).await?;
    if args.dry_run {
        let output = if args.output == Output::Json {
            PlanOutput::Json
        } else {
            PlanOutput::Human
        };
        return plan::show(&prepared, output, &mut console, args.report.verbose);
    }
    prepared.tell_about(&mut console);
    console.preflight(&prepared.plan.problems, &prepared.plan.notes, args.report.verbose);
    declare::strict(&args.source, &prepared.set)?;
    let record = declare::record(&prepared.set);
    right_cluster::check(args, &prepared.facts, &record)?;
    if !args.rollback.suspend_engines {
        engines::refuse(&prepared.set, &prepared.facts)?;
    }
    rollback::confirm(args, &prepared)?;
    if holds_back(&prepared.plan) && !args.right.yes && old_cluster_is_gone() {
        options.old_cluster_is_gone = true;
        prepared.plan_again(&options)?;
    }
    if options.mode == Mode::Engine && !options.old_cluster_is_gone {
        engines::refuse_to_let_go(&prepared.plan)?;
    }
    let lease = if args.right.no_lease {
        None
    } else {
        Some(take_lease(&cluster, &record).await?)
    };
    // What another run did while this one was asked about.
    if let Some(done) = lease
        .as_ref()
        .map(Lease::done)
        .filter(|done| *done != prepared.facts.ran)
    {
        prepared.facts.ran = done;
        prepared.plan_again(&options)?;
    }
    let walked = walk(
        &prepared,
        &cluster,
        &args.run,
        args.source.strict,
        lease.as_ref(),
        &mut console,
    )
    .await;
    give_back(lease, &mut console).await;
    let summary = walked?;
    if let Some(file) = &args.report.report {
        prepared.report(&summary, None).write(file)?;
    }
    Ok(report::exit_of(
        Some(&summary),
        &prepared.plan.problems,
        &prepared.plan.notes,
    ))
}

fn holds_back(plan: &Plan) -> bool {
    plan.notes.iter().any(|note| note.kind == NoteKind::ActsOutside)
}

/// Asks on a terminal; elsewhere the answer is no.
fn old_cluster_is_gone() -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    let mut err = io::stderr().lock();
    let asked = err
        .write_all(b"\nIs the old cluster gone for good, so that this one may act on the outside world? Type yes to let go what is held back: ")
        .and_then(|()| err.flush());
    let mut answer = String::new();
    asked.and_then(|()| io::stdin().lock().read_line(&mut answer)).is_ok() && answer.trim() == "yes"
}

/// Gives the Lease back; where that fails, it is said.
pub(super) async fn give_back(lease: Option<Lease>, console: &mut Console) {
    let Some(lease) = lease else { return };
    let given_back = tokio::time::timeout(RELEASE_TIMEOUT, lease.release())
        .await
        .unwrap_or_else(|_| Err(LeaseRefused::Failed("the server does not answer".to_owned())));
    if let Err(refused) = given_back {
        console.say(&Event::Warned(format!(
            "the Lease was not given back and expires by itself: {refused}"
        )));
    }
}

pub(super) async fn take_lease(cluster: &Cluster, record: &RestoreRecord) -> Result<Lease, Failure> {
    let holder = format!("{}-{}", who(), std::process::id());
    Lease::acquire(cluster, &holder, record, false)
        .await
        .map_err(|refused| match &refused {
            LeaseRefused::Held { .. } => Failure::new(Kind::Cluster, "nothing was changed: only one restore at a time")
                .because(&refused)
                .hint("wait for it to end; if it died, its Lease kube-system/refloat is free after 15 s"),
            _ => Failure::new(
                Kind::Cluster,
                "nothing was changed: the Lease kube-system/refloat, which keeps two restores apart, could not be taken",
            )
            .because(&refused)
            .hint("make sure that nobody else restores into this cluster, and give --no-lease"),
        })
}

/// Who holds the Lease, for others to read: the user name and the host's.
fn who() -> String {
    let user = std::env::var("USER").unwrap_or_else(|_| "refloat".to_owned());
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    match host.trim() {
        "" => user,
        host => format!("{user}@{host}"),
    }
}

/// Runs a plan, telling what happens; Ctrl-C finishes what is in flight, a second one stops at once.
pub(super) async fn walk(
    prepared: &Prepared,
    cluster: &Cluster,
    run: &RunArgs,
    strict: bool,
    lease: Option<&Lease>,
    console: &mut Console,
) -> Result<Summary, Failure> {
    let version = |(id, existing): (&ObjectId, &ExistingObject)| (id.clone(), existing.resource_version.clone());
    let existing = &prepared.facts.existing;
    let same = existing
        .iter()
        .filter(|(_, one)| one.change == Some(ExistingChange::None));
    let options = engine::Options {
        as_declared: same.map(|(id, _)| id.clone()).collect(),
        concurrency: run.concurrency.get(),
        timeout: run.timeout,
        soft_wait: run.soft_wait,
        strict,
        known: existing.iter().map(version).collect(),
        ..engine::Options::default()
    };
    run_plan(&prepared.plan, cluster, options, lease, console).await
}

/// What an event says is done and not to be done again: a Job, a hook whose object goes.
fn done<'p>(plan: &'p Plan, event: &Event) -> Option<&'p ObjectId> {
    match event {
        Event::Done { step } => plan.step(*step).map(|step| &step.id),
        Event::Settled { step, outcome, .. } if outcome.readiness == Readiness::Current => {
            let id = &plan.step(*step)?.id;
            id.is("batch", "Job").then_some(id)
        }
        _ => None,
    }
}

/// Likewise, of any plan.
pub(super) async fn run_plan(
    plan: &Arc<Plan>,
    cluster: &Cluster,
    options: engine::Options,
    lease: Option<&Lease>,
    console: &mut Console,
) -> Result<Summary, Failure> {
    let (interrupt, interrupts) = mpsc::channel(2);
    let listening = tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if interrupt.send(()).await.is_err() {
                return;
            }
        }
    });
    let lost = async {
        match lease {
            Some(lease) => lease.lost().await,
            None => std::future::pending().await,
        }
    };
    let ended = engine::run(Arc::clone(plan), cluster, options, interrupts, lost, |event| {
        if let (Some(lease), Some(id)) = (lease, done(plan, &event)) {
            lease.note_done(id);
        }
        console.event(plan, &event);
    })
    .await;
    listening.abort();
    console.pause();
    ended
}
