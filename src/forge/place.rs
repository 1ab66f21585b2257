//! Which forge a remote's address is of, and which project there.

use url::Url;

use super::Kind;
use crate::error::{Failure, Kind as FailureKind, printable};
use crate::net::{NetError, Reply};
use crate::source::without_credentials;

/// Hosts that are known, each with what it runs.
const KNOWN: [(&str, Kind); 4] = [
    ("github.com", Kind::GitHub),
    ("gitlab.com", Kind::GitLab),
    ("codeberg.org", Kind::Gitea),
    ("gitea.com", Kind::Gitea),
];

/// Hosts that take ssh on port 443 for others (docs.github.com "Using SSH over the HTTPS port", docs.gitlab.com "Alternative SSH port").
const SSH_HOSTS: [(&str, &str); 2] = [("ssh.github.com", "github.com"), ("altssh.gitlab.com", "gitlab.com")];

/// A project on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub kind: Kind,
    /// Host, and port where it is not the usual one.
    pub host: String,
    /// `owner/name`, or `group/subgroup/name`.
    pub project: String,
    /// Where the REST API begins, without a slash at the end.
    pub api: String,
    /// Somebody said which forge it is.
    pub told: bool,
}

impl Place {
    /// `ask` gets an address without any credentials.
    pub(super) fn of(
        remote: &str,
        kind: Option<Kind>,
        api: Option<&str>,
        ask: impl Fn(String) -> Result<Reply, NetError>,
    ) -> Result<Self, Failure> {
        let shown = printable(&without_credentials(remote));
        let failed = |cause: &str| {
            Failure::new(FailureKind::Input, format!("no pull request can be opened for {shown}")).because(cause)
        };
        let Some((scheme, host, path)) = parts(remote) else {
            return Err(failed("it is no address of a server")
                .hint("pull requests are opened on the server that the branch is pushed to"));
        };
        let api = api.map(|api| api.trim_end_matches('/').to_owned());
        if let Some(api) = &api
            && !Url::parse(api).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        {
            return Err(failed(&format!(
                "{} is no address of a REST API",
                printable(&without_credentials(api))
            )));
        }
        let root = format!("{scheme}://{host}");
        let found = match kind.or_else(|| known(&host)) {
            None if api.is_none() => probe(&root, &ask).map_err(|cause| {
                failed(&format!("which forge it is could not be asked: {cause}"))
                    .hint("say which it is with --forge, or check the network and the proxy")
            })?,
            found => found,
        };
        let Some(found) = found else {
            return Err(failed(&format!(
                "{host} does not answer as GitHub, GitLab, Gitea or Forgejo do"
            ))
            .hint(
                "say which it is with --forge; on other forges, open the request by hand for the branch that is pushed",
            ));
        };
        let api = api.unwrap_or_else(|| usual_api(found, &scheme, &host));
        let project = project(found, &path, &api).ok_or_else(|| {
            failed(&format!("the address names no project of {}", found.name()))
                .hint("the remote's address ends in OWNER/NAME (`git remote -v`)")
        })?;
        Ok(Self {
            kind: found,
            host,
            project,
            api,
            told: kind.is_some(),
        })
    }
}

/// Scheme for the web, host with its port, and path of a remote's address. The port of ssh is not that of the web.
fn parts(remote: &str) -> Option<(String, String, String)> {
    if !remote.contains("://") {
        let (host, path) = remote.split_once(':')?;
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        let is_host = !host.is_empty() && !host.contains('/');
        return is_host.then(|| ("https".to_owned(), web_host(host), path.to_owned()));
    }
    let url = Url::parse(remote).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty())?;
    match (url.scheme(), url.port()) {
        (scheme @ ("http" | "https"), Some(port)) => {
            Some((scheme.to_owned(), format!("{host}:{port}"), url.path().to_owned()))
        }
        (scheme @ ("http" | "https"), None) => Some((scheme.to_owned(), web_host(host), url.path().to_owned())),
        ("ssh" | "git+ssh" | "git", _) => Some(("https".to_owned(), web_host(host), url.path().to_owned())),
        _ => None,
    }
}

fn web_host(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    let web = SSH_HOSTS.iter().find(|(ssh, _)| *ssh == host);
    web.map_or(host, |(_, web)| (*web).to_owned())
}

fn known(host: &str) -> Option<Kind> {
    let row = KNOWN.iter().find(|(name, _)| *name == host).map(|(_, kind)| *kind);
    row.or_else(|| host.ends_with(".ghe.com").then_some(Kind::GitHub))
}

/// docs.github.com "REST API endpoints for Enterprise", docs.gitlab.com "REST API", docs.gitea.com "API Usage".
fn usual_api(kind: Kind, scheme: &str, host: &str) -> String {
    match kind {
        Kind::GitHub if host == "github.com" => "https://api.github.com".to_owned(),
        Kind::GitHub if host.ends_with(".ghe.com") => format!("https://api.{host}"),
        Kind::GitHub => format!("{scheme}://{host}/api/v3"),
        Kind::GitLab => format!("{scheme}://{host}/api/v4"),
        Kind::Gitea => format!("{scheme}://{host}/api/v1"),
    }
}

/// What a server is, by how it answers where each forge tells its version.
fn probe(root: &str, ask: &impl Fn(String) -> Result<Reply, NetError>) -> Result<Option<Kind>, NetError> {
    let get = |path: &str| -> Result<(Reply, serde_json::Value), NetError> {
        let reply = ask(format!("{root}{path}"))?;
        let body = serde_json::from_slice(&reply.body).unwrap_or_default();
        Ok((reply, body))
    };
    // Both say their version to anybody; a GitLab only to those who sign in.
    let (reply, body) = get("/api/v1/version")?;
    if reply.status == 200 && body["version"].is_string() {
        return Ok(Some(Kind::Gitea));
    }
    let (reply, body) = get("/api/v4/version")?;
    if (reply.status == 200 && body["version"].is_string())
        || (reply.status == 401 && body["message"] == "401 Unauthorized")
    {
        return Ok(Some(Kind::GitLab));
    }
    let (reply, _) = get("/api/v3/meta")?;
    let names = ["x-github-enterprise-version", "x-github-request-id"];
    let is_github = names.iter().any(|name| !reply.header(name).is_empty());
    Ok(is_github.then_some(Kind::GitHub))
}

/// The project in a path; a forge below a folder of its host has that folder before its API too.
fn project(kind: Kind, path: &str, api: &str) -> Option<String> {
    let folder = Url::parse(api)
        .ok()
        .and_then(|url| url.path().split_once("/api/").map(|(folder, _)| folder.to_owned()));
    let path = folder
        .and_then(|folder| path.strip_prefix(&folder).map(str::to_owned))
        .unwrap_or_else(|| path.to_owned());
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let parts: Vec<&str> = path.split('/').collect();
    let named = parts
        .iter()
        .all(|part| !part.is_empty() && *part != "." && *part != ".." && !part.starts_with('~'));
    let enough = match kind {
        Kind::GitLab => parts.len() >= 2,
        Kind::GitHub | Kind::Gitea => parts.len() == 2,
    };
    (named && enough).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(remote: &str, kind: Option<Kind>, api: Option<&str>) -> Result<Place, Failure> {
        Place::of(remote, kind, api, |address| panic!("{address} is asked"))
    }

    #[test]
    fn addresses_name_their_project() {
        for (remote, kind, project, api) in [
            (
                "https://github.com/org/repo.git",
                Kind::GitHub,
                "org/repo",
                "https://api.github.com",
            ),
            (
                "git@github.com:org/repo.git",
                Kind::GitHub,
                "org/repo",
                "https://api.github.com",
            ),
            (
                "ssh://git@ssh.github.com:443/org/repo.git",
                Kind::GitHub,
                "org/repo",
                "https://api.github.com",
            ),
            (
                "https://token:x@GitHub.com/org/repo",
                Kind::GitHub,
                "org/repo",
                "https://api.github.com",
            ),
            (
                "https://octo.ghe.com/org/repo",
                Kind::GitHub,
                "org/repo",
                "https://api.octo.ghe.com",
            ),
            (
                "git@gitlab.com:group/sub/deep/repo.git",
                Kind::GitLab,
                "group/sub/deep/repo",
                "https://gitlab.com/api/v4",
            ),
            (
                "https://codeberg.org/org/repo.git/",
                Kind::Gitea,
                "org/repo",
                "https://codeberg.org/api/v1",
            ),
        ] {
            let place = place(remote, None, None).expect(remote);
            assert_eq!(
                (place.kind, place.project.as_str(), place.api.as_str()),
                (kind, project, api),
                "{remote}"
            );
        }
        let enterprise =
            place("ssh://git@git.example.com:2222/org/repo", Some(Kind::GitHub), None).expect("because it is told");
        assert_eq!(
            (enterprise.host.as_str(), enterprise.api.as_str()),
            ("git.example.com", "https://git.example.com/api/v3")
        );
        let below = place(
            "https://example.com/git/org/repo",
            Some(Kind::Gitea),
            Some("https://example.com/git/api/v1/"),
        );
        assert_eq!(below.expect("because it is told").project, "org/repo");
        for (host, kind) in KNOWN {
            assert_eq!(
                place(&format!("https://{host}/a/b"), None, None).expect(host).kind,
                kind
            );
        }
    }

    #[test]
    fn what_names_no_project_is_told() {
        for remote in ["/srv/git/repo.git", "file:///srv/repo.git", "../repo"] {
            let said = place(remote, Some(Kind::GitHub), None).expect_err(remote).to_string();
            assert!(said.contains("\n  because: it is no address of a server\n"), "{said}");
        }
        for remote in [
            "https://github.com/repo",
            "https://github.com/a/b/c",
            "https://gitlab.com/repo",
            "https://github.com/a/..",
            "git@github.com:~me/x",
        ] {
            let said = place(&remote.replace("https://", "https://me:canary@"), None, None)
                .expect_err(remote)
                .to_string();
            assert!(
                said.contains("\n  because: the address names no project of ") && !said.contains("canary"),
                "{said}"
            );
        }
        let nobody = |address: String| {
            let reason = "connection refused".to_owned();
            Err(NetError::Connection { address, reason })
        };
        let said =
            Place::of("https://me:canary@example.com/a/b", None, None, nobody).expect_err("because nobody answers");
        assert_eq!(
            said.to_string(),
            "Error: no pull request can be opened for https://example.com/a/b\n  because: which forge it is could not be asked: https://example.com/api/v1/version: connection refused\n  hint: say which it is with --forge, or check the network and the proxy"
        );
        assert!(place("https://github.com/a/b", None, Some("github.com")).is_err());
    }
}
