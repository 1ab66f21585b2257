//! Reads files as Kubernetes would and prints what it sees, one JSON object a line:
//! `cargo run -p kube-yaml --example read -- FILE…` (without files: their names from standard input).
#![allow(clippy::print_stdout)]

use std::io::BufRead;

fn main() -> std::io::Result<()> {
    let mut files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        files = std::io::stdin().lock().lines().collect::<Result<_, _>>()?;
    }
    for file in files {
        let text = std::fs::read(&file)?;
        for document in kube_yaml::parse(&text) {
            let mut row = serde_json::json!({"file": file, "index": document.index, "line": document.line});
            match document.value {
                Ok(value) => row["value"] = value,
                Err(error) => row["error"] = error.to_string().into(),
            }
            for warning in document.warnings {
                let shown = format!("line {}: {}", warning.line, warning.message);
                match row["warnings"].as_array_mut() {
                    Some(warnings) => warnings.push(shown.into()),
                    None => row["warnings"] = vec![shown].into(),
                }
            }
            println!("{row}");
        }
    }
    Ok(())
}
