//! `steepest trace`

use std::io::Write;

use anyhow::Result;
use steepest::{Plan, Precision, Session};
use steepest_io::{Stored, write_npz};

use crate::UsageError;
use crate::args::TraceArgs;
use crate::experiment::{Experiment, threads};
use crate::run::start;
use crate::sources::Sources;

pub fn run(args: &TraceArgs) -> Result<()> {
    let sources = Sources::new(&args.recipe, false)?;
    let (experiment, plan) = sources.experiment(&sources.recipe)?;
    let total = plan.training.total_steps;
    if args.step >= total {
        return Err(
            UsageError(format!("--step {}: the recipe has steps 0 to {}", args.step, total - 1)).into()
        );
    }
    match plan.recipe.precision {
        Precision::F32 => trace::<f32>(args, experiment, plan),
        Precision::F64 => trace::<f64>(args, experiment, plan),
    }
}

fn trace<T: Stored>(args: &TraceArgs, experiment: Experiment, plan: Plan) -> Result<()> {
    let start = start::<T>(&plan, args.start.init_from.as_deref(), args.start.batches.as_deref())?;
    let threads = threads(args.recipe.threads)?;
    let mut session = Session::new(plan, experiment.data, experiment.validation, start, threads)?;
    for _ in 0..args.step {
        session.advance()?;
    }
    let (step, arrays) = session.trace()?;
    write_npz(&args.out, &arrays)?;

    let mut out = std::io::stdout().lock();
    let accuracy = step.accuracy.map_or(String::new(), |a| format!(", accuracy {a:.4}"));
    writeln!(out, "step {}: {} rows, loss {:.6}{accuracy}", step.iteration, step.n_samples, step.loss)?;
    writeln!(out, "{:<10} {:>16} {:>14}", "name", "shape", "norm")?;
    for (name, shape, numbers) in &arrays {
        let norm = numbers.iter().map(|x| x.to_f64().powi(2)).sum::<f64>().sqrt();
        let shape: Vec<String> = shape.iter().map(ToString::to_string).collect();
        writeln!(out, "{name:<10} {:>16} {norm:>14.6e}", format!("({})", shape.join(", ")))?;
    }
    writeln!(out, "Written to {}", args.out.display())?;
    Ok(())
}
