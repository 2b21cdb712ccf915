//! Bearer tokens of an OpenID Connect issuer: its keys, found by discovery and kept, and what its claims allow here.

use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cardinal_adapter::time::UnixMs;
use cardinal_store::Scope;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::OwnedMutexGuard;
use ureq::Agent;

use crate::outbound::{agent, trusted};
use crate::problem::{Kind, Problem};
use crate::scope::Caller;

/// Whose tokens are taken, and how they are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcOptions {
    /// The address of the issuer, as it stands in its tokens; https, or http on a loopback address.
    pub issuer: String,
    /// What the tokens must be for.
    pub audience: String,
    /// The claim whose values `viewer`, `operator` and `admin` give the scope; dots lead into objects. Default: `roles`.
    pub claim: String,
}

impl OidcOptions {
    /// What is wrong with the settings; nothing when they make sense.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if !is_safe(&self.issuer) {
            mistakes.push(format!(
                "the issuer of tokens is `{}`; write an address such as https://login.example.com",
                self.issuer
            ));
        }
        if self.audience.is_empty() {
            mistakes.push("the audience of tokens is empty; write the one that the issuer puts into them".to_owned());
        }
        if self.claim.is_empty() {
            mistakes.push("the claim of tokens is empty; write its name, such as roles".to_owned());
        }
        mistakes
    }
}

/// True for addresses that nobody in between can answer for.
fn is_safe(address: &str) -> bool {
    let loopback = |rest: &str| {
        let authority = rest.split('/').next().unwrap_or("");
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    match (address.strip_prefix("https://"), address.strip_prefix("http://")) {
        (Some(rest), _) => !rest.is_empty(),
        (None, Some(rest)) => loopback(rest),
        (None, None) => false,
    }
}

/// Keys are fetched anew after this time, in milliseconds.
const KEPT_MS: u64 = 3_600_000;
/// A key that is not known is looked for at most this often, in milliseconds.
const AGAIN_MS: u64 = 10_000;
/// The clocks of the issuer and of this machine may differ by so much, in milliseconds.
const LEEWAY_MS: i64 = 60_000;
/// The largest document of an issuer, in bytes.
const BYTES_MAX: u64 = 1 << 20;
/// How long an issuer may take to answer.
const FETCH: Duration = Duration::from_secs(10);
/// How long a request waits for that.
const WAIT: Duration = Duration::from_secs(5);

/// What judges the tokens of an issuer.
#[derive(Debug)]
pub struct Oidc {
    options: OidcOptions,
    agent: Agent,
    keys: Mutex<Keys>,
    /// Held by the one who asks the issuer.
    asking: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct Keys {
    all: Vec<Jwk>,
    /// When they were fetched.
    at: Option<UnixMs>,
    /// When the last attempt to get them ended.
    tried: Option<UnixMs>,
}

impl Keys {
    /// The key of this id, and whether the issuer is to be asked.
    fn look(&self, id: Option<&str>, now: UnixMs) -> (Option<Jwk>, bool) {
        let found = find(&self.all, id).cloned();
        let is_old = self.at.is_none_or(|at| now.ms_since(at) >= KEPT_MS);
        let may_ask = self.tried.is_none_or(|at| now.ms_since(at) >= AGAIN_MS);
        let is_due = may_ask && (is_old || found.is_none());
        (found, is_due)
    }
}

/// The keys of an issuer as it shows them.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl KeySet {
    /// Those that can be read: an issuer may have others beside them, of kinds that are not known here.
    fn usable(self) -> Vec<Jwk> {
        self.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect()
    }
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Oidc {
    /// For the tokens of this issuer.
    pub fn new(options: OidcOptions) -> Self {
        Oidc { options, agent: agent(Some(FETCH), trusted()), keys: Mutex::default(), asking: Arc::default() }
    }

    /// True when this may be a token of an issuer and not one of this service.
    pub fn is_meant(secret: &str) -> bool {
        secret.split('.').count() == 3
    }

    /// Who brings this token.
    ///
    /// # Errors
    /// When it is not good, allows nothing here, or the issuer cannot be asked for its keys.
    pub async fn caller(self: &Arc<Self>, token: &str, now: UnixMs) -> Result<Caller, Problem> {
        let header = decode_header(token).map_err(|_| refused("it is no signed token"))?;
        if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
            return Err(refused("it must be signed with RS256 or ES256"));
        }
        let key = self.key(header.kid.as_deref(), now).await?;
        let mut validation = Validation::new(header.alg);
        validation.set_audience(&[&self.options.audience]);
        validation.set_issuer(&[&self.options.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // By the clock of the service, below.
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        let claims =
            decode::<Map<String, Value>>(token, &key, &validation).map_err(|error| refused(&error.to_string()))?.claims;
        check_time(&claims, now)?;
        self.admit(&claims)
    }

    /// What the claims of a good token allow.
    fn admit(&self, claims: &Map<String, Value>) -> Result<Caller, Problem> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let subject = text("sub").ok_or_else(|| refused("it names nobody"))?;
        let Some(scope) = scope(claims, &self.options.claim) else {
            let detail = format!(
                "the claim `{}` of this token holds none of viewer, operator and admin; the issuer has to give one",
                self.options.claim
            );
            return Err(Problem::new(Kind::Forbidden, detail));
        };
        let name = text("preferred_username").or(text("email")).unwrap_or(subject);
        Ok(Caller { name: name.to_owned(), key: format!("oidc {subject}"), scope, applications: None })
    }

    /// The key of this id; the only one there is when the token names none.
    async fn key(self: &Arc<Self>, id: Option<&str>, now: UnixMs) -> Result<DecodingKey, Problem> {
        let (mut found, is_due) = self.keys().look(id, now);
        if is_due && found.is_some() {
            // What is known counts until the issuer has answered.
            if let Ok(turn) = self.asking.clone().try_lock_owned() {
                tokio::spawn(self.clone().ask(turn, now));
            }
        } else if is_due {
            tokio::time::timeout(WAIT, self.asked(id, now)).await.map_err(|_| away())?;
            found = self.keys().look(id, now).0;
        }
        let Some(key) = found else {
            return Err(if self.keys().at.is_none() { away() } else { refused("its issuer has no such key") });
        };
        DecodingKey::from_jwk(&key).map_err(|_| refused("the key of its issuer cannot be used"))
    }

    /// Waits until the issuer was asked, by this or by another request.
    async fn asked(self: &Arc<Self>, id: Option<&str>, now: UnixMs) {
        let turn = self.asking.clone().lock_owned().await;
        if self.keys().look(id, now).1 {
            // Goes on when the caller hangs up, and so counts as an attempt.
            let _ = tokio::spawn(self.clone().ask(turn, now)).await;
        }
    }

    /// Asks the issuer for its keys; the turn is held meanwhile.
    async fn ask(self: Arc<Self>, _turn: OwnedMutexGuard<()>, now: UnixMs) {
        let began = Instant::now();
        let found = self.fetch().await;
        let took = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let end = UnixMs(now.0.saturating_add(took));
        let mut keys = self.keys();
        keys.tried = Some(end);
        match found {
            Ok(all) => (keys.all, keys.at) = (all, Some(end)),
            // Those that are known go on counting.
            Err(why) => tracing::warn!(issuer = self.options.issuer, why, "the keys of the issuer are not had"),
        }
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) -> Result<Vec<Jwk>, String> {
        let (agent, issuer) = (self.agent.clone(), self.options.issuer.clone());
        let work = move || {
            let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
            let found: Discovery = get(&agent, &place)?;
            if found.issuer != issuer {
                return Err(format!("{place} is about the issuer `{}`", found.issuer));
            }
            if !is_safe(&found.jwks_uri) {
                return Err(format!("the keys are at `{}`, which is not https", found.jwks_uri));
            }
            get::<KeySet>(&agent, &found.jwks_uri).map(KeySet::usable)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()))
    }
}

fn find<'a>(keys: &'a [Jwk], id: Option<&str>) -> Option<&'a Jwk> {
    match (id, keys) {
        (Some(id), _) => keys.iter().find(|key| key.common.key_id.as_deref() == Some(id)),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

fn get<T: DeserializeOwned>(agent: &Agent, address: &str) -> Result<T, String> {
    let mut response = agent.get(address).call().map_err(|error| format!("{address}: {error}"))?;
    let status = response.status().as_u16();
    if status != 200 {
        return Err(format!("{address} answers with {status}"));
    }
    let mut body = Vec::new();
    let reader = response.body_mut().as_reader();
    reader.take(BYTES_MAX).read_to_end(&mut body).map_err(|error| format!("{address}: {error}"))?;
    serde_json::from_slice(&body).map_err(|error| format!("{address}: {error}"))
}

/// Refuses what is over or has not begun.
fn check_time(claims: &Map<String, Value>, now: UnixMs) -> Result<(), Problem> {
    let time_ms = |name: &str| claims.get(name).and_then(Value::as_f64).map(|s| (s * 1e3) as i64);
    let ends = time_ms("exp").ok_or_else(|| refused("it never ends"))?;
    if now.0 >= ends.saturating_add(LEEWAY_MS) {
        return Err(refused("it is expired"));
    }
    if time_ms("nbf").is_some_and(|begins| now.0 < begins.saturating_sub(LEEWAY_MS)) {
        return Err(refused("it is not good yet"));
    }
    Ok(())
}

/// The widest scope that a claim gives: a text with words between spaces, or a list of texts.
fn scope(claims: &Map<String, Value>, claim: &str) -> Option<Scope> {
    // A name with dots may stand as it is: some issuers name claims by addresses.
    let found = match claims.get(claim) {
        Some(found) => found,
        None => {
            let mut parts = claim.split('.');
            let first = claims.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part))?
        }
    };
    let words: Vec<&str> = match found {
        Value::String(text) => text.split_whitespace().collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    words.into_iter().filter_map(|word| word.parse().ok()).max()
}

fn away() -> Problem {
    let detail = "the issuer of this token cannot be asked for its keys; try again in a moment";
    Problem::new(Kind::Unavailable, detail).retry_after(10)
}

fn refused(why: &str) -> Problem {
    Problem::new(Kind::Unauthenticated, format!("this token is not good: {why}"))
}

/// The judge of tokens, when an issuer is named.
pub fn judge(options: Option<&OidcOptions>) -> Option<Arc<Oidc>> {
    options.map(|options| Arc::new(Oidc::new(options.clone())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_widest_scope_of_a_claim_counts() {
        let widest = |claims: Value, claim: &str| scope(claims.as_object().unwrap(), claim);
        assert_eq!(widest(json!({"roles": ["viewer", "operator", "other"]}), "roles"), Some(Scope::Operator));
        assert_eq!(widest(json!({"scope": "openid admin"}), "scope"), Some(Scope::Admin));
        assert_eq!(widest(json!({"realm": {"roles": ["viewer"]}}), "realm.roles"), Some(Scope::Viewer));
        assert_eq!(widest(json!({"https://a.example/r": ["viewer"]}), "https://a.example/r"), Some(Scope::Viewer));
        assert_eq!(widest(json!({"roles": ["Admin", 3]}), "roles"), None);
        assert_eq!(widest(json!({}), "roles"), None);
    }

    #[test]
    fn only_addresses_that_nobody_can_stand_in_for_are_asked() {
        for good in ["https://login.example.com/realm", "http://127.0.0.1:99/x", "http://[::1]:1", "http://localhost"] {
            assert!(is_safe(good), "{good}");
        }
        for bad in
            ["http://login.example.com", "http://127.0.0.1.example.com", "ftp://localhost", "localhost", "https://"]
        {
            assert!(!is_safe(bad), "{bad}");
        }
    }

    #[test]
    fn keys_of_unknown_kinds_do_not_hide_the_others() {
        let set: KeySet = serde_json::from_value(json!({"keys": [
            {"kty": "EC", "crv": "P-521", "alg": "ES512", "kid": "a", "x": "AQ", "y": "AQ"},
            {"kty": "OKP", "crv": "X25519", "kid": "b", "x": "AQ"},
            {"kty": "RSA", "alg": "RS256", "kid": "c", "e": "AQAB", "n": RFC_N},
            {"kty": "EC", "crv": "secp256k1", "kid": "d", "x": "AQ", "y": "AQ"},
            "no key",
        ]}))
        .unwrap();
        let keys = set.usable();
        assert_eq!(keys.len(), 1, "{keys:?}");
        assert!(find(&keys, Some("c")).is_some() && find(&keys, Some("a")).is_none());
    }

    #[test]
    fn the_issuer_is_asked_when_keys_are_old_or_missing_but_not_at_once_again() {
        let key: Jwk = serde_json::from_value(json!({"kty": "RSA", "kid": "c", "e": "AQAB", "n": RFC_N})).unwrap();
        let (begun, later) = (UnixMs(0), UnixMs(KEPT_MS as i64));
        let mut keys = Keys { all: vec![key], at: Some(begun), tried: Some(begun) };
        let due = |keys: &Keys, id: &str, now: UnixMs| keys.look(Some(id), now).1;
        assert!(!due(&keys, "c", UnixMs(AGAIN_MS as i64)) && due(&keys, "x", UnixMs(AGAIN_MS as i64)));
        assert!(!due(&keys, "x", UnixMs(AGAIN_MS as i64 - 1)));
        assert!(due(&keys, "c", later) && keys.look(Some("c"), later).0.is_some());
        keys.tried = Some(later);
        assert!(!due(&keys, "c", later) && !due(&keys, "x", later));
    }

    /// A signature of RSA with SHA-256, from RFC 7515, A.2: another implementation made it.
    #[test]
    fn a_known_token_signed_with_rs256_is_verified() {
        let key: Jwk = serde_json::from_value(json!({"kty": "RSA", "e": "AQAB", "n": RFC_N})).unwrap();
        let key = DecodingKey::from_jwk(&key).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_required_spec_claims::<&str>(&[]);
        (validation.validate_exp, validation.validate_aud) = (false, false);
        let claims = decode::<Map<String, Value>>(RFC_TOKEN, &key, &validation).unwrap().claims;
        assert_eq!(claims["iss"], "joe");
        let forged = RFC_TOKEN.replacen("eyJpc3MiOiJqb2Ui", "eyJpc3MiOiJ0b20i", 1);
        assert!(decode::<Map<String, Value>>(&forged, &key, &validation).is_err());
    }

    const RFC_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR\
        T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV\
        MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    const RFC_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
        cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4\
        BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv\
        hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
}
