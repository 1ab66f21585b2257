//! What charts give: rendered together, since each sees the APIs that the others bring.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use regex::Regex;
use tempfile::TempDir;

use super::argo::App;
use super::crd::brought;
use super::flux::HelmRelease;
use super::helm::{Document, Files, Record, Release, Values, merge, parse, status};
use super::kustomize::Outside;
use super::release::{self, Origin, Released};
use super::releases;
use super::renderings::Made;
use super::template::{Call, Output, Target};
use super::{Options, in_parallel};
use crate::object::{Manifest, ObjectId, Problem, Provenance, ReleaseRecord, Unit, Writer};

/// A chart that is to be rendered.
pub(super) struct Charted {
    /// The unit that it is.
    pub unit: Unit,
    pub writer: Writer,
    /// Where its objects are shown to come from.
    pub origin: Origin,
    pub call: Call,
    /// The HelmRelease that it is for, which has more done to its objects.
    pub release: Option<Arc<HelmRelease>>,
    /// The Application that it is a source of: what Argo CD renders is no release.
    pub app: Option<Arc<App>>,
    /// Remarks about how it was obtained.
    pub remarks: Vec<String>,
    /// Of a chart from an OCIRepository: the artifact's digest.
    pub oci_digest: Option<String>,
    /// The HelmChart whose generation is in the version of the chart.
    pub helm_chart: Option<ObjectId>,
    /// Why no record can be made of its release, if so.
    pub unrecorded: Option<String>,
    /// The folder that the chart lies in, where that is gone with this.
    pub _kept: Option<TempDir>,
}

/// What became of it.
pub(super) struct Rendered {
    pub unit: Unit,
    pub writer: Writer,
    /// Namespace of objects that name none.
    pub namespace: String,
    /// The Application that it is a source of.
    pub app: Option<Arc<App>>,
    pub objects: Vec<Released>,
    /// A namespace that it makes where there is none, and what says so.
    pub creates: Option<(String, Provenance)>,
    pub problems: Vec<Problem>,
}

/// Renders charts until the set brings no API any more that they have not seen, at most three times. `apis` are those that are known, and
/// gets more; those that the last round still brought and others ask for are told. What may come out anew every time is rendered twice at
/// the end: what differs does. What does not look at APIs is rendered once.
pub(super) fn render(
    all: Vec<Charted>,
    target: &Target,
    apis: &mut BTreeSet<String>,
    outside: &Outside<'_>,
    options: &Options,
) -> Vec<Rendered> {
    const MOST_ROUNDS: usize = 3;
    let all = in_parallel(&all, Charted::made).into_iter().zip(all);
    let all: Vec<(Result<Laid, String>, Charted)> = all.collect();
    for round in 1.. {
        let seen = Target {
            api_versions: apis.iter().cloned().collect(),
            ..target.clone()
        };
        let run = |(laid, one): &(Result<Laid, String>, Charted), number: u8| match laid {
            Ok(laid) => options.renderings.run(&one.call, &laid.made, &seen, number),
            Err(_) => one.call.run(&seen),
        };
        let first = in_parallel(&all, |one| run(one, 0));
        let new: Vec<BTreeSet<String>> = first.iter().map(|output| apis_of(output, apis)).collect();
        apis.extend(new.iter().flatten().cloned());
        if round < MOST_ROUNDS && new.iter().any(|apis| !apis.is_empty()) {
            continue;
        }
        let varies = |one: &(Result<Laid, String>, Charted)| one.0.as_ref().map_or(true, |laid| laid.made.varies);
        let second = in_parallel(&all, |one| varies(one).then(|| run(one, 1)));
        let late: Vec<Option<Problem>> = (0..).zip(&new).map(|(at, new)| late(&all, at, new, round)).collect();
        let taken = all.into_iter().zip(first.into_iter().zip(second)).zip(late);
        return taken
            .map(|(((laid, one), (first, second)), late)| {
                let files = laid.map(|laid| laid.files);
                let mut rendered = one.take(files, (first, second), outside, options.time);
                rendered.problems.extend(late);
                rendered
            })
            .collect();
    }
    Vec::new()
}

/// The APIs that a rendering brings and that are not known.
fn apis_of(output: &Output, known: &BTreeSet<String>) -> BTreeSet<String> {
    let text = output.as_ref().map_or(&[][..], |(text, _)| text);
    let values = kube_yaml::parse(text)
        .into_iter()
        .filter_map(|document| document.value.ok());
    let brought = values.flat_map(|value| brought(&value));
    brought.filter(|api| !known.contains(api)).collect()
}

/// That the chart at this place brings APIs that others ask for, and that it was the last round, so that they were told that these are not there.
fn late(all: &[(Result<Laid, String>, Charted)], at: usize, apis: &BTreeSet<String>, round: usize) -> Option<Problem> {
    let is_asked_for = |group: &str| {
        let mut others = all.iter().enumerate().filter(|(other, _)| *other != at);
        others.any(|(_, (laid, _))| laid.as_ref().is_ok_and(|laid| laid.may_ask_for(group)))
    };
    // Each is there twice: with its kind, and without.
    let kinds = apis.iter().filter(|api| api.matches('/').count() == 2);
    let asked_for = kinds.filter(|api| is_asked_for(api.split('/').next().unwrap_or_default()));
    let kinds: Vec<&str> = asked_for.map(String::as_str).collect();
    (!kinds.is_empty()).then(|| {
        let message = format!(
            "other charts may lack what they render only where the cluster has {}: this chart brings that only when it sees what others \
             bring, and charts were rendered {round} times by then",
            kinds.join(", ")
        );
        let problem = Problem::warning(all[at].1.origin.place(), message);
        problem.hint("declare its CustomResourceDefinition beside the charts, or restore twice: then the cluster has it")
    })
}

/// That templates ask the cluster, if some do. Nothing is there for them, as for `helm template`.
fn lookups(files: &Files) -> Option<String> {
    const NAMED: usize = 3;
    let comment = Regex::new(r"(?s)\{\{-?\s*/\*.*?\*/").expect("because it stands here");
    let call = Regex::new(r#"\{\{[^}]*\blookup\s+["($.]"#).expect("because it stands here");
    let asks = |(path, text): (&String, &Vec<u8>)| {
        let text = String::from_utf8_lossy(text);
        let is_template = path.starts_with("templates/") || path.contains("/templates/");
        (is_template && call.is_match(&comment.replace_all(&text, ""))).then(|| path.clone())
    };
    let asking: Vec<String> = files.0.iter().filter_map(asks).collect();
    let named = asking
        .iter()
        .take(NAMED)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match asking.len().saturating_sub(NAMED) {
        _ if asking.is_empty() => None,
        0 => Some(format!(
            "templates look up what is in the cluster, and are told that nothing is: {named}"
        )),
        more => Some(format!(
            "templates look up what is in the cluster, and are told that nothing is: {named} and {more} more"
        )),
    }
}

/// A chart's files, and what that says of its renderings.
struct Laid {
    files: Files,
    made: Made,
}

impl Laid {
    /// Whether templates may look whether the APIs of a group are there. What is packed is not looked into.
    fn may_ask_for(&self, group: &str) -> bool {
        let names = |text: &[u8]| text.windows(group.len()).any(|at| at == group.as_bytes());
        let mut files = self.files.0.iter();
        self.made.sees && files.any(|(path, text)| path.ends_with(".tgz") || names(text))
    }
}

impl Charted {
    fn made(&self) -> Result<Laid, String> {
        let files = releases::files_of(&self.call.folder.join(&self.call.chart)).map_err(|(why, _)| why)?;
        let own = self.call.files.iter().map(std::fs::read).collect::<Result<Vec<_>, _>>();
        let own = own.map_err(|cause| cause.to_string())?;
        let values: Vec<&[u8]> = own.iter().chain(&self.call.values).map(|text| &**text).collect();
        let made = Made::of(&files, &values);
        Ok(Laid { files, made })
    }

    /// `second` is another rendering of what may vary.
    fn take(
        self,
        files: Result<Files, String>,
        (first, second): (Output, Option<Output>),
        outside: &Outside<'_>,
        time: Timestamp,
    ) -> Rendered {
        let failed = |why: &str| match &self.release {
            Some(release) => release.nothing(why),
            None => match &self.app {
                Some(app) => app.nothing(why),
                None => super::template::nothing_of_chart(self.origin.place())(why),
            },
        };
        let mut problems = Vec::new();
        let mut unit = self.unit.clone();
        let ((first, remarks), second) = match (first, second.transpose()) {
            (Ok(first), Ok(second)) => {
                let second = second.map_or_else(|| first.0.clone(), |(second, _)| second);
                (first, second)
            }
            (Err(refusal), _) | (_, Err(refusal)) => {
                problems.push(refusal.problem(&failed));
                return self.done(unit, Vec::new(), problems);
            }
        };
        let all = self.remarks.iter().chain(&remarks);
        problems.extend(all.map(|remark| Problem::warning(self.origin.place(), remark.clone())));
        if let Some(asks) = files.as_ref().ok().and_then(lookups) {
            problems.push(Problem::note(self.origin.place(), asks));
        }
        if self.app.is_some() {
            let (compared, more) = release::compare(&self.origin, &first, &second);
            problems.extend(more);
            return self.done(unit, compared, problems);
        }
        let read = release::read(&self.origin, &self.call.release, &self.call.namespace, &first, &second);
        problems.extend(read.problems);
        let finished = match &self.release {
            None => Ok(read.objects),
            Some(release) => release.finish(read.objects, outside),
        };
        let objects = match finished {
            Ok(objects) => objects,
            Err(why) => {
                problems.push(failed(&why));
                return self.done(unit, Vec::new(), problems);
            }
        };
        let files = match &self.unrecorded {
            Some(why) => Err(why.clone()),
            None => files,
        };
        match files.and_then(|files| self.record(&files, &objects, &read.others, time)) {
            Ok(record) => unit.record = Some(Arc::new(record)),
            Err(why) => problems.push(Problem::warning(
                self.origin.place(),
                format!("Helm will not know the release {}: {why}", self.call.release),
            )),
        }
        self.done(unit, objects, problems)
    }

    fn done(&self, unit: Unit, objects: Vec<Released>, problems: Vec<Problem>) -> Rendered {
        let creates = self.release.as_ref().and_then(|release| {
            let namespace = release.creates_namespace()?.to_owned();
            Some((namespace, Origin::Object(release.place.clone()).provenance(None, 0)))
        });
        Rendered {
            creates: creates.filter(|_| !objects.is_empty()),
            unit,
            writer: self.writer.clone(),
            namespace: match &self.app {
                Some(app) => app.namespace().to_owned(),
                None => self.call.namespace.clone(),
            },
            app: self.app.clone(),
            objects,
            problems,
        }
    }

    /// What Helm and helm-controller keep of the release. `others` are the hooks of other occasions.
    fn record(
        &self,
        files: &Files,
        objects: &[Released],
        others: &[Released],
        time: Timestamp,
    ) -> Result<ReleaseRecord, String> {
        let call = &self.call;
        let mut values = Values::new();
        for file in &call.files {
            let text = std::fs::read(file).map_err(|cause| cause.to_string())?;
            values = merge(values, parse(&text)?);
        }
        if let Some(given) = &call.values {
            values = merge(values, parse(given)?);
        }
        let document = |one: &Released| Document {
            path: one.template.clone(),
            text: kube_yaml::to_string(&one.found.value),
        };
        let mut documents: Vec<Document> = objects.iter().map(document).collect();
        documents.extend(others.iter().map(document));
        let record = Record::new(&Release {
            name: &call.release,
            namespace: &call.namespace,
            files,
            chart_version: None,
            values: &values,
            documents: &documents,
            notes: "",
            time,
            labels: &BTreeMap::new(),
            server_side: self.release.as_ref().is_none_or(|release| release.is_server_side()),
        })?;
        let of_values = |one: &Released| {
            let mut id = Manifest::new(one.found.value.clone()).ok()?.id();
            id.namespace.get_or_insert_with(|| call.namespace.clone());
            (!one.generated.is_empty()).then(|| (id, one.generated.clone()))
        };
        let storage = self
            .release
            .as_ref()
            .map_or(&*call.namespace, |release| release.storage());
        Ok(ReleaseRecord {
            release: call.release.clone(),
            secret: record.secret(storage)?,
            helm_chart: self.helm_chart.clone(),
            generated: objects.iter().chain(others).filter_map(of_values).collect(),
            status: self.release.as_ref().map(|release| {
                let mut status = status(&record, storage, 0, self.oci_digest.as_deref());
                release.observe(&mut status);
                status
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_that_ask_the_cluster_are_named() {
        let told = |templates: &[(&str, &str)]| {
            let files = templates
                .iter()
                .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
            lookups(&Files(files.collect()))
        };
        let asks = "a: {{ (lookup \"v1\" \"Secret\" .Release.Namespace \"x\").data }}\n";
        for silent in [
            "{{/* lookup \"v1\" of nothing */}}\na: lookup \"v1\"\n",
            "a: {{ .Values.lookup }}\n",
            "{{- /* (lookup \"v1\") \n */ -}}",
        ] {
            assert_eq!(told(&[("templates/a.yaml", silent)]), None, "{silent}");
        }
        assert_eq!(told(&[("README.md", asks)]), None);
        let text = "templates look up what is in the cluster, and are told that nothing is:";
        assert_eq!(
            told(&[
                ("templates/a.yaml", asks),
                ("charts/db/templates/_b.tpl", "{{- $s := lookup $api \"Secret\" }}")
            ]),
            Some(format!("{text} charts/db/templates/_b.tpl, templates/a.yaml"))
        );
        let many = ["templates/a", "templates/b", "templates/c", "templates/d"].map(|path| (path, asks));
        assert_eq!(
            told(&many),
            Some(format!("{text} templates/a, templates/b, templates/c and 1 more"))
        );
    }
}
