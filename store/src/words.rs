//! Limits on names, and values that are written as words.

use crate::error::StoreError;

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 253;

/// The longest list that is given at once.
pub const LIST_MAX: u32 = 10_000;

/// An enum whose values stand in the database and in answers as words.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $value:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $value,)+ }

        impl $name {
            /// The word.
            pub fn word(self) -> &'static str {
                match self { $($name::$value => $word,)+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::StoreError;

            fn from_str(word: &str) -> Result<Self, $crate::StoreError> {
                match word {
                    $($word => Ok($name::$value),)+
                    _ => Err($crate::StoreError::invalid(
                        format!("`{word}`"),
                        concat!("one of these is expected:" $(, " ", $word)+),
                    )),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}
pub(crate) use words;

/// Refuses what is no name: empty, too long, or with control characters.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), StoreError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        let why = format!("a name of 1 to {NAME_BYTES_MAX} bytes without control characters is expected");
        return Err(StoreError::invalid(what, why));
    }
    Ok(())
}

/// Refuses text that PostgreSQL cannot hold.
pub(crate) fn check_text(what: &'static str, text: &str) -> Result<(), StoreError> {
    if text.contains('\0') {
        return Err(StoreError::invalid(what, "it contains the character U+0000, which cannot be stored; take it out"));
    }
    Ok(())
}

/// A limit that is at least 1 and at most [`LIST_MAX`].
pub(crate) fn limit(asked: u32) -> u32 {
    asked.clamp(1, LIST_MAX)
}

/// The pattern for names that contain a text.
pub(crate) fn contains(part: &str) -> String {
    let escaped = part.to_ascii_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
