//! Pull requests on GitHub, GitLab (merge requests), Gitea and Forgejo, through their REST APIs.
//!
//! A branch has at most one open request; a later run finds and updates it. The wire formats are those of
//! <https://docs.github.com/en/rest/pulls/pulls>, <https://docs.gitlab.com/api/merge_requests/> and of Gitea's
//! `templates/swagger/v1_json.tmpl` (<https://codeberg.org/api/swagger> of a Forgejo).

mod place;
mod refusal;
mod token;
mod wire;

use serde_json::Value;

use crate::error::{Failure, Kind as FailureKind, printable};
use crate::net::{Access, NetError, Question, Reply, Session};
use crate::source::without_credentials;

use place::Place;
use wire::{Open, Project};

pub use token::Token;

/// Most bytes of an answer: a hundred requests with long bodies.
const LARGEST_ANSWER: usize = 64 << 20;
/// Longest title, in characters: 256 on GitHub, 255 on GitLab and Gitea.
const LONGEST_TITLE: usize = 255;

/// Which API a forge speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// GitHub and GitHub Enterprise.
    GitHub,
    /// GitLab.
    GitLab,
    /// Gitea and Forgejo.
    Gitea,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::GitHub, Kind::GitLab, Kind::Gitea];

    /// The name as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
            Self::Gitea => "Gitea",
        }
    }

    /// What it calls a pull request.
    pub fn request(self) -> &'static str {
        match self {
            Self::GitLab => "merge request",
            Self::GitHub | Self::Gitea => "pull request",
        }
    }
}

/// A project on a forge.
#[derive(Debug)]
pub struct Forge {
    place: Place,
    session: Session,
}

/// A request that is to be.
#[derive(Debug, Clone, Copy)]
pub struct Proposal<'a> {
    /// The branch that was pushed.
    pub branch: &'a str,
    /// Where it is to be merged; `None`: the project's default branch, or where an open request points.
    pub base: Option<&'a str>,
    /// One line.
    pub title: &'a str,
    /// Markdown. What is too long for the forge is cut at the end of a line, and the cut is told.
    pub body: &'a str,
}

/// A request that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// Its page.
    pub address: String,
    /// Its number in the project.
    pub number: u64,
    /// What happened to it.
    pub was: Was,
}

/// What happened to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Was {
    /// There was none.
    Opened,
    /// It was there, and says something else now.
    Updated,
    /// It was there, and says this already.
    Unchanged,
}

impl Forge {
    /// The project that a remote's address names. The forge is known by its host, or told by `kind`; else the server is asked what it
    /// is. `api` is where its REST API is, with its path (`https://git.example.com/api/v3`), where that is elsewhere than usual.
    ///
    /// # Errors
    /// The address names no project of a server, or the server is no forge that is known.
    pub fn of(remote: &str, kind: Option<Kind>, api: Option<&str>) -> Result<Self, Failure> {
        let session = Session::default();
        let place = Place::of(remote, kind, api, |address| {
            let question = Question {
                address,
                limit: 1 << 20,
                ..Question::default()
            };
            session.ask(question)
        })?;
        Ok(Self { place, session })
    }

    /// Which API it speaks.
    pub fn kind(&self) -> Kind {
        self.place.kind
    }

    /// Host and project, without credentials: `github.com/org/repo`.
    pub fn shown(&self) -> String {
        printable(&format!("{}/{}", self.place.host, self.place.project))
    }

    /// Opens a request for the branch, or updates the open one.
    ///
    /// # Errors
    /// The forge cannot be reached, or does not want it: what it says, and what to do. The branch stays pushed.
    pub fn propose(&self, proposal: &Proposal<'_>, token: &Token) -> Result<Proposed, Failure> {
        let call = Call {
            forge: self,
            token,
            branch: proposal.branch,
        };
        let project = call.project()?;
        if proposal.base.unwrap_or(&project.default_branch) == proposal.branch {
            return Err(self
                .unopened(proposal.branch)
                .because("the branch is the one that it would be merged into"));
        }
        let title: String = printable(proposal.title)
            .replace('\n', " ")
            .chars()
            .take(LONGEST_TITLE)
            .collect();
        let body = fit(proposal.body, wire::longest_body(self.place.kind));
        let wanted = Proposal {
            title: &title,
            body: &body,
            ..*proposal
        };
        if let Some(open) = call.find(&project)? {
            return call.update(&project, &open, &wanted);
        }
        match call.create(&project, &wanted)? {
            Some(open) => Ok(proposed(&open, Was::Opened)),
            // Somebody was faster, or an answer got lost on the way.
            None => match call.find(&project)? {
                Some(open) => call.update(&project, &open, &wanted),
                None => Err(self.unopened(proposal.branch).because(format!(
                    "{} says that there is one, and does not list it",
                    self.place.host
                ))),
            },
        }
    }

    fn unopened(&self, branch: &str) -> Failure {
        let consequence = format!(
            "{} is pushed, but no {} was opened for it on {}",
            printable(branch),
            self.place.kind.request(),
            self.shown()
        );
        Failure::new(FailureKind::Io, consequence)
    }
}

fn proposed(open: &Open, was: Was) -> Proposed {
    Proposed {
        address: open.address.clone(),
        number: open.number,
        was,
    }
}

/// The conversation about one request.
struct Call<'a> {
    forge: &'a Forge,
    token: &'a Token,
    branch: &'a str,
}

impl Call<'_> {
    fn project(&self) -> Result<Project, Failure> {
        let place = &self.forge.place;
        let answer = self.get(&wire::project_path(place.kind, &place.project))?;
        wire::project(place.kind, &answer).ok_or_else(|| self.unreadable())
    }

    /// The open request of the branch.
    fn find(&self, project: &Project) -> Result<Option<Open>, Failure> {
        let kind = self.forge.place.kind;
        for page in 1..=wire::MOST_PAGES {
            let answer = self.get(&wire::list_path(kind, project, self.branch, page))?;
            let list = answer.as_array().ok_or_else(|| self.unreadable())?;
            let mut open = list.iter().filter_map(|one| wire::open(kind, one));
            if let Some(found) = open.find(|open| open.branch == self.branch && open.from == project.id) {
                return Ok(Some(found));
            }
            if list.len() < wire::PAGE {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// `None`: there is one already.
    fn create(&self, project: &Project, wanted: &Proposal<'_>) -> Result<Option<Open>, Failure> {
        let kind = self.forge.place.kind;
        let (path, value) = wire::create(kind, project, wanted);
        let reply = self.send(&path, Some(("POST", value)))?;
        if refusal::exists_already(kind, &reply) {
            return Ok(None);
        }
        let answer = self.success(&reply, || self.forge.unopened(self.branch))?;
        wire::open(kind, &answer).map(Some).ok_or_else(|| self.unreadable())
    }

    fn update(&self, project: &Project, open: &Open, wanted: &Proposal<'_>) -> Result<Proposed, Failure> {
        let plain = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
        let base = wanted.base.filter(|base| *base != open.base);
        if base.is_none() && open.title == wanted.title.trim() && plain(&open.body) == plain(wanted.body) {
            return Ok(proposed(open, Was::Unchanged));
        }
        let kind = self.forge.place.kind;
        let (method, path, value) = wire::update(kind, project, open.number, &Proposal { base, ..*wanted });
        let reply = self.send(&path, Some((method, value)))?;
        self.success(&reply, || {
            let consequence = format!(
                "{} is pushed, but what its {} {} says was not updated",
                printable(self.branch),
                kind.request(),
                printable(&open.address)
            );
            Failure::new(FailureKind::Io, consequence)
        })?;
        Ok(proposed(open, Was::Updated))
    }

    fn get(&self, path: &str) -> Result<Value, Failure> {
        let reply = self.send(path, None)?;
        self.success(&reply, || self.forge.unopened(self.branch))
    }

    fn send(&self, path: &str, json: Option<(&'static str, Value)>) -> Result<Reply, Failure> {
        let question = Question {
            address: format!("{}{path}", self.forge.place.api),
            access: Access {
                authorization: Some(self.token.authorization()),
                ..Access::default()
            },
            accept: wire::accept(self.forge.place.kind).to_owned(),
            limit: LARGEST_ANSWER,
            json,
            ..Question::default()
        };
        self.forge.session.ask(question).map_err(|error| {
            let failure = self
                .forge
                .unopened(self.branch)
                .because(self.token.hide(&error.to_string()));
            match error {
                NetError::TooMuch { .. } | NetError::Redirects { .. } => failure,
                _ => failure.hint("check the network and the proxy, and run it again"),
            }
        })
    }

    fn success(&self, reply: &Reply, failed: impl Fn() -> Failure) -> Result<Value, Failure> {
        if (200..300).contains(&reply.status) {
            return serde_json::from_slice(&reply.body).map_err(|_| self.unreadable());
        }
        Err(refusal::explain(failed(), &self.forge.place, reply, self.token))
    }

    fn unreadable(&self) -> Failure {
        let place = &self.forge.place;
        self.forge
            .unopened(self.branch)
            .because(format!(
                "{} does not answer as {} does",
                printable(&without_credentials(&place.api)),
                place.kind.name()
            ))
            .hint("check which forge it is and where its REST API is")
    }
}

/// A body of at most so many bytes.
fn fit(body: &str, longest: usize) -> String {
    if body.len() <= longest {
        return body.to_owned();
    }
    let note = |left: usize| {
        format!(
            "\n\n… {left} more lines are left out here, since the forge takes no longer text. The commit has all changes.\n"
        )
    };
    let room = longest - note(body.len()).len();
    let mut end = room;
    while !body.is_char_boundary(end) {
        end -= 1;
    }
    let end = body[..end].rfind('\n').unwrap_or(end);
    let mut cut = body[..end].to_owned();
    // A block of code that is cut open would swallow the note.
    if cut.lines().filter(|line| line.trim_start().starts_with("```")).count() % 2 == 1 {
        let line = cut.rfind("```").map_or(0, |at| cut[..at].rfind('\n').unwrap_or(0));
        cut.truncate(line);
    }
    let left = body[cut.len()..].trim().lines().count();
    cut + &note(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_bodies_are_cut_between_lines() {
        assert_eq!(fit("short", 60_000), "short");
        let lines: String = (0..10_000).map(|line| format!("- größe {line}\n")).collect();
        let cut = fit(&lines, 60_000);
        assert!(cut.len() <= 60_000 && cut.len() > 59_000, "{}", cut.len());
        let (kept, note) = cut.split_once("\n\n… ").expect("because it is cut");
        let left: usize = note
            .split(' ')
            .next()
            .and_then(|left| left.parse().ok())
            .expect("because it says how many");
        assert_eq!(kept.lines().count() + left, 10_000);
        let block = format!("before\n```diff\n{}```\n", "+ a\n".repeat(20_000));
        assert!(
            fit(&block, 60_000).starts_with("before\n\n… 2"),
            "{}",
            &fit(&block, 60_000)[..80]
        );
    }
}
