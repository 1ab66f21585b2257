use serde_json::json;

use super::*;

fn project(spec: Value) -> Project {
    Project::read(&json!({"metadata": {"name": "team"}, "spec": spec})).expect("because it is well formed")
}

/// `types_test.go`, `TestAppProject_IsSourcePermitted`, `TestAppProject_IsNegatedSourcePermitted`.
#[test]
fn sources() {
    for (patterns, source, permitted) in [
        (&["*"] as &[&str], "https://github.com/argoproj/test.git", true),
        (
            &["ssh://git@GITHUB.com:argoproj/test"],
            "ssh://git@github.com:argoproj/test",
            true,
        ),
        (
            &["https://github.com/argoproj/*"],
            "https://github.com/argoproj/argoproj.git",
            true,
        ),
        (
            &["https://github.com/test1/test.git", "https://github.com/test2/test.git"],
            "https://github.com/test2/test.git",
            true,
        ),
        (
            &["https://github.com/argoproj/test1.git"],
            "https://github.com/argoproj/test2.git",
            false,
        ),
        (
            &["https://github.com/argoproj/*.git"],
            "https://github.com/argoproj1/test2.git",
            false,
        ),
        (
            &["https://github.com/argoproj/foo"],
            "https://github.com/argoproj/foo1",
            false,
        ),
        (
            &["https://gitlab.com/group/*"],
            "https://gitlab.com/group/repo/owner",
            false,
        ),
        (
            &["https://gitlab.com/group/*/*"],
            "https://gitlab.com/group/repo/owner",
            true,
        ),
        (
            &["https://gitlab.com/group/**"],
            "https://gitlab.com/group/sub-group/repo/owner",
            true,
        ),
        (
            &["!https://github.com/argoproj/test.git"],
            "https://github.com/argoproj/test.git",
            false,
        ),
        (
            &["!ssh://git@GITHUB.com:argoproj/test"],
            "ssh://git@github.com:argoproj/test",
            false,
        ),
        (
            &[
                "https://github.com/test1/test.git",
                "!https://github.com/test2/test.git",
            ],
            "https://github.com/test2/test.git",
            false,
        ),
        (
            &["!https://gitlab.com/group/**"],
            "https://gitlab.com/group/sub-group/repo/owner",
            false,
        ),
        (
            &["!https://github.com/argoproj/*.git", "*"],
            "https://github.com/argoproj1/test2.git",
            true,
        ),
        (&[], "https://github.com/a/b", false),
    ] {
        assert_eq!(
            project(json!({"sourceRepos": patterns})).permits_source(source),
            permitted,
            "{patterns:?} {source}"
        );
    }
}

/// `types_test.go`, `TestAppProject_IsDestinationPermitted`, `TestAppProject_IsNegatedDestinationPermitted`.
#[test]
fn destinations() {
    let own = "https://kubernetes.default.svc";
    let to = |server: &str, namespace: &str| json!({"server": server, "namespace": namespace});
    let by = |name: &str, namespace: &str| json!({"name": name, "namespace": namespace});
    let all = to("*", "*");
    for (items, server, name, namespace, permitted) in [
        (vec![to(own, "default")], own, "", "default", true),
        (vec![to(own, "default")], own, "", "kube-system", false),
        (vec![to("https://my-cluster", "default")], own, "", "default", false),
        (vec![to("https://*.default.svc", "default")], own, "", "default", true),
        (
            vec![to("https://team1-*", "default")],
            "https://test2-dev-cluster",
            "",
            "default",
            false,
        ),
        (vec![to(own, "test-*")], own, "", "test-foo", true),
        (vec![by("test", "*")], "", "test", "test", true),
        (vec![by("test2", "*")], "", "test", "test", false),
        (vec![to(&format!("!{own}"), "default")], own, "", "default", false),
        (vec![to(own, "!default")], own, "", "kube-system", true),
        (vec![to("!https://my-cluster", "default")], own, "", "default", true),
        (vec![to(own, "!test-*")], own, "", "test-foo", false),
        (vec![by("!test", "*")], "", "test", "test", false),
        (vec![by("!test2", "*")], "", "test", "test", true),
        (
            vec![to("*", "kube-system"), to("*", "!kube-system")],
            own,
            "",
            "kube-system",
            false,
        ),
        (
            vec![all.clone(), to("*", "!kube-system")],
            own,
            "",
            "kube-system",
            false,
        ),
        (
            vec![all.clone(), to(&format!("!{own}"), "kube-system")],
            own,
            "",
            "kube-system",
            false,
        ),
        (
            vec![
                all.clone(),
                to(&format!("!{own}"), "kube-system"),
                to("*", "!kube-system"),
            ],
            own,
            "",
            "default",
            true,
        ),
        (
            vec![
                all.clone(),
                to(&format!("!{own}"), "kube-system"),
                to("*", "!kube-system"),
            ],
            "https://test-dev-cluster",
            "",
            "kube-system",
            false,
        ),
        (vec![by("test", "*"), by("!test", "*")], "", "test", "test", false),
        (
            vec![to("*", "test"), to("!https://test-server", "other")],
            "https://test-server",
            "",
            "test",
            true,
        ),
        (
            vec![all, to("https://test-server", "!other")],
            "https://other-test-server",
            "",
            "other",
            true,
        ),
    ] {
        let cluster = Cluster {
            name: name.to_owned(),
            server: server.to_owned(),
            project: None,
        };
        let project = project(json!({"destinations": items}));
        assert_eq!(
            project.permits_destination(&cluster, namespace),
            permitted,
            "{items:?} {server}{name} {namespace}"
        );
    }
}

/// `types_test.go`, `TestAppProject_IsDestinationPermitted_PermitOnlyProjectScopedClusters`.
#[test]
fn only_clusters_of_the_project() {
    let project = project(
        json!({"permitOnlyProjectScopedClusters": true, "destinations": [{"server": "*", "namespace": "default"}]}),
    );
    let mut cluster = Cluster {
        name: "a".to_owned(),
        server: "https://a".to_owned(),
        project: None,
    };
    assert!(!project.permits_destination(&cluster, "default"));
    cluster.project = Some("team".to_owned());
    assert!(project.permits_destination(&cluster, "default") && !project.permits_destination(&cluster, "other"));
}

/// `types_test.go`, `TestAppProject_IsGroupKindPermitted`.
#[test]
fn kinds() {
    let apps = |kind: &str| json!([{"group": "apps", "kind": kind}]);
    let empty = project(json!({"namespaceResourceWhitelist": [], "namespaceResourceBlacklist": apps("Deployment")}));
    assert!(
        !empty.permits_object("apps", "ReplicaSet", "", true) && !empty.permits_object("apps", "Deployment", "", true)
    );
    let some = project(
        json!({"namespaceResourceWhitelist": apps("ReplicaSet"), "namespaceResourceBlacklist": apps("Deployment")}),
    );
    assert!(some.permits_object("apps", "ReplicaSet", "", true) && !some.permits_object("apps", "Action", "", true));
    let black = project(json!({"clusterResourceBlacklist": [{"group": "", "kind": "Namespace"}]}));
    assert!(!black.permits_object("", "Namespace", "", false));
    let all = json!([{"group": "*", "kind": "*"}]);
    let both = project(json!({"clusterResourceWhitelist": all, "clusterResourceBlacklist": all}));
    assert!(!both.permits_object("", "Namespace", "", false) && both.permits_object("apps", "Action", "", true));
    let nothing = project(json!({}));
    assert!(!nothing.permits_object("", "Namespace", "", false) && nothing.permits_object("apps", "Action", "", true));
    let named = project(json!({"clusterResourceWhitelist": [{"group": "", "kind": "Namespace", "name": "team1-*"}]}));
    assert!(
        !named.permits_object("", "Namespace", "other", false)
            && named.permits_object("", "Namespace", "team1-a", false)
    );
}

/// `types_test.go`, `TestAppProjectIsSourceNamespacePermitted`.
#[test]
fn namespaces_of_applications() {
    let permits = |patterns: &[&str], namespace: &str| {
        project(json!({"sourceNamespaces": patterns})).permits_app_namespace(namespace, "argocd")
    };
    assert!(permits(&[], "argocd") && permits(&[], "") && !permits(&[], "other"));
    assert!(
        permits(&["other-ns"], "other-ns")
            && permits(&["other-*"], "other-ns")
            && permits(&["/^other-.*$/"], "other-ns")
    );
    assert!(!permits(&["some-*"], "other-ns") && !permits(&["/^a$/"], "b") && !permits(&["/(/"], "("));
}

#[test]
fn all_that_is_forbidden_is_said() {
    let app = Application::read(&json!({"metadata": {"name": "a", "namespace": "x"}, "spec": {"destination": {"name": "in-cluster", "namespace": "kube-system"},
        "sources": [{"repoURL": "https://a/b", "path": "p"}, {"repoURL": "https://c/d", "path": "p"}]}}))
    .expect("because it is well formed");
    let project =
        project(json!({"sourceRepos": ["https://a/*"], "destinations": [{"server": "*", "namespace": "team-*"}]}));
    let found: Vec<String> = project
        .violations(&app, &Cluster::own(), "argocd")
        .iter()
        .map(Error::to_string)
        .collect();
    assert_eq!(
        found,
        [
            "metadata.namespace: the project team permits no Applications in the namespace x",
            "spec.sources[1].repoURL: the project team does not permit the repository https://c/d",
            "spec.destination: the project team does not permit the namespace \"kube-system\" of the cluster in-cluster",
        ]
    );
    assert_eq!(
        Project::default_project()
            .violations(&app, &Cluster::own(), "argocd")
            .len(),
        1
    );
    let object =
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "all"}});
    let error = project
        .object_violation(&object, false, &Cluster::own())
        .expect("because it is cluster-scoped");
    assert_eq!(
        error.to_string(),
        "kind: the project team does not permit a ClusterRole of rbac.authorization.k8s.io all"
    );
    let inside = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "kube-system"}});
    assert!(project.object_violation(&inside, true, &Cluster::own()).is_some());
    let inside = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "team-a"}});
    assert_eq!(project.object_violation(&inside, true, &Cluster::own()), None);
}

/// `app_project_types.go`, `ValidateProject`.
#[test]
fn what_is_refused() {
    let errors = Project::read(
        &json!({"spec": {"sourceRepos": ["a", "a", "!*"], "sourceNamespaces": ["n", "n"],
        "destinations": [{"server": "s", "namespace": "!*"}, {"server": "s", "namespace": "!*"}, {"server": 5}]}}),
    )
    .expect_err("because it is wrong");
    let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "spec.destinations[2].server",
            "spec.sourceRepos[1]",
            "spec.sourceRepos[2]",
            "spec.sourceNamespaces[1]",
            "spec.destinations[0]",
            "spec.destinations[1]",
            "spec.destinations[1]"
        ]
    );
}
