//! OCI registries.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use refloat::declared::helm::{
    ArtifactRef, CHART_LAYER, ChartRef, ChartSource, Charts, Configuration, Credentials, Data, Fetched, NotObtained,
    Reference,
};
use serde_json::json;

use super::{CANARY, charts, contents, packed, reference, sum, told};
use crate::support::web::{Answer, Asked, Web};

/// Media type of a layer of Flux.
pub const FLUX_LAYER: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";

/// What a registry holds: answers by path below `/v2/`.
#[derive(Default, Clone)]
pub struct Held(BTreeMap<String, Answer>);

impl Held {
    /// Adds an artifact of one layer under a tag, and by its digest, which is given back.
    pub fn artifact(&mut self, repository: &str, tag: &str, media_type: &str, layer: &[u8]) -> String {
        let digest = format!("sha256:{}", sum(layer));
        let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [
            {"mediaType": "application/vnd.other", "digest": format!("sha256:{}", sum(b"other")), "size": 5},
            {"mediaType": media_type, "digest": digest, "size": layer.len()},
        ]});
        self.0.insert(format!("{repository}/blobs/{digest}"), Answer::ok(layer));
        self.0.insert(
            format!("{repository}/blobs/sha256:{}", sum(b"other")),
            Answer::ok("other"),
        );
        self.manifest(repository, tag, &manifest.to_string())
    }

    /// Lists the tags of a repository.
    pub fn tags(&mut self, repository: &str, tags: &[&str]) {
        let all = json!({"name": repository, "tags": tags}).to_string();
        self.0.insert(format!("{repository}/tags/list?n=1000"), Answer::ok(all));
    }

    fn manifest(&mut self, repository: &str, tag: &str, text: &str) -> String {
        let digest = format!("sha256:{}", sum(text.as_bytes()));
        for name in [tag, &digest] {
            self.0
                .insert(format!("{repository}/manifests/{name}"), Answer::ok(text));
        }
        digest
    }

    fn answer(&self, asked: &Asked) -> Answer {
        let path = asked.path.strip_prefix("/v2/").unwrap_or_default();
        self.0.get(path).cloned().unwrap_or_else(|| Answer::status(404))
    }

    /// Serves it.
    pub fn served(self) -> Web {
        Web::start(move |asked| self.answer(asked))
    }

    /// Serves it to one who says who it is.
    pub fn guarded(self, user: &str, password: &str) -> Web {
        let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
        Web::start(move |asked| match asked.header("authorization") == expected {
            true => self.answer(asked),
            false => Answer::status(401).with("www-authenticate", "Basic realm=\"registry\""),
        })
    }
}

fn insecure() -> Credentials {
    Credentials {
        insecure: true,
        ..Credentials::default()
    }
}

fn chart(web: &Web, credentials: Credentials, version: &str) -> ChartRef {
    let url = format!("oci://{}/charts", web.host());
    reference(ChartSource::Oci { url, credentials }, "web", version)
}

fn shops() -> Held {
    let mut held = Held::default();
    for version in ["1.0.0", "1.2.0", "2.0.0-rc.1"] {
        held.artifact("charts/web", version, CHART_LAYER, &packed("web", version, &[]));
    }
    held.artifact(
        "charts/web",
        "1.3.0_build.1",
        CHART_LAYER,
        &packed("web", "1.3.0+build.1", &[]),
    );
    let page = |tags: &[&str]| Answer::ok(json!({"name": "charts/web", "tags": tags}).to_string());
    let first =
        page(&["latest", "1.0.0", "1.2.0"]).with("link", "</v2/charts/web/tags/list?n=1000&last=1.2.0>; rel=\"next\"");
    held.0.insert("charts/web/tags/list?n=1000".to_owned(), first);
    held.0.insert(
        "charts/web/tags/list?n=1000&last=1.2.0".to_owned(),
        page(&["2.0.0-rc.1", "1.3.0_build.1", "v9.0.0"]),
    );
    held
}

#[test]
fn versions_and_ranges_are_tags() {
    let web = shops().served();
    let cache = tempfile::tempdir().expect("a temporary folder");
    let get = |version: &str| charts(cache.path(), None).get(&chart(&web, insecure(), version));
    for (asked, found) in [
        ("1.0.0", "1.0.0"),
        ("", "1.3.0+build.1"),
        ("~1.2", "1.2.0"),
        ("1.3.0+build.1", "1.3.0+build.1"),
        (">=2.0.0-0", "2.0.0-rc.1"),
    ] {
        assert_eq!(
            get(asked).map(|fetched| fetched.version),
            Ok(found.to_owned()),
            "{asked}"
        );
    }
    let layers = |web: &Web| web.paths().iter().filter(|path| path.contains("/blobs/")).count();
    assert_eq!(layers(&web), 4, "a layer is fetched once");
    let error = get("^3").expect_err("there is none");
    assert!(
        error
            .cause
            .ends_with("no version satisfies ^3; the nearest are 2.0.0-rc.1, 1.3.0+build.1, 1.2.0, 1.0.0"),
        "{}",
        error.cause
    );
    let error = get("4.0.0").expect_err("there is none");
    assert!(
        error
            .cause
            .ends_with("/manifests/4.0.0 answered 404: there is no such thing, or it is hidden from who asks"),
        "{}",
        error.cause
    );
    // Offline, what was fetched is found again, ranges too.
    let before = web.paths().len();
    let offline = Charts::new(
        Some(cache.path().to_owned()),
        Vec::new(),
        Configuration::default(),
        true,
    );
    assert_eq!(
        offline
            .get(&chart(&web, insecure(), "~1.2"))
            .map(|fetched| fetched.version),
        Ok("1.2.0".to_owned())
    );
    assert!(offline.get(&chart(&web, insecure(), "4.0.0")).is_err());
    assert_eq!(web.paths().len(), before);
}

/// A registry that wants a token, which another address gives to whoever says who it is.
fn guarded(accept: &'static str) -> (Web, Web) {
    let auth = Web::start(move |asked| {
        let is_known = match asked.header("authorization") {
            "" => asked.body.contains(&format!("refresh_token={CANARY}")) || accept == "anonymous",
            basic => basic == format!("Basic {}", BASE64_STANDARD.encode(format!("me:{CANARY}"))),
        };
        match is_known {
            true => Answer::ok(json!({"token": format!("token-{CANARY}")}).to_string()),
            false => Answer::status(401),
        }
    });
    let realm = auth.address.clone();
    let held = shops();
    let registry = Web::start(move |asked| match asked.header("authorization") {
        bearer if bearer == format!("Bearer token-{CANARY}") => held.answer(asked),
        _ => Answer::status(401).with(
            "www-authenticate",
            &format!("Bearer realm=\"{realm}/token\",service=\"registry\",scope=\"repository:charts/web:pull\""),
        ),
    });
    (registry, auth)
}

fn docker_config(home: &std::path::Path, config: &serde_json::Value) {
    std::fs::create_dir_all(home.join(".docker")).expect("the folder is ours");
    std::fs::write(home.join(".docker/config.json"), config.to_string()).expect("the folder is ours");
}

#[test]
fn tokens_are_asked_for_once() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let home = tempfile::tempdir().expect("a temporary folder");
    let (web, auth) = guarded("me");
    let password = json!({"auths": {web.host(): {"auth": BASE64_STANDARD.encode(format!("me:{CANARY}"))}}});
    docker_config(home.path(), &password);
    charts(cache.path(), Some(home.path()))
        .get(&chart(&web, insecure(), "1.0.0"))
        .expect("Docker knows the password");
    assert_eq!(
        auth.paths(),
        ["/token?service=registry&scope=repository%3Acharts%2Fweb%3Apull"]
    );
    // Given with the source: the machine's own configuration plays no part.
    let mut given = insecure();
    let docker = Data::from([(".dockerconfigjson".to_owned(), password.to_string().into_bytes())]);
    given.add_secret(&docker).expect("it is JSON");
    charts(cache.path(), None)
        .get(&chart(&web, given, "1.2.0"))
        .expect("the Secret knows the password");
    // A token to ask for tokens with.
    docker_config(home.path(), &json!({"auths": {web.host(): {"identitytoken": CANARY}}}));
    charts(cache.path(), Some(home.path()))
        .get(&chart(&web, insecure(), ""))
        .expect("Docker knows a token");
    let posted = auth.asked().pop().expect("it was asked").body;
    assert!(
        posted.starts_with("service=registry&scope=repository%3Acharts%2Fweb%3Apull&grant_type=refresh_token"),
        "{posted}"
    );
    assert!(!contents(cache.path()).contains(CANARY));
}

#[test]
fn whoever_may_not_is_told() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let (web, _) = guarded("me");
    let cause = |web: &Web, credentials: Credentials| {
        let error = charts(cache.path(), None)
            .get(&chart(web, credentials, "1.0.0"))
            .expect_err("it may not");
        let text = told(&error, &[(web.host(), "registry")]);
        text.lines()
            .next()
            .and_then(|line| line.split_once(" is not at hand: "))
            .expect("it is said so")
            .1
            .to_owned()
    };
    assert_eq!(
        cause(&web, insecure()),
        "it asks who asks (401), and there are no credentials for it"
    );
    let mut wrong = insecure();
    wrong.access.authorization = Some(refloat::net::Authorization::Basic("me".to_owned(), "wrong".to_owned()));
    let text = cause(&web, wrong);
    assert!(
        text.ends_with("/token answered 401: the credentials were not accepted"),
        "{text}"
    );
    let (open, _) = guarded("anonymous");
    charts(cache.path(), None)
        .get(&chart(&open, insecure(), "1.0.0"))
        .expect("nobody needs to be known");
    let plain = Web::start(|_| Answer::status(401).with("www-authenticate", "Bearer realm=\"ftp://evil\""));
    assert_eq!(
        cause(&plain, insecure()),
        "it sends for a token to an address that is not https"
    );
    let forbidden = Web::start(|_| Answer::status(403));
    let text = cause(&forbidden, insecure());
    assert!(
        text.ends_with("answered 403: the credentials may not read it"),
        "{text}"
    );
}

#[test]
fn layers_may_lie_elsewhere_where_tokens_do_not_go() {
    let layer = packed("web", "1.0.0", &[]);
    let digest = format!("sha256:{}", sum(&layer));
    let storage = Web::of_files(&[("/blob", &layer)]);
    let mut held = shops();
    held.0.insert(
        format!("charts/web/blobs/{digest}"),
        Answer::redirect(&format!("{}/blob", storage.address)),
    );
    let web = Web::start(move |asked| match asked.header("authorization") {
        "" => Answer::status(401).with("www-authenticate", "Basic realm=\"x\""),
        _ => held.answer(asked),
    });
    let cache = tempfile::tempdir().expect("a temporary folder");
    let mut credentials = insecure();
    credentials.access.authorization = Some(refloat::net::Authorization::Basic("me".to_owned(), CANARY.to_owned()));
    charts(cache.path(), None)
        .get(&chart(&web, credentials, "1.0.0"))
        .expect("it is served");
    assert_eq!(storage.asked().len(), 1);
    assert_eq!(storage.asked()[0].header("authorization"), "");
}

#[test]
fn what_is_not_what_it_says_is_refused() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let mut held = shops();
    let layer = packed("web", "1.0.0", &[]);
    held.0.insert(
        format!("charts/web/blobs/sha256:{}", sum(&layer)),
        Answer::ok(&layer[..20]),
    );
    held.artifact("charts/web", "3.0.0", FLUX_LAYER, b"x");
    held.artifact("charts/web", "3.1.0", CHART_LAYER, b"<html>");
    held.manifest("charts/web", "3.2.0", "no json");
    let digest = format!("sha256:{}", "0".repeat(64));
    let list = |entries: serde_json::Value| {
        json!({"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}).to_string()
    };
    held.manifest(
        "charts/web",
        "3.3.0",
        &list(json!([{"digest": digest, "platform": {"os": "linux", "architecture": "amd64"}}])),
    );
    held.0
        .insert(format!("charts/web/manifests/{digest}"), Answer::ok("{}"));
    held.manifest("charts/web", "3.4.0", &list(json!([{"digest": "a"}, {"digest": "b"}])));
    held.manifest(
        "charts/web",
        "3.5.0",
        &json!({"layers": [{"mediaType": CHART_LAYER, "digest": "sha256:../x", "size": 1}]}).to_string(),
    );
    let web = held.served();
    let cause = |version: &str| {
        let error = charts(cache.path(), None)
            .get(&chart(&web, insecure(), version))
            .expect_err("it is refused");
        let text = told(&error, &[(web.host(), "registry"), (&sum(&layer), "SUM")]);
        text.lines()
            .next()
            .and_then(|line| line.split_once(" is not at hand: "))
            .expect("it is said so")
            .1
            .to_owned()
    };
    let all: Vec<String> = ["1.0.0", "3.0.0", "3.1.0", "3.2.0", "3.3.0", "3.4.0", "3.5.0"]
        .into_iter()
        .map(cause)
        .collect();
    insta::assert_snapshot!(all.join("\n"), @"
    its layer sha256:SUM came with the checksum sha256:e83ad533411ca8f5f5740259070305aad734c6df68aaa1244b00633d53eab99c
    3.0.0 is no chart: its layers are application/vnd.other, application/vnd.cncf.flux.content.v1.tar+gzip
    what came is no chart: it is no gzip archive
    the manifest 3.2.0 is no JSON
    what came as sha256:0000000000000000000000000000000000000000000000000000000000000000 has the checksum sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
    it is a list of manifests, none of which is for linux/amd64
    sha256:../x is no sha256 digest
    ");
    assert!(
        !cache
            .path()
            .join("sha256")
            .join(format!("{}.tgz", sum(&layer)))
            .exists()
    );
}

fn artifact(web: &Web, reference: Reference, layer: Option<&str>) -> ArtifactRef {
    ArtifactRef {
        url: format!("oci://{}/flux/apps", web.host()),
        reference,
        layer: layer.map(str::to_owned),
        credentials: insecure(),
    }
}

/// What source-controller takes of an OCIRepository.
#[test]
fn artifacts_are_found_as_flux_finds_them() {
    let mut held = Held::default();
    let mut digests = BTreeMap::new();
    for tag in ["latest", "v1.0.0", "1.1.0", "1.2.0-rc.1", "1.1.5-ee", "odd"] {
        digests.insert(tag, held.artifact("flux/apps", tag, FLUX_LAYER, tag.as_bytes()));
    }
    let tags = Answer::ok(json!({"tags": digests.keys().collect::<Vec<_>>()}).to_string());
    held.0.insert("flux/apps/tags/list?n=1000".to_owned(), tags);
    let web = held.served();
    let cache = tempfile::tempdir().expect("a temporary folder");
    let get = |reference: Reference| charts(cache.path(), None).artifact(&artifact(&web, reference, Some(FLUX_LAYER)));
    let range = |range: &str, filter: &str| Reference::Range {
        range: range.to_owned(),
        filter: filter.to_owned(),
    };
    for (reference, tag) in [
        (Reference::Tag("latest".to_owned()), "latest"),
        (range(">=1.0.0", ""), "1.1.0"),
        (range("1.0.x", ""), "v1.0.0"),
        (range(">=1.0.0-0", ""), "1.2.0-rc.1"),
        (range(">=1.0.0-0", "-ee$"), "1.1.5-ee"),
    ] {
        let found = get(reference).expect("it is served");
        assert_eq!(found.revision, format!("{tag}@{}", digests[tag]));
        assert_eq!(found.content, tag.as_bytes());
    }
    let by_digest = get(Reference::Digest(digests["odd"].clone())).expect("it is served");
    assert_eq!(
        (by_digest.revision.as_str(), by_digest.content.as_slice()),
        (digests["odd"].as_str(), &b"odd"[..])
    );
    // Without a selector the first layer is taken.
    let first = charts(cache.path(), None).artifact(&artifact(&web, Reference::Tag("odd".to_owned()), None));
    assert_eq!(first.expect("it is served").content, b"other");
    let errors: Vec<NotObtained> = [
        get(range("^3", "")),
        get(range("^1", "(")),
        get(range("main", "")),
        charts(cache.path(), None).artifact(&artifact(&web, Reference::Tag("odd".to_owned()), Some("application/x"))),
    ]
    .into_iter()
    .filter_map(Result::err)
    .collect();
    let errors: Vec<String> = errors
        .iter()
        .map(|error| told(error, &[(web.host(), "registry")]))
        .collect();
    insta::assert_snapshot!(errors.join("\n"), @"
    the artifact oci://registry/flux/apps is not at hand: no version satisfies ^3; the nearest are 1.2.0-rc.1, 1.1.5-ee, 1.1.0, v1.0.0
      hint: check its address and reference, and the credentials for it
    the artifact oci://registry/flux/apps is not at hand: the filter ( is no regular expression
      hint: check its address and reference, and the credentials for it
    the artifact oci://registry/flux/apps is not at hand: main is no version and no range of versions
      hint: check its address and reference, and the credentials for it
    the artifact oci://registry/flux/apps is not at hand: odd has no layer of the media type application/x; its layers are application/vnd.other, application/vnd.cncf.flux.content.v1.tar+gzip
      hint: check its address and reference, and the credentials for it
    ");
}

#[test]
fn a_chart_may_be_an_artifact() {
    let mut held = Held::default();
    let digest = held.artifact("flux/apps", "1.2.3_x", CHART_LAYER, &packed("web", "1.2.3+x", &[]));
    held.tags("flux/apps", &["1.2.3_x", "1.2.2"]);
    let web = held.served();
    let cache = tempfile::tempdir().expect("a temporary folder");
    let any = Reference::Range {
        range: "*".to_owned(),
        filter: String::new(),
    };
    let wanted = reference(ChartSource::Artifact(artifact(&web, any, Some(CHART_LAYER))), "web", "");
    let Fetched { version, revision, .. } = charts(cache.path(), None).get(&wanted).expect("it is served");
    assert_eq!(
        (version.as_str(), revision),
        ("1.2.3+x", Some(format!("1.2.3_x@{digest}")))
    );
}
