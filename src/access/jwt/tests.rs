//! Tokens of a key pair of our own, and everything that is no such token.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

const NOW: Wall = Wall(1_000_000_000_000);

/// An Ed25519 key and the set that publishes it.
fn issuer() -> (Ed25519KeyPair, Value) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let x = B64.encode(pair.public_key().as_ref());
    (pair, json!({ "kty": "OKP", "crv": "Ed25519", "kid": "a", "use": "sig", "x": x }))
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn policy() -> Policy {
    let algorithms = vec![Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];
    let leeway = Duration::from_secs(60);
    Policy { issuer: "https://idp.test".into(), audiences: vec!["hub".into()], algorithms, leeway }
}

fn claims() -> Value {
    json!({ "iss": "https://idp.test", "aud": ["other", "hub"], "exp": 1_000_100, "sub": "ann" })
}

fn token(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", B64.encode(signature))
}

fn signed(header: &Value, claims: &Value) -> String {
    token(header, claims, |bytes| issuer().0.sign(bytes).as_ref().to_vec())
}

fn verify(token: &str) -> Result<Claims, Refusal> {
    Unverified::read(token)?.verify(&policy(), &set(&[issuer().1]), NOW)
}

fn header() -> Value {
    json!({ "alg": "EdDSA", "kid": "a", "typ": "at+jwt" })
}

#[test]
fn a_token_of_the_issuer_is_believed() {
    let whole = signed(&header(), &claims());
    assert!(looks_like_jwt(&whole));
    let known = verify(&whole).unwrap();
    assert_eq!(
        (known.text("sub"), known.texts("aud"), known.seconds("exp")),
        (Some("ann"), vec!["other", "hub"], Some(1_000_100))
    );
    assert!(verify(&signed(&json!({ "alg": "EdDSA" }), &claims())).is_ok(), "without a kid");
}

/// RFC 8037, appendix A.4.
#[test]
fn the_signature_of_the_rfc_fits() {
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    let signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let keys = set(&[key]);
    let key = keys.fitting(Algorithm::EdDsa, None).next().unwrap();
    assert!(key.verifies(Algorithm::EdDsa, signed, &B64.decode(signature).unwrap()));
    assert!(!key.verifies(Algorithm::EdDsa, b"x", &B64.decode(signature).unwrap()));
}

/// RFC 7515, appendix A.3.
#[test]
fn the_token_of_the_rfc_fits() {
    let key = json!({ "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" });
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let joe = Policy { issuer: "joe".into(), ..policy() };
    // The signature fits; that the token is for nobody is noticed after that.
    let refusal = Unverified::read(token).unwrap().verify(&joe, &set(&[key]), Wall(0)).unwrap_err();
    assert_eq!(refusal, Refusal::Audience);
}

/// Made with Python's cryptography; nobody has the private key any more.
#[test]
fn tokens_that_another_program_signed_with_rsa_fit() {
    let made: Value = serde_json::from_str(include_str!("rsa.json")).unwrap();
    let both = Policy { algorithms: vec![Algorithm::Rs256, Algorithm::Ps256], ..policy() };
    for (name, token) in made["tokens"].as_object().unwrap() {
        let token = token.as_str().unwrap();
        let keys = set(&[made["key"].clone()]);
        assert!(Unverified::read(token).unwrap().verify(&both, &keys, NOW).is_ok(), "{name}");
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let mut other = B64.decode(signature).unwrap();
        other[9] ^= 1;
        let forged = format!("{signed}.{}", B64.encode(other));
        let refusal = Unverified::read(&forged).unwrap().verify(&both, &keys, NOW);
        assert_eq!(refusal, Err(Refusal::Signature), "{name}");
    }
}

#[test]
fn every_claim_that_is_wrong_is_noticed() {
    let changed = |name: &str, value: Value| {
        let mut all = claims();
        all[name] = value;
        verify(&signed(&header(), &all)).map(drop)
    };
    assert_eq!(changed("iss", json!("https://idp.test/")), Err(Refusal::Issuer));
    assert_eq!(changed("aud", json!("hubs")), Err(Refusal::Audience));
    assert_eq!(changed("aud", json!(null)), Err(Refusal::Audience));
    assert_eq!(changed("aud", json!("hub")), Ok(()));
    // The leeway is a minute on both sides; now is 1,000,000.
    assert_eq!(changed("exp", json!(999_940)), Err(Refusal::Expired));
    assert_eq!(changed("exp", json!(999_941)), Ok(()));
    assert_eq!(changed("exp", json!("soon")), Err(Refusal::Malformed));
    assert_eq!(changed("exp", json!(1e300)), Err(Refusal::Malformed));
    assert_eq!(changed("nbf", json!(1_000_061)), Err(Refusal::NotYet));
    assert_eq!(changed("nbf", json!(1_000_060.5)), Ok(()));
    assert_eq!(changed("nbf", json!([])), Err(Refusal::Malformed));
    let mut without = claims();
    without.as_object_mut().unwrap().remove("exp");
    assert_eq!(verify(&signed(&header(), &without)), Err(Refusal::Malformed), "for ever is too long");
}

#[test]
fn a_token_does_not_choose_how_it_is_proved() {
    let (_, public) = issuer();
    let x = public["x"].as_str().unwrap().to_owned();
    for name in ["none", "None", "HS256", "RS256", "ES256", "", "dir"] {
        let header = json!({ "alg": name, "kid": "a" });
        let by_public_key = token(&header, &claims(), |bytes| {
            let secret = B64.decode(&x).unwrap();
            let key = <hmac::Hmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(&secret).unwrap();
            let mac = hmac::Mac::finalize(hmac::Mac::chain_update(key, bytes));
            mac.into_bytes().to_vec()
        });
        let unsigned = token(&header, &claims(), |_| Vec::new());
        for forged in [by_public_key, unsigned] {
            let refusal = verify(&forged).unwrap_err();
            assert!(matches!(refusal, Refusal::Algorithm | Refusal::UnknownKey), "{name}: {refusal:?}");
        }
    }
    let only = Policy { algorithms: vec![Algorithm::Es256], ..policy() };
    let genuine = signed(&header(), &claims());
    let refusal = Unverified::read(&genuine).unwrap().verify(&only, &set(&[public]), NOW);
    assert_eq!(refusal, Err(Refusal::Algorithm));
}

#[test]
fn keys_of_others_and_for_other_things_prove_nothing() {
    let (_, public) = issuer();
    let genuine = signed(&header(), &claims());
    let with = |key: &Value| {
        let spare = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "spare", "x": B64.encode([9; 32]) });
        Unverified::read(&genuine).unwrap().verify(&policy(), &set(&[key.clone(), spare]), NOW)
    };
    let changed = |name: &str, value: Value| {
        let mut key = public.clone();
        key[name] = value;
        key
    };
    assert_eq!(with(&changed("kid", json!("b"))), Err(Refusal::UnknownKey));
    assert_eq!(with(&changed("use", json!("enc"))), Err(Refusal::UnknownKey));
    assert_eq!(with(&changed("alg", json!("ES256"))), Err(Refusal::UnknownKey));
    assert_eq!(with(&changed("key_ops", json!(["encrypt"]))), Err(Refusal::UnknownKey));
    assert_eq!(with(&changed("x", json!(B64.encode([8; 32])))), Err(Refusal::Signature));
    for (name, value) in [("crit", json!(["exp"])), ("kid", json!(7)), ("b64", json!(false))] {
        let mut odd = header();
        odd[name] = value;
        assert_eq!(verify(&signed(&odd, &claims())), Err(Refusal::Malformed), "{name}");
    }
    for bad in ["", "[]", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}"] {
        assert!(KeySet::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn p_256_verifies_what_it_signed() {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
    let point = pair.public_key().as_ref();
    let key =
        json!({ "kty": "EC", "crv": "P-256", "x": B64.encode(&point[1..33]), "y": B64.encode(&point[33..]) });
    let made = token(&json!({ "alg": "ES256" }), &claims(), |bytes| {
        pair.sign(&random, bytes).unwrap().as_ref().to_vec()
    });
    assert!(Unverified::read(&made).unwrap().verify(&policy(), &set(&[key]), NOW).is_ok());
}

#[test]
fn claims_are_found_by_name_and_by_way() {
    let all = json!({ "iss": "i", "realm": { "name": "r", "roles": ["a", "b c"] }, "x.y": "plain", "n": 7, "x": { "y": "deep" } });
    let read = Unverified::read(&signed(&header(), &all)).unwrap().claims;
    assert_eq!(
        (read.text("realm.name"), read.text("x.y"), read.text("realm.none")),
        (Some("r"), Some("plain"), None)
    );
    assert_eq!(read.words("realm.roles"), ["a", "b", "c"]);
    assert_eq!((read.plain("n").as_deref(), read.plain("realm")), (Some("7"), None));
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "[A-Za-z0-9_.=-]{0,200}") {
        prop_assert!(verify(&text).is_err());
    }

    /// Whatever is changed in a token, it is not believed, or says the same.
    #[test]
    fn a_changed_token_is_refused(at in any::<prop::sample::Index>(), with in "[A-Za-z0-9_.-]") {
        let genuine = signed(&header(), &claims());
        let at = at.index(genuine.len());
        let mut changed = genuine.clone();
        changed.replace_range(at..=at, &with);
        if changed != genuine {
            prop_assert!(verify(&changed).is_err());
        }
    }
}
