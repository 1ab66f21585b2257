//! `refloat drill`: rehearse a restore in a throwaway control plane.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::console::{self, Console};
use super::prepare::{self, Beside, Prepared};
use super::{declare, restore, verify};
use crate::cli::{ChangeArgs, DrillArgs, ModeArg};
use crate::cluster::{Cluster, ConnectOptions, FactsOptions};
use crate::control_plane::{self, ControlPlane, Sources};
use crate::error::{Exit, Failure, Kind};
use crate::event::{Event, Summary};
use crate::object::{GroupKind, Readiness};
use crate::plan::{self, PlanOptions};
use crate::report::{self, Verified};

pub(super) async fn run(args: &DrillArgs) -> Result<Exit, Failure> {
    let mut console = Console::new(args.output);
    let options = control_plane::Options {
        sources: Sources::from_environment(args.control_plane.clone(), |name| std::env::var_os(name)),
        simulate: args.simulate.clone(),
        ..control_plane::Options::default()
    };
    let plane = start(&options, &mut console).await?;
    let drilled = tokio::select! {
        drilled = rehearse(args, &plane, &mut console) => drilled,
        broken = plane.until_broken() => Err(broken),
    };
    console.pause();
    if args.keep {
        let kept = plane.keep().await?;
        let kubeconfig = kept.kubeconfig.display();
        let text = format!(
            "the control plane is left running:\n  export KUBECONFIG={kubeconfig}\nto stop it:\n  {}",
            kept.stop_command
        );
        console.say(&Event::Said(text));
    } else {
        plane.stop().await;
    }
    drilled
}

/// Starts a control plane, telling how far it is.
pub(super) async fn start(options: &control_plane::Options, console: &mut Console) -> Result<ControlPlane, Failure> {
    let mut last = String::new();
    let mut tell = |progress: control_plane::Progress| {
        let text = progress.to_string();
        if text == last {
            return;
        }
        last.clone_from(&text);
        console.say(&match progress {
            control_plane::Progress::Warning(_) => Event::Warned(text),
            _ => Event::Progress(text),
        });
    };
    control_plane::start(options, &mut tell).await
}

/// The cluster that a control plane is.
pub(super) async fn connect(plane: &ControlPlane) -> Result<Cluster, Failure> {
    let connect = ConnectOptions {
        kubeconfig_text: Some(plane.kubeconfig().to_owned()),
        ..ConnectOptions::default()
    };
    Cluster::connect(connect).await
}

async fn rehearse(args: &DrillArgs, plane: &ControlPlane, console: &mut Console) -> Result<Exit, Failure> {
    let cluster = connect(plane).await?;
    // Nothing in a throwaway control plane reaches the outside world.
    let change = ChangeArgs {
        mode: ModeArg::Direct,
        old_cluster_is_gone: true,
        recreate: false,
    };
    let options = PlanOptions {
        played: Some(played(&args.simulate)?),
        ..prepare::plan_options(prepare::namespace(&args.source, &cluster), &args.selection, &change)
    };
    let prepared = prepare::prepare(&args.source, &options, &cluster, console).await?;
    prepared.tell_about(console);
    console.preflight(&prepared.plan.problems, &prepared.plan.notes, args.report.verbose);
    declare::strict(&args.source, &prepared.set)?;
    let summary = restore::walk(&prepared, &cluster, &args.run, args.source.strict, None, console).await?;
    let restored = report::exit_of(Some(&summary), &prepared.plan.problems, &prepared.plan.notes);
    if summary.interrupted || summary.stopped.is_some() {
        return Ok(restored);
    }
    let verified = tokio::select! {
        verified = check(args, &prepared, &summary, &options, &cluster, console) => verified?,
        // Once the restore has listened to Ctrl-C, nothing else ends the process by it.
        _ = tokio::signal::ctrl_c() => {
            return Err(Failure::new(Kind::Interrupted, "the drill is not verified")
                .because("it was interrupted before everything was compared and restored a second time"));
        }
    };
    console::data(|out| match console.is_human() {
        true => report::verified(&verified, out),
        false => report::json::verified(&verified, out),
    });
    if let Some(file) = &args.report.report {
        prepared.report(&summary, Some(&verified)).write(file)?;
    }
    Ok(verified.exit(restored))
}

/// The kinds that the Stages of `--simulate` are for.
fn played(files: &[PathBuf]) -> Result<BTreeSet<GroupKind>, Failure> {
    let mut kinds = BTreeSet::new();
    for file in files {
        let text = std::fs::read(file).map_err(|cause| {
            Failure::new(
                Kind::Input,
                format!("nothing was simulated: {} was not read", file.display()),
            )
            .because(cause)
        })?;
        for document in kube_yaml::parse(&text) {
            let stage = document.value.unwrap_or_default();
            let text = |pointer: &str| stage.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            if text("/kind") == "Stage" {
                let group = text("/spec/resourceRef/apiGroup")
                    .split_once('/')
                    .map_or("", |(group, _)| group);
                kinds.insert(GroupKind::new(group, text("/spec/resourceRef/kind")));
            }
        }
    }
    Ok(kinds)
}

/// Compares what is live with what was declared, then restores a second time, which must change nothing.
async fn check(
    args: &DrillArgs,
    prepared: &Prepared,
    summary: &Summary,
    options: &PlanOptions,
    cluster: &Cluster,
    console: &mut Console,
) -> Result<Verified, Failure> {
    console.say(&Event::Progress(
        "comparing what is live with what was declared".to_owned(),
    ));
    let mut verified = verify::verify(&prepared.plan, summary, cluster).await?;
    console.say(&Event::Progress(
        "restoring a second time, which must change nothing".to_owned(),
    ));
    let asked = FactsOptions {
        dry_run: true,
        rights: false,
        foreign: false,
    };
    let mut facts = cluster.facts(&prepared.set, asked).await?;
    let done = summary
        .outcomes
        .iter()
        .filter(|(_, one)| one.readiness == Readiness::Done);
    facts.ran = done.map(|(id, _)| id.clone()).collect();
    let plan = Arc::new(plan::build(&prepared.set, &facts, options)?);
    let set = prepared.set.clone();
    let again = Prepared {
        set,
        facts,
        plan,
        beside: Beside::default(),
    };
    let second = restore::walk(
        &again,
        cluster,
        &args.run,
        args.source.strict,
        None,
        &mut Console::silent(),
    )
    .await?;
    verified.second_run_changed = verify::changed(summary, &again.facts, &second);
    // Only now: what plays a controller needs some time.
    verified.not_simulated = verify::not_simulated(&prepared.plan, summary, cluster).await?;
    console.pause();
    Ok(verified)
}
