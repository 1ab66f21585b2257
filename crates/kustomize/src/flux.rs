//! What Flux builds where a folder has no kustomization: all its YAML.

use crate::files::{Files, Kind, ReadError};
use crate::kustomization::NAMES;

/// The kustomization that Flux's kustomize-controller writes for a folder that has none: every `.yaml` and `.yml` file of it and of the
/// folders below, in the order of their paths; a folder below that has a kustomization stands for all that is in it. `None` where the
/// folder has a kustomization of its own.
///
/// ```
/// use kustomize::{Kustomize, Memory, Nothing, Options, Overlay, flux_kustomization};
///
/// let files = Memory::from([("apps/web.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n")]);
/// let text = flux_kustomization(&files, "apps")?.expect("it has none");
/// let files = Overlay::new(&files).lay("apps/kustomization.yaml", text, Some("generated"));
/// let build = Kustomize::new(&files, &Nothing, Options::default()).build("apps");
/// assert_eq!(build.expect("it is right").objects.len(), 1);
/// # Ok::<(), kustomize::ReadError>(())
/// ```
///
/// # Errors
///
/// Where a folder cannot be listed.
pub fn flux_kustomization(files: &dyn Files, folder: &str) -> Result<Option<String>, ReadError> {
    if has_kustomization(files, folder)? {
        return Ok(None);
    }
    let mut found = Vec::new();
    scan(files, folder, "", 0, &mut found)?;
    let mut text = String::from("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:");
    if found.is_empty() {
        text.push_str(" []");
    }
    for path in found {
        // As JSON: a name may have any character.
        text.push_str(&format!("\n- {}", serde_json::Value::from(path)));
    }
    text.push('\n');
    Ok(Some(text))
}

fn has_kustomization(files: &dyn Files, folder: &str) -> Result<bool, ReadError> {
    let names = files.list(folder)?;
    Ok(names.iter().any(|name| NAMES.contains(&name.as_str())))
}

/// Deepest nesting of folders: a link to a folder above makes a tree without an end.
const DEEPEST: usize = 64;

fn scan(files: &dyn Files, folder: &str, below: &str, depth: usize, found: &mut Vec<String>) -> Result<(), ReadError> {
    if depth > DEEPEST {
        return Err(ReadError::Failed(format!("folders are nested deeper than {DEEPEST}")));
    }
    for name in files.list(folder)? {
        let (path, short) = (joined(folder, &name), joined(below, &name));
        match files.kind(&path) {
            Ok(Some(Kind::Folder)) if has_kustomization(files, &path)? => found.push(short),
            Ok(Some(Kind::Folder)) => scan(files, &path, &short, depth + 1, found)?,
            Ok(Some(Kind::File)) if name.ends_with(".yaml") || name.ends_with(".yml") => found.push(short),
            // A link that leads nowhere is no file.
            _ => {}
        }
    }
    Ok(())
}

fn joined(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;

    #[test]
    fn all_yaml_below_but_what_kustomizations_cover() {
        let files = Memory::from([
            ("apps/b.yaml", ""),
            ("apps/a/x.yml", ""),
            ("apps/a/notes.md", ""),
            ("apps/db/kustomization.yaml", ""),
            ("apps/db/x.yaml", ""),
            ("apps/it's \"odd\".yaml", ""),
            ("other/x.yaml", ""),
        ]);
        let text = flux_kustomization(&files, "apps")
            .expect("it is there")
            .expect("it has none");
        let lines: Vec<&str> = text.lines().skip(3).collect();
        assert_eq!(
            lines,
            [
                r#"- "a/x.yml""#,
                r#"- "b.yaml""#,
                r#"- "db""#,
                r#"- "it's \"odd\".yaml""#
            ]
        );
        assert_eq!(flux_kustomization(&files, "apps/db"), Ok(None));
        assert_eq!(flux_kustomization(&files, "nowhere"), Err(ReadError::Missing));
    }
}
