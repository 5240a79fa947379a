//! How far to go in a direction: the search of Moré and Thuente (1994), "Line search algorithms with guaranteed sufficient
//! decrease", as MINPACK-2 and SciPy's L-BFGS-B have it, with the latter's constants.

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

/// The value must fall by this part of what the slope at the start promises (SciPy's `ftol`).
const SUFFICIENT: f64 = 1e-3;

/// The slope must become this part of what it was (SciPy's `gtol`).
const FLAT: f64 = 0.9;

/// An interval around the minimum that is narrower than this part of where it is, is not searched any more (SciPy's `xtol`).
const NARROW: f64 = 0.1;

/// Places to try (SciPy's `maxls`).
const MOST_TRIALS: usize = 20;

/// As far as a search may go.
const FARTHEST: f64 = 1e10;

/// A place that satisfies the strong Wolfe conditions, or than which none is better that could be told from it; if that is not
/// found soon, the best one where the value fell enough, and none if there is no such. `first` is the place to try first. Values may be infinite or NaN: nothing is that far.
pub(crate) fn strong_wolfe(
    start: Point,
    first: f64,
    mut evaluate: impl FnMut(f64) -> Point,
) -> Option<Point> {
    let promised = SUFFICIENT * start.slope;
    let mut interval = Interval { best: start, other: start, is_bracket: false };
    let (mut width, mut width_before) = (FARTHEST, 2.0 * FARTHEST);
    let (mut least, mut most) = (0.0, 5.0 * first);
    let mut seeks_decrease = true;
    let mut t = first.min(FARTHEST);
    for _ in 0..MOST_TRIALS {
        let now = evaluate(t);
        if !now.value.is_finite() || !now.slope.is_finite() {
            // Too far: nothing is known of the function there.
            (most, t) = (t, 0.5 * (interval.best.t + t));
            continue;
        }
        let bound = start.value + t * promised;
        seeks_decrease &= now.value > bound || now.slope < 0.0;
        let is_lost = interval.is_bracket && (t <= least || t >= most || most - least <= NARROW * most);
        let is_wolfe = now.value <= bound && now.slope.abs() <= FLAT * -start.slope;
        if is_wolfe || is_lost || t == FARTHEST && now.value <= bound && now.slope <= promised {
            return Some(now);
        }
        if seeks_decrease && now.value <= interval.best.value && now.value > bound {
            // Of the function less what is promised, which has a minimum where the function itself decreases enough.
            let less = |p: Point| Point { value: p.value - p.t * promised, slope: p.slope - promised, ..p };
            let more = |p: Point| Point { value: p.value + p.t * promised, slope: p.slope + promised, ..p };
            let Interval { best, other, is_bracket } = interval;
            let mut of_rest = Interval { best: less(best), other: less(other), is_bracket };
            t = of_rest.step(less(now), least, most);
            let Interval { best, other, is_bracket } = of_rest;
            interval = Interval { best: more(best), other: more(other), is_bracket };
        } else {
            t = interval.step(now, least, most);
        }
        let (best, other) = (interval.best.t, interval.other.t);
        if interval.is_bracket {
            if (other - best).abs() >= 0.66 * width_before {
                t = best + 0.5 * (other - best);
            }
            (width_before, width) = (width, (other - best).abs());
            (least, most) = (best.min(other), best.max(other));
        } else {
            (least, most) = (t + 1.1 * (t - best), t + 4.0 * (t - best));
        }
        t = t.clamp(0.0, FARTHEST);
        if interval.is_bracket && (t <= least || t >= most || most - least <= NARROW * most) {
            t = best;
        }
    }
    // Perhaps far enough.
    let best = interval.best;
    (best.t > 0.0 && best.value <= start.value + best.t * promised).then_some(best)
}

/// Where the minimum is.
struct Interval {
    /// The place with the least value so far.
    best: Point,
    /// The other end.
    other: Point,
    /// Whether the minimum is known to lie between them.
    is_bracket: bool,
}

impl Interval {
    /// Takes in a place that was tried; where to try next, between `least` and `most`. (MINPACK-2's `dcstep`.)
    fn step(&mut self, now: Point, least: f64, most: f64) -> f64 {
        let Self { best, other, .. } = *self;
        let turns = now.slope * best.slope.signum() < 0.0;
        let secant = now.t + now.slope / (now.slope - best.slope) * (best.t - now.t);
        let is_nearer = |a: f64, b: f64, from: f64| (a - from).abs() < (b - from).abs();
        let next = if now.value > best.value {
            self.is_bracket = true;
            let cubic = cubic_minimum(best, now);
            let fall = (best.value - now.value) / (now.t - best.t) + best.slope;
            let quadratic = best.t + best.slope / fall / 2.0 * (now.t - best.t);
            if is_nearer(cubic, quadratic, best.t) { cubic } else { cubic + (quadratic - cubic) / 2.0 }
        } else if turns {
            self.is_bracket = true;
            let cubic = cubic_minimum(now, best);
            if is_nearer(secant, cubic, now.t) { cubic } else { secant }
        } else if now.slope.abs() < best.slope.abs() {
            let cubic = cubic_beyond(best, now, least, most);
            if self.is_bracket {
                let next = if is_nearer(cubic, secant, now.t) { cubic } else { secant };
                let limit = now.t + 0.66 * (other.t - now.t);
                if now.t > best.t { next.min(limit) } else { next.max(limit) }
            } else {
                let next = if is_nearer(secant, cubic, now.t) { cubic } else { secant };
                next.clamp(least, most)
            }
        } else if self.is_bracket {
            cubic_minimum(now, other)
        } else if now.t > best.t {
            most
        } else {
            least
        };
        if now.value > best.value {
            self.other = now;
        } else {
            if turns {
                self.other = best;
            }
            self.best = now;
        }
        next
    }
}

/// The square root of the discriminant of the cubic through two places, with its sign from `a` to `b`; and its middle term.
fn discriminant(a: Point, b: Point) -> (f64, f64) {
    let theta = 3.0 * (a.value - b.value) / (b.t - a.t) + a.slope + b.slope;
    let scale = theta.abs().max(a.slope.abs()).max(b.slope.abs());
    let square = (theta / scale).powi(2) - a.slope / scale * (b.slope / scale);
    let gamma = scale * square.max(0.0).sqrt();
    (if b.t < a.t { -gamma } else { gamma }, theta)
}

/// Where the cubic through two places, with their slopes, has its minimum, seen from `a`.
fn cubic_minimum(a: Point, b: Point) -> f64 {
    let (gamma, theta) = discriminant(a, b);
    let part = (gamma - a.slope + theta) / (gamma - a.slope + gamma + b.slope);
    a.t + part * (b.t - a.t)
}

/// The same, if it lies beyond `now`, seen from `best`; else as far as may be.
fn cubic_beyond(best: Point, now: Point, least: f64, most: f64) -> f64 {
    let (gamma, theta) = discriminant(now, best);
    let part = (gamma - now.slope + theta) / (gamma + (best.slope - now.slope) + gamma);
    if part < 0.0 && gamma != 0.0 {
        now.t + part * (best.t - now.t)
    } else if now.t > best.t {
        most
    } else {
        least
    }
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
        (found, trials)
    }

    #[test]
    fn a_cubic_is_least_where_calculus_says() {
        let f = |t: f64| Point { t, value: t * t * t - 3.0 * t, slope: 3.0 * t * t - 3.0 };
        for (a, b) in [(0.0, 2.0), (2.0, 0.0), (0.5, 1.5), (-0.5, 3.0)] {
            assert!((cubic_minimum(f(a), f(b)) - 1.0).abs() < 1e-12);
        }
    }

    /// Function, first place, where it ends (not said where the interval became too narrow), evaluations.
    const OF_SCIPY: [(usize, f64, Option<f64>, usize); 15] = [
        (0, 0.001, Some(0.341), 5),
        (0, 0.1, Some(0.5), 2),
        (0, 1.0, Some(1.0), 1),
        (0, 10.0, Some(10.0), 1),
        (0, 1000.0, Some(36.88760696396662), 4),
        (1, 0.001, None, 11),
        (1, 0.1, None, 7),
        (1, 1.0, None, 7),
        (1, 10.0, None, 6),
        (1, 1000.0, None, 10),
        (2, 0.001, Some(0.341), 5),
        (2, 0.1, Some(0.5), 2),
        (2, 1.0, Some(1.0), 1),
        (2, 10.0, Some(3.0), 2),
        (2, 1000.0, Some(3.0), 2),
    ];

    /// The functions 1 and 2 of Moré and Thuente, and a quadratic; where SciPy 1.17's `DCSRCH` ends with the same constants, and
    /// after how many evaluations.
    #[test]
    fn goes_where_scipy_goes() {
        let one = |t: f64| (-t / (t * t + 2.0), (t * t - 2.0) / (t * t + 2.0).powi(2));
        let two = |t: f64| {
            let x = t + 0.004;
            (x.powi(5) - 2.0 * x.powi(4), 5.0 * x.powi(4) - 8.0 * x.powi(3))
        };
        let square = |t: f64| ((t - 3.0).powi(2), 2.0 * (t - 3.0));
        let f: [&dyn Fn(f64) -> (f64, f64); 3] = [&one, &two, &square];
        for (function, first, t, trials) in OF_SCIPY {
            let (found, tried) = search(f[function], first);
            let found = found.expect("it goes down");
            let is_there = t.is_none_or(|t| (found.t / t - 1.0).abs() < 1e-9);
            assert!(is_there && tried == trials, "{function} {first}: {found:?}, {tried}");
        }
    }

    #[test]
    fn walls_are_backed_away_from_and_a_rise_is_refused() {
        let wall = |t: f64| if t < 0.5 { (-t, -1.0) } else { (f64::NAN, f64::NAN) };
        let (found, trials) = search(wall, 1.0);
        assert!(found.is_some_and(|p| p.t > 0.2 && p.t < 0.5) && trials <= MOST_TRIALS);
        let (found, trials) = search(|t| (t, -1.0), 1.0);
        assert!(found.is_none() && trials <= MOST_TRIALS);
        // Down for ever.
        assert!(search(|t| (-t, -1.0), 1.0).0.is_some());
    }
}
