//! What configuration files say.

use crate::read::app::php_fpm::{self, Pools};
use crate::read::app::settings::{Format, Setting, settings};
use crate::read::app::supervisor::supervised;
use crate::read::app::tests::Machine;

/// `key` of a file in these words; `-` for absent, `?` for unclear, several values with commas.
fn setting(format: Format, text: &str, key: &str, variables: &[(&str, &str)]) -> String {
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        let machine = Machine::new(&[("/app/conf", &text[..end])], variables);
        machine.with(|surroundings| settings(format, "/app/conf", &machine.text("/app/conf"), surroundings).get(key));
    }
    let machine = Machine::new(&[("/app/conf", text)], variables);
    let found =
        machine.with(|surroundings| settings(format, "/app/conf", &machine.text("/app/conf"), surroundings).get(key));
    match found {
        Setting::Value(value) => value.to_string(),
        Setting::Values(values) => values.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        Setting::Absent => "-".to_owned(),
        Setting::Unclear(_) => "?".to_owned(),
    }
}

#[test]
fn gunicorn() {
    let get = |text: &str, key: &str| setting(Format::Python, text, key, &[]);
    assert_eq!(get("bind = \"0.0.0.0:4100\"\nworkers = 3", "bind"), "0.0.0.0:4100");
    assert_eq!(get("bind = \"0.0.0.0:4100\"\nworkers = 3", "workers"), "3");
    assert_eq!(get("bind = ['a:1', 'unix:/run/x.sock']", "bind"), "a:1,unix:/run/x.sock");
    assert_eq!(get("import os\nbind = f\"127.0.0.1:{os.environ.get('PORT', '4100')}\"", "bind"), "127.0.0.1:4100");
    assert_eq!(get("import os\nbind = '0.0.0.0:' + os.getenv('PORT', '4100')", "bind"), "0.0.0.0:4100");
    assert_eq!(get("host = 'a'\nbind = '%s:%d' % (host, 4100)", "bind"), "a:4100");
    assert_eq!(get("bind = '{}:{}'.format('a', 4100)", "bind"), "a:4100");
    assert_eq!(get("import multiprocessing\nworkers = multiprocessing.cpu_count() * 2 + 1", "workers"), "?");
    assert_eq!(get("umask = 0o022", "umask"), "18");
    assert_eq!(get("workers = 2", "timeout"), "-");
    assert_eq!(get("from base import *\nworkers = 2", "timeout"), "?");
    assert_eq!(get("if x:\n    timeout = 2", "timeout"), "?");
    assert_eq!(setting(Format::Python, "import os\nbind = os.environ['BIND']", "bind", &[("BIND", "?")]), "?");
}

#[test]
fn uwsgi() {
    let get = |text: &str, key: &str| setting(Format::Uwsgi, text, key, &[("PORT", "9100")]);
    assert_eq!(get("[uwsgi]\nsocket = 127.0.0.1:4100\nmaster = true", "socket"), "127.0.0.1:4100");
    assert_eq!(get("[uwsgi]\nchmod_socket = 660", "chmod-socket"), "660");
    assert_eq!(get("[uwsgi]\nhttp = :4100\nhttp = :4101", "http"), ":4100,:4101");
    assert_eq!(get("[uwsgi]\nsocket = %d%n.sock", "socket"), "/app/conf.sock");
    assert_eq!(get("[uwsgi]\nhttp = :$(PORT)", "http"), ":9100");
    assert_eq!(get("[uwsgi]\nhttp = :$(OTHER)", "http"), "?");
    assert_eq!(get("[uwsgi]\nbase = /run\nsocket = %(base)/a.sock", "socket"), "/run/a.sock");
    assert_eq!(get("[uwsgi]\ninclude = more.ini", "socket"), "?");
    assert_eq!(get("[uwsgi]\nif-env = X\nsocket = a:1\nendif =", "socket"), "?");
    assert_eq!(get("[other]\nsocket = a:1", "socket"), "-");
}

#[test]
fn spring_and_dotnet() {
    let get =
        |text: &str, key: &str, variables: &[(&str, &str)]| setting(Format::SpringProperties, text, key, variables);
    assert_eq!(get("server.port=${PORT:4100}", "server.port", &[]), "4100");
    assert_eq!(get("server.port=${PORT:4100}", "server.port", &[("PORT", "9100")]), "9100");
    assert_eq!(get("server.port=${PORT:4100}", "server.port", &[("PORT", "?")]), "?");
    assert_eq!(get("base=41\nserver.port=${base}00", "server.port", &[]), "4100");
    assert_eq!(
        get("server.port=1\n#---\nspring.config.activate.on-profile=prod\nserver.port=2", "server.port", &[]),
        "?"
    );
    assert_eq!(
        get(
            "server.port=1\n#---\nspring.config.activate.on-profile=prod\nserver.port=2",
            "server.port",
            &[("SPRING_PROFILES_ACTIVE", "prod")]
        ),
        "2"
    );
    assert_eq!(
        get(
            "server.port=1\n#---\nspring.config.activate.on-profile=prod\nserver.port=2",
            "server.port",
            &[("SPRING_PROFILES_ACTIVE", "dev")]
        ),
        "1"
    );
    let yaml = |text: &str, key: &str| setting(Format::SpringYaml, text, key, &[("SPRING_PROFILES_ACTIVE", "prod")]);
    assert_eq!(yaml("server:\n  port: ${PORT:4100}\n  address: 127.0.0.1", "server.port"), "4100");
    assert_eq!(yaml("server.address: 127.0.0.1", "server.address"), "127.0.0.1");
    assert_eq!(
        yaml(
            "server:\n  port: 1\n---\nspring:\n  config:\n    activate:\n      on-profile: prod\nserver:\n  port: 2",
            "server.port"
        ),
        "2"
    );
    assert_eq!(setting(Format::Yaml, "web:\n  port: 4100\n  hosts: [a, b]", "web.port", &[]), "4100");
    assert_eq!(setting(Format::Yaml, "web:\n  port: 4100\n  hosts: [a, b]", "web.hosts", &[]), "a,b");
    assert_eq!(setting(Format::Yaml, "web: [", "other", &[]), "?");
    let json = "{ \"Urls\": \"http://*:4100\", // where\n \"Kestrel\": { \"Endpoints\": { \"A\": { \"Url\": \"http://a:1\" }, \"B\": { \"Url\": \"http://b:2\" } } } }";
    assert_eq!(setting(Format::AppSettings, json, "urls", &[]), "http://*:4100");
    assert_eq!(setting(Format::AppSettings, json, "Kestrel:Endpoints:*:Url", &[]), "http://a:1,http://b:2");
    assert_eq!(setting(Format::AppSettings, "{ \"Urls\": ", "other", &[]), "?");
}

#[test]
fn ruby_directives() {
    let get = |text: &str, key: &str| setting(Format::Ruby, text, key, &[]);
    assert_eq!(get("port ENV.fetch(\"PORT\") { 4100 }\nthreads 1, 5", "port"), "4100");
    assert_eq!(get("port ENV.fetch('PORT', 4100), '127.0.0.1'", "port.host"), "127.0.0.1");
    assert_eq!(get("port(ENV['PORT'] || 4100)", "port"), "4100");
    assert_eq!(
        get("bind \"unix:///run/a.sock\"\nbind 'tcp://0.0.0.0:4100'", "bind"),
        "unix:///run/a.sock,tcp://0.0.0.0:4100"
    );
    assert_eq!(get("root = '/srv/x'\nbind \"unix://#{root}/a.sock\"", "bind"), "unix:///srv/x/a.sock");
    assert_eq!(get("bind \"unix://#{shared_dir}/a.sock\"", "bind"), "?");
    assert_eq!(get("if ENV['X']\n  bind 'tcp://a:1'\nelse\n  bind 'tcp://b:2'\nend", "bind"), "tcp://b:2");
    assert_eq!(get("bind 'tcp://a:1' if ready", "bind"), "?");
    assert_eq!(
        get("listen '/run/u.sock', backlog: 64\nlisten 4100, :tcp_nopush => true\ntimeout 30", "listen"),
        "/run/u.sock,4100"
    );
    assert_eq!(get("workers 2", "port"), "-");
}

#[test]
fn objects_and_lists() {
    let vite = "import { defineConfig } from 'vite'\nexport default defineConfig(({ mode }) => ({ plugins: [vue()], server: { port: 4100, host: true } }))";
    assert_eq!(setting(Format::JavaScript, vite, "server.port", &[]), "4100");
    assert_eq!(setting(Format::JavaScript, vite, "server.host", &[]), "true");
    assert_eq!(setting(Format::JavaScript, "export default defineConfig(base)", "server.port", &[]), "?");
    let angular = "{\"projects\":{\"shop\":{\"architect\":{\"serve\":{\"options\":{\"port\":4100}}}}}}";
    assert_eq!(setting(Format::Json, angular, "projects.*.architect.serve.options.port", &[]), "4100");
    assert_eq!(
        setting(Format::Json, "{\"scripts\":{\"start\":\"node server.js\"}}", "scripts.start", &[]),
        "node server.js"
    );
    let toml = "port = 1\n[server]\nport = 4100 # here\nhosts = [\"a\", \"b\"]\nname = 'x'";
    assert_eq!(setting(Format::Toml, toml, "server.port", &[]), "4100");
    assert_eq!(setting(Format::Toml, toml, "server.hosts", &[]), "a,b");
    assert_eq!(setting(Format::Env, "A=1\nPORT=4100\nB=${A}", "PORT", &[]), "4100");
    assert_eq!(setting(Format::Env, "A=1\nB=${A}", "B", &[]), "?");
    assert_eq!(setting(Format::Ini, "[web]\nport = 4100", "web.port", &[]), "4100");
}

fn pools(machine: &Machine) -> Pools {
    machine.with(|surroundings| {
        php_fpm::pools(&machine.text("/etc/php-fpm.conf"), "/etc", surroundings.file, surroundings.list)
    })
}

#[test]
fn the_last_pool_file_wins() {
    let machine = Machine::new(
        &[
            ("/etc/php-fpm.conf", "[global]\ninclude=/etc/php-fpm.d/*.conf\n"),
            ("/etc/php-fpm.d/www.conf", "[www]\nuser = web\nlisten = 127.0.0.1:4100\n"),
            ("/etc/php-fpm.d/zz.conf", "[www]\nlisten = 4200\n"),
            ("/etc/php-fpm.d/note.txt", "[no]\nlisten = 1\n"),
        ],
        &[],
    );
    let pools = pools(&machine);
    let listening = php_fpm::listening(&pools);
    assert_eq!(machine.listening(&listening), "any:4200 FastCGI \"4200\"");
    assert_eq!(pools.pools[0].settings["listen"].overruled[0].as_str(), "127.0.0.1:4100");
    assert_eq!(pools.pools[0].get("user").map(ToString::to_string).as_deref(), Some("web"));
}

#[test]
fn forms_of_pools() {
    let read = |text: &str| {
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            pools(&Machine::new(&[("/etc/php-fpm.conf", &text[..end])], &[]));
        }
        let machine = Machine::new(&[("/etc/php-fpm.conf", text), ("/etc/d/hidden.conf", "?")], &[]);
        let pools = pools(&machine);
        (machine.listening(&php_fpm::listening(&pools)), pools)
    };
    assert_eq!(read("[a]\nlisten = [::]:4100").0, "any:4100 FastCGI \"4100\"");
    assert_eq!(read("[a]\nlisten = [::1]:4100").0, "::1:4100 FastCGI \"4100\"");
    let (heard, found) = read("[shop]\nlisten = /var/run/php/$pool.sock\nlisten.owner = web\nlisten.mode = 0666");
    assert_eq!(heard, "/run/php/shop.sock FastCGI \"/var/run/php/$pool.sock\"");
    let access = found.pools[0].access();
    assert_eq!((access.owner.as_deref(), access.mode), (Some("web"), Some(0o666)));
    assert_eq!(
        read("include = d/*.conf\n[a]\nlisten = 4100").0,
        "any:4100 FastCGI \"4100\"\nopen: /etc/d/hidden.conf is not read"
    );
    assert_eq!(read("[a]\nlisten = /run/${NAME}.sock").0, "open: pool `a` has no plain listen");
    let (_, listed) = read("[a]\nlisten = /run/a.sock\nlisten.owner = x\nlisten.acl_users = web");
    assert_eq!((listed.pools[0].access().owner, listed.pools[0].access().mode), (None, None));
    assert_eq!(read("[a]\nuser = x").0, "open: pool `a` has no plain listen");
    assert_eq!(read("[global]\nerror_log = x").0, "open: no pool of php-fpm was found");
}

#[test]
fn programs_under_supervisor() {
    let files = [
        (
            "/etc/supervisord.conf",
            "[supervisord]\nenvironment=ALL='yes'\n[include]\nfiles = conf.d/*.conf\n[program:web]\ncommand=node server.js ; the site\ndirectory=/srv/web\nenvironment=PORT=\"4100\",MODE=live\nautostart=false\n",
        ),
        ("/etc/conf.d/php.conf", "[program:php]\ncommand = php-fpm -F\nuser = www\n"),
    ];
    let machine = Machine::new(&files, &[]);
    let found = machine
        .with(|surroundings| supervised(&machine.text("/etc/supervisord.conf"), "/etc/supervisord.conf", surroundings));
    assert_eq!(found.open, None);
    let [web, php] = found.programs.as_slice() else { panic!("{:?}", found.programs) };
    assert_eq!((web.name.value.as_str(), web.command.as_str(), web.autostart), ("web", "node server.js", false));
    let environment: Vec<(&str, &str)> =
        web.environment.iter().map(|(name, value)| (name.value.as_str(), value.as_str())).collect();
    assert_eq!(environment, [("ALL", "yes"), ("PORT", "4100"), ("MODE", "live")]);
    assert_eq!(
        (php.command.as_str(), php.user.as_ref().map(ToString::to_string).as_deref()),
        ("php-fpm -F", Some("www"))
    );
    let text = files[0].1;
    for end in 0..text.len() {
        let machine = Machine::new(&[("/etc/s.conf", &text[..end])], &[]);
        machine.with(|surroundings| supervised(&machine.text("/etc/s.conf"), "/etc/s.conf", surroundings));
    }
}

#[test]
fn options_of_rackup_stand_in_its_file() {
    let file = "#\\ -w -p 4567 --host 0.0.0.0\nrun App\n";
    assert_eq!(setting(Format::Rackup, file, "port", &[]), "4567");
    assert_eq!(setting(Format::Rackup, file, "host", &[]), "0.0.0.0");
    let further_down = "# frozen_string_literal: true\n\n#\\ -s Thin -p 4568\nrun App\n";
    assert_eq!(setting(Format::Rackup, further_down, "port", &[]), "4568");
    assert_eq!(setting(Format::Rackup, "run App\n", "port", &[]), setting(Format::Toml, "", "port", &[]));
}
