//! What cannot be edited in place is written anew, and told, wherever the edit was made.

use serde_json::json;

use super::*;

fn map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: b}}\n")
}

/// Where something was written anew, and what that file says now.
fn anew(files: &[(&str, &str)], change: impl FnOnce(&Case) -> Change) -> (Vec<Place>, String) {
    let case = Case::files(files, "apps");
    let made = case.place(&[change(&case)]);
    assert_eq!(reasons(&made), []);
    let text = made
        .reemitted
        .first()
        .and_then(|place| made.files[&place.file].as_deref());
    let text = text.map(String::from_utf8_lossy).unwrap_or_default().into_owned();
    (made.reemitted, text)
}

const KUSTOMIZATION: &str = "apps/kustomization.yaml";

#[test]
fn a_list_with_a_new_entry() {
    let (part, web) = ("apps/part/kustomization.yaml", map("web"));
    let list = "? resources\n: [] # ours\nconfigMapGenerator:\n- name: made\n  literals: [a=b]\n";
    let files = [
        (KUSTOMIZATION, "resources: [part/web.yaml, part]\n"),
        (part, list),
        ("apps/part/web.yaml", &web),
    ];
    let new = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ads"}, "data": {"a": "b"}});
    let (places, text) = anew(&files, |_| Change::Add {
        manifest: manifest(new),
    });
    assert_eq!(places, [Place::file(part)]);
    assert!(
        text.contains("resources:\n- ads.yaml\n") && !text.contains("ours"),
        "{text}"
    );
}

#[test]
fn a_list_without_its_last_entry() {
    let web = map("web");
    let list = "? resources\n: - web.yaml # ours\nconfigMapGenerator:\n- name: made\n  literals: [a=b]\n";
    let files = [(KUSTOMIZATION, list), ("apps/web.yaml", &web)];
    let (places, text) = anew(&files, |case| Change::Remove {
        object: case.id("ConfigMap/web"),
    });
    assert_eq!(places, [Place::file(KUSTOMIZATION)]);
    assert!(text.contains("resources: []\n") && !text.contains("ours"), "{text}");
}

#[test]
fn a_patch_within_a_kustomization() {
    let web = map("web");
    let list = "resources: [web.yaml]\npatches:\n- patch: |-\n    apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: web}\n    data:\n      ? a\n      : c # ours\n";
    let files = [(KUSTOMIZATION, list), ("apps/web.yaml", &web)];
    let (places, text) = anew(&files, |case| case.set("ConfigMap/web", ".data.a", json!("d")));
    assert_eq!(places, [Place::file(KUSTOMIZATION)]);
    assert!(text.contains("      a: d\n") && !text.contains("ours"), "{text}");
}

/// Of a file that goes in the end nothing is lost.
#[test]
fn not_what_goes() {
    let [web, other] = ["web", "other"].map(map);
    let files = [
        (KUSTOMIZATION, "resources:\n- part\n- other.yaml\n"),
        ("apps/part/kustomization.yaml", "? resources\n: - web.yaml\n"),
        ("apps/part/web.yaml", &*web),
        ("apps/other.yaml", &other),
    ];
    let (places, _) = anew(&files, |case| Change::Remove {
        object: case.id("ConfigMap/web"),
    });
    assert_eq!(places, []);
}
