//! Targets that the proxy takes for something else than was meant.

use crate::finding::Findings;
use crate::rules::{Rule, words};
use crate::site::Site;
use crate::site::proxy::{Malformed, ProxyId};
use crate::site::reach::Reach;

pub const RULE: Rule = Rule { id: "socket/bad-address", doc: include_str!("bad_address.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for (end, hop) in site.ends() {
        let Reach::Malformed(malformed) = &end.reach else { continue };
        add(site, hop.proxy, malformed, &words::refusal(site, end, hop), findings);
    }
    // The proxy reads the servers of a group that nobody uses as well.
    for group in &site.groups {
        for server in &group.servers {
            let Err(malformed) = &server.to else { continue };
            if malformed.fatal && !server.unclear {
                add(site, group.proxy, malformed, "", findings);
            }
        }
    }
}

fn add(site: &Site, proxy: ProxyId, malformed: &Malformed, refusal: &str, findings: &mut Findings) {
    let effect =
        if malformed.fatal { format!("{} does not start", site.proxy(proxy).product) } else { refusal.to_owned() };
    let finding = findings.error(malformed.span, &malformed.message).label(effect);
    if let Some(help) = &malformed.help {
        finding.help(help.clone());
    }
    if let Some(instead) = &malformed.instead {
        finding.fix(format!("write `{instead}`"), true, malformed.span, instead);
    }
}
