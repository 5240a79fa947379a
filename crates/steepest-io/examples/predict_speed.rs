//! How long a model takes to predict the first row of a data set, and all of its rows, as one line of JSON:
//! `cargo run --release -p steepest-io --example predict_speed -- model.safetensors mnist/test [threads]`
//!
//! The single row is predicted by one thread, whatever is asked for.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, iter};

use serde_json::json;
use steepest::{AnyModel, Dataset, Float, Inputs, Model, Pool, Predictor};
use steepest_io::{DataSpec, LoadOptions, Part, load_model, load_part};

/// Time that each of the two measurements takes.
const LONG_ENOUGH: Duration = Duration::from_millis(300);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [model, data, threads @ ..] = &arguments[..] else {
        return Err("usage: predict_speed <model.safetensors> <data set> [threads]".into());
    };
    let threads = threads.first().map_or(Ok(1), |threads| threads.parse())?;
    let data = load_part(&DataSpec::parse(data)?, Part::Test, &LoadOptions::default())?;
    match load_model(Path::new(model))? {
        AnyModel::F32(model) => measure(&model, &data.without_targets(), threads),
        AnyModel::F64(model) => measure(&model, &data.without_targets(), threads),
    }
}

fn measure<T: Float>(model: &Model<T>, data: &Dataset, threads: usize) -> Result<(), Box<dyn Error>> {
    let mut predictor = Predictor::new(model);
    let row = data.rows(0..1)?;
    let Inputs::Bytes(row) = row.inputs() else { return Err("the rows are not bytes".into()) };
    // Many calls at a time: looking at the clock takes a noticeable part of one.
    const CALLS: u32 = 1000;
    let one = seconds(|| {
        for _ in 0..CALLS {
            black_box(predictor.predict_bytes(black_box(row)));
        }
    }) / f64::from(CALLS);
    let mut pool = Pool::new(threads);
    let all = seconds(|| {
        black_box(model.predict(black_box(data), &mut pool));
    });
    let rate = data.n_samples() as f64 / all;
    println!(
        "{}",
        json!({ "row_nanoseconds": one * 1e9, "rows": data.n_samples(), "rows_per_second": rate })
    );
    Ok(())
}

/// Median time of a call.
fn seconds(mut run: impl FnMut()) -> f64 {
    let mut call = || {
        let started = Instant::now();
        run();
        started.elapsed().as_secs_f64()
    };
    call(); // caches and buffers
    let started = Instant::now();
    let mut times: Vec<f64> = iter::from_fn(|| (started.elapsed() < LONG_ENOUGH).then(&mut call)).collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
