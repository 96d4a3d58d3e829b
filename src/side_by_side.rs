//! Work that falls into many independent parts, on several threads.

use std::panic::resume_unwind;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

/// More threads than this wait for each other's memory.
const THREADS: usize = 8;

/// What `work` makes of each item, in their order. Up to `few` of them are not worth a second thread.
pub fn side_by_side<I, T>(items: I, few: usize, work: impl Fn(I::Item) -> T + Sync) -> Vec<T>
where
    I: IntoIterator<IntoIter: ExactSizeIterator + Send>,
    T: Send,
{
    let items = items.into_iter();
    let count = items.len();
    // How many threads there are is asked of several files of the system, so only where it matters.
    let threads = if count <= few { 1 } else { threads().min(count) };
    if threads < 2 {
        return items.map(work).collect();
    }
    let queue = Mutex::new(items.enumerate());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let take = || {
        let mut done: Vec<(usize, T)> = Vec::new();
        while let Some((number, item)) = next() {
            done.push((number, work(item)));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(take)).collect();
        let mut done = take();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What two pieces of work make, on two threads when `is_worth_it`.
pub fn both<F: Send, S>(is_worth_it: bool, first: impl FnOnce() -> F + Send, second: impl FnOnce() -> S) -> (F, S) {
    if !is_worth_it {
        return (first(), second());
    }
    thread::scope(|scope| {
        let first = scope.spawn(first);
        let second = second();
        (first.join().unwrap_or_else(|panic| resume_unwind(panic)), second)
    })
}

fn threads() -> usize {
    static AVAILABLE: OnceLock<usize> = OnceLock::new();
    *AVAILABLE.get_or_init(|| thread::available_parallelism().map_or(1, |threads| threads.get().min(THREADS)))
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
