//! The pen: a smooth line through the control points, and the width of its tip.

use crate::dice::Dice;
use crate::point::Point;

const STEPS: usize = 6;

/// A smooth line through `controls`: a Catmull-Rom spline, in steps that look round at 28 pixels.
pub fn curve(controls: &[Point]) -> Vec<Point> {
    let Some((&first, &last)) = controls.first().zip(controls.last()) else { return Vec::new() };
    if controls.len() == 2 {
        return controls.to_vec();
    }
    let at = |index: usize| controls.get(index).copied().unwrap_or(last);
    let mut line = Vec::with_capacity(STEPS * controls.len());
    for index in 0..controls.len() - 1 {
        let before = if index == 0 { first } else { at(index - 1) };
        let [from, to, after] = [at(index), at(index + 1), at(index + 2)];
        // The cubic through `from` and `to` with the slopes of its neighbours' chords.
        let slope = (to - before) * 0.5;
        let square = before - from * 2.5 + to * 2.0 - after * 0.5;
        let cube = (after - before) * 0.5 + (from - to) * 1.5;
        for step in 0..STEPS {
            let t = step as f32 / STEPS as f32;
            line.push(from + (slope + (square + cube * t) * t) * t);
        }
    }
    line.push(last);
    line
}

/// The width of the pen's line, in pixels.
pub fn width(digit: u8, dice: &mut Dice) -> f32 {
    // A one is so slim that its scanned image was often enlarged, and its line with it.
    let (spread, widest) = if digit == 1 { (0.42, 6.0) } else { (0.28, 4.4) };
    (2.35 * dice.factor(spread)).clamp(0.9, widest)
}
