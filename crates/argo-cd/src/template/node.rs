//! The pieces of a template, and what its numbers may be used as (`text/template/parse/node.go`).

use super::Failure;

/// A piece of a template.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Text(String),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template(String, Option<Pipe>),
    Break,
    Continue,
}

#[derive(Debug, Clone)]
pub(crate) struct Branch {
    pub pipe: Pipe,
    pub then: Vec<Node>,
    pub otherwise: Vec<Node>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Pipe {
    pub declared: Vec<String>,
    /// `=` and not `:=`.
    pub assign: bool,
    pub commands: Vec<Vec<Arg>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Arg {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    Text(String),
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Function(String),
    Chain(Box<Arg>, Vec<String>),
    Pipe(Box<Pipe>),
}

/// A number of a template: what it may be used as.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    pub text: String,
    pub int: Option<i64>,
    pub float: Option<f64>,
    /// Whether it stands for a float where any value may stand.
    pub ideal_float: bool,
}

/// A number as Go's `parse.newNumber` reads it; imaginary ones and hexadecimal floats are refused.
pub(crate) fn number(text: String) -> Result<Number, Failure> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let plain = digits.replace('_', "");
    let lower = plain.to_ascii_lowercase();
    let magnitude = [("0x", 16), ("0o", 8), ("0b", 2)].iter().find_map(|(prefix, radix)| {
        lower
            .strip_prefix(prefix)
            .map(|digits| u64::from_str_radix(digits, *radix).ok())
    });
    let magnitude = magnitude.unwrap_or_else(|| {
        match lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|b| b.is_ascii_digit()) {
            true => u64::from_str_radix(&lower, 8).ok(),
            false => lower.parse().ok(),
        }
    });
    let int = magnitude.and_then(|magnitude| match negative {
        true => 0_i64.checked_sub_unsigned(magnitude),
        false => i64::try_from(magnitude).ok(),
    });
    let written_float = !lower.starts_with("0x") && lower.contains(['.', 'e']);
    let float = match int {
        // As Go converts it.
        Some(int) => Some(int as f64),
        None if written_float => lower
            .parse::<f64>()
            .ok()
            .map(|float| if negative { -float } else { float }),
        None => None,
    };
    let float = float.filter(|float| float.is_finite());
    // A float without a fraction may stand for an integer.
    // It is in range and whole.
    let int = int.or(match float {
        Some(float) if float.fract() == 0.0 && float.abs() < 9.2e18 => Some(float as i64),
        _ => None,
    });
    if int.is_none() && float.is_none() {
        return Err(Failure::new(format!("illegal number syntax: {text:?}")));
    }
    Ok(Number {
        int,
        float,
        ideal_float: written_float,
        text,
    })
}
