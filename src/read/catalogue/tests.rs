//! Every entry of the data files can be parsed, says where it is from, and refers only to what exists.

use serde::de::DeserializeOwned;

use super::entries::Entries;
use super::program::Meaning;
use super::{
    IMAGES, PACKAGES, PROGRAMS, SYSTEMS, TREES, WRAPPERS, has_tool, image, is_slow, package, program, system, tree,
};
use crate::read::process::address::address;

fn problems<T: DeserializeOwned>(entries: &'static Entries<T>, source: fn(&T) -> &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for entry in entries.iter() {
        problems.extend(entry.problem());
        if entry.value().is_some_and(|value| source(value).is_empty()) {
            problems.push(format!("{}: no source", entry.names.join(", ")));
        }
        for name in entry.names {
            if names.contains(name) || name.is_empty() {
                problems.push(format!("`{name}` stands in two headings"));
            }
            names.push(name);
        }
    }
    problems
}

#[test]
fn every_entry_can_be_read_and_has_a_source() {
    let all = [
        problems(&PROGRAMS, |it| &it.source),
        problems(&WRAPPERS, |it| &it.source),
        problems(&IMAGES, |it| &it.source),
        problems(&SYSTEMS, |it| &it.source),
        problems(&TREES, |it| &it.source),
        problems(&PACKAGES, |it| &it.source),
    ];
    let all: Vec<String> = all.into_iter().flatten().collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn every_program_says_where_it_listens_or_why_that_is_not_known() {
    for entry in PROGRAMS.iter() {
        let name = entry.names.join(", ");
        let program = entry.value().unwrap();
        let answers = [program.listen.is_some(), program.reader.is_some(), program.open.is_some()];
        assert!(answers.contains(&true), "{name}: neither listen nor reader nor open");
        let sockets = program.listen.iter().chain(program.also.iter().map(|further| &further.listen));
        for socket in sockets {
            if let Some(default) = &socket.default {
                let read = address(default).unwrap_or_else(|| panic!("{name}: `{default}`"));
                assert!(read.port.is_some() || read.unix.is_some(), "{name}: `{default}` has no port");
            }
        }
        let movers = program.movers.iter().chain(program.also.iter().flat_map(|further| &further.movers));
        for mover in movers {
            let ways = [mover.flag.is_some(), mover.variable.is_some(), mover.key.is_some(), mover.argument.is_some()];
            assert_eq!(
                ways.iter().filter(|way| **way).count(),
                1,
                "{name}: a mover needs one of flag, variable, key, argument"
            );
            assert!(mover.key.is_none() || program.config.is_some(), "{name}: a key without a config");
            assert!(mover.flag.as_deref().is_none_or(|flags| flags.split(' ').all(|flag| !flag.is_empty())), "{name}");
            assert!(!(mover.is == Meaning::Port && mover.repeats), "{name}: only addresses repeat");
        }
    }
}

#[test]
fn images_refer_to_what_exists() {
    for entry in IMAGES.iter() {
        let name = entry.names.join(", ");
        let facts = entry.value().unwrap();
        let variants = facts.tags.iter().map(|(_, variant)| variant);
        let trees = facts.trees.iter().chain(variants.clone().filter_map(|it| it.trees.as_ref()).flatten());
        for name_of_tree in trees {
            assert!(tree(name_of_tree).is_some(), "{name}: no tree `{name_of_tree}`");
        }
        for name_of_system in facts.system.iter().chain(variants.clone().filter_map(|it| it.system.as_ref())) {
            assert!(system(name_of_system).is_some(), "{name}: no system `{name_of_system}`");
        }
        let starts =
            [(&facts.entrypoint, &facts.command)].into_iter().chain(variants.map(|it| (&it.entrypoint, &it.command)));
        for (entrypoint, command) in starts {
            let words: Vec<&str> = entrypoint.iter().chain(command).flatten().map(String::as_str).collect();
            let begins = |name: &&str| name.split(' ').next() == words.first().copied();
            let known = words.is_empty()
                || program(&words).is_some()
                || super::wrapper(&words).is_some()
                || PROGRAMS.iter().any(|entry| entry.names.iter().any(begins));
            assert!(known, "{name}: `{}` is no program of the catalogue", words.join(" "));
        }
    }
    for entry in PACKAGES.iter() {
        for name in &entry.value().unwrap().trees {
            assert!(tree(name).is_some(), "{}: no tree `{name}`", entry.names.join(", "));
        }
    }
}

#[test]
fn tags_change_what_an_image_starts() {
    let command = |reference: &str| image(reference).unwrap().command.clone().unwrap_or_default().join(" ");
    assert_eq!(command("php:8.3-fpm-alpine"), "php-fpm");
    assert_eq!(command("docker.io/library/php:8.2-apache"), "apache2-foreground");
    assert_eq!(command("php:8.2"), "php -a");
    assert!(image("php-something").is_none());
    let tool = |reference: &str, tool: &str| has_tool(&image(reference).unwrap(), tool);
    assert_eq!(tool("nginx:1.27-alpine", "bash"), Some(false));
    assert_eq!(tool("nginx:1.27-alpine", "wget"), Some(true));
    assert_eq!(tool("php:8.2-fpm", "curl"), Some(true));
    assert_eq!(tool("nginx", "some-tool"), None);
}

#[test]
fn packages_bring_their_tools() {
    assert!(package("apt-get", "curl").has.contains(&"curl".to_owned()));
    assert!(package("apk", "netcat-openbsd=1.2").has.contains(&"nc".to_owned()));
}

#[test]
fn slow_commands_are_known_by_their_words_in_order() {
    assert!(is_slow(&["php", "/srv/artisan", "migrate", "--force"]));
    assert!(is_slow(&["flask", "--app", "x", "db", "upgrade"]));
    assert!(!is_slow(&["migrate", "artisan"]));
}

#[test]
fn a_closed_folder_has_nothing_that_is_not_named() {
    let plain = tree("plain-system").unwrap();
    assert!(plain.look("/app/gunicorn.conf.py").closed);
    assert!(plain.look("/usr/src/app/server.js").closed);
    assert!(!plain.look("/usr/local/bin/start").closed);
    assert!(!plain.look("/etc/nginx/nginx.conf").closed);
    assert!(tree("nginx-official").unwrap().look("/etc/nginx/conf.d/other.conf").closed);
}
