//! How long a step on sparse rows takes: `cargo run --release -p steepest --example sparse_speed`. 20,000 rows of 10,000 numbers, a
//! hundredth of them not zero, through 100 hidden units in batches of 200, by Adam in double precision.

use std::time::Instant;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use steepest::{
    Dataset, Inputs, Network, Plan, Pool, Recipe, SparseRows, SparseValues, Targets, Trainer,
    instruction_set, logits,
};

const ROWS: usize = 20_000;
const FEATURES: usize = 10_000;
const ENTRIES: usize = FEATURES / 100;
const STEPS: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let values = (0..ROWS * ENTRIES).map(|_| rng.random_range(-1.0..1.0)).collect();
    let columns = (0..ROWS * ENTRIES).map(|_| rng.random_range(0..FEATURES as i32)).collect();
    let starts = (0..=ROWS).map(|row| row * ENTRIES).collect();
    let labels = (0..ROWS).map(|_| rng.random_range(0..10)).collect();
    let names = (0..10).map(|class| class.to_string()).collect();
    let rows = SparseRows::new(SparseValues::F64(values), columns, starts, FEATURES)?;
    let data = Dataset::new(Inputs::Sparse(rows), FEATURES, Some(Targets::Classes { labels, names }))?;
    let text = "[data]\nval_split = 0\n[network]\nhidden = [100]\n[training]\nbatch_size = 200\noptimizer = \"adam\"";
    for threads in [1, 2] {
        let plan = Plan::new(Recipe::parse(text, &[])?, &data)?;
        let init = &plan.recipe.network;
        let network = Network::<f64>::random(plan.network.clone(), init.weights, init.biases, 1);
        let mut trainer = Trainer::new(plan.training.clone(), network, data.clone(), plan.batches(), threads);
        (0..10).try_for_each(|_| trainer.step().map(drop))?;
        let start = Instant::now();
        (0..STEPS).try_for_each(|_| trainer.step().map(drop))?;
        let step = start.elapsed().as_secs_f64() / STEPS as f64;
        let start = Instant::now();
        (0..STEPS).for_each(|_| trainer.update());
        let update = start.elapsed().as_secs_f64() / STEPS as f64;
        let network = trainer.network();
        let start = Instant::now();
        logits(&network, &data, 1.0, &mut Pool::new(threads));
        println!(
            "{}, {threads} threads: {:.2} ms a step; Adam alone {:.2} ms; {:.0} ms to predict all rows",
            instruction_set().name(),
            1e3 * step,
            1e3 * update,
            1e3 * start.elapsed().as_secs_f64(),
        );
    }
    Ok(())
}
