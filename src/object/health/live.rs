//! A live object's status, read leniently.

use serde_json::Value;

use crate::object::api_group;

/// A live object, read leniently: what has the wrong type counts as missing.
#[derive(Clone, Copy)]
pub(super) struct Live<'a>(pub &'a Value);

pub(super) struct Condition<'a> {
    pub status: &'a str,
    pub reason: &'a str,
    pub message: &'a str,
}

impl Condition<'_> {
    pub(super) fn is_true(&self) -> bool {
        self.status == "True"
    }

    pub(super) fn is_false(&self) -> bool {
        self.status == "False"
    }

    /// The condition's own words, or `otherwise` where it has none.
    pub(super) fn because(&self, otherwise: &str) -> String {
        match (self.reason, self.message) {
            ("", "") => otherwise.to_owned(),
            ("", message) => message.to_owned(),
            (reason, "") => reason.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        }
    }
}

impl<'a> Live<'a> {
    pub(super) fn text(self, pointer: &str) -> &'a str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn number(self, pointer: &str) -> Option<i64> {
        self.0.pointer(pointer).and_then(Value::as_i64)
    }

    /// A number of the status; the API leaves zeros out.
    pub(super) fn count(self, name: &str) -> i64 {
        self.number(&format!("/status/{name}")).unwrap_or(0)
    }

    pub(super) fn list(self, pointer: &str) -> &'a [Value] {
        self.0
            .pointer(pointer)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    pub(super) fn group(self) -> &'a str {
        api_group(self.text("/apiVersion"))
    }

    pub(super) fn observed(self) -> Option<i64> {
        self.number("/status/observedGeneration")
    }

    pub(super) fn condition(self, kind: &str) -> Option<Condition<'a>> {
        let found = self.list("/status/conditions").iter().map(Live);
        found
            .into_iter()
            .find(|condition| condition.text("/type") == kind)
            .map(|condition| Condition {
                status: condition.text("/status"),
                reason: condition.text("/reason"),
                message: condition.text("/message"),
            })
    }
}
