//! Patterns: `*` stands for any text, `?` for one character.

/// Whether the whole of `text` fits `pattern`. Linear in practice, quadratic at worst, never more. Takes no memory: large clusters
/// are asked about millions of times.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, bytes) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last star does not fit: the place after the star, and one more character for it.
    let mut retry: Option<(usize, usize)> = None;
    while t < bytes.len() {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                if p == pattern.len() {
                    return true;
                }
                retry = Some((p, t));
            }
            Some(b'?') => {
                p += 1;
                t = next(text, t);
            }
            Some(&byte) if byte == bytes[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after, taken)) => {
                    p = after;
                    t = next(text, taken);
                    retry = Some((after, t));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Where the character ends that begins at `at`.
fn next(text: &str, at: usize) -> usize {
    let mut end = at + 1;
    while !text.is_char_boundary(end) {
        end += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text) in [
            ("*", ""),
            ("a*", "abc"),
            ("*-token-*", "default-token-x"),
            ("a?c", "abc"),
            ("*.*.c", "a.b.c"),
            ("a*b*c", "aXbbXc"),
            ("", ""),
            ("a?c*?", "aéc→"),
            ("*?", "é"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("a", "ab"),
            ("a?", "a"),
            ("*b", "abc"),
            ("a*b*c", "acb"),
            ("", "a"),
            ("*??", "é"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
        assert!(!fits(&"*a".repeat(30), &"a".repeat(2000).replace("aaaa", "aaab")));
    }
}
