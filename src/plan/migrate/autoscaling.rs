//! `autoscaling/v2beta1`: targets became mappings of their own.

use serde_json::{Map, Value, json};

use super::{Edit, Object, Remark};

pub(super) fn v2beta1(object: &mut Object) -> Result<Remark, Edit> {
    let metrics = object.get_mut("spec").and_then(|spec| spec.get_mut("metrics"));
    for metric in metrics.and_then(Value::as_array_mut).into_iter().flatten() {
        for (source, rewrite) in [
            ("resource", resource as fn(&mut Object)),
            ("containerResource", resource),
            ("pods", pods),
            ("object", object_metric),
            ("external", external),
        ] {
            if let Some(source) = metric.get_mut(source).and_then(Value::as_object_mut) {
                rewrite(source);
            }
        }
    }
    Ok(None)
}

fn resource(source: &mut Object) {
    let utilization = source.shift_remove("targetAverageUtilization");
    let value = source.shift_remove("targetAverageValue");
    let target = match (utilization, value) {
        (Some(utilization), _) => json!({"type": "Utilization", "averageUtilization": utilization}),
        (None, Some(value)) => json!({"type": "AverageValue", "averageValue": value}),
        (None, None) => return,
    };
    source.insert("target".to_owned(), target);
}

/// `metricName` and a selector become `metric`.
fn metric(source: &mut Object, selector: &str) {
    let mut metric = Map::new();
    for (from, to) in [("metricName", "name"), (selector, "selector")] {
        if let Some(value) = source.shift_remove(from) {
            metric.insert(to.to_owned(), value);
        }
    }
    source.insert("metric".to_owned(), Value::Object(metric));
}

fn pods(source: &mut Object) {
    metric(source, "selector");
    average(source, "targetAverageValue");
}

fn average(source: &mut Object, key: &str) -> bool {
    let Some(value) = source.shift_remove(key) else {
        return false;
    };
    source.insert(
        "target".to_owned(),
        json!({"type": "AverageValue", "averageValue": value}),
    );
    true
}

fn whole(source: &mut Object) {
    if let Some(value) = source.shift_remove("targetValue") {
        source.insert("target".to_owned(), json!({"type": "Value", "value": value}));
    }
}

fn object_metric(source: &mut Object) {
    metric(source, "selector");
    super::rename(source, "target", "describedObject");
    if average(source, "averageValue") {
        source.shift_remove("targetValue"); // counted only where no average was given
    } else {
        whole(source);
    }
}

fn external(source: &mut Object) {
    metric(source, "metricSelector");
    if !average(source, "targetAverageValue") {
        whole(source);
    }
}
