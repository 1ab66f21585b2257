//! From findings of an audit to changes of objects. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use sops::sealed::Certificate;

use super::applied::{Applied, Beside};
use super::choice::not_exported;
use super::work::{Known, at, sealed_id};
use super::{Change, external, path};
use crate::audit::{Finding, Verdict};
use crate::cluster::{Cleaned, Proof, Wanted};
use crate::object::{DeclaredSet, FieldChange, FieldDrift, LiveObject, Manifest, ObjectId, adopt, is_mark};

/// What is to become of the declaration.
#[derive(Default)]
pub struct Intent {
    /// The changes, those of a finding one after the other.
    pub changes: Vec<Change>,
    /// Findings that have changes.
    pub wishes: Vec<Wish>,
    /// Findings that have none.
    pub left: Vec<Left>,
}

/// A finding that is to be exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Index of the finding.
    pub finding: usize,
    /// Its changes.
    pub changes: Range<usize>,
    /// Why it is not known that the manifest gives the live object again.
    pub unproven: Option<String>,
    /// What somebody has to do before the change is merged.
    pub first: Option<String>,
}

/// A finding that is not exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Index of the finding.
    pub finding: usize,
    /// Why; never a value.
    pub reason: String,
}

/// What allows the controller of SealedSecrets to write over a Secret.
const SEALED: &str = "sealedsecrets.bitnami.com/managed";

/// Secrets that are made by something that would make them again: by type or by annotation.
const MADE: [(&str, &str); 7] = [
    ("helm.sh/release.v1", "Helm keeps a release in it"),
    ("kubernetes.io/service-account-token", "the cluster makes the token"),
    ("bootstrap.kubernetes.io/token", "it lets nodes join, and expires"),
    ("cert-manager.io/certificate-name", "cert-manager makes it"),
    ("reconcile.external-secrets.io/data-hash", "External Secrets makes it"),
    (SEALED, "a SealedSecret makes it"),
    ("kubed.appscode.com/origin", "it is a copy of another"),
];

/// The live objects of which manifests are needed for these findings.
pub fn wanted<'a>(findings: &[&'a Finding], set: &'a DeclaredSet) -> Vec<Wanted<'a>> {
    let known = Known::of(set);
    let live = findings
        .iter()
        .filter(|finding| not_exported(finding).is_none() && !matches!(finding.verdict, Verdict::Missing));
    live.map(|finding| Wanted {
        id: &finding.id,
        declared: known.get(&finding.id),
    })
    .collect()
}

/// How findings are declared.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ways<'a> {
    /// They were named. Where a part of the repository could not be read, what seems to be declared nowhere may be declared there: it is
    /// exported only then.
    pub named: bool,
    /// New Secrets are sealed for the controller with this certificate.
    pub seal: Option<&'a Certificate>,
    /// The repository says for whom files are encrypted.
    pub encrypt: bool,
    /// What engines applied last, where that is known.
    pub applied: Option<&'a Applied>,
}

/// What has to be declared for these findings to be none. `cleaned` has what [`wanted`] names.
pub fn intend(
    findings: &[&Finding],
    set: &DeclaredSet,
    cleaned: &BTreeMap<ObjectId, Cleaned>,
    ways: Ways<'_>,
) -> Intent {
    let in_doubt = set.has_errors() && !ways.named;
    let known = Known::of(set);
    let beside = ways.applied.map(|applied| Beside::new(applied, &known));
    let mut intent = Intent::default();
    for (index, finding) in findings.iter().enumerate() {
        let start = intent.changes.len();
        let one = cleaned.get(&finding.id);
        let is_new = !matches!(finding.verdict, Verdict::Drifted { .. } | Verdict::Missing);
        let changes = match in_doubt && is_new {
            true => Err(
                "a part of the repository could not be read (see above), and may declare it: name it with --only"
                    .to_owned(),
            ),
            false => changes(finding, &known, beside.as_ref(), one, ways),
        };
        match changes {
            Ok(Changes { changes, first, left }) => {
                intent.left.extend(left.map(|reason| Left { finding: index, reason }));
                intent.changes.extend(changes);
                intent.wishes.push(Wish {
                    finding: index,
                    changes: start..intent.changes.len(),
                    unproven: one.and_then(|one| match &one.proof {
                        Proof::None(why) => Some(why.clone()),
                        Proof::Replaced | Proof::Created => None,
                    }),
                    first,
                });
            }
            Err(reason) => intent.left.push(Left { finding: index, reason }),
        }
    }
    intent
}

/// What is to become of one object.
#[derive(Default)]
struct Changes {
    changes: Vec<Change>,
    /// What has to be done first.
    first: Option<String>,
    /// What of it stays as it is, and why.
    left: Option<String>,
}

fn changes(
    finding: &Finding,
    known: &Known<'_>,
    beside: Option<&Beside<'_>>,
    cleaned: Option<&Cleaned>,
    ways: Ways<'_>,
) -> Result<Changes, String> {
    if let Some(reason) = not_exported(finding) {
        return Err(reason);
    }
    let object = || finding.id.clone();
    if matches!(finding.verdict, Verdict::Missing) {
        if let Some(reason) = beside.and_then(|beside| beside.missing(finding)) {
            return Err(reason);
        }
        return Ok(Changes {
            changes: vec![Change::Remove { object: object() }],
            ..Changes::default()
        });
    }
    let cleaned = cleaned.ok_or_else(|| "it could not be read, or is gone by now".to_owned())?;
    let sealed = sealed_id(&finding.id).and_then(|id| known.get(&id));
    // What a SealedSecret declares is declared there, other than what makers make again.
    if let (Some(why), None) = (made(&cleaned.object), sealed) {
        return Err(why.to_owned());
    }
    let Verdict::Drifted { fields, .. } = &finding.verdict else {
        if let Some(sealed) = sealed {
            return Err(format!(
                "{} ({}) declares it: --sealed-secrets-key and --unseal compare its values",
                sealed.id,
                sealed.provenance.place()
            ));
        }
        if let Some(maker) = external::maker(&finding.id, known.set) {
            return Err(format!("{maker} declares it, and its store has the values"));
        }
        return add(finding, &cleaned.manifest, known.set, ways);
    };
    let declared = known
        .get(&finding.id)
        .ok_or_else(|| "it is not declared under this name".to_owned())?;
    if !declared.generated.is_empty() {
        return Err("parts of it come out differently at each rendering".to_owned());
    }
    let (live, clean) = (cleaned.live.value(), cleaned.manifest.value());
    let is_unmarked = |field: &&FieldDrift| {
        let written = declared.manifest.value();
        let value = path::steps(&field.path, written).and_then(|steps| at(written, &steps));
        field.change == FieldChange::Removed && value.is_some_and(|value| is_mark(&field.path, value))
    };
    let fields: Vec<FieldDrift> = fields.iter().filter(|field| !is_unmarked(field)).cloned().collect();
    if fields.is_empty() {
        return Err("only the marks of its engine are missing: it sets them when it applies the object".to_owned());
    }
    let its = beside.and_then(|beside| beside.fields(finding, &fields, live));
    let left = its.as_ref().map(|(its, why)| {
        let paths: Vec<&str> = its.iter().map(|field| &*field.path).collect();
        format!("{}: {why}", paths.join(", "))
    });
    let is_its = |field: &FieldDrift| {
        its.as_ref()
            .is_some_and(|(its, _)| its.iter().any(|one| one.path == field.path))
    };
    let rest: Vec<FieldDrift> = fields.iter().filter(|field| !is_its(field)).cloned().collect();
    if let (true, Some(left)) = (rest.is_empty(), &left) {
        return Err(left.clone());
    }
    let adopted = adopt(declared.manifest.value(), live, clean, &rest)
        .map_err(|lost| format!("it changed since the audit: {}", lost.join(", ")))?;
    let changes = adopted.into_iter().map(|one| match one.value {
        Some(value) => Change::Set {
            object: object(),
            path: one.path,
            value,
        },
        None => Change::Unset {
            object: object(),
            path: one.path,
        },
    });
    Ok(Changes {
        changes: changes.collect(),
        first: None,
        left,
    })
}

/// A new object; a Secret in the way that the repository has for them.
fn add(finding: &Finding, manifest: &Manifest, set: &DeclaredSet, ways: Ways<'_>) -> Result<Changes, String> {
    let is_secret = finding.id.is("", "Secret");
    let (manifest, first) = match ways.seal.filter(|_| is_secret) {
        Some(certificate) => {
            let sealed = certificate.seal(manifest.value(), None);
            let sealed = sealed.map_err(|error| format!("it cannot be sealed: {error}"))?;
            let (name, namespace) = (&finding.id.name, finding.id.namespace.as_deref().unwrap_or_default());
            let first = format!(
                "let its controller take the Secret over: kubectl annotate secret {name} -n {namespace} {SEALED}=true"
            );
            (Manifest::new(sealed)?, Some(first))
        }
        None if is_secret && !ways.encrypt => match external::stub(manifest, set) {
            Some((stub, first)) => (stub, Some(first)),
            None => (manifest.clone(), None),
        },
        None => (manifest.clone(), None),
    };
    Ok(Changes {
        changes: vec![Change::Add { manifest }],
        first,
        left: None,
    })
}

/// Who makes a Secret.
fn made(object: &LiveObject) -> Option<&'static str> {
    let is = |mark: &str| {
        object.secret_type == mark || object.annotations.contains_key(mark) || object.labels.contains_key(mark)
    };
    MADE.iter().find(|(mark, _)| is(mark)).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_maker_of_secrets_is_known() {
        for (mark, why) in MADE {
            let by_type = LiveObject {
                secret_type: mark.to_owned(),
                ..LiveObject::default()
            };
            let by_annotation = LiveObject {
                annotations: [(mark.to_owned(), "x".to_owned())].into_iter().collect(),
                ..LiveObject::default()
            };
            assert_eq!([made(&by_type), made(&by_annotation)], [Some(why), Some(why)]);
        }
        assert_eq!(made(&LiveObject::default()), None);
    }
}
