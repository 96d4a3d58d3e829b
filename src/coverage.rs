//! What was read and how far each route could be followed: the part of a report that is no finding.

use crate::source::Span;

/// How a file was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCoverage {
    /// Relative to the checked folder.
    pub path: String,
    /// "nginx", "compose", "dockerfile", …
    pub format: &'static str,
    pub read: Read,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    Whole,
    /// What was skipped.
    Partly(String),
    /// Why it was not read.
    No(String),
}

/// Folders of a server that were not looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// A folder just below `/`.
    pub folder: String,
    /// How many folders in it were not entered; 0: it was not entered itself.
    pub folders: usize,
}

/// One hop and its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteCoverage {
    /// "nginx in service `web`".
    pub proxy: String,
    /// What requests it takes: "shop.example /api/".
    pub matches: String,
    /// The text that names the target.
    pub place: Span,
    pub target: String,
    /// One of the outcomes in the documentation of the JSON: "delivered", "refused", …
    pub outcome: &'static str,
    /// Why nothing is known, for "undecided".
    pub why: Option<String>,
}
