//! Where a Go program listens: net/http and the frameworks over it, gRPC.

use crate::read::app::expression::{Call, Expression, Shape};
use crate::read::app::listening::{Address, Collected, Given, Site, parse_address};
use crate::read::app::program::Program;
use crate::read::app::value::Value;
use crate::site::listener::{Bind, Protocol};
use crate::source::Text;

pub fn collect(program: &Program, collected: &mut Collected) {
    let names = [
        "ListenAndServe",
        "ListenAndServeTLS",
        "Server",
        "Listen",
        "ListenTLS",
        "Run",
        "RunTLS",
        "RunUnix",
        "Start",
        "StartTLS",
        "StartServer",
    ];
    for (at, expression) in program.calls(&names) {
        let Shape::Call(call) = &expression.shape else { continue };
        if program.reached(at) != Some(false) {
            one(program, collected, &expression, call, at);
        }
    }
}

fn one(program: &Program, collected: &mut Collected, expression: &Expression, call: &Call, at: usize) {
    let path = call.callee.path();
    let gin = imports(program, "github.com/gin-gonic/gin");
    let echo = imports(program, "github.com/labstack/echo");
    let fiber = imports(program, "github.com/gofiber/fiber");
    let iris = imports(program, "github.com/kataras/iris");
    let site = |protocol, default_port| Site { expression, protocol, default_port, default_bind: Bind::Any };
    let http = Some(Protocol::Http);
    let https = Some(Protocol::Https);
    let first = call.positional(0).map(|first| program.evaluate(first, at));
    match path.as_slice() {
        ["http" | "fasthttp", "ListenAndServe"] => on_address(program, collected, &site(http, Some(80)), first),
        ["http" | "fasthttp", "ListenAndServeTLS"] => on_address(program, collected, &site(https, Some(443)), first),
        ["http", "Server"] => {
            let secure = program.mentions("ListenAndServeTLS") || program.mentions("ServeTLS");
            // A server that is given a listener takes its address from there.
            let used = program.mentions("ListenAndServe") || program.mentions("ListenAndServeTLS");
            if !used && program.mentions("Listen") {
                return;
            }
            let protocol = if secure { https } else { http };
            waits(program, collected, call, at);
            let address = call.named("Addr").map(|address| program.evaluate(address, at));
            // Without Addr here it may be set in a later line.
            if address.is_none() && program.mentions("Addr") {
                return collected.unclear(program, "the address", expression);
            }
            let default = if secure { 443 } else { 80 };
            on_address(program, collected, &site(protocol, Some(default)), address);
        }
        ["net" | "tls", "Listen"] => {
            let Some(second) = call.positional(1).map(|second| program.evaluate(second, at)) else { return };
            let network = first.as_ref().and_then(Value::text).map(|text| text.as_str().to_owned());
            let protocol = match path[0] {
                "tls" => None,
                _ if imports(program, "google.golang.org/grpc") => Some(Protocol::Http2),
                _ if program.mentions("Serve") && program.imports("net/http") => http,
                _ => None,
            };
            match network.as_deref() {
                Some("tcp" | "tcp4" | "tcp6") => on_address(program, collected, &site(protocol, None), Some(second)),
                Some("unix") => match second.text() {
                    Some(socket) => collected.unix(program, &site(protocol, None), socket),
                    None => collected.unclear(program, "the socket", expression),
                },
                _ => collected.unclear(program, "the network", expression),
            }
        }
        [_, .., "Run"] | ["Run"] if gin && path.len() > 1 => match (call.arguments.len(), first) {
            (0, _) => {
                // gin's documentation: without an address, PORT decides, and else 8080.
                let port = program.variable("PORT", program.span(expression));
                let port = if port.truth() == Some(false) { Given::Default } else { Given::Value(port) };
                collected.tcp(program, &site(http, Some(8080)), port, Given::Default);
            }
            (_, first) => on_address(program, collected, &site(http, None), first),
        },
        [_, .., "RunTLS"] if gin => on_address(program, collected, &site(https, None), first),
        [_, .., "RunUnix"] if gin => match first.as_ref().and_then(Value::text) {
            Some(socket) => collected.unix(program, &site(http, None), socket),
            None => collected.unclear(program, "the socket", expression),
        },
        [_, .., "Start"] if echo => on_address(program, collected, &site(http, None), first),
        [_, .., "StartTLS"] if echo => on_address(program, collected, &site(https, None), first),
        [_, .., "Listen"] if fiber || iris => on_address(program, collected, &site(http, None), first),
        [_, .., "ListenTLS"] if fiber => on_address(program, collected, &site(https, None), first),
        // `srv.ListenAndServe()` is told where `http.Server{…}` is made.
        [_, .., "ListenAndServe" | "ListenAndServeTLS"] if call.arguments.len() != 1 => {
            let made_here = !program.calls(&["Server"]).is_empty();
            if !made_here {
                collected.unclear(program, "the server", expression);
            }
        }
        [_, .., "ListenAndServe"] => on_address(program, collected, &site(None, None), first),
        _ => {}
    }
}

fn imports(program: &Program, module: &str) -> bool {
    program.imports(module)
}

fn on_address(program: &Program, collected: &mut Collected, site: &Site, address: Option<Value>) {
    let Some(address) = address else { return collected.tcp(program, site, Given::Default, Given::Default) };
    match address.text() {
        // A port by its service's name, as Go resolves it.
        Some(text) if matches!(text.as_str(), ":http" | ":https") => {
            let port = if text.as_str() == ":http" { "80" } else { "443" };
            let port = Value::Text(Text::fixed(port, text.whole()));
            collected.tcp(program, site, Given::Value(port), Given::Default);
        }
        // Go wants a colon; a number alone is refused at the start, except by fiber and the like.
        Some(text) => match parse_address(text) {
            Some(Address::Tcp { .. }) => collected.address(program, site, &address),
            _ if text.as_str().is_empty() => collected.tcp(program, site, Given::Default, Given::Default),
            _ => collected.unclear(program, "the address", site.expression),
        },
        None => collected.unclear(program, "the address", site.expression),
    }
}

/// `ReadTimeout: 10 * time.Second`
fn waits(program: &Program, collected: &mut Collected, call: &Call, at: usize) {
    for name in ["ReadTimeout", "ReadHeaderTimeout", "WriteTimeout", "IdleTimeout"] {
        if let Some(value) = call.named(name) {
            collected.wait(name, &program.evaluate(value, at), 1);
        }
    }
}
