//! Finds, before anything is deployed, the proxied requests that will end in a 502 or 504.
//!
//! What always holds (tests/invariants.rs and tests/tidy.rs try it):
//!
//! 1. [`lint`] is a pure function of [`Sources`]: the same texts give the same findings in the same order. It touches no
//!    disk, no clock and no network, and runs nothing.
//! 2. Reading never fails. What cannot be read is a problem with a place; the rest still counts, and nothing is dropped
//!    in silence.
//! 3. Every value of a tree or of the site knows the text that it came from.
//! 4. What the files do not say is a value ([`reach::Reach::Undecided`], an open list of listeners), and no rule reports an error on it.
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
pub mod side_by_side;
pub mod site;
pub mod source;
pub mod syntax;
pub mod understood;

use std::borrow::Cow;

use crate::coverage::{
    FileCoverage, LeftOut, ListenerCoverage, MachineCoverage, ProxyCoverage, RouteCoverage, SiteCoverage,
};
use crate::finding::Finding;
use crate::read::Reading;
use crate::side_by_side::{among_threads, both, side_by_side};
use crate::site::{Site, reach};
use crate::source::Sources;

/// Ends of hops that are worth a second thread.
const MANY_ENDS: usize = 200;

/// Everything that is to be said about a snapshot.
#[derive(Debug, Default)]
pub struct Outcome {
    pub findings: Vec<Finding>,
    pub proxies: Vec<ProxyCoverage>,
    pub sites: Vec<SiteCoverage>,
    pub machines: Vec<MachineCoverage>,
    /// What stands between the machines of a server: "ufw", "SELinux".
    pub guards: Vec<String>,
    pub listeners: Vec<ListenerCoverage>,
    pub routes: Routes,
    pub files: Vec<FileCoverage>,
    pub left_out: Vec<LeftOut>,
}

/// Where requests go. Most reports only count them, so they are described when somebody asks.
#[derive(Debug)]
pub enum Routes {
    Of(Box<Site>),
    Described(Vec<RouteCoverage>),
}

impl Default for Routes {
    fn default() -> Routes {
        Routes::Described(Vec::new())
    }
}

impl Routes {
    pub fn described(&self) -> Cow<'_, [RouteCoverage]> {
        match self {
            Routes::Of(site) => Cow::Owned(understood::routes(site)),
            Routes::Described(routes) => Cow::Borrowed(routes),
        }
    }

    /// The name of each route's outcome.
    pub fn outcomes(&self) -> Vec<&'static str> {
        match self {
            Routes::Of(site) => site.ends.iter().map(|end| end.reach.outcome()).collect(),
            Routes::Described(routes) => routes.iter().map(|route| route.outcome).collect(),
        }
    }
}

/// Judges a snapshot. A pure function: the same texts give the same outcome in the same order.
///
/// When [`Sources::wanted`] is not empty afterwards, files that are there were needed and not read: read them and call again.
pub fn lint(sources: &Sources) -> Outcome {
    let mut outcome = audit(sources);
    outcome.findings = allow::apply(sources, outcome.findings);
    outcome
}

/// The same, whatever comments allow.
pub fn audit(sources: &Sources) -> Outcome {
    let is_much = read::is_much(sources);
    among_threads(is_much, || {
        let Reading { mut site, files, projects } = read::read(sources);
        let (outcome, _) = both(is_much, || judged(&mut site, files), || drop(projects));
        Outcome { routes: Routes::Of(Box::new(site)), ..outcome }
    })
}

fn judged(site: &mut Site, files: Vec<FileCoverage>) -> Outcome {
    reach::follow(site);
    let site = &*site;
    let is_large = site.ends.len() >= MANY_ENDS;
    let few = if is_large { 0 } else { rules::ALL.len() };
    let run = || side_by_side(rules::ALL, few, |rule| rule.run(site));
    let (found, outcome) = both(is_large, run, || understood(site, files));
    let mut findings = Vec::with_capacity(found.iter().map(Vec::len).sum());
    findings.extend(found.into_iter().flatten());
    Outcome { findings, ..outcome }
}

/// All but the findings and routes.
fn understood(site: &Site, files: Vec<FileCoverage>) -> Outcome {
    Outcome {
        findings: Vec::new(),
        proxies: understood::proxies(site),
        sites: understood::sites(site),
        machines: understood::machines(site),
        guards: understood::guards(site),
        listeners: understood::listeners(site),
        routes: Routes::default(),
        files,
        left_out: Vec::new(),
    }
}
