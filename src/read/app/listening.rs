//! Collects the listeners that the calls of an entry file open.

use crate::read::app::expression::{Call, Expression};
use crate::read::app::paths;
use crate::read::app::program::Program;
use crate::read::app::value::Value;
use crate::site::listener::{Bind, Endpoint, Evidence, Listener, Protocol};
use crate::source::{Span, Spanned, Text};

/// How long a server written in code waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// As the program calls it: `keepAliveTimeout`, `timeout_keep_alive`.
    pub name: String,
    pub milliseconds: u64,
    pub place: Span,
}

/// The result so far.
#[derive(Debug, Default)]
pub struct Collected {
    pub listeners: Vec<Listener>,
    /// Why there may be others.
    pub open: Option<String>,
    /// Calls that take any free port, and why they do.
    pub anywhere: Vec<Spanned<String>>,
    pub waits: Vec<Wait>,
}

/// A port or a host, written or left to the program's default.
pub enum Given {
    Value(Value),
    Default,
}

impl Given {
    pub fn of(value: Option<Value>) -> Given {
        value.map_or(Given::Default, Given::Value)
    }
}

/// One call that listens.
pub struct Site<'c> {
    pub expression: &'c Expression,
    pub protocol: Option<Protocol>,
    pub default_port: Option<u16>,
    pub default_bind: Bind,
}

impl Collected {
    pub fn nothing_seen(&self) -> bool {
        self.listeners.is_empty() && self.open.is_none() && self.anywhere.is_empty()
    }

    pub fn unclear(&mut self, program: &Program, what: &str, expression: &Expression) {
        if self.open.is_none() {
            let call = call_name(expression);
            self.open = Some(format!("{what} of `{call}` in {} is not plain", program.file_name()));
        }
    }

    /// A listener on a port and a host.
    pub fn tcp(&mut self, program: &Program, site: &Site, port: Given, host: Given) {
        let call = program.span(site.expression);
        let (port, place, evidence) = match port {
            Given::Default => match site.default_port {
                Some(port) => (port, call, Evidence::Default),
                None => return self.unclear(program, "the port", site.expression),
            },
            Given::Value(Value::Nothing(span)) => match site.default_port {
                Some(port) => (port, call, Evidence::Default),
                None => {
                    self.anywhere.push(Spanned::new("no port is set".to_owned(), span));
                    return;
                }
            },
            Given::Value(value) => match value.port() {
                Some(0) => {
                    self.anywhere.push(Spanned::new("port 0 is any free port".to_owned(), value.span()));
                    return;
                }
                Some(port) => (port, value.span(), Evidence::Binding),
                None => return self.unclear(program, "the port", site.expression),
            },
        };
        let (bind, bind_place) = match host {
            Given::Default | Given::Value(Value::Nothing(_)) => (site.default_bind, call),
            Given::Value(value) => match value.text() {
                Some(text) => (bind_of(text.as_str()), value.span()),
                None => (Bind::Unknown, value.span()),
            },
        };
        self.push(program, site, Endpoint::Tcp { bind, port }, evidence, place, bind_place);
    }

    /// A listener on one text: `:8080`, `127.0.0.1:9000`, `/run/app.sock`.
    pub fn address(&mut self, program: &Program, site: &Site, value: &Value) {
        let Some(text) = value.text() else { return self.unclear(program, "the address", site.expression) };
        match parse_address(text) {
            Some(Address::Unix(path)) => self.unix(program, site, &path),
            Some(Address::Tcp { host, port }) => {
                let host = host.map(Value::Text);
                self.tcp(program, site, Given::Value(Value::Text(port)), Given::of(host));
            }
            None if text.as_str().is_empty() => self.tcp(program, site, Given::Default, Given::Default),
            None => self.unclear(program, "the address", site.expression),
        }
    }

    pub fn unix(&mut self, program: &Program, site: &Site, path: &Text) {
        let place = path.whole();
        let path = paths::socket(&paths::absolute(program.surroundings.directory, path.as_str()));
        self.push(program, site, Endpoint::Unix { path }, Evidence::Binding, place, place);
    }

    fn push(
        &mut self,
        program: &Program,
        site: &Site,
        endpoint: Endpoint,
        evidence: Evidence,
        place: Span,
        bind_place: Span,
    ) {
        let why = format!("`{}` in {}", call_name(site.expression), program.file_name());
        let listener = Listener {
            endpoint,
            protocol: site.protocol,
            evidence,
            place,
            bind_place,
            why,
            anywhere: None,
            access: None,
        };
        if !self.listeners.contains(&listener) {
            self.listeners.push(listener);
        }
    }

    pub fn wait(&mut self, name: &str, value: &Value, factor: u64) {
        let Some(number) = value.number().and_then(|number| u64::try_from(number).ok()) else { return };
        self.waits.push(Wait {
            name: name.to_owned(),
            milliseconds: number.saturating_mul(factor),
            place: value.span(),
        });
    }
}

/// The last two names of what is called: `app.listen`, `http.ListenAndServe`.
pub fn call_name(expression: &Expression) -> String {
    let path = expression.path();
    path[path.len().saturating_sub(2)..].join(".")
}

/// The address that a host stands for.
pub fn bind_of(host: &str) -> Bind {
    let bare = host.trim().trim_start_matches('[').trim_end_matches(']');
    match bare {
        "0.0.0.0" => Bind::AnyIpv4,
        "" | "*" | "::" | "+" | "0" => Bind::Any,
        "localhost" | "ip6-localhost" => Bind::Localhost,
        other => other.parse().map_or(Bind::Unknown, Bind::Only),
    }
}

pub enum Address {
    Tcp { host: Option<Text>, port: Text },
    Unix(Text),
}

/// `8080`, `:8080`, `host:8080`, `[::]:8080`, `tcp://host:8080`, `http://host:8080/`, `unix:/path`, `/path`.
///
/// `None`: none of these.
pub fn parse_address(text: &Text) -> Option<Address> {
    let text = text.trim();
    let source = text.as_str();
    let behind = |prefix: &str| Some(text.slice(source.len() - source.strip_prefix(prefix)?.len()..source.len()));
    if let Some(path) = behind("unix://").or_else(|| behind("unix:")) {
        // Options follow a question mark: puma's `?umask=0111`.
        let path = path.split_once('?').map_or(path.clone(), |(path, _)| path);
        return Some(Address::Unix(path));
    }
    if source.starts_with('/') || source.starts_with("./") {
        return Some(Address::Unix(text));
    }
    let rest = ["tcp://", "http://", "https://", "ssl://"].iter().find_map(|scheme| behind(scheme)).unwrap_or(text);
    let end = rest.as_str().find(['/', '?']).unwrap_or(rest.as_str().len());
    let rest = rest.slice(0..end);
    let source = rest.as_str();
    if !source.is_empty() && source.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Address::Tcp { host: None, port: rest });
    }
    let colon = source.rfind(':')?;
    let port = rest.slice(colon + 1..source.len());
    port.as_str().parse::<u16>().ok()?;
    let host = rest.slice(0..colon);
    let empty = host.as_str().is_empty();
    Some(Address::Tcp { host: (!empty).then_some(host), port })
}

/// A named argument, or the positional one at `index`.
pub fn argument<'c>(call: &'c Call, name: &str, index: usize) -> Option<&'c Expression> {
    call.named(name).or_else(|| call.positional(index))
}
