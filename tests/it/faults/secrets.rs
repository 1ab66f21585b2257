//! What is secret is said by nobody: neither by refloat nor through it by a server that quotes it.

use std::path::Path;

use base64::Engine;
use serde_json::json;

use super::{Admin, Given, own};
use crate::support::plane::wait;
use crate::support::run::{Ran, refloat};

const CANARY: &str = "canary-hunter2-not-a-secret";

fn encoded(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// No canary, plain or encoded, nor the beginning of one.
#[track_caller]
fn clean(what: &str, text: &str) {
    for word in [
        "hunter2",
        &encoded(CANARY)[..24],
        &encoded(&format!("{CANARY} again"))[..24],
    ] {
        let at = text
            .find(word)
            .map(|at| &text[at.saturating_sub(200)..(at + 60).min(text.len())]);
        assert!(
            at.is_none(),
            "{what} gives the secret away: …{}",
            at.unwrap_or_default()
        );
    }
}

fn clean_run(what: &str, ran: &Ran) {
    clean(&format!("{what}, stdout"), &ran.stdout);
    clean(&format!("{what}, stderr"), &ran.stderr);
}

const POLICY: &str = "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: tells-all}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: canaries}}
    resourceRules:
    - {apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [secrets]}
  validations:
  - expression: \"object.metadata.name != 'quoted'\"
    messageExpression: \"'this will not do: ' + string(object.data['k']) + ' nor ' + string(object.data['k'])\"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: tells-all}
spec: {policyName: tells-all, validationActions: [Deny]}
";

/// Secrets that are taken, and Secrets that are refused for reasons that quote them.
fn secrets() -> String {
    let value = encoded(CANARY);
    let secret = |name: &str, rest: &str| {
        format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: canaries}}\n{rest}\n")
    };
    [
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: canaries}\n".to_owned(),
        secret("fine", &format!("stringData: {{a: {CANARY}}}\ndata: {{b: {value}}}")),
        secret("quoted", &format!("data: {{k: {value}}}")),
        secret("not-base64", &format!("data: {{k: '{CANARY}'}}")),
        secret("a-number", &format!("data: {{k: {{deep: {CANARY}}}}}")),
        secret("registry", &format!("type: kubernetes.io/dockerconfigjson\nstringData: {{.dockerconfigjson: '{CANARY}'}}")),
        secret("tls", &format!("type: kubernetes.io/tls\nstringData: {{tls.crt: '{CANARY}'}}")),
        secret("fixed", &format!("immutable: true\nstringData: {{k: '{CANARY} again'}}")),
        secret("unknown-field", &format!("date: {{k: {CANARY}}}")),
        secret("twice", &format!("stringData: {{k: {CANARY}, k: {CANARY}}}")),
        secret("bad_name", &format!("stringData: {{k: {CANARY}}}")),
        format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: broken}}\nstringData: {{k: {CANARY}\n  l: \"{CANARY}\n"),
    ]
    .concat()
}

#[test]
fn a_secret_is_told_by_nobody() {
    let admin = Admin::of(own());
    admin.create("/api/v1/namespaces", &json!({"metadata": {"name": "canaries"}}));
    let fixed = json!({"metadata": {"name": "fixed"}, "immutable": true, "stringData": {"k": CANARY}});
    admin.create("/api/v1/namespaces/canaries/secrets", &fixed);
    let policy = Given::new(own(), &[("policy.yaml", POLICY)]);
    assert_eq!(policy.restore(&[]).run().code, 0);
    let probe = json!({"metadata": {"name": "quoted"}, "data": {"k": encoded("probe")}});
    let path = "/api/v1/namespaces/canaries/secrets?dryRun=All";
    while wait(admin.0.create(path, &probe))
        .expect("because the server runs")
        .is_success()
    {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }

    let given = Given::new(own(), &[("secrets.yaml", &secrets())]);
    let (text, json) = (
        given.folder.path().join("report.txt"),
        given.folder.path().join("report.json"),
    );
    let report = |path: &Path| path.display().to_string();
    let runs = [
        ("restore", given.restore(&["--report", &report(&text), "--verbose"])),
        (
            "restore as JSON",
            given.restore(&["--report", &report(&json), "--output", "json"]),
        ),
        ("strict", given.restore(&["--strict"])),
        ("recreate", given.restore(&["--recreate", "--timeout", "10s"])),
        ("dry run", given.restore(&["--dry-run", "--verbose"])),
        ("plan", given.command("plan", &["--output", "json"])),
        ("why", given.command("plan", &["--why", "Secret/canaries/fine"])),
        ("render", refloat(["render".into(), given.repo()])),
    ];
    for (index, (what, run)) in runs.into_iter().enumerate() {
        let ran = run.run();
        clean_run(what, &ran);
        if index == 0 {
            insta::assert_snapshot!(given.said(&ran), @r#"
        exit 3
        asking the cluster what it serves
        reading TMP/repo
        asking the cluster what it has
        Repository  TMP/repo
        Entry       the whole repository: manifests, found by itself
        Cluster     refloat-throwaway, context refloat-throwaway, https://SERVER, 3 nodes
        1 error and 1 warning in the repository:
          error: secrets.yaml:63: this document is not restored: it is not valid YAML at column 4: while parsing a flow mapping, did not find expected ',' or '}'
          warning: secrets.yaml:52: k is given again in stringData: this one overrides line 52
        decide: There already, with fields that would be taken from their present owners (1)
          Secret/canaries/fixed (secrets.yaml:38): exists, and would take .data.k from unknown
        created     Secret/canaries/fine
        created     Secret/canaries/twice
        created     Secret/canaries/unknown-field
        failed      Secret/canaries/a-number (secrets.yaml:21): failed to create typed patch object (canaries/a-number; /v1, Kind=Secret): .data.k: expected string, got (hidden)
        failed      Secret/canaries/bad_name (secrets.yaml:54): Secret "bad_name" is invalid: metadata.name: Invalid value: ***
        failed      Secret/canaries/fixed (secrets.yaml:38): Secret "fixed" is invalid: data: Forbidden: field is immutable when `immutable` is set
        failed      Secret/canaries/not-base64 (secrets.yaml:16): failed to convert new object (canaries/not-base64; /v1, Kind=Secret) to proper version: unable to convert unstructured object to /v1, Kind=Secret: error decoding from json: illegal base64 data at input byte 6
        failed      Secret/canaries/quoted (secrets.yaml:11): secrets "quoted" is forbidden: ValidatingAdmissionPolicy 'tells-all' with binding 'tells-all' denied request: this will not do: (hidden) nor (hidden)
        failed      Secret/canaries/registry (secrets.yaml:26): Secret "registry" is invalid: data[.dockerconfigjson]: Invalid value: ***
        failed      Secret/canaries/tls (secrets.yaml:32): Secret "tls" is invalid: data[tls.key]: Required value
        unchanged   Namespace/canaries  ready after #s
        warning     unknown field "date" (Secret/canaries/unknown-field; others are counted in the summary)
        --
        4 of 11 objects are in the cluster (#s).
        In the repository: 1 error and 1 warning, listed above.

                      objects   ready  not waited for  failed  timed out
        created             3       -               3       -          -
        unchanged           1       1               -       -          -
        failed              7       -               -       -          -

        Failed: 7
          Secret/canaries/a-number (secrets.yaml:21): failed to create typed patch object (canaries/a-number; /v1, Kind=Secret): .data.k: expected string, got (hidden)
          Secret/canaries/bad_name (secrets.yaml:54): Secret "bad_name" is invalid: metadata.name: Invalid value: ***
            hint: the manifest is not as the server wants it: correct it in Git, then run again
          Secret/canaries/fixed (secrets.yaml:38): Secret "fixed" is invalid: data: Forbidden: field is immutable when `immutable` is set
            hint: --recreate deletes it and makes it anew; without it, it stays as it is in the cluster
          Secret/canaries/not-base64 (secrets.yaml:16): failed to convert new object (canaries/not-base64; /v1, Kind=Secret) to proper version: unable to convert unstructured object to /v1, Kind=Secret: error decoding from json: illegal base64 data at input byte 6
          Secret/canaries/quoted (secrets.yaml:11): secrets "quoted" is forbidden: ValidatingAdmissionPolicy 'tells-all' with binding 'tells-all' denied request: this will not do: (hidden) nor (hidden)
            hint: a policy of the cluster decides here: change the object, or the policy that is named, in Git
          Secret/canaries/registry (secrets.yaml:26): Secret "registry" is invalid: data[.dockerconfigjson]: Invalid value: ***
            hint: the manifest is not as the server wants it: correct it in Git, then run again
          Secret/canaries/tls (secrets.yaml:32): Secret "tls" is invalid: data[tls.key]: Required value
            hint: the manifest is not as the server wants it: correct it in Git, then run again

        Warnings of the server: 1
          unknown field "date" (1 object: Secret/canaries/unknown-field)

        Slowest chain: #s of #s

        Next: correct what is named above, then the same command again; what is there already stays as it is.
        "#);
        }
    }
    for path in [text, json] {
        clean(
            "the report",
            &std::fs::read_to_string(path).expect("because it was written"),
        );
    }
    let fine = admin.get("/api/v1/namespaces/canaries/secrets/fine");
    assert_eq!(fine["data"]["a"], encoded(CANARY), "it is there all the same");
}

#[test]
fn what_children_are_given() {
    let given = Given::new(own(), &[("k/kustomization.yaml", "resources: []\n")]);
    let tool = given.folder.path().join("kustomize");
    let seen = given.folder.path().join("seen");
    let script = format!("#!/bin/sh\nenv > {}\ncat /proc/$$/cmdline >> {0}\n", seen.display());
    std::fs::write(&tool, script).expect("because the folder is ours");
    std::fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("because it is ours");
    let tool = tool.display().to_string();
    let run = refloat([
        "plan",
        &given.repo().display().to_string(),
        "--path",
        "k",
        "--kustomize-binary",
        &tool,
        "--kube-version",
        "1.37",
    ]);
    let ran = run
        .env("BANK_TOKEN", CANARY)
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .run();
    let seen = std::fs::read_to_string(seen).unwrap_or_else(|_| panic!("it was not run: {}{}", ran.stdout, ran.stderr));
    clean("the environment of kustomize", &seen);
    clean_run("plan", &ran);
}
