//! Functions of numbers (sprig's `numeric.go`; `spf13/cast` for what counts as which number).

use std::rc::Rc;

use super::Type::{Any, Float, Int, Text};
use super::{Bounds, Failure, Function, Value, fail, fixed, int, text, variadic};

type Result<T> = std::result::Result<T, Failure>;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("atoi", &[Text], |_, args| {
        Ok(Value::Int(text(args, 0).parse().unwrap_or(0)))
    }),
    fixed("int", &[Any], |_, args| Ok(Value::Int(to_int(&args[0])))),
    fixed("int64", &[Any], |_, args| Ok(Value::Int64(to_int(&args[0])))),
    fixed("float64", &[Any], |_, args| Ok(Value::Float(to_float(&args[0])))),
    fixed("add1", &[Any], |_, args| {
        Ok(Value::Int64(to_int(&args[0]).wrapping_add(1)))
    }),
    variadic("add", &[], Any, |_, args| {
        Ok(Value::Int64(args.iter().map(to_int).fold(0, i64::wrapping_add)))
    }),
    fixed("sub", &[Any, Any], |_, args| {
        Ok(Value::Int64(to_int(&args[0]).wrapping_sub(to_int(&args[1]))))
    }),
    variadic("mul", &[Any], Any, |_, args| {
        Ok(Value::Int64(args.iter().map(to_int).fold(1, i64::wrapping_mul)))
    }),
    fixed("div", &[Any, Any], |_, args| divided(args, i64::wrapping_div)),
    fixed("mod", &[Any, Any], |_, args| divided(args, i64::wrapping_rem)),
    variadic("max", &[Any], Any, |_, args| {
        Ok(Value::Int64(args.iter().map(to_int).max().unwrap_or(0)))
    }),
    variadic("biggest", &[Any], Any, |_, args| {
        Ok(Value::Int64(args.iter().map(to_int).max().unwrap_or(0)))
    }),
    variadic("min", &[Any], Any, |_, args| {
        Ok(Value::Int64(args.iter().map(to_int).min().unwrap_or(0)))
    }),
    fixed("floor", &[Any], |_, args| Ok(Value::Float(to_float(&args[0]).floor()))),
    fixed("ceil", &[Any], |_, args| Ok(Value::Float(to_float(&args[0]).ceil()))),
    variadic("round", &[Any, Int], Float, |_, args| Ok(Value::Float(round(args)))),
    fixed("until", &[Int], |bounds, args| {
        let count = int(args, 0);
        steps(bounds, 0, count, if count < 0 { -1 } else { 1 })
    }),
    fixed("untilStep", &[Int, Int, Int], |bounds, args| {
        steps(bounds, int(args, 0), int(args, 1), int(args, 2))
    }),
    variadic("seq", &[], Int, seq),
];

/// `cast.ToInt64`: what is no number is 0.
pub(super) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Int(number) | Value::Int64(number) => *number,
        // As Go converts it, but that what is out of range stops at the end.
        Value::Float(number) => *number as i64,
        Value::Bool(truth) => i64::from(*truth),
        Value::Text(text) => parse_int(text),
        _ => 0,
    }
}

/// A text with Go's prefixes of other bases, without `.000` at the end.
fn parse_int(text: &str) -> i64 {
    let text = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    if lower.starts_with(['+', '-']) {
        return 0;
    }
    let radixes = [("0x", 16), ("0o", 8), ("0b", 2)];
    let prefixed = radixes
        .iter()
        .find_map(|(prefix, radix)| Some((lower.strip_prefix(prefix)?, *radix)));
    let (digits, radix) = match prefixed {
        Some(found) => found,
        None if lower.len() > 1 && lower.starts_with('0') => (&lower[1..], 8),
        None => (lower.as_str(), 10),
    };
    let magnitude = match digits.starts_with(['+', '-']) {
        true => None,
        false => i128::from_str_radix(&digits.replace('_', ""), radix).ok(),
    };
    let number = magnitude.map(|magnitude| if negative { -magnitude } else { magnitude });
    number.and_then(|number| i64::try_from(number).ok()).unwrap_or(0)
}

fn to_float(value: &Value) -> f64 {
    match value {
        Value::Float(number) => *number,
        Value::Text(text) => text.parse().unwrap_or(0.0),
        // As Go converts it.
        other => to_int(other) as f64,
    }
}

fn divided(args: &[Value], with: fn(i64, i64) -> i64) -> Result<Value> {
    match to_int(&args[1]) {
        0 => fail("integer divide by zero"),
        by => Ok(Value::Int64(with(to_int(&args[0]), by))),
    }
}

fn round(args: &[Value]) -> f64 {
    let on = match args.get(2) {
        Some(Value::Float(on)) => *on,
        _ => 0.5,
    };
    let power = 10_f64.powi(i32::try_from(int(args, 1)).unwrap_or(0));
    let digit = power * to_float(&args[0]);
    let rounded = if digit.fract() >= on {
        digit.ceil()
    } else {
        digit.floor()
    };
    rounded / power
}

fn range(bounds: &mut Bounds, start: i64, stop: i64, step: i64) -> Result<Vec<i64>> {
    let mut numbers = Vec::new();
    let mut at = start;
    while (step > 0 && at < stop) || (step < 0 && at > stop) {
        bounds.step(1)?;
        numbers.push(at);
        at = at.saturating_add(step);
    }
    Ok(numbers)
}

fn steps(bounds: &mut Bounds, start: i64, stop: i64, step: i64) -> Result<Value> {
    Ok(Value::Ints(Rc::new(range(bounds, start, stop, step)?)))
}

/// Numbers as one text: `seq [first [step]] last`.
fn seq(bounds: &mut Bounds, args: &[Value]) -> Result<Value> {
    let toward = |from: i64, to: i64| if to < from { -1 } else { 1 };
    let (start, step, end) = match args.len() {
        0 => return Ok(Value::from("")),
        1 => (1, toward(1, int(args, 0)), int(args, 0)),
        2 => (int(args, 0), toward(int(args, 0), int(args, 1)), int(args, 1)),
        3 => (int(args, 0), int(args, 1), int(args, 2)),
        _ => return Ok(Value::from("")),
    };
    if args.len() == 3 && step.signum() != toward(start, end) && end != start {
        return Ok(Value::from(""));
    }
    let numbers = range(bounds, start, end.saturating_add(toward(start, end)), step)?;
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    Ok(Value::from(texts.join(" ")))
}
