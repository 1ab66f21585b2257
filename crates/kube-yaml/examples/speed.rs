//! How fast a file is read and written: `cargo run --release -p kube-yaml --example speed -- FILE…`. Files
//! are joined with `---` and repeated to some 20 MB; the best of five runs counts.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

fn best(bytes: usize, mut run: impl FnMut()) -> f64 {
    let fastest = (0..5).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    bytes as f64 / 1e6 / fastest.min().unwrap_or_default().as_secs_f64()
}

fn main() -> std::io::Result<()> {
    let mut once = Vec::new();
    for file in std::env::args().skip(1) {
        once.extend(std::fs::read(file)?);
        once.extend(b"\n---\n");
    }
    if once.is_empty() {
        return Ok(());
    }
    let text = once.repeat((20_usize << 20).div_ceil(once.len()));
    let documents = kube_yaml::parse(&text);
    let values: Vec<_> = documents.iter().filter_map(|d| d.value.as_ref().ok()).collect();
    let read = best(text.len(), || drop(black_box(kube_yaml::parse(&text))));
    let mut written = Vec::new();
    kube_yaml::write_stream(&mut written, values.iter().copied())?;
    let write = best(written.len(), || {
        drop(kube_yaml::write_stream(std::io::sink(), values.iter().copied()))
    });
    println!(
        "{} bytes, {} documents: read {read:.0} MB/s, write {write:.0} MB/s",
        text.len(),
        documents.len()
    );
    Ok(())
}
