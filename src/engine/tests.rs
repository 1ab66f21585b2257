//! The machine on simulated time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::simulate::{Dice, Run, Script, World};
use super::{Answer, Command, Input, Machine, Options};
use crate::event::Event;
use crate::object::{Action, GroupKind, ObjectId, Outcome, Readiness, SkipReason};
use crate::plan::{NodeIndex, StepAction, Strength, Until};

const SECOND: Duration = Duration::from_secs(1);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn unbounded() -> Options {
    slots(usize::MAX)
}

fn slots(concurrency: usize) -> Options {
    Options {
        concurrency,
        adapts: false,
        ..Options::default()
    }
}

fn ready_after(milliseconds: u64) -> Script {
    Script {
        ready: Some(ms(milliseconds)),
        ..Script::default()
    }
}

fn never_ready() -> Script {
    Script {
        ready: None,
        ..Script::default()
    }
}

fn refused() -> Script {
    Script {
        refused: true,
        ..Script::default()
    }
}

fn skipped_because(outcome: &Outcome) -> String {
    match &outcome.action {
        Action::Skipped(SkipReason::Dependency(id)) => format!("dependency {id}"),
        Action::Skipped(SkipReason::Stalled(text)) => format!("stalled: {text}"),
        Action::Skipped(SkipReason::NotServed(text)) => format!("not served: {text}"),
        Action::Skipped(reason) => format!("{reason:?}"),
        action => format!("not skipped: {action:?}"),
    }
}

/// A graph of `steps` steps: each waits for up to three before it.
fn random_world(dice: &mut Dice, steps: u64, soft_percent: u64) -> World {
    let mut world = World::default();
    for index in 0..steps {
        let script = Script {
            write: ms(5 + dice.roll(50)),
            ready: Some(ms(dice.roll(3_000))),
            ..Script::default()
        };
        let kind = ["ConfigMap", "Deployment", "Job"][dice.roll(3) as usize];
        world.apply(kind, &format!("o{index}"), script);
    }
    for from in 1..steps {
        let mut targets: Vec<u64> = (0..dice.roll(4)).map(|_| dice.roll(from)).collect();
        targets.sort_unstable();
        targets.dedup();
        for to in targets {
            let until = [Until::Exists, Until::Ready, Until::Settled][dice.roll(3) as usize];
            let strength = if dice.chance(soft_percent) {
                Strength::Soft
            } else {
                Strength::Hard
            };
            world.wait(NodeIndex(from as u32), NodeIndex(to as u32), until, strength);
        }
    }
    world
}

/// The longest chain of waits, and the time that all writes take together. Steps wait for lower ones only.
fn critical_path(world: &World) -> (Duration, Duration) {
    let mut ends: Vec<(Duration, Duration)> = Vec::new();
    let mut work = Duration::ZERO;
    for (index, step) in world.plan.steps.iter().enumerate() {
        let script = &world.scripts[&step.id];
        let waits = world.plan.edges.iter().filter(|edge| edge.from.0 as usize == index);
        let free = waits.map(|edge| match edge.until {
            Until::Exists => ends[edge.to.0 as usize].0,
            Until::Ready | Until::Settled => ends[edge.to.0 as usize].1,
        });
        let written = free.max().unwrap_or_default() + script.write;
        let ready = if step.has_contract {
            script.ready.unwrap_or_default()
        } else {
            Duration::ZERO
        };
        ends.push((written, written + ready));
        work += script.write;
    }
    (ends.iter().map(|(_, end)| *end).max().unwrap_or_default(), work)
}

fn outcomes(run: &Run) -> BTreeMap<&ObjectId, &Outcome> {
    run.summary.outcomes.iter().map(|(id, outcome)| (id, outcome)).collect()
}

#[test]
fn takes_as_long_as_the_longest_chain() {
    for seed in 0..60 {
        let world = random_world(&mut Dice::new(seed), 120, 40);
        let (longest, _) = critical_path(&world);
        let run = world.run(unbounded());
        assert!(
            run.end.as_secs_f64() <= 1.1 * longest.as_secs_f64(),
            "seed {seed}: {:?} for {longest:?}",
            run.end
        );
        assert!(
            run.summary.outcomes.iter().all(|(_, outcome)| !outcome.wants_a_look()),
            "seed {seed}"
        );
    }
}

#[test]
fn with_few_slots_keeps_to_the_greedy_bound() {
    for seed in 0..60 {
        for slot_count in [1, 2, 4, 16] {
            let world = random_world(&mut Dice::new(seed), 120, 0);
            let (longest, work) = critical_path(&world);
            let run = world.run(slots(slot_count));
            let bound = longest + work / slot_count as u32;
            assert!(
                run.end <= bound,
                "seed {seed}, {slot_count} slots: {:?} for {bound:?}",
                run.end
            );
            assert!(run.most <= slot_count, "seed {seed}: {} in flight", run.most);
        }
    }
}

#[test]
fn shuffling_changes_nothing() {
    for seed in 0..30 {
        let world = random_world(&mut Dice::new(seed), 80, 40);
        let other = world.shuffled(seed + 1_000).run(unbounded());
        let run = world.run(unbounded());
        assert_eq!(outcomes(&run), outcomes(&other), "seed {seed}");
        assert_eq!(run.end, other.end, "seed {seed}");
    }
}

#[test]
fn the_critical_path_is_the_chain_that_took_longest() {
    let mut world = World::default();
    let quick = world.apply("Deployment", "quick", ready_after(10));
    let slow = world.apply("Deployment", "slow", ready_after(5_000));
    let both = world.apply("Deployment", "both", ready_after(1_000));
    let gate = world.gate("all of infra");
    world.wait(gate, quick, Until::Ready, Strength::Hard);
    world.wait(gate, slow, Until::Ready, Strength::Hard);
    world.wait(both, gate, Until::Ready, Strength::Hard);
    let run = world.run(unbounded());
    assert_eq!(run.summary.critical_path, [slow, both]);
    assert_eq!(run.summary.total, ms(6_020));
    assert_eq!(run.summary.times[both.0 as usize].free, Some(ms(5_010)));
}

#[test]
fn what_depends_on_a_failure_is_skipped_and_the_rest_goes_on() {
    let mut world = World::default();
    let namespace = world.apply("Namespace", "shop", refused());
    let config = world.apply("ConfigMap", "config", Script::default());
    let web = world.apply("Deployment", "web", Script::default());
    world.apply("ConfigMap", "other", Script::default());
    world.wait(config, namespace, Until::Exists, Strength::Hard);
    world.wait(web, config, Until::Exists, Strength::Written);
    let run = world.run(unbounded());
    assert_eq!(
        run.outcome("shop").action,
        Action::Failed("field is immutable".to_owned())
    );
    assert_eq!(skipped_because(run.outcome("config")), "dependency Namespace/shop");
    assert_eq!(skipped_because(run.outcome("web")), "dependency ConfigMap/config");
    assert_eq!(run.outcome("other").action, Action::Created);
    assert_eq!(run.end, ms(10));
}

#[test]
fn a_failure_behind_a_gate_is_named() {
    let mut world = World::default();
    let crd = world.apply("CustomResourceDefinition", "widgets", never_ready());
    let fine = world.apply("ConfigMap", "fine", Script::default());
    let after = world.apply("ConfigMap", "after", Script::default());
    let soft = world.apply("ConfigMap", "soft", Script::default());
    let inner = world.gate("inner");
    let outer = world.gate("outer");
    world.wait(inner, crd, Until::Ready, Strength::Hard);
    world.wait(outer, inner, Until::Ready, Strength::Hard);
    world.wait(outer, fine, Until::Ready, Strength::Hard);
    world.wait(after, outer, Until::Ready, Strength::Hard);
    world.wait(soft, outer, Until::Ready, Strength::Soft);
    let run = world.run(unbounded());
    let seen = "not ready after 600 s; last seen: it is Underway";
    assert_eq!(run.outcome("widgets").readiness, Readiness::TimedOut(seen.to_owned()));
    assert_eq!(
        skipped_because(run.outcome("after")),
        "dependency CustomResourceDefinition/widgets"
    );
    assert_eq!(run.sent_at("soft"), Some(60 * SECOND), "a soft wait has its end");
    assert_eq!(
        run.outcome("soft").without,
        [ObjectId::new(
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            None,
            "widgets"
        )]
    );
}

#[test]
fn a_soft_wait_counts_from_when_the_hard_ones_are_met() {
    let mut world = World::default();
    let slow = world.apply("Deployment", "slow", ready_after(30_000));
    let never = world.apply("Deployment", "never", never_ready());
    let late = world.apply("ConfigMap", "late", Script::default());
    world.wait(late, slow, Until::Ready, Strength::Hard);
    world.wait(late, never, Until::Ready, Strength::Soft);
    let run = world.run(unbounded());
    assert_eq!(run.sent_at("late"), Some(ms(30_010) + 60 * SECOND));
}

#[test]
fn a_soft_wait_ends_at_once_when_the_other_fails() {
    let mut world = World::default();
    let secret = world.apply("Secret", "secret", refused());
    let crashing = world.apply(
        "Deployment",
        "crashing",
        Script {
            fails: true,
            ready: Some(ms(500)),
            ..Script::default()
        },
    );
    let web = world.apply("Deployment", "web", Script::default());
    world.wait(web, secret, Until::Exists, Strength::Soft);
    world.wait(web, crashing, Until::Ready, Strength::Soft);
    let run = world.run(unbounded());
    assert_eq!(run.sent_at("web"), Some(ms(510)));
    let without: Vec<String> = run.outcome("web").without.iter().map(ToString::to_string).collect();
    assert_eq!(without, ["Secret/secret", "Deployment/crashing"]);
    assert_eq!(
        run.outcome("crashing").readiness,
        Readiness::Failed("it is Failed".to_owned())
    );
    assert_eq!(
        run.end,
        ms(10) + 600 * SECOND,
        "a failure that can pass is open until the deadline"
    );
}

#[test]
fn a_failed_job_is_final() {
    let mut world = World::default();
    let migrate = world.apply(
        "Job",
        "migrate",
        Script {
            fails: true,
            ..ready_after(100)
        },
    );
    let web = world.apply("Deployment", "web", Script::default());
    world.wait(web, migrate, Until::Ready, Strength::Hard);
    let run = world.run(unbounded());
    assert_eq!(skipped_because(run.outcome("web")), "dependency Job/migrate");
    assert_eq!(run.end, ms(110));
}

#[test]
fn a_job_completed_before_is_not_run_again() {
    let mut world = World::default();
    let migrate = world.apply("Job", "migrate", Script::default());
    let web = world.apply("Deployment", "web", Script::default());
    world.wait(web, migrate, Until::Ready, Strength::Hard);
    let action = StepAction::Done {
        why: "it ran".to_owned(),
        left: None,
    };
    world.plan.steps[migrate.0 as usize].action = action;
    let run = world.run(unbounded());
    assert_eq!(run.sent_at("migrate"), None);
    assert_eq!(run.outcome("migrate").readiness, Readiness::Done);
    assert_eq!(run.sent_at("web"), Some(Duration::ZERO));
}

#[test]
fn what_is_held_back_counts_as_settled_only() {
    let mut world = World::default();
    let mail = world.hold_back("mail");
    let ordered = world.apply("ConfigMap", "ordered", Script::default());
    let soft = world.apply("ConfigMap", "soft", Script::default());
    let hard = world.apply("ConfigMap", "hard", Script::default());
    world.wait(ordered, mail, Until::Settled, Strength::Hard);
    world.wait(soft, mail, Until::Ready, Strength::Soft);
    world.wait(hard, mail, Until::Ready, Strength::Hard);
    let run = world.run(unbounded());
    assert_eq!(
        run.outcome("mail").action,
        Action::Skipped(SkipReason::HeldBack("it sends mail".to_owned()))
    );
    assert_eq!(run.sent_at("ordered"), Some(Duration::ZERO));
    assert_eq!(run.sent_at("soft"), Some(Duration::ZERO));
    assert_eq!(skipped_because(run.outcome("hard")), "dependency Job/mail");
}

#[test]
fn what_someone_else_makes_is_waited_for() {
    let mut world = World::default();
    let secret = world.awaits("Secret", "made", Some(ms(2_000)));
    let missing = world.awaits("Secret", "missing", None);
    let web = world.apply("Deployment", "web", Script::default());
    let soft = world.apply("Deployment", "soft", Script::default());
    let hard = world.apply("Deployment", "hard", Script::default());
    world.wait(web, secret, Until::Exists, Strength::Hard);
    world.wait(soft, missing, Until::Exists, Strength::Soft);
    world.wait(hard, missing, Until::Exists, Strength::Hard);
    let run = world.run(unbounded());
    assert_eq!(run.sent_at("web"), Some(ms(2_000)));
    assert_eq!(run.sent_at("soft"), Some(60 * SECOND));
    assert_eq!(
        (&run.outcome("made").action, &run.outcome("made").readiness),
        (&Action::Awaited, &Readiness::NotWaitedFor)
    );
    let missing = "not there after 600 s: the operator makes it";
    assert_eq!(
        run.outcome("missing").readiness,
        Readiness::TimedOut(missing.to_owned())
    );
    assert_eq!(skipped_because(run.outcome("hard")), "dependency Secret/missing");
}

#[test]
fn readiness_seen_before_the_answer_counts() {
    let mut world = World::default();
    let early = Script {
        seen_first: true,
        write: ms(100),
        ..Script::default()
    };
    world.apply("Deployment", "early", early);
    let run = world.run(unbounded());
    assert_eq!(run.outcome("early").readiness, Readiness::Current);
    assert_eq!(run.end, ms(100));
}

#[test]
fn readiness_of_another_object_or_an_older_generation_does_not_count() {
    let id = ObjectId::new("apps", "Deployment", None, "web");
    let mut world = World::default();
    world.apply("Deployment", "web", never_ready());
    for (uid, generation) in [("another", 7), ("Deployment/web-1", 0)] {
        let sighting = super::Sighting {
            uid: uid.to_owned(),
            generation,
            state: super::Sighted::Current,
            message: String::new(),
        };
        let mut world = world.clone();
        world.outside.push((SECOND, Input::Observed(id.clone(), sighting)));
        let run = world.run(unbounded());
        assert!(matches!(run.outcome("web").readiness, Readiness::TimedOut(_)), "{uid}");
    }
}

#[test]
fn a_ring_is_answered_at_once() {
    let mut world = World::default();
    let a = world.apply("ConfigMap", "a", Script::default());
    let b = world.apply("ConfigMap", "b", Script::default());
    let c = world.apply("ConfigMap", "c", Script::default());
    let behind = world.apply("ConfigMap", "behind", Script::default());
    world.apply("ConfigMap", "free", Script::default());
    for (from, to) in [(a, b), (b, c), (c, a), (behind, a)] {
        world.wait(from, to, Until::Exists, Strength::Written);
    }
    let run = world.run(unbounded());
    assert_eq!(
        skipped_because(run.outcome("a")),
        "stalled: waits for ConfigMap/b, which waits for ConfigMap/c, which waits for it"
    );
    assert_eq!(
        skipped_because(run.outcome("behind")),
        "stalled: waits for ConfigMap/a, which waits for ConfigMap/b, which waits for ConfigMap/c, which waits for ConfigMap/a"
    );
    assert_eq!(run.outcome("free").action, Action::Created);
    assert_eq!(run.end, ms(10));
}

#[test]
fn a_soft_ring_is_cut_at_once() {
    let mut world = World::default();
    let a = world.apply("ConfigMap", "a", Script::default());
    let b = world.apply("ConfigMap", "b", Script::default());
    world.wait(a, b, Until::Exists, Strength::Soft);
    world.wait(b, a, Until::Exists, Strength::Soft);
    let run = world.run(unbounded());
    assert_eq!(run.outcome("a").without.len(), 1);
    assert_eq!(run.outcome("b").without, []);
    assert_eq!(run.end, ms(20));
}

#[test]
fn a_kind_that_comes_is_found() {
    let widget = GroupKind::new("example.com", "Widget");
    let mut world = World::default();
    let operator = world.apply("Deployment", "operator", ready_after(3_000));
    world.apply("Widget", "w", Script::default());
    let after = world.apply("Widget", "after", Script::default());
    world.wait(after, operator, Until::Ready, Strength::Hard);
    let id = world.plan.steps[operator.0 as usize].id.clone();
    world.brings.insert(id, widget.clone());
    let run = world.clone().run(unbounded());
    assert_eq!(run.outcome("w").action, Action::Created);
    assert_eq!(run.outcome("after").action, Action::Created);
    assert_eq!(run.end, ms(3_010 + 200 + 5 + 10));

    // The operator is ready before it has made its CRD.
    world.brings.clear();
    world.served.insert(widget, ms(8_000));
    let run = world.run(unbounded());
    assert_eq!(run.outcome("w").action, Action::Created);
    assert!(run.end < 20 * SECOND, "{:?}", run.end);
    assert!(run.discoveries < 10, "{} discoveries", run.discoveries);
}

#[test]
fn a_built_in_kind_that_the_server_lacks_is_not_waited_for() {
    let mut world = World::default();
    world.apply("Deployment", "web", Script::default());
    world.apply("PodSecurityPolicy", "old", Script::default());
    let run = world.run(unbounded());
    assert_eq!(
        skipped_because(run.outcome("old")),
        "not served: the server does not serve PodSecurityPolicy.policy"
    );
    assert!(run.end < SECOND, "{:?}", run.end);
}

#[test]
fn a_kind_that_nothing_brings_is_answered_soon() {
    let mut world = World::default();
    let widget = world.apply("Widget", "w", Script::default());
    let web = world.apply("ConfigMap", "behind", Script::default());
    world.wait(web, widget, Until::Exists, Strength::Hard);
    let run = world.clone().run(unbounded());
    assert_eq!(
        skipped_because(run.outcome("w")),
        "not served: the server does not serve Widget.example.com"
    );
    assert_eq!(skipped_because(run.outcome("behind")), "dependency Widget/w");
    assert!(run.end < SECOND, "{:?}", run.end);

    world.apply("Deployment", "web", Script::default());
    let run = world.run(unbounded());
    assert_eq!(
        skipped_because(run.outcome("w")),
        "not served: the server does not serve Widget.example.com"
    );
    assert!(run.end < 20 * SECOND, "{:?}", run.end);
}

#[test]
fn refusals_that_pass_are_sent_again() {
    let mut world = World::default();
    let busy = |retries| Script {
        retries,
        ..Script::default()
    };
    world.apply("ConfigMap", "busy", busy(5));
    world.apply("ConfigMap", "hopeless", busy(u32::MAX));
    let run = world.run(unbounded());
    assert_eq!(run.outcome("busy").action, Action::Created);
    let Action::Failed(reason) = &run.outcome("hopeless").action else {
        panic!("{:?}", run.outcome("hopeless"));
    };
    assert!(reason.starts_with("too many requests (sent "), "{reason}");
    assert!(run.end > 580 * SECOND && run.end < 601 * SECOND, "{:?}", run.end);
    let retries = run
        .events
        .iter()
        .filter(|event| matches!(event, Event::Retrying { .. }));
    assert!(retries.count() < 120);
}

#[test]
fn what_cannot_be_changed_is_made_anew_where_wanted() {
    let immutable = || Script {
        immutable: true,
        ..Script::default()
    };
    let mut world = World::default();
    let wanted = world.apply("StatefulSet", "wanted", immutable());
    world.apply("StatefulSet", "unwanted", immutable());
    let claim = world.apply("PersistentVolumeClaim", "claim", immutable());
    world.recreates(wanted);
    world.recreates(claim);
    let run = world.run(unbounded());
    assert_eq!(run.outcome("wanted").action, Action::Recreated);
    assert_eq!(
        run.outcome("unwanted").action,
        Action::Failed("field is immutable".to_owned())
    );
    assert_eq!(
        run.outcome("claim").action,
        Action::Failed("field is immutable".to_owned())
    );
    assert!(run.deleted.iter().all(|id| id.name == "wanted"), "{:?}", run.deleted);
}

/// Three written one after the other, the first interrupted in flight.
fn interrupted_at(inputs: Vec<(Duration, Input)>) -> Run {
    let mut world = World::default();
    let written = world.apply("Deployment", "written", never_ready());
    let slow = Script {
        write: SECOND,
        ..Script::default()
    };
    let in_flight = world.apply("Deployment", "in-flight", slow);
    let unsent = world.apply("ConfigMap", "unsent", Script::default());
    world.wait(in_flight, written, Until::Exists, Strength::Hard);
    world.wait(unsent, in_flight, Until::Exists, Strength::Hard);
    world.outside = inputs;
    world.run(unbounded())
}

#[test]
fn the_first_interrupt_finishes_what_is_in_flight() {
    let run = interrupted_at(vec![(ms(500), Input::Interrupted)]);
    assert_eq!(
        (&run.outcome("written").action, &run.outcome("written").readiness),
        (&Action::Created, &Readiness::NotWaitedFor)
    );
    assert_eq!(run.outcome("in-flight").action, Action::Created);
    assert_eq!(run.outcome("unsent").action, Action::Skipped(SkipReason::Interrupted));
    assert!(run.summary.interrupted);
    assert_eq!(run.end, ms(1_010));
    assert!(
        run.events
            .iter()
            .any(|event| matches!(event, Event::Interrupted { in_flight: 1 }))
    );
}

#[test]
fn the_second_interrupt_stops_at_once() {
    let run = interrupted_at(vec![(ms(500), Input::Interrupted), (ms(600), Input::Interrupted)]);
    let told = "interrupted before the server answered: it may have been written or not";
    assert_eq!(run.outcome("in-flight").action, Action::Failed(told.to_owned()));
    assert_eq!(run.end, ms(600));
}

#[test]
fn losing_the_lease_stops_writing() {
    let run = interrupted_at(vec![(
        ms(500),
        Input::Stopped("another restore took the Lease".to_owned()),
    )]);
    assert_eq!(run.outcome("in-flight").action, Action::Created);
    assert_eq!(run.outcome("unsent").action, Action::Skipped(SkipReason::Interrupted));
    assert_eq!(run.summary.stopped.as_deref(), Some("another restore took the Lease"));
    assert!(!run.summary.interrupted);
}

#[test]
fn an_interrupt_leaves_nothing_deleted() {
    let mut world = World::default();
    let step = world.apply(
        "StatefulSet",
        "s",
        Script {
            immutable: true,
            ..Script::default()
        },
    );
    world.recreates(step);
    // Answers come at 10 ms (refused), 20 ms (being deleted), then it is asked again.
    for at in [5, 15, 25, 60, 90, 150] {
        let mut world = world.clone();
        world.outside.push((ms(at), Input::Interrupted));
        let run = world.run(unbounded());
        let anew = run.outcome("s").action == Action::Recreated;
        assert_eq!(
            anew,
            !run.deleted.is_empty(),
            "interrupted at {at} ms: {:?}",
            run.outcome("s")
        );
    }
}

#[test]
fn a_kind_that_cannot_be_watched_is_not_waited_for() {
    let mut world = World::default();
    let web = world.apply("Deployment", "web", never_ready());
    let after = world.apply("ConfigMap", "after", Script::default());
    world.wait(after, web, Until::Ready, Strength::Hard);
    let unwatchable = Input::Unwatchable(GroupKind::new("apps", "Deployment"), "forbidden".to_owned());
    world.outside.push((ms(50), unwatchable));
    let run = world.run(unbounded());
    assert_eq!(run.outcome("web").readiness, Readiness::NotWaitedFor);
    assert_eq!(
        run.outcome("web").warnings,
        ["whether it became ready could not be seen: forbidden"]
    );
    assert_eq!(run.sent_at("after"), Some(ms(50)));
}

#[test]
fn people_are_told_what_takes_long() {
    let mut world = World::default();
    world.apply("Deployment", "slow", ready_after(3_500));
    let run = world.run(unbounded());
    let told: Vec<_> = run
        .events
        .iter()
        .filter(|event| matches!(event, Event::Waiting(_)))
        .collect();
    assert_eq!(told.len(), 3, "{told:?}");
}

/// A world in which everything can go wrong.
fn troubled_world(dice: &mut Dice) -> World {
    let mut world = random_world(dice, 60, 40);
    for script in world.scripts.values_mut() {
        script.retries = if dice.chance(20) { dice.roll(6) as u32 } else { 0 };
        script.refused = dice.chance(4);
        script.fails = dice.chance(4);
        script.seen_first = dice.chance(20);
        script.immutable = dice.chance(10);
        if dice.chance(4) {
            script.ready = None;
        }
    }
    for index in 0..60 {
        if dice.chance(50) {
            world.recreates(NodeIndex(index));
        }
        if dice.chance(3) {
            let to = NodeIndex((index + dice.roll(59) as u32) % 60);
            let from = NodeIndex(index);
            if !world.plan.edges.iter().any(|edge| edge.from == from && edge.to == to) {
                world.wait(from, to, Until::Exists, Strength::Written);
            }
        }
    }
    let (gate, low, high) = (world.gate("half"), dice.roll(30) as u32, 30 + dice.roll(30) as u32);
    world.wait(gate, NodeIndex(low), Until::Ready, Strength::Hard);
    if !world
        .plan
        .edges
        .iter()
        .any(|edge| edge.to.0 == high && edge.from.0 < high)
    {
        world.wait(NodeIndex(high), gate, Until::Ready, Strength::Hard);
    }
    world
}

/// That no step was sent before what it waits for, hard, was there, the simulation asserts at each request.
#[test]
fn whatever_goes_wrong_every_step_has_one_end() {
    for seed in 0..400 {
        let mut dice = Dice::new(seed);
        let mut world = troubled_world(&mut dice);
        if dice.chance(30) {
            let at = ms(dice.roll(5_000));
            world.outside.push((at, Input::Interrupted));
            if dice.chance(50) {
                world.outside.push((at + ms(dice.roll(100)), Input::Interrupted));
            }
        }
        let interrupted = !world.outside.is_empty();
        let plan = world.plan.clone();
        let options = Options {
            concurrency: 1 + dice.roll(20) as usize,
            adapts: dice.chance(50),
            ..Options::default()
        };
        let run = world.run(options);
        let settled = run.events.iter().filter_map(|event| match event {
            Event::Settled { step, .. } => Some(*step),
            _ => None,
        });
        let settled: Vec<_> = settled.collect();
        let once: std::collections::BTreeSet<_> = settled.iter().collect();
        assert_eq!((settled.len(), once.len()), (60, 60), "seed {seed}");
        assert!(interrupted || !run.summary.interrupted, "seed {seed}");
        for edge in plan
            .edges
            .iter()
            .filter(|edge| edge.strength != Strength::Soft && edge.until == Until::Exists)
        {
            let (Some(from), Some(to)) = (plan.step(edge.from), plan.step(edge.to)) else {
                continue;
            };
            let failed = matches!(run.outcome(&to.id.name).action, Action::Failed(_) | Action::Skipped(_));
            if failed {
                assert_eq!(
                    run.sent_at(&from.id.name),
                    None,
                    "seed {seed}: {} went without {}",
                    from.id,
                    to.id
                );
            }
        }
    }
}

#[test]
fn ten_thousand_steps_cost_a_few_inputs_each() {
    let world = random_world(&mut Dice::new(7), 10_000, 40);
    let run = world.run(Options::default());
    assert!(run.inputs < 5 * 10_000, "{} inputs", run.inputs);
    assert_eq!(run.sent.len(), 10_000);
}

/// What becomes of a deletion after these inputs, 10 ms apart.
fn deleted_after(inputs: &[Input]) -> Outcome {
    let mut world = World::default();
    let step = world.apply("ConfigMap", "old", Script::default());
    world.plan.steps[step.0 as usize].action = StepAction::Delete {
        uid: "u".to_owned(),
        revision: String::new(),
    };
    let mut machine = Machine::new(&world.plan, unbounded());
    let asked = machine.on(Input::Started, Duration::ZERO);
    assert!(asked.iter().any(|one| matches!(one, Command::Watch(_))), "{asked:?}");
    let deletes = |one: &Command| matches!(one, Command::Delete { orphan: false, .. });
    assert!(asked.iter().any(deletes), "{asked:?}");
    for (at, input) in (1..).zip(inputs) {
        machine.on(input.clone(), ms(10 * at));
    }
    machine.summary().outcomes.remove(0).1
}

#[test]
fn a_deletion_ends_with_the_object_it_was_for() {
    let leaving = || Input::Answered(NodeIndex(0), Answer::Leaving("its finalizers hold it".to_owned()));
    let gone = |uid: &str| Input::Gone(ObjectId::new("", "ConfigMap", None, "old"), uid.to_owned());
    let ended = |inputs: &[Input]| {
        let outcome = deleted_after(inputs);
        (outcome.action, outcome.readiness)
    };
    let done = (Action::Deleted, Readiness::Current);
    let open = (Action::Skipped(SkipReason::Interrupted), Readiness::NotWaitedFor);
    assert_eq!(ended(&[Input::Answered(NodeIndex(0), Answer::Gone)]), done);
    assert_eq!(ended(&[leaving(), gone("u")]), done, "a watch tells first");
    assert_eq!(ended(&[leaving(), gone("another")]), open, "it is still under way");
    let taken = (Action::Deleted, Readiness::NotWaitedFor);
    assert_eq!(ended(&[leaving(), Input::Interrupted]), taken);
    assert_eq!(ended(&[Input::Interrupted, leaving()]), taken);
    let told = "interrupted before the server answered: it may have been deleted or not";
    let lost = (Action::Failed(told.to_owned()), Readiness::NotWaitedFor);
    assert_eq!(ended(&[Input::Interrupted, Input::Interrupted]), lost);
}

#[test]
fn an_engine_is_let_go_where_all_of_its_unit_is_there_and_works() {
    let fails = Script {
        fails: true,
        ..ready_after(10)
    };
    for (script, said) in [
        (ready_after(10), None),
        (
            fails,
            Some("written suspended, since Job/work of its unit is not ready"),
        ),
        (
            never_ready(),
            Some("written suspended, since Job/work of its unit is not ready"),
        ),
        (
            refused(),
            Some("written suspended, since Job/work of its unit is not as declared"),
        ),
    ] {
        let mut world = World::default();
        let job = world.apply("Job", "work", script);
        let unit = world.apply("ConfigMap", "unit", Script::default());
        world.wait(unit, job, Until::Settled, Strength::Hard);
        world.plan.edges[0].reason.rule = "unit-object";
        let (_, outcome) = world.run(unbounded()).summary.outcomes.remove(1);
        assert_eq!(outcome.action, Action::Created);
        let told = outcome.warnings.first();
        match said {
            None => assert_eq!(told, None),
            Some(said) => assert!(told.is_some_and(|told| told.starts_with(said)), "{told:?}"),
        }
    }
}

#[test]
fn what_is_withheld_or_stays_suspended_is_told_once() {
    let mut world = World::default();
    let unit = world.apply("ConfigMap", "unit", Script::default());
    let id = world.plan.steps[0].id.clone();
    world.plan.withheld.insert(id, "a part of it was left out".to_owned());
    let (_, outcome) = world.run(unbounded()).summary.outcomes.remove(0);
    assert_eq!(
        outcome.warnings,
        ["written suspended, since a part of it was left out; `refloat resume` lets it go on all the same"]
    );
    let mut world = World::default();
    assert_eq!(unit, world.apply("ConfigMap", "unit", Script::default()));
    let mut machine = Machine::new(&world.plan, unbounded());
    machine.on(Input::Started, Duration::ZERO);
    let written = Answer::Written {
        action: Action::Created,
        uid: "u".to_owned(),
        generation: 1,
        warnings: Vec::new(),
    };
    let held = Answer::Held(Box::new(written), "its status was refused".to_owned());
    machine.on(Input::Answered(unit, held), ms(10));
    let (_, outcome) = machine.summary().outcomes.remove(0);
    assert_eq!(
        (outcome.action, outcome.warnings),
        (
            Action::Created,
            vec!["written suspended, since its status was refused".to_owned()]
        )
    );
}

#[test]
fn what_waits_for_a_unit_of_which_nothing_was_rendered_is_skipped() {
    let mut world = World::default();
    let unit = world.apply("ConfigMap", "unit", Script::default());
    let member = world.apply("ConfigMap", "member", Script::default());
    let later = world.apply("ConfigMap", "later", Script::default());
    world.wait(member, unit, Until::Ready, Strength::Hard);
    world.wait(later, unit, Until::Settled, Strength::Hard);
    let id = world.plan.steps[0].id.clone();
    world
        .plan
        .not_rendered
        .insert(id, "its source is not to be had".to_owned());
    let run = world.run(unbounded());
    assert_eq!(run.outcome("unit").action, Action::Created);
    assert_eq!(skipped_because(run.outcome("member")), "dependency ConfigMap/unit");
    assert_eq!(run.outcome("later").action, Action::Created);
}
