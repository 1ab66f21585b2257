//! A snapshot of a cluster, read: what is in it, and of that what declares a cluster.
//!
//! An object stands in a snapshot as the server held it. As a declaration counts what somebody wrote of it: what the server, controllers
//! and the cluster's own book-keeping wrote is taken out, as far as that is known without asking a server. Defaults stay: they change
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::crd::status_is_data;
use super::documents::Found;
use super::{Keys, in_parallel, secrets};
use crate::object::{
    Cleaning, Known, LiveObject, ObjectId, Place, Problem, Provenance, Renderer, Standing, Writer, api_group,
};
use crate::snapshot::{CONTENTS, Contents, Entry, SUMS, Values, read_sums, sum};
use crate::source::Tree;
use crate::source::path::join;

/// Field managers of engines that apply what they keep: an object that one applied is written in its name.
const ENGINES: [&str; 4] = ["kustomize-controller", "helm-controller", "helm", "argocd-controller"];
/// Those that do so as `kubectl apply` does, with its annotation.
const CLIENT_SIDE: [&str; 2] = ["argocd-controller", "kubectl-client-side-apply"];

/// A snapshot.
pub struct Snapshot {
    /// Its table of contents.
    pub contents: Contents,
    /// The objects that were wanted and could be read, by identity.
    pub objects: BTreeMap<ObjectId, Kept>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// An object of a snapshot.
pub struct Kept {
    /// As the server held it.
    pub value: Value,
    /// Its metadata.
    pub object: LiveObject,
    /// Its file; empty where it has none.
    pub file: String,
    /// What it is by itself.
    pub standing: Standing,
    /// Why the secrets that it holds are not there, only their keys; `None`: all of it is there.
    pub masked: Option<Box<Problem>>,
}

/// Whether a folder of a tree is a snapshot.
pub fn is_snapshot(tree: &Tree, folder: &str) -> bool {
    let contents = join(folder, CONTENTS);
    tree.is_file(&contents) && tree.read(&contents).is_ok_and(|text| Contents::is_one(&text))
}

/// Reads the objects of a snapshot that are wanted.
///
/// # Errors
/// When its table of contents cannot be read. What is wrong with an object is among the problems.
pub fn read_snapshot(
    tree: &Tree,
    folder: &str,
    keys: &Keys,
    wanted: impl Fn(&Standing) -> bool,
) -> Result<Snapshot, Box<Problem>> {
    let path = join(folder, CONTENTS);
    let contents = Contents::read(&tree.read(&path)?).map_err(|why| {
        let message = format!("nothing of this snapshot is read: {why}");
        Box::new(Problem::error(Place::file(&path), message))
    })?;
    // Without checksums nothing is known of damage.
    let sums = tree
        .read(&join(folder, SUMS))
        .map(|text| read_sums(&text))
        .unwrap_or_default();
    let wanted: Vec<&Entry> = contents.objects.iter().filter(|one| wanted(&one.standing())).collect();
    let read = in_parallel(&wanted, |entry| kept(tree, folder, entry, &sums, keys));
    let (mut objects, mut problems) = (BTreeMap::new(), Vec::new());
    for (entry, (object, problem)) in wanted.iter().zip(read) {
        objects.extend(object.map(|object| (entry.id(), object)));
        problems.extend(problem.map(|problem| problem.of(entry.id())));
    }
    Ok(Snapshot {
        contents,
        objects,
        problems,
    })
}

/// An object, and what is wrong with its file.
fn kept(
    tree: &Tree,
    folder: &str,
    entry: &Entry,
    sums: &BTreeMap<String, String>,
    keys: &Keys,
) -> (Option<Kept>, Option<Problem>) {
    let file = join(folder, &entry.file);
    let failed = |why: String| {
        let message = format!("this object is not read: {why}");
        (None, Some(Problem::error(Place::file(&file), message)))
    };
    let text = match tree.read(&file) {
        Ok(text) => text,
        Err(problem) => return failed(problem.message),
    };
    let changed = sums.get(&entry.file).is_some_and(|known| *known != sum(&text));
    let opened = (entry.values() == Some(Values::Encrypted)).then(|| keys.open(&file, &text));
    let (read, masked) = match opened {
        Some(Ok(plain)) => (kube_yaml::parse_one(&plain).value, None),
        Some(Err(why)) => (kube_yaml::parse_one(&text).value, Some(secrets::unopened(&file, &why))),
        None => (kube_yaml::parse_one(&text).value, left_out(entry, &file)),
    };
    let value = match read {
        Ok(mut value) => {
            // What SOPS writes beside the values.
            if let Some(map) = value.as_object_mut().filter(|_| entry.values().is_some()) {
                map.shift_remove("sops");
            }
            value
        }
        Err(error) => return failed(format!("line {} is not valid YAML: {}", error.line, error.message)),
    };
    let id = entry.id();
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let same = text("/kind") == id.kind
        && text("/metadata/name") == id.name
        && text("/metadata/namespace") == id.namespace.as_deref().unwrap_or_default()
        && api_group(text("/apiVersion")) == id.group;
    if !same {
        return failed("it is another one than the table of contents says".to_owned());
    }
    let problem = changed.then(|| {
        let message =
            "this file is another one than the snapshot was taken with: its checksum in SHA256SUMS is another";
        Problem::warning(Place::file(&file), message)
            .hint("take the snapshot from where it was kept, if nobody changed it on purpose")
    });
    let kept = Kept {
        object: LiveObject::of(&value),
        value,
        file,
        standing: entry.standing(),
        masked: masked.map(|problem| Box::new(problem.of(id))),
    };
    (Some(kept), problem)
}

/// That the values of an object that holds secrets are not in its file.
fn left_out(entry: &Entry, file: &str) -> Option<Problem> {
    entry.values().map(|_| {
        let message = "this object is not restored: its values are not in the snapshot";
        Problem::error(Place::file(file), message)
            .hint("take snapshots with --encrypt-to, or restore it from where its values are kept")
    })
}

impl Snapshot {
    /// What it declares, and who writes each object. Objects without their values are no declaration, and a problem each.
    pub(super) fn declares(&self) -> (Vec<(Found, Writer)>, Vec<Problem>) {
        let plain = statuses_are_data(self.objects.values().map(|kept| &kept.value));
        let (mut found, mut problems) = (Vec::new(), self.problems.clone());
        for kept in self.objects.values() {
            if let Some(problem) = &kept.masked {
                problems.push(Problem::clone(problem));
                continue;
            }
            let provenance = Provenance {
                file: kept.file.clone(),
                document: 0,
                line: 1,
                renderer: Renderer::Plain,
            };
            let value = declaration(&kept.value, &kept.object, &plain, false);
            found.push((Found { value, provenance }, kept.writer()));
        }
        (found, problems)
    }
}

/// The (apiVersion, kind) of custom resources whose status is a field as any other, as their definitions among these objects say.
pub fn statuses_are_data<'v>(objects: impl Iterator<Item = &'v Value>) -> BTreeSet<(String, String)> {
    objects.flat_map(status_is_data).collect()
}

impl Kept {
    /// The engine that applied it, or refloat.
    fn writer(&self) -> Writer {
        let managers = || {
            self.object
                .managers
                .iter()
                .filter(|manager| manager.subresource.is_empty())
        };
        let applies = |operation: &str, known: &[&str]| {
            let mut all = managers().filter(|manager| manager.operation == operation);
            all.find(|manager| known.contains(&&*manager.name))
                .map(|manager| manager.name.clone())
        };
        if let Some(engine) = applies("Apply", &ENGINES) {
            return Writer::ServerSide(engine);
        }
        match applies("Update", &CLIENT_SIDE) {
            Some(tool) if self.object.last_applied => Writer::ClientSide(tool),
            _ => Writer::ServerSide("refloat".to_owned()),
        }
    }
}

/// What somebody declared of a live object, as far as is known without a server. `plain`: the kinds whose status is a field as any other;
/// `scaled`: an autoscaler sets its replicas, which then do not count.
pub fn declaration(value: &Value, object: &LiveObject, plain: &BTreeSet<(String, String)>, scaled: bool) -> Value {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let known = Known {
        status_is_data: plain.contains(&(text("apiVersion"), text("kind"))),
        keeps_marks: true,
        ..Known::default()
    };
    let mut cleaning = Cleaning::new(value, object, known);
    cleaning.put_all_back();
    let mut draft = cleaning.draft();
    // Also where somebody once declared them: the autoscaler has the last word.
    if let Some(spec) = draft.get_mut("spec").and_then(Value::as_object_mut).filter(|_| scaled) {
        spec.shift_remove("replicas");
    }
    draft
}

#[cfg(test)]
mod tests {
    use super::super::{Options, load};
    use super::*;
    use crate::object::{GroupKind, Scope, ServedKind, ServedKinds, builtin};
    use crate::snapshot::{self, Of, Piece};
    use crate::{archive, source};
    use serde_json::json;

    /// A snapshot of these objects in a folder; the last one belongs to another.
    fn written(objects: &[Value], to: &std::path::Path) {
        let id = |value: &Value| {
            let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            ObjectId::new("", text("/kind"), Some("shop"), text("/metadata/name"))
        };
        let piece = |value: &Value| {
            Piece::new("things", &id(value), value.clone(), None).expect("because nothing is encrypted")
        };
        let pieces = objects.iter().map(|value| (id(value), piece(value))).collect();
        let last = objects.last().map(id).expect("because there are some");
        let standings = BTreeMap::from([(last.clone(), Standing::Owned(last))]);
        let kind = GroupKind::new("", "ConfigMap");
        let served = ServedKind {
            kind: kind.clone(),
            plural: "configmaps".to_owned(),
            scope: Scope::Namespaced,
            versions: vec!["v1".to_owned()],
            watchable: true,
        };
        let of = Of {
            version: builtin::NEWEST,
            kinds: &ServedKinds(BTreeMap::from([(kind, served)])),
            listed: &[],
            gaps: &[],
            recipients: &[],
        };
        let files = snapshot::files(&of, pieces, &standings).expect("because it is JSON");
        archive::lay_out(&files, to).expect("because the folder is ours");
    }

    fn map(name: &str, managers: &Value, annotations: &Value) -> Value {
        let metadata = json!({"name": name, "namespace": "shop", "uid": "u", "managedFields": managers, "annotations": annotations,
            "labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}});
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": "v"}})
    }

    fn loaded(folder: &std::path::Path, paths: &[&str]) -> crate::object::DeclaredSet {
        let reference = folder.display().to_string();
        let tree = source::open(&reference, &source::Options::default()).expect("because it is there");
        let options = Options {
            paths: paths.iter().map(ToString::to_string).collect(),
            ..Options::default()
        };
        load(&tree, &options).expect("because it declares something")
    }

    #[test]
    fn every_engine_writes_what_it_applied_and_nobody_s_are_refloat_s() {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        let manager = |name: &str, operation: &str| json!([{"manager": name, "operation": operation, "fieldsV1": {"f:data": {}}}]);
        let memory = json!({"kubectl.kubernetes.io/last-applied-configuration": "{}"});
        let mut objects: Vec<Value> = ENGINES
            .iter()
            .map(|name| map(&format!("a-{name}"), &manager(name, "Apply"), &json!({})))
            .collect();
        objects.extend(
            CLIENT_SIDE
                .iter()
                .map(|name| map(&format!("c-{name}"), &manager(name, "Update"), &memory)),
        );
        objects.push(map("by-hand", &manager("kubectl-edit", "Update"), &json!({})));
        objects.push(map(
            "no-memory",
            &manager("kubectl-client-side-apply", "Update"),
            &json!({}),
        ));
        objects.push(map("owned", &json!([]), &json!({})));
        written(&objects, &folder.path().join("live"));
        let set = loaded(&folder.path().join("live"), &[]);
        assert_eq!(
            (set.entry.dialect.as_str(), set.problems.len(), set.objects.len()),
            ("snapshot", 0, 8)
        );
        for declared in &set.objects {
            let name = declared.manifest.name();
            let writer = match name.split_once('-') {
                Some(("a", engine)) => Writer::ServerSide(engine.to_owned()),
                Some(("c", tool)) => Writer::ClientSide(tool.to_owned()),
                _ => Writer::ServerSide("refloat".to_owned()),
            };
            assert_eq!(declared.writer, writer, "{name}");
            let metadata =
                json!({"name": name, "namespace": "shop", "labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}});
            assert_eq!(
                declared.manifest.value()["metadata"],
                metadata,
                "engines know it for theirs"
            );
        }
    }

    #[test]
    fn a_snapshot_beside_manifests_is_read_only_if_it_is_asked_for() {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        let none = json!([]);
        written(
            &[map("live", &none, &json!({})), map("owned", &none, &json!({}))],
            &folder.path().join("live"),
        );
        let declared = map("declared", &none, &json!({})).to_string();
        std::fs::write(folder.path().join("a.json"), declared).expect("because the folder is ours");
        let names = |paths: &[&str]| -> Vec<String> {
            let set = loaded(folder.path(), paths);
            set.objects.iter().map(|one| one.manifest.name().to_owned()).collect()
        };
        assert_eq!(names(&[]), ["declared"]);
        assert_eq!(names(&["live"]), ["live"]);
    }
}
