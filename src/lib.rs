//! Finds, before anything is deployed, the proxied requests that will end in a 502 or 504.
//!
//! What always holds (tests/invariants.rs and tests/tidy.rs try it):
//!
//! 1. [`lint`] is a pure function of [`Sources`]: the same texts give the same findings in the same order. It touches no
//!    disk, no clock and no network, and runs nothing.
//! 2. Reading never fails. What cannot be read is a problem with a place; the rest still counts, and nothing is dropped
//!    in silence.
//! 3. Every value of a tree or of the site knows the text that it came from.
//! 4. What the files do not say is a value ([`Reach::Undecided`], an open list of listeners), and no rule reports an error on it.
//! 5. A finding points at text that its reader can edit; its notes may lie in other files.
//! 6. One defect is one finding: causes silence their consequences.
//! 7. Only `report` knows output formats; only `discover`, `judge`, `cli` and `main` touch the outside.

pub mod allow;
pub mod cli;
pub mod coverage;
pub mod discover;
pub mod finding;
pub mod judge;
pub mod read;
pub mod report;
#[path = "../rules/mod.rs"]
pub mod rules;
pub mod site;
pub mod source;
pub mod syntax;

use crate::coverage::{FileCoverage, LeftOut, RouteCoverage};
use crate::finding::Finding;
use crate::site::Site;
use crate::site::machine::Kind;
use crate::site::proxy::Hop;
use crate::site::reach::{self, End, Reach};
use crate::source::Sources;

/// Everything that is to be said about a snapshot.
#[derive(Debug, Default)]
pub struct Outcome {
    pub findings: Vec<Finding>,
    pub routes: Vec<RouteCoverage>,
    pub files: Vec<FileCoverage>,
    pub left_out: Vec<LeftOut>,
}

/// Judges a snapshot. A pure function: the same texts give the same outcome in the same order.
///
/// When [`Sources::wanted`] is not empty afterwards, files that are there were needed and not read: read them and call again.
pub fn lint(sources: &Sources) -> Outcome {
    let mut reading = read::read(sources);
    reach::follow(&mut reading.site);
    let site = &reading.site;
    let findings = rules::ALL.iter().flat_map(|rule| rule.run(site)).collect();
    let routes = site.ends().map(|(end, hop)| route(site, end, hop)).collect();
    Outcome { findings: allow::apply(sources, findings), routes, files: reading.files, left_out: Vec::new() }
}

fn route(site: &Site, end: &End, hop: &Hop) -> RouteCoverage {
    let proxy = site.proxy(hop.proxy);
    let product = &proxy.product;
    let proxy = match proxy.machine.map(|id| site.machine(id)) {
        Some(machine) if machine.kind == Kind::Host => format!("{product} on the host"),
        Some(machine) => format!("{product} in service `{}`", machine.name),
        None => product.clone(),
    };
    let route = hop.route.map(|number| &site.routes[number]);
    let server = route.and_then(|route| route.server).map(|number| &site.servers[number]);
    let name = server.and_then(|server| server.names.first()).map_or("*", |name| name.value.as_str());
    let path = route.map_or(String::new(), |route| format!(" {}", route.path));
    let why = match &end.reach {
        Reach::Undecided(why) => Some(why.clone()),
        _ => None,
    };
    RouteCoverage {
        proxy,
        matches: format!("{name}{path}"),
        place: end.place,
        target: end.target.as_ref().map_or_else(|| hop.written.clone(), ToString::to_string),
        outcome: end.reach.outcome(),
        why,
    }
}
