//! HMAC-SHA-256 (RFC 2104), for keys of at most one block.
//!
//! Implemented here on top of `sha2`, because the `hmac` crate would add three dependencies to
//! every user's build for this one call. Tested with the vectors of RFC 4231.

use sha2::{Digest, Sha256};

const BLOCK: usize = 64;

/// Returns the code of a message given in parts, which are concatenated.
pub(crate) fn hmac(key: &[u8], message: &[&[u8]]) -> [u8; 32] {
    debug_assert!(key.len() <= BLOCK, "a longer key would have to be hashed first");
    let pad = |byte: u8| {
        let mut block = [byte; BLOCK];
        block.iter_mut().zip(key).for_each(|(pad, key)| *pad ^= key);
        Sha256::new_with_prefix(block)
    };
    let inner = message.iter().fold(pad(0x36), |inner, part| inner.chain_update(part)).finalize();
    pad(0x5c).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: [u8; 32]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn it_agrees_with_the_vectors_of_rfc_4231() {
        assert_eq!(
            hex(hmac(&[0x0b; 20], &[b"Hi There"])),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            hex(hmac(b"Jefe", &[b"what do ya ", b"want for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(hmac(&[0xaa; 20], &[&[0xdd; 50]])),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        );
    }
}
