//! An audit as one page: no network, no other files; search, sorting, a coverage bar a namespace, light and dark, by keyboard.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::human::of_verdict;
use super::{Audited, cautions, coverage, per_cent, title, told_by};
use crate::audit::{Coverage, Finding, Verdict};
use crate::report::about;
use crate::report::text::count;

/// The page, with places to fill in.
const PAGE: &str = include_str!("page.html");

pub(super) fn write(audited: &Audited<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut head = Vec::new();
    about(&audited.about, &mut head)?;
    let head = format!("<pre>{}</pre>", safe(String::from_utf8_lossy(&head).trim_end()));
    let parts = [
        ("<!--ABOUT-->", head),
        ("<!--SUMMARY-->", summary(audited)),
        ("<!--VERDICTS-->", verdicts(audited)),
        ("<!--ROWS-->", audited.findings.findings.iter().map(row).collect()),
        ("<!--COVERAGE-->", covered(audited)),
        ("<!--GAPS-->", gaps(audited)),
    ];
    // One pass from front to back, so that a name that looks like a place to fill in is none.
    let mut rest = PAGE;
    for (place, text) in parts {
        let (before, after) = rest.split_once(place).unwrap_or((rest, ""));
        out.write_all(before.as_bytes())?;
        out.write_all(text.as_bytes())?;
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

/// Text as it stands in HTML, also within quotes; control characters are escaped.
fn safe(text: &str) -> String {
    let text = crate::error::printable(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn summary(audited: &Audited<'_>) -> String {
    let findings = audited.findings;
    let all = coverage(findings);
    let mut text = format!(
        "<p><strong>{}</strong>; {:.1} % of what counts is in the cluster as Git declares it ({} of {}). {} declared, {} live; {} of history read.",
        safe(&count(findings.findings.len(), "finding")),
        per_cent(all),
        all.in_sync,
        all.counted,
        audited.declared,
        audited.live,
        safe(&count(audited.past.walked, "commit")),
    );
    if findings.ignored > 0 {
        let _ = write!(
            text,
            " {} left out by .refloatignore.",
            safe(&count(findings.ignored, "finding"))
        );
    }
    text.push_str("</p><ul class=\"soft\">");
    for (name, number) in &findings.counts {
        let _ = write!(text, "<li>{}: {number}</li>", safe(title(name)));
    }
    text.push_str("</ul>");
    let cautions = cautions(audited);
    if !cautions.is_empty() {
        text.push_str("<h2>To be read with this in mind</h2><ul>");
        for one in cautions {
            let _ = write!(text, "<li>{}</li>", safe(&one));
        }
        text.push_str("</ul>");
    }
    text
}

fn verdicts(audited: &Audited<'_>) -> String {
    let there = |name: &&&str| audited.findings.findings.iter().any(|one| one.verdict.name() == **name);
    let names = Verdict::FINDINGS.iter().filter(there);
    names
        .map(|name| format!("<option value=\"{name}\">{}</option>", safe(title(name))))
        .collect()
}

fn row(finding: &Finding) -> String {
    let name = finding.verdict.name();
    let object = safe(&format!("{} {}", finding.id.group_kind(), finding.id.name));
    let author = finding.authors.first();
    let who = author.map_or("unknown", |author| author.user.as_deref().unwrap_or(&author.tool));
    let when = author.map_or("", |author| author.time.as_str());
    format!(
        "<tr data-v=\"{name}\" data-r=\"{}\"><td class=\"v {name}\">{}</td><td>{}</td><td data-k=\"{}\"><details><summary>{}</summary>{}</details></td><td>{}</td><td>{}</td></tr>\n",
        finding.verdict.rank(),
        safe(title(name)),
        safe(finding.id.namespace.as_deref().unwrap_or("cluster-scoped")),
        object,
        object,
        details(finding),
        safe(who),
        safe(when),
    )
}

fn details(finding: &Finding) -> String {
    let mut lines = Vec::new();
    if let Some(place) = &finding.place {
        lines.push(format!("declared in {place}"));
    }
    lines.extend(of_verdict(finding));
    lines.extend(finding.evidence.iter().cloned());
    if finding.authors.is_empty() {
        lines.push("by: unknown".to_owned());
    }
    lines.extend(finding.authors.iter().map(|author| format!("by {}", told_by(author))));
    let mut text = format!("<pre>{}</pre>", safe(&lines.join("\n")));
    if let Some(remedy) = &finding.remedy {
        let _ = write!(text, "<pre><code>$ {}</code></pre>", safe(remedy));
    }
    text
}

fn covered(audited: &Audited<'_>) -> String {
    let mut text = String::new();
    let mut line = |name: &str, one: Coverage| {
        let percent = per_cent(one);
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td>{} of {}</td><td>{percent:.1} %</td><td><span class=\"bar\" role=\"img\" aria-label=\"{percent:.1} %\"><i style=\"width:{percent:.1}%\"></i></span></td></tr>",
            safe(name),
            one.in_sync,
            one.counted
        );
    };
    line("all", coverage(audited.findings));
    for (namespace, one) in &audited.findings.coverage {
        line(
            if namespace.is_empty() {
                "cluster-scoped"
            } else {
                namespace
            },
            *one,
        );
    }
    text
}

fn gaps(audited: &Audited<'_>) -> String {
    if audited.gaps.is_empty() {
        return String::new();
    }
    let items: String = audited
        .gaps
        .iter()
        .map(|gap| format!("<li>{}: {}</li>", safe(&gap.what), safe(&gap.reason)))
        .collect();
    format!("<h2>Not read</h2><p>What is there is not known.</p><ul>{items}</ul>")
}
