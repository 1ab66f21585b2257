//! What charts were rendered to in this run: no chart is rendered again with the same files, values and capabilities.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use regex::bytes::Regex;
use sha2::{Digest, Sha256};

use super::helm::Files;
use super::template::{Call, Output, Target};

/// Bytes that are kept.
const MOST: usize = 256 << 20;

type Key = [u8; 32];
type Kept = Arc<(Vec<u8>, Vec<String>)>;

/// Renderings that are kept. `Debug` shows none of them: they may be secret.
#[derive(Default)]
pub struct Renderings(Mutex<BTreeMap<Key, Kept>>);

impl fmt::Debug for Renderings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renderings")
    }
}

/// What a chart is made of, as far as its renderings depend on that.
pub(super) struct Made {
    digest: Key,
    /// Its templates may look at the capabilities.
    pub sees: bool,
    /// Its templates may come out differently each time.
    pub varies: bool,
}

/// Functions of templates that give something else each time, or in another order.
/// Source: `github.com/Masterminds/sprig/v3` (functions.go).
static VARYING: LazyLock<Regex> = LazyLock::new(|| {
    let functions = r"\b(rand\w*|shuffle|uuidv4|gen[A-Z]\w*|htpasswd|bcrypt|encryptAES|now|ago|date\w*|getHostByName)\b|\b(keys|values)[^\w.:]";
    Regex::new(functions).expect("because it stands here")
});

impl Made {
    /// Of a chart's files. Values may be templates too.
    pub fn of(files: &Files, values: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        for (path, content) in &files.0 {
            part(&mut digest, path.as_bytes());
            part(&mut digest, content);
        }
        let is_packed = files.0.keys().any(|path| path.ends_with(".tgz"));
        let is_read = |path: &str| path.contains("templates/") || path.ends_with("values.yaml");
        let read = files.0.iter().filter(|(path, _)| is_read(path));
        let texts: Vec<&[u8]> = read.map(|(_, text)| &**text).chain(values.iter().copied()).collect();
        let has = |what: &[u8]| texts.iter().any(|text| text.windows(what.len()).any(|at| at == what));
        Self {
            digest: digest.finalize().into(),
            // What is packed is not looked into.
            sees: is_packed || has(b"Capabilities"),
            varies: is_packed || texts.iter().any(|text| VARYING.is_match(text)),
        }
    }
}

fn part(digest: &mut Sha256, bytes: &[u8]) {
    digest.update((bytes.len() as u64).to_le_bytes());
    digest.update(bytes);
}

impl Renderings {
    /// Renders a chart, if it was not rendered before. Of one that varies there are several renderings, by their number.
    pub(super) fn run(&self, call: &Call, made: &Made, target: &Target, number: u8) -> Output {
        let Some(key) = key(call, made, target, number) else {
            return call.run(target);
        };
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(kept) = kept {
            return Ok(Kept::unwrap_or_clone(kept));
        }
        let output = call.run(target)?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let size: usize = all.values().map(|kept| kept.0.len()).sum();
        if size > MOST {
            all.clear();
        }
        all.insert(key, Arc::new(output.clone()));
        Ok(output)
    }
}

/// All that a rendering depends on; `None` where that cannot be told.
fn key(call: &Call, made: &Made, target: &Target, number: u8) -> Option<Key> {
    let seen = call.sees.over(target);
    let mut digest = Sha256::new();
    digest.update(made.digest);
    digest.update([number, u8::from(call.crds), u8::from(call.hooks), u8::from(call.schema)]);
    let program = seen
        .program
        .map(|program| program.display().to_string())
        .unwrap_or_default();
    let (name, shown) = &call.named;
    for text in [&call.release, &call.namespace, &program, name, shown] {
        part(&mut digest, text.as_bytes());
    }
    part(&mut digest, seen.kube_version.unwrap_or_default().as_bytes());
    for file in &call.files {
        part(&mut digest, &std::fs::read(file).ok()?);
    }
    part(&mut digest, call.values.as_deref().unwrap_or_default());
    for api in seen.api_versions.iter().filter(|_| made.sees) {
        part(&mut digest, api.as_bytes());
    }
    Some(digest.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(template: &str, values: &str) -> Made {
        let files = [("Chart.yaml", "name: a\n"), ("templates/a.yaml", template)];
        let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        Made::of(&Files(files.into_iter().collect()), &[values.as_bytes()])
    }

    #[test]
    fn what_a_chart_depends_on_is_told_by_its_templates() {
        for (template, values, sees, varies) in [
            ("a: {{ .Values.a }}\nvalues: [a]\n# see values.yaml\n", "", false, false),
            ("{{ if .Capabilities.APIVersions.Has \"a\" }}{{ end }}", "", true, false),
            (
                "{{ tpl .Values.a . }}",
                "a: '{{ .Capabilities.KubeVersion }}'",
                true,
                false,
            ),
            ("a: {{ randAlphaNum 8 }}", "", false, true),
            ("a: {{ genCA \"a\" 1 }}", "", false, true),
            ("{{ range keys .Values }}{{ end }}", "", false, true),
            ("{{ tpl .Values.a . }}", "a: '{{ now }}'", false, true),
        ] {
            let made = made(template, values);
            assert_eq!((made.sees, made.varies), (sees, varies), "{template} {values}");
        }
    }

    #[test]
    fn a_rendering_is_known_by_all_that_it_depends_on() {
        let call = Call {
            folder: "/".into(),
            chart: "a".into(),
            named: (String::new(), String::new()),
            release: "a".to_owned(),
            namespace: "b".to_owned(),
            files: Vec::new(),
            values: Some(b"a: 1".to_vec()),
            crds: true,
            hooks: true,
            schema: true,
            sees: Default::default(),
        };
        let target = |apis: &[&str]| Target {
            api_versions: apis.iter().map(|api| (*api).to_owned()).collect(),
            ..Target::default()
        };
        let (blind, seeing) = (made("a", ""), made("{{ .Capabilities }}", ""));
        let of = |call: &Call, made: &Made, apis: &[&str]| {
            key(call, made, &target(apis), 0).expect("because it can be told")
        };
        let other = Call {
            values: Some(b"a: 2".to_vec()),
            ..call.clone()
        };
        assert_eq!(of(&call, &blind, &["a"]), of(&call, &blind, &["b"]));
        assert_ne!(of(&call, &seeing, &["a"]), of(&call, &seeing, &["b"]));
        assert_ne!(of(&call, &blind, &[]), of(&other, &blind, &[]));
        assert_ne!(of(&call, &blind, &[]), of(&call, &made("b", ""), &[]));
        assert_ne!(key(&call, &blind, &target(&[]), 0), key(&call, &blind, &target(&[]), 1));
    }
}
