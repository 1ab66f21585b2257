//! Kustomizations upon kustomizations.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::objects::{self, IMAGES, NAMES, NAMESPACES};
use super::rng::Rng;
use super::{patches, place};

/// Kinds of which `replicas` can be set.
const SCALED: &[&str] = &["Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"];

/// Files and the folder to build.
#[derive(Clone)]
pub struct Case {
    pub files: BTreeMap<String, String>,
    pub root: String,
}

/// A kustomization, and what is known of the objects that it has.
#[derive(Clone)]
struct Layer {
    path: String,
    objects: Vec<Value>,
}

/// Writes a kustomization and its files.
struct Writer<'a> {
    rng: &'a mut Rng,
    files: &'a mut BTreeMap<String, String>,
    path: String,
    fields: Map<String, Value>,
    objects: Vec<Value>,
    /// Chance of the rarer fields.
    rare: usize,
}

/// A case of a seed.
pub fn case(seed: u64) -> Case {
    let mut rng = Rng::new(seed);
    let mut files = BTreeMap::new();
    let rng = &mut rng;
    let mut bases: Vec<Layer> = Vec::new();
    for at in 0..1 + rng.below(2) {
        bases.push(layer(rng, &mut files, format!("base{at}"), &[], &[], false));
    }
    let mut components: Vec<Layer> = Vec::new();
    if rng.chance(30) {
        let mut known = Layer {
            path: "comp0".to_owned(),
            objects: bases[0].objects.clone(),
        };
        known.objects.truncate(2);
        components.push(layer(rng, &mut files, "comp0".to_owned(), &[], &[known], true));
    }
    let mut top = bases.clone();
    for at in 0..rng.below(3) {
        let below = match top.len() {
            1 => top.clone(),
            _ => rng.some(&top, 80),
        };
        let with = rng.some(&components, 50);
        top = vec![layer(rng, &mut files, format!("over{at}"), &below, &with, false)];
    }
    let root = top[0].path.clone();
    schema(rng, &mut files, &root);
    if rng.chance(8) {
        spoil(rng, &mut files);
    }
    if rng.chance(4) {
        odd(rng, &mut files);
    }
    Case { files, root }
}

/// Merge keys for a kind of one's own, in a schema that takes the place of the built-in one.
fn schema(rng: &mut Rng, files: &mut BTreeMap<String, String>, root: &str) {
    let names = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
    let path = names
        .map(|name| format!("{root}/{name}"))
        .into_iter()
        .find(|path| files.contains_key(path));
    let Some(path) = path.filter(|_| rng.chance(3)) else {
        return;
    };
    let key = json!({ "type": "array", "items": { "type": "object" }, "x-kubernetes-patch-merge-key": "name", "x-kubernetes-patch-strategy": "merge" });
    let schema = json!({ "definitions": { "Widget": {
        "properties": { "spec": { "properties": { "items": key } } },
        "x-kubernetes-group-version-kind": [{ "group": "example.com", "version": "v1", "kind": "Widget" }],
    } } });
    files.insert(format!("{root}/schema.json"), schema.to_string());
    files
        .entry(path)
        .and_modify(|text| text.push_str("openapi:\n  path: schema.json\n"));
}

fn layer(
    rng: &mut Rng,
    files: &mut BTreeMap<String, String>,
    path: String,
    below: &[Layer],
    components: &[Layer],
    is_component: bool,
) -> Layer {
    let objects = below
        .iter()
        .chain(components)
        .flat_map(|layer| layer.objects.clone())
        .collect();
    let rare = if rng.chance(50) { 0 } else { 25 };
    let mut writer = Writer {
        rng,
        files,
        path: path.clone(),
        fields: Map::new(),
        objects,
        rare,
    };
    if is_component {
        writer.set("apiVersion", json!("kustomize.config.k8s.io/v1alpha1"));
        writer.set("kind", json!("Component"));
    }
    let mut resources: Vec<Value> = below.iter().map(|layer| json!(format!("../{}", layer.path))).collect();
    if below.is_empty() || writer.rng.chance(40) {
        resources.extend(writer.resources());
    }
    writer.set("resources", Value::Array(resources));
    if !components.is_empty() && !is_component {
        let named = components.iter().map(|layer| json!(format!("../{}", layer.path)));
        writer.set("components", named.collect());
    }
    writer.generators();
    writer.names();
    writer.marks();
    writer.images();
    writer.patches();
    writer.replacements();
    writer.rare_fields();
    let Writer { fields, objects, .. } = writer;
    let name = *rng.pick(&[
        "kustomization.yaml",
        "kustomization.yaml",
        "kustomization.yml",
        "Kustomization",
    ]);
    files.insert(format!("{path}/{name}"), kube_yaml::to_string(&Value::Object(fields)));
    Layer { path, objects }
}

impl Writer<'_> {
    fn set(&mut self, field: &str, value: Value) {
        self.fields.insert(field.to_owned(), value);
    }

    /// Writes a file and names it.
    fn file(&mut self, name: &str, documents: &[Value]) -> Value {
        let text: String = match documents {
            [one] if self.rng.chance(10) => one.to_string(),
            _ => documents
                .iter()
                .map(|document| format!("---\n{}", kube_yaml::to_string(document)))
                .collect(),
        };
        self.files.insert(format!("{}/{name}", self.path), text);
        json!(name)
    }

    fn known(&mut self) -> Option<Value> {
        (!self.objects.is_empty()).then(|| self.rng.pick(&self.objects).clone())
    }

    fn resources(&mut self) -> Vec<Value> {
        let mut names = Vec::new();
        for at in 0..1 + self.rng.below(2) {
            let mut documents: Vec<Value> = (0..1 + self.rng.below(4)).map(|_| objects::any(self.rng)).collect();
            let is_new = |objects: &[Value], one: &Value| {
                objects
                    .iter()
                    .all(|other| other["kind"] != one["kind"] || patches::name(other) != patches::name(one))
            };
            let mut kept = Vec::new();
            for document in documents.drain(..) {
                if is_new(&self.objects, &document) || self.rng.chance(2) {
                    self.objects.push(document.clone());
                    kept.push(document);
                }
            }
            if self.rng.chance(4) && kept.len() > 1 {
                kept = vec![json!({ "apiVersion": "v1", "kind": "List", "items": kept })];
            }
            names.push(self.file(&format!("r{at}.yaml"), &kept));
        }
        names
    }

    fn generators(&mut self) {
        for (field, kind) in [("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")] {
            if !self.rng.chance(25) {
                continue;
            }
            let mut list: Vec<Value> = Vec::new();
            for _ in 0..1 + self.rng.below(2) {
                let name = *self.rng.pick(NAMES);
                let is_there = |one: &Value| one["kind"] == kind && patches::name(one) == name;
                let known = self.objects.iter().find(|one| is_there(one)).cloned();
                let mut generator = self.generator(name);
                if let Some(namespace) = known.as_ref().map(|known| known["metadata"]["namespace"].clone())
                    && self.rng.chance(95)
                {
                    generator["namespace"] = namespace;
                }
                if known.is_some() || self.rng.chance(2) {
                    generator["behavior"] = json!(
                        self.rng
                            .pick(&["merge", "merge", "merge", "replace", "replace", "create"])
                    );
                }
                if kind == "Secret" && self.rng.chance(20) {
                    generator["type"] = json!("kubernetes.io/tls");
                }
                if !list.iter().any(|one| one["name"] == name) || self.rng.chance(5) {
                    list.push(generator);
                    let made = json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name } });
                    self.objects.extend(known.is_none().then_some(made));
                }
            }
            self.set(field, Value::Array(list));
        }
        if self.rng.chance(self.rare / 2) {
            let options = self.generator_options();
            self.set("generatorOptions", options);
        }
    }

    fn generator(&mut self, name: &str) -> Value {
        let mut generator = json!({ "name": name });
        if self.rng.chance(70) {
            let literals = ["a=1", "b=two words", "c='quoted'", "d=", "e=x=y", "key=true"];
            generator["literals"] = json!(self.rng.some(&literals, 40));
        }
        if self.rng.chance(30) {
            self.files.insert(
                format!("{}/f.txt", self.path),
                self.rng.pick(&["one\ntwo\n", "x", "", "a: b\n- c\t#\n"]).to_string(),
            );
            generator["files"] = json!([self.rng.pick(&["f.txt", "k=f.txt", "./f.txt"])]);
        }
        if self.rng.chance(20) {
            self.files.insert(
                format!("{}/e.env", self.path),
                self.rng
                    .pick(&["A=1\nB=2\n", "# c\n\nC = x \nD=\"q\"\n", ""])
                    .to_string(),
            );
            generator["envs"] = json!(["e.env"]);
        }
        if self.rng.chance(15) {
            generator["namespace"] = json!(self.rng.pick(NAMESPACES));
        }
        if self.rng.chance(20) {
            generator["options"] = self.generator_options();
        }
        generator
    }

    fn generator_options(&mut self) -> Value {
        let mut options = json!({});
        for (key, value) in [
            ("disableNameSuffixHash", json!(true)),
            ("immutable", json!(true)),
            ("labels", json!({ "g": "1" })),
            ("annotations", json!({ "g": "2" })),
        ] {
            if self.rng.chance(40) {
                options[key] = value;
            }
        }
        options
    }

    fn names(&mut self) {
        if self.rng.chance(35) {
            let prefix = json!(self.rng.pick(&["p-", "q-", "x"]));
            self.set("namePrefix", prefix);
        }
        if self.rng.chance(20) {
            let suffix = json!(self.rng.pick(&["-s", "-t"]));
            self.set("nameSuffix", suffix);
        }
        if self.rng.chance(20) {
            let namespace = json!(self.rng.pick(NAMESPACES));
            self.set("namespace", namespace);
        }
    }

    fn marks(&mut self) {
        if self.rng.chance(15) {
            let labels = objects::labels(self.rng);
            self.set("commonLabels", labels);
        }
        if self.rng.chance(15) {
            let labels = objects::labels(self.rng);
            self.set("commonAnnotations", labels);
        }
        if self.rng.chance(25) {
            let mut label = json!({ "pairs": { "team": self.rng.pick(NAMES), "l": "5" } });
            for key in self.rng.some(&["includeSelectors", "includeTemplates"], 30) {
                label[key] = json!(true);
            }
            if self.rng.chance(20) {
                label["fields"] = json!([{ "path": "spec/selector", "kind": "Widget", "create": true }]);
            }
            self.set("labels", json!([label]));
        }
    }

    fn images(&mut self) {
        if self.rng.chance(25) {
            let mut image = json!({ "name": self.rng.pick(IMAGES).split([':', '@']).next() });
            let sets = [
                ("newName", json!("new/name")),
                ("newTag", json!("v9")),
                ("digest", json!("sha256:33")),
                ("tagSuffix", json!("-x")),
            ];
            for (key, value) in sets {
                if self.rng.chance(35) {
                    image[key] = value;
                }
            }
            self.set("images", json!([image]));
        }
        if self.rng.chance(15) {
            let scaled = self
                .objects
                .iter()
                .filter(|one| SCALED.iter().any(|kind| one["kind"] == *kind));
            let names: Vec<String> = scaled.map(|one| patches::name(one).to_owned()).collect();
            if !names.is_empty() {
                let name = self.rng.pick(&names).clone();
                let count = self.rng.below(9);
                self.set("replicas", json!([{ "name": name, "count": count }]));
            }
        }
    }

    /// A patch as text, in the kustomization or in a file.
    fn put(&mut self, entry: &mut Value, name: &str, patch: &Value) {
        if self.rng.chance(50) {
            entry["path"] = self.file(name, std::slice::from_ref(patch));
        } else if self.rng.chance(70) {
            entry["patch"] = json!(kube_yaml::to_string(patch));
        } else {
            entry["patch"] = json!(patch.to_string());
        }
    }

    fn patches(&mut self) {
        let mut entries = Vec::new();
        for at in 0..[0, 0, 1, 1, 2, 3][self.rng.below(6)] {
            let Some(of) = self.known() else { return };
            let mut entry = json!({});
            if self.rng.chance(65) {
                let patch = patches::merge(self.rng, &of);
                self.put(&mut entry, &format!("p{at}.yaml"), &patch);
                if self.rng.chance(25) {
                    entry["target"] = patches::target(self.rng, &of, 40);
                }
                if self.rng.chance(10) {
                    entry["options"] = json!({ "allowNameChange": true, "allowKindChange": self.rng.chance(50) });
                }
            } else {
                let patch = patches::json6902(self.rng, &of);
                self.put(&mut entry, &format!("p{at}.json"), &patch);
                entry["target"] = patches::target(self.rng, &of, 15);
            }
            entries.push(entry);
        }
        if !entries.is_empty() {
            self.set("patches", Value::Array(entries));
        }
        let Some(of) = self.known() else { return };
        if self.rng.chance(self.rare / 3) {
            let patch = patches::merge(self.rng, &of);
            let entry = if self.rng.chance(50) {
                self.file("m.yaml", &[patch])
            } else {
                json!(kube_yaml::to_string(&patch))
            };
            self.set("patchesStrategicMerge", json!([entry]));
        }
        if self.rng.chance(self.rare / 3) {
            let mut entry = json!({ "target": { "version": "v1", "kind": of["kind"], "name": patches::name(&of) } });
            let patch = patches::json6902(self.rng, &of);
            self.put(&mut entry, "j.yaml", &patch);
            self.set("patchesJson6902", json!([entry]));
        }
    }

    fn replacements(&mut self) {
        if !self.rng.chance(25) {
            return;
        }
        let mut list = Vec::new();
        for _ in 0..1 + self.rng.below(2) {
            if let (Some(from), Some(to)) = (self.known(), self.known()) {
                list.push(patches::replacement(self.rng, &from, &to));
            }
        }
        if self.rng.chance(15) {
            let name = self.file("rep.yaml", &[Value::Array(list)]);
            list = vec![json!({ "path": name })];
        }
        self.set("replacements", Value::Array(list));
    }

    fn rare_fields(&mut self) {
        if self.rng.chance(self.rare / 2)
            && let Some(of) = self.known()
        {
            let objref = json!({ "apiVersion": of["apiVersion"], "kind": of["kind"], "name": patches::name(&of) });
            self.set("vars", json!([{ "name": "VAR", "objref": objref }]));
        }
        if self.rng.chance(self.rare / 2) {
            let name = self.configuration();
            self.set("configurations", json!([name]));
        }
        if self.rng.chance(self.rare) {
            let transformer = self.transformer();
            let name = self.file("t.yaml", &[transformer]);
            self.set("transformers", json!([name]));
        }
        if self.rng.chance(self.rare / 3) {
            let generator = json!({ "apiVersion": "builtin", "kind": "ConfigMapGenerator", "metadata": { "name": "made" }, "literals": ["a=b"] });
            let name = self.file("g.yaml", &[generator]);
            self.set("generators", json!([name]));
        }
        if self.rng.chance(self.rare / 2) {
            let order = [
                json!({ "order": "fifo" }),
                json!({ "order": "legacy" }),
                json!({ "order": "legacy", "legacySortOptions": { "orderFirst": ["Widget"], "orderLast": ["Secret"] } }),
            ];
            let order = self.rng.pick(&order).clone();
            self.set("sortOptions", order);
        }
        if self.rng.chance(self.rare / 3) {
            let metadata = self
                .rng
                .some(&["managedByLabel", "originAnnotations", "transformerAnnotations"], 50);
            self.set("buildMetadata", json!(metadata));
        }
    }

    fn configuration(&mut self) -> Value {
        let tables = [
            json!({ "nameReference": [{ "kind": "ConfigMap", "fieldSpecs": [{ "kind": "Widget", "path": "spec/config" }] }] }),
            json!({ "nameReference": [{ "kind": "Secret", "version": "v1", "fieldSpecs": [{ "kind": "Widget", "path": "spec/secretName" }, { "path": "spec/items/value" }] }] }),
            json!({ "images": [{ "kind": "Widget", "path": "spec/image" }] }),
            json!({ "replicas": [{ "kind": "Widget", "path": "spec/replicas", "create": true }] }),
            json!({ "commonLabels": [{ "kind": "Widget", "path": "spec/selector", "create": true }] }),
            json!({ "namePrefix": [{ "kind": "Widget", "path": "spec/text" }] }),
            json!({ "namespace": [{ "kind": "Widget", "path": "spec/ns", "create": true }] }),
            json!({ "varReference": [{ "path": "spec/text" }, { "kind": "ConfigMap", "path": "data" }] }),
            json!({ "commonAnnotations": [{ "kind": "Widget", "path": "spec/notes", "create": true }], "templateLabels": [] }),
        ];
        let table = self.rng.pick(&tables).clone();
        self.file("conf.yaml", &[table])
    }

    fn transformer(&mut self) -> Value {
        let mut transformer = self.rng.pick(&[
            json!({ "kind": "PrefixTransformer", "prefix": "t-", "fieldSpecs": [{ "path": "metadata/name" }] }),
            json!({ "kind": "SuffixTransformer", "suffix": "-t", "fieldSpecs": [{ "path": "metadata/name", "kind": "Deployment" }] }),
            json!({ "kind": "PrefixSuffixTransformer", "prefix": "a", "suffix": "b", "fieldSpecs": [{ "path": "metadata/name" }] }),
            json!({ "kind": "LabelTransformer", "labels": { "t": "1" }, "fieldSpecs": [{ "path": "metadata/labels", "create": true }, { "path": "spec/selector", "kind": "Service" }] }),
            json!({ "kind": "AnnotationsTransformer", "annotations": { "t": "1" }, "fieldSpecs": [{ "path": "metadata/annotations", "create": true }] }),
            json!({ "kind": "NamespaceTransformer", "unsetOnly": true, "setRoleBindingSubjects": "allServiceAccounts", "fieldSpecs": [{ "path": "metadata/namespace", "create": true }] }),
            json!({ "kind": "ImageTagTransformer", "imageTag": { "name": "nginx", "newTag": "t" }, "fieldSpecs": [{ "path": "spec/image" }] }),
            json!({ "kind": "ReplicaCountTransformer", "replica": { "name": "web", "count": 7 }, "fieldSpecs": [{ "path": "spec/replicas", "kind": "Deployment", "create": true }] }),
            json!({ "kind": "PatchTransformer", "target": { "kind": "Widget" }, "patch": "[{\"op\": \"add\", \"path\": \"/spec/t\", \"value\": 1}]" }),
            json!({ "kind": "HashTransformer" }),
            json!({ "kind": "ValueAddTransformer", "value": "v", "targets": [{ "fieldPath": "metadata/labels/v", "selector": { "kind": "Service" } }] }),
            json!({ "kind": "ReplacementTransformer", "replacements": [{ "source": { "kind": "Widget", "fieldPath": "spec.text" }, "targets": [{ "select": { "kind": "Service" }, "fieldPaths": ["metadata.labels.r"], "options": { "create": true } }] }] }),
        ]).clone();
        transformer["apiVersion"] = json!("builtin");
        transformer["metadata"] = json!({ "name": "t", "namespace": "tns" });
        transformer
    }
}

/// Takes away, or makes odd, something in a file.
fn spoil(rng: &mut Rng, files: &mut BTreeMap<String, String>) {
    let paths: Vec<String> = files
        .keys()
        .filter(|path| !path.ends_with("rep.yaml"))
        .cloned()
        .collect();
    let path = rng.pick(&paths).clone();
    let mut documents: Vec<Value> = kube_yaml::parse(files[&path].as_bytes())
        .into_iter()
        .filter_map(|one| one.value.ok())
        .collect();
    if documents.is_empty() {
        return;
    }
    let at = rng.below(documents.len());
    let places = place::all(&documents[at]);
    if places.is_empty() {
        return;
    }
    let found = rng.pick(&places).clone();
    if place::is_type(&found) || place::pointer(&found) == "/metadata/annotations" {
        return;
    }
    if rng.chance(30) {
        place::remove(&mut documents[at], &found);
    } else if let Some(value) = place::at(&mut documents[at], &found) {
        *value = if rng.chance(50) {
            patches::value(rng)
        } else {
            rng.pick(&[json!(null), json!({}), json!([]), json!([null])]).clone()
        };
    }
    files.insert(
        path,
        documents
            .iter()
            .map(|one| format!("---\n{}", kube_yaml::to_string(one)))
            .collect(),
    );
}

/// Writes a value of a resource in a way that readers of YAML understand differently.
fn odd(rng: &mut Rng, files: &mut BTreeMap<String, String>) {
    let texts = [
        "yes",
        "on",
        "0644",
        "1_0",
        "2020-01-01",
        "y",
        "TRUE",
        "0o17",
        ".5",
        "1e3",
        "0x1F",
        "1:30",
        "~",
        "09",
        "1.10",
        "'1'",
    ];
    let paths: Vec<String> = files.keys().filter(|path| path.contains("/r")).cloned().collect();
    // Replacements copy texts as they are written.
    if paths.is_empty() || files.values().any(|text| text.contains("replacements")) {
        return;
    }
    let path = rng.pick(&paths).clone();
    let mut lines: Vec<String> = files[&path].lines().map(str::to_owned).collect();
    let values: Vec<usize> = (0..lines.len()).filter(|at| is_odd(&lines[*at])).collect();
    if values.is_empty() {
        return;
    }
    let line = &mut lines[*rng.pick(&values)];
    let end = line.find(": ").expect("because these lines have it");
    line.truncate(end + 2);
    line.push_str(rng.pick::<&str>(&texts));
    files.insert(path, lines.join("\n") + "\n");
}

/// A line whose value may be written oddly; names and types are read as text by kustomize however they are written.
fn is_odd(line: &str) -> bool {
    line.contains(": ")
        && !line.contains(['{', '|'])
        && ["name: ", "namespace: ", "kind: ", "Version: "]
            .iter()
            .all(|key| !line.contains(key))
}
