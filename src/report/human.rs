//! The report for a person at a terminal: each finding with the lines it is about, then what was looked at.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{self, Write};

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity, SourceCode, ThemeCharacters, ThemeStyles,
};

use super::excerpt::{Excerpt, Label, Look};
use super::{Checked, Place, in_order, printable, summary};
use crate::finding::{Finding, Level};
use crate::side_by_side::side_by_side;

/// From this many findings of one kind on, the first is shown in full and the others by their places.
const MANY: usize = 4;

/// So many findings are rendered before a second thread would have started.
const FEW: usize = 16;

/// How the terminal is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// In characters.
    pub width: usize,
    pub colour: bool,
    pub unicode: bool,
    /// Routes whose end is not known are listed: they count as failures.
    pub strict: bool,
}

/// Errors come last, next to the summary and the prompt, where a long report is read first; within a level the order is
/// that of the files.
pub fn write(out: &mut dyn Write, checked: &[Checked], style: Style) -> io::Result<()> {
    write_findings(out, in_order(checked), style)?;
    summary::write(out, checked, style)
}

/// Without a summary.
pub fn write_findings(out: &mut dyn Write, places: Vec<Place>, style: Style) -> io::Result<()> {
    let mut places = places;
    places.sort_by_key(|place| place.finding.level);
    let characters = if style.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() };
    let styles = if style.colour { ThemeStyles::ansi() } else { ThemeStyles::none() };
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme { characters, styles })
        .with_width(style.width)
        .with_context_lines(1)
        .with_break_words(false)
        .with_urls(false);
    let groups = groups(&places);
    let texts = side_by_side(&groups, FEW, |group| rendered(&handler, group[0], style));
    for (group, text) in groups.iter().zip(texts) {
        out.write_all(text.as_bytes())?;
        write_others(out, group[0], &group[1..])?;
        writeln!(out)?;
    }
    Ok(())
}

/// Findings of one kind together, in the order of their first ones. A few of a kind stay apart: each is worth its lines.
fn groups<'c>(places: &[Place<'c>]) -> Vec<Vec<Place<'c>>> {
    let mut same: HashMap<Kind, usize> = HashMap::new();
    for place in places {
        for kind in kinds(*place) {
            *same.entry(kind).or_insert(0) += 1;
        }
    }
    let mut groups: Vec<Vec<Place>> = Vec::new();
    let mut group_of: HashMap<Kind, usize> = HashMap::new();
    for place in places {
        let Some(kind) = kinds(*place).into_iter().find(|kind| same[kind] >= MANY) else {
            groups.push(vec![*place]);
            continue;
        };
        match group_of.get(&kind) {
            Some(group) => groups[*group].push(*place),
            None => {
                group_of.insert(kind, groups.len());
                groups.push(vec![*place]);
            }
        }
    }
    groups
}

/// Findings are of one kind when they say the same, or when they rest on the same place.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind<'c> {
    Message(&'static str, Level, &'c str),
    Note(*const Checked, &'static str, Level, crate::source::Span),
}

fn kinds(place: Place<'_>) -> Vec<Kind<'_>> {
    let finding = place.finding;
    let mut kinds = vec![Kind::Message(finding.rule, finding.level, &finding.message)];
    let note = finding.notes.first();
    kinds.extend(note.map(|note| Kind::Note(place.checked, finding.rule, finding.level, note.span)));
    kinds
}

fn rendered(handler: &GraphicalReportHandler, place: Place, style: Style) -> String {
    let report = Report::of(place, style);
    let mut text = String::new();
    if handler.render_report(&mut text, &report).is_err() {
        let (path, line, column) = place.checked.start(place.finding.span);
        text = format!("{path}:{line}:{column}: {report}\n");
    }
    text
}

/// The places of further findings of the same kind, one line a file; with their messages where these differ.
fn write_others(out: &mut dyn Write, first: Place, others: &[Place]) -> io::Result<()> {
    if others.is_empty() {
        return Ok(());
    }
    writeln!(out, "  and in {}:", super::number(others.len(), "other place", "other places"))?;
    if others.iter().any(|other| other.finding.message != first.finding.message) {
        for other in others {
            let (path, line, column) = other.checked.start(other.finding.span);
            writeln!(out, "    {}:{line}:{column}  {}", printable(&path), printable(&other.finding.message))?;
        }
        return Ok(());
    }
    let mut by_file: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for other in others {
        let (path, line, column) = other.checked.start(other.finding.span);
        by_file.entry(path).or_default().push(format!("{line}:{column}"));
    }
    for (path, positions) in by_file {
        writeln!(out, "    {}:{}", printable(&path), positions.join(", "))?;
    }
    Ok(())
}

/// A finding as miette takes it.
#[derive(Debug)]
struct Report<'c> {
    finding: &'c Finding,
    excerpt: Excerpt,
    labels: Vec<LabeledSpan>,
}

impl<'c> Report<'c> {
    fn of(place: Place<'c>, style: Style) -> Report<'c> {
        let finding = place.finding;
        let notes = finding.notes.iter().map(|note| (note.span, &*note.message));
        let mut labels =
            vec![Label { span: finding.span, texts: finding.label.iter().map(ToString::to_string).collect() }];
        for (span, text) in notes {
            match labels.iter_mut().find(|label| label.span == span) {
                Some(label) if label.texts.iter().any(|other| other == text) => {}
                Some(label) => label.texts.push(text.to_owned()),
                None => labels.push(Label { span, texts: vec![text.to_owned()] }),
            }
        }
        let look = Look { longest: style.width.saturating_sub(12).max(40), unicode: style.unicode };
        let excerpt = Excerpt::of(place.checked, &labels, look);
        let spans = labels.iter().zip(&excerpt.places).enumerate().map(|(index, (label, shown))| {
            let room = style.width.saturating_sub(shown.column + shown.length / 2 + 12).max(30);
            let lines: Vec<_> = label.texts.iter().map(|text| wrapped(&printable(text), room)).collect();
            let text = (!lines.is_empty()).then(|| lines.join("\n"));
            let span = (shown.offset, shown.length);
            if index == 0 {
                LabeledSpan::new_primary_with_span(text, span)
            } else {
                LabeledSpan::new_with_span(text, span)
            }
        });
        let labels = spans.collect();
        Report { finding, excerpt, labels }
    }
}

/// Broken between words into lines of about `room` characters.
fn wrapped(text: &str, room: usize) -> String {
    let mut lines = String::with_capacity(text.len());
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 {
            let breaks = used + 1 + length > room;
            lines.push(if breaks { '\n' } else { ' ' });
            used = if breaks { 0 } else { used + 1 };
        }
        lines.push_str(word);
        used += length;
    }
    lines
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&printable(&self.finding.message))
    }
}

impl std::error::Error for Report<'_> {}

impl Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(format!("{}[{}]", self.finding.level.name(), self.finding.rule)))
    }

    fn severity(&self) -> Option<Severity> {
        Some(match self.finding.level {
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
            Level::Advice => Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.finding.help.as_ref()?;
        let lines: Vec<_> = help.split('\n').map(printable).collect();
        Some(Box::new(lines.join("\n")))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.excerpt)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

#[cfg(test)]
mod tests;
