//! A history as one document.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::shape::Object;
use super::{VERSION, document};
use crate::object::{Edit, FieldEdit, ObjectEdit, PastRevision, Revisions};
use crate::report::HistoryOf;

#[derive(Debug, Serialize)]
struct Document<'a> {
    version: u32,
    repository: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a str>,
    paths: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a str>,
    revisions: Vec<Row<'a>>,
    more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    id: &'a str,
    time: i64,
    author: &'a str,
    subject: &'a str,
    rendered: bool,
    objects: Vec<Edited<'a>>,
    files: &'a [String],
}

#[derive(Debug, Serialize)]
pub(super) struct Edited<'a> {
    object: Object<'a>,
    change: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field<'a>>,
}

#[derive(Debug, Serialize)]
struct Field<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a Value>,
    #[serde(skip_serializing_if = "is_false")]
    hidden: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Writes a history as one document.
///
/// # Errors
/// Those of the writer.
pub fn history(revisions: &Revisions, of: &HistoryOf<'_>, out: &mut dyn Write) -> io::Result<()> {
    let shown = Document {
        version: VERSION,
        repository: &of.repository.location,
        commit: of.repository.commit.as_deref(),
        paths: of.paths,
        object: of.object,
        revisions: revisions.revisions.iter().map(row).collect(),
        more: revisions.more,
        incomplete: revisions.incomplete.as_deref(),
    };
    document(&shown, out)
}

fn row(revision: &PastRevision) -> Row<'_> {
    Row {
        id: &revision.commit.id,
        time: revision.commit.time,
        author: &revision.commit.author,
        subject: &revision.commit.subject,
        rendered: revision.is_rendered,
        objects: revision.objects.iter().map(edited).collect(),
        files: &revision.files,
    }
}

pub(super) fn edited(edit: &ObjectEdit) -> Edited<'_> {
    let (change, from) = match &edit.edit {
        Edit::Added => ("added", None),
        Edit::Changed => ("changed", None),
        Edit::Moved(from) => ("moved", Some(from.as_str())),
        Edit::Removed => ("removed", None),
    };
    Edited {
        object: Object::from(&edit.id),
        change,
        file: &edit.file,
        from,
        fields: edit.fields.iter().map(field).collect(),
    }
}

fn field(edit: &FieldEdit) -> Field<'_> {
    Field {
        path: &edit.path,
        before: edit.before.as_ref(),
        after: edit.after.as_ref(),
        hidden: edit.is_hidden,
    }
}
