//! Dropout and noise act in training, on the numbers they should, and nowhere else.

use steepest::{Dataset, Inputs, Plan, Recipe, Session, Start, Targets};

const ROWS: usize = 150;
const FEATURES: usize = 20;

fn data() -> Dataset {
    let bytes = (0..ROWS * FEATURES).map(|i| (i * 37 % 256) as u8).collect();
    let labels = (0..ROWS as u32).map(|row| row % 3).collect();
    let names = (0..3).map(|c| c.to_string()).collect();
    Dataset::new(Inputs::Bytes(bytes), FEATURES, Some(Targets::Classes { labels, names })).unwrap()
}

fn session(text: &str) -> Session<f64> {
    let text = format!(
        "precision = \"f64\"\n[training]\nbatch_size = \"full\"\niterations = 9\n[data]\nval_split = 0\n{text}"
    );
    let plan = Plan::new(Recipe::parse(&text, &[]).unwrap(), &data()).unwrap();
    Session::new(plan, data(), None, Start::default(), 2).unwrap()
}

/// One array of the next step.
fn next(session: &mut Session<f64>, name: &str) -> Vec<f64> {
    let (_, trace) = session.trace().unwrap();
    trace.into_iter().find(|(its, ..)| its == name).unwrap().2
}

#[test]
fn what_stays_is_scaled_up_and_every_step_drops_anew() {
    let mut session = session("[network]\nhidden = [40, 30]\nactivation = \"sigmoid\"\ndropout = 0.25");
    let mut patterns = Vec::new();
    for step in 0..3 {
        let (_, trace) = session.trace().unwrap();
        let array = |name: &str| &trace.iter().find(|(its, ..)| its == name).unwrap().2;
        for layer in [1, 2] {
            let (a, dropped) = (array(&format!("a{layer}")), array(&format!("dropped{layer}")));
            let kept: Vec<bool> = dropped.iter().map(|&x| x != 0.0).collect();
            for ((a, dropped), kept) in a.iter().zip(dropped).zip(&kept) {
                let expected = if *kept { a / 0.75 } else { 0.0 };
                assert!((dropped - expected).abs() < 1e-15);
            }
            let part = kept.iter().filter(|kept| **kept).count() as f64 / kept.len() as f64;
            // Five deviations of a mean of 4,500 or 6,000 coins.
            assert!((part - 0.75).abs() < 5.0 * (0.25 * 0.75 / 4500f64).sqrt(), "step {step}: {part} stays");
            patterns.push(kept[..4500].to_vec());
        }
    }
    for (i, one) in patterns.iter().enumerate() {
        assert!(patterns[..i].iter().all(|other| one != other), "each step and layer drops other numbers");
    }
}

#[test]
fn noise_is_gaussian_on_scaled_inputs_and_new_in_every_step() {
    let (mut plain, mut noisy) = (session(""), session("noise = 0.5"));
    let x = next(&mut plain, "x");
    let mut difference =
        || -> Vec<f64> { next(&mut noisy, "x").iter().zip(&x).map(|(noisy, x)| (noisy - x) / 0.5).collect() };
    let (one, other) = (difference(), difference());
    let mean_of = |f: &dyn Fn(usize) -> f64| (0..one.len()).map(f).sum::<f64>() / one.len() as f64;
    let allowed = 5.0 / (one.len() as f64).sqrt();
    assert!(mean_of(&|i| one[i]).abs() < allowed);
    // The deviation of a normal number's square is the root of 2, of its fourth power the root of 96.
    assert!((mean_of(&|i| one[i].powi(2)) - 1.0).abs() < 2f64.sqrt() * allowed);
    assert!((mean_of(&|i| one[i].powi(4)) - 3.0).abs() < 96f64.sqrt() * allowed);
    assert!(mean_of(&|i| one[i] * other[i]).abs() < allowed, "steps are independent");
    assert!(mean_of(&|i| one[i] * one[(i + FEATURES) % one.len()]).abs() < allowed, "rows are");
}

#[test]
fn predictions_know_of_neither() {
    let (mut plain, mut other) = (session(""), session("noise = 0.5\n[network]\ndropout = 0.5"));
    assert_eq!(plain.evaluate(&data()), other.evaluate(&data()));
    assert_ne!(plain.advance().unwrap().step.loss, other.advance().unwrap().step.loss);
    // The same seed gives the same, another seed something else.
    assert_eq!(session("noise = 0.5").advance().unwrap(), session("noise = 0.5").advance().unwrap());
    let network = session("").trainer().network();
    let seeds = [0, 1].map(|seed| {
        let text = format!("seed = {seed}\n[data]\nval_split = 0\nshuffle = false\n[network]\ndropout = 0.5\n[training]\nbatch_size = \"full\"");
        let plan = Plan::new(Recipe::parse(&text, &[]).unwrap(), &data()).unwrap();
        let start = Start { network: Some(network.clone()), batches: None };
        Session::<f64>::new(plan, data(), None, start, 1).unwrap().advance().unwrap().step.loss
    });
    assert_ne!(seeds[0], seeds[1]);
}
