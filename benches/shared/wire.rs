//! As much of HTTP/1.1 as the benchmarks speak: heads, and bodies as they arrive in pieces.

/// The end of a head.
const END: &[u8] = b"\r\n\r\n";

/// A request's or response's head.
#[derive(Default)]
pub struct Head {
    text: String,
}

impl Head {
    /// The head at the start of these bytes, and its length, once all of it is there.
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let end = find(bytes, END)? + END.len();
        Some((Self { text: String::from_utf8_lossy(&bytes[..end]).into_owned() }, end))
    }

    /// The request line or status line.
    pub fn start(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.text.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Whether the body comes in chunks.
    fn chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"))
    }

    fn length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// What follows a request's head.
    pub fn request_body(&self) -> Body {
        if self.chunked() { Body::Chunked(Chunk::SIZE) } else { Body::Length(self.length().unwrap_or(0)) }
    }

    /// What follows a response's head: without a length it goes on until the connection ends.
    pub fn response_body(&self) -> Body {
        match self.length() {
            _ if self.chunked() => Body::Chunked(Chunk::SIZE),
            Some(length) => Body::Length(length),
            None => Body::UntilClose,
        }
    }
}

/// What is still to come of a body.
pub enum Body {
    Length(u64),
    Chunked(Chunk),
    UntilClose,
    Ended,
}

/// Where in the chunked coding a body stands.
pub enum Chunk {
    /// In the line that tells the size: what was read of it, and whether its digits are over.
    Size { size: u64, over: bool },
    /// So many bytes of data are left.
    Data(u64),
    /// In the line break behind the data.
    Break,
    /// In the trailer, this far into a line.
    Trailer(usize),
}

impl Chunk {
    const SIZE: Self = Self::Size { size: 0, over: false };
}

impl Body {
    /// Whether nothing more belongs to it.
    pub fn ended(&self) -> bool {
        matches!(self, Self::Ended | Self::Length(0))
    }

    /// Appends the data in these bytes to `to`, and says how many bytes belonged to the body.
    pub fn take(&mut self, bytes: &[u8], to: &mut Vec<u8>) -> Result<usize, &'static str> {
        let mut at = 0;
        while at < bytes.len() && !self.ended() {
            let rest = &bytes[at..];
            at += match self {
                Self::Ended => 0,
                Self::UntilClose => {
                    to.extend_from_slice(rest);
                    rest.len()
                }
                Self::Length(left) | Self::Chunked(Chunk::Data(left)) => {
                    let taken = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    to.extend_from_slice(&rest[..taken]);
                    *left -= taken as u64;
                    if matches!(self, Self::Chunked(Chunk::Data(0))) {
                        *self = Self::Chunked(Chunk::Break);
                    }
                    taken
                }
                Self::Chunked(chunk) => {
                    if let Some(next) = chunk.step(rest[0])? {
                        *self = next;
                    }
                    1
                }
            };
        }
        Ok(at)
    }
}

impl Chunk {
    /// One byte that is not data; the next state where it changes.
    fn step(&mut self, byte: u8) -> Result<Option<Body>, &'static str> {
        match self {
            Self::Size { size: 0, .. } if byte == b'\n' => Ok(Some(Body::Chunked(Self::Trailer(0)))),
            Self::Size { size, .. } if byte == b'\n' => Ok(Some(Body::Chunked(Self::Data(*size)))),
            Self::Size { size, over } => {
                match char::from(byte).to_digit(16) {
                    Some(digit) if !*over => {
                        *size = size.checked_mul(16).ok_or("a chunk too long")? + u64::from(digit);
                    }
                    _ => *over = true,
                }
                Ok(None)
            }
            Self::Break if byte == b'\n' => Ok(Some(Body::Chunked(Self::SIZE))),
            Self::Break if byte == b'\r' => Ok(None),
            Self::Break => Err("a chunk longer than its size"),
            Self::Trailer(0) if byte == b'\n' => Ok(Some(Body::Ended)),
            Self::Trailer(length) => {
                *length = match byte {
                    b'\n' => 0,
                    b'\r' => *length,
                    _ => *length + 1,
                };
                Ok(None)
            }
            Self::Data(_) => Ok(None),
        }
    }
}

/// Where the bytes occur first.
pub fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|b| *b == first) {
        if bytes[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}
