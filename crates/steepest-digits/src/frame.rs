//! The frame: size and place of the digit in the image, as MNIST's makers fixed them.

use crate::hand::Stroke;
use crate::point::Point;
use crate::{PIXELS, SIDE};

/// The longer side of the digit with its ink, in pixels.
const EXTENT: f32 = 20.0;
/// The middle of the image while the digit is drawn, and where its centre of mass belongs in the end.
const MIDDLE: f32 = 13.5;
const CENTRE: f32 = 14.0;

/// Scales the strokes, wide as the pen makes them, to fill the frame.
pub fn fit(strokes: &mut [Stroke], pen: f32) {
    let mut low = Point::new(f32::MAX, f32::MAX);
    let mut high = Point::new(f32::MIN, f32::MIN);
    for point in strokes.iter().flatten() {
        low = Point::new(low.x.min(point.x), low.y.min(point.y));
        high = Point::new(high.x.max(point.x), high.y.max(point.y));
    }
    let side = (high.x - low.x).max(high.y - low.y).max(0.01);
    let scale = (EXTENT - pen) / side;
    let middle = (low + high) * 0.5;
    for point in strokes.iter_mut().flatten() {
        *point = (*point - middle) * scale + Point::new(MIDDLE, MIDDLE);
    }
}

/// Moves the image by whole pixels so that its centre of mass comes to the middle.
pub fn centre(image: &[u8; PIXELS], dice: &mut crate::dice::Dice, out: &mut [u8]) {
    let (mut mass, mut sum_x, mut sum_y) = (0, 0, 0);
    for (index, &ink) in image.iter().enumerate() {
        mass += u32::from(ink);
        sum_x += (index % SIDE) as u32 * u32::from(ink);
        sum_y += (index / SIDE) as u32 * u32::from(ink);
    }
    let mut shift = |sum: u32| {
        (dice.normal(0.9) + CENTRE - sum as f32 / mass.max(1) as f32 + 100.5) as usize as i32 - 100
    };
    let (right, down) = (shift(sum_x), shift(sum_y));
    let from = |to: usize, by: i32| usize::try_from(to as i32 - by).ok().filter(|&from| from < SIDE);
    for (index, pixel) in out.iter_mut().enumerate() {
        let source = from(index / SIDE, down).zip(from(index % SIDE, right));
        *pixel = source.map_or(0, |(y, x)| image[y * SIDE + x]);
    }
}
