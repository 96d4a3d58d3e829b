//! A hop leads back to the route that it starts from.

use super::words::product;
use crate::finding::Findings;
use crate::rules::Rule;
use crate::site::Site;
use crate::site::reach::Reach;

pub const RULE: Rule = Rule { id: "target/proxy-loop", doc: include_str!("proxy_loop.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for (end, hop) in site.ends() {
        let Reach::Loop { listen, route } = end.reach else { continue };
        let Some(target) = &end.target else { continue };
        let product = product(site, hop);
        let finding = findings.error(end.place, format!("`{target}` is this proxy itself, and the same route again"));
        finding.label(format!("{product} asks itself until its connections are used up"));
        finding.note(listen, format!("{product} listens here"));
        if let Some(route) = site.routes.get(route) {
            finding.note(route.place, "the request comes back to this route");
        }
        finding.help("name the port on which the backend listens");
    }
}
