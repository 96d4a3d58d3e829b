//! What a firewall of the host does with connections that arrive there.

use std::net::IpAddr;

use crate::source::{Span, Spanned};

/// The rules for incoming packets of one firewall.
#[derive(Clone, Debug)]
pub struct Firewall {
    /// To be quoted: "ufw".
    pub tool: String,
    /// It is what the host loads; otherwise a script that somebody has to run.
    pub certain: bool,
    /// In their order: the first one that fits decides.
    pub rules: Vec<PacketRule>,
    /// What happens to a packet that no rule fits.
    pub policy: Spanned<Verdict>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    /// Without an answer.
    Drop,
    /// With an answer that says so.
    Reject,
}

/// A rule for new TCP connections; what is `None` fits everything.
#[derive(Clone, Debug)]
pub struct PacketRule {
    pub verdict: Verdict,
    pub interface: Option<Interface>,
    pub source: Option<Network>,
    pub destination: Option<Network>,
    /// First and last destination port of each range.
    pub ports: Option<Vec<(u16, u16)>>,
    /// It asks for something else as well, so it may or may not fit.
    pub unclear: bool,
    pub place: Span,
}

/// The interface on which a packet arrives; a `+` or `*` at the end stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    pub negated: bool,
}

/// The addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    pub address: IpAddr,
    pub bits: u8,
}

/// The system keeps web servers from connecting to anything but a few ports and sockets.
#[derive(Clone, Debug)]
pub struct Confinement {
    /// The setting that switches it on.
    pub place: Span,
    /// Ports that stay open to them.
    pub ports: Vec<u16>,
    /// Patterns of paths that were given a label of their own.
    pub folders: Vec<String>,
    /// What lets them connect to any port.
    pub switch: &'static str,
}

/// Where a connection to the host comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The host itself.
    Loopback,
    /// A container on Docker's default bridge.
    DefaultBridge,
    /// A container on a network of its own.
    Bridge,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fits {
    Yes,
    No,
    Maybe,
}

impl Firewall {
    /// What becomes of a connection to this port of the host, and the text that decides; `None`: it is not known.
    pub fn judge(&self, origin: Origin, port: u16) -> Option<(Verdict, Span)> {
        let mut may_be_stopped = false;
        for rule in &self.rules {
            match (rule.fits(origin, port), rule.verdict) {
                (Fits::No, _) => {}
                (Fits::Yes, Verdict::Accept) => return (!may_be_stopped).then_some((Verdict::Accept, rule.place)),
                (Fits::Yes, verdict) => return Some((verdict, rule.place)),
                (Fits::Maybe, Verdict::Accept) => return None,
                (Fits::Maybe, _) => may_be_stopped = true,
            }
        }
        match self.policy.value {
            Verdict::Accept if may_be_stopped => None,
            verdict => Some((verdict, self.policy.span)),
        }
    }
}

impl PacketRule {
    fn fits(&self, origin: Origin, port: u16) -> Fits {
        let mut all = if self.unclear { Fits::Maybe } else { Fits::Yes };
        let ports =
            self.ports.as_ref().is_none_or(|ports| ports.iter().any(|(first, last)| *first <= port && port <= *last));
        let parts = [
            if ports { Fits::Yes } else { Fits::No },
            self.interface.as_ref().map_or(Fits::Yes, |interface| interface.fits(origin)),
            self.source.map_or(Fits::Yes, |network| network.fits(origin)),
            self.destination.map_or(Fits::Yes, |network| network.fits(origin)),
        ];
        for part in parts {
            match part {
                Fits::No => return Fits::No,
                Fits::Maybe => all = Fits::Maybe,
                Fits::Yes => {}
            }
        }
        all
    }
}

/// Beginnings of the names of interfaces that no bridge of Docker has.
const OTHERS: &[&str] =
    &["lo", "eth", "en", "wl", "ww", "ppp", "tun", "tap", "wg", "bond", "vlan", "tailscale", "venet"];

impl Interface {
    fn fits(&self, origin: Origin) -> Fits {
        let fits = self.fits_plainly(origin);
        match (fits, self.negated) {
            (Fits::Yes, true) => Fits::No,
            (Fits::No, true) => Fits::Yes,
            _ => fits,
        }
    }

    fn fits_plainly(&self, origin: Origin) -> Fits {
        let (stem, open) = match self.name.strip_suffix(['+', '*']) {
            Some(stem) => (stem, true),
            None => (self.name.as_str(), false),
        };
        let named = |interface: &str| if open { interface.starts_with(stem) } else { interface == stem };
        let is_other = OTHERS.iter().any(|other| stem.starts_with(other));
        let certain = match origin {
            Origin::Loopback => named("lo"),
            Origin::DefaultBridge => named("docker0"),
            Origin::Bridge => open && "br-".starts_with(stem),
        };
        // The name of a network's bridge is made from a number, or chosen by its options.
        match origin {
            _ if certain => Fits::Yes,
            Origin::Bridge if !is_other && stem != "docker0" => Fits::Maybe,
            _ => Fits::No,
        }
    }
}

impl Network {
    /// `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `10.1.2.3`
    pub fn parse(text: &str) -> Option<Network> {
        let (address, mask) = text.split_once('/').map_or((text, None), |(address, mask)| (address, Some(mask)));
        let address: IpAddr = address.parse().ok()?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let bits = match mask {
            None => widest,
            Some(mask) => match (mask.parse::<u8>(), mask.parse::<IpAddr>()) {
                (Ok(bits), _) if bits <= widest => bits,
                (_, Ok(IpAddr::V4(mask))) => u32::from(mask).leading_ones() as u8,
                _ => return None,
            },
        };
        Some(Network { address, bits })
    }

    fn holds(self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                u32::from(own) & mask == u32::from(other) & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                u128::from(own) & mask == u128::from(other) & mask
            }
            _ => false,
        }
    }

    fn overlaps(self, other: Network) -> bool {
        self.holds(other.address) || other.holds(self.address)
    }

    /// Docker takes the networks of its bridges from 172.17.0.0/16 to 172.31.0.0/16 and then from 192.168.0.0/16, unless
    /// it is told others, which are private ones as well (docs.docker.com/engine/network/#automatic-subnet-allocation).
    fn fits(self, origin: Origin) -> Fits {
        let v4 = |a, b, c, d, bits| Network { address: IpAddr::from([a, b, c, d]), bits };
        if self.bits == 0 {
            return Fits::Yes;
        }
        if origin == Origin::Loopback {
            return if self.holds(IpAddr::from([127, 0, 0, 1])) { Fits::Yes } else { Fits::No };
        }
        let usual = v4(172, 16, 0, 0, 12);
        if self.bits <= usual.bits && self.holds(usual.address) {
            return Fits::Yes;
        }
        let private = [usual, v4(192, 168, 0, 0, 16), v4(10, 0, 0, 0, 8), v4(100, 64, 0, 0, 10)];
        if private.iter().any(|it| it.overlaps(self)) { Fits::Maybe } else { Fits::No }
    }
}

#[cfg(test)]
mod tests {
    use super::{Firewall, Interface, Network, Origin, PacketRule, Verdict};
    use crate::source::{FileId, Span, Spanned};

    const HERE: Span = Span { file: FileId(0), start: 0, end: 1 };

    fn accept() -> PacketRule {
        PacketRule {
            verdict: Verdict::Accept,
            interface: None,
            source: None,
            destination: None,
            ports: None,
            unclear: false,
            place: HERE,
        }
    }

    fn verdict(rules: Vec<PacketRule>, origin: Origin) -> Option<Verdict> {
        let policy = Spanned::new(Verdict::Drop, HERE);
        let firewall = Firewall { tool: "x".to_owned(), certain: true, rules, policy };
        firewall.judge(origin, 9000).map(|(verdict, _)| verdict)
    }

    fn interface(name: &str) -> PacketRule {
        PacketRule { interface: Some(Interface { name: name.to_owned(), negated: false }), ..accept() }
    }

    fn source(network: &str) -> PacketRule {
        PacketRule { source: Network::parse(network), ..accept() }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let other = PacketRule { ports: Some(vec![(22, 22), (80, 90)]), ..accept() };
        let own = PacketRule { ports: Some(vec![(8000, 9000)]), ..accept() };
        assert_eq!(verdict(vec![other.clone()], Origin::Bridge), Some(Verdict::Drop));
        assert_eq!(verdict(vec![other, own.clone()], Origin::Bridge), Some(Verdict::Accept));
        assert_eq!(verdict(vec![PacketRule { unclear: true, ..own }], Origin::Bridge), None);
    }

    #[test]
    fn interfaces_and_addresses_of_bridges() {
        for (name, bridge, default, loopback) in [
            ("lo", Some(Verdict::Drop), Some(Verdict::Drop), Some(Verdict::Accept)),
            ("docker0", Some(Verdict::Drop), Some(Verdict::Accept), Some(Verdict::Drop)),
            ("br-+", Some(Verdict::Accept), Some(Verdict::Drop), Some(Verdict::Drop)),
            ("br-77aa", None, Some(Verdict::Drop), Some(Verdict::Drop)),
            ("eth0", Some(Verdict::Drop), Some(Verdict::Drop), Some(Verdict::Drop)),
        ] {
            assert_eq!(verdict(vec![interface(name)], Origin::Bridge), bridge, "{name}");
            assert_eq!(verdict(vec![interface(name)], Origin::DefaultBridge), default, "{name}");
            assert_eq!(verdict(vec![interface(name)], Origin::Loopback), loopback, "{name}");
        }
        assert_eq!(verdict(vec![source("172.16.0.0/12")], Origin::Bridge), Some(Verdict::Accept));
        assert_eq!(verdict(vec![source("0.0.0.0/0")], Origin::Bridge), Some(Verdict::Accept));
        assert_eq!(verdict(vec![source("172.17.0.0/255.255.0.0")], Origin::Bridge), None);
        assert_eq!(verdict(vec![source("203.0.113.7")], Origin::Bridge), Some(Verdict::Drop));
        assert_eq!(verdict(vec![source("127.0.0.0/8")], Origin::Loopback), Some(Verdict::Accept));
    }
}
