//! Kustomizations, rendered in process. What they name by URL is fetched, their charts are rendered with helm.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use kustomize::{
    Answer, Build, ContentId, Errors, Files, Kind, Kustomize, Memory, Program, ReadError, Repository, Request,
};
use serde_json::Value;

use super::chart;
use super::documents::{self, Findings};
use super::helm::{Values, merge, parse};
use super::ksops;
use super::secrets;
use super::template::{Refusal, Sees, Target};
use crate::error::printable;
use crate::net;
use crate::object::{Place, Problem, Provenance, Renderer};
use crate::source::{self, LARGEST_FILE, Tree};

/// How often what a kustomization names by URL is fetched and it is built again: remote bases may name others.
const MOST_ROUNDS: usize = 8;

impl Files for Tree {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, ReadError> {
        if self.is_file(path) {
            return Tree::read(self, path).map_err(|problem| ReadError::Failed(problem.message));
        }
        Err(match (self.is_dir(path), self.problems_within(path).next()) {
            (true, _) => ReadError::WrongKind,
            (false, Some(_)) => ReadError::Outside,
            (false, None) => ReadError::Missing,
        })
    }

    fn kind(&self, path: &str) -> Result<Option<Kind>, ReadError> {
        match (self.is_file(path), self.is_dir(path)) {
            (true, _) => Ok(Some(Kind::File)),
            (_, true) => Ok(Some(Kind::Folder)),
            _ if self.problems_within(path).next().is_some() => Err(ReadError::Outside),
            _ => Ok(None),
        }
    }

    fn list(&self, path: &str) -> Result<Vec<String>, ReadError> {
        if self.is_dir(path) {
            return Ok(Tree::list(self, path).map(str::to_owned).collect());
        }
        Err(if self.is_file(path) {
            ReadError::WrongKind
        } else {
            ReadError::Missing
        })
    }

    fn id(&self, path: &str) -> Option<ContentId> {
        self.content(path).map(ContentId)
    }
}

/// What was fetched of an address, or why it was not.
type Fetched = Result<(Arc<dyn Files + Send>, PathBuf), String>;

/// What is not in the tree.
pub(super) struct Outside<'t> {
    tree: &'t Tree,
    helm: Target,
    fetched: Arc<Mutex<BTreeMap<String, Fetched>>>,
}

impl<'t> Outside<'t> {
    /// Charts see what `helm` says of the target.
    pub fn of(tree: &'t Tree, helm: Target) -> Self {
        Self {
            tree,
            helm,
            fetched: Arc::default(),
        }
    }

    /// The same, where charts are told something else of the target.
    pub fn seeing(&self, sees: &Sees) -> Self {
        Self {
            tree: self.tree,
            helm: sees.over(&self.helm),
            fetched: Arc::clone(&self.fetched),
        }
    }

    /// An error as it may be shown: addresses may hold a password.
    fn without_credentials(&self, mut error: kustomize::Error) -> kustomize::Error {
        for address in self.fetched.lock().unwrap_or_else(PoisonError::into_inner).keys() {
            error.message = error.message.replace(address, &source::without_credentials(address));
        }
        error
    }

    fn fetch(&self, address: &str) {
        let known = self
            .fetched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(address);
        if !known {
            let fetched = fetch(address);
            let mut all = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(address.to_owned()).or_insert(fetched);
        }
    }
}

fn fetch(address: &str) -> Fetched {
    if let Some(repository) = Repository::parse(address) {
        let rev = Some(repository.reference).filter(|rev| !rev.is_empty());
        let options = source::Options {
            rev,
            ..source::Options::default()
        };
        let tree = source::open(&repository.clone, &options).map_err(|failure| failure.in_one_line())?;
        return Ok((Arc::new(tree), PathBuf::from(repository.path)));
    }
    let text = net::get_now(address, LARGEST_FILE as usize).map_err(|error| error.to_string())?;
    Ok((
        Arc::new(Memory::from([("fetched.yaml", &*text)])),
        PathBuf::from("fetched.yaml"),
    ))
}

impl kustomize::Outside for Outside<'_> {
    fn remote(&self, address: &str) -> Answer<(Arc<dyn Files + Send>, PathBuf)> {
        match self.fetched.lock().unwrap_or_else(PoisonError::into_inner).get(address) {
            None => Answer::Later,
            Some(Ok(found)) => Answer::Here(found.clone()),
            Some(Err(why)) => Answer::Refused(why.clone()),
        }
    }

    fn chart(&self, asked: &kustomize::Chart) -> Answer<Arc<[u8]>> {
        match self.render(asked) {
            Ok(output) => Answer::Here(output.into()),
            Err(why) => Answer::Refused(why),
        }
    }

    fn generate(&self, program: &Program<'_>) -> Answer<Vec<u8>> {
        match ksops::generate(program) {
            Some(Ok(made)) => Answer::Here(made),
            Some(Err(why)) => Answer::Refused(why),
            None => kustomize::Nothing.generate(program),
        }
    }
}

impl Outside<'_> {
    fn render(&self, asked: &kustomize::Chart) -> Result<Vec<u8>, String> {
        let entry: Value = serde_json::from_str(&asked.entry).unwrap_or_default();
        let text = |key: &str| entry[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let chart = asked
            .chart
            .as_deref()
            .and_then(|folder| chart::of_folder(self.tree, folder));
        let chart = chart.ok_or_else(|| {
            let name = text("name").unwrap_or_default();
            let of = text("repo").map_or(String::new(), |repo| format!(" of {repo}"));
            printable(&format!("the chart {name}{of} is not in the repository"))
        })?;
        let disk = self.tree.on_disk().map_err(|failure| failure.in_one_line())?;
        chart.link_folders(self.tree, &disk);
        let values = asked.values.iter().try_fold(Values::new(), |under, text| {
            let over = parse(text.as_bytes())?;
            Ok::<_, String>(merge(under, over))
        })?;
        let mut api_versions = self.helm.api_versions.clone();
        let own = entry["apiVersions"].as_array().into_iter().flatten();
        api_versions.extend(own.filter_map(Value::as_str).map(str::to_owned));
        let target = Target {
            program: self.helm.program.clone(),
            kube_version: text("kubeVersion").or_else(|| self.helm.kube_version.clone()),
            api_versions,
        };
        let release = chart.release(text("releaseName").or_else(|| text("name")).as_deref());
        let mut call = chart.call(
            &disk,
            release,
            text("namespace").unwrap_or_else(|| "default".to_owned()),
        );
        call.values = Some(kube_yaml::to_string(&Value::Object(values)).into_bytes());
        call.crds = entry["includeCRDs"] == true;
        let rendered = call.run(&target).map(|(output, _)| output);
        let failed = |why: &str| Problem::error(Place::file(chart.file()), why);
        rendered.map_err(|refusal: Refusal| refusal.problem(&failed).message)
    }
}

/// Renders the kustomization of a folder, whose file is `file`.
pub(super) fn render(kustomize: &Kustomize<'_>, outside: &Outside<'_>, folder: &str, file: &str) -> Findings {
    let mut built = kustomize.build(folder);
    for _ in 1..MOST_ROUNDS {
        let Err(Errors { later, .. }) = &built else { break };
        let addresses = later.iter().filter_map(|request| match request {
            Request::Remote(address) => Some(address),
            Request::Chart(_) => None,
        });
        let addresses: Vec<&String> = addresses.collect();
        if addresses.is_empty() {
            break;
        }
        addresses.into_iter().for_each(|address| outside.fetch(address));
        built = kustomize.build(folder);
    }
    match built {
        Ok(build) => take(build),
        Err(errors) => Findings {
            found: Vec::new(),
            problems: errors
                .errors
                .into_iter()
                .map(|error| problem(outside.without_credentials(error), file))
                .collect(),
        },
    }
}

/// Deprecated spellings are not told: they work as ever, and nobody mends them during an outage.
fn take(build: Build) -> Findings {
    let mut findings = Findings::default();
    for object in build.objects {
        let provenance = Provenance {
            file: object.origin.file.to_string(),
            document: object.origin.document,
            line: object.origin.line,
            renderer: Renderer::Kustomize,
        };
        let value = Arc::try_unwrap(object.value).unwrap_or_else(|shared| Value::clone(&shared));
        documents::take_value(value, provenance, &mut findings);
    }
    findings
}

/// An error of a build, told at the place that is at fault.
fn problem(error: kustomize::Error, file: &str) -> Problem {
    let place = match error.line {
        Some(line) => Place::at(&*error.file, line),
        None => Place::file(&*error.file),
    };
    let which = match error.file == file {
        true => "this kustomization".to_owned(),
        false => printable(file),
    };
    let field = match &*error.field {
        "" => String::new(),
        field => format!("{}: ", printable(field)),
    };
    let message = format!("nothing of {which} is restored: {field}{}", printable(&error.message));
    let hint = secrets::hint(&message);
    let problem = Problem::error(place, message);
    match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}
