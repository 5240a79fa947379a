//! The frame: size and place of a digit in its image, by the rule that MNIST's makers gave: scaled into a box of
//! 20 by 20 pixels, then moved by whole pixels until its centre of mass is in the middle of 28 by 28.

use crate::pen::Stroke;
use crate::point::Point;
use crate::{PIXELS, SIDE};

/// The longer side of the digit with its ink.
const EXTENT: f32 = 20.0;
/// The middle of the image, where pixel 0 lies at 0.0 and pixel 27 at 27.0.
const MIDDLE: Point = Point { x: 13.5, y: 13.5 };
/// Where the centre of mass belongs: half a pixel further, as MNIST's is.
const CENTRE: Point = Point { x: 14.0, y: 14.0 };

/// Scales the strokes to fill the box with lines as thick as the pen makes them.
pub fn fit(strokes: &mut [Stroke], pen: f32) {
    let (mut low, mut high) = (Point::new(f32::MAX, f32::MAX), Point::new(f32::MIN, f32::MIN));
    for point in strokes.iter().flatten() {
        low = Point::new(low.x.min(point.x), low.y.min(point.y));
        high = Point::new(high.x.max(point.x), high.y.max(point.y));
    }
    let size = high - low;
    let scale = (EXTENT - pen) / size.x.max(size.y).max(0.01);
    let middle = (low + high) * 0.5;
    for point in strokes.iter_mut().flatten() {
        *point = (*point - middle) * scale + MIDDLE;
    }
}

/// Copies the image so that its centre of mass comes to the middle, or `beside` it.
pub fn centre(image: &[u8; PIXELS], beside: Point, out: &mut [u8]) {
    let (mut mass, mut sum_x, mut sum_y) = (1, 0, 0); // one grain of ink: never divide by nothing
    for (index, &ink) in image.iter().enumerate() {
        let ink = u32::from(ink);
        mass += ink;
        sum_x += ink * (index % SIDE) as u32;
        sum_y += ink * (index / SIDE) as u32;
    }
    let here = Point::new(sum_x as f32, sum_y as f32) * (1.0 / mass as f32);
    let shift = CENTRE + beside - here;
    let (right, down) = (shift.x.round() as isize, shift.y.round() as isize);
    let source = |to: usize, by: isize| to.checked_add_signed(-by).filter(|&from| from < SIDE);
    for (index, pixel) in out.iter_mut().take(PIXELS).enumerate() {
        let from = source(index / SIDE, down).zip(source(index % SIDE, right));
        *pixel = from.map_or(0, |(y, x)| image[y * SIDE + x]);
    }
}
