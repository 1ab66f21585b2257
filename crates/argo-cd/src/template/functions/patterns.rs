//! Functions of regular expressions (sprig's `regex.go`), whose syntax is Go's.

use regex::{Regex, RegexBuilder};

use super::Type::{Int, Text};
use super::{Failure, Function, LONGEST, Value, fail, fixed, int, short, text};

type Result<T> = std::result::Result<T, Failure>;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("regexMatch", &[Text, Text], |_, args| {
        Ok(Value::Bool(
            compile(&text(args, 0)).is_ok_and(|regex| regex.is_match(&text(args, 1))),
        ))
    }),
    fixed("mustRegexMatch", &[Text, Text], |_, args| {
        Ok(Value::Bool(compile(&text(args, 0))?.is_match(&text(args, 1))))
    }),
    fixed("regexFind", &[Text, Text], |_, args| find(args)),
    fixed("mustRegexFind", &[Text, Text], |_, args| find(args)),
    fixed("regexFindAll", &[Text, Text, Int], |_, args| find_all(args)),
    fixed("mustRegexFindAll", &[Text, Text, Int], |_, args| find_all(args)),
    fixed("regexReplaceAll", &[Text, Text, Text], |_, args| replace_all(args)),
    fixed("mustRegexReplaceAll", &[Text, Text, Text], |_, args| replace_all(args)),
    fixed("regexReplaceAllLiteral", &[Text, Text, Text], |_, args| {
        replace_literal(args)
    }),
    fixed("mustRegexReplaceAllLiteral", &[Text, Text, Text], |_, args| {
        replace_literal(args)
    }),
    fixed("regexSplit", &[Text, Text, Int], |_, args| split(args)),
    fixed("mustRegexSplit", &[Text, Text, Int], |_, args| split(args)),
    fixed("regexQuoteMeta", &[Text], |_, args| {
        let mut out = String::new();
        for c in text(args, 0).chars() {
            if "\\.+*?()|[]{}^$".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
        short(out)
    }),
];

/// A pattern of Go in the syntax of the `regex` crate: classes are ASCII, and a bracket in a class is just one.
pub(crate) fn compile(pattern: &str) -> Result<Regex> {
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    let mut class = false;
    while let Some(c) = chars.next() {
        match (c, class) {
            ('\\', _) => match chars.next() {
                Some('d') => out.push_str(if class { "0-9" } else { "[0-9]" }),
                Some('w') => out.push_str(if class { "0-9A-Za-z_" } else { "[0-9A-Za-z_]" }),
                Some('s') => out.push_str(if class { "\\t\\n\\f\\r " } else { "[\\t\\n\\f\\r ]" }),
                Some('D') => out.push_str("[^0-9]"),
                Some('W') => out.push_str("[^0-9A-Za-z_]"),
                Some('S') => out.push_str("[^\\t\\n\\f\\r ]"),
                Some('b') if !class => out.push_str("(?-u:\\b)"),
                Some('B') if !class => out.push_str("(?-u:\\B)"),
                Some(named @ ('p' | 'P' | 'x')) => {
                    out.extend(['\\', named]);
                    if chars.peek() == Some(&'{') {
                        // The name of a class or a character, to its own end.
                        for c in chars.by_ref() {
                            out.push(c);
                            if c == '}' {
                                break;
                            }
                        }
                    }
                }
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            // Braces that count nothing are characters.
            ('{', false) if !counts(&chars.clone().collect::<String>()) => out.push_str("\\{"),
            ('[', false) => {
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                // A closing bracket that comes first is one of the class.
                if chars.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
                class = true;
            }
            ('[', true) if chars.peek() == Some(&':') => {
                // A named class, to its own end.
                out.push('[');
                for c in chars.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            ('[' | '&' | '~', true) => out.extend(['\\', c]),
            (']', true) => {
                out.push(']');
                class = false;
            }
            _ => out.push(c),
        }
    }
    match RegexBuilder::new(&out).size_limit(1 << 20).build() {
        Ok(regex) => Ok(regex),
        Err(_) => fail(format!("error parsing regexp: {pattern:?}")),
    }
}

/// Whether what follows a brace is a number of repetitions: `2}`, `2,}`, `2,3}`.
fn counts(rest: &str) -> bool {
    let Some((inside, _)) = rest.split_once('}') else {
        return false;
    };
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    !low.is_empty() && low.bytes().chain(high.bytes()).all(|b| b.is_ascii_digit())
}

fn find(args: &[Value]) -> Result<Value> {
    let of = text(args, 1);
    Ok(Value::from(
        compile(&text(args, 0))?.find(&of).map_or("", |found| found.as_str()),
    ))
}

/// At most so many as are asked for; all of them where that is negative.
fn most(args: &[Value]) -> usize {
    usize::try_from(int(args, 2)).unwrap_or(usize::MAX)
}

fn find_all(args: &[Value]) -> Result<Value> {
    let of = text(args, 1);
    let regex = compile(&text(args, 0))?;
    Ok(Value::texts(
        regex.find_iter(&of).take(most(args)).map(|found| found.as_str()),
    ))
}

/// Whether every place of a text may be replaced without end.
fn bounded(of: &str, with: &str) -> Result<()> {
    match (of.len() + 1).saturating_mul(with.len() + 1) > 64 * LONGEST {
        true => fail(format!("a text is longer than {LONGEST} bytes")),
        false => Ok(()),
    }
}

fn replace_all(args: &[Value]) -> Result<Value> {
    let of = text(args, 1);
    bounded(&of, &text(args, 2))?;
    short(compile(&text(args, 0))?.replace_all(&of, &*text(args, 2)).into_owned())
}

fn replace_literal(args: &[Value]) -> Result<Value> {
    let of = text(args, 1);
    let with = text(args, 2);
    bounded(&of, &with)?;
    short(
        compile(&text(args, 0))?
            .replace_all(&of, regex::NoExpand(&with))
            .into_owned(),
    )
}

/// Go's `Regexp.Split`.
fn split(args: &[Value]) -> Result<Value> {
    let (pattern, of, most) = (text(args, 0), text(args, 1), most(args));
    let regex = compile(&pattern)?;
    if most == 0 {
        return Ok(Value::list([]));
    }
    if !pattern.is_empty() && of.is_empty() {
        return Ok(Value::texts([""]));
    }
    let (mut pieces, mut start, mut end) = (Vec::new(), 0, 0);
    for found in regex.find_iter(&of) {
        if pieces.len() + 1 >= most {
            break;
        }
        end = found.start();
        if found.end() != 0 {
            pieces.push(of[start..end].to_owned());
        }
        start = found.end();
    }
    if end != of.len() {
        pieces.push(of[start..].to_owned());
    }
    Ok(Value::texts(pieces))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Go's `regexp` takes for characters, counts and names.
    #[test]
    fn braces() {
        for (pattern, text) in [
            ("^a{2}$", "aa"),
            ("^{}$", "{}"),
            ("^a{x}$", "a{x}"),
            ("^\\p{Lu}\\x{41}$", "ÄA"),
            ("^a{1,}b{,2}$", "aab{,2}"),
            ("^[{]$", "{"),
        ] {
            assert!(compile(pattern).is_ok_and(|regex| regex.is_match(text)), "{pattern}");
        }
    }
}
