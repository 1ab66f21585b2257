//! Visits all places that a target's path leads to (kyaml's `PathMatcher`).

use regex::Regex;
use serde_json::{Map, Value};

use super::inside;
use crate::path::{Part, made_item, wrong};
use crate::plain::resolve;
use crate::trouble::{Outcome, Trouble};

/// What is made where a path ends and nothing is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Make {
    Scalar,
    Mapping,
    List,
}

/// A place that was found.
pub(crate) struct Spot<'v> {
    pub value: &'v mut Value,
    /// The text of a scalar that was just made and is of no kind yet.
    pub open: Option<&'v str>,
    /// The keys and places that lead there.
    pub way: &'v [String],
}

/// What is done at each place.
pub(crate) type Set<'s> = dyn FnMut(Spot<'_>) -> Outcome<()> + 's;

/// Visits the places and counts them. None is no error; a path that leads through something of another sort is.
pub(crate) fn visit(value: &mut Value, path: &[String], make: Option<Make>, set: &mut Set<'_>) -> Outcome<usize> {
    let mut visitor = Visitor {
        make,
        set,
        way: Vec::new(),
        made: Vec::new(),
    };
    visitor.visit(value, path)
}

struct Visitor<'s, 'c> {
    make: Option<Make>,
    set: &'s mut Set<'c>,
    way: Vec<String>,
    /// Where a field was made so that an item is found, and its text.
    made: Vec<(Vec<String>, String)>,
}

impl Visitor<'_, '_> {
    fn visit(&mut self, value: &mut Value, path: &[String]) -> Outcome<usize> {
        let Some((part, rest)) = path.split_first() else {
            return self.arrive(value, None);
        };
        let part = Part::of(part)?;
        if value.is_null() {
            return self.beneath_null(part, rest);
        }
        match part {
            Part::Place(place) => self.at_place(value, place, rest),
            Part::Every => self.each(value, |visitor, item| visitor.visit(item, rest)),
            Part::Item(field, wanted) => self.in_items(value, (field, wanted), rest),
            Part::Field(name) => self.in_field(value, name, rest),
        }
    }

    fn arrive(&mut self, value: &mut Value, open: Option<&str>) -> Outcome<usize> {
        let made = self.made.iter().find(|(way, _)| *way == self.way);
        let open = open.or(made.map(|(_, text)| text.as_str()));
        (self.set)(Spot {
            value,
            open,
            way: &self.way,
        })?;
        Ok(1)
    }

    fn within<T>(&mut self, step: String, then: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.way.push(step);
        let result = then(self);
        self.way.pop();
        result
    }

    fn each(
        &mut self,
        value: &mut Value,
        mut then: impl FnMut(&mut Self, &mut Value) -> Outcome<usize>,
    ) -> Outcome<usize> {
        let mut count = 0;
        for (at, item) in items(value)?.iter_mut().enumerate() {
            count += self.within(at.to_string(), |visitor| then(visitor, item))?;
        }
        Ok(count)
    }

    /// kyaml finds nothing beneath null, or makes something that is not written in the end.
    fn beneath_null(&mut self, part: Part<'_>, rest: &[String]) -> Outcome<usize> {
        let mut nowhere = Visitor {
            make: self.make,
            set: &mut |_| Ok(()),
            way: Vec::new(),
            made: Vec::new(),
        };
        match part {
            Part::Place(place) => nowhere.at_place(&mut Value::Array(Vec::new()), place, rest),
            Part::Item(field, wanted) if self.make.is_some() => {
                nowhere.in_items(&mut Value::Array(Vec::new()), (field, wanted), rest)
            }
            Part::Field(name) if self.make.is_some() => nowhere.in_field(&mut Value::Object(Map::new()), name, rest),
            _ => Ok(0),
        }
    }

    fn in_field(&mut self, value: &mut Value, name: &str, rest: &[String]) -> Outcome<usize> {
        let Value::Object(fields) = value else {
            return Err(wrong(value, "a mapping"));
        };
        let Some(field) = fields.get_mut(name) else {
            let Some(make) = self.make else { return Ok(0) };
            let field = fields.entry(name).or_insert(Value::Null);
            return self.within(name.to_owned(), |visitor| visitor.fill(field, rest, make));
        };
        if rest.is_empty() || field.is_array() || field.is_object() {
            return self.within(name.to_owned(), |visitor| visitor.visit(field, rest));
        }
        // A place inside of the text of a scalar counts, but is not written back; that is done where the path has no wildcard.
        inside::parse(field).and_then(|mut parsed| visit(&mut parsed, rest, self.make, &mut |_| Ok(())))
    }

    /// Makes what the rest of a path asks for in a place that was just made.
    fn fill(&mut self, place: &mut Value, rest: &[String], make: Make) -> Outcome<usize> {
        *place = match (rest.first().map(|part| Part::of(part)).transpose(), make) {
            (Ok(None), Make::Scalar) => return self.arrive(place, Some("")),
            (Ok(None), Make::Mapping) => Value::Object(Map::new()),
            (Ok(None), Make::List) => Value::Array(Vec::new()),
            (Ok(Some(Part::Field(_) | Part::Every)), _) => Value::Object(Map::new()),
            (Ok(Some(Part::Place(_) | Part::Item(..))) | Err(_), _) => Value::Array(Vec::new()),
        };
        self.visit(place, rest)
    }

    fn at_place(&mut self, value: &mut Value, place: usize, rest: &[String]) -> Outcome<usize> {
        let list = items(value)?;
        let length = list.len();
        if let Some(make) = self.make
            && place == length
        {
            list.push(Value::Null);
            let Some(item) = list.last_mut() else { return Ok(0) };
            return self.within(place.to_string(), |visitor| visitor.fill(item, rest, make));
        }
        match list.get_mut(place) {
            Some(item) => self.within(place.to_string(), |visitor| visitor.visit(item, rest)),
            None => Err(Trouble::new(format!(
                "item {place} is asked for but there are {length}"
            ))),
        }
    }

    fn in_items(&mut self, value: &mut Value, (field, wanted): (&str, &str), rest: &[String]) -> Outcome<usize> {
        if items(value)?.is_empty() && self.make.is_none() {
            return Ok(0);
        }
        // kyaml takes what is wanted for a regular expression, which may match a part.
        let expression =
            Regex::new(wanted).map_err(|_| Trouble::new(format!("{wanted:?} is no regular expression")))?;
        let count = self.each(value, |visitor, item| visitor.in_item(item, field, &expression, rest))?;
        if count > 0 || self.make.is_none() {
            return Ok(count);
        }
        let list = items(value)?;
        let place = list.len().to_string();
        list.push(made_item(field, wanted));
        let Some(item) = list.last_mut() else { return Ok(0) };
        if field.is_empty() {
            return self.within(place, |visitor| visitor.arrive(item, Some(wanted)));
        }
        let way = self.way.iter().cloned().chain([place.clone(), field.to_owned()]);
        self.made.push((way.collect(), wanted.to_owned()));
        match self.within(place, |visitor| visitor.in_item(item, field, &expression, rest))? {
            0 => Err(Trouble::new(format!(
                "an item made for [{field}={wanted}] does not match it"
            ))),
            count => Ok(count),
        }
    }

    fn in_item(&mut self, item: &mut Value, field: &str, expression: &Regex, rest: &[String]) -> Outcome<usize> {
        if field.is_empty() {
            // What follows in the path does not count.
            return match expression.is_match(written(item).trim()) {
                true => self.arrive(item, None),
                false => Ok(0),
            };
        }
        match item.get(field) {
            Some(value) if expression.is_match(written(value).trim()) => self.visit(item, rest),
            _ => Ok(0),
        }
    }
}

/// A value as YAML: texts that look like something else are in quotes.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) if resolve(text) == *value && !text.contains('\n') => text.clone(),
        value => kube_yaml::to_string(value),
    }
}

fn items(value: &mut Value) -> Outcome<&mut Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(wrong(other, "a list")),
    }
}
