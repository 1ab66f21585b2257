//! Which commit is meant.

use std::collections::BTreeSet;

use gix::{Commit, Repository};
use jiff::Timestamp;

use crate::error::{Failure, Kind, printable};

/// Refuses revisions that go through the reflog: it tells what this clone looked at, not what the repository was, and a
/// fresh clone has none, so that they would silently mean the newest commit.
pub(super) fn refuse_reflog(spec: &str) -> Result<(), Failure> {
    let Some((_, selector)) = spec.split_once("@{") else {
        return Ok(());
    };
    let selector = selector.split('}').next().unwrap_or_default().to_ascii_lowercase();
    if ["u", "upstream", "push"].contains(&selector.as_str()) {
        return Ok(());
    }
    Err(
        Failure::new(Kind::Usage, format!("the revision {} is not taken", printable(spec)))
            .because("it goes by the reflog, which tells what this clone looked at and not what the repository was")
            .hint("--at DATE takes the state of the branch at a date"),
    )
}

/// Whether a revision is the id of a commit, or the beginning of one.
pub(super) fn is_id(spec: &str) -> bool {
    spec.len() >= 7 && spec.chars().all(|c| c.is_ascii_hexdigit())
}

/// The commit of a revision, or of `HEAD`. A name that is only known as a branch of the remote is taken as such when
/// `remote_names` is set (a clone made by refloat).
pub(super) fn resolve<'r>(
    repository: &'r Repository,
    spec: Option<&str>,
    shown: &str,
    remote_names: bool,
) -> Result<Commit<'r>, Failure> {
    let failed = |spec: &str| {
        Failure::new(
            Kind::Input,
            format!("{shown} could not be read at revision {}", printable(spec)),
        )
    };
    let Some(spec) = spec else {
        let head = repository.head_commit().map_err(|_| {
            Failure::new(Kind::Input, format!("nothing could be read from {shown}"))
                .because("its HEAD names no commit: nothing was committed yet, or the branch is gone")
                .hint("commit something, or name a revision with --rev")
        })?;
        return Ok(head);
    };
    let mut found = repository.rev_parse_single(spec);
    if found.is_err() && remote_names {
        let remote = format!("origin/{spec}");
        found = repository.rev_parse_single(remote.as_str()).or(found);
    }
    let id = found.map_err(|cause| unknown(repository, spec, &cause.to_string(), failed(spec)))?;
    let object = id.object().map_err(|cause| failed(spec).because(cause))?;
    let kind = object.kind;
    object
        .peel_to_kind(gix::object::Kind::Commit)
        .map(gix::Object::into_commit)
        .map_err(|_| {
            failed(spec)
                .because(format!("it is a {}, and a commit is needed", word(kind)))
                .hint("name a branch, a tag or a commit; a folder is named by the path, or with --path")
        })
}

fn word(kind: gix::object::Kind) -> &'static str {
    match kind {
        gix::object::Kind::Tree => "folder",
        gix::object::Kind::Blob => "file",
        gix::object::Kind::Commit => "commit",
        gix::object::Kind::Tag => "tag",
    }
}

fn unknown(repository: &Repository, spec: &str, cause: &str, failure: Failure) -> Failure {
    if cause.contains("ambiguous") {
        return failure
            .because("several things answer to it")
            .hint("give more of the commit id, or the full name");
    }
    let shallow = |failure: Failure| match is_shallow(repository) {
        true => failure.hint("the clone is shallow: `git fetch --unshallow` gets the rest"),
        false => failure,
    };
    let base = spec.split(['~', '^']).next().unwrap_or(spec);
    if base != spec && repository.rev_parse_single(base).is_ok() {
        let base = printable(base);
        return shallow(failure.because(format!("{base} is there, and has not so many commits before it")))
            .hint(format!("`git log {base}` lists them"));
    }
    let failure = shallow(failure.because("no branch, tag or commit answers to it"));
    let near = nearest(spec, &names(repository));
    match near.is_empty() {
        true => failure.hint("`git branch --all` and `git tag` list what there is"),
        false => failure.hint(format!("there is {}", near.join(", "))),
    }
}

fn is_shallow(repository: &Repository) -> bool {
    repository.is_shallow().unwrap_or(false)
}

/// Names of branches and tags, short, sorted.
fn names(repository: &Repository) -> BTreeSet<String> {
    let Ok(all) = repository.references() else {
        return BTreeSet::new();
    };
    let Ok(all) = all.all() else {
        return BTreeSet::new();
    };
    all.filter_map(Result::ok)
        .map(|reference| reference.name().shorten().to_string())
        .filter(|name| !name.ends_with("/HEAD"))
        .collect()
}

/// At most three of the names that are like `spec`, the most like first.
fn nearest(spec: &str, names: &BTreeSet<String>) -> Vec<String> {
    let word = spec.split(['~', '^', ':', '@']).next().unwrap_or(spec);
    let mut near: Vec<(usize, &String)> = names
        .iter()
        .map(|name| {
            let last = name.rsplit('/').next().unwrap_or(name);
            (distance(word, name).min(distance(word, last)), name)
        })
        .filter(|(distance, _)| *distance <= (word.chars().count() / 3).max(1))
        .collect();
    near.sort();
    near.into_iter().take(3).map(|(_, name)| printable(name)).collect()
}

/// Edits that make one word of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(from != *to)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

/// The newest commit that is not newer than `at`, following first parents, by committer time.
pub(super) fn at<'r>(from: Commit<'r>, at: Timestamp, shown: &str) -> Result<Commit<'r>, Failure> {
    let repository = from.repo;
    let failed = || Failure::new(Kind::Input, format!("{shown} could not be read as of {at}"));
    let mut commit = from;
    loop {
        let time = commit.time().map_err(|cause| failed().because(cause))?;
        if time.seconds <= at.as_second() {
            return Ok(commit);
        }
        let parent = commit.parent_ids().next().map(gix::Id::detach);
        let Some(parent) = parent.filter(|parent| repository.has_object(parent)) else {
            let oldest = Timestamp::from_second(time.seconds).map_or_else(|_| "unknown".to_owned(), |t| t.to_string());
            let failure = failed().because(format!("its first commit is of {oldest}"));
            return Err(match is_shallow(repository) {
                true => failure.hint("the clone is shallow: `git fetch --unshallow` gets what is older"),
                false => failure.hint("give a later date"),
            });
        };
        commit = repository
            .find_commit(parent)
            .map_err(|cause| failed().because(cause))?;
    }
}

/// Reads a date: `2026-01-31` (its end, UTC), `2026-01-31T10:00:00` (UTC), or with a zone (`Z`, `+02:00`).
///
/// # Errors
/// When it is none of these.
pub fn parse_date(text: &str) -> Result<Timestamp, Failure> {
    date(text, jiff::civil::time(23, 59, 59, 0), "the end")
}

/// Reads a date as [`parse_date`] does, from which on something counts: of `2026-01-31` the beginning.
///
/// # Errors
/// When it is none.
pub fn parse_since(text: &str) -> Result<Timestamp, Failure> {
    date(text, jiff::civil::Time::midnight(), "the beginning")
}

/// A date; one without a time means this time of the day, which `meant` says.
fn date(text: &str, time_of_day: jiff::civil::Time, meant: &str) -> Result<Timestamp, Failure> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let is_date = text.len() == "2026-01-31".len();
    let civil = match is_date {
        true => text
            .parse::<jiff::civil::Date>()
            .map(|date| date.to_datetime(time_of_day)),
        false => text.parse::<jiff::civil::DateTime>(),
    };
    let time = civil.and_then(|civil| civil.to_zoned(jiff::tz::TimeZone::UTC));
    time.map(|zoned| zoned.timestamp()).map_err(|_| {
        Failure::new(Kind::Usage, format!("the date {} is not understood", printable(text))).hint(format!(
            "write 2026-01-31 ({meant} of that day, UTC), 2026-01-31T10:00:00Z or 2026-01-31T10:00:00+02:00"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reflog_is_refused() {
        for spec in ["main@{2026-01-01}", "HEAD@{1}", "@{-1}", "@{yesterday}"] {
            assert!(refuse_reflog(spec).is_err(), "{spec}");
        }
        for spec in ["main@{u}", "@{upstream}", "main~2^{/fix}", "HEAD", "user@host"] {
            assert!(refuse_reflog(spec).is_ok(), "{spec}");
        }
        assert_eq!(
            refuse_reflog("main@{2026-01-01}")
                .expect_err("because it is a reflog date")
                .to_string(),
            "Error: the revision main@{2026-01-01} is not taken\n  because: it goes by the reflog, which tells what this clone looked at and not what the repository was\n  hint: --at DATE takes the state of the branch at a date"
        );
    }

    #[test]
    fn dates_are_read() {
        for (text, meant) in [
            ("2026-01-31", "2026-01-31T23:59:59Z"),
            ("2026-01-31T10:00:00", "2026-01-31T10:00:00Z"),
            ("2026-01-31 10:00", "2026-01-31T10:00:00Z"),
            ("2026-01-31T10:00:00+02:00", "2026-01-31T08:00:00Z"),
        ] {
            assert_eq!(parse_date(text).expect(text).to_string(), meant);
        }
        let since = parse_since("2026-01-31").expect("because it is a date");
        assert_eq!(since.to_string(), "2026-01-31T00:00:00Z");
        for text in ["yesterday", "2026-13-01", ""] {
            assert!(parse_date(text).is_err() && parse_since(text).is_err(), "{text}");
        }
    }

    #[test]
    fn near_names_are_found() {
        let names = ["main", "origin/staging", "v1.0", "v1.1"].map(str::to_owned).into();
        assert_eq!(nearest("mian~3", &names), Vec::<String>::new());
        assert_eq!(nearest("stagin", &names), ["origin/staging"]);
        assert_eq!(nearest("v1.2", &names), ["v1.0", "v1.1"]);
    }
}
