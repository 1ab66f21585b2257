//! The right cluster: fresh, or named by the operator.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::cli::RestoreArgs;
use crate::error::{Failure, Kind, printable};
use crate::object::{Facts, RestoreRecord};

/// Refuses to go on unless the cluster is fresh, was restored from the same place before, or is the one that the operator names.
///
/// # Errors
/// The cluster holds what nobody declared and the operator did not confirm it, or another entry was restored into it.
pub(super) fn check(args: &RestoreArgs, facts: &Facts, record: &RestoreRecord) -> Result<(), Failure> {
    let elsewhere = facts.record.as_ref().filter(|earlier| !earlier.same_place(record));
    if let Some(earlier) = elsewhere.filter(|_| !args.right.force_entry) {
        return Err(other_entry(earlier, record));
    }
    let known = facts.record.as_ref().is_some_and(|earlier| earlier.same_place(record));
    let fresh = facts.foreign.is_empty() && (known || facts.existing.values().all(is_bootstrap));
    if fresh {
        return Ok(());
    }
    if args.right.yes {
        return if args.target.context.is_some() {
            Ok(())
        } else {
            Err(name_it(facts))
        };
    }
    if !io::stdin().is_terminal() {
        return Err(not_confirmed(facts, "nobody can be asked: this is no terminal"));
    }
    ask(facts, record)
}

/// Made by the cluster itself, not by anybody's tool: nothing but the API server and its controllers wrote to it.
fn is_bootstrap(existing: &crate::object::ExistingObject) -> bool {
    let by_the_cluster = |manager: &String| manager.starts_with("kube-") || manager == "k3s" || manager == "kubeadm";
    !existing.managers.is_empty() && existing.managers.iter().all(by_the_cluster)
}

fn other_entry(earlier: &RestoreRecord, now: &RestoreRecord) -> Failure {
    let shown = |record: &RestoreRecord| {
        let entry = if record.entry.is_empty() {
            "the whole repository"
        } else {
            &record.entry
        };
        printable(&format!("{entry} of {}", record.repository))
    };
    Failure::new(
        Kind::Cluster,
        "nothing was changed: this cluster was restored from another place",
    )
    .because(format!("the cluster says it was restored from {}", shown(earlier)))
    .because(format!("this run would restore {}", shown(now)))
    .hint("is it the right cluster? If so, give --force-entry")
}

fn about(facts: &Facts) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(context) = &facts.context {
        lines.push(format!(
            "context {}, cluster {}, server {}",
            context.name, context.cluster, context.server
        ));
        if let Some(nodes) = context.nodes {
            lines.push(format!("{nodes} nodes"));
        }
    }
    if facts.foreign.is_empty() {
        lines.push(format!(
            "{} of the declared objects exist already",
            facts.existing.len()
        ));
    } else {
        let shown: Vec<String> = facts.foreign.iter().take(5).map(ToString::to_string).collect();
        let more = if facts.foreign.len() > shown.len() {
            " and others"
        } else {
            ""
        };
        lines.push(format!(
            "it holds objects that are not declared: {}{more}",
            shown.join(", ")
        ));
    }
    lines
}

fn not_confirmed(facts: &Facts, why: &str) -> Failure {
    let mut failure = Failure::new(
        Kind::Cluster,
        "nothing was changed: the cluster is not fresh and was not confirmed",
    );
    for line in about(facts) {
        failure = failure.because(line);
    }
    let context = facts.context.as_ref().map_or("NAME", |context| &context.name);
    failure.because(why).hint(format!(
        "if it is the right cluster: --yes --context {}",
        printable(context)
    ))
}

fn name_it(facts: &Facts) -> Failure {
    not_confirmed(facts, "--yes needs --context for a cluster that is not fresh")
}

fn ask(facts: &Facts, record: &RestoreRecord) -> Result<(), Failure> {
    let mut text = String::from("\nThis cluster is not fresh:\n");
    for line in about(facts) {
        text += &format!("  {}\n", printable(&line));
    }
    text += &format!("To restore {} into it", printable(&entry(record)));
    match types_name(facts, &text) {
        true => Ok(()),
        false => Err(not_confirmed(facts, "the name that was typed is not the cluster's")),
    }
}

/// Asks for the cluster's name: whoever types it knows which one it is. `text` ends with what is done to it.
pub(super) fn types_name(facts: &Facts, text: &str) -> bool {
    let name = facts.context.as_ref().map_or("", |context| &context.cluster);
    let mut err = io::stderr().lock();
    let asked = write!(err, "{text}, type the cluster's name ({}): ", printable(name)).and_then(|()| err.flush());
    let mut answer = String::new();
    let read = asked.and_then(|()| io::stdin().lock().read_line(&mut answer));
    read.is_ok() && answer.trim() == name && !name.is_empty()
}

fn entry(record: &RestoreRecord) -> String {
    if record.entry.is_empty() {
        record.repository.clone()
    } else {
        format!("{} of {}", record.entry, record.repository)
    }
}
