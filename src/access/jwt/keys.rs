//! An issuer's public keys (JWK Set, RFC 7517).

use super::Algorithm;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

/// More than any issuer publishes.
const MOST_KEYS: usize = 100;
/// Keys that are tried for a token that names none.
const MOST_TRIED: usize = 4;

/// The keys of an issuer that can verify something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeySet(Vec<Verifying>);

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verifying {
    kid: Option<String>,
    /// The one algorithm that it is for, if it says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// As an uncompressed point.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct RawKey {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a key set. Keys for other purposes, and of types that are not known, are passed over.
    ///
    /// # Errors
    /// When it is no key set, or no key in it can verify anything.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let raw: RawSet = serde_json::from_slice(text).map_err(|error| format!("is no key set: {error}"))?;
        let keys: Vec<Verifying> = raw.keys.into_iter().take(MOST_KEYS).filter_map(read).collect();
        match keys.is_empty() {
            true => Err("has no key that could verify a token".to_owned()),
            false => Ok(Self(keys)),
        }
    }

    /// Keys that a token with this header may be signed with.
    pub(super) fn fitting(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> impl Iterator<Item = &Verifying> {
        let fits = move |key: &&Verifying| {
            key.material.is_for(algorithm)
                && key.algorithm.is_none_or(|own| own == algorithm)
                && kid.is_none_or(|kid| key.kid.as_deref() == Some(kid))
        };
        self.0.iter().filter(fits).take(MOST_TRIED)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn read(value: serde_json::Value) -> Option<Verifying> {
    let raw: RawKey = serde_json::from_value(value).ok()?;
    let verifies = raw.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if raw.purpose.as_deref().is_some_and(|purpose| purpose != "sig") || !verifies {
        return None;
    }
    let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
    let coordinate = |text: &Option<String>, length: usize| bytes(text).filter(|b| b.len() == length);
    let point =
        |length: usize| Some([vec![4], coordinate(&raw.x, length)?, coordinate(&raw.y, length)?].concat());
    let material = match (raw.kty.as_str(), raw.crv.as_deref()) {
        ("RSA", _) => Material::Rsa { n: bytes(&raw.n)?, e: bytes(&raw.e)? },
        ("EC", Some("P-256")) => Material::P256(point(32)?),
        ("EC", Some("P-384")) => Material::P384(point(48)?),
        ("OKP", Some("Ed25519")) => Material::Ed25519(coordinate(&raw.x, 32)?),
        _ => return None,
    };
    let algorithm = match &raw.alg {
        None => None,
        Some(name) => Some(Algorithm::parse(name).filter(|algorithm| material.is_for(*algorithm))?),
    };
    Some(Verifying { kid: raw.kid, algorithm, material })
}

impl Material {
    fn is_for(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa { .. } => rsa(algorithm).is_some(),
            Self::P256(_) => algorithm == Algorithm::Es256,
            Self::P384(_) => algorithm == Algorithm::Es384,
            Self::Ed25519(_) => algorithm == Algorithm::EdDsa,
        }
    }
}

/// RSA's parameters; none for what is no RSA. Keys have at least 2048 bits.
fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => None,
    }
}

impl Verifying {
    /// Did this key make the signature?
    pub(super) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Rsa { n, e } => rsa(algorithm)
                .is_some_and(|rsa| RsaPublicKeyComponents { n, e }.verify(rsa, signed, signature).is_ok()),
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
            }
            Material::P384(point) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(signed, signature).is_ok()
            }
            Material::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(signed, signature).is_ok(),
        }
    }
}
