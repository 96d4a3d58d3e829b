//! How long a second proxy waits for what a first one sends it.

use rustc_hash::FxHashMap;

use crate::site::Site;
use crate::site::listener::Endpoint;
use crate::site::machine::MachineId;
use crate::site::proxy::{Hop, RoutePath, Wait};
use crate::site::reach::ListenerId;

/// Seconds: who waits longer than this means "for ever", as for WebSockets.
pub const LONG: f64 = 900.0;

/// With more routes than this paths are not compared one by one.
const MANY: usize = 64;

/// What all proxies of a site take in, and where it goes.
pub struct SecondProxies<'s> {
    site: &'s Site,
    servers: FxHashMap<(MachineId, Endpoint), Vec<usize>>,
    /// The shortest wait for what is taken in on an address.
    shortest: FxHashMap<(MachineId, Endpoint), &'s Wait>,
    hops: FxHashMap<usize, Vec<&'s Hop>>,
    routes: FxHashMap<usize, Vec<&'s RoutePath>>,
}

impl<'s> SecondProxies<'s> {
    pub fn of(site: &'s Site) -> SecondProxies<'s> {
        let mut hops: FxHashMap<usize, Vec<&Hop>> = FxHashMap::default();
        for hop in &site.hops {
            if let Some(server) = hop.route.and_then(|route| site.routes[route].server) {
                hops.entry(server).or_default().push(hop);
            }
        }
        let mut routes: FxHashMap<usize, Vec<&RoutePath>> = FxHashMap::default();
        for route in &site.routes {
            if let Some(server) = route.server {
                routes.entry(server).or_default().push(&route.path);
            }
        }
        let servers = site.servers_by_address();
        let mut shortest = FxHashMap::default();
        for (address, numbers) in &servers {
            let waits = numbers.iter().filter_map(|server| hops.get(server)).flatten();
            let waits = waits.filter_map(|hop| hop.waits.read.as_ref());
            if let Some(wait) = waits.min_by(|one, other| one.seconds.total_cmp(&other.seconds)) {
                shortest.insert(address.clone(), wait);
            }
        }
        SecondProxies { site, servers, shortest, hops, routes }
    }

    /// The longest wait that is written for a path which this hop sends there; where paths do not tell, the shortest of
    /// all waits.
    pub fn wait(&self, first: &Hop, id: ListenerId) -> Option<&'s Wait> {
        let address = (id.machine, self.site.listener(id).endpoint.of_any_family());
        let servers = self.servers.get(&address)?;
        let longest = match servers[..] {
            // Which of several servers takes a request depends on the name that is asked for.
            [server] => self.longest(first, server),
            _ => None,
        };
        longest.or(self.shortest.get(&address).copied())
    }

    fn longest(&self, first: &Hop, server: usize) -> Option<&'s Wait> {
        let route = &self.site.routes[first.route?];
        let own = self.routes.get(&route.server?).filter(|own| own.len() <= MANY)?;
        let (hops, inner) = (self.hops.get(&server)?, self.routes.get(&server)?);
        // A pattern may take any path away from the others.
        if own.iter().any(|path| matches!(path, RoutePath::Pattern(_))) || inner.len() > MANY {
            return None;
        }
        let is_sent = |hop: &&&Hop| {
            let Some(path) = hop.route.map(|route| &self.site.routes[route].path) else { return false };
            let Some((asked, arrives)) = example(&route.path, first.uri.as_deref(), path) else { return false };
            chosen(own, &asked) == prefix(&route.path) && chosen(inner, &arrives) == prefix(path)
        };
        let written = hops.iter().filter(is_sent).filter_map(|hop| hop.waits.read.as_ref());
        let written = written.filter(|wait| wait.written.is_some() && wait.seconds <= LONG);
        written.max_by(|one, other| one.seconds.total_cmp(&other.seconds))
    }
}

/// The text with which the paths of a route begin.
fn prefix(path: &RoutePath) -> Option<&str> {
    match path {
        RoutePath::All => Some("/"),
        RoutePath::Prefix(path) | RoutePath::Exact(path) => Some(path),
        RoutePath::Pattern(_) | RoutePath::Named(_) => None,
    }
}

/// A path that the first route takes and that arrives in the second one: as it is asked for, and as it arrives.
/// `uri` is what the first proxy puts in place of the part that its route names.
fn example(first: &RoutePath, uri: Option<&str>, second: &RoutePath) -> Option<(String, String)> {
    let (from, wanted) = (prefix(first)?, prefix(second)?);
    let to = uri.unwrap_or(from);
    if to.contains('$') {
        return None;
    }
    match wanted.strip_prefix(to) {
        Some("") => Some((from.to_owned(), to.to_owned())),
        Some(rest) if !matches!(first, RoutePath::Exact(_)) => Some((format!("{from}{rest}"), wanted.to_owned())),
        Some(_) => None,
        None => to.starts_with(wanted).then(|| (from.to_owned(), to.to_owned())),
    }
}

/// Which route takes a path: the one that names all of it, else the longest that it begins with.
fn chosen<'p>(routes: &[&'p RoutePath], path: &str) -> Option<&'p str> {
    if let Some(RoutePath::Exact(exact)) =
        routes.iter().find(|route| matches!(route, RoutePath::Exact(it) if it == path))
    {
        return Some(exact);
    }
    let prefixes = routes.iter().filter(|route| !matches!(route, RoutePath::Exact(_)));
    prefixes
        .filter_map(|route| prefix(route))
        .filter(|prefix| path.starts_with(prefix))
        .max_by_key(|prefix| prefix.len())
}

#[cfg(test)]
mod tests {
    use super::{chosen, example};
    use crate::site::proxy::RoutePath;

    fn at(path: &str) -> RoutePath {
        RoutePath::Prefix(path.to_owned())
    }

    #[test]
    fn paths_are_followed_through_two_proxies() {
        let pair = |asked: &str, arrives: &str| Some((asked.to_owned(), arrives.to_owned()));
        assert_eq!(example(&at("/"), None, &at("/export/")), pair("/export/", "/export/"));
        assert_eq!(example(&at("/api/"), None, &at("/")), pair("/api/", "/api/"));
        assert_eq!(example(&at("/api/"), Some("/"), &at("/export/")), pair("/api/export/", "/export/"));
        assert_eq!(example(&at("/api/"), None, &at("/export/")), None);
        assert_eq!(example(&RoutePath::Exact("/a".to_owned()), None, &at("/a/b")), None);
    }

    #[test]
    fn the_longest_route_takes_a_path() {
        let (root, export, exact) = (at("/"), at("/export/"), RoutePath::Exact("/export/all".to_owned()));
        let routes = [&root, &export, &exact];
        assert_eq!(chosen(&routes, "/export/new"), Some("/export/"));
        assert_eq!(chosen(&routes, "/export/all"), Some("/export/all"));
        assert_eq!(chosen(&routes, "/"), Some("/"));
    }
}
