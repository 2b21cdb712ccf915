//! The outer form of protobuf messages: numbered fields in a row, walked without copying.

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    /// An integer or a truth value.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// A text, a message, or numbers in a row.
    Bytes(&'a [u8]),
    /// Four bytes.
    Fixed32,
}

/// The fields of a message, in the order in which they stand.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(pub &'a [u8]);

/// What breaks a message.
pub type Broken = &'static str;

impl<'a> Fields<'a> {
    /// The next field with its number; none at the end.
    ///
    /// # Errors
    /// When the message breaks off or has a field of no known form.
    pub fn field(&mut self) -> Result<Option<(u32, Field<'a>)>, Broken> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = varint(&mut self.0)?;
        let number = u32::try_from(key >> 3).ok().filter(|n| *n > 0).ok_or("a field has no number")?;
        let field = match key & 7 {
            0 => Field::Varint(varint(&mut self.0)?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(varint(&mut self.0)?).map_err(|_| "a field is too long")?;
                if length > self.0.len() {
                    return Err("it breaks off");
                }
                let (bytes, rest) = self.0.split_at(length);
                self.0 = rest;
                Field::Bytes(bytes)
            }
            5 => {
                let _: [u8; 4] = self.array()?;
                Field::Fixed32
            }
            _ => return Err("a field has no known form"),
        };
        Ok(Some((number, field)))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or("it breaks off")?;
        self.0 = rest;
        Ok(*bytes)
    }
}

/// Each message that stands in a field of a message.
pub fn each<'a>(
    message: &'a [u8],
    number: u32,
    mut visit: impl FnMut(&'a [u8]) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let mut fields = Fields(message);
    while let Some((n, field)) = fields.field()? {
        if let (true, Field::Bytes(bytes)) = (n == number, field) {
            visit(bytes)?;
        }
    }
    Ok(())
}

/// A text in a field.
pub fn text(bytes: &[u8]) -> Result<&str, Broken> {
    std::str::from_utf8(bytes).map_err(|_| "a text is not UTF-8")
}

/// An integer of variable length.
pub fn varint(bytes: &mut &[u8]) -> Result<u64, Broken> {
    let mut value = 0_u64;
    for place in 0..10 {
        let (byte, rest) = bytes.split_first().ok_or("it breaks off")?;
        *bytes = rest;
        // Of the tenth byte only the lowest bit fits.
        value |= u64::from(byte & 0x7f).checked_shl(7 * place).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a number is too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_walked_and_broken_ones_told() {
        let mut fields = Fields(&[0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1d, 1, 2, 3, 4]);
        assert_eq!(fields.field(), Ok(Some((1, Field::Varint(150)))));
        assert_eq!(fields.field(), Ok(Some((2, Field::Bytes(b"hi")))));
        assert_eq!(fields.field(), Ok(Some((3, Field::Fixed32))));
        assert_eq!(fields.field(), Ok(None));
        assert_eq!(Fields(&[0x12, 0x05, b'h']).field(), Err("it breaks off"));
        assert_eq!(Fields(&[0x0b]).field(), Err("a field has no known form"));
        assert_eq!(Fields(&[0xff; 12]).field(), Err("a number is too long"));
    }
}
