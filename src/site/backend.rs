//! What stands behind listeners: how long it works on a request, how long it keeps a connection, how much it takes in.

use std::net::IpAddr;

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
    /// How many connections it asks the system to let wait, where that is known.
    pub queue: Option<Queue>,
    /// What it takes the header of a request into, where a larger one is dropped without an answer.
    pub request_header: Option<Size>,
    /// From these addresses alone it takes connections; it closes others without an answer.
    pub clients: Option<Spanned<Vec<IpAddr>>>,
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

/// Connections that wait until they are taken in.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    /// Where it is written.
    pub length: Spanned<u64>,
    /// To be quoted.
    pub setting: String,
    /// Where the system allows fewer, the program does not start; otherwise fewer wait.
    pub or_nothing: bool,
}

/// A number of bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Size {
    pub bytes: u64,
    /// To be quoted.
    pub setting: String,
    /// Where it is written; for a default, the text that makes it hold.
    pub place: Span,
    pub written: bool,
}

/// What happens to a request that takes longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtTheEnd {
    /// The process is killed, or gives the request up: the proxy gets no answer.
    Cut,
    /// The connection is closed, so that the proxy gets no answer, and the work goes on for nobody.
    HangsUp,
    /// The program stops the work and answers with an error of its own.
    Answered,
    /// Nothing: the number says how long work is meant to take, or how long a process may be silent.
    GoesOn,
}

impl AtTheEnd {
    /// The proxy gets no answer.
    pub fn is_silent(self) -> bool {
        matches!(self, AtTheEnd::Cut | AtTheEnd::HangsUp)
    }

    /// The work itself is ended.
    pub fn ends_work(self) -> bool {
        matches!(self, AtTheEnd::Cut | AtTheEnd::Answered)
    }
}

/// Memory that has a limit: that of a machine, or of a service on it.
#[derive(Clone, Debug)]
pub struct Memory {
    pub machine: MachineId,
    /// The name of the service, when it is only that of one.
    pub service: Option<String>,
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
