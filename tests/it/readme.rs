//! The README says what the tool does, and the map in src/lib.rs what is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use refloat::cli::Cli;

use crate::support::transcript::{Scene, Transcript};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect("because it is part of the repository")
}

/// The cells of each row that begins with a cell in backquotes.
fn rows(text: &str) -> Vec<(String, String)> {
    let rows = text.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        Some((name.to_owned(), rest.trim_end_matches(" |").to_owned()))
    });
    rows.collect()
}

#[test]
fn its_transcript_is_what_comes_out() {
    Transcript::of("README.md").play(&Scene {
        folder: &root(),
        env: Vec::new(),
    });
}

#[test]
fn its_commands_are_those_of_the_command_line() {
    let command = Cli::command();
    let declared: Vec<(String, String)> = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(|command| {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            (format!("refloat {}", command.get_name()), about)
        })
        .collect();
    let readme = read("README.md");
    let shown: Vec<(String, String)> = rows(&readme)
        .into_iter()
        .filter(|(name, _)| name.starts_with("refloat "))
        .collect();
    assert_eq!(shown, declared);

    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let codes = help.split_once("Exit codes:\n").expect("because the help lists them").1;
    for line in codes.lines().take_while(|line| !line.is_empty()) {
        let (code, meaning) = line.trim().split_once(' ').expect("because a line has both");
        let row = format!("| {code} | {} |", meaning.trim());
        assert!(readme.contains(&row), "{row}");
    }
}

#[test]
fn what_it_points_to_is_there() {
    let readme = read("README.md");
    let map = readme
        .split_once("## Where things are")
        .expect("because it has a map")
        .1;
    let paths = rows(map).into_iter().map(|(path, _)| path);
    let links = readme
        .split("](")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()));
    for path in paths.chain(links) {
        assert!(Path::new(&root().join(&path)).exists(), "{path}");
    }
}

#[test]
fn the_map_of_the_code_names_every_room() {
    let map = read("src/lib.rs");
    let named: BTreeSet<String> = map
        .lines()
        .filter_map(|line| Some(line.strip_prefix("//! | [`")?.split_once("`] |")?.0.to_owned()))
        .collect();
    let entries = std::fs::read_dir(root().join("src")).expect("because it is part of the repository");
    let rooms: BTreeSet<String> = entries
        .map(|entry| entry.expect("because it was just listed").file_name())
        .map(|name| name.to_string_lossy().trim_end_matches(".rs").to_owned())
        .filter(|name| name != "lib" && name != "main")
        .collect();
    assert_eq!(named, rooms);
    for room in &rooms {
        assert!(map.contains(&format!("\npub mod {room};")), "{room}");
    }
}
