use serde_json::json;

use super::*;

const FILES: &[(&str, &str)] = &[
    ("app1/a.yaml", ""),
    ("app2/a.yaml", ""),
    ("app_3/a.yaml", ""),
    ("p1/app4/a.yaml", ""),
    ("p1/p2/app5/a.yaml", ""),
    (".hidden/x/a.yaml", ""),
    (
        "cluster-config/production/config.json",
        "{\"cluster\": {\"owner\": \"john\", \"address\": \"https://p\"}, \"key1\": \"v\", \"key2\": {\"a\": [1, true, null]}, \"key3\": 1234567}",
    ),
    (
        "cluster-config/staging/config.json",
        "[{\"cluster\": {\"owner\": \"foo\"}}, {\"cluster\": {\"owner\": \"bar\"}}]",
    ),
    ("broken/config.yaml", "a: [b"),
    ("broken/list.yaml", "[1]"),
];

fn secret(name: &str, server: &str, labels: Value) -> Value {
    let mut labels = labels;
    labels["argocd.argoproj.io/secret-type"] = json!("cluster");
    json!({"kind": "Secret", "metadata": {"name": name, "namespace": "argocd", "labels": labels, "annotations": {"foo.argoproj.io": name}},
        "data": {"name": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, name)}, "stringData": {"server": server}})
}

fn run(set: &Value) -> Generated {
    let secrets = [
        secret(
            "staging-01",
            "https://staging-01.example.com",
            json!({"environment": "staging"}),
        ),
        secret(
            "production_01/west",
            "https://production-01.example.com",
            json!({"environment": "production"}),
        ),
    ];
    generate(
        set,
        &Surroundings {
            secrets: &secrets,
            argo_namespace: "argocd",
            files: &|repository| match repository.url.as_str() {
                "gone" => Err("it is gone".to_owned()),
                _ => Ok(FILES.iter().map(|(path, _)| (*path).to_owned()).collect()),
            },
            read: &|_, path| {
                Ok(FILES
                    .iter()
                    .find(|(known, _)| *known == path)
                    .expect("because it is listed")
                    .1
                    .as_bytes()
                    .to_vec())
            },
            new_globbing: false,
            hidden_folders: false,
        },
    )
}

fn set(go: bool, generators: Value, name: &str) -> Value {
    json!({"metadata": {"name": "set", "namespace": "argocd"}, "spec": {"goTemplate": go, "goTemplateOptions": ["missingkey=error"], "generators": generators,
        "template": {"metadata": {"name": name}, "spec": {"project": "p", "destination": {}}}}})
}

/// The parameters of the one generator, which must be well.
fn params(go: bool, generator: Value) -> Vec<Value> {
    let mut set = set(go, json!([generator]), "x");
    set["spec"]["goTemplateOptions"] = json!([]);
    let generated = run(&set);
    let wrong: Vec<&Error> = generated
        .errors
        .iter()
        .filter(|error| !error.message.contains("both make"))
        .collect();
    assert!(
        wrong.is_empty() && generated.outside.is_empty(),
        "{wrong:?} {:?}",
        generated.outside
    );
    generated.made.into_iter().map(|made| made.params).collect()
}

fn errors(set: &Value) -> Vec<String> {
    run(set).errors.iter().map(Error::to_string).collect()
}

fn names(set: &Value) -> Vec<String> {
    let generated = run(set);
    assert_eq!(generated.errors, []);
    generated
        .made
        .iter()
        .map(|made| name(&made.application).to_owned())
        .collect()
}

/// `generators/list_test.go`, `TestGenerateListParams`, `TestGenerateListParamsGoTemplate`.
#[test]
fn lists() {
    let element = json!({"cluster": "cluster", "url": "url", "values": {"foo": "bar"}});
    let list = json!({"list": {"elements": [element]}});
    assert_eq!(
        params(false, list.clone()),
        [json!({"cluster": "cluster", "url": "url", "values.foo": "bar"})]
    );
    assert_eq!(params(true, list), [element]);
    let yaml = json!({"list": {"elements": [], "elementsYaml": "- a: 1\n- b: [x]\n"}});
    assert_eq!(params(true, yaml), [json!({"a": 1}), json!({"b": ["x"]})]);
    let wrong = |element: Value| errors(&set(false, json!([{"list": {"elements": [element]}}]), "x"));
    assert_eq!(
        wrong(json!({"a": 1})),
        ["spec.generators[0].list.elements[0].a: is a number, not a text, as it must be without goTemplate"]
    );
    assert_eq!(
        wrong(json!({"values": "x"})),
        ["spec.generators[0].list.elements[0].values: is a text, not a map"]
    );
    assert_eq!(
        wrong(json!(5)),
        ["spec.generators[0].list.elements[0]: is a number, not a map"]
    );
    let text = json!([{"list": {"elementsYaml": "a: b"}}]);
    assert_eq!(
        errors(&set(false, text, "x")),
        ["spec.generators[0].list.elementsYaml: is a map, not a list of maps"]
    );
}

fn folders(directories: Value) -> Value {
    json!({"git": {"repoURL": "r", "revision": "HEAD", "directories": directories}})
}

/// `generators/git_test.go`, `TestGitGenerateParamsFromDirectories`, `TestGitGenerateParamsFromDirectoriesGoTemplate`.
#[test]
fn git_folders() {
    let found = params(
        false,
        folders(
            json!([{"path": "*"}, {"path": "app1", "exclude": true}, {"path": "broken", "exclude": true}, {"path": "cluster-config", "exclude": true}]),
        ),
    );
    assert_eq!(
        found,
        [
            json!({"path": "app2", "path.basename": "app2", "path.basenameNormalized": "app2", "path[0]": "app2"}),
            json!({"path": "app_3", "path.basename": "app_3", "path.basenameNormalized": "app-3", "path[0]": "app_3"}),
            json!({"path": "p1", "path.basename": "p1", "path.basenameNormalized": "p1", "path[0]": "p1"}),
        ]
    );
    let paths = |directories: Value| {
        let found = params(false, folders(directories)).into_iter();
        found
            .map(|params| params["path"].as_str().expect("because it is a text").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        paths(json!([{"path": "p1/*"}, {"path": "p1/*/*"}])),
        ["p1/app4", "p1/p2", "p1/p2/app5"]
    );
    assert_eq!(
        paths(json!([{"path": "p1/*", "exclude": true}, {"path": "p1"}, {"path": "p1/*"}])),
        ["p1"]
    );
    assert_eq!(paths(json!([{"path": "["}, {"path": ".hidden"}])).len(), 0);

    let mut generator = folders(json!([{"path": "p1/app4"}]));
    generator["git"]["pathParamPrefix"] = json!("myRepo");
    generator["git"]["values"] = json!({"aaa": "{{ .myRepo.path.basename }}"});
    let path = json!({"path": "p1/app4", "basename": "app4", "basenameNormalized": "app4", "segments": ["p1", "app4"]});
    assert_eq!(
        params(true, generator.clone()),
        [json!({"myRepo": {"path": path}, "values": {"aaa": "app4"}})]
    );
    generator["git"]["values"] =
        json!({"foo": "bar", "aaa": "{{ myRepo.path[0] }}", "no-op": "{{ this-does-not-exist }}"});
    assert_eq!(
        params(false, generator),
        [
            json!({"myRepo.path": "p1/app4", "myRepo.path.basename": "app4", "myRepo.path.basenameNormalized": "app4",
        "myRepo.path[0]": "p1", "myRepo.path[1]": "app4", "values.foo": "bar", "values.aaa": "p1", "values.no-op": "{{ this-does-not-exist }}"})
        ]
    );
}

/// `generators/git_test.go`, `TestGitGenerateParamsFromFiles`, `TestGitGenerateParamsFromFilesGoTemplate`;
/// `docs/operator-manual/applicationset/Generators-Git-File-Globbing.md`.
#[test]
fn git_files() {
    let files = |paths: Value| json!({"git": {"repoURL": "r", "revision": "HEAD", "files": paths}});
    let production = files(json!([{"path": "cluster-config/production/config.json"}]));
    assert_eq!(
        params(false, production.clone()),
        [
            json!({"cluster.owner": "john", "cluster.address": "https://p", "key1": "v", "key2.a.0": "1", "key2.a.1": "true",
        "key2.a.2": "<nil>", "key3": "1.234567e+06", "path": "cluster-config/production", "path.basename": "production", "path.basenameNormalized": "production",
        "path.filename": "config.json", "path.filenameNormalized": "config.json", "path[0]": "cluster-config", "path[1]": "production"})
        ]
    );
    let found = params(true, production);
    assert_eq!(found[0]["key2"], json!({"a": [1, true, null]}));
    assert_eq!(
        found[0]["path"],
        json!({"path": "cluster-config/production", "basename": "production", "basenameNormalized": "production",
        "filename": "config.json", "filenameNormalized": "config.json", "segments": ["cluster-config", "production"]})
    );
    // Without the new globbing a star matches slashes, and a folder all that is below it.
    assert_eq!(params(true, files(json!([{"path": "*config.json"}]))).len(), 3);
    assert_eq!(
        params(
            true,
            files(json!([{"path": "./cluster-config"}, {"path": "**/production/*", "exclude": true}]))
        )
        .len(),
        2
    );
    let wrong = |path: &str| errors(&set(true, json!([files(json!([{"path": path}]))]), "x"));
    assert_eq!(
        wrong("broken/list.yaml"),
        ["spec.generators[0].git: broken/list.yaml: item 0 of the list is not a map"]
    );
    assert!(wrong("broken/config.yaml")[0].starts_with("spec.generators[0].git: broken/config.yaml: line "));
    let gone = json!([{"git": {"repoURL": "gone", "files": [{"path": "x"}]}}]);
    assert_eq!(
        errors(&set(true, gone, "x")),
        ["spec.generators[0].git: the files of gone cannot be had: it is gone"]
    );
    assert_eq!(
        errors(&set(true, json!([{"git": {"repoURL": "r"}}]), "x")),
        ["spec.generators[0].git.directories: is missing, and so is files"]
    );
}

/// `generators/cluster_test.go`, `TestGenerateParams`, `TestGenerateParamsGoTemplate`.
#[test]
fn clusters() {
    let all = params(
        false,
        json!({"clusters": {"values": {"lol1": "lol", "lol2": "{{values.lol1}}{{values.lol1}}", "bar": "{{ metadata.annotations.foo.argoproj.io }}"}}}),
    );
    assert_eq!(
        all,
        [
            json!({"name": "production_01/west", "nameNormalized": "production-01-west", "server": "https://production-01.example.com", "project": "",
            "metadata.annotations.foo.argoproj.io": "production_01/west", "metadata.labels.environment": "production",
            "metadata.labels.argocd.argoproj.io/secret-type": "cluster", "values.lol1": "lol", "values.lol2": "{{values.lol1}}{{values.lol1}}",
            "values.bar": "production_01/west"}),
            json!({"name": "staging-01", "nameNormalized": "staging-01", "server": "https://staging-01.example.com", "project": "",
            "metadata.annotations.foo.argoproj.io": "staging-01", "metadata.labels.environment": "staging",
            "metadata.labels.argocd.argoproj.io/secret-type": "cluster", "values.lol1": "lol", "values.lol2": "{{values.lol1}}{{values.lol1}}",
            "values.bar": "staging-01"}),
            json!({"name": "in-cluster", "nameNormalized": "in-cluster", "server": "https://kubernetes.default.svc", "project": "",
            "values.lol1": "lol", "values.lol2": "{{values.lol1}}{{values.lol1}}", "values.bar": "{{ metadata.annotations.foo.argoproj.io }}"}),
        ]
    );
    let selected = json!({"clusters": {"selector": {"matchLabels": {"environment": "staging"}}, "values": {"env": "{{ .metadata.labels.environment }}"}}});
    assert_eq!(
        params(true, selected),
        [
            json!({"name": "staging-01", "nameNormalized": "staging-01", "server": "https://staging-01.example.com", "project": "",
        "metadata": {"annotations": {"foo.argoproj.io": "staging-01"}, "labels": {"environment": "staging", "argocd.argoproj.io/secret-type": "cluster"}},
        "values": {"env": "staging"}})
        ]
    );
    let among = |operator: &str, values: Value| {
        let expression = json!([{"key": "environment", "operator": operator, "values": values}]);
        params(
            true,
            json!({"clusters": {"selector": {"matchExpressions": expression}}}),
        )
        .len()
    };
    assert_eq!(
        (
            among("In", json!(["staging", "production"])),
            among("NotIn", json!(["staging"])),
            among("Exists", json!([])),
            among("DoesNotExist", json!([]))
        ),
        (2, 1, 2, 0)
    );
    let flat = params(true, json!({"clusters": {"flatList": true}}));
    assert_eq!((flat.len(), flat[0]["clusters"].as_array().map(Vec::len)), (1, Some(3)));
    let unknown =
        json!([{"clusters": {"selector": {"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}}}]);
    assert_eq!(
        errors(&set(true, unknown, "x")),
        [
            "spec.generators[0].clusters.selector.matchExpressions[0].operator: \"Gt\" is no operator (In, NotIn, Exists, DoesNotExist)"
        ]
    );
}

/// `util/db/cluster.go`: a Secret whose server is the own one stands for it.
#[test]
fn the_own_cluster_may_have_a_secret() {
    let secrets = [secret("here", "https://kubernetes.default.svc", json!({}))];
    let set = set(true, json!([{"clusters": {}}]), "{{ .name }}");
    let generated = generate(
        &set,
        &Surroundings {
            secrets: &secrets,
            argo_namespace: "argocd",
            files: &|_| Ok(Vec::new()),
            read: &|_, _| Ok(Vec::new()),
            new_globbing: true,
            hidden_folders: true,
        },
    );
    assert_eq!(
        generated
            .made
            .iter()
            .map(|made| name(&made.application))
            .collect::<Vec<_>>(),
        ["here"]
    );
}

fn two(kind: &str, first: Value, second: Value) -> Value {
    json!({kind: {"mergeKeys": ["key"], "generators": [first, second]}})
}

fn list(elements: Value) -> Value {
    json!({"list": {"elements": elements}})
}

/// `generators/matrix_test.go`, `TestMatrixGenerate`, `TestMatrixGenerateGoTemplate`.
#[test]
fn matrices() {
    let both = two(
        "matrix",
        list(json!([{"a": "1"}, {"a": "2"}])),
        list(json!([{"b": "1"}, {"b": "2"}])),
    );
    let pairs = [
        json!({"a": "1", "b": "1"}),
        json!({"a": "1", "b": "2"}),
        json!({"a": "2", "b": "1"}),
        json!({"a": "2", "b": "2"}),
    ];
    assert_eq!(params(false, both.clone()), pairs);
    assert_eq!(params(true, both), pairs);
    let booleans = |a: bool| list(json!([{"no": !a, "yes": a, "map": {"x": a, "y": 1}}]));
    let over = params(true, two("matrix", booleans(true), booleans(false)));
    assert_eq!(
        over,
        [json!({"no": false, "yes": true, "map": {"x": true, "y": 1}})],
        "the first wins"
    );
    let conflict = two("matrix", list(json!([{"a": "1"}])), list(json!([{"a": "2"}])));
    assert_eq!(
        errors(&set(false, json!([conflict]), "x")),
        ["spec.generators[0].matrix: both generators give the parameter \"a\", and not the same"]
    );
    let count = |generators: Value| errors(&set(false, json!([{"matrix": {"generators": generators}}]), "x"));
    assert_eq!(
        count(json!([list(json!([]))])),
        ["spec.generators[0].matrix.generators: has 1 generators, not two"]
    );
    let three = json!([list(json!([])), list(json!([])), list(json!([]))]);
    assert_eq!(
        count(three),
        ["spec.generators[0].matrix.generators: has 3 generators, not two"]
    );
    let mut double = list(json!([]));
    double["clusters"] = json!({});
    assert_eq!(
        count(json!([double, list(json!([]))])),
        ["spec.generators[0].matrix.generators[0]: names more than one generator"]
    );
    assert_eq!(
        count(json!([{}, list(json!([]))])),
        ["spec.generators[0].matrix.generators[0]: names no generator that can be here"]
    );
}

/// `generators/matrix_test.go`, `TestInterpolatedMatrixGenerate`, `TestInterpolatedMatrixGenerateGoTemplate`,
/// `TestMatrixGenerateListElementsYaml`; `generator_spec_processor_test.go`, `TestInterpolateGeneratorValuesHandling`.
#[test]
fn the_second_generator_has_the_parameters_of_the_first() {
    let first = list(json!([{"env": "production", "items": [{"n": 1}, {"n": 2}]}]));
    let second = json!({"clusters": {"selector": {"matchLabels": {"environment": "{{ .env }}"}}, "values": {"env": "{{ .env }}", "name": "{{ .name }}", "{{ .env }}": "k"}}});
    let found = params(true, two("matrix", first.clone(), second));
    assert_eq!(
        found[0]["values"],
        json!({"env": "production", "name": "production_01/west", "{{ .env }}": "k"})
    );
    let yaml = json!({"list": {"elements": [], "elementsYaml": "{{ .items | toJson }}"}});
    let found = params(true, two("matrix", first, yaml));
    assert_eq!(
        found.iter().map(|params| params["n"].clone()).collect::<Vec<_>>(),
        [json!(1), json!(2)]
    );
    let git = folders(json!([{"path": "{{parent}}/*"}]));
    let found = params(false, two("matrix", list(json!([{"parent": "p1"}])), git));
    assert_eq!(
        found.iter().map(|params| params["path"].clone()).collect::<Vec<_>>(),
        [json!("p1/app4"), json!("p1/p2")]
    );
    let failing = two(
        "matrix",
        list(json!([{"a": "1"}])),
        folders(json!([{"path": "{{ .nope }}/*"}])),
    );
    assert_eq!(
        errors(&set(true, json!([failing]), "x")),
        ["spec.generators[0].matrix.generators[1].git.directories[0].path: map has no entry for key \"nope\""]
    );
}

/// `generators/merge_test.go`, `TestMergeGenerate`, `TestParamSetsAreUniqueByMergeKeys`.
#[test]
fn merges() {
    let base = list(json!([{"key": "a", "x": "1"}, {"key": "b", "x": "2"}]));
    let over = list(json!([{"key": "b", "x": "3", "y": "4"}, {"key": "c", "x": "5"}]));
    let merged = [json!({"key": "a", "x": "1"}), json!({"key": "b", "x": "3", "y": "4"})];
    assert_eq!(params(false, two("merge", base.clone(), over.clone())), merged);
    assert_eq!(params(true, two("merge", base.clone(), over)), merged);
    let deep = two(
        "merge",
        list(json!([{"key": 1, "m": {"a": 1, "b": 2}}])),
        list(json!([{"key": 1, "m": {"b": 3}}])),
    );
    assert_eq!(params(true, deep), [json!({"key": 1, "m": {"a": 1, "b": 3}})]);
    let twice = two("merge", list(json!([{"key": "a"}, {"key": "a"}])), base.clone());
    assert_eq!(
        errors(&set(true, json!([twice]), "x")),
        ["spec.generators[0].merge.generators[0]: two sets of parameters have the same key: [\"a\"]"]
    );
    let keyless = json!([{"merge": {"generators": [base, base]}}]);
    assert_eq!(
        errors(&set(true, keyless, "x")),
        ["spec.generators[0].merge.mergeKeys: is missing"]
    );
    assert_eq!(
        errors(&set(
            true,
            json!([{"merge": {"mergeKeys": ["a"], "generators": []}}]),
            "x"
        )),
        ["spec.generators[0].merge.generators: has 0 generators, not two or more"]
    );
}

/// `docs/operator-manual/applicationset/Generators-Matrix.md`: a matrix may hold a matrix or a merge, which hold no more of them.
#[test]
fn generators_stand_in_one_another_once() {
    let inner = two(
        "merge",
        list(json!([{"key": "a", "x": "1"}])),
        list(json!([{"key": "a", "y": "2"}])),
    );
    let outer = two("matrix", inner.clone(), list(json!([{"z": "3"}])));
    assert_eq!(
        params(false, outer.clone()),
        [json!({"key": "a", "x": "1", "y": "2", "z": "3"})]
    );
    let deeper = two("matrix", outer, list(json!([{"w": "4"}])));
    assert_eq!(
        errors(&set(false, json!([deeper]), "x")),
        [
            "spec.generators[0].matrix.generators[0].matrix.generators[0].merge: stands too deep: a matrix or merge may stand in one other only"
        ]
    );
}

/// `generators/generator_spec_processor_test.go`, `TestMatchValues`, `TestMatchValuesGoTemplate`.
#[test]
fn selectors_of_generators() {
    let mut generator =
        list(json!([{"cluster": "a", "values": {"foo": "bar"}}, {"cluster": "b", "values": {"foo": "other"}}]));
    generator["selector"] = json!({"matchLabels": {"values.foo": "bar"}});
    assert_eq!(params(false, generator.clone()).len(), 1);
    assert_eq!(params(true, generator.clone()).len(), 1);
    generator["selector"] =
        json!({"matchExpressions": [{"key": "cluster", "operator": "NotIn", "values": ["a", "https://any value"]}]});
    assert_eq!(params(true, generator.clone())[0]["cluster"], "b");
    generator["selector"] = json!({});
    assert_eq!(params(true, generator).len(), 2);
    let labels = json!({"clusters": {}, "selector": {"matchLabels": {"metadata.labels.environment": "staging"}}});
    assert_eq!(params(true, labels).len(), 1);
}

/// `utils/utils_test.go`, `TestRenderTemplateParams`, `TestRenderTemplateKeys`, `TestRenderHelmValuesObjectYaml`.
#[test]
fn templates_are_rendered_in_keys_and_values() {
    let mut set = set(
        false,
        json!([list(json!([{"one": "two", "three": "four"}]))]),
        "app-{{ one }}",
    );
    set["spec"]["template"]["metadata"]["annotations"] =
        json!({"annotation-{{one}}": "is {{ three }} {{unknown}} {{ }}"});
    set["spec"]["template"]["spec"]["source"] =
        json!({"repoURL": "r", "path": "p", "helm": {"valuesObject": {"{{one}}": ["{{three}}", 5, null]}}});
    let generated = run(&set);
    assert_eq!(generated.errors, []);
    let app = &generated.made[0].application;
    assert_eq!(
        app["metadata"],
        json!({"name": "app-two", "namespace": "argocd", "annotations": {"annotation-two": "is four {{unknown}} {{ }}"},
        "finalizers": ["resources-finalizer.argocd.argoproj.io"]})
    );
    assert_eq!(
        app["spec"]["source"]["helm"]["valuesObject"],
        json!({"two": ["four", 5, null]})
    );
    // Without an end on the line nothing is a template; with one, a tag without an end is wrong.
    set["spec"]["template"]["metadata"]["name"] = json!("a {{ one }} {{ b");
    assert_eq!(
        errors(&set),
        ["spec.template.metadata.name: cannot find the end tag \"}}\" in the template (generator 0)"]
    );
    set["spec"]["template"]["metadata"]["name"] = json!("a{{");
    assert_eq!(names(&set), ["a{{"]);
}

/// `utils/utils_test.go`, `TestRenderTemplateParamsFinalizers`.
#[test]
fn finalizers_are_set_where_there_are_none() {
    let finalizers = |policy: Value, own: Value, elements: Value| {
        let mut set = set(true, json!([list(elements)]), "x");
        set["spec"]["syncPolicy"] = policy;
        set["spec"]["template"]["metadata"]["finalizers"] = own;
        run(&set).made[0].application["metadata"].get("finalizers").cloned()
    };
    let some = || json!([{"a": 1}]);
    assert_eq!(
        finalizers(json!(null), json!(null), some()),
        Some(json!(["resources-finalizer.argocd.argoproj.io"]))
    );
    assert_eq!(
        finalizers(json!({"preserveResourcesOnDeletion": true}), json!(null), some()),
        None
    );
    assert_eq!(
        finalizers(json!({"preserveResourcesOnDeletion": false}), json!(["own"]), some()),
        Some(json!(["own"]))
    );
    assert_eq!(
        finalizers(json!(null), json!(null), json!([{}])),
        None,
        "without parameters the template is taken as it is"
    );
}

/// `generators/generator_spec_processor_test.go`, `TestTransForm`; `docs/operator-manual/applicationset/Template.md`.
#[test]
fn a_generator_may_have_a_template() {
    let mut generator = list(json!([{"a": "1"}]));
    generator["list"]["template"] =
        json!({"metadata": {"labels": {"own": "{{ .a }}"}}, "spec": {"project": "own", "source": {"path": "own"}}});
    let mut set = set(true, json!([generator]), "x-{{ .a }}");
    set["spec"]["template"]["metadata"]["labels"] = json!({"own": "no", "other": "yes"});
    set["spec"]["template"]["spec"]["source"] = json!({"repoURL": "r", "path": "base"});
    let app = run(&set).made.remove(0).application;
    assert_eq!(app["metadata"]["labels"], json!({"own": "1", "other": "yes"}));
    assert_eq!(app["spec"]["source"], json!({"path": "own", "repoURL": "r"}));
    assert_eq!(
        (app["spec"]["project"].clone(), app["metadata"]["name"].clone()),
        (json!("own"), json!("x-1"))
    );
}

/// `controllers/template/patch_test.go`, `Test_ApplyTemplatePatch`.
#[test]
fn patches() {
    let mut set = set(
        true,
        json!([list(
            json!([{"name": "a", "prune": true, "files": ["x.yaml", "y.yaml"]}])
        )]),
        "{{ .name }}",
    );
    set["spec"]["template"]["spec"]["source"] =
        json!({"repoURL": "r", "path": "p", "helm": {"valueFiles": ["old"], "releaseName": "n"}});
    set["spec"]["templatePatch"] = json!(
        "metadata:\n  annotations: {a: b}\n  finalizers: [more]\nspec:\n  project: evil\n  source:\n    helm:\n      releaseName: null\n      valueFiles:\n      {{- range .files }}\n      - {{ . }}\n      {{- end }}\n  {{- if .prune }}\n  syncPolicy: {automated: {prune: {{ .prune }}}}\n  {{- end }}\n"
    );
    let generated = run(&set);
    assert_eq!(generated.errors, []);
    let app = &generated.made[0].application;
    assert_eq!(
        app["spec"],
        json!({"project": "p", "destination": {}, "source": {"repoURL": "r", "path": "p", "helm": {"valueFiles": ["x.yaml", "y.yaml"]}},
        "syncPolicy": {"automated": {"prune": true}}})
    );
    assert_eq!(
        app["metadata"]["finalizers"],
        json!(["resources-finalizer.argocd.argoproj.io", "more"])
    );
    assert_eq!(app["metadata"]["annotations"], json!({"a": "b"}));
    let mut wrong = |patch: &str| {
        set["spec"]["templatePatch"] = json!(patch);
        errors(&set).join("\n")
    };
    assert_eq!(
        wrong("[1]"),
        "spec.templatePatch: is a list, not a map, once it is rendered (generator 0)"
    );
    assert!(wrong("a: [").starts_with("spec.templatePatch: is no YAML once it is rendered: line "));
    assert_eq!(
        wrong("{{ .nope }}"),
        "spec.templatePatch: map has no entry for key \"nope\" (generator 0)"
    );
    assert_eq!(
        wrong("spec: 5"),
        "spec.templatePatch: makes spec a number, not a map (generator 0)"
    );
    assert_eq!(
        wrong("spec: {$patch: odd}"),
        "spec.templatePatch: \"odd\" is no $patch (merge, replace, delete) (generator 0)"
    );
    assert_eq!(wrong(""), "");
}

#[test]
fn what_is_outside_is_said() {
    let generators = json!([{"scmProvider": {"github": {}}}, {"pullRequest": {}}, {"plugin": {}}, {"clusterDecisionResource": {}}, list(json!([{"a": "1"}])),
        {"matrix": {"generators": [list(json!([{"b": "1"}, {"b": "2"}])), {"plugin": {}}]}}]);
    let generated = run(&set(true, generators, "x"));
    assert_eq!(generated.errors, []);
    assert_eq!(generated.made.len(), 1);
    let outside: Vec<String> = generated.outside.iter().map(Error::to_string).collect();
    assert_eq!(
        outside,
        [
            "spec.generators[0].scmProvider: needs the repositories of an SCM provider, which is outside",
            "spec.generators[1].pullRequest: needs the pull requests of a repository, which is outside",
            "spec.generators[2].plugin: needs what a plugin answers, which is outside",
            "spec.generators[3].clusterDecisionResource: needs a resource of the cluster that names clusters, which is outside",
            "spec.generators[5].matrix.generators[1].plugin: needs what a plugin answers, which is outside",
        ]
    );
}

/// `applicationset/progressivesync/progressive_sync_test.go`, `TestBuildAppDependencyList`.
#[test]
fn steps_select_applications_by_their_labels() {
    let elements = json!([{"name": "dev", "env": "dev"}, {"name": "prod", "env": "prod"}, {"name": "none"}, {"name": "qa", "env": "qa"}]);
    let steps = |kind: &str, steps: Value| {
        let mut set = set(true, json!([list(elements.clone())]), "{{ .name }}");
        set["spec"]["goTemplateOptions"] = json!([]);
        set["spec"]["templatePatch"] =
            json!("metadata: {labels: { {{- if hasKey . \"env\" }}env: {{ .env }}{{ end -}} }}");
        set["spec"]["strategy"] = json!({"type": kind, "rollingSync": {"steps": steps}});
        let generated = run(&set);
        assert_eq!(generated.errors, []);
        let rollout: Vec<String> = generated.rollout.iter().map(Error::to_string).collect();
        (generated.made.iter().map(|made| made.step).collect::<Vec<_>>(), rollout)
    };
    let of = |operator: &str, values: Value| json!({"matchExpressions": [{"key": "env", "operator": operator, "values": values}]});
    let (found, wrong) = steps(
        "RollingSync",
        json!([
            of("In", json!(["qa", "dev"])),
            of("In", json!(["none"])),
            of("NotIn", json!(["dev"]))
        ]),
    );
    assert_eq!(
        found,
        [Some(0), Some(2), Some(2), Some(0)],
        "without the label NotIn fits"
    );
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(steps("RollingSync", json!([{}])).0, [Some(0); 4]);
    assert_eq!(steps("AllAtOnce", json!([{}])).0, [None; 4]);
    let (found, wrong) = steps("RollingSync", json!([of("Exists", json!([]))]));
    assert_eq!(found, [None, None, Some(0), None]);
    assert_eq!(
        wrong,
        ["spec.strategy.rollingSync.steps[0].matchExpressions[0].operator: is neither In nor NotIn"]
    );
}

/// `generators/cluster.go`: the selector of no Secret makes no parameters, and no error.
#[test]
fn selectors_that_no_cluster_fits_are_said() {
    let of = |tier: &str| json!({"clusters": {"selector": {"matchLabels": {"environment": tier}}}});
    let nested = two("matrix", list(json!([{"a": "1"}, {"a": "2"}])), of("none"));
    let generated = run(&set(
        true,
        json!([of("staging"), of("nobody"), nested, {"clusters": {}}]),
        "{{ .name }}-{{ .server | sha256sum | trunc 3 }}",
    ));
    let unmatched: Vec<&str> = generated.unmatched.iter().map(|error| &*error.field).collect();
    assert_eq!(
        unmatched,
        [
            "spec.generators[1].clusters.selector",
            "spec.generators[2].matrix.generators[1].clusters.selector",
        ]
    );
}

/// `controllers/applicationset_controller.go`, `validateGeneratedApplications`.
#[test]
fn one_name_for_two_applications() {
    let generators = json!([
        list(json!([{"a": "1"}, {"a": "2"}])),
        list(json!([{"a": "2"}, {"a": ""}]))
    ]);
    let found = errors(&set(true, generators, "{{ .a }}"));
    assert_eq!(
        found,
        [
            "spec.generators[1]: the generators 0 and 1 both make an Application \"2\"",
            "spec.generators[1]: makes an Application without a name"
        ]
    );
}

#[test]
fn bad_input_is_named() {
    let elements = json!([{"a": "1"}]);
    let with = |name: &str| errors(&set(true, json!([list(elements.clone())]), name));
    assert_eq!(
        with("{{ .b }}"),
        ["spec.template.metadata.name: map has no entry for key \"b\" (generator 0)"]
    );
    let several = list(json!([{"a": "1"}, {"a": "2"}]));
    assert_eq!(errors(&set(true, json!([several]), "{{ .b }}")).len(), 1, "said once");
    assert_eq!(
        with("{{ nosuch .a }}"),
        ["spec.template.metadata.name: function \"nosuch\" not defined (generator 0)"]
    );
    assert_eq!(
        with("{{ now }}"),
        ["spec.template.metadata.name: the function now cannot be used here: it reads the clock (generator 0)"]
    );
    assert_eq!(
        with("{{ if }}"),
        ["spec.template.metadata.name: missing value for if (generator 0)"]
    );
    assert_eq!(
        errors(&json!({"spec": {"template": {}}})),
        ["spec.generators: is missing"]
    );
    assert_eq!(
        errors(&json!({"spec": {"generators": []}})),
        ["spec.template: is missing, or no map"]
    );
    assert_eq!(errors(&json!({"spec": 5})).len(), 3);
    assert_eq!(
        errors(&set(true, json!([{"lst": {}}]), "x")),
        ["spec.generators[0].lst: is no generator that is known"]
    );
    assert_eq!(
        errors(&set(true, json!([{}]), "x")),
        ["spec.generators[0]: names no generator"]
    );
    let mut odd = set(true, json!([list(elements)]), "x");
    odd["spec"]["goTemplateOptions"] = json!(["missingkey=odd"]);
    assert_eq!(
        errors(&odd),
        ["spec.goTemplateOptions: \"missingkey=odd\" is no option of Go templates"]
    );
    odd["spec"]["goTemplate"] = json!(false);
    assert_eq!(errors(&odd), Vec::<String>::new());
}

#[test]
fn huge_matrices_end() {
    let many = |key: &str| {
        let elements: Vec<Value> = (0..300).map(|at| json!({key: at.to_string()})).collect();
        list(json!(elements))
    };
    let huge = two("matrix", many("a"), many("b"));
    assert_eq!(
        errors(&set(false, json!([huge]), "x")),
        ["spec.generators[0].matrix: makes more than 10000 sets of parameters"]
    );
    let mut deep = json!("x");
    for _ in 0..400 {
        deep = json!([deep]);
    }
    let found = errors(&set(true, json!([list(json!([{"deep": deep}]))]), "x"));
    assert_eq!(
        found,
        ["spec.generators[0].list.elements[0]: what the template is given has more than 300 levels"]
    );
}
