//! Smooth deformations of the plane.

use std::f32::consts::TAU;

use crate::dice::Dice;
use crate::point::Point;

/// Stretches one end of the unit box and squeezes the other, along each axis: small loops over large ones, or the
/// other way round.
pub struct Stretch(Point);

impl Stretch {
    /// A random one; the logarithms of its exponents have standard deviation `sigma`.
    pub fn new(sigma: f32, dice: &mut Dice) -> Self {
        Self(Point::new(dice.factor(sigma), dice.factor(sigma)))
    }

    pub fn apply(&self, point: Point) -> Point {
        // A power leaves 0 and 1 where they are. Points may lie a little outside the box, so the sign is kept aside.
        let power = |value: f32, exponent| libm::powf(value.abs(), exponent).copysign(value);
        Point::new(power(point.x, self.0.x), power(point.y, self.0.y))
    }
}

/// Bends the plane: each coordinate is pushed by a slow wave that runs in a direction of its own.
pub struct Bend {
    x: Wave,
    y: Wave,
}

struct Wave {
    amplitude: f32,
    frequency: Point, // radians per unit
    phase: f32,
}

impl Bend {
    /// A random one; `amplitude` and `frequency` are standard deviations.
    pub fn new(amplitude: f32, frequency: f32, dice: &mut Dice) -> Self {
        let mut wave = || Wave {
            amplitude: dice.normal(amplitude),
            frequency: dice.step(frequency),
            phase: dice.uniform(0.0, TAU),
        };
        Self { x: wave(), y: wave() }
    }

    pub fn apply(&self, point: Point) -> Point {
        point + Point::new(self.x.height(point), self.y.height(point))
    }
}

impl Wave {
    fn height(&self, point: Point) -> f32 {
        self.amplitude * libm::sinf(self.frequency.dot(point) + self.phase)
    }
}

/// A linear map: width, then slant, then rotation.
pub struct Lean {
    x: Point,
    y: Point,
}

impl Lean {
    /// `width` is over height, `slant` is to the right per height, `angle` is in radians.
    pub fn new(width: f32, slant: f32, angle: f32) -> Self {
        let (sin, cos) = (libm::sinf(angle), libm::cosf(angle));
        Self { x: Point::new(cos, sin) * width, y: Point::new(-cos * slant - sin, cos - sin * slant) }
    }

    pub fn apply(&self, point: Point) -> Point {
        self.x * point.x + self.y * point.y
    }
}
