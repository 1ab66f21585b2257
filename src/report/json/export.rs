//! An export, as one document.

use std::io::{self, Write};

use serde::Serialize;

use super::audit::{By, Gap, by, gaps};
use super::shape::{Ended, Object, Where};
use super::summary::Subject;
use super::{VERSION, document};
use crate::export::{Change, Changeset, Rehearsed};
use crate::object::Edit;
use crate::report::export::{Delivered, Exported, LeftOut, Told};

#[derive(Debug, Serialize)]
struct Document<'a> {
    version: u32,
    about: Subject<'a>,
    exported: Vec<One<'a>>,
    left_out: Vec<Left<'a>>,
    side_effects: &'a [String],
    files: Vec<File<'a>>,
    rewritten: Vec<Where>,
    not_chosen: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<Verified<'a>>,
    gaps: Vec<Gap<'a>>,
    delivered: Put<'a>,
}

#[derive(Debug, Serialize)]
struct One<'a> {
    object: Object<'a>,
    verdict: &'static str,
    authors: Vec<By<'a>>,
    changes: Vec<Made<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unproven: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Made<'a> {
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    place: Where,
    why: &'a str,
}

#[derive(Debug, Serialize)]
struct Left<'a> {
    object: Object<'a>,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aside: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct File<'a> {
    file: &'a str,
    change: &'static str,
}

#[derive(Debug, Serialize)]
struct Verified<'a> {
    clean: bool,
    checked: usize,
    otherwise: Vec<Otherwise<'a>>,
    not_ready: Vec<Unready<'a>>,
}

#[derive(Debug, Serialize)]
struct Unready<'a> {
    object: Object<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Ended<'a>>,
}

#[derive(Debug, Serialize)]
struct Otherwise<'a> {
    object: Object<'a>,
    there: bool,
    fields: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Ended<'a>>,
}

#[derive(Debug, Serialize)]
struct Put<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_tree: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<Commit<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pushed_to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Request<'a>>,
}

#[derive(Debug, Serialize)]
struct Commit<'a> {
    branch: &'a str,
    id: &'a str,
    was: &'static str,
}

#[derive(Debug, Serialize)]
struct Request<'a> {
    address: &'a str,
    number: u64,
    was: &'static str,
}

/// Writes an export as one document.
///
/// # Errors
/// Those of the writer.
pub fn exported(exported: &Exported<'_>, delivered: &Delivered, out: &mut dyn Write) -> io::Result<()> {
    let told: Vec<(usize, Vec<Told<'_>>)> = exported.exported().collect();
    let objects = told.iter().map(|(index, told)| {
        let finding = exported.findings[*index];
        let wish = exported.wish(*index);
        One {
            object: Object::from(&finding.id),
            verdict: finding.verdict.name(),
            authors: finding.authors.iter().map(by).collect(),
            changes: told.iter().filter_map(made).collect(),
            unproven: wish.and_then(|wish| wish.unproven.as_deref()),
            first: wish.and_then(|wish| wish.first.as_deref()),
        }
    });
    let shown = Document {
        version: VERSION,
        about: Subject::from(exported.about),
        exported: objects.collect(),
        left_out: exported.left().iter().map(left).collect(),
        side_effects: &exported.made.side_effects,
        files: files(exported.made),
        rewritten: exported.made.reemitted.iter().map(Where::from).collect(),
        not_chosen: exported.others,
        verified: exported.rehearsed.map(verified),
        gaps: gaps(exported.gaps),
        delivered: put(delivered),
    };
    document(&shown, out)
}

fn made<'a>(told: &Told<'a>) -> Option<Made<'a>> {
    let placed = told.placed.ok()?;
    let change = match told.change {
        Change::Set { .. } => "set",
        Change::Unset { .. } => "unset",
        Change::Add { .. } => "add",
        Change::Remove { .. } => "remove",
    };
    Some(Made {
        change,
        path: told.change.path(),
        place: Where::from(&placed.place),
        why: &placed.why,
    })
}

fn left<'a>(left: &LeftOut<'a>) -> Left<'a> {
    Left {
        object: Object::from(&left.finding.id),
        verdict: left.finding.verdict.name(),
        path: left.field,
        reason: left.reason,
        aside: left.aside,
    }
}

fn files(made: &Changeset) -> Vec<File<'_>> {
    made.files
        .iter()
        .map(|(file, content)| File {
            file,
            change: if content.is_some() { "written" } else { "removed" },
        })
        .collect()
}

fn verified(rehearsed: &Rehearsed) -> Verified<'_> {
    let ended = |id| {
        let outcome = rehearsed.outcomes.get(id);
        outcome.map(|outcome| Ended::new(Some(id), outcome))
    };
    let otherwise = rehearsed.objects.iter().map(|one| Otherwise {
        object: Object::from(&one.id),
        there: one.edit != Edit::Removed,
        fields: one.fields.iter().map(|field| &*field.path).collect(),
        outcome: ended(&one.id),
    });
    let not_ready = rehearsed.not_ready.iter().map(|id| Unready {
        object: Object::from(id),
        outcome: ended(id),
    });
    Verified {
        clean: rehearsed.objects.is_empty(),
        checked: rehearsed.checked,
        otherwise: otherwise.collect(),
        not_ready: not_ready.collect(),
    }
}

fn put(delivered: &Delivered) -> Put<'_> {
    Put {
        folder: delivered.folder.as_deref(),
        working_tree: delivered.working_tree.as_deref(),
        patch: delivered.patch.as_deref(),
        commit: delivered.commit.as_ref().map(|commit| Commit {
            branch: &commit.branch,
            id: &commit.id,
            was: commit.was,
        }),
        pushed_to: delivered.pushed_to.as_deref(),
        request: delivered.request.as_ref().map(|request| Request {
            address: &request.address,
            number: request.number,
            was: request.was,
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::audit::{Finding, Verdict};
    use crate::export::{Intent, Left, Placed, Unplaced, Wish};
    use crate::object::{Action, FieldEdit, Manifest, ObjectEdit, ObjectId, Place, Readiness};
    use crate::report::export::{Committed, Requested};
    use crate::report::sample;

    fn finding(kind: &str, name: &str, verdict: Verdict) -> Finding {
        Finding::new(ObjectId::new("", kind, Some("shop"), name), verdict)
    }

    fn intent(object: &ObjectId) -> Intent {
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "new"}, "data": {"p": "canary"}});
        let set = |path: &str| Change::Set {
            object: object.clone(),
            path: path.to_owned(),
            value: "canary".into(),
        };
        let manifest = Manifest::new(secret).expect("because it is one");
        Intent {
            changes: vec![set(".data.p"), set(".data.q"), Change::Add { manifest }],
            wishes: vec![
                Wish {
                    finding: 0,
                    changes: 0..2,
                    unproven: Some("no dry run".to_owned()),
                    first: None,
                },
                Wish {
                    finding: 1,
                    changes: 2..3,
                    unproven: None,
                    first: Some("put its values into a store".to_owned()),
                },
            ],
            left: vec![Left {
                finding: 2,
                reason: "something else makes it".to_owned(),
            }],
        }
    }

    fn changeset() -> Changeset {
        let placed = |change: usize, place: Place| Placed {
            change,
            place,
            why: "the document that declares it".to_owned(),
        };
        Changeset {
            files: [
                ("a.yaml".to_owned(), Some(b"canary".to_vec())),
                ("b.yaml".to_owned(), None),
            ]
            .into(),
            placed: vec![placed(0, Place::file("a.yaml")), placed(2, Place::file("new.yaml"))],
            unplaced: vec![Unplaced {
                change: 1,
                reason: "not encrypted".to_owned(),
            }],
            side_effects: vec!["Deployment/shop/web in staging".to_owned()],
            reemitted: vec![Place::file("a.yaml")],
            ..Changeset::default()
        }
    }

    fn rehearsed(object: &ObjectId, new: &ObjectId) -> Rehearsed {
        let field = FieldEdit {
            path: ".data.p".to_owned(),
            before: Some("canary".into()),
            after: None,
            is_hidden: false,
        };
        let late = Readiness::TimedOut("no pods yet".to_owned());
        let refused = Action::Failed("Invalid value: \"canary\": too long".to_owned());
        Rehearsed {
            checked: 2,
            objects: vec![ObjectEdit {
                id: object.clone(),
                edit: Edit::Removed,
                file: String::new(),
                fields: vec![field],
            }],
            not_ready: vec![new.clone()],
            outcomes: [
                (object.clone(), sample::outcome(refused, Readiness::NotWaitedFor)),
                (new.clone(), sample::outcome(Action::Created, late)),
            ]
            .into(),
        }
    }

    #[test]
    fn everything_is_in_it_and_no_value() {
        let findings = [
            finding("Secret", "db", Verdict::Missing),
            finding("Secret", "new", Verdict::NeverInGit),
            finding("Pod", "web-1", Verdict::InSync),
        ];
        let findings: Vec<&Finding> = findings.iter().collect();
        let (intent, made) = (intent(&findings[0].id), changeset());
        let rehearsed = rehearsed(&findings[0].id, &findings[1].id);
        let exported = Exported {
            about: sample::about(),
            findings: &findings,
            others: 4,
            intent: &intent,
            made: &made,
            rehearsed: Some(&rehearsed),
            gaps: &[],
        };
        let delivered = Delivered {
            commit: Some(Committed {
                branch: "refloat/export".to_owned(),
                id: "0123".to_owned(),
                was: "created",
            }),
            request: Some(Requested {
                address: "https://git.example.com/bank/pulls/7".to_owned(),
                number: 7,
                was: "opened",
            }),
            ..Delivered::default()
        };
        insta::assert_snapshot!(exported.message(), @r"
        Declare what was done by hand: 2 objects

        As it is in cluster bank, context bank-dr.

        Never in Git:

        - Secret/shop/new
          First: put its values into a store

        Missing:

        - Secret/shop/db: .data.p
          Not proven: no dry run

        These change too:

        - Deployment/shop/web in staging

        Written anew, where comments may be lost:

        - a.yaml

        Left out:

        - Pod/shop/web-1: something else makes it
        - Secret/shop/db .data.q: not encrypted
        ");
        let mut out = Vec::new();
        super::exported(&exported, &delivered, &mut out).expect("because a Vec takes all");
        let text = String::from_utf8(out).expect("because it is text");
        assert!(!text.contains("canary"), "{text}");
        let mut shown: Value = serde_json::from_str(&text).expect("because it is JSON");
        shown.as_object_mut().expect("because it is one").remove("about");
        let object = |kind: &str, name: &str| json!({"group": "", "kind": kind, "namespace": "shop", "name": name});
        let expected = json!({
            "version": 1,
            "exported": [
                {"object": object("Secret", "db"), "verdict": "missing", "authors": [], "unproven": "no dry run", "changes": [
                    {"change": "set", "path": ".data.p", "place": {"file": "a.yaml"}, "why": "the document that declares it"}]},
                {"object": object("Secret", "new"), "verdict": "never-in-git", "authors": [],
                    "first": "put its values into a store", "changes": [
                    {"change": "add", "place": {"file": "new.yaml"}, "why": "the document that declares it"}]},
            ],
            "left_out": [
                {"object": object("Pod", "web-1"), "verdict": "in-sync", "reason": "something else makes it"},
                {"object": object("Secret", "db"), "verdict": "missing", "path": ".data.q", "reason": "not encrypted"},
            ],
            "side_effects": ["Deployment/shop/web in staging"],
            "files": [{"file": "a.yaml", "change": "written"}, {"file": "b.yaml", "change": "removed"}],
            "rewritten": [{"file": "a.yaml"}],
            "not_chosen": 4,
            "verified": {"clean": false, "checked": 2, "otherwise": [
                {"object": object("Secret", "db"), "there": false, "fields": [".data.p"], "outcome": {"action": "failed",
                    "reason": "Invalid value: ***: too long", "readiness": "not-waited-for", "look": true}}],
                "not_ready": [{"object": object("Secret", "new"), "outcome": {"action": "created", "readiness": "timed-out",
                    "readiness_reason": "no pods yet", "look": true}}]},
            "gaps": [],
            "delivered": {
                "commit": {"branch": "refloat/export", "id": "0123", "was": "created"},
                "request": {"address": "https://git.example.com/bank/pulls/7", "number": 7, "was": "opened"},
            },
        });
        assert_eq!(shown, expected);
    }
}
