//! Losses and their gradients, against NumPy (`benchmarks/learning.py`, which is compared with PyTorch and scikit-learn).

mod golden;

use golden::{Golden, assert_close};
use steepest::{Dataset, Head, HeadQuirks, Inputs, Loss, Output, Plan, Recipe, TargetRows};

const ALLOWED: f64 = 1e-14;

/// Mean loss and gradient, as training computes them.
fn learn(head: &Head, z: &[f64], targets: TargetRows, weights: Option<&[f64]>) -> (f64, Vec<f64>) {
    let rows = (z.len() / head.n_outputs()) as f64;
    let total = weights.map_or(rows, |weights| weights.iter().sum());
    let mut delta = vec![0.0; z.len()];
    let (p, log_sums) = head.predictions(z, None);
    head.delta(&p, targets, weights, total, &mut delta);
    let loss = head.score(z, &p, &log_sums, targets, weights).loss / total;
    if weights.is_none() {
        let mut at_once = vec![0.0; z.len()];
        if let Some(score) = head.learn_class(z, None, targets, total, &mut at_once) {
            assert_close("loss in one pass", &[score.loss / total], &[loss], ALLOWED);
            assert_close("delta in one pass", &at_once, &delta, ALLOWED);
        }
    }
    (loss, delta)
}

#[test]
fn softmax_with_smooth_labels_and_weights() {
    let golden = Golden::open("learning.npz");
    for (part, n) in [("few", 5), ("many", 40)] {
        let classes: Vec<u32> =
            golden.numbers(&format!("{part}_classes")).iter().map(|&c| c as u32).collect();
        let z = golden.numbers(&format!("{part}_z"));
        for (smooth, smoothing) in [("", 0.0), ("_smooth", golden.number("smoothing"))] {
            for (weighted, weights) in
                [("", None), ("_weighted", Some(golden.numbers(&format!("{part}_weights"))))]
            {
                let name = format!("{part}{smooth}{weighted}");
                let head =
                    Head::new(Output::Softmax, n, HeadQuirks::default()).with_label_smoothing(smoothing);
                let (loss, delta) = learn(&head, z, TargetRows::Classes(&classes), weights);
                assert_close(&name, &[loss], golden.numbers(&format!("{name}_loss")), ALLOWED);
                assert_close(&name, &delta, golden.numbers(&format!("{name}_delta")), ALLOWED);
            }
        }
    }
}

#[test]
fn losses_of_numbers_with_weights() {
    let golden = Golden::open("learning.npz");
    let (z, y) = (golden.numbers("z"), golden.numbers("y"));
    for (name, loss) in [
        ("squared", Loss::Squared),
        ("mae", Loss::Absolute),
        ("huber", Loss::Huber { delta: golden.number("huber_from") }),
        ("poisson", Loss::Poisson),
    ] {
        let head = Head::new(Output::Identity, 2, HeadQuirks::default()).with_loss(loss);
        for (weighted, weights) in [("", None), ("_weighted", Some(golden.numbers("weights")))] {
            let name = format!("{name}{weighted}");
            let (loss, delta) = learn(&head, z, TargetRows::Values(y), weights);
            assert_close(&name, &[loss], golden.numbers(&format!("{name}_loss")), ALLOWED);
            assert_close(&name, &delta, golden.numbers(&format!("{name}_delta")), ALLOWED);
        }
        let predicted = head.predictions(z, None).0;
        let expected: Vec<f64> = z.iter().map(|&z| if loss == Loss::Poisson { z.exp() } else { z }).collect();
        assert_eq!(predicted, expected, "what the model predicts");
    }
}

#[test]
fn what_a_recipe_says_reaches_the_head() {
    let numbers = steepest::Targets::Values { values: vec![0.0, 1.0, 2.0], n_outputs: 1 };
    let data = Dataset::new(Inputs::F64(vec![1.0, 2.0, 3.0].into()), 1, Some(numbers)).unwrap();
    let loss = |text: &str| {
        let plan = Plan::new(Recipe::parse(text, &[]).unwrap(), &data).unwrap();
        let again = Plan::new(Recipe::parse(&plan.recipe.to_toml(), &[]).unwrap(), &data).unwrap();
        assert_eq!(again.training.head, plan.training.head);
        plan.training.head.loss()
    };
    assert_eq!(loss(""), Loss::Squared);
    assert_eq!(loss("[network]\nloss = \"mae\""), Loss::Absolute);
    assert_eq!(loss("[network]\nloss = \"huber\""), Loss::Huber { delta: 1.0 });
    assert_eq!(loss("[network]\nloss = \"huber\"\nhuber_delta = 2"), Loss::Huber { delta: 2.0 });
    assert_eq!(loss("[network]\nloss = \"poisson\""), Loss::Poisson);
}
