//! Random files against the real `sops`: it decrypts what we encrypt, we decrypt what it encrypts, both lay files out alike, and both
//! edit alike.
//!
//! 8 files of each format with a fixed seed, 400 with `REFLOAT_LONG=1`. A file that differs is made small and printed.

mod choices;
mod flat;
mod yaml;

use choices::Choices;
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};
use sops::{Config, Encrypted, Format, Layout};

use crate::support::{Sops, config, encrypt, identities, masked, now};

/// Words of one side's error, and why the other side takes the file.
const EXCUSED: &[(&str, &str)] = &[
    (
        "what is written does not hold it",
        "SOPS writes a file that it reads differently, or not at all",
    ),
    (
        "what is written does not read again",
        "SOPS writes a file that it cannot read",
    ),
    ("given twice", "SOPS keeps both"),
    (
        "a value without a name",
        "go-ini takes a name in quotes that is empty, and fails when it writes it",
    ),
];

const SELECTIONS: &[(&str, &str)] = &[
    ("unencrypted_suffix", "_unencrypted"),
    ("encrypted_regex", "^(data|stringData|password|a)$"),
    ("unencrypted_regex", "^(d_pub|b)$"),
    ("encrypted_comment_regex", "encrypt"),
    ("unencrypted_comment_regex", "plain"),
    ("encrypted_suffix", "word"),
];

struct Case {
    plain: Vec<u8>,
    edited: Vec<u8>,
    selection: (&'static str, &'static str),
    mac_only_encrypted: bool,
}

fn grow(format: Format, bytes: &[u8]) -> Case {
    let mut choices = Choices::new(bytes);
    let selection = SELECTIONS[choices.below(SELECTIONS.len())];
    let mac_only_encrypted = choices.once_in(4);
    let mut text = || match format {
        Format::Yaml => yaml::document(&mut choices).into_bytes(),
        Format::Json => flat::json(&mut choices).into_bytes(),
        Format::Dotenv => flat::dotenv(&mut choices).into_bytes(),
        Format::Ini => flat::ini(&mut choices).into_bytes(),
        Format::Binary => (0..choices.below(40)).map(|_| choices.byte()).collect(),
    };
    let plain = text();
    let mut edited = text();
    // Half the time the edit keeps most of the file.
    if format != Format::Json && bytes.len().is_multiple_of(2) {
        let mut kept = plain.clone();
        if !kept.ends_with(b"\n") {
            kept.push(b'\n');
        }
        let addition: &[u8] = match format {
            Format::Yaml => b"zz_added: new\nzz_more: [1, x]\n",
            Format::Dotenv => b"ZZ=new\n",
            Format::Ini => b"[zz]\nnew=1\n",
            _ => b"more",
        };
        kept.extend(addition);
        edited = kept;
    }
    Case {
        plain,
        edited,
        selection,
        mac_only_encrypted,
    }
}

struct Counts {
    both: usize,
    refused: usize,
    excused: usize,
    edited: usize,
}

/// How ours and theirs differ.
fn compare(sops: &Sops, format: Format, name: &str, case: &Case, counts: &mut Counts) -> Result<(), String> {
    let (field, text) = case.selection;
    let mac = if case.mac_only_encrypted {
        "    mac_only_encrypted: true\n"
    } else {
        ""
    };
    let config = config(&format!("    {field}: '{text}'\n{mac}"));
    let read = Config::read(config.as_bytes()).and_then(|config| config.rule_for("plain"));
    let rule = read.map_err(|error| error.to_string())?.ok_or("there is a rule")?;
    let theirs = sops.encrypt(name, &case.plain, &config);
    let ours = encrypt(format, &case.plain, &rule);
    let (theirs, ours) = match (theirs, ours) {
        (Ok(theirs), Ok(ours)) => (theirs, ours),
        (Err(_), Err(_)) => {
            counts.refused += 1;
            return Ok(());
        }
        (Ok(_), Err(error)) if EXCUSED.iter().any(|(words, _)| error.to_string().contains(words)) => {
            counts.excused += 1;
            return Ok(());
        }
        // A tab where only spaces may stand is told from others by go-yaml only; go-ini ends so where a comment of several lines begins
        // with an empty one.
        (Err(error), Ok(_)) if error.contains("tab character") || error.contains("panic: runtime error") => {
            counts.excused += 1;
            return Ok(());
        }
        (Ok(theirs), Err(error)) => return Err(format!("only we refuse: {error}\n{}", masked(&theirs))),
        (Err(error), Ok(ours)) => return Err(format!("only sops refuses: {error}\n{}", masked(&ours))),
    };
    same("encrypted", &masked(&ours), &masked(&theirs))?;
    let their_plain = sops.decrypt(name, &theirs);
    let identities = identities();
    let opened = Encrypted::read(format, &theirs).and_then(|file| file.decrypt(&identities));
    let layout = Layout::default();
    let our_plain = match (&opened, &their_plain) {
        (Ok(opened), Ok(theirs)) => {
            let ours = opened
                .plain(&layout)
                .map_err(|error| format!("we cannot write it: {error}"))?;
            same(
                "decrypted by both",
                &String::from_utf8_lossy(&ours),
                &String::from_utf8_lossy(theirs),
            )?;
            ours
        }
        (Err(_), Err(_)) => {
            counts.refused += 1;
            return Ok(());
        }
        (Err(error), Ok(_)) => return Err(format!("only we cannot decrypt: {error}")),
        (Ok(_), Err(error)) if error.contains("panic: runtime error") => {
            counts.excused += 1;
            return Ok(());
        }
        (Ok(_), Err(error)) => return Err(format!("only sops cannot decrypt: {error}")),
    };
    let back = sops
        .decrypt(name, &ours)
        .map_err(|error| format!("sops cannot decrypt ours: {error}"))?;
    same(
        "ours, decrypted",
        &String::from_utf8_lossy(&back),
        &String::from_utf8_lossy(&our_plain),
    )?;
    counts.both += 1;
    let opened = opened.map_err(|error| error.to_string())?;
    edit(sops, format, name, case, (&theirs, &opened), counts)
}

fn edit(
    sops: &Sops,
    format: Format,
    name: &str,
    case: &Case,
    (sealed, opened): (&[u8], &sops::Decrypted),
    counts: &mut Counts,
) -> Result<(), String> {
    let layout = Layout::default();
    let Ok(tree) = format.read(&case.edited) else {
        return Ok(());
    };
    let Ok(ours) = opened.edit(tree, now(), &layout) else {
        return Ok(());
    };
    let Ok(theirs) = sops.edit(name, sealed, &case.edited) else {
        return Ok(());
    };
    same("edited", &masked(&ours), &masked(&theirs))?;
    let identities = identities();
    let read = |file: &[u8]| {
        let opened = Encrypted::read(format, file).and_then(|file| file.decrypt(&identities));
        opened.and_then(|opened| Ok(opened.plain(&layout)?.to_vec()))
    };
    let ours_read = read(&ours).map_err(|error| format!("our edit, read by us: {error}"))?;
    let theirs_read = read(&theirs).map_err(|error| format!("their edit, read by us: {error}"))?;
    let by_sops = sops
        .decrypt(name, &ours)
        .map_err(|error| format!("our edit, read by sops: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    same("edits, read", &text(&ours_read), &text(&theirs_read))?;
    same("our edit, read by both", &text(&ours_read), &text(&by_sops))?;
    // What sops keeps, we keep: all its old values that are still there are among ours.
    let values = |file: &[u8]| -> std::collections::BTreeSet<String> {
        let text = text(file);
        // The MAC is kept too if it is the same in the same second.
        let lines = text.lines().filter(|line| !line.contains("mac"));
        let text = lines.collect::<Vec<_>>().join("\n");
        let found = text
            .match_indices("ENC[")
            .map(|(at, _)| text[at..].split(']').next().unwrap_or_default().to_owned());
        found.collect()
    };
    let old = values(sealed);
    let kept: Vec<String> = values(&theirs).intersection(&old).cloned().collect();
    let ours_kept = values(&ours);
    if let Some(lost) = kept
        .iter()
        .find(|value| !ours_kept.contains(*value) && !value.contains("type:comment"))
    {
        return Err(format!(
            "sops keeps a value that we encrypt anew: {lost}\n{}",
            text(&ours)
        ));
    }
    counts.edited += 1;
    Ok(())
}

/// Without the indentation indicators of block scalars, which are not always right with SOPS.
fn without_indicators(text: &str) -> String {
    (2..=9).fold(text.to_owned(), |text, indent| text.replace(&format!("|{indent}"), "|"))
}

fn same(what: &str, ours: &str, theirs: &str) -> Result<(), String> {
    // A comment that go-yaml put under other keys does not decrypt, with either.
    let bare = |text: &str| without_indicators(&masked(text.as_bytes()));
    match bare(ours) == bare(theirs) {
        true => Ok(()),
        false => Err(format!("{what} differs\n-- ours\n{ours}\n-- sops\n{theirs}")),
    }
}

fn check(format: Format, name: &str) {
    let Some(sops) = Sops::find(&format!("random-{name}")) else {
        return;
    };
    let long = std::env::var("REFLOAT_LONG").is_ok_and(|value| value == "1");
    let cases = if long { 400 } else { 8 };
    let config = proptest::test_runner::Config {
        cases,
        max_shrink_iters: 400,
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    };
    let seed = std::env::var("REFLOAT_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(7u8);
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]));
    let counts = std::cell::RefCell::new(Counts {
        both: 0,
        refused: 0,
        excused: 0,
        edited: 0,
    });
    let result = runner.run(&vec(any::<u8>(), 10..300), |bytes| {
        let case = grow(format, &bytes);
        compare(&sops, format, name, &case, &mut counts.borrow_mut()).map_err(|difference| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            TestCaseError::fail(format!(
                "{:?}{}\n{}\n-- to be edited to\n{}\n== {difference}",
                case.selection,
                if case.mac_only_encrypted {
                    " mac_only_encrypted"
                } else {
                    ""
                },
                text(&case.plain),
                text(&case.edited),
            ))
        })
    });
    if let Err(error) = result {
        match error {
            proptest::test_runner::TestError::Fail(reason, _) => panic!("{}", reason.message()),
            error => panic!("{error}"),
        }
    }
    let counts = counts.into_inner();
    eprintln!(
        "{name}: {} both ways, {} edited, {} refused by both, {} excused",
        counts.both, counts.edited, counts.refused, counts.excused
    );
    assert!(counts.both * 3 > cases as usize, "most files are taken by both");
}

#[test]
fn yaml() {
    check(Format::Yaml, "yaml");
}

#[test]
fn json() {
    check(Format::Json, "json");
}

#[test]
fn dotenv() {
    check(Format::Dotenv, "dotenv");
}

#[test]
fn ini() {
    check(Format::Ini, "ini");
}

#[test]
fn binary() {
    check(Format::Binary, "binary");
}
