//! Images that are deformed anew in every epoch.

mod golden;

use std::sync::Arc;

use golden::Golden;
use steepest::{Augment, AugmentScratch, Augmenter, Dataset, Inputs, Plan, Recipe, Session, Start, Targets};
use steepest_kernels::{DeformScratch, Deformation, deform, reference};

const SIDE: usize = 16;
const ALL: &str = "[augment]\nshift = 1.5\nrotation = 15\nscale = 0.15\nshear = 0.15\nelastic = 1.2\n";

/// Images with an eighth of ink.
fn bytes(n: usize) -> Vec<u8> {
    let pixel = |row: usize, i: usize| {
        let (y, x) = (i / SIDE, i % SIDE);
        if (y + row).is_multiple_of(5) && (3..13).contains(&x) { (i * 11 + row) as u8 } else { 0 }
    };
    (0..n).flat_map(|row| (0..SIDE * SIDE).map(move |i| pixel(row, i))).collect()
}

fn data_of(inputs: Inputs) -> Dataset {
    let n = match &inputs {
        Inputs::Drawn { rows, .. } => rows.len(),
        Inputs::Bytes(x) => x.len() / SIDE / SIDE,
        _ => unreachable!(),
    };
    let labels = (0..n as u32).map(|row| row % 3).collect();
    let names = ["a", "b", "c"].map(String::from).into();
    let data = Dataset::new(inputs, SIDE * SIDE, Some(Targets::Classes { labels, names })).unwrap();
    data.with_image(SIDE, SIDE)
}

fn session(text: &str, data: &Dataset, batches: Option<Vec<Vec<u32>>>, threads: usize) -> Session<f32> {
    let plan = Plan::new(Recipe::parse(text, &[]).unwrap(), data).unwrap();
    Session::new(plan, data.clone(), None, Start { network: None, batches }, threads).unwrap()
}

/// Parameters after all steps.
fn train(text: &str, data: &Dataset, threads: usize) -> Vec<u32> {
    let mut session = session(text, data, None, threads);
    while session.advance().unwrap().stop.is_none() {}
    session.model().network.parameters.iter().map(|w| w.to_bits()).collect()
}

/// The inputs of one step, as bytes.
fn seen(session: &mut Session<f32>) -> Vec<Vec<u8>> {
    let (_, trace) = session.trace().unwrap();
    let (name, _, x) = &trace[0];
    assert_eq!(name, "x");
    x.chunks_exact(SIDE * SIDE).map(|row| row.iter().map(|x| (x * 255.0).round() as u8).collect()).collect()
}

#[test]
fn deformed_images_equal_those_of_scipy() {
    let golden = Golden::open("deformed.npz");
    let f32s = |name: &str| golden.numbers(name).iter().map(|&x| x as f32).collect::<Vec<_>>();
    let (image, expected) = (golden.bytes("image"), golden.numbers("deformed"));
    let shape = &golden.array("image").0;
    let (affine, down, across, bumps) = (f32s("affine"), f32s("down"), f32s("across"), f32s("bumps"));
    let (of_columns, of_rows) = bumps.split_at(bumps.len() / 2);
    let how = Deformation {
        size: (shape[0], shape[1]),
        map: [[affine[0], affine[1], affine[2]], [affine[3], affine[4], affine[5]]],
        down: &down,
        across: &across,
        bumps: [of_columns, of_rows],
    };
    let mut exact = vec![0.0; image.len()];
    reference::deform(&image, &how, &mut exact);
    for (i, (e, g)) in exact.iter().zip(expected).enumerate() {
        assert!((e - g).abs() < 1e-9, "pixel {i}: {e} instead of {g}");
    }
    let mut out = vec![0; image.len()];
    deform(&image, &how, &mut DeformScratch::default(), &mut out);
    for (i, (&byte, g)) in out.iter().zip(expected).enumerate() {
        assert!((f64::from(byte) - g).abs() < 0.51, "pixel {i}: {byte} instead of {g}");
    }
    assert!(expected.iter().filter(|&&g| g > 1.0).count() > 200);
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let data = data_of(Inputs::Bytes(bytes(400).into()));
    for text in [
        // By shards, by parts; stored upright and turned; all rows at once, where patches would be kept.
        "[network]\nhidden = [20]\n[training]\nbatch_size = 100\niterations = 9\n",
        "[network]\nhidden = [600]\n[training]\nbatch_size = 150\niterations = 5\n",
        "[network]\nhidden = [10]\n[training]\nbatch_size = \"full\"\niterations = 4\n",
        "[network]\nhidden = [10]\n[training]\nbatch_size = 100\niterations = 4\nsampling = \"replacement\"\n\
         [quirks]\nsoftmax_axis = \"batch\"\n",
    ] {
        let text = text.to_string() + ALL;
        let one = train(&text, &data, 1);
        for threads in 2..=4 {
            assert!(one == train(&text, &data, threads), "{threads} threads: {text}");
        }
    }
}

#[test]
fn a_row_is_seen_alike_in_any_batch_of_an_epoch_and_anew_in_the_next() {
    let data = data_of(Inputs::Bytes(bytes(8).into()));
    let text = "[data]\nval_split = 0\nshuffle = false\n".to_string() + ALL;
    let mut one = session(&text, &data, Some(vec![(0..8).collect()]), 1);
    let mut other = session(&text, &data, Some(vec![vec![5, 2, 7], vec![0, 1, 3, 4, 6], vec![5, 2, 7]]), 2);
    let (all, next) = (seen(&mut one), seen(&mut one));
    let some = seen(&mut other);
    assert!(some[0] == all[5] && some[1] == all[2] && some[2] == all[7]);
    assert!((0..8).all(|row| all[row] != next[row]));
    let augment = Recipe::parse(&text, &[]).unwrap().augment;
    let augmenter = Augmenter::new(augment, (SIDE, SIDE), 0);
    let mut out = vec![0; SIDE * SIDE];
    for (epoch, rows) in [all, next].iter().enumerate() {
        for (row, image) in bytes(8).chunks_exact(SIDE * SIDE).enumerate() {
            augmenter.deform(epoch as u64, row as u32, image, &mut AugmentScratch::default(), &mut out);
            assert_eq!(out, rows[row], "epoch {epoch}, row {row}");
        }
    }
}

#[test]
fn only_rows_to_learn_from_are_deformed() {
    let data = data_of(Inputs::Bytes(bytes(300).into()));
    let text = "[training]\nbatch_size = 50\n";
    let (mut plain, mut deformed) =
        (session(text, &data, None, 1), session(&(text.to_string() + ALL), &data, None, 1));
    // The same start: loss and accuracy are the same on held-out and on training rows, but not in the step.
    let held_out = plain.validation().unwrap().clone();
    for data in [&held_out, &data] {
        assert_eq!(plain.evaluate(data), deformed.evaluate(data));
    }
    assert_ne!(plain.advance().unwrap().step.loss, deformed.advance().unwrap().step.loss);
}

#[test]
fn a_step_is_that_of_images_deformed_beforehand() {
    let n = 150;
    let mut deformed = vec![0; n * SIDE * SIDE];
    let augmenter = Augmenter::new(Recipe::parse(ALL, &[]).unwrap().augment, (SIDE, SIDE), 0);
    let images = bytes(n);
    let rows = deformed.chunks_exact_mut(SIDE * SIDE).zip(images.chunks_exact(SIDE * SIDE));
    for (row, (out, image)) in rows.enumerate() {
        augmenter.deform(0, row as u32, image, &mut AugmentScratch::default(), out);
    }
    // By shards, by parts.
    for hidden in [20, 600] {
        let text = format!(
            "[data]\nval_split = 0\nshuffle = false\n[network]\nhidden = [{hidden}]\n\
             [training]\nbatch_size = {n}\nsampling = \"ordered\"\niterations = 1\n"
        );
        let beforehand = train(&text, &data_of(Inputs::Bytes(deformed.clone().into())), 2);
        let plain = data_of(Inputs::Bytes(bytes(n).into()));
        assert!(train(&(text.clone() + ALL), &plain, 2) == beforehand, "{hidden} units");
        assert!(train(&text, &plain, 2) != beforehand, "{hidden} units");
    }
}

#[test]
fn rows_drawn_when_needed_are_deformed_as_stored_ones_are() {
    let all = bytes(200);
    let stored = data_of(Inputs::Bytes(all.clone().into()));
    let n = SIDE * SIDE;
    let draw = move |_: u64, row: u32, out: &mut [u8]| {
        out.copy_from_slice(&all[row as usize * n..(row as usize + 1) * n]);
    };
    let drawn = data_of(Inputs::Drawn { draw: Arc::new(draw), rows: (0..200).collect() });
    let text = "[training]\nbatch_size = 64\niterations = 6\n".to_string() + ALL;
    assert_eq!(train(&text, &stored, 2), train(&text, &drawn, 2));
}

#[test]
fn recipes_that_deform_nothing_are_as_before() {
    let data = data_of(Inputs::Bytes(bytes(300).into()));
    let text = "[training]\niterations = 5\n[network]\nhidden = [10]\n";
    let off = text.to_string() + "[augment]\nrotation = 0\nelastic_sigma = 6\n";
    assert_eq!(train(text, &data, 1), train(&off, &data, 1));
    assert!(!Recipe::parse(&off, &[]).unwrap().to_toml().contains("augment"));
    let recipe = Recipe::parse(ALL, &[]).unwrap();
    let expected =
        Augment { shift: 1.5, rotation: 15.0, scale: 0.15, shear: 0.15, elastic: 1.2, elastic_sigma: 4.0 };
    assert_eq!(recipe.augment, expected);
    assert_eq!(Recipe::parse(&recipe.to_toml(), &[]).unwrap(), recipe);
}
