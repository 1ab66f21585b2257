//! The functions of templates: Go's own, sprig's, and those that Argo CD adds (`applicationset/utils/utils.go`).

mod builtin;
mod encode;
mod kinds;
mod lists;
mod maps;
mod numbers;
mod patterns;
mod slug;
mod texts;

use std::rc::Rc;

pub(crate) use maps::merge_over;
pub(crate) use patterns::compile;

use super::bounds::{Bounds, LONGEST};
use super::print::display;
use super::{Failure, Value};

/// The type of a parameter, in Go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    /// `any`.
    Any,
    /// `reflect.Value`, with which nothing stays nothing.
    Raw,
    Text,
    Int,
    Float,
    Bool,
    Map,
}

impl Type {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Type::Any => "interface {}",
            Type::Raw => "reflect.Value",
            Type::Text => "string",
            Type::Int => "int",
            Type::Float => "float64",
            Type::Bool => "bool",
            Type::Map => "map[string]interface {}",
        }
    }
}

type Run = fn(&mut Bounds, &[Value]) -> Result<Value, Failure>;

/// A function.
pub(crate) struct Function {
    pub name: &'static str,
    pub params: &'static [Type],
    /// The type of any number of arguments after those.
    pub rest: Option<Type>,
    pub run: Run,
}

const fn fixed(name: &'static str, params: &'static [Type], run: Run) -> Function {
    Function {
        name,
        params,
        rest: None,
        run,
    }
}

const fn variadic(name: &'static str, params: &'static [Type], rest: Type, run: Run) -> Function {
    Function {
        name,
        params,
        rest: Some(rest),
        run,
    }
}

const TABLES: &[&[Function]] = &[
    builtin::FUNCTIONS,
    texts::FUNCTIONS,
    numbers::FUNCTIONS,
    lists::FUNCTIONS,
    maps::FUNCTIONS,
    kinds::FUNCTIONS,
    encode::FUNCTIONS,
    patterns::FUNCTIONS,
    slug::FUNCTIONS,
];

/// What sprig has and this crate has not, and why.
const UNSUPPORTED: &[(&str, &[&str])] = &[
    (
        "it reads the clock",
        &[
            "ago",
            "now",
            "date",
            "dateInZone",
            "dateModify",
            "date_in_zone",
            "date_modify",
            "duration",
            "durationRound",
            "htmlDate",
            "htmlDateInZone",
            "mustDateModify",
            "mustToDate",
            "must_date_modify",
            "toDate",
            "unixEpoch",
        ],
    ),
    (
        "its result is random",
        &[
            "bcrypt",
            "derivePassword",
            "encryptAES",
            "genCA",
            "genCAWithKey",
            "genPrivateKey",
            "genSelfSignedCert",
            "genSelfSignedCertWithKey",
            "genSignedCert",
            "genSignedCertWithKey",
            "htpasswd",
            "randAlpha",
            "randAlphaNum",
            "randAscii",
            "randBytes",
            "randInt",
            "randNumeric",
            "shuffle",
            "uuidv4",
        ],
    ),
    (
        "it is not supported here",
        &[
            "add1f",
            "addf",
            "adler32sum",
            "b32dec",
            "b32enc",
            "buildCustomCert",
            "call",
            "camelcase",
            "decryptAES",
            "divf",
            "hello",
            "initials",
            "kebabcase",
            "maxf",
            "minf",
            "mulf",
            "osBase",
            "osClean",
            "osDir",
            "osExt",
            "osIsAbs",
            "semver",
            "semverCompare",
            "sha1sum",
            "snakecase",
            "subf",
            "swapcase",
            "toDecimal",
            "untitle",
            "urlJoin",
            "urlParse",
            "wrap",
            "wrapWith",
        ],
    ),
];

/// Whether Argo CD knows a function of that name.
pub(crate) fn known(name: &str) -> bool {
    lookup(name).is_some() || reason(name).is_some()
}

fn lookup(name: &str) -> Option<&'static Function> {
    TABLES.iter().copied().flatten().find(|function| function.name == name)
}

fn reason(name: &str) -> Option<&'static str> {
    UNSUPPORTED
        .iter()
        .find(|(_, names)| names.contains(&name))
        .map(|(reason, _)| *reason)
}

/// A function by its name.
pub(crate) fn find(name: &str) -> Result<&'static Function, Failure> {
    match (lookup(name), reason(name)) {
        (Some(function), _) => Ok(function),
        (None, Some(reason)) => Err(Failure::new(format!(
            "the function {name} cannot be used here: {reason}"
        ))),
        (None, None) => Err(Failure::new(format!("function {name:?} not defined"))),
    }
}

fn fail<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::new(message))
}

/// An argument that is a text, as its parameter's type says.
fn text(args: &[Value], at: usize) -> Rc<str> {
    match args.get(at) {
        Some(Value::Text(text)) => text.clone(),
        _ => "".into(),
    }
}

/// An argument that is an `int`, as its parameter's type says.
fn int(args: &[Value], at: usize) -> i64 {
    match args.get(at) {
        Some(Value::Int(number)) => *number,
        _ => 0,
    }
}

/// A text that is not too long.
fn short(text: String) -> Result<Value, Failure> {
    match text.len() > LONGEST {
        true => fail(format!("a text is longer than {LONGEST} bytes")),
        false => Ok(Value::from(text)),
    }
}

/// `strval` of sprig.
fn strval(value: &Value) -> Result<Rc<str>, Failure> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        other => display(other).map(Into::into),
    }
}

/// `strslice` of sprig: a list as texts, without what is nothing.
fn strslice(value: &Value) -> Result<Vec<Rc<str>>, Failure> {
    let Some(items) = value.items() else {
        return if value.is_nothing() {
            Ok(Vec::new())
        } else {
            Ok(vec![strval(value)?])
        };
    };
    let (mut texts, mut made) = (Vec::new(), 0);
    for item in items.iter().filter(|item| !item.is_nothing()) {
        let text = strval(item)?;
        made += if item.is_collection() { text.len() } else { 0 };
        if made > LONGEST {
            return fail(format!("a text is longer than {LONGEST} bytes"));
        }
        texts.push(text);
    }
    Ok(texts)
}

/// Texts with another between them, if that is not too long.
fn joined_texts(texts: &[Rc<str>], between: &str) -> Result<Value, Failure> {
    let length = texts
        .iter()
        .fold(0_usize, |sum, text| sum.saturating_add(text.len() + between.len()));
    match length > LONGEST + between.len() {
        true => fail(format!("a text is longer than {LONGEST} bytes")),
        false => Ok(Value::from(texts.join(between))),
    }
}

/// A list of either type, for a function that takes no other.
fn items(value: &Value, name: &str) -> Result<Vec<Value>, Failure> {
    match value.items() {
        Some(items) => Ok(items),
        None => fail(format!("Cannot find {name} on type {}", value.kind_name())),
    }
}

/// A new list of values, counted where it holds others.
fn list(bounds: &mut Bounds, items: Vec<Value>) -> Result<Value, Failure> {
    bounds.step(items.len())?;
    if items.iter().any(Value::is_collection) {
        bounds.nest()?;
    }
    Ok(Value::list(items))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_in_two_tables() {
        let mut names: Vec<&str> = TABLES.iter().copied().flatten().map(|function| function.name).collect();
        names.extend(UNSUPPORTED.iter().flat_map(|(_, names)| names.iter()));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn each_function_has_a_way_to_be_called() {
        let mut bounds = Bounds::default();
        for function in TABLES.iter().copied().flatten() {
            // None panics on nothing at all, which no template can hand over but in the number that is asked for.
            let args = vec![Value::Absent; function.params.len()];
            let _ = (function.run)(&mut bounds, &args);
        }
    }
}
