//! The hand: how far a digit as written departs from the way it was learnt.

use std::f32::consts::TAU;

use crate::dice::Dice;
use crate::pen::curve;
use crate::point::Point;
use crate::strokes::Variant;

/// What the pen draws without lifting: close points, straight lines between them.
pub type Stroke = Vec<Point>;

/// How far a control point misses its place, and how much steadier or shakier one image is than another.
const TREMBLE: f32 = 0.06;
const TREMBLE_SPREAD: f32 = 0.4;
/// Uneven proportions: how strongly one end of the box is stretched and the other squeezed.
const LOPSIDED: f32 = 0.22;
/// How far a whole stroke is set down beside its place.
const MISPLACED: f32 = 0.02;
/// How much too early or too late the pen is set down and lifted.
const OVERSHOOT: f32 = 0.08;
/// Most hands lean to the right: the mean shear.
const LEAN: f32 = 0.12;
const ROTATION: f32 = 0.2; // radians

/// How widely hands differ in what depends on the digit.
struct Habits {
    /// Logarithm of the usual width over height, and how far hands go to either side of it.
    aspect: (f32, f32),
    slant: f32,
}

const fn habits(digit: u8) -> Habits {
    match digit {
        0 => Habits { aspect: (-0.12, 0.40), slant: 0.22 },
        // A one is slim, and nothing but its slant tells two of them apart.
        1 => Habits { aspect: (-0.97, 0.54), slant: 0.32 },
        2 | 5 => Habits { aspect: (-0.12, 0.45), slant: 0.22 },
        9 => Habits { aspect: (-0.40, 0.45), slant: 0.22 },
        _ => Habits { aspect: (-0.25, 0.45), slant: 0.22 },
    }
}

/// Writes a digit: its strokes, in no particular place or size.
pub fn write(digit: u8, dice: &mut Dice) -> Vec<Stroke> {
    let Some(variant) = Variant::choose(digit, dice) else { return Vec::new() };
    let points = place_points(&variant.points, dice);
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
    let bend = Bend::new(0.04, 5.0, dice);
    for point in strokes.iter_mut().flatten() {
        *point = bend.apply(*point);
    }
    lean(&mut strokes, &habits(digit), dice);
    strokes
}

/// Moves the control points: proportions, a slow bend, a tremble.
fn place_points(points: &[Point], dice: &mut Dice) -> Vec<Point> {
    let tremble = TREMBLE * dice.factor(TREMBLE_SPREAD);
    let (power_x, power_y) = (dice.factor(LOPSIDED), dice.factor(LOPSIDED));
    let bend = Bend::new(0.04, 2.2, dice);
    points
        .iter()
        .map(|&point| {
            let warped = Point::new(power(point.x, power_x), power(point.y, power_y));
            bend.apply(warped) + dice.step(tremble)
        })
        .collect()
}

/// `|value|` to the power of `exponent`, with the sign of `value`: leaves 0 and 1 where they are.
fn power(value: f32, exponent: f32) -> f32 {
    libm::powf(value.abs(), exponent).copysign(value)
}

/// Sets the pen down and lifts it a little too early or too late, along the way it moves.
fn overshoot(controls: &mut [Point], dice: &mut Dice) {
    let last = controls.len() - 1;
    for (end, neighbour) in [(0, 1), (last, last - 1)] {
        let way = controls[end] - controls[neighbour];
        let length = way.length().max(0.01);
        // Never past the neighbour: that would turn the stroke around.
        let by = dice.normal(OVERSHOOT).max(-0.8 * length);
        controls[end] = controls[end] + way * (by / length);
    }
}

/// Gives the digit its width, its slant and its rotation: one linear map.
fn lean(strokes: &mut [Stroke], habits: &Habits, dice: &mut Dice) {
    let width = libm::expf(habits.aspect.0 + dice.uniform(-habits.aspect.1, habits.aspect.1));
    let slant = LEAN + dice.normal(habits.slant);
    let angle = dice.normal(ROTATION);
    let (sin, cos) = (libm::sinf(angle), libm::cosf(angle));
    for point in strokes.iter_mut().flatten() {
        let (x, y) = (point.x * width - point.y * slant, point.y);
        *point = Point::new(x * cos - y * sin, x * sin + y * cos);
    }
}

/// A smooth bend of the plane: each coordinate is pushed by a slow wave that runs in a direction of its own.
pub struct Bend([Wave; 2]);

struct Wave {
    amplitude: f32,
    frequency: Point,
    phase: f32,
}

impl Bend {
    pub fn new(amplitude: f32, frequency: f32, dice: &mut Dice) -> Self {
        let mut wave = || Wave {
            amplitude: dice.normal(amplitude),
            frequency: dice.step(frequency),
            phase: dice.uniform(0.0, TAU),
        };
        Self([wave(), wave()])
    }

    pub fn apply(&self, point: Point) -> Point {
        let [x, y] = &self.0;
        point + Point::new(x.height(point), y.height(point))
    }
}

impl Wave {
    fn height(&self, point: Point) -> f32 {
        self.amplitude * libm::sinf(self.frequency.dot(point) + self.phase)
    }
}
