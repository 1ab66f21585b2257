//! Addresses of remote bases, as kustomize takes them apart.

/// A Git repository that an address names, and the folder in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// What Git clones.
    pub clone: String,
    /// Path in the repository.
    pub path: String,
    /// Branch, tag or commit; empty where none is said.
    pub reference: String,
}

/// Whether kustomize reads an address over HTTP.
pub(crate) fn is_web(path: &str) -> bool {
    let scheme = path.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
}

impl Repository {
    /// The repository that an address names, if it names one (kustomize's `NewRepoSpecFromURL`).
    pub fn parse(address: &str) -> Option<Repository> {
        if address.starts_with('/') {
            return None;
        }
        let (address, query) = address.split_once('?').unwrap_or((address, ""));
        let (host, rest) = host(address)?;
        let (repository, path) = split_path(rest, host.starts_with("file://"))?;
        let path = path.trim_start_matches('/');
        if repository.is_empty() || crate::files::join("", path).is_none() {
            return None;
        }
        Some(Repository {
            clone: format!("{host}{repository}"),
            path: path.to_owned(),
            reference: reference(query),
        })
    }
}

/// Host with scheme and user, and what follows.
fn host(address: &str) -> Option<(String, &str)> {
    let address = without_prefix(address, "git::").unwrap_or(address);
    let scheme = ["ssh://", "https://", "http://", "file://"]
        .into_iter()
        .find(|it| without_prefix(address, it).is_some());
    let rest = scheme
        .and_then(|scheme| without_prefix(address, scheme))
        .unwrap_or(address);
    let (user, rest) = user(rest);
    let github = ["github.com/", "github.com:"]
        .into_iter()
        .any(|it| without_prefix(rest, it).is_some());
    let scp = scheme.is_none() && (!user.is_empty() || github);
    if scheme.is_none() && !scp {
        return None;
    }
    if scheme == Some("file://") {
        return Some(("file://".to_owned(), &address["file://".len()..]));
    }
    let slash = rest.find('/');
    let colon = rest
        .find(':')
        .filter(|colon| scp && *colon > 0 && slash.is_none_or(|slash| *colon < slash));
    let end = colon.or(slash)?;
    let (host, rest) = (&rest[..=end], &rest[end + 1..]);
    Some(match github {
        true if scheme == Some("ssh://") || !user.is_empty() => (format!("{user}github.com:"), rest),
        true => ("https://github.com/".to_owned(), rest),
        false => (format!("{}{user}{host}", scheme.unwrap_or_default()), rest),
    })
}

/// `git@` and the like.
fn user(address: &str) -> (&str, &str) {
    let good = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    match address.split_once('@') {
        Some((name, rest)) if good(name) => (&address[..=name.len()], rest),
        _ => ("", address),
    }
}

/// Path of the repository, and path in it.
fn split_path(path: &str, all: bool) -> Option<(&str, &str)> {
    if let Some(at) = path.find("_git/") {
        let rest = &path[at + "_git/".len()..];
        let name = rest.find('/').unwrap_or(rest.len());
        return Some((
            &path[..at + "_git/".len() + name],
            rest.get(name + 1..).unwrap_or_default(),
        ));
    }
    if let Some((repository, path)) = path.split_once("//") {
        return Some((repository, path));
    }
    if let Some(at) = path.find(".git") {
        return Some(path.split_at(at + ".git".len()));
    }
    if all {
        return Some((path, ""));
    }
    // owner/name
    let owner = path.find('/')?;
    let end = path[owner + 1..].find('/').map_or(path.len(), |at| owner + 1 + at);
    Some(path.split_at(end))
}

fn reference(query: &str) -> String {
    let value = |key: &str| {
        let find = |pair: &str| {
            pair.split_once('=')
                .filter(|(name, _)| *name == key)
                .map(|(_, value)| value.to_owned())
        };
        query.split('&').find_map(find).filter(|value| !value.is_empty())
    };
    value("ref").or_else(|| value("version")).unwrap_or_default()
}

fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (address, expected) in [
            (
                "https://github.com/o/r/a/b?ref=v1",
                Some(("https://github.com/o/r", "a/b", "v1")),
            ),
            ("github.com/o/r", Some(("https://github.com/o/r", "", ""))),
            (
                "git@github.com:o/r//p?version=v2",
                Some(("git@github.com:o/r", "p", "v2")),
            ),
            (
                "ssh://git@example.com/o/r.git/p",
                Some(("ssh://git@example.com/o/r.git", "p", "")),
            ),
            (
                "https://dev.azure.com/o/p/_git/r/x/y",
                Some(("https://dev.azure.com/o/p/_git/r", "x/y", "")),
            ),
            ("file:///srv/r", Some(("file:///srv/r", "", ""))),
            (
                "git::https://example.com/o/r",
                Some(("https://example.com/o/r", "", "")),
            ),
            ("https://example.com/file.yaml", None),
            ("../base", None),
            ("base/x", None),
            ("/abs", None),
            ("https://github.com/o/r//../../x", None),
        ] {
            let parsed = Repository::parse(address);
            let parsed = parsed
                .as_ref()
                .map(|it| (it.clone.as_str(), it.path.as_str(), it.reference.as_str()));
            assert_eq!(parsed, expected, "{address}");
        }
    }
}
