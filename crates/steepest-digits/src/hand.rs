//! The hand: how far a digit as written departs from the way it was learnt.
//!
//! Lengths are in a box one wide and one high; spreads are standard deviations.

use crate::dice::Dice;
use crate::pen::{Stroke, curve};
use crate::point::Point;
use crate::strokes::Variant;
use crate::warp::{Bend, Lean, Stretch};

/// How far a control point misses its place, and how much shakier one digit is than another.
const TREMBLE: f32 = 0.048;
const TREMBLE_SPREAD: f32 = 0.4;
/// Uneven proportions within the box.
const STRETCH: f32 = 0.22;
/// A slow bend of the points before the pen moves, and a quicker one of the line that it leaves.
const SLOW_BEND: (f32, f32) = (0.04, 2.2);
const QUICK_BEND: (f32, f32) = (0.04, 5.0);
/// How far a whole stroke is set down beside its place.
const MISPLACED: f32 = 0.02;
/// How much too early or too late the pen is set down and lifted.
const OVERSHOOT: f32 = 0.08;
/// How far hands go to either side of the usual width, as a logarithm: from two thirds of it to half as much again.
const WIDTH_SPREAD: f32 = 0.45;
const WIDTH_SPREAD_OF_1: f32 = 0.54;
/// How differently they slant a digit, and how they turn the paper.
const SLANT_SPREAD: f32 = 0.25;
const ROTATION: f32 = 0.16; // radians

/// Writes a digit: its strokes, in no particular place or size.
pub fn write(digit: u8, dice: &mut Dice) -> Vec<Stroke> {
    let Some(variant) = Variant::choose(digit, dice) else { return Vec::new() };
    let points = misplace(&variant.points, dice);
    let mut strokes: Vec<Stroke> = variant
        .strokes
        .iter()
        .map(|indices| {
            let shift = dice.step(MISPLACED);
            let mut controls: Vec<Point> = indices.iter().map(|&index| points[index] + shift).collect();
            overshoot(&mut controls, dice);
            curve(&controls)
        })
        .collect();

    let bend = Bend::new(QUICK_BEND.0, QUICK_BEND.1, dice);
    let lean = lean(digit, dice);
    for point in strokes.iter_mut().flatten() {
        *point = lean.apply(bend.apply(*point));
    }
    strokes
}

/// Moves the control points: proportions, a slow bend, a tremble.
fn misplace(points: &[Point], dice: &mut Dice) -> Vec<Point> {
    let tremble = TREMBLE * dice.factor(TREMBLE_SPREAD);
    let stretch = Stretch::new(STRETCH, dice);
    let bend = Bend::new(SLOW_BEND.0, SLOW_BEND.1, dice);
    points.iter().map(|&point| bend.apply(stretch.apply(point)) + dice.step(tremble)).collect()
}

/// Sets the pen down and lifts it a little too early or too late, along the way it moves.
fn overshoot(controls: &mut [Point], dice: &mut Dice) {
    let last = controls.len() - 1;
    for (end, neighbour) in [(0, 1), (last, last - 1)] {
        let way = controls[end] - controls[neighbour];
        let length = way.length().max(0.01);
        // Never back past the neighbour: that would turn the stroke around.
        let by = dice.normal(OVERSHOOT).max(-0.8 * length);
        controls[end] = controls[end] + way * (by / length);
    }
}

/// How wide the digit is, and how it leans.
fn lean(digit: u8, dice: &mut Dice) -> Lean {
    // The usual width over height, as a logarithm, and the usual slant.
    let (width, slant) = match digit {
        0 => (-0.10, 0.20),
        1 => (-0.97, 0.25),
        2 => (-0.10, 0.10),
        3 => (-0.25, 0.05),
        4 => (-0.22, 0.24),
        5 => (-0.15, 0.03),
        6 => (-0.32, 0.12),
        7 => (-0.26, 0.09),
        8 => (-0.22, 0.09),
        _ => (-0.31, 0.07),
    };
    let spread = if digit == 1 { WIDTH_SPREAD_OF_1 } else { WIDTH_SPREAD };
    let width = libm::expf(width + dice.uniform(-spread, spread));
    let slant = slant + dice.normal(SLANT_SPREAD);
    Lean::new(width, slant, dice.normal(ROTATION))
}
