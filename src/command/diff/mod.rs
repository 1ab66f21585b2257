//! `refloat diff`: two states side by side.

mod compare;
mod side;

use std::sync::Arc;

use self::compare::Compared;
use self::side::{Named, Opened};
use super::console::{self, Console};
use crate::cli::{DiffArgs, HistoryOutput, Output};
use crate::error::{Exit, Failure};
use crate::object::{KubeVersion, Problem, ProblemKind, ServedKinds, builtin};
use crate::report::{self, Diff};

pub(super) async fn run(args: &DiffArgs) -> Result<Exit, Failure> {
    let mut console = Console::new(Output::Human);
    let before = Named::read(&args.before).open(args, &mut console).await?;
    let after = Named::read(&args.after).open(args, &mut console).await?;
    // What is live tells which kinds there are.
    let target = target(&before, &after);
    let (before, after) = tokio::task::block_in_place(|| {
        let mut read = |opened: Opened| opened.into_side(args, &target.0, target.1, &mut |event| console.say(event));
        Ok::<_, Failure>((read(before)?, read(after)?))
    })?;
    let problems: Vec<Problem> = [&before, &after]
        .iter()
        .flat_map(|side| side.problems.clone())
        .collect();
    console.preflight(&problems, &[], false);
    let Compared { objects, same, masked } = compare::compare(&before, &after);
    let gaps = [before.gaps(), after.gaps()].concat();
    let diff = Diff {
        before: before.of(),
        after: after.of(),
        objects: &objects,
        same,
        masked: &masked,
        gaps: &gaps,
    };
    console.pause();
    console::data(|out| match args.output {
        HistoryOutput::Human => diff.human(out),
        HistoryOutput::Json => report::json::diff(&diff, out),
    });
    let unusable = problems.iter().any(|problem| problem.kind == ProblemKind::Error);
    Ok(match objects.is_empty() && gaps.is_empty() && !unusable {
        true => Exit::Done,
        false => Exit::LookAt,
    })
}

/// The kinds that a repository is read for: those of the other side if it is live, else those of the newest version that is known.
fn target(before: &Opened, after: &Opened) -> (Arc<ServedKinds>, KubeVersion) {
    let newest = || (Arc::new(builtin::served_kinds(builtin::NEWEST)), builtin::NEWEST);
    before.serves().or_else(|| after.serves()).unwrap_or_else(newest)
}
