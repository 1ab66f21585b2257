//! The steps of a rolling sync (`applicationset/progressivesync/progressive_sync.go`, `buildAppDependencyList`).

use serde_json::Value;

use super::Generated;
use crate::error::Error;
use crate::object::text;

/// Gives the Applications their steps, where there is a rolling sync. Of several that select one the first counts.
pub(super) fn set(set: &Value, generated: &mut Generated) {
    let strategy = &set["spec"]["strategy"];
    if strategy["type"] != "RollingSync" {
        return;
    }
    let steps = strategy["rollingSync"]["steps"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    for made in &mut generated.made {
        made.step = steps.iter().position(|step| selects(step, &made.application));
    }
    for (at, step) in steps.iter().enumerate() {
        for (index, expression) in expressions(step).enumerate() {
            if !matches!(text(expression, &["operator"]), "In" | "NotIn") {
                let field = format!("spec.strategy.rollingSync.steps[{at}].matchExpressions[{index}].operator");
                generated.rollout.push(Error::new(field, "is neither In nor NotIn"));
            }
        }
    }
}

fn expressions(step: &Value) -> impl Iterator<Item = &Value> {
    step["matchExpressions"].as_array().into_iter().flatten()
}

/// Whether all expressions of a step fit the labels of an Application; without any it selects all.
fn selects(step: &Value, application: &Value) -> bool {
    expressions(step).all(|expression| {
        let is_in = |value: &Value| {
            let mut values = expression["values"].as_array().into_iter().flatten();
            values.any(|known| known == value)
        };
        let label = application["metadata"]["labels"].get(text(expression, &["key"]));
        match (text(expression, &["operator"]), label) {
            ("In", label) => label.is_some_and(is_in),
            ("NotIn", Some(value)) => !is_in(value),
            (_, label) => label.is_none(),
        }
    })
}
