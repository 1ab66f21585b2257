//! Secrets that were changed by hand come back encrypted or sealed, where their values are kept already, or not at all.

use std::sync::OnceLock;
use std::time::SystemTime;

use ::sops::sealed::Certificate;
use ::sops::{Format, Identities, Layout, Rule};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use refloat::control_plane::Options;
use serde_json::json;

use crate::audit::root;
use crate::support::plane::{Plane, fresh_with};
use crate::support::repo::Repo;
use crate::support::run::{Ran, Refloat, refloat};
use crate::support::tools::at_hand;

/// Made for the tests.
pub(super) const KEY: &str = "AGE-SECRET-KEY-1F6CXQ2SVP0TM9QXXT3Y5MME2Q9EEYMVHT7KC34UXMVSAYK3D645SE54LQL";
/// What stands in every value, and nowhere else; and how it begins in base64.
pub(super) const CANARIES: [&str; 2] = ["canary-77c1", "Y2FuYXJ5LTc3Yz"];

/// The control plane of these tests: each has a namespace of its own.
pub(super) fn plane() -> &'static Plane {
    static PLANE: OnceLock<Plane> = OnceLock::new();
    PLANE.get_or_init(|| {
        let plane = fresh_with(Options::default());
        plane.serve("bitnami.com", "v1alpha1", "SealedSecret", "sealedsecrets");
        plane.serve("external-secrets.io", "v1", "ExternalSecret", "externalsecrets");
        plane
    })
}

pub(super) fn recipient() -> String {
    let mut identities = Identities::new();
    identities.add_age(KEY).expect("because it is a key");
    identities.recipients().remove(0)
}

fn encrypted(format: Format, plain: &str) -> String {
    let tree = format.read(plain.as_bytes()).expect("because it is of that format");
    let file = ::sops::encrypt(
        format,
        tree,
        &Rule::age([&*recipient()]),
        SystemTime::now(),
        &Layout::default(),
    );
    String::from_utf8(file.expect("because it can be encrypted")).expect("because it is text")
}

pub(super) fn without_canaries(what: &str, text: &str) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "{what}: {text}");
    }
}

/// Runs it on a repository; what was said holds no value.
pub(super) fn run(command: &str, repo: &Repo, more: &[&str], with: impl FnOnce(Refloat) -> Refloat) -> Ran {
    let (kubeconfig, place) = (plane().kubeconfig(), repo.path().display().to_string());
    let args = [command, &place, "--kubeconfig", &kubeconfig];
    let ran = with(refloat(args.iter().chain(more).copied())).run();
    without_canaries("stdout", &ran.stdout);
    without_canaries("stderr", &ran.stderr);
    ran
}

/// What a repository declares comes to be in the cluster.
pub(super) fn make_live(namespace: &str, repo: &Repo, more: &[&str], with: impl FnOnce(Refloat) -> Refloat) {
    let place = repo.path().display().to_string();
    let ran = with(refloat(
        ["render", &*place, "--show-secrets"].iter().chain(more).copied(),
    ))
    .run();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    plane().kubectl(&["create", "namespace", namespace], "");
    plane().kubectl(&["apply", "--server-side", "-f", "-"], &ran.stdout);
}

/// Changes values of a live Secret.
pub(super) fn change(namespace: &str, secret: &str, patch: &serde_json::Value) {
    plane().kubectl(
        &["patch", "secret", secret, "-n", namespace, "-p", &patch.to_string()],
        "",
    );
}

/// Every file of the work tree that is not as it was committed, with its lines that came (`+`) and went (`-`).
pub(super) fn changed(repo: &Repo) -> String {
    repo.git(&["add", "-A"]);
    let diff = repo.git(&["diff", "--cached", "-U0"]);
    without_canaries("the change", &diff);
    diff
}

pub(super) fn lines(diff: &str, of: char) -> Vec<&str> {
    let is = |line: &&str| line.starts_with(of) && !line.starts_with("---") && !line.starts_with("+++");
    diff.lines().filter(is).collect()
}

fn sealed(namespace: &str) -> String {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": "login", "namespace": namespace},
        "stringData": {"user": "old", "password": "old"},
    });
    let certificate = std::fs::read(root("crates/sops/tests/keys/sealing.crt")).expect("because it is kept here");
    let certificate = Certificate::read(&certificate).expect("because it is one");
    let sealed = certificate.seal(&secret, None).expect("because it can be sealed");
    format!("# For the till.\n{}", kube_yaml::to_string(&sealed))
}

fn external(name: &str) -> String {
    format!(
        "---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: {name}, namespace: kept}}\n\
         spec:\n  refreshInterval: 1h\n  secretStoreRef: {{kind: ClusterSecretStore, name: vault}}\n  target: {{name: {name}}}\n  data:\n  \
         - {{secretKey: url, remoteRef: {{key: kept/{name}, property: url}}}}\n"
    )
}

/// Secrets in every way in which a repository keeps them.
fn kept() -> Repo {
    let generators = "namespace: kept\nresources: [namespace.yaml, sealed.yaml, external.yaml, clear.yaml]\nsecretGenerator:\n\
        - name: made\n  envs: [settings.env]\n  files: [token.json, key=key.bin]\n  literals: [plain=old]\n  options: {disableNameSuffixHash: true}\n\
        - name: hashed\n  envs: [other.env]\n";
    Repo::with(&[
        ("kustomization.yaml", generators),
        (
            "namespace.yaml",
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: kept}\n",
        ),
        ("sealed.yaml", &sealed("kept")),
        ("external.yaml", &(external("db") + &external("mq"))),
        (
            "clear.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: clear, namespace: kept}\nstringData: {a: old}\n",
        ),
        ("other.env", &encrypted(Format::Dotenv, "PASSWORD=old\n")),
        ("settings.env", &encrypted(Format::Dotenv, "USER=old\nPASSWORD=old\n")),
        (
            "token.json",
            &encrypted(Format::Json, "{\"id\": \"old\", \"token\": \"old\"}"),
        ),
        ("key.bin", &encrypted(Format::Binary, "old\n")),
    ])
}

const CERTIFICATE: [&str; 2] = ["--sealed-secrets-cert", "crates/sops/tests/keys/sealing.crt"];
const OPENED: [&str; 3] = ["--sealed-secrets-key", "crates/sops/tests/keys/sealing.key", "--unseal"];

/// All that somebody does to them by hand.
fn by_hand() {
    let canary = |more: &str| format!("{}-{more}", CANARIES[0]);
    change("kept", "login", &json!({"stringData": {"password": canary("login")}}));
    let token = [
        "get",
        "secret",
        "made",
        "-n",
        "kept",
        "-o",
        "jsonpath={.data.token\\.json}",
    ];
    let token = BASE64_STANDARD
        .decode(plane().kubectl(&token, ""))
        .expect("because it is base64");
    let token = String::from_utf8(token).expect("because it is text");
    let made = json!({"stringData": {
        "PASSWORD": canary("setting"), "key": canary("key"), "plain": canary("literal"),
        "token.json": token.replace("\"token\": \"old\"", &format!("\"token\": \"{}\"", canary("token"))),
    }});
    change("kept", "made", &made);
    change("kept", "clear", &json!({"stringData": {"a": canary("clear")}}));
    let hashed = plane().kubectl(&["get", "secret", "-n", "kept", "-o", "name"], "");
    let hashed = hashed
        .lines()
        .find_map(|name| name.strip_prefix("secret/").filter(|name| name.starts_with("hashed-")));
    let hashed = hashed.expect("because it is generated");
    change("kept", hashed, &json!({"stringData": {"PASSWORD": canary("hashed")}}));
    let new = format!("--from-literal=pin={}", canary("new"));
    plane().kubectl(&["create", "secret", "generic", "till", "-n", "kept", &new], "");
}

#[test]
fn values_come_back_where_they_are_kept_or_not_at_all() {
    if !at_hand("kubectl") {
        return;
    }
    let repo = kept();
    let with_key = |run: Refloat| run.env("SOPS_AGE_KEY", KEY);
    make_live("kept", &repo, &OPENED, with_key);
    by_hand();

    let only = ["--only", "kept", "--verdict", "drifted,never-in-git", "--write"];
    let unsealed = run("export", &repo, &[&only[..], &OPENED].concat(), with_key);
    assert!(
        unsealed.stdout.contains(
            "Secret/kept/login .data.password: SealedSecret/kept/login declares it: give --sealed-secrets-cert to seal anew what changed"
        ),
        "{}{}",
        unsealed.stdout, unsealed.stderr
    );
    repo.git(&["checkout", "-q", "--", "."]);
    repo.git(&["clean", "-fdq"]);

    // The stub is for repositories that do not seal.
    let sealed = [&only[..], &OPENED, &CERTIFICATE, &["--except", "Secret/kept/till"]].concat();
    let ran = run("export", &repo, &sealed, with_key);
    let ran_too = run("export", &repo, &["--only", "Secret/kept/till", "--write"], with_key);
    assert!(
        ran_too.stdout.contains(
            "first: put its values into ClusterSecretStore vault before this is merged: kept/till property pin"
        ),
        "{}{}",
        ran_too.stdout,
        ran_too.stderr
    );
    for left in [
        "Secret/kept/clear .data.a: clear.yaml has its values in clear, and what is live is not written there: encrypt it (`sops encrypt --in-place clear.yaml`)",
        "Secret/kept/made .data.plain: kustomization.yaml has its values in clear",
    ] {
        assert!(ran.stdout.contains(left), "{left}\n{}{}", ran.stdout, ran.stderr);
    }
    let renamed = ".data.PASSWORD  other.env: the file that the generator reads; its name gets another hash";
    assert!(ran.stdout.contains(renamed), "{}{}", ran.stdout, ran.stderr);
    let diff = changed(&repo);
    let files = repo.git(&["diff", "--cached", "--name-only"]);
    let expected = [
        "externalsecret.yaml",
        "key.bin",
        "kustomization.yaml",
        "other.env",
        "sealed.yaml",
        "settings.env",
        "token.json",
    ];
    assert_eq!(files.lines().collect::<Vec<_>>(), expected, "{diff}\n{}", ran.stdout);
    // Of a file only the value that changed, and what vouches for the whole.
    let gone = lines(&diff, '-');
    assert!(
        !gone
            .iter()
            .any(|line| line.contains("user:") || line.contains("\"id\"")),
        "{gone:?}"
    );
    assert!(gone.iter().any(|line| line.contains("password:")), "{gone:?}");

    // What was exported is in sync from now on, the rest is as it was.
    repo.commit("what was done by hand");
    let audit = run("audit", &repo, &[&OPENED[..], &["--output", "json"]].concat(), with_key);
    let report: serde_json::Value = serde_json::from_str(&audit.stdout).expect("because it is a report");
    let findings = report["findings"]
        .as_array()
        .expect("because a report lists them")
        .iter();
    // The SealedSecret itself is to be applied yet.
    let of = findings.filter(|one| one["object"]["namespace"] == "kept" && one["object"]["kind"] == "Secret");
    let found: Vec<&str> = of.filter_map(|one| one["object"]["name"].as_str()).collect();
    assert!(!found.contains(&"login") && found.contains(&"clear"), "{found:?}");
    let again = run("export", &repo, &["--only", "Secret/kept/till", "--write"], with_key);
    assert!(
        again
            .stdout
            .contains("Secret/kept/till: ExternalSecret/kept/till declares it, and its store has the values"),
        "{}",
        again.stdout
    );
}

#[test]
fn a_new_secret_is_sealed_and_the_key_of_the_controller_opens_it() {
    if !at_hand("kubectl") {
        return;
    }
    let space = "sealing";
    let repo = Repo::with(&[("sealed.yaml", &sealed(space))]);
    make_live(space, &repo, &OPENED, |run| run);
    let pin = format!("--from-literal=pin={}-new", CANARIES[0]);
    plane().kubectl(&["create", "secret", "generic", "till", "-n", space, &pin], "");
    let only = ["--only", "Secret/sealing/till", "--write"];
    let ran = run("export", &repo, &[&only[..], &CERTIFICATE].concat(), |run| run);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let annotate = "annotate secret till -n sealing sealedsecrets.bitnami.com/managed=true";
    let first = format!("first: let its controller take the Secret over: kubectl {annotate}\n");
    assert!(ran.stdout.contains(&first), "{}{}", ran.stdout, ran.stderr);
    changed(&repo);
    let added = repo.git(&["diff", "--cached", "--name-status"]);
    let [file] = added.lines().collect::<Vec<_>>()[..] else {
        panic!("{added}")
    };
    let file = file.strip_prefix("A\t").expect("because it is new");
    let text = std::fs::read_to_string(repo.path().join(file)).expect("because it was just listed");
    assert!(
        text.starts_with(
            "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: till\n  namespace: sealing\n"
        ),
        "{text}"
    );
    repo.commit("what was done by hand");

    let place = repo.path().display().to_string();
    let opened = |key: &str| {
        let args = [
            "render",
            &*place,
            "--show-secrets",
            "--unseal",
            "--sealed-secrets-key",
            key,
        ];
        refloat(args).run()
    };
    let ran = opened(OPENED[1]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let documents = kube_yaml::parse(ran.stdout.as_bytes()).into_iter();
    let mut objects = documents.filter_map(|document| document.value.ok());
    let till = objects.find(|one| one["kind"] == "Secret" && one["metadata"]["name"] == "till");
    assert_eq!(
        till.expect("because its SealedSecret is there")["data"],
        json!({"pin": BASE64_STANDARD.encode(format!("{}-new", CANARIES[0]))})
    );
    assert_eq!(
        opened("crates/sops/tests/keys/sealing-other.key").code,
        3,
        "nobody else's key"
    );

    // Once both is done there is nothing left to find.
    plane().kubectl(&annotate.split(' ').collect::<Vec<_>>(), "");
    plane().kubectl(&["apply", "--server-side", "-f", "-"], &text);
    let audit = run("audit", &repo, &[&OPENED[..], &["--output", "json"]].concat(), |run| {
        run
    });
    let report: serde_json::Value = serde_json::from_str(&audit.stdout).expect("because it is a report");
    let findings = report["findings"].as_array().expect("because a report lists them");
    let of: Vec<_> = findings
        .iter()
        .filter(|one| one["object"]["namespace"] == space)
        .collect();
    assert!(of.is_empty(), "{of:?}");
}
