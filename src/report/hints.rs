//! What to do next, by what the server or the object said: a table.

use super::gathered::Cause;
use crate::object::ObjectId;

/// One row: any of these words (in lower case) in the message gives this hint.
struct Row {
    words: &'static [&'static str],
    hint: &'static str,
}

/// The first row that matches counts, so the narrower ones stand first.
const ROWS: &[Row] = &[
    Row {
        words: &["spec is immutable after creation", "persistentvolumesource"],
        hint: "a volume and its claim are never made anew, since the data would go with them: correct them in Git, or move the data first",
    },
    Row {
        words: &[
            "field is immutable",
            "updates to statefulset spec for fields other than",
        ],
        hint: "--recreate deletes it and makes it anew; without it, it stays as it is in the cluster",
    },
    Row {
        words: &["is being terminated", "is being deleted"],
        hint: "wait until the old one is gone (its finalizers say what holds it), then run again",
    },
    Row {
        words: &["exceeded quota"],
        hint: "raise the ResourceQuota that is named, in Git, then run again",
    },
    Row {
        words: &["violates podsecurity"],
        hint: "the namespace's pod-security label forbids these pods: change the one or the other in Git",
    },
    Row {
        words: &["denied request: "],
        hint: "a policy of the cluster decides here: change the object, or the policy that is named, in Git",
    },
    Row {
        words: &["denied the request", "failed calling webhook"],
        hint: "a webhook decides here: see that the pods behind it run and what it asks for, then run again",
    },
    Row {
        words: &["attempting to grant rbac permissions", "requires escalate"],
        hint: "the user of this kubeconfig may not grant what it does not have: use one that is cluster-admin",
    },
    Row {
        words: &[
            "cannot create resource",
            "cannot patch resource",
            "cannot update resource",
            "cannot get resource",
        ],
        hint: "the user of this kubeconfig lacks the permission: `kubectl auth can-i --list` shows what it has",
    },
    Row {
        words: &["is already in use"],
        hint: "another CustomResourceDefinition has this name (`kubectl get crds`): remove that one, or rename this one in Git",
    },
    Row {
        words: &["port is already allocated"],
        hint: "another Service has this nodePort: leave the field out, or choose another one",
    },
    Row {
        words: &[
            "no matches for kind",
            "could not find the requested resource",
            "nothing serves",
        ],
        hint: "install what brings this kind (its CustomResourceDefinition), or declare it in Git, then run again",
    },
    Row {
        words: &[
            "unknown field",
            "strict decoding",
            "validation failure",
            "invalid value",
            "required value",
        ],
        hint: "the manifest is not as the server wants it: correct it in Git, then run again",
    },
    Row {
        words: &["errimagepull", "imagepullbackoff"],
        hint: "the image cannot be had: see its name, the registry and the imagePullSecrets",
    },
    Row {
        words: &["backofflimitexceeded", "deadlineexceeded"],
        hint: "its pods failed: `kubectl logs` of them says why; a Job is made anew once it is deleted",
    },
    Row {
        words: &[
            "connection refused",
            "connection reset",
            "connection was dropped",
            "no answer within",
            "timed out",
            "timeout",
            "unavailable",
        ],
        hint: "see that the API server is well, then run again: what is there already stays as it is",
    },
];

/// What to do about a root failure; `None` where there is nothing better than to read the message.
pub(super) fn of(id: &ObjectId, cause: &Cause) -> Option<String> {
    if matches!(cause, Cause::Other(_)) {
        return None;
    }
    let said = cause.message().to_lowercase();
    let row = ROWS.iter().find(|row| row.words.iter().any(|word| said.contains(word)));
    if let Some(row) = row {
        return Some(row.hint.to_owned());
    }
    match cause {
        Cause::TimedOut(_) | Cause::NotReady(_) => {
            let namespace = id
                .namespace
                .as_ref()
                .map(|name| format!(" -n {name}"))
                .unwrap_or_default();
            let kind = id.group_kind().to_string();
            Some(format!(
                "`kubectl describe {kind} {}{namespace}` shows what holds it",
                id.name
            ))
        }
        Cause::HeldBack(_) => Some("--old-cluster-is-gone lets it go".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::id;
    use super::*;

    /// A message as servers write it, for each row in order.
    const SAID: &[&str] = &[
        r#"PersistentVolumeClaim "a" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests"#,
        r#"Job.batch "m" is invalid: spec.template: Invalid value: {}: field is immutable"#,
        r#"configmaps "a" is forbidden: unable to create new content in namespace bank because it is being terminated"#,
        r#"pods "a" is forbidden: exceeded quota: small, requested: cpu=1, used: cpu=0, limited: cpu=0"#,
        r#"pods "a" is forbidden: violates PodSecurity "restricted:latest": privileged"#,
        "ValidatingAdmissionPolicy 'a' with binding 'a' denied request: no",
        r#"admission webhook "names.bank" denied the request: no"#,
        r#"roles "a" is forbidden: user "u" is attempting to grant RBAC permissions not currently held"#,
        r#"configmaps is forbidden: User "u" cannot create resource "configmaps" in API group "" in the namespace "bank""#,
        r#"ListKindConflict: "MenuList" is already in use"#,
        "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated",
        r#"no matches for kind "Certificate" in version "cert-manager.io/v1""#,
        r#"Deployment.apps "a" is invalid: spec.selector: Required value"#,
        r#"Back-off pulling image "x": ErrImagePull"#,
        "Job has reached the specified backoff limit: BackoffLimitExceeded",
        "tcp connect error: Connection refused",
    ];

    #[test]
    fn every_row_fires() {
        assert_eq!(SAID.len(), ROWS.len());
        for (said, row) in SAID.iter().zip(ROWS) {
            let hint = of(&id("ConfigMap", "a"), &Cause::Refused((*said).to_owned()));
            assert_eq!(hint.as_deref(), Some(row.hint), "{said}");
        }
    }

    #[test]
    fn what_no_row_knows_gets_no_guess() {
        let cause = Cause::Refused("the moon is full".to_owned());
        assert_eq!(of(&id("ConfigMap", "a"), &cause), None);
        let cause = Cause::TimedOut("0 of 1 replicas ready".to_owned());
        assert_eq!(
            of(&id("Deployment", "a"), &cause).as_deref(),
            Some("`kubectl describe Deployment.apps a -n bank` shows what holds it")
        );
    }
}
