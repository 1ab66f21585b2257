//! What `helm template` printed → objects of a release: hooks, adoption marks, generated values. Pure.

use serde_json::{Map, Value};

use super::documents::{self, Findings, Found};
use crate::object::{Hook, Place, Problem, Provenance, Renderer};
use crate::source::path::join;

/// Where the objects of a release are shown to come from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// A chart's folder in the tree: its templates.
    Folder(String),
    /// What names a chart from elsewhere.
    Object(Place),
}

impl Origin {
    /// Where problems of all of it are shown.
    pub fn place(&self) -> Place {
        match self {
            Self::Folder(folder) => Place::file(join(folder, "Chart.yaml")),
            Self::Object(place) => place.clone(),
        }
    }

    /// Of what comes from a template, such as `templates/web.yaml`.
    pub fn provenance(&self, template: Option<&str>, document: usize) -> Provenance {
        let place = match (self, template) {
            (Self::Folder(folder), Some(template)) => Place::file(join(folder, template)),
            _ => self.place(),
        };
        Provenance {
            file: place.file,
            document,
            line: place.line.unwrap_or_default(),
            renderer: Renderer::Helm,
        }
    }
}

/// One object of a release.
pub(super) struct Released {
    pub found: Found,
    /// Its template, from the chart's name on.
    pub template: String,
    /// It comes from a `crds` folder, of which Helm keeps no record.
    pub is_of_crds: bool,
    pub hook: Option<Hook>,
    /// JSON pointers of what comes out differently each time.
    pub generated: Vec<String>,
}

/// A release as it was rendered.
pub(super) struct Read {
    pub objects: Vec<Released>,
    /// Hooks of other occasions than an installation.
    pub others: Vec<Released>,
    pub problems: Vec<Problem>,
}

/// The objects of a release, from two renderings of it, with everything wrong about them.
pub(super) fn read(origin: &Origin, release: &str, namespace: &str, first: &[u8], second: &[u8]) -> Read {
    let (found, mut problems) = compare(origin, first, second);
    let (mut objects, mut others) = (Vec::new(), Vec::new());
    for mut one in found {
        match role(&one.found.value) {
            Role::Plain => {
                if !one.is_of_crds {
                    adopt(&mut one.found.value, release, namespace);
                }
                objects.push(one);
            }
            Role::Hook(hook) => {
                one.hook = Some(hook);
                objects.push(one);
            }
            Role::Never => others.push(one),
            Role::Unknown(name) => {
                let message =
                    format!("this object is not restored: Helm knows no hook {name}, and leaves such objects out");
                problems.push(Problem::warning(one.found.provenance.place(), message));
            }
        }
    }
    Read {
        objects,
        others,
        problems,
    }
}

/// What a chart rendered, twice: what differs comes out anew each time.
pub(super) fn compare(origin: &Origin, first: &[u8], second: &[u8]) -> (Vec<Released>, Vec<Problem>) {
    let (mut found, mut problems) = parse(origin, first);
    let (again, _) = parse(origin, second);
    let same_shape = found.len() == again.len()
        && found.iter().zip(&again).all(|(a, b)| {
            a.found.provenance.file == b.found.provenance.file && a.found.value["kind"] == b.found.value["kind"]
        });
    if !same_shape {
        problems.push(Problem::warning(
            origin.place(),
            "the chart gives other objects at each rendering; those of the first one are taken",
        ));
    }
    for (one, other) in found.iter_mut().zip(&again).filter(|_| same_shape) {
        differences(&one.found.value, &other.found.value, "", &mut one.generated);
    }
    (found, problems)
}

fn parse(origin: &Origin, output: &[u8]) -> (Vec<Released>, Vec<Problem>) {
    let sources = sources(output);
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for document in kube_yaml::parse(output) {
        let source = sources
            .iter()
            .rev()
            .find(|(line, _)| *line < document.line)
            .map(|(_, source)| source.as_str());
        // A source begins with the chart's name.
        let template = source.and_then(|source| source.split_once('/')).map(|(_, rest)| rest);
        let mut findings = Findings::default();
        let provenance = origin.provenance(template, document.index);
        documents::take(document, provenance, &mut findings);
        problems.extend(findings.problems);
        all.extend(findings.found.into_iter().map(|found| Released {
            found,
            template: source.unwrap_or_default().to_owned(),
            is_of_crds: template.is_some_and(is_of_crds),
            hook: None,
            generated: Vec::new(),
        }));
    }
    (all, problems)
}

/// Lines on which Helm says from which template the next document comes. Text inside of documents is indented.
fn sources(output: &[u8]) -> Vec<(usize, String)> {
    output
        .split(|byte| *byte == b'\n')
        .enumerate()
        .filter_map(|(index, line)| {
            let source = line.strip_prefix(b"# Source: ")?;
            Some((index + 1, String::from_utf8_lossy(source).trim().to_owned()))
        })
        .collect()
}

enum Role {
    Plain,
    Hook(Hook),
    /// A hook of another occasion than an installation.
    Never,
    Unknown(String),
}

/// Occasions of hooks that Helm knows and that are no installation.
const OTHER_OCCASIONS: &[&str] = &[
    "pre-delete",
    "post-delete",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "test",
    "test-success",
    "test-failure",
];

fn role(value: &Value) -> Role {
    let Some(occasions) = annotation(value, "helm.sh/hook") else {
        return Role::Plain;
    };
    let occasions: Vec<&str> = occasions.split(',').map(str::trim).filter(|o| !o.is_empty()).collect();
    let weight = annotation(value, "helm.sh/hook-weight")
        .and_then(|weight| weight.trim().parse().ok())
        .unwrap_or(0);
    // Of both, the earlier: the object is there for the later one too.
    for (occasion, after) in [("pre-install", false), ("post-install", true)] {
        if occasions.contains(&occasion) {
            return Role::Hook(Hook { after, weight });
        }
    }
    match occasions.iter().find(|occasion| !OTHER_OCCASIONS.contains(occasion)) {
        Some(unknown) => Role::Unknown((*unknown).to_owned()),
        None => Role::Never,
    }
}

/// Whether an object that already is plain text in the repository (a rendered chart) would only run at other occasions than an
/// installation: when something is deleted, rolled back or tested.
pub(super) fn is_for_other_occasions(value: &Value) -> Option<&str> {
    let occasions = annotation(value, "helm.sh/hook")?;
    let harmful = |occasion: &str| {
        let occasion = occasion.trim();
        OTHER_OCCASIONS.contains(&occasion) && !occasion.ends_with("-upgrade")
    };
    occasions.split(',').all(harmful).then_some(occasions)
}

fn annotation<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value["metadata"]["annotations"][key].as_str()
}

/// Whether a template lies in a `crds` folder, of the chart or of one in it.
pub(super) fn is_of_crds(template: &str) -> bool {
    let mut rest = template;
    while let Some(sub) = rest.strip_prefix("charts/") {
        rest = sub.split_once('/').map_or("", |(_, rest)| rest);
    }
    rest.starts_with("crds/")
}

/// The marks without which Helm refuses to take over an object that is there already.
pub(super) fn adopt(value: &mut Value, release: &str, namespace: &str) {
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    for (map, key, mark) in [
        ("labels", "app.kubernetes.io/managed-by", "Helm"),
        ("annotations", "meta.helm.sh/release-name", release),
        ("annotations", "meta.helm.sh/release-namespace", namespace),
    ] {
        let map = metadata.entry(map).or_insert_with(|| Value::Object(Map::new()));
        if map.is_null() {
            *map = Value::Object(Map::new());
        }
        if let Some(map) = map.as_object_mut() {
            map.insert(key.to_owned(), mark.into());
        }
    }
}

/// JSON pointers of the outermost places where two values differ.
fn differences(a: &Value, b: &Value, at: &str, out: &mut Vec<String>) {
    match (a, b) {
        (Value::Object(left), Value::Object(right)) => {
            for (key, value) in left {
                let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                match right.get(key) {
                    Some(other) => differences(value, other, &at, out),
                    None => out.push(at),
                }
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (value, other)) in left.iter().zip(right).enumerate() {
                differences(value, other, &format!("{at}/{index}"), out);
            }
        }
        (a, b) if a != b => out.push(at.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn chart() -> Origin {
        Origin::Folder("apps/shop".to_owned())
    }

    fn object(source: &str, kind: &str, metadata: &str, rest: &str) -> String {
        format!("---\n# Source: shop/{source}\napiVersion: v1\nkind: {kind}\nmetadata: {metadata}\n{rest}\n")
    }

    #[test]
    fn only_install_hooks_run() {
        let hook = |name: &str, hook: &str| {
            object(
                "templates/h.yaml",
                "Pod",
                &format!("{{name: {name}, annotations: {{helm.sh/hook: \"{hook}\", helm.sh/hook-weight: \"-5\"}}}}"),
                "",
            )
        };
        let text = [
            hook("a", "pre-install,pre-upgrade"),
            hook("b", "post-install"),
            hook("c", "test"),
            hook("d", "pre-delete"),
            hook("e", "crd-install"),
            hook("f", "pre-install, post-install"),
        ]
        .concat();
        let Read {
            objects: released,
            problems,
            ..
        } = read(&chart(), "shop", "ns", text.as_bytes(), text.as_bytes());
        let shown: Vec<_> = released
            .iter()
            .map(|one| {
                (
                    one.found.value["metadata"]["name"].as_str().unwrap_or("-"),
                    one.hook.clone(),
                )
            })
            .collect();
        let hook = |after| Some(Hook { after, weight: -5 });
        assert_eq!(shown, [("a", hook(false)), ("b", hook(true)), ("f", hook(false))]);
        assert_eq!(
            problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "apps/shop/templates/h.yaml: this object is not restored: Helm knows no hook crd-install, and leaves such objects out"
            ]
        );
        assert!(released[0].found.value["metadata"]["labels"].is_null());
    }

    #[test]
    fn helm_can_adopt_what_is_no_hook_and_no_crd() {
        let text = [
            object("crds/x.yaml", "A", "{name: a}", ""),
            object("charts/db/crds/x.yaml", "B", "{name: b}", ""),
            object("templates/x.yaml", "C", "{name: c, labels: null}", ""),
        ]
        .concat();
        let released = read(&chart(), "shop", "ns", text.as_bytes(), text.as_bytes()).objects;
        let marked: Vec<bool> = released
            .iter()
            .map(|one| one.found.value["metadata"]["labels"].is_object())
            .collect();
        assert_eq!(marked, [false, false, true]);
        assert_eq!(
            released[2].found.value["metadata"],
            json!({"name": "c", "labels": {"app.kubernetes.io/managed-by": "Helm"},
                "annotations": {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "ns"}})
        );
        assert_eq!(released[1].found.provenance.file, "apps/shop/charts/db/crds/x.yaml");
    }

    #[test]
    fn what_comes_out_differently_is_generated() {
        let text = |password: &str, sum: &str| {
            object(
                "templates/s.yaml",
                "Secret",
                "{name: a}",
                &format!("data: {{password: {password}, user: x, list: [1, {sum}]}}"),
            )
        };
        let Read {
            objects: released,
            problems,
            ..
        } = read(
            &chart(),
            "shop",
            "ns",
            text("YQ==", "1").as_bytes(),
            text("Yg==", "2").as_bytes(),
        );
        assert_eq!(released[0].generated, ["/data/password", "/data/list/1"]);
        assert_eq!(problems, []);
        let other = object("templates/t.yaml", "Secret", "{name: a}", "");
        let problems = read(&chart(), "shop", "ns", text("YQ==", "1").as_bytes(), other.as_bytes()).problems;
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn rendered_hooks_of_other_occasions_are_told() {
        let with = |hook: &str| {
            is_for_other_occasions(&json!({"metadata": {"annotations": {"helm.sh/hook": hook}}})).is_some()
        };
        assert!(with("test") && with("pre-delete,post-delete") && with("test-success"));
        assert!(!with("post-install,post-upgrade") && !with("crd-install") && !with("pre-upgrade"));
        assert!(is_for_other_occasions(&json!({"metadata": {"name": "a"}})).is_none());
    }
}
