//! Persistent workers that start on a job within a microsecond.
//!
//! A step of a small network takes some 200 µs: starting threads for it would cost up to a fifth of that. Workers spin
//! for a short while after each job, since the next one usually follows at once, and then sleep.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering::*};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{hint, ptr, thread};

/// How often a worker looks for the next job before it sleeps: some 50 µs.
const SPINS: u32 = 2_000;

type Task<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// How many times as long as it had to wait the calling thread works alone, the first time.
const LEAST_CAUTION: u32 = 8;
/// And at most, when it happens again and again.
const MOST_CAUTION: u32 = 64;

/// A wait that is worth doing something about: a job's last tasks rarely end so far apart.
const LONG: Duration = Duration::from_micros(100);

/// A fixed number of threads that run the numbered tasks of one job at a time.
///
/// Where other work keeps a core busy, a worker may be suspended in the middle of a task, for as long as a hundred
/// steps of a small network take. Then the calling thread does without the workers for a while: the result is the same.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Until when the calling thread works alone.
    alone_until: Option<Instant>,
    /// How many times as long as the next long wait it will.
    caution: u32,
}

struct Shared {
    /// A [`Ticket`]: one compare-and-swap claims a task.
    ticket: AtomicU64,
    /// Points to the job's function while any of its tasks is unfinished.
    job: AtomicPtr<Task<'static>>,
    /// Tasks not yet finished.
    unfinished: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    sleepers: AtomicUsize,
    asleep: Mutex<()>,
    wake: Condvar,
    stop: AtomicBool,
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
            sleepers: AtomicUsize::new(0),
            asleep: Mutex::new(()),
            wake: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let workers = (1..threads)
            .map_while(|i| {
                let shared = shared.clone();
                // Where the system allows fewer threads, fewer do the same work.
                thread::Builder::new().name(format!("steepest-{i}")).spawn(move || shared.work(i)).ok()
            })
            .collect();
        Self { shared, workers, alone_until: None, caution: LEAST_CAUTION }
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
    pub fn run(&mut self, n: usize, task: &(dyn Fn(usize, usize) + Sync)) {
        if self.workers.is_empty() || n <= 1 || self.works_alone() {
            (0..n).for_each(|i| task(i, 0));
            return;
        }
        assert!(n <= Ticket::MOST);
        let start = Instant::now();
        let shared = &*self.shared;
        // SAFETY: only the lifetime is forgotten. Workers use the pointer only between claiming and finishing a
        // task of this job, and this function does not return before all tasks are finished.
        let mut task: Task<'static> = unsafe { std::mem::transmute(task) };
        shared.unfinished.store(n, Relaxed);
        shared.job.store(&raw mut task, Relaxed);
        let number = Ticket(shared.ticket.load(Relaxed)).number().wrapping_add(1);
        shared.ticket.store(Ticket::new(number, n).0, SeqCst);
        if shared.sleepers.load(SeqCst) > 0 {
            let _guard = shared.asleep.lock().unwrap_or_else(|e| e.into_inner());
            shared.wake.notify_all();
        }
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
        self.learn_from(own, waited);
        let shared = &*self.shared;
        if let Some(panic) = shared.panic.lock().unwrap_or_else(|e| e.into_inner()).take() {
            resume_unwind(panic);
        }
    }

    fn works_alone(&mut self) -> bool {
        self.alone_until = self.alone_until.filter(|&end| Instant::now() < end);
        self.alone_until.is_some()
    }

    /// Decides whether the workers can be relied on, after a job whose last tasks the calling thread has `waited` for,
    /// having worked for as long as `own` itself.
    fn learn_from(&mut self, own: Duration, waited: Duration) {
        if waited > LONG + 3 * own {
            self.alone_until = Some(Instant::now() + self.caution * waited);
            self.caution = (2 * self.caution).min(MOST_CAUTION);
        } else {
            self.caution = LEAST_CAUTION.max(self.caution - 1);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        {
            let _guard = self.shared.asleep.lock().unwrap_or_else(|e| e.into_inner());
            self.shared.wake.notify_all();
        }
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
        let mut spins = 0;
        while !self.stop.load(Relaxed) {
            if self.claim_and_run(thread) {
                spins = 0;
            } else if spins < SPINS {
                spins += 1;
                hint::spin_loop();
            } else {
                self.sleep();
                spins = 0;
            }
        }
    }

    /// Sleeps until there is a job. A job that comes between the last look and the sleep is not missed: it is
    /// announced before `sleepers` is read, and `sleepers` is raised before the last look here.
    fn sleep(&self) {
        let mut guard = self.asleep.lock().unwrap_or_else(|e| e.into_inner());
        self.sleepers.fetch_add(1, SeqCst);
        while Ticket(self.ticket.load(SeqCst)).is_empty() && !self.stop.load(SeqCst) {
            guard = self.wake.wait(guard).unwrap_or_else(|e| e.into_inner());
        }
        self.sleepers.fetch_sub(1, SeqCst);
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
    fn a_suspended_worker_is_done_without_for_a_while() {
        let mut pool = Pool::new(2);
        let ms = Duration::from_millis;
        pool.learn_from(ms(2), ms(5));
        assert!(!pool.works_alone(), "tasks of different length are no reason");
        for caution in [8, 16, 32, 64, 64] {
            let before = Instant::now();
            pool.learn_from(ms(1), ms(1000));
            assert!(pool.alone_until >= Some(before + caution * ms(1000)), "{caution} times");
        }
        pool.run(100, &|_, thread| assert_eq!(thread, 0));
        pool.learn_from(ms(1), ms(1));
        assert_eq!(pool.caution, 63);

        // When that time is over, it is given another chance.
        (pool.alone_until, pool.caution) = (Some(Instant::now()), LEAST_CAUTION);
        let end = Instant::now() + Duration::from_secs(60);
        let helped = AtomicBool::new(false);
        while !helped.load(SeqCst) && Instant::now() < end {
            pool.run(2, &|_, thread| {
                helped.fetch_or(thread == 1, SeqCst);
                thread::sleep(ms(1));
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
