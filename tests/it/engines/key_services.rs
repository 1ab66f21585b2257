//! What is encrypted for keys that Vault or KMS of AWS, Google Cloud and Huawei Cloud hold: opened by `sops`, which asks them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::kustomization;
use crate::support::key_services::KeyService;
use crate::support::repo::Repo;
use crate::support::run::{Ran, Refloat, refloat};

const CANARY: &str = "canary-7f3a";
const UNIT: &str = "Kustomization/flux-system/apps";

/// A unit of Flux with a Secret that is encrypted for a service's key, and another unit.
fn repository(service: &KeyService) -> Repo {
    let repo = Repo::with(&[
        (
            "clusters/prod/apps.yaml",
            &kustomization("apps", "./apps", "  decryption: {provider: sops}\n"),
        ),
        ("clusters/prod/other.yaml", &kustomization("other", "./other", "")),
        (
            ".sops.yaml",
            &format!(
                "creation_rules:\n- encrypted_regex: ^(data|stringData)$\n  {}\n",
                service.rule
            ),
        ),
        (
            "apps/secret.yaml",
            &format!(
                "apiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: shop}}\nstringData: {{password: {CANARY}}}\n"
            ),
        ),
        ("apps/kustomization.yaml", "resources: [secret.yaml]\n"),
        (
            "other/map.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other, namespace: shop}\n",
        ),
    ]);
    service.encrypt(&repo, "apps/secret.yaml");
    repo.commit("encrypted");
    repo
}

/// Runs it with `sops` at hand; what somebody signs in with is never told.
fn run(service: &KeyService, repo: &Repo, args: &[&str], with: impl Fn(Refloat) -> Refloat) -> Ran {
    let place = repo.path().display().to_string();
    let args = [args[0], &*place, "--path", "clusters/prod"]
        .into_iter()
        .chain(args[1..].iter().copied());
    let ran = with(refloat(args).with_tools(&["sops"])).run();
    service.is_not_told(&format!("{}{}", ran.stdout, ran.stderr));
    ran
}

#[test]
fn what_services_hold_the_keys_of_is_opened_through_sops() {
    let services = [
        KeyService::vault(),
        KeyService::kms(),
        KeyService::gcp(),
        KeyService::huawei(),
    ];
    for service in services {
        let repo = repository(&service);
        let before = service.asked();
        let masked = run(&service, &repo, &["render"], |run| service.known_to(run));
        assert_eq!(masked.code, 0, "{}", masked.stderr);
        assert!(
            masked.stdout.contains("kind: Secret") && !masked.stdout.contains(CANARY),
            "{}",
            masked.stdout
        );
        assert_eq!(service.asked(), before + 1, "once for a file");
        let shown = run(&service, &repo, &["render", "--show-secrets"], |run| {
            service.known_to(run)
        });
        assert!(
            shown.stdout.contains(&BASE64_STANDARD.encode(CANARY)),
            "{}",
            shown.stdout
        );
    }
}

/// As the controller of Flux signs in: with what the Secret of a Kustomization has, given by the operator or in the cluster.
#[test]
fn the_secret_of_flux_signs_in() {
    for service in [KeyService::vault(), KeyService::kms()] {
        let repo = repository(&service);
        let folder = tempfile::tempdir().expect("because a temporary folder can be made");
        let file = folder.path().join("secret.yaml");
        std::fs::write(&file, service.secret_of_flux()).expect("because the folder is ours");
        let file = file.display().to_string();
        let opened = |args: &[&str]| {
            let args = [&["render", "--show-secrets"], args].concat();
            let ran = run(&service, &repo, &args, |run| service.unsigned(run));
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            assert!(ran.stdout.contains(&BASE64_STANDARD.encode(CANARY)), "{}", ran.stdout);
        };
        opened(&["--decryption-key", &file]);
        let provider = "decryption: {provider: sops}";
        let named = kustomization(
            "apps",
            "./apps",
            &format!("  {}\n", provider.replace('}', ", secretRef: {name: sops}}")),
        );
        repo.write("clusters/prod/apps.yaml", &named);
        repo.commit("name the secret");
        opened(&["--input", &format!("Secret/flux-system/sops={file}")]);
    }
}

#[test]
fn a_key_that_may_not_be_used_is_named_with_its_file_and_unit() {
    for (service, missing, refused, hint) in [
        (
            KeyService::vault(),
            "Code: 400. Errors: * missing client token",
            "Code: 403. Errors: * 1 error occurred: * permission denied",
            "sign in to Vault (`vault login`, or VAULT_TOKEN)",
        ),
        (
            KeyService::kms(),
            "get credentials",
            "AccessDeniedException: User: me is not authorized to perform: kms:Decrypt",
            "sign in to AWS (AWS_PROFILE, ",
        ),
        (
            KeyService::gcp(),
            "could not find default credentials",
            "Permission 'cloudkms.cryptoKeyVersions.useToDecrypt' denied",
            "sign in to Google Cloud (GOOGLE_APPLICATION_CREDENTIALS)",
        ),
        (
            KeyService::huawei(),
            "failed to get HuaweiCloud credentials",
            "You have no permission to use this key",
            "sign in to Huawei Cloud (HUAWEICLOUD_SDK_AK and what goes with it)",
        ),
    ] {
        let repo = repository(&service);
        let needs = format!("no key fits: it needs {}; you have none; sops", service.recipient);
        let told = |command: &[&str], why: &str, with: &dyn Fn(Refloat) -> Refloat| {
            let ran = run(&service, &repo, command, with);
            assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
            for said in [
                "\"secret.yaml\" cannot be read",
                &*format!("{UNIT}: nothing of "),
                &*needs,
                why,
                hint,
            ] {
                assert!(ran.stderr.contains(said), "{said} in {}", ran.stderr);
            }
            assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(CANARY));
            assert!(ran.stdout.contains("other"), "the rest carries on: {}", ran.stdout);
        };
        let plan = ["plan", "--kube-version", "1.37"];
        for command in [&["render"][..], &plan[..]] {
            told(command, missing, &|run| service.unsigned(run));
            service.refuse(true);
            told(command, refused, &|run| service.known_to(run));
            service.refuse(false);
        }
        // With what may be left to Flux that is no error.
        let left = run(&service, &repo, &[&plan[..], &["--mode", "auto"]].concat(), |run| {
            service.unsigned(run)
        });
        let said = format!("{UNIT}: left to its engine: nothing of ");
        assert!(left.stderr.contains(&said), "{}", left.stderr);
        told(&plan, "was not found", &|run| {
            service.known_to(run).env("PATH", "/usr/bin:/bin")
        });
    }
}
