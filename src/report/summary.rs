//! The end of a report for people: how much was found, and how much was looked at. It never claims more than was read.

use std::io::{self, Write};

use super::human::Style;
use super::{Checked, Counts, count, number, printable};
use crate::coverage::Read;

/// More names than this do not fit a summary.
const NAMED: usize = 8;

pub fn write(out: &mut dyn Write, checked: &[Checked], style: Style) -> io::Result<()> {
    let counts = count(checked);
    if counts.errors + counts.warnings + counts.advice > 0 {
        writeln!(out, "{}", found(&counts, style))?;
        writeln!(out, "{}", looked_at(&counts))?;
    } else {
        writeln!(out, "{}", nothing(&counts))?;
    }
    write_gaps(out, checked)?;
    write_left_out(out, checked)?;
    if style.strict && counts.undecided > 0 {
        write_undecided(out, checked)?;
    }
    Ok(())
}

/// What was not read, for reports that have no summary: a sentence a line. Empty when all was read.
pub fn gaps(checked: &[Checked]) -> Vec<String> {
    let files = checked.iter().flat_map(|checked| checked.outcome.files.iter().map(move |file| (checked, file)));
    let gaps = files.filter_map(|(checked, file)| {
        let (what, reason) = match &file.read {
            Read::Whole => return None,
            Read::Partly(reason) => ("was read in part", reason),
            Read::No(reason) => ("was not read", reason),
        };
        Some(format!("`{}` {what}: {}", printable(&checked.shown(&file.path)), printable(reason)))
    });
    gaps.collect()
}

fn found(counts: &Counts, style: Style) -> String {
    let mut parts = Vec::new();
    if counts.errors > 0 {
        parts.push(painted(style, "1;31", &number(counts.errors, "error", "errors")));
    }
    if counts.warnings > 0 {
        parts.push(painted(style, "1;33", &number(counts.warnings, "warning", "warnings")));
    }
    if counts.advice > 0 {
        parts.push(painted(style, "1;36", &number(counts.advice, "piece of advice", "pieces of advice")));
    }
    format!("{} in {}", parts.join(", "), number(counts.files_with_findings, "file", "files"))
}

fn looked_at(counts: &Counts) -> String {
    let read = counts.files - counts.files_unread;
    let files = format!("read {}", number(read, "file", "files"));
    if counts.routes == 0 { files } else { format!("{files}; {}", routes(counts)) }
}

fn routes(counts: &Counts) -> String {
    let ends = [
        (counts.delivered, "delivered"),
        (counts.failing(), "failing"),
        (counts.leaving, "leaving these files"),
        (counts.undecided, "undecided"),
    ];
    let ends: Vec<_> =
        ends.iter().filter(|(count, _)| *count > 0).map(|(count, end)| format!("{count} {end}")).collect();
    format!("{}: {}", number(counts.routes, "route", "routes"), ends.join(", "))
}

/// What is said when there is nothing to show.
fn nothing(counts: &Counts) -> String {
    let read = counts.files - counts.files_unread;
    if read == 0 && counts.files_unread > 0 {
        return "nothing could be judged".to_owned();
    }
    if read == 0 {
        return "found no file that says what a proxy does".to_owned();
    }
    let files = number(read, "file", "files");
    let what = if counts.hidden_others + counts.failing() > 0 { "nothing to show" } else { "nothing to report" };
    let mut words = match counts.routes {
        0 => {
            format!("{what} on the {files} read; no route to a backend is in {}", if read == 1 { "it" } else { "them" })
        }
        _ => format!("{what} on the {files} read; {}", routes(counts)),
    };
    if counts.hidden_others > 0 {
        let findings = number(counts.hidden_others, "finding is", "findings are");
        words.push_str(&format!("; {findings} left out by what was asked for"));
    }
    if counts.hidden_advice > 0 {
        let advice = number(counts.hidden_advice, "piece of advice", "pieces of advice");
        words.push_str(&format!("; --pedantic shows {advice}"));
    }
    words
}

fn write_gaps(out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    let files = || checked.iter().flat_map(|checked| checked.outcome.files.iter().map(move |file| (checked, file)));
    let name = |checked: &Checked, path: &str, reason: &str| {
        format!("{} ({})", printable(&checked.shown(path)), printable(reason))
    };
    let partly = files().filter_map(|(checked, file)| match &file.read {
        Read::Partly(reason) => Some(name(checked, &file.path, reason)),
        _ => None,
    });
    write_names(out, "partly read", partly.collect())?;
    let unread = files().filter_map(|(checked, file)| match &file.read {
        Read::No(reason) => Some(name(checked, &file.path, reason)),
        _ => None,
    });
    write_names(out, "not read", unread.collect())
}

/// Where a server was not looked into.
fn write_left_out(out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    let left_out = |checked: &Checked| -> Vec<String> {
        let folders = checked.outcome.left_out.iter().map(|it| match it.folders {
            0 => printable(&it.folder),
            count => format!("{} ({})", printable(&it.folder), number(count, "folder in it", "folders in it")),
        });
        folders.collect()
    };
    for checked in checked.iter().filter(|checked| !checked.outcome.left_out.is_empty()) {
        writeln!(out, "not looked into: {}", left_out(checked).join(", "))?;
    }
    Ok(())
}

fn write_names(out: &mut dyn Write, what: &str, mut names: Vec<String>) -> io::Result<()> {
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    match names.as_slice() {
        [] => Ok(()),
        [name] => writeln!(out, "{what}: {name}"),
        names => {
            writeln!(out, "{what}:")?;
            names.iter().try_for_each(|name| writeln!(out, "  {name}"))
        }
    }
}

fn write_undecided(out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    writeln!(out, "undecided:")?;
    for checked in checked {
        for route in checked.outcome.picture.described().routes.iter().filter(|route| route.outcome == "undecided") {
            let (path, line, column) = checked.start(route.place);
            let why = route.why.as_deref().map_or(String::new(), |why| format!(" ({})", printable(why)));
            writeln!(out, "  {}:{line}:{column}  {}{why}", printable(&path), printable(&route.target))?;
        }
    }
    Ok(())
}

fn painted(style: Style, code: &str, text: &str) -> String {
    if style.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}
