//! `refloat audit`: what is live and was never in Git, and what drifted.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use super::console::{self, Console};
use super::{declare, past as reading, prepare};
use crate::audit::{self, Ignore, Log};
use crate::cli::{AuditArgs, AuditOutput, Output};
use crate::cluster::{Cluster, CompareOptions, ConnectOptions, LiveOptions};
use crate::error::{Exit, Failure, Kind};
use crate::event::Event;
use crate::object::GroupKind;
use crate::report::{self, About, Audited};
use crate::source::Tree;
use crate::{past, plan};

const IGNORE_FILE: &str = ".refloatignore";
/// The longest line of an audit log, in bytes: an event may hold an object twice, of 1.5 MB each before they are escaped.
const LONGEST_LINE: usize = 32 << 20;
/// The first bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

pub(super) async fn run(args: &AuditArgs) -> Result<Exit, Failure> {
    let mut console = Console::new(Output::Human);
    let logs = open_logs(&args.audit_log)?;
    let connect = ConnectOptions {
        kubeconfig: args.target.kubeconfig.clone(),
        context: args.target.context.clone(),
        ..ConnectOptions::default()
    };
    let cluster = Cluster::connect(connect).await?;
    console.say(&Event::Progress("asking the cluster what it serves".to_owned()));
    let (kinds, _) = cluster.discover().await?;
    let namespace = prepare::namespace(&args.source, &cluster).to_owned();
    // Reading and rendering block; nothing else runs meanwhile.
    let (set, past, ignore) = tokio::task::block_in_place(|| -> Result<_, Failure> {
        let mut say = |event: &Event| console.say(event);
        let tree = declare::open(&args.source, true, &mut say)?;
        let target = declare::Target {
            kinds: &kinds,
            version: cluster.version(),
            namespace: &namespace,
            cluster: Some(&cluster),
        };
        let set = declare::read(&args.source, &tree, target, &mut say)?;
        say(&Event::Progress("reading the history".to_owned()));
        let past = past::read(&tree, &reading::options(&args.past)?)?;
        Ok((set, past, ignore(&tree)?))
    })?;
    declare::strict(&args.source, &set)?;
    let mut set = plan::with_written_manifests(set, &kinds, &plan::PlanOptions::default());
    console.say(&Event::Progress("listing what is live".to_owned()));
    let namespaces = set.objects.iter().filter_map(|one| one.id.namespace.clone()).collect();
    let live = cluster.live(&LiveOptions { namespaces }).await?;
    let (units, not_read) = cluster.get_all(&kinds, audit::units_to_read(&set, &past, &live)).await;
    let not_understood = audit::waive(&mut set, &past, &live, &units);
    console.say(&Event::Progress(format!(
        "comparing {} declared objects",
        set.objects.len()
    )));
    let options = CompareOptions {
        dry_run: !args.no_dry_run,
    };
    let compared = cluster.compare(&set, options).await?;
    let plurals: BTreeMap<GroupKind, String> = kinds
        .0
        .iter()
        .map(|(kind, served)| (kind.clone(), served.plural.clone()))
        .collect();
    let ids = set.objects.iter().map(|one| &one.id).chain(live.objects.keys());
    let log = read_logs(logs, Log::about(ids, &plurals), &mut console);
    let findings = audit::classify(
        &set,
        &past,
        &live,
        &compared.comparisons,
        &audit::Options {
            ignore: &ignore,
            log: log.as_ref(),
            plurals: &plurals,
        },
    );
    let mut gaps = [live.gaps, not_read, not_understood, compared.gaps].concat();
    gaps.sort();
    let audited = Audited {
        about: About {
            repository: &set.repository,
            entry: &set.entry,
            unreached: set.unreached,
            context: Some(cluster.context()),
        },
        findings: &findings,
        gaps: &gaps,
        past: &past,
        log: log.as_ref(),
        problems: &set.problems,
        declared: set.objects.len(),
        live: live.objects.len(),
    };
    tell(args, &audited, &mut console)?;
    Ok(report::exit_of_audit(&audited, &args.fail_on))
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
    console::data(|out| print(audited, args.output, out));
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

/// A file and its lines.
type Lines = (String, Box<dyn Iterator<Item = io::Result<String>>>);

/// Opens the files, before anything is asked of the cluster.
fn open_logs(files: &[PathBuf]) -> Result<Vec<Lines>, Failure> {
    let open = |path: &PathBuf| match lines(path) {
        Ok(lines) => Ok((path.display().to_string(), lines)),
        Err(error) => Err(
            Failure::new(Kind::Io, "nothing was audited: an audit log could not be read")
                .because(format!("{}: {error}", path.display())),
        ),
    };
    files.iter().map(open).collect()
}

/// Reads the files, of which only what is about what an audit asks for is kept; `None` without any.
fn read_logs(files: Vec<Lines>, mut log: Log, console: &mut Console) -> Option<Log> {
    let first = files.first()?.0.clone();
    console.say(&Event::Progress(format!("reading the audit log {first}")));
    for (file, lines) in files {
        log.read(&file, lines);
    }
    log.close();
    Some(log)
}

/// The lines of a file, unpacked where it is gzipped, each [`LONGEST_LINE`] at most. Bytes that are no UTF-8 are replaced.
fn lines(path: &Path) -> io::Result<Box<dyn Iterator<Item = io::Result<String>>>> {
    let mut file = BufReader::new(File::open(path)?);
    let packed = file.fill_buf()?.starts_with(&GZIP);
    let plain: Box<dyn Read> = if packed {
        Box::new(flate2::bufread::MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut plain = BufReader::new(plain);
    Ok(Box::new(std::iter::from_fn(move || line(&mut plain).transpose())))
}

/// The next line, cut off where it is too long to be an event; `None` at the end.
fn line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let longest = LONGEST_LINE as u64;
    if from.by_ref().take(longest).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.len() == LONGEST_LINE && !bytes.ends_with(b"\n") {
        from.skip_until(b'\n')?;
    }
    Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned()))
}
