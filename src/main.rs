//! refloat: rebuild a Kubernetes cluster from Git.

fn main() {}
