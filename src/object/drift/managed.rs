//! `metadata.managedFields`: who owns a field. The form of `fieldsV1` is that of structured-merge-diff: `f:` a field, `k:` an
//! element of a list by its keys, `v:` one by its value, `i:` one by its number, `.` the thing itself.

use serde_json::Value;

use super::path::{Path, Step};
use crate::object::Manager;

/// Who owns a field.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Owners {
    /// Indices of the managers; none: the server put it there.
    pub indices: Vec<usize>,
    /// They own it as a part of something larger (an atomic list), which they name.
    pub as_part: bool,
}

/// The managers that own what stands at `path` of the live object: those that name it, or else those that own the nearest
/// thing above it as a whole.
pub(super) fn owners(managers: &[Manager], live: &Value, path: &Path) -> Owners {
    let reach = |manager: &Manager| reach(manager.fields.as_deref()?, live, &path.0);
    let reached: Vec<_> = managers.iter().map(reach).collect();
    let Some(most) = reached.iter().flatten().max() else {
        return Owners::default();
    };
    let those = reached.iter().enumerate();
    let those = those.filter(|(_, reach)| reach.as_ref() == Some(most));
    Owners {
        indices: those.map(|(index, _)| index).collect(),
        as_part: *most < path.0.len(),
    }
}

/// Whose what is in a field is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Owned {
    /// Some of it is owned by one who has no business with it.
    pub foreign: bool,
    /// Some of it by one who has: the declarer, a controller.
    pub rightful: bool,
    /// Some of it by nobody: the server put it there.
    pub nobody: bool,
}

impl Owned {
    pub const FOREIGN: Self = Self::of(true, false, false);
    pub const RIGHTFUL: Self = Self::of(false, true, false);
    pub const NOBODY: Self = Self::of(false, false, true);

    const fn of(foreign: bool, rightful: bool, nobody: bool) -> Self {
        Self {
            foreign,
            rightful,
            nobody,
        }
    }

    /// Of two fields together.
    pub fn and(self, other: Self) -> Self {
        Self::of(
            self.foreign || other.foreign,
            self.rightful || other.rightful,
            self.nobody || other.nobody,
        )
    }
}

/// How many steps of the way a manager's fields name, if it owns what is at its end.
fn reach(fields: &Value, live: &Value, steps: &[Step]) -> Option<usize> {
    let (mut fields, mut live) = (fields, live);
    for (depth, step) in steps.iter().enumerate() {
        let here = fields.as_object()?;
        if here.is_empty() {
            // Owned as a whole, with all that is in it.
            return Some(depth).filter(|depth| *depth > 0);
        }
        let next = step.into(live)?;
        fields = match step {
            Step::Field(name) => here.get(&format!("f:{name}"))?,
            Step::Item(_) | Step::Element(..) | Step::Index(_) => here
                .iter()
                .find(|(name, _)| names(name, next, step))
                .map(|(_, inner)| inner)?,
        };
        live = next;
    }
    Some(steps.len())
}

/// Whether a key of `fieldsV1` names this element of a list.
fn names(name: &str, element: &Value, step: &Step) -> bool {
    match name.split_at_checked(2) {
        Some(("k:", keys)) => match serde_json::from_str::<Value>(keys) {
            Ok(Value::Object(keys)) => keys.iter().all(|(key, value)| element.get(key) == Some(value)),
            _ => false,
        },
        Some(("v:", value)) => serde_json::from_str::<Value>(value).is_ok_and(|value| value == *element),
        Some(("i:", number)) => matches!(step, Step::Index(index) if number.parse() == Ok(*index)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manager(fields: Value) -> Manager {
        Manager {
            name: "m".into(),
            operation: "Update".into(),
            subresource: String::new(),
            time: String::new(),
            fields: Some(Box::new(fields)),
        }
    }

    #[test]
    fn the_nearest_owner_counts() {
        let live = json!({"metadata": {"finalizers": ["a", "b"]}, "spec": {"args": ["x", "y"], "selector": {"app": "a"},
            "ports": [{"port": 80, "protocol": "TCP", "n": 1}, {"port": 80, "protocol": "UDP", "n": 2}]}});
        let managers = [
            manager(json!({"f:spec": {"f:args": {}, "f:selector": {}, "f:ports": {
                "k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:n": {}}}}})),
            manager(
                json!({"f:metadata": {"f:finalizers": {".": {}, "v:\"b\"": {}}}, "f:spec": {"f:selector": {"f:app": {}}, "f:ports": {
                "k:{\"port\":80,\"protocol\":\"UDP\"}": {".": {}, "f:n": {}, "f:port": {}}}}}),
            ),
            manager(json!({})),
            Manager {
                fields: None,
                ..manager(json!({}))
            },
        ];
        let field = |name: &str| Step::Field(name.to_owned());
        let spec = |name: &str| Path(vec![field("spec"), field(name)]);
        let port = |protocol: &str| {
            let step = Step::to(&json!({"port": 80, "protocol": protocol}), &["port", "protocol"]);
            spec("ports").child(step).child(field("n"))
        };
        let finalizer = |name: &str| Path(vec![field("metadata"), field("finalizers"), Step::Item(name.into())]);
        for (path, expected) in [
            (spec("args").child(Step::Index(1)), (vec![0], true)),
            (spec("selector").child(field("app")), (vec![1], false)),
            (port("TCP"), (vec![0], false)),
            (port("UDP"), (vec![1], false)),
            (finalizer("b"), (vec![1], false)),
            (finalizer("a"), (vec![], false)),
            (spec("nothing"), (vec![], false)),
        ] {
            let found = owners(&managers, &live, &path);
            assert_eq!((found.indices, found.as_part), expected, "{path}");
        }
    }
}
