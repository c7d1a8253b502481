//! How long one letter takes to render: subject, text, HTML and headers, from a JSON context.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use letters::samples;

fn render(criterion: &mut Criterion) {
    let site = samples::site();
    let mut group = criterion.benchmark_group("render");
    // Some forty letters: with the usual eight seconds each this would be a third of make bench.
    group
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2));
    for sample in samples::all() {
        let recipient = sample.recipient();
        group.bench_function(&sample.name, |bencher| {
            bencher.iter(|| {
                letters::render(sample.code, black_box(&sample.context), &recipient, &site)
                    .expect("samples fit their letters")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, render);
criterion_main!(benches);
