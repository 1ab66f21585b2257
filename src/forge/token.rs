//! What a forge is asked with.

use super::{Forge, Kind};
use crate::error::{Failure, Kind as FailureKind, printable};
use crate::net::Authorization;
use crate::source::{Tree, credential};

/// Names in the environment, in this order, as the forges' own tools read them (`gh help environment`, `glab` "Environment variables",
/// `tea`). `GH_TOKEN` and `GITHUB_TOKEN` are of github.com and its hosts with own data: other hosts do not get them unless they
/// were named.
const NAMES: [(Kind, Host, &[&str]); 4] = [
    (Kind::GitHub, Host::Own, &["GH_TOKEN", "GITHUB_TOKEN"]),
    (
        Kind::GitHub,
        Host::Other,
        &["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"],
    ),
    (Kind::GitLab, Host::Any, &["GITLAB_TOKEN", "GITLAB_ACCESS_TOKEN"]),
    (Kind::Gitea, Host::Any, &["GITEA_TOKEN", "FORGEJO_TOKEN"]),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Host {
    /// github.com, or one that is named.
    Own,
    Other,
    Any,
}

/// A token, or a user's password. `Debug` shows neither.
#[derive(Clone)]
pub struct Token {
    user: Option<String>,
    secret: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// A token as it is given.
    pub fn new(secret: impl Into<String>) -> Self {
        Self {
            user: None,
            secret: secret.into(),
        }
    }

    /// All three take tokens as `Bearer`; what Git's helpers have for a Gitea can be a password.
    pub(super) fn authorization(&self) -> Authorization {
        match &self.user {
            Some(user) => Authorization::Basic(user.clone(), self.secret.clone()),
            None => Authorization::Bearer(self.secret.clone()),
        }
    }

    /// A text in which it does not occur.
    pub(super) fn hide(&self, text: &str) -> String {
        match self.secret.is_empty() {
            true => text.to_owned(),
            false => text.replace(&self.secret, "***"),
        }
    }
}

impl Forge {
    /// The token for this forge: from the environment (`GH_TOKEN`, `GITHUB_TOKEN`; `GITLAB_TOKEN`; `GITEA_TOKEN`, `FORGEJO_TOKEN`), else
    /// what Git's credential helpers have for `remote`.
    ///
    /// # Errors
    /// There is none.
    pub fn token(&self, tree: &Tree, remote: &str) -> Result<Token, Failure> {
        let names = self.names();
        if let Some(secret) = choose(&names, |name| std::env::var(name).ok()) {
            return Ok(Token::new(secret));
        }
        // For the address of an ssh remote there is no password: that of its web host is asked for.
        let address = match remote.starts_with("http://") || remote.starts_with("https://") {
            true => remote.to_owned(),
            false => format!("https://{}/{}", self.place.host, self.place.project),
        };
        if let Some(found) = credential(tree, &address) {
            let user = Some(found.user).filter(|user| self.place.kind == Kind::Gitea && !user.is_empty());
            return Ok(Token {
                user,
                secret: found.password,
            });
        }
        let failure = Failure::new(
            FailureKind::Input,
            format!("no {} can be opened on {}", self.place.kind.request(), self.shown()),
        );
        Err(failure
            .because(format!("there is no token for {}", printable(&self.place.host)))
            .hint(format!(
                "set {}, or have a credential helper of Git know one",
                names.join(" or ")
            )))
    }

    fn names(&self) -> Vec<&'static str> {
        let place = &self.place;
        let own = place.told || place.host == "github.com" || place.host.ends_with(".ghe.com");
        let rows = NAMES.iter().filter(|(kind, host, _)| {
            *kind == place.kind && (*host != Host::Own || own) && (*host != Host::Other || place.host != "github.com")
        });
        // The narrower names go first.
        let mut names: Vec<&str> = rows
            .clone()
            .filter(|(_, host, _)| *host == Host::Other)
            .flat_map(|row| row.2.iter().copied())
            .collect();
        names.extend(
            rows.filter(|(_, host, _)| *host != Host::Other)
                .flat_map(|row| row.2.iter().copied()),
        );
        names
    }
}

fn choose(names: &[&str], environment: impl Fn(&str) -> Option<String>) -> Option<String> {
    let set = names.iter().filter_map(|name| environment(name));
    set.map(|value| value.trim().to_owned()).find(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::place::Place;
    use super::*;
    use crate::net::Session;

    fn names(kind: Kind, host: &str, told: bool) -> Vec<&'static str> {
        let place = Place {
            kind,
            host: host.to_owned(),
            project: "a/b".to_owned(),
            api: String::new(),
            told,
        };
        Forge {
            place,
            session: Session::default(),
        }
        .names()
    }

    #[test]
    fn tokens_go_to_their_own_forge() {
        assert_eq!(names(Kind::GitHub, "github.com", false), ["GH_TOKEN", "GITHUB_TOKEN"]);
        let enterprise = ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];
        assert_eq!(names(Kind::GitHub, "git.example.com", false), enterprise);
        let told = names(Kind::GitHub, "git.example.com", true);
        assert_eq!(
            (&told[..2], &told[2..]),
            (&enterprise[..], &["GH_TOKEN", "GITHUB_TOKEN"][..])
        );
        assert_eq!(
            names(Kind::GitLab, "gitlab.com", false),
            ["GITLAB_TOKEN", "GITLAB_ACCESS_TOKEN"]
        );
        assert_eq!(
            names(Kind::Gitea, "codeberg.org", false),
            ["GITEA_TOKEN", "FORGEJO_TOKEN"]
        );
    }

    #[test]
    fn the_first_that_is_set_is_taken() {
        let environment = |name: &str| match name {
            "GH_TOKEN" => Some(" ".to_owned()),
            "GITHUB_TOKEN" => Some("canary\n".to_owned()),
            _ => None,
        };
        assert_eq!(
            choose(&["GH_TOKEN", "GITHUB_TOKEN"], environment).as_deref(),
            Some("canary")
        );
        assert_eq!(choose(&["X"], environment), None);
        let token = Token::new("canary");
        assert_eq!(
            (format!("{token:?}"), token.hide("no canary here")),
            ("Token".to_owned(), "no *** here".to_owned())
        );
    }
}
