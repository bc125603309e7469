"""Stripe's own library judges what the hub believes.

It signs messages and says which ones it would take; the hub must say the same.
"""
import json, os, time, urllib.request
import stripe

HUB, SECRET, OBJECT = os.environ["HUB_ADMIN"], os.environ["SIGNING"], json.loads(os.environ["EVENT"])
BODY = json.dumps(OBJECT)
passed = failed = 0


def library_takes(body, header, tolerance=300):
    try:
        stripe.Webhook.construct_event(body, header, SECRET, tolerance)
        return True
    except (stripe.SignatureVerificationError, ValueError):
        return False


def hub_takes(body, header):
    request = urllib.request.Request(
        HUB + "/api/admin/v1/webhooks/stripe", body.encode(), {"stripe-signature": header}, method="POST"
    )
    try:
        return urllib.request.urlopen(request).status == 200
    except urllib.error.HTTPError as error:
        assert error.code == 400, error.read()
        return False


def sign(body, at, secret=SECRET, scheme="v1"):
    digest = stripe.WebhookSignature._compute_signature(f"{at}.{body}", secret)
    return f"t={at},{scheme}={digest}"


now = int(time.time())
good = sign(BODY, now)
CASES = {
    "good": (BODY, good, True),
    "other secret": (BODY, sign(BODY, now, "whsec_other"), False),
    "other body": (BODY + " ", good, False),
    "old": (BODY, sign(BODY, now - 400), False),
    "old but within": (BODY, sign(BODY, now - 200), True),
    "only a scheme that is not trusted": (BODY, sign(BODY, now, scheme="v0"), False),
    "several, one fits": (BODY, good.replace("v1=", "v1=" + "0" * 64 + ",v1="), True),
    "several schemes": (BODY, good + ",v0=" + "0" * 64, True),
    "no time": (BODY, good.split(",")[1], False),
    "no signature": (BODY, good.split(",")[0], False),
    "no header": (BODY, "", False),
}
for name, (body, header, wanted) in CASES.items():
    library, hub = library_takes(body, header), hub_takes(body, header)
    if library == hub == wanted:
        passed += 1
    else:
        failed += 1
        print(f"{name}: wanted {wanted}, the library says {library}, the hub {hub}")
print(f"{passed} passed, {failed} failed")
