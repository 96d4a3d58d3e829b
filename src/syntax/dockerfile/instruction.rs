//! One instruction of a Dockerfile: its flags and arguments, each in the form that the instruction asks for.

use crate::source::{Span, Spanned, Text, TextBuilder};
use crate::syntax::Problem;
use crate::syntax::command_line::words::{plain, plain_line};
use crate::syntax::command_line::{Heredoc, Part, Word};
use crate::syntax::dockerfile::lines::{Body, Lines, Notation, Rule};
use crate::syntax::dockerfile::{CopySource, Flag, Form, Instruction, Kind};
use pest::Parser;

/// A here-document that a line announces.
struct Announced {
    name: Spanned<String>,
    quoted: bool,
    body: Body,
}

/// Reads the instruction on `line`; its here-documents are taken from `lines`.
pub fn read(line: &Text, lines: &mut Lines, problems: &mut Vec<Problem>) -> Option<Instruction> {
    instruction(line, lines, problems, false)
}

fn instruction(line: &Text, lines: &mut Lines, problems: &mut Vec<Problem>, triggered: bool) -> Option<Instruction> {
    let source = line.as_str();
    let name_end = source.find(char::is_whitespace).unwrap_or(source.len());
    let name = Spanned::new(source[..name_end].to_uppercase(), line.span(0..name_end));
    let mut rest = line.slice(name_end..source.len()).trim();
    let mut report = |span: Span, message: String| problems.push(Problem { span, message, related: None });
    if rest.as_str().is_empty() {
        report(name.span, format!("`{name}` says nothing"));
        return None;
    }
    if name.value == "ONBUILD" {
        if triggered {
            report(name.span, "`ONBUILD` inside of `ONBUILD`".to_owned());
            return None;
        }
        let inner = instruction(&rest, lines, problems, true)?;
        return Some(Instruction { name, flags: Vec::new(), kind: Kind::OnBuild(Box::new(inner)), span: line.whole() });
    }
    let mut flags = Vec::new();
    if matches!(name.value.as_str(), "FROM" | "ADD" | "COPY" | "RUN" | "HEALTHCHECK") {
        flags = take_flags(&mut rest, problems);
    }
    let heredocs = match name.value.as_str() {
        "ADD" | "COPY" | "RUN" => heredocs(&rest, lines, problems),
        _ => Vec::new(),
    };
    let kind = match name.value.as_str() {
        "FROM" => from(&rest, problems),
        "ARG" => Some(Kind::Argument(arguments(&rest, problems))),
        "ENV" => pairs(&rest, problems).map(Kind::Environment),
        "LABEL" => pairs(&rest, problems).map(Kind::Label),
        "RUN" => Some(Kind::Run(run(&rest, &heredocs))),
        "CMD" => Some(Kind::Command(form(&rest))),
        "ENTRYPOINT" => Some(Kind::Entrypoint(form(&rest))),
        "SHELL" => list(&rest).map(Kind::Shell),
        "ADD" | "COPY" => copy(&rest, heredocs, problems),
        "EXPOSE" => Some(Kind::Expose(plain(&rest, problems))),
        "USER" => Some(Kind::User(plain_line(&rest, problems))),
        "WORKDIR" => Some(Kind::Directory(plain_line(&rest, problems))),
        "VOLUME" => Some(Kind::Volume(items(&rest, problems))),
        "HEALTHCHECK" => healthcheck(&rest),
        "STOPSIGNAL" | "MAINTAINER" => Some(Kind::Other(rest.clone())),
        _ => {
            let message = format!("unknown instruction `{}`", &source[..name_end]);
            problems.push(Problem { span: name.span, message, related: None });
            return None;
        }
    };
    let Some(kind) = kind else {
        let message = format!("`{name}` does not understand this");
        problems.push(Problem { span: rest.whole(), message, related: None });
        return None;
    };
    Some(Instruction { name, flags, kind, span: line.whole() })
}

/// Takes the words that begin with `--` off the front.
fn take_flags(rest: &mut Text, problems: &mut Vec<Problem>) -> Vec<Flag> {
    let mut flags = Vec::new();
    let source = rest.as_str().to_owned();
    let mut at = 0;
    while source[at..].starts_with("--") {
        let end = source[at..].find(char::is_whitespace).map_or(source.len(), |length| at + length);
        let flag = rest.slice(at + 2..end);
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, plain(&value, problems).into_iter().next()),
            None => (flag, None),
        };
        at = source.len() - source[end..].trim_start().len();
        if !name.as_str().is_empty() {
            flags.push(Flag { name: name.spanned(), value });
        }
    }
    *rest = rest.slice(at..source.len());
    flags
}

/// Here-documents count only as words of their own: `<<END`, not `<< END`.
fn heredocs(rest: &Text, lines: &mut Lines, problems: &mut Vec<Problem>) -> Vec<Announced> {
    let source = rest.as_str();
    let mut list = Vec::new();
    let mut at = 0;
    if !source.contains("<<") || self::list(rest).is_some() {
        return list;
    }
    for word in source.split([' ', '\t']) {
        let start = at;
        at += word.len() + 1;
        let Some(pair) = Notation::parse(Rule::heredoc, word).ok().and_then(|mut pairs| pairs.next()) else { continue };
        let (mut tabs, mut mark) = (false, "");
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::heredoc_tabs => tabs = true,
                Rule::heredoc_mark => mark = inner.as_str(),
                _ => {}
            }
        }
        let span = rest.span(start..start + word.len());
        let quoted = mark.contains(['\'', '"', '\\']);
        let name = Spanned::new(mark.replace(['\'', '"', '\\'], ""), span);
        if name.value.is_empty() {
            continue;
        }
        let body = lines.body(&name.value, tabs, span, problems);
        list.push(Announced { name, quoted, body });
    }
    list
}

fn from(rest: &Text, problems: &mut Vec<Problem>) -> Option<Kind> {
    let mut words = plain(rest, problems).into_iter();
    let image = words.next()?;
    let name = match (words.next(), words.next(), words.next()) {
        (None, ..) => None,
        (Some(word), Some(name), None) if literal(&word).eq_ignore_ascii_case("as") => {
            Some(Spanned::new(literal(&name), name.span))
        }
        _ => return None,
    };
    Some(Kind::From { image, name })
}

fn literal(word: &Word) -> String {
    word.literal().map(|text| text.to_string()).unwrap_or_default()
}

fn arguments(rest: &Text, problems: &mut Vec<Problem>) -> Vec<(Spanned<String>, Option<Word>)> {
    let words = plain(rest, problems).into_iter();
    let arguments = words.filter_map(|word| match word.assignment() {
        Some((name, value)) => Some((name, Some(value))),
        None => word.literal().map(|name| (name.spanned(), None)),
    });
    arguments.collect()
}

/// `NAME=value …`, or the old `NAME value`, in which the value is the rest of the line.
fn pairs(rest: &Text, problems: &mut Vec<Problem>) -> Option<Vec<(Spanned<String>, Word)>> {
    let source = rest.as_str();
    let name_end = source.find(char::is_whitespace).unwrap_or(source.len());
    if !source[..name_end].contains('=') {
        let name = Spanned::new(source[..name_end].to_owned(), rest.span(0..name_end));
        let value = rest.slice(name_end..source.len()).trim();
        return (!value.as_str().is_empty()).then(|| vec![(name, plain_line(&value, problems))]);
    }
    let mut list = Vec::new();
    for word in plain(rest, problems) {
        list.push(pair(word)?);
    }
    Some(list)
}

/// A name may hold anything but `=` here: labels have dots.
fn pair(word: Word) -> Option<(Spanned<String>, Word)> {
    if let Some(pair) = word.assignment() {
        return Some(pair);
    }
    let mut parts = word.parts;
    let Part::Literal(first) = parts.first()? else { return None };
    let (name, value) = first.split_once('=')?;
    parts[0] = Part::Literal(value);
    Some((name.spanned(), Word { parts, span: word.span }))
}

fn run(rest: &Text, heredocs: &[Announced]) -> Form {
    let [first, others @ ..] = heredocs else { return form(rest) };
    let alone = !rest.as_str().contains(char::is_whitespace);
    if alone && others.is_empty() {
        return Form::Shell(first.body.text.clone());
    }
    // The shell reads the line and the bodies itself.
    let mut builder = TextBuilder::default();
    builder.push(rest, 0..rest.as_str().len());
    for heredoc in heredocs {
        builder.push_fixed("\n", heredoc.name.span);
        builder.push(&heredoc.body.with_end, 0..heredoc.body.with_end.as_str().len());
    }
    Form::Shell(builder.finish(rest.whole()))
}

/// A text that looks like a list and is none is a shell form.
fn form(rest: &Text) -> Form {
    list(rest).map_or_else(|| Form::Shell(rest.clone()), Form::Exec)
}

fn healthcheck(rest: &Text) -> Option<Kind> {
    let source = rest.as_str();
    let name_end = source.find(char::is_whitespace).unwrap_or(source.len());
    let command = rest.slice(name_end..source.len()).trim();
    match source[..name_end].to_ascii_uppercase().as_str() {
        "NONE" => Some(Kind::Healthcheck(None)),
        "CMD" if !command.as_str().is_empty() => Some(Kind::Healthcheck(Some(form(&command)))),
        _ => None,
    }
}

/// A JSON list or words.
fn items(rest: &Text, problems: &mut Vec<Problem>) -> Vec<Word> {
    match list(rest) {
        Some(texts) => texts.iter().map(|text| plain_line(text, problems)).collect(),
        None => plain(rest, problems),
    }
}

fn copy(rest: &Text, heredocs: Vec<Announced>, problems: &mut Vec<Problem>) -> Option<Kind> {
    let mut words = items(rest, problems);
    let target = words.pop()?;
    let mut heredocs = heredocs.into_iter().peekable();
    let mut sources = Vec::new();
    for word in words {
        let announced = heredocs.next_if(|announced| announced.name.span == word.span);
        sources.push(match announced {
            Some(Announced { name, quoted, body, .. }) => {
                CopySource::Heredoc { name, heredoc: Heredoc { text: body.text, quoted } }
            }
            None => CopySource::Path(word),
        });
    }
    (!sources.is_empty()).then_some(Kind::Copy { sources, target })
}

/// The strings of a JSON list.
fn list(text: &Text) -> Option<Vec<Text>> {
    if !text.as_str().starts_with('[') {
        return None;
    }
    let pair = Notation::parse(Rule::list, text.as_str()).ok()?.next()?;
    let strings = pair.into_inner().filter(|pair| pair.as_rule() == Rule::string);
    let strings = strings.map(|string| {
        let place = string.as_span();
        let mut builder = TextBuilder::default();
        for piece in string.into_inner() {
            let range = piece.as_span().start()..piece.as_span().end();
            match piece.as_rule() {
                Rule::plain => builder.push(text, range),
                _ => builder.push_fixed(&unescape(piece.as_str()), text.span(range)),
            }
        }
        builder.finish(text.span(place.start() + 1..place.end() - 1))
    });
    Some(strings.collect())
}

fn unescape(escape: &str) -> String {
    let letter = match escape.as_bytes().get(1) {
        Some(b'u') => u32::from_str_radix(&escape[2..], 16).ok().and_then(char::from_u32).unwrap_or('\u{fffd}'),
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(other) => char::from(*other),
        None => '\\',
    };
    letter.to_string()
}
