//! Mounts, configs and secrets of a service.

use crate::read::compose::latest::{keep_last, repeated};
use crate::read::compose::model::{Content, FileMount, HostPath, Mount, MountKind, PathText};
use crate::read::compose::reader::Reader;
use crate::read::compose::tree::Node;
use crate::source::{Spanned, Text};
use crate::syntax::compose_values::volumes::{Source, short_volume};

impl Reader<'_, '_> {
    /// `volumes` and `tmpfs`; of one target the last one counts.
    pub fn mounts(&mut self, service: &Node) -> Vec<Mount> {
        let volumes = service.get("volumes").map_or(&[][..], Node::items);
        let tmpfs = service.get("tmpfs").map_or(&[][..], Node::items);
        let mut mounts: Vec<Mount> = Vec::with_capacity(volumes.len() + tmpfs.len());
        mounts.extend(volumes.iter().filter_map(|node| self.mount(node)));
        mounts.extend(tmpfs.iter().filter_map(tmpfs_mount));
        let again = repeated(&mounts, |mount| mount.target.as_str());
        keep_last(mounts, &again)
    }

    fn mount(&mut self, node: &Node) -> Option<Mount> {
        if node.map().is_some() {
            return self.long_mount(node);
        }
        let text = node.text()?;
        // What is left empty in `.env` is meant to be filled in.
        let is_left_empty = text.as_str().starts_with(':') && self.loader.is_variable(node.span);
        if node.is_incomplete() || is_left_empty {
            return self.uncertain_mount(node, &text);
        }
        let volume = self.accept(node, short_volume(&text))?;
        let kind = match volume.source {
            Source::Bind(path) => MountKind::Bind(self.path(node, path)),
            Source::Volume(name) => MountKind::Volume { name: name.spanned(), subpath: None },
            Source::Anonymous => MountKind::Anonymous,
        };
        Some(Mount {
            span: node.span,
            kind,
            target: cleaned(volume.target),
            read_only: volume.read_only,
            create_host_path: true,
        })
    }

    /// A short mount in which a variable was left out: most of the time only the source is concerned.
    fn uncertain_mount(&mut self, node: &Node, text: &Text) -> Option<Mount> {
        let (source, rest) = text.split_once(':')?;
        let target = rest.split_once(':').map_or(rest, |(target, _)| target);
        if !target.as_str().starts_with('/') {
            return None;
        }
        let kind = MountKind::Bind(PathText { text: source, path: HostPath::Unknown });
        let read_only = text.as_str().ends_with(":ro");
        Some(Mount { span: node.span, kind, target: cleaned(target), read_only, create_host_path: true })
    }

    fn long_mount(&mut self, node: &Node) -> Option<Mount> {
        let kind = node.get("type").and_then(Node::text);
        let source = node.get("source").filter(|source| source.some_text().is_some());
        let Some(target) = node.get("target").and_then(Node::some_text) else {
            let uncertain = node.get("target").is_some_and(Node::is_incomplete);
            if !uncertain {
                self.loader.problem(node.span, "this mount has no target".to_owned());
            }
            return None;
        };
        let bind = node.get("bind");
        let create = bind.and_then(|bind| bind.get("create_host_path")).and_then(Node::as_bool);
        let kind = match (kind.as_ref().map(Text::as_str), source) {
            (Some("bind"), Some(source)) => MountKind::Bind(self.path(source, source.text()?)),
            (Some("volume"), Some(source)) => {
                let subpath = node.get("volume").and_then(|volume| volume.get("subpath")).and_then(Node::some_text);
                MountKind::Volume { name: source.text()?.spanned(), subpath }
            }
            (Some("volume"), None) => MountKind::Anonymous,
            (Some("tmpfs"), _) => MountKind::Tmpfs,
            _ => MountKind::Other,
        };
        Some(Mount {
            span: node.span,
            kind,
            target: cleaned(target),
            read_only: node.get("read_only").and_then(Node::as_bool).unwrap_or(false),
            // Only the short form, and a long one that says so, makes the folder.
            create_host_path: create.unwrap_or(false),
        })
    }

    /// What a section, `configs` or `secrets`, puts into the container; `folder` is where it lies unless a target is written.
    pub fn file_mounts(&mut self, service: &Node, section: &str, folder: &str) -> Vec<FileMount> {
        let items = service.get(section).map_or(&[][..], Node::items);
        let mut mounts: Vec<FileMount> = Vec::with_capacity(items.len());
        for item in items {
            let Some(source) = item.get("source").unwrap_or(item).text() else { continue };
            let target = match item.get("target").and_then(Node::some_text) {
                Some(target) if target.as_str().starts_with('/') => target.to_string(),
                Some(target) => format!("{folder}/{target}"),
                None => format!("{folder}/{source}"),
            };
            let content = self.content(section, source.as_str());
            mounts.push(FileMount { span: item.span, source: source.spanned(), content, target });
        }
        let again = repeated(&mounts, |mount| mount.target.as_str());
        keep_last(mounts, &again)
    }

    fn content(&self, section: &str, name: &str) -> Content {
        let Some(node) = self.top.get(section).and_then(|section| section.get(name)) else {
            return Content::Undeclared;
        };
        if let Some(file) = node.get("file")
            && let Some(text) = file.text()
        {
            return Content::File(self.path(file, text));
        }
        if let Some(text) = node.get("content").and_then(Node::text) {
            return Content::Inline(text);
        }
        match node.get("environment").and_then(Node::text) {
            Some(name) => Content::Environment(name),
            None => Content::External,
        }
    }
}

/// Without slashes at its end.
fn cleaned(target: Text) -> Text {
    let kept = target.as_str().trim_end_matches('/').len().max(1);
    if kept < target.as_str().len() { target.slice(0..kept) } else { target }
}

fn tmpfs_mount(node: &Node) -> Option<Mount> {
    let text = node.some_text()?;
    let target = text.split_once(':').map_or(text, |(target, _)| target);
    Some(Mount { span: node.span, kind: MountKind::Tmpfs, target, read_only: false, create_host_path: false })
}

/// The name of a volume that a mount uses.
pub fn volume_of(mount: &Mount) -> Option<&Spanned<String>> {
    match &mount.kind {
        MountKind::Volume { name, .. } => Some(name),
        _ => None,
    }
}
