//! Configs of proxies whose routes are not read: they are named, so that silence about them is not taken for praise.

use crate::coverage::{FileCoverage, Read};
use crate::source::Sources;

/// A proxy of which at most the listeners are read.
struct OtherProxy {
    name: &'static str,
    format: &'static str,
    /// What the name of its files begins or ends with, in small letters.
    files: &'static [&'static str],
    /// What the lines that send requests on begin with; capitals do not count.
    statements: &'static [&'static str],
}

const OTHERS: &[OtherProxy] = &[
    OtherProxy {
        name: "Apache httpd",
        format: "apache",
        files: &[".conf", ".htaccess"],
        // httpd.apache.org/docs/2.4/mod/mod_proxy.html
        statements: &["proxypass", "<proxy", "sethandler \"proxy:", "sethandler proxy:"],
    },
    OtherProxy {
        name: "HAProxy",
        format: "haproxy",
        files: &[".cfg"],
        // docs.haproxy.org/3.2/configuration.html, section 4
        statements: &["use_backend ", "default_backend ", "listen "],
    },
    OtherProxy {
        name: "Caddy",
        format: "caddy",
        files: &["caddyfile", ".caddyfile"],
        // caddyserver.com/docs/caddyfile/directives
        statements: &["reverse_proxy ", "php_fastcgi "],
    },
];

/// The files in which another proxy is told where to send requests, apart from those that `is_known` to be something else.
pub fn files(sources: &Sources, is_known: impl Fn(&str) -> bool) -> Vec<FileCoverage> {
    let told = |path: &str| !is_known(path) && is_switched_on(sources, path);
    let unread = sources.files().filter(|(_, source)| told(&source.path)).filter_map(|(_, source)| {
        let name = source.path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let is_named = |part: &&str| name.starts_with(part) || name.ends_with(part);
        let of_name = |other: &&OtherProxy| other.files.iter().any(is_named);
        let other = OTHERS.iter().filter(of_name).find(|other| sends_on(&source.text, other))?;
        let read = Read::No(format!("where {} sends requests is not read", other.name));
        Some(FileCoverage { path: source.path.clone(), format: other.format, read })
    });
    unread.collect()
}

/// Debian keeps what may be switched on in `…-available`, and links to it from `…-enabled` (a2ensite(8)).
fn is_switched_on(sources: &Sources, path: &str) -> bool {
    !path.contains("-available/") || sources.entry(&path.replacen("-available/", "-enabled/", 1)).is_some()
}

fn sends_on(text: &str, other: &OtherProxy) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        let begins =
            |statement: &&str| line.get(..statement.len()).is_some_and(|start| start.eq_ignore_ascii_case(statement));
        other.statements.iter().any(begins)
    })
}

#[cfg(test)]
mod tests {
    use super::files;
    use crate::source::Sources;

    #[test]
    fn what_sends_requests_on_is_named() {
        let mut sources = Sources::default();
        sources.add("etc/apache2/sites-enabled/shop.conf", "<VirtualHost *:80>\n  ProxyPass / http://127.0.0.1:9/\n");
        sources
            .add("etc/apache2/conf-available/php.conf", "SetHandler \"proxy:unix:/run/php.sock|fcgi://localhost\"\n");
        sources.add("etc/apache2/ports.conf", "Listen 80\n# ProxyPass / http://127.0.0.1:9/\n");
        sources.add("Caddyfile", "shop.test {\n\treverse_proxy app:9\n}\n");
        sources.add("etc/haproxy/haproxy.cfg", "frontend in\n  bind :80\n  default_backend app\n");
        sources.add("tool.cfg", "[listen]\nport = 1\n");
        let said: Vec<&str> = files(&sources, |_| false).iter().map(|file| file.format).collect();
        assert_eq!(said, ["apache", "caddy", "haproxy"]);
        assert!(files(&sources, |_| true).is_empty());
    }
}
