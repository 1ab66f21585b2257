//! What differs between two clusters, snapshots or revisions, for people.

use std::io::{self, Write};

use super::history;
use super::text::{count, listed, message, one_line};
use crate::object::{Edit, FactGap, KubeVersion, ObjectEdit, ObjectId};

/// Most objects of which the values are not compared that are named.
const MOST_NAMED: usize = 5;

/// What differs between two sides.
#[derive(Debug, Clone)]
pub struct Diff<'a> {
    /// From this
    pub before: SideOf<'a>,
    /// to this.
    pub after: SideOf<'a>,
    /// Objects that differ, by identity: those that only the second side has are added, those that only the first one has are removed.
    pub objects: &'a [ObjectEdit],
    /// How many are the same.
    pub same: usize,
    /// Objects on both sides of which the values are not compared, since one side does not hold them.
    pub masked: &'a [ObjectId],
    /// Kinds that one side only could read, so that nothing is said of them: `kind: which side`.
    pub gaps: &'a [FactGap],
}

/// One side.
#[derive(Debug, Clone, Copy)]
pub struct SideOf<'a> {
    /// As it was named, without credentials.
    pub name: &'a str,
    /// `cluster`, `snapshot`, `repository`.
    pub kind: &'static str,
    /// Version of the cluster.
    pub version: Option<KubeVersion>,
    /// Commit of the repository.
    pub commit: Option<&'a str>,
}

impl Diff<'_> {
    /// ```text
    ///   added    ConfigMap/shop/limits
    ///   changed  Deployment/shop/checkout
    ///            .spec.replicas  2 → 3
    /// 2 objects differ between snapshot monday.tar.zst and cluster prod: 1 added, 1 changed; 210 are the same.
    /// ```
    ///
    /// # Errors
    /// Those of the writer.
    pub fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        for edit in self.objects {
            history::object(edit, usize::MAX, out)?;
        }
        let of = |wanted: &Edit| self.objects.iter().filter(|one| one.edit == *wanted).count();
        let counts = [
            (of(&Edit::Added), "added"),
            (of(&Edit::Removed), "removed"),
            (of(&Edit::Changed), "changed"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts.map(|(count, word)| format!("{count} {word}")).collect();
        let (before, after) = (self.before.words(), self.after.words());
        match self.objects.len() {
            0 => writeln!(
                out,
                "Nothing differs between {before} and {after}: {} are the same.",
                count(self.same, "object")
            )?,
            1 => writeln!(
                out,
                "1 object differs between {before} and {after}: {}; {} are the same.",
                counts.join(", "),
                self.same
            )?,
            some => writeln!(
                out,
                "{some} objects differ between {before} and {after}: {}; {} are the same.",
                counts.join(", "),
                self.same
            )?,
        }
        if !self.masked.is_empty() {
            writeln!(
                out,
                "Only the keys were compared of {}, since one side does not hold the values: {}",
                count(self.masked.len(), "object"),
                listed(self.masked, MOST_NAMED)
            )?;
        }
        if !self.gaps.is_empty() {
            writeln!(out, "Not compared ({}):", self.gaps.len())?;
            for gap in self.gaps {
                writeln!(out, "  {}: {}", one_line(&gap.what), message(&gap.reason, "    "))?;
            }
        }
        Ok(())
    }
}

impl SideOf<'_> {
    fn words(&self) -> String {
        let commit = self.commit.map(|commit| commit.chars().take(12).collect::<String>());
        let commit = commit.map(|commit| format!(" at {commit}")).unwrap_or_default();
        format!("{} {}{commit}", self.kind, one_line(self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::FieldEdit;

    #[test]
    fn a_difference_is_told() {
        let id = |name: &str| ObjectId::new("", "Secret", Some("shop"), name);
        let edit = |name: &str, edit: Edit, fields: Vec<FieldEdit>| ObjectEdit {
            id: id(name),
            edit,
            file: String::new(),
            fields,
        };
        let field = |path: &str, value: Option<i64>, is_hidden: bool| FieldEdit {
            path: path.to_owned(),
            before: value.map(Into::into),
            after: value.map(|value| (value + 1).into()),
            is_hidden,
        };
        let objects = [
            edit("a", Edit::Added, Vec::new()),
            edit(
                "b",
                Edit::Changed,
                vec![field(".data.p", None, true), field(".n", Some(1), false)],
            ),
        ];
        let side = |name, kind, commit| SideOf {
            name,
            kind,
            version: None,
            commit,
        };
        let (masked, gap) = (
            [id("c")],
            FactGap {
                what: "Widget.example.com".to_owned(),
                reason: "not read".to_owned(),
            },
        );
        let mut diff = Diff {
            before: side("./gitops", "repository", Some("0123456789abcdef")),
            after: side("prod", "cluster", None),
            objects: &objects,
            same: 210,
            masked: &masked,
            gaps: std::slice::from_ref(&gap),
        };
        let text = |diff: &Diff<'_>| {
            let mut out = Vec::new();
            diff.human(&mut out).expect("because a Vec takes all");
            String::from_utf8(out).expect("because it is text")
        };
        insta::assert_snapshot!(text(&diff), @r"
          added    Secret/shop/a
          changed  Secret/shop/b
                   .data.p  changed; values are not shown
                   .n  1 → 2
        2 objects differ between repository ./gitops at 0123456789ab and cluster prod: 1 added, 1 changed; 210 are the same.
        Only the keys were compared of 1 object, since one side does not hold the values: Secret/shop/c
        Not compared (1):
          Widget.example.com: not read
        ");
        (diff.objects, diff.masked, diff.gaps) = (&[], &[], &[]);
        assert_eq!(
            text(&diff),
            "Nothing differs between repository ./gitops at 0123456789ab and cluster prod: 210 objects are the same.\n"
        );
    }
}
