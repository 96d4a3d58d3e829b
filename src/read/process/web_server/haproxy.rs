//! `bind` of HAProxy's frontends (docs.haproxy.org, "bind" and "listen").

use crate::read::app::settings::Setting;
use crate::read::process::web_server::{lines, listener, words};
use crate::read::surroundings::Surroundings;
use crate::site::listener::{Listener, Listening, Protocol};
use crate::source::{Lookup, Text};

/// Ports of a range that are taken one by one; longer ranges are not for proxies.
const LONGEST_RANGE: u16 = 64;

/// Keywords that begin a section.
pub const SECTIONS: &[&str] = &[
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "peers",
    "userlist",
    "resolvers",
    "mailers",
    "cache",
    "ring",
    "program",
    "http-errors",
    "fcgi-app",
    "log-forward",
    "crt-store",
    "traces",
    "acme",
];

#[derive(Default)]
struct Section {
    /// Requests arrive there.
    is_frontend: bool,
    is_http: bool,
    binds: Vec<Bind>,
}

struct Bind {
    listener: Listener,
    is_tls: bool,
    /// What arrives begins with a line of its own.
    is_wrapped: bool,
}

/// `files`: all that it is given, each with its path.
pub fn read(files: &[(String, Text)], surroundings: &Surroundings) -> Listening {
    let mut all = Listening { listeners: Vec::new(), open: None };
    let mut http_by_default = false;
    for (_, text) in files {
        let mut section = Section::default();
        let mut is_defaults = false;
        for line in lines(text) {
            let words = words(&line);
            let Some(first) = words.first().map(Text::as_str) else { continue };
            if first.starts_with('.') {
                all.open.get_or_insert_with(|| "a part of its configuration depends on a condition".to_owned());
            }
            if SECTIONS.contains(&first) {
                finish(std::mem::take(&mut section), &mut all);
                is_defaults = first == "defaults";
                if is_defaults {
                    http_by_default = false;
                }
                section.is_frontend = matches!(first, "frontend" | "listen");
                section.is_http = http_by_default;
                // The old notation has the address behind the name.
                if let Some(address) = words.get(2).filter(|word| section.is_frontend && word.as_str().contains(':')) {
                    bind(address, &words[3..], surroundings, &mut section, &mut all);
                }
                continue;
            }
            match (first, words.get(1)) {
                ("mode", Some(mode)) if is_defaults => http_by_default = mode.as_str() == "http",
                ("mode", Some(mode)) => section.is_http = mode.as_str() == "http",
                ("bind", Some(address)) if section.is_frontend => {
                    bind(address, &words[2..], surroundings, &mut section, &mut all);
                }
                _ => {}
            }
        }
        finish(section, &mut all);
    }
    all
}

fn finish(section: Section, all: &mut Listening) {
    for Bind { mut listener, is_tls, is_wrapped } in section.binds {
        listener.protocol = match (is_wrapped, section.is_http, is_tls) {
            (false, true, false) => Some(Protocol::Http),
            (false, true, true) => Some(Protocol::Https),
            _ => None,
        };
        all.listeners.push(listener);
    }
}

fn bind(addresses: &Text, options: &[Text], surroundings: &Surroundings, section: &mut Section, all: &mut Listening) {
    let has = |wanted: &str| options.iter().any(|option| option.as_str() == wanted);
    let source = addresses.as_str();
    let mut at = 0;
    for part in source.split(',') {
        let address = addresses.slice(at..at + part.len()).trim();
        at += part.len() + 1;
        let Some(found) = listeners(&address, surroundings) else {
            all.open.get_or_insert_with(|| format!("`bind {}` is not plain", address.as_str()));
            continue;
        };
        let binds = found.into_iter().map(|listener| Bind {
            listener,
            is_tls: has("ssl"),
            is_wrapped: has("accept-proxy") || has("accept-netscaler-cip"),
        });
        section.binds.extend(binds);
    }
}

/// `:80`, `*:80`, `ipv4@10.0.0.1:80`, `:8000-8010`, `unix@/run/x.sock`, `"${HOST}:80"`. Sockets with an abstract name are no
/// listeners that anybody else reaches.
fn listeners(address: &Text, surroundings: &Surroundings) -> Option<Vec<Listener>> {
    const WHY: &str = "`bind` of `haproxy`";
    let address = match variable(address, surroundings) {
        Setting::Value(address) => address,
        _ => return None,
    };
    let source = address.as_str();
    if source.starts_with("abns@") || source.starts_with("abnsz@") {
        return Some(Vec::new());
    }
    let rest = match source.split_once('@') {
        Some(("ipv4" | "ipv6" | "unix" | "tcp" | "tcp4" | "tcp6", rest)) => {
            address.slice(source.len() - rest.len()..source.len())
        }
        Some(_) => return None,
        None => address.clone(),
    };
    let source = rest.as_str();
    let range = source.rsplit_once(':').and_then(|(host, ports)| {
        let (first, last) = ports.split_once('-')?;
        Some((host, first.parse::<u16>().ok()?, last.parse::<u16>().ok()?))
    });
    if let Some((host, first, last)) = range {
        let length = last.checked_sub(first).filter(|length| *length < LONGEST_RANGE)?;
        let port = |number| listener(&Text::fixed(&format!("{host}:{number}"), rest.whole()), None, WHY);
        return (first..=first + length).map(port).collect();
    }
    // A port alone is a notation that it does not know.
    if !source.starts_with('/') && !source.contains(':') {
        return None;
    }
    Some(vec![listener(&rest, None, WHY)?])
}

/// `"$NAME"`, `"${NAME}:80"`: variables of its environment, at the start.
fn variable(address: &Text, surroundings: &Surroundings) -> Setting {
    let source = address.as_str();
    if !source.contains('$') {
        return Setting::Value(address.clone());
    }
    let unclear = Setting::Unclear(address.whole());
    let Some(rest) = source.strip_prefix('$') else { return unclear };
    let (name, after) = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        Some(parts) => parts,
        None => rest.split_at(rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(rest.len())),
    };
    match (surroundings.variable)(name) {
        Lookup::Value(value) if !after.contains('$') => {
            Setting::Value(Text::fixed(&format!("{}{after}", value.as_str()), address.whole()))
        }
        _ => unclear,
    }
}
