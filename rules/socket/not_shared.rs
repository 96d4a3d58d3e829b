//! A unix socket is made in one container and looked for in another one that does not share its folder.

use crate::finding::Findings;
use crate::rules::{Rule, words};
use crate::site::Site;
use crate::site::listener::Endpoint;
use crate::site::machine::{Machine, MachineId, MountSource};
use crate::site::proxy::{Hop, Target};
use crate::site::reach::{End, ListenerId, Reach};
use crate::site::sockets::{self, Missing, MissingWhy};
use crate::source::Span;

pub const RULE: Rule = Rule { id: "socket/not-shared", doc: include_str!("not_shared.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for (end, hop) in site.ends() {
        let Reach::Socket(Missing { why: MissingWhy::NotShared { listener }, .. }) = &end.reach else { continue };
        let (Some(home), Some(Target::Unix { path })) = (site.proxy(hop.proxy).machine, site.target(end)) else {
            continue;
        };
        if listener.machine == home {
            add_own_tmp(site, end, hop, home, *listener, &path.value, findings);
        } else {
            add(site, end, hop, home, *listener, &path.value, findings);
        }
    }
}

fn add(site: &Site, end: &End, hop: &Hop, home: MachineId, id: ListenerId, path: &str, findings: &mut Findings) {
    let (proxy, backend) = (site.machine(home), site.machine(id.machine));
    let Endpoint::Unix { path: bound } = &site.listener(id).endpoint else { return };
    let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
    let (proxy_name, backend_name) = (words::name(proxy), words::name(backend));
    let (at_proxy, at_backend) = (shared_place(proxy, path), shared_place(backend, bound));
    let (place, help) = match (at_proxy, at_backend) {
        (None, Some(_)) => {
            (proxy.place, format!("mount what {backend_name} has at `{folder}` in {proxy_name} as well"))
        }
        (Some(_), None) => {
            (backend.place, format!("mount what {proxy_name} has at `{folder}` in {backend_name} as well"))
        }
        (Some(own), Some(_)) => (own, format!("mount the same volume at `{folder}` in both")),
        (None, None) => (proxy.place, format!("mount one volume at `{folder}` in {proxy_name} and {backend_name}")),
    };
    let elsewhere = elsewhere(proxy, backend, bound).filter(|_| at_proxy.is_none());
    let finding = match elsewhere {
        Some((mount, seen)) => {
            let message = format!("the socket of {backend_name} is `{seen}` in {proxy_name}, not `{path}`");
            findings.error(mount, message).help(format!("mount it at `{folder}` here, or connect to `{seen}`"))
        }
        None => {
            let message =
                format!("{proxy_name} and {backend_name} do not share `{folder}`, so the socket in it is not seen");
            findings.error(place, message).help(help)
        }
    };
    finding.note(end.place, format!("{} here: it looks for `{path}`", words::refusal(site, end, hop)));
    finding.note(site.listener(id).place, words::listens(site, id));
    if let Some(mount) = at_backend {
        finding.note(mount, format!("{backend_name} has the folder from here"));
    }
}

/// Where the proxy mounts what the backend has over its socket at another path, and the path of the socket there.
fn elsewhere(proxy: &Machine, backend: &Machine, bound: &str) -> Option<(Span, String)> {
    let bound = sockets::normal(bound);
    let theirs = sockets::covering(backend, &bound)?;
    let (MountSource::Volume(_) | MountSource::Snapshot(_) | MountSource::Host(_)) = theirs.from else { return None };
    let rest = bound.strip_prefix(sockets::normal(&theirs.target).trim_end_matches('/'))?.to_owned();
    let own = proxy.mounts.iter().find(|mount| mount.from == theirs.from)?;
    Some((own.place, format!("{}{rest}", own.target.trim_end_matches('/'))))
}

/// Both run on one server, and one of them has a `/tmp` of its own.
fn add_own_tmp(
    site: &Site,
    end: &End,
    hop: &Hop,
    home: MachineId,
    id: ListenerId,
    path: &str,
    findings: &mut Findings,
) {
    let machine = site.machine(home);
    let backend = machine.service_of(id.index);
    let proxy = machine.service_of_proxy(hop.proxy);
    let services = || [backend, proxy].into_iter().flatten();
    let path = sockets::normal(path);
    let is_tmp = sockets::is_tmp(&path);
    let own = services().filter(|_| is_tmp).find_map(|service| Some((service, service.own_tmp.as_ref()?)));
    let hidden = || services().find_map(|service| Some((service, sockets::hides(service, &path)?)));
    let Some((service, setting)) = own.or_else(hidden) else { return };
    let folder = if path.starts_with("/var/") { "/var/tmp" } else { "/tmp" };
    let message = match is_tmp {
        true => format!("`{}` has a `{folder}` of its own, so nobody else sees the sockets in it", service.name),
        false => format!("`{}` sees nothing of `{}`, where the socket is", service.name, setting.value),
    };
    let finding = findings.error(setting.span, message);
    finding.note(end.place, format!("{} here: it looks for `{path}`", words::refusal(site, end, hop)));
    finding.note(site.listener(id).place, words::listens(site, id));
    finding.help("let it listen below `/run`, in a folder of its own (`RuntimeDirectory=`), and connect to it there");
}

/// Where the machine mounts something over the path that another machine may mount, too.
fn shared_place(machine: &Machine, path: &str) -> Option<Span> {
    let mount = sockets::covering(machine, &sockets::normal(path))?;
    match mount.from {
        MountSource::Private | MountSource::Text => None,
        _ => Some(mount.place),
    }
}
