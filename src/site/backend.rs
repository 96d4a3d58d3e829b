//! What stands behind listeners: how long it works on a request, how long it keeps a connection, how much it takes in.

use crate::site::machine::MachineId;
use crate::source::{Span, Spanned};

/// One process or pool, as far as the files tell what it is limited to.
#[derive(Clone, Debug)]
pub struct Backend {
    pub machine: MachineId,
    /// Indices into the listeners of its machine: those that it opens.
    pub listeners: Vec<usize>,
    /// To be quoted: "`gunicorn`", "pool `www`".
    pub program: String,
    /// How long a request may take; a limit that is switched off is not listed.
    pub limits: Vec<Limit>,
    /// How long an idle connection is kept; `None`: not known, or it is never closed, or after each answer.
    pub idle: Option<Limit>,
    /// How many requests it works on at the same time, where each of them keeps a process busy and the number is written.
    pub workers: Option<Spanned<u64>>,
    /// The headers of its answers are known to be large, for this reason; where that is seen.
    pub large_headers: Option<Spanned<String>>,
}

impl Backend {
    /// The limit that is reached first.
    pub fn first_limit(&self) -> Option<&Limit> {
        self.limits.iter().min_by(|left, right| left.seconds.total_cmp(&right.seconds))
    }
}

/// A wait of a backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// More than 0.
    pub seconds: f64,
    /// What it is called, to be quoted: "--timeout".
    pub setting: String,
    /// Where it is written; for a default, the text that makes it hold: the command, the call that listens.
    pub place: Span,
    pub written: bool,
    pub at_the_end: AtTheEnd,
}

/// What happens to a request that takes longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtTheEnd {
    /// The process is killed, or the connection closed: the proxy gets no answer.
    Cut,
    /// The program stops the work and answers with an error of its own.
    Answered,
    /// Nothing: the number says how long work is meant to take, or how long a process may be silent.
    GoesOn,
}

/// The memory of a machine that has a limit.
#[derive(Clone, Debug)]
pub struct Memory {
    pub machine: MachineId,
    /// Bytes.
    pub limit: Spanned<u64>,
    pub demands: Vec<Demand>,
}

/// What a program is allowed to take.
#[derive(Clone, Debug)]
pub struct Demand {
    /// Bytes.
    pub bytes: u64,
    /// In words: "the heap of Java".
    pub what: String,
    pub place: Span,
    /// The second factor, where it is a product: "each of them may take 256 MiB".
    pub factor: Option<(Span, String)>,
    /// How much of the limit it may take until the rest is too small, in percent.
    pub share: u64,
}
