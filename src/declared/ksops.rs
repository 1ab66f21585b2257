//! ksops: generators of kustomizations that open SOPS files. What it makes of them is made here, without it.
//!
//! Source: [kustomize-sops](https://github.com/viaduct-ai/kustomize-sops) (ksops.go: generate), godotenv (parser.go) for `envs`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kustomize::Program;
use serde_json::{Value, json};
use sops::{Ksops, KsopsSecret};
use zeroize::Zeroizing;

/// What a generator makes, as a YAML stream; `None`: it is not one of ksops. Files are read in clear.
pub(super) fn generate(program: &Program<'_>) -> Option<Result<Vec<u8>, String>> {
    Ksops::is(program.config).then(|| made(program))
}

fn made(program: &Program<'_>) -> Result<Vec<u8>, String> {
    let ksops = Ksops::read(program.config).map_err(|error| error.to_string())?;
    let mut made = Vec::new();
    for file in &ksops.files {
        made.extend_from_slice(b"---\n");
        made.extend_from_slice(&(program.read)(file)?);
        made.push(b'\n');
    }
    for secret in &ksops.secrets {
        made.extend_from_slice(b"---\n");
        made.extend_from_slice(kube_yaml::to_string(&put_together(secret, program)?).as_bytes());
    }
    Ok(made)
}

fn put_together(secret: &KsopsSecret, program: &Program<'_>) -> Result<Value, String> {
    let mut object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": secret.metadata});
    if let Some(kind) = &secret.kind {
        object["type"] = kind.as_str().into();
    }
    for (key, file) in &secret.files {
        object["stringData"][key] = text(file, program)?.as_str().into();
    }
    for (key, file) in &secret.binary_files {
        object["data"][key] = BASE64_STANDARD.encode((program.read)(file)?).into();
    }
    for file in &secret.envs {
        let pairs =
            pairs(&text(file, program)?).map_err(|line| format!("{file}:{line}: it is no line of KEY=VALUE"))?;
        for (key, value) in pairs {
            object["stringData"][key] = value.into();
        }
    }
    Ok(object)
}

fn text(file: &str, program: &Program<'_>) -> Result<Zeroizing<String>, String> {
    let bytes = (program.read)(file)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{file} is not UTF-8: it belongs under binaryFiles"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The variables of a dotenv file, as shells read them: comments, `export`, quotes, `$NAME` of what comes before.
///
/// # Errors
/// The number of a line that is none of these.
fn pairs(text: &str) -> Result<BTreeMap<String, String>, usize> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut at = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        at += 1;
        let first = at;
        let line = line.trim_start();
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once(['=', ':']).ok_or(first)?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        let key = key.trim_end();
        if key.is_empty() || !key.chars().all(is_name) {
            return Err(first);
        }
        let mut value = value.trim_start().to_owned();
        let value = match value.chars().next().filter(|quote| matches!(quote, '"' | '\'')) {
            None => expanded(bare(&value), &found),
            Some(quote) => {
                while end_of(&value, quote).is_none() {
                    at += 1;
                    value = value + "\n" + lines.next().ok_or(first)?;
                }
                let inner = &value[1..end_of(&value, quote).unwrap_or(1)];
                match quote {
                    '\'' => inner.to_owned(),
                    _ => expanded(&inner.replace("\\n", "\n").replace("\\r", "\r"), &found).replace("\\\"", "\""),
                }
            }
        };
        found.insert(key.to_owned(), value);
    }
    Ok(found)
}

/// Up to a comment, which needs a blank before it.
fn bare(value: &str) -> &str {
    let comment = value.match_indices('#').map(|(at, _)| at);
    let mut comment = comment.filter(|at| *at == 0 || value[..*at].ends_with(char::is_whitespace));
    value[..comment.next().unwrap_or(value.len())].trim_end()
}

/// Where the closing quote is.
fn end_of(value: &str, quote: char) -> Option<usize> {
    let mut all = value.char_indices().skip(1);
    let is_end = |at: &usize| !value[..*at].ends_with('\\');
    all.find(|(at, c)| *c == quote && is_end(at)).map(|(at, _)| at)
}

/// `$NAME` and `${NAME}` of what stands above; others are empty, and `\$` is a dollar.
fn expanded(value: &str, known: &BTreeMap<String, String>) -> String {
    let mut done = String::new();
    let mut rest = value;
    while let Some(at) = rest.find('$') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let bare = after.strip_prefix('{').unwrap_or(after);
        let end = bare
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(bare.len());
        if let Some(before) = before.strip_suffix('\\') {
            done += before;
            done.push('$');
            rest = after;
        } else if end == 0 {
            done += &rest[..=at];
            rest = after;
        } else {
            done += before;
            done += known.get(&bare[..end]).map_or("", String::as_str);
            let is_braced = bare.len() != after.len();
            rest = &bare[end..];
            rest = rest.strip_prefix('}').filter(|_| is_braced).unwrap_or(rest);
        }
    }
    done + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_as_shells_read_them() {
        let text = "# all\nexport A=1\nB = two words # not this\nC='a $A #b'\nD=\"x\\ny \\\"$A\\\"\"\nE: ${A}0\nF=\\$A#b\nG=\nH=\"a\nb\"\n";
        let found = pairs(text).expect("because all lines are right");
        let found: Vec<(&str, &str)> = found.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(
            found,
            [
                ("A", "1"),
                ("B", "two words"),
                ("C", "a $A #b"),
                ("D", "x\ny \"1\""),
                ("E", "10"),
                ("F", "$A#b"),
                ("G", ""),
                ("H", "a\nb"),
            ]
        );
        for (wrong, line) in [("A=1\nnothing\n", 2), ("\"A\"=1", 1), ("A=1\nB=\"open\n\n", 2)] {
            assert_eq!(pairs(wrong), Err(line), "{wrong}");
        }
    }

    #[test]
    fn others_are_left_to_others() {
        let read = |_: &str| Ok(std::sync::Arc::from(&b"x"[..]));
        let config = json!({"apiVersion": "example.com/v1", "kind": "Sealer"});
        let program = Program {
            config: &config,
            read: &read,
        };
        assert_eq!(generate(&program), None);
    }
}
