//! The regular expressions of `sed`, without alternatives and repeated groups, with a bound on the time that they take.

use std::ops::Range;

const LONGEST_PATTERN: usize = 400;

/// A regular expression without alternatives and repeated groups.
pub struct Pattern {
    items: Vec<Item>,
    groups: usize,
    ignore_case: bool,
}

enum Item {
    Letters { set: Set, least: usize, most: usize },
    Open(usize),
    Close(usize),
    Start,
    End,
}

enum Set {
    Any,
    One(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Set {
    fn holds(&self, letter: char, ignore_case: bool) -> bool {
        match self {
            Set::Any => true,
            Set::One(wanted) => *wanted == letter || (ignore_case && wanted.eq_ignore_ascii_case(&letter)),
            Set::Class { negated, ranges } => {
                let within = |letter: char| ranges.iter().any(|(low, high)| (*low..=*high).contains(&letter));
                let other = ignore_case && (within(letter.to_ascii_lowercase()) || within(letter.to_ascii_uppercase()));
                (within(letter) || other) != *negated
            }
        }
    }
}

const SPACE: &[(char, char)] = &[(' ', ' '), ('\t', '\r')];
const WORD: &[(char, char)] = &[('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')];

impl Pattern {
    pub fn parse(source: &str, delimiter: char, extended: bool, ignore_case: bool) -> Option<Pattern> {
        let letters: Vec<char> = source.chars().collect();
        if letters.len() > LONGEST_PATTERN {
            return None;
        }
        let mut pattern = Pattern { items: Vec::new(), groups: 0, ignore_case };
        let mut open = Vec::new();
        let mut at = 0;
        while at < letters.len() {
            let letter = letters[at];
            let escaped = letter == '\\';
            at += 1;
            let letter = if escaped { *letters.get(at)? } else { letter };
            at += usize::from(escaped);
            let special = escaped != extended;
            let set = match letter {
                _ if escaped && letter == delimiter => Set::One(letter),
                '(' if special => {
                    pattern.groups += 1;
                    open.push(pattern.groups);
                    pattern.items.push(Item::Open(pattern.groups));
                    continue;
                }
                ')' if special => {
                    pattern.items.push(Item::Close(open.pop()?));
                    if letters.get(at).is_some_and(|next| matches!(next, '*' | '+' | '?' | '{' | '\\')) {
                        return None;
                    }
                    continue;
                }
                '|' | '{' | '}' if special => return None,
                '+' | '?' if special => return None,
                's' | 'S' if escaped => Set::Class { negated: letter == 'S', ranges: SPACE.to_vec() },
                'w' | 'W' if escaped => Set::Class { negated: letter == 'W', ranges: WORD.to_vec() },
                _ if escaped && letter.is_ascii_alphanumeric() => return None,
                '^' if !escaped && pattern.items.is_empty() => {
                    pattern.items.push(Item::Start);
                    continue;
                }
                '^' if !escaped && extended => return None,
                '$' if !escaped && at == letters.len() => {
                    pattern.items.push(Item::End);
                    continue;
                }
                '$' if !escaped && extended => return None,
                '.' if !escaped => Set::Any,
                '[' if !escaped => {
                    let (set, length) = class(&letters[at..])?;
                    at += length;
                    set
                }
                '*' if !escaped && extended => return None,
                letter => Set::One(letter),
            };
            let (least, most) = match (letters.get(at), letters.get(at + 1)) {
                (Some('*'), _) => (0, usize::MAX),
                (Some('+'), _) if extended => (1, usize::MAX),
                (Some('?'), _) if extended => (0, 1),
                (Some('\\'), Some('+')) if !extended => (1, usize::MAX),
                (Some('\\'), Some('?')) if !extended => (0, 1),
                _ => (1, 1),
            };
            if (least, most) != (1, 1) {
                at += if letters[at] == '\\' { 2 } else { 1 };
            }
            pattern.items.push(Item::Letters { set, least, most });
        }
        open.is_empty().then_some(pattern)
    }

    /// The groups of the first match from `from` on, the whole match first. `None` when it takes too long.
    pub fn find(&self, source: &str, from: usize, steps: &mut usize) -> Option<Option<Vec<Range<usize>>>> {
        let anchored = matches!(self.items.first(), Some(Item::Start));
        let starts = source[from..].char_indices().map(|(at, _)| from + at).chain(std::iter::once(source.len()));
        for start in starts {
            let mut groups = vec![start..start; self.groups + 1];
            if let Some(end) = self.matches(source, 0, start, &mut groups, steps) {
                groups[0] = start..end;
                return Some(Some(groups));
            }
            if *steps == 0 {
                return None;
            }
            if anchored {
                break;
            }
        }
        Some(None)
    }

    fn matches(
        &self,
        source: &str,
        item: usize,
        at: usize,
        groups: &mut [Range<usize>],
        steps: &mut usize,
    ) -> Option<usize> {
        *steps = steps.checked_sub(1)?;
        let (set, least, most) = match self.items.get(item) {
            None => return Some(at),
            Some(Item::Start) if at == 0 => return self.matches(source, item + 1, at, groups, steps),
            Some(Item::End) if at == source.len() => return self.matches(source, item + 1, at, groups, steps),
            Some(Item::Start | Item::End) => return None,
            Some(Item::Open(group)) => {
                groups[*group].start = at;
                return self.matches(source, item + 1, at, groups, steps);
            }
            Some(Item::Close(group)) => {
                groups[*group].end = at;
                return self.matches(source, item + 1, at, groups, steps);
            }
            Some(Item::Letters { set, least, most }) => (set, *least, *most),
        };
        let mut ends = vec![at];
        let mut end = at;
        for letter in source[at..].chars() {
            if ends.len() > most || !set.holds(letter, self.ignore_case) {
                break;
            }
            *steps = steps.checked_sub(1)?;
            end += letter.len_utf8();
            ends.push(end);
        }
        while ends.len() > least {
            let end = ends.pop()?;
            if let Some(found) = self.matches(source, item + 1, end, groups, steps) {
                return Some(found);
            }
            if *steps == 0 {
                return None;
            }
        }
        None
    }
}

/// The inside of `[…]`, and how long it is with its end.
fn class(letters: &[char]) -> Option<(Set, usize)> {
    let negated = letters.first() == Some(&'^');
    let mut at = usize::from(negated);
    let first = at;
    let mut ranges = Vec::new();
    loop {
        let letter = *letters.get(at)?;
        at += 1;
        match letter {
            ']' if at - 1 > first => return Some((Set::Class { negated, ranges }, at)),
            '[' if letters.get(at) == Some(&':') => {
                let end = letters[at..].iter().position(|letter| *letter == ']')?;
                let name: String = letters[at..at + end].iter().collect();
                ranges.extend_from_slice(match name.as_str() {
                    ":space:" | ":blank:" => SPACE,
                    ":digit:" => &WORD[2..3],
                    ":alpha:" => &WORD[..2],
                    ":alnum:" => &WORD[..3],
                    _ => return None,
                });
                at += end + 1;
            }
            low => match (letters.get(at), letters.get(at + 1)) {
                (Some('-'), Some(high)) if *high != ']' => {
                    ranges.push((low, *high));
                    at += 2;
                }
                _ => ranges.push((low, low)),
            },
        }
    }
}
