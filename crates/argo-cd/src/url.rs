//! Addresses of repositories (`util/git/git.go`).

/// An address as it is compared with others: lower case, without `.git` and `ssh://`, `git@host:path` as `git@host/path`
/// (`NormalizeGitURL`).
pub(crate) fn normalized_git_url(address: &str) -> String {
    let mut address = address.trim().to_lowercase();
    if is_ssh(&address) && !address.starts_with("ssh://") {
        address = format!("ssh://{}", address.replacen(':', "/", 1));
    }
    let address = address.strip_suffix(".git").unwrap_or(&address);
    address.strip_prefix("ssh://").unwrap_or(address).to_owned()
}

/// `user@host…` with nothing before it but `ssh://` (`IsSSHURL`).
fn is_ssh(address: &str) -> bool {
    let rest = address.strip_prefix("ssh://").unwrap_or(address);
    match rest.split_once('@') {
        Some((user, host)) => !host.is_empty() && !host.contains('@') && !user.contains(['/', ':']),
        None => false,
    }
}

/// Whether two addresses are of one repository (`SameURL`).
///
/// ```
/// assert!(argo_cd::same_repository("git@github.com:argoproj/argo-cd.git", "ssh://git@github.com/argoproj/argo-cd"));
/// ```
pub fn same_repository(a: &str, b: &str) -> bool {
    let (a, b) = (normalized_git_url(a), normalized_git_url(b));
    !a.is_empty() && a == b
}

/// Whether an address begins with another, as credentials for many are found (`util/db/repository_secrets.go`, `getRepositoryCredentialIndex`).
/// Here a host ends where it ends: `https://example.com` is no part of `https://example.com.evil.net`.
pub fn is_below(address: &str, prefix: &str) -> bool {
    let (address, prefix) = (normalized_git_url(address), normalized_git_url(prefix));
    let host = |text: &str| {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default().to_owned()
    };
    !prefix.is_empty() && address.starts_with(&prefix) && host(&address) == host(&prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_begin_with_others() {
        for (address, prefix, expected) in [
            ("https://example.com/team/web.git", "https://Example.com/team", true),
            ("https://example.com/teams/web", "https://example.com/team", true),
            ("git@example.com:team/web", "ssh://git@example.com/team", true),
            ("https://example.com.evil.net/team", "https://example.com", false),
            ("https://example.com/other", "https://example.com/team", false),
            ("https://example.com", "", false),
        ] {
            assert_eq!(is_below(address, prefix), expected, "{address} {prefix}");
        }
    }

    /// `util/git/git_test.go`, `TestSameURL`.
    #[test]
    fn addresses_are_normalized() {
        for (address, normalized) in [
            (
                "https://github.com/argoproj/test.git",
                "https://github.com/argoproj/test",
            ),
            ("https://GitHub.com/Argoproj/test", "https://github.com/argoproj/test"),
            ("git@github.com:test/repo.git", "git@github.com/test/repo"),
            ("ssh://git@github.com/test/repo", "git@github.com/test/repo"),
            ("  https://x/y ", "https://x/y"),
        ] {
            assert_eq!(normalized_git_url(address), normalized);
        }
        assert!(!same_repository("", "") && !same_repository("https://a/b", "https://a/c"));
    }
}
