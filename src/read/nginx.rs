//! nginx: listeners, routes and hops of a config, as nginx itself would see them.
//!
//! Facts are from the documentation at nginx.org/en/docs, and were measured on nginx 1.22 to 1.29 where it is silent.

mod answers;
pub mod duration;
mod listen;
mod load;
pub mod modules;
mod pass;
mod scope;

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::read::nginx::answers::{KEEPS_BY_ITSELF, buffers, connections, files, idle, request_header, reuse};
use crate::read::nginx::duration::seconds;
use crate::read::nginx::listen::listen;
pub use crate::read::nginx::load::{Files, Include};
use crate::read::nginx::load::{Item, Loaded, load};
use crate::read::nginx::pass::{Family, family, server_address, target, variable_in_server};
use crate::read::nginx::scope::{Scope, Tables, evaluate, tables};
use crate::site::Site;
use crate::site::listener::{Bind, Endpoint, Evidence, Listener, Listening, Protocol};
use crate::site::machine::MachineId;
use crate::site::proxy::{
    Answers, Front, Group, Hop, Listen, Proxy, ProxyId, Resolution, Reuse, Route, RoutePath, Server, Setting, Settings,
    TlsClient, To, UnknownName, VirtualServer, Wait, Waits,
};
use crate::site::trouble::{NotLoaded, NotLoadedWhy, Trouble};
use crate::source::{Span, Spanned};
use crate::syntax::nginx::{Tree, WordRef};

/// Blocks nested deeper than this are not read; real ones end at about ten.
const DEPTH: usize = 64;

/// So many kinds of settings are kept in mind: the locations of a site take turns, and the next site has the same ones.
const ALIKE: usize = 4;

/// What nginx answers when a hop fails (measured).
const ANSWERS: Answers =
    Answers { refused: "502", nonsense: "502", slow: "504", unknown_name: UnknownName::KeepsFromStarting };

/// How nginx is run.
pub struct Setup<'f> {
    /// `None`: nobody is seen to load the file.
    pub machine: Option<MachineId>,
    /// The main file, parsed.
    pub main: Arc<Tree>,
    /// The folder of the main file, which includes are relative to.
    pub folder: &'f str,
    pub files: Files<'f>,
    /// What makes this proxy run: its service, or the main file.
    pub place: Span,
    pub version: Option<(u32, u32, u32)>,
}

/// What was read of one nginx.
pub struct Reading {
    pub proxy: ProxyId,
    pub listening: Listening,
    pub trees: Vec<Arc<Tree>>,
    pub includes: Vec<Include>,
}

/// Reads a config into the site.
pub fn read(site: &mut Site, setup: &Setup<'_>) -> Reading {
    let loaded = load(setup.main.clone(), setup.folder, &setup.files);
    let proxy = ProxyId(site.proxies.len());
    let top = loaded.top();
    let named = |number| top.iter().find(|item| item.name == "user").and_then(|item| item.argument(number));
    site.proxies.push(Proxy {
        product: "nginx".to_owned(),
        machine: setup.machine,
        place: setup.place,
        answers: ANSWERS,
        version: setup.version,
        user: named(0).map(|word| Spanned::new(word.value().into_owned(), word.span())),
        group: named(1).map(|word| Spanned::new(word.value().into_owned(), word.span())),
        complete: loaded.incomplete.is_none() && (setup.machine.is_some() || is_main(&top)),
        connections: connections(&top),
        files: files(&top),
        port_variable: None,
    });
    for (place, path) in &loaded.missing {
        site.troubles.push(Trouble::IncludeMissing { place: *place, path: path.clone(), machine: setup.machine });
    }
    for (place, path) in &loaded.folders {
        let Some(machine) = setup.machine else { continue };
        site.troubles.push(Trouble::NotLoaded(NotLoaded {
            machine,
            place: *place,
            file: None,
            path: path.clone(),
            why: NotLoadedWhy::IsFolder,
            nothing_else: false,
        }));
    }
    // A vector that grows step by step leaves a hole of its own size behind.
    site.hops.reserve_exact(loaded.passes);
    site.routes.reserve_exact(loaded.blocks);
    let mut walk = Walk {
        site,
        loaded: &loaded,
        proxy,
        http: Layer::default(),
        stream: Layer::default(),
        settings: VecDeque::with_capacity(ALIKE),
        listeners: Vec::new(),
        unread_listen: None,
    };
    walk.first_pass(&top);
    let root = Scope::of(top, None);
    walk.block(&root, Where { layer: LayerName::Http, server: None, route: None, depth: 0 });
    let (listeners, unread) = (walk.listeners, walk.unread_listen);
    let trees = loaded.trees.clone();
    let includes = loaded.patterns.clone();
    Reading { proxy, listening: Listening { listeners, open: loaded.incomplete.clone().or(unread) }, trees, includes }
}

/// A file that nobody loads and that has none of these is a part of another one.
fn is_main(top: &[Item<'_>]) -> bool {
    top.iter().any(|item| matches!(&*item.name, "http" | "stream" | "events"))
}

/// What is defined once for all servers of `http`, or of `stream`.
#[derive(Default)]
struct Layer<'l> {
    groups: FxHashMap<String, usize>,
    tables: Tables<'l>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LayerName {
    Http,
    Stream,
}

#[derive(Clone, Copy)]
struct Where {
    layer: LayerName,
    server: Option<usize>,
    route: Option<usize>,
    depth: usize,
}

struct Walk<'l, 's> {
    site: &'s mut Site,
    loaded: &'l Loaded,
    proxy: ProxyId,
    http: Layer<'l>,
    stream: Layer<'l>,
    /// Those of the hops that were read last, each of them once.
    settings: VecDeque<Arc<Settings>>,
    listeners: Vec<Listener>,
    /// Why it may listen elsewhere, too.
    unread_listen: Option<String>,
}

impl<'l> Walk<'l, '_> {
    /// Groups and tables first: they may be used above the place where they are written.
    fn first_pass(&mut self, top: &[Item<'l>]) {
        self.define(top, LayerName::Http);
        for item in top.iter().filter(|item| item.is_block()) {
            let layer = match &*item.name {
                "http" => LayerName::Http,
                "stream" => LayerName::Stream,
                _ => continue,
            };
            self.define(&self.loaded.items(item.children()), layer);
        }
    }

    fn layer(&mut self, name: LayerName) -> &mut Layer<'l> {
        match name {
            LayerName::Http => &mut self.http,
            LayerName::Stream => &mut self.stream,
        }
    }

    fn define(&mut self, items: &[Item<'l>], layer: LayerName) {
        let loaded = self.loaded;
        tables(loaded, items, &mut self.layer(layer).tables);
        for item in items.iter().filter(|item| item.is_block() && item.name == "upstream") {
            let Some(name) = item.argument(0) else { continue };
            let group = self.group(item, Spanned::new(name.value().into_owned(), name.span()));
            let number = self.site.groups.len();
            self.site.groups.push(group);
            self.layer(layer).groups.entry(name.value().to_ascii_lowercase()).or_insert(number);
        }
    }

    fn group(&self, block: &Item<'l>, name: Spanned<String>) -> Group {
        let items = self.loaded.items(block.children());
        let mut group = Group {
            proxy: self.proxy,
            name,
            place: block.span(),
            servers: Vec::new(),
            open: false,
            keepalive: None,
            keepalive_timeout: None,
        };
        for item in &items {
            let first = item.argument(0);
            match (&*item.name, first) {
                ("server", Some(address)) => {
                    let parameter = |name: &str| item.arguments().skip(1).find(|word| word.value() == name);
                    let has_variable = address.value().contains('$');
                    let to = match has_variable {
                        true => Err(variable_in_server(&address.text())),
                        false => server_address(&address.text()),
                    };
                    group.servers.push(Server {
                        // A template that nobody is seen to fill in.
                        unclear: has_variable && self.site.proxy(self.proxy).machine.is_none(),
                        to,
                        span: item.span(),
                        down: parameter("down").map(|word| word.span()),
                        backup: parameter("backup").is_some(),
                        resolves: parameter("resolve").is_some(),
                    });
                }
                ("keepalive", Some(count)) => {
                    group.keepalive = count.value().parse().ok().map(|count_| Spanned::new(count_, count.span()));
                }
                ("keepalive_timeout", Some(time)) => {
                    group.keepalive_timeout = seconds(&time.value()).map(|it| Spanned::new(it, time.span()));
                }
                // Servers that come from elsewhere: a script, a shared memory that an interface fills.
                (name, _) if name.starts_with("balancer_by_lua") || name == "state" || name == "js_access" => {
                    group.open = true;
                }
                _ => {}
            }
        }
        let keeps = self.site.proxy(self.proxy).version.is_some_and(|version| version >= KEEPS_BY_ITSELF);
        if keeps && group.keepalive.is_none() {
            group.keepalive = Some(Spanned::new(32, group.name.span));
        }
        group.servers.shrink_to_fit();
        let unread = self.loaded.incomplete.is_some() && block.children().any(|item| item.name() == "include");
        group.open |= unread;
        group
    }

    fn block(&mut self, scope: &Scope<'l, '_>, at: Where) {
        if at.depth > DEPTH {
            return;
        }
        for item in &scope.items {
            if !item.is_block() {
                self.pass(item, scope, at);
                continue;
            }
            if !matches!(&*item.name, "http" | "stream" | "server" | "location" | "if" | "limit_except") {
                continue;
            }
            let mut block = Scope::of(self.loaded.items(item.children()), Some(scope));
            let mut inner = Where { depth: at.depth + 1, ..at };
            match &*item.name {
                "stream" => inner.layer = LayerName::Stream,
                "server" => {
                    block.passes = self.passes(item);
                    inner.server = Some(self.server(item, at.layer, &block));
                    inner.route = self.route(inner.server, RoutePath::All, item.name_span());
                }
                "location" => inner.route = self.route(at.server, location_path(item), item.span()),
                _ => {}
            }
            self.block(&block, inner);
        }
    }

    /// The families of what passes requests on anywhere in a block, by their prefixes.
    fn passes(&self, block: &Item<'l>) -> Option<Vec<&'static str>> {
        if self.loaded.incomplete.is_some() || !self.loaded.has_buffers {
            return None;
        }
        let mut found = Vec::new();
        self.loaded.each_inside(**block, &mut |name| {
            if let Some(family) = family(name).filter(|family| !found.contains(&family.prefix)) {
                found.push(family.prefix);
            }
        });
        Some(found)
    }

    fn route(&mut self, server: Option<usize>, path: RoutePath, place: Span) -> Option<usize> {
        self.site.routes.push(Route { server, path, place });
        Some(self.site.routes.len() - 1)
    }

    fn server(&mut self, block: &Item<'l>, layer: LayerName, scope: &Scope<'l, '_>) -> usize {
        let items = &scope.items;
        let simple = |name: &'static str| items.iter().filter(move |item| item.name == name && !item.is_block());
        let ssl_on = simple("ssl").any(|item| item.argument(0).is_some_and(|word| word.value() == "on"));
        let mut listens: Vec<Listen> = Vec::new();
        for item in simple("listen") {
            let found = listen(**item, ssl_on);
            if found.is_empty() {
                self.unread_listen.get_or_insert_with(|| "a `listen` line cannot be read".to_owned());
            }
            listens.extend(found);
        }
        if simple("listen").next().is_none() && layer == LayerName::Http {
            // `listen *:80 | *:8000` is the default of the core module; 80 when nginx runs as root.
            let endpoint = Endpoint::Tcp { bind: Bind::Any, port: 80 };
            let place = block.name_span();
            listens.push(Listen {
                endpoint,
                tls: ssl_on,
                announced: false,
                udp: false,
                default: false,
                written: false,
                queue: None,
                place,
            });
        }
        for listen in listens.iter().filter(|listen| !listen.udp) {
            let protocol = match (layer, listen.tls) {
                (LayerName::Http, _) if listen.announced => Some(Protocol::Announced),
                (LayerName::Http, false) => Some(Protocol::Http),
                (LayerName::Http, true) => Some(Protocol::Https),
                (LayerName::Stream, _) => None,
            };
            // Several servers share an address; the first one stands for all.
            let both = listen.endpoint.of_any_family();
            if let Some(known) = self.listeners.iter_mut().find(|known| known.endpoint.of_any_family() == both) {
                if known.endpoint != listen.endpoint {
                    known.endpoint = both;
                }
                continue;
            }
            self.listeners.push(Listener {
                endpoint: listen.endpoint.clone(),
                protocol,
                evidence: Evidence::Binding,
                place: listen.place,
                bind_place: listen.place,
                why: "`nginx` is told to listen".to_owned(),
                anywhere: None,
                access: None,
            });
        }
        let names = simple("server_name").flat_map(|item| item.arguments());
        let mut names: Vec<_> = names.map(|word| Spanned::new(word.value().into_owned(), word.span())).collect();
        listens.shrink_to_fit();
        names.shrink_to_fit();
        self.site.servers.push(VirtualServer {
            proxy: self.proxy,
            listens,
            names,
            place: block.name_span(),
            whole: block.block_span(),
            idle: if layer == LayerName::Http { idle(scope) } else { None },
            request_header: request_header(scope),
        });
        self.site.servers.len() - 1
    }

    fn pass(&mut self, item: &Item<'l>, scope: &Scope<'l, '_>, at: Where) {
        let Some(family) = family(&item.name) else { return };
        let Some(word) = item.argument(0) else { return };
        if word.value() == "off" {
            return;
        }
        let stream = at.layer == LayerName::Stream;
        let around = Around { scope, family, stream };
        let settings = self.settings(&around);
        let layer = match at.layer {
            LayerName::Http => &self.http,
            LayerName::Stream => &self.stream,
        };
        let values = evaluate(word, scope, &layer.tables);
        let hop = |to, protocol, uri| {
            Box::new(Hop {
                proxy: self.proxy,
                route: at.route,
                place: word.span(),
                statement: item.span(),
                written: word.text(),
                protocol,
                to,
                resolution: match values.has_variable {
                    true => Resolution::AtRunTime { resolvers: resolvers(scope) },
                    false => Resolution::AtStart,
                },
                uri,
                waits: around.waits(),
                settings: settings.clone(),
            })
        };
        if values.from_template {
            let to = To::Unknown("a variable of a template decides the target".to_owned());
            self.site.hops.push(hop(to, Spanned::new(family.protocol, word.span()), None));
            return;
        }
        self.site.hops.extend(values.texts.iter().map(|value| {
            let found = target(value, family, stream, values.has_variable, &layer.groups);
            let place = found.protocol_place.unwrap_or(word.span());
            hop(found.to, Spanned::new(around.spoken(found.protocol), place), found.uri)
        }));
    }

    /// Those of a hop before when they are the same.
    fn settings(&mut self, around: &Around<'_, '_, '_>) -> Arc<Settings> {
        let Around { scope, family, stream } = *around;
        let version = self.site.proxy(self.proxy).version;
        let headers = Headers::of(scope);
        let settings = Settings {
            keeps_host: headers.keeps_host,
            reuse: if stream { Reuse::Unknown } else { reuse(scope, family.prefix, version, headers.connection) },
            buffers: buffers(scope, family.prefix, stream),
            tls: around.tls(headers.host),
            one_try: around.one_try(),
            has_fallback: has_fallback(scope),
            front: front(scope),
        };
        if let Some(known) = self.settings.iter().find(|known| ***known == settings) {
            return known.clone();
        }
        let settings = Arc::new(settings);
        self.settings.truncate(ALIKE - 1);
        self.settings.push_front(settings.clone());
        settings
    }
}

fn location_path(item: &Item<'_>) -> RoutePath {
    let first = item.argument(0).map(|word| word.value().into_owned()).unwrap_or_default();
    let second = item.argument(1).map(|word| word.value().into_owned());
    match (first.as_str(), second) {
        ("=", Some(path)) => RoutePath::Exact(path),
        ("^~", Some(path)) => RoutePath::Prefix(path),
        ("~" | "~*", Some(pattern)) => RoutePath::Pattern(pattern),
        _ if first.starts_with('@') => RoutePath::Named(first),
        // The sign may be glued to what follows it.
        _ if first.starts_with("~*") => RoutePath::Pattern(first[2..].to_owned()),
        _ if first.starts_with("^~") => RoutePath::Prefix(first[2..].to_owned()),
        _ if first.starts_with('~') => RoutePath::Pattern(first[1..].to_owned()),
        _ if first.starts_with('=') => RoutePath::Exact(first[1..].to_owned()),
        _ => RoutePath::Prefix(first),
    }
}

fn resolvers(scope: &Scope<'_, '_>) -> Vec<Spanned<String>> {
    let Some(item) = scope.find("resolver") else { return Vec::new() };
    let servers = item.arguments().filter(|word| !word.value().contains('=') || word.value().starts_with("local="));
    servers.map(|word| Spanned::new(word.value().into_owned(), word.span())).collect()
}

/// A page or location of the config stands in for a failing answer.
fn has_fallback(scope: &Scope<'_, '_>) -> bool {
    scope
        .find_all("error_page")
        .any(|item| item.arguments().any(|word| matches!(&*word.value(), "502" | "504")) && item.argument_count() > 1)
}

/// The name of the header in which a service in front says who the visitor is, the service, its patience and its answer.
/// Cloudflare's is 120 s for everybody but enterprises (developers.cloudflare.com, error 524).
const FRONTS: &[(&str, &str, f64, &str)] = &[("cf-connecting-ip", "Cloudflare", 120.0, "524")];

fn front(scope: &Scope<'_, '_>) -> Option<Front> {
    let word = scope.find("real_ip_header")?.argument(0)?;
    let (_, name, seconds, answer) = FRONTS.iter().find(|(header, ..)| word.value().eq_ignore_ascii_case(header))?;
    Some(Front { name, seconds: *seconds, answer, place: word.span() })
}

/// What is known of the headers that requests are passed on with.
#[derive(Default)]
struct Headers<'l> {
    /// The request's own Host is passed on.
    keeps_host: bool,
    /// A Host that is written as plain text.
    host: Option<WordRef<'l>>,
    connection: Option<WordRef<'l>>,
}

impl<'l> Headers<'l> {
    fn of(scope: &Scope<'l, '_>) -> Headers<'l> {
        let mut headers = Headers::default();
        for item in scope.find_all("proxy_set_header") {
            let (Some(name), Some(word)) = (item.argument(0), item.argument(1)) else { continue };
            let (name, value) = (name.value(), word.value());
            if name.eq_ignore_ascii_case("host") {
                headers.keeps_host |= matches!(&*value, "$host" | "$http_host" | "$server_name");
                headers.host = headers.host.or((!value.contains('$')).then_some(word));
            } else if name.eq_ignore_ascii_case("connection") {
                headers.connection = headers.connection.or(Some(word));
            }
        }
        headers
    }
}

/// The settings of one family of modules (`proxy_`, `fastcgi_`, …) where a pass stands.
struct Around<'a, 'l, 'p> {
    scope: &'a Scope<'l, 'p>,
    family: &'static Family,
    stream: bool,
}

impl Around<'_, '_, '_> {
    /// A stream may be announced to its target.
    fn spoken(&self, protocol: Protocol) -> Protocol {
        let announces = || self.scope.find("proxy_protocol").and_then(|item| item.argument(0));
        match self.stream && announces().is_some_and(|word| word.value() == "on") {
            true => Protocol::Announced,
            false => protocol,
        }
    }

    /// `proxy_next_upstream off`, `proxy_next_upstream_tries 1`.
    fn one_try(&self) -> Option<Span> {
        let says = |rest, value: &str| {
            let word = self.scope.find_setting(self.setting(rest))?.argument(0)?;
            (word.value() == value).then(|| word.span())
        };
        says("next_upstream", "off").or_else(|| says("next_upstream_tries", "1"))
    }

    /// Defaults are 60 s in every family, and 10 min for the data of a stream.
    fn waits(&self) -> Waits {
        if self.stream {
            let data = self.wait("proxy_timeout", 600.0);
            return Waits { connect: self.wait(self.family.connect, 60.0), send: None, read: data };
        }
        Waits {
            connect: self.wait(self.family.connect, 60.0),
            send: self.wait(self.family.send, 60.0),
            read: self.wait(self.family.read, 60.0),
        }
    }

    fn setting(&self, rest: &'static str) -> Setting {
        Setting { family: self.family.prefix, rest }
    }

    fn wait(&self, setting: &'static str, default: f64) -> Option<Wait> {
        let Some(item) = self.scope.find(setting) else {
            return Some(Wait { seconds: default, setting, written: None });
        };
        let word = item.argument(0)?;
        let seconds = seconds(&word.value())?;
        Some(Wait { seconds, setting, written: Some(word.span()) })
    }

    fn tls(&self, host: Option<WordRef<'_>>) -> TlsClient {
        let setting = |rest| self.scope.find_setting(self.setting(rest))?.argument(0);
        let switch = |rest| setting(rest).map(|word| Spanned::new(word.value() == "on", word.span()));
        let text = |rest| setting(rest).map(|word| Spanned::new(word.value().into_owned(), word.span()));
        TlsClient {
            server_name: switch("ssl_server_name"),
            server_name_setting: Some(self.setting("ssl_server_name")),
            name: text("ssl_name"),
            verify: switch("ssl_verify"),
            trusted: setting("ssl_trusted_certificate").map(|word| word.span()),
            host: host.map(|word| Spanned::new(word.value().into_owned(), word.span())),
        }
    }
}
