//! Paths, questions and answers of each forge.

use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::{Kind, Proposal};

/// How many requests a page lists; Gitea gives at most 50 (`[api] MAX_RESPONSE_ITEMS`).
pub(super) const PAGE: usize = 50;
/// Most pages that are looked through. GitHub and GitLab list the requests of the branch alone; Gitea lists all.
pub(super) const MOST_PAGES: usize = 40;

/// A project as its forge tells.
#[derive(Debug)]
pub(super) struct Project {
    /// What it is called in paths; it is still that when the project was renamed.
    path: String,
    owner: String,
    /// Its number.
    pub id: u64,
    pub default_branch: String,
}

/// An open request.
#[derive(Debug)]
pub(super) struct Open {
    pub number: u64,
    pub address: String,
    pub title: String,
    pub body: String,
    pub base: String,
    pub branch: String,
    /// The number of the project that the branch is in.
    pub from: u64,
}

/// Longest body in bytes. GitHub: 65,536 characters, of which it wants some itself; GitLab: 1,048,576 characters; Gitea names none, and
/// its proxies usually take 1 MiB.
pub(super) fn longest_body(kind: Kind) -> usize {
    match kind {
        Kind::GitHub => 60_000,
        Kind::GitLab | Kind::Gitea => 1_000_000,
    }
}

pub(super) fn accept(kind: Kind) -> &'static str {
    match kind {
        Kind::GitHub => "application/vnd.github+json",
        Kind::GitLab | Kind::Gitea => "application/json",
    }
}

fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

pub(super) fn project_path(kind: Kind, project: &str) -> String {
    match kind {
        Kind::GitLab => format!("/projects/{}", encoded(project)),
        Kind::GitHub | Kind::Gitea => format!("/repos/{}", encoded(project).replace("%2F", "/")),
    }
}

pub(super) fn project(kind: Kind, answer: &Value) -> Option<Project> {
    let text = |key: &str| Some(answer[key].as_str()?.to_owned());
    let id = answer["id"].as_u64()?;
    let (path, name) = match kind {
        Kind::GitLab => (format!("/projects/{id}"), text("path_with_namespace")?),
        Kind::GitHub | Kind::Gitea => {
            let name = text("full_name")?;
            (project_path(kind, &name), name)
        }
    };
    let owner = name.split('/').next()?.to_owned();
    Some(Project {
        path,
        owner,
        id,
        default_branch: text("default_branch").unwrap_or_default(),
    })
}

pub(super) fn list_path(kind: Kind, project: &Project, branch: &str, page: usize) -> String {
    let (path, branch) = (&project.path, encoded(branch));
    match kind {
        Kind::GitHub => {
            let owner = encoded(&project.owner);
            format!("{path}/pulls?state=open&head={owner}:{branch}&per_page={PAGE}&page={page}")
        }
        Kind::GitLab => {
            format!("{path}/merge_requests?state=opened&source_branch={branch}&per_page={PAGE}&page={page}")
        }
        Kind::Gitea => format!("{path}/pulls?state=open&limit={PAGE}&page={page}"),
    }
}

/// One request, of a list or alone. `None`: it is not as documented, or of a branch whose project is gone.
pub(super) fn open(kind: Kind, answer: &Value) -> Option<Open> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Some(match kind {
        Kind::GitLab => Open {
            number: answer["iid"].as_u64()?,
            address: answer["web_url"].as_str()?.to_owned(),
            title: text(&answer["title"]),
            body: text(&answer["description"]),
            base: text(&answer["target_branch"]),
            branch: text(&answer["source_branch"]),
            from: answer["source_project_id"].as_u64()?,
        },
        Kind::GitHub | Kind::Gitea => Open {
            number: answer["number"].as_u64()?,
            address: answer["html_url"].as_str()?.to_owned(),
            title: text(&answer["title"]),
            body: text(&answer["body"]),
            base: text(&answer["base"]["ref"]),
            branch: text(&answer["head"]["ref"]),
            from: answer["head"]["repo"]["id"].as_u64()?,
        },
    })
}

pub(super) fn create(kind: Kind, project: &Project, wanted: &Proposal<'_>) -> (String, Value) {
    let Proposal {
        branch, title, body, ..
    } = *wanted;
    let base = wanted.base.unwrap_or(&project.default_branch);
    match kind {
        Kind::GitLab => (
            format!("{}/merge_requests", project.path),
            json!({ "source_branch": branch, "target_branch": base, "title": title, "description": body }),
        ),
        Kind::GitHub | Kind::Gitea => (
            format!("{}/pulls", project.path),
            json!({ "head": branch, "base": base, "title": title, "body": body }),
        ),
    }
}

/// Method, path and what changes; the base only where it is given.
pub(super) fn update(
    kind: Kind,
    project: &Project,
    number: u64,
    wanted: &Proposal<'_>,
) -> (&'static str, String, Value) {
    let Proposal { base, title, body, .. } = *wanted;
    let (method, path, base_key, mut value) = match kind {
        Kind::GitLab => (
            "PUT",
            format!("{}/merge_requests/{number}", project.path),
            "target_branch",
            json!({ "title": title, "description": body }),
        ),
        Kind::GitHub | Kind::Gitea => (
            "PATCH",
            format!("{}/pulls/{number}", project.path),
            "base",
            json!({ "title": title, "body": body }),
        ),
    };
    if let Some(base) = base {
        value[base_key] = base.into();
    }
    (method, path, value)
}
