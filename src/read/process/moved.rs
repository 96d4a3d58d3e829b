//! Puts together what the movers of one socket say.

use std::cell::LazyCell;

use crate::read::catalogue::program::{Meaning, Mover, Socket};
use crate::read::process::address::{self, Address};
use crate::read::process::flags::Given;
use crate::read::process::follow::absolute;
use crate::read::process::judged::Judged;
use crate::site::listener::{Bind, Endpoint, Evidence, Listener, Listening, Protocol, SocketAccess};
use crate::source::{Span, Text};

/// What the movers have said so far.
pub struct Moved<'d> {
    /// Where relative socket paths start, or why that is not known.
    directory: Result<&'d str, &'d str>,
    addresses: Vec<(Address, Span)>,
    ports: Vec<(u16, Span)>,
    bind: Option<(Bind, Span)>,
    /// The bind address that comes with a port, unless a host is given.
    along: Option<(Bind, Span)>,
    offset: u16,
    protocol: Option<Protocol>,
    protocol_unknown: bool,
    tls: bool,
    /// The socket is not opened.
    pub off: bool,
    /// A stronger mover has decided the port, and a weaker one may not.
    pub port_decided: bool,
    /// A flag of the command has decided it.
    pub decided_by_flag: bool,
    pub open: Option<String>,
}

impl<'d> Moved<'d> {
    pub fn new(directory: Result<&'d str, &'d str>) -> Moved<'d> {
        Moved {
            directory,
            addresses: Vec::new(),
            ports: Vec::new(),
            bind: None,
            along: None,
            offset: 0,
            protocol: None,
            protocol_unknown: false,
            tls: false,
            off: false,
            port_decided: false,
            decided_by_flag: false,
            open: None,
        }
    }

    /// A path as an absolute one.
    fn absolute(&mut self, path: &str) -> Option<String> {
        match self.directory {
            Ok(directory) => Some(absolute(directory, path)),
            Err(_) if path.starts_with('/') => Some(absolute("/", path)),
            Err(why) => {
                self.undecided(why.to_owned());
                None
            }
        }
    }

    /// After the last occurrence of a mover: weaker ones may only add what is still missing.
    pub fn close_round(&mut self) {
        self.port_decided = !self.ports.is_empty()
            || self.open.is_some()
            || self.addresses.iter().any(|(address, _)| address.port.is_some() || address.unix.is_some());
    }

    pub fn apply(&mut self, mover: &Mover, given: Given) {
        let text = match given {
            Given::Value(text) => text,
            Given::Bare(place) => return self.apply_bare(mover, place),
            Given::Unknown(place, why) => return self.apply_unknown(mover, place, why),
        };
        let (value, place) = (text.as_str().trim(), text.whole());
        match mover.is {
            Meaning::Tls if mover.when.is_some() || !is_no(value) => self.tls = true,
            Meaning::Off if mover.when.is_some() || !is_no(value) => self.off = true,
            Meaning::Tls | Meaning::Off => {}
            Meaning::Plain => self.tls = false,
            Meaning::Speaks => self.protocol = mover.protocol,
            Meaning::Mode | Meaning::Umask | Meaning::Owner | Meaning::Group => {}
            Meaning::Unclear => self.undecided(format!("what `{value}` means for it is not known")),
            Meaning::Offset => self.offset = value.parse().unwrap_or(0),
            Meaning::Port => {
                if self.port_decided {
                    return;
                }
                let ports: Vec<Option<u16>> =
                    value.split([';', ',']).filter(|part| !part.trim().is_empty()).map(address::port).collect();
                if ports.is_empty() || ports.contains(&None) {
                    return self.undecided(format!("`{value}` is no port number"));
                }
                self.ports.extend(ports.into_iter().flatten().map(|port| (port, place)));
                self.protocol = self.protocol.or(mover.protocol);
                let along = mover.on.as_deref().and_then(address::host);
                self.along = self.along.or(along.map(|bind| (bind, place)));
            }
            Meaning::Anywhere if mover.when.is_some() || value.eq_ignore_ascii_case("true") => {
                self.apply_bare(mover, place)
            }
            Meaning::Anywhere if is_no(value) => {}
            // Where a host may be a path as well, it is one: `HTTP_ADDR = /run/gitea.sock`.
            Meaning::Host if value.starts_with('/') => {
                self.ports.clear();
                self.addresses.push((address::unix(value), place));
            }
            Meaning::Host | Meaning::Anywhere => {
                let bind = address::host(value).unwrap_or(Bind::Unknown);
                self.bind.get_or_insert((bind, place));
            }
            Meaning::Unix => {
                if !self.port_decided {
                    let Some(path) = self.absolute(value) else { return };
                    self.addresses.push((address::unix(&path), place));
                    self.protocol = self.protocol.or(mover.protocol);
                }
            }
            Meaning::Address | Meaning::Url => self.apply_addresses(mover, &text),
        }
    }

    fn apply_addresses(&mut self, mover: &Mover, text: &Text) {
        let mut at = 0;
        for piece in text.as_str().split_inclusive([',', ';']) {
            let written = piece.trim_end_matches([',', ';']);
            let place = text.span(at..at + written.len());
            at += piece.len();
            // `http=:80,HTTP` names the protocol behind the address.
            let is_note = !self.addresses.is_empty() && written.bytes().all(|byte| byte.is_ascii_uppercase());
            if written.trim().is_empty() || is_note {
                continue;
            }
            let relative = is_relative_path(written.trim()).then(|| address::unix(written.trim()));
            let Some(mut address) = relative.or_else(|| address::address(written)) else {
                // A name of the machine's own: the port counts, the address is not known.
                let port = written.rsplit_once(':').and_then(|(_, port)| address::port(port));
                match port.filter(|_| !self.port_decided) {
                    Some(port) => {
                        let address = Address { bind: Some(Bind::Unknown), port: Some(port), ..Address::default() };
                        self.addresses.push((address, place));
                    }
                    None => self.undecided(format!("`{}` is no address that can be read", written.trim())),
                }
                continue;
            };
            if self.port_decided {
                if let Some(bind) = address.bind.filter(|_| self.bind.is_none() && address.unix.is_none()) {
                    self.bind = Some((bind, place));
                }
                continue;
            }
            if let Some(path) = address.unix.take() {
                let Some(path) = self.absolute(&path) else { continue };
                address = Address { mode: address.mode, ..address::unix(&path) };
            }
            address.protocol = address.protocol.or(mover.protocol);
            self.addresses.push((address, place));
        }
    }

    fn apply_bare(&mut self, mover: &Mover, place: Span) {
        match mover.is {
            Meaning::Tls => self.tls = true,
            Meaning::Off => self.off = true,
            Meaning::Anywhere => {
                self.bind.get_or_insert((Bind::Any, place));
            }
            _ => self.undecided("an option has no value".to_owned()),
        }
    }

    fn apply_unknown(&mut self, mover: &Mover, place: Span, why: String) {
        match mover.is {
            Meaning::Tls => self.protocol_unknown = true,
            Meaning::Plain => self.protocol_unknown |= self.tls,
            Meaning::Host | Meaning::Anywhere => {
                self.bind.get_or_insert((Bind::Unknown, place));
            }
            Meaning::Off => self.open = Some(why),
            _ => self.undecided(why),
        }
    }

    /// A mover is there and cannot be followed, so nothing weaker counts either.
    fn undecided(&mut self, why: String) {
        if !self.port_decided {
            self.open.get_or_insert(why);
        }
    }

    pub fn listening(mut self, judged: &Judged, socket: &Socket, movers: &[Mover]) -> Listening {
        let place = judged.process.place;
        let mut result = Listening { listeners: Vec::new(), open: self.open.take() };
        let default = LazyCell::new(|| socket.default.as_deref().and_then(address::address).unwrap_or_default());
        let mut evidence = Evidence::Binding;
        let mut addresses: Vec<(Address, Span)> = Vec::new();
        for (mut address, at) in std::mem::take(&mut self.addresses) {
            if address.port.is_none() && address.unix.is_none() {
                self.bind = self.bind.or(address.bind.map(|bind| (bind, at)));
                address.port = self.ports.first().map(|(port, _)| *port).or(default.port);
            }
            addresses.push((address, at));
        }
        if addresses.is_empty() {
            for (port, at) in &self.ports {
                addresses.push((Address { port: Some(*port), ..Address::default() }, *at));
            }
        }
        // Options that are not visible may say anything that the others leave open.
        let hidden = judged.hidden_options.is_some();
        if let Some(why) = &judged.hidden_options
            && !(self.decided_by_flag && judged.hidden_are_weaker)
        {
            result.open.get_or_insert(why.clone());
        }
        let is_default = || default.port.is_some() || default.unix.is_some();
        if addresses.is_empty() && result.open.is_none() && is_default() {
            addresses.push((Address { bind: None, ..default.clone() }, place));
            evidence = Evidence::Default;
        }
        let why = match evidence {
            Evidence::Default => format!("the default of `{}`", judged.process.name),
            Evidence::Binding => format!("`{}` is told to", judged.process.name),
        };
        for (address, at) in addresses {
            let (bind, bind_place) = match (address.bind, self.bind, self.along) {
                (Some(bind), _, _) => (bind, at),
                (None, Some(given), _) => given,
                (None, None, Some(along)) => along,
                (None, None, None) if hidden => (Bind::Unknown, place),
                (None, None, None) => (default.bind.unwrap_or(Bind::Any), place),
            };
            let bind = judged.meant(bind);
            let mut moved = address.clone();
            moved.port = moved.port.and_then(|port| port.checked_add(self.offset));
            moved.bind = Some(bind);
            let Some(endpoint) = moved.endpoint(bind) else {
                result.open.get_or_insert("its port is chosen when it starts".to_owned());
                continue;
            };
            let is_unix = matches!(endpoint, Endpoint::Unix { .. });
            result.listeners.push(Listener {
                endpoint,
                protocol: if hidden { None } else { self.spoken(address.protocol, socket) },
                evidence,
                place: at,
                bind_place,
                why: why.clone(),
                anywhere: anywhere(movers, address.port),
                access: is_unix.then(|| {
                    let access = judged.access();
                    Box::new(match address.mode {
                        Some(mode) => SocketAccess { mode: Some(mode), place: Some(at), ..access },
                        None => access,
                    })
                }),
            });
        }
        result
    }

    fn spoken(&self, by_address: Option<Protocol>, socket: &Socket) -> Option<Protocol> {
        if self.protocol_unknown {
            return None;
        }
        match by_address.or(self.protocol).or(socket.protocol) {
            Some(Protocol::Http) if self.tls => Some(Protocol::Https),
            Some(Protocol::Http2) if self.tls => Some(Protocol::Http2Tls),
            spoken => spoken,
        }
    }
}

/// What to write so that the socket is open on every address: the strongest mover that can say so.
fn anywhere(movers: &[Mover], port: Option<u16>) -> Option<String> {
    movers.iter().find_map(|mover| {
        if mover.argument.is_some() && mover.is == Meaning::Address {
            return Some(format!("0.0.0.0:{}", port?));
        }
        let (flag, variable) = (mover.flag.as_deref(), mover.variable.as_deref());
        let names = flag.or(variable)?.split(' ');
        let name = names.clone().find(|name| name.starts_with("--")).or_else(|| names.clone().next())?;
        let between = if flag.is_some() { ' ' } else { '=' };
        match mover.is {
            Meaning::Host | Meaning::Anywhere => Some(format!("{name}{between}0.0.0.0")),
            Meaning::Address => Some(format!("{name}{between}0.0.0.0:{}", port?)),
            _ => None,
        }
    })
}

/// `app.sock` and `run/app.sock`: no host is written like this.
fn is_relative_path(value: &str) -> bool {
    let ends = value.ends_with(".sock") || value.ends_with(".socket");
    (ends || value.contains('/'))
        && !value.starts_with('/')
        && !value.contains(':')
        && !value.contains(char::is_whitespace)
}

/// A value that switches off.
pub fn is_no(value: &str) -> bool {
    ["", "0", "false", "no", "off", "none"].iter().any(|no| value.eq_ignore_ascii_case(no))
}
