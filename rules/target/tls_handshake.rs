//! A hop speaks TLS in a way that the other side refuses, or that the proxy itself cannot accept.

use super::words::{host_and_port, product};
use crate::finding::Findings;
use crate::rules::Rule;
use crate::site::Site;
use crate::site::listener::Protocol;
use crate::site::proxy::{Hop, Host, Target, To};
use crate::site::reach::{End, Reach};

pub const RULE: Rule = Rule { id: "target/tls-handshake", doc: include_str!("tls_handshake.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for (end, hop) in site.ends() {
        if !matches!(hop.protocol.value, Protocol::Https | Protocol::Http2Tls) {
            continue;
        }
        trust(site, hop, findings);
        name_of_group(site, end, hop, findings);
        let Some((host, _)) = host_and_port(site, end) else { continue };
        match &host.value {
            Host::Name(name) if matches!(end.reach, Reach::Leaves) && is_public(name) => {
                server_name(site, end, hop, name, findings)
            }
            Host::Address(address) if !address.is_loopback() => bare_address(site, end, hop, findings),
            _ => {}
        }
    }
}

/// One without a dot is a neighbour's, and these last labels are no public ones (RFC 6762, appendix G; RFC 8375; ICANN's
/// `internal`): a machine of one's own seldom has several sites behind one address.
fn is_public(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let private = ["lan", "local", "internal", "intranet", "corp", "home", "private", "localdomain", "consul"];
    !name.ends_with(".home.arpa") && name.rsplit_once('.').is_some_and(|(_, last)| !private.contains(&last))
}

/// A public name mostly stands for several sites on one address, which tell the certificate by the name in the handshake.
fn server_name(site: &Site, end: &End, hop: &Hop, host: &str, findings: &mut Findings) {
    let proxy = site.proxy(hop.proxy);
    let answers = format!("{} answers {} when the other side needs it", proxy.product, proxy.answers.nonsense);
    match &hop.settings.tls.server_name {
        // The block that it is included into may switch it on.
        None if proxy.machine.is_none() && !proxy.complete => {}
        None => {
            let message = format!("the TLS handshake does not name `{host}`");
            findings.warning(end.place, message).label(answers).help(switch_on(hop));
        }
        Some(sent) if !sent.value => {
            let message = format!("the TLS handshake does not name `{host}`");
            let finding = findings.warning(sent.span, message).label("the server name is switched off here");
            finding.note(end.place, answers).help(switch_on(hop));
        }
        Some(_) => {
            let Some(name) = site.tls_name(hop).filter(|name| !name.value.contains(['.', '$'])) else { return };
            let message = format!("the TLS handshake asks for `{name}`, which no public server is called");
            let finding = findings.warning(name.span, message).label("this name is sent");
            finding.note(end.place, answers).help(format!("send `{host}` as the server name"));
        }
    }
}

fn switch_on(hop: &Hop) -> String {
    match &hop.settings.tls.server_name_setting {
        Some(setting) => format!("switch on `{setting}`, which sends the name (SNI)"),
        None => "send the server name (SNI) to this target".to_owned(),
    }
}

/// The certificate is checked, and there is no name that it could be valid for.
fn bare_address(site: &Site, end: &End, hop: &Hop, findings: &mut Findings) {
    if site.tls_name(hop).is_some() || !hop.settings.tls.verify.as_ref().is_some_and(|verify| verify.value) {
        return;
    }
    let Some((host, _)) = host_and_port(site, end) else { return };
    let proxy = site.proxy(hop.proxy);
    let finding =
        findings.warning(end.place, format!("few certificates are valid for a bare address such as `{host}`"));
    finding.label(format!("{} checks the certificate and answers {}", proxy.product, proxy.answers.nonsense));
    finding.help("say which name the certificate has, or speak plain HTTP on a network that you trust");
}

/// The certificate is checked against the name of the group, which is known to nobody else.
fn name_of_group(site: &Site, end: &End, hop: &Hop, findings: &mut Findings) {
    let To::Group(group) = hop.to else { return };
    let group = &site.groups[group];
    let is_checked = hop.settings.tls.verify.as_ref().is_some_and(|verify| verify.value);
    if !is_checked || hop.settings.tls.name.is_some() || group.name.value.contains('.') {
        return;
    }
    let is_host = |host: &Host| matches!(host, Host::Name(name) if *name == group.name.value);
    let mut targets = group.servers.iter().filter_map(|server| server.to.as_ref().ok());
    let is_a_host = targets.any(|target| matches!(target, Target::Tcp { host, .. } if is_host(&host.value)));
    let is_first = end.server.is_some_and(|(_, number)| number == 0);
    if is_a_host || !is_first || matches!(end.reach, Reach::Leaves) && hop.settings.tls.server_name.is_some() {
        return;
    }
    let proxy = site.proxy(hop.proxy);
    let message = format!("the certificate has to be valid for `{}`, the name of the group", group.name);
    let finding = findings.warning(hop.place, message);
    finding.label(format!("{} checks it and answers {}", proxy.product, proxy.answers.nonsense));
    finding.note(group.name.span, "the group").help("say which name the certificate has");
}

fn trust(site: &Site, hop: &Hop, findings: &mut Findings) {
    let Some(verify) = hop.settings.tls.verify.as_ref().filter(|verify| verify.value) else { return };
    if hop.settings.tls.trusted.is_some() {
        return;
    }
    let finding = findings.warning(verify.span, "certificates are checked, and no authority is trusted");
    finding.label(format!("{} accepts no certificate", product(site, hop)));
    finding
        .note(hop.place, "this target is asked with TLS")
        .help("name the file with the certificates of the authorities to trust");
}
