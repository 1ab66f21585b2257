//! Scopes and identities: what a declared object is called once the target's kinds are known.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::builtin::builtin;
use super::{Declared, DeclaredSet, GroupKind, Problem, Scope, ServedKinds, Unit, UnitIndex};

/// Gives every object its final identity and drops what is declared twice.
///
/// - Scope comes from the kinds served, then the CRDs declared in the set, then the table of built-in kinds (for versions no
///   longer served). A namespaced object without namespace goes to `namespace`, a cluster-scoped one loses its namespace,
///   both as kubectl does. Objects of unknown kinds stay as written.
/// - The same identity twice: with the same content, the first goes unsaid; with another content, the last in path order
///   wins, as with `kubectl apply -R`, and a problem of kind error names all places, since a declaration is lost.
///
/// Objects come out in path order, whatever order they came in. Running it again changes nothing.
pub fn resolve(mut set: DeclaredSet, kinds: &ServedKinds, namespace: &str) -> DeclaredSet {
    let declared = scopes_of_crds(&set.objects);
    for object in &mut set.objects {
        match scope(&object.id.group_kind(), kinds, &declared) {
            Some(Scope::Namespaced) if object.id.namespace.is_none() => {
                let own = object.namespace.clone();
                set_namespace(object, Some(own.as_deref().unwrap_or(namespace)));
            }
            Some(Scope::Cluster) if object.id.namespace.is_some() => set_namespace(object, None),
            _ => {}
        }
    }
    set.objects.sort_by(in_path_order);
    let (objects, mut problems) = without_doubles(set.objects, &set.units);
    set.objects = objects;
    set.problems.append(&mut problems);
    set.problems.sort_by(|a, b| a.places.cmp(&b.places));
    set
}

fn set_namespace(object: &mut Declared, namespace: Option<&str>) {
    object.id.namespace = namespace.map(str::to_owned);
    object.manifest.set_namespace(namespace);
}

fn scope(kind: &GroupKind, served: &ServedKinds, declared: &BTreeMap<GroupKind, Scope>) -> Option<Scope> {
    (served.get(kind).map(|served| served.scope))
        .or_else(|| declared.get(kind).copied())
        .or_else(|| builtin(&kind.group, &kind.kind).map(|row| row.scope))
}

/// The kinds that CRDs among the objects bring, with their scope.
fn scopes_of_crds(objects: &[Declared]) -> BTreeMap<GroupKind, Scope> {
    (objects.iter())
        .filter(|object| object.id.is("apiextensions.k8s.io", "CustomResourceDefinition"))
        .map(|crd| {
            let text = |pointer| crd.manifest.text(pointer);
            let scope = match text("/spec/scope") {
                "Cluster" => Scope::Cluster,
                _ => Scope::Namespaced,
            };
            (GroupKind::new(text("/spec/group"), text("/spec/names/kind")), scope)
        })
        .collect()
}

/// As a walk through folders meets them: names compared folder by folder, then by document.
fn in_path_order(a: &Declared, b: &Declared) -> std::cmp::Ordering {
    let key = |object: &Declared| (object.provenance.document, object.provenance.line);
    (a.provenance.file.split('/'))
        .cmp(b.provenance.file.split('/'))
        .then_with(|| key(a).cmp(&key(b)))
        .then_with(|| a.id.cmp(&b.id))
}

/// Of objects with one identity keeps the last, or what a unit declares of itself, since its engine makes that of it in the end; objects
/// must be in path order. What is lost comes back as problems.
fn without_doubles(objects: Vec<Declared>, units: &[Unit]) -> (Vec<Declared>, Vec<Problem>) {
    let mut last: HashMap<_, usize> = HashMap::with_capacity(objects.len());
    let mut kept: Vec<Option<Declared>> = Vec::with_capacity(objects.len());
    let mut lost: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for object in objects {
        let at = last.get(&object.id).copied();
        let other =
            match at.and_then(|at| kept[at].take_if(|before| !is_itself(before, units) || is_itself(&object, units))) {
                // The one before is the unit's own.
                None if at.is_some() => Some(object),
                before => {
                    last.insert(object.id.clone(), kept.len());
                    kept.push(Some(object));
                    before
                }
            };
        let Some(other) = other else { continue };
        let used = kept[last[&other.id]].as_ref();
        let same = |used: &Declared| match is_itself(used, units) {
            true => unmarked(used) == unmarked(&other),
            false => used.manifest == other.manifest,
        };
        if !used.is_some_and(same) {
            lost.entry(other.id.clone())
                .or_default()
                .push((other.provenance.place(), other.unit));
        }
    }
    let problems = (lost.into_iter())
        .map(|(id, places)| {
            let used = kept[last[&id]].as_ref();
            let engines = |unit: UnitIndex| units.get(unit.0).filter(|unit| unit.engine.is_some());
            let before = places.last().and_then(|(_, unit)| engines(*unit));
            let message = match (before, used.and_then(|object| engines(object.unit))) {
                (Some(before), Some(after)) if before.name != after.name => format!(
                    "declared by {} and by {}, which would take it from each other for ever; that of {} is used",
                    before.name, after.name, after.name
                ),
                _ => "declared more than once with different content; only the last place is used".to_owned(),
            };
            let places = places.into_iter().map(|(place, _)| place);
            Problem {
                kind: super::ProblemKind::Error,
                places: places.chain(used.map(|object| object.provenance.place())).collect(),
                object: Some(id),
                message,
                hint: Some("keep one of them, or give one another name or namespace".to_owned()),
            }
        })
        .collect();
    (kept.into_iter().flatten().collect(), problems)
}

/// Whether a unit declares the object that stands for it.
fn is_itself(one: &Declared, units: &[Unit]) -> bool {
    let engine = units.get(one.unit.0).and_then(|unit| unit.engine.as_ref());
    engine.is_some_and(|engine| engine.object == one.id)
}

/// Without the marks that engines put on what they make.
fn unmarked(one: &Declared) -> Value {
    let mut value = one.manifest.value().clone();
    if let Some(metadata) = value["metadata"].as_object_mut() {
        for marks in ["annotations", "labels"] {
            metadata.shift_remove(marks);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::builtin::served_kinds;
    use crate::object::{
        Entry, KubeVersion, Manifest, ObjectId, Place, Provenance, Renderer, Repository, UnitIndex, Writer,
    };
    use serde_json::{Value, json};

    fn declared(file: &str, value: Value) -> Declared {
        let manifest = Manifest::new(value).expect("because tests write whole objects");
        Declared {
            id: manifest.id(),
            manifest,
            provenance: Provenance {
                file: file.to_owned(),
                document: 0,
                line: 1,
                renderer: Renderer::Plain,
            },
            unit: UnitIndex(0),
            writer: Writer::ServerSide("refloat".to_owned()),
            generated: Vec::new(),
            namespace: None,
            waivers: Vec::new(),
            hook: None,
            turn: None,
        }
    }

    fn resolved(objects: Vec<Declared>) -> DeclaredSet {
        let set = DeclaredSet {
            repository: Repository {
                location: ".".to_owned(),
                commit: None,
                subject: None,
                time: None,
                dirty: false,
            },
            entry: Entry {
                paths: vec![String::new()],
                dialect: "manifests".to_owned(),
                detected: true,
            },
            units: Vec::new(),
            objects,
            problems: Vec::new(),
            unreached: 0,
            wanted: Vec::new(),
            wanted_clusters: Vec::new(),
        };
        resolve(set, &served_kinds(KubeVersion { major: 1, minor: 37 }), "shop")
    }

    fn config_map(file: &str, value: &str) -> Declared {
        declared(
            file,
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": value}}),
        )
    }

    #[test]
    fn scope_comes_from_the_server_the_declared_crds_and_the_table() {
        let set = resolved(vec![
            declared(
                "a",
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "namespace": "x"}}),
            ),
            declared(
                "b",
                json!({"apiVersion": "extensions/v1beta1", "kind": "Deployment", "metadata": {"name": "d"}}),
            ),
            declared(
                "c",
                json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "c"},
                       "spec": {"group": "g.io", "scope": "Cluster", "names": {"kind": "K"}}}),
            ),
            declared(
                "d",
                json!({"apiVersion": "g.io/v1", "kind": "K", "metadata": {"name": "k", "namespace": "x"}}),
            ),
            declared(
                "e",
                json!({"apiVersion": "h.io/v1", "kind": "Unknown", "metadata": {"name": "u"}}),
            ),
        ]);
        let namespaces: Vec<_> = set.objects.iter().map(|o| o.id.namespace.as_deref()).collect();
        assert_eq!(namespaces, [None, Some("shop"), None, None, None]);
        assert_eq!(set.objects[1].manifest.namespace(), Some("shop"));
        assert_eq!(set.objects[3].manifest.namespace(), None);
    }

    #[test]
    fn the_same_twice_is_said_only_if_a_declaration_is_lost() {
        let set = resolved(vec![config_map("a.yaml", "1"), config_map("b.yaml", "1")]);
        assert_eq!((set.objects.len(), set.problems.len()), (1, 0));

        let set = resolved(vec![config_map("b.yaml", "2"), config_map("a/z.yaml", "1")]);
        assert_eq!(set.objects.len(), 1);
        assert_eq!(set.objects[0].manifest.text("/data/k"), "2");
        let problem = Problem::error(
            Place::at("a/z.yaml", 1),
            "declared more than once with different content; only the last place is used",
        )
        .and_at(Place::at("b.yaml", 1))
        .of(ObjectId::new("", "ConfigMap", Some("shop"), "c"))
        .hint("keep one of them, or give one another name or namespace");
        assert_eq!(set.problems, [problem]);
    }

    #[test]
    fn folders_are_walked_as_kubectl_does() {
        let set = resolved(vec![config_map("a.yaml", "1"), config_map("a/z.yaml", "2")]);
        assert_eq!(
            set.objects[0].manifest.text("/data/k"),
            "1",
            "because `a/z.yaml` comes before `a.yaml`"
        );
    }
}
