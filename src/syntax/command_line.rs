//! Command lines and shell scripts, as a POSIX shell reads them: commands, their words, redirections and here-documents.
//!
//! Compound commands (`if`, `for`, `case`, functions, …) are tolerated: the commands inside of them are listed in their
//! order and marked as [`Command::conditional`]. What is only known when it runs (`$(…)`, `` `…` ``, `$((…))`) is an
//! opaque part of a word.

use crate::source::{Lookup, Span, Spanned, Text, TextBuilder};
use crate::syntax::Problem;
use crate::syntax::command_line::structure::Structure;

mod structure;
pub mod words;

/// In bytes. Variables that hold each other several times grow without an end.
const LARGEST_EXPANSION: usize = 64 * 1024;

/// The commands of a script in the order in which they are written.
#[derive(Clone, Debug, Default)]
pub struct Script {
    pub commands: Vec<Command>,
    pub problems: Vec<Problem>,
}

/// One simple command: `PORT=80 gunicorn app >/dev/null`.
#[derive(Clone, Debug)]
pub struct Command {
    /// `NAME=value` in front of the command, or alone.
    pub assignments: Vec<(Spanned<String>, Word)>,
    pub words: Vec<Word>,
    pub redirections: Vec<Redirection>,
    pub joined: Joined,
    /// It, or the list that it is a part of, ends in `&`.
    pub background: bool,
    /// It stands inside of `if`, `while`, `for`, `case`, a function, a subshell, or a group that depends on a command.
    pub conditional: bool,
    /// A compound command ended just before it, so that a pipe or a redirection takes the output of all of that.
    pub after_block: bool,
    pub span: Span,
}

/// How a command follows the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    First,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `;`, a line break or `&`
    Then,
    /// `|`
    Pipe,
}

/// `2>&1`, `> file`, `<<END`.
#[derive(Clone, Debug)]
pub struct Redirection {
    /// As it is written, with its number: `2>&`.
    pub operator: String,
    pub target: Word,
    /// The body that belongs to `<<`.
    pub heredoc: Option<Heredoc>,
}

/// The body of a here-document, without the line that ends it.
#[derive(Clone, Debug)]
pub struct Heredoc {
    /// With `<<-`, without the tabs at the starts of its lines.
    pub text: Text,
    /// Its end mark was quoted, so nothing in it is expanded.
    pub quoted: bool,
}

/// One word: adjacent pieces with their quotes taken off.
#[derive(Clone, Debug)]
pub struct Word {
    pub parts: Vec<Part>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum Part {
    /// Globs stay as they are written.
    Literal(Text),
    /// `$NAME`, `${NAME}`, `${NAME:-word}`; also `$1` and `$@`, with `1` and `@` as the name.
    Variable {
        name: String,
        /// `:-`, `#`, … and the word behind it.
        operator: Option<(String, Vec<Part>)>,
        /// It stands in double quotes, so its value is one word.
        quoted: bool,
        span: Span,
    },
    /// Known only when it runs: `$(…)`, `` `…` ``, `$((…))`, `<(…)`, `${!name}`.
    Opaque(Span),
}

/// Reads one line or a whole script.
pub fn shell(text: &Text) -> Script {
    Structure::read(text)
}

/// A command that no shell reads: every word is a literal.
pub fn exec(words: &[Text]) -> Command {
    let span = match words {
        [first, .., last] => first.whole().to(last.whole()),
        [only] => only.whole(),
        [] => Span { file: crate::source::FileId(0), start: 0, end: 0 },
    };
    let words =
        words.iter().map(|word| Word { parts: vec![Part::Literal(word.clone())], span: word.whole() }).collect();
    Command {
        assignments: Vec::new(),
        words,
        redirections: Vec::new(),
        joined: Joined::First,
        background: false,
        conditional: false,
        after_block: false,
        span,
    }
}

impl Word {
    /// The word, when nothing in it has to be expanded.
    pub fn literal(&self) -> Option<Text> {
        match self.parts.as_slice() {
            [Part::Literal(text)] => Some(text.clone()),
            parts if parts.iter().all(|part| matches!(part, Part::Literal(_))) => {
                // A word without any part is empty.
                expand(parts, self.span, &|_| Lookup::Unknown)
            }
            _ => None,
        }
    }

    /// The word with its variables put in, as one word; `None` when something in it is not known. An expanded variable
    /// stands where it is used.
    pub fn expand(&self, lookup: &dyn Fn(&str) -> Lookup) -> Option<Text> {
        expand(&self.parts, self.span, lookup)
    }

    /// The words that the shell makes of this one: the value of a variable outside of quotes is split at its blanks,
    /// and an empty one is no word at all.
    pub fn fields(&self, lookup: &dyn Fn(&str) -> Lookup) -> Option<Vec<Text>> {
        if let [Part::Literal(text)] = self.parts.as_slice() {
            return Some(vec![text.clone()]);
        }
        let mut fields = Vec::new();
        let mut field: Option<TextBuilder> = None;
        for part in &self.parts {
            let value = expand(std::slice::from_ref(part), self.span, lookup)?;
            if !matches!(part, Part::Variable { quoted: false, .. }) {
                field.get_or_insert_default().push(&value, 0..value.as_str().len());
                continue;
            }
            let mut at = 0;
            for piece in value.as_str().split_inclusive([' ', '\t', '\n']) {
                let trimmed = piece.trim_end_matches([' ', '\t', '\n']);
                if !trimmed.is_empty() {
                    field.get_or_insert_default().push(&value, at..at + trimmed.len());
                }
                if trimmed.len() < piece.len() {
                    fields.extend(field.take().map(|field| field.finish(self.span)));
                }
                at += piece.len();
            }
        }
        fields.extend(field.map(|field| field.finish(self.span)));
        Some(fields)
    }

    /// Name and value of a word such as `PORT=80`, as `export` and `env` take it.
    pub fn assignment(&self) -> Option<(Spanned<String>, Word)> {
        let Part::Literal(first) = self.parts.first()? else { return None };
        let (name, value) = first.split_once('=')?;
        if !is_name(name.as_str()) {
            return None;
        }
        let mut parts = self.parts.clone();
        let value_start = value.whole().start;
        if value.as_str().is_empty() && parts.len() > 1 {
            parts.remove(0);
        } else {
            parts[0] = Part::Literal(value);
        }
        let start = value_start.clamp(self.span.start, self.span.end);
        Some((name.spanned(), Word { parts, span: Span { start, ..self.span } }))
    }
}

impl Heredoc {
    /// The text that the command gets; `None` when something in it is not known.
    pub fn expand(&self, lookup: &dyn Fn(&str) -> Lookup) -> Option<Text> {
        if self.quoted {
            return Some(self.text.clone());
        }
        expand(&words::document(&self.text), self.text.whole(), lookup)
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn expand(parts: &[Part], place: Span, lookup: &dyn Fn(&str) -> Lookup) -> Option<Text> {
    if let [Part::Literal(text)] = parts {
        return Some(text.clone());
    }
    let mut builder = TextBuilder::default();
    let mut expanded = 0;
    for part in parts {
        match part {
            Part::Literal(text) => builder.push(text, 0..text.as_str().len()),
            Part::Variable { name, operator, span, .. } => {
                let value = variable(name, operator.as_ref(), *span, lookup)?;
                expanded += value.as_str().len();
                if expanded > LARGEST_EXPANSION {
                    return None;
                }
                builder.push_fixed(value.as_str(), *span);
            }
            Part::Opaque(_) => return None,
        }
    }
    Some(builder.finish(place))
}

/// The value of a variable after its operator, as POSIX (2.6.2) says it.
fn variable(
    name: &str,
    operator: Option<&(String, Vec<Part>)>,
    place: Span,
    lookup: &dyn Fn(&str) -> Lookup,
) -> Option<Text> {
    let value = match lookup(name) {
        Lookup::Value(value) => Some(value),
        Lookup::Unset => None,
        Lookup::Unknown => return None,
    };
    let empty = || Some(Text::fixed("", place));
    let Some((operator, word)) = operator else { return value.or_else(empty) };
    let usable = match operator.strip_prefix(':') {
        Some(_) => value.filter(|value| !value.as_str().is_empty()),
        None => value,
    };
    match (operator.trim_start_matches(':'), usable) {
        ("-" | "=" | "?", Some(value)) => Some(value),
        ("-" | "=", None) | ("+", Some(_)) => expand(word, place, lookup),
        ("+", None) => empty(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Joined, Part, Script, Word, exec, shell};
    use crate::source::{Lookup, Sources, Text};

    fn text(source: &str) -> (Sources, Text) {
        let mut sources = Sources::default();
        let file = sources.add("run.sh", source);
        let text = sources.text(file);
        (sources, text)
    }

    fn read(source: &str) -> Script {
        shell(&text(source).1)
    }

    fn show(command: &Command) -> String {
        command.words.iter().map(show_word).collect::<Vec<_>>().join(" ")
    }

    fn show_word(word: &Word) -> String {
        let parts = word.parts.iter().map(|part| match part {
            Part::Literal(text) => text.to_string(),
            Part::Variable { name, operator: None, .. } => format!("<{name}>"),
            Part::Variable { name, operator: Some((operator, parts)), .. } => {
                format!("<{name}{operator}{}>", parts.len())
            }
            Part::Opaque(_) => "<?>".to_owned(),
        });
        format!("[{}]", parts.collect::<String>())
    }

    fn shown(source: &str) -> Vec<String> {
        read(source).commands.iter().map(show).collect()
    }

    fn known(name: &str) -> Lookup {
        let place = text("x").1.whole();
        match name {
            "PORT" => Lookup::Value(Text::fixed("8080", place)),
            "FLAGS" => Lookup::Value(Text::fixed("-a  -b", place)),
            "EMPTY" => Lookup::Value(Text::fixed("", place)),
            "GONE" => Lookup::Unset,
            _ => Lookup::Unknown,
        }
    }

    #[test]
    fn quotes_are_taken_off_and_spans_stay() {
        let (sources, text) = text(r#"serve "a b"'c'\ d --bind="0.0.0.0:$PORT" it's' ''"#);
        let script = shell(&text);
        let command = &script.commands[0];
        assert_eq!(show(command), "[serve] [a bc d] [--bind=0.0.0.0:<PORT>] [its] []");
        assert_eq!(sources.quote(command.words[1].span), r#""a b"'c'\ d"#);
        let bind = command.words[2].expand(&known).expect("PORT is known");
        assert_eq!(bind.as_str(), "--bind=0.0.0.0:8080");
        assert_eq!(sources.quote(bind.span(15..19)), "$PORT");
        assert_eq!(shown("a '' \"\""), ["[a] [] []"]);
    }

    #[test]
    fn commands_know_how_they_are_joined() {
        let script = read("a && b || c | d &\ne;\n\nf &&\n g\nh # i; j\n");
        let joined: Vec<_> = script.commands.iter().map(|command| (show(command), command.joined)).collect();
        let expected = [
            ("[a]", Joined::First),
            ("[b]", Joined::And),
            ("[c]", Joined::Or),
            ("[d]", Joined::Pipe),
            ("[e]", Joined::Then),
            ("[f]", Joined::Then),
            ("[g]", Joined::And),
            ("[h]", Joined::Then),
        ];
        assert_eq!(joined, expected.map(|(words, joined)| (words.to_owned(), joined)));
        let background: Vec<_> = script.commands.iter().map(|command| command.background).collect();
        assert_eq!(background, [true, true, true, true, false, false, false, false]);
        assert!(script.problems.is_empty());
    }

    #[test]
    fn compound_commands_are_looked_into() {
        let source = "before\nif [ -f x ]; then\n  inner 1\nelse inner 2; fi\nfor name in a b; do loop $name; done\n\
                      case \"$1\" in\n start|run) branch ;;\n (*) other\nesac\nhelper() {\n  body\n}\nfunction second { body2; }\n\
                      x && { group; }\n{ plain; }\n(sub)\nuntil probe; do sleep 1; done\nexec \"$@\"\n";
        let script = read(source);
        let list: Vec<_> = script
            .commands
            .iter()
            .map(|command| format!("{}{}", if command.conditional { "? " } else { "" }, show(command)))
            .collect();
        let expected = [
            "[before]",
            "? [[] [-f] [x] []]",
            "? [inner] [1]",
            "? [inner] [2]",
            "? [loop] [<name>]",
            "? [branch]",
            "? [other]",
            "? [body]",
            "? [body2]",
            "[x]",
            "? [group]",
            "[plain]",
            "? [sub]",
            "? [probe]",
            "? [sleep] [1]",
            "[exec] [<@>]",
        ];
        assert_eq!(list, expected);
        assert!(script.problems.is_empty(), "{:?}", script.problems);
        assert_eq!(read("if a; then b").problems.len(), 1);
    }

    #[test]
    fn assignments_and_redirections_stand_apart() {
        let script = read("PORT=80 HOST=$NAME serve >out 2>&1 <in; ALONE=; LIST=(a 'b)' c) next x=y &>log");
        let first = &script.commands[0];
        assert_eq!(first.assignments[0].0.value, "PORT");
        assert_eq!(show_word(&first.assignments[0].1), "[80]");
        assert_eq!(show_word(&first.assignments[1].1), "[<NAME>]");
        let redirections: Vec<_> = first
            .redirections
            .iter()
            .map(|redirection| format!("{}{}", redirection.operator, show_word(&redirection.target)))
            .collect();
        assert_eq!(redirections, [">[out]", "2>&[1]", "<[in]"]);
        assert_eq!(show_word(&script.commands[1].assignments[0].1), "[]");
        assert_eq!(show_word(&script.commands[2].assignments[0].1), "[<?>]");
        assert_eq!(show(&script.commands[2]), "[next] [x=y]");
        assert_eq!(script.commands[2].redirections[0].operator, "&>");
        let (name, value) = script.commands[2].words[1].assignment().expect("it has a name");
        assert_eq!((name.value.as_str(), show_word(&value).as_str()), ("x", "[y]"));
    }

    #[test]
    fn here_documents_belong_to_their_redirection() {
        let (sources, text) = text("cat <<END >a && cat <<-'LAST' >b\nport ${PORT}\nEND\n\tit's $HOME\n\tLAST\nnext\n");
        let script = shell(&text);
        let body = |index: usize| {
            let command: &Command = &script.commands[index];
            command.redirections[0].heredoc.clone().expect("it has a body")
        };
        assert_eq!(body(0).text.as_str(), "port ${PORT}\n");
        assert_eq!(body(0).expand(&known).expect("PORT is known").as_str(), "port 8080\n");
        assert_eq!(body(1).text.as_str(), "it's $HOME\n");
        assert!(body(1).quoted);
        assert_eq!(sources.quote(body(1).text.span(0..4)), "it's");
        assert_eq!(show(&script.commands[2]), "[next]");
        assert_eq!(read("cat <<X\nnever").problems.len(), 1);
    }

    #[test]
    fn variables_follow_their_operators() {
        let value = |source: &str| {
            let script = read(source);
            script.commands[0].words[0].expand(&known).map(|text| text.to_string())
        };
        assert_eq!(value("${PORT:-1}").as_deref(), Some("8080"));
        assert_eq!(value("${GONE:-1$PORT}").as_deref(), Some("18080"));
        assert_eq!(value("${EMPTY-1}x").as_deref(), Some("x"));
        assert_eq!(value("${EMPTY:-1}x").as_deref(), Some("1x"));
        assert_eq!(value("${GONE:-a b}").as_deref(), Some("a b"));
        assert_eq!(value("\"${GONE:-'a'}\"").as_deref(), Some("'a'"));
        assert_eq!(value("x${GONE:+1}").as_deref(), Some("x"));
        assert_eq!(value("x${PORT:+1}").as_deref(), Some("x1"));
        assert_eq!(value("${GONE:?no}"), None);
        assert_eq!(value("${WHO:-1}"), None);
        assert_eq!(value("${PORT%0}"), None);
        assert_eq!(value("a$(b \"$(c ')')\")d"), None);
        assert_eq!(
            shown("a $(b \"$(c ')')\" `d`) `e \\` f` $((1 + (2))) ${#x} g"),
            ["[a] [<?>] [<?>] [<?>] [<?>] [g]"]
        );
    }

    #[test]
    fn an_unquoted_value_is_split() {
        let fields = |source: &str| {
            let script = read(source);
            let fields = script.commands[0].words[0].fields(&known)?;
            Some(fields.iter().map(Text::to_string).collect::<Vec<_>>())
        };
        assert_eq!(fields("x${FLAGS}y").expect("it is known"), ["x-a", "-by"]);
        assert_eq!(fields("\"$FLAGS\"").expect("it is known"), ["-a  -b"]);
        assert!(fields("$EMPTY").expect("it is known").is_empty());
        assert_eq!(fields("$WHO"), None);
    }

    #[test]
    fn an_exec_form_is_literal() {
        let (_, text) = text("$PORT");
        let command = exec(&[text]);
        assert_eq!(command.words[0].literal().expect("no shell looks at it").as_str(), "$PORT");
    }

    #[test]
    fn nothing_breaks_it() {
        let source = "a \"b $(c 'd' \"e\") ${f:-${g:-\"h\"}}\" <<-'I' 2>j | k \\\n l && $((1)) `m` é$'n\\'' <(o)\n\tp\n\tI\ncase q in r) s;; esac; t() { u; }";
        for end in (0..=source.len()).filter(|end| source.is_char_boundary(*end)) {
            read(&source[..end]);
        }
        for deep in ["${a:-", "$(", "\"$(", "(", "`", "if ", "case a in b) ", "\"${a:-", "{ ", "<<a ", "'", "${", "x=("]
        {
            read(&deep.repeat(5_000));
            read(&format!("{deep}\n").repeat(2_000));
        }
    }
}
