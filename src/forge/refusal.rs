//! What it means when a forge says no.

use serde_json::Value;

use super::Kind;
use super::place::Place;
use super::token::Token;
use crate::error::{Failure, printable};
use crate::net::Reply;

/// Longest text of a forge that is repeated, in characters.
const LONGEST: usize = 400;

/// Whether it refuses because there is one already: GitHub 422 "A pull request already exists for …", GitLab 409 "Another open merge
/// request already exists for this source branch", Gitea 409 "pull request already exists for these targets".
pub(super) fn exists_already(kind: Kind, reply: &Reply) -> bool {
    let status = match kind {
        Kind::GitHub => reply.status == 422,
        Kind::GitLab | Kind::Gitea => reply.status == 409,
    };
    status && said(reply).is_some_and(|said| said.contains("already exists"))
}

/// A failure with what the forge says, what that means, and what to do.
pub(super) fn explain(failure: Failure, place: &Place, reply: &Reply, token: &Token) -> Failure {
    let own = said(reply).map(|text| token.hide(&text)).unwrap_or_default();
    let own = printable(&own).replace('\n', " ");
    let limited = is_limited(reply, &own);
    let (means, hint) = match reply.status {
        _ if limited => (
            "it has had too many requests",
            "wait as long as it says, and run it again".to_owned(),
        ),
        401 => (
            "it does not accept the token",
            "it may have expired, or be of another forge: give another, and run it again".to_owned(),
        ),
        403 => (
            "the token may not do this",
            format!("give the token what it needs: {}", scopes(place.kind)),
        ),
        404 => (
            "it has no such project or branch, or the token may not see it",
            format!(
                "check the remote's address (`git remote -v`), and what the token may: {}",
                scopes(place.kind)
            ),
        ),
        400 | 405 | 409 | 410 | 422 => (
            "it refuses the request",
            "open it by hand on its page to see what it wants".to_owned(),
        ),
        423 => (
            "the project is archived or locked",
            "unlock it, or push to another project".to_owned(),
        ),
        300..400 => (
            "the project is elsewhere now",
            "give the remote its new address (`git remote set-url`)".to_owned(),
        ),
        500.. => ("it has trouble of its own", "run it again later".to_owned()),
        _ => (
            "it answers as it should not",
            "check which forge it is and where its REST API is".to_owned(),
        ),
    };
    let mut cause = format!("{}: {means} ({})", place.host, reply.status);
    if !own.is_empty() {
        let cut: String = own.chars().take(LONGEST).collect();
        let more = if cut.len() < own.len() { "…" } else { "" };
        cause += &format!(": {cut}{more}");
    }
    failure.because(cause).hint(hint)
}

/// GitHub says so with 403 too (docs.github.com "Rate limits for the REST API").
fn is_limited(reply: &Reply, own: &str) -> bool {
    let spent = reply.header("x-ratelimit-remaining") == "0" || !reply.header("retry-after").is_empty();
    reply.status == 429 || (reply.status == 403 && (spent || own.to_lowercase().contains("rate limit")))
}

/// What a token needs.
fn scopes(kind: Kind) -> &'static str {
    match kind {
        Kind::GitHub => {
            "a classic one the scope repo, a fine-grained one \"Pull requests: write\" for this repository, that of a workflow `permissions: pull-requests: write`"
        }
        Kind::GitLab => "the scope api, and its user the role Developer or higher in this project",
        Kind::Gitea => {
            "the scopes write:repository and write:issue, and its user the right to write to this repository"
        }
    }
}

/// The forge's own words: `message` with `errors` (GitHub, Gitea), `message` as text, list or map of lists (GitLab), `error` with
/// `error_description` (OAuth).
fn said(reply: &Reply) -> Option<String> {
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    let mut words = Vec::new();
    collect(&body["message"], &mut words);
    match &body["errors"] {
        Value::Array(errors) => errors.iter().for_each(|error| detail(error, &mut words)),
        other => collect(other, &mut words),
    }
    for key in ["error", "error_description"] {
        collect(&body[key], &mut words);
    }
    words.dedup();
    (!words.is_empty()).then(|| words.join("; "))
}

/// One of GitHub's `errors`: a text, or a message, or what is wrong with which field.
fn detail(error: &Value, words: &mut Vec<String>) {
    let text = |key: &str| error[key].as_str();
    match (error.as_str().or(text("message")), text("field"), text("code")) {
        (Some(message), ..) => words.push(message.to_owned()),
        (None, Some(field), Some(code)) => words.push(format!("{field}: {code}")),
        _ => {}
    }
}

fn collect(value: &Value, words: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_empty() => words.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|one| collect(one, words)),
        Value::Object(map) => {
            for (field, value) in map {
                let mut inner = Vec::new();
                collect(value, &mut inner);
                words.extend(inner.into_iter().map(|text| format!("{field} {text}")));
            }
        }
        _ => {}
    }
}
