//! Where a Ruby program listens, and the directives of Ruby configuration files: `port 3000`, `bind "tcp://…"`.

use crate::read::app::expression::{Expression, Shape};
use crate::read::app::listening::{Collected, Given, Site};
use crate::read::app::program::Program;
use crate::read::app::tokens::Kind;
use crate::read::app::value::Value;
use crate::site::listener::{Bind, Protocol};

/// `name argument, argument` at the start of a line, with or without parentheses.
pub struct Directive {
    /// Token index of the name.
    pub at: usize,
    pub arguments: Vec<Expression>,
    /// An `if` or `unless` stands behind it.
    pub modified: bool,
}

/// The directives of this name, in the order of the file.
pub fn directives(program: &Program, name: &str) -> Vec<Directive> {
    let mut found = Vec::new();
    let list = &program.tokens.list;
    for at in 0..list.len() {
        if program.name(at) != name || !list[at].new_line {
            continue;
        }
        let next = at + 1;
        if next >= list.len() || list[next].new_line || matches!(program.symbol(next), "=" | "." | "||=" | "[" | "::") {
            continue;
        }
        let begins = list[next].kind != Kind::Symbol || matches!(program.symbol(next), "(" | ":" | "[" | "{");
        if !begins {
            continue;
        }
        let bracket = program.symbol(next) == "(";
        let end = if bracket { program.partner(next).unwrap_or(list.len()) } else { list.len() };
        let mut parser = program.parser(if bracket { next + 1 } else { next }).until(end);
        let mut arguments = Vec::new();
        // No directive takes more.
        for _ in 0..8 {
            let before = parser.at;
            arguments.push(parser.expression());
            if parser.at == before || program.symbol(parser.at) != "," {
                break;
            }
            parser.at += 1;
        }
        let modified = !bracket && matches!(program.name(parser.at), "if" | "unless") && !list[parser.at].new_line;
        found.push(Directive { at, arguments, modified });
        if found.len() >= 50 {
            break;
        }
    }
    found
}

/// Sinatra's `set :port, 4567` and `run! port: 4567`.
pub fn collect(program: &Program, collected: &mut Collected) {
    let sinatra = requires(program, "sinatra") || requires(program, "sinatra/base");
    if sinatra && !requires(program, "sinatra/base") {
        sinatra_settings(program, collected);
    }
    for (at, expression) in program.calls(&["run!", "new"]) {
        let Shape::Call(call) = &expression.shape else { continue };
        let path = call.callee.path();
        let site = |port| Site {
            expression: &expression,
            protocol: Some(Protocol::Http),
            default_port: port,
            default_bind: Bind::Any,
        };
        let value = |name: &str| call.named(name).map(|value| program.evaluate(value, at));
        match path.as_slice() {
            [.., "run!"] if sinatra => {
                let (port, host) = (value("port"), value("host").or(value("bind")));
                collected.tcp(program, &site(Some(4567)), Given::of(port), host_or_unknown(program, host));
            }
            ["WEBrick", "HTTPServer", "new"] => {
                let (port, host) = (value("Port"), value("BindAddress"));
                collected.tcp(program, &site(Some(80)), Given::of(port), Given::of(host));
            }
            ["TCPServer", "new"] => {
                let arguments: Vec<Value> =
                    call.arguments.iter().map(|argument| program.evaluate(&argument.value, at)).collect();
                let site = Site { protocol: None, ..site(None) };
                match arguments.as_slice() {
                    [port] => collected.tcp(program, &site, Given::Value(port.clone()), Given::Default),
                    [host, port] => {
                        collected.tcp(program, &site, Given::Value(port.clone()), Given::Value(host.clone()));
                    }
                    _ => collected.unclear(program, "the address", &expression),
                }
            }
            _ => {}
        }
    }
}

fn sinatra_settings(program: &Program, collected: &mut Collected) {
    let (mut port, mut host, mut call) = (None, None, None);
    for directive in directives(program, "set") {
        let [key, value, ..] = directive.arguments.as_slice() else { continue };
        let key = program.evaluate(key, directive.at);
        let value = if directive.modified {
            Value::Unclear(program.span(value))
        } else {
            program.evaluate(value, directive.at)
        };
        let Some(key) = key.text().map(|key| key.as_str().to_owned()) else { continue };
        match key.as_str() {
            "port" => port = Some(value),
            "bind" => host = Some(value),
            _ => continue,
        }
        let range = program.tokens.list[directive.at].start as usize..program.tokens.list[directive.at].end as usize;
        call = Some(Expression { shape: Shape::Name("set".to_owned()), range });
    }
    // Nothing set: the server that is installed decides; rackup and `-p` do, too.
    let Some(call) = call else { return };
    let site =
        Site { expression: &call, protocol: Some(Protocol::Http), default_port: Some(4567), default_bind: Bind::Any };
    let host = host_or_unknown(program, host);
    collected.tcp(program, &site, Given::of(port), host);
}

/// Sinatra's documentation: `localhost` in development, any address otherwise.
fn host_or_unknown(program: &Program, host: Option<Value>) -> Given {
    if host.is_some() {
        return Given::of(host);
    }
    let nowhere = program.text.span(0..0);
    let environment = match program.variable("APP_ENV", nowhere) {
        Value::Nothing(_) => program.variable("RACK_ENV", nowhere),
        other => other,
    };
    match environment {
        Value::Text(text) if text == "production" => Given::Default,
        Value::Text(text) => Given::Value(Value::Text(crate::source::Text::fixed("localhost", text.whole()))),
        Value::Nothing(span) => Given::Value(Value::Text(crate::source::Text::fixed("localhost", span))),
        other => Given::Value(other),
    }
}

fn requires(program: &Program, module: &str) -> bool {
    (1..program.tokens.list.len())
        .any(|at| program.name(at - 1) == "require" && program.plain_text(at).is_some_and(|text| text == module))
}
