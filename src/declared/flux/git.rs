//! Git repositories as sources, at the revisions that are named: the repository itself, and others.

use std::sync::{Arc, PoisonError};

use serde_json::Value;

use super::super::helm::{Range, Version};
use super::source::{Found, Own, Sources};
use crate::error::printable;
use crate::object::ObjectId;
use crate::source::{self, Meant, same_repository};

/// What helps where a clone lacks a revision.
const FETCH: &str = "`git fetch --tags origin` brings it into the clone, if the origin has it";

impl<'t> Sources<'t> {
    /// The files of a Git repository at a revision, as Argo CD names them; of the one with this key the operator may say where it is. A
    /// repository that knows no address of its own is taken for the one that is meant.
    pub fn at(&self, url: &str, rev: &str, key: Option<&(String, String)>) -> Found<'t> {
        let shown = source::without_credentials(url);
        let id = ObjectId::new("", "Repository", None, format!("{shown}@{rev}"));
        let found = match key.and_then(|key| self.given.get(key)) {
            Some(place) => self.open(&id, place, None),
            None => {
                let own = self.tree.addresses();
                let is_known = own.iter().any(|own| source::is_remote(own));
                let here = || Found::Here(self.own_root_with(Arc::new(Own(self.tree))));
                if !is_known || own.iter().any(|own| same_repository(own, url)) {
                    match self.own_at(&id, rev) {
                        None => here(),
                        // It may be any repository: this one has no such revision, so it is a copy of its files.
                        Some(Found::Refused { .. }) if !is_known => here(),
                        Some(found) => found,
                    }
                } else {
                    self.open(&id, url, Some(rev).filter(|rev| !rev.is_empty() && *rev != "HEAD"))
                }
            }
        };
        match found {
            Found::Refused { why, hint } => Found::Refused {
                why,
                hint: match key {
                    _ if hint == FETCH => hint,
                    Some((namespace, name)) => format!("give a copy of it with --source {namespace}/{name}=PATH"),
                    None => "it has to be in the repository, or be reached".to_owned(),
                },
            },
            found => found,
        }
    }

    /// The repository itself at a revision that something in it names, or at the newest tag that satisfies a range; `None` where that is
    /// the tree at hand.
    fn own_at(&self, id: &ObjectId, rev: &str) -> Option<Found<'t>> {
        let mut all = self.meant.lock().unwrap_or_else(PoisonError::into_inner);
        let meant = all.entry(rev.to_owned()).or_insert_with(|| match self.tree.means(rev) {
            Meant::Unknown => match newest(rev, self.own_tags()) {
                Some(tag) => self.tree.means(&format!("refs/tags/{tag}")),
                None => Meant::Unknown,
            },
            meant => meant,
        });
        let location = self.tree.addresses().last();
        match meant.clone() {
            Meant::AtHand => None,
            Meant::Commit(commit) => Some(self.once(id, || {
                let tree = self.tree.at_commit(&commit).map_err(|failure| failure.in_one_line())?;
                Ok(self.root_of(id, tree))
            })),
            // Of what was cloned for this run only one revision may be there.
            Meant::Unknown if location.is_some_and(|location| source::is_remote(location)) => {
                let tag = newest(rev, self.own_tags()).map(|tag| format!("refs/tags/{tag}"));
                Some(self.open(
                    id,
                    location.map_or("", String::as_str),
                    Some(tag.as_deref().unwrap_or(rev)),
                ))
            }
            Meant::Unknown => Some(Found::Refused {
                why: format!("the clone has no revision {}", printable(rev)),
                hint: FETCH.to_owned(),
            }),
        }
    }

    /// The files of a GitRepository.
    pub(super) fn git(&self, id: &ObjectId, value: &Value) -> Found<'t> {
        let text = |pointer: &str| {
            value
                .pointer(pointer)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        let url = text("/spec/url").unwrap_or_default();
        let is_own = self.tree.addresses().iter().any(|own| same_repository(own, url));
        // In this order: source-controller, `api/v1/gitrepository_types.go`.
        let of = ["commit", "name", "semver", "tag", "branch"];
        let said = of
            .iter()
            .find_map(|key| Some((*key, text(&format!("/spec/ref/{key}"))?)));
        let no_tag = |range: &str| format!("it has no tag that satisfies {}", printable(range));
        let tag = |tag: &str| format!("refs/tags/{tag}");
        let own = |rev: Option<&str>| {
            let other = rev.and_then(|rev| self.own_at(id, rev));
            other.unwrap_or_else(|| Found::Here(self.own_root(id)))
        };
        match (is_own, said) {
            (true, Some(("semver", range))) => match newest(range, self.own_tags()) {
                Some(name) => own(Some(&tag(&name))),
                None => self.once(id, || Err(no_tag(range))),
            },
            (true, Some(("tag", name))) => own(Some(&tag(name))),
            (true, said) => own(said.map(|(_, rev)| rev)),
            (false, Some(("semver", range))) => self.once(id, || {
                let tags = source::tags(url).map_err(|failure| failure.in_one_line())?;
                let name = newest(range, &tags).ok_or_else(|| no_tag(range))?;
                self.read(id, url, Some(&tag(&name)))
            }),
            (false, Some(("tag", name))) => self.open(id, url, Some(&tag(name))),
            (false, said) => self.open(id, url, said.map(|(_, rev)| rev)),
        }
    }

    /// The tags of the repository itself. Of what was cloned for this run only one revision may be there: then its origin is asked.
    fn own_tags(&self) -> &[String] {
        self.tags.get_or_init(|| {
            let origin = self.tree.addresses().last().filter(|own| source::is_remote(own));
            let asked = origin.and_then(|origin| source::tags(origin).ok());
            asked.unwrap_or_else(|| self.tree.tags())
        })
    }
}

/// The newest of these tags that satisfies a range of versions.
/// Source: `github.com/fluxcd/pkg/git/gogit` (clone.go: cloneSemVer).
fn newest(range: &str, tags: &[String]) -> Option<String> {
    let range = Range::parse(range).ok()?;
    let versions = tags.iter().filter_map(|tag| Some((tag, Version::of_tag(tag)?)));
    let allowed = versions.filter(|(_, version)| range.allows(version));
    let newest = allowed.max_by(|(_, a), (_, b)| a.compare(b))?;
    Some(newest.0.clone())
}
