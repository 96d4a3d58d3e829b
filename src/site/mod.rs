//! What the files say together, whoever wrote them: machines, listeners, routes, hops.

pub mod listener;
