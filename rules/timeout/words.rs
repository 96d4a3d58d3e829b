//! Phrases and measures of the rules about waits.

use crate::site::proxy::Wait;

/// Below this many seconds an ordinary slow page is a failure.
pub const ANSWER: f64 = 5.0;

/// "60 s", "500 ms".
pub fn duration(seconds: f64) -> String {
    if seconds < 1.0 { format!("{} ms", (seconds * 1000.0).round()) } else { format!("{seconds} s") }
}

/// By a quarter and by five seconds at least: people let one side give up a little before the other on purpose.
/// A wait of 0 has no end for some programs.
pub fn is_longer(left: f64, right: f64) -> bool {
    right > 0.0 && left >= right * 1.25 && left >= right + 5.0
}

/// "`proxy_read_timeout` is 60 s unless it is set".
pub fn default_of(wait: &Wait) -> String {
    format!("`{}` is {} unless it is set", wait.setting, duration(wait.seconds))
}

/// "`proxy_read_timeout` is 30 s", and whether that is the default.
pub fn waits_for(wait: &Wait) -> String {
    match wait.written {
        Some(_) => format!("`{}` is {}", wait.setting, duration(wait.seconds)),
        None => default_of(wait),
    }
}

#[cfg(test)]
mod tests {
    use super::is_longer;

    #[test]
    fn a_little_is_not_longer() {
        assert!(is_longer(300.0, 60.0));
        assert!(!is_longer(65.0, 60.0));
        assert!(!is_longer(3.0, 1.0));
        assert!(!is_longer(30.0, 0.0));
    }
}
