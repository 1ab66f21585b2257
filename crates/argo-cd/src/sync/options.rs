//! Options of a sync: of an Application (`spec.syncPolicy.syncOptions`) and of an object (annotation
//! `argocd.argoproj.io/sync-options`). Names and defaults: `gitops-engine/pkg/sync/common/types.go`, `controller/sync.go`,
//! `docs/user-guide/sync-options.md`.

use serde_json::Value;

use crate::object::listed;

/// Whether something may be done without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consent {
    /// It may.
    #[default]
    Allowed,
    /// Never (`false`).
    Forbidden,
    /// Once a person confirmed it (`confirm`).
    Confirm,
}

/// What becomes of the dependents of an object that is pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PropagationPolicy {
    /// They go first: the default.
    #[default]
    Foreground,
    /// They go later.
    Background,
    /// They stay.
    Orphan,
}

/// The options of an Application.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AppOptions {
    /// The Namespace of the destination is made if it is not there.
    pub create_namespace: bool,
    /// Objects are replaced, not applied.
    pub replace: bool,
    /// Objects are deleted and made anew where needed.
    pub force: bool,
    /// Objects are applied by the server.
    pub server_side_apply: bool,
    /// Fields that client-side apply owned are handed to server-side apply. On unless it is switched off.
    pub client_side_apply_migration: bool,
    /// No dry run of objects whose kind is not there yet.
    pub skip_dry_run_on_missing_resource: bool,
    /// Only what differs is applied.
    pub apply_out_of_sync_only: bool,
    /// Ignored fields keep what is live.
    pub respect_ignore_differences: bool,
    /// A sync fails when another Application has one of the objects.
    pub fail_on_shared_resource: bool,
    /// Objects are checked against their schemas. On unless it is switched off.
    pub validate: bool,
    /// Pruning comes after all else.
    pub prune_last: bool,
    /// Whether objects that are no longer declared are deleted.
    pub prune: Consent,
    /// Whether objects are deleted with the Application.
    pub delete: Consent,
    /// What becomes of the dependents of what is pruned.
    pub prune_propagation_policy: PropagationPolicy,
    /// Options that Argo CD does not know, and does not complain about.
    pub unknown: Vec<String>,
}

/// The options of an object, as its annotation gives them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectOptions {
    /// It is replaced, not applied.
    pub replace: bool,
    /// It is deleted and made anew where needed.
    pub force: bool,
    /// Whether the server applies it, where said. `false` wins over the Application.
    pub server_side_apply: Option<bool>,
    /// No dry run while its kind is not there.
    pub skip_dry_run_on_missing_resource: bool,
    /// It is not checked against its schema.
    pub no_validation: bool,
    /// It is pruned after all else.
    pub prune_last: bool,
    /// Whether it is deleted once it is no longer declared, where said.
    pub prune: Option<Consent>,
    /// Whether it is deleted with the Application, where said.
    pub delete: Option<Consent>,
    /// Options that Argo CD does not know on an object, and does not complain about.
    pub unknown: Vec<String>,
}

/// What an option does to the options of an Application. Those that say what holds anyway are known too.
type Setter<T> = fn(&mut T);

const OF_APPS: &[(&str, Setter<AppOptions>)] = &[
    ("CreateNamespace=true", |options| options.create_namespace = true),
    ("CreateNamespace=false", |_| {}),
    ("Replace=true", |options| options.replace = true),
    ("Replace=false", |_| {}),
    ("Force=true", |options| options.force = true),
    ("Force=false", |_| {}),
    ("ServerSideApply=true", |options| options.server_side_apply = true),
    ("ServerSideApply=false", |_| {}),
    ("ClientSideApplyMigration=true", |_| {}),
    ("ClientSideApplyMigration=false", |options| {
        options.client_side_apply_migration = false
    }),
    ("SkipDryRunOnMissingResource=true", |options| {
        options.skip_dry_run_on_missing_resource = true
    }),
    ("SkipDryRunOnMissingResource=false", |_| {}),
    ("ApplyOutOfSyncOnly=true", |options| {
        options.apply_out_of_sync_only = true
    }),
    ("ApplyOutOfSyncOnly=false", |_| {}),
    ("RespectIgnoreDifferences=true", |options| {
        options.respect_ignore_differences = true
    }),
    ("RespectIgnoreDifferences=false", |_| {}),
    ("FailOnSharedResource=true", |options| {
        options.fail_on_shared_resource = true
    }),
    ("FailOnSharedResource=false", |_| {}),
    ("Validate=true", |_| {}),
    ("Validate=false", |options| options.validate = false),
    ("PruneLast=true", |options| options.prune_last = true),
    ("PruneLast=false", |_| {}),
    ("PrunePropagationPolicy=foreground", |options| {
        options.prune_propagation_policy = PropagationPolicy::Foreground
    }),
    ("PrunePropagationPolicy=background", |options| {
        options.prune_propagation_policy = PropagationPolicy::Background
    }),
    ("PrunePropagationPolicy=orphan", |options| {
        options.prune_propagation_policy = PropagationPolicy::Orphan
    }),
];

const OF_OBJECTS: &[(&str, Setter<ObjectOptions>)] = &[
    ("Replace=true", |options| options.replace = true),
    ("Replace=false", |_| {}),
    ("Force=true", |options| options.force = true),
    ("Force=false", |_| {}),
    ("ServerSideApply=true", |options| {
        options.server_side_apply = options.server_side_apply.or(Some(true))
    }),
    ("ServerSideApply=false", |options| {
        options.server_side_apply = Some(false)
    }),
    ("SkipDryRunOnMissingResource=true", |options| {
        options.skip_dry_run_on_missing_resource = true
    }),
    ("SkipDryRunOnMissingResource=false", |_| {}),
    ("Validate=true", |_| {}),
    ("Validate=false", |options| options.no_validation = true),
    ("PruneLast=true", |options| options.prune_last = true),
    ("PruneLast=false", |_| {}),
];

/// `Prune=…` and `Delete=…`: the first that is given counts; a value other than `false` and `confirm` allows.
fn consent(option: &str, key: &str) -> Option<(Consent, bool)> {
    let value = option.strip_prefix(key)?.strip_prefix('=')?;
    Some(match value {
        "false" => (Consent::Forbidden, true),
        "confirm" => (Consent::Confirm, true),
        _ => (Consent::Allowed, value == "true"),
    })
}

impl AppOptions {
    /// Of the options of an Application, each as it is written.
    ///
    /// ```
    /// use argo_cd::sync::AppOptions;
    /// let options = AppOptions::read(["CreateNamespace=true", "Validate=false", "PruneFirst=true"]);
    /// assert!(options.create_namespace && !options.validate);
    /// assert_eq!(options.unknown, ["PruneFirst=true"]);
    /// ```
    pub fn read<'a>(written: impl IntoIterator<Item = &'a str>) -> Self {
        let mut options = AppOptions {
            client_side_apply_migration: true,
            validate: true,
            ..AppOptions::default()
        };
        let (mut prune, mut delete) = (None, None);
        for option in written {
            if let Some((value, known)) = consent(option, "Prune") {
                prune = prune.or(Some(value));
                options.unknown.extend((!known).then(|| option.to_owned()));
            } else if let Some((value, known)) = consent(option, "Delete") {
                delete = delete.or(Some(value));
                options.unknown.extend((!known).then(|| option.to_owned()));
            } else if let Some((_, set)) = OF_APPS.iter().find(|(name, _)| *name == option) {
                set(&mut options);
            } else {
                options.unknown.push(option.to_owned());
            }
        }
        options.prune = prune.unwrap_or_default();
        options.delete = delete.unwrap_or_default();
        options
    }
}

impl ObjectOptions {
    /// Of the annotation of an object.
    pub fn of(object: &Value) -> Self {
        let mut options = ObjectOptions::default();
        for option in listed(object, "argocd.argoproj.io/sync-options") {
            if let Some((value, known)) = consent(option, "Prune") {
                options.prune = options.prune.or(Some(value));
                options.unknown.extend((!known).then(|| option.to_owned()));
            } else if let Some((value, known)) = consent(option, "Delete") {
                options.delete = options.delete.or(Some(value));
                options.unknown.extend((!known).then(|| option.to_owned()));
            } else if let Some((_, set)) = OF_OBJECTS.iter().find(|(name, _)| *name == option) {
                set(&mut options);
            } else {
                options.unknown.push(option.to_owned());
            }
        }
        options
    }

    /// Whether the server applies the object: the object's `false`, else the Application's or its own `true` (`sync_context.go`,
    /// `shouldUseServerSideApply`).
    pub fn applied_by_server(&self, app: &AppOptions) -> bool {
        self.server_side_apply != Some(false) && (app.server_side_apply || self.server_side_apply == Some(true))
    }

    /// Whether the object is replaced (`sync_context.go`, `applyObject`).
    pub fn replaced(&self, app: &AppOptions) -> bool {
        self.replace || app.replace
    }

    /// Whether the object is pruned: as it says itself, else as its Application says (`isPruningDisabled`).
    pub fn pruned(&self, app: &AppOptions) -> Consent {
        self.prune.unwrap_or(app.prune)
    }

    /// Whether the object goes with its Application (`controller/appcontroller.go`, `shouldBeDeleted`; Helm's `resource-policy: keep` is
    /// to be asked for beside it).
    pub fn deleted(&self, app: &AppOptions) -> Consent {
        self.delete.unwrap_or(app.delete)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(text: &str) -> ObjectOptions {
        ObjectOptions::of(&json!({"metadata": {"annotations": {"argocd.argoproj.io/sync-options": text}}}))
    }

    #[test]
    fn each_option_of_an_application_is_known() {
        let none = AppOptions::read([]);
        assert!(none.validate && none.client_side_apply_migration);
        for (name, _) in OF_APPS {
            let options = AppOptions::read([*name]);
            assert!(options.unknown.is_empty(), "{name}");
            let default = [
                "ClientSideApplyMigration=true",
                "Validate=true",
                "PrunePropagationPolicy=foreground",
            ]
            .contains(name)
                || (name.ends_with("=false") && !["ClientSideApplyMigration=false", "Validate=false"].contains(name));
            assert_eq!(options == none, default, "{name}");
        }
    }

    #[test]
    fn each_option_of_an_object_is_known() {
        let none = of("");
        for (name, _) in OF_OBJECTS {
            let options = of(name);
            assert!(options.unknown.is_empty(), "{name}");
            let default = *name == "Validate=true"
                || (name.ends_with("=false") && !["ServerSideApply=false", "Validate=false"].contains(name));
            assert_eq!(options == none, default, "{name}");
        }
        assert_eq!(
            of("Replace=true, Bogus=true,CreateNamespace=true").unknown,
            ["Bogus=true", "CreateNamespace=true"]
        );
    }

    /// `gitops-engine/pkg/sync/sync_context_test.go`, `TestSyncContext_ServerSideApply…` and `TestSync_ServerSideApply`.
    #[test]
    fn an_object_may_refuse_server_side_apply() {
        let (on, off) = (AppOptions::read(["ServerSideApply=true"]), AppOptions::read([]));
        assert!(of("").applied_by_server(&on) && !of("").applied_by_server(&off));
        assert!(!of("ServerSideApply=false").applied_by_server(&on));
        assert!(of("ServerSideApply=true").applied_by_server(&off));
        assert!(!of("ServerSideApply=true,ServerSideApply=false").applied_by_server(&on));
        assert!(of("Replace=true").replaced(&off) && AppOptions::read(["Replace=true"]).replace);
    }

    /// `gitops-engine/pkg/sync/sync_context_test.go`, `TestDoNotPruneAppLevelPruneFalse`, `TestPruneConfirmResourceLevel`; `docs/user-guide/sync-options.md`.
    #[test]
    fn an_object_decides_before_its_application() {
        let app = AppOptions::read(["Prune=false", "Delete=confirm"]);
        assert_eq!(
            (of("").pruned(&app), of("").deleted(&app)),
            (Consent::Forbidden, Consent::Confirm)
        );
        assert_eq!(of("Prune=confirm").pruned(&app), Consent::Confirm);
        assert_eq!(of("Prune=true").pruned(&app), Consent::Allowed);
        assert_eq!(
            of("Prune=false,Prune=confirm").pruned(&AppOptions::read([])),
            Consent::Forbidden
        );
        assert_eq!(of("Delete=false").deleted(&AppOptions::read([])), Consent::Forbidden);
        assert_eq!(of("Prune=maybe").unknown, ["Prune=maybe"]);
    }
}
