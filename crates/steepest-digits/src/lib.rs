//! Handwritten digits drawn by a model of a hand: a data set that needs no download, has no end and is the same
//! bytes on every machine. They are 28 by 28 grey pixels, framed as MNIST frames its digits, but none of them was
//! ever written by anyone: call them generated digits.
//!
//! ```
//! use steepest_digits::{Digits, PIXELS};
//!
//! let digits = Digits::new(42);
//! let mut image = [0; PIXELS];
//! digits.draw(0, 7, &mut image); // epoch 0, row 7
//! assert_eq!(digits.label(7), 7);
//! assert!(image.iter().any(|&ink| ink > 0));
//! ```
//!
//! How a digit is drawn, a module for each part:
//!
//! 1. `strokes`: choose one of the ways in which people write this digit, a few strokes through a few points;
//! 2. `hand`: miss the points a little, join them by smooth lines, stretch, bend and lean the whole;
//! 3. `pen`: choose how thick the line is;
//! 4. `frame`: scale the digit to 20 by 20 pixels;
//! 5. `raster`: ink the pixels that the pen passes;
//! 6. `frame`: bring the centre of mass to the middle.
//!
//! All chance comes from `dice`: a generator of its own for each image, so any row of any epoch can be drawn
//! alone, in any order, on any thread. Only `+ - * /`, square roots and the `libm` crate compute with it, whose
//! results do not depend on the machine.

mod dice;
mod frame;
mod hand;
mod pen;
mod point;
mod raster;
mod strokes;
mod warp;

use dice::Dice;
use point::Point;

/// Width and height of an image, in pixels.
pub const SIDE: usize = 28;
/// Pixels of an image: the bytes that [`Digits::draw`] writes.
pub const PIXELS: usize = SIDE * SIDE;

/// How far a digit to train on lies beside the middle, in pixels. It keeps a network from trusting single pixels,
/// and so from failing on real handwriting.
const BESIDE: f32 = 0.9;

/// An endless, reproducible source of digits. Free to copy: it holds no images, it draws them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits {
    seed: u64,
    stream: Stream,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Train,
    HeldOut,
}

impl Digits {
    /// Digits to train on. They are strewn around the middle by about a pixel.
    pub fn new(seed: u64) -> Self {
        Self { seed, stream: Stream::Train }
    }

    /// Digits to test on, centred exactly. No image is ever among those of [`Digits::new`].
    pub fn held_out(seed: u64) -> Self {
        Self { seed, stream: Stream::HeldOut }
    }

    /// The digit that a row shows, the same in every epoch.
    pub fn label(&self, row: u32) -> u8 {
        (row % 10) as u8
    }

    /// Draws a row of an epoch into [`PIXELS`] bytes, row by row from the top: 0 is paper, 255 is ink.
    ///
    /// The image depends on nothing but the seed, the stream, the epoch and the row. Should `out` be longer, its
    /// rest is left alone; should it be shorter, it gets the top of the image.
    pub fn draw(&self, epoch: u64, row: u32, out: &mut [u8]) {
        let digit = self.label(row);
        let mut dice = Dice::new(self.seed, self.stream as u64, epoch, u64::from(row));
        let mut strokes = hand::write(digit, &mut dice);
        let pen = pen::pick(digit, &mut dice);
        frame::fit(&mut strokes, pen);
        let image = raster::ink(&strokes, pen, &mut dice);
        let beside = match self.stream {
            Stream::Train => dice.step(BESIDE),
            Stream::HeldOut => Point::new(0.0, 0.0),
        };
        frame::centre(&image, beside, out);
    }
}
