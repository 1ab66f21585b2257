//! What was given on the command line, as words again: for commands that are to read a repository in the same way.

use std::path::PathBuf;

use super::SourceArgs;

impl SourceArgs {
    /// All that was given but for where the repository is, the place in it and the commit. `address` shows where a source is, which may
    /// have credentials in it; nothing else is a secret: keys are files.
    pub fn words(&self, address: impl Fn(&str) -> String) -> Vec<String> {
        let Self {
            repo: _,
            path: _,
            rev: _,
            at: _,
            namespace,
            values,
            kustomize_binary,
            helm_binary,
            source,
            input,
            cluster_params,
            chart,
            decryption_key,
            sealed_secrets_key,
            unseal,
            strict,
        } = self;
        let mut words = Vec::new();
        let mut say = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
        let shown = |path: &PathBuf| path.display().to_string();
        for (flag, texts) in [("--namespace", namespace.as_slice()), ("--values", values)] {
            texts.iter().for_each(|text| say(flag, text.clone()));
        }
        for (flag, files) in [
            ("--kustomize-binary", kustomize_binary.as_slice()),
            ("--helm-binary", helm_binary.as_slice()),
            ("--cluster-params", cluster_params.as_slice()),
            ("--decryption-key", decryption_key),
            ("--sealed-secrets-key", sealed_secrets_key),
        ] {
            files.iter().for_each(|file| say(flag, shown(file)));
        }
        for ((namespace, name), place) in source {
            say("--source", format!("{namespace}/{name}={}", address(place)));
        }
        for (id, file) in input {
            say("--input", format!("{id}={}", shown(file)));
        }
        for (name, path) in chart {
            say("--chart", format!("{name}={}", shown(path)));
        }
        let switches = [("--unseal", unseal), ("--strict", strict)];
        let given = switches.iter().filter(|(_, is_on)| **is_on);
        words.extend(given.map(|(flag, _)| (*flag).to_owned()));
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{ArgAction, Args, Command, FromArgMatches};

    fn parse(words: &[String]) -> SourceArgs {
        let command = SourceArgs::augment_args(Command::new("refloat").no_binary_name(true));
        let matches = command
            .try_get_matches_from(words)
            .unwrap_or_else(|error| panic!("{error}"));
        SourceArgs::from_arg_matches(&matches).expect("because it was parsed")
    }

    #[test]
    fn every_flag_comes_out_as_it_went_in() {
        let command = SourceArgs::augment_args(Command::new("refloat"));
        let mut given = Vec::new();
        for arg in command.get_arguments() {
            let Some(flag) = arg.get_long().filter(|flag| !["path", "rev", "at"].contains(flag)) else {
                continue;
            };
            let value = match flag {
                "source" => "flux-system/apps=https://git.example.com/a.git",
                "input" => "Secret/flux-system/settings=s.yaml",
                "chart" => "shop/web=../web",
                _ => "a b",
            };
            given.push(format!("--{flag}"));
            given.extend((!matches!(arg.get_action(), ArgAction::SetTrue)).then(|| value.to_owned()));
        }
        assert!(given.len() > 20, "{given:?}");
        let sorted = |words: &[String]| {
            let mut words = words.to_vec();
            words.sort();
            words
        };
        let all = [&["repo".to_owned()][..], &given].concat();
        let words = parse(&all).words(str::to_owned);
        assert_eq!(sorted(&words), sorted(&given));
        let again = [&["repo".to_owned()][..], &words].concat();
        assert_eq!(format!("{:?}", parse(&again)), format!("{:?}", parse(&all)));
        assert!(parse(&["repo".to_owned()]).words(str::to_owned).is_empty());
    }

    #[test]
    fn credentials_of_a_source_are_left_out() {
        let given = ["repo", "--source", "a/b=https://user:canary@example.com"].map(str::to_owned);
        let words = parse(&given).words(|address| address.replace("user:canary@", ""));
        assert_eq!(words, ["--source", "a/b=https://example.com"]);
    }
}
