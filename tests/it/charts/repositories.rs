//! Repositories with an `index.yaml`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use insta::assert_snapshot;
use refloat::declared::helm::{ChartSource, Charts, Configuration, Credentials, Data};

use super::{CANARY, charts, contents, http, packed, reference, sum, told};
use crate::support::web::{Answer, Asked, Certificates, Web};

fn index(entries: &[(&str, &str, &str)]) -> String {
    let mut text = "apiVersion: v1\nentries:\n  web:\n".to_owned();
    for (version, url, digest) in entries {
        text.push_str(&format!("  - version: {version}\n    urls: ['{url}']\n"));
        if !digest.is_empty() {
            text.push_str(&format!("    digest: '{digest}'\n"));
        }
    }
    text
}

fn basic() -> Credentials {
    let mut credentials = Credentials::default();
    let secret = Data::from([
        ("username".to_owned(), b"me".to_vec()),
        ("password".to_owned(), CANARY.as_bytes().to_vec()),
    ]);
    credentials.add_secret(&secret).expect("it is complete");
    credentials
}

fn with(url: &str, credentials: Credentials) -> ChartSource {
    ChartSource::Http {
        url: url.to_owned(),
        credentials,
    }
}

#[test]
fn a_chart_is_fetched_once() {
    let chart = packed("web", "1.2.3", &[]);
    let text = index(&[
        ("1.2.3", "files/web-1.2.3.tgz", &sum(&chart)),
        ("1.1.0", "files/old.tgz", ""),
    ]);
    let web = Web::start(move |asked| match asked.path.as_str() {
        "/charts/index.yaml" if asked.header("if-none-match") == "\"v1\"" => Answer::status(304),
        "/charts/index.yaml" => Answer::ok(text.clone()).with("etag", "\"v1\""),
        "/charts/files/web-1.2.3.tgz" => Answer::ok(chart.clone()),
        _ => Answer::status(404),
    });
    let cache = tempfile::tempdir().expect("a temporary folder");
    let wanted = http(&format!("{}/charts/", web.address), "web", "^1.1");
    let first = charts(cache.path(), None).get(&wanted).expect("it is served");
    assert_eq!((first.name.as_str(), first.version.as_str()), ("web", "1.2.3"));
    assert_eq!(
        first.digest.as_deref(),
        first.path.file_stem().and_then(|stem| stem.to_str())
    );
    assert_eq!(charts(cache.path(), None).get(&wanted), Ok(first.clone()));
    assert_eq!(
        web.paths(),
        [
            "/charts/index.yaml",
            "/charts/files/web-1.2.3.tgz",
            "/charts/index.yaml"
        ]
    );
    // Nothing at all is asked offline.
    let offline = |version| {
        let charts = Charts::new(
            Some(cache.path().to_owned()),
            Vec::new(),
            Configuration::default(),
            true,
        );
        charts.get(&http(&format!("{}/charts/", web.address), "web", version))
    };
    assert_eq!(offline("^1.1"), Ok(first));
    let error = offline("1.1.0").expect_err("it was never fetched");
    assert_snapshot!(told(&error, &[(&web.address, "http://web")]), @"
    the chart web 1.1.0 of http://web/charts/ is not at hand: it is not among what was fetched before, and nothing is fetched offline
      hint: --chart web=PATH takes the chart from this machine
    ");
    assert_eq!(web.paths().len(), 3);
}

#[test]
fn many_at_once_ask_for_one_index() {
    let chart = packed("web", "1.0.0", &[]);
    let text = index(&[("1.0.0", "web.tgz", &sum(&chart))]);
    let web = Web::start(move |asked| match asked.path.as_str() {
        "/index.yaml" => Answer::ok(text.clone()),
        _ => Answer::ok(chart.clone()),
    });
    let cache = tempfile::tempdir().expect("a temporary folder");
    let charts = charts(cache.path(), None);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| charts.get(&http(&web.address, "web", "")).expect("it is served"));
        }
    });
    assert_eq!(web.paths().iter().filter(|path| *path == "/index.yaml").count(), 1);
}

#[test]
fn credentials_go_to_their_own_server_only() {
    let chart = packed("web", "1.0.0", &[]);
    let served = chart.clone();
    let other = Web::start(move |_| Answer::ok(served.clone()));
    for (version, everywhere, seen) in [("1.0.0", false, false), ("1.0.0", true, true), ("2.0.0", false, false)] {
        let (elsewhere, sum) = (other.address.clone(), sum(&chart));
        let text = index(&[
            ("1.0.0", &format!("{elsewhere}/web.tgz"), &sum),
            ("2.0.0", "moved.tgz", &sum),
        ]);
        let web = Web::start(move |asked: &Asked| match asked.path.as_str() {
            _ if !asked.header("authorization").starts_with("Basic ") => Answer::status(401),
            "/index.yaml" => Answer::ok(text.clone()),
            _ => Answer::redirect(&format!("{elsewhere}/moved.tgz")),
        });
        let mut credentials = basic();
        credentials.access.everywhere = everywhere;
        let cache = tempfile::tempdir().expect("a temporary folder");
        let fetched = charts(cache.path(), None).get(&reference(with(&web.address, credentials), "web", version));
        fetched.expect("it is served");
        let last = other.asked().pop().expect("it was asked");
        assert_eq!(!last.header("authorization").is_empty(), seen, "{version}");
        assert!(!contents(cache.path()).contains(CANARY));
    }
}

/// What Helm itself knows of a repository: user and password of `helm repo add`, by the repository's address.
#[test]
fn helms_own_configuration_is_used() {
    let chart = packed("web", "1.0.0", &[]);
    let text = index(&[("1.0.0", "web.tgz", "")]);
    let web = Web::start(move |asked| match asked.path.as_str() {
        _ if asked.header("authorization").is_empty() => Answer::status(401),
        "/index.yaml" => Answer::ok(text.clone()),
        _ => Answer::ok(chart.clone()),
    });
    let home = tempfile::tempdir().expect("a temporary folder");
    let config = home.path().join(".config/helm");
    std::fs::create_dir_all(&config).expect("the folder is ours");
    let repositories = format!(
        "repositories: [{{name: own, url: '{}/', username: me, password: {CANARY}}}]",
        web.address
    );
    std::fs::write(config.join("repositories.yaml"), repositories).expect("the folder is ours");
    let cache = tempfile::tempdir().expect("a temporary folder");
    let wanted = http(&web.address, "web", "");
    charts(cache.path(), Some(home.path()))
        .get(&wanted)
        .expect("Helm knows the password");
    let error = charts(cache.path(), None)
        .get(&wanted)
        .expect_err("nobody knows the password");
    assert_snapshot!(told(&error, &[(&web.address, "http://web")]), @"
    the chart web of http://web/ is not at hand: http://web/index.yaml answered 401: the credentials were not accepted
      hint: --chart web=PATH takes the chart from this machine
    ");
}

#[test]
fn authorities_and_client_certificates_are_used() {
    let certificates = Certificates::new();
    let chart = packed("web", "1.0.0", &[]);
    let text = index(&[("1.0.0", "web.tgz", "")]);
    let web = Web::start_tls(&certificates, true, move |asked| match asked.path.as_str() {
        "/index.yaml" => Answer::ok(text.clone()),
        _ => Answer::ok(chart.clone()),
    });
    let cache = tempfile::tempdir().expect("a temporary folder");
    let get = |change: &dyn Fn(&mut Credentials)| {
        let mut credentials = basic();
        credentials.access.authorities = Some(certificates.authority.clone());
        credentials.access.identity = Some(certificates.client.clone());
        change(&mut credentials);
        charts(cache.path(), None).get(&reference(with(&web.address, credentials), "web", ""))
    };
    get(&|_| {}).expect("both are known");
    let unknown = get(&|credentials| credentials.access.authorities = None).expect_err("its authority is unknown");
    let nobody = get(&|credentials| credentials.access.identity = None).expect_err("it asks for a certificate");
    for error in [unknown, nobody] {
        let text = told(&error, &[]);
        assert!(text.contains("/index.yaml: ") && text.contains("ertificate"), "{text}");
    }
}

#[test]
fn what_is_not_there_is_told() {
    let good = packed("web", "1.0.0", &[]);
    let text = index(&[
        ("1.0.0", "good.tgz", ""),
        ("1.1.0", "good.tgz", &"0".repeat(64)),
        ("1.2.0", "cut.tgz", ""),
        ("1.3.0", "page.tgz", ""),
        ("1.4.0", "missing.tgz", ""),
        ("1.5.0", "ring.tgz", ""),
        ("1.6.0", "forbidden.tgz", ""),
        ("2.0.0-rc.1", "good.tgz", ""),
    ]);
    let web = Web::start(move |asked| match asked.path.as_str() {
        "/index.yaml" => Answer::ok(text.clone()),
        "/good.tgz" => Answer::ok(good.clone()),
        "/cut.tgz" => Answer::ok(&good[..good.len() / 2]),
        "/page.tgz" => Answer::ok("<html>"),
        "/ring.tgz" => Answer::redirect("/ring.tgz?again"),
        "/ring.tgz?again" => Answer::redirect("/ring.tgz"),
        "/forbidden.tgz" => Answer::status(403),
        "/page/index.yaml" => Answer::ok("<html>"),
        _ => Answer::status(404),
    });
    let cache = tempfile::tempdir().expect("a temporary folder");
    let charts = charts(cache.path(), None);
    let cause = |url: &str, name: &str, version: &str| {
        let error = charts
            .get(&http(&format!("{}{url}", web.address), name, version))
            .expect_err("it is not there");
        let text = told(&error, &[(&web.address, "http://web")]);
        text.lines()
            .next()
            .and_then(|line| line.split_once(" is not at hand: "))
            .expect("it is said so")
            .1
            .to_owned()
    };
    let all = [
        cause("", "web", "^3"),
        cause("", "web", "~1.1.5"),
        cause("", "web", "main"),
        cause("", "shop", "1"),
        cause("", "web", "1.1.0"),
        cause("", "web", "1.2.0"),
        cause("", "web", "1.3.0"),
        cause("", "web", "1.4.0"),
        cause("", "web", "1.5.0"),
        cause("", "web", "1.6.0"),
        cause("/none", "web", ""),
        cause("/page", "web", ""),
    ];
    let all = all.join("\n").replace(&sum(&packed("web", "1.0.0", &[])), "SUM");
    assert_snapshot!(all, @"
    no version satisfies ^3; the nearest are 2.0.0-rc.1, 1.6.0, 1.5.0, 1.4.0
    no version satisfies ~1.1.5; the nearest are 1.3.0, 1.2.0, 1.1.0, 1.0.0
    main is no version and no range of versions
    its index has no chart named shop
    what came from http://web/good.tgz has the checksum sha256:SUM, and its index says sha256:0000000000000000000000000000000000000000000000000000000000000000
    what came is no chart: it is damaged or cut off: incomplete deflate stream
    what came is no chart: it is no gzip archive
    http://web/missing.tgz answered 404: there is no such thing, or it is hidden from who asks
    http://web/ring.tgz redirects too often, or in a ring
    http://web/forbidden.tgz answered 403: the credentials may not read it
    http://web/none/index.yaml answered 404: there is no such thing, or it is hidden from who asks
    what it has as index.yaml is no index of charts
    ");
    let mail = charts
        .get(&http("ftp://me:canary-7f3a@host/x", "web", ""))
        .expect_err("it is no address of the web");
    assert_snapshot!(told(&mail, &[]), @"
    the chart web of ftp://host/x is not at hand: ftp://host/x is no usable address: ftp is not http or https
      hint: --chart web=PATH takes the chart from this machine
    ");
}

#[test]
fn what_fails_for_a_moment_is_tried_again() {
    let chart = packed("web", "1.0.0", &[]);
    let text = index(&[("1.0.0", "web.tgz", "")]);
    let asked = Arc::new(AtomicUsize::new(0));
    let web = Web::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::status(429).with("retry-after", "1"),
        1 => Answer::ok(text.clone()),
        2 => Answer::status(503),
        3 => Answer::ok(chart.clone()).cut_after(20),
        _ => Answer::ok(chart.clone()),
    });
    let cache = tempfile::tempdir().expect("a temporary folder");
    let started = std::time::Instant::now();
    charts(cache.path(), None)
        .get(&http(&web.address, "web", ""))
        .expect("it is served in the end");
    assert!(
        started.elapsed() >= std::time::Duration::from_secs(1),
        "it waited as long as it was told to"
    );
    assert_eq!(
        web.paths(),
        ["/index.yaml", "/index.yaml", "/web.tgz", "/web.tgz", "/web.tgz"]
    );
    // Longer than anybody waits: told at once.
    let busy = Web::start(|_| Answer::status(429).with("retry-after", "3600"));
    let error = charts(cache.path(), None)
        .get(&http(&busy.address, "web", ""))
        .expect_err("it is busy");
    assert_eq!(busy.paths().len(), 1);
    assert!(
        error.cause.ends_with("answered 429: too many questions, later again"),
        "{}",
        error.cause
    );
}

#[test]
fn a_chart_is_given_by_hand() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let archive = folder.path().join("web.tgz");
    std::fs::write(&archive, packed("web", "1.0.0", &[])).expect("the folder is ours");
    std::fs::write(folder.path().join("Chart.yaml"), "name: web\nversion: 2.0.0\n").expect("the folder is ours");
    let given = |name: &str, path: &std::path::Path| {
        let all = vec![(name.to_owned(), path.to_owned())];
        Charts::new(None, all, Configuration::default(), false)
    };
    let mut wanted = http("http://127.0.0.1:9", "web", "^2");
    wanted.called = vec!["flux-system/podinfo".to_owned()];
    let fetched = given("flux-system/podinfo", folder.path())
        .get(&wanted)
        .expect("it is there");
    assert_eq!(
        (fetched.version.as_str(), fetched.digest, fetched.remarks.len()),
        ("2.0.0", None, 0)
    );
    let fetched = given("web", &archive).get(&wanted).expect("it is there");
    assert!(fetched.digest.is_some());
    assert!(
        fetched.remarks[0].ends_with("that was given for it has the version 1.0.0, not ^2"),
        "{:?}",
        fetched.remarks
    );
    for (path, cause) in [
        ("nothing", "it could not be read: "),
        ("Chart.yaml", "it is no gzip archive"),
    ] {
        let error = given("web", &folder.path().join(path))
            .get(&wanted)
            .expect_err("it is no chart");
        assert!(error.cause.contains(cause), "{}", error.cause);
    }
    let error = given("other", &archive)
        .get(&wanted)
        .expect_err("nothing is served there");
    assert!(
        error
            .cause
            .starts_with("the chart web ^2 of http://127.0.0.1:9/ is not at hand: "),
        "{}",
        error.cause
    );
}
