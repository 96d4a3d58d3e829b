//! The small languages inside of the strings of a compose file: variables, ports, mounts, images, times and sizes.
//!
//! Each function takes a [`Text`] and gives texts that still know where they stand. Verdicts and results were compared
//! with `docker compose config` 2.40.

pub mod interpolation;
pub mod ports;
pub mod volumes;
pub mod words;

use std::net::IpAddr;

use pest::Parser;
use pest_derive::Parser;

use crate::source::{Span, Text};

#[derive(Parser)]
#[grammar = "../grammar/compose.pest"]
struct Grammar;

/// Values longer than this are not taken apart: no real one is, and the grammars recurse.
const LONGEST: usize = 64 * 1024;

/// Why a value cannot be read, and the part that is to blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub span: Span,
    pub message: String,
}

impl Refusal {
    fn new(span: Span, message: impl Into<String>) -> Refusal {
        Refusal { span, message: message.into() }
    }
}

/// The parts of an image reference.
#[derive(Clone, Debug)]
pub struct Image {
    /// `ghcr.io`, `localhost:5000`; `None` for Docker Hub.
    pub registry: Option<Text>,
    /// `nginx`, `library/nginx`, `bitnami/nginx`.
    pub path: Text,
    pub tag: Option<Text>,
    pub digest: Option<Text>,
}

/// Takes an image reference apart (`distribution/reference`): `registry/path:tag@digest`.
pub fn image(text: &Text) -> Result<Image, Refusal> {
    let refused = || Refusal::new(text.whole(), format!("`{text}` is no image reference"));
    let pairs = parse(Rule::image, text).ok_or_else(refused)?;
    let mut image = Image { registry: None, path: text.clone(), tag: None, digest: None };
    for pair in pairs {
        let part = text.slice(pair.as_span().start()..pair.as_span().end());
        match pair.as_rule() {
            Rule::registry => image.registry = Some(part),
            Rule::path => image.path = part,
            Rule::tag => image.tag = Some(part),
            Rule::digest => image.digest = Some(part),
            _ => {}
        }
    }
    Ok(image)
}

/// The name and the address of an `extra_hosts` item; the address without brackets. It may be `host-gateway`.
pub fn extra_host(text: &Text) -> Result<(Text, Text), Refusal> {
    let refused = || Refusal::new(text.whole(), format!("`{text}` has no address: write `name=address`"));
    let pairs: Vec<_> = parse(Rule::extra_host, text).ok_or_else(refused)?.collect();
    let [name, address, ..] = &pairs[..] else { return Err(refused()) };
    let slice = |pair: &pest::iterators::Pair<'_, Rule>| text.slice(pair.as_span().start()..pair.as_span().end());
    Ok((slice(name), without_brackets(&slice(address))))
}

/// The address of a host without its brackets; Docker takes nothing but an IP address and `host-gateway`.
pub fn host_address(text: &Text) -> Result<Text, Refusal> {
    let address = without_brackets(text);
    // An IPv6 address may name the interface that it is for: `fe80::1%eth0`.
    let number = address.as_str().split('%').next().unwrap_or_default();
    if address == "host-gateway" || number.parse::<IpAddr>().is_ok() {
        return Ok(address);
    }
    Err(Refusal::new(text.whole(), format!("`{text}` is no IP address: write one, or `host-gateway`")))
}

/// `[::1]` without its brackets.
pub fn without_brackets(text: &Text) -> Text {
    let inside = text.as_str().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside.map_or_else(|| text.clone(), |inside| text.slice(1..1 + inside.len()))
}

/// Seconds of a Go duration, with days and weeks as compose adds them: `1m30s`, `-1.5h`, `2d`. Only `0` needs no unit.
pub fn duration(text: &Text) -> Result<f64, Refusal> {
    // Nearly all are one number and one unit.
    let digits = text.as_str().bytes().take_while(u8::is_ascii_digit).count();
    if let (Ok(amount), Some(seconds)) = (text.as_str()[..digits].parse::<f64>(), seconds(&text.as_str()[digits..])) {
        return Ok(amount * seconds);
    }
    let refused = || Refusal::new(text.whole(), format!("`{text}` is no duration: write a number with a unit, `30s`"));
    let pairs = parse(Rule::duration, text).ok_or_else(refused)?;
    let (mut total, mut amount, mut sign) = (0.0, 0.0, 1.0);
    for pair in pairs {
        match pair.as_rule() {
            Rule::sign if pair.as_str() == "-" => sign = -1.0,
            Rule::amount => amount = pair.as_str().parse::<f64>().map_err(|_| refused())?,
            Rule::unit => total += amount * seconds(pair.as_str()).ok_or_else(refused)?,
            _ => {}
        }
    }
    Ok(sign * total)
}

/// How many seconds a unit of time has.
fn seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => return None,
    })
}

/// Bytes of a memory size: `512M`, `1.5gb`, `1024`. Units are powers of 1024 (docker/go-units, `RAMInBytes`).
pub fn size(text: &Text) -> Result<u64, Refusal> {
    let refused = || Refusal::new(text.whole(), format!("`{text}` is no size: write a number with a unit, `512m`"));
    let pairs = parse(Rule::size, text).ok_or_else(refused)?;
    let (mut amount, mut power) = (0.0, 0);
    for pair in pairs {
        match pair.as_rule() {
            Rule::size_amount => amount = pair.as_str().parse::<f64>().map_err(|_| refused())?,
            Rule::size_unit => power = "kmgtp".find(&pair.as_str().to_ascii_lowercase()).map_or(0, |at| at as i32 + 1),
            _ => {}
        }
    }
    Ok((amount * 1024f64.powi(power)) as u64)
}

/// The parts of a value; `None` when the grammar refuses it.
fn parse<'t>(rule: Rule, text: &'t Text) -> Option<pest::iterators::Pairs<'t, Rule>> {
    if text.as_str().len() > LONGEST {
        return None;
    }
    Some(Grammar::parse(rule, text.as_str()).ok()?.next()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::{duration, extra_host, host_address, image, size};
    use crate::source::{Sources, Text};

    fn text(value: &str) -> Text {
        let mut sources = Sources::default();
        let file = sources.add("value", value);
        sources.text(file)
    }

    #[test]
    fn images() {
        let shown = |value: &str| {
            let image = image(&text(value)).ok()?;
            let part = |part: Option<Text>| part.map_or("-".to_owned(), |part| part.to_string());
            Some(format!("{} {} {} {}", part(image.registry), image.path, part(image.tag), part(image.digest)))
        };
        assert_eq!(shown("nginx").unwrap(), "- nginx - -");
        assert_eq!(shown("bitnami/nginx:1.27-alpine").unwrap(), "- bitnami/nginx 1.27-alpine -");
        assert_eq!(shown("ghcr.io/shop/api:v2").unwrap(), "ghcr.io shop/api v2 -");
        assert_eq!(shown("localhost:5000/api").unwrap(), "localhost:5000 api - -");
        assert_eq!(shown("localhost/api").unwrap(), "localhost api - -");
        assert_eq!(shown("a/b@sha256:0af1").unwrap(), "- a/b - sha256:0af1");
        assert_eq!(shown("registry:5000/a__b/c-d.e:1@sha256:00").unwrap(), "registry:5000 a__b/c-d.e 1 sha256:00");
        for wrong in ["", "Nginx", "nginx:", "nginx:a b", "a//b", "-a", "nginx@"] {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn extra_hosts() {
        let shown = |value: &str| extra_host(&text(value)).map(|(name, address)| format!("{name} {address}")).ok();
        assert_eq!(shown("db:10.0.0.1").unwrap(), "db 10.0.0.1");
        assert_eq!(shown("db=[::1]").unwrap(), "db ::1");
        assert_eq!(shown("db:::1").unwrap(), "db ::1");
        assert_eq!(shown("db"), None);
        assert!(host_address(&text("host-gateway")).is_ok());
        assert!(host_address(&text("[fd00::1]")).is_ok());
        assert!(host_address(&text("host:gateway")).is_err());
    }

    #[test]
    fn durations_and_sizes() {
        let seconds = |value: &str| duration(&text(value)).ok();
        assert_eq!(seconds("1m30s"), Some(90.0));
        assert_eq!(seconds("1d12h"), Some(129_600.0));
        assert_eq!(seconds("-1.5s"), Some(-1.5));
        assert_eq!((seconds("0"), seconds("10"), seconds(""), seconds("1 s")), (Some(0.0), None, None, None));
        let bytes = |value: &str| size(&text(value)).ok();
        assert_eq!((bytes("512M"), bytes("1.5 GiB"), bytes("64")), (Some(536_870_912), Some(1_610_612_736), Some(64)));
        assert_eq!((bytes("much"), bytes("1mm"), bytes("-1m")), (None, None, None));
    }
}
