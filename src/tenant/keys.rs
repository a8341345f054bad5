use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

/// One `[[keys]]` entry of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyConfig {
    /// Whose key it is.
    pub name: String,
    /// `sha256:` and 64 hexadecimal digits, as `guichet keys hash` prints it.
    pub hash: String,
    /// Its share beside other keys while the server is busy.
    #[serde(default = "default_weight")]
    pub weight: u32,
}

/// A key's share unless the configuration says otherwise.
fn default_weight() -> u32 {
    1
}

/// No key counts for more than so many others.
const MAX_WEIGHT: u32 = 1000;

/// A secret of 256 bits: `gch_` and 64 hexadecimal digits.
pub struct ApiKey(String);

/// What is kept of a key. A key has 256 random bits, so a plain hash cannot be reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

/// Whose key a request came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The key's place in the configuration, from 0.
    pub index: u32,
    pub name: String,
    pub weight: u32,
}

/// The keys that are valid on this server.
#[derive(Debug, Clone, Default)]
pub struct KeyRing(Vec<(Tenant, KeyHash)>);

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the operating system gives no random numbers: {0}")]
    Random(getrandom::Error),
    #[error("a key's hash is `sha256:` and 64 hexadecimal digits; `guichet keys hash` makes one")]
    Hash,
    #[error(
        "the hash of the key `{0}` is not `sha256:` and 64 hexadecimal digits; `guichet keys hash` makes one"
    )]
    HashOf(String),
    #[error("a key needs a name")]
    NoName,
    #[error("two keys have the name `{0}`")]
    SameName(String),
    #[error("the weight of the key `{0}` must be from 1 to 1000")]
    Weight(String),
}

impl ApiKey {
    /// A new key from the operating system's randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(KeyError::Random)?;
        Ok(Self(format!("gch_{}", hex(&secret))))
    }

    /// Shows the secret; afterwards only the hash is left.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }
}

impl KeyHash {
    fn of(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex(&self.0))
    }
}

impl FromStr for KeyHash {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let digits = text
            .strip_prefix("sha256:")
            .ok_or(KeyError::Hash)?
            .as_bytes();
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return Err(KeyError::Hash);
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = [pair[0], pair[1]].map(|c| char::from(c).to_digit(16));
            let (high, low) = (high.ok_or(KeyError::Hash)?, low.ok_or(KeyError::Hash)?);
            *byte = (high * 16 + low) as u8;
        }
        Ok(Self(hash))
    }
}

impl KeyRing {
    pub fn new(keys: &[KeyConfig]) -> Result<Self, KeyError> {
        let mut ring: Vec<(Tenant, KeyHash)> = Vec::new();
        for (index, key) in (0..).zip(keys) {
            if key.name.trim().is_empty() {
                return Err(KeyError::NoName);
            }
            if ring.iter().any(|(tenant, _)| tenant.name == key.name) {
                return Err(KeyError::SameName(key.name.clone()));
            }
            if !(1..=MAX_WEIGHT).contains(&key.weight) {
                return Err(KeyError::Weight(key.name.clone()));
            }
            let hash = key
                .hash
                .parse()
                .map_err(|_| KeyError::HashOf(key.name.clone()))?;
            let tenant = Tenant {
                index,
                name: key.name.clone(),
                weight: key.weight,
            };
            ring.push((tenant, hash));
        }
        Ok(Self(ring))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Without keys everyone may ask.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose key this is. Compares with every key in constant time, so that the time
    /// tells neither which key was nearly right nor how many there are before it.
    pub fn tenant_of(&self, key: &str) -> Option<&Tenant> {
        let given = KeyHash::of(key);
        let mut found = Choice::from(0);
        let mut index = 0u64;
        for (i, (_, hash)) in self.0.iter().enumerate() {
            let same = hash.0.ct_eq(&given.0);
            index.conditional_assign(&(i as u64), same);
            found |= same;
        }
        if !bool::from(found) {
            return None;
        }
        self.0
            .get(usize::try_from(index).ok()?)
            .map(|(tenant, _)| tenant)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, key: &ApiKey) -> KeyConfig {
        KeyConfig {
            name: name.to_owned(),
            hash: key.hash().to_string(),
            weight: 1,
        }
    }

    #[test]
    fn each_key_opens_for_its_own_tenant_and_no_other_opens() {
        let [a, b, c] = [(); 3].map(|()| ApiKey::generate().unwrap());
        let ring = KeyRing::new(&[
            config("a", &a),
            KeyConfig {
                weight: 3,
                ..config("b", &b)
            },
        ])
        .unwrap();
        let tenant = |index, name: &str, weight| Tenant {
            index,
            name: name.to_owned(),
            weight,
        };
        assert_eq!(ring.tenant_of(a.reveal()), Some(&tenant(0, "a", 1)));
        assert_eq!(ring.tenant_of(b.reveal()), Some(&tenant(1, "b", 3)));
        assert_eq!(ring.tenant_of(c.reveal()), None);
        assert_eq!(ring.tenant_of(""), None);
        assert_eq!(
            ring.tenant_of(&a.hash().to_string()),
            None,
            "the hash is not the key"
        );
    }

    #[test]
    fn a_weight_is_from_1_to_1000() {
        let key = ApiKey::generate().unwrap();
        for (weight, is_taken) in [(0, false), (1, true), (1000, true), (1001, false)] {
            let config = KeyConfig {
                weight,
                ..config("a", &key)
            };
            assert_eq!(KeyRing::new(&[config]).is_ok(), is_taken, "{weight}");
        }
    }

    #[test]
    fn a_key_has_256_bits_and_is_new_each_time() {
        let [a, b] = [(); 2].map(|()| ApiKey::generate().unwrap());
        assert_eq!(a.reveal().len(), "gch_".len() + 64);
        assert_ne!(a.reveal(), b.reveal());
    }

    #[test]
    fn a_hash_that_is_not_one_is_refused() {
        let digits = "0".repeat(64);
        assert!(format!("sha256:{digits}").parse::<KeyHash>().is_ok());
        for hash in [
            digits.clone(),
            format!("sha256:{digits}0"),
            format!("sha256:{}", "g".repeat(64)),
            "é".repeat(20),
        ] {
            assert!(hash.parse::<KeyHash>().is_err(), "{hash}");
        }
    }
}
