//! Each rule by which files, services and variables come together, on small projects of our own.

use crate::read::compose::model::{CommandForm, HostPath, MountKind, Project, Published, Service};
use crate::read::compose::{project, projects};
use crate::source::{Entry, FileId, FileState, Sources, Text};

fn snapshot(files: &[(&str, &str)]) -> Sources {
    let mut sources = Sources::default();
    for (path, text) in files {
        sources.add(path, *text);
    }
    sources
}

/// The files in their order, as one project.
fn merged(files: &[&str]) -> (Sources, Project) {
    let paths = ["shop/compose.yml", "shop/second.yml", "shop/third.yml"];
    let files: Vec<_> = paths.into_iter().zip(files.iter().copied()).collect();
    let sources = snapshot(&files);
    let numbers: Vec<FileId> = (0..files.len() as u32).map(FileId).collect();
    let project = project(&sources, &numbers);
    (sources, project)
}

fn web(project: &Project) -> &Service {
    project.services.iter().find(|service| service.name.value == "web").expect("a service web")
}

fn problems(project: &Project) -> Vec<&str> {
    project.problems.iter().map(|problem| problem.message.as_str()).collect()
}

fn ports(service: &Service) -> Vec<String> {
    let shown = service.ports.iter().map(|port| {
        let published = match port.published {
            Published::One(port) => port.to_string(),
            other => format!("{other:?}"),
        };
        format!("{published}:{}", port.target.map_or(0, |target| target.value))
    });
    shown.collect()
}

fn texts(texts: &[Text]) -> Vec<&str> {
    texts.iter().map(Text::as_str).collect()
}

fn command(form: &Option<CommandForm>) -> String {
    match form {
        None => "-".to_owned(),
        Some(CommandForm::Shell(text)) => text.to_string(),
        Some(CommandForm::List(words)) => format!("{:?}", texts(words)),
    }
}

fn environment(service: &Service) -> Vec<String> {
    let shown = |value: &Option<Text>| value.as_ref().map_or("?".to_owned(), ToString::to_string);
    service.environment.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect()
}

#[test]
fn lists_are_appended_and_commands_replaced() {
    let (sources, project) = merged(&[
        "services:\n  web:\n    image: shop:1\n    command: [serve]\n    entrypoint: /start\n    ports: ['8080:80']\n    \
         expose: [80]\n    dns: 10.0.0.1\n    healthcheck: {test: 'true', retries: 2}\n    env_file: a.env\n",
        "services:\n  web:\n    image: shop:2\n    command: serve --all\n    ports: ['8081:80', '8080:80']\n    \
         expose: ['81']\n    dns: [10.0.0.2]\n    healthcheck: {test: ['CMD', 'ask']}\n    env_file: [b.env]\n",
    ]);
    let web = web(&project);
    assert_eq!(web.image.as_ref().unwrap().as_str(), "shop:2");
    assert_eq!(sources.path(web.image.as_ref().unwrap().whole().file), "shop/second.yml");
    assert_eq!((command(&web.command), command(&web.entrypoint)), ("serve --all".to_owned(), "/start".to_owned()));
    assert_eq!(ports(web), ["8080:80", "8081:80"]);
    let expose: Vec<_> = web.expose.iter().map(|expose| expose.ports.unwrap().0).collect();
    assert_eq!(expose, [80, 81]);
    assert_eq!(texts(&web.dns), ["10.0.0.1", "10.0.0.2"]);
    let healthcheck = web.healthcheck.as_ref().unwrap();
    assert_eq!(healthcheck.retries.unwrap().value, 2);
    assert!(matches!(&healthcheck.test, Some(super::model::HealthTest::Exec(words)) if texts(words) == ["ask"]));
    assert_eq!(web.env_files.len(), 2);
    assert!(web.environment_is_open());
    assert!(project.problems.is_empty());
}

#[test]
fn names_are_merged_in_both_notations() {
    let (_, project) = merged(&[
        "services:\n  web:\n    image: a\n    environment: {A: 1, B: 010}\n    networks: [front]\n    depends_on: [db]\n    \
         extra_hosts: ['old:10.0.0.1']\n    labels: {x: y}\n    volumes: ['./a:/data', 'vol:/var']\n  db: {image: b}\n\
         networks: {front: {}, back: {}}\nvolumes: {vol: {}}\n",
        "services:\n  web:\n    environment: ['B=3', 'C', D=]\n    networks: {back: {aliases: [shop]}, front: {ipv4_address: 10.1.0.2}}\n    \
         depends_on: {db: {condition: service_healthy, required: false}}\n    extra_hosts: {new: '[::1]'}\n    \
         labels: ['x=z', 'k=v']\n    volumes: ['./b:/data:ro']\n",
    ]);
    let web = web(&project);
    assert_eq!(environment(web), ["A=1", "B=3", "C=?", "D="]);
    let networks = web.networks.as_ref().unwrap();
    let shown: Vec<_> =
        networks.iter().map(|network| (network.network.value.as_str(), network.aliases.len())).collect();
    assert_eq!(shown, [("front", 0), ("back", 1)]);
    assert_eq!(networks[0].addresses[0].as_str(), "10.1.0.2");
    let [dependency] = &web.depends_on[..] else { panic!("one dependency") };
    assert_eq!((dependency.condition, dependency.required), (super::model::Condition::Healthy, false));
    let hosts: Vec<_> = web.extra_hosts.iter().map(|(name, address)| format!("{name} {address}")).collect();
    assert_eq!(hosts, ["old 10.0.0.1", "new ::1"]);
    let labels: Vec<_> = web.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(labels, ["x=z", "k=v"]);
    let mounts: Vec<_> = web.mounts.iter().map(|mount| (mount.target.as_str(), mount.read_only)).collect();
    assert_eq!(mounts, [("/data", true), ("/var", false)]);
    assert!(matches!(&web.mounts[0].kind, MountKind::Bind(path) if path.path == HostPath::Inside("shop/b".to_owned())));
    assert_eq!(
        environment(&merged(&["services: {web: {image: a, environment: {B: 010, C: 1.50}}}"]).1.services[0]),
        ["B=8", "C=1.5"]
    );
    assert!(problems(&project).is_empty());
}

#[test]
fn marks_take_away_and_replace() {
    let base = "services:\n  web:\n    image: a\n    ports: ['80:80']\n    command: serve\n    environment: {A: 1, B: 2}\n    networks: [n]\nnetworks: {n: {}}\n";
    let (_, project) = merged(&[
        base,
        "services:\n  web:\n    ports: !override ['81:80']\n    command: !reset null\n    environment: {A: !reset null}\n    networks: !reset []\n",
    ]);
    assert_eq!(ports(web(&project)), ["81:80"]);
    assert_eq!(command(&web(&project).command), "-");
    assert_eq!(environment(web(&project)), ["B=2"]);
    assert!(web(&project).networks.is_none());
    let (_, project) = merged(&[base, "services: {web: {ports: !reset []}}", "services: {web: {ports: ['90:80']}}"]);
    assert_eq!(ports(web(&project)), ["90:80"]);
    let (_, project) = merged(&[base, "services: {web: !reset null, api: {image: b}}"]);
    assert_eq!(project.services.len(), 1);
    assert!(problems(&project).is_empty());
}

#[test]
fn services_extend_each_other() {
    let sources = snapshot(&[
        (
            "shop/compose.yml",
            "services:\n  web:\n    extends: {file: ../common/base.yml, service: app}\n    ports: ['81:80']\n    \
             environment: {LEVEL: debug}\n  worker:\n    extends: web\n    command: work\n    ports: !reset []\n",
        ),
        (
            "common/base.yml",
            "services:\n  app:\n    extends: {service: root}\n    build: ./app\n    ports: ['80:80']\n    env_file: app.env\n    volumes: ['./conf:/conf']\n  \
             root:\n    environment: {LEVEL: info, MODE: x}\n",
        ),
        ("common/app.env", "MODE=file\nFROM_FILE=yes\n"),
    ]);
    let projects = projects(&sources);
    assert_eq!(projects.len(), 1, "the extended file is only a part");
    let project = &projects[0];
    assert!(problems(project).is_empty(), "{:?}", problems(project));
    let web = web(project);
    assert_eq!(ports(web), ["80:80", "81:80"]);
    assert_eq!(environment(web), ["MODE=x", "FROM_FILE=yes", "LEVEL=debug"]);
    assert_eq!(web.build.as_ref().unwrap().context.path, HostPath::Inside("common/app".to_owned()));
    assert!(
        matches!(&web.mounts[0].kind, MountKind::Bind(path) if path.path == HostPath::Inside("common/conf".to_owned()))
    );
    let worker = &project.services[1];
    assert_eq!((command(&worker.command).as_str(), worker.ports.len()), ("work", 0));
    assert_eq!(project.files.len(), 2);
}

#[test]
fn what_cannot_be_extended() {
    let (_, project) = merged(&["services:\n  web: {extends: api}\n  api: {extends: web, image: a}\n"]);
    assert!(problems(&project).iter().any(|message| message.contains("extends itself")));
    let (_, project) = merged(&["services: {web: {extends: {file: none.yml, service: x}}}"]);
    assert_eq!(problems(&project), ["there is no file shop/none.yml to extend from"]);
    assert!(project.unreadable);
    let (_, project) = merged(&["services: {web: {extends: nobody}}"]);
    assert_eq!(problems(&project), ["there is no service `nobody` in shop/compose.yml to extend"]);
    let (_, project) = merged(&["services: {web: {extends: {file: ../../above.yml, service: x}}}"]);
    assert!(project.incomplete && project.problems.is_empty());
}

#[test]
fn included_files_keep_their_folder_and_variables() {
    let sources = snapshot(&[
        (
            "compose.yaml",
            "include:\n  - api/compose.yaml\n  - path: [db/base.yml, db/more.yml]\n    project_directory: data\n    env_file: db/own.env\n\
             services:\n  web: {image: 'web:$TAG', depends_on: [api, db]}\n",
        ),
        (".env", "TAG=1\n"),
        ("api/compose.yaml", "services:\n  api: {build: ., image: 'api:$TAG-$OWN'}\n"),
        ("api/.env", "TAG=2\nOWN=x\n"),
        ("db/base.yml", "services:\n  db: {image: 'db:$LEVEL', volumes: ['./files:/files']}\n"),
        ("db/more.yml", "services:\n  db: {ports: ['5432:5432']}\n"),
        ("db/own.env", "LEVEL=7\n"),
    ]);
    let projects = projects(&sources);
    assert_eq!(projects.len(), 1);
    let project = &projects[0];
    assert!(problems(project).is_empty(), "{:?}", problems(project));
    let images: Vec<_> = project.services.iter().map(|service| service.image.as_ref().unwrap().to_string()).collect();
    assert_eq!(images, ["web:1", "api:1-x", "db:7"]);
    assert_eq!(project.services[1].build.as_ref().unwrap().context.path, HostPath::Inside("api".to_owned()));
    let mount = &project.services[2].mounts[0];
    assert!(matches!(&mount.kind, MountKind::Bind(path) if path.path == HostPath::Inside("data/files".to_owned())));
    assert_eq!(ports(&project.services[2]), ["5432:5432"]);
    let sources =
        snapshot(&[("compose.yaml", "include: [a.yml, missing.yml]\n"), ("a.yml", "include: [compose.yaml]\n")]);
    let project = super::project(&sources, &[FileId(0)]);
    assert!(project.unreadable);
    assert_eq!(problems(&project), ["there is no file missing.yml to include", "this file includes itself"]);
}

#[test]
fn variables_that_are_missing() {
    let (sources, project) = merged(&[
        "services:\n  web:\n    image: ${REGISTRY}/web\n    ports: ['${PORT}:80', '${IN:-8080}:81', '80:${OUT}']\n    \
         volumes: ['${DATA}:/data', '${PWD}/conf:/conf']\n    environment: {SECRET: '${SECRET:?set it}', HOME: $HOME}\n",
    ]);
    let missing: Vec<_> = project.missing_variables.iter().map(|missing| missing.name.value.as_str()).collect();
    assert_eq!(missing, ["REGISTRY", "PORT", "OUT", "DATA", "SECRET"]);
    assert_eq!(project.missing_variables[4].required.as_deref(), Some("set it"));
    let web = web(&project);
    assert_eq!(ports(web), ["Unknown:80", "8080:81", "Unknown:0"]);
    assert!(matches!(&web.mounts[0].kind, MountKind::Bind(path) if path.path == HostPath::Unknown));
    assert!(
        matches!(&web.mounts[1].kind, MountKind::Bind(path) if path.path == HostPath::Inside("shop/conf".to_owned()))
    );
    assert!(problems(&project).is_empty(), "{:?}", problems(&project));
    let image = web.image.as_ref().unwrap();
    assert_eq!((image.as_str(), sources.quote(image.whole())), ("/web", "/web"));
    assert!(!project.is_certain(image.whole()));
    assert!(project.is_certain(web.ports[1].span));
    assert!(!project.is_certain(web.ports[2].span));
}

#[test]
fn the_env_file_of_the_folder_counts() {
    let sources = snapshot(&[
        (
            "shop/compose.yml",
            "services:\n  web: {image: 'a:${TAG:-none}', environment: [TAG, OTHER], profiles: [debug]}\n  off: {image: b, profiles: [other]}\n",
        ),
        ("shop/.env", "BASE=3\nTAG=v${BASE}\nCOMPOSE_PROFILES=debug,x\nCOMPOSE_PROJECT_NAME=named\n"),
        (".env", "TAG=wrong\n"),
    ]);
    let project = &projects(&sources)[0];
    assert_eq!(project.name.as_deref(), Some("named"));
    let web = web(project);
    assert_eq!(web.image.as_ref().unwrap().as_str(), "a:v3");
    assert_eq!(environment(web), ["TAG=v3", "OTHER=?"]);
    assert!(!web.is_off && project.services[1].is_off);
    assert_eq!(project.networks[0].real_name.as_deref(), Some("named_default"));
}

#[test]
fn networks_and_volumes_have_real_names() {
    let (_, project) = merged(&[
        "name: store\nservices:\n  web: {image: a, networks: [one, two, three], volumes: ['v:/v', 'w:/w']}\n\
         networks:\n  one: {}\n  two: {external: true, name: shared}\n  three:\n    external: {name: older}\n    ipam: {config: [{subnet: 10.9.0.0/24, gateway: 10.9.0.1}]}\n\
         volumes: {v: {}, w: {external: true}}\n",
    ]);
    let networks: Vec<_> =
        project.networks.iter().map(|network| (network.real_name.as_deref().unwrap(), network.external)).collect();
    assert_eq!(networks, [("store_one", false), ("shared", true), ("older", true)]);
    assert_eq!(project.networks[2].subnets[0].gateway.as_ref().unwrap().as_str(), "10.9.0.1");
    let volumes: Vec<_> = project.volumes.iter().map(|volume| volume.real_name.as_deref().unwrap()).collect();
    assert_eq!(volumes, ["store_v", "w"]);
}

#[test]
fn names_that_lead_nowhere() {
    let (_, project) = merged(&[
        "services:\n  web: {image: a, networks: [n], volumes: ['vol:/v'], depends_on: [x], configs: [c]}\n  api: {ports: ['80:80']}\n",
    ]);
    assert_eq!(
        problems(&project),
        [
            "network `n` is not declared under `networks`",
            "volume `vol` is not declared under `volumes`",
            "there is no service `x` to depend on",
            "`c` is not declared under `configs`",
            "service `api` has neither an `image` nor a `build`",
        ]
    );
}

#[test]
fn configs_and_secrets() {
    let (_, project) = merged(&[
        "services:\n  web:\n    image: a\n    configs: [{source: site, target: /etc/nginx/conf.d/site.conf}, plain]\n    secrets: [key, {source: key, target: other}]\n\
         configs:\n  site: {content: 'server_name $$host;'}\n  plain: {file: ./plain.conf}\nsecrets:\n  key: {environment: KEY}\n",
    ]);
    let web = web(&project);
    let targets: Vec<_> = web.configs.iter().chain(&web.secrets).map(|mount| mount.target.as_str()).collect();
    assert_eq!(targets, ["/etc/nginx/conf.d/site.conf", "/plain", "/run/secrets/key", "/run/secrets/other"]);
    assert!(matches!(&web.configs[0].content, super::model::Content::Inline(text) if text == "server_name $host;"));
    assert!(
        matches!(&web.configs[1].content, super::model::Content::File(path) if path.path == HostPath::Inside("shop/plain.conf".to_owned()))
    );
}

/// The files of each project, the folder left out.
fn groups(sources: &Sources) -> Vec<String> {
    let names = |project: &Project| {
        let files: Vec<&str> = project.files.iter().map(|file| sources.path(*file)).collect();
        format!("{}{}", files.join(" + "), if project.fragment { " (fragment)" } else { "" })
    };
    projects(sources).iter().map(names).collect()
}

#[test]
fn files_that_belong_together() {
    let complete = "services: {web: {image: a}}";
    let overlay = "services: {web: {ports: ['80:80']}}";
    let sources = snapshot(&[
        ("a/docker-compose.yml", complete),
        ("a/docker-compose.override.yml", overlay),
        ("a/docker-compose.prod.yml", overlay),
        ("a/docker-compose.test.yml", complete),
        ("b/production.yml", complete),
        ("b/local.yml", "services: {web: {build: .}}"),
        ("b/values.yml", "services: {logger: {class: Logger}}"),
        ("c/overrides/compose.tls.yml", overlay),
        ("c/compose.yaml", complete),
        ("d/compose.dev.yml", overlay),
        ("e/.env", "COMPOSE_FILE=one.yml:sub/two.yml\n"),
        ("e/one.yml", complete),
        ("e/sub/two.yml", overlay),
        ("f/docker-compose.yml", overlay),
        ("f/docker-compose.live.yml", complete),
        ("f/compose.more.yml", "include: [parts.yml]"),
        ("f/parts.yml", "services: {admin: {image: b, networks: [inner]}}"),
        ("g/compose.yml", complete),
        ("g/compose.both.yml", "services: {tls: {image: c}, proxy: {ports: ['1:1']}}"),
        ("g/compose.extra.yml", "services: {admin: {image: b, depends_on: [web]}}"),
    ]);
    assert_eq!(
        groups(&sources),
        [
            "a/docker-compose.test.yml",
            "a/docker-compose.yml + a/docker-compose.override.yml",
            "a/docker-compose.yml + a/docker-compose.prod.yml",
            "b/local.yml",
            "b/production.yml",
            "c/compose.yaml",
            "c/compose.yaml + c/overrides/compose.tls.yml",
            "d/compose.dev.yml (fragment)",
            "e/one.yml + e/sub/two.yml",
            "f/docker-compose.yml + f/compose.more.yml + f/parts.yml (fragment)",
            "f/docker-compose.live.yml",
            "f/docker-compose.yml (fragment)",
            "g/compose.yml",
            "g/compose.yml + g/compose.both.yml (fragment)",
            "g/compose.yml + g/compose.extra.yml",
        ]
    );
}

#[test]
fn files_that_were_not_read_are_asked_for() {
    let mut sources = snapshot(&[]);
    sources.add_entry("compose.yml", Entry::File(FileState::NotRead));
    assert!(projects(&sources).is_empty());
    assert_eq!(sources.wanted(), ["compose.yml"]);
}

#[test]
fn templates_and_broken_files() {
    let sources = snapshot(&[("a/compose.yml", "services:\n{% if x %}\n  web: {image: a}\n{% endif %}\n")]);
    let project = &projects(&sources)[0];
    assert_eq!((project.templates.len(), project.problems.len(), project.unreadable), (1, 0, true));
    let sources = snapshot(&[("a/compose.yml", "services:\n  web:\n    image: a\n  api:\n\timage: b\n")]);
    let project = &projects(&sources)[0];
    assert_eq!((project.templates.len(), project.problems.len(), project.unreadable), (0, 1, true));
    assert_eq!(project.services[0].image.as_ref().unwrap().as_str(), "a");
}

#[test]
fn hostile_projects_end() {
    let mut bomb = "x-0: &x0 {a: 1, b: 2}\n".to_owned();
    for level in 1..40 {
        bomb += &format!("x-{level}: &x{level} {{a: *x{0}, b: *x{0}}}\n", level - 1);
    }
    bomb += "services: {web: {image: a}}\n";
    let (_, project) = merged(&[&bomb]);
    assert!(project.unreadable);
    let mut chain = "services:\n  s0: {image: a}\n".to_owned();
    for number in 1..3000 {
        chain += &format!("  s{number}: {{extends: s{}, environment: {{V{number}: 1}}}}\n", number - 1);
    }
    let (_, project) = merged(&[&chain]);
    assert!(project.unreadable);
    let (_, project) = merged(&[&format!("services: {{web: {{image: a, ports: [{}]}}}}", "'1-65535', ".repeat(50))]);
    assert!(project.problems.len() <= 1);
    for wrong in [
        "",
        "[]",
        "services: 1",
        "services: {web: 1}",
        "services: {web: {ports: {a: b}, environment: 1, volumes: x, networks: 3, build: [], healthcheck: [], deploy: 1, extends: [], depends_on: 1}}",
        "include: {a: [1]}\n",
        "networks: []\nvolumes: 1\nservices: null",
    ] {
        merged(&[wrong]);
        merged(&[wrong, wrong]);
        merged(&[
            "services: {web: {image: a, ports: [80], environment: {A: 1}, build: ., networks: [n]}}\nnetworks: {n: {}}",
            wrong,
        ]);
    }
}

#[test]
fn every_beginning_of_a_project_is_read() {
    let base = "x-a: &a {restart: always}\nservices:\n  web:\n    <<: *a\n    image: ${I:-shop}:1\n    ports: ['127.0.0.1:80:80', {target: 81, published: '82'}]\n    \
                environment: [A=1, B]\n    volumes: ['./c:/c:ro', {type: bind, source: ./d, target: /d}]\n    extends: {file: second.yml, service: api}\n    \
                depends_on: {api: {condition: service_healthy}}\n    networks: {n: {aliases: [x]}}\n  api: {build: {context: ., args: {X: 1}}, profiles: [p]}\nnetworks: {n: {}}\n";
    let over = "include: [third.yml]\nservices:\n  api:\n    ports: !override ['1:1']\n    healthcheck: {test: [CMD, 'x'], interval: 1m30s}\n    deploy: {resources: {limits: {memory: 1g}}}\n";
    for end in 0..=base.len().max(over.len()) {
        merged(&[&base[..end.min(base.len())], over]);
        merged(&[base, &over[..end.min(over.len())]]);
    }
    for left_out in 0..base.lines().count() {
        let rest: Vec<&str> =
            base.lines().enumerate().filter(|(number, _)| *number != left_out).map(|(_, line)| line).collect();
        merged(&[&rest.join("\n"), over]);
    }
    let (_, project) = merged(&[base, over, "services: {db: {image: d}}"]);
    assert!(project.services.iter().any(|service| service.name.value == "db"));
}
