//! What happens at boot: which services nothing starts, and which are started before the network is up.

use std::collections::BTreeSet;

use crate::read::host::folders;
use crate::read::host::inventory::{ADMINISTRATOR, Inventory, links};
use crate::read::host::server::Server;
use crate::read::host::units::{self, Unit};
use crate::site::machine::NotAtBoot;
use crate::source::{Span, Text};

/// Where else somebody may start a service.
const SCRIPTS: [&str; 4] = ["/etc/rc.local", "/etc/rc.d/rc.local", "/etc/crontab", "/etc/fstab"];
const FOLDERS_OF_SCRIPTS: [&str; 6] =
    ["/etc/cron.d", "/var/spool/cron/crontabs", "/var/spool/cron", "/etc/init.d", "/etc/local.d", "/etc/monit/conf.d"];

/// The unit was written on this server: a file in the administrator's folder, and no link to that of a package.
pub fn is_own(server: &Server<'_>, unit: &Unit) -> bool {
    let template = unit.name.split_once('@').and_then(|(stem, rest)| Some((stem, rest.rsplit_once('.')?.1)));
    let template = template.map(|(stem, kind)| format!("{stem}@.{kind}"));
    [Some(unit.name.clone()), template].into_iter().flatten().any(|name| {
        let path = format!("{ADMINISTRATOR}/{name}");
        server.files.link(&path).is_none() && server.text(&path).is_some()
    })
}

/// Finds the services of people's own that nothing starts at boot. Only where the files show that others are started.
pub fn judge(server: &Server<'_>, inventory: &mut Inventory) {
    let links = links(server);
    let is_linked_own =
        inventory.running.iter().any(|running| running.service.is_own && running.service.enabled == Some(true));
    if links.is_empty() || !(server.is_whole || is_linked_own) {
        return;
    }
    let find = |path: &str| server.find(path);
    let mut found = Vec::new();
    for (number, running) in inventory.running.iter().enumerate() {
        let service = &running.service;
        if is_of_pm2(&service.name) {
            found.push((number, "pm2".to_owned(), NO_PM2));
        }
        if !service.is_own || service.is_woken || service.enabled == Some(true) {
            continue;
        }
        let Some(unit) = units::load(&server.files, &find, &service.name).filter(|unit| unit.has_file) else {
            continue;
        };
        let why = match unit.value("Install", "WantedBy").or_else(|| unit.value("Install", "RequiredBy")) {
            Some(wanted) => NotAtBoot::NotEnabled(wanted.whole()),
            None if unit.is_installable() => continue,
            None => NotAtBoot::NoInstall,
        };
        found.push((number, unit.name.clone(), why));
    }
    if found.is_empty() {
        return;
    }
    let starters = Starters::of(server);
    for (number, name, why) in found {
        if !starters.mention(&name) {
            inventory.running[number].service.not_at_boot = Some(why);
        }
    }
}

const NO_PM2: NotAtBoot = NotAtBoot::NoManager {
    name: "pm2",
    help: "let pm2 make a unit for itself, and keep its list: `pm2 startup`, then `pm2 save`",
};

fn is_of_pm2(name: &str) -> bool {
    name.starts_with("pm2 app ")
}

/// The files that may start something by its name.
pub struct Starters {
    texts: Vec<(String, Text)>,
    names: BTreeSet<String>,
}

impl Starters {
    pub fn of(server: &Server<'_>) -> Starters {
        let mut starters = Starters { texts: Vec::new(), names: BTreeSet::new() };
        for name in server.list(ADMINISTRATOR).names {
            let folder = format!("{ADMINISTRATOR}/{name}");
            if name.ends_with(".d") {
                for file in server.list(&folder).names {
                    starters.add(server, &format!("{folder}/{file}"), name.trim_end_matches(".d"));
                }
            }
            starters.add(server, &folder, &name);
        }
        for folder in FOLDERS_OF_SCRIPTS {
            for name in server.list(folder).names {
                starters.add(server, &format!("{folder}/{name}"), &name);
                starters.names.insert(name);
            }
        }
        for path in SCRIPTS {
            starters.add(server, path, path);
        }
        starters.names.extend(links(server));
        starters
    }

    fn add(&mut self, server: &Server<'_>, path: &str, name: &str) {
        if let Some(text) = server.text(path) {
            self.texts.push((name.to_owned(), text));
        }
    }

    /// Something may make this folder, `/run/…`.
    pub fn make(&self, folder: &str) -> bool {
        // `/var/run` ends in it as well.
        self.texts.iter().any(|(_, text)| text.as_str().contains(folder) && folders::may_make(text.as_str()))
    }

    /// Something else than the unit itself asks for it, or a timer, path or script is called like it.
    fn mention(&self, unit: &str) -> bool {
        let stem = unit.split(['.', '@']).next().unwrap_or(unit);
        let whole = [format!("{stem}.service"), format!("{stem}@")];
        let is_called_so = |name: &str| name.split(['.', '@', '-']).next() == Some(stem);
        let asks = |line: &str| {
            whole.iter().any(|name| line.contains(name))
                || (STARTING.iter().any(|it| line.contains(it)) && line.contains(stem))
        };
        self.names.iter().any(|name| is_called_so(name))
            || self.texts.iter().any(|(name, text)| {
                let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind);
                match kind {
                    "service" if is_called_so(name) => false,
                    "timer" | "path" | "target" if is_called_so(name) => true,
                    _ => text.as_str().lines().any(asks),
                }
            })
    }
}

/// Words of a line that starts a service.
const STARTING: [&str; 6] = ["systemctl", "service ", "pm2", "init.d", "start", "/bin/"];

/// Waits for the network in a start command of its own.
const WAITING: [&str; 9] =
    ["sleep", "until", "while", "ping", "nslookup", "getent", "dig ", "wait-online", "nm-online"];

/// So many units are started one after the other.
const DEPTH: usize = 4;

/// Where the unit says after what it is started, when that is before the network is up and nothing tries it again.
/// `place`: its start command, which is given when it says nothing (systemd.special(7), "network-online.target").
pub fn before_network(server: &Server<'_>, unit: &Unit, place: Span) -> Option<Span> {
    if !unit.has_file {
        return None;
    }
    let restart = unit.value("Service", "Restart");
    if restart.is_some_and(|restart| matches!(restart.as_str(), "always" | "on-failure")) {
        return None;
    }
    let commands = ["ExecStartPre", "ExecCondition", "ExecStart"].map(|key| unit.values("Service", key)).concat();
    if commands.iter().any(|command| WAITING.iter().any(|word| command.as_str().contains(word))) {
        return None;
    }
    if waits_for_network(server, unit, DEPTH) {
        return None;
    }
    let after = unit.names("Unit", "After");
    Some(after.first().map_or(place, |first| first.span))
}

fn waits_for_network(server: &Server<'_>, unit: &Unit, depth: usize) -> bool {
    let find = |path: &str| server.find(path);
    unit.names("Unit", "After").iter().any(|name| {
        // Docker and clouds' own set-up wait for it themselves.
        let is_known = ["online", "docker", "cloud-", "containerd"];
        is_known.iter().any(|known| name.value.contains(known))
            || depth > 0
                && units::load(&server.files, &find, &name.value)
                    .is_some_and(|other| waits_for_network(server, &other, depth - 1))
    })
}

#[cfg(test)]
mod tests {
    use super::Starters;
    use crate::source::{Sources, Text};

    fn starters(files: &[(&str, &str)]) -> Starters {
        let mut sources = Sources::default();
        let text = |sources: &mut Sources, name: &str, text: &str| -> Text {
            let file = sources.add(name, text);
            sources.text(file)
        };
        let texts = files.iter().map(|(name, content)| ((*name).to_owned(), text(&mut sources, name, content)));
        Starters { texts: texts.collect(), names: Default::default() }
    }

    #[test]
    fn who_asks_for_a_service() {
        let asked = |name: &str, text: &str| starters(&[(name, text)]).mention("inn.service");
        assert!(asked("site.target", "Wants=inn.service"));
        assert!(asked("rc.local", "systemctl start inn"));
        assert!(asked("inn.timer", "[Timer]"));
        assert!(!asked("inn.service", "ExecStart=/bin/inn start"));
        assert!(!asked("oak.service", "Description=not for the inn"));
        assert!(starters(&[("run.service", "ExecStart=/usr/bin/pm2 resurrect")]).mention("pm2"));
    }

    #[test]
    fn who_makes_a_folder() {
        let made = |text: &str| starters(&[("dirs.service", text)]).make("/run/inn");
        assert!(made("ExecStart=/bin/mkdir -p /var/run/inn"));
        assert!(!made("ExecStart=/bin/mkdir -p /run/oak") && !made("PIDFile=/run/inn/pid"));
    }
}
