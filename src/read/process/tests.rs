//! Start commands and where they listen, told in small machines.

mod web_servers;

use std::collections::BTreeMap;

use crate::read::catalogue::program::{Amount, Program};
use crate::read::catalogue::tree::Tree;
use crate::read::catalogue::{image, package, tree};
use crate::read::process::judged::{Judged, Set};
use crate::read::process::listening::listening_of_all;
use crate::read::process::{Start, container_start, start};
use crate::read::surroundings::{Found, Listing, Surroundings};
use crate::site::listener::{Bind, Endpoint, Evidence, Listener, Listening};
use crate::source::{Lookup, Sources, Text};

/// A machine of a test: variables, files, the working directory /app.
#[derive(Default)]
struct Machine {
    sources: Sources,
    variables: BTreeMap<String, Option<Text>>,
    files: BTreeMap<String, Option<Text>>,
}

impl Machine {
    fn text(&mut self, name: &str, text: &str) -> Text {
        let file = self.sources.add(name, text);
        self.sources.text(file)
    }

    fn variable(mut self, name: &str, value: &str) -> Machine {
        let text = self.text(&format!("env/{name}"), value);
        self.variables.insert(name.to_owned(), Some(text));
        self
    }

    fn hidden_variable(mut self, name: &str) -> Machine {
        self.variables.insert(name.to_owned(), None);
        self
    }

    fn file(mut self, path: &str, text: &str) -> Machine {
        let content = self.text(&path[1..], text);
        self.files.insert(path.to_owned(), Some(content));
        self
    }

    /// The files of a tree of the catalogue.
    fn tree(mut self, tree: &Tree) -> Machine {
        for (path, text) in &tree.files {
            self = self.file(path, text.as_deref().unwrap_or(""));
        }
        self
    }

    fn hidden_file(mut self, path: &str) -> Machine {
        self.files.insert(path.to_owned(), None);
        self
    }

    fn listening(&self, command: &Start) -> Listening {
        self.within(|surroundings| listening_of_all(&start(command, surroundings), surroundings, &|_| None).0)
    }

    /// Asks the first process of a line.
    fn judged<T>(mut self, line: &str, ask: impl Fn(&Judged, &Program) -> T) -> T {
        let command = Start::Shell(self.text("command", line));
        self.within(|surroundings| {
            let started = start(&command, surroundings);
            let program = started.processes[0].program.unwrap();
            ask(&Judged::new(&started.processes[0], program, surroundings), program)
        })
    }

    /// What a line first keeps itself busy with.
    fn slow(mut self, line: &str) -> Option<String> {
        let command = Start::Shell(self.text("command", line));
        self.within(|surroundings| start(&command, surroundings).slow.map(|slow| slow.value))
    }

    fn within<T>(&self, act: impl Fn(&Surroundings) -> T) -> T {
        let variable = |name: &str| match self.variables.get(name) {
            Some(Some(text)) => Lookup::Value(text.clone()),
            Some(None) => Lookup::Unknown,
            None => Lookup::Unset,
        };
        let file = |path: &str| match self.files.get(path) {
            Some(Some(text)) => Found::File(text.clone()),
            Some(None) => Found::Unknown,
            None => Found::Absent,
        };
        let list = |folder: &str| {
            let prefix = format!("{folder}/");
            let below = self.files.keys().filter_map(|path| path.strip_prefix(&prefix));
            let names = below.filter(|name| !name.contains('/')).map(str::to_owned).collect();
            Listing { names, complete: true }
        };
        act(&Surroundings {
            directory: "/app",
            variable: &variable,
            file: &file,
            list: &list,
            has_texts: true,
            partial: false,
        })
    }

    /// What a line listens on, in short words, `?` behind an open list.
    fn run(mut self, line: &str) -> String {
        let text = self.text("command", line);
        told(&self.listening(&Start::Shell(text)))
    }

    /// The same for an image without a command of its own, or with these words.
    fn container(mut self, reference: &str, command: &[&str]) -> String {
        let place = self.text("image", reference).whole();
        let facts = image(reference);
        let words: Vec<Text> = command.iter().map(|word| Text::fixed(word, place)).collect();
        let command = (!words.is_empty()).then_some(Start::Exec(words));
        match container_start(facts.as_deref(), place, None, command.as_ref()) {
            Some(command) => told(&self.listening(&command)),
            None => "?".to_owned(),
        }
    }
}

fn told(listening: &Listening) -> String {
    let mut words: Vec<String> = listening.listeners.iter().map(short).collect();
    if listening.open.is_some() {
        words.push("?".to_owned());
    }
    words.join(" ")
}

fn short(listener: &Listener) -> String {
    let protocol = listener.protocol.map_or("unknown".to_owned(), |protocol| protocol.to_string().to_lowercase());
    match &listener.endpoint {
        Endpoint::Tcp { bind, port } => {
            let bind = match bind {
                Bind::Any | Bind::AnyIpv4 => "*".to_owned(),
                Bind::Only(address) => address.to_string(),
                Bind::Localhost => "localhost".to_owned(),
                Bind::Loopbacks => "both".to_owned(),
                Bind::OwnName => "hostname".to_owned(),
                Bind::Unknown => "somewhere".to_owned(),
            };
            format!("{protocol}:{bind}:{port}")
        }
        Endpoint::Unix { path } => format!("{protocol}:{path}"),
    }
}

fn run(line: &str) -> String {
    Machine::default().run(line)
}

#[test]
fn gunicorn_flags_in_all_forms() {
    assert_eq!(run("gunicorn site:app"), "http:127.0.0.1:8000");
    assert_eq!(run("gunicorn -b :9000 site:app"), "http:*:9000");
    assert_eq!(run("gunicorn -b0.0.0.0:9000 site:app"), "http:*:9000");
    assert_eq!(run("/srv/venv/bin/gunicorn --bind=unix:/var/run/a.sock site"), "http:/run/a.sock");
    assert_eq!(run("gunicorn -b :1 --bind :2 site"), "http:*:1 http:*:2");
    assert_eq!(run("python3 -m gunicorn --bind 127.0.0.1:7 site"), "http:127.0.0.1:7");
    assert_eq!(run("gunicorn -b :443 --certfile c.pem --keyfile k.pem site"), "https:*:443");
}

#[test]
fn a_stronger_mover_wins() {
    let with_port = || Machine::default().variable("PORT", "5050");
    assert_eq!(with_port().run("gunicorn site"), "http:*:5050");
    assert_eq!(with_port().run("gunicorn -b 127.0.0.1:1 site"), "http:127.0.0.1:1");
    let arguments = || Machine::default().variable("GUNICORN_CMD_ARGS", "--bind=0.0.0.0:81 --timeout 5");
    assert_eq!(arguments().run("gunicorn site"), "http:*:81");
    assert_eq!(arguments().run("gunicorn -b :82 site"), "http:*:82");
    let uvicorn = || Machine::default().variable("UVICORN_PORT", "81").variable("UVICORN_HOST", "0.0.0.0");
    assert_eq!(uvicorn().run("uvicorn main:app"), "http:*:81");
    assert_eq!(uvicorn().run("uvicorn main:app --port 82"), "http:*:82");
    assert_eq!(uvicorn().run("uvicorn main:app --uds /run/u.sock"), "http:/run/u.sock");
}

#[test]
fn what_cannot_be_followed_leaves_the_list_open() {
    let hidden = || Machine::default().hidden_variable("PORT");
    assert_eq!(hidden().run("gunicorn site"), "?");
    assert_eq!(hidden().run("gunicorn -b 0.0.0.0:$PORT site"), "?");
    assert_eq!(hidden().run("uvicorn a:b --port $PORT"), "?");
    assert_eq!(hidden().run("uvicorn a:b --port=${PORT:-80}"), "?");
    assert_eq!(hidden().run("gunicorn -b :80 site"), "http:*:80");
    assert_eq!(Machine::default().hidden_variable("HOST").run("uvicorn a:b --host $HOST"), "http:somewhere:8000");
    assert_eq!(Machine::default().hidden_variable("ARGS").run("uvicorn a:b $ARGS"), "?");
    assert_eq!(Machine::default().hidden_variable("ARGS").run("uvicorn a:b --port 81 $ARGS"), "unknown:somewhere:81 ?");
    assert_eq!(run("uvicorn a:b $ARGS"), "http:127.0.0.1:8000");
    assert_eq!(Machine::default().hidden_file("/app/gunicorn.conf.py").run("gunicorn site"), "?");
    assert_eq!(run("mystery --with sugar"), "?");
    assert_eq!(run("$SERVER --port 80"), "?");
}

#[test]
fn variables_are_put_in() {
    assert_eq!(run("PORT=81 gunicorn site"), "http:*:81");
    assert_eq!(run("export PORT=82; exec gunicorn site"), "http:*:82");
    assert_eq!(run("PORT=${PORT:-83}; gunicorn -b 0.0.0.0:$PORT site"), "http:*:83");
    assert_eq!(run(": ${PORT:=84} && gunicorn -b :$PORT site"), "http:*:84");
    assert_eq!(run("env PORT=85 gunicorn site"), "http:*:85");
    assert_eq!(Machine::default().variable("OPTS", "--port 86 --host ::").run("uvicorn a:b $OPTS"), "http:*:86");
}

#[test]
fn wrappers_are_skipped() {
    assert_eq!(run("dumb-init -- gosu www:www gunicorn -b :1 a"), "http:*:1");
    assert_eq!(run("tini -g -- sh -c 'exec gunicorn -b :2 a'"), "http:*:2");
    assert_eq!(run("./wait-for-it.sh db:5432 -t 30 -- poetry run gunicorn -b :3 a"), "http:*:3");
    assert_eq!(run("timeout -k 5 30 nice -n 5 gunicorn -b :4 a"), "http:*:4");
    assert_eq!(run("bash -lc \"cd /srv && gunicorn -b :5 a\""), "http:*:5");
}

#[test]
fn scripts_of_the_machine_are_read() {
    let machine = || {
        Machine::default().file(
            "/app/start.sh",
            "#!/bin/sh\nset -e\npython manage.py migrate\nexec gunicorn -b :${WEB_PORT:-8001} \"$@\"\n",
        )
    };
    assert_eq!(machine().run("./start.sh site"), "http:*:8001");
    assert_eq!(machine().run("sh start.sh --bind :9"), "http:*:8001 http:*:9");
    assert_eq!(machine().variable("WEB_PORT", "7").run("bash /app/start.sh"), "http:*:7");
    assert_eq!(run("./other.sh"), "?");
    let both = Machine::default().file("/e", "gunicorn -b :1 a &\nuvicorn b --port 2 &\nwait -n\n");
    assert_eq!(both.run("/e"), "http:*:1 http:127.0.0.1:2");
    let later = Machine::default().file("/app/gate", "#!/bin/sh\n# built elsewhere\n");
    assert_eq!(later.run("/app/gate --listen 0.0.0.0:81"), "unknown:*:81");
    let circle = Machine::default().file("/a", "exec /b").file("/b", "exec /a");
    assert_eq!(circle.run("/a"), "?");
    let choice = "if [ \"$DEBUG\" ]; then\n exec uvicorn a\nelse\n exec gunicorn -b :3 a\nfi\n";
    assert_eq!(Machine::default().file("/e", choice).run("/e"), "unknown:somewhere:8000 unknown:*:3 ?");
}

#[test]
fn package_scripts_are_followed() {
    let machine = || {
        let json = r#"{"scripts": {"start": "npm run serve:prod", "serve:prod": "uvicorn x --port 81"}}"#;
        Machine::default().file("/app/package.json", json)
    };
    assert_eq!(machine().run("npm start"), "http:127.0.0.1:81");
    assert_eq!(machine().run("yarn serve:prod"), "http:127.0.0.1:81");
    assert_eq!(machine().run("npm run serve:prod -- --host 0.0.0.0"), "http:*:81");
    assert_eq!(machine().run("npm run nothing"), "?");
    assert_eq!(run("npm start"), "?");
}

#[test]
fn pm2_starts_again_what_it_noted() {
    let dump = r#"[
  {"name": "api", "pm_exec_path": "/srv/api/server.js", "pm_cwd": "/srv/api", "exec_interpreter": "node", "status": "online",
   "PORT": "4100", "env": {"PORT": "4100", "NODE_ENV": "production"}},
  {"name": "old", "pm_exec_path": "/srv/old/server.js", "pm_cwd": "/srv/old", "status": "stopped", "env": {"PORT": "4200"}},
  {"name": "py", "pm_exec_path": "/srv/py/bin/gunicorn", "pm_cwd": "/srv/py", "exec_interpreter": "none",
   "args": ["-b", "127.0.0.1:4300", "py:app"], "env": {}}
]"#;
    let machine = |text: &str| {
        let listens = "require('http').createServer().listen(process.env.PORT || 3000)\n";
        Machine::default()
            .variable("PM2_HOME", "/home/kim/.pm2")
            .file("/home/kim/.pm2/dump.pm2", text)
            .file("/srv/api/server.js", listens)
            .file("/srv/old/server.js", listens)
    };
    assert_eq!(machine(dump).run("/usr/lib/node_modules/pm2/bin/pm2 resurrect"), "http:*:4100 http:127.0.0.1:4300");
    assert_eq!(machine("[]").run("pm2 resurrect"), "?");
    assert_eq!(Machine::default().variable("PM2_HOME", "/none").run("pm2 resurrect"), "?");
    assert_eq!(Machine::default().run("pm2 resurrect"), "?");
}

#[test]
fn uwsgi_in_every_notation() {
    let told = |name: &str, text: &str| {
        let path = format!("/srv/app/{name}");
        Machine::default().file(&path, text).run(&format!("uwsgi {path}"))
    };
    assert_eq!(told("a.ini", "[uwsgi]\nhttp-socket = :9090\n"), "http:*:9090");
    assert_eq!(
        told("a.yaml", "uwsgi:\n  socket: /run/%n.sock\n  master: true\n  http_socket: 127.0.0.1:9090\n"),
        "uwsgi:/run/a.sock http:127.0.0.1:9090"
    );
    assert_eq!(
        told("a.json", "{\"uwsgi\": {\"socket\": [\"127.0.0.1:3031\", \"127.0.0.1:3032\"]}}"),
        "uwsgi:127.0.0.1:3031 uwsgi:127.0.0.1:3032"
    );
    assert_eq!(
        told("a.xml", "<uwsgi>\n  <socket>127.0.0.1:3031</socket>\n  <master/>\n</uwsgi>\n"),
        "uwsgi:127.0.0.1:3031"
    );
    assert_eq!(told("a.xml", "<uwsgi><socket>127"), "?");
    assert_eq!(told("a.yaml", "uwsgi:\n  socket: {a: b}\n"), "?");
    assert_eq!(Machine::default().run("uwsgi --master --emperor /etc/uwsgi/vassals"), "?");
}

#[test]
fn supervisor_and_procfiles_list_processes() {
    let machine = Machine::default()
        .file("/etc/supervisord.conf", "[include]\nfiles = /etc/s/*.ini\n[program:a]\ncommand=gunicorn -b :1 a\n")
        .file("/etc/s/b.ini", "[program:b]\ncommand=uvicorn b:b\nenvironment=UVICORN_PORT=\"2\",X=y\n")
        .file("/etc/s/c.ini", "[program:c]\ncommand=gunicorn -b :3\nautostart=false\n");
    assert_eq!(machine.run("/usr/bin/supervisord -n"), "http:*:1 http:127.0.0.1:2");
    let machine = Machine::default().file("/app/Procfile", "web: gunicorn a\nother: gunicorn b\n");
    assert_eq!(machine.run("honcho start"), "http:*:5000 http:*:5100");
    let machine = || Machine::default().file("/app/two/Procfile", "web: gunicorn a\n# c: d\nother: gunicorn b\n");
    assert_eq!(machine().run("/app/venv/bin/honcho start -f two/Procfile"), "http:*:5000 http:*:5100");
    assert_eq!(machine().run("foreman start -f two/Procfile -p 3000 other"), "http:*:3100");
    assert_eq!(machine().variable("PORT", "7000").run("foreman start -f two/Procfile"), "http:*:7000 http:*:7100");
    let settings = machine().file("/app/.env", "PORT=8000\n");
    assert_eq!(settings.run("foreman start -f two/Procfile"), "http:*:8000 http:*:8100");
    assert!(machine().hidden_variable("PORT").run("foreman start -f two/Procfile").ends_with('?'));
}

#[test]
fn an_unknown_program_says_it_with_a_flag() {
    assert_eq!(run("/srv/gate --listen 0.0.0.0:40114"), "unknown:*:40114");
    assert_eq!(run("/srv/gate -addr :81"), "unknown:*:81");
    assert_eq!(run("/srv/gate --port 4200"), "unknown:*:4200 ?");
    assert_eq!(run("/srv/gate -p secret"), "?");
}

#[test]
fn images_start_what_they_are_known_to_start() {
    assert_eq!(Machine::default().container("ghcr.io/nobody/nothing:1", &[]), "?");
    assert_eq!(Machine::default().container("ghcr.io/nobody/nothing:1", &["gunicorn", "-b", ":1"]), "http:*:1");
    let image = |reference: &str| Machine::default().container(reference, &[]);
    assert_eq!(image("grafana/grafana:11"), "http:*:3000");
    assert_eq!(image("traefik/whoami"), "http:*:80");
    assert_eq!(image("node:20-alpine"), "");
    assert_eq!(image("rabbitmq:3"), "tcp:*:5672 tcp:*:25672");
    assert_eq!(image("rabbitmq:3-management").split(' ').next(), Some("http:*:15672"));
    assert_eq!(image("mysql:8"), "tcp:*:3306");
    assert_eq!(image("quay.io/keycloak/keycloak:25.0"), "");
    let mysql = Machine::default().container("mysql:8", &["--port=3307"]);
    assert_eq!(mysql, "tcp:*:3307");
    let keycloak = |command: &[&str]| Machine::default().container("quay.io/keycloak/keycloak:25.0", command);
    assert_eq!(keycloak(&["start-dev", "--http-port", "81"]), "http:*:81");
    assert_eq!(keycloak(&["start", "--http-enabled=true"]), "http:*:8080");
    assert_eq!(keycloak(&["start", "--optimized"]), "");
    let grafana = Machine::default().variable("GF_SERVER_HTTP_PORT", "81");
    assert_eq!(grafana.container("grafana/grafana", &[]), "http:*:81");
    let kestrel = Machine::default().hidden_file("/app/appsettings.json").variable("ASPNETCORE_HTTP_PORTS", "8080");
    assert_eq!(kestrel.run("dotnet Api.dll"), "http:*:8080");
    let kestrel = Machine::default()
        .variable("ASPNETCORE_HTTP_PORTS", "8080")
        .variable("ASPNETCORE_URLS", "http://+:5000;https://+:5001");
    assert_eq!(kestrel.run("dotnet Api.dll"), "http:*:5000 https:*:5001");
}

#[test]
fn development_servers_bind_loopback() {
    assert_eq!(run("npx vite"), "http:localhost:5173");
    assert_eq!(run("vite --host --port 81"), "http:*:81");
    assert_eq!(run("vite preview --host 0.0.0.0"), "http:*:4173");
    assert_eq!(run("flask --app shop run"), "http:127.0.0.1:5000");
    assert_eq!(run("flask run -h 0.0.0.0 -p 81"), "http:*:81");
    assert_eq!(run("python manage.py runserver"), "http:127.0.0.1:8000");
    assert_eq!(run("python -u manage.py runserver 0.0.0.0:81"), "http:*:81");
    assert_eq!(run("python3 -m http.server 9090 --bind 127.0.0.1"), "http:127.0.0.1:9090");
    assert_eq!(run("php -S 0.0.0.0:81 -t public"), "http:*:81");
    assert_eq!(run("php artisan serve --host=0.0.0.0"), "http:*:8000");
    assert_eq!(run("bundle exec rails s"), "http:both:3000");
    assert_eq!(run("RAILS_ENV=production bin/rails server"), "http:*:3000");
    assert_eq!(run("bundle exec rails s -b 0.0.0.0 -p 81"), "http:*:81");
    assert_eq!(run("node_modules/.bin/next start -p 81"), "http:*:81");
    assert_eq!(Machine::default().variable("PORT", "82").run("next start"), "http:*:82");
    assert_eq!(run("ng serve --host 0.0.0.0"), "http:*:4200");
}

#[test]
fn other_servers() {
    assert_eq!(run("uwsgi --http :81 --socket 127.0.0.1:82"), "uwsgi:127.0.0.1:82 http:*:81");
    assert_eq!(run("uwsgi -s /run/u.sock"), "uwsgi:/run/u.sock");
    assert_eq!(run("varnishd -F -a http=:81,HTTP -f /etc/v.vcl"), "http:*:81");
    assert_eq!(run("serve -s build"), "http:*:3000");
    assert_eq!(run("serve -s build -l tcp://0.0.0.0:81"), "http:*:81");
    assert_eq!(run("minio server /data --console-address :9001"), "http:*:9000 http:*:9001");
    assert_eq!(run("celery -A shop worker"), "");
    assert_eq!(run("java -jar app.jar"), "?");
    assert_eq!(run("java -Xmx1g -jar app.jar --server.port=81"), "http:*:81");
    assert_eq!(run("standalone.sh -b 0.0.0.0 -Djboss.socket.binding.port-offset=100"), "http:*:8180");
    assert_eq!(run("./serve --port 81"), "unknown:*:81 ?");
    assert_eq!(run("node server.js"), "?");
    assert_eq!(run("/test"), "?");
    assert_eq!(run("/app/serve -l 81"), "?");
    assert_eq!(run("/usr/local/bin/serve -l 81"), "http:*:81");
    assert_eq!(run("alembic upgrade head && uvicorn a:b --host 0.0.0.0"), "http:*:8000");
    assert_eq!(run("node seed.js && uvicorn a:b"), "http:127.0.0.1:8000");
}

#[test]
fn a_configuration_that_does_not_mention_the_key_moves_nothing() {
    let with = |text: &str| Machine::default().file("/app/vite.config.ts", text);
    assert_eq!(with("export default { plugins: [] }").run("vite"), "http:localhost:5173");
    assert_eq!(with("export default { server: { port: 81 } }").run("vite"), "http:localhost:81");
    assert_eq!(with("export default { server: { port: choose() } }").run("vite"), "?");
    assert_eq!(with("export default { server: { port: 81 } }").run("vite --port 82"), "http:localhost:82");
    assert_eq!(with("export default { server: { host: true } }").run("vite"), "http:*:5173");
}

#[test]
fn configuration_files_are_read() {
    let gunicorn = |text: &str| Machine::default().file("/app/gunicorn.conf.py", text);
    assert_eq!(gunicorn("bind = '0.0.0.0:81'\n").run("gunicorn a"), "http:*:81");
    assert_eq!(gunicorn("bind = ['0.0.0.0:81', 'unix:/run/a.sock']\n").run("gunicorn a"), "http:*:81 http:/run/a.sock");
    assert_eq!(gunicorn("workers = 3\n").run("gunicorn a"), "http:127.0.0.1:8000");
    assert_eq!(gunicorn("bind = choose()\n").run("gunicorn a"), "?");
    assert_eq!(gunicorn("bind = '0.0.0.0:81'\n").run("gunicorn -b :82 a"), "http:*:82");
    assert_eq!(run("gunicorn -c missing.py a"), "?");
    let uwsgi = |text: &str| Machine::default().file("/app/uwsgi.ini", text);
    assert_eq!(
        uwsgi("[uwsgi]\nhttp = :81\nsocket = /run/u.sock\n").run("uwsgi uwsgi.ini"),
        "uwsgi:/run/u.sock http:*:81"
    );
    assert_eq!(uwsgi("[uwsgi]\nsocket = :81\nprotocol = http\n").run("uwsgi --ini uwsgi.ini"), "http:*:81");
    let puma = Machine::default().file("/app/config/puma.rb", "port ENV.fetch('PORT') { 3000 }\n");
    assert_eq!(puma.run("bundle exec puma -C config/puma.rb"), "http:*:3000");
    let spring = Machine::default().file("/app/config/application.properties", "server.port=8084\n");
    assert_eq!(spring.run("java -jar app.jar"), "http:*:8084");
}

#[test]
fn sockets_are_relative_to_the_working_directory_and_have_a_mode() {
    assert_eq!(run("gunicorn --bind unix:shop.sock shop.wsgi"), "http:/app/shop.sock");
    let mut machine = Machine::default();
    let line = machine.text("line", "gunicorn -m 007 --bind unix:/run/shop.sock shop.wsgi");
    let listening = machine.listening(&Start::Shell(line));
    let access = listening.listeners[0].access.clone().unwrap();
    assert_eq!(access.mode, Some(0o770));
    assert_eq!(machine.sources.quote(access.place.unwrap()), "007");
}

#[test]
fn entry_files_are_read() {
    let node = |text: &str| Machine::default().file("/app/server.js", text);
    let server = "const http = require('http');\nhttp.createServer().listen(process.env.PORT || 8081);\n";
    assert_eq!(node(server).run("node --enable-source-maps server.js"), "http:*:8081");
    assert_eq!(node(server).variable("PORT", "82").run("npx nodemon server.js"), "http:*:82");
}

#[test]
fn pools_come_from_the_trees_of_images_and_packages() {
    let official = || Machine::default().tree(tree("php-fpm-official").unwrap());
    assert_eq!(official().container("php:8.3-fpm", &[]), "fastcgi:*:9000");
    assert_eq!(official().run("docker-php-entrypoint php-fpm -F"), "fastcgi:*:9000");
    let dashboards = Machine::default().tree(tree("opensearch-dashboards-official").unwrap());
    assert_eq!(dashboards.container("opensearchproject/opensearch-dashboards:2", &[]), "http:*:5601");
    let kibana = Machine::default().tree(tree("kibana-official").unwrap()).variable("SERVER_PORT", "81");
    assert_eq!(kibana.container("kibana:8.1.0", &[]), "http:*:81");
    let debian = Machine::default().tree(&package("apt", "php8.2-fpm").trees[0]);
    assert_eq!(debian.run("php-fpm8.2 --nodaemonize"), "fastcgi:/run/php/php8.2-fpm.sock");
    let alpine = Machine::default().tree(&package("apk", "php83-fpm").trees[0]);
    assert_eq!(alpine.run("php-fpm83 -F"), "fastcgi:127.0.0.1:9000");
    assert_eq!(run("php-fpm"), "?");
}

#[test]
fn places_are_what_decided() {
    let mut machine = Machine::default();
    let line = machine.text("line", "uvicorn a:b --port 81 --host 0.0.0.0");
    let listening = machine.listening(&Start::Shell(line));
    let listener = &listening.listeners[0];
    assert_eq!(machine.sources.quote(listener.place), "81");
    assert_eq!(machine.sources.quote(listener.bind_place), "0.0.0.0");
    assert_eq!(listener.why, "`uvicorn` is told to");
    let line = machine.text("other", "exec uvicorn a:b");
    let listening = machine.listening(&Start::Shell(line));
    assert_eq!(machine.sources.quote(listening.listeners[0].place), "uvicorn");
    assert_eq!(listening.listeners[0].evidence, Evidence::Default);
}

#[test]
fn some_commands_keep_those_behind_them_waiting() {
    let machine = Machine::default;
    let slow = |line: &str| machine().slow(line).unwrap_or_default();
    assert_eq!(slow("python manage.py migrate --noinput && gunicorn app"), "python manage.py migrate --noinput");
    assert_eq!(slow("sh -c 'bundle exec rake db:migrate; exec puma'"), "bundle exec rake db:migrate");
    let script = "#!/bin/sh\nbin/console doctrine:migrations:migrate -n\nexec docker-php-entrypoint \"$@\"\n";
    let php = machine().file("/usr/local/bin/start", script).slow("start php-fpm");
    assert_eq!(php.as_deref(), Some("bin/console doctrine:migrations:migrate -n"));
    assert_eq!(slow("if [ \"$MIGRATE\" ]; then python manage.py migrate; fi; gunicorn app"), "");
    assert_eq!(slow("npm run build"), "");
    assert_eq!(slow("gunicorn app && python manage.py migrate"), "");
}

#[test]
fn entrypoints_as_people_write_them() {
    let waits = "#!/bin/sh\nset -e\nready() {\npython << END\nimport sys\nEND\n}\nuntil ready; do\n  sleep 1\ndone\n\
        if [ \"$KIND\" = \"postgres\" ]; then\n  while ! nc -z $DB_HOST 5432; do sleep 0.1; done\nfi\n\
        python manage.py migrate --noinput\npython manage.py collectstatic --no-input\nexec \"$@\"\n";
    let machine = || Machine::default().file("/app/entrypoint.sh", waits);
    assert_eq!(machine().run("/app/entrypoint.sh gunicorn -b :81 site"), "http:*:81");
    assert_eq!(machine().run("./entrypoint.sh celery -A site worker"), "");
    let again =
        "#!/bin/bash\nif [ \"$(id -u)\" = 0 ]; then\n  exec gosu app \"$0\" \"$@\"\nfi\nexec uvicorn a:b --port 81\n";
    assert_eq!(Machine::default().file("/run.sh", again).run("/run.sh"), "http:127.0.0.1:81");
    let front = "#!/bin/sh\nset -e\nif [ \"${1#-}\" != \"$1\" ]; then\n  set -- gunicorn \"$@\"\nfi\nexec \"$@\"\n";
    let front = || Machine::default().file("/docker-entrypoint.sh", front);
    assert_eq!(front().run("docker-entrypoint.sh -b :81 site"), "http:*:81");
    assert_eq!(front().run("/docker-entrypoint.sh uvicorn a:b"), "http:127.0.0.1:8000");
    let hidden = Machine::default().hidden_file("/docker-entrypoint.sh");
    assert_eq!(hidden.run("/docker-entrypoint.sh gunicorn a"), "?");
    let waiting = Machine::default().file("/app/wait-for-it.sh", "#!/bin/bash\nexec \"${CLI[@]}\"\n");
    assert_eq!(waiting.run("./wait-for-it.sh db:5432 -- gunicorn -b :81 a"), "http:*:81");
    assert_eq!(run("php-fpm -D && gunicorn -b :81 a"), "http:*:81 ?");
    assert_eq!(run("service cron start && gunicorn -b :81 a"), "http:*:81");
    assert_eq!(run("npm ci && npm run build; gunicorn -b :81 a"), "http:*:81");
    assert_eq!(run("gunicorn -b :81 a || exit 1"), "http:*:81");
    assert_eq!(run("gunicorn -b :81 a 2>&1 | tee log"), "http:*:81");
}

#[test]
fn numbers_are_written_or_the_default() {
    let machine = || Machine::default().file("/app/gunicorn.conf.py", "timeout = 90\n");
    machine().judged("gunicorn --workers=4 site", |judged, gunicorn| {
        let amount = |amount: &Option<Amount>| judged.amount(amount.as_ref().unwrap());
        assert!(matches!(amount(&gunicorn.timeout), Set::Written(timeout) if timeout.value == 90));
        assert_eq!(judged.name_of(gunicorn.timeout.as_ref().unwrap()), "timeout");
        assert!(matches!(amount(&gunicorn.workers), Set::Written(workers) if workers.value == 4));
        assert_eq!(amount(&gunicorn.keepalive), Set::Default(2));
    });
    Machine::default().judged("next start --keepAliveTimeout 70000", |judged, next| {
        let keepalive = judged.amount(next.keepalive.as_ref().unwrap());
        assert!(matches!(keepalive, Set::Written(seconds) if seconds.value == 70));
    });
}

#[test]
fn one_request_at_a_time() {
    let is_single = |line: &str| Machine::default().judged(line, |judged, _| judged.is_single());
    assert_eq!(is_single("gunicorn site"), Some(true));
    assert_eq!(is_single("gunicorn -k sync --threads 1 site"), Some(true));
    assert_eq!(is_single("gunicorn --threads 4 site"), Some(false));
    assert_eq!(is_single("gunicorn --worker-class=uvicorn.workers.UvicornWorker site"), Some(false));
    assert_eq!(is_single("uvicorn site:app"), None);
    let hidden = Machine::default().hidden_variable("GUNICORN_CMD_ARGS");
    assert_eq!(hidden.judged("gunicorn site", |judged, _| judged.is_single()), None);
}

#[test]
fn reasons_for_large_headers() {
    let why =
        |machine: Machine, line: &str| machine.judged(line, |judged, _| judged.large_headers().map(|it| it.value));
    assert_eq!(why(Machine::default(), "php-fpm"), None);
    assert!(
        why(Machine::default().variable("MAGE_MODE", "developer"), "php-fpm").is_some_and(|it| it.contains("Magento"))
    );
    assert!(why(Machine::default(), "kc.sh start").is_some_and(|it| it.contains("Keycloak")));
}
