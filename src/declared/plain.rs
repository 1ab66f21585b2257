//! Files that are read as they stand.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::appliers;
use super::documents::{self, Findings, Found};
use super::{Keys, in_parallel, parts, release, secrets};
use crate::error::printable;
use crate::object::Problem;
use crate::source::Tree;
use crate::source::path::parent;

/// What was read of files when the entry was looked for: none of it is read a second time.
#[derive(Default)]
pub(super) struct Seen(Mutex<BTreeMap<String, SeenFile>>);

struct SeenFile {
    /// Objects, counted without parsing.
    count: usize,
    /// What it declares; `None` where keys are needed for that, or a renderer.
    findings: Option<Findings>,
}

impl Seen {
    /// Reads a file ahead, and gives something of each object in it.
    pub fn look<T>(&self, tree: &Tree, file: &str, of: impl Fn(&Found) -> T) -> Vec<T> {
        let Ok(text) = tree.read(file) else {
            return Vec::new();
        };
        let findings = documents::of_file(file, &text);
        let given = findings.found.iter().map(of).collect();
        let as_it_stands = !appliers::is_ytt(&text) && !secrets::is_encrypted(&text);
        let seen = SeenFile {
            count: parts::count(file, &text),
            findings: as_it_stands.then_some(findings),
        };
        self.files().insert(file.to_owned(), seen);
        given
    }

    /// Objects of a file, counted without parsing.
    pub fn count(&self, tree: &Tree, file: &str) -> usize {
        let seen = self.files().get(file).map(|seen| seen.count);
        seen.unwrap_or_else(|| tree.read(file).map_or(0, |text| parts::count(file, &text)))
    }

    fn take(&self, file: &str) -> Option<Findings> {
        self.files().get_mut(file)?.findings.take()
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, SeenFile>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The objects of each of these files, and what is told of others: of folders with templates of ytt nothing is read, since it takes
/// their files together.
pub(super) fn read(tree: &Tree, files: &[&str], keys: &Keys, seen: &Seen) -> (Vec<Findings>, Vec<Problem>) {
    let read = in_parallel(files, |file| match seen.take(file) {
        Some(findings) => Some(without_other_occasions(findings)),
        None => of_file(tree, file, keys),
    });
    let templates = files.iter().zip(&read).filter(|(_, findings)| findings.is_none());
    let ytt = appliers::of_ytt(templates.clone().map(|(file, _)| *file));
    let folders: Vec<&str> = templates.map(|(file, _)| parent(file)).collect();
    let all = files.iter().zip(read).map(|(file, findings)| {
        let is_taken = folders.contains(&parent(file));
        findings.filter(|_| !is_taken).unwrap_or_default()
    });
    (all.collect(), ytt.iter().map(appliers::Applied::problem).collect())
}

/// `None`: it is a template of ytt.
fn of_file(tree: &Tree, file: &str, keys: &Keys) -> Option<Findings> {
    let failed = |problem: Problem| Findings {
        found: Vec::new(),
        problems: vec![problem],
    };
    Some(match tree.read(file) {
        Ok(text) if appliers::is_ytt(&text) => return None,
        Ok(text) if secrets::is_encrypted(&text) => match keys.open(file, &text) {
            Ok(plain) => without_other_occasions(documents::of_file(file, &plain)),
            Err(why) => failed(secrets::unopened(file, &why)),
        },
        Ok(text) => without_other_occasions(documents::of_file(file, &text)),
        Err(problem) => failed(*problem),
    })
}

/// Rendered charts in a repository hold their hooks too. Jenkins X and `kubectl apply` apply them as any object, and so does
/// refloat, except those that Helm would only run when something is tested, deleted or rolled back.
fn without_other_occasions(mut findings: Findings) -> Findings {
    let Findings { found, problems } = &mut findings;
    found.retain(|one| {
        let Some(occasions) = release::is_for_other_occasions(&one.value) else {
            return true;
        };
        let message = format!(
            "this object is not restored: it is a Helm hook that only runs at {}",
            printable(occasions)
        );
        problems.push(Problem::warning(one.provenance.place(), message).hint("take it out of the manifests"));
        false
    });
    findings
}
