//! What charts give: rendered together, since each sees the APIs that the others bring.

use std::collections::BTreeSet;
use std::sync::Arc;

use tempfile::TempDir;

use super::crd::brought;
use super::flux::HelmRelease;
use super::in_parallel;
use super::kustomize::Outside;
use super::release::{self, Origin, Released};
use super::template::{Call, Output, Target};
use crate::object::{Problem, Provenance, Unit, Writer};

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
    /// Remarks about how it was obtained.
    pub remarks: Vec<String>,
    /// The folder that the chart lies in, where that is gone with this.
    pub _kept: Option<TempDir>,
}

/// What became of it.
pub(super) struct Rendered {
    pub unit: Unit,
    pub writer: Writer,
    /// Namespace of objects that name none.
    pub namespace: String,
    pub objects: Vec<Released>,
    /// A namespace that it makes where there is none, and what says so.
    pub creates: Option<(String, Provenance)>,
    pub problems: Vec<Problem>,
}

/// Renders charts until the set brings no API any more that they have not seen, at most three times. `apis` are those that are known, and
/// gets more. Each is rendered twice at the end: what differs comes out anew every time.
pub(super) fn render(
    all: Vec<Charted>,
    target: &Target,
    apis: &mut BTreeSet<String>,
    outside: &Outside<'_>,
) -> Vec<Rendered> {
    const MOST_ROUNDS: usize = 3;
    for round in 1.. {
        let seen = Target {
            api_versions: apis.iter().cloned().collect(),
            ..target.clone()
        };
        let first = in_parallel(&all, |one| one.call.run(&seen));
        let known = apis.len();
        for (output, _) in first.iter().flatten() {
            let documents = kube_yaml::parse(output).into_iter();
            apis.extend(
                documents
                    .filter_map(|document| document.value.ok())
                    .flat_map(|value| brought(&value)),
            );
        }
        if apis.len() > known && round < MOST_ROUNDS {
            continue;
        }
        let second = in_parallel(&all, |one| one.call.run(&seen));
        let taken = all.into_iter().zip(first.into_iter().zip(second));
        return taken
            .map(|(one, (first, second))| one.take(first, second, outside))
            .collect();
    }
    Vec::new()
}

impl Charted {
    fn take(self, first: Output, second: Output, outside: &Outside<'_>) -> Rendered {
        let failed = |why: &str| match &self.release {
            Some(release) => release.nothing(why),
            None => super::template::nothing_of_chart(self.origin.place())(why),
        };
        let (mut objects, mut problems) = (Vec::new(), Vec::new());
        match (first, second) {
            (Ok((first, remarks)), Ok((second, _))) => {
                let all = self.remarks.iter().chain(&remarks);
                problems.extend(all.map(|remark| Problem::warning(self.origin.place(), remark.clone())));
                let (read, more) =
                    release::read(&self.origin, &self.call.release, &self.call.namespace, &first, &second);
                problems.extend(more);
                match &self.release {
                    None => objects = read,
                    Some(release) => match release.finish(read, outside) {
                        Ok(finished) => objects = finished,
                        Err(why) => problems.push(failed(&why)),
                    },
                }
            }
            (Err(refusal), _) | (_, Err(refusal)) => problems.push(refusal.problem(&failed)),
        }
        let creates = self.release.as_ref().and_then(|release| {
            let namespace = release.creates_namespace()?.to_owned();
            Some((namespace, Origin::Object(release.place.clone()).provenance(None, 0)))
        });
        Rendered {
            creates: creates.filter(|_| !objects.is_empty()),
            unit: self.unit,
            writer: self.writer,
            namespace: self.call.namespace,
            objects,
            problems,
        }
    }
}
