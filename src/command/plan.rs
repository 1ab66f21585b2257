//! `refloat plan`: show what a restore would do, and why.

use super::console::{self, Console};
use super::declare;
use super::prepare::{self, Beside, Prepared};
use crate::cli::{Output, PlanArgs, PlanOutput};
use crate::error::{Exit, Failure};
use crate::object::{Facts, KubeVersion, builtin};
use crate::report;

pub(super) async fn run(args: &PlanArgs) -> Result<Exit, Failure> {
    let mut console = Console::new(Output::Human);
    let prepared = match args.kube_version {
        Some(version) => without_cluster(args, version, &mut console)?,
        None => {
            let without = "to plan without a cluster, name a version: --kube-version 1.37";
            let cluster = prepare::connect(&args.target)
                .await
                .map_err(|failure| failure.hint(without))?;
            let namespace = prepare::namespace(&args.source, &cluster);
            let mut options = prepare::plan_options(namespace, &args.selection, &args.change);
            prepare::prepare_rollback(&args.source, &args.rollback, &mut options, &cluster, &mut console).await?
        }
    };
    if let Some(object) = &args.why {
        console.pause();
        let node = report::named(&prepared.plan, object)?;
        console::data(|out| report::why(&prepared.plan, node, out));
        return Ok(Exit::Done);
    }
    let exit = show(&prepared, args.output, &mut console, args.verbose)?;
    declare::strict(&args.source, &prepared.set)?;
    Ok(exit)
}

fn without_cluster(args: &PlanArgs, version: KubeVersion, console: &mut Console) -> Result<Prepared, Failure> {
    let kinds = builtin::served_kinds(version);
    let namespace = args.source.namespace.as_deref().unwrap_or("default");
    let target = declare::Target {
        kinds: &kinds,
        version,
        namespace,
        cluster: None,
    };
    let set = declare::declare(&args.source, target, &mut |event| console.say(event))?;
    let options = prepare::plan_options(namespace, &args.selection, &args.change);
    let facts = Facts::of_a_new_cluster(version, kinds);
    prepare::planned(set, facts, Beside::default(), &options, console)
}

/// Prints a plan in the format asked for.
pub(super) fn show(
    prepared: &Prepared,
    output: PlanOutput,
    console: &mut Console,
    verbose: bool,
) -> Result<Exit, Failure> {
    let plan = &prepared.plan;
    match output {
        PlanOutput::Human => {
            prepared.tell_about(console);
            console::data(|out| {
                report::there(plan, &prepared.facts, out)?;
                report::tree(plan, verbose, out)
            });
            console.preflight(&plan.problems, &plan.notes, verbose);
        }
        PlanOutput::Json => {
            console::data(|out| report::json::plan(plan, &prepared.set.units, Some(prepared.about()), out));
        }
        PlanOutput::Dot => console::data(|out| report::dot(plan, out)),
    }
    Ok(report::exit_of(None, &plan.problems, &plan.notes))
}
