//! What Git knew of an object: its identity in the past, judged by match levels.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use super::{Match, Verdict};
use crate::object::{GroupKind, LiveSet, ObjectId, PastIdentity, PastSet};

/// Groups that kinds came from: (kind or `*`, live group, earlier group).
///
/// Source: the deprecated API migration guide of Kubernetes; the migration pages of cert-manager, Traefik and Gateway API.
const MIGRATED: &[(&str, &str, &str)] = &[
    ("Deployment", "apps", "extensions"),
    ("DaemonSet", "apps", "extensions"),
    ("ReplicaSet", "apps", "extensions"),
    ("Ingress", "networking.k8s.io", "extensions"),
    ("NetworkPolicy", "networking.k8s.io", "extensions"),
    ("PodSecurityPolicy", "policy", "extensions"),
    ("Event", "events.k8s.io", ""),
    ("*", "cert-manager.io", "certmanager.k8s.io"),
    ("*", "acme.cert-manager.io", "certmanager.k8s.io"),
    ("*", "traefik.io", "traefik.containo.us"),
    ("*", "gateway.networking.k8s.io", "networking.x-k8s.io"),
    ("HelmRelease", "helm.toolkit.fluxcd.io", "helm.fluxcd.io"),
];

/// Groups that objects of this kind may have been declared in before.
pub(super) fn earlier_groups(id: &ObjectId) -> impl Iterator<Item = &'static str> {
    MIGRATED
        .iter()
        .filter(|(of, live, _)| (*of == "*" || *of == id.kind) && *live == id.group)
        .map(|(_, _, earlier)| *earlier)
}

/// What the past says of an object that is not declared.
pub(super) struct Was {
    /// [`Verdict::RemovedFromGit`] or [`Verdict::NotReached`].
    pub verdict: Verdict,
    /// How it was matched.
    pub matched: Match,
}

/// What has the name of an object.
pub(super) struct Namesakes<'a> {
    live: &'a LiveSet,
    /// Names that the past knows. Most of what was never in Git has none of them.
    past: HashSet<&'a str>,
    /// How many live objects have a group, a kind and such a name, in whatever namespaces. Counted when it is first asked.
    counted: OnceLock<HashMap<(&'a str, &'a str, &'a str), usize>>,
}

impl<'a> Namesakes<'a> {
    pub(super) fn new(past: &'a PastSet, live: &'a LiveSet) -> Self {
        Self {
            live,
            past: past.identities.keys().map(|(_, name)| name.as_str()).collect(),
            counted: OnceLock::new(),
        }
    }

    fn are(&self, id: &ObjectId) -> usize {
        let counted = self.counted.get_or_init(|| {
            let mut counted = HashMap::new();
            // Nobody asks about a name that the past does not know.
            let known = |id: &&ObjectId| self.past.contains(id.name.as_str());
            for id in self.live.objects.keys().filter(known) {
                *counted.entry((&*id.group, &*id.kind, &*id.name)).or_default() += 1;
            }
            counted
        });
        counted
            .get(&(&*id.group, &*id.kind, &*id.name))
            .copied()
            .unwrap_or_default()
    }
}

/// Looks an object up, best level first. `Err` tells of a manifest that has the kind and the name and is no evidence.
pub(super) fn was(id: &ObjectId, past: &PastSet, namesakes: &Namesakes<'_>) -> Result<Was, Option<String>> {
    if !namesakes.past.contains(id.name.as_str()) {
        return Err(None);
    }
    let here = candidates(past, &id.group, id);
    let mut doubt = None;
    for (matched, found) in [
        (Match::Exact, here),
        (Match::NamespaceAbsent, here),
        (Match::GroupMigrated, &[]),
    ] {
        let mut fitting: Vec<&PastIdentity> = found.iter().filter(|one| level(one, id) == Some(matched)).collect();
        if matched == Match::NamespaceAbsent && !fitting.is_empty() {
            let (good, bad): (Vec<_>, Vec<_>) = fitting.into_iter().partition(|one| speaks_of(one, id, namesakes));
            doubt = bad.first().map(|one| {
                format!(
                    "{} has a {} of this name without a namespace: kind and name alone are no evidence",
                    one.path, id.kind
                )
            });
            fitting = good;
        }
        if matched == Match::GroupMigrated {
            for group in earlier_groups(id) {
                let found = candidates(past, group, id).iter();
                fitting.extend(found.filter(|one| match level(one, id) {
                    Some(Match::Exact) => true,
                    Some(_) => speaks_of(one, id, namesakes),
                    None => false,
                }));
            }
        }
        if let Some(verdict) = verdict(&fitting, past) {
            return Ok(Was { verdict, matched });
        }
    }
    Err(doubt)
}

fn candidates<'a>(past: &'a PastSet, group: &str, id: &ObjectId) -> &'a [PastIdentity] {
    let key = (GroupKind::new(group, &*id.kind), id.name.clone());
    past.identities.get(&key).map_or(&[], Vec::as_slice)
}

/// How a historic manifest of this kind and name fits.
fn level(one: &PastIdentity, id: &ObjectId) -> Option<Match> {
    match (&one.namespace, &id.namespace) {
        (_, None) => Some(Match::Exact),
        (Some(then), Some(now)) => (then == now).then_some(Match::Exact),
        (None, Some(_)) => Some(Match::NamespaceAbsent),
    }
}

/// Whether a manifest without a namespace can only have meant this object: its path names the namespace, or nothing else in the
/// cluster has the kind and the name.
fn speaks_of(one: &PastIdentity, id: &ObjectId, namesakes: &Namesakes<'_>) -> bool {
    is_in_path(one, id.namespace.as_deref().unwrap_or_default()) || namesakes.are(id) == 1
}

/// Whether a folder or the file has the name of a namespace.
pub(super) fn is_in_path(one: &PastIdentity, namespace: &str) -> bool {
    one.path.split('/').any(|part| {
        let stem = part.split('.').next().unwrap_or_default();
        part == namespace || stem == namespace
    })
}

/// At the head before removed, and of those removed the latest.
fn verdict(fitting: &[&PastIdentity], past: &PastSet) -> Option<Verdict> {
    if let Some(one) = fitting.iter().find(|one| one.removed.is_none()) {
        return Some(Verdict::NotReached { path: one.path.clone() });
    }
    let time = |one: &&&PastIdentity| {
        one.removed
            .and_then(|index| past.commits.get(index))
            .map(|commit| commit.time)
    };
    let latest = fitting.iter().max_by_key(time)?;
    let commit = latest.removed.and_then(|index| past.commits.get(index));
    let commit = commit.map_or_else(Default::default, |commit| {
        (commit.id.clone(), commit.subject.clone(), date(commit.time))
    });
    Some(Verdict::RemovedFromGit {
        commit,
        path: latest.path.clone(),
    })
}

/// RFC 3339, in UTC.
pub(super) fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| String::new(), |time| time.to_string())
}

/// What became of the objects of this kind and name that the past has, of those that fit.
pub(super) fn past_of(
    past: &PastSet,
    (group, kind): (&str, &str),
    name: &str,
    fits: impl Fn(&PastIdentity) -> bool,
) -> Option<Verdict> {
    let found = past.identities.get(&(GroupKind::new(group, kind), name.to_owned()))?;
    let fitting: Vec<&PastIdentity> = found.iter().filter(|one| fits(one)).collect();
    verdict(&fitting, past)
}

/// Whether a manifest says this namespace or none; without a namespace any does.
pub(super) fn is_in(one: &PastIdentity, namespace: Option<&str>) -> bool {
    let said = one.namespace.as_deref();
    namespace.is_none() || said.is_none() || said == namespace
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Commit;

    /// Group, kind, namespace, path, index of the commit that removed it; all are called `web`.
    type Entry<'a> = (&'a str, &'a str, Option<&'a str>, &'a str, Option<usize>);

    fn past(entries: &[Entry<'_>]) -> PastSet {
        let commit = |number: i64| Commit {
            id: format!("{number:040}"),
            time: 1_700_000_000 + number,
            author: "dev".to_owned(),
            subject: format!("change {number}"),
        };
        let mut past = PastSet {
            commits: (0..4).map(commit).collect(),
            ..PastSet::default()
        };
        for (group, kind, namespace, path, removed) in entries {
            let identity = PastIdentity {
                namespace: namespace.map(str::to_owned),
                path: (*path).to_owned(),
                first: 0,
                last: 0,
                removed: *removed,
            };
            let key = (GroupKind::new(*group, *kind), "web".to_owned());
            past.identities.entry(key).or_default().push(identity);
        }
        past
    }

    fn told(past: &PastSet, id: &ObjectId, also_live: &[ObjectId]) -> String {
        let mut live = LiveSet::default();
        for id in also_live.iter().chain([id]) {
            live.objects.insert(id.clone(), Box::default());
        }
        match was(id, past, &Namesakes::new(past, &live)) {
            Ok(Was { verdict, matched }) => match verdict {
                Verdict::RemovedFromGit { commit, path } => format!("{matched:?}: {path} until {}", commit.1),
                Verdict::NotReached { path } => format!("{matched:?}: still in {path}"),
                other => format!("{other:?}"),
            },
            Err(doubt) => format!("never; {}", doubt.unwrap_or_default()),
        }
    }

    fn deployment() -> ObjectId {
        ObjectId::new("apps", "Deployment", Some("shop"), "web")
    }

    #[test]
    fn match_levels() {
        let id = deployment();
        let row = |group, namespace, path, removed| (group, "Deployment", namespace, path, removed);
        for (entries, expected) in [
            (
                vec![row("apps", Some("shop"), "a.yaml", Some(2))],
                "Exact: a.yaml until change 2",
            ),
            (
                vec![
                    row("apps", Some("shop"), "a.yaml", Some(1)),
                    row("apps", Some("shop"), "b.yaml", Some(3)),
                ],
                "Exact: b.yaml until change 3",
            ),
            (
                vec![
                    row("apps", Some("shop"), "a.yaml", Some(3)),
                    row("apps", Some("shop"), "old/b.yaml", None),
                ],
                "Exact: still in old/b.yaml",
            ),
            (vec![row("apps", Some("other"), "a.yaml", Some(3))], "never; "),
            (
                vec![row("apps", None, "apps/shop/web.yaml", Some(3))],
                "NamespaceAbsent: apps/shop/web.yaml until change 3",
            ),
            (
                vec![row("apps", None, "base/web.yaml", Some(3))],
                "NamespaceAbsent: base/web.yaml until change 3",
            ),
            (
                vec![row("extensions", Some("shop"), "a.yaml", Some(1))],
                "GroupMigrated: a.yaml until change 1",
            ),
            (vec![row("batch", Some("shop"), "a.yaml", Some(1))], "never; "),
        ] {
            assert_eq!(told(&past(&entries), &id, &[]), expected);
        }
    }

    #[test]
    fn kind_and_name_alone_are_no_evidence() {
        let twin = ObjectId::new("apps", "Deployment", Some("other"), "web");
        let past = past(&[("apps", "Deployment", None, "base/web.yaml", Some(3))]);
        assert_eq!(
            told(&past, &deployment(), &[twin]),
            "never; base/web.yaml has a Deployment of this name without a namespace: kind and name alone are no evidence"
        );
    }

    #[test]
    fn cluster_scoped_objects_have_no_namespace_to_lack() {
        let past = past(&[("", "Namespace", Some("odd"), "ns.yaml", None)]);
        assert_eq!(
            told(&past, &ObjectId::new("", "Namespace", None, "web"), &[]),
            "Exact: still in ns.yaml"
        );
    }

    #[test]
    fn every_migration_is_looked_up() {
        for (kind, live, earlier) in MIGRATED {
            let kind = if *kind == "*" { "Thing" } else { kind };
            let id = ObjectId::new(*live, kind, Some("shop"), "web");
            let past = past(&[(earlier, kind, Some("shop"), "a.yaml", Some(1))]);
            assert_eq!(
                told(&past, &id, &[]),
                "GroupMigrated: a.yaml until change 1",
                "{kind} {live}"
            );
        }
    }
}
