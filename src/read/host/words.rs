//! Words of a unit's settings: quotes, escapes, specifiers and variables as systemd has them (systemd.service(5), "Command
//! lines"; systemd.unit(5), "Specifiers").

use crate::source::{Lookup, Text, TextBuilder};

/// A start command.
pub struct Command {
    /// Its words; `None`: a variable in it is not visible.
    pub words: Option<Vec<Text>>,
    /// The line without its prefix.
    pub line: Text,
    /// `+` or `!`: it keeps the rights of root whatever the unit's user is.
    pub privileged: bool,
}

/// Reads the value of an `ExecStart`. Variables are put in as systemd does it: `${NAME}` anywhere, `$NAME` as a word.
pub fn command(value: &Text, variable: &dyn Fn(&str) -> Lookup) -> Command {
    let source = value.as_str();
    let prefix = source.len() - source.trim_start_matches(['-', '@', '+', '!', ':', '|']).len();
    let flags = &source[..prefix];
    let line = value.slice(prefix..source.len()).trim();
    let literal = flags.contains(':');
    let words = split(&line, &mut |word, builder, whole_word| match literal {
        true => {
            builder.push(word, 0..word.as_str().len());
            Some(Vec::new())
        }
        false => expand(word, builder, whole_word, variable),
    });
    let words = words.map(|mut words| {
        // `@` takes the second word for the name that the program is shown.
        if flags.contains('@') && words.len() > 1 {
            words.remove(1);
        }
        if let Some(end) = words.iter().position(|word| word.as_str() == ";") {
            words.truncate(end);
        }
        words
    });
    Command { words, line, privileged: flags.contains(['+', '!']) }
}

/// The words of a list such as `Environment=` or `After=`.
pub fn plain(value: &Text) -> Vec<Text> {
    let words = split(value, &mut |word, builder, _| {
        builder.push(word, 0..word.as_str().len());
        Some(Vec::new())
    });
    words.unwrap_or_default()
}

/// Puts a piece of a word into the builder; words that come behind it, for a variable that holds several.
type Expand<'e> = dyn FnMut(&Text, &mut TextBuilder, bool) -> Option<Vec<Text>> + 'e;

fn split(text: &Text, expand: &mut Expand<'_>) -> Option<Vec<Text>> {
    let source = text.as_str();
    let bytes = source.as_bytes();
    let mut words = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let start = at;
        let mut builder = TextBuilder::default();
        let mut further = Vec::new();
        let mut quote: Option<u8> = None;
        let mut piece = at;
        while at < bytes.len() {
            let byte = bytes[at];
            if quote.is_none() && byte.is_ascii_whitespace() {
                break;
            }
            if byte == b'\\' && at + 1 < bytes.len() {
                further.extend(expand(&text.slice(piece..at), &mut builder, false)?);
                at = escape(text, at, &mut builder);
                piece = at;
                continue;
            }
            let opens = quote.is_none() && matches!(byte, b'"' | b'\'') && opens_quote(bytes, at);
            if opens || quote == Some(byte) {
                further.extend(expand(&text.slice(piece..at), &mut builder, false)?);
                quote = if opens { Some(byte) } else { None };
                piece = at + 1;
            }
            at += 1;
        }
        let whole_word = piece == start && quote.is_none();
        further.extend(expand(&text.slice(piece..at), &mut builder, whole_word)?);
        // A variable that is empty leaves no word when it stands alone.
        let is_variable = whole_word && bytes[start] == b'$' && bytes.get(start + 1).is_some_and(|next| *next != b'{');
        if !builder.is_empty() || !is_variable {
            words.push(builder.finish(text.span(start..at)));
        }
        words.extend(further);
    }
    Some(words)
}

/// systemd takes quotes for such at the start of a word, or behind the `=` of an assignment.
fn opens_quote(bytes: &[u8], at: usize) -> bool {
    at == 0 || bytes[at - 1].is_ascii_whitespace() || bytes[at - 1] == b'='
}

/// Reads the escape at `at`; gives where it ends.
fn escape(text: &Text, at: usize, builder: &mut TextBuilder) -> usize {
    let source = text.as_str();
    let rest = &source[at + 1..];
    let code = rest.strip_prefix('x').and_then(|digits| u8::from_str_radix(digits.get(..2)?, 16).ok());
    if let Some(code) = code.filter(u8::is_ascii) {
        builder.push_fixed(&char::from(code).to_string(), text.span(at..at + 4));
        return at + 4;
    }
    let Some(letter) = rest.chars().next() else { return at + 1 };
    let end = at + 1 + letter.len_utf8();
    match letter {
        'n' => builder.push_fixed("\n", text.span(at..end)),
        't' => builder.push_fixed("\t", text.span(at..end)),
        's' => builder.push_fixed(" ", text.span(at..end)),
        '\\' | '"' | '\'' => builder.push(text, at + 1..end),
        _ => builder.push(text, at..end),
    }
    end
}

fn expand(
    piece: &Text,
    builder: &mut TextBuilder,
    whole_word: bool,
    variable: &dyn Fn(&str) -> Lookup,
) -> Option<Vec<Text>> {
    let source = piece.as_str();
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if whole_word && let Some(name) = source.strip_prefix('$').filter(|name| is_name(name)) {
        return match variable(name) {
            Lookup::Value(value) => {
                let mut words = plain(&value).into_iter();
                if let Some(first) = words.next() {
                    builder.push(&first, 0..first.as_str().len());
                }
                Some(words.collect())
            }
            Lookup::Unset => Some(Vec::new()),
            Lookup::Unknown => None,
        };
    }
    let mut at = 0;
    while let Some(found) = source[at..].find('$') {
        let start = at + found;
        builder.push(piece, at..start);
        let rest = &source[start + 1..];
        if rest.starts_with('$') {
            builder.push(piece, start..start + 1);
            at = start + 2;
            continue;
        }
        let name = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(name, _)| name);
        let Some(name) = name.filter(|name| is_name(name)) else {
            builder.push(piece, start..start + 1);
            at = start + 1;
            continue;
        };
        match variable(name) {
            Lookup::Value(value) => builder.push(&value, 0..value.as_str().len()),
            Lookup::Unset => {}
            Lookup::Unknown => return None,
        }
        at = start + name.len() + 3;
    }
    builder.push(piece, at..source.len());
    Some(Vec::new())
}

/// `%i`, `%n`, `%p`, … of a unit; what is not known stays as it is.
pub fn with_specifiers(value: &Text, unit: &str) -> Text {
    let source = value.as_str();
    if !source.contains('%') {
        return value.clone();
    }
    let stem = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    let mut builder = TextBuilder::default();
    let mut at = 0;
    while let Some(found) = source[at..].find('%') {
        let start = at + found;
        builder.push(value, at..start);
        let Some(letter) = source[start + 1..].chars().next() else {
            at = start;
            break;
        };
        let put = match letter {
            'i' => instance.to_owned(),
            'I' => unescaped(instance),
            'n' => unit.to_owned(),
            'N' => stem.to_owned(),
            'p' => prefix.to_owned(),
            'P' => unescaped(prefix),
            'j' => prefix.rsplit('-').next().unwrap_or(prefix).to_owned(),
            't' => "/run".to_owned(),
            'S' => "/var/lib".to_owned(),
            'C' => "/var/cache".to_owned(),
            'L' => "/var/log".to_owned(),
            'E' => "/etc".to_owned(),
            'T' => "/tmp".to_owned(),
            'V' => "/var/tmp".to_owned(),
            // The manager of the system runs as root.
            'h' => "/root".to_owned(),
            'u' | 'g' => "root".to_owned(),
            'U' | 'G' => "0".to_owned(),
            '%' => "%".to_owned(),
            _ => source[start..start + 1 + letter.len_utf8()].to_owned(),
        };
        let end = start + 1 + letter.len_utf8();
        builder.push_fixed(&put, value.span(start..end));
        at = end;
    }
    builder.push(value, at..source.len());
    builder.finish(value.whole())
}

/// `a-b` stands for `a/b` (systemd-escape(1)).
fn unescaped(name: &str) -> String {
    name.replace('-', "/").replace("\\x2d", "-")
}

#[cfg(test)]
mod tests {
    use super::{command, plain, with_specifiers};
    use crate::source::{Lookup, Sources, Text};

    fn text(source: &str) -> Text {
        let mut sources = Sources::default();
        let file = sources.add("a.service", source);
        sources.text(file)
    }

    fn variable(name: &str) -> Lookup {
        match name {
            "PORT" => Lookup::Value(text("8001")),
            "OPTIONS" => Lookup::Value(text("--one 'two three'")),
            "HIDDEN" => Lookup::Unknown,
            _ => Lookup::Unset,
        }
    }

    fn words(line: &str) -> Option<Vec<String>> {
        let words = command(&text(line), &variable).words?;
        Some(words.iter().map(|word| word.as_str().to_owned()).collect())
    }

    #[test]
    fn words_of_a_command() {
        assert_eq!(
            words("-/bin/app --bind 127.0.0.1:${PORT} $OPTIONS $NOTHING \"a b\" 'c\"d' e\\x20f a$PORT $$PORT ; next")
                .unwrap(),
            ["/bin/app", "--bind", "127.0.0.1:8001", "--one", "two three", "a b", "c\"d", "e f", "a$PORT", "$PORT"]
        );
        assert_eq!(words("@/bin/app shown -x").unwrap(), ["/bin/app", "-x"]);
        assert_eq!(words(":/bin/app ${PORT}").unwrap(), ["/bin/app", "${PORT}"]);
        assert!(words("/bin/app ${HIDDEN}").is_none());
        assert!(command(&text("+/bin/app"), &variable).privileged);
    }

    #[test]
    fn lists_and_specifiers() {
        let values: Vec<String> =
            plain(&text("A=1 \"B=two words\" C='3 4'")).iter().map(|word| word.as_str().to_owned()).collect();
        assert_eq!(values, ["A=1", "B=two words", "C=3 4"]);
        let put = |value: &str| with_specifiers(&text(value), "shop-web@a-b.service").as_str().to_owned();
        assert_eq!(put("%i %I %n %N %p %j 100%% %"), "a-b a/b shop-web@a-b.service shop-web@a-b shop-web web 100% %");
    }

    #[test]
    fn nothing_breaks_it() {
        let source = "-@\"é\\x4\\\" '${PORT} $$ ${ $é %é";
        for end in (0..=source.len()).filter(|end| source.is_char_boundary(*end)) {
            command(&text(&source[..end]), &variable);
            with_specifiers(&text(&source[..end]), "a@b.service");
        }
    }
}
