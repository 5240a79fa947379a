//! The paper: how dark each pixel becomes where the pen passes.

use crate::dice::Dice;
use crate::pen::Stroke;
use crate::point::Point;
use crate::{PIXELS, SIDE};

/// Draws the strokes, which are in pixels, with lines of this thickness: 255 is ink, 0 is paper.
pub fn ink(strokes: &[Stroke], pen: f32, dice: &mut Dice) -> [u8; PIXELS] {
    // How many pixels the edge of a line takes from paper to ink, and how it darkens on its way.
    let softness = dice.uniform(0.8, 1.4);
    let contrast = dice.uniform(1.0, 1.2);
    let gamma = dice.uniform(-0.3, 0.3);

    // How far a pixel lies inside the nearest line; negative outside.
    let mut depth = [f32::MIN; PIXELS]; // (SIDE, SIDE)
    for &[from, to] in strokes.iter().flat_map(|stroke| stroke.array_windows()) {
        press(&mut depth, from, to, 0.5 * pen, softness);
    }
    depth.map(|depth| {
        let ink = (depth / softness + 0.5).clamp(0.0, 1.0);
        // A parabola bends the grey scale as a power would, at a fraction of its cost.
        let ink = contrast * (ink + gamma * ink * (1.0 - ink));
        (ink.min(1.0) * 255.0 + 0.5) as u8
    })
}

/// Passes the pen from one point to another. Only pixels that the line can reach are looked at.
fn press(depth: &mut [f32; PIXELS], from: Point, to: Point, radius: f32, softness: f32) {
    let reach = radius + 0.5 * softness;
    let (left, right) = span(from.x, to.x, reach);
    let (top, bottom) = span(from.y, to.y, reach);
    let way = to - from;
    let per_square = 1.0 / way.dot(way).max(1e-9);
    for y in top..bottom {
        let row = &mut depth[y * SIDE..][left..right];
        for (x, deepest) in (left..right).zip(row) {
            let pixel = Point::new(x as f32, y as f32) - from;
            // The nearest point of the line is this part of the way along it.
            let along = (pixel.dot(way) * per_square).clamp(0.0, 1.0);
            let here = radius - (pixel - way * along).length();
            if here > *deepest {
                *deepest = here;
            }
        }
    }
}

/// The pixels between two coordinates and within `reach` of them, as a range `first..end` inside the image.
fn span(a: f32, b: f32, reach: f32) -> (usize, usize) {
    // The casts saturate: what lies off the image becomes an empty range.
    let first = (a.min(b) - reach) as usize;
    let end = (a.max(b) + reach + 1.0) as usize;
    (first.min(SIDE), end.min(SIDE))
}
