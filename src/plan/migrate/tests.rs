//! Every row rewrites its fixture, or says what to edit.

use super::*;
use crate::object::KubeVersion;
use crate::object::builtin::served_kinds;
use serde_json::json;

const NOW: KubeVersion = KubeVersion { major: 1, minor: 37 };

fn fixtures() -> Vec<Value> {
    let text = include_str!("fixtures.yaml");
    serde_yaml::from_str(text).expect("because the fixtures are good YAML")
}

fn migrated(value: &Value) -> Migration {
    let manifest = Manifest::new(value.clone()).expect("because fixtures are whole objects");
    migrate(&manifest, &served_kinds(NOW))
}

fn with(value: &Value, name: &str) -> Value {
    let mut value = value.clone();
    if value.pointer("/metadata/name").is_none() {
        value["metadata"]["name"] = json!(name);
    }
    value
}

#[test]
fn every_row_rewrites_its_fixture() {
    let mut seen = std::collections::BTreeSet::new();
    for fixture in fixtures() {
        let old = with(&fixture["old"], "x");
        let text = |key: &str| old[key].as_str().unwrap_or_default().to_owned();
        seen.insert((text("apiVersion"), text("kind")));
        match (migrated(&old), fixture.get("new"), fixture.get("edit")) {
            (Migration::Rewritten(new, _), Some(expected), _) => {
                let expected = with(expected, "x");
                assert_eq!(new.value(), &expected, "{:#}", new.value());
            }
            (Migration::NeedsEdit(why, _), _, Some(expected)) => assert_eq!(json!(why), *expected),
            (migration, ..) => {
                let became = match migration {
                    Migration::AsItIs => "as it is".to_owned(),
                    Migration::Rewritten(new, _) => format!("{:#}", new.value()),
                    Migration::NeedsEdit(why, edit) => format!("{why}: {edit}"),
                };
                panic!("{old:#} became {became}");
            }
        }
    }
    for row in ROWS {
        for kind in row.kinds {
            let key = (format!("{}/{}", row.group, row.version), (*kind).to_owned());
            if same as fn(&mut Object) -> Result<Remark, Edit> as usize == row.rewrite as usize {
                let value = json!({"apiVersion": key.0, "kind": kind, "metadata": {"name": "x"}, "spec": {"a": 1}});
                let Migration::Rewritten(new, _) = migrated(&value) else {
                    panic!("{key:?} is not rewritten");
                };
                assert_eq!(new.api_version(), format!("{}/{}", row.to.0, row.to.1));
            } else {
                assert!(seen.contains(&key), "no fixture for {key:?}");
            }
        }
    }
}

#[test]
fn what_is_served_or_unknown_stays() {
    for (version, kind) in [("apps/v1", "Deployment"), ("x.io/v1beta1", "Deployment")] {
        let value = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}});
        assert!(matches!(migrated(&value), Migration::AsItIs));
    }
    let old = KubeVersion { major: 1, minor: 15 };
    let value = json!({"apiVersion": "extensions/v1beta1", "kind": "Deployment", "metadata": {"name": "x"}});
    let manifest = Manifest::new(value).expect("because it is whole");
    assert!(matches!(migrate(&manifest, &served_kinds(old)), Migration::AsItIs));
}
