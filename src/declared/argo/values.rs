//! The values that an Application's chart gets (`reposerver/repository/repository.go`, `helmTemplate`).

use std::collections::BTreeSet;

use argo_cd::application::{Helm, ValueFile};
use serde_json::Value;

use super::super::flux::Root;
use super::super::helm::{Values, merge, parse, set_file, set_parameter};
use super::environment::Environment;
use super::render::{Failed, Prepared, walk};
use crate::source::LARGEST_FILE;
use crate::{net, source};

impl Prepared<'_> {
    /// All of them together; `place` is the folder of the chart in its source.
    pub(super) fn values(&self, helm: &Helm, env: &Environment, place: (&Root<'_>, &str)) -> Result<Values, Failed> {
        let mut values = Values::new();
        for (name, text) in self.value_files(helm, env, place)? {
            let more = parse(&text).map_err(|why| (format!("its value file {name}: {why}"), None))?;
            values = merge(values, more);
        }
        match &helm.values_object {
            Some(Value::Object(own)) => values = merge(values, own.clone()),
            Some(_) => return Err(("its values are no map".to_owned(), None)),
            None => {
                let own = parse(helm.values.as_bytes()).map_err(|why| (format!("its values: {why}"), None))?;
                values = merge(values, own);
            }
        }
        for one in &helm.parameters {
            let value = env.expand(&one.value)?;
            set_parameter(&mut values, &one.name, &value, one.force_string)
                .map_err(|why| (format!("its parameter {}: {why}", one.name), None))?;
        }
        for one in &helm.file_parameters {
            let file = self.expanded(&ValueFile::read(&one.path), env)?;
            let path = file.path(place.1).unwrap_or_else(|| one.path.clone());
            let content = self.content(&file, &path, place)?;
            let content = content.ok_or_else(|| (format!("there is no file {path}"), None))?;
            let text = String::from_utf8(content).map_err(|_| (format!("{path} is no text"), None))?;
            // What is found at its path has been read: the name tells where it goes.
            set_file(&mut values, &one.name, "file", &mut |_| Ok(text.clone())).map_err(|why| (why, None))?;
        }
        Ok(values)
    }

    /// The value files with their content, in the order in which they count. What a glob finds stands where it is named by itself, and what is
    /// named twice where it is named first (`getResolvedValueFiles`).
    fn value_files(
        &self,
        helm: &Helm,
        env: &Environment,
        place: (&Root<'_>, &str),
    ) -> Result<Vec<(String, Vec<u8>)>, Failed> {
        let files = helm.value_files.iter().map(|file| self.expanded(file, env));
        let files = files.collect::<Result<Vec<ValueFile>, Failed>>()?;
        let key = |file: &ValueFile, path: &str| (reference(file).map(str::to_owned), path.to_owned());
        let named = files.iter().filter(|file| !file.is_glob());
        let named: BTreeSet<_> = named.filter_map(|file| Some(key(file, &file.path(place.1)?))).collect();
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        for file in &files {
            let paths = match (file, file.is_glob()) {
                (ValueFile::Remote(address), _) => vec![address.clone()],
                (_, false) => file.path(place.1).into_iter().collect(),
                (_, true) => {
                    let all = walk(self.root(file, place.0)?, "").map_err(|why| (why, None))?;
                    file.paths(place.1, all.iter().map(String::as_str))
                }
            };
            if paths.is_empty() && !helm.ignore_missing_value_files {
                return Err((
                    format!("there is no value file {}", file.path(place.1).unwrap_or_default()),
                    None,
                ));
            }
            for path in paths {
                let key = key(file, &path);
                if (file.is_glob() && named.contains(&key)) || !seen.insert(key) {
                    continue;
                }
                match self.content(file, &path, place)? {
                    Some(content) => found.push((path, content)),
                    None if helm.ignore_missing_value_files => {}
                    None => return Err((format!("there is no value file {path}"), None)),
                }
            }
        }
        Ok(found)
    }

    /// A file with its variables replaced.
    fn expanded(&self, file: &ValueFile, env: &Environment) -> Result<ValueFile, Failed> {
        let is_reference = |name: &str| self.references.contains_key(name);
        match reference(file).filter(|name| !is_reference(name) && !env.has(name)) {
            Some(name) => Err((format!("no source of it has the ref {name}"), None)),
            None => file.expanded(is_reference, |text| env.expand(text)),
        }
    }

    /// The files among which one is.
    fn root<'r>(&'r self, file: &ValueFile, own: &'r Root<'r>) -> Result<&'r Root<'r>, Failed> {
        match reference(file) {
            None => Ok(own),
            Some(name) => {
                let root = self.references.get(name);
                root.ok_or_else(|| (format!("no source of it has the ref {name}"), None))
            }
        }
    }

    /// What is in a file, if it is there.
    fn content(&self, file: &ValueFile, path: &str, place: (&Root<'_>, &str)) -> Result<Option<Vec<u8>>, Failed> {
        if let ValueFile::Remote(address) = file {
            let shown = source::without_credentials(address);
            let text = net::get_now(address, LARGEST_FILE as usize);
            let text = text.map_err(|error| (format!("its value file {shown} is not at hand: {error}"), None))?;
            return Ok(Some(text.into_bytes()));
        }
        let read = self.root(file, place.0)?.files.read(path);
        Ok(read.ok().map(|content| content.to_vec()))
    }
}

/// The ref of the source that a file is of, if it is of another.
fn reference(file: &ValueFile) -> Option<&str> {
    match file {
        ValueFile::Of { reference, .. } => Some(reference),
        ValueFile::Own(_) | ValueFile::Remote(_) => None,
    }
}
