//! Names in a project that lead nowhere, which compose refuses before it starts anything.

use std::collections::HashSet;

use crate::read::compose::model::{Content, NetworkMode, Project};
use crate::read::compose::storage::volume_of;
use crate::source::Span;
use crate::syntax::Problem;

/// A name that leads nowhere.
pub struct Dangling {
    /// Where in a compose file it would be declared: `services`, `networks`, `volumes`, …
    pub section: &'static str,
    pub name: String,
    pub problem: Problem,
}

/// Every name that is declared nowhere; none when a part of the project cannot be seen.
pub fn dangling(project: &Project) -> Vec<Dangling> {
    if project.unreadable || project.incomplete || !project.templates.is_empty() {
        return Vec::new();
    }
    // An editor puts it over other files, which it names in its own settings (containers.dev, `dockerComposeFile`).
    if project.folder.split('/').any(|part| part == ".devcontainer") {
        return Vec::new();
    }
    let mut found = Vec::new();
    let services: HashSet<&str> = project.services.iter().map(|service| service.name.value.as_str()).collect();
    let networks: HashSet<&str> = project.networks.iter().map(|network| network.key.value.as_str()).collect();
    let volumes: HashSet<&str> = project.volumes.iter().map(|volume| volume.key.value.as_str()).collect();
    let mut say = |section: &'static str, name: &str, span: Span, message: String| {
        found.push(Dangling { section, name: name.to_owned(), problem: Problem { span, message, related: None } });
    };
    for service in project.services.iter().filter(|service| !service.is_off) {
        let name = &service.name;
        let lacks_image = service.image.is_none() && !service.image_is_uncertain;
        if lacks_image && service.build.is_none() && !service.is_provider {
            let message = format!("service `{name}` has neither an `image` nor a `build`");
            say("services", &name.value, name.span, message);
        }
        for dependency in &service.depends_on {
            if !services.contains(dependency.service.value.as_str()) {
                let service = &dependency.service;
                say("services", &service.value, service.span, format!("there is no service `{service}` to depend on"));
            }
        }
        for attachment in service.networks.iter().flatten() {
            let network = &attachment.network;
            if network.value != "default" && !networks.contains(network.value.as_str()) {
                say(
                    "networks",
                    &network.value,
                    network.span,
                    format!("network `{network}` is not declared under `networks`"),
                );
            }
        }
        for volume in service.mounts.iter().filter_map(volume_of) {
            if !volumes.contains(volume.value.as_str()) && project.is_certain(volume.span) {
                say(
                    "volumes",
                    &volume.value,
                    volume.span,
                    format!("volume `{volume}` is not declared under `volumes`"),
                );
            }
        }
        for (section, mounts) in [("configs", &service.configs), ("secrets", &service.secrets)] {
            for mount in mounts.iter().filter(|mount| matches!(mount.content, Content::Undeclared)) {
                let source = &mount.source;
                if project.is_certain(source.span) {
                    say(section, &source.value, source.span, format!("`{source}` is not declared under `{section}`"));
                }
            }
        }
        if let Some(mode) = &service.network_mode {
            match &mode.value {
                NetworkMode::Service(other) if !services.contains(other.as_str()) => {
                    say(
                        "services",
                        other,
                        mode.span,
                        format!("there is no service `{other}` whose network could be used"),
                    );
                }
                _ if service.networks.is_some() => {
                    say("", "", mode.span, format!("service `{name}` has both `network_mode` and `networks`"));
                }
                _ => {}
            }
        }
    }
    found
}
