//! The programs that supervisord keeps running.

use crate::read::app::paths::absolute;
use crate::read::app::php_fpm::expand;
use crate::read::surroundings::{Found, Surroundings};
use crate::source::{Spanned, Text};
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
    /// Without a shell: supervisord splits it into words itself. `%(ENV_NAME)s` is left as it is.
    pub command: Text,
    pub directory: Option<Text>,
    /// What `[supervisord]` gives to all, then its own; of two equal names the last one counts.
    pub environment: Vec<(Spanned<String>, Text)>,
    pub user: Option<Text>,
    /// `true` unless it says otherwise.
    pub autostart: bool,
    pub autorestart: Option<Text>,
    /// The socket of an `fcgi-program`.
    pub socket: Option<Text>,
}

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
        result.programs.push(SupervisedProgram {
            name: Spanned::new(name.trim().to_owned(), section.name.span),
            command: command.clone(),
            directory: get("directory").cloned(),
            environment: common.iter().cloned().chain(own).collect(),
            user: get("user").cloned(),
            autostart: !get("autostart").is_some_and(off),
            autorestart: get("autorestart").cloned(),
            socket: get("socket").cloned(),
        });
    }
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
