//! Random YAML, with comments in all places.

use super::choices::Choices;

const KEYS: &[&str] = &[
    "a",
    "b",
    "data",
    "password",
    "c_unencrypted",
    "key with space",
    "\"quoted\"",
    "'yes'",
    "x.y/z",
    "d_pub",
    "\"\\u00e9\"",
    "stringData",
    "e",
    "f",
    "g",
    "h",
];

const SCALARS: &[&str] = &[
    "text",
    "1",
    "",
    "\"\"",
    "'it''s'",
    "true",
    "no",
    "0777",
    "1.5",
    "1e3",
    "-17",
    "null",
    "2001-12-14",
    "\"multi\\nline\"",
    "a b c",
    "\"#x\"",
    "x:y",
    "'x: y'",
    "08",
    "\"\\ttab\"",
    "\" lead\"",
    "'- a'",
    "0x1F",
    "1_000",
    ".5",
    "~",
    "\"\\u263a\"",
    "\"nul \\0\"",
    "!!str 5",
    "!!binary aGVsbG8=",
    "\"trailing \"",
    "\"a\\n\\nb\\n\"",
    "\"\\n\"",
    "9223372036854775807",
    "1:30",
    "\"ENC[AES256_GCM,data:x]\"",
    "y",
];

const COMMENTS: &[&str] = &["# c", "#x y", "# encrypt", "#  two  ", "# plain: z", "## d"];

pub fn document(choices: &mut Choices<'_>) -> String {
    let mut yaml = Yaml {
        out: String::new(),
        anchors: 0,
        anchored: Vec::new(),
    };
    let documents = if choices.once_in(6) { 2 } else { 1 };
    for at in 0..documents {
        yaml.anchored.clear();
        if at > 0 || choices.once_in(5) {
            yaml.comments(choices, 0);
            yaml.out.push_str("---");
            yaml.line_comment(choices);
            yaml.out.push('\n');
        }
        yaml.comments(choices, 0);
        yaml.map(choices, 0, 0);
        yaml.comments(choices, 0);
    }
    if choices.once_in(8) {
        yaml.out.pop();
    }
    yaml.out
}

struct Yaml {
    out: String,
    anchors: usize,
    anchored: Vec<String>,
}

impl Yaml {
    fn indent(&mut self, columns: usize) {
        self.out.push_str(&" ".repeat(columns));
    }

    /// Lines of comments and empty lines, mostly at the column of what is around them.
    fn comments(&mut self, choices: &mut Choices<'_>, column: usize) {
        if !choices.once_in(3) {
            return;
        }
        for _ in 0..=choices.below(4) {
            if choices.once_in(3) {
                self.out.push('\n');
                continue;
            }
            let column = match choices.below(8) {
                6 => column + 2,
                7 => column.saturating_sub(2),
                _ => column,
            };
            self.indent(column);
            self.out.push_str(choices.of(COMMENTS));
            self.out.push('\n');
        }
    }

    fn line_comment(&mut self, choices: &mut Choices<'_>) {
        if choices.once_in(5) {
            self.out.push(' ');
            self.out.push_str(choices.of(COMMENTS));
        }
    }

    fn map(&mut self, choices: &mut Choices<'_>, column: usize, depth: usize) {
        let first = choices.below(KEYS.len());
        for at in 0..=choices.below(4) {
            if at > 0 {
                self.comments(choices, column);
                self.indent(column);
            }
            let key = KEYS[(first + at) % KEYS.len()];
            self.out.push_str(key);
            self.out.push(':');
            self.value(choices, column, depth, true);
            self.comments(choices, column);
        }
    }

    fn list(&mut self, choices: &mut Choices<'_>, column: usize, depth: usize) {
        for at in 0..=choices.below(4) {
            if at > 0 {
                self.comments(choices, column);
                self.indent(column);
            }
            self.out.push('-');
            self.value(choices, column, depth, false);
        }
    }

    /// What stands behind `key:` or `-`, with the end of its line.
    fn value(&mut self, choices: &mut Choices<'_>, column: usize, depth: usize, of_key: bool) {
        let deep = depth > 3;
        match choices.below(12) {
            6 if !deep => {
                self.open(choices, of_key, column);
                let column = column + 2;
                self.start(choices, column, of_key);
                self.map(choices, column, depth + 1);
            }
            7 if !deep => {
                self.open(choices, of_key, column);
                let column = if of_key && choices.once_in(2) {
                    column
                } else {
                    column + 2
                };
                self.start(choices, column, of_key);
                self.list(choices, column, depth + 1);
            }
            8 => {
                self.out.push(' ');
                self.flow(choices, column + 2, depth);
                self.line_comment(choices);
                self.out.push('\n');
            }
            9 => self.block_scalar(choices, column),
            10 if of_key => self.anchor_or_alias(choices, column, depth),
            _ => {
                let scalar = choices.of(SCALARS);
                if !scalar.is_empty() {
                    self.out.push(' ');
                    self.out.push_str(scalar);
                }
                self.line_comment(choices);
                self.out.push('\n');
            }
        }
    }

    /// Before a block that begins on the next line, or behind a dash.
    fn open(&mut self, choices: &mut Choices<'_>, of_key: bool, column: usize) {
        if of_key || choices.once_in(4) {
            self.line_comment(choices);
            self.out.push('\n');
            self.comments(choices, column + 2);
        }
    }

    fn start(&mut self, _choices: &mut Choices<'_>, column: usize, _of_key: bool) {
        match self.out.ends_with('\n') {
            true => self.indent(column),
            false => self.out.push(' '),
        }
    }

    fn flow(&mut self, choices: &mut Choices<'_>, column: usize, depth: usize) {
        let list = choices.once_in(2);
        self.out.push(if list { '[' } else { '{' });
        let count = choices.below(4);
        for (at, key) in KEYS.iter().enumerate().take(count) {
            if choices.once_in(5) {
                self.line_comment(choices);
                self.out.push('\n');
                self.comments(choices, column);
                self.indent(column);
            }
            if !list {
                self.out.push_str(key);
                self.out.push_str(": ");
            }
            match choices.below(6) {
                5 if depth < 4 => self.flow(choices, column + 2, depth + 1),
                _ => self
                    .out
                    .push_str(choices.of(&["1", "x", "\"y\"", "true", "a b", "'#'"])),
            }
            if at + 1 < count || choices.once_in(6) {
                self.out.push_str(", ");
            }
        }
        if choices.once_in(6) {
            self.line_comment(choices);
            self.out.push('\n');
            self.comments(choices, column);
            self.indent(column);
        }
        self.out.push(if list { ']' } else { '}' });
    }

    fn block_scalar(&mut self, choices: &mut Choices<'_>, column: usize) {
        self.out.push(' ');
        self.out.push_str(choices.of(&["|", ">", "|-", "|+", ">-"]));
        self.line_comment(choices);
        self.out.push('\n');
        for _ in 0..=choices.below(3) {
            self.indent(column + 2);
            self.out
                .push_str(choices.of(&["text", "# text", "  more", "a: b", "\ttab", "x  "]));
            self.out.push('\n');
            if choices.once_in(5) {
                self.out.push('\n');
            }
        }
    }

    fn anchor_or_alias(&mut self, choices: &mut Choices<'_>, column: usize, depth: usize) {
        if let Some(name) = self.anchored.last().filter(|_| choices.once_in(2)) {
            self.out.push_str(&format!(" *{name}"));
            self.line_comment(choices);
            self.out.push('\n');
            return;
        }
        let name = format!("n{}", self.anchors);
        self.anchors += 1;
        self.out.push_str(&format!(" &{name}"));
        match choices.once_in(2) && depth < 4 {
            true => {
                self.line_comment(choices);
                self.out.push('\n');
                self.indent(column + 2);
                self.map(choices, column + 2, depth + 1);
            }
            false => {
                self.out.push_str(" text");
                self.line_comment(choices);
                self.out.push('\n');
            }
        }
        self.anchored.push(name);
    }
}
