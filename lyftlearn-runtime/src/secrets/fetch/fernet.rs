//! Fernet tokens (github.com/fernet/spec), read only. Of RustCrypto's parts, because the one
//! kept crate for it is under a licence that `deny.toml` does not take.

use aes::cipher::{BlockModeDecrypt, KeyIvInit, block_padding::Pkcs7};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

const VERSION: u8 = 0x80;
const SIGNATURE_BYTES: usize = 32;
/// The version, the time, and the initialisation vector.
const HEAD_BYTES: usize = 1 + 8 + 16;

/// The message of a token that was made by `key`; both as their texts are.
pub(super) fn decrypt(key: &[u8], token: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let key = Zeroizing::new(URL_SAFE.decode(key.trim_ascii()).ok()?);
    let (signing, encryption) = key.split_at_checked(16)?;
    let token = URL_SAFE.decode(token.trim_ascii()).ok()?;
    let (signed, signature) = token.split_at_checked(token.len().checked_sub(SIGNATURE_BYTES)?)?;
    let (head, cipher) = signed.split_at_checked(HEAD_BYTES)?;
    if head.first() != Some(&VERSION) || encryption.len() != 16 {
        return None;
    }
    // Before a byte of it is decrypted, and in constant time.
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(signing).ok()?;
    mac.update(signed);
    mac.verify_slice(signature).ok()?;
    let decryptor = cbc::Decryptor::<aes::Aes128>::new_from_slices(encryption, &head[9..]).ok()?;
    let message = decryptor.decrypt_padded_vec::<Pkcs7>(cipher).ok()?;
    Some(Zeroizing::new(message))
}

#[cfg(test)]
mod tests {
    use super::decrypt;

    /// verify.json of the specification.
    const KEY: &[u8] = b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    const TOKEN: &str = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

    #[test]
    fn the_specifications_token_decrypts_to_hello() {
        assert_eq!(decrypt(KEY, TOKEN.as_bytes()).unwrap().as_slice(), b"hello");
    }

    #[test]
    fn a_token_with_any_byte_changed_is_rejected() {
        for at in 0..TOKEN.len() - 2 {
            let mut token = TOKEN.as_bytes().to_vec();
            token[at] = if token[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(decrypt(KEY, &token), None, "byte {at}");
        }
        for length in 0..TOKEN.len() {
            assert_eq!(decrypt(KEY, &TOKEN.as_bytes()[..length]), None);
        }
        assert_eq!(decrypt(b"c2hvcnQ=", TOKEN.as_bytes()), None);
    }
}
