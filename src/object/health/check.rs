//! How an object is doing as those who declare it put it (`spec.healthCheckExprs` of Flux), or as its engine tells it.
//!
//! Source: `github.com/fluxcd/pkg/runtime/cel` (status_evaluator.go, status_reader.go).

use serde_json::Value;

use super::live::Live;
use super::{Assessment, Basis, Health, judged, observed_late, on_its_way_out};
use crate::object::cel::Cel;

/// By what objects of a kind are judged. Fields of the object are variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// The API group.
    pub group: String,
    /// The kind; `None`: all kinds of the group that have no check of their own.
    pub kind: Option<String>,
    /// When it is as declared and works.
    pub current: Cel,
    /// When it has failed.
    pub failed: Option<Cel>,
    /// When it is on its way, whatever the others say.
    pub in_progress: Option<Cel>,
    /// JSON pointers to what the expressions are about, where nobody wrote these: people are told that.
    pub about: &'static [&'static str],
}

impl HealthCheck {
    /// The one among several that is for a kind.
    pub fn of<'c>(all: &'c [Self], group: &str, kind: &str) -> Option<&'c Self> {
        let find = |kind: Option<&str>| all.iter().find(|one| one.group == group && one.kind.as_deref() == kind);
        find(Some(kind)).or_else(|| find(None))
    }

    /// Judges a live object. What cannot be evaluated is on its way: it may be asking for what is not there yet.
    pub fn assess(&self, live: &Value) -> Assessment {
        if let Some(assessment) = on_its_way_out(Live(live)).or_else(|| observed_late(Live(live))) {
            return assessment;
        }
        let fields = live.as_object();
        let turns = [
            (
                self.in_progress.as_ref(),
                Health::InProgress,
                "as its healthCheckExprs say: in progress",
            ),
            (
                self.failed.as_ref(),
                Health::Failed,
                "as its healthCheckExprs say: failed",
            ),
            (
                Some(&self.current),
                Health::Current,
                "as its healthCheckExprs say: current",
            ),
        ];
        for (expression, health, message) in turns {
            let Some(expression) = expression else { continue };
            let variables = fields.into_iter().flatten().map(|(name, value)| (name.as_str(), value));
            match expression.holds(variables) {
                Ok(true) => return judged(health, Basis::Expression, &self.told(live, message)),
                Ok(false) => {}
                Err(why) => {
                    let message = format!("its healthCheckExprs say nothing of it yet: {why}");
                    return judged(Health::InProgress, Basis::Expression, &self.told(live, &message));
                }
            }
        }
        let message = self.told(live, "not as its healthCheckExprs want it");
        judged(Health::InProgress, Basis::Expression, &message)
    }

    fn told(&self, live: &Value, of_expressions: &str) -> String {
        let about = self.about.iter().map(|at| live.pointer(at).and_then(Value::as_str));
        match about.flatten().collect::<Vec<_>>().join(", ") {
            _ if self.about.is_empty() => of_expressions.to_owned(),
            nothing if nothing.is_empty() => "its engine has not said how it is".to_owned(),
            status => format!("its engine says: {status}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(kind: Option<&str>, current: &str) -> HealthCheck {
        HealthCheck {
            group: "example.com".to_owned(),
            kind: kind.map(str::to_owned),
            current: Cel::parse(current).expect("because it is right"),
            failed: None,
            in_progress: None,
            about: &[],
        }
    }

    #[test]
    fn expressions_are_asked_in_the_order_of_flux() {
        let with = |text: &str| Some(Cel::parse(text).expect("because it is right"));
        let check = HealthCheck {
            failed: with("status.phase == 'Broken'"),
            in_progress: with("status.phase == 'Busy' || status.phase == 'Both'"),
            ..check(Some("Thing"), "status.phase in ['Good', 'Both', 'Broken']")
        };
        for (status, expected) in [
            (json!({"phase": "Good"}), Health::Current),
            (json!({"phase": "Both"}), Health::InProgress),
            (json!({"phase": "Broken"}), Health::Failed),
            (json!({"phase": "Other"}), Health::InProgress),
            (json!({"phase": "Good", "observedGeneration": 1}), Health::InProgress),
            (json!({"phase": "Good", "observedGeneration": 2}), Health::Current),
            (json!({}), Health::InProgress),
        ] {
            let live = json!({"metadata": {"generation": 2}, "status": status});
            assert_eq!(check.assess(&live).health, expected, "{status}");
        }
        let fresh = check.assess(&json!({"metadata": {"generation": 1}}));
        assert_eq!(
            (fresh.health, &*fresh.message),
            (
                Health::InProgress,
                "its healthCheckExprs say nothing of it yet: it has no status"
            )
        );
        let leaving = json!({"metadata": {"deletionTimestamp": "2026-01-02T03:04:05Z"}, "status": {"phase": "Good"}});
        assert_eq!(check.assess(&leaving).health, Health::Terminating);
    }

    #[test]
    fn one_of_the_kind_goes_before_one_of_the_group() {
        let all = [check(None, "true"), check(Some("Thing"), "false")];
        let current = |kind| HealthCheck::of(&all, "example.com", kind).map(|one| one.current.to_string());
        assert_eq!(current("Thing").as_deref(), Some("false"));
        assert_eq!(current("Other").as_deref(), Some("true"));
        assert_eq!(HealthCheck::of(&all, "", "Thing"), None);
    }
}
