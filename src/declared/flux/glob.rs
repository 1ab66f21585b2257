//! Globs over paths, as regular expressions. Pure.
//!
//! Source: Go's `path.Match`, and `github.com/bmatcuk/doublestar`.

use regex::Regex;

/// A glob over paths. Only where it is `double` does `**` stand for any number of folders, and `{a,b}` for either; else it is a `*`.
pub(super) fn glob(pattern: &str, double: bool) -> Option<Regex> {
    Regex::new(&format!("^{}$", expression(pattern, double)?)).ok()
}

/// A glob as a regular expression without anchors.
pub(super) fn expression(pattern: &str, double: bool) -> Option<String> {
    let mut text = String::new();
    let mut depth = 0;
    let mut rest = pattern;
    while let Some(one) = rest.chars().next() {
        rest = &rest[one.len_utf8()..];
        let starts = rest.starts_with('*') && (text.is_empty() || text.ends_with('/'));
        match one {
            '*' if double && starts && rest.starts_with("*/") => {
                text.push_str("(?:.*/)?");
                rest = &rest[2..];
            }
            '*' if double && starts && rest == "*" => {
                text.push_str(".*");
                rest = "";
            }
            '*' => {
                text.push_str("[^/]*");
                rest = rest.trim_start_matches('*');
            }
            '?' => text.push_str("[^/]"),
            '\\' => {
                let next = rest.chars().next()?;
                text.push_str(&regex::escape(&next.to_string()));
                rest = &rest[next.len_utf8()..];
            }
            '[' => {
                let end = rest.char_indices().skip(1).find(|(_, one)| *one == ']')?.0;
                let class = rest[..end].replace('\\', r"\\").replace('[', r"\[");
                text.push_str(&format!("[{class}&&[^/]]"));
                rest = &rest[end + 1..];
            }
            '{' if double => {
                depth += 1;
                text.push_str("(?:");
            }
            ',' if depth > 0 => text.push('|'),
            '}' if depth > 0 => {
                depth -= 1;
                text.push(')');
            }
            other => text.push_str(&regex::escape(&other.to_string())),
        }
    }
    (depth == 0).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_stop_at_slashes_unless_they_are_double() {
        for (pattern, double, yes, no) in [
            ("*.yaml", false, &["a.yaml", ".yaml"][..], &["a/b.yaml", "a.yml"][..]),
            ("a/**", false, &["a/b"], &["a/b/c", "a"]),
            ("a/**", true, &["a/b", "a/b/c"], &["b"]),
            ("**/x", true, &["x", "a/x", "a/b/x"], &["ax"]),
            ("[a-c]?", false, &["ab", "c1"], &["a", "a/", "d1"]),
            ("{a,b}.md", true, &["a.md", "b.md"], &["c.md"]),
            ("{a,b}.md", false, &["{a,b}.md"], &["a.md"]),
            (r"\*", false, &["*"], &["a"]),
        ] {
            let matcher = glob(pattern, double).expect(pattern);
            assert!(yes.iter().all(|path| matcher.is_match(path)), "{pattern}: {yes:?}");
            assert!(!no.iter().any(|path| matcher.is_match(path)), "{pattern}: {no:?}");
        }
        assert!(["[a", "{a", "a\\"].iter().all(|pattern| glob(pattern, true).is_none()));
    }
}
