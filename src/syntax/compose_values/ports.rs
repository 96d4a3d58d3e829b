//! The short form of published ports: `127.0.0.1:8080-8081:80-81/tcp`.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::source::{Spanned, Text};
use crate::syntax::compose_values::{LONGEST, Refusal, Rule, parse, without_brackets};

/// A short port mapping, ranges not taken apart.
#[derive(Clone, Debug)]
pub struct ShortPort {
    pub host_ip: Option<Text>,
    /// The host's side; `None`: Docker picks one.
    pub published: Option<Spanned<RangeInclusive<u16>>>,
    /// The container's side. A range of several has as many on the host's side, or none there.
    pub target: Spanned<RangeInclusive<u16>>,
    /// In lower case.
    pub protocol: Protocol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

/// Takes a mapping apart as `nat.ParsePortSpec` of docker/go-connections does.
pub fn short_port(text: &Text) -> Result<ShortPort, Refusal> {
    let refused =
        || Refusal::new(text.whole(), format!("`{text}` is no port mapping: write `host:container`, `8080:80`"));
    let mut host_ip = None;
    let mut published = None;
    let mut target = None;
    let mut protocol_of_port = Protocol::Tcp;
    if let Some((host, container)) = two_numbers(text) {
        published = Some(range(&host)?);
        target = Some(range(&container)?);
    } else {
        for pair in parse(Rule::port, text).ok_or_else(refused)? {
            let part = text.slice(pair.as_span().start()..pair.as_span().end());
            match pair.as_rule() {
                Rule::address => host_ip = Some(address(&part)?),
                Rule::published => published = Some(range(&part)?),
                Rule::target => target = Some(range(&part)?),
                Rule::protocol => protocol_of_port = protocol(&part)?,
                _ => {}
            }
        }
    }
    let target = target.ok_or_else(refused)?;
    if *target.value.start() == 0 {
        return Err(Refusal::new(target.span, "0 is no port of a container"));
    }
    if let Some(published) = &published {
        let (host, container) = (published.value.len(), target.value.len());
        if container > 1 && host != container {
            let message = format!("{host} ports of the host cannot be mapped to {container} of the container");
            return Err(Refusal::new(text.whole(), message));
        }
    }
    Ok(ShortPort { host_ip, published, target, protocol: protocol_of_port })
}

/// What most mappings are, `8080:80`, needs no grammar.
fn two_numbers(text: &Text) -> Option<(Text, Text)> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (host, container) = text.as_str().split_once(':')?;
    let both = is_number(host) && is_number(container) && text.as_str().len() <= LONGEST;
    both.then(|| (text.slice(0..host.len()), text.slice(host.len() + 1..text.as_str().len())))
}

/// The address of a host, without brackets. Names are refused.
pub fn address(text: &Text) -> Result<Text, Refusal> {
    let bare = without_brackets(text);
    match bare.as_str().parse::<IpAddr>() {
        Ok(_) => Ok(bare),
        Err(_) => Err(Refusal::new(text.whole(), format!("`{text}` is no IP address"))),
    }
}

/// `80` or `80-90`.
pub fn range(text: &Text) -> Result<Spanned<RangeInclusive<u16>>, Refusal> {
    let refused = || Refusal::new(text.whole(), format!("`{text}` is no port"));
    let port = |digits: &str| {
        Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?.parse::<u16>().ok()
    };
    let (first, last) = text.as_str().split_once('-').unwrap_or((text.as_str(), text.as_str()));
    let (first, last) = (port(first).ok_or_else(refused)?, port(last).ok_or_else(refused)?);
    if first > last {
        return Err(refused());
    }
    Ok(Spanned::new(first..=last, text.whole()))
}

pub fn protocol(text: &Text) -> Result<Protocol, Refusal> {
    match text.as_str().to_ascii_lowercase().as_str() {
        "tcp" | "" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        "sctp" => Ok(Protocol::Sctp),
        _ => Err(Refusal::new(text.whole(), format!("`{text}` is no protocol: write tcp, udp or sctp"))),
    }
}

#[cfg(test)]
mod tests {
    use super::short_port;
    use crate::source::Sources;

    fn shown(value: &str) -> Result<String, String> {
        let mut sources = Sources::default();
        let file = sources.add("value", value);
        let port = short_port(&sources.text(file)).map_err(|refusal| sources.quote(refusal.span).to_owned())?;
        let published = port.published.map_or("-".to_owned(), |range| format!("{:?}", range.value));
        let host = port.host_ip.map_or("*".to_owned(), |host| host.to_string());
        Ok(format!("{host} {published} {:?} {:?}", port.target.value, port.protocol))
    }

    #[test]
    fn forms() {
        assert_eq!(shown("80").unwrap(), "* - 80..=80 Tcp");
        assert_eq!(shown("8080:80/UDP").unwrap(), "* 8080..=8080 80..=80 Udp");
        assert_eq!(shown("127.0.0.1::80").unwrap(), "127.0.0.1 - 80..=80 Tcp");
        assert_eq!(shown("[::1]:8000-8002:90-92").unwrap(), "::1 8000..=8002 90..=92 Tcp");
        assert_eq!(shown(":80").unwrap(), "* - 80..=80 Tcp");
        assert_eq!(shown(":8080:80").unwrap(), "* 8080..=8080 80..=80 Tcp");
        assert_eq!(shown("3000-3001:080").unwrap(), "* 3000..=3001 80..=80 Tcp");
    }

    #[test]
    fn the_part_that_is_wrong() {
        assert_eq!(shown("80:70000").unwrap_err(), "70000");
        assert_eq!(shown("localhost:80:80").unwrap_err(), "localhost");
        assert_eq!(shown("80:80/http").unwrap_err(), "http");
        assert_eq!(shown("80:0").unwrap_err(), "0");
        assert_eq!(shown("80-81:80-82").unwrap_err(), "80-81:80-82");
        for wrong in ["", "80:", "a:80", " 80:80", "127.0.0.1:80", "::1:80:80", "80:80:"] {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
    }
}
