//! What a kustomization generates.

use std::sync::Arc;

use crate::Origins;
use crate::annotate;
use crate::context::Context;
use crate::generate::{config_map, helm, secret};
use crate::origin::Origin;
use crate::resource::Resource;
use crate::trace;
use crate::trouble::Outcome;
use crate::walk::accumulate::Accumulator;
use crate::walk::reader::Reader;
use crate::walk::steps::setter;
use crate::walk::target::{Target, Walk};

/// Makes objects.
pub(crate) type Make<'s> = Box<dyn FnOnce(&Context<'_>, &Reader<'_, '_>) -> Outcome<Vec<Resource>> + 's>;

/// A generator that is ready to run.
pub(crate) struct Generator<'s> {
    /// The field that asks for it.
    pub field: String,
    /// The file that asks for it, when it is another than the kustomization.
    pub file: Option<Arc<str>>,
    /// For `buildMetadata`.
    pub note: Option<annotate::Step>,
    pub make: Outcome<Make<'s>>,
}

impl<'f> Walk<'_, 'f> {
    /// Runs all generators. Where something is broken they run too, so that their problems are known, and nothing comes of it.
    pub fn generate(&self, target: &Target<'_, 'f>, acc: &mut Accumulator) {
        let kustomization = Arc::clone(&target.kustomization);
        let mut generators = built_in(target);
        generators.extend(self.plugin_generators(target, &kustomization.generators, acc));
        if generators.is_empty() {
            return;
        }
        let reader = self.reader(&target.place);
        let schema = self.schema();
        let config = acc.config();
        let cx = Context {
            schema: &schema,
            config: &config,
            files: &reader,
        };
        for generator in generators {
            let Generator {
                field,
                file,
                note,
                make,
            } = generator;
            let made = make.and_then(|make| make(&cx, &reader));
            let done = made.and_then(|made| {
                self.meter.objects(acc.map.list.len() + made.len())?;
                self.meter.work(made.len() + 1)?;
                match acc.broken {
                    true => Ok(()),
                    false => self.absorb(target, made, (&field, file), note, &cx, acc),
                }
            });
            if let Err(trouble) = done {
                self.break_off(target, acc, trouble, &field);
            }
        }
    }

    fn absorb(
        &self,
        target: &Target<'_, 'f>,
        made: Vec<Resource>,
        (field, file): (&str, Option<Arc<str>>),
        note: Option<annotate::Step>,
        cx: &Context<'_>,
        acc: &mut Accumulator,
    ) -> Outcome<()> {
        let origins = self.kustomize.options.origins;
        let before = (origins == Origins::Fields).then(|| trace::snapshot(&acc.map));
        let origin = Arc::new(Origin {
            file: file.unwrap_or_else(|| Arc::clone(&target.file)),
            generator: Some(field.into()),
            ..Origin::default()
        });
        for mut resource in made {
            resource.serial = self.serial();
            if origins != Origins::None {
                resource.trail = Arc::clone(&origin);
            }
            if let Some(note) = &note {
                note.note_generated(&mut resource);
            }
            acc.map.absorb(resource, cx.schema)?;
        }
        if let Some(before) = before {
            self.trace(&mut acc.map, &before, &setter(target, None, field), cx);
        }
        Ok(())
    }
}

fn built_in<'s>(target: &Target<'_, '_>) -> Vec<Generator<'s>> {
    let kustomization = &target.kustomization;
    let note = |kind: &str| target.mark.as_ref().map(|mark| mark.built_in(target.file_name(), kind));
    let options = kustomization.generator_options.as_ref();
    let mut found = Vec::new();
    for (at, item) in kustomization.config_map_generator.iter().enumerate() {
        let spec = config_map::Spec::from_field(item, options);
        let make = spec.map(|spec| -> Make<'s> { Box::new(move |cx, _| config_map::generate(&spec, cx)) });
        let field = format!("configMapGenerator[{at}]");
        found.push(Generator {
            field,
            file: None,
            note: note("ConfigMapGenerator"),
            make,
        });
    }
    for (at, item) in kustomization.secret_generator.iter().enumerate() {
        let spec = secret::Spec::from_field(item, options);
        let make = spec.map(|spec| -> Make<'s> { Box::new(move |cx, _| secret::generate(&spec, cx)) });
        let field = format!("secretGenerator[{at}]");
        found.push(Generator {
            field,
            file: None,
            note: note("SecretGenerator"),
            make,
        });
    }
    for (at, chart) in kustomization.helm_charts.iter().enumerate() {
        let spec = helm::Spec::from_field(chart, &kustomization.helm_globals, target.chart_namespace());
        let make = spec.map(|spec| -> Make<'s> { Box::new(move |_, reader| helm::generate(&spec, reader)) });
        let field = format!("helmCharts[{at}]");
        found.push(Generator {
            field,
            file: None,
            note: note("HelmChartInflationGenerator"),
            make,
        });
    }
    found
}
