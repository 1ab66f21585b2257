//! What engines applied last of the repository.

use tokio::task;

use crate::cli::SourceArgs;
use crate::cluster::Cluster;
use crate::command::audit::Audit;
use crate::command::console::Console;
use crate::command::{declare, engines};
use crate::declared;
use crate::error::Failure;
use crate::event::Event;
use crate::export::Applied;
use crate::object::{DeclaredSet, FactGap, resolve};

/// Asks the engines in the cluster, and reads what is declared at the commits that they applied last. What could not be listed is a gap.
pub(super) async fn applied(
    source: &SourceArgs,
    audited: &Audit,
    set: &DeclaredSet,
    cluster: &Cluster,
    console: &mut Console,
) -> (Applied, Vec<FactGap>) {
    let Some(at_hand) = &set.repository.commit else {
        return (Applied::default(), Vec::new());
    };
    let (mut units, gaps) = cluster.engines(&audited.start.kinds).await;
    engines::of_repository(set, audited.tree.addresses(), &mut units);
    units.retain(|unit| !unit.repositories.is_empty());
    let mut applied = Applied {
        units,
        ..Applied::default()
    };
    for commit in applied.commits(at_hand) {
        let short: String = commit.chars().take(12).collect();
        console.say(&Event::Progress(format!("reading {short}, which engines applied last")));
        let earlier = task::block_in_place(|| read(source, &commit, audited, console));
        let earlier = earlier
            .inspect_err(|failure| console.say(&Event::Warned(failure.in_one_line())))
            .ok();
        applied.sets.insert(commit, earlier);
    }
    (applied, gaps)
}

fn read(source: &SourceArgs, commit: &str, audited: &Audit, console: &mut Console) -> Result<DeclaredSet, Failure> {
    let at = declare::at_commit(source, commit);
    let tree = declare::open(&at, false, &mut |event| {
        if let Event::Warned(_) = event {
            console.say(event);
        }
    })?;
    let set = declared::load(&tree, &audited.options)?;
    Ok(resolve(set, &audited.start.kinds, &audited.options.namespace))
}
