//! What must neither panic nor go on for ever: objects that are almost right, values of any shape, templates of any text.

use argo_cd::application::{Application, Cluster, Directory, ValueFile, chosen_files, overridden};
use argo_cd::appset::{Surroundings, generate};
use argo_cd::project::Project;
use argo_cd::sync::{AppOptions, ObjectOptions, order, place};
use argo_cd::template::{MissingKey, render};
use argo_cd::tracking::{Tracking, TrackingId};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Texts that mean something somewhere.
const WORDS: &[&str] = &[
    "",
    "a",
    "{{",
    "}}",
    "{{ .a }}",
    "{{ range .b }}{{ . }}{{ end }}",
    "{{a}}",
    "*",
    "**/*.yaml",
    "[",
    "{a,b}",
    "!*",
    "/(/",
    "$values/x",
    "in-cluster",
    "-1",
    "é",
    "\n",
    "- a: 1",
    "{{ .a | repeat 100000000 }}",
    "{{ until 100000000 }}",
    "{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}",
    "{{ set . \"a\" . }}",
];

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        proptest::sample::select(WORDS).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof![
            proptest::sample::select(WORDS).prop_map(str::to_owned),
            "[a-z]{1,3}".prop_map(|key| key)
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// A value of an object put in the place of another.
fn changed(mut object: Value, at: usize, with: Value) -> Value {
    fn places(value: &Value, path: String, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| {
                places(
                    value,
                    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")),
                    found,
                )
            }),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(at, value)| places(value, format!("{path}/{at}"), found)),
            _ => {}
        }
        found.push(path);
    }
    let mut found = Vec::new();
    places(&object, String::new(), &mut found);
    let place = &found[at % found.len()];
    *object.pointer_mut(place).expect("because it was just found") = with;
    object
}

fn app() -> Value {
    json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "a", "namespace": "argocd",
        "annotations": {"argocd.argoproj.io/hook": "PreSync", "argocd.argoproj.io/sync-wave": "1", "argocd.argoproj.io/sync-options": "Prune=false"}, "labels": {"a": "b"}},
        "spec": {"project": "p", "destination": {"server": "https://kubernetes.default.svc", "namespace": "n"},
            "sources": [{"repoURL": "r", "path": "p", "helm": {"valueFiles": ["$v/x.yaml", "*.yaml"], "parameters": [{"name": "a", "value": "b"}], "valuesObject": {"a": 1}}},
                {"repoURL": "r", "ref": "v"}, {"repoURL": "r", "path": "q", "kustomize": {"images": ["a"], "replicas": [{"name": "a", "count": 1}]}},
                {"repoURL": "r", "path": "d", "directory": {"recurse": true, "include": "*.yaml", "jsonnet": {"libs": ["x"]}}}],
            "syncPolicy": {"automated": {"prune": true}, "syncOptions": ["CreateNamespace=true"], "managedNamespaceMetadata": {"labels": {"a": "b"}}},
            "ignoreDifferences": [{"kind": "A", "jsonPointers": ["/a"]}]}})
}

fn project() -> Value {
    json!({"metadata": {"name": "p"}, "spec": {"sourceRepos": ["https://*", "!x"], "destinations": [{"server": "*", "namespace": "!kube-*"}],
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}], "namespaceResourceBlacklist": [{"group": "", "kind": "[A-"}], "sourceNamespaces": ["/^a/"]}})
}

fn set(go: bool) -> Value {
    json!({"metadata": {"name": "s", "namespace": "argocd"}, "spec": {"goTemplate": go, "goTemplateOptions": ["missingkey=error"],
        "generators": [
            {"list": {"elements": [{"a": "1", "b": "x"}], "elementsYaml": "- a: 2\n"}, "selector": {"matchLabels": {"a": "1"}}},
            {"matrix": {"generators": [{"git": {"repoURL": "r", "directories": [{"path": "*"}]}}, {"clusters": {"values": {"v": "{{ .path.path }}"}}}]}},
            {"merge": {"mergeKeys": ["a"], "generators": [{"list": {"elements": [{"a": "1"}]}}, {"list": {"elements": [{"a": "1", "c": "d"}]}}]}},
            {"git": {"repoURL": "r", "files": [{"path": "**/*.json"}], "values": {"x": "{{ .path.basename }}"}}},
        ],
        "template": {"metadata": {"name": "x-{{ .a }}", "labels": {"{{ .a }}": "b"}}, "spec": {"project": "p", "source": {"repoURL": "r", "path": "{{ .a }}"}, "destination": {"name": "n"}}},
        "templatePatch": "spec:\n  syncPolicy: {automated: {}}\n"}})
}

fn run(set: &Value) {
    let files = ["a/x.json", "b/c/y.json", "z.yaml"];
    let secret = json!({"kind": "Secret", "metadata": {"namespace": "argocd", "labels": {"argocd.argoproj.io/secret-type": "cluster"}}, "data": {"name": "YQ==", "server": "%"}});
    let surroundings = Surroundings {
        secrets: &[secret, set.clone()],
        argo_namespace: "argocd",
        files: &|_| Ok(files.map(str::to_owned).to_vec()),
        read: &|_, _| Ok(b"{\"a\": {\"b\": [1]}}".to_vec()),
        new_globbing: true,
        hidden_folders: false,
    };
    let generated = generate(set, &surroundings);
    for made in &generated.made {
        assert!(made.application["spec"].is_object(), "{}", made.application);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn objects_that_are_almost_right(at in any::<usize>(), with in any_value(), more in any::<usize>(), go in any::<bool>()) {
        let object = changed(changed(app(), at, with.clone()), more, with.clone());
        if let Ok(app) = Application::read(&object) {
            let _ = app.created_namespace(std::slice::from_ref(&object));
            let _ = Project::default_project().violations(&app, &Cluster::own(), "argocd");
            for source in &app.sources {
                let files = source.helm.iter().flat_map(|helm| &helm.value_files);
                files.for_each(|file| drop(ValueFile::paths(file, &source.path, ["a.yaml", "b/c.yaml"])));
                let _ = chosen_files(&source.directory.clone().unwrap_or_default(), ["a.yaml", "b/c.json"]);
            }
        }
        let _ = (place(&object), ObjectOptions::of(&object), order(&[object.clone(), with.clone(), app()]));
        let mut marked = object.clone();
        let _ = Tracking::default().mark(&mut marked, "app", "ns");
        let _ = Tracking::default().app_of(&marked);
        let _ = overridden(&app()["spec"]["sources"][0], &[with.clone(), object]);
        if let Ok(project) = Project::read(&changed(project(), at, with.clone())) {
            let _ = project.permits_source("https://a/b");
            let _ = project.permits_destination(&Cluster::own(), "kube-system");
            let _ = project.permits_app_namespace("x", "argocd");
            let _ = project.object_violation(&with, true, &Cluster::own());
        }
        run(&changed(changed(set(go), at, with.clone()), more, with));
    }

    #[test]
    fn any_text_is_a_template_or_none(parts in proptest::collection::vec(proptest::sample::select(PARTS), 0..14), odd in ".{0,8}", data in any_value()) {
        let text = parts.concat() + &odd;
        let params = data.as_object().cloned().unwrap_or_default();
        let _ = render(&text, &params, MissingKey::NoValue);
        let _ = render(&format!("{{{{{text}}}}}"), &params, MissingKey::Error);
    }

    #[test]
    fn any_glob_is_one_or_none(include in "[a*?\\[\\]{},!^/\\\\-]{0,20}", file in "[a/*.-]{0,20}") {
        let directory = Directory { include: include.clone(), recurse: true, disable_extension_filter: true, ..Directory::default() };
        let _ = chosen_files(&directory, [file.as_str()]);
        let _ = ValueFile::Own(include).paths("", [file.as_str()]);
    }

    #[test]
    fn any_text_is_a_tracking_id_or_none(text in "[a:/é]{0,20}", options in proptest::collection::vec(".{0,20}", 0..4)) {
        if let Some(id) = TrackingId::parse(&text) {
            prop_assert_eq!(id.to_string(), text);
        }
        let _ = AppOptions::read(options.iter().map(String::as_str));
    }
}

/// Pieces of templates.
const PARTS: &[&str] = &[
    "{{",
    "}}",
    "{{- ",
    " -}}",
    "if ",
    "else ",
    "end",
    "range ",
    "with ",
    "define \"t\"",
    "template \"t\" ",
    "break",
    "$x := ",
    "$x",
    ".a",
    ".",
    "|",
    "(",
    ")",
    "\"s\"",
    "`r`",
    "'c'",
    "1",
    "-1",
    "1e9",
    "0x",
    "99999999999999999999",
    "printf ",
    "\"%v %d %999999d %*d\" ",
    "until ",
    "repeat ",
    "list ",
    "dict ",
    "set $ \"a\" $ ",
    "merge $ $ ",
    "toJson $ ",
    "index ",
    "slice ",
    "trunc 1 ",
    "\"é\" ",
    "regexFind \"(a+)+$\" ",
    "fromYaml ",
    "fromJson ",
    "seq 1 2 1000000000 ",
    "untilStep 0 1 -1 ",
    "chunk 0 ",
    "dig \"a\" ",
    "deepCopy $ ",
    " ",
    "\n",
    "/*",
    "*/",
    ",",
    "=",
];

#[test]
fn templates_without_end_are_stopped() {
    let data = json!({"a": "x", "l": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]});
    let data = data.as_object().expect("because it is a map");
    let nested = |text: &str, times: usize, inner: &str, end: &str| text.repeat(times) + inner + &end.repeat(times);
    for text in [
        "{{ range until 1000000000 }}x{{ end }}".to_owned(),
        "{{ range 1000000000 }}x{{ end }}".to_owned(),
        nested("{{ range $.l }}", 9, "x", "{{ end }}"),
        "{{ repeat 1000000000 \"x\" }}".to_owned(),
        "{{ printf \"%1000000000d\" 1 }}".to_owned(),
        "{{ indent 1000000000 .a }}".to_owned(),
        "{{ $x := \"ab\" }}{{ range until 60 }}{{ $x = printf \"%s%s\" $x $x }}{{ end }}{{ $x }}".to_owned(),
        "{{ $x := list }}{{ range until 100000 }}{{ $x = list $x }}{{ end }}{{ $x }}".to_owned(),
        "{{ $x := list 1 2 3 }}{{ range until 40 }}{{ $x = concat $x $x }}{{ end }}{{ $x }}".to_owned(),
        "{{ $x := list 1 2 3 }}{{ range until 40 }}{{ $x = list $x $x $x }}{{ end }}{{ $x }}".to_owned(),
        "{{ $_ := set . \"a\" . }}{{ . }}".to_owned(),
        "{{ $_ := set . \"a\" . }}{{ toJson . | mustFromJson }}".to_owned(),
        "{{ $_ := set . \"a\" . }}{{ printf \"%d\" . }}".to_owned(),
        "{{ $_ := set . \"a\" . }}{{ deepCopy . }}".to_owned(),
        "{{ $x := list 1 2 3 }}{{ range until 40 }}{{ $x = list $x $x $x }}{{ end }}{{ printf \"%d\" $x }}".to_owned(),
        "{{ $x := list 1 }}{{ $y := list 1 }}{{ range until 40 }}{{ $x = list $x $x }}{{ $y = list $y $y }}{{ end }}{{ deepEqual $x $y }}".to_owned(),
        "{{ $x := list 1 }}{{ range until 40 }}{{ $x = list $x $x }}{{ end }}{{ deepCopy $x }}".to_owned(),
        "{{ $x := repeat 1000000 \"x\" }}{{ $l := list $x }}{{ range until 15 }}{{ $l = concat $l $l }}{{ end }}{{ join \"\" $l }}".to_owned(),
        "{{ regexReplaceAll \"\" (repeat 1000000 \"x\") (repeat 1000000 \"y\") }}".to_owned(),
        "{{ $x := repeat 1000000 \"x\" }}{{ range until 100000 }}{{ $_ := upper $x }}{{ end }}".to_owned(),
        "{{ define \"t\" }}{{ template \"t\" . }}{{ end }}{{ template \"t\" . }}".to_owned(),
        nested("(", 100_000, ".a", ")"),
        nested("{{ if .a }}", 100_000, "x", "{{ end }}"),
        nested("{{ if .a }}x{{ else }}", 0, "x", "") + &"{{ if .a }}x{{ else ".repeat(10_000),
        format!("{{{{ {} }}}}", nested("(", 100_000, ".a", ")")),
        format!("{{{{ {} }}}}", nested("list (", 5_000, ".a", ")")),
        format!("{{{{ regexMatch {:?} .a }}}}", "(a{1000}){1000}".repeat(3) + "["),
    ] {
        let start = std::time::Instant::now();
        let result = render(&text, data, MissingKey::NoValue);
        let short: String = text.chars().take(80).collect();
        assert!(start.elapsed().as_secs() < 20, "{short} takes {:?}", start.elapsed());
        match short.starts_with('(') || short.contains("regexMatch") || short.contains("mustFromJson") {
            true => {}
            false => assert!(result.is_err(), "{short} is stopped"),
        }
    }
}
