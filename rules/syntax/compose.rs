//! Compose files that cannot be read.

use crate::rules::Rule;
use crate::rules::syntax::unreadable;

pub const RULE: Rule = Rule {
    id: "syntax/compose",
    doc: include_str!("compose.md"),
    check: |site, findings| unreadable::report(site, "compose", findings),
};
