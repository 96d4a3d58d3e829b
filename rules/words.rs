//! Phrases that several rules share, so that one thing is called by the same words everywhere.

use std::net::SocketAddr;

use crate::site::Site;
use crate::site::listener::{Bind, Endpoint, Listener};
use crate::site::machine::{Kind, Machine};
use crate::site::proxy::{Hop, UnknownName};
use crate::site::reach::{End, ListenerId};

/// "port 8000", "127.0.0.1:9000", "`/run/app.sock`".
pub fn address(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Tcp { bind: Bind::Any | Bind::AnyIpv4 | Bind::OwnName | Bind::Unknown, port } => {
            format!("port {port}")
        }
        Endpoint::Tcp { bind: Bind::Only(address), port } => SocketAddr::new(*address, *port).to_string(),
        Endpoint::Tcp { bind: Bind::Localhost | Bind::Loopbacks, port } => format!("localhost:{port}"),
        Endpoint::Unix { path } => format!("`{path}`"),
    }
}

/// "`api`", or "the host" for the machine that has no other name.
pub fn name(machine: &Machine) -> String {
    match machine.kind {
        Kind::Container => format!("`{}`", machine.name),
        Kind::Host => machine.name.clone(),
    }
}

/// "`api` listens on port 8000: `gunicorn` is told to".
pub fn listens(site: &Site, id: ListenerId) -> String {
    let Listener { endpoint, why, .. } = site.listener(id);
    format!("{} listens on {}: {why}", name(site.machine(id.machine)), address(endpoint))
}

/// What visitors see when nobody answers the hop: "nginx answers 502".
pub fn refusal(site: &Site, end: &End, hop: &Hop) -> String {
    match end.spared {
        true => format!("{} has to ask another server of the group", site.proxy(hop.proxy).product),
        false => answers(site, hop),
    }
}

/// "nginx answers 502".
pub fn answers(site: &Site, hop: &Hop) -> String {
    let proxy = site.proxy(hop.proxy);
    format!("{} answers {}", proxy.product, proxy.answers.refused)
}

/// What becomes of a proxy whose target has no address: "nginx does not start", "nginx answers 502".
pub fn without_address(site: &Site, hop: &Hop, at_start: bool) -> String {
    let proxy = site.proxy(hop.proxy);
    match proxy.answers.unknown_name {
        UnknownName::KeepsFromStarting if at_start => format!("{} does not start", proxy.product),
        UnknownName::KeepsFromStarting => answers(site, hop),
        UnknownName::Answers(status) => format!("{} answers {status}", proxy.product),
    }
}

/// "`a`", "`a` and `b`", "`a`, `b` and `c`".
pub fn list<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

/// Sources that a deploy makes and that no repository holds: certificates, secrets, data, what a build leaves.
pub fn is_made_later(path: &str) -> bool {
    const WORDS: [&str; 22] = [
        "acme",
        "build",
        "cache",
        "cert",
        "certbot",
        "certificates",
        "certs",
        "data",
        "dhparam",
        "dist",
        "htpasswd",
        "letsencrypt",
        "log",
        "logs",
        "node_modules",
        "public",
        "secret",
        "secrets",
        "ssl",
        "static",
        "tls",
        "uploads",
    ];
    const SUFFIXES: [&str; 8] = [".crt", ".csr", ".env", ".key", ".log", ".pem", ".sock", ".htpasswd"];
    let lower = path.to_ascii_lowercase();
    lower.split('/').any(|part| WORDS.contains(&part) || part.starts_with(".env"))
        || lower.contains("dhparam")
        || SUFFIXES.iter().any(|suffix| lower.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::{is_made_later, list};

    #[test]
    fn lists_read_like_sentences() {
        assert_eq!(list(["a"]), "`a`");
        assert_eq!(list(["a", "b", "c"]), "`a`, `b` and `c`");
    }

    #[test]
    fn paths_tell_what_is_made_later() {
        for path in ["./data/certbot/conf", "./.env.production", "ssl/dhparam-2048.pem", "./frontend/dist"] {
            assert!(is_made_later(path), "{path}");
        }
        for path in ["./nginx/nginx.conf", "./database.conf", "./certificate-service/site.conf"] {
            assert!(!is_made_later(path), "{path}");
        }
    }
}
