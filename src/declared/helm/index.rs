//! The `index.yaml` of a chart repository: what it offers of one chart. Pure.
//!
//! An index may have tens of megabytes, of which one chart is wanted: only that one's lines are parsed. Where they cannot be told,
//! because the index is JSON or written in another way, all of it is.

use jiff::Timestamp;
use serde_json::Value;

use super::version::Version;

/// One version of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its version.
    pub version: String,
    /// Where its archive is; relative to the repository, or anywhere.
    pub urls: Vec<String>,
    /// SHA-256 of the archive, hexadecimal.
    pub digest: Option<String>,
    created: Option<Timestamp>,
}

/// The versions of a chart, those first that were made last; `None` where it has no such chart.
///
/// # Errors
/// Says that it is no index.
pub(super) fn entries(index: &str, name: &str) -> Result<Option<Vec<Entry>>, String> {
    let found = match lines_of(index, name) {
        Lines::Found(lines) => kube_yaml::parse_one(lines.as_bytes())
            .value
            .ok()
            .map(|value| value[name].clone()),
        Lines::Missing => return Ok(None),
        Lines::Unclear => None,
    };
    let versions = match found {
        Some(Value::Array(versions)) => versions,
        // An alias to elsewhere, say.
        _ => match whole(index)?["entries"].get(name) {
            None => return Ok(None),
            Some(versions) => versions.as_array().cloned().unwrap_or_default(),
        },
    };
    let mut entries: Vec<Entry> = versions.iter().filter_map(entry).collect();
    // Stable, and equal versions are told apart by it later.
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.created));
    Ok(Some(entries))
}

fn whole(index: &str) -> Result<Value, String> {
    let value = match serde_json::from_str(index) {
        Ok(value) => value,
        Err(_) => {
            let value = kube_yaml::parse_one(index.as_bytes()).value;
            value.map_err(|error| format!("its index.yaml cannot be read: {error}"))?
        }
    };
    match value["apiVersion"].is_string() && (value["entries"].is_object() || value["entries"].is_null()) {
        true => Ok(value),
        false => Err("what it has as index.yaml is no index of charts".to_owned()),
    }
}

/// As Helm, leaves out what is no version.
fn entry(value: &Value) -> Option<Entry> {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let version = text("version")?;
    Version::parse(&version)?;
    let urls = value["urls"].as_array().into_iter().flatten();
    let digest = text("digest").map(|digest| digest.rsplit(':').next().unwrap_or_default().to_ascii_lowercase());
    Some(Entry {
        version,
        urls: urls.filter_map(Value::as_str).map(str::to_owned).collect(),
        digest: digest.filter(|digest| digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())),
        created: text("created").and_then(|time| time.parse().ok()),
    })
}

enum Lines {
    /// `name:` and what belongs to it.
    Found(String),
    Missing,
    /// It is written in another way.
    Unclear,
}

/// The lines of one key of `entries`, which stands alone on its line as do its neighbours.
fn lines_of(index: &str, name: &str) -> Lines {
    // What stands in a text of several lines is indented further than any key of `entries`, so that lines tell.
    let mut lines = index
        .lines()
        .skip_while(|line| line.trim_end() != "entries:")
        .skip(1)
        .peekable();
    let first = loop {
        match lines.peek() {
            Some(line) if line.trim().is_empty() || line.trim_start().starts_with('#') => lines.next(),
            Some(line) => break *line,
            None => return Lines::Unclear,
        };
    };
    let indent = first.len() - first.trim_start_matches(' ').len();
    let key = |line: &str| -> Option<String> {
        let inner = line
            .get(indent..)
            .filter(|_| line.bytes().take(indent).all(|byte| byte == b' '))?;
        let key = inner.trim_end().strip_suffix(':')?;
        let unquoted = key.strip_prefix('"').and_then(|key| key.strip_suffix('"'));
        let unquoted = unquoted.or_else(|| key.strip_prefix('\'').and_then(|key| key.strip_suffix('\'')));
        let is_key = !key.starts_with([' ', '-', '#', '?']);
        is_key.then(|| unquoted.unwrap_or(key).to_owned())
    };
    if indent == 0 || key(first).is_none() {
        return Lines::Unclear;
    }
    let belongs = |line: &str| {
        let rest = line.get(indent..).unwrap_or_default();
        line.trim().is_empty() || (line.starts_with(&first[..indent]) && rest.starts_with([' ', '-', '#']))
    };
    let mut found: Option<String> = None;
    for line in lines {
        match (&mut found, key(line)) {
            (None, Some(key)) if key == name => found = Some(format!("{line}\n")),
            (Some(text), None) if belongs(line) => text.extend([line, "\n"]),
            (Some(_), _) => break,
            // A key whose value stands beside it hides nothing of its neighbours; the end of `entries` ends the search.
            (None, Some(_)) => {}
            (None, None) if belongs(line) => {}
            (None, None) if line.starts_with(&first[..indent]) => return Lines::Unclear,
            (None, None) => break,
        }
    }
    found.map_or(Lines::Missing, Lines::Found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn index() -> String {
        format!(
            "apiVersion: v1\nentries:\n  # a comment\n  web:\n  - version: 1.2.0\n    created: \"2026-01-01T00:00:00Z\"\n    description: |\n      other:\n      - version: 9\n    urls: [web-1.2.0.tgz]\n    digest: sha256:{SUM}\n\n  - version: 1.2.0+later\n    created: \"2026-02-01T00:00:00+01:00\"\n    urls:\n    - https://elsewhere.example.com/web.tgz\n  - version: main\n    urls: [x]\n  \"other\":\n    - version: v2\n      urls: []\ngenerated: \"2026-01-01T00:00:00Z\"\n"
        )
    }

    fn versions(index: &str, name: &str) -> Option<Vec<String>> {
        let found = entries(index, name).expect("it is an index");
        found.map(|entries| entries.into_iter().map(|entry| entry.version).collect())
    }

    #[test]
    fn one_chart_is_found_among_others() {
        let found = entries(&index(), "web")
            .expect("it is an index")
            .expect("it has the chart");
        assert_eq!(found[0].urls, ["https://elsewhere.example.com/web.tgz"]);
        assert_eq!(found[0].digest, None);
        assert_eq!(
            (found[1].version.as_str(), found[1].digest.as_deref()),
            ("1.2.0", Some(SUM))
        );
        assert_eq!(versions(&index(), "other").as_deref(), Some(&["v2".to_owned()][..]));
        assert_eq!(versions(&index(), "missing"), None);
    }

    /// However it is written: the same as when all of it is parsed.
    #[test]
    fn every_way_to_write_it_is_read() {
        let whole: Value = whole(&index()).expect("it is an index");
        let json = whole.to_string();
        let yaml = kube_yaml::to_string(&whole);
        let flow = format!("apiVersion: v1\nentries: {}\n", whole["entries"]);
        for index in [&index(), &json, &yaml, &flow] {
            assert_eq!(versions(index, "web").map(|found| found.len()), Some(2), "{index}");
            assert_eq!(versions(index, "other").map(|found| found.len()), Some(1), "{index}");
            assert_eq!(versions(index, "missing"), None);
        }
        let aliased = "apiVersion: v1\nentries:\n  a: &a\n  - version: 1.0.0\n    urls: [x]\n  b: *a\n";
        assert_eq!(versions(aliased, "b").map(|found| found.len()), Some(1));
    }

    /// Of more than 20 MB.
    #[test]
    fn of_a_large_index_one_chart_is_parsed() {
        let mut text = "apiVersion: v1\nentries:\n".to_owned();
        for chart in 0..200 {
            text.push_str(&format!("  chart{chart}:\n"));
            for version in 0..160 {
                text.push_str(&format!(
                    "  - apiVersion: v2\n    description: |\n      {}\n    keywords: [a, b]\n    version: {version}.0.0\n    urls: [x]\n",
                    "a word or two ".repeat(40)
                ));
            }
        }
        assert!(text.len() > 20 << 20);
        let Lines::Found(lines) = lines_of(&text, "chart150") else {
            panic!("it is there")
        };
        assert!(lines.len() < text.len() / 150);
        assert_eq!(versions(&text, "chart150").map(|found| found.len()), Some(160));
        assert!(matches!(lines_of(&text, "chart"), Lines::Missing));
    }

    #[test]
    fn what_is_no_index_is_refused() {
        for text in ["<html></html>", "entries: []", "apiVersion: v1\nentries: [1]\n", "{}"] {
            assert!(entries(text, "web").is_err(), "{text}");
        }
        assert_eq!(versions("apiVersion: v1\nentries: {}\n", "web"), None);
    }
}
