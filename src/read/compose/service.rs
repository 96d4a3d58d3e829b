//! One service of a merged project.

use crate::read::compose::environment::{entries, raw_entries};
use crate::read::compose::latest::{keep_last, repeated};
use crate::read::compose::load::Named;
use crate::read::compose::merge::{long, names};
use crate::read::compose::model::{
    Attachment, Build, CommandForm, Condition, Dependency, Deploy, Dockerfile, EnvFile, HealthTest, Healthcheck,
    HostPath, Link, NetworkMode, PathText, Service,
};
use crate::read::compose::ports::link;
use crate::read::compose::reader::{Pair, Reader};
use crate::read::compose::tree::{Kind, Mark, Node};
use crate::read::snapshot;
use crate::source::{Spanned, Text};
use crate::syntax::compose_values::{extra_host, host_address, without_brackets};

impl Reader<'_, '_> {
    pub fn service(&mut self, name: Spanned<String>, mut node: Node, active_profiles: &[String]) -> Service {
        let (environment, env_files) = self.environment(&mut node);
        let build = self.build(&mut node).map(Box::new);
        let (networks, depends_on) = (attachments(&mut node), dependencies(&mut node));
        let (sysctls, labels) = (self.sysctls(&mut node), self.labels(&mut node));
        let node = &node;
        let profiles = self.texts(node.get("profiles"));
        let is_on = |profile: &Text| active_profiles.iter().any(|active| active == "*" || profile == active.as_str());
        let text = |key: &str| node.get(key).and_then(Node::some_text);
        Service {
            name,
            image: text("image"),
            image_is_uncertain: node.get("image").is_some_and(Node::is_incomplete),
            build,
            command: command(node.get("command")),
            entrypoint: command(node.get("entrypoint")),
            environment,
            env_files,
            ports: self.ports(node),
            expose: self.expose(node),
            mounts: self.mounts(node),
            volumes_from: self.texts(node.get("volumes_from")),
            configs: self.file_mounts(node, "configs", ""),
            secrets: self.file_mounts(node, "secrets", "/run/secrets"),
            networks,
            network_mode: network_mode(node),
            links: self.links(node, "links"),
            external_links: self.links(node, "external_links"),
            extra_hosts: self.extra_hosts(node.get("extra_hosts")),
            depends_on,
            healthcheck: self.healthcheck(node).map(Box::new),
            restart: text("restart"),
            deploy: self.deploy(node).map(Box::new),
            scale: self.number(node.get("scale")),
            mem_limit: self.size(node.get("mem_limit")),
            open_files: self.open_files(node),
            sysctls,
            is_off: !profiles.is_empty() && !profiles.iter().any(is_on),
            profiles,
            labels,
            working_dir: text("working_dir"),
            user: text("user"),
            container_name: text("container_name"),
            hostname: text("hostname"),
            terminal: ["tty", "stdin_open"]
                .iter()
                .any(|key| node.get(key).is_some_and(|value| value.as_bool() != Some(false))),
            dns: self.texts(node.get("dns")),
            privileged: node.get("privileged").and_then(Node::as_bool).unwrap_or(false),
            is_provider: node.get("provider").is_some(),
        }
    }

    /// `nofile: 4096`, or `nofile: {soft: 4096, hard: 8192}`.
    fn open_files(&mut self, node: &Node) -> Option<Spanned<u64>> {
        let limit = node.get("ulimits")?.get("nofile")?;
        self.number(Some(limit.get("soft").unwrap_or(limit)))
    }

    fn sysctls(&self, node: &mut Node) -> Vec<(Spanned<String>, Text)> {
        let pairs = self.pairs(node.take("sysctls")).into_iter();
        pairs.filter_map(|(name, value)| Some((name, value?))).collect()
    }

    fn labels(&self, node: &mut Node) -> Vec<(Spanned<String>, Text)> {
        let labels = self.pairs(node.take("labels")).into_iter();
        labels
            .map(|(name, value)| {
                let value = value.unwrap_or_else(|| Text::fixed("", name.span));
                (name, value)
            })
            .collect()
    }

    fn environment(&mut self, node: &mut Node) -> (Vec<Pair>, Vec<EnvFile>) {
        let mut env_files = Vec::new();
        let mut found: Vec<Pair> = Vec::new();
        for item in node.get("env_file").map_or(&[][..], Node::items) {
            let path = item.get("path").unwrap_or(item);
            let Some(text) = path.some_text() else { continue };
            let required = item.get("required").and_then(Node::as_bool).unwrap_or(true);
            let file = self.path(path, text.clone());
            let named = match file.path {
                HostPath::Inside(_) => self.loader.find(path.folder, text.as_str()).1,
                _ => Named::Unknown,
            };
            let read = match named {
                Named::File(number, text) => {
                    if item.get("format").and_then(Node::text).is_some_and(|format| format == "raw") {
                        found.extend(raw_entries(&text));
                    } else {
                        let (variables, problems) = entries(&text, self.environment);
                        self.loader.problems.extend(problems);
                        found.extend(variables);
                    }
                    Some(number)
                }
                Named::Absent | Named::Unknown => None,
            };
            env_files.push(EnvFile { file, required, found: read });
        }
        let mut own = self.pairs(node.take("environment"));
        self.passed_through(&mut own);
        if found.is_empty() {
            return (own, env_files);
        }
        found.extend(own);
        let again = repeated(&found, |(name, _)| name.value.as_str());
        (keep_last(found, &again), env_files)
    }

    fn build(&mut self, node: &mut Node) -> Option<Build> {
        let build = node.take("build")?;
        if matches!(build.kind, Kind::Null) {
            return None;
        }
        let mut build = long(build, "context");
        let context = match build.get("context").and_then(|node| Some((node, node.some_text()?))) {
            Some((node, text)) => self.path(node, text),
            None => {
                let folder = self.loader.folder_path(build.folder).to_owned();
                let uncertain = build.get("context").is_some_and(Node::is_incomplete);
                let path = if uncertain { HostPath::Unknown } else { HostPath::Inside(folder) };
                PathText { text: Text::fixed(".", build.span), path }
            }
        };
        let in_context = |written: &str| match &context.path {
            HostPath::Inside(folder) => snapshot::join(folder, written).map_or(HostPath::Outside, HostPath::Inside),
            other => other.clone(),
        };
        let inline = build.get("dockerfile_inline").and_then(Node::text).map(Dockerfile::Inline);
        let named = build.get("dockerfile").and_then(|node| Some((node, node.text()?)));
        let named = named.filter(|(node, text)| node.is_incomplete() || !text.as_str().is_empty());
        let dockerfile = match (inline, named) {
            (Some(inline), _) => inline,
            (None, Some((node, text))) => {
                let path = match text.as_str() {
                    _ if node.is_incomplete() => HostPath::Unknown,
                    path if path.starts_with('/') => HostPath::Outside,
                    path => in_context(path),
                };
                Dockerfile::Path(PathText { text, path })
            }
            (None, None) => {
                let text = Text::fixed("Dockerfile", context.text.whole());
                Dockerfile::Path(PathText { text, path: in_context("Dockerfile") })
            }
        };
        let mut args = self.pairs(build.take("args"));
        self.passed_through(&mut args);
        let target = build.get("target").and_then(Node::some_text);
        Some(Build { span: build.span, context, dockerfile, target, args })
    }

    fn links(&self, node: &Node, key: &str) -> Vec<Link> {
        let links = self.texts(node.get(key));
        links.iter().map(link).map(|(target, alias)| Link { target, alias }).collect()
    }

    fn extra_hosts(&mut self, node: Option<&Node>) -> Vec<(Text, Text)> {
        let mut hosts = Vec::new();
        let Some(node) = node else { return hosts };
        let mut maps = Vec::new();
        match &node.kind {
            Kind::Map(map) => maps.push(map),
            _ => {
                for item in node.items() {
                    if let Some(map) = item.map() {
                        maps.push(map);
                    } else if let Some(text) = item.text() {
                        let Some((name, address)) = self.accept(item, extra_host(&text)) else { continue };
                        self.accept(item, host_address(&address));
                        hosts.push((name, address));
                    }
                }
            }
        }
        for (name, addresses) in maps.into_iter().flat_map(|map| map.iter()) {
            for item in addresses.items() {
                let Some(address) = item.text() else { continue };
                self.accept(item, host_address(&address));
                hosts.push((name.clone(), without_brackets(&address)));
            }
        }
        hosts
    }

    fn healthcheck(&mut self, node: &Node) -> Option<Healthcheck> {
        let node = node.get("healthcheck")?;
        node.map()?;
        let test = node.get("test").and_then(|node| self.health_test(node));
        let disabled = node.get("disable").and_then(Node::as_bool).unwrap_or(false);
        Some(Healthcheck {
            span: node.span,
            disable: disabled || matches!(test, Some(HealthTest::None)),
            test,
            interval: self.duration(node.get("interval")),
            timeout: self.duration(node.get("timeout")),
            start_period: self.duration(node.get("start_period")),
            start_interval: self.duration(node.get("start_interval")),
            retries: self.number(node.get("retries")),
        })
    }

    fn health_test(&mut self, node: &Node) -> Option<HealthTest> {
        if let Some(text) = node.text() {
            return Some(HealthTest::Shell(text));
        }
        let mut words = self.texts(Some(node));
        let first = words.first()?.clone();
        words.remove(0);
        match first.as_str() {
            "NONE" => Some(HealthTest::None),
            "CMD" => Some(HealthTest::Exec(words)),
            "CMD-SHELL" => words.into_iter().next().map(HealthTest::Shell),
            _ => {
                let uncertain = node.items().first().is_some_and(Node::is_incomplete);
                if !uncertain {
                    let message = format!("a test begins with CMD, CMD-SHELL or NONE, not with `{first}`");
                    self.loader.problem(first.whole(), message);
                }
                None
            }
        }
    }

    fn deploy(&mut self, node: &Node) -> Option<Deploy> {
        let node = node.get("deploy")?;
        node.map()?;
        let limits = node.get("resources").and_then(|resources| resources.get("limits"));
        Some(Deploy {
            replicas: self.number(node.get("replicas")),
            restart_condition: node
                .get("restart_policy")
                .and_then(|policy| policy.get("condition"))
                .and_then(Node::some_text),
            memory_limit: self.size(limits.and_then(|limits| limits.get("memory"))),
        })
    }
}

/// `null` is nothing at all; an empty list or string takes away what the image says.
fn command(node: Option<&Node>) -> Option<CommandForm> {
    let node = node?;
    match &node.kind {
        Kind::Scalar(scalar) if scalar.text.as_str().is_empty() => Some(CommandForm::List(Vec::new())),
        Kind::Scalar(scalar) => Some(CommandForm::Shell(scalar.text.clone())),
        Kind::List(items) => Some(CommandForm::List(items.iter().filter_map(Node::text).collect())),
        Kind::Null | Kind::Map(_) => None,
    }
}

fn attachments(node: &mut Node) -> Option<Vec<Attachment>> {
    let Kind::Map(map) = names(node.take("networks")?).kind else { return None };
    let attachment = |(name, node): (Text, Node)| Attachment {
        span: name.whole().to(node.span),
        network: name.spanned(),
        aliases: node.get("aliases").map_or(&[][..], Node::items).iter().filter_map(Node::text).collect(),
        addresses: ["ipv4_address", "ipv6_address"].iter().filter_map(|key| node.get(key)?.some_text()).collect(),
    };
    let mut attachments = Vec::with_capacity(map.len());
    attachments.extend(map.into_iter().filter(|(_, node)| node.mark != Mark::Reset).map(attachment));
    // An empty list is the same as none.
    Some(attachments).filter(|attachments| !attachments.is_empty())
}

fn network_mode(node: &Node) -> Option<Spanned<NetworkMode>> {
    let text = node.get("network_mode")?.some_text()?;
    let mode = match text.as_str() {
        "host" => NetworkMode::Host,
        "none" => NetworkMode::None,
        "bridge" => NetworkMode::Bridge,
        other => match other.split_once(':') {
            Some(("service", name)) => NetworkMode::Service(name.to_owned()),
            Some(("container", name)) => NetworkMode::Container(name.to_owned()),
            _ => NetworkMode::Other(other.to_owned()),
        },
    };
    Some(Spanned::new(mode, text.whole()))
}

fn dependencies(node: &mut Node) -> Vec<Dependency> {
    let Some(node) = node.take("depends_on") else { return Vec::new() };
    let Kind::Map(map) = names(node).kind else { return Vec::new() };
    let dependency = |(name, node): (Text, Node)| {
        let condition = node.get("condition").and_then(Node::text);
        Dependency {
            span: name.whole().to(node.span),
            service: name.spanned(),
            condition: match condition.as_ref().map(Text::as_str) {
                None | Some("service_started") => Condition::Started,
                Some("service_healthy") => Condition::Healthy,
                Some("service_completed_successfully") => Condition::CompletedSuccessfully,
                Some(_) => Condition::Other,
            },
            required: node.get("required").and_then(Node::as_bool).unwrap_or(true),
        }
    };
    let mut dependencies = Vec::with_capacity(map.len());
    dependencies.extend(map.into_iter().filter(|(_, node)| node.mark != Mark::Reset).map(dependency));
    dependencies
}
