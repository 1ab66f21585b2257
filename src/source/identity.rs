//! Who commits, as Git's configuration and environment say.

use super::Tree;
use super::tree::Store;
use crate::error::{Failure, Kind};

/// A person with an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// `user.name`.
    pub name: String,
    /// `user.email`.
    pub email: String,
}

impl std::fmt::Display for Author {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} <{}>", self.name, self.email)
    }
}

/// The author that Git would take in this repository: `GIT_AUTHOR_NAME` and `GIT_AUTHOR_EMAIL`, `author.*`, `user.*`, `EMAIL`
/// (`git help commit`, "Commit information").
///
/// # Errors
/// None is set. Git would make one up of the names of the user and the machine; nobody wants those in a pull request.
pub fn author(tree: &Tree) -> Result<Author, Failure> {
    let git = match tree.store() {
        Store::Git(git) => git.to_thread_local(),
        // Outside of a repository there is still the user's own configuration.
        Store::Folder(_) => {
            let folder = tempfile::tempdir().map_err(|cause| missing("author").because(cause))?;
            gix::init_bare(folder.path()).map_err(|cause| missing("author").because(cause))?
        }
    };
    person(&git, "author")
}

/// The `author` or the `committer`.
pub(super) fn person(git: &gix::Repository, role: &str) -> Result<Author, Failure> {
    let config = git.config_snapshot();
    let configured = |key: &str| config.string(key).map(|text| text.to_string());
    choose(role, |name| std::env::var(name).ok(), configured)
}

fn choose(
    role: &str,
    environment: impl Fn(&str) -> Option<String>,
    config: impl Fn(&str) -> Option<String>,
) -> Result<Author, Failure> {
    let upper = role.to_ascii_uppercase();
    let of = |what: &str| {
        let given = environment(&format!("GIT_{upper}_{}", what.to_ascii_uppercase()));
        let given = given.or_else(|| config(&format!("{role}.{what}")));
        given.or_else(|| config(&format!("user.{what}")))
    };
    // What would end the header or the address is left out, as Git does.
    let clean = |text: String| text.replace(['\n', '\r', '\0', '<', '>'], "").trim().to_owned();
    let name = of("name").map(clean).unwrap_or_default();
    let email = of("email")
        .or_else(|| environment("EMAIL"))
        .map(clean)
        .unwrap_or_default();
    match (name.is_empty(), email.is_empty()) {
        (false, false) => Ok(Author { name, email }),
        (true, _) => Err(missing(role).because("Git's configuration has no user.name")),
        (_, true) => Err(missing(role).because("Git's configuration has no user.email")),
    }
}

fn missing(role: &str) -> Failure {
    let upper = role.to_ascii_uppercase();
    Failure::new(Kind::Input, format!("nothing was written: the change has no {role}")).hint(format!(
        "`git config user.name NAME` and `git config user.email ADDRESS`, or GIT_{upper}_NAME and GIT_{upper}_EMAIL"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(environment: &[(&str, &str)], config: &[(&str, &str)]) -> Result<String, Failure> {
        let of = |list: &[(&str, &str)], name: &str| {
            let found = list.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let found = choose("author", |name| of(environment, name), |name| of(config, name));
        found.map(|author| author.to_string())
    }

    #[test]
    fn the_nearest_identity_wins_as_in_git() {
        let user = [("user.name", "U"), ("user.email", "u@x")];
        let author = [("author.name", "A"), ("user.name", "U"), ("user.email", "u@x")];
        let environment = [("GIT_AUTHOR_NAME", "E"), ("EMAIL", "e@x")];
        assert_eq!(chosen(&[], &user).expect("because it is whole"), "U <u@x>");
        assert_eq!(chosen(&[], &author).expect("because it is whole"), "A <u@x>");
        assert_eq!(chosen(&environment, &author).expect("because it is whole"), "E <u@x>");
        assert_eq!(chosen(&environment, &[]).expect("because it is whole"), "E <e@x>");
        let odd = [("user.name", "U\n<x>"), ("user.email", "<u@x>")];
        assert_eq!(chosen(&[], &odd).expect("because it is whole"), "Ux <u@x>");
    }

    #[test]
    fn nobody_is_made_up() {
        let failure = chosen(&[], &[("user.name", "U"), ("user.email", " ")]).expect_err("because it is empty");
        assert_eq!(
            failure.to_string(),
            "Error: nothing was written: the change has no author\n  because: Git's configuration has no user.email\n  hint: `git config user.name NAME` and `git config user.email ADDRESS`, or GIT_AUTHOR_NAME and GIT_AUTHOR_EMAIL"
        );
    }
}
