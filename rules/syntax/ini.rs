//! Pools, units and other files of sections and keys that cannot be read.

use crate::rules::Rule;
use crate::rules::syntax::unreadable;

pub const RULE: Rule = Rule {
    id: "syntax/ini",
    doc: include_str!("ini.md"),
    check: |site, findings| unreadable::report(site, "ini", findings),
};
