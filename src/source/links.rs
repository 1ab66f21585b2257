//! Symbolic links of a tree, followed without a file system: pure.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::path::{is_within, join};
use crate::object::{Place, Problem};

/// What stands at a path, links not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Raw {
    /// A file in Git's object database.
    Blob(gix::ObjectId),
    /// A file in a plain directory.
    File,
    /// A file that is laid over the tree.
    Laid(Arc<[u8]>),
    /// A symbolic link and its target.
    Link(String),
    /// A submodule: another repository, of which only the commit is known.
    Submodule,
}

/// The tree as it is seen through its links.
#[derive(Debug, Default)]
pub(super) struct View {
    /// Path as seen → path as stored.
    pub files: BTreeMap<String, String>,
    /// Links and submodules that are not read.
    pub problems: Vec<Problem>,
    /// Links that lead to a file or folder of the tree.
    pub good_links: Vec<String>,
}

/// Most files that a tree may have, links followed: links to folders can multiply without end.
const MOST_FILES: usize = 500_000;
/// Most links on the way to one file (`MAXSYMLINKS` of Linux).
const MOST_HOPS: usize = 40;

type Children = BTreeMap<String, BTreeMap<String, bool>>;

/// Follows the links of a tree. Every file appears under each path that leads to it.
pub(super) fn view(raw: &BTreeMap<String, Raw>) -> View {
    let has_links = raw.values().any(|entry| matches!(entry, Raw::Link(_) | Raw::Submodule));
    let mut view = View::default();
    if !has_links {
        view.files = raw.keys().map(|path| (path.clone(), path.clone())).collect();
        return view;
    }
    let children = children(raw);
    let mut walk = Walk {
        raw,
        children: &children,
        view: &mut view,
        full: false,
    };
    walk.folder("", "", &mut vec![String::new()]);
    view.problems.sort_by(|a, b| a.places.cmp(&b.places));
    view
}

/// Folder → name → whether it is a folder.
fn children(raw: &BTreeMap<String, Raw>) -> Children {
    let mut children = Children::new();
    children.insert(String::new(), BTreeMap::new());
    for path in raw.keys() {
        let mut is_folder = false;
        let mut rest = path.as_str();
        loop {
            let (parent, name) = rest.rsplit_once('/').unwrap_or(("", rest));
            let new = children
                .entry(parent.to_owned())
                .or_default()
                .insert(name.to_owned(), is_folder)
                .is_none();
            if parent.is_empty() || !new {
                break;
            }
            rest = parent;
            is_folder = true;
        }
    }
    children
}

struct Walk<'a> {
    raw: &'a BTreeMap<String, Raw>,
    children: &'a Children,
    view: &'a mut View,
    full: bool,
}

impl Walk<'_> {
    /// `seen` is the path as seen, `stored` the folder it stands for, `above` the stored folders on the way.
    fn folder(&mut self, seen: &str, stored: &str, above: &mut Vec<String>) {
        let Some(children) = self.children.get(stored) else {
            return;
        };
        for (name, is_folder) in children {
            let (seen, stored) = (join(seen, name), join(stored, name));
            if *is_folder {
                self.enter(&seen, stored, above);
            } else {
                self.leaf(seen, stored, above);
            }
            if self.full {
                return;
            }
        }
    }

    fn enter(&mut self, seen: &str, stored: String, above: &mut Vec<String>) {
        above.push(stored.clone());
        self.folder(seen, &stored, above);
        above.pop();
    }

    fn leaf(&mut self, seen: String, stored: String, above: &mut Vec<String>) {
        if self.view.files.len() >= MOST_FILES {
            self.full = true;
            let message = format!("the rest of the tree is not read: it has more than {MOST_FILES} files");
            self.view.problems.push(Problem::error(Place::file(seen), message));
            return;
        }
        match self.raw.get(&stored) {
            Some(Raw::Blob(_) | Raw::File | Raw::Laid(_)) => {
                self.view.files.insert(seen, stored);
            }
            Some(Raw::Submodule) => {
                let problem = Problem::warning(Place::file(seen), "nothing in it is read: it is a submodule");
                let hint = "restore the submodule's repository by itself";
                self.view.problems.push(problem.hint(hint));
            }
            Some(Raw::Link(_)) => match resolve(self.raw, self.children, &stored) {
                Err(why) => self.refuse(seen, why),
                Ok(Target::File(file)) => {
                    self.view.good_links.push(stored);
                    self.view.files.insert(seen, file);
                }
                Ok(Target::Folder(folder)) if above.iter().any(|up| is_within(up, &folder)) => {
                    self.refuse(seen, "it is a symbolic link to a folder that it is in");
                }
                Ok(Target::Folder(folder)) => {
                    self.view.good_links.push(stored);
                    self.enter(&seen, folder, above);
                }
            },
            None => {}
        }
    }

    fn refuse(&mut self, seen: String, why: &str) {
        let problem = Problem::error(Place::file(seen), format!("it is not read: {why}"));
        self.view.problems.push(problem);
    }
}

enum Target {
    File(String),
    Folder(String),
}

fn resolve(raw: &BTreeMap<String, Raw>, children: &Children, path: &str) -> Result<Target, &'static str> {
    let path = follow(raw, path)?;
    match raw.get(&path) {
        Some(Raw::Blob(_) | Raw::File | Raw::Laid(_)) => Ok(Target::File(path)),
        Some(Raw::Submodule) => Err("it is a symbolic link into a submodule"),
        _ if children.contains_key(&path) => Ok(Target::Folder(path)),
        _ => Err("it is a symbolic link to something that is not there"),
    }
}

/// Where a path leads once the links on its way are followed, whether something is there or not.
pub(super) fn follow(raw: &BTreeMap<String, Raw>, path: &str) -> Result<String, &'static str> {
    const OUTSIDE: &str = "it is a symbolic link that leads out of the repository";
    let mut todo: VecDeque<String> = path.split('/').map(str::to_owned).collect();
    let mut done: Vec<String> = Vec::new();
    let mut hops = 0;
    while let Some(name) = todo.pop_front() {
        match name.as_str() {
            "" | "." => continue,
            ".." => {
                done.pop().ok_or(OUTSIDE)?;
                continue;
            }
            _ => done.push(name),
        }
        if let Some(Raw::Link(target)) = raw.get(&done.join("/")) {
            hops += 1;
            if hops > MOST_HOPS {
                return Err("it is a symbolic link that leads round in a circle");
            }
            if target.starts_with('/') {
                return Err(OUTSIDE);
            }
            done.pop();
            for part in target.rsplit('/') {
                todo.push_front(part.to_owned());
            }
        }
    }
    Ok(done.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(entries: &[(&str, Option<&str>)]) -> BTreeMap<String, Raw> {
        let raw = |target: &Option<&str>| target.map_or(Raw::File, |target| Raw::Link(target.to_owned()));
        entries
            .iter()
            .map(|(path, target)| ((*path).to_owned(), raw(target)))
            .collect()
    }

    fn seen(view: &View) -> Vec<String> {
        let shown = |(seen, stored): (&String, &String)| format!("{seen}={stored}");
        view.files.iter().map(shown).collect()
    }

    fn refused(entries: &[(&str, Option<&str>)]) -> Vec<String> {
        view(&tree(entries)).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_inside_the_tree_are_followed() {
        let view = view(&tree(&[
            ("base/web.yaml", None),
            ("base/more/db.yaml", None),
            ("prod/web.yaml", Some("../base/web.yaml")),
            ("prod/all", Some("../base")),
            ("prod/chain.yaml", Some("all/more/db.yaml")),
        ]));
        assert_eq!(
            seen(&view),
            [
                "base/more/db.yaml=base/more/db.yaml",
                "base/web.yaml=base/web.yaml",
                "prod/all/more/db.yaml=base/more/db.yaml",
                "prod/all/web.yaml=base/web.yaml",
                "prod/chain.yaml=base/more/db.yaml",
                "prod/web.yaml=base/web.yaml",
            ]
        );
        assert_eq!(view.problems, []);
    }

    #[test]
    fn links_out_of_the_tree_are_refused() {
        let out = "it is not read: it is a symbolic link that leads out of the repository";
        assert_eq!(
            refused(&[("a/x.yaml", Some("../../secret.yaml"))]),
            [format!("a/x.yaml: {out}")]
        );
        assert_eq!(refused(&[("x.yaml", Some("/etc/passwd"))]), [format!("x.yaml: {out}")]);
    }

    #[test]
    fn circles_and_dead_ends_are_refused() {
        assert_eq!(
            refused(&[
                ("a", Some("b")),
                ("b", Some("a")),
                ("c", Some("nowhere")),
                ("d/e", Some("../d")),
                ("d/f", None)
            ]),
            [
                "a: it is not read: it is a symbolic link that leads round in a circle",
                "b: it is not read: it is a symbolic link that leads round in a circle",
                "c: it is not read: it is a symbolic link to something that is not there",
                "d/e: it is not read: it is a symbolic link to a folder that it is in",
            ]
        );
    }

    #[test]
    fn links_that_multiply_come_to_an_end() {
        let mut entries = vec![("d0/x.yaml".to_owned(), Raw::File)];
        for level in 1..30 {
            for side in ["a", "b"] {
                entries.push((format!("d{level}/{side}"), Raw::Link(format!("../d{}", level - 1))));
            }
        }
        let view = view(&entries.into_iter().collect());
        assert_eq!(view.files.len(), MOST_FILES);
        assert!(view.problems[0].message.contains("more than 500000 files"));
    }
}
