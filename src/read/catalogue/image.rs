//! What the catalogue says of a container image: what it starts, which files and tools it holds.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::read::catalogue::entries::matches;

/// An entry of `images.yaml`, with what is said of the tag already put over what is said of the repository.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImageFacts {
    /// The documentation that says so.
    pub source: String,
    /// What runs when nothing overrides it, as words of the catalogue's programs: for an image whose own start
    /// script has another name, the name of the program that it ends in.
    pub entrypoint: Option<Vec<String>>,
    pub command: Option<Vec<String>>,
    /// The program that the entrypoint puts in front of a command that begins with a dash.
    pub dashes: Option<String>,
    /// Further first words of a command, as patterns, in front of which it puts that program.
    pub before: Vec<String>,
    /// `EXPOSE` of the image.
    pub expose: Option<Vec<u16>>,
    /// Variables that the image sets.
    pub environment: BTreeMap<String, String>,
    /// The working directory.
    pub directory: Option<String>,
    pub user: Option<String>,
    /// Names in `trees.yaml`, later ones over earlier ones.
    pub trees: Vec<String>,
    /// The system it is built on, a name in `systems.yaml`.
    pub system: Option<String>,
    /// Tools that it has, and that it lacks, apart from those of its system.
    pub has: Vec<String>,
    pub lacks: Vec<String>,
    /// What differs for a tag: patterns, separated by commas, and what they change. All that match count, in their order.
    #[serde(deserialize_with = "in_order")]
    pub tags: Vec<(String, Variant)>,
}

/// What a tag changes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Variant {
    pub entrypoint: Option<Vec<String>>,
    pub command: Option<Vec<String>>,
    pub dashes: Option<String>,
    pub expose: Option<Vec<u16>>,
    pub environment: BTreeMap<String, String>,
    pub directory: Option<String>,
    pub user: Option<String>,
    pub trees: Option<Vec<String>>,
    pub system: Option<String>,
    pub has: Vec<String>,
    pub lacks: Vec<String>,
}

/// A system that images are built on: an entry of `systems.yaml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct System {
    pub source: String,
    pub has: Vec<String>,
    pub lacks: Vec<String>,
    /// How packages are installed: `apt`, `apk`, `dnf`.
    pub packages: Option<String>,
}

impl ImageFacts {
    /// These facts with those of the tag put over them.
    pub fn tagged(&self, tag: &str) -> ImageFacts {
        let mut facts = self.clone();
        for (patterns, variant) in &self.tags {
            if patterns.split(',').any(|pattern| matches(pattern.trim(), tag)) {
                facts.put_over(variant);
            }
        }
        facts
    }

    fn put_over(&mut self, variant: &Variant) {
        let Variant { entrypoint, command, dashes, expose, environment, directory, user, trees, system, has, lacks } =
            variant;
        replace(&mut self.entrypoint, entrypoint);
        replace(&mut self.command, command);
        replace(&mut self.dashes, dashes);
        replace(&mut self.expose, expose);
        replace(&mut self.directory, directory);
        replace(&mut self.user, user);
        replace(&mut self.system, system);
        if let Some(trees) = trees {
            self.trees.clone_from(trees);
        }
        self.environment.extend(environment.clone());
        self.lacks.retain(|tool| !has.contains(tool));
        self.has.retain(|tool| !lacks.contains(tool));
        self.has.extend(has.iter().cloned());
        self.lacks.extend(lacks.iter().cloned());
    }
}

fn replace<T: Clone>(old: &mut Option<T>, new: &Option<T>) {
    if new.is_some() {
        old.clone_from(new);
    }
}

/// A mapping whose order counts.
fn in_order<'d, D: Deserializer<'d>>(value: D) -> Result<Vec<(String, Variant)>, D::Error> {
    struct InOrder;
    impl<'d> Visitor<'d> for InOrder {
        type Value = Vec<(String, Variant)>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("patterns of tags and what they change")
        }

        fn visit_map<A: MapAccess<'d>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                entries.push(entry);
            }
            Ok(entries)
        }
    }
    value.deserialize_map(InOrder)
}

/// An image reference: `ghcr.io/grafana/grafana:11.2@sha256:…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference<'r> {
    /// Without `docker.io/` and `library/`: `nginx`, `grafana/grafana`, `ghcr.io/immich-app/immich-server`.
    pub repository: &'r str,
    /// `latest` when none is written, which is what a registry answers; "" when there is only a digest.
    pub tag: &'r str,
}

/// Takes an image reference apart.
pub fn reference(written: &str) -> Reference<'_> {
    let (name, digest) = match written.split_once('@') {
        Some((name, _)) => (name, true),
        None => (written, false),
    };
    // A colon before the last slash belongs to the port of a registry.
    let folder = name.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match name[folder..].find(':') {
        Some(at) => (&name[..folder + at], &name[folder + at + 1..]),
        None => (name, if digest { "" } else { "latest" }),
    };
    let mut repository = name;
    for registry in ["docker.io/", "index.docker.io/", "registry-1.docker.io/", "public.ecr.aws/docker/"] {
        repository = repository.strip_prefix(registry).unwrap_or(repository);
    }
    Reference { repository: repository.strip_prefix("library/").unwrap_or(repository), tag }
}

#[cfg(test)]
mod tests {
    use super::{Reference, reference};

    #[test]
    fn references_are_taken_apart() {
        let is = |repository, tag| Reference { repository, tag };
        assert_eq!(reference("nginx"), is("nginx", "latest"));
        assert_eq!(reference("docker.io/library/nginx:1.27-alpine"), is("nginx", "1.27-alpine"));
        assert_eq!(reference("registry.example:5000/team/api"), is("registry.example:5000/team/api", "latest"));
        assert_eq!(reference("php:8.3-fpm@sha256:00ff"), is("php", "8.3-fpm"));
        assert_eq!(reference("php@sha256:00ff"), is("php", ""));
        assert_eq!(reference(":"), is("", ""));
    }
}
