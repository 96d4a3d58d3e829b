//! Whole Dockerfiles, and what is made of them.

use crate::read::image::files::{Start, executable, find, list};
use crate::read::image::{Base, Change, CopySource, Image, StartForm, build};
use crate::source::{Entry, Lookup, Sources, Text};

/// A snapshot of `app/` with the Dockerfile in it.
fn snapshot(dockerfile: &str) -> Sources {
    let mut sources = Sources::default();
    sources.add("app/Dockerfile", dockerfile);
    sources.add("app/server.js", "listen(3000)");
    sources.add("app/start.sh", "exec node server.js");
    sources.add("app/conf/web.conf", "server { listen 80; }");
    sources.add("app/conf/more.conf", "server { listen 81; }");
    sources.add("app/conf/notes.txt", "nothing");
    sources.add("app/node_modules/x/index.js", "");
    sources.add("app/.dockerignore", "node_modules\nconf/notes.txt\n");
    sources.add_entry("app/dist", Entry::Directory { listed: false });
    sources
}

fn image_of(sources: &Sources, target: Option<&str>) -> Image {
    let file = sources.read("app/Dockerfile").expect("it was added");
    let arguments = |name: &str| match name {
        "PASSED" => Lookup::Value(Text::fixed("given", sources.text(file).span(0..0))),
        "HIDDEN" => Lookup::Unknown,
        _ => Lookup::Unset,
    };
    build(sources, "app", &sources.text(file), target, &arguments)
}

fn read(dockerfile: &str) -> (Sources, Image) {
    let sources = snapshot(dockerfile);
    let image = image_of(&sources, None);
    (sources, image)
}

fn base(image: &Image) -> String {
    match &image.base {
        Base::Image(name) => name.to_string(),
        Base::Scratch => "(scratch)".to_owned(),
        Base::Unknown(why) => format!("({why})"),
    }
}

fn changes(dockerfile: &str) -> Vec<String> {
    read(dockerfile).1.changes.iter().map(show).collect()
}

fn show(change: &Change) -> String {
    match change {
        Change::Copy { source, target, inside, .. } => {
            let source = match source {
                CopySource::Context(path) => path.clone(),
                CopySource::Image { image, path } => format!("{image}:{path}"),
                CopySource::Text(text) => format!("{:?}", text.as_str()),
                CopySource::Remote(address) => address.clone(),
            };
            let inside = inside.as_ref().map_or(String::new(), |inside| format!(" or {inside}"));
            format!("{source} -> {target}{inside}")
        }
        Change::Remove { path, .. } => format!("rm {path}"),
        Change::Link { path, to, .. } => format!("{path} => {to}"),
        Change::Write { path, text, append, .. } => {
            format!("{:?} {} {path}", text.as_str(), if *append { ">>" } else { ">" })
        }
        Change::Edit { path, edit, .. } => format!("sed {} {path}", edit.scripts[0]),
        Change::MakeDirectory { path, .. } => format!("mkdir {path}"),
        Change::Mode { path, executable, .. } => format!("{}x {path}", if *executable { "+" } else { "-" }),
        Change::Unknown { path, .. } => format!("? {}", path.as_deref().unwrap_or("anywhere")),
    }
}

fn text_at(dockerfile: &str, path: &str) -> Option<String> {
    let (sources, image) = read(dockerfile);
    find(&image, &sources, path).text(None).map(|text| text.to_string())
}

#[test]
fn settings_of_the_last_stage() {
    let (sources, image) = read(
        "ARG TAG=3\nARG EMPTY\nFROM node:${TAG}-${PASSED:-none} AS build\nENV A=build\nEXPOSE 1\nCMD old\n\
         FROM base:${TAG}\nARG TAG\nARG OTHER=x$TAG\nARG PASSED=no\nENV A=1 B=$A C=$OTHER D=$PASSED\nENV A=2 E=$A F=$WHO\n\
         WORKDIR /srv\nWORKDIR app\nUSER node\nEXPOSE 80 3000-3005/tcp 53/udp $A $WHO 99999\n\
         HEALTHCHECK --interval=5s CMD probe\nENTRYPOINT [\"run\"]\nSHELL [\"bash\", \"-c\"]\nCMD go $A\n",
    );
    assert_eq!(base(&image), "base:3");
    assert_eq!(sources.quote(image.stage_place), "FROM base:${TAG}");
    let shown = |value: &Option<Text>| value.as_ref().map_or("?".to_owned(), Text::to_string);
    let environment: Vec<_> =
        image.environment.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect();
    assert_eq!(environment, ["B=?", "C=x3", "D=given", "A=2", "E=1", "F=?"]);
    let ports: Vec<_> = image.exposed.iter().map(|ports| ports.value).collect();
    assert_eq!(ports, [(80, 80), (3000, 3005), (2, 2)]);
    assert_eq!(sources.quote(image.exposed[1].span), "3000-3005/tcp");
    assert_eq!(image.working_directory.as_ref().map(Text::as_str), Some("/srv/app"));
    assert_eq!(image.user.as_ref().map(Text::as_str), Some("node"));
    assert_eq!(image.unresolved.len(), 3);
    assert_eq!(image.problems.len(), 1);
    let health = image.healthcheck.as_ref().expect("there is one");
    assert_eq!(health.options[0].1.as_str(), "5s");
    let StartForm::Exec(words) = &image.entrypoint.as_ref().expect("there is one").form else { panic!("a list") };
    assert_eq!(words[0].as_str(), "run");
    let StartForm::Shell { text, shell } = &image.command.as_ref().expect("there is one").form else {
        panic!("a text")
    };
    assert_eq!((text.as_str(), shell[0].as_str()), ("go $A", "bash"));
}

#[test]
fn an_entrypoint_takes_an_inherited_command_away() {
    let image = |rest: &str| read(&format!("FROM a AS one\nCMD x\nENV K=v\nEXPOSE 7\nFROM one\n{rest}")).1;
    assert!(image("").command.is_some());
    assert!(image("ENTRYPOINT y").command.is_none());
    assert!(image("CMD z\nENTRYPOINT y").command.is_some());
    assert_eq!(base(&image("")), "a");
    assert_eq!(image("").exposed.len(), 1);
    assert!(image("HEALTHCHECK NONE").healthcheck.is_some_and(|health| health.test.is_none()));
}

#[test]
fn targets_and_bases() {
    let dockerfile = "FROM a AS Dev\nEXPOSE 1\nFROM scratch AS prod\nEXPOSE 2\nFROM $HIDDEN\n";
    let sources = snapshot(dockerfile);
    assert_eq!(base(&image_of(&sources, Some("dev"))), "a");
    assert_eq!(base(&image_of(&sources, Some("1"))), "(scratch)");
    let missing = image_of(&sources, Some("test"));
    assert!(matches!(missing.base, Base::Unknown(_)) && missing.problems.len() == 1);
    assert!(matches!(image_of(&sources, None).base, Base::Unknown(_)));
    assert!(matches!(read("ARG HIDDEN=x\nFROM $HIDDEN").1.base, Base::Unknown(_)));
    assert!(matches!(read("FROM {{ image }}").1.base, Base::Unknown(_)));
    assert!(matches!(read("").1.base, Base::Unknown(_)));
}

#[test]
fn copies() {
    assert_eq!(
        changes(
            "FROM a\nCOPY server.js .\nWORKDIR /srv\nCOPY . .\nCOPY conf/*.conf /etc/web/\nCOPY server.js start.sh bin/\n\
             COPY conf/web.conf /etc/web.d\nCOPY dist /html\nCOPY missing.jar app.jar\nCOPY node_modules /x\n\
             COPY ../../conf /c\nADD http://example.com/f.tar /f/\nADD x.tar.gz /t\nCOPY --from=other:1 /bin/x /bin/\n\
             COPY --chmod=755 start.sh /start\nCOPY $WHO /who\nCOPY server.js $WHO\nCOPY server.js /opt/$WHO/\n"
        ),
        [
            "app/server.js -> server.js",
            "mkdir /srv",
            "app -> /srv",
            "app/conf/more.conf -> /etc/web/more.conf",
            "app/conf/web.conf -> /etc/web/web.conf",
            "app/server.js -> /srv/bin/server.js",
            "app/start.sh -> /srv/bin/start.sh",
            "app/conf/web.conf -> /etc/web.d or /etc/web.d/web.conf",
            "app/dist -> /html",
            "app/missing.jar -> /srv/app.jar",
            "? /x",
            "app/conf -> /c",
            "http://example.com/f.tar -> /f/f.tar",
            "? /t",
            "? /bin",
            "app/start.sh -> /start or /start/start.sh",
            "+x /start",
            "? /who",
            "? anywhere",
            "? /opt",
        ]
    );
}

#[test]
fn here_documents_become_files() {
    let dockerfile = "FROM a\nENV PORT=81\nCOPY <<one.conf <<'two.conf' /etc/web/\nlisten $PORT;\none.conf\nlisten $PORT;\ntwo.conf\n\
                      COPY <<X /y\n$WHO\nX\nRUN cat <<Z > /z && tee /t /u <<'T'\nport $PORT\nZ\n$q\nT\n";
    assert_eq!(
        changes(dockerfile),
        [
            "\"listen 81;\\n\" -> /etc/web/one.conf",
            "\"listen $PORT;\\n\" -> /etc/web/two.conf",
            "? /y",
            "\"port 81\\n\" > /z",
            "\"$q\\n\" > /t",
            "\"$q\\n\" > /u",
        ]
    );
    let (sources, image) = read(dockerfile);
    let Change::Copy { source: CopySource::Text(text), .. } = &image.changes[1] else { panic!("it is a text") };
    assert_eq!(sources.quote(text.span(7..12)), "$PORT");
}

#[test]
fn copies_from_another_stage() {
    let first = "FROM a AS one\nWORKDIR /app\nCOPY . .\nCOPY server.js /etc/s.js\n";
    assert_eq!(changes(&format!("{first}FROM b\nCOPY --from=one /etc/s.js /x/\n")), ["app/server.js -> /x/s.js"]);
    assert_eq!(
        changes(&format!("{first}FROM b\nCOPY --from=0 /app/conf/web.conf /w.conf\n")),
        ["app/conf/web.conf -> /w.conf"]
    );
    assert_eq!(
        changes(&format!("{first}FROM b\nCOPY --from=one /app/conf /w\n")),
        ["a:/app/conf -> /w", "app/conf -> /w"]
    );
    assert_eq!(
        changes(&format!("{first}RUN npm run build\nFROM b\nCOPY --from=one /app/dist /html\n")),
        ["? /html", "app/dist -> /html"]
    );
    assert_eq!(changes("FROM a AS one\nRUN make >/dev/null\nFROM b\nCOPY --from=one /out/app /app\n"), ["? /app"]);
    assert_eq!(
        changes("FROM a AS one\nRUN echo hi >/h && rm /i\nFROM b\nCOPY --from=one / /o\n"),
        ["a:/ -> /o", "\"hi\\n\" > /o/h", "rm /o/i"]
    );
}

#[test]
fn commands_change_files() {
    let run = |line: &str| changes(&format!("FROM a\nWORKDIR /w\nENV P=80\nRUN {line}\n"))[1..].to_vec();
    for (line, expected) in [
        ("rm -rf /a b /c/* && rm $WHO /etc/$WHO/x", vec!["rm /a", "rm /w/b", "rm /c/*", "? /etc"]),
        (
            "ln -sf /dev/stdout /log/a && ln -s ../x y/ && ln -s /p/q",
            vec!["/log/a => /dev/stdout", "/w/y/x => ../x", "/w/q => /p/q"],
        ),
        ("echo \"listen $P;\" 'a  b' > /f; echo -n x >>f", vec!["\"listen 80; a  b\\n\" > /f", "\"x\" >> /w/f"]),
        ("echo 'a\\nb' > /f && echo -e x > /g", vec!["? /f", "? /g"]),
        ("printf 'a %s\\n' 1 2 > /f && printf '%x' 1 > /g", vec!["\"a 1\\na 2\\n\" > /f", "? /g"]),
        ("echo x | tee -a /f /g >/dev/null", vec!["\"x\\n\" >> /f", "\"x\\n\" >> /g"]),
        ("{ echo a; echo b; } | tee /f && { echo c; } > /g", vec!["? /f", "? /g"]),
        ("(echo a; echo b) > /f", vec!["? /f"]),
        ("cd /z && touch t && cd k && mkdir -p a /b", vec!["\"\" >> /z/t", "mkdir /z/k/a", "mkdir /b"]),
        ("chmod +x a && chmod 644 /b && chmod -R u=rwX /c && chmod g+w /d", vec!["+x /w/a", "-x /b", "+x /c"]),
        ("if [ -f /a ]; then rm /b; mkdir /c; fi", vec!["? /b"]),
        ("[ -f /a ] && rm /b; test -d /c || ln -s /d /e", vec!["? /b", "? /e"]),
        ("make || rm /b && sed -i s/a/b/ /c", vec!["? /b", "? /c"]),
        (
            "sed -i 's/a/b/;s/c/d/' /f g && sed -ri.bak -e s/x/y/ /h && sed -n -i p /i",
            vec!["sed s/a/b/;s/c/d/ /f", "sed s/a/b/;s/c/d/ /w/g", "sed s/x/y/ /h", "? /i"],
        ),
        ("sed -i s/a/b/ /c/*.conf && sed s/a/b/ /d > /e", vec!["? /c", "? /e"]),
        ("curl -fsSLo /f http://x && wget -qO- y && tar -xzC /t && curl -o $T z", vec!["? /f", "? /t"]),
        ("sh -c 'echo a > /f; rm g' && sudo -E -u web rm /x || true", vec!["\"a\\n\" > /f", "rm /w/g", "? /x"]),
        ("cp /a /b && mv /c /d/", vec!["a:/a -> /b or /b/a", "a:/c -> /d/c", "rm /c"]),
        (
            "echo x > /a && cp /a /b && install -m 755 /a /c && install -d /e",
            vec!["\"x\\n\" > /a", "\"x\\n\" > /b", "\"x\\n\" > /c", "mkdir /e"],
        ),
        ("X=1 && export Y=$X$P && echo $Y > /f && Z=$(date) && echo $Z > /g", vec!["\"180\\n\" > /f", "? /g"]),
        ("perl -pi -e s/a/b/ /f && nginx -t 2>/log", vec!["? /f"]),
    ] {
        assert_eq!(run(line), expected, "{line}");
    }
    assert_eq!(changes("FROM a\nRUN [\"rm\", \"$x\"]\nRUN [\"/bin/sh\", \"-c\", \"rm /y\"]\n"), ["rm $x", "rm /y"]);
    assert!(changes("FROM a\nSHELL [\"pwsh\", \"-c\"]\nRUN rm /y\n").is_empty());
    assert_eq!(changes("FROM a\nRUN <<E\nset -e\nrm /y\nE\nRUN <<E\n#!/usr/bin/python3\nrm /z\nE\n"), ["rm /y"]);
}

#[test]
fn files_as_they_are_in_the_end() {
    let dockerfile = "FROM a\nCOPY conf /etc/web\nRUN echo '# end' >> /etc/web/web.conf && sed -i s/80/82/ /etc/web/web.conf\n\
                      RUN cat /etc/web/more.conf /etc/web/web.conf > /all && rm /etc/web/more.conf && ln -s web.conf /etc/web/l\n\
                      RUN envsubst '$P' < /all > /n; P=7 && echo '$P $Q' > /t && envsubst '$P' </t >/s; chmod 640 /s\n";
    assert_eq!(text_at(dockerfile, "/etc/web/web.conf").as_deref(), Some("server { listen 82; }# end\n"));
    assert_eq!(text_at(dockerfile, "/all").as_deref(), Some("server { listen 81; }server { listen 82; }# end\n"));
    assert_eq!(text_at(dockerfile, "/n"), text_at(dockerfile, "/all"));
    assert_eq!(text_at(dockerfile, "/s").as_deref(), Some("7 $Q\n"));
    assert_eq!(text_at(dockerfile, "/etc/web/notes.txt"), None);
    let (sources, image) = read(dockerfile);
    let start = |path: &str| format!("{:?}", find(&image, &sources, path).start);
    assert_eq!(start("/etc/web/notes.txt"), "Untouched");
    assert_eq!(start("/etc/web/more.conf"), "Removed");
    assert_eq!(start("/etc/web"), "Directory");
    assert_eq!(start("/etc/web/l"), "Link(\"/etc/web/web.conf\")");
    assert_eq!(start("/usr"), "Untouched");
    assert_eq!(executable(&image, &sources, "/s"), Some(false));
    let listing = list(&image, &sources, "/etc/web");
    assert_eq!(listing.names.iter().map(String::as_str).collect::<Vec<_>>(), ["l", "web.conf"]);
    assert!(listing.complete && listing.untouched && listing.removed == ["more.conf"]);
    assert!(!list(&read("FROM a\nCOPY dist /html").1, &sources, "/html").complete);
    assert!(!list(&read("FROM a\nRUN rm -rf /html").1, &sources, "/html").untouched);
}

#[test]
fn an_edit_of_the_base_image_waits_for_its_text() {
    let (sources, image) =
        read("FROM a\nRUN sed -i 's|listen = .*|listen = 9001|' /pool.conf && echo x=1 >> /pool.conf");
    let content = find(&image, &sources, "/pool.conf");
    assert!(matches!(content.start, Start::Untouched) && content.text(None).is_none());
    let file = sources.read("app/Dockerfile").expect("it was added");
    let known = Text::fixed("listen = 9000\n", sources.text(file).span(0..0));
    let text = content.text(Some(&known)).expect("the edit is plain");
    assert_eq!(text.as_str(), "listen = 9001\nx=1\n");
}

#[test]
fn packages() {
    let (_, image) = read(
        "FROM a\nRUN apt-get update && apt-get install -y --no-install-recommends -t stable nginx php8.2-fpm=1.2 $X && apk add --virtual .b tini\n\
         RUN pip install -r r.txt 'flask[async]>=2' gunicorn==20 && python3 -m pip install uvicorn . && npm i -g pm2@5 @a/b@1 && npm install && npm ci\n\
         RUN a2enmod proxy && usermod -aG www-data nginx && yum -y install httpd && yarn global add serve\n",
    );
    let packages: Vec<_> =
        image.installed.iter().map(|package| format!("{} {}", package.manager, package.name)).collect();
    assert_eq!(
        packages,
        [
            "apt nginx",
            "apt php8.2-fpm",
            "apk tini",
            "pip flask",
            "pip gunicorn",
            "pip uvicorn",
            "npm pm2",
            "npm @a/b",
            "dnf httpd",
            "npm serve",
        ]
    );
    assert_eq!(image.commands.len(), 2);
}

#[test]
fn triggers_run_in_the_next_stage() {
    let dockerfile = "FROM a AS one\nONBUILD EXPOSE 9\nONBUILD RUN rm /x\nFROM one AS two\nFROM two\n";
    let sources = snapshot(dockerfile);
    assert!(image_of(&sources, Some("one")).changes.is_empty());
    let image = image_of(&sources, None);
    assert_eq!((image.exposed.len(), image.changes.len()), (1, 1));
}

#[test]
fn nothing_breaks_it() {
    let source = "ARG T=1\nFROM a:$T AS b\nENV P=\"é\"\nWORKDIR x\nCOPY --chmod=755 <<-'E' conf/[a-m]* ./q/\n\tq\n\tE\n\
                  RUN cd /é && echo -n \"$P\" | tee \"/f$P\" && sed -i \"s/é/$P/\" /f* || cp -r /f/. g; mv -t /x y; printf '%s\\n' ü >é\n\
                  RUN chmod -x a; ln -s b; ln c d; install -D e f/; rm; cp; curl -o\nFROM b\nCOPY --from=b / ../..\nEXPOSE 1-\nONBUILD RUN x\n";
    for end in (0..=source.len()).filter(|end| source.is_char_boundary(*end)) {
        read(&source[..end]);
    }
    for line in [
        "ENV A=$A$A$A$A\n",
        "RUN cat /a /a > /a\n",
        "RUN cp -r / /x\n",
        "FROM a AS b\nFROM b AS a\n",
        "RUN echo $A$A >> /f && sed -i s/x/xx/g /f && cat /f\n",
        "COPY . .\n",
        "RUN sh -c \"sh -c 'sh -c x'\"\n",
        "COPY --from=0 / /\n",
    ] {
        read(&format!(
            "FROM z\nENV A=xxxxxxxxxxxxxxxx\nRUN echo x > /a\n{}FROM z\nCOPY --from=0 / /y\n",
            line.repeat(1_000)
        ));
    }
}
