//! Services of OpenRC, the init of Alpine and Gentoo (openrc-run(8)): scripts in /etc/init.d that say what to start, and
//! their settings in /etc/conf.d.

use std::collections::BTreeMap;

use crate::read::host::inventory::Inventory;
use crate::read::host::packaged;
use crate::read::host::server::Server;
use crate::read::host::service::run_command;
use crate::read::process::Start;
use crate::read::process::access::Identity;
use crate::source::{Lookup, Text, TextBuilder};
use crate::syntax::command_line::shell;

const SCRIPTS: &str = "/etc/init.d";
const RUN_LEVELS: &str = "/etc/runlevels";

/// Programs whose own files are read where their packages put them.
const READ_ELSEWHERE: [&str; 4] = ["nginx", "php-fpm", "supervisord", "uwsgi"];

/// Adds what the scripts of the tree start.
pub fn add(server: &Server<'_>, inventory: &mut Inventory) {
    let levels = server.list(RUN_LEVELS).names;
    let is_started = |name: &str| {
        levels.iter().any(|level| server.entries(&format!("{RUN_LEVELS}/{level}")).iter().any(|it| it == name))
    };
    for name in server.list(SCRIPTS).names {
        let is_elsewhere = READ_ELSEWHERE.iter().any(|known| name.starts_with(known));
        let Some(text) = server.text(&format!("{SCRIPTS}/{name}")).filter(|_| !is_elsewhere) else { continue };
        if !text.as_str().lines().next().is_some_and(|line| line.starts_with("#!") && line.contains("openrc-run")) {
            continue;
        }
        let enabled = (!levels.is_empty()).then(|| is_started(&name));
        let mut settings = Settings::default();
        settings.values.insert("RC_SVCNAME".to_owned(), Lookup::Value(Text::fixed(&name, text.span(0..0))));
        if let Some(own) = server.text(&format!("/etc/conf.d/{name}")) {
            settings.take_in(&own);
        }
        settings.take_in(&text);
        let mut running = packaged::unseen(&name, text.span(0..0));
        running.service.enabled = enabled;
        match settings.command() {
            // With a function of its own it may start anything.
            _ if text.as_str().lines().any(|line| line.trim_start().starts_with("start()")) => {
                running.open = Some(format!("how `{name}` starts its program is not followed"));
            }
            Some(command) => {
                running.service.place = command.whole();
                let directory = settings.value("directory").map_or("/".to_owned(), |folder| folder.to_string());
                let variable = |name: &str| settings.exported.get(name).cloned().unwrap_or(Lookup::Unset);
                let identity = settings.identity();
                run_command(server, &Start::Shell(command), &directory, &variable, &identity, &mut running);
            }
            None => continue,
        }
        inventory.running.push(running);
    }
}

/// What a script and its settings assign outside of conditions.
#[derive(Default)]
struct Settings {
    values: BTreeMap<String, Lookup>,
    /// What the program itself sees.
    exported: BTreeMap<String, Lookup>,
}

impl Settings {
    fn take_in(&mut self, text: &Text) {
        for command in shell(text).commands {
            let is_export =
                command.words.first().and_then(|word| word.literal()).is_some_and(|it| it.as_str() == "export");
            let words = command.words.iter().filter(|_| is_export).filter_map(|word| word.assignment());
            let own = command.assignments.iter().filter(|_| command.words.is_empty()).cloned();
            for (name, word) in own.chain(words) {
                let lookup = |name: &str| self.values.get(name).cloned().unwrap_or(Lookup::Unset);
                let value = match word.expand(&lookup) {
                    Some(value) if !command.conditional => Lookup::Value(value),
                    _ => Lookup::Unknown,
                };
                if is_export {
                    self.exported.insert(name.value.clone(), value.clone());
                }
                self.values.insert(name.value, value);
            }
        }
    }

    fn value(&self, name: &str) -> Option<&Text> {
        match self.values.get(name) {
            Some(Lookup::Value(value)) => Some(value),
            _ => None,
        }
    }

    /// `command` with `command_args`, as one line for the shell.
    fn command(&self) -> Option<Text> {
        let command = self.value("command")?;
        let mut line = TextBuilder::default();
        let mut last = command;
        line.push(command, 0..command.as_str().len());
        for name in ["command_args", "command_args_foreground"] {
            match self.values.get(name) {
                Some(Lookup::Value(arguments)) => {
                    line.push_fixed(" ", arguments.whole());
                    line.push(arguments, 0..arguments.as_str().len());
                    last = arguments;
                }
                Some(Lookup::Unknown) => return None,
                _ => {}
            }
        }
        let place = if last.file() == command.file() { command.whole().to(last.whole()) } else { last.whole() };
        Some(line.finish(place))
    }

    /// `command_user="shop:www-data"`
    fn identity(&self) -> Identity {
        let Some(user) = self.value("command_user") else { return Identity::root() };
        let (user, group) = user.as_str().split_once(':').unwrap_or((user.as_str(), user.as_str()));
        Identity { user: user.to_owned(), group: Some(group.to_owned()), umask: 0o022 }
    }
}
