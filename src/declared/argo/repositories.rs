//! How Argo CD signs in where charts come from (`util/db/repository_secrets.go`).

use argo_cd::{is_below, same_repository};
use serde_json::Value;

use super::super::helm::Credentials;
use super::super::inputs::Texts;
use super::clusters::CLUSTER_LABEL;

/// What of a repository's Secret says that it has credentials (`Repository.HasCredentials`).
const CREDENTIALS: &[&str] = &[
    "username",
    "password",
    "bearerToken",
    "sshPrivateKey",
    "tlsClientCertData",
    "tlsClientCertKey",
    "githubAppPrivateKey",
    "gcpServiceAccountKey",
];

/// What Secrets say of an address that an Application of a project asks: that of the repository itself, one for the project before one for all;
/// where that has no credentials, those of the template with the longest address that this one begins with (`enrichCredsToRepo`).
///
/// # Errors
/// Says what of a Secret cannot be used.
pub(super) fn credentials(secrets: &[Value], url: &str, project: &str) -> Result<Credentials, String> {
    let url = without_scheme(url);
    let all = |kind: &'static str| {
        let is_it = move |secret: &&Value| secret["metadata"]["labels"][CLUSTER_LABEL.0] == kind;
        secrets.iter().filter(is_it).filter_map(|secret| Texts::of(secret).ok())
    };
    let text = |secret: &Texts, key: &str| {
        let text = secret.0.get(key).map(|text| String::from_utf8_lossy(text).into_owned());
        text.unwrap_or_default()
    };
    let address = |secret: &Texts| without_scheme(&text(secret, "url")).to_owned();
    let mut own: Vec<Texts> = all("repository")
        .filter(|secret| same_repository(&address(secret), url) && ["", project].contains(&&*text(secret, "project")))
        .collect();
    own.sort_by_key(|secret| text(secret, "project").is_empty());
    let has_credentials = |secret: &Texts| CREDENTIALS.iter().any(|key| !text(secret, key).is_empty());
    let mut credentials = Credentials::default();
    if let Some(own) = own.first() {
        credentials.add_secret(&own.0)?;
        if has_credentials(own) {
            return Ok(credentials);
        }
    }
    let templates = all("repo-creds").filter(|secret| is_below(url, &address(secret)));
    if let Some(template) = templates.max_by_key(|secret| address(secret).len()) {
        credentials.add_secret(&template.0)?;
    }
    Ok(credentials)
}

/// Argo CD writes registries without a scheme.
fn without_scheme(url: &str) -> &str {
    url.strip_prefix("oci://").unwrap_or(url).trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::net::Authorization;

    /// Source: `util/db/repository_secrets_test.go`, `TestSecretsRepositoryBackend_GetRepoCreds`, `TestGetProjectRepositories`;
    /// `util/db/repository_test.go`, `TestDb_GetRepository`.
    #[test]
    fn the_nearest_secret_counts() {
        let secret = |kind: &str, url: &str, user: &str, project: &str| {
            let mut data = json!({"url": url, "project": project});
            if !user.is_empty() {
                data["username"] = user.into();
                data["password"] = "canary".into();
            }
            json!({"kind": "Secret", "metadata": {"labels": {"argocd.argoproj.io/secret-type": kind}}, "stringData": data})
        };
        let secrets = [
            secret("repo-creds", "https://charts.example.com", "host", ""),
            secret("repo-creds", "https://charts.example.com/team", "team", ""),
            secret("repo-creds", "registry.example.com/team", "registry", ""),
            secret("repository", "https://charts.example.com/team/own/", "own", ""),
            secret("repository", "https://charts.example.com/team/own", "project", "shop"),
            secret("repository", "https://charts.example.com/team/bare", "", ""),
            secret("cluster", "https://cluster.example.com", "cluster", ""),
        ];
        let user = |url: &str, project: &str| {
            let found = credentials(&secrets, url, project).expect("because all are well formed");
            found.access.authorization.map(|authorization| match authorization {
                Authorization::Basic(user, _) => user,
                Authorization::Bearer(_) => panic!("it has a user"),
            })
        };
        for (url, project, expected) in [
            ("https://charts.example.com/other", "default", Some("host")),
            ("https://charts.example.com/team/x", "default", Some("team")),
            ("https://charts.example.com/team/own", "default", Some("own")),
            ("https://charts.example.com/team/own", "shop", Some("project")),
            ("https://charts.example.com/team/bare", "default", Some("team")),
            ("registry.example.com/team/web", "default", Some("registry")),
            ("oci://registry.example.com/team/web", "default", Some("registry")),
            ("https://charts.example.com.evil.example.net/x", "default", None),
            ("https://cluster.example.com", "default", None),
        ] {
            assert_eq!(user(url, project).as_deref(), expected, "{url} of {project}");
        }
    }
}
