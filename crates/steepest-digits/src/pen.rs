//! The pen: the line it draws between control points, and how thick that line is.

use crate::dice::Dice;
use crate::point::Point;

/// What the pen draws without lifting: close points, straight lines between them.
pub type Stroke = Vec<Point>;

/// Straight lines from one control point to the next: enough to look round at 28 pixels.
const STEPS: usize = 6;

/// A smooth line through all control points: a Catmull-Rom spline. Through two of them it is straight.
pub fn curve(controls: &[Point]) -> Stroke {
    let (Some(&first), Some(&last)) = (controls.first(), controls.last()) else { return Stroke::new() };
    if controls.len() == 2 {
        return vec![first, last];
    }
    let mut stroke = Stroke::with_capacity(STEPS * controls.len());
    for (index, ends) in controls.array_windows().enumerate() {
        let [from, to] = *ends;
        let before = if index == 0 { first } else { controls[index - 1] };
        let after = controls.get(index + 2).copied().unwrap_or(last);
        // The cubic that leaves `from` along the chord of its neighbours and reaches `to` along that of its own.
        let slope = (to - before) * 0.5;
        let square = before - from * 2.5 + to * 2.0 - after * 0.5;
        let cube = (after - before) * 0.5 + (from - to) * 1.5;
        for step in 0..STEPS {
            let t = step as f32 / STEPS as f32;
            stroke.push(from + (slope + (square + cube * t) * t) * t);
        }
    }
    stroke.push(last);
    stroke
}

/// Picks a pen: the thickness of its line, in pixels.
pub fn pick(digit: u8, dice: &mut Dice) -> f32 {
    let (usual, spread, thickest) = match digit {
        0 => (2.6, 0.28, 5.0),
        1 => (2.4, 0.36, 6.0), // scaling a short stroke up to its frame thickens it
        4 | 9 => (2.15, 0.28, 4.4),
        _ => (2.3, 0.28, 4.4),
    };
    (usual * dice.factor(spread)).clamp(1.2, thickest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_passes_every_control_point() {
        let controls = [(0.0, 0.0), (0.5, 1.0), (1.0, 0.0), (1.5, 0.25)].map(|(x, y)| Point::new(x, y));
        let stroke = curve(&controls);
        assert!(controls.iter().all(|control| stroke.contains(control)));
    }
}
