//! So little is worked on at a time that one slow request holds up all others.

use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::name;
use crate::site::Site;
use crate::site::reach::Reach;
use crate::site::trouble::Trouble;

pub const RULE: Rule = Rule { id: "capacity/workers", doc: include_str!("workers.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    let backends = site.backends_by_listener();
    for (end, hop) in site.ends() {
        let Reach::Delivered(id) = end.reach else { continue };
        let Some(backend) = backends.get(&id) else { continue };
        let Some(workers) = backend.workers.filter(|workers| workers.value == 1) else { continue };
        let message =
            format!("{} of {} works on one request at a time", backend.program, name(site.machine(id.machine)));
        let finding = findings.warning(workers.span, message);
        let answers = site.proxy(hop.proxy).answers;
        finding.label(format!("while it is busy all others wait, and then get {}", answers.slow));
        finding.note(end.place, format!("{} sends every request here", site.proxy(hop.proxy).product));
        finding.help("allow several");
    }
    for trouble in &site.troubles {
        let Trouble::TooFewFiles { connections, files } = trouble else { continue };
        let message = format!("{connections} connections for each worker, and only {files} open files");
        findings
            .warning(connections.span, message)
            .label("each connection is an open file, and a proxied request has two: 502 when there are no more")
            .note(files.span, "the limit for open files")
            .help(format!("raise the limit to {} at least", connections.value.saturating_mul(2)));
    }
}
