//! `${VAR}` in rendered manifests, as Flux replaces it after a build: bash-like expressions. Pure.
//!
//! Source of the grammar and of its oddities: `github.com/fluxcd/pkg/envsubst` (parse/parse.go, parse/scan.go, funcs.go).

use std::collections::BTreeMap;

use regex::Regex;

/// Levels of expressions within each other; more would be an attack, or a mistake.
const DEEPEST: usize = 100;

/// How a message ends that tells of a variable which is not there.
pub(super) const IS_STRICT: &str = "and substitution is strict";

/// A text made of text and expressions.
type Parts = Vec<Part>;

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Expression(Expression),
}

/// `${name}`, `${name<operator>arguments}`, `${#name}`.
#[derive(Debug, PartialEq)]
struct Expression {
    name: String,
    operator: String,
    arguments: Vec<Part>,
}

/// Replaces every expression. A variable that is not there is empty, unless `strict`, where only the operators that give a default may
/// name such.
///
/// # Errors
/// A text that the grammar does not allow (and with it Flux fails), and in strict mode a variable that is not there; the text is not
/// quoted, since it may be a Secret's.
pub(super) fn substitute(text: &str, variables: &BTreeMap<String, String>, strict: bool) -> Result<String, String> {
    let mut reader = Reader { rest: text, depth: 0 };
    let parts = reader.whole()?;
    let mut out = String::with_capacity(text.len());
    for part in &parts {
        evaluate(part, variables, strict, &mut out)?;
    }
    Ok(out)
}

/// Whether a name may be one of a variable; Flux refuses to build with others.
pub(super) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes
        .next()
        .is_some_and(|byte| byte == b'_' || byte.is_ascii_alphabetic());
    first && bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

struct Reader<'t> {
    rest: &'t str,
    /// Expressions that are open.
    depth: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let first = self.rest.chars().next()?;
        self.rest = &self.rest[first.len_utf8()..];
        Some(first)
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Text up to an expression or a character that is not accepted; `None` if there is none. Backslashes escape themselves and
    /// slashes where asked for, `$$` stands for `$`.
    fn text(&mut self, accept: impl Fn(char) -> bool, escapes: &[&str]) -> Option<String> {
        let mut text = String::new();
        'next: while !self.rest.starts_with("${") {
            for escape in escapes {
                if self.take(escape) {
                    text.extend(escape.chars().nth(1));
                    continue 'next;
                }
            }
            match self.peek() {
                Some(one) if accept(one) => {
                    self.next();
                    text.push(one);
                }
                _ => break,
            }
        }
        (!text.is_empty()).then_some(text)
    }

    fn whole(&mut self) -> Result<Parts, String> {
        let mut parts = Vec::new();
        while !self.rest.is_empty() {
            if self.take("${") {
                parts.push(Part::Expression(self.expression()?));
            } else if let Some(text) = self.text(|_| true, &["$$"]) {
                parts.push(Part::Text(text));
            }
        }
        Ok(parts)
    }

    fn name(&mut self) -> Option<String> {
        let accept = |one: char| one.is_alphanumeric() || one == '_';
        let mut name = String::new();
        while let Some(one) = self.peek().filter(|one| accept(*one)) {
            self.next();
            name.push(one);
        }
        (!name.is_empty()).then_some(name)
    }

    /// What follows `${`, its closing brace included.
    fn expression(&mut self) -> Result<Expression, String> {
        if self.depth == DEEPEST {
            return Err(format!("expressions are nested more than {DEEPEST} deep"));
        }
        self.depth += 1;
        let expression = self.open_expression();
        self.depth -= 1;
        expression
    }

    fn open_expression(&mut self) -> Result<Expression, String> {
        if self.take("#") {
            let name = self.name().ok_or("bad substitution")?;
            return self.close(name, "#", Vec::new());
        }
        let name = self.name().ok_or("unable to parse variable name")?;
        match self.peek() {
            Some('=') => self.default(name, 1),
            Some(':') => match self.rest.chars().nth(1) {
                Some('=' | '-' | '?' | '+') => self.default(name, 2),
                _ => self.part_of(name),
            },
            Some(',' | '^') => {
                let operator = self.operator(&[',', '^'], &[',', '^']);
                self.close(name, &operator, Vec::new())
            }
            Some('/') => self.replace(name),
            Some(sign @ ('#' | '%')) => {
                let operator = self.operator(&[sign], &[sign]);
                let pattern = self.argument(|one| one != '}', &[])?;
                self.close(name, &operator, vec![pattern])
            }
            _ if self.take("}") => Ok(Expression {
                name,
                operator: String::new(),
                arguments: Vec::new(),
            }),
            _ => Err("missing closing brace".to_owned()),
        }
    }

    /// One or two characters.
    fn operator(&mut self, first: &[char], second: &[char]) -> String {
        let mut operator = String::new();
        for accepted in [first, second] {
            match self.peek() {
                Some(one) if accepted.contains(&one) => operator.extend(self.next()),
                _ => break,
            }
        }
        operator
    }

    fn argument(&mut self, accept: impl Fn(char) -> bool, escapes: &[&str]) -> Result<Part, String> {
        if self.take("${") {
            return self.expression().map(Part::Expression);
        }
        let text = self.text(accept, escapes);
        text.map(Part::Text)
            .ok_or_else(|| "unable to parse substitution within function".to_owned())
    }

    fn default(&mut self, name: String, length: usize) -> Result<Expression, String> {
        let operator: String = self.rest.chars().take(length).collect();
        self.rest = &self.rest[length..];
        let mut arguments = Vec::new();
        while self.peek() != Some('}') {
            arguments.push(self.argument(|one| one != '}', &[])?);
        }
        self.close(name, &operator, arguments)
    }

    fn part_of(&mut self, name: String) -> Result<Expression, String> {
        self.next();
        let mut arguments = vec![self.argument(|one| one != ':' && one != '}', &[])?];
        if self.peek() == Some(':') {
            while self.take(":") {}
            arguments.push(self.argument(|one| one != '}', &[])?);
        }
        self.close(name, ":", arguments)
    }

    fn replace(&mut self, name: String) -> Result<Expression, String> {
        const ESCAPES: &[&str] = &["$$", r"\/", r"\\"];
        let operator = self.operator(&['/'], &['/', '#', '%']);
        let mut arguments = vec![self.argument(|one| one != '/', ESCAPES)?];
        if !self.take("/") {
            return Err("bad substitution".to_owned());
        }
        while self.take("/") {}
        if self.peek() != Some('}') {
            arguments.push(self.argument(|one| one != '}', ESCAPES)?);
        }
        self.close(name, &operator, arguments)
    }

    fn close(&mut self, name: String, operator: &str, arguments: Vec<Part>) -> Result<Expression, String> {
        if !self.take("}") {
            return Err("bad substitution".to_owned());
        }
        Ok(Expression {
            name,
            operator: operator.to_owned(),
            arguments,
        })
    }
}

fn evaluate(part: &Part, variables: &BTreeMap<String, String>, strict: bool, out: &mut String) -> Result<(), String> {
    let expression = match part {
        Part::Text(text) => {
            out.push_str(text);
            return Ok(());
        }
        Part::Expression(expression) => expression,
    };
    let mut arguments = Vec::new();
    for argument in &expression.arguments {
        let mut value = String::new();
        evaluate(argument, variables, strict, &mut value)?;
        arguments.push(value);
    }
    let gives_a_default = matches!(&*expression.operator, "=" | ":-" | ":+" | ":=" | ":?");
    let value = match variables.get(&expression.name) {
        None if strict && !gives_a_default => {
            return Err(format!("the variable {} is not set, {IS_STRICT}", expression.name));
        }
        value => value.map_or("", String::as_str),
    };
    out.push_str(&apply(&expression.operator, value, &arguments)?);
    Ok(())
}

fn apply(operator: &str, value: &str, arguments: &[String]) -> Result<String, String> {
    let first = arguments.first().map_or("", String::as_str);
    let second = arguments.get(1).map_or("", String::as_str);
    Ok(match operator {
        "," => first_letter(value, char::to_lowercase),
        ",," => value.chars().map(|one| single(one, one.to_lowercase())).collect(),
        "^" => first_letter(value, char::to_uppercase),
        "^^" => value.chars().map(|one| single(one, one.to_uppercase())).collect(),
        "#" if arguments.is_empty() => value.len().to_string(),
        "#" => trimmed(value, first, End::Front, Longest::No),
        "##" => trimmed(value, first, End::Front, Longest::Yes),
        "%" => trimmed(value, first, End::Back, Longest::No),
        "%%" => trimmed(value, first, End::Back, Longest::Yes),
        ":" => part(value, arguments)?,
        "/" => value.replacen(first, second, 1),
        "//" => value.replace(first, second),
        // Without a replacement the value stays as it is, unlike with the two above.
        "/#" | "/%" if arguments.len() != 2 => value.to_owned(),
        "/#" => match value.strip_prefix(first) {
            Some(rest) => format!("{second}{rest}"),
            None => value.to_owned(),
        },
        "/%" => match value.strip_suffix(first) {
            Some(rest) => format!("{rest}{second}"),
            None => value.to_owned(),
        },
        // Whatever the operator: `:+` and `:?` are no more than defaults here.
        _ if value.is_empty() => arguments.concat(),
        _ => value.to_owned(),
    })
}

/// Go maps one letter to one letter.
fn single(one: char, mut mapped: impl ExactSizeIterator<Item = char>) -> char {
    match (mapped.len(), mapped.next()) {
        (1, Some(mapped)) => mapped,
        _ => one,
    }
}

fn first_letter<M: ExactSizeIterator<Item = char>>(value: &str, map: impl Fn(char) -> M) -> String {
    let mut letters = value.chars();
    let first = letters.next().map(|one| single(one, map(one)));
    first.into_iter().chain(letters).collect()
}

/// `${name:position:length}`, in bytes; what is no number leaves the value as it is.
fn part(value: &str, arguments: &[String]) -> Result<String, String> {
    let number = |text: &String| text.parse::<i64>().ok();
    let whole = || Ok(value.to_owned());
    let length = value.len() as i64;
    let Some(position) = arguments.first().and_then(number) else {
        return whole();
    };
    let position = match position < 0 {
        true => (length + position).max(0),
        false => position,
    };
    let end = match arguments.get(1).map(number) {
        Some(None) => return whole(),
        Some(Some(count)) => position.saturating_add(count).min(length),
        None => length,
    };
    if position >= length {
        return Ok(String::new());
    }
    if end < position {
        return Err("a part of a variable has a length below zero".to_owned());
    }
    let bytes = &value.as_bytes()[position as usize..end as usize];
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Front,
    Back,
}

#[derive(Clone, Copy, PartialEq)]
enum Longest {
    Yes,
    No,
}

/// The value without the shortest or longest piece at one end that a glob matches. Of the end, value and pattern are turned round
/// letter by letter, classes and escapes of the pattern included.
fn trimmed(value: &str, pattern: &str, end: End, longest: Longest) -> String {
    let reversed = |text: &str| text.chars().rev().collect::<String>();
    if end == End::Back {
        return reversed(&trimmed(&reversed(value), &reversed(pattern), End::Front, longest));
    }
    let Some(glob) = glob(pattern) else {
        return value.to_owned();
    };
    let ends = value.char_indices().map(|(at, one)| at + one.len_utf8());
    let mut matching = ends.filter(|end| glob.is_match(&value[..*end]));
    let found = match longest {
        Longest::No => matching.next(),
        Longest::Yes => matching.next_back(),
    };
    found.map_or(value, |end| &value[end..]).to_owned()
}

/// `*` any text, `?` any letter, `[…]` a letter of a class, `\` takes the next as it stands; `None` for what is malformed.
fn glob(pattern: &str) -> Option<Regex> {
    let mut text = String::from("(?s)^");
    let mut letters = pattern.chars().peekable();
    while let Some(one) = letters.next() {
        match one {
            '*' => text.push_str(".*"),
            '?' => text.push('.'),
            '\\' => text.push_str(&regex::escape(&letters.next()?.to_string())),
            '[' => {
                text.push('[');
                if letters.next_if_eq(&'^').is_some() {
                    text.push('^');
                }
                let mut empty = true;
                loop {
                    match letters.next()? {
                        ']' if !empty => break,
                        '-' | ']' => return None,
                        first => {
                            text.push_str(&in_class(first, &mut letters)?);
                            if letters.next_if_eq(&'-').is_some() {
                                let last = letters.next().filter(|one| !matches!(one, '-' | ']'))?;
                                text.push('-');
                                text.push_str(&in_class(last, &mut letters)?);
                            }
                        }
                    }
                    empty = false;
                }
                text.push(']');
            }
            other => text.push_str(&regex::escape(&other.to_string())),
        }
    }
    text.push('$');
    Regex::new(&text).ok()
}

fn in_class(one: char, letters: &mut impl Iterator<Item = char>) -> Option<String> {
    let one = match one {
        '\\' => letters.next()?,
        one => one,
    };
    Some(match one {
        one if one.is_alphanumeric() || one.is_whitespace() => one.to_string(),
        one => format!("\\{one}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> BTreeMap<String, String> {
        let pairs = [
            ("NAME", "checkout"),
            ("PATHS", "/usr/local/bin"),
            ("FILE", "a.tar.gz"),
            ("EMPTY", ""),
            ("UPPER", "ÄBC"),
            ("MARK", "x/y\\z$"),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    fn lax(text: &str) -> Result<String, String> {
        substitute(text, &variables(), false)
    }

    #[test]
    fn expressions() {
        for (text, expected) in [
            ("no expressions: $NAME $ {NAME}", "no expressions: $NAME $ {NAME}"),
            ("${NAME}-${NAME}", "checkout-checkout"),
            ("[${GONE}]", "[]"),
            ("$${NAME} costs $$5", "${NAME} costs $5"),
            ("${GONE:-80}${GONE:=80}${GONE=80}", "808080"),
            ("${EMPTY:-80} ${NAME:-80}", "80 checkout"),
            ("${GONE:-}", ""),
            ("${GONE:-a${NAME}b${GONE:-c}}", "acheckoutbc"),
            ("${NAME:+other}", "checkout"),
            ("${GONE:+other}", "other"),
            ("${GONE:?must be there}", "must be there"),
            ("${#NAME} ${#UPPER}", "8 4"),
            ("${UPPER,}${UPPER,,} ${NAME^} ${NAME^^}", "äBCäbc Checkout CHECKOUT"),
            ("${NAME,^}", "checkout"),
            (
                "${NAME:5} ${NAME:5:2} ${NAME:-3} ${NAME:0-3}",
                "out ou checkout checkout",
            ),
            ("${NAME:${GONE:-1}:3}", "hec"),
            ("${NAME:99}${NAME:99:1}|${NAME:3:99}", "|ckout"),
            ("${NAME:x} ${NAME:1:x}", "checkout checkout"),
            ("${PATHS/local/share} ${PATHS//\\//.}", "/usr/share/bin .usr.local.bin"),
            ("${PATHS/local} ${PATHS/local/}", "ERROR bad substitution"),
            ("${PATHS/local/}", "/usr//bin"),
            (
                "${PATHS/#\\/usr/\\/opt} ${PATHS/%bin/lib}",
                "/opt/local/bin /usr/local/lib",
            ),
            ("${PATHS/#usr/opt}", "/usr/local/bin"),
            ("${MARK/\\\\/-} ${MARK/$$/-}", "x/y-z$ x/y\\z-"),
            ("${FILE%.*} ${FILE%%.*} ${FILE#*.} ${FILE##*.}", "a.tar a tar.gz gz"),
            ("${FILE#[a-c].} ${FILE#[^a]} ${FILE#?}", "tar.gz a.tar.gz .tar.gz"),
            ("${PATHS##*/}", "bin"),
            ("${FILE#[} ${FILE%x}", "a.tar.gz a.tar.gz"),
        ] {
            let found = lax(text).unwrap_or_else(|error| format!("ERROR {error}"));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_the_grammar_does_not_allow_fails() {
        for (text, expected) in [
            ("${}", "unable to parse variable name"),
            ("${ NAME }", "unable to parse variable name"),
            ("${NAME", "missing closing brace"),
            ("${NAME-80}", "missing closing brace"),
            ("${NAME.x}", "missing closing brace"),
            ("${NAME:}", "unable to parse substitution within function"),
            ("${NAME#}", "unable to parse substitution within function"),
            ("${GONE:-80", "unable to parse substitution within function"),
            ("${#}", "bad substitution"),
            ("${NAME:5:-9}", "a part of a variable has a length below zero"),
        ] {
            assert_eq!(lax(text).expect_err(text), expected, "{text}");
        }
    }

    #[test]
    fn expressions_are_nested_so_deep_and_no_deeper() {
        let nested = |depth: usize| format!("{}x{}", "${GONE:-".repeat(depth), "}".repeat(depth));
        assert_eq!(lax(&nested(DEEPEST)).as_deref(), Ok("x"));
        // Side by side they are no deeper.
        assert_eq!(lax(&nested(2).repeat(DEEPEST)), Ok("x".repeat(DEEPEST)));
        for text in [
            nested(DEEPEST + 1),
            nested(100_000),
            "${GONE:-".repeat(100_000),
            "${A/".repeat(100_000),
        ] {
            assert_eq!(lax(&text), Err("expressions are nested more than 100 deep".to_owned()));
        }
    }

    #[test]
    fn strict_mode_wants_every_variable_but_where_there_is_a_default() {
        let strict = |text: &str| substitute(text, &variables(), true);
        assert_eq!(
            strict("${NAME}${EMPTY}${GONE:-x}${GONE:=x}").as_deref(),
            Ok("checkoutxx")
        );
        for text in ["${GONE}", "${GONE^^}", "${#GONE}", "${NAME:-${GONE}}"] {
            let error = strict(text).expect_err(text);
            assert_eq!(error, "the variable GONE is not set, and substitution is strict");
        }
    }

    #[test]
    fn names_are_those_of_a_shell() {
        assert!(is_name("_a1") && is_name("A"));
        assert!(!is_name("1a") && !is_name("a-b") && !is_name("") && !is_name("ä"));
    }
}
