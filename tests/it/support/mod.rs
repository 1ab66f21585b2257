//! What the tests stand on: the tool as a user runs it, repositories, real clusters.

pub mod fault_proxy;
pub mod key_services;
pub mod plane;
pub mod repo;
pub mod run;
pub mod tools;
pub mod transcript;
pub mod web;
pub mod webhook;
