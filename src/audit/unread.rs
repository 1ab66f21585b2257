//! What is not known to be there or not, since it was not listed.

use std::collections::{BTreeMap, BTreeSet};

use crate::object::{GroupKind, LiveSet, ObjectId};

/// Kinds that are served and were not listed whole, and those of groups that did not answer.
pub(super) struct Unread<'a> {
    listed: BTreeSet<&'a GroupKind>,
    within: &'a BTreeSet<(GroupKind, String)>,
    /// Plurals of the kinds that are served; `None` where that is not known.
    served: Option<&'a BTreeMap<GroupKind, String>>,
    /// API groups that could not be asked; `None` where that is so of all.
    groups: Option<BTreeSet<&'a str>>,
}

impl<'a> Unread<'a> {
    pub fn new(live: &'a LiveSet, served: impl Into<Option<&'a BTreeMap<GroupKind, String>>>) -> Self {
        let failed = || live.gaps.iter().filter_map(|gap| gap.what.strip_prefix("API group"));
        let group = |rest: &'a str| Some(rest.strip_prefix(' ')?.split('/').next().unwrap_or_default());
        Self {
            listed: live.listed.iter().collect(),
            within: &live.listed_within,
            served: served.into(),
            groups: failed().map(group).collect(),
        }
    }

    /// Whether an object may be there for all that is known.
    pub fn is(&self, id: &ObjectId) -> bool {
        let kind = id.group_kind();
        let within = || {
            let namespace = id.namespace.clone();
            namespace.is_some_and(|namespace| self.within.contains(&(kind.clone(), namespace)))
        };
        self.is_kind(&kind) && !within()
    }

    /// Whether objects of a kind may be there for all that is known, wherever.
    fn is_kind(&self, kind: &GroupKind) -> bool {
        let fails = |group: &str| self.groups.as_ref().is_none_or(|groups| groups.contains(group));
        !self.listed.contains(kind)
            && (self.served.is_none_or(|served| served.contains_key(kind)) || fails(&kind.group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::FactGap;

    #[test]
    fn what_was_not_listed_or_asked_may_be_there() {
        let kind = |group: &str| GroupKind::new(group, "Widget");
        let mut live = LiveSet {
            listed: vec![kind("listed.io")],
            ..LiveSet::default()
        };
        live.listed_within.insert((kind("denied.io"), "shop".to_owned()));
        let served: BTreeMap<GroupKind, String> = ["listed.io", "denied.io"]
            .map(|group| (kind(group), "widgets".to_owned()))
            .into();
        let gap = |what: &str| FactGap {
            what: what.to_owned(),
            reason: "503".to_owned(),
        };
        let unread = |live: &LiveSet, group: &str, namespace: &str| {
            Unread::new(live, &served).is(&ObjectId::new(group, "Widget", Some(namespace), "a"))
        };
        live.gaps = vec![gap("API group other-example.com/v1"), gap("list example.com")];
        for (group, namespace, expected) in [
            ("listed.io", "web", false),
            ("denied.io", "web", true),
            ("denied.io", "shop", false),
            ("other-example.com", "web", true),
            ("example.com", "web", false),
            ("", "web", false),
        ] {
            assert_eq!(unread(&live, group, namespace), expected, "{group} {namespace}");
        }
        live.gaps.push(gap("API groups"));
        assert!(unread(&live, "example.com", "web"), "none of them could be asked");
    }
}
