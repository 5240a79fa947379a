//! The same plan and seed give the same bits for any number of threads.

use std::sync::Arc;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use steepest::{Dataset, Float, Inputs, Network, Plan, Recipe, Targets, Trainer};

fn data(n: usize) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let x = (0..n * 30).map(|_| if rng.random_bool(0.3) { rng.random() } else { 0u8 }).collect();
    let labels = (0..n).map(|_| rng.random_range(0..10)).collect();
    let names = (0..10).map(|c| c.to_string()).collect();
    Dataset::new(Inputs::Bytes(x), 30, Some(Targets::Classes { labels, names })).unwrap()
}

fn train<T: Float>(recipe: &Recipe, data: &Dataset, threads: usize) -> Vec<T> {
    let plan = Plan::new(recipe.clone(), data).unwrap();
    let init = &plan.recipe.network;
    let network = Network::random(plan.network.clone(), init.weights, init.biases, recipe.seed);
    let train = data.select(&plan.split.train);
    let mut trainer = Trainer::<T>::new(plan.training.clone(), network, train, plan.batches(), threads);
    for _ in 0..plan.training.total_steps {
        trainer.step().unwrap();
    }
    trainer.network().parameters.to_vec()
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let data = data(1500);
    for text in [
        "[training]\nbatch_size = \"full\"\niterations = 7",
        "[training]\nbatch_size = 100\niterations = 40",
        "[network]\nhidden = [80]\n[training]\nbatch_size = 100\niterations = 40",
        "[training]\nbatch_size = 700\nsampling = \"replacement\"\noptimizer = \"nesterov\"\niterations = 9\nl2 = 0.01",
        "[training]\nbatch_size = \"full\"\niterations = 5\n[quirks]\nsoftmax_shift = \"batch\"\ndelta_scale = 2.0",
        "[training]\nbatch_size = 128\niterations = 20\n[quirks]\nsoftmax_axis = \"batch\"\ndelta_rule = \"diagonal\"",
    ] {
        let recipe = Recipe::parse(text, &[]).unwrap();
        let one: Vec<f32> = train(&recipe, &data, 1);
        let one_f64: Vec<f64> = train(&recipe, &data, 1);
        for threads in 2..=4 {
            let several: Vec<f32> = train(&recipe, &data, threads);
            assert!(
                one.iter().zip(&several).all(|(a, b)| a.to_bits() == b.to_bits()),
                "{threads} threads: {text}"
            );
            assert_eq!(one_f64, train::<f64>(&recipe, &data, threads), "{threads} threads: {text}");
        }
    }
}

/// Layers whose weights are too many for the cache go through another product, in larger blocks.
#[test]
fn wide_layers_give_the_same_bits_on_any_number_of_threads() {
    let data = data(700);
    let text =
        "[data]\nval_split = 0\n[network]\nhidden = [900, 700]\n[training]\nbatch_size = 600\niterations = 3";
    let recipe = Recipe::parse(text, &[]).unwrap();
    let one: Vec<f32> = train(&recipe, &data, 1);
    for threads in 2..=3 {
        let several: Vec<f32> = train(&recipe, &data, threads);
        assert!(one.iter().zip(&several).all(|(a, b)| a.to_bits() == b.to_bits()), "{threads} threads");
    }
}

#[test]
fn rows_drawn_when_needed_train_as_stored_ones_do() {
    let stored = data(300);
    let Inputs::Bytes(bytes) = stored.inputs().clone() else { unreachable!() };
    let draw = move |_epoch: u64, row: u32, out: &mut [u8]| {
        out.copy_from_slice(&bytes[row as usize * 30..(row as usize + 1) * 30]);
    };
    let inputs = Inputs::Drawn { draw: Arc::new(draw), rows: (0..300).collect() };
    let drawn = Dataset::new(inputs, 30, stored.targets().cloned()).unwrap();
    let recipe = Recipe::parse("[training]\niterations = 20", &[]).unwrap();
    assert_eq!(train::<f32>(&recipe, &stored, 2), train::<f32>(&recipe, &drawn, 2));
}

#[test]
fn divergence_is_an_error_with_the_step_and_leaves_finite_parameters() {
    let data = data(200);
    let wide = Inputs::F32(vec![1e30; 200 * 30]);
    let huge = Dataset::new(wide, 30, data.targets().cloned()).unwrap();
    for (data, text) in [
        (&huge, "[training]\nlr = 1e30"),
        (&data, "[training]\noptimizer = \"sgd\"\nlr = 1e37"),
        // The penalty's gradient is infinite in single precision, its value in double precision is not.
        (&data, "[training]\noptimizer = \"sgd\"\nl2 = 1e39\niterations = 1"),
    ] {
        let plan = Plan::new(Recipe::parse(text, &[]).unwrap(), data).unwrap();
        let network =
            Network::<f32>::random(plan.network.clone(), steepest::Init::HeNormal, steepest::Init::Zeros, 0);
        let train = data.select(&plan.split.train);
        let mut trainer = Trainer::new(plan.training.clone(), network, train, plan.batches(), 1);
        let error = (0..50).find_map(|_| trainer.step().err()).expect("diverges").to_string();
        assert!(error.contains("diverged at iteration") && error.contains("--lr"), "{error}");
        assert!(trainer.network().parameters.iter().all(|w| w.is_finite()));
    }
}
