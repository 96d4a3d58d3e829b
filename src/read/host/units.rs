//! systemd's units as systemd sees them: one file found in several folders, its drop-ins, templates and specifiers.

use crate::read::host::words;
use crate::read::machine_files::MachineFiles;
use crate::read::surroundings::Found;
use crate::source::{Span, Spanned, Text};
use crate::syntax::ini::{self, Style};

/// Where units lie, the strongest folder first (systemd.unit(5), "Unit File Load Path").
pub const FOLDERS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// A unit with its drop-ins, as one list of settings.
#[derive(Clone, Debug)]
pub struct Unit {
    /// `shop@3001.service`
    pub name: String,
    /// Its own file, or the first drop-in.
    pub place: Span,
    /// It has a file of its own, and not only drop-ins.
    pub has_file: bool,
    settings: Vec<Setting>,
}

#[derive(Clone, Debug)]
struct Setting {
    section: String,
    key: Spanned<String>,
    value: Text,
}

/// Reads a unit by its name; `None` when nothing in the tree describes it, or when it is masked.
pub fn load(files: &MachineFiles<'_>, find: &dyn Fn(&str) -> Found, name: &str) -> Option<Unit> {
    let template = template_of(name);
    let names: Vec<&str> = std::iter::once(name).chain(template.as_deref()).collect();
    let mut settings = Vec::new();
    let mut place = None;
    let file = names.iter().find_map(|name| {
        FOLDERS.iter().find_map(|folder| match find(&format!("{folder}/{name}")) {
            Found::File(text) => Some(text),
            _ => None,
        })
    });
    if is_masked(files, name) {
        return None;
    }
    if let Some(text) = &file {
        place = Some(text.span(0..0));
        add(text, &mut settings);
    }
    for text in drop_ins(files, find, &names) {
        place.get_or_insert(text.span(0..0));
        add(&text, &mut settings);
    }
    Some(Unit { name: name.to_owned(), place: place?, has_file: file.is_some(), settings })
}

/// `shop@.service` for `shop@3001.service`.
fn template_of(name: &str) -> Option<String> {
    let (prefix, rest) = name.split_once('@')?;
    let (_, suffix) = rest.rsplit_once('.')?;
    Some(format!("{prefix}@.{suffix}"))
}

/// An administrator's link to /dev/null.
pub fn is_masked(files: &MachineFiles<'_>, name: &str) -> bool {
    files.link(&format!("/etc/systemd/system/{name}")).is_some_and(|target| target == "/dev/null")
}

/// The drop-ins in the order in which they are read: by file name, whatever folder they lie in; of two with the same
/// name the one in the stronger folder counts.
fn drop_ins(files: &MachineFiles<'_>, find: &dyn Fn(&str) -> Found, names: &[&str]) -> Vec<Text> {
    let mut found: Vec<(String, Text)> = Vec::new();
    for name in names {
        for folder in FOLDERS {
            let folder = format!("{folder}/{name}.d");
            for file in files.list(&folder).names {
                if !file.ends_with(".conf") || found.iter().any(|(known, _)| *known == file) {
                    continue;
                }
                if let Found::File(text) = find(&format!("{folder}/{file}")) {
                    found.push((file, text));
                }
            }
        }
    }
    found.sort_by(|(left, _), (right, _)| left.cmp(right));
    found.into_iter().map(|(_, text)| text).collect()
}

fn add(text: &Text, settings: &mut Vec<Setting>) {
    for section in ini::parse(text, Style::SYSTEMD).sections {
        for (key, value) in section.entries {
            settings.push(Setting { section: section.name.value.clone(), key, value });
        }
    }
}

impl Unit {
    /// The last value of a setting that takes one, specifiers put in; an empty one takes the others away.
    pub fn value(&self, section: &str, key: &str) -> Option<Text> {
        self.values(section, key).pop()
    }

    /// Every value of a setting that takes several; an empty one takes those before it away.
    pub fn values(&self, section: &str, key: &str) -> Vec<Text> {
        let mut values = Vec::new();
        for setting in self.settings.iter().filter(|it| it.section == section && it.key.value == key) {
            if setting.value.as_str().is_empty() {
                values.clear();
            } else {
                values.push(words::with_specifiers(&setting.value, &self.name));
            }
        }
        values
    }

    /// A setting that is switched on, with its place.
    pub fn switched_on(&self, section: &str, key: &str) -> Option<Span> {
        let value = self.value(section, key)?;
        let is_on = ["yes", "true", "on", "1", "disconnected"].iter().any(|on| value.as_str().eq_ignore_ascii_case(on));
        is_on.then(|| value.whole())
    }

    /// The names in a setting that lists some.
    pub fn names(&self, section: &str, key: &str) -> Vec<Spanned<String>> {
        self.values(section, key).iter().flat_map(words::plain).map(|word| word.spanned()).collect()
    }

    /// It can be enabled.
    pub fn is_installable(&self) -> bool {
        ["WantedBy", "RequiredBy", "Also", "Alias"].iter().any(|key| !self.values("Install", key).is_empty())
    }
}
