//! Settings of systemd units that stand where systemd does not look for them, and commands that it refuses.

use crate::read::host::words;
use crate::site::Site;
use crate::site::trouble::{Trouble, UnitTrouble, UnitWhy};
use crate::source::{Sources, Span, Text};
use crate::syntax::ini::{self, Style};

/// Settings of `[Service]` that keep a program running (systemd.service(5)).
const OF_SERVICE: &[&str] = &["Restart"];

/// Commands that are part of a shell and no programs.
const BUILTINS: &[&str] = &["cd", "source", ".", "export", "set", "unset", "alias", "eval", "ulimit", "umask"];

/// Characters in front of a command that are no part of it (systemd.service(5), "special executable prefixes").
const PREFIXES: &[char] = &['@', '-', ':', '+', '!', '|'];

/// Reads every unit of the tree.
pub fn read(site: &mut Site, sources: &Sources) {
    for (file, source) in sources.files().filter(|(_, source)| source.path.ends_with(".service")) {
        let unit = source.path.rsplit('/').next().unwrap_or_default();
        let ini = ini::parse(&sources.text(file), Style::SYSTEMD);
        let service = || ini.sections.iter().filter(|section| section.name.value == "Service");
        let has = |key: &str| service().any(|section| section.entries.iter().any(|(known, _)| known.value == key));
        if !has("ExecStart") {
            continue;
        }
        let mut add = |place, why| {
            site.troubles.push(Trouble::Unit(UnitTrouble { unit: unit.to_owned(), place, why }));
        };
        for section in ini.sections.iter().filter(|section| matches!(&*section.name.value, "Unit" | "Install")) {
            let misplaced = section.entries.iter().filter(|(key, _)| OF_SERVICE.contains(&key.value.as_str()));
            for (key, value) in misplaced.filter(|(key, value)| !has(&key.value) && *value != "no") {
                let setting = format!("{}={value}", key.value);
                let why = UnitWhy::Misplaced { setting, section: section.name.value.clone() };
                add(key.span.to(value.whole()), why);
            }
        }
        for (key, value) in service().flat_map(|section| &section.entries).filter(|(key, _)| key.value == "ExecStart") {
            let Some(word) = value.as_str().split_whitespace().next() else { continue };
            let program = word.trim_start_matches(PREFIXES).trim_matches(['"', '\'']);
            if program.contains('/') && !program.starts_with(['/', '%', '$']) {
                let place = value.slice(0..word.len()).whole();
                add(place, UnitWhy::NotAbsolute { setting: key.value.clone(), program: program.to_owned() });
            }
            if let Some(word) = of_a_shell(value) {
                add(word.whole(), UnitWhy::NoShell { word: word.as_str().to_owned() });
            }
        }
        let user = service().flat_map(|section| &section.entries).rfind(|(key, _)| key.value == "User");
        if let Some((_, user)) = user.filter(|_| !has("DynamicUser"))
            && let Some(passwd) = passwd_without(sources, &source.path, user.as_str())
        {
            add(user.whole(), UnitWhy::UnknownUser { user: user.as_str().to_owned(), passwd });
        }
    }
}

/// A word of a start command that takes a shell: a builtin or an assignment in front, a list of commands behind. Inside
/// of quotes they belong to a shell that is started.
fn of_a_shell(command: &Text) -> Option<Text> {
    let words = words::plain(command);
    let first = words.first()?;
    let name = first.as_str().trim_start_matches(PREFIXES);
    let is_name = |name: &str| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|byte| byte.is_ascii_uppercase())
            && bytes.all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let assigns = name.split_once('=').is_some_and(|(name, _)| is_name(name));
    if assigns || BUILTINS.contains(&name) {
        return Some(first.clone());
    }
    words.into_iter().find(|word| ["&&", "||", "|"].contains(&word.as_str()) && !is_quoted(word, command))
}

/// A quoted word begins behind its quote.
fn is_quoted(word: &Text, command: &Text) -> bool {
    let at = (word.whole().start - command.whole().start) as usize;
    at > 0 && matches!(command.as_str().as_bytes().get(at - 1), Some(b'"' | b'\''))
}

/// The /etc/passwd of the tree that a unit of the administrator lies in, when it has no user of this name.
fn passwd_without(sources: &Sources, unit: &str, user: &str) -> Option<Span> {
    let (root, _) = unit.split_once("etc/systemd/system/")?;
    let is_plain = !user.is_empty() && !user.contains('%') && !user.bytes().all(|byte| byte.is_ascii_digit());
    let text = sources.text(sources.read(&format!("{root}etc/passwd"))?);
    let has = |user: &str| text.as_str().lines().any(|line| line.split(':').next() == Some(user));
    // A list without root is not that of a server; what systemd-sysusers makes at boot need not be in it yet.
    let is_made = ["etc/sysusers.d/", "usr/lib/sysusers.d/"].iter().any(|folder| {
        let folder = format!("{root}{folder}");
        sources.files().any(|(_, source)| source.path.starts_with(&folder) && source.text.contains(user))
    });
    (is_plain && has("root") && !has(user) && !is_made).then(|| text.span(0..0))
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::site::Site;
    use crate::site::trouble::Trouble;
    use crate::source::Sources;

    fn troubles(unit: &str) -> Vec<String> {
        let mut sources = Sources::default();
        sources.add("etc/systemd/system/app.service", unit);
        let mut site = Site::default();
        read(&mut site, &sources);
        let quote = |trouble: &Trouble| match trouble {
            Trouble::Unit(trouble) => sources.quote(trouble.place).to_owned(),
            other => format!("{other:?}"),
        };
        site.troubles.iter().map(quote).collect()
    }

    #[test]
    fn settings_in_the_wrong_section() {
        let unit = "[Unit]\nRestart=always\n[Service]\nExecStart=/usr/bin/app\n";
        assert_eq!(troubles(unit), ["Restart=always"]);
        assert!(troubles(&format!("{unit}Restart=on-failure\n")).is_empty());
        assert!(troubles("[Unit]\nRestart=always\n").is_empty());
    }

    #[test]
    fn commands_have_to_be_absolute() {
        assert_eq!(troubles("[Service]\nExecStart=-bin/app --port 80\n"), ["-bin/app"]);
        for command in ["app --port 80", "/srv/app", "%h/app", "@/bin/app app", "/bin/sh -c 'cd /srv && ./app'"] {
            assert!(troubles(&format!("[Service]\nExecStart={command}\n")).is_empty(), "{command}");
        }
    }

    #[test]
    fn systemd_is_no_shell() {
        let unit = |command: &str| troubles(&format!("[Service]\nExecStart={command}\n"));
        assert_eq!(unit("cd /srv/app && ./app"), ["cd"]);
        assert_eq!(unit("PORT=80 /srv/app"), ["PORT=80"]);
        assert_eq!(unit("/srv/app && /srv/other"), ["&&"]);
        assert_eq!(unit("/srv/app '&&'"), [""; 0]);
        assert_eq!(unit("/bin/sh -c \"PORT=80 exec /srv/app | tee log\""), [""; 0]);
    }
}
