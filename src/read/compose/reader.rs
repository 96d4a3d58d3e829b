//! Turns merged trees into the model. What compose would refuse becomes a problem, unless a variable without value may
//! be the reason.

use crate::read::compose::environment::Environment;
use crate::read::compose::find;
use crate::read::compose::latest::{keep_last, repeated};
use crate::read::compose::load::{Loader, parent};
use crate::read::compose::model::{HostPath, Network, PathText, Subnet, Volume};
use crate::read::compose::tree::{Kind, Mark, Node, Scalar};
use crate::read::snapshot;
use crate::read::surroundings::Found;
use crate::source::{Lookup, Span, Spanned, Text};
use crate::syntax::compose_values::{Refusal, duration, size, volumes};
use crate::syntax::yaml::whole_number;

pub struct Reader<'r, 'd> {
    pub loader: &'r mut Loader<'d>,
    pub environment: &'r Environment,
    /// The merged file.
    pub top: &'r Node,
    pub project_name: Option<&'r str>,
}

/// A name and its value; `None`: taken from the shell.
pub type Pair = (Spanned<String>, Option<Text>);

impl Reader<'_, '_> {
    /// The value, or a problem; what misses a variable is neither.
    pub fn accept<T>(&mut self, node: &Node, result: Result<T, Refusal>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(Refusal { span, message }) => {
                if !node.is_incomplete() {
                    self.loader.problem(span, message);
                }
                None
            }
        }
    }

    pub fn path(&self, node: &Node, text: Text) -> PathText {
        let path = self.lead(node, text.as_str());
        PathText { text, path }
    }

    /// Where a path leads that stands in this node.
    pub fn lead(&self, node: &Node, path: &str) -> HostPath {
        if node.is_incomplete() {
            return HostPath::Unknown;
        }
        let drive = volumes::is_path(path) && !path.starts_with('.');
        if drive || path.contains("://") || path.starts_with("git@") {
            return HostPath::Outside;
        }
        let folder = self.loader.folder_path(node.folder);
        let Some(inside) = snapshot::join(folder, path) else { return HostPath::Outside };
        HostPath::Inside(self.seen_from_above(folder, path, &inside).unwrap_or(inside))
    }

    /// A path that leads nowhere from its own folder, and to something from one above: there such a file is used with
    /// `--project-directory`, or behind the `-f` of the compose file that lies there.
    fn seen_from_above(&self, folder: &str, path: &str, inside: &str) -> Option<String> {
        let tree = snapshot::Tree { sources: self.loader.documents.sources, root: None };
        if !matches!(tree.find(inside), Found::Absent) {
            return None;
        }
        let mut above = folder;
        while !above.is_empty() {
            above = parent(above);
            let found = snapshot::join(above, path)?;
            let leads_back = found.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
            if (leads_back || find::has_base(tree.sources, above)) && !matches!(tree.find(&found), Found::Absent) {
                return Some(found);
            }
        }
        None
    }

    pub fn duration(&mut self, node: Option<&Node>) -> Option<Spanned<f64>> {
        let node = node?;
        let text = node.text()?;
        let seconds = self.accept(node, duration(&text))?;
        Some(Spanned::new(seconds, text.whole()))
    }

    pub fn size(&mut self, node: Option<&Node>) -> Option<Spanned<u64>> {
        let node = node?;
        let text = node.text()?;
        let bytes = self.accept(node, size(&text))?;
        Some(Spanned::new(bytes, text.whole()))
    }

    pub fn number(&mut self, node: Option<&Node>) -> Option<Spanned<u64>> {
        let text = node?.text()?;
        Some(Spanned::new(whole_number(text.as_str())?, text.whole()))
    }

    pub fn texts(&self, node: Option<&Node>) -> Vec<Text> {
        let items = node.map_or(&[][..], Node::items);
        let mut texts = Vec::with_capacity(items.len());
        texts.extend(items.iter().filter_map(Node::text));
        texts
    }

    /// A map, or a list of `name=value`; the later one of a name wins, or takes it away.
    pub fn pairs(&self, node: Option<Node>) -> Vec<Pair> {
        let Some(node) = node else { return Vec::new() };
        let kept = |(name, value): (Text, Node)| (value.mark != Mark::Reset).then(|| (name.spanned(), printed(value)));
        let items = match node.kind {
            Kind::Map(map) => {
                let mut found = Vec::with_capacity(map.len());
                found.extend(map.into_iter().filter_map(kept));
                return found;
            }
            Kind::List(items) => items,
            Kind::Scalar(_) | Kind::Null => vec![node],
        };
        let mut found: Vec<(Spanned<String>, Option<Option<Text>>)> = Vec::with_capacity(items.len());
        for item in items {
            match item.kind {
                Kind::Map(map) => found.extend(map.into_iter().map(|(name, value)| {
                    let value = (value.mark != Mark::Reset).then(|| printed(value));
                    (name.spanned(), value)
                })),
                Kind::Scalar(Scalar { text, .. }) => found.push(match text.split_once('=') {
                    Some((name, value)) => (name.spanned(), Some(Some(value))),
                    None => (text.spanned(), Some(None)),
                }),
                Kind::List(_) | Kind::Null => {}
            }
        }
        let again = repeated(&found, |(name, _)| name.value.as_str());
        keep_last(found, &again).into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Names without a value take it from the `.env` file, if it has them.
    pub fn passed_through(&self, pairs: &mut [Pair]) {
        for (name, value) in pairs.iter_mut().filter(|(_, value)| value.is_none()) {
            if let Lookup::Value(found) = self.environment.look_up(&name.value) {
                *value = Some(found);
            }
        }
    }

    pub fn networks(&mut self) -> Vec<Network> {
        let Some(map) = self.top.get("networks").and_then(Node::map) else { return Vec::new() };
        let mut networks = Vec::new();
        for (key, node) in map.iter().filter(|(_, node)| node.mark != Mark::Reset) {
            let (external, real_name) = self.identity(key, node);
            let subnets = node.get("ipam").and_then(|ipam| ipam.get("config")).map_or(&[][..], Node::items);
            let subnet = |node: &Node| Subnet {
                span: node.span,
                subnet: node.get("subnet").and_then(Node::some_text),
                gateway: node.get("gateway").and_then(Node::some_text),
            };
            networks.push(Network {
                key: key.spanned(),
                real_name,
                external,
                driver: node.get("driver").and_then(Node::some_text),
                internal: node.get("internal").and_then(Node::as_bool).unwrap_or(false),
                subnets: subnets.iter().map(subnet).collect(),
            });
        }
        networks
    }

    /// The network that compose adds when a service names none.
    pub fn default_network(&self, span: Span) -> Network {
        Network {
            key: Spanned::new("default".to_owned(), span),
            real_name: self.project_name.map(|project| format!("{project}_default")),
            external: false,
            driver: None,
            internal: false,
            subnets: Vec::new(),
        }
    }

    pub fn volumes(&mut self) -> Vec<Volume> {
        let Some(map) = self.top.get("volumes").and_then(Node::map) else { return Vec::new() };
        let mut volumes = Vec::new();
        for (key, node) in map.iter().filter(|(_, node)| node.mark != Mark::Reset) {
            let (external, real_name) = self.identity(key, node);
            let device = node.get("driver_opts").and_then(|options| options.get("device"));
            let device = device.and_then(|node| Some(self.path(node, node.some_text()?)));
            volumes.push(Volume { key: key.spanned(), real_name, external, device });
        }
        volumes
    }

    /// Whether somebody else makes it, and its real name.
    fn identity(&self, key: &Text, node: &Node) -> (bool, Option<String>) {
        let external = node.get("external");
        // The long form `external: {name: …}` is the old one.
        let old_name = external.and_then(|external| external.get("name"));
        let external = external.is_some_and(|external| external.map().is_some() || external.as_bool() == Some(true));
        let named = node.get("name").or(old_name);
        let name = match named {
            Some(node) if node.is_incomplete() => None,
            Some(node) => node.some_text().map(|text| text.to_string()),
            None if external => Some(key.to_string()),
            None => self.project_name.map(|project| format!("{project}_{key}")),
        };
        (external, name)
    }
}

/// A scalar as compose prints it: plain numbers in their decimal form.
fn printed(node: Node) -> Option<Text> {
    let Kind::Scalar(scalar) = node.kind else { return None };
    let text = scalar.text.as_str();
    if !scalar.plain || !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '+' | '.')) {
        return Some(scalar.text);
    }
    let normal = match whole_number(text) {
        Some(number) => number.to_string(),
        None => match text.parse::<f64>() {
            Ok(number) if text.contains('.') && number.abs() < 1e15 => number.to_string(),
            _ => return Some(scalar.text),
        },
    };
    Some(if normal == text { scalar.text } else { Text::fixed(&normal, scalar.text.whole()) })
}
