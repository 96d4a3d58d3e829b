//! Splits a command that is written as one string into words, as compose does without any shell.

use crate::source::{Text, TextBuilder};

/// The words of a command line, as go-shellwords cuts them: quotes and backslashes count, variables do not, and everything
/// from the first `;`, `&`, `|`, `<` or `>` on is lost. `None`: a quote is never closed.
pub fn words(text: &Text) -> Option<Vec<Text>> {
    let source = text.as_str();
    let mut words = Vec::new();
    let mut builder = TextBuilder::default();
    let mut start = None;
    let mut quote: Option<char> = None;
    let mut letters = source.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let end = at + letter.len_utf8();
        if letter == '\\' && quote != Some('\'') {
            start.get_or_insert(at);
            if let Some((_, escaped)) = letters.next() {
                builder.push(text, end..end + escaped.len_utf8());
            }
            continue;
        }
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '\'' | '"') => {
                start.get_or_insert(at);
                quote = Some(letter);
            }
            (None, ' ' | '\t' | '\r' | '\n') => {
                if let Some(start) = start.take() {
                    words.push(std::mem::take(&mut builder).finish(text.span(start..at)));
                }
            }
            (None, ';' | '&' | '|' | '<' | '>') => {
                // A number in front of `>` is a file descriptor.
                if letter == '>' && builder.as_str().starts_with(|first: char| first.is_ascii_digit()) {
                    start = None;
                }
                if let Some(start) = start.take() {
                    words.push(std::mem::take(&mut builder).finish(text.span(start..at)));
                }
                return Some(words);
            }
            _ => {
                start.get_or_insert(at);
                builder.push(text, at..end);
            }
        }
    }
    if quote.is_some() {
        return None;
    }
    if let Some(start) = start {
        words.push(builder.finish(text.span(start..source.len())));
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::words;
    use crate::source::Sources;

    #[test]
    fn quotes_and_backslashes() {
        let mut sources = Sources::default();
        let file = sources.add("value", "sh -c \"echo 'a b' $X\" c\\ d '' 'it''s'\n last");
        let words = words(&sources.text(file)).unwrap();
        let shown: Vec<&str> = words.iter().map(|word| word.as_str()).collect();
        assert_eq!(shown, ["sh", "-c", "echo 'a b' $X", "c d", "", "its", "last"]);
        assert_eq!(sources.quote(words[2].span(5..10)), "'a b'");
    }

    #[test]
    fn operators_end_the_command() {
        let mut sources = Sources::default();
        let cut = sources.add("cut", "serve --all && echo done");
        let shown: Vec<String> = words(&sources.text(cut)).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["serve", "--all"]);
        let open = sources.add("open", "echo 'a");
        assert!(words(&sources.text(open)).is_none());
    }
}
