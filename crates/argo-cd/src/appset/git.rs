//! The generator `git` (`applicationset/generators/git.go`, `reposerver/repository/repository.go`, `util/git/client.go`).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use super::generate::Generators;
use super::params::{Params, flatten};
use super::render::Engine;
use super::{MOST, Repository};
use crate::error::Error;
use crate::glob::Glob;
use crate::names::normalized;
use crate::paths::{base, clean, dir};
use crate::read::Reader;
use crate::template::Value;

struct Item {
    path: String,
    exclude: bool,
}

/// The fields of the generator.
struct Git {
    repository: Repository,
    directories: Vec<Item>,
    files: Vec<Item>,
    prefix: String,
    values: BTreeMap<String, String>,
    field: String,
}

impl Git {
    fn read(value: &Json, field: &str) -> Result<Self, Vec<Error>> {
        let mut errors = Vec::new();
        let mut reader = Reader::at(field.to_owned(), Some(value), &mut errors);
        let item = |reader: &mut Reader| Item {
            path: reader.text("path"),
            exclude: reader.truth("exclude"),
        };
        let git = Git {
            repository: Repository {
                url: reader.text("repoURL"),
                revision: reader.text("revision"),
            },
            directories: reader.maps("directories", item),
            files: reader.maps("files", item),
            prefix: reader.text("pathParamPrefix"),
            values: reader.text_map("values"),
            field: field.to_owned(),
        };
        if git.directories.is_empty() && git.files.is_empty() {
            reader.error("directories", "is missing, and so is files");
        }
        match errors.is_empty() {
            true => Ok(git),
            false => Err(errors),
        }
    }

    fn error(&self, message: impl Into<String>) -> Vec<Error> {
        vec![Error::new(self.field.as_str(), message)]
    }
}

/// The parameters of a folder, or of a file in it.
pub(crate) fn params(generators: &Generators, value: &Json, field: &str) -> Result<Vec<Params>, Vec<Error>> {
    let git = Git::read(value, field)?;
    let files = (generators.surroundings.files)(&git.repository);
    let files =
        files.map_err(|reason| git.error(format!("the files of {} cannot be had: {reason}", git.repository.url)))?;
    match git.directories.is_empty() {
        false => of_folders(generators, &git, &files),
        true => of_files(generators, &git, &files),
    }
}

/// All folders that hold a file at some depth, as a walk meets them.
fn folders(files: &[String], hidden: bool) -> Vec<String> {
    let mut found = BTreeSet::new();
    for file in files {
        let parts: Vec<&str> = file.split('/').collect();
        for end in 1..parts.len() {
            if !hidden && parts[end - 1].starts_with('.') {
                break;
            }
            found.insert(parts[..end].to_vec());
        }
    }
    found.into_iter().map(|parts| parts.join("/")).collect()
}

fn of_folders(generators: &Generators, git: &Git, files: &[String]) -> Result<Vec<Params>, Vec<Error>> {
    // A pattern that is none matches nothing, which Argo CD writes in its log.
    let globs: Vec<_> = git
        .directories
        .iter()
        .map(|item| (Glob::path(&item.path), item.exclude))
        .collect();
    let mut sets = Vec::new();
    for folder in folders(files, generators.surroundings.hidden_folders) {
        let fits = |excluding: bool| {
            globs
                .iter()
                .any(|(glob, exclude)| *exclude == excluding && glob.as_ref().is_some_and(|glob| glob.matches(&folder)))
        };
        if !fits(false) || fits(true) {
            continue;
        }
        let mut params = Params::default();
        path_params(generators, git, &folder, None, &mut params);
        generators.append_values(&git.values, &mut params, &git.field)?;
        sets.push(params);
    }
    Ok(sets)
}

/// The files of a pattern (`LsFiles`).
fn matching<'f>(generators: &Generators, pattern: &str, files: &'f [String]) -> Vec<&'f str> {
    let pattern = clean(if pattern.is_empty() { "." } else { pattern });
    let below = |file: &str| {
        pattern == "." || file == pattern || file.strip_prefix(&pattern).is_some_and(|rest| rest.starts_with('/'))
    };
    let glob = match generators.surroundings.new_globbing {
        true => Glob::doublestar(&pattern),
        false => Glob::pathspec(&pattern),
    };
    let folders = !generators.surroundings.new_globbing;
    let fits = |file: &&str| glob.as_ref().is_some_and(|glob| glob.matches(file)) || folders && below(file);
    files.iter().map(String::as_str).filter(fits).collect()
}

fn of_files(generators: &Generators, git: &Git, files: &[String]) -> Result<Vec<Params>, Vec<Error>> {
    let mut chosen = BTreeSet::new();
    for item in git.files.iter().filter(|item| !item.exclude) {
        chosen.extend(matching(generators, &item.path, files));
    }
    for item in git.files.iter().filter(|item| item.exclude) {
        for file in matching(generators, &item.path, files) {
            chosen.remove(file);
        }
    }
    let mut sets = Vec::new();
    for file in chosen {
        let content = (generators.surroundings.read)(&git.repository, file);
        let content = content.map_err(|reason| git.error(format!("{file} cannot be read: {reason}")))?;
        for object in objects(&content).map_err(|reason| git.error(format!("{file}: {reason}")))? {
            let mut params = match generators.mode.engine {
                Engine::Go(_) => Params::from_json(&object),
                Engine::Fast => flat(&object),
            }
            .map_err(|failure| git.error(format!("{file}: {}", failure.message)))?;
            path_params(generators, git, &dir(file), Some(base(file)), &mut params);
            generators.append_values(&git.values, &mut params, &git.field)?;
            sets.push(params);
            if sets.len() > MOST {
                return Err(git.error(format!("the files hold more than {MOST} sets of parameters")));
            }
        }
    }
    Ok(sets)
}

/// The maps of a file: one, or a list of them.
fn objects(content: &[u8]) -> Result<Vec<Map<String, Json>>, String> {
    let document = kube_yaml::parse_one(content);
    match document.value {
        Ok(Json::Null) => Ok(vec![Map::new()]),
        Ok(Json::Object(map)) => Ok(vec![map]),
        Ok(Json::Array(items)) => {
            let items = items.into_iter().enumerate();
            items
                .map(|(at, item)| match item {
                    Json::Object(map) => Ok(map),
                    Json::Null => Ok(Map::new()),
                    _ => Err(format!("item {at} of the list is not a map")),
                })
                .collect()
        }
        Ok(_) => Err("is neither a map nor a list of maps".to_owned()),
        Err(error) => Err(format!("line {}: {}", error.line, error.message)),
    }
}

/// A map with dots in its keys and texts as its values.
fn flat(object: &Map<String, Json>) -> Result<Params, crate::template::Failure> {
    let mut flattened = BTreeMap::new();
    for (key, value) in object {
        flatten(key, &Value::from_json(value)?, false, &mut flattened)?;
    }
    let mut params = Params::default();
    for (key, value) in flattened {
        params.set(&key, value);
    }
    Ok(params)
}

/// What the path gives (`docs/operator-manual/applicationset/Generators-Git.md`).
fn path_params(generators: &Generators, git: &Git, folder: &str, file: Option<&str>, params: &mut Params) {
    let last = base(folder);
    if let Engine::Go(_) = generators.mode.engine {
        let mut path: Vec<(Rc<str>, Value)> = vec![
            ("path".into(), folder.into()),
            ("basename".into(), last.into()),
            ("basenameNormalized".into(), normalized(last).into()),
            ("segments".into(), Value::texts(folder.split('/'))),
        ];
        if let Some(file) = file {
            path.push(("filename".into(), file.into()));
            path.push(("filenameNormalized".into(), normalized(file).into()));
        }
        match git.prefix.as_str() {
            "" => params.set("path", Value::map(path)),
            prefix => params.set(prefix, Value::map([("path".into(), Value::map(path))])),
        }
        return;
    }
    let name = match git.prefix.as_str() {
        "" => "path".to_owned(),
        prefix => format!("{prefix}.path"),
    };
    params.set(&name, folder);
    params.set(&format!("{name}.basename"), last);
    params.set(&format!("{name}.basenameNormalized"), normalized(last));
    if let Some(file) = file {
        params.set(&format!("{name}.filename"), file);
        params.set(&format!("{name}.filenameNormalized"), normalized(file));
    }
    for (at, part) in folder.split('/').enumerate().filter(|(_, part)| !part.is_empty()) {
        params.set(&format!("{name}[{at}]"), part);
    }
}
