//! What a run says, as JSON: one event a line, the summary last; the plan as one document.
//!
//! Every line and document has `"version": 1`. Within a version fields may be added, never removed or changed. Fields
//! without a value are left out. Times are seconds, to the millisecond. Control characters are escaped. No manifests
//! and no values of Secrets.
//!
//! # Shapes used in many places
//!
//! | shape | fields |
//! |---|---|
//! | object | `group` ("" for the core group), `kind`, `namespace` (left out for cluster-scoped objects), `name` |
//! | place | `file` (path in the repository), `line` (1-based, left out where not known) |
//! | node | `object`, or `gate` with the name of a group of objects |
//! | outcome | `action`: `created`, `configured`, `unchanged`, `recreated`, `deleted`, `suspended`, `resumed`, `awaited`, `skipped`, `failed` · `skip` (when skipped): `dependency`, `stalled`, `not-served`, `held-back`, `interrupted`, `generated` · `reason`: why failed or skipped, in the words of who said it · `because_of`: the object, when skipped for a dependency · `readiness`: `current`, `not-waited-for`, `failed`, `timed-out` · `readiness_reason` · `without`: objects that were not there when it was applied · `warnings`: of the server · `look`: whether someone should look at it |
//!
//! # Events
//!
//! Each line has `event` and `at`, the time since the start of the command.
//!
//! | event | further fields |
//! |---|---|
//! | `progress` | `text`: something slow goes on |
//! | `said` | `text`: worth saying, not wrong |
//! | `warned` | `text`: worth a look |
//! | `started` | `steps`: number of steps in the plan |
//! | `sent` | `step` (index in the plan), `object`, `after` (since the engine started) |
//! | `retrying` | `step`, `object`, `reason`, `wait`: how long until it is sent again |
//! | `written` | `step`, `object`, `after` |
//! | `settled` | `step`, `object`, `after`, `place` (where declared), and the fields of an outcome |
//! | `waiting` | `for`: list of node with `text`, longest first |
//! | `interrupted` | `in_flight`: requests that are being finished |
//! | `summary` | see below; the last line of a run that came to its end |
//! | `error` | the run could not go on: `error`, `causes`, `hints`; `exit_code` |
//!
//! # Summary
//!
//! | field | meaning |
//! |---|---|
//! | `about` | `repository` {`location`, `commit`, `subject`, `time` (seconds since 1970), `dirty`}, `entry` {`paths`, `dialect`, `detected`, `unreached`}, `cluster` {`context`, `cluster`, `server`, `nodes`}; in reports only |
//! | `seconds` | from the first to the last event of the engine |
//! | `objects` | number of steps |
//! | `in_cluster` | how many of them are in the cluster for all that is known |
//! | `objects_per_second` | `in_cluster` ÷ `seconds`, to one decimal |
//! | `interrupted` | stopped by the user |
//! | `stopped` | why the run had to stop writing |
//! | `counts` | list of `action`, `skip`, `readiness`, `count` |
//! | `failures` | list of `object`, `place`, `cause` (`refused`, `not-ready`, `timed-out`, `stalled`, `not-served`, `held-back`, `not-rendered`, `other`), `reason`, `hint`, `dependants`: objects not applied or deleted because of it |
//! | `applied_without` | list of `object`, `without` |
//! | `held_back` | list of `reason`, `objects` |
//! | `generated` | objects left as they are since they are made only where absent |
//! | `warnings` | of the server: list of `text`, `count`, `objects`; most frequent first |
//! | `slowest_chain` | list of node with `seconds` (from the end of the link before to its own), `end`, `because` (why it waited for the link before), `until` |
//! | `steps` | in reports only: for each step `step`, `object`, `place`, `free`, `sent`, `written`, `settled` (times since the engine started) and the fields of an outcome |
//! | `problems`, `notes` | in reports only: as in the plan |
//! | `verified` | of a drill: see below |
//!
//! # Plan
//!
//! | field | meaning |
//! |---|---|
//! | `about` | as in the summary |
//! | `steps` | list of `step`, `object`, `action` (`apply`, `await`, `hold-back`, `delete`, `suspend`, `resume`), `text` (who makes it; what it would do), `uid` (of what is deleted), `revision` (that declared it last), `api_version` (to write in), `manager` (field manager), `create_only`, `recreate`, `unit`, `place`, `renderer` (`plain`, `kustomize`, `helm`), `hook` {`after`, `weight`}, `waits` |
//! | `gates` | list of `step`, `gate`, `waits` |
//! | `waits` | list of `for` (index of a step or gate), node, `until` (`settled`, `exists`, `ready`), `strength` (`soft`, `hard`, `written`), `rule`, `because` |
//! | `notes` | list of `kind`, `decide` (needs a decision first), `object`, `place`, `message`, `hint` |
//! | `problems` | list of `kind` (`error`, `warning`, `note`), `places`, `object`, `message`, `hint` |
//! | `cuts` | list of `ring` (objects), `until`, `strength`, `because` of the edge that was cut, `weakened_to` (left out when dropped) |
//!
//! # History
//!
//! | field | meaning |
//! |---|---|
//! | `repository`, `commit` | whose history it is, and from which commit it goes back |
//! | `paths` | folders and files whose changes count; empty: all |
//! | `object` | the object that was asked for, as it was named |
//! | `revisions` | newest first: list of `id` (as `restore --rev` takes it), `time` (author's, seconds since 1970), `author`, `subject`, `rendered` (objects are those after rendering), `objects`, `files` (changed files that changed no object by themselves) |
//! | `objects` | list of `object` (as written: the namespace may be absent), `change` (`added`, `changed`, `moved`, `removed`), `file`, `from` (the file before, when moved), `fields`: of changed ones, list of `path`, `before`, `after`, `hidden` (of a Secret: values are not given) |
//! | `more` | there are older ones |
//! | `incomplete` | where the history that was read begins, when that is not its beginning; in words |
//!
//! # Verified
//!
//! | field | meaning |
//! |---|---|
//! | `clean` | nothing below `not_simulated` is missing, different or changed |
//! | `checked` | number of declared objects that were looked for |
//! | `missing` | objects |
//! | `different` | list of `object`, `fields` (paths, never values) |
//! | `second_run_changed` | objects |
//! | `not_simulated` | kinds (`group`, `kind`) whose controller is not played |
//! | `times` | `api`: times are those of the API, without images and volumes |
//!
//! # Audit
//!
//! | field | meaning |
//! |---|---|
//! | `about` | as in the summary |
//! | `declared`, `live` | how many objects are |
//! | `counts` | by verdict: `in-sync`, `drifted`, `missing`, `removed-from-git`, `not-reached`, `never-in-git`, `owned`, `managed`, `managed-undeclared`, `built-in`, and `not-compared`: declared objects that could not be read |
//! | `ignored` | findings that `.refloatignore` leaves out |
//! | `waived` | fields that differ and are no drift: who tells the engine not to compare them, and how many |
//! | `offline` | declared objects that were compared without the server's word, drifted or not: list of `group`, `kind`, `objects` (how many), `reason` (of one of them) |
//! | `by_rule` | objects that the cluster makes by itself: by rule how many |
//! | `by_unit` | objects that units of Git made: list of `tool`, `name`, `objects` (how many) |
//! | `coverage` | `in_sync`, `counted` (in sync, drifted, never in Git, removed, made by a unit that Git never declared), `percent` |
//! | `namespaces` | the same for each `namespace` ("" for cluster-scoped objects) |
//! | `findings` | worst first: see below |
//! | `gaps` | list of `what` could not be read and the `reason` |
//! | `history` | `commits` read, `incomplete` (where and why it begins late), `skipped`: files by reason |
//! | `log` | of the audit log: `lines`, `from` and `until` (RFC 3339), `problems` |
//! | `problems` | as in the plan |
//!
//! | field of a finding | meaning |
//! |---|---|
//! | `object`, `verdict`, `place` (where declared) | |
//! | `matched` | how its identity was matched with Git: `exact`, `namespace-absent`, `group-migrated`, `made-by-unit`, `none` |
//! | `fields` | of a drifted object: list of `path`, `change` (`changed`, `removed`, `added`), `declared`, `live`, `owner` (from managedFields: `manager`, `operation`, `subresource`, `time` when it last wrote; a removed field has none); values of Secrets are never there |
//! | `compared`, `offline_because` | `dry-run` or `offline`, and why |
//! | `commit` | that removed it: `id`, `subject`, `time`; `path`: the file that has it or had it |
//! | `unit` | that made it and others: `tool`, `name`; it is not declared (`managed-undeclared`), or was or is elsewhere (`made-by-unit`) |
//! | `authors` | most likely first, none: unknown; `tool`, `user`, `from` (source address), `time`, `operation`, `confidence` (`certain`, `likely`, `possible`), `evidence` |
//! | `evidence` | what was seen, in words |
//! | `remedy` | the command that puts it right |
//!
//! # Export
//!
//! No value of any field is in it.
//!
//! | field | meaning |
//! |---|---|
//! | `about` | as in the summary |
//! | `exported` | list of `object`, `verdict`, `authors` (as in a finding), `changes`: list of `change` (`set` and `unset` a field, `add` and `remove` the object), `path` of the field, `place` (the line as it was before), `why` it is made there · `unproven`: why it is not known that the manifest gives the live object again · `first`: what somebody has to do before the change is merged |
//! | `left_out` | what was chosen and is not exported: list of `object`, `verdict`, `path` (left out for a whole object), `reason`, `aside` (the file that shows what is live) |
//! | `side_effects` | other objects that change, each with its entry, in words |
//! | `files` | list of `file`, `change` (`written`, `removed`) |
//! | `rewritten` | places that could not be edited in place, so that comments may be lost |
//! | `not_chosen` | how many findings were not chosen |
//! | `verified` | with `--verify-in-drill`: `clean`, `checked` (how many objects), `otherwise`: list of `object`, `there` (in the empty control plane), `fields` (paths), `outcome` of what is not there · `not_ready`: list of `object` that is there and did not become ready, `outcome` |
//! | `gaps` | as in an audit |
//! | `delivered` | where it was put, as far as it came: `folder`, `working_tree`, `patch` (`-`: printed), `commit` {`branch`, `id`, `was` (`created`, `updated`, `unchanged`)}, `pushed_to`, `request` {`address`, `number`, `was` (`opened`, `updated`, `unchanged`)} |
//!
//! # Diff
//!
//! | field | meaning |
//! |---|---|
//! | `before`, `after` | the sides: `kind` (`cluster`, `snapshot`, `repository`), `name`, `kubernetes` (version), `commit` |
//! | `objects` | by identity: list of `object`, `change` (`added`, `changed`, `removed`, from `before` to `after`), `file`, `fields` as in a history |
//! | `same` | how many objects both have alike |
//! | `masked` | objects on both sides of which only the keys were compared, since one side does not hold the values |
//! | `gaps` | as in an audit, with the side before each |
//!
//! # Snapshot
//!
//! The last line, after those of a run (`progress`, `said`, `warned`): `event` is `snapshot`.
//!
//! | field | meaning |
//! |---|---|
//! | `snapshot`, `bytes` | where it is; size of an archive |
//! | `context`, `kubernetes` | of which cluster, and its version |
//! | `objects` | how many are in it; of these `own`, `owned` (belong to others), `built_in` (the cluster makes them by itself) |
//! | `kinds` | how many were read whole |
//! | `secrets`, `encrypted_to` | how many objects hold secrets, and for whom their values are encrypted; nobody: they are left out |
//! | `gaps` | as in an audit |
//!
//! # Watch
//!
//! One event a line: those of a run that `audit --watch` has (`progress`, `said`, `warned`), and these. `time` is RFC 3339. A
//! webhook gets the lines `audit` and `divergence`, each as a document.
//!
//! | event | further fields |
//! |---|---|
//! | `audit` | those of an audit: what was found at first |
//! | `divergence` | `time` · `news`: `new`, `changed` (another verdict, other fields or values), `resolved` · `now` (when resolved): `in-sync`, `gone` (neither declared nor live), `accounted-for` (owned, managed, made by the cluster or ignored) · `cause`: `cluster`, or `revision` (another commit is compared with) · the fields of a finding, as it is or, when resolved, was told last · for a webhook `about`, as in the summary |
//! | `revision` | `time` · `repository` (as in `about`) that is compared with from now on |
//! | `stopped` | the last line: `time` · `open`: how many findings there are, by verdict · `gaps` |

mod audit;
mod diff;
mod event;
mod export;
mod history;
mod indented;
mod plan;
mod shape;
mod snapshot;
mod summary;
mod watch;

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

pub use audit::{audited, audited_line};
pub use diff::diff;
pub use event::{event, failure};
pub use export::exported;
pub use history::history;
pub use plan::plan;
pub use snapshot::snapshot;
pub(super) use summary::report;
pub use summary::{Extra, verified};
pub use watch::{divergence, revision, stopped};

/// The version of all lines and documents.
const VERSION: u32 = 1;

/// Bytes that are put together before they are written: serialising gives them a few at a time.
const CHUNK: usize = 64 << 10;

/// Writes one line. Control characters beyond those that JSON itself escapes are escaped, too.
fn line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut escaping = Escaping::new(out);
    serde_json::to_writer(&mut escaping, value)?;
    escaping.end()
}

/// Writes one document for people and programs to read.
fn document(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut escaping = Escaping::new(out);
    indented::write(value, &mut escaping)?;
    escaping.end()
}

/// Escapes what goes through it. What is written at a time begins and ends at characters, as serialising has it.
struct Escaping<'o> {
    out: &'o mut dyn Write,
    chunk: Vec<u8>,
}

impl<'o> Escaping<'o> {
    fn new(out: &'o mut dyn Write) -> Self {
        Self { out, chunk: Vec::new() }
    }

    fn end(mut self) -> io::Result<()> {
        self.chunk.push(b'\n');
        self.flush()
    }
}

impl Write for Escaping<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // What is long already goes through as it is.
        if bytes.len() >= CHUNK {
            self.flush()?;
            return through(bytes, self.out).map(|()| bytes.len());
        }
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    /// All of it is always taken: serialising writes a few bytes at a time, and need not ask how many were.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes).map(|_| ())
    }

    fn flush(&mut self) -> io::Result<()> {
        through(&self.chunk, self.out)?;
        self.chunk.clear();
        Ok(())
    }
}

fn through(bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
    out.write_all(escaped(text).as_bytes())
}

/// JSON text in which DEL and the C1 controls are escaped. They can only stand in strings.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    let raw = |c: char| c.is_control() && c != '\n';
    // The C1 controls are U+0080 to U+009F: two bytes, of which the first is this.
    let may_be = |byte: u8| byte < b' ' && byte != b'\n' || byte == 0x7f || byte == 0xc2;
    // By blocks, of which every byte is looked at: that takes many bytes at a time, and there is nearly never one.
    let in_block = |block: &[u8]| block.iter().fold(false, |found, byte| found | may_be(*byte));
    if !text.as_bytes().chunks(256).any(in_block) || !text.contains(raw) {
        return text.into();
    }
    let escaped = text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if raw(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
        out
    });
    escaped.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_wherever_they_stand() {
        for before in [0, 1, 255, 256, 257, 1000] {
            let text = |c: &str| format!("{}{c}é\n", "a".repeat(before));
            assert_eq!(escaped(&text("\u{7f}")), text("\\u007f"));
            assert_eq!(escaped(&text("\u{9b}")), text("\\u009b"));
            assert_eq!(escaped(&text("\t")), text("\\u0009"));
            assert_eq!(escaped(&text("b")), text("b"));
        }
    }
}
