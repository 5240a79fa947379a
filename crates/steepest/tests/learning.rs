//! What `[training]` offers beside optimizers and schedules.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use steepest::{Dataset, Float, Inputs, Network, Plan, Recipe, Session, Start, Targets, Trainer};

/// Rows of 20 numbers in three classes that overlap.
fn classes(n: usize, seed: u64) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let labels: Vec<u32> = (0..n).map(|_| rng.random_range(0..3)).collect();
    let x = labels
        .iter()
        .flat_map(|&label| vec![f64::from(label); 20])
        .map(|at| at + rng.random_range(-4.0..4.0));
    let inputs = Inputs::F64(x.collect());
    let names = ["a", "b", "c"].map(String::from).into();
    Dataset::new(inputs, 20, Some(Targets::Classes { labels, names })).unwrap()
}

fn trainer<T: Float>(text: &str, data: &Dataset, threads: usize) -> Trainer<T> {
    let plan = Plan::new(Recipe::parse(text, &[]).unwrap(), data).unwrap();
    let init = &plan.recipe.network;
    let network = Network::random(plan.network.clone(), init.weights, init.biases, 0);
    let train = data.select(&plan.split.train);
    Trainer::new(plan.training.clone(), network, train, plan.batches(), threads)
}

#[track_caller]
fn assert_close(ours: &[f64], expected: &[f64], allowed: f64) {
    assert_eq!(ours.len(), expected.len());
    let worst = ours.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst <= allowed, "off by {worst:.1e}");
}

/// By shards, by parts of the gradient, and laid out in another way.
const WAYS: [&str; 2] = [
    "[network]\nhidden = [12]\n[training]\nbatch_size = 30\niterations = 130\n",
    "[network]\nhidden = [2100]\n[training]\nbatch_size = 130\niterations = 105\n",
];

#[test]
fn the_average_is_that_of_the_parameters_after_each_step() {
    let data = classes(150, 1);
    for way in WAYS {
        let mut plain = trainer::<f64>(way, &data, 1);
        let mut averaging = trainer::<f64>(&format!("{way}ema = 0.9"), &data, 2);
        let mut expected = plain.network().parameters.to_vec();
        for t in 1..=averaging.training().total_steps {
            plain.step().unwrap();
            averaging.step().unwrap();
            let decay = f64::min(0.9, (1.0 + t as f64) / (10.0 + t as f64));
            let parameters = plain.network().parameters;
            expected
                .iter_mut()
                .zip(&*parameters)
                .for_each(|(mean, w)| *mean = decay * *mean + (1.0 - decay) * w);
        }
        assert!(
            plain.network().parameters[..] == averaging.network().parameters[..],
            "training itself is the same"
        );
        assert_close(&averaging.averaged().parameters, &expected, 1e-13);
        assert!(averaging.averaged().parameters[..] != averaging.network().parameters[..]);
        assert!(plain.averaged().parameters[..] == plain.network().parameters[..]);
    }
}

#[test]
fn the_average_has_the_same_bits_on_any_number_of_threads() {
    let data = classes(150, 1);
    for way in WAYS {
        let average = |threads: usize| {
            let mut trainer = trainer::<f32>(&format!("{way}ema = 0.99"), &data, threads);
            (0..20).for_each(|_| assert!(trainer.step().is_ok()));
            trainer.averaged().parameters.iter().map(|w| w.to_bits()).collect::<Vec<_>>()
        };
        let one = average(1);
        assert!((2..=4).all(|threads| average(threads) == one));
    }
}

#[test]
fn the_average_is_what_is_validated_saved_and_restored() {
    let data = classes(300, 2);
    let text = "[network]\nhidden = [8]\n[training]\nema = 0.95\nlr = 0.05\nepochs = 40\npatience = 3";
    let plan = Plan::new(Recipe::parse(text, &[]).unwrap(), &data).unwrap();
    let mut session = Session::<f64>::new(plan, data, None, Start::default(), 2).unwrap();
    let held_out = session.validation().unwrap().clone();
    let mut validated = Vec::new();
    loop {
        let progress = session.advance().unwrap();
        let report = progress.report.and_then(|report| report.validation);
        if let (Some(validation), None) = (report, progress.stop) {
            let model = session.model();
            assert!(model.network.parameters[..] == session.trainer().averaged().parameters[..]);
            let logits = steepest::logits(&model.network, &held_out, 1.0, &mut steepest::Pool::new(1));
            let targets = held_out.targets().unwrap();
            let loss = steepest::evaluate(&model.head, &logits, targets, &mut steepest::Pool::new(1)).loss;
            assert_eq!(validation.loss, loss);
        }
        validated.extend(report.map(|validation| validation.loss));
        if progress.stop.is_some() {
            break;
        }
    }
    let best = validated.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(validated.last().is_some_and(|&last| last > best), "the last is not the best: {validated:?}");
    assert_eq!(session.evaluate(&held_out).loss, best);
    let trainer = session.trainer();
    assert!(trainer.network().parameters[..] == trainer.averaged().parameters[..]);
}

#[test]
fn divergence_leaves_a_good_average() {
    let data = classes(100, 3);
    let text =
        "[training]\noptimizer = \"sgd\"\nlr = 1e4\nema = 0.9\niterations = 1000\n[network]\nhidden = [9]";
    let mut trainer = trainer::<f32>(text, &data, 1);
    let error = (0..1000).find_map(|_| trainer.step().err()).expect("diverges").to_string();
    assert!(error.contains("diverged"), "{error}");
    assert!(trainer.averaged().parameters.iter().all(|w| w.is_finite()));
    assert!(
        trainer.averaged().parameters[..] == trainer.network().parameters[..],
        "step 0 is the last good one"
    );
}
