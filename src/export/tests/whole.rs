//! A change is made as a whole or not at all: what was written of it before it failed is taken back.

use serde_json::json;

use super::super::layers::Layers;
use super::super::proof::Rendered;
use super::super::spot::{Site, Spot};
use super::super::work::{Known, Work};
use super::*;

const WEB: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n  a: b\n  ? c\n  : d # ours\n";
const RELEASE: &str = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: shop}\nspec:\n  chart: {spec: {chart: web}}\n";

/// What is left of a change that fails at this place, behind one that does not.
fn left(case: &Case, change: &Change, spot: &Spot) -> (String, Changeset) {
    let (known, before) = (
        Known::of(&case.set),
        Rendered::of(&case.tree, &case.options).expect("because it can be read"),
    );
    let layers = Layers::of(&case.tree);
    let mut work = Work::new(
        &case.tree,
        (&known, &layers),
        &case.options,
        super::super::Options::default(),
        &before,
    );
    let other = case.set("ConfigMap/other", ".data.a", json!("x"));
    work.make(0, &other, &Spot::Document).expect("because it has a place");
    let why = work
        .make(1, change, spot)
        .expect_err("because a part of it has no place");
    (why, work.finish())
}

#[test]
fn what_was_written_of_a_change_that_fails_is_taken_back() {
    let other = WEB.replace("name: web", "name: other");
    let case = Case::files(
        &[
            ("apps/other.yaml", &*other),
            ("apps/release.yaml", RELEASE),
            ("apps/web.yaml", WEB),
        ],
        "apps",
    );
    let at = |name: &str, steps| {
        Site::of_object(
            case.set
                .objects
                .iter()
                .find(|one| one.id.is_named_by(name))
                .expect("because it is declared"),
            steps,
        )
    };
    let nothing = Change::Unset {
        object: case.id("ConfigMap/web"),
        path: ".data.nothing".to_owned(),
    };
    let renderer = Spot::PostRenderer(at("HelmRelease/web", Vec::new()));
    // One that can be set, and is written anew for it; then one that leads nowhere.
    let values = |of: &str| Spot::Value {
        becomes: vec![
            (at(of, yaml_splice::path!["data", "c"]), json!("e")),
            (at(of, yaml_splice::path!["data", "a", "b"]), json!("e")),
        ],
    };
    let set = case.set("ConfigMap/web", ".data.c", json!("e"));
    for (change, spot, why) in [
        (&nothing, renderer, "it has no place .data.nothing"),
        (&set, values("ConfigMap/web"), "it has no place data.a.b"),
        (&set, values("ConfigMap/other"), "it has no place data.a.b"),
    ] {
        let (said, made) = left(&case, change, &spot);
        assert_eq!(said, why);
        assert_eq!(case.diff(&made), ["apps/other.yaml", "-  a: b", "+  a: x"], "{spot:?}");
        assert_eq!((made.placed.len(), made.reemitted), (1, Vec::new()), "{spot:?}");
    }
}
