//! What is encrypted with SOPS is restored in clear, and nothing in clear is ever shown.

use std::time::SystemTime;

use ::sops::{Format, Identities, Layout, Rule, Selection};
use refloat::declared::{Keys, Known, Options};
use refloat::object::{DeclaredSet, ObjectId};
use serde_json::{Value, json};

use super::{kustomization, load_with, objects, problems};
use crate::audit::root;
use crate::support::repo::Repo;
use crate::support::run::{refloat, tool_folder};

/// Made for the tests.
const KEY: &str = "AGE-SECRET-KEY-1F6CXQ2SVP0TM9QXXT3Y5MME2Q9EEYMVHT7KC34UXMVSAYK3D645SE54LQL";
const OTHER: &str = "AGE-SECRET-KEY-1HY7EAJUMTVCD47GKJ96XJHRV9PZJJDKPNKUDN2QRMRGPJYEXUMFSEMM8TJ";
const CANARY: &str = "canary-7f3a";
const DECRYPTION: &str = "  decryption: {provider: sops, secretRef: {name: sops-age}}\n";

fn identities(key: &str) -> Identities {
    let mut identities = Identities::new();
    identities.add_age(key).expect("because it is a key");
    identities
}

fn recipient(key: &str) -> String {
    identities(key).recipients()[0].clone()
}

fn encrypted(format: Format, plain: &str, pattern: Option<&str>) -> String {
    let mut rule = Rule::age([&*recipient(KEY)]);
    if let Some(pattern) = pattern {
        rule.selection = Selection::EncryptedRegex(pattern.to_owned());
    }
    let tree = format.read(plain.as_bytes()).expect("because it is of that format");
    let file = ::sops::encrypt(format, tree, &rule, SystemTime::now(), &Layout::default());
    String::from_utf8(file.expect("because it can be encrypted")).expect("because it is text")
}

fn secret() -> String {
    let plain = format!(
        "# kept for operators\napiVersion: v1\nkind: Secret\nmetadata:\n    name: db\n    namespace: shop\nstringData:\n    password: {CANARY}\n"
    );
    encrypted(Format::Yaml, &plain, Some("^(data|stringData)$"))
}

/// Secrets in every form in which Flux decrypts them.
fn repository(decryption: &str) -> Repo {
    let whole = encrypted(Format::Json, &format!("{{\"token\": \"{CANARY}\"}}"), None);
    let inner = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: whole, namespace: shop}}\ndata: {{token.json: {}}}\n",
        base64(&whole)
    );
    let generator = "resources: [secret.yaml, inner.yaml]\nnamespace: shop\nsecretGenerator:\n\
        - {name: made, envs: [settings.env], files: [key.bin, text=notes], options: {disableNameSuffixHash: true}}\n";
    Repo::with(&[
        ("clusters/prod/apps.yaml", &kustomization("apps", "./apps", decryption)),
        ("apps/kustomization.yaml", generator),
        ("apps/secret.yaml", &secret()),
        ("apps/inner.yaml", &inner),
        (
            "apps/settings.env",
            &encrypted(Format::Dotenv, &format!("PASSWORD={CANARY}\nUSER=me\n"), None),
        ),
        (
            "apps/key.bin",
            &encrypted(Format::Binary, &format!("\u{1}{CANARY}\n"), None),
        ),
        ("apps/notes", "in clear\n"),
    ])
}

fn base64(text: &str) -> String {
    use ::base64::Engine;
    ::base64::prelude::BASE64_STANDARD.encode(text)
}

fn read(repo: &Repo, options: Options) -> DeclaredSet {
    load_with(repo, "clusters/prod", options)
}

fn given(key: &str) -> Options {
    Options {
        keys: Keys::new(identities(key), None),
        ..Options::default()
    }
}

fn id(name: &str) -> ObjectId {
    ObjectId::new("", "Secret", Some("flux-system"), name)
}

#[test]
fn secrets_are_restored_in_clear_with_the_key_of_the_cluster_or_the_operator() {
    let repo = repository(DECRYPTION);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sops-age", "namespace": "flux-system"},
        "data": {"age.agekey": base64(KEY), "other.txt": base64("ignored")},
    });
    let of_the_cluster = Options {
        inputs: Known::from([(id("sops-age"), Some(secret))]),
        ..Options::default()
    };
    for options in [of_the_cluster, given(KEY)] {
        let set = read(&repo, options);
        assert_eq!(problems(&set), Vec::<String>::new());
        let objects = objects(&set);
        let data = |name: &str| &objects[&*format!("Secret/shop/{name}")]["data"];
        assert_eq!(data("db"), &json!({"password": base64(CANARY)}));
        assert_eq!(
            data("made"),
            &json!({
                "PASSWORD": base64(CANARY), "USER": base64("me"),
                "key.bin": base64(&format!("\u{1}{CANARY}\n")), "text": base64("in clear\n"),
            })
        );
        let whole: Value = serde_json::from_str(&decoded(data("whole"), "token.json")).expect("because it is JSON");
        assert_eq!(whole, json!({"token": CANARY}));
        assert!(objects.values().all(|object| object.get("sops").is_none()));
    }
}

fn decoded(data: &Value, key: &str) -> String {
    use ::base64::Engine;
    let text = data[key].as_str().unwrap_or_default();
    let bytes = ::base64::prelude::BASE64_STANDARD
        .decode(text)
        .expect("because it is base64");
    String::from_utf8(bytes).expect("because it is text")
}

#[test]
fn a_missing_key_is_named_and_the_rest_goes_on() {
    let repo = repository(DECRYPTION);
    repo.write("clusters/prod/other.yaml", &kustomization("other", "./other", ""));
    repo.write(
        "other/map.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other, namespace: shop}\n",
    );
    repo.commit("other");
    let set = read(&repo, given(OTHER));
    assert_eq!(set.wanted, [id("sops-age")], "the target may have it");
    let told = problems(&set);
    let wanted = format!("it needs {}; you have {}", recipient(KEY), recipient(OTHER));
    assert!(told.iter().all(|one| one.contains(&wanted)), "{told:?}");
    for file in ["secret.yaml", "settings.env"] {
        assert!(told.iter().any(|one| one.contains(file)), "{file}: {told:?}");
    }
    assert!(
        set.problems[0]
            .hint
            .as_deref()
            .is_some_and(|hint| hint.contains("--decryption-key"))
    );
    let objects = objects(&set);
    assert!(objects.contains_key("ConfigMap/shop/other"));
    assert!(
        objects.contains_key("Kustomization/flux-system/apps"),
        "its own object is restored all the same"
    );
    assert!(!objects.keys().any(|id| id.starts_with("Secret/")));
}

#[test]
fn what_was_changed_by_hand_is_refused() {
    let tampered = |change: &dyn Fn(String) -> String| {
        let repo = Repo::with(&[
            ("clusters/prod/apps.yaml", &kustomization("apps", "./apps", DECRYPTION)),
            ("apps/secret.yaml", &change(secret())),
        ]);
        let set = read(&repo, given(KEY));
        assert!(!objects(&set).contains_key("Secret/shop/db"));
        problems(&set).join("\n")
    };
    let mac = tampered(&|text| text.replace("namespace: shop", "namespace: other"));
    assert!(mac.contains("the MAC does not fit"), "{mac}");
    let value = tampered(&|text| {
        let at = text
            .find("data:")
            .map_or(0, |at| at + text[at..].find("ENC[AES256_GCM,data:").unwrap_or(0) + 20);
        let letter = if &text[at..=at] == "A" { "B" } else { "A" };
        format!("{}{letter}{}", &text[..at], &text[at + 1..])
    });
    assert!(
        value.contains("stringData") && value.contains("does not authenticate"),
        "{value}"
    );
    for said in [mac, value] {
        assert!(!said.contains(CANARY) && !said.contains(KEY), "{said}");
    }
}

#[test]
fn a_unit_that_does_not_say_that_it_is_encrypted_is_no_unit_for_a_cluster() {
    let repo = Repo::with(&[
        ("clusters/prod/apps.yaml", &kustomization("apps", "./apps", "")),
        ("apps/secret.yaml", &secret()),
    ]);
    let set = read(&repo, given(KEY));
    let told = problems(&set).join("\n");
    assert!(told.contains("encrypted with SOPS"), "{told}");
    assert!(!objects(&set).contains_key("Secret/shop/db"));
}

#[test]
fn folders_and_kustomizations_of_no_engine_are_decrypted_too() {
    for (file, text) in [("kustomization.yaml", "resources: [secret.yaml]\n"), ("README.md", "")] {
        let repo = Repo::with(&[(&*format!("apps/{file}"), text), ("apps/secret.yaml", &secret())]);
        let place = repo.path().display().to_string();
        let args = ["render", &*place, "--path", "apps"];
        let ran = refloat(args).env("SOPS_AGE_KEY", KEY).run();
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(
            ran.stdout.contains("kind: Secret") && !ran.stdout.contains(CANARY),
            "masked: {}",
            ran.stdout
        );
        let shown = refloat(args.into_iter().chain(["--show-secrets"]))
            .env("SOPS_AGE_KEY", KEY)
            .run();
        assert!(shown.stdout.contains(&base64(CANARY)), "{}", shown.stdout);
        let without = refloat(args).run();
        assert_eq!(without.code, 3, "{}", without.stderr);
        assert!(
            without.stderr.contains("it needs age1") && without.stderr.contains("you have none"),
            "{}",
            without.stderr
        );
    }
}

#[test]
fn sops_itself_opens_what_only_it_can() {
    // A key group that asks for a key of PGP: refloat has none, and says what sops says.
    let file = secret().replace(
        "\n    lastmodified:",
        "\n    pgp:\n        - created_at: \"2026-01-01T00:00:00Z\"\n          enc: none\n          fp: 85D77543B3D624B63CEA9E6DBC17301B491B3F21\n    lastmodified:",
    );
    let repo = Repo::with(&[("apps/secret.yaml", &file)]);
    let place = repo.path().display().to_string();
    let ran = refloat(["render", &*place, "--path", "apps"])
        .with_tools(&["sops"])
        .run();
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("PGP 85D7") && ran.stderr.contains("sops said:"),
        "{}",
        ran.stderr
    );
    let none = refloat(["render", &*place, "--path", "apps"]).run();
    assert!(
        none.stderr.contains("sops, which could use them, was not found"),
        "{}",
        none.stderr
    );
}

#[test]
fn sops_is_given_the_post_quantum_key_that_refloat_was_given() {
    let golden = |path: &str| {
        let file = root("crates/sops/tests").join(path);
        std::fs::read_to_string(file).expect("because it is part of the repository")
    };
    let (file, keys) = (golden("golden/post-quantum.yaml"), golden("keys/age-pq.txt"));
    let key = keys.lines().last().expect("because it has a key");
    let plain = "\u{20}   number: 42\n";
    let generator =
        "secretGenerator:\n- {name: made, namespace: shop, files: [pq.yaml], options: {disableNameSuffixHash: true}}\n";
    let repo = Repo::with(&[
        ("clusters/prod/apps.yaml", &kustomization("apps", "./apps", DECRYPTION)),
        ("apps/kustomization.yaml", generator),
        ("apps/pq.yaml", &file),
    ]);

    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sops-age", "namespace": "flux-system"},
        "stringData": {"age.agekey": keys},
    });
    let sops = tool_folder("sops").join("sops");
    let of_the_cluster = Options {
        inputs: Known::from([(id("sops-age"), Some(secret))]),
        keys: Keys::new(identities(OTHER), Some(sops)),
        ..Options::default()
    };
    let set = read(&repo, of_the_cluster);
    assert_eq!(problems(&set), Vec::<String>::new());
    assert!(decoded(&objects(&set)["Secret/shop/made"]["data"], "pq.yaml").contains(plain));

    let place = repo.path().display().to_string();
    let to_key = root("crates/sops/tests/keys/age-pq.txt").display().to_string();
    let args = ["render", &*place, "--path", "apps", "--show-secrets"];
    let run = |more: &[&str]| {
        let ran = refloat(args.iter().chain(more))
            .with_tools(&["sops"])
            .stdin(&keys)
            .run();
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(&key[..40]), "{ran:?}");
        ran
    };
    let clear = run(&["--decryption-key", &to_key]);
    assert_eq!(clear.code, 0, "{}", clear.stderr);
    assert_eq!(run(&["--decryption-key", "-"]), clear);
    let without = run(&[]);
    assert_eq!(without.code, 3, "{}", without.stderr);
    assert!(without.stderr.contains("it needs age1pq1"), "{}", without.stderr);
}

#[test]
fn generators_of_ksops_are_opened_in_process() {
    let generator = "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata: {name: secrets, annotations: {config.kubernetes.io/function: 'exec: {path: ksops}'}}\n\
        files: [enc/secret.yaml]\nsecretFrom:\n\
        - metadata: {name: made, annotations: {kustomize.config.k8s.io/needs-hash: 'true'}}\n  type: Opaque\n\
        \x20 files: [enc/token.json, enc/app.ini]\n  binaryFiles: [key=enc/key.bin]\n  envs: [enc/settings.env]\n";
    let sealed = |format, plain: &str| encrypted(format, plain, None);
    let repo = Repo::with(&[
        (
            "apps/kustomization.yaml",
            "generators: [ksops.yaml]\nnamespace: shop\nnamePrefix: a-\n",
        ),
        ("apps/ksops.yaml", generator),
        ("apps/enc/secret.yaml", &secret()),
        (
            "apps/enc/token.json",
            &sealed(Format::Json, &format!("{{\"token\": \"{CANARY}\"}}")),
        ),
        ("apps/enc/key.bin", &sealed(Format::Binary, "\u{1}key")),
        (
            "apps/enc/app.ini",
            &sealed(Format::Ini, &format!("[db]\npassword = {CANARY}\n")),
        ),
        (
            "apps/enc/settings.env",
            &sealed(Format::Dotenv, "USER=me\nHOST=\"db.$USER\"\n"),
        ),
    ]);
    let set = load_with(&repo, "apps", given(KEY));
    assert_eq!(problems(&set), Vec::<String>::new());
    let objects = objects(&set);
    assert_eq!(objects["Secret/shop/a-db"]["data"], json!({"password": base64(CANARY)}));
    let made: Vec<(&String, &&Value)> = objects
        .iter()
        .filter(|(id, _)| id.starts_with("Secret/shop/a-made-"))
        .collect();
    let [(_, made)] = *made else {
        panic!("its name ends in a hash: {:?}", objects.keys());
    };
    assert_eq!(
        made["metadata"].get("annotations"),
        None,
        "what ksops tells kustomize by them is not kept"
    );
    let data = &made["data"];
    assert_eq!(
        (decoded(data, "key"), decoded(data, "USER"), decoded(data, "HOST")),
        ("\u{1}key".to_owned(), "me".to_owned(), "db.me".to_owned())
    );
    assert!(decoded(data, "token.json").contains(CANARY));
    let ini = decoded(data, "app.ini");
    assert!(ini.starts_with("[db]\npassword") && ini.contains(CANARY), "{ini}");
    assert!(!ini.contains("[sops]"), "{ini}");

    let told = problems(&load_with(&repo, "apps", Options::default()));
    assert!(
        told.len() == 1 && told[0].contains("generators") && told[0].contains("no key fits"),
        "{told:?}"
    );
    repo.write(
        "apps/ksops.yaml",
        &generator.replace("enc/settings.env", "enc/none.env"),
    );
    repo.commit("none");
    let told = problems(&load_with(&repo, "apps", given(KEY)));
    assert!(told.len() == 1 && told[0].contains("enc/none.env"), "{told:?}");
}

#[test]
fn what_a_config_map_is_generated_from_stays_encrypted() {
    let settings = encrypted(Format::Dotenv, &format!("PASSWORD={CANARY}\n"), None);
    let both = "configMapGenerator:\n- {name: both, files: [both.env], options: {disableNameSuffixHash: true}}\n\
        secretGenerator:\n- {name: both, envs: [both.env], options: {disableNameSuffixHash: true}}\n";
    let generator = "resources: [base]\nconfigMapGenerator:\n- {name: map, files: [settings.env], options: {disableNameSuffixHash: true}}\n\
        secretGenerator:\n- {name: secret, files: [other.env], options: {disableNameSuffixHash: true}}\nnamespace: shop\n";
    let repo = Repo::with(&[
        ("clusters/prod/apps.yaml", &kustomization("apps", "./apps", DECRYPTION)),
        ("apps/kustomization.yaml", generator),
        ("apps/settings.env", &settings),
        ("apps/other.env", &settings),
        ("apps/base/kustomization.yaml", both),
        ("apps/base/both.env", &settings),
    ]);
    let set = read(&repo, given(KEY));
    assert_eq!(problems(&set), Vec::<String>::new());
    let objects = objects(&set);
    assert_eq!(
        objects["ConfigMap/shop/map"]["data"]["settings.env"], settings,
        "as Flux, which does not look at it"
    );
    assert!(decoded(&objects["Secret/shop/secret"]["data"], "other.env").contains(CANARY));
    let both = &objects["ConfigMap/shop/both"]["data"]["both.env"];
    assert_eq!(
        both,
        &json!(format!("PASSWORD={CANARY}\n")),
        "Flux opened it for the Secret, before anything reads it"
    );
    assert_eq!(decoded(&objects["Secret/shop/both"]["data"], "PASSWORD"), CANARY);
}

#[test]
fn generators_of_ksops_are_opened_in_what_argo_cd_syncs() {
    let application = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: apps, namespace: argocd}\nspec:\n  project: default\n\
        \x20 source: {repoURL: 'https://git.example.com/shop.git', path: apps, kustomize: {namePrefix: a-}}\n\
        \x20 destination: {server: 'https://kubernetes.default.svc', namespace: shop}\n";
    let generator = "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata: {name: secrets, annotations: {config.kubernetes.io/function: 'exec: {path: ksops}'}}\nfiles: [enc/secret.yaml]\n";
    let repo = Repo::with(&[
        ("argocd/apps.yaml", application),
        ("apps/kustomization.yaml", "generators: [ksops.yaml]\n"),
        ("apps/ksops.yaml", generator),
        ("apps/enc/secret.yaml", &secret()),
    ]);
    let set = load_with(&repo, "argocd", given(KEY));
    assert_eq!(problems(&set), Vec::<String>::new());
    let secret = objects(&set)["Secret/shop/a-db"].clone();
    assert_eq!(secret["data"], json!({"password": base64(CANARY)}));
    assert!(secret.get("sops").is_none());
    let told = problems(&load_with(&repo, "argocd", Options::default()));
    assert!(told.len() == 1 && told[0].contains("no key fits"), "{told:?}");
}

/// Flux refuses it, whatever opens it. Source: kustomize-controller (internal/decryptor/decryptor.go: IsEncryptedSecret).
#[test]
fn a_secret_whose_mac_was_removed_is_not_restored() {
    let mut text = secret();
    let at = text.find("    mac: ").expect("because it has one");
    let end = at + text[at..].find('\n').expect("because more follows") + 1;
    text.replace_range(at..end, "");
    for decryption in [DECRYPTION, ""] {
        let repo = Repo::with(&[
            ("clusters/prod/apps.yaml", &kustomization("apps", "./apps", decryption)),
            ("apps/secret.yaml", &text),
        ]);
        let set = read(&repo, given(KEY));
        assert!(!objects(&set).contains_key("Secret/shop/db"));
        assert_eq!(
            problems(&set),
            [
                "apps/secret.yaml:2: this object is not restored: it is encrypted with SOPS, and its MAC (sops.mac) is missing, so that nobody \
                 can tell whether it is what was encrypted"
            ]
        );
    }
}

/// What is encrypted is never taken for the value itself: neither as it is given nor as it is declared.
#[test]
fn an_input_that_is_encrypted_is_opened_or_refused() {
    let plain = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n    name: settings\n    namespace: flux-system\nstringData:\n    TOKEN: {CANARY}\n"
    );
    let settings = encrypted(Format::Yaml, &plain, Some("^(data|stringData)$"));
    let from = "  postBuild: {substituteFrom: [{kind: Secret, name: settings, optional: true}]}\n";
    let map =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: shop}\ndata: {token: '${TOKEN:-none}'}\n";
    let repo = Repo::with(&[
        ("clusters/prod/apps.yaml", &kustomization("apps", "./apps", from)),
        ("apps/map.yaml", map),
        ("secrets/settings.sops.yaml", &settings),
    ]);
    let file = repo.path().join("secrets/settings.sops.yaml");
    let input = format!("Secret/flux-system/settings={}", file.display());
    let place = repo.path().display().to_string();
    let render = |key: &str| {
        let run = refloat(["render", &*place, "--path", "clusters/prod", "--input", &*input]);
        run.env("SOPS_AGE_KEY", key).run()
    };
    let opened = render(KEY);
    assert_eq!(opened.code, 0, "{}", opened.stderr);
    assert!(opened.stdout.contains(&format!("token: {CANARY}")), "{}", opened.stdout);
    let shut = render(OTHER);
    assert_eq!(shut.code, 1, "{}", shut.stdout);
    for said in [
        "nothing was read: Secret/flux-system/settings was not given",
        "settings.sops.yaml is encrypted with SOPS: no key fits",
        "hint: give the key with --decryption-key FILE",
    ] {
        assert!(shut.stderr.contains(said), "{}", shut.stderr);
    }
    // Declared by what does not open it.
    let repo = Repo::with(&[
        ("clusters/prod/apps.yaml", &kustomization("apps", "./apps", from)),
        (
            "clusters/prod/settings.yaml",
            &kustomization("settings", "./secrets", ""),
        ),
        ("apps/map.yaml", map),
        ("secrets/settings.yaml", &settings),
    ]);
    let set = read(&repo, given(KEY));
    assert!(!objects(&set).contains_key("ConfigMap/shop/web"));
    assert_eq!(
        problems(&set),
        [
            "clusters/prod/apps.yaml:1: Kustomization/flux-system/apps: nothing of this Kustomization is restored: its variables come from \
             Secret/flux-system/settings, which is encrypted where it is declared",
            "secrets/settings.yaml:1: this object is not restored: it is encrypted with SOPS, and what declares it does not say that it is decrypted",
        ]
    );
}
