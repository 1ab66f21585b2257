//! Pull requests, on servers that speak as the three forges document it.

use std::sync::{Arc, Mutex, PoisonError};

use refloat::forge::{Forge, Kind, Proposal, Proposed, Token, Was};
use serde_json::{Value, json};

use crate::support::web::{Answer, Asked, Web};

pub(crate) const TOKEN: &str = "canary-token";

/// What a forge knows of one request.
#[derive(Clone)]
pub(crate) struct Request {
    pub number: u64,
    pub title: String,
    pub body: String,
    pub base: String,
    pub branch: String,
    /// The project that the branch is in; ours is 7.
    pub from: u64,
}

pub(crate) type Requests = Arc<Mutex<Vec<Request>>>;

/// A forge with one project, as its documentation has it. `before` may answer instead.
pub(crate) fn serve(kind: Kind, before: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> (Web, Requests) {
    let requests = Requests::default();
    let kept = requests.clone();
    let web = Web::start(move |asked| {
        before(asked).unwrap_or_else(|| answer(kind, asked, &mut kept.lock().unwrap_or_else(PoisonError::into_inner)))
    });
    (web, requests)
}

pub(crate) fn nothing(_: &Asked) -> Option<Answer> {
    None
}

pub(crate) fn status(status: u16, body: &Value) -> Answer {
    Answer::status(status).body(body.to_string())
}

fn answer(kind: Kind, asked: &Asked, requests: &mut Vec<Request>) -> Answer {
    if asked.header("authorization") != format!("Bearer {TOKEN}") {
        return status(401, &json!({ "message": "401 Unauthorized" }));
    }
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let wanted = |key: &str| {
        query
            .split('&')
            .find_map(|pair| Some(pair.strip_prefix(key)?.strip_prefix('=')?.to_owned()))
    };
    let value: Value = serde_json::from_str(&asked.body).unwrap_or_default();
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let (project, list) = match kind {
        Kind::GitLab => ("/projects/7", "/projects/7/merge_requests"),
        Kind::GitHub | Kind::Gitea => ("/repos/org/repo", "/repos/org/repo/pulls"),
    };
    let path = path.strip_prefix("/api").unwrap_or(path);
    match (asked.method.as_str(), path) {
        ("GET", "/projects/group%2Fsub%2Frepo") if kind == Kind::GitLab => Answer::ok(
            json!({ "id": 7, "path_with_namespace": "group/sub/repo", "default_branch": "trunk" }).to_string(),
        ),
        ("GET", at) if at == project && kind != Kind::GitLab => {
            Answer::ok(json!({ "id": 7, "full_name": "org/repo", "default_branch": "trunk" }).to_string())
        }
        ("GET", at) if at == list => {
            let page: usize = wanted("page").and_then(|page| page.parse().ok()).unwrap_or(1);
            let of = |request: &&Request| match kind {
                Kind::GitHub => {
                    wanted("head").is_some_and(|head| head == format!("org:{}", request.branch.replace('/', "%2F")))
                }
                Kind::GitLab => {
                    wanted("source_branch").is_some_and(|branch| branch == request.branch.replace('/', "%2F"))
                }
                Kind::Gitea => true,
            };
            let listed = requests.iter().filter(of).skip((page - 1) * 50).take(50);
            Answer::ok(Value::from_iter(listed.map(|one| shown(kind, one))).to_string())
        }
        ("POST", at) if at == list => {
            let (branch, base, body) = match kind {
                Kind::GitLab => (text("source_branch"), text("target_branch"), text("description")),
                Kind::GitHub | Kind::Gitea => (text("head"), text("base"), text("body")),
            };
            if requests.iter().any(|one| one.branch == branch && one.from == 7) {
                return exists(kind);
            }
            let number = requests.len() as u64 + 1;
            requests.push(Request {
                number,
                title: text("title"),
                body,
                base,
                branch,
                from: 7,
            });
            status(201, &shown(kind, &requests[requests.len() - 1]))
        }
        ("PUT" | "PATCH", at) if at.starts_with(list) && (asked.method == "PUT") == (kind == Kind::GitLab) => {
            let number: u64 = at
                .rsplit('/')
                .next()
                .and_then(|number| number.parse().ok())
                .unwrap_or_default();
            let Some(one) = requests.iter_mut().find(|one| one.number == number) else {
                return status(404, &json!({ "message": "Not Found" }));
            };
            let (body, base) = if kind == Kind::GitLab {
                ("description", "target_branch")
            } else {
                ("body", "base")
            };
            (one.title, one.body) = (text("title"), text(body));
            if value[base].is_string() {
                one.base = text(base);
            }
            status(if kind == Kind::Gitea { 201 } else { 200 }, &shown(kind, one))
        }
        _ => status(404, &json!({ "message": "Not Found" })),
    }
}

fn exists(kind: Kind) -> Answer {
    match kind {
        Kind::GitHub => status(
            422,
            &json!({ "message": "Validation Failed", "errors": [{ "resource": "PullRequest", "code": "custom", "message": "A pull request already exists for org:refloat/prod." }] }),
        ),
        Kind::GitLab => status(
            409,
            &json!({ "message": ["Another open merge request already exists for this source branch: !1"] }),
        ),
        Kind::Gitea => status(
            409,
            &json!({ "message": "pull request already exists for these targets [id: 1]", "url": "http://x/api/swagger" }),
        ),
    }
}

fn shown(kind: Kind, one: &Request) -> Value {
    let Request {
        number,
        title,
        body,
        base,
        branch,
        from,
    } = one;
    match kind {
        Kind::GitLab => json!({
            "id": 1000 + number, "iid": number, "project_id": 7, "title": title, "description": body, "state": "opened",
            "source_branch": branch, "target_branch": base, "source_project_id": from, "target_project_id": 7,
            "web_url": format!("https://forge/group/sub/repo/-/merge_requests/{number}"),
        }),
        Kind::GitHub | Kind::Gitea => json!({
            "id": 1000 + number, "number": number, "title": title, "body": body, "state": "open",
            "html_url": format!("https://forge/org/repo/pulls/{number}"),
            "head": { "ref": branch, "label": branch, "repo": { "id": from, "full_name": "org/repo" } },
            "base": { "ref": base, "repo": { "id": 7, "full_name": "org/repo" } },
        }),
    }
}

fn forge(kind: Kind, web: &Web) -> Forge {
    let project = if kind == Kind::GitLab {
        "group/sub/repo"
    } else {
        "org/repo"
    };
    let remote = format!("http://me:canary@{}/{project}.git", web.host());
    Forge::of(&remote, Some(kind), Some(&format!("{}/api", web.address))).expect("because the address names a project")
}

fn proposal<'a>(title: &'a str, body: &'a str) -> Proposal<'a> {
    Proposal {
        branch: "refloat/prod",
        base: None,
        title,
        body,
    }
}

fn propose(kind: Kind, web: &Web, proposal: &Proposal<'_>) -> Result<Proposed, String> {
    let proposed = forge(kind, web).propose(proposal, &Token::new(TOKEN));
    proposed.map_err(|failure| failure.to_string().replace(web.host(), "HOST"))
}

#[test]
fn a_request_is_opened_once_and_then_updated() {
    for kind in Kind::ALL {
        let (web, requests) = serve(kind, nothing);
        let one = propose(kind, &web, &proposal("one", "body\n")).expect("because nothing is against it");
        assert_eq!((one.number, one.was), (1, Was::Opened), "{kind:?}");
        assert!(
            one.address.starts_with("https://forge/") && one.address.ends_with("/1"),
            "{}",
            one.address
        );
        let again = propose(kind, &web, &proposal("one", "body")).expect("because nothing is against it");
        assert_eq!((again.number, again.was), (1, Was::Unchanged), "{kind:?}");
        let other = propose(kind, &web, &proposal("one", "other")).expect("because nothing is against it");
        assert_eq!((other.number, other.was), (1, Was::Updated), "{kind:?}");
        let moved = Proposal {
            base: Some("release"),
            ..proposal("one", "other")
        };
        assert_eq!(
            propose(kind, &web, &moved).expect("because nothing is against it").was,
            Was::Updated,
            "{kind:?}"
        );
        // Without a base, it stays where it points.
        assert_eq!(
            propose(kind, &web, &proposal("one", "other"))
                .expect("because nothing is against it")
                .was,
            Was::Unchanged
        );
        let requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
        let only = &requests[0];
        assert_eq!(
            (
                requests.len(),
                only.title.as_str(),
                only.body.as_str(),
                only.base.as_str(),
                only.branch.as_str()
            ),
            (1, "one", "other", "release", "refloat/prod"),
            "{kind:?}"
        );
        let wrote: Vec<String> = web
            .asked()
            .iter()
            .filter(|asked| asked.method != "GET")
            .map(|asked| asked.method.clone())
            .collect();
        let change = if kind == Kind::GitLab { "PUT" } else { "PATCH" };
        assert_eq!(wrote, ["POST", change, change], "{kind:?}");
    }
}

#[test]
fn the_default_branch_is_asked_for() {
    for kind in Kind::ALL {
        let (web, requests) = serve(kind, nothing);
        propose(kind, &web, &proposal("one", "")).expect("because nothing is against it");
        assert_eq!(requests.lock().unwrap_or_else(PoisonError::into_inner)[0].base, "trunk");
        let same = propose(
            kind,
            &web,
            &Proposal {
                branch: "trunk",
                ..proposal("one", "")
            },
        );
        assert!(
            same.expect_err("because it is the base")
                .contains("the branch is the one that it would be merged into")
        );
    }
}

#[test]
fn requests_of_other_branches_are_left_alone() {
    for kind in Kind::ALL {
        let (web, requests) = serve(kind, nothing);
        let of = |number, branch: &str, from| Request {
            number,
            title: "theirs".to_owned(),
            body: String::new(),
            base: "trunk".to_owned(),
            branch: branch.to_owned(),
            from,
        };
        // More than a page, and one from a fork with a branch of the same name.
        let mut theirs: Vec<Request> = (1..=60).map(|number| of(number, "feature", 7)).collect();
        theirs.push(of(61, "refloat/prod", 8));
        requests.lock().unwrap_or_else(PoisonError::into_inner).extend(theirs);
        let one = propose(kind, &web, &proposal("one", "body")).expect("because nothing is against it");
        assert_eq!((one.number, one.was), (62, Was::Opened), "{kind:?}");
        let again = propose(kind, &web, &proposal("two", "body")).expect("because nothing is against it");
        assert_eq!((again.number, again.was), (62, Was::Updated), "{kind:?}");
        let kept = requests.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(kept[..61].iter().all(|one| one.title == "theirs"), "{kind:?}");
    }
}

#[test]
fn one_that_was_opened_meanwhile_is_updated() {
    for kind in Kind::ALL {
        let lists = Mutex::new(0);
        let (web, requests) = serve(kind, move |asked| {
            let is_list =
                asked.method == "GET" && (asked.path.contains("/pulls?") || asked.path.contains("/merge_requests?"));
            let mut lists = lists.lock().unwrap_or_else(PoisonError::into_inner);
            *lists += u32::from(is_list);
            (is_list && *lists == 1).then(|| Answer::ok("[]"))
        });
        let theirs = Request {
            number: 1,
            title: "one".to_owned(),
            body: "old".to_owned(),
            base: "trunk".to_owned(),
            branch: "refloat/prod".to_owned(),
            from: 7,
        };
        requests.lock().unwrap_or_else(PoisonError::into_inner).push(theirs);
        let one = propose(kind, &web, &proposal("one", "new")).expect("because nothing is against it");
        assert_eq!((one.number, one.was), (1, Was::Updated), "{kind:?}");
    }
}

#[test]
fn each_refusal_says_what_to_do() {
    let long = format!("\u{1b}[31m{TOKEN} {}", "x".repeat(1000));
    for (code, body, means, hint) in [
        (
            401,
            json!({ "message": "Bad credentials" }),
            "it does not accept the token (401): Bad credentials",
            "it may have expired, or be of another forge",
        ),
        (
            403,
            json!({ "message": "Resource not accessible by integration" }),
            "the token may not do this (403): Resource not",
            "give the token what it needs: ",
        ),
        (
            403,
            json!({ "message": "You have exceeded a secondary rate limit" }),
            "it has had too many requests (403): You have",
            "wait",
        ),
        (
            404,
            json!({ "message": "404 Project Not Found" }),
            "may not see it (404): 404 Project Not Found",
            "check the remote's address",
        ),
        (
            409,
            json!({ "message": "conflict" }),
            "it refuses the request (409): conflict",
            "open it by hand",
        ),
        (
            422,
            json!({ "message": "Validation Failed", "errors": [{ "resource": "PullRequest", "field": "base", "code": "invalid" }, { "message": "No commits between trunk and refloat/prod" }] }),
            "it refuses the request (422): Validation Failed; base: invalid; No commits between trunk and refloat/prod",
            "open it by hand",
        ),
        (
            400,
            json!({ "message": { "title": ["can't be blank"] } }),
            "(400): title can't be blank",
            "open it by hand",
        ),
        (
            403,
            json!({ "error": "insufficient_scope", "error_description": "needs api" }),
            "(403): insufficient_scope; needs api",
            "give the token what it needs: ",
        ),
        (
            422,
            json!({ "message": long }),
            "(422): \\u{1b}[31m*** xxxx",
            "open it by hand",
        ),
        (
            423,
            json!({ "message": "Repo is archived" }),
            "archived or locked (423): Repo is archived",
            "unlock",
        ),
        (
            301,
            json!({ "message": "Moved Permanently" }),
            "is elsewhere now (301)",
            "give the remote its new address (`git remote set-url`)",
        ),
        (
            418,
            Value::Null,
            "it answers as it should not (418)\n",
            "check which forge",
        ),
    ] {
        for kind in Kind::ALL {
            let body = body.clone();
            let (web, requests) = serve(kind, move |asked| (asked.method == "POST").then(|| status(code, &body)));
            let said = propose(kind, &web, &proposal("one", "body")).expect_err("because it is refused");
            let project = if kind == Kind::GitLab {
                "group/sub/repo"
            } else {
                "org/repo"
            };
            let begin = format!(
                "Error: refloat/prod is pushed, but no {} was opened for it on HOST/{project}\n  because: HOST: ",
                kind.request()
            );
            assert!(said.starts_with(&begin) && said.contains(means), "{code}: {said}");
            assert!(said.contains(&format!("\n  hint: {hint}")), "{code}: {said}");
            assert!(!said.contains("canary") && said.len() < 1000, "{code}: {said}");
            assert!(requests.lock().unwrap_or_else(PoisonError::into_inner).is_empty());
        }
    }
    let (web, _) = serve(Kind::GitHub, nothing);
    let wrong = forge(Kind::GitHub, &web).propose(&proposal("one", ""), &Token::new("canary-other"));
    let wrong = wrong.expect_err("because the token is wrong").to_string();
    assert!(
        wrong.contains("it does not accept the token (401): 401 Unauthorized") && !wrong.contains("canary"),
        "{wrong}"
    );
    let (web, _) = serve(Kind::GitHub, |asked| {
        (asked.method == "PATCH").then(|| Answer::status(403))
    });
    propose(Kind::GitHub, &web, &proposal("one", "")).expect("because nothing is against it");
    let said = propose(Kind::GitHub, &web, &proposal("two", "")).expect_err("because it is refused");
    assert!(
        said.starts_with("Error: refloat/prod is pushed, but what its pull request https://forge/org/repo/pulls/1 says was not updated\n"),
        "{said}"
    );
}

#[test]
fn what_passes_is_waited_for_and_not_for_ever() {
    for (code, wait) in [(429, Some("1")), (503, Some("1")), (502, None)] {
        let tries = Mutex::new(0);
        let (web, _) = serve(Kind::GitLab, move |asked| {
            let mut tries = tries.lock().unwrap_or_else(PoisonError::into_inner);
            *tries += u32::from(asked.method == "POST");
            let answer = match wait {
                Some(wait) => Answer::status(code).with("retry-after", wait),
                None => Answer::status(code),
            };
            (asked.method == "POST" && *tries == 1).then_some(answer)
        });
        let one = propose(Kind::GitLab, &web, &proposal("one", "body")).expect("because it passes");
        assert_eq!(one.was, Was::Opened, "{code}");
    }
    let (web, _) = serve(Kind::GitLab, |_| Some(Answer::status(429).with("retry-after", "3600")));
    let said = propose(Kind::GitLab, &web, &proposal("one", "body")).expect_err("because it does not pass");
    assert!(said.contains("it has had too many requests (429)\n"), "{said}");
    assert_eq!(web.asked().len(), 1);
    let (web, _) = serve(Kind::GitLab, |_| Some(Answer::status(500)));
    let said = propose(Kind::GitLab, &web, &proposal("one", "body")).expect_err("because it does not pass");
    assert!(
        said.contains("it has trouble of its own (500)\n  hint: run it again later"),
        "{said}"
    );
    let (web, _) = serve(Kind::GitHub, |_| Some(Answer::ok("<html>sign in</html>")));
    let said = propose(Kind::GitHub, &web, &proposal("one", "body")).expect_err("because it is a page");
    assert!(
        said.contains("  because: http://HOST/api does not answer as GitHub does\n"),
        "{said}"
    );
    let nobody = Forge::of("http://127.0.0.1:1/org/repo", Some(Kind::GitHub), None).expect("because it is told");
    let said = nobody
        .propose(&proposal("one", "body"), &Token::new(TOKEN))
        .expect_err("because nobody is there")
        .to_string();
    assert!(said.contains("hint: check the network"), "{said}");
}

#[test]
fn a_project_that_was_renamed_is_found() {
    let (web, requests) = serve(Kind::GitHub, |asked| {
        (asked.path == "/api/repos/org/old").then(|| Answer::redirect("/api/repos/org/repo"))
    });
    let remote = format!("http://{}/org/old.git", web.host());
    let forge =
        Forge::of(&remote, Some(Kind::GitHub), Some(&format!("{}/api", web.address))).expect("because it is told");
    let one = forge
        .propose(&proposal("one", ""), &Token::new(TOKEN))
        .expect("because nothing is against it");
    assert_eq!(
        (one.was, requests.lock().unwrap_or_else(PoisonError::into_inner).len()),
        (Was::Opened, 1)
    );
}

#[test]
fn a_server_is_asked_what_it_is() {
    let version = |path: &'static str, answer: fn() -> Answer| {
        Web::start(move |asked| match asked.path == path {
            true => answer(),
            false => Answer::status(404),
        })
    };
    for (web, kind) in [
        (
            version("/api/v1/version", || Answer::ok(r#"{"version":"1.22.0"}"#)),
            Kind::Gitea,
        ),
        (
            version("/api/v4/version", || {
                Answer::status(401).body(r#"{"message":"401 Unauthorized"}"#)
            }),
            Kind::GitLab,
        ),
        (
            version("/api/v3/meta", || {
                Answer::ok("{}").with("x-github-enterprise-version", "3.14.0")
            }),
            Kind::GitHub,
        ),
    ] {
        let forge =
            Forge::of(&format!("http://me:canary@{}/org/repo", web.host()), None, None).expect("because it tells");
        assert_eq!(
            (forge.kind(), forge.shown()),
            (kind, format!("{}/org/repo", web.host()))
        );
        assert!(
            web.asked().iter().all(|asked| asked.header("authorization").is_empty()),
            "nobody signs in to ask"
        );
        assert!(!format!("{forge:?}").contains("canary"));
    }
    let other = version("/", || Answer::ok("a page"));
    let said = Forge::of(&format!("http://{}/org/repo", other.host()), None, None)
        .expect_err("because it is no forge")
        .to_string();
    assert!(
        said.contains("does not answer as GitHub, GitLab, Gitea or Forgejo do\n  hint: say which it is with --forge"),
        "{said}"
    );
    let said = Forge::of("http://127.0.0.1:1/org/repo", None, None)
        .expect_err("because nobody is there")
        .to_string();
    assert!(
        said.contains("\n  because: which forge it is could not be asked: http://127.0.0.1:1/api/v1/version: "),
        "{said}"
    );
}

#[test]
fn a_body_that_is_too_long_is_cut() {
    let body = "- Deployment/shop/checkout: replicas\n".repeat(5_000);
    for (kind, kept) in [(Kind::GitHub, 60_000), (Kind::GitLab, 185_000), (Kind::Gitea, 185_000)] {
        let (web, requests) = serve(kind, nothing);
        let title = "x\n".repeat(400);
        propose(kind, &web, &proposal(&title, &body)).expect("because it is cut");
        assert_eq!(
            propose(kind, &web, &proposal(&title, &body))
                .expect("because it is cut")
                .was,
            Was::Unchanged,
            "{kind:?}"
        );
        let requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(
            requests[0].body.len() <= kept && requests[0].body.len() > kept - 100,
            "{kind:?}: {}",
            requests[0].body.len()
        );
        assert_eq!(requests[0].title.chars().count(), 255);
    }
}
