//! What is declared, as manifests: one YAML stream, or one JSON object a line.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};

use super::text::one_line;
use super::{json, words};
use crate::object::normalize::LAST_APPLIED;
use crate::object::{Declared, DeclaredSet, Manifest};

/// What stands in place of a value of a Secret.
const MASK: &str = "***";

/// How manifests are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rendering {
    /// Say where each comes from.
    pub with_provenance: bool,
    /// Print values of Secrets in clear.
    pub show_secrets: bool,
}

/// Writes the objects of a set, in its order, as one YAML stream; values of Secrets are `***` unless asked for. Nothing for an
/// empty set.
///
/// With provenance each document begins with comments:
/// ```text
/// # file: apps/web.yaml:12
/// # unit: apps
/// # renderer: kustomize
/// # commit: 0123456789abcdef0123456789abcdef01234567
/// ```
///
/// # Errors
/// Those of the writer.
pub fn yaml(set: &DeclaredSet, how: Rendering, out: &mut dyn Write) -> io::Result<()> {
    for (index, declared) in set.objects.iter().enumerate() {
        if index > 0 {
            writeln!(out, "---")?;
        }
        if how.with_provenance {
            comments(set, declared, out)?;
        }
        out.write_all(kube_yaml::to_string(&shown(&declared.manifest, how)).as_bytes())?;
    }
    Ok(())
}

/// Writes the objects of a set, in its order, one JSON object a line. With provenance each line is an object with the fields
/// `object` and `provenance` {`file`, `line`, `document`, `unit`, `renderer`, `commit`}.
///
/// # Errors
/// Those of the writer.
pub fn json_lines(set: &DeclaredSet, how: Rendering, out: &mut dyn Write) -> io::Result<()> {
    for declared in &set.objects {
        let object = shown(&declared.manifest, how);
        let text = match how.with_provenance {
            true => serde_json::to_string(&WithProvenance {
                provenance: Origin::new(set, declared),
                object,
            }),
            false => serde_json::to_string(&object),
        };
        let text = text.map_err(io::Error::other)?;
        writeln!(out, "{}", json::escaped(&text))?;
    }
    Ok(())
}

#[derive(Debug, Serialize)]
struct WithProvenance<'a> {
    provenance: Origin<'a>,
    object: Value,
}

#[derive(Debug, Serialize)]
struct Origin<'a> {
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    document: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    renderer: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a str>,
}

impl<'a> Origin<'a> {
    fn new(set: &'a DeclaredSet, declared: &'a Declared) -> Self {
        let from = &declared.provenance;
        Self {
            file: &from.file,
            line: from.place().line,
            document: from.document,
            unit: set.units.get(declared.unit.0).map(|unit| &*unit.name),
            renderer: words::renderer(from.renderer),
            commit: set.repository.commit.as_deref(),
        }
    }
}

fn comments(set: &DeclaredSet, declared: &Declared, out: &mut dyn Write) -> io::Result<()> {
    let from = Origin::new(set, declared);
    writeln!(out, "# file: {}", one_line(declared.provenance.place()))?;
    if let Some(unit) = from.unit {
        writeln!(out, "# unit: {}", one_line(unit))?;
    }
    writeln!(out, "# renderer: {}", from.renderer)?;
    if let Some(commit) = from.commit {
        writeln!(out, "# commit: {}", one_line(commit))?;
    }
    Ok(())
}

fn shown(manifest: &Manifest, how: Rendering) -> Value {
    let secret = manifest.kind() == "Secret" && manifest.group().is_empty();
    let mut value = manifest.value().clone();
    if secret && !how.show_secrets {
        mask(&mut value);
    }
    value
}

/// The fields of a Secret that hold nothing secret.
const OPEN: [&str; 5] = ["apiVersion", "kind", "metadata", "type", "immutable"];

/// Masks the values of a Secret, those below a mistyped field (`stringdata`) too. The keys stay.
fn mask(secret: &mut Value) {
    let fields = secret.as_object_mut().into_iter().flatten();
    for (_, field) in fields.filter(|(name, _)| !OPEN.contains(&name.as_str())) {
        match field {
            Value::Null => {}
            Value::Object(values) => values.values_mut().for_each(|value| *value = MASK.into()),
            other => *other = MASK.into(),
        }
    }
    let annotations = secret
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut);
    if let Some(value) = annotations.and_then(|map: &mut Map<String, Value>| map.get_mut(LAST_APPLIED)) {
        *value = MASK.into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample;
    use super::*;

    fn set() -> DeclaredSet {
        sample::declared(vec![
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "annotations": {
                LAST_APPLIED: "{\"data\":{\"password\":\"canary\"}}", "team": "core"}},
                "type": "Opaque", "data": {"password": "canary", "n": 1}, "stringData": {"url": "canary\nx"}, "stringdata": {"typed": "canary"}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "a\u{1b}\u{9b}b", "y": "1\n2\n"}}),
        ])
    }

    fn as_yaml(set: &DeclaredSet, how: Rendering) -> String {
        let mut out = Vec::new();
        yaml(set, how, &mut out).expect("because a Vec takes all");
        String::from_utf8(out).expect("because it is text")
    }

    fn as_json(set: &DeclaredSet, how: Rendering) -> String {
        let mut out = Vec::new();
        json_lines(set, how, &mut out).expect("because a Vec takes all");
        String::from_utf8(out).expect("because it is text")
    }

    #[test]
    fn values_of_secrets_are_masked() {
        let text = as_yaml(&set(), Rendering::default());
        assert!(!text.contains("canary") && !text.contains('\u{1b}') && !text.contains('\u{9b}'));
        insta::assert_snapshot!(text, @r#"
        apiVersion: v1
        kind: Secret
        metadata:
          name: db
          annotations:
            kubectl.kubernetes.io/last-applied-configuration: '***'
            team: core
        type: Opaque
        data:
          password: '***'
          "n": '***'
        stringData:
          url: '***'
        stringdata:
          typed: '***'
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: a
        data:
          x: "a\x1B\x9Bb"
          "y": |
            1
            2
        "#);
        assert!(!as_json(&set(), Rendering::default()).contains("canary"));
    }

    #[test]
    fn odd_secrets_are_masked_too() {
        for data in [json!("canary"), json!(["canary"]), json!({"a": {"b": "canary"}})] {
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": data});
            let text = as_yaml(&sample::declared(vec![secret]), Rendering::default());
            assert!(text.contains("***") && !text.contains("canary"), "{text}");
        }
        let other =
            json!({"apiVersion": "x.io/v1", "kind": "Secret", "metadata": {"name": "db"}, "data": {"a": "kept"}});
        assert!(as_yaml(&sample::declared(vec![other]), Rendering::default()).contains("kept"));
    }

    #[test]
    fn in_clear_it_reads_back_as_declared() {
        let how = Rendering {
            with_provenance: true,
            show_secrets: true,
        };
        let set = set();
        let documents = kube_yaml::parse(as_yaml(&set, how).as_bytes());
        let read: Vec<_> = documents.into_iter().map(|document| document.value).collect();
        assert_eq!(read.len(), 2);
        for (read, declared) in read.iter().zip(&set.objects) {
            assert_eq!(read.as_ref().ok(), Some(declared.manifest.value()));
        }
    }

    #[test]
    fn provenance_stays_in_its_comment() {
        let mut set = set();
        set.objects.remove(0);
        set.objects[0].provenance.file = "a\nkind: Evil".to_owned();
        let how = Rendering {
            with_provenance: true,
            show_secrets: false,
        };
        insta::assert_snapshot!(as_yaml(&set, how), @r#"
        # file: a\nkind: Evil:3
        # unit: apps
        # renderer: kustomize
        # commit: 0123456789abcdef0123456789abcdef01234567
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: a
        data:
          x: "a\x1B\x9Bb"
          "y": |
            1
            2
        "#);
        insta::assert_snapshot!(as_json(&set, how), @r#"{"provenance":{"file":"a\nkind: Evil","line":3,"document":1,"unit":"apps","renderer":"kustomize","commit":"0123456789abcdef0123456789abcdef01234567"},"object":{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"a\u001b\u009bb","y":"1\n2\n"}}}"#);
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(as_yaml(&sample::declared(Vec::new()), Rendering::default()), "");
    }
}
