//! A hop leads back to the route that it starts from.

use super::words::product;
use crate::finding::Findings;
use crate::rules::Rule;
use crate::site::Site;
use crate::site::reach::Reach;

pub const RULE: Rule = Rule { id: "target/proxy-loop", doc: include_str!("proxy_loop.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for (end, hop) in site.ends() {
        let Reach::Loop { listen, route, through } = &end.reach else { continue };
        let Some(target) = site.target(end) else { continue };
        // A round is one mistake: the hop that is written last closes it.
        if through.iter().any(|other| *other > end.place) {
            continue;
        }
        let product = product(site, hop);
        let message = match through.is_empty() {
            true => format!("`{target}` is this proxy itself, and the same route again"),
            false => format!("`{target}` passes the request on, and it comes back to the same route"),
        };
        let finding = findings.error(end.place, message);
        finding.label(match through.is_empty() {
            true => format!("{product} asks itself until its connections are used up"),
            false => "the request goes round until the connections are used up".to_owned(),
        });
        finding.note(*listen, format!("{product} listens here"));
        for other in through {
            finding.note(*other, "and passes it on to there");
        }
        if let Some(route) = site.routes.get(*route) {
            finding.note(route.place, "the request comes back to this route");
        }
        finding.help("name the port on which the backend listens");
    }
}
