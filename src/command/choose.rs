//! `--interactive`: what is exported, one by one, as `git add -p` asks.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use crate::audit::{Finding, Verdict};
use crate::cluster::Cleaned;
use crate::error::printable;
use crate::object::ObjectId;

const HELP: &str = "\
y - export it
n - leave it
a - export it and all that follow
d - leave it and all that follow
q - the same
? - this help";

/// Shows each finding and asks whether it is exported. The end of the input is `q`.
pub(super) fn choose(
    findings: &[&Finding],
    cleaned: &BTreeMap<ObjectId, Cleaned>,
    answers: &mut dyn BufRead,
    out: &mut dyn Write,
) -> io::Result<Vec<bool>> {
    let mut chosen = Vec::new();
    for (index, finding) in findings.iter().enumerate() {
        show(finding, cleaned.get(&finding.id), out)?;
        loop {
            write!(out, "({}/{}) Export this [y,n,a,d,q,?]? ", index + 1, findings.len())?;
            out.flush()?;
            let mut line = String::new();
            let ended = answers.read_line(&mut line)? == 0;
            if ended {
                writeln!(out)?;
            }
            match line.trim() {
                "y" => chosen.push(true),
                "n" => chosen.push(false),
                answer if ended || ["a", "d", "q"].contains(&answer) => {
                    chosen.resize(findings.len(), answer == "a");
                    return Ok(chosen);
                }
                _ => {
                    writeln!(out, "{HELP}")?;
                    continue;
                }
            }
            break;
        }
    }
    Ok(chosen)
}

fn show(finding: &Finding, cleaned: Option<&Cleaned>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "\n{} {}",
        finding.verdict.name(),
        printable(&finding.id.to_string())
    )?;
    for author in &finding.authors {
        writeln!(out, "  {}", printable(&author.evidence))?;
    }
    let is_secret = finding.id.is("", "Secret");
    match (&finding.verdict, cleaned) {
        (Verdict::Drifted { fields, .. }, _) => {
            for field in fields {
                let shown = |value: &Option<serde_json::Value>| {
                    let value = value.as_ref().filter(|_| !is_secret);
                    value.map_or(String::new(), |value| format!(": {}", printable(&value.to_string())))
                };
                if field.change != crate::object::FieldChange::Added {
                    writeln!(out, "- {}{}", printable(&field.path), shown(&field.declared))?;
                }
                if field.change != crate::object::FieldChange::Removed {
                    writeln!(out, "+ {}{}", printable(&field.path), shown(&field.live))?;
                }
            }
        }
        (Verdict::Missing, _) => writeln!(out, "- the whole object")?,
        (_, Some(_)) if is_secret => writeln!(out, "+ the whole object; its values are not shown")?,
        (_, Some(cleaned)) => {
            for line in kube_yaml::to_string(cleaned.manifest.value()).lines() {
                writeln!(out, "+ {}", printable(line))?;
            }
        }
        (_, None) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(answers: &str) -> (Vec<bool>, String) {
        let finding = |name: &str| Finding::new(ObjectId::new("", "ConfigMap", Some("shop"), name), Verdict::Missing);
        let findings = [finding("a"), finding("b"), finding("c")];
        let findings: Vec<&Finding> = findings.iter().collect();
        let mut out = Vec::new();
        let chosen = choose(&findings, &BTreeMap::new(), &mut answers.as_bytes(), &mut out);
        (
            chosen.expect("because a Vec takes all"),
            String::from_utf8_lossy(&out).into_owned(),
        )
    }

    #[test]
    fn every_answer() {
        for (answers, expected) in [
            ("y\nn\ny\n", [true, false, true]),
            ("n\na\n", [false, true, true]),
            ("y\nd\n", [true, false, false]),
            ("y\nq\n", [true, false, false]),
            ("n\ny\n", [false, true, false]),
            ("q\n", [false, false, false]),
            ("what\ny\ny\ny\n", [true, true, true]),
        ] {
            let (chosen, said) = answered(answers);
            assert_eq!(chosen, expected, "{answers:?}");
            assert_eq!(said.contains("q - the same"), answers.starts_with("what"), "{said}");
        }
        assert!(
            answered("q\n")
                .1
                .contains("missing ConfigMap/shop/a\n- the whole object\n(1/3) Export this")
        );
    }
}
