//! What the system tells and lets a program do about its cores. Only Linux does; elsewhere nothing is known or done.

#[cfg(target_os = "linux")]
mod system {
    use std::fs;

    use rustix::thread::{Pid, gettid, sched_getaffinity, sched_getcpu, sched_setaffinity};

    /// A thread of this program.
    #[derive(Clone, Copy)]
    pub struct Thread(Pid);

    impl Thread {
        pub fn current() -> Self {
            Self(gettid())
        }

        /// Keeps the thread off the core that the calling one is on. A sleeping thread that is woken often lands on the waker's
        /// core (always where the others seem to be away, as the idle ones of a virtual machine do) and shares it for
        /// many milliseconds. Without effect where there is no other core.
        pub fn keep_off_this_core(self) {
            if let Ok(mut cores) = sched_getaffinity(None) {
                cores.unset(sched_getcpu());
                // No more than a hint.
                let _ = sched_setaffinity(Some(self.0), &cores);
            }
        }

        /// Lets the calling thread run wherever this one may.
        pub fn share_cores(self) {
            if let Ok(cores) = sched_getaffinity(Some(self.0)) {
                let _ = sched_setaffinity(None, &cores);
            }
        }
    }

    /// Cores of the machine.
    pub fn count() -> Option<usize> {
        count_listed(&fs::read_to_string("/sys/devices/system/cpu/online").ok()?)
    }

    /// Threads of all programs that run or could run at this moment: the fourth field of `/proc/loadavg`, some 10 µs.
    pub fn running() -> Option<usize> {
        let text = fs::read_to_string("/proc/loadavg").ok()?;
        let running = text.split_whitespace().nth(3)?.split('/').next()?.parse().ok()?;
        // This thread runs: a system that counts none does not count.
        (running > 0).then_some(running)
    }

    /// Counts what a list such as `0-3,8` names.
    pub fn count_listed(list: &str) -> Option<usize> {
        let length = |range: &str| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(last.parse::<usize>().ok()?.checked_sub(first.parse().ok()?)? + 1)
        };
        list.trim().split(',').map(length).sum()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    #[derive(Clone, Copy)]
    pub struct Thread;

    impl Thread {
        pub fn current() -> Self {
            Self
        }

        pub fn keep_off_this_core(self) {}

        pub fn share_cores(self) {}
    }

    pub fn count() -> Option<usize> {
        None
    }

    pub fn running() -> Option<usize> {
        None
    }
}

pub(crate) use system::{Thread, count, running};

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use std::{hint, thread};

    use rustix::thread::{sched_getaffinity, sched_getcpu};

    use super::*;

    #[test]
    fn lists_of_cores_are_counted() {
        for (list, n) in [("0\n", 1), ("0-1\n", 2), ("0-3,8,10-11\n", 7)] {
            assert_eq!(system::count_listed(list), Some(n), "{list}");
        }
        for list in ["", "x", "3-1", "0-"] {
            assert_eq!(system::count_listed(list), None, "{list}");
        }
        assert!(count().is_some_and(|n| n >= 1));
    }

    #[test]
    fn a_busy_thread_counts_as_running() {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(SeqCst) {
                    hint::spin_loop();
                }
            });
            // Some systems do not say.
            let seen = running().is_none() || (0..1000).any(|_| running() >= Some(2));
            stop.store(true, SeqCst);
            assert!(seen);
        });
    }

    #[test]
    fn a_thread_leaves_this_core_and_may_come_back() {
        let all = sched_getaffinity(None).unwrap();
        let caller = Thread::current();
        thread::spawn(move || {
            let mine = Thread::current();
            mine.keep_off_this_core();
            let fewer = sched_getaffinity(None).unwrap();
            assert!(all.count() == 1 || fewer.count() == all.count() - 1 && fewer.is_set(sched_getcpu()));
            caller.share_cores();
            assert_eq!(sched_getaffinity(None).unwrap(), all);
        })
        .join()
        .unwrap();
    }
}
