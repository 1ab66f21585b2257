//! `refloat audit`: what is live and was never in Git, and what drifted.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::console::{self, Console};
use super::{audit_log, declare, past as reading, prepare, watch as watching};
use crate::audit::{self, Ignore, Log, Reach};
use crate::cli::{AuditArgs, AuditOutput, Output, PastArgs, SourceArgs};
use crate::cluster::{Cluster, CompareOptions, Compared, LiveOptions};
use crate::error::{Exit, Failure, Kind};
use crate::event::Event;
use crate::net::Hook;
use crate::object::{FactGap, GroupKind, ServedKinds};
use crate::report::{self, About, Audited};
use crate::source::{self, Tree};
use crate::watch::{Basis, Notifier, Start, Tail};
use crate::{declared, past, plan};

const IGNORE_FILE: &str = ".refloatignore";
/// How long an audit that ends waits for its notification to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(args: &AuditArgs) -> Result<Exit, Failure> {
    let mut console = Console::new(talks(args)?);
    let hook = args.notify.as_deref().map(hook).transpose()?;
    let logs = audit_log::open(&args.audit_log)?;
    let cluster = prepare::connect(&args.target).await?;
    let place = Place::new(&args.source, &args.past, &cluster);
    // Before it is read: what is committed meanwhile is seen later.
    let mark = match args.watch {
        true => tokio::task::block_in_place(|| place.mark())?,
        false => None,
    };
    let asked = Asked {
        compare: compare_options(args),
        kubeconfig: args.target.kubeconfig.clone(),
        follow: args.watch,
    };
    let Audit { start, gaps, tails, .. } = audit(&asked, &place, logs, &mut console).await?;
    let audited = audited(&start, &gaps, &cluster);
    tell(args, &audited, &mut console)?;
    let exit = report::exit_of_audit(&audited, &args.fail_on);
    let notifier = hook.map(|hook| Notifier::start(hook, watching::say));
    if let Some(notifier) = notifier.as_ref().filter(|_| exit == Exit::LookAt) {
        notifier.post(console::text(|out| report::json::audited_line(&audited, out)));
    }
    if args.watch {
        let options = watching::Options {
            follower: watching::Follower::new(place, mark, &start.basis.set.repository),
            tails,
            notifier,
        };
        return watching::run(args, &cluster, start, options, &mut console).await;
    }
    arrived(notifier).await?;
    // What is known of a large cluster is hundreds of thousands of pieces, and the program ends here.
    std::mem::forget(start);
    Ok(exit)
}

/// How an audit goes about it.
pub(super) struct Asked {
    pub compare: CompareOptions,
    /// The kubeconfig that was named, for the commands that put findings right.
    pub kubeconfig: Option<PathBuf>,
    /// Audit logs are followed afterwards.
    pub follow: bool,
}

/// What an audit came to.
pub(super) struct Audit {
    pub start: Start,
    /// What could not be read.
    pub gaps: Vec<FactGap>,
    /// Audit logs to follow.
    pub tails: Vec<Tail>,
    /// What was read of the repository, and how.
    pub tree: Tree,
    pub options: declared::Options,
}

/// Audits once.
pub(super) async fn audit(
    asked: &Asked,
    place: &Place,
    logs: Vec<audit_log::Lines>,
    console: &mut Console,
) -> Result<Audit, Failure> {
    let cluster = &place.cluster;
    console.say(&Event::Progress("asking the cluster what it serves".to_owned()));
    let found = cluster.listable().await?;
    let kinds = found.kinds.clone();
    // Goes on while the repository is read: the server has more to do than we.
    let lister = cluster.clone();
    let listing = tokio::spawn(async move { lister.list_all(found).await });
    let (mut basis, tree, options) =
        tokio::task::block_in_place(|| place.read_with_tree(&kinds, &mut |event| console.say(event)))?;
    place.strict(&basis)?;
    console.say(&Event::Progress("listing what is live".to_owned()));
    let objects = basis.set.objects.iter();
    let namespaces = objects.filter_map(|one| one.id.namespace.clone()).collect();
    let listing = listing.await.map_err(|_| stopped())?;
    let mut live = cluster.complete(listing, &LiveOptions { namespaces }).await;
    let Basis { set, past, ignore } = &mut basis;
    let (units, not_read) = cluster.get_all(&kinds, audit::units_to_read(set, past, &live)).await;
    let not_understood = audit::waive(Arc::make_mut(set), past, &live, &units);
    console.say(&Event::Progress(format!(
        "comparing {}",
        report::count(set.objects.len(), "declared object")
    )));
    let served = kinds.0.iter();
    let plurals: BTreeMap<GroupKind, String> = served
        .map(|(kind, served)| (kind.clone(), served.plural.clone()))
        .collect();
    let about = || {
        let declared = set.objects.iter().map(|one| &one.id);
        Log::about(declared.chain(live.objects.keys()), &plurals)
    };
    let (log, tails) = audit_log::read(logs, about, asked.follow, console)?;
    let reach = Reach {
        kubeconfig: asked.kubeconfig.as_ref().map(|file| file.display().to_string()),
        context: Some(cluster.context().name.clone()),
        source: place.source.words(source::without_credentials),
        pinned: place.source.rev.is_some() || place.source.at.is_some(),
    };
    let judging = audit::Options {
        ignore,
        log: log.as_ref(),
        units: &units,
        plurals: &plurals,
        release: cluster.release(),
        reach: &reach,
    };
    // The server is asked while what is not declared is judged.
    let comparing = cluster.compare(set, &kinds, Some(&live), &|_| true, asked.compare);
    let mut compared = Compared::default();
    let (answer, slot) = (|| Handle::current().block_on(comparing), &mut compared);
    let compare = move || {
        *slot = tokio::task::block_in_place(answer);
        (&slot.comparisons, &slot.gone)
    };
    let mut findings = audit::classify(set, past, &live, compare, &judging);
    // Only where lists do not fit together, which is seldom.
    if !findings.lost.is_empty() && cluster.look_again(&kinds, &mut live, &findings.lost).await {
        let compare = || (&compared.comparisons, &compared.gone);
        findings = audit::classify(set, past, &live, compare, &judging);
    }
    let mut gaps = [&*live.gaps, &not_read, &not_understood, &compared.gaps].concat();
    gaps.sort();
    let start = Start {
        basis,
        units,
        live,
        comparisons: compared.comparisons,
        findings,
        kinds,
        log,
        release: cluster.release().to_owned(),
        reach,
    };
    Ok(Audit {
        start,
        gaps,
        tails,
        tree,
        options,
    })
}

/// The list ended without an answer: the program is shutting down.
fn stopped() -> Failure {
    Failure::new(Kind::Cluster, "nothing was audited: listing what is live was stopped")
}

pub(super) fn compare_options(args: &AuditArgs) -> CompareOptions {
    CompareOptions {
        dry_run: !args.no_dry_run,
    }
}

/// Where talk goes: JSON is for programs, and a document of its own unless more of it follows.
fn talks(args: &AuditArgs) -> Result<Output, Failure> {
    match (args.watch, args.output) {
        (true, AuditOutput::Json) => Ok(Output::Json),
        (true, AuditOutput::Sarif | AuditOutput::Html) => {
            let failure = Failure::new(Kind::Usage, "nothing was audited: --watch prints human or json");
            Err(failure.hint("--report FILE writes the audit at the beginning as SARIF or HTML"))
        }
        _ => Ok(Output::Human),
    }
}

fn hook(address: &str) -> Result<Hook, Failure> {
    Hook::new(address).map_err(|error| {
        Failure::new(Kind::Usage, "nothing was audited: --notify cannot be used")
            .because(error)
            .hint("give an http:// or https:// address")
    })
}

async fn arrived(notifier: Option<Notifier>) -> Result<(), Failure> {
    let Some(notifier) = notifier else {
        return Ok(());
    };
    let receiver = notifier.receiver().to_owned();
    match notifier.finish(PATIENCE).await {
        0 => Ok(()),
        _ => Err(Failure::new(Kind::Io, "the findings were not posted")
            .because(format!("{receiver} did not take them within {} s", PATIENCE.as_secs()))
            .hint("they stand above; run it again once the webhook answers")),
    }
}

/// Where what is declared comes from, and for which cluster.
pub(super) struct Place {
    source: SourceArgs,
    past: PastArgs,
    namespace: String,
    cluster: Cluster,
}

impl Place {
    pub fn new(source: &SourceArgs, past: &PastArgs, cluster: &Cluster) -> Self {
        Self {
            source: source.clone(),
            past: past.clone(),
            namespace: prepare::namespace(source, cluster).to_owned(),
            cluster: cluster.clone(),
        }
    }

    /// Of objects that name none.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What is declared now, and ever was, for a cluster that serves these kinds. Blocks, and must run where that is allowed.
    pub fn read(&self, kinds: &ServedKinds, say: &mut dyn FnMut(&Event)) -> Result<Basis, Failure> {
        self.read_with_tree(kinds, say).map(|(basis, ..)| basis)
    }

    fn read_with_tree(
        &self,
        kinds: &ServedKinds,
        say: &mut dyn FnMut(&Event),
    ) -> Result<(Basis, Tree, declared::Options), Failure> {
        let tree = declare::open(&self.source, true, say)?;
        let target = declare::Target {
            kinds,
            version: self.cluster.version(),
            namespace: &self.namespace,
            cluster: Some(&self.cluster),
        };
        let (set, options) = declare::read_with_options(&self.source, &tree, target, say)?;
        say(&Event::Progress("reading the history".to_owned()));
        let mut past = past::read(&tree, &reading::options(&self.past)?)?;
        reading::add_unusable(&mut past, &set.problems);
        let basis = Basis {
            set: Arc::new(plan::with_written_manifests(set, kinds, &plan::PlanOptions::default())),
            past,
            ignore: ignore(&tree)?,
        };
        Ok((basis, tree, options))
    }

    /// Whether it may declare something else than before. Blocks.
    pub fn mark(&self) -> Result<Option<String>, Failure> {
        declare::mark(&self.source)
    }

    /// As [`declare::strict`].
    pub fn strict(&self, basis: &Basis) -> Result<(), Failure> {
        declare::strict(&self.source, &basis.set)
    }
}

fn audited<'a>(start: &'a Start, gaps: &'a [FactGap], cluster: &'a Cluster) -> Audited<'a> {
    let set = &start.basis.set;
    Audited {
        about: About {
            repository: &set.repository,
            entry: &set.entry,
            unreached: set.unreached,
            context: Some(cluster.context()),
        },
        findings: &start.findings,
        gaps,
        past: &start.basis.past,
        log: start.log.as_ref(),
        problems: &set.problems,
        declared: set.objects.len(),
        live: start.live.objects.len(),
    }
}

fn tell(args: &AuditArgs, audited: &Audited<'_>, console: &mut Console) -> Result<(), Failure> {
    console.pause();
    if let Some(path) = &args.write_ignore {
        write_file(path, "the proposal for .refloatignore", |out| {
            out.write_all(audit::propose(audited.findings).as_bytes())
        })?;
    }
    if let Some(path) = &args.report {
        write_file(path, "the report", |out| print(audited, by_name(path), out))?;
    }
    console::data(|out| match (args.watch, args.output) {
        (true, AuditOutput::Json) => report::json::audited_line(audited, out),
        (_, output) => print(audited, output, out),
    });
    Ok(())
}

fn print(audited: &Audited<'_>, output: AuditOutput, out: &mut dyn Write) -> io::Result<()> {
    match output {
        AuditOutput::Human => audited.human(out),
        AuditOutput::Json => audited.json(out),
        AuditOutput::Sarif => audited.sarif(out),
        AuditOutput::Html => audited.html(out),
    }
}

fn by_name(path: &Path) -> AuditOutput {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("json") => AuditOutput::Json,
        Some("sarif") => AuditOutput::Sarif,
        Some("html" | "htm") => AuditOutput::Html,
        _ => AuditOutput::Human,
    }
}

/// Whole or not at all.
fn write_file(path: &Path, what: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    let written = write(&mut bytes).and_then(|()| std::fs::write(path, bytes));
    written.map_err(|error| {
        Failure::new(Kind::Io, format!("{what} was not written"))
            .because(format!("{}: {error}", path.display()))
            .hint("nothing was changed in the cluster")
    })
}

/// The ignore file of the repository, at the revision that is audited; none where there is none.
fn ignore(tree: &Tree) -> Result<Ignore, Failure> {
    if !tree.is_file(IGNORE_FILE) {
        return Ok(Ignore::default());
    }
    let not_audited = || Failure::new(Kind::Input, "nothing was audited");
    let bytes = tree
        .read(IGNORE_FILE)
        .map_err(|problem| not_audited().because(problem))?;
    let text = String::from_utf8_lossy(&bytes);
    Ignore::parse(&text).map_err(|broken| {
        let failure = not_audited();
        let failure = broken.into_iter().fold(failure, |failure, (line, message)| {
            failure.because(format!("{IGNORE_FILE}:{line}: {message}"))
        });
        failure.hint("mend the lines in Git: a broken line could hide what it is not about")
    })
}
