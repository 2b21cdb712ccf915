//! Keys for secrets at rest, and sealing with them (ChaCha20-Poly1305, RFC 8439).

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::StoreError;

const KEY_BYTES: usize = 32;

/// Something that nobody else may read: shown as `…`, and wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// A secret.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Secret(Zeroizing::new(bytes.into()))
    }

    /// What it is. Never write it to a log, an answer or an error.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// What it is, when it is text.
    pub fn expose_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A key, and the first digits of its digest by which it is told from others.
struct Key {
    id: String,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

/// The keys that secrets are encrypted with: the first encrypts, every one decrypts. To change the key, put a new one in
/// front, call [`crate::Store::reencrypt`], and take the old one away.
#[derive(Clone, Default)]
pub struct KeyRing(Arc<Vec<Key>>);

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|k| &k.id)).finish()
    }
}

/// What stands in the database in place of a secret.
pub(crate) struct Sealed {
    pub(crate) key_id: String,
    pub(crate) nonce: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
}

impl KeyRing {
    /// Keys of 32 bytes in base64, apart by commas or white space; as in the variable `CARDINAL_SECRET_KEY` or a file.
    ///
    /// # Errors
    /// [`StoreError::Key`] when there is none or one is something else.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let mut keys = Vec::new();
        for (i, word) in text.split([',', ' ', '\t', '\r', '\n']).filter(|w| !w.is_empty()).enumerate() {
            let mut bytes = Zeroizing::new([0; KEY_BYTES]);
            let decoded = STANDARD.decode(word).map(Zeroizing::new);
            match decoded {
                Ok(decoded) if decoded.len() == KEY_BYTES => bytes.copy_from_slice(&decoded),
                _ => {
                    return Err(StoreError::Key(format!(
                        "key {} for secrets is not 32 bytes in base64: make one with `openssl rand -base64 32`",
                        i + 1
                    )));
                }
            }
            keys.push(Key { id: key_id(&bytes), bytes });
        }
        if keys.is_empty() {
            return Err(StoreError::Key("no key for secrets is given: write 32 bytes in base64".to_owned()));
        }
        Ok(KeyRing(Arc::new(keys)))
    }

    /// The keys in a file.
    ///
    /// # Errors
    /// [`StoreError::Key`] when it cannot be read or holds something else.
    pub fn from_file(path: &Path) -> Result<Self, StoreError> {
        let text = std::fs::read_to_string(path).map(Zeroizing::new);
        let text = text.map_err(|e| StoreError::Key(format!("the key file {} cannot be read: {e}", path.display())))?;
        KeyRing::parse(&text).map_err(|e| StoreError::Key(format!("the key file {}: {e}", path.display())))
    }

    /// The keys in a file that is made with a new key, readable by its owner alone, when it is not there.
    ///
    /// # Errors
    /// [`StoreError::Key`] when it can neither be read nor made.
    pub fn kept_in(path: &Path) -> Result<Self, StoreError> {
        let failed =
            |e: std::io::Error| StoreError::Key(format!("the key file {} cannot be made: {e}", path.display()));
        if !path.try_exists().map_err(failed)? {
            let mut key = Zeroizing::new([0; KEY_BYTES]);
            fill_randomly(key.as_mut())?;
            let text = Zeroizing::new(STANDARD.encode(key.as_ref()) + "\n");
            let folder = path.parent().unwrap_or(Path::new("."));
            // Under another name first, so that a crash leaves no half of a key, and two who do so agree on one.
            let draft = folder.join(format!(".key-{}", random_id()?));
            write_for_owner(&draft, text.as_bytes()).map_err(failed)?;
            let placed = std::fs::hard_link(&draft, path);
            std::fs::remove_file(&draft).map_err(failed)?;
            match placed {
                Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(e)),
                _ => {}
            }
            std::fs::File::open(folder).and_then(|f| f.sync_all()).map_err(failed)?;
        }
        KeyRing::from_file(path)
    }

    /// Encrypts with the first key. `context` is not secret, and must be the same when it is decrypted.
    pub(crate) fn seal(&self, secret: &Secret, context: &str) -> Result<Sealed, StoreError> {
        let Some(key) = self.0.first() else {
            return Err(StoreError::Key(
                "there is no key to keep secrets with: set CARDINAL_SECRET_KEY to 32 bytes in base64, the same for all \
                 replicas"
                    .to_owned(),
            ));
        };
        let mut nonce = [0; NONCE_LEN];
        fill_randomly(&mut nonce)?;
        let mut bytes = secret.expose().to_vec();
        key.cipher()?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut bytes)
            .map_err(|_| StoreError::invalid("the secret", "it is too large to be encrypted"))?;
        Ok(Sealed { key_id: key.id.clone(), nonce: nonce.to_vec(), bytes })
    }

    /// Decrypts what [`KeyRing::seal`] made.
    pub(crate) fn open(&self, name: &str, sealed: &Sealed, context: &str) -> Result<Secret, StoreError> {
        let Some(key) = self.0.iter().find(|k| k.id == sealed.key_id) else {
            return Err(StoreError::Key(format!(
                "secret `{name}` was encrypted with key {}, which is not among the keys that are given: add it after the \
                 first in CARDINAL_SECRET_KEY or the key file, or store the secret anew",
                sealed.key_id
            )));
        };
        let damaged = || StoreError::corrupt(format!("secret `{name}`"));
        let nonce = Nonce::try_assume_unique_for_key(&sealed.nonce).map_err(|_| damaged())?;
        let mut bytes = Zeroizing::new(sealed.bytes.clone());
        let clear = key.cipher()?.open_in_place(nonce, Aad::from(context), &mut bytes).map_err(|_| damaged())?;
        Ok(Secret::new(&*clear))
    }

    /// True when this key encrypts now.
    pub(crate) fn is_first(&self, key_id: &str) -> bool {
        self.0.first().is_some_and(|k| k.id == key_id)
    }
}

impl Key {
    fn cipher(&self) -> Result<LessSafeKey, StoreError> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, self.bytes.as_ref());
        key.map(LessSafeKey::new).map_err(|_| StoreError::Key("a key for secrets has the wrong length".to_owned()))
    }
}

/// Tells keys apart without saying anything of them.
fn key_id(key: &[u8; KEY_BYTES]) -> String {
    let digest = Sha256::new().chain_update(b"cardinal secret key\0").chain_update(key).finalize();
    hexadecimal(&digest[..6])
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Random bytes of the operating system.
pub(crate) fn fill_randomly(bytes: &mut [u8]) -> Result<(), StoreError> {
    SystemRandom::new().fill(bytes).map_err(|_| StoreError::Unavailable {
        doing: "drawing random bytes",
        mend: "the operating system gives no randomness; look at its log",
        source: None,
    })
}

/// A name that nothing else has.
pub(crate) fn random_id() -> Result<String, StoreError> {
    let mut bytes = [0; 8];
    fill_randomly(&mut bytes)?;
    Ok(hexadecimal(&bytes))
}

fn write_for_owner(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut how = std::fs::OpenOptions::new();
    how.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut how, 0o600);
    let mut file = how.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ring(bytes: &[u8]) -> KeyRing {
        KeyRing::parse(&bytes.iter().map(|b| STANDARD.encode([*b; KEY_BYTES])).collect::<Vec<_>>().join(",")).unwrap()
    }

    #[test]
    fn a_secret_opens_with_its_key_and_context_alone() {
        let sealed = ring(&[1]).seal(&Secret::new(*b"hunter2"), "a/1").unwrap();
        assert!(!sealed.bytes.windows(7).any(|w| w == b"hunter2"));
        assert_eq!(ring(&[2, 1]).open("a", &sealed, "a/1").unwrap().expose(), b"hunter2");
        assert!(matches!(ring(&[1]).open("a", &sealed, "b/1"), Err(StoreError::Corrupt { .. })));
        let error = ring(&[2]).open("a", &sealed, "a/1").unwrap_err().to_string();
        assert!(error.contains("not among the keys") && error.contains("CARDINAL_SECRET_KEY"), "{error}");
    }

    #[test]
    fn what_is_no_key_is_refused_and_never_shown() {
        for text in ["", "abc", "not-base-64!", &STANDARD.encode([7; 31])] {
            let error = KeyRing::parse(text).unwrap_err().to_string();
            assert!(error.contains("32 bytes in base64") && (text.is_empty() || !error.contains(text)), "{error}");
        }
        let shown = format!("{:?} {:?} {}", ring(&[7]), Secret::new(*b"hunter2"), Secret::new(*b"hunter2"));
        assert!(!shown.contains("hunter2") && !shown.contains(&STANDARD.encode([7; KEY_BYTES])), "{shown}");
    }

    #[test]
    fn a_kept_key_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.key");
        let first = format!("{:?}", KeyRing::kept_in(&path).unwrap());
        assert_eq!(format!("{:?}", KeyRing::kept_in(&path).unwrap()), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
