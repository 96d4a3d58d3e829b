//! Comments that allow what nothing reports.

use crate::allow::UNUSED;
use crate::finding::Findings;
use crate::rules::Rule;
use crate::site::Site;

pub const RULE: Rule = Rule { id: UNUSED, doc: include_str!("unused_allow.md"), check };

/// Comments are not part of the site: whoever applies them knows which ones were of use, and adds the findings.
fn check(_: &Site, _: &mut Findings) {}
