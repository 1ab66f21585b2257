//! Who asks repositories and registries: given as values, or found where Helm and Docker keep it.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::values::Data;
use crate::net::{Access, Authorization};
use crate::process::{BASIC_ENVIRONMENT, Tool};

/// How a repository or registry is spoken to, as a declared Secret and its source say it. `Debug` shows no secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// User, password, token, certificates.
    pub access: Access,
    /// A Docker configuration (`.dockerconfigjson`), for registries.
    pub docker: Option<Value>,
    /// Plain HTTP, for registries.
    pub insecure: bool,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access", &self.access)
            .field("docker", &self.docker.is_some())
            .field("insecure", &self.insecure)
            .finish()
    }
}

impl Credentials {
    /// What the Secret of a `secretRef` or `certSecretRef` says, added to what is known: user and password, a token, a client certificate
    /// and authorities under the names of both kinds of Secret, a Docker configuration (fluxcd/pkg `runtime/secrets`).
    ///
    /// # Errors
    /// Says what of it cannot be used, without quoting it.
    pub fn add_secret(&mut self, data: &Data) -> Result<(), String> {
        let text = |key: &str| match data.get(key) {
            None => Ok(None),
            Some(bytes) => match String::from_utf8(bytes.clone()) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(format!("{key} of the Secret is no text")),
            },
        };
        let either = |new: &str, old: &str| text(new).and_then(|found| Ok(found.or(text(old)?)));
        match (text("username")?, text("password")?) {
            (Some(user), Some(password)) => self.access.authorization = Some(Authorization::Basic(user, password)),
            (Some(_), None) => return Err("the Secret has a username and no password".to_owned()),
            (None, Some(_)) => return Err("the Secret has a password and no username".to_owned()),
            (None, None) => {}
        }
        if let Some(token) = text("bearerToken")? {
            self.access.authorization = Some(Authorization::Bearer(token));
        }
        if let Some(authorities) = either("ca.crt", "caFile")? {
            self.access.authorities = Some(authorities);
        }
        match (either("tls.crt", "certFile")?, either("tls.key", "keyFile")?) {
            (Some(certificate), Some(key)) => self.access.identity = Some(format!("{certificate}\n{key}")),
            (None, None) => {}
            _ => return Err("the Secret has only one of client certificate and key".to_owned()),
        }
        if let Some(docker) = text(".dockerconfigjson")? {
            let docker = serde_json::from_str(&docker).map_err(|_| "its .dockerconfigjson is no JSON".to_owned())?;
            self.docker = Some(docker);
        }
        Ok(())
    }
}

/// A repository in Helm's `repositories.yaml`.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: String,
    access: Result<Access, String>,
}

/// A registry's credentials.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    /// User and password.
    Password(String, String),
    /// A token that others are asked for with (`identitytoken`).
    Identity(String),
    /// A token that is sent as it is (`registrytoken`).
    Token(String),
}

/// What the machine's own configuration of Helm and Docker says.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    repositories: Option<PathBuf>,
    /// Those of registries, the first that knows one wins.
    registries: Vec<PathBuf>,
}

impl Configuration {
    /// Where it is, by the environment: Helm's own files (`helm env`), then Docker's and Podman's.
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = path("HOME");
        let below_home = |inner: &str| home.as_ref().map(|home| home.join(inner));
        let config = path("XDG_CONFIG_HOME").or_else(|| below_home(".config"));
        let helm = path("HELM_CONFIG_HOME").or_else(|| config.map(|config| config.join("helm")));
        let of_helm = |inner: &str| helm.as_ref().map(|helm| helm.join(inner));
        let docker = path("DOCKER_CONFIG").or_else(|| below_home(".docker"));
        let registries = [
            path("HELM_REGISTRY_CONFIG").or_else(|| of_helm("registry/config.json")),
            path("REGISTRY_AUTH_FILE"),
            docker.map(|docker| docker.join("config.json")),
        ];
        Self {
            repositories: path("HELM_REPOSITORY_CONFIG").or_else(|| of_helm("repositories.yaml")),
            registries: registries.into_iter().flatten().collect(),
        }
    }

    fn all(&self) -> Vec<Repository> {
        let text = self.repositories.as_ref().and_then(|file| std::fs::read(file).ok());
        let value = text
            .and_then(|text| kube_yaml::parse_one(&text).value.ok())
            .unwrap_or_default();
        let entries = value["repositories"].as_array().into_iter().flatten();
        entries.map(repository).collect()
    }

    /// The repository of a name, as `@name` and `alias:name` mean it.
    pub(super) fn named(&self, name: &str) -> Option<Repository> {
        self.all().into_iter().find(|repository| repository.name == name)
    }

    /// How the repository of an address is spoken to, where it is known; with a repository's name.
    ///
    /// # Errors
    /// Says which file that `repositories.yaml` names cannot be read.
    pub(super) fn repository(&self, url: &str) -> Result<Option<(String, Access)>, String> {
        let plain = |url: &str| url.trim_end_matches('/').to_ascii_lowercase();
        let found = self
            .all()
            .into_iter()
            .find(|repository| plain(&repository.url) == plain(url));
        found.map(|found| Ok((found.name, found.access?))).transpose()
    }

    /// The credentials for a repository in a registry.
    ///
    /// # Errors
    /// Says which program for credentials failed.
    pub(super) fn login(&self, host: &str, repository: &str) -> Result<Option<Login>, String> {
        for file in &self.registries {
            let Some(config) = std::fs::read(file)
                .ok()
                .and_then(|text| serde_json::from_slice(&text).ok())
            else {
                continue;
            };
            if let Some(login) = login(&config, host, repository, &mut from_helper)? {
                return Ok(Some(login));
            }
        }
        Ok(None)
    }
}

fn repository(entry: &Value) -> Repository {
    let text = |key: &str| entry[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let file = |key: &str| match text(key) {
        None => Ok(None),
        Some(path) => match std::fs::read_to_string(Path::new(&path)) {
            Ok(content) => Ok(Some(content)),
            Err(cause) => Err(format!(
                "{path}, which Helm's repositories.yaml names, could not be read: {cause}"
            )),
        },
    };
    let access = || {
        let identity = match (file("certFile")?, file("keyFile")?) {
            (Some(certificate), Some(key)) => Some(format!("{certificate}\n{key}")),
            _ => None,
        };
        Ok(Access {
            authorization: text("username")
                .zip(text("password"))
                .map(|(user, password)| Authorization::Basic(user, password)),
            everywhere: entry["pass_credentials_all"] == true,
            authorities: file("caFile")?,
            identity,
            unchecked: entry["insecure_skip_tls_verify"] == true,
        })
    };
    Repository {
        name: text("name").unwrap_or_default(),
        url: text("url").unwrap_or_default(),
        access: access(),
    }
}

/// Asks a program of a name for the credentials of a server.
pub(super) type Helper<'h> = &'h mut dyn FnMut(&str, &str) -> Result<Option<Login>, String>;

/// Docker's own registry goes by another name in its configuration.
const DOCKER_HUB: &[&str] = &["docker.io", "registry-1.docker.io", "index.docker.io"];

/// The credentials that a Docker configuration has for a repository: of the longest name that fits, of the helper for the host, of the
/// store.
pub(super) fn login(config: &Value, host: &str, repository: &str, helper: Helper<'_>) -> Result<Option<Login>, String> {
    let hosts: Vec<&str> = match DOCKER_HUB.contains(&host) {
        true => DOCKER_HUB.to_vec(),
        false => vec![host],
    };
    let full: Vec<String> = hosts.iter().map(|host| format!("{host}/{repository}")).collect();
    let plain = |key: &str| {
        let key = key
            .strip_prefix("https://")
            .or_else(|| key.strip_prefix("http://"))
            .unwrap_or(key);
        let key = key.trim_end_matches('/');
        key.strip_suffix("/v1")
            .or_else(|| key.strip_suffix("/v2"))
            .unwrap_or(key)
            .to_owned()
    };
    let fits = |key: &str| {
        let key = plain(key);
        let is_above = |full: &String| {
            full.strip_prefix(&key)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        full.iter().any(is_above).then_some(key.len())
    };
    let auths = config["auths"].as_object().into_iter().flatten();
    let best = auths
        .filter_map(|(key, auth)| Some((fits(key)?, auth)))
        .max_by_key(|(length, _)| *length);
    if let Some(login) = best.and_then(|(_, auth)| written(auth)) {
        return Ok(Some(login));
    }
    let server = if DOCKER_HUB.contains(&host) {
        "https://index.docker.io/v1/"
    } else {
        host
    };
    let helpers = config["credHelpers"].as_object().into_iter().flatten();
    let own = helpers
        .filter(|(key, _)| fits(key).is_some())
        .filter_map(|(_, name)| name.as_str())
        .next();
    match own
        .or_else(|| config["credsStore"].as_str())
        .filter(|name| !name.is_empty())
    {
        Some(name) => helper(name, server),
        None => Ok(None),
    }
}

/// What stands in an entry of `auths`.
fn written(auth: &Value) -> Option<Login> {
    let text = |key: &str| auth[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    if let Some(token) = text("identitytoken") {
        return Some(Login::Identity(token));
    }
    if let Some(token) = text("registrytoken") {
        return Some(Login::Token(token));
    }
    if let (Some(user), Some(password)) = (text("username"), text("password")) {
        return Some(Login::Password(user, password));
    }
    let both = String::from_utf8(BASE64_STANDARD.decode(text("auth")?).ok()?).ok()?;
    let (user, password) = both.split_once(':')?;
    Some(Login::Password(
        user.to_owned(),
        password.trim_end_matches('\0').to_owned(),
    ))
}

/// Asks `docker-credential-NAME`, as Docker does. One that knows nothing says so and fails.
fn from_helper(name: &str, server: &str) -> Result<Option<Login>, String> {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !is_plain {
        return Err("a Docker configuration names a program for credentials that cannot be one".to_owned());
    }
    let program = format!("docker-credential-{name}");
    let tool = Tool::new(&program).arg("get").input(server).inherit(BASIC_ENVIRONMENT);
    let tool = tool.inherit([
        "DOCKER_CONFIG",
        "AWS_PROFILE",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "DISPLAY",
        "DBUS_SESSION_BUS_ADDRESS",
    ]);
    let failed = |what: &str| format!("no credentials for {server} came from {program}: {what}");
    let output = tool
        .timeout(LONGEST_HELPER)
        .run()
        .map_err(|error| failed(&error.to_string()))?;
    if output.code != Some(0) {
        // It says so on stdout, in words that all of them share.
        let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
        return match said.contains("credentials not found") {
            true => Ok(None),
            false => Err(failed("it failed")),
        };
    }
    let answer: Value = serde_json::from_slice(&output.stdout).map_err(|_| failed("its answer is no JSON"))?;
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    Ok(Some(match text("Username").as_str() {
        "<token>" => Login::Identity(text("Secret")),
        user => Login::Password(user.to_owned(), text("Secret")),
    }))
}

/// Longest that a program for credentials may take: some ask a person.
const LONGEST_HELPER: std::time::Duration = std::time::Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn password(user: &str) -> Login {
        Login::Password(user.to_owned(), "canary".to_owned())
    }

    fn auth(user: &str) -> Value {
        json!({"auth": BASE64_STANDARD.encode(format!("{user}:canary"))})
    }

    #[test]
    fn the_longest_name_wins_then_helper_then_store() {
        let config = json!({
            "auths": {"quay.io": auth("host"), "quay.io/team": auth("team"), "https://index.docker.io/v1/": auth("hub"), "empty.io": {}},
            "credHelpers": {"gcr.io": "gcloud"},
            "credsStore": "desktop",
        });
        let mut asked = Vec::new();
        let mut find = |host: &str, repository: &str| {
            let mut helper = |name: &str, server: &str| {
                asked.push(format!("{name} {server}"));
                Ok(None)
            };
            login(&config, host, repository, &mut helper).expect("no helper fails")
        };
        assert!(find("quay.io", "team/web") == Some(password("team")));
        assert!(find("quay.io", "teams/web") == Some(password("host")));
        assert!(find("registry-1.docker.io", "library/web") == Some(password("hub")));
        assert!(
            find("gcr.io", "web").is_none() && find("empty.io", "web").is_none() && find("notquay.io", "web").is_none()
        );
        assert_eq!(asked, ["gcloud gcr.io", "desktop empty.io", "desktop notquay.io"]);
    }

    #[test]
    fn tokens_are_told_apart() {
        assert!(written(&json!({"identitytoken": "t", "auth": "x"})) == Some(Login::Identity("t".to_owned())));
        assert!(written(&json!({"registrytoken": "t"})) == Some(Login::Token("t".to_owned())));
        assert!(written(&json!({"username": "u", "password": "canary"})) == Some(password("u")));
        assert!(written(&json!({"auth": "no base64!"})).is_none());
    }

    #[test]
    fn a_helper_is_asked_as_docker_asks() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let docker = folder.path().join("config.json");
        std::fs::write(&docker, r#"{"credsStore": "../evil"}"#).expect("the folder is ours");
        let config = Configuration {
            repositories: None,
            registries: vec![docker],
        };
        let error = config.login("ghcr.io", "web").err().expect("it is refused");
        assert_eq!(
            error,
            "a Docker configuration names a program for credentials that cannot be one"
        );
        let error = from_helper("no-such-helper", "ghcr.io")
            .err()
            .expect("it is not installed");
        assert_eq!(
            error,
            "no credentials for ghcr.io came from docker-credential-no-such-helper: docker-credential-no-such-helper was not found"
        );
    }

    #[test]
    fn files_are_found_as_helm_finds_them() {
        let with = |set: &[(&str, &str)]| {
            let set: Vec<(String, OsString)> = set
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.into()))
                .collect();
            let config = Configuration::from_environment(|name| {
                set.iter()
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| value.clone())
            });
            let all = config.repositories.into_iter().chain(config.registries);
            all.map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            with(&[("HOME", "/h")]),
            [
                "/h/.config/helm/repositories.yaml",
                "/h/.config/helm/registry/config.json",
                "/h/.docker/config.json"
            ]
        );
        assert_eq!(
            with(&[
                ("HOME", "/h"),
                ("HELM_CONFIG_HOME", "/c"),
                ("DOCKER_CONFIG", "/d"),
                ("REGISTRY_AUTH_FILE", "/a.json")
            ]),
            [
                "/c/repositories.yaml",
                "/c/registry/config.json",
                "/a.json",
                "/d/config.json"
            ]
        );
        assert!(with(&[]).is_empty());
    }

    #[test]
    fn repositories_are_known_by_address_and_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("repositories.yaml");
        let authorities = folder.path().join("ca.pem");
        std::fs::write(&authorities, "PEM").expect("the folder is ours");
        let text = format!(
            "repositories:\n- {{name: own, url: 'https://charts.example.com/x/', username: me, password: canary, caFile: {}, pass_credentials_all: true}}\n- {{name: lost, url: 'https://lost.example.com', caFile: /nowhere/ca.pem}}\n",
            authorities.display()
        );
        std::fs::write(&file, text).expect("the folder is ours");
        let config = Configuration {
            repositories: Some(file),
            registries: Vec::new(),
        };
        let (name, access) = config
            .repository("https://charts.example.com/x")
            .expect("it is right")
            .expect("it is known");
        assert_eq!(
            (name.as_str(), access.authorities.as_deref(), access.everywhere),
            ("own", Some("PEM"), true)
        );
        assert!(!format!("{access:?}").contains("canary"));
        assert!(
            config
                .repository("https://charts.example.com")
                .expect("it is right")
                .is_none()
        );
        assert_eq!(
            config.named("own").expect("it is known").url,
            "https://charts.example.com/x/"
        );
        let error = config
            .repository("https://lost.example.com")
            .expect_err("a file is missing");
        assert!(
            error.starts_with("/nowhere/ca.pem, which Helm's repositories.yaml names, could not be read"),
            "{error}"
        );
    }

    #[test]
    fn a_secret_says_who_asks() {
        let data = |entries: &[(&str, &str)]| -> Data {
            entries
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
                .collect()
        };
        let mut credentials = Credentials::default();
        let secret = data(&[
            ("username", "me"),
            ("password", "canary"),
            ("ca.crt", "CA"),
            ("certFile", "C"),
            ("keyFile", "K"),
        ]);
        credentials.add_secret(&secret).expect("it is complete");
        let expected = Authorization::Basic("me".to_owned(), "canary".to_owned());
        assert!(credentials.access.authorization == Some(expected));
        assert_eq!(credentials.access.identity.as_deref(), Some("C\nK"));
        assert!(!format!("{credentials:?}").contains("canary"));
        for (secret, error) in [
            (data(&[("username", "me")]), "the Secret has a username and no password"),
            (
                data(&[("tls.key", "K")]),
                "the Secret has only one of client certificate and key",
            ),
            (
                data(&[(".dockerconfigjson", "CANARY")]),
                "its .dockerconfigjson is no JSON",
            ),
        ] {
            assert_eq!(Credentials::default().add_secret(&secret), Err(error.to_owned()));
        }
    }
}
