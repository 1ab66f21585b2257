//! What kustomize makes of folded text (`>`).
//!
//! kustomize writes every object out once more before it is done, each text in the style that it came in. The writer of go-yaml v3
//! has a flaw with folded text: it looks at the first line of the text where it should look at the next one, and so puts an empty
//! line before every line that is indented further. What is read afterwards is another text.

/// A folded text after it was written by go-yaml v3 and read again.
pub(crate) fn rewritten(text: &str) -> String {
    // Such a text is written in quotes, which keep it as it is.
    if text.ends_with(' ') || text.contains(" \n") {
        return text.to_owned();
    }
    read(&written(text), text)
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The lines that go-yaml v3 writes.
fn written(text: &str) -> String {
    // The flaw: this is asked of the first line, each time.
    let first = text.trim_start_matches('\n').bytes().next();
    let adds_line = first.is_some_and(|byte| !is_blank(byte));
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive('\n') {
        out.push_str(line);
        let starts_text = line.bytes().next().is_some_and(|byte| byte != b'\n' && !is_blank(byte));
        if starts_text && line.ends_with('\n') && adds_line {
            out.push('\n');
        }
    }
    out
}

/// What folded lines mean; the end is kept, cut to one line feed, or dropped, as the writer says for the original text.
fn read(lines: &str, original: &str) -> String {
    let mut out = String::with_capacity(lines.len());
    // Line feeds since the last line with content, and whether that line was indented further.
    let (mut breaks, mut indented) = (0, true);
    for line in lines.split_inclusive('\n') {
        let content = line.strip_suffix('\n').unwrap_or(line);
        if !content.is_empty() {
            let more = content.bytes().next().is_some_and(is_blank);
            match breaks {
                0 => {}
                _ if out.is_empty() || indented || more => out.extend(std::iter::repeat_n('\n', breaks)),
                1 => out.push(' '),
                _ => out.extend(std::iter::repeat_n('\n', breaks - 1)),
            }
            out.push_str(content);
            (breaks, indented) = (0, more);
        }
        breaks += usize::from(line.ends_with('\n'));
    }
    match original {
        _ if !original.ends_with('\n') => {}
        _ if original.ends_with("\n\n") || original == "\n" => out.extend(std::iter::repeat_n('\n', breaks)),
        _ => out.push('\n'),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read off kustomize 5.8.1.
    #[test]
    fn folded_texts_come_out_as_kustomize_writes_them() {
        for (text, expected) in [
            ("a b\n", "a b\n"),
            ("a\nb", "a\nb"),
            ("a\n  b\nc\n", "a\n\n  b\nc\n"),
            ("a\n\nb\n  c\n  d\ne", "a\n\nb\n\n  c\n  d\ne"),
            ("a\n\n\n", "a\n\n\n\n"),
            ("  a\nb\nc\n", "  a\nb c\n"),
            ("\na\n b\n", "\na\n\n b\n"),
            ("a \n  b\n", "a \n  b\n"),
            ("a\n\n  b\n\n\n  c\nd\n\n", "a\n\n\n  b\n\n\n  c\nd\n\n\n"),
            ("  a\n   b\n\nc\n d\n\n\n", "  a\n   b\n\nc\n d\n\n\n"),
            ("", ""),
            ("\n", "\n"),
        ] {
            assert_eq!(rewritten(text), expected, "{text:?}");
        }
    }
}
