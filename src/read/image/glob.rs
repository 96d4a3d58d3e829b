//! Patterns of paths as Docker reads them: `*` and `?` stop at a slash, `**` is any number of folders.

/// Whether a whole path is what the pattern says. Both without slashes at their ends.
pub fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    wild(&pattern, &path, |part| *part == "**", |pattern, name| component(pattern, name))
}

/// One part of a path.
pub fn component(pattern: &str, name: &str) -> bool {
    // Most parts stand for themselves, and large contexts have many files.
    if !pattern.contains(['*', '?', '[', '\\']) {
        return pattern == name;
    }
    let pattern = pieces(pattern);
    let name: Vec<char> = name.chars().collect();
    wild(
        &pattern,
        &name,
        |piece| matches!(piece, Piece::Many),
        |piece, letter| match piece {
            Piece::Many | Piece::One => true,
            Piece::Letter(wanted) => wanted == letter,
            Piece::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (low..=high).contains(&letter)) != *negated
            }
        },
    )
}

enum Piece {
    Many,
    One,
    Letter(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let letters: Vec<char> = pattern.chars().collect();
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        let letter = letters[at];
        at += 1;
        pieces.push(match letter {
            '*' => Piece::Many,
            '?' => Piece::One,
            '\\' if at < letters.len() => {
                at += 1;
                Piece::Letter(letters[at - 1])
            }
            '[' => match class(&letters[at..]) {
                Some((piece, length)) => {
                    at += length;
                    piece
                }
                None => Piece::Letter('['),
            },
            other => Piece::Letter(other),
        });
    }
    pieces
}

fn class(letters: &[char]) -> Option<(Piece, usize)> {
    let end = letters.iter().take(256).position(|letter| *letter == ']')?;
    let negated = matches!(letters[0], '^' | '!');
    let inside = &letters[usize::from(negated).min(end)..end];
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < inside.len() {
        let low = inside[at];
        let high = match inside.get(at + 1..at + 3) {
            Some(['-', high]) => {
                at += 2;
                *high
            }
            _ => low,
        };
        ranges.push((low, high));
        at += 1;
    }
    Some((Piece::Class { negated, ranges }, end + 1))
}

/// Matches a list in which some items stand for any run. It goes back to the last of them only, so it takes at most
/// the product of both lengths.
fn wild<P, I>(pattern: &[P], items: &[I], many: impl Fn(&P) -> bool, one: impl Fn(&P, &I) -> bool) -> bool {
    let (mut at, mut item) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while item < items.len() {
        if at < pattern.len() && many(&pattern[at]) {
            back = Some((at, item));
            at += 1;
        } else if at < pattern.len() && one(&pattern[at], &items[item]) {
            at += 1;
            item += 1;
        } else if let Some((star, from)) = back {
            back = Some((star, from + 1));
            at = star + 1;
            item = from + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(many)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, path, expected) in [
            ("a/*.conf", "a/b.conf", true),
            ("a/*.conf", "a/b/c.conf", false),
            ("**/c.conf", "a/b/c.conf", true),
            ("**/c.conf", "c.conf", true),
            ("a/**", "a/b/c", true),
            ("a?[b-d]x", "azcx", true),
            ("a[^b]", "ab", false),
            ("a[^b]", "ac", true),
            ("\\*", "x", false),
            ("[", "[", true),
            ("[x-]", "-", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
        assert!(!matches(&"*a".repeat(2_000), &"a".repeat(2_000).replace("aa", "ab")));
    }
}
