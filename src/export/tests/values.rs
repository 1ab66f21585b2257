//! Values of charts that may decide a field.

use serde_json::json;

use super::super::spot::{Field, Site, Spot};
use super::super::values::{Values, deciding};
use super::*;

#[test]
fn of_many_values_the_best_named_are_tried() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {level: debug}\n";
    let case = Case::files(&[("a.yaml", map)], "");
    let mut names: Vec<String> = (0..22).map(|at| format!("k{at:02}")).collect();
    names.extend(["yWeb", "zLevelOfWeb", "zLevelOfWebData"].map(str::to_owned));
    let leaves = names.iter().map(|name| (name.clone(), json!("debug")));
    let values = Values {
        site: Site::of_file("values.yaml", Vec::new()),
        value: Value::Object(leaves.collect()),
    };
    let field = Field {
        object: &case.set.objects[0],
        path: ".data.level",
        new: Some(&json!("info")),
    };
    let spots = deciding(&[values], field);
    let found: Vec<String> = spots
        .iter()
        .map(|spot| match spot {
            Spot::Value { becomes } => match &becomes[..] {
                [(site, new)] if *new == "info" => format!("{:?}", site.steps),
                other => panic!("{other:?}"),
            },
            _ => panic!("no value"),
        })
        .collect();
    names.reverse();
    names[3..].reverse();
    let expected = names[..20]
        .iter()
        .map(|name| format!("{:?}", yaml_splice::path![&**name]));
    assert_eq!(found, expected.collect::<Vec<_>>());
}
