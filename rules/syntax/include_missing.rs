//! A config pulls in a file that is not there.

use crate::finding::{Findings, Level};
use crate::rules::{Rule, words};
use crate::site::Site;
use crate::site::machine::{Kind, MachineId};
use crate::site::trouble::Trouble;

pub const RULE: Rule = Rule { id: "syntax/include-missing", doc: include_str!("include_missing.md"), check };

/// Files that packages of nginx bring and that people seldom keep among their own.
const BROUGHT: &[&str] = &[
    "/mime.types",
    "/fastcgi_params",
    "/fastcgi.conf",
    "/uwsgi_params",
    "/scgi_params",
    "/proxy_params",
    "/snippets/fastcgi-php.conf",
];

fn check(site: &Site, findings: &mut Findings) {
    for trouble in &site.troubles {
        let Trouble::IncludeMissing { place, path, machine } = trouble else { continue };
        if words::is_made_later(path) || machine.is_some_and(|id| lies_in_missing_mount(site, id, path)) {
            continue;
        }
        let machine = machine.map(|id| site.machine(id));
        if machine.is_some_and(|machine| machine.may_have_links) && BROUGHT.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        // Of a server a repository seldom holds everything; what is in an image is known or not.
        let level =
            if machine.is_some_and(|machine| machine.kind == Kind::Container) { Level::Error } else { Level::Warning };
        let message = match machine {
            Some(machine) if machine.kind == Kind::Container => format!("`{path}` is not there in `{}`", machine.name),
            _ => format!("`{path}` is not there"),
        };
        findings
            .add(level, *place, message)
            .label("without it, the config is refused")
            .help("add the file, mount it there, or include with a wildcard if it may be absent");
    }
}

/// The folder itself comes from elsewhere and is not there: that is another finding, or made at deploy time.
fn lies_in_missing_mount(site: &Site, machine: MachineId, path: &str) -> bool {
    site.troubles.iter().any(|trouble| match trouble {
        Trouble::MountSourceMissing(missing) => {
            missing.machine == machine && path.strip_prefix(&missing.target).is_some_and(|rest| rest.starts_with('/'))
        }
        _ => false,
    })
}
