//! Where an object stands: a path that any file system takes, whatever the object is called.

use std::fmt::Write as _;

use super::{OBJECTS, sum};
use crate::object::ObjectId;

/// In place of a namespace; no namespace is called so.
const CLUSTER: &str = "_cluster";
/// File names may have 255 bytes; names of objects have up to 253, and each may take three.
const LONGEST: usize = 200;

/// The file of an object; `resource` is its plural and group: `deployments.apps`.
pub(super) fn file(id: &ObjectId, resource: &str) -> String {
    let namespace = id.namespace.as_deref().map_or(CLUSTER.to_owned(), part);
    format!("{OBJECTS}/{namespace}/{}/{}.yaml", part(resource), part(&id.name))
}

/// A part of a path: other than lower-case letters, digits, `.`, `-` and `_` everything is percent-encoded, so that names which differ in
/// case only differ on every file system. What is too long is cut, and its checksum tells it from others.
fn part(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        // `.`, `..`, `_cluster`, and hidden files.
        let first = at == 0 && b"._".contains(&byte);
        if plain && !first {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    if out.len() > LONGEST {
        out.truncate(LONGEST - 17);
        out.push('~');
        out.push_str(&sum(name.as_bytes())[..16]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_is_a_path_of_its_own() {
        let long = "x".repeat(253);
        let longer = format!("{}y", &long[..252]);
        let names = [
            "web",
            "system:node",
            "System:node",
            ".",
            "..",
            ".hidden",
            "a/b",
            "a%2Fb",
            "CON",
            "",
            "ä",
            "a b",
            &long,
            &longer,
        ];
        let mut seen = BTreeSet::new();
        for name in names {
            let file = file(&ObjectId::new("", "X", None, name), "xs");
            let last = file
                .strip_prefix("objects/_cluster/xs/")
                .expect("because that is where it stands");
            assert!(
                !last.contains('/') && !last.starts_with('.') || name.is_empty(),
                "{file}"
            );
            assert!(last.len() <= 255 && last.is_ascii(), "{file}");
            assert!(seen.insert(file.to_lowercase()), "{file}");
        }
        let id = ObjectId::new("apps", "Deployment", Some("shop"), "web");
        assert_eq!(file(&id, "deployments.apps"), "objects/shop/deployments.apps/web.yaml");
    }
}
