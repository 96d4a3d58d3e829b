//! Start commands that cannot work: what they name is not there, cannot be run, or is hidden by a mount.

use crate::finding::Findings;
use crate::rules::{Rule, words};
use crate::site::Site;
use crate::site::machine::{Attached, MachineId};
use crate::site::proxy::{Host, Target};
use crate::site::trouble::{PoolTrouble, PoolWhy, StartTrouble, StartWhy, Trouble, UnitTrouble, UnitWhy};

pub const RULE: Rule = Rule { id: "lifecycle/start-command", doc: include_str!("start_command.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for trouble in &site.troubles {
        match trouble {
            // Helpers that only hold files or are called by hand may end.
            Trouble::Start(StartTrouble { machine, why: StartWhy::EndsAtOnce { .. }, .. })
                if !is_asked(site, *machine) => {}
            Trouble::Start(trouble) => add(site, trouble, findings),
            Trouble::Unit(UnitTrouble { unit, place, why: UnitWhy::NotAbsolute { setting, program } }) => {
                let message = format!("systemd refuses `{unit}`: `{program}` is no absolute path");
                let finding = findings.warning(*place, message).label(format!("the program of `{setting}`"));
                finding.help("write the whole path; `WorkingDirectory=` does not count here");
            }
            Trouble::Unit(UnitTrouble { unit, place, why: UnitWhy::NoShell { word } }) => {
                let message = format!("systemd starts `{unit}` without a shell, and `{word}` takes one");
                let finding = findings.warning(*place, message).label("taken for a program or an argument");
                finding.help("use `WorkingDirectory=` and `Environment=`, or start `/bin/sh -c '…'`");
            }
            Trouble::Unit(UnitTrouble { unit, place, why: UnitWhy::UnknownUser { user, passwd } }) => {
                let message = format!("systemd cannot start `{unit}` as `{user}`: there is no such user");
                let finding = findings.warning(*place, message).label("unknown on this server");
                finding.note(*passwd, "the users of the server").help("name a user that exists, or create it");
            }
            Trouble::Unit(UnitTrouble { unit, place, why: UnitWhy::NoFamily { setting, family, listener } }) => {
                let message = format!("`{unit}` can make no {family}: `{setting}`");
                let finding = findings.error(*place, message).label("nothing else is allowed here");
                if let Some(listener) = listener {
                    finding.note(*listener, "it is told to listen here");
                }
                let missing = if *family == "unix sockets" { "AF_UNIX" } else { "AF_INET AF_INET6" };
                finding.help(format!("add `{missing}`"));
            }
            Trouble::Pool(PoolTrouble { pool, place, why: PoolWhy::Prefix { path } }) => {
                let message = format!("php-fpm does not start for pool `{pool}`: `unix:` is no host with a port");
                let finding =
                    findings.error(*place, message).label("a path is written without anything in front of it");
                finding.help(format!("write `listen = {path}`"));
            }
            Trouble::Pool(PoolTrouble { pool, place, why: PoolWhy::Numbers { message, other } }) => {
                let finding = findings.error(*place, format!("php-fpm does not start for pool `{pool}`: {message}"));
                finding.label("then none of its sockets is there");
                if let Some(other) = other {
                    finding.note(*other, "the other number");
                }
                finding
                    .help("`pm.min_spare_servers` ≤ `pm.start_servers` ≤ `pm.max_spare_servers` ≤ `pm.max_children`");
            }
            Trouble::Pool(PoolTrouble { pool, place, why: PoolWhy::UnknownUser { user, passwd } }) => {
                let message =
                    format!("php-fpm does not start: pool `{pool}` runs as `{user}`, and there is no such user");
                let finding = findings.warning(*place, message).label("unknown on this server");
                finding.note(*passwd, "the users of the server").help("name a user that exists, or create it");
            }
            _ => {}
        }
    }
}

/// A proxy sends requests to one of its names.
fn is_asked(site: &Site, id: MachineId) -> bool {
    let Attached::Networks(attachments) = &site.machine(id).attached else { return false };
    let is_name = |name: &str| attachments.iter().any(|it| it.names.iter().any(|own| own.eq_ignore_ascii_case(name)));
    site.ends().any(|(end, _)| match site.target(end) {
        Some(Target::Tcp { host, .. }) => matches!(&host.value, Host::Name(name) if is_name(name)),
        _ => false,
    })
}

fn add(site: &Site, trouble: &StartTrouble, findings: &mut Findings) {
    let name = words::name(site.machine(trouble.machine));
    let place = trouble.place;
    match &trouble.why {
        StartWhy::Missing { path, elsewhere } => {
            let message = format!("{name} starts `{path}`, which is not there");
            let finding = findings.warning(place, message).label("no such file on the machine");
            match elsewhere {
                Some((other, copied)) => {
                    finding.note(*copied, format!("this puts it at `{other}`"));
                    finding.help(format!("start `{other}`"));
                }
                None => {
                    finding.help("copy the file into the image, or correct the path");
                }
            }
        }
        StartWhy::NoScript { name: script, package, scripts } => {
            let message = format!("{name} runs the script `{script}`, which `package.json` does not have");
            let finding = findings.warning(place, message).label("ends with `Missing script`");
            finding.note(*package, format!("this has {}", words::list(scripts.iter().map(String::as_str))));
            finding.help("run a script that is there, or add this one");
        }
        StartWhy::CarriageReturns { path, file } => {
            let message = format!("{name} cannot run `{path}`: its lines end in carriage returns");
            let finding = findings.warning(place, message).label("starts this script");
            finding.note(*file, "the name of the interpreter ends in an invisible carriage return");
            finding.help("save it with line feeds only, and keep it so: `*.sh text eol=lf` in `.gitattributes`");
        }
        StartWhy::EndsAtOnce { command } => {
            let message =
                format!("{name} ends as soon as it starts: `{command}` waits for input, and nobody types any");
            let finding = findings.warning(place, message).label("starts this, which leaves nothing running");
            finding.help("take the variant of the image that serves, or give the service a `command`");
        }
        StartWhy::NotExecutable { path, file } => {
            let message = format!("{name} cannot run `{path}`: it is not executable");
            let finding = findings.warning(place, message).label("runs it by itself");
            finding.note(*file, "this file has no execute bit");
            finding.help(format!("`chmod +x` the file, or let a shell read it: `sh {path}`"));
        }
        StartWhy::Hidden { folder, installed, target } => {
            let message = format!("the mount at `{target}` hides `{folder}` from {name}");
            let finding =
                findings.warning(place, message).label("nothing of that name is in the folder that is mounted");
            finding.note(*installed, "the build puts the packages there");
            finding.help(format!("add a volume `{folder}` to {name}, or do not mount over what the build made"));
        }
        StartWhy::ModuleMissing { module, folder, candidates } => {
            let message = format!("{name} starts the module `{module}`, which is not in `{folder}`");
            let finding = findings.warning(place, message).label("cannot be imported");
            for (candidate, file) in candidates {
                finding.note(*file, format!("this is the module `{candidate}`"));
            }
            if let [(only, _)] = candidates.as_slice() {
                finding.help(format!("start `{only}`"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::example::{container, place, said, site};
    use crate::site::trouble::{StartTrouble, StartWhy, Trouble};

    #[test]
    fn each_reason_has_its_words() {
        let said = |why: StartWhy| {
            let mut site = site();
            let machine = container(&mut site, "api", 80);
            site.troubles.push(Trouble::Start(StartTrouble { machine, place: place(3), why }));
            said(&RULE, &mut site)
        };
        let path = || "/start.sh".to_owned();
        assert_eq!(
            said(StartWhy::Missing { path: path(), elsewhere: None }),
            "warning at 3: `api` starts `/start.sh`, which is not there\n"
        );
        assert_eq!(
            said(StartWhy::NotExecutable { path: path(), file: place(1) }),
            "warning at 3: `api` cannot run `/start.sh`: it is not executable\n"
        );
        let hidden = StartWhy::Hidden { folder: "/a/vendor".to_owned(), installed: place(1), target: "/a".to_owned() };
        assert_eq!(said(hidden), "warning at 3: the mount at `/a` hides `/a/vendor` from `api`\n");
    }
}
