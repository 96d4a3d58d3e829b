//! Units that say nothing about what a proxy can ask; the list is `quiet_units.yaml`.

use std::sync::OnceLock;

use serde::Deserialize;

use crate::read::catalogue::entries::matches;

/// What is known of a unit by its name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It listens on nothing that a proxy asks.
    Quiet,
    /// It listens on ports of its own protocol.
    Daemon,
    /// It starts containers.
    Containers,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    #[serde(borrow)]
    quiet: Vec<&'static str>,
    #[serde(borrow)]
    daemons: Vec<&'static str>,
    #[serde(borrow)]
    containers: Vec<&'static str>,
}

static LISTS: OnceLock<Lists> = OnceLock::new();

/// By the name of the unit, with or without its suffix.
pub fn known(unit: &str) -> Option<Known> {
    let name = unit.strip_suffix(".service").unwrap_or(unit);
    let lists = LISTS.get_or_init(|| {
        serde_json::from_str(include!(concat!(env!("OUT_DIR"), "/quiet_units.rs"))).unwrap_or_default()
    });
    let is_in = |list: &[&str]| list.iter().any(|pattern| matches(pattern, name));
    if is_in(&lists.containers) {
        return Some(Known::Containers);
    }
    if is_in(&lists.daemons) {
        return Some(Known::Daemon);
    }
    is_in(&lists.quiet).then_some(Known::Quiet)
}

#[cfg(test)]
mod tests {
    use super::{Known, known};

    #[test]
    fn names_tell() {
        assert_eq!(known("systemd-resolved.service"), Some(Known::Quiet));
        assert_eq!(known("getty@tty1.service"), Some(Known::Quiet));
        assert_eq!(known("postgresql@15-main.service"), Some(Known::Daemon));
        assert_eq!(known("docker.service"), Some(Known::Containers));
        assert_eq!(known("shop.service"), None);
    }
}
