//! Random JSON, dotenv and INI.

use super::choices::Choices;

pub fn json(choices: &mut Choices<'_>) -> String {
    let mut out = String::new();
    object(choices, &mut out, 0);
    out.push('\n');
    out
}

fn object(choices: &mut Choices<'_>, out: &mut String, depth: usize) {
    const KEYS: &[&str] = &["a", "b_unencrypted", "c d", "é", "data", "<x>", "e\\n", ""];
    out.push('{');
    let first = choices.below(KEYS.len());
    for at in 0..choices.below(5) {
        if at > 0 {
            out.push_str(choices.of(&[", ", ",\n\t"]));
        }
        out.push_str(&format!("\"{}\": ", KEYS[(first + at) % KEYS.len()]));
        value(choices, out, depth + 1);
    }
    out.push('}');
}

fn value(choices: &mut Choices<'_>, out: &mut String, depth: usize) {
    match choices.below(8) {
        6 if depth < 5 => object(choices, out, depth),
        7 if depth < 5 => {
            out.push('[');
            for at in 0..choices.below(4) {
                if at > 0 {
                    out.push(',');
                }
                value(choices, out, depth + 1);
            }
            out.push(']');
        }
        _ => out.push_str(choices.of(&[
            "1",
            "\"text\"",
            "\"\"",
            "true",
            "false",
            "null",
            "1.5",
            "-3",
            "1e3",
            "1e21",
            "1e-7",
            "0.1",
            "100000000000000000000",
            "\"a\\nb\\t\\u0001\"",
            "\"<&>\\u2028\"",
            "\"\u{1F600}\"",
            "\"\\\\n\"",
            "2.0",
            "9007199254740993",
        ])),
    }
}

pub fn dotenv(choices: &mut Choices<'_>) -> String {
    let mut out = String::new();
    for at in 0..=choices.below(6) {
        match choices.below(8) {
            6 => out.push_str(choices.of(&["# comment", "#", "#x=y"])),
            7 => {}
            _ => {
                let key = choices.of(&["A", "b", "C_unencrypted", "D E", "export F", ""]);
                let value = choices.of(&[
                    "text",
                    "",
                    "\"quoted\"",
                    "a=b",
                    "a\\nb",
                    " blanks ",
                    "#no comment",
                    "'x'",
                    "é",
                    "x\r",
                    "${Y}",
                    "1",
                    "true",
                ]);
                out.push_str(&format!("{key}{at}={value}"));
            }
        }
        out.push('\n');
    }
    if choices.once_in(5) {
        out.pop();
    }
    out
}

pub fn ini(choices: &mut Choices<'_>) -> String {
    let mut out = String::new();
    for at in 0..=choices.below(8) {
        match choices.below(10) {
            6 => out.push_str(choices.of(&["# comment", "; comment", "#", ";x", "# a\n; b"])),
            7 => {}
            8 | 9 => {
                out.push_str(choices.of(&["[section]", "[a.b]", "[x y] ; why", "[z_unencrypted]", "  [in]"]));
            }
            _ => {
                let key = choices.of(&["a", "b c", "d_unencrypted", "\"q\"", "`r`", "e.f", "  g"]);
                let delimiter = choices.of(&[" = ", "=", ": "]);
                let value = choices.of(&[
                    "text",
                    "",
                    "\"quoted\"",
                    "'single'",
                    "a=b",
                    "x ; note",
                    "`#back`",
                    "\"\"\"two\nlines\"\"\"",
                    "one \\\n  two",
                    "é",
                    "1",
                    "  blanks  ",
                    "\"half",
                    "%(x)s",
                    "a:b",
                ]);
                match key.ends_with(['"', '`']) {
                    true => out.push_str(&format!("{key}{delimiter}{value}")),
                    false => out.push_str(&format!("{key}{at}{delimiter}{value}")),
                }
            }
        }
        out.push('\n');
    }
    out
}
