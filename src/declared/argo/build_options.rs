//! `kustomize.buildOptions` of `argocd-cm`: the flags that Argo CD calls `kustomize build` with (`util/kustomize/kustomize.go`,
//! `parseKustomizeBuildOptions`; the flags themselves: `kustomize/commands/build` of Kustomize).

use kustomize::LoadRestriction;

/// Its key.
pub(super) const KEY: &str = "kustomize.buildOptions";
/// What lets a kustomization read files beside its folder.
pub(super) const UNRESTRICTED: &str = "--load-restrictor LoadRestrictionsNone";

/// What a flag does to what is rendered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Which files may be read.
    Loads,
    /// Nothing that is not done here in any case, or that Argo CD does not do itself.
    Nothing,
}

/// Flags, whether a value follows them, and what they do. Others are told.
const FLAGS: &[(&str, bool, Does)] = &[
    ("--load-restrictor", true, Does::Loads),
    // As Kustomize 3 had it.
    ("--load_restrictor", true, Does::Loads),
    ("--enable-helm", false, Does::Nothing),
    ("--helm-command", true, Does::Nothing),
    ("--helm-debug", false, Does::Nothing),
    // Argo CD gives the version of the cluster behind it, which counts.
    ("--helm-kube-version", true, Does::Nothing),
    ("--enable-alpha-plugins", false, Does::Nothing),
    ("--enable_alpha_plugins", false, Does::Nothing),
    ("--enable-exec", false, Does::Nothing),
    // Functions in containers are told wherever they stand.
    ("--network", false, Does::Nothing),
    ("--network-name", true, Does::Nothing),
    ("--mount", true, Does::Nothing),
    ("--env", true, Does::Nothing),
    ("-e", true, Does::Nothing),
    ("--as-current-user", false, Does::Nothing),
    // A sync has an order of its own.
    ("--reorder", true, Does::Nothing),
];

/// What the flags come to.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct BuildOptions {
    pub load_restriction: LoadRestriction,
    /// Flags that are not acted on.
    pub unknown: Vec<String>,
}

impl BuildOptions {
    pub fn read(text: &str) -> Self {
        let mut options = Self::default();
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            let (name, own) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            let Some((_, has_value, does)) = FLAGS.iter().find(|(flag, ..)| *flag == name) else {
                options.unknown.push(name.to_owned());
                continue;
            };
            let value = match has_value {
                true => own.or_else(|| words.next()),
                false => own,
            };
            if *does == Does::Loads {
                options.load_restriction = match value {
                    Some("LoadRestrictionsNone" | "none") => LoadRestriction::None,
                    _ => LoadRestriction::RootOnly,
                };
            }
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_as_kustomize_reads_them() {
        let read = |text: &str| {
            let options = BuildOptions::read(text);
            (options.load_restriction == LoadRestriction::None, options.unknown)
        };
        let none = Vec::new;
        for (text, expected) in [
            ("", (false, none())),
            (UNRESTRICTED, (true, none())),
            ("--enable-helm --load-restrictor=LoadRestrictionsNone", (true, none())),
            ("--load_restrictor none --reorder legacy", (true, none())),
            ("--load-restrictor LoadRestrictionsRootOnly", (false, none())),
            (
                "--helm-command --load-restrictor LoadRestrictionsNone --enable-managedby-label",
                (
                    false,
                    vec!["LoadRestrictionsNone".to_owned(), "--enable-managedby-label".to_owned()],
                ),
            ),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn each_flag_is_known() {
        for (flag, has_value, does) in FLAGS {
            let value = if *has_value { " LoadRestrictionsNone" } else { "" };
            let options = BuildOptions::read(&format!("{flag}{value}"));
            assert_eq!(options.unknown, Vec::<String>::new(), "{flag}");
            assert_eq!(
                options.load_restriction == LoadRestriction::None,
                *does == Does::Loads,
                "{flag}"
            );
        }
    }
}
