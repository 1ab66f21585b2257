//! What the engine that keeps an object is told not to compare.

use super::drift::Expression;

/// Something of a declared object that its unit tells its engine to leave alone: no drift.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiver {
    /// Who says so, as people name it: `Application/argocd/web`, `ConfigMap/argocd/argocd-cm`, `kustomize.toolkit.fluxcd.io/ssa: Merge`.
    pub by: String,
    /// What is left alone.
    pub what: Waived,
}

/// What a [`Waiver`] is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Waived {
    /// The whole object.
    All,
    /// What others added to it.
    Additions,
    /// What is at a JSON pointer (RFC 6901) and below; "" is the whole object.
    Pointer(String),
    /// What is at the paths that a jq expression gives, and below.
    Expression(Expression),
    /// The fields that none but these field managers and the declarer own.
    Managers(Vec<String>),
}
