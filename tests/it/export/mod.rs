//! Live state back into Git, against a real control plane.

mod charts;
mod kinds;
mod round_trip;
