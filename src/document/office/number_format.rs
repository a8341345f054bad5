//! Numbers as Excel shows them: a date is stored as days, a share as its hundredth.

/// What a cell's number format asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum NumberFormat {
    /// As it is.
    General,
    /// `decimals` digits, `is_grouped` by thousands, a percentage, and text on either side.
    Number {
        decimals: usize,
        is_grouped: bool,
        is_percent: bool,
        prefix: String,
        suffix: String,
    },
    /// A date, a time of day, or both.
    Date { has_date: bool, has_time: bool },
}

impl NumberFormat {
    /// The built-in formats have ids and no code.
    pub fn built_in(id: u64) -> Self {
        Self::parse(match id {
            1 => "0",
            2 => "0.00",
            3 => "#,##0",
            4 => "#,##0.00",
            9 => "0%",
            10 => "0.00%",
            14..=17 => "yyyy-mm-dd",
            18..=21 | 45..=47 => "hh:mm:ss",
            22 => "yyyy-mm-dd hh:mm",
            37 | 38 => "#,##0",
            39 | 40 => "#,##0.00",
            _ => return Self::General,
        })
    }

    /// Reads a format's code: its first section, which is for positive numbers.
    pub fn parse(code: &str) -> Self {
        let mut literal = [String::new(), String::new()];
        let mut digits = String::new();
        let mut chars = code.chars();
        let mut dates = String::new();
        while let Some(c) = chars.next() {
            let side = usize::from(!digits.is_empty());
            match c {
                ';' => break,
                '"' => literal[side].extend(chars.by_ref().take_while(|c| *c != '"')),
                '\\' => literal[side].extend(chars.next()),
                '_' | '*' => drop(chars.next()),
                '[' => {
                    let inside: String = chars.by_ref().take_while(|c| *c != ']').collect();
                    match inside.strip_prefix('$') {
                        Some(currency) => {
                            literal[side].push_str(currency.split('-').next().unwrap_or_default())
                        }
                        None if matches!(inside.as_str(), "h" | "hh" | "m" | "mm" | "s" | "ss") => {
                            dates.push_str(&inside)
                        }
                        None => {}
                    }
                }
                '0' | '#' | '?' | '.' | ',' | '%' => digits.push(c),
                c if c.is_ascii_alphabetic() => dates.push(c.to_ascii_lowercase()),
                c => literal[side].push(c),
            }
        }
        if dates.starts_with("general") || (digits.is_empty() && dates.is_empty()) {
            return Self::General;
        }
        if dates.contains(['y', 'd', 'h', 's', 'm']) {
            let has_time = dates.contains(['h', 's']);
            let has_date = dates.contains(['y', 'd']) || !has_time;
            return Self::Date { has_date, has_time };
        }
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        let [prefix, suffix] = literal;
        Self::Number {
            decimals: fraction
                .chars()
                .filter(|c| matches!(c, '0' | '#' | '?'))
                .count()
                .min(15),
            is_grouped: whole.trim_end_matches(',').contains(','),
            is_percent: digits.contains('%'),
            prefix,
            suffix,
        }
    }

    /// `since_1904` says from which day the workbook counts.
    pub fn show(&self, value: f64, since_1904: bool) -> String {
        match self {
            Self::General => plain(value),
            Self::Date { has_date, has_time } => {
                date(value, since_1904, *has_date, *has_time).unwrap_or_else(|| plain(value))
            }
            Self::Number {
                decimals,
                is_grouped,
                is_percent,
                prefix,
                suffix,
            } => {
                let scaled = if *is_percent { value * 100.0 } else { value };
                let digits = format!("{:.*}", *decimals, scaled.abs());
                let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
                let whole = if *is_grouped {
                    grouped(whole)
                } else {
                    whole.to_owned()
                };
                let sign =
                    if scaled < 0.0 && digits.contains(|c: char| c.is_ascii_digit() && c != '0') {
                        "-"
                    } else {
                        ""
                    };
                let point = if fraction.is_empty() { "" } else { "." };
                let percent = if *is_percent { "%" } else { "" };
                format!("{sign}{prefix}{whole}{point}{fraction}{percent}{suffix}")
            }
        }
    }
}

/// A number without the noise of its binary form: 15 digits, as Excel keeps them.
fn plain(value: f64) -> String {
    if !value.is_finite() {
        return String::new();
    }
    if value.abs() >= 1e15 || (value != 0.0 && value.abs() < 1e-9) {
        return format!("{value:e}");
    }
    let digits = 15_usize.saturating_sub(value.abs().max(1.0).log10() as usize + 1);
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, c) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(c);
    }
    text
}

/// ISO 8601, so that no reader takes the day for the month.
fn date(value: f64, since_1904: bool, has_date: bool, has_time: bool) -> Option<String> {
    if !(0.0..2_958_466.0).contains(&value) {
        return None;
    }
    let seconds_of_day = ((value.fract()) * 86_400.0).round() as i64;
    let mut days = value.trunc() as i64 + seconds_of_day / 86_400;
    let seconds = seconds_of_day % 86_400;
    // Excel believes in the 29th of February 1900, like the program that it once took after.
    days += if since_1904 {
        1462
    } else if days < 60 {
        1
    } else {
        0
    };
    let (year, month, day) = civil(days - 25_569);
    let date = format!("{year:04}-{month:02}-{day:02}");
    let time = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    let time = time.strip_suffix(":00").unwrap_or(&time);
    Some(match (has_date, has_time) {
        (true, true) => format!("{date} {time}"),
        (false, true) => time.to_owned(),
        _ => date,
    })
}

/// The date of a day counted from the first of January 1970.
pub fn civil(days: i64) -> (i64, i64, i64) {
    // Years are counted from March, so that the leap day is their last.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(code: &str, value: f64) -> String {
        NumberFormat::parse(code).show(value, false)
    }

    #[test]
    fn numbers_are_shown_as_the_sheet_shows_them() {
        assert_eq!(show("#,##0.00\\ \"€\"", 1_234_567.5), "1 234 567.50 €");
        assert_eq!(show("0.0%", 0.055), "5.5%");
        assert_eq!(show("[$€-407] #,##0;[Red]-#,##0", -12.0), "-€ 12");
        assert_eq!(show("General", 0.1 + 0.2), "0.3");
        assert_eq!(show("00000", 75.0), "75");
    }

    #[test]
    fn dates_are_days_since_1900_or_1904() {
        assert_eq!(show("dd/mm/yyyy", 45_292.0), "2024-01-01");
        assert_eq!(show("dd.mm.yy hh:mm", 45_292.5), "2024-01-01 12:00");
        assert_eq!(show("hh:mm:ss", 0.25), "06:00");
        assert_eq!(show("d/m/yyyy", 1.0), "1900-01-01");
        assert_eq!(NumberFormat::parse("yyyy").show(0.0, true), "1904-01-01");
    }
}
