//! The program `sops`: for keys that only it can use (PGP, KMS, Vault, post-quantum age).
//!
//! What is in clear goes to it through its standard input and comes back through its standard output, never by way of a disk, an argument or
//! the environment. What lies in files for it is encrypted, or a `.sops.yaml`.
//!
//! Keys of age that it needs, and that are not in its environment anyway, are put there: it takes them from the environment or a file, and
//! keys are not written to a disk. So is what the Secret that Flux decrypts with has of tokens and passwords for services that hold keys. Only
//! the user of this process can read that environment, for as long as `sops` runs.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sops::{Encrypted, Format, Identities};
use zeroize::Zeroizing;

use crate::process::{BASIC_ENVIRONMENT, Output, Tool, which};

/// Longest that it may take for a file: it may ask a service far away.
const LONGEST: Duration = Duration::from_secs(60);
/// By what it finds its keys and services, and with what it signs in there, beside what every program needs.
const ENVIRONMENT: [&str; 61] = [
    "SOPS_AGE_KEY",
    "SOPS_AGE_KEY_FILE",
    "SOPS_DECRYPTION_ORDER",
    "SOPS_GPG_EXEC",
    "GNUPGHOME",
    "GPG_AGENT_INFO",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_KMS",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CA_BUNDLE",
    "AWS_USE_FIPS_ENDPOINT",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CREDENTIALS",
    "GOOGLE_OAUTH_ACCESS_TOKEN",
    "SOPS_GCP_KMS_CLIENT_TYPE",
    "SOPS_GCP_KMS_ENDPOINT",
    "SOPS_GCP_KMS_UNIVERSE_DOMAIN",
    "CLOUDSDK_CONFIG",
    "AZURE_CONFIG_DIR",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
    "HUAWEICLOUD_SDK_AK",
    "HUAWEICLOUD_SDK_SK",
    "HUAWEICLOUD_SDK_SECURITY_TOKEN",
    "HUAWEICLOUD_SDK_PROJECT_ID",
    "HUAWEICLOUD_SDK_DOMAIN_ID",
    "HUAWEICLOUD_SDK_IDP_ID",
    "HUAWEICLOUD_SDK_ID_TOKEN_FILE",
    "HUAWEICLOUD_SDK_IAM_ENDPOINT",
    "HUAWEICLOUD_SDK_CREDENTIALS_FILE",
    "HUAWEICLOUD_SDK_REGIONS_FILE",
    "SOPS_HC_VAULT_ALLOWLIST",
    "VAULT_ADDR",
    "VAULT_CACERT",
    "VAULT_CAPATH",
    "VAULT_CLIENT_CERT",
    "VAULT_CLIENT_KEY",
    "VAULT_NAMESPACE",
    "VAULT_SKIP_VERIFY",
    "VAULT_TLS_SERVER_NAME",
    "VAULT_TOKEN",
];

/// Where it is, and what it is given: keys of age, and variables to sign in with.
pub(super) struct Program {
    path: PathBuf,
    age_keys: Zeroizing<String>,
    signs_in: BTreeMap<&'static str, Zeroizing<String>>,
}

impl Program {
    /// This one; `None`: the one on PATH.
    ///
    /// # Errors
    /// There is none.
    pub fn find(given: Option<&Path>) -> Result<Self, String> {
        let found = given.map(Path::to_owned).or_else(|| which("sops"));
        let path = found.ok_or_else(|| "sops, which could use them, was not found".to_owned())?;
        Ok(Self {
            path,
            age_keys: Zeroizing::default(),
            signs_in: BTreeMap::new(),
        })
    }

    /// With these keys of age, one a line: those of its environment are to be among them.
    pub fn with_age_keys(self, age_keys: Zeroizing<String>) -> Self {
        Self { age_keys, ..self }
    }

    /// With these variables, in place of those of refloat's own environment.
    pub fn signed_in(self, signs_in: BTreeMap<&'static str, Zeroizing<String>>) -> Self {
        Self { signs_in, ..self }
    }

    /// A file in clear.
    ///
    /// # Errors
    /// What it said.
    pub fn decrypt(&self, text: &[u8], format: Format) -> Result<Zeroizing<Vec<u8>>, String> {
        let name = name(format);
        let tool = self
            .tool()
            .args(["decrypt", "--input-type", &name, "--output-type", &name, "/dev/stdin"]);
        run(&tool.input(text)).map(|output| Zeroizing::new(output.stdout))
    }

    /// A new file, encrypted as the text of a `.sops.yaml` says. `path` is that of the file, told from the folder of the `.sops.yaml`.
    ///
    /// # Errors
    /// What it said.
    pub fn encrypt(&self, rules: &[u8], path: &str, format: Format, plain: &[u8]) -> Result<Vec<u8>, String> {
        let folder = Folder::with(rules)?;
        let name = name(format);
        let tool = self.tool().folder(folder.path()).args(["--config", RULES, "encrypt"]);
        let tool = tool.args([
            "--input-type",
            &name,
            "--output-type",
            &name,
            "--filename-override",
            path,
        ]);
        let output = run(&tool.arg("/dev/stdin").input(plain))?;
        Ok(output.stdout)
    }

    /// An encrypted file whose data key a key made for it opens too, and that key. What is in clear does not leave `sops` for it, nor come
    /// to it.
    ///
    /// # Errors
    /// What it said.
    pub fn share(&self, text: &[u8], format: Format) -> Result<(Encrypted, Identities), String> {
        let own = Identities::generate();
        let rules = format!("creation_rules:\n- age: {}\n", own.recipients().join(","));
        let folder = Folder::with(rules.as_bytes())?;
        let file = folder.path().join("shared");
        fs::write(&file, text).map_err(untold)?;
        let tool = self
            .tool()
            .folder(folder.path())
            .args(["--config", RULES, "updatekeys"]);
        run(&tool.args(["--yes", "--input-type", &name(format), "shared"]))?;
        let shared = fs::read(&file).map_err(untold)?;
        let shared = Encrypted::read(format, &shared).map_err(|error| format!("sops wrote: {error}"))?;
        Ok((shared, own))
    }

    fn tool(&self) -> Tool {
        let tool = Tool::new(&self.path)
            .inherit(BASIC_ENVIRONMENT)
            .inherit(ENVIRONMENT)
            .timeout(LONGEST);
        let tool = (self.signs_in.iter()).fold(tool, |tool, (name, value)| tool.env(name, &**value));
        match self.age_keys.is_empty() {
            true => tool,
            false => tool.env("SOPS_AGE_KEY", &*self.age_keys),
        }
    }
}

const RULES: &str = ".sops.yaml";

/// A folder of its own with rules in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(rules: &[u8]) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("refloat-sops-").tempdir();
        let folder = Self(folder.map_err(untold)?);
        fs::write(folder.path().join(RULES), rules).map_err(untold)?;
        Ok(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

fn untold(cause: io::Error) -> String {
    format!("what sops reads could not be written to the folder for temporary files: {cause}")
}

fn name(format: Format) -> String {
    format.to_string().to_lowercase()
}

fn run(tool: &Tool) -> Result<Output, String> {
    let output = tool.run().map_err(|error| error.to_string())?;
    match output.code {
        Some(0) => Ok(output),
        _ => Err(format!("sops said: {}", said(&String::from_utf8_lossy(&output.stderr)))),
    }
}

/// What it says, in one line. Of each key that it tried it says why that one is of no use, broken into lines behind a bar; what stands
/// around that is the same each time.
fn said(text: &str) -> String {
    const LONGEST: usize = 1000;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let causes: Vec<&str> = lines
        .clone()
        .filter_map(|line| line.trim_start_matches("- ").strip_prefix('|'))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let told = match causes.is_empty() {
        true => lines.take(4).collect::<Vec<_>>().join(" "),
        false => causes.join(" "),
    };
    told.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_each_key_is_of_no_use_is_told_in_one_line() {
        let text = "Failed to get the data key required to decrypt the SOPS file.\n\nGroup 0: FAILED\n  age1abc: FAILED\n    - | no identity matched any of\n      | the recipients\n\n\
            \x20 https://vault.example.com/v1/transit/keys/shop: FAILED\n    - | failed to decrypt sops data key: Error making API\n      | request.\n      |\n      | Code: 403. Errors:\n      |\n      | * permission denied\n\n\
            Recovery failed because no master key was able to decrypt\nthe file.\n";
        assert_eq!(
            said(text),
            "no identity matched any of the recipients failed to decrypt sops data key: Error making API request. Code: 403. Errors: * permission denied"
        );
        assert_eq!(
            said("config file not found\n\nand so on\n"),
            "config file not found and so on"
        );
    }
}
