//! What autoscalers do to the objects that they scale.

use serde_json::Value;

/// Who sets the replicas of an object beside its declaration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scaling {
    /// Nobody.
    #[default]
    Declared,
    /// An autoscaler that leaves alone what stands at 0: somebody else switched it off.
    FromOne,
    /// An autoscaler that goes down to 0 itself.
    FromZero,
}

impl Scaling {
    /// What an autoscaler of this kind does: a HorizontalPodAutoscaler acts at 0 only if that is its minimum; KEDA's ScaledObject
    /// switches off what has nothing to do.
    pub fn by(kind: &str, autoscaler: &Value) -> Self {
        let least = autoscaler.pointer("/spec/minReplicas").and_then(Value::as_i64);
        match kind {
            "HorizontalPodAutoscaler" if least != Some(0) => Self::FromOne,
            _ => Self::FromZero,
        }
    }
}
