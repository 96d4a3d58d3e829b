//! `--live`: what the kernel of this machine shows of its open sockets counts as evidence.
#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::{env, fs, process};

use no502::discover::{Snapshot, live};
use no502::lint;

#[test]
fn sockets_of_this_machine_are_seen() {
    let folder = env::temp_dir().join(format!("no502-live-{}", process::id()));
    fs::create_dir_all(&folder).expect("a folder for the socket");
    let path = folder.join("app.sock");
    let open = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let closed = TcpListener::bind("127.0.0.1:0").expect("another one");
    let unix = UnixListener::bind(&path).expect("a socket");
    let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
    let (open_port, closed_port) = (port(&open), port(&closed));
    drop(closed);

    let main = format!(
        "events {{}}\nhttp {{ server {{ listen 80;\n\
         location /open {{ proxy_pass http://127.0.0.1:{open_port}; }}\n\
         location /closed {{ proxy_pass http://127.0.0.1:{closed_port}; }}\n\
         location /socket {{ proxy_pass http://unix:{}:/; }}\n}} }}\n",
        path.display()
    );
    let mut snapshot = Snapshot::default();
    snapshot.sources.told.is_server = true;
    snapshot.sources.add("etc/nginx/nginx.conf", main);
    let tables = live::sockets();
    // The kernel is asked while they are open.
    drop((open, unix));
    let _ = fs::remove_dir_all(&folder);
    snapshot.add_sockets(&tables.expect("Linux shows its sockets"));
    let outcome = lint(&snapshot.sources);
    let understood = outcome.picture.described();
    let outcomes: Vec<_> = understood.routes.iter().map(|route| (route.matches.as_str(), route.outcome)).collect();
    assert_eq!(outcomes, [("* /open", "delivered"), ("* /closed", "refused"), ("* /socket", "delivered")]);
    let evidence = understood.routes[0].listener.and_then(|number| understood.listeners.get(number));
    let place = evidence.map(|listener| snapshot.sources.path(listener.place.file).to_owned());
    assert_eq!(place.as_deref(), Some("/proc/net/tcp"));
}
