/// A piece of the file.
pub enum Token<'a> {
    Open,
    Close,
    /// A control word, and the number after it.
    Word {
        name: &'a str,
        number: Option<i32>,
    },
    /// A control symbol other than those with a meaning of their own here.
    Symbol(u8),
    Byte(u8),
    /// `\'e9`, or a brace or backslash that is meant.
    Escaped(u8),
}

pub struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn control(&mut self) -> Option<Token<'a>> {
        let letters = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count()
            .min(32);
        if letters == 0 {
            let symbol = self.take()?;
            return Some(match symbol {
                b'\\' | b'{' | b'}' => Token::Escaped(symbol),
                b'\'' => {
                    let (digits, rest) = self.rest.split_at_checked(2)?;
                    self.rest = rest;
                    let digits = std::str::from_utf8(digits).ok();
                    Token::Escaped(
                        digits
                            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                            .unwrap_or(b'?'),
                    )
                }
                b'\n' | b'\r' => Token::Word {
                    name: "par",
                    number: None,
                },
                symbol => Token::Symbol(symbol),
            });
        }
        let (name, rest) = self.rest.split_at(letters);
        // ASCII letters alone.
        let name = std::str::from_utf8(name).unwrap_or_default();
        let sign = usize::from(rest.first() == Some(&b'-'));
        let digits = rest
            .iter()
            .skip(sign)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (number, mut rest) = match digits {
            0 => (None, rest),
            digits => {
                let (number, rest) = rest.split_at(sign + digits);
                (
                    std::str::from_utf8(number)
                        .ok()
                        .and_then(|number| number.parse().ok()),
                    rest,
                )
            }
        };
        if rest.first() == Some(&b' ') {
            rest = &rest[1..];
        }
        // Raw bytes follow, which are no text.
        if name == "bin" {
            let skip = number
                .and_then(|number: i32| usize::try_from(number).ok())
                .unwrap_or(0);
            rest = &rest[skip.min(rest.len())..];
        }
        self.rest = rest;
        Some(Token::Word { name, number })
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            return match self.take()? {
                b'{' => Some(Token::Open),
                b'}' => Some(Token::Close),
                b'\\' => self.control(),
                b'\r' | b'\n' | 0 => continue,
                byte => Some(Token::Byte(byte)),
            };
        }
    }
}
