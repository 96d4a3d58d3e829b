//! A config that was written and that the proxy does not read.

use crate::finding::{Findings, Level};
use crate::rules::{Rule, words};
use crate::site::Site;
use crate::site::trouble::{MountSourceMissing, NotLoaded, NotLoadedWhy, Trouble};

pub const RULE: Rule = Rule { id: "lifecycle/config-not-loaded", doc: include_str!("config_not_loaded.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for trouble in &site.troubles {
        match trouble {
            Trouble::MountSourceMissing(missing) => add_missing(site, missing, findings),
            // Docker made the folder, for want of the file that is to be mounted there.
            Trouble::NotLoaded(it) if it.why == NotLoadedWhy::IsFolder && is_missing_mount(site, it) => {}
            Trouble::NotLoaded(not_loaded) => add_not_loaded(site, not_loaded, findings),
            _ => {}
        }
    }
}

fn add_missing(site: &Site, missing: &MountSourceMissing, findings: &mut Findings) {
    let MountSourceMissing { source, target, .. } = missing;
    let machine = &site.machine(missing.machine).name;
    let is_config = missing.is_config && site.proxies.iter().any(|proxy| proxy.machine == Some(missing.machine));
    if missing.template.is_some() || missing.kept_out || words::is_made_later(source) || words::is_made_later(target) {
        return;
    }
    let is_file = has_suffix(target) || has_suffix(source);
    // A whole folder that nobody knows may be fetched by a setup script; a file beside others is forgotten or misspelt.
    let level = if missing.folder_is_there || missing.similar.is_some() { Level::Error } else { Level::Warning };
    let (level, effect) = match (missing.over_file, is_config) {
        (true, _) => (level, format!("Docker makes a folder of it, so `{machine}` does not start")),
        (false, true) if is_file => (level, format!("Docker makes a folder of it, which `{machine}` cannot read")),
        (false, true) => (Level::Warning, format!("Docker makes an empty folder of it, so `{machine}` has no config")),
        (false, false) => return,
    };
    let finding = findings.add(level, missing.place, format!("`{source}` is not there")).label(effect);
    match &missing.similar {
        Some(similar) => finding.help(format!("there is `{similar}`")),
        None => finding.help(format!("add `{source}`, or mount what is meant at `{target}`")),
    };
}

fn is_missing_mount(site: &Site, not_loaded: &NotLoaded) -> bool {
    site.troubles.iter().any(|trouble| match trouble {
        Trouble::MountSourceMissing(missing) => {
            missing.machine == not_loaded.machine && missing.target == not_loaded.path
        }
        _ => false,
    })
}

fn add_not_loaded(site: &Site, not_loaded: &NotLoaded, findings: &mut Findings) {
    let NotLoaded { path, why, nothing_else, .. } = not_loaded;
    let machine = &site.machine(not_loaded.machine).name;
    let level = match (why, nothing_else) {
        // A name server may know what the group is called.
        (NotLoadedWhy::NotEnabled { .. }, _) => Level::Warning,
        (NotLoadedWhy::MainInside { .. } | NotLoadedWhy::PartAsMain { .. } | NotLoadedWhy::IsFolder, _) | (_, true) => {
            Level::Error
        }
        (_, false) => Level::Warning,
    };
    let message = match why {
        NotLoadedWhy::MainInside { block, .. } => format!("`{path}` is a whole config with its own `{block}`"),
        NotLoadedWhy::PartAsMain { block, .. } => format!("`{path}` is the main config and begins with `{block}`"),
        NotLoadedWhy::DefaultSite { .. } => format!("`{path}` does not get the requests"),
        NotLoadedWhy::IsFolder => format!("`{path}` is a folder"),
        _ => format!("`{path}` is never loaded"),
    };
    let finding = findings.add(level, not_loaded.place, message);
    match why {
        NotLoadedWhy::NoPattern { pattern, place } => finding
            .label(format!("`{pattern}` does not take it"))
            .note(*place, "only this is loaded")
            .help(format!("give it a name that `{pattern}` takes")),
        NotLoadedWhy::MainInside { block, place } => finding
            .label(format!("`{machine}` does not start: only parts of a config are allowed here"))
            .note(*place, format!("`{block}` may only stand in the main config"))
            .help("put it in the place of the main config, or leave only its `server` blocks"),
        NotLoadedWhy::PartAsMain { block, place } => finding
            .label(format!("`{machine}` does not start: `{block}` is not allowed here"))
            .note(*place, format!("`{block}` may only stand inside `http`"))
            .help("put it where the main config includes it, `/etc/nginx/conf.d/default.conf`, or give it `events` and `http`"),
        NotLoadedWhy::NoInclude { looks } => {
            finding.label("no `include` of the main config looks here").help(match looks {
                Some(pattern) => format!("put it where the main config looks: `{pattern}`"),
                None => "include it in the main config".to_owned(),
            })
        }
        NotLoadedWhy::Shadowed { by } => finding
            .label("hidden")
            .note(*by, "this is mounted over it")
            .help("mount only one of the two, or at different paths"),
        NotLoadedWhy::DefaultSite { place } => finding
            .label("another site takes its requests")
            .note(*place, "comes with the image and takes them")
            .help("put it in the place of the default site, or remove that one"),
        NotLoadedWhy::IsFolder => finding
            .label(format!("this takes it for a file, so the proxy of {machine} does not start"))
            .help("link the files in it, not the folder"),
        NotLoadedWhy::NotEnabled { asks } => finding
            .label("no link makes this a used one")
            .note(*asks, "without it this is the name of a host, and the proxy does not start when there is none")
            .help("link the file from the folder of the enabled sites"),
    };
    if let Some(file) = not_loaded.file {
        finding.note(file, "its contents");
    }
}

/// The last part of the path has a suffix, as files have; a folder such as `conf.d` has not.
fn has_suffix(path: &str) -> bool {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').is_some_and(|(stem, suffix)| !stem.is_empty() && suffix.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::{RULE, has_suffix};
    use crate::rules::example::{container, place, said, site};
    use crate::site::trouble::{MountSourceMissing, Trouble};

    fn missing(source: &str, edit: impl Fn(&mut MountSourceMissing)) -> String {
        let mut site = site();
        let machine = container(&mut site, "web", 80);
        let mut missing = MountSourceMissing {
            machine,
            place: place(5),
            source: source.to_owned(),
            target: "/etc/proxy/site.conf".to_owned(),
            over_file: true,
            is_config: true,
            folder_is_there: true,
            similar: None,
            template: None,
            kept_out: false,
        };
        edit(&mut missing);
        site.troubles.push(Trouble::MountSourceMissing(missing));
        said(&RULE, &mut site)
    }

    #[test]
    fn a_source_that_nobody_makes() {
        assert_eq!(missing("./site.conf", |_| {}), "error at 5: `./site.conf` is not there\n");
        let far = missing("./src/site.conf", |it| it.folder_is_there = false);
        assert_eq!(far, "warning at 5: `./src/site.conf` is not there\n");
        assert_eq!(missing("./site.conf", |it| (it.over_file, it.is_config) = (false, false)), "");
        assert_eq!(missing("./site.conf", |it| it.template = Some("site.conf.example".to_owned())), "");
        assert_eq!(missing("./certs/site.conf", |_| {}), "");
    }

    #[test]
    fn files_have_a_suffix() {
        assert!(has_suffix("/etc/a/site.conf") && !has_suffix("/etc/a/sites-enabled"));
        assert!(!has_suffix("./.hidden") && !has_suffix("/etc/a/conf.d"));
    }
}
