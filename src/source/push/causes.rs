//! Why a push does not succeed, by the words of `git` and of servers.

/// What `git` says of a push that did not succeed.
pub(super) struct Cause {
    /// In lower case; one of them is enough.
    pub words: &'static [&'static str],
    /// What it comes to.
    pub means: &'static str,
    /// What to do next.
    pub hint: &'static str,
}

/// In this order: what a server says is found before what `git` adds to it. From transport.c (`print_one_push_status`), http.c, remote-curl.c,
/// connect.c, and what GitHub, GitLab and OpenSSH write.
pub(super) const CAUSES: [Cause; 6] = [
    Cause {
        words: &[
            "(stale info)",
            "(fetch first)",
            "(non-fast-forward)",
            "(cannot lock ref",
            "reference already exists",
        ],
        means: "the branch was moved meanwhile",
        hint: "run it again: it looks at the branch anew",
    },
    Cause {
        words: &[
            "insufficient permission",
            "unpacker error",
            "read-only file system",
            "permission denied (publickey",
            "permission to ",
            "authentication failed",
            "could not read username",
            "could not read password",
            "terminal prompts disabled",
            "the requested url returned error: 401",
            "the requested url returned error: 403",
            "write access to repository not granted",
            "you are not allowed to push",
            "access denied",
            "unable to create temporary object directory",
            "permission denied",
            "service not enabled",
        ],
        means: "it does not let you write",
        hint: "check who you are for Git: a credential helper (`gh auth setup-git`, `git credential`), a key in the ssh agent, and the right to push",
    },
    Cause {
        words: &["[remote rejected]", "hook declined", "protected branch"],
        means: "it refuses the branch",
        hint: "a rule or a hook of the repository is against it: name another branch, or ask those who set it",
    },
    Cause {
        words: &[
            "repository not found",
            "does not appear to be a git repository",
            "the requested url returned error: 404",
            "does not exist",
            "not found",
        ],
        means: "there is no such repository, or you may not see it",
        hint: "check the remote's address (`git remote -v`) and your credentials",
    },
    Cause {
        words: &["host key verification failed"],
        means: "its host key is not known",
        hint: "connect once by hand (`git fetch`) and confirm the key",
    },
    Cause {
        words: &[
            "could not resolve host",
            "could not resolve hostname",
            "connection refused",
            "connection timed out",
            "network is unreachable",
            "no route to host",
            "failed to connect",
            "unable to connect",
            "couldn't connect",
            "connection reset",
            "ssl",
            "tls",
            "gnutls",
            "the requested url returned error: 5",
        ],
        means: "it could not be reached",
        hint: "check the network, the proxy and the remote's address (`git remote -v`)",
    },
];
