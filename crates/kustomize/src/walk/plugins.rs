//! Generators, transformers and validators that objects describe, in files or inline. All that are built into kustomize are known;
//! others are programs: what a generator makes that is one is asked of [`Outside`](crate::Outside), the rest is refused by name.

use std::sync::Arc;

use serde_json::Value;

use crate::annotate;
use crate::context::{Context, Parsed, parse_strictly};
use crate::generate::{config_map, external, helm, iam, secret};
use crate::kustomization::shape::{PATCH, SELECTOR};
use crate::objects;
use crate::outside::not_run;
use crate::resource::Resource;
use crate::shape::{Manner, Shape, read};
use crate::transform::{
    affix, annotations, hash, images, labels, namespace, patches, replacements, replicas, value_add,
};
use crate::trouble::{Outcome, Trouble};
use crate::walk::accumulate::Accumulator;
use crate::walk::generators::{Generator, Make};
use crate::walk::steps::{Run, Step};
use crate::walk::target::{Target, Walk};

const STRATEGIC_MERGE: Shape = Shape::Fields(&[("paths", Shape::List(&Shape::Text)), ("patches", Shape::Text)]);

const JSON_6902: Shape = Shape::Fields(&[("target", SELECTOR), ("path", Shape::Text), ("jsonOp", Shape::Text)]);

/// The label that a validator may set.
const VALIDATED: &str = "validated-by";

impl<'f> Walk<'_, 'f> {
    /// The generators that objects describe.
    pub fn plugin_generators<'s>(
        &self,
        target: &Target<'_, 'f>,
        entries: &[String],
        acc: &mut Accumulator,
    ) -> Vec<Generator<'s>> {
        let described = self.described(target, entries, "generators", acc);
        let generator = |plugin: Resource| Generator {
            field: "generators".to_owned(),
            file: Some(Arc::clone(&plugin.trail.file)).filter(|file| !file.is_empty()),
            note: annotate::Step::of_plugin(&plugin),
            make: make(&plugin),
        };
        described.into_iter().map(generator).collect()
    }

    /// The transformers that objects describe.
    pub fn plugin_steps<'s>(
        &self,
        target: &Target<'_, 'f>,
        entries: &[String],
        field: &str,
        acc: &mut Accumulator,
    ) -> Vec<Step<'s>> {
        let described = self.described(target, entries, field, acc);
        if described.is_empty() {
            return Vec::new();
        }
        let reader = self.reader(&target.place);
        let schema = self.schema();
        let config = acc.config();
        let cx = Context {
            schema: &schema,
            config: &config,
            files: &reader,
        };
        let mut steps = Vec::new();
        for plugin in described {
            match run(&plugin, &cx, &target.place.folder) {
                Ok(run) => {
                    let file = Some(plugin.trail.file.to_string()).filter(|file| !file.is_empty());
                    let note = annotate::Step::of_plugin(&plugin);
                    steps.push(Step {
                        field: field.to_owned(),
                        file,
                        note,
                        run,
                    });
                }
                Err(trouble) => {
                    let file = plugin.trail.file.to_string();
                    let line = Some(plugin.trail.line).filter(|line| *line > 0);
                    let trouble = if file.is_empty() {
                        trouble
                    } else {
                        trouble.in_file(file, line)
                    };
                    self.break_off(target, acc, trouble, field);
                }
            }
        }
        steps
    }

    /// Runs the validators: transformers that may set the label `validated-by` and nothing else.
    pub fn validate(&self, target: &Target<'_, 'f>, acc: &mut Accumulator) {
        if target.kustomization.validators.is_empty() {
            return;
        }
        let steps = self.plugin_steps(target, &target.kustomization.validators, "validators", acc);
        let reader = self.reader(&target.place);
        let schema = self.schema();
        let config = acc.config();
        let cx = Context {
            schema: &schema,
            config: &config,
            files: &reader,
        };
        for step in steps {
            if acc.broken {
                return;
            }
            let before = acc.map.list.clone();
            let done = self
                .run(target, Step { note: None, ..step }, &cx, &mut acc.map)
                .and_then(|()| {
                    let same = before.len() == acc.map.list.len()
                        && before.iter().zip(&acc.map.list).all(|(old, new)| is_same(old, new));
                    match same {
                        true => Ok(()),
                        false => Err(Trouble::new("a validator should not change objects")),
                    }
                });
            if let Err(trouble) = done {
                self.break_off(target, acc, trouble, "validators");
            }
        }
    }

    /// The objects that entries have inline, then those of the files and kustomizations that the other entries name.
    fn described(
        &self,
        target: &Target<'_, 'f>,
        entries: &[String],
        field: &str,
        acc: &mut Accumulator,
    ) -> Vec<Resource> {
        let mut found = Accumulator::default();
        let (mut paths, mut places) = (Vec::new(), Vec::new());
        let schema = self.schema();
        let mark = target.mark.as_ref().map(|mark| mark.append(target.file_name()));
        for (at, entry) in entries.iter().enumerate() {
            let Ok(inline) = parse_strictly(entry.as_bytes()).and_then(|documents| objects::of(&documents)) else {
                paths.push(entry.clone());
                places.push(at);
                continue;
            };
            let mut index = found.map.index(&schema);
            for parsed in inline.iter() {
                let mut plugin = self.declared(
                    &Parsed {
                        line: 0,
                        ..parsed.clone()
                    },
                    &target.file,
                );
                if let Some(mark) = &mark {
                    annotate::set(&mut plugin, annotate::ORIGIN, mark.text());
                }
                if let Err(trouble) = found.map.append(plugin, &mut index, &schema) {
                    self.break_off(target, acc, trouble, &format!("{field}[{at}]"));
                }
            }
        }
        let name = |at: usize| format!("{field}[{}]", places.get(at).copied().unwrap_or(at));
        self.resources(target, &paths, &name, &mut found);
        acc.broken |= found.broken;
        match found.broken {
            true => Vec::new(),
            false => found.map.list,
        }
    }
}

/// Whether two states of an object differ in nothing but the label of validators. What kustomize remembers of it counts too: there it is
/// in annotations.
fn is_same(old: &Resource, new: &Resource) -> bool {
    let same_memories = old.previous == new.previous
        && old.prefixes == new.prefixes
        && old.suffixes == new.suffixes
        && old.referrers == new.referrers;
    let (old, new) = (&old.value, &new.value);
    if !same_memories || Arc::ptr_eq(old, new) || old == new {
        return same_memories;
    }
    let mut without = Value::clone(new);
    let metadata = without.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(metadata) = metadata
        && let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut)
    {
        labels.shift_remove(VALIDATED);
        if labels.is_empty() {
            metadata.shift_remove("labels");
        }
    }
    **old == without
}

/// The kind of a plugin that is built in.
fn built_in(plugin: &Resource) -> Outcome<&str> {
    match plugin.group_version() {
        ("", "builtin") => Ok(plugin.kind()),
        _ => Err(Trouble::new(not_run(plugin.kind()))),
    }
}

fn make<'s>(plugin: &Resource) -> Outcome<Make<'s>> {
    let config = &plugin.value;
    let Ok(kind) = built_in(plugin) else {
        let plugin = plugin.clone();
        return Ok(Box::new(move |_, reader| external::generate(&plugin, reader)));
    };
    Ok(match kind {
        "ConfigMapGenerator" => {
            let spec = config_map::Spec::from_plugin(config)?;
            Box::new(move |cx, _| config_map::generate(&spec, cx))
        }
        "SecretGenerator" => {
            let spec = secret::Spec::from_plugin(config)?;
            Box::new(move |cx, _| secret::generate(&spec, cx))
        }
        "IAMPolicyGenerator" => {
            let spec = iam::Spec::from_plugin(config)?;
            Box::new(move |_, _| iam::generate(&spec))
        }
        "HelmChartInflationGenerator" => {
            let spec = helm::Spec::from_plugin(config)?;
            Box::new(move |_, reader| helm::generate(&spec, reader))
        }
        kind => return Err(Trouble::new(format!("\"{kind}\" is no generator that is built in"))),
    })
}

fn run<'s>(plugin: &Resource, cx: &Context<'_>, folder: &str) -> Outcome<Run<'s>> {
    let config = &*plugin.value;
    Ok(match built_in(plugin)? {
        "AnnotationsTransformer" => {
            let spec = annotations::Spec::from_plugin(config)?;
            Box::new(move |map, cx| annotations::apply(map, &spec, cx))
        }
        "HashTransformer" => Box::new(hash::apply),
        "ImageTagTransformer" => {
            let spec = images::Spec::from_plugin(config)?;
            Box::new(move |map, cx| images::apply(map, &spec, cx))
        }
        "LabelTransformer" => {
            let spec = labels::Spec::from_plugin(config)?;
            Box::new(move |map, cx| labels::apply(map, &spec, cx))
        }
        "NamespaceTransformer" => {
            let spec = namespace::Spec::from_plugin(config)?;
            Box::new(move |map, cx| namespace::apply(map, &spec, cx))
        }
        "PatchTransformer" => {
            let spec: patches::Patch = read(config, &PATCH, Manner::Lenient)?;
            Box::new(move |map, cx| patches::apply_one(map, &spec, cx))
        }
        "PatchStrategicMergeTransformer" => {
            let spec: patches::PatchStrategicMerge = read(config, &STRATEGIC_MERGE, Manner::Lenient)?;
            Box::new(move |map, cx| patches::apply_strategic_merge(map, &spec, cx))
        }
        "PatchJson6902Transformer" => {
            let spec: patches::PatchJson6902 = read(config, &JSON_6902, Manner::Lenient)?;
            Box::new(move |map, cx| patches::apply_json6902_one(map, &spec, cx))
        }
        "PrefixTransformer" => affixes(&[affix::End::Prefix], config)?,
        "SuffixTransformer" => affixes(&[affix::End::Suffix], config)?,
        "PrefixSuffixTransformer" => affixes(&[affix::End::Prefix, affix::End::Suffix], config)?,
        "ReplacementTransformer" => {
            let spec = replacements::Spec::from_plugin(config, cx)?;
            Box::new(move |map, cx| replacements::apply(map, &spec, cx))
        }
        "ReplicaCountTransformer" => {
            let spec = replicas::Spec::from_plugin(config)?;
            Box::new(move |map, cx| replicas::apply(map, &spec, cx))
        }
        "ValueAddTransformer" => {
            let spec = value_add::Spec::from_plugin(config, cx, folder)?;
            Box::new(move |map, cx| value_add::apply(map, &spec, cx))
        }
        kind => return Err(Trouble::new(format!("\"{kind}\" is no transformer that is built in"))),
    })
}

fn affixes<'s>(ends: &[affix::End], config: &Value) -> Outcome<Run<'s>> {
    let specs = ends.iter().map(|end| affix::Spec::from_plugin(*end, config));
    let specs = specs.collect::<Outcome<Vec<affix::Spec>>>()?;
    Ok(Box::new(move |map, cx| {
        specs.iter().try_for_each(|spec| affix::apply(map, spec, cx))
    }))
}
