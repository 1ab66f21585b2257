//! References of images: `[host[:port]/]name[:tag][@digest]`.

use regex::Regex;

use crate::trouble::{Outcome, Trouble};

/// Name, tag and digest of an image; what it lacks is empty (kustomize's `image.Split`).
pub(super) fn split(image: &str) -> (&str, &str, &str) {
    // A colon before the first slash is that of a port.
    let host = image.find('/').unwrap_or(0);
    let (host_and_slash, searched) = image.split_at(host);
    let at = |found: usize| host_and_slash.len() + found;
    match (searched.find(':').map(at), searched.find('@').map(at)) {
        (None, None) => (image, "", ""),
        (Some(colon), None) => (&image[..colon], &image[colon + 1..], ""),
        (Some(colon), Some(digest)) if colon < digest => {
            (&image[..colon], &image[colon + 1..digest], &image[digest + 1..])
        }
        (_, Some(digest)) => (&image[..digest], "", &image[digest + 1..]),
    }
}

/// Tells whether an image has a name. kustomize puts the name into a regular expression as it is, so that a point is any character.
pub(super) enum Matcher {
    /// A name in which only points are special.
    Plain(String),
    Pattern(Box<Regex>),
}

impl Matcher {
    pub fn new(name: &str) -> Outcome<Matcher> {
        if !name.contains(|special: char| r"\+*?()|[]{}^$".contains(special)) {
            return Ok(Matcher::Plain(name.to_owned()));
        }
        let name = with_plain_braces(name);
        let pattern = format!("^{name}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$");
        let regex = Regex::new(&pattern);
        let regex = regex.map_err(|_| Trouble::new(format!("image name {name:?} is no regular expression")))?;
        Ok(Matcher::Pattern(Box::new(regex)))
    }

    pub fn matches(&self, image: &str) -> bool {
        match self {
            Matcher::Plain(name) => after(name, image).is_some_and(is_tag_and_digest),
            Matcher::Pattern(regex) => regex.is_match(image),
        }
    }
}

/// Go takes a brace that begins no repetition for itself, as in `${REGISTRY}`; here that must be said.
fn with_plain_braces(name: &str) -> String {
    fn repeats(rest: &str) -> bool {
        let Some((range, _)) = rest.split_once('}') else {
            return false;
        };
        let (least, most) = range.split_once(',').unwrap_or((range, ""));
        !least.is_empty()
            && [least, most]
                .iter()
                .all(|bound| bound.bytes().all(|byte| byte.is_ascii_digit()))
    }
    let mut plain = String::with_capacity(name.len());
    let mut escaped = false;
    for (at, c) in name.char_indices() {
        if c == '{' && !escaped && !repeats(&name[at + 1..]) {
            plain.push('\\');
        }
        escaped = c == '\\' && !escaped;
        plain.push(c);
    }
    plain
}

/// What stands after a name in which a point is any character but a line break.
fn after<'i>(name: &str, image: &'i str) -> Option<&'i str> {
    let mut rest = image.chars();
    for wanted in name.chars() {
        let is = rest.next()?;
        if is != wanted && (wanted != '.' || is == '\n') {
            return None;
        }
    }
    Some(rest.as_str())
}

fn is_tag_and_digest(rest: &str) -> bool {
    fn skip(text: &str) -> &str {
        text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_.{}-".contains(c))
    }
    let rest = rest.strip_prefix(':').map_or(rest, skip);
    rest.strip_prefix("@sha256:").map_or(rest, skip).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits() {
        let cases = [
            ("nginx", ("nginx", "", "")),
            ("nginx:1.2", ("nginx", "1.2", "")),
            ("nginx@sha256:ab", ("nginx", "", "sha256:ab")),
            ("nginx:1.2@sha256:ab", ("nginx", "1.2", "sha256:ab")),
            ("host:5000/nginx", ("host:5000/nginx", "", "")),
            ("host:5000/a/nginx:1@sha256:ab", ("host:5000/a/nginx", "1", "sha256:ab")),
            ("/nginx:1", ("/nginx", "1", "")),
            ("", ("", "", "")),
        ];
        for (image, parts) in cases {
            assert_eq!(split(image), parts, "{image}");
        }
    }

    #[test]
    fn matches() {
        let cases = [
            ("nginx", "nginx", true),
            ("nginx", "nginx:1.{x}-2_", true),
            ("nginx", "nginx:", true),
            ("nginx", "nginx:1@sha256:abc", true),
            ("nginx", "nginx@sha256:abc", true),
            ("nginx", "nginx@sha512:abc", false),
            ("nginx", "nginx:1+2", false),
            ("nginx", "nginx/a", false),
            ("nginx", "a/nginx", false),
            ("nginx", "ngin", false),
            ("gcr.io/a", "gcrxio/a:1", true),
            ("gcr.io/a", "gcr\nio/a:1", false),
            (".*/nginx", "a/b/nginx:2", true),
            ("ngin(x|y)", "nginy", true),
            ("a|b", "xxb:1", true),
            ("", ":1", true),
            ("{a}/b", "{a}/b:1", true),
            ("a{2}", "aa:1", true),
            ("a{2,}", "aaa:1", true),
            ("${A}/b", "${A}/b:1", false),
            (r"\$\{A}", "${A}:1", true),
        ];
        for (name, image, expected) in cases {
            let matcher = Matcher::new(name).expect("a good name");
            assert_eq!(matcher.matches(image), expected, "{name} in {image:?}");
        }
        assert!(Matcher::new("a(b").is_err());
    }
}
