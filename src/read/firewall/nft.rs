//! Rules of nft, as `nft list ruleset` and /etc/nftables.conf have them: the chains that hook into what comes in (nft(8)).

use crate::read::firewall::iptables::ports;
use crate::site::firewall::{Firewall, Interface, Network, PacketRule, Verdict};
use crate::source::{Span, Spanned, Text};

/// One firewall for each chain with `hook input`: a packet has to pass all of them.
pub fn read(text: &Text, certain: bool) -> Vec<Firewall> {
    let mut firewalls = Vec::new();
    let mut family = String::new();
    let mut chain: Option<Chain> = None;
    // Braces of tables and chains; those of sets close on their own line.
    let mut start = 0;
    let mut set_open = false;
    for line in text.as_str().split_inclusive('\n') {
        let from = start;
        start += line.len();
        let bare = line.split('#').next().unwrap_or_default().trim();
        if bare.is_empty() {
            continue;
        }
        let offset = line.find(bare).unwrap_or(0);
        let place = text.span(from + offset..from + offset + bare.len());
        let opens = bare.matches('{').count();
        let closes = bare.matches('}').count();
        if set_open {
            // The rest of a set that runs over several lines: the rule is not understood.
            set_open = closes <= opens;
            continue;
        }
        if let Some(rest) = bare.strip_prefix("table ") {
            family = rest.split_whitespace().next().unwrap_or_default().to_owned();
        } else if bare.starts_with("chain ") {
            chain = Some(Chain::default());
        } else if bare == "}" {
            firewalls.extend(chain.take().and_then(|chain| chain.firewall(certain)));
        } else if let Some(chain) = &mut chain {
            set_open = opens > closes;
            for statement in bare.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
                if matches!(family.as_str(), "ip" | "inet") {
                    chain.statement(statement, place, set_open);
                }
            }
        }
    }
    firewalls
}

#[derive(Default)]
struct Chain {
    hooked: Option<Span>,
    policy: Option<Spanned<Verdict>>,
    rules: Vec<PacketRule>,
}

impl Chain {
    fn firewall(self, certain: bool) -> Option<Firewall> {
        // Without a policy everything is accepted.
        let policy = self.policy.unwrap_or(Spanned::new(Verdict::Accept, self.hooked?));
        self.hooked?;
        Some(Firewall { tool: "nft".to_owned(), certain, rules: self.rules, policy })
    }

    fn statement(&mut self, statement: &str, place: Span, cut: bool) {
        if statement.starts_with("type ") {
            let words: Vec<&str> = statement.split_whitespace().collect();
            if words.windows(2).any(|pair| pair == ["hook", "input"]) && words.contains(&"filter") {
                self.hooked = Some(place);
            }
            return;
        }
        if let Some(policy) = statement.strip_prefix("policy ") {
            self.policy = verdict(policy.trim()).map(|verdict| Spanned::new(verdict, place));
            return;
        }
        let mut rule = match rule(statement, place) {
            Some(rule) => rule,
            None => return,
        };
        rule.unclear |= cut;
        self.rules.push(rule);
    }
}

fn verdict(word: &str) -> Option<Verdict> {
    match word {
        "accept" => Some(Verdict::Accept),
        "drop" => Some(Verdict::Drop),
        "reject" => Some(Verdict::Reject),
        _ => None,
    }
}

/// One rule; `None`: it is not about new TCP connections, or decides nothing.
fn rule(statement: &str, place: Span) -> Option<PacketRule> {
    let mut rule = PacketRule {
        verdict: Verdict::Accept,
        interface: None,
        source: None,
        destination: None,
        ports: None,
        unclear: false,
        place,
    };
    let words = words(statement);
    let mut decides = false;
    let mut at = 0;
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    while at < words.len() {
        // A set in braces, or one value.
        let negated = matches!(word(at + 1), "!=") || matches!(word(at + 2), "!=");
        match (word(at), word(at + 1)) {
            ("iif" | "iifname" | "meta", _) if word(at) != "meta" || matches!(word(at + 1), "iif" | "iifname") => {
                at += usize::from(word(at) == "meta") + 1 + usize::from(negated);
                rule.unclear |= word(at).starts_with('{');
                rule.interface = Some(Interface { name: word(at).trim_matches('"').to_owned(), negated });
            }
            ("tcp", "dport") => {
                at += 2 + usize::from(negated);
                rule.ports = ports(word(at).trim_matches(['{', '}', ' ']));
                rule.unclear |= negated || rule.ports.is_none();
            }
            ("udp" | "icmp" | "icmpv6" | "ip6", _) => return None,
            ("ip", "protocol") | ("meta", "l4proto") => {
                at += 2 + usize::from(negated);
                let protocols = word(at).trim_matches(['{', '}', ' ']);
                if !negated && !protocols.split(',').any(|protocol| protocol.trim() == "tcp") {
                    return None;
                }
                rule.unclear |= negated;
            }
            ("ip", side @ ("saddr" | "daddr")) => {
                at += 2 + usize::from(negated);
                let network = Network::parse(word(at));
                rule.unclear |= negated || network.is_none();
                if side == "saddr" {
                    rule.source = network;
                } else {
                    rule.destination = network;
                }
            }
            ("ct", "state") => {
                at += 2 + usize::from(negated);
                let fits = word(at).trim_matches(['{', '}', ' ']).split(',').any(|state| state.trim() == "new");
                if !fits && !negated && word(at) != "vmap" {
                    return None;
                }
                rule.unclear |= negated || word(at) == "vmap";
            }
            ("counter", _) if word(at + 1) == "packets" => at += 4,
            ("counter" | "continue", _) => {}
            ("log", _) => {
                while matches!(word(at + 1), "prefix" | "level" | "group" | "flags") {
                    at += 2;
                }
            }
            ("comment", _) => at += 1,
            ("reject", "with") => {
                rule.verdict = Verdict::Reject;
                decides = true;
                break;
            }
            ("jump" | "goto", _) => {
                // Another chain may accept it.
                rule.unclear = true;
                decides = true;
                break;
            }
            ("vmap", _) => {
                rule.unclear = true;
                decides = true;
            }
            (last, _) => match verdict(last) {
                Some(verdict) => {
                    rule.verdict = verdict;
                    decides = true;
                }
                None => rule.unclear = true,
            },
        }
        at += 1;
    }
    // A rule that is not understood at all may accept.
    (decides || rule.unclear).then_some(rule)
}

/// Words at blanks; a set in braces or a text in quotes is one.
fn words(statement: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut depth, mut quoted) = (0_usize, false);
    for character in statement.chars() {
        match character {
            '"' => quoted = !quoted,
            '{' if !quoted => depth += 1,
            '}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if character.is_whitespace() && depth == 0 && !quoted {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push(character);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::site::firewall::{Origin, Verdict};
    use crate::source::{FileId, Text};

    fn verdict(rules: &str, origin: Origin) -> Option<Verdict> {
        let all = format!(
            "flush ruleset\ntable inet filter {{\n  chain input {{\n    type filter hook input priority 0; policy drop;\n{rules}\n  }}\n  chain forward {{\n    type filter hook forward priority 0; policy drop;\n  }}\n}}\n"
        );
        let firewalls = read(&Text::of_file(FileId(0), all.as_str()), true);
        assert_eq!(firewalls.len(), 1);
        firewalls[0].judge(origin, 9000).map(|(verdict, _)| verdict)
    }

    #[test]
    fn chains_of_what_comes_in() {
        let usual = "ct state established,related accept\nct state invalid drop\nip protocol icmp accept\ntcp dport { 22, 80, 443 } accept\n";
        assert_eq!(verdict(usual, Origin::Bridge), Some(Verdict::Drop));
        assert_eq!(verdict(usual, Origin::Loopback), Some(Verdict::Drop));
        for lo in ["iif lo accept", "iif \"lo\" accept", "iifname lo counter accept", "meta iifname lo accept"] {
            assert_eq!(verdict(&format!("{lo}\n{usual}"), Origin::Loopback), Some(Verdict::Accept), "{lo}");
        }
        assert_eq!(verdict("tcp dport 8000-9000 accept", Origin::Bridge), Some(Verdict::Accept));
        assert_eq!(verdict("ip saddr 172.16.0.0/12 tcp dport { 9000 } accept", Origin::Bridge), Some(Verdict::Accept));
        assert_eq!(verdict("iifname \"br-*\" accept", Origin::Bridge), Some(Verdict::Accept));
        assert_eq!(verdict("ct state vmap { established : accept, invalid : drop }", Origin::Bridge), None);
        assert_eq!(verdict("ip saddr @office accept", Origin::Bridge), None);
        assert_eq!(verdict("tcp dport {\n 22,\n 9000\n } accept", Origin::Bridge), None);
    }
}
