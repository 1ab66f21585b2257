//! `refloat audit --watch`: what the repository and the webhook have to do with it.

use std::io;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use super::audit::{Place, compare_options};
use super::console::{self, Console};
use crate::audit::{Divergence, Finding};
use crate::cli::{AuditArgs, AuditOutput};
use crate::cluster::Cluster;
use crate::error::{Exit, Failure};
use crate::event::Event;
use crate::object::{Entry, FactGap, Repository};
use crate::report::{self, About};
use crate::watch::{self, Answer, Message, Notifier, Question, Start, Tail};

/// How long what is still to be posted may take when the watching is ended.
const PATIENCE: Duration = Duration::from_secs(5);
/// A commit that could not be read is tried again after this long, unless another one comes.
const AGAIN: Duration = Duration::from_secs(300);

/// What is needed beside the audit that the watching goes on from.
pub(super) struct Options {
    pub follower: Follower,
    pub tails: Vec<Tail>,
    pub notifier: Option<Notifier>,
}

/// Watches until Ctrl-C, SIGTERM, or until nobody reads what is told.
pub(super) async fn run(
    args: &AuditArgs,
    cluster: &Cluster,
    start: Start,
    options: Options,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let (unread, nobody_reads) = oneshot::channel();
    let mut teller = Teller {
        args,
        cluster,
        console,
        notifier: options.notifier,
        repository: start.basis.set.repository.clone(),
        entry: start.basis.set.entry.clone(),
        unreached: start.basis.set.unreached,
        unread: Some(unread),
    };
    let stop = async {
        tokio::select! {
            () = interrupted() => {}
            _ = nobody_reads => {}
        }
    };
    let watching = watch::Options {
        compare: compare_options(args),
        is_fixed: options.follower.mark.is_none(),
        repository: options.follower.start(),
        tails: options.tails,
    };
    let ended = watch::run(cluster, start, watching, stop, |message| teller.tell(message)).await;
    teller.stopped(&ended.open, &ended.gaps);
    if let Some(notifier) = teller.notifier {
        let receiver = notifier.receiver().to_owned();
        let lost = notifier.finish(PATIENCE).await;
        if lost > 0 {
            say(format!("{lost} notifications did not arrive at {receiver}"));
        }
    }
    Ok(Exit::Interrupted)
}

/// What the webhook has to say, at any time.
pub(super) fn say(text: String) {
    console::talk(|err| writeln!(err, "{}", crate::error::printable(&text)));
}

async fn interrupted() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
    }
}

/// Tells people, programs and the webhook.
struct Teller<'a> {
    args: &'a AuditArgs,
    cluster: &'a Cluster,
    console: &'a mut Console,
    notifier: Option<Notifier>,
    /// What is compared with.
    repository: Repository,
    entry: Entry,
    unreached: usize,
    /// Says that nobody reads what is told.
    unread: Option<oneshot::Sender<()>>,
}

impl Teller<'_> {
    fn tell(&mut self, message: Message) {
        match message {
            Message::Watching(kinds) => {
                let kinds = if kinds == 1 {
                    "1 kind"
                } else {
                    &format!("{kinds} kinds")
                };
                let text = format!("watching {kinds}; Ctrl-C ends it");
                self.console.say(&Event::Said(text));
            }
            Message::Diverged(all) => self.diverged(&all),
            Message::Revision(repository) => {
                let time = now();
                match self.is_json() {
                    true => self.data(|out| report::json::revision(&repository, &time, out)),
                    false => self.data(|out| report::revision(&repository, &time, out)),
                }
                self.repository = repository;
            }
            Message::Gap(gap) => {
                let text = format!("not known from now on: {}: {}", gap.what, gap.reason);
                self.console.say(&Event::Warned(text));
            }
            Message::Said(text) => self.console.say(&Event::Said(text)),
            Message::Warned(text) => self.console.say(&Event::Warned(text)),
        }
    }

    fn diverged(&mut self, all: &[Divergence]) {
        let time = now();
        let with_log = !self.args.audit_log.is_empty();
        match self.is_json() {
            true => self.data(|out| {
                let mut lines = all.iter();
                lines.try_for_each(|one| report::json::divergence(one, &time, None, out))
            }),
            false => self.data(|out| report::divergences(all, &time, with_log, out)),
        }
        let Some(notifier) = &self.notifier else { return };
        let about = About {
            repository: &self.repository,
            entry: &self.entry,
            unreached: self.unreached,
            context: Some(self.cluster.context()),
        };
        let fail_on = &self.args.fail_on;
        for one in all
            .iter()
            .filter(|one| report::counts_as_failure(&one.finding, fail_on))
        {
            notifier.post(console::text(|out| {
                report::json::divergence(one, &time, Some(about), out)
            }));
        }
    }

    fn stopped(&mut self, open: &[Finding], gaps: &[FactGap]) {
        match self.is_json() {
            true => self.data(|out| report::json::stopped(open, gaps, &now(), out)),
            false => self.data(|out| report::watched(open, gaps, out)),
        }
    }

    fn is_json(&self) -> bool {
        self.args.output == AuditOutput::Json
    }

    fn data(&mut self, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) {
        self.console.pause();
        if console::more_data(write).is_err()
            && let Some(unread) = self.unread.take()
        {
            // The watching may be ending already.
            let _ = unread.send(());
        }
    }
}

/// RFC 3339, to the second.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Looks after the repository, which may move.
pub(super) struct Follower {
    place: Place,
    /// `None`: it cannot move.
    mark: Option<String>,
    commit: Option<String>,
    /// The mark that could not be read, and when.
    unread: Option<(Option<String>, Instant)>,
}

impl Follower {
    /// From a mark and what was read after it was taken.
    pub fn new(place: Place, mark: Option<String>, read: &Repository) -> Self {
        Self {
            place,
            mark,
            commit: read.commit.clone(),
            unread: None,
        }
    }

    /// Answers questions where blocking is allowed. Must be called within a tokio runtime.
    fn start(mut self) -> watch::Inquiry {
        let (questions, mut asked) = mpsc::channel::<Question>(1);
        let (answer, answers) = mpsc::channel(1);
        tokio::task::spawn_blocking(move || {
            while let Some(question) = asked.blocking_recv() {
                let read = self.answer(&question, &mut || {
                    // If nobody listens any more, the watching is over.
                    let _ = answer.blocking_send(Answer::Moved);
                });
                if answer.blocking_send(read).is_err() {
                    return;
                }
            }
        });
        watch::Inquiry { questions, answers }
    }

    fn answer(&mut self, question: &Question, moved: &mut dyn FnMut()) -> Answer {
        let mark = match self.place.mark() {
            Ok(mark) => mark,
            Err(failure) => {
                let why = failure.in_one_line();
                return Answer::Unread(format!("whether the repository moved is not known: {why}"));
            }
        };
        if mark == self.mark && !question.anew {
            return Answer::Unchanged;
        }
        let just_failed = |(unread, at): &(Option<String>, Instant)| *unread == mark && at.elapsed() < AGAIN;
        if self.unread.as_ref().is_some_and(just_failed) {
            return Answer::Unchanged;
        }
        moved();
        let read = self.place.read(&question.kinds, &mut |_| {});
        match read.and_then(|basis| self.place.strict(&basis).map(|()| basis)) {
            Ok(basis) => {
                self.mark = mark;
                self.unread = None;
                let commit = basis.set.repository.commit.clone();
                if commit == self.commit && !question.anew {
                    return Answer::Unchanged;
                }
                self.commit = commit;
                Answer::Read(Box::new(basis))
            }
            Err(failure) => {
                self.unread = Some((mark, Instant::now()));
                let before = self.commit.as_deref().unwrap_or_default();
                let before: String = before.chars().take(12).collect();
                let why = failure.in_one_line();
                Answer::Unread(format!(
                    "the repository moved and could not be read, so that {before} is compared with as before: {why}"
                ))
            }
        }
    }
}
