//! Proxies whose config needs a module that they do not have.

use crate::finding::Findings;
use crate::rules::{Rule, words};
use crate::site::Site;
use crate::site::machine::Kind;
use crate::site::trouble::{ModuleMissing, Trouble};

pub const RULE: Rule = Rule { id: "lifecycle/module-missing", doc: include_str!("module_missing.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for trouble in &site.troubles {
        let Trouble::ModuleMissing(missing) = trouble else { continue };
        let ModuleMissing { module, place, package, .. } = missing;
        let machine = site.machine(missing.machine);
        let name = words::name(machine);
        let message = format!("the proxy of {name} does not start: it has no `{module}`");
        let label = if missing.is_load { "no such file" } else { "only this module knows it, and nothing loads it" };
        let finding = findings.error(*place, message).label(label);
        if let Some(evidence) = missing.evidence {
            match machine.kind {
                Kind::Container if missing.is_brought => {}
                Kind::Container => drop(finding.note(evidence, "this brings no such module")),
                Kind::Host => drop(finding.note(evidence, "what this takes in does not load it")),
            }
        }
        match package {
            _ if missing.is_brought => {
                finding.help(format!("add `load_module modules/{module};` at the top of the main file"))
            }
            Some(package) => finding.help(format!("install the package `{package}`")),
            None if machine.kind == Kind::Host => finding.help("install a package that brings it, or do without it"),
            None => finding.help("build an image that has it, or do without it"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::example::{container, place, run, site};
    use crate::site::trouble::{ModuleMissing, Trouble};

    fn help(is_brought: bool, package: Option<&str>) -> String {
        let mut site = site();
        let machine = container(&mut site, "web", 80);
        site.troubles.push(Trouble::ModuleMissing(ModuleMissing {
            machine,
            place: place(1),
            module: "a.so".to_owned(),
            evidence: Some(place(2)),
            is_load: false,
            is_brought,
            package: package.map(str::to_owned),
        }));
        let findings = run(&RULE, &mut site);
        findings.into_iter().filter_map(|finding| finding.help).collect()
    }

    #[test]
    fn what_to_do_depends_on_what_is_there() {
        assert_eq!(help(true, None), "add `load_module modules/a.so;` at the top of the main file");
        assert_eq!(help(false, Some("mod-a")), "install the package `mod-a`");
        assert_eq!(help(false, None), "build an image that has it, or do without it");
    }
}
