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

#[cfg(test)]
mod tests {
    use super::*;

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
