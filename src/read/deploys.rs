//! Deploy commands in scripts, workflows and guides: `docker compose up -d --build api` replaces one container and
//! leaves the others running.

use crate::read::compose::model::Project;
use crate::read::stack::Machines;
use crate::site::Site;
use crate::source::{Sources, Span};

/// Options of `docker compose up` that take a value (docs.docker.com/reference/cli/docker/compose/up).
const VALUED: &[&str] =
    &["-t", "--timeout", "--scale", "--pull", "--exit-code-from", "--attach", "--no-attach", "--wait-timeout"];

/// Options with which a running container is replaced.
const REPLACING: &[&str] = &["--build", "--force-recreate", "--no-deps"];

/// Notes on each machine the command that replaces it and none of the proxies in front of it.
pub fn read(site: &mut Site, sources: &Sources, projects: &[Project], machines: &Machines) {
    let proxies: Vec<usize> = site.proxies.iter().filter_map(|proxy| proxy.machine).map(|id| id.0).collect();
    if proxies.is_empty() {
        return;
    }
    for (file, source) in sources.files() {
        if !is_guide(&source.path) || memchr::memmem::find(source.text.as_bytes(), b"compose").is_none() {
            continue;
        }
        let text = sources.text(file);
        let mut start = 0;
        for line in source.text.split_inclusive('\n') {
            let from = start;
            start += line.len();
            let Some((services, range)) = services(line) else { continue };
            // In a guide a plain `up` is how a service is started, not how it is replaced.
            if is_prose(&source.path) && !REPLACING.iter().any(|flag| line.contains(flag)) {
                continue;
            }
            for number in 0..projects.len() {
                let replaced: Vec<_> = services.iter().filter_map(|name| machines.get(number, name)).collect();
                if replaced.is_empty() || replaced.iter().any(|id| proxies.contains(&id.0)) {
                    continue;
                }
                let place: Span = text.span(from + range.0..from + range.1);
                for id in replaced {
                    site.machines[id.0].replaced_alone.get_or_insert(place);
                }
            }
        }
    }
}

fn is_guide(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let folder = path.contains(".github/workflows/") || path.contains(".gitlab-ci");
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    folder || matches!(ending, "sh" | "md" | "mk" | "txt") || matches!(name.as_str(), "makefile" | "justfile")
}

fn is_prose(path: &str) -> bool {
    [".md", ".txt"].iter().any(|ending| path.to_ascii_lowercase().ends_with(ending))
}

/// The services that an `up` in this line names, and where the command stands in it.
fn services(line: &str) -> Option<(Vec<&str>, (usize, usize))> {
    let begin = line.find("docker compose").or_else(|| line.find("docker-compose"))?;
    let rest = &line[begin..];
    let end = rest.find(['`', ';', '&', '|', '"', '\'', '#', '\n']).unwrap_or(rest.len());
    let command = rest[..end].trim_end();
    let mut words = command.split_whitespace().skip_while(|word| *word != "up");
    words.next()?;
    let mut services = Vec::new();
    while let Some(word) = words.next() {
        if VALUED.contains(&word) {
            words.next();
        } else if !word.starts_with('-') {
            services.push(word);
        }
    }
    (!services.is_empty()).then_some((services, (begin, begin + command.len())))
}

#[cfg(test)]
mod tests {
    use super::services;

    #[test]
    fn commands() {
        let named = |line| services(line).map(|(services, _)| services.join(" "));
        assert_eq!(
            named("  docker compose -f prod.yml up -d --build api worker && true").as_deref(),
            Some("api worker")
        );
        assert_eq!(named("run `docker-compose up -d --no-deps -t 5 web`.").as_deref(), Some("web"));
        assert_eq!(named("docker compose up -d").as_deref(), None);
        assert_eq!(named("docker compose pull api").as_deref(), None);
    }
}
