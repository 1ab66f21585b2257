//! `printf` (Go's `fmt.Sprintf`), for the values that templates have.

use super::bounds::LONGEST;
use super::print::{display, float, quote_char, quoted};
use super::{Failure, Value};

/// Values of one argument that are written.
const MOST: usize = 20_000;
/// Levels of it. A map may hold itself.
const DEEPEST: usize = 100;

#[derive(Default, Clone, Copy)]
struct Flags {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
    /// Levels of lists and maps above.
    depth: usize,
}

/// A format with its arguments.
pub(crate) fn sprintf(format: &str, args: &[Value]) -> Result<String, Failure> {
    let mut out = String::new();
    let (mut rest, mut used) = (format, 0);
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let mut flags;
        (flags, rest) = read_spec(rest, args, &mut used, &mut out)?;
        let mut chars = rest.chars();
        let Some(verb) = chars.next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        rest = chars.as_str();
        if verb == '%' {
            out.push('%');
            continue;
        }
        // With `%+v` the sign is one of structures, not of numbers.
        flags.plus &= verb != 'v';
        if verb == '[' {
            return Err(Failure::new("argument indexes in printf are not supported"));
        }
        let Some(value) = args.get(used) else {
            out.push_str(&format!("%!{verb}(MISSING)"));
            continue;
        };
        used += 1;
        out.push_str(&verb_of(verb, value, &flags, &mut { MOST })?);
        if out.len() > LONGEST {
            return Err(Failure::new(format!("a text is longer than {LONGEST} bytes")));
        }
    }
    out.push_str(rest);
    if let Some(more) = args.get(used..).filter(|more| !more.is_empty()) {
        let mut extra = Vec::new();
        for value in more {
            extra.push(match value.is_nothing() {
                true => "<nil>".to_owned(),
                false => format!("{}={}", value.type_name(), display(value)?),
            });
        }
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    Ok(out)
}

/// What stands between `%` and the verb: flags, width and precision, of which `*` takes an argument.
fn read_spec<'f>(
    format: &'f str,
    args: &[Value],
    used: &mut usize,
    out: &mut String,
) -> Result<(Flags, &'f str), Failure> {
    let mut flags = Flags::default();
    let mut rest = read_flags(format, &mut flags);
    if let Some(after) = rest.strip_prefix('*') {
        rest = after;
        let (width, bad) = star(args, used);
        flags.minus |= width.is_some_and(|width| width < 0);
        flags.width = width.and_then(|width| usize::try_from(width.unsigned_abs()).ok());
        out.push_str(if bad { "%!(BADWIDTH)" } else { "" });
    } else {
        (flags.width, rest) = digits(rest);
    }
    if let Some(after) = rest.strip_prefix('.') {
        rest = after;
        if let Some(after) = rest.strip_prefix('*') {
            rest = after;
            let (precision, bad) = star(args, used);
            flags.precision = precision.and_then(|precision| usize::try_from(precision).ok());
            out.push_str(if bad || precision.is_some_and(|p| p < 0) {
                "%!(BADPREC)"
            } else {
                ""
            });
        } else {
            let (precision, after) = digits(rest);
            flags.precision = Some(precision.unwrap_or(0));
            rest = after;
        }
    }
    if flags.width.unwrap_or(0).max(flags.precision.unwrap_or(0)) > LONGEST {
        return Err(Failure::new("a width or precision is too large"));
    }
    Ok((flags, rest))
}

fn read_flags<'f>(mut rest: &'f str, flags: &mut Flags) -> &'f str {
    while let Some(flag) = rest.chars().next() {
        match flag {
            '-' => flags.minus = true,
            '+' => flags.plus = true,
            '#' => flags.sharp = true,
            ' ' => flags.space = true,
            '0' => flags.zero = true,
            _ => break,
        }
        rest = &rest[1..];
    }
    rest
}

fn digits(rest: &str) -> (Option<usize>, &str) {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at(end);
    (
        if digits.is_empty() {
            None
        } else {
            Some(digits.parse().unwrap_or(usize::MAX))
        },
        rest,
    )
}

fn star(args: &[Value], used: &mut usize) -> (Option<i64>, bool) {
    let value = args.get(*used);
    *used += 1;
    match value {
        Some(Value::Int(number) | Value::Int64(number)) if number.unsigned_abs() <= 1_000_000 => (Some(*number), false),
        _ => (None, true),
    }
}

fn pad(text: String, flags: &Flags, zero: bool) -> String {
    let missing = flags.width.unwrap_or(0).saturating_sub(text.chars().count());
    match (flags.minus, zero && flags.zero) {
        (true, _) => text + &" ".repeat(missing),
        (false, true) => {
            // Zeros go behind the sign.
            let sign = text.starts_with(['+', '-', ' ']).then(|| text.chars().next()).flatten();
            let digits = &text[sign.map_or(0, char::len_utf8)..];
            format!(
                "{}{}{digits}",
                sign.map(String::from).unwrap_or_default(),
                "0".repeat(missing)
            )
        }
        (false, false) => " ".repeat(missing) + &text,
    }
}

/// A verb that has no meaning for a value, which is then written as `%v` with the flags of the verb.
fn bad(verb: char, value: &Value, flags: &Flags, left: &mut usize) -> Result<String, Failure> {
    Ok(match value.is_nothing() {
        true => format!("%!{verb}(<nil>)"),
        false => format!("%!{verb}({}={})", value.type_name(), verb_of('v', value, flags, left)?),
    })
}

fn verb_of(verb: char, value: &Value, flags: &Flags, left: &mut usize) -> Result<String, Failure> {
    *left = left.saturating_sub(1);
    if *left == 0 || flags.depth > DEEPEST {
        return Err(Failure::new("a value is too large for printf"));
    }
    match (verb, value) {
        ('T', value) => Ok(pad(value.type_name().to_owned(), flags, false)),
        ('v', _) if flags.sharp => Err(Failure::new("%#v in printf is not supported")),
        ('v', Value::Absent | Value::Nil) => Ok(pad("<nil>".to_owned(), flags, false)),
        (_, Value::Absent | Value::Nil) => bad(verb, value, flags, left),
        (_, Value::List(_) | Value::Texts(_) | Value::Ints(_)) => {
            let items = value.items().unwrap_or_default();
            let items: Result<Vec<_>, _> = items.iter().map(|item| within(verb, item, flags, left)).collect();
            Ok(format!("[{}]", items?.join(" ")))
        }
        (_, Value::Map(_) | Value::TextMap(_)) => {
            let mut out = Vec::new();
            for (key, item) in value.entries().unwrap_or_default() {
                out.push(format!(
                    "{}:{}",
                    within(verb, &Value::Text(key), flags, left)?,
                    within(verb, &item, flags, left)?
                ));
            }
            Ok(format!("map[{}]", out.join(" ")))
        }
        ('v' | 't', Value::Bool(_)) => Ok(pad(display(value)?, flags, false)),
        (_, Value::Text(text)) => text_verb(verb, text, flags).map_or_else(|| bad(verb, value, flags, left), Ok),
        (_, Value::Int(number) | Value::Int64(number)) => {
            int_verb(verb, *number, flags).map_or_else(|| bad(verb, value, flags, left), Ok)
        }
        ('x' | 'X' | 'b', Value::Float(_)) => {
            Err(Failure::new(format!("%{verb} of a float in printf is not supported")))
        }
        (_, Value::Float(number)) => float_verb(verb, *number, flags).map_or_else(|| bad(verb, value, flags, left), Ok),
        _ => bad(verb, value, flags, left),
    }
}

/// An item of a list or map: nothing is written as such.
fn within(verb: char, value: &Value, flags: &Flags, left: &mut usize) -> Result<String, Failure> {
    let flags = &Flags {
        depth: flags.depth + 1,
        ..*flags
    };
    match value.is_nothing() {
        true => Ok("<nil>".to_owned()),
        false => verb_of(verb, value, flags, left),
    }
}

fn text_verb(verb: char, text: &str, flags: &Flags) -> Option<String> {
    let cut = || match flags.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text.to_owned(),
    };
    let hex = |upper: bool| {
        let bytes = text.bytes().take(flags.precision.unwrap_or(usize::MAX));
        let digits: Vec<String> = bytes
            .map(|b| if upper { format!("{b:02X}") } else { format!("{b:02x}") })
            .collect();
        digits.join(if flags.space { " " } else { "" })
    };
    Some(match verb {
        's' | 'v' => pad(cut(), flags, true),
        'q' if flags.sharp && !text.contains('`') && !text.chars().any(|c| c.is_control() && c != '\t') => {
            pad(format!("`{}`", cut()), flags, true)
        }
        'q' => pad(quoted(&cut()), flags, true),
        'x' => pad(hex(false), flags, true),
        'X' => pad(hex(true), flags, true),
        _ => return None,
    })
}

fn int_verb(verb: char, number: i64, flags: &Flags) -> Option<String> {
    let magnitude = number.unsigned_abs();
    let digits = match verb {
        'd' | 'v' => magnitude.to_string(),
        'x' => format!("{magnitude:x}"),
        'X' => format!("{magnitude:X}"),
        'o' | 'O' => format!("{magnitude:o}"),
        'b' => format!("{magnitude:b}"),
        'c' => return Some(pad(character(number).to_string(), flags, false)),
        'q' => {
            let mut out = String::from("'");
            quote_char(character(number), '\'', &mut out);
            out.push('\'');
            return Some(pad(out, flags, false));
        }
        'U' => return Some(pad(format!("U+{magnitude:04X}"), flags, false)),
        _ => return None,
    };
    let digits = match flags.precision {
        Some(0) if number == 0 => String::new(),
        Some(precision) => "0".repeat(precision.saturating_sub(digits.len())) + &digits,
        None => digits,
    };
    let sign = match (number < 0, flags.plus, flags.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    let prefix = match (verb, flags.sharp) {
        ('x', true) => "0x",
        ('X', true) => "0X",
        ('o', true) if !digits.starts_with('0') => "0",
        ('b', true) => "0b",
        ('O', _) => "0o",
        _ => "",
    };
    // Zeros that fill the width go before the digits, after the sign and the prefix.
    let fill = match flags.zero && !flags.minus && flags.precision.is_none() {
        true => flags.width.unwrap_or(0).saturating_sub(digits.len() + sign.len()),
        false => 0,
    };
    Some(pad(format!("{sign}{prefix}{}{digits}", "0".repeat(fill)), flags, false))
}

fn character(number: i64) -> char {
    u32::try_from(number)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn float_verb(verb: char, number: f64, flags: &Flags) -> Option<String> {
    let finite = number.is_finite();
    let text = match (verb, flags.precision) {
        (_, _) if !finite && "vgGfFeE".contains(verb) => float(number),
        ('v' | 'g' | 'G', None) => float(number),
        ('f' | 'F', precision) => format!("{number:.*}", precision.unwrap_or(6).min(1000)),
        ('e' | 'E', precision) => {
            let text = format!("{number:.*e}", precision.unwrap_or(6).min(1000));
            let (digits, exponent) = text.split_once('e')?;
            let exponent: i32 = exponent.parse().ok()?;
            format!(
                "{digits}e{}{:02}",
                if exponent < 0 { '-' } else { '+' },
                exponent.unsigned_abs()
            )
        }
        ('v' | 'g' | 'G', Some(precision)) => general(number, precision.clamp(1, 1000))?,
        _ => return None,
    };
    let text = if verb.is_ascii_uppercase() && finite {
        text.to_uppercase()
    } else {
        text
    };
    let text = match (text.starts_with(['-', '+']), flags.plus, flags.space) {
        (false, true, _) => format!("+{text}"),
        (false, false, true) => format!(" {text}"),
        _ if text.starts_with('+') && !flags.plus => text,
        _ => text,
    };
    Some(pad(text, flags, finite))
}

/// `%g` with so many digits.
fn general(number: f64, precision: usize) -> Option<String> {
    let text = format!("{number:.*e}", precision - 1);
    let (digits, exponent) = text.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let trimmed = match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.'),
        false => digits,
    };
    // Where all digits are shown anyway, fewer are asked for.
    let shown = trimmed.bytes().filter(u8::is_ascii_digit).count();
    let limit = if precision > shown && i32::try_from(shown).is_ok_and(|shown| shown > exponent) {
        shown
    } else {
        precision
    };
    if exponent < -4 || i32::try_from(limit).is_ok_and(|limit| exponent >= limit) {
        return Some(format!(
            "{trimmed}e{}{:02}",
            if exponent < 0 { '-' } else { '+' },
            exponent.unsigned_abs()
        ));
    }
    let decimals = usize::try_from(i32::try_from(precision).ok()? - 1 - exponent).unwrap_or(0);
    let text = format!("{number:.decimals$}");
    Some(match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    })
}
