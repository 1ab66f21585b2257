//! The layout of YAML, beside that of `sops`: comments, quotes, block scalars, indentation.

use sops::{Format, Selection};

use crate::support::{Sops, config, encrypt, masked, rule};

/// Texts that SOPS lays out in a way of its own.
pub const TEXTS: &[&str] = &[
    "a: 1\n",
    "# head\n\n# first\na: 1 # line\nb:\n  - x\n  # foot\n  - y: [1, 2]\n    z: |\n      text\n\n# c\nd: \"é\" # q\n",
    "a: # on key\n  b: 1\n  # foot of b\n# foot of a\n\n# head of c\nc: 2\n",
    "a:\n  # head of b\n  b:\n    # head of c\n    c: 1\n\n    # foot of c\n\n  # foot of b\n\n# foot of a\n",
    "a:\n- 1\n- 2\n# foot\n",
    "a:\n  - 1\n  - 2\n  # foot in list\n# foot of a\nb: 1\n",
    "a:\n  - # on dash\n    b: 1\n  - # two\n    # three\n    c: 1\n",
    "a:\n  - b: 1\n    # in\n    c: 2\n    # foot\n  # between\n  - d: 3\n",
    "a: [1, 2, # one\n  3] # two\nb: {x: 1, # x\n  y: 2}\n",
    "a: [\n  # in front\n  1,\n  # behind\n]\n",
    "---\n# after\na: 1\n---\n# second\nb: 2\n# end\n",
    "# only\n---\na: 1\n",
    "a: 1\n# last",
    "a: 1\n\n\n# last\n\n# more\n",
    "a: | # header\n  text\n# foot\nb: >-\n  folded\n  text\n",
    "a: &x # anchor\n  b: 1\nc: *x # alias\nd: 1\n",
    "a: *x\n",
    "x: &x [1, 2]\ny: *x\nz: &y text # t\nw: *y # u\n",
    "a: ''\nb: \"\"\nc:\nd: ~\ne: null\n",
    "a: yes\nb: \"yes\"\nc: 0644\nd: '0644'\ne: 1e3\nf: 1.0\ng: .5\nh: 0x1F\ni: 1_000\nj: 12e34567\nk: 1:30\nl: .inf\n",
    "a: 2001-12-14\nb: 2001-12-14t21:59:43.10-05:00\nc: '2001-12-14'\nd: 2001-12-14 21:59:43.10\n",
    "a: 'it''s'\nb: \"tab\\there\"\nc: \"a: b\"\nd: '- x'\ne: '#x'\nf: x#y\ng: x:y\nh: 'x: '\ni: \"\\u263a \\U0001F600\"\n",
    "a: |\n  line\n\n  two\n\nb: |+\n  keep\n\nc: |-\n  strip\nd: \"\\n\"\ne: \" \\n x\"\nf: |2\n    more\n",
    "\"key: x\": 1\n'': 2\n\"true\": 3\n\"1\": 4\n? long key\n: 5\n\"a\\nb\": 6\n",
    "a:\n    b:\n        c: {}\n        d: []\n        # foot\n    # e\n    e: []\n",
    "a:\n  - - 1\n    - 2\n  - - - 3\n",
    "a:\n  -\n    b: 1\n  -\n  - null\n",
    "a: !!binary aGVsbG8=\nb: !!str 5\nc: !Ref x\nd: !!float 3\n",
    "a: !!binary //79\n",
    "a: # one\n  # two\n  b\nc: # three\n  - d\n",
    "a:\n  # c1\n\n  # c2\n  b: 1\n\n  # c3\n\n  # c4\n  c: 1\n",
    "a: 1\n  # indented\nb: 2\n",
    "a:\n  b: 1\n # odd\nc: 2\n",
    "# a\n# b\n\n# c\n\n# d\na: 1\n",
    "# a\n\n---\n\n# b\na: 1\n...\n# c\n---\nb: 1\n",
    "a:\r\n  - b # c\r\n# d\r\n  - e\r\n",
    "a: 1 #x\n#y\nb: 2\n#z\n",
    "a:\n- b\n-\n  - c\n  # d\n- e\n",
    "a: \"x\" # c1\n# c2\n\n# c3\nb: 'y'\n",
    "a: {b: c} # d\n# e\nf: g\n",
    "a: {b: c, # d\n  # e\n  f: g\n  # h\n}\n",
    "- a\n",
    "text\n",
    "a: 1\na: 2\n",
    "1: a\n",
    "a: 18446744073709551615\n",
    "",
    "# nothing\n",
    "---\n",
    "---\n---\na: 1\n",
    "a: b: c\n",
    "a: [1, 2\n",
    "a: \"\\x00\\x07\\x1b\\x7f\\u0085\\u00a0\\u2028\\ufeff\"\n",
    "a: \"long long long long long long long long long long long long long long long long long long long long long long\"\n",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 1\n",
    "a: |\n  x\n  # not a comment\n# one\nb: 1\n",
    "a:\n  b: |\n    x\n  # foot\n\n  # head\n  c: 1\n",
    "<<: &d {a: 1}\nb:\n  <<: *d\n  c: 1\n",
];

#[test]
fn yaml_is_laid_out_as_sops_does() {
    let Some(sops) = Sops::find("layout") else { return };
    let mut wrong = Vec::new();
    let long = std::env::var("REFLOAT_LONG").is_ok_and(|value| value == "1");
    // Nothing encrypted shows the values too.
    let regexes = if long {
        ["^NOTHING$", "."].as_slice()
    } else {
        &["^NOTHING$"]
    };
    for regex in regexes {
        for text in TEXTS {
            let mut rule = rule();
            rule.selection = Selection::EncryptedRegex((*regex).to_owned());
            let theirs = sops.encrypt(
                "yaml",
                text.as_bytes(),
                &config(&format!("    encrypted_regex: '{regex}'\n")),
            );
            let ours = encrypt(Format::Yaml, text.as_bytes(), &rule);
            let same = match (&ours, &theirs) {
                (Ok(ours), Ok(theirs)) => masked(ours) == masked(theirs),
                (Err(_), Err(_)) => true,
                _ => false,
            };
            if !same {
                let ours = ours.map_or_else(|error| error.to_string(), |file| masked(&file));
                let theirs = theirs.map_or_else(|error| error, |file| masked(&file));
                let cut = |text: &str| text.split("\nsops:").next().unwrap_or_default().to_owned();
                wrong.push(format!(
                    "== {regex}\n{text}\n-- ours\n{}\n-- sops\n{}",
                    cut(&ours),
                    cut(&theirs)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}
