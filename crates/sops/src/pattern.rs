//! Regular expressions as Go writes them.

use regex::bytes::{Regex, RegexBuilder};

use crate::error::Error;

/// Compiles an expression of RE2, the syntax of Go. What differs from the `regex` crate is rewritten: `\d`, `\s`, `\w` and `\b` are ASCII,
/// `\Q…\E` quotes, and brackets neither nest nor intersect.
pub(crate) fn compile(field: &str, pattern: &str) -> Result<Regex, Error> {
    RegexBuilder::new(&rewritten(pattern))
        .octal(true)
        .size_limit(4 << 20)
        .build()
        .map_err(|error| Error::Pattern {
            field: field.to_owned(),
            message: match error {
                regex::Error::CompiledTooBig(_) => "too big".to_owned(),
                error => {
                    let text = error.to_string();
                    let last = text.lines().last().unwrap_or_default();
                    last.trim_start_matches("error: ").to_owned()
                }
            },
        })
}

fn rewritten(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    let mut class = Class::Outside;
    while let Some(c) = rest.chars().next() {
        let inside = class != Class::Outside;
        if let Some(quoted) = rest.strip_prefix(r"\Q").filter(|_| !inside) {
            let (text, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
            out.push_str(&regex::escape(text));
            rest = after;
            continue;
        }
        if c == '\\' {
            let escape: String = rest.chars().take(2).collect();
            out.push_str(&ascii(&escape, inside));
            rest = &rest[escape.len()..];
            class = class.next();
            continue;
        }
        if let Some(end) = rest.find(":]").filter(|_| inside && rest.starts_with("[:")) {
            out.push_str(&rest[..end + 2]);
            rest = &rest[end + 2..];
            class = class.next();
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match (class, c) {
            (Class::Outside, '[') => {
                class = Class::First;
                out.push('[');
                if let Some(after) = rest.strip_prefix('^') {
                    out.push('^');
                    rest = after;
                }
                continue;
            }
            (Class::Later, ']') => {
                class = Class::Outside;
                out.push(']');
                continue;
            }
            (Class::First, ']') => out.push_str(r"\]"),
            (Class::First | Class::Later, '[' | '&' | '~') => out.extend(['\\', c]),
            (Class::First, '-') => out.push_str(r"\-"),
            (Class::Later, '-') if rest.starts_with(']') => out.push_str(r"\-"),
            _ => out.push(c),
        }
        class = class.next();
    }
    out
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Outside,
    /// Right behind `[` or `[^`, where `]` is a character.
    First,
    Later,
}

impl Class {
    fn next(self) -> Self {
        if self == Class::First { Class::Later } else { self }
    }
}

fn ascii(escape: &str, inside: bool) -> String {
    let class = match escape {
        r"\d" => "[0-9]",
        r"\D" => "[^0-9]",
        r"\w" => "[0-9A-Za-z_]",
        r"\W" => "[^0-9A-Za-z_]",
        r"\s" => r"[\t\n\f\r ]",
        r"\S" => r"[^\t\n\f\r ]",
        r"\b" if !inside => r"(?-u:\b)",
        r"\B" if !inside => r"(?-u:\B)",
        _ => escape,
    };
    class.to_owned()
}

#[cfg(test)]
mod tests {
    use super::compile;

    #[test]
    fn the_syntax_is_that_of_go() {
        for (pattern, text, fits) in [
            ("^(data|stringData)$", "stringData", true),
            ("^(data|stringData)$", "data\n", false),
            (r"\d", "٣", false),
            (r"^[\w-]+$", "a-b_1", true),
            (r"[[a]", "[", true),
            (r"[]a]", "]", true),
            (r"[^]a]", "]", false),
            (r"[a&&b]", "&", true),
            (r"^\Qa.b\E$", "axb", false),
            (r"[[:digit:]x]", "7", true),
            (r"(?i)PASS", "my_password", true),
        ] {
            let regex = compile("x", pattern).expect(pattern);
            assert_eq!(regex.is_match(text.as_bytes()), fits, "{pattern} on {text}");
        }
        assert!(compile("x", "a(?=b)").is_err());
    }
}
