//! Requirements on labels as Kubernetes writes them: `app=web,tier in (front, back),!legacy,count>3`.

/// One requirement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Requirement {
    pub key: String,
    must: Must,
}

#[derive(Debug, PartialEq, Eq)]
enum Must {
    Exist,
    NotExist,
    BeOneOf(Vec<String>),
    /// Holds too where the key is not there.
    BeNoneOf(Vec<String>),
    BeMoreThan(i64),
    BeLessThan(i64),
}

impl Requirement {
    /// Whether the value of the key, if there is one, is as required.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.must {
            Must::Exist => value.is_some(),
            Must::NotExist => value.is_none(),
            Must::BeOneOf(values) => value.is_some_and(|value| values.iter().any(|one| one == value)),
            Must::BeNoneOf(values) => value.is_none_or(|value| values.iter().all(|one| one != value)),
            Must::BeMoreThan(bound) => number().is_some_and(|number| number > *bound),
            Must::BeLessThan(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    /// `=`, `==`, `!=`, `!`, `<`, `>`, `(`, `)` or `,`.
    Sign(&'t str),
    End,
}

impl<'t> Token<'t> {
    fn text(self) -> &'t str {
        match self {
            Token::Word(text) | Token::Sign(text) => text,
            Token::End => "",
        }
    }
}

const SIGNS: [char; 7] = ['=', '!', '(', ')', ',', '>', '<'];
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

/// The token at the start of the text, and what follows it.
fn token(text: &str) -> (Token<'_>, &str) {
    let text = text.trim_start_matches(SPACES);
    let length = match text.chars().next() {
        None => return (Token::End, text),
        Some(first) if SIGNS.contains(&first) => 1 + usize::from(text.starts_with("==") || text.starts_with("!=")),
        Some(_) => {
            let end = text
                .find(|c| SIGNS.contains(&c) || SPACES.contains(&c))
                .unwrap_or(text.len());
            let (word, rest) = text.split_at(end);
            return (Token::Word(word), rest);
        }
    };
    let (sign, rest) = text.split_at(length);
    (Token::Sign(sign), rest)
}

struct Tokens<'t> {
    next: Token<'t>,
    rest: &'t str,
}

impl<'t> Tokens<'t> {
    fn take(&mut self) -> Token<'t> {
        let (next, rest) = token(self.rest);
        self.rest = rest;
        std::mem::replace(&mut self.next, next)
    }
}

fn unexpected(found: Token<'_>, wanted: &str) -> String {
    format!(
        "unable to parse requirement: found '{}', expected: {wanted}",
        found.text()
    )
}

/// Parses requirements that are separated by commas. The message of an error does not name the text.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    let (next, rest) = token(text);
    let mut tokens = Tokens { next, rest };
    let mut found = Vec::new();
    while tokens.next != Token::End {
        found.push(requirement(&mut tokens)?);
        match tokens.take() {
            Token::End => break,
            Token::Sign(",") if matches!(tokens.next, Token::Word(_) | Token::Sign("!")) => {}
            Token::Sign(",") => return Err(unexpected(tokens.next, "identifier after ','")),
            other => return Err(unexpected(other, "',' or 'end of string'")),
        }
    }
    Ok(found)
}

fn requirement(tokens: &mut Tokens<'_>) -> Result<Requirement, String> {
    let mut first = tokens.take();
    let not = first == Token::Sign("!");
    if not {
        first = tokens.take();
    }
    let Token::Word(key) = first else {
        return Err(unexpected(first, "!, identifier, or 'end of string'"));
    };
    check_key(key)?;
    let require = |must| {
        Ok(Requirement {
            key: key.to_owned(),
            must,
        })
    };
    if not || matches!(tokens.next, Token::End | Token::Sign(",")) {
        return require(if not { Must::NotExist } else { Must::Exist });
    }
    match tokens.take() {
        Token::Sign("=" | "==") => require(Must::BeOneOf(vec![exact(tokens, key)?])),
        Token::Sign("!=") => require(Must::BeNoneOf(vec![exact(tokens, key)?])),
        Token::Sign(">") => require(Must::BeMoreThan(bound(tokens, key)?)),
        Token::Sign("<") => require(Must::BeLessThan(bound(tokens, key)?)),
        Token::Word("in") => require(Must::BeOneOf(listed(tokens, key)?)),
        Token::Word("notin") => require(Must::BeNoneOf(listed(tokens, key)?)),
        other => Err(unexpected(other, "'=', '!=', '==', 'in', notin'")),
    }
}

fn exact(tokens: &mut Tokens<'_>, key: &str) -> Result<String, String> {
    if matches!(tokens.next, Token::End | Token::Sign(",")) {
        return Ok(String::new());
    }
    match tokens.take() {
        Token::Word(value) => checked_value(key, value),
        other => Err(unexpected(other, "identifier")),
    }
}

fn bound(tokens: &mut Tokens<'_>, key: &str) -> Result<i64, String> {
    exact(tokens, key)?
        .parse()
        .map_err(|_| "for 'Gt', 'Lt' operators, the value must be an integer".to_owned())
}

/// Values in parentheses; one between two commas, or none at all, is the empty value.
fn listed(tokens: &mut Tokens<'_>, key: &str) -> Result<Vec<String>, String> {
    let open = tokens.take();
    if open != Token::Sign("(") {
        return Err(unexpected(open, "'('"));
    }
    let mut values = Vec::new();
    loop {
        values.push(match tokens.next {
            Token::Word(value) => {
                tokens.take();
                checked_value(key, value)?
            }
            _ => String::new(),
        });
        match tokens.take() {
            Token::Sign(",") => {}
            Token::Sign(")") => return Ok(values),
            other => return Err(unexpected(other, "',' or ')'")),
        }
    }
}

/// Letters and digits at both ends; between them `-`, `_` and `.` too; at most 63.
fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    bytes.len() <= 63
        && ends.into_iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(allowed)
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

fn check_key(key: &str) -> Result<(), String> {
    let (domain, name) = match key.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, key),
    };
    match domain.is_none_or(is_domain) && is_name(name) {
        true => Ok(()),
        false => Err(format!("unable to parse requirement: invalid label key {key:?}")),
    }
}

fn checked_value(key: &str, value: &str) -> Result<String, String> {
    match value.is_empty() || is_name(value) {
        true => Ok(value.to_owned()),
        false => Err(format!(
            "unable to parse requirement: invalid label value: {value:?}: at key: {key:?}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_hold_as_in_kubernetes() {
        let labels = [("app", "web"), ("n", "7"), ("empty", ""), ("k8s.io/in", "in")];
        let rows = [
            ("", true),
            ("app", true),
            ("!app", false),
            ("nope", false),
            ("!nope", true),
            ("app=web", true),
            ("app==web", true),
            ("app != web", false),
            ("nope!=web", true),
            ("app in (web,api)", true),
            ("app in (api)", false),
            ("app notin (api)", true),
            ("nope notin (api)", true),
            ("nope in (api)", false),
            ("n>6", true),
            ("n>7", false),
            ("n<8,app", true),
            ("app>1", false),
            ("empty=", true),
            ("empty=,app=web", true),
            ("empty in ()", true),
            ("empty in (,a)", true),
            ("app in (,a)", false),
            ("k8s.io/in=in", true),
            ("k8s.io/in in (in,notin)", true),
            ("  app  =  web  ,  n  ", true),
        ];
        for (text, want) in rows {
            let parsed = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let get = |key: &str| labels.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
            assert_eq!(parsed.iter().all(|one| one.matches(get(&one.key))), want, "{text}");
        }
    }

    #[test]
    fn malformed_requirements_are_refused() {
        let long = "a".repeat(64);
        let rows = [
            "a=b=c",
            "=b",
            "a,",
            ",a",
            "a b",
            "a in b",
            "a in (b",
            "a in (b c)",
            "a>x",
            "a=(",
            "(",
            "-a",
            "a/b/c",
            "/a",
            "A.b/c",
            "a=-b",
            "a in (b),",
            "!",
            "a=b c",
            "!a=b",
            &long,
        ];
        for text in rows {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
