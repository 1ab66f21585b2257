//! YAML and JSON exactly as Kubernetes reads and writes it.
//!
//! Kubernetes does not read YAML 1.2. `kubectl`, Kustomize, Helm and the GitOps engines go through
//! `sigs.k8s.io/yaml`: a YAML 1.1 reader (go-yaml v2) whose result is turned into JSON and read again
//! by a JSON decoder that keeps integers. So `on` is a boolean, `0644` is 420, `1e3` is the integer
//! 1000, `12e34567` is a string, `<<` merges, a key given twice takes its last value, and streams are
//! cut at lines that begin with `---` before any YAML is looked at, even inside a block of text.
//! This crate does the same on top of the event parser of `serde-saphyr`; the table of cases in
//! `tests/reference.rs` was read off the Go implementation.
//!
//! What it adds: the line of every document, error and repeated key, and a bad document does not lose
//! its neighbours. Messages never quote values, because the file may hold a Secret.
//!
//! ```
//! let text = b"kind: ConfigMap\ndata: {mode: 0644}\n---\nkind: [broken\n---\nkind: Secret\nkind: Secret\n";
//! let documents = kube_yaml::parse(text);
//! assert_eq!(documents.len(), 3);
//! assert_eq!(documents[0].value.as_ref().expect("good")["data"]["mode"], 420);
//! assert_eq!(documents[1].value.as_ref().expect_err("bad").line, 4);
//! assert_eq!(documents[2].line, 6);
//! assert_eq!(documents[2].warnings[0].line, 7);
//! ```
//!
//! Where this crate differs from Kubernetes, as far as is known:
//!
//! - What Go refuses and this crate reads: tabs before a token, anchors with dots, `%YAML 1.2`, `\/` and
//!   surrogate pairs in quotes, YAML after the second value of a JSON stream. The value is the obvious one.
//! - What Go reads and this crate refuses: `[-]`, `'a'b`, more than 256 levels, JSON of more than 128 levels, UTF-16,
//!   half surrogate pairs and bytes that are not UTF-8 in JSON, text on the line of `...`.
//! - `{a:}` has the key `a` here and the key `a:` in Go. U+0085, U+2028 and U+2029 end lines in Go only (warned of).
//! - Of keys that are equal only as text (`1` and `"1"`) the last wins; in Go it is either.
//!
//! Writing gives what `kubectl get -o yaml` gives, with the order of keys kept:
//!
//! ```
//! let value = serde_json::json!({"data": {"on": "yes", "run.sh": "#!/bin/sh\nexit 0\n", "hosts": ["a", "b"]}});
//! assert_eq!(
//!     kube_yaml::to_string(&value),
//!     "data:\n  \"on\": \"yes\"\n  run.sh: |\n    #!/bin/sh\n    exit 0\n  hosts:\n  - a\n  - b\n"
//! );
//! ```

mod document;
mod folded;
mod json;
mod load;
mod open;
mod scalar;
mod stream;
mod tag;
mod write;
mod write_go;

pub use document::{Document, DocumentError, Nulls, Warning, WarningKind};
pub use stream::{parse, parse_kustomize, parse_kustomize_patch, parse_one};
pub use write::{Style, to_flow, to_line, to_string, to_styled, write_stream};
pub use write_go::to_go_string;
