//! What `envsubst` makes of a template. It knows `$NAME` and `${NAME}` and nothing else (GNU gettext manual, "Invoking
//! the envsubst program"): `${NAME:-default}` stays as it is.

use std::ops::Range;

use crate::source::{Lookup, Span, Text, TextBuilder};

/// Which variables are replaced.
#[derive(Clone, Debug)]
pub enum Which {
    /// Those that are set: the official nginx image names just them.
    Set,
    /// Those named in its argument; empty when they are not set.
    Listed(Vec<String>),
    /// Every one; empty when it is not set.
    All,
}

/// A text after substitution.
#[derive(Clone, Debug)]
pub struct Substituted {
    pub text: Text,
    pub leftovers: Vec<Leftover>,
}

/// An expression that was not replaced by a value.
#[derive(Clone, Debug)]
pub struct Leftover {
    pub name: String,
    /// As it is written: `${PORT:-80}`.
    pub expression: String,
    pub place: Span,
    pub why: LeftoverWhy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftoverWhy {
    /// It has an operator, which `envsubst` does not know, so it stays.
    Operator,
    /// The variable is not set, so it stays.
    Unset,
    /// The variable is not set, so nothing stands in its place.
    Emptied,
    /// Whether it is set is not visible.
    Unknown,
    /// The result goes to the template itself, which the shell empties before anything is read.
    OwnTemplate,
}

/// Puts variables into a template.
pub fn substitute(template: &Text, which: &Which, lookup: &dyn Fn(&str) -> Lookup) -> Substituted {
    let mut builder = TextBuilder::default();
    let mut leftovers = Vec::new();
    let mut done = 0;
    let whole = template.as_str();
    for (range, name, operator) in expressions(whole) {
        let place = template.span(range.clone());
        let mut leave = |why| {
            let expression = whole[range.clone()].to_owned();
            leftovers.push(Leftover { name: name.to_owned(), expression, place, why });
        };
        if let Which::Listed(names) = which
            && !names.iter().any(|listed| listed == name)
        {
            continue;
        }
        if operator {
            leave(LeftoverWhy::Operator);
            continue;
        }
        match (lookup(name), which) {
            (Lookup::Value(value), _) => {
                builder.push(template, done..range.start);
                builder.push_fixed(value.as_str(), place);
                done = range.end;
            }
            (Lookup::Unset, Which::Set) => leave(LeftoverWhy::Unset),
            (Lookup::Unset, _) => {
                leave(LeftoverWhy::Emptied);
                builder.push(template, done..range.start);
                done = range.end;
            }
            (Lookup::Unknown, _) => leave(LeftoverWhy::Unknown),
        }
    }
    builder.push(template, done..whole.len());
    Substituted { text: builder.finish(template.whole()), leftovers }
}

/// The names in the argument of `envsubst`: `'$HOST ${PORT}'`.
pub fn names(argument: &str) -> Vec<String> {
    expressions(argument).map(|(_, name, _)| name.to_owned()).collect()
}

/// Every `$NAME`, `${NAME}` and `${NAME<operator>…}`: its range, the name, and whether it has an operator.
fn expressions(text: &str) -> impl Iterator<Item = (Range<usize>, &str, bool)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + memchr::memchr(b'$', bytes.get(at..)?)?;
            let braced = bytes.get(start + 1) == Some(&b'{');
            let from = start + 1 + usize::from(braced);
            let length = bytes[from..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
            let to = from + length;
            at = start + 1;
            if length == 0 || bytes[from].is_ascii_digit() {
                continue;
            }
            if !braced {
                at = to;
                return Some((start..to, &text[from..to], false));
            }
            match bytes.get(to) {
                Some(b'}') => {
                    at = to + 1;
                    return Some((start..at, &text[from..to], false));
                }
                Some(b':' | b'-' | b'?' | b'+' | b'=') => {
                    // Within one line: a brace further down belongs to something else.
                    let line = bytes[to..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| to + end);
                    let Some(end) = bytes[to..line].iter().position(|byte| *byte == b'}') else { continue };
                    at = to + end + 1;
                    return Some((start..at, &text[from..to], true));
                }
                _ => continue,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Which, names, substitute};
    use crate::source::{Lookup, Sources, Text};

    fn run(template: &str, which: &Which) -> (String, Vec<String>) {
        let mut sources = Sources::default();
        let file = sources.add("t", template);
        let text = sources.text(file);
        let place = text.whole();
        let lookup = |name: &str| match name {
            "HOST" => Lookup::Value(Text::fixed("api", place)),
            "SECRET" => Lookup::Unknown,
            _ => Lookup::Unset,
        };
        let done = substitute(&text, which, &lookup);
        let left = done.leftovers.iter().map(|left| format!("{} {:?}", left.expression, left.why)).collect();
        (done.text.to_string(), left)
    }

    #[test]
    fn only_what_is_set_is_replaced() {
        let (text, left) = run("pass http://${HOST}:${PORT:-80}$uri; $SECRET $HOST", &Which::Set);
        assert_eq!(text, "pass http://api:${PORT:-80}$uri; $SECRET api");
        assert_eq!(left, ["${PORT:-80} Operator", "$uri Unset", "$SECRET Unknown"]);
    }

    #[test]
    fn without_a_list_everything_is_replaced() {
        assert_eq!(run("$host $HOST", &Which::All).0, " api");
        assert_eq!(run("$host $HOST", &Which::Listed(names("$HOST"))).0, "$host api");
        assert_eq!(names("'$A ${B}'"), ["A", "B"]);
    }
}
