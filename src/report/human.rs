//! A run as plain lines, for logs: one a settled step, what repeats gathered, and every 10 s what is being waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::Duration;

use super::tally::Tally;
use super::text::{self, one_line, took};
use super::words;
use crate::event::Event;
use crate::object::{Action, ObjectId, Outcome, Readiness, SkipReason};
use crate::plan::{NodeIndex, Plan};

/// How often what repeats and what is being waited for is told.
const EVERY: Duration = Duration::from_secs(10);

/// How many reasons for sending again are told one by one.
const REASONS: usize = 3;

/// A run as plain lines.
///
/// ```text
/// created     Deployment/shop/checkout  ready after 1.2s
/// failed      Secret/shop/db (apps/db.yaml:3): exceeded quota
/// skipped     12 objects, because of Namespace/accounts
/// retried     31 requests: too many requests (Secret/shop/a and others)
/// warning     unknown field "spec.replica" (Deployment/shop/web; others are counted in the summary)
/// waiting     1m10s, 42 of 80 done; for Deployment/shop/db: 0 of 1 replicas ready
/// ```
#[derive(Debug, Default)]
pub struct Lines {
    tally: Tally,
    told: Duration,
    retries: BTreeMap<String, (usize, String)>,
    skips: BTreeMap<ObjectId, usize>,
    warnings: BTreeSet<String>,
}

impl Lines {
    /// Writes what an event has to say. `now` is the time since the start of the run, `plan` the one that runs (an empty
    /// one before there is any).
    ///
    /// # Errors
    /// Those of the writer.
    pub fn event(&mut self, plan: &Plan, event: &Event, now: Duration, out: &mut dyn Write) -> io::Result<()> {
        self.tally.count(event);
        match event {
            Event::Progress(text) | Event::Said(text) => writeln!(out, "{}", text::message(text, "  "))?,
            Event::Warned(text) => line(out, "warning", &text::message(text, "  "))?,
            Event::Started { .. } => self.told = now,
            Event::Sent { .. } | Event::Written { .. } | Event::Done { .. } => {}
            Event::Retrying { step, reason, .. } => {
                let reason = match plan.step(*step) {
                    Some(step) => text::said_of(&step.id, reason),
                    None => reason.clone(),
                };
                let first = || (0, step_name(plan, *step));
                self.retries.entry(reason).or_insert_with(first).0 += 1;
            }
            Event::Settled { step, outcome, at } => self.settled(plan, *step, outcome, *at, out)?,
            Event::Waiting(waiting) if now.saturating_sub(self.told) >= EVERY => {
                self.flush(now, out)?;
                self.waiting(plan, waiting, now, out)?;
            }
            Event::Waiting(_) => {}
            Event::Interrupted { in_flight } => writeln!(out, "{}", interrupted(*in_flight))?,
            Event::Finished(_) => self.flush(now, out)?,
        }
        if now.saturating_sub(self.told) >= EVERY {
            self.flush(now, out)?;
        }
        Ok(())
    }

    fn settled(
        &mut self,
        plan: &Plan,
        step: NodeIndex,
        outcome: &Outcome,
        at: Duration,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match &outcome.action {
            Action::Skipped(SkipReason::Dependency(id)) => *self.skips.entry(id.clone()).or_default() += 1,
            Action::Skipped(SkipReason::Interrupted) => {}
            _ => {
                let (word, rest) = settled(plan, step, outcome, self.tally.since_sent(step, at));
                line(out, word, &rest)?;
            }
        }
        for warning in &outcome.warnings {
            let warning = match plan.step(step) {
                Some(step) => text::said_of(&step.id, warning),
                None => warning.clone(),
            };
            if self.warnings.insert(warning.clone()) {
                let text = text::message(&warning, "  ");
                let name = step_name(plan, step);
                line(
                    out,
                    "warning",
                    &format!("{text} ({name}; others are counted in the summary)"),
                )?;
            }
        }
        Ok(())
    }

    fn waiting(
        &self,
        plan: &Plan,
        waiting: &[(NodeIndex, String)],
        now: Duration,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut text = format!("{}, {}", took(now), self.tally.in_words());
        for (index, (node, reason)) in waiting.iter().take(3).enumerate() {
            text.push_str(if index == 0 { "; for " } else { "; " });
            text.push_str(&format!("{}: {}", step_name(plan, *node), one_line(reason)));
        }
        line(out, "waiting", &text)
    }

    /// Tells what was gathered since the last time.
    fn flush(&mut self, now: Duration, out: &mut dyn Write) -> io::Result<()> {
        self.told = now;
        for (id, number) in std::mem::take(&mut self.skips) {
            let number = text::count(number, "object");
            line(out, "skipped", &format!("{number}, because of {}", one_line(&id)))?;
        }
        let mut retries: Vec<_> = std::mem::take(&mut self.retries).into_iter().collect();
        retries.sort_by_key(|(_, (number, _))| std::cmp::Reverse(*number));
        let rest: usize = retries.iter().skip(REASONS).map(|(_, (number, _))| number).sum();
        for (reason, (number, first)) in retries.into_iter().take(REASONS) {
            let others = if number > 1 { " and others" } else { "" };
            let number = text::count(number, "request");
            line(
                out,
                "retried",
                &format!("{number}: {} ({first}{others})", one_line(reason)),
            )?;
        }
        if rest > 0 {
            line(
                out,
                "retried",
                &format!("{} for other reasons", text::count(rest, "request")),
            )?;
        }
        Ok(())
    }
}

fn line(out: &mut dyn Write, word: &str, rest: &str) -> io::Result<()> {
    writeln!(out, "{word:<11} {rest}")
}

/// What the first Ctrl-C says.
pub(super) fn interrupted(in_flight: usize) -> String {
    let number = text::count(in_flight, "request");
    format!("Interrupted: {number} in flight will be finished; Ctrl-C again stops at once.")
}

/// The name of a step or gate.
pub(super) fn step_name(plan: &Plan, node: NodeIndex) -> String {
    match (plan.step(node), plan.gate(node)) {
        (Some(step), _) => one_line(&step.id),
        (None, Some(gate)) => one_line(&gate.name),
        (None, None) => format!("node {}", node.0),
    }
}

/// A settled step: its word, and the rest of the line.
pub(super) fn settled(
    plan: &Plan,
    node: NodeIndex,
    outcome: &Outcome,
    after: Option<Duration>,
) -> (&'static str, String) {
    let name = step_name(plan, node);
    let place = || match plan.step(node).and_then(|step| step.provenance.as_ref()) {
        Some(provenance) => format!(" ({})", one_line(provenance.place())),
        None => String::new(),
    };
    let said = |text: &str| match plan.step(node) {
        Some(step) => text::message(&text::said_of(&step.id, text), "    "),
        None => text::message(text, "    "),
    };
    let word = words::action(&outcome.action);
    match &outcome.action {
        Action::Failed(text) => return (word, format!("{name}{}: {}", place(), said(text))),
        Action::Skipped(SkipReason::HeldBack(text)) => return ("held back", format!("{name}: {}", said(text))),
        Action::Skipped(SkipReason::Generated) => return ("left", format!("{name}  it is made only where absent")),
        Action::Skipped(SkipReason::Dependency(id)) => {
            return (word, format!("{name}, because of {}", one_line(id)));
        }
        Action::Skipped(SkipReason::Interrupted) => return (word, format!("{name}, because of the interruption")),
        Action::Skipped(SkipReason::Stalled(text) | SkipReason::NotServed(text)) => {
            return (word, format!("{name}{}: {}", place(), said(text)));
        }
        _ => {}
    }
    let after = after.map(|time| format!(" after {}", took(time))).unwrap_or_default();
    let rest = match &outcome.readiness {
        Readiness::Current if outcome.action == Action::Deleted => format!("{name}  gone{after}"),
        Readiness::Current => format!("{name}  ready{after}"),
        Readiness::Done => format!("{name}  done{after}, and deleted since"),
        Readiness::NotWaitedFor => name,
        Readiness::Failed(text) => format!("{name}{}  not ready{after}: {}", place(), said(text)),
        Readiness::TimedOut(text) => format!("{name}{}  not ready in time{after}: {}", place(), said(text)),
    };
    let without = match outcome.without.is_empty() {
        true => String::new(),
        false => format!("  without {}", text::listed(&outcome.without, 3)),
    };
    (word, format!("{rest}{without}"))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, millis};
    use super::*;

    fn told(plan: &Plan, events: Vec<(u64, Event)>) -> String {
        let mut out = Vec::new();
        let mut lines = Lines::default();
        for (at, event) in events {
            lines
                .event(plan, &event, millis(at), &mut out)
                .expect("because a Vec takes all");
        }
        String::from_utf8(out).expect("because it is text")
    }

    #[test]
    fn a_good_run() {
        let (plan, summary) = sample::fine();
        let events = sample::events(&summary);
        insta::assert_snapshot!(told(&plan, events), @r#"
        created     Namespace/bank
        created     Deployment/bank/db  ready after 2.3s
        configured  Deployment/bank/api  ready after 1.2s
        "#);
    }

    #[test]
    fn a_roll_back() {
        let (plan, summary) = sample::rolled_back();
        let told = told(&plan, sample::events(&summary));
        assert!(
            told.starts_with("suspended   Kustomization/flux-system/apps\n"),
            "{told}"
        );
        assert!(told.contains("deleted     ConfigMap/bank/extra  gone"), "{told}");
    }

    #[test]
    fn everything_that_can_go_wrong() {
        let (plan, summary) = sample::troubled();
        let told = told(&plan, sample::events(&summary));
        assert!(!told.contains("canary") && !told.contains('\u{1b}'));
        insta::assert_snapshot!(told, @r#"
        unchanged   Namespace/bank  ready
        failed      Namespace/accounts (apps/accounts.yaml:2): admission webhook "names.bank" denied the request:
            no such team\u{1b}[31m
        failed      Secret/bank/db (apps/db.yaml:5): Secret "db" is invalid: data[p]: Invalid value: ***: too long
        created     Deployment/bank/db (apps/db.yaml:6)  not ready in time: 0 of 1 replicas ready
        recreated   Job/bank/migrate (apps/migrate.yaml:8)  not ready: BackoffLimitExceeded
        warning     unknown field "spec.replica" (Job/bank/migrate; others are counted in the summary)
        configured  Deployment/bank/web  ready  without ConfigMap/bank/settings
        skipped     Certificate/bank/tls (apps/tls.yaml:10): nothing serves Certificate.cert-manager.io
        skipped     Deployment/bank/lonely (apps/lonely.yaml:11): Deployment/bank/lonely waits for PersistentVolumeClaim/bank/data
        held back   Job/bank/payout: runs a program once
        held back   Job/bank/mail: runs a program once
        left        Secret/bank/random  it is made only where absent
        skipped     1 object, because of ConfigMap/bank/ledger
        skipped     1 object, because of Namespace/accounts
        skipped     1 object, because of Deployment/bank/db
        skipped     1 object, because of Job/bank/payout
        "#);
    }

    #[test]
    fn what_repeats_is_gathered() {
        let (plan, _) = sample::fine();
        let retry = |step: u32| Event::Retrying {
            step: NodeIndex(step),
            reason: "too many requests".to_owned(),
            after: millis(100),
        };
        let waiting = || {
            Event::Waiting(vec![
                (NodeIndex(1), "0 of 1 replicas ready".to_owned()),
                (NodeIndex(3), "Deployment/bank/db".to_owned()),
                (NodeIndex(2), "a".to_owned()),
                (NodeIndex(9), "not shown".to_owned()),
            ])
        };
        let mut events = vec![
            (0, Event::Said("entry: clusters/production".to_owned())),
            (0, Event::Warned("the Lease could not be written\nforbidden".to_owned())),
            (0, Event::Started { steps: 3 }),
        ];
        events.extend((1..40).map(|at| (at * 100, retry(1))));
        events.push((4_000, waiting()));
        events.push((10_000, waiting()));
        events.push((12_000, retry(2)));
        events.extend((1..6).map(|number| {
            let other = Event::Retrying {
                step: NodeIndex(0),
                reason: format!("connection {number} was reset"),
                after: millis(100),
            };
            (12_000, other)
        }));
        events.push((13_000, waiting()));
        events.push((20_100, waiting()));
        events.push((20_200, Event::Interrupted { in_flight: 1 }));
        insta::assert_snapshot!(told(&plan, events), @r#"
        entry: clusters/production
        warning     the Lease could not be written
          forbidden
        retried     39 requests: too many requests (Deployment/bank/db and others)
        waiting     10.0s, 0 of 3 done; for Deployment/bank/db: 0 of 1 replicas ready; unit apps/db: Deployment/bank/db; Deployment/bank/api: a
        retried     1 request: connection 1 was reset (Namespace/bank)
        retried     1 request: connection 2 was reset (Namespace/bank)
        retried     1 request: connection 3 was reset (Namespace/bank)
        retried     3 requests for other reasons
        waiting     20.1s, 0 of 3 done; for Deployment/bank/db: 0 of 1 replicas ready; unit apps/db: Deployment/bank/db; Deployment/bank/api: a
        Interrupted: 1 request in flight will be finished; Ctrl-C again stops at once.
        "#);
    }
}
