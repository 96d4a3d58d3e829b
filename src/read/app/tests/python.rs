//! What Python programs say.

use crate::read::app::tests::{Machine, check};

#[test]
fn frameworks_and_their_defaults() {
    check(
        "main.py",
        &[
            (
                "from flask import Flask\napp = Flask(__name__)\nif __name__ == '__main__':\n    app.run()\n",
                &[],
                "127.0.0.1:5000 HTTP default",
            ),
            (
                "from flask import Flask\napp = Flask(__name__)\napp.run(host='0.0.0.0', port=4100, debug=True)",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                "from flask import Flask\nfrom shop import create_app\napp = create_app()\napp.run('0.0.0.0', 4100)",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            ("import uvicorn\nuvicorn.run(app, port=4100)", &[], "127.0.0.1:4100 HTTP \"4100\""),
            ("import uvicorn\nuvicorn.run('main:app')", &[], "127.0.0.1:8000 HTTP default"),
            (
                "import uvicorn\nuvicorn.run('main:app', host='0.0.0.0', uds='/run/a.sock')",
                &[],
                "/run/a.sock HTTP \"/run/a.sock\"",
            ),
            (
                "import uvicorn\nuvicorn.run(app, **options)",
                &[],
                "open: the port of `uvicorn.run` in main.py is not plain",
            ),
            (
                "import uvicorn\nuvicorn.run(app, host='0.0.0.0', ssl_keyfile='k', ssl_certfile='c')",
                &[],
                "any:8000 HTTPS default",
            ),
            (
                "from http.server import HTTPServer, SimpleHTTPRequestHandler\nHTTPServer(('', 4100), SimpleHTTPRequestHandler).serve_forever()",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                "import http.server\nserver_address = ('127.0.0.1', 4100)\nhttpd = http.server.ThreadingHTTPServer(server_address, H)",
                &[],
                "127.0.0.1:4100 HTTP \"4100\"",
            ),
            (
                "import socketserver\nwith socketserver.TCPServer(('0.0.0.0', 4100), H) as s:\n    s.serve_forever()",
                &[],
                "any:4100 ? \"4100\"",
            ),
            ("from aiohttp import web\nweb.run_app(app)", &[], "any:8080 HTTP default"),
            (
                "from aiohttp import web\nweb.run_app(app, host='localhost', port=4100)",
                &[],
                "localhost:4100 HTTP \"4100\"",
            ),
            ("import tornado.web\ntornado.web.Application([('/', H)]).listen(4100)", &[], "any:4100 HTTP \"4100\""),
            (
                "import tornado.httpserver\ns = tornado.httpserver.HTTPServer(app)\ns.listen(4100, address='127.0.0.1')",
                &[],
                "127.0.0.1:4100 HTTP \"4100\"",
            ),
            (
                "from gevent.pywsgi import WSGIServer\nWSGIServer(('0.0.0.0', 4100), app).serve_forever()",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                "from waitress import serve\nserve(app, host='127.0.0.1', port=4100)",
                &[],
                "127.0.0.1:4100 HTTP \"4100\"",
            ),
            ("from waitress import serve\nserve(app, listen='*:4100')", &[], "any:4100 HTTP \"4100\""),
            ("from bottle import run\nrun(host='0.0.0.0', port=4100)", &[], "any:4100 HTTP \"4100\""),
            ("from sanic import Sanic\napp = Sanic('x')\napp.run()", &[], "127.0.0.1:8000 HTTP default"),
            ("import dash\napp = dash.Dash()\napp.run_server(debug=True)", &[], "127.0.0.1:8050 HTTP default"),
            (
                "from flask_socketio import SocketIO\nfrom flask import Flask\nsocketio = SocketIO(Flask('x'))\nsocketio.run(app, host='0.0.0.0')",
                &[],
                "any:5000 HTTP default",
            ),
            ("import gradio as gr\ndemo.launch(server_name='0.0.0.0')", &[], "any:7860 HTTP default"),
            (
                "from werkzeug.serving import run_simple\nrun_simple('localhost', 4100, app)",
                &[],
                "localhost:4100 HTTP \"4100\"",
            ),
            (
                "import grpc\nserver = grpc.server(pool)\nserver.add_insecure_port('[::]:4100')",
                &[],
                "any:4100 HTTP/2 \"4100\"",
            ),
            ("import asyncio\nasyncio.run(main())", &[], "open: no listen call found in main.py"),
            ("import subprocess\nsubprocess.run(['x'], port=1)", &[], "open: no listen call found in main.py"),
            ("app.run()", &[], "open: the framework of `app.run` in main.py is not plain"),
        ],
    );
}

#[test]
fn values() {
    let flask = |rest: &str| format!("import os\nfrom flask import Flask\napp = Flask(__name__)\n{rest}\n");
    check(
        "main.py",
        &[
            (&flask("app.run(port=int(os.environ.get('PORT', 4100)))"), &[], "127.0.0.1:4100 HTTP \"4100\""),
            (
                &flask("app.run(port=int(os.environ.get('PORT', 4100)))"),
                &[("PORT", "9100")],
                "127.0.0.1:9100 HTTP \"9100\"",
            ),
            (
                &flask("app.run(port=os.getenv('PORT', '4100'))"),
                &[("PORT", "?")],
                "open: the port of `app.run` in main.py is not plain",
            ),
            (&flask("app.run(port=int(os.environ['PORT']))"), &[("PORT", "9100")], "127.0.0.1:9100 HTTP \"9100\""),
            (
                &flask("port = int(os.getenv('PORT') or 4100)\napp.run(host=os.getenv('HOST', '0.0.0.0'), port=port)"),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                &flask(
                    "DEBUG = os.getenv('DEBUG') == '1'\napp.run(host='127.0.0.1' if DEBUG else '0.0.0.0', port=4100)",
                ),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                &flask("if 'x' in os.environ:\n    port = 1\nelse:\n    port = 2\napp.run(port=port)"),
                &[],
                "open: the port of `app.run` in main.py is not plain",
            ),
            (
                &flask(
                    "try:\n    port = int(os.environ['PORT'])\nexcept KeyError:\n    port = 4100\napp.run(port=port)",
                ),
                &[],
                "open: the port of `app.run` in main.py is not plain",
            ),
            (
                &flask("def main():\n    port = 4100\n    app.run(port=port)\n\nport = 1\nmain()"),
                &[],
                "127.0.0.1:4100 HTTP \"4100\"",
            ),
            (
                &flask("# app.run(port=1)\n'''app.run(port=2)'''\napp.run(port=4100)"),
                &[],
                "127.0.0.1:4100 HTTP \"4100\"",
            ),
            (
                &flask("if os.getenv('MODE') == 'dev':\n    app.run(port=1)\nelse:\n    app.run(port=2)"),
                &[],
                "127.0.0.1:2 HTTP \"2\"",
            ),
        ],
    );
}

#[test]
fn flags_and_modules() {
    let files = [
        (
            "/app/main.py",
            "import argparse, uvicorn\np = argparse.ArgumentParser()\np.add_argument('-p', '--port', type=int, default=4100)\nargs = p.parse_args()\nuvicorn.run(app, host='0.0.0.0', port=args.port)",
        ),
        ("/app/run.py", "from settings import PORT\nfrom flask import Flask\nFlask('x').run(port=PORT)"),
        ("/app/settings.py", "import os\nPORT = int(os.environ.get('PORT', '4200'))"),
        ("/app/start.py", "from web import serve_it\nserve_it()"),
        ("/app/web.py", "from waitress import serve\ndef serve_it():\n    serve(app, port=4300)"),
    ];
    let more = [
        ("/shop/run.py", "from shop import create_app\napp = create_app()\napp.run(host='0.0.0.0')"),
        ("/shop/shop.py", "from flask import Flask\ndef create_app():\n    return Flask('shop')"),
        ("/main/app.py", "import web\nfrom waitress import serve\nserve(x, port=4400)"),
        ("/main/web.py", "from flask import Flask\nif __name__ == '__main__':\n    Flask('x').run()"),
    ];
    let machine = Machine::new(&more, &[]);
    assert_eq!(machine.listening(&machine.entry("/shop/run.py", &[]).listening), "any:5000 HTTP default");
    assert_eq!(machine.listening(&machine.entry("/main/app.py", &[]).listening), "any:4400 HTTP \"4400\"");
    let machine = Machine::new(&files, &[]);
    let heard = |path: &str, words: &[&str]| machine.listening(&machine.entry(path, words).listening);
    assert_eq!(heard("/app/main.py", &[]), "any:4100 HTTP \"4100\"");
    assert!(heard("/app/main.py", &["--port", "9100"]).starts_with("any:9100 HTTP"));
    assert!(heard("/app/main.py", &["--port=9100"]).starts_with("any:9100 HTTP"));
    assert_eq!(heard("/app/run.py", &[]), "127.0.0.1:4200 HTTP \"4200\"");
    assert_eq!(heard("/app/start.py", &[]), "any:4300 HTTP \"4300\"");
}
