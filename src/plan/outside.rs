//! What acts outside the cluster: done again while the old cluster lives, it is done twice in the world.

use super::item::{Item, list, text};

/// A row: which objects, and what they would do.
pub(crate) struct Row {
    pub who: Who,
    /// After "it".
    pub does: &'static str,
}

/// Which objects a row is about.
pub(crate) enum Who {
    /// A kind.
    Kind(&'static str, &'static str),
    /// Every kind of a group, or of a group below it where it begins with a dot.
    Group(&'static str),
    /// Workloads that run an image of this name, whatever its registry and tag.
    Image(&'static str),
    /// Annotations that begin like this.
    Annotation(&'static str),
    /// Services of type LoadBalancer.
    LoadBalancer,
}

use Who::{Annotation, Group, Image, Kind, LoadBalancer};

const fn row(who: Who, does: &'static str) -> Row {
    Row { who, does }
}

/// The table. A CronJob is held back as a whole rather than made and suspended: that would be a change that Git does not
/// declare, and the declaring engine would undo it at once.
#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row(Kind("batch", "Job"), "runs its task again"),
    row(Kind("batch", "CronJob"), "runs its task beside the old cluster's"),
    row(LoadBalancer, "asks the cloud for a load balancer"),
    row(Image("external-dns"), "changes DNS records"),
    row(Annotation("external-dns.alpha.kubernetes.io/"), "moves DNS names to this cluster"),
    row(Kind("externaldns.k8s.io", "DNSEndpoint"), "moves DNS names to this cluster"),
    row(Image("velero"), "writes to and expires backups"),
    row(Kind("velero.io", "Schedule"), "writes backups beside the old cluster's"),
    row(Kind("velero.io", "Backup"), "writes a backup"),
    row(Kind("k8up.io", "Schedule"), "writes backups beside the old cluster's"),
    row(Kind("volsync.backube", "ReplicationSource"), "writes backups beside the old cluster's"),
    row(Kind("postgresql.cnpg.io", "ScheduledBackup"), "writes backups beside the old cluster's"),
    row(Kind("external-secrets.io", "PushSecret"), "overwrites secrets in an outside store"),
    row(Kind("external-secrets.io", "ClusterPushSecret"), "overwrites secrets in an outside store"),
    row(Kind("image.toolkit.fluxcd.io", "ImageUpdateAutomation"), "commits to a Git repository"),
    row(Image("argocd-image-updater"), "commits to a Git repository"),
    row(Image("keel"), "updates images on its own"),
    row(Image("renovate"), "opens pull requests"),
    row(Image("cluster-autoscaler"), "adds and removes machines"),
    row(Image("karpenter"), "adds and removes machines"),
    row(Group("karpenter.sh"), "adds and removes machines"),
    row(Kind("argoproj.io", "ApplicationSet"), "may deploy to other clusters"),
    row(Group("fleet.cattle.io"), "deploys to other clusters"),
    row(Group(".open-cluster-management.io"), "manages other clusters"),
    row(Group(".crossplane.io"), "creates and changes what a cloud account holds"),
    row(Group(".upbound.io"), "creates and changes what a cloud account holds"),
    row(Group(".services.k8s.aws"), "creates and changes what an AWS account holds"),
    row(Group(".cnrm.cloud.google.com"), "creates and changes what a Google Cloud project holds"),
    row(Group(".azure.com"), "creates and changes what an Azure subscription holds"),
    row(Group(".cluster.x-k8s.io"), "creates and changes other clusters and their machines"),
    row(Group("cluster.x-k8s.io"), "creates and changes other clusters and their machines"),
    row(Group("core.gardener.cloud"), "creates and changes other clusters and their machines"),
    row(Kind("infra.contrib.fluxcd.io", "Terraform"), "runs Terraform"),
    row(Group("app.terraform.io"), "runs Terraform"),
    row(Group("pulumi.com"), "runs Pulumi"),
];

/// What an item would do outside, if anything.
pub(crate) fn does(item: &Item<'_>) -> Option<&'static Row> {
    item.declared()?;
    ROWS.iter().find(|row| match row.who {
        Kind(group, kind) => item.is(group, kind),
        Group(group) if group.starts_with('.') => item.id.group.ends_with(group),
        Group(group) => item.id.group == group,
        Image(name) => runs(item, name),
        Annotation(prefix) => (item.at("/metadata/annotations").and_then(serde_json::Value::as_object))
            .is_some_and(|annotations| annotations.keys().any(|key| key.starts_with(prefix))),
        LoadBalancer => item.is("", "Service") && item.text("/spec/type") == "LoadBalancer",
    })
}

/// Whether a workload runs an image whose last path segment, without tag and digest, is this.
fn runs(item: &Item<'_>, name: &str) -> bool {
    let Some(pod) = item.pod() else { return false };
    list(pod.spec, "/containers").iter().any(|container| {
        let image = text(container, "/image");
        let image = image.split_once('@').map_or(image, |(image, _)| image);
        let last = image.rsplit_once('/').map_or(image, |(_, last)| last);
        last.split_once(':').map_or(last, |(last, _)| last) == name
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::{facts, planned_for};
    use crate::plan::{PlanOptions, StepAction};
    use serde_json::{Value, json};

    fn example(who: &Who) -> Value {
        let named = |version: &str, kind: &str| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": "n"}});
        match who {
            Kind(group, kind) => named(&format!("{group}/v1"), kind),
            Group(group) if group.starts_with('.') => named(&format!("any{group}/v1"), "Thing"),
            Group(group) => named(&format!("{group}/v1"), "Thing"),
            Image(name) => {
                let mut workload = named("apps/v1", "Deployment");
                workload["spec"] = json!({"template": {"spec": {"containers": [{"image": format!("r.io:5000/p/{name}:v1@sha256:00")}]}}});
                workload
            }
            Annotation(prefix) => {
                let mut service = named("v1", "Service");
                service["metadata"]["annotations"] = json!({format!("{prefix}hostname"): "a.b"});
                service
            }
            LoadBalancer => {
                let mut service = named("v1", "Service");
                service["spec"] = json!({"type": "LoadBalancer"});
                service
            }
        }
    }

    #[test]
    fn every_row_holds_back_until_the_old_cluster_is_gone() {
        for row in ROWS {
            let mut options = PlanOptions::default();
            let held = planned_for(vec![example(&row.who)], &facts(), &options);
            let StepAction::HoldBack(why) = &held.steps[0].action else {
                panic!("what {} is not held back", row.does);
            };
            assert_eq!(why, row.does);
            options.old_cluster_is_gone = true;
            let plan = planned_for(vec![example(&row.who)], &facts(), &options);
            assert!(matches!(plan.steps[0].action, StepAction::Apply { .. }));
            assert!(plan.notes.iter().any(|note| note.message.contains(row.does)));
        }
    }
}
