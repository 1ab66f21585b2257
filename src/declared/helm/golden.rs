//! Rows that programs of Helm and Flux wrote: questions with their answers. `tests/tools/helm-oracle golden KIND SEED COUNT` writes
//! them; the ones in this folder are of seed 1.

use serde_json::Value;

/// The rows of a kind: those that were recorded, and with `REFLOAT_LONG` set 20,000 more that the programs write now.
pub(super) fn rows(kind: &str, recorded: &str) -> Vec<Value> {
    let read = |text: &str| -> Vec<Value> {
        let rows = text.lines().map(serde_json::from_str);
        rows.collect::<Result<_, _>>().expect("because the rows are JSON")
    };
    let mut rows = read(recorded);
    if std::env::var_os("REFLOAT_LONG").is_some() {
        let program = program();
        let output = run(&program, &["golden", kind, "7", "20000"]);
        rows.extend(read(&String::from_utf8_lossy(&output)));
    }
    rows
}

/// The oracle, built where it is not there yet.
pub(super) fn program() -> std::path::PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/build");
    let output = run(std::path::Path::new("bash"), &[script, "helm-oracle"]);
    let folder = String::from_utf8_lossy(&output).trim().to_owned();
    std::path::Path::new(&folder).join("helm-oracle")
}

/// What a program prints.
pub(super) fn run(program: &std::path::Path, args: &[&str]) -> Vec<u8> {
    let tool = crate::process::Tool::new(program).args(args.iter().copied());
    let names = [
        "PATH",
        "HOME",
        "GOPROXY",
        "GOFLAGS",
        "GOMODCACHE",
        "GOCACHE",
        "XDG_CACHE_HOME",
    ];
    let output = tool.inherit(names).run().expect("because it can be started");
    assert_eq!(output.code, Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
