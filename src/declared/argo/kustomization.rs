//! What an Application's Kustomize options make of a kustomization: as Argo CD has `kustomize edit` write it (`util/kustomize/kustomize.go`).

use argo_cd::application::Kustomize;
use serde_json::{Map, Value, json};

/// Lays the options over the content of a kustomization. `exists` tells whether a component is there.
///
/// # Errors
/// Says what cannot be laid over.
pub(super) fn edited(content: &[u8], options: &Kustomize, exists: &dyn Fn(&str) -> bool) -> Result<String, String> {
    let mut value = kube_yaml::parse_one(content).value.map_err(|error| error.message)?;
    if value.is_null() {
        value = json!({});
    }
    let map = value.as_object_mut().ok_or("the kustomization is no map")?;
    for (key, text) in [
        ("namePrefix", &options.name_prefix),
        ("nameSuffix", &options.name_suffix),
        ("namespace", &options.namespace),
    ] {
        if !text.is_empty() {
            map.insert(key.to_owned(), (&**text).into());
        }
    }
    for image in &options.images {
        set_image(list(map, "images")?, image);
    }
    for replicas in &options.replicas {
        let all = list(map, "replicas")?;
        all.retain(|one| one["name"] != *replicas.name);
        all.push(json!({"name": replicas.name, "count": replicas.count}));
    }
    labels(map, options)?;
    let annotations = options.common_annotations.iter();
    add(map, "commonAnnotations", annotations, options.force_common_annotations)?;
    list(map, "patches")?.extend(options.patches.iter().cloned());
    let known = options.components.iter();
    let known = known.filter(|component| !options.ignore_missing_components || exists(component));
    list(map, "components")?.extend(known.map(|component| Value::from(&**component)));
    for key in ["images", "replicas", "patches", "components"] {
        if map.get(key).and_then(Value::as_array).is_some_and(Vec::is_empty) {
            map.shift_remove(key);
        }
    }
    Ok(kube_yaml::to_string(&value))
}

fn list<'m>(map: &'m mut Map<String, Value>, key: &str) -> Result<&'m mut Vec<Value>, String> {
    let entry = map.entry(key).or_insert_with(|| json!([]));
    if entry.is_null() {
        *entry = json!([]);
    }
    entry
        .as_array_mut()
        .ok_or_else(|| format!("{key} of the kustomization is no list"))
}

fn add<'l>(
    map: &mut Map<String, Value>,
    key: &str,
    more: impl Iterator<Item = (&'l String, &'l String)>,
    force: bool,
) -> Result<(), String> {
    for (name, value) in more {
        let entry = map.entry(key).or_insert_with(|| json!({}));
        let known = entry
            .as_object_mut()
            .ok_or_else(|| format!("{key} of the kustomization is no map"))?;
        if known.contains_key(name) && !force {
            return Err(format!(
                "{name} is in {key} of the kustomization already, and is not to be overridden"
            ));
        }
        known.insert(name.clone(), (&**value).into());
    }
    Ok(())
}

/// Labels go on selectors too, unless it is said otherwise.
fn labels(map: &mut Map<String, Value>, options: &Kustomize) -> Result<(), String> {
    if options.common_labels.is_empty() {
        return Ok(());
    }
    if !options.label_without_selector {
        return add(
            map,
            "commonLabels",
            options.common_labels.iter(),
            options.force_common_labels,
        );
    }
    let entry = json!({
        "pairs": options.common_labels,
        "includeSelectors": false,
        "includeTemplates": options.label_include_templates,
    });
    list(map, "labels")?.push(entry);
    Ok(())
}

/// `[NAME=]NEW[:TAG][@DIGEST]`, as `kustomize edit set image` reads it.
fn set_image(images: &mut Vec<Value>, text: &str) {
    let (name, new) = text
        .split_once('=')
        .map_or((None, text), |(name, new)| (Some(name), new));
    let (new, digest) = new
        .split_once('@')
        .map_or((new, None), |(new, digest)| (new, Some(digest)));
    // A colon before a slash is that of a port.
    let tag_at = new.rfind(':').filter(|at| !new[*at..].contains('/'));
    let (new, tag) = tag_at.map_or((new, None), |at| (&new[..at], Some(&new[at + 1..])));
    let name = name.unwrap_or(new);
    let mut image = json!({"name": name});
    if new != name {
        image["newName"] = new.into();
    }
    if let Some(tag) = tag {
        image["newTag"] = tag.into();
    }
    if let Some(digest) = digest {
        image["digest"] = digest.into();
    }
    images.retain(|one| one["name"] != *name);
    images.push(image);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use argo_cd::application::KustomizeReplicas;

    use super::*;

    #[test]
    fn options_are_laid_over_a_kustomization() {
        let options = Kustomize {
            name_prefix: "a-".to_owned(),
            namespace: "shop".to_owned(),
            images: ["web:2", "db=registry:5000/pg@sha256:00", "x=y"]
                .map(str::to_owned)
                .to_vec(),
            replicas: vec![KustomizeReplicas {
                name: "web".to_owned(),
                count: 3,
            }],
            common_labels: BTreeMap::from([("team".to_owned(), "shop".to_owned())]),
            components: vec!["../c".to_owned(), "../none".to_owned()],
            ignore_missing_components: true,
            patches: vec![json!({"path": "p.yaml"})],
            ..Kustomize::default()
        };
        let content =
            b"resources: [a.yaml]\nimages: [{name: web, newTag: '1'}, {name: other, newTag: '1'}]\nnamePrefix: old-\n";
        let text = edited(content, &options, &|path| path == "../c").expect("because it is a kustomization");
        let value = kube_yaml::parse_one(text.as_bytes())
            .value
            .expect("because it was written");
        assert_eq!(
            value,
            json!({
                "resources": ["a.yaml"],
                "images": [
                    {"name": "other", "newTag": "1"}, {"name": "web", "newTag": "2"},
                    {"name": "db", "newName": "registry:5000/pg", "digest": "sha256:00"}, {"name": "x", "newName": "y"},
                ],
                "namePrefix": "a-",
                "namespace": "shop",
                "replicas": [{"name": "web", "count": 3}],
                "commonLabels": {"team": "shop"},
                "patches": [{"path": "p.yaml"}],
                "components": ["../c"],
            })
        );
        let labelled = b"commonLabels: {team: other}\n";
        assert!(edited(labelled, &options, &|_| true).is_err_and(|why| why.contains("team is in commonLabels")));
    }
}
