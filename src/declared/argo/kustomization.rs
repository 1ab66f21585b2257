//! What an Application's Kustomize options make of a kustomization: as Argo CD has `kustomize edit` write it (`util/kustomize/kustomize.go`).

use argo_cd::application::Kustomize;
use serde_json::{Map, Value, json};

use crate::error::printable;

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
    if !options.images.is_empty() {
        set_images(list(map, "images")?, &options.images)?;
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

/// Images as `kustomize edit set image` sets them (`kustomize/commands/edit/set/setimage.go` of Kustomize): `*` keeps what the kustomization
/// says, of one name the last counts, and all are sorted by name.
fn set_images(images: &mut Vec<Value>, texts: &[String]) -> Result<(), String> {
    for text in texts {
        let mut image = image(text)?;
        let is_it = |one: &Value| one["name"] == image["name"];
        let known = images.iter().find(|one| is_it(one)).cloned().unwrap_or_default();
        images.retain(|one| !is_it(one));
        if let Some(image) = image.as_object_mut() {
            for key in ["newName", "newTag", "digest"] {
                match (image.get(key).is_some_and(|value| value == "*"), known.get(key)) {
                    (true, Some(value)) => _ = image.insert(key.to_owned(), value.clone()),
                    (true, None) => _ = image.shift_remove(key),
                    (false, _) => {}
                }
            }
        }
        images.push(image);
    }
    let name = |image: &Value| image["name"].as_str().unwrap_or_default().to_owned();
    images.sort_by_key(name);
    Ok(())
}

/// `[NAME=]NEW[:TAG][@DIGEST]`.
fn image(text: &str) -> Result<Value, String> {
    let (name, new) = text
        .split_once('=')
        .map_or((None, text), |(name, new)| (Some(name), new));
    let (rest, digest) = new
        .split_once('@')
        .map_or((new, None), |(rest, digest)| (rest, Some(digest)));
    // A colon before a slash is that of a port.
    let tag_at = rest.rfind(':').filter(|at| !rest[*at..].contains('/'));
    let (new, tag) = tag_at.map_or((rest, None), |at| (&rest[..at], Some(&rest[at + 1..])));
    let set = [("newName", name.map(|_| new)), ("newTag", tag), ("digest", digest)];
    if set.iter().all(|(_, value)| value.is_none()) {
        return Err(format!(
            "its image {} has neither a new name nor a tag nor a digest",
            printable(text)
        ));
    }
    let mut image = json!({"name": name.unwrap_or(new)});
    for (key, value) in set {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            image[key] = value.into();
        }
    }
    Ok(image)
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
                    {"name": "db", "newName": "registry:5000/pg", "digest": "sha256:00"}, {"name": "other", "newTag": "1"},
                    {"name": "web", "newTag": "2"}, {"name": "x", "newName": "y"},
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

    /// Source: `kustomize/commands/edit/set/setimage_test.go` of Kustomize, `TestSetImage`; `api/internal/image/image_test.go`, `TestSplit`.
    #[test]
    fn images_are_set_as_kustomize_sets_them() {
        let set = |known: Value, texts: &[&str]| {
            let mut images = known.as_array().cloned().unwrap_or_default();
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            set_images(&mut images, &texts).map(|()| Value::from(images))
        };
        let known = || json!([{"name": "x", "newName": "y", "newTag": "1", "digest": "sha256:00"}]);
        for (text, expected) in [
            ("x=*:v2", json!({"name": "x", "newName": "y", "newTag": "v2"})),
            ("x=z:*", json!({"name": "x", "newName": "z", "newTag": "1"})),
            (
                "x=*:*@*",
                json!({"name": "x", "newName": "y", "newTag": "1", "digest": "sha256:00"}),
            ),
            ("x:*", json!({"name": "x", "newTag": "1"})),
            ("x@sha256:11", json!({"name": "x", "digest": "sha256:11"})),
            (
                "x=r:5000/z:2@sha256:11",
                json!({"name": "x", "newName": "r:5000/z", "newTag": "2", "digest": "sha256:11"}),
            ),
            ("x=x", json!({"name": "x", "newName": "x"})),
        ] {
            assert_eq!(set(known(), &[text]), Ok(json!([expected])), "{text}");
        }
        assert_eq!(
            set(Value::Null, &["x=*:v2"]),
            Ok(json!([{"name": "x", "newTag": "v2"}]))
        );
        let sorted =
            json!([{"name": "a", "newTag": "2"}, {"name": "x", "newName": "y", "newTag": "1", "digest": "sha256:00"}]);
        assert_eq!(set(known(), &["a:1", "a:2"]), Ok(sorted), "of one name the last counts");
        assert!(set(known(), &["x"]).is_err_and(|why| why.contains("its image x has neither a new name")));
    }
}
