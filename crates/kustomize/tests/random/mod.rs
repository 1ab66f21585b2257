//! Random kustomizations against the Go library.
//!
//! 500 of a fixed seed, 10,000 with `REFLOAT_LONG=1`; `REFLOAT_SEED=N` begins at another seed. Ours and kustomize's must both fail, or
//! give the same objects in the same order. A case that differs is made small, and its files are printed.

mod layers;
mod objects;
mod patches;
mod place;
pub mod rng;
mod shrink;

use crate::support::oracle::{Built, Oracle};
use crate::support::{difference, ours, same};
use layers::Case;
use serde_json::Value;

/// What this crate refuses on purpose and kustomize does not: words of our error, and the reason.
const EXCUSED: &[(&str, &str)] = &[
    (
        "cannot take the place of",
        "kustomize writes a field that cannot be read as its type, and fails unless something writes it again",
    ),
    (
        "expected a mapping but found nothing",
        "kustomize makes a mapping of a null that was written as one",
    ),
    (
        "takes its metadata.name away",
        "kustomize goes on with an object without a name",
    ),
    (
        "no hash is known",
        "kustomize hashes its own memory of a generated object that became of another kind, lines and columns included",
    ),
];

/// Seeds whose cases differ in what is written down, where neither error nor objects tell so.
const KNOWN: &[(u64, &str)] = &[
    (
        2243,
        "a patch's number over an unquoted `on`, which kustomize takes for no text",
    ),
    (
        5329,
        "a patch that sets one of several labels that are one, and another of them to what it was",
    ),
    (9703, "a roleRef whose apiGroup is a number"),
];

/// How two results differ, in words that stay the same while a case shrinks; `None` where they do not.
fn verdict(ours: &Built, theirs: &Built) -> Option<String> {
    let shape = |text: &str| {
        text.split(['\'', '"', '`'])
            .step_by(2)
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .filter(|c| c.is_alphabetic())
            .take(60)
            .collect::<String>()
    };
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => difference(ours, theirs).map(|_| "differs".to_owned()),
        (Err(_), Err(_)) => None,
        (Err(ours), Ok(_)) if EXCUSED.iter().any(|(words, _)| ours.contains(words)) => None,
        // A panic is no behaviour to follow.
        (Ok(_), Err(theirs)) if theirs.starts_with("the library ") => None,
        (Err(ours), Ok(_)) => Some(format!("fails {}", shape(ours.rsplit(": ").next().unwrap_or(ours)))),
        (Ok(_), Err(theirs)) => Some(format!(
            "should fail {}",
            shape(theirs.rsplit(": ").next().unwrap_or(theirs))
        )),
    }
}

/// Whether a case with replacements differs only in what a text is read as: kustomize forgets, for some, that it is one.
fn is_written_so(case: &Case, built: &(Built, Built)) -> bool {
    fn same_text(ours: &Value, theirs: &Value) -> bool {
        match (ours, theirs) {
            (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_text(a, b)),
            (Value::Object(a), Value::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same_text(a, b)))
            }
            (Value::String(text), Value::Null) => text.is_empty(),
            (Value::String(text), Value::Number(number)) => number.to_string() == **text,
            (Value::String(text), Value::Bool(truth)) => truth.to_string() == **text,
            _ => same(ours, theirs),
        }
    }
    let (Ok(ours), Ok(theirs)) = built else { return false };
    let has_replacements = case.files.values().any(|text| text.contains("replacements"));
    has_replacements
        && ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(ours, theirs)| same_text(ours, theirs))
}

fn both(case: &Case, oracle: &mut Oracle) -> (Built, Built) {
    let theirs = oracle.build(&case.files, &case.root, false);
    (ours::build(&case.files, &case.root, false), theirs)
}

fn report(seed: u64, case: &Case, (ours, theirs): &(Built, Built)) -> String {
    let what = match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => difference(ours, theirs).unwrap_or_default(),
        (Err(ours), _) => format!("ours fails: {ours}"),
        (_, Err(theirs)) => format!("kustomize fails: {theirs}"),
    };
    let files = case
        .files
        .iter()
        .map(|(path, text)| format!("  {path}: |\n{}", indented(text)));
    format!(
        "seed {seed}\n{what}\nroot: {}\nfiles:\n{}",
        case.root,
        files.collect::<String>()
    )
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

#[test]
fn random_kustomizations_come_out_as_with_kustomize() {
    let Some(mut oracle) = Oracle::new() else { return };
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first: u64 = number("REFLOAT_SEED").unwrap_or(1);
    let count: u64 = if std::env::var_os("REFLOAT_LONG").is_some() {
        10_000
    } else {
        500
    };
    let count = number("REFLOAT_COUNT").unwrap_or(count);
    let (mut failed, mut found) = (0, Vec::new());
    for seed in first..first + count {
        if KNOWN.iter().any(|(known, _)| *known == seed) {
            continue;
        }
        let case = layers::case(seed);
        let built = both(&case, &mut oracle);
        failed += u64::from(built.1.is_err());
        let Some(verdict_first) = verdict(&built.0, &built.1).filter(|_| !is_written_so(&case, &built)) else {
            continue;
        };
        let mut bad = |case: &Case| {
            let (ours, theirs) = both(case, &mut oracle);
            verdict(&ours, &theirs).as_ref() == Some(&verdict_first)
        };
        let small = shrink::shrink(case, 1500, &mut bad);
        let again = both(&small, &mut oracle);
        found.push(report(seed, &small, &again));
        if found.len() >= number("REFLOAT_FIND").unwrap_or(10) as usize {
            break;
        }
    }
    assert!(
        found.is_empty(),
        "{} cases differ:\n\n{}",
        found.len(),
        found.join("\n")
    );
    eprintln!("{count} random kustomizations, of which {failed} fail with both");
    // Cases that all fail would prove nothing.
    assert!(failed * 3 < count * 2, "{failed} of {count} fail");
}
