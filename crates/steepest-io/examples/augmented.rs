//! Shows what a recipe's `[augment]` makes of its images: a PNG with the first rows that are learnt from, each as it is and as
//! it is seen in the first epochs.
//! `cargo run --release -p steepest-io --example augmented -- recipe.toml sheet.png [data]`

use std::error::Error;
use std::path::Path;

use steepest::{AugmentScratch, Dataset, Inputs, Plan, Recipe};
use steepest_io::{DataSpec, LoadOptions, Part, load_part, write_png};

const ROWS: usize = 12;
const EPOCHS: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (recipe, sheet, data) = match &arguments[..] {
        [recipe, sheet] => (recipe, sheet, None),
        [recipe, sheet, data] => (recipe, sheet, Some(data)),
        _ => return Err("usage: augmented <recipe.toml> <sheet.png> [data set]".into()),
    };
    let recipe = Recipe::parse(&std::fs::read_to_string(recipe)?, &[])?;
    let spec = DataSpec::parse(data.unwrap_or(&recipe.data.train))?;
    let data = load_part(&spec, Part::Train, &LoadOptions::default())?;
    let plan = Plan::new(recipe, &data)?;
    let data = data.select(&plan.split.train);
    let augmenter = plan.training.augmenter.ok_or("the recipe's [augment] deforms nothing")?;
    let (height, width) = augmenter.size();

    // A column for the image as it is, then one for each epoch; a white line around each.
    let (tall, wide) = (height + 1, width + 1);
    let sheet_width = (EPOCHS + 1) * wide;
    let mut pixels = vec![255; ROWS * tall * sheet_width];
    let mut scratch = AugmentScratch::default();
    let mut out = vec![0; height * width];
    for row in 0..ROWS.min(data.n_samples()) {
        for column in 0..=EPOCHS {
            match column.checked_sub(1) {
                None => out.copy_from_slice(&image(&data, 0, row)),
                Some(epoch) => {
                    let image = image(&data, epoch as u64, row);
                    augmenter.deform(epoch as u64, row as u32, &image, &mut scratch, &mut out);
                }
            }
            for (y, line) in out.chunks_exact(width).enumerate() {
                let start = (row * tall + y) * sheet_width + column * wide;
                pixels[start..start + width].copy_from_slice(line);
            }
        }
    }
    Ok(write_png(Path::new(sheet), &pixels, ROWS * tall, sheet_width)?)
}

fn image(data: &Dataset, epoch: u64, row: usize) -> Vec<u8> {
    let n = data.n_features();
    match data.inputs() {
        Inputs::Bytes(all) => all[row * n..(row + 1) * n].to_vec(),
        Inputs::Drawn { draw, rows } => {
            let mut out = vec![0; n];
            draw(epoch, rows[row], &mut out);
            out
        }
        Inputs::F32(_) | Inputs::F64(_) | Inputs::Sparse(_) => {
            unreachable!("a plan deforms images of bytes only")
        }
    }
}
