//! Labels and annotations that are one.
//!
//! Where kustomize sets a label or an annotation in several places of an object at once, those places hold one YAML node from then on:
//! what changes the value in one of them later changes it in all, selectors included. Only a JSON 6902 patch, which writes the whole
//! object anew, parts them. (The value is the same in all of them until one is changed, so that this is seen in no single kustomization.)

use std::cmp::Ordering;

use serde_json::Value;

use crate::resource::Resource;

/// Places that hold one value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shared {
    places: Vec<Place>,
    /// As it was when last looked at.
    value: Value,
}

/// A place in an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// A JSON pointer.
    pub pointer: String,
    /// It is inside of an item of a list.
    pub in_list: bool,
}

impl Place {
    /// The root of an object.
    pub fn root() -> Self {
        Place {
            pointer: String::new(),
            in_list: false,
        }
    }

    /// The place of a key of the mapping that is here.
    pub fn key(&self, key: &str) -> Self {
        let mut pointer = self.pointer.clone();
        pointer.push('/');
        for part in key.chars() {
            match part {
                '~' => pointer.push_str("~0"),
                '/' => pointer.push_str("~1"),
                part => pointer.push(part),
            }
        }
        Place {
            pointer,
            in_list: self.in_list,
        }
    }

    /// The place of an item of the list that is here.
    pub fn item(&self, at: usize) -> Self {
        Place {
            pointer: format!("{}/{at}", self.pointer),
            in_list: true,
        }
    }
}

/// What changed an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// A transformer that sets values where they are.
    Setting,
    /// A strategic merge patch, by which lists may have been replaced as a whole, with what is in them.
    Merging,
}

impl Resource {
    /// Remembers places that were made at once with one value.
    pub fn share(&mut self, places: Vec<Place>, value: Value) {
        if places.len() > 1 {
            self.shared.push(Shared { places, value });
        }
    }

    /// Lets shared places follow the one of them that was changed. To be called after each step that may have changed some, but after a
    /// JSON 6902 patch, which parts them: there, [`part`](Self::part) is to be called.
    pub fn settle(&mut self, by: By) {
        if self.shared.is_empty() {
            return;
        }
        let mut all = std::mem::take(&mut self.shared);
        for shared in &mut all {
            shared.settle(self, by);
        }
        all.retain(|shared| shared.places.len() > 1);
        self.shared = all;
    }

    /// Where the last place that a strategic merge patch speaks of has the shared value in the patch too, all places have it again,
    /// whatever the patch says of the others. To be called before [`settle`](Self::settle).
    pub fn restate(&mut self, patch: &Value) {
        let said = |place: &&Place| !place.in_list && patch.pointer(&place.pointer).is_some_and(is_scalar);
        let mut restated = Vec::new();
        for shared in &self.shared {
            let by_keys = |one: &&Place, other: &&Place| one.pointer.split('/').cmp(other.pointer.split('/'));
            let last = shared.places.iter().filter(said).max_by(by_keys);
            if last.is_some_and(|place| self.value.pointer(&place.pointer) == Some(&shared.value)) {
                let differs = |place: &&Place| {
                    let now = self.value.pointer(&place.pointer);
                    now.is_some_and(|now| is_scalar(now) && *now != shared.value)
                };
                let places = shared.places.iter().filter(differs);
                restated.extend(places.map(|place| (place.pointer.clone(), shared.value.clone())));
            }
        }
        for (pointer, value) in restated {
            if let Some(field) = self.value_mut().pointer_mut(&pointer) {
                *field = value;
            }
        }
    }

    /// Shares nothing any more.
    pub fn part(&mut self) {
        self.shared.clear();
    }
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Array(_) | Value::Object(_))
}

impl Shared {
    fn settle(&mut self, resource: &mut Resource, by: By) {
        let value = &resource.value;
        let is = |place: &Place, due: &Value| value.pointer(&place.pointer) == Some(due);
        let leads = |place: &&Place| by == By::Setting || !place.in_list;
        let now = |place: &Place| {
            value
                .pointer(&place.pointer)
                .filter(|now| !now.is_object() && !now.is_array())
        };
        let changed = self.places.iter().filter(leads);
        let changed = changed.filter(|place| now(place).is_some_and(|now| *now != self.value));
        // A merge walks keys in their order, so that the last of them has the last word.
        let last = changed.max_by(|one, other| match by {
            By::Setting => Ordering::Less,
            By::Merging => one.pointer.split('/').cmp(other.pointer.split('/')),
        });
        let Some(new) = last.and_then(now).cloned() else {
            self.places
                .retain(|place| value.pointer(&place.pointer) == Some(&self.value));
            return;
        };
        self.places
            .retain(|place| is(place, &self.value) || is(place, &new) || leads(&place) && now(place).is_some());
        for place in &self.places {
            if resource.value.pointer(&place.pointer) != Some(&new)
                && let Some(field) = resource.value_mut().pointer_mut(&place.pointer)
            {
                field.clone_from(&new);
            }
        }
        self.value = new;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::origin::Origin;

    fn place(pointer: &str) -> Place {
        Place {
            pointer: pointer.to_owned(),
            in_list: pointer.contains("/0/"),
        }
    }

    #[test]
    fn follows_what_was_changed() {
        // Values at a, b and l[0].c after a change of values that were 1, and what they settle at.
        let cases = [
            (json!([1, 1, 1]), By::Merging, json!([1, 1, 1])),
            (json!([2, 1, 1]), By::Merging, json!([2, 2, 2])),
            (json!([2, 3, 1]), By::Merging, json!([3, 3, 3])),
            (json!([1, 1, 2]), By::Merging, json!([1, 1, 2])),
            (json!([1, 1, 2]), By::Setting, json!([2, 2, 2])),
            (json!([{}, 1, 1]), By::Merging, json!([{}, 1, 1])),
        ];
        for (changed, by, expected) in cases {
            let object = |values: &Value| json!({"a": values[0], "b": values[1], "l": [{"c": values[2]}]});
            let mut resource = Resource::new(Arc::new(object(&changed)), Arc::new(Origin::default()));
            resource.share(vec![place("/a"), place("/b"), place("/l/0/c")], json!(1));
            resource.settle(by);
            assert_eq!(*resource.value, object(&expected), "{changed}");
        }
    }

    #[test]
    fn forgets_what_went_its_own_way() {
        let mut resource = Resource::new(Arc::new(json!({"a": 1, "b": 1})), Arc::new(Origin::default()));
        resource.share(vec![place("/a"), place("/b"), place("/gone")], json!(1));
        resource.settle(By::Setting);
        assert_eq!(resource.shared[0].places, [place("/a"), place("/b")]);
        resource.part();
        resource.value = Arc::new(json!({"a": 2, "b": 1}));
        resource.settle(By::Setting);
        assert_eq!(*resource.value, json!({"a": 2, "b": 1}));
    }

    #[test]
    fn points_at_keys_with_slashes() {
        let value = json!({"a": [{"x/~y": 1}]});
        let place = Place::root().key("a").item(0).key("x/~y");
        assert_eq!((value.pointer(&place.pointer), place.in_list), (Some(&json!(1)), true));
    }

    #[test]
    fn the_last_word_of_a_patch_may_be_the_old_value() {
        let (labels, selector) = ("/metadata/labels/app", "/spec/selector/app");
        let value = json!({"metadata": {"labels": {"app": "db"}}, "spec": {"selector": {"app": "x"}}});
        let mut resource = Resource::new(Arc::new(value.clone()), Arc::new(Origin::default()));
        resource.share(vec![place(labels), place(selector)], json!("x"));
        resource.restate(&value);
        resource.settle(By::Merging);
        assert_eq!(resource.value.pointer(labels), Some(&json!("x")));
    }
}
