//! The tool as users run it, against a real API server. One test binary, so that tests share a control plane.

mod audit;
mod bad_input;
mod cases;
mod charts;
mod cluster;
mod control_plane;
mod declared;
mod engine;
mod engines;
mod export;
mod faults;
mod fixtures;
mod forge;
mod hooks;
mod house;
mod jobs;
mod mobile_bank;
mod past;
mod readme;
mod requests;
mod rollback;
mod runbooks;
mod snapshot;
mod source;
#[allow(dead_code, reason = "some of it is for tests that are still to come")]
mod support;
