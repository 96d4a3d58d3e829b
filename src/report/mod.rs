//! Findings become bytes, one file a format.

pub mod audit;
pub mod excerpt;
pub mod human;
pub mod json;
pub mod line;
pub mod lists;
pub mod summary;

use std::cmp::Ordering;

use crate::Outcome;
use crate::coverage::Read;
use crate::finding::{Finding, Level};
use crate::source::{FileId, Sources, Span};

/// A folder and what is to be said about it.
#[derive(Debug, Default)]
pub struct Checked {
    /// Put before a path of the snapshot, it gives the path for people. Ends with `/`, or is empty.
    pub prefix: String,
    pub sources: Sources,
    /// With the findings that are to be shown.
    pub outcome: Outcome,
    /// How many were made and are not shown: pieces of advice, and others.
    pub hidden: (usize, usize),
}

/// A finding and the folder in which it was made.
#[derive(Clone, Copy, Debug)]
pub struct Place<'c> {
    pub checked: &'c Checked,
    pub finding: &'c Finding,
}

/// The numbers below a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub errors: usize,
    pub warnings: usize,
    pub advice: usize,
    pub hidden_advice: usize,
    pub hidden_others: usize,
    /// Files that were read or should have been.
    pub files: usize,
    pub files_with_findings: usize,
    pub files_partly: usize,
    pub files_unread: usize,
    pub routes: usize,
    pub delivered: usize,
    /// They go to an address outside the files.
    pub leaving: usize,
    pub undecided: usize,
}

impl Checked {
    /// The path of a file as people write it in the current directory.
    pub fn path(&self, file: FileId) -> String {
        self.shown(self.sources.path(file))
    }

    /// The same for any path of the snapshot.
    pub fn shown(&self, path: &str) -> String {
        if self.sources.is_apart(path) { path.to_owned() } else { format!("{}{path}", self.prefix) }
    }

    /// Path, line and column of the start of a span, the numbers from 1.
    pub fn start(&self, span: Span) -> (String, usize, usize) {
        let (line, column) = self.sources.position(span.file, span.start);
        (self.path(span.file), line, column)
    }
}

/// Every finding of every folder, by file and line; at one place the graver one first.
pub fn in_order(checked: &[Checked]) -> Vec<Place<'_>> {
    let all = checked
        .iter()
        .flat_map(|checked| checked.outcome.findings.iter().map(move |finding| Place { checked, finding }));
    let mut places: Vec<_> = all.map(|place| (place.checked.path(place.finding.span.file), place)).collect();
    places.sort_by(|(a_path, a), (b_path, b)| a_path.cmp(b_path).then_with(|| within_a_file(a.finding, b.finding)));
    places.dedup_by(|(b_path, b), (a_path, a)| a_path == b_path && is_same(a.finding, b.finding));
    places.into_iter().map(|(_, place)| place).collect()
}

fn within_a_file(a: &Finding, b: &Finding) -> Ordering {
    let place = |finding: &Finding| (finding.span.start, finding.span.end);
    let level = b.level.cmp(&a.level);
    let words = (a.rule, &a.message).cmp(&(b.rule, &b.message));
    place(a).cmp(&place(b)).then(level).then(words)
}

/// Two folders that were checked, one in the other, say the same thing once.
fn is_same(a: &Finding, b: &Finding) -> bool {
    let place = |finding: &Finding| (finding.span.start, finding.span.end);
    place(a) == place(b) && a.rule == b.rule && a.level == b.level && a.message == b.message
}

/// Counts what is shown and what was looked at.
pub fn count(checked: &[Checked]) -> Counts {
    let mut counts = Counts::default();
    let mut last_file = None;
    for place in in_order(checked) {
        match place.finding.level {
            Level::Error => counts.errors += 1,
            Level::Warning => counts.warnings += 1,
            Level::Advice => counts.advice += 1,
        }
        let file = place.checked.path(place.finding.span.file);
        if last_file.as_ref() != Some(&file) {
            counts.files_with_findings += 1;
            last_file = Some(file);
        }
    }
    for (advice, others) in checked.iter().map(|checked| checked.hidden) {
        counts.hidden_advice += advice;
        counts.hidden_others += others;
    }
    for file in checked.iter().flat_map(|checked| &checked.outcome.files) {
        counts.files += 1;
        match file.read {
            Read::Whole => {}
            Read::Partly(_) => counts.files_partly += 1,
            Read::No(_) => counts.files_unread += 1,
        }
    }
    for outcome in checked.iter().flat_map(|checked| checked.outcome.picture.outcomes()) {
        counts.routes += 1;
        match outcome {
            "delivered" => counts.delivered += 1,
            "leaves" => counts.leaving += 1,
            "undecided" => counts.undecided += 1,
            _ => {}
        }
    }
    counts
}

impl Counts {
    /// Routes whose requests are known to fail.
    pub fn failing(&self) -> usize {
        self.routes - self.delivered - self.leaving - self.undecided
    }
}

/// "1 file", "3 files".
pub fn number(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A text from a file may hold anything; a terminal must not obey it, and one line stays one line.
pub fn printable(text: &str) -> String {
    if !text.contains(is_unprintable) {
        return text.to_owned();
    }
    text.chars().map(|character| if is_unprintable(character) { replacement(character) } else { character }).collect()
}

/// Control characters, and those that turn the direction in which a line is read.
pub fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn replacement(character: char) -> char {
    if matches!(character, '\n' | '\r' | '\t') { ' ' } else { '\u{FFFD}' }
}

#[cfg(test)]
pub mod tests {
    use super::{Checked, count, in_order, printable};
    use crate::finding::{Findings, Level};
    use crate::source::{FileId, Sources, Span};

    /// The first place of a text in a file.
    pub fn span(sources: &Sources, file: FileId, text: &str) -> Span {
        let start = sources.get(file).text.find(text).unwrap_or_else(|| panic!("{text:?} is not there"));
        Span { file, start: start as u32, end: (start + text.len()) as u32 }
    }

    /// A proxy that asks for the wrong port, and the compose file that proves it.
    pub fn two_files() -> Checked {
        let mut sources = Sources::default();
        let web = sources.add("web.conf", "location / {\n  proxy_pass http://api:3000;\n}\n");
        let compose = sources.add("compose.yaml", "services:\n  api:\n    build: .\n    command: serve :8000\n");
        let mut findings = Findings::of("target/port-mismatch");
        findings
            .error(span(&sources, web, "api:3000"), "`api` does not listen on port 3000")
            .label("the proxy connects here")
            .note(span(&sources, compose, "8000"), "`api` listens on 8000")
            .help("use `api:8000`")
            .fix("use port 8000", true, span(&sources, web, "3000"), "8000");
        let mut checked = Checked { prefix: "deploy/".to_owned(), sources, ..Checked::default() };
        checked.outcome.findings = findings.into_vec();
        checked
    }

    #[test]
    fn one_place_in_two_folders_is_said_once() {
        let mut other = two_files();
        other.outcome.findings[0].level = Level::Error;
        assert_eq!(in_order(&[two_files(), other]).len(), 1);
    }

    #[test]
    fn findings_are_counted_by_file() {
        let mut checked = two_files();
        let mut second = checked.outcome.findings[0].clone();
        second.level = Level::Warning;
        checked.outcome.findings.push(second);
        let counts = count(&[checked]);
        assert_eq!((counts.errors, counts.warnings, counts.files_with_findings), (1, 1, 1));
    }

    #[test]
    fn a_terminal_is_not_commanded() {
        assert_eq!(printable("a\u{1b}[2Jb\nc\u{202e}"), "a\u{FFFD}[2Jb c\u{FFFD}");
    }
}
