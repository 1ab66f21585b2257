//! `refloat export`: what was done by hand, as a change of the repository.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use sops::sealed::Certificate;

use super::audit::{Asked, Audit, Place, audit};
use super::audit_log;
use super::choose::{Chosen, choose};
use super::console::{self, Console};
use super::prepare;
use crate::audit::Finding;
use crate::cli::{BRANCH, ExportArgs, ForgeArg, Output};
use crate::cluster::{Cleaned, Cluster, CompareOptions};
use crate::declared::{self, Dialect, Keys};
use crate::error::{Exit, Failure, Kind};
use crate::event::Event;
use crate::export::{self, Changeset, Choice, Ways};
use crate::forge::{self, Forge, Proposal, Token};
use crate::object::{DeclaredSet, ObjectId, resolve};
use crate::report::{About, Exported};
use crate::source::{self, Draft, Earlier, PatchHead, Tree, Was};

pub(super) async fn run(args: &ExportArgs) -> Result<Exit, Failure> {
    let mut console = Console::new(Output::Human);
    let choice = choice(args)?;
    let certificate = args.sealed_secrets_cert.as_deref().map(certificate).transpose()?;
    let logs = audit_log::open(&args.audit_log)?;
    let cluster = prepare::connect(&args.target).await?;
    let place = Place::new(&args.source, &args.past, &cluster);
    let asked = Asked {
        compare: CompareOptions {
            dry_run: !args.no_dry_run,
        },
        kubeconfig: args.target.kubeconfig.clone(),
        follow: false,
    };
    let audited = audit(&asked, &place, logs, &mut console).await?;
    if audited.start.basis.set.entry.dialect == Dialect::Snapshot.label() {
        return Err(Failure::new(Kind::Usage, "nothing was exported")
            .because("this is a snapshot of what was live, and no repository")
            .hint("give the repository; `refloat diff` compares the cluster with the snapshot"));
    }
    console.preflight(&audited.start.basis.set.problems, &[], true);
    let chosen = chosen(&choice, &audited)?;
    // As the repository has it: the audit knows objects under the versions that the cluster serves.
    let set = tokio::task::block_in_place(|| declared::load(&audited.tree, &audited.options))?;
    let set = resolve(set, &audited.start.kinds, place.namespace());
    console.say(&Event::Progress(format!("reading {} objects", chosen.len())));
    let wanted = export::wanted(&chosen, &set);
    let (cleaned, gaps) = cluster.clean(&audited.start.kinds, &wanted).await;
    let chosen = match args.interactive {
        false => chosen,
        true => match ask(&chosen, &cleaned, &mut console)? {
            Some(chosen) => chosen,
            None => {
                console::talk(|err| writeln!(err, "Nothing was exported."));
                return Ok(Exit::Done);
            }
        },
    };
    let ways = Ways {
        named: !args.only.is_empty(),
        seal: certificate.as_ref(),
        encrypt: export::says_for_whom(&audited.tree),
    };
    let intent = export::intend(&chosen, &set, &cleaned, ways);
    console.say(&Event::Progress("finding the places in the repository".to_owned()));
    let made = tokio::task::block_in_place(|| {
        let options = export::Options {
            edit_rendered: args.edit_rendered,
            seal: certificate.as_ref(),
        };
        let mut made = export::place(&audited.tree, &audited.options, &set, &intent.changes, options)?;
        export::lay_aside(&audited.tree, &set, &intent, &cleaned, &mut made);
        Ok::<_, Failure>(made)
    })?;
    let exported = Exported {
        about: about(&set, &cluster),
        findings: &chosen,
        others: audited.start.findings.findings.len() - chosen.len(),
        intent: &intent,
        made: &made,
    };
    console.pause();
    for gap in audited.gaps.iter().chain(&gaps) {
        console.say(&Event::Warned(format!("{}: {}", gap.what, gap.reason)));
    }
    console.pause();
    let bare = args.patch.as_deref().is_some_and(is_stdout);
    match bare {
        true => console::talk(|err| exported.human(err)),
        false => console::data(|out| exported.human(out)),
    }
    tokio::task::block_in_place(|| deliver(args, &audited.tree, &audited.options.keys, &exported))?;
    match exported.is_whole() && audited.gaps.is_empty() && gaps.is_empty() {
        true => Ok(Exit::Done),
        false => Ok(Exit::LookAt),
    }
}

/// The certificate of the controller of SealedSecrets, if it is still good.
fn certificate(file: &Path) -> Result<Certificate, Failure> {
    let failed = |why: String| {
        Failure::new(
            Kind::Input,
            "nothing was exported: --sealed-secrets-cert cannot be used",
        )
        .because(format!("{}: {why}", file.display()))
        .hint("`kubeseal --fetch-cert` gives the one that is in use")
    };
    let pem = std::fs::read(file).map_err(|cause| failed(cause.to_string()))?;
    let certificate = Certificate::read(&pem).map_err(|error| failed(error.to_string()))?;
    match certificate.valid_until() < SystemTime::now() {
        true => Err(failed("it is out of date".to_owned())),
        false => Ok(certificate),
    }
}

/// Those that the operator wants; `None`: nothing is to happen.
fn ask<'a>(
    findings: &[&'a Finding],
    cleaned: &BTreeMap<ObjectId, Cleaned>,
    console: &mut Console,
) -> Result<Option<Vec<&'a Finding>>, Failure> {
    console.pause();
    let asked = choose(
        findings,
        cleaned,
        &mut std::io::stdin().lock(),
        &mut std::io::stderr().lock(),
    );
    let asked = asked.map_err(|cause| Failure::new(Kind::Io, "nothing was exported").because(cause))?;
    Ok(match asked {
        Chosen::Quit => None,
        Chosen::Each(each) => Some(
            findings
                .iter()
                .zip(each)
                .filter(|(_, yes)| *yes)
                .map(|(one, _)| *one)
                .collect(),
        ),
    })
}

fn choice(args: &ExportArgs) -> Result<Choice, Failure> {
    let verdicts = match args.verdict.is_empty() {
        true => export::VERDICTS.iter().map(|name| (*name).to_owned()).collect(),
        false => args.verdict.clone(),
    };
    Ok(Choice {
        verdicts,
        only: args.only.clone(),
        except: args.except.clone(),
        since: args.since.as_deref().map(source::parse_since).transpose()?,
        by: args.by.clone(),
    })
}

/// The findings that are exported.
fn chosen<'a>(choice: &Choice, audited: &'a Audit) -> Result<Vec<&'a Finding>, Failure> {
    let live = &audited.start.live.objects;
    let findings = audited.start.findings.findings.iter();
    let findings = findings.map(|finding| (finding, live.get(&finding.id)));
    let unused = choice.unused(findings.clone());
    if !unused.is_empty() {
        let failure = Failure::new(Kind::Usage, "nothing was exported");
        let failure = unused.iter().fold(failure, |failure, term| {
            failure.because(format!("no finding matches {term}"))
        });
        return Err(failure.hint("`refloat audit` lists the findings"));
    }
    Ok(findings
        .filter(|(finding, live)| choice.takes(finding, *live))
        .map(|(finding, _)| finding)
        .collect())
}

fn about<'a>(set: &'a DeclaredSet, cluster: &'a Cluster) -> About<'a> {
    About {
        repository: &set.repository,
        entry: &set.entry,
        unreached: set.unreached,
        context: Some(cluster.context()),
    }
}

/// Puts the change where it was asked for, and says where that is.
fn deliver(args: &ExportArgs, tree: &Tree, keys: &Keys, exported: &Exported<'_>) -> Result<(), Failure> {
    let made = exported.made;
    let say = |text: String| console::talk(|err| writeln!(err, "{text}"));
    if made.files.is_empty() {
        say("There is nothing to change in the repository.".to_owned());
        return Ok(());
    }
    if !made.side_effects.is_empty() && !args.allow_side_effects {
        return Err(Failure::new(Kind::Input, "nothing was written")
            .because("other objects would change too (see above)")
            .hint("--allow-side-effects accepts that; --except leaves out what is the cause"));
    }
    let message = exported.message();
    let mut delivered = false;
    if let Some(folder) = &args.output {
        export::write(folder, made)?;
        say(format!("Written into {}.", folder.display()));
        delivered = true;
    }
    if args.write {
        let root = tree.checkout().ok_or_else(|| {
            Failure::new(Kind::Input, "nothing was written")
                .because("the commit that was read is not checked out anywhere here")
                .hint("give a clone, without --rev and --at, or use --output or --patch")
        })?;
        export::edit(&root, tree, made)?;
        say(format!("Written to the working tree {}.", root.display()));
        delivered = true;
    }
    if let Some(file) = &args.patch {
        patch(file, tree, made, &message)?;
        delivered = true;
    }
    if args.branch.is_some() || args.push || args.pull_request {
        say(branch(args, tree, keys, exported, &message)?);
        delivered = true;
    }
    if !delivered {
        let diff = source::diff(tree, &made.files)?;
        console::data(|out| writeln!(out).and_then(|()| out.write_all(&diff)));
        say("Nothing was written: see --write, --output, --patch, --branch, --push and --pull-request.".to_owned());
    }
    Ok(())
}

fn is_stdout(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// Subject and body of a message.
fn halves(message: &str) -> (&str, &str) {
    let (subject, body) = message.split_once('\n').unwrap_or((message, ""));
    (subject, body.trim_start())
}

fn patch(file: &Path, tree: &Tree, made: &Changeset, message: &str) -> Result<(), Failure> {
    let (subject, body) = halves(message);
    let head = PatchHead {
        author: &source::author(tree)?,
        date: jiff::Timestamp::now(),
        subject,
        body,
    };
    let patch = source::patch(tree, &made.files, &head)?;
    if is_stdout(file) {
        console::data(|out| out.write_all(&patch));
        return Ok(());
    }
    std::fs::write(file, patch).map_err(|cause| {
        Failure::new(Kind::Io, "the patch was not written").because(format!("{}: {cause}", file.display()))
    })?;
    console::talk(|err| writeln!(err, "Written as a patch: git am {}", file.display()));
    Ok(())
}

/// Commits, and pushes where that is asked for; says what became of the branch.
fn branch(
    args: &ExportArgs,
    tree: &Tree,
    keys: &Keys,
    exported: &Exported<'_>,
    message: &str,
) -> Result<String, Failure> {
    let push = args.push || args.pull_request;
    if !push && source::is_remote(&args.source.repo) {
        return Err(Failure::new(Kind::Usage, "nothing was committed")
            .because("the repository is far away: a commit in refloat's own clone of it would be lost")
            .hint("add --push, or give a clone of yours"));
    }
    let name = args.branch.as_deref().unwrap_or(BRANCH);
    // What would keep the request from being opened is better known before anything is pushed.
    let forge = args.pull_request.then(|| forge_of(args, tree, name)).transpose()?;
    let mut files = exported.made.files.clone();
    export::keep(&mut files, keys, || Earlier::of(tree, name, push));
    let draft = Draft {
        branch: name,
        files: &files,
        message,
        entry: &exported.about.entry.paths.join(","),
        sign_off: args.sign_off,
    };
    let Some(written) = source::commit(tree, &draft)? else {
        return Ok("There is nothing to commit.".to_owned());
    };
    let short: String = written.commit.chars().take(12).collect();
    let was = match &written.was {
        Was::Created => "a new branch",
        Was::Updated { .. } => "in place of what an earlier export put there",
        Was::Unchanged => "as it was there already",
    };
    let mut text = format!("Committed as {short} on {}, {was}.", written.branch);
    if push {
        let pushed = source::push(tree, &written)?;
        text.push_str(&format!("\nPushed to {}.", pushed.shown));
    }
    if let Some((forge, token)) = forge {
        // What is pushed stands, whatever the forge says.
        console::talk(|err| writeln!(err, "{}", std::mem::take(&mut text)));
        text = pull_request(&forge, &token, args, name, message)?;
    }
    Ok(text)
}

/// Where pull requests of a branch are opened, and with what.
fn forge_of(args: &ExportArgs, tree: &Tree, branch: &str) -> Result<(Forge, Token), Failure> {
    let remote = source::push_address(tree, branch)?;
    let kind = args.forge.map(|forge| match forge {
        ForgeArg::Github => forge::Kind::GitHub,
        ForgeArg::Gitlab => forge::Kind::GitLab,
        ForgeArg::Gitea => forge::Kind::Gitea,
    });
    let forge = Forge::of(&remote, kind, args.forge_api.as_deref())?;
    let token = forge.token(tree, &remote)?;
    Ok((forge, token))
}

fn pull_request(
    forge: &Forge,
    token: &Token,
    args: &ExportArgs,
    branch: &str,
    message: &str,
) -> Result<String, Failure> {
    let (title, body) = halves(message);
    let proposal = Proposal {
        branch,
        base: args.base.as_deref(),
        title,
        body,
    };
    let proposed = forge.propose(&proposal, token)?;
    let was = match proposed.was {
        forge::Was::Opened => "Opened",
        forge::Was::Updated => "Updated",
        forge::Was::Unchanged => "Already open, saying the same:",
    };
    let request = forge.kind().request();
    Ok(format!("{was} {request} {}: {}", proposed.number, proposed.address))
}
