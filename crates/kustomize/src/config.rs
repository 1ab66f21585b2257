//! Which fields of which kinds the transformers touch: kustomize's tables, and those that kustomizations add to them.

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::context::Reads;
use crate::id::Id;
use crate::shape::{Manner, Shape, read};
use crate::transform::names::Index;
use crate::trouble::{Outcome, Trouble};

/// A field of some kinds.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct FieldSpec {
    /// Empty for any.
    pub group: String,
    /// Empty for any.
    pub version: String,
    /// Empty for any.
    pub kind: String,
    /// As kustomize writes it: `spec/template/spec/containers[]/image`, `\/` for a slash in a key.
    pub path: String,
    /// The field is made where it is not there.
    pub create: bool,
}

/// A kind that others name, and the fields that do so.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct NameReference {
    /// Empty for any.
    pub group: String,
    /// Empty for any.
    pub version: String,
    /// Empty for any.
    pub kind: String,
    pub field_specs: Vec<FieldSpec>,
}

/// The tables of one accumulation, in kustomize's order.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Config {
    pub name_prefix: Vec<FieldSpec>,
    pub name_suffix: Vec<FieldSpec>,
    pub namespace: Vec<FieldSpec>,
    pub common_labels: Vec<FieldSpec>,
    /// What `configurations` add to every entry of `labels`; kustomize itself has none.
    pub labels: Vec<FieldSpec>,
    /// Only metadata and templates, for `labels` with `includeTemplates`.
    pub template_labels: Vec<FieldSpec>,
    pub common_annotations: Vec<FieldSpec>,
    pub name_reference: Vec<NameReference>,
    pub var_reference: Vec<FieldSpec>,
    pub images: Vec<FieldSpec>,
    pub replicas: Vec<FieldSpec>,
    /// `name_reference` by the kind that names; filled as it is used.
    #[serde(skip)]
    pub by_referrer: Index,
}

/// How `configurations` files and plugin files write a [`FieldSpec`].
pub(crate) const FIELD_SPEC: Shape = Shape::Fields(&[
    ("group", Shape::Text),
    ("version", Shape::Text),
    ("kind", Shape::Text),
    ("path", Shape::Text),
    ("create", Shape::Flag),
]);

/// A table of them.
pub(crate) const FIELD_SPECS: Shape = Shape::List(&FIELD_SPEC);

/// How `configurations` files write a [`Config`].
const CONFIG: Shape = Shape::Fields(&[
    ("namePrefix", FIELD_SPECS),
    ("nameSuffix", FIELD_SPECS),
    ("namespace", FIELD_SPECS),
    ("commonLabels", FIELD_SPECS),
    ("labels", FIELD_SPECS),
    ("templateLabels", FIELD_SPECS),
    ("commonAnnotations", FIELD_SPECS),
    (
        "nameReference",
        Shape::List(&Shape::Fields(&[
            ("group", Shape::Text),
            ("version", Shape::Text),
            ("kind", Shape::Text),
            ("fieldSpecs", FIELD_SPECS),
        ])),
    ),
    ("varReference", FIELD_SPECS),
    ("images", FIELD_SPECS),
    ("replicas", FIELD_SPECS),
]);

/// Whether a group, version and kind are those asked for, of which any may be empty for any (kustomize's `Gvk.IsSelected`).
pub(crate) fn selects(asked: (&str, &str, &str), group: &str, version: &str, kind: &str) -> bool {
    let fits = |asked: &str, is: &str| asked.is_empty() || asked == is;
    fits(asked.2, kind) && fits(asked.0, group) && fits(asked.1, version)
}

impl FieldSpec {
    pub fn new(path: &str, create: bool) -> Self {
        FieldSpec {
            path: path.to_owned(),
            create,
            ..FieldSpec::default()
        }
    }

    /// Group, version and kind, any of them empty for any.
    pub fn gvk(&self) -> (&str, &str, &str) {
        (&self.group, &self.version, &self.kind)
    }

    /// Whether it is for objects of this group, version and kind.
    pub fn is_for(&self, id: Id<'_>) -> bool {
        selects(self.gvk(), id.group, id.version, id.kind)
    }
}

/// Adds a field to a table. One that is there already (the same path, of a kind that the new one selects) is not added again, and is
/// an error when it differs in `create` (kustomize's `FsSlice.MergeOne`).
pub(crate) fn add(table: &mut Vec<FieldSpec>, spec: &FieldSpec) -> Outcome<()> {
    let same = |had: &&FieldSpec| had.path == spec.path && selects(spec.gvk(), &had.group, &had.version, &had.kind);
    match table.iter().find(same) {
        Some(had) if had.create != spec.create => Err(Trouble::new(format!(
            "conflicting fieldspecs: {:?} both with and without create",
            spec.path
        ))),
        Some(_) => Ok(()),
        None => {
            table.push(spec.clone());
            Ok(())
        }
    }
}

/// [`add`]s all.
pub(crate) fn add_all(table: &mut Vec<FieldSpec>, more: &[FieldSpec]) -> Outcome<()> {
    more.iter().try_for_each(|spec| add(table, spec))
}

/// [`add`]s the fields that name a kind.
pub(crate) fn add_reference(table: &mut Vec<NameReference>, more: &NameReference) -> Outcome<()> {
    match table.iter_mut().find(|had| had.gvk() == more.gvk()) {
        Some(had) => add_all(&mut had.field_specs, &more.field_specs),
        None => {
            table.push(more.clone());
            Ok(())
        }
    }
}

impl NameReference {
    /// Group, version and kind, any of them empty for any.
    pub fn gvk(&self) -> (&str, &str, &str) {
        (&self.group, &self.version, &self.kind)
    }
}

impl Config {
    /// kustomize's own tables (its `builtinpluginconsts`).
    pub fn builtin() -> Arc<Config> {
        static BUILTIN: OnceLock<Arc<Config>> = OnceLock::new();
        Arc::clone(BUILTIN.get_or_init(|| Arc::new(builtin())))
    }

    /// kustomize's own tables and those of the files that `configurations` names.
    pub fn from_files(paths: &[String], files: &dyn Reads) -> Outcome<Arc<Config>> {
        if paths.is_empty() {
            return Ok(Config::builtin());
        }
        let mut added = Config::default();
        for path in paths {
            let (documents, file) = files.documents(path)?;
            let Some(first) = documents.first() else { continue };
            let read = Config::read(&first.value).and_then(|config| added.merge(&config));
            added = read.map_err(|trouble| trouble.in_file(file, Some(first.line)))?;
        }
        Config::builtin().merge(&added).map(Arc::new)
    }

    /// Reads a `configurations` file.
    pub fn read(value: &Value) -> Outcome<Config> {
        let mut config: Config = read(value, &CONFIG, Manner::Strict)?;
        config.sort();
        Ok(config)
    }

    /// The tables of both. [`Config::merged`] is to be preferred where both are shared.
    pub fn merge(&self, other: &Config) -> Outcome<Config> {
        let mut merged = self.clone();
        merged.by_referrer = Index::default();
        let pairs = merged.tables_mut().into_iter().zip(other.tables());
        for ((name, table), (_, more)) in pairs {
            add_all(table, more).map_err(|trouble| Trouble::new(format!("{name}: {}", trouble.message)))?;
        }
        for more in &other.name_reference {
            let added = add_reference(&mut merged.name_reference, more);
            added.map_err(|trouble| Trouble::new(format!("nameReference: {}", trouble.message)))?;
        }
        merged.sort();
        Ok(merged)
    }

    /// The tables of both, shared where one has all that the other has: nearly always both are the built-in ones.
    pub fn merged(one: &Arc<Config>, other: &Arc<Config>) -> Outcome<Arc<Config>> {
        if Arc::ptr_eq(one, other) || **other == Config::default() {
            return Ok(Arc::clone(one));
        }
        if **one == Config::default() {
            return Ok(Arc::clone(other));
        }
        one.merge(other).map(Arc::new)
    }

    fn tables(&self) -> [(&'static str, &[FieldSpec]); 10] {
        [
            ("namePrefix", &self.name_prefix),
            ("nameSuffix", &self.name_suffix),
            ("namespace", &self.namespace),
            ("commonLabels", &self.common_labels),
            ("labels", &self.labels),
            ("templateLabels", &self.template_labels),
            ("commonAnnotations", &self.common_annotations),
            ("varReference", &self.var_reference),
            ("images", &self.images),
            ("replicas", &self.replicas),
        ]
    }

    fn tables_mut(&mut self) -> [(&'static str, &mut Vec<FieldSpec>); 10] {
        [
            ("namePrefix", &mut self.name_prefix),
            ("nameSuffix", &mut self.name_suffix),
            ("namespace", &mut self.namespace),
            ("commonLabels", &mut self.common_labels),
            ("labels", &mut self.labels),
            ("templateLabels", &mut self.template_labels),
            ("commonAnnotations", &mut self.common_annotations),
            ("varReference", &mut self.var_reference),
            ("images", &mut self.images),
            ("replicas", &mut self.replicas),
        ]
    }

    fn sort(&mut self) {
        for (_, table) in self.tables_mut() {
            table.sort_by(|a, b| order(a.gvk(), b.gvk()));
        }
        self.name_reference.sort_by(|a, b| order(a.gvk(), b.gvk()));
    }
}

/// Kinds that kustomize sorts before all others, in its order.
pub(crate) const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Kinds that kustomize sorts after all others.
pub(crate) const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// kustomize's order of kinds (its `Gvk.IsLessThan`): group, version and kind of each.
pub(crate) fn order(a: (&str, &str, &str), b: (&str, &str, &str)) -> Ordering {
    fn rank(kind: &str) -> usize {
        let first = FIRST.iter().position(|first| *first == kind);
        let last = || {
            LAST.iter()
                .position(|last| *last == kind)
                .map(|at| FIRST.len() + 1 + at)
        };
        first.or_else(last).unwrap_or(FIRST.len())
    }
    fn text((group, version, kind): (&str, &str, &str)) -> String {
        let or = |text: &str, none: &str| {
            if text.is_empty() {
                none.to_owned()
            } else {
                text.to_owned()
            }
        };
        format!("{}_{}_{}", or(group, "~G"), or(version, "~V"), or(kind, "~K"))
    }
    rank(a.2).cmp(&rank(b.2)).then_with(|| text(a).cmp(&text(b)))
}

fn builtin() -> Config {
    let template_labels = fields(include_str!("../config/template-labels.yaml"));
    let mut common_labels = fields(include_str!("../config/selectors.yaml"));
    common_labels.extend(template_labels.iter().cloned());
    let mut config = Config {
        name_prefix: fields(include_str!("../config/affixes.yaml")),
        name_suffix: fields(include_str!("../config/affixes.yaml")),
        namespace: fields(include_str!("../config/namespace.yaml")),
        common_labels,
        labels: Vec::new(),
        template_labels,
        common_annotations: fields(include_str!("../config/annotations.yaml")),
        name_reference: references(include_str!("../config/names.yaml")),
        var_reference: fields(include_str!("../config/variables.yaml")),
        images: fields(include_str!("../config/images.yaml")),
        replicas: fields(include_str!("../config/replicas.yaml")),
        by_referrer: Index::default(),
    };
    config.sort();
    config
}

fn table(text: &str) -> Value {
    let mut documents = kube_yaml::parse(text.as_bytes()).into_iter();
    // The tables are compiled in, and a test counts their rows.
    documents
        .next()
        .and_then(|document| document.value.ok())
        .unwrap_or_default()
}

/// `Kind.group/version`, of which group and version may be left out for any, and `*` for any kind: group, version, kind.
fn kind(text: &str) -> (&str, &str, &str) {
    let (text, version) = text.rsplit_once('/').unwrap_or((text, ""));
    let (kind, group) = text.split_once('.').unwrap_or((text, ""));
    (group, version, if kind == "*" { "" } else { kind })
}

/// The rows of a table of the form `kind: [path, path+]`, where `+` stands for `create`.
fn rows(table: &Value) -> Vec<FieldSpec> {
    let mut rows = Vec::new();
    for (key, paths) in table.as_object().into_iter().flatten() {
        let (group, version, kind) = kind(key);
        for path in paths.as_array().into_iter().flatten().filter_map(Value::as_str) {
            let (path, create) = path.strip_suffix('+').map_or((path, false), |path| (path, true));
            rows.push(FieldSpec {
                group: group.to_owned(),
                version: version.to_owned(),
                kind: kind.to_owned(),
                path: path.to_owned(),
                create,
            });
        }
    }
    rows
}

fn fields(text: &str) -> Vec<FieldSpec> {
    rows(&table(text))
}

fn references(text: &str) -> Vec<NameReference> {
    let table = table(text);
    let reference = |(key, value): (&String, &Value)| {
        let (group, version, kind) = kind(key);
        NameReference {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            field_specs: rows(value),
        }
    };
    table.as_object().into_iter().flatten().map(reference).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn has_the_tables_of_kustomize() {
        let config = Config::builtin();
        let sizes = config.tables().map(|(name, table)| (name, table.len()));
        let expected = [
            ("namePrefix", 1),
            ("nameSuffix", 1),
            ("namespace", 3),
            ("commonLabels", 32),
            ("labels", 0),
            ("templateLabels", 10),
            ("commonAnnotations", 9),
            ("varReference", 72),
            ("images", 6),
            ("replicas", 4),
        ];
        assert_eq!(sizes, expected);
        let references = config
            .name_reference
            .iter()
            .map(|reference| (reference.kind.as_str(), reference.field_specs.len()));
        let expected = [
            ("StorageClass", 3),
            ("ServiceAccount", 9),
            ("Role", 1),
            ("ClusterRole", 2),
            ("ConfigMap", 52),
            ("Secret", 69),
            ("Service", 8),
            ("PriorityClass", 7),
            ("PersistentVolume", 2),
            ("PersistentVolumeClaim", 7),
            ("Deployment", 1),
            ("StatefulSet", 1),
            ("ValidatingAdmissionPolicy", 1),
            ("IngressClass", 1),
            ("ReplicaSet", 1),
            ("ReplicationController", 1),
        ];
        assert_eq!(references.collect::<Vec<_>>(), expected);
        let ingress_class = config
            .name_reference
            .iter()
            .find(|reference| reference.kind == "IngressClass");
        let ingress_class = ingress_class.expect("it is in the table");
        assert_eq!(ingress_class.gvk(), ("networking.k8s.io/v1", "v1", "IngressClass"));
        let claims = config
            .template_labels
            .iter()
            .find(|spec| spec.path.contains("[]"))
            .expect("it is in the table");
        assert_eq!((claims.gvk(), claims.create), (("apps", "", "StatefulSet"), true));
    }

    #[test]
    fn merging_the_same_changes_nothing() {
        let builtin = Config::builtin();
        assert_eq!(builtin.merge(&builtin).as_ref(), Ok(&*builtin));
        assert_eq!(Config::default().merge(&builtin).as_ref(), Ok(&*builtin));
        let empty = Arc::new(Config::default());
        assert!(Config::merged(&empty, &builtin).is_ok_and(|merged| Arc::ptr_eq(&merged, &builtin)));
        assert!(Config::merged(&builtin, &empty).is_ok_and(|merged| Arc::ptr_eq(&merged, &builtin)));
    }

    #[test]
    fn adds_what_is_new() {
        let spec = |kind: &str, create| FieldSpec {
            kind: kind.to_owned(),
            ..FieldSpec::new("spec/a", create)
        };
        // What is there, what is added, how many there are then; none for a conflict.
        let cases = [
            (spec("A", true), spec("B", true), Some(2)),
            (spec("A", true), spec("A", true), Some(1)),
            (spec("A", true), spec("", true), Some(1)),
            (spec("", true), spec("A", true), Some(2)),
            (spec("", true), spec("A", false), Some(2)),
            (spec("A", true), spec("A", false), None),
            (spec("A", true), spec("", false), None),
        ];
        for (had, more, expected) in cases {
            let mut table = vec![had.clone()];
            let added = add(&mut table, &more).ok().map(|()| table.len());
            assert_eq!(added, expected, "{had:?} and {more:?}");
        }
    }

    #[test]
    fn reads_references_of_a_kind_together() {
        let more = json!({"NameReference": [
            {"kind": "ConfigMap", "version": "v1", "fieldSpecs": [{"path": "spec/ref", "kind": "Thing"}]},
            {"kind": "ConfigMap", "fieldSpecs": [{"path": "spec/ref", "kind": "Thing"}]},
        ]});
        let merged = Config::builtin()
            .merge(&Config::read(&more).expect("a good file"))
            .expect("no conflict");
        let of = merged
            .name_reference
            .iter()
            .filter(|reference| reference.kind == "ConfigMap");
        let sizes: Vec<_> = of
            .map(|reference| (reference.version.as_str(), reference.field_specs.len()))
            .collect();
        assert_eq!(sizes, [("v1", 53), ("", 1)]);
    }

    #[test]
    fn orders_kinds() {
        let sorted = [
            ("", "", "Namespace"),
            ("", "v1", "Service"),
            ("policy", "", "PodDisruptionBudget"),
            ("apps", "", "ReplicaSet"),
            ("apps", "v1", "Other"),
            ("", "", ""),
            ("", "", "Pod"),
            ("", "", "MutatingWebhookConfiguration"),
            ("", "", "ValidatingWebhookConfiguration"),
        ];
        let mut again = sorted;
        again.reverse();
        again.sort_by(|a, b| order(*a, *b));
        // `~` is after all letters, so that what has a version comes before what has none.
        assert_eq!(
            again[3..7],
            [
                ("apps", "v1", "Other"),
                ("apps", "", "ReplicaSet"),
                ("", "", "Pod"),
                ("", "", "")
            ]
        );
        assert_eq!((&again[..3], &again[7..]), (&sorted[..3], &sorted[7..]));
    }
}
