//! How Flux names Helm releases.

use sha2::{Digest, Sha256};

/// Helm's limit for names of releases.
const LONGEST: usize = 53;

/// The name of a HelmRelease's release: the one it says, else `[TARGET-]NAME`; a long one ends in a checksum of itself
/// (`release.ShortenName` of helm-controller). What is not said is "".
pub fn release_name(said: &str, target: &str, name: &str) -> String {
    let name = match (said, target) {
        ("", "") => name.to_owned(),
        ("", target) => format!("{target}-{name}"),
        (said, _) => said.to_owned(),
    };
    if name.len() <= LONGEST {
        return name;
    }
    let sum = Sha256::digest(name.as_bytes());
    let sum: String = sum.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let kept: String = name.chars().take(LONGEST - 13).collect();
    format!("{kept}-{sum}")
}
