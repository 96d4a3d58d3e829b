//! The lines of texts around some of their spans, made fit for a terminal: cut where they are long, without control characters.
//!
//! miette knows one source a report. So the blocks of all files lie in one space of offsets, each with its own range of
//! it, and are handed out whole: miette then keeps blocks apart and draws all labels of a block together.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::{Checked, is_unprintable};
use crate::source::{FileId, Span};

/// Lines shown above and below a label.
const AROUND: usize = 1;
/// Labels of one file that are no more lines apart than this share a block.
const NEAR: usize = 4;

/// A span and what to write at it, one text below the other.
#[derive(Clone, Debug)]
pub struct Label {
    pub span: Span,
    pub texts: Vec<String>,
}

/// How lines are shown.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Characters of a line that are shown at most.
    pub longest: usize,
    pub unicode: bool,
}

/// Blocks of lines, and where the labels lie in them.
#[derive(Debug, Default)]
pub struct Excerpt {
    blocks: Vec<Block>,
    /// In the order in which they were given.
    pub places: Vec<Shown>,
}

/// A label in the excerpt.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// In the space of all blocks.
    pub offset: usize,
    pub length: usize,
    /// Characters of the shown line before it.
    pub column: usize,
}

#[derive(Debug)]
struct Block {
    path: String,
    base: usize,
    text: String,
    /// From 0.
    first_line: usize,
    lines: usize,
    /// Start in the space of all blocks, line and column from 0 of each label, as they are on disk.
    starts: Vec<(usize, usize, usize)>,
}

/// A label by line: `start` and `end` are byte offsets in the line, without its line break.
struct InLine {
    index: usize,
    /// Where it starts in the file.
    at: u32,
    line: usize,
    start: usize,
    end: usize,
}

impl Excerpt {
    /// The first label is the main one: its block comes first.
    pub fn of(checked: &Checked, labels: &[Label], look: Look) -> Excerpt {
        let places = vec![Shown { offset: 0, length: 0, column: 0 }; labels.len()];
        let mut excerpt = Excerpt { blocks: Vec::new(), places };
        let mut files: Vec<FileId> = Vec::new();
        for label in labels {
            if !files.contains(&label.span.file) {
                files.push(label.span.file);
            }
        }
        for file in files {
            let mut in_file: Vec<InLine> = Vec::new();
            for (index, label) in labels.iter().enumerate().filter(|(_, label)| label.span.file == file) {
                in_file.push(in_line(checked, index, label.span));
            }
            in_file.sort_by_key(|label| label.line);
            let mut groups: Vec<Vec<InLine>> = Vec::new();
            for label in in_file {
                // Two marks below the same characters cannot be told apart.
                let covers = |other: &InLine| {
                    other.line == label.line
                        && other.start < label.end.max(label.start + 1)
                        && label.start < other.end.max(other.start + 1)
                };
                let fits = |group: &&mut Vec<InLine>| {
                    group.last().is_some_and(|last| label.line - last.line <= NEAR) && !group.iter().any(covers)
                };
                match groups.iter_mut().rev().find(fits) {
                    Some(group) => group.push(label),
                    None => groups.push(vec![label]),
                }
            }
            groups.sort_by_key(|group| group.iter().all(|label| label.index != 0));
            for group in groups {
                excerpt.add(checked, file, &group, look);
            }
        }
        excerpt
    }

    fn add(&mut self, checked: &Checked, file: FileId, labels: &[InLine], look: Look) {
        let (Some(first), Some(last)) = (labels.first(), labels.last()) else { return };
        let total = checked.sources.get(file).line_starts().len();
        let first_line = first.line.saturating_sub(AROUND);
        let last_line = (last.line + AROUND).min(total - 1);
        // A line break at the end of the file does not begin another line that is worth showing.
        let last_line =
            if last_line > last.line && line(checked, file, last_line).is_empty() { last.line } else { last_line };
        let base = self.blocks.last().map_or(0, |block| block.base + block.text.len() + 1);
        let mut text = String::new();
        let mut starts = Vec::new();
        for number in first_line..=last_line {
            let original = line(checked, file, number);
            let here: Vec<&InLine> = labels.iter().filter(|label| label.line == number).collect();
            let shown = show(original, &here, look);
            for (label, (start, end)) in here.iter().zip(&shown.places) {
                let offset = base + text.len() + start;
                let column = shown.text.get(..*start).map_or(0, |before| before.chars().count());
                self.places[label.index] = Shown { offset, length: end - start, column };
                let (_, on_disk) = checked.sources.position(file, label.at);
                starts.push((offset, number, on_disk - 1));
            }
            text.push_str(&shown.text);
            text.push('\n');
        }
        let path = super::printable(&checked.path(file));
        self.blocks.push(Block { path, base, text, first_line, lines: last_line - first_line + 1, starts });
    }
}

/// A span that goes over several lines is shown by its first one.
fn in_line(checked: &Checked, index: usize, span: Span) -> InLine {
    let lines = checked.sources.get(span.file).line_starts();
    let number = lines.partition_point(|start| *start <= span.start).max(1) - 1;
    let text = line(checked, span.file, number);
    let inside = |offset: u32| (offset.saturating_sub(lines[number]) as usize).min(text.len());
    let floor = |offset: usize| (0..=offset).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let start = floor(inside(span.start));
    InLine { index, at: span.start, line: number, start, end: floor(inside(span.end)).max(start) }
}

/// A line without its line break. `number` counts from 0.
fn line(checked: &Checked, file: FileId, number: usize) -> &str {
    let source = checked.sources.get(file);
    let lines = source.line_starts();
    let (Some(start), end) = (lines.get(number), lines.get(number + 1)) else { return "" };
    let text = source.text.get(*start as usize..end.map_or(source.text.len(), |end| *end as usize)).unwrap_or("");
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

struct ShownLine {
    text: String,
    /// Start and end of each label, in bytes of `text`.
    places: Vec<(usize, usize)>,
}

fn show(line: &str, labels: &[&InLine], look: Look) -> ShownLine {
    let dots = if look.unicode { "…" } else { "..." };
    // A quarter of the room shows what stands before the first label.
    let label_start = labels.iter().map(|label| label.start).min().unwrap_or(0);
    let is_long = line.len() > look.longest && line.chars().nth(look.longest).is_some();
    let from = if is_long && labels.iter().any(|label| label.end > look.longest) {
        let before = line[..label_start].char_indices().rev().nth(look.longest / 4);
        before.map_or(0, |(at, _)| at)
    } else {
        0
    };
    let to = if is_long {
        line[from..].char_indices().nth(look.longest).map_or(line.len(), |(at, _)| from + at)
    } else {
        line.len()
    };
    let mut text = String::with_capacity(to - from + 2 * dots.len());
    if from > 0 {
        text.push_str(dots);
    }
    let mut places = vec![(usize::MAX, usize::MAX); labels.len()];
    let mut place = |at: usize, now: usize| {
        for (label, place) in labels.iter().zip(&mut places) {
            if place.0 == usize::MAX && label.start <= at {
                place.0 = now;
            }
            if place.1 == usize::MAX && label.end <= at {
                place.1 = now;
            }
        }
    };
    for (at, character) in line[from..to].char_indices() {
        place(from + at, text.len());
        text.push(match character {
            '\t' => '\t',
            character if !is_unprintable(character) => character,
            _ if look.unicode => '\u{FFFD}',
            _ => '?',
        });
    }
    // What lies behind the cut is marked at the cut.
    place(usize::MAX, text.len());
    if to < line.len() {
        text.push_str(dots);
    }
    ShownLine { text, places }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        _after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let at = self.blocks.partition_point(|block| block.base <= span.offset());
        let block = at.checked_sub(1).and_then(|at| self.blocks.get(at)).ok_or(MietteError::OutOfBounds)?;
        // A span that reaches into the next block: miette asks whether two blocks can be drawn as one.
        if span.offset() + span.len() > block.base + block.text.len() {
            return Err(MietteError::OutOfBounds);
        }
        let whole: SourceSpan = (block.base, block.text.len()).into();
        // Without context, only the place of the label is asked for.
        let start = block.starts.iter().find(|(offset, _, _)| before == 0 && *offset == span.offset());
        let (line, column) = start.map_or((block.first_line, 0), |(_, line, column)| (*line, *column));
        let contents =
            MietteSpanContents::new_named(block.path.clone(), block.text.as_bytes(), whole, line, column, block.lines);
        Ok(Box::new(contents))
    }
}
