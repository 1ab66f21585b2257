//! Kubernetes objects as data: identity, manifests, where they come from, what the target knows of them.
//!
//! Pure: no cluster, no terminal, no files, no clock.

pub mod builtin;
mod cel;
mod declared;
mod drift;
mod edit;
mod facts;
mod health;
mod hook;
mod id;
mod keep;
mod live;
mod live_unit;
mod manifest;
pub mod normalize;
mod outcome;
mod past;
mod problem;
mod release;
mod resolve;
mod revision;
mod waiver;

pub use cel::{Cel, CelFault};
pub use declared::{
    Declared, DeclaredSet, EngineUnit, Entry, Hook, Provenance, ReadyWhen, ReleaseRecord, Renderer, Repository, Turn,
    Unit, UnitIndex, Writer,
};
pub use drift::{
    Adopted, Cleaning, Expression, Known, Learned, Pair, Scaling, Suspects, adopt, between, differences, is_mark,
    without_values,
};
pub(crate) use drift::{child, keys_of, label};
pub use edit::edits;
pub use facts::{
    Context, Denied, ExistingChange, ExistingObject, FactGap, Facts, KubeVersion, RestoreRecord, Scope, ServedKind,
    ServedKinds,
};
pub use health::{Assessment, Basis, Health, HealthCheck, assess, has_contract};
pub use hook::HookPolicy;
pub use id::{GroupKind, ObjectId, api_group};
pub use keep::{DeclaredBy, is_never_deleted, kept_by, owner};
pub use live::{Comparison, FieldChange, FieldDrift, LiveObject, LiveSet, Manager, Method, Owner, Standing, Texts};
pub use live_unit::{LiveUnit, SUSPENDED, engine_kinds, is_engines, suspend_declared};
pub use manifest::Manifest;
pub use outcome::{Action, Outcome, Readiness, SkipReason};
pub use past::{Commit, PastIdentity, PastSet};
pub use problem::{Place, Problem, ProblemKind};
pub use release::release_name;
pub use resolve::resolve;
pub use revision::{Edit, FieldEdit, ObjectEdit, PastRevision, Revisions};
pub use waiver::{Waived, Waiver};
