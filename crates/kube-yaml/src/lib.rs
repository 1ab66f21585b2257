//! YAML and JSON exactly as Kubernetes reads and writes it.
