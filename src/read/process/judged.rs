//! What the command, the variables and the files of one process give to the movers of its program.

use std::net::Ipv4Addr;

use crate::read::catalogue::program::{Amount, Config, Localhost, Meaning, Mover, Program, Socket};
use crate::read::process::address;
use crate::read::process::flags::{Given, find, split};
use crate::read::process::follow::absolute;
use crate::read::process::moved::{Moved, is_no};
use crate::read::process::settings::{Loaded, Said, load};
use crate::read::process::{Argument, Process};
use crate::read::surroundings::{Found, Surroundings};
use crate::site::listener::{Bind, Listening, SocketAccess};
use crate::source::{Lookup, Span, Spanned, Text};

pub struct Judged<'p, 's, 'm> {
    pub process: &'p Process,
    program: &'p Program,
    surroundings: &'s Surroundings<'m>,
    /// Further arguments from a variable, weaker than the command line.
    weaker: Vec<Argument>,
    /// Words that may hold options that are not visible.
    pub hidden_options: Option<String>,
    /// They are weaker than what the command line says.
    pub hidden_are_weaker: bool,
    /// The configuration files, the strongest first.
    files: Vec<Loaded>,
}

impl<'p, 's, 'm> Judged<'p, 's, 'm> {
    pub fn new(process: &'p Process, program: &'p Program, surroundings: &'s Surroundings<'m>) -> Judged<'p, 's, 'm> {
        let mut judged = Judged {
            process,
            program,
            surroundings,
            weaker: Vec::new(),
            hidden_options: None,
            hidden_are_weaker: true,
            files: Vec::new(),
        };
        if let Some(name) = &program.arguments {
            match process.variable(name, surroundings) {
                Lookup::Value(text) => judged.weaker = split(&text),
                Lookup::Unset => {}
                Lookup::Unknown => judged.hidden_options = Some(format!("`{name}` may hold further options")),
            }
        }
        let is_hidden = |(index, word): (usize, &Argument)| {
            let is_value = || index > 0 && judged.takes_value(process.arguments[index - 1].as_str());
            !word.complete && word.as_str().is_empty() && !is_value()
        };
        if process.arguments.iter().enumerate().any(is_hidden) {
            let why = format!("options of `{}` come from a variable that is not visible", process.name);
            judged.hidden_options = Some(why);
            judged.hidden_are_weaker = false;
        }
        if let Some(config) = program.config.as_ref().filter(|_| program.reader.is_none()) {
            judged.files = judged.load(config);
        }
        judged
    }

    fn takes_value(&self, word: &str) -> bool {
        let movers = self.program.movers.iter().chain(self.program.also.iter().flat_map(|further| &further.movers));
        let config_flags = self.program.config.as_ref().and_then(|config| config.flag.as_deref()).unwrap_or("");
        self.program.values.iter().any(|option| option == word)
            || config_flags.split(' ').any(|flag| flag == word)
            || movers
                .filter(|mover| !matches!(mover.is, Meaning::Tls | Meaning::Off | Meaning::Anywhere))
                .any(|mover| mover.flag.as_deref().is_some_and(|flags| flags.split(' ').any(|flag| flag == word)))
    }

    fn load(&self, config: &Config) -> Vec<Loaded> {
        let place = self.process.place;
        let mut named: Option<Given> = None;
        if let Some(flags) = &config.flag {
            named = self.flags(flags, true).pop();
        }
        if let (None, Some(endings)) = (&named, &config.ending) {
            let ends = |word: &str| endings.split(' ').any(|ending| word.ends_with(ending));
            let is_file = |word: &&Argument| word.complete && !word.as_str().starts_with('-') && ends(word.as_str());
            named = self.process.arguments.iter().find(is_file).map(|word| Given::Value(word.text.clone()));
        }
        if let (None, Some(name)) = (&named, &config.variable) {
            named = self.variable(name);
        }
        let variable = |name: &str| self.process.variable(name, self.surroundings);
        let inner = Surroundings { directory: &self.process.directory, variable: &variable, ..*self.surroundings };
        let read = |path: &str, place: Span, named: bool| load(&config.format, path, place, named, &inner);
        match named {
            Some(Given::Value(path)) => {
                let loaded = path.as_str().split(',').filter(|path| !path.is_empty());
                loaded.filter_map(|one| read(one, path.whole(), true)).collect()
            }
            Some(Given::Unknown(span, why)) => vec![Loaded::Hidden(span, why)],
            _ => {
                let there = config.paths.iter().filter_map(|path| match self.config_path(path) {
                    Some(Ok(path)) => read(&path, place, false).or_else(|| self.not_in_files(path, place)),
                    Some(Err(why)) => Some(Loaded::Hidden(place, why)),
                    None => None,
                });
                let mut there: Vec<Loaded> =
                    there.filter(|file| !(config.seldom && matches!(file, Loaded::Hidden(..)))).collect();
                // A file that is there is the one that counts.
                if there.iter().any(|file| matches!(file, Loaded::Read { .. })) && self.surroundings.partial {
                    there.retain(|file| matches!(file, Loaded::Read { .. }));
                }
                there
            }
        }
    }

    /// A path of the catalogue with its first part put in ([`Config::paths`]); `None`: there is no such part.
    fn config_path(&self, path: &str) -> Option<Result<String, String>> {
        let Some((first, rest)) = path.split_once('/') else { return Some(Ok(path.to_owned())) };
        let name = match first {
            "{program}" | "{script}" => {
                let word = self.process.words.get(usize::from(first == "{script}"))?;
                let folder = match word.rsplit_once('/') {
                    Some((folder, _)) => folder,
                    None if first == "{script}" => ".",
                    None => return None,
                };
                return Some(Ok(absolute(&self.process.directory, &format!("{folder}/{rest}"))));
            }
            "~" => "HOME",
            first => match first.strip_prefix('$') {
                Some(name) => name,
                None => return Some(Ok(path.to_owned())),
            },
        };
        match self.process.variable(name, self.surroundings) {
            Lookup::Value(folder) => Some(Ok(format!("{}/{rest}", folder.as_str().trim_end_matches('/')))),
            Lookup::Unset => None,
            Lookup::Unknown => Some(Err(format!("`{name}` says where `{rest}` lies"))),
        }
    }

    /// A file at a place of the program's own of which nothing is in the files.
    fn not_in_files(&self, path: String, place: Span) -> Option<Loaded> {
        if !self.surroundings.partial || !path.starts_with('/') {
            return None;
        }
        let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let is_seen = !matches!((self.surroundings.file)(folder), Found::Absent | Found::Unknown);
        (!is_seen).then(|| Loaded::Hidden(place, format!("`{path}` is not in the files")))
    }

    /// What a mover is given, in the order in which it is written, and with the value of its `when`.
    pub fn given(&self, mover: &Mover) -> Vec<Given> {
        let mut given = self.given_anyhow(mover);
        if let Some(wanted) = &mover.when {
            given.retain(|one| match one {
                Given::Value(text) => wanted.split(' ').any(|value| text.as_str().eq_ignore_ascii_case(value)),
                Given::Bare(_) => false,
                Given::Unknown(..) => true,
            });
        }
        if !mover.repeats && given.len() > 1 {
            given.drain(..given.len() - 1);
        }
        given
    }

    fn given_anyhow(&self, mover: &Mover) -> Vec<Given> {
        if let Some(flags) = &mover.flag {
            let takes_value = !matches!(mover.is, Meaning::Tls | Meaning::Off) || mover.when.is_some();
            self.flags_of(mover, flags, takes_value)
        } else if let Some(names) = &mover.variable {
            self.variable(names).into_iter().collect()
        } else if let Some(keys) = &mover.key {
            self.keys(keys)
        } else if let Some(number) = mover.argument {
            self.positional(number).into_iter().collect()
        } else {
            Vec::new()
        }
    }

    /// The values that a mover is given and that are known.
    pub fn values(&self, mover: &Mover) -> Vec<Text> {
        let values = self.given(mover).into_iter().filter_map(|given| match given {
            Given::Value(text) => Some(text),
            Given::Bare(_) | Given::Unknown(..) => None,
        });
        values.collect()
    }

    /// Each of its processes works on one request at a time (`Program::single`); `None`: that is not visible.
    pub fn is_single(&self) -> Option<bool> {
        let single = self.program.single.as_ref().filter(|_| self.hidden_options.is_none())?;
        let mut known = Some(true);
        for mover in single {
            let Some(last) = self.given_anyhow(mover).pop() else { continue };
            let wanted = mover.when.as_deref().unwrap_or("");
            match last {
                Given::Value(text) if wanted.split(' ').any(|value| text.as_str().eq_ignore_ascii_case(value)) => {}
                Given::Value(_) | Given::Bare(_) => return Some(false),
                Given::Unknown(..) => known = None,
            }
        }
        known
    }

    /// Why the headers of its answers are large, and where that is seen.
    pub fn large_headers(&self) -> Option<Spanned<String>> {
        self.program.large_headers.iter().find_map(|it| {
            let place = match it.when.as_slice() {
                [] => self.process.place,
                when => when.iter().flat_map(|mover| self.given(mover)).find_map(|given| match given {
                    Given::Value(text) => Some(text.whole()),
                    Given::Bare(place) => Some(place),
                    Given::Unknown(..) => None,
                })?,
            };
            Some(Spanned::new(it.why.clone(), place))
        })
    }

    pub fn flags(&self, names: &str, takes_value: bool) -> Vec<Given> {
        let found = find(&self.process.arguments, names, takes_value, &|_| true);
        if found.is_empty() { find(&self.weaker, names, takes_value, &|_| true) } else { found }
    }

    fn flags_of(&self, mover: &Mover, names: &str, takes_value: bool) -> Vec<Given> {
        // `-production` is not `-p roduction`.
        let plausible = |value: &str| match mover.is {
            Meaning::Port | Meaning::Offset => address::port(value).is_some(),
            Meaning::Host | Meaning::Anywhere => address::host(value).is_some(),
            Meaning::Address | Meaning::Url => address::address(value).is_some(),
            Meaning::Unix => value.starts_with('/'),
            Meaning::Mode | Meaning::Umask => value.bytes().all(|byte| byte.is_ascii_digit()),
            _ => false,
        };
        let found = find(&self.process.arguments, names, takes_value, &plausible);
        if found.is_empty() { find(&self.weaker, names, takes_value, &plausible) } else { found }
    }

    fn variable(&self, names: &str) -> Option<Given> {
        for name in names.split(' ') {
            match self.process.variable(name, self.surroundings) {
                Lookup::Value(text) if text.as_str().trim().is_empty() => {}
                Lookup::Value(text) => return Some(Given::Value(text)),
                Lookup::Unset => {}
                Lookup::Unknown => {
                    return Some(Given::Unknown(self.process.place, format!("the variable `{name}` may be set")));
                }
            }
        }
        None
    }

    fn keys(&self, keys: &str) -> Vec<Given> {
        for file in &self.files {
            match file.get(keys) {
                Said::Nothing => {}
                Said::Values(values) => return values.into_iter().map(Given::Value).collect(),
                Said::Unclear(span, why) => return vec![Given::Unknown(span, why)],
            }
        }
        Vec::new()
    }

    fn positional(&self, number: usize) -> Option<Given> {
        let words = &self.process.arguments;
        let mut count = 0;
        for (index, word) in words.iter().enumerate() {
            let is_value = index > 0 && self.takes_value(words[index - 1].as_str());
            if is_value || word.as_str().starts_with('-') {
                continue;
            }
            if count == number {
                return Some(match word.complete {
                    true => Given::Value(word.text.clone()),
                    false => {
                        Given::Unknown(word.text.whole(), "it comes from a variable that is not visible".to_owned())
                    }
                });
            }
            count += 1;
        }
        None
    }

    /// What the program makes of the name `localhost` and of `0.0.0.0`.
    pub fn meant(&self, bind: Bind) -> Bind {
        match (bind, self.program.localhost) {
            (Bind::AnyIpv4, _) if !self.program.ipv4 => Bind::Any,
            (Bind::Localhost, Some(Localhost::Both)) => Bind::Loopbacks,
            (Bind::Localhost, Some(Localhost::Ipv4)) => Bind::Only(Ipv4Addr::LOCALHOST.into()),
            (bind, _) => bind,
        }
    }

    /// The folder in which relative paths of sockets start, or why it is not known.
    fn directory(&self) -> Result<String, String> {
        let changed = self.program.directory.iter().find_map(|mover| self.given(mover).pop());
        match changed {
            Some(Given::Value(folder)) => Ok(absolute(&self.process.directory, folder.as_str())),
            Some(Given::Unknown(_, why)) => Err(why),
            Some(Given::Bare(_)) | None => Ok(self.process.directory.clone()),
        }
    }

    /// The listeners of one socket.
    pub fn socket(&self, socket: &Socket, movers: &[Mover], needs: &[Mover]) -> Listening {
        let nothing = |open| Listening { listeners: Vec::new(), open };
        let directory = self.directory();
        let mut moved = Moved::new(directory.as_deref().map_err(String::as_str));
        if !needs.is_empty() {
            let given: Vec<Given> = needs.iter().flat_map(|mover| self.given(mover)).collect();
            let is_there = |one: &Given| match one {
                Given::Value(text) => !is_no(text.as_str()),
                Given::Bare(_) => true,
                Given::Unknown(..) => false,
            };
            if !given.iter().any(is_there) {
                let unknown = given.into_iter().find_map(|one| match one {
                    Given::Unknown(_, why) => Some(why),
                    _ => None,
                });
                return nothing(unknown);
            }
        }
        for mover in movers {
            for given in self.given(mover) {
                moved.apply(mover, given);
                if moved.off {
                    return nothing(None);
                }
            }
            moved.close_round();
            moved.decided_by_flag |= mover.flag.is_some() && moved.port_decided && moved.open.is_none();
        }
        moved.listening(self, socket, movers)
    }

    /// Who may connect to its unix socket.
    pub fn access(&self) -> SocketAccess {
        let mut access = SocketAccess::default();
        let Some(rules) = &self.program.access else { return access };
        let bits = |text: &str| u32::from_str_radix(text.trim(), 8).ok().filter(|bits| *bits <= 0o7777);
        access.mode = rules.mode.as_deref().and_then(bits);
        for mover in &rules.movers {
            let (text, place) = match self.given(mover).pop() {
                None => continue,
                Some(Given::Value(text)) => (text.as_str().trim().to_owned(), text.whole()),
                // `--chmod-socket` alone.
                Some(Given::Bare(place)) if mover.is == Meaning::Mode => ("666".to_owned(), place),
                Some(_) => {
                    access.mode = access.mode.filter(|_| mover.is == Meaning::Owner);
                    continue;
                }
            };
            access.place = Some(place);
            if matches!(mover.is, Meaning::Owner | Meaning::Group) {
                access.needs_root = mover.for_root.then_some(place);
            }
            match mover.is {
                Meaning::Mode => access.mode = if text.is_empty() { Some(0o666) } else { bits(&text) },
                Meaning::Umask => {
                    // As Python reads it: octal behind a zero.
                    let octal = text.strip_prefix("0o").or(text.strip_prefix('0').filter(|rest| !rest.is_empty()));
                    let mask = octal.map_or_else(|| text.parse().ok(), bits);
                    access.mode = mask.map(|mask| 0o777 & !mask);
                }
                Meaning::Owner => match text.split_once(':') {
                    Some((owner, group)) => {
                        access.owner = Some(owner.to_owned());
                        access.group = Some(group.to_owned());
                    }
                    None => access.owner = Some(text),
                },
                Meaning::Group => access.group = Some(text),
                _ => {}
            }
        }
        access
    }

    /// The name of what sets a number: of the mover that is there, else of the strongest.
    pub fn name_of(&self, amount: &Amount) -> String {
        let given = amount.movers.iter().find(|mover| !self.given(mover).is_empty()).or(amount.movers.first());
        let names = given.and_then(|it| it.flag.as_deref().or(it.key.as_deref()).or(it.variable.as_deref()));
        let longest = names.unwrap_or_default().split(' ').max_by_key(|name| name.len());
        longest.unwrap_or_default().trim_end_matches('=').to_owned()
    }

    /// What a number is set to.
    pub fn amount(&self, amount: &Amount) -> Set {
        for mover in &amount.movers {
            match self.given(mover).pop() {
                Some(Given::Value(text)) => {
                    let value = number(text.as_str(), mover.milliseconds);
                    return value.map_or(Set::Unknown, |value| Set::Written(Spanned::new(value, text.whole())));
                }
                Some(Given::Unknown(..)) => return Set::Unknown,
                Some(Given::Bare(_)) | None => {}
            }
        }
        amount.default.filter(|_| self.hidden_options.is_none()).map_or(Set::Unknown, Set::Default)
    }
}

/// `30`, `30s`, `2m`, `500ms`, `PT30S`, `00:02:10`, in whole seconds, at least 1 for what is not 0. `None`: none of these.
fn number(text: &str, milliseconds: bool) -> Option<u32> {
    let text = text.trim();
    if let [hours, minutes, seconds] = text.split(':').collect::<Vec<&str>>()[..] {
        let minutes = hours.parse::<u32>().ok()?.checked_mul(60)?.checked_add(minutes.parse().ok()?)?;
        return minutes.checked_mul(60)?.checked_add(seconds.parse().ok()?);
    }
    let text = text.strip_prefix("PT").map_or_else(|| text.to_owned(), str::to_ascii_lowercase);
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'_').count();
    let amount: u64 = text[..digits].replace('_', "").parse().ok()?;
    let thousandths = match text[digits..].trim() {
        "" if milliseconds => 1,
        "" | "s" | "seconds" => 1000,
        "ms" => 1,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    u32::try_from(amount.checked_mul(thousandths)?.div_ceil(1000)).ok()
}

/// A number of a process: a wait in seconds, a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    Written(Spanned<u32>),
    /// The program's own.
    Default(u32),
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn waits_have_units() {
        assert_eq!(number("30", false), Some(30));
        assert_eq!(number("20_000", true), Some(20));
        assert_eq!(number("1500ms", false), Some(2));
        assert_eq!(number("PT2M", false), Some(120));
        assert_eq!(number("00:02:10", false), Some(130));
        assert_eq!(number("1:2", false), None);
        assert_eq!(number("99999999999999999999", false), None);
    }
}
