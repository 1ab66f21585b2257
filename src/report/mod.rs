//! What a run says: the same events and values for people, as JSON, and as progress bars.
mod exit;
mod gathered;
mod hints;
mod human;
mod preflight;
mod progress;
#[cfg(test)]
mod sample;
mod summary;
mod tally;
mod text;
mod words;

pub use exit::exit_of;
pub use human::Lines;
pub use preflight::{notes, problems};
pub use progress::Bars;
pub use summary::summary;
