"""Asks AWS who holds a key, as any program of AWS would: a call that is signed with it (Signature Version 4)."""

import datetime
import hashlib
import hmac
import re
import urllib.error
import urllib.parse
import urllib.request

REGION = "us-east-1"
BODY = b"Action=GetCallerIdentity&Version=2011-06-15"
SECONDS_MAX = 30


def caller(url, access_key_id, secret_access_key):
    """The ARN of the holder of the key; None if AWS refuses it."""
    at = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "host": urllib.parse.urlsplit(url).netloc,
        "x-amz-date": at,
    }
    headers["Authorization"] = authorization(headers, at, access_key_id, secret_access_key)
    try:
        with urllib.request.urlopen(urllib.request.Request(url, BODY, headers), timeout=SECONDS_MAX) as answer:
            return re.search("<Arn>(.*?)</Arn>", answer.read().decode())[1]
    except urllib.error.HTTPError:
        return None


def authorization(headers, at, access_key_id, secret_access_key):
    signed = ";".join(headers)
    canonical = "\n".join(
        ["POST", "/", "", *(f"{name}:{value}" for name, value in headers.items()), "", signed, digest(BODY)]
    )
    scope = [at[:8], REGION, "sts", "aws4_request"]
    to_sign = "\n".join(["AWS4-HMAC-SHA256", at, "/".join(scope), digest(canonical.encode())])
    key = f"AWS4{secret_access_key}".encode()
    for part in [*scope, to_sign]:
        key = hmac.digest(key, part.encode(), "sha256")
    credential = "/".join([access_key_id, *scope])
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, Signature={key.hex()}"


def digest(data):
    return hashlib.sha256(data).hexdigest()
