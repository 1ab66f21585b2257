//! Label selectors, as Kubernetes matches them.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Labels of an object, as written.
pub(crate) type Labels = Map<String, Value>;

/// A parsed label selector. An empty one matches everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector<'a> {
    equal: Vec<(&'a str, &'a str)>,
    expressions: Vec<Expression<'a>>,
}

#[derive(Debug, Clone)]
struct Expression<'a> {
    key: &'a str,
    operator: &'a str,
    values: Vec<&'a str>,
}

impl<'a> Selector<'a> {
    /// Reads `{matchLabels, matchExpressions}`; absent is empty.
    pub fn read(value: Option<&'a Value>) -> Self {
        let Some(value) = value else {
            return Self::default();
        };
        let expressions = (value.get("matchExpressions").and_then(Value::as_array))
            .into_iter()
            .flatten()
            .map(|expression| Expression {
                key: text(expression, "key"),
                operator: text(expression, "operator"),
                values: (expression.get("values").and_then(Value::as_array))
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect(),
            })
            .collect();
        Self {
            equal: pairs(value.get("matchLabels")),
            expressions,
        }
    }

    /// Reads a plain mapping of labels (`Service.spec.selector`).
    pub fn of_labels(value: Option<&'a Value>) -> Self {
        Self {
            equal: pairs(value),
            expressions: Vec::new(),
        }
    }

    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        self.equal.is_empty() && self.expressions.is_empty()
    }

    /// Whether these labels match.
    pub fn matches(&self, labels: Option<&Labels>) -> bool {
        let get = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        self.equal.iter().all(|(key, value)| get(key) == Some(value))
            && self.expressions.iter().all(|expression| {
                let value = get(expression.key);
                let among = value.is_some_and(|value| expression.values.contains(&value));
                match expression.operator {
                    "In" => among,
                    "NotIn" => !among,
                    "Exists" => value.is_some(),
                    "DoesNotExist" => value.is_none(),
                    _ => false,
                }
            })
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn pairs(value: Option<&Value>) -> Vec<(&str, &str)> {
    (value.and_then(Value::as_object).into_iter().flatten())
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
        .collect()
}

/// Things with labels, found by selector without looking at all of them.
#[derive(Default)]
pub(crate) struct Labelled<'a> {
    all: Vec<(u32, Option<&'a Labels>)>,
    by_label: HashMap<(&'a str, &'a str), Vec<usize>>,
}

impl<'a> Labelled<'a> {
    pub fn add(&mut self, node: u32, labels: Option<&'a Labels>) {
        for (key, value) in labels.into_iter().flatten() {
            if let Some(value) = value.as_str() {
                self.by_label.entry((key, value)).or_default().push(self.all.len());
            }
        }
        self.all.push((node, labels));
    }

    /// Those that match, in the order added. Looks at the rarest of the wanted labels only.
    pub fn find(&self, selector: &Selector<'_>) -> Vec<u32> {
        let rarest = (selector.equal.iter())
            .map(|pair| self.by_label.get(pair).map_or(&[][..], Vec::as_slice))
            .min_by_key(|found| found.len());
        let matches = |(node, labels): &(u32, Option<&Labels>)| selector.matches(*labels).then_some(*node);
        match rarest {
            Some(places) => places.iter().filter_map(|place| matches(&self.all[*place])).collect(),
            None => self.all.iter().filter_map(matches).collect(),
        }
    }
}

/// Selectors, found by the labels they match without trying all of them.
#[derive(Default)]
pub(crate) struct Selectors<'a> {
    by_label: HashMap<(&'a str, &'a str), Vec<(u32, Selector<'a>)>>,
    rest: Vec<(u32, Selector<'a>)>,
}

impl<'a> Selectors<'a> {
    pub fn add(&mut self, node: u32, selector: Selector<'a>) {
        match selector.equal.first() {
            Some(pair) => self.by_label.entry(*pair).or_default().push((node, selector)),
            None => self.rest.push((node, selector)),
        }
    }

    /// The nodes whose selector matches, sorted.
    pub fn matching(&self, labels: Option<&Labels>) -> Vec<u32> {
        let candidates = (labels.into_iter().flatten())
            .filter_map(|(key, value)| self.by_label.get(&(key.as_str(), value.as_str()?)))
            .flatten();
        let mut found: Vec<u32> = (candidates.chain(&self.rest))
            .filter(|(_, selector)| selector.matches(labels))
            .map(|(node, _)| *node)
            .collect();
        found.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_match_as_kubernetes_does() {
        let labels = json!({"app": "web", "tier": "front"});
        let labels = labels.as_object();
        let expression = |operator: &str, key: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        for (selector, expected) in [
            (json!({}), true),
            (json!({"matchLabels": {"app": "web"}}), true),
            (json!({"matchLabels": {"app": "api"}}), false),
            (expression("In", "app", &["api", "web"]), true),
            (expression("NotIn", "app", &["api"]), true),
            (expression("NotIn", "absent", &["api"]), true),
            (expression("NotIn", "app", &["web"]), false),
            (expression("Exists", "tier", &[]), true),
            (expression("DoesNotExist", "tier", &[]), false),
            (expression("Gt", "tier", &["1"]), false),
        ] {
            assert_eq!(Selector::read(Some(&selector)).matches(labels), expected, "{selector}");
        }
    }

    #[test]
    fn both_indexes_find_what_a_scan_finds() {
        let labels: Vec<Value> = (0..20)
            .map(|n| json!({"a": (n % 3).to_string(), "b": (n % 4).to_string()}))
            .collect();
        let selectors: Vec<Value> = (0..4)
            .map(|n| json!({"matchLabels": {"a": (n % 3).to_string(), "b": n.to_string()}}))
            .chain([
                json!({}),
                json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}),
            ])
            .collect();
        let mut labelled = Labelled::default();
        let mut index = Selectors::default();
        for (node, labels) in labels.iter().enumerate() {
            labelled.add(node as u32, labels.as_object());
        }
        for (node, selector) in selectors.iter().enumerate() {
            index.add(node as u32, Selector::read(Some(selector)));
        }
        for (s, selector) in selectors.iter().enumerate() {
            let selector = Selector::read(Some(selector));
            let scan: Vec<u32> = (0..20u32)
                .filter(|n| selector.matches(labels[*n as usize].as_object()))
                .collect();
            assert_eq!(labelled.find(&selector), scan);
            for (l, labels) in labels.iter().enumerate() {
                assert_eq!(
                    index.matching(labels.as_object()).contains(&(s as u32)),
                    scan.contains(&(l as u32))
                );
            }
        }
    }
}
