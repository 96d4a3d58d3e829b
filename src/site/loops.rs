//! Hops that lead from one route of a proxy to another, and back to the first.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use crate::site::Site;
use crate::site::listener::Endpoint;
use crate::site::machine::MachineId;
use crate::site::proxy::{Hop, Route, RoutePath};
use crate::site::reach::{End, Reach};
use crate::source::Span;

/// Rounds through more proxies than this are not looked for.
const LONGEST: usize = 8;
/// Servers with more routes than this are not looked into: each step would go through all of them.
const MANY_ROUTES: usize = 400;

/// Marks the ends of [`Site::ends`] by which a request goes round through more than one route: those that deliver it to a
/// server of a proxy of the same site, which passes it on.
pub fn mark(site: &mut Site) {
    let steps = Steps::of(site);
    if steps.ends_by_route.is_empty() {
        return;
    }
    let mut rounds: BTreeSet<Vec<usize>> = BTreeSet::new();
    for first in steps.inner.iter().copied() {
        if let Some(round) = steps.round(site, first) {
            rounds.insert(round);
        }
    }
    let mut marked: BTreeMap<usize, Reach> = BTreeMap::new();
    for round in rounds {
        for (number, end) in round.iter().enumerate() {
            let (Some(route), Some(listen)) = (site.hops[site.ends[*end].hop].route, steps.listen(site, *end)) else {
                continue;
            };
            let rest = round.iter().cycle().skip(number + 1).take(round.len() - 1);
            let through = rest.map(|end| site.ends[*end].place).collect();
            marked.entry(*end).or_insert(Reach::Loop { listen, route, through });
        }
    }
    for (end, reach) in marked {
        site.ends[end].reach = reach;
    }
}

/// What is looked up at each step.
struct Steps {
    /// The only end by which a route passes its requests on.
    ends_by_route: FxHashMap<usize, usize>,
    /// Ends that deliver to a server of a proxy.
    inner: Vec<usize>,
    servers: FxHashMap<(MachineId, Endpoint), Vec<usize>>,
    routes: FxHashMap<usize, Vec<usize>>,
}

impl Steps {
    fn of(site: &Site) -> Steps {
        let mut steps = Steps {
            ends_by_route: FxHashMap::default(),
            inner: Vec::new(),
            servers: FxHashMap::default(),
            routes: FxHashMap::default(),
        };
        let servers = site.servers_by_address();
        let address = |end: &End| match end.reach {
            Reach::Delivered(id) => Some((site.listener(id), id.machine)),
            _ => None,
        };
        for (number, end) in site.ends.iter().enumerate() {
            let Some((listener, machine)) = address(end) else { continue };
            let key = (machine, listener.endpoint.of_any_family());
            if let Some(found) = servers.get(&key) {
                steps.servers.entry(key).or_insert_with(|| found.clone());
                steps.inner.push(number);
            }
        }
        if steps.inner.is_empty() {
            return steps;
        }
        let mut several: BTreeSet<usize> = BTreeSet::new();
        for (number, end) in site.ends.iter().enumerate() {
            let Some(route) = site.hops[end.hop].route else { continue };
            if steps.ends_by_route.insert(route, number).is_some() {
                several.insert(route);
            }
        }
        // Where another way is open the request may take that one.
        steps.ends_by_route.retain(|route, _| !several.contains(route));
        for (number, route) in site.routes.iter().enumerate() {
            if let Some(server) = route.server {
                steps.routes.entry(server).or_default().push(number);
            }
        }
        steps
    }

    /// The ends of a round that begins with this one, its smallest first; `None`: it does not lead back to its route, or
    /// only along its own route, which is known already.
    fn round(&self, site: &Site, first: usize) -> Option<Vec<usize>> {
        let mut round = vec![first];
        let mut path = own_path(site, first)?;
        for _ in 0..LONGEST {
            let last = *round.last()?;
            let hop = &site.hops[site.ends[last].hop];
            path = hop.uri.clone().unwrap_or(path);
            // A sign stands for what is only known at run time.
            if !path.is_ascii() {
                return None;
            }
            let next = self.next(site, last, hop, &path)?;
            if next == first {
                let smallest = round.iter().enumerate().min_by_key(|(_, end)| **end).map_or(0, |(at, _)| at);
                round.rotate_left(smallest);
                return Some(round);
            }
            if round.contains(&next) {
                return None;
            }
            round.push(next);
        }
        None
    }

    /// The end by which the server that is asked passes on what arrives under a path.
    fn next(&self, site: &Site, end: usize, hop: &Hop, path: &str) -> Option<usize> {
        let server = self.server(site, end, hop)?;
        let routes = self.routes.get(&server).filter(|routes| routes.len() <= MANY_ROUTES)?;
        let route = taker(routes.iter().map(|number| (*number, &site.routes[*number])), path)?;
        self.ends_by_route.get(&route).copied()
    }

    /// The server that takes the request: the only one at the address, or the only one with the name of the server that
    /// passes it on, when that name is kept.
    fn server(&self, site: &Site, end: usize, hop: &Hop) -> Option<usize> {
        let Reach::Delivered(id) = site.ends[end].reach else { return None };
        let servers = self.servers.get(&(id.machine, site.listener(id).endpoint.of_any_family()))?;
        if let [only] = servers.as_slice() {
            return Some(*only);
        }
        let own = site.routes[hop.route?].server?;
        let name = &site.servers[own].names.first().filter(|_| hop.settings.keeps_host)?.value;
        let mut alike = servers.iter().filter(|it| site.servers[**it].names.iter().any(|other| other.value == *name));
        alike.next().copied().filter(|_| alike.next().is_none())
    }

    /// Where the server that an end leads to listens.
    fn listen(&self, site: &Site, end: usize) -> Option<Span> {
        let Reach::Delivered(id) = site.ends[end].reach else { return None };
        let endpoint = site.listener(id).endpoint.of_any_family();
        let server = self.server(site, end, &site.hops[site.ends[end].hop])?;
        site.servers[server]
            .listens
            .iter()
            .find(|listen| listen.endpoint.of_any_family() == endpoint)
            .map(|listen| listen.place)
    }
}

/// A path that the route of an end takes; `None`: which ones it takes is decided elsewhere.
fn own_path(site: &Site, end: usize) -> Option<String> {
    match &site.routes[site.hops[site.ends[end].hop].route?].path {
        RoutePath::Prefix(path) | RoutePath::Exact(path) => Some(path.clone()),
        RoutePath::All => Some("/".to_owned()),
        RoutePath::Named(_) | RoutePath::Pattern(_) => None,
    }
}

/// Of the routes of one server the one that takes a path; `None`: none, or a regular expression decides.
pub fn taker<'r>(routes: impl Iterator<Item = (usize, &'r Route)>, path: &str) -> Option<usize> {
    let mut best: Option<(usize, usize)> = None;
    for (number, candidate) in routes {
        let length = match &candidate.path {
            RoutePath::Exact(exact) if *exact == path => usize::MAX,
            RoutePath::Prefix(prefix) if path.starts_with(prefix.as_str()) => prefix.len(),
            RoutePath::Pattern(_) => return None,
            RoutePath::All => 0,
            _ => continue,
        };
        if best.is_none_or(|(longest, _)| length > longest) {
            best = Some((length, number));
        }
    }
    best.map(|(_, number)| number)
}
