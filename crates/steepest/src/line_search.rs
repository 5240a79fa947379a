//! How far to go in a direction: Nocedal and Wright, Numerical Optimization (2006), algorithms 3.5 and 3.6.

/// A place along the direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// How far it is.
    pub t: f64,
    /// The function there.
    pub value: f64,
    /// Its derivative by `t`.
    pub slope: f64,
}

/// The value must fall by this part of what the slope at the start promises (SciPy's `ftol` of L-BFGS-B).
const SUFFICIENT: f64 = 1e-3;

/// The slope must become this part of what it was.
const FLAT: f64 = 0.9;

/// Places to try (SciPy's `maxls`).
const MOST_TRIALS: usize = 20;

/// A place that satisfies the strong Wolfe conditions, or if it is not found soon, one that is lower than the start at `t = 0`;
/// none if there is no such. `first` is the place to try first. Values may be infinite or NaN: nothing is that far.
pub(crate) fn strong_wolfe(
    start: Point,
    first: f64,
    mut evaluate: impl FnMut(f64) -> Point,
) -> Option<Point> {
    let is_sufficient = |p: &Point| p.value <= start.value + SUFFICIENT * p.t * start.slope;
    let is_flat = |p: &Point| p.slope.abs() <= FLAT * start.slope.abs();
    let (mut before, mut t) = (start, first);
    // The best so far, and another place so that what is wanted lies between them.
    let mut bracket = None;
    let mut trials = 0..MOST_TRIALS;
    while bracket.is_none() && trials.next().is_some() {
        let now = evaluate(t);
        if !is_sufficient(&now) || !now.slope.is_finite() || before.t > 0.0 && now.value >= before.value {
            bracket = Some((before, now));
        } else if is_flat(&now) {
            return Some(now);
        } else if now.slope >= 0.0 {
            bracket = Some((now, before));
        } else {
            // Still downhill.
            let minimum = cubic_minimum(before, now).filter(|&t| t > now.t).unwrap_or(4.0 * now.t);
            t = minimum.clamp(1.1 * now.t, 10.0 * now.t);
            before = now;
        }
    }
    let (mut low, mut high) = bracket.unwrap_or((before, before));
    for _ in trials {
        let width = high.t - low.t;
        // Not too close to either end.
        let (left, right) = (low.t.min(high.t) + 0.1 * width.abs(), low.t.max(high.t) - 0.1 * width.abs());
        let middle = 0.5 * (low.t + high.t);
        let now = evaluate(cubic_minimum(low, high).unwrap_or(middle).clamp(left, right));
        if !is_sufficient(&now) || !now.slope.is_finite() || now.value >= low.value {
            high = now;
        } else if is_flat(&now) {
            return Some(now);
        } else {
            if now.slope * width >= 0.0 {
                high = low;
            }
            low = now;
        }
    }
    (low.t > 0.0).then_some(low)
}

/// Where the cubic through two places, with their slopes, has its minimum, if it has one.
fn cubic_minimum(a: Point, b: Point) -> Option<f64> {
    let width = b.t - a.t;
    let d = a.slope + b.slope - 3.0 * (b.value - a.value) / width;
    let root = (d * d - a.slope * b.slope).sqrt() * width.signum();
    let t = b.t - width * (b.slope + root - d) / (b.slope - a.slope + 2.0 * root);
    t.is_finite().then_some(t)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches along a function of `t` with its derivative; the place found, and the places tried.
    fn search(f: impl Fn(f64) -> (f64, f64), first: f64) -> (Option<Point>, usize) {
        let mut trials = 0;
        let at = |t: f64| {
            let (value, slope) = f(t);
            Point { t, value, slope }
        };
        let found = strong_wolfe(at(0.0), first, |t| {
            trials += 1;
            at(t)
        });
        if let Some(found) = found {
            let start = at(0.0);
            assert!(found.value <= start.value + SUFFICIENT * found.t * start.slope);
        }
        (found, trials)
    }

    #[test]
    fn a_cubic_is_least_where_calculus_says() {
        let f = |t: f64| Point { t, value: t * t * t - 3.0 * t, slope: 3.0 * t * t - 3.0 };
        for (a, b) in [(0.0, 2.0), (2.0, 0.0), (0.5, 1.5), (-0.5, 3.0)] {
            assert!(cubic_minimum(f(a), f(b)).is_some_and(|t| (t - 1.0).abs() < 1e-12));
        }
        let line = |t: f64| Point { t, value: -t, slope: -1.0 };
        assert_eq!(cubic_minimum(line(1.0), line(3.0)), None);
    }

    #[test]
    fn conditions_hold_from_near_and_far() {
        // The functions of Moré and Thuente (1994), 1 and 2, and a quadratic.
        let one = |t: f64| (-t / (t * t + 2.0), (t * t - 2.0) / (t * t + 2.0).powi(2));
        let two = |t: f64| {
            let x = t + 0.004;
            (x.powi(5) - 2.0 * x.powi(4), 5.0 * x.powi(4) - 8.0 * x.powi(3))
        };
        let square = |t: f64| ((t - 3.0).powi(2), 2.0 * (t - 3.0));
        for first in [1e-3, 0.1, 1.0, 10.0, 1e3] {
            for f in [&one as &dyn Fn(f64) -> (f64, f64), &two, &square] {
                let (found, trials) = search(f, first);
                let found = found.expect("it goes down");
                assert!(found.slope.abs() <= FLAT * f(0.0).1.abs(), "{found:?} from {first}");
                assert!(trials <= 15, "{trials} from {first}");
            }
        }
    }

    #[test]
    fn walls_are_backed_away_from_and_a_rise_is_refused() {
        let wall = |t: f64| if t < 0.5 { (-t, -1.0) } else { (f64::NAN, f64::NAN) };
        let (found, trials) = search(wall, 1.0);
        assert!(found.is_some_and(|p| p.t > 0.2 && p.t < 0.5) && trials == MOST_TRIALS);
        let (found, trials) = search(|t| (t, -1.0), 1.0);
        assert!(found.is_none() && trials == MOST_TRIALS);
        // Down for ever.
        assert!(search(|t| (-t, -1.0), 1.0).0.is_some());
    }
}
