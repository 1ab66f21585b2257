//! Pieces of text that the renderers share: escaping, durations, counts, lists.

use std::fmt::Display;
use std::time::Duration;

use crate::error::printable;
use crate::object::ObjectId;

/// One line: control characters escaped, newlines too. For names and for whatever stands in the middle of a line.
pub(super) fn one_line(text: impl Display) -> String {
    let text = printable(text.to_string().trim_end());
    if text.contains('\n') {
        text.replace('\n', "\\n")
    } else {
        text
    }
}

/// A message that may have several lines: control characters escaped, its second and later lines indented.
pub(super) fn message(text: &str, indent: &str) -> String {
    printable(text.trim_end()).replace('\n', &format!("\n{indent}"))
}

/// What the server said of an object. Of a Secret, the values that some messages quote are masked.
pub(super) fn said_of(id: &ObjectId, text: &str) -> String {
    if !id.is("", "Secret") {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = after_value(rest) {
        let (head, tail) = rest.split_at(at);
        out.push_str(head);
        out.push_str("***");
        rest = &tail[end_of_value(tail)..];
    }
    out.push_str(rest);
    out
}

/// Where the text after the next `value:` begins.
fn after_value(text: &str) -> Option<usize> {
    let at = text.to_ascii_lowercase().find("value:")? + "value:".len();
    let spaces = text[at..].len() - text[at..].trim_start_matches(' ').len();
    Some(at + spaces)
}

/// The length of a quoted string, or of what stands before a closing brace, or of all there is.
fn end_of_value(text: &str) -> usize {
    if !text.starts_with('"') {
        return text.find('}').unwrap_or(text.len());
    }
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' if !escaped => escaped = true,
            _ => escaped = false,
        }
    }
    text.len()
}

/// `0.3s`, `42.1s`, `2m05s`, `1h02m05s`.
pub(super) fn took(time: Duration) -> String {
    let tenths = (time.as_millis() + 50) / 100;
    if tenths < 600 {
        return format!("{}.{}s", tenths / 10, tenths % 10);
    }
    let seconds = tenths / 10;
    match seconds / 3600 {
        0 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        hours => format!("{hours}h{:02}m{:02}s", seconds / 60 % 60, seconds % 60),
    }
}

/// `1 object`, `2 objects`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// How many in a second, as `1.9`; `0.0` where no time went by.
pub(super) fn per_second(number: usize, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds < 0.001 {
        return 0.0;
    }
    (number as f64 / seconds * 10.0).round() / 10.0
}

/// `a, b, c and 9 more`.
pub(super) fn listed<T: Display>(items: &[T], at_most: usize) -> String {
    let shown: Vec<String> = items.iter().take(at_most).map(one_line).collect();
    let rest = items.len().saturating_sub(at_most);
    match rest {
        0 => shown.join(", "),
        _ => format!("{} and {rest} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well_at_every_size() {
        for (millis, text) in [
            (0, "0.0s"),
            (349, "0.3s"),
            (59_940, "59.9s"),
            (59_960, "1m00s"),
            (125_000, "2m05s"),
            (3_725_000, "1h02m05s"),
        ] {
            assert_eq!(took(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn lists_are_cut_and_escaped() {
        assert_eq!(listed(&["a", "b\nc"], 10), "a, b\\nc");
        assert_eq!(listed(&["a", "b", "c"], 2), "a, b and 1 more");
        assert_eq!(listed::<&str>(&[], 2), "");
    }

    #[test]
    fn values_of_secrets_are_masked_in_messages() {
        let secret = ObjectId::new("", "Secret", Some("shop"), "db");
        for (said, shown) in [
            (
                r#"Secret "db" is invalid: data[p]: Invalid value: "can\"ary": must be x"#,
                r#"Secret "db" is invalid: data[p]: Invalid value: ***: must be x"#,
            ),
            (
                ".data.p: expected string, got &value.valueUnstructured{Value:canary two}; .x: got {Value:3}",
                ".data.p: expected string, got &value.valueUnstructured{Value:***}; .x: got {Value:***}",
            ),
            ("Invalid value: canary", "Invalid value: ***"),
            (r#"Invalid value: "canary"#, "Invalid value: ***"),
            ("exceeded quota", "exceeded quota"),
        ] {
            assert_eq!(said_of(&secret, said), shown);
        }
        let config = ObjectId::new("", "ConfigMap", Some("shop"), "db");
        assert_eq!(said_of(&config, "Invalid value: x"), "Invalid value: x");
    }
}
