//! Turns of Argo CD: phases, and waves within them. What has an earlier turn is ready before a later one starts.

use super::super::index::Index;
use super::{GateKey, Sink};
use crate::object::{Turn, UnitIndex};
use crate::plan::Until;

pub(super) fn find(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some((unit, turn)) = of(index, node) else { return };
    if let Some(gate) = before(index, node, sink) {
        sink.edge(node, gate, Until::Ready);
    }
    let is_last = index.turns.get(&unit).and_then(|turns| turns.last()) == Some(&turn);
    if !is_last {
        let gate = gate(index, unit, turn, sink);
        sink.edge(gate, node, Until::Ready);
    }
}

/// The gate of the turn before that of a node; `None` where it is the first.
pub(super) fn before(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) -> Option<u32> {
    let (unit, earlier) = earlier(index, node)?;
    Some(gate(index, unit, earlier, sink))
}

/// The turn before that of a node.
pub(super) fn earlier(index: &Index<'_>, node: u32) -> Option<(UnitIndex, Turn)> {
    let (unit, turn) = of(index, node)?;
    Some((unit, *index.turns.get(&unit)?.range(..turn).next_back()?))
}

fn of(index: &Index<'_>, node: u32) -> Option<(UnitIndex, Turn)> {
    let declared = index.item(node).declared()?;
    Some((declared.unit, declared.turn?))
}

fn gate(index: &Index<'_>, unit: UnitIndex, turn: Turn, sink: &mut Sink<'_, '_>) -> u32 {
    let name = || {
        let unit = index.units.get(unit.0).map_or("", |unit| &*unit.name);
        let phase = match turn.phase {
            ..0 => "PreSync, ",
            0 => "",
            1.. => "PostSync, ",
        };
        format!("{unit}, {phase}wave {}", turn.wave)
    };
    sink.gate(GateKey::Turn(unit, turn), name)
}
