//! The order of the output (kustomize's SortOrderTransformer).

use std::collections::HashMap;

use crate::config::{FIRST, LAST};
use crate::kustomization::{LegacySortOptions, SortOptions};
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::trouble::{Outcome, Trouble};

/// Sorts as the root's `sortOptions` say; without them in the legacy order, as `kustomize build` does.
///
/// # Errors
///
/// Where `order` is neither `legacy` nor `fifo`, or has options that belong to the other.
pub(crate) fn apply(map: &mut ResMap, options: Option<&SortOptions>) -> Outcome<()> {
    match options {
        None => sort(map, None),
        Some(SortOptions {
            order,
            legacy_sort_options,
        }) => match (order.as_str(), legacy_sort_options) {
            ("legacy", legacy) => sort(map, legacy.as_ref()),
            ("fifo", None) => {}
            ("fifo", Some(_)) => {
                let message = "legacySortOptions belong to the order 'legacy', and the order is 'fifo'";
                return Err(Trouble::new(message).in_field("sortOptions.legacySortOptions"));
            }
            _ => return Err(Trouble::new("the order should be one of fifo, legacy").in_field("sortOptions.order")),
        },
    }
    Ok(())
}

fn sort(map: &mut ResMap, legacy: Option<&LegacySortOptions>) {
    let (first, last): (Vec<&str>, Vec<&str>) = match legacy {
        None => (FIRST.to_vec(), LAST.to_vec()),
        Some(options) => (
            options.order_first.iter().map(String::as_str).collect(),
            options.order_last.iter().map(String::as_str).collect(),
        ),
    };
    let mut ranks: HashMap<&str, isize> = HashMap::new();
    for (at, kind) in first.iter().enumerate() {
        ranks.insert(kind, at.cast_signed() - first.len().cast_signed());
    }
    for (at, kind) in last.iter().enumerate() {
        ranks.insert(kind, at.cast_signed() + 1);
    }
    // Ranks first: comparing texts is then only needed among one kind.
    let mut ranked: Vec<(isize, Resource)> = std::mem::take(&mut map.list)
        .into_iter()
        .map(|resource| (ranks.get(resource.kind()).copied().unwrap_or_default(), resource))
        .collect();
    ranked.sort_by(|(rank, one), (other_rank, other)| rank.cmp(other_rank).then_with(|| key(one).cmp(&key(other))));
    map.list = ranked.into_iter().map(|(_, resource)| resource).collect();
}

/// What objects of one rank are sorted by: a text of group, version and kind, then one of namespace and name.
fn key(resource: &Resource) -> (u8, String, String) {
    let (group, version) = resource.group_version();
    let kind = resource.kind();
    let or = |text: &str, none: &str| {
        if text.is_empty() {
            none.to_owned()
        } else {
            text.to_owned()
        }
    };
    let kinds = format!("{}_{}_{}", or(group, "~G"), or(version, "~V"), or(kind, "~K"));
    // The core Namespace comes before those of other groups.
    let after_core = u8::from(kind == "Namespace" && !group.is_empty());
    let names = format!("{}|{}", or(resource.namespace(), "~X"), or(resource.name(), "~N"));
    (after_core, kinds, names)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn sorted(objects: &[(&str, &str, &str, &str)], options: Option<&SortOptions>) -> Vec<String> {
        let resource = |(version, kind, namespace, name): &(&str, &str, &str, &str)| {
            let metadata = json!({"namespace": namespace, "name": name});
            Resource::new(
                Arc::new(json!({"apiVersion": version, "kind": kind, "metadata": metadata})),
                Arc::default(),
            )
        };
        let mut map = ResMap {
            list: objects.iter().map(resource).collect(),
        };
        apply(&mut map, options).expect("the options are good");
        let show = |it: &Resource| format!("{}/{}/{}", it.kind(), it.namespace(), it.name());
        map.list.iter().map(show).collect()
    }

    const OBJECTS: [(&str, &str, &str, &str); 7] = [
        (
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            "",
            "v",
        ),
        ("apps/v1", "Deployment", "b", "a"),
        ("apps/v1", "Deployment", "a", "b"),
        ("apps/v1", "Deployment", "", "c"),
        ("example.com/v1", "Zoo", "", "z"),
        ("v1", "Pod", "", "p"),
        ("v1", "Namespace", "", "n"),
    ];

    #[test]
    fn the_legacy_order() {
        let expected = [
            "Namespace//n",
            "Deployment/a/b",
            "Deployment/b/a",
            "Deployment//c",
            "Zoo//z",
            "Pod//p",
            "ValidatingWebhookConfiguration//v",
        ];
        assert_eq!(sorted(&OBJECTS, None), expected);
    }

    #[test]
    fn an_order_of_ones_own() {
        let options = |order: &str, first: &[&str], last: &[&str]| SortOptions {
            order: order.to_owned(),
            legacy_sort_options: Some(LegacySortOptions {
                order_first: first.iter().map(|it| (*it).to_owned()).collect(),
                order_last: last.iter().map(|it| (*it).to_owned()).collect(),
            }),
        };
        let got = sorted(&OBJECTS, Some(&options("legacy", &["Pod"], &["Namespace"])));
        assert_eq!(got.first().map(String::as_str), Some("Pod//p"));
        assert_eq!(got.last().map(String::as_str), Some("Namespace//n"));
        assert!(apply(&mut ResMap::default(), Some(&options("fifo", &[], &[]))).is_err());
        assert!(apply(&mut ResMap::default(), Some(&options("", &[], &[]))).is_err());
    }
}
