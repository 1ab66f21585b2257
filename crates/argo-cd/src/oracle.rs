//! Random input, against the Go libraries that Argo CD uses: `tests/tools/argo-oracle`. 1,500 of each kind with a fixed seed, 100,000 with
//! `REFLOAT_LONG=1`; `REFLOAT_SEED=N` begins at another seed.
#![expect(clippy::print_stderr, reason = "tests say what they skipped")]

#[path = "../tests/support/mod.rs"]
mod support;
mod templates;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::appset::{flatten, replace_fast};
use crate::glob::Glob;
use crate::template::{Value, merge_over, to_json};
use support::Oracle;

/// A generator of numbers that are not random at all.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % u64::try_from(limit).expect("because it is small"))
            .expect("because it is below a usize")
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn joined(&mut self, of: &[&str], most: usize) -> String {
        (0..=self.below(most)).map(|_| self.one(of)).collect()
    }
}

fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let start = number("REFLOAT_SEED").unwrap_or(1);
    start
        ..start
            + if std::env::var_os("REFLOAT_LONG").is_some() {
                100_000
            } else {
                1_500
            }
}

#[test]
fn globs() {
    const PIECES: &[&str] = &[
        "a", "b", "/", "*", "**", "?", "[ab]", "[a-b]", "[!a]", "[^a]", "{a,b}", "{a*,/b}", "\\*", "-", ".yaml", "/*/",
        "**/", "]", "}", ",", "[",
    ];
    const TEXTS: &[&str] = &["a", "b", "/", "*", "-", ".yaml", "c", ",", "]", "}", "é"];
    let Some(mut oracle) = Oracle::new() else { return };
    let (mut wrong, mut hits) = (Vec::new(), 0);
    for seed in seeds() {
        let mut dice = Dice::new(seed);
        let (pattern, text) = (dice.joined(PIECES, 5), dice.joined(TEXTS, 5));
        let kinds = [
            ("glob", Glob::argo(&pattern, None)),
            ("glob/", Glob::argo(&pattern, Some('/'))),
            ("path", Glob::path(&pattern)),
            ("doublestar", Glob::doublestar(&pattern)),
        ];
        for (kind, glob) in kinds {
            let theirs = oracle.ask(&json!({"mode": kind, "text": pattern, "data": text}));
            let ours = glob.is_some_and(|glob| glob.matches(&text));
            hits += usize::from(ours);
            // What is no pattern matches nothing; Go's `path` sees that only when it comes to it.
            if ours != (theirs.as_deref() == Ok("true")) && !known(kind, &pattern, &text) {
                wrong.push(format!(
                    "{seed}: {kind} {pattern} on {text}: ours {ours}, theirs {theirs:?}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
    assert!(hits > 100, "{hits} match");
}

/// What is known to differ. `gobwas/glob` takes `a*a` for a match of `a`, and goes wrong where `**` stands beside other wildcards;
/// `doublestar` has its own mind about `**` within a name and at the end before a slash; Go's `path.Match` does not go back over a class
/// that matched a slash.
fn known(kind: &str, pattern: &str, text: &str) -> bool {
    let literal = pattern.chars().filter(|c| *c != '*').count();
    let beside = |before: bool, set: &[char]| {
        let mut stars = pattern.match_indices("**");
        stars.any(|(at, _)| {
            if before {
                pattern[..at].ends_with(set)
            } else {
                pattern[at + 2..].starts_with(set)
            }
        })
    };
    let within = pattern
        .match_indices("**")
        .any(|(at, _)| at > 0 && !pattern[..at].ends_with(['/', '{', ',']));
    match kind {
        "path" | "doublestar" if pattern.contains('[') && text.contains('/') => true,
        "path" => false,
        "doublestar" => within || pattern.contains("***") || pattern.ends_with("**/") || pattern.contains("[-"),
        _ => {
            (pattern.contains('*') && text.chars().count() < literal)
                || beside(true, &['?', '*', '}', ']'])
                || beside(false, &['?', '*', '{', '['])
        }
    }
}

#[test]
fn fasttemplates() {
    const PIECES: &[&str] = &[
        "{{",
        "}}",
        "{{name}}",
        "{{ name }}",
        "{{ a.b }}",
        "{{\tname\n}}",
        "{{none}}",
        "{{number}}",
        "{{}}",
        "{{ }}",
        "}",
        "x",
        " ",
        "\n",
        "name",
        "{{{",
        "}}}",
    ];
    let Some(mut oracle) = Oracle::new() else { return };
    let data = json!({"name": "web", "a.b": "{{name}}", "number": 5, "": "empty"});
    for seed in seeds() {
        let text = Dice::new(seed).joined(PIECES, 7);
        let theirs = oracle.ask(&json!({"mode": "fasttemplate", "text": text, "data": data}));
        let ours = replace_fast(&text, &data);
        assert_eq!(ours.ok(), theirs.ok(), "{seed}: {text:?}");
    }
}

/// A value of JSON, of a few levels.
fn value(dice: &mut Dice, depth: usize) -> Json {
    match dice.below(if depth == 0 { 7 } else { 10 }) {
        0 => Json::Null,
        1 => json!(dice.below(2) == 0),
        2 => json!(dice.below(2_000_000)),
        3 => json!(0),
        4 => json!(1.5),
        5 => json!(""),
        6 => json!(dice.joined(&["x", "y", "é"], 2)),
        7 => Json::Array((0..dice.below(3)).map(|_| value(dice, depth - 1)).collect()),
        _ => map(dice, depth - 1),
    }
}

fn map(dice: &mut Dice, depth: usize) -> Json {
    let mut map = serde_json::Map::new();
    for key in ["a", "b", "c", "d.e"] {
        if dice.below(3) > 0 {
            map.insert(key.to_owned(), value(dice, depth));
        }
    }
    Json::Object(map)
}

#[test]
fn flat_maps() {
    let Some(mut oracle) = Oracle::new() else { return };
    for seed in seeds() {
        let data = map(&mut Dice::new(seed), 3);
        let theirs = oracle
            .ask(&json!({"mode": "flatten", "data": data}))
            .expect("because it is a map");
        let theirs: BTreeMap<String, String> = serde_json::from_str(&theirs).expect("because it is JSON");
        let mut ours = BTreeMap::new();
        for (key, value) in data.as_object().expect("because it is one") {
            let value = Value::from_json(value).expect("because it is not deep");
            flatten(key, &value, false, &mut ours).expect("because it is not deep");
        }
        // Two keys may come to one; which of them stays is chance in Go.
        if data.to_string().contains("d.e") && ours.len() == theirs.len() && ours.keys().eq(theirs.keys()) {
            continue;
        }
        assert_eq!(ours, theirs, "{seed}: {data}");
    }
}

#[test]
fn merged_maps() {
    let Some(mut oracle) = Oracle::new() else { return };
    for seed in seeds() {
        let mut dice = Dice::new(seed);
        let (first, second) = (map(&mut dice, 3), map(&mut dice, 3));
        let theirs = oracle.ask(&json!({"mode": "merge", "data": first, "other": second}));
        let read = |json: &Json| Value::from_json(json).expect("because it is not deep");
        let ours = merge_over(&read(&first), &read(&second)).and_then(|merged| to_json(&merged));
        let theirs: Option<Json> = theirs
            .ok()
            .map(|text| serde_json::from_str(&text).expect("because it is JSON"));
        assert_eq!(ours.ok(), theirs, "{seed}: {first} with {second}");
    }
}
