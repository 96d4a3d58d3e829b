//! The programs that supervisord keeps running.

use std::ops::Range;

use crate::read::app::paths::absolute;
use crate::read::app::php_fpm::expand;
use crate::read::surroundings::{Found, Surroundings};
use crate::source::{Spanned, Text, TextBuilder};
use crate::syntax::ini::{self, Ini, Style};

#[derive(Clone, Debug, Default)]
pub struct Supervised {
    pub programs: Vec<SupervisedProgram>,
    /// Why there may be others.
    pub open: Option<String>,
}

/// A `[program:x]` or `[fcgi-program:x]` section.
#[derive(Clone, Debug)]
pub struct SupervisedProgram {
    pub name: Spanned<String>,
    /// Without a shell: supervisord splits it into words itself. `%(ENV_NAME)s` is left as it is, see [`expanded`].
    pub command: Text,
    pub directory: Option<Text>,
    /// What `[supervisord]` gives to all, then its own; of two equal names the last one counts.
    pub environment: Vec<(Spanned<String>, Text)>,
    pub user: Option<Text>,
    pub umask: Option<u32>,
    /// The numbers of its processes: `numprocs`, from `numprocs_start` on.
    pub numbers: Range<u32>,
    /// `true` unless it says otherwise.
    pub autostart: bool,
    pub autorestart: Option<Text>,
    /// The socket of an `fcgi-program`.
    pub socket: Option<Text>,
}

/// Nobody runs more processes of one program, or writes numbers with more digits.
const MOST_PROCESSES: u32 = 64;
const WIDEST: usize = 20;

/// Reads supervisord.conf, which stands at `path` (absolute), and the files of its `[include]`.
pub fn supervised(main: &Text, path: &str, surroundings: &Surroundings) -> Supervised {
    let mut result = Supervised::default();
    let document = ini::parse(main, Style::SUPERVISOR);
    let of_all = document.sections.iter().filter(|section| section.name.value == "supervisord");
    let of_all = of_all.flat_map(|section| &section.entries).filter(|(key, _)| key.value == "environment");
    let common: Vec<(Spanned<String>, Text)> = of_all.flat_map(|(_, value)| environment(value)).collect();
    programs(&document, &common, &mut result);
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let includes = document.sections.iter().filter(|section| section.name.value == "include");
    let lists = includes.flat_map(|section| &section.entries).filter(|(key, _)| key.value == "files");
    for (_, list) in lists {
        for pattern in list.as_str().split_whitespace() {
            if pattern.contains("%(") && !pattern.starts_with("%(here)s") {
                result.open.get_or_insert(format!("the include {pattern} is not followed"));
                continue;
            }
            let pattern = pattern.strip_prefix("%(here)s/").unwrap_or(pattern);
            for file in expand(&absolute(folder, pattern), surroundings.list, &mut result.open) {
                match (surroundings.file)(&file) {
                    // supervisord does not follow includes of included files.
                    Found::File(text) => programs(&ini::parse(&text, Style::SUPERVISOR), &common, &mut result),
                    Found::Opaque | Found::Unknown => {
                        result.open.get_or_insert(format!("{file} is not read"));
                    }
                    Found::Directory | Found::Absent => {}
                }
            }
        }
    }
    result
}

fn programs(document: &Ini, common: &[(Spanned<String>, Text)], result: &mut Supervised) {
    for section in &document.sections {
        let title = &section.name.value;
        let Some(name) = title.strip_prefix("program:").or_else(|| title.strip_prefix("fcgi-program:")) else {
            continue;
        };
        let get = |key: &str| section.entries.iter().rev().find(|(name, _)| name.value == key).map(|(_, value)| value);
        let Some(command) = get("command") else { continue };
        let off =
            |value: &Text| matches!(value.as_str().trim().to_ascii_lowercase().as_str(), "false" | "no" | "off" | "0");
        let own = get("environment").map(environment).unwrap_or_default();
        let number = |key: &str| get(key).and_then(|value| value.as_str().trim().parse::<u32>().ok());
        let start = number("numprocs_start").unwrap_or(0);
        result.programs.push(SupervisedProgram {
            name: Spanned::new(name.trim().to_owned(), section.name.span),
            command: command.clone(),
            directory: get("directory").cloned(),
            environment: common.iter().cloned().chain(own).collect(),
            user: get("user").cloned(),
            umask: get("umask").and_then(|mask| u32::from_str_radix(mask.as_str().trim(), 8).ok()),
            numbers: start..start.saturating_add(number("numprocs").unwrap_or(1).min(MOST_PROCESSES)),
            autostart: !get("autostart").is_some_and(off),
            autorestart: get("autorestart").cloned(),
            socket: get("socket").cloned(),
        });
    }
}

/// Puts in what supervisord knows under a name, `%(ENV_PORT)s`, `80%(process_num)02d`; `None`: something is not known.
pub fn expanded(text: &Text, known: &dyn Fn(&str) -> Option<Text>) -> Option<Text> {
    let source = text.as_str();
    if !source.contains('%') {
        return Some(text.clone());
    }
    let mut builder = TextBuilder::default();
    let mut at = 0;
    while let Some(start) = source[at..].find('%').map(|length| at + length) {
        builder.push(text, at..start);
        if source[start..].starts_with("%%") {
            builder.push(text, start..start + 1);
            at = start + 2;
            continue;
        }
        let (name, format) = source[start..].strip_prefix("%(")?.split_once(')')?;
        let value = known(name)?;
        let digits = format.bytes().take_while(u8::is_ascii_digit).count();
        if !format[digits..].starts_with(['s', 'd']) {
            return None;
        }
        let width = format[..digits].parse::<usize>().unwrap_or(0).min(WIDEST);
        let fill = if format.starts_with('0') { "0" } else { " " };
        let end = start + "%()".len() + name.len() + digits + 1;
        builder.push_fixed(&fill.repeat(width.saturating_sub(value.as_str().len())), text.span(start..end));
        builder.push(&value, 0..value.as_str().len());
        at = end;
    }
    builder.push(text, at..source.len());
    Some(builder.finish(text.whole()))
}

/// `A="1",B=2`
fn environment(text: &Text) -> Vec<(Spanned<String>, Text)> {
    let source = text.as_str();
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(equals) = source[at..].find('=').map(|length| at + length) {
        let name = text.slice(at..equals).trim();
        let mut start = equals + 1;
        while bytes.get(start).is_some_and(u8::is_ascii_whitespace) {
            start += 1;
        }
        let (value, end) = match bytes.get(start) {
            Some(quote @ (b'"' | b'\'')) => {
                let length = source[start + 1..].find(*quote as char).unwrap_or(source.len() - start - 1);
                (text.slice(start + 1..start + 1 + length), (start + 2 + length).min(source.len()))
            }
            _ => {
                let end = source[start..].find([',', '\n']).map_or(source.len(), |length| start + length);
                (text.slice(start..end).trim(), end)
            }
        };
        if !name.as_str().is_empty() {
            found.push((name.spanned(), value));
        }
        at = source[end..].find([',', '\n']).map_or(source.len(), |length| end + length + 1);
    }
    found
}
