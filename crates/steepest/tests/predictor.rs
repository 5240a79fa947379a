//! A predictor gives what the model gives, whichever way the rows come.

use steepest::{
    Activation, Dataset, Head, HeadQuirks, Init, Inputs, Model, Network, NetworkSpec, Output, Pool,
    Predictor, Recipe,
};

fn model(sizes: &[usize], divide_by: f64) -> Model<f32> {
    let spec =
        NetworkSpec { sizes: sizes.to_vec(), activation: Activation::Relu, bias: true, batch_norm: false };
    let n_outputs = sizes[sizes.len() - 1];
    Model {
        recipe: Recipe::default(),
        head: Head::new(Output::Softmax, n_outputs, HeadQuirks::default()),
        network: Network::random(spec, Init::HeNormal, Init::HeNormal, 1),
        classes: (0..n_outputs).map(|class| class.to_string()).collect(),
        image: None,
        divide_by,
        columns: None,
    }
}

/// A narrow first layer, a wide one, and one whose weights are too many for the cache.
const SHAPES: [&[usize]; 3] = [&[30, 8, 3], &[200, 70, 5], &[1024, 600, 4]];

#[test]
fn bytes_one_by_one_or_all_at_once() {
    for sizes in SHAPES {
        let (model, n_in, n) = (model(sizes, 255.0), sizes[0], 300);
        // A fifth of ink, as in images of digits.
        let ink = |i: usize| if i * 7 % 10 < 2 { (i * 37 % 256) as u8 } else { 0 };
        let rows: Vec<u8> = (0..n * n_in).map(ink).collect();
        let data = Dataset::new(Inputs::Bytes(rows.clone().into()), n_in, None).unwrap();
        let expected = model.predict(&data, &mut Pool::new(2)).values;
        let mut predictor = Predictor::new(&model);
        assert!(predictor.predict_bytes(&rows) == expected, "{sizes:?}");
        let one_by_one: Vec<f32> =
            rows.chunks(n_in).flat_map(|row| predictor.predict_bytes(row).to_vec()).collect();
        assert!(one_by_one == expected, "{sizes:?}");
        assert!(predictor.predict_bytes(&[]).is_empty());
    }
}

#[test]
fn numbers_one_by_one_or_all_at_once() {
    // Also such as are mostly zero, which a data set is seen to be and a row is not; and rows of both kinds.
    for (sizes, ink_of_ten) in SHAPES.iter().flat_map(|sizes| [(sizes, 10), (sizes, 2), (sizes, 0)]) {
        let (model, n_in, n) = (model(sizes, 3.0), sizes[0], 70);
        let has_ink = |i: usize| i * 7 % 10 < ink_of_ten || i / n_in % 9 == 8;
        let number = |i: usize| if has_ink(i) { (i * 29 % 97) as f32 / 97.0 - 0.5 } else { 0.0 };
        let rows: Vec<f32> = (0..n * n_in).map(number).collect();
        let data = Dataset::new(Inputs::F32(rows.clone().into()), n_in, None).unwrap();
        let expected = model.predict(&data, &mut Pool::new(1)).values;
        let mut predictor = Predictor::new(&model);
        assert!(predictor.predict(&rows) == expected, "{sizes:?}");
        let one_by_one: Vec<f32> =
            rows.chunks(n_in).flat_map(|row| predictor.predict(row).to_vec()).collect();
        assert!(one_by_one == expected, "{sizes:?}");
    }
}

#[test]
#[should_panic = "no rows of 30"]
fn part_of_a_row_is_refused() {
    Predictor::new(&model(SHAPES[0], 1.0)).predict_bytes(&[0; 31]);
}
