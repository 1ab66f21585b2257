//! `.helmignore`: which files of a folder are no part of its chart. Pure.
//!
//! The rules are those of Helm's `pkg/ignore`: a pattern without a slash holds for the last part of a path, others for all of it, and
//! one that begins with `!` leaves out everything that it does *not* fit.

use regex::Regex;

/// The rules of one chart.
#[derive(Debug, Default)]
pub(super) struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    shape: Regex,
    /// Fits whole paths, not last parts.
    whole: bool,
    negate: bool,
    only_folders: bool,
}

impl Ignore {
    /// Those of a `.helmignore` file, and what Helm adds: hidden files in `templates`.
    ///
    /// # Errors
    /// Says which pattern Helm refuses.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut patterns = Vec::new();
        for rule in text.lines().chain(["templates/.?*"]) {
            let rule = rule.trim().trim_start_matches('\u{feff}');
            if !rule.is_empty() && !rule.starts_with('#') {
                let pattern = pattern(rule).ok_or_else(|| format!("{rule} in .helmignore is no pattern"))?;
                patterns.push(pattern);
            }
        }
        Ok(Self { patterns })
    }

    /// Whether a path, relative to the chart, is left out; of a folder with everything in it.
    pub fn leaves_out(&self, path: &str, is_folder: bool) -> bool {
        let last = path.rsplit('/').next().unwrap_or(path);
        for pattern in &self.patterns {
            let fits = pattern.shape.is_match(if pattern.whole { path } else { last });
            let wrong_kind = pattern.only_folders && !is_folder;
            if pattern.negate {
                if wrong_kind || !fits {
                    return true;
                }
            } else if fits && !wrong_kind {
                return true;
            }
        }
        false
    }
}

fn pattern(rule: &str) -> Option<Pattern> {
    if rule.contains("**") {
        return None;
    }
    let (negate, rule) = rule.strip_prefix('!').map_or((false, rule), |rule| (true, rule));
    let (only_folders, rule) = rule.strip_suffix('/').map_or((false, rule), |rule| (true, rule));
    let (whole, rule) = rule
        .strip_prefix('/')
        .map_or((rule.contains('/'), rule), |rule| (true, rule));
    Some(Pattern {
        shape: shape(rule)?,
        whole,
        negate,
        only_folders,
    })
}

/// Go's `filepath.Match` as a regular expression.
fn shape(pattern: &str) -> Option<Regex> {
    let mut text = String::from("^");
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' => text.push_str("[^/]*"),
            '?' => text.push_str("[^/]"),
            '\\' => text.push_str(&regex::escape(&rest.next()?.to_string())),
            '[' => {
                let (class, behind) = rest.as_str().split_once(']')?;
                let (sign, class) = class.strip_prefix('^').map_or(("", class), |class| ("^", class));
                if class.is_empty() {
                    return None;
                }
                let class = class
                    .replace('\\', "")
                    .replace('[', "\\[")
                    .replace("&&", "&\\&")
                    .replace("~~", "~\\~");
                text.push_str(&format!("[{sign}{class}]"));
                rest = behind.chars();
            }
            c => text.push_str(&regex::escape(&c.to_string())),
        }
    }
    text.push('$');
    Regex::new(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_out_what_helm_leaves_out() {
        let ignore =
            Ignore::parse("# comment\n\n*.tgz\n.git/\n/ci\ndocs/*.md\nval[ou]es-?.yaml\n").expect("these are patterns");
        let left_out = |path| ignore.leaves_out(path, false);
        for path in [
            "a.tgz",
            "charts/a.tgz",
            "ci",
            "docs/a.md",
            "x/values-1.yaml",
            "templates/.hidden",
        ] {
            assert!(left_out(path), "{path}");
        }
        for path in [
            ".git",
            "x/ci",
            "docs/x/a.md",
            "x/docs/a.md",
            "values.yaml",
            "values-10.yaml",
            "templates/a.yaml",
        ] {
            assert!(!left_out(path), "{path}");
        }
        assert!(ignore.leaves_out(".git", true) && ignore.leaves_out("x/.git", true));
    }

    #[test]
    fn a_negated_pattern_leaves_out_all_else() {
        let ignore = Ignore::parse("!*.yaml").expect("it is a pattern");
        assert!(ignore.leaves_out("a.txt", false) && !ignore.leaves_out("a.yaml", false));
        assert_eq!(
            Ignore::parse("a/**/b").expect_err("Helm refuses it"),
            "a/**/b in .helmignore is no pattern"
        );
    }
}
