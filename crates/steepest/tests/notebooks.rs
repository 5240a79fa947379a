//! The four notebooks from their recipes, against what NumPy made of the same weights and rows
//! (`benchmarks/make_golden.py`).

mod golden;

use golden::{Array, Golden, assert_close, root};
use steepest::{Dialect, Float, Network, Optimizer, Plan, Recipe, Session, Start, parse_value};

const RECIPES: [&str; 4] = ["kaggle-csv-relu", "keras-npz-relu", "mnist-csv-relu", "idx-sigmoid"];
/// Of any weight, in double precision.
const ALLOWED: f64 = 1e-12;
/// Of any weight, in single precision.
const ALLOWED_F32: [f64; 4] = [5e-5, 5e-5, 5e-5, 2e-7];

/// All parameters in the order of the network; notebook 3 has no biases.
const NAMES: [&str; 4] = ["w1", "b1", "w2", "b2"];

/// A session of a notebook's recipe on golden rows, all of them and in their order.
fn session<T: Float>(number: usize, golden: &Golden, steps: i64, threads: usize) -> Session<T> {
    let text = std::fs::read_to_string(root("recipes").join(RECIPES[number]).with_extension("toml")).unwrap();
    let set = |key: &str, value: &str| (key.to_string(), Some(parse_value(value)));
    let hidden = format!("[{}]", golden.array("w1").0[0]);
    let changes = [
        set("data.val_split", "0"),
        set("data.shuffle", "false"),
        set("network.hidden", &hidden),
        set("training.iterations", &steps.to_string()),
        set("training.report_every", "1"),
    ];
    let data = golden.dataset("x", "y");
    let plan = Plan::new(Recipe::parse(&text, &changes).unwrap(), &data).unwrap();
    assert_eq!(plan.recipe.training.lr, golden.number("learning_rate"));
    let mut network = Network::zeros(plan.network.clone());
    let start = golden.parameters(&NAMES, "");
    assert_eq!(network.parameters.len(), start.len());
    network.parameters.iter_mut().zip(&start).for_each(|(w, &start)| *w = T::from_f64(start));
    let batches = golden.0.get("batches").map(|_| golden.batches());
    // A trace's step takes all rows, where the recipe would draw some.
    let all_rows = || (number == 3).then(|| vec![(0..data.n_samples() as u32).collect()]);
    let batches = batches.or_else(all_rows);
    let validation = golden.0.contains_key("x_val").then(|| golden.dataset("x_val", "y_val"));
    Session::new(plan, data, validation, Start { network: Some(network), batches }, threads).unwrap()
}

/// A whole golden run: weights, and every accuracy that the notebook recorded.
fn check_run<T: Float>(number: usize, suffix: &str, allowed: f64, threads: usize) {
    let golden = Golden::open(&format!("notebook-{number}.npz"));
    let expected = golden.numbers(&format!("accuracy{suffix}"));
    let mut session = session::<T>(number, &golden, expected.len() as i64, threads);
    let (mut accuracies, mut validated) = (Vec::new(), Vec::new());
    for _ in expected {
        let progress = session.advance().unwrap();
        accuracies.push(progress.step.accuracy.unwrap());
        // The last step is validated as well, which the notebook does not do.
        if progress.step.iteration.is_multiple_of(20) {
            validated.extend(progress.report.unwrap().validation.map(|v| v.accuracy.unwrap()));
        }
    }
    let what = |part: &str| format!("notebook {number}{suffix}, {threads} threads: {part}");
    assert_close(&what("accuracy"), &accuracies, expected, 1e-12);
    match golden.0.get(&format!("validation_accuracy{suffix}")) {
        Some((_, expected)) => assert_close(&what("validation accuracy"), &validated, expected, 1e-12),
        None => assert!(number != 3 && validated.is_empty()),
    }
    let after = golden.parameters(&NAMES, &format!("_after{suffix}"));
    assert_close(&what("weights"), &session.trainer().network().parameters, &after, allowed);
}

#[test]
fn runs_in_double_precision() {
    for number in 0..4 {
        for threads in [1, 3] {
            check_run::<f64>(number, "", ALLOWED, threads);
        }
    }
}

#[test]
fn runs_in_single_precision() {
    for (number, allowed) in ALLOWED_F32.into_iter().enumerate() {
        for threads in [1, 3] {
            check_run::<f32>(number, "_f32", allowed, threads);
        }
    }
}

/// Columns become rows.
fn transposed((shape, numbers): &Array) -> Array {
    let [n, m] = shape[..] else { panic!("{shape:?}") };
    let flipped = (0..m).flat_map(|j| (0..n).map(move |i| numbers[i * m + j])).collect();
    (vec![m, n], flipped)
}

#[test]
fn every_quantity_of_a_step() {
    for number in 0..4 {
        let golden = Golden::open(&format!("trace-{number}.npz"));
        let (_, trace) = session::<f64>(number, &golden, 1, 2).trace().unwrap();
        let (n, is_last) = (32, number == 3);
        let theirs = |name: &str| golden.array(name).clone();
        let columns = |name: &str| transposed(golden.array(name));
        let scaled = |(shape, x): Array, by: f64| (shape, x.into_iter().map(|x| x * by).collect::<Vec<_>>());
        let mut expected = vec![
            ("W1", theirs("w1")),
            ("W2", theirs("w2")),
            ("W1_new", theirs("w1_after")),
            ("W2_new", theirs("w2_after")),
            ("x", scaled(theirs("x"), if is_last { 1.0 } else { 1.0 / 255.0 })),
        ];
        if is_last {
            expected.extend([
                ("z1", theirs("x_l1")),
                ("a1", theirs("x_sigmoid")),
                ("z2", theirs("x_l2")),
                ("a2", theirs("out")),
                ("delta2", theirs("error_l2")),
                ("delta1", theirs("error_l1")),
                ("d_W2", columns("update_l2")),
                ("d_W1", columns("update_l1")),
            ]);
        } else {
            // One number for all biases of a layer in notebook 2.
            let bias = |name: &str| match golden.numbers(name) {
                [sum] => (vec![10], vec![*sum; 10]),
                per_unit => (vec![10], per_unit.to_vec()),
            };
            expected.extend([
                ("z1", columns("z1")),
                ("a1", columns("a1")),
                ("z2", columns("z2")),
                ("a2", columns("a2")),
                // Theirs are not yet divided by the number of rows.
                ("delta2", scaled(columns("dz2"), 1.0 / n as f64)),
                ("delta1", scaled(columns("dz1"), 1.0 / n as f64)),
                ("d_W2", theirs("dw2")),
                ("d_W1", theirs("dw1")),
                ("d_b2", bias("db2")),
                ("d_b1", bias("db1")),
                ("b1", theirs("b1")),
                ("b2", theirs("b2")),
                ("b1_new", theirs("b1_after")),
                ("b2_new", theirs("b2_after")),
            ]);
        }
        let mut names: Vec<&str> = trace.iter().map(|(name, ..)| name.as_str()).collect();
        let mut expected_names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        expected_names.sort_unstable();
        assert_eq!(names, expected_names, "notebook {number}");
        for (name, (shape, numbers)) in &expected {
            let (_, our_shape, ours) = trace.iter().find(|(our, ..)| our == name).unwrap();
            let what = format!("notebook {number}: {name}");
            assert_eq!(our_shape, shape, "{what}");
            let largest = numbers.iter().fold(0.0f64, |m, x| m.max(x.abs()));
            assert_close(&what, ours, numbers, ALLOWED * largest.max(1e-3));
        }
    }
}

#[test]
fn every_optimizer() {
    let golden = Golden::open("optimizers.npz");
    let number = |name: &str| golden.number(name);
    let sgd = |momentum: f64, nesterov: bool| Optimizer::Sgd { momentum, nesterov };
    let adam = |weight_decay: f64| Optimizer::Adam {
        beta1: number("beta1"),
        beta2: number("beta2"),
        epsilon: number("eps"),
        weight_decay,
    };
    let (momentum, decay) = (number("momentum"), number("weight_decay"));
    let runs = [
        ("sgd", sgd(0.0, false), 0.0),
        ("sgd_l2", sgd(0.0, false), decay),
        ("sgd_momentum", sgd(momentum, false), 0.0),
        ("sgd_momentum_l2", sgd(momentum, false), decay),
        ("sgd_nesterov", sgd(momentum, true), 0.0),
        ("adam", adam(0.0), 0.0),
        ("adam_l2", adam(0.0), decay),
        ("adamw", adam(decay), 0.0),
    ];
    for (name, optimizer, l2) in runs {
        let rate = number(if name.starts_with("adam") { "adam_lr" } else { "sgd_lr" });
        let mut w = golden.numbers("start").to_vec();
        let mut memory = [vec![0.0; w.len()], vec![0.0; w.len()]];
        for (step, gradient) in (1..).zip(golden.numbers("grads").chunks_exact(w.len())) {
            let d: Vec<f64> = gradient.iter().zip(&w).map(|(g, w)| g + l2 * w).collect();
            let memory = memory.each_mut().map(|m| &mut m[..]);
            optimizer.update(Dialect::Pytorch, (step, rate), true, &d, memory, &mut w);
        }
        assert_close(name, &w, golden.numbers(name), 1e-14);
    }
}
