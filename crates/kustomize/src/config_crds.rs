//! `crds`: files of OpenAPI definitions that say which fields of custom kinds hold names, labels and annotations.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::{Config, FieldSpec, NameReference, add, add_reference};
use crate::context::Reads;
use crate::trouble::{Outcome, Trouble};

/// The schema of each type, by its name.
type Types<'v> = BTreeMap<&'v str, &'v Value>;

/// What the files add to the tables.
///
/// # Errors
///
/// Where a file is no mapping of definitions, or a type has itself within it (kustomize never ends then).
pub(crate) fn load(paths: &[String], files: &dyn Reads) -> Outcome<Config> {
    let mut config = Config::default();
    for path in paths {
        let (documents, file) = files.documents(path)?;
        let Some(document) = documents.first() else {
            return Err(Trouble::new("there are no definitions in it").in_file(file, None));
        };
        let added = types(&document.value).and_then(|types| add_types(&mut config, &types));
        added.map_err(|trouble| trouble.in_file(file, Some(document.line)))?;
    }
    Ok(config)
}

fn types(definitions: &Value) -> Outcome<Types<'_>> {
    let wrong = |name: &str| Trouble::new(format!("{name:?} is no OpenAPI definition"));
    let definitions = definitions
        .as_object()
        .ok_or_else(|| Trouble::new("it has no OpenAPI definitions"))?;
    let schema = |(name, definition): (&String, &Value)| match (definition, of(definition, "schema")) {
        (Value::Object(_), None | Some(Value::Object(_) | Value::Null)) | (Value::Null, _) => Ok(()),
        _ => Err(wrong(name)),
    };
    definitions.iter().try_for_each(schema)?;
    let schemas = definitions
        .iter()
        .filter_map(|(name, definition)| Some((name.as_str(), of(definition, "schema")?)));
    Ok(schemas.collect())
}

/// A field, whatever the case of its name.
fn of<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let fields = value.as_object()?;
    let same = |(key, _): &(&String, &Value)| key.eq_ignore_ascii_case(name);
    fields
        .get(name)
        .or_else(|| fields.iter().find(same).map(|(_, value)| value))
}

fn add_types(config: &mut Config, types: &Types<'_>) -> Outcome<()> {
    for (name, schema) in types {
        let Some(properties) = schema.get("properties") else {
            continue;
        };
        if ["kind", "apiVersion", "metadata"]
            .iter()
            .any(|field| properties.get(field).is_none())
        {
            continue;
        }
        // `example.com/v1.Bee` is of the kind Bee; group and version are not known.
        let kind = name.rsplit('.').next().unwrap_or(name);
        let mut walk = Walk {
            config,
            types,
            kind,
            path: Vec::new(),
            within: Vec::new(),
        };
        walk.type_named(name)?;
    }
    Ok(())
}

/// A walk through the types that one kind is made of.
struct Walk<'w, 'v> {
    config: &'w mut Config,
    types: &'w Types<'v>,
    kind: &'w str,
    path: Vec<&'v str>,
    /// The types that we are in.
    within: Vec<&'v str>,
}

impl<'v> Walk<'_, 'v> {
    fn type_named(&mut self, name: &str) -> Outcome<()> {
        let Some((name, schema)) = self.types.get_key_value(name) else {
            return Ok(());
        };
        if self.within.contains(name) {
            return Err(Trouble::new(format!("the type {name:?} has itself within it")));
        }
        self.within.push(name);
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            self.path.push(name);
            self.property(property)?;
            self.path.pop();
        }
        self.within.pop();
        Ok(())
    }

    fn property(&mut self, property: &'v Value) -> Outcome<()> {
        let says = |extension: &str| property.get(extension).and_then(Value::as_str);
        let spec = self.spec(None);
        if says("x-kubernetes-annotation").is_some() {
            add(&mut self.config.common_annotations, &spec)?;
        }
        if says("x-kubernetes-label-selector").is_some() {
            add(&mut self.config.common_labels, &spec)?;
        }
        if says("x-kubernetes-identity").is_some() {
            add(&mut self.config.name_prefix, &spec)?;
        }
        if let (Some(version), Some(kind)) = (
            says("x-kubernetes-object-ref-api-version"),
            says("x-kubernetes-object-ref-kind"),
        ) {
            let key = says("x-kubernetes-object-ref-name-key").unwrap_or("name");
            let reference = NameReference {
                version: version.to_owned(),
                kind: kind.to_owned(),
                field_specs: vec![self.spec(Some(key))],
                ..NameReference::default()
            };
            add_reference(&mut self.config.name_reference, &reference)?;
        }
        match property.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.type_named(reference),
            None => Ok(()),
        }
    }

    /// The field that we are at, or one within it.
    fn spec(&self, within: Option<&str>) -> FieldSpec {
        let path: Vec<&str> = self.path.iter().copied().chain(within).collect();
        FieldSpec {
            kind: self.kind.to_owned(),
            path: path.join("/"),
            ..FieldSpec::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::generate::tests::Folder;

    fn loaded(definitions: &str) -> Outcome<Config> {
        load(&["crd".to_owned()], &Folder::with([("crd", definitions)]))
    }

    #[test]
    fn extensions_say_what_fields_hold() {
        let definitions = json!({
            "example.com/v1beta1.Bee": {"Schema": {"properties": {
                "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"$ref": "ObjectMeta"},
                "spec": {"$ref": "example.com/v1beta1.BeeSpec"}, "status": {},
            }}, "Dependencies": []},
            "example.com/v1beta1.BeeSpec": {"schema": {"properties": {
                "secretRef": {"x-kubernetes-object-ref-api-version": "v1", "x-kubernetes-object-ref-kind": "Secret"},
                "mapRef": {
                    "x-kubernetes-object-ref-api-version": "v1", "x-kubernetes-object-ref-kind": "ConfigMap",
                    "x-kubernetes-object-ref-name-key": "called",
                },
                "otherRef": {"X-Kubernetes-Object-Ref-Api-Version": "v1", "x-kubernetes-object-ref-kind": "ConfigMap"},
                "lab": {"x-kubernetes-label-selector": ""},
                "ann": {"x-kubernetes-annotation": ""},
                "id": {"x-kubernetes-identity": ""},
                "id2": {"x-kubernetes-identity": true},
            }}},
        });
        let config = loaded(&definitions.to_string()).expect("definitions");
        let spec = |path: &str| FieldSpec {
            kind: "Bee".to_owned(),
            path: path.to_owned(),
            ..FieldSpec::default()
        };
        let reference = |kind: &str, path: &str| NameReference {
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            field_specs: vec![spec(path)],
            ..NameReference::default()
        };
        let expected = Config {
            name_prefix: vec![spec("spec/id")],
            common_labels: vec![spec("spec/lab")],
            common_annotations: vec![spec("spec/ann")],
            name_reference: vec![
                reference("Secret", "spec/secretRef/name"),
                reference("ConfigMap", "spec/mapRef/called"),
            ],
            ..Config::default()
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn what_is_no_definition_is_refused() {
        let ring = json!({"Bee": {"schema": {"properties": {
            "apiVersion": {}, "kind": {}, "metadata": {}, "bee": {"$ref": "Bee"},
        }}}});
        let rows = [
            ("kind: CustomResourceDefinition", "\"kind\" is no OpenAPI definition"),
            ("a: {schema: 5}", "\"a\" is no OpenAPI definition"),
            ("[]", "it has no OpenAPI definitions"),
            ("", "there are no definitions in it"),
            (&ring.to_string(), "the type \"Bee\" has itself within it"),
        ];
        for (definitions, message) in rows {
            assert_eq!(loaded(definitions).expect_err("no definitions").message, message);
        }
    }
}
