//! Backpropagation against central differences of the loss, in double precision and away from kinks.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use steepest::{
    Activation, Dataset, Head, HeadQuirks, Init, Inputs, Loss, Network, NetworkSpec, Optimizer, Output, Pool,
    Products, Sampling, Schedule, Targets, Trainer, Training,
};

const FEATURES: usize = 5;
const ALLOWED: f64 = 1e-8;

struct Case {
    activation: Activation,
    head: MakeHead,
    targets: MakeTargets,
    bias: bool,
    batch_norm: bool,
    dropout: f64,
    noise: f64,
    l2: f64,
    hidden: Vec<usize>,
    rows: usize,
    threads: usize,
    /// Whether inputs are bytes that are mostly zero.
    images: bool,
    /// Whether rows have weights.
    weighted: bool,
}

/// So few rows are one block of one shard.
const FEW_ROWS: usize = 11;

/// One hidden layer of tanh with biases, a penalty, and few rows of numbers on two threads.
fn case((head, targets): (MakeHead, MakeTargets)) -> Case {
    Case {
        activation: Activation::Tanh,
        head,
        targets,
        bias: true,
        batch_norm: false,
        dropout: 0.0,
        noise: 0.0,
        l2: 0.1,
        hidden: vec![4],
        rows: FEW_ROWS,
        threads: 2,
        images: false,
        weighted: false,
    }
}

/// Makes targets for so many rows; says how many outputs they are for.
type MakeTargets = fn(&mut ChaCha8Rng, usize) -> (Targets, usize);

fn classes(rng: &mut ChaCha8Rng, rows: usize, n: u32) -> Targets {
    let labels = (0..rows).map(|_| rng.random_range(0..n)).collect();
    Targets::Classes { labels, names: (0..n).map(|c| c.to_string()).collect() }
}

/// A head with so many outputs.
type MakeHead = fn(usize) -> Head;

const SOFTMAX: MakeHead = |n| Head::new(Output::Softmax, n, HeadQuirks::default());
const SIGMOID: MakeHead = |n| Head::new(Output::Sigmoid, n, HeadQuirks::default());
const IDENTITY: MakeHead = |n| Head::new(Output::Identity, n, HeadQuirks::default());

/// Each textbook head with the targets it is for.
const HEADS: [(MakeHead, MakeTargets); 4] = [
    (SOFTMAX, |rng, rows| (classes(rng, rows, 3), 3)),
    (SIGMOID, |rng, rows| (classes(rng, rows, 2), 1)),
    (SIGMOID, |rng, rows| {
        let values = (0..rows * 3).map(|_| f64::from(rng.random_range(0..2u8))).collect();
        (Targets::Values { values, n_outputs: 3 }, 3)
    }),
    (IDENTITY, |rng, rows| {
        let values = (0..rows * 2).map(|_| rng.random_range(-2.0..2.0)).collect();
        (Targets::Values { values, n_outputs: 2 }, 2)
    }),
];

/// A trainer whose hidden sums all keep their distance from zero, where ReLU has its kink.
fn trainer(case: &Case) -> (Trainer<f64>, Dataset) {
    for seed in 0..1000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (targets, n_outputs) = (case.targets)(&mut rng, case.rows);
        let n = case.rows * FEATURES;
        let inputs = if case.images {
            let mut pixel = || if rng.random_bool(0.2) { rng.random_range(1..4) } else { 0 };
            Inputs::Bytes((0..n).map(|_| pixel()).collect())
        } else {
            Inputs::F64((0..n).map(|_| rng.random_range(-1.0..1.0)).collect())
        };
        let mut data = Dataset::new(inputs, FEATURES, Some(targets)).unwrap();
        if case.weighted {
            let weights = (0..case.rows).map(|_| f64::from(rng.random_range(0..3u8))).collect();
            data = data.with_weights(weights).unwrap();
        }
        let sizes = [&[FEATURES], case.hidden.as_slice(), &[n_outputs]].concat();
        let spec =
            NetworkSpec { sizes, activation: case.activation, bias: case.bias, batch_norm: case.batch_norm };
        let mut network = Network::<f64>::random(spec, Init::GlorotUniform, Init::Uniform(0.3), seed);
        for layer in network.layers().to_vec() {
            network.parameters[layer.scale].iter_mut().for_each(|scale| *scale = rng.random_range(0.5..1.5));
        }
        let training = Training {
            head: (case.head)(n_outputs),
            optimizer: Optimizer::Sgd { momentum: 0.0, nesterov: false },
            schedule: Schedule::constant(0.1),
            l2: case.l2,
            ema: None,
            clip_norm: None,
            sum_bias_gradient: false,
            ignores_divergence: false,
            total_steps: 1,
            divide_by: 1.0,
            augmenter: None,
            noise: case.noise,
            dropout: case.dropout,
            seed,
            products: Products::Exact,
        };
        let batches = || steepest::Batches::new(case.rows, None, Sampling::Ordered, 0);
        let new = || Trainer::new(training.clone(), network.clone(), data.clone(), batches(), case.threads);
        let (_, trace) = new().trace().unwrap();
        let array = |name: &str, l: usize| &trace.iter().find(|a| a.0 == format!("{name}{l}")).unwrap().2;
        // What the activation sees of layer `l`.
        let seen = |l: usize| {
            if !case.batch_norm {
                return array("z", l).clone();
            }
            let columns = array("gamma", l).iter().zip(array("beta", l)).cycle();
            array("z_hat", l).iter().zip(columns).map(|(z, (gamma, beta))| gamma * z + beta).collect()
        };
        let has_kink = matches!(case.activation, Activation::Relu | Activation::LeakyRelu);
        if !has_kink || (1..=case.hidden.len()).flat_map(seen).all(|z| z.abs() > 1e-3) {
            return (new(), data);
        }
    }
    panic!("no seed keeps away from the kinks");
}

/// Central differences of loss + penalty, parameter by parameter.
fn numeric_gradient(trainer: &mut Trainer<f64>, data: &Dataset) -> Vec<f64> {
    let Training { l2, dropout, noise, .. } = *trainer.training();
    let batch_norm = trainer.network().spec().batch_norm;
    let is_for_training = batch_norm || dropout > 0.0 || noise > 0.0;
    let loss = |trainer: &mut Trainer<f64>| {
        if is_for_training {
            // By the statistics of the batch, with what the first step drops and adds.
            return trainer.gradients().unwrap().loss;
        }
        let network = trainer.network();
        let squares = network.layers().iter().flat_map(|l| network.weight(l)).map(|w| w * w).sum::<f64>();
        trainer.evaluate(data).loss + 0.5 * l2 * squares
    };
    let start = trainer.network();
    let slopes = (0..start.parameters.len())
        .map(|i| {
            let mut at = |step: f64| {
                let mut network = start.clone();
                network.parameters[i] += step;
                trainer.set_network(&network);
                loss(trainer)
            };
            if batch_norm {
                // Few rows whose sums are divided by their deviation bend sharply: twice as far away the third derivative weighs
                // eight times as much, and so can be taken out.
                let h = 3e-5;
                return (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
            }
            let h = 1e-5;
            (at(h) - at(-h)) / (2.0 * h)
        })
        .collect();
    trainer.set_network(&start);
    slopes
}

fn worst(gradient: &[f64], numeric: &[f64]) -> f64 {
    let largest = gradient.iter().fold(0.0f64, |m, g| m.max(g.abs()));
    gradient.iter().zip(numeric).fold(0.0f64, |m, (g, n)| m.max((g - n).abs())) / largest
}

#[test]
fn every_activation_head_bias_and_penalty_at_every_depth() {
    use Activation::*;
    for activation in [Identity, Relu, LeakyRelu, Sigmoid, Tanh, Gelu] {
        for head in HEADS {
            for bias in [true, false] {
                for l2 in [0.0, 0.1] {
                    for hidden in [vec![], vec![4], vec![4, 3], vec![4, 3, 4]] {
                        let case = Case { activation, bias, l2, hidden, threads: 1, ..case(head) };
                        let (mut trainer, data) = trainer(&case);
                        trainer.gradients().unwrap();
                        let gradient = trainer.gradient().to_vec();
                        let error = worst(&gradient, &numeric_gradient(&mut trainer, &data));
                        assert!(
                            error <= ALLOWED,
                            "{activation:?} {:?} bias {bias} l2 {l2} hidden {:?}: off by {error:.1e}",
                            trainer.training().head,
                            case.hidden
                        );
                    }
                }
            }
        }
    }
}

/// Losses of numbers, smooth labels, and rows that do not all count the same.
#[test]
fn every_loss_with_and_without_weights() {
    let counts: MakeTargets = |rng, rows| {
        let values = (0..rows * 2).map(|_| f64::from(rng.random_range(0..4u8))).collect();
        (Targets::Values { values, n_outputs: 2 }, 2)
    };
    let [(softmax, one_of_three), sigmoid, ..] = HEADS;
    let many_classes: MakeTargets = |rng, rows| (classes(rng, rows, 40), 40);
    let losses: [(MakeHead, MakeTargets); 8] = [
        (|n| IDENTITY(n).with_loss(Loss::Absolute), counts),
        (|n| IDENTITY(n).with_loss(Loss::Huber { delta: 0.8 }), counts),
        (|n| IDENTITY(n).with_loss(Loss::Poisson), counts),
        (|n| SOFTMAX(n).with_label_smoothing(0.1), one_of_three),
        (|n| SOFTMAX(n).with_label_smoothing(0.1), many_classes),
        (IDENTITY, counts),
        (softmax, one_of_three),
        sigmoid,
    ];
    for head in losses {
        for (weighted, rows) in [(false, FEW_ROWS), (true, FEW_ROWS), (true, 150)] {
            let case = Case { rows, weighted, ..case(head) };
            let (mut trainer, data) = trainer(&case);
            trainer.gradients().unwrap();
            let gradient = trainer.gradient().to_vec();
            let error = worst(&gradient, &numeric_gradient(&mut trainer, &data));
            let head = trainer.training().head;
            assert!(error <= ALLOWED, "{head:?} weighted {weighted} {rows} rows: off by {error:.1e}");
        }
    }
}

#[test]
fn several_shards_of_several_blocks_on_several_threads() {
    use Activation::*;
    let [softmax, _, labels, identity] = HEADS;
    // 150 rows are three shards; only thousands give a shard more than one block.
    for (activation, head, rows) in
        [(Relu, softmax, 150), (Tanh, identity, 150), (Sigmoid, labels, 4500), (Tanh, softmax, 4500)]
    {
        let case = Case { activation, hidden: vec![4, 3], rows, ..case(head) };
        let (mut trainer, data) = trainer(&case);
        trainer.gradients().unwrap();
        let gradient = trainer.gradient().to_vec();
        let error = worst(&gradient, &numeric_gradient(&mut trainer, &data));
        assert!(error <= ALLOWED, "{:?} {rows} rows: off by {error:.1e}", trainer.training().head);
    }
}

/// Wide first layers keep their weights transposed.
#[test]
fn wide_layers_on_tables() {
    let [softmax, _, _, identity] = HEADS;
    for (head, hidden, rows) in [(softmax, vec![64], FEW_ROWS), (identity, vec![70, 3], 150)] {
        let case = Case { hidden, rows, ..case(head) };
        let (mut trainer, data) = trainer(&case);
        trainer.gradients().unwrap();
        let gradient = trainer.gradient().to_vec();
        let error = worst(&gradient, &numeric_gradient(&mut trainer, &data));
        assert!(error <= ALLOWED, "{:?}: off by {error:.1e}", case.hidden);
    }
}

/// Wide first layers on images keep their weights transposed and walk over the ink.
#[test]
fn wide_layers_on_images() {
    let [softmax, ..] = HEADS;
    for (bias, hidden, rows) in [(true, vec![64], FEW_ROWS), (false, vec![70, 3], 150)] {
        let case = Case { bias, hidden, rows, images: true, ..case(softmax) };
        let (mut trainer, data) = trainer(&case);
        let step = trainer.gradients().unwrap();
        let gradient = trainer.gradient().to_vec();
        let error = worst(&gradient, &numeric_gradient(&mut trainer, &data));
        assert!(error <= ALLOWED, "{:?}: off by {error:.1e}", case.hidden);

        // As numbers, the same inputs take another way.
        let Inputs::Bytes(bytes) = data.inputs() else { unreachable!() };
        let numbers = Inputs::F64(bytes.iter().map(|&x| x.into()).collect());
        let numbers = Dataset::new(numbers, FEATURES, None).unwrap();
        let network = trainer.network();
        let logits = steepest::logits(&network, &numbers, 1.0, &mut Pool::new(1));
        let head = &trainer.training().head;
        let loss = steepest::evaluate(head, &logits, data.targets().unwrap(), None, &mut Pool::new(1)).loss;
        let squares = network.layers().iter().flat_map(|l| network.weight(l)).map(|w| w * w).sum::<f64>();
        assert!((loss + 0.05 * squares - step.loss).abs() < 1e-13, "{loss} instead of {}", step.loss);
    }
}

/// Weights, shifts and scales, with rows that wait for each other at each layer: in one block and in several.
#[test]
fn batch_normalisation_under_every_activation_and_head() {
    use Activation::*;
    for activation in [Identity, Relu, LeakyRelu, Sigmoid, Tanh, Gelu] {
        for (i, head) in HEADS.into_iter().enumerate() {
            for (hidden, rows, threads, weighted) in [
                (vec![4], FEW_ROWS, 1, false),
                (vec![4, 3, 5], FEW_ROWS, 1, false),
                (vec![4, 3], 150, 2, true),
            ] {
                let (bias, batch_norm, images) = (i != 1, true, i == 0);
                let case = Case {
                    activation,
                    bias,
                    batch_norm,
                    hidden,
                    rows,
                    threads,
                    images,
                    weighted,
                    ..case(head)
                };
                let (mut trainer, data) = trainer(&case);
                trainer.gradients().unwrap();
                let gradient = trainer.gradient().to_vec();
                let error = worst(&gradient, &numeric_gradient(&mut trainer, &data));
                let head = trainer.training().head;
                assert!(error <= ALLOWED, "{activation:?} {head:?} {:?}: off by {error:.1e}", case.hidden);
            }
        }
    }
}

/// Loss and gradient are those of what is left; with a first layer that lies upright and one that lies transposed.
#[test]
fn dropout_and_noise_under_every_activation() {
    use Activation::*;
    for activation in [Identity, Relu, LeakyRelu, Sigmoid, Tanh, Gelu] {
        for (i, head) in HEADS.into_iter().enumerate() {
            for (batch_norm, hidden, rows) in
                [(false, vec![6, 5], 150), (false, vec![65, 4], FEW_ROWS), (true, vec![6, 5], 150)]
            {
                let noise = if i < 2 { 0.4 } else { 0.0 };
                let (dropout, images) = (0.3, i == 0);
                let case =
                    Case { activation, batch_norm, dropout, noise, hidden, rows, images, ..case(head) };
                let (mut trainer, data) = trainer(&case);
                trainer.gradients().unwrap();
                let gradient = trainer.gradient().to_vec();
                let error = worst(&gradient, &numeric_gradient(&mut trainer, &data));
                let head = trainer.training().head;
                assert!(error <= ALLOWED, "{activation:?} {head:?} {:?}: off by {error:.1e}", case.hidden);
            }
        }
    }
}

#[test]
fn planted_mistakes_are_caught() {
    let case = Case { hidden: vec![4, 4], threads: 1, ..case(HEADS[0]) };
    let (mut trainer, data) = trainer(&case);
    trainer.gradients().unwrap();
    let gradient = trainer.gradient().to_vec();
    let layers = trainer.network().layers().to_vec();
    let numeric = numeric_gradient(&mut trainer, &data);
    assert!(worst(&gradient, &numeric) <= ALLOWED);

    let scaled = |range: std::ops::Range<usize>, by: f64| {
        let mut wrong = gradient.clone();
        wrong[range].iter_mut().for_each(|g| *g *= by);
        wrong
    };
    let mut mistakes = Vec::new();
    for layer in &layers {
        for range in [layer.weight.clone(), layer.bias.clone()] {
            mistakes.push(("a sign", scaled(range.clone(), -1.0)));
            mistakes.push(("a factor 2", scaled(range.clone(), 2.0)));
            mistakes.push(("a missing 1/m", scaled(range, FEW_ROWS as f64)));
        }
    }
    let square = &layers[1];
    let mut transposed = gradient.clone();
    for i in 0..4 {
        for j in 0..4 {
            transposed[square.weight.start + i * 4 + j] = gradient[square.weight.start + j * 4 + i];
        }
    }
    mistakes.push(("a transpose", transposed));
    let mut unpenalised = gradient.clone();
    unpenalised[layers[0].weight.start] -= 0.1 * trainer.network().parameters[layers[0].weight.start];
    mistakes.push(("one weight without its penalty", unpenalised));
    for (what, wrong) in mistakes {
        assert!(worst(&wrong, &numeric) > 100.0 * ALLOWED, "{what} was not caught");
    }
}
