//! What the catalogue says of a program: where it listens, and what moves it elsewhere.

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::site::listener::Protocol;

/// An entry of `programs.yaml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Program {
    /// The documentation that says so: an address, or the name of the document.
    pub source: String,
    /// The first socket: `http 127.0.0.1:8000`, `tcp 5432`, `http` alone when nothing is open until a mover says so,
    /// `none` for a program that never listens.
    pub listen: Option<Socket>,
    /// What moves the first socket, the strongest first.
    pub movers: Vec<Mover>,
    /// The first socket is opened only when one of these is there.
    pub needs: Vec<Mover>,
    /// Further sockets with their own movers.
    pub also: Vec<Further>,
    /// The configuration file that movers with a `key` look into.
    pub config: Option<Config>,
    /// What names the folder that it changes to before it opens its sockets, so that their relative paths start there.
    pub directory: Vec<Mover>,
    /// What it makes of the name `localhost`: `both` loopback addresses, or the one of `ipv4`.
    pub localhost: Option<Localhost>,
    /// It takes `0.0.0.0` at its word, which leaves IPv6 out; others are believed to open both.
    pub ipv4: bool,
    /// A variable that holds further arguments, weaker than those of the command line.
    pub arguments: Option<String>,
    /// Who may connect when the socket is a path.
    pub access: Option<Access>,
    /// Its listeners stand in a configuration of its own, which the reader of this name reads: `nginx`, `php-fpm`, …
    pub reader: Option<String>,
    /// Options that take a value, so that the value is not mistaken for an argument.
    pub values: Vec<String>,
    /// Why it cannot be told where it listens, unless a mover says so.
    pub open: Option<String>,
    /// It leaves the foreground by itself, so that the next command of a script starts beside it.
    pub daemon: bool,
    /// Seconds after which it gives up on a request of its own accord; 0: never.
    pub timeout: Option<Amount>,
    /// Seconds for which an idle connection is kept open; 0: it is closed after each answer.
    pub keepalive: Option<Amount>,
    /// Processes.
    pub workers: Option<Amount>,
    /// Each of its processes works on one request at a time, and is killed with it, as long as each of these is not there
    /// or has the value of its `when`. Otherwise `timeout` is how long a process may give no sign of life.
    pub single: Option<Vec<Mover>>,
    /// A process is killed at its `timeout` even when it works on several requests.
    pub kills: bool,
    /// Further waits for a request, each of which holds on its own.
    pub ends: Vec<Ending>,
    /// How many connections may wait until they are taken in.
    pub queue: Option<Amount>,
    /// It does not start when the system allows fewer than `queue`.
    pub queue_or_nothing: bool,
    /// Bytes for the header of a request, which is dropped without an answer when it is larger.
    pub request_header: Option<Amount>,
    /// The headers of its answers are known to be large.
    pub large_headers: Vec<LargeHeaders>,
}

/// What a program listens on when it is told `localhost`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Localhost {
    Both,
    Ipv4,
}

/// Why the headers of a program's answers are large.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LargeHeaders {
    /// A sentence without a dot: "Magento names the tags of its cache in a header".
    pub why: String,
    /// It holds when one of these is there; always, when there is none.
    #[serde(default)]
    pub when: Vec<Mover>,
}

/// A socket besides the first.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Further {
    pub listen: Socket,
    #[serde(default)]
    pub movers: Vec<Mover>,
    /// It is opened only when one of these is there.
    #[serde(default)]
    pub needs: Vec<Mover>,
}

/// A wait after which a request is over.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ending {
    /// Seconds.
    pub after: Amount,
    pub how: How,
    /// It holds for the sockets that one of these opens; for all of them, when there is none.
    #[serde(default)]
    pub of: Vec<Mover>,
}

/// How a program ends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It closes the connection without an answer.
    Cut,
    /// It answers with an error.
    Answered,
}

/// Who may connect to a unix socket.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// The permission bits that it has by default, octal; without it, the umask decides.
    pub mode: Option<String>,
    /// What changes them, and owner and group; the last one that is there counts.
    pub movers: Vec<Mover>,
}

/// A protocol and, where there is a default, the address.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Socket {
    /// `None`: the program never listens.
    pub protocol: Option<Protocol>,
    /// `localhost:5173`, `8080` for every address, `?:8080` where the bind address depends on the version, and
    /// `$HOSTNAME:3000` for the address that the machine's own name stands for.
    pub default: Option<String>,
}

/// Something that moves a socket when it is there: exactly one of `flag`, `variable`, `key`, `argument`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mover {
    /// Names of the flag, separated by blanks.
    pub flag: Option<String>,
    /// Names of the variable, separated by blanks, the strongest first.
    pub variable: Option<String>,
    /// Keys in the program's configuration file, separated by blanks; `%20` is a blank in a key.
    pub key: Option<String>,
    /// The argument without a dash with this number, from 0.
    pub argument: Option<usize>,
    /// What the value says.
    pub is: Meaning,
    /// The address that is bound along with a port given this way.
    pub on: Option<String>,
    /// It counts only when it has this value.
    pub when: Option<String>,
    /// A wait that is given without a unit counts milliseconds, not seconds.
    pub milliseconds: bool,
    /// Each time it is given it adds a socket; otherwise the last one counts.
    pub repeats: bool,
    /// It has no effect unless the process is started as root.
    pub for_root: bool,
    /// The socket speaks this once the mover is there.
    #[serde(deserialize_with = "protocol")]
    pub protocol: Option<Protocol>,
}

/// What the value of a mover says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Meaning {
    /// A port number; several, separated by `;` or `,`.
    Port,
    /// A number that is added to the port: the offset that some servers know.
    Offset,
    /// An address or the name of one.
    Host,
    /// The same; without a value, or `true`, it means every address.
    Anywhere,
    /// `host:port`, `:port`, `port`, `unix:/path`, `/path`, several of them separated by commas.
    Address,
    /// `http://host:port`, several of them separated by `;` or `,`; `https` speaks TLS.
    Url,
    /// The path of a unix socket.
    Unix,
    /// TLS is spoken.
    Tls,
    /// TLS is not spoken, whatever else is said.
    Plain,
    /// What `protocol` says is spoken.
    Speaks,
    /// Permission bits of the unix socket, octal.
    Mode,
    /// The umask with which the unix socket is made, octal behind a zero.
    Umask,
    /// The owner of the unix socket, or `owner:group`.
    Owner,
    Group,
    /// The socket is not opened.
    Off,
    /// What it does cannot be told.
    #[default]
    Unclear,
}

/// A number that a program waits or counts to: the number alone, or `{default: 30, movers: […]}`.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "AmountNotation")]
pub struct Amount {
    pub default: Option<u32>,
    /// What sets it, the strongest first.
    pub movers: Vec<Mover>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AmountNotation {
    Alone(u32),
    Moved { default: Option<u32>, movers: Vec<Mover> },
}

impl From<AmountNotation> for Amount {
    fn from(notation: AmountNotation) -> Amount {
        match notation {
            AmountNotation::Alone(default) => Amount { default: Some(default), movers: Vec::new() },
            AmountNotation::Moved { default, movers } => Amount { default, movers },
        }
    }
}

/// Where a program's configuration file is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The format, as `read::app::settings` knows it.
    pub format: String,
    /// Flags that name the file, separated by blanks.
    pub flag: Option<String>,
    /// The first argument that ends like one of these names the file: `.ini .yaml`.
    pub ending: Option<String>,
    /// A variable that names the file.
    pub variable: Option<String>,
    /// Where it is looked for otherwise; relative paths start in the working directory. The first part may be `~`, a
    /// variable as in `$CATALINA_BASE/conf`, `{program}` for the folder of the program, or `{script}` for the folder of
    /// the second word of its name. The first one there counts.
    pub paths: Vec<String>,
    /// Where it cannot be seen it is believed to move nothing: it is always there and seldom says it.
    pub seldom: bool,
}

impl Program {
    /// It never listens.
    pub fn is_silent(&self) -> bool {
        self.listen.as_ref().is_some_and(|socket| socket.protocol.is_none())
    }
}

impl TryFrom<String> for Socket {
    type Error = String;

    fn try_from(text: String) -> Result<Socket, String> {
        let (protocol, default) = match text.split_once(' ') {
            Some((protocol, address)) => (protocol, Some(address.trim().to_owned())),
            None => (text.as_str(), None),
        };
        if protocol == "none" {
            return Ok(Socket { protocol: None, default: None });
        }
        let protocol = protocol_named(protocol).ok_or_else(|| format!("`{protocol}` is no protocol"))?;
        Ok(Socket { protocol: Some(protocol), default })
    }
}

/// The protocol of this name in the data files.
pub fn protocol_named(name: &str) -> Option<Protocol> {
    Some(match name {
        "http" => Protocol::Http,
        "https" => Protocol::Https,
        "http2" => Protocol::Http2,
        "http2tls" => Protocol::Http2Tls,
        "fastcgi" => Protocol::FastCgi,
        "uwsgi" => Protocol::Uwsgi,
        "scgi" => Protocol::Scgi,
        "ajp" => Protocol::Ajp,
        "tcp" => Protocol::Tcp,
        _ => return None,
    })
}

fn protocol<'d, D: Deserializer<'d>>(value: D) -> Result<Option<Protocol>, D::Error> {
    let name = String::deserialize(value)?;
    protocol_named(&name).map(Some).ok_or_else(|| D::Error::custom(format!("`{name}` is no protocol")))
}
