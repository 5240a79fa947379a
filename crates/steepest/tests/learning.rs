//! What `[training]` offers beside optimizers and schedules.

mod golden;

use golden::{Golden, assert_close};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use steepest::{
    Course, Dataset, Dialect, Float, Inputs, Network, Optimizer, Plan, Recipe, Schedule, Session, Start,
    Stop, Targets, Trainer, Warmup,
};

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
        assert_close("average", &averaging.averaged().parameters, &expected, 1e-13);
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
            let loss =
                steepest::evaluate(&model.head, &logits, targets, None, &mut steepest::Pool::new(1)).loss;
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

/// A network of one layer without biases whose weights are all zero, and rows of numbers with a number each.
fn linear(text: &str, x: Vec<f64>, y: Vec<f64>, batches: Option<Vec<Vec<u32>>>) -> Session<f64> {
    let n_in = x.len() / y.len();
    let data =
        Dataset::new(Inputs::F64(x.into()), n_in, Some(Targets::Values { values: y, n_outputs: 1 })).unwrap();
    let text = format!(
        "[data]\nval_split = 0\nshuffle = false\n[network]\nhidden = []\nbias = false\nweights = \"zeros\"\n[training]\n{text}"
    );
    let plan = Plan::new(Recipe::parse(&text, &[]).unwrap(), &data).unwrap();
    Session::new(plan, data, None, Start { network: None, batches }, 1).unwrap()
}

#[test]
fn long_gradients_are_shortened_as_pytorch_does() {
    let golden = Golden::open("learning.npz");
    let text =
        format!("optimizer = \"sgd\"\nlr = 1\niterations = 1\nclip_norm = {}", golden.number("clip_norm"));
    for (g, clipped) in golden.numbers("grads").chunks(7).zip(golden.numbers("clipped").chunks(7)) {
        // Predicts 0 where -1 is wanted: the gradient is the row itself.
        let mut session = linear(&text, g.to_vec(), vec![-1.0], None);
        session.advance().unwrap();
        let expected: Vec<f64> = clipped.iter().map(|d| -d).collect();
        assert_close("step", &session.trainer().network().parameters, &expected, 1e-15);
        assert_close("gradient", &session.trainer().gradient(), clipped, 1e-15);
    }
}

#[test]
fn shortened_gradients_have_the_same_bits_on_any_number_of_threads() {
    let data = classes(150, 1);
    for way in WAYS {
        let text = format!("{way}clip_norm = 0.01\noptimizer = \"rmsprop\"\nmomentum = 0.5\nl2 = 0.001");
        let run = |threads: usize| {
            let mut trainer = trainer::<f32>(&text, &data, threads);
            (0..20).for_each(|_| assert!(trainer.step().is_ok()));
            trainer.network().parameters.iter().map(|w| w.to_bits()).collect::<Vec<_>>()
        };
        let one = run(1);
        assert!((2..=4).all(|threads| run(threads) == one));
        let mut trainer = trainer::<f64>(&text, &data, 2);
        trainer.step().unwrap();
        let norm = trainer.gradient().iter().map(|d| d * d).sum::<f64>().sqrt();
        assert!((norm - 0.01).abs() < 1e-5, "{norm}");
    }
}

#[test]
fn schedules_are_those_of_pytorch_and_scikit_learn() {
    let golden = Golden::open("learning.npz");
    for (name, part, div_factor, final_div_factor) in
        [("one_cycle", 0.3, 25.0, 1e4), ("one_cycle_odd", 0.25, 10.0, 50.0)]
    {
        let course = Course::OneCycle { div_factor, final_div_factor };
        let schedule = Schedule { course, rate: 0.2, warmup: Warmup::Part(part) };
        let expected = golden.numbers(name);
        let total = expected.len() as u64;
        let rates: Vec<f64> = (0..total).map(|step| schedule.rate(step, 10, total)).collect();
        assert_close(name, &rates, expected, 1e-16);
    }
    let course = Course::InvScaling { power: 0.5, rows: 130 };
    let schedule = Schedule { course, ..Schedule::constant(0.2) };
    let expected = golden.numbers("inv_scaling");
    for step in 0..8 * 3 {
        assert_close("inv-scaling", &[schedule.rate(step, 3, 24)], &[expected[step as usize / 3]], 1e-16);
    }
}

#[test]
fn the_rate_adapts_to_the_training_loss_as_in_scikit_learn() {
    let golden = Golden::open("learning.npz");
    let (losses, rates) = (golden.numbers("losses"), golden.numbers("adaptive"));
    let n = losses.len();
    // Blank rows, so nothing is learnt: each has half the square of its target as its loss, and each epoch sees one of them.
    let y = losses.iter().map(|loss| (2.0 * loss).sqrt()).collect();
    let batches = (0..n as u32).map(|row| vec![row; n]).collect();
    let text =
        "optimizer = \"sgd\"\nlr = 0.5\nschedule = \"adaptive\"\ntol = 0.02\nlr_patience = 2\nepochs = 14";
    let mut session = linear(text, vec![0.0; n], y, Some(batches));
    let mut ours = Vec::new();
    for loss in losses {
        let progress = session.advance().unwrap();
        assert!((progress.step.loss - loss).abs() < 1e-15 && progress.step.ends_epoch);
        ours.extend(progress.report.map(|report| report.lr));
    }
    assert_close("rates", &ours, rates, 1e-16);
}

#[test]
fn an_adapted_rate_is_what_the_parameters_move_by() {
    // Nothing can be learnt from a blank input, and from the other a constant slope: each step goes the rate times -1.
    let text =
        "optimizer = \"sgd\"\nlr = 0.5\nschedule = \"adaptive\"\ntol = 1e9\nlr_patience = 3\nepochs = 8";
    let mut session = linear(text, vec![1e-9], vec![1e9], None);
    let mut before = 0.0;
    for step in 0..8 {
        session.advance().unwrap();
        let now = session.trainer().network().parameters[0];
        // The first epoch is below infinity: progress.
        let expected = 0.5
            / 5f64.powi(if step < 4 {
                0
            } else if step < 7 {
                1
            } else {
                2
            });
        assert!((now - before - expected).abs() < 1e-6, "step {step}: {}", now - before);
        before = now;
    }
}

#[test]
fn rmsprop_is_pytorchs() {
    let golden = Golden::open("learning.npz");
    for (name, momentum) in [("rmsprop", 0.0), ("rmsprop_momentum", golden.number("momentum"))] {
        let (alpha, epsilon) = (golden.number("alpha"), golden.number("eps"));
        let optimizer = Optimizer::Rmsprop { alpha, epsilon, momentum };
        let mut w = golden.numbers("start").to_vec();
        let mut memory = [0, 1].map(|i| vec![0.0; if i < optimizer.memory() { w.len() } else { 0 }]);
        for (step, d) in (1..).zip(golden.numbers("grads").chunks_exact(w.len())) {
            let memory = memory.each_mut().map(|m| &mut m[..]);
            optimizer.update(Dialect::Pytorch, (step, golden.number("lr")), true, d, memory, &mut w);
        }
        assert_close(name, &w, golden.numbers(name), 1e-14);
    }
}

#[test]
fn keys_reach_their_optimizer() {
    let data = classes(20, 1);
    let optimizer = |text: &str| {
        let recipe = Recipe::parse(&format!("[training]\n{text}"), &[]).unwrap();
        Plan::new(recipe, &data).unwrap().training.optimizer
    };
    let adamw = Optimizer::Adam { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.01 };
    assert_eq!(optimizer("optimizer = \"adamw\"\nbeta1 = 0.9\nbeta2 = 0.99"), adamw);
    let rmsprop = |momentum| Optimizer::Rmsprop { alpha: 0.9, epsilon: 1e-7, momentum };
    assert_eq!(optimizer("optimizer = \"rmsprop\"\nalpha = 0.9\nepsilon = 1e-7"), rmsprop(0.0));
    assert_eq!(
        optimizer("optimizer = \"rmsprop\"\nalpha = 0.9\nepsilon = 1e-7\nmomentum = 0.5"),
        rmsprop(0.5)
    );
    assert_eq!(optimizer("optimizer = \"momentum\""), Optimizer::Sgd { momentum: 0.9, nesterov: false });
}

/// The training loss of each step, and the parameters at last.
fn run(text: &str, data: &Dataset) -> (Vec<f64>, Vec<f64>) {
    let plan = Plan::new(Recipe::parse(text, &[]).unwrap(), data).unwrap();
    let mut session = Session::<f64>::new(plan, data.clone(), None, Start::default(), 2).unwrap();
    let losses =
        (0..session.plan().training.total_steps).map(|_| session.advance().unwrap().step.loss).collect();
    (losses, session.trainer().network().parameters.to_vec())
}

const FULL: &str = "[data]\nval_split = 0\nshuffle = false\n[network]\nhidden = [7]\n[training]\nbatch_size = \"full\"\niterations = 15\n";

#[test]
fn a_row_of_weight_two_is_that_row_twice() {
    let data = classes(60, 4);
    let counts: Vec<u32> = (0..60).map(|row| row * 7 % 4).collect();
    let repeated: Vec<u32> = (0..60u32).flat_map(|row| vec![row; counts[row as usize] as usize]).collect();
    let weighted = data.clone().with_weights(counts.iter().map(|&n| n.into()).collect()).unwrap();
    let (losses, parameters) = run(FULL, &weighted);
    let (expected_losses, expected) = run(FULL, &data.select(&repeated));
    assert_close("losses", &losses, &expected_losses, 1e-13);
    assert_close("parameters", &parameters, &expected, 1e-12);
    // And of held-out rows.
    let text = FULL.replace("val_split = 0", "val_split = 20");
    let validation = |data: &Dataset| {
        let mut session = trainer::<f64>(&text, data, 1);
        session.evaluate(data).loss
    };
    assert_close("validation", &[validation(&weighted)], &[validation(&data.select(&repeated))], 1e-13);
}

#[test]
fn classes_have_weights() {
    let golden = Golden::open("learning.npz");
    let labels: Vec<u32> = golden.numbers("labels").iter().map(|&label| label as u32).collect();
    let names: Vec<String> = ["a", "b", "c", "d", "none"].map(String::from).into();
    let x = Inputs::F64((0..50 * 3).map(|i| f64::from(i * i % 17) * 0.1).collect());
    let data = Dataset::new(x, 3, Some(Targets::Classes { labels: labels.clone(), names })).unwrap();
    let weights = |weight: &str| {
        let recipe = Recipe::parse(&format!("{FULL}class_weight = {weight}"), &[]).unwrap();
        let plan = Plan::new(recipe.clone(), &data).unwrap();
        assert_eq!(Recipe::parse(&recipe.to_toml(), &[]).unwrap(), recipe);
        plan.class_weights
    };
    let balanced = weights("\"balanced\"");
    assert_close("balanced", &balanced[..4], golden.numbers("balanced"), 1e-15);
    assert_eq!(balanced[4], 0.0, "no rows");
    assert_eq!(weights("[1, 2, 3, 4.5, 0]"), [1.0, 2.0, 3.0, 4.5, 0.0]);
    assert_eq!(weights("{ b = 2, none = 0.5 }"), [1.0, 2.0, 1.0, 1.0, 0.5]);

    // They are weights of rows, and multiply with such.
    let own: Vec<f64> = (0..50).map(|row| f64::from(row % 3)).collect();
    let with_own = data.clone().with_weights(own.clone()).unwrap();
    let list = [1.0, 2.0, 3.0, 4.5, 0.0];
    let both = own.iter().zip(&labels).map(|(own, &label)| own * list[label as usize]).collect();
    let (losses, parameters) = run(&format!("{FULL}class_weight = [1, 2, 3, 4.5, 0]"), &with_own);
    assert_eq!((losses, parameters), run(FULL, &data.clone().with_weights(both).unwrap()));
    // Balanced ones count rows by their weights: as scikit-learn's `compute_class_weight` with `sample_weight`.
    let plan =
        Plan::new(Recipe::parse(&format!("{FULL}class_weight = \"balanced\""), &[]).unwrap(), &with_own);
    let counts =
        (0..4).map(|c| own.iter().zip(&labels).filter(|(_, label)| **label == c).map(|(w, _)| w).sum());
    let counts: Vec<f64> = counts.collect();
    let expected: Vec<f64> = counts.iter().map(|n| counts.iter().sum::<f64>() / (4.0 * n)).collect();
    assert_close("balanced by weight", &plan.unwrap().class_weights[..4], &expected, 1e-15);
}

#[test]
fn batches_of_rows_that_do_not_count_change_nothing() {
    let data =
        classes(40, 5).with_weights((0..40).map(|row| f64::from(u8::from(row < 20))).collect()).unwrap();
    let text = "[data]\nval_split = 0\nshuffle = false\n[training]\nsampling = \"ordered\"\nbatch_size = 20\niterations = 2\noptimizer = \"sgd\"";
    let plan = Plan::new(Recipe::parse(text, &[]).unwrap(), &data).unwrap();
    let mut session = Session::<f32>::new(plan, data, None, Start::default(), 1).unwrap();
    assert!(session.advance().unwrap().step.loss > 0.0);
    let before = session.trainer().network().parameters.to_vec();
    assert_eq!(session.advance().unwrap().step.loss, 0.0);
    assert_eq!(session.trainer().network().parameters.to_vec(), before);
}

#[test]
fn weights_are_numbers_from_zero_on() {
    let says = |weights: Vec<f64>| classes(4, 1).with_weights(weights).err().unwrap().to_string();
    assert!(says(vec![1.0; 3]).contains("4 rows of inputs, but weights for 3"));
    assert!(says(vec![1.0, 0.0, -1.0, 1.0]).contains("row 2 has weight -1"));
    assert!(says(vec![1.0, f64::NAN, 0.0, 1.0]).contains("row 1 has weight NaN"));
    assert!(says(vec![0.0; 4]).contains("more than 0 for some row"));
    let data = classes(4, 1).with_weights(vec![1.0, 2.0, 3.0, 4.0]).unwrap();
    assert_eq!(data.select(&[3, 1, 1]).weights(), Some(&[4.0, 2.0, 2.0][..]));
}

#[test]
fn lbfgs_converges_where_the_gradient_vanishes() {
    let data = classes(150, 1);
    // Strictly convex: one minimum.
    let text = "[network]\nhidden = []\n[training]\nbatch_size = \"full\"\nepochs = 400\noptimizer = \"lbfgs\"\nl2 = 0.01\n";
    let run = |text: &str, threads: usize| {
        let mut trainer = trainer::<f64>(text, &data, threads);
        let mut losses = Vec::new();
        while !trainer.has_converged() && trainer.steps() < trainer.training().total_steps {
            losses.push(trainer.step().unwrap().loss);
        }
        (losses, trainer.network().parameters.to_vec(), trainer)
    };
    let (losses, parameters, trainer) = run(&format!("{text}tol = 1e-4"), 1);
    assert!(losses.is_sorted_by(|a, b| a > b), "{losses:?}");
    assert!(trainer.has_converged() && losses.len() < 100, "{} steps", losses.len());
    assert!(trainer.gradient().iter().all(|g| g.abs() <= 1e-4));
    assert_eq!(run(&format!("{text}tol = 1e-4"), 3).1, parameters, "on other threads");
    let adam = text
        .replace("epochs = 400\noptimizer = \"lbfgs\"", "epochs = 4000\noptimizer = \"adam\"\nlr = 0.003");
    let (of_adam, ..) = run(&adam, 1);
    let last = losses[losses.len() - 1];
    let above = of_adam[of_adam.len() - 1] - last;
    assert!(above > 0.0 && above < 0.01, "Adam is on its way there: {above}");
}

#[test]
fn lbfgs_ends_a_session_when_it_has_converged() {
    let text = "[network]\nhidden = [8]\n[training]\nbatch_size = \"full\"\nepochs = 2000\noptimizer = \"lbfgs\"\ntol = 1e-3";
    let data = classes(60, 2);
    let plan = Plan::new(Recipe::parse(text, &[]).unwrap(), &data).unwrap();
    let mut session = Session::<f32>::new(plan, data, None, Start::default(), 2).unwrap();
    let (mut steps, mut last) = (0, f64::INFINITY);
    let stop = loop {
        let progress = session.advance().unwrap();
        assert!(progress.step.loss <= last, "step {steps}");
        (steps, last) = (steps + 1, progress.step.loss);
        if let Some(stop) = progress.stop {
            assert!(progress.report.is_some());
            break stop;
        }
    };
    assert_eq!(stop, Stop::Converged);
    assert!(steps < 1000 && last < 0.1, "{steps} steps to {last}");
}
