//! Where a JavaScript or TypeScript program listens: Node's servers and the frameworks over them, Deno, Bun.

use crate::read::app::expression::{Call, Expression, Shape};
use crate::read::app::listening::{Collected, Given, Site, call_name};
use crate::read::app::program::Program;
use crate::read::app::value::Value;
use crate::site::listener::{Bind, Protocol};

/// What a server was made by.
struct Server {
    protocol: Option<Protocol>,
    bind: Bind,
    /// The port without which some frameworks do not leave one.
    port: Option<u16>,
    /// The call that made it was recognised.
    known: bool,
}

const HTTP: Server = Server { protocol: Some(Protocol::Http), bind: Bind::Any, port: None, known: true };

pub fn collect(program: &Program, collected: &mut Collected) {
    for (at, expression) in program.calls(&["listen", "serve", "startStandaloneServer"]) {
        if program.reached(at) == Some(false) {
            continue;
        }
        let Shape::Call(call) = &expression.shape else { continue };
        match call.callee.path().as_slice() {
            [.., "listen"] if matches!(call.callee.shape, Shape::Member(..)) => {
                listen(program, collected, &expression, call, at);
            }
            ["Bun", "serve"] => runtime(program, collected, &expression, call, at, ("hostname", 3000)),
            ["Deno", "serve"] => runtime(program, collected, &expression, call, at, ("hostname", 8000)),
            ["serve"] if program.imports("@hono/node-server") => {
                runtime(program, collected, &expression, call, at, ("hostname", 3000));
            }
            ["startStandaloneServer"] => {
                let options = call.positional(1).map(|options| program.evaluate(options, at).entry("listen"));
                let options = options.filter(|value| !matches!(value, Value::Nothing(_)));
                by_options(
                    program,
                    collected,
                    &Made { expression: &expression, server: Server { port: Some(4000), ..HTTP } },
                    options,
                );
            }
            _ => {}
        }
    }
    for (at, expression) in program.calls(&["server", "Server", "WebSocketServer"]) {
        let Shape::Call(call) = &expression.shape else { continue };
        if program.reached(at) != Some(false) {
            with_own_port(program, collected, &expression, call, at);
        }
    }
    if program.imports("@grpc/grpc-js") || program.imports("grpc") {
        grpc(program, collected);
    }
    waits(program, collected);
}

/// `server.bindAsync('0.0.0.0:50051', credentials, callback)`
fn grpc(program: &Program, collected: &mut Collected) {
    for (at, expression) in program.calls(&["bindAsync"]) {
        let Shape::Call(call) = &expression.shape else { continue };
        let Some(address) = call.positional(0).filter(|_| program.reached(at) != Some(false)) else { continue };
        let insecure = call.positional(1).is_some_and(|given| given.path().contains(&"createInsecure"));
        let protocol = insecure.then_some(Protocol::Http2);
        let site = Site { expression: &expression, protocol, default_port: None, default_bind: Bind::Any };
        collected.address(program, &site, &program.evaluate(address, at));
    }
}

struct Made<'e> {
    expression: &'e Expression,
    server: Server,
}

impl Made<'_> {
    fn site(&self) -> Site<'_> {
        Site {
            expression: self.expression,
            protocol: self.server.protocol,
            default_port: self.server.port,
            default_bind: self.server.bind,
        }
    }
}

fn listen(program: &Program, collected: &mut Collected, expression: &Expression, call: &Call, at: usize) {
    let Shape::Member(receiver, _) = &call.callee.shape else { return };
    let server = server_of(program, receiver, at);
    let made = Made { expression, server };
    let site = made.site();
    let Some(first) = call.positional(0) else {
        if made.server.known && made.server.port.is_none() {
            let span = program.span(expression);
            collected.anywhere.push(crate::source::Spanned::new("no port is given".to_owned(), span));
        } else if made.server.port.is_some() {
            collected.tcp(program, &site, Given::Default, Given::Default);
        } else {
            collected.unclear(program, "the port", expression);
        }
        return;
    };
    if call.has_spread() {
        return collected.unclear(program, "the port", expression);
    }
    let value = program.evaluate(first, at);
    match &value {
        // `history.listen(callback)` and the like do not open anything.
        Value::Function(_) => {}
        Value::Object(..) => by_options(program, collected, &made, Some(value)),
        Value::Text(path) if path.as_str().parse::<u16>().is_err() => {
            if path.as_str().starts_with(['/', '.']) {
                collected.unix(program, &site, path);
            } else {
                collected.address(program, &site, &value);
            }
        }
        _ => {
            let host = call.positional(1).map(|host| program.evaluate(host, at));
            let host = match host {
                // A backlog or a callback; a name that is not known may be any of them.
                Some(Value::Number(_) | Value::Function(_) | Value::List(..)) => None,
                Some(Value::Object(entries, ..)) => {
                    entries.into_iter().find(|(key, _)| key == "host").map(|(_, value)| value)
                }
                Some(Value::Unclear(_))
                    if call.positional(1).is_some_and(|given| looks_like_callback(program, given, at)) =>
                {
                    None
                }
                other => other,
            };
            collected.tcp(program, &site, Given::Value(value), Given::of(host));
        }
    }
}

/// `app.listen(port, onListening)`
fn looks_like_callback(program: &Program, given: &Expression, at: usize) -> bool {
    let (made, _) = program.made_from(given, at);
    if matches!(made.shape, Shape::Function(_)) {
        return true;
    }
    let path = given.path();
    let Some(name) = path.last() else { return false };
    let lower = name.to_ascii_lowercase();
    let declared =
        (1..program.tokens.list.len()).any(|at| program.name(at) == *name && program.name(at - 1) == "function");
    declared || (lower.starts_with("on") || lower.contains("callback") || lower == "cb" || lower == "done")
}

/// `listen({ port, host })` and the options of `Bun.serve`.
fn by_options(program: &Program, collected: &mut Collected, made: &Made, options: Option<Value>) {
    let site = made.site();
    let Some(options) = options else { return collected.tcp(program, &site, Given::Default, Given::Default) };
    let path = options.entry("path");
    if let Some(path) = path.text() {
        return collected.unix(program, &site, path);
    }
    collected.tcp(program, &site, Given::Value(options.entry("port")), Given::Value(options.entry("host")));
}

/// `Bun.serve({ port, hostname })`, `Deno.serve({ port, hostname }, handler)`.
fn runtime(
    program: &Program,
    collected: &mut Collected,
    expression: &Expression,
    call: &Call,
    at: usize,
    (host_key, default_port): (&str, u16),
) {
    let site =
        Site { expression, protocol: Some(Protocol::Http), default_port: Some(default_port), default_bind: Bind::Any };
    let values: Vec<Value> = call.arguments.iter().map(|argument| program.evaluate(&argument.value, at)).collect();
    let options = values.iter().find(|value| matches!(value, Value::Object(..)));
    let Some(options) = options else {
        if values.iter().all(|value| matches!(value, Value::Function(_))) {
            return collected.tcp(program, &site, Given::Default, Given::Default);
        }
        return collected.unclear(program, "the port", expression);
    };
    if let Some(path) = options.entry("unix").text().or(options.entry("path").text()) {
        return collected.unix(program, &site, path);
    }
    let secure =
        !matches!(options.entry("tls"), Value::Nothing(_)) || !matches!(options.entry("cert"), Value::Nothing(_));
    let site = Site { protocol: if secure { Some(Protocol::Https) } else { site.protocol }, ..site };
    let mut port = options.entry("port");
    if call.callee.path().first() == Some(&"Bun") && matches!(port, Value::Nothing(_)) {
        // Bun's documentation: BUN_PORT, PORT and NODE_PORT come before 3000.
        for name in ["BUN_PORT", "PORT", "NODE_PORT"] {
            port = program.variable(name, program.span(expression));
            if !matches!(port, Value::Nothing(_)) {
                break;
            }
        }
    }
    collected.tcp(program, &site, Given::Value(port), Given::Value(options.entry(host_key)));
}

/// Servers that take their port when they are made: hapi, ws.
fn with_own_port(program: &Program, collected: &mut Collected, expression: &Expression, call: &Call, at: usize) {
    let path = call.callee.path();
    let root = path.first().copied().unwrap_or("");
    let hapi = comes_from(program, root, at, &["@hapi/hapi", "hapi"]);
    let websocket = comes_from(program, root, at, &["ws"]);
    if !hapi && !websocket {
        return;
    }
    let options = call.positional(0).map(|options| program.evaluate(options, at));
    let site = Site { expression, protocol: Some(Protocol::Http), default_port: None, default_bind: Bind::Any };
    match options {
        Some(options @ Value::Object(..)) => {
            let attached = ["server", "noServer"].iter().any(|key| !matches!(options.entry(key), Value::Nothing(_)));
            if websocket && attached {
                return;
            }
            let host = match options.entry("address") {
                Value::Nothing(_) => options.entry("host"),
                address => address,
            };
            collected.tcp(program, &site, Given::Value(options.entry("port")), Given::Value(host));
        }
        Some(Value::Function(_)) | None => {}
        Some(_) => collected.unclear(program, "the port", expression),
    }
}

/// A name comes from one of these packages.
fn comes_from(program: &Program, name: &str, at: usize, packages: &[&str]) -> bool {
    package_of(program, name, at).is_some_and(|package| packages.contains(&package.as_str()))
}

/// The package that a name was imported or required from.
fn package_of(program: &Program, name: &str, at: usize) -> Option<String> {
    let binding = program.visible(name, at)?.pop()?.clone();
    let strip = |module: &str| module.strip_prefix("node:").unwrap_or(module).to_owned();
    if let Some(import) = &binding.module {
        return Some(strip(&import.module));
    }
    let mut value = program.parse(binding.value?);
    while let Shape::Member(of, _) = value.shape {
        value = *of;
    }
    program.required_module(&value).map(|module| strip(&module))
}

/// What kind of server a `.listen` is called on.
fn server_of(program: &Program, receiver: &Expression, at: usize) -> Server {
    let (made, place) = program.made_from(receiver, at);
    let unknown = Server { protocol: None, bind: default_bind(program), port: None, known: false };
    let Shape::Call(call) = &made.shape else {
        return match guess(program) {
            Some(protocol) => Server { protocol: Some(protocol), ..unknown },
            None => unknown,
        };
    };
    let path = call.callee.path();
    let root = path.first().copied().unwrap_or("");
    let last = path.last().copied().unwrap_or("");
    let package = required_root(program, &call.callee).or_else(|| package_of(program, root, place));
    let package = package.as_deref().unwrap_or(root);
    match (package, last) {
        ("http", "createServer" | "Server") => HTTP,
        ("https", "createServer" | "Server") => Server { protocol: Some(Protocol::Https), ..HTTP },
        ("http2", "createServer") => Server { protocol: Some(Protocol::Http2), ..HTTP },
        ("http2", "createSecureServer") => Server { protocol: Some(Protocol::Http2Tls), ..HTTP },
        ("net" | "tls", _) => Server { protocol: None, ..HTTP },
        ("express" | "koa" | "polka" | "connect" | "restify" | "json-server" | "elysia" | "micro" | "socket.io", _) => {
            HTTP
        }
        ("fastify", _) => fastify(program, call.positional(0), place),
        ("@nestjs/core" | "NestFactory", "create") => nest(program, call, place),
        ("apollo-server", _) => Server { port: Some(4000), ..HTTP },
        // express.Router().listen and others come out as what they are made from.
        (_, "express") => HTTP,
        (_, "listen") => match &call.callee.shape {
            Shape::Member(of, _) => server_of(program, of, place),
            _ => unknown,
        },
        // A chain: new Elysia().get(…).listen(…)
        _ => match &call.callee.shape {
            Shape::Member(of, _) if matches!(of.shape, Shape::Call(_)) => server_of(program, of, place),
            _ => unknown,
        },
    }
}

/// `require('http').createServer`
fn required_root(program: &Program, callee: &Expression) -> Option<String> {
    let mut current = callee;
    while let Shape::Member(of, _) = &current.shape {
        current = of;
    }
    let module = program.required_module(current)?;
    Some(module.strip_prefix("node:").unwrap_or(&module).to_owned())
}

/// Fastify's documentation: without a host, `listen` takes `localhost`.
fn fastify(program: &Program, options: Option<&Expression>, at: usize) -> Server {
    let server = Server { bind: Bind::Localhost, ..HTTP };
    let Some(options) = options.map(|options| program.evaluate(options, at)) else { return server };
    let Value::Object(entries, whole, _) = options else { return Server { protocol: None, ..server } };
    let has = |key: &str| entries.iter().any(|(name, _)| name == key);
    let protocol = match (has("http2"), has("https")) {
        (true, true) => Some(Protocol::Http2Tls),
        (true, false) => Some(Protocol::Http2),
        (false, true) => Some(Protocol::Https),
        (false, false) => whole.then_some(Protocol::Http),
    };
    Server { protocol, ..server }
}

fn nest(program: &Program, call: &Call, at: usize) -> Server {
    let adapter = call.arguments.iter().any(|argument| argument.value.path().contains(&"FastifyAdapter"));
    let options = call.positional(call.arguments.len().saturating_sub(1)).filter(|_| call.arguments.len() > 1);
    let secure = match options.map(|options| program.evaluate(options, at)) {
        Some(Value::Object(entries, ..)) => entries.iter().any(|(key, _)| key == "httpsOptions"),
        _ => false,
    };
    let protocol = if secure { Protocol::Https } else { Protocol::Http };
    let bind = if adapter { Bind::Localhost } else { Bind::Any };
    Server { protocol: Some(protocol), bind, ..HTTP }
}

const OVER_HTTP: [&str; 7] = ["express", "koa", "@nestjs/core", "http", "fastify", "polka", "restify"];

/// An application that is made elsewhere speaks HTTP when this file or one that it takes in uses such a framework.
fn guess(program: &Program) -> Option<Protocol> {
    OVER_HTTP.iter().any(|package| program.imports(package)).then_some(Protocol::Http)
}

/// Where a server of unknown make binds: anywhere, unless fastify is around.
fn default_bind(program: &Program) -> Bind {
    let fastify = program.imports("fastify") || program.imports("@nestjs/platform-fastify");
    let elsewhere = !OVER_HTTP.iter().any(|package| program.imports(package));
    if fastify || elsewhere { Bind::Unknown } else { Bind::Any }
}

/// `server.keepAliveTimeout = 65000`
fn waits(program: &Program, collected: &mut Collected) {
    let names = ["keepAliveTimeout", "headersTimeout", "requestTimeout", "timeout"];
    for at in 1..program.tokens.list.len() {
        let name = program.name(at);
        if !names.contains(&name) || program.symbol(at - 1) != "." || program.symbol(at + 1) != "=" {
            continue;
        }
        if program.reached(at) != Some(true) {
            continue;
        }
        // Clients have a `timeout`, too.
        let owner = program.name(at.saturating_sub(2)).to_ascii_lowercase();
        if name == "timeout" && !owner.contains("server") && owner != "srv" {
            continue;
        }
        let value = program.evaluate(&program.parse(at + 2), at);
        collected.wait(name, &value, 1);
    }
    // `http.createServer({ keepAliveTimeout: 65000 }, handler)`, `fastify({ keepAliveTimeout: 65000 })`
    for (at, expression) in program.calls(&["createServer", "fastify", "Fastify", "FastifyAdapter"]) {
        let Shape::Call(call) = &expression.shape else { continue };
        let Some(options) = call.positional(0).filter(|_| program.reached(at) != Some(false)) else { continue };
        let Value::Object(entries, ..) = program.evaluate(options, at) else { continue };
        for (name, value) in entries.iter().filter(|(name, _)| names[..3].contains(&name.as_str())) {
            collected.wait(name, value, 1);
        }
    }
    for (at, expression) in program.calls(&["setTimeout"]) {
        let Shape::Call(call) = &expression.shape else { continue };
        // With a function of its own the program decides what happens to the connection.
        let of_server = call_name(&expression).to_ascii_lowercase().ends_with("server.settimeout");
        let of_server = of_server && call.positional(1).is_none();
        if let Some(value) = call.positional(0).filter(|_| of_server) {
            collected.wait("timeout", &program.evaluate(value, at), 1);
        }
    }
}

/// The TypeScript sources that a built file may come from: `dist/main.js` from `src/main.ts`, best guess first.
pub fn sources_of_build(path: &str) -> Vec<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some(stem) =
        name.strip_suffix(".js").or_else(|| name.strip_suffix(".mjs")).or_else(|| name.strip_suffix(".cjs"))
    else {
        return Vec::new();
    };
    let folder = path.strip_suffix(name).unwrap_or("");
    let mut candidates = Vec::new();
    for build in ["dist", "build", "out", "lib"] {
        let parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        let Some(at) = parts.iter().rposition(|part| *part == build) else { continue };
        let lead = if path.starts_with('/') { "/" } else { "" };
        let mut before = parts[..at].join("/");
        if !before.is_empty() {
            before.push('/');
        }
        let mut below = parts[at + 1..].join("/");
        if !below.is_empty() {
            below.push('/');
        }
        let in_sources = if below.starts_with("src/") { below.clone() } else { format!("src/{below}") };
        for source in [in_sources, below.clone()] {
            for end in ["ts", "mts", "tsx", "js"] {
                let candidate = format!("{lead}{before}{source}{stem}.{end}");
                if !candidates.contains(&candidate) {
                    candidates.push(candidate);
                }
            }
        }
    }
    if candidates.is_empty() {
        candidates.push(format!("{folder}{stem}.ts"));
    }
    candidates
}
