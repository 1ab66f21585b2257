//! What bad input comes to: each row of what people get wrong, with the whole message.

use std::collections::BTreeMap;

use crate::support::ours;

const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\n";

/// What is wrong, the files, the folder to build, and all that is said about it.
type Row = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
);

const ROWS: &[Row] = &[
    (
        "a missing file",
        &[("kustomization.yaml", "resources: [nowhere.yaml]\n")],
        "",
        "kustomization.yaml:1: resources[0]: there is no file or folder \"nowhere.yaml\"",
    ),
    (
        "a missing folder",
        &[("kustomization.yaml", "resources: [../nowhere]\n")],
        "",
        "kustomization.yaml:1: resources[0]: \"../nowhere\" cannot be read: security; it is out of the root of the files",
    ),
    (
        "a path out of the root",
        &[
            ("over/kustomization.yaml", "resources: [../a.yaml]\n"),
            ("a.yaml", OBJECT),
        ],
        "over",
        "over/kustomization.yaml:1: resources[0]: security; file \"../a.yaml\" is not in or below \"over\"",
    ),
    (
        "a patch out of the root",
        &[
            (
                "over/kustomization.yaml",
                "resources: [a.yaml]\npatches: [{path: ../p.yaml}]\n",
            ),
            ("over/a.yaml", OBJECT),
            ("p.yaml", OBJECT),
        ],
        "over",
        "over/kustomization.yaml:2: patches[0].path: security; file \"../p.yaml\" is not in or below \"over\"",
    ),
    (
        "cyclic bases",
        &[
            ("a/kustomization.yaml", "resources: [../b]\n"),
            ("b/kustomization.yaml", "resources: [../a]\n"),
        ],
        "a",
        "b/kustomization.yaml:1: resources[0]: cycle: \"a\" contains \"a\", which led here",
    ),
    (
        "an unknown field",
        &[("kustomization.yaml", "resources: []\nnamePrefx: a-\n")],
        "",
        "kustomization.yaml:2: namePrefx: unknown field \"namePrefx\"",
    ),
    (
        "an unknown field further down",
        &[(
            "kustomization.yaml",
            "configMapGenerator:\n- name: a\n  literls: [a=b]\n",
        )],
        "",
        "kustomization.yaml:3: configMapGenerator[0].literls: unknown field \"literls\"",
    ),
    (
        "a field of the wrong type",
        &[("kustomization.yaml", "resources: a.yaml\n")],
        "",
        "kustomization.yaml:1: resources: a list was expected here, and a string is here",
    ),
    (
        "a patch whose target does not exist",
        &[
            ("kustomization.yaml", "resources: [a.yaml]\npatches:\n- path: p.yaml\n"),
            ("a.yaml", OBJECT),
            ("p.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"),
        ],
        "",
        "p.yaml:1: patches[0]: no unique object for the strategic merge patch ConfigMap.v1.[noGrp]/b.[noNs]: none matches; the patch needs the apiVersion, kind, name and namespace of an object that is there before this kustomization, or a target",
    ),
    (
        "a JSON 6902 path that does not exist",
        &[
            (
                "kustomization.yaml",
                "resources: [a.yaml]\npatches:\n- target: {kind: ConfigMap}\n  patch: '[{\"op\": \"replace\", \"path\": \"/data/none/deeper\", \"value\": \"x\"}]'\n",
            ),
            ("a.yaml", OBJECT),
        ],
        "",
        "kustomization.yaml:3: patches[0]: ConfigMap.v1.[noGrp]/a.[noNs]: operation 0 (replace /data/none/deeper): the object has no such path",
    ),
    (
        "a replacement without a source",
        &[
            (
                "kustomization.yaml",
                "resources: [a.yaml]\nreplacements:\n- source: {kind: Secret, name: s}\n  targets:\n  - select: {kind: ConfigMap}\n    fieldPaths: [data.k]\n",
            ),
            ("a.yaml", OBJECT),
        ],
        "",
        "kustomization.yaml:2: replacements: nothing is selected by Secret.[noVer].[noGrp]/s.[noNs]",
    ),
    (
        "a replacement with two sources",
        &[
            (
                "kustomization.yaml",
                "resources: [a.yaml, b.yaml]\nreplacements:\n- source: {kind: ConfigMap}\n  targets:\n  - select: {kind: ConfigMap}\n    fieldPaths: [data.k]\n",
            ),
            ("a.yaml", OBJECT),
            ("b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"),
        ],
        "",
        "kustomization.yaml:2: replacements: several objects match the selector ConfigMap.[noVer].[noGrp]/[noName].[noNs]",
    ),
    (
        "a replacement whose source field is missing",
        &[
            (
                "kustomization.yaml",
                "resources: [a.yaml]\nreplacements:\n- source: {kind: ConfigMap, fieldPath: data.none}\n  targets:\n  - select: {kind: ConfigMap}\n    fieldPaths: [data.k]\n",
            ),
            ("a.yaml", OBJECT),
        ],
        "",
        "kustomization.yaml:2: replacements: fieldPath \"data.none\" is missing for the replacement source ConfigMap.[noVer].[noGrp]/[noName].[noNs]",
    ),
    (
        "a generator with a missing file",
        &[(
            "kustomization.yaml",
            "configMapGenerator:\n- name: a\n  files: [x.txt, y=y.txt]\n",
        )],
        "",
        "kustomization.yaml:2: configMapGenerator[0]: \"x.txt\" cannot be read: there is no such file",
    ),
    (
        "a generator with a missing env file",
        &[("kustomization.yaml", "secretGenerator:\n- name: a\n  envs: [x.env]\n")],
        "",
        "kustomization.yaml:2: secretGenerator[0]: \"x.env\" cannot be read: there is no such file",
    ),
    (
        "two objects with one id",
        &[
            ("kustomization.yaml", "resources: [a.yaml, b.yaml]\n"),
            ("a.yaml", OBJECT),
            ("b.yaml", OBJECT),
        ],
        "",
        "b.yaml:1: resources[1]: may not add resource with an already registered id: ConfigMap.v1.[noGrp]/a.[noNs]",
    ),
    (
        "invalid YAML in one resource",
        &[
            ("kustomization.yaml", "resources: [a.yaml, b.yaml]\n"),
            ("a.yaml", OBJECT),
            ("b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [}\n"),
        ],
        "",
        "b.yaml:3: resources[1]: malformed YAML: mismatched bracket '[' closed by '}'",
    ),
    (
        "invalid YAML in the kustomization",
        &[("kustomization.yaml", "resources:\n- a.yaml\n  b: [\n")],
        "",
        "kustomization.yaml:3: the kustomization is invalid: mapping values are not allowed in this context",
    ),
    (
        "a base without a kustomization",
        &[("kustomization.yaml", "resources: [base]\n"), ("base/a.yaml", OBJECT)],
        "",
        "base: there is none of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in this folder",
    ),
    (
        "an exec plugin",
        &[
            ("kustomization.yaml", "generators: [g.yaml]\n"),
            (
                "g.yaml",
                "apiVersion: someteam.example.com/v1\nkind: Sealer\nmetadata:\n  name: s\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: ./sealer}\n",
            ),
        ],
        "",
        "kustomization.yaml:1: generators: \"Sealer\" is an external plugin; programs, containers and functions are not run here",
    ),
    (
        "a container function",
        &[
            ("kustomization.yaml", "transformers: [t.yaml]\nresources: [a.yaml]\n"),
            ("a.yaml", OBJECT),
            (
                "t.yaml",
                "apiVersion: example.com/v1\nkind: Setter\nmetadata:\n  name: s\n  annotations:\n    config.kubernetes.io/function: |\n      container: {image: example.com/setter}\n",
            ),
        ],
        "",
        "t.yaml:1: transformers: \"Setter\" is an external plugin; programs, containers and functions are not run here",
    ),
    (
        "a remote base",
        &[(
            "kustomization.yaml",
            "resources:\n- https://example.com/org/repo//base?ref=v1\n",
        )],
        "",
        "kustomization.yaml:2: resources[0]: https://example.com/org/repo//base?ref=v1 cannot be fetched: https://example.com/org/repo//base?ref=v1 is not among the files",
    ),
    (
        "a chart",
        &[(
            "kustomization.yaml",
            "helmCharts: [{name: x, repo: https://example.com, version: 1.0.0}]\n",
        )],
        "",
        "kustomization.yaml:1: helmCharts[0]: chart x cannot be rendered: charts are not rendered here",
    ),
    (
        "several at once",
        &[
            (
                "kustomization.yaml",
                "resources: [none.yaml, a.yaml]\nconfigMapGenerator: [{name: g, files: [none.txt]}]\npatches: [{path: none.yaml}]\n",
            ),
            ("a.yaml", OBJECT),
        ],
        "",
        "kustomization.yaml:1: resources[0]: there is no file or folder \"none.yaml\"\nkustomization.yaml:2: configMapGenerator[0]: \"none.txt\" cannot be read: there is no such file\nkustomization.yaml:3: patches[0].path: \"none.yaml\" cannot be read: there is no such file",
    ),
    (
        "no such root",
        &[("a.yaml", OBJECT)],
        "nowhere",
        "nowhere: \"nowhere\" cannot be built: there is no such file or folder",
    ),
];

#[test]
fn every_mistake_is_named() {
    let mut wrong = Vec::new();
    for (what, files, root, said) in ROWS {
        let files: BTreeMap<String, String> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        match ours::build(&files, root, false) {
            Ok(objects) => wrong.push(format!("{what}: comes out as {objects:?}")),
            Err(errors) if errors != *said => wrong.push(format!("{what}:\n{errors}\n  and not\n{said}")),
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
