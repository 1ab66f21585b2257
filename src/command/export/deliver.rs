//! The change, put where it was asked for.

use std::path::Path;

use super::preview::preview;
use super::{Turn, interrupted};
use crate::cli::{BRANCH, ExportArgs, ForgeArg};
use crate::command::console;
use crate::declared::Keys;
use crate::error::{Failure, Kind};
use crate::export::{self, Changeset};
use crate::forge::{self, Forge, Proposal, Token};
use crate::object::DeclaredSet;
use crate::report::{Committed, Delivered, Exported, Requested};
use crate::source::{self, Draft, Earlier, PatchHead, Tree, Was};

/// Puts the change where it was asked for, and says and notes where that is.
pub(super) fn deliver(
    args: &ExportArgs,
    (tree, keys): (&Tree, &Keys),
    set: &DeclaredSet,
    exported: &Exported<'_>,
    turn: &Turn,
    delivered: &mut Delivered,
) -> Result<(), Failure> {
    let made = exported.made;
    let say = |text: String| console::talk(|err| writeln!(err, "{text}"));
    if made.files.is_empty() {
        say("There is nothing to change in the repository.".to_owned());
        return Ok(());
    }
    refuse(args, exported)?;
    if !turn.take() {
        return Err(interrupted());
    }
    let message = exported.message();
    if let Some(folder) = &args.output {
        export::write(folder, made)?;
        say(format!("Written into {}.", folder.display()));
        delivered.folder = Some(folder.display().to_string());
    }
    if args.write {
        let root = tree.checkout().ok_or_else(|| {
            Failure::new(Kind::Input, "nothing was written")
                .because("the commit that was read is not checked out anywhere here")
                .hint("give a clone, without --rev and --at, or use --output or --patch")
        })?;
        export::edit(&root, tree, made)?;
        say(format!("Written to the working tree {}.", root.display()));
        delivered.working_tree = Some(root.display().to_string());
    }
    if let Some(file) = &args.patch {
        patch(file, tree, made, &message)?;
        delivered.patch = Some(file.display().to_string());
    }
    if args.branch.is_some() || args.push || args.pull_request {
        return branch(args, (tree, keys), exported, &message, delivered);
    }
    if *delivered == Delivered::default() {
        let diff = preview(tree, &made.files, set)?;
        console::data(|out| writeln!(out).and_then(|()| out.write_all(&diff)));
        say("Nothing was written: see --write, --output, --patch, --branch, --push and --pull-request.".to_owned());
    }
    Ok(())
}

/// Refuses what would do more than was meant, or is not shown to do it.
fn refuse(args: &ExportArgs, exported: &Exported<'_>) -> Result<(), Failure> {
    if !exported.made.side_effects.is_empty() && !args.allow_side_effects {
        return Err(Failure::new(Kind::Input, "nothing was written")
            .because("other objects would change too (see above)")
            .hint("--allow-side-effects accepts that; --except leaves out what is the cause"));
    }
    match exported.rehearsed.filter(|rehearsed| !rehearsed.objects.is_empty()) {
        None => Ok(()),
        Some(_) => Err(Failure::new(Kind::Input, "nothing was written")
            .because("in an empty control plane not everything came out as it is live (see above)")
            .hint("--except leaves out what did not; without --verify-in-drill the rendering alone is the proof")),
    }
}

pub(super) fn is_stdout(file: &Path) -> bool {
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

/// Commits, and pushes where that is asked for; says what became of the branch, step by step: what is done stands, whatever comes after.
fn branch(
    args: &ExportArgs,
    (tree, keys): (&Tree, &Keys),
    exported: &Exported<'_>,
    message: &str,
    delivered: &mut Delivered,
) -> Result<(), Failure> {
    let say = |text: String| console::talk(|err| writeln!(err, "{text}"));
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
        say("There is nothing to commit.".to_owned());
        return Ok(());
    };
    let short: String = written.commit.chars().take(12).collect();
    let (was, words) = match &written.was {
        Was::Created => ("created", "a new branch"),
        Was::Updated { .. } => ("updated", "in place of what an earlier export put there"),
        Was::Unchanged => ("unchanged", "as it was there already"),
    };
    say(format!("Committed as {short} on {}, {words}.", written.branch));
    delivered.commit = Some(Committed {
        branch: written.branch.clone(),
        id: written.commit.clone(),
        was,
    });
    if push {
        let pushed = source::push(tree, &written)?;
        say(format!("Pushed to {}.", pushed.shown));
        delivered.pushed_to = Some(pushed.shown);
    }
    if let Some((forge, token)) = forge {
        let (request, said) = pull_request(&forge, &token, args, name, message)?;
        delivered.request = Some(request);
        say(said);
    }
    Ok(())
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
) -> Result<(Requested, String), Failure> {
    let (title, body) = halves(message);
    let proposal = Proposal {
        branch,
        base: args.base.as_deref(),
        title,
        body,
    };
    let proposed = forge.propose(&proposal, token)?;
    let (was, words) = match proposed.was {
        forge::Was::Opened => ("opened", "Opened"),
        forge::Was::Updated => ("updated", "Updated"),
        forge::Was::Unchanged => ("unchanged", "Already open, saying the same:"),
    };
    let (request, number) = (forge.kind().request(), proposed.number);
    let said = format!("{words} {request} {number}: {}", proposed.address);
    let requested = Requested {
        address: proposed.address,
        number,
        was,
    };
    Ok((requested, said))
}
