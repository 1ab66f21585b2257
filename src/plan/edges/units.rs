//! Units of engines: what depends on others starts once these are ready, and the object by which an engine acts on a unit comes last.

use super::super::index::Index;
use super::{GateKey, Sink, waves};
use crate::object::{ObjectId, ReadyWhen, UnitIndex};
use crate::plan::Until;

/// All of a unit waits until the units that it depends on are ready, and until its parent may start: before that, its engine would not
/// even know of it.
pub(super) fn after(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some(declared) = index.item(node).declared() else {
        return;
    };
    if let Some(gate) = start(index, declared.unit, sink) {
        sink.edge(node, gate, Until::Ready);
    }
}

/// An engine that found half of a unit would begin to work on it: its object is written when the rest of it has come to its end.
pub(super) fn object(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let Some(unit) = index.units_by_object.get(&index.item(node).id) else {
        return;
    };
    let is_left = |member: &u32| index.item(*member).left_to.is_some();
    if index.members(*unit).iter().any(is_left) {
        return;
    }
    let (gate, is_new) = sink.new_gate(GateKey::UnitSettled(*unit), || format!("all of {}", name(index, *unit)));
    if is_new {
        for member in index.members(*unit).iter().filter(|member| **member != node) {
            sink.edge(gate, *member, Until::Settled);
        }
    }
    sink.edge(node, gate, Until::Settled);
}

/// What is left to its engine is there once the object is by which the engine acts.
pub(super) fn maker(index: &Index<'_>, node: u32, sink: &mut Sink<'_, '_>) {
    let maker = index.item(node).left_to.and_then(|object| index.get(object));
    if let Some(maker) = maker {
        sink.wait(maker);
    }
}

fn name<'a>(index: &Index<'a>, unit: UnitIndex) -> &'a str {
    index.units.get(unit.0).map_or("", |unit| &*unit.name)
}

/// The gate behind which a unit starts; `None` if it waits for nothing.
fn start(index: &Index<'_>, unit: UnitIndex, sink: &mut Sink<'_, '_>) -> Option<u32> {
    if !waits(index, unit) {
        return None;
    }
    let (gate, is_new) = sink.new_gate(GateKey::UnitStart(unit), || {
        format!("what {} depends on", name(index, unit))
    });
    if is_new {
        for object in after_of(index, unit) {
            if let Some(to) = ready(index, object, sink) {
                sink.edge(gate, to, Until::Ready);
            }
        }
        // A unit of a later turn of its parent.
        if let Some(turn) = object_of(index, unit).and_then(|object| waves::before(index, object, sink)) {
            sink.edge(gate, turn, Until::Ready);
        }
        if let Some(parent) = parent(index, unit).and_then(|parent| start(index, parent, sink)) {
            sink.edge(gate, parent, Until::Ready);
        }
    }
    Some(gate)
}

fn after_of<'a>(index: &Index<'a>, unit: UnitIndex) -> &'a [ObjectId] {
    let engine = index.units.get(unit.0).and_then(|unit| unit.engine.as_ref());
    engine.map_or(&[], |engine| engine.after.as_slice())
}

/// The node of the object of a unit, where it is declared.
fn object_of(index: &Index<'_>, unit: UnitIndex) -> Option<u32> {
    let engine = index.units.get(unit.0)?.engine.as_ref()?;
    index.get(&engine.object)
}

/// The unit that declares the object of a unit.
fn parent(index: &Index<'_>, unit: UnitIndex) -> Option<UnitIndex> {
    let object = &index.units.get(unit.0)?.engine.as_ref()?.object;
    let item = index.item(index.get(object)?);
    item.declared()
        .map(|declared| declared.unit)
        .filter(|parent| *parent != unit)
}

/// Whether a unit or one above it depends on something that is known.
fn waits(index: &Index<'_>, unit: UnitIndex) -> bool {
    let mut at = unit;
    // A ring of parents is no deeper than there are units.
    for _ in 0..=index.units.len() {
        let is_known = |object: &ObjectId| index.units_by_object.contains_key(object) || index.get(object).is_some();
        if after_of(index, at).iter().any(is_known) {
            return true;
        }
        if object_of(index, at).is_some_and(|object| waves::earlier(index, object).is_some()) {
            return true;
        }
        match parent(index, at) {
            Some(parent) => at = parent,
            None => return false,
        }
    }
    false
}

/// What has to be ready for the object of an engine to be: the unit behind it, or, where that is not rendered, the object itself.
fn ready(index: &Index<'_>, object: &ObjectId, sink: &mut Sink<'_, '_>) -> Option<u32> {
    match index.units_by_object.get(object) {
        Some(unit) if !index.not_rendered.contains_key(object) => Some(whole(index, *unit, sink)),
        _ => index.get(object),
    }
}

/// The gate of a unit being ready as its engine sees it. What the objects of further units in it make is waited for only where the engine
/// would: a unit that is ready once it is applied may have such below it that depend on it.
fn whole(index: &Index<'_>, unit: UnitIndex, sink: &mut Sink<'_, '_>) -> u32 {
    let (gate, is_new) = sink.new_gate(GateKey::UnitReady(unit), || name(index, unit).to_owned());
    let Some(engine) = index.units.get(unit.0).and_then(|unit| unit.engine.as_ref()) else {
        return gate;
    };
    if !is_new {
        return gate;
    }
    for member in index.members(unit) {
        let id = &index.item(*member).id;
        let below = index
            .units_by_object
            .get(id)
            .filter(|_| !index.not_rendered.contains_key(id));
        match below {
            Some(own) if *own == unit => {}
            Some(below) if engine.ready == ReadyWhen::Healthy => {
                let below = whole(index, *below, sink);
                sink.edge(gate, below, Until::Ready);
            }
            Some(_) => {}
            None if engine.ready == ReadyWhen::Healthy => sink.edge(gate, *member, Until::Ready),
            None => sink.edge(gate, *member, Until::Exists),
        }
    }
    if let ReadyWhen::These(objects) = &engine.ready {
        for object in objects {
            if let Some(to) = ready(index, object, sink) {
                sink.edge(gate, to, Until::Ready);
            }
        }
    }
    gate
}
