//! candle, without MKL.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Result;
use candle_core::{Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, loss, ops};
use steepest_rust_peers::{Call, Job, Layers, MOMENTUM, Train, logits, serve};

fn trainer(job: &Job) -> Result<Train> {
    let ((x, y), batches, start) = (job.rows("train")?, job.batches()?, job.start()?);
    let (adam, lr) = (job.work.optimizer == "adam", job.work.lr);
    Ok(Box::new(move |steps| {
        let mut vars = Vec::new();
        for (w, b) in &start {
            vars.extend([Var::from_tensor(&w.copy()?)?, Var::from_tensor(&b.copy()?)?]);
        }
        let layers: Layers =
            vars.chunks(2).map(|pair| (pair[0].as_tensor().clone(), pair[1].as_tensor().clone())).collect();
        let mut velocity = vars.iter().map(|var| Ok(var.zeros_like()?)).collect::<Result<Vec<Tensor>>>()?;
        let params = ParamsAdamW { lr, weight_decay: 0.0, ..ParamsAdamW::default() };
        let mut optimizer = AdamW::new(vars.clone(), params)?;
        let started = Instant::now();
        for rows in &batches[..steps] {
            let z = logits(&layers, &x.index_select(rows, 0)?)?;
            let gradients = loss::cross_entropy(&z, &y.index_select(rows, 0)?)?.backward()?;
            if adam {
                optimizer.step(&gradients)?;
                continue;
            }
            // candle's SGD has no momentum.
            for (var, v) in vars.iter().zip(&mut velocity) {
                let Some(gradient) = gradients.get(var) else { continue };
                *v = ((&*v * MOMENTUM)? + gradient)?;
                var.set(&(var.as_tensor() - (&*v * lr)?)?)?;
            }
        }
        Ok((started.elapsed().as_secs_f64(), layers))
    }))
}

fn predictor(job: &Job, rows: Tensor) -> Result<Call> {
    let layers = job.start()?;
    Ok(Box::new(move || {
        black_box(ops::softmax_last_dim(&logits(&layers, &rows)?)?);
        Ok(())
    }))
}

fn main() -> Result<()> {
    serve("candle 0.11.1", trainer, predictor)
}
