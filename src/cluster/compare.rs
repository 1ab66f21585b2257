//! How declared objects that exist differ from what is declared, with the server's help where it gives it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::{Method as Verb, StatusCode};
use serde_json::Value;

use super::batch::Told;
use super::endpoint::segment;
use super::refusal::{self, Verdict};
use super::scaled::{Scaled, may_be_scaled};
use super::wire::{Ask, JSON, Reply, Status, Trouble};
use super::{Cluster, Endpoint, client_side, unknown, write};
use crate::object::{
    Comparison, Declared, DeclaredSet, FactGap, FieldDrift, GroupKind, LiveObject, LiveSet, Method, ObjectId, Pair,
    Scaling, ServedKinds, Writer,
};

/// How often a server that is busy is asked.
const TRIES: usize = 3;
/// How often an object that changes meanwhile (its status, while it rolls out) is compared, with growing pauses.
const ROUNDS: u32 = 6;
/// The first of those pauses; each is twice the one before.
const PAUSE: Duration = Duration::from_millis(50);

/// Warnings of unknown fields and of keys that come twice are not read here: without them the server parses what it is sent once, not twice
/// (`applyPatcher` in apiserver's `endpoints/handlers/patch.go`).
const QUERY: &str = "dryRun=All&fieldValidation=Ignore";

/// Why a comparison is not whole.
const HALF: &str = "without managedFields and without dry runs, added fields are not known";

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompareOptions {
    /// Ask the server what applying would change, without changing anything. Otherwise all is compared offline.
    pub dry_run: bool,
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self { dry_run: true }
    }
}

/// What came of comparing.
#[derive(Debug, Clone, Default)]
pub struct Compared {
    /// Of every declared object that exists and could be read.
    pub comparisons: BTreeMap<ObjectId, Comparison>,
    /// Those that were not there.
    pub gone: BTreeSet<ObjectId>,
    /// What could not be compared, sorted.
    pub gaps: Vec<FactGap>,
}

/// What a declared object is asked about with.
pub(super) struct Question<'a> {
    pub declared: &'a Declared,
    pub at: Endpoint,
    scaling: Scaling,
}

/// How an object compares, and whether [by half](is_half) only; `None` if it is not there; an error says why it could not be read.
pub(super) type Answer = Result<Option<(Comparison, bool)>, String>;

/// Why the server does not say what a write would do.
enum NoWord {
    /// The object is not there, or not as it was read.
    Meanwhile,
    /// In words.
    Because(String),
}

impl Cluster {
    /// Compares each declared object that exists and is wanted with what is declared; these kinds are served. The set's scopes must
    /// be resolved and its identities those that are served. Secrets are compared here in memory; of their values nothing is told.
    ///
    /// Costs a GET for each object, or a list where `live` tells that the declared ones are most of what is there; with dry runs a
    /// PATCH, too, and a PUT for those that have fields which are not declared and not known to be anybody's by right, both with
    /// `dryRun=All`, so that nothing is changed.
    pub async fn compare(
        &self,
        set: &DeclaredSet,
        kinds: &ServedKinds,
        live: Option<&LiveSet>,
        wanted: &(dyn Fn(&ObjectId) -> bool + Sync),
        options: CompareOptions,
    ) -> Compared {
        let mut gaps = Gaps::default();
        let scaled = self.scaled(set, kinds, wanted, &mut gaps).await;
        let mut questions = Vec::new();
        for declared in set.objects.iter().filter(|declared| wanted(&declared.id)) {
            let Some(served) = kinds.get(&declared.id.group_kind()) else {
                continue;
            };
            let manifest = &declared.manifest;
            let version = manifest.version();
            if manifest.group() != served.kind.group || !served.versions.iter().any(|known| known == version) {
                if self.may_be_there(served, &declared.id).await {
                    let reason = format!("declared as {}, which is not served", manifest.api_version());
                    gaps.add(&served.kind, reason);
                }
                continue;
            }
            let id = &declared.id;
            questions.push(Question {
                declared,
                at: Endpoint::new(served.kind.clone(), version, &*served.plural, served.scope),
                scaling: scaled.of(&served.kind, id),
            });
        }
        let (mut comparisons, mut gone) = (BTreeMap::new(), BTreeSet::new());
        for (question, answer) in self.answers(questions, live, options).await {
            match answer {
                Ok(Some((comparison, is_half))) => {
                    if is_half {
                        gaps.add(&question.at.kind, HALF.to_owned());
                    }
                    comparisons.insert(question.declared.id.clone(), comparison);
                }
                Ok(None) => _ = gone.insert(question.declared.id.clone()),
                Err(reason) => gaps.add(&question.at.kind, reason),
            }
        }
        Compared {
            comparisons,
            gone,
            gaps: gaps.sorted(),
        }
    }

    /// How an object compares with what is declared; it may have come with others.
    pub(super) async fn compare_one(&self, question: &Question<'_>, mut told: Told, options: CompareOptions) -> Answer {
        let Question { declared, at, scaling } = question;
        let secret = write::secret(&declared.manifest);
        let mut round = 0;
        loop {
            round += 1;
            let read = match std::mem::replace(&mut told, Told::Nothing) {
                Told::Is(object) => Ok(object),
                Told::Nothing => {
                    self.get_as(at, declared.id.namespace.as_deref(), &declared.id.name)
                        .await
                }
            };
            let Some(live) = read.map_err(|trouble| said(trouble, secret))? else {
                return Ok(None);
            };
            let mut object = LiveObject::of(&live);
            let pair = Pair::new(declared, &live, &object, *scaling);
            let compared = if options.dry_run {
                self.ask(question, &pair, &live).await
            } else {
                Err(NoWord::Because("dry runs were switched off".to_owned()))
            };
            let (fields, method) = match compared {
                Ok((fields, None)) => (fields, Method::DryRun),
                Ok((fields, Some(why))) => (fields, Method::Offline(why)),
                Err(NoWord::Meanwhile) if round < ROUNDS => {
                    tokio::time::sleep(PAUSE * 2_u32.pow(round - 1)).await;
                    continue;
                }
                Err(NoWord::Meanwhile) => (offline(&pair), Method::Offline("it keeps changing".to_owned())),
                Err(NoWord::Because(why)) => (offline(&pair), Method::Offline(why)),
            };
            let is_half = method != Method::DryRun && is_half(&pair, &object);
            if fields.is_empty() {
                // There may be thousands, and nobody asks who owns what is as it should be.
                object.managers.iter_mut().for_each(|manager| manager.fields = None);
            }
            let comparison = Comparison {
                fields: sorted(fields),
                method,
                live: object,
            };
            return Ok(Some((comparison, is_half)));
        }
    }

    /// The fields that differ by the server's word; with a reason where what was added had to be judged without it.
    async fn ask(
        &self,
        question: &Question<'_>,
        pair: &Pair<'_>,
        live: &Value,
    ) -> Result<(Vec<FieldDrift>, Option<String>), NoWord> {
        let then = self.applied(question, live).await?;
        let then = then.as_ref().unwrap_or(live);
        let mut fields = pair.changed_by(then);
        let suspects = pair.suspects(Some(then), true);
        if suspects.is_empty() {
            return Ok((fields, None));
        }
        match self.replaced(question, &Pair::without(&suspects, then)).await {
            Ok(replaced) => {
                fields.extend(pair.added(&suspects, &replaced));
                Ok((fields, None))
            }
            Err(NoWord::Meanwhile) => Err(NoWord::Meanwhile),
            Err(NoWord::Because(why)) => {
                fields.extend(pair.added_offline(&pair.suspects(Some(then), false)));
                Ok((fields, Some(why)))
            }
        }
    }

    /// What the object would be after an apply by its declarer; `None`: as it is.
    async fn applied(&self, question: &Question<'_>, live: &Value) -> Result<Option<Value>, NoWord> {
        let Question { declared, at, .. } = question;
        let manifest = &declared.manifest;
        let wanted = write::without_placeholders(manifest);
        let path = at.object(declared.id.namespace.as_deref(), &declared.id.name);
        let manager = segment(declared.writer.manager());
        let reply = match &declared.writer {
            Writer::ServerSide(_) => {
                let path = format!("{path}?{QUERY}&fieldManager={manager}&force=true");
                let ask = |body| Ask::with(Verb::PATCH, &*path, write::APPLY_PATCH, body);
                let sent = || async { unknown::send(self, &wanted, false, ask).await.0 };
                self.patiently(sent).await
            }
            Writer::ClientSide(_) => {
                let strategic = client_side::is_strategic(manifest.group());
                let mut patch = client_side::patch(&client_side::with_last_applied(&wanted), live, strategic);
                // That the memory of the last apply is another one changes nothing that is declared.
                forget_last_applied(&mut patch);
                if patch.as_object().is_some_and(serde_json::Map::is_empty) {
                    return Ok(None);
                }
                let path = format!("{path}?{QUERY}&fieldManager={manager}");
                let ask = Ask::with(Verb::PATCH, path, client_side::form(strategic), patch.to_string());
                let sent = || async { self.send(&ask).await.map_err(Trouble::from) };
                self.patiently(sent).await
            }
        };
        word(reply, write::secret(manifest)).map(Some)
    }

    /// What the server would make of the object, were this put in its place.
    async fn replaced(&self, question: &Question<'_>, value: &Value) -> Result<Value, NoWord> {
        let Question { declared, at, .. } = question;
        let path = at.object(declared.id.namespace.as_deref(), &declared.id.name);
        let manager = segment(declared.writer.manager());
        let path = format!("{path}?{QUERY}&fieldManager={manager}");
        let ask = Ask::with(Verb::PUT, path, JSON, value.to_string());
        let sent = || async { self.send(&ask).await.map_err(Trouble::from) };
        word(self.patiently(sent).await, at.is_secret().then_some(value))
    }

    /// Asks again while the server is busy or a webhook does not answer.
    pub(super) async fn patiently<F: Future<Output = Result<Reply, Trouble>>>(
        &self,
        send: impl Fn() -> F,
    ) -> Result<Reply, Trouble> {
        let mut pause = Duration::from_millis(100);
        for _ in 1..TRIES {
            match send().await {
                Ok(reply) if !reply.status.is_success() && !is_conflict(&reply) => {
                    if refusal::verdict(&Status::of(&reply)) != Verdict::Retry {
                        return Ok(reply);
                    }
                }
                Err(trouble) if trouble.passes() => {}
                other => return other,
            }
            tokio::time::sleep(pause).await;
            pause *= 4;
        }
        send().await
    }

    /// What autoscalers scale: live ones or, of a kind that may not be listed, the declared ones.
    async fn scaled(
        &self,
        set: &DeclaredSet,
        kinds: &ServedKinds,
        wanted: &(dyn Fn(&ObjectId) -> bool + Sync),
        gaps: &mut Gaps,
    ) -> Scaled {
        let could_be = |declared: &Declared| wanted(&declared.id) && may_be_scaled(declared);
        if !set.objects.iter().any(could_be) {
            return Scaled::default();
        }
        let (mut scaled, unknown) = self.scaled_live(kinds).await;
        for (of, why) in unknown {
            for declared in set.objects.iter().filter(|declared| declared.id.group_kind() == of) {
                scaled.add(&of.kind, declared.manifest.value(), declared.id.namespace.as_deref());
            }
            gaps.add(&of, why);
        }
        scaled
    }
}

/// Whether fields are there of which only the server could tell that they were added: nobody is said to own them.
fn is_half(pair: &Pair<'_>, object: &LiveObject) -> bool {
    let unknown = object.managers.iter().all(|manager| manager.fields.is_none());
    unknown && !pair.added_offline(&pair.suspects(None, true)).is_empty()
}

/// What is not drift by the offline comparison alone, and what is.
fn offline(pair: &Pair<'_>) -> Vec<FieldDrift> {
    let mut fields = pair.changed_offline();
    fields.extend(pair.added_offline(&pair.suspects(None, false)));
    fields
}

fn sorted(mut fields: Vec<FieldDrift>) -> Vec<FieldDrift> {
    fields.sort_by(|a, b| (&a.path, a.change).cmp(&(&b.path, b.change)));
    fields.dedup_by(|later, first| later.path == first.path);
    fields
}

/// The object in an answer to a dry run.
fn word(reply: Result<Reply, Trouble>, secret: Option<&Value>) -> Result<Value, NoWord> {
    let because = |trouble: Trouble| NoWord::Because(format!("no dry run: {}", said(trouble, secret)));
    let reply = reply.map_err(because)?;
    // Made anew, gone, or changed since it was read.
    if reply.status == StatusCode::CREATED || reply.status == StatusCode::NOT_FOUND || is_conflict(&reply) {
        return Err(NoWord::Meanwhile);
    }
    reply.read().map_err(because)
}

pub(super) fn is_conflict(reply: &Reply) -> bool {
    reply.status == StatusCode::CONFLICT && Status::of(reply).message.contains("the object has been modified")
}

/// The server's words, of a Secret without what may be a value.
pub(super) fn said(trouble: Trouble, secret: Option<&Value>) -> String {
    match trouble {
        Trouble::Refused(status) => refusal::words(&status, secret),
        Trouble::Broken(broken) => broken.text,
    }
}

/// Takes `last-applied-configuration` out of a patch, and the mappings that are empty then.
fn forget_last_applied(patch: &mut Value) {
    let Some(metadata) = patch.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.shift_remove(write::LAST_APPLIED);
        if annotations.is_empty() {
            metadata.shift_remove("annotations");
        }
    }
    if metadata.is_empty()
        && let Some(patch) = patch.as_object_mut()
    {
        patch.shift_remove("metadata");
    }
}

/// Gaps by kind and reason, so that a user who may read little gets few of them.
#[derive(Default)]
struct Gaps(BTreeMap<GroupKind, (usize, String)>);

impl Gaps {
    fn add(&mut self, kind: &GroupKind, reason: String) {
        let gap = self.0.entry(kind.clone()).or_insert_with(|| (0, reason.clone()));
        gap.0 += 1;
        // Whichever is answered first.
        gap.1 = reason.min(std::mem::take(&mut gap.1));
    }

    fn sorted(self) -> Vec<FactGap> {
        let gap = |(kind, (count, reason)): (GroupKind, (usize, String))| FactGap {
            what: match count {
                1 => format!("compare 1 {kind}"),
                count => format!("compare {count} of kind {kind}"),
            },
            reason,
        };
        self.0.into_iter().map(gap).collect()
    }
}
