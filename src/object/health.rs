//! How an object is doing, judged from the live object alone.
//!
//! The rules are those of kstatus (kubernetes-sigs/cli-utils `pkg/kstatus`), in its order: being deleted, generation not
//! observed, `Reconciling` and `Stalled`, a rule of the kind, the `Ready` condition. Different on purpose, because after a
//! restore "current" has to mean that it works:
//!
//! - A Job is current at `Complete`, not as soon as it started.
//! - A LoadBalancer Service is current once it has an address.
//! - A Pod that ended in failure has failed. One that cannot be scheduled is in progress, however long.
//! - A ReplicaSet that cannot make pods is in progress with the reason, as in kstatus; the Deployment's deadline decides.
//! - Controllers that report the generation they saw are waited for: no such report is in progress, not current.
//! - Namespace, APIService, ReplicationController and ResourceQuota have rules.
//! - What has no contract is said to have none, instead of silently counting as current.

mod check;
mod live;
mod rules;

use serde_json::Value;

pub use self::check::HealthCheck;
use self::live::{Condition, Live};
use self::rules::{TELLING, rule_of};
use crate::error::printable;

/// How an object is doing, in the words of kstatus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Health {
    /// As declared, and working as far as its status tells.
    Current,
    /// Its controller is not done, or has not begun.
    InProgress,
    /// Its status says that it failed, and it will not get better by waiting.
    Failed,
    /// It is being deleted.
    Terminating,
    /// It is not there.
    NotFound,
    /// Its status cannot be understood.
    Unknown,
}

/// What a judgement rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Basis {
    /// What any object may have: deletion, observed generation, `Reconciling`, `Stalled`, `Ready`.
    Conditions,
    /// A rule of the kind.
    KindRule,
    /// A [`HealthCheck`] of the unit that declares it.
    Expression,
    /// Nothing: there is no status to go by. Being there is all that can be said.
    NoContract,
}

/// A judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// How the object is doing.
    pub health: Health,
    /// What that rests on.
    pub basis: Basis,
    /// Why, in one line fit for a terminal, such as `ready 1 of 3`.
    pub message: String,
}

/// Judges a live object. `Null` stands for an object that is not there.
///
/// Never [`Health::Current`] for a generation that its controller has not seen; whether that is the generation of one's own
/// write is the caller's to compare.
pub fn assess(live: &Value) -> Assessment {
    if live.is_null() {
        return judged(Health::NotFound, Basis::Conditions, "is not there");
    }
    if !live.is_object() {
        return judged(Health::Unknown, Basis::NoContract, "is not an object");
    }
    let live = Live(live);
    if let Some(assessment) = general(live) {
        return assessment;
    }
    if let Some(rule) = rule_of(live.group(), live.text("/kind")) {
        if rule.observed && live.number("/metadata/generation").is_some() && live.observed().is_none() {
            return judged(
                Health::InProgress,
                Basis::KindRule,
                "its controller has not seen it yet",
            );
        }
        let (health, message) = (rule.judge)(live);
        return judged(health, Basis::KindRule, &message);
    }
    match live.condition("Ready") {
        Some(ready) if ready.is_true() => judged(Health::Current, Basis::Conditions, &ready.because("Ready")),
        Some(ready) => judged(Health::InProgress, Basis::Conditions, &ready.because("not Ready")),
        None => judged(Health::Current, Basis::NoContract, "has no status to go by"),
    }
}

/// Whether objects of a kind can tell how they are doing, so that watching them makes sense: built-in kinds with a rule, and
/// custom ones whose controllers are known to tell.
pub fn has_contract(group: &str, kind: &str) -> bool {
    let tells = TELLING.iter().any(|(of, kinds)| *of == group && kinds.contains(&kind));
    tells || rule_of(group, kind).is_some()
}

fn judged(health: Health, basis: Basis, message: &str) -> Assessment {
    Assessment {
        health,
        basis,
        message: printable(&message.replace('\n', " ")),
    }
}

/// What any object may say.
fn general(live: Live<'_>) -> Option<Assessment> {
    let told = |health, message: &str| Some(judged(health, Basis::Conditions, message));
    if let Some(assessment) = on_its_way_out(live).or_else(|| observed_late(live)) {
        return Some(assessment);
    }
    if let Some(condition) = live.condition("Reconciling").filter(Condition::is_true) {
        return told(Health::InProgress, &condition.because("Reconciling"));
    }
    let stalled = live.condition("Stalled").filter(Condition::is_true)?;
    told(Health::Failed, &stalled.because("Stalled"))
}

/// It is being deleted.
fn on_its_way_out(live: Live<'_>) -> Option<Assessment> {
    if live.text("/metadata/deletionTimestamp").is_empty() {
        return None;
    }
    let finalizers = live.list("/metadata/finalizers").iter();
    let finalizers: Vec<_> = finalizers.filter_map(Value::as_str).collect();
    let message = match finalizers.as_slice() {
        [] => "is being deleted".to_owned(),
        some => format!("is being deleted, waits for {}", some.join(", ")),
    };
    Some(judged(Health::Terminating, Basis::Conditions, &message))
}

/// Its controller has not seen the generation that it has.
fn observed_late(live: Live<'_>) -> Option<Assessment> {
    let (wanted, seen) = (live.number("/metadata/generation")?, live.observed()?);
    let message = format!("generation {wanted} is not seen yet, only {seen}");
    (wanted != seen).then(|| judged(Health::InProgress, Basis::Conditions, &message))
}

#[cfg(test)]
mod tests;
