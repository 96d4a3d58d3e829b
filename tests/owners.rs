//! Whom the folders of a server belong to: read from disk, and what follows for the sockets below them.

mod common;

use common::report;
use no502::lint;
use no502::source::{Entry, Permissions, Sources};

const KIM: u32 = 1000;

fn folder(owner: u32, mode: u32) -> Permissions {
    Permissions { owner, group: owner, mode, has_list: false }
}

/// A server whose nginx asks for a socket below somebody's home; `home` is that folder.
fn said(home: Permissions, system: Permissions, members: &str, socket: &str) -> String {
    let mut sources = Sources::default();
    sources.told.is_server = true;
    sources.add(
        "etc/passwd",
        "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/:/bin/false\nkim:x:1000:1000::/home/kim:/bin/sh\n",
    );
    sources.add("etc/group", format!("root:x:0:\nwww-data:x:33:\nkim:x:1000:{members}\n"));
    let nginx =
        format!("user www-data;\nhttp {{ server {{ location / {{\nproxy_pass http://unix:{socket};\n}} }} }}\n");
    sources.add("etc/nginx/nginx.conf", nginx);
    let command = format!("/usr/bin/gunicorn --umask 0 --bind unix:{socket} notes:app");
    let unit = format!("[Service]\nUser=kim\nExecStart={command}\nRestart=always\n");
    sources.add("etc/systemd/system/notes.service", unit);
    sources.add("home/kim/notes/notes.py", "");
    sources.add_entry("srv/notes", Entry::Link("/home/kim/notes".to_owned()));
    sources.set_permissions("etc", system);
    sources.set_permissions("home", folder(0, 0o755));
    sources.set_permissions("home/kim", home);
    sources.set_permissions("home/kim/notes", folder(KIM, 0o755));
    let outcome = lint(&sources);
    report(sources, outcome).lines().next().unwrap_or_default().to_owned()
}

const SOCKET: &str = "/home/kim/notes/web.sock";
const SYSTEM: Permissions = Permissions { owner: 0, group: 0, mode: 0o755, has_list: false };

fn closed(level: &str, mode: &str) -> String {
    let message = format!("`www-data` may not enter `/home/kim`: it belongs to `kim:kim` with mode {mode}");
    format!("etc/nginx/nginx.conf:3:24: {level}: {message} [socket/permission]")
}

#[test]
fn a_home_that_only_its_owner_may_enter() {
    assert_eq!(said(folder(KIM, 0o700), SYSTEM, "", SOCKET), closed("error", "0700"));
    assert_eq!(said(folder(KIM, 0o700), SYSTEM, "www-data", SOCKET), closed("error", "0700"));
    assert_eq!(said(folder(KIM, 0o755), SYSTEM, "", SOCKET), "");
    assert_eq!(said(folder(KIM, 0o711), SYSTEM, "", SOCKET), "");
}

#[test]
fn a_home_that_its_group_may_enter() {
    assert_eq!(said(folder(KIM, 0o750), SYSTEM, "", SOCKET), closed("warning", "0750"));
    assert_eq!(said(folder(KIM, 0o750), SYSTEM, "www-data", SOCKET), "");
    let listed = Permissions { has_list: true, ..folder(KIM, 0o750) };
    assert_eq!(said(listed, SYSTEM, "", SOCKET), "");
}

#[test]
fn a_link_leads_through_the_folders_of_its_target() {
    assert_eq!(said(folder(KIM, 0o700), SYSTEM, "", "/srv/notes/web.sock"), closed("error", "0700"));
}

#[test]
fn a_copy_whose_owners_are_those_of_the_one_who_copied_it() {
    assert_eq!(said(folder(KIM, 0o700), folder(KIM, 0o755), "", SOCKET), "");
}

#[cfg(unix)]
#[test]
fn owners_and_modes_are_read_from_disk() {
    use no502::discover::Snapshot;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    let root = std::env::temp_dir().join(format!("no502-owners-{}", std::process::id()));
    let home = root.join("home/kim");
    fs::create_dir_all(&home).expect("a temporary folder");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o750)).expect("it is ours");
    let metadata = fs::metadata(&home).expect("it was made above");
    let server = Snapshot::of_server(&root, None);
    let project = Snapshot::of(&root, None);
    fs::remove_dir_all(&root).expect("it was made above");
    let expected = Permissions { owner: metadata.uid(), group: metadata.gid(), mode: 0o750, has_list: false };
    assert_eq!(server.expect("it is readable").sources.permissions("home/kim"), Some(expected));
    assert_eq!(project.expect("it is readable").sources.permissions("home/kim"), None);
}
