//! The rules, one file each. A rule reads the site and adds findings; it knows no product and no file format.
//!
//! A rule's id is its address: `target/port-mismatch` is `rules/target/port_mismatch.rs`, its page lies beside it as
//! `port_mismatch.md`, and its cases are in `fixtures/target/port-mismatch/`.

pub mod capacity {
    pub mod header_buffer;
    pub mod memory;
    pub mod single_backend;
    pub mod workers;
}
#[cfg(test)]
mod example;
pub mod firewall {
    pub mod blocked;
    pub mod selinux;
}
pub mod lifecycle {
    pub mod config_not_loaded;
    pub mod healthcheck;
    pub mod missing_env;
    pub mod module_missing;
    pub mod no_error_page;
    pub mod no_restart;
    pub mod port_conflict;
    pub mod start_command;
    pub mod start_order;
}
pub mod socket {
    pub mod bad_address;
    pub mod not_shared;
    pub mod path_mismatch;
    pub mod permission;
    pub mod tcp_vs_socket;
}
pub mod syntax {
    pub mod compose;
    pub mod dockerfile;
    pub mod env_file;
    pub mod include_missing;
    pub mod ini;
    pub mod nginx;
    mod unreadable;
    pub mod unused_allow;
}
pub mod target {
    pub mod empty_upstream;
    pub mod host_gateway;
    pub mod localhost_in_container;
    mod loopback;
    pub mod loopback_bind;
    pub mod no_resolver;
    pub mod no_shared_network;
    pub mod not_published;
    pub mod port_mismatch;
    pub mod protocol_mismatch;
    pub mod proxy_loop;
    pub mod stale_address;
    pub mod tls_handshake;
    pub mod unknown_host;
    pub mod unused_group;
    mod words;
}
pub mod timeout {
    pub mod keepalive_race;
    pub mod order;
    mod second_proxy;
    pub mod too_low;
    mod words;
}
pub mod words;

use crate::finding::{Finding, Findings};
use crate::site::Site;

/// Every rule, in the order of the documentation.
pub const ALL: &[Rule] = &[
    target::port_mismatch::RULE,
    target::unknown_host::RULE,
    target::localhost_in_container::RULE,
    target::no_shared_network::RULE,
    target::loopback_bind::RULE,
    target::not_published::RULE,
    target::host_gateway::RULE,
    target::protocol_mismatch::RULE,
    target::proxy_loop::RULE,
    target::empty_upstream::RULE,
    target::no_resolver::RULE,
    target::stale_address::RULE,
    target::tls_handshake::RULE,
    target::unused_group::RULE,
    socket::path_mismatch::RULE,
    socket::tcp_vs_socket::RULE,
    socket::not_shared::RULE,
    socket::permission::RULE,
    socket::bad_address::RULE,
    timeout::too_low::RULE,
    timeout::order::RULE,
    timeout::keepalive_race::RULE,
    capacity::header_buffer::RULE,
    capacity::memory::RULE,
    capacity::workers::RULE,
    capacity::single_backend::RULE,
    lifecycle::start_order::RULE,
    lifecycle::healthcheck::RULE,
    lifecycle::missing_env::RULE,
    lifecycle::config_not_loaded::RULE,
    lifecycle::port_conflict::RULE,
    lifecycle::module_missing::RULE,
    lifecycle::start_command::RULE,
    lifecycle::no_restart::RULE,
    lifecycle::no_error_page::RULE,
    firewall::blocked::RULE,
    firewall::selinux::RULE,
    syntax::nginx::RULE,
    syntax::compose::RULE,
    syntax::dockerfile::RULE,
    syntax::env_file::RULE,
    syntax::ini::RULE,
    syntax::include_missing::RULE,
    syntax::unused_allow::RULE,
];

/// One kind of defect.
#[derive(Debug)]
pub struct Rule {
    /// `family/name`.
    pub id: &'static str,
    /// The page beside the rule. Its first line is `# id`, its first paragraph says in one sentence what it finds.
    pub doc: &'static str,
    pub check: fn(&Site, &mut Findings),
}

impl Rule {
    pub fn run(&self, site: &Site) -> Vec<Finding> {
        let mut findings = Findings::of(self.id);
        (self.check)(site, &mut findings);
        findings.into_vec()
    }

    /// The first paragraph of the page.
    pub fn summary(&self) -> &'static str {
        let body = self.doc.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
        body.split("\n\n").next().unwrap_or("")
    }
}
