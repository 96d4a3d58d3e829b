//! File name patterns as `include` lines use them: `*`, `?`, `[a-z]`, in any part of a path.

use crate::read::surroundings::Listing;

/// The paths that a pattern takes.
#[derive(Clone, Debug, Default)]
pub struct Matches {
    /// Sorted.
    pub paths: Vec<String>,
    /// There can be no others.
    pub complete: bool,
}

pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// Every path that an absolute pattern takes. A file whose name begins with a dot is taken by an explicit dot only.
pub fn expand(pattern: &str, list: &dyn Fn(&str) -> Listing) -> Matches {
    let mut found = Matches { paths: vec![String::new()], complete: true };
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        if !is_pattern(part) {
            for path in &mut found.paths {
                path.push('/');
                path.push_str(part);
            }
            continue;
        }
        let mut next = Vec::new();
        for folder in &found.paths {
            let listing = list(if folder.is_empty() { "/" } else { folder });
            found.complete &= listing.complete;
            let taken = listing.names.iter().filter(|name| matches(part, name));
            next.extend(taken.map(|name| format!("{folder}/{name}")));
        }
        found.paths = next;
    }
    found.paths.sort();
    found
}

/// Whether a pattern without slashes takes a name.
pub fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to go on when the rest does not fit: behind the last star, one character later.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some('?') => Some(p + 1),
            Some('[') => class(&pattern[p..], name[n]).map(|length| p + length),
            Some(other) if *other == name[n] => Some(p + 1),
            _ => None,
        };
        match (step, retry) {
            (Some(next), _) => {
                p = next;
                n += 1;
            }
            (None, Some((behind, from))) => {
                p = behind;
                n = from + 1;
                retry = Some((behind, n));
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|left| *left == '*')
}

/// The length of a `[…]` that takes the character.
fn class(pattern: &[char], character: char) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|it| *it == ']')? + 2;
    let inside = &pattern[1..end];
    let (negated, inside) = match inside.first() {
        Some('!' | '^') => (true, &inside[1..]),
        _ => (false, inside),
    };
    let mut taken = false;
    let mut at = 0;
    while at < inside.len() {
        if at + 2 < inside.len() && inside[at + 1] == '-' {
            taken |= inside[at] <= character && character <= inside[at + 2];
            at += 3;
        } else {
            taken |= inside[at] == character;
            at += 1;
        }
    }
    (taken != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::{expand, matches};
    use crate::read::surroundings::Listing;

    #[test]
    fn names() {
        assert!(matches("*.conf", "a.conf"));
        assert!(!matches("*.conf", "a.conf.off"));
        assert!(!matches("*", ".hidden"));
        assert!(matches("nginx[.]conf", "nginx.conf"));
        assert!(matches("site-?[0-9]*", "site-a1bc"));
        assert!(!matches("[!a]*", "abc"));
        assert!(matches("*a*b", "xaxbxab"));
    }

    #[test]
    fn folders_in_the_middle() {
        let list = |folder: &str| Listing {
            names: match folder {
                "/etc" => vec!["one".to_owned(), "two".to_owned()],
                "/etc/one" => vec!["b.conf".to_owned(), "a.conf".to_owned()],
                _ => Vec::new(),
            },
            complete: folder != "/etc/two",
        };
        let found = expand("/etc/*/*.conf", &list);
        assert_eq!(found.paths, ["/etc/one/a.conf", "/etc/one/b.conf"]);
        assert!(!found.complete);
    }
}
