//! What a run says: the same events and values for people, as JSON, and as progress bars.
mod exit;
mod gathered;
mod hints;
mod preflight;
#[cfg(test)]
mod sample;
mod summary;
mod text;
mod words;

pub use exit::exit_of;
pub use preflight::{notes, problems};
pub use summary::summary;
