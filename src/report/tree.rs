//! A plan for people: a tree in which each object stands under what it waits for longest, the waits of one object, and a graph.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::{self, Write};

use super::human::step_name;
use super::text::{count, listed, one_line};
use super::words;
use crate::error::{Failure, Kind};
use crate::object::ObjectId;
use crate::plan::{Edge, NodeIndex, Plan, Step, StepAction, Strength, Until};

/// From how many on leaves of one kind and reason share a line.
const TOGETHER: usize = 4;

/// What stands deeper is not indented any further.
const DEEPEST: usize = 30;

/// Writes a plan as a tree: each step stands under the wait that holds it longest (the deepest), with the reason; further
/// waits are counted. Steps that nothing waits for and that are alike share a line, unless `all`.
///
/// ```text
/// Namespace/shop
///   Deployment/shop/db  since it lives in that namespace
///     Deployment/shop/checkout  once ready, since the annotation depends-on says so (+2 waits)
/// ```
///
/// # Errors
/// Those of the writer.
pub fn tree(plan: &Plan, all: bool, out: &mut dyn Write) -> io::Result<()> {
    headline(plan, out)?;
    let shape = Shape::new(plan);
    let mut open: Vec<(Row, usize)> = Vec::new();
    let put = |open: &mut Vec<(Row, usize)>, rows: Vec<Row>, depth: usize| {
        open.extend(rows.into_iter().rev().map(|row| (row, depth)));
    };
    put(&mut open, shape.rows(plan, &shape.roots, all), 1);
    while let Some((row, depth)) = open.pop() {
        let indent = "  ".repeat(depth.min(DEEPEST));
        let node = row.nodes[0];
        writeln!(out, "{indent}{}{}", row.name(plan), shape.because(plan, node))?;
        put(&mut open, shape.rows(plan, &shape.children[node], all), depth + 1);
    }
    Ok(())
}

fn headline(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    for step in &plan.steps {
        *numbers.entry(words::step_action(&step.action)).or_default() += 1;
    }
    if plan.steps.is_empty() {
        return writeln!(out, "Nothing to restore: there is no object in what was chosen.");
    }
    let number = |word| numbers.get(word).copied().unwrap_or_default();
    if number("resume") == plan.steps.len() {
        return writeln!(out, "Plan: {} to resume:", count(plan.steps.len(), "engine unit"));
    }
    write!(out, "Plan: {} to apply", count(number("apply"), "object"))?;
    for (word, text) in [
        ("suspend", "to suspend first (engines)"),
        ("await", "made by others and waited for"),
        ("hold-back", "held back"),
        ("done", "not run again"),
        ("delete", "to delete"),
    ] {
        if number(word) > 0 {
            write!(out, ", {} {text}", number(word))?;
        }
    }
    writeln!(out, ". Each stands under what it waits for longest:")
}

/// A line of the tree: one node, or several leaves that are alike.
struct Row {
    nodes: Vec<usize>,
}

impl Row {
    fn name(&self, plan: &Plan) -> String {
        let names: Vec<String> = self.nodes.iter().map(|node| step_name(plan, index(*node))).collect();
        let step = plan.steps.get(self.nodes[0]);
        let place = match step.and_then(|step| step.provenance.as_ref()) {
            Some(from) if names.len() == 1 && !is_deleted(plan, index(self.nodes[0])) => {
                format!(" ({})", one_line(from.place()))
            }
            _ => String::new(),
        };
        let does = match step.map(|step| &step.action) {
            Some(StepAction::Await(text)) => format!(" [awaited: {}]", one_line(text)),
            Some(StepAction::HoldBack(text)) => format!(" [held back: {}]", one_line(text)),
            Some(StepAction::Done { why, .. }) => format!(" [not run again: {}]", one_line(why)),
            Some(StepAction::Delete { revision, .. }) => format!(" [deleted: declared at {}]", one_line(revision)),
            Some(action @ StepAction::Patch { .. }) => format!(" [{}]", words::step_action(action)),
            Some(StepAction::Apply { .. }) | None => String::new(),
        };
        let goes = step.map(cleanup).unwrap_or_default();
        match names.len() {
            1 => format!("{}{place}{does}{goes}", names[0]),
            number => format!("{number} × {}{does}{goes}", listed(&names, 3)),
        }
    }
}

/// What becomes of the object of a hook.
fn cleanup(step: &Step) -> String {
    let said = words::cleanup(step).into_iter().map(|word| match word {
        "failed-before" => "deleted first, since it failed before",
        "once-done" => "deleted once done",
        _ => "deleted if it fails",
    });
    let said: Vec<&str> = said.collect();
    match said.is_empty() {
        true => String::new(),
        false => format!(" [{}]", said.join("; ")),
    }
}

fn index(node: usize) -> NodeIndex {
    NodeIndex(u32::try_from(node).unwrap_or(u32::MAX))
}

/// Which node stands under which.
struct Shape {
    roots: Vec<usize>,
    children: Vec<Vec<usize>>,
    parent: Vec<Option<usize>>,
}

impl Shape {
    /// Nodes in a ring that was not cut stand at the left edge.
    fn new(plan: &Plan) -> Self {
        let nodes = plan.nodes();
        let mut open: Vec<usize> = vec![0; nodes];
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); nodes];
        for edge in &plan.edges {
            open[edge.from.0 as usize] += 1;
            waiting[edge.to.0 as usize].push(edge.from.0 as usize);
        }
        let mut depth: Vec<Option<usize>> = vec![None; nodes];
        let mut parent = vec![None; nodes];
        let mut ready: VecDeque<usize> = (0..nodes).filter(|node| open[*node] == 0).collect();
        while let Some(node) = ready.pop_front() {
            let deepest = plan.waits_of(index(node)).iter().max_by_key(|edge| {
                let depth = depth[edge.to.0 as usize];
                (depth, edge.strength, std::cmp::Reverse(edge.to))
            });
            parent[node] = deepest.map(|edge| edge.to.0 as usize);
            depth[node] = Some(
                parent[node]
                    .and_then(|parent| depth[parent])
                    .map_or(0, |depth| depth + 1),
            );
            for next in &waiting[node] {
                open[*next] -= 1;
                if open[*next] == 0 {
                    ready.push_back(*next);
                }
            }
        }
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); nodes];
        let mut roots = Vec::new();
        for (node, parent) in parent.iter().enumerate() {
            match parent {
                Some(parent) => children[*parent].push(node),
                None => roots.push(node),
            }
        }
        Self {
            roots,
            children,
            parent,
        }
    }

    /// The lines for some siblings, in their order; leaves that are alike together at the place of the first.
    fn rows(&self, plan: &Plan, siblings: &[usize], all: bool) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        let mut alike: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
        let key = |node: usize| {
            let step = plan
                .steps
                .get(node)
                .filter(|_| !all && self.children[node].is_empty())?;
            let does = match &step.action {
                StepAction::Apply { .. } => "",
                StepAction::Patch { .. } => return None,
                StepAction::Await(text) | StepAction::HoldBack(text) => text,
                StepAction::Done { why, .. } => why,
                StepAction::Delete { revision, .. } => revision,
            };
            let kind = format!("{}\n{}\n{does}{}", step.id.group, step.id.kind, cleanup(step));
            Some((kind, self.because(plan, node)))
        };
        for node in siblings {
            if let Some(key) = key(*node) {
                alike.entry(key).or_default().push(*node);
            }
        }
        for node in siblings {
            match key(*node).and_then(|key| alike.get(&key)) {
                Some(group) if group.len() >= TOGETHER => {
                    if group[0] == *node {
                        rows.push(Row { nodes: group.clone() });
                    }
                }
                _ => rows.push(Row { nodes: vec![*node] }),
            }
        }
        rows
    }

    fn because(&self, plan: &Plan, node: usize) -> String {
        let waits = plan.waits_of(index(node));
        let parent = self.parent[node];
        let Some(edge) = waits.iter().find(|edge| Some(edge.to.0 as usize) == parent) else {
            return match waits.len() {
                0 => String::new(),
                _ => "  (waits in a ring)".to_owned(),
            };
        };
        let more = match waits.len() {
            1 => String::new(),
            2 => " (+1 wait)".to_owned(),
            number => format!(" (+{} waits)", number - 1),
        };
        let until = match edge.until {
            Until::Ready if is_deleted(plan, edge.to) => "once that is gone, ",
            Until::Exists => "",
            Until::Ready => "once ready, ",
            Until::Settled => "once settled, ",
        };
        format!("  {until}since {}{more}", one_line(&edge.reason.text))
    }
}

/// Whether a node stands for a deletion.
fn is_deleted(plan: &Plan, node: NodeIndex) -> bool {
    let step = plan.step(node);
    step.is_some_and(|step| matches!(step.action, StepAction::Delete { .. }))
}

/// The step that `text` names: `Kind/name` or `Kind/namespace/name`, either with `Kind.group`.
///
/// # Errors
/// When no step or several are named so.
pub fn named(plan: &Plan, text: &str) -> Result<NodeIndex, Failure> {
    let found: Vec<usize> = (0..plan.steps.len())
        .filter(|node| plan.steps[*node].id.is_named_by(text))
        .collect();
    let failure = |because: &str| {
        Failure::new(Kind::Usage, "nothing was explained").because(format!("{because} {}", one_line(text)))
    };
    match found[..] {
        [node] => Ok(index(node)),
        [] => {
            let failure = failure("nothing in the plan is named");
            let near = near(plan, text);
            Err(match near.is_empty() {
                true => failure.hint("write Kind/namespace/name, such as Deployment/shop/checkout"),
                false => failure.hint(format!("there is {}", listed(&near, 10))),
            })
        }
        _ => {
            let names: Vec<String> = found.iter().map(|node| plan.steps[*node].id.with_group()).collect();
            Err(failure("several objects are named").hint(format!("name one of {}", listed(&names, 10))))
        }
    }
}

/// What may have been meant: all of that name, else all of that kind and namespace, else all of that kind.
fn near(plan: &Plan, text: &str) -> Vec<String> {
    let parts: Vec<&str> = text.split('/').collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let kind = first.split('.').next().unwrap_or(first);
    let ids = || plan.steps.iter().map(|step| &step.id);
    let is_kind = |id: &ObjectId| id.kind.eq_ignore_ascii_case(kind);
    let in_namespace = |id: &ObjectId| parts.len() == 3 && id.namespace.as_deref() == Some(parts[1]);
    let names = |wanted: &dyn Fn(&ObjectId) -> bool| -> Vec<String> {
        let found = ids().filter(|id| wanted(id));
        found.map(ToString::to_string).collect()
    };
    let tries: [&dyn Fn(&ObjectId) -> bool; 3] =
        [&|id| id.name == last, &|id| is_kind(id) && in_namespace(id), &is_kind];
    tries
        .into_iter()
        .map(names)
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

/// Writes what a node waits for and why, then the same for each of those, each once.
///
/// # Errors
/// Those of the writer.
pub fn why(plan: &Plan, node: NodeIndex, out: &mut dyn Write) -> io::Result<()> {
    let mut seen = HashSet::from([node]);
    let mut open = VecDeque::from([node]);
    while let Some(node) = open.pop_front() {
        let row = Row {
            nodes: vec![node.0 as usize],
        };
        let waits = plan.waits_of(node);
        let nothing = if waits.is_empty() { "  waits for nothing" } else { "" };
        writeln!(out, "{}{nothing}", row.name(plan))?;
        for edge in waits {
            writeln!(out, "  {}", wait(plan, edge))?;
            if seen.insert(edge.to) {
                open.push_back(edge.to);
            }
        }
    }
    Ok(())
}

fn wait(plan: &Plan, edge: &Edge) -> String {
    let until = match edge.until {
        Until::Ready if is_deleted(plan, edge.to) => "is gone",
        Until::Exists => "exists",
        Until::Ready => "is ready",
        Until::Settled => "is settled",
    };
    let holds = match edge.strength {
        Strength::Soft => "; it can start without, and heals",
        Strength::Hard | Strength::Written => "",
    };
    let (name, because) = (step_name(plan, edge.to), one_line(&edge.reason.text));
    format!("waits until {name} {until}, because {because}{holds}")
}

/// Writes a plan as a graph for Graphviz: an arrow from what is waited for to who waits; soft waits dashed.
///
/// # Errors
/// Those of the writer.
pub fn dot(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "digraph plan {{\n  rankdir=LR;\n  node [shape=box];")?;
    for node in 0..plan.nodes() {
        let shape = if node < plan.steps.len() { "" } else { ", shape=ellipse" };
        writeln!(
            out,
            "  n{node} [label={}{shape}];",
            quoted(&step_name(plan, index(node)))
        )?;
    }
    for edge in &plan.edges {
        let style = match edge.strength {
            Strength::Soft => ", style=dashed",
            Strength::Hard => "",
            Strength::Written => ", style=bold",
        };
        let text = quoted(&one_line(&edge.reason.text));
        let until = words::until(edge.until);
        writeln!(
            out,
            "  n{} -> n{} [label=\"{until}\", tooltip={text}{style}];",
            edge.to.0, edge.from.0
        )?;
    }
    writeln!(out, "}}")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, edge, id};
    use super::*;

    fn shown(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).expect("because a Vec takes all");
        String::from_utf8(out).expect("because it is text")
    }

    /// The good run's plan with what people meet besides: many alike, held back, awaited.
    fn plan() -> Plan {
        let (mut plan, _) = sample::fine();
        plan.gates.clear();
        plan.edges
            .retain(|edge| edge.to != NodeIndex(3) && edge.from != NodeIndex(3));
        plan.edges
            .push(edge(2, 1, Until::Ready, Strength::Written, "depends-on \"says\" so"));
        for name in ["a", "b", "c", "d", "e\n\u{1b}"] {
            let node = u32::try_from(plan.steps.len()).expect("because it is small");
            plan.steps.push(sample::step(&id("ConfigMap", name), "apps/c.yaml", 1));
            plan.edges.push(edge(
                node,
                0,
                Until::Exists,
                Strength::Hard,
                "it lives in that namespace",
            ));
        }
        plan.steps
            .push(sample::step(&id("Job", "payout"), "apps/payout.yaml", 2));
        plan.steps[8].action = StepAction::HoldBack("runs a program once".to_owned());
        plan.edges
            .push(edge(8, 2, Until::Settled, Strength::Soft, "it calls it"));
        plan.steps.push(sample::step(&id("Secret", "made"), "", 0));
        plan.steps[9].action = StepAction::Await("made by ExternalSecret/bank/made".to_owned());
        plan.steps[9].provenance = None;
        plan.edges.sort_by_key(|edge| (edge.from, edge.to));
        plan
    }

    #[test]
    fn a_tree_with_reasons() {
        insta::assert_snapshot!(shown(|out| tree(&plan(), false, out)), @r#"
        Plan: 8 objects to apply, 1 made by others and waited for, 1 held back. Each stands under what it waits for longest:
          Namespace/bank (infra/ns.yaml:1)
            Deployment/bank/db (apps/db.yaml:1)  since it lives in that namespace
              Deployment/bank/api (apps/api.yaml:14)  once ready, since depends-on "says" so (+1 wait)
                Job/bank/payout (apps/payout.yaml:2) [held back: runs a program once]  once settled, since it calls it
            5 × ConfigMap/bank/a, ConfigMap/bank/b, ConfigMap/bank/c and 2 more  since it lives in that namespace
          Secret/bank/made [awaited: made by ExternalSecret/bank/made]
        "#);
        let all = shown(|out| tree(&plan(), true, out));
        assert_eq!(all.lines().count(), 11);
        insta::assert_snapshot!(shown(|out| tree(&Plan::default(), false, out)), @r#"Nothing to restore: there is no object in what was chosen."#);
    }

    #[test]
    fn what_is_suspended_and_deleted_says_so() {
        let (plan, _) = sample::rolled_back();
        insta::assert_snapshot!(shown(|out| tree(&plan, false, out)), @r#"
        Plan: 2 objects to apply, 1 to suspend first (engines), 2 to delete. Each stands under what it waits for longest:
          Kustomization/flux-system/apps [suspend]
            every engine is suspended  since it would undo it
              ConfigMap/bank/settings (apps/all.yaml:2)  since it would undo it
                ConfigMap/bank/extra [deleted: declared at 0123456789ab]  since it would undo it
                  Secret/bank/more [deleted: declared at 0123456789ab]  once that is gone, since it would undo it
              Deployment/bank/web (apps/all.yaml:3)  since it would undo it
        "#);
        let node = named(&plan, "Secret/more").expect("because it is there");
        assert!(shown(|out| why(&plan, node, out)).contains("waits until ConfigMap/bank/extra is gone, because"));
    }

    #[test]
    fn a_deep_chain_and_a_ring_end() {
        let mut plan = Plan::default();
        for node in 0..10_000 {
            plan.steps
                .push(sample::step(&id("ConfigMap", &node.to_string()), "a.yaml", 1));
            if node > 0 {
                plan.edges
                    .push(edge(node, node - 1, Until::Exists, Strength::Hard, "x"));
            }
        }
        assert_eq!(shown(|out| tree(&plan, false, out)).lines().count(), 10_001);
        plan.edges
            .insert(0, edge(0, 9_999, Until::Exists, Strength::Written, "x"));
        assert!(shown(|out| tree(&plan, true, out)).contains("waits in a ring"));
        assert_eq!(shown(|out| why(&plan, NodeIndex(5), out)).lines().count(), 20_000);
    }

    #[test]
    fn one_object_is_explained() {
        let plan = plan();
        let node = named(&plan, "job/payout").expect("because it is there");
        insta::assert_snapshot!(shown(|out| why(&plan, node, out)), @r#"
        Job/bank/payout (apps/payout.yaml:2) [held back: runs a program once]
          waits until Deployment/bank/api is settled, because it calls it; it can start without, and heals
        Deployment/bank/api (apps/api.yaml:14)
          waits until Namespace/bank exists, because it lives in that namespace
          waits until Deployment/bank/db is ready, because depends-on "says" so
        Namespace/bank (infra/ns.yaml:1)  waits for nothing
        Deployment/bank/db (apps/db.yaml:1)
          waits until Namespace/bank exists, because it lives in that namespace
        "#);
    }

    #[test]
    fn what_cannot_be_explained_is_said() {
        let mut plan = plan();
        insta::assert_snapshot!(named(&plan, "Job/nope\u{1b}").expect_err("because it is not there"), @r#"
        Error: nothing was explained
          because: nothing in the plan is named Job/nope\u{1b}
          hint: there is Job/bank/payout
        "#);
        insta::assert_snapshot!(named(&plan, "nope").expect_err("because it is not there"), @r#"
        Error: nothing was explained
          because: nothing in the plan is named nope
          hint: write Kind/namespace/name, such as Deployment/shop/checkout
        "#);
        plan.steps[1].id.group = "other.io".to_owned();
        plan.steps[2].id.name = "db".to_owned();
        insta::assert_snapshot!(named(&plan, "Deployment/db").expect_err("because there are two"), @r#"
        Error: nothing was explained
          because: several objects are named Deployment/db
          hint: name one of Deployment.other.io/bank/db, Deployment.apps/bank/db
        "#);
    }

    #[test]
    fn a_graph_is_quoted() {
        let mut plan = plan();
        plan.steps.truncate(3);
        plan.steps[0].id.name = "a\"b\\".to_owned();
        plan.edges.retain(|edge| edge.from.0 < 3);
        insta::assert_snapshot!(shown(|out| dot(&plan, out)), @r#"
        digraph plan {
          rankdir=LR;
          node [shape=box];
          n0 [label="Namespace/a\"b\\"];
          n1 [label="Deployment/bank/db"];
          n2 [label="Deployment/bank/api"];
          n0 -> n1 [label="exists", tooltip="it lives in that namespace"];
          n0 -> n2 [label="exists", tooltip="it lives in that namespace"];
          n1 -> n2 [label="ready", tooltip="depends-on \"says\" so", style=bold];
        }
        "#);
    }
}
