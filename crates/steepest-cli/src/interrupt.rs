//! Ctrl-C and its like: the first asks a run to end well, the second ends it at once.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Signals that ask the process to end, as they come from now on.
pub struct Interrupts {
    /// The last one; 0 if there was none.
    signal: Arc<AtomicUsize>,
}

impl Interrupts {
    /// Takes over Ctrl-C (SIGINT) and SIGTERM.
    pub fn listen() -> io::Result<Self> {
        let (signal, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        for number in [SIGINT, SIGTERM] {
            // Before the flag is set: the first signal passes.
            flag::register_conditional_shutdown(number, exit_code(number).into(), asked.clone())?;
            flag::register_usize(number, signal.clone(), number as usize)?;
            flag::register(number, asked.clone())?;
        }
        Ok(Self { signal })
    }

    /// The signal that came, if one did.
    pub fn signal(&self) -> Option<i32> {
        i32::try_from(self.signal.load(Ordering::Relaxed)).ok().filter(|&signal| signal != 0)
    }
}

/// A run was asked to end, and has.
#[derive(Debug)]
pub struct Interrupted {
    /// By this signal.
    pub signal: i32,
    /// What it left.
    pub message: String,
}

impl Interrupted {
    /// 130 for Ctrl-C, 143 for SIGTERM, as shells have it.
    pub fn exit_code(&self) -> u8 {
        exit_code(self.signal)
    }
}

fn exit_code(signal: i32) -> u8 {
    u8::try_from(signal).unwrap_or(0).saturating_add(128)
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Interrupted {}

/// Makes a file that grows too large (`ulimit -f`) an error like any other, in place of the end of the process.
pub fn survive_file_size_limit() -> io::Result<()> {
    #[cfg(unix)]
    flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Ok(())
}
