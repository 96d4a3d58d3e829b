//! Merges one compose file, or one service, into another, as compose-go's `override` package does it.

use crate::read::compose::tree::{Kind, Map, Mark, Node};
use crate::source::Text;

/// What a key of a service says about merging.
enum Rule {
    /// Maps key by key, lists one behind the other, scalars replaced.
    Usual,
    /// The later value alone counts.
    Replace,
    /// One value or a list: one behind the other.
    Append,
    /// A map, or a list of `name=value`: one behind the other, so that the later one of a name can win.
    Pairs,
    /// A map, or a list of names without values: key by key.
    Names,
    /// A map, or a string that stands for this key of it.
    Short(&'static str),
}

/// The rule for a path, from the top of the file.
fn rule(path: &[&str]) -> Rule {
    match path {
        ["services", _, "command" | "entrypoint"] | ["services", _, "healthcheck", "test"] => Rule::Replace,
        ["services", _, "dns" | "dns_opt" | "dns_search" | "env_file" | "label_file" | "tmpfs"] => Rule::Append,
        ["services", _, "environment" | "labels" | "annotations" | "sysctls" | "extra_hosts"]
        | ["services", _, "build", "args" | "labels" | "extra_hosts" | "additional_contexts"]
        | ["services", _, "deploy", "labels"]
        | ["networks" | "volumes", _, "labels"] => Rule::Pairs,
        ["services", _, "networks" | "depends_on"] => Rule::Names,
        ["services", _, "build"] => Rule::Short("context"),
        _ => Rule::Usual,
    }
}

/// Puts `over` on top of `base`; `path` leads to both of them.
pub fn merge(base: Node, over: Node, path: &mut Vec<&'static str>) -> Node {
    // A mark stays: it also holds for what the result is merged into later.
    if over.mark != Mark::Merge {
        return over;
    }
    if matches!(over.kind, Kind::Null) {
        return base;
    }
    if matches!(base.kind, Kind::Null) {
        return Node { mark: if base.mark == Mark::Reset { Mark::Override } else { base.mark }, ..over };
    }
    let mark = base.mark;
    let merged = match rule(path) {
        Rule::Replace => over,
        Rule::Append => append(base, over),
        Rule::Pairs => append(pairs(base), pairs(over)),
        Rule::Names => usual(names(base), names(over), path),
        Rule::Short(key) => usual(long(base, key), long(over, key), path),
        Rule::Usual => usual(base, over, path),
    };
    Node { mark, ..merged }
}

fn usual(base: Node, over: Node, path: &mut Vec<&'static str>) -> Node {
    let span = over.span;
    let folder = over.folder;
    let mark = base.mark;
    match (base.kind, over.kind) {
        (Kind::Map(mut map), Kind::Map(other)) => {
            for (key, value) in other {
                path.push(known(key.as_str(), path.len()));
                let merged = match map.get_mut(key.as_str()) {
                    Some(slot) => {
                        let nothing = Node { span: slot.span, folder: slot.folder, mark: slot.mark, kind: Kind::Null };
                        let first = std::mem::replace(slot, nothing);
                        *slot = merge(first, value, path);
                        None
                    }
                    None => Some(value),
                };
                if let Some(value) = merged {
                    map.set(key, value);
                }
                path.pop();
            }
            Node { span, folder, mark, kind: Kind::Map(map) }
        }
        (Kind::List(mut items), Kind::List(more)) => {
            items.extend(more);
            Node { span, folder, mark, kind: Kind::List(items) }
        }
        (_, kind) => Node { span, folder, mark, kind },
    }
}

/// The keys that rules are about; every other one is `*`.
fn known(key: &str, depth: usize) -> &'static str {
    const TOP: &[&str] = &["services", "networks", "volumes"];
    const BELOW: &[&str] = &[
        "command",
        "entrypoint",
        "healthcheck",
        "dns",
        "dns_opt",
        "dns_search",
        "env_file",
        "label_file",
        "tmpfs",
        "environment",
        "labels",
        "annotations",
        "sysctls",
        "extra_hosts",
        "build",
        "deploy",
        "networks",
        "depends_on",
        "test",
        "args",
        "additional_contexts",
    ];
    let names = match depth {
        0 => TOP,
        1 => &[],
        _ => BELOW,
    };
    names.iter().find(|name| **name == key).copied().unwrap_or("*")
}

fn append(base: Node, over: Node) -> Node {
    let (span, folder, mark) = (over.span, over.folder, base.mark);
    let mut items = list(base);
    items.extend(list(over));
    Node { span, folder, mark, kind: Kind::List(items) }
}

fn list(node: Node) -> Vec<Node> {
    match node.kind {
        Kind::List(items) => items,
        Kind::Null => Vec::new(),
        _ => vec![node],
    }
}

/// A map as a list of maps with one key each.
fn pairs(node: Node) -> Node {
    let Node { span, folder, mark, kind } = node;
    let kind = match kind {
        Kind::Map(map) => {
            let single = |(key, value): (Text, Node)| {
                let (span, mark) = (key.whole().to(value.span), value.mark);
                let mut map = Map::default();
                map.set(key, value);
                Node { span, folder, mark, kind: Kind::Map(map) }
            };
            Kind::List(map.into_iter().map(single).collect())
        }
        kind => kind,
    };
    Node { span, folder, mark, kind }
}

/// A list of names as a map without values.
pub fn names(node: Node) -> Node {
    let Node { span, folder, mark, kind } = node;
    let kind = match kind {
        Kind::List(items) => {
            let mut map = Map::default();
            for item in items {
                let Some(name) = item.text() else { continue };
                // With a variable in it, the name is less than what is written.
                let key = Text::fixed(name.as_str(), item.span);
                map.set(key, Node { span: item.span, folder, mark: Mark::Merge, kind: Kind::Null });
            }
            Kind::Map(map)
        }
        kind => kind,
    };
    Node { span, folder, mark, kind }
}

/// A string as a map with this one key.
pub fn long(node: Node, key: &str) -> Node {
    if node.scalar().is_none() {
        return node;
    }
    let (span, folder, mark) = (node.span, node.folder, node.mark);
    let mut map = Map::default();
    map.set(Text::fixed(key, span), Node { mark: Mark::Merge, ..node });
    Node { span, folder, mark, kind: Kind::Map(map) }
}
