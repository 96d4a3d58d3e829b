//! Where an ASP.NET program listens, as far as its code says it: `UseUrls`, `app.Run(url)`, `app.Urls.Add(url)`, Kestrel's
//! `Listen…`. Variables and appsettings.json are read elsewhere.

use crate::read::app::expression::{Call, Expression, Shape};
use crate::read::app::listening::{Collected, Given, Site};
use crate::read::app::program::Program;
use crate::read::app::value::Value;
use crate::site::listener::{Bind, Endpoint, Protocol};
use crate::source::Text;

pub fn collect(program: &Program, collected: &mut Collected) {
    for (at, expression) in
        program.calls(&["UseUrls", "Run", "Add", "ListenAnyIP", "ListenLocalhost", "ListenUnixSocket"])
    {
        let Shape::Call(call) = &expression.shape else { continue };
        if program.reached(at) != Some(false) {
            one(program, collected, &expression, call, at);
        }
    }
    // Kestrel binds both addresses of the name.
    for listener in &mut collected.listeners {
        if let Endpoint::Tcp { bind, .. } = &mut listener.endpoint
            && *bind == Bind::Localhost
        {
            *bind = Bind::Loopbacks;
        }
    }
}

fn one(program: &Program, collected: &mut Collected, expression: &Expression, call: &Call, at: usize) {
    let path = call.callee.path();
    let urls = match path.as_slice() {
        [.., "UseUrls"] | [.., "Urls", "Add"] => true,
        ["app" | "host" | "application", "Run"] => !call.arguments.is_empty(),
        _ => false,
    };
    if urls {
        for argument in &call.arguments {
            let value = program.evaluate(&argument.value, at);
            match value.text() {
                Some(list) => each_url(program, collected, expression, list),
                None if matches!(value, Value::Function(_)) => {}
                None => collected.unclear(program, "the address", expression),
            }
        }
        return;
    }
    let bind = match path.last() {
        Some(&"ListenAnyIP") => Bind::Any,
        Some(&"ListenLocalhost") => Bind::Loopbacks,
        _ => return,
    };
    // A second argument sets TLS and protocols up.
    let protocol = if call.arguments.len() > 1 { None } else { Some(Protocol::Http) };
    let site = Site { expression, protocol, default_port: None, default_bind: bind };
    let port = call.positional(0).map(|port| program.evaluate(port, at));
    collected.tcp(program, &site, Given::of(port), Given::Default);
}

/// `http://*:5000;https://localhost:5001`
fn each_url(program: &Program, collected: &mut Collected, expression: &Expression, list: &Text) {
    let mut start = 0;
    for url in list.as_str().split(';') {
        let text = list.slice(start..start + url.len());
        start += url.len() + 1;
        let secure = url.trim_start().starts_with("https:");
        let protocol = Some(if secure { Protocol::Https } else { Protocol::Http });
        let port = if secure { 443 } else { 80 };
        let site = Site { expression, protocol, default_port: Some(port), default_bind: Bind::Any };
        if url.trim().is_empty() {
            continue;
        }
        collected.address(program, &site, &Value::Text(text));
    }
}
