//! Digits drawn with a pen, image by image: a data set that needs no data.

mod dice;
mod frame;
mod hand;
mod pen;
mod point;
mod raster;
mod strokes;

use dice::Dice;

/// Width and height of an image, in pixels.
pub const SIDE: usize = 28;
/// Pixels of an image: the bytes that [`Digits::draw`] writes.
pub const PIXELS: usize = SIDE * SIDE;

/// An endless, reproducible source of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits {
    seed: u64,
    stream: u64,
}

impl Digits {
    /// The images to train on.
    pub fn new(seed: u64) -> Self {
        Self { seed, stream: 0 }
    }

    /// Images to test on.
    pub fn held_out(seed: u64) -> Self {
        Self { seed, stream: 1 }
    }

    /// Which digit a row shows, in every epoch.
    pub fn label(&self, row: u32) -> u8 {
        (row % 10) as u8
    }

    /// Draws a row.
    pub fn draw(&self, epoch: u64, row: u32, out: &mut [u8]) {
        let digit = self.label(row);
        let mut dice = Dice::new(self.seed, self.stream, epoch, u64::from(row));
        let mut strokes = hand::write(digit, &mut dice);
        let pen = pen::width(digit, &mut dice);
        frame::fit(&mut strokes, pen);
        let mut image = [0; PIXELS];
        raster::ink(&strokes, pen, &mut dice, &mut image);
        frame::centre(&image, &mut dice, out);
    }
}
