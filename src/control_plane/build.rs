//! Builds the programs with Go, from two modules that refloat carries; their `go.sum` pins every line of code.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use super::cache::{Cache, SEVERAL};
use super::download::Refusal;
use super::obtain::Tried;
use super::parts::Part;
use super::{KUBERNETES_VERSION, KWOK_VERSION, Progress};
use crate::process::{BASIC_ENVIRONMENT, Tool, ToolError, which_in};

/// The oldest Go that can build them.
pub(super) const GO: &str = "1.26";
/// How long one build may take; on two slow cores it takes some ten minutes.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// How many lines of what Go says go into an error.
const TAIL: usize = 5;

/// What Go itself is steered by.
const GO_ENVIRONMENT: [&str; 15] = [
    "GOPATH",
    "GOROOT",
    "GOENV",
    "GOCACHE",
    "GOMODCACHE",
    "GOPROXY",
    "GOSUMDB",
    "GONOSUMDB",
    "GONOPROXY",
    "GOPRIVATE",
    "GOINSECURE",
    "GOFLAGS",
    "GOTOOLCHAIN",
    "GOMAXPROCS",
    "CGO_ENABLED",
];

/// A module that refloat carries.
struct Module {
    /// What it makes, and the name under which that is kept.
    name: &'static str,
    version: &'static str,
    files: &'static [(&'static str, &'static str)],
    package: &'static str,
    /// Tells the programs their version; without it they take themselves for v0.0.0.
    flags: &'static str,
}

const CONTROL_PLANE: Module = Module {
    name: SEVERAL,
    version: KUBERNETES_VERSION,
    files: &[
        ("main.go", include_str!("go/control-plane/main.go")),
        ("go.mod", include_str!("go/control-plane/go.mod")),
        ("go.sum", include_str!("go/control-plane/go.sum")),
    ],
    package: ".",
    flags: "-s -w -X k8s.io/component-base/version.gitVersion=v1.37.2 \
            -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37",
};

const KWOK: Module = Module {
    name: "kwok",
    version: KWOK_VERSION,
    files: &[
        ("go.mod", include_str!("go/kwok/go.mod")),
        ("go.sum", include_str!("go/kwok/go.sum")),
    ],
    package: "sigs.k8s.io/kwok/cmd/kwok",
    flags: "-s -w",
};

/// Builds what it can of the missing parts; what it cannot is noted. `path` says where `go` may be.
pub(super) async fn build(
    cache: &Cache,
    missing: &[Part],
    version: &str,
    path: &OsStr,
    tried: &mut Tried,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Refusal> {
    let mut modules = Vec::new();
    let kubernetes = missing.iter().any(|part| part.is_kubernetes());
    if kubernetes && version != KUBERNETES_VERSION {
        tried.note(format!(
            "build: refloat carries the code of {KUBERNETES_VERSION} alone, not of {version}"
        ));
    } else if missing.iter().any(|part| *part != Part::Kwok) {
        modules.push(CONTROL_PLANE);
    }
    if missing.contains(&Part::Kwok) {
        modules.push(KWOK);
    }
    if modules.is_empty() {
        return Ok(());
    }
    let Some(go) = which_in("go", path) else {
        tried.note("build: go is not installed (there is none on PATH)".to_owned());
        return Ok(());
    };
    for module in modules {
        progress(Progress::Building(module.name));
        if let Err(reason) = build_one(cache, &module, &go).await? {
            let reason = format!("build: {}: {reason}", module.name);
            progress(Progress::Unavailable(reason.clone()));
            tried.note(reason);
        }
    }
    Ok(())
}

/// The inner result says why Go did not build it.
async fn build_one(cache: &Cache, module: &Module, go: &Path) -> Result<Result<(), String>, Refusal> {
    let workplace = cache.workplace().map_err(Refusal::Unwritable)?;
    for (name, text) in module.files {
        let written = std::fs::write(workplace.path().join(name), text);
        written.map_err(|error| Refusal::Unwritable(cache.unwritable(&error)))?;
    }
    let tool = Tool::new(go)
        .args([
            "build",
            "-mod=readonly",
            "-trimpath",
            "-ldflags",
            module.flags,
            "-o",
            "made",
            module.package,
        ])
        .folder(workplace.path())
        .inherit(BASIC_ENVIRONMENT)
        .inherit(GO_ENVIRONMENT)
        // A workspace of the user's is none of this module's business.
        .env("GOWORK", "off")
        .timeout(TIMEOUT);
    match tool.run_async().await {
        Ok(ran) if ran.code == Some(0) => {}
        Ok(ran) => return Ok(Err(last_lines(&ran.stderr))),
        Err(error @ (ToolError::NotFound { .. } | ToolError::TimedOut { .. } | ToolError::Start { .. })) => {
            return Ok(Err(error.to_string()));
        }
        Err(error) => return Ok(Err(error.to_string())),
    }
    let stored = cache.store(
        &workplace.path().join("made"),
        module.name,
        module.version,
        "built with go",
    );
    stored.map(Ok).map_err(Refusal::Unwritable)
}

fn last_lines(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("go: downloading "))
        .collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::ETCD_VERSION;

    #[test]
    fn the_modules_pin_the_versions_that_are_promised() {
        let [(_, _), (_, module), _] = CONTROL_PLANE.files else {
            panic!("three files")
        };
        assert!(
            module.contains(&format!("k8s.io/kubernetes {KUBERNETES_VERSION}\n")),
            "{module}"
        );
        assert!(
            module.contains(&format!("go.etcd.io/etcd/server/v3 {ETCD_VERSION}\n")),
            "{module}"
        );
        assert!(
            CONTROL_PLANE
                .flags
                .contains(&format!("gitVersion={KUBERNETES_VERSION} "))
        );
        let [(_, module), _] = KWOK.files else {
            panic!("two files")
        };
        assert!(module.contains(&format!("sigs.k8s.io/kwok {KWOK_VERSION}")), "{module}");
        for files in [CONTROL_PLANE.files, KWOK.files] {
            let module = files.iter().find(|(name, _)| *name == "go.mod").map(|(_, text)| *text);
            assert!(
                module.is_some_and(|text| text.contains(&format!("\ngo {GO}.0\n"))),
                "another oldest Go"
            );
        }
    }

    #[test]
    fn downloads_are_no_reasons() {
        assert_eq!(last_lines(b"go: downloading a v1\nmain.go:1: bad\n"), "main.go:1: bad");
    }
}
