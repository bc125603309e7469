//! A provider's public keys (RFC 7517), and the algorithms that are taken.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{self, digest};
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, EcdsaVerificationAlgorithm,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

/// How a signature is checked.
enum Check {
    Rsa(&'static RsaParameters),
    /// With the curve's name.
    Ecdsa(&'static EcdsaVerificationAlgorithm, &'static str),
    Ed25519,
}

/// One algorithm that is taken.
pub(super) struct Algorithm {
    /// As `alg` names it.
    pub(super) name: &'static str,
    check: Check,
    /// What `at_hash` is made with.
    hash: &'static digest::Algorithm,
}

/// What is not here is refused: `none` has no signature, and the `HS` family would take a public
/// key for a shared secret.
static ALGORITHMS: [Algorithm; 7] = [
    Algorithm { name: "RS256", check: Check::Rsa(&RSA_PKCS1_2048_8192_SHA256), hash: &digest::SHA256 },
    Algorithm { name: "RS384", check: Check::Rsa(&RSA_PKCS1_2048_8192_SHA384), hash: &digest::SHA384 },
    Algorithm { name: "RS512", check: Check::Rsa(&RSA_PKCS1_2048_8192_SHA512), hash: &digest::SHA512 },
    Algorithm { name: "PS256", check: Check::Rsa(&RSA_PSS_2048_8192_SHA256), hash: &digest::SHA256 },
    Algorithm {
        name: "ES256",
        check: Check::Ecdsa(&ECDSA_P256_SHA256_FIXED, "P-256"),
        hash: &digest::SHA256,
    },
    Algorithm {
        name: "ES384",
        check: Check::Ecdsa(&ECDSA_P384_SHA384_FIXED, "P-384"),
        hash: &digest::SHA384,
    },
    // Providers hash with what Ed25519 itself uses.
    Algorithm { name: "EdDSA", check: Check::Ed25519, hash: &digest::SHA512 },
];

pub(super) fn algorithm(name: &str) -> Option<&'static Algorithm> {
    ALGORITHMS.iter().find(|algorithm| algorithm.name == name)
}

impl Algorithm {
    /// The left half of an access token's digest, as `at_hash` has it.
    pub(super) fn half_hash(&self, token: &str) -> String {
        let whole = digest(self.hash, token.as_bytes());
        let bytes = whole.as_ref();
        URL_SAFE_NO_PAD.encode(bytes.get(..bytes.len() / 2).unwrap_or_default())
    }

    /// The kind of key, and its curve.
    fn family(&self) -> (&'static str, Option<&'static str>) {
        match self.check {
            Check::Rsa(_) => ("RSA", None),
            Check::Ecdsa(_, curve) => ("EC", Some(curve)),
            Check::Ed25519 => ("OKP", Some("Ed25519")),
        }
    }
}

/// The keys of a provider.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Jwks {
    keys: Vec<Jwk>,
}

/// Keys that are looked at; a provider has a few.
const MOST_KEYS: usize = 100;

#[derive(Clone, Debug, Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    used_for: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

impl Jwks {
    /// Reads a set. Keys of kinds that are not known stay in it and fit nothing.
    pub fn parse(text: &[u8]) -> Option<Self> {
        super::read::<Self>(text).filter(|set| set.keys.len() <= MOST_KEYS)
    }

    /// Is there a key that this header may mean?
    pub(super) fn has(&self, algorithm: &Algorithm, kid: Option<&str>) -> bool {
        self.fitting(algorithm, kid).next().is_some()
    }

    /// Was it signed with one of the keys that the header may mean?
    pub(super) fn proves(
        &self,
        algorithm: &Algorithm,
        kid: Option<&str>,
        text: &[u8],
        signature: &[u8],
    ) -> bool {
        self.fitting(algorithm, kid).any(|key| key.proves(algorithm, text, signature).is_some())
    }

    /// Keys made for this algorithm; those of the name, if one is named.
    fn fitting<'k>(&'k self, algorithm: &Algorithm, kid: Option<&str>) -> impl Iterator<Item = &'k Jwk> {
        let (kind, curve) = algorithm.family();
        let name = algorithm.name;
        self.keys.iter().filter(move |key| {
            key.kty == kind
                && (curve.is_none() || key.crv.as_deref() == curve)
                && key.used_for.as_deref().is_none_or(|used| used == "sig")
                && key.alg.as_deref().is_none_or(|alg| alg == name)
                && kid.is_none_or(|kid| key.kid.as_deref() == Some(kid))
        })
    }
}

impl Jwk {
    fn proves(&self, algorithm: &Algorithm, text: &[u8], signature: &[u8]) -> Option<()> {
        match algorithm.check {
            Check::Rsa(parameters) => {
                let key = RsaPublicKeyComponents { n: member(&self.n)?, e: member(&self.e)? };
                key.verify(parameters, text, signature).ok()
            }
            Check::Ecdsa(check, _) => {
                // An uncompressed point begins with 4.
                let point = [&[4], member(&self.x)?.as_slice(), member(&self.y)?.as_slice()].concat();
                UnparsedPublicKey::new(check, point).verify(text, signature).ok()
            }
            Check::Ed25519 => {
                let key: UnparsedPublicKey<Vec<u8>> =
                    signature::UnparsedPublicKey::new(&ED25519, member(&self.x)?);
                key.verify(text, signature).ok()
            }
        }
    }
}

fn member(text: &Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.as_deref()?).ok()
}
