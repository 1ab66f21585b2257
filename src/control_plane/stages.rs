//! The Stages that a user brings (`--simulate`).
//!
//! KWOK ends when it is given a Stage of a kind that the server does not serve. So the Stages of kinds that are there from
//! the start go to the KWOK that plays the nodes, and for each kind that the restore brings, the guard starts a KWOK of its own as
//! soon as that kind is served.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::parts::{Program, file};
use crate::error::{Failure, Kind, printable};
use crate::net::Api;

/// Which kind a Stage plays, as its `resourceRef` says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Played {
    /// `bank.example.com/v1`; `v1` for the core group.
    pub group_version: String,
    /// `PaymentRail`.
    pub kind: String,
}

/// A KWOK that is started once its kind is served.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Player {
    pub played: Played,
    pub program: Program,
    pub args: Vec<String>,
}

/// The Stages of all files, each kind's as one YAML stream.
pub(super) type Stages = BTreeMap<Played, String>;

/// Reads the user's files. Everything wrong with them is named at once.
pub(super) fn read(files: &[PathBuf]) -> Result<Stages, Failure> {
    let mut stages = Stages::new();
    let mut wrong = Vec::new();
    for path in files {
        let shown = printable(&path.display().to_string());
        match std::fs::read(path) {
            Ok(text) => sort(&shown, &text, &mut stages, &mut wrong),
            Err(error) => wrong.push(format!("{shown}: {error}")),
        }
    }
    if wrong.is_empty() {
        return Ok(stages);
    }
    let failure = Failure::new(
        Kind::Usage,
        "nothing was started: --simulate was given what it cannot play",
    );
    let failure = wrong.into_iter().fold(failure, Failure::because);
    Err(failure.hint("give files of KWOK Stages (kind: Stage, apiVersion: kwok.x-k8s.io/v1alpha1)"))
}

fn sort(path: &str, text: &[u8], stages: &mut Stages, wrong: &mut Vec<String>) {
    for document in kube_yaml::parse(text) {
        let line = document.line;
        match document.value {
            Err(error) => wrong.push(format!("{path}:{}: {}", error.line, error.message)),
            Ok(stage) => match played(&stage) {
                Ok(played) => {
                    let _ = write!(
                        stages.entry(played).or_default(),
                        "---\n{}",
                        kube_yaml::to_string(&stage)
                    );
                }
                Err(error) => wrong.push(format!("{path}:{line}: {error}")),
            },
        }
    }
}

fn played(stage: &Value) -> Result<Played, String> {
    let of_kwok = stage["apiVersion"]
        .as_str()
        .is_some_and(|v| v.starts_with("kwok.x-k8s.io/"));
    if !of_kwok || stage["kind"] != "Stage" {
        return Err("is no Stage".to_owned());
    }
    let reference = &stage["spec"]["resourceRef"];
    let kind = reference["kind"].as_str().filter(|kind| !kind.is_empty());
    Ok(Played {
        // What KWOK assumes, too.
        group_version: reference["apiGroup"]
            .as_str()
            .filter(|group| !group.is_empty())
            .unwrap_or("v1")
            .to_owned(),
        kind: kind.ok_or("names no kind in spec.resourceRef")?.to_owned(),
    })
}

/// Whether a KWOK for that kind can start: it also wants the kind's schema, which is published a moment after the kind is served.
pub(super) async fn is_playable(api: &Api, played: &Played) -> bool {
    if !is_served(api, played).await {
        return false;
    }
    let (group, version) = played
        .group_version
        .split_once('/')
        .unwrap_or(("", &played.group_version));
    let is_it = |one: &Value| one["group"] == group && one["version"] == version && one["kind"] == *played.kind;
    let path = format!("/openapi/v3/apis/{}", played.group_version);
    api.get(&path).await.is_ok_and(|answer| {
        let schemas = answer.body.pointer("/components/schemas").and_then(Value::as_object);
        let mut kinds = schemas
            .into_iter()
            .flat_map(|schemas| schemas.values())
            .filter_map(|schema| schema["x-kubernetes-group-version-kind"].as_array())
            .flatten();
        kinds.any(is_it)
    })
}

/// Whether the server serves that kind now.
async fn is_served(api: &Api, played: &Played) -> bool {
    let path = match played.group_version.contains('/') {
        true => format!("/apis/{}", played.group_version),
        false => format!("/api/{}", played.group_version),
    };
    let found = api.get(&path).await;
    found.is_ok_and(|answer| {
        let resources = answer.body["resources"].as_array();
        resources
            .into_iter()
            .flatten()
            .any(|one| one["kind"] == played.kind.as_str())
    })
}

/// Writes the Stages into the folder: those of kinds that are served into the file that the first KWOK reads, the others each
/// into a file of its own; gives the players of these.
pub(super) async fn write(
    stages: &Stages,
    api: &Api,
    folder: &Path,
    program: &Program,
) -> std::io::Result<Vec<Player>> {
    let mut now = String::new();
    let mut later = Vec::new();
    for (number, (played, text)) in stages.iter().enumerate() {
        if is_served(api, played).await {
            now += text;
            continue;
        }
        let path = folder.join(format!("simulate-{number}.yaml"));
        std::fs::write(&path, text)?;
        later.push(Player {
            played: played.clone(),
            program: program.clone(),
            args: vec![
                format!("--kubeconfig={}", folder.join(file::KWOK).display()),
                // The nodes, and the pods on them, are the first one's.
                "--manage-all-nodes=false".to_owned(),
                "--manage-nodes-with-annotation-selector=refloat/nobody=nobody".to_owned(),
                format!("--config={}", path.display()),
            ],
        });
    }
    std::fs::write(folder.join(file::SIMULATE), now)?;
    Ok(later)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(text: &str) -> (Stages, Vec<String>) {
        let (mut stages, mut wrong) = (Stages::new(), Vec::new());
        sort("mine.yaml", text.as_bytes(), &mut stages, &mut wrong);
        (stages, wrong)
    }

    #[test]
    fn stages_are_sorted_by_kind() {
        let stage = |name: &str, reference: &str| {
            format!(
                "---\napiVersion: kwok.x-k8s.io/v1alpha1\nkind: Stage\nmetadata: {{name: {name}}}\nspec: {{resourceRef: {reference}}}\n"
            )
        };
        let text = [
            stage("a", "{apiGroup: bank.example.com/v1, kind: Rail}"),
            stage("b", "{kind: Pod}"),
            stage("c", "{apiGroup: bank.example.com/v1, kind: Rail}"),
        ];
        let (stages, wrong) = sorted(&text.concat());
        assert_eq!(wrong, Vec::<String>::new());
        let found: Vec<_> = stages
            .iter()
            .map(|(played, text)| {
                (
                    &*played.group_version,
                    &*played.kind,
                    text.matches("kind: Stage").count(),
                )
            })
            .collect();
        assert_eq!(found, [("bank.example.com/v1", "Rail", 2), ("v1", "Pod", 1)]);
    }

    #[test]
    fn everything_wrong_is_named_with_its_line() {
        let text = "kind: Pod\napiVersion: v1\n---\napiVersion: kwok.x-k8s.io/v1alpha1\nkind: Stage\n---\nkind: [\n";
        let (stages, wrong) = sorted(text);
        assert!(stages.is_empty());
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert_eq!(
            wrong[..2],
            [
                "mine.yaml:1: is no Stage",
                "mine.yaml:4: names no kind in spec.resourceRef"
            ]
        );
        assert!(
            wrong[2].starts_with("mine.yaml:7: ") || wrong[2].starts_with("mine.yaml:8: "),
            "{wrong:?}"
        );
    }
}
