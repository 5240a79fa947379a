//! What the peers in Rust have in common: `peers/job.py` in another language.

use std::hint::black_box;
use std::io::stdin;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use candle_core::{D, DType, Device, Tensor};
use serde::Deserialize;
use serde_json::json;

pub const MOMENTUM: f64 = 0.9;
pub const WARM_UP_STEPS: usize = 3;
const LONG_ENOUGH: Duration = Duration::from_millis(300);

#[derive(Deserialize)]
pub struct Work {
    pub sizes: Vec<usize>,
    pub optimizer: String,
    pub lr: f64,
    data: String,
    rows: usize,
}

#[derive(Deserialize)]
pub struct Job {
    pub work: Work,
    pub steps: usize,
    folder: PathBuf,
}

/// Weights `(n_out, n_in)` and biases of each layer.
pub type Layers = Vec<(Tensor, Tensor)>;
/// One run of so many steps from the start weights: seconds of the loop alone, and its end.
pub type Train = Box<dyn FnMut(usize) -> Result<(f64, Layers)>>;
/// One prediction of given rows.
pub type Call = Box<dyn FnMut() -> Result<()>>;

impl Job {
    /// Rows as the network sees them, f32, and their classes, u32, of the part `train` or `test`.
    pub fn rows(&self, part: &str) -> Result<(Tensor, Tensor)> {
        let names = [format!("x_{part}"), format!("y_{part}")];
        let [x, y] =
            &Tensor::read_npz_by_name(self.folder.join("rows.npz"), &names.each_ref().map(|n| &**n))?[..]
        else {
            anyhow::bail!("rows.npz")
        };
        let divide_by = if self.work.data == "mnist" { 255.0 } else { 1.0 };
        Ok(((x.to_dtype(DType::F32)? / divide_by)?, y.to_dtype(DType::U32)?))
    }

    /// Row numbers of each step, u32.
    pub fn batches(&self) -> Result<Vec<Tensor>> {
        let all = Tensor::read_npy(self.folder.join("batches.npy"))?.to_dtype(DType::U32)?;
        (0..self.steps).map(|step| Ok(all.get(step)?)).collect()
    }

    pub fn start(&self) -> Result<Layers> {
        let path = self.folder.join("start.safetensors");
        let mut all = candle_core::safetensors::load(path, &Device::Cpu)?;
        let mut take = |name| all.remove(&name).context("start.safetensors");
        let layer = |i| Ok((take(format!("layers.{i}.weight"))?, take(format!("layers.{i}.bias"))?));
        (0..self.work.sizes.len() - 1).map(layer).collect()
    }

    fn accuracy(&self, layers: &Layers) -> Result<f64> {
        let (x, y) = self.rows("test")?;
        let right = logits(layers, &x)?.argmax(D::Minus1)?.eq(&y)?.to_dtype(DType::F32)?;
        Ok(f64::from(right.mean_all()?.to_scalar::<f32>()?))
    }
}

/// By candle.
pub fn logits(layers: &[(Tensor, Tensor)], x: &Tensor) -> candle_core::Result<Tensor> {
    let mut a = x.clone();
    for (i, (w, b)) in layers.iter().enumerate() {
        a = if i > 0 { a.relu()? } else { a };
        a = a.matmul(&w.t()?)?.broadcast_add(b)?;
    }
    Ok(a)
}

/// Gets ready, says so, and makes a run for each line of standard input.
pub fn serve(
    version: &str,
    trainer: impl Fn(&Job) -> Result<Train>,
    predictor: impl Fn(&Job, Tensor) -> Result<Call>,
) -> Result<()> {
    let started = Instant::now();
    let job: Job = serde_json::from_str(&std::env::args().nth(1).context("no job")?)?;
    let mut run: Box<dyn FnMut() -> Result<(f64, Option<f64>)>> = if job.work.rows > 0 {
        let rows = job.rows("test")?.0.narrow(0, 0, job.work.rows)?;
        let mut call = predictor(&job, rows)?;
        Box::new(move || Ok((seconds_of(&mut call)?, None)))
    } else {
        let mut train = trainer(&job)?;
        train(WARM_UP_STEPS)?;
        let job = &job;
        Box::new(move || {
            let (seconds, layers) = train(job.steps)?;
            Ok((seconds, Some(job.accuracy(&layers)?)))
        })
    };
    println!("{}", json!({ "version": version, "ready": started.elapsed().as_secs_f64() }));
    for line in stdin().lines() {
        line?;
        let (seconds, accuracy) = run()?;
        println!("{}", json!({ "seconds": seconds, "accuracy": accuracy }));
    }
    Ok(())
}

/// Median time of a call.
fn seconds_of(call: &mut Call) -> Result<f64> {
    call()?;
    let (started, mut times) = (Instant::now(), Vec::new());
    while started.elapsed() < LONG_ENOUGH {
        let before = Instant::now();
        black_box(call()?);
        times.push(before.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
