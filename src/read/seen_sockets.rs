//! Tables of the sockets that were open on the host: what they show listens, and of that kind nothing else does.

use std::collections::HashSet;

use crate::coverage::Read;
use crate::site::listener::{Bind, Endpoint, Evidence, Listener};
use crate::site::machine::{HostPort, MachineId};
use crate::site::sockets::normal;
use crate::site::{Seen, Site};
use crate::source::{FileId, Sources, Span};
use crate::syntax::socket_table::{Address, Row, parse};

/// What holds a published port open for a container.
const FORWARDERS: &[&str] = &["docker-proxy", "rootlesskit", "rootlessport", "conmon", "pasta", "slirp4netns"];

/// Puts the tables into the host; tells how each of them was read.
///
/// What the host's own proxies are told to open stays: they open it with their next start. Of all else that files said
/// of sockets of a kind that the tables show, only what was seen stays, at the place where it was seen.
pub fn read(site: &mut Site, sources: &Sources, host: MachineId) -> Vec<(FileId, Read)> {
    let tables: Vec<_> = sources.told.sockets.iter().map(|file| (*file, parse(&sources.text(*file)))).collect();
    let rows: Vec<&Row> = tables.iter().flat_map(|(_, table)| &table.rows).collect();
    let is_unclear = tables.iter().any(|(_, table)| !table.unclear.is_empty());
    let is_tcp = |row: &&&Row| matches!(row.address, Address::Tcp(..));
    let seen = Seen { tcp: rows.iter().any(|row| is_tcp(&row)), unix: rows.iter().any(|row| !is_tcp(&row)) };
    if seen.tcp || seen.unix {
        replace(site, host, &rows, seen);
    }
    // A name in place of a port may stand for any.
    site.seen = Seen { tcp: seen.tcp && !is_unclear, ..seen };
    let how = tables.iter().map(|(file, table)| {
        let how = match (table.rows.len(), table.unclear.first()) {
            (_, Some(text)) => {
                Read::Partly(format!("`{text}` is no number of a port; ask `ss` or `netstat` with `-n`"))
            }
            (0, None) => Read::No("no line of it is a listening socket".to_owned()),
            _ => Read::Whole,
        };
        (*file, how)
    });
    how.collect()
}

fn replace(site: &mut Site, host: MachineId, rows: &[&Row], seen: Seen) {
    let own: HashSet<Span> = site
        .servers
        .iter()
        .filter(|server| site.proxy(server.proxy).machine == Some(host))
        .flat_map(|server| server.listens.iter().map(|listen| listen.place))
        .collect();
    let mut rows: Vec<(&Row, Endpoint)> = rows
        .iter()
        .filter_map(|row| Some((*row, endpoint(row)?)))
        .filter(|(row, at)| !is_of_container(site, host, row, at))
        .collect();
    let machine = &mut site.machines[host.0];
    let processes = std::mem::take(&mut machine.listener_processes);
    let seen_process = processes.iter().max().map_or(0, |last| last + 1);
    let mut kept: Vec<Listener> = Vec::new();
    let mut kept_processes = Vec::new();
    let mut numbers: Vec<Option<usize>> = Vec::new();
    for (index, mut listener) in std::mem::take(&mut machine.listening.listeners).into_iter().enumerate() {
        let is_shown = match listener.endpoint {
            Endpoint::Tcp { .. } => seen.tcp,
            Endpoint::Unix { .. } => seen.unix,
        };
        let is_own = own.contains(&listener.place);
        if is_shown {
            let before = rows.len();
            let first = rows.iter().find(|(_, at)| is_same(&listener.endpoint, at)).cloned();
            rows.retain(|(_, at)| !is_same(&listener.endpoint, at));
            match first {
                Some((row, at)) if !is_own => {
                    // More lines of it are other addresses of the same port.
                    if before - rows.len() == 1 {
                        listener.endpoint = at;
                    }
                    listener.evidence = Evidence::Binding;
                    listener.place = row.text.whole();
                    listener.bind_place = listener.place;
                    listener.why = why(row);
                }
                None if !is_own => {
                    numbers.push(None);
                    continue;
                }
                _ => {}
            }
        }
        numbers.push(Some(kept.len()));
        kept_processes.push(processes.get(index).copied().unwrap_or(seen_process));
        kept.push(listener);
    }
    for (row, endpoint) in rows {
        let place = row.text.whole();
        kept_processes.push(seen_process);
        kept.push(Listener {
            endpoint,
            protocol: None,
            evidence: Evidence::Binding,
            place,
            bind_place: place,
            why: why(row),
            anywhere: None,
            access: None,
        });
    }
    for service in &mut machine.services {
        service.listeners = service.listeners.iter().filter_map(|index| numbers.get(*index).copied()?).collect();
    }
    machine.listening.listeners = kept;
    machine.listener_processes = kept_processes;
}

fn why(row: &Row) -> String {
    match &row.program {
        Some(program) => format!("`{program}` was seen to"),
        None => "it was seen to".to_owned(),
    }
}

fn endpoint(row: &Row) -> Option<Endpoint> {
    match &row.address {
        Address::Tcp(address, port) => Some(Endpoint::Tcp { bind: address.map_or(Bind::Any, Bind::Only), port: *port }),
        Address::Unix(path) => Some(Endpoint::Unix { path: normal(path) }),
        Address::Nameless => None,
    }
}

/// The files say more of it than the table: a container of the site holds the port.
fn is_of_container(site: &Site, host: MachineId, row: &Row, at: &Endpoint) -> bool {
    let Endpoint::Tcp { port, .. } = at else { return false };
    let forwards = row.program.as_ref().is_none_or(|program| FORWARDERS.contains(&program.as_str()));
    site.machines.iter().enumerate().filter(|(number, _)| *number != host.0).any(|(_, machine)| {
        let is_published =
            |host: HostPort| matches!(host, HostPort::Fixed(first, last) if first <= *port && *port <= last);
        let publishes = || machine.published.iter().any(|published| is_published(published.host));
        let listens = || machine.listening.listeners.iter().any(|listener| is_same(&listener.endpoint, at));
        forwards && publishes() || machine.stack == host && listens()
    })
}

/// What the files say and what was seen can be one listener.
fn is_same(said: &Endpoint, seen: &Endpoint) -> bool {
    match (said, seen) {
        (Endpoint::Tcp { port, bind }, Endpoint::Tcp { port: seen_port, bind: seen_bind }) => {
            let is_elsewhere = match (bind, seen_bind) {
                (Bind::Only(said), Bind::Only(seen)) => said != seen,
                (Bind::Localhost | Bind::Loopbacks, Bind::Only(seen)) => !seen.is_loopback(),
                _ => false,
            };
            port == seen_port && !is_elsewhere
        }
        (Endpoint::Unix { path }, Endpoint::Unix { path: seen }) => normal(path) == *seen,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::read::read;
    use crate::source::Sources;

    #[test]
    fn services_keep_what_was_seen_of_them() {
        let mut sources = Sources::default();
        sources.told.is_server = true;
        let pool = |path: &str| {
            format!("[{path}]\nuser = www-data\nlisten = /run/php/{path}.sock\npm = static\npm.max_children = 2\n")
        };
        sources.add("etc/php/8.2/fpm/php-fpm.conf", "[global]\ninclude=/etc/php/8.2/fpm/pool.d/*.conf\n");
        sources.add("etc/php/8.2/fpm/pool.d/a.conf", pool("a"));
        sources.add("etc/php/8.2/fpm/pool.d/b.conf", pool("b"));
        sources.add("etc/nginx/nginx.conf", "events {}\nhttp { server { listen 80; } }\n");
        let start = "[Service]\nExecStart=/usr/sbin/php-fpm8.2 --nodaemonize --fpm-config /etc/php/8.2/fpm/php-fpm.conf\n[Install]\nWantedBy=multi-user.target\n";
        sources.add("etc/systemd/system/multi-user.target.wants/php8.2-fpm.service", start);
        let pools = |sources: &Sources| -> Vec<String> {
            let site = read(sources).site;
            let machine = &site.machines[0];
            let service = machine.services.iter().find(|service| service.name.starts_with("php"));
            let indices = service.map_or(&[][..], |service| &service.listeners);
            indices.iter().map(|index| format!("{:?}", machine.listening.listeners[*index].endpoint)).collect()
        };
        assert_eq!(pools(&sources).len(), 2);
        sources.add_sockets("ss", "u_str LISTEN 0 4096 /run/php/b.sock 24013 * 0\n");
        assert_eq!(pools(&sources), ["Unix { path: \"/run/php/b.sock\" }"]);
    }
}
