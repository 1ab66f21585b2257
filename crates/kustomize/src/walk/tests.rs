//! The walk as a whole: what is read, who sets what, and what ends it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    Answer, Budgets, Chart, Errors, Files, Kustomize, LoadRestriction, Memory, Nothing, Options, Origins, Outside,
    Overlay, Request,
};

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\n";
const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  template:\n    spec:\n      \
    containers:\n      - {name: main, image: nginx}\n      - {name: side, image: busybox}\n";

fn build(files: &dyn Files, root: &str, options: Options) -> Result<Vec<Value>, Errors> {
    let build = Kustomize::new(files, &Nothing, options).build(root)?;
    Ok(build.objects.iter().map(|object| (*object.value).clone()).collect())
}

fn errors<const N: usize>(files: [(&str, &str); N]) -> Vec<String> {
    let errors = build(&Memory::from(files), "", Options::default()).expect_err("it is wrong");
    errors.errors.iter().map(ToString::to_string).collect()
}

#[test]
fn who_set_a_field_is_known() {
    let files = Memory::from([
        (
            "base/kustomization.yaml",
            "resources: [d.yaml]\nimages: [{name: nginx, newTag: '1'}]\ncommonLabels: {app: web}\n",
        ),
        ("base/d.yaml", DEPLOYMENT),
        (
            "over/kustomization.yaml",
            "resources: [../base]\nnamePrefix: p-\npatches:\n- path: patch.yaml\n- target: {kind: Deployment}\n  patch: |-\n    - {op: \
             replace, path: /spec/replicas, value: 3}\n",
        ),
        (
            "over/patch.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: side, image: \
             alpine}]}}}\n",
        ),
    ]);
    let options = Options {
        origins: Origins::Fields,
        ..Options::default()
    };
    let build = Kustomize::new(&files, &Nothing, options)
        .build("over")
        .expect("it is right");
    let origin = &build.objects[0].origin;
    assert_eq!((&*origin.file, origin.document, origin.line), ("base/d.yaml", 0, 1));
    let passed: Vec<&str> = origin.kustomizations.iter().map(AsRef::as_ref).collect();
    assert_eq!(passed, ["base/kustomization.yaml", "over/kustomization.yaml"]);
    let set: BTreeMap<&str, (&str, &str, &str)> = origin
        .fields
        .iter()
        .map(|(path, by)| (path.as_str(), (&*by.file, &*by.field, &*by.kustomization)))
        .collect();
    let (base, over) = ("base/kustomization.yaml", "over/kustomization.yaml");
    assert_eq!(
        set,
        BTreeMap::from([
            ("metadata.labels.app", (base, "commonLabels", base)),
            ("metadata.name", (over, "namePrefix", over)),
            ("spec.replicas", (over, "patches[1]", over)),
            ("spec.selector.matchLabels.app", (base, "commonLabels", base)),
            ("spec.template.metadata.labels.app", (base, "commonLabels", base)),
            (
                "spec.template.spec.containers[name=main].image",
                (base, "images[0]", base)
            ),
            (
                "spec.template.spec.containers[name=side].image",
                ("over/patch.yaml", "patches[0]", over)
            ),
        ])
    );
}

#[test]
fn origins_of_generated_and_merged_objects() {
    let files = Memory::from([
        (
            "base/kustomization.yaml",
            "configMapGenerator: [{name: c, literals: [a=1, b=2]}]\n",
        ),
        (
            "over/kustomization.yaml",
            "resources: [../base]\nconfigMapGenerator: [{name: c, behavior: merge, literals: [b=3]}]\n",
        ),
    ]);
    let options = Options {
        origins: Origins::Fields,
        ..Options::default()
    };
    let build = Kustomize::new(&files, &Nothing, options)
        .build("over")
        .expect("it is right");
    let origin = &build.objects[0].origin;
    assert_eq!(build.objects[0].value["data"], json!({"a": "1", "b": "3"}));
    assert_eq!(&*origin.file, "base/kustomization.yaml");
    assert_eq!(origin.generator.as_deref(), Some("configMapGenerator[0]"));
    assert_eq!(&*origin.fields["data.b"].kustomization, "over/kustomization.yaml");
    assert!(!origin.fields.contains_key("data.a"));
    let none = Options {
        origins: Origins::None,
        ..Options::default()
    };
    let build = Kustomize::new(&files, &Nothing, none)
        .build("over")
        .expect("it is right");
    assert_eq!(*build.objects[0].origin, crate::Origin::default());
}

#[test]
fn laid_files_are_read_and_named_by_their_label() {
    let base = Memory::from([("app/a.yaml", CONFIG_MAP)]);
    let files = Overlay::new(&base)
        .lay(
            "app/kustomization.yaml",
            "resources: [a.yaml, b.yaml]\n",
            Some("made for app"),
        )
        .lay(
            "app/b.yaml",
            CONFIG_MAP.replace("name: a", "name: b"),
            Some("decrypted b.yaml"),
        );
    let build = Kustomize::new(&files, &Nothing, Options::default())
        .build("app")
        .expect("it is right");
    assert_eq!(&*build.objects[1].origin.file, "decrypted b.yaml");
    assert_eq!(&*build.objects[1].origin.kustomizations[0], "made for app");
    assert_eq!(&*build.objects[0].origin.file, "app/a.yaml");
}

#[test]
fn unchanged_objects_are_shared_by_all_builds() {
    let files = Memory::from([("kustomization.yaml", "resources: [a.yaml]\n"), ("a.yaml", CONFIG_MAP)]);
    let kustomize = Kustomize::new(&files, &Nothing, Options::default());
    let builds = [kustomize.build(""), kustomize.build("")].map(|build| build.expect("it is right"));
    assert!(Arc::ptr_eq(&builds[0].objects[0].value, &builds[1].objects[0].value));
}

/// Brings some addresses, and says of the others that they are to be fetched.
struct Bringing(BTreeMap<&'static str, (Memory, &'static str)>);

impl Outside for Bringing {
    fn remote(&self, url: &str) -> Answer<(Arc<dyn Files + Send>, PathBuf)> {
        match self.0.get(url) {
            Some((files, path)) => Answer::Here((Arc::new(files.clone()), path.into())),
            None => Answer::Later,
        }
    }

    fn chart(&self, chart: &Chart) -> Answer<Arc<[u8]>> {
        match chart.entry.contains("\"releaseName\":\"here\"") {
            true => Answer::Here(Arc::from(
                format!("{CONFIG_MAP}# {}", chart.values.join("")).into_bytes(),
            )),
            false => Answer::Later,
        }
    }
}

#[test]
fn all_that_is_to_be_fetched_comes_back_together() {
    let files = Memory::from([(
        "kustomization.yaml",
        "resources: [github.com/o/r?ref=v1, 'https://example.com/x.yaml']\nconfigMapGenerator: [{name: c, files: \
             ['x=https://example.com/data']}]\nhelmCharts: [{name: chart, releaseName: r, valuesInline: {a: 1}}]\n",
    )]);
    let errors = Kustomize::new(&files, &Bringing(BTreeMap::new()), Options::default())
        .build("")
        .expect_err("all is elsewhere");
    assert_eq!(errors.errors, []);
    let later: Vec<String> = errors
        .later
        .iter()
        .map(|request| match request {
            Request::Remote(url) => url.clone(),
            Request::Chart(chart) => format!("{} {:?} {:?}", chart.entry, chart.values, chart.chart),
        })
        .collect();
    assert_eq!(
        later,
        [
            "github.com/o/r?ref=v1",
            "https://example.com/data",
            "https://example.com/x.yaml",
            "{\"name\":\"chart\",\"releaseName\":\"r\",\"valuesInline\":{\"a\":1}} [\"a: 1\\n\"] None",
        ]
    );
}

#[test]
fn what_was_fetched_is_built() {
    let files = Memory::from([(
        "over/kustomization.yaml",
        "namespace: shop\nresources: ['https://github.com/o/r//inner?ref=v1', 'https://example.com/x.yaml']\nhelmCharts: [{name: c, \
         releaseName: here}]\nbuildMetadata: [originAnnotations]\n",
    )]);
    let repository = Memory::from([
        ("inner/kustomization.yaml", "resources: [../other]\n"),
        ("other/kustomization.yaml", "resources: [s.yaml]\n"),
        ("other/s.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n"),
    ]);
    let single = Memory::from([("x.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n")]);
    let outside = Bringing(BTreeMap::from([
        ("https://github.com/o/r//inner?ref=v1", (repository, "inner")),
        ("https://example.com/x.yaml", (single, "x.yaml")),
    ]));
    let build = Kustomize::new(&files, &outside, Options::default())
        .build("over")
        .expect("all is there");
    let shown: Vec<String> = build
        .objects
        .iter()
        .map(|object| {
            format!(
                "{} {} {}",
                object.value["kind"], object.value["metadata"]["namespace"], object.origin.file
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            // The namespace of what a chart renders to is the chart's business.
            "\"ConfigMap\" null over/kustomization.yaml",
            "\"Secret\" \"shop\" https://example.com/x.yaml//x.yaml",
            "\"Service\" \"shop\" https://github.com/o/r//inner?ref=v1//other/s.yaml",
        ]
    );
    let annotation = &build.objects[2].value["metadata"]["annotations"]["config.kubernetes.io/origin"];
    assert_eq!(
        annotation,
        "path: other/s.yaml\nrepo: https://github.com/o/r\nref: v1\n"
    );
}

#[test]
fn the_load_restriction_can_be_lifted() {
    let files = Memory::from([
        ("over/kustomization.yaml", "resources: [../a.yaml]\n"),
        ("a.yaml", CONFIG_MAP),
    ]);
    assert!(build(&files, "over", Options::default()).is_err());
    let options = Options {
        load_restriction: LoadRestriction::None,
        ..Options::default()
    };
    assert_eq!(build(&files, "over", options).map(|objects| objects.len()), Ok(1));
}

#[test]
fn everything_wrong_is_told_once_and_at_once() {
    assert_eq!(
        errors([
            (
                "kustomization.yaml",
                "resources: [x, z, none.yaml]\nconfigMapGenerator: [{name: c, files: [gone]}]\npatches: [{path: p.yaml}]\n"
            ),
            ("x/kustomization.yaml", "resources: [../shared]\n"),
            ("z/kustomization.yaml", "resources: [../shared]\n"),
            ("shared/kustomization.yaml", "resources: [bad.yaml]\nnamespac: shop\n"),
        ]),
        [
            "shared/kustomization.yaml:2: namespac: unknown field \"namespac\"",
            "kustomization.yaml:1: resources[2]: there is no file or folder \"none.yaml\"",
            "kustomization.yaml:2: configMapGenerator[0]: \"gone\" cannot be read: there is no such file",
            "kustomization.yaml:3: patches[0].path: \"p.yaml\" cannot be read: there is no such file",
        ]
    );
}

#[test]
fn cycles_and_misplaced_components_are_refused() {
    assert_eq!(
        errors([
            ("kustomization.yaml", "resources: [a, c]\ncomponents: [b]\n"),
            ("a/kustomization.yaml", "resources: [../b, ../a]\n"),
            ("b/kustomization.yaml", "resources: [../a]\n"),
            ("c/kustomization.yaml", "kind: Component\nresources: []\n"),
        ]),
        [
            "b/kustomization.yaml:1: resources[0]: cycle: \"a\" contains \"a\", which led here",
            "a/kustomization.yaml:1: resources[1]: cycle: \"a\" contains \"a\", which led here",
            "kustomization.yaml:1: resources[1]: \"c\" is a component; it belongs into 'components'",
            "kustomization.yaml:2: components[0]: a component is expected at \"b\", and its kind is 'Kustomization'",
        ]
    );
}

#[test]
fn budgets_end_a_build() {
    let files = Memory::from([
        ("kustomization.yaml", "resources: [a.yaml, b]\nnamePrefix: p-\n"),
        ("a.yaml", CONFIG_MAP),
        ("b/kustomization.yaml", "resources: [c.yaml]\n"),
        ("b/c.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: c}\n"),
    ]);
    let enough = Budgets::default();
    for (budgets, expected) in [
        (
            Budgets { depth: 0, ..enough },
            "kustomization.yaml:1: resources[1]: too many kustomizations are within each other: the limit is 0",
        ),
        (
            Budgets {
                kustomizations: 0,
                ..enough
            },
            "kustomization.yaml:1: resources[1]: too many kustomizations are included: the limit is 0",
        ),
        (
            Budgets { files: 3, ..enough },
            "b/kustomization.yaml:1: resources[0]: too many files are read: the limit is 3",
        ),
        (
            Budgets { objects: 0, ..enough },
            "kustomization.yaml:1: resources[0]: there are too many objects: the limit is 0",
        ),
        (
            Budgets { work: 2, ..enough },
            "kustomization.yaml:2: namePrefix: the build is too much work: the limit is 2",
        ),
    ] {
        let options = Options {
            budgets,
            ..Options::default()
        };
        let errors = build(&files, "", options).expect_err("it is over the budget");
        assert_eq!(
            errors.errors.first().map(ToString::to_string).as_deref(),
            Some(expected)
        );
    }
    assert_eq!(
        build(&files, "", Options::default()).map(|objects| objects.len()),
        Ok(2)
    );
}

#[test]
fn a_root_that_is_not_there() {
    let files = Memory::from([("a/b.yaml", CONFIG_MAP)]);
    for (root, expected) in [
        ("x", "x: \"x\" cannot be built: there is no such file or folder"),
        (
            "a/b.yaml",
            "a/b.yaml: \"a/b.yaml\" cannot be built: a file was expected and a folder is there, or the other way round",
        ),
        (
            "../a",
            "../a: \"../a\" cannot be built: the path or a symbolic link leads out of the root",
        ),
        (
            "a",
            "a: there is none of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in this folder",
        ),
    ] {
        let errors = build(&files, root, Options::default()).expect_err("it is no root");
        assert_eq!(errors.to_string(), expected);
    }
}
