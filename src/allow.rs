//! Takes out the findings that a comment in the files allows, and reports the comments that allow nothing.
//!
//! `# no502: allow target/port-mismatch reason` on a line of its own is about the next line that is no comment, with
//! the lines that continue it by `\`; behind a statement it is about that line. `allow-file` is about the whole file.
//! In place of a rule's id there may be its family, and several with commas between them.

use std::collections::HashMap;
use std::ops::Range;

use memchr::memmem;

use crate::finding::{Finding, Findings};
use crate::source::{FileId, Source, Sources, Span};

/// The rule of a comment that allows nothing.
pub const UNUSED: &str = "syntax/unused-allow";

const MARK: &str = "no502:";

/// A statement is followed over so many lines.
const LONGEST_STATEMENT: usize = 100;

/// Everything that comments allow.
#[derive(Default)]
struct Allowed<'s> {
    words: Vec<Word<'s>>,
    /// By file, line (from 1; 0 is the whole file) and id or family: the words that say so.
    places: HashMap<(FileId, usize, &'s str), Place>,
}

#[derive(Default)]
struct Place {
    words: Vec<usize>,
    used: bool,
}

/// An id or family as it is written in a comment.
#[derive(Clone)]
struct Word<'s> {
    id: &'s str,
    span: Span,
    /// What to take out when the word is the only one of its comment.
    comment: Option<Span>,
    for_file: bool,
    used: bool,
}

/// The findings that no comment allows, then those about the comments. Only the main place of a finding counts.
pub fn apply(sources: &Sources, findings: Vec<Finding>) -> Vec<Finding> {
    let mut allowed = Allowed::default();
    let mut unclear = Findings::of(UNUSED);
    let finder = memmem::Finder::new(MARK);
    for (file, source) in sources.files() {
        if finder.find(source.text.as_bytes()).is_some() {
            read(file, source, &mut allowed, &mut unclear);
        }
    }
    let mut findings = findings;
    if allowed.words.is_empty() {
        findings.extend(unclear.into_vec());
        return findings;
    }
    findings.retain(|finding| !take(sources, finding, &mut allowed));
    let is_about_comments = |word: &str| covers(word, UNUSED);
    let mut comments = unclear.into_vec();
    comments.extend(unused(&allowed, |word| !is_about_comments(word)));
    comments.retain(|finding| !take(sources, finding, &mut allowed));
    comments.extend(unused(&allowed, is_about_comments));
    comments.sort_by_key(|finding| finding.span);
    findings.extend(comments);
    findings
}

fn covers(word: &str, id: &str) -> bool {
    word == id || id.split_once('/').is_some_and(|(family, _)| family == word)
}

/// Whether the finding is allowed. Everything that allows it is used by that.
fn take(sources: &Sources, finding: &Finding, allowed: &mut Allowed) -> bool {
    let line = sources.get(finding.span.file).line_starts().partition_point(|start| *start <= finding.span.start);
    let family = finding.rule.split_once('/').map_or("", |(family, _)| family);
    let mut is_allowed = false;
    for (line, word) in [(line, finding.rule), (line, family), (0, finding.rule), (0, family)] {
        let Some(place) = allowed.places.get_mut(&(finding.span.file, line, word)) else { continue };
        is_allowed = true;
        if !place.used {
            place.used = true;
            place.words.iter().for_each(|word| allowed.words[*word].used = true);
        }
    }
    is_allowed
}

fn unused(allowed: &Allowed, is_meant: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Findings::of(UNUSED);
    for word in allowed.words.iter().filter(|word| !word.used && is_meant(word.id)) {
        let place = if word.for_file { "in this file" } else { "at this place" };
        let finding = findings.warning(word.span, format!("`{}` is allowed, and nothing reports it {place}", word.id));
        finding.label("silences nothing");
        match word.comment {
            Some(comment) => finding.help("remove the comment").fix("remove the comment", true, comment, ""),
            None => finding.help("remove it from the list"),
        };
    }
    findings.into_vec()
}

/// A comment that speaks to us.
struct Comment<'s> {
    instruction: &'s str,
    /// Where the instruction starts in the file.
    at: usize,
    /// Nothing but the comment stands on its line.
    alone: bool,
    /// The comment with the white space before it; with its line break when it is alone.
    whole: Range<usize>,
}

fn read<'s>(file: FileId, source: &'s Source, allowed: &mut Allowed<'s>, unclear: &mut Findings) {
    let lines = source.line_starts();
    let span = |range: Range<usize>| Span { file, start: range.start as u32, end: range.end as u32 };
    // What comments on lines of their own allow at the next statement.
    let mut waiting: Vec<usize> = Vec::new();
    let mut lines_left = LONGEST_STATEMENT;
    for (index, start) in lines.iter().enumerate() {
        let start = *start as usize;
        let end = lines.get(index + 1).map_or(source.text.len(), |next| *next as usize);
        let Some(line) = source.text.get(start..end) else { continue };
        if let Some(comment) = comment(line, start) {
            let (verb, ids) = words(&comment);
            if ids.is_empty() || !["allow", "allow-file"].contains(&verb) {
                let place = comment.at..comment.at + comment.instruction.len();
                let finding = unclear.warning(span(place), "this comment for no502 is not understood");
                finding.help("write `# no502: allow RULE reason`, or `allow-file` for the whole file");
                continue;
            }
            let for_file = verb == "allow-file";
            let whole = (ids.len() == 1).then(|| span(comment.whole));
            for (id, range) in ids {
                let number = allowed.words.len();
                allowed.words.push(Word { id, span: span(range), comment: whole, for_file, used: false });
                match (for_file, comment.alone) {
                    (true, _) => allowed.add(file, 0, number),
                    (false, true) => waiting.push(number),
                    (false, false) => allowed.add(file, index + 1, number),
                }
            }
        }
        let text = line.trim();
        if waiting.is_empty() || text.is_empty() || is_comment(text) {
            continue;
        }
        waiting.iter().for_each(|word| allowed.add(file, index + 1, *word));
        lines_left = lines_left.saturating_sub(1);
        if lines_left == 0 || !text.ends_with('\\') {
            waiting.clear();
            lines_left = LONGEST_STATEMENT;
        }
    }
}

impl Allowed<'_> {
    fn add(&mut self, file: FileId, line: usize, word: usize) {
        let id = self.words[word].id;
        self.places.entry((file, line, id)).or_default().words.push(word);
    }
}

fn is_comment(line: &str) -> bool {
    line.starts_with('#') || line.starts_with(';') || line.starts_with("//")
}

/// The comment of a line that speaks to us. `start` is where the line starts in the file.
fn comment(line: &str, start: usize) -> Option<Comment<'_>> {
    let mark = memmem::find(line.as_bytes(), MARK.as_bytes())?;
    let before = line[..mark].trim_end();
    // A byte order mark is no statement.
    let is_blank = |text: &str| text.trim_start_matches('\u{feff}').trim().is_empty();
    let (statement, alone) = if let Some(rest) = before.strip_suffix("//") {
        (rest, is_blank(rest))
    } else if before.ends_with('#') {
        let rest = before.trim_end_matches('#');
        (rest, is_blank(rest))
    } else {
        // `;` ends a statement in many notations; it begins a comment only at the start of a line.
        let rest = before.trim_end_matches(';');
        (rest.len() < before.len() && is_blank(rest)).then_some((rest, true))?
    };
    if !alone && !statement.ends_with([' ', '\t', ';', '{', '}']) {
        return None;
    }
    let content = line.trim_end();
    let rest = content.get(mark + MARK.len()..)?;
    let at = start + content.len() - rest.trim_start().len();
    let whole =
        if alone { start..start + line.len() } else { start + statement.trim_end().len()..start + content.len() };
    Some(Comment { instruction: rest.trim_start(), at, alone, whole })
}

/// The first word of an instruction, and the ids after it with their places in the file.
fn words<'s>(comment: &Comment<'s>) -> (&'s str, Vec<(&'s str, Range<usize>)>) {
    let text = comment.instruction;
    let (verb, _) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let mut ids = Vec::new();
    let mut at = verb.len();
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        let length = text[at..].find(|character: char| character.is_whitespace() || character == ',');
        let id = &text[at..at + length.unwrap_or(text.len() - at)];
        if !id.is_empty() {
            ids.push((id, comment.at + at..comment.at + at + id.len()));
        }
        at += id.len();
        let rest = text[at..].trim_start();
        let Some(after) = rest.strip_prefix(',') else { break };
        at = text.len() - after.len();
    }
    (verb, ids)
}

#[cfg(test)]
mod tests {
    use super::{UNUSED, apply};
    use crate::finding::{Finding, Findings};
    use crate::report::{Checked, line};
    use crate::source::{FileId, Sources, Span};

    /// Lints by hand: each `BAD` in the text is a finding of target/port-mismatch.
    fn bad(sources: &Sources, file: FileId) -> Vec<Finding> {
        let mut findings = Findings::of("target/port-mismatch");
        for (at, _) in sources.get(file).text.match_indices("BAD") {
            findings.error(Span { file, start: at as u32, end: at as u32 + 3 }, "bad");
        }
        findings.into_vec()
    }

    /// Lines of the findings that are left, with `!` where it is about a comment.
    fn left(text: &str) -> String {
        let mut sources = Sources::default();
        let file = sources.add("web.conf", text);
        let findings = apply(&sources, bad(&sources, file));
        let mark = |finding: &Finding| {
            let (line, column) = sources.position(file, finding.span.start);
            if finding.rule == UNUSED { format!("!{line}:{column}") } else { line.to_string() }
        };
        findings.iter().map(mark).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_comment_allows_the_next_statement() {
        assert_eq!(left("# no502: allow target/port-mismatch it is fine\n\n# and so on\nBAD\nBAD\n"), "5");
        assert_eq!(left("  # no502: allow target\n  BAD\n"), "");
        assert_eq!(left("# no502: allow socket\nBAD\n"), "2 !1:16");
        assert_eq!(left("# no502: allow target\n"), "!1:16");
        assert_eq!(left("; no502: allow target\nBAD\n"), "");
        assert_eq!(left("// no502: allow target\r\nBAD\r\n"), "");
    }

    #[test]
    fn a_statement_may_go_on() {
        assert_eq!(left("RUN a \\\n# no502: allow target\n  BAD \\\n\nb\n"), "");
        assert_eq!(left("# no502: allow target\nCMD a \\\n  BAD \\\n  b\nBAD\n"), "5");
    }

    #[test]
    fn a_comment_behind_a_statement_allows_its_line() {
        assert_eq!(left("BAD; # no502: allow target/port-mismatch\nBAD\n"), "2");
        assert_eq!(left("BAD;# no502: allow target\n"), "");
        assert_eq!(left("BAD;#no502:allow target\n"), "");
        assert_eq!(left("BAD#no502: allow target\n"), "1");
        assert_eq!(left("BAD; no502: allow target\n"), "1");
    }

    #[test]
    fn a_file_may_allow_everything() {
        assert_eq!(left("BAD\nBAD\n# no502: allow-file target\n"), "");
        assert_eq!(left("# no502: allow-file socket\n"), "!1:21");
    }

    #[test]
    fn several_ids_stand_with_commas() {
        assert_eq!(left("BAD # no502: allow socket, target/port-mismatch,timeout because of x, y\n"), "!1:20 !1:49");
        assert_eq!(left("BAD # no502: allow socket, syntax/unused-allow, target\n"), "");
        assert_eq!(left("BAD # no502: allow target, syntax/unused-allow\n"), "!1:28");
        assert_eq!(left("# no502: allow-file syntax\nBAD # no502: allow socket\n"), "2");
    }

    #[test]
    fn an_unclear_comment_is_reported() {
        assert_eq!(left("# no502: alow target\nBAD\n# no502:\n# no502: allow"), "2 !1:10 !3:9 !4:10");
    }

    #[test]
    fn an_unused_comment_can_be_taken_out() {
        let mut sources = Sources::default();
        sources.add("web.conf", "listen 80; # no502: allow target\n# no502: allow socket old\nend;\n");
        let mut checked = Checked { sources, ..Checked::default() };
        checked.outcome.findings = apply(&checked.sources, Vec::new());
        let quoted: Vec<_> = checked
            .outcome
            .findings
            .iter()
            .map(|finding| checked.sources.quote(finding.fixes[0].edits[0].span))
            .collect();
        assert_eq!(quoted, [" # no502: allow target", "# no502: allow socket old\n"]);
        let expected = "\
web.conf:1:27: warning: `target` is allowed, and nothing reports it at this place [syntax/unused-allow]
  help: remove the comment
web.conf:2:16: warning: `socket` is allowed, and nothing reports it at this place [syntax/unused-allow]
  help: remove the comment
";
        assert_eq!(line::text(&[checked]), expected);
    }
}
