//! How long HAProxy waits for its servers, and keeps connections of its clients (docs.haproxy.org, "timeout server",
//! "timeout http-keep-alive").

use crate::read::catalogue::program::Program;
use crate::read::process::Process;
use crate::read::process::web_server::haproxy::SECTIONS;
use crate::read::process::web_server::{files, lines, words};
use crate::read::surroundings::Surroundings;
use crate::site::backend::{AtTheEnd, Backend, Limit};
use crate::source::{Spanned, Text};

/// The settings of a section, seconds.
#[derive(Clone, Default)]
struct Timeouts {
    server: Option<Spanned<f64>>,
    /// Between two requests: the strongest setting that is written.
    keep_alive: Option<Spanned<f64>>,
    request: Option<Spanned<f64>>,
    client: Option<Spanned<f64>>,
    /// Each connection is closed after its answer.
    closes: bool,
}

/// Adds the shortest waits of all sections: which of them takes a request depends on rules that are not followed.
pub fn of(mut backend: Backend, process: &Process, program: &Program, surroundings: &Surroundings<'_>) -> Backend {
    let Some(files) = files(process, program, surroundings) else { return backend };
    let (mut servers, mut clients) = (Vec::new(), Vec::new());
    for (_, text) in &files {
        for (kind, timeouts) in sections(text) {
            if matches!(kind.as_str(), "backend" | "listen") {
                servers.push(timeouts.server.map(|wait| limit(wait, "timeout server", AtTheEnd::Answered)));
            }
            if matches!(kind.as_str(), "frontend" | "listen") {
                clients.push(idle(&timeouts));
            }
        }
    }
    // A section without a limit waits for ever, so it is not known that every request has one.
    backend.limits.extend(shortest(servers));
    backend.idle = shortest(clients);
    backend
}

fn idle(timeouts: &Timeouts) -> Option<Limit> {
    if timeouts.closes {
        return None;
    }
    let settings = [
        (timeouts.keep_alive, "timeout http-keep-alive"),
        (timeouts.request, "timeout http-request"),
        (timeouts.client, "timeout client"),
    ];
    let (wait, name) = settings.into_iter().find_map(|(wait, name)| Some((wait?, name)))?;
    Some(limit(wait, name, AtTheEnd::Cut))
}

fn limit(wait: Spanned<f64>, setting: &str, at_the_end: AtTheEnd) -> Limit {
    Limit { seconds: wait.value, setting: setting.to_owned(), place: wait.span, written: true, at_the_end }
}

/// The shortest, when all have one.
fn shortest(limits: Vec<Option<Limit>>) -> Option<Limit> {
    let limits: Option<Vec<Limit>> = limits.into_iter().collect();
    limits?.into_iter().filter(|limit| limit.seconds > 0.0).min_by(|one, other| one.seconds.total_cmp(&other.seconds))
}

/// Each section with what holds in it: its own settings over those of the last `defaults`.
fn sections(text: &Text) -> Vec<(String, Timeouts)> {
    let mut sections: Vec<(String, Timeouts)> = Vec::new();
    let mut defaults = Timeouts::default();
    for line in lines(text) {
        let words = words(&line);
        let Some(first) = words.first().map(Text::as_str) else { continue };
        if SECTIONS.contains(&first) {
            if let Some((_, last)) = sections.last().filter(|(kind, _)| kind == "defaults") {
                defaults = last.clone();
            }
            let start = if first == "defaults" { Timeouts::default() } else { defaults.clone() };
            sections.push((first.to_owned(), start));
            continue;
        }
        let Some((_, timeouts)) = sections.last_mut() else { continue };
        match (first, words.get(1).map(Text::as_str), words.get(2)) {
            ("timeout", Some(name), Some(value)) => {
                let wait = seconds(value.as_str()).map(|seconds| Spanned::new(seconds, value.whole()));
                match name {
                    "server" => timeouts.server = wait,
                    "http-keep-alive" => timeouts.keep_alive = wait,
                    "http-request" => timeouts.request = wait,
                    "client" => timeouts.client = wait,
                    _ => {}
                }
            }
            ("option", Some("httpclose" | "forceclose"), _) => timeouts.closes = true,
            ("no", Some("option"), Some(option)) if matches!(option.as_str(), "httpclose" | "forceclose") => {
                timeouts.closes = false;
            }
            _ => {}
        }
    }
    sections
}

/// `30s`, `5m`, and milliseconds without a unit.
fn seconds(text: &str) -> Option<f64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u32 = text[..digits].parse().ok()?;
    let factor = match &text[digits..] {
        "us" => 0.000_001,
        "" | "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return None,
    };
    Some(f64::from(number) * factor)
}

#[cfg(test)]
mod tests {
    use super::{idle, seconds, sections};
    use crate::source::Sources;

    #[test]
    fn units() {
        assert_eq!(seconds("50000"), Some(50.0));
        assert_eq!(seconds("2m"), Some(120.0));
        assert_eq!(seconds("soon"), None);
    }

    #[test]
    fn sections_take_their_defaults() {
        let text = "defaults\n  timeout server 1m\n  timeout client 50s\nfrontend a\n  bind :80\nbackend b\n  timeout server 5m\n\
                    defaults\n  timeout client 10s\n  option httpclose\nlisten c\n  bind :81\n";
        let mut sources = Sources::default();
        let file = sources.add("haproxy.cfg", text);
        let found = sections(&sources.text(file));
        let server = |number: usize| found[number].1.server.map(|wait| wait.value);
        assert_eq!(
            found.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(),
            ["defaults", "frontend", "backend", "defaults", "listen"]
        );
        assert_eq!((server(1), server(2), server(4)), (Some(60.0), Some(300.0), None));
        assert_eq!(idle(&found[1].1).map(|limit| limit.seconds), Some(50.0));
        assert_eq!(idle(&found[4].1), None);
    }
}
