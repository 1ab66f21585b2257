//! Who a registry is asked as: the dance for tokens (the distribution project's `docs/spec/auth`).

use std::collections::BTreeMap;

use serde_json::Value;

use super::cache::sha256;
use super::credentials::{Login, login};
use super::registry::{Asking, LARGEST_MANIFEST, Repository, said};
use crate::net::{Access, Authorization, Question};

const NO_LOGIN: &str = "it asks who asks (401), and there are no credentials for it";

impl Asking<'_> {
    /// Who asks: what was given, else what the machine's configuration knows.
    fn login(&self) -> Result<Option<Login>, String> {
        let Repository { host, path } = self.repository;
        match (&self.credentials.access.authorization, &self.credentials.docker) {
            (Some(Authorization::Basic(user, password)), _) => {
                Ok(Some(Login::Password(user.clone(), password.clone())))
            }
            (Some(Authorization::Bearer(token)), _) => Ok(Some(Login::Token(token.clone()))),
            // What is declared names no programs of this machine.
            (None, Some(docker)) => login(docker, host, path, &mut |_, _| Ok(None)),
            (None, None) => self.registries.login(self.configuration, self.repository),
        }
    }

    /// Tells who asks from others, without saying it.
    pub(super) fn who(&self) -> Result<String, String> {
        Ok(match self.login()? {
            None => String::new(),
            Some(Login::Password(user, password)) => sha256(format!("{user}\0{password}").as_bytes()),
            Some(Login::Identity(token) | Login::Token(token)) => sha256(token.as_bytes()),
        })
    }

    /// Answers what a registry asks for with 401.
    pub(super) fn answer(&self, challenges: &[String]) -> Result<Authorization, String> {
        let login = self.login()?;
        let bearer = challenges.iter().find_map(|challenge| parameters(challenge, "bearer"));
        if let Some(parameters) = bearer {
            return match login {
                Some(Login::Token(token)) => Ok(Authorization::Bearer(token)),
                login => self.token(&parameters, login),
            };
        }
        match login {
            Some(Login::Password(user, password)) => Ok(Authorization::Basic(user, password)),
            Some(Login::Token(token) | Login::Identity(token)) => Ok(Authorization::Bearer(token)),
            None => Err(NO_LOGIN.to_owned()),
        }
    }

    /// Asks for a token where the registry says, as whoever is known there, or as nobody.
    fn token(&self, parameters: &BTreeMap<String, String>, login: Option<Login>) -> Result<Authorization, String> {
        let realm = parameters.get("realm").map(String::as_str).unwrap_or_default();
        let is_safe = realm.starts_with("https://") || (self.credentials.insecure && realm.starts_with("http://"));
        if !is_safe {
            return Err("it sends for a token to an address that is not https".to_owned());
        }
        let scope = format!("repository:{}:pull", self.repository.path);
        let scope = parameters
            .get("scope")
            .filter(|scope| !scope.is_empty())
            .unwrap_or(&scope);
        let service = parameters.get("service").map(String::as_str).unwrap_or_default();
        let mut question = Question {
            address: realm.to_owned(),
            access: Access {
                authorization: None,
                ..self.credentials.access.clone()
            },
            limit: LARGEST_MANIFEST,
            ..Question::default()
        };
        let pairs = [("service", service), ("scope", scope)];
        match &login {
            Some(Login::Identity(token)) => {
                let more = [
                    ("grant_type", "refresh_token"),
                    ("client_id", "refloat"),
                    ("refresh_token", token),
                ];
                let all = pairs.into_iter().chain(more);
                question.form = Some(all.map(|(key, value)| (key.to_owned(), value.to_owned())).collect());
            }
            login => {
                if let Some(Login::Password(user, password)) = login {
                    question.access.authorization = Some(Authorization::Basic(user.clone(), password.clone()));
                }
                let mut address =
                    url::Url::parse(realm).map_err(|_| "it sends for a token to no address".to_owned())?;
                address
                    .query_pairs_mut()
                    .extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
                question.address = address.to_string();
            }
        }
        let reply = self.session.ask(question).map_err(|error| error.to_string())?;
        let reply = match reply.status {
            401 | 403 if login.is_none() => return Err(NO_LOGIN.to_owned()),
            _ => reply.success().map_err(|error| said(&error))?,
        };
        let answer: Value = serde_json::from_slice(&reply.body).map_err(|_| "its token is no JSON".to_owned())?;
        let token = answer["token"].as_str().or_else(|| answer["access_token"].as_str());
        let token = token.ok_or_else(|| "it gave no token".to_owned())?;
        Ok(Authorization::Bearer(token.to_owned()))
    }
}

/// The parameters of a challenge of a scheme: `Bearer realm="…",service="…"`.
fn parameters(challenge: &str, scheme: &str) -> Option<BTreeMap<String, String>> {
    let (own, rest) = challenge.trim().split_once(' ').unwrap_or((challenge.trim(), ""));
    if !own.eq_ignore_ascii_case(scheme) {
        return None;
    }
    let mut found = BTreeMap::new();
    let mut rest = rest.trim_start();
    while let Some((key, value)) = rest.split_once('=') {
        let (value, behind) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value
                .split_once(',')
                .map_or((value, ""), |(value, behind)| (value, behind)),
        };
        found.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        rest = behind.trim_start_matches([',', ' ']);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let found = parameters(
            r#"Bearer realm="https://auth.example.com/token?x=1",service="reg, istry",scope=pull"#,
            "bearer",
        );
        let found = found.expect("it is one of Bearer");
        assert_eq!(found["realm"], "https://auth.example.com/token?x=1");
        assert_eq!(
            (found["service"].as_str(), found["scope"].as_str()),
            ("reg, istry", "pull")
        );
        assert!(parameters("Basic realm=\"x\"", "bearer").is_none());
    }
}
