//! What is fuzzed: any bytes as a kustomization, and as a patch. Also called by the tests, with seeds made a little different.

use kustomize::{Budgets, Kustomize, Memory, Nothing, Options, Origins};

/// Budgets that keep a run short.
const BUDGETS: Budgets = Budgets {
    depth: 16,
    kustomizations: 100,
    files: 1_000,
    bytes: 1 << 20,
    objects: 1_000,
    work: 100_000,
};

/// Files that bytes may name.
const AROUND: &[(&str, &str)] = &[
    ("a.yaml", OBJECTS),
    (
        "p.yaml",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {p: \"1\"}}\n",
    ),
    ("j.yaml", "[{op: add, path: /data/j, value: x}]\n"),
    (
        "r.yaml",
        "source: {kind: ConfigMap, name: c, fieldPath: data.k}\ntargets: [{select: {kind: Widget}, fieldPaths: [spec.text]}]\n",
    ),
    (
        "t.yaml",
        "{apiVersion: builtin, kind: PrefixTransformer, metadata: {name: t}, prefix: t-, fieldSpecs: [{path: metadata/name}]}\n",
    ),
    (
        "g.yaml",
        "{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: g}, literals: [a=b]}\n",
    ),
    (
        "c.yaml",
        "nameReference: [{kind: ConfigMap, fieldSpecs: [{kind: Widget, path: spec/config}]}]\n",
    ),
    ("f.txt", "text\n"),
    ("e.env", "A=1\nB=2\n"),
    (
        "base/kustomization.yaml",
        "resources: [b.yaml]\nnamePrefix: b-\nconfigMapGenerator: [{name: g, literals: [a=b]}]\n",
    ),
    (
        "base/b.yaml",
        "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: x}, ports: [{port: 80}]}}\n",
    ),
    (
        "comp/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -c\n",
    ),
];

const OBJECTS: &str = "\
{apiVersion: v1, kind: ConfigMap, metadata: {name: c, labels: {app: x}}, data: {k: v, dotted.key: d}}
---
{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}, spec: {text: a-b, config: c, none: null, list: [1, two, {name: x, v: 3}], image: \"nginx:1\"}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, namespace: ns, annotations: {note: x}}
spec:
  replicas: 1
  selector: {matchLabels: {app: d}}
  template:
    metadata: {labels: {app: d}}
    spec:
      volumes: [{name: v, configMap: {name: c}}]
      containers: [{name: x, image: \"nginx:1\", args: [a, $(V)], env: [{name: A, value: a}], ports: [{containerPort: 80}]}, {name: y}]
";

fn build(files: &[(&str, &[u8])]) {
    let mut memory = Memory::default();
    for (path, text) in AROUND {
        memory.put(path, *text, None);
    }
    for (path, bytes) in files {
        memory.put(path, *bytes, None);
    }
    let options = Options {
        budgets: BUDGETS,
        origins: Origins::Fields,
        ..Options::default()
    };
    if let Err(errors) = Kustomize::new(&memory, &Nothing, options).build("") {
        assert!(!errors.to_string().is_empty(), "because an error says what is wrong");
    }
}

/// Any bytes as a kustomization, among files that it may name.
pub fn kustomization(bytes: &[u8]) {
    build(&[("kustomization.yaml", bytes)]);
}

/// Any bytes as a patch: of the object that it names, of a target, and as each of the old spellings.
pub fn patch(bytes: &[u8]) {
    const WAYS: [&str; 4] = [
        "resources: [a.yaml]\npatches: [{path: it}]\n",
        "resources: [a.yaml]\npatches: [{path: it, target: {kind: Deployment}, options: {allowNameChange: true, allowKindChange: true}}]\n",
        "resources: [a.yaml]\npatchesStrategicMerge: [it]\n",
        "resources: [a.yaml]\npatchesJson6902: [{path: it, target: {version: v1, kind: Widget, name: w}}]\n",
    ];
    for way in WAYS {
        build(&[("kustomization.yaml", way.as_bytes()), ("it", bytes)]);
    }
}
