//! Words of a template (`text/template/parse/lex.go`).

use super::Failure;

/// A word of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Text(String),
    Open,
    Close,
    Space,
    Ident(String),
    Field(String),
    Variable(String),
    Dot,
    Nil,
    Bool(bool),
    Number(String),
    Char(char),
    Quoted(String),
    Keyword(&'static str),
    Pipe,
    Comma,
    Assign,
    Declare,
    OpenParen,
    CloseParen,
    End,
}

const KEYWORDS: &[&str] = &[
    "block", "break", "continue", "define", "else", "end", "if", "range", "template", "with",
];
const SPACES: &[char] = &[' ', '\t', '\r', '\n'];

/// The words of a template.
pub(crate) fn lex(text: &str) -> Result<Vec<Token>, Failure> {
    let mut lexer = Lexer {
        rest: text,
        tokens: Vec::new(),
    };
    lexer.text()?;
    lexer.tokens.push(Token::End);
    Ok(lexer.tokens)
}

struct Lexer<'t> {
    rest: &'t str,
    tokens: Vec<Token>,
}

fn fail<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::new(message))
}

fn word_char(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

impl<'t> Lexer<'t> {
    /// Text and actions until the end.
    fn text(&mut self) -> Result<(), Failure> {
        loop {
            let Some(open) = self.rest.find("{{") else {
                self.push_text(self.rest);
                return Ok(());
            };
            let (before, inside) = (&self.rest[..open], &self.rest[open + 2..]);
            let trim = inside.strip_prefix('-').filter(|rest| rest.starts_with(SPACES));
            self.push_text(if trim.is_some() {
                before.trim_end_matches(SPACES)
            } else {
                before
            });
            self.rest = trim.unwrap_or(inside);
            let comment = match trim {
                Some(rest) => rest[1..].strip_prefix("/*"),
                None => inside.strip_prefix("/*"),
            };
            match comment {
                Some(comment) => self.comment(comment)?,
                None => self.action()?,
            }
        }
    }

    fn push_text(&mut self, text: &str) {
        if !text.is_empty() {
            self.tokens.push(Token::Text(text.to_owned()));
        }
    }

    fn comment(&mut self, comment: &'t str) -> Result<(), Failure> {
        let Some(end) = comment.find("*/") else {
            return fail("unclosed comment");
        };
        let after = &comment[end + 2..];
        match self.close(after) {
            Some(rest) => self.rest = rest,
            None => return fail("comment ends before closing delimiter"),
        }
        Ok(())
    }

    /// What follows the end of an action, if one is here.
    fn close(&self, at: &'t str) -> Option<&'t str> {
        let trimmed = at.strip_prefix(SPACES).and_then(|rest| rest.strip_prefix("-}}"));
        trimmed
            .map(|rest| rest.trim_start_matches(SPACES))
            .or_else(|| at.strip_prefix("}}"))
    }

    /// The words of an action, to its end.
    fn action(&mut self) -> Result<(), Failure> {
        self.tokens.push(Token::Open);
        let mut depth = 0_usize;
        loop {
            if let Some(rest) = self.close(self.rest) {
                if depth > 0 {
                    return fail("unclosed left paren");
                }
                self.rest = rest;
                self.tokens.push(Token::Close);
                return Ok(());
            }
            let mut chars = self.rest.chars();
            let Some(first) = chars.next() else {
                return fail("unclosed action");
            };
            let after = chars.as_str();
            let token = match first {
                c if SPACES.contains(&c) => {
                    let mut rest = self.rest.trim_start_matches(SPACES);
                    // A blank before a trim marker belongs to the marker.
                    if rest.starts_with("-}}") {
                        rest = &self.rest[self.rest.len() - rest.len() - 1..];
                    }
                    if self.rest.len() == rest.len() {
                        continue;
                    }
                    self.rest = rest;
                    self.tokens.push(Token::Space);
                    continue;
                }
                '=' => Token::Assign,
                ':' if after.starts_with('=') => {
                    self.rest = &after[1..];
                    self.tokens.push(Token::Declare);
                    continue;
                }
                ':' => return fail("expected :="),
                '|' => Token::Pipe,
                ',' => Token::Comma,
                '(' => {
                    depth += 1;
                    Token::OpenParen
                }
                ')' => {
                    let Some(less) = depth.checked_sub(1) else {
                        return fail("unexpected right paren");
                    };
                    depth = less;
                    Token::CloseParen
                }
                _ => {
                    self.word(first, after)?;
                    continue;
                }
            };
            self.rest = after;
            self.tokens.push(token);
        }
    }

    /// A word of more than one character.
    fn word(&mut self, first: char, after: &'t str) -> Result<(), Failure> {
        match first {
            '"' => self.quoted(after),
            '`' => {
                let Some(end) = after.find('`') else {
                    return fail("unterminated raw quoted string");
                };
                self.tokens.push(Token::Quoted(after[..end].replace('\r', "")));
                self.rest = &after[end + 1..];
                Ok(())
            }
            '\'' => self.character(after),
            '$' => self.named(after, Token::Variable),
            '.' if !after.starts_with(|c: char| c.is_ascii_digit()) => self.named(after, Token::Field),
            '.' | '+' | '-' | '0'..='9' => self.number(),
            c if word_char(c) => self.ident(),
            c => fail(format!("unexpected character {c:?} in an action")),
        }
    }

    /// A field or a variable, of which the name may be missing.
    fn named(&mut self, after: &'t str, token: fn(String) -> Token) -> Result<(), Failure> {
        let end = after.find(|c| !word_char(c)).unwrap_or(after.len());
        let (name, rest) = after.split_at(end);
        self.rest = rest;
        self.terminated(name)?;
        self.tokens.push(match token(name.to_owned()) {
            Token::Field(name) if name.is_empty() => Token::Dot,
            token => token,
        });
        Ok(())
    }

    fn ident(&mut self) -> Result<(), Failure> {
        let end = self.rest.find(|c| !word_char(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.terminated(name)?;
        let keyword = KEYWORDS.iter().find(|keyword| **keyword == name);
        self.tokens.push(match (keyword, name) {
            (Some(keyword), _) => Token::Keyword(keyword),
            (_, "true") => Token::Bool(true),
            (_, "false") => Token::Bool(false),
            (_, "nil") => Token::Nil,
            _ => Token::Ident(name.to_owned()),
        });
        Ok(())
    }

    /// A name must be followed by something that ends it.
    fn terminated(&self, name: &str) -> Result<(), Failure> {
        match self.rest.chars().next() {
            None => Ok(()),
            Some(c) if SPACES.contains(&c) || ".,|:)(".contains(c) || self.rest.starts_with("}}") => Ok(()),
            Some(c) => fail(format!("bad character {c:?} after {name:?}")),
        }
    }

    fn number(&mut self) -> Result<(), Failure> {
        let (text, mut at) = (self.rest, 0);
        let eat = |at: &mut usize, set: &str| {
            let start = *at;
            while text[*at..].starts_with(|c| set.contains(c)) {
                *at += 1;
            }
            *at > start
        };
        if text.starts_with(['+', '-']) {
            at = 1;
        }
        let mut digits = "0123456789_";
        if text[at..].starts_with('0') {
            at += 1;
            for (marks, set) in [
                (['x', 'X'], "0123456789abcdefABCDEF_"),
                (['o', 'O'], "01234567_"),
                (['b', 'B'], "01_"),
            ] {
                if text[at..].starts_with(marks) {
                    at += 1;
                    digits = set;
                    break;
                }
            }
        }
        eat(&mut at, digits);
        if text[at..].starts_with('.') {
            at += 1;
            eat(&mut at, digits);
        }
        let marks = match digits.len() {
            11 => ['e', 'E'],
            23 => ['p', 'P'],
            _ => ['\0', '\0'],
        };
        if text[at..].starts_with(marks) {
            at += 1;
            if text[at..].starts_with(['+', '-']) {
                at += 1;
            }
            eat(&mut at, "0123456789_");
        }
        if text[at..].starts_with(word_char) {
            return fail(format!("bad number syntax: {:?}", &text[..at]));
        }
        self.tokens.push(Token::Number(text[..at].to_owned()));
        self.rest = &text[at..];
        Ok(())
    }

    fn quoted(&mut self, after: &'t str) -> Result<(), Failure> {
        let mut out = String::new();
        let mut rest = after;
        loop {
            let mut chars = rest.chars();
            match chars.next() {
                None | Some('\n') => return fail("unterminated quoted string"),
                Some('"') => {
                    self.rest = chars.as_str();
                    self.tokens.push(Token::Quoted(out));
                    return Ok(());
                }
                Some('\\') => rest = escape(chars.as_str(), '"', &mut out)?,
                Some(c) => {
                    out.push(c);
                    rest = chars.as_str();
                }
            }
        }
    }

    fn character(&mut self, after: &'t str) -> Result<(), Failure> {
        let mut out = String::new();
        let mut chars = after.chars();
        let rest = match chars.next() {
            None | Some('\n' | '\'') => return fail("unterminated or empty character constant"),
            Some('\\') => escape(chars.as_str(), '\'', &mut out)?,
            Some(c) => {
                out.push(c);
                chars.as_str()
            }
        };
        match (out.chars().next(), rest.strip_prefix('\'')) {
            (Some(c), Some(rest)) => {
                self.rest = rest;
                self.tokens.push(Token::Char(c));
                Ok(())
            }
            _ => fail("malformed character constant"),
        }
    }
}

/// Reads what follows a backslash; gives what comes after it.
fn escape<'t>(rest: &'t str, quote: char, out: &mut String) -> Result<&'t str, Failure> {
    const SINGLE: &[(char, char)] = &[
        ('a', '\u{7}'),
        ('b', '\u{8}'),
        ('f', '\u{c}'),
        ('n', '\n'),
        ('r', '\r'),
        ('t', '\t'),
        ('v', '\u{b}'),
        ('\\', '\\'),
    ];
    let mut chars = rest.chars();
    let Some(first) = chars.next() else {
        return fail("unterminated quoted string");
    };
    let after = chars.as_str();
    if let Some((_, c)) = SINGLE.iter().find(|(name, _)| *name == first) {
        out.push(*c);
        return Ok(after);
    }
    if first == quote {
        out.push(first);
        return Ok(after);
    }
    let (digits, radix, from) = match first {
        'x' => (2, 16, after),
        'u' => (4, 16, after),
        'U' => (8, 16, after),
        '0'..='7' => (3, 8, rest),
        _ => return fail(format!("bad escape \\{first} in a quoted string")),
    };
    let code = from
        .get(..digits)
        .filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
    let code = code.and_then(|text| u32::from_str_radix(text, radix).ok());
    // A byte that is no text by itself has no place in what is written here.
    let code = code.filter(|code| matches!(first, 'u' | 'U') || *code < 0x80);
    match code.and_then(char::from_u32) {
        Some(c) => {
            out.push(c);
            Ok(&from[digits..])
        }
        None => fail(format!("bad escape \\{first} in a quoted string")),
    }
}
