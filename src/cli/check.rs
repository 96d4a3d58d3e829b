//! Checks folders and files: reads them, judges each folder, prints the findings.

use std::env;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Read as _, Write};
use std::mem;
use std::path::{Path, PathBuf};

use super::selection::{Selection, nearest};
use super::{CheckArguments, Colour, FailOn, Failure, Format, Persona, complain};
use crate::discover::live;
use crate::discover::names::LARGEST;
use crate::discover::reason;
use crate::discover::server::is_whole_system;
use crate::discover::target::{Target, target_of_unsaved, targets};
use crate::finding::{Finding, Level};
use crate::judge::{Request, Trouble};
use crate::report::audit as audit_report;
use crate::report::human::Style;
use crate::report::{Checked, count, human, json, line, lists, summary};
use crate::source::{FileId, Sources};
use crate::{audit, judge, lint};

/// Gives the exit status: 0 or 1, or 2 when a folder could not be judged.
pub fn check(arguments: &CheckArguments, persona: Persona) -> Result<u8, Failure> {
    let selection = Selection::of(&arguments.rule, &arguments.allow)?;
    let fail_on =
        if arguments.strict && arguments.fail_on == FailOn::Never { FailOn::Error } else { arguments.fail_on };
    let mut least = arguments.level.level();
    if arguments.pedantic || persona == Persona::Auditing {
        least = Level::Advice;
    }
    if let Some(level) = fail_on.level() {
        least = least.min(level);
    }
    let current = env::current_dir().map_err(|error| format!("the current directory cannot be read: {error}"))?;
    let sockets = sockets(arguments)?;
    let mut checked = Vec::new();
    let mut broken = false;
    for (target, unsaved) in folders(arguments, &current)? {
        let unsaved = unsaved.as_ref().map(|(path, bytes)| (path.as_str(), bytes.as_slice()));
        let is_server = arguments.root.is_some() || is_whole_system(&target.folder);
        let request = Request { unsaved, named: target.focus.as_ref(), is_server, sockets: &sockets };
        let (sources, mut outcome) =
            match judge::folder(&target.folder, request, if persona == Persona::Auditing { audit } else { lint }) {
                Ok(judged) => judged,
                Err(Trouble::Unreadable(sentence)) => return Err(Failure::Sentence(sentence)),
                Err(Trouble::Internal(what)) => {
                    let name = if target.prefix.is_empty() { "." } else { &target.prefix };
                    complain(&format!("internal error, nothing is said about `{name}`; please report it: {what}"));
                    broken = true;
                    continue;
                }
            };
        let is_asked = |finding: &Finding| selection.has(finding.rule) && is_in_focus(&target, &sources, finding);
        let (mut shown, mut hidden) = (Vec::new(), (0, 0));
        for finding in std::mem::take(&mut outcome.findings) {
            match (is_asked(&finding), finding.level >= least, finding.level) {
                (true, true, _) => shown.push(finding),
                (true, false, Level::Advice) => hidden.0 += 1,
                _ => hidden.1 += 1,
            }
        }
        outcome.findings = shown;
        checked.push(Checked { prefix: target.prefix, sources, outcome, hidden });
    }
    let is_list = arguments.list_listeners || arguments.list_routes;
    let status = match broken {
        true => 2,
        false if is_list => 0,
        false => status(arguments, fail_on, &checked),
    };
    let printed = print(arguments, persona, &checked);
    // The process ends here, and the system takes all of it back at once.
    mem::forget(checked);
    match printed {
        Err(Failure::ClosedPipe) => Ok(status),
        Err(failure) => Err(failure),
        Ok(()) => Ok(status),
    }
}

/// Tables of open sockets with their paths: those that were named, and the kernel's own where that is asked for.
fn sockets(arguments: &CheckArguments) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut tables = Vec::new();
    for path in &arguments.listening {
        let failure = |error| format!("`{}` cannot be read: {}", path.display(), reason(&error));
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
        read.map_err(failure)?;
        tables.push((path.to_string_lossy().replace('\\', "/"), bytes));
    }
    if arguments.live {
        if arguments.root.as_ref().is_none_or(|root| root.parent().is_some()) {
            return Err(Failure::Sentence("`--live` asks this machine, so it needs `--root /`".to_owned()));
        }
        tables.extend(live::sockets()?);
    }
    Ok(tables)
}

/// The path of an unsaved file in its folder, and its text.
type Unsaved = (String, Vec<u8>);

fn folders(arguments: &CheckArguments, current: &Path) -> Result<Vec<(Target, Option<Unsaved>)>, Failure> {
    let asked = arguments.root.as_ref().map_or(arguments.paths.as_slice(), std::slice::from_ref);
    if let Some(path) = &arguments.stdin_filename {
        let (target, file) = target_of_unsaved(path, asked, current)?;
        let mut bytes = Vec::new();
        let read = io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes);
        read.map_err(|error| format!("standard input cannot be read: {error}"))?;
        return Ok(vec![(target, Some((file, bytes)))]);
    }
    if let Some(word) = arguments.paths.first().and_then(|path| path.to_str()) {
        let is_word = !Path::new(word).exists() && !word.contains(['/', '\\', '.']);
        if is_word {
            return Err(Failure::Sentence(no_such_word(word)));
        }
    }
    if let Some(root) = &arguments.root
        && !root.is_dir()
    {
        return Err(Failure::Sentence(format!("`{}` is no folder", root.display())));
    }
    let here = [PathBuf::from(".")];
    let paths = if asked.is_empty() { &here } else { asked };
    Ok(targets(paths, current)?.into_iter().map(|target| (target, None)).collect())
}

fn no_such_word(word: &str) -> String {
    let command = nearest(word, ["check", "audit", "explain", "rules"].into_iter());
    let hint =
        command.map_or("write `no502 check PATH`".to_owned(), |command| format!("did you mean `no502 {command}`?"));
    format!("`{word}` is neither a file or folder nor a command; {hint}")
}

fn is_in_focus(target: &Target, sources: &Sources, finding: &Finding) -> bool {
    let Some(focus) = &target.focus else { return true };
    let touches = |file: FileId| focus.contains(sources.path(file));
    touches(finding.span.file) || finding.notes.iter().any(|note| touches(note.span.file))
}

fn status(arguments: &CheckArguments, fail_on: FailOn, checked: &[Checked]) -> u8 {
    let Some(least) = fail_on.level() else { return 0 };
    let counts = count(checked);
    let is_incomplete = counts.undecided + counts.files_partly + counts.files_unread > 0;
    let fails = checked.iter().flat_map(|checked| &checked.outcome.findings).any(|finding| finding.level >= least);
    u8::from(fails || arguments.strict && is_incomplete)
}

fn print(arguments: &CheckArguments, persona: Persona, checked: &[Checked]) -> Result<(), Failure> {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    match arguments.format {
        Format::Human | Format::Line if arguments.list_listeners || arguments.list_routes => {
            if arguments.list_listeners {
                lists::listeners(&mut out, checked)?;
            }
            if arguments.list_routes {
                lists::routes(&mut out, checked)?;
            }
        }
        Format::Human if persona == Persona::Auditing => audit_report::write(&mut out, checked, style(arguments))?,
        Format::Human => human::write(&mut out, checked, style(arguments))?,
        Format::Json => json::write(&mut out, checked)?,
        Format::Line => {
            line::write(&mut out, checked)?;
            out.flush()?;
            summary::gaps(checked).iter().for_each(|gap| complain(gap));
        }
    }
    out.flush()?;
    Ok(())
}

fn style(arguments: &CheckArguments) -> Style {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_forced = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    let is_terminal = io::stdout().is_terminal();
    let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    let colour = match arguments.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto if is_set("NO_COLOR") => false,
        Colour::Auto if is_forced("CLICOLOR_FORCE") || is_forced("FORCE_COLOR") => true,
        Colour::Auto => is_terminal && !is_dumb,
    };
    let terminal = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)).filter(|_| is_terminal);
    let width = arguments.width.map(usize::from).or_else(terminal).unwrap_or(100).clamp(40, 1000);
    Style { width, colour, unicode: !is_dumb && has_unicode(), strict: arguments.strict }
}

/// The first of the three that is set decides, as in the C library. Terminals of Windows and macOS know Unicode.
fn has_unicode() -> bool {
    if cfg!(any(windows, target_os = "macos")) {
        return true;
    }
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(|name| env::var(name).ok());
    set.into_iter().find(|value| !value.is_empty()).is_some_and(|value| {
        let value = value.to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}
