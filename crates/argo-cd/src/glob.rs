//! The four kinds of globs of Argo CD. All are matched place by place, in time that grows with pattern × text, whatever the pattern.

/// A pattern.
#[derive(Debug, Clone)]
pub(crate) struct Glob {
    pieces: Vec<Piece>,
    separator: Option<char>,
}

#[derive(Debug, Clone)]
enum Piece {
    Char(char),
    /// Any one character but a separator.
    One,
    /// Any number of characters but separators.
    Star,
    /// Any number of any characters.
    All,
    /// Any number of whole folders, each with its slash.
    Folders,
    /// The end, or a slash and anything.
    Below,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    Either(Vec<Vec<Piece>>),
}

/// Levels of alternatives.
const DEEPEST: usize = 20;

impl Glob {
    /// `gobwas/glob`, which `util/glob` wraps: `*` and `?` stop at the separator if there is one, `**` does not, `[a-c]`, `[!abc]`, `{a,b}`, and `\`
    /// before what is meant as such. `None` for one that does not compile.
    pub(crate) fn argo(pattern: &str, separator: Option<char>) -> Option<Self> {
        let mut reader = Reader::new(pattern);
        let pieces = reader.argo_pieces(0)?;
        Some(Glob { pieces, separator })
    }

    /// Go's `path.Match`.
    pub(crate) fn path(pattern: &str) -> Option<Self> {
        let pieces = Reader::new(pattern).go_pieces(0, false)?;
        Some(Glob {
            pieces,
            separator: Some('/'),
        })
    }

    /// `bmatcuk/doublestar`: `path.Match` with `**` for any number of folders, and `{a,b}`.
    pub(crate) fn doublestar(pattern: &str) -> Option<Self> {
        let pieces = Reader::new(pattern).go_pieces(0, true)?;
        Some(Glob {
            pieces,
            separator: Some('/'),
        })
    }

    /// Git's pathspec without magic: `*` and `?` match slashes too.
    pub(crate) fn pathspec(pattern: &str) -> Option<Self> {
        let pieces = Reader::new(pattern).go_pieces(0, false)?;
        Some(Glob {
            pieces,
            separator: None,
        })
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let mut places = vec![false; text.len() + 1];
        places[0] = true;
        let ends = self.follow(&self.pieces, &text, places);
        ends.last() == Some(&true)
    }

    /// From some places in a text to those where the pieces may end.
    fn follow(&self, pieces: &[Piece], text: &[char], mut places: Vec<bool>) -> Vec<bool> {
        for piece in pieces {
            if !places.contains(&true) {
                break;
            }
            places = self.step(piece, text, &places);
        }
        places
    }

    fn step(&self, piece: &Piece, text: &[char], places: &[bool]) -> Vec<bool> {
        let mut next = vec![false; places.len()];
        let is_separator = |c: char| Some(c) == self.separator;
        match piece {
            Piece::Either(branches) => {
                for branch in branches {
                    for (at, end) in self.follow(branch, text, places.to_vec()).into_iter().enumerate() {
                        next[at] |= end;
                    }
                }
            }
            Piece::Star | Piece::All => {
                let mut on = false;
                for at in 0..places.len() {
                    let stopped = at > 0 && matches!(piece, Piece::Star) && is_separator(text[at - 1]);
                    on = places[at] || on && !stopped;
                    next[at] = on;
                }
            }
            Piece::Folders => {
                let mut on = false;
                for at in 0..places.len() {
                    next[at] = places[at] || on && at > 0 && text[at - 1] == '/';
                    on |= places[at];
                }
            }
            Piece::Below => {
                let end = text.len();
                next[end] = (0..places.len()).any(|at| places[at] && (at == end || text[at] == '/'));
            }
            _ => {
                for (at, c) in text.iter().enumerate() {
                    let fits = match piece {
                        Piece::Char(wanted) => wanted == c,
                        Piece::One => !is_separator(*c),
                        Piece::Class { negated, ranges } => {
                            let inside = ranges.iter().any(|(low, high)| (low..=high).contains(&c));
                            inside != *negated
                        }
                        _ => false,
                    };
                    next[at + 1] |= places[at] && fits;
                }
            }
        }
        next
    }
}

struct Reader {
    rest: Vec<char>,
    at: usize,
}

impl Reader {
    fn new(pattern: &str) -> Self {
        Reader {
            rest: pattern.chars().collect(),
            at: 0,
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    /// Pieces up to the end, or within braces up to a comma or the closing brace, which stays.
    fn argo_pieces(&mut self, depth: usize) -> Option<Vec<Piece>> {
        let mut pieces = Vec::new();
        while let Some(c) = self.peek() {
            if depth > 0 && matches!(c, ',' | '}') {
                break;
            }
            self.at += 1;
            pieces.push(match c {
                '*' if self.take('*') => Piece::All,
                '*' => Piece::Star,
                '?' => Piece::One,
                '[' => self.argo_class()?,
                '{' => self.branches(depth, true, Self::argo_pieces)?,
                '\\' => match self.next() {
                    Some(c) => Piece::Char(c),
                    None => break,
                },
                c => Piece::Char(c),
            });
        }
        Some(pieces)
    }

    /// What stands in braces, which `open` ones may leave open at the end.
    fn branches(
        &mut self,
        depth: usize,
        open: bool,
        read: impl Fn(&mut Self, usize) -> Option<Vec<Piece>>,
    ) -> Option<Piece> {
        if depth >= DEEPEST {
            return None;
        }
        let mut branches = Vec::new();
        loop {
            branches.push(read(self, depth + 1)?);
            match self.next() {
                Some(',') => {}
                Some('}') => return Some(Piece::Either(branches)),
                None if open => return Some(Piece::Either(branches)),
                _ => return None,
            }
        }
    }

    /// `[a-c]` or a list of characters, in which `-` is one of them.
    fn argo_class(&mut self) -> Option<Piece> {
        let negated = self.take('!');
        let first = self.next()?;
        let mut ranges = Vec::new();
        if self.peek() == Some('-') {
            self.at += 1;
            ranges.push((first, self.next()?));
            if !self.take(']') {
                return None;
            }
        } else {
            self.at -= 1;
            loop {
                match self.next()? {
                    ']' => break,
                    '\\' => ranges.extend(self.next().map(|c| (c, c))),
                    c => ranges.push((c, c)),
                }
            }
        }
        Some(Piece::Class { negated, ranges })
    }

    /// Pieces of `path.Match`; with `**` and braces where `double` says so.
    fn go_pieces(&mut self, depth: usize, double: bool) -> Option<Vec<Piece>> {
        let mut pieces: Vec<Piece> = Vec::new();
        while let Some(c) = self.peek() {
            if depth > 0 && matches!(c, ',' | '}') {
                break;
            }
            let starts = self.at == 0 || matches!(self.rest[self.at - 1], '/' | '{' | ',');
            self.at += 1;
            let piece = match c {
                '*' if double && self.peek() == Some('*') => {
                    while self.take('*') {}
                    match self.peek() {
                        Some('/') if starts => {
                            self.at += 1;
                            Piece::Folders
                        }
                        None | Some(',' | '}') if starts && (self.peek().is_none() || depth > 0) => {
                            // The slash before is part of what may be missing.
                            match matches!(pieces.last(), Some(Piece::Char('/'))) {
                                true => {
                                    pieces.pop();
                                    Piece::Below
                                }
                                false => Piece::All,
                            }
                        }
                        _ => Piece::Star,
                    }
                }
                '*' => Piece::Star,
                '?' => Piece::One,
                '[' => self.go_class(double)?,
                '{' if double => self.branches(depth, false, |reader, depth| reader.go_pieces(depth, true))?,
                '\\' => Piece::Char(self.next()?),
                c => Piece::Char(c),
            };
            pieces.push(piece);
        }
        Some(pieces)
    }

    fn go_class(&mut self, double: bool) -> Option<Piece> {
        let negated = self.take('^') || double && self.take('!');
        let mut ranges = Vec::new();
        loop {
            if !ranges.is_empty() && self.take(']') {
                break;
            }
            let low = self.class_char()?;
            let high = match self.take('-') {
                true => self.class_char()?,
                false => low,
            };
            ranges.push((low, high));
        }
        Some(Piece::Class { negated, ranges })
    }

    fn class_char(&mut self) -> Option<char> {
        match self.next()? {
            '-' | ']' => None,
            '\\' => self.next(),
            c => Some(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `util/glob/glob_test.go`, `Test_Match`; `reposerver/repository/repository_test.go`, `TestFindManifests…`.
    #[test]
    fn argo_globs() {
        let fits = |pattern: &str, text: &str| Glob::argo(pattern, None).is_some_and(|glob| glob.matches(text));
        assert!(fits("hello", "hello") && fits("hell*", "hello") && fits("h*", "hello"));
        assert!(!fits("hello", "hell") && !fits("e*", "hello") && !fits("e[[a*", "e[[a*"));
        // The end closes a brace that is open.
        assert!(fits("*{[!a]", "x/y.yaml") && !fits("{a,b", "c"));
        assert!(fits("{*.yaml,*.json}", "a/b.json") && !fits("{*.yaml,*.json}", "a/b.yml"));
        let split = |pattern: &str, text: &str| Glob::argo(pattern, Some('/')).is_some_and(|glob| glob.matches(text));
        assert!(
            split("https://github.com/*/*", "https://github.com/a/b")
                && !split("https://github.com/*", "https://github.com/a/b")
        );
        assert!(split("https://github.com/**", "https://github.com/a/b"));
    }

    #[test]
    fn doublestar_globs() {
        let fits = |pattern: &str, text: &str| Glob::doublestar(pattern).is_some_and(|glob| glob.matches(text));
        assert!(fits("a/**/c.json", "a/c.json") && fits("a/**/c.json", "a/b/b/c.json") && fits("**/c.json", "c.json"));
        assert!(!fits("a/*/c.json", "a/b/b/c.json") && fits("a/{b,c}/*.json", "a/c/x.json"));
    }

    /// A pattern that has a matcher go back again and again.
    #[test]
    fn long_patterns_take_no_time() {
        let pattern = "{a*,*a}".repeat(500) + "b";
        let glob = Glob::argo(&pattern, None).expect("because it is one");
        assert!(!glob.matches(&"a".repeat(2000)));
        assert!(Glob::argo(&"{".repeat(100_000), None).is_none());
    }
}
