//! Of several items with one name the last one counts, in the place of the first one: variables, ports, mounts.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// From this size on names are looked up in a table.
const LARGE: usize = 16;

/// The items that have the key of an earlier one: the number of the first with that key, and their own.
pub fn repeated<'i, T, K: Eq + Hash>(items: &'i [T], key: impl Fn(&'i T) -> K) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    if items.len() < LARGE {
        for (number, item) in items.iter().enumerate().skip(1) {
            let key_of_item = key(item);
            let first = items[..number].iter().position(|other| key(other) == key_of_item);
            found.extend(first.map(|first| (first, number)));
        }
        return found;
    }
    let mut numbers: FxHashMap<K, usize> = FxHashMap::default();
    for (number, item) in items.iter().enumerate() {
        let first = *numbers.entry(key(item)).or_insert(number);
        if first < number {
            found.push((first, number));
        }
    }
    found
}

/// Puts each repeated item in the place of the first one of its key.
pub fn keep_last<T>(mut items: Vec<T>, repeated: &[(usize, usize)]) -> Vec<T> {
    for (first, later) in repeated {
        items.swap(*first, *later);
    }
    let mut dropped = repeated.iter().map(|(_, later)| *later).peekable();
    let mut number = 0;
    items.retain(|_| {
        number += 1;
        dropped.next_if_eq(&(number - 1)).is_none()
    });
    items
}

#[cfg(test)]
mod tests {
    use super::{keep_last, repeated};

    #[test]
    fn the_last_one_of_a_name_stands_in_the_place_of_the_first() {
        for fill in [0, 40] {
            let mut items: Vec<(String, u32)> = [("a", 1), ("b", 2), ("a", 3), ("c", 4), ("b", 5), ("a", 6)]
                .map(|(name, at)| (name.to_owned(), at))
                .into();
            items.extend((0..fill).map(|number| (format!("other{number}"), number)));
            let again = repeated(&items, |(name, _)| name.as_str());
            assert_eq!(again, [(0, 2), (1, 4), (0, 5)]);
            let kept = keep_last(items, &again);
            let shown: String = kept.iter().take(3).map(|(name, at)| format!("{name}{at} ")).collect();
            assert_eq!((shown.as_str(), kept.len()), ("a6 b5 c4 ", 3 + fill as usize));
        }
    }
}
