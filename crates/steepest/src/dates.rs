//! Texts that are dates or times of day.

/// Whether a text is a date, with or without a time, or a time of day, as people and programs write them: ISO 8601
/// (`2024-02-29`, `2024-02-29T12:30:05.5Z`), with points, strokes or hyphens in any order (`29.2.2024`, `2/29/24`), or with the
/// name of a month (`29 Feb 2024`, `February 29, 2024`, `29-Feb-24`).
pub(crate) fn is_date(text: &str) -> bool {
    // No date is longer.
    if text.len() > 48 || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let words: Vec<&str> =
        text.split(|c: char| c.is_ascii_whitespace() || c == ',').filter(|word| !word.is_empty()).collect();
    let words = match &words[..] {
        [weekday, rest @ ..] if !rest.is_empty() && is_weekday(weekday) => rest,
        words => words,
    };
    match *words {
        [day] => day
            .split_once('T')
            .map_or(is_day(day) || is_time(day), |(day, time)| is_day(day) && is_time(time)),
        [day, time] => is_day(day) && is_time(time),
        [day, time, zone] if is_day(day) => is_time(time) && is_zone(zone),
        [a, b, c] => is_named_day([a, b, c]),
        [a, b, c, time] => is_named_day([a, b, c]) && is_time(time),
        [a, b, c, time, zone] => is_named_day([a, b, c]) && is_time(time) && is_zone(zone),
        _ => false,
    }
}

/// Three parts with the same mark between them.
fn is_day(text: &str) -> bool {
    ['-', '/', '.'].into_iter().any(|mark| match text.split(mark).collect::<Vec<_>>()[..] {
        [a, b, c] => is_numbered_day([a, b, c]) || is_named_day([a, b, c]),
        _ => false,
    })
}

/// The year first or last, a day and a month in any order.
fn is_numbered_day([a, b, c]: [&str; 3]) -> bool {
    let number = |text: &str, lengths: &[usize]| {
        let is_number = lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u32>().ok()).flatten()
    };
    let are_day_and_month = |a: &str, b: &str| match (number(a, &[1, 2]), number(b, &[1, 2])) {
        (Some(a), Some(b)) => (1..=31).contains(&a.max(b)) && (1..=12).contains(&a.min(b)),
        _ => false,
    };
    (number(a, &[4]).is_some() && are_day_and_month(b, c))
        || (number(c, &[2, 4]).is_some() && are_day_and_month(a, b))
}

/// A day, the name of a month and a year, in any of the usual orders.
fn is_named_day(parts: [&str; 3]) -> bool {
    let is_number = |text: &str| {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let ending = &text[digits.len()..];
        let fits = (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        fits && ["", "st", "nd", "rd", "th"].contains(&ending)
    };
    match parts {
        [a, b, c] if is_month(a) || is_month(b) => is_number(c) && is_number(if is_month(a) { b } else { a }),
        _ => false,
    }
}

/// Hours and minutes, with or without seconds, parts of them, a zone and half of the day.
fn is_time(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let bare = lower.strip_suffix("am").or(lower.strip_suffix("pm")).unwrap_or(&lower);
    // A sign begins a zone.
    let time = match bare.find(['+', '-']) {
        Some(at) if is_zone(&bare[at..]) => &bare[..at],
        Some(_) => return false,
        None => bare.strip_suffix('z').unwrap_or(bare),
    };
    let is_part = |text: &str, below: u32| {
        (1..=2).contains(&text.len()) && text.parse::<u32>().is_ok_and(|number| number < below)
    };
    let is_second = |text: &str| {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        is_part(whole, 61) && !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    match time.split(':').collect::<Vec<_>>()[..] {
        [hours, minutes] => is_part(hours, 25) && minutes.len() == 2 && is_part(minutes, 60),
        [hours, minutes, seconds] => is_part(hours, 25) && is_part(minutes, 60) && is_second(seconds),
        _ => false,
    }
}

/// `Z`, `UTC`, `+02:00`, `am`: what may stand behind a time.
fn is_zone(text: &str) -> bool {
    match text.strip_prefix(['+', '-']) {
        Some(hours) => {
            let digits = hours.bytes().filter(u8::is_ascii_digit).count();
            matches!(digits, 2 | 4) && hours.bytes().all(|byte| byte.is_ascii_digit() || byte == b':')
        }
        None => ["z", "utc", "gmt", "am", "pm"].iter().any(|zone| text.eq_ignore_ascii_case(zone)),
    }
}

fn is_month(text: &str) -> bool {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    is_name(text, &MONTHS)
}

fn is_weekday(text: &str) -> bool {
    is_name(text, &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"])
}

/// One of these names, or its first three letters.
fn is_name(text: &str, names: &[&str]) -> bool {
    let text = text.trim_end_matches('.');
    names.iter().any(|name| name.eq_ignore_ascii_case(text) || name[..3].eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::is_date;

    #[test]
    fn dates_and_nothing_else() {
        for date in [
            "2024-02-29",
            "2024-02-29T12:30",
            "2024-02-29T12:30:05.123Z",
            "2024-02-29T12:30:05+02:00",
            "2024-02-29 12:30:05",
            "2024-02-29 12:30:05 UTC",
            "2024/02/29",
            "2024.2.9",
            "29.02.2024",
            "29.2.24",
            "2/29/2024",
            "29/2/2024 12:30",
            "2/9/24 1:05 PM",
            "29-02-2024",
            "29-Feb-2024",
            "29 Feb 2024",
            "29 February 2024",
            "Feb 29, 2024",
            "February 29th, 2024",
            "Thu, 29 Feb 2024 12:30:05 GMT",
            "2024-Feb-29",
            "12:30",
            "9:05:59",
            "9:05am",
        ] {
            assert!(is_date(date), "{date}");
        }
        for other in [
            "",
            "2024",
            "May",
            "May 2024 report",
            "1.2.3.4",
            "1.2.3",
            "10.0.0.1",
            "555-1234",
            "123-45-6789",
            "12-34-56-78",
            "2024-13-40",
            "40.13.2024",
            "3:2",
            "1:2:99",
            "A-1-B",
            "1/2",
            "3/4/5/6",
            "12 Main Street",
            "5 May Street",
            "v1.2.2024b",
            "0.5-1.5",
            "été 2024",
            "−1-2-2024",
            "10-19 years",
        ] {
            assert!(!is_date(other), "{other}");
        }
    }
}
