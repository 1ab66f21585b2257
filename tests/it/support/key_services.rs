//! Services on loopback that hold keys for SOPS and answer as their documentation says: the transit engine of HashiCorp Vault
//! (<https://developer.hashicorp.com/vault/api-docs/secret/transit>), AWS KMS
//! (<https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html>), Google Cloud KMS
//! (<https://docs.cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/decrypt>), and Huawei Cloud KMS
//! (<https://support.huaweicloud.com/intl/en-us/api-dew/DecryptData.html>).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::repo::Repo;
use super::run::{Refloat, tool_folder};
use super::web::{Answer, Asked, Web};

/// What a caller signs in with, and no output may hold.
const TOKEN: &str = "canary-token-5e1c";
const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/0d5d7a7a-6e0c-4a3c-9b57-2f8f3a0f1c11";

const RESOURCE: &str = "projects/shop/locations/global/keyRings/shop/cryptoKeys/shop";

/// One of them.
pub struct KeyService {
    web: Web,
    /// How `.sops.yaml` names its key.
    pub rule: String,
    /// The key as refloat names it.
    pub recipient: String,
    /// What says where it is, and signs in there.
    env: Vec<(&'static str, String)>,
    /// Those of these that sign in.
    secret: &'static [&'static str],
    /// What a Secret of Flux has to sign in there.
    flux: Vec<(&'static str, String)>,
    state: Arc<Mutex<State>>,
    /// Holds files that the environment names.
    _folder: Option<tempfile::TempDir>,
}

#[derive(Default)]
struct State {
    /// What was encrypted, by what stands for it.
    kept: BTreeMap<String, String>,
    refuses: bool,
}

impl State {
    /// Something that stands for a text.
    fn keep(&mut self, plain: &str) -> String {
        let name = format!("kept-{}", self.kept.len());
        self.kept.insert(name.clone(), plain.to_owned());
        name
    }
}

impl KeyService {
    /// Vault, with the transit engine at `transit` and the key `shop` in it.
    pub fn vault() -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let of = state.clone();
        let web = Web::start(move |asked| vault(asked, &mut of.lock().unwrap_or_else(PoisonError::into_inner)));
        let key = format!("{}/v1/transit/keys/shop", web.address);
        Self {
            rule: format!("hc_vault_transit_uri: {key}"),
            recipient: format!("Vault {key}"),
            env: vec![("VAULT_ADDR", web.address.clone()), ("VAULT_TOKEN", TOKEN.to_owned())],
            secret: &["VAULT_TOKEN"],
            flux: vec![("sops.vault-token", format!("{TOKEN}\n"))],
            web,
            state,
            _folder: None,
        }
    }

    /// AWS KMS.
    pub fn kms() -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let of = state.clone();
        let web = Web::start(move |asked| kms(asked, &mut of.lock().unwrap_or_else(PoisonError::into_inner)));
        Self {
            rule: format!("kms: {ARN}"),
            recipient: format!("AWS KMS {ARN}"),
            env: vec![
                ("AWS_ENDPOINT_URL_KMS", web.address.clone()),
                ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
                ("AWS_SECRET_ACCESS_KEY", TOKEN.to_owned()),
                // No machine of AWS is asked who this is.
                ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ],
            secret: &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
            flux: vec![(
                "sops.aws-kms",
                format!("aws_access_key_id: AKIDEXAMPLE\naws_secret_access_key: {TOKEN}\n"),
            )],
            web,
            state,
            _folder: None,
        }
    }

    /// Google Cloud KMS. A Secret of Flux would have the key of a service account, with which Google itself gives tokens out.
    pub fn gcp() -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let of = state.clone();
        let web = Web::start(move |asked| gcp(asked, &mut of.lock().unwrap_or_else(PoisonError::into_inner)));
        Self {
            rule: format!("gcp_kms: {RESOURCE}"),
            recipient: format!("GCP KMS {RESOURCE}"),
            env: vec![
                ("SOPS_GCP_KMS_CLIENT_TYPE", "rest".to_owned()),
                ("SOPS_GCP_KMS_ENDPOINT", web.address.clone()),
                ("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN.to_owned()),
            ],
            secret: &["GOOGLE_OAUTH_ACCESS_TOKEN"],
            flux: Vec::new(),
            web,
            state,
            _folder: None,
        }
    }

    /// Huawei Cloud KMS; Flux does not sign in there. A file says where its region is.
    pub fn huawei() -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let of = state.clone();
        let web = Web::start(move |asked| huawei(asked, &mut of.lock().unwrap_or_else(PoisonError::into_inner)));
        let folder = tempfile::tempdir().expect("because a temporary folder can be made");
        let regions = folder.path().join("regions.yaml");
        let text = format!("KMS:\n- id: eu-west-101\n  endpoint: {}\n", web.address);
        std::fs::write(&regions, text).expect("because the folder is ours");
        Self {
            rule: "hckms: ['eu-west-101:0d5d7a7a']".to_owned(),
            recipient: "Huawei KMS eu-west-101:0d5d7a7a".to_owned(),
            env: vec![
                ("HUAWEICLOUD_SDK_REGIONS_FILE", regions.display().to_string()),
                ("HUAWEICLOUD_SDK_AK", "AKEXAMPLE".to_owned()),
                ("HUAWEICLOUD_SDK_SK", TOKEN.to_owned()),
                ("HUAWEICLOUD_SDK_PROJECT_ID", "shop".to_owned()),
            ],
            secret: &["HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"],
            flux: Vec::new(),
            web,
            state,
            _folder: Some(folder),
        }
    }

    /// A run that knows where it is, and is signed in there.
    pub fn known_to(&self, run: Refloat) -> Refloat {
        self.env.iter().fold(run, |run, (name, value)| run.env(name, value))
    }

    /// A run that knows where it is, and is not signed in.
    pub fn unsigned(&self, run: Refloat) -> Refloat {
        let env = self.env.iter().filter(|(name, _)| !self.secret.contains(name));
        env.fold(run, |run, (name, value)| run.env(name, value))
    }

    /// From now on it may not be used, or may again.
    pub fn refuse(&self, refuses: bool) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).refuses = refuses;
    }

    /// How often it was asked to do something.
    pub fn asked(&self) -> usize {
        self.web.asked().len()
    }

    /// Encrypts a file of a repository, signed in there.
    pub fn encrypt(&self, repo: &Repo, file: &str) {
        encrypt(repo, file, &self.env);
    }

    /// The manifest of a Secret by which Flux signs in there.
    pub fn secret_of_flux(&self) -> String {
        let entries: String = self
            .flux
            .iter()
            .map(|(name, text)| format!("  {name}: {}\n", json!(text)))
            .collect();
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: sops, namespace: flux-system}}\nstringData:\n{entries}"
        )
    }

    /// That nobody tells what a caller signs in with.
    pub fn is_not_told(&self, text: &str) {
        assert!(!text.contains(TOKEN), "{text}");
    }
}

/// Encrypts a file of a repository with `sops` itself, as its `.sops.yaml` says.
pub fn encrypt(repo: &Repo, file: &str, env: &[(&str, String)]) {
    let home = tempfile::tempdir().expect("because a temporary folder can be made");
    #[expect(clippy::disallowed_methods, reason = "tests encrypt with sops itself")]
    let output = Command::new(tool_folder("sops").join("sops"))
        .args(["encrypt", "--in-place", file])
        .current_dir(repo.path())
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", "/usr/bin:/bin")
        .envs(env.iter().map(|(name, value)| (name, OsString::from(value))))
        .output()
        .expect("because it was built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn json_of(asked: &Asked) -> Value {
    serde_json::from_str(&asked.body).unwrap_or_default()
}

fn vault(asked: &Asked, state: &mut State) -> Answer {
    let refused = |code: u16, why: &str| Answer::status(code).body(json!({"errors": [why]}).to_string());
    match asked.header("x-vault-token") {
        "" => return refused(400, "missing client token"),
        TOKEN if !state.refuses => {}
        _ => return refused(403, "1 error occurred:\n\t* permission denied\n\n"),
    }
    let body = json_of(asked);
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    // `vault` and its libraries PUT where the documentation has POST; the server takes both.
    let data = match (&*asked.method, &*asked.path) {
        ("POST" | "PUT", "/v1/transit/encrypt/shop") => {
            json!({"ciphertext": format!("vault:v1:{}", state.keep(&text("plaintext"))), "key_version": 1})
        }
        ("POST" | "PUT", "/v1/transit/decrypt/shop") => {
            let kept = text("ciphertext");
            match kept.strip_prefix("vault:v1:").and_then(|name| state.kept.get(name)) {
                Some(plain) => json!({"plaintext": plain}),
                None => return refused(400, "invalid ciphertext: unable to decrypt"),
            }
        }
        _ => return refused(404, "no handler for route"),
    };
    let whole = json!({"request_id": "1", "lease_id": "", "renewable": false, "lease_duration": 0, "data": data});
    Answer::ok(whole.to_string()).with("content-type", "application/json")
}

fn kms(asked: &Asked, state: &mut State) -> Answer {
    let answer = |answer: Answer| answer.with("content-type", "application/x-amz-json-1.1");
    let refused = |kind: &str, why: &str| {
        let body = json!({"__type": kind, "message": why});
        answer(Answer::status(400).body(body.to_string()))
    };
    if !asked.header("authorization").contains("Credential=AKIDEXAMPLE/") {
        return refused(
            "MissingAuthenticationTokenException",
            "Request is missing Authentication Token",
        );
    }
    if state.refuses {
        return refused(
            "AccessDeniedException",
            "User: me is not authorized to perform: kms:Decrypt",
        );
    }
    let body = json_of(asked);
    let blob = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let done = match asked.header("x-amz-target") {
        "TrentService.Encrypt" => {
            let kept = state.keep(&blob("Plaintext"));
            json!({"KeyId": ARN, "CiphertextBlob": BASE64_STANDARD.encode(kept), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"})
        }
        "TrentService.Decrypt" => {
            let name = BASE64_STANDARD.decode(blob("CiphertextBlob")).unwrap_or_default();
            match state.kept.get(&*String::from_utf8_lossy(&name)) {
                Some(plain) => json!({"KeyId": ARN, "Plaintext": plain, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}),
                None => return refused("InvalidCiphertextException", ""),
            }
        }
        _ => return refused("UnknownOperationException", ""),
    };
    answer(Answer::ok(done.to_string()))
}

fn gcp(asked: &Asked, state: &mut State) -> Answer {
    let answer = |answer: Answer| answer.with("content-type", "application/json");
    let refused = |code: u16, status: &str, why: &str| {
        let body = json!({"error": {"code": code, "message": why, "status": status}});
        answer(Answer::status(code).body(body.to_string()))
    };
    if asked.header("authorization") != format!("Bearer {TOKEN}") {
        return refused(
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials.",
        );
    }
    if state.refuses {
        let why = format!("Permission 'cloudkms.cryptoKeyVersions.useToDecrypt' denied on resource '{RESOURCE}'");
        return refused(403, "PERMISSION_DENIED", &why);
    }
    let body = json_of(asked);
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let path = asked.path.split('?').next().unwrap_or_default();
    let done = match path.strip_prefix("/v1/").and_then(|path| path.strip_prefix(RESOURCE)) {
        Some(":encrypt") => {
            let kept = state.keep(&text("plaintext"));
            json!({"name": format!("{RESOURCE}/cryptoKeyVersions/1"), "ciphertext": BASE64_STANDARD.encode(kept)})
        }
        Some(":decrypt") => {
            let name = BASE64_STANDARD.decode(text("ciphertext")).unwrap_or_default();
            match state.kept.get(&*String::from_utf8_lossy(&name)) {
                Some(plain) => json!({"plaintext": plain, "usedPrimary": true}),
                None => return refused(400, "INVALID_ARGUMENT", "Decryption failed"),
            }
        }
        _ => return refused(404, "NOT_FOUND", "Method not found."),
    };
    answer(Answer::ok(done.to_string()))
}

fn huawei(asked: &Asked, state: &mut State) -> Answer {
    let answer = |answer: Answer| answer.with("content-type", "application/json");
    let refused = |code: u16, name: &str, why: &str| {
        let body = json!({"error": {"error_code": name, "error_msg": why}});
        answer(Answer::status(code).body(body.to_string()))
    };
    if !asked.header("authorization").contains("Access=AKEXAMPLE,") {
        return refused(401, "APIGW.0301", "Incorrect IAM authentication information");
    }
    if state.refuses {
        return refused(403, "KMS.0303", "You have no permission to use this key");
    }
    let body = json_of(asked);
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let done = match (&*text("key_id"), &*asked.path) {
        ("0d5d7a7a", "/v1.0/shop/kms/encrypt-data") => {
            json!({"key_id": "0d5d7a7a", "cipher_text": state.keep(&text("plain_text"))})
        }
        ("0d5d7a7a", "/v1.0/shop/kms/decrypt-data") => match state.kept.get(&text("cipher_text")) {
            Some(plain) => json!({"key_id": "0d5d7a7a", "plain_text": plain}),
            None => return refused(400, "KMS.0328", "The ciphertext is invalid"),
        },
        _ => return refused(404, "APIGW.0101", "The API does not exist"),
    };
    answer(Answer::ok(done.to_string()))
}
