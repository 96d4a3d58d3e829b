//! Health checks: what they run and what they ask.

use crate::read::catalogue::image::reference;
use crate::read::compose::model::{HealthTest, Service};
use crate::read::container::Container;
use crate::read::image::StartForm;
use crate::read::surroundings::Found;
use crate::site::machine::{Asks, Probe, Tool};
use crate::source::{Span, Spanned, Text};
use crate::syntax::command_line::{Word, shell};
use crate::syntax::compose_values::duration;

/// The probe of a service, that of its own image where it has none; and whether the image brings one.
pub fn read(service: &Service, container: &Container<'_>) -> (Option<Probe>, Option<bool>) {
    let (mut probe, image_has_probe) = found(service, container);
    if let Some(Probe { tool: Some(tool), asks: Some(asks), .. }) = &mut probe {
        asks.first_address = tool.value == "wget" && asks.host == "localhost" && has_only_busybox(container);
    }
    (probe, image_has_probe)
}

/// Its `wget` is BusyBox's, which tries one address only (`xconnect_stream` of its `libbb`).
fn has_only_busybox(container: &Container<'_>) -> bool {
    let is_alpine = container.facts.as_ref().is_some_and(|facts| facts.system.as_deref() == Some("alpine"));
    let installed = container.files.image.iter().flat_map(|image| &image.installed);
    // The start script of nginx's image opens its own default site for IPv6, too.
    let own_site = container.files.find("/etc/nginx/conf.d/default.conf");
    if matches!(own_site, Found::File(text) if text.whole() == container.image_place) {
        return false;
    }
    is_alpine && !installed.into_iter().any(|package| package.name.value == "wget")
}

fn found(service: &Service, container: &Container<'_>) -> (Option<Probe>, Option<bool>) {
    let of_image = container.files.image.as_ref().and_then(|image| image.healthcheck.as_ref());
    let image_has_probe = of_image.map(|check| check.test.is_some()).or_else(|| base_has_probe(container));
    if let Some(check) = &service.healthcheck {
        let mut probe = match &check.test {
            Some(HealthTest::Shell(text)) => of_shell(text),
            Some(HealthTest::Exec(words)) => of_words(words),
            Some(HealthTest::None) | None => empty(check.span),
        };
        let has_test = check.test.is_some() || image_has_probe != Some(false);
        probe.enabled = !check.disable && !matches!(check.test, Some(HealthTest::None)) && has_test;
        probe.interval = check.interval;
        probe.timeout = check.timeout;
        probe.retries = check.retries;
        probe.start_period = check.start_period;
        return (Some(probe), image_has_probe);
    }
    let Some(check) = of_image else { return (None, image_has_probe) };
    let mut probe = match check.test.as_ref().map(|test| &test.form) {
        Some(StartForm::Exec(words)) => of_words(words),
        Some(StartForm::Shell { text, .. }) => of_shell(text),
        None => empty(check.place),
    };
    probe.enabled = check.test.is_some();
    let option = |name: &str| check.options.iter().find(|(key, _)| key.value == name).map(|(_, value)| value);
    let time = |name: &str| option(name).and_then(|text| Some(Spanned::new(duration(text).ok()?, text.whole())));
    probe.interval = time("interval");
    probe.timeout = time("timeout");
    probe.start_period = time("start-period");
    probe.retries = option("retries").and_then(|text| Some(Spanned::new(text.as_str().parse().ok()?, text.whole())));
    (Some(probe), image_has_probe)
}

/// Docker's official images bring no health check (the FAQ of docker-library); of others nothing is known.
fn base_has_probe(container: &Container<'_>) -> Option<bool> {
    if container.files.empty {
        return Some(false);
    }
    container.facts.as_ref()?;
    let named = container.image.as_ref()?.as_str();
    (!reference(named).repository.contains('/')).then_some(false)
}

fn empty(place: Span) -> Probe {
    Probe {
        place,
        enabled: true,
        tool: None,
        shell: None,
        asks: None,
        interval: None,
        timeout: None,
        retries: None,
        start_period: None,
    }
}

fn of_words(words: &[Text]) -> Probe {
    let Some(first) = words.first() else { return empty(Span { file: crate::source::FileId(0), start: 0, end: 0 }) };
    let last = words.last().unwrap_or(first);
    let mut probe = empty(first.whole().to(last.whole()));
    if matches!(name_of(first).as_str(), "sh" | "bash" | "ash")
        && let [_, flag, script, ..] = words
        && flag.as_str().starts_with('-')
    {
        let inner = of_shell(script);
        return Probe { shell: Some(first.whole()), ..inner };
    }
    probe.tool = tool_of(first);
    probe.asks = asked(words);
    probe
}

fn of_shell(text: &Text) -> Probe {
    let mut probe = empty(text.whole());
    probe.shell = Some(text.whole());
    let script = shell(text);
    let literal = script.commands.iter().map(|it| it.words.iter().filter_map(Word::literal).collect::<Vec<Text>>());
    let mut commands = literal.filter(|words| !words.is_empty());
    let Some(words) = commands.next() else { return probe };
    // `curl … || wget …`: where the first one fails, the other one answers.
    if text.as_str().contains("||") && commands.any(|words| asked(&words).is_some()) {
        return probe;
    }
    probe.tool = words.first().and_then(tool_of);
    probe.asks = asked(&words);
    probe
}

fn asked(words: &[Text]) -> Option<Asks> {
    let (first, rest) = words.split_first()?;
    words.iter().find_map(url).or_else(|| port_check(&name_of(first), rest))
}

/// A program that is looked for in the usual folders; one with a folder of its own is somebody's own.
fn tool_of(word: &Text) -> Option<Spanned<String>> {
    let folder = word.as_str().rsplit_once('/').map(|(folder, _)| folder);
    let is_usual = folder.is_none_or(|it| matches!(it, "/bin" | "/sbin" | "/usr/bin" | "/usr/sbin" | "/usr/local/bin"));
    is_usual.then(|| Spanned::new(name_of(word), word.whole()))
}

fn name_of(word: &Text) -> String {
    word.as_str().rsplit('/').next().unwrap_or_default().to_owned()
}

/// The first address of the machine itself that is written in a word, also inside a script in another language.
fn url(word: &Text) -> Option<Asks> {
    let text = word.as_str();
    let mut from = 0;
    while let Some(found) = text[from..].find(':') {
        let at = from + found;
        from = at + 1;
        if !text[from..].starts_with("//") {
            continue;
        }
        let scheme = &text[..at];
        let tls = scheme.ends_with("https");
        if !tls && !scheme.ends_with("http") {
            continue;
        }
        let rest = &text[at + 3..];
        let end = rest.find(['/', '\'', '"', ' ', ')', '?', ';', '|']).unwrap_or(rest.len());
        let (host, port) = match rest[..end].rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (&rest[..end], None),
        };
        if !is_own(host) {
            continue;
        }
        let path_end = rest[end..].find(['\'', '"', ' ', ')', ';', '|']);
        let path = &rest[end..path_end.map_or(rest.len(), |length| end + length)];
        let (number, place) = match port {
            Some(port) => (port.parse().ok()?, word.span(at + 3 + host.len() + 1..at + 3 + end)),
            None => (if tls { 443 } else { 80 }, word.span(at + 3..at + 3 + end)),
        };
        return Some(Asks {
            host: host.to_owned(),
            port: Spanned::new(number, place),
            path: path.starts_with('/').then(|| path.to_owned()),
            tls,
            first_address: false,
        });
    }
    None
}

/// `nc -z localhost 9000`.
fn port_check(tool: &str, words: &[Text]) -> Option<Asks> {
    if !matches!(tool, "nc" | "ncat" | "netcat") {
        return None;
    }
    let plain: Vec<&Text> = words.iter().filter(|word| !word.as_str().starts_with('-')).collect();
    let at = plain.iter().position(|word| is_own(word.as_str()))?;
    let port = plain.get(at + 1)?;
    Some(Asks {
        host: plain[at].to_string(),
        port: Spanned::new(port.as_str().parse().ok()?, port.whole()),
        path: None,
        tls: false,
        first_address: false,
    })
}

fn is_own(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]" | "::1" | "0.0.0.0")
}

/// What is known of the programs that a probe needs.
pub fn tools(probe: Option<&Probe>, container: &Container<'_>) -> Vec<Tool> {
    let Some(probe) = probe else { return Vec::new() };
    let tool = |name: &str| {
        let present = container.has_tool(name)?;
        Some(Tool { name: name.to_owned(), present, place: container.image_place })
    };
    let mut tools = Vec::with_capacity(3);
    tools.extend(probe.tool.as_ref().and_then(|it| tool(&it.value)));
    tools.extend(probe.shell.and_then(|_| tool("sh")));
    // The one may stand in for the other that is not there.
    let absent = tools.iter().find_map(|tool| match tool.name.as_str() {
        "curl" if !tool.present => Some("wget"),
        "wget" if !tool.present => Some("curl"),
        _ => None,
    });
    tools.extend(absent.and_then(tool));
    tools
}
