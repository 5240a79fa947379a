//! How many workers a pool relies on, where other programs may keep cores busy.

use std::time::{Duration, Instant};

use crate::cores;

/// A worker that the system suspends in the middle of a task, for another program, is waited for as long as a hundred steps of
/// a small network take. So fewer are asked at first if the machine has no core for them, and for a while when one was
/// waited for.
pub(crate) struct Reliance {
    workers: usize,
    asked: usize,
    /// While fewer than all may be asked.
    few: Option<Few>,
    /// How many times as long as it had to wait the calling thread works alone, the next time.
    caution: u32,
    has_looked: bool,
    /// Cores of the machine, if known.
    cores: Option<usize>,
    /// Threads of all programs that could run now, if known.
    running: fn() -> Option<usize>,
}

#[derive(Clone, Copy)]
struct Few {
    /// Then all are given a chance.
    until: Instant,
    /// When to see whether there is room for all by now, if there was none.
    look: Option<Instant>,
    /// From that look to the one after.
    pause: Duration,
}

/// A wait that is worth doing something about: a job's last tasks rarely end so far apart.
const LONG: Duration = Duration::from_micros(100);

/// The most that caution can be, when there are long waits again and again, or when it is seen that others run.
const MOST_CAUTION: u32 = 64;

/// The least where it cannot be seen whether others run.
const BLIND_CAUTION: u32 = 8;

/// What looked like too few cores may have been others that are done by now, or that run on cores which this program cannot
/// have: after so long the workers are tried.
const TRIAL: Duration = Duration::from_millis(50);

/// Before it is looked again, at first: a look takes some 10 µs.
const PAUSE: Duration = Duration::from_millis(1);

impl Reliance {
    pub fn new(workers: usize) -> Self {
        let (cores, running) = (cores::count(), cores::running);
        Self { workers, asked: workers, few: None, caution: 1, has_looked: false, cores, running }
    }

    /// Workers to ask for a job that begins now. `awake` counts those that are awake.
    pub fn asked(&mut self, now: Instant, awake: impl Fn() -> usize) -> usize {
        if self.few.is_none() && self.has_looked {
            return self.asked;
        }
        let is_first = !std::mem::replace(&mut self.has_looked, true);
        let first = Few { until: now + TRIAL, look: Some(now), pause: PAUSE };
        let Few { until, look, pause } = self.few.unwrap_or(first);
        if now >= until {
            self.ask_all();
        } else if look.is_some_and(|look| now >= look) {
            match self.room(awake()) {
                Some(room) if room < self.workers => {
                    let next = if is_first { pause } else { 2 * pause };
                    self.asked = room;
                    self.few = Some(Few { until, look: Some(now + next), pause: next });
                }
                _ => self.ask_all(),
            }
        }
        self.asked
    }

    /// Learns from a job whose last tasks the calling thread has `waited` for, having worked for as long as `own` itself.
    pub fn learn(&mut self, own: Duration, waited: Duration, awake: impl Fn() -> usize) {
        if waited <= LONG + 3 * own {
            self.caution = (self.caution - 1).max(1);
            return;
        }
        let now = Instant::now();
        let (asked, caution, look) = match self.room(awake()) {
            Some(room) if room < self.workers => (room, MOST_CAUTION, Some(now + waited)),
            Some(_) => (0, self.caution, None),
            None => (0, self.caution.max(BLIND_CAUTION), None),
        };
        self.asked = asked;
        self.few = Some(Few { until: now + caution * waited, look, pause: waited });
        self.caution = (2 * caution).min(MOST_CAUTION);
    }

    fn ask_all(&mut self) {
        self.asked = self.workers;
        self.few = None;
    }

    /// Workers that there are cores for, beside the calling thread and all other programs; none if the system does not tell.
    fn room(&self, awake: usize) -> Option<usize> {
        let others = (self.running)()?.saturating_sub(1 + awake);
        Some(self.cores?.saturating_sub(1 + others).min(self.workers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Of three workers on four cores.
    fn beside(running: fn() -> Option<usize>) -> Reliance {
        Reliance { cores: Some(4), running, ..Reliance::new(3) }
    }

    fn is_over(reliance: &mut Reliance) {
        let few = reliance.few.as_mut().expect("fewer are asked for a while");
        (few.until, few.look) = (Instant::now(), None);
    }

    #[test]
    fn all_are_asked_where_there_is_room_or_nothing_is_known() {
        for running in [|| Some(1), || None] {
            let mut reliance = beside(running);
            assert_eq!(reliance.asked(Instant::now(), || 0), 3);
            reliance.learn(MS, MS, || 3);
            reliance.learn(2 * MS, 5 * MS, || 3);
            assert_eq!(reliance.asked(Instant::now(), || 3), 3, "tasks of different length are no reason");
        }
        assert_eq!(beside(|| Some(4)).asked(Instant::now(), || 3), 3, "its own workers are no others");
    }

    #[test]
    fn as_many_as_there_are_cores_for() {
        let mut reliance = beside(|| Some(2));
        assert_eq!(reliance.asked(Instant::now(), || 0), 2);
        // The next looks are later and later.
        for pause in [2, 4, 8] {
            reliance.few.as_mut().unwrap().look = Some(Instant::now());
            assert_eq!(reliance.asked(Instant::now(), || 0), 2);
            assert_eq!(reliance.few.unwrap().pause, pause * MS);
        }
        reliance.running = || Some(3);
        assert_eq!(reliance.asked(Instant::now(), || 0), 2, "not yet looked");
        reliance.few.as_mut().unwrap().look = Some(Instant::now());
        assert_eq!(reliance.asked(Instant::now(), || 0), 1);
        reliance.running = || Some(1);
        reliance.few.as_mut().unwrap().look = Some(Instant::now());
        assert_eq!(reliance.asked(Instant::now(), || 0), 3);

        let mut crowded = beside(|| Some(1000));
        assert_eq!(crowded.asked(Instant::now(), || 0), 0);
        is_over(&mut crowded);
        assert_eq!(crowded.asked(Instant::now(), || 0), 3, "it may have been wrong");
    }

    #[test]
    fn a_suspended_worker_is_done_without_for_a_while() {
        for (running, asked, cautions) in [
            ((|| Some(5)) as fn() -> _, 2, [64, 64, 64, 64]),
            (|| Some(4), 0, [1, 2, 4, 8]),
            (|| None, 0, [8, 16, 32, 64]),
        ] {
            let mut reliance = beside(running);
            reliance.has_looked = true;
            for caution in cautions {
                let before = Instant::now();
                reliance.learn(MS, 100 * MS, || 3);
                let until = reliance.few.unwrap().until;
                assert!((before + caution * 100 * MS..).contains(&until), "{caution} times");
                assert!(until <= Instant::now() + caution * 100 * MS, "{caution} times");
                assert_eq!(reliance.asked(Instant::now(), || 3), asked);
                is_over(&mut reliance);
                assert_eq!(reliance.asked(Instant::now(), || 0), 3, "another chance");
            }
            let most = reliance.caution;
            reliance.learn(MS, MS, || 3);
            assert_eq!(reliance.caution, most - 1);
        }
    }
}
