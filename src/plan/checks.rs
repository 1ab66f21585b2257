//! By what objects are judged that the engine of their unit judges in a way of its own.

use std::collections::BTreeMap;

use super::index::Index;
use crate::object::{EngineUnit, HealthCheck, ObjectId, ReadyWhen, UnitIndex};

/// The check of each object that a unit waits for and has one for. One that several units wait for is judged as its own one does.
pub(super) fn of_units(index: &Index<'_>) -> BTreeMap<ObjectId, HealthCheck> {
    let mut found = BTreeMap::new();
    for own in [false, true] {
        for (number, unit) in index.units.iter().enumerate() {
            let Some(engine) = unit.engine.as_ref().filter(|engine| !engine.checks.is_empty()) else {
                continue;
            };
            for node in waited_for(index, UnitIndex(number), engine) {
                let item = index.item(node);
                let is_own = item.declared().is_some_and(|one| one.unit == UnitIndex(number));
                if let Some(check) = HealthCheck::of(&engine.checks, &item.id.group, &item.id.kind)
                    && is_own == own
                {
                    found.insert(item.id.clone(), check.clone());
                }
            }
        }
    }
    found
}

/// What an engine waits for before it calls a unit ready.
fn waited_for(index: &Index<'_>, unit: UnitIndex, engine: &EngineUnit) -> Vec<u32> {
    match &engine.ready {
        ReadyWhen::Applied => Vec::new(),
        ReadyWhen::Healthy => index.members(unit).to_vec(),
        ReadyWhen::These(objects) => objects.iter().filter_map(|object| index.get(object)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::planned;
    use serde_json::{Value, json};

    fn unit(name: &str, ready: &Value) -> Value {
        let mut unit = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name, "namespace": "flux-system"},
            "spec": {"healthCheckExprs": [{"apiVersion": "example.com/v1", "kind": "Thing", "current": format!("spec.of == '{name}'")}]},
        });
        for (key, value) in ready.as_object().into_iter().flatten() {
            unit["spec"][key] = value.clone();
        }
        unit
    }

    fn thing(name: &str, of: &str) -> Value {
        json!({
            "apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": name, "namespace": "shop"},
            "unit": format!("flux-system/{of}"),
        })
    }

    #[test]
    fn what_a_unit_waits_for_is_judged_by_its_checks() {
        let named = json!({"apiVersion": "example.com/v1", "kind": "Thing", "name": "a", "namespace": "shop"});
        let named_b = json!({"apiVersion": "example.com/v1", "kind": "Thing", "name": "b", "namespace": "shop"});
        let plan = planned(vec![
            unit("waits", &json!({"wait": true})),
            unit("names", &json!({"healthChecks": [named, named_b]})),
            unit("applies", &json!({})),
            thing("a", "waits"),
            thing("b", "applies"),
            thing("c", "applies"),
        ]);
        let told: Vec<(String, String)> = plan
            .checks
            .iter()
            .map(|(id, check)| (id.name.to_string(), check.current.to_string()))
            .collect();
        let expected = [("a", "spec.of == 'waits'"), ("b", "spec.of == 'names'")];
        assert_eq!(told, expected.map(|(name, by)| (name.to_owned(), by.to_owned())));
        for step in plan.steps.iter().filter(|step| step.id.kind == "Thing") {
            assert_eq!(step.has_contract, step.id.name != "c", "{}", step.id);
        }
    }
}
