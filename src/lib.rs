//! refloat rebuilds a Kubernetes cluster from Git.
//!
//! # The way of the data
//!
//! ```text
//! restore   source@rev → declared::load → DeclaredSet ┐
//!                        cluster::facts → Facts       ├ plan::build → Plan → engine::run → Outcomes → report → exit code
//! plan      the same line, stopped at Plan            ┘
//!           releases: + what Helm keeps of them, where the target knows none → plan::record_releases
//!           hooks: + what ran before (as records of releases and the Lease tell) → what is not run again, what is deleted once done
//!           rolling back: + DeclaredSet of the revision before → plan::prune, + what engines sync → plan::suspend
//! resume    cluster::engines → what engines sync → plan::resume → Plan → engine::run → report → exit code
//! render    source@rev → declared::load → DeclaredSet → one YAML stream
//! audit     DeclaredSet + PastSet (history) + LiveSet → audit::classify → Findings → report → exit code
//!           with --watch: what happens to the cluster and the repository → watch → what differs → report
//! export    the line of audit, + cluster::engines → what these applied last
//!           + cluster::clean → export::intend → changes of objects → export::place → Changeset (files as data),
//!           proven by rendering again (and restoring: control_plane → restore → export::rehearsed) → files, patch, or branch
//!           source may be a snapshot: then DeclaredSet is what is in it and nobody else's
//! snapshot  cluster::read_all → snapshot::files, marked with audit::standings → archive
//! diff      two of: cluster::read_all, a snapshot, DeclaredSet → object::between, object::Pair → report → exit code
//! history   the revisions of source@rev → past::revisions → what each changed
//! drill     control_plane::start → restore → verify → timings → stop
//! ```
//!
//! Planning never acts, acting never plans. Facts about the target are gathered as a value first, so that planning and
//! preflight stay pure.
//!
//! # Rooms, and who may import whom
//!
//! `tests/it/house.rs` holds this table against the code.
//!
//! | room | may import |
//! |---|---|
//! | [`object`] | nothing of ours: ids, manifests, provenance, sets, facts, outcomes, health, normalize, drift: pure |
//! | [`error`] | nothing of ours |
//! | [`process`] | `error`; the only place that starts child processes |
//! | [`net`] | `error`; the only HTTP client beside kube's |
//! | [`archive`] | nothing of ours: files as an archive or a folder, written whole or not at all |
//! | [`snapshot`] | `object`: the live state of a cluster as files |
//! | [`source`] | `object`, `process`, `net`, `archive`: a tree at a revision |
//! | [`forge`] | `object`, `source`, `net`, `process`: pull requests on GitHub, GitLab, Gitea and Forgejo |
//! | [`declared`] | `object`, `source`, `process`, `net`, `snapshot`: tree → `DeclaredSet` |
//! | [`past`] | `object`, `source`: every identity that the history ever declared, and its cache |
//! | [`plan`] | `object`: `DeclaredSet` + `Facts` → `Plan`: pure |
//! | [`audit`] | `object`: `DeclaredSet` + `PastSet` + `LiveSet` → `Findings`: pure |
//! | [`export`] | `object`, `audit`, `source`, `declared`, `cluster`, `process`, `net`, `forge`: changes of objects → changes of the files that declare them |
//! | [`event`] | `object`, `plan`: what happened, as data |
//! | [`cluster`] | `object`: the only room that imports kube |
//! | [`watch`] | `object`, `audit`, `cluster`, `net`: keeps an audit up to date |
//! | [`engine`] | `object`, `plan`, `event`, `cluster`: walks a plan; the one writer |
//! | [`control_plane`] | `process`, `net`: a throwaway control plane |
//! | [`report`] | `object`, `event`, `plan`, `audit`, `export`: human, json, html, sarif, progress |
//! | [`cli`] | `object`: clap structs and help texts, no logic |
//! | [`command`] | everything; nothing imports it |
//!
//! `error` is importable from every room: [`error::Failure`] is what goes up to `main`.
//!
//! # Words
//!
//! **declared** / **live**: in Git at the chosen revision, after rendering / in the cluster now. **Unit**: what a GitOps
//! engine treats as one (a directory, a chart, a Flux Kustomization); its engine's own object is written last. **Entry**: the place in a repository from which a cluster is declared.
//! **Edge**: "A waits for B because …", until B *exists*, is *ready* or is *settled*; **hard** when the server or a person
//! enforces it, **soft** when Kubernetes heals it by itself. **Gate**: a node that stands for a whole unit being ready.
//! **Facts**: what the target serves, has and allows, as a value. **Outcome**: what was done × whether it became ready.

pub mod archive;
pub mod audit;
pub mod cli;
pub mod cluster;
pub mod command;
pub mod control_plane;
pub mod declared;
pub mod engine;
pub mod error;
pub mod event;
pub mod export;
pub mod forge;
pub mod net;
pub mod object;
pub mod past;
pub mod plan;
pub mod process;
pub mod report;
pub mod snapshot;
pub mod source;
pub mod watch;
