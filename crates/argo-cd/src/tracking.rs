//! How Argo CD marks the objects of an Application (`util/argo/resource_tracking.go`, `util/kube/kube.go`, `util/settings/settings.go`).

use serde_json::{Map, Value};

use crate::error::Error;
use crate::object::{annotation, group, is_crd, kind, name, namespace, text};

const LABEL: &str = "app.kubernetes.io/instance";
const LEGACY_LABEL: &str = "applications.argoproj.io/app-name";
const ID: &str = "argocd.argoproj.io/tracking-id";
const INSTALLATION: &str = "argocd.argoproj.io/installation-id";
/// Bytes of a label's value.
const LONGEST_LABEL: usize = 63;

/// By what the objects of an Application are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrackingMethod {
    /// By the label alone.
    Label,
    /// By the annotation alone: the default since Argo CD 3.
    #[default]
    Annotation,
    /// By the annotation; the label, cut to 63 bytes, is for people.
    AnnotationAndLabel,
}

/// What an installation of Argo CD is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracking {
    /// By what objects are known.
    pub method: TrackingMethod,
    /// The label's key.
    pub label_key: String,
    /// Which installation this is; empty where there is but one.
    pub installation_id: String,
}

impl Default for Tracking {
    fn default() -> Self {
        Tracking {
            method: TrackingMethod::default(),
            label_key: LABEL.to_owned(),
            installation_id: String::new(),
        }
    }
}

/// A tracking id: `app:group/Kind:namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackingId {
    /// The Application, as [`instance_name`] calls it.
    pub app: String,
    /// API group of the object.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; that of the Application's destination where the object names none, even for one that lives in no namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for TrackingId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{}/{}:{}/{}",
            self.app, self.group, self.kind, self.namespace, self.name
        )
    }
}

impl TrackingId {
    /// Reads one; `None` for what is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let (app, kind, name) = (parts.next()?, parts.next()?, parts.next()?);
        let pair = |text: &str| {
            let (a, b) = text.split_once('/')?;
            (!b.contains('/')).then(|| (a.to_owned(), b.to_owned()))
        };
        let ((group, kind), (namespace, name)) = (pair(kind)?, pair(name)?);
        Some(TrackingId {
            app: app.to_owned(),
            group,
            kind,
            namespace,
            name,
        })
    }
}

/// What an Application is called on its objects: its name, with its namespace before it where that is not Argo CD's own
/// (`util/argo/argo.go`, `AppInstanceName`).
pub fn instance_name(app: &str, app_namespace: &str, argo_namespace: &str) -> String {
    match app_namespace.is_empty() || app_namespace == argo_namespace {
        true => app.to_owned(),
        false => format!("{app_namespace}_{app}"),
    }
}

impl Tracking {
    /// Of `data` of the ConfigMap `argocd-cm`. A method that Argo CD does not know counts as the annotation, as it does there; the second is
    /// what to say of it.
    pub fn from_config(data: &Map<String, Value>) -> (Self, Option<Error>) {
        let given = |key: &str| data.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let key = "application.resourceTrackingMethod";
        let (method, error) = match given(key) {
            None | Some("annotation") => (TrackingMethod::Annotation, None),
            Some("label") => (TrackingMethod::Label, None),
            Some("annotation+label") => (TrackingMethod::AnnotationAndLabel, None),
            Some(other) => {
                let message = format!(
                    "{other:?} is no tracking method (label, annotation, annotation+label); annotation is used"
                );
                (
                    TrackingMethod::Annotation,
                    Some(Error::new(format!("data.{key}"), message)),
                )
            }
        };
        let tracking = Tracking {
            method,
            label_key: given("application.instanceLabelKey").unwrap_or(LABEL).to_owned(),
            installation_id: given("installationID").unwrap_or_default().to_owned(),
        };
        (tracking, error)
    }

    /// Marks an object of an Application. `app` is its [`instance_name`], `destination` its `spec.destination.namespace`. Nothing is put on
    /// CustomResourceDefinitions (`reposerver/repository/repository.go`).
    ///
    /// # Errors
    ///
    /// Labels or annotations that are not a map of texts, a name of which no label can be made.
    pub fn mark(&self, object: &mut Value, app: &str, destination: &str) -> Result<(), Error> {
        if is_crd(object) {
            return Ok(());
        }
        if self.method == TrackingMethod::Label {
            return self.set_label(object, app);
        }
        let own = namespace(object);
        let id = TrackingId {
            app: app.to_owned(),
            group: group(object).to_owned(),
            kind: kind(object).to_owned(),
            namespace: if own.is_empty() { destination } else { own }.to_owned(),
            name: name(object).to_owned(),
        };
        let annotations = texts(object, "annotations")?;
        match self.installation_id.as_str() {
            "" => annotations.shift_remove(INSTALLATION),
            id => annotations.insert(INSTALLATION.to_owned(), id.into()),
        };
        annotations.insert(ID.to_owned(), id.to_string().into());
        match self.method {
            TrackingMethod::AnnotationAndLabel => self.set_label(object, &cut_label(app)?),
            _ => Ok(()),
        }
    }

    fn set_label(&self, object: &mut Value, value: &str) -> Result<(), Error> {
        texts(object, "labels")?.insert(self.label_key.clone(), value.into());
        if self.label_key == LEGACY_LABEL {
            label_template(object, value);
        }
        Ok(())
    }

    /// The Application that an object says it belongs to, by its [`instance_name`]; `None` where it says nothing.
    pub fn app_of(&self, object: &Value) -> Option<String> {
        if self.method == TrackingMethod::Label {
            let label = text(object, &["metadata", "labels", &self.label_key]);
            return Some(label.to_owned()).filter(|label| !label.is_empty());
        }
        let other = !self.installation_id.is_empty() && annotation(object, INSTALLATION) != Some(&self.installation_id);
        TrackingId::parse(annotation(object, ID)?)
            .filter(|_| !other)
            .map(|id| id.app)
    }
}

/// A map of texts below `metadata`, made where it is not there.
fn texts<'a>(object: &'a mut Value, key: &str) -> Result<&'a mut Map<String, Value>, Error> {
    let field = format!("metadata.{key}");
    let no_map = || Error::new(&field, "is not a map of texts");
    let metadata = object.as_object_mut().ok_or_else(no_map)?;
    let metadata = metadata.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    let metadata = metadata.as_object_mut().ok_or_else(no_map)?;
    let map = metadata.entry(key).or_insert(Value::Null);
    if map.is_null() {
        *map = Value::Object(Map::new());
    }
    let map = map.as_object_mut().ok_or_else(no_map)?;
    match map.values().all(Value::is_string) {
        true => Ok(map),
        false => Err(no_map()),
    }
}

/// The first 63 bytes, without what may not end a label (`TruncateLabel`).
fn cut_label(value: &str) -> Result<String, Error> {
    if value.len() <= LONGEST_LABEL {
        return Ok(value.to_owned());
    }
    let start = value.bytes().take(LONGEST_LABEL).collect::<Vec<u8>>();
    let end = start.iter().rposition(u8::is_ascii_alphanumeric);
    let cut = end.and_then(|end| value.get(..=end));
    cut.map(str::to_owned)
        .ok_or_else(|| Error::new("", "its first 63 bytes have no letter or digit to end a label with"))
}

/// The label of Argo CD before 0.11 goes on the Pods of workloads too (`SetAppInstanceLabel`).
fn label_template(object: &mut Value, value: &str) {
    const WORKLOADS: &[&str] = &["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"];
    let workload = match group(object) {
        "apps" | "extensions" => WORKLOADS.contains(&kind(object)),
        "batch" => kind(object) == "Job",
        _ => false,
    };
    if !workload {
        return;
    }
    let mut at = object;
    for key in ["spec", "template", "metadata", "labels"] {
        let Some(map) = at.as_object_mut() else { return };
        at = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
    }
    if let Some(labels) = at.as_object_mut() {
        labels.insert(LEGACY_LABEL.to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests;
