//! What is written is read alike by all: the table `reference/written.jsonl` has the texts that [`to_string`] makes of tricky values, and what
//! `reference/main.go` says that Kubernetes' own code reads there, through `sigs.k8s.io/yaml` and as a stream. With `REFLOAT_BLESS=1` and Go at
//! hand the table is written again.

use std::collections::BTreeSet;

use kube_yaml::to_string;
use serde_json::{Map, Value, json};

/// Texts that some reader takes for something else, or for the end of the text, where they are written carelessly.
const TEXTS: &[&str] = &[
    "yes",
    "Yes",
    "NO",
    "no",
    "on",
    "Off",
    "y",
    "Y",
    "n",
    "true",
    "False",
    "~",
    "null",
    "NULL",
    "Null",
    "",
    "1e3",
    "1E+3",
    "12e03",
    "0x1F",
    "0o17",
    "012",
    "0b11",
    "1_000",
    "+1",
    "-1",
    "1.0",
    ".5",
    "5.",
    ".inf",
    "-.Inf",
    ".NaN",
    "190:20:30",
    "12:30",
    "2026-01-31",
    "2026-01-31T10:00:00Z",
    "2026-01-31 10:00:00.5",
    "9223372036854775808",
    "0.1e-400",
    " leading",
    "trailing ",
    "  ",
    "a: b",
    "a:",
    ": a",
    ":",
    "a #b",
    "#a",
    "a#b",
    "- a",
    "-",
    "--",
    "---",
    "--- a",
    "...",
    "? a",
    "?",
    "|",
    ">",
    "&a",
    "*a",
    "!a",
    "!!str a",
    "%a",
    "@a",
    "`a",
    "[a",
    "]",
    "{a",
    "}",
    "a, b",
    "'a'",
    "\"a\"",
    "it's",
    "a\\nb",
    "\\",
    "=",
    "<<",
    "\ta",
    "a\tb",
    "a\t",
    "a\r\nb\r\n",
    "a\rb",
    "\r",
    "\n",
    "\n\n",
    "a\nb",
    "a\nb\n",
    "a\nb\n\n",
    "a\n\n\n",
    "\na\n",
    "\n  a\nb\n",
    "  a\nb\n",
    "\ta\nb\n",
    "a\n  b\n",
    "a \nb\n",
    "a\n \nb\n",
    "a\n\t\nb\n",
    "a\n---\nb\n",
    "--- a\nb\n",
    "a\n...\n",
    "# a\nb\n",
    "a: b\nc: d\n",
    "a\n# b",
    "- a\n- b\n",
    "{{ .Values.a }}\n{{- end }}\n",
    "#!/bin/sh\nset -e\nexec \"$@\"\n",
    "héllo",
    "日本語\n二行\n",
    "😀",
    "\u{feff}a",
    "\u{a0}",
    "\u{85}a",
    "a\u{2028}b",
    "\u{0}",
    "\u{7}\u{1b}",
    "\u{7f}",
    "\u{fffe}",
    "${VAR}",
    "$(VAR)",
    "https://a.example:80/b?c=d#e",
    "a=b",
    "10.0.0.0/8",
    "sha256:00",
    "100m",
    "1Gi",
];

/// All of them: as values, as keys, as items, in the middle of maps in lists; and texts that are very long.
fn values() -> Vec<Value> {
    let mut all: Vec<Value> = TEXTS
        .iter()
        .map(|text| json!({"data": {"k": text, "after": 1}}))
        .collect();
    all.extend(
        TEXTS
            .iter()
            .map(|text| json!({"data": {*text: "v"}, "items": [text, {"name": text, "more": [text]}]})),
    );
    let (word, line) = ("word ".repeat(400), "x".repeat(5000));
    let script = format!("{}\n  {line}\n{}\n", word.trim_end(), word.trim_end());
    all.extend([&word, &line, &script].map(|text| json!({"data": {"long": text}, "args": [text]})));
    all.push(json!({
        "empty": {"map": {}, "list": [], "text": "", "null": null, "lists": [[], [{}], [[1]]]},
        "numbers": [0, -1, 9_223_372_036_854_775_807_i64, 0.5, 1e21, 1.5e-9], "booleans": [true, false],
    }));
    // Twice the same is written twice, and not as an alias.
    let same = json!({"a": {"b": ["c", "d"]}});
    all.push(json!({"one": same, "two": same}));
    all
}

/// Numbers as the API machinery compares them.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || !(a.is_i64() && b.is_i64()) && a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            let of = |a: &Map<String, Value>, b: &Map<String, Value>| {
                a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
            };
            a.len() == b.len() && of(a, b)
        }
        _ => a == b,
    }
}

/// What Go reads in these texts.
#[expect(clippy::disallowed_methods, reason = "the table is written by Kubernetes' own code")]
fn read_by_go(texts: &[String]) -> String {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut go = Command::new("go")
        .args(["run", "."])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("because Go is there");
    let rows: String = texts
        .iter()
        .map(|text| format!("{}\n", json!({"text": text})))
        .collect();
    let mut stdin = go.stdin.take().expect("because it is piped");
    let writer = std::thread::spawn(move || stdin.write_all(rows.as_bytes()));
    let output = go.wait_with_output().expect("because it was started");
    assert!(output.status.success() && writer.join().is_ok_and(|written| written.is_ok()));
    String::from_utf8(output.stdout).expect("because it is JSON")
}

#[test]
fn go_reads_what_is_written_as_it_was_meant() {
    let values = values();
    let texts: Vec<String> = values.iter().map(to_string).collect();
    if std::env::var_os("REFLOAT_BLESS").is_some() {
        let table = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/written.jsonl");
        std::fs::write(table, read_by_go(&texts)).expect("because the folder is ours");
    }
    let table = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/written.jsonl"));
    let table = table.expect("because it is part of the repository");
    let rows: Vec<Value> = table
        .lines()
        .map(|row| serde_json::from_str(row).expect("because the rows are JSON"))
        .collect();
    assert_eq!(rows.len(), values.len(), "REFLOAT_BLESS=1 asks Go again");
    let mut wrong = Vec::new();
    for ((value, text), row) in values.iter().zip(&texts).zip(&rows) {
        assert_eq!(row["text"], **text, "REFLOAT_BLESS=1 asks Go what it reads there now");
        let documents = row["documents"].as_array().map_or(&[][..], Vec::as_slice);
        // `one` stands there where one document is read otherwise than a stream.
        let alike = row["one"].is_null() && row["error"].is_null();
        if !alike || documents.len() != 1 || !same(&documents[0], value) {
            wrong.push(format!("{value}\n{text}\n{row}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong, such as\n{}", wrong.len(), wrong[0]);
}

/// Texts of several lines that a block can hold: `|` needs nothing that has to be escaped.
fn fits_a_block(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n') && text.chars().all(|c| c == '\n' || !c.is_control())
}

#[test]
fn lines_stay_lines_and_nothing_is_folded_or_named() {
    let mut blocks = 0;
    for text in TEXTS {
        let written = to_string(&json!({"data": {"k": text}}));
        let head = written.lines().nth(1).and_then(|line| line.strip_prefix("  k: "));
        let head = head.unwrap_or_else(|| panic!("{written}"));
        let is_block = head.starts_with('|');
        assert!(
            !head.starts_with(['>', '&', '*']) && !written.contains("<<:"),
            "{written}"
        );
        // A first line that is empty does not show the indent, and blanks at the end of a line are lost in editors.
        let odd = text.starts_with('\n') || text.lines().any(|line| line.ends_with([' ', '\t']));
        let odd = odd || text.contains(['\u{feff}', '\u{85}', '\u{2028}', '\t']);
        match fits_a_block(text) && !odd {
            true => {
                assert!(is_block, "{text:?}\n{written}");
                blocks += 1;
            }
            false => assert!(is_block || written.lines().count() == 2, "{text:?}\n{written}"),
        }
        if is_block {
            let below = written
                .lines()
                .skip(2)
                .map(|line| line.trim_start())
                .collect::<Vec<_>>();
            let lines = text
                .trim_end_matches('\n')
                .split('\n')
                .map(str::trim_start)
                .collect::<Vec<_>>();
            assert_eq!(below[..lines.len()], lines, "each line is a line");
        }
    }
    assert!(blocks > 10, "{blocks}");
    // However long.
    let long =
        json!({"a": "word ".repeat(400).trim_end(), "b": format!("{}\nshort\n", "word ".repeat(400).trim_end())});
    assert_eq!(to_string(&long).lines().count(), 4);
    let same = json!({"a": [1, 2]});
    assert_eq!(
        to_string(&json!({"one": same, "two": same})),
        "one:\n  a:\n  - 1\n  - 2\ntwo:\n  a:\n  - 1\n  - 2\n"
    );
}

/// Words of YAML 1.1 that are no texts there stand in quotes, as keys too.
#[test]
fn words_that_mean_something_stand_in_quotes() {
    let meaning: BTreeSet<&str> = [
        "yes",
        "no",
        "on",
        "y",
        "n",
        "~",
        "null",
        "",
        "1e3",
        "0x1F",
        "012",
        "1_000",
        "2026-01-31",
        "=",
        "<<",
    ]
    .into();
    for word in meaning {
        let written = to_string(&json!({word: word}));
        assert_eq!(written, format!("\"{word}\": \"{word}\"\n"));
    }
    for word in ["yesterday", "nothing", "one", "1.2.3", "10.0.0.1", "a=b", "v1"] {
        assert_eq!(to_string(&json!({word: word})), format!("{word}: {word}\n"));
    }
}
