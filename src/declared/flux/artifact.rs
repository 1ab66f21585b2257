//! What an ArtifactGenerator copies together of sources: an ExternalArtifact.
//!
//! Source: `github.com/fluxcd/source-watcher` (internal/builder/builder.go, internal/builder/extract.go,
//! internal/controller/artifactgenerator_pathpattern.go).

use std::collections::BTreeMap;

use kustomize::{Files, Kind, Memory};
use regex::Regex;
use serde_json::Value;

use super::super::helm;
use super::glob::glob;
use super::source::Root;
use crate::source::path::{is_within, join, parent, resolve};

/// How deep folders are looked into.
const MOST_LEVELS: usize = 64;

/// An artifact of a generator: its copies, with the variables of the generator's path pattern.
pub(super) struct Artifact<'s> {
    copies: Vec<&'s Value>,
    captured: BTreeMap<String, String>,
}

/// The artifact of that name, if the generator with this `spec` makes it. `source` gives the files of an alias.
///
/// # Errors
/// What `source` says, or what is wrong with the pattern.
pub(super) fn of_name<'s, 't, E: From<String>>(
    spec: &'s Value,
    name: &str,
    source: &mut impl FnMut(&str) -> Result<Root<'t>, E>,
) -> Result<Option<Artifact<'s>>, E> {
    let templates = spec["artifacts"].as_array().map_or(&[][..], Vec::as_slice);
    let mut all = vec![(BTreeMap::new(), BTreeMap::new())];
    if let Some(pattern) = spec["pathPattern"].as_str().filter(|pattern| !pattern.is_empty()) {
        let (alias, pattern) = aliased(pattern)?;
        let matcher = captures(pattern).ok_or_else(|| format!("its pathPattern {pattern} is malformed"))?;
        let files = source(alias)?.files;
        let mut found = Vec::new();
        walk(&*files, "", &mut |path, kind| {
            let folder = Some(path).filter(|_| kind == Kind::Folder);
            if let Some(one) = folder.and_then(|path| matcher.captures(path)) {
                let names = matcher.capture_names().flatten();
                let raw = names.filter_map(|name| Some((name.to_owned(), one.name(name)?.as_str().to_owned())));
                let raw: BTreeMap<String, String> = raw.collect();
                // Names are in lower case, paths as they are.
                let lower = raw
                    .iter()
                    .map(|(name, value)| (name.clone(), value.to_lowercase()))
                    .collect();
                found.push((lower, raw));
            }
        })?;
        all = found;
    }
    for (lower, captured) in all {
        for template in templates {
            let own = template["name"].as_str().unwrap_or_default();
            if filled(own, &lower) == name {
                let copies = template["copy"].as_array().into_iter().flatten().collect();
                return Ok(Some(Artifact { copies, captured }));
            }
        }
    }
    Ok(None)
}

impl Artifact<'_> {
    /// Its files. Each says where it comes from.
    ///
    /// # Errors
    /// What `source` says, or which copy cannot be made, and why.
    pub fn files<'t, E: From<String>>(
        &self,
        source: &mut impl FnMut(&str) -> Result<Root<'t>, E>,
    ) -> Result<Memory, E> {
        let mut staged = Memory::default();
        for copy in &self.copies {
            let text = |key: &str| filled(copy[key].as_str().unwrap_or_default(), &self.captured);
            let (from, to) = (text("from"), text("to"));
            let (alias, pattern) = aliased(&from)?;
            let root = source(alias)?;
            let copied = Copy::new(copy, pattern, &to).and_then(|copy| copy.make(&root, &mut staged));
            copied.map_err(|why| format!("{from} cannot be copied to {to}: {why}"))?;
        }
        Ok(staged)
    }
}

/// One copy.
struct Copy<'c> {
    pattern: &'c str,
    to: String,
    /// It ends in a slash, so that it is a folder.
    into: bool,
    exclude: Vec<(Regex, bool)>,
    strategy: Strategy,
}

/// What becomes of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strategy {
    /// It goes before one that is there.
    Overwrite,
    /// It is laid over one that is there, as values of charts.
    Merge,
    /// What is packed in it is taken.
    Extract,
}

impl<'c> Copy<'c> {
    fn new(copy: &Value, pattern: &'c str, to: &str) -> Result<Self, String> {
        let destination = to
            .strip_prefix("@artifact/")
            .ok_or("it does not lead into @artifact/")?;
        let excluded = copy["exclude"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let exclude = excluded.map(|one| {
            let matcher = glob(one, true).ok_or_else(|| format!("the pattern {one} is malformed"))?;
            Ok::<_, String>((matcher, !one.contains('/')))
        });
        let strategy = match copy["strategy"].as_str() {
            None | Some("" | "Overwrite") => Strategy::Overwrite,
            Some("Merge") => Strategy::Merge,
            Some("Extract") => Strategy::Extract,
            Some(other) => return Err(format!("the strategy {other} is not supported")),
        };
        Ok(Self {
            pattern,
            to: resolve("", destination).ok_or("it leads out of the artifact")?,
            into: to.ends_with('/'),
            exclude: exclude.collect::<Result<_, _>>()?,
            strategy,
        })
    }

    fn leaves_out(&self, path: &str, base: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        let below = path.strip_prefix(base).map(|rest| rest.trim_start_matches('/'));
        let below = below.filter(|rest| !base.is_empty() && !rest.is_empty());
        self.exclude.iter().any(|(matcher, by_name)| {
            let fits = |text: &str| matcher.is_match(text);
            fits(path) || below.is_some_and(fits) || (*by_name && fits(name))
        })
    }

    fn make(&self, root: &Root<'_>, staged: &mut Memory) -> Result<(), String> {
        let files = &*root.files;
        if !self.pattern.contains(['*', '?', '[', ']']) {
            let path = resolve("", self.pattern).ok_or("it leads out of its source")?;
            let name = path.rsplit('/').next().unwrap_or(&path);
            let within = join(&self.to, name);
            return match kind(files, &path)? {
                Some(Kind::Folder) if self.strategy == Strategy::Extract => {
                    Err("folders cannot be unpacked".to_owned())
                }
                Some(Kind::Folder) => self.take(root, &path, &within, &path, staged),
                Some(Kind::File) if self.strategy == Strategy::Extract => match is_packed(&path) {
                    _ if self.leaves_out(&path, "") => Ok(()),
                    true => self.unpack(root, &path, staged),
                    false => Err("its name does not end in .tar.gz or .tgz".to_owned()),
                },
                Some(Kind::File) => {
                    let is_folder = self.into || kind(staged, &self.to)? == Some(Kind::Folder);
                    let to = if is_folder { &within } else { &self.to };
                    self.take(root, &path, to, "", staged)
                }
                None => Err("it is not there".to_owned()),
            };
        }
        let matcher = glob(self.pattern, self.strategy == Strategy::Extract).ok_or("the pattern is malformed")?;
        let parts = self.pattern.split('/');
        let plain = parts.take_while(|part| !part.contains(['*', '?', '[', ']']));
        let base = plain.collect::<Vec<_>>().join("/");
        let mut found = Vec::new();
        walk(files, &base, &mut |path, _| {
            if matcher.is_match(path) && !self.leaves_out(path, &base) {
                found.push(path.to_owned());
            }
        })?;
        if found.is_empty() {
            return Err("nothing matches it".to_owned());
        }
        if self.strategy == Strategy::Extract {
            let packed = found.iter().filter(|path| is_packed(path));
            return packed.into_iter().try_for_each(|path| self.unpack(root, path, staged));
        }
        let cut = self.pattern.strip_suffix("/**");
        for path in found {
            let rest = cut.and_then(|cut| path.strip_prefix(cut)?.strip_prefix('/'));
            self.take(root, &path, &join(&self.to, rest.unwrap_or(&path)), &base, staged)?;
        }
        Ok(())
    }

    /// Takes what is packed in a file.
    fn unpack(&self, root: &Root<'_>, path: &str, staged: &mut Memory) -> Result<(), String> {
        let archive = root.files.read(path).map_err(|error| format!("{path}: {error}"))?;
        let unpacked = helm::Files::of_artifact(&archive).map_err(|why| format!("{path}: {why}"))?;
        let archive = root.files.label(path).unwrap_or_else(|| root.shown(path));
        for (inner, content) in unpacked.0 {
            staged.put(&join(&self.to, &inner), content, Some(&format!("{archive}:{inner}")));
        }
        Ok(())
    }

    /// Takes a file, or a folder with all that is in it.
    fn take(&self, root: &Root<'_>, path: &str, to: &str, base: &str, staged: &mut Memory) -> Result<(), String> {
        let files = &*root.files;
        let mut found = Vec::new();
        match kind(files, path)? {
            Some(Kind::Folder) => walk(files, path, &mut |inner, kind| {
                if kind == Kind::File {
                    found.push(inner.to_owned());
                }
            })?,
            _ => found.push(path.to_owned()),
        }
        for file in found {
            let folders = std::iter::successors(Some(&*file), |at| Some(parent(at)).filter(|at| !at.is_empty()));
            let mut inside = folders.filter(|at| is_within(at, path));
            if inside.any(|at| self.leaves_out(at, base)) {
                continue;
            }
            let inner = file.strip_prefix(path).unwrap_or_default().trim_start_matches('/');
            let place = if inner.is_empty() {
                to.to_owned()
            } else {
                join(to, inner)
            };
            let mut content = files.read(&file).map_err(|error| format!("{file}: {error}"))?;
            if self.strategy == Strategy::Merge && file == path && kind(staged, &place)? == Some(Kind::File) {
                let under = staged.read(&place).map_err(|error| error.to_string())?;
                let merged = helm::merge(helm::parse(&under)?, helm::parse(&content)?);
                content = kube_yaml::to_string(&Value::Object(merged)).into_bytes().into();
            }
            let label = files.label(&file).unwrap_or_else(|| root.shown(&file));
            staged.put(&place, content.to_vec(), Some(&label));
        }
        Ok(())
    }
}

/// Whether a file is an archive, by its name.
fn is_packed(path: &str) -> bool {
    let path = path.to_lowercase();
    path.ends_with(".tar.gz") || path.ends_with(".tgz")
}

fn kind(files: &dyn Files, path: &str) -> Result<Option<Kind>, String> {
    files.kind(path).map_err(|error| format!("{path}: {error}"))
}

/// All that is below a folder.
pub(super) fn walk(files: &dyn Files, folder: &str, each: &mut dyn FnMut(&str, Kind)) -> Result<(), String> {
    fn level(files: &dyn Files, folder: &str, each: &mut dyn FnMut(&str, Kind), left: usize) -> Result<(), String> {
        if left == 0 || kind(files, folder)? != Some(Kind::Folder) {
            return Ok(());
        }
        let names = files.list(folder).map_err(|error| format!("{folder}: {error}"))?;
        for name in names {
            let path = join(folder, &name);
            // A link that leads out of the source is not copied.
            if let Ok(Some(kind)) = files.kind(&path) {
                each(&path, kind);
                level(files, &path, each, left - 1)?;
            }
        }
        Ok(())
    }
    level(files, folder, each, MOST_LEVELS)
}

/// `@alias/rest`.
fn aliased(text: &str) -> Result<(&str, &str), String> {
    let split = text.strip_prefix('@').and_then(|rest| rest.split_once('/'));
    split.ok_or_else(|| format!("{text} does not begin with @ALIAS/"))
}

/// `{name}` replaced by what was captured.
fn filled(text: &str, captured: &BTreeMap<String, String>) -> String {
    let replace = |text: String, (name, value): (&String, &String)| text.replace(&format!("{{{name}}}"), value);
    captured.iter().fold(text.to_owned(), replace)
}

/// A pattern of folders, `{name}` for one of them.
fn captures(pattern: &str) -> Option<Regex> {
    let escaped = regex::escape(pattern);
    let capture = Regex::new(r"\\\{([A-Za-z_][A-Za-z0-9_]*)\\\}").ok()?;
    Regex::new(&format!("^{}$", capture.replace_all(&escaped, "(?P<$1>[^/]+)"))).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;

    fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, *content).expect("memory takes it");
        }
        tar.into_inner().and_then(GzEncoder::finish).expect("memory takes it")
    }

    fn artifact(spec: &Value, name: &str) -> Result<BTreeMap<String, String>, String> {
        let mut mono = Memory::default();
        for path in [
            "apps/base/web/web.yaml",
            "apps/base/web/README.md",
            "apps/base/.hidden.yaml",
            "apps/Shop/envs/prod/x.yaml",
            "apps/Shop/envs/test/x.yaml",
            "infra/a.yaml",
            "infra/deep/b.yaml",
        ] {
            mono.put(path, path, None);
        }
        mono.put("values.yaml", "a: 1\nb: {c: 2, d: 3}\n", None);
        mono.put("more.yaml", "b: {c: 4}\n", None);
        let chart = packed(&[("web/Chart.yaml", b"name: web\n"), ("web/templates/a.yaml", b"a: 1\n")]);
        mono.put("packed/web-1.0.0.TGZ", chart, None);
        mono.put("packed/deep/more.tar.gz", packed(&[("more.yaml", b"b: 1\n")]), None);
        mono.put("packed/README.md", "none", None);
        mono.put("broken.tgz", "none", None);
        let root = Root {
            files: Arc::new(mono),
            name: "mono".to_owned(),
            is_own: true,
            commit: None,
        };
        let mut source = |alias: &str| match alias {
            "mono" => Ok(root.clone()),
            other => Err(format!("no {other}")),
        };
        let artifact = of_name(spec, name, &mut source)?.ok_or("there is none")?;
        let files = artifact.files(&mut source)?;
        let mut found = BTreeMap::new();
        walk(&files, "", &mut |path, kind| {
            if kind == Kind::File {
                let text = files.read(path).map(|text| String::from_utf8_lossy(&text).into_owned());
                found.insert(path.to_owned(), text.expect("because it is there"));
            }
        })?;
        Ok(found)
    }

    fn copied(copies: &Value) -> Result<Vec<String>, String> {
        let spec = json!({"artifacts": [{"name": "one", "copy": copies}]});
        Ok(artifact(&spec, "one")?.into_keys().collect())
    }

    #[test]
    fn copies_are_made_as_cp_would() {
        for (from, to, expected) in [
            ("@mono/infra/**", "@artifact/", &["a.yaml", "deep/b.yaml"][..]),
            (
                "@mono/infra/*",
                "@artifact/x/",
                &["x/infra/a.yaml", "x/infra/deep/b.yaml"],
            ),
            ("@mono/infra", "@artifact/x", &["x/infra/a.yaml", "x/infra/deep/b.yaml"]),
            ("@mono/infra/", "@artifact/", &["infra/a.yaml", "infra/deep/b.yaml"]),
            ("@mono/infra/a.yaml", "@artifact/b.yaml", &["b.yaml"]),
            ("@mono/infra/a.yaml", "@artifact/b/", &["b/a.yaml"]),
            ("@mono/infra/[a-c].yam?", "@artifact/", &["infra/a.yaml"]),
            (
                "@mono/apps/base/*",
                "@artifact/",
                &[
                    "apps/base/.hidden.yaml",
                    "apps/base/web/README.md",
                    "apps/base/web/web.yaml",
                ],
            ),
        ] {
            let found = copied(&json!([{"from": from, "to": to}]));
            assert_eq!(
                found.as_deref(),
                Ok(&*expected.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>()),
                "{from} {to}"
            );
        }
    }

    #[test]
    fn what_is_left_out_is_told_by_path_or_name() {
        for exclude in [
            json!(["*.md"]),
            json!(["**/README.*"]),
            json!(["web/*.md"]),
            json!(["apps/**/{README,x}.md"]),
        ] {
            let copy = json!([{"from": "@mono/apps/base/**", "to": "@artifact/", "exclude": exclude}]);
            assert_eq!(
                copied(&copy).as_deref(),
                Ok(&[".hidden.yaml".to_owned(), "web/web.yaml".to_owned()][..]),
                "{exclude}"
            );
        }
        let all = json!([{"from": "@mono/infra/*", "to": "@artifact/", "exclude": ["infra/**"]}]);
        assert!(copied(&all).is_err());
    }

    #[test]
    fn later_copies_go_before_or_are_merged() {
        let spec = |strategy: &str| {
            let copies = json!([
                {"from": "@mono/values.yaml", "to": "@artifact/values.yaml"},
                {"from": "@mono/more.yaml", "to": "@artifact/values.yaml", "strategy": strategy},
            ]);
            artifact(&json!({"artifacts": [{"name": "one", "copy": copies}]}), "one")
        };
        assert_eq!(
            spec("Overwrite").map(|files| files["values.yaml"].clone()),
            Ok("b: {c: 4}\n".to_owned())
        );
        let merged = spec("Merge").map(|files| kube_yaml::parse_one(files["values.yaml"].as_bytes()).value.ok());
        assert_eq!(merged, Ok(Some(json!({"a": 1, "b": {"c": 4, "d": 3}}))));
        assert!(spec("Other").expect_err("because it is another").contains("Other"));
    }

    #[test]
    fn archives_are_unpacked() {
        let extracted = |from: &str, exclude: &[&str]| {
            copied(&json!([{"from": from, "to": "@artifact/x/", "strategy": "Extract", "exclude": exclude}]))
        };
        let (chart, more) = (["x/web/Chart.yaml", "x/web/templates/a.yaml"], "x/more.yaml");
        let both = [&[more][..], &chart].concat();
        for (from, exclude, expected) in [
            ("@mono/packed/web-1.0.0.TGZ", &[][..], &chart[..]),
            ("@mono/packed/web-1.0.0.TGZ", &["*.TGZ"], &[]),
            ("@mono/packed/**", &[], &both),
            ("@mono/**/*.tar.gz", &[], &[more]),
            ("@mono/packed/**", &["deep/**"], &chart),
        ] {
            let expected: Vec<String> = expected.iter().map(|one| (*one).to_owned()).collect();
            assert_eq!(extracted(from, exclude), Ok(expected), "{from} {exclude:?}");
        }
        for (from, why) in [
            ("@mono/packed", "folders cannot be unpacked"),
            ("@mono/values.yaml", "its name does not end in .tar.gz or .tgz"),
            ("@mono/broken.tgz", "broken.tgz: it is no gzip archive"),
            ("@mono/packed/*.zip", "nothing matches it"),
        ] {
            let error = extracted(from, &[]).expect_err(from);
            assert_eq!(error, format!("{from} cannot be copied to @artifact/x/: {why}"));
        }
    }

    #[test]
    fn folders_of_a_pattern_give_an_artifact_each() {
        let spec = json!({
            "pathPattern": "@mono/apps/{app}/envs/{env}",
            "artifacts": [{"name": "{app}-{env}", "copy": [{"from": "@mono/apps/{app}/envs/{env}/**", "to": "@artifact/"}]}],
        });
        let found = artifact(&spec, "shop-prod");
        assert_eq!(
            found.map(|files| files["x.yaml"].clone()),
            Ok("apps/Shop/envs/prod/x.yaml".to_owned())
        );
        assert_eq!(artifact(&spec, "shop-none"), Err("there is none".to_owned()));
    }

    #[test]
    fn what_cannot_be_copied_says_why() {
        for (from, to) in [
            ("@mono/none", "@artifact/"),
            ("@mono/none/*", "@artifact/"),
            ("@mono/../x", "@artifact/"),
            ("@mono/infra", "@artifact/../x"),
            ("@mono/infra", "elsewhere/"),
            ("@other/infra", "@artifact/"),
            ("infra", "@artifact/"),
        ] {
            let error = copied(&json!([{"from": from, "to": to}])).expect_err(from);
            assert!(!error.is_empty());
        }
    }
}
