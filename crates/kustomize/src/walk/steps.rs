//! The transformers that a kustomization asks for by its fields, in kustomize's order, and how each is run.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::Origins;
use crate::annotate;
use crate::config::Config;
use crate::context::Context;
use crate::kustomization::Kustomization;
use crate::origin::Setter;
use crate::resmap::ResMap;
use crate::shared::By;
use crate::trace;
use crate::transform::patches::{Patch, PatchJson6902, PatchStrategicMerge};
use crate::transform::{affix, annotations, images, labels, namespace, patches, replacements, replicas};
use crate::trouble::{Outcome, Trouble};
use crate::walk::accumulate::Accumulator;
use crate::walk::target::{Target, Walk};

/// What a step does.
pub(crate) type Run<'s> = Box<dyn FnOnce(&mut ResMap, &Context<'_>) -> Outcome<()> + 's>;

/// A transformer that is ready to run.
pub(crate) struct Step<'s> {
    /// The field that asks for it.
    pub field: String,
    /// The file whose text decides, when it is another than the kustomization.
    pub file: Option<String>,
    /// For `buildMetadata`.
    pub note: Option<annotate::Step>,
    pub run: Run<'s>,
}

/// The steps of a kustomization, and what is wrong with them.
struct Planned<'s, 't, 'f> {
    target: &'t Target<'t, 'f>,
    /// What kustomize does in one step is done entry by entry.
    apart: bool,
    steps: Vec<Step<'s>>,
    troubles: Vec<(Trouble, String)>,
}

impl<'s> Planned<'s, '_, '_> {
    fn add(&mut self, kind: &str, field: String, file: Option<String>, run: Outcome<Run<'s>>) {
        match run {
            Ok(run) => {
                let mark = self.target.mark.as_ref();
                let note = mark.map(|mark| mark.built_in(self.target.file_name(), kind));
                self.steps.push(Step { field, file, note, run });
            }
            Err(trouble) => self.troubles.push((trouble, field)),
        }
    }
}

impl<'f> Walk<'_, 'f> {
    /// Runs all transformers of a kustomization; where something is broken they are only read.
    pub fn transform(&self, target: &Target<'_, 'f>, acc: &mut Accumulator) {
        let kustomization = Arc::clone(&target.kustomization);
        let reader = self.reader(&target.place);
        let schema = self.schema();
        let config = acc.config();
        let cx = Context {
            schema: &schema,
            config: &config,
            files: &reader,
        };
        let mut steps = self.built_in_steps(target, &kustomization, &cx, acc);
        steps.extend(self.plugin_steps(target, &kustomization.transformers, "transformers", acc));
        for step in steps {
            if acc.broken {
                return;
            }
            let field = step.field.clone();
            if let Err(trouble) = self.run(target, step, &cx, &mut acc.map) {
                self.break_off(target, acc, trouble, &field);
            }
        }
    }

    /// Runs one step, and keeps what it did.
    pub fn run(&self, target: &Target<'_, 'f>, step: Step<'_>, cx: &Context<'_>, map: &mut ResMap) -> Outcome<()> {
        self.meter.work(map.list.len() + 1)?;
        let before = (self.kustomize.options.origins == Origins::Fields).then(|| trace::snapshot(map));
        (step.run)(map, cx)?;
        map.list.iter_mut().for_each(|resource| resource.settle(By::Setting));
        if let Some(note) = &step.note {
            map.list.iter_mut().for_each(|resource| note.note_transformed(resource));
        }
        let is_there = |value: &Value| match value {
            Value::Null => false,
            Value::Object(fields) => !fields.is_empty(),
            Value::Array(items) => !items.is_empty(),
            _ => true,
        };
        map.list.retain(|resource| is_there(&resource.value));
        if let Some(before) = before {
            let setter = setter(target, step.file, &step.field);
            self.trace(map, &before, &setter, cx);
        }
        Ok(())
    }

    /// Writes down who set the fields that differ.
    pub fn trace(&self, map: &mut ResMap, before: &HashMap<usize, Arc<Value>>, setter: &Setter, cx: &Context<'_>) {
        for resource in &mut map.list {
            if resource.serial == 0 {
                resource.serial = self.serial();
            }
            let Some(old) = before.get(&resource.serial) else {
                continue;
            };
            if !Arc::ptr_eq(old, &resource.value) {
                let paths = trace::changed(old, &resource.value, cx.schema);
                trace::write(&mut Arc::make_mut(&mut resource.trail).fields, paths, setter);
            }
        }
    }

    fn built_in_steps<'s>(
        &self,
        target: &Target<'_, 'f>,
        kustomization: &'s Kustomization,
        cx: &Context<'_>,
        acc: &mut Accumulator,
    ) -> Vec<Step<'s>> {
        let apart = self.kustomize.options.origins == Origins::Fields;
        let mut planned = Planned {
            target,
            apart,
            steps: Vec::new(),
            troubles: Vec::new(),
        };
        planned.add_patches(kustomization, cx);
        planned.add_names(kustomization);
        planned.add_labels(kustomization, cx.config);
        planned.add_json_patches(kustomization, cx);
        planned.add_values(kustomization, cx);
        for (trouble, field) in planned.troubles {
            self.break_off(target, acc, trouble, &field);
        }
        planned.steps
    }
}

/// Who sets what a step sets.
pub(crate) fn setter(target: &Target<'_, '_>, file: Option<String>, field: &str) -> Setter {
    Setter {
        file: file.map_or_else(|| Arc::clone(&target.file), Arc::from),
        field: field.into(),
        kustomization: Arc::clone(&target.file),
    }
}

impl<'s> Planned<'s, '_, '_> {
    fn add_patches(&mut self, kustomization: &'s Kustomization, cx: &Context<'_>) {
        let paths = &kustomization.patches_strategic_merge;
        // kustomize does them all at once; one by one it can be told who set a field.
        let size = if self.apart { 1 } else { paths.len().max(1) };
        for (at, paths) in paths.chunks(size).enumerate() {
            let field = if self.apart {
                format!("patchesStrategicMerge[{at}]")
            } else {
                "patchesStrategicMerge".to_owned()
            };
            let file = paths
                .first()
                .filter(|_| self.apart)
                .and_then(|path| cx.files.label(path));
            let spec = PatchStrategicMerge {
                paths: paths.to_vec(),
                patches: String::new(),
            };
            let run: Run<'s> = Box::new(move |map, cx| patches::apply_strategic_merge(map, &spec, cx));
            self.add("PatchStrategicMergeTransformer", field, file, Ok(run));
        }
        for (at, patch) in kustomization.patches.iter().enumerate() {
            let run: Run<'s> = Box::new(move |map, cx| patches::apply_one(map, patch, cx));
            self.add_patch("PatchTransformer", format!("patches[{at}]"), patch, run, cx);
        }
    }

    fn add_patch(&mut self, kind: &str, field: String, patch: &Patch, run: Run<'s>, cx: &Context<'_>) {
        let file = match patch.path.as_str() {
            "" => Ok(None),
            path => cx.files.check(path).map(Some),
        };
        match file {
            Ok(file) => self.add(kind, field, file, Ok(run)),
            Err(trouble) => self.add(kind, format!("{field}.path"), None, Err(trouble)),
        }
    }

    fn add_names(&mut self, kustomization: &'s Kustomization) {
        if !kustomization.namespace.is_empty() {
            let spec = namespace::Spec::new(&kustomization.namespace);
            let run: Run<'s> = Box::new(move |map, cx| namespace::apply(map, &spec, cx));
            self.add("NamespaceTransformer", "namespace".to_owned(), None, Ok(run));
        }
        for (affix, end, kind, field) in [
            (
                &kustomization.name_prefix,
                affix::End::Prefix,
                "PrefixTransformer",
                "namePrefix",
            ),
            (
                &kustomization.name_suffix,
                affix::End::Suffix,
                "SuffixTransformer",
                "nameSuffix",
            ),
        ] {
            if !affix.is_empty() {
                let spec = affix::Spec::new(end, affix);
                let run: Run<'s> = Box::new(move |map, cx| affix::apply(map, &spec, cx));
                self.add(kind, field.to_owned(), None, Ok(run));
            }
        }
    }

    fn add_labels(&mut self, kustomization: &'s Kustomization, config: &Config) {
        for (at, entry) in kustomization.labels.iter().enumerate() {
            let spec = labels::Spec::from_entry(entry, config);
            let run = spec.map(|spec| -> Run<'s> { Box::new(move |map, cx| labels::apply(map, &spec, cx)) });
            self.add("LabelTransformer", format!("labels[{at}]"), None, run);
        }
        if !kustomization.labels.is_empty() || !kustomization.common_labels.is_empty() {
            let spec = labels::Spec::common(kustomization.common_labels.clone());
            let run: Run<'s> = Box::new(move |map, cx| labels::apply(map, &spec, cx));
            self.add("LabelTransformer", "commonLabels".to_owned(), None, Ok(run));
        }
        if !kustomization.common_annotations.is_empty() {
            let spec = annotations::Spec::new(kustomization.common_annotations.clone());
            let run: Run<'s> = Box::new(move |map, cx| annotations::apply(map, &spec, cx));
            self.add("AnnotationsTransformer", "commonAnnotations".to_owned(), None, Ok(run));
        }
    }

    fn add_json_patches(&mut self, kustomization: &'s Kustomization, cx: &Context<'_>) {
        for (at, patch) in kustomization.patches_json6902.iter().enumerate() {
            let spec = PatchJson6902 {
                target: patch.target.clone(),
                path: patch.path.clone(),
                json_op: patch.patch.clone(),
            };
            let run: Run<'s> = Box::new(move |map, cx| patches::apply_json6902_one(map, &spec, cx));
            self.add_patch(
                "PatchJson6902Transformer",
                format!("patchesJson6902[{at}]"),
                patch,
                run,
                cx,
            );
        }
    }

    fn add_values(&mut self, kustomization: &'s Kustomization, cx: &Context<'_>) {
        for (at, entry) in kustomization.replicas.iter().enumerate() {
            let spec = replicas::Spec::new(entry.clone());
            let run: Run<'s> = Box::new(move |map, cx| replicas::apply(map, &spec, cx));
            self.add("ReplicaCountTransformer", format!("replicas[{at}]"), None, Ok(run));
        }
        for (at, entry) in kustomization.images.iter().enumerate() {
            let spec = images::Spec::new(vec![entry.clone()]);
            let run: Run<'s> = Box::new(move |map, cx| images::apply(map, &spec, cx));
            self.add("ImageTagTransformer", kustomization.field_of_image(at), None, Ok(run));
        }
        let entries = &kustomization.replacements;
        let size = if self.apart { 1 } else { entries.len().max(1) };
        for (at, entries) in entries.chunks(size).enumerate() {
            let spec = replacements::Spec::from_field(entries, cx);
            let run = spec.map(|spec| -> Run<'s> { Box::new(move |map, cx| replacements::apply(map, &spec, cx)) });
            let field = if self.apart {
                format!("replacements[{at}]")
            } else {
                "replacements".to_owned()
            };
            let path = entries
                .first()
                .and_then(|entry| entry.get("path"))
                .and_then(Value::as_str);
            let file = path.filter(|_| self.apart).and_then(|path| cx.files.label(path));
            self.add("ReplacementTransformer", field, file, run);
        }
    }
}
