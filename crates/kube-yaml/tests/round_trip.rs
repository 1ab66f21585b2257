//! Whatever is written is read back as the same value.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use kube_yaml::{parse, parse_one, to_string, write_stream};

/// Pieces of text that mean something to some YAML reader.
const TRAPS: &[&str] = &[
    "yes",
    "off",
    "y",
    "null",
    "~",
    "",
    "0644",
    "0o17",
    "0x1F",
    "1_000",
    "1e3",
    "12e34567",
    ".5",
    "1.",
    ".inf",
    "-.INF",
    ".nan",
    "12:30:45",
    "2026-01-01",
    "2026-01-01T00:00:00Z",
    "=",
    "<<",
    "-",
    "- a",
    "?",
    "? a",
    ":",
    ": a",
    "a: b",
    "a:",
    "a #b",
    "#a",
    "&a",
    "*a",
    "!a",
    "|",
    ">",
    "%a",
    "@a",
    "`a",
    "'",
    "\"",
    "{",
    "}",
    "[a]",
    "{}",
    "[]",
    "---",
    "--- a",
    "...",
    "\n",
    "\n\n",
    "a\n",
    "a\n\n",
    "\na",
    " a\nb",
    "a\n b\n",
    "a\n\nb",
    "a \nb",
    "a\t\nb",
    "a\n  \nb",
    "\ta\nb",
    "a\n\tb",
    " ",
    "  a",
    "a  ",
    "\t",
    "a\tb",
    "\r",
    "a\r\nb",
    "\u{0}",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\u{fffe}",
    "é",
    "😀",
    "\\",
    "\\n",
    "{{ .Values.x }}",
    "$(VAR)",
    "http://a:80/b?c=d#e",
    "a\n---\nb",
    "a\n...\n",
    "#!/bin/sh\nset -e\n",
    "--flag=value",
    "10.0.0.1",
    "a, b",
    "+",
    "+1",
    "-1",
    "09",
    "1.2.3",
    "nULL",
    "True",
    "a\n# b\n",
];

fn text() -> impl Strategy<Value = String> {
    let trap = prop::sample::select(TRAPS).prop_map(str::to_owned);
    let piece = prop_oneof![
        3 => prop::sample::select(TRAPS).prop_map(str::to_owned),
        1 => any::<String>(),
        2 => "[a-z0-9 :#\\-\n\t'\"]{0,6}",
    ];
    prop_oneof![
        3 => trap,
        2 => any::<String>(),
        2 => "[ -~]{0,12}",
        2 => "[0-9eExXoOb_.:+\\-]{0,8}",
        3 => prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat()),
        1 => "[a-z]{1,3}".prop_map(|s| s.repeat(400)),
    ]
}

/// Numbers as the API machinery has them: what is whole and fits is an i64.
fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(|f| match format!("{f}").parse::<i64>() {
            Ok(whole) => Value::from(whole),
            Err(_) => json!(f),
        }),
        (-1000i32..1000).prop_map(|n| json!(f64::from(n) + 0.5)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number(),
        text().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_document(value in value()) {
        let written = to_string(&value);
        let read = parse_one(written.as_bytes());
        prop_assert!(read.warnings.is_empty(), "{written}");
        let read = read.value.map_err(|e| TestCaseError::fail(format!("{e}\n{written}")))?;
        // As text, for the order of keys counts too.
        prop_assert_eq!(read.to_string(), value.to_string(), "{}", written);
    }

    #[test]
    fn stream(values in prop::collection::vec(value(), 0..4)) {
        let mut written = Vec::new();
        write_stream(&mut written, &values).expect("because memory takes all that is written");
        let read: Vec<Value> = parse(&written).into_iter().filter_map(|d| d.value.ok()).collect();
        let values: Vec<Value> = values.into_iter().filter(|v| !v.is_null()).collect();
        prop_assert_eq!(Value::from(read).to_string(), Value::from(values).to_string());
    }

    #[test]
    fn any_text_is_answered(text in prop::collection::vec(text(), 0..6)) {
        let text = text.concat();
        let lines = text.matches(['\n', '\r']).count() + 1;
        for document in parse(text.as_bytes()) {
            prop_assert!((1..=lines).contains(&document.line));
        }
        let _ = parse_one(text.as_bytes());
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = (parse(&bytes), parse_one(&bytes));
    }
}
