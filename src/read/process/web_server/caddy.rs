//! The site addresses of a Caddyfile (caddyserver.com/docs/caddyfile/concepts#addresses).

use crate::read::process::web_server::{lines, listener, words};
use crate::read::surroundings::Surroundings;
use crate::site::listener::{Evidence, Listener, Listening, Protocol};
use crate::source::{Lookup, Text};

struct Reader<'r> {
    surroundings: &'r Surroundings<'r>,
    http_port: Text,
    https_port: Text,
    /// No certificate is fetched or made.
    plain: bool,
    /// A site has its own words about TLS.
    has_tls: bool,
    listeners: Vec<Listener>,
    open: Option<String>,
}

pub fn read(path: &str, text: &Text, surroundings: &Surroundings) -> Listening {
    let place = text.span(0..0);
    let mut reader = Reader {
        surroundings,
        http_port: Text::fixed("80", place),
        https_port: Text::fixed("443", place),
        plain: false,
        has_tls: false,
        listeners: Vec::new(),
        open: None,
    };
    if path.ends_with(".json") {
        return Listening::open(format!("`{path}` is not read"));
    }
    reader.file(text);
    if reader.has_tls {
        // It may be any of them.
        reader.listeners.iter_mut().for_each(|listener| listener.protocol = None);
    }
    Listening { listeners: reader.listeners, open: reader.open }
}

impl Reader<'_> {
    fn file(&mut self, text: &Text) {
        let mut depth = 0_usize;
        let mut in_options = false;
        // A snippet counts where it is imported only.
        let mut in_snippet = false;
        let mut is_first = true;
        // Addresses may run over several lines, each but the last ending in a comma.
        let mut addresses: Vec<Text> = Vec::new();
        for line in lines(text) {
            let mut words = words(&line);
            let opens = words.last().is_some_and(|word| word.as_str() == "{");
            let closes = words.first().is_some_and(|word| word.as_str() == "}");
            if opens {
                words.pop();
            }
            if closes {
                depth = depth.saturating_sub(1);
                in_options &= depth > 0;
                in_snippet &= depth > 0;
            }
            let name = words.first().map_or("", Text::as_str).to_owned();
            match (depth, name.as_str()) {
                _ if closes => {}
                (0, "") if opens && is_first => in_options = true,
                (0, "import") => self.unclear("what it imports is not followed"),
                (0, name) if name.starts_with('(') || name.starts_with("&(") => in_snippet = true,
                (0, _) => {
                    addresses.extend(words);
                    let goes_on = !opens && addresses.last().is_some_and(|word| word.as_str().ends_with(','));
                    if !goes_on {
                        let addresses = std::mem::take(&mut addresses);
                        addresses.iter().for_each(|address| self.address(address));
                        if !opens {
                            // A file of one site needs no braces: its directives follow.
                            depth = 1;
                        }
                    }
                }
                (1, "http_port") if in_options => {
                    self.http_port = words.get(1).cloned().unwrap_or(self.http_port.clone())
                }
                (1, "https_port") if in_options => {
                    self.https_port = words.get(1).cloned().unwrap_or(self.https_port.clone());
                }
                (1, "auto_https") if in_options => {
                    self.plain |= words.get(1).is_some_and(|word| word.as_str() == "off");
                }
                (1, "default_bind" | "import" | "servers" | "layer4" | "admin") if in_options && name != "admin" => {
                    self.unclear("its options say where it listens");
                }
                (1, "tls") if !in_options => self.has_tls = true,
                (1, "bind" | "import") if !in_options && !in_snippet => {
                    self.unclear("a site has a `bind` or an import")
                }
                _ => {}
            }
            is_first = false;
            depth += usize::from(opens);
        }
    }

    fn unclear(&mut self, why: &str) {
        self.open.get_or_insert_with(|| why.to_owned());
    }

    /// `:8080`, `example.com`, `http://example.com:8080`, `https://:8443`, `localhost`, `{$ADDRESS}`.
    fn address(&mut self, written: &Text) {
        let bare = written.slice(0..written.as_str().trim_end_matches(',').len());
        if bare.as_str().is_empty() {
            return;
        }
        let Some(address) = self.expanded(&bare) else {
            return self.unclear("an address of it comes from a variable that is not visible");
        };
        let source = address.as_str();
        let (scheme, rest) = source.split_once("://").map_or((None, source), |(scheme, rest)| (Some(scheme), rest));
        let host = rest.split('/').next().unwrap_or_default();
        let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
        let from = source.len() - rest.len();
        match (scheme, port) {
            (None | Some("http" | "https"), Some(port)) => {
                let has_name = host.len() > port.len() + 1;
                let number = address.slice(from + host.len() - port.len()..from + host.len());
                let protocol = match scheme {
                    Some("http") => Some(Protocol::Http),
                    Some(_) => Some(Protocol::Https),
                    None if self.plain || !has_name || port == self.http_port.as_str() => Some(Protocol::Http),
                    // A name gets a certificate, unless something else says that there is none.
                    None => None,
                };
                self.add(&number, &bare, protocol, Evidence::Binding);
            }
            (Some("http"), None) => self.add(&self.http_port.clone(), &bare, Some(Protocol::Http), Evidence::Default),
            (None | Some("https"), None) => {
                let (http, https) = (self.http_port.clone(), self.https_port.clone());
                self.add(&http, &bare, Some(Protocol::Http), Evidence::Default);
                if !self.plain {
                    self.add(&https, &bare, Some(Protocol::Https), Evidence::Default);
                }
            }
            _ => self.unclear("an address of it has a scheme of its own"),
        }
    }

    fn add(&mut self, port: &Text, address: &Text, protocol: Option<Protocol>, evidence: Evidence) {
        let why = format!("the site `{}` of `caddy`", address.as_str());
        let Some(found) = listener(port, protocol, &why) else { return self.unclear("a port of it is not plain") };
        let place = if evidence == Evidence::Default { address.whole() } else { found.place };
        let is_known = self.listeners.iter().any(|known| known.endpoint == found.endpoint);
        if !is_known {
            self.listeners.push(Listener { place, evidence, bind_place: address.whole(), ..found });
        }
    }

    /// `{$NAME}`, `{$NAME:8080}`; other braces are for values at run time.
    fn expanded(&self, address: &Text) -> Option<Text> {
        let source = address.as_str();
        if !source.contains('{') {
            return Some(address.clone());
        }
        let mut whole = String::new();
        let mut rest = source;
        while let Some((before, after)) = rest.split_once("{$") {
            let (inner, behind) = after.split_once('}')?;
            let (name, default) = inner.split_once(':').map_or((inner, None), |(name, default)| (name, Some(default)));
            whole.push_str(before);
            match ((self.surroundings.variable)(name), default) {
                (Lookup::Value(value), _) => whole.push_str(value.as_str()),
                (Lookup::Unset, Some(default)) => whole.push_str(default),
                _ => return None,
            }
            rest = behind;
        }
        whole.push_str(rest);
        (!whole.contains('{')).then(|| Text::fixed(&whole, address.whole()))
    }
}
