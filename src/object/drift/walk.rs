//! Two trees side by side: which fields differ, and which are in one only.

use serde_json::{Map, Value};

use super::kept::{is_filled_in, is_left_out};
use super::path::{Keys, Path, Step, keys_of, keys_of_both};
use super::scalar::{is_nothing, same_scalar};
use crate::object::api_group;

/// Where a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// In the wanted tree only.
    OnlyWanted,
    /// In the live tree only.
    OnlyLive,
    /// In both, with another value.
    Differs,
}

/// What is compared with the live object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Against<'k> {
    /// The object as the server would have it: every field counts.
    Server,
    /// The object of this group and kind as a person declared it: what the server leaves out or fills in is no difference.
    Declaration(&'k str, &'k str),
}

impl<'k> Against<'k> {
    /// What is declared so.
    pub fn declaration(declared: &'k Value) -> Self {
        let text = |key| declared.get(key).and_then(Value::as_str).unwrap_or_default();
        let group = api_group(text("apiVersion"));
        Self::Declaration(group, text("kind"))
    }

    /// Whether an empty value may stand for what the server has here.
    fn is_filled_in(self, path: &Path) -> bool {
        matches!(self, Self::Declaration(group, kind) if is_filled_in(group, kind, path))
    }
}

/// Lists of plain values to which several may add (`x-kubernetes-list-type: set`).
const SHARED: &[&str] = &["finalizers"];

/// Lists of which the order means nothing, by the name of their field. They are replaced whole, so that a change is one of
/// the whole list.
const UNORDERED: &[&str] = &[
    "accessModes",
    "add",
    "apiGroups",
    "apiVersions",
    "categories",
    "drop",
    "dnsNames",
    "hosts",
    "imagePullSecrets",
    "ipFamilies",
    "loadBalancerSourceRanges",
    "matchExpressions",
    "mountOptions",
    "namespaces",
    "nonResourceURLs",
    "operations",
    "policyTypes",
    "resourceNames",
    "resources",
    "secrets",
    "shortNames",
    "subjects",
    "topologyKeys",
    "usages",
    "values",
    "verbs",
];

/// Mappings of texts: an empty one is there, too.
pub(super) const TEXT_MAPS: &[&str] = &[
    "labels",
    "annotations",
    "matchLabels",
    "nodeSelector",
    "data",
    "stringData",
];

/// Other fields whose texts are texts: never a quantity in another spelling.
const TEXTS: &[&str] = &["args", "command", "env"];

/// Fields at or above quantities, which have several spellings (`1000m` and `1`, `0.5Gi` and `512Mi`).
const QUANTITIES: &[&str] = &[
    "averageValue",
    "capacity",
    "cpu",
    "default",
    "defaultRequest",
    "divisor",
    "ephemeral-storage",
    "hard",
    "limits",
    "max",
    "maxLimitRequestRatio",
    "memory",
    "min",
    "overhead",
    "requests",
    "size",
    "sizeLimit",
    "storage",
    "value",
];

/// Compares two trees; the differences come in the order in which they are met.
pub(super) fn walk(wanted: &Value, live: &Value, against: Against<'_>) -> Vec<(Path, Side)> {
    Walk::over(wanted, live, &Path::default(), against)
}

/// The fields of `live` that `declared` does not have: the topmost of each.
pub(super) fn undeclared(declared: &Value, live: &Value) -> Vec<Path> {
    let found = walk(declared, live, Against::declaration(declared));
    let only = found.into_iter().filter(|(_, side)| *side == Side::OnlyLive);
    only.map(|(path, _)| path).collect()
}

/// Whether two values are one at this place.
pub(super) fn same(path: &Path, wanted: &Value, live: &Value, against: Against<'_>) -> bool {
    Walk::over(wanted, live, path, against).is_empty()
}

struct Walk<'k> {
    against: Against<'k>,
    found: Vec<(Path, Side)>,
}

impl<'k> Walk<'k> {
    fn over(wanted: &Value, live: &Value, path: &Path, against: Against<'k>) -> Vec<(Path, Side)> {
        let mut walk = Walk {
            against,
            found: Vec::new(),
        };
        walk.values(wanted, live, path);
        walk.found
    }

    fn values(&mut self, wanted: &Value, live: &Value, path: &Path) {
        // Most of what is compared is the same, and then the way to each field in it need not be known.
        if wanted == live {
            return;
        }
        match (wanted, live) {
            (Value::Object(wanted), Value::Object(live)) => self.maps(wanted, live, path),
            (Value::Array(wanted), Value::Array(live)) => self.lists(wanted, live, path),
            _ if self.same(wanted, live, path) => {}
            // An empty text stands for the default (`imagePullPolicy`, `clusterIP`).
            (Value::String(text), Value::String(_))
                if text.is_empty() && !is_text(path) && self.against.is_filled_in(path) => {}
            _ => self.found.push((path.clone(), Side::Differs)),
        }
    }

    /// Whether two plain values that are written differently are one.
    fn same(&self, wanted: &Value, live: &Value, path: &Path) -> bool {
        match (wanted, live) {
            _ if is_text(path) => false,
            (Value::Number(wanted), Value::Number(live)) => wanted.as_f64() == live.as_f64(),
            _ if QUANTITIES.iter().any(|name| path.has(name)) => same_scalar(wanted, live),
            _ => is_nothing(wanted) && is_nothing(live) && self.against.is_filled_in(path),
        }
    }

    fn maps(&mut self, wanted: &Map<String, Value>, live: &Map<String, Value>, path: &Path) {
        for (key, value) in wanted {
            let path = path.child(Step::Field(key.clone()));
            match live.get(key) {
                _ if value.is_null() && self.against != Against::Server => {}
                Some(live) => self.values(value, live, &path),
                None if self.may_be_absent(value, &path) => {}
                None => self.found.push((path, Side::OnlyWanted)),
            }
        }
        for (key, value) in live {
            if !wanted.contains_key(key) && !value.is_null() {
                self.found.push((path.child(Step::Field(key.clone())), Side::OnlyLive));
            }
        }
    }

    /// Values that a server leaves out.
    fn may_be_absent(&self, value: &Value, path: &Path) -> bool {
        match self.against {
            Against::Server => value.is_null(),
            Against::Declaration(group, kind) => is_left_out(group, kind, value, path),
        }
    }

    fn lists(&mut self, wanted: &[Value], live: &[Value], path: &Path) {
        let name = path.last_field();
        let keys = match self.against {
            Against::Server => keys_of_both(wanted, live),
            Against::Declaration(..) => keys_of(if wanted.is_empty() { live } else { wanted }),
        };
        if SHARED.contains(&name) && is_plain(wanted) && is_plain(live) {
            self.sets(wanted, live, path);
        } else if let Some(keys) = keys {
            self.keyed(wanted, live, keys, path);
        } else if UNORDERED.contains(&name) {
            if !self.same_in_any_order(wanted, live, path) {
                self.found.push((path.clone(), Side::Differs));
            }
        } else if wanted.len() != live.len() || is_plain(wanted) {
            let step = |index| path.child(Step::Index(index));
            let against = self.against;
            let mut pairs = wanted.iter().zip(live).enumerate();
            if wanted.len() != live.len() || !pairs.all(|(at, (a, b))| same(&step(at), a, b, against)) {
                self.found.push((path.clone(), Side::Differs));
            }
        } else {
            for (index, (wanted, live)) in wanted.iter().zip(live).enumerate() {
                self.values(wanted, live, &path.child(Step::Index(index)));
            }
        }
    }

    fn sets(&mut self, wanted: &[Value], live: &[Value], path: &Path) {
        let item = |value: &Value| path.child(Step::Item(value.clone()));
        let missing = wanted.iter().filter(|value| !live.contains(value));
        self.found.extend(missing.map(|value| (item(value), Side::OnlyWanted)));
        let added = live.iter().filter(|value| !wanted.contains(value));
        self.found.extend(added.map(|value| (item(value), Side::OnlyLive)));
    }

    fn keyed(&mut self, wanted: &[Value], live: &[Value], keys: Keys, path: &Path) {
        let mut taken = vec![false; live.len()];
        for element in wanted {
            let step = path.child(Step::to(element, keys));
            let same = |other: &Value| keys.iter().all(|key| element.get(key) == other.get(key));
            match live.iter().position(same) {
                Some(at) => {
                    taken[at] = true;
                    self.values(element, &live[at], &step);
                }
                None => self.found.push((step, Side::OnlyWanted)),
            }
        }
        // Elements that only a fuller key tells from a declared one (a port in a second protocol).
        let fuller = keys_of(live);
        for (at, element) in live.iter().enumerate().filter(|(at, _)| !taken[*at]) {
            let step = fuller.map_or(Step::Index(at), |keys| Step::to(element, keys));
            self.found.push((path.child(step), Side::OnlyLive));
        }
    }

    fn same_in_any_order(&self, wanted: &[Value], live: &[Value], path: &Path) -> bool {
        let mut rest: Vec<&Value> = live.iter().collect();
        let taken = |one: &Value, rest: &mut Vec<&Value>| {
            // What the server fills in does not make another element.
            let fits = |other: &&Value| {
                let found = Self::over(one, other, path, self.against);
                let filled_in = |side| self.against != Against::Server && side == Side::OnlyLive;
                found.into_iter().all(|(_, side)| filled_in(side))
            };
            let at = rest.iter().position(fits);
            at.map(|at| rest.swap_remove(at)).is_some()
        };
        wanted.len() == live.len() && wanted.iter().all(|one| taken(one, &mut rest))
    }
}

/// Whether what stands there is a text, whatever it looks like.
fn is_text(path: &Path) -> bool {
    TEXT_MAPS.iter().chain(TEXTS).any(|name| path.has(name))
}

pub(super) fn is_plain(list: &[Value]) -> bool {
    list.iter().all(|value| !value.is_object() && !value.is_array())
}
