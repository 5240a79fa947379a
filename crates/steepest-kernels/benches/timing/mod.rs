//! How long a call takes.

use std::time::Instant;

/// The median of some times, each the mean of `calls` calls in a row.
pub fn median_seconds(calls: usize, mut f: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..31)
        .map(|_| {
            let start = Instant::now();
            (0..calls).for_each(|_| f());
            start.elapsed().as_secs_f64() / calls as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
