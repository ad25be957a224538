//! Parsers of durations, sizes and booleans.

use std::time::Duration;

/// Parses `30m`, `1h 30m`, `500ms`, or a number of seconds.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let unit = |unit: &str| match unit {
        "ms" => Some(1),
        "" | "s" | "sec" | "second" | "seconds" => Some(1_000),
        "m" | "min" | "minute" | "minutes" => Some(60_000),
        "h" | "hour" | "hours" => Some(60 * 60_000),
        "d" | "day" | "days" => Some(24 * 60 * 60_000),
        _ => None,
    };
    let parts = quantities(text)?;
    // Among several numbers, one without a unit is a mistake.
    if parts.len() > 1 && parts.iter().any(|(_, unit)| unit.is_empty()) {
        return None;
    }
    let millis = |(number, name): &(u64, &str)| number.checked_mul(unit(name)?);
    let mut all = parts.iter().map(millis);
    all.try_fold(0u64, |sum, part| sum.checked_add(part?)).map(Duration::from_millis)
}

/// Parses `256 KiB`, `1MiB`, or a number of bytes.
pub(super) fn size(text: &str) -> Option<usize> {
    let [(number, unit)] = quantities(text)?[..] else { return None };
    let unit = match unit {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        _ => return None,
    };
    usize::try_from(number.checked_mul(unit)?).ok()
}

pub(super) fn flag(text: &str) -> Option<bool> {
    let is_any = |of: [&str; 4]| of.iter().any(|it| text.trim().eq_ignore_ascii_case(it));
    match text {
        _ if is_any(["true", "yes", "on", "1"]) => Some(true),
        _ if is_any(["false", "no", "off", "0"]) => Some(false),
        _ => None,
    }
}

/// Splits the text into numbers with their units, at least one.
fn quantities(text: &str) -> Option<Vec<(u64, &str)>> {
    let mut rest = text.trim();
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        parts.push((number.parse().ok()?, unit));
        rest = after.trim_start();
    }
    (!parts.is_empty()).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_units_or_is_a_number_of_seconds() {
        for (text, millis) in [
            ("30m", 1_800_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            (" 12 hours ", 43_200_000),
            ("500ms", 500),
            ("0", 0),
            ("90", 90_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        let long = format!("{}d", u64::MAX);
        for text in ["", " ", "m", "30 minuets", "-5m", "1.5h", "5m 3", "3 5m", "1h,2m", &long] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_size_is_a_number_of_bytes_or_has_a_binary_unit() {
        for (text, bytes) in [("1000", 1_000), ("256 kib", 262_144), ("1mib", 1_048_576)] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "kib", "1 kb", "1kib 1", "-1", "99999999999999999999mib"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
