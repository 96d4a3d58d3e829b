//! Configs in the notation of nginx that cannot be read.

use crate::rules::Rule;
use crate::rules::syntax::unreadable;

pub const RULE: Rule = Rule {
    id: "syntax/nginx",
    doc: include_str!("nginx.md"),
    check: |site, findings| unreadable::report(site, "nginx", findings),
};
