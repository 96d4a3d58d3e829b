//! What was understood, for people who want to check it: every listener with its evidence, every route with its end.

use std::io::{self, Write};

use super::{Checked, printable};
use crate::coverage::{ListenerCoverage, RouteCoverage, Understood};

/// A machine a paragraph: address, protocol, evidence, place.
pub fn listeners(out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    let mut count = 0;
    for checked in checked {
        let understood = checked.outcome.picture.described();
        let all = &understood.listeners;
        for of_machine in all.chunk_by(|a, b| a.machine == b.machine) {
            writeln!(out, "{}", printable(&of_machine[0].machine))?;
            let widths = of_machine.iter().map(|listener| listener.address.chars().count());
            let width = widths.max().unwrap_or(0).min(40);
            for listener in of_machine {
                let protocol = listener.protocol.as_deref().unwrap_or("?");
                let address = printable(&listener.address);
                writeln!(out, "  {address:width$}  {protocol:7}  {}", evidence(checked, listener))?;
            }
        }
        count += all.len();
    }
    writeln!(out, "{}", super::number(count, "listener", "listeners"))
}

/// A proxy a paragraph: route, target, end, why, and the place of the target.
pub fn routes(out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    let mut count = 0;
    for checked in checked {
        let mut proxy = None;
        let understood = checked.outcome.picture.described();
        for route in &understood.routes {
            let name = &understood.proxies[route.proxy].name;
            if proxy != Some(name) {
                proxy = Some(name);
                writeln!(out, "{}", printable(name))?;
            }
            let (path, line, column) = checked.start(route.place);
            let (matches, target) = (printable(&route.matches), printable(&route.target));
            writeln!(out, "  {matches} -> {target}: {}{}", route.outcome, why(checked, &understood, route))?;
            writeln!(out, "    {}:{line}:{column}", printable(&path))?;
        }
        count += understood.routes.len();
    }
    writeln!(out, "{}", super::number(count, "route", "routes"))
}

/// Why it is believed, and where that stands: "`gunicorn` is told to (compose.yaml:4:14)".
fn evidence(checked: &Checked, listener: &ListenerCoverage) -> String {
    let (path, line, column) = checked.start(listener.place);
    format!("{} ({}:{line}:{column})", printable(&listener.evidence), printable(&path))
}

fn why(checked: &Checked, understood: &Understood, route: &RouteCoverage) -> String {
    let listener = route.listener.and_then(|number| understood.listeners.get(number));
    if let Some(listener) = listener {
        let address = printable(&listener.address);
        return format!(", {} on {address}: {}", printable(&listener.machine), evidence(checked, listener));
    }
    let words = match route.outcome {
        "refused" => "nothing listens there",
        "name-unknown" => "nobody who is asked knows the name",
        "no-route" => "it is there, and no way leads to it",
        "no-permission" => "the proxy may not connect",
        "filtered" => "a firewall is in the way",
        "loop" => "the request comes back to the same route",
        "no-servers" => "no server of the group may be asked",
        "leaves" => "a public name or address outside of these files",
        _ => route.why.as_deref().unwrap_or_default(),
    };
    if words.is_empty() { String::new() } else { format!(", {}", printable(words)) }
}
