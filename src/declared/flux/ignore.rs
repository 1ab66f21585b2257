//! What source-controller leaves out of the artifact of a repository.
//!
//! Source: `github.com/fluxcd/pkg/sourceignore`, and source-controller's docs of `spec.ignore`.

use std::sync::Arc;

use kustomize::{ContentId, Files, Kind, ReadError};
use regex::Regex;

use super::artifact::walk;
use super::glob::expression;
use crate::source::path::parent;

/// Rules of a folder and of all below it are in such a file.
const FILE: &str = ".sourceignore";

/// Always left out.
const ALWAYS: [&str; 4] = [".git/", ".gitignore", ".gitmodules", ".gitattributes"];

/// Left out where a repository has no rules of its own.
const BY_ITSELF: [&str; 20] = [
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.png",
    "*.wmv",
    "*.flv",
    "*.tar.gz",
    "*.zip",
    ".github/",
    ".circleci/",
    ".travis.yml",
    ".gitlab-ci.yml",
    "appveyor.yml",
    ".drone.yml",
    "cloudbuild.yaml",
    "codeship-services.yml",
    "codeship-steps.yml",
    "**/.goreleaser.yml",
    "**/.sops.yaml",
    "**/.flux.yaml",
];

/// A rule: what it matches, whether only folders and what is in them, and whether it takes back what others leave out.
struct Rule {
    matcher: Regex,
    folders: bool,
    takes_back: bool,
}

impl Rule {
    /// A line of rules of a folder; `None` for what is none.
    fn read(line: &str, domain: &str) -> Option<Self> {
        if line.starts_with('#') || line.trim().is_empty() {
            return None;
        }
        let (takes_back, line) = match line.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let line = if line.ends_with("\\ ") {
            line
        } else {
            line.trim_end_matches(' ')
        };
        let (folders, line) = match line.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let mut text = String::from("^");
        if !domain.is_empty() {
            text.push_str(&format!("{}/", regex::escape(domain)));
        }
        match line.contains('/') {
            false => text.push_str(&format!("(?:.*/)?{}", expression(line, false)?)),
            true => {
                let line = line.trim_start_matches('/');
                let line = line.strip_suffix("/**").unwrap_or(line);
                let mut parts = line.split('/').filter(|part| !part.is_empty()).peekable();
                while let Some(part) = parts.next() {
                    match part {
                        "**" => text.push_str("(?:.*/)?"),
                        part => text.push_str(&expression(part, false)?),
                    }
                    if part != "**" && parts.peek().is_some() {
                        text.push('/');
                    }
                }
            }
        }
        text.push_str("(?P<inner>/.*)?$");
        Some(Self {
            matcher: Regex::new(&text).ok()?,
            folders,
            takes_back,
        })
    }

    fn fits(&self, path: &str, is_folder: bool) -> bool {
        let found = self.matcher.captures(path);
        found.is_some_and(|found| !self.folders || is_folder || found.name("inner").is_some())
    }
}

/// The rules of a source.
struct Rules(Vec<Rule>);

impl Rules {
    /// Those of its files, and those of its object, which go before.
    fn of(files: &dyn Files, own: Option<&str>) -> Self {
        let mut texts = Vec::new();
        let mut read = |path: &str| {
            if let Ok(text) = files.read(path) {
                texts.push((parent(path).to_owned(), String::from_utf8_lossy(&text).into_owned()));
            }
        };
        // What cannot be read is told where it is built.
        let _ = walk(files, "", &mut |path, kind| {
            if kind == Kind::File && path.rsplit('/').next() == Some(FILE) {
                read(path);
            }
        });
        texts.sort_by_key(|(domain, _)| domain.matches('/').count() + usize::from(!domain.is_empty()));
        texts.extend(own.map(|text| (String::new(), text.to_owned())));
        let rules = texts
            .iter()
            .flat_map(|(domain, text)| text.lines().filter_map(|line| Rule::read(line, domain)));
        let rules: Vec<Rule> = rules.collect();
        let none = rules.is_empty();
        let by_itself = BY_ITSELF.iter().filter(|_| none);
        let first = ALWAYS.iter().chain(by_itself).filter_map(|line| Rule::read(line, ""));
        Self(first.chain(rules).collect())
    }

    /// The last rule that fits decides.
    fn leave_out(&self, path: &str, is_folder: bool) -> bool {
        let last = self.0.iter().rev().find(|rule| rule.fits(path, is_folder));
        last.is_some_and(|rule| !rule.takes_back)
    }
}

/// The files of a repository that are in its artifact.
pub(super) struct Kept<'f> {
    files: Arc<dyn Files + Send + Sync + 'f>,
    rules: Rules,
}

impl<'f> Kept<'f> {
    /// `own` are the rules of the object that declares it.
    pub fn of(files: Arc<dyn Files + Send + Sync + 'f>, own: Option<&str>) -> Self {
        let rules = Rules::of(&*files, own);
        Self { files, rules }
    }
}

/// Folders stay, since a rule may take back what is in one.
impl Files for Kept<'_> {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, ReadError> {
        match self.rules.leave_out(path, false) {
            true => Err(ReadError::Missing),
            false => self.files.read(path),
        }
    }

    fn kind(&self, path: &str) -> Result<Option<Kind>, ReadError> {
        let kind = self.files.kind(path)?;
        Ok(kind.filter(|kind| *kind == Kind::Folder || !self.rules.leave_out(path, false)))
    }

    fn list(&self, path: &str) -> Result<Vec<String>, ReadError> {
        let mut names = self.files.list(path)?;
        names.retain(|name| {
            let inner = crate::source::path::join(path, name);
            !matches!(self.kind(&inner), Ok(None))
        });
        Ok(names)
    }

    fn find(&self, path: &str) -> Result<Option<(Kind, String)>, ReadError> {
        let found = self.files.find(path)?;
        Ok(found.filter(|(kind, _)| *kind == Kind::Folder || !self.rules.leave_out(path, false)))
    }

    fn id(&self, path: &str) -> Option<ContentId> {
        self.files.id(path)
    }

    fn label(&self, path: &str) -> Option<String> {
        self.files.label(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kustomize::Memory;

    /// What is left of these files.
    fn kept(files: &[(&str, &str)], own: Option<&str>) -> Vec<String> {
        let mut memory = Memory::default();
        for (path, text) in files {
            memory.put(path, *text, None);
        }
        let kept = Kept::of(Arc::new(memory), own);
        let mut found = Vec::new();
        let walked = walk(&kept, "", &mut |path, kind| {
            if kind == Kind::File {
                found.push(path.to_owned());
            }
        });
        walked.expect("because all can be read");
        found
    }

    const FILES: [(&str, &str); 7] = [
        (".gitignore", ""),
        (".sops.yaml", ""),
        ("apps/.sops.yaml", ""),
        ("apps/logo.png", ""),
        ("apps/web.yaml", ""),
        ("deploy/prod/a.yaml", ""),
        ("docs/apps/a.yaml", ""),
    ];

    #[test]
    fn by_itself_pictures_and_settings_of_other_tools_are_left_out() {
        assert_eq!(
            kept(&FILES, None),
            ["apps/web.yaml", "deploy/prod/a.yaml", "docs/apps/a.yaml"]
        );
    }

    #[test]
    fn own_rules_stand_instead_and_the_last_that_fits_decides() {
        for (rules, expected) in [
            ("/*\n!/deploy\n", &["deploy/prod/a.yaml"][..]),
            (
                "docs/\n# a remark\n\n*.png\n.sops.yaml",
                &["apps/web.yaml", "deploy/prod/a.yaml"],
            ),
            ("**/apps/*.yaml\napps/", &[".sops.yaml", "deploy/prod/a.yaml"]),
            ("/apps\n/d*/**/a.yaml", &[".sops.yaml"]),
            (
                "a.yaml/\n.sops.yaml\n*.png",
                &["apps/web.yaml", "deploy/prod/a.yaml", "docs/apps/a.yaml"],
            ),
        ] {
            assert_eq!(kept(&FILES, Some(rules)), expected, "{rules}");
        }
    }

    #[test]
    fn a_folder_has_rules_of_its_own() {
        let mut files = FILES.to_vec();
        files.push(("apps/.sourceignore", "/web.yaml\n*.png\n.s*"));
        files.push(("apps/deep/web.yaml", ""));
        assert_eq!(
            kept(&files, None),
            [
                ".sops.yaml",
                "apps/deep/web.yaml",
                "deploy/prod/a.yaml",
                "docs/apps/a.yaml"
            ]
        );
        assert!(kept(&files, Some("!apps/*.png")).contains(&"apps/logo.png".to_owned()));
    }
}
