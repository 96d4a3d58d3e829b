//! Work that falls into many independent parts, on several threads.
//!
//! A thread that waits for others takes up further parts meanwhile. So nothing here may be called while a lock is held or a
//! value that is made only once is being made: the further part may want the same.

use std::sync::OnceLock;
use std::thread;

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// More threads than this wait for each other's memory.
const THREADS: usize = 8;

/// Bytes; as much as the first thread of a process has on most systems.
const STACK: usize = 8 << 20;

/// What `work` makes of each item, in their order. Up to `few` of them are not worth a second thread.
pub fn side_by_side<I, T>(items: I, few: usize, work: impl Fn(I::Item) -> T + Sync + Send) -> Vec<T>
where
    I: IntoIterator<Item: Send, IntoIter: ExactSizeIterator>,
    T: Send,
{
    let items = items.into_iter();
    match threads(items.len() > few) {
        None => items.map(work).collect(),
        Some(threads) => {
            let items: Vec<_> = items.collect();
            threads.install(|| items.into_par_iter().map(work).collect())
        }
    }
}

/// What two pieces of work make, on two threads when `is_worth_it`.
pub fn both<F: Send, S: Send>(
    is_worth_it: bool,
    first: impl FnOnce() -> F + Send,
    second: impl FnOnce() -> S + Send,
) -> (F, S) {
    match threads(is_worth_it) {
        None => (first(), second()),
        Some(threads) => threads.join(first, second),
    }
}

/// Does work that will fall into parts among the threads that share it, when `is_worth_it`: each change from a thread
/// that is none of them costs the time in which one of them wakes up.
pub fn among_threads<T: Send>(is_worth_it: bool, work: impl FnOnce() -> T + Send) -> T {
    match threads(is_worth_it) {
        None => work(),
        Some(threads) => threads.install(work),
    }
}

/// Started when they are first worth it, and kept: a thread that is started anew for each piece of work waits up to 4 ms
/// for the processor that its parent keeps busy (measured on Linux 6.18). None on a machine with a single processor.
fn threads(is_worth_it: bool) -> Option<&'static ThreadPool> {
    static THREADS_KEPT: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let start = || {
        let count = thread::available_parallelism().map_or(1, |count| count.get().min(THREADS));
        if count < 2 {
            return None;
        }
        // Where the system refuses threads, there is still this one.
        ThreadPoolBuilder::new().num_threads(count).stack_size(STACK).build().ok()
    };
    if is_worth_it { THREADS_KEPT.get_or_init(start).as_ref() } else { None }
}

#[cfg(test)]
mod tests {
    use super::{both, side_by_side};

    #[test]
    fn results_stand_in_their_order() {
        let wanted: Vec<usize> = (0..1000).map(|number| number * 2).collect();
        assert_eq!(side_by_side(0..1000, 10, |number| number * 2), wanted);
        assert_eq!(side_by_side(0..1000, 1000, |number| number * 2), wanted);
        assert!(side_by_side(Vec::<usize>::new(), 0, |number| number).is_empty());
        assert_eq!(both(true, || 1, || 2), both(false, || 1, || 2));
    }
}
