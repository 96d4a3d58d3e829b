//! The variables of a unit: `Environment`, and `EnvironmentFile`, which wins (systemd.exec(5), "Environment").

use std::collections::BTreeMap;

use crate::read::glob;
use crate::read::host::server::Server;
use crate::read::host::units::Unit;
use crate::read::host::words;
use crate::read::surroundings::Found;
use crate::source::{Lookup, Text};
use crate::syntax::env_file;

/// Variables that the manager of the system sets, so that they are never simply missing.
const OF_THE_MANAGER: [&str; 9] =
    ["PATH", "LANG", "HOME", "USER", "LOGNAME", "SHELL", "LISTEN_FDS", "NOTIFY_SOCKET", "INVOCATION_ID"];

pub struct Environment {
    variables: BTreeMap<String, Lookup>,
    /// A file of variables is not in the tree, so others may be set.
    is_open: bool,
    /// Files that have to be there and are not, where the whole system is in the tree.
    pub missing: Vec<Text>,
}

impl Environment {
    pub fn of(server: &Server<'_>, unit: &Unit) -> Environment {
        let mut environment = Environment { variables: BTreeMap::new(), is_open: false, missing: Vec::new() };
        if let Some(home) = home(server, unit) {
            environment.variables.insert("HOME".to_owned(), Lookup::Value(Text::fixed(&home, unit.place)));
        }
        for list in unit.values("Service", "Environment") {
            for assignment in words::plain(&list) {
                if let Some((name, value)) = assignment.split_once('=') {
                    environment.variables.insert(name.as_str().to_owned(), Lookup::Value(value));
                }
            }
        }
        for name in unit.values("Service", "PassEnvironment").iter().flat_map(words::plain) {
            environment.variables.insert(name.as_str().to_owned(), Lookup::Unknown);
        }
        for file in unit.values("Service", "EnvironmentFile") {
            environment.take_in(server, &file);
        }
        for name in unit.values("Service", "UnsetEnvironment").iter().flat_map(words::plain) {
            environment.variables.insert(name.as_str().to_owned(), Lookup::Unset);
        }
        environment
    }

    fn take_in(&mut self, server: &Server<'_>, written: &Text) {
        let path = written.as_str();
        let (path, optional) = path.strip_prefix('-').map_or((path, false), |path| (path, true));
        let paths = match glob::is_pattern(path) {
            true => {
                let matches = glob::expand(path, &|folder| server.list(folder));
                self.is_open |= !matches.complete;
                matches.paths
            }
            false => vec![path.to_owned()],
        };
        for path in paths {
            match server.find(&path) {
                Found::File(text) => {
                    for entry in env_file::parse(&text).entries {
                        let Some(value) = entry.value else { continue };
                        self.variables.insert(entry.name.value, Lookup::Value(value));
                    }
                }
                // What is no part of a repository may well be on the server.
                Found::Absent if optional && server.is_whole => {}
                Found::Absent if is_certain(server, &path) && path == written.as_str() => {
                    self.missing.push(written.clone());
                    self.open();
                }
                _ => self.open(),
            }
        }
    }

    /// A file that cannot be seen may change what was set before it, too.
    fn open(&mut self) {
        self.is_open = true;
        for value in self.variables.values_mut() {
            *value = Lookup::Unknown;
        }
    }

    pub fn variable(&self, name: &str) -> Lookup {
        match self.variables.get(name) {
            Some(value) => value.clone(),
            None if self.is_open || OF_THE_MANAGER.contains(&name) => Lookup::Unknown,
            None => Lookup::Unset,
        }
    }
}

/// The home of the unit's user, as /etc/passwd has it or as a folder of that name shows (systemd.exec(5), "User").
fn home(server: &Server<'_>, unit: &Unit) -> Option<String> {
    let user = unit.value("Service", "User")?;
    let passwd = server.text("/etc/passwd");
    let written = passwd.as_ref().and_then(|text| {
        let mut lines = text.as_str().lines().map(|line| line.split(':').collect::<Vec<&str>>());
        lines.find(|fields| fields.first() == Some(&user.as_str()))?.get(5).map(|home| (*home).to_owned())
    });
    let usual = format!("/home/{}", user.as_str());
    written.or_else(|| matches!(server.find(&usual), Found::Directory).then_some(usual))
}

/// The folder of the file is there, and is no place for what is made while the system runs: so nobody has the file.
fn is_certain(server: &Server<'_>, path: &str) -> bool {
    let Some((folder, _)) = path.rsplit_once('/').filter(|(folder, _)| !folder.is_empty()) else { return false };
    let is_made_later = ["/run", "/tmp", "/var"].iter().any(|made| folder.starts_with(made));
    server.is_whole && !is_made_later && matches!(server.find(folder), Found::Directory)
}
