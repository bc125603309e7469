"""Authlib as a client of the hub's authorization server, then OpenAI's client with its tokens.

Reads HUB_URL (with /v1), EMAIL and PASSWORD of a user, PUBLIC_CLIENT (with a
redirect to http://127.0.0.1/back and the device grant), MACHINE_CLIENT and
MACHINE_SECRET. The hub's model `gpt` says "Hello there".
Prints one line per check and `N passed, M failed`.
"""

import html
import os
import re
import sys
import traceback
import urllib.parse

import openai
import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url

ORIGIN = os.environ["HUB_URL"].removesuffix("/v1")
REDIRECT = "http://127.0.0.1:49152/back"
PUBLIC = os.environ["PUBLIC_CLIENT"]
MACHINE, SECRET = os.environ["MACHINE_CLIENT"], os.environ["MACHINE_SECRET"]
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

metadata = requests.get(get_well_known_url(ORIGIN, external=True, suffix="oauth-authorization-server"), timeout=30).json()
checks = []


def check(function):
    checks.append(function)
    return function


def hello(token):
    client = openai.OpenAI(base_url=os.environ["HUB_URL"], api_key=token, max_retries=0, timeout=30)
    answer = client.chat.completions.create(model="gpt", messages=[{"role": "user", "content": "hi"}])
    assert answer.choices[0].message.content == "Hello there", answer


def refused(token):
    try:
        hello(token)
    except openai.AuthenticationError:
        return
    raise AssertionError("the token still works")


def members(page):
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text)
    return {name: html.unescape(value) for name, value in found}


def browser():
    """Somebody signed in. The cookie is for safe places, which loopback is to browsers."""
    page = requests.post(
        f"{ORIGIN}/oauth/sign-in",
        data={"email": os.environ["EMAIL"], "password": os.environ["PASSWORD"], "return": "/oauth/device"},
        timeout=30,
    )
    assert page.status_code == 200, page.text
    return {"cookie": page.headers["set-cookie"].split(";")[0]}


def public():
    return OAuth2Session(
        PUBLIC,
        scope="inference",
        redirect_uri=REDIRECT,
        code_challenge_method="S256",
        token_endpoint=metadata["token_endpoint"],
        token_endpoint_auth_method="none",
    )


def allowed():
    """A session of Authlib with the token of a user who said yes."""
    session, verifier, headers = public(), "v" * 64, browser()
    url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
    page = requests.get(url, headers=headers, timeout=30)
    answer = requests.post(
        f"{ORIGIN}/oauth/consent",
        data=members(page) | {"decision": "allow"},
        headers=headers,
        allow_redirects=False,
        timeout=30,
    )
    back = answer.headers["location"]
    assert back.startswith(REDIRECT), back
    issuer = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["iss"]
    assert issuer == [metadata["issuer"]], back
    session.fetch_token(authorization_response=back, code_verifier=verifier, state=state)
    return session


@check
def the_metadata_is_valid():
    AuthorizationServerMetadata(metadata | {"issuer": metadata["issuer"].replace("http://", "https://")}).validate_grant_types_supported()
    assert metadata["issuer"] == ORIGIN, metadata
    for name in ("authorization", "token", "revocation", "introspection", "device_authorization"):
        assert metadata[f"{name}_endpoint"].startswith(ORIGIN), metadata


@check
def a_code_with_its_proof_becomes_a_token():
    session = allowed()
    assert session.token["token_type"] == "Bearer" and session.token["scope"] == "inference", session.token
    hello(session.token["access_token"])


@check
def a_token_is_refreshed_and_the_old_one_used_again_ends_all():
    session = allowed()
    first = dict(session.token)
    second = dict(session.refresh_token(metadata["token_endpoint"], first["refresh_token"]))
    assert second["refresh_token"] != first["refresh_token"], second
    hello(second["access_token"])
    try:
        session.refresh_token(metadata["token_endpoint"], first["refresh_token"])
    except OAuthError as error:
        assert error.error == "invalid_grant", error
    else:
        raise AssertionError("a refresh token was good twice")
    refused(second["access_token"])


@check
def a_program_gets_a_token_for_itself():
    for method in ("client_secret_basic", "client_secret_post"):
        session = OAuth2Session(MACHINE, SECRET, token_endpoint_auth_method=method)
        token = session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
        assert "refresh_token" not in token, token
        hello(token["access_token"])
    try:
        OAuth2Session(MACHINE, "wrong").fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    except OAuthError as error:
        assert error.error == "invalid_client", error
    else:
        raise AssertionError("a wrong secret was good")


@check
def a_device_is_connected():
    begun = requests.post(
        metadata["device_authorization_endpoint"], data={"client_id": PUBLIC, "scope": "inference"}, timeout=30
    ).json()
    session, grant = public(), "urn:ietf:params:oauth:grant-type:device_code"
    poll = lambda: session.fetch_token(metadata["token_endpoint"], grant_type=grant, device_code=begun["device_code"])
    try:
        poll()
    except OAuthError as error:
        assert error.error == "authorization_pending", error
    else:
        raise AssertionError("nobody was asked")
    headers = browser()
    page = requests.get(begun["verification_uri_complete"], headers=headers, timeout=30)
    page = requests.post(
        begun["verification_uri"], data=members(page) | {"user_code": begun["user_code"]}, headers=headers, timeout=30
    )
    page = requests.post(
        begun["verification_uri"], data=members(page) | {"decision": "allow"}, headers=headers, timeout=30
    )
    assert page.status_code == 200, page.text
    hello(poll()["access_token"])


@check
def a_token_is_looked_into_and_revoked():
    session = allowed()
    access = session.token["access_token"]
    server = OAuth2Session(MACHINE, SECRET)
    seen = server.introspect_token(metadata["introspection_endpoint"], token=access).json()
    assert seen["active"] and seen["username"] == os.environ["EMAIL"] and seen["client_id"] == PUBLIC, seen
    answer = session.revoke_token(metadata["revocation_endpoint"], token=access, token_type_hint="access_token")
    assert answer.status_code == 200, answer.text
    refused(access)
    assert server.introspect_token(metadata["introspection_endpoint"], token=access).json() == {"active": False}


def main():
    failed = 0
    for function in checks:
        try:
            function()
            print(f"ok      {function.__name__}")
        except Exception:
            failed += 1
            print(f"FAILED  {function.__name__}\n{traceback.format_exc()}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
