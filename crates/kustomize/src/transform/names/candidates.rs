//! Which object a name means.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::subject_namespaces;
use super::tree::Target;
use crate::config::selects;
use crate::id::{Id, NO_NAMESPACE};
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::schema::Schema;
use crate::trouble::{Outcome, Trouble};

/// The objects of a map as they are when references are fixed, found by the names that they had. An object that always had its name
/// cannot be found: no reference to it needs a change.
pub(super) struct Candidates<'m> {
    all: Vec<Candidate<'m>>,
    by_name: HashMap<&'m str, Vec<usize>>,
    by_first_namespace: HashMap<&'m str, Vec<usize>>,
}

/// An object, with what is often asked of it.
struct Candidate<'m> {
    resource: &'m Resource,
    id: Id<'m>,
    /// Effective.
    namespace: &'m str,
    /// The effective namespace of its first identity.
    first_namespace: &'m str,
}

/// An object that names others.
pub(super) struct Referrer<'m> {
    resource: &'m Resource,
    id: Id<'m>,
    namespace: &'m str,
    /// Namespaces in which a RoleBinding may name ServiceAccounts, beside its own.
    subjects: HashSet<&'m str>,
}

/// What a reference says.
pub(super) struct Wanted<'w> {
    pub name: &'w str,
    /// As the reference writes it, if it does.
    pub namespace: Option<&'w str>,
    pub target: &'w Target,
    /// The reference is a `roleRef`.
    pub role: bool,
    /// The namespace is taken over as well as the name, so that both must be the same for objects to be as good as one.
    pub moves: bool,
}

impl<'m> Candidates<'m> {
    pub fn new(map: &'m ResMap, schema: &Schema) -> Self {
        let mut found = Candidates {
            all: Vec::with_capacity(map.list.len()),
            by_name: HashMap::new(),
            by_first_namespace: HashMap::new(),
        };
        for (at, resource) in map.list.iter().enumerate() {
            let id = resource.id(schema);
            let namespace = id.effective_namespace();
            let first_namespace = resource.previous.first().map_or(namespace, |first| &first.namespace);
            found.all.push(Candidate {
                resource,
                id,
                namespace,
                first_namespace,
            });
            found.by_first_namespace.entry(first_namespace).or_default().push(at);
            for was in &resource.previous {
                let list = found.by_name.entry(&was.name).or_default();
                if list.last() != Some(&at) {
                    list.push(at);
                }
            }
        }
        found
    }

    /// The object at a place of the map, as one that names others.
    pub fn referrer(&self, at: usize, resource: &'m Resource) -> Outcome<Referrer<'m>> {
        let id = self
            .all
            .get(at)
            .map(|candidate| candidate.id)
            .ok_or_else(|| Trouble::new("no such object"))?;
        let subjects = if id.cluster_scoped {
            HashSet::new()
        } else {
            self.subjects(resource, id)?
        };
        Ok(Referrer {
            resource,
            id,
            namespace: id.effective_namespace(),
            subjects,
        })
    }

    fn subjects(&self, resource: &'m Resource, id: Id<'_>) -> Outcome<HashSet<&'m str>> {
        subject_namespaces(resource).map_err(|trouble| Trouble {
            message: format!("{id}: {}", trouble.message),
            ..trouble
        })
    }

    /// The object that is meant, if it is one that had that name.
    pub fn select(&self, referrer: &Referrer<'_>, wanted: &Wanted<'_>) -> Outcome<Option<&'m Resource>> {
        let Some(named) = self.by_name.get(wanted.name) else {
            return Ok(None);
        };
        let by = self.namespace_of(referrer, wanted);
        let role = wanted.role.then(|| role(&referrer.resource.value)).flatten();
        let fits = |candidate: &&Candidate<'m>| {
            let target = (
                wanted.target.group.as_str(),
                wanted.target.version.as_str(),
                wanted.target.kind.as_str(),
            );
            by.fits(candidate)
                && referrer.may_name(candidate)
                && candidate.was(target)
                && role.is_none_or(|(group, kind)| candidate.was((group, "", kind)))
                && referrer.is_near(candidate)
        };
        let named = named.iter().filter_map(|at| self.all.get(*at));
        let mut found: Vec<&Candidate<'m>> = named.filter(fits).collect();
        if found.len() > 1 {
            found.retain(|candidate| same_affixes(candidate.resource, referrer.resource, true));
        }
        if found.len() > 1 {
            found.retain(|candidate| same_affixes(candidate.resource, referrer.resource, false));
        }
        let Some(first) = found.first() else { return Ok(None) };
        let same = |other: &&Candidate<'m>| {
            other.id.name == first.id.name && (!wanted.moves || other.id.namespace == first.id.namespace)
        };
        if found.iter().all(same) {
            return Ok(Some(first.resource));
        }
        let ids: Vec<String> = found.iter().map(|candidate| candidate.id.to_string()).collect();
        Err(Trouble::new(format!(
            "found multiple possible referrals: {}",
            ids.join(", ")
        )))
    }

    /// How the namespace that a reference writes narrows the choice: as that in which objects were first, if there are any, else as that
    /// in which they are.
    fn namespace_of<'w>(&self, referrer: &Referrer<'_>, wanted: &Wanted<'w>) -> Namespace<'w> {
        let Some(namespace) = wanted.namespace else {
            return Namespace::Any;
        };
        let first = self.by_first_namespace.get(namespace).into_iter().flatten();
        let any = first
            .filter_map(|at| self.all.get(*at))
            .any(|candidate| referrer.may_name(candidate));
        match namespace {
            NO_NAMESPACE => Namespace::Nowhere,
            namespace if any => Namespace::First(namespace),
            namespace => Namespace::Now(namespace),
        }
    }
}

enum Namespace<'w> {
    Any,
    First(&'w str),
    Now(&'w str),
    Nowhere,
}

impl Namespace<'_> {
    fn fits(&self, candidate: &Candidate<'_>) -> bool {
        match self {
            Namespace::Any => true,
            Namespace::First(namespace) => candidate.first_namespace == *namespace,
            Namespace::Now(namespace) => candidate.namespace == *namespace,
            Namespace::Nowhere => false,
        }
    }
}

impl Candidate<'_> {
    /// Whether it was of a kind; of the group, version and kind asked for any may be empty for any.
    fn was(&self, asked: (&str, &str, &str)) -> bool {
        self.resource
            .previous
            .iter()
            .any(|was| selects(asked, self.id.group, self.id.version, &was.kind))
    }
}

impl<'m> Referrer<'m> {
    pub fn value(&self) -> &'m Value {
        &self.resource.value
    }

    pub fn id(&self) -> Id<'_> {
        self.id
    }

    /// kustomize's `SubsetThatCouldBeReferencedByResource`.
    fn may_name(&self, candidate: &Candidate<'_>) -> bool {
        self.id.cluster_scoped
            || candidate.id.cluster_scoped
            || candidate.namespace == self.namespace
            || self.subjects.contains(candidate.id.namespace)
    }

    /// kustomize's `sameCurrentNamespaceAsReferrer`: only ServiceAccounts are named across namespaces.
    fn is_near(&self, candidate: &Candidate<'_>) -> bool {
        self.id.cluster_scoped
            || candidate.id.cluster_scoped
            || candidate.id.kind == "ServiceAccount"
            || candidate.namespace == self.namespace
    }
}

/// Group and kind of a `roleRef`, if both are there.
fn role(referrer: &Value) -> Option<(&str, &str)> {
    let role = referrer.get("roleRef")?;
    let field = |name| role.get(name).map(|field| field.as_str().unwrap_or_default());
    Some((field("apiGroup")?, field("kind")?))
}

/// Whether two objects went through the same prefixes and suffixes in the end (kustomize's `PrefixesSuffixesEquals`). `or_none`: also
/// where one of them went through none.
fn same_affixes(one: &Resource, other: &Resource, or_none: bool) -> bool {
    let same = |one: &[String], other: &[String]| {
        let (short, long) = if one.len() > other.len() {
            (other, one)
        } else {
            (one, other)
        };
        match short {
            [] => or_none || long.is_empty(),
            short => long.ends_with(short),
        }
    };
    same(&one.prefixes, &other.prefixes) && same(&one.suffixes, &other.suffixes)
}
