//! Functions of texts (sprig's `strings.go`, `functions.go`).

use std::rc::Rc;

use super::super::print::quoted;
use super::Type::{Any, Int, Text};
use super::{
    Failure, Function, LONGEST, Value, fail, fixed, int, joined_texts, short, strslice, strval, text, variadic,
};

type Result<T> = std::result::Result<T, Failure>;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("lower", &[Text], |_, args| short(text(args, 0).to_lowercase())),
    fixed("upper", &[Text], |_, args| short(text(args, 0).to_uppercase())),
    fixed("title", &[Text], |_, args| short(title(&text(args, 0)))),
    fixed("trim", &[Text], |_, args| Ok(Value::from(text(args, 0).trim()))),
    fixed("trimAll", &[Text, Text], |_, args| trim_all(args)),
    fixed("trimall", &[Text, Text], |_, args| trim_all(args)),
    fixed("trimPrefix", &[Text, Text], |_, args| {
        let (prefix, of) = (text(args, 0), text(args, 1));
        Ok(Value::from(of.strip_prefix(&*prefix).unwrap_or(&of)))
    }),
    fixed("trimSuffix", &[Text, Text], |_, args| {
        let (suffix, of) = (text(args, 0), text(args, 1));
        Ok(Value::from(of.strip_suffix(&*suffix).unwrap_or(&of)))
    }),
    fixed("nospace", &[Text], |_, args| {
        Ok(Value::from(text(args, 0).split_whitespace().collect::<String>()))
    }),
    fixed("contains", &[Text, Text], |_, args| {
        Ok(Value::Bool(text(args, 1).contains(&*text(args, 0))))
    }),
    fixed("hasPrefix", &[Text, Text], |_, args| {
        Ok(Value::Bool(text(args, 1).starts_with(&*text(args, 0))))
    }),
    fixed("hasSuffix", &[Text, Text], |_, args| {
        Ok(Value::Bool(text(args, 1).ends_with(&*text(args, 0))))
    }),
    fixed("replace", &[Text, Text, Text], |_, args| {
        let (old, new, of) = (text(args, 0), text(args, 1), text(args, 2));
        if of.len().saturating_add(1).saturating_mul(new.len().max(1)) > 64 * LONGEST {
            return fail(format!("a text is longer than {LONGEST} bytes"));
        }
        short(of.replace(&*old, &new))
    }),
    fixed("repeat", &[Int, Text], |_, args| {
        let of = text(args, 1);
        let Ok(count) = usize::try_from(int(args, 0)) else {
            return fail("strings: negative Repeat count");
        };
        match of.len().saturating_mul(count) > LONGEST {
            true => fail(format!("a text is longer than {LONGEST} bytes")),
            false => Ok(Value::from(of.repeat(count))),
        }
    }),
    fixed("trunc", &[Int, Text], |_, args| trunc(int(args, 0), &text(args, 1))),
    fixed("substr", &[Int, Int, Text], |_, args| {
        substr(int(args, 0), int(args, 1), &text(args, 2))
    }),
    fixed("abbrev", &[Int, Text], |_, args| {
        let (width, of) = (int(args, 0), text(args, 1));
        match usize::try_from(width) {
            Ok(width) if width >= 4 && of.len() > width => short(format!("{}...", bytes(&of, 0, width - 3)?)),
            _ => Ok(Value::Text(of)),
        }
    }),
    variadic("quote", &[], Any, |_, args| {
        joined(args, " ", |of| Ok(quoted(&strval(of)?)))
    }),
    variadic("squote", &[], Any, |_, args| {
        joined(args, " ", |of| Ok(format!("'{}'", strval(of)?)))
    }),
    variadic("cat", &[], Any, |_, args| {
        joined(args, " ", |of| Ok(strval(of)?.to_string()))
    }),
    fixed("indent", &[Int, Text], |_, args| indent(args).and_then(short)),
    fixed("nindent", &[Int, Text], |_, args| short(format!("\n{}", indent(args)?))),
    fixed("plural", &[Text, Text, Int], |_, args| {
        Ok(Value::Text(text(args, if int(args, 2) == 1 { 0 } else { 1 })))
    }),
    fixed("toString", &[Any], |_, args| strval(&args[0]).map(Value::Text)),
    fixed("toStrings", &[Any], |_, args| Ok(Value::texts(strslice(&args[0])?))),
    fixed("splitList", &[Text, Text], |_, args| {
        Ok(Value::texts(pieces(&text(args, 0), &text(args, 1), None)))
    }),
    fixed("split", &[Text, Text], |_, args| {
        Ok(numbered(pieces(&text(args, 0), &text(args, 1), None)))
    }),
    fixed("splitn", &[Text, Int, Text], |_, args| {
        let count = int(args, 1);
        match usize::try_from(count) {
            Ok(0) => Ok(numbered(Vec::new())),
            count => Ok(numbered(pieces(&text(args, 0), &text(args, 2), count.ok()))),
        }
    }),
    fixed("join", &[Text, Any], |_, args| {
        joined_texts(&strslice(&args[1])?, &text(args, 0))
    }),
    fixed("fail", &[Text], |_, args| fail(text(args, 0).to_string())),
    fixed("base", &[Text], |_, args| {
        Ok(Value::from(crate::paths::base(&text(args, 0))))
    }),
    fixed("dir", &[Text], |_, args| {
        Ok(Value::from(crate::paths::dir(&text(args, 0))))
    }),
    fixed("clean", &[Text], |_, args| {
        Ok(Value::from(crate::paths::clean(&text(args, 0))))
    }),
    fixed("ext", &[Text], |_, args| {
        let of = text(args, 0);
        let last = of.rsplit('/').next().unwrap_or_default();
        Ok(Value::from(last.rfind('.').map_or("", |at| &last[at..])))
    }),
    fixed("isAbs", &[Text], |_, args| {
        Ok(Value::Bool(text(args, 0).starts_with('/')))
    }),
];

fn trim_all(args: &[Value]) -> Result<Value> {
    let (set, of) = (text(args, 0), text(args, 1));
    Ok(Value::from(of.trim_matches(|c| set.contains(c))))
}

/// The bytes of a text from one place to another. A character that is cut in two has no text to be.
fn bytes(of: &str, from: usize, to: usize) -> Result<&str> {
    match of.get(from..to) {
        Some(part) => Ok(part),
        None if from > to || to > of.len() => fail("slice bounds out of range"),
        None => fail("a text is cut within a character"),
    }
}

fn trunc(count: i64, of: &str) -> Result<Value> {
    let len = i64::try_from(of.len()).unwrap_or(i64::MAX);
    let part = match count {
        count if count < 0 && len + count > 0 => bytes(of, usize::try_from(len + count).unwrap_or(0), of.len())?,
        count if count >= 0 && len > count => bytes(of, 0, usize::try_from(count).unwrap_or(0))?,
        _ => of,
    };
    Ok(Value::from(part))
}

fn substr(start: i64, end: i64, of: &str) -> Result<Value> {
    let place = |at: i64| usize::try_from(at).unwrap_or(usize::MAX);
    let part = match (start, end) {
        (start, end) if start < 0 => bytes(of, 0, place(end))?,
        (start, end) if end < 0 || place(end) > of.len() => bytes(of, place(start), of.len())?,
        (start, end) => bytes(of, place(start), place(end))?,
    };
    Ok(Value::from(part))
}

fn joined(args: &[Value], between: &str, each: fn(&Value) -> Result<String>) -> Result<Value> {
    let mut out = String::new();
    for (at, value) in args.iter().filter(|value| !value.is_nothing()).enumerate() {
        if at > 0 {
            out.push_str(between);
        }
        out.push_str(&each(value)?);
        if out.len() > LONGEST {
            return fail(format!("a text is longer than {LONGEST} bytes"));
        }
    }
    Ok(Value::from(out))
}

fn indent(args: &[Value]) -> Result<String> {
    let of = text(args, 1);
    let Ok(count) = usize::try_from(int(args, 0)) else {
        return fail("strings: negative Repeat count");
    };
    if count.saturating_mul(of.matches('\n').count() + 1) > LONGEST {
        return fail(format!("a text is longer than {LONGEST} bytes"));
    }
    let pad = " ".repeat(count);
    Ok(format!("{pad}{}", of.replace('\n', &format!("\n{pad}"))))
}

/// `strings.Split` and `strings.SplitN`: the empty separator splits characters.
fn pieces(separator: &str, of: &str, most: Option<usize>) -> Vec<Rc<str>> {
    let most = most.unwrap_or(usize::MAX);
    if !separator.is_empty() {
        return of.splitn(most, separator).map(Into::into).collect();
    }
    let mut pieces = Vec::new();
    let mut rest = of;
    while let Some(first) = rest.chars().next() {
        let end = if pieces.len() + 1 >= most {
            rest.len()
        } else {
            first.len_utf8()
        };
        pieces.push(rest[..end].into());
        rest = &rest[end..];
    }
    pieces
}

/// A map with keys `_0`, `_1`, ….
fn numbered(pieces: Vec<Rc<str>>) -> Value {
    let entries = pieces.into_iter().enumerate();
    Value::TextMap(Rc::new(
        entries.map(|(at, piece)| (Rc::from(format!("_{at}")), piece)).collect(),
    ))
}

/// Go's `strings.Title`.
fn title(of: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    for c in of.chars() {
        let separates = match before.is_ascii() {
            true => !before.is_ascii_alphanumeric() && before != '_',
            false => !before.is_alphanumeric() && before.is_whitespace(),
        };
        match separates {
            true => out.extend(c.to_uppercase()),
            false => out.push(c),
        }
        before = c;
    }
    out
}
