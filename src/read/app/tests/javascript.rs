//! What Node, Deno and Bun programs say.

use crate::read::app::javascript::sources_of_build;
use crate::read::app::tests::{Machine, check};

const EXPRESS: &str = "const app = require('express')();\n";

fn express(rest: &str) -> String {
    format!("{EXPRESS}{rest}")
}

#[test]
fn ports_and_hosts() {
    check(
        "server.js",
        &[
            (&express("app.listen(4100);"), &[], "any:4100 HTTP \"4100\""),
            (&express("app.listen(4100, '127.0.0.1', () => {});"), &[], "127.0.0.1:4100 HTTP \"4100\""),
            (&express("app.listen(4100, 'localhost')"), &[], "localhost:4100 HTTP \"4100\""),
            (&express("app.listen({ port: 4100, host: '::1' })"), &[], "::1:4100 HTTP \"4100\""),
            (&express("app.listen('4100', () => console.log('up'))"), &[], "any:4100 HTTP \"4100\""),
            (&express("app.listen(4_100)"), &[], "any:4100 HTTP \"4_100\""),
            (&express("app.listen('/run/shop.sock')"), &[], "/run/shop.sock HTTP \"/run/shop.sock\""),
            (&express("app.listen(0)"), &[], "anywhere: port 0 is any free port"),
            (
                &express("// app.listen(1)\n/* app.listen(2) */ const s = 'app.listen(3)'; app.listen(4100)"),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (&express("const re = /['\"`]/; app.listen(4100)"), &[], "any:4100 HTTP \"4100\""),
            (&express("history.listen(change => {}); app.listen(4100)"), &[], "any:4100 HTTP \"4100\""),
            (&express("app.listen(4100); app.listen(4101)"), &[], "any:4100 HTTP \"4100\"\nany:4101 HTTP \"4101\""),
            (&express("app.get('/')"), &[], "open: no listen call found in server.js"),
        ],
    );
}

#[test]
fn variables_and_defaults() {
    let set: &[(&str, &str)] = &[("PORT", "9100")];
    check(
        "server.js",
        &[
            (&express("app.listen(process.env.PORT || 4100)"), &[], "any:4100 HTTP \"4100\""),
            (&express("app.listen(process.env.PORT || 4100)"), set, "any:9100 HTTP \"9100\""),
            (
                &express("app.listen(process.env.PORT || 4100)"),
                &[("PORT", "?")],
                "open: the port of `app.listen` in server.js is not plain",
            ),
            (&express("const port = process.env.PORT ?? 4100; app.listen(port)"), &[], "any:4100 HTTP \"4100\""),
            (
                &express("const port = Number(process.env.PORT) || 4100; app.listen(port)"),
                set,
                "any:9100 HTTP \"9100\"",
            ),
            (
                &express("const port = parseInt(process.env.PORT || '4100', 10)\napp.listen(port, onUp)"),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                &express("const { PORT = 4100, HOST } = process.env; app.listen(PORT, HOST)"),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (&express("app.listen(process.env.PORT)"), &[], "anywhere: no port is set"),
            (&express("app.listen(process.env['PORT'], '127.0.0.1')"), set, "127.0.0.1:9100 HTTP \"9100\""),
            (
                &express("app.set('port', process.env.PORT || 4100); app.listen(app.get('port'))"),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                &express(
                    "var port = normalizePort(process.env.PORT || '4100');\napp.set('port', port);\napp.listen(port);",
                ),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                &express("const host = process.env.PUBLIC === 'yes' ? '0.0.0.0' : 'localhost'; app.listen(4100, host)"),
                &[],
                "localhost:4100 HTTP \"4100\"",
            ),
            (
                &express("const host = process.env.PUBLIC === 'yes' ? '0.0.0.0' : 'localhost'; app.listen(4100, host)"),
                &[("PUBLIC", "yes")],
                "any:4100 HTTP \"4100\"",
            ),
            (
                &express("const host = process.env.PUBLIC === 'yes' ? '0.0.0.0' : 'localhost'; app.listen(4100, host)"),
                &[("PUBLIC", "?")],
                "unknown:4100 HTTP \"4100\"",
            ),
            (&express("app.listen(config.port)"), &[], "open: the port of `app.listen` in server.js is not plain"),
            (&express("const base = 4000; app.listen(base + 100)"), &[], "any:4100 HTTP \"base + 100\""),
        ],
    );
}

#[test]
fn scopes_and_conditions() {
    check(
        "server.js",
        &[
            (
                &express("let port = 4100; if (process.env.PORT) { port = process.env.PORT } app.listen(port)"),
                &[("PORT", "9100")],
                "any:9100 HTTP \"9100\"",
            ),
            (
                &express("let port = 4100; if (process.env.PORT) { port = process.env.PORT } app.listen(port)"),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                &express(
                    "let port = process.env.PORT; if (port == null || port == '') { port = 4100 } app.listen(port)",
                ),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                &express("let port = 4100; function move(p) { port = p } app.listen(port)"),
                &[],
                "open: the port of `app.listen` in server.js is not plain",
            ),
            (
                &express("const port = 1; function start(port) { app.listen(port) } start(4100)"),
                &[],
                "open: the port of `app.listen` in server.js is not plain",
            ),
            (
                &express("function start() { app.listen(port) }\nconst port = 4100; start()"),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (&express("if (process.env.NODE_ENV !== 'test') { app.listen(4100) }"), &[], "any:4100 HTTP \"4100\""),
            (
                &express("if (process.env.NODE_ENV !== 'test') app.listen(4100); app.listen(4101)"),
                &[("NODE_ENV", "test")],
                "any:4101 HTTP \"4101\"",
            ),
            (
                &express("if (process.env.SOCKET) { app.listen(process.env.SOCKET) } else { app.listen(4100) }"),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (&express("if (require.main === module) { app.listen(4100) }"), &[], "any:4100 HTTP \"4100\""),
            (
                &express("for (const port of [1, 2]) app.listen(port)"),
                &[],
                "open: the port of `app.listen` in server.js is not plain",
            ),
            (
                &express("const c = {}; c.port = process.env.PORT || 4100; app.listen(c.port)"),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                &express("const c = {}; fill(c); app.listen(c.port)"),
                &[],
                "open: the port of `app.listen` in server.js is not plain",
            ),
            (&express("const o = { port: 4100 }; o.host = pick(); app.listen(o)"), &[], "unknown:4100 HTTP \"4100\""),
            (
                &express("const a = b; const b = a; app.listen(a)"),
                &[],
                "open: the port of `app.listen` in server.js is not plain",
            ),
            (
                &express("try { var port = load() } catch { port = 4100 } app.listen(port)"),
                &[],
                "open: the port of `app.listen` in server.js is not plain",
            ),
        ],
    );
}

#[test]
fn kinds_of_servers() {
    check(
        "main.ts",
        &[
            (
                "import { createServer } from 'node:http';\ncreateServer((q, s) => s.end('x')).listen(4100)",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                "require('http').createServer((q, s) => { s.end() }).listen(4100, '0.0.0.0')",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                "const https = require('https');\nhttps.createServer({ key: read('a') }, app).listen(4100)",
                &[],
                "any:4100 HTTPS \"4100\"",
            ),
            (
                "const http2 = require('http2');\nconst s = http2.createServer(app);\ns.listen(4100)",
                &[],
                "any:4100 HTTP/2 \"4100\"",
            ),
            (
                "import http2 from 'http2';\nhttp2.createSecureServer(o).listen(4100)",
                &[],
                "any:4100 HTTP/2 over TLS \"4100\"",
            ),
            ("const net = require('net');\nnet.createServer(c => c.end()).listen(4100)", &[], "any:4100 ? \"4100\""),
            (
                "const { SMTPServer } = require('smtp-server');\nnew SMTPServer({}).listen(2525)",
                &[],
                "unknown:2525 ? \"2525\"",
            ),
            (
                "import Fastify from 'fastify';\nconst f = Fastify({ logger: true });\nawait f.listen({ port: 4100 })",
                &[],
                "localhost:4100 HTTP \"4100\"",
            ),
            (
                "const f = require('fastify')();\nf.listen({ port: 4100, host: '0.0.0.0' })",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                "import Koa from 'koa';\nconst app = new Koa();\napp.use(x);\nexport default app.listen(4100)",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                "import { NestFactory } from '@nestjs/core';\nasync function bootstrap() {\n  const app = await NestFactory.create<NestExpressApplication>(AppModule);\n  await app.listen(process.env.PORT ?? 4100);\n}\nbootstrap();",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                "import { NestFactory } from '@nestjs/core';\nconst app = await NestFactory.create(AppModule, new FastifyAdapter());\nawait app.listen(4100);",
                &[],
                "localhost:4100 HTTP \"4100\"",
            ),
            (
                "const Hapi = require('@hapi/hapi');\nconst server = Hapi.server({ port: 4100, host: 'localhost' });\nserver.start();",
                &[],
                "localhost:4100 HTTP \"4100\"",
            ),
            ("Bun.serve({ fetch(request) { return new Response('x') } })", &[], "any:3000 HTTP default"),
            ("Bun.serve({ port: 4100, hostname: '127.0.0.1', fetch: handle })", &[], "127.0.0.1:4100 HTTP \"4100\""),
            (
                "const grpc = require('@grpc/grpc-js');\nconst s = new grpc.Server();\ns.bindAsync('0.0.0.0:4100', grpc.ServerCredentials.createInsecure(), up);",
                &[],
                "any:4100 HTTP/2 \"4100\"",
            ),
            ("Deno.serve((request) => new Response('x'))", &[], "any:8000 HTTP default"),
            ("Deno.serve({ port: 4100 }, handle)", &[], "any:4100 HTTP \"4100\""),
            (
                "import { WebSocketServer } from 'ws';\nconst wss = new WebSocketServer({ port: 4100 });",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                "import { serve } from '@hono/node-server';\nserve({ fetch: app.fetch, port: Number(process.env.PORT) || 4100 })",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                "import express from 'express';\nconst app: express.Application = express();\nconst port: number = +(process.env.PORT || 4100);\napp.listen(port, (): void => { log() });",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                "import express from 'express';\nimport http from 'http';\nconst server = http.createServer(express());\nserver.listen(process.env.PORT as string || 4100);",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                "console.log(`up on ${`port ${1 + 1}`}`);\nrequire('http').createServer(x).listen(`410${0}`)",
                &[],
                "any:4100 HTTP \"410${0\"",
            ),
        ],
    );
}

#[test]
fn other_files_of_the_program() {
    let files = [
        ("/app/server.js", "const c = require('./config');\nrequire('http').createServer(x).listen(c.port, c.host)"),
        ("/app/config.js", "module.exports = { port: process.env.PORT || 4100, host: '127.0.0.1' }"),
        ("/app/index.js", "import './web/start.js'"),
        (
            "/app/web/start.js",
            "import { port } from './values.js';\nimport express from 'express';\nexpress().listen(port)",
        ),
        ("/app/web/values.js", "export const port = 4200;"),
        ("/app/json.js", "const c = require('./c.json');\nrequire('http').createServer(x).listen(c.web.port)"),
        ("/app/c.json", "{ \"web\": { \"port\": 4300 } }"),
        (
            "/app/yaml.js",
            "const conf = yaml.load(fs.readFileSync('./conf.yml', 'utf8'));\nrequire('http').createServer(x).listen(conf.port)",
        ),
        ("/app/conf.yml", "port: 4500\n"),
        ("/app/hidden.js", "require('./lost')"),
        ("/app/lost.js", "?"),
        (
            "/app/dot.js",
            "require('dotenv').config({ path: process.cwd() + '/settings/.env' });\nrequire('http').createServer(x).listen(process.env.PORT)",
        ),
        ("/app/settings/.env", "PORT=4400\n"),
        (
            "/app/dotless.js",
            "require('dotenv').config({ path: somewhere });\nrequire('http').createServer(x).listen(process.env.PORT)",
        ),
    ];
    let machine = Machine::new(&files, &[]);
    let heard = |path: &str| machine.listening(&machine.entry(path, &[]).listening);
    assert_eq!(heard("/app/server.js"), "127.0.0.1:4100 HTTP \"4100\"");
    assert_eq!(heard("/app/index.js"), "any:4200 HTTP \"4200\"");
    assert_eq!(heard("/app/json.js"), "any:4300 HTTP \"4300\"");
    assert_eq!(heard("/app/yaml.js"), "any:4500 HTTP \"4500\"");
    assert_eq!(heard("/app/hidden.js"), "open: no listen call found in hidden.js, and /app/lost.js is not read");
    assert_eq!(heard("/app/dot.js"), "any:4400 HTTP \"4400\"");
    assert_eq!(heard("/app/dotless.js"), "open: the port of `createServer.listen` in dotless.js is not plain");
}

#[test]
fn waits_of_a_server() {
    let text = "const server = require('http').createServer(x).listen(4100);\nserver.keepAliveTimeout = 65 * 1000;\nserver.requestTimeout = slow;";
    let machine = Machine::new(&[("/app/a.js", text)], &[]);
    let waits = machine.entry("/app/a.js", &[]).waits;
    assert_eq!(waits.len(), 1);
    assert_eq!((waits[0].name.as_str(), waits[0].milliseconds), ("keepAliveTimeout", 65000));
    assert_eq!(machine.quote(waits[0].place), "65 * 1000");
}

#[test]
fn sources_of_built_files() {
    let candidates = sources_of_build("/app/dist/main.js");
    assert_eq!(candidates.first().map(String::as_str), Some("/app/src/main.ts"));
    assert!(sources_of_build("/app/dist/src/main.js").contains(&"/app/src/main.ts".to_owned()));
    assert_eq!(sources_of_build("/app/main.py"), Vec::<String>::new());
}
