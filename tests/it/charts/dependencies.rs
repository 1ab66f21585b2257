//! Charts that charts in the repository need from elsewhere.

use refloat::declared::helm::{Charts, Dependency};

use super::{charts, configuration, packed};
use crate::support::web::{Answer, Web};

fn dependency(name: &str, version: &str, repository: &str) -> Dependency {
    Dependency {
        name: name.to_owned(),
        version: version.to_owned(),
        repository: repository.to_owned(),
    }
}

fn repository() -> Web {
    let index = "apiVersion: v1\nentries:\n  db:\n  - {version: 1.3.0, urls: [db-1.3.0.tgz]}\n  - {version: 1.2.0, urls: [db-1.2.0.tgz]}\n";
    Web::start(move |asked| match asked.path.as_str() {
        "/index.yaml" => Answer::ok(index),
        "/db-1.3.0.tgz" => Answer::ok(packed("db", "1.3.0", &[])),
        "/db-1.2.0.tgz" => Answer::ok(packed("db", "1.2.0", &[])),
        _ => Answer::status(404),
    })
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("charts"))
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn they_are_fetched_into_the_copy_as_the_lock_says() {
    let web = repository();
    let cache = tempfile::tempdir().expect("a temporary folder");
    let lock = format!(
        "dependencies:\n- {{name: db, version: 1.2.0, repository: '{}'}}\n",
        web.address
    );
    for (lock, found) in [(None, "db-1.3.0.tgz"), (Some(lock), "db-1.2.0.tgz")] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        if let Some(lock) = lock {
            std::fs::write(folder.path().join("Chart.lock"), lock).expect("the folder is ours");
        }
        let missing = [
            dependency("db", "1.x", &web.address),
            dependency("beside", "", "file://../beside"),
        ];
        let missing: Vec<&Dependency> = missing.iter().collect();
        charts(cache.path(), None)
            .complete(folder.path(), &missing)
            .expect("it is served");
        assert_eq!(names(folder.path()), [found]);
    }
}

#[test]
fn repositories_may_go_by_the_name_that_helm_has_for_them() {
    let web = repository();
    let home = tempfile::tempdir().expect("a temporary folder");
    let config = home.path().join(".config/helm");
    std::fs::create_dir_all(&config).expect("the folder is ours");
    let text = format!("repositories: [{{name: own, url: '{}'}}]", web.address);
    std::fs::write(config.join("repositories.yaml"), text).expect("the folder is ours");
    let charts = Charts::new(None, Vec::new(), configuration(Some(home.path())), false);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let missing = [
        dependency("db", "~1.2", "@own"),
        dependency("db", "", "alias:lost"),
        dependency("db", "^9", &web.address),
    ];
    let missing: Vec<&Dependency> = missing.iter().collect();
    charts.complete(folder.path(), &missing[..1]).expect("Helm knows it");
    assert_eq!(names(folder.path()), ["db-1.2.0.tgz"]);
    let errors = charts
        .complete(folder.path(), &missing[1..])
        .expect_err("Helm knows no other, and there is no 9");
    let errors: Vec<String> = errors
        .into_iter()
        .map(|error| error.cause.replace(&web.address, "http://web"))
        .collect();
    assert_eq!(
        errors,
        [
            "the chart db is of the repository lost, which Helm does not know here",
            "the chart db ^9 of http://web/ is not at hand: no version satisfies ^9; the nearest are 1.3.0, 1.2.0",
        ]
    );
}
