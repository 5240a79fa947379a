//! What a mutex holds, whether or not a thread that had it panicked: the panic itself arrives by way of the pool.

use std::sync::{Mutex, MutexGuard};

pub(crate) fn lock<X>(mutex: &Mutex<X>) -> MutexGuard<'_, X> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

pub(crate) fn get<X>(mutex: &mut Mutex<X>) -> &mut X {
    mutex.get_mut().unwrap_or_else(|e| e.into_inner())
}
