//! Texts become trees with spans, one file a notation. Reading never fails: what cannot be read is a [`Problem`].

pub mod command_line;
pub mod compose_values;
pub mod dockerfile;
pub mod env_file;
pub mod ini;
pub mod nginx;
pub mod socket_table;
pub mod yaml;

use crate::source::Span;

/// Something that could not be read. The rest of the text still counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub span: Span,
    /// What is wrong, in the words of a finding.
    pub message: String,
    /// Another place that explains it: the block that is never closed, the first of two equal keys.
    pub related: Option<(Span, String)>,
}
