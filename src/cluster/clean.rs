//! Live objects as manifests that a person would write, proven by the server: a dry-run replace, or where a field cannot be
//! changed a dry-run create under a free name, makes the live object of them again.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, stream};
use http::{Method as Verb, StatusCode};
use serde_json::Value;

use super::compare::{is_conflict, said};
use super::refusal::{self, Verdict};
use super::wire::{Ask, JSON, Status, Trouble};
use super::{Cluster, Endpoint};
use crate::object::builtin;
use crate::object::{
    Cleaning, Declared, FactGap, GroupKind, Known, Learned, LiveObject, Manifest, ObjectId, Scaling, Scope, ServedKinds,
};

/// Dry runs for one object, however often it changes meanwhile and is read again.
const DRY_RUNS: usize = 4;
/// The first pause before it is; each is twice the one before.
const PAUSE: Duration = Duration::from_millis(50);

/// A live object of which a manifest is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The object.
    pub id: &'a ObjectId,
    /// What Git declares of it.
    pub declared: Option<&'a Declared>,
}

/// A live object and the manifest of it.
#[derive(Debug, Clone)]
pub struct Cleaned {
    /// What a person declared: no field of it is the server's, a controller's or a default.
    pub manifest: Manifest,
    /// The object as it was read.
    pub live: Manifest,
    /// Its metadata.
    pub object: LiveObject,
    /// Whether the server makes the live object of the manifest.
    pub proof: Proof,
}

/// How it is known that a manifest gives the live object again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Put in place of the live object (`dryRun=All`), it gives it again.
    Replaced,
    /// It cannot be put in place of the live object; created beside it (`dryRun=All`), it gives the same.
    Created,
    /// It is not known, because of this.
    None(String),
}

/// Why the server does not say.
enum NoWord {
    Meanwhile,
    Refused(Box<Status>),
    Because(String),
}

/// The definition of a custom resource, as far as it counts here.
#[derive(Default)]
struct Definition {
    schema: Option<Value>,
    status_is_data: bool,
}

impl Cluster {
    /// Makes manifests of live objects: each costs a GET and one to four dry runs, nothing is changed. What is not there (any
    /// more) is left out; what could not be read is a gap.
    pub async fn clean(
        &self,
        kinds: &ServedKinds,
        wanted: &[Wanted<'_>],
    ) -> (BTreeMap<ObjectId, Cleaned>, Vec<FactGap>) {
        let (scaled, _) = self.scaled_live(kinds).await;
        let definitions = self.definitions(kinds, wanted).await;
        let asked = wanted.iter().filter_map(|wanted| {
            let served = kinds.get(&wanted.id.group_kind())?;
            let version = wanted.declared.map(|declared| declared.manifest.version());
            let version = version.filter(|version| served.versions.iter().any(|known| known == version));
            let at = match version {
                Some(version) => Endpoint::new(served.kind.clone(), version, &*served.plural, served.scope),
                None => Endpoint::preferred(served)?,
            };
            Some((*wanted, at))
        });
        let asked = asked.map(|(wanted, at)| {
            let (scaled, definitions) = (&scaled, &definitions);
            async move {
                let id = wanted.id;
                let definition = definitions.get(&(at.kind.clone(), at.version.clone()));
                let known = Known {
                    declared: wanted.declared.map(|declared| declared.manifest.value()),
                    scaled: scaled.of(&at.kind, id) != Scaling::Declared,
                    schema: definition.and_then(|definition| definition.schema.as_ref()),
                    status_is_data: definition.is_some_and(|definition| definition.status_is_data),
                    keeps_marks: false,
                };
                (id, self.clean_one(&at, id, known).await)
            }
        });
        let answers: Vec<_> = stream::iter(asked).buffer_unordered(self.in_flight()).collect().await;
        let (mut cleaned, mut gaps) = (BTreeMap::new(), Vec::new());
        for (id, answer) in answers {
            match answer {
                Ok(Some(one)) => _ = cleaned.insert(id.clone(), one),
                Ok(None) => {}
                Err(reason) => gaps.push(FactGap {
                    what: format!("get {id}"),
                    reason,
                }),
            }
        }
        gaps.sort();
        (cleaned, gaps)
    }

    async fn clean_one(&self, at: &Endpoint, id: &ObjectId, known: Known<'_>) -> Result<Option<Cleaned>, String> {
        let (mut dry_runs, mut pause) = (DRY_RUNS, PAUSE);
        loop {
            let read = self.get_as::<Value>(at, id.namespace.as_deref(), &id.name).await;
            let Some(live) = read.map_err(|trouble| trouble.to_string())? else {
                return Ok(None);
            };
            let object = LiveObject::of(&live);
            let mut cleaning = Cleaning::new(&live, &object, known);
            let proof = match self.prove(at, id, &live, &mut cleaning, &mut dry_runs).await {
                Ok(proof) => proof,
                Err(()) if dry_runs > 0 => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    continue;
                }
                Err(()) => {
                    cleaning.put_all_back();
                    Proof::None("it keeps changing".to_owned())
                }
            };
            let manifest = Manifest::new(cleaning.draft())?;
            return Ok(Some(Cleaned {
                manifest,
                live: Manifest::new(live)?,
                object,
                proof,
            }));
        }
    }

    /// Asks until the draft is proven, or cannot be. An error: the object changed meanwhile.
    async fn prove(
        &self,
        at: &Endpoint,
        id: &ObjectId,
        live: &Value,
        cleaning: &mut Cleaning<'_>,
        dry_runs: &mut usize,
    ) -> Result<Proof, ()> {
        let mut beside = false;
        while *dry_runs > 0 {
            *dry_runs -= 1;
            let asked = match beside {
                true => self.created(at, id, live, cleaning.draft()).await,
                false => self.put(at, id, live, cleaning.draft()).await,
            };
            match asked {
                Ok(answer) => match cleaning.learn(&answer) {
                    Learned::Proven if beside => return Ok(Proof::Created),
                    Learned::Proven => return Ok(Proof::Replaced),
                    Learned::Mended => {}
                    Learned::Differs(paths) => {
                        return Ok(Proof::None(format!("the server makes {} of it", other_fields(&paths))));
                    }
                },
                Err(NoWord::Meanwhile) => return Err(()),
                Err(NoWord::Refused(status)) if !beside && refusal::verdict(&status) == Verdict::Immutable => {
                    beside = true;
                }
                Err(NoWord::Refused(status)) => {
                    let causes = status.details.causes.iter();
                    let fields: Vec<String> = causes.map(|cause| cause.field.clone()).collect();
                    if !cleaning.put_back_named(&fields) && !cleaning.put_all_back() {
                        let secret = at.is_secret().then_some(live);
                        return Ok(Proof::None(format!("no dry run: {}", refusal::words(&status, secret))));
                    }
                }
                Err(NoWord::Because(why)) => {
                    cleaning.put_all_back();
                    return Ok(Proof::None(format!("no dry run: {why}")));
                }
            }
        }
        cleaning.put_all_back();
        Ok(Proof::None(format!(
            "{DRY_RUNS} dry runs did not tell which fields are defaults"
        )))
    }

    /// What the server would make of the object, were this put in its place.
    async fn put(&self, at: &Endpoint, id: &ObjectId, live: &Value, mut draft: Value) -> Result<Value, NoWord> {
        draft["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        let path = at.object(id.namespace.as_deref(), &id.name);
        let path = format!("{path}?dryRun=All&fieldManager=refloat");
        let ask = Ask::with(Verb::PUT, path, JSON, draft.to_string());
        self.answer(ask, at.is_secret().then_some(live)).await
    }

    /// What the server would make of it under a name that is free.
    async fn created(&self, at: &Endpoint, id: &ObjectId, live: &Value, mut draft: Value) -> Result<Value, NoWord> {
        let uid = live["metadata"]["uid"].as_str().unwrap_or_default();
        let short: String = id.name.chars().take(40).collect();
        let own: String = uid.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        draft["metadata"]["name"] = format!("{}-{own}", short.trim_end_matches(['-', '.'])).into();
        let path = at.collection(id.namespace.as_deref());
        let path = format!("{path}?dryRun=All&fieldManager=refloat");
        let ask = Ask::with(Verb::POST, path, JSON, draft.to_string());
        self.answer(ask, at.is_secret().then_some(live)).await
    }

    async fn answer(&self, ask: Ask, secret: Option<&Value>) -> Result<Value, NoWord> {
        let because = |trouble: Trouble| NoWord::Because(said(trouble, secret));
        let sent = || async { self.send(&ask).await.map_err(Trouble::from) };
        let reply = self.patiently(sent).await.map_err(because)?;
        if reply.status == StatusCode::NOT_FOUND || is_conflict(&reply) {
            return Err(NoWord::Meanwhile);
        }
        if reply.status == StatusCode::UNPROCESSABLE_ENTITY || reply.status == StatusCode::BAD_REQUEST {
            return Err(NoWord::Refused(Box::new(Status::of(&reply))));
        }
        reply.read().map_err(because)
    }

    /// The definitions of the custom resources among these.
    async fn definitions(
        &self,
        kinds: &ServedKinds,
        wanted: &[Wanted<'_>],
    ) -> BTreeMap<(GroupKind, String), Definition> {
        let crds = GroupKind::new("apiextensions.k8s.io", "CustomResourceDefinition");
        let at = Endpoint::new(crds, "v1", "customresourcedefinitions", Scope::Cluster);
        let mut names = BTreeMap::new();
        for served in wanted.iter().filter_map(|wanted| kinds.get(&wanted.id.group_kind())) {
            if builtin::builtin(&served.kind.group, &served.kind.kind).is_none() {
                let name = format!("{}.{}", served.plural, served.kind.group);
                names.insert(name, served.kind.clone());
            }
        }
        let mut found = BTreeMap::new();
        for (name, kind) in names {
            // Kinds of aggregated APIs have none, and who may not read it has no defaults of it.
            let Ok(Some(crd)) = self.get(&at, None, &name).await else {
                continue;
            };
            for version in crd["spec"]["versions"].as_array().into_iter().flatten() {
                let schema = version.pointer("/schema/openAPIV3Schema").cloned();
                let definition = Definition {
                    schema,
                    status_is_data: version.pointer("/subresources/status").is_none(),
                };
                let name = version["name"].as_str().unwrap_or_default();
                found.insert((kind.clone(), name.to_owned()), definition);
            }
        }
        found
    }
}

/// A few of them, for people.
fn other_fields(paths: &[String]) -> String {
    let shown: Vec<&str> = paths.iter().take(3).map(String::as_str).collect();
    match paths.len() {
        0..=3 => format!("another {}", shown.join(", ")),
        count => format!("another {} and {} more", shown.join(", "), count - 3),
    }
}
