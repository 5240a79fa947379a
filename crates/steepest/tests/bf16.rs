//! Large layers learn with products in bf16 as they do with exact ones, but for the rounding.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use steepest::{Dataset, Float, Init, Inputs, Network, Plan, Recipe, Targets, Trainer};

/// Both products of the hidden layers are large enough to be packed.
const FEATURES: usize = 740;

fn data() -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let rows = 150;
    let inputs = (0..rows * FEATURES).map(|_| rng.random_range(-1.0..1.0)).collect();
    let labels = (0..rows).map(|_| rng.random_range(0..5)).collect();
    let names = (0..5).map(|class| class.to_string()).collect();
    Dataset::new(Inputs::F32(inputs), FEATURES, Some(Targets::Classes { labels, names })).unwrap()
}

fn trainer<T: Float>(text: &str, products: &str, threads: usize) -> Trainer<T> {
    let text = format!(
        "{text}\n[network]\nhidden = [720, 740]\n[training]\nbatch_size = 70\niterations = 20\n\
         optimizer = \"momentum\"\nproducts = \"{products}\""
    );
    let data = data();
    let plan = Plan::new(Recipe::parse(&text, &[]).unwrap(), &data).unwrap();
    let network = Network::random(plan.network.clone(), Init::HeNormal, Init::Zeros, 5);
    Trainer::new(plan.training.clone(), network, data.select(&plan.split.train), plan.batches(), threads)
}

/// The largest difference, as a part of the largest number.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    let largest = |x: &mut dyn Iterator<Item = f32>| x.fold(0.0, |most: f32, x| most.max(x.abs()));
    largest(&mut a.iter().zip(b).map(|(a, b)| a - b)) / largest(&mut b.iter().copied())
}

#[test]
fn gradients_are_those_of_exact_products_but_for_the_rounding() {
    let gradient = |products| {
        let mut trainer = trainer::<f32>("", products, 1);
        let step = trainer.gradients().unwrap();
        (step.loss, trainer.gradient().to_vec())
    };
    let ((loss, rounded), (exact_loss, exact)) = (gradient("bf16"), gradient("f32"));
    // Each factor is off by at most 1 part in 256.
    let difference = difference(&rounded, &exact);
    assert!(difference > 1e-5 && difference < 0.02, "{difference}");
    assert!((loss - exact_loss).abs() < 0.01 * exact_loss, "{loss} {exact_loss}");
}

#[test]
fn what_is_learnt_depends_on_no_number_of_threads() {
    let train = |threads| {
        let mut trainer = trainer::<f32>("", "bf16", threads);
        let losses: Vec<f64> = (0..20).map(|_| trainer.step().unwrap().loss).collect();
        assert!(losses[19] < 0.8 * losses[0], "{losses:?}");
        trainer.network().parameters.iter().map(|w| w.to_bits()).collect::<Vec<_>>()
    };
    assert!(train(1) == train(2) && train(1) == train(3));
}

#[test]
fn a_network_is_validated_as_it_predicts_with_exact_products() {
    let mut rounded = trainer::<f32>("", "bf16", 1);
    let mut exact = trainer::<f32>("", "f32", 1);
    assert_eq!(rounded.evaluate(&data()), exact.evaluate(&data()));
}
