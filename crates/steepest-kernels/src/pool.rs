//! Persistent workers that start on a job within a microsecond.
//!
//! A step of a small network takes some 200 µs: starting threads for it would cost up to a fifth of that. Workers spin
//! for a short while after each job, since the next one usually follows at once, and then sleep.

use std::any::Any;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Instant;
use std::{hint, ptr, thread};

use crate::cores;
use crate::payoff::{Kind, Payoff};
use crate::reliance::Reliance;

/// How often a worker looks for the next job before it sleeps: some 50 µs.
const SPINS: u32 = 2_000;

type Task<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// A fixed number of threads that run the numbered tasks of one job at a time.
///
/// Who runs a task changes no result. So where other programs keep cores busy, fewer workers are asked: else one may be
/// suspended in the middle of a task, and everybody waits. And none where small steps are done sooner without.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    reliance: Reliance,
    payoff: Payoff,
}

struct Shared {
    /// A [`Ticket`]: one compare-and-swap claims a task.
    ticket: AtomicU64,
    /// Points to the job's function while any of its tasks is unfinished.
    job: AtomicPtr<Task<'static>>,
    /// Tasks not yet finished.
    unfinished: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// Workers asked to help.
    asked: AtomicUsize,
    /// One for each worker.
    beds: Vec<Bed>,
    stop: AtomicBool,
}

/// Where a worker sleeps.
#[derive(Default)]
struct Bed {
    is_asleep: AtomicBool,
    /// The worker, from its beginning on.
    worker: OnceLock<cores::Thread>,
    /// Who has woken it.
    waker: Mutex<Option<cores::Thread>>,
}

/// Which tasks of the current job are unclaimed, `first..end`, and the job's number, so that no two are alike.
#[derive(Clone, Copy)]
struct Ticket(u64);

impl Ticket {
    const BITS: u32 = 24;
    const MOST: usize = (1 << Self::BITS) - 1;

    fn new(number: u64, n: usize) -> Self {
        Self(number << (2 * Self::BITS) | n as u64)
    }

    fn number(self) -> u64 {
        self.0 >> (2 * Self::BITS)
    }

    fn first(self) -> usize {
        (self.0 >> Self::BITS) as usize & Self::MOST
    }

    fn end(self) -> usize {
        self.0 as usize & Self::MOST
    }

    fn is_empty(self) -> bool {
        self.first() == self.end()
    }

    /// The task that a thread should take, and what is left: the calling thread takes the first, workers the last. So when a
    /// job of the same kind comes again, most tasks go to the thread in whose cache their data is.
    fn claim(self, thread: usize) -> (usize, Self) {
        if thread == 0 {
            (self.first(), Self(self.0 + (1 << Self::BITS)))
        } else {
            (self.end() - 1, Self(self.0 - 1))
        }
    }
}

impl Pool {
    /// A pool of `threads` threads, the calling one included: `new(1)` starts none.
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            ticket: AtomicU64::new(0),
            job: AtomicPtr::new(ptr::null_mut()),
            unfinished: AtomicUsize::new(0),
            panic: Mutex::new(None),
            asked: AtomicUsize::new(0),
            beds: (1..threads).map(|_| Bed::default()).collect(),
            stop: AtomicBool::new(false),
        });
        let workers: Vec<_> = (1..threads)
            .map_while(|i| {
                let shared = shared.clone();
                // Where the system allows fewer threads, fewer do the same work.
                thread::Builder::new().name(format!("steepest-{i}")).spawn(move || shared.work(i)).ok()
            })
            .collect();
        Self { shared, reliance: Reliance::new(workers.len()), payoff: Payoff::new(), workers }
    }

    /// Threads, the calling one included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `task(0, _)`, …, `task(n - 1, _)`, each once, in no particular order; returns when all are done. The second
    /// argument is the number of the thread that runs it, below [`Pool::threads`]: no two tasks have the same one at
    /// the same time, so it may choose a buffer.
    ///
    /// # Panics
    /// When a task panics (after the others are done), or there are 2^24 tasks or more.
    #[track_caller]
    pub fn run(&mut self, n: usize, task: &(dyn Fn(usize, usize) + Sync)) {
        if n <= 1 || self.workers.is_empty() {
            (0..n).for_each(|i| task(i, 0));
            return;
        }
        assert!(n <= Ticket::MOST);
        let start = Instant::now();
        let asked = self.ask((Location::caller(), n), start);
        if asked == 0 {
            (0..n).for_each(|i| task(i, 0));
            return;
        }
        let shared = &*self.shared;
        // SAFETY: only the lifetime is forgotten. Workers use the pointer only between claiming and finishing a
        // task of this job, and this function does not return before all tasks are finished.
        let mut task: Task<'static> = unsafe { std::mem::transmute(task) };
        shared.unfinished.store(n, Relaxed);
        shared.job.store(&raw mut task, Relaxed);
        let number = Ticket(shared.ticket.load(Relaxed)).number().wrapping_add(1);
        shared.ticket.store(Ticket::new(number, n).0, SeqCst);
        self.wake(asked);
        while shared.claim_and_run(0) {}
        let own = start.elapsed();
        let mut spins = 0;
        while shared.unfinished.load(Acquire) > 0 {
            hint::spin_loop();
            spins += 1;
            if spins > SPINS {
                // The worker may need this very core.
                thread::yield_now();
            }
        }
        let waited = start.elapsed() - own;
        self.reliance.learn(own, waited, || shared.awake());
        let shared = &*self.shared;
        if let Some(panic) = shared.panic.lock().unwrap_or_else(|e| e.into_inner()).take() {
            resume_unwind(panic);
        }
    }

    /// Decides how many workers help with a job that begins now.
    fn ask(&mut self, kind: Kind, now: Instant) -> usize {
        let room = self.reliance.asked(now, || self.shared.awake());
        let asked = if room > 0 && self.payoff.pays(kind, now) { room } else { 0 };
        self.shared.asked.store(asked, Relaxed);
        asked
    }

    /// Wakes the first `n` workers.
    fn wake(&self, n: usize) {
        for (bed, worker) in self.shared.beds.iter().zip(&self.workers).take(n) {
            if bed.is_asleep.swap(false, SeqCst) {
                *bed.waker.lock().unwrap_or_else(|e| e.into_inner()) = Some(cores::Thread::current());
                if let Some(thread) = bed.worker.get() {
                    thread.keep_off_this_core();
                }
                worker.thread().unpark();
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        self.wake(self.workers.len());
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// Runs one task of the current job, if one is left.
    fn claim_and_run(&self, thread: usize) -> bool {
        let mut ticket = Ticket(self.ticket.load(Acquire));
        let index = loop {
            if ticket.is_empty() {
                return false;
            }
            let (index, left) = ticket.claim(thread);
            match self.ticket.compare_exchange_weak(ticket.0, left.0, AcqRel, Acquire) {
                Ok(_) => break index,
                Err(now) => ticket = Ticket(now),
            }
        };
        // SAFETY: a task of this job is claimed and unfinished, so `run` is still there, and with it what `job`
        // points to.
        let task = unsafe { *self.job.load(Relaxed) };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| task(index, thread))) {
            *self.panic.lock().unwrap_or_else(|e| e.into_inner()) = Some(panic);
        }
        self.unfinished.fetch_sub(1, AcqRel);
        true
    }

    /// A worker's life.
    fn work(&self, thread: usize) {
        let bed = &self.beds[thread - 1];
        bed.worker.get_or_init(cores::Thread::current);
        let mut spins = 0;
        while !self.stop.load(Relaxed) {
            if self.asks(thread) && self.claim_and_run(thread) {
                spins = 0;
            } else if spins < SPINS {
                spins += 1;
                hint::spin_loop();
            } else {
                self.sleep(thread, bed);
                spins = 0;
            }
        }
    }

    /// Whether a worker should help. It may do so although it should not: that is no harm.
    fn asks(&self, thread: usize) -> bool {
        thread <= self.asked.load(Relaxed)
    }

    /// Workers that do not sleep.
    fn awake(&self) -> usize {
        self.beds.iter().filter(|bed| !bed.is_asleep.load(Relaxed)).count()
    }

    /// Sleeps until there is a job. A job that comes between the last look and the sleep is not missed: it is
    /// announced before `is_asleep` is read, and `is_asleep` is set before the last look here.
    fn sleep(&self, thread: usize, bed: &Bed) {
        bed.is_asleep.store(true, SeqCst);
        // The ticket first: it comes after `asked`.
        let has_job = || !Ticket(self.ticket.load(SeqCst)).is_empty() && self.asks(thread);
        if has_job() || self.stop.load(SeqCst) {
            bed.is_asleep.store(false, SeqCst);
        }
        while bed.is_asleep.load(SeqCst) {
            thread::park();
        }
        if let Some(waker) = bed.waker.lock().unwrap_or_else(|e| e.into_inner()).take() {
            waker.share_cores();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once() {
        for threads in 1..=4 {
            let mut pool = Pool::new(threads);
            for n in [0, 1, 2, 7, 100] {
                for _ in 0..200 {
                    let counts: Vec<AtomicUsize> = (0..n).map(|_| AtomicUsize::new(0)).collect();
                    pool.run(n, &|i, _| {
                        counts[i].fetch_add(1, Relaxed);
                    });
                    assert!(counts.iter().all(|c| c.load(Relaxed) == 1));
                }
            }
        }
    }

    #[test]
    fn sleeping_workers_wake() {
        let mut pool = Pool::new(3);
        for _ in 0..3 {
            thread::sleep(std::time::Duration::from_millis(20));
            let sum = AtomicUsize::new(0);
            pool.run(10, &|i, _| {
                sum.fetch_add(i, Relaxed);
            });
            assert_eq!(sum.into_inner(), 45);
        }
    }

    #[test]
    fn workers_help() {
        let mut pool = Pool::new(2);
        let end = Instant::now() + std::time::Duration::from_secs(60);
        let helped = AtomicBool::new(false);
        while !helped.load(SeqCst) && Instant::now() < end {
            pool.run(2, &|_, thread| {
                helped.fetch_or(thread == 1, SeqCst);
                thread::sleep(std::time::Duration::from_millis(1));
            });
        }
        assert!(helped.into_inner());
    }

    #[test]
    fn a_panic_arrives_and_the_pool_goes_on() {
        let mut pool = Pool::new(2);
        let result = catch_unwind(AssertUnwindSafe(|| pool.run(8, &|i, _| assert_ne!(i, 3))));
        assert!(result.is_err());
        let ran = AtomicUsize::new(0);
        pool.run(8, &|_, _| {
            ran.fetch_add(1, Relaxed);
        });
        assert_eq!(ran.into_inner(), 8);
    }
}
