//! Expressions of the Common Expression Language, as Flux evaluates them.
//!
//! Source: `github.com/fluxcd/pkg/runtime/cel` (expression.go).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::thread;

use cel::common::types::LIST_TYPE;
use cel::common::value::CowVal;
use cel::{Context, Env, ExecutionError, Program, extensions};
use regex::Regex;
use serde_json::Value;

/// An expression that says yes or no of objects.
#[derive(Clone)]
pub struct Cel {
    text: Arc<str>,
    program: Arc<Program>,
}

/// Why an expression says neither yes nor no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CelFault {
    /// It cannot be evaluated, whatever the objects are: a name that nothing has, no truth value. One line.
    Broken(String),
    /// Not of these objects: something that it asks for is not there. One line.
    Unknown(String),
}

/// The libraries that Flux adds to those of the language.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    let added = env
        .add_extension(extensions::strings)
        .and_then(|()| env.add_extension(extensions::encoders))
        .and_then(|()| env.add_extension(sets));
    added.expect("because none of them is added twice");
    Arc::new(env)
});

impl Cel {
    /// Reads one.
    ///
    /// # Errors
    /// When it is no expression; one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        within_limits(text)?;
        let program = on_a_deep_stack(|| ENV.compile(text).map_err(|errors| of_parser(&errors.to_string(), text)))??;
        Ok(Self {
            text: text.trim().into(),
            program: Arc::new(program),
        })
    }

    /// What it says, with these variables.
    ///
    /// # Errors
    /// When it says neither yes nor no.
    pub fn holds<'v>(
        &self,
        variables: impl IntoIterator<Item = (&'v str, &'v Value)> + Send,
    ) -> Result<bool, CelFault> {
        on_a_deep_stack(|| self.evaluated(variables)).map_err(CelFault::Unknown)?
    }

    fn evaluated<'v>(&self, variables: impl IntoIterator<Item = (&'v str, &'v Value)>) -> Result<bool, CelFault> {
        let mut context = Context::with_env(Arc::clone(&ENV));
        for (name, value) in variables {
            context.add_variable_from_value(name, of_json(value));
        }
        match self.program.execute(&context) {
            Ok(cel::Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(CelFault::Broken(format!("it is a {}, not a bool", other.type_of()))),
            Err(ExecutionError::NoSuchKey(key)) => Err(CelFault::Unknown(format!("there is no {key}"))),
            Err(ExecutionError::UndeclaredReference(name)) => Err(CelFault::Broken(format!("it has no {name}"))),
            // Others quote values at length, and those may be of Secrets.
            Err(ExecutionError::NoSuchOverload(error)) => Err(CelFault::Unknown(error.to_string())),
            Err(ExecutionError::IndexOutOfBounds(_)) => {
                Err(CelFault::Unknown("a list is shorter than that".to_owned()))
            }
            Err(_) => Err(CelFault::Unknown("it fails on what is there".to_owned())),
        }
    }
}

/// What a parser says first, without all that it would have taken: what is wrong, and where in which line.
fn of_parser(errors: &str, text: &str) -> String {
    const AROUND: usize = 30;
    let first = errors.lines().next().unwrap_or_default();
    let first = first.trim_start_matches("ERROR: <input>:").trim();
    let mut parts = first.splitn(3, ':');
    let (line, column, message) = (parts.next(), parts.next(), parts.next());
    let number = |part: Option<&str>| part.and_then(|part| part.parse::<usize>().ok());
    let (Some(line), Some(column), Some(message)) = (number(line), number(column), message) else {
        return first.to_owned();
    };
    let message = message.trim().trim_start_matches("Syntax error: ");
    let message = message.split(" expecting ").next().unwrap_or(message);
    let all: Vec<char> = text
        .lines()
        .nth(line.saturating_sub(1))
        .unwrap_or_default()
        .chars()
        .collect();
    let (begin, end) = (column.saturating_sub(AROUND), all.len().min(column + AROUND));
    let shown: String = all.get(begin..end).unwrap_or_default().iter().collect();
    let (before, after) = (if begin > 0 { "…" } else { "" }, if end < all.len() { "…" } else { "" });
    let place = match text.lines().count() {
        0 | 1 => format!("column {column}"),
        _ => format!("line {line}, column {column}"),
    };
    format!("{message} at {place}: {before}{shown}{after}")
}

/// Names, numbers, signs and texts in an expression: it may be as deep as it has of them.
const MOST_TOKENS: usize = 1_000;
/// Brackets within each other.
const MOST_LEVELS: usize = 32;
/// Loops within each other: each multiplies the time.
const MOST_LOOPS: usize = 3;
/// Enough for what is within the limits, four times over. It is taken as it is used.
const STACK: usize = 256 << 20;

/// Parser and interpreter go as deep as an expression does, and need much of the stack for each level.
fn on_a_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    thread::scope(|scope| {
        let started = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        let started = started.map_err(|cause| format!("there is no room to evaluate it: {cause}"))?;
        started
            .join()
            .map_err(|_| "it cannot be evaluated, by a bug in refloat".to_owned())
    })
}

/// Refuses what takes too deep a stack or too long.
fn within_limits(text: &str) -> Result<(), String> {
    let token = Regex::new(r#"(?s)"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|//[^\n]*|\w+|[^\s\w]"#);
    let token = token.expect("because it stands here");
    let (mut open, mut last, mut count) = (Vec::new(), "", 0);
    for found in token.find_iter(text) {
        count += 1;
        match found.as_str() {
            "(" => open.push(matches!(
                last,
                "all" | "exists" | "exists_one" | "filter" | "map" | "optMap" | "optFlatMap"
            )),
            "[" | "{" => open.push(false),
            ")" | "]" | "}" => _ = open.pop(),
            _ => {}
        }
        let loops = open.iter().filter(|is_loop| **is_loop).count();
        if count > MOST_TOKENS || open.len() > MOST_LEVELS || loops > MOST_LOOPS {
            return Err(format!(
                "it is longer than {MOST_TOKENS} tokens, or has more than {MOST_LEVELS} brackets or {MOST_LOOPS} loops in each other"
            ));
        }
        last = found.as_str();
    }
    Ok(())
}

/// Whole numbers are such, whatever their sign.
fn of_json(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => cel::Value::Int(whole),
            (None, Some(float)) => cel::Value::Float(float),
            (None, None) => cel::Value::Null,
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(all) => all.iter().map(of_json).collect::<Vec<_>>().into(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.clone(), of_json(value)));
            fields.collect::<HashMap<_, _>>().into()
        }
    }
}

/// `sets.contains`, `sets.equivalent` and `sets.intersects`.
fn sets(env: &mut Env) -> Result<(), cel::DeclarationError> {
    let lists = || vec![LIST_TYPE, LIST_TYPE];
    env.add_overload("sets.contains", "list_sets_contains_list", lists(), |args| {
        of_lists(&args, |left, right| right.iter().all(|one| left.contains(one)))
    })?;
    env.add_overload("sets.equivalent", "list_sets_equivalent_list", lists(), |args| {
        of_lists(&args, |left, right| {
            left.iter().all(|one| right.contains(one)) && right.iter().all(|one| left.contains(one))
        })
    })?;
    env.add_overload("sets.intersects", "list_sets_intersects_list", lists(), |args| {
        of_lists(&args, |left, right| left.iter().any(|one| right.contains(one)))
    })
}

fn of_lists<'b, 'v>(
    args: &[CowVal<'b, 'v>],
    judge: fn(&[cel::Value], &[cel::Value]) -> bool,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let list = |at: usize| match args.get(at).map(|one| cel::Value::try_from(one.as_ref())) {
        Some(Ok(cel::Value::List(all))) => Ok(all),
        _ => Err(ExecutionError::missing_argument_or_target()),
    };
    let holds = judge(&list(0)?, &list(1)?);
    Ok(CowVal::owned(cel::common::types::CelBool::from(holds)))
}

impl fmt::Debug for Cel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Display for Cel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Cel {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Cel {}

impl fmt::Display for CelFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(why) | Self::Unknown(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(text: &str, value: &Value) -> Result<bool, CelFault> {
        let expression = Cel::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        let fields = value.as_object().expect("because it is an object");
        expression.holds(fields.iter().map(|(name, value)| (&**name, value)))
    }

    #[test]
    fn what_is_no_expression_is_told_in_short() {
        for (text, told) in [
            (
                "status.conditions.filter(e, e.type == 'Ready').all(e, e.status == ) && status.phase == 'x'",
                "mismatched input ')' at column 67: … 'Ready').all(e, e.status == ) && status.phase == 'x'",
            ),
            (
                "a == 1 &&\n  b == ]",
                "mismatched input ']' at line 2, column 8:   b == ]",
            ),
        ] {
            assert_eq!(Cel::parse(text).err().as_deref(), Some(told));
        }
    }

    /// Of its documentation: `docs/spec/v1/kustomizations.md`, `docs/cheatsheets/cel-healthchecks.md`.
    #[test]
    fn what_flux_documents_says_yes_and_no() {
        let ready = json!({
            "metadata": {"generation": 3, "labels": {"app/version": "v1"}},
            "status": {
                "observedGeneration": 3, "phase": "Bound", "share": 0.5,
                "conditions": [{"type": "Ready", "status": "True"}, {"type": "Synced", "status": "False", "observedGeneration": 3}],
            },
        });
        for (text, expected) in [
            (
                "status.conditions.filter(e, e.type == 'Ready').all(e, e.status == 'True')",
                true,
            ),
            (
                "status.conditions.exists(e, e.type == 'Synced' && e.status == 'True')",
                false,
            ),
            (
                "has(status.observedGeneration) && metadata.generation == status.observedGeneration",
                true,
            ),
            (
                "has(status.conditions) && status.conditions.all(e, e.observedGeneration == 3)",
                false,
            ),
            ("metadata.labels['app/version'] == 'v1'", true),
            (
                "status.phase in ['Bound', 'Ready'] && status.phase.lowerAscii().startsWith('bo')",
                true,
            ),
            (
                "status.?missing.orValue(1) == 1 && status.share < 1 && status.observedGeneration + 1 == 4",
                true,
            ),
            (
                "sets.contains(['a', 'b'], ['b']) && sets.intersects([1, 2], [2]) && !sets.equivalent([1], [2])",
                true,
            ),
            (
                "base64.encode(b'hello') == 'aGVsbG8=' && 'a,b'.split(',').size() == 2",
                true,
            ),
            (
                "timestamp('2026-01-02T03:04:05Z') < timestamp('2026-01-02T03:05:05Z')",
                true,
            ),
        ] {
            let said = holds(text, &ready);
            let expected = match text.contains(".all(e, e.observedGeneration") {
                // The first lacks it.
                true => Err(CelFault::Unknown("there is no observedGeneration".to_owned())),
                false => Ok(expected),
            };
            assert_eq!(said, expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let fresh = json!({"metadata": {"name": "x"}, "secret": "s3cr3t"});
        let broken = |why: &str| Err(CelFault::Broken(why.to_owned()));
        let unknown = |why: &str| Err(CelFault::Unknown(why.to_owned()));
        assert_eq!(holds("metadata.name", &fresh), broken("it is a string, not a bool"));
        assert_eq!(holds("status.phase == 'Bound'", &fresh), broken("it has no status"));
        assert_eq!(holds("metadata.uid == ''", &fresh), unknown("there is no uid"));
        for text in [
            "secret + 1 == 2",
            "secret < 1",
            "[][1] == 1",
            "int(secret) == 1",
            "secret.matches('(')",
        ] {
            let said = holds(text, &fresh);
            assert!(
                matches!(&said, Err(CelFault::Unknown(why)) if !why.contains("s3cr3t")),
                "{said:?}"
            );
        }
        for text in ["", "status.", "a ==", "a && ", "'", "has(a)"] {
            let why = Cel::parse(text).expect_err(text);
            assert!(!why.contains('\n'), "{why}");
        }
    }

    #[test]
    fn what_is_deep_or_long_is_refused_or_read_in_no_time() {
        for (start, middle, end) in [
            ("(", "a", ")"),
            ("[", "1", "]"),
            ("{1: ", "1", "}"),
            ("a[", "1", "]"),
            ("!", "a", ""),
            ("- ", "1", ""),
            ("a(", "", ")"),
            ("[1, 2].all(x, ", "true", ")"),
            ("a.", "a", ""),
            ("a || ", "a", ""),
            ("1 + ", "1", ""),
            ("1 == ", "1", ""),
            ("a ? b : ", "a", ""),
        ] {
            for number in [3, 32, 495, 20_000] {
                let text = format!("{}{middle}{}", start.repeat(number), end.repeat(number));
                let parsed = Cel::parse(&text);
                assert!(parsed.is_err() || number < 20_000, "{start}");
                let said = parsed.map(|one| one.holds([("a", &Value::Bool(true))]));
                assert!(said.is_ok() || number > 3, "{start}: {said:?}");
            }
        }
        assert!(Cel::parse("'((((((((((((((((((((((((((((((((((((((((((((((((((((' == ''").is_ok());
    }
}
