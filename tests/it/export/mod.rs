//! Live state back into Git, against a real control plane.

mod kinds;
mod round_trip;
