//! Any bytes as a file of each format, as a configuration, and as keys.
#![no_main]

#[path = "../entry.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::any(bytes));
