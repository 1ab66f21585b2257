//! Labels and annotations that all objects of a kustomization get.

use serde_json::Value;
use yaml_splice::Step;

use super::layers::{Layer, items};
use super::path;
use super::spot::{Field, Spot};
use super::work::at;

/// Where a kustomization, or what an engine adds to one, says them; those in `labels` are in a list.
const COMMON: [(&str, &[&str]); 4] = [
    ("labels", &["commonLabels"]),
    ("labels", &["commonMetadata", "labels"]),
    ("annotations", &["commonAnnotations"]),
    ("annotations", &["commonMetadata", "annotations"]),
];

/// The common label or annotation that a field is. Where it is not that of one object alone, the proof says so.
pub(super) fn common(layer: &Layer, field: Field<'_>) -> Option<Spot> {
    let steps = path::steps(field.path, field.object.manifest.value())?;
    let (new, [metadata, map, key]) = (field.new?, &steps[..]) else {
        return None;
    };
    if *metadata != Step::from("metadata") {
        return None;
    }
    let maps = COMMON
        .iter()
        .map(|(of, place)| (*of, place.iter().copied().map(Step::from).collect()));
    let lists = (0..items(&layer.value["labels"]).count()).rev();
    let lists = lists.map(|index| ("labels", yaml_splice::path!["labels", index, "pairs"]));
    let sites = maps.chain(lists).filter(|(of, _)| *map == Step::from(*of));
    let mut sites = sites.map(|(_, place): (_, Vec<Step>)| [place, vec![key.clone()]].concat());
    let site = sites.find(|steps| at(&layer.value, steps).is_some_and(Value::is_string))?;
    Some(Spot::Value {
        becomes: vec![(layer.root.below(site), new.clone())],
    })
}
