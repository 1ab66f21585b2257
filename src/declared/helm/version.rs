//! Versions of charts and artifacts, and ranges of them, as Helm and Flux understand both. Pure.
//!
//! Both use Masterminds/semver v3, whose rules are not those of cargo (`version.go`, `constraints.go` of v3.5.0): versions may be
//! short (`1.2`) and begin with `v`; a bare version in a range means exactly that version, a shorter one everything below it;
//! pre-releases satisfy a range only where one of its own group (what `||` separates) is a pre-release; what stands behind `+` plays
//! no part. `tests/tools/helm-oracle` runs the library itself.

use std::cmp::Ordering;
use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// One version.
#[derive(Debug, Clone)]
pub(in crate::declared) struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    /// What stands behind `-`; empty for a release.
    pre: String,
    /// What stands behind `+`.
    metadata: String,
    /// As it was written.
    original: String,
}

/// A regular expression of this file.
fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("because it is written here")
}

impl Version {
    /// A version, of which the last parts may be missing.
    pub fn parse(text: &str) -> Option<Self> {
        static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
            regex(
                r"^v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?(?:\+([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?$",
            )
        });
        let found = SHAPE.captures(text)?;
        let number = |group| found.get(group).map_or(Some(0), |part| part.as_str().parse().ok());
        let part = |group| found.get(group).map_or("", |part| part.as_str()).to_owned();
        let pre = part(4);
        let has_leading_zero = |part: &str| part.len() > 1 && part.starts_with('0') && is_number(part);
        if pre.split('.').any(has_leading_zero) {
            return None;
        }
        Some(Self {
            major: number(1)?,
            minor: number(2)?,
            patch: number(3)?,
            pre,
            metadata: part(5),
            original: text.to_owned(),
        })
    }

    /// A version of three numbers without leading zeros, as the specification asks for.
    pub fn strict(text: &str) -> Option<Self> {
        let version = Self::parse(text)?;
        (version.to_string() == text).then_some(version)
    }

    /// The same, of which a leading `v` is no part (fluxcd/pkg `version.ParseVersion`).
    pub fn of_tag(text: &str) -> Option<Self> {
        Self::strict(text.strip_prefix('v').unwrap_or(text))?;
        Self::parse(text)
    }

    /// As it was written.
    pub fn original(&self) -> &str {
        &self.original
    }

    /// With other build metadata, or none.
    pub fn with_metadata(mut self, metadata: &str) -> Self {
        metadata.clone_into(&mut self.metadata);
        self
    }

    /// Which of two is newer; build metadata plays no part.
    pub fn compare(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        numbers(self)
            .cmp(&numbers(other))
            .then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_pre(&self.pre, &other.pre),
            })
    }
}

impl fmt::Display for Version {
    /// In full, without a leading `v`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        for (sign, part) in [('-', &self.pre), ('+', &self.metadata)] {
            if !part.is_empty() {
                write!(f, "{sign}{part}")?;
            }
        }
        Ok(())
    }
}

fn is_number(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_digit())
}

fn compare_pre(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left), Some(right)) if left == right => {}
            (Some(left), Some(right)) => return compare_part(left, right),
        }
    }
}

/// Numbers come before words. A number too large for 64 bits is a word.
fn compare_part(left: &str, right: &str) -> Ordering {
    let number = |part: &str| part.parse::<u64>().ok().filter(|_| is_number(part));
    match (number(left), number(right)) {
        // Two spellings of a number cannot be: a leading zero is refused.
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => left.cmp(right),
    }
}

/// A range of versions: groups, one of which must hold; a group holds when all of its bounds do.
#[derive(Debug, Clone)]
pub(in crate::declared) struct Range {
    groups: Vec<Vec<Bound>>,
}

#[derive(Debug, Clone)]
struct Bound {
    rule: Rule,
    version: Version,
    /// How many of the version's numbers are said: 3 for `1.2.3`, 1 for `1` and `1.x`.
    said: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Equal,
    NotEqual,
    Above,
    Below,
    AtLeast,
    AtMost,
    Tilde,
    Caret,
}

const RULES: &[(&str, Rule)] = &[
    ("", Rule::Equal),
    ("=", Rule::Equal),
    ("!=", Rule::NotEqual),
    (">", Rule::Above),
    ("<", Rule::Below),
    (">=", Rule::AtLeast),
    ("=>", Rule::AtLeast),
    ("<=", Rule::AtMost),
    ("=<", Rule::AtMost),
    ("~", Rule::Tilde),
    ("~>", Rule::Tilde),
    ("^", Rule::Caret),
];

/// What the library takes for a version in a range. `|` is one of its characters, by mistake, and is kept: nothing parses
/// that has it.
const VERSION: &str = r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?";
/// The order is the library's: the first that fits is taken.
const SIGNS: &str = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^";
/// White space as Go knows it.
const BLANK: &str = r"[\t\n\f\r ]";

struct Shapes {
    span: Regex,
    group: Regex,
    bound: Regex,
    alone: Regex,
}

static SHAPES: LazyLock<Shapes> = LazyLock::new(|| Shapes {
    span: regex(&format!("{BLANK}*({VERSION}){BLANK}+-{BLANK}+({VERSION}){BLANK}*")),
    group: regex(&format!(
        "^({BLANK}*({SIGNS}){BLANK}*({VERSION}){BLANK}*)((?:{BLANK}+|,{BLANK}*)({SIGNS}){BLANK}*({VERSION}){BLANK}*)*$"
    )),
    bound: regex(&format!("({SIGNS}){BLANK}*({VERSION})")),
    alone: regex(&format!("^{BLANK}*({SIGNS}){BLANK}*({VERSION}){BLANK}*$")),
});

impl Range {
    /// Reads a range: `^1.2`, `~1`, `1.x`, `>= 1, < 2 || 3.*`, `1.2 - 1.4`.
    ///
    /// # Errors
    /// Says that it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let groups: Option<Vec<Vec<Bound>>> = without_spans(text).split("||").map(group).collect();
        groups
            .map(|groups| Self { groups })
            .ok_or_else(|| format!("{text} is no version and no range of versions"))
    }

    /// Every release.
    pub fn any() -> Self {
        let version = Version {
            major: 0,
            minor: 0,
            patch: 0,
            pre: String::new(),
            metadata: String::new(),
            original: String::new(),
        };
        let bound = Bound {
            rule: Rule::AtLeast,
            version,
            said: 0,
        };
        Self {
            groups: vec![vec![bound]],
        }
    }

    /// Whether a version satisfies it.
    pub fn allows(&self, version: &Version) -> bool {
        self.groups.iter().any(|bounds| {
            let pre_allowed = bounds.iter().any(|bound| !bound.version.pre.is_empty());
            (version.pre.is_empty() || pre_allowed) && bounds.iter().all(|bound| bound.allows(version))
        })
    }

    /// The first version that stands in it, where it is not wholly open: near which others are worth naming.
    fn anchor(&self) -> Option<&Version> {
        let bounds = self.groups.iter().flatten();
        bounds.filter(|bound| bound.said > 0).map(|bound| &bound.version).next()
    }
}

/// `1.2 - 1.4` is `>= 1.2, <= 1.4`.
fn without_spans(text: &str) -> String {
    let mut out = text.to_owned();
    for found in SHAPES.span.captures_iter(text) {
        let part = |group| found.get(group).map_or("", |part| part.as_str());
        out = out.replacen(part(0), &format!(">= {}, <= {} ", part(1), part(11)), 1);
    }
    out
}

fn group(text: &str) -> Option<Vec<Bound>> {
    if !SHAPES.group.is_match(text) {
        return None;
    }
    let found = SHAPES.bound.find_iter(text);
    found
        .map(|found| bound(&SHAPES.alone.captures(found.as_str())?))
        .collect()
}

fn bound(found: &Captures<'_>) -> Option<Bound> {
    let part = |group| found.get(group).map_or("", |part| part.as_str());
    let is_open = |group| matches!(part(group).trim_start_matches('.'), "" | "x" | "X" | "*");
    let pre = part(6);
    let (said, version) = if is_open(3) {
        (0, format!("0.0.0{pre}"))
    } else if is_open(4) {
        (1, format!("{}.0.0{pre}", part(3)))
    } else if is_open(5) {
        (2, format!("{}{}.0{pre}", part(3), part(4)))
    } else {
        (3, part(2).to_owned())
    };
    let (_, rule) = RULES.iter().find(|(sign, _)| *sign == part(1))?;
    Some(Bound {
        rule: *rule,
        version: Version::parse(&version)?,
        said,
    })
}

impl Bound {
    fn allows(&self, version: &Version) -> bool {
        let own = &self.version;
        let order = version.compare(own);
        let same_major = version.major == own.major;
        match (self.rule, self.said) {
            (Rule::Equal, 3) => order.is_eq(),
            (Rule::Equal | Rule::Tilde, _) => self.allows_tilde(version),
            (Rule::NotEqual, _) => self.allows_unequal(version),
            (Rule::Above, 3) => order.is_gt(),
            (Rule::Above, 2) => version.major > own.major || (same_major && version.minor > own.minor),
            // `>11` is 12 at least.
            (Rule::Above, 1) => version.major > own.major,
            (Rule::Above, _) => version.major > own.major || (same_major && order.is_gt()),
            (Rule::Below, _) => order.is_lt(),
            (Rule::AtLeast, _) => order.is_ge(),
            (Rule::AtMost, 3) => order.is_le(),
            (Rule::AtMost, 1) => version.major <= own.major,
            (Rule::AtMost, _) => version.major < own.major || (same_major && version.minor <= own.minor),
            (Rule::Caret, _) => self.allows_caret(version),
        }
    }

    fn allows_tilde(&self, version: &Version) -> bool {
        let own = &self.version;
        // `~0.0.0`, and `*`, which becomes it, allow everything from there on.
        let is_zero = (own.major, own.minor, own.patch) == (0, 0, 0) && matches!(self.said, 0 | 3);
        let same_minor = version.minor == own.minor || self.said == 1;
        version.compare(own).is_ge() && (is_zero || (version.major == own.major && same_minor))
    }

    fn allows_unequal(&self, version: &Version) -> bool {
        let own = &self.version;
        if self.said == 3 {
            return version.compare(own).is_ne();
        }
        if version.major != own.major || (self.said != 1 && version.minor != own.minor) {
            return true;
        }
        match self.said {
            1 => false,
            2 => version.pre != own.pre,
            _ => version.patch != own.patch || version.compare(own).is_ne(),
        }
    }

    fn allows_caret(&self, version: &Version) -> bool {
        let own = &self.version;
        if version.compare(own).is_lt() {
            return false;
        }
        if own.major > 0 || self.said == 1 {
            return version.major == own.major;
        }
        if own.minor > 0 || self.said == 2 {
            return version.major == 0 && version.minor == own.minor;
        }
        (version.major, version.minor, version.patch) == (0, 0, own.patch)
    }
}

/// Which of a list is taken for what was asked: the one of exactly that name, else the newest that satisfies it as a range; for
/// `""` and `*` the newest release. Of equal ones the first.
///
/// # Errors
/// Says that it is no range, or that nothing satisfies it and what comes nearest.
pub(super) fn choose<'a, T>(
    asked: &str,
    offered: &'a [T],
    name: impl Fn(&'a T) -> &'a str,
    read: impl Fn(&str) -> Option<Version>,
) -> Result<&'a T, String> {
    if let Some(exact) = offered.iter().find(|one| !asked.is_empty() && name(one) == asked) {
        return Ok(exact);
    }
    let range = match asked {
        "" => Range::any(),
        asked => Range::parse(asked)?,
    };
    let mut versions: Vec<(Version, &T)> = offered.iter().filter_map(|one| Some((read(name(one))?, one))).collect();
    // Stable: of equal versions the first stays first.
    versions.sort_by(|(left, _), (right, _)| right.compare(left));
    let found = versions.iter().find(|(version, _)| range.allows(version));
    found.map(|(_, one)| *one).ok_or_else(|| {
        let versions: Vec<&Version> = versions.iter().map(|(version, _)| version).collect();
        let wanted = match asked {
            "" => "there is no release".to_owned(),
            asked => format!("no version satisfies {asked}"),
        };
        format!("{wanted}; {}", nearest(&range, &versions))
    })
}

/// The versions around where a range lies, newest first, for an error.
fn nearest(range: &Range, newest_first: &[&Version]) -> String {
    const EACH_SIDE: usize = 2;
    if newest_first.is_empty() {
        return "there are no versions at all".to_owned();
    }
    let at = range.anchor().map_or(0, |anchor| {
        newest_first
            .iter()
            .take_while(|version| version.compare(anchor).is_gt())
            .count()
    });
    let near = newest_first
        .iter()
        .skip(at.saturating_sub(EACH_SIDE))
        .take(2 * EACH_SIDE);
    let near: Vec<&str> = near.map(|version| version.original()).collect();
    format!("the nearest are {}", near.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::helm::golden;

    /// `golden/ranges.jsonl`, written by Masterminds/semver itself.
    #[test]
    fn ranges_allow_what_helm_allows() {
        let rows = golden::rows("ranges", include_str!("golden/ranges.jsonl"));
        let (mut wrong, mut pairs) = (Vec::new(), 0);
        for row in &rows {
            let text = row[0].as_str().expect("a range");
            let range = Range::parse(text);
            let versions = row[1].as_array().expect("versions");
            let letters: String = match &range {
                Err(_) => "e".to_owned(),
                Ok(range) => versions
                    .iter()
                    .map(|version| match Version::parse(version.as_str().expect("a version")) {
                        None => 'n',
                        Some(version) if range.allows(&version) => 'a',
                        Some(_) => 'r',
                    })
                    .collect(),
            };
            pairs += versions.len();
            if letters != row[2] {
                wrong.push(format!("{row} but {letters}"));
            }
        }
        assert!(pairs >= 10_000);
        assert!(
            wrong.is_empty(),
            "{} of {} wrong, such as\n{}",
            wrong.len(),
            rows.len(),
            wrong[0]
        );
    }

    #[test]
    fn versions_are_ordered() {
        // In order; pre-releases as the specification's own example has them.
        let order = "0.0.1 1.0.0-1 1.0.0-2 1.0.0-10 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-rc.1 1.0.0 v1.1 1.10.0 2";
        let versions: Vec<Version> = order.split(' ').filter_map(Version::parse).collect();
        assert_eq!(versions.len(), 13);
        for pair in versions.windows(2) {
            assert!(pair[0].compare(&pair[1]).is_lt(), "{} {}", pair[0], pair[1]);
        }
        let parse = |text| Version::parse(text).expect("a version");
        assert!(parse("1.2.3+a").compare(&parse("v1.2.3+b")).is_eq());
        assert_eq!(parse("v1.2-rc.1+b").to_string(), "1.2.0-rc.1+b");
    }

    #[test]
    fn tags_are_strict_versions() {
        assert!(Version::of_tag("v1.2.3").is_some() && Version::of_tag("1.2.3-rc.1+b").is_some());
        assert!(
            ["1.2", "vv1.2.3", "1.02.3", "latest"]
                .into_iter()
                .all(|text| Version::of_tag(text).is_none())
        );
        assert!(Version::strict("v1.2.3").is_none());
    }

    const OFFERED: &[&str] = &[
        "1.0.0",
        "2.0.0-rc.1",
        "1.2.0",
        "1.2.0+later",
        "1.3.0",
        "odd",
        "0.9.1",
        "0.1.0",
        "0.2.0",
    ];

    fn chosen(asked: &str) -> Result<&'static str, String> {
        choose(asked, OFFERED, |text| text, Version::parse).copied()
    }

    #[test]
    fn the_newest_that_satisfies_is_chosen() {
        for (asked, found) in [
            ("", "1.3.0"),
            ("*", "1.3.0"),
            ("~1.2", "1.2.0"),
            ("1.2.0+later", "1.2.0+later"),
            (">=2.0.0-0", "2.0.0-rc.1"),
            ("odd", "odd"),
            ("<1", "0.9.1"),
        ] {
            assert_eq!(chosen(asked), Ok(found), "{asked}");
        }
    }

    #[test]
    fn what_comes_nearest_is_named() {
        assert_eq!(
            chosen("^1.4").expect_err("there is none"),
            "no version satisfies ^1.4; the nearest are 2.0.0-rc.1, 1.3.0, 1.2.0, 1.2.0+later"
        );
        assert_eq!(
            chosen("~0.5").expect_err("there is none"),
            "no version satisfies ~0.5; the nearest are 1.0.0, 0.9.1, 0.2.0, 0.1.0"
        );
        assert_eq!(
            chosen("main").expect_err("it is no range"),
            "main is no version and no range of versions"
        );
        let none = choose("", &[] as &[&str], |text| text, Version::parse);
        assert_eq!(
            none.expect_err("there is none"),
            "there is no release; there are no versions at all"
        );
    }
}
