//! `refloat resume`: engines that refloat suspended go on.

use std::sync::Arc;
use std::time::Duration;

use super::console::{self, Console};
use super::prepare;
use super::restore::{give_back, run_plan, take_lease};
use crate::cli::{Output, ResumeArgs};
use crate::engine;
use crate::error::{Exit, Failure};
use crate::event::Event;
use crate::{plan, report};

/// A patch is answered at once, or something is wrong.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) async fn run(args: &ResumeArgs) -> Result<Exit, Failure> {
    let mut console = Console::new(args.output);
    let cluster = prepare::connect(&args.target).await?;
    let (kinds, _) = cluster.discover().await?;
    let (units, gaps) = cluster.engines(&kinds).await;
    for gap in &gaps {
        console.say(&Event::Warned(format!("not known: {}: {}", gap.what, gap.reason)));
    }
    for unit in units
        .iter()
        .filter(|unit| unit.releases_anew && unit.resume().is_some())
    {
        console.say(&Event::Warned(format!(
            "{}: its status tells of no release, so its controller releases anew, and runs hooks; a `refloat restore` before tells of what it restored",
            unit.id
        )));
    }
    let plan = Arc::new(plan::resume(&units, &kinds));
    let look = if gaps.is_empty() { Exit::Done } else { Exit::LookAt };
    if plan.steps.is_empty() {
        console.say(&Event::Said(
            "refloat suspended nothing here that is suspended still".to_owned(),
        ));
        return Ok(look);
    }
    if args.dry_run {
        console.pause();
        console::data(|out| match args.output {
            Output::Human => report::tree(&plan, true, out),
            Output::Json => report::json::plan(&plan, &[], None, out),
        });
        return Ok(look);
    }
    // A restore that runs wants them suspended.
    let lease = match cluster.record().await {
        Some(record) => Some(take_lease(&cluster, &record).await?),
        None => None,
    };
    let options = engine::Options {
        timeout: TIMEOUT,
        ..engine::Options::default()
    };
    let walked = run_plan(&plan, &cluster, options, lease.as_ref(), &mut console).await;
    give_back(lease, &mut console).await;
    let summary = walked?;
    match report::exit_of(Some(&summary), &[], &[]) {
        Exit::Done => Ok(look),
        exit => Ok(exit),
    }
}
