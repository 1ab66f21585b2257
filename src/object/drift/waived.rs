//! Which of the fields that drifted the engine was told to leave alone.

use serde_json::{Map, Value};

use super::path::Path;
use super::walk::{Against, same};
use crate::object::{FieldChange, Waived, Waiver};

/// Tokens of a JSON pointer.
type Tokens = Vec<String>;

/// The waivers of an object, with the fields that they mean in the declaration and in the live object: lists may be in another order.
pub(super) struct Waivers<'a> {
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    waiver: &'a Waiver,
    declared: Vec<Tokens>,
    live: Vec<Tokens>,
}

impl<'a> Waivers<'a> {
    pub fn new(waivers: &'a [Waiver], declared: &Value, live: &Value) -> Self {
        let row = |waiver: &'a Waiver| {
            let means = |object: &Value| match &waiver.what {
                Waived::Pointer(pointer) => tokens(pointer).into_iter().collect(),
                Waived::Expression(expression) => expression.pointers(object),
                Waived::All | Waived::Additions | Waived::Managers(_) => Vec::new(),
            };
            Row {
                waiver,
                declared: means(declared),
                live: means(live),
            }
        };
        Self {
            rows: waivers.iter().map(row).collect(),
        }
    }

    /// Who says that this field is left alone. `owners` are the names of those, but for the declarer, who own it live.
    pub fn of(
        &self,
        (path, change): (&Path, FieldChange),
        (declared, live): (&Value, &Value),
        owners: impl Fn() -> Vec<&'a str>,
    ) -> Option<&'a str> {
        let here = |object| path.tokens(object);
        let against = Against::declaration(declared);
        // What is compared must be there; of an added field there is nothing declared.
        let declared = here(declared).and_then(|at| Some((at, path.at(declared)?)));
        let declared = declared.filter(|_| change != FieldChange::Added);
        let live = here(live).and_then(|at| Some((at, path.at(live)?)));
        let live = live.filter(|_| change != FieldChange::Removed);
        let said = |row: &&Row<'a>| match &row.waiver.what {
            Waived::All => true,
            Waived::Additions => change == FieldChange::Added,
            Waived::Managers(names) => {
                let owners = owners();
                let trusted = owners.iter().all(|owner| names.iter().any(|name| name == owner));
                change != FieldChange::Removed && trusted && !owners.is_empty()
            }
            Waived::Pointer(_) | Waived::Expression(_) => {
                covers(&row.declared, declared.as_ref())
                    || covers(&row.live, live.as_ref())
                    || nothing_else(row, path, declared.as_ref(), live.as_ref(), against)
            }
        };
        self.rows.iter().find(said).map(|row| row.waiver.by.as_str())
    }
}

/// Whether a field or something above it is meant.
fn covers(means: &[Tokens], field: Option<&(Tokens, &Value)>) -> bool {
    field.is_some_and(|(at, _)| means.iter().any(|meant| at.starts_with(meant)))
}

/// Whether a field differs in what is meant below it only.
fn nothing_else(
    row: &Row<'_>,
    path: &Path,
    declared: Option<&(Tokens, &Value)>,
    live: Option<&(Tokens, &Value)>,
    against: Against<'_>,
) -> bool {
    let rest = |means: &[Tokens], field: Option<&(Tokens, &Value)>| {
        let (at, value) = field?;
        let below = means.iter().filter_map(|meant| meant.strip_prefix(&at[..]));
        let mut below: Vec<&[String]> = below.collect();
        // Of a list the last go first, so that numbers hold.
        below.sort_by_key(|tokens| tokens.iter().map(|token| number(token)).collect::<Vec<_>>());
        let mut value = (*value).clone();
        let mut taken = false;
        for tokens in below.into_iter().rev() {
            taken |= take(&mut value, tokens);
        }
        Some((without_empty(value), taken))
    };
    match (rest(&row.declared, declared), rest(&row.live, live)) {
        (Some((Some(one), a)), Some((Some(other), b))) => (a || b) && same(path, &one, &other, against),
        (Some((None, a)), Some((None, b))) => a || b,
        (Some((None, taken)), None) | (None, Some((None, taken))) => taken,
        _ => false,
    }
}

/// Sorts numbers as numbers, before names.
fn number(token: &str) -> (usize, &str) {
    token.parse().map_or((usize::MAX, token), |number| (number, ""))
}

/// Takes out what is at a pointer; whether there was something.
fn take(value: &mut Value, tokens: &[String]) -> bool {
    match (tokens, value) {
        ([last], Value::Object(map)) => map.shift_remove(last).is_some(),
        ([last], Value::Array(list)) => match last.parse::<usize>() {
            Ok(index) if index < list.len() => {
                list.remove(index);
                true
            }
            _ => false,
        },
        ([first, rest @ ..], Value::Object(map)) => map.get_mut(first).is_some_and(|value| take(value, rest)),
        ([first, rest @ ..], Value::Array(list)) => {
            let index = first.parse::<usize>().ok();
            index
                .and_then(|index| list.get_mut(index))
                .is_some_and(|value| take(value, rest))
        }
        _ => false,
    }
}

/// Without mappings and lists in which there is nothing; `None` where nothing is left.
fn without_empty(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) => {
            let kept = map
                .into_iter()
                .filter_map(|(key, value)| Some((key, without_empty(value)?)));
            let kept: Map<String, Value> = kept.collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(list) => {
            let kept: Vec<Value> = list.into_iter().filter_map(without_empty).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        plain => Some(plain),
    }
}

/// The tokens of a JSON pointer; `None` where it is none.
fn tokens(pointer: &str) -> Option<Tokens> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    let rest = pointer.strip_prefix('/')?;
    Some(
        rest.split('/')
            .map(|token| token.replace("~1", "/").replace("~0", "~"))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::path::Step;
    use super::*;
    use crate::object::Expression;
    use serde_json::json;

    /// A path from names, numbers and `key=value`.
    fn path(text: &str) -> Path {
        let step = |part: &str| match (part.parse(), part.split_once('=')) {
            (Ok(index), _) => Step::Index(index),
            (_, Some(("name", value))) => Step::to(&json!({"name": value}), &["name"]),
            _ => Step::Field(part.to_owned()),
        };
        Path(text.split(' ').map(step).collect())
    }

    fn declared() -> Value {
        json!({"spec": {"replicas": 2, "args": ["a", "b"], "containers": [{"name": "web", "image": "web:1"}, {"name": "log", "image": "log:1"}],
            "selector": {"app": "web"}, "limits": {"cpu": "1"}}, "metadata": {"annotations": {"a/b": "1"}}})
    }

    fn live() -> Value {
        json!({"spec": {"replicas": 3, "args": ["x", "b"], "containers": [{"name": "proxy", "image": "proxy:1", "env": {"a": "1"}},
            {"name": "log", "image": "log:2"}, {"name": "web", "image": "web:2"}], "limits": {"memory": "1Gi", "cpu": "1"}}, "metadata": {}})
    }

    fn waived(what: &Waived, change: FieldChange, at: &str, owners: &[&'static str]) -> bool {
        let waivers = [Waiver {
            by: "unit".to_owned(),
            what: what.clone(),
        }];
        let (declared, live) = (declared(), live());
        let said = Waivers::new(&waivers, &declared, &live);
        said.of((&path(at), change), (&declared, &live), || owners.to_vec())
            .is_some()
    }

    #[test]
    fn what_a_pointer_means_and_what_is_below_it() {
        use FieldChange::{Added, Changed, Removed};
        let pointer = |text: &str| Waived::Pointer(text.to_owned());
        for (meant, change, at, expected) in [
            ("/spec/replicas", Changed, "spec replicas", true),
            ("/spec/replicas", Changed, "spec args", false),
            ("/spec", Changed, "spec replicas", true),
            ("/spec/rep", Changed, "spec replicas", false),
            ("", Changed, "spec replicas", true),
            ("spec/replicas", Changed, "spec replicas", false),
            ("/metadata/annotations/a~1b", Removed, "metadata annotations a/b", true),
            // Numbers count in the declaration and in the live object, each for itself.
            (
                "/spec/containers/1/image",
                Changed,
                "spec containers name=log image",
                true,
            ),
            (
                "/spec/containers/0/image",
                Changed,
                "spec containers name=web image",
                true,
            ),
            (
                "/spec/containers/1/image",
                Changed,
                "spec containers name=web image",
                false,
            ),
            ("/spec/containers/0", Added, "spec containers name=proxy", true),
            ("/spec/containers/0/image", Added, "spec containers name=proxy", false),
            // A list that is one piece differs in one element only.
            ("/spec/args/0", Changed, "spec args", true),
            ("/spec/args/1", Changed, "spec args", false),
            ("/spec/limits/memory", Changed, "spec limits", true),
            ("/spec/limits/cpu", Changed, "spec limits", false),
            ("/spec/selector/app", Removed, "spec selector", true),
            ("/spec/selector/other", Removed, "spec selector", false),
        ] {
            assert_eq!(waived(&pointer(meant), change, at, &[]), expected, "{meant} {at}");
        }
    }

    #[test]
    fn what_an_expression_means_additions_managers_and_all() {
        use FieldChange::{Added, Changed, Removed};
        let expression = |text: &str| Waived::Expression(Expression::parse(text).expect("because it is one"));
        let proxy = expression(r#".spec.containers[] | select(.name == "proxy")"#);
        assert!(waived(&proxy, Added, "spec containers name=proxy", &[]));
        assert!(!waived(&proxy, Changed, "spec containers name=web image", &[]));
        let all_parts = expression(r#".spec.containers[] | select(.name == "proxy") | .name, .image, .env.a"#);
        assert!(
            waived(&all_parts, Added, "spec containers name=proxy", &[]),
            "nothing else is in it"
        );
        assert!(waived(&Waived::Additions, Added, "spec containers name=proxy", &[]));
        assert!(!waived(&Waived::Additions, Changed, "spec replicas", &[]));
        assert!(waived(&Waived::All, Removed, "spec selector", &[]));
        let managers = Waived::Managers(vec!["scaler".to_owned(), "other".to_owned()]);
        assert!(waived(&managers, Changed, "spec replicas", &["scaler"]));
        assert!(waived(&managers, Changed, "spec replicas", &["scaler", "other"]));
        assert!(!waived(
            &managers,
            Changed,
            "spec replicas",
            &["scaler", "kubectl-edit"]
        ));
        assert!(!waived(&managers, Changed, "spec replicas", &[]));
        assert!(
            !waived(&managers, Removed, "spec selector", &[]),
            "nobody owns what is not there"
        );
    }

    #[test]
    fn pointers_are_taken_from_the_end_of_a_list() {
        let mut list = json!({"l": (0..12).collect::<Vec<_>>()});
        let means: Vec<Tokens> = ["/l/2", "/l/10", "/l/11"]
            .iter()
            .filter_map(|text| tokens(text))
            .collect();
        let mut sorted = means.clone();
        sorted.sort_by_key(|tokens| {
            tokens
                .iter()
                .map(|token| number(token))
                .map(|(n, t)| (n, t.to_owned()))
                .collect::<Vec<_>>()
        });
        for tokens in sorted.iter().rev() {
            assert!(take(&mut list, tokens));
        }
        assert_eq!(list, json!({"l": [0, 1, 3, 4, 5, 6, 7, 8, 9]}));
        assert!(
            !take(&mut list, &["l".to_owned(), "99".to_owned()]) && !take(&mut list, &["x".to_owned(), "y".to_owned()])
        );
    }
}
