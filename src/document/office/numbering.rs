//! Numbers as lists and notes write them.

/// `number` as letters, Roman or decimal digits; formats by the names that Office has for them.
pub fn format_number(number: u64, format: &str) -> String {
    match format {
        "lowerLetter" | "a" => letters(number, b'a'),
        "upperLetter" | "A" => letters(number, b'A'),
        "lowerRoman" | "i" => roman(number).to_lowercase(),
        "upperRoman" | "I" => roman(number),
        "decimalZero" => format!("{number:02}"),
        "none" | "" => String::new(),
        _ => number.to_string(),
    }
}

/// `a` to `z`, then `aa`, `bb` and on.
fn letters(number: u64, first: u8) -> String {
    let Some(index) = number.checked_sub(1) else {
        return "0".to_owned();
    };
    let letter = char::from(first + u8::try_from(index % 26).unwrap_or(0));
    let times = usize::try_from(index / 26 + 1).unwrap_or(1).min(40);
    String::from(letter).repeat(times)
}

fn roman(mut number: u64) -> String {
    if number == 0 || number >= 4000 {
        return number.to_string();
    }
    const DIGITS: [(u64, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let mut text = String::new();
    for (value, digit) in DIGITS {
        while number >= value {
            text.push_str(digit);
            number -= value;
        }
    }
    text
}

/// Raised letters and digits as characters of their own, where all of them have one: a note's
/// number or an exponent must not grow together with what stands before it.
pub fn superscript(text: &str) -> String {
    let raised: Option<String> = text
        .chars()
        .map(|c| match c {
            '0' => Some('⁰'),
            '1' => Some('¹'),
            '2' => Some('²'),
            '3' => Some('³'),
            '4'..='9' => char::from_u32(0x2070 + c as u32 - '0' as u32),
            _ => None,
        })
        .collect();
    raised.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_lists_write_them() {
        let written: Vec<String> = [
            (4, "upperRoman"),
            (28, "lowerLetter"),
            (1949, "I"),
            (3, "decimal"),
            (0, "a"),
        ]
        .map(|(number, format)| format_number(number, format))
        .into();
        assert_eq!(written, ["IV", "bb", "MCMXLIX", "3", "0"]);
    }

    #[test]
    fn digits_are_raised_and_other_text_stays() {
        assert_eq!(
            (superscript("2047"), superscript("er")),
            ("²⁰⁴⁷".to_owned(), "er".to_owned())
        );
    }
}
