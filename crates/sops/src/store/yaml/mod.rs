//! YAML as SOPS reads and writes it: through go-yaml v3, with comments.
//!
//! Reading goes over the scanner of `serde-saphyr`. What that leaves out is found in the text between its tokens: [`gaps`] gives each
//! comment the place in the stream of tokens where go-yaml has it, [`nodes`] builds nodes that hold their comments as those of go-yaml
//! do, and [`mod@tree`] makes of them what SOPS makes. [`mod@write`] lays out as the emitter of go-yaml.

mod gaps;
mod nodes;
mod scalar;
mod tree;
mod write;

pub(super) use tree::read;
pub(super) use write::write;
