//! Files of variables that cannot be read.

use crate::rules::Rule;
use crate::rules::syntax::unreadable;

pub const RULE: Rule = Rule {
    id: "syntax/env-file",
    doc: include_str!("env_file.md"),
    check: |site, findings| unreadable::report(site, "env-file", findings),
};
