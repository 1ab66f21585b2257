//! How a command reads history.

use std::path::PathBuf;

use crate::cli::PastArgs;
use crate::error::Failure;
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
