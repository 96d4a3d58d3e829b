//! What else may start a service or make a folder: other units, timers, scripts, tables of cron.

use std::collections::{BTreeSet, HashMap};

use crate::read::host::folders;
use crate::read::host::inventory::{ADMINISTRATOR, links};
use crate::read::host::server::Server;

const SCRIPTS: [&str; 4] = ["/etc/rc.local", "/etc/rc.d/rc.local", "/etc/crontab", "/etc/fstab"];
const FOLDERS_OF_SCRIPTS: [&str; 6] =
    ["/etc/cron.d", "/var/spool/cron/crontabs", "/var/spool/cron", "/etc/init.d", "/etc/local.d", "/etc/monit/conf.d"];

/// Words of a line that starts a service by its bare name.
const STARTING: [&str; 6] = ["systemctl", "service ", "pm2", "init.d", "start", "/bin/"];

/// Every file is read once, so that many services may ask.
#[derive(Default)]
pub struct Starters {
    /// Names, without their endings, of what starts a service of the same name: timers, targets, scripts, links.
    called: BTreeSet<String>,
    /// The names in lines that may start something, each with up to two files that say so.
    asked: HashMap<String, Vec<String>>,
    /// Folders below /run in files that make some, and those above them.
    made: BTreeSet<String>,
}

impl Starters {
    pub fn of(server: &Server<'_>) -> Starters {
        let mut starters = Starters::default();
        let mut add = |path: &str, name: &str| {
            if let Some(text) = server.text(path) {
                starters.add(name, text.as_str());
            }
        };
        for name in server.list(ADMINISTRATOR).names {
            let folder = format!("{ADMINISTRATOR}/{name}");
            match name.strip_suffix(".d") {
                Some(unit) => {
                    for file in server.list(&folder).names {
                        add(&format!("{folder}/{file}"), unit);
                    }
                }
                None => add(&folder, &name),
            }
        }
        for folder in FOLDERS_OF_SCRIPTS {
            for name in server.list(folder).names {
                add(&format!("{folder}/{name}"), &name);
            }
        }
        for path in SCRIPTS {
            add(path, path);
        }
        starters.called.extend(links(server).iter().map(|name| stem(name).to_owned()));
        starters
    }

    /// Takes in one file; `name`: that of the file, or of the unit that it belongs to.
    fn add(&mut self, name: &str, text: &str) {
        if !name.ends_with(".service") {
            self.called.insert(stem(name).to_owned());
        }
        for line in text.lines() {
            let is_start = STARTING.iter().any(|it| line.contains(it));
            for word in line.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.@".contains(c))) {
                let is_unit = word.ends_with(".service") || word.contains('@');
                if word.is_empty() || !(is_unit || is_start) {
                    continue;
                }
                let files = self.asked.entry(stem(word).to_owned()).or_default();
                if files.len() < 2 && !files.iter().any(|file| file == stem(name)) {
                    files.push(stem(name).to_owned());
                }
            }
        }
        if !folders::may_make(text) {
            return;
        }
        for (at, _) in text.match_indices("/run/") {
            let rest = &text[at..];
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.@%/".contains(c))).unwrap_or(rest.len());
            let path = rest[..end.min(LONGEST)].trim_end_matches('/');
            self.made.extend(with_those_above(path).map(str::to_owned));
        }
    }

    /// Something may make this folder, `/run/…`.
    pub fn make(&self, folder: &str) -> bool {
        self.made.contains(folder)
    }

    /// Something else than the unit itself asks for it, or a timer, path or script is called like it.
    pub fn mention(&self, unit: &str) -> bool {
        let stem = stem(unit);
        let longer = format!("{stem}-");
        let begins_so = self.called.range(longer.clone()..).next().is_some_and(|name| name.starts_with(&longer));
        begins_so
            || self.called.contains(stem)
            || self.asked.get(stem).is_some_and(|files| files.iter().any(|file| file != stem))
    }
}

/// A path that is longer, in bytes, is none.
const LONGEST: usize = 200;

/// The name of a unit without its instance and its kind.
fn stem(name: &str) -> &str {
    let end = name.strip_suffix(".service").unwrap_or(name);
    let end = end.split('@').next().unwrap_or(end);
    match end.rsplit_once('.') {
        Some((stem, "timer" | "path" | "target" | "socket" | "conf")) => stem,
        _ => end,
    }
}

/// A path, and the folders above it.
pub fn with_those_above(path: &str) -> impl Iterator<Item = &str> {
    let above = path.match_indices('/').map(|(at, _)| &path[..at]).filter(|above| !above.is_empty());
    std::iter::once(path).chain(above)
}

#[cfg(test)]
mod tests {
    use super::Starters;

    fn starters(name: &str, text: &str) -> Starters {
        let mut starters = Starters::default();
        starters.add(name, text);
        starters
    }

    #[test]
    fn who_asks_for_a_service() {
        let asked = |name: &str, text: &str| starters(name, text).mention("inn-rooms.service");
        assert!(asked("site.target", "Wants=inn-rooms.service"));
        assert!(asked("site.target", "Wants=inn-rooms@1.service inn-rooms@2.service"));
        assert!(asked("rc.local", "systemctl start inn-rooms"));
        assert!(asked("crontab", "@reboot root /etc/init.d/inn-rooms start"));
        assert!(asked("inn-rooms.timer", "[Timer]"));
        assert!(!asked("inn-rooms.service", "ExecStart=/bin/inn-rooms start"));
        assert!(!asked("oak.service", "Description=not for inn-rooms"));
        assert!(starters("run.service", "ExecStart=/usr/bin/pm2 resurrect").mention("pm2"));
        assert!(starters("pm2-kim.timer", "").mention("pm2"));
    }

    #[test]
    fn who_makes_a_folder() {
        let made = |text: &str| starters("dirs.service", text).make("/run/inn");
        assert!(made("ExecStart=/bin/mkdir -p /var/run/inn/rooms"));
        assert!(made("ExecStart=/usr/bin/install -d '/run/inn'"));
        assert!(!made("ExecStart=/bin/mkdir -p /run/inns") && !made("PIDFile=/run/inn/pid"));
    }
}
