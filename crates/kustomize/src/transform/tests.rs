//! Runs the transformers of fields on small kustomizations and compares with what kustomize v5.8.1 makes of them.
//!
//! A case is a file of `cases/`: files, each after a line `-- path --`, and in the end what `kustomize build` prints, after `-- out --`, or,
//! after `-- error --`, words that our error must have, of which kustomize's has the like.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{affix, annotations, images, labels, names, namespace, replicas};
use crate::config::Config;
use crate::context::{Context, Reads, parse};
use crate::origin::Origin;
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::schema::Schema;
use crate::trouble::{Outcome, Trouble};

struct Case<'c>(BTreeMap<&'c str, String>);

impl Reads for Case<'_> {
    fn read(&self, path: &str) -> Outcome<(Arc<[u8]>, String)> {
        let text = self
            .0
            .get(path)
            .ok_or_else(|| Trouble::new(format!("{path} is missing")))?;
        Ok((text.as_bytes().into(), path.to_owned()))
    }
}

fn case(text: &str) -> Case<'_> {
    let mut files = BTreeMap::new();
    let mut name = "";
    for line in text.lines() {
        match line.strip_prefix("-- ").and_then(|line| line.strip_suffix(" --")) {
            Some(path) => {
                name = path;
                files.insert(path, String::new());
            }
            None => files.entry(name).or_default().extend([line, "\n"]),
        }
    }
    Case(files)
}

impl Case<'_> {
    fn documents(&self, path: &str) -> Outcome<Vec<Value>> {
        let (bytes, _) = self.read(path)?;
        Ok(parse(&bytes)?
            .iter()
            .map(|parsed| Value::clone(&parsed.value))
            .collect())
    }

    /// Builds the kustomization of a folder, which ends with a slash where it has a name.
    fn build(&self, folder: &str, schema: &Schema) -> Outcome<(ResMap, Arc<Config>)> {
        let kustomization = self.documents(&format!("{folder}kustomization.yaml"))?.remove(0);
        let list = |name: &str| kustomization[name].as_array().cloned().unwrap_or_default();
        let paths = |name: &str| -> Vec<String> {
            let path = |value: &Value| {
                let path = value.as_str().unwrap_or_default();
                // Folders of cases are one deep where they lead upwards.
                path.strip_prefix("../")
                    .map_or_else(|| format!("{folder}{path}"), str::to_owned)
            };
            list(name).iter().map(path).collect()
        };
        let mut map = ResMap::default();
        let mut config = Config::from_files(&paths("configurations"), self)?;
        for path in paths("resources") {
            if path.ends_with(".yaml") {
                let fresh = |value| Resource::new(Arc::new(value), Arc::new(Origin::default()));
                map.append_all(self.documents(&path)?.into_iter().map(fresh), schema)?;
            } else {
                let (below, its) = self.build(&format!("{path}/"), schema)?;
                config = Config::merged(&its, &config)?;
                map.append_all(below.list, schema)?;
            }
        }
        let cx = Context {
            schema,
            config: &config,
            files: self,
        };
        transform(&mut map, &kustomization, &cx)?;
        for path in paths("transformers") {
            for plugin in self.documents(&path)? {
                apply_plugin(&mut map, &plugin, &cx)?;
            }
        }
        Ok((map, config))
    }

    fn output(&self) -> Outcome<Vec<Value>> {
        let schema = Schema::builtin();
        let (mut map, config) = self.build("", &schema)?;
        names::fix(
            &mut map,
            &Context {
                schema: &schema,
                config: &config,
                files: self,
            },
        )?;
        Ok(map
            .list
            .iter()
            .map(|resource| without_empty_annotations(&resource.value))
            .collect())
    }
}

/// kustomize takes away annotations that are empty; here the walk does.
fn without_empty_annotations(value: &Value) -> Value {
    let mut value = value.clone();
    if value["metadata"]["annotations"]
        .as_object()
        .is_some_and(serde_json::Map::is_empty)
    {
        value["metadata"]
            .as_object_mut()
            .map(|metadata| metadata.remove("annotations"));
    }
    value
}

fn transform(map: &mut ResMap, kustomization: &Value, cx: &Context<'_>) -> Outcome<()> {
    let text = |name: &str| kustomization[name].as_str().unwrap_or_default();
    let list = |name: &str| kustomization[name].as_array().cloned().unwrap_or_default();
    let texts = |name: &str| serde_json::from_value(kustomization[name].clone()).unwrap_or_default();
    namespace::apply(map, &namespace::Spec::new(text("namespace")), cx)?;
    for (end, name) in [(affix::End::Prefix, "namePrefix"), (affix::End::Suffix, "nameSuffix")] {
        if !text(name).is_empty() {
            affix::apply(map, &affix::Spec::new(end, text(name)), cx)?;
        }
    }
    for item in list("labels") {
        labels::apply(
            map,
            &labels::Spec::from_entry(&labels::Entry::from_field(&item)?, cx.config)?,
            cx,
        )?;
    }
    labels::apply(map, &labels::Spec::common(texts("commonLabels")), cx)?;
    annotations::apply(map, &annotations::Spec::new(texts("commonAnnotations")), cx)?;
    for item in list("replicas") {
        replicas::apply(map, &replicas::Spec::new(replicas::Entry::from_field(&item)?), cx)?;
    }
    let entries = list("images")
        .iter()
        .map(images::Entry::from_field)
        .collect::<Outcome<_>>()?;
    images::apply(map, &images::Spec::new(entries), cx)
}

fn apply_plugin(map: &mut ResMap, plugin: &Value, cx: &Context<'_>) -> Outcome<()> {
    match plugin["kind"].as_str().unwrap_or_default() {
        "NamespaceTransformer" => namespace::apply(map, &namespace::Spec::from_plugin(plugin)?, cx),
        "PrefixTransformer" => affix::apply(map, &affix::Spec::from_plugin(affix::End::Prefix, plugin)?, cx),
        "SuffixTransformer" => affix::apply(map, &affix::Spec::from_plugin(affix::End::Suffix, plugin)?, cx),
        "PrefixSuffixTransformer" => {
            let specs = [affix::End::Prefix, affix::End::Suffix].map(|end| affix::Spec::from_plugin(end, plugin));
            specs.into_iter().try_for_each(|spec| affix::apply(map, &spec?, cx))
        }
        "LabelTransformer" => labels::apply(map, &labels::Spec::from_plugin(plugin)?, cx),
        "AnnotationsTransformer" => annotations::apply(map, &annotations::Spec::from_plugin(plugin)?, cx),
        "ImageTagTransformer" => images::apply(map, &images::Spec::from_plugin(plugin)?, cx),
        "ReplicaCountTransformer" => replicas::apply(map, &replicas::Spec::from_plugin(plugin)?, cx),
        other => Err(Trouble::new(format!("no transformer {other}"))),
    }
}

macro_rules! cases {
    ($($name:ident)*) => {
        const CASES: &[(&str, &str)] = &[$((stringify!($name), include_str!(concat!("cases/", stringify!($name), ".txt")))),*];
    };
}

cases! {
    affix_plugin_bad affix_plugins affixes configurations configurations_conflict configurations_unknown images
    images_braces images_mapping images_plugin images_text_item labels labels_conflict labels_entries labels_on_list
    labels_plugin_on_memory labels_shared labels_through_text names names_affixes names_ambiguous_namespace
    names_ambiguous_subject names_blank_subject names_list_in_list names_namespaces names_no_name
    names_renamed_elsewhere names_suffixes names_text_on_the_way namespace namespace_conflict namespace_mapping
    namespace_plugin_allserviceaccounts_false namespace_plugin_allserviceaccounts_true namespace_plugin_bad
    namespace_plugin_defaultonly_false namespace_plugin_defaultonly_true namespace_plugin_none_false
    namespace_plugin_none_true namespace_subjects_text namespace_two_namespaces replicas replicas_none
}

#[test]
fn as_kustomize_does() {
    let mut wrong = Vec::new();
    for (name, text) in CASES {
        let case = case(text);
        match (case.output(), case.0.get("out"), case.0.get("error")) {
            (Ok(output), Some(_), _) => {
                let expected = case.documents("out").expect("the output of a case is YAML");
                if let Some(difference) = difference(&Value::Array(output), &Value::Array(expected), "") {
                    wrong.push(format!("{name}: {difference}"));
                }
            }
            (Err(trouble), None, Some(words)) if trouble.message.contains(words.trim()) => {}
            (output, ..) => wrong.push(format!("{name}: {output:#?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The first place where values differ.
fn difference(is: &Value, due: &Value, place: &str) -> Option<String> {
    let none = Value::Null;
    match (is, due) {
        _ if is == due => None,
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => a
            .iter()
            .find_map(|(key, is)| difference(is, b.get(key).unwrap_or(&none), &format!("{place}.{key}"))),
        (Value::Array(a), Value::Array(b)) => (0..a.len().max(b.len())).find_map(|at| {
            difference(
                a.get(at).unwrap_or(&none),
                b.get(at).unwrap_or(&none),
                &format!("{place}[{at}]"),
            )
        }),
        _ => Some(format!("{place} is {is} where {due} is due")),
    }
}
