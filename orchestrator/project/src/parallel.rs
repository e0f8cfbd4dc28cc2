//! Work on many items at once.

use std::num::NonZero;
use std::thread;

use crate::error::Error;

const WORTH_A_THREAD: usize = 16;

/// `each` on every item, on as many threads as there are cores; results and the first error come in
/// the order of the items. A thread takes at least `WORTH_A_THREAD` of them.
pub(crate) fn map<T: Sync, R: Send>(
    items: &[T],
    each: &(dyn Fn(&T) -> Result<R, Error> + Sync),
) -> Result<Vec<R>, Error> {
    // how many cores there are is read from a dozen files
    if items.len() <= WORTH_A_THREAD {
        return items.iter().map(each).collect();
    }
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = items.len().div_ceil(threads).max(WORTH_A_THREAD);
    if items.len() <= share {
        return items.iter().map(each).collect();
    }
    let parts: Vec<Result<Vec<R>, Error>> = thread::scope(|scope| {
        let workers: Vec<_> = items
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(each).collect()))
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    let mut all = Vec::with_capacity(items.len());
    for part in parts {
        all.extend(part?);
    }
    Ok(all)
}

/// Both at once.
pub(crate) fn both<A: Send, B>(a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let a = scope.spawn(a);
        let b = b();
        let a = a
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (a, b)
    })
}

/// Drops what took long to build and would take long to take down, beside the work that goes on.
pub(crate) fn drop_aside<T: Send + 'static>(value: T) {
    thread::spawn(move || drop(value));
}
