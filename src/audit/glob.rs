//! Patterns: `*` stands for any text, `?` for one character.

/// Whether the whole of `text` fits `pattern`. Linear in practice, quadratic at worst, never more.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last star does not fit: the place after the star, and one more character for it.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                p += 1;
                retry = Some((p, t));
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after, taken)) => {
                    p = after;
                    t = taken + 1;
                    retry = Some((after, t));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
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
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a?", "a"), ("*b", "abc"), ("a*b*c", "acb"), ("", "a")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
        assert!(!fits(&"*a".repeat(30), &"a".repeat(2000).replace("aaaa", "aaab")));
    }
}
