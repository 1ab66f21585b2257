use serde_json::json;

use super::*;

fn app(spec: Value) -> Result<Application, Vec<Error>> {
    Application::read(&json!({"metadata": {"name": "a", "namespace": "argocd"}, "spec": spec}))
}

fn with_source(source: Value) -> Result<Application, Vec<Error>> {
    let mut source = source;
    source["repoURL"] = json!("https://example.com/a");
    source["path"] = json!("apps");
    app(json!({"source": source, "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"}}))
}

fn fields(result: Result<Application, Vec<Error>>) -> Vec<String> {
    let errors = result.expect_err("because it is wrong");
    errors.iter().map(Error::to_string).collect()
}

/// `docs/operator-manual/application.yaml`.
#[test]
fn all_options_are_read() {
    let app = with_source(json!({"targetRevision": "main", "helm": {
        "releaseName": "r", "valueFiles": ["values.yaml", "/root.yaml", "$values/a/*.yaml", "https://x/y.yaml"], "values": "a: 1",
        "valuesObject": {"b": 2}, "parameters": [{"name": "x", "value": "true", "forceString": true}],
        "fileParameters": [{"name": "f", "path": "files/f"}], "skipCrds": true, "skipTests": true, "skipSchemaValidation": true,
        "passCredentials": true, "namespace": "n", "kubeVersion": "1.30", "apiVersions": ["a/v1"], "ignoreMissingValueFiles": true, "version": "v3"}}))
    .expect("because it is well formed");
    let helm = app.sources[0].helm.as_ref().expect("because it is given");
    assert_eq!(helm.values, "", "valuesObject goes before values");
    assert_eq!(helm.values_object, Some(json!({"b": 2})));
    assert_eq!(
        helm.value_files[2],
        ValueFile::Of {
            reference: "values".to_owned(),
            path: "a/*.yaml".to_owned()
        }
    );
    assert_eq!(helm.value_files[3], ValueFile::Remote("https://x/y.yaml".to_owned()));
    assert!(
        helm.parameters[0].force_string
            && helm.skip_crds
            && helm.skip_tests
            && helm.skip_schema_validation
            && helm.pass_credentials
    );
    assert_eq!(
        (
            helm.namespace.as_str(),
            helm.kube_version.as_str(),
            helm.api_versions.len()
        ),
        ("n", "1.30", 1)
    );

    let app = with_source(json!({"kustomize": {"namePrefix": "p-", "nameSuffix": "-s", "namespace": "n", "images": ["a=b:1"],
        "replicas": [{"name": "d", "count": 2}, {"name": "e", "count": "3"}], "commonLabels": {"a": "b"}, "commonAnnotations": {"c": "d"},
        "forceCommonLabels": true, "forceCommonAnnotations": true, "commonAnnotationsEnvsubst": true, "labelWithoutSelector": true,
        "labelIncludeTemplates": true, "components": ["../c"], "ignoreMissingComponents": true, "patches": [{"path": "p.yaml"}], "version": "v5"}}))
    .expect("because it is well formed");
    let kustomize = app.sources[0].kustomize.as_ref().expect("because it is given");
    assert_eq!(
        kustomize
            .replicas
            .iter()
            .map(|replicas| replicas.count)
            .collect::<Vec<_>>(),
        [2, 3]
    );
    assert!(kustomize.force_common_labels && kustomize.label_include_templates && kustomize.ignore_missing_components);
    assert_eq!(kustomize.patches, [json!({"path": "p.yaml"})]);

    let app = with_source(json!({"directory": {"recurse": true, "include": "*.yaml", "exclude": "{a,b}.yaml",
        "jsonnet": {"extVars": [{"name": "a", "value": "1", "code": true}], "tlas": [{"name": "b", "value": "2"}], "libs": ["vendor"]}}}))
    .expect("because it is well formed");
    let directory = app.sources[0].directory.as_ref().expect("because it is given");
    assert!(directory.recurse && directory.jsonnet.ext_vars[0].code && directory.jsonnet.libs == ["vendor"]);
}

#[test]
fn policies_are_read() {
    let app = app(json!({"project": "team", "source": {"repoURL": "r", "path": "p"}, "destination": {"name": "in-cluster", "namespace": "shop"},
        "syncPolicy": {"automated": {"prune": true}, "syncOptions": ["CreateNamespace=true", "Odd=1"],
            "managedNamespaceMetadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}},
        "ignoreDifferences": [{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}],
        "info": [{"name": "url", "value": "x"}]}))
    .expect("because it is well formed");
    assert_eq!(
        app.automated,
        Some(Automated {
            prune: true,
            ..Automated::default()
        })
    );
    assert_eq!(app.options.unknown, ["Odd=1"]);
    assert_eq!(app.ignore_differences[0].json_pointers, ["/spec/replicas"]);
    assert_eq!(app.info, [("url".to_owned(), "x".to_owned())]);
    // `controller/sync_namespace_test.go`: the labels and annotations, and server-side apply.
    let namespace = app.created_namespace(&[]).expect("because it is asked for");
    assert_eq!(
        namespace["metadata"],
        json!({"name": "shop", "labels": {"a": "b"},
        "annotations": {"c": "d", "argocd.argoproj.io/sync-options": "ServerSideApply=true"}})
    );
    assert_eq!(
        app.created_namespace(&[json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})]),
        None
    );
    let off = json!({"source": {"repoURL": "r", "path": "p"}, "destination": {"name": "x"}, "syncPolicy": {"automated": {"enabled": false}}});
    assert_eq!(
        super::tests::app(off).expect("because it is well formed").automated,
        None
    );
}

/// `pkg/apis/application/v1alpha1/cluster_constants.go`, `util/argo/argo.go` `GetDestinationServer`.
#[test]
fn the_own_cluster_is_known_by_name_and_address() {
    let place = |server: &str, name: &str| Place {
        server: server.to_owned(),
        name: name.to_owned(),
        namespace: String::new(),
    };
    assert!(
        place("https://kubernetes.default.svc", "").is_own() && place("https://kubernetes.default.svc/", "").is_own()
    );
    assert!(place("", "in-cluster").is_own() && !place("", "other").is_own() && !place("https://other", "").is_own());
    let clusters = [
        Cluster {
            name: "a".to_owned(),
            server: "https://a".to_owned(),
            project: None,
        },
        Cluster {
            name: "b".to_owned(),
            server: "https://b".to_owned(),
            project: None,
        },
        Cluster {
            name: "b".to_owned(),
            server: "https://c".to_owned(),
            project: None,
        },
    ];
    let server = |place: Place| {
        let found = place
            .cluster(&clusters)
            .map(|found| found.map(|cluster| cluster.server));
        found.map_err(|error| error.to_string())
    };
    assert_eq!(server(place("", "a")), Ok(Some("https://a".to_owned())));
    let two = "spec.destination.name: 2 clusters have the name b";
    assert_eq!(server(place("", "b")), Err(two.to_owned()));
    assert_eq!(server(place("https://b/", "")), Ok(Some("https://b".to_owned())));
    assert_eq!(server(place("", "in-cluster")), Ok(Some(Cluster::own().server)));
    assert_eq!(server(place("https://x", "")), Ok(None));
    let twice = [
        Cluster::own(),
        Cluster {
            name: "hub".to_owned(),
            ..Cluster::own()
        },
    ];
    let own = place("https://kubernetes.default.svc", "").cluster(&twice);
    assert_eq!(own, Ok(Some(Cluster::own())), "of one address any is right");
}

/// `util/argo/argo.go`, `validateSourcePermissions`; `util/argo/argo_test.go`, `TestValidatePermissions`.
#[test]
fn what_is_missing_is_named() {
    assert_eq!(
        fields(app(json!({}))),
        [
            "spec.destination.server: is missing, and so is name",
            "spec.source: is missing, and so is sources"
        ]
    );
    let to = json!({"name": "in-cluster"});
    assert_eq!(
        fields(app(json!({"destination": to, "source": {"path": "x"}}))),
        ["spec.source.repoURL: is missing"]
    );
    assert_eq!(
        fields(app(json!({"destination": to, "source": {"repoURL": "x", "ref": "y"}}))),
        ["spec.source.path: is missing, and so is chart"]
    );
    let chart = json!({"destination": to, "sources": [{"repoURL": "x", "ref": "y"}, {"repoURL": "x", "chart": "c"}]});
    assert_eq!(
        fields(app(chart)),
        ["spec.sources[1].targetRevision: is missing: a chart needs a version"]
    );
    let twice = json!({"destination": to, "sources": [{"repoURL": "x", "ref": "y"}, {"repoURL": "x", "ref": "y"}, {"repoURL": "x", "ref": "a b"}]});
    assert_eq!(
        fields(app(twice)),
        [
            "spec.sources[1].ref: \"y\" is the ref of another source too",
            "spec.sources[2].ref: may have letters, digits, - and _ only"
        ]
    );
    let both = json!({"destination": {"server": "a", "name": "b"}, "source": {"repoURL": "x", "path": "y"}});
    assert_eq!(
        fields(app(both)),
        ["spec.destination.name: cannot be given beside server"]
    );
}

#[test]
fn what_is_of_the_wrong_type_is_named() {
    let errors = fields(with_source(
        json!({"helm": {"valueFiles": "x", "parameters": [{"name": 1}, 2, null], "skipCrds": "yes", "valuesObject": []}}),
    ));
    assert_eq!(
        errors,
        [
            "spec.source.helm.valuesObject: is a list, not a map",
            "spec.source.helm.valueFiles: is a text, not a list",
            "spec.source.helm.parameters[0].name: is a number, not a text",
            "spec.source.helm.parameters[1]: is a number, not a map",
            "spec.source.helm.parameters[2]: is null, not a map",
            "spec.source.helm.skipCrds: is a text, not a boolean",
        ]
    );
    assert_eq!(
        fields(with_source(json!({"kustomize": {"commonLabels": {"a": 1}}}))),
        ["spec.source.kustomize.commonLabels.a: is a number, not a text"]
    );
    assert!(Application::read(&json!([])).is_err() && Application::read(&Value::Null).is_err());
}

#[test]
fn a_hydrated_application_is_said_to_be_one() {
    let app = app(json!({"destination": {"name": "in-cluster"}, "sourceHydrator": {"drySource": {}}}))
        .expect("because no more is read");
    assert!(app.hydrated && app.sources.is_empty());
}

/// `pkg/apis/application/v1alpha1/types_test.go`, `TestExplicitType`; `util/app/discovery/discovery_test.go`, `TestAppType`.
#[test]
fn the_kind_of_a_source() {
    let source = |value: Value| with_source(value).expect("because it is well formed").sources.remove(0);
    let plain = source(json!({}));
    assert_eq!(
        source_kind(&plain, ["Chart.yaml", "templates/a.yaml"]),
        SourceKind::Helm
    );
    for name in ["kustomization.yaml", "kustomization.yml", "Kustomization"] {
        assert_eq!(source_kind(&plain, [name]), SourceKind::Kustomize);
    }
    assert_eq!(
        source_kind(&plain, ["a.yaml", "base/kustomization.yaml", "base/Chart.yaml"]),
        SourceKind::Directory
    );
    assert_eq!(
        source_kind(&plain, ["Chart.yaml", "kustomization.yaml"]),
        SourceKind::Kustomize
    );
    assert_eq!(
        source_kind(&plain, ["Chart.yaml", "Kustomization"]),
        SourceKind::Kustomize
    );
    assert_eq!(
        source_kind(&source(json!({"directory": {"recurse": true}})), ["Chart.yaml"]),
        SourceKind::Directory
    );
    assert_eq!(
        source_kind(&source(json!({"plugin": {}})), ["Chart.yaml"]),
        SourceKind::Plugin
    );
    // Options that say nothing (`util/argo/argo.go`, `NormalizeSource`).
    assert_eq!(
        source_kind(
            &source(json!({"directory": {}, "kustomize": {"images": []}})),
            ["Chart.yaml"]
        ),
        SourceKind::Helm
    );
    let two = fields(with_source(
        json!({"helm": {"releaseName": "x"}, "kustomize": {"namePrefix": "y"}}),
    ));
    assert_eq!(two, ["spec.source.helm: cannot be given beside kustomize"]);
}

/// `reposerver/repository/repository_test.go`, `TestGenerateManifestWithAnnotatedAndRegularGitTagHashes` has its files in
/// `testdata/app-parameters`; the rule is `mergeSourceParameters`.
#[test]
fn files_override_a_source() {
    let source = json!({"repoURL": "r", "path": "p", "kustomize": {"images": ["a:1"], "namePrefix": "x-"}});
    let patch =
        json!({"kustomize": {"images": ["a:2"], "namePrefix": null}, "repoURL": "evil", "path": "../..", "chart": "c"});
    let merged = overridden(&source, &[patch, Value::Null]).expect("because they are maps");
    assert_eq!(
        merged,
        json!({"repoURL": "r", "path": "p", "kustomize": {"images": ["a:2"]}})
    );
    assert_eq!(
        override_files("app"),
        [".argocd-source.yaml", ".argocd-source-app.yaml"]
    );
    assert_eq!(override_files("").len(), 1);
    assert_eq!(
        overridden(&source, &[json!([1])]).expect_err("because it is no map")[0].field,
        "[0]"
    );
    assert_eq!(
        overridden(&source, &[json!({"kustomize": {"images": 1}})]).expect_err("because it is no list")[0].field,
        "kustomize.images"
    );
}

/// `reposerver/repository/repository_test.go`, `Test_findManifests`, `TestFindManifests_Exclude`; `docs/user-guide/directory.md`.
#[test]
fn a_directory_chooses_its_files() {
    let files = [
        "b.yaml",
        "a.yml",
        "c.json",
        "d.jsonnet",
        "README.md",
        "sub/e.yaml",
        "sub/deep/f.yaml",
        "sub-2.yaml",
        "x.yaml.bak",
    ];
    let chosen = |directory: Directory| {
        chosen_files(&directory, files)
            .expect("because they are globs")
            .join(" ")
    };
    assert_eq!(chosen(Directory::default()), "a.yml b.yaml c.json d.jsonnet sub-2.yaml");
    let recurse = || Directory {
        recurse: true,
        ..Directory::default()
    };
    assert_eq!(
        chosen(recurse()),
        "a.yml b.yaml c.json d.jsonnet sub/deep/f.yaml sub/e.yaml sub-2.yaml"
    );
    assert_eq!(
        chosen(Directory {
            exclude: "{a.yml,sub/*}".to_owned(),
            ..recurse()
        }),
        "b.yaml c.json d.jsonnet sub-2.yaml"
    );
    assert_eq!(
        chosen(Directory {
            include: "*.yaml".to_owned(),
            ..recurse()
        }),
        "b.yaml sub/deep/f.yaml sub/e.yaml sub-2.yaml"
    );
    assert_eq!(
        chosen(Directory {
            include: "*.yaml".to_owned(),
            exclude: "s*".to_owned(),
            ..recurse()
        }),
        "b.yaml"
    );
    assert_eq!(
        chosen(Directory {
            include: "*.md".to_owned(),
            disable_extension_filter: true,
            ..Directory::default()
        }),
        "README.md"
    );
    let bad = Directory {
        include: "[".to_owned(),
        ..Directory::default()
    };
    assert_eq!(
        chosen_files(&bad, files).expect_err("because it is none")[0].field,
        "directory.include"
    );
}

/// `reposerver/repository/repository.go`, `getResolvedValueFiles`, `getResolvedRefValueFile`: what names a source is not expanded.
#[test]
fn value_files_are_expanded_behind_their_source() {
    let expand = |text: &str| {
        crate::expanded(text, |name| match name {
            "ENV" => Ok("prod".to_owned()),
            "HOST" => Ok("https://x".to_owned()),
            name => Err(name.to_owned()),
        })
    };
    let of = |written: &str| ValueFile::read(written).expanded(|reference| reference == "config", expand);
    let own = |path: &str| Ok(ValueFile::Own(path.to_owned()));
    assert_eq!(of("values/$ENV.yaml"), own("values/prod.yaml"));
    assert_eq!(of("$ENV/values.yaml"), own("prod/values.yaml"));
    assert_eq!(
        of("$HOST/values.yaml"),
        Ok(ValueFile::Remote("https://x/values.yaml".to_owned()))
    );
    let other = ValueFile::Of {
        reference: "config".to_owned(),
        path: "prod.yaml".to_owned(),
    };
    assert_eq!(of("$config/${ENV}.yaml"), Ok(other));
    assert_eq!(of("$nobody/a.yaml"), Err("nobody".to_owned()));
}

/// `reposerver/repository/repository_test.go`, `Test_getResolvedValueFiles_glob`.
#[test]
fn value_files_have_paths() {
    let files = [
        "apps/values/b.yaml",
        "apps/values/a.yaml",
        "apps/values/deep/c.yaml",
        "root.yaml",
    ];
    let paths = |file: ValueFile| file.paths("apps", files).join(" ");
    let own = |path: &str| ValueFile::Own(path.to_owned());
    assert_eq!(paths(own("values/*.yaml")), "apps/values/a.yaml apps/values/b.yaml");
    assert_eq!(
        paths(own("values/**/*.yaml")),
        "apps/values/a.yaml apps/values/b.yaml apps/values/deep/c.yaml"
    );
    assert_eq!(paths(own("/root.yaml")), "root.yaml");
    assert_eq!(paths(own("../root.yaml")), "root.yaml");
    assert_eq!(paths(own("../../../etc/passwd")), "etc/passwd");
    assert_eq!(
        paths(ValueFile::Of {
            reference: "r".to_owned(),
            path: "root.yaml".to_owned()
        }),
        "root.yaml"
    );
    assert_eq!(paths(own("nothing/*.yaml")), "");
}
