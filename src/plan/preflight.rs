//! What an operator should know before the first write.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::edges::{Missing, RULES, is_sealing_key, target_of};
use super::index::Index;
use super::item::{Item, text};
use super::{Cut, Edge, Note, NoteKind, PlanOptions, hooks, outside};
use crate::object::{Declared, ExistingChange, GroupKind, Manifest, ObjectId};

/// What acts outside the cluster and is held back, with what it would do.
pub(crate) fn held_back(index: &Index<'_>, options: &PlanOptions) -> BTreeMap<u32, String> {
    if options.old_cluster_is_gone {
        return BTreeMap::new();
    }
    // What engines make nobody can hold back but by suspending them.
    let ours = (0..).zip(index.items).filter(|(_, item)| item.left_to.is_none());
    let ours = ours.filter(|(_, item)| hooks::ran(index, item).is_none());
    ours.filter_map(|(node, item)| Some((node, outside::does(item)?.does.to_owned())))
        .collect()
}

/// Adds all remarks on the nodes that are dealt with.
pub(crate) fn notes(
    index: &Index<'_>,
    alive: &[bool],
    missing: &[&Missing],
    cuts: &[Cut],
    options: &PlanOptions,
    notes: &mut Vec<Note>,
) {
    let items: Vec<&Item<'_>> = (index.items.iter().zip(alive))
        .filter(|(_, alive)| **alive)
        .map(|(item, _)| item)
        .collect();
    not_served(index, &items, notes);
    missing_references(index, missing, notes);
    let ours: Vec<&Item<'_>> = items.iter().copied().filter(|item| item.left_to.is_none()).collect();
    super::rights::notes(index, &ours, notes);
    existing(index, &ours, options, notes);
    node_ports(&items, notes);
    for item in &items {
        if let Some(row) = outside::does(item).filter(|_| hooks::ran(index, item).is_none()) {
            notes.push(acts_outside(item, row, options));
        }
        not_in_git(index, item, notes);
    }
    notes.extend(cuts.iter().map(cut));
    notes.extend(index.facts.gaps.iter().map(|gap| Note {
        kind: NoteKind::Gap,
        object: None,
        place: None,
        message: format!("not known: {}: {}", gap.what, gap.reason),
        hint: None,
    }));
}

fn note(kind: NoteKind, item: &Item<'_>, message: String, hint: Option<&str>) -> Note {
    Note {
        kind,
        object: Some(item.id.clone()),
        place: item.declared().map(|declared| declared.provenance.place()),
        message,
        hint: hint.map(str::to_owned),
    }
}

/// Kinds that nothing serves and no declared CRD brings, and versions that the CRD does not serve.
fn not_served(index: &Index<'_>, items: &[&Item<'_>], notes: &mut Vec<Note>) {
    let noted: BTreeSet<ObjectId> = notes.iter().filter_map(|note| note.object.clone()).collect();
    let mut unknown: BTreeMap<GroupKind, Vec<&Item<'_>>> = BTreeMap::new();
    for item in items {
        let Some(manifest) = item.manifest() else { continue };
        if super::build::target(index, item).is_some() || noted.contains(&item.id) {
            continue;
        }
        let kind = item.id.group_kind();
        let crd = index.crd(&kind.group, &kind.kind);
        if crd.is_some_and(|crd| super::build::target(index, index.item(crd)).is_none()) {
            continue; // the remark on its CRD says it
        }
        if crd.is_some() || index.facts.kinds.get(&kind).is_some() {
            let message = format!(
                "not restored: {} is not served, other versions of {kind} are",
                manifest.api_version()
            );
            notes.push(note(
                NoteKind::NotServed,
                item,
                message,
                Some("declare it in a version that is served"),
            ));
        } else if index.api_service(manifest.group(), manifest.version()).is_none() {
            unknown.entry(kind).or_default().push(item);
        }
    }
    for (kind, items) in unknown {
        let count = items.len();
        let objects = if count == 1 {
            "1 object".to_owned()
        } else {
            format!("{count} objects")
        };
        let message = format!(
            "{objects} of kind {kind} can be restored only if an operator brings the kind: the cluster does not serve it and no CRD for it is declared"
        );
        let hint = "declare its CRD, or install its operator";
        notes.extend(
            items
                .first()
                .map(|first| note(NoteKind::NotServed, first, message, Some(hint))),
        );
    }
}

/// Objects of this sort are made by Kubernetes itself.
fn brings_itself(id: &ObjectId) -> bool {
    const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];
    match (&*id.group, &*id.kind) {
        ("", "Namespace") => NAMESPACES.contains(&&*id.name),
        ("", "ServiceAccount") => id.name == "default" || id.namespace.as_deref() == Some("kube-system"),
        ("rbac.authorization.k8s.io", "ClusterRole") => {
            matches!(&*id.name, "admin" | "cluster-admin" | "edit" | "view") || id.name.starts_with("system:")
        }
        ("rbac.authorization.k8s.io", "Role") => {
            id.name.starts_with("system:") || id.name == "extension-apiserver-authentication-reader"
        }
        ("", "ConfigMap") => id.name == "kube-root-ca.crt" || id.name == "extension-apiserver-authentication",
        ("", "Service") => id.name == "kubernetes" && id.namespace.as_deref() == Some("default"),
        _ => false,
    }
}

/// One remark for each thing that is named and not there, with its first users.
fn missing_references(index: &Index<'_>, missing: &[&Missing], notes: &mut Vec<Note>) {
    let mut users: BTreeMap<&ObjectId, Vec<(u32, u16)>> = BTreeMap::new();
    for missing in missing {
        let id = &missing.wanted;
        let there = index.facts.present.contains(id) || index.facts.existing.contains_key(id);
        if !there && !brings_itself(id) {
            users.entry(id).or_default().push((missing.by, missing.rule));
        }
    }
    for (id, mut users) in users {
        users.sort_unstable();
        users.dedup_by_key(|(by, _)| *by);
        let names: Vec<String> = users
            .iter()
            .take(3)
            .map(|(by, _)| index.item(*by).id.to_string())
            .collect();
        let more = users.len().saturating_sub(names.len());
        let more = if more == 0 {
            String::new()
        } else {
            format!(" and {more} more")
        };
        let first = users.first().map(|(by, _)| index.item(*by));
        let of_engines = users
            .iter()
            .all(|(_, rule)| RULES[usize::from(*rule)].name == "engine-input");
        notes.push(Note {
            kind: match of_engines {
                true => NoteKind::EngineInput,
                false => NoteKind::MissingReference,
            },
            object: Some(id.clone()),
            place: first.and_then(|item| Some(item.declared()?.provenance.place())),
            message: format!(
                "{} {}{more}, declared by nobody and not in the cluster",
                if of_engines { "read for" } else { "named by" },
                names.join(", "),
            ),
            hint: Some(match (&*id.group, &*id.kind) {
                _ if of_engines => {
                    "create it before or after from where it is kept: the engine goes on once it is there".to_owned()
                }
                ("", "Secret") => {
                    "bring it from your secret store before or after; what needs it starts once it is there".to_owned()
                }
                ("", "Namespace") => "declare it, or create it before: the server refuses what lives in it".to_owned(),
                _ => "declare it, or make sure that something else makes it".to_owned(),
            }),
        });
    }
}

/// What is said of an object that the server does not let be changed as declared.
fn refused_hint(id: &ObjectId, options: &PlanOptions) -> &'static str {
    let holds_others = matches!(
        (&*id.group, &*id.kind),
        ("", "Namespace" | "PersistentVolume" | "PersistentVolumeClaim")
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
    );
    match (holds_others, options.recreate) {
        (true, _) => "it is never deleted to be made anew, since what it holds would go with it: correct it in Git",
        (false, false) => "--recreate deletes and makes anew what cannot be changed in place",
        (false, true) => {
            "if it cannot be changed in place, it will be deleted and made anew, since --recreate is given"
        }
    }
}

fn existing(index: &Index<'_>, items: &[&Item<'_>], options: &PlanOptions, notes: &mut Vec<Note>) {
    let scaled = scaled(index);
    for item in items {
        let Some(existing) = index.facts.existing.get(&item.id) else {
            continue;
        };
        if existing.terminating {
            let message = "exists and is being deleted; it can be restored once it is gone".to_owned();
            notes.push(note(NoteKind::WouldChange, item, message, None));
        }
        let (kind, message, hint) = match &existing.change {
            Some(ExistingChange::Fields(fields)) => (
                NoteKind::WouldChange,
                format!("exists, and would change in {}", fields.join(", ")),
                None,
            ),
            Some(ExistingChange::Overrides(fields)) => {
                let left =
                    |field: &str| field == ".spec.replicas" && index.get(&item.id).is_some_and(|n| scaled.contains(&n));
                let fields: Vec<String> = fields
                    .iter()
                    .filter(|(_, field)| !left(field))
                    .map(|(who, field)| format!("{field} from {who}"))
                    .collect();
                if fields.is_empty() {
                    continue;
                }
                (
                    NoteKind::WouldOverride,
                    format!("exists, and would take {}", fields.join(", ")),
                    None,
                )
            }
            Some(ExistingChange::Refused(why)) => (
                NoteKind::WouldChange,
                format!("exists, and the server refuses the change: {why}"),
                Some(refused_hint(&item.id, options)),
            ),
            Some(ExistingChange::None) | None => continue,
        };
        notes.push(note(kind, item, message, hint));
    }
}

/// Node ports are one for the whole cluster and protocol.
fn node_ports(items: &[&Item<'_>], notes: &mut Vec<Note>) {
    let mut taken: BTreeMap<(u64, &str), &Item<'_>> = BTreeMap::new();
    for item in items.iter().filter(|item| item.is("", "Service")) {
        for port in item.list("/spec/ports") {
            let Some(number) = port
                .get("nodePort")
                .and_then(Value::as_u64)
                .filter(|number| *number > 0)
            else {
                continue;
            };
            let protocol = match text(port, "/protocol") {
                "" => "TCP",
                protocol => protocol,
            };
            match taken.get(&(number, protocol)) {
                Some(first) if first.id != item.id => {
                    let message = format!(
                        "the server refuses it: {} has node port {number}/{protocol} too",
                        first.id
                    );
                    notes.push(note(
                        NoteKind::NodePortTwice,
                        item,
                        message,
                        Some("give one of them another port, or none"),
                    ));
                }
                _ => {
                    taken.insert((number, protocol), item);
                }
            }
        }
    }
}

fn acts_outside(item: &Item<'_>, row: &outside::Row, options: &PlanOptions) -> Note {
    if options.old_cluster_is_gone {
        let message = format!("acts outside the cluster: it {}", row.does);
        return note(NoteKind::ActsOutside, item, message, None);
    }
    if let Some(engine) = item.left_to {
        let message = format!("{engine} lets it go: it {}", row.does);
        let hint = "--old-cluster-is-gone once nothing else acts on the outside world any more, or --mode direct, which holds it back";
        return note(NoteKind::ActsOutside, item, message, Some(hint));
    }
    let message = format!("held back: it {}", row.does);
    let hint = "--old-cluster-is-gone once nothing else acts on the outside world any more";
    note(NoteKind::ActsOutside, item, message, Some(hint))
}

/// What Git cannot bring back.
fn not_in_git(index: &Index<'_>, item: &Item<'_>, notes: &mut Vec<Note>) {
    let message = match (&*item.id.group, &*item.id.kind) {
        ("", "PersistentVolumeClaim") => "comes back empty: what was on the volume is not in Git",
        ("apps", "StatefulSet") if !item.list("/spec/volumeClaimTemplates").is_empty() => {
            "its volumes come back empty: what was on them is not in Git"
        }
        ("bitnami.com", "SealedSecret") if !is_opened(index, item) => {
            "can be opened only with the old sealing key, which is not in Git"
        }
        _ => "",
    };
    if !message.is_empty() {
        let hint = match &*item.id.kind {
            "SealedSecret" => "give the backup of the controller's key with --sealed-secrets-key FILE",
            _ => "restore its content from a backup",
        };
        notes.push(note(NoteKind::NotInGit, item, message.to_owned(), Some(hint)));
    }
    if let Some(declared) = item.declared().filter(|declared| !declared.generated.is_empty()) {
        let message = match declared.generated == [Declared::MADE_ONCE] {
            true => "its engine makes it where it is absent, and does not look at it again",
            false => "its values are generated anew at each rendering: created only where absent, never overwritten",
        };
        notes.push(note(NoteKind::Generated, item, message.to_owned(), None));
    }
}

/// Whether a SealedSecret has its key among what is declared, or its Secret.
fn is_opened(index: &Index<'_>, item: &Item<'_>) -> bool {
    let secret = ObjectId::new("", "Secret", item.namespace(), &*item.id.name);
    let declared = index.get(&secret).and_then(|node| index.item(node).declared());
    let keys = index.of_kind("", "Secret").iter();
    declared.is_some() || keys.map(|node| index.item(*node)).any(is_sealing_key)
}

fn cut(cut: &Cut) -> Note {
    let ring: Vec<String> = (cut.ring.iter().chain(cut.ring.first()))
        .map(ObjectId::to_string)
        .collect();
    let Edge { reason, .. } = &cut.edge;
    Note {
        kind: NoteKind::CycleCut,
        object: cut.ring.first().cloned(),
        place: None,
        message: format!(
            "does not wait for {}, although {}: {} is a ring",
            ring.get(1).map_or("the next", String::as_str),
            reason.text,
            ring.join(" → ")
        ),
        hint: None,
    }
}

/// Workloads that something scales: their replicas are not Git's to say once they exist.
pub(crate) fn scaled(index: &Index<'_>) -> BTreeSet<u32> {
    (index.items.iter())
        .filter(|item| item.id.group != "autoscaling.k8s.io") // that one changes requests, not replicas
        .filter_map(|item| {
            let (group, kind, name) = target_of(item)?;
            index.find(group, kind, item.namespace(), name)
        })
        .collect()
}

/// Declares as many replicas as there are, so that an existing workload keeps them. Leaving the field out would not do: whoever
/// declared it before would take it away, and the server would fall back to one.
pub(crate) fn leave_replicas(manifest: &mut Manifest, replicas: i64) {
    if let Some(Value::Object(spec)) = manifest.object_mut().get_mut("spec") {
        spec.entry("replicas")
            .and_modify(|declared| *declared = Value::from(replicas));
    }
}

/// Takes CA bundles out that are empty or hold no certificate, as charts write them for an injector to fill: they would replace
/// one that was injected, and the server refuses some of them.
pub(crate) fn drop_placeholder_bundles(manifest: &mut Manifest) {
    // What is not changed stays shared with the declared set.
    let clients: Vec<&mut Value> = match (manifest.group(), manifest.kind()) {
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration") => {
            let webhooks = manifest.object_mut().get_mut("webhooks").and_then(Value::as_array_mut);
            (webhooks.into_iter().flatten())
                .filter_map(|webhook| webhook.get_mut("clientConfig"))
                .collect()
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            let spec = manifest.object_mut().get_mut("spec");
            let client = spec.and_then(|spec| spec.pointer_mut("/conversion/webhook/clientConfig"));
            client.into_iter().collect()
        }
        ("apiregistration.k8s.io", "APIService") => manifest.object_mut().get_mut("spec").into_iter().collect(),
        _ => return,
    };
    for client in clients.into_iter().filter_map(Value::as_object_mut) {
        // A PEM certificate in base64 begins with `-----BEGIN`, that is LS0tLS1CRUdJTi.
        let real = |bundle: &Value| {
            bundle
                .as_str()
                .is_some_and(|text| text.trim().starts_with("LS0tLS1CRUdJTi"))
        };
        if client.get("caBundle").is_some_and(|bundle| !real(bundle)) {
            client.shift_remove("caBundle");
        }
    }
}

#[cfg(test)]
mod tests;
