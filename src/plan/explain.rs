//! The plan as people read it: the order with its reasons, one object's reasons, a graph.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{Edge, NodeIndex, Plan, Step, StepAction, Strength, Until};
use crate::error::{Failure, Kind, printable};
use crate::object::ObjectId;

/// The whole order as text: stage by stage, objects that wait for the same collapsed.
///
/// A stage is not a barrier: an object starts as soon as what it itself waits for is there. Objects stand in the stage after the
/// last of these, below the sorts of waits that put them there; [`why`] tells all waits of one.
pub fn tree(plan: &Plan) -> String {
    let stages = stages(plan);
    let last = stages.iter().take(plan.steps.len()).copied().max().unwrap_or_default();
    let mut out = format!(
        "{} in {} stages",
        objects(plan.steps.len()),
        last + u32::from(!plan.steps.is_empty())
    );
    let held = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, StepAction::HoldBack(_)))
        .count();
    if held > 0 {
        let _ = write!(out, ", {held} held back");
    }
    out.push('\n');
    for stage in 0..=last {
        let members: Vec<usize> = (0..plan.steps.len()).filter(|step| stages[*step] == stage).collect();
        if members.is_empty() {
            continue;
        }
        let _ = write!(out, "\n{}. {}\n", stage + 1, objects(members.len()));
        let mut groups: Vec<(Reasons<'_>, Vec<&Step>)> = Vec::new();
        for member in members {
            let found = reasons(plan, &stages, NodeIndex(member as u32), stage);
            match groups.iter_mut().find(|(known, _)| known.keys().eq(found.keys())) {
                Some((known, steps)) => {
                    for (reason, others) in found {
                        known.entry(reason).or_default().extend(others);
                    }
                    steps.push(&plan.steps[member]);
                }
                None => groups.push((found, vec![&plan.steps[member]])),
            }
        }
        for (reasons, steps) in groups {
            let _ = writeln!(out, "   {}", heading(reasons));
            for line in lines(&steps) {
                let _ = writeln!(out, "     {line}");
            }
        }
    }
    out
}

fn objects(count: usize) -> String {
    match count {
        1 => "1 object".to_owned(),
        count => format!("{count} objects"),
    }
}

/// The stage of each node: one more than the last of what it waits for; gates take no stage of their own.
fn stages(plan: &Plan) -> Vec<u32> {
    let mut stages: Vec<Option<u32>> = vec![None; plan.nodes()];
    for root in 0..plan.nodes() {
        let mut path = vec![root];
        while let Some(node) = path.last().copied() {
            let waits = plan.waits_of(NodeIndex(node as u32));
            let open = waits.iter().find(|edge| stages[edge.to.0 as usize].is_none());
            match open {
                Some(edge) => path.push(edge.to.0 as usize),
                None => {
                    let after = |edge: &Edge| {
                        let to = edge.to.0 as usize;
                        stages[to].unwrap_or_default() + u32::from(to < plan.steps.len())
                    };
                    stages[node] = Some(waits.iter().map(after).max().unwrap_or_default());
                    path.pop();
                }
            }
        }
    }
    stages.into_iter().map(Option::unwrap_or_default).collect()
}

/// Reasons with whether readiness is waited for, and for whom.
type Reasons<'p> = BTreeMap<(&'p str, bool), BTreeSet<String>>;

/// What put a step into its stage.
fn reasons<'p>(plan: &'p Plan, stages: &[u32], node: NodeIndex, stage: u32) -> Reasons<'p> {
    let mut reasons = Reasons::new();
    for edge in plan.waits_of(node) {
        let to = edge.to.0 as usize;
        if stages[to] + u32::from(to < plan.steps.len()) == stage {
            let ready = edge.until == Until::Ready && plan.step(edge.to).is_some_and(|step| step.has_contract);
            let others = reasons.entry((&edge.reason.text, ready)).or_default();
            others.insert(name(plan, edge.to));
        }
    }
    reasons
}

fn heading(reasons: Reasons<'_>) -> String {
    if reasons.is_empty() {
        return "at once:".to_owned();
    }
    let parts: Vec<String> = (reasons.into_iter())
        .map(|((text, ready), others)| {
            let count = others.len();
            let shown: Vec<String> = others.into_iter().take(3).collect();
            let more = match count.saturating_sub(3) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let until = if ready { " once ready" } else { "" };
            format!("{}{more}{until} ({text})", shown.join(", "))
        })
        .collect();
    format!("after {}:", parts.join("; "))
}

fn name(plan: &Plan, node: NodeIndex) -> String {
    match (plan.step(node), plan.gate(node)) {
        (Some(step), _) => step.id.to_string(),
        (None, Some(gate)) => printable(&gate.name),
        (None, None) => String::new(),
    }
}

/// Steps by kind and namespace: `ConfigMap/shop: a, b`; what is not simply applied on a line of its own.
fn lines(steps: &[&Step]) -> Vec<String> {
    let mut simple: Vec<(String, Vec<String>)> = Vec::new();
    let mut lines = Vec::new();
    for step in steps {
        let remark = match &step.action {
            StepAction::Apply { .. } if step.target.is_none() => "its kind is not served yet".to_owned(),
            StepAction::Apply { .. } => String::new(),
            StepAction::Await(who) => format!("is waited for: {}", printable(who)),
            StepAction::HoldBack(what) => format!("held back: it {}", printable(what)),
        };
        if !remark.is_empty() {
            lines.push(format!("{}: {remark}", step.id));
            continue;
        }
        let ObjectId { namespace, name, .. } = &step.id;
        let place = match namespace {
            Some(namespace) => format!("{}/{}", step.id.group_kind(), printable(namespace)),
            None => step.id.group_kind().to_string(),
        };
        let name = printable(name);
        match simple.iter_mut().find(|(known, _)| *known == place) {
            Some((_, names)) => names.push(name),
            None => simple.push((place, vec![name])),
        }
    }
    let simple = simple
        .into_iter()
        .map(|(place, names)| format!("{place}: {}", names.join(", ")));
    simple.chain(lines).collect()
}

/// Why an object comes when it does: all that it waits for, and what that waits for.
///
/// `id` is `Kind/name` or `Kind/namespace/name`, either with `Kind.group`; where several are named so, each is told.
///
/// # Errors
/// Nothing in the plan is named so.
pub fn why(plan: &Plan, id: &str) -> Result<String, Failure> {
    let named = (0..plan.steps.len()).filter(|step| plan.steps[*step].id.is_named_by(id));
    let mut out = String::new();
    for step in named {
        let node = NodeIndex(step as u32);
        let place = (plan.steps[step].provenance.as_ref()).map_or(String::new(), |from| format!(" ({})", from.place()));
        let _ = writeln!(out, "{}{place}", plan.steps[step].id);
        if plan.waits_of(node).is_empty() {
            out.push_str("waits for nothing\n");
        }
        let mut told = BTreeSet::from([node]);
        // Each entry: the edge, and what stands before its line.
        let mut open: Vec<(&Edge, usize)> = plan.waits_of(node).iter().rev().map(|edge| (edge, 1)).collect();
        while let Some((edge, depth)) = open.pop() {
            let new = told.insert(edge.to);
            let deeper = plan.waits_of(edge.to);
            let again = if new || deeper.is_empty() { "" } else { " (see above)" };
            let _ = writeln!(out, "{:width$}{}{again}", "", wait(plan, edge), width = 2 * depth);
            if new {
                open.extend(deeper.iter().rev().map(|edge| (edge, depth + 1)));
            }
        }
    }
    if out.is_empty() {
        let hint = "name it as `refloat plan` does: Kind/name, or Kind/namespace/name";
        let failure = Failure::new(Kind::Usage, "there is nothing to tell");
        return Err(failure
            .because(format!("no object in the plan is named {id}"))
            .hint(hint));
    }
    Ok(out)
}

fn wait(plan: &Plan, edge: &Edge) -> String {
    let until = match (edge.until, plan.step(edge.to)) {
        (Until::Settled, _) => "has been dealt with",
        (Until::Exists, _) => "exists",
        (Until::Ready, Some(step)) if !step.has_contract => "exists",
        (Until::Ready, _) => "is ready",
    };
    let otherwise = match edge.strength {
        Strength::Soft => ", but not for ever",
        Strength::Hard | Strength::Written => "",
    };
    let to = name(plan, edge.to);
    format!("waits until {to} {until}{otherwise}, because {}", edge.reason.text)
}

/// The plan as a graph in the DOT language: an arrow goes from who waits to whom; dashed where Kubernetes heals it by itself.
pub fn dot(plan: &Plan) -> String {
    let mut out = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box];\n");
    for node in 0..plan.nodes() {
        let shape = if node < plan.steps.len() { "" } else { ", shape=diamond" };
        let label = quoted(&name(plan, NodeIndex(node as u32)));
        let _ = writeln!(out, "  n{node} [label={label}{shape}];");
    }
    for edge in &plan.edges {
        let style = if edge.strength == Strength::Soft {
            ", style=dashed"
        } else {
            ""
        };
        let label = quoted(edge.reason.rule);
        let _ = writeln!(out, "  n{} -> n{} [label={label}{style}];", edge.from.0, edge.to.0);
    }
    out.push_str("}\n");
    out
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(text).replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::{planned, yaml};

    fn plan() -> Plan {
        planned(yaml(
            "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: shop}}\n---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {template: {spec: {containers: [{envFrom: [{configMapRef: {name: a}}, {secretRef: {name: s}}]}]}}}}\n---\n{apiVersion: bitnami.com/v1alpha1, kind: SealedSecret, metadata: {name: s, namespace: shop}}",
        ))
    }

    #[test]
    fn the_order_is_told_with_its_reasons() {
        assert_eq!(
            tree(&plan()),
            "6 objects in 4 stages

1. 1 object
   at once:
     Namespace: shop

2. 3 objects
   after Namespace/shop (it lives in that namespace):
     ConfigMap/shop: a, b
     SealedSecret/shop/s: its kind is not served yet

3. 1 object
   after SealedSecret/shop/s once ready (that one makes it):
     Secret/shop/s: is waited for: SealedSecret/shop/s makes it

4. 1 object
   after Secret/shop/s (its pods use that Secret):
     Deployment.apps/shop: web
"
        );
    }

    #[test]
    fn one_object_is_explained() {
        assert_eq!(
            why(&plan(), "deployment/web").expect("because it is there"),
            "Deployment/shop/web (all/00003.yaml:1)
  waits until Namespace/shop exists, because it lives in that namespace
  waits until Secret/shop/s exists, but not for ever, because its pods use that Secret
    waits until Namespace/shop exists, because it lives in that namespace
    waits until SealedSecret/shop/s is ready, because that one makes it
      waits until Namespace/shop exists, because it lives in that namespace
  waits until ConfigMap/shop/a exists, but not for ever, because its pods use that ConfigMap
    waits until Namespace/shop exists, because it lives in that namespace
"
        );
        let failure = why(&plan(), "Deployment/api").expect_err("because there is no such");
        assert_eq!(failure.causes, ["no object in the plan is named Deployment/api"]);
    }

    #[test]
    fn the_graph_is_dot() {
        let dot = dot(&plan());
        assert!(dot.starts_with("digraph plan {\n"));
        assert!(dot.contains("[label=\"Namespace/shop\"]"));
        assert!(dot.contains("[label=\"config-map\", style=dashed]"));
    }
}
