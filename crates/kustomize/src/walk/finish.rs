//! The whole of a build: what a root accumulates, and what is done once at the end.

use serde_json::{Map, Value};

use crate::annotate;
use crate::config::FieldSpec;
use crate::context::Context;
use crate::error::Errors;
use crate::files::{Kind, ReadError, join};
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::scalar;
use crate::transform::{hash, labels, names, sort};
use crate::trouble::{Outcome, Trouble};
use crate::walk::accumulate::Accumulator;
use crate::walk::place::{Place, Tree};
use crate::walk::steps::{Run, Step};
use crate::walk::target::{Failed, Target, Walk};
use crate::{Build, Object};

/// Objects with this annotation are only for kustomize itself.
const LOCAL: &str = "config.kubernetes.io/local-config";

/// The label that `managedByLabel` sets, and its value.
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "kustomize-v5.8.1");

/// Annotations that kustomize keeps its memories in, and removes even where they come from a file.
const MEMORIES: &[&str] = &[
    "internal.config.kubernetes.io/previousKinds",
    "internal.config.kubernetes.io/previousNames",
    "internal.config.kubernetes.io/prefixes",
    "internal.config.kubernetes.io/suffixes",
    "internal.config.kubernetes.io/previousNamespaces",
    "internal.config.kubernetes.io/allowNameChange",
    "internal.config.kubernetes.io/allowKindChange",
    "internal.config.kubernetes.io/refBy",
    "internal.config.kubernetes.io/generatorBehavior",
    "internal.config.kubernetes.io/needsHashSuffix",
    "internal.config.kubernetes.io/path",
    "internal.config.kubernetes.io/index",
    "internal.config.kubernetes.io/seqindent",
    "internal.config.kubernetes.io/id",
    "internal.config.kubernetes.io/annotations-migration-resource-id",
    "internal.config.kubernetes.io/helm-generated",
    "config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "config.k8s.io/id",
];

impl<'f> Walk<'_, 'f> {
    /// Builds a root.
    pub fn build(self, root: &str) -> Result<Build, Errors> {
        match self.try_build(root) {
            Ok(objects) => Ok(Build {
                objects,
                deprecated: self.deprecated.into_inner(),
            }),
            Err(Failed) => Err(self.into_errors()),
        }
    }

    fn try_build(&self, root: &str) -> Result<Vec<Object>, Failed> {
        let place = self.root(root).map_err(|trouble| self.fail(trouble, root))?;
        let target = self.load(place, None, None)?;
        let mut acc = Accumulator::default();
        self.accumulate(&target, &mut acc);
        if acc.broken {
            return Err(Failed);
        }
        self.finish(&target, &mut acc)
            .map_err(|trouble| self.fail(trouble, &target.file))?;
        let object = |resource: Resource| Object {
            value: resource.value,
            origin: resource.trail,
        };
        Ok(acc.map.list.into_iter().map(object).collect())
    }

    fn root(&self, root: &str) -> Outcome<Place<'f>> {
        let files = self.kustomize.files;
        let found = join("", root)
            .ok_or(ReadError::Outside)
            .and_then(|folder| match files.find(&folder)? {
                Some((Kind::Folder, folder)) => Ok(folder),
                Some((Kind::File, _)) => Err(ReadError::WrongKind),
                // Nothing is in an empty tree, and that is a missing kustomization.
                None if folder.is_empty() => Ok(folder),
                None => Err(ReadError::Missing),
            });
        let folder = found.map_err(|error| Trouble::new(format!("\"{root}\" cannot be built: {error}")))?;
        Ok(Place {
            tree: Tree::Own(files),
            folder: folder.into(),
        })
    }

    /// What is done once, over everything.
    fn finish(&self, target: &Target<'_, 'f>, acc: &mut Accumulator) -> Outcome<()> {
        let reader = self.reader(&target.place);
        let schema = self.schema();
        let config = acc.config();
        let cx = Context {
            schema: &schema,
            config: &config,
            files: &reader,
        };
        let step = |field: &str, run: Run<'static>| Step {
            field: field.to_owned(),
            file: None,
            note: None,
            run,
        };
        self.run(target, step("hash", Box::new(hash::apply)), &cx, &mut acc.map)?;
        self.run(target, step("nameReference", Box::new(names::fix)), &cx, &mut acc.map)?;
        let vars = std::mem::take(&mut acc.vars);
        let resolve: Run<'static> = Box::new(move |map, cx| vars.resolve(map, cx));
        self.run(target, step("vars", resolve), &cx, &mut acc.map)?;
        drop_local(&mut acc.map)?;
        acc.map.check_unique(&schema)?;
        sort::apply(&mut acc.map, target.kustomization.sort_options.as_ref())?;
        if target.kustomization.builds_metadata("managedByLabel") {
            let run: Run<'static> = Box::new(|map, cx| labels::apply(map, &managed_by(), cx));
            self.run(target, step("buildMetadata", run), &cx, &mut acc.map)?;
        }
        clean(&mut acc.map, target);
        Ok(())
    }
}

fn managed_by() -> labels::Spec {
    let field = FieldSpec {
        path: "metadata/labels".to_owned(),
        create: true,
        ..FieldSpec::default()
    };
    labels::Spec {
        labels: [(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned())].into(),
        fields: Some(vec![field]),
    }
}

/// Drops what is only for kustomize itself; everything that is left has a kind and a name.
fn drop_local(map: &mut ResMap) -> Outcome<()> {
    for resource in &map.list {
        let kind = scalar::text(resource.value.get("kind").unwrap_or(&Value::Null));
        let name = resource.value.get("metadata").and_then(|metadata| metadata.get("name"));
        let name = scalar::text(name.unwrap_or(&Value::Null));
        if kind.is_empty() {
            return Err(Trouble::new(format!("the object \"{name}\" has no kind in the end")));
        }
        if !kind.ends_with("List") && name.is_empty() {
            return Err(Trouble::new(format!("a {kind} has no metadata.name in the end")));
        }
    }
    map.list.retain(|resource| {
        let annotations = resource
            .value
            .get("metadata")
            .and_then(|metadata| metadata.get("annotations"));
        match annotations.and_then(|annotations| annotations.get(LOCAL)) {
            None => true,
            Some(local) => matches!(local, Value::Bool(false)) || local.as_str() == Some("false"),
        }
    });
    Ok(())
}

/// Removes annotations that are not asked for; those that stay become texts.
fn clean(map: &mut ResMap, target: &Target<'_, '_>) {
    let origins = target.kustomization.builds_metadata("originAnnotations");
    let transformers = target.kustomization.builds_metadata("transformerAnnotations");
    let goes = |key: &str| {
        MEMORIES.contains(&key)
            || (key == annotate::ORIGIN && !origins)
            || (key == annotate::TRANSFORMATIONS && !transformers)
    };
    for resource in &mut map.list {
        let Some(annotations) = resource.value.get("metadata").and_then(|it| it.get("annotations")) else {
            continue;
        };
        let entries = annotations.as_object();
        let is_empty = entries.is_none_or(Map::is_empty);
        let changes = entries.is_some_and(|entries| entries.iter().any(|(key, value)| goes(key) || !value.is_string()));
        if !changes && !(is_empty && !(origins && transformers)) {
            continue;
        }
        let kept = entries.into_iter().flatten().filter(|(key, _)| !goes(key));
        let kept: Map<String, Value> = kept.map(|(key, value)| (key.clone(), as_text(value))).collect();
        if let Some(metadata) = resource.metadata_mut() {
            match kept.is_empty() {
                true => drop(metadata.shift_remove("annotations")),
                false => drop(metadata.insert("annotations".to_owned(), Value::Object(kept))),
            }
        }
    }
}

fn as_text(value: &Value) -> Value {
    Value::String(match value {
        Value::String(text) => text.clone(),
        Value::Object(_) | Value::Array(_) => String::new(),
        scalar => scalar.to_string(),
    })
}
