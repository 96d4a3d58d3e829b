//! Names in a project that lead nowhere, which compose refuses before it starts anything.

use std::collections::HashSet;

use crate::read::compose::model::{Content, NetworkMode, Project};
use crate::read::compose::storage::volume_of;
use crate::read::compose::tree::Node;
use crate::source::Span;
use crate::syntax::Problem;

/// A problem for each name that is declared nowhere; none when a part of the project cannot be seen.
pub fn dangling(project: &Project, top: Option<&Node>) -> Vec<Problem> {
    if project.unreadable || project.incomplete || !project.templates.is_empty() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let services: HashSet<&str> = project.services.iter().map(|service| service.name.value.as_str()).collect();
    let networks: HashSet<&str> = project.networks.iter().map(|network| network.key.value.as_str()).collect();
    let volumes: HashSet<&str> = project.volumes.iter().map(|volume| volume.key.value.as_str()).collect();
    let mut say = |span: Span, message: String| problems.push(Problem { span, message, related: None });
    for service in project.services.iter().filter(|service| !service.is_off) {
        let name = &service.name;
        if service.image.is_none() && service.build.is_none() && !service.is_provider {
            let uncertain = top
                .and_then(|top| top.get("services")?.get(&name.value)?.get("image"))
                .is_some_and(Node::is_incomplete);
            if !uncertain {
                say(name.span, format!("service `{name}` has neither an `image` nor a `build`"));
            }
        }
        for dependency in &service.depends_on {
            if !services.contains(dependency.service.value.as_str()) {
                say(dependency.service.span, format!("there is no service `{}` to depend on", dependency.service));
            }
        }
        for attachment in service.networks.iter().flatten() {
            let network = &attachment.network;
            if network.value != "default" && !networks.contains(network.value.as_str()) {
                say(network.span, format!("network `{network}` is not declared under `networks`"));
            }
        }
        for volume in service.mounts.iter().filter_map(volume_of) {
            if !volumes.contains(volume.value.as_str()) && project.is_certain(volume.span) {
                say(volume.span, format!("volume `{volume}` is not declared under `volumes`"));
            }
        }
        for (section, mounts) in [("configs", &service.configs), ("secrets", &service.secrets)] {
            for mount in mounts.iter().filter(|mount| matches!(mount.content, Content::Undeclared)) {
                let source = &mount.source;
                if project.is_certain(source.span) {
                    say(source.span, format!("`{source}` is not declared under `{section}`"));
                }
            }
        }
        if let Some(mode) = &service.network_mode {
            match &mode.value {
                NetworkMode::Service(other) if !services.contains(other.as_str()) => {
                    say(mode.span, format!("there is no service `{other}` whose network could be used"));
                }
                _ if service.networks.is_some() => {
                    say(mode.span, format!("service `{name}` has both `network_mode` and `networks`"));
                }
                _ => {}
            }
        }
    }
    problems
}
