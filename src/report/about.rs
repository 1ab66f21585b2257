//! What a run is about: which commit of which repository, from which place in it, into which cluster.

use std::io::{self, Write};

use super::text::{count, one_line};
use crate::object::{Context, Entry, Repository};

/// What a run is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The repository and commit.
    pub repository: &'a Repository,
    /// The place in it.
    pub entry: &'a Entry,
    /// Objects in the repository that the entry does not reach.
    pub unreached: usize,
    /// The cluster; `None` without one.
    pub context: Option<&'a Context>,
}

/// Writes what a run is about, three lines at most.
///
/// ```text
/// Repository  ./gitops at 0123456789ab "Raise the limits" (2026-11-20 08:00 UTC)
/// Entry       clusters/production: kustomization, found by itself; 12 objects elsewhere are left alone
/// Cluster     bank-dr, context bank-dr, https://10.0.0.1:6443, 3 nodes
/// ```
///
/// # Errors
/// Those of the writer.
pub fn about(about: &About<'_>, out: &mut dyn Write) -> io::Result<()> {
    let repository = about.repository;
    let mut text = one_line(&repository.location);
    if let Some(commit) = &repository.commit {
        text.push_str(&format!(
            " at {}",
            one_line(commit.chars().take(12).collect::<String>())
        ));
    }
    if let Some(subject) = &repository.subject {
        text.push_str(&format!(" \"{}\"", one_line(subject)));
    }
    if let Some(date) = repository.time.and_then(date) {
        text.push_str(&format!(" ({date})"));
    }
    if repository.dirty {
        text.push_str("; changes that are not committed were not read");
    }
    writeln!(out, "Repository  {text}")?;
    let found = if about.entry.detected { ", found by itself" } else { "" };
    let left = match about.unreached {
        0 => String::new(),
        1 => "; 1 object elsewhere is left alone".to_owned(),
        number => format!("; {} elsewhere are left alone", count(number, "object")),
    };
    writeln!(
        out,
        "Entry       {}: {}{found}{left}",
        paths(about.entry),
        one_line(&about.entry.dialect)
    )?;
    if let Some(context) = about.context {
        let nodes = context.nodes.map(|number| format!(", {}", count(number, "node")));
        writeln!(
            out,
            "Cluster     {}, context {}, {}{}",
            one_line(&context.cluster),
            one_line(&context.name),
            one_line(&context.server),
            nodes.unwrap_or_default()
        )?;
    }
    Ok(())
}

/// The paths of an entry, `.` for the root.
fn paths(entry: &Entry) -> String {
    let shown = |path: &String| {
        if path.is_empty() {
            "the whole repository".to_owned()
        } else {
            one_line(path)
        }
    };
    let paths: Vec<String> = entry.paths.iter().map(shown).collect();
    if paths.is_empty() {
        "the whole repository".to_owned()
    } else {
        paths.join(", ")
    }
}

/// `2026-11-20 08:00 UTC`.
fn date(seconds: i64) -> Option<String> {
    let time = jiff::Timestamp::from_second(seconds).ok()?;
    Some(time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn shown(of: &About<'_>) -> String {
        let mut out = Vec::new();
        about(of, &mut out).expect("because a Vec takes all");
        String::from_utf8(out).expect("because it is text")
    }

    #[test]
    fn says_what_and_where() {
        let mut about = About {
            unreached: 12,
            ..sample::about()
        };
        insta::assert_snapshot!(shown(&about), @r#"
        Repository  ./gitops at 0123456789ab "Raise the \u{1b}limits" (2026-11-20 08:00 UTC)
        Entry       clusters/production, the whole repository: kustomization, found by itself; 12 objects elsewhere are left alone
        Cluster     bank, context bank-dr, https://10.0.0.1:6443, 3 nodes
        "#);
        let folder = Repository {
            location: "./a\u{7}b".to_owned(),
            commit: None,
            subject: None,
            time: None,
            dirty: true,
        };
        about.repository = &folder;
        about.context = None;
        about.unreached = 0;
        insta::assert_snapshot!(shown(&about), @r#"
        Repository  ./a\u{7}b; changes that are not committed were not read
        Entry       clusters/production, the whole repository: kustomization, found by itself
        "#);
    }
}
