//! What a watching audit tells, one event a line.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::audit::{Found, Gap, found, gaps};
use super::summary::{self, Subject};
use super::{VERSION, line};
use crate::audit::{Cause, Divergence, Finding, News, Resolved};
use crate::object::{FactGap, Repository};
use crate::report::About;

#[derive(Debug, Serialize)]
struct Line<'a> {
    version: u32,
    #[serde(flatten)]
    body: Body<'a>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Body<'a> {
    Divergence {
        time: &'a str,
        news: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        now: Option<&'static str>,
        cause: &'static str,
        #[serde(flatten)]
        finding: Box<Found<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        about: Option<Subject<'a>>,
    },
    Revision {
        time: &'a str,
        repository: summary::Repository<'a>,
    },
    Stopped {
        time: &'a str,
        open: BTreeMap<&'static str, usize>,
        gaps: Vec<Gap<'a>>,
    },
}

fn write(body: Body<'_>, out: &mut dyn Write) -> io::Result<()> {
    let version = VERSION;
    line(&Line { version, body }, out)
}

/// Writes a divergence as one line; with what the audit is about where it goes to somebody who was not told.
///
/// # Errors
/// Those of the writer.
pub fn divergence(one: &Divergence, time: &str, about: Option<About<'_>>, out: &mut dyn Write) -> io::Result<()> {
    let (news, now) = match one.news {
        News::New => ("new", None),
        News::Changed => ("changed", None),
        News::Resolved(Resolved::InSync) => ("resolved", Some("in-sync")),
        News::Resolved(Resolved::Gone) => ("resolved", Some("gone")),
        News::Resolved(Resolved::AccountedFor) => ("resolved", Some("accounted-for")),
    };
    let body = Body::Divergence {
        time,
        news,
        now,
        cause: match one.cause {
            Cause::Cluster => "cluster",
            Cause::Revision => "revision",
        },
        finding: Box::new(found(&one.finding)),
        about: about.map(Subject::from),
    };
    write(body, out)
}

/// Writes which commit is compared with from now on, as one line.
///
/// # Errors
/// Those of the writer.
pub fn revision(repository: &Repository, time: &str, out: &mut dyn Write) -> io::Result<()> {
    let repository = summary::Repository::from(repository);
    write(Body::Revision { time, repository }, out)
}

/// Writes how things stood when the watching was ended, as one line.
///
/// # Errors
/// Those of the writer.
pub fn stopped(open: &[Finding], unread: &[FactGap], time: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut counts = BTreeMap::new();
    for finding in open {
        *counts.entry(finding.verdict.name()).or_default() += 1;
    }
    let body = Body::Stopped {
        time,
        open: counts,
        gaps: gaps(unread),
    };
    write(body, out)
}
