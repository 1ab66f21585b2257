//! Reading many declared objects: by lists where they are most of what is there, else one by one.

use std::collections::{BTreeMap, HashMap};

use futures::stream::{self, BoxStream, StreamExt};
use serde_json::Value;

use super::ask::{Listed, Page, page_path};
use super::compare::Question;
use super::wire::Ask;
use super::{Cluster, Endpoint};
use crate::object::{LiveSet, ObjectId};

/// From so many objects of a kind in a namespace on a list is asked for,
const ENOUGH: usize = 2;
/// if no more than so many times as many are there: one that is sent for nothing costs less than a request of its own.
const MORE: usize = 4;
/// Whole objects in one page of a list: they can be large, and further pages cost the server more than the first one.
const PAGE: usize = 250;
/// Lists at a time.
const LISTS: usize = 8;

/// What a list told of an object.
pub(super) enum Told {
    /// It was not listed: it is to be asked for by itself.
    Nothing,
    /// The object; `None` if it is not there.
    Is(Option<Value>),
}

/// Questions about objects of one kind in one namespace, by name.
struct Batch<'a> {
    at: Endpoint,
    namespace: Option<&'a str>,
    questions: HashMap<&'a str, Question<'a>>,
}

impl Cluster {
    /// The questions in any order, each with its object where that came with others. `live` tells how many objects are there;
    /// without it nothing is listed. Secrets are never listed: the values of others would come along.
    pub(super) fn told<'a>(
        &'a self,
        questions: Vec<Question<'a>>,
        live: Option<&LiveSet>,
    ) -> BoxStream<'a, (Question<'a>, Told)> {
        let Some(live) = live else {
            return stream::iter(questions)
                .map(|question| (question, Told::Nothing))
                .boxed();
        };
        let mut batches: BTreeMap<(String, Option<&str>), Batch<'_>> = BTreeMap::new();
        for question in questions {
            let id = &question.declared.id;
            let namespace = id.namespace.as_deref();
            let batch = batches.entry((question.at.collection(namespace), namespace));
            let batch = batch.or_insert_with(|| Batch {
                at: question.at.clone(),
                namespace,
                questions: HashMap::new(),
            });
            batch.questions.insert(id.name.as_str(), question);
        }
        let (many, few): (Vec<_>, Vec<_>) = batches.into_values().partition(|batch| batch.is_for_a_list(live));
        let few = few.into_iter().flat_map(|batch| batch.questions.into_values());
        let few = stream::iter(few).map(|question| (question, Told::Nothing));
        let many = stream::iter(many)
            .map(|batch| self.list_batch(batch))
            .flatten_unordered(LISTS);
        stream::select(many, few).boxed()
    }

    /// All pages of a list, one after the other: each is asked for when what came of the one before is wanted no more.
    fn list_batch<'a>(&'a self, batch: Batch<'a>) -> BoxStream<'a, (Question<'a>, Told)> {
        let pages = stream::unfold(
            Some((batch, None)),
            async move |state: Option<(Batch<'a>, Option<String>)>| {
                let (mut batch, next) = state?;
                let path = page_path(&batch.at, batch.namespace, PAGE, next.as_deref());
                let Ok(page) = self.read::<Page<Value>>(&Ask::get(path)).await else {
                    // Whoever may not list them may be allowed to get them.
                    return Some((batch.rest(|| Told::Nothing), None));
                };
                let page = Listed::from(page);
                let mut told: Vec<_> = page.items.into_iter().filter_map(|value| batch.take(value)).collect();
                match page.next {
                    Some(next) if !batch.questions.is_empty() => Some((told, Some((batch, Some(next))))),
                    Some(_) => Some((told, None)),
                    None => {
                        told.extend(batch.rest(|| Told::Is(None)));
                        Some((told, None))
                    }
                }
            },
        );
        pages.flat_map(stream::iter).boxed()
    }
}

impl<'a> Batch<'a> {
    fn is_for_a_list(&self, live: &LiveSet) -> bool {
        let wanted = self.questions.len();
        if wanted < ENOUGH || self.at.is_secret() {
            return false;
        }
        // All objects of a kind in a namespace stand together.
        let kind = &self.at.kind;
        let first = ObjectId::new(&*kind.group, &*kind.kind, self.namespace, "");
        let there = live.objects.range(first..).map(|(id, _)| id);
        let there = there.take_while(|id| id.is(&kind.group, &kind.kind) && id.namespace.as_deref() == self.namespace);
        there.take(wanted * MORE + 1).count() <= wanted * MORE
    }

    /// The question that an object of a list answers.
    fn take(&mut self, mut value: Value) -> Option<(Question<'a>, Told)> {
        let name = value.pointer("/metadata/name").and_then(Value::as_str)?;
        let question = self.questions.remove(name)?;
        self.at.complete(&mut value);
        Some((question, Told::Is(Some(value))))
    }

    fn rest(&mut self, told: impl Fn() -> Told) -> Vec<(Question<'a>, Told)> {
        self.questions.drain().map(|(_, question)| (question, told())).collect()
    }
}
