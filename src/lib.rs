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

use crate::coverage::{FileCoverage, LeftOut, Understood};
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
    pub picture: Picture,
    pub files: Vec<FileCoverage>,
    pub left_out: Vec<LeftOut>,
}

/// What the texts say together. Most reports only count its routes, so it is put into words when somebody asks.
#[derive(Debug)]
pub enum Picture {
    Of(Box<Site>),
    Described(Understood),
}

impl Default for Picture {
    fn default() -> Picture {
        Picture::Described(Understood::default())
    }
}

impl Picture {
    pub fn described(&self) -> Cow<'_, Understood> {
        match self {
            Picture::Of(site) => Cow::Owned(understood::describe(site)),
            Picture::Described(understood) => Cow::Borrowed(understood),
        }
    }

    /// The name of each route's outcome.
    pub fn outcomes(&self) -> Vec<&'static str> {
        match self {
            Picture::Of(site) => site.ends.iter().map(|end| end.reach.outcome()).collect(),
            Picture::Described(understood) => understood.routes.iter().map(|route| route.outcome).collect(),
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
        let (findings, ()) = both(is_much, || judged(&mut site), || drop(projects));
        Outcome { findings, picture: Picture::Of(Box::new(site)), files, left_out: Vec::new() }
    })
}

fn judged(site: &mut Site) -> Vec<Finding> {
    reach::follow(site);
    let site = &*site;
    let is_large = site.ends.len() >= MANY_ENDS;
    let few = if is_large { 0 } else { rules::ALL.len() };
    let found = side_by_side(rules::ALL, few, |rule| rule.run(site));
    let mut findings = Vec::with_capacity(found.iter().map(Vec::len).sum());
    findings.extend(found.into_iter().flatten());
    findings
}
