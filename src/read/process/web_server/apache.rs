//! `Listen` of Apache httpd, through its includes and conditions (httpd.apache.org/docs/2.4/mod/mpm_common.html#listen).

use std::collections::{BTreeMap, BTreeSet};

use crate::read::app::paths::absolute;
use crate::read::glob;
use crate::read::process::web_server::{MOST_FILES, lines, listener, words};
use crate::read::surroundings::{Found, Surroundings};
use crate::site::listener::{Endpoint, Listener, Listening, Protocol};
use crate::source::{Lookup, Text, TextBuilder};

/// Includes lead to includes this deep.
const DEEPEST: usize = 10;

struct Reader<'r> {
    surroundings: &'r Surroundings<'r>,
    /// Relative paths start there.
    root: String,
    defined: BTreeMap<String, Option<Text>>,
    loaded: BTreeSet<String>,
    listeners: Vec<Listener>,
    /// Some virtual host speaks TLS, on a port that is not followed.
    speaks_tls: bool,
    /// The ports of the virtual host that is read; `None`: outside of one, or it has every port.
    ports: Option<Vec<u16>>,
    /// How many virtual hosts a port has, and how many of them speak TLS.
    hosts: BTreeMap<u16, (usize, usize)>,
    open: Option<String>,
    files: usize,
}

pub fn read(path: &str, text: &Text, surroundings: &Surroundings) -> Listening {
    let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
    let mut reader = Reader {
        surroundings,
        root: folder.strip_suffix("/conf").unwrap_or(folder).to_owned(),
        defined: BTreeMap::new(),
        loaded: BTreeSet::new(),
        listeners: Vec::new(),
        speaks_tls: false,
        ports: None,
        hosts: BTreeMap::new(),
        open: None,
        files: 0,
    };
    if let Found::File(text) = (surroundings.file)(&absolute(folder, "envvars")) {
        reader.variables(&text);
    }
    reader.file(text, 0);
    let speaks_tls = reader.speaks_tls;
    for listener in &mut reader.listeners {
        let port = match listener.endpoint {
            Endpoint::Tcp { port, .. } => Some(port),
            Endpoint::Unix { .. } => None,
        };
        listener.protocol = match port.and_then(|port| reader.hosts.get(&port)) {
            Some((all, tls)) if all == tls => Some(Protocol::Https),
            Some((_, 0)) if !speaks_tls => Some(Protocol::Http),
            Some(_) => None,
            _ => listener.protocol.filter(|protocol| !speaks_tls || *protocol == Protocol::Https),
        };
    }
    Listening { listeners: reader.listeners, open: reader.open }
}

/// The port of `<VirtualHost 127.0.0.1:7081>`; `None`: it is for every port, or not plain.
fn port_of_host(word: &str) -> Option<u16> {
    word.trim_end_matches('>').rsplit_once(':')?.1.parse().ok()
}

impl Reader<'_> {
    /// Debian's `envvars`: `export NAME=value`.
    fn variables(&mut self, text: &Text) {
        for line in lines(text) {
            let Some((name, value)) = line.split_once('=') else { continue };
            let name = name.as_str().trim_start_matches("export ").trim();
            let plain = !value.as_str().contains(['$', '`']);
            let value = words(&value).into_iter().next().filter(|_| plain);
            self.defined.insert(name.to_owned(), value);
        }
    }

    fn file(&mut self, text: &Text, depth: usize) {
        self.files += 1;
        if depth > DEEPEST || self.files > MOST_FILES {
            self.open.get_or_insert_with(|| "its includes are not followed to their end".to_owned());
            return;
        }
        // What holds in the blocks around a line; `None`: it may.
        let mut conditions: Vec<Option<bool>> = Vec::new();
        // The body of a macro is read where it is used, which is not followed.
        let mut in_macro = false;
        for line in lines(text) {
            let words = words(&line);
            let Some(name) = words.first().map(|word| word.as_str().to_ascii_lowercase()) else { continue };
            let is_condition = name.starts_with("<if") || name.starts_with("</if");
            match name.as_str() {
                "</virtualhost>" => self.ports = None,
                "<macro" => in_macro = true,
                "</macro>" => in_macro = false,
                _ if is_condition && name.starts_with("</") => drop(conditions.pop()),
                _ if is_condition => conditions.push(self.holds(&name, words.get(1))),
                _ if conditions.contains(&Some(false)) => {}
                _ => self.directive(&name, &words, in_macro, depth),
            }
        }
    }

    /// `<IfModule mod_ssl.c>`, `<IfModule !ssl_module>`, `<IfDefine X>`.
    fn holds(&self, name: &str, asked: Option<&Text>) -> Option<bool> {
        let asked = asked?.as_str().trim_end_matches('>');
        let (asked, negated) = asked.strip_prefix('!').map_or((asked, false), |asked| (asked, true));
        let holds = match name {
            "<ifmodule" => {
                let module = asked.strip_prefix("mod_").and_then(|rest| rest.strip_suffix(".c"));
                let module = module.map_or_else(|| asked.to_owned(), |module| format!("{module}_module"));
                // One that loads nothing has its modules compiled in, or loads them elsewhere.
                if self.loaded.is_empty() { None } else { Some(self.loaded.contains(&module)) }
            }
            "<ifdefine" => self.defined.contains_key(asked).then_some(true),
            _ => None,
        };
        holds.map(|holds| holds != negated)
    }

    fn directive(&mut self, name: &str, words: &[Text], in_macro: bool, depth: usize) {
        let Some(value) = words.get(1) else { return };
        match name {
            "listen" if in_macro => {
                self.open.get_or_insert_with(|| "a macro says where it listens".to_owned());
            }
            "listen" => self.listen(value, words.get(2)),
            "<virtualhost" => {
                let ports: Option<Vec<u16>> = words[1..].iter().map(|word| port_of_host(word.as_str())).collect();
                for port in ports.iter().flatten() {
                    self.hosts.entry(*port).or_default().0 += 1;
                }
                self.ports = ports;
            }
            "sslengine" if !value.as_str().eq_ignore_ascii_case("off") => match &self.ports {
                Some(ports) => ports.iter().for_each(|port| self.hosts.entry(*port).or_default().1 += 1),
                None => self.speaks_tls = true,
            },
            "loadmodule" => drop(self.loaded.insert(value.as_str().to_owned())),
            "serverroot" => {
                if let Some(root) = self.expanded(value) {
                    self.root = absolute("/", root.as_str());
                }
            }
            "define" => drop(self.defined.insert(value.as_str().to_owned(), words.get(2).cloned())),
            "undefine" => drop(self.defined.remove(value.as_str())),
            "include" | "includeoptional" => self.include(value, depth),
            _ => {}
        }
    }

    fn listen(&mut self, value: &Text, protocol: Option<&Text>) {
        let found = self.expanded(value).and_then(|address| {
            let is_tls = match protocol {
                Some(protocol) => protocol.as_str().eq_ignore_ascii_case("https"),
                None => address.as_str() == "443" || address.as_str().ends_with(":443"),
            };
            listener(&address, Some(if is_tls { Protocol::Https } else { Protocol::Http }), "`Listen` of `httpd`")
        });
        match found {
            Some(found) => self.listeners.push(found),
            None => drop(self.open.get_or_insert_with(|| format!("`Listen {}` is not plain", value.as_str()))),
        }
    }

    fn include(&mut self, value: &Text, depth: usize) {
        let Some(path) = self.expanded(value) else {
            self.open.get_or_insert_with(|| format!("what `{}` includes is not visible", value.as_str()));
            return;
        };
        let path = absolute(&self.root, path.as_str());
        let is_folder = matches!((self.surroundings.file)(&path), Found::Directory);
        let paths = if is_folder || glob::is_pattern(&path) {
            let pattern = if is_folder { format!("{path}/*") } else { path };
            let matches = glob::expand(&pattern, self.surroundings.list);
            if !matches.complete {
                self.open.get_or_insert_with(|| format!("what `{pattern}` takes in is not visible"));
            }
            matches.paths
        } else {
            vec![path]
        };
        for path in paths {
            match (self.surroundings.file)(&path) {
                Found::File(text) => self.file(&text, depth + 1),
                Found::Directory => {}
                _ => drop(self.open.get_or_insert_with(|| format!("`{path}` is not visible"))),
            }
        }
    }

    /// `${NAME}` put in; `None`: one of them is not known.
    fn expanded(&self, value: &Text) -> Option<Text> {
        let source = value.as_str();
        if !source.contains("${") {
            return Some(value.clone());
        }
        let mut builder = TextBuilder::default();
        let mut at = 0;
        while let Some(found) = source[at..].find("${") {
            let start = at + found;
            builder.push(value, at..start);
            let (name, _) = source[start + 2..].split_once('}')?;
            let known = match self.defined.get(name) {
                Some(known) => known.clone()?,
                None => match (self.surroundings.variable)(name) {
                    Lookup::Value(known) => known,
                    Lookup::Unset | Lookup::Unknown => return None,
                },
            };
            builder.push(&known, 0..known.as_str().len());
            at = start + name.len() + 3;
        }
        builder.push(value, at..source.len());
        Some(builder.finish(value.whole()))
    }
}
