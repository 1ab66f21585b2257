//! What a cluster makes by itself: the table `rules.yaml`, read once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use serde::Deserialize;

use super::glob::fits;
use super::tools;
use crate::object::{GroupKind, LiveObject, LiveSet, ObjectId, Texts};

/// A row of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, in reports.
    pub rule: String,
    /// Why it is nobody's to declare.
    pub reason: String,
    kind: String,
    #[serde(default)]
    kinds: Vec<String>,
    namespace: Option<String>,
    #[serde(default)]
    name: Names,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    /// The clusters on which it holds; left out: all.
    #[serde(default, rename = "where")]
    only: Option<Where>,
    /// People write such objects as a matter of course.
    #[serde(default)]
    pub by_hand: bool,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "what the test of the table fires the row with")
    )]
    example: String,
}

/// What tells that a cluster is one on which a rule holds: any of these.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Where {
    /// Patterns of the version that the server tells.
    version: Vec<String>,
    /// API groups that are served.
    group: Vec<String>,
    /// Labels that nodes have.
    label: Vec<String>,
    /// Patterns of the names of nodes.
    node: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Names {
    #[default]
    Any,
    One(String),
    Several(Vec<String>),
}

/// What the rules say of an object.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ruled {
    /// No rule is about it.
    No,
    /// The cluster makes it by itself.
    BuiltIn(&'static Rule),
    /// The cluster made it, and a person's tool wrote to it since.
    ChangedByHand(&'static Rule),
}

/// The rules, and which of them hold in a cluster.
pub(super) struct Rules {
    holds: Vec<bool>,
}

impl Rules {
    /// Those of a cluster whose server tells this version, and that serves these kinds.
    pub fn of<'k>(release: &str, live: &'k LiveSet, served: impl Iterator<Item = &'k GroupKind>) -> Self {
        let groups: BTreeSet<&str> = served.chain(&live.listed).map(|kind| kind.group.as_str()).collect();
        let (mut names, mut labels) = (Vec::new(), BTreeSet::new());
        for (id, node) in live.of_kind("", "Node") {
            names.push(id.name.as_str());
            labels.extend(node.labels.keys().map(String::as_str));
        }
        let holds = |only: &Where| {
            only.version.iter().any(|pattern| fits(pattern, release))
                || only.group.iter().any(|group| groups.contains(group.as_str()))
                || only.label.iter().any(|label| labels.contains(label.as_str()))
                || only
                    .node
                    .iter()
                    .any(|pattern| names.iter().any(|name| fits(pattern, name)))
        };
        let rules = rules().iter();
        Self {
            holds: rules.map(|rule| rule.only.as_ref().is_none_or(holds)).collect(),
        }
    }

    /// Judges an object.
    pub fn judge(&self, id: &ObjectId, live: &LiveObject) -> Ruled {
        judge(id, live, &self.holds)
    }
}

fn judge(id: &ObjectId, live: &LiveObject, holds: &[bool]) -> Ruled {
    let table = table();
    let own = table.by_kind.get(&(id.group.as_str(), id.kind.as_str()));
    let own = own.into_iter().flatten().copied();
    let patterns = table.patterns.iter();
    let of_kind = patterns.filter(|(kind, group, _)| fits(kind, &id.kind) && fits_group(group, &id.group));
    let indices = own.chain(of_kind.map(|(.., index)| *index));
    // The first row counts.
    let holding = indices.filter(|index| holds.get(*index).is_some_and(|holds| *holds));
    let Some(index) = holding.filter(|index| table.rules[*index].is_about(id, live)).min() else {
        return Ruled::No;
    };
    let rule = &table.rules[index];
    match tools::hands(live) {
        _ if rule.by_hand => Ruled::BuiltIn(rule),
        tools::Hands::None => Ruled::BuiltIn(rule),
        tools::Hands::Some => Ruled::ChangedByHand(rule),
        tools::Hands::Only => Ruled::No,
    }
}

impl Rule {
    /// Whether an object of the row's kind is one that it means.
    fn is_about(&self, id: &ObjectId, live: &LiveObject) -> bool {
        // What rules most out and costs least comes first: most rows that are tried are about any kind.
        let namespace = self.namespace.as_deref();
        namespace.is_none_or(|pattern| fits(pattern, id.namespace.as_deref().unwrap_or_default()))
            && has(&live.labels, &self.labels)
            && has(&live.annotations, &self.annotations)
            && (self.kinds.is_empty() || self.kinds.contains(&id.kind))
            && match &self.name {
                Names::Any => true,
                Names::One(name) => fits(name, &id.name),
                Names::Several(names) => names.iter().any(|name| fits(name, &id.name)),
            }
    }

    /// Kind and group, or patterns of them.
    fn kind_and_group(&self) -> (&str, &str) {
        self.kind.split_once('.').unwrap_or((&self.kind, ""))
    }

    fn is_of_one_kind(&self) -> bool {
        !self.kind.contains('*')
    }
}

/// A group of a row also stands for the groups below it.
fn fits_group(pattern: &str, group: &str) -> bool {
    fits(pattern, group) || (!pattern.is_empty() && group.strip_suffix(pattern).is_some_and(|rest| rest.ends_with('.')))
}

fn has(found: &Texts, wanted: &BTreeMap<String, String>) -> bool {
    let there = |(key, pattern): (&String, &String)| found.get(key).is_some_and(|value| fits(pattern, value));
    wanted.iter().all(there)
}

/// Whether the cluster makes every object of a kind by itself, and a change of one, whoever makes it, is no finding.
pub fn is_never_a_finding(kind: &GroupKind) -> bool {
    let of_all = |rule: &&Rule| {
        let named = matches!(rule.name, Names::Any) && rule.namespace.is_none();
        let everywhere = rule.only.is_none();
        everywhere
            && rule.by_hand
            && named
            && rule.labels.is_empty()
            && rule.annotations.is_empty()
            && rule.kinds.is_empty()
    };
    let own = table().by_kind.get(&(kind.group.as_str(), kind.kind.as_str()));
    let mut rules = own.into_iter().flatten().map(|index| &table().rules[*index]);
    rules.any(|rule| of_all(&rule))
}

struct Table {
    rules: &'static [Rule],
    /// Rows of one kind.
    by_kind: HashMap<(&'static str, &'static str), Vec<usize>>,
    /// Rows of many kinds: patterns of kind and group, and which row it is.
    patterns: Vec<(&'static str, &'static str, usize)>,
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let rules = rules();
        let mut by_kind: HashMap<_, Vec<usize>> = HashMap::new();
        let mut patterns = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            let (kind, group) = rule.kind_and_group();
            match rule.is_of_one_kind() {
                true => by_kind.entry((group, kind)).or_default().push(index),
                false => patterns.push((kind, group, index)),
            }
        }
        Table {
            rules,
            by_kind,
            patterns,
        }
    })
}

/// All rows, in order.
pub fn rules() -> &'static [Rule] {
    static RULES: OnceLock<Vec<Rule>> = OnceLock::new();
    RULES.get_or_init(|| {
        serde_yaml::from_str(include_str!("rules.yaml")).expect("the table is part of the program, and a test reads it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Manager;

    fn example(rule: &Rule) -> (ObjectId, LiveObject) {
        let parts: Vec<&str> = rule.example.split('/').collect();
        let (kind, group) = parts[0].split_once('.').unwrap_or((parts[0], ""));
        let namespace = (parts.len() == 3).then(|| parts[1]);
        let id = ObjectId::new(group, kind, namespace, parts[parts.len() - 1]);
        let values = |wanted: &BTreeMap<String, String>| {
            let value = |(key, pattern): (&String, &String)| (key.clone(), pattern.replace('*', "x"));
            wanted.iter().map(value).collect()
        };
        let live = LiveObject {
            labels: values(&rule.labels),
            annotations: values(&rule.annotations),
            ..LiveObject::default()
        };
        (id, live)
    }

    fn written_by(manager: &str) -> Manager {
        Manager {
            name: manager.to_owned(),
            operation: "Update".to_owned(),
            subresource: String::new(),
            time: "2026-01-02T03:04:05Z".to_owned(),
            fields: None,
        }
    }

    /// The rules of a cluster of which nothing is known.
    fn plain() -> Rules {
        Rules::of("v1.37.2", &LiveSet::default(), std::iter::empty())
    }

    /// The rules of the clusters on which a row holds, one for each thing that tells so.
    fn grounds(rule: &Rule) -> Vec<Rules> {
        let Some(only) = &rule.only else {
            return vec![plain()];
        };
        let of = |release: &str, group: &str, label: &str, node: &str| {
            let mut live = LiveSet::default();
            let object = LiveObject {
                labels: [(label.to_owned(), String::new())].into_iter().collect(),
                ..LiveObject::default()
            };
            live.objects
                .insert(ObjectId::new("", "Node", None, node), Box::new(object));
            let kind = GroupKind::new(group, "Thing");
            Rules::of(release, &live, std::iter::once(&kind))
        };
        let versions = only.version.iter().map(|one| of(&one.replace('*', "1"), "", "", ""));
        let groups = only.group.iter().map(|one| of("", one, "", ""));
        let labels = only.label.iter().map(|one| of("", "", one, ""));
        let nodes = only.node.iter().map(|one| of("", "", "", &one.replace('*', "x")));
        versions.chain(groups).chain(labels).chain(nodes).collect()
    }

    fn judge(id: &ObjectId, live: &LiveObject) -> Ruled {
        plain().judge(id, live)
    }

    #[test]
    fn rows_of_a_distribution_are_silent_there_only() {
        let mut number = 0;
        for rule in rules().iter().filter(|rule| rule.only.is_some()) {
            number += 1;
            let (id, mut live) = example(rule);
            assert!(!grounds(rule).is_empty(), "{}: something tells", rule.rule);
            // Such objects are written by people elsewhere.
            live.managers = vec![written_by("kubectl-create")];
            for rules in grounds(rule) {
                let silent = matches!(rules.judge(&id, &live), Ruled::BuiltIn(found) if found.rule == rule.rule);
                assert_eq!(silent, rule.by_hand, "{}", rule.rule);
            }
            let elsewhere = judge(&id, &live);
            assert!(matches!(elsewhere, Ruled::No), "{}: {id}: {elsewhere:?}", rule.rule);
        }
        assert!(number > 40, "{number}");
        // Whatever is of a distribution says on which clusters it is, unless its kinds are of nobody else.
        for rule in rules() {
            let of_distribution = [
                "kind-",
                "k3s-",
                "gke-",
                "eks-",
                "aks-",
                "openshift-",
                "addon-",
                "local-path",
            ];
            let named = of_distribution.iter().any(|prefix| rule.rule.starts_with(prefix));
            let (_, group) = rule.kind_and_group();
            let own = ["gke.io", "aws", "amazonaws.com", "cattle.io", "openshift.io"];
            let own = own.iter().any(|suffix| group.ends_with(suffix));
            assert!(!named || own || rule.only.is_some(), "{}", rule.rule);
        }
    }

    #[test]
    fn every_row_fires() {
        assert!(rules().len() > 90, "the table is read");
        let mut names: Vec<&str> = rules().iter().map(|rule| rule.rule.as_str()).collect();
        for (rule, rules) in rules()
            .iter()
            .flat_map(|rule| grounds(rule).into_iter().map(move |one| (rule, one)))
        {
            let (id, live) = example(rule);
            match rules.judge(&id, &live) {
                Ruled::BuiltIn(found) => assert_eq!(found.rule, rule.rule, "{id}"),
                other => panic!("{}: {id}: {other:?}", rule.rule),
            }
            assert!(rule.reason.len() > 8, "{}", rule.rule);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), super::rules().len(), "names are unique");
    }

    #[test]
    fn a_row_does_not_hide_what_a_person_made_or_changed() {
        let id = ObjectId::new("", "ConfigMap", Some("shop"), "kube-root-ca.crt");
        let mut live = LiveObject {
            managers: vec![written_by("kubectl-create")],
            ..LiveObject::default()
        };
        assert!(matches!(judge(&id, &live), Ruled::No));
        live.managers.push(written_by("kube-controller-manager"));
        assert!(matches!(judge(&id, &live), Ruled::ChangedByHand(_)));
        live.managers.remove(0);
        assert!(matches!(judge(&id, &live), Ruled::BuiltIn(_)));
        let node = ObjectId::new("", "Node", None, "a");
        live.managers.push(written_by("kubectl"));
        assert!(matches!(judge(&node, &live), Ruled::BuiltIn(_)));
    }

    /// Every name that a row lists, not only that of its example.
    #[test]
    fn rights_that_kubeadm_gives_are_known_by_their_whole_names() {
        let of_kubeadm =
            |rule: &&Rule| rule.rule.starts_with("kubeadm-") && rule.kind.ends_with(".rbac.authorization.k8s.io");
        let mut number = 0;
        for rule in rules().iter().filter(of_kubeadm) {
            let names = match &rule.name {
                Names::Any => panic!("{}: of any name", rule.rule),
                Names::One(name) => vec![name.clone()],
                Names::Several(names) => names.clone(),
            };
            for name in names {
                number += 1;
                let (mut id, mut live) = example(rule);
                // Before 1.24 the version was a part of it.
                id.name = name.replace('*', "23");
                live.managers = vec![written_by("kubeadm")];
                assert!(
                    matches!(judge(&id, &live), Ruled::BuiltIn(found) if found.rule == rule.rule),
                    "{id}"
                );
                live.managers.push(written_by("kubectl-edit"));
                assert!(matches!(judge(&id, &live), Ruled::ChangedByHand(_)), "{id}");
                live.managers.remove(0);
                assert!(matches!(judge(&id, &live), Ruled::No), "{id}");
            }
        }
        assert_eq!(number, 19);
        for (kind, namespace, name) in [
            ("Role", Some("kube-system"), "system:evil"),
            ("Role", Some("kube-system"), "kubeadm:evil"),
            ("Role", Some("kube-public"), "kubeadm:nodes-kubeadm-config"),
            ("Role", Some("kube-evil"), "kube-proxy"),
            ("RoleBinding", Some("kube-system"), "kubeadm:evil"),
            ("RoleBinding", Some("kube-node-lease"), "kube-proxy"),
            ("ClusterRole", None, "kubeadm:evil"),
            ("ClusterRoleBinding", None, "kubeadm:evil"),
        ] {
            let id = ObjectId::new("rbac.authorization.k8s.io", kind, namespace, name);
            // Whoever wrote it, and where nobody is known to have.
            for managers in [
                Vec::new(),
                vec![written_by("kubeadm")],
                vec![written_by("kubectl-create")],
            ] {
                let live = LiveObject {
                    managers,
                    ..LiveObject::default()
                };
                assert!(matches!(judge(&id, &live), Ruled::No), "{id}");
            }
        }
    }

    #[test]
    fn kinds_of_which_nothing_is_a_finding() {
        for (group, kind, never) in [
            ("coordination.k8s.io", "Lease", true),
            ("", "Event", true),
            ("", "Node", true),
            ("storage.k8s.io", "CSIStorageCapacity", false),
            ("", "ConfigMap", false),
            ("apps", "Deployment", false),
        ] {
            assert_eq!(is_never_a_finding(&GroupKind::new(group, kind)), never, "{kind}");
        }
    }

    #[test]
    fn what_people_make_is_no_rule_s() {
        for id in [
            ObjectId::new("", "ConfigMap", Some("shop"), "settings"),
            ObjectId::new("", "Namespace", None, "shop"),
            ObjectId::new("apps", "Deployment", Some("kube-system"), "miner"),
            ObjectId::new("rbac.authorization.k8s.io", "ClusterRole", None, "system:evil"),
            ObjectId::new("", "Secret", Some("shop"), "db"),
        ] {
            assert!(matches!(judge(&id, &LiveObject::default()), Ruled::No), "{id}");
        }
    }
}
