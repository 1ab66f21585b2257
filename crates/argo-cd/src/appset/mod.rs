//! ApplicationSets: their generators, templates and patches (`applicationset/`).

mod clusters;
mod combine;
mod fasttemplate;
mod generate;
mod git;
mod params;
mod patch;
mod render;
mod selector;
mod steps;

use std::cell::RefCell;

use serde_json::Value;

pub use clusters::clusters;

use crate::error::Error;
use crate::object::{name, namespace, text};
use crate::read::Reader;
use crate::template::{MissingKey, missing_key};

use render::Engine;

/// Sets of parameters that one ApplicationSet may have.
const MOST: usize = 10_000;

/// A Git repository that a generator reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    /// Its address.
    pub url: String,
    /// The revision; empty or `HEAD` for the default branch.
    pub revision: String,
}

/// Reads a file of a repository, or says why it cannot be read.
pub type ReadFile<'s> = dyn Fn(&Repository, &str) -> Result<Vec<u8>, String> + 's;

/// What generators look at beside the ApplicationSet.
pub struct Surroundings<'s> {
    /// Secrets of clusters, as objects; others than those of the label `argocd.argoproj.io/secret-type: cluster` are passed over.
    pub secrets: &'s [Value],
    /// The namespace of Argo CD, in which those Secrets are.
    pub argo_namespace: &'s str,
    /// Paths of all files of a repository, or why they cannot be had.
    pub files: &'s dyn Fn(&Repository) -> Result<Vec<String>, String>,
    /// The content of one of them.
    pub read: &'s ReadFile<'s>,
    /// Whether files are found with `**` (`ARGOCD_APPLICATIONSET_CONTROLLER_ENABLE_NEW_GIT_FILE_GLOBBING`); else as Git's pathspecs, in which
    /// `*` matches slashes.
    pub new_globbing: bool,
    /// Whether folders with a dot before their name count (`ARGOCD_REPO_SERVER_INCLUDE_HIDDEN_DIRECTORIES`).
    pub hidden_folders: bool,
}

/// An Application that an ApplicationSet makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The Application, as an object. Its owner is not set.
    pub application: Value,
    /// Index of its generator in `spec.generators`.
    pub generator: usize,
    /// The parameters that it was made with.
    pub params: Value,
    /// The step of the rolling sync that selects it, where there is one: it is synced once those of earlier steps are healthy.
    pub step: Option<usize>,
}

/// What an ApplicationSet comes to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Generated {
    /// The Applications: by generator, then as the generator orders them. Argo CD has no order for clusters and for merged sets; here it
    /// is that of the clusters' names and of the first generator.
    pub made: Vec<Made>,
    /// What is wrong. Argo CD then makes, changes and deletes none of the Applications until it is right.
    pub errors: Vec<Error>,
    /// Generators that need what is outside: a plugin, an SCM provider, pull requests, a cluster decision.
    pub outside: Vec<Error>,
    /// Generators of clusters whose selector no cluster fits that is known: Argo CD may know more.
    pub unmatched: Vec<Error>,
    /// Expressions of steps of a rolling sync that Argo CD does not know: they select nothing that has their label.
    pub rollout: Vec<Error>,
}

/// How an ApplicationSet is rendered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode {
    pub engine: Engine,
}

/// Works out an ApplicationSet.
///
/// ```
/// use argo_cd::appset::{Surroundings, generate};
/// let set = serde_json::json!({
///     "metadata": {"name": "shops", "namespace": "argocd"},
///     "spec": {
///         "goTemplate": true,
///         "generators": [{"list": {"elements": [{"region": "eu"}, {"region": "us"}]}}],
///         "template": {
///             "metadata": {"name": "shop-{{ .region }}"},
///             "spec": {"project": "default", "destination": {"name": "{{ .region }}"}},
///         },
///     },
/// });
/// let surroundings = Surroundings {
///     secrets: &[],
///     argo_namespace: "argocd",
///     files: &|_| Err("there is no repository".to_owned()),
///     read: &|_, _| Err("there is no repository".to_owned()),
///     new_globbing: false,
///     hidden_folders: false,
/// };
/// let generated = generate(&set, &surroundings);
/// assert!(generated.errors.is_empty());
/// assert_eq!(generated.made[1].application["metadata"]["name"], "shop-us");
/// assert_eq!(generated.made[1].params["region"], "us");
/// ```
pub fn generate(set: &Value, surroundings: &Surroundings) -> Generated {
    let mut generated = Generated::default();
    let mut errors = Vec::new();
    let mut root = Reader::root(set, &mut errors);
    let mut spec = root.child("spec");
    let mode = mode(&mut spec, &mut generated.errors);
    let mut items = Vec::new();
    spec.maps("generators", |reader| items.push(reader.path.clone()));
    let template = spec.any("template").cloned().unwrap_or(Value::Null);
    if !template.is_object() {
        spec.error("template", "is missing, or no map");
    }
    let patch = spec.any("templatePatch").map(|_| spec.text("templatePatch"));
    let preserve = spec.child("syncPolicy").truth("preserveResourcesOnDeletion");
    if !spec.has("generators") {
        spec.error("generators", "is missing");
    }
    generated.errors.extend(errors);
    let (true, Some(mode)) = (generated.errors.is_empty(), mode) else {
        return generated;
    };
    let made = Set {
        mode,
        namespace: namespace(set),
        template: &template,
        patch: patch.as_deref(),
        preserve,
        surroundings,
    };
    let list = set["spec"]["generators"].as_array().into_iter().flatten();
    for (index, generator) in list.enumerate() {
        made.entry(index, generator, &mut generated);
    }
    duplicates(&mut generated);
    steps::set(set, &mut generated);
    generated
}

/// How it is rendered; `None`, with an error, where its options are wrong.
fn mode(spec: &mut Reader, errors: &mut Vec<Error>) -> Option<Mode> {
    let go = spec.truth("goTemplate");
    let options = spec.texts("goTemplateOptions");
    let missing = match missing_key(options.iter().map(String::as_str)) {
        Ok(missing) => missing,
        Err(failure) if go => {
            errors.push(Error::new("spec.goTemplateOptions", failure.message));
            return None;
        }
        Err(_) => MissingKey::default(),
    };
    let engine = if go { Engine::Go(missing) } else { Engine::Fast };
    Some(Mode { engine })
}

/// Applications of one name: none of them is applied (`validateGeneratedApplications`).
fn duplicates(generated: &mut Generated) {
    let named = |made: &Made| name(&made.application).to_owned();
    for at in 0..generated.made.len() {
        let name = named(&generated.made[at]);
        let first = generated.made.iter().position(|made| named(made) == name);
        if let Some(first) = first.filter(|first| *first < at) {
            let message = format!(
                "the generators {} and {} both make an Application {name:?}",
                generated.made[first].generator, generated.made[at].generator
            );
            let field = format!("spec.generators[{}]", generated.made[at].generator);
            generated.errors.push(Error::new(field, message));
        } else if name.is_empty() {
            let field = format!("spec.generators[{}]", generated.made[at].generator);
            generated
                .errors
                .push(Error::new(field, "makes an Application without a name"));
        }
    }
}

/// An ApplicationSet that is being worked out.
struct Set<'s> {
    mode: Mode,
    namespace: &'s str,
    template: &'s Value,
    patch: Option<&'s str>,
    preserve: bool,
    surroundings: &'s Surroundings<'s>,
}

impl Set<'_> {
    /// An entry of `spec.generators`, which may name several.
    fn entry(&self, index: usize, generator: &Value, into: &mut Generated) {
        let field = format!("spec.generators[{index}]");
        let generators = generate::Generators {
            mode: self.mode,
            surroundings: self.surroundings,
            unmatched: RefCell::default(),
        };
        let mut outside = Vec::new();
        let found = generators.transform(generator, None, 0, &field, &mut outside);
        into.outside.extend(outside);
        into.unmatched.extend(generators.unmatched.take());
        let found = match found {
            Ok(found) => found,
            Err(errors) => return into.errors.extend(errors),
        };
        for (kind, sets) in found {
            if into.made.len() + sets.len() > MOST {
                let message = format!("makes more than {MOST} Applications");
                into.errors.push(Error::new(field.as_str(), message));
                return;
            }
            let own = generator.get(kind).and_then(|generator| generator.get("template"));
            let template = render::merged_template(own, self.template);
            for params in sets {
                let shown = params.to_json();
                match render::application(&template, &params, self.mode, self.preserve, self.patch) {
                    Ok(mut application) => {
                        // An ApplicationSet makes Applications in its own namespace only.
                        application["metadata"]["namespace"] = self.namespace.into();
                        into.made.push(Made {
                            application,
                            generator: index,
                            params: shown,
                            step: None,
                        });
                    }
                    Err(error) => {
                        // What is wrong with the template is wrong with it for many sets.
                        let error = Error::new(error.field, format!("{} (generator {index})", error.message));
                        if !into.errors.contains(&error) {
                            into.errors.push(error);
                        }
                    }
                }
            }
        }
    }
}

/// The name of a Secret's cluster, for order.
fn text_of<'v>(secret: &'v Value, key: &str) -> &'v str {
    text(secret, &["stringData", key])
}

#[cfg(test)]
pub(crate) use params::flatten;

/// A text without Go templates, with parameters of JSON.
#[cfg(test)]
pub(crate) fn replace_fast(text: &str, params: &Value) -> Result<String, crate::template::Failure> {
    let map = params.as_object().cloned().unwrap_or_default();
    fasttemplate::replace(text, &params::Params::from_json(&map)?)
}

#[cfg(test)]
mod tests;
