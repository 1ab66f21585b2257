//! What of a plan is in the cluster already.

use std::io::{self, Write};

use super::text::{count, listed};
use crate::object::{ExistingChange, Facts, ObjectId};
use crate::plan::{Plan, Step, StepAction};

/// Writes what is there already and what is left to do; nothing for a cluster that has none of it.
///
/// ```text
/// There already: 97 of 98 objects, 96 as declared, 1 not; to be created: Service/ingress/edge-proxy
/// ```
///
/// # Errors
/// Those of the writer.
pub fn there(plan: &Plan, facts: &Facts, out: &mut dyn Write) -> io::Result<()> {
    let applied = |step: &&Step| matches!(step.action, StepAction::Apply { .. });
    let steps: Vec<&Step> = plan.steps.iter().filter(applied).collect();
    let changes: Vec<_> = steps.iter().filter_map(|step| facts.existing.get(&step.id)).collect();
    if changes.is_empty() {
        return Ok(());
    }
    let same = |change: &Option<ExistingChange>| matches!(change, Some(ExistingChange::None));
    let same = changes.iter().filter(|existing| same(&existing.change)).count();
    let other = changes.len() - same;
    write!(
        out,
        "There already: {} of {}",
        changes.len(),
        count(steps.len(), "object")
    )?;
    match (same, other) {
        (_, 0) => write!(out, ", as declared")?,
        (0, _) => write!(out, ", not as declared")?,
        _ => write!(out, ", {same} as declared, {other} not")?,
    }
    let missing = steps.iter().filter(|step| !facts.existing.contains_key(&step.id));
    let missing: Vec<ObjectId> = missing.map(|step| step.id.clone()).collect();
    match missing.is_empty() {
        true => writeln!(out, "; none is to be created"),
        false => writeln!(out, "; to be created: {}", listed(&missing, 5)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::object::{ExistingObject, ServedKinds};
    use std::collections::BTreeSet;

    fn shown(existing: &[(usize, ExistingChange)]) -> String {
        let (plan, _) = sample::fine();
        let version = crate::object::builtin::NEWEST;
        let mut facts = Facts::of_a_new_cluster(version, ServedKinds::default());
        let steps: Vec<&Step> = plan
            .steps
            .iter()
            .filter(|step| matches!(step.action, StepAction::Apply { .. }))
            .collect();
        for (number, change) in existing {
            let object = ExistingObject {
                uid: String::new(),
                resource_version: String::new(),
                terminating: false,
                managers: BTreeSet::new(),
                replicas: None,
                failed: false,
                change: Some(change.clone()),
            };
            facts.existing.insert(steps[*number].id.clone(), object);
        }
        let mut out = Vec::new();
        there(&plan, &facts, &mut out).expect("because a Vec takes all");
        String::from_utf8(out).expect("because it is text")
    }

    #[test]
    fn a_fresh_cluster_needs_no_word() {
        assert_eq!(shown(&[]), "");
    }

    #[test]
    fn says_what_is_left_to_do() {
        let (same, fields) = (ExistingChange::None, ExistingChange::Fields(vec![".spec".to_owned()]));
        let mixed = shown(&[(0, same.clone()), (1, fields)]);
        assert!(mixed.starts_with("There already: 2 of "), "{mixed}");
        assert!(
            mixed.contains(" objects, 1 as declared, 1 not; to be created: "),
            "{mixed}"
        );
        assert!(shown(&[(0, same)]).contains(" objects, as declared; to be created: "));
    }
}
