//! Dockerfiles that cannot be read.

use crate::rules::Rule;
use crate::rules::syntax::unreadable;

pub const RULE: Rule = Rule {
    id: "syntax/dockerfile",
    doc: include_str!("dockerfile.md"),
    check: |site, findings| unreadable::report(site, "dockerfile", findings),
};
