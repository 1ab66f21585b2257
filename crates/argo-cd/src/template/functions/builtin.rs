//! Go's own functions (`text/template/funcs.go`).

use super::super::print::display;
use super::super::printf::sprintf;
use super::Type::{Any, Raw, Text};
use super::{Failure, Function, LONGEST, Value, fail, fixed, short, text, variadic};

type Result<T> = std::result::Result<T, Failure>;

pub(super) const FUNCTIONS: &[Function] = &[
    // These two evaluate their arguments one by one, which the caller does.
    variadic("and", &[Raw], Raw, |_, args| {
        Ok(args.first().cloned().unwrap_or(Value::Absent))
    }),
    variadic("or", &[Raw], Raw, |_, args| {
        Ok(args.first().cloned().unwrap_or(Value::Absent))
    }),
    fixed("not", &[Raw], |_, args| Ok(Value::Bool(!args[0].truth()))),
    variadic("eq", &[Raw], Raw, |_, args| eq(args).map(Value::Bool)),
    fixed("ne", &[Raw, Raw], |_, args| eq(args).map(|equal| Value::Bool(!equal))),
    fixed("lt", &[Raw, Raw], |_, args| less(args).map(Value::Bool)),
    fixed("le", &[Raw, Raw], |_, args| Ok(Value::Bool(less(args)? || eq(args)?))),
    fixed("gt", &[Raw, Raw], |_, args| {
        Ok(Value::Bool(!(less(args)? || eq(args)?)))
    }),
    fixed("ge", &[Raw, Raw], |_, args| less(args).map(|less| Value::Bool(!less))),
    variadic("index", &[Raw], Raw, |_, args| index(args)),
    fixed("len", &[Raw], |_, args| match (&args[0], args[0].len()) {
        (_, Some(len)) => Ok(Value::Int(i64::try_from(len).unwrap_or(i64::MAX))),
        (Value::Absent | Value::Nil, _) => fail("len of nil pointer"),
        (other, _) => fail(format!("len of type {}", other.type_name())),
    }),
    variadic("print", &[], Any, |_, args| print(args)),
    variadic("println", &[], Any, |_, args| {
        let texts: Result<Vec<_>> = args.iter().map(display).collect();
        short(texts?.join(" ") + "\n")
    }),
    variadic("printf", &[Text], Any, |_, args| {
        short(sprintf(&text(args, 0), args.get(1..).unwrap_or_default())?)
    }),
    variadic("html", &[], Any, |_, args| {
        escaped(args, |c| match c {
            '\0' => Some("\u{fffd}"),
            '"' => Some("&#34;"),
            '\'' => Some("&#39;"),
            '&' => Some("&amp;"),
            '<' => Some("&lt;"),
            '>' => Some("&gt;"),
            _ => None,
        })
    }),
    variadic("js", &[], Any, |_, args| {
        escaped(args, |c| match c {
            '\\' => Some("\\\\"),
            '\'' => Some("\\'"),
            '"' => Some("\\\""),
            '<' => Some("\\u003C"),
            '>' => Some("\\u003E"),
            '&' => Some("\\u0026"),
            '=' => Some("\\u003D"),
            '\n' => Some("\\u000A"),
            '\r' => Some("\\u000D"),
            '\t' => Some("\\u0009"),
            _ => None,
        })
    }),
    variadic("urlquery", &[], Any, |_, args| {
        let mut out = String::new();
        for byte in joined(args)?.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
                b' ' => out.push('+'),
                byte => out.push_str(&format!("%{byte:02X}")),
            }
        }
        short(out)
    }),
];

/// `fmt.Sprint`: a blank between two that are both no text.
fn print(args: &[Value]) -> Result<Value> {
    let mut out = String::new();
    for (at, value) in args.iter().enumerate() {
        let texts = matches!(value, Value::Text(_)) || at > 0 && matches!(args[at - 1], Value::Text(_));
        if at > 0 && !texts {
            out.push(' ');
        }
        out.push_str(&display(value)?);
        if out.len() > LONGEST {
            break;
        }
    }
    short(out)
}

fn joined(args: &[Value]) -> Result<String> {
    // Unlike `print` these have words of their own for nothing (`evalArgs`).
    let worded = |value: &Value| {
        if value.is_nothing() {
            Value::from("<no value>")
        } else {
            value.clone()
        }
    };
    let args: Vec<Value> = args.iter().map(worded).collect();
    match print(&args)? {
        Value::Text(text) => Ok(text.to_string()),
        _ => Ok(String::new()),
    }
}

fn escaped(args: &[Value], escape: fn(char) -> Option<&'static str>) -> Result<Value> {
    let mut out = String::new();
    for c in joined(args)?.chars() {
        match escape(c) {
            Some(text) => out.push_str(text),
            None => out.push(c),
        }
    }
    short(out)
}

/// Whether the first equals any of the others.
fn eq(args: &[Value]) -> Result<bool> {
    let [first, others @ ..] = args else {
        return fail("missing argument for comparison");
    };
    if others.is_empty() {
        return fail("missing argument for comparison");
    }
    for other in others {
        let equal = match (first, other) {
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a) | Value::Int64(a), Value::Int(b) | Value::Int64(b)) => a == b,
            // As Go compares them.
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            (a, b) if a.is_nothing() || b.is_nothing() => a.is_nothing() == b.is_nothing(),
            (a, b) if a.is_collection() && b.is_collection() => {
                return fail(format!("non-comparable types {}, {}", a.type_name(), b.type_name()));
            }
            _ => return fail("incompatible types for comparison"),
        };
        if equal {
            return Ok(true);
        }
    }
    Ok(false)
}

fn less(args: &[Value]) -> Result<bool> {
    match (&args[0], &args[1]) {
        (Value::Int(a) | Value::Int64(a), Value::Int(b) | Value::Int64(b)) => Ok(a < b),
        (Value::Float(a), Value::Float(b)) => Ok(a < b),
        (Value::Text(a), Value::Text(b)) => Ok(a < b),
        (
            Value::Int(_) | Value::Int64(_) | Value::Float(_) | Value::Text(_),
            Value::Int(_) | Value::Int64(_) | Value::Float(_) | Value::Text(_),
        ) => fail("incompatible types for comparison"),
        _ => fail("invalid type for comparison"),
    }
}

/// What stands at some indexes of lists, texts and maps.
fn index(args: &[Value]) -> Result<Value> {
    let Some((first, indexes)) = args.split_first() else {
        return fail("index of untyped nil");
    };
    let mut value = first.clone();
    if value.is_nothing() {
        return fail("index of untyped nil");
    }
    for index in indexes {
        value = match (&value, index) {
            (Value::Absent | Value::Nil, _) => return fail("index of nil pointer"),
            (Value::Map(entries), Value::Text(key)) => entries.borrow().get(key).cloned().unwrap_or(Value::Nil),
            (Value::TextMap(entries), Value::Text(key)) => {
                Value::Text(entries.get(key).cloned().unwrap_or_else(|| "".into()))
            }
            (Value::Map(_) | Value::TextMap(_), key) => {
                return fail(format!("value has type {}; should be string", key.type_name()));
            }
            (Value::List(_) | Value::Texts(_) | Value::Ints(_) | Value::Text(_), Value::Int(at) | Value::Int64(at)) => {
                let item = usize::try_from(*at).ok().and_then(|at| match &value {
                    Value::List(items) => items.get(at).cloned(),
                    Value::Texts(items) => items.get(at).cloned().map(Value::Text),
                    Value::Ints(items) => items.get(at).copied().map(Value::Int),
                    Value::Text(text) => text.as_bytes().get(at).map(|byte| Value::Int64(i64::from(*byte))),
                    _ => None,
                });
                match item {
                    Some(item) => item,
                    None => return fail(format!("index out of range: {at}")),
                }
            }
            (Value::List(_) | Value::Texts(_) | Value::Ints(_) | Value::Text(_), Value::Absent | Value::Nil) => {
                return fail("cannot index slice/array with nil");
            }
            (Value::List(_) | Value::Texts(_) | Value::Ints(_) | Value::Text(_), at) => {
                return fail(format!("cannot index slice/array with type {}", at.type_name()));
            }
            (other, _) => return fail(format!("can't index item of type {}", other.type_name())),
        };
    }
    Ok(value)
}
