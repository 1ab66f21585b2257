//! The summary of a run, for people.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};

use super::gathered::{Cause, Gathered, Link, Root, is_there};
use super::text::{self, count, listed, one_line, took};
use super::{hints, preflight};
use crate::event::Summary;
use crate::object::{Action, ObjectId, Outcome, Readiness, SUSPENDED, SkipReason};
use crate::plan::{NodeIndex, Plan, Step, StepAction};

/// How many objects a line names before "and … more".
const NAMED: usize = 8;

/// Writes the summary of a run: what is there, counts by action and readiness, failures with place, dependants and next
/// step, what was applied without something, held back or warned about, and the slowest chain.
///
/// # Errors
/// Those of the writer.
pub fn summary(plan: &Plan, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let gathered = Gathered::new(plan, summary);
    headline(plan, summary, &gathered, out)?;
    table(summary, out)?;
    let deleted = deletions(plan);
    roots(
        "Failed",
        &gathered.roots_where(|cause| matches!(cause, Cause::Refused(_))),
        &deleted,
        out,
    )?;
    let late = gathered.roots_where(|cause| matches!(cause, Cause::NotReady(_) | Cause::TimedOut(_)));
    roots("There, but not ready", &late, &deleted, out)?;
    let never = gathered.roots_where(|cause| matches!(cause, Cause::Stalled(_) | Cause::NotServed(_)));
    roots("Not applied", &never, &deleted, out)?;
    let others =
        gathered.roots_where(|cause| matches!(cause, Cause::HeldBack(_) | Cause::NotRendered(_) | Cause::Other(_)));
    roots("Needed, but not there", &others, &deleted, out)?;
    set_aside(&gathered, out)?;
    warnings(&gathered, out)?;
    chain(plan, summary, &gathered.chain, out)?;
    next(summary, &gathered, out)
}

fn headline(plan: &Plan, summary: &Summary, gathered: &Gathered<'_>, out: &mut dyn Write) -> io::Result<()> {
    let deleted = deletions(plan);
    let patches = plan.steps.iter().filter(|step| is_patch(step)).count();
    let all = summary.outcomes.len().saturating_sub(deleted.len() + patches);
    let hooks = summary
        .outcomes
        .iter()
        .filter(|(_, one)| one.readiness == Readiness::Done)
        .count();
    if let Some(reason) = &summary.stopped {
        writeln!(
            out,
            "Stopped after {}: {}",
            took(summary.total),
            text::message(reason, "  ")
        )?;
    }
    if summary.interrupted {
        writeln!(out, "Interrupted after {}.", took(summary.total))?;
    }
    if all == 0 && patches == 0 {
        writeln!(out, "Nothing to restore: there is no object in what was chosen.")?;
    } else if all > hooks {
        let all = all - hooks;
        let speed = match text::per_second(gathered.there, summary.total) {
            rate if rate < 0.1 => took(summary.total),
            rate => format!("{}, {rate:.1} objects/s", took(summary.total)),
        };
        writeln!(
            out,
            "{} of {} {} in the cluster ({speed}).",
            gathered.there,
            count(all, "object"),
            if all == 1 { "is" } else { "are" }
        )?;
    }
    if hooks > 0 {
        let are = if hooks == 1 { "is" } else { "are" };
        writeln!(
            out,
            "{} {are} done and no longer there, as delete policies say.",
            count(hooks, "hook")
        )?;
    }
    beside(plan, summary, deleted.len(), out)?;
    if !plan.problems.is_empty() {
        writeln!(
            out,
            "In the repository: {}, listed above.",
            preflight::counted(&plan.problems)
        )?;
    }
    Ok(())
}

fn is_patch(step: &Step) -> bool {
    matches!(step.action, StepAction::Patch { .. })
}

/// What was done beside restoring: deletions, engines.
fn beside(plan: &Plan, summary: &Summary, deleted: usize, out: &mut dyn Write) -> io::Result<()> {
    let did = |action: &Action| summary.outcomes.iter().filter(|(_, one)| one.action == *action).count();
    if deleted > 0 {
        let (done, objects) = (did(&Action::Deleted), count(deleted, "object"));
        let (are, were) = if deleted == 1 { ("is", "was") } else { ("are", "were") };
        writeln!(out, "{done} of {objects} that {are} no longer declared {were} deleted.")?;
    }
    let resumed = did(&Action::Resumed);
    if resumed > 0 {
        let go = if resumed == 1 { "goes" } else { "go" };
        writeln!(out, "{} {go} on.", count(resumed, "engine unit"))?;
    }
    let written = plan
        .steps
        .iter()
        .zip(&summary.outcomes)
        .filter(|(step, (_, outcome))| match &step.action {
            StepAction::Apply { manifest, .. } => is_there(outcome) && manifest.annotation(SUSPENDED).is_some(),
            _ => outcome.action == Action::Suspended,
        });
    let suspended: HashSet<&ObjectId> = written.map(|(step, _)| &step.id).collect();
    if !suspended.is_empty() {
        let are = if suspended.len() == 1 { "is" } else { "are" };
        let units = count(suspended.len(), "engine unit");
        writeln!(
            out,
            "{units} {are} suspended: `refloat resume` lets go on what refloat suspended."
        )?;
    }
    Ok(())
}

/// What the plan deletes.
fn deletions(plan: &Plan) -> HashSet<&ObjectId> {
    let deleted = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, StepAction::Delete { .. }));
    deleted.map(|step| &step.id).collect()
}

/// The rows of the table of counts, in order.
fn row_name(outcome: &Outcome) -> (usize, &'static str) {
    match &outcome.action {
        Action::Created => (0, "created"),
        Action::Configured => (1, "configured"),
        Action::Unchanged => (2, "unchanged"),
        Action::Recreated => (3, "recreated"),
        Action::Deleted => (4, "deleted"),
        Action::Suspended => (5, "suspended"),
        Action::Resumed => (6, "resumed"),
        Action::Awaited => (7, "awaited"),
        Action::Skipped(SkipReason::Generated) => (8, "left as it is"),
        Action::Skipped(SkipReason::HeldBack(_)) => (9, "held back"),
        Action::Skipped(SkipReason::Interrupted) => (10, "not started"),
        Action::Skipped(_) => (11, "skipped"),
        Action::Failed(_) => (12, "failed"),
    }
}

fn column(outcome: &Outcome) -> Option<usize> {
    let gone = outcome.action == Action::Deleted && outcome.readiness == Readiness::Current;
    if gone || matches!(outcome.action, Action::Skipped(_) | Action::Failed(_)) {
        return None;
    }
    Some(match outcome.readiness {
        Readiness::Current | Readiness::Done => 0,
        Readiness::NotWaitedFor => 1,
        Readiness::Failed(_) => 2,
        Readiness::TimedOut(_) => 3,
    })
}

fn table(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let mut rows: BTreeMap<(usize, &str), (usize, [usize; 4])> = BTreeMap::new();
    for (_, outcome) in &summary.outcomes {
        let (total, columns) = rows.entry(row_name(outcome)).or_default();
        *total += 1;
        if let Some(column) = column(outcome) {
            columns[column] += 1;
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:<14}{:>7}{:>8}{:>16}{:>8}{:>11}",
        "", "objects", "ready", "not waited for", "failed", "timed out"
    )?;
    for ((_, name), (total, columns)) in rows {
        let cell = |number: usize| match number {
            0 => "-".to_owned(),
            _ => number.to_string(),
        };
        let [ready, open, failed, late] = columns.map(cell);
        writeln!(out, "{name:<14}{total:>7}{ready:>8}{open:>16}{failed:>8}{late:>11}")?;
    }
    Ok(())
}

fn roots(title: &str, roots: &[&Root<'_>], deleted: &HashSet<&ObjectId>, out: &mut dyn Write) -> io::Result<()> {
    if roots.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}: {}", roots.len())?;
    for root in roots {
        let place = root.place.as_ref().map(|place| format!(" ({})", one_line(place)));
        let said = text::message(root.cause.message(), "      ");
        let how = match &root.cause {
            Cause::TimedOut(_) => "timed out: ",
            Cause::HeldBack(_) => "held back: ",
            _ => "",
        };
        writeln!(out, "  {}{}: {how}{said}", one_line(root.id), place.unwrap_or_default())?;
        let (left, open): (Vec<&ObjectId>, Vec<&ObjectId>) =
            (root.dependants.iter().copied()).partition(|id| deleted.contains(id));
        for (ids, done) in [(open, "applied"), (left, "deleted")] {
            if !ids.is_empty() {
                let (number, names) = (count(ids.len(), "object"), listed(&ids, NAMED));
                writeln!(out, "    {number} not {done} because of it: {names}")?;
            }
        }
        if let Some(hint) = hints::of(root.id, &root.cause) {
            writeln!(out, "    hint: {}", one_line(hint))?;
        }
    }
    Ok(())
}

fn set_aside(gathered: &Gathered<'_>, out: &mut dyn Write) -> io::Result<()> {
    if !gathered.without.is_empty() {
        writeln!(
            out,
            "\nApplied without what was not there yet: {}",
            gathered.without.len()
        )?;
        for (id, without) in &gathered.without {
            writeln!(out, "  {} without {}", one_line(id), listed(without, NAMED))?;
        }
    }
    if !gathered.held_back.is_empty() {
        let number: usize = gathered.held_back.values().map(Vec::len).sum();
        writeln!(out, "\nHeld back, since it acts outside the cluster: {number}")?;
        for (text, ids) in &gathered.held_back {
            writeln!(out, "  {}: {}", text::message(text, "    "), listed(ids, NAMED))?;
        }
        writeln!(
            out,
            "    hint: once the old cluster is gone, run again with --old-cluster-is-gone"
        )?;
    }
    if !gathered.generated.is_empty() {
        let (number, names) = (gathered.generated.len(), listed(&gathered.generated, NAMED));
        writeln!(
            out,
            "\nLeft as it is, since it is made only where absent: {number}\n  {names}"
        )?;
    }
    Ok(())
}

fn warnings(gathered: &Gathered<'_>, out: &mut dyn Write) -> io::Result<()> {
    if gathered.warnings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nWarnings of the server: {}", gathered.warnings.len())?;
    for warning in &gathered.warnings {
        let names = listed(&warning.objects, 3);
        writeln!(
            out,
            "  {} ({}: {names})",
            text::message(&warning.text, "    "),
            count(warning.objects.len(), "object")
        )?;
    }
    Ok(())
}

fn chain(plan: &Plan, summary: &Summary, links: &[Link<'_>], out: &mut dyn Write) -> io::Result<()> {
    let Some(end) = links.iter().rev().find_map(|link| link.end) else {
        return Ok(());
    };
    writeln!(out, "\nSlowest chain: {} of {}", took(end), took(summary.total))?;
    for link in links {
        let time = link.took.map(took).unwrap_or_default();
        let because = match link.edge {
            Some(edge) => format!("  (waited, because {})", one_line(&edge.reason.text)),
            None => String::new(),
        };
        writeln!(out, "{time:>9}  {}{because}", node(plan, summary, link.node))?;
    }
    Ok(())
}

/// The name of a step or a gate.
pub(super) fn node(plan: &Plan, summary: &Summary, node: NodeIndex) -> String {
    if let Some(gate) = plan.gate(node) {
        return one_line(&gate.name);
    }
    match (plan.step(node), summary.outcomes.get(node.0 as usize)) {
        (Some(step), _) => one_line(&step.id),
        (None, Some((id, _))) => one_line(id),
        (None, None) => format!("node {}", node.0),
    }
}

fn next(summary: &Summary, gathered: &Gathered<'_>, out: &mut dyn Write) -> io::Result<()> {
    let look = summary.outcomes.iter().any(|(_, outcome)| outcome.wants_a_look());
    let text = if summary.interrupted || summary.stopped.is_some() {
        let open = match gathered.not_started {
            0 => String::new(),
            open => format!("{} not started. ", count(open, "object")),
        };
        format!("{open}The same command again goes on from here; what is there already stays as it is.")
    } else if look {
        "Next: correct what is named above, then the same command again; what is there already stays as it is."
            .to_owned()
    } else {
        return Ok(());
    };
    writeln!(out, "\n{text}")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::object::{Place, Problem};

    fn shown(plan: &Plan, summary: &Summary) -> String {
        let mut out = Vec::new();
        super::summary(plan, summary, &mut out).expect("because a Vec takes all");
        String::from_utf8(out).expect("because it is text")
    }

    #[test]
    fn a_good_run() {
        let (plan, summary) = sample::fine();
        insta::assert_snapshot!(shown(&plan, &summary), @r#"
        3 of 3 objects are in the cluster (3.5s, 0.9 objects/s).

                      objects   ready  not waited for  failed  timed out
        created             2       1               1       -          -
        configured          1       1               -       -          -

        Slowest chain: 3.5s of 3.5s
             0.0s  Namespace/bank
             2.3s  Deployment/bank/db  (waited, because it lives in that namespace)
                   unit apps/db  (waited, because it belongs to that unit)
             1.2s  Deployment/bank/api  (waited, because the annotation depends-on says so)
        "#);
    }

    #[test]
    fn everything_that_can_go_wrong() {
        let (plan, summary) = sample::troubled();
        let shown = shown(&plan, &summary);
        assert!(!shown.contains("canary") && !shown.contains('\u{1b}'));
        insta::assert_snapshot!(shown, @r#"
        5 of 15 objects are in the cluster (10m05s).

                      objects   ready  not waited for  failed  timed out
        created             1       -               -       -          1
        configured          1       1               -       -          -
        unchanged           1       1               -       -          -
        recreated           1       -               -       1          -
        left as it is       1       -               -       -          -
        held back           2       -               -       -          -
        skipped             6       -               -       -          -
        failed              2       -               -       -          -

        Failed: 2
          Namespace/accounts (apps/accounts.yaml:2): admission webhook "names.bank" denied the request:
              no such team\u{1b}[31m
            2 objects not applied because of it: ConfigMap/bank/ledger, Deployment/bank/statements
            hint: a webhook decides here: see that the pods behind it run and what it asks for, then run again
          Secret/bank/db (apps/db.yaml:5): Secret "db" is invalid: data[p]: Invalid value: ***: too long
            hint: the manifest is not as the server wants it: correct it in Git, then run again

        There, but not ready: 2
          Deployment/bank/db (apps/db.yaml:6): timed out: 0 of 1 replicas ready
            1 object not applied because of it: Deployment/bank/api
            hint: `kubectl describe Deployment.apps db -n bank` shows what holds it
          Job/bank/migrate (apps/migrate.yaml:8): BackoffLimitExceeded
            hint: its pods failed: `kubectl logs` of them says why; a Job is made anew once it is deleted

        Not applied: 2
          Certificate/bank/tls (apps/tls.yaml:10): nothing serves Certificate.cert-manager.io
            hint: install what brings this kind (its CustomResourceDefinition), or declare it in Git, then run again
          Deployment/bank/lonely (apps/lonely.yaml:11): Deployment/bank/lonely waits for PersistentVolumeClaim/bank/data

        Needed, but not there: 1
          Job/bank/payout: held back: runs a program once
            1 object not applied because of it: Deployment/bank/after-payout
            hint: --old-cluster-is-gone lets it go

        Applied without what was not there yet: 1
          Deployment/bank/web without ConfigMap/bank/settings

        Held back, since it acts outside the cluster: 2
          runs a program once: Job/bank/payout, Job/bank/mail
            hint: once the old cluster is gone, run again with --old-cluster-is-gone

        Left as it is, since it is made only where absent: 1
          Secret/bank/random

        Warnings of the server: 1
          unknown field "spec.replica" (2 objects: Job/bank/migrate, Deployment/bank/web)

        Next: correct what is named above, then the same command again; what is there already stays as it is.
        "#);
    }

    #[test]
    fn a_roll_back() {
        let (plan, summary) = sample::rolled_back();
        insta::assert_snapshot!(shown(&plan, &summary), @r#"
        1 of 2 objects are in the cluster (2.0s, 0.5 objects/s).
        1 of 2 objects that are no longer declared were deleted.
        1 engine unit is suspended: `refloat resume` lets go on what refloat suspended.

                      objects   ready  not waited for  failed  timed out
        configured          1       -               1       -          -
        deleted             1       -               -       -          -
        suspended           1       -               1       -          -
        skipped             1       -               -       -          -
        failed              1       -               -       -          -

        Failed: 1
          Deployment/bank/web (apps/all.yaml:3): no
            1 object not deleted because of it: Secret/bank/more

        Next: correct what is named above, then the same command again; what is there already stays as it is.
        "#);
    }

    #[test]
    fn nothing_to_do() {
        insta::assert_snapshot!(shown(&Plan::default(), &Summary::default()), @r#"Nothing to restore: there is no object in what was chosen."#);
    }

    #[test]
    fn interrupted() {
        let (mut plan, mut summary) = sample::fine();
        summary.outcomes[2].1 = sample::skipped(SkipReason::Interrupted);
        summary.critical_path = Vec::new();
        summary.interrupted = true;
        plan.problems.push(Problem::error(Place::file("x.yaml"), "is no YAML"));
        insta::assert_snapshot!(shown(&plan, &summary), @r#"
        Interrupted after 3.5s.
        2 of 3 objects are in the cluster (3.5s, 0.6 objects/s).
        In the repository: 1 error, listed above.

                      objects   ready  not waited for  failed  timed out
        created             2       1               1       -          -
        not started         1       -               -       -          -

        1 object not started. The same command again goes on from here; what is there already stays as it is.
        "#);
    }

    #[test]
    fn stopped() {
        let (plan, mut summary) = sample::fine();
        summary.outcomes[2].1 = sample::skipped(SkipReason::Interrupted);
        summary.critical_path = Vec::new();
        summary.stopped = Some("another restore took the Lease kube-system/refloat".to_owned());
        insta::assert_snapshot!(shown(&plan, &summary), @r#"
        Stopped after 3.5s: another restore took the Lease kube-system/refloat
        2 of 3 objects are in the cluster (3.5s, 0.6 objects/s).

                      objects   ready  not waited for  failed  timed out
        created             2       1               1       -          -
        not started         1       -               -       -          -

        1 object not started. The same command again goes on from here; what is there already stays as it is.
        "#);
    }

    #[test]
    fn nasty_names_stay_on_their_line() {
        let nasty = ObjectId::new("", "Config\u{7}Map", Some("a\nb"), "x".repeat(200));
        let summary = Summary {
            outcomes: vec![(
                nasty,
                sample::outcome(Action::Failed("a\u{1b}]0;b\nc".to_owned()), Readiness::NotWaitedFor),
            )],
            ..Summary::default()
        };
        let shown = shown(&Plan::default(), &summary);
        let line = format!(
            "  Config\\u{{7}}Map/a\\nb/{}: a\\u{{1b}}]0;b\n      c\n",
            "x".repeat(200)
        );
        assert!(shown.contains(&line), "{shown}");
    }
}
