//! How a command reads history.

use std::path::PathBuf;

use crate::cli::PastArgs;
use crate::error::Failure;
use crate::object::{PastIdentity, PastSet, Problem, ProblemKind};
use crate::{past, source};

/// How the history is read, as the command line and the environment say: the cache is `$XDG_CACHE_HOME/refloat/past`, else
/// `~/.cache/refloat/past`, and none where neither is set.
pub(super) fn options(args: &PastArgs) -> Result<past::Options, Failure> {
    Ok(past::Options {
        since: args.history_since.as_deref().map(source::parse_since).transpose()?,
        cache: cache("past"),
    })
}

/// The folder of a cache; none where the environment names neither a place for caches nor a home.
pub(super) fn cache(name: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = std::env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let caches = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    caches.map(|folder| folder.join("refloat").join(name))
}

/// Adds the objects that are there and could not be used (Secrets whose values a snapshot does not hold), so that nobody takes them for
/// unknown.
pub(super) fn add_unusable(past: &mut PastSet, problems: &[Problem]) {
    for problem in problems.iter().filter(|problem| problem.kind == ProblemKind::Error) {
        let (Some(id), Some(place)) = (&problem.object, problem.places.first()) else {
            continue;
        };
        let found = past.identities.entry((id.group_kind(), id.name.clone())).or_default();
        let known = |one: &PastIdentity| one.namespace == id.namespace && one.path == place.file;
        if !found.iter().any(known) {
            found.push(PastIdentity {
                namespace: id.namespace.clone(),
                path: place.file.clone(),
                first: 0,
                last: 0,
                removed: None,
            });
        }
    }
}
