//! Layers go in and out of a trainer as `(n_in, n_out)`, however they lie in it.

use steepest::{Dataset, Init, Inputs, Network, PerParameter, Plan, Recipe, Targets, Trainer};

const FEATURES: usize = 64;

fn data(as_bytes: bool) -> Dataset {
    let x: Vec<u8> = (0..40 * FEATURES).map(|i| if i % 7 < 2 { (i * 37 % 251) as u8 } else { 0 }).collect();
    let inputs = match as_bytes {
        true => Inputs::Bytes(x.into()),
        false => Inputs::F64(x.into_iter().map(f64::from).collect()),
    };
    let labels = (0..40).map(|row| row % 3).collect();
    let names = ["a", "b", "c"].map(String::from).to_vec();
    Dataset::new(inputs, FEATURES, Some(Targets::Classes { labels, names })).unwrap()
}

fn trainer(data: &Dataset, hidden: usize, batch_size: &str) -> Trainer<f64> {
    let text = format!(
        "precision = \"f64\"\n[data]\ndivide_by = 255\nval_split = 0\n[network]\nhidden = [{hidden}]\n[training]\n\
         batch_size = {batch_size}\niterations = 20"
    );
    let plan = Plan::new(Recipe::parse(&text, &[]).unwrap(), data).unwrap();
    let network = Network::random(plan.network.clone(), Init::HeNormal, Init::Uniform(0.1), 5);
    Trainer::new(plan.training.clone(), network, data.select(&plan.split.train), plan.batches(), 1)
}

/// Upright, by squares of images, and transposed.
const LAYOUTS: [(bool, usize, &str); 4] =
    [(false, 8, "10"), (true, 8, "\"full\""), (true, 70, "10"), (false, 70, "10")];

#[test]
fn a_trainer_goes_on_from_the_layers_of_another() {
    for (as_bytes, hidden, batch_size) in LAYOUTS {
        let data = data(as_bytes);
        let mut first = trainer(&data, hidden, batch_size);
        for _ in 0..8 {
            first.step().unwrap();
        }
        let mut second = trainer(&data, hidden, batch_size);
        for _ in 0..8 {
            second.gradients().unwrap();
        }
        for of in [PerParameter::Value, PerParameter::Memory(0), PerParameter::Memory(1)] {
            for l in 0..2 {
                let (weights, biases) = first.layer(of, l).unwrap();
                second.set_layer(of, l, &weights, biases);
            }
        }
        second.set_steps(first.steps());
        assert!(first.network().parameters[..] == second.network().parameters[..]);
        for _ in 0..8 {
            assert_eq!(first.step().unwrap(), second.step().unwrap());
        }
        assert!(first.network().parameters[..] == second.network().parameters[..], "{hidden} {batch_size}");
    }
}

#[test]
fn layers_are_those_of_the_network_transposed() {
    for (as_bytes, hidden, batch_size) in LAYOUTS {
        let mut trainer = trainer(&data(as_bytes), hidden, batch_size);
        trainer.gradients().unwrap();
        let (network, gradient) = (trainer.network(), trainer.gradient());
        for (l, layer) in network.layers().iter().enumerate() {
            for (of, flat) in
                [(PerParameter::Value, &network.parameters), (PerParameter::Gradient, &gradient)]
            {
                let (weights, biases) = trainer.layer(of, l).unwrap();
                for i in 0..layer.n_in {
                    for j in 0..layer.n_out {
                        let upright = flat[layer.weight.start + j * layer.n_in + i];
                        assert_eq!(weights[i * layer.n_out + j], upright);
                    }
                }
                assert_eq!(biases, &flat[layer.bias.clone()]);
            }
        }
    }
}
