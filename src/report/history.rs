//! The revisions of what is declared, for people.

use std::io::{self, Write};

use jiff::Timestamp;

use super::text::{count, one_line};
use crate::object::{Edit, FieldEdit, ObjectEdit, PastRevision, Repository, Revisions};

/// Most objects, and most files, of a revision that are listed.
const MOST_LISTED: usize = 20;

/// Most characters of a value that are shown.
const LONGEST_VALUE: usize = 60;

/// What a history is about.
#[derive(Debug, Clone, Copy)]
pub struct HistoryOf<'a> {
    /// The repository, and the commit from which it goes back.
    pub repository: &'a Repository,
    /// Folders and files, from the root; none: all.
    pub paths: &'a [String],
    /// The object, as it was named; `None`: all.
    pub object: Option<&'a str>,
}

/// How much of a history is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Detail {
    /// The fields of changed objects too.
    pub fields: bool,
    /// However many objects, files and fields a revision changed.
    pub all: bool,
}

/// Writes revisions, newest first.
///
/// ```text
/// 0123456789ab  2026-11-20 08:00  Ana Lima  Raise the limits
///   added    ConfigMap/shop/limits  apps/shop/limits.yaml
///   changed  Deployment/shop/checkout  apps/shop/checkout.yaml
///            .spec.replicas  2 → 3
///   file     apps/shop/kustomization.yaml
/// ```
///
/// # Errors
/// Those of the writer.
pub fn history(revisions: &Revisions, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let most = if detail.all { usize::MAX } else { MOST_LISTED };
    for (at, revision) in revisions.revisions.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        head(revision, out)?;
        for edit in revision.objects.iter().take(most) {
            object(edit, if detail.fields { most } else { 0 }, out)?;
        }
        let left = revision.objects.len().saturating_sub(most);
        if left > 0 {
            writeln!(out, "  and {} more; --verbose lists all", count(left, "object"))?;
        }
        for file in revision.files.iter().take(most) {
            writeln!(out, "  file     {}", one_line(file))?;
        }
        let left = revision.files.len().saturating_sub(most);
        if left > 0 {
            writeln!(out, "  and {} more; --verbose lists all", count(left, "file"))?;
        }
        if revision.is_rendered && revision.objects.is_empty() {
            writeln!(out, "  rendered: no object changed")?;
        }
    }
    Ok(())
}

/// Writes what follows the list: how many there are, and with which option, and a larger number than now, there are more.
///
/// # Errors
/// Those of the writer.
pub fn history_end(
    revisions: &Revisions,
    of: &HistoryOf<'_>,
    (option, limit): (&str, usize),
    out: &mut dyn Write,
) -> io::Result<()> {
    let number = revisions.revisions.len();
    let place = match of.paths {
        [] => String::new(),
        paths => format!(" within {}", paths.iter().map(one_line).collect::<Vec<_>>().join(", ")),
    };
    let object = of
        .object
        .map(|name| format!(" of {}", one_line(name)))
        .unwrap_or_default();
    match (number, revisions.more) {
        (0, false) => writeln!(out, "No revision{object}{place} was found.")?,
        (0, true) => writeln!(
            out,
            "No revision{object}{place} was found; {option} {} looks further back.",
            limit.saturating_mul(5)
        )?,
        (_, true) => writeln!(
            out,
            "The newest {}{object}{place}; {option} {} shows more.",
            count(number, "revision"),
            limit.saturating_mul(5)
        )?,
        (_, false) => writeln!(out, "{}{object}{place}.", count(number, "revision"))?,
    }
    Ok(())
}

fn head(revision: &PastRevision, out: &mut dyn Write) -> io::Result<()> {
    let commit = &revision.commit;
    let id: String = commit.id.chars().take(12).collect();
    let time = Timestamp::from_second(commit.time);
    let time = time.map_or_else(
        |_| "unknown date".to_owned(),
        |time| time.strftime("%Y-%m-%d %H:%M").to_string(),
    );
    let rendered = if revision.is_rendered { "  (rendered)" } else { "" };
    writeln!(
        out,
        "{}  {time}  {}  {}{rendered}",
        one_line(id),
        one_line(&commit.author),
        one_line(&commit.subject)
    )
}

pub(super) fn object(edit: &ObjectEdit, most: usize, out: &mut dyn Write) -> io::Result<()> {
    let (word, from) = match &edit.edit {
        Edit::Added => ("added", None),
        Edit::Changed => ("changed", None),
        Edit::Moved(from) => ("moved", Some(from)),
        Edit::Removed => ("removed", None),
    };
    let from = from
        .map(|from| format!(", before in {}", one_line(from)))
        .unwrap_or_default();
    let file = match edit.file.is_empty() {
        true => String::new(),
        false => format!("  {}", one_line(&edit.file)),
    };
    writeln!(out, "  {word:7}  {}{file}{from}", one_line(&edit.id))?;
    for field in edit.fields.iter().take(most) {
        writeln!(out, "           {}", shown(field))?;
    }
    let left = edit.fields.len().saturating_sub(most);
    if left > 0 && most > 0 {
        writeln!(out, "           and {} more", count(left, "field"))?;
    }
    Ok(())
}

pub(super) fn shown(field: &FieldEdit) -> String {
    let path = one_line(&field.path);
    match (&field.before, &field.after) {
        _ if field.is_hidden => format!("{path}  changed; values are not shown"),
        (None, Some(after)) => format!("{path}  added: {}", cut(&one_line(after), 0)),
        (Some(before), None) => format!("{path}  removed; it was {}", cut(&one_line(before), 0)),
        (Some(before), Some(after)) => {
            let (before, after) = (one_line(before), one_line(after));
            let start = where_they_differ(&before, &after);
            format!("{path}  {} → {}", cut(&before, start), cut(&after, start))
        }
        (None, None) => format!("{path}  changed"),
    }
}

/// The character from which two values are shown, so that the difference is seen: 0, unless it comes late.
fn where_they_differ(before: &str, after: &str) -> usize {
    let same = before.chars().zip(after.chars()).take_while(|(a, b)| a == b).count();
    match same < LONGEST_VALUE * 2 / 3 {
        true => 0,
        false => same - LONGEST_VALUE / 3,
    }
}

/// A part of a text, from a character on.
fn cut(text: &str, start: usize) -> String {
    let mut shown: String = text.chars().skip(start).take(LONGEST_VALUE).collect();
    if start > 0 {
        shown.insert(0, '…');
    }
    if text.chars().nth(start + LONGEST_VALUE).is_some() {
        shown.push('…');
    }
    shown
}
