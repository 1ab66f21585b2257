//! Fields of Flux's sources, and of what names charts, that are not acted on: what is read all the same, and without what.

use serde_json::Value;

use crate::object::{ObjectId, Place, Problem};

/// Kinds, the field, and what is not done of it.
type Row = (&'static [&'static str], &'static str, &'static str);

/// Source: source-controller (`api/v1`: GitRepository, OCIRepository, HelmRepository, HelmChart), helm-controller (`api/v2`: HelmChartTemplateVerification).
const NOT_HONOURED: &[Row] = &[
    (
        &["GitRepository", "OCIRepository", "HelmChart"],
        "verify",
        "is read without verifying its signature",
    ),
    (
        &["HelmRelease"],
        "chart.spec.verify",
        "is released without verifying the signature of its chart",
    ),
    (
        &["GitRepository", "OCIRepository", "HelmRepository"],
        "provider",
        "is asked with credentials of this machine, not as a service account of that provider",
    ),
    (
        &["GitRepository"],
        "secretRef",
        "is asked with credentials of this machine, not with those of that Secret",
    ),
    (
        &["GitRepository", "OCIRepository"],
        "proxySecretRef",
        "is asked as this machine asks, not through that proxy",
    ),
    (
        &["GitRepository"],
        "include",
        "is read without what it includes of other sources",
    ),
    (
        &["GitRepository"],
        "recurseSubmodules",
        "is read without its submodules",
    ),
];

/// Sources that are named in one remark.
const NAMED: usize = 3;

/// Whether a field says something.
fn is_set(field: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty() && (field, text.as_str()) != ("provider", "generic"),
        Value::Array(all) => !all.is_empty(),
        _ => true,
    }
}

/// One remark a field, for all sources that have it; `sources` are those that are read from elsewhere.
pub(super) fn remarks<'s>(sources: impl Iterator<Item = (&'s ObjectId, &'s Value, &'s Place)> + Clone) -> Vec<Problem> {
    let of_row = |(kinds, field, message): &Row| {
        let has = |(id, value, _): &(&ObjectId, &Value, &Place)| {
            let said = value.pointer(&format!("/spec/{}", field.replace('.', "/")));
            kinds.contains(&&*id.kind) && said.is_some_and(|said| is_set(field, said))
        };
        let mut having = sources.clone().filter(has);
        let (first, _, place) = having.next()?;
        let others: Vec<String> = having.map(|(id, _, _)| id.to_string()).collect();
        let named = others
            .iter()
            .take(NAMED)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        let also = match others.len().saturating_sub(NAMED) {
            0 if others.is_empty() => String::new(),
            0 => format!("; so are {named}"),
            more => format!("; so are {named} and {more} more"),
        };
        let problem = Problem::warning(
            place.clone(),
            format!("its spec.{field} is not acted on: it {message}{also}"),
        );
        Some(problem.of(first.clone()))
    };
    NOT_HONOURED.iter().filter_map(of_row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_row_is_told_once_for_all_that_have_it() {
        let source = |kind: &str, name: String, spec: Value| {
            let id = ObjectId::new("source.toolkit.fluxcd.io", kind, Some("flux"), name);
            (id, json!({"spec": spec}), Place::at("sources.yaml", 7))
        };
        for (kinds, field, message) in NOT_HONOURED {
            for kind in *kinds {
                let said = match *field {
                    "provider" => json!({"provider": "aws"}),
                    "include" => json!({"include": [{"repository": {"name": "x"}}]}),
                    "recurseSubmodules" => json!({"recurseSubmodules": true}),
                    "chart.spec.verify" => json!({"chart": {"spec": {"verify": {"provider": "cosign"}}}}),
                    field => json!({field: {"name": "x"}}),
                };
                let all: Vec<_> = (0..6)
                    .map(|number| source(kind, format!("s{number}"), said.clone()))
                    .collect();
                let told = remarks(all.iter().map(|(id, value, place)| (id, value, place)));
                let own = |number: usize| format!("{kind}/flux/s{number}");
                assert_eq!(told.len(), 1);
                assert_eq!(
                    told[0].message,
                    format!(
                        "its spec.{field} is not acted on: it {message}; so are {}, {}, {} and 2 more",
                        own(1),
                        own(2),
                        own(3)
                    )
                );
                let silent = json!({"provider": "generic", "include": [], "recurseSubmodules": false, "verify": null,
                    "chart": {"spec": {"verify": null}}});
                let (id, value, place) = source(kind, "x".to_owned(), silent);
                assert_eq!(remarks([(&id, &value, &place)].into_iter()), []);
            }
        }
    }
}
