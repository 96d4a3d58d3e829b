//! Where a Rust program listens: hyper and axum over a `TcpListener`, actix, warp, rocket.

use crate::read::app::expression::{Expression, Shape};
use crate::read::app::listening::{Collected, Given, Site};
use crate::read::app::program::Program;
use crate::read::app::value::Value;
use crate::site::listener::{Bind, Protocol};
use crate::source::Text;

pub fn collect(program: &Program, collected: &mut Collected) {
    let web = ["axum", "actix_web", "hyper", "warp", "poem", "salvo", "tide"];
    let protocol = if program.imports("tonic") {
        Some(Protocol::Http2)
    } else {
        web.iter().any(|name| program.imports(name)).then_some(Protocol::Http)
    };
    for (at, expression) in program.calls(&["bind", "serve", "listen"]) {
        let Shape::Call(call) = &expression.shape else { continue };
        if program.reached(at) == Some(false) {
            continue;
        }
        let Some(first) = call.positional(0) else { continue };
        let path = call.callee.path();
        let site = Site { expression: &expression, protocol, default_port: None, default_bind: Bind::Any };
        let address = match path.as_slice() {
            ["UdpSocket" | "UnixDatagram", ..] | [_, "UdpSocket", ..] => continue,
            [.., "UnixListener", "bind"] => match program.evaluate(first, at) {
                Value::Text(socket) => {
                    collected.unix(program, &site, &socket);
                    continue;
                }
                _ => Given::Default,
            },
            [.., "bind"] => Given::of(address(program, first, at)),
            [.., "listen"] if program.imports("tide") => Given::of(address(program, first, at)),
            // tonic: Server::builder().add_service(x).serve(address)
            [.., "serve"] if program.imports("tonic") => Given::of(address(program, first, at)),
            _ => continue,
        };
        match address {
            Given::Value(Value::List(items, _)) => {
                let mut items = items.into_iter();
                let (Some(host), Some(port)) = (items.next(), items.next()) else { continue };
                collected.tcp(program, &site, Given::Value(port), Given::Value(host));
            }
            Given::Value(value) => collected.address(program, &site, &value),
            Given::Default => collected.unclear(program, "the address", &expression),
        }
    }
    for (at, expression) in program.calls(&["run"]) {
        let Shape::Call(call) = &expression.shape else { continue };
        let Some(first) = call.positional(0).filter(|_| program.mentions("warp")) else { continue };
        let site = Site {
            expression: &expression,
            protocol: Some(Protocol::Http),
            default_port: None,
            default_bind: Bind::Any,
        };
        if let Some(Value::List(items, _)) = address(program, first, at) {
            let mut items = items.into_iter();
            if let (Some(host), Some(port)) = (items.next(), items.next()) {
                collected.tcp(program, &site, Given::Value(port), Given::Value(host));
            }
        }
    }
}

/// A socket address: a string, `("0.0.0.0", 8080)`, `([0, 0, 0, 0], 8080)`, `SocketAddr::from(…)`, `"…".parse()`.
///
/// A pair comes out as a list of the host as text and the port.
fn address(program: &Program, expression: &Expression, at: usize) -> Option<Value> {
    let (made, place) = program.made_from(expression, at);
    match &made.shape {
        Shape::List(items) if items.len() == 2 => pair(program, items, place),
        Shape::Call(call) => {
            let path = call.callee.path();
            match path.as_slice() {
                [.., "SocketAddr", "from" | "new"] if call.arguments.len() == 1 => {
                    address(program, call.positional(0)?, place)
                }
                [.., "SocketAddr", "new"] => {
                    let items = [call.positional(0)?.clone(), call.positional(1)?.clone()];
                    pair(program, &items, place)
                }
                _ => Some(program.evaluate(&made, place)),
            }
        }
        _ => Some(program.evaluate(&made, place)),
    }
}

fn pair(program: &Program, items: &[Expression], at: usize) -> Option<Value> {
    let [host, port] = items else { return None };
    let span = program.span(host);
    let host = match program.evaluate(host, at) {
        Value::List(numbers, _) => {
            let numbers: Option<Vec<String>> =
                numbers.iter().map(|number| number.text().map(|text| text.as_str().to_owned())).collect();
            let numbers = numbers?;
            let separator = if numbers.len() == 4 { "." } else { ":" };
            Value::Text(Text::fixed(&numbers.join(separator), span))
        }
        value @ Value::Text(_) => value,
        _ => constant(host).map_or(Value::Unclear(span), |address| Value::Text(Text::fixed(address, span))),
    };
    Some(Value::List(vec![host, program.evaluate(port, at)], span))
}

/// `Ipv4Addr::UNSPECIFIED`, `IpAddr::V4(Ipv4Addr::new(0, 0, 0, 0))`
fn constant(host: &Expression) -> Option<&'static str> {
    let path = match &host.shape {
        Shape::Call(call) => return constant(call.positional(0)?),
        _ => host.path(),
    };
    match path.as_slice() {
        [.., "UNSPECIFIED"] => Some("0.0.0.0"),
        [.., "LOCALHOST"] => Some("127.0.0.1"),
        _ => None,
    }
}
