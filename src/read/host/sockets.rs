//! systemd's `.socket` units: the manager itself listens and hands the socket to a service (systemd.socket(5)).

use crate::read::app::listening::{Address, bind_of, parse_address};
use crate::read::app::paths;
use crate::read::host::service::Running;
use crate::read::host::units::Unit;
use crate::site::listener::{Bind, Endpoint, Evidence, Listener, SocketAccess};
use crate::source::Text;

/// A socket unit.
pub struct Socket {
    /// The service that it starts: `shop.service`, or `shop@.service` for one process each connection.
    pub service: String,
    pub enabled: Option<bool>,
    listeners: Vec<Listener>,
    open: Option<String>,
}

impl Socket {
    pub fn of(unit: &Unit, enabled: Option<bool>) -> Socket {
        let stem = unit.name.strip_suffix(".socket").unwrap_or(&unit.name);
        let accepts = unit.switched_on("Socket", "Accept").is_some();
        let usual = if accepts { format!("{stem}@.service") } else { format!("{stem}.service") };
        let service = unit.value("Socket", "Service").map_or(usual, |name| name.as_str().to_owned());
        let mut socket = Socket { service, enabled, listeners: Vec::new(), open: None };
        for address in unit.values("Socket", "ListenStream") {
            match listener(unit, &address) {
                Some(listener) => socket.listeners.push(listener),
                None => socket.open = Some(format!("`{}` of `{}` is not plain", address.as_str(), unit.name)),
            }
        }
        socket
    }

    /// The service listens where its socket unit does. Whether it opens the sockets of its own settings as well depends
    /// on the program: they are kept, but no longer known to be all.
    pub fn hand_over(&self, running: &mut Running) {
        let protocol = running.listeners.first().and_then(|listener| listener.protocol);
        let own = std::mem::take(&mut running.listeners);
        running.processes.clear();
        for mut listener in self.listeners.iter().cloned() {
            listener.protocol = protocol;
            running.listeners.push(listener);
        }
        // A default is what the socket unit replaces.
        let further = own.into_iter().filter(|listener| listener.evidence == Evidence::Binding);
        for listener in further {
            if !running.listeners.iter().any(|known| known.endpoint == listener.endpoint) {
                running.listeners.push(listener);
            }
        }
        running.open = self.open.clone().or(running.open.take());
        if running.service.enabled != Some(true) {
            running.service.enabled = self.enabled;
        }
    }
}

fn listener(unit: &Unit, address: &Text) -> Option<Listener> {
    let why = format!("`ListenStream` of `{}`", unit.name);
    let (endpoint, place) = match parse_address(address)? {
        Address::Unix(path) => {
            (Endpoint::Unix { path: paths::socket(&paths::absolute("/", path.as_str())) }, address.whole())
        }
        Address::Tcp { host, port } => {
            let bind = host.map_or(Bind::Any, |host| bind_of(host.as_str()));
            (Endpoint::Tcp { bind, port: port.as_str().parse().ok()? }, port.whole())
        }
    };
    let access = matches!(endpoint, Endpoint::Unix { .. }).then(|| access(unit));
    Some(Listener {
        endpoint,
        protocol: None,
        evidence: Evidence::Binding,
        place,
        bind_place: address.whole(),
        why,
        anywhere: None,
        access: access.map(Box::new),
    })
}

/// Everybody may connect unless it says otherwise: `SocketMode` is 0666.
fn access(unit: &Unit) -> SocketAccess {
    let mode = unit.value("Socket", "SocketMode");
    let (user, group) = (unit.value("Socket", "SocketUser"), unit.value("Socket", "SocketGroup"));
    let word = |text: &Option<Text>| text.as_ref().map_or("root", Text::as_str).to_owned();
    SocketAccess {
        owner: Some(word(&user)),
        group: Some(if group.is_none() { word(&user) } else { word(&group) }),
        mode: match &mode {
            Some(mode) => u32::from_str_radix(mode.as_str(), 8).ok(),
            None => Some(0o666),
        },
        place: mode.or(group).or(user).map(|text| text.whole()),
        ..SocketAccess::default()
    }
}
