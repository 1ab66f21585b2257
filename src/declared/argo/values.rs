//! The values that an Application's chart gets (`reposerver/repository/repository.go`, `helmTemplate`).

use argo_cd::application::{Helm, ValueFile};
use serde_json::Value;

use super::super::flux::Root;
use super::super::helm::{Values, merge, parse, set_file, set_parameter};
use super::environment::Environment;
use super::render::{Failed, Prepared, walk};
use crate::source::LARGEST_FILE;
use crate::source::path::resolve;
use crate::{net, source};

/// A file by its path, with its content if it is there.
type NamedFile = (String, Option<Vec<u8>>);

impl Prepared<'_> {
    /// All of them together; `place` is the folder of the chart in its source.
    pub(super) fn values(
        &self,
        helm: &Helm,
        env: &Environment,
        place: Option<(&Root<'_>, &str)>,
    ) -> Result<Values, Failed> {
        let plain = |why: String| (why, None);
        let mut values = Values::new();
        for file in &helm.value_files {
            let file = self.expanded(file, env)?;
            for (name, text) in self.value_file(&file, place)? {
                let text = match text {
                    Some(text) => text,
                    None if helm.ignore_missing_value_files || file.is_glob() => continue,
                    None => return Err((format!("there is no value file {name}"), None)),
                };
                let more = parse(&text).map_err(|why| (format!("its value file {name}: {why}"), None))?;
                values = merge(values, more);
            }
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
            let path = env.expand(&one.path)?;
            let mut read = |path: &str| {
                let found = place.and_then(|(root, folder)| root.files.read(&resolve(folder, path)?).ok());
                let text = found.ok_or_else(|| format!("there is no file {path}"))?;
                String::from_utf8(text.to_vec()).map_err(|_| format!("{path} is no text"))
            };
            set_file(&mut values, &one.name, &path, &mut read).map_err(plain)?;
        }
        Ok(values)
    }

    /// A value file with its variables replaced.
    fn expanded(&self, file: &ValueFile, env: &Environment) -> Result<ValueFile, Failed> {
        let is_reference = |name: &str| self.references.contains_key(name);
        match file {
            ValueFile::Of { reference, .. } if !is_reference(reference) && !env.has(reference) => {
                Err((format!("no source of it has the ref {reference}"), None))
            }
            file => file.expanded(is_reference, |text| env.expand(text)),
        }
    }

    /// The files that a value file means, each with its content if it is there.
    fn value_file(&self, file: &ValueFile, place: Option<(&Root<'_>, &str)>) -> Result<Vec<NamedFile>, Failed> {
        let (root, folder) = match file {
            ValueFile::Remote(address) => {
                let shown = source::without_credentials(address);
                let text = net::get_now(address, LARGEST_FILE as usize);
                let text = text.map_err(|error| (format!("its value file {shown} is not at hand: {error}"), None))?;
                return Ok(vec![(shown, Some(text.into_bytes()))]);
            }
            ValueFile::Of { reference, .. } => {
                let root = self.references.get(reference);
                let root = root.ok_or_else(|| (format!("no source of it has the ref {reference}"), None))?;
                (root, "")
            }
            ValueFile::Own(_) => {
                place.ok_or(("a chart from elsewhere has no value files beside it".to_owned(), None))?
            }
        };
        let all = match file.is_glob() {
            true => walk(root, "").map_err(|why| (why, None))?,
            false => Vec::new(),
        };
        let paths = file.paths(folder, all.iter().map(String::as_str)).into_iter();
        Ok(paths
            .map(|path| {
                let text = root.files.read(&path).ok().map(|text| text.to_vec());
                (path, text)
            })
            .collect())
    }
}
