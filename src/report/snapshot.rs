//! A snapshot that was taken, for people.

use std::io::{self, Write};

use super::text::{count, message, one_line};
use crate::object::{Context, FactGap, KubeVersion};

/// A snapshot that was taken.
#[derive(Debug, Clone)]
pub struct Taken<'a> {
    /// Where it is.
    pub to: &'a str,
    /// Bytes of the archive; `None` for a folder.
    pub size: Option<u64>,
    /// Of which cluster.
    pub context: &'a Context,
    /// Its version.
    pub version: KubeVersion,
    /// How many objects are in it,
    pub objects: usize,
    /// of these, how many belong to others,
    pub owned: usize,
    /// and how many the cluster makes by itself.
    pub built_in: usize,
    /// How many kinds were read whole.
    pub kinds: usize,
    /// How many objects hold secrets.
    pub secrets: usize,
    /// For whom their values are encrypted; none: they are left out.
    pub recipients: &'a [String],
    /// What could not be read.
    pub gaps: &'a [FactGap],
}

impl Taken<'_> {
    /// How many objects are nobody else's.
    pub fn own(&self) -> usize {
        self.objects.saturating_sub(self.owned + self.built_in)
    }

    /// ```text
    /// live.tar.zst holds 412 objects of 63 kinds of kind-prod, Kubernetes 1.37 (1.2 MiB)
    ///   211  are restored from it
    ///   150  belong to others, which make them anew
    ///    51  the cluster makes by itself
    /// The values of 12 Secrets are not in it; --encrypt-to AGE-RECIPIENT keeps them, encrypted.
    /// ```
    ///
    /// # Errors
    /// Those of the writer.
    pub fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let size = self.size.map(|size| format!(" ({})", bytes(size))).unwrap_or_default();
        writeln!(
            out,
            "{} holds {} of {} of {}, Kubernetes {}{size}",
            one_line(self.to),
            count(self.objects, "object"),
            count(self.kinds, "kind"),
            one_line(&self.context.name),
            self.version,
        )?;
        for (number, words) in [
            (self.own(), "to restore from it"),
            (self.owned, "that belong to others, which make them anew"),
            (self.built_in, "that the cluster makes by itself"),
        ] {
            writeln!(out, "  {number:>6}  {words}")?;
        }
        let secrets = count(self.secrets, "Secret");
        match (self.secrets, self.recipients.len()) {
            (0, _) => {}
            (_, 0) => writeln!(
                out,
                "The values of {secrets} are not in it; --encrypt-to AGE-RECIPIENT keeps them, encrypted."
            )?,
            (_, keys) => writeln!(
                out,
                "The values of {secrets} are encrypted for {}.",
                count(keys, "recipient")
            )?,
        }
        if !self.gaps.is_empty() {
            writeln!(out, "Not read ({}), and not in it:", self.gaps.len())?;
            for gap in self.gaps {
                writeln!(out, "  {}: {}", one_line(&gap.what), message(&gap.reason, "    "))?;
            }
        }
        Ok(())
    }
}

/// `512 B`, `1.2 MiB`.
fn bytes(size: u64) -> String {
    let (mut size, mut unit) = (size as f64, "B");
    for larger in ["KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    match unit {
        "B" => format!("{size} B"),
        _ => format!("{size:.1} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_told() {
        let context = Context {
            name: "prod".to_owned(),
            cluster: "prod".to_owned(),
            server: "https://127.0.0.1".to_owned(),
            namespace: String::new(),
            nodes: None,
        };
        let gaps = [FactGap {
            what: "list widgets.example.com".to_owned(),
            reason: "forbidden".to_owned(),
        }];
        let taken = Taken {
            to: "live.tar.zst",
            size: Some(1_300_000),
            context: &context,
            version: KubeVersion { major: 1, minor: 37 },
            objects: 412,
            owned: 150,
            built_in: 51,
            kinds: 63,
            secrets: 1,
            recipients: &[],
            gaps: &gaps,
        };
        let mut out = Vec::new();
        taken.human(&mut out).expect("because a Vec takes all");
        assert_eq!(
            String::from_utf8_lossy(&out),
            "live.tar.zst holds 412 objects of 63 kinds of prod, Kubernetes 1.37 (1.2 MiB)\n\
             \x20    211  to restore from it\n\
             \x20    150  that belong to others, which make them anew\n\
             \x20     51  that the cluster makes by itself\n\
             The values of 1 Secret are not in it; --encrypt-to AGE-RECIPIENT keeps them, encrypted.\n\
             Not read (1), and not in it:\n  list widgets.example.com: forbidden\n"
        );
        assert_eq!((bytes(0), bytes(1024)), ("0 B".to_owned(), "1.0 KiB".to_owned()));
    }
}
