//! Times as nginx writes them.

/// Seconds of `60`, `60s`, `1m30s`, `500ms`, `1d`. A number without unit counts seconds
/// (nginx.org/en/docs/syntax.html). `None`: nginx would refuse it, or it is not visible.
pub fn seconds(text: &str) -> Option<f64> {
    let mut total = 0.0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[..digits].parse::<u64>().ok()? as f64;
        rest = &rest[digits..];
        let unit = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        total += number
            * match &rest[..unit] {
                "ms" => 0.001,
                "" | "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                "w" => 604_800.0,
                "M" => 2_592_000.0,
                "y" => 31_536_000.0,
                _ => return None,
            };
        rest = rest[unit..].trim_start();
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times() {
        assert_eq!(seconds("60"), Some(60.0));
        assert_eq!(seconds("1m30s"), Some(90.0));
        assert_eq!(seconds("1h 30m"), Some(5400.0));
        assert_eq!(seconds("500ms"), Some(0.5));
        assert_eq!(seconds("five"), None);
        assert_eq!(seconds("$time"), None);
    }
}
