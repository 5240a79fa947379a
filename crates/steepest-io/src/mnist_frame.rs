//! An image of any size brought to a model's input, the way MNIST was made: light ink on dark, scaled into a box of 20
//! by 20 pixels, its centre of mass in the middle of 28 by 28.

// Sizes are those of an image that was decoded: none is large enough for its square to overflow.
#![allow(clippy::arithmetic_side_effects)]

use std::fmt;

use crate::image_error::ImageError;
use crate::png::GreyImage;

/// Sides of MNIST's images and of the box within.
const SIDE: usize = 28;
const BOX: usize = 20;
/// Ink stands out from the border by this much.
const MIN_CONTRAST: u8 = 32;
/// What stands out less than this part of the strongest ink is paper, shadow or noise.
const PAPER: u8 = 4;

/// What was done to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Nothing: it had the model's size and a dark border.
    AsItIs {
        /// Height and width.
        size: (usize, usize),
    },
    /// It was scaled and centred.
    Framed {
        /// Height and width of the image.
        size: (usize, usize),
        /// Whether it was dark ink on light.
        inverted: bool,
        /// Height and width of the ink.
        ink: (usize, usize),
        /// Height and width of the ink in the model's input.
        scaled: (usize, usize),
    },
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::AsItIs { size: (height, width) } => {
                write!(f, "{width} x {height}, light on dark and of the model's size: taken as it is")
            }
            Self::Framed { size, inverted, ink, scaled } => {
                let inverted = if inverted { "inverted (dark ink on light), " } else { "" };
                let ((height, width), (ink_height, ink_width), (to_height, to_width)) = (size, ink, scaled);
                write!(
                    f,
                    "{width} x {height}, {inverted}ink {ink_width} x {ink_height} scaled to {to_width} x \
                     {to_height}, centred"
                )
            }
        }
    }
}

/// Brings an image to `(side, side)` bytes as MNIST has them, and says what was done.
///
/// The median of the border is the background. Where it is lighter than half, the image is inverted; then the ink is
/// what is lighter than the background by more than a quarter of the strongest difference. Its box is scaled to 20/28
/// of the side by the mean over each pixel's area, its strongest pixel becomes 255, and its centre of mass comes to the
/// middle by whole pixels. An image that already has this size and a dark border is taken as it is.
///
/// # Errors
/// When nothing on the image stands out from its border.
pub fn to_mnist_frame(image: &GreyImage, side: usize) -> Result<(Vec<u8>, Framing), ImageError> {
    let GreyImage { height, width, ref pixels } = *image;
    let size = (height, width);
    let background = border_median(image);
    let inverted = background > 127;
    let level = if inverted { 255 - background } else { background };
    let ink = |&pixel: &u8| if inverted { 255 - pixel } else { pixel }.saturating_sub(level);
    let strongest = pixels.iter().map(ink).max().unwrap_or(0);
    if strongest < MIN_CONTRAST || side == 0 {
        return Err(ImageError::Blank { width, height });
    }
    if size == (side, side) && !inverted {
        return Ok((pixels.clone(), Framing::AsItIs { size }));
    }
    let cleaned = pixels.iter().map(ink).map(|ink| if ink > strongest / PAPER { ink } else { 0 });
    let (cropped, ink) = crop(cleaned.collect(), width);
    let longer = ink.0.max(ink.1);
    let to = (side * BOX / SIDE).max(1);
    let scaled = [ink.0, ink.1].map(|length| ((length * to + longer / 2) / longer).max(1));
    let scaled = (scaled[0], scaled[1]);
    let small = resize(&cropped, ink, scaled);
    Ok((centre(&small, scaled, side), Framing::Framed { size, inverted, ink, scaled }))
}

/// The middle one of the pixels along the border.
fn border_median(image: &GreyImage) -> u8 {
    let mut counts = [0usize; 256];
    let last = image.height.saturating_sub(1);
    for (y, row) in image.pixels.chunks_exact(image.width.max(1)).enumerate() {
        let is_edge = y == 0 || y == last;
        let ends = [row.first(), row.last()];
        let whole = row.iter().filter(|_| is_edge);
        for &pixel in whole.chain(ends.into_iter().flatten().filter(|_| !is_edge)) {
            if let Some(count) = counts.get_mut(usize::from(pixel)) {
                *count += 1;
            }
        }
    }
    let half = counts.iter().sum::<usize>() / 2;
    let mut seen = 0;
    let reaches_half = |&count: &usize| {
        seen += count;
        seen > half
    };
    counts.iter().position(reaches_half).unwrap_or(0) as u8
}

/// The part of `pixels` with ink, and its height and width.
fn crop(pixels: Vec<u8>, width: usize) -> (Vec<u8>, (usize, usize)) {
    let inked = |row: &[u8]| row.iter().any(|&ink| ink > 0);
    let rows = || pixels.chunks_exact(width.max(1));
    let top = rows().position(inked).unwrap_or(0);
    let height = rows().rposition(inked).map_or(0, |last| last + 1 - top);
    let left = rows().filter_map(|row| row.iter().position(|&ink| ink > 0)).min().unwrap_or(0);
    let end = rows().filter_map(|row| row.iter().rposition(|&ink| ink > 0)).max().map_or(0, |last| last + 1);
    let columns = rows().skip(top).take(height).filter_map(|row| row.get(left..end));
    (columns.flatten().copied().collect(), (height, end.saturating_sub(left)))
}

/// The means over the areas that the pixels of `to` cover, `(height, width)` both.
fn resize(pixels: &[u8], from: (usize, usize), to: (usize, usize)) -> Vec<f32> {
    // Columns first, row by row; then rows, as columns of what is turned.
    let narrow = turned_means(pixels, from.1, to.1); // (to.1, from.0)
    turned_means(&narrow, from.0, to.0) // (to.0, to.1)
}

/// Scales rows of `from` pixels to `to`; the result is turned, `(to, rows)`.
fn turned_means<T: Copy + Into<f32>>(pixels: &[T], from: usize, to: usize) -> Vec<f32> {
    let rows = || pixels.chunks_exact(from.max(1));
    let step = from as f32 / to as f32;
    let mut means = Vec::with_capacity(rows().len() * to);
    for target in 0..to {
        let (start, end) = (target as f32 * step, (target + 1) as f32 * step);
        let first = start as usize;
        for row in rows() {
            let covered = (first..).zip(row.iter().skip(first)).take_while(|&(x, _)| (x as f32) < end);
            let sum: f32 =
                covered.map(|(x, &ink)| ink.into() * (end.min((x + 1) as f32) - start.max(x as f32))).sum();
            means.push(sum / step);
        }
    }
    means
}

/// Places ink `(height, width)` in `(side, side)` bytes.
fn centre(ink: &[f32], (height, width): (usize, usize), side: usize) -> Vec<u8> {
    let strongest = ink.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let (mut mass, mut sum_y, mut sum_x) = (f32::MIN_POSITIVE, 0.0, 0.0);
    for (y, row) in ink.chunks_exact(width.max(1)).enumerate() {
        for (x, &ink) in row.iter().enumerate() {
            mass += ink;
            sum_y += ink * y as f32;
            sum_x += ink * x as f32;
        }
    }
    // Pixel 0 lies at 0.0, so that the middle is half a pixel to the left of this, where MNIST's centres are.
    let middle = side as f32 / 2.0;
    // Never so far that ink falls off the edge.
    let start = |sum: f32, length: usize| {
        ((middle - sum / mass).round().max(0.0) as usize).min(side.saturating_sub(length))
    };
    let (top, left) = (start(sum_y, height), start(sum_x, width));
    let mut frame = vec![0; side * side];
    for (to, from) in frame.chunks_exact_mut(side.max(1)).skip(top).zip(ink.chunks_exact(width.max(1))) {
        for (to, ink) in to.iter_mut().skip(left).zip(from) {
            *to = (ink / strongest * 255.0).round() as u8;
        }
    }
    frame
}
