//! Settings of systemd units that stand where systemd does not look for them, and commands that it refuses.

use crate::site::Site;
use crate::site::trouble::{Trouble, UnitTrouble, UnitWhy};
use crate::source::Sources;
use crate::syntax::ini::{self, Style};

/// Settings of `[Service]` that keep a program running (systemd.service(5)).
const OF_SERVICE: &[&str] = &["Restart"];

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
        }
    }
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
        for command in ["app --port 80", "/srv/app", "%h/app", "@/bin/app app"] {
            assert!(troubles(&format!("[Service]\nExecStart={command}\n")).is_empty(), "{command}");
        }
    }
}
