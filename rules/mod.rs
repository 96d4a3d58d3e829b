//! The rules, one file each. A rule reads the site and adds findings; it knows no product and no file format.
//!
//! A rule's id is its address: `target/port-mismatch` is `rules/target/port_mismatch.rs`, its page lies beside it as
//! `port_mismatch.md`, and its cases are in `fixtures/target/port-mismatch/`.

use crate::finding::{Finding, Findings};
use crate::site::Site;

/// Every rule, in the order of the documentation.
pub const ALL: &[Rule] = &[];

/// One kind of defect.
#[derive(Debug)]
pub struct Rule {
    /// `family/name`.
    pub id: &'static str,
    /// The page beside the rule. Its first line is `# id`, its first paragraph says in one sentence what it finds.
    pub doc: &'static str,
    pub check: fn(&Site, &mut Findings),
}

impl Rule {
    pub fn run(&self, site: &Site) -> Vec<Finding> {
        let mut findings = Findings::of(self.id);
        (self.check)(site, &mut findings);
        findings.into_vec()
    }

    /// The first paragraph of the page.
    pub fn summary(&self) -> &'static str {
        let body = self.doc.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
        body.split("\n\n").next().unwrap_or("")
    }
}
