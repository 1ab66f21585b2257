//! Sources of Applications: what is replaced in them, and which files they see.

use refloat::declared::{self, Options};
use refloat::source;
use serde_json::json;

use super::argo::{application, read, source as of_repository};
use super::{objects, problems};
use crate::charts::packed;
use crate::support::repo::Repo;
use crate::support::web::{Answer, Asked, Web};

const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: web}]}\n";

/// A chart that shows the values `all` lists.
fn chart(name: &str, all: &[&str]) -> [(String, String); 2] {
    let shown: Vec<String> = all
        .iter()
        .map(|value| format!("{value}: {{{{ .Values.{value} | quote }}}}"))
        .collect();
    let template = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {{{{ .Release.Name }}}}}}\ndata: {{{}}}\n",
        shown.join(", ")
    );
    [
        (
            format!("{name}/Chart.yaml"),
            format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n"),
        ),
        (format!("{name}/templates/map.yaml"), template),
    ]
}

/// Source: `reposerver/repository/repository.go` (`newEnv`, `helmTemplate`, `getResolvedValueFiles`), `util/kustomize/kustomize.go` (`Build`),
/// `pkg/apis/application/v1alpha1/types.go` (`Envsubst`).
#[test]
fn variables_are_replaced_where_argo_cd_replaces_them() {
    let values = ["tag", "long", "eight", "nobody", "money", "from", "text", "path"];
    let parameters = "[{name: tag, value: $ARGOCD_APP_REVISION_SHORT}, {name: long, value: '${ARGOCD_APP_REVISION}'}, \
        {name: eight, value: $ARGOCD_APP_REVISION_SHORT_8, forceString: true}, {name: nobody, value: 'a${NOBODY}b'}, {name: money, value: '$$5'}, \
        {name: path, value: '$ARGOCD_APP_SOURCE_PATH of $ARGOCD_APP_PROJECT_NAME'}]";
    let helm = format!(
        ", helm: {{parameters: {parameters}, valueFiles: [$ARGOCD_APP_NAME/values.yaml], fileParameters: [{{name: text, path: '${{ARGOCD_APP_NAMESPACE}}.txt'}}]}}"
    );
    let kustomize = |name: &str, more: &str| {
        let options = "images: ['web=registry.example.com/web:$ARGOCD_APP_REVISION_SHORT'], commonLabels: {rev: $ARGOCD_APP_REVISION_SHORT_8}, \
            commonAnnotations: {note: $ARGOCD_APP_NAME}";
        application(
            name,
            &of_repository(
                "built",
                &format!(", kustomize: {{namePrefix: {name}-, {options}{more}}}"),
            ),
        )
    };
    let apps = [
        application("chart", &of_repository("chart", &helm)),
        kustomize("plain", ""),
        kustomize("all", ", commonAnnotationsEnvsubst: true"),
    ]
    .concat();
    let files = [
        ("apps/all.yaml", &*apps),
        ("chart/chart/values.yaml", "from: a file of its own\n"),
        ("chart/shop.txt", "of the namespace"),
        ("built/kustomization.yaml", "resources: [web.yaml]\n"),
        ("built/web.yaml", WEB),
    ];
    let chart = chart("chart", &values);
    let more = chart.iter().map(|(path, text)| (&**path, &**text));
    let files: Vec<(&str, &str)> = files.into_iter().chain(more).collect();
    let repo = Repo::with(&files);
    let commit = repo.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let set = read(&repo, "apps");
    assert_eq!(problems(&set), Vec::<String>::new());
    let objects = objects(&set);
    assert_eq!(
        objects["ConfigMap/shop/chart"]["data"],
        json!({
            "tag": commit[..7], "long": commit, "eight": commit[..8], "nobody": "ab", "money": "$5", "from": "a file of its own",
            "text": "of the namespace", "path": "chart of default",
        })
    );
    for (name, note) in [("plain", "$ARGOCD_APP_NAME"), ("all", "all")] {
        let web = objects[&*format!("Deployment/shop/{name}-web")];
        assert_eq!(
            web["spec"]["template"]["spec"]["containers"][0]["image"],
            format!("registry.example.com/web:{}", &commit[..7])
        );
        assert_eq!(web["metadata"]["labels"]["rev"], commit[..8], "{name}");
        assert_eq!(web["metadata"]["annotations"]["note"], note, "{name}");
    }
    // A plain folder has no commit: nothing is rendered with a text that nobody meant.
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("because it lies in the folder")).expect("because it is ours");
        std::fs::write(path, text).expect("because it is ours");
    }
    let tree =
        source::open(&folder.path().display().to_string(), &source::Options::default()).expect("because it is there");
    let options = Options {
        paths: vec!["apps".to_owned()],
        ..Options::default()
    };
    let set = declared::load(&tree, &options).expect("because there is something to read");
    let told = problems(&set);
    assert_eq!(told.len(), 3, "{told:#?}");
    for problem in &set.problems {
        assert!(
            problem.message.contains("and the commit of its source is not known"),
            "{}",
            problem.message
        );
        assert_eq!(
            problem.hint.as_deref(),
            Some("read the repository from a Git clone, not from a plain folder")
        );
    }
    assert!(
        !super::objects(&set).keys().any(|id| id.contains("shop")),
        "{:?}",
        super::objects(&set).keys()
    );
}

/// A chart of a repository is its own root. Source: `reposerver/repository/repository.go` (`runRepoOperation`, `helmTemplate`: `chartPath` stands for
/// the folder and for the repository; `getReferencedSource` for `fileParameters` too).
#[test]
fn a_chart_from_elsewhere_has_files_of_its_own() {
    let all = ["size", "colour", "shape", "text", "far", "version"];
    let packed = packed(
        "web",
        "1.2.3",
        &[
            ("templates/map.yaml", &*chart("", &all)[1].1),
            ("values.yaml", "size: small\n"),
            ("values-production.yaml", "size: large\ncolour: red\n"),
            ("more/a.yaml", "shape: round\ncolour: blue\n"),
            ("more/b.yaml", "shape: square\n"),
            ("notes.txt", "of the chart"),
        ],
    );
    let web = Web::start(move |asked| match asked.path.as_str() {
        "/index.yaml" => {
            Answer::ok("apiVersion: v1\nentries:\n  web: [{name: web, version: 1.2.3, urls: [web.tgz]}]\n")
        }
        "/web.tgz" => Answer::ok(packed.clone()),
        _ => Answer::status(404),
    });
    let app = |name: &str, helm: &str| {
        let sources = format!(
            "  sources:\n  - {{repoURL: '{}', chart: web, targetRevision: '1.*', helm: {{{helm}}}}}\n  - {{repoURL: '{}', ref: config}}\n",
            web.address,
            super::argo::URL
        );
        application(name, &sources)
    };
    let files = "[{name: text, path: notes.txt}, {name: far, path: $config/far/$ARGOCD_APP_NAME.txt}]";
    let apps = [
        app("all", &format!(
            "valueFiles: [values-production.yaml, 'more/*.yaml', more/a.yaml], fileParameters: {files}, parameters: [{{name: version, value: $ARGOCD_APP_REVISION}}]"
        )),
        app("missing", "valueFiles: [nothing.yaml]"),
        app("lax", "valueFiles: [nothing.yaml, 'nothing/*.yaml'], ignoreMissingValueFiles: true"),
        app("none", "valueFiles: ['nothing/*.yaml']"),
        app("above", "fileParameters: [{name: text, path: ../../far/all.txt}]"),
    ]
    .concat();
    let repo = Repo::with(&[("apps/all.yaml", &*apps), ("far/all.txt", "of the repository")]);
    let set = read(&repo, "apps");
    let objects = objects(&set);
    assert_eq!(
        objects["ConfigMap/shop/all"]["data"],
        json!({
            "size": "large", "colour": "blue", "shape": "round", "text": "of the chart", "far": "of the repository", "version": "1.2.3",
        }),
        "what is named by itself stands where it is named"
    );
    assert_eq!(objects["ConfigMap/shop/lax"]["data"]["size"], "small");
    let told = problems(&set);
    for (name, why) in [
        ("missing", "there is no value file nothing.yaml"),
        ("none", "there is no value file nothing/*.yaml"),
        ("above", "there is no file far/all.txt"),
    ] {
        let about = format!("Application/argocd/{name}: nothing of this Application is restored: {why}");
        assert!(told.iter().any(|one| one.contains(&about)), "{about} in {told:#?}");
    }
    assert_eq!(told.len(), 3, "{told:#?}");
}

/// Source: `util/kustomize/kustomize.go`, `parseKustomizeBuildOptions`. The settings may come of a chart, later than what they are for.
#[test]
fn kustomizations_are_built_with_the_flags_of_the_settings() {
    let settings = |options: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: argocd-cm, namespace: argocd}}\ndata: {{kustomize.buildOptions: '{options}'}}\n"
        )
    };
    let repo = Repo::with(&[
        ("apps/all.yaml", &*application("shop", &of_repository("built/prod", ""))),
        ("apps/argo.yaml", &*application("argo", &of_repository("argo", ""))),
        ("built/prod/kustomization.yaml", "resources: [../web.yaml]\n"),
        ("built/web.yaml", WEB),
        ("argo/Chart.yaml", "apiVersion: v2\nname: argo\nversion: 1.0.0\n"),
        (
            "argo/templates/settings.yaml",
            &*settings("--enable-helm --load-restrictor LoadRestrictionsNone --enable-managedby-label"),
        ),
    ]);
    let set = read(&repo, "apps");
    assert!(
        objects(&set).contains_key("Deployment/shop/web"),
        "{:#?}",
        problems(&set)
    );
    let told = problems(&set);
    assert!(
        told.len() == 1
            && told[0]
                .contains("built without what kustomize.buildOptions of argocd-cm says: --enable-managedby-label"),
        "{told:#?}"
    );
    repo.write("argo/templates/settings.yaml", &settings("--enable-helm"));
    repo.commit("restricted");
    let set = read(&repo, "apps");
    assert!(!objects(&set).contains_key("Deployment/shop/web"));
    assert_eq!(set.problems.len(), 1, "{:#?}", problems(&set));
    let problem = &set.problems[0];
    assert!(
        problem.message.contains("file \"../web.yaml\" is not in or below"),
        "{}",
        problem.message
    );
    assert_eq!(
        problem.hint.as_deref(),
        Some(
            "`kustomize.buildOptions: --load-restrictor LoadRestrictionsNone` in argocd-cm lets kustomizations read it, here as in Argo CD"
        )
    );
}

/// Source: `util/db/repository.go`, `enrichCredsToRepo` (templates of credentials); `util/helm/cmd.go`, `--pass-credentials`.
#[test]
fn charts_are_asked_for_with_the_credentials_of_templates() {
    let packed = packed(
        "web",
        "1.2.3",
        &[(
            "templates/map.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n",
        )],
    );
    let signed = |asked: &Asked, answer: Answer| match asked.header("authorization").starts_with("Basic ") {
        true => answer,
        false => Answer::status(401),
    };
    let files = Web::start(move |asked| signed(asked, Answer::ok(packed.clone())));
    let index = format!(
        "apiVersion: v1\nentries:\n  web: [{{name: web, version: 1.2.3, urls: ['{}/web.tgz']}}]\n",
        files.address
    );
    let repository = Web::start(move |asked| match asked.path.as_str() {
        "/team/charts/index.yaml" => signed(asked, Answer::ok(index.clone())),
        _ => Answer::status(404),
    });
    let app = |name: &str, helm: &str| {
        let address = &repository.address;
        application(
            name,
            &format!("  source: {{repoURL: '{address}/team/charts', chart: web, targetRevision: 1.2.3{helm}}}\n"),
        )
    };
    let template = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: template, namespace: argocd, labels: {{argocd.argoproj.io/secret-type: repo-creds}}}}\n\
         stringData: {{url: '{}/team', username: user, password: canary-4b1}}\n---\n",
        repository.address
    );
    let apps = [
        template,
        app("passes", ", helm: {passCredentials: true}"),
        app("keeps", ""),
    ]
    .concat();
    let repo = Repo::with(&[("apps/all.yaml", &*apps)]);
    let set = read(&repo, "apps");
    assert!(
        objects(&set).contains_key("ConfigMap/shop/passes"),
        "{:#?}",
        problems(&set)
    );
    assert!(
        !objects(&set).contains_key("ConfigMap/shop/keeps"),
        "they go to no other server by themselves"
    );
    let told = problems(&set);
    assert!(
        told.len() == 1 && told[0].contains("Application/argocd/keeps") && told[0].contains("401"),
        "{told:#?}"
    );
}
