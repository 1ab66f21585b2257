//! What must neither crash nor go on for ever: the fuzz target on seeds made a little different. 500 with a fixed seed, a million with
//! `REFLOAT_LONG=1`.

use std::time::Instant;

use proptest::prelude::RngExt;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::golden::golden;
use crate::support::key;
use crate::{entry, layout};

/// Pieces that mean something to a reader.
const WORDS: &[&str] = &[
    "\n",
    "\n---\n",
    "- ",
    ": ",
    "#",
    "# c\n",
    "  ",
    "\t",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&a ",
    "*a",
    "<<: *a",
    "|",
    ">",
    "\"",
    "'",
    "!!binary ",
    "!!int ",
    "\u{feff}",
    "\r\n",
    "ENC[AES256_GCM,data:",
    ",iv:",
    "type:int]",
    "sops:",
    "sops_",
    "__list_",
    "__map_",
    "\\n",
    "=",
    ";",
    "\"\"\"",
    "`",
    "1e999",
    "0x",
    "18446744073709551615",
    "2001-01-01",
    "\u{85}",
    "\u{2028}",
    "%YAML 1.1\n",
    "? ",
    "\0",
];

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = layout::TEXTS.iter().map(|text| with(0, text.as_bytes())).collect();
    for (at, name) in ["all.yaml", "all.json", "all.env", "all.ini", "all.bin"]
        .iter()
        .enumerate()
    {
        seeds.push(with(at as u8, &golden(name)));
        seeds.push(with(at as u8, &golden(&format!("plain/{name}"))));
    }
    seeds.push(with(0, &golden("groups.yaml")));
    seeds.push(with(160, crate::config::RULES.as_bytes()));
    for name in ["age.txt", "ssh_ed25519", "ssh_rsa", "ssh_ed25519_locked"] {
        seeds.push(with(200, key(name).as_bytes()));
    }
    for name in ["sealing.key", "sealing-other.key", "sealing.crt"] {
        seeds.push(with(230, key(name).as_bytes()));
    }
    seeds
}

fn with(what: u8, file: &[u8]) -> Vec<u8> {
    [&[what], file].concat()
}

fn mutate(rng: &mut TestRng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut below = |end: usize| if end == 0 { 0 } else { rng.random_range(0..end) };
    let mut bytes = seeds[below(seeds.len())].clone();
    for _ in 0..1 + below(4) {
        let at = 1 + below(bytes.len() - 1);
        let end = (at + below(24)).min(bytes.len());
        match below(6) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..end, WORDS[below(WORDS.len())].bytes())),
            2 => drop(bytes.splice(at..at, WORDS[below(WORDS.len())].bytes())),
            3 => {
                let other = &seeds[below(seeds.len())];
                let from = below(other.len());
                let to = (from + below(200)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            4 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => {
                let bit = below(8);
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
            }
        }
    }
    bytes
}

#[test]
fn mutated_files_come_to_an_end() {
    let long = std::env::var("REFLOAT_LONG").is_ok_and(|value| value == "1");
    let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let seeds = seeds();
    for seed in &seeds {
        entry::any(seed);
    }
    for _ in 0..if long { 1_000_000 } else { 500 } {
        let bytes = mutate(&mut rng, &seeds);
        let started = Instant::now();
        let result = std::panic::catch_unwind(|| entry::any(&bytes));
        let file = String::from_utf8_lossy(&bytes);
        assert!(result.is_ok(), "{:?}\n{file}", bytes[0]);
        assert!(started.elapsed().as_secs() < 30, "{:?}\n{file}", bytes[0]);
    }
}
