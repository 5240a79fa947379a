//! Batch normalisation: against NumPy, in prediction, and wherever its running statistics must come along.

mod golden;

use golden::{Golden, assert_close};
use steepest::{
    Dataset, Float, Inputs, Network, Plan, Pool, Predictor, Recipe, Session, Start, Stop, Targets,
};

/// The golden network's parameters, in its order.
const NAMES: [&str; 8] = ["w1", "b1", "gamma1", "w2", "b2", "gamma2", "w3", "b3"];
const STATISTICS: [&str; 4] = ["running_mean1", "running_var1", "running_mean2", "running_var2"];

fn plan(text: &str, data: &Dataset) -> Plan {
    Plan::new(Recipe::parse(text, &[]).unwrap(), data).unwrap()
}

/// The golden run at its start.
fn golden_session<T: Float>(golden: &Golden, threads: usize) -> Session<T> {
    let data = golden.dataset("x", "y");
    let text = "[data]\nval_split = 0\nshuffle = false\n[network]\nhidden = [12, 7]\nbatch_norm = true\n\
                [training]\nbatch_size = 32\niterations = 12\noptimizer = \"nesterov\"\nlr = 0.05\nmomentum = 0.9";
    let plan = plan(text, &data);
    let mut network = Network::zeros(plan.network.clone());
    let start = golden.parameters(&NAMES, "");
    assert_eq!(network.parameters.len(), start.len());
    network.parameters.iter_mut().zip(&start).for_each(|(w, &start)| *w = T::from_f64(start));
    let start = Start { network: Some(network), batches: Some(golden.batches()) };
    Session::new(plan, data, None, start, threads).unwrap()
}

fn check_run<T: Float>(threads: usize, allowed: f64) {
    let golden = Golden::open("batch-norm.npz");
    let mut session = golden_session::<T>(&golden, threads);
    let losses: Vec<f64> =
        golden.numbers("losses").iter().map(|_| session.advance().unwrap().step.loss).collect();
    assert_close("losses", &losses, golden.numbers("losses"), 10.0 * allowed);
    let network = session.trainer().network();
    assert_close("parameters", &network.parameters, &golden.parameters(&NAMES, "_after"), allowed);
    assert_close("statistics", &network.statistics, &golden.parameters(&STATISTICS, ""), allowed);
    // A model is the folded network.
    let model = session.model();
    assert!(!model.network.spec().batch_norm && model.network.statistics.is_empty());
    let data = golden.dataset("x", "y");
    let predictions = model.predict(&data, &mut Pool::new(threads));
    assert_close("logits", &predictions.logits, golden.numbers("logits"), 10.0 * allowed);
}

#[test]
fn a_run_as_numpy_computes_it() {
    for threads in [1, 3] {
        check_run::<f64>(threads, 1e-13);
        check_run::<f32>(threads, 5e-5);
    }
}

#[test]
fn every_quantity_of_a_step_as_numpy_computes_it() {
    let golden = Golden::open("batch-norm.npz");
    let (_, trace) = golden_session::<f64>(&golden, 2).trace().unwrap();
    let mut checked = 0;
    for (name, shape, ours) in &trace {
        let layer = name.trim_end_matches("_new").chars().last().unwrap();
        let theirs = match name.trim_end_matches(char::is_numeric) {
            "x" | "W_new" => continue,
            _ if name.ends_with("_new") => continue,
            "W" => format!("w{layer}"),
            "d_W" => format!("d_w{layer}"),
            "beta" | "b" => format!("b{layer}"),
            "d_beta" | "d_b" => format!("d_b{layer}"),
            _ => name.clone(),
        };
        assert_eq!(*shape, golden.array(&theirs).0, "{name}");
        assert_close(name, ours, golden.numbers(&theirs), 1e-13);
        checked += 1;
    }
    // z, a and delta of three layers; mean, var and z_hat of two; parameters and their gradients.
    assert_eq!(checked, 9 + 6 + 2 * 8);
}

/// Images of 16 x 16 with ink in a quarter of their squares.
fn images(n: usize) -> Dataset {
    let byte = |row: usize, i: usize| {
        let square = i % 16 / 4 + i / 64 * 4;
        if (square * 7 + row).is_multiple_of(4) { (i * 37 + row * row) as u8 } else { 0 }
    };
    let bytes = (0..n).flat_map(|row| (0..256).map(move |i| byte(row, i))).collect();
    let names = (0..5).map(|c| c.to_string()).collect();
    let labels = (0..n as u32).map(|row| row % 7 % 5).collect();
    Dataset::new(Inputs::Bytes(bytes), 256, Some(Targets::Classes { labels, names })).unwrap()
}

/// Logits without folding, written out.
fn unfolded(network: &Network<f64>, x: Vec<f64>) -> Vec<f64> {
    let mut a = x;
    for layer in network.layers() {
        let (w, bias) = (network.weight(layer), network.bias(layer));
        let numbers = |all: &[f64], range: &std::ops::Range<usize>| all[range.clone()].to_vec();
        let (mean, variance) =
            (numbers(&network.statistics, &layer.mean), numbers(&network.statistics, &layer.variance));
        let scale = numbers(&network.parameters, &layer.scale);
        let mut out = Vec::new();
        for a in a.chunks_exact(layer.n_in) {
            for (i, w) in w.chunks_exact(layer.n_in).enumerate() {
                let z: f64 = a.iter().zip(w).map(|(a, w)| a * w).sum();
                let bias = bias.map_or(0.0, |bias| bias[i]);
                out.push(if scale.is_empty() {
                    z + bias
                } else {
                    (scale[i] * (z - mean[i]) / (variance[i] + 1e-5).sqrt() + bias).tanh()
                });
            }
        }
        a = out;
    }
    a
}

/// First layers that lie upright, transposed and by patches; gradients by parts and by shards; with and without biases.
#[test]
fn folded_predictions_equal_unfolded_ones() {
    for (network, training) in [
        ("hidden = [10, 6]", "batch_size = \"full\""),
        ("hidden = [10, 6]\nbias = false", "batch_size = 50"),
        ("hidden = [80]", "batch_size = 50"),
        ("hidden = [300, 20]\nbias = false", "batch_size = 200"),
    ] {
        let data = images(400);
        let text = format!(
            "precision = \"f64\"\n[data]\nval_split = 0\n[network]\nactivation = \"tanh\"\nbatch_norm = true\n{network}\n\
             [training]\niterations = 20\n{training}"
        );
        let mut session =
            Session::<f64>::new(plan(&text, &data), data.clone(), None, Start::default(), 2).unwrap();
        while session.advance().unwrap().stop.is_none() {}
        let network = session.trainer().network();
        let moved = network.layers().iter().filter(|layer| !layer.scale.is_empty()).flat_map(|layer| {
            [&network.parameters[layer.scale.clone()], &network.statistics[layer.variance.clone()]].concat()
        });
        assert!(moved.into_iter().all(|x| x != 1.0), "scales and variances move");
        let Inputs::Bytes(bytes) = data.inputs() else { unreachable!() };
        let expected = unfolded(&network, bytes.iter().map(|&x| f64::from(x) / 255.0).collect());
        let model = session.model();
        assert_close(&text, &model.predict(&data, &mut Pool::new(2)).logits, &expected, 1e-12);
        assert_close(
            &text,
            &steepest::logits(&network, &data, 1.0 / 255.0, &mut Pool::new(1)),
            &expected,
            1e-12,
        );
        let values = Predictor::new(&model).predict_bytes(bytes).to_vec();
        assert_close(&text, &model.predict(&data, &mut Pool::new(1)).values, &values, 1e-12);
    }
}

/// By shards and by parts of the gradient, on deformed images and with dropout.
#[test]
fn averaged_parameters_have_averaged_statistics() {
    fn averaging<T: Float>(text: &str, threads: usize) -> Session<T> {
        let data = images(400).with_image(16, 16);
        Session::new(plan(text, &data), data, None, Start::default(), threads).unwrap()
    }
    for (hidden, batch_size) in ["[10, 6]", "[300, 20]"].into_iter().zip([50, 200]) {
        let text = format!(
            "[data]\nval_split = 0\n[network]\nhidden = {hidden}\nactivation = \"tanh\"\nbatch_norm = true\ndropout = 0.2\n\
             [training]\nbatch_size = {batch_size}\niterations = 12\nema = 0.5\n[augment]\nrotation = 10\nelastic = 1"
        );
        let mut session = averaging::<f64>(&text, 2);
        let all = |network: Network<f64>| [&*network.parameters, &*network.statistics].concat();
        let mut expected = all(session.trainer().network());
        for t in 1..=12 {
            session.advance().unwrap();
            let decay = f64::min(0.5, f64::from(1 + t) / f64::from(10 + t));
            let now = all(session.trainer().network());
            expected.iter_mut().zip(&now).for_each(|(mean, now)| *mean = decay * *mean + (1.0 - decay) * now);
            assert_close("average", &all(session.trainer().averaged()), &expected, 1e-13);
        }
        let (network, averaged) = (session.trainer().network(), session.trainer().averaged());
        let differ = |one: &[f64], other: &[f64]| one.iter().zip(other).filter(|(a, b)| a != b).count();
        assert_eq!(differ(&network.statistics, &averaged.statistics), averaged.statistics.len());

        // They are what is validated and saved.
        let data = images(400);
        let Inputs::Bytes(bytes) = data.inputs() else { unreachable!() };
        let logits = unfolded(&averaged, bytes.iter().map(|&x| f64::from(x) / 255.0).collect());
        let (model, mut pool) = (session.model(), Pool::new(1));
        assert_close("model", &model.predict(&data, &mut pool).logits, &logits, 1e-12);
        let loss = steepest::evaluate(&model.head, &logits, data.targets().unwrap(), None, &mut pool).loss;
        assert_close("validation", &[session.evaluate(&data).loss], &[loss], 1e-12);

        let bits = |threads: usize| {
            let mut session = averaging::<f32>(&text, threads);
            (0..12).for_each(|_| assert!(session.advance().is_ok()));
            let averaged = session.trainer().averaged();
            [&*averaged.parameters, &*averaged.statistics]
                .concat()
                .iter()
                .map(|x| x.to_bits())
                .collect::<Vec<_>>()
        };
        let one = bits(1);
        assert!((2..=3).all(|threads| bits(threads) == one), "{hidden}");
    }
}

#[test]
fn early_stopping_brings_back_the_best_statistics() {
    let rows = |sign: f32| {
        let x = (0..60).flat_map(|i| [(i as f32 - 29.5) * 0.1 * sign, (i % 7) as f32]).collect();
        let labels = (0..60).map(|i| u32::from(i >= 30)).collect();
        let names = vec!["a".into(), "b".into()];
        Dataset::new(Inputs::F32(x), 2, Some(Targets::Classes { labels, names })).unwrap()
    };
    let text = "[data]\nvalidation = \"given\"\n[network]\nhidden = [5]\nbatch_norm = true\n\
                [training]\nbatch_size = 20\nepochs = 50\nlr = 0.1\npatience = 3";
    // Validated on the mirror image, so that it soon gets worse.
    let (data, mirrored) = (rows(1.0), rows(-1.0));
    let start = Start::default();
    let mut session = Session::<f32>::new(plan(text, &data), data, Some(mirrored.clone()), start, 1).unwrap();
    let (mut losses, mut statistics) = (Vec::new(), Vec::new());
    let best = loop {
        let progress = session.advance().unwrap();
        losses.extend(progress.report.and_then(|report| report.validation).map(|v| v.loss));
        match progress.stop {
            None => statistics.push(session.trainer().network().statistics.to_vec()),
            Some(Stop::Patience { best }) => break best.unwrap(),
            Some(stop) => panic!("{stop:?}"),
        }
    };
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(lowest < losses[losses.len() - 1]);
    assert_eq!(session.evaluate(&mirrored).loss, lowest);
    let network = session.trainer().network();
    assert_eq!(*network.statistics, statistics[best as usize]);
    assert_ne!(*network.statistics, statistics[statistics.len() - 1]);
}

/// The last batch of an epoch may have a single row, which has no variance.
#[test]
fn a_single_row_leaves_the_statistics_alone() {
    let data = images(41);
    let text = "[data]\nval_split = 0\n[network]\nhidden = [6]\nbatch_norm = true\n[training]\nbatch_size = 20\nepochs = 3";
    let mut session = Session::<f32>::new(plan(text, &data), data, None, Start::default(), 2).unwrap();
    loop {
        let before = session.trainer().network().statistics;
        let progress = session.advance().unwrap();
        let after = session.trainer().network().statistics;
        assert_eq!(*before == *after, progress.step.n_samples == 1);
        assert!(after.iter().all(|x| x.is_finite()));
        if progress.stop.is_some() {
            return;
        }
    }
}

#[test]
fn divergence_leaves_the_last_good_statistics() {
    let x = (0..200).map(|i| if i < 150 { i as f32 } else { 1e30 }).collect();
    let targets = Targets::Values { values: (0..50).map(f64::from).collect(), n_outputs: 1 };
    let data = Dataset::new(Inputs::F32(x), 4, Some(targets)).unwrap();
    let text = "[data]\nval_split = 0\n[network]\nhidden = [6]\nbatch_norm = true\n[training]\nsampling = \"ordered\"\nbatch_size = 10";
    let mut session =
        Session::<f32>::new(plan(text, &data), data.clone(), None, Start::default(), 1).unwrap();
    let start = session.trainer().network();
    let error = (0..5).find_map(|_| session.advance().err()).expect("diverges").to_string();
    assert!(error.contains("diverged at iteration"), "{error}");
    let network = session.trainer().network();
    assert_eq!((&*network.statistics, &*network.parameters), (&*start.statistics, &*start.parameters));

    // In the order of the data three steps go well, and their average goes back with the network.
    let text = text.replace("val_split = 0", "val_split = 0\nshuffle = false") + "\nema = 0.5";
    let mut session = Session::<f32>::new(plan(&text, &data), data, None, Start::default(), 1).unwrap();
    let start = session.trainer().network();
    for _ in 0..3 {
        session.advance().unwrap();
        assert_ne!(*session.trainer().averaged().statistics, *start.statistics);
    }
    session.advance().unwrap_err();
    let averaged = session.trainer().averaged();
    assert_eq!((&*averaged.statistics, &*averaged.parameters), (&*start.statistics, &*start.parameters));
}
