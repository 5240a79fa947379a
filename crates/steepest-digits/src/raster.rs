//! The paper: how dark each pixel is where the pen has passed.

use crate::dice::Dice;
use crate::hand::Stroke;
use crate::point::Point;
use crate::{PIXELS, SIDE};

/// Inks the strokes with a pen of this width: 255 is ink, 0 is paper.
pub fn ink(strokes: &[Stroke], pen: f32, dice: &mut Dice, out: &mut [u8]) {
    let softness = dice.uniform(0.8, 1.4);
    let contrast = dice.uniform(1.0, 1.2);
    let gamma = dice.uniform(-0.3, 0.3);
    // How deep a pixel lies inside the line; negative outside.
    let mut depth = [f32::MIN; PIXELS]; // (SIDE, SIDE)
    for (from, to) in strokes.iter().flat_map(|stroke| stroke.iter().zip(&stroke[1..])) {
        press(&mut depth, *from, *to, 0.5 * pen, softness);
    }
    for (pixel, depth) in out.iter_mut().zip(&depth) {
        let ink = (depth / softness + 0.5).clamp(0.0, 1.0);
        let ink = ink + gamma * ink * (1.0 - ink);
        *pixel = ((contrast * ink).min(1.0) * 255.0 + 0.5) as u8;
    }
}

/// Passes the pen from one point to another. Only pixels that the line can reach are looked at.
fn press(depth: &mut [f32; PIXELS], from: Point, to: Point, radius: f32, softness: f32) {
    let reach = radius + 0.5 * softness;
    let (left, right) = span(from.x, to.x, reach);
    let (top, bottom) = span(from.y, to.y, reach);
    let way = to - from;
    let per_length = 1.0 / way.dot(way).max(1e-9);
    for y in top..bottom {
        let row = &mut depth[y * SIDE..][left..right];
        let dy = y as f32 - from.y;
        for (x, deepest) in (left..right).zip(row) {
            let dx = x as f32 - from.x;
            let along = ((dx * way.x + dy * way.y) * per_length).clamp(0.0, 1.0);
            let (ox, oy) = (dx - along * way.x, dy - along * way.y);
            let here = radius - (ox * ox + oy * oy).sqrt();
            if here > *deepest {
                *deepest = here;
            }
        }
    }
}

/// The pixels between two coordinates and as far as `reach` around them, cut at the image's border.
fn span(a: f32, b: f32, reach: f32) -> (usize, usize) {
    // Casts saturate, so what lies off the image becomes an empty or a short span.
    let first = (a.min(b) - reach).max(0.0) as usize;
    let end = (a.max(b) + reach + 1.0).max(0.0) as usize;
    (first.min(SIDE), end.min(SIDE))
}
