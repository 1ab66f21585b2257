//! What generators make, by names that end in a hash or not.

use serde_json::json;

use super::*;

const GENERATED: &[(&str, &str)] = &[
    (
        "kustomization.yaml",
        "resources: [web.yaml]
configMapGenerator:
- name: settings
  literals:
  - mode=fast # for now
  - level=1
  files: [motd.txt]
- name: single
  literals: [a=b]
  files: [shared.txt]
- name: unused
  files: [only.txt, shared.txt]
",
    ),
    ("motd.txt", "Good day.\n"),
    ("only.txt", "x\n"),
    ("shared.txt", "y\n"),
    (
        "web.yaml",
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - name: web
        image: web:1
        envFrom: [{configMapRef: {name: settings}}, {configMapRef: {name: single}}]
",
    ),
];

/// The name that a generated object has.
fn named(case: &Case, start: &str) -> String {
    let found = case.set.objects.iter().find(|one| one.id.name.starts_with(start));
    found.expect("because it is generated").id.to_string()
}

#[test]
fn a_name_with_a_hash_follows_what_it_holds() {
    let case = Case::files(GENERATED, "");
    let settings = named(&case, "settings-");
    let unset = |key: &str| Change::Unset {
        object: case.id(&settings),
        path: format!(".data{key}"),
    };
    for (change, expected) in [
        (
            case.set(&settings, ".data.mode", json!("slow")),
            &[
                "kustomization.yaml",
                "-  - mode=fast # for now",
                "+  - mode=slow # for now",
            ][..],
        ),
        (
            case.set(&settings, ".data.more", json!("1")),
            &["kustomization.yaml", "+  - more=1"],
        ),
        (
            case.set(&settings, ".data[motd.txt]", json!("Bye.\n")),
            &["motd.txt", "-Good day.", "+Bye."],
        ),
        (unset(".level"), &["kustomization.yaml", "-  - level=1"]),
        (
            unset("[motd.txt]"),
            &["kustomization.yaml", "-  files: [motd.txt]", "motd.txt", "-Good day."],
        ),
    ] {
        let made = case.place(std::slice::from_ref(&change));
        assert_eq!(reasons(&made), [], "{change:?}");
        assert_eq!(case.diff(&made), expected, "{change:?}");
        let why = &made.placed[0].why;
        assert!(why.ends_with("its name gets another hash"), "{why}");
        assert_eq!(made.side_effects, Vec::<String>::new(), "{change:?}");
    }
}

#[test]
fn a_generator_goes_with_what_it_made() {
    let case = Case::files(GENERATED, "");
    let remove = |start: &str| Change::Remove {
        object: case.id(&named(&case, start)),
    };
    let made = case.place(&[remove("unused-")]);
    assert_eq!(reasons(&made), []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    assert_eq!(
        case.diff(&made),
        [
            "kustomization.yaml",
            "-- name: unused",
            "-  files: [only.txt, shared.txt]",
            "only.txt",
            "-x",
        ]
    );
    // Several of one list.
    let made = case.place(&[remove("settings-"), remove("unused-")]);
    assert_eq!(reasons(&made), []);
    let new = made.files["kustomization.yaml"].as_deref().map(String::from_utf8_lossy);
    assert_eq!(
        new.as_deref(),
        Some("resources: [web.yaml]\nconfigMapGenerator:\n- name: single\n  literals: [a=b]\n  files: [shared.txt]\n")
    );
    assert_eq!(gone(&made), ["motd.txt", "only.txt"]);
    // What still names it would be rendered otherwise, which is told.
    let made = case.place(&[remove("single-")]);
    assert_eq!(reasons(&made), []);
    assert_eq!(made.side_effects, ["Deployment/web in ."]);
    assert_eq!(
        made.placed[0].why,
        "the generator that made it is gone; others change too"
    );
    // What another reads too is patched for the one.
    let made = case.place(&[case.set(&named(&case, "single-"), ".data[shared.txt]", json!("z"))]);
    assert_eq!(reasons(&made), []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    assert_eq!(case.diff(&made).last().map(String::as_str), Some("+      value: z"));
}

#[test]
fn a_generator_of_a_secret_goes_with_it() {
    let kustomization = "resources: [web.yaml]\nsecretGenerator:\n- name: login\n  envs: [login.env]\n  files: [key=shared.bin]\n- name: other\n  files: [shared.bin]\n";
    let files = [
        ("kustomization.yaml", kustomization),
        ("web.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"),
        ("login.env", "PASSWORD=canary-4711\n"),
        ("shared.bin", "canary-4711"),
    ];
    let case = Case::files(&files, "");
    let made = case.place(&[Change::Remove {
        object: case.id(&named(&case, "login-")),
    }]);
    assert_eq!(reasons(&made), []);
    assert_eq!(made.side_effects, Vec::<String>::new());
    assert_eq!(made.placed[0].why, "the generator that made it is gone");
    let left = kustomization.replace("- name: login\n  envs: [login.env]\n  files: [key=shared.bin]\n", "");
    let expected = [
        ("kustomization.yaml".to_owned(), Some(left.into_bytes())),
        ("login.env".to_owned(), None),
    ];
    assert_eq!(made.files.into_iter().collect::<Vec<_>>(), expected);
}
