//! Delete policies of hooks: whose objects go again, and when.

use argo_cd::sync::{DeletePolicy, place};

use super::Declared;

/// When the object of a hook is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HookPolicy {
    /// Before it is made anew.
    pub before: bool,
    /// Once it succeeded.
    pub succeeded: bool,
    /// Once it failed.
    pub failed: bool,
}

impl Declared {
    /// When its object is deleted, as Argo CD or Helm would; `None` for what is no hook of a sync or of a release. Sources: Helm's
    /// `pkg/release/v1/util/manifest_sorter.go` and `hookSetDeletePolicy` in `pkg/action/hooks.go`; for Argo CD see
    /// [`argo_cd::sync::place`].
    pub fn hook_policy(&self) -> Option<HookPolicy> {
        if self.turn.is_some() {
            let place = place(self.manifest.value());
            let has = |policy| place.delete_policies.contains(&policy);
            return place.hook.then(|| HookPolicy {
                before: has(DeletePolicy::BeforeHookCreation),
                succeeded: has(DeletePolicy::HookSucceeded),
                failed: has(DeletePolicy::HookFailed),
            });
        }
        self.hook.as_ref()?;
        let Some(policies) = self.manifest.annotation("helm.sh/hook-delete-policy") else {
            return Some(HookPolicy {
                before: true,
                ..HookPolicy::default()
            });
        };
        let has = |name: &str| policies.split(',').any(|word| word.trim().eq_ignore_ascii_case(name));
        Some(HookPolicy {
            before: has("before-hook-creation"),
            succeeded: has("hook-succeeded"),
            failed: has("hook-failed"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::{Hook, Manifest, Provenance, Renderer, Turn, UnitIndex, Writer};

    fn policy(hook: Option<Hook>, turn: Option<Turn>, annotations: &[(&str, &str)]) -> Option<HookPolicy> {
        let annotations: serde_json::Map<_, _> = annotations
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).into()))
            .collect();
        let job =
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a", "annotations": annotations}});
        let manifest = Manifest::new(job).expect("because it is complete");
        let declared = Declared {
            id: manifest.id(),
            manifest,
            provenance: Provenance {
                file: "a.yaml".to_owned(),
                document: 0,
                line: 1,
                renderer: Renderer::Plain,
            },
            unit: UnitIndex(0),
            writer: Writer::ServerSide("refloat".to_owned()),
            namespace: None,
            generated: Vec::new(),
            waivers: Vec::new(),
            hook,
            turn,
        };
        declared.hook_policy()
    }

    #[test]
    fn each_engine_is_read_by_its_own_rules() {
        let helm = || {
            Some(Hook {
                after: false,
                weight: 0,
            })
        };
        let argo = || Some(Turn { phase: -1, wave: 0 });
        let of = |before, succeeded, failed| {
            Some(HookPolicy {
                before,
                succeeded,
                failed,
            })
        };
        let (hook, helms) = (("argocd.argoproj.io/hook", "PreSync"), "helm.sh/hook-delete-policy");
        let argos = "argocd.argoproj.io/hook-delete-policy";
        for (hook, turn, annotations, expected) in [
            (helm(), None, vec![], of(true, false, false)),
            (
                helm(),
                None,
                vec![(helms, "Hook-Succeeded, hook-failed")],
                of(false, true, true),
            ),
            (
                helm(),
                None,
                vec![(helms, "before-hook-creation")],
                of(true, false, false),
            ),
            // Helm has no default where something is said, whatever it is.
            (helm(), None, vec![(helms, "never")], of(false, false, false)),
            (helm(), None, vec![(argos, "HookSucceeded")], of(true, false, false)),
            (None, argo(), vec![hook], of(true, false, false)),
            (
                None,
                argo(),
                vec![hook, (argos, "HookSucceeded"), (helms, "hook-failed")],
                of(false, true, true),
            ),
            (
                helm(),
                argo(),
                vec![hook, (argos, "HookFailed")],
                of(false, false, true),
            ),
            (None, argo(), vec![(argos, "HookSucceeded")], None),
            (None, None, vec![hook, (argos, "HookSucceeded")], None),
        ] {
            assert_eq!(policy(hook, turn, &annotations), expected, "{annotations:?}");
        }
    }
}
