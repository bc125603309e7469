//! Tokens that hold, and every way in which one does not.

use super::*;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

const ISSUER: &str = "https://op.test";
const NOW: Wall = Wall(1_700_000_000_000_000);

/// A provider with a key of each kind that can be made here.
struct Op {
    curve: EcdsaKeyPair,
    edwards: Ed25519KeyPair,
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Op {
    fn new() -> Self {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self {
            curve: EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap(),
            edwards: Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap(),
        }
    }

    fn jwks(&self) -> Value {
        let point = self.curve.public_key().as_ref();
        json!({ "keys": [
            { "kty": "EC", "crv": "P-256", "kid": "c", "use": "sig", "x": encoded(&point[1..33]), "y": encoded(&point[33..]) },
            { "kty": "OKP", "crv": "Ed25519", "kid": "e", "x": encoded(self.edwards.public_key()) },
            { "kty": "oct", "k": "AAAA", "kid": "s" },
        ] })
    }

    fn keys(&self) -> Jwks {
        Jwks::parse(self.jwks().to_string().as_bytes()).unwrap()
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let signature = match header["alg"].as_str() {
            Some("ES256") => encoded(self.curve.sign(&SystemRandom::new(), signed.as_bytes()).unwrap()),
            Some("HS256") => {
                // The public key taken for a shared secret.
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, self.curve.public_key().as_ref());
                encoded(ring::hmac::sign(&key, signed.as_bytes()))
            }
            Some("none") => String::new(),
            _ => encoded(self.edwards.sign(signed.as_bytes())),
        };
        format!("{signed}.{signature}")
    }
}

fn claims() -> Value {
    let now = NOW.seconds();
    json!({ "iss": ISSUER, "sub": "ann", "aud": "hub", "exp": now + 300, "iat": now, "nonce": "n", "email": "a@b.test" })
}

fn judged(keys: &Jwks, token: &str) -> Result<Claims, Refusal> {
    let access_token = Some("token-1");
    verify_id_token(
        token,
        keys,
        &Expected { issuer: ISSUER, client_id: "hub", nonce: "n", access_token, now: NOW },
    )
}

#[test]
fn tokens_of_every_kind_of_key_hold() {
    let op = Op::new();
    for header in [
        json!({ "alg": "ES256", "kid": "c" }),
        json!({ "alg": "ES256" }),
        json!({ "alg": "EdDSA", "kid": "e", "typ": "JWT" }),
    ] {
        let found = judged(&op.keys(), &op.token(&header, &claims())).unwrap();
        assert_eq!((found.issuer.as_str(), found.subject.as_str()), (ISSUER, "ann"));
        assert!(found.has("email"));
    }
    let hash = json!("B6dW1BPyYfwU5QVZWdRZ1A");
    let mut with = claims();
    with["at_hash"] = hash;
    let wrong = judged(&op.keys(), &op.token(&json!({ "alg": "ES256", "kid": "c" }), &with));
    assert_eq!(wrong, Err(Refusal::Wrong("at_hash is not that of the access token")));
    let digest = ring::digest::digest(&ring::digest::SHA256, b"token-1");
    with["at_hash"] = json!(encoded(&digest.as_ref()[..16]));
    assert!(judged(&op.keys(), &op.token(&json!({ "alg": "ES256", "kid": "c" }), &with)).is_ok());
}

#[test]
fn each_claim_has_to_fit() {
    let op = Op::new();
    let now = NOW.seconds();
    let told = |change: Value| {
        let mut claims = claims();
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        judged(&op.keys(), &op.token(&json!({ "alg": "EdDSA", "kid": "e" }), &claims)).err()
    };
    for (change, reason) in [
        (json!({ "iss": "https://op.test/" }), "it comes from another issuer"),
        (json!({ "aud": "other" }), "it is for another client"),
        (json!({ "aud": [] }), "it is for another client"),
        (json!({ "aud": ["hub", "other"] }), "it was given to another client"),
        (json!({ "aud": ["hub", "other"], "azp": "other" }), "it was given to another client"),
        (json!({ "azp": "other" }), "it was given to another client"),
        (json!({ "exp": now - 60 }), "it has expired"),
        (json!({ "exp": -1e300 }), "it has expired"),
        (json!({ "iat": now + 61 }), "it is from another time"),
        (json!({ "iat": now - 3_601 }), "it is from another time"),
        (json!({ "nbf": now + 61 }), "it is from another time"),
        (json!({ "nonce": "m" }), "it belongs to another sign-in"),
        (json!({ "nonce": null }), "it belongs to another sign-in"),
        (json!({ "sub": "" }), "its subject is empty or too long"),
        (json!({ "sub": "x".repeat(256) }), "its subject is empty or too long"),
        (json!({ "sub": null }), "it lacks claims that it must have"),
        (json!({ "exp": null }), "it lacks claims that it must have"),
        (json!({ "exp": "soon" }), "it lacks claims that it must have"),
        (json!({ "at_hash": "x" }), "at_hash is not that of the access token"),
    ] {
        assert_eq!(told(change.clone()), Some(Refusal::Wrong(reason)), "{change}");
    }
    for fine in [
        json!({ "aud": ["hub"] }),
        json!({ "aud": ["x", "hub"], "azp": "hub" }),
        json!({ "exp": now - 59 }),
        json!({ "iat": now + 60, "nbf": now + 60 }),
    ] {
        assert_eq!(told(fine.clone()), None, "{fine}");
    }
}

#[test]
fn no_way_around_the_signature_is_open() {
    let op = Op::new();
    let told = |header: Value| judged(&op.keys(), &op.token(&header, &claims())).unwrap_err();
    let untaken = Refusal::Wrong("it is signed in a way that is not taken");
    assert_eq!(told(json!({ "alg": "none" })), untaken);
    assert_eq!(told(json!({ "alg": "HS256", "kid": "c" })), untaken);
    assert_eq!(told(json!({ "alg": "EdDSA", "kid": "c" })), Refusal::UnknownKey, "a key of another kind");
    assert_eq!(told(json!({ "alg": "EdDSA", "kid": "new" })), Refusal::UnknownKey);
    assert_eq!(told(json!({ "alg": "RS256", "kid": "c" })), Refusal::UnknownKey);
    assert!(matches!(told(json!({ "alg": "EdDSA", "kid": "e", "crit": ["b64"] })), Refusal::Wrong(_)));
    let stranger = Op::new();
    let token = stranger.token(&json!({ "alg": "ES256", "kid": "c" }), &claims());
    assert_eq!(judged(&op.keys(), &token), Err(Refusal::Wrong("its signature does not hold")));
    let mut keys = op.jwks();
    keys["keys"][1]["use"] = json!("enc");
    let keys = Jwks::parse(keys.to_string().as_bytes()).unwrap();
    let token = op.token(&json!({ "alg": "EdDSA", "kid": "e" }), &claims());
    assert_eq!(judged(&keys, &token), Err(Refusal::UnknownKey), "a key for something else");
    for no_token in ["", "..", "a.b.c", &token[1..], &format!("{token}.x"), &"x".repeat(70_000)] {
        assert!(judged(&op.keys(), no_token).is_err(), "{no_token}");
    }
}

proptest! {
    #[test]
    fn no_character_of_a_token_can_be_changed(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_.-]") {
        let op = Op::new();
        let token = op.token(&json!({ "alg": "EdDSA", "kid": "e" }), &claims());
        let at = at.index(token.len());
        let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
        prop_assume!(changed != token);
        prop_assert!(judged(&op.keys(), &changed).is_err());
    }

    #[test]
    fn nothing_that_comes_in_its_place_is_taken(text in "[ -~]{0,200}", bytes in any::<Vec<u8>>()) {
        let op = Op::new();
        prop_assert!(judged(&op.keys(), &text).is_err());
        let _ = Jwks::parse(&bytes);
    }
}
