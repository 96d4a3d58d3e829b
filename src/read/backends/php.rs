//! The pools of php-fpm: how long a request may take there, and how many are worked on at a time.

use std::net::IpAddr;

use crate::read::app::php_fpm::{Pool, Pools};
use crate::read::catalogue::program::Program;
use crate::read::glob;
use crate::read::nginx::duration::seconds;
use crate::read::process::judged::Judged;
use crate::read::process::{Process, listening};
use crate::read::surroundings::{Found, Surroundings};
use crate::site::backend::{AtTheEnd, Backend, Limit, Queue};
use crate::site::listener::Listener;
use crate::source::{Spanned, Text};
use crate::syntax::ini::{self, Style};

/// Files of settings for all pools, a later one over an earlier one; `{}` is the version
/// (php.net/manual/en/configuration.file.php, and as Debian and Alpine have them).
const FILES: &[&str] = &[
    "/usr/local/etc/php/php.ini",
    "/usr/local/etc/php/conf.d/*.ini",
    "/etc/php.ini",
    "/etc/php.d/*.ini",
    "/etc/php{}/php.ini",
    "/etc/php{}/conf.d/*.ini",
    "/etc/php/{}/fpm/php.ini",
    "/etc/php/{}/fpm/conf.d/*.ini",
];

/// The settings of php.ini.
pub struct Settings {
    entries: Vec<(String, Text)>,
}

impl Settings {
    /// What holds in a pool: `php_admin_value` over `php_value` over php.ini
    /// (php.net/manual/en/install.fpm.configuration.php).
    pub fn get(&self, pool: &Pool, name: &str) -> Option<Text> {
        let of_pool = |kind: &str| pool.get(&format!("{kind}[{name}]")).cloned();
        let of_files = || self.entries.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        of_pool("php_admin_value").or_else(|| of_pool("php_value")).or_else(of_files)
    }
}

/// The pools of a process that is php-fpm, and the settings of its php.ini.
pub fn read(process: &Process, surroundings: &Surroundings<'_>) -> Option<(Pools, Settings)> {
    let program = process.program.filter(|program| program.reader.as_deref() == Some("php-fpm"))?;
    let pools = listening::pools(process, program, surroundings)?;
    let version = process.name.replace("php-fpm", "").replace("-fpm", "").replace("php", "");
    let mut entries = Vec::new();
    for pattern in FILES {
        let pattern = pattern.replace("{}", version.trim_start_matches('-'));
        let paths = match glob::is_pattern(&pattern) {
            true => glob::expand(&pattern, surroundings.list).paths,
            false => vec![pattern],
        };
        for path in paths {
            let Found::File(text) = (surroundings.file)(&path) else { continue };
            let sections = ini::parse(&text, Style::PHP).sections;
            entries.extend(sections.into_iter().flat_map(|it| it.entries).map(|(key, value)| (key.value, value)));
        }
    }
    Some((pools, Settings { entries }))
}

/// One backend for each pool.
pub fn pools(
    listeners: &[&Listener],
    backend: &Backend,
    process: &Process,
    program: &Program,
    surroundings: &Surroundings<'_>,
) -> Vec<Backend> {
    let Some((pools, settings)) = read(process, surroundings) else { return Vec::new() };
    let large_headers = Judged::new(process, program, surroundings).large_headers();
    let one = |pool: &Pool| {
        let (endpoint, _) = pool.endpoint()?;
        let own = (0..listeners.len()).filter(|index| listeners[*index].endpoint == endpoint);
        let children = pool.get("pm.max_children");
        Some(Backend {
            listeners: own.collect(),
            program: format!("pool `{}`", pool.name),
            limits: limits(pool, &settings),
            queue: queue(pool),
            workers: children.and_then(|text| Some(Spanned::new(text.as_str().trim().parse().ok()?, text.whole()))),
            large_headers: large_headers.clone(),
            clients: clients(pool),
            ..backend.clone()
        })
    };
    pools.pools.iter().filter_map(one).collect()
}

/// Whoever else connects over TCP is hung up on (php.net/manual/en/install.fpm.configuration.php, `listen.allowed_clients`).
fn clients(pool: &Pool) -> Option<Spanned<Vec<IpAddr>>> {
    let text = pool.get("listen.allowed_clients")?;
    let addresses: Option<Vec<IpAddr>> = text.as_str().split(',').map(|it| it.trim().parse().ok()).collect();
    Some(Spanned::new(addresses?, text.whole()))
}

fn queue(pool: &Pool) -> Option<Queue> {
    let text = pool.get("listen.backlog")?;
    let length = Spanned::new(text.as_str().trim().parse().ok()?, text.whole());
    Some(Queue { length, setting: "listen.backlog".to_owned(), or_nothing: false })
}

fn limits(pool: &Pool, settings: &Settings) -> Vec<Limit> {
    let limit = |text: Text, setting: &str, at_the_end| {
        let seconds = seconds(text.as_str())?;
        let limit = Limit { seconds, setting: setting.to_owned(), place: text.whole(), written: true, at_the_end };
        (seconds > 0.0).then_some(limit)
    };
    let killed = pool.get("request_terminate_timeout").cloned();
    let ended = settings.get(pool, "max_execution_time");
    let killed = killed.and_then(|text| limit(text, "request_terminate_timeout", AtTheEnd::Cut));
    // On Linux only the time on the processor counts, and PHP itself answers with an error.
    let ended = ended.and_then(|text| limit(text, "max_execution_time", AtTheEnd::Answered));
    killed.into_iter().chain(ended).collect()
}
