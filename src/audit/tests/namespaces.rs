//! Namespaces that units make.

use super::*;

/// What is told of the Namespace `shop`, which this manager wrote, beside this declared object.
fn told(manager: &str, object: &str, rest: Value) -> Vec<String> {
    let mut world = World::new();
    world.live("Namespace/shop", &[manager]);
    world.declare_with(object, rest);
    world.compare(object, &[], &["refloat"]);
    world.told()
}

const NEVER: [&str; 1] = ["never-in-git Namespace/shop"];

#[test]
fn what_a_declared_unit_makes_is_not_never_in_git() {
    let application = |options: Value| {
        json!({"destination": {"namespace": "shop"}, "syncPolicy": {"syncOptions": options,
            "managedNamespaceMetadata": {"labels": {"team": "shop"}}}})
    };
    let template = |namespace: &str| {
        json!({"spec": {"template": {"spec": {"destination": {"namespace": namespace},
            "syncPolicy": {"syncOptions": ["CreateNamespace=true"]}}}}})
    };
    let annotations = json!({"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"});
    let web = "HelmRelease.helm.toolkit.fluxcd.io/flux-system/web";
    for (manager, object, rest) in [
        (
            "argocd-controller",
            "Application.argoproj.io/argocd/web",
            json!({"spec": application(json!(["CreateNamespace=true"]))}),
        ),
        // Whoever came first.
        (
            "kubectl-create",
            "Application.argoproj.io/argocd/web",
            json!({"spec": application(json!(["ServerSideApply=true", "CreateNamespace=true"]))}),
        ),
        (
            "argocd-controller",
            "ApplicationSet.argoproj.io/argocd/all",
            template("shop"),
        ),
        (
            "argocd-controller",
            "ApplicationSet.argoproj.io/argocd/all",
            template("{{ .team }}"),
        ),
        (
            "argocd-application-controller",
            "ApplicationSet.argoproj.io/argocd/all",
            template("s{{a}}o{{b}}"),
        ),
        (
            "helm-controller",
            web,
            json!({"spec": {"targetNamespace": "shop", "install": {"createNamespace": true}}}),
        ),
        (
            "helm-controller",
            "HelmRelease.helm.toolkit.fluxcd.io/shop/web",
            json!({"spec": {"install": {"createNamespace": true}}}),
        ),
        (
            "helm",
            "HelmChart.helm.cattle.io/kube-system/web",
            json!({"spec": {"targetNamespace": "shop", "createNamespace": true}}),
        ),
        // `helm install --create-namespace` of what is declared here.
        (
            "helm",
            "Deployment.apps/shop/web",
            json!({"metadata": {"annotations": annotations}}),
        ),
    ] {
        assert_eq!(told(manager, object, rest.clone()), NOTHING, "{object} {rest}");
    }
    for (manager, object, rest) in [
        (
            "argocd-controller",
            "Application.argoproj.io/argocd/web",
            json!({"spec": application(json!(["CreateNamespace=false"]))}),
        ),
        (
            "argocd-controller",
            "Application.argoproj.io/argocd/web",
            json!({"spec": application(Value::Null)}),
        ),
        (
            "kubectl-create",
            "ApplicationSet.argoproj.io/argocd/all",
            template("{{ .team }}"),
        ),
        (
            "argocd-controller",
            "ApplicationSet.argoproj.io/argocd/all",
            template("{{ .team }}-apps"),
        ),
        (
            "kustomize-controller",
            web,
            json!({"spec": {"targetNamespace": "shop"}}),
        ),
        (
            "helm-controller",
            web,
            json!({"spec": {"targetNamespace": "bank", "install": {"createNamespace": true}}}),
        ),
        (
            "kubectl-create",
            "Deployment.apps/shop/web",
            json!({"metadata": {"annotations": annotations}}),
        ),
    ] {
        assert_eq!(told(manager, object, rest.clone()), NEVER, "{object} {rest}");
    }
}
