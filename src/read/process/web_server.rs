//! Where Apache httpd, HAProxy and Caddy listen, as their own configurations say it. Only that is read of them: what they
//! do with a request is not.

mod apache;
mod caddy;
pub mod haproxy;

use crate::read::app::listening::{Address, bind_of, parse_address};
use crate::read::app::paths::{absolute, socket};
use crate::read::catalogue::program::Program;
use crate::read::process::Process;
use crate::read::process::flags::{Given, find};
use crate::read::surroundings::{Found, Surroundings};
use crate::site::listener::{Bind, Endpoint, Evidence, Listener, Listening, Protocol};
use crate::source::Text;

/// Their main files, as the distributions lay them out.
const APACHE: &[&str] = &[
    "/etc/apache2/apache2.conf",
    "/etc/httpd/conf/httpd.conf",
    "/etc/apache2/httpd.conf",
    "/usr/local/apache2/conf/httpd.conf",
];
const HAPROXY: &[&str] = &["/etc/haproxy/haproxy.cfg", "/usr/local/etc/haproxy/haproxy.cfg"];
const CADDY: &[&str] = &["/etc/caddy/Caddyfile"];

/// Larger configurations are not followed to their end.
const MOST_FILES: usize = 2000;

/// The unit and the main files of each, for servers whose units are not in the tree.
pub fn packaged() -> [(&'static str, &'static [&'static str]); 4] {
    [("apache2", APACHE), ("httpd", APACHE), ("haproxy", HAPROXY), ("caddy", CADDY)]
}

/// The configuration files of one of these, each with its path; `None`: it is another program, or they are not visible.
pub fn files(process: &Process, program: &Program, surroundings: &Surroundings) -> Option<Vec<(String, Text)>> {
    let places = match program.reader.as_deref()? {
        "apache" => APACHE,
        "haproxy" => HAPROXY,
        "caddy" => CADDY,
        _ => return None,
    };
    let flags = program.config.as_ref().and_then(|config| config.flag.as_deref()).unwrap_or("-f");
    let named = find(&process.arguments, flags, true, &|value| value.starts_with('/'));
    let mut paths = Vec::new();
    for given in &named {
        let Given::Value(path) = given else { return None };
        paths.push(absolute(&process.directory, path.as_str()));
    }
    if paths.is_empty() {
        paths.extend(
            places.iter().find(|path| matches!((surroundings.file)(path), Found::File(_))).map(|it| (*it).to_owned()),
        );
    }
    let mut found = Vec::new();
    for path in paths {
        let Found::File(text) = (surroundings.file)(&path) else { return None };
        found.push((path, text));
    }
    Some(found)
}

/// What the configuration of one of these says; `None`: it is another program, or its configuration is not visible.
pub fn listening(process: &Process, program: &Program, surroundings: &Surroundings) -> Option<Listening> {
    let found = files(process, program, surroundings)?;
    let variable = |name: &str| process.variable(name, surroundings);
    let inner = Surroundings { directory: &process.directory, variable: &variable, ..*surroundings };
    let (path, text) = found.first()?;
    let listening = match program.reader.as_deref()? {
        "apache" => apache::read(path, text, &inner),
        "haproxy" => haproxy::read(&found, &inner),
        _ => caddy::read(path, text, &inner),
    };
    let Listening { listeners, open } = listening;
    // One that listens nowhere does not run, or was not understood.
    let open = open.or_else(|| listeners.is_empty().then(|| format!("`{path}` does not say where it listens")));
    Some(Listening { listeners, open })
}

/// A listener at a written address: `8080`, `10.0.0.1:8080`, `/run/x.sock`. `why` is quoted as evidence.
fn listener(address: &Text, protocol: Option<Protocol>, why: &str) -> Option<Listener> {
    let (endpoint, place) = match parse_address(address)? {
        Address::Unix(path) => (Endpoint::Unix { path: socket(&absolute("/", path.as_str())) }, path.whole()),
        Address::Tcp { host, port } => {
            let bind = host.as_ref().map_or(Bind::Any, |host| bind_of(host.as_str()));
            (Endpoint::Tcp { bind, port: port.as_str().parse().ok().filter(|port| *port != 0)? }, port.whole())
        }
    };
    Some(Listener {
        endpoint,
        protocol,
        evidence: Evidence::Binding,
        place,
        bind_place: address.whole(),
        why: why.to_owned(),
        anywhere: None,
        access: None,
    })
}

/// Each line without its blanks, and without what stands behind a `#` at its start.
pub fn lines(text: &Text) -> impl Iterator<Item = Text> + '_ {
    let mut start = 0;
    text.as_str().split_inclusive('\n').filter_map(move |line| {
        let from = start + (line.len() - line.trim_start().len());
        start += line.len();
        let bare = line.trim();
        (!bare.is_empty() && !bare.starts_with('#')).then(|| text.slice(from..from + bare.len()))
    })
}

/// The words of a line; quotes keep blanks together, and `#` ends them.
pub fn words(line: &Text) -> Vec<Text> {
    let source = line.as_str();
    let bytes = source.as_bytes();
    let mut words = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if bytes[at] == b'#' {
            break;
        }
        let quote = Some(bytes[at]).filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
        let start = at + usize::from(quote.is_some());
        let is_end = |byte: u8| quote.map_or(byte.is_ascii_whitespace(), |quote| byte == quote);
        let end = bytes[start..].iter().position(|byte| is_end(*byte)).map_or(bytes.len(), |length| start + length);
        words.push(line.slice(start..end));
        at = end + usize::from(quote.is_some());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{lines, words};
    use crate::source::{FileId, Text};

    #[test]
    fn lines_and_words() {
        let text = Text::of_file(FileId(0), " Listen  \"a b\" 'c' # d\n# e\n\n\tx\"y\n\"é");
        let shown: Vec<String> = lines(&text)
            .map(|line| words(&line).iter().map(|word| word.as_str().to_owned()).collect::<Vec<_>>().join("|"))
            .collect();
        assert_eq!(shown, ["Listen|a b|c", "x\"y", "é"]);
    }
}
