//! Proxies that show visitors their bare error when no backend answers.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::Findings;
use crate::rules::Rule;
use crate::site::Site;
use crate::site::listener::Protocol;
use crate::site::proxy::{Hop, ProxyId};

pub const RULE: Rule = Rule { id: "lifecycle/no-error-page", doc: include_str!("no_error_page.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    let mut first: BTreeMap<ProxyId, &Hop> = BTreeMap::new();
    // Whoever has a page for one route has thought of it.
    let mut with_page: BTreeSet<ProxyId> = BTreeSet::new();
    for hop in &site.hops {
        let proxy = site.proxy(hop.proxy);
        // A raw stream has no pages, and a config that nobody loads may be half of one.
        if hop.protocol.value == Protocol::Tcp || hop.route.is_none() || proxy.machine.is_none() || !proxy.complete {
            continue;
        }
        if hop.settings.has_fallback {
            with_page.insert(hop.proxy);
        }
        first.entry(hop.proxy).or_insert(hop);
    }
    for (id, hop) in first {
        if with_page.contains(&id) {
            continue;
        }
        let answers = &site.proxy(id).answers;
        let statuses = match answers.refused == answers.slow {
            true => answers.refused.to_owned(),
            false => format!("{} and {}", answers.refused, answers.slow),
        };
        let message = format!("visitors see the bare {statuses} when no backend answers");
        let finding = findings.advice(hop.statement, message).label("no route of this proxy has a page for it");
        finding.help("show a page of your own for these errors; for planned work answer 503 with `Retry-After`");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::RULE;
    use crate::rules::example::{container, hop, place, said, site};
    use crate::site::proxy::{Route, RoutePath, Settings};

    fn proxy(fallbacks: &[bool]) -> String {
        let mut site = site();
        let web = container(&mut site, "web", 80);
        container(&mut site, "api", 8000);
        for (number, fallback) in fallbacks.iter().enumerate() {
            hop(&mut site, web, "api", 8000);
            let last = site.hops.last_mut().expect("it was added the line before");
            last.settings = Arc::new(Settings { has_fallback: *fallback, ..Settings::default() });
            last.route = Some(number);
            last.proxy = crate::site::proxy::ProxyId(0);
            site.routes.push(Route { server: None, path: RoutePath::All, place: place(7) });
        }
        said(&RULE, &mut site)
    }

    #[test]
    fn one_page_shows_that_it_was_thought_of() {
        assert_eq!(
            proxy(&[false, false]),
            "advice at 3000: visitors see the bare 502 and 504 when no backend answers\n"
        );
        assert_eq!(proxy(&[false, true]), "");
    }
}
