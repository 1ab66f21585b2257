//! What must neither crash nor go on for ever: the fuzz targets on seeds made a little different, and bombs.

use std::collections::BTreeMap;
use std::time::Instant;

use kustomize::{Budgets, Kustomize, Nothing, Options};

use crate::random::rng::Rng;
use crate::support::ours;
use crate::{corpus, entry};

/// Pieces that mean something to readers of YAML or to kustomize.
const WORDS: &[&str] = &[
    "null",
    "[]",
    "{}",
    "- ",
    ": ",
    "\n",
    "\n---\n",
    "&a",
    "*a",
    "<<: *a",
    "$patch: delete",
    "$patch: replace",
    "../",
    "a.yaml",
    "base",
    "*",
    "[name=x]",
    "/-",
    "~1",
    "-1",
    "99999999999999999999",
    "1e999",
    "\"",
    "'",
    "|\n",
    "\u{feff}",
    "\t",
    "!!binary ",
    "$(V)",
    "(",
    "\\",
];

fn mutate(rng: &mut Rng, seeds: &[String]) -> Vec<u8> {
    let mut bytes = rng.pick(seeds).clone().into_bytes();
    for _ in 0..1 + rng.below(4) {
        let at = rng.below(bytes.len());
        let end = (at + rng.below(24)).min(bytes.len());
        match rng.below(6) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..end, rng.pick(WORDS).bytes())),
            2 => drop(bytes.splice(at..at, rng.pick(WORDS).bytes())),
            3 => {
                let other = rng.pick(seeds).as_bytes();
                let from = rng.below(other.len());
                bytes.splice(
                    at..end,
                    other[from..(from + rng.below(200)).min(other.len())].iter().copied(),
                );
            }
            4 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => bytes
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte ^= 1 << rng.below(8)),
        }
    }
    bytes
}

#[test]
fn mutated_kustomizations_and_patches_come_to_an_end() {
    let (mut kustomizations, mut patches) = (Vec::new(), Vec::new());
    for (path, text) in corpus::texts() {
        match path.to_lowercase().contains("kustomization") {
            true => kustomizations.push(text),
            false => patches.push(text),
        }
    }
    let mut rng = Rng::new(7);
    for _ in 0..1_500 {
        let bytes = mutate(&mut rng, &kustomizations);
        told_when_it_crashes(&bytes, entry::kustomization);
        let bytes = mutate(&mut rng, &patches);
        told_when_it_crashes(&bytes, entry::patch);
    }
}

fn told_when_it_crashes(bytes: &[u8], run: fn(&[u8])) {
    let start = Instant::now();
    if std::panic::catch_unwind(|| run(bytes)).is_err() {
        panic!("crashes:\n{}", String::from_utf8_lossy(bytes));
    }
    assert!(
        start.elapsed().as_secs() < 10,
        "takes too long:\n{}",
        String::from_utf8_lossy(bytes)
    );
}

/// Builds what must fail within its budgets.
fn bomb(files: BTreeMap<String, String>, root: &str) -> String {
    let start = Instant::now();
    // Work is slow without optimisation.
    let options = Options {
        budgets: Budgets {
            work: 2_000_000,
            ..Budgets::default()
        },
        ..Options::default()
    };
    let memory = ours::memory(&files);
    let built = ours::of(&Kustomize::new(&memory, &Nothing, options), root);
    let took = start.elapsed();
    // Without optimisation, on a machine that does other things as well.
    assert!(took.as_secs() < 60, "{took:?}");
    built.expect_err("because it is a bomb")
}

fn files(of: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    of.into_iter().collect()
}

const OBJECT: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: v}}\n";

#[test]
fn exponential_includes_end_in_an_error() {
    let layer = |at: usize| {
        let text = match at {
            0 => "resources: [a.yaml]\n".to_owned(),
            _ => format!("resources: [../{}x, ../{}y]\n", at - 1, at - 1),
        };
        ["x", "y"].map(|side| {
            (
                format!("{at}{side}/kustomization.yaml"),
                format!("{text}namePrefix: p{side}\n"),
            )
        })
    };
    let mut all = files((0..24).flat_map(layer));
    all.insert("0x/a.yaml".to_owned(), OBJECT.to_owned());
    all.insert("0y/a.yaml".to_owned(), OBJECT.to_owned());
    let error = bomb(all, "23x");
    assert!(error.contains("kustomizations"), "{error}");
}

#[test]
fn a_long_chain_of_bases_ends_in_an_error() {
    let layer = |at: usize| {
        (
            format!("{at}/kustomization.yaml"),
            format!("resources: [../{}]\n", at + 1),
        )
    };
    let error = bomb(files((0..5_000).map(layer)), "0");
    assert!(error.contains("within each other"), "{error}");
}

#[test]
fn too_many_objects_end_in_an_error() {
    let object = |at: usize| OBJECT.replace("name: a", &format!("name: a{at}"));
    let objects: Vec<String> = (0..60_000).map(object).collect();
    let many = files([
        ("kustomization.yaml".to_owned(), "resources: [a.yaml]\n".to_owned()),
        ("a.yaml".to_owned(), objects.join("---\n")),
    ]);
    let error = bomb(many, "");
    assert!(error.contains("objects"), "{error}");
}

#[test]
fn many_patches_of_many_objects_end_in_an_error() {
    let objects: Vec<String> = (0..2_000)
        .map(|at| OBJECT.replace("name: a", &format!("name: a{at}")))
        .collect();
    let patch =
        "- target: {kind: ConfigMap}\n  patch: '[{\"op\": \"add\", \"path\": \"/data/x\", \"value\": \"y\"}]'\n";
    let product = files([
        (
            "kustomization.yaml".to_owned(),
            format!("resources: [a.yaml]\npatches:\n{}", patch.repeat(20_000)),
        ),
        ("a.yaml".to_owned(), objects.join("---\n")),
    ]);
    let error = bomb(product, "");
    assert!(error.contains("work"), "{error}");
}

#[test]
fn deep_nesting_and_aliases_end_in_an_error() {
    let kustomization = ("kustomization.yaml".to_owned(), "resources: [a.yaml]\n".to_owned());
    let head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let deep = format!("{head}data: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let error = bomb(files([kustomization.clone(), ("a.yaml".to_owned(), deep)]), "");
    assert!(error.contains("a.yaml"), "{error}");
    let level = |at: usize| {
        format!(
            "x{at}: &x{at} [{}]\n",
            vec![format!("*x{}", at.wrapping_sub(1)); 10].join(", ")
        )
    };
    let laughs = format!("{head}x0: &x0 [lol]\n{}", (1..12).map(level).collect::<String>());
    let error = bomb(files([kustomization, ("a.yaml".to_owned(), laughs)]), "");
    assert!(error.contains("a.yaml"), "{error}");
    let deep = files([(
        "kustomization.yaml".to_owned(),
        format!("resources: {}\n", "[".repeat(100_000)),
    )]);
    let error = bomb(deep, "");
    assert!(error.contains("kustomization.yaml"), "{error}");
}

#[test]
fn replacements_that_double_a_value_end_in_an_error() {
    let replacement = "- source: {kind: ConfigMap, fieldPath: data}\n  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.m, data.n], options: {create: true}}]\n";
    let grown = files([
        (
            "kustomization.yaml".to_owned(),
            format!("resources: [a.yaml]\nreplacements:\n{}", replacement.repeat(60)),
        ),
        ("a.yaml".to_owned(), OBJECT.to_owned()),
    ]);
    let error = bomb(grown, "");
    assert!(error.contains("work"), "{error}");
}

#[test]
fn a_json_patch_that_doubles_a_value_ends_in_an_error() {
    let copy =
        r#"{"op": "copy", "from": "/data", "path": "/data/a"}, {"op": "copy", "from": "/data", "path": "/data/b"}"#;
    let operations = vec![copy; 40].join(", ");
    let doubled = files([
        (
            "kustomization.yaml".to_owned(),
            "resources: [a.yaml]\npatches: [{path: p.yaml, target: {kind: ConfigMap}}]\n".to_owned(),
        ),
        ("p.yaml".to_owned(), format!("[{operations}]\n")),
        ("a.yaml".to_owned(), OBJECT.to_owned()),
    ]);
    let error = bomb(doubled, "");
    assert!(error.contains("work"), "{error}");
}
