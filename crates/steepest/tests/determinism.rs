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

/// The same as numbers, a fifth of them other than zero: few enough for a wide layer to walk over these alone.
fn mostly_zero(n: usize) -> Dataset {
    let data = data(n);
    let Inputs::Bytes(bytes) = data.inputs() else { unreachable!() };
    let numbers = bytes.iter().map(|&x| if x < 100 { 0.0 } else { f64::from(x) / 255.0 }).collect();
    Dataset::new(Inputs::F64(numbers), 30, data.targets().cloned()).unwrap()
}

fn trainer<T: Float>(recipe: &Recipe, data: &Dataset, threads: usize) -> Trainer<T> {
    let plan = Plan::new(recipe.clone(), data).unwrap();
    let init = &plan.recipe.network;
    let network = Network::random(plan.network.clone(), init.weights, init.biases, recipe.seed);
    let train = data.select(&plan.split.train);
    Trainer::new(plan.training.clone(), network, train, plan.batches(), threads)
}

fn train<T: Float>(recipe: &Recipe, data: &Dataset, threads: usize) -> Vec<T> {
    let mut trainer = trainer(recipe, data, threads);
    for _ in 0..trainer.training().total_steps {
        trainer.step().unwrap();
    }
    let network = trainer.network();
    [&*network.parameters, &*network.statistics].concat()
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (data, numbers) = (data(1500), mostly_zero(1500));
    for text in [
        "[training]\nbatch_size = \"full\"\niterations = 7",
        "[training]\nbatch_size = 100\niterations = 40",
        "[network]\nhidden = [80]\n[training]\nbatch_size = 100\niterations = 40",
        "[training]\nbatch_size = 700\nsampling = \"replacement\"\noptimizer = \"nesterov\"\niterations = 9\nl2 = 0.01",
        "[training]\nbatch_size = \"full\"\niterations = 5\n[quirks]\nsoftmax_shift = \"batch\"\ndelta_scale = 2.0",
        "[training]\nbatch_size = 128\niterations = 20\n[quirks]\nsoftmax_axis = \"batch\"\ndelta_rule = \"diagonal\"",
        "[network]\nhidden = [20, 9]\nbatch_norm = true\n[training]\nbatch_size = 300\niterations = 20",
        "[network]\nhidden = [80]\nbatch_norm = true\n[training]\nbatch_size = \"full\"\niterations = 5",
        "[network]\nhidden = [20, 9]\ndropout = 0.2\n[training]\nbatch_size = \"full\"\niterations = 5",
        "[data]\nnoise = 0.1\n[network]\ndropout = 0.2\n[training]\nbatch_size = 300\niterations = 5\n[quirks]\nsoftmax_axis = \"batch\"",
    ] {
        for data in [&data, &numbers] {
            let recipe = Recipe::parse(text, &[]).unwrap();
            let one: Vec<f32> = train(&recipe, data, 1);
            let one_f64: Vec<f64> = train(&recipe, data, 1);
            for threads in 2..=4 {
                let several: Vec<f32> = train(&recipe, data, threads);
                assert!(
                    one.iter().zip(&several).all(|(a, b)| a.to_bits() == b.to_bits()),
                    "{threads} threads: {text}"
                );
                assert_eq!(one_f64, train::<f64>(&recipe, data, threads), "{threads} threads: {text}");
            }
        }
    }
}

/// Layers whose weights are too many for the cache go through another product, in larger blocks.
#[test]
fn wide_layers_give_the_same_bits_on_any_number_of_threads() {
    let text =
        "[data]\nval_split = 0\n[network]\nhidden = [900, 700]\n[training]\nbatch_size = 600\niterations = 3";
    let recipe = Recipe::parse(text, &[]).unwrap();
    for data in [data(700), mostly_zero(700)] {
        let one: Vec<f32> = train(&recipe, &data, 1);
        for threads in 2..=3 {
            let several: Vec<f32> = train(&recipe, &data, threads);
            assert!(one.iter().zip(&several).all(|(a, b)| a.to_bits() == b.to_bits()), "{threads} threads");
        }
    }
}

/// Batches that are small beside their network: parts of the gradient instead of shards.
#[test]
fn parts_give_the_same_bits_on_any_number_of_threads() {
    let (data, numbers) = (data(700), mostly_zero(700));
    for text in [
        "[network]\nhidden = [600]\n[training]\nbatch_size = 300\niterations = 6\noptimizer = \"adam\"",
        "[network]\nhidden = [70, 500]\n[training]\nbatch_size = 300\niterations = 6\nl2 = 0.01",
        "[network]\nhidden = [600]\n[training]\nbatch_size = 300\niterations = 6\n[quirks]\nsoftmax_axis = \"batch\"",
        "[network]\nhidden = [600]\n[training]\nbatch_size = 300\niterations = 6\n[quirks]\nsoftmax_shift = \"batch\"",
        "[network]\nhidden = [400, 70]\nbatch_norm = true\n[training]\nbatch_size = 300\niterations = 6\noptimizer = \"adamw\"",
        "[data]\nnoise = 0.1\n[network]\nhidden = [400, 70]\nbatch_norm = true\ndropout = 0.2\n[training]\nbatch_size = 300\niterations = 4",
        "[data]\nnoise = 0.1\n[network]\nhidden = [600]\ndropout = 0.2\n[training]\nbatch_size = 300\niterations = 4",
    ] {
        let recipe = Recipe::parse(text, &[]).unwrap();
        for data in [&data, &numbers] {
            let one: Vec<f32> = train(&recipe, data, 1);
            for threads in 2..=3 {
                let several: Vec<f32> = train(&recipe, data, threads);
                assert!(
                    one.iter().zip(&several).all(|(a, b)| a.to_bits() == b.to_bits()),
                    "{threads}: {text}"
                );
            }
        }
    }
}

/// The parameters may move as soon as a part of the gradient is there; that changes no bit.
#[test]
fn a_step_is_a_gradient_and_an_update() {
    let data = data(700);
    for (optimizer, batch_norm) in [("sgd", false), ("nesterov", false), ("adam", false), ("adamw", true)] {
        let text = format!(
            "[network]\nhidden = [600]\nbatch_norm = {batch_norm}\n[training]\nbatch_size = 300\noptimizer = \"{optimizer}\"\niterations = 6"
        );
        let recipe = Recipe::parse(&text, &[]).unwrap();
        let at_once: Vec<f32> = train(&recipe, &data, 2);
        let mut trainer = trainer::<f32>(&recipe, &data, 2);
        for _ in 0..6 {
            trainer.gradients().unwrap();
            trainer.update();
        }
        let network = trainer.network();
        let apart = [&*network.parameters, &*network.statistics].concat();
        assert!(at_once.iter().zip(&apart).all(|(a, b)| a.to_bits() == b.to_bits()), "{optimizer}");
    }
}

/// A pixel of an image of 16 x 16 with ink in a quarter of its squares of 4 x 4.
fn image_byte(row: usize, i: usize) -> u8 {
    let square = i % 16 / 4 + i / 64 * 4;
    if (square * 7 + row).is_multiple_of(4) { (i * 37 + row * row) as u8 } else { 0 }
}

/// Parts, shards and patches are ways to the same gradient.
#[test]
fn every_way_leads_to_the_same_gradient() {
    let labels = |n: usize| Targets::Classes {
        labels: (0..n as u32).map(|row| row % 500 % 7).collect(),
        names: (0..10).map(|c| c.to_string()).collect(),
    };
    // The same 500 rows again and again have the same mean gradient, and the same moments.
    let bytes = |n: usize| {
        (0..n).flat_map(|row| (0..256).map(move |i| image_byte(row % 500, i))).collect::<Vec<u8>>()
    };
    let gradient = |inputs: Inputs, n: usize, (hidden, batch_norm): (usize, bool)| {
        let text = format!(
            "[data]\nval_split = 0\ndivide_by = 255\n[network]\nhidden = [{hidden}]\nbatch_norm = {batch_norm}\n[training]\nbatch_size = \"full\""
        );
        let data = Dataset::new(inputs, 256, Some(labels(n))).unwrap();
        let mut trainer = trainer::<f64>(&Recipe::parse(&text, &[]).unwrap(), &data, 2);
        let step = trainer.gradients().unwrap();
        (step.loss, trainer.gradient())
    };
    for hidden in [(10, false), (300, false), (10, true), (300, true)] {
        let numbers = |n| Inputs::F64(bytes(n).into_iter().map(f64::from).collect());
        let (loss, expected) = gradient(numbers(500), 500, hidden);
        let largest = expected.iter().fold(0.0f64, |m, g| m.max(g.abs()));
        assert!(largest > 0.0);
        for (name, (other_loss, other)) in [
            ("bytes", gradient(Inputs::Bytes(bytes(500).into()), 500, hidden)),
            ("many bytes", gradient(Inputs::Bytes(bytes(1500).into()), 1500, hidden)),
            ("many numbers", gradient(numbers(1500), 1500, hidden)),
        ] {
            assert!((loss - other_loss).abs() < 1e-12, "{hidden:?}, {name}: {loss}, {other_loss}");
            let off = expected.iter().zip(&*other).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
            assert!(off <= 1e-12 * largest, "{hidden:?}, {name}: off by {off:.1e} of {largest:.1e}");
        }
    }
}

/// Full batches of images, through a narrow layer, go as patches.
#[test]
fn patches_give_the_same_bits_on_any_number_of_threads() {
    let bytes = (0..700).flat_map(|row| (0..256).map(move |i| image_byte(row, i))).collect();
    let names = (0..10).map(|c| c.to_string()).collect();
    let labels = (0..700).map(|row| row % 7).collect();
    let data = Dataset::new(Inputs::Bytes(bytes), 256, Some(Targets::Classes { labels, names })).unwrap();
    let recipe =
        Recipe::parse("[network]\nhidden = [10]\n[training]\nbatch_size = \"full\"\niterations = 7", &[]);
    let recipe = recipe.unwrap();
    let one: Vec<f32> = train(&recipe, &data, 1);
    for threads in 2..=4 {
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
    let wide = Inputs::F32(vec![1e30; 200 * 30].into());
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
