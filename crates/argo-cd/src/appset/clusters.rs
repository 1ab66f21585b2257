//! The generator `clusters` (`applicationset/generators/cluster.go`).

use std::collections::BTreeMap;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::generate::Generators;
use super::params::Params;
use super::render::Engine;
use super::selector::Selector;
use super::text_of;
use crate::application::Cluster;
use crate::error::Error;
use crate::names::normalized;
use crate::object::{kind, namespace, text};
use crate::read::Reader;
use crate::template::Value;

/// A value of a Secret, from `stringData` or `data`.
fn data(secret: &Json, key: &str) -> Option<String> {
    let plain = secret.get("stringData").and_then(|data| data.get(key));
    if plain.is_some() {
        return Some(text_of(secret, key).to_owned());
    }
    let encoded = secret.get("data")?.get(key)?.as_str()?;
    let bytes = STANDARD.decode(encoded).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn texts(secret: &Json, key: &str) -> BTreeMap<String, String> {
    let map = secret
        .get("metadata")
        .and_then(|metadata| metadata.get(key))
        .and_then(Json::as_object);
    let entries = map.into_iter().flatten();
    entries
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// One set of parameters a cluster, or with `flatList` one that holds them all.
pub(crate) fn params(generators: &Generators, value: &Json, field: &str) -> Result<Vec<Params>, Vec<Error>> {
    let mut errors = Vec::new();
    let mut reader = Reader::at(field.to_owned(), Some(value), &mut errors);
    let (values, flat) = (reader.text_map("values"), reader.truth("flatList"));
    let selector = Selector::read(reader.any("selector"), &reader.place("selector"));
    if !errors.is_empty() {
        return Err(errors);
    }
    let selector = selector?;
    let surroundings = generators.surroundings;
    let secrets = surroundings.secrets.iter().filter(|secret| {
        let labels = texts(secret, "labels");
        kind(secret) == "Secret"
            && namespace(secret) == surroundings.argo_namespace
            && labels
                .get("argocd.argoproj.io/secret-type")
                .is_some_and(|kind| kind == "cluster")
            && selector.matches(&labels)
    });
    // Of clusters of one name the last counts.
    let by_name: BTreeMap<String, &Json> = secrets
        .map(|secret| (data(secret, "name").unwrap_or_default(), secret))
        .collect();
    let own = Cluster::own();
    let mut sets = Vec::new();
    for (name, secret) in &by_name {
        let mut params = named(
            name,
            &data(secret, "server").unwrap_or_default(),
            &data(secret, "project").unwrap_or_default(),
        );
        metadata(generators, secret, &mut params);
        sets.push(params);
    }
    if by_name.is_empty() && !selector.is_empty() {
        let error = Error::new(
            format!("{field}.selector"),
            "no cluster that is known has the labels that it wants",
        );
        let mut unmatched = generators.unmatched.borrow_mut();
        if !unmatched.contains(&error) {
            unmatched.push(error);
        }
    }
    // The own cluster has no labels to select, and may have a Secret of its own.
    let there = by_name
        .values()
        .any(|secret| data(secret, "server").is_some_and(|server| server == own.server));
    if selector.is_empty() && !there {
        sets.push(named(&own.name, &own.server, ""));
    }
    for params in &mut sets {
        generators.append_values(&values, params, field)?;
    }
    if flat {
        let mut params = Params::default();
        params.set("clusters", Value::list(sets.iter().map(Params::value)));
        return Ok(vec![params]);
    }
    Ok(sets)
}

fn named(name: &str, server: &str, project: &str) -> Params {
    let mut params = Params::default();
    params.set("name", name);
    params.set("nameNormalized", normalized(name));
    params.set("server", server);
    params.set("project", project);
    params
}

fn metadata(generators: &Generators, secret: &Json, params: &mut Params) {
    let mut meta: Vec<(Rc<str>, Value)> = Vec::new();
    for key in ["annotations", "labels"] {
        let map = texts(secret, key);
        match generators.mode.engine {
            Engine::Go(_) if map.is_empty() => {}
            Engine::Go(_) => {
                let entries = map.into_iter().map(|(key, value)| (key.into(), value.into()));
                meta.push((key.into(), Value::TextMap(Rc::new(entries.collect()))));
            }
            Engine::Fast => {
                for (name, value) in map {
                    params.set(&format!("metadata.{key}.{name}"), value);
                }
            }
        }
    }
    if let Engine::Go(_) = generators.mode.engine {
        params.set("metadata", Value::map(meta));
    }
}

/// The clusters of some Secrets, by their names, for destinations and projects (`util/db/cluster.go`).
///
/// ```
/// let secret = serde_json::json!({"kind": "Secret", "metadata": {"labels": {"argocd.argoproj.io/secret-type": "cluster"}},
///     "stringData": {"name": "eu", "server": "https://eu.example.com"}});
/// assert_eq!(argo_cd::appset::clusters(&[secret])[0].name, "eu");
/// ```
pub fn clusters(secrets: &[Json]) -> Vec<Cluster> {
    let mut found: Vec<Cluster> = secrets
        .iter()
        .filter(|secret| text(secret, &["metadata", "labels", "argocd.argoproj.io/secret-type"]) == "cluster")
        .map(|secret| Cluster {
            name: data(secret, "name").unwrap_or_default(),
            server: data(secret, "server").unwrap_or_default(),
            project: data(secret, "project").filter(|project| !project.is_empty()),
        })
        .collect();
    found.sort_by(|a, b| (&a.name, &a.server).cmp(&(&b.name, &b.server)));
    found
}
