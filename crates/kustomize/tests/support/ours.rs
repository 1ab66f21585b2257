//! What this crate makes of files.

use std::collections::BTreeMap;

use kustomize::{Kustomize, LoadRestriction, Memory, Nothing, Options};
use serde_json::Value;

use super::oracle::Built;

/// Options of the load restriction that kustomize has, or of none.
pub fn options(unrestricted: bool) -> Options {
    let load_restriction = if unrestricted {
        LoadRestriction::None
    } else {
        LoadRestriction::RootOnly
    };
    Options {
        load_restriction,
        ..Options::default()
    }
}

/// Files in memory.
pub fn memory(files: &BTreeMap<String, String>) -> Memory {
    let mut memory = Memory::default();
    for (path, text) in files {
        memory.put(path, text.as_bytes(), None);
    }
    memory
}

/// What this crate makes of a folder among these files.
pub fn build(files: &BTreeMap<String, String>, root: &str, unrestricted: bool) -> Built {
    let memory = memory(files);
    of(&Kustomize::new(&memory, &Nothing, options(unrestricted)), root)
}

/// What a root comes to.
pub fn of(kustomize: &Kustomize<'_>, root: &str) -> Built {
    match kustomize.build(root) {
        Ok(build) => Ok(build.objects.iter().map(|object| Value::clone(&object.value)).collect()),
        Err(errors) => Err(errors.to_string()),
    }
}
