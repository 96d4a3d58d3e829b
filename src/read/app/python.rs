//! Where a Python program listens: Flask, uvicorn, the standard library's servers and others. The imports decide what a
//! call means.

use crate::read::app::expression::{Call, Expression, Shape};
use crate::read::app::listening::{Collected, Given, Site, argument};
use crate::read::app::modules::Local;
use crate::read::app::program::Program;
use crate::read::app::value::Value;
use crate::site::listener::{Bind, Protocol};

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

const LOOPBACK: Bind = Bind::Only(IpAddr::V4(Ipv4Addr::LOCALHOST));

/// A call that listens, as the documentation of its library gives it.
struct Form {
    /// The name of the function or method.
    call: &'static str,
    /// Modules of which one is imported.
    modules: &'static [&'static str],
    /// The receivers it may be called on; empty: any.
    receivers: &'static [&'static str],
    /// Argument names and positions of host and port.
    host: (&'static str, usize),
    port: (&'static str, usize),
    default_bind: Bind,
    default_port: Option<u16>,
    protocol: Option<Protocol>,
}

/// Positions that no call has: the argument is always named.
const NAMED: usize = usize::MAX;

const WEB: Form = Form {
    call: "run",
    modules: &[],
    receivers: &[],
    host: ("host", NAMED),
    port: ("port", NAMED),
    default_bind: LOOPBACK,
    default_port: None,
    protocol: Some(Protocol::Http),
};

/// More special ones first: an application that imports Flask may be run by socketio or uvicorn.
const FORMS: &[Form] = &[
    Form { modules: &["uvicorn"], receivers: &["uvicorn"], default_port: Some(8000), ..WEB },
    Form { call: "Config", modules: &["uvicorn"], receivers: &["uvicorn"], default_port: Some(8000), ..WEB },
    Form { modules: &["bottle"], default_port: Some(8080), ..WEB },
    Form {
        modules: &["flask_socketio"],
        receivers: &["socketio"],
        port: ("port", 2),
        host: ("host", 1),
        default_port: Some(5000),
        ..WEB
    },
    Form { modules: &["sanic"], host: ("host", 0), port: ("port", 1), default_port: Some(8000), ..WEB },
    Form { modules: &["dash"], host: ("host", 0), port: ("port", 1), default_port: Some(8050), ..WEB },
    Form {
        call: "run_server",
        modules: &["dash"],
        host: ("host", 0),
        port: ("port", 1),
        default_port: Some(8050),
        ..WEB
    },
    Form { modules: &["quart"], host: ("host", 0), port: ("port", 1), default_port: Some(5000), ..WEB },
    Form {
        modules: &["flask", "connexion", "apiflask"],
        host: ("host", 0),
        port: ("port", 1),
        default_port: Some(5000),
        ..WEB
    },
    Form { call: "run_app", modules: &["aiohttp"], default_bind: Bind::Any, default_port: Some(8080), ..WEB },
    Form {
        call: "TCPSite",
        modules: &["aiohttp"],
        host: ("host", 1),
        port: ("port", 2),
        default_bind: Bind::Any,
        default_port: Some(8080),
        ..WEB
    },
    Form { call: "serve", modules: &["waitress"], default_bind: Bind::Any, default_port: Some(8080), ..WEB },
    Form {
        call: "serve",
        modules: &["websockets"],
        host: ("host", 1),
        port: ("port", 2),
        default_bind: Bind::Any,
        ..WEB
    },
    Form { call: "run_simple", modules: &["werkzeug"], host: ("hostname", 0), port: ("port", 1), ..WEB },
    Form { call: "make_server", modules: &["wsgiref", "werkzeug"], host: ("host", 0), port: ("port", 1), ..WEB },
    Form {
        call: "launch",
        modules: &["gradio"],
        host: ("server_name", NAMED),
        port: ("server_port", NAMED),
        default_port: Some(7860),
        ..WEB
    },
    Form {
        call: "start_server",
        modules: &["asyncio"],
        host: ("host", 1),
        port: ("port", 2),
        default_bind: Bind::Any,
        protocol: None,
        ..WEB
    },
    Form {
        call: "create_server",
        modules: &["asyncio"],
        host: ("host", 1),
        port: ("port", 2),
        default_bind: Bind::Any,
        protocol: None,
        ..WEB
    },
];

/// Servers that take `(host, port)` first.
const ADDRESSED: &[&str] = &[
    "HTTPServer",
    "ThreadingHTTPServer",
    "TCPServer",
    "ThreadingTCPServer",
    "WSGIServer",
    "pywsgi",
    "SimpleXMLRPCServer",
    "ThreadedHTTPServer",
    "ThreadedTCPServer",
];

pub fn collect(program: &Program, collected: &mut Collected) {
    let nearby = nearby_frameworks(program);
    let mut names: Vec<&str> = FORMS.iter().map(|form| form.call).collect();
    names.sort_unstable();
    names.dedup();
    for (at, expression) in program.calls(&names) {
        let Shape::Call(call) = &expression.shape else { continue };
        if program.reached(at) == Some(false) {
            continue;
        }
        by_form(program, &nearby, collected, &expression, call, at);
    }
    for (at, expression) in program.calls(ADDRESSED) {
        let Shape::Call(call) = &expression.shape else { continue };
        if program.reached(at) != Some(false) {
            addressed(program, collected, &expression, call, at);
        }
    }
    if program.imports("tornado") {
        for (at, expression) in program.calls(&["listen", "bind"]) {
            let Shape::Call(call) = &expression.shape else { continue };
            let site = site(&expression, Some(Protocol::Http), None, Bind::Any);
            if program.reached(at) != Some(false) {
                let port = argument(call, "port", 0).map(|port| program.evaluate(port, at));
                let host = argument(call, "address", 1).map(|host| program.evaluate(host, at));
                collected.tcp(program, &site, Given::of(port), Given::of(host));
            }
        }
    }
    grpc(program, collected);
}

fn site(expression: &Expression, protocol: Option<Protocol>, port: Option<u16>, bind: Bind) -> Site<'_> {
    Site { expression, protocol, default_port: port, default_bind: bind }
}

/// The frameworks that the modules next to this one import, when it imports none itself: `from shop import create_app`.
fn nearby_frameworks(program: &Program) -> BTreeSet<&'static str> {
    let known = || FORMS.iter().flat_map(|form| form.modules).copied().filter(|module| *module != "asyncio");
    if program.calls(&["run"]).is_empty() || known().any(|module| program.imports(module)) {
        return BTreeSet::new();
    }
    let mut found = BTreeSet::new();
    for local in program.local_modules().into_iter().take(10) {
        let Local::File(path, text) = local else { continue };
        let (surroundings, effort) = (program.surroundings, program.effort);
        let module = Program::new(&path, &text, program.language, program.arguments, surroundings, effort);
        found.extend(known().filter(|name| module.imports(name)));
    }
    found
}

fn by_form(
    program: &Program,
    nearby: &BTreeSet<&str>,
    collected: &mut Collected,
    expression: &Expression,
    call: &Call,
    at: usize,
) {
    let path = call.callee.path();
    let (Some(called), receiver) = (path.last().copied(), path.first().copied().filter(|_| path.len() > 1)) else {
        return;
    };
    let bare_function = path.len() == 1;
    let matching = FORMS.iter().find(|form| {
        let imported = form.modules.iter().any(|module| program.imports(module) || nearby.contains(module));
        let received = form.receivers.is_empty()
            || receiver.is_some_and(|receiver| form.receivers.contains(&receiver))
            || imported_as(program, if bare_function { called } else { receiver.unwrap_or("") }, form.receivers);
        form.call == called && imported && received && plausible(program, form, receiver, called, at)
    });
    let Some(form) = matching else {
        // An application of unknown make, run with a host and a port all the same.
        let told = call.named("host").is_some() || call.named("port").is_some();
        let application = matches!(receiver, Some("app" | "application" | "socketio"));
        if called == "run" && (application || told && !is_other_run(program, receiver)) {
            collected.unclear(program, "the framework", expression);
        }
        return;
    };
    if call.has_spread() {
        return collected.unclear(program, "the port", expression);
    }
    let protocol = secure(program, call, at).unwrap_or(form.protocol);
    let site = site(expression, protocol, form.default_port, form.default_bind);
    let listen = call.named("listen").filter(|_| form.modules == ["waitress"]);
    if let Some(listen) = listen {
        return collected.address(program, &site, &program.evaluate(listen, at));
    }
    let socket = call.named("uds").or_else(|| call.named("unix_socket"));
    match socket.map(|socket| program.evaluate(socket, at)) {
        Some(Value::Text(path)) => return collected.unix(program, &site, &path),
        Some(Value::Nothing(_)) | None => {}
        Some(_) => return collected.unclear(program, "the socket", expression),
    }
    let given = |(name, index): (&str, usize)| {
        let argument = if index == NAMED { call.named(name) } else { argument(call, name, index) };
        Given::of(argument.map(|argument| program.evaluate(argument, at)))
    };
    let (host, port) = (given(form.host), given(form.port));
    if form.modules == ["uvicorn"] && matches!(port, Given::Value(Value::Nothing(_))) {
        return collected.unclear(program, "the port", expression);
    }
    if let Some(seconds) = call.named("timeout_keep_alive") {
        collected.wait("timeout_keep_alive", &program.evaluate(seconds, at), 1000);
    }
    collected.tcp(program, &site, port, host);
}

/// `ssl_certfile=…`, `ssl_context=…`: TLS, when it is given at all.
fn secure(program: &Program, call: &Call, at: usize) -> Option<Option<Protocol>> {
    let given = ["ssl_certfile", "ssl_context", "ssl", "certfile"].iter().find_map(|name| call.named(name))?;
    match program.evaluate(given, at) {
        Value::Nothing(_) | Value::Bool(false, _) => None,
        Value::Unclear(_) if matches!(given.shape, Shape::Unclear) => Some(None),
        _ => Some(Some(Protocol::Https)),
    }
}

/// The local name of a function or module that was imported under another one.
fn imported_as(program: &Program, local: &str, modules: &[&str]) -> bool {
    program.bindings.get(local).into_iter().flatten().any(|binding| {
        binding.module.as_ref().is_some_and(|import| {
            let root = import.module.split('.').next().unwrap_or("");
            modules.contains(&root)
        })
    })
}

/// What is run is an application, not a loop or a process.
fn plausible(program: &Program, form: &Form, receiver: Option<&str>, called: &str, at: usize) -> bool {
    if called != "run" || !form.receivers.is_empty() {
        return true;
    }
    let Some(receiver) = receiver else { return form.modules == ["bottle"] };
    if is_other_run(program, Some(receiver)) {
        return false;
    }
    // `server.run()` of uvicorn in a file that imports Flask as well: what it was made from decides.
    match program.origin(receiver, at) {
        Some((made, _)) => {
            let path = made.path();
            let root = path.first().copied().unwrap_or("");
            let other = |form: &Form| imported_as(program, root, form.modules) || form.modules.contains(&root);
            other(form) || !FORMS.iter().any(other)
        }
        None => true,
    }
}

fn is_other_run(program: &Program, receiver: Option<&str>) -> bool {
    let Some(receiver) = receiver else { return true };
    matches!(receiver, "asyncio" | "anyio" | "trio" | "subprocess" | "loop" | "uvloop" | "unittest" | "typer" | "os")
        || imported_as(program, receiver, &["asyncio", "subprocess", "anyio", "trio"])
}

/// `HTTPServer(("", 8085), Handler)`, `WSGIServer(('0.0.0.0', 8004), app)`, `WSGIServer(":8000", app)`
fn addressed(program: &Program, collected: &mut Collected, expression: &Expression, call: &Call, at: usize) {
    let bare = call.callee.path().last().copied() == Some("TCPServer")
        || call.callee.path().last().copied() == Some("ThreadingTCPServer");
    let protocol = if bare && !program.mentions("SimpleHTTPRequestHandler") { None } else { Some(Protocol::Http) };
    let site = site(expression, protocol, None, Bind::Any);
    // tornado's server of this name is told later, by `listen`.
    let path = call.callee.path();
    if path.contains(&"httpserver") || imported_as(program, path.first().copied().unwrap_or(""), &["tornado"]) {
        return;
    }
    let Some(address) = argument(call, "server_address", 0).or_else(|| call.named("listener")) else { return };
    match program.evaluate(address, at) {
        Value::List(items, _) => {
            let mut items = items.into_iter();
            let (Some(host), Some(port)) = (items.next(), items.next()) else { return };
            collected.tcp(program, &site, Given::Value(port), Given::Value(host));
        }
        value @ (Value::Text(_) | Value::Number(_)) => collected.address(program, &site, &value),
        _ => collected.unclear(program, "the address", expression),
    }
}

/// `server.add_insecure_port('[::]:50051')`
fn grpc(program: &Program, collected: &mut Collected) {
    for (at, expression) in program.calls(&["add_insecure_port", "add_secure_port"]) {
        let Shape::Call(call) = &expression.shape else { continue };
        let insecure = call.callee.path().last() == Some(&"add_insecure_port");
        let protocol = if insecure { Protocol::Http2 } else { Protocol::Http2Tls };
        let site = site(&expression, Some(protocol), None, Bind::Any);
        let Some(address) = argument(call, "address", 0) else { continue };
        if program.reached(at) != Some(false) {
            collected.address(program, &site, &program.evaluate(address, at));
        }
    }
}
