//! The house itself: who may import whom, what pure rooms must not touch, what must not be in the tree of dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Room → rooms it may import. `error` is importable from everywhere; nothing imports `command`.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("object", &[]),
    ("process", &[]),
    ("net", &[]),
    ("archive", &[]),
    ("snapshot", &["object"]),
    ("source", &["object", "process", "net", "archive"]),
    ("forge", &["object", "source", "process", "net"]),
    ("declared", &["object", "source", "process", "net", "snapshot"]),
    ("past", &["object", "source"]),
    ("plan", &["object"]),
    ("audit", &["object"]),
    ("event", &["object", "plan"]),
    ("cluster", &["object"]),
    ("engine", &["object", "plan", "event", "cluster"]),
    ("watch", &["object", "audit", "cluster", "net"]),
    ("control_plane", &["process", "net"]),
    (
        "export",
        &[
            "object", "audit", "source", "declared", "cluster", "process", "net", "forge",
        ],
    ),
    ("report", &["object", "event", "plan", "audit", "export"]),
    ("cli", &["object"]),
    (
        "command",
        &[
            "object",
            "process",
            "net",
            "source",
            "declared",
            "past",
            "audit",
            "plan",
            "event",
            "cluster",
            "engine",
            "control_plane",
            "report",
            "cli",
            "watch",
            "export",
            "forge",
            "archive",
            "snapshot",
        ],
    ),
];

/// Rooms that do no I/O, read no clock and no environment.
const PURE: &[&str] = &["object", "plan", "audit", "event", "error"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .expect("because the folder is part of the repository")
        .map(|entry| entry.expect("because it was just listed").path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// (room, path relative to src, text without tests) of each file in src; lib.rs and main.rs are no rooms.
fn room_files() -> Vec<(String, String, String)> {
    let src = root().join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    files
        .into_iter()
        .filter_map(|path| {
            let relative = path
                .strip_prefix(&src)
                .expect("because it lies below")
                .display()
                .to_string();
            let room = relative
                .split('/')
                .next()
                .expect("because a path has a first part")
                .trim_end_matches(".rs");
            if room == "lib" || room == "main" {
                return None;
            }
            let text = std::fs::read_to_string(&path).expect("because sources are UTF-8");
            let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
            let code: String = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .flat_map(|line| [line, "\n"])
                .collect();
            Some((room.to_owned(), relative, code))
        })
        .collect()
}

/// Rooms named after `crate::`, also in a group such as `use crate::{error, object};`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let word = |text: &str| {
            text.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        };
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = 0;
            for (index, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => {
                        found.insert(word(group[start..index].trim()));
                        break;
                    }
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        found.insert(word(group[start..index].trim()));
                        start = index + 1;
                    }
                    _ => {}
                }
            }
        } else {
            found.insert(word(rest));
        }
    }
    found.remove("");
    found
}

#[test]
fn rooms_import_only_what_the_map_allows() {
    let map: BTreeMap<&str, BTreeSet<&str>> = MAY_IMPORT
        .iter()
        .map(|(room, allowed)| (*room, allowed.iter().copied().collect()))
        .collect();
    let mut wrong = Vec::new();
    for (room, file, code) in room_files() {
        let Some(allowed) = map.get(room.as_str()) else {
            wrong.push(format!("{file}: the room {room} is not on the map"));
            continue;
        };
        for import in imports(&code) {
            if import != room && import != "error" && !allowed.contains(import.as_str()) {
                wrong.push(format!("{file}: {room} must not import {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_map_has_no_ring() {
    fn visit(room: &str, path: &mut Vec<String>, map: &BTreeMap<&str, &[&str]>) {
        assert!(
            !path.iter().any(|seen| seen == room),
            "ring: {} → {room}",
            path.join(" → ")
        );
        path.push(room.to_owned());
        for next in map[room] {
            visit(next, path, map);
        }
        path.pop();
    }
    let map: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    for room in map.keys() {
        visit(room, &mut Vec::new(), &map);
    }
}

#[test]
fn the_reader_of_imports_sees_groups_and_paths() {
    let code = "use crate::{error::{Failure, Kind}, object};\nfn f() { crate::plan::build(); my_crate::x(); }";
    let found: Vec<String> = imports(code).into_iter().collect();
    assert_eq!(found, ["error", "object", "plan"]);
}

#[test]
fn pure_rooms_touch_nothing() {
    let forbidden = [
        "std::fs",
        "std::env",
        "env::var",
        "SystemTime",
        "Instant",
        "tokio",
        "std::net",
        // Threads that end with the function that began them are its own affair.
        "thread::spawn",
        "thread::sleep",
    ];
    let mut wrong = Vec::new();
    for (room, file, code) in room_files() {
        if PURE.contains(&room.as_str()) {
            wrong.extend(
                forbidden
                    .iter()
                    .filter(|word| code.contains(**word))
                    .map(|word| format!("{file}: {word}")),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_these_rooms_name_these_crates() {
    let owners = [
        ("kube::", &["cluster"] as &[&str]),
        ("k8s_openapi::", &["cluster"]),
        ("reqwest::", &["net"]),
        ("gix::", &["source"]),
        ("clap::", &["cli"]),
        ("indicatif::", &["report"]),
        ("Command::new", &["process"]),
    ];
    let mut wrong = Vec::new();
    for (room, file, code) in room_files() {
        for (word, rooms) in owners {
            if code.contains(word) && !rooms.contains(&room.as_str()) {
                wrong.push(format!("{file}: {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_deny_toml_bans_is_not_in_the_lock() {
    let deny = std::fs::read_to_string(root().join("deny.toml")).expect("because it is part of the repository");
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("because it is part of the repository");
    let banned: Vec<&str> = deny
        .lines()
        .filter_map(|line| line.trim().strip_prefix("{ name = \"")?.split('"').next())
        .collect();
    assert!(banned.contains(&"openssl-sys"), "the list of bans is read");
    for name in banned {
        assert!(
            !lock.contains(&format!("name = \"{name}\"\n")),
            "{name} is in Cargo.lock and banned by deny.toml"
        );
    }
}
