//! Whether help pays: a small step may be done sooner by one thread than its data gets from core to core and back.

use std::panic::Location;
use std::time::{Duration, Instant};
use std::{mem, ptr};

/// Tries steps with help and without, and goes on with what was faster. A step is what lies between two jobs of the same
/// kind.
pub(crate) struct Payoff {
    pays: bool,
    state: State,
    /// How long the next result counts.
    rest: Duration,
}

enum State {
    /// Nothing has begun.
    New,
    /// No trial before then.
    Rest {
        until: Instant,
    },
    Trial(Trial),
}

struct Trial {
    /// The kind of job that steps are told by.
    kind: Kind,
    /// Median step with help, once known; then it is tried without.
    helped: Option<Duration>,
    /// When this half of the trial began.
    begin: Instant,
    /// Jobs of that kind in this half.
    steps: usize,
    /// When the last of them began, and how many jobs ago.
    last: Instant,
    jobs: usize,
    times: [Duration; TIMES],
    n_times: usize,
}

/// What tells jobs apart: where in the program they are run, and the number of tasks.
pub(crate) type Kind = (&'static Location<'static>, usize);

/// Steps measured with help, and as many without.
const TIMES: usize = 7;

/// Before that, sleeping workers and their data find their way; without help, only data.
const WARM_UP: Duration = Duration::from_micros(200);
const WARM_UP_ALONE: Duration = Duration::from_micros(50);

/// Before the first trial, cores that were idle find their clock: whatever is tried later would seem faster.
const BEGINNING: Duration = Duration::from_millis(2);

/// Steps that take longer are worth any help.
const SMALL: Duration = Duration::from_millis(1);

/// A result counts for so long at first, since a run may be short, and for up to [`LONGEST_REST`] while it stays the same.
const REST: Duration = Duration::from_millis(5);
const LONGEST_REST: Duration = Duration::from_millis(500);

/// A kind of job that does not come again among so many is none to tell steps by.
const PATIENCE: usize = 64;

impl Payoff {
    pub fn new() -> Self {
        Self { pays: true, state: State::New, rest: REST }
    }

    /// Whether to ask for help with a job of this kind that begins now.
    pub fn pays(&mut self, kind: Kind, now: Instant) -> bool {
        match &mut self.state {
            State::New => {
                self.state = State::Rest { until: now + BEGINNING };
                true
            }
            State::Rest { until } if now < *until => self.pays,
            State::Rest { .. } => {
                self.state = State::Trial(Trial::new(kind, now, None));
                true
            }
            State::Trial(trial) => {
                let is_helped = trial.helped.is_none();
                match trial.note(kind, now) {
                    None if trial.jobs > PATIENCE => {
                        // Steps by another kind of job, then, or none at all.
                        self.state = State::Trial(Trial::new(kind, now, None));
                        true
                    }
                    None => is_helped,
                    Some(alone) if let Some(helped) = trial.helped => self.settle(helped <= alone, now),
                    Some(helped) if helped > SMALL => self.settle(true, now),
                    Some(helped) => {
                        self.state = State::Trial(Trial::new(kind, now, Some(helped)));
                        false
                    }
                }
            }
        }
    }

    fn settle(&mut self, pays: bool, now: Instant) -> bool {
        let is_news = mem::replace(&mut self.pays, pays) != pays;
        self.rest = if is_news { REST } else { (2 * self.rest).min(LONGEST_REST) };
        self.state = State::Rest { until: now + self.rest };
        pays
    }
}

impl Trial {
    fn new(kind: Kind, now: Instant, helped: Option<Duration>) -> Self {
        let times = [Duration::ZERO; TIMES];
        Self { kind, helped, begin: now, jobs: 0, steps: 0, last: now, times, n_times: 0 }
    }

    /// Notes that a job begins; the median step, when there are enough.
    fn note(&mut self, kind: Kind, now: Instant) -> Option<Duration> {
        self.jobs += 1;
        if !ptr::eq(kind.0, self.kind.0) || kind.1 != self.kind.1 {
            return None;
        }
        self.jobs = 0;
        self.steps += 1;
        let time = now - mem::replace(&mut self.last, now);
        let warm_up = if self.helped.is_some() { WARM_UP_ALONE } else { WARM_UP };
        if self.steps > 2 && now - self.begin > warm_up {
            self.times[self.n_times] = time;
            self.n_times += 1;
        }
        (self.n_times == TIMES).then(|| {
            self.times.sort_unstable();
            self.times[TIMES / 2]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs steps of two jobs for a while; the part of them that were helped.
    fn helped(payoff: &mut Payoff, now: &mut Instant, with: Duration, without: Duration) -> f64 {
        let (mut helped, mut steps, end) = (0, 0, *now + Duration::from_secs(3));
        let here = Location::caller();
        while *now < end {
            let pays = payoff.pays((here, 2), *now);
            payoff.pays((here, 3), *now + Duration::from_micros(1));
            *now += if pays { with } else { without };
            helped += usize::from(pays);
            steps += 1;
        }
        helped as f64 / steps as f64
    }

    #[test]
    fn goes_on_with_what_is_faster() {
        let us = Duration::from_micros;
        let (mut payoff, mut now) = (Payoff::new(), Instant::now());
        assert!(helped(&mut payoff, &mut now, us(12), us(19)) > 0.99);
        assert!(helped(&mut payoff, &mut now, us(22), us(19)) < 0.2, "after the longest rest");
        assert!(helped(&mut payoff, &mut now, us(22), us(19)) < 0.01);
        assert!(helped(&mut payoff, &mut now, us(250), us(400)) > 0.8);
        assert!(helped(&mut payoff, &mut now, us(250), us(400)) > 0.98);
        assert_eq!(
            helped(&mut Payoff::new(), &mut now, us(5000), us(4000)),
            1.0,
            "large steps are not tried"
        );
    }

    #[test]
    fn jobs_that_do_not_come_again_are_helped() {
        let (mut payoff, now) = (Payoff::new(), Instant::now());
        for i in 0..1000 {
            assert!(payoff.pays((Location::caller(), i), now + i as u32 * Duration::from_micros(20)));
        }
    }
}
